"""What the headers of a TIFF file tell of its pages; nothing is decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, Any

import tifffile

from colorbatch.formats.still import Stored
from colorbatch.formats.tiff.layout import JPEG, LZW, NONE
from colorbatch.formats.tiff.mending import mended
from colorbatch.formats.tiff.page_reader import decoded, listed, pictures_among

PACKBITS = 32773


def stored_pages(file: IO[bytes]) -> Iterator[Stored]:
    """Every page but thumbnails and masks, in order. Raises what tifffile raises."""
    tiff: Any
    with tifffile.TiffFile(mended(file)) as tiff:
        for page in pictures_among(listed(tiff.pages)[0]):
            ready = None
            with contextlib.suppress(Exception):  # decoders raise anything; reading it says so
                ready = decoded(page)
            yield Stored(
                "TIFF",
                _packing(page),
                page.imagelength,
                page.imagewidth,
                page.samplesperpixel,
                page.bitspersample,
                sum(page.databytecounts),
                ready,
            )


def _packing(page: Any) -> str:
    if page.bitspersample < 8 or page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return "few"
    if page.compression in (NONE, PACKBITS):  # of photographs PackBits makes little less
        return "none"
    if page.compression == JPEG and page.bitspersample == 8:
        return "jpeg"
    name = "lzw" if page.compression == LZW else "deflate"  # and what is written as Deflate
    return f"{name} predicted" if page.predictor != 1 else name
