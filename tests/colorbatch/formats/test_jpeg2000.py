"""Boxes of JPEG 2000 files (ISO/IEC 15444-1:2019, annex I.4): walked through, not searched for."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from colorbatch.formats.boxes import boxes_of
from colorbatch.formats.jpeg2000 import UUIDS, encode, found_in, samples_of

XMP = next(uuid for uuid, name in UUIDS.items() if name == "xmp")
RGB = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)


def blocks_of(data: bytes) -> dict[str, bytes]:
    """Those that were found, the EXIF block bare."""
    found = found_in(data)
    blocks = {"xmp": found.xmp, "exif": found.exif.removeprefix(b"Exif\0\0"), "icc": found.icc}
    return {name: block for name, block in blocks.items() if block}


def box(kind: bytes, content: bytes, form: str = "short") -> bytes:
    """A box with its length in four bytes, in eight ("long"), or up to the file's end ("open")."""
    if form == "long":
        return struct.pack(">L4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">L4s", 0 if form == "open" else 8 + len(content), kind) + content


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A file without metadata, as OpenJPEG writes it."""
    return encode(RGB, {}, {})


def test_boxes_of_a_file(plain: bytes) -> None:
    """Signature, file type, header and codestream follow each other to the last byte."""
    found = list(boxes_of(plain))
    assert [each.kind for each in found] == [b"jP  ", b"ftyp", b"jp2h", b"jp2c"]
    assert [each.begin for each in found[1:]] + [len(plain)] == [each.end for each in found]
    assert plain[found[-1].content :].startswith(b"\xff\x4f\xff\x51")
    inside = [each.kind for each in boxes_of(plain, found[2].content, found[2].end)]
    assert inside == [b"ihdr", b"colr"]


@pytest.mark.parametrize("form", ["short", "long", "open"])
def test_metadata_of_every_form_of_length(plain: bytes, form: str) -> None:
    """The content is the box's, whatever way its length is told in."""
    assert blocks_of(plain + box(b"uuid", XMP + b"<x/>", form)) == {"xmp": b"<x/>"}
    assert blocks_of(encode(RGB, {"xmp": b"<x/>", "exif": b"II*"}, {})) == {
        "xmp": b"<x/>",
        "exif": b"II*",
    }


def test_what_looks_like_a_box_inside_of_another_is_none(plain: bytes) -> None:
    """Neither in a box that nobody knows, nor in the samples; and of two the first counts."""
    decoy = box(b"uuid", XMP + b"<decoy/>")
    assert blocks_of(plain + box(b"free", decoy)) == {}
    assert blocks_of(plain + decoy + box(b"uuid", XMP + b"<later/>")) == {"xmp": b"<decoy/>"}
    bare = encode(RGB, {}, {}, codestream=True)
    assert list(boxes_of(bare + decoy)) == [] and blocks_of(bare + decoy) == {}


def test_the_depth_is_the_codestreams(plain: bytes) -> None:
    """Bytes of a codestream's begin in a box before it say nothing of the depth."""
    deep = encode(RGB.astype(np.uint16) * 257, {}, {})
    place = next(each.begin for each in boxes_of(deep) if each.kind == b"jp2c")
    decoy = box(b"free", b"\xff\x4f\xff\x51" + bytes(38) + b"\x07" + bytes(20))
    samples, bits = samples_of(deep[:place] + decoy + deep[place:])
    assert bits == 16 and np.array_equal(samples, RGB.astype(np.uint16) * 257)


@pytest.mark.parametrize("cut", [3, 9, 20, 60, 85])
def test_cut_off_files_have_the_boxes_that_are_there(plain: bytes, cut: int) -> None:
    """Nothing is read beyond the end, and nothing raises; so with lengths that cannot be."""
    assert all(each.end <= cut for each in boxes_of(plain[:cut]))
    assert blocks_of(plain[:cut]) == {}
    for length in (2, 7, 2**32 - 1):
        assert len(list(boxes_of(struct.pack(">L4s", length, b"uuid") + XMP))) <= 1
    assert blocks_of(struct.pack(">L4s", 1, b"uuid") + b"\0\0\0") == {}
    assert blocks_of(box(b"jp2h", box(b"colr", b""))) == {}
