"""EXIF, IPTC and XMP blocks: thumbnails go, everything else stays, broken blocks do no harm."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from colorbatch.formats import metadata


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
    """Text keeps its bytes, whatever their alphabet; fractions stay fractions."""
    part = metadata.Directory(b"II*\0\0\0\0\0")
    part.tagtype[0xA430], part[0xA430] = 2, "Zürich".encode()
    part[0x829A] = IFDRational(1, 3)
    block = metadata.exif_block({270: "Köln".encode(), 274: 6}, {metadata.TAG_EXIF: part})
    main, parts = metadata.parts_of_exif(block)
    assert bytes(main[270]).rstrip(b"\0") == "Köln".encode() and main[274] == 6
    [found] = parts.values()
    assert bytes(found[0xA430]).rstrip(b"\0") == "Zürich".encode()
    assert found[0x829A].numerator == 1 and found[0x829A].denominator == 3
    exif = Image.Exif()
    exif.load(block)
    assert exif[274] == 6 and exif.get_ifd(0x8769)[0x829A] == part[0x829A]


def test_image_resources_are_told_apart_as_pillow_does() -> None:
    """Names, odd lengths; Pillow reads from a JPEG what `image_resources` finds."""
    iptc = b"\x1c\x02\x19\x00\x05steps"
    named = b"8BIM\x07\xd0\x05outer\0\0\0\x03abc\0"
    thumbnail = b"8BIM\x04\x0c\0\0\0\0\0\x04JPEG"
    found = metadata.image_resources(metadata.iptc_block(iptc) + thumbnail + named)
    assert set(found) == {0x0404, 0x07D0} and found[0x07D0] == named
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
