"""Segments of JPEG and what lies behind the picture: kept, or named. Read back by exiftool."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorbatch.formats import reader
from tests.colorbatch.formats.hand_made import (
    by_exiftool,
    colored,
    exif,
    jpeg,
    needs_exiftool,
    segment,
    value,
)

XMP = b"http://ns.adobe.com/xap/1.0/\0"
RDF = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
RDF += b'syntax-ns#"><rdf:Description rdf:about="" %s/></rdf:RDF></x:xmpmeta>'
DC = b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="%s"'
FILM = b"\0\0\0\x18ftypmp42" + bytes(400)


def profile_pieces(profile: bytes, *heads: tuple[int, int]) -> list[bytes]:
    """APP2 segments of a profile in as many parts as there are heads (number, count)."""
    size = -(-len(profile) // len(heads))
    return [
        segment(0xE2, b"ICC_PROFILE\0" + bytes(head) + profile[at * size : (at + 1) * size])
        for at, head in enumerate(heads)
    ]


@needs_exiftool
def test_all_comments_and_packets_stay(tmp_path: Path) -> None:
    """Two comments in their order, two XMP packets."""
    data = jpeg(
        segment(0xFE, b"from box 7"), segment(0xE1, XMP + RDF % (DC % b"first")),
        segment(0xE1, XMP + RDF % (DC % b"second")), segment(0xFE, b"scanned twice"),
    )  # fmt: skip
    result, notes = colored(tmp_path / "a.jpg", data)
    said = by_exiftool(tmp_path / "b.jpg", result)
    comments = [text for name, text in said.items() if "Comment" in name]
    assert not notes and result.index(b"from box 7") < result.index(b"scanned twice")
    assert "from box 7" in comments or "from box 7" in str(said)
    assert b"first" in result and b"second" in result
    notes = colored(tmp_path / "a.jpg", data, "PNG")[1]
    assert "comment was not kept" in notes and "second XMP packet" in notes


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), *range(0xF0, 0xFE), 0x02])
def test_unknown_segments_are_named(tmp_path: Path, marker: int) -> None:
    """Every APPn with a signature that nobody knows, and reserved markers (T.81, table B.1)."""
    if marker == 0xEE:
        pytest.skip("libjpeg takes APP14 for Adobe's")
    data = jpeg(segment(marker, b"SomeScanner\0" + bytes(30)))
    try:
        _, notes = colored(tmp_path / "a.jpg", data)
    except Exception as error:  # libjpeg refuses some of the reserved ones
        assert marker not in range(0xE0, 0xF0), error
        return
    assert "segments were not kept" in notes and (marker > 0xEF or "SomeScanner" in notes)


@pytest.mark.parametrize(
    ("behind", "words"),
    [(FILM, "MP4"), (b"SEFH" + bytes(8) + b"SEFT", "bytes"), (jpeg(), "JPEG picture"),
     (jpeg() + FILM, "JPEG picture and an MP4 film"), (b"\0" * 50, ""), (b"\r\n", "")],
)  # fmt: skip
def test_what_lies_behind_is_named(tmp_path: Path, behind: bytes, words: str) -> None:
    """Films, second pictures, a maker's own; zeros are nothing."""
    _, notes = colored(tmp_path / "a.jpg", jpeg(behind=behind))
    assert words in notes and bool(words) == bool(notes)


@needs_exiftool
def test_xmp_does_not_point_to_what_is_gone(tmp_path: Path) -> None:
    """Motion photos and gain maps as attributes and as elements; everything else stays."""
    camera = b'xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MotionPhoto="1" '
    camera += b'G:MicroVideoOffset="424" G:ShotLog="kept" '
    camera += b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
    packet = RDF % (camera + DC % b"box 7")
    place = b'<C:Directory xmlns:C="http://ns.google.com/photos/1.0/container/"><rdf:Seq>'
    place += b'<rdf:li rdf:parseType="Resource"><C:Item C:Length="424"/></rdf:li></rdf:Seq>'
    place += b"</C:Directory>"
    end = b"</rdf:RDF>"
    more = b'<rdf:Description rdf:about="" xmlns:C="http://ns.google.com/photos/1.0/container/">'
    packet = packet.replace(end, more + place + b"</rdf:Description>" + end)
    data = jpeg(segment(0xE1, XMP + packet), behind=FILM)
    result, _ = colored(tmp_path / "a.jpg", data)
    for gone in (b"MotionPhoto", b"MicroVideo", b"hdrgm:Version", b"Directory", b"424"):
        assert gone in data and gone not in result
    said = by_exiftool(tmp_path / "b.jpg", result, "-warning", "-xmp:all")
    assert said["XMP-dc:Source"] == "box 7" and b"ShotLog" in result
    assert not any("Warning" in name for name in said)
    assert b"MotionPhoto" in colored(tmp_path / "a.jpg", jpeg(segment(0xE1, XMP + packet)))[0]


@pytest.mark.parametrize(
    ("heads", "whole"),
    [([(1, 2), (2, 2)], True), ([(2, 2), (1, 2)], True), ([(1, 3), (2, 3)], False),
     ([(1, 1), (2, 1)], False), ([(1, 2), (1, 2)], False), ([(0, 1)], False)],
)  # fmt: skip
def test_profiles_in_pieces(tmp_path: Path, heads: list[tuple[int, int]], whole: bool) -> None:
    """In any order; one with a piece missing or counted wrongly goes with a note."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pieces = profile_pieces(profile, *heads)
    if heads[0][0] == 2:
        size = -(-len(profile) // 2)
        pieces = [
            segment(0xE2, b"ICC_PROFILE\0" + bytes(head) + part)
            for head, part in zip(heads, (profile[size:], profile[:size]), strict=True)
        ]
    result, notes = colored(tmp_path / "a.jpg", jpeg(*pieces))
    with Image.open(io.BytesIO(result)) as image:
        assert image.info.get("icc_profile") == (profile if whole else None)
    assert ("profile" in notes) != whole
    cut = profile_pieces(profile[: len(profile) // 2], (1, 1))
    assert "profile could not be read" in colored(tmp_path / "a.jpg", jpeg(*cut))[1]


@needs_exiftool
@pytest.mark.parametrize("kind", [3, 4, 5, 12])
def test_no_resolution_is_invented(tmp_path: Path, kind: int) -> None:
    """EXIF without one gets none in JFIF; one in EXIF, of any type, is JFIF's as well."""
    bare = jpeg(segment(0xE1, exif([(271, 2, b"Maker\0")])))
    said = by_exiftool(tmp_path / "b.jpg", colored(tmp_path / "a.jpg", bare)[0])
    assert said["JFIF:ResolutionUnit"] == 0 and "IFD0:XResolution" not in said
    block = exif([(282, kind, value(kind, 300)), (283, kind, value(kind, 300)), (296, 3, b"\2\0")])
    said = by_exiftool(
        tmp_path / "b.jpg", colored(tmp_path / "a.jpg", jpeg(segment(0xE1, block)))[0]
    )
    assert said["JFIF:ResolutionUnit"] == 1 and said["JFIF:XResolution"] == 300


def test_exif_twice_and_iptc_in_pieces(tmp_path: Path) -> None:
    """The first EXIF counts, another is named; Photoshop's resources join over segments."""
    one, other = exif([(271, 2, b"First\0")]), exif([(271, 2, b"Other\0")])
    result, notes = colored(tmp_path / "a.jpg", jpeg(segment(0xE1, one), segment(0xE1, other)))
    assert b"First" in result and b"Other" not in result and "another one" in notes
    record = b"\x1c\x02\x19\x00\x06market"
    block = b"8BIM\x04\x04\0\0\0\0\0\x0b" + record + b"\0"
    start = b"Photoshop 3.0\0"
    parts = segment(0xED, start + block[:9]), segment(0xED, start + block[9:])
    result, notes = colored(tmp_path / "a.jpg", jpeg(*parts))
    assert record in result and not notes
    broken = segment(0xED, start + block + b"8BIM\x04\x05\0\0\0\0\xff\xff")
    result, notes = colored(tmp_path / "a.jpg", jpeg(broken))
    assert record in result and "broken" in notes


def test_markers_between_scans_are_found(tmp_path: Path) -> None:
    """A comment behind a scan of a progressive JPEG, and nothing in a scan's data is a marker."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    data = data[:scan] + segment(0xFE, b"between") + data[scan:]
    (tmp_path / "a.jpg").write_bytes(data)
    still = reader.read(tmp_path / "a.jpg")
    assert still.encoding["comments"] == (b"between",) and not still.notes
    assert {block.kind for block in still.blocks} <= {"comment", "dpi"}
