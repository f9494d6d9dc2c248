"""Picture files by their headers: how the pictures are stored, and what decoding makes of them.

Flows in: a path. Flows out: one `Stored` per picture. Nothing is decoded, so it is cheap; what a
header promises may still turn out to be broken.
"""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import IO, cast

from PIL import Image

from colorbatch.formats import png_chunks, tiff, webp
from colorbatch.formats.decoders import PILLOW_FORMATS, is_heif, know_heif
from colorbatch.formats.png import SIGNATURE as PNG_SIGNATURE
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Packing, Stored
from colorbatch.fs.atomic import reachable

LOSSY_JP2 = 0.2
"""JPEG 2000 of fewer bytes per byte of samples is taken for lossy: lossless photographs have more
(`python benchmarks/sizes.py FOLDER`)."""


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
            return [_of_pillow(file, start)]
    except Exception:  # libraries raise anything for broken files
        return []


def _of_pillow(file: IO[bytes], start: bytes) -> Stored:
    heif = is_heif(start) and know_heif()
    size = os.fstat(file.fileno()).st_size
    if start.startswith(PNG_SIGNATURE):
        file, _ = png_chunks.opened(file, checked=False)
    with Image.open(file, formats=["HEIF"] if heif else PILLOW_FORMATS) as image:
        format_ = cast(Format, {"MPO": "JPEG", "HEIF": "HEIC"}.get(str(image.format), image.format))
        tiles = getattr(image, "tile", None) or []  # of PNG: what is stored
        raw_mode = str(tiles[0][3]) if tiles else ""
        deep = image.mode.startswith("I") or (format_ == "PNG" and "16" in raw_mode)
        bits = 16 if deep else 1 if image.mode == "1" else 8
        samples = 3 if image.mode == "P" else len(image.getbands())  # palettes become RGB
        least = LOSSY_JP2 * image.width * image.height * samples * bits / 8
        packing: Packing = "none" if format_ == "BMP" else "lossless"
        if format_ in ("PNG", "BMP") and (image.mode in "1P" or raw_mode in ("L;2", "L;4")):
            packing = "few"
        elif format_ == "WEBP":
            packing = "lossless" if webp.is_lossless(file) else "lossy"
        elif format_ in ("JPEG", "HEIC") or (format_ == "JPEG2000" and size < least):
            packing = "lossy"
        return Stored(format_, packing, image.height, image.width, samples, bits, size, size)
