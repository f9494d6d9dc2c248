"""TIFF files as libraries expect them: tags of the layout in the types that the standard names.

tifffile and Pillow take a value as it is stored. What other readers take for a number (a width of
type BYTE, an orientation as text or twice) is shown to them as one; the file stays as it is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from colorbatch.formats import tags
from colorbatch.formats.tags import LONG, LONG8, SHORT, UNDEFINED, Entry, Tree
from colorbatch.formats.tiff.layout import TAG_ORIENTATION

NUMBERS = frozenset(
    {254, 255, 256, 257, 259, 262, 266, 274, 277, 278, 284, 296, 317, 322, 323, 512}
)
"""Tags of the layout that have one whole number (TIFF 6.0, section 8)."""
LISTS = frozenset({258, 338, 339})
"""Tags of the layout that have one of each sample: BitsPerSample, ExtraSamples, SampleFormat."""
TAG_PHOTOMETRIC, TAG_SUBSAMPLING, YCBCR = 262, 530, 6
HIDDEN = frozenset({33628, 33629, 33630, 34361, 34362, 34363, 34412, 50838, 50839, 65200})
"""Tags of microscopes' programs, in which tifffile looks for more than a picture."""
NO_TAG = 65534
"""A number without a meaning, under which a library overlooks a tag."""
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
            patch = _mended(entry, tree, order, big)
            if patch is not None:
                patches[entry.place] = patch
    file.seek(0)
    return io.BufferedReader(_Mended(file, patches)) if patches else file


def _directories(file: IO[bytes], order: str, big: bool, head: bytes) -> Iterator[Tree]:
    """The chain of pages as far as it can be read."""
    if len(head) < 16:
        return
    [place] = struct.unpack_from(order + ("Q" if big else "L"), head, 8 if big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < MOST_PAGES:
        seen.add(place)
        try:
            tree = tags.read(file, order, big, place, wanted=(NUMBERS | LISTS).__contains__)
        except (ValueError, OverflowError):
            return
        yield tree
        place = tree.next


def _mended(entry: Entry, tree: Tree, order: str, big: bool) -> bytes | None:
    """An entry's bytes as libraries are shown them; None where they are as they should be."""
    first = tree.entries.get(entry.tag)
    if entry.tag in HIDDEN or (entry.tag == TAG_SUBSAMPLING and not _is_ycbcr(tree)):
        return _entry(NO_TAG, UNDEFINED, [0], order, big)
    if entry.tag in LISTS and entry.kind not in (SHORT, LONG):
        values = [int(value) for value in tags.numbers(entry)]
        values = values[:1] if len(set(values)) == 1 else values
        room = 4 if big else 2
        fits = 0 < len(values) <= room and all(0 <= value <= 65535 for value in values)
        return _entry(entry.tag, SHORT, values, order, big) if fits else None
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
    return _entry(entry.tag, SHORT if value <= 65535 else LONG, [value], order, big)


def _is_ycbcr(tree: Tree) -> bool:
    return tags.whole(tree.entries.get(TAG_PHOTOMETRIC)) == YCBCR


def _entry(tag: int, kind: int, values: Sequence[int], order: str, big: bool) -> bytes:
    """An entry whose values fit into it."""
    code = {SHORT: "H", LONG: "L", UNDEFINED: "B"}[kind]
    start = struct.pack(order + ("HHQ" if big else "HHL"), tag, kind, len(values))
    return start + struct.pack(f"{order}{len(values)}{code}", *values).ljust(8 if big else 4, b"\0")


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
