"""Picture files by their headers: how large the pictures are, and how they are stored.

Flows in: a path. Flows out: one `Stored` per picture. Nothing is decoded, so it is cheap; what a
header promises may still turn out to be broken.
"""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import IO

from PIL import Image

from colorbatch import tiff
from colorbatch.images import PILLOW_FORMATS, is_heif, webp_is_lossless
from colorbatch.still import Stored

SAMPLES = {"1": 1, "P": 1, "L": 1, "I;16": 1, "I;16B": 1, "I": 1, "LA": 2, "PA": 2, "CMYK": 4}
SAMPLES |= {"RGBA": 4}
"""Pillow's modes and their samples per pixel; of others it is 3."""
LOSSY_JP2 = 0.2
"""JPEG 2000 of fewer bytes per byte of samples is taken for lossy: lossless photographs have more
(`python benchmarks/sizes.py FOLDER`)."""

HEIC_BYTES = 0.25
"""Bytes per pixel that are taken for granted of HEIC."""


def pictures_of(path: Path) -> list[Stored]:
    """The pictures of a file that are to be colored: of TIFF its pages, of other formats one.

    Empty for what has no header that is understood, whatever the reason: a run finds it out.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for ever
            return []
        with path.open("rb") as file, warnings.catch_warnings():
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
        # its size would need pillow-heif to decode it
        return Stored("heic", 1, round(size / HEIC_BYTES), 3, 8, size)
    with Image.open(file, formats=PILLOW_FORMATS) as image:
        samples = SAMPLES.get(image.mode, 3)
        tiles = getattr(image, "tile", None) or []  # of PNG: what is stored
        raw_mode = str(tiles[0][3]) if tiles else ""
        deep = image.mode.startswith("I") or (image.format == "PNG" and "16" in raw_mode)
        bits = 16 if deep else 1 if image.mode == "1" else 8
        packing = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "BMP": "none"}.get(
            str(image.format), "jp2"
        )
        if image.format in ("PNG", "BMP"):
            few = image.mode in ("1", "P") or raw_mode in ("L;2", "L;4")
            packing = "few" if few else packing
        elif image.format == "WEBP":
            file.seek(0)
            packing = "webp lossless" if webp_is_lossless(file.read()) else "webp"
        elif packing == "jp2" and size < LOSSY_JP2 * (
            image.width * image.height * samples * bits // 8
        ):
            packing = "jp2 lossy"
        return Stored(packing, image.height, image.width, samples, bits, size)
