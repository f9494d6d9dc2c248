"""What WebP files hold beside the picture: the chunks of a RIFF file (RFC 9649, section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

from colorbatch.formats.found import Block, Found

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
