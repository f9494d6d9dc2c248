"""Profiles: color is computed in the space of the file's own, and grey codes stay as they are.

Judged by Little CMS through imagecodecs: what a color-managed viewer makes of the result.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from colorbatch import color
from colorbatch.color import icc, luma_join
from colorbatch.formats import reader, writer
from colorbatch.formats.still import Still

WEIGHTS = np.array([0.299, 0.587, 0.114])
D50 = np.array([0.9642, 1, 0.8249])
D65 = (0.3127, 0.3290, 1.0)
ECI_RGB = ((0.3457, 0.3585, 1.0), (0.67, 0.33, 1.0, 0.21, 0.71, 1.0, 0.14, 0.08, 1.0))
ADOBE_RGB = (D65, (0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0))


def lstar_curve() -> np.ndarray:
    """eciRGB v2's tone curve: codes are proportional to L*."""
    light = np.linspace(0, 100, 4096)
    return np.where(light > 8, ((light + 16) / 116) ** 3, light * 27 / 24389).astype(np.float32)


def profiles() -> dict[str, bytes]:
    """Profiles like those of archives, made by Little CMS."""
    make = imagecodecs.cms_profile
    eci = make("rgb", whitepoint=ECI_RGB[0], primaries=ECI_RGB[1], transferfunction=lstar_curve())
    adobe = make("rgb", whitepoint=D65, primaries=ADOBE_RGB[1], gamma=563 / 256)
    # 20 % dot gain: a tint of 50 % prints as 70 %
    tint = 1 - np.linspace(0, 1, 4096)
    printed = tint + 0.2 * 4 * tint * (1 - tint)
    gain = make("gray", transferfunction=(1 - printed).astype(np.float32))
    return {"eci": eci, "adobe": adobe, "dot gain": gain, "gray 2.2": make("gray", gamma=2.2)}


PROFILES = profiles()


def seen_lab(rgb: np.ndarray, profile: bytes) -> np.ndarray:
    """L*a*b* (D50, relative) of codes as a color-managed viewer computes it."""
    xyz = imagecodecs.cms_transform(
        (rgb / np.iinfo(rgb.dtype).max).astype(np.float32), profile,
        imagecodecs.cms_profile("xyz"), colorspace="rgb", outcolorspace="xyz", outdtype="f4",
        intent=1,
    )  # fmt: skip
    f = xyz.astype(np.float64) / D50
    f = np.where(f > (6 / 29) ** 3, np.cbrt(f), f * 841 / 108 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]),
                     200 * (f[..., 1] - f[..., 2])], -1)  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_viewer_sees_the_predicted_chroma(tmp_path: Path, name: str, dtype: Any) -> None:
    """In every profile, mid-grey plus ab (-25, 20) is shown with about that chroma.

    Luma is kept rather than L*, so L* and with it chroma move a little; and D50 ab are not those of
    D65. Computed as if the codes were sRGB, a would be off by more than 6 in eciRGB.
    """
    high = np.iinfo(dtype).max
    ramp = np.tile(np.linspace(high * 0.3, high * 0.8, 64), (16, 1)).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp, iccprofile=PROFILES[name])
    ab = np.broadcast_to(np.float32([-25, 20]), (4, 4, 2)).copy()
    still = reader.read(path)
    result = writer.encode(still, ab, "TIFF", mark="test").data
    rgb = tifffile.imread(io.BytesIO(result))
    with Image.open(io.BytesIO(result)) if dtype == np.uint8 else tifffile_page(result) as page:
        profile = page.info["icc_profile"]
    assert (profile == PROFILES[name]) == (name in ("eci", "adobe"))  # byte for byte
    assert np.abs(rgb.astype(np.float64) @ WEIGHTS - ramp).max() <= 0.5
    lab = seen_lab(rgb, profile)
    middle = np.median(lab[..., 1:].reshape(-1, 2), axis=0)
    assert np.abs(middle - [-25, 20]).max() < 2.5
    assert np.abs(lab[..., 1:] - [-25, 20]).mean() < 2.5


class tifffile_page:  # noqa: N801
    """What Pillow would say of a TIFF that it cannot open."""

    def __init__(self, data: bytes) -> None:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            self.info = {"icc_profile": tiff.pages[0].tags[34675].value}

    def __enter__(self) -> tifffile_page:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_computed_as_srgb_it_would_be_wrong() -> None:
    """The test above can fail: without the space, a viewer sees other colors in eciRGB."""
    grey = np.full((8, 8), 110, np.uint8)
    ab = np.broadcast_to(np.float32([-25, 20]), (8, 8, 2)).copy()
    wrong = seen_lab(luma_join.colorize(grey, ab), PROFILES["eci"])[..., 1:].mean((0, 1))
    right = luma_join.colorize_rows(grey, ab, 0, 8, space=icc.space_of(PROFILES["eci"]))
    near = seen_lab(right, PROFILES["eci"])[..., 1:].mean((0, 1))
    assert np.abs(wrong - [-25, 20]).max() > 6
    assert np.abs(near - [-25, 20]).max() < 2


@pytest.mark.parametrize("name", ["eci", "adobe"])
def test_lightness_of_grey_is_what_a_viewer_sees(name: str) -> None:
    """What the model is shown: L* of all codes, within the 16 bits of a profile's numbers."""
    codes = np.arange(65536, dtype=np.uint16)
    space = icc.space_of(PROFILES[name])
    assert space is not None
    truth = seen_lab(np.repeat(codes[None, :, None], 3, 2), PROFILES[name])[0, :, 0]
    assert np.abs(color.lightness(codes, space) - truth).max() < 0.02


def test_srgb_needs_no_space_and_broken_profiles_have_none() -> None:
    """The usual case takes the usual path."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert icc.space_of(srgb) is None
    assert icc.space_of(srgb[:200] + bytes(len(srgb) - 200)) is None
    assert icc.space_of(b"RGB " * 40) is None


def test_dot_gain_changes_what_the_model_sees_not_the_codes() -> None:
    """A grey profile decides L*; its codes are the result's luma all the same."""
    still = Still("TIFF", np.arange(256, dtype=np.uint8).reshape(16, 16), icc=PROFILES["dot gain"])
    profile = icc.for_result(still.icc)
    space = icc.space_of(profile)
    assert space is not None
    assert icc.kind_of(profile) == "RGB"
    plain, printed = color.lightness(still.luma), color.lightness(still.luma, space)
    assert np.abs(plain - printed).max() > 5
    tint = 1 - still.luma / 255
    y = np.clip(1 - (tint + 0.8 * tint * (1 - tint)), 0, 1)
    truth = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * 24389 / 27)
    # the profile's curve has 1024 steps, steep in the shadows
    assert np.abs(printed - truth).max() < 0.15


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    """A CMYK scan with a profile that is none keeps Pillow's plain conversion."""
    cmyk = Image.new("CMYK", (16, 16), (10, 60, 90, 20))
    broken = b"\0" * 16 + b"CMYK" + b"\0" * 300
    cmyk.save(tmp_path / "a.jpg", icc_profile=broken, quality=95)
    still = reader.read(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert np.array_equal(still.rgb, np.array(image.convert("RGB")))
    assert still.icc == b""
    assert any(note == "CMYK was converted to RGB" for note in still.notes)
