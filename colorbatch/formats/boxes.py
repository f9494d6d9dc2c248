"""Boxes of ISO base media files, which JPEG 2000, HEIC and its kin are made of (ISO/IEC 14496-12,
section 4.2; ISO/IEC 15444-1:2019, annex I.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CODESTREAM = b"\xff\x4f\xff\x51"
"""How a bare codestream of JPEG 2000 begins, which has no boxes: SOC, and SIZ at once behind it."""


@dataclass(frozen=True)
class Box:
    """A box of a file (annex I.4): where it begins, where its content does, and where both end."""

    kind: bytes
    begin: int
    content: int
    end: int


def brands_of(start: bytes) -> tuple[bytes, ...]:
    """The major brand and the compatible ones in the first box, as far as they are there (ISO/IEC
    14496-12, section 4.3); () for a file that begins otherwise."""
    if start[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(start[:4], "big"), len(start))
    return (start[8:12], *(start[at : at + 4] for at in range(16, end - 3, 4)))


def boxes_of(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes in a part of a file, one after the other, those inside of them not; a bare
    codestream has none. What is cut off ends where the data do, what is no box ends them."""
    end = len(data) if end is None else end
    while begin + 8 <= end and not data.startswith(CODESTREAM, begin):
        length, kind = struct.unpack_from(">L4s", data, begin)
        content = begin + 8
        if length == 1:  # its length stands behind its name
            if content + 8 > end:
                return
            [length] = struct.unpack_from(">Q", data, content)
            content += 8
        stop = end if length == 0 else min(begin + length, end)
        if stop < content:
            return
        yield Box(kind, begin, content, stop)
        begin = stop
