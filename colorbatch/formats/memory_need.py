"""What a picture takes in memory while it is worked on, told by its header alone.

A source's path and its target's in, bytes out. Nothing is decoded. The figures count what is there
at the same time: arrays, Pillow's own pictures, buffers of libraries. `python benchmarks/memory.py`
prints what they say beside what it measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from colorbatch.formats import registry
from colorbatch.formats.headers import pictures_of
from colorbatch.formats.registry import SAMPLE_BYTES, Format
from colorbatch.formats.still import Decoded

BASE_BYTES = 600_000_000
"""Python, the libraries, the hungrier embedded model, and what it needs for a batch of 8: the peak
of a process whose engine predicts 64 pictures, 558 MB for `lite-unet` (378 MB in batches of 4),
393 MB for `unet32` (`python benchmarks/inference.py colorbatch/model/embedded/*.onnx
--batch-sizes 4,8`); and the rest of a command."""
PICTURE_BYTES = 16_000_000
"""Of each picture, however small: strips, tables of a profile, what an allocator keeps."""
VIEW_BYTES = 1_300_000
"""Of each page that waits as the model sees it, from its lightness to its chroma."""
PAGE_BYTES = 20_000
"""Of each page that a file lists, whatever its size: its tags, in and out."""
ENCODING: Mapping[Format, float] = {"PNG": 8, "JPEG": 12, "BMP": 11, "WEBP": 46, "JPEG2000": 24}
"""Bytes per pixel at the peak of encoding 8 bits, beside the still itself. TIFF is written strip by
strip, and so is PNG of 16 bits."""


def of_coloring(source: Path, target: Path, *, upright: bool = False, views: int = 1) -> int:
    """Bytes at the peak of coloring a file, beside BASE_BYTES: of the costliest of its pages.

    upright: whether pixels are turned. views: as many pages at most wait for the model. A file
    whose header cannot be read costs little; reading it says what is wrong with it.
    """
    pages = _pages(source)
    most = max((_of_page(*page, target, upright) for page in pages), default=PICTURE_BYTES)
    return most + _of_more_pages(len(pages), views)


def of_reading(source: Path) -> int:
    """Bytes at the peak of reading a file, beside the program's own."""
    pages = _pages(source)
    peak = round(max((page.peak for _, page in pages), default=0))
    return PICTURE_BYTES + peak + _of_more_pages(len(pages), 1)


def _of_more_pages(count: int, views: int) -> int:
    """What pages take beside the first one, that does not go with each."""
    return max(0, count - 1) * PAGE_BYTES + max(0, min(count, views) - 1) * VIEW_BYTES


def _pages(source: Path) -> list[tuple[Format, Decoded]]:
    """Of a file with a page that cannot be decoded none."""
    stored = pictures_of(source)
    pages = [(one.format, one.decoded) for one in stored if one.decoded is not None]
    return pages if len(pages) == len(stored) else []


def _of_page(own_format: Format, page: Decoded, target: Path, upright: bool) -> int:
    format_ = registry.of_result(target.suffix, own_format)
    most = SAMPLE_BYTES[format_]
    still = min(page.depth, 2) + page.depth * (page.channels in (2, 4))  # luma and alpha
    if page.channels >= 3 and page.depth > 1:  # 8 bits are colored without their own RGB
        still += 3 * page.depth
    elif page.depth > 2:  # floating-point grey
        still += page.depth
    writing = float(still)
    if page.depth > most:
        writing += (page.channels + 1) * most
    if upright:
        writing += still
    if format_ == "JPEG2000" or min(page.depth, most) == 1:
        writing += ENCODING.get(format_, 0) * min(page.depth, most)
    return PICTURE_BYTES + round(max(page.peak, page.pixels * writing))
