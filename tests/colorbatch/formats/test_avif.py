"""AVIF, in and out, beside Pillow, imagecodecs and exiftool."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorbatch.errors import SourceError, TargetError
from colorbatch.formats import headers, reader, writer
from colorbatch.formats.avif_items import items_of, with_metadata
from colorbatch.formats.still import Still, upright
from tests.colorbatch.formats.hand_made import by_exiftool, exif, needs_exiftool

AB = np.random.default_rng(0).uniform(-30, 30, (8, 8, 2)).astype(np.float32)
WEIGHTS = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def rgb(photograph: Any) -> np.ndarray:
    """A photograph (60, 90, 3), uint8."""
    return np.ascontiguousarray(photograph("coffee")[100:160, 100:190])


def pillow(rgb: np.ndarray, **options: Any) -> bytes:
    """As Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "AVIF", **{"quality": 90, "subsampling": "4:4:4"} | options)
    return buffer.getvalue()


def read(path: Path, data: bytes) -> Still:
    """A file's still."""
    path.write_bytes(data)
    return reader.read(path)


@pytest.mark.parametrize("alpha", [False, True])
def test_a_lossless_result_is_exact(tmp_path: Path, rgb: np.ndarray, alpha: bool) -> None:
    """Of a lossless source, as Pillow reads it; color computed for TIFF is the same to the bit."""
    grey = np.ascontiguousarray(rgb[..., 1])
    still = Still("PNG", grey, alpha=grey.T.copy().reshape(grey.shape) if alpha else None)
    result = writer.encode(still, AB, "AVIF", mark="test")
    assert not result.notes
    with Image.open(io.BytesIO(result.data)) as image:
        seen = np.asarray(image)
    tiff = tmp_path / "a.tif"
    tiff.write_bytes(writer.encode(still, AB, "TIFF", mark="test").data)
    expected = reader.read(tiff)
    assert np.array_equal(seen[..., :3], expected.rgb)
    assert np.abs(seen[..., :3] @ WEIGHTS - grey).max() <= 0.5
    assert seen.shape[2] == 3 + alpha
    assert not alpha or np.array_equal(seen[..., 3], still.alpha)


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_samples_keep_their_depth(tmp_path: Path, rgb: np.ndarray, bits: int) -> None:
    """A lossless source of 10 or 12 bits: the result has as many, and luma within a code."""
    codes = rgb.astype(np.uint16) << (bits - 8)
    codes += np.random.default_rng(0).integers(0, 2 ** (bits - 8), rgb.shape).astype(np.uint16)
    source = bytes(imagecodecs.avif_encode(codes, level=100, bitspersample=bits, speed=9))
    still = read(tmp_path / "a.avif", source)
    assert still.dtype == np.uint16 and still.luma.max() > 60000
    assert np.abs(still.rgb / 65535 - codes / (2**bits - 1)).max() < 2 / 65535
    result = writer.encode(still, AB, "AVIF", mark="test")
    assert not result.notes
    assert items_of(result.data).bits == bits
    seen = imagecodecs.avif_decode(result.data)
    assert np.abs(seen @ WEIGHTS - codes @ WEIGHTS).max() <= 1  # of G's rounding, and of the tool's
    (tmp_path / "b.avif").write_bytes(result.data)
    [found] = headers.pictures_of(tmp_path / "b.avif")
    assert (found.bits, found.packing) == (bits, "lossless")


def test_sixteen_bits_become_twelve_and_floating_point_too(rgb: np.ndarray) -> None:
    """Which is said."""
    deep = rgb[..., 0].astype(np.uint16) * 257
    result = writer.encode(Still("TIFF", deep), AB, "AVIF", mark="test")
    assert result.notes == ("16 bits became 12: AVIF holds no more",)
    seen = imagecodecs.avif_decode(result.data) / 4095
    assert np.abs(seen @ WEIGHTS - deep / 65535).max() < 1 / 4095


def test_lossy_results_tell_how_far_off_luma_is(tmp_path: Path, rgb: np.ndarray) -> None:
    """Of a lossy source, and in any quality; a lower one is smaller and further off."""
    still = read(tmp_path / "a.avif", pillow(rgb))
    sizes, errors = [], []
    for quality in (None, 50, 100):
        result = writer.encode(still, AB, "AVIF", mark="test", quality=quality)
        sizes.append(len(result.data))
        seen = np.asarray(Image.open(io.BytesIO(result.data)).convert("RGB"))
        off = np.abs(seen @ WEIGHTS - still.luma).mean()
        told = [float(note.split()[5]) for note in result.notes]
        # what is told leaves out the rounding of the color itself
        assert not told if quality == 100 else told[0] == pytest.approx(off, abs=0.3)
        errors.append(off)
    assert sizes[1] < sizes[0] < sizes[2]
    assert errors[2] <= 0.5 and errors[0] < errors[1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_orientation_is_that_of_other_programs(
    tmp_path: Path, rgb: np.ndarray, orientation: int, mode: str
) -> None:
    """irot and imir as Pillow writes them and as it reads ours; a picture whose EXIF says nothing
    of them is turned, so that a result of any format lies right."""
    block = exif([(274, 3, bytes([orientation, 0]))])
    pixels = np.asarray(Image.fromarray(rgb).convert(mode))
    data = pillow(pixels, exif=block)
    assert reader.read(_written(tmp_path / "a.avif", data)).orientation == orientation
    result = writer.encode(
        Still("PNG", rgb[..., 0].copy(), orientation=orientation, exif=block), AB, "AVIF", mark="t"
    )
    with Image.open(io.BytesIO(result.data)) as image:
        assert image.getexif().get(274, 1) == orientation
    other = pillow(pixels, exif=exif([(271, 2, b"abc\0"), (274, 3, bytes([orientation, 0]))]))
    still = read(tmp_path / "b.avif", other)
    seen = upright(still.luma, still.orientation)
    wanted = upright(reader.read(tmp_path / "a.avif").luma, orientation)
    assert seen.shape == wanted.shape
    assert np.abs(seen.astype(int) - wanted).mean() < 1


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_grey_and_alpha_are_read(tmp_path: Path, rgb: np.ndarray, mode: str) -> None:
    """As Pillow writes them, in 4:0:0 and with alpha as an item of its own."""
    pixels = np.asarray(Image.fromarray(rgb).convert("RGBA")).copy()
    pixels[..., 3] = np.arange(90)
    image = Image.fromarray(pixels).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", quality=95)
    still = read(tmp_path / "a.avif", buffer.getvalue())
    assert (still.alpha is not None) == ("A" in mode)
    assert np.abs(still.luma.astype(int) - np.asarray(image.convert("L"))).mean() < 2
    if still.alpha is not None:
        assert np.abs(still.alpha.astype(int) - np.arange(90)).mean() < 2
    assert not [block for block in still.blocks if not block.kind]


@needs_exiftool
def test_exiftool_sees_what_a_result_holds(tmp_path: Path, rgb: np.ndarray) -> None:
    """EXIF, XMP, the profile and the turn, each where it belongs."""
    profile = bytes(imagecodecs.cms_profile("adobergb"))
    block = exif([(271, 2, b"market\0"), (274, 3, b"\6\0")])
    still = Still("PNG", rgb[..., 0].copy(), exif=block, icc=profile, orientation=6)
    data = writer.encode(still, AB, "AVIF", mark="machine").data
    said = by_exiftool(tmp_path / "a.avif", data, "-validate", "-warning")
    said |= by_exiftool(tmp_path / "a.avif", data)
    assert said["IFD0:Make"] == "market" and said["IFD0:Orientation"] == 6
    assert "machine" in said["XMP-colorbatch:ColorMadeBy"]
    assert "ICC-header:ProfileClass" in said
    assert not any("Warning" in name or "Error" in name for name in said), said


def test_primaries_stay_in_avif_and_are_named_elsewhere(tmp_path: Path, rgb: np.ndarray) -> None:
    """BT.2020 and PQ: codes are kept, and so is what they mean; JPEG cannot say it."""
    data = bytes(imagecodecs.avif_encode(rgb, level=100, speed=9, primaries=9, transfer=16))
    still = read(tmp_path / "a.avif", data)
    result = writer.encode(still, AB, "AVIF", mark="test")
    assert items_of(result.data).nclx[:2] == (9, 16) and not result.notes
    assert any("primaries" in note for note in writer.encode(still, AB, "JPEG", mark="t").notes)


def test_sequences_and_what_is_too_large_are_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    """An animation by its number of pictures; results by libavif's limits, before encoding."""
    frames = [Image.fromarray(np.roll(rgb, 9 * n, 1)) for n in range(3)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(SourceError, match="animated"):
        reader.read(tmp_path / "a.avif")
    data = bytearray(pillow(rgb))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = b"\0\0\x7f\xff" * 2
    with pytest.raises(SourceError):
        read(tmp_path / "b.avif", bytes(data))
    still = Still("PNG", np.broadcast_to(np.uint8(9), (16385, 16384)))
    with pytest.raises(TargetError, match="268 million"):
        writer.encode(still, AB, "AVIF", mark="test")


def test_damage_is_an_error_of_the_source(tmp_path: Path, rgb: np.ndarray) -> None:
    """Whatever is wrong with its boxes: a picture, or one line, never anything else."""
    profile = bytes(imagecodecs.cms_profile("srgb"))
    still = Still("PNG", rgb[..., 0].copy(), exif=exif([(271, 2, b"a\0")]), icc=profile)
    data = writer.encode(still, AB, "AVIF", mark="test").data
    head = data.index(b"mdat")
    chance = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        broken = bytearray(data)
        for place in chance.integers(8, head, 3):
            broken[place] = chance.integers(0, 256)
        (tmp_path / "a.avif").write_bytes(broken)
        headers.pictures_of(tmp_path / "a.avif")
        try:
            reader.read(tmp_path / "a.avif")
        except SourceError:
            refused += 1
    assert 0 < refused < 150
    for length in (9, 30, 200, head, head + 40, len(data) // 2):
        with pytest.raises(SourceError):
            read(tmp_path / "a.avif", data[:length])


def test_metadata_are_added_to_a_file_of_libavif_alone(rgb: np.ndarray) -> None:
    """Of another form it says so, and breaks nothing."""
    with pytest.raises(ValueError, match="unknown form"):
        with_metadata(pillow(rgb) + b"\0\0\0\x08free", b"", b"", b"", 1)
