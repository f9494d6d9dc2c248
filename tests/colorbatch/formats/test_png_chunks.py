"""Chunks of PNG: metadata wherever it stands, texts of any length, and the rest kept or named."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorbatch.formats import png_chunks, reader
from colorbatch.formats.headers import pictures_of
from tests.colorbatch.formats.hand_made import (
    GREY,
    by_exiftool,
    chunk,
    colored,
    exif,
    needs_exiftool,
    png,
)

RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
RDF += b'rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="box 7"/></rdf:RDF>'
BLOCK = exif([(271, 2, b"Maker\0"), (315, 2, b"A. Krenn\0")])
KEY = b"XML:com.adobe.xmp"
PLACES = {
    "iTXt": chunk(b"iTXt", KEY + b"\0\0\0\0\0" + RDF),
    "iTXt packed": chunk(b"iTXt", KEY + b"\0\1\0en\0XMP\0" + zlib.compress(RDF)),
    "tEXt": chunk(b"tEXt", KEY + b"\0" + RDF),
    "zTXt": chunk(b"zTXt", KEY + b"\0\0" + zlib.compress(RDF)),
}


def raw(kind: str, block: bytes, name: bytes = b"zTXt") -> bytes:
    """A block as ImageMagick 6 writes it: name, length, digits in lines of 36 bytes."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(block):8}\n{lines}\n".encode()
    key = f"Raw profile type {kind}".encode()
    return chunk(name, key + b"\0" + (b"\0" + zlib.compress(text) if name == b"zTXt" else text))


PLACES |= {
    "raw": raw("xmp", RDF),
    "raw tEXt": raw("xmp", RDF, b"tEXt"),
    "raw APP1": raw("APP1", b"http://ns.adobe.com/xap/1.0/\0" + RDF),
}


@needs_exiftool
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_xmp_in_every_place(tmp_path: Path, place: str, behind: bool, deep: bool) -> None:
    """Ahead of the pixels or behind them, and with EXIF ahead: exiftool finds it in the result."""
    ahead, late = [chunk(b"eXIf", BLOCK[6:])], [PLACES[place]]
    data = png(*ahead, behind=late, deep=deep) if behind else png(*ahead, *late, deep=deep)
    result, notes = colored(tmp_path / "a.png", data)
    said = by_exiftool(tmp_path / "b.png", result)
    assert said["XMP-dc:Source"] == "box 7" and said["IFD0:Artist"] == "A. Krenn"
    assert not notes


@needs_exiftool
@pytest.mark.parametrize("kind", ["exif", "APP1"])
def test_exif_in_digits(tmp_path: Path, kind: str) -> None:
    """It becomes an eXIf chunk; where there is one already, the other is named."""
    said = by_exiftool(tmp_path / "b.png", colored(tmp_path / "a.png", png(raw(kind, BLOCK)))[0])
    assert said["IFD0:Artist"] == "A. Krenn"
    other = chunk(b"eXIf", exif([(271, 2, b"Other\0")])[6:])
    result, notes = colored(tmp_path / "a.png", png(raw(kind, BLOCK), other))
    assert b"Other" in result and "another one" in notes


def test_iptc_in_digits_goes_into_a_jpeg(tmp_path: Path) -> None:
    """A PNG keeps the text that it is in; JPEG has a place for it."""
    record = b"\x1c\x02\x19\x00\x06market"
    text = raw("iptc", b"8BIM\x04\x04\0\0\0\0\0\x0b" + record + b"\0")
    result, notes = colored(tmp_path / "a.png", png(text))
    assert text in result and not notes
    assert record in colored(tmp_path / "a.png", png(raw("iptc", record)), "JPEG")[0]


@pytest.mark.parametrize("deep", [False, True])
def test_long_texts_are_no_reason_to_refuse(tmp_path: Path, deep: bool) -> None:
    """Packed texts of megabytes, together beyond any limit; XMP of 1.2 MB; before work as well."""
    long = RDF.replace(b"box 7", b"x" * 1_200_000)
    texts = [chunk(b"zTXt", b"History\0\0" + zlib.compress(b"y" * 40_000_000))] * 2
    data = png(chunk(b"iTXt", KEY + b"\0\1\0\0\0" + zlib.compress(long)), *texts, deep=deep)
    result, notes = colored(tmp_path / "a.png", data)
    assert result.count(texts[0]) == 2 and b"x" * 1_200_000 in result and not notes
    [one] = pictures_of(tmp_path / "a.png")
    assert (one.height, one.width) == GREY.shape


def test_a_bomb_of_xmp_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more than a block may be is dropped, not the picture."""
    monkeypatch.setattr(png_chunks, "LARGEST_BLOCK", 1000)
    packed = zlib.compress(RDF.replace(b"box 7", b"x" * 2000))
    _, notes = colored(tmp_path / "a.png", png(chunk(b"iTXt", KEY + b"\0\1\0\0\0" + packed)))
    assert "could not be unpacked" in notes


@needs_exiftool
@pytest.mark.parametrize("deep", [False, True])
def test_what_says_how_codes_are_shown_stays(tmp_path: Path, deep: bool) -> None:
    """cICP (BT.2020, PQ), its light levels, gAMA; a program's own chunk that is safe to copy,
    behind the pixels where it was; a ratio of pixels."""
    chunks = {
        b"cICP": b"\x09\x10\0\1", b"cLLI": struct.pack(">LL", 10_000_000, 4_000_000),
        b"gAMA": struct.pack(">L", 50000), b"oFFs": struct.pack(">llB", 3, 4, 0),
        b"pHYs": struct.pack(">LLB", 2, 1, 0), b"tEXt": b"Author\0A. Kr\xe9nn",
    }  # fmt: skip
    own = chunk(b"prVt", b"behind")
    ahead = [chunk(name, content) for name, content in chunks.items()]
    result, notes = colored(tmp_path / "a.png", png(*ahead, behind=[own], deep=deep))
    assert not notes and all(result.count(one) == 1 for one in ahead)
    assert result.index(own) > result.index(b"IDAT") > result.index(b"cICP")
    assert by_exiftool(tmp_path / "b.png", result)["PNG-cICP:TransferCharacteristics"] == 16
    notes = colored(tmp_path / "a.png", png(*ahead, deep=deep), "TIFF")[1]
    assert "how its codes are shown" in notes and "oFFs" in notes and "text chunks" in notes


def test_a_ratio_of_pixels_is_turned_with_them(tmp_path: Path) -> None:
    """pHYs across and down change places."""
    ratio = chunk(b"pHYs", struct.pack(">LLB", 2, 1, 0))
    turn = chunk(b"eXIf", exif([(274, 3, b"\6\0")])[6:])
    result, _ = colored(tmp_path / "a.png", png(ratio, turn), upright=True)
    assert chunk(b"pHYs", struct.pack(">LLB", 1, 2, 0)) in result


@pytest.mark.parametrize(
    "name", [b"sBIT", b"tIME", b"bKGD", b"hIST", b"sPLT", b"caBX", b"abCD", b"acTL"]
)
def test_other_chunks_are_named(tmp_path: Path, name: bytes) -> None:
    """Those that are tied to the pixels (section 5.4), and an animation of no frames."""
    assert name.decode() in colored(tmp_path / "a.png", png(chunk(name, bytes(8))))[1]


def test_damaged_chunks_beside_the_picture(tmp_path: Path) -> None:
    """A wrong checksum of a text, a profile that cannot be unpacked: named, and all others stay."""
    wrong = bytearray(chunk(b"tEXt", b"Author\0nobody"))
    wrong[-1] ^= 1
    profile = chunk(b"iCCP", b"scanner\0\0" + b"no stream")
    kept = chunk(b"tEXt", b"Title\0On the steps")
    result, notes = colored(tmp_path / "a.png", png(bytes(wrong), profile, kept))
    assert "tEXt (its checksum differs)" in notes and "profile could not be unpacked" in notes
    assert kept in result and b"nobody" not in result
    assert np.array_equal(reader.read(tmp_path / "a.png").luma, GREY)


def test_the_profiles_name_stays(tmp_path: Path) -> None:
    """Its chunk is copied as it is."""
    content = b"Scanner 7\0\0" + zlib.compress(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    result, notes = colored(tmp_path / "a.png", png(chunk(b"iCCP", content)))
    assert not notes and chunk(b"iCCP", content) in result
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["icc_profile"]
