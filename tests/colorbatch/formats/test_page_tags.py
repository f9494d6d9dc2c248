"""Tags of TIFF pages in any type, kept as they were or named; none of them costs the pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.formats import reader
from colorbatch.formats.tiff import stored_pages
from tests.colorbatch.formats.hand_made import (
    GREY,
    SIZES,
    by_exiftool,
    colored,
    needs_exiftool,
    tiff,
    value,
)

KEYWORD = b"\x1c\x02\x19\x00\x06market"
IPTC = b"\x1c\x02\x00\x00\x02\x00\x04" + KEYWORD


def resource(number: int, data: bytes) -> bytes:
    """A Photoshop image resource without a name."""
    block = struct.pack(">4sHHL", b"8BIM", number, 0, len(data)) + data
    return block + b"\0" * (len(block) % 2)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", SIZES)
def test_every_tag_in_every_type(tmp_path: Path, kind: int, order: str) -> None:
    """Numbers of the layout are read; whatever else is odd, the pixels are there and can be
    written, and a run foresees them."""
    known = {254: 0, 256: 24, 257: 16, 258: 8, 259: 1, 262: 1, 266: 1, 274: 1, 277: 1, 278: 16}
    known |= {284: 1, 296: 2, 317: 1, 338: 1, 339: 1, 341: 100, 297: 1, 330: 9, 530: 2, 320: 1}
    known |= {270: 5, 306: 3, 700: 65, 33723: 28, 34377: 56, 34675: 0, 34853: 8, 34412: 1}
    for tag, number in known.items():
        data = tiff([(tag, kind, value(kind, number, order))], order)
        result, _ = colored(tmp_path / "a.tif", data)
        with tifffile.TiffFile(io.BytesIO(result)) as file:
            assert file.pages.first.shape == (16, 24, 3), tag
        assert np.array_equal(reader.read(tmp_path / "a.tif").luma, GREY), tag
        [one] = stored_pages(io.BytesIO(data))
        assert (one.height, one.width) == GREY.shape


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "data"),
    [(2, "Zürich\0".encode()), (2, b"\x8a\xcd\xeb\xed\0"), (1, b"Market square 1912"),
     (3, None), (7, b"\x83}\x81[\x83P\x83b\x83g"), (2, b"two\0parts\0"), (2, b"")],
)  # fmt: skip
def test_text_keeps_its_bytes_and_its_type(
    tmp_path: Path, kind: int, data: bytes | None, order: str
) -> None:
    """UTF-8, cp1251, Shift-JIS, bytes, numbers: an archive's record is nobody's to rewrite."""
    if data is None:
        data = b"".join(value(3, ord(letter), order) for letter in "Marktplatz")
    result, notes = colored(tmp_path / "a.tif", tiff([(315, kind, data)], order))
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        tag = file.pages.first.tags[315]
        assert tag.dtype == kind
        kept = result[tag.valueoffset : tag.valueoffset + tag.valuebytecount]
        assert kept == data or (kind == 2 and kept == data + b"\0")
    assert not notes


@needs_exiftool
def test_exiftool_reads_text_in_its_own_alphabet(tmp_path: Path) -> None:
    """A result's description is what the source's is, for who knows the alphabet."""
    data = tiff([(270, 2, "Рыночная площадь\0".encode("cp1251")), (33432, 1, b"Archive")])
    options = ["-charset", "EXIF=cp1251"]
    source = by_exiftool(tmp_path / "b.tif", data, *options)
    result = by_exiftool(tmp_path / "c.tif", colored(tmp_path / "a.tif", data)[0], *options)
    for name in ("IFD0:ImageDescription", "IFD0:Copyright"):
        assert result[name] == source[name]
    assert source["IFD0:ImageDescription"] == "Рыночная площадь"


@pytest.mark.parametrize("kind", [2, 4, 6, 7])
def test_blocks_in_tags_of_any_type(tmp_path: Path, kind: int) -> None:
    """XMP, Photoshop's resources and IPTC as text, bytes and numbers."""
    xmp = b'<rdf:RDF><a b="box 7"/></rdf:RDF>   '
    tags = [(700, kind, xmp), (34377, kind, resource(0x07D0, b"path"))]
    tags.append((33723, kind, IPTC + b"\0" * (-len(IPTC) % 4)))
    result, notes = colored(tmp_path / "a.tif", tiff(tags))
    assert b"box 7" in result and b"path" in result and KEYWORD in result and not notes


def test_iptc_in_two_places(tmp_path: Path) -> None:
    """The record that is whole counts, wherever it stands; one that says something else is told."""
    for one, other in ((IPTC[:5], IPTC), (IPTC, IPTC[:5]), (b"", IPTC)):
        result, notes = colored(
            tmp_path / "a.tif", tiff([(33723, 7, one), (34377, 1, resource(0x0404, other))])
        )
        assert KEYWORD in result and not notes
    both = [(33723, 7, IPTC), (34377, 1, resource(0x0404, b"\x1c\x02\x05\0\5title"))]
    assert "IPTC" in colored(tmp_path / "a.tif", tiff(both))[1]


def test_iptc_in_numbers_of_the_other_order(tmp_path: Path) -> None:
    """Type LONG in a file of the other order, as old Photoshop wrote it."""
    padded = IPTC + b"\0" * (-len(IPTC) % 4)
    swapped = b"".join(padded[at : at + 4][::-1] for at in range(0, len(padded), 4))
    result, notes = colored(tmp_path / "a.tif", tiff([(33723, 4, swapped)]))
    assert KEYWORD in result and not notes


@pytest.mark.parametrize(
    ("tags", "expected", "note"),
    [([(282, 4, value(4, 300)), (283, 4, value(4, 600))], (300, 600), ""),
     ([(282, 3, value(3, 300)), (283, 12, value(12, 600))], (300, 600), ""),
     ([(282, 2, b"300\0"), (283, 2, b"600\0")], (300, 600), ""),
     ([(282, 5, struct.pack("<LL", 300, 1)), (283, 10, struct.pack("<ll", 600, 1))],
      (300, 600), ""),
     ([(282, 5, struct.pack("<LL", 300, 1))], (1, 1), "in one direction alone"),
     ([(282, 2, b"fine\0"), (283, 2, b"fine\0")], (1, 1), "unreadable resolution")],
)  # fmt: skip
def test_resolution_of_any_type(
    tmp_path: Path, tags: list[tuple[int, int, bytes]], expected: object, note: str
) -> None:
    """Fractions, whole numbers, text; and half of one is said."""
    result, notes = colored(tmp_path / "a.tif", tiff([*tags, (296, 4, value(4, 2))]))
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        assert file.pages.first.get_resolution("INCH" if not note else None) == expected
    assert note in notes and bool(note) == bool(notes)


def test_page_number_of_one_value_and_odd_ones(tmp_path: Path) -> None:
    """It stays with as many values as it had; what is none is named."""
    result, notes = colored(tmp_path / "a.tif", tiff([(297, 3, value(3, 4))]))
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        assert file.pages.first.tags[297].value == 4 and not notes
    assert "PageNumber (297)" in colored(tmp_path / "a.tif", tiff([(297, 2, b"four\0")]))[1]


def test_what_goes_is_named(tmp_path: Path) -> None:
    """Unknown tags, statistics that no longer hold, tags whose values are not there, and pictures
    below the page."""
    gone = [
        (280, 3, value(3, 9)), (301, 3, bytes(8)), (341, 3, value(3, 250)), (50999, 1, b"ab"),
        (51000, 77, b"abcd"), (330, 4, value(4, 8) * 2),
    ]  # fmt: skip
    _, notes = colored(tmp_path / "a.tif", tiff(gone))
    for name in ("280", "TransferFunction (301)", "341", "50999", "51000", "2 reduced copies"):
        assert name in notes
    usual = [(280, 3, value(3, 0)), (281, 3, value(3, 255)), (341, 2, b"255\0")]
    assert colored(tmp_path / "a.tif", tiff(usual))[1] == ""


def test_extra_samples_of_no_known_kind(tmp_path: Path) -> None:
    """Written as unspecified, and said."""
    two = np.dstack([GREY, GREY]).reshape(16, 48)
    tags = [(256, 3, value(3, 24)), (277, 3, value(3, 2)), (338, 3, value(3, 999))]
    tags.append((258, 3, value(3, 8) * 2))
    _, notes = colored(tmp_path / "a.tif", tiff(tags, grey=two))
    assert "999" in notes


@pytest.mark.parametrize("kind", [1, 2, 3, 5])
def test_pillows_pages_are_not_turned_twice(tmp_path: Path, kind: int) -> None:
    """A palette page, which Pillow reads and turns upright, with its orientation in any type."""
    ramp = b"".join(value(3, number * 257) for number in range(256)) * 3
    tags = [(262, 3, value(3, 3)), (320, 3, ramp), (274, kind, value(kind, 6))]
    data = tiff(tags)
    (tmp_path / "a.tif").write_bytes(data)
    still = reader.read(tmp_path / "a.tif")
    assert still.orientation == 6 and np.array_equal(still.luma, GREY)


def test_exif_of_other_formats_in_a_tiff(tmp_path: Path) -> None:
    """What a page has a place for goes along, what it has none for is named."""
    exif = Image.Exif()
    exif[271], exif[18246], exif[50341] = "Maker", 4, b"PrintIM\0"
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    result, notes = colored(tmp_path / "a", data, "TIFF")
    with tifffile.TiffFile(io.BytesIO(result)) as file:
        assert file.pages.first.tags[271].value == "Maker"
        assert file.pages.first.tags[18246].value == 4
    assert "PrintImageMatching (50341)" in notes and "271" not in notes
