"""Three facts that PyAV cannot hand to libav's Matroska muxer, put into the finished file.

They are the sample aspect ratio (as the shape of the display), and the chroma location of codecs
that do not carry it themselves. To have room for them, the stream is written with a padded title
(`padded`); `complete` shortens the title again and uses the room. Only the header changes, and no
other byte moves. (EBML: RFC 8794; Matroska: RFC 9559.)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

SEGMENT, TRACKS, ENTRY, VIDEO, COLOUR = (
    0x18538067,
    0x1654AE6B,
    0xAE,
    0xE0,
    0x55B0,
)
NUMBER, NAME, CRC, VOID = 0xD7, 0x536E, 0xBF, 0xEC
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
SITING_ACROSS, SITING_DOWN = 0x55B7, 0x55B8
DISPLAY_SHAPE = 3
"""DisplayUnit: width and height are a ratio, not a number of pixels."""

SITINGS = {"left": (1, 2), "center": (2, 2), "topleft": (1, 1), "top": (2, 1)}
"""Chroma location -> ChromaSitingHorz and -Vert (1: at the edge, 2: half)."""

ROOM = 64
"""Characters of padding; all three elements together take less."""


@dataclass(frozen=True)
class _Element:
    id: int
    body: bytes

    def whole(self) -> bytes:
        """The element with its head, the size in 8 bytes if it is large, else in one."""
        size = len(self.body)
        head = bytes([0x80 | size]) if size < 127 else (size | 1 << 56).to_bytes(8, "big")
        return _id_bytes(self.id) + head + self.body


def padded(title: str) -> str:
    """The title to write, so that `complete` has room."""
    return title + " " * ROOM


def complete(
    file: IO[bytes],
    number: int,
    title: str,
    size: tuple[int, int],
    sample_aspect: Fraction | None,
    chroma_location: str,
) -> None:
    """Give track `number` (from 1) its real title, display shape and chroma siting.

    size: (H, W). The file is open for reading and writing. Raises ValueError where it is not as
    libav writes it.
    """
    start, length = _find_tracks(file)
    file.seek(start)
    body = file.read(length)
    changed = []
    for element in _elements(body):
        if element.id == CRC:
            continue
        if element.id == ENTRY:
            inner = list(_elements(element.body))
            if any(e.id == NUMBER and int.from_bytes(e.body, "big") == number for e in inner):
                inner = list(_with_facts(inner, title, size, sample_aspect, chroma_location))
                element = _Element(ENTRY, b"".join(e.whole() for e in inner))
        changed.append(element.whole())
    content = b"".join(changed)
    # the check sum's element takes 6 bytes, and the void that fills the rest at least 2
    rest = length - 6 - len(content)
    if rest < 2:
        raise ValueError("the Matroska header has no room for the display shape")
    content += (
        _id_bytes(VOID) + (rest - 9 | 1 << 56).to_bytes(8, "big") + bytes(rest - 9)
        if rest >= 9
        else _Element(VOID, bytes(rest - 2)).whole()
    )
    file.seek(start)
    file.write(_Element(CRC, zlib.crc32(content).to_bytes(4, "little")).whole() + content)


def _with_facts(
    entry: list[_Element],
    title: str,
    size: tuple[int, int],
    sample_aspect: Fraction | None,
    chroma_location: str,
) -> Iterator[_Element]:
    for element in entry:
        if element.id == NAME:
            if title:
                yield _Element(NAME, title.encode())
            continue
        if element.id == VIDEO:
            inner = list(_elements(element.body))
            if sample_aspect and sample_aspect != 1:
                shape = Fraction(size[1], size[0]) * sample_aspect
                inner = [
                    e for e in inner if e.id not in (DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT)
                ]
                inner += [
                    _number(DISPLAY_WIDTH, shape.numerator),
                    _number(DISPLAY_HEIGHT, shape.denominator),
                    _number(DISPLAY_UNIT, DISPLAY_SHAPE),
                ]
            if chroma_location in SITINGS:
                inner = _with_siting(inner, SITINGS[chroma_location])
            element = _Element(VIDEO, b"".join(e.whole() for e in inner))
        yield element


def _with_siting(video: list[_Element], siting: tuple[int, int]) -> list[_Element]:
    """The Video element's children with the chroma siting among their Colour, which may be new."""
    own = [e for each in video if each.id == COLOUR for e in _elements(each.body)]
    own = [e for e in own if e.id not in (SITING_ACROSS, SITING_DOWN)]
    own += [_number(SITING_ACROSS, siting[0]), _number(SITING_DOWN, siting[1])]
    colour = _Element(COLOUR, b"".join(e.whole() for e in own))
    return [*(e for e in video if e.id != COLOUR), colour]


def _number(id_: int, value: int) -> _Element:
    return _Element(id_, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _id_bytes(id_: int) -> bytes:
    return id_.to_bytes((id_.bit_length() + 7) // 8, "big")


def _find_tracks(file: IO[bytes]) -> tuple[int, int]:
    """Where the content of the Tracks element begins, and its length in bytes."""
    file.seek(0)
    position, end = 0, file.seek(0, 2)
    while position < end:
        file.seek(position)
        head = file.read(12)
        id_, size, used = _head(head)
        if id_ == SEGMENT:
            position += used
        elif id_ == TRACKS:
            return position + used, size
        else:
            position += used + size
    raise ValueError("no Tracks in this Matroska file")


def _head(data: bytes) -> tuple[int, int, int]:
    """An element's id, the size of its content, and the size of its head, from its first bytes."""
    try:
        id_length = 9 - data[0].bit_length()
        size_length = 9 - data[id_length].bit_length()
    except IndexError:
        raise ValueError("this Matroska file is cut off") from None
    id_ = int.from_bytes(data[:id_length], "big")
    raw = data[id_length : id_length + size_length]
    size = int.from_bytes(raw, "big") & ((1 << 7 * size_length) - 1)
    return id_, size, id_length + size_length


def _elements(body: bytes) -> Iterator[_Element]:
    """An element's children."""
    position = 0
    while position < len(body):
        id_, size, used = _head(body[position : position + 12])
        start = position + used
        yield _Element(id_, body[start : start + size])
        position = start + size
