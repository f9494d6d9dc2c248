"""TIFF, the way in: a file to its pages, one at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO, Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from colorbatch.color import Codes, widened
from colorbatch.errors import SourceError
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.still import Packing, Still, Stored, check_size, from_samples, stored
from colorbatch.formats.tiff import mending, page_tags, resolution
from colorbatch.formats.tiff.layout import BIG_BYTES, DEFLATE, JPEG, LOSSLESS, NONE
from colorbatch.job import MAX_PIXELS

PACKBITS = 32773
PILLOW_BYTES = 16
"""Bytes per pixel at the peak of reading a page that goes through Pillow."""
DECODERS = max(1, min(8, (os.cpu_count() or 1) // 2))
"""Strips or tiles that are decoded at the same time."""
READ_BYTES = 1 << 24
"""Compressed strips are read this many bytes at a time."""
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def pages(file: IO[bytes], max_pixels: int = MAX_PIXELS) -> Iterator[Still]:
    """Every page of a TIFF file but thumbnails, in order; one is read when it is asked for.

    Raises SourceError, or what the decoders raise; sizes are checked before the first page is read.
    """
    size = file.seek(0, 2)
    file = mending.mended(file)
    tiff: Any
    with tifffile.TiffFile(file) as tiff:
        chain, notes = listed(tiff.pages)
        found = [(index, page) for index, page in enumerate(chain) if is_picture(page)]
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
            ready = [_still(file, index, page, shared)]
            if index == found[0][0]:
                still = ready.pop()
                ready = [replace(still, notes=(*still.notes, *notes))]
                del still
            yield ready.pop()  # not held here while its user is at work


def stored_pages(file: IO[bytes]) -> Iterator[Stored]:
    """What the headers tell of every page but thumbnails and masks, in order; nothing is decoded.
    Raises what tifffile raises."""
    tiff: Any
    with tifffile.TiffFile(mending.mended(file)) as tiff:
        for page in filter(is_picture, listed(tiff.pages)[0]):
            palette = page.photometric == tifffile.PHOTOMETRIC.PALETTE
            packing: Packing = "lossless"
            if page.bitspersample < 8 or palette:
                packing = "few"
            elif page.compression in (NONE, PACKBITS):  # of photographs it makes little less
                packing = "none"
            elif page.compression == JPEG and page.bitspersample == 8:
                packing = "lossy"
            samples, bits = 3 if palette else page.samplesperpixel, page.bitspersample
            size, nbytes = (page.imagelength, page.imagewidth), sum(page.databytecounts)
            yield Stored("TIFF", packing, *size, samples, bits, nbytes, _bytes_beside(page))


def _bytes_beside(page: Any) -> float:
    """As `Stored.beside`."""
    try:
        plain = _is_plain(page)
    except Exception:  # anything for a broken one; reading it says so
        return -1
    parts, depth = page.databytecounts, -(-int(page.bitspersample) // 8)
    pixels = int(page.imagelength) * int(page.imagewidth)
    samples = pixels * int(page.samplesperpixel) * depth
    if not plain and page.photometric != tifffile.PHOTOMETRIC.YCBCR:
        return float(pixels * PILLOW_BYTES * depth)
    # floating point is copied, and has its luma beside it
    beside = float((pixels * depth + samples) * (page.dtype is not None and page.dtype.kind == "f"))
    if page.compression != NONE:  # strips that are unpacked at the same time
        several = 0 if len(parts) == 1 else min(len(parts), DECODERS) * samples / len(parts)
        beside += max(*parts, min(sum(parts), READ_BYTES)) + several
    return beside


def is_picture(page: Any) -> bool:
    """Whether it is more than a thumbnail or a mask of another page."""
    return not (getattr(page, "is_reduced", False) or getattr(page, "is_mask", False))


def listed(found: Iterable[Any]) -> tuple[list[Any], list[str]]:
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
    directory = page_tags.read(file, page)
    encoding = _layout(page, directory.found.notes) | directory.found.encoding | shared
    found, notes = directory.found, directory.found.notes
    samples, luma, found.icc = _pixels(file, index, page, directory.orientation, found.icc, notes)
    found.dpi = resolution.in_dpi(encoding.get("resolution"))
    fields = found.fields() | {"orientation": directory.orientation}
    still = from_samples("TIFF", samples, white=directory.white, encoding=encoding, **fields)
    return still if luma is None else replace(still, luma=luma)


def _pixels(
    file: IO[bytes], index: int, page: Any, orientation: int, profile: bytes, notes: list[str]
) -> tuple[Codes, Codes | None, bytes]:
    """Samples (H, W[, C]) in the file's order, their luma (H, W) where it is stored, and the
    profile that is theirs then; what could not be kept is added to the notes."""
    if page.compression == JPEG and page.photometric == tifffile.PHOTOMETRIC.YCBCR:
        planes = _jpeg_planes(file, page)  # the stored Y' itself, not one rounded through RGB
        luma = np.ascontiguousarray(planes[..., 0])
        return cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB), luma, profile
    if _is_plain(page):
        return _samples(page, notes), None, profile
    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as image:
        image.seek(index)
        few = page.bitspersample if page.bitspersample < 8 else 0
        samples, profile, told = samples_of(image, profile)
    notes += told or ([f"{few}-bit picture became 8-bit RGB"] if few else [])
    # Pillow turns TIFF upright; the file keeps its pixel order
    return stored(samples, orientation), None, profile


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
    samples = _decoded(page)
    if samples.dtype.kind not in "uf":
        raise SourceError(f"{samples.dtype} samples are not supported, only 8, 16 bits and float")
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
        samples = np.moveaxis(samples, 0, -1)
    if samples.dtype.kind == "u" and 8 < (bits := page.bitspersample) < 16:
        notes.append(f"{bits} bits became 16")
        samples = widened(samples, bits)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        samples = samples if samples.flags.writeable else samples.copy()
        grey = samples[..., :1] if page.samplesperpixel > 1 else samples  # alpha stays
        np.subtract(np.iinfo(samples.dtype).max, grey, out=grey)
    return np.asarray(samples)


def _decoded(page: Any) -> Codes:
    """All samples of a page, as tifffile has them, with little beside them.

    Of a page in one strip tifffile would hold the strip and a copy of it.
    """
    if len(page.dataoffsets) == 1 and page.compression != NONE and not page.is_tiled:
        segment, _, shape = page.decode(
            _strip(page, 0), 0, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        if segment is not None and shape == page.shaped[1:]:
            return np.asarray(segment.reshape(page.shape))
    return np.asarray(page.asarray(buffersize=READ_BYTES, maxworkers=DECODERS))


def _strip(page: Any, index: int) -> bytes:
    file = page.parent.filehandle
    file.seek(page.dataoffsets[index])
    return bytes(file.read(page.databytecounts[index]))


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
        "extrasamples": [int(kind) if kind in (0, 1, 2) else 0 for kind in page.extrasamples],
        "tile": (page.tilelength, page.tilewidth) if page.is_tiled else None,
        "rowsperstrip": page.rowsperstrip or page.imagelength,
    }
    if odd := [int(kind) for kind in page.extrasamples if kind not in (0, 1, 2)]:
        notes.append(f"extra samples of kind {odd[0]}, which there is not, became unspecified")
    if compression == JPEG and page.bitspersample == 8 and not page.extrasamples:
        found["qtables"] = _jpeg_tables(page)
    if compression not in LOSSLESS and not found.get("qtables"):
        found["compression"] = DEFLATE
        notes.append(
            f"{tifffile.COMPRESSION(compression).name} compression became lossless Deflate"
        )
    return found


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
