"""What a picture takes in memory while it is worked on, told by its header alone.

A source's path and its target's in, bytes out; never less than it really takes. Nothing is decoded.
Formats are of two families: what is read and written strip by strip takes its samples and little
more, what a library decodes and encodes as a whole so many bytes for each pixel (`record.Memory`).
`python benchmarks/memory.py` prints what is said here beside what it measures.
"""

from __future__ import annotations

import os
from pathlib import Path

from colorbatch.formats import registry
from colorbatch.formats.headers import pictures_of
from colorbatch.formats.still import Stored

BASE_BYTES = 600_000_000 + 25_000_000 * max(0, (os.cpu_count() or 1) - 12)
"""Python, the libraries, the hungrier embedded model, and what it needs for a batch of 8 or for a
picture on each core: the peak of a process whose engine predicts 64 pictures, for `lite-unet` 558
MB where one run takes 8, 296 MB on 2 cores, 491 MB on 8, 602 MB on 16 (`python
benchmarks/inference.py colorbatch/model/embedded/*.onnx --batch-sizes 16 --threads 16`); and the
rest of a command."""
PROCESS_BYTES = 120_000_000
"""A process that works on pictures, without them."""
PICTURE_BYTES = 18_000_000
"""Of each picture, however small: strips, tables of a profile, what an allocator keeps."""
VIEW_BYTES = 1_300_000
"""Of each page that waits as the model sees it, from its lightness to its chroma."""
PAGE_BYTES = 20_000
"""Of each page that a file lists, whatever its size: its tags, in and out."""


def of_coloring(source: Path, target: Path, *, upright: bool = False, views: int = 1) -> int:
    """Bytes at the peak of coloring a file, beside BASE_BYTES: of the costliest of its pages.

    upright: whether pixels are turned. views: as many pages at most wait for the model. A file
    whose header cannot be read costs little; reading it says what is wrong with it.
    """
    return _peak(source, target.suffix, upright, views)


def of_reading(source: Path) -> int:
    """Bytes at the peak of reading a file, beside the program's own."""
    return _peak(source, None, False, 1)


def _peak(source: Path, suffix: str | None, upright: bool, views: int) -> int:
    pages = pictures_of(source)
    if any(page.beside < 0 for page in pages):  # it cannot be decoded
        pages = []
    most = max((_of_page(page, suffix, upright) for page in pages), default=0)
    more = max(0, len(pages) - 1) * PAGE_BYTES + max(0, min(len(pages), views) - 1) * VIEW_BYTES
    return PICTURE_BYTES + round(most) + more


def _of_page(page: Stored, suffix: str | None, upright: bool) -> float:
    """Bytes for a page that becomes a file with this suffix, None for one that is but read."""
    formats = {page.format}
    formats |= {registry.of_result(suffix, page.format)} if suffix is not None else set()
    pixels, depth = page.height * page.width, -(-page.bits // 8)
    alpha = page.samples in (2, 4)
    # beside several channels lies their luma, and a copy of alpha
    planes = page.samples + (page.samples > 1) + alpha
    needs = [registry.adapter(format_).memory for format_ in formats]
    whole = max(need.of_more if depth > 1 else need.of_8_bits for need in needs)
    return page.beside + pixels * (planes * depth * (1 + upright) + whole * (1 + alpha / 3))
