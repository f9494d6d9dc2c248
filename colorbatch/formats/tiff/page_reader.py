"""TIFF, the way in: a file to its pages, one at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from colorbatch.color import Codes, widened
from colorbatch.errors import SourceError
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.still import Packing, Still, Stored, check_size, from_samples, stored
from colorbatch.formats.tiff import mending, page_tags, resolution
from colorbatch.formats.tiff.layout import BIG_BYTES, DEFLATE, JPEG, LOSSLESS, NONE
from colorbatch.formats.tiff.meaning import PHOTOMETRIC, Meaning, mend_samples, of_page
from colorbatch.formats.tiff.segments import mend_counts
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
        found = pictures_among(chain)
        if not found:
            what = "it has masks of pages only" if chain else "the file is truncated or broken"
            raise SourceError(what)
        for page in found:
            mend_samples(page)
            mend_counts(page, size)
            check_size(page.imagelength, page.imagewidth, max_pixels)
        samples = sum(page.imagelength * page.imagewidth for page in found)
        shared = {
            "byteorder": tiff.byteorder,
            # a result has up to four samples where its source had one
            "bigtiff": tiff.is_bigtiff or samples * 4 * _sample_bytes(found[0]) > BIG_BYTES,
        }
        if dropped := len(chain) - len(found):
            notes.append(f"{dropped} reduced copies or masks were dropped")
        for page in found:
            index = chain.index(page) if page in chain else None
            over = [one for one in chain if index is None and page.offset in (one.subifds or ())]
            ready = [_still(file, index, page, over, shared)]
            del over
            if page is found[0]:
                still = ready.pop()
                ready = [replace(still, notes=(*still.notes, *notes))]
                del still
            yield ready.pop()  # not held here while its user is at work


def stored_pages(file: IO[bytes]) -> Iterator[Stored]:
    """What the headers tell of every page but thumbnails and masks, in order; nothing is decoded.
    Raises what tifffile raises."""
    tiff: Any
    with tifffile.TiffFile(mending.mended(file)) as tiff:
        for page in pictures_among(listed(tiff.pages)[0]):
            mend_samples(page)
            palette = page.photometric == PHOTOMETRIC.PALETTE
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
        meaning = of_page(page)
        plain = _is_plain(page, meaning) and page.bitspersample >= 8
    except Exception:  # anything for a broken one; reading it says so
        return -1
    parts, depth, pixels = page.databytecounts, _sample_bytes(page), _pixels_of(page)
    samples = pixels * int(page.samplesperpixel) * depth
    if not plain and meaning.photometric != PHOTOMETRIC.YCBCR:
        return float(pixels * PILLOW_BYTES * depth)
    # floating point is copied, and has its luma beside it; so is what leaves samples behind
    beside = float((pixels * depth + samples) * (page.dtype is not None and page.dtype.kind == "f"))
    beside += pixels * meaning.channels * depth * bool(meaning.dropped)
    if page.compression != NONE:  # strips that are unpacked at the same time
        several = 0 if len(parts) == 1 else min(len(parts), DECODERS) * samples / len(parts)
        beside += max(*parts, min(sum(parts), READ_BYTES)) + several
    return beside


def pictures_among(chain: Sequence[Any]) -> list[Any]:
    """The pages to color of those that a file lists: all but reduced copies and masks.

    What a reduced copy was made of may lie below it, in a SubIFD (TIFF/EP, Adobe's DNG); it stands
    in its place then. Where nothing else is there, the largest page is the picture, whatever it is
    said to be.
    """
    found = []
    for page in chain:
        if not _is_copy(page):
            found.append(page)
        elif (whole := _full_picture_below(page)) is not None:
            found.append(whole)
    if not found and (left := [page for page in chain if not page.is_mask]):
        found = [max(left, key=_pixels_of)]
    return found


def _is_copy(page: Any) -> bool:
    """Whether it is a thumbnail or a mask of another page: by NewSubfileType, or by SubfileType,
    which was before it (TIFF 6.0, section 8)."""
    reduced = page.is_reduced or page.tags.valueof(255) == 2
    return bool(reduced or page.is_mask)


def _full_picture_below(page: Any) -> Any:
    """The largest page in the SubIFDs of a reduced one, if it has more pixels; else None."""
    below = [one for one in page.pages or () if not _is_copy(one)] if page.subifds else []
    largest = max(below, key=_pixels_of, default=None)
    return largest if largest is not None and _pixels_of(largest) > _pixels_of(page) else None


def _pixels_of(page: Any) -> int:
    return int(page.imagelength) * int(page.imagewidth)


def _sample_bytes(page: Any) -> int:
    bits = page.bitspersample
    return max(1, -(-int(bits) // 8)) if isinstance(bits, int) else 1


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


def _still(
    file: IO[bytes], index: int | None, page: Any, over: Sequence[Any], shared: dict[str, Any]
) -> Still:
    """A page; index: where it stands in the file's list, None in a SubIFD, of the one in `over`."""
    directory = page_tags.read(file, page)
    for one in over:
        directory = page_tags.with_those_of(directory, page_tags.read(file, one))
    found, notes = directory.found, directory.found.notes
    meaning = of_page(page)
    encoding = _layout(page, notes) | found.encoding | shared
    encoding["extrasamples"] = [] if meaning.beside is None else [meaning.kind]
    if meaning.dropped:
        notes.append(_told_of_dropped(meaning))
    samples, luma, found.icc = _pixels(
        file, index, page, meaning, directory.orientation, found.icc, notes
    )
    found.dpi = resolution.in_dpi(encoding.get("resolution"))
    fields = found.fields() | {"orientation": directory.orientation}
    still = from_samples("TIFF", samples, white=directory.white, encoding=encoding, **fields)
    return still if luma is None else replace(still, luma=luma)


def _told_of_dropped(meaning: Meaning) -> str:
    if meaning.dropped == 1:
        return "1 more sample beside the picture (a mask, infrared) was dropped"
    return f"{meaning.dropped} more samples beside the picture (masks, infrared) were dropped"


def _pixels(
    file: IO[bytes],
    index: int | None,
    page: Any,
    meaning: Meaning,
    orientation: int,
    profile: bytes,
    notes: list[str],
) -> tuple[Codes, Codes | None, bytes]:
    """Samples (H, W[, C]) in the file's order, their luma (H, W) where it is stored, and the
    profile that is theirs then; what could not be kept is added to the notes."""
    if page.compression == JPEG and meaning.photometric == PHOTOMETRIC.YCBCR:
        planes = _jpeg_planes(file, page)  # the stored Y' itself, not one rounded through RGB
        luma = np.ascontiguousarray(planes[..., 0])
        return cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB), luma, profile
    if _is_plain(page, meaning):
        return _samples(page, meaning, notes), None, profile
    if meaning.photometric == PHOTOMETRIC.SEPARATED and page.compression != JPEG:
        return _from_inks(page, meaning, profile, notes)
    if index is None or meaning.beside is not None:
        raise SourceError(f"TIFF of this kind ({meaning.photometric.name}) is not supported")
    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as image:
        image.seek(index)
        samples, profile, told = samples_of(image, profile)
    notes += told
    # Pillow turns TIFF upright; the file keeps its pixel order
    return stored(samples, orientation), None, profile


def _is_plain(page: Any, meaning: Meaning) -> bool:
    """Whether tifffile's samples are grey, RGB or a palette's already. Raises SourceError for types
    that are not supported."""
    subsampled = tuple(page.subsampling or (1, 1)) != (1, 1)
    if meaning.photometric == PHOTOMETRIC.YCBCR and page.compression != JPEG and subsampled:
        raise SourceError("Y'CbCr with subsampled chroma is supported in JPEG compression only")
    return bool(meaning.is_grey or meaning.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.PALETTE))


def _samples(page: Any, meaning: Meaning, notes: list[str]) -> Codes:
    """Samples (H, W[, C]) of a plain page; white is the highest code."""
    samples: Codes = _chosen(_decoded(page), page, meaning)
    if samples.dtype.kind not in "uf":
        raise SourceError(f"{samples.dtype} samples are not supported, only 8, 16 bits and float")
    bits = page.bitspersample
    if meaning.photometric == PHOTOMETRIC.PALETTE:
        notes.append("palette picture became 8-bit RGB")
        return _from_palette(samples, page)
    if samples.dtype.kind == "u" and bits < 8:
        notes.append(f"{bits}-bit picture became 8-bit RGB")
        samples = np.asarray(_eight_bits(bits)[samples])
    elif samples.dtype.kind == "u" and 8 < bits < 16:
        notes.append(f"{bits} bits became 16")
        samples = widened(samples, bits)
    if meaning.photometric == PHOTOMETRIC.MINISWHITE:
        samples = samples if samples.flags.writeable else samples.copy()
        grey = samples[..., :1] if meaning.channels > 1 else samples  # alpha stays
        np.subtract(np.iinfo(samples.dtype).max, grey, out=grey)
    return np.asarray(samples)


def _chosen(samples: Codes, page: Any, meaning: Meaning) -> Codes:
    """Of all samples of a page those that are kept, (H, W[, C])."""
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
        samples = np.moveaxis(samples, 0, -1)
    if samples.dtype == np.bool_:
        samples = samples.view(np.uint8)
    if not meaning.dropped:
        return samples
    wanted = [*range(meaning.colors)] + ([] if meaning.beside is None else [meaning.beside])
    return np.ascontiguousarray(samples[..., wanted])


def _eight_bits(bits: int) -> npt.NDArray[np.uint8]:
    """What codes of fewer bits are in 8, as a table (256,)."""
    most = 2**bits - 1
    return np.asarray(np.rint(np.minimum(np.arange(256), most) * (255 / most)), np.uint8)


def _from_palette(samples: Codes, page: Any) -> Codes:
    """Indices (H, W) or with alpha (H, W, 2) to RGB or RGBA of 8 bits.

    Colors have 16 bits (TIFF 6.0, section 5); where none is above 255 they were written with 8, as
    libtiff takes it (tif_getimage.c, checkcmap).
    """
    bits = page.bitspersample
    colors = page.colormap
    if colors is None or np.shape(colors) != (3, 2**bits):
        raise SourceError("its palette is missing or has another number of colors")
    deep = np.asarray(colors, np.uint16).T
    table = (deep >> 8 if deep.max() > 255 else deep).astype(np.uint8)
    if samples.ndim == 2 or samples.shape[2] == 1:
        return np.asarray(table[samples.reshape(samples.shape[:2])])
    alpha = _eight_bits(bits)[samples[..., 1]] if bits <= 8 else samples[..., 1] >> 8
    return np.dstack([table[samples[..., 0]], alpha.astype(np.uint8)])


def _from_inks(
    page: Any, meaning: Meaning, profile: bytes, notes: list[str]
) -> tuple[Codes, None, bytes]:
    """CMYK with or without alpha to RGB of 8 bits, as far as the conversion goes."""
    samples = _chosen(_decoded(page), page, meaning)
    if samples.dtype == np.uint16:
        notes.append("16 bits became 8 for CMYK")
        samples = np.rint(samples / 257).astype(np.uint8)
    inks = np.ascontiguousarray(samples[..., :4])
    image = Image.frombuffer("CMYK", inks.shape[1::-1], inks, "raw", "CMYK", 0, 1)
    rgb, profile, told = samples_of(image, profile)
    notes += told
    return (rgb if meaning.beside is None else np.dstack([rgb, samples[..., 4]])), None, profile


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


def _layout(page: Any, notes: list[str]) -> dict[str, Any]:
    """How the page was stored, in tifffile's terms."""
    compression = int(page.compression)
    found: dict[str, Any] = {
        "compression": compression,
        "predictor": page.predictor != 1,
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
