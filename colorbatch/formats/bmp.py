"""BMP: its adapter. Pillow and OpenCV do the work.

What its header says beside the picture is read here: the resolution, and a profile or a color space
(BITMAPV4HEADER and BITMAPV5HEADER of Windows).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO

import cv2
import numpy as np
from PIL import Image

from colorbatch.errors import TargetError
from colorbatch.formats import pillow_files
from colorbatch.formats.found import Block, Found
from colorbatch.formats.page import Page
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.record import (
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    never,
    no_bytes,
    nothing_lost,
    one_picture,
)
from colorbatch.formats.still import Packing, Still, Stored, from_samples

NAME = "BMP"
CALIBRATED, EMBEDDED, LINKED = 0, 0x4D424544, 0x4C494E4B
"""LCS_CALIBRATED_RGB, PROFILE_EMBEDDED, PROFILE_LINKED; others name sRGB or Windows' own."""
COMPRESSIONS = {0: "none", 1: "RLE8", 2: "RLE4", 3: "bit fields", 4: "JPEG", 5: "PNG"}
"""Of BITMAPINFOHEADER, biCompression."""


def _decode(file: IO[bytes], max_pixels: int, _: int) -> Still:
    with pillow_files.opened(file, NAME, max_pixels, not_read=_not_read) as image:
        place = file.tell()  # where Pillow goes on
        shared = found_in(file).fields()
        file.seek(place)
        samples, shared["icc"], notes = samples_of(image, shared["icc"])
    return from_samples(NAME, samples, notes=(*notes, *shared.pop("notes")), **shared)


def _not_read(file: IO[bytes]) -> str:
    """Why it is not read, by its header."""
    file.seek(0)
    start = file.read(34)
    if len(start) < 34:
        return ""
    [bits] = struct.unpack_from("<H", start, 28)
    [packing] = struct.unpack_from("<I", start, 30)
    how = COMPRESSIONS.get(packing, str(packing))
    known = packing in COMPRESSIONS and bits in (1, 2, 4, 8, 16, 24, 32, 0)
    return f"BMP of {bits} bits, compression {how}, is not supported" if known else ""


def found_in(file: IO[bytes]) -> Found:
    """Everything but the picture."""
    found = Found()
    file.seek(0)
    head = file.read(14 + 124)
    if len(head) < 14 + 40:
        return found
    [size] = struct.unpack_from("<L", head, 14)
    if size >= 40:
        x, y = struct.unpack_from("<ii", head, 38)
        if min(x, y) > 0:
            found.dpi = (x * 0.0254, y * 0.0254)
            found.blocks.append(Block("fields", "resolution", "dpi"))
    if size >= 108 and len(head) >= 14 + 108:
        [space] = struct.unpack_from("<L", head, 14 + 56)
        if space in (EMBEDDED, LINKED):
            found.notes.append("the color profile of the BMP was not read: it was dropped")
        elif space == CALIBRATED and any(head[14 + 60 : 14 + 108]):
            found.lose("fields", "primaries and gamma")
    [whole] = struct.unpack_from("<L", head, 2)
    file.seek(0)
    length = file.seek(0, 2)
    if 54 < whole < length:
        file.seek(whole)
        if file.read().strip(b"\0"):
            found.lose("data behind the picture", f"{length - whole} bytes")
    return found


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=[NAME]) as image:
        packing: Packing = "few" if image.mode in ("1", "P") else "none"
        yield pillow_files.stored(image, NAME, packing, pillow_files.size_of(file))


def _write(file: IO[bytes], pages: Iterator[Page], _: list[str]) -> None:
    [page] = pages
    if page.channels == 3:
        buffer = io.BytesIO()
        pillow_files.picture_of(page).save(buffer, NAME)
        bmp = bytearray(buffer.getbuffer())
    else:
        pixels = page.all_rows()
        # Pillow writes alpha that readers, its own among them, do not look for
        done, data = cv2.imencode(".bmp", np.ascontiguousarray(pixels[..., [2, 1, 0, 3]]))
        if not done:
            raise TargetError("OpenCV could not encode this BMP")
        bmp = bytearray(bytes(data))
    # biXPelsPerMeter and biYPelsPerMeter of BITMAPINFOHEADER; 0 says nothing, libraries say 96 dpi
    struct.pack_into("<ii", bmp, 38, *(round(dots / 0.0254) for dots in page.still.dpi or (0, 0)))
    file.write(bmp)


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start.startswith(b"BM"),
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=False,
    own_blocks={},
    memory=Memory(of_8_bits=9, of_more=9),
    density=1.0,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=1,
        largest_side=None,
        most_dpi=5.45e7,  # counted per meter
        most_xmp=None,
        most_exif=None,
        alpha="straight",
        resolution_as_read=False,
        kept=lambda _: Kept(name=NAME, blocks=frozenset({"dpi"})),
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=False, lossy=never, bytes_lossy=no_bytes, own_tables=False, beside=0
        ),
    ),
)
