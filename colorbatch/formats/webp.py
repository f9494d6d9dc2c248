"""WebP: its adapter. libwebp decodes and encodes, through Pillow; what lies beside the picture, the
chunks of a RIFF file (RFC 9649, section 2), is found here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

from colorbatch import color
from colorbatch.formats import pillow_files
from colorbatch.formats.found import Block, Found
from colorbatch.formats.page import Page
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.record import (
    MARK_BYTES,
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    by_libjpeg,
    nothing_lost,
    one_picture,
)
from colorbatch.formats.registry import ROWS
from colorbatch.formats.still import Packing, Still, Stored, from_samples

NAME = "WEBP"
PIXELS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH"})
TAKEN = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc"}


class RiffChunk(NamedTuple):
    """A chunk: its name, where its content begins, and how long that is."""

    name: bytes
    start: int
    length: int


def chunks_of(file: IO[bytes]) -> Iterator[RiffChunk]:
    """The chunks one after the other; what is cut off ends them."""
    place, end = 12, file.seek(0, 2)
    file.seek(4)
    end = min(end, 8 + int.from_bytes(file.read(4), "little"))
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        yield RiffChunk(head[:4], place + 8, length)
        place += 8 + length + length % 2


def is_lossless(file: IO[bytes]) -> bool:
    """Whether the picture's chunk is VP8L."""
    kinds = (chunk.name for chunk in chunks_of(file) if chunk.name in (b"VP8L", b"VP8 "))
    return next(kinds, b"") == b"VP8L"


def found_in(file: IO[bytes]) -> Found:
    """Everything but the picture."""
    found = Found()
    last = 12
    for name, start, length in chunks_of(file):
        last = start + length + length % 2
        shown = name.decode("latin-1")
        if name in TAKEN:
            file.seek(start)
            found.take(TAKEN[name], file.read(length), "chunks", shown)
        elif name in PIXELS:
            found.blocks.append(Block("chunks", shown, "pixels"))
        else:
            found.lose("chunks", shown)
    if (size := file.seek(0, 2) - last) > 0:
        found.lose("data behind the picture", f"{size} bytes")
    return found


def _decode(file: IO[bytes], max_pixels: int, _: int) -> Still:
    with pillow_files.opened(file, NAME, max_pixels, not_read=_not_read) as image:
        place = file.tell()  # where Pillow goes on
        shared = found_in(file).fields()
        file.seek(place)
        encoding = {"lossless": is_lossless(file)}
        samples, shared["icc"], notes = samples_of(image, shared["icc"])
    notes = (*notes, *shared.pop("notes"))
    return from_samples(NAME, samples, encoding=encoding, notes=notes, **shared)


def _not_read(file: IO[bytes]) -> str:
    """Why it is not read, by its header."""
    file.seek(0)
    start = file.read(12)
    return "it is RIFF, but not WebP" if len(start) == 12 and start[8:] != b"WEBP" else ""


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=[NAME]) as image:
        packing: Packing = "lossless" if is_lossless(file) else "lossy"
        yield pillow_files.stored(image, NAME, packing, pillow_files.size_of(file))


def _write(file: IO[bytes], pages: Iterator[Page], notes: list[str]) -> None:
    """Lossless, but where the source was not or a quality is asked for; how far off luma is then
    is noted."""
    [page] = pages
    pixels = page.all_rows()
    lossless = page.quality is None and page.still.encoding.get("lossless", not page.of_lossy)
    quality = 75 if lossless else ROWS[NAME].quality  # of the search for a lossless packing
    options = pillow_files.options_of(page)
    options.pop("dpi", None)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        NAME,
        lossless=lossless,
        exact=True,
        method=4,
        xmp=page.xmp,
        quality=quality if page.quality is None else page.quality,
        **options,
    )
    if not lossless:
        with Image.open(buffer) as result:
            decoded = np.asarray(result.convert("RGB"))
        error = np.abs(color.luma(decoded) - color.luma(pixels)).mean()
        notes.append(f"lossy WebP: luma differs by {error:.2f} codes on average")
    file.write(buffer.getbuffer())


def _lossy(source: Stored, quality: int | None) -> bool:
    return quality is not None or (source.packing == "lossy" and source.format != "JPEG2000")


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start.startswith(b"RIFF"),
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=False,
    own_blocks={},
    memory=Memory(of_8_bits=51, of_more=51),
    density=0.65,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=1,
        largest_side=16383,
        most_dpi=None,
        most_xmp=None,
        most_exif=None,
        alpha="straight",
        resolution_as_read=False,
        kept=lambda _: Kept(name="WebP", blocks=frozenset({"exif", "xmp", "icc", "orientation"})),
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=True,
            lossy=_lossy,
            bytes_lossy=by_libjpeg(0.3),
            own_tables=False,
            beside=MARK_BYTES,
        ),
    ),
)
