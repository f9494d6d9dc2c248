"""AVIF: its adapter. libavif decodes and encodes, through imagecodecs: 8, 10 or 12 bits, with loss
or without. `avif_items` finds what lies beside the picture, and adds it to results."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image

from colorbatch import color
from colorbatch.color import Codes, strips, widened
from colorbatch.errors import SourceError, TargetError
from colorbatch.formats import avif_items, metadata, pillow_files
from colorbatch.formats.boxes import brands_of
from colorbatch.formats.metadata import EXIF_START
from colorbatch.formats.page import Page
from colorbatch.formats.record import (
    MARK_BYTES,
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    nothing_lost,
    one_picture,
)
from colorbatch.formats.registry import ROWS
from colorbatch.formats.still import Packing, Still, Stored, from_samples, upright

NAME = "AVIF"
MOST_BITS = 12
SPEED = 8
"""Of libaom, 0 to 10: at 6 it takes twice the time for files that are 2 % smaller."""
LOSSLESS = 100
"""The quality in which libavif stores R, G and B as they are."""
SRGB, UNSAID = (1, 13), (2, 2)
"""Primaries and transfer (ITU-T H.273)."""
LARGEST_SIDE, MOST_PIXELS = 32768, 16384**2
"""What libavif reads, and with it browsers and Pillow."""


def _begins(start: bytes) -> bool:
    """Whether its first box names a brand of AVIF (AV1 Image File Format, section 6), as the major
    one or beside that of the container."""
    major, *others = brands_of(start) or (b"",)
    return major in (b"avif", b"avis") or (major in (b"mif1", b"msf1") and b"avif" in others)


# --- reading -------------------------------------------------------------------------------------


def _decode(file: IO[bytes], max_pixels: int, _: int) -> Still:
    with pillow_files.opened(file, NAME, max_pixels):  # by its header
        file.seek(0)
        data = file.read()
    items = _items(data)
    found = avif_items.found_in(data, items)
    turned = _is_turned(found.exif, items.turn)
    orientation = 1 if turned else items.turn
    if found.exif:
        found.exif = metadata.cleaned_exif(found.exif, orientation)
    shared = found.fields() | {"orientation": orientation}
    samples: Codes = imagecodecs.avif_decode(data, numthreads=1)
    if samples.dtype == np.uint16:
        samples = widened(samples, items.bits)
    if turned:
        samples = upright(samples, items.turn)
    return from_samples(NAME, samples, encoding=found.encoding, **shared)


def _items(data: bytes) -> avif_items.Items:
    try:
        return avif_items.items_of(data)
    except (ValueError, IndexError, struct.error) as error:
        raise SourceError("the file is truncated or broken") from error


def _is_turned(exif: bytes, turn: int) -> bool:
    """Whether the picture has to be turned upright here: where EXIF says nothing of it or something
    else, which does not count in AVIF, but would in results."""
    return bool(exif) and turn != 1 and metadata.orientation_of(exif) == 1


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=[NAME]) as image:
        file.seek(0)
        items = _items(file.read())
        packing: Packing = "lossless" if items.nclx[2] == 0 else "lossy"
        size = pillow_files.size_of(file)
        yield pillow_files.stored(image, NAME, packing, size, items.bits)


# --- writing -------------------------------------------------------------------------------------


def _write(file: IO[bytes], pages: Iterator[Page], notes: list[str]) -> None:
    """Lossless, but where the source was not or a quality is asked for; how far off luma is then
    is noted. Chroma is 4:4:4."""
    [page] = pages
    still, encoding = page.still, page.still.encoding
    if still.size[0] * still.size[1] > MOST_PIXELS:
        raise TargetError(f"AVIF holds at most {MOST_PIXELS / 1e6:.0f} million pixels")
    bits = 8
    pixels = page.all_rows()
    if pixels.dtype == np.uint16:
        bits = encoding["bits"] if still.format == NAME else MOST_BITS
        pixels = _narrowed(pixels, bits)
        if still.format != NAME:
            notes.append(f"16 bits became {MOST_BITS}: AVIF holds no more")
    lossless = page.quality is None and encoding.get("lossless", not page.of_lossy)
    quality = ROWS[NAME].quality if page.quality is None else page.quality
    primaries, transfer = encoding.get("cicp", UNSAID if page.icc else SRGB)
    data = bytes(
        imagecodecs.avif_encode(
            pixels,
            level=LOSSLESS if lossless else quality,
            speed=SPEED,
            bitspersample=bits,
            pixelformat="444",
            primaries=primaries,
            transfer=transfer,
            numthreads=1,  # more make other bytes
        )
    )
    if not lossless and quality != LOSSLESS:
        off = _luma_error(pixels, imagecodecs.avif_decode(data, numthreads=1), bits)
        notes.append(f"lossy AVIF: luma differs by {off:.2f} codes on average")
    del pixels
    exif = page.exif.removeprefix(EXIF_START)
    try:
        file.write(avif_items.with_metadata(data, exif, page.xmp, page.icc, still.orientation))
    except (ValueError, IndexError, struct.error) as error:
        raise TargetError("libavif wrote a file of an unknown form") from error


def _narrowed(codes: Codes, bits: int) -> Codes:
    """Codes (H, W, C) of 16 bits with fewer, rounded."""
    made = np.empty_like(codes)
    for start, stop in strips(codes.shape[0], codes.shape[1]):
        made[start:stop] = np.rint(codes[start:stop] * ((2.0**bits - 1) / 65535))
    return made


def _luma_error(pixels: Codes, result: Codes, bits: int) -> float:
    """The mean difference of luma, in codes of 8 bits."""
    total = 0.0
    for start, stop in strips(pixels.shape[0], pixels.shape[1]):
        off = color.luma(result[start:stop, :, :3]) - color.luma(pixels[start:stop, :, :3])
        total += float(np.abs(off).sum())
    count = pixels.shape[0] * pixels.shape[1]
    return float(total / count * 255 / (2**bits - 1))


def _lossy(source: Stored, quality: int | None) -> bool:
    return quality not in (None, LOSSLESS) or source.packing == "lossy"


def _bytes_lossy(quality: int | None) -> float:
    """Of libaom, which takes half the bytes for 20 steps less of quality (photographs, 99 to 5)."""
    return 0.3 if quality is None else 0.3 * math.exp((quality - 95) / 30)


FORMAT = StillFormat(
    name=NAME,
    begins=_begins,
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=True,
    own_blocks={"cicp": "the AVIF's primaries and transfer were not kept"},
    memory=Memory(of_8_bits=42, of_more=56),
    density=0.9,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=2,
        largest_side=LARGEST_SIDE,
        most_dpi=None,
        most_xmp=None,
        most_exif=None,
        alpha="straight",
        resolution_as_read=False,
        kept=lambda _: Kept(name=NAME, blocks=frozenset({"exif", "xmp", "icc", "orientation"})),
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=True,
            lossy=_lossy,
            bytes_lossy=_bytes_lossy,
            own_tables=False,
            beside=MARK_BYTES,
        ),
    ),
)
