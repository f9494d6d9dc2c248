"""One reader of tags: every legal type, both orders of bytes; nothing that a file says harms it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from colorbatch.formats import metadata, tags
from colorbatch.formats.tags import Entry
from tests.colorbatch.formats.hand_made import (
    GREY,
    SIZES,
    by_exiftool,
    chunk,
    colored,
    directory,
    exif,
    jpeg,
    needs_exiftool,
    png,
    segment,
    tiff,
    value,
    webp,
)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", SIZES)
def test_a_number_in_every_type(kind: int, order: str) -> None:
    """It is the number that was put in, and its bytes in the other order are that number's."""
    entry = Entry(274, kind, value(kind, 6, order), order)
    assert tags.whole(entry) == 6 and tags.pairs(entry) == ((6, 1),)
    other = "<" if order == ">" else ">"
    if kind not in (2, 7):
        assert entry.data_in(other) == value(kind, 6, other)


@pytest.mark.parametrize(
    ("kind", "data", "pairs"),
    [(2, b"72.5\0", ((145, 2),)), (2, b" 1/250 \0", ((1, 250),)), (2, b"three\0", ()),
     (2, b"\0", ()), (7, b"300", ((300, 1),)), (7, b"\x2c\x01", ((300, 1),)), (7, b"abc", ()),
     (11, struct.pack("<f", float("nan")), ()), (12, struct.pack("<d", 0.25), ((1, 4),)),
     (5, struct.pack("<LL", 0, 0), ((0, 0),)), (2, b"1e999999999\0", ())],
)  # fmt: skip
def test_text_and_odd_numbers(kind: int, data: bytes, pairs: object) -> None:
    """Text holds a number as people write it; what is none says none."""
    assert tags.pairs(Entry(282, kind, data)) == pairs


def test_what_has_no_value_is_no_number() -> None:
    """0/0 and 1/0."""
    assert tags.numbers(Entry(282, 5, struct.pack("<LLLL", 1, 2, 1, 0))) == ()


@given(data=st.binary(max_size=120), big=st.booleans(), order=st.sampled_from("<>"))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_directory_or_none(data: bytes, big: bool, order: str) -> None:
    """No error of another kind, no loop, and never more bytes of values than there are."""
    file = io.BytesIO(bytes(8) + data)
    try:
        tree = tags.read(file, order, big, 8)
    except ValueError:
        return
    entries = [*tree.entries.values(), *tree.left]
    assert sum(len(entry.data) for entry in entries if len(entry.data) > 8) <= 8 + len(data)
    for entry in entries:
        tags.whole(entry)


def test_a_directory_that_points_to_itself_ends() -> None:
    """EXIF whose EXIF pointer leads back to it: the pointer is left over."""
    tree = tags.of_block(exif([(34665, 4, value(4, 8)), (271, 2, b"Maker\0")])[6:])
    assert not tree.parts and [entry.tag for entry in tree.left] == [34665]
    assert tree.entries[271].data == b"Maker\0"


FILES = {
    "JPEG": lambda block: jpeg(segment(0xE1, block)),
    "PNG": lambda block: png(chunk(b"eXIf", block[6:])),
    "WEBP": lambda block: webp((b"EXIF", block[6:])),
}


@pytest.mark.parametrize("format_", FILES)
@pytest.mark.parametrize("kind", sorted({*SIZES} - {16}))
def test_a_turn_in_any_type_is_done_once(tmp_path: Path, format_: str, kind: int) -> None:
    """--upright: pixels turned, and the tag says so; without it the block stays, byte for byte."""
    block = exif([(271, 2, b"Maker\0"), (274, kind, value(kind, 6)), (306, 2, b"1912\0")])
    data = FILES[format_](block)
    turned, notes = colored(tmp_path / "a", data, upright=True)
    with Image.open(io.BytesIO(turned)) as image:
        assert image.size == GREY.shape
        found = image.getexif()
        assert found[274] == 1 and found[271] == "Maker" and found[306] == "1912"
    as_it_was, said = colored(tmp_path / "a", data)
    assert block[6:] in as_it_was and notes == said == ""


def test_an_orientation_given_twice_is_one(tmp_path: Path) -> None:
    """The first counts, as in libtiff, and after a turn neither is left."""
    block = exif([(274, 3, value(3, 6)), (274, 3, value(3, 3))])
    turned, _ = colored(tmp_path / "a", jpeg(segment(0xE1, block)), upright=True)
    with Image.open(io.BytesIO(turned)) as image:
        assert image.size == GREY.shape and image.getexif()[274] == 1
    turned, notes = colored(tmp_path / "a", tiff([(274, 3, value(3, 6))] * 2), upright=True)
    with Image.open(io.BytesIO(turned)) as image:
        assert image.size == GREY.shape and image.getexif().get(274, 1) == 1
    assert "Orientation (274) (another one)" in notes


def test_a_thumbnail_of_any_type_goes() -> None:
    """Its place and its length in types that cameras do not use."""
    picture = b"\xff\xd8 grey \xff\xd9"
    main = b"II*\0" + struct.pack("<L", 8) + directory([(271, 2, b"abc\0")], 8)[:-4]
    second = len(main) + 4
    tail = directory([(513, 2, b"%d\0" % (second + 40)), (514, 12, struct.pack("<d", 10))], second)
    block = b"Exif\0\0" + main + struct.pack("<L", second) + tail.ljust(40, b" ") + picture
    # text of three digits is in its entry, the double behind both
    assert picture in block and b"grey" not in metadata.cleaned_exif(block, 1)


@needs_exiftool
@pytest.mark.parametrize("order", ["<", ">"])
def test_exiftool_reads_the_same_orientation(tmp_path: Path, order: str) -> None:
    """In every type that it takes for a number."""
    for kind in (1, 3, 4, 5, 6, 8, 9, 10, 11, 12):
        block = exif([(274, kind, value(kind, 6, order))], order)
        said = by_exiftool(tmp_path / "a.jpg", jpeg(segment(0xE1, block)))
        assert said["IFD0:Orientation"] == metadata.orientation_of(block) == 6
