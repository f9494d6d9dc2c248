"""The field order that an AVI's header tells, which libav does not read.

OpenDML AVI File Format Extensions 1.02, "Video Properties Header": a chunk `vprp` of a stream's
list says how many fields a picture has, and at which line of it each begins, the first one first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

HEADER = 1 << 20
"""Bytes within which the lists of all streams stand."""
FIELDS, FIRST_LINE, EACH = 8 * 4, 9 * 4 + 7 * 4, 8 * 4
"""Bytes before the number of fields, before the first one's line, and of each field."""


def field_order(path: Path, index: int) -> str:
    """tb or bt for the stream of this index, by the field whose line is first; progressive; unknown
    where the header does not tell."""
    with path.open("rb") as file:
        data = file.read(HEADER)
    lists = [body for kind, body in _chunks(data[12:]) if kind == b"LIST" and body[:4] == b"hdrl"]
    if data[:4] != b"RIFF" or not lists:
        return "unknown"
    streams = [
        body[4:] for kind, body in _chunks(lists[0][4:]) if kind == b"LIST" and body[:4] == b"strl"
    ]
    told = dict(_chunks(streams[index])).get(b"vprp", b"") if index < len(streams) else b""
    if len(told) < FIRST_LINE + 4:
        return "unknown"
    if struct.unpack_from("<I", told, FIELDS)[0] != 2:
        return "progressive"
    if len(told) < FIRST_LINE + EACH + 4:
        return "unknown"
    lines = [struct.unpack_from("<I", told, FIRST_LINE + at)[0] for at in (0, EACH)]
    return {-1: "tb", 1: "bt"}.get((lines[0] > lines[1]) - (lines[0] < lines[1]), "unknown")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a list: name and content, each filled to an even number of bytes."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
