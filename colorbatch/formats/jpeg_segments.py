"""What JPEG files hold beside the picture: every marker segment, and what lies behind the picture.

libjpeg decodes; this walks through the markers (ITU-T T.81, annex B) and says what became of each.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from colorbatch.formats import metadata
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import EXIF_START

XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP_START = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP_START = b"Photoshop 3.0\0"
ICC_START = b"ICC_PROFILE\0"
BEHIND = "data behind the picture"
"""What lies there is no part of JPEG; phones keep films and second pictures there."""
SOS, EOI, COM = 0xDA, 0xD9, 0xFE
ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""Markers without a length: TEM, SOI, RST (table B.1)."""
READ_BYTES = 1 << 20

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # one byte first: what re is quick with


class MarkerSegment(NamedTuple):
    """A marker segment: the marker's second byte, and what stands behind its length."""

    marker: int
    content: bytes


def found_in(file: IO[bytes]) -> Found:
    """Everything but the picture in a JPEG file that begins at its position."""
    found = Found(encoding={"comments": (), "extended_xmp": (), "more_xmp": ()})
    icc: list[bytes] = []
    resources = b""
    for marker, content in segments_of(file):
        if marker == COM:
            _add(found, "comments", content, Block("segments", "COM", "comment"))
        elif 0xE0 <= marker <= 0xEF:
            if marker == 0xE2 and content.startswith(ICC_START):
                icc.append(content[len(ICC_START) :])
            elif marker == 0xED and content.startswith(PHOTOSHOP_START):
                resources += content[len(PHOTOSHOP_START) :]
            else:
                _application(found, marker, content)
        elif marker not in range(0xC0, 0xE0):
            found.lose("segments", f"FF{marker:02X}")
    if resources:
        found.take_photoshop(resources)
    _take_profile(found, icc)
    _take_behind(found, file)
    found.dpi = found.dpi or metadata.dpi_of(found.exif)
    return found


def segments_of(file: IO[bytes]) -> Iterator[MarkerSegment]:
    """Every marker segment up to the picture's end, those between scans too; the file is left
    behind that end. What is cut off ends them."""
    while True:
        head = file.read(2)
        while head[:1] == b"\xff" and head[1:] == b"\xff":  # fill bytes (section B.1.1.2)
            head = head[1:] + file.read(1)
        if len(head) < 2 or (head[0] != 0xFF and not _to_marker(file)):
            return
        if head[0] != 0xFF:
            continue
        if head[1] in ALONE:
            continue
        if head[1] == EOI:
            return
        length = int.from_bytes(file.read(2), "big")
        content = file.read(max(0, length - 2))
        if length < 2 or len(content) < length - 2:
            return
        yield MarkerSegment(head[1], content)
        if head[1] == SOS and not _to_marker(file):
            return


def _to_marker(file: IO[bytes]) -> bool:
    """Go on to the next marker that is not a part of a scan's data; whether there is one."""
    kept = b""
    while part := file.read(READ_BYTES):
        data = kept + part
        if match := _MARKER.search(data):
            file.seek(match.start(1) - 1 - len(data), 1)
            return True
        kept = b"\xff" if data.endswith(b"\xff") else b""
    return False


def _add(found: Found, name: str, content: bytes, block: Block) -> None:
    found.encoding[name] += (content,)
    found.blocks.append(block)


def _application(found: Found, marker: int, content: bytes) -> None:
    """Segments APP0 to APP15 but those that come in pieces."""
    name = f"APP{marker - 0xE0}"
    if marker == 0xE0 and content.startswith(b"JFIF\0"):
        _take_density(found, content)
    elif marker == 0xE0 and content.startswith(b"JFXX\0"):
        found.blocks.append(Block("segments", "JFXX", "thumbnail"))
    elif marker == 0xE1 and content.startswith(EXIF_START):
        bare = content[len(EXIF_START) :]
        if found.exif and bare[:2] not in (b"II", b"MM"):  # the rest of a long block
            found.exif += bare
        else:
            found.take("exif", bare, "segments", f"{name} (Exif)")
    elif marker == 0xE1 and content.startswith(XMP_START):
        packet = content[len(XMP_START) :]
        if found.xmp and found.xmp != packet:
            _add(found, "more_xmp", content, Block("segments", name, "more_xmp"))
        else:
            found.take("xmp", packet, "segments", f"{name} (XMP)")
    elif marker == 0xE1 and content.startswith(EXTENDED_XMP_START):
        _add(found, "extended_xmp", content, Block("segments", name, "extended_xmp"))
    elif marker == 0xE2 and content.startswith(b"MPF\0"):
        found.encoding["mpf"] = True  # how the pictures behind lie, which go with a note
    elif marker == 0xEE and content.startswith(b"Adobe"):
        found.blocks.append(Block("segments", name, "pixels"))
    else:
        text = re.match(rb"[ -~]{2,40}", content)
        found.lose("segments", f"{name} ({text[0].decode()})" if text else name)


def _take_density(found: Found, content: bytes) -> None:
    """The resolution of JFIF 1.02: unit (1 inch, 2 cm, 0 only a ratio), across, down."""
    found.blocks.append(Block("segments", "APP0 (JFIF)", "dpi"))
    if len(content) < 12:
        return
    unit, x, y = struct.unpack_from(">BHH", content, 7)
    if unit in (1, 2) and min(x, y) > 0:
        inch = 2.54 if unit == 2 else 1.0
        found.dpi = found.dpi or (x * inch, y * inch)
    elif unit == 0 and x != y:
        found.lose("segments", f"APP0 (pixels of {y} to {x})")


def _take_profile(found: Found, pieces: list[bytes]) -> None:
    """A profile in numbered pieces, each with how many there are (ICC.1:2022, annex B.4)."""
    if not pieces:
        return
    numbered = {piece[0]: piece[2:] for piece in pieces if len(piece) > 2}
    counts = {piece[1] for piece in pieces if len(piece) > 2}
    if counts == {len(pieces)} and sorted(numbered) == list(range(1, len(pieces) + 1)):
        found.take("icc", b"".join(numbered[n] for n in sorted(numbered)), "segments", "APP2 (ICC)")
        return
    found.notes.append("the color profile has missing or miscounted pieces and was dropped")


def _take_behind(found: Found, file: IO[bytes]) -> None:
    """What lies behind the picture; XMP that points to it points to nothing in a result."""
    place = file.tell()
    behind = file.read(READ_BYTES)
    size = file.seek(0, 2) - place
    if behind.strip(b"\0\r\n "):
        kinds = ["a JPEG picture"] if behind.lstrip(b"\0").startswith(b"\xff\xd8\xff") else []
        kinds += ["an MP4 film"] if b"ftyp" in behind else []
        found.lose(BEHIND, f"{' and '.join(kinds) or 'of unknown kind'} ({size} bytes)")
    if behind or found.encoding.get("mpf"):
        found.xmp = metadata.without_what_lay_behind(found.xmp)


def tables_for_color(tables: list[list[int]]) -> list[list[int]]:
    """A source's tables for luma and chroma; a grey source has but one, which then serves both."""
    return [tables[0], tables[1] if len(tables) > 1 else tables[0]]
