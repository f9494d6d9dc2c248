"""TIFF, in and out: every page with its layout, its tags and its samples.

`pages` reads one page at a time; `write` asks for a page's rows only when their strip or tile is
encoded. So memory is bounded by one page of the source, whatever the number of pages and the size
of the result. tifffile and imagecodecs do the work; Pillow reads the kinds of pixels that tifffile
leaves as they are stored (palettes, CMYK, few bits).
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from colorbatch import metadata
from colorbatch.color import STRIP_PIXELS, Codes
from colorbatch.errors import SourceError
from colorbatch.metadata import TAG_EXIF, TAG_GPS, TEXT_TAGS
from colorbatch.modes import samples_of
from colorbatch.still import MAX_PIXELS, Still, check_size, from_samples, stored

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_MAX, TAG_XMP = 274, 297, 341, 700
TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC = 33723, 34377, 34675
LAYOUT_TAGS = frozenset(
    {*range(254, 260), 262, 266, 273, *range(277, 285), 296, 317, 320, *range(322, 326), 330}
    | {338, 339, 340, 347, *range(512, 522), *range(529, 533)}
)
"""What says how the samples are stored (TIFF 6.0); the new file has its own."""
KEPT_TAGS = LAYOUT_TAGS | {*TEXT_TAGS, TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_MAX, TAG_XMP}
KEPT_TAGS |= {TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC, TAG_EXIF, TAG_GPS}
NONE, LZW, JPEG, DEFLATE = 1, 5, 7, 8
LOSSLESS = frozenset({NONE, LZW, DEFLATE, 32773, 32946, 50000})
"""Compressions that are kept as they are: these, PackBits, the older Deflate, Zstandard."""
STRIP_BYTES = 1 << 22
"""Strips of more bytes than this are made smaller, so that they can be written one by one."""
BIG_BYTES = 3_900_000_000
"""Beyond it the offsets of classic TIFF end."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it logs, the error says as well

Rows = Callable[[int, int], Codes]
"""Rows (start, stop) of a picture, (stop - start, W, 3 or 4): made when they are asked for."""


# --- in ----------------------------------------------------------------------------------------


def pages(file: IO[bytes], max_pixels: int = MAX_PIXELS) -> Iterator[Still]:
    """Every page of a TIFF file but thumbnails, in order; one is read when it is asked for.

    Raises SourceError, or what the decoders raise; sizes are checked before the first page is read.
    """
    size = file.seek(0, 2)
    file.seek(0)
    tiff: Any
    with tifffile.TiffFile(file) as tiff:
        chain, notes = _chain(tiff.pages)
        found = [
            (index, page)
            for index, page in enumerate(chain)
            if not (getattr(page, "is_reduced", False) or getattr(page, "is_mask", False))
        ]
        if not found:
            raise SourceError("the file is truncated or broken")
        for _, page in found:
            _check_whole(page, size)
            check_size(page.imagelength, page.imagewidth, max_pixels)
        samples = sum(page.imagelength * page.imagewidth for _, page in found)
        shared = {
            "byteorder": tiff.byteorder,
            # a result has up to four samples where its source had one
            "bigtiff": tiff.is_bigtiff
            or samples * 4 * max(1, found[0][1].bitspersample // 8) > BIG_BYTES,
        }
        if dropped := len(chain) - len(found):
            notes.append(f"{dropped} reduced copies or masks were dropped")
        for index, page in found:
            still = _still(file, index, page, shared)
            if index == found[0][0]:
                still = replace(still, notes=(*still.notes, *notes))
            yield still


def _chain(found: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """The pages that a file lists, and a note where the list leads back to one of them: followed
    further, as tifffile does, it would never end."""
    chain: list[Any] = []
    seen: set[int] = set()
    for page in found:
        if page.offset in seen:
            return chain, [f"its list of pages leads back to an earlier one after {len(chain)}"]
        seen.add(page.offset)
        chain.append(page)
    return chain, []


def _still(file: IO[bytes], index: int, page: Any, shared: dict[str, Any]) -> Still:
    tags = page.tags
    orientation = int(tags[TAG_ORIENTATION].value) if TAG_ORIENTATION in tags else 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    profile = bytes(tags[TAG_ICC].value) if TAG_ICC in tags else b""
    exif, notes = _exif(file, page, orientation)
    encoding = _layout(page, notes) | shared
    if left := [tag for tag in tags if tag.code not in KEPT_TAGS]:
        names = ", ".join(f"{tag.name} ({tag.code})" for tag in left[:8])
        notes.append(f"these tags were not kept: {names}{' and more' if len(left) > 8 else ''}")
    if TAG_PAGE_NUMBER in tags:
        encoding["page_number"] = tuple(tags[TAG_PAGE_NUMBER].value)
    photoshop = {}
    if TAG_PHOTOSHOP in tags:
        photoshop = metadata.image_resources(_raw(file, tags[TAG_PHOTOSHOP]))
    if TAG_IPTC in tags:
        photoshop[metadata.IPTC] = metadata.iptc_block(_raw(file, tags[TAG_IPTC]))
    luma = None
    if page.compression == JPEG and page.photometric == tifffile.PHOTOMETRIC.YCBCR:
        planes = _jpeg_planes(file, page)  # the stored Y' itself, not one rounded through RGB
        luma = np.ascontiguousarray(planes[..., 0])
        samples: Codes = cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)
    elif _is_plain(page):
        samples = _samples(page, notes)
    else:
        file.seek(0)
        with Image.open(file, formats=["TIFF"]) as image:
            image.seek(index)
            few = page.bitspersample if page.bitspersample < 8 else 0
            samples, profile, told = samples_of(image, profile)
        # Pillow turns TIFF upright; the file keeps its pixel order
        samples = stored(samples, orientation)
        notes += told or ([f"{few}-bit picture became 8-bit RGB"] if few else [])
    dpi = page.get_resolution(tifffile.RESUNIT.INCH)
    still = from_samples(
        "TIFF",
        samples,
        white=float(np.max(tags[TAG_MAX].value)) if TAG_MAX in tags else 1.0,
        orientation=orientation,
        exif=exif,
        xmp=bytes(tags[TAG_XMP].value) if TAG_XMP in tags else b"",
        icc=profile,
        photoshop=photoshop,
        dpi=dpi if all(value > 1 for value in dpi) else None,
        encoding=encoding,
        notes=tuple(notes),
    )
    return still if luma is None else replace(still, luma=luma)


def _is_plain(page: Any) -> bool:
    """Whether tifffile's samples are grey or RGB already. Raises SourceError for other types."""
    kinds = tifffile.PHOTOMETRIC
    if page.photometric not in (kinds.MINISBLACK, kinds.MINISWHITE, kinds.RGB):
        if page.bitspersample not in (1, 2, 4, 8):
            raise SourceError(f"TIFF samples of {page.bitspersample} bits are not supported")
        return False
    if page.dtype is not None and page.dtype.kind == "f":
        if page.photometric == kinds.MINISWHITE:
            raise SourceError("floating-point samples with white as zero are not supported")
        return True
    if page.bitspersample > 16:
        raise SourceError(f"TIFF samples of {page.bitspersample} bits are not supported")
    return bool(page.bitspersample >= 8)


def _samples(page: Any, notes: list[str]) -> Codes:
    """Samples (H, W[, C]) of a plain page; white is the highest code."""
    samples = page.asarray()
    if samples.dtype.kind not in "uf":
        raise SourceError(f"{samples.dtype} samples are not supported, only 8, 16 bits and float")
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
        samples = np.moveaxis(samples, 0, -1)
    if samples.dtype.kind == "u" and 8 < (bits := page.bitspersample) < 16:
        notes.append(f"{bits} bits became 16")
        samples = (samples.astype(np.uint32) * 65535 // (2**bits - 1)).astype(np.uint16)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        grey = samples[..., :1] if page.samplesperpixel > 1 else samples  # alpha stays
        np.subtract(np.iinfo(samples.dtype).max, grey, out=grey)
    return np.asarray(samples)


def _check_whole(page: Any, size: int) -> None:
    """Some decoders fill up what is missing of a truncated picture: refuse it before they do."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if offset + count > size:
            raise SourceError("the file is truncated")


def _layout(page: Any, notes: list[str]) -> dict[str, Any]:
    """How the page was stored, in tifffile's terms."""
    compression = int(page.compression)
    found: dict[str, Any] = {
        "compression": compression,
        "predictor": page.predictor != 1,
        "extrasamples": [int(kind) for kind in page.extrasamples],
        "tile": (page.tilelength, page.tilewidth) if page.is_tiled else None,
        "rowsperstrip": page.rowsperstrip or page.imagelength,
    }
    if compression == JPEG and page.bitspersample == 8 and not page.extrasamples:
        found["qtables"] = _jpeg_tables(page)
    if compression not in LOSSLESS and not found.get("qtables"):
        found["compression"] = DEFLATE
        notes.append(
            f"{tifffile.COMPRESSION(compression).name} compression became lossless Deflate"
        )
    if 282 in page.tags and 283 in page.tags:
        unit = int(page.tags[296].value) if 296 in page.tags else 2
        found["resolution"] = (page.tags[282].value, page.tags[283].value, unit)
    return found


def _exif(file: IO[bytes], page: Any, orientation: int) -> tuple[bytes, list[str]]:
    """The page's text tags and its EXIF and GPS directories as one block, and notes."""
    texts: dict[int, Any] = {
        tag: str(page.tags[tag].value).encode() for tag in TEXT_TAGS if tag in page.tags
    }
    if orientation != 1:
        texts[TAG_ORIENTATION] = orientation
    parts, notes = {}, []
    order, big = page.parent.byteorder, page.parent.is_bigtiff
    for code in (TAG_EXIF, TAG_GPS):
        if code in page.tags:
            try:
                file.seek(page.tags[code].offset + (12 if big else 8))
                [offset] = struct.unpack(order + ("Q" if big else "L"), file.read(8 if big else 4))
                part = metadata.directory_at(file, _header(order, big), offset)
                parts[code] = metadata.without_pointers(part)
            except Exception:  # broken EXIF is no reason to refuse the picture
                notes.append("unreadable EXIF was dropped")
    return (metadata.exif_block(texts, parts) if texts or parts else b""), notes


def _header(order: str, big: bool) -> bytes:
    start = b"II" if order == "<" else b"MM"
    return start + struct.pack(
        order + ("HHHQ" if big else "HL"), *((43, 8, 0, 16) if big else (42, 8))
    )


def _raw(file: IO[bytes], tag: Any) -> bytes:
    file.seek(tag.valueoffset)
    return file.read(tag.valuebytecount)


def _jpeg_tables(page: Any) -> list[list[int]] | None:
    """Quantization tables of a JPEG-compressed page, luma's first."""
    file = page.parent.filehandle
    file.seek(page.dataoffsets[0])
    segment = file.read(page.databytecounts[0])
    if page.jpegtables:  # what the segments share: both are streams from SOI to EOI
        segment = page.jpegtables[:-2] + segment[2:]
    try:
        with Image.open(io.BytesIO(segment), formats=["JPEG"]) as image:
            tables: dict[int, list[int]] = getattr(image, "quantization", {})
    except OSError:
        return None
    return [tables[key] for key in sorted(tables)] or None


def _jpeg_planes(file: IO[bytes], page: Any) -> Codes:
    """Y', Cb, Cr (H, W, 3), uint8, of a page in JPEG compression, as they are stored."""
    height, width = page.imagelength, page.imagewidth
    planes = np.empty((height, width, 3), np.uint8)
    if page.is_tiled:
        high, wide = page.tilelength, page.tilewidth
    else:
        high, wide = min(page.rowsperstrip or height, height), width
    corners = [(y, x) for y in range(0, height, high) for x in range(0, width, wide)]
    for (y, x), offset, count in zip(corners, page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        part = imagecodecs.jpeg8_decode(
            file.read(count), tables=page.jpegtables, colorspace="YCBCR", outcolorspace="YCBCR"
        )
        room = planes[y : y + high, x : x + wide]
        room[...] = part[: room.shape[0], : room.shape[1]]
    return planes


# --- out ---------------------------------------------------------------------------------------


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
    if jpeg:
        tables = encoding["qtables"]

        def encoded(part: Codes) -> bytes:
            return _jpeg(part, sheet.ycc, tables)
    else:

        def encoded(part: Codes) -> bytes:
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
    writer.write(
        (encoded(part) for part in parts),
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
    )
    return pointers


def _tags(
    file: IO[bytes], sheet: Sheet, order: str, big: bool
) -> tuple[list[tuple[Any, ...]], bool]:
    """The page's tags beside its layout. Its EXIF and GPS directories are written ahead of it."""
    still = sheet.still
    tags: list[tuple[Any, ...]] = [(TAG_XMP, 1, len(sheet.xmp), sheet.xmp, True)]
    if still.orientation != 1:
        tags.append((TAG_ORIENTATION, 3, 1, still.orientation, True))
    if number := still.encoding.get("page_number"):
        tags.append((TAG_PAGE_NUMBER, 3, 2, number, True))
    if still.is_float and still.white != 1:
        tags.append((TAG_MAX, 11, sheet.channels, (still.white,) * sheet.channels, True))
    if record := metadata.iptc_of(still.photoshop):
        tags.append((TAG_IPTC, 7, len(record), record, True))
    if any(number != metadata.IPTC for number in still.photoshop):
        blocks = b"".join(still.photoshop.values())
        tags.append((TAG_PHOTOSHOP, 7, len(blocks), blocks, True))
    pointers = False
    if sheet.exif:
        try:
            main, parts = metadata.parts_of_exif(sheet.exif)
        except Exception:  # of a source whose EXIF no one could read
            return tags, False
        for tag in TEXT_TAGS:
            if isinstance(text := main.get(tag), bytes):
                tags.append((tag, 2, 0, text.rstrip(b"\0"), True))
        for tag, part in parts.items():
            offset = file.seek(0, 2)
            offset += file.write(b"\0" * (offset % 2))
            file.write(metadata.copied(part, _header(order, big), offset))
            tags.append((tag + 1, 4, 1, offset, True))
            pointers = True
    return tags, pointers


def _name_pointers(file: IO[bytes], order: str) -> None:
    """tifffile writes no EXIF and GPS pointers: they were written under the next number, which no
    one uses, and get their own now."""
    file.flush()
    file.seek(0)
    tiff: Any
    with tifffile.TiffFile(file) as tiff:
        places = [
            (page.tags[tag + 1].offset, tag)
            for page in tiff.pages
            for tag in (TAG_EXIF, TAG_GPS)
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
    many = strip * max(1, STRIP_PIXELS // (strip * width))
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


def _packed(part: Codes, dtype: np.dtype[Any], compression: int, predictor: int) -> bytes:
    part = np.ascontiguousarray(part.astype(dtype, copy=False))
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
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", qtables=tables_for_color(tables), subsampling=0)
    return buffer.getvalue()


def tables_for_color(tables: list[list[int]]) -> list[list[int]]:
    """A source's tables for luma and chroma; a grey source has but one, which then serves both."""
    return [tables[0], tables[1] if len(tables) > 1 else tables[0]]
