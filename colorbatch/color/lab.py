"""Color in numpy and OpenCV: CIELAB, luma, the network's range, what a model sees.

Arrays in, arrays out; no files, no models. Pictures are (H, W, C) in RGB order. *Codes* are encoded
values (uint8, uint16), *luma* is Y' of the encoded values by ITU-R BT.601, *lightness* is L* of
CIE 1976 L*a*b* under D65. sRGB is linearised here (IEC 61966-2-1) and handed to OpenCV as linear
RGB, because its own float RGB-to-Lab is an interpolated table that is off by up to 0.7.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Float = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]

L_CENTER = 50.0
"""Network lightness is L* / 50 - 1, in [-1, 1]."""
AB_SCALE = 110.0
"""Network chroma is ab / 110, within [-1, 1] for all of sRGB."""

KR, KG, KB = 0.299, 0.587, 0.114
"""Luma weights of ITU-R BT.601-7, section 2.5.1: what JPEG stores and libraries call grey."""

STRIP_PIXELS = 1 << 16
"""Full-size work is done in strips of about this many pixels: bounded memory, warm caches."""
BAND_PIXELS = 1 << 18
"""Pictures go to and from libraries in bands of about this many: fewer calls, no whole copy."""


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """OpenCV and BLAS without threads of their own, for the time that several threads of ours call
    them: they would wait for each other at full load."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        cv2.setNumThreads(before)


# --- sRGB and CIELAB ---------------------------------------------------------------------------


def linearize(encoded: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Encoded sRGB in [0, 1] to linear light in [0, 1] (IEC 61966-2-1, section 5.2), float64."""
    value = np.asarray(encoded, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encode(linear: Float) -> Float:
    """Linear light in [0, 1] to encoded sRGB in [0, 1] (IEC 61966-2-1), float32, any shape.

    Within 1.2e-5, less than a code of 16 bits, at a ninth of the price of powers: a table over the
    square root of linear light, where the curve is nearly straight. Values outside are clipped.
    """
    root = cv2.sqrt(_row(linear))
    position = cv2.multiply(root, 65535.0, dtype=cv2.CV_16U)  # type: ignore[call-overload]
    return _look_up(position, encode_table()).reshape(linear.shape)


def _row(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Any array as the one row that OpenCV's element-wise functions take."""
    return np.ascontiguousarray(array).reshape(1, -1)


def _look_up(codes: Codes, table: Float) -> Float:
    """Table values (N,) at codes of uint8 or uint16, any shape."""
    return np.asarray(cv2.LUT(_row(codes), table.reshape(1, -1)), np.float32).reshape(codes.shape)


@functools.cache
def encode_table() -> Float:
    """Encoded sRGB over the square root of linear light, 65536 steps."""
    linear = (np.arange(65536) / 65535) ** 2
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curve.astype(np.float32)


@functools.cache
def _linear_table(maximum: int) -> Float:
    return linearize(np.arange(maximum + 1) / maximum).astype(np.float32)


@functools.cache
def lightness_table(maximum: int) -> Float:
    return lightness_of_y(linearize(np.arange(maximum + 1) / maximum))


def lightness_of_y(y: npt.NDArray[np.float64]) -> Float:
    """Relative luminance in [0, 1] to L* in [0, 100] (CIE 15:2004, section 8.2.1.1); float32."""
    cube_root = np.where(y > (6 / 29) ** 3, np.cbrt(y), y * (841 / 108) + 4 / 29)
    return (116 * cube_root - 16).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Space:
    """An RGB space other than sRGB: three tone curves and a matrix (see `icc.space_of`).

    grey_lightness: L* of grey at the 65536 codes of 16 bits, float32. curves: (3, 65536) float32,
    encoded R, G, B in [0, 1] over the square root of linear light. from_xyz: (3, 3), XYZ under D65
    with Y = 1 for white, to linear RGB. black: the encoded value, in [0, 1], below which nothing is
    seen; what is there gets no chroma.
    """

    grey_lightness: Float
    curves: Float
    from_xyz: Float
    black: float = 0.0


def max_code(dtype: npt.DTypeLike) -> int:
    """The largest code of uint8 or uint16. Raises TypeError for other types."""
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise TypeError(f"codes are uint8 or uint16, not {kind}")
    return int(np.iinfo(kind).max)


def lightness(grey: Codes, space: Space | None = None) -> Float:
    """L* in [0, 100] of grey codes (uint8 or uint16, any shape), float32, from an exact table.

    Without `space` the codes are sRGB.
    """
    maximum = max_code(grey.dtype)
    if space is None:
        return _look_up(grey, lightness_table(maximum))
    return _look_up(grey, space.grey_lightness[:: 65535 // maximum])


def rgb_to_lab(rgb: Codes) -> Float:
    """sRGB codes (H, W, 3), uint8 or uint16, to L*a*b* float32: L in [0, 100], ab about +-110."""
    linear = _look_up(rgb, _linear_table(max_code(rgb.dtype)))
    return np.asarray(cv2.cvtColor(linear, cv2.COLOR_LRGB2Lab), np.float32)


def encoded_to_lab(rgb: Float) -> Float:
    """Encoded sRGB (H, W, 3) in [0, 1], float32, to L*a*b* float32."""
    linear = linearize(rgb).astype(np.float32)
    return np.asarray(cv2.cvtColor(linear, cv2.COLOR_LRGB2Lab), np.float32)


def grey_of_lightness(lightness: Float) -> Float:
    """L* in [0, 100] to the encoded sRGB grey in [0, 1] that has it; any shape, float32."""
    f = (lightness + np.float32(16)) / np.float32(116)
    # CIE 15:2004, section 8.2.1.1, solved for Y
    y = np.where(f > 6 / 29, f**3, (f - np.float32(4 / 29)) * np.float32(108 / 841))
    return encode(np.clip(y, 0, 1).astype(np.float32))


def lab_to_rgb(lab: Float) -> Float:
    """L*a*b* (H, W, 3) float32 to encoded sRGB in [0, 1], float32; out of gamut is clipped."""
    linear = cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_Lab2LRGB)
    return encode(np.asarray(linear, np.float32))


# IEC 61966-2-1: the white of sRGB, D65, and X, Y, Z to linear sRGB
WHITE_D65 = np.array([0.95047, 1.0, 1.08883], np.float32)
XYZ_TO_SRGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ],
    np.float32,
)


def to_codes(encoded: npt.ArrayLike, dtype: npt.DTypeLike = np.uint8) -> Codes:
    """Encoded values in [0, 1] to the nearest codes of uint8 or uint16; any shape."""
    maximum = max_code(dtype)
    codes = np.clip(np.rint(np.asarray(encoded) * maximum), 0, maximum)
    return np.asarray(codes, dtype)


def mean_chroma(lab: Float) -> float:
    """Mean C*ab of a picture (H, W, 3): near 0 for grey."""
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


GREY_CHROMA = 2.0
"""Mean C*ab up to which a photograph has too little color to learn from or to measure on; what a
source is (grey, toned, in color) `classify` decides."""


# --- the network's range -----------------------------------------------------------------------


def network_lightness(lightness: Float) -> Float:
    """L* in [0, 100] to [-1, 1]; any shape."""
    return (lightness / np.float32(L_CENTER) - np.float32(1)).astype(np.float32, copy=False)


def network_chroma(ab: Float) -> Float:
    """ab in Lab units to the network's [-1, 1]; any shape."""
    return (ab / np.float32(AB_SCALE)).astype(np.float32, copy=False)


# --- luma --------------------------------------------------------------------------------------


def luma(rgb: Codes) -> npt.NDArray[np.float64]:
    """Y' (BT.601) of RGB codes (H, W, 3), in codes, float64."""
    return (
        KR * rgb[..., 0].astype(np.float64)
        + KG * rgb[..., 1].astype(np.float64)
        + KB * rgb[..., 2].astype(np.float64)
    )


def grey_of(rgb: Codes) -> Codes:
    """Luma of RGB codes (H, W, 3), rounded to codes of the same type: (H, W)."""
    grey = np.empty(rgb.shape[:2], rgb.dtype)
    for start, stop in strips(rgb.shape[0], rgb.shape[1]):
        grey[start:stop] = np.rint(luma(rgb[start:stop]))
    return grey


def exact_luma_of(rgb: Codes) -> Float | None:
    """Luma of RGB codes (H, W, 3) in codes where rounding it would cost depth: of uint16, to a
    hundredth of a code, (H, W) float32; None for uint8."""
    if rgb.dtype != np.uint16:
        return None
    exact = np.empty(rgb.shape[:2], np.float32)
    for start, stop in strips(rgb.shape[0], rgb.shape[1]):
        exact[start:stop] = luma(rgb[start:stop])
    return exact


def widened(codes: Codes, bits: int) -> Codes:
    """Codes (H, W[, C]) of 9 to 15 bits as codes of 16, uint16."""
    full = np.empty(codes.shape, np.uint16)
    for start, stop in strips(codes.shape[0], codes.shape[1]):
        full[start:stop] = codes[start:stop].astype(np.uint32) * 65535 // (2**bits - 1)
    return full


def strips(height: int, width: int, pixels: int = STRIP_PIXELS) -> Iterator[tuple[int, int]]:
    """Rows (start, stop) of strips of about so many pixels."""
    rows = max(1, pixels // max(1, width))
    for start in range(0, height, rows):
        yield start, min(start + rows, height)


def resize_area(picture: Codes, size: tuple[int, int]) -> Codes:
    """A picture (H, W[, C]) at `size` = (H, W): area average down, bicubic up; dtype kept.

    An axis that shrinks is averaged first, so thin pictures (1 x 20000) work as well.
    """
    height, width = picture.shape[:2]
    down = (min(size[0], height), min(size[1], width))
    if height >= MANY_ROWS * down[0] and picture.dtype in (np.uint8, np.uint16):
        picture = _many_rows_averaged(picture, down)
    elif down != (height, width):
        picture = cv2.resize(picture, (down[1], down[0]), interpolation=cv2.INTER_AREA)
    if down != size:
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture)


MANY_ROWS = 4
"""From so many rows for one on, sums of whole rows are faster than OpenCV's area average, which
weighs every sample of every row (35 and 8 ms for 12 megapixels of 8 bits)."""


def _many_rows_averaged(codes: Codes, size: tuple[int, int]) -> Codes:
    """The area average of codes (H, W[, C]) at `size`, no larger: rows first, in float32."""
    height, scale = codes.shape[0], codes.shape[0] / size[0]
    borders = np.minimum(np.arange(size[0] + 1) * scale, height)
    first, last = np.ceil(borders[:-1]).astype(int), np.floor(borders[1:]).astype(int)
    rows = np.empty((size[0], *codes.shape[1:]), np.float32)
    for index, row in enumerate(rows):
        whole = codes[first[index] : last[index]]
        cv2.reduce(whole, 0, cv2.REDUCE_SUM, row[None], cv2.CV_32F)
    each = (-1, *[1] * (codes.ndim - 1))
    for share, beside in ((first - borders[:-1], first - 1), (borders[1:] - last, last)):
        cut = share > 0
        rows[cut] += codes[beside[cut]] * share[cut].astype(np.float32).reshape(each)
    mean = cv2.resize(rows, size[::-1], interpolation=cv2.INTER_AREA) * np.float32(1 / scale)
    return np.asarray(np.rint(mean), codes.dtype)


def network_view(luma: Codes, size: tuple[int, int], space: Space | None = None) -> Float:
    """L* (h, w) at the network's `size` of luma codes (H, W): what a model sees of a picture."""
    return lightness(resize_area(luma, size), space)


def delta_e_2000(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """CIEDE2000 between two L*a*b* arrays (..., 3), kL = kC = kH = 1; float64 (...).

    Sharma, Wu, Dalal 2005, "The CIEDE2000 Color-Difference Formula", equations 2 to 22.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(first, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, np.float64), -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    neutral = c1 * c2 == 0
    dh = np.where(neutral, 0, (h2 - h1 + 180) % 360 - 180)
    dh = np.where((dh == -180) & (h2 - h1 == 180), 180, dh)  # equation 10 keeps +180
    big_dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    h_sum = h1 + h2
    far = np.abs(h1 - h2) > 180
    mean_h = np.where(far, np.where(h_sum < 360, h_sum + 360, h_sum - 360), h_sum) / 2
    mean_h = np.where(neutral, h_sum, mean_h)
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    r_c = 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    r_t = -r_c * np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2))))
    dl, dc, dh = (l2 - l1) / s_l, (c2 - c1) / s_c, big_dh / s_h
    return np.asarray(np.sqrt(dl**2 + dc**2 + dh**2 + r_t * dc * dh), np.float64)
