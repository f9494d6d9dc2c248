"""What becomes of a grey picture's color profile."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from colorbatch import encoding
from colorbatch.images import Still

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
    gamma: float, format_: encoding.Format
) -> None:
    """Uncolored codes under the new profile have the lightness that they had under the old one."""
    grey_profile = imagecodecs.cms_profile("gray", gamma=gamma)
    still = Still(format_, RAMP, icc=grey_profile)
    result = encoding.encode(still, np.zeros((2, 2, 2), np.float32), format_, mark="test")
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
    result = encoding.encode(
        Still("PNG", RAMP, icc=broken), np.zeros((2, 2, 2), np.float32), "PNG", mark="test"
    )
    with Image.open(io.BytesIO(result.data)) as image:
        assert "icc_profile" not in image.info
    assert any("profile" in note for note in result.notes)
