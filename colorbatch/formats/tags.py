"""One reader of tags: the directories (IFD) of TIFF files and of EXIF blocks, entry by entry.

A value is kept as the bytes that it has, so that text stays in the alphabet it was written in.
`numbers` takes it in whatever legal type it is stored: a tag that other programs read is not lost
because its type is unusual. TIFF 6.0, section 2; BigTIFF as libtiff writes it.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO

from PIL import ExifTags

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8, 129: 1}
"""Bytes of a value by its type; 16 to 18 are BigTIFF's, 129 is UTF-8 (EXIF 3.0, section 4.6.2)."""
CODES = {1: "B", 3: "H", 4: "L", 5: "L", 6: "b", 8: "h", 9: "l", 10: "l", 11: "f", 12: "d"}
CODES |= {13: "L", 16: "Q", 17: "q", 18: "Q"}
TAG_EXIF, TAG_GPS, TAG_INTEROP = 34665, 34853, 0xA005
POINTERS = frozenset({TAG_EXIF, TAG_GPS, TAG_INTEROP})
"""Tags whose value is the place of another directory (EXIF 2.32, section 4.6.3)."""

Wanted = Callable[[int], bool]
"""Of a tag's number."""


def every(tag: int) -> bool:
    """Any tag is wanted."""
    return True


@dataclass(frozen=True)
class Entry:
    """A tag: its number, its type, and its values' bytes in the order of bytes "<" or ">". place:
    where its 12 bytes (of BigTIFF 20) stand in the file. known: whether its values are there;
    they are not where the type is none or they would lie beyond the file's end."""

    tag: int
    kind: int
    data: bytes
    order: str = "<"
    place: int = 0
    known: bool = True

    @property
    def count(self) -> int:
        """Of its values."""
        return len(self.data) // SIZES.get(self.kind, 1)

    def data_in(self, order: str) -> bytes:
        """Its bytes in another order."""
        size = {RATIONAL: 4, 10: 4}.get(self.kind, SIZES.get(self.kind, 1))
        if order == self.order or size == 1:
            return self.data
        whole = len(self.data) // size * size
        swapped = bytearray(whole)
        for byte in range(size):
            swapped[byte::size] = self.data[size - 1 - byte : whole : size]
        return bytes(swapped)


@dataclass(frozen=True)
class Tree:
    """A directory: the first entry of each tag, the directories that it points to, and the place
    of the next. left: what could not be taken, entries that come a second time among it. cut: how
    many entries there should be beyond the file's end."""

    entries: Mapping[int, Entry] = field(default_factory=dict)
    parts: Mapping[int, Tree] = field(default_factory=dict)
    left: tuple[Entry, ...] = ()
    next: int = 0
    cut: int = 0


def name_of(tag: int) -> str:
    """ "Artist (315)", or the bare number of one that has no name."""
    name = ExifTags.TAGS.get(tag)
    return f"{name} ({tag})" if name else str(tag)


# --- values ------------------------------------------------------------------------------------


def pairs(entry: Entry | None) -> tuple[tuple[int, int], ...]:
    """Its values as fractions, unreduced; () where they say no numbers.

    Text holds one number, "300", "72.5" or "1/250". Undefined bytes hold text, or one whole number
    of as many bytes as there are.
    """
    if entry is None or not entry.known:
        return ()
    if entry.kind in (ASCII, UNDEFINED, 129):
        return _pairs_of_text(entry)
    code = CODES[entry.kind]
    many = entry.count * (2 if entry.kind in (RATIONAL, 10) else 1)
    values = struct.unpack_from(f"{entry.order}{many}{code}", entry.data)
    if entry.kind in (RATIONAL, 10):
        return tuple(zip(values[::2], values[1::2], strict=True))
    if code in "fd":
        if not all(math.isfinite(value) for value in values):
            return ()
        parts = (Fraction(value).limit_denominator(10_000) for value in values)
        return tuple((part.numerator, part.denominator) for part in parts)
    return tuple((value, 1) for value in values)


def _pairs_of_text(entry: Entry) -> tuple[tuple[int, int], ...]:
    text = entry.data.split(b"\0")[0].decode("latin-1").strip()
    try:
        value = Fraction(text) if len(text) < 40 and "e" not in text.lower() else None
    except (ValueError, ZeroDivisionError):
        value = None
    if value is not None:
        return ((value.numerator, value.denominator),)
    if entry.kind == UNDEFINED and entry.count in (1, 2, 4):
        return ((int.from_bytes(entry.data, "little" if entry.order == "<" else "big"), 1),)
    return ()


def numbers(entry: Entry | None) -> tuple[float, ...]:
    """Its values; () where they say no numbers, or one of them has no value, such as 0/0."""
    values = pairs(entry)
    return tuple(n / d for n, d in values) if all(d for _, d in values) else ()


def whole(entry: Entry | None) -> int | None:
    """Its first value, where that is a whole number."""
    first = numbers(entry)[:1]
    return int(first[0]) if first and first[0].is_integer() else None


# --- reading -----------------------------------------------------------------------------------


def read(file: IO[bytes], order: str, big: bool, offset: int, *, wanted: Wanted = every) -> Tree:
    """The directory at `offset` and those that it points to. wanted: whether a tag's values are
    read; those of others that are not in the entry itself stay where they are, and their data are
    empty. Raises ValueError where there is no directory.

    All values together are never more bytes than the file has, so that no file of a few bytes fills
    memory by pointing to itself.
    """
    budget = [file.seek(0, 2)]
    return _read(file, order, big, offset, wanted, budget, ())


def of_block(block: bytes) -> Tree:
    """The main directory of an EXIF block without its name ("Exif", two zeros) and those that it
    points to. Raises ValueError for what is none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        raise ValueError("no TIFF structure")
    [offset] = struct.unpack_from(order + "L", block, 4)
    return read(io.BytesIO(block), order, False, offset)


def _read(
    file: IO[bytes],
    order: str,
    big: bool,
    offset: int,
    wanted: Wanted,
    budget: list[int],
    above: tuple[int, ...],
) -> Tree:
    if offset < 8 or offset in above:
        raise ValueError("no directory")
    size, head, link = (20, 8, 8) if big else (12, 2, 4)
    file.seek(offset)
    start = file.read(head)
    if len(start) < head:
        raise ValueError("no directory")
    [many] = struct.unpack(order + ("Q" if big else "H"), start)
    if many > 65535:
        raise ValueError("no directory")
    table = file.read(many * size + link)
    entries: dict[int, Entry] = {}
    left: list[Entry] = []
    parts: dict[int, Tree] = {}
    for begin in range(0, min(many * size, len(table) - size + 1), size):
        place = offset + head + begin
        entry = _entry(file, order, table[begin : begin + size], place, wanted, budget)
        if entry.tag in entries or not entry.known:
            left.append(entry)
            continue
        if entry.tag in POINTERS and len(above) < 3:
            try:
                where = whole(entry) or 0
                parts[entry.tag] = _read(file, order, big, where, every, budget, (*above, offset))
            except (ValueError, struct.error):
                left.append(entry)
            continue
        entries[entry.tag] = entry
    end = table[many * size :]
    follows = struct.unpack(order + ("Q" if big else "L"), end)[0] if len(end) == link else 0
    return Tree(entries, parts, tuple(left), follows, max(0, many - len(table) // size))


def _entry(
    file: IO[bytes],
    order: str,
    raw: bytes,
    place: int,
    wanted: Wanted,
    budget: list[int],
) -> Entry:
    big = len(raw) == 20
    tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHL"), raw)
    inline = raw[-8:] if big else raw[-4:]
    length = SIZES.get(kind, 0) * count
    if not length and kind in SIZES:
        return Entry(tag, kind, b"", order, place)
    if not length:
        return Entry(tag, kind, inline, order, place, known=False)
    if length <= len(inline):
        return Entry(tag, kind, inline[:length], order, place)
    if not wanted(tag):
        return Entry(tag, kind, b"", order, place)
    [where] = struct.unpack(order + ("Q" if big else "L"), inline)
    if length > budget[0]:
        return Entry(tag, kind, b"", order, place, known=False)
    file.seek(where)
    data = file.read(length)
    budget[0] -= len(data)
    return Entry(tag, kind, data, order, place, known=len(data) == length)


# --- writing -----------------------------------------------------------------------------------


def header(order: str, big: bool = False) -> bytes:
    """How a file begins whose first directory follows at once."""
    start = b"II" if order == "<" else b"MM"
    return start + struct.pack(
        order + ("HHHQ" if big else "HL"), *((43, 8, 0, 16) if big else (42, 8))
    )


def packed(tree: Tree, order: str, big: bool, offset: int) -> bytes:
    """A directory and those below it, to stand at `offset` of a file (TIFF 6.0, section 2)."""
    size, room = (20, 8) if big else (12, 4)
    pointer = LONG8 if big else LONG
    slots = {tag: Entry(tag, pointer, bytes(SIZES[pointer]), order) for tag in tree.parts}
    entries = sorted([*tree.entries.values(), *slots.values()], key=lambda entry: entry.tag)
    start = struct.pack(order + ("Q" if big else "H"), len(entries))
    values = bytearray()
    behind = offset + len(start) + len(entries) * size + room
    table = bytearray()
    for entry in entries:
        if entry.tag in tree.parts:
            place = behind + len(values)
            values += packed(tree.parts[entry.tag], order, big, place)
            data = struct.pack(order + ("Q" if big else "L"), place)
        else:
            data = entry.data_in(order)
        table += struct.pack(order + ("HHQ" if big else "HHL"), entry.tag, entry.kind, entry.count)
        if len(data) <= room:
            table += data.ljust(room, b"\0")
        else:
            table += struct.pack(order + ("Q" if big else "L"), behind + len(values))
            values += data
        values += b"\0" * (len(values) % 2)
    return start + bytes(table) + bytes(room) + bytes(values)


def block_of(entries: Iterable[Entry], parts: Mapping[int, Tree]) -> bytes:
    """An EXIF block without its name, of main entries and of directories below them."""
    tree = Tree({entry.tag: entry for entry in entries}, parts)
    start = header("<")
    return start + packed(tree, "<", False, len(start))
