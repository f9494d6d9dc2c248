"""TIFF files as libraries expect them: tags of the layout in the types that the standard names.

tifffile and Pillow take a value as it is stored. What other readers take for a number (a width of
type BYTE, an orientation as text or twice) is shown to them as one; the file stays as it is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import IO

from colorbatch.formats import tags
from colorbatch.formats.tags import LONG, LONG8, SHORT, Entry
from colorbatch.formats.tiff.layout import TAG_ORIENTATION

NUMBERS = frozenset(
    {254, 255, 256, 257, 259, 262, 266, 274, 277, 278, 284, 296, 317, 322, 323, 512}
)
"""Tags of the layout that have one whole number (TIFF 6.0, section 8)."""
MOST_PAGES = 100_000


def mended(file: IO[bytes]) -> IO[bytes]:
    """The file, or one that reads the same but for the entries that had to be mended."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    patches: dict[int, bytes] = {}
    for tree in _directories(file, order, big, head):
        for entry in (*tree.entries.values(), *tree.left):
            patch = _mended(entry, tree.entries.get(entry.tag), order, big)
            if patch is not None:
                patches[entry.place] = patch
    file.seek(0)
    return io.BufferedReader(_Mended(file, patches)) if patches else file


def _directories(file: IO[bytes], order: str, big: bool, head: bytes) -> Iterator[tags.Tree]:
    """The chain of pages as far as it can be read."""
    if len(head) < 16:
        return
    [place] = struct.unpack_from(order + ("Q" if big else "L"), head, 8 if big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < MOST_PAGES:
        seen.add(place)
        try:
            tree = tags.read(file, order, big, place, wanted=NUMBERS.__contains__)
        except (ValueError, OverflowError):
            return
        yield tree
        place = tree.next


def _mended(entry: Entry, first: Entry | None, order: str, big: bool) -> bytes | None:
    """An entry's bytes with one whole number, that of the tag's first entry; None where it is as
    it should be, or says no number."""
    if entry.tag not in NUMBERS:
        return None
    value = tags.whole(first)
    usual = entry.kind in (SHORT, LONG, LONG8, 13) and entry.count == 1
    if usual and (entry is first or value == tags.whole(entry)):
        return None
    if value is None or not 0 <= value <= 0xFFFFFFFF:
        if entry.tag != TAG_ORIENTATION:
            return None
        value = 1
    kind, code = (SHORT, "H") if value <= 65535 else (LONG, "L")
    start = struct.pack(order + ("HHQ" if big else "HHL"), entry.tag, kind, 1)
    return start + struct.pack(order + code, value).ljust(8 if big else 4, b"\0")


class _Mended(io.RawIOBase):
    """A file with other bytes in some places; few of them, and far apart."""

    def __init__(self, file: IO[bytes], patches: Mapping[int, bytes]) -> None:
        self._file, self._patches = file, patches
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        start = {0: 0, 1: self._at}.get(whence)
        self._at = self._file.seek(0, 2) + offset if start is None else max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._at)
        part = bytearray(self._file.read(len(buffer)))
        for place, patch in self._patches.items():
            begin, end = max(place, self._at), min(place + len(patch), self._at + len(part))
            if begin < end:
                part[begin - self._at : end - self._at] = patch[begin - place : end - place]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
