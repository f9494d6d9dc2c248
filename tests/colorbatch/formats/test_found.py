"""The account of blocks: unknown ones of every format are kept or named; of known ones the same."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorbatch.formats import reader
from colorbatch.formats.found import Block, not_kept
from colorbatch.formats.jpeg2000 import ALSO, encode
from tests.colorbatch.formats.hand_made import (
    GREY,
    chunk,
    colored,
    exif,
    jpeg,
    png,
    segment,
    tiff,
    webp,
)

MARK = b"a block that nobody knows"
JP2 = encode(np.dstack([GREY] * 3), {}, {})


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(content), kind) + content


def heif(more: bytes) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    grey = np.ascontiguousarray(np.dstack([np.kron(GREY, np.ones((4, 4), np.uint8))] * 3))
    heif.from_pillow(Image.fromarray(grey)).save(buffer, quality=-1)
    return buffer.getvalue() + more


def avif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).convert("RGB").save(buffer, "AVIF", exif=exif([(271, 2, MARK + b"\0")]))
    return buffer.getvalue()


def bmp(more: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "BMP")
    return buffer.getvalue() + more


UNKNOWN: dict[str, Callable[[], bytes]] = {
    "JPEG segment": lambda: jpeg(segment(0xE9, MARK)),
    "JPEG APP1": lambda: jpeg(segment(0xE1, MARK)),
    "JPEG APP2": lambda: jpeg(segment(0xE2, MARK)),
    "JPEG APP13": lambda: jpeg(segment(0xED, MARK)),
    "JPEG behind": lambda: jpeg(behind=MARK),
    "PNG unsafe": lambda: png(chunk(b"quAD", MARK)),
    "PNG safe": lambda: png(chunk(b"quAd", MARK)),
    "PNG raw profile": lambda: png(chunk(b"tEXt", b"Raw profile type app9\0" + MARK)),
    "PNG behind": lambda: png() + MARK,
    "TIFF private": lambda: tiff([(65001, 2, MARK)]),
    "TIFF of a standard": lambda: tiff([(316 + 3, 2, MARK)]),
    "TIFF type": lambda: tiff([(65002, 99, b"abcd")]),
    "WEBP chunk": lambda: webp((b"QUAD", MARK)),
    "WEBP exif twice": lambda: webp((b"EXIF", b"II*\0" + MARK), (b"EXIF", b"MM\0*" + MARK)),
    "WEBP behind": lambda: webp(behind=MARK),
    "JP2 box": lambda: JP2 + box(b"quad", MARK),
    "JP2 uuid": lambda: JP2 + box(b"uuid", bytes(16) + MARK),
    "JP2 xml": lambda: JP2 + box(b"xml ", MARK),
    "JP2 in the header": lambda: _in_header(box(b"quad", MARK)),
    "JP2 comment": lambda: _with_comment(),
    "HEIC box": lambda: heif(box(b"quad", MARK)),
    "HEIC uuid": lambda: heif(box(b"uuid", bytes(16) + MARK)),
    "AVIF box": lambda: avif() + box(b"quad", MARK),
    "AVIF item": lambda: avif().replace(b"Exif", b"quad"),
    "BMP behind": lambda: bmp(MARK),
}


def _in_header(inner: bytes) -> bytes:
    at = JP2.index(b"jp2h") - 4
    [length] = struct.unpack_from(">L", JP2, at)
    head = struct.pack(">L", length + len(inner)) + JP2[at + 4 : at + length]
    return JP2[:at] + head + inner + JP2[at + length :]


def _with_comment() -> bytes:
    """A COM segment behind SIZ of the codestream (ISO/IEC 15444-1, section A.9.2)."""
    siz = JP2.index(b"\xff\x4f\xff\x51") + 2
    end = siz + 2 + int.from_bytes(JP2[siz + 2 : siz + 4], "big")
    comment = struct.pack(">HHH", 0xFF64, 4 + len(MARK), 1) + MARK
    at = JP2.index(b"jp2c") - 4
    length = int.from_bytes(JP2[at : at + 4], "big")
    size = struct.pack(">L", length + len(comment) if length else 0)
    return JP2[:at] + size + JP2[at + 4 : end] + comment + JP2[end:]


@pytest.mark.parametrize("result", ["own", "TIFF", "PNG", "JPEG"])
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_knows_is_kept_or_named(tmp_path: Path, name: str, result: str) -> None:
    """In a result of the same format and of another; the picture is colored either way."""
    format_ = {"own": "JPEG" if "HEIC" in name else None}.get(result, result)
    data, notes = colored(tmp_path / "a", UNKNOWN[name](), format_)
    assert (MARK in data) or ("not kept" in notes), notes


@pytest.mark.parametrize(
    ("make", "count"),
    [(lambda: jpeg(), 1), (lambda: png(), 3), (lambda: tiff([]), 9), (lambda: webp(), 3)],
)
def test_plain_files_have_nothing_to_say(
    tmp_path: Path, make: Callable[[], bytes], count: int
) -> None:
    """No note; and their blocks are all in the account."""
    assert colored(tmp_path / "a", make())[1] == ""
    assert len(reader.read(tmp_path / "a").blocks) == count


def test_the_account_is_the_difference() -> None:
    """Of a source's blocks those go that a result of its format does not hold; many are counted."""
    blocks = [Block("chunks", f"ab{letter}D") for letter in "ABCDEFGHIJ"]
    own = {"text": "the texts are gone"}
    [note] = not_kept([*blocks, Block("chunks", "tEXt", "text")], own, same=True)
    assert note.startswith("these chunks were not kept: abAD, abBD") and note.endswith("and more")
    assert [*not_kept([Block("chunks", "tEXt", "text")], own, same=False)] == [own["text"]]


@pytest.mark.parametrize("kind", [b"resc", b"resd"])
def test_both_resolutions_of_jpeg_2000(tmp_path: Path, kind: bytes) -> None:
    """That of the scan and that to be shown at, in the box where it was (annex I.5.3.7)."""
    inner = box(kind, struct.pack(">HHHHbb", 1181, 10, 2362, 10, 2, 2))
    data = _in_header(box(b"res ", inner))
    (tmp_path / "a").write_bytes(data)
    assert reader.read(tmp_path / "a").dpi == pytest.approx((600, 300), rel=1e-3)
    result, notes = colored(tmp_path / "a", data)
    assert kind in result and not notes
    (tmp_path / "b").write_bytes(result)
    assert reader.read(tmp_path / "b").dpi == pytest.approx((600, 300), rel=1e-3)


@pytest.mark.parametrize("uuid", ALSO)
def test_boxes_of_old_photoshop(tmp_path: Path, uuid: bytes) -> None:
    """EXIF, IPTC and resources under the numbers of Photoshop 7 (ExifTool, Jpeg2000.pm)."""
    record = b"\x1c\x02\x19\x00\x06market"
    block = {"exif": exif([(271, 2, b"market\0")])[6:], "iptc": record,
             "photoshop": b"8BIM\x04\x04\0\0\0\0\0\x0b" + record + b"\0"}[ALSO[uuid]]  # fmt: skip
    result, notes = colored(tmp_path / "a", JP2 + box(b"uuid", uuid + block))
    assert b"market" in result and uuid not in result and not notes


def test_second_items_of_heic_are_named(tmp_path: Path) -> None:
    """pillow-heif takes the first EXIF, and the first item of any MIME type for XMP."""
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    picture = heif.from_pillow(Image.new("RGB", (64, 64)))
    picture.save(buffer, quality=-1, xmp=b"<rdf:RDF></rdf:RDF>", exif=exif([(271, 2, b"abc\0")]))
    data = buffer.getvalue()
    assert colored(tmp_path / "a", data, "JPEG")[1] == ""
    other = data.replace(b"application/rdf+xml", b"application/own+xml")
    assert "application/own+xml" in colored(tmp_path / "a", other, "JPEG")[1]


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_bmp_without_a_resolution_gets_none(tmp_path: Path, mode: str) -> None:
    """Libraries would say 96 dpi."""
    buffer = io.BytesIO()
    Image.fromarray(GREY).convert(mode).save(buffer, "PNG")
    result, _ = colored(tmp_path / "a", buffer.getvalue(), "BMP")
    assert struct.unpack_from("<ii", result, 38) == (0, 0)


def test_a_profile_in_a_bmp_is_named(tmp_path: Path) -> None:
    """BITMAPV5HEADER with PROFILE_EMBEDDED."""
    plain = bmp(b"")
    head = bytearray(plain[14:54]) + bytes(84)
    struct.pack_into("<L", head, 0, 124)
    struct.pack_into("<L", head, 56, 0x4D424544)
    [offset] = struct.unpack_from("<L", plain, 10)
    data = plain[:10] + struct.pack("<L", offset + 84) + bytes(head) + plain[54:]
    assert "profile" in colored(tmp_path / "a", data)[1]
