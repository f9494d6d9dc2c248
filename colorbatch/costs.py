"""What a picture takes in memory while it is worked on, told by its header alone.

A source's path and its target's in, bytes out. Nothing is decoded. The figures count what is there
at the same time: arrays, Pillow's own pictures, buffers of libraries. `python benchmarks/memory.py`
prints what they say beside what it measures.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from colorbatch import images, tiff
from colorbatch.still import FORMATS, Format

BASE_BYTES = 400_000_000
"""Python, the libraries, the embedded model, and what it needs for a batch of 8."""
PICTURE_BYTES = 16_000_000
"""Of each picture, however small: strips, tables of a profile, what an allocator keeps."""
DECODING: Mapping[str, float] = {"PNG": 9, "BMP": 9, "WEBP": 13, "JPEG2000": 24, "HEIF": 16}
"""Bytes per pixel at the peak of decoding 8 bits, by Pillow's name of the format."""
JPEG_GREY, JPEG_COLOR, JPEG_PROGRESSIVE, JPEG_CMYK = 3, 8, 11, 12
"""The same of JPEG: all of a progressive one waits as coefficients in libjpeg."""
ENCODING: Mapping[Format, float] = {"PNG": 8, "JPEG": 12, "BMP": 11, "WEBP": 46, "JPEG2000": 24}
"""Bytes per pixel at the peak of encoding 8 bits, beside the still itself. TIFF is written strip by
strip, and so is PNG of 16 bits."""


@dataclass(frozen=True)
class _Page:
    """A page by its header. channels: with alpha; depth: bytes of a sample; decoding: bytes at the
    peak of reading it."""

    format: Format
    pixels: int
    channels: int
    depth: int
    decoding: float


def of_coloring(source: Path, target: Path, *, upright: bool = False) -> int:
    """Bytes at the peak of coloring a file, beside BASE_BYTES: of the costliest of its pages.

    upright: whether pixels are turned. A file whose header cannot be read costs little; reading it
    says what is wrong with it.
    """
    return max((_of_page(page, target, upright) for page in _pages(source)), default=PICTURE_BYTES)


def of_reading(source: Path) -> int:
    """Bytes at the peak of reading a file, beside the program's own."""
    return PICTURE_BYTES + round(max((page.decoding for page in _pages(source)), default=0))


def _of_page(page: _Page, target: Path, upright: bool) -> int:
    format_ = FORMATS.get(target.suffix.lower(), page.format)
    most = {"JPEG": 1, "WEBP": 1, "BMP": 1, "TIFF": 8}.get(format_, 2)
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
    return PICTURE_BYTES + round(max(page.decoding, page.pixels * writing))


def _pages(path: Path) -> list[_Page]:
    """A file's pages, as far as their headers can be read."""
    try:
        if not path.is_file():  # opening a named pipe would wait for ever
            return []
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn about harmless oddities
            if file.read(4) in tiff.STARTS:
                return [_Page("TIFF", *page) for page in tiff.weights(file)]
            file.seek(0)
            images.know_heif()
            with Image.open(file, formats=(*images.PILLOW_FORMATS, "HEIF")) as image:
                return [_of_pillow(image, path.stat().st_size)]
    except Exception:  # libraries raise anything for broken files
        return []


def _of_pillow(image: Image.Image, size: int) -> _Page:
    """A page of what Pillow has opened and not decoded; `size` of its file in bytes."""
    pixels = image.width * image.height
    name = "JPEG" if image.format == "MPO" else image.format or ""
    channels = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "P": 3, "RGB": 3}.get(image.mode, 4)
    tiles = getattr(image, "tile", None)
    deep = image.mode.startswith("I;16") or (name == "PNG" and tiles and "16" in str(tiles[0][3]))
    deep = deep or name == "JPEG2000"  # Pillow does not tell
    if name == "JPEG":
        each = float({"L": JPEG_GREY, "CMYK": JPEG_CMYK}.get(image.mode, JPEG_COLOR))
        if image.info.get("progressive"):
            each = max(each, JPEG_PROGRESSIVE)
    elif deep and name == "PNG":
        each = 2 * channels + 2 + size / max(1, pixels)
    else:
        each = DECODING.get(name, 16) + size / max(1, pixels)
        each *= 2 if deep else 1
    format_: Format = "HEIC" if name == "HEIF" else name  # type: ignore[assignment]
    return _Page(format_, pixels, channels, 2 if deep else 1, each * pixels)
