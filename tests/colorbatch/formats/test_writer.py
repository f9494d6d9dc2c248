"""What results hold beside their pixels, and what is refused rather than guessed."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from colorbatch.errors import SourceError
from colorbatch.formats import writer
from colorbatch.formats.provenance import with_mark
from colorbatch.formats.reader import read
from colorbatch.formats.still import Still

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def linear_light(profile: bytes, rgb: np.ndarray) -> np.ndarray:
    """XYZ relative to the white of D50 (1, 1, 1), as a color management system sees RGB codes."""
    xyz = imagecodecs.cms_transform(
        rgb.astype(np.float32) / 255,
        profile,
        imagecodecs.cms_profile("xyz"),
        colorspace="rgb",
        outcolorspace="xyz",
        outdtype="f4",
        intent=1,
    )
    return xyz / np.array([0.9642, 1, 0.8249])


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_a_grey_profile_becomes_an_rgb_profile_in_which_grey_looks_the_same(
    gamma: float, format_: writer.Format
) -> None:
    """Uncolored codes under the new profile have the lightness that they had under the old one."""
    grey_profile = imagecodecs.cms_profile("gray", gamma=gamma)
    still = Still(format_, RAMP, icc=grey_profile)
    result = writer.encode(still, np.zeros((2, 2, 2), np.float32), format_, mark="test")
    with Image.open(io.BytesIO(result.data)) as image:
        profile = image.info["icc_profile"]
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip() == "RGB"
    seen = linear_light(profile, np.dstack([RAMP] * 3))
    # what the grey profile said; colorants have 16 bits, and the curve is a table of 1024 steps
    meant = (RAMP / 255) ** gamma
    assert np.abs(seen - meant[..., None]).max() < 5e-4


def test_a_broken_profile_is_dropped_and_said() -> None:
    """Bytes that only look like a grey profile do not stop the picture."""
    broken = bytes(16) + b"GRAY" + bytes(200)
    result = writer.encode(
        Still("PNG", RAMP, icc=broken), np.zeros((2, 2, 2), np.float32), "PNG", mark="test"
    )
    with Image.open(io.BytesIO(result.data)) as image:
        assert "icc_profile" not in image.info
    assert any("profile" in note for note in result.notes)


def test_a_16_bit_png_keeps_xmp_in_utf_8_and_its_resolution() -> None:
    """XMP is not ASCII, and archives rely on the DPI: Pillow reads back what was given."""
    xmp = with_mark(b"", "K\u00f6ln")
    still = Still("PNG", RAMP.astype(np.uint16) * 257, xmp=xmp, dpi=(600.0, 300.0))
    result = writer.encode(still, np.zeros((2, 2, 2), np.float32), "PNG", mark="Z\u00fcrich")
    with Image.open(io.BytesIO(result.data)) as image:
        image.load()  # checks every chunk's CRC
        assert "K\u00f6ln" in image.info["XML:com.adobe.xmp"]
        assert "Z\u00fcrich" in image.info["XML:com.adobe.xmp"]
        assert image.info["dpi"] == pytest.approx((600, 300), abs=0.02)  # whole dots per meter
    assert imagecodecs.png_decode(result.data).dtype == np.uint16


def test_xmp_that_cannot_be_extended_is_replaced_and_said() -> None:
    """A packet in UTF-16 gives way to the mark, and the report says so."""
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'.encode("utf-16")
    still = Still("PNG", RAMP, xmp=xmp)
    result = writer.encode(still, np.zeros((2, 2, 2), np.float32), "PNG", mark="test")
    assert any("XMP" in note for note in result.notes)


def test_a_truncated_jpeg_in_tiff_is_refused(tmp_path: Path) -> None:
    """The decoder would fill the missing part with grey; a file that is cut is said to be cut."""
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 256, (400, 300), np.uint8)
    tifffile.imwrite(path, noise, compression="jpeg", rowsperstrip=400)
    assert read(path).size == (400, 300)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 8 // 10])
    with pytest.raises(SourceError):
        read(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_of_an_inverted_tiff_is_not_inverted(tmp_path: Path, dtype: type) -> None:
    """MINISWHITE says what grey means; alpha means what it always does."""
    path = tmp_path / "a.tif"
    grey, alpha = RAMP.astype(dtype), RAMP.T.astype(dtype)
    tifffile.imwrite(
        path, np.dstack([grey, alpha]), photometric="miniswhite", extrasamples=["unassalpha"],
        planarconfig="contig",
    )  # fmt: skip
    still = read(path)
    assert np.array_equal(still.luma, np.iinfo(dtype).max - grey)
    assert np.array_equal(still.alpha, alpha)
