"""Picture files by their headers: how the pictures are stored, and what decoding makes of them.

Flows in: a path. Flows out: one `Stored` per picture. Nothing is decoded, so it is cheap; what a
header promises may still turn out to be broken.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from pathlib import Path
from typing import IO, cast

from PIL import Image

from colorbatch.formats import tiff
from colorbatch.formats.decoders import PILLOW_FORMATS, is_heif, know_heif, webp_is_lossless
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Packing, Stored
from colorbatch.fs.atomic import reachable

LOSSY_JP2 = 0.2
"""JPEG 2000 of fewer bytes per byte of samples is taken for lossy: lossless photographs have more
(`python benchmarks/sizes.py FOLDER`)."""
HEIC_BYTES = 0.25
"""Bytes per pixel that are taken for granted of HEIC where pillow-heif is not there."""


def pictures_of(path: Path) -> list[Stored]:
    """The pictures of a file that are to be colored: of TIFF its pages, of other formats one.

    Empty for what has no header that is understood, whatever the reason: a run finds it out.
    """
    try:
        if not stat.S_ISREG(reachable(path).stat().st_mode):  # a named pipe would wait for ever
            return []
        with reachable(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = file.read(16)
            file.seek(0)
            if start[:4] in tiff.STARTS:
                return list(tiff.stored_pages(file))
            size = os.fstat(file.fileno()).st_size
            return [_of_heif(file, size) if is_heif(start) else _of_pillow(file, size)]
    except Exception:  # libraries raise anything for broken files
        return []


def _of_heif(file: IO[bytes], size: int) -> Stored:
    if know_heif():
        with contextlib.suppress(Exception), Image.open(file, formats=["HEIF"]) as image:
            bands = len(image.getbands())
            return Stored("HEIC", "lossy", image.height, image.width, bands, 8, size, size)
    return Stored("HEIC", "lossy", 1, round(size / HEIC_BYTES), 3, 8, size)


def _of_pillow(file: IO[bytes], size: int) -> Stored:
    with Image.open(file, formats=PILLOW_FORMATS) as image:
        format_ = cast(Format, "JPEG" if image.format == "MPO" else image.format)
        tiles = getattr(image, "tile", None) or []  # of PNG: what is stored
        raw_mode = str(tiles[0][3]) if tiles else ""
        deep = image.mode.startswith("I") or (format_ == "PNG" and "16" in raw_mode)
        bits = 16 if deep else 1 if image.mode == "1" else 8
        samples = 3 if image.mode == "P" else len(image.getbands())  # palettes become RGB
        packing: Packing = "none" if format_ == "BMP" else "lossless"
        if format_ in ("PNG", "BMP") and (image.mode in "1P" or raw_mode in ("L;2", "L;4")):
            packing = "few"
        elif (
            format_ == "JPEG"
            or (format_ == "WEBP" and not webp_is_lossless(file))
            or (
                format_ == "JPEG2000"
                and size < LOSSY_JP2 * image.width * image.height * samples * bits / 8
            )
        ):
            packing = "lossy"
        return Stored(format_, packing, image.height, image.width, samples, bits, size, size)
