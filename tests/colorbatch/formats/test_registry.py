"""One suite that every still format passes: a row of the table, and what its adapter promises."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorbatch.errors import SourceError
from colorbatch.formats import headers, memory_need, metadata, reader, registry, sizes, writer
from colorbatch.formats.record import (
    BLOCKS,
    START_BYTES,
    Kept,
    Memory,
    Needs,
    ResultSize,
    StillFormat,
    Writing,
)
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Still
from tests.colorbatch.formats.hand_made import exif

AB = np.random.default_rng(0).uniform(-30, 30, (8, 8, 2)).astype(np.float32)
WRITTEN = pytest.mark.parametrize("format_", registry.WRITTEN)
READ = pytest.mark.parametrize("format_", registry.READ)
IPTC = b"\x1c\x02\x19\x00\x06market"
RESOURCE = b"8BIM\x03\xed\0\0\0\0\0\x04abcd"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">market</rdf:RDF>'
    b"</x:xmpmeta>"
)
OF_PILLOW = {"HEIC": "HEIF"}
"""What is read only is written by the library that reads it."""


def path_of(folder: Path, format_: Format, grey: np.ndarray, **parts: Any) -> Path:
    """A file of a format with a picture of 8 bits or more, in RGB; parts: of its still."""
    path = folder / f"a{registry.ROWS[format_].suffixes[0]}"
    if format_ in OF_PILLOW:
        needs = registry.adapter(format_).needs
        if needs and not needs.load():
            pytest.skip(f"needs {needs.library}")
        Image.fromarray(np.dstack([grey] * 3)).save(path, OF_PILLOW[format_], quality=95)
    else:
        still = Still(format_, grey, **parts)
        path.write_bytes(writer.encode(still, AB, format_, mark="test").data)
    return path


@pytest.fixture
def grey(grey_photograph: Any) -> np.ndarray:
    """A photograph (160, 240), uint8."""
    return np.ascontiguousarray(grey_photograph("coffee")[100:260, 100:340])


@READ
def test_a_row_and_its_adapter_agree(format_: Format) -> None:
    """Names, suffixes, and whether it is written."""
    row, found = registry.ROWS[format_], registry.adapter(format_)
    assert found.name == row.name == format_
    assert all(registry.FORMATS[suffix] == format_ for suffix in row.suffixes)
    assert (found.writing is None) == (row.results != format_)
    assert registry.of_result(row.suffixes[0], format_) == row.results in registry.WRITTEN
    if row.quality is not None:
        assert registry.writing(format_).size.bytes_lossy(row.quality) > 0
    assert not registry.NOT_READ & set(row.suffixes)


@pytest.mark.parametrize("record", [StillFormat, Writing, ResultSize, Memory, Kept, Needs,
                                    registry.FormatRow])  # fmt: skip
def test_a_part_that_is_left_out_fails_at_once(record: Any) -> None:
    """No part of a record has a default, so that none is wrong in silence."""
    names = [one.name for one in dataclasses.fields(record)]
    assert names
    for left_out in names:
        with pytest.raises(TypeError, match=left_out):
            record(**{name: None for name in names if name != left_out})


@READ
def test_a_file_begins_as_one_format_only(format_: Format, tmp_path: Path, grey: Any) -> None:
    """Whatever the order of the table."""
    start = path_of(tmp_path, format_, grey).read_bytes()[:START_BYTES]
    assert [one.name for one in registry.adapters() if one.begins(start)] == [format_]
    assert not any(one.begins(b"no picture at all") for one in registry.adapters())


@READ
def test_what_is_written_is_read_back(format_: Format, tmp_path: Path, grey: Any) -> None:
    """Luma of 8 bits within rounding, or near it where a format is lossy."""
    path = path_of(tmp_path, format_, grey)
    still = reader.read(path)
    assert (still.format, still.size, still.dtype) == (format_, grey.shape, np.uint8)
    off = np.abs(still.luma.astype(int) - grey)
    if registry.adapter(format_).lossy:
        assert off.mean() < 1.5
    else:
        assert off.max() <= 1


@WRITTEN
def test_sixteen_bits_are_kept_or_named(format_: Format, tmp_path: Path, grey: Any) -> None:
    """As deep as a format's samples are."""
    deep = grey.astype(np.uint16) * 257
    result = writer.encode(Still("TIFF", deep), AB, format_, mark="test")
    path = tmp_path / f"a{registry.ROWS[format_].suffixes[0]}"
    path.write_bytes(result.data)
    found = reader.read(path)
    kept = found.dtype == np.uint16
    off = np.abs(found.luma / np.iinfo(found.dtype).max - grey / 255) * 255
    assert off.mean() < 1.5 and off.max() < 30
    assert kept == (registry.writing(format_).sample_bytes > 1)
    assert kept or any(re.match("16 bits became", note) for note in result.notes)


@WRITTEN
@pytest.mark.parametrize("alpha", [False, True])
def test_headers_tell_what_decoding_finds(
    format_: Format, alpha: bool, tmp_path: Path, grey: Any
) -> None:
    """Format, size, samples and bits, without decoding."""
    path = path_of(tmp_path, format_, grey, alpha=grey.copy() if alpha else None)
    [found] = headers.pictures_of(path)
    still = reader.read(path)
    channels = (1 if still.rgb is None else 3) + (still.alpha is not None)
    assert (found.format, found.samples, found.bits) == (format_, channels, 8)
    assert (found.height, found.width) == still.size
    assert (still.alpha is not None) == (alpha and registry.writing(format_).alpha != "none")
    assert 0 < found.nbytes <= path.stat().st_size
    assert found.beside >= 0


@READ
def test_memory_and_size_grow_with_the_picture(format_: Format, tmp_path: Path, grey: Any) -> None:
    """Four times the pixels need more, and make more; never nothing."""
    result = registry.ROWS[format_].results
    before = (0.0, 0.0, 0.0)
    for factor in (1, 2):
        path = path_of(tmp_path, format_, np.kron(grey, np.ones((factor, factor), np.uint8)))
        target = path.with_suffix(registry.ROWS[result].suffixes[0])
        read = memory_need.of_reading(path) - memory_need.PICTURE_BYTES
        colored = memory_need.of_coloring(path, target) - memory_need.PICTURE_BYTES
        low, middle, high = sizes.of_result(headers.pictures_of(path), result)
        assert 0 < low <= middle <= high
        assert read >= grey.size * factor**2
        now = (float(read), float(colored), middle)
        assert all(more > less for more, less in zip(now, before, strict=True))
        before = now


@WRITTEN
def test_a_result_has_about_the_size_that_is_foretold(
    format_: Format, tmp_path: Path, grey: Any
) -> None:
    """Of a photograph in the same format, by a factor of two; the mark is a good part of it."""
    path = path_of(tmp_path, format_, grey)
    low, _, high = sizes.of_result(headers.pictures_of(path), format_)
    size = len(writer.encode(reader.read(path), AB, format_, mark="test").data)
    assert low / 2 < size < high * 2


@READ
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6])
def test_a_truncated_file_is_refused(
    format_: Format, part: float, tmp_path: Path, grey: Any
) -> None:
    """As a SourceError that names the file; headers tell something or nothing, but never fail."""
    path = path_of(tmp_path, format_, grey)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(SourceError, match=re.escape(str(path))):
        reader.read(path)
    headers.pictures_of(path)
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="empty"):
        reader.read(path)


@READ
def test_more_pixels_than_are_allowed_are_refused(
    format_: Format, tmp_path: Path, grey: Any
) -> None:
    """By the header."""
    path = path_of(tmp_path, format_, grey)
    with pytest.raises(SourceError, match="240 x 160 pixels are more than"):
        reader.read(path, grey.size - 1)


@WRITTEN
def test_a_side_that_is_too_long_is_refused(format_: Format) -> None:
    """Before anything is encoded; where there is no limit, one of 70,000 pixels is written."""
    most = registry.writing(format_).largest_side
    still = Still("PNG", np.zeros((1, 70_000 if most is None else most + 1), np.uint8))
    if most is None:
        assert writer.encode(still, AB, format_, mark="test").data
        return
    with pytest.raises(writer.TargetError, match=f"at most {most} pixels a side"):
        writer.encode(still, AB, format_, mark="test")


@WRITTEN
def test_metadata_are_kept_or_named(format_: Format, tmp_path: Path, grey: Any) -> None:
    """Of a source in another format: what the adapter says that it keeps is in the result, and of
    all else there is a note."""
    profile = bytes(imagecodecs.cms_profile("adobergb"))
    parts: dict[str, Any] = {
        "exif": exif([(271, 2, b"market\0"), (274, 3, b"\6\0")]),
        "xmp": XMP,
        "icc": profile,
        "orientation": 6,
        "photoshop": {metadata.IPTC: metadata.iptc_block(IPTC), 0x03ED: RESOURCE},
        "dpi": (300.0, 300.0),
    }
    still = Still("another", grey, **parts)
    still = dataclasses.replace(still, format="TIFF" if format_ != "TIFF" else "PNG")
    result = writer.encode(still, AB, format_, mark="test")
    path = tmp_path / f"a{registry.ROWS[format_].suffixes[0]}"
    path.write_bytes(result.data)
    found, notes = reader.read(path), "; ".join(result.notes)
    there = {
        "exif": b"market" in found.exif,
        "xmp": b"market" in found.xmp,
        "icc": found.icc == profile,
        "orientation": found.orientation == 6,
        "iptc": metadata.iptc_of(found.photoshop) == IPTC,
        "photoshop": found.photoshop.get(0x03ED) == RESOURCE,
        "dpi": found.dpi == pytest.approx((300, 300), rel=1e-3),
    }
    named = {"exif": "EXIF", "xmp": "XMP", "icc": "profile", "orientation": "orientation",
             "iptc": "IPTC", "photoshop": "Photoshop", "dpi": "resolution"}  # fmt: skip
    kept = registry.writing(format_).kept(still)
    assert kept.blocks == {kind for kind, is_there in there.items() if is_there}
    for kind, word in named.items():
        assert (word in notes) != there[kind], (kind, notes)
    assert kept.name in notes or kept.blocks == BLOCKS


@WRITTEN
def test_only_one_page_where_there_is_room_for_one(format_: Format, grey: Any) -> None:
    """Several are written, or refused with the format that holds them."""
    file = io.BytesIO()
    pages = [(Still("TIFF", grey), AB)] * 2
    if registry.writing(format_).several_pages:
        assert writer.write(file, pages, format_, writer.StillStyle("test")) == ()
        return
    with pytest.raises(writer.TargetError) as caught:
        writer.write(file, pages, format_, writer.StillStyle("test"))
    assert caught.value.advice == "--format tif"
