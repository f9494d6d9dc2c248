"""EXIF, IPTC and XMP blocks: thumbnails go, everything else stays, broken blocks do no harm."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from colorbatch.formats import metadata, tags
from colorbatch.formats.tags import Entry, Tree

THIRD = struct.pack(">LL", 1, 3)


def with_thumbnail(order: str = "<") -> bytes:
    """An EXIF block as cameras write it: orientation, a maker's note, a thumbnail in IFD1."""
    note = b"MakerNote with offsets"
    thumbnail = b"\xff\xd8 a small grey picture \xff\xd9"

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        packed = (
            struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "L", value)
        )
        return struct.pack(order + "HHL", tag, kind, count) + packed

    exif_ifd, note_at = 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 12 + 4
    second = note_at + len(note)
    data_at = second + 2 + 24 + 4
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    data += struct.pack(order + "H", 2) + entry(274, 3, 1, 6) + entry(34665, 4, 1, exif_ifd)
    data += struct.pack(order + "L", second)
    data += struct.pack(order + "H", 1) + entry(0x927C, 7, len(note), note_at)
    data += struct.pack(order + "L", 0) + note
    data += struct.pack(order + "H", 2) + entry(513, 4, 1, data_at)
    data += entry(514, 4, 1, len(thumbnail)) + struct.pack(order + "L", 0) + thumbnail
    return b"Exif\0\0" + data


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_thumbnail_goes_and_the_makers_note_stays_in_place(order: str) -> None:
    """A maker's note holds offsets of its own: it must not move."""
    block = with_thumbnail(order)
    cleaned = metadata.cleaned_exif(block, 1)
    assert b"small grey picture" in block and b"small grey picture" not in cleaned
    assert cleaned.index(b"MakerNote") == block.index(b"MakerNote")
    exif = Image.Exif()
    exif.load(cleaned)
    assert exif[274] == 1
    assert exif.get_ifd(0x8769)[0x927C] == b"MakerNote with offsets"
    assert not exif.get_ifd(1)


def test_exif_goes_into_another_file_and_back() -> None:
    """Text keeps its bytes, whatever their alphabet; fractions stay fractions; Pillow reads it."""
    town = Entry(270, 2, "Köln".encode() + b"\0", "<")
    lens, time = Entry(0xA430, 2, "Zürich".encode() + b"\0", ">"), Entry(0x829A, 5, THIRD, ">")
    inner = Tree({1: Entry(1, 2, b"R98\0", ">")})
    part = Tree({0xA430: lens, 0x829A: time}, {tags.TAG_INTEROP: inner})
    block = metadata.exif_block([town, metadata.short(274, 6)], {tags.TAG_EXIF: part})
    for order, big in (("<", False), (">", False), (">", True)):
        tree = tags.of_block(block.removeprefix(metadata.EXIF_START))
        file = io.BytesIO(b" " * 30 + tags.packed(tree, order, big, 30))
        found = tags.read(file, order, big, 30)
        assert found.entries[270].data == town.data and tags.whole(found.entries[274]) == 6
        below = found.parts[tags.TAG_EXIF]
        assert below.entries[0xA430].data == lens.data
        assert tags.pairs(below.entries[0x829A]) == ((1, 3),)
        assert below.parts[tags.TAG_INTEROP].entries[1].data == b"R98\0"
    exif = Image.Exif()
    exif.load(block)
    assert exif[274] == 6 and exif.get_ifd(0x8769)[0x829A] == IFDRational(1, 3)


def test_image_resources_are_told_apart_as_pillow_does() -> None:
    """Names, odd lengths; Pillow reads from a JPEG what `image_resources` finds."""
    iptc = b"\x1c\x02\x19\x00\x05steps"
    named = b"8BIM\x07\xd0\x05outer\0\0\0\x03abc\0"
    thumbnail = b"8BIM\x04\x0c\0\0\0\0\0\x04JPEG"
    blocks, left = metadata.image_resources(metadata.iptc_block(iptc) + thumbnail + named)
    found = dict(blocks)
    assert not left and set(found) == {0x0404, 0x07D0} and found[0x07D0] == named
    assert metadata.iptc_of(found) == iptc
    segment = b"Photoshop 3.0\0" + b"".join(found.values())
    buffer = io.BytesIO()
    marker = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    Image.new("L", (8, 8)).save(buffer, "JPEG", extra=marker)
    assert Image.open(buffer).info["photoshop"] == {0x0404: iptc, 0x07D0: b"abc"}


def test_xmp_loses_its_thumbnail_and_its_old_orientation() -> None:
    """Both forms of the orientation, attribute and element."""
    packet = (
        b'<a tiff:Orientation="6"><xmp:Thumbnails><rdf:Alt>base64</rdf:Alt></xmp:Thumbnails>'
        b"<tiff:Orientation>8</tiff:Orientation></a>"
    )
    expected = b'<a tiff:Orientation="1"><tiff:Orientation>1</tiff:Orientation></a>'
    assert metadata.cleaned_xmp(packet, 1) == expected


@given(position=st.integers(0, 200), value=st.integers(0, 255), cut=st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_damaged_exif_comes_back_or_is_cleaned(position: int, value: int, cut: int) -> None:
    """Never an exception of another kind, and never more bytes than before."""
    block = bytearray(with_thumbnail())
    block[position % len(block)] = value
    damaged = bytes(block[: len(block) - cut % len(block)])
    assert len(metadata.cleaned_exif(damaged, 1)) <= max(len(damaged), 6)
