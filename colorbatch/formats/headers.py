"""Picture files by their headers: how the pictures are stored, and what decoding makes of them.

Flows in: a path. Flows out: one `Stored` per picture. Nothing is decoded, so it is cheap; what a
header promises may still turn out to be broken.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from PIL import Image

from colorbatch.formats import png_chunks, tiff, webp
from colorbatch.formats.decoders import PILLOW_FORMATS, is_heif, know_heif
from colorbatch.formats.png import SIGNATURE as PNG_SIGNATURE
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Decoded, Stored
from colorbatch.fs.atomic import reachable

SAMPLES = {"1": 1, "P": 1, "L": 1, "I;16": 1, "I;16B": 1, "I": 1, "LA": 2, "PA": 2, "CMYK": 4}
SAMPLES |= {"RGBA": 4}
"""Pillow's modes and their samples per pixel; of others it is 3."""
LOSSY_JP2 = 0.2
"""JPEG 2000 of fewer bytes per byte of samples is taken for lossy: lossless photographs have more
(`python benchmarks/sizes.py FOLDER`)."""
DECODING: Mapping[Format, float] = {"PNG": 9, "BMP": 9, "WEBP": 13, "JPEG2000": 24, "HEIC": 16}
"""Bytes per pixel at the peak of decoding 8 bits (`python benchmarks/memory.py`)."""
JPEG_GREY, JPEG_COLOR, JPEG_PROGRESSIVE, JPEG_CMYK = 3, 8, 11, 12
"""The same of JPEG: all of a progressive one waits as coefficients in libjpeg."""
HEIC_BYTES = 0.25
"""Bytes per pixel that are taken for granted of HEIC."""


def pictures_of(path: Path) -> list[Stored]:
    """The pictures of a file that are to be colored: of TIFF its pages, of other formats one.

    Empty for what has no header that is understood, whatever the reason: a run finds it out.
    """
    try:
        if not stat.S_ISREG(reachable(path).stat().st_mode):  # a named pipe would wait for ever
            return []
        with reachable(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if file.read(4) in tiff.STARTS:
                file.seek(0)
                return list(tiff.stored_pages(file))
            file.seek(0)
            return [_of_pillow(file)]
    except Exception:  # libraries raise anything for broken files
        return []


def _of_pillow(file: IO[bytes]) -> Stored:
    start = file.read(16)
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    if is_heif(start):
        # its size would need pillow-heif, which not everybody has
        return Stored("HEIC", "heic", 1, round(size / HEIC_BYTES), 3, 8, size, _of_heif(file, size))
    if start.startswith(PNG_SIGNATURE):
        file, _ = png_chunks.opened(file, checked=False)
    with Image.open(file, formats=PILLOW_FORMATS) as image:
        format_ = cast(Format, "JPEG" if image.format == "MPO" else image.format)
        samples = SAMPLES.get(image.mode, 3)
        tiles = getattr(image, "tile", None) or []  # of PNG: what is stored
        raw_mode = str(tiles[0][3]) if tiles else ""
        deep = image.mode.startswith("I") or (format_ == "PNG" and "16" in raw_mode)
        bits = 16 if deep else 1 if image.mode == "1" else 8
        raw_bytes = image.width * image.height * samples * bits // 8
        few = image.mode in ("1", "P") or raw_mode in ("L;2", "L;4")
        packing = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "BMP": "none"}.get(format_, "jp2")
        if format_ in ("PNG", "BMP") and few:
            packing = "few"
        elif format_ == "WEBP" and webp.is_lossless(file):
            packing = "webp lossless"
        elif packing == "jp2" and size < LOSSY_JP2 * raw_bytes:
            packing = "jp2 lossy"
        decoded = _decoded(image, format_, size, deep)
        return Stored(format_, packing, image.height, image.width, samples, bits, size, decoded)


def _of_heif(file: IO[bytes], size: int) -> Decoded | None:
    """None where pillow-heif is not there, or does not take the file; reading it will say so."""
    if not know_heif():
        return None
    with contextlib.suppress(Exception), Image.open(file, formats=["HEIF"]) as image:
        return _decoded(image, "HEIC", size, deep=False)
    return None


def _decoded(image: Image.Image, format_: Format, size: int, deep: bool) -> Decoded:
    """Of what Pillow has opened and not decoded; `size` of its file in bytes."""
    pixels = image.width * image.height
    channels = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "P": 3, "RGB": 3}.get(image.mode, 4)
    deep = deep or format_ == "JPEG2000"  # Pillow does not tell
    if format_ == "JPEG":
        each = float({"L": JPEG_GREY, "CMYK": JPEG_CMYK}.get(image.mode, JPEG_COLOR))
        if image.info.get("progressive"):
            each = max(each, JPEG_PROGRESSIVE)
    elif deep and format_ == "PNG":
        each = 2 * channels + 2 + size / max(1, pixels)
    else:
        each = DECODING.get(format_, 16) + size / max(1, pixels)
        each *= 2 if deep else 1
    return Decoded(pixels, channels, 2 if deep else 1, each * pixels)
