"""PNG: its adapter. `png_chunks` finds what lies beside the picture.

Pillow reads and writes 8 bits. The libraries that write 16 want the whole picture and return the
whole file: four times the picture's bytes. PNG itself is a list of chunks around one zlib stream,
and is written here as that, strip by strip.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image

from colorbatch.color import Codes, strips
from colorbatch.errors import SourceError
from colorbatch.formats import pillow_files, png_chunks
from colorbatch.formats.found import Found
from colorbatch.formats.metadata import EXIF_START
from colorbatch.formats.page import Page
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.png_chunks import SIGNATURE as SIGNATURE
from colorbatch.formats.record import (
    BLOCKS,
    MARK_BYTES,
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

NAME = "PNG"
FEW = {"L;2": 2, "L;4": 4}
"""Pillow's names of what is stored in so few bits, which it makes 8."""
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels -> color type (ISO/IEC 15948:2004, section 11.2.2)."""
SUB = 1
"""The filter that stores differences from the sample before (section 9.2)."""
LEVEL = 4


# --- reading -------------------------------------------------------------------------------------


def _decode(whole: IO[bytes], max_pixels: int, _: int) -> Still:
    start = whole.read(16)
    if not start.startswith(SIGNATURE):
        raise SourceError("the file is truncated or broken")
    if start[12:16] == b"CgBI":
        raise SourceError("PNG in the form of iOS programs (CgBI) is not supported")
    file, chunks = png_chunks.opened(whole)
    found = png_chunks.found_in(whole, chunks)
    file.seek(0)
    with pillow_files.opened(file, NAME, max_pixels) as image:
        return _decoded(image, file, found)


def _decoded(image: Image.Image, file: IO[bytes], found: Found) -> Still:
    raw_mode = _raw_mode(image)
    shared = found.fields()
    notes: tuple[str, ...] = ()
    if "16" in raw_mode:  # which Pillow does not hold, but for grey
        Image.Image.close(image)  # frees its eight bits of the sixteen, and leaves the file open
        file.seek(0)
        samples: Codes = imagecodecs.png_decode(file.read())
    else:
        few = FEW.get(raw_mode, 0)
        if few and "transparency" in image.info:  # Pillow scales the samples alone
            image.info["transparency"] *= 255 // (2**few - 1)
        samples, shared["icc"], notes = samples_of(image, shared["icc"])
        if few:
            notes = (f"{few}-bit picture became 8-bit RGB",)
    notes = (*notes, *shared.pop("notes"))
    return from_samples(NAME, samples, encoding=found.encoding, notes=notes, **shared)


def _raw_mode(image: Image.Image) -> str:
    """What is stored, before Pillow makes it 8 bits."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _stored(whole: IO[bytes]) -> Iterator[Stored]:
    file, _ = png_chunks.opened(whole, checked=False)
    with Image.open(file, formats=[NAME]) as image:
        raw_mode = _raw_mode(image)
        few = image.mode in ("1", "P") or raw_mode in FEW
        packing: Packing = "few" if few else "lossless"
        bits = 16 if "16" in raw_mode else 8
        yield pillow_files.stored(image, NAME, packing, pillow_files.size_of(whole), bits)


# --- writing -------------------------------------------------------------------------------------


def _write(file: IO[bytes], pages: Iterator[Page], _: list[str]) -> None:
    [page] = pages
    own = page.still.encoding.get("chunks", ()) if page.still.format == NAME else ()
    ahead = [*_metadata(page), *((name, content) for name, content, late in own if not late)]
    behind = [(name, content) for name, content, late in own if late]
    if page.still.dtype == np.uint16:
        write(file, page.rows, page.still.size, page.channels, ahead, behind)
        return
    buffer = io.BytesIO()
    pillow_files.picture_of(page).save(buffer, NAME, compress_level=4)
    write_with(file, buffer.getbuffer(), ahead, behind)


def _metadata(page: Page) -> Iterator[tuple[bytes, bytes]]:
    """Profile, EXIF, resolution and XMP as chunks (ISO/IEC 15948:2004, section 11.3; PNG 1.5
    extensions for eXIf; XMP Specification Part 3, section 1.1.5)."""
    if page.icc:
        own = page.still.encoding.get("iccp") if page.icc == page.still.icc else None
        yield b"iCCP", own or b"ICC profile\0\0" + zlib.compress(page.icc)
    if page.exif:
        yield b"eXIf", page.exif.removeprefix(EXIF_START)
    if page.still.dpi:
        yield b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in page.still.dpi), 1)
    if page.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + page.xmp


def write(
    file: IO[bytes],
    rows: Callable[[int, int], Codes],
    size: tuple[int, int],
    channels: int,
    chunks: Iterable[tuple[bytes, bytes]],
    behind: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Write a picture of `size` = (H, W) to a file, at its position.

    rows: (start, stop) to codes (stop - start, W, channels), uint16: 1 grey, 3 RGB, 2 and 4 with
    alpha. chunks, behind: (name, content) of what stands ahead of the pixels and behind them.
    """
    height, width = size
    header = struct.pack(">IIBBBBB", width, height, 16, COLOR_TYPES[channels], 0, 0, 0)
    file.write(SIGNATURE + chunk(b"IHDR", header))
    for name, content in chunks:
        file.write(chunk(name, content))
    packer = zlib.compressobj(LEVEL)
    for start, stop in strips(height, width):
        if packed := packer.compress(_filtered(rows(start, stop))):
            file.write(chunk(b"IDAT", packed))
    file.write(chunk(b"IDAT", packer.flush()))
    for name, content in behind:
        file.write(chunk(name, content))
    file.write(chunk(b"IEND", b""))


def write_with(
    file: IO[bytes],
    made: memoryview,
    chunks: Iterable[tuple[bytes, bytes]],
    behind: Iterable[tuple[bytes, bytes]],
) -> None:
    """Write a finished file of a library's with more chunks, ahead of the pixels and behind them.

    IHDR, of 25 bytes, always is the first chunk, and IEND, of 12, the last (section 5.6).
    """
    first = len(SIGNATURE) + 25
    file.write(made[:first])
    for name, content in chunks:
        file.write(chunk(name, content))
    file.write(made[first:-12])
    for name, content in behind:
        file.write(chunk(name, content))
    file.write(made[-12:])


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file (section 5.3)."""
    checksum = struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
    return b"".join((struct.pack(">I", len(content)), name, content, checksum))


def _filtered(codes: Codes) -> bytes:
    """Rows (h, W, C), uint16, each behind its filter's number."""
    height, width, channels = codes.shape
    stored = codes.astype(">u2").view(np.uint8).reshape(height, width * channels * 2)
    filtered = np.empty((height, 1 + stored.shape[1]), np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1:] = stored
    filtered[:, 1 + 2 * channels :] -= stored[:, : -2 * channels]
    return filtered.tobytes()


def _kept(still: Still) -> Kept:
    """IPTC and what else Photoshop writes stand in a text, which a result in PNG keeps."""
    in_text = frozenset({"iptc", "photoshop"})
    return Kept(name=NAME, blocks=BLOCKS if still.format == NAME else BLOCKS - in_text)


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start.startswith(SIGNATURE[:4]),
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=False,
    own_blocks={
        "text": "the text chunks of the PNG were not kept",
        "display": "the PNG's chunks that say how its codes are shown were not kept",
        "chunk": "",
    },
    memory=Memory(of_8_bits=9, of_more=0),
    density=1.0,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=2,
        largest_side=None,
        most_dpi=1.09e8,  # counted per meter
        most_xmp=None,
        most_exif=None,
        alpha="straight",
        resolution_as_read=False,
        kept=_kept,
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=True, lossy=never, bytes_lossy=no_bytes, own_tables=False, beside=MARK_BYTES
        ),
    ),
)
