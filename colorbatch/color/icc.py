"""ICC profiles: the RGB space that codes are in, and an RGB profile for what had a grey one.

Profile bytes in, `color.Space` or profile bytes out. Little CMS (through imagecodecs) reads the
profiles; what they mean is found by asking it about colors, so that every kind that it knows is
served: matrix and curves, tables, grey.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from colorbatch.color import XYZ_TO_SRGB, Space, lightness, lightness_of_y

PROFILE_STEPS = 1024
RELATIVE_COLORIMETRIC = 1
D65 = (0.3127, 0.3290, 1.0)
SRGB_PRIMARIES = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)
"""xyY of red, green and blue (ITU-R BT.709-6, section 1)."""
D50_TO_D65 = np.array(
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)
"""XYZ of the profile connection space to XYZ under D65 (Bradford; ICC.1:2022, annex E)."""
D50 = np.array([0.9642, 1.0, 0.8249])
"""The white of the profile connection space (ICC.1:2022, section 7.2.16)."""
MATRIX_ERROR = 0.02
"""Mean distance in XYZ (white is 1) up to which three curves and a matrix are the profile."""

Values = npt.NDArray[np.float64]


def kind_of(profile: bytes) -> str:
    """The color space that a profile is for: "RGB", "GRAY", "CMYK" (ICC.1:2022, section 7.2.6)."""
    return profile[16:20].decode("ascii", "replace").strip()


def for_result(profile: bytes) -> bytes:
    """The RGB profile of a result whose source had this one: an RGB profile itself, one made of a
    grey profile; b"" for none that fits."""
    if kind_of(profile) == "GRAY":
        return rgb_profile_of_grey(profile)
    return profile if kind_of(profile) == "RGB" else b""


@functools.lru_cache(maxsize=8)
def rgb_profile_of_grey(profile: bytes) -> bytes:
    """An RGB profile (ICC.1:2022) with sRGB's primaries and the tone curve of a grey profile.

    Codes of grey keep their meaning in it. Returns b"" for a profile that cannot be used.
    """
    ramp = np.linspace(0, 1, PROFILE_STEPS, dtype=np.float32)[None]
    try:
        curve = np.clip(_xyz(ramp, profile, "gray")[0, :, 1], 0, 1).astype(np.float32)
        made = imagecodecs.cms_profile(
            "rgb", whitepoint=D65, primaries=SRGB_PRIMARIES, transferfunction=curve
        )
        return bytes(made[:24] + bytes(12) + made[36:])  # no date: the same source, the same bytes
    except Exception:  # profiles come from anywhere; one that is broken is dropped with a note
        return b""


@functools.lru_cache(maxsize=8)
def space_of(profile: bytes) -> Space | None:
    """The space of an RGB profile: three tone curves and a matrix, with R = G = B neutral.

    None for a profile that cannot be used, and for one that is sRGB to the eye. A profile of tables
    (scanners have them) has its lightness of grey exactly and its colors as the nearest matrix.
    """
    steps = np.linspace(0, 1, 65536).astype(np.float32)
    try:
        grey = _xyz(np.repeat(steps[None, :, None], 3, 2), profile, "rgb")[0]
        colors = np.random.default_rng(0).uniform(0.1, 0.9, (1, 512, 3)).astype(np.float32)
        truth = _xyz(colors, profile, "rgb")[0] - grey[0]
        ramps = [_ramp(steps, channel, profile) - grey[0] for channel in range(3)]
    except Exception:  # see above
        return None
    rise = np.maximum.accumulate(grey[:, 1] - grey[0, 1])
    if not np.isfinite(rise).all() or rise[-1] < 0.1:
        return None
    # of a matrix profile each ramp is a curve times a column of the matrix
    columns = np.stack([ramp[-1] for ramp in ramps], axis=1)
    curves = [_normal(ramp @ column) for ramp, column in zip(ramps, columns.T, strict=True)]
    if np.abs(_linear(colors[0], curves) @ columns.T - truth).mean() > MATRIX_ERROR:
        curves = [_normal(rise)] * 3
        fitted, *_ = np.linalg.lstsq(_linear(colors[0], curves), truth, rcond=None)
        columns = fitted.T
    columns = columns * (D50 / columns.sum(axis=1))[:, None]
    matrix = D50_TO_D65 @ columns
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return None
    space = Space(
        lightness_of_y(rise / rise[-1]),
        np.stack([_inverse(curve, steps) for curve in curves]),
        np.linalg.inv(matrix).astype(np.float32),
    )
    return None if _is_srgb(space) else space


@functools.lru_cache(maxsize=8)
def is_readable(profile: bytes) -> bool:
    """Whether an RGB profile says what a color is."""
    try:
        return bool(np.isfinite(_xyz(np.zeros((1, 1, 3), np.float32), profile, "rgb")).all())
    except Exception:  # see above
        return False


def to_rgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """A CMYK picture as sRGB, through its own profile; None for one that cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        return ImageCms.profileToProfile(image, source, target, intent, outputMode="RGB")
    except Exception:  # see above
        return None


def _ramp(steps: npt.NDArray[np.float32], channel: int, profile: bytes) -> Values:
    codes = np.zeros((1, len(steps), 3), np.float32)
    codes[0, :, channel] = steps
    return np.asarray(_xyz(codes, profile, "rgb")[0], np.float64)


def _normal(values: Values) -> Values:
    """A curve (N,) that rises from 0 to 1."""
    rising = np.maximum.accumulate(values - values[0])
    return np.asarray(np.clip(rising / max(float(rising[-1]), 1e-9), 0, 1), np.float64)


def _linear(codes: npt.NDArray[np.float32], curves: Sequence[Values]) -> Values:
    """Encoded (N, 3) in [0, 1] to linear light."""
    steps = np.linspace(0, 1, len(curves[0]))
    return np.stack([np.interp(codes[:, i], steps, curves[i]) for i in range(3)], axis=1)


def _inverse(curve: Values, steps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Encoded values over the square root of linear light, from linear light over codes."""
    root = np.sqrt(curve)
    keep = np.concatenate([[True], np.diff(root) > 0])  # flat stretches have no way back
    return np.asarray(np.interp(steps, root[keep], steps[keep]), np.float32)


def _is_srgb(space: Space) -> bool:
    """Whether the eye sees no difference: 0.1 in L*, a hundredth in the matrix."""
    codes = np.arange(65536, dtype=np.uint16)
    unlike = np.abs(space.grey_lightness - lightness(codes)).max()
    return bool(unlike < 0.1 and np.abs(space.from_xyz - XYZ_TO_SRGB).max() < 0.01)


def _xyz(codes: npt.NDArray[np.float32], profile: bytes, kind: str) -> Values:
    xyz: Any = imagecodecs.cms_transform(
        codes,
        profile,
        imagecodecs.cms_profile("xyz"),
        colorspace=kind,
        outcolorspace="xyz",
        outdtype="f4",
        intent=RELATIVE_COLORIMETRIC,
    )
    return np.asarray(xyz, np.float64)
