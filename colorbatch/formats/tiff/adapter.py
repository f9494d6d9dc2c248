"""TIFF: its adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from colorbatch.color import luma_join
from colorbatch.formats import tiff
from colorbatch.formats.page import Page
from colorbatch.formats.record import (
    BLOCKS,
    MARK_BYTES,
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    by_libjpeg,
)
from colorbatch.formats.still import Still, Stored

NAME = "TIFF"


def _pages(file: IO[bytes], max_pixels: int, _: int) -> Iterator[Still]:
    return tiff.pages(file, max_pixels)


def _write(file: IO[bytes], pages: Iterator[Page], _: list[str]) -> None:
    tiff.write(file, map(_sheet, pages))


def _sheet(page: Page) -> tiff.Sheet:
    output: luma_join.Output = page.output if tiff.keeps_jpeg(page.still) else "rgb"
    return tiff.Sheet(
        page.still,
        lambda start, stop: page.rows(start, stop, output),
        page.channels,
        ycc=output == "ycc",
        icc=page.icc,
        xmp=page.xmp,
        exif=page.exif,
    )


def _lossy(source: Stored, _: int | None) -> bool:
    """What was in JPEG compression stays so."""
    return source.format == NAME and source.packing == "lossy"


def _exif_lost(exif: bytes) -> Iterator[str]:
    return tiff.not_written(exif) if exif else iter(())


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start[:4] in tiff.STARTS,
    pages=_pages,
    stored=tiff.stored_pages,
    needs=None,
    lossy=False,
    own_blocks={},
    memory=Memory(of_8_bits=0, of_more=0),  # `Stored.beside` tells what a page takes
    density=1.0,
    writing=Writing(
        write=_write,
        several_pages=True,
        sample_bytes=8,
        largest_side=None,
        most_dpi=4.29e9,
        most_xmp=None,
        most_exif=None,
        alpha="any",
        resolution_as_read=True,
        kept=lambda _: Kept(name=NAME, blocks=BLOCKS),
        exif_lost=_exif_lost,
        size=ResultSize(
            compressed=True,
            lossy=_lossy,
            bytes_lossy=by_libjpeg(0.43),
            own_tables=True,
            beside=MARK_BYTES,
        ),
    ),
)
