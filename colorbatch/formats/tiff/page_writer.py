"""TIFF, the way out: pages to a file, strip by strip or tile by tile."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import tifffile
from PIL import Image

from colorbatch.color import BAND_PIXELS, Codes
from colorbatch.formats import metadata, pillow_files, tags
from colorbatch.formats.jpeg_segments import tables_for_color
from colorbatch.formats.metadata import TEXT_TAGS
from colorbatch.formats.still import Still
from colorbatch.formats.tags import LONG, LONG8, POINTERS, Entry, of_block, packed
from colorbatch.formats.tiff.layout import (
    BIG_BYTES,
    DEFLATE,
    JPEG,
    LAYOUT_TAGS,
    NONE,
    TAG_IPTC,
    TAG_MAX,
    TAG_ORIENTATION,
    TAG_PAGE_NUMBER,
    TAG_PHOTOSHOP,
    TAG_XMP,
)

STRIP_BYTES = 1 << 22
"""Strips of more bytes than this are made smaller, so that they can be written one by one."""

Rows = Callable[[int, int], Codes]
"""Rows (start, stop) of a picture, (stop - start, W, 3 or 4): made when they are asked for."""


@dataclass(frozen=True)
class Sheet:
    """A page to write. rows: its samples, (h, W, channels) of `still.dtype`; for a page that
    `keeps_jpeg` it is Y', Cb, Cr where `ycc` is true. Of `still` no pixels are used."""

    still: Still
    rows: Rows
    channels: int
    ycc: bool = False
    icc: bytes = b""
    xmp: bytes = b""
    exif: bytes = b""


def keeps_jpeg(still: Still) -> bool:
    """Whether a page stays in JPEG compression, with its own tables."""
    return (
        still.format == "TIFF" and bool(still.encoding.get("qtables")) and still.dtype == np.uint8
    )


def write(file: IO[bytes], sheets: Iterable[Sheet]) -> None:
    """Write pages to an empty file that is open for reading and writing.

    The first page's source decides byte order and BigTIFF. Pages that were TIFF keep compression,
    predictor, tiles, resolution; others are written in Deflate. Memory: a strip or a row of tiles.
    """
    writer: Any = None
    order, big, pointers = "<", False, False
    try:
        for sheet in sheets:
            if writer is None:
                encoding = sheet.still.encoding if sheet.still.format == "TIFF" else {}
                order = encoding.get("byteorder", "<")
                height, width = sheet.still.size
                decoded = height * width * sheet.channels * sheet.still.dtype.itemsize
                big = encoding.get("bigtiff", False) or decoded > BIG_BYTES
                writer = tifffile.TiffWriter(file, bigtiff=big, byteorder=order)
            pointers |= _write_sheet(file, writer, sheet, order, big)
            del sheet  # before the next page is read
    finally:
        if writer is not None:
            writer.close()
    if pointers:
        _name_pointers(file, order)


def _write_sheet(file: IO[bytes], writer: Any, sheet: Sheet, order: str, big: bool) -> bool:
    """Write one page; whether it has pointers that `_name_pointers` must name."""
    still = sheet.still
    encoding: dict[str, Any] = {"predictor": True}
    if still.format == "TIFF":
        encoding = dict(still.encoding)
    height, width = still.size
    dtype = still.dtype.newbyteorder(">" if order == ">" else "<")
    jpeg = keeps_jpeg(still)
    compression = encoding.get("compression", DEFLATE)
    predictor = 1
    if encoding.get("predictor") and compression not in (NONE, JPEG):
        predictor = 3 if dtype.kind == "f" else 2

    def encoded(part: Codes) -> bytes:
        if jpeg:
            return _jpeg(part, sheet.ycc, encoding["qtables"])
        return _packed(part, dtype, compression, predictor)

    tile = encoding.get("tile")
    strip = _strip_rows(encoding.get("rowsperstrip"), width * sheet.channels * dtype.itemsize, jpeg)
    tags, pointers = _tags(file, sheet, order, big)
    if tile:
        parts = _tiles(sheet.rows, height, width, tile)
    else:
        parts = _strips(sheet.rows, height, width, strip)
    x, y, unit = encoding.get("resolution") or (None, None, None)
    if x is None and still.dpi:
        x, y, unit = *still.dpi, 2
    plain = compression == NONE and not tile
    place = writer.write(
        None if plain else (encoded(part) for part in parts),
        shape=(height, width, sheet.channels),
        dtype=dtype,
        photometric="ycbcr" if jpeg else "rgb",
        planarconfig="contig",
        subsampling=(1, 1) if jpeg else None,
        compression=None if compression == NONE else compression,
        predictor=predictor,
        tile=tile,
        rowsperstrip=None if tile else min(strip, height),
        extrasamples=(encoding.get("extrasamples") or [2])[:1] if sheet.channels == 4 else None,
        iccprofile=sheet.icc or None,
        resolution=None if x is None else (x, y),
        resolutionunit=unit,
        extratags=tags,
        software=False,
        metadata=None,
        returnoffset=True,
    )
    if plain:  # tifffile would take a copy of every strip
        file.seek(place[0])
        for part in parts:
            file.write(_in_order(part, dtype).data)
        file.seek(0, 2)
    return pointers


def _tags(
    file: IO[bytes], sheet: Sheet, order: str, big: bool
) -> tuple[list[tuple[Any, ...]], bool]:
    """The page's tags beside its layout. Its EXIF and GPS directories are written ahead of it."""
    still = sheet.still
    found: list[tuple[Any, ...]] = [(TAG_XMP, 1, len(sheet.xmp), sheet.xmp, True)]
    if still.orientation != 1:
        found.append((TAG_ORIENTATION, 3, 1, still.orientation, True))
    if number := still.encoding.get("page_number"):
        found.append((TAG_PAGE_NUMBER, 3, len(number), number, True))
    if still.is_float and still.white != 1:
        found.append((TAG_MAX, 11, sheet.channels, (still.white,) * sheet.channels, True))
    if record := metadata.iptc_of(still.photoshop):
        found.append((TAG_IPTC, 7, len(record), record, True))
    if any(number != metadata.IPTC for number in still.photoshop):
        blocks = b"".join(still.photoshop.values())
        found.append((TAG_PHOTOSHOP, 7, len(blocks), blocks, True))
    pointers = False
    if sheet.exif:
        try:
            main = of_block(sheet.exif.removeprefix(metadata.EXIF_START))
        except ValueError:  # of a source whose EXIF no one could read: see `not_written`
            return found, False
        for tag in TEXT_TAGS:
            if tag in main.entries:
                found.append(_as_it_was(main.entries[tag], order))
        for tag, part in main.parts.items():
            offset = file.seek(0, 2)
            offset += file.write(b"\0" * (offset % 2))
            file.write(packed(part, order, big, offset))
            found.append((tag + 1, LONG8 if big else LONG, 1, offset, True))
            pointers = True
    return found, pointers


def not_written(exif: bytes) -> Iterator[str]:
    """What of an EXIF block `write` leaves out, in words."""
    try:
        main = of_block(exif.removeprefix(metadata.EXIF_START))
    except ValueError:
        yield "unreadable EXIF was dropped"
        return
    known = LAYOUT_TAGS | {*TEXT_TAGS, TAG_ORIENTATION}
    trees = [main, *main.parts.values()]
    left = [tag for tag in main.entries if tag not in known]
    left += [entry.tag for tree in trees for entry in tree.left]
    if any(tree.cut for tree in trees):
        yield "some of the EXIF was unreadable and was dropped"
    if left:
        yield f"these tags were not kept: {', '.join(map(tags.name_of, left))}"


def _as_it_was(entry: Entry, order: str) -> tuple[Any, ...]:
    """A tag for tifffile, its bytes and its type as they were.

    tifffile ends text in a zero, takes bytes of other types as they are, and counts them.
    """
    kind = entry.kind if entry.kind in tifffile.TIFF.DATA_FORMATS else tags.ASCII  # EXIF 3's UTF-8
    return entry.tag, kind, entry.count, entry.data_in(order), True


def _name_pointers(file: IO[bytes], order: str) -> None:
    """tifffile writes no pointers to other directories: they were written under the next number,
    which no one uses, and get their own now."""
    file.flush()
    file.seek(0)
    tiff: Any
    with tifffile.TiffFile(file) as tiff:
        places = [
            (page.tags[tag + 1].offset, tag)
            for page in tiff.pages
            for tag in POINTERS
            if tag + 1 in page.tags
        ]
    for offset, tag in places:
        file.seek(offset)
        file.write(struct.pack(order + "H", tag))
    file.seek(0, 2)


def _strip_rows(rows: int | None, row_bytes: int, jpeg: bool) -> int:
    """Rows of a strip: the source's, or fewer where strips would be long."""
    if rows and rows * row_bytes <= STRIP_BYTES:
        return rows
    few = max(1, STRIP_BYTES // 4 // row_bytes)
    return max(16, few // 16 * 16) if jpeg else few  # JPEG's blocks stay where they were


def _strips(rows: Rows, height: int, width: int, strip: int) -> Iterator[Codes]:
    """Strips (h, W, C); narrow ones are asked for several at once."""
    many = strip * max(1, BAND_PIXELS // (strip * width))
    for start in range(0, height, many):
        band = rows(start, min(start + many, height))
        for y in range(0, band.shape[0], strip):
            yield band[y : y + strip]


def _tiles(rows: Rows, height: int, width: int, tile: tuple[int, int]) -> Iterator[Codes]:
    """Tiles (h, w, C) row by row; beyond the picture its border is repeated."""
    high, wide = tile
    for y in range(0, height, high):
        band = rows(y, min(y + high, height))
        beyond = ((0, high - band.shape[0]), (0, -width % wide), (0, 0))
        band = np.pad(band, beyond, mode="edge")
        for x in range(0, width, wide):
            yield np.ascontiguousarray(band[:, x : x + wide])


def _in_order(part: Codes, dtype: np.dtype[Any]) -> Codes:
    """As the file has it, in memory."""
    return np.ascontiguousarray(part.astype(dtype, copy=False))


def _packed(part: Codes, dtype: np.dtype[Any], compression: int, predictor: int) -> bytes:
    part = _in_order(part, dtype)
    if predictor != 1:
        part = tifffile.TIFF.PREDICTORS[predictor](part, axis=-2)
    if compression == NONE:
        return part.tobytes()
    return bytes(tifffile.TIFF.COMPRESSORS[compression](part))


def _jpeg(part: Codes, ycc: bool, tables: list[list[int]]) -> bytes:
    """A strip or tile as a JPEG stream in 4:4:4 with the source's luma table."""
    image = Image.frombuffer(
        mode := "YCbCr" if ycc else "RGB", part.shape[1::-1], part.tobytes(), "raw", mode, 0, 1
    )
    tables = tables_for_color(tables)
    with pillow_files.encoded(image, "JPEG", qtables=tables, subsampling=0) as content:
        return content[:]
