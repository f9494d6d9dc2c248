"""What the headers of a TIFF file tell of its pages; nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import tifffile

from colorbatch.formats.still import Packing, Stored
from colorbatch.formats.tiff.layout import JPEG, NONE
from colorbatch.formats.tiff.page_reader import bytes_beside, is_picture, listed

PACKBITS = 32773


def stored_pages(file: IO[bytes]) -> Iterator[Stored]:
    """Every page but thumbnails and masks, in order. Raises what tifffile raises."""
    tiff: Any
    with tifffile.TiffFile(file) as tiff:
        for page in filter(is_picture, listed(tiff.pages)[0]):
            yield Stored(
                "TIFF",
                _packing(page),
                page.imagelength,
                page.imagewidth,
                3 if page.photometric == tifffile.PHOTOMETRIC.PALETTE else page.samplesperpixel,
                page.bitspersample,
                sum(page.databytecounts),
                bytes_beside(page),
            )


def _packing(page: Any) -> Packing:
    if page.bitspersample < 8 or page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return "few"
    if page.compression in (NONE, PACKBITS):  # of photographs PackBits makes little less
        return "none"
    return "lossy" if page.compression == JPEG and page.bitspersample == 8 else "lossless"
