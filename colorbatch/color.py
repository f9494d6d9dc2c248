"""Color in numpy and OpenCV: CIELAB, the network's range, chroma enlargement, luma-keeping join.

Arrays in, arrays out; no files, no models. Pictures are (H, W, C) in RGB order. *Codes* are encoded
values (uint8, uint16), *luma* is Y' of the encoded values by ITU-R BT.601, *lightness* is L* of
CIE 1976 L*a*b* under D65. sRGB is linearised here (IEC 61966-2-1) and handed to OpenCV as linear
RGB, because its own float RGB-to-Lab is an interpolated table that is off by up to 0.7.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

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


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """OpenCV without threads of its own, for the time that several threads of ours call it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
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
    return _look_up(position, _encode_table()).reshape(linear.shape)


def _row(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Any array as the one row that OpenCV's element-wise functions take."""
    return np.ascontiguousarray(array).reshape(1, -1)


def _look_up(codes: Codes, table: Float) -> Float:
    """Table values (N,) at codes of uint8 or uint16, any shape."""
    return np.asarray(cv2.LUT(_row(codes), table.reshape(1, -1)), np.float32).reshape(codes.shape)


@functools.cache
def _encode_table() -> Float:
    """Encoded sRGB over the square root of linear light, 65536 steps."""
    linear = (np.arange(65536) / 65535) ** 2
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curve.astype(np.float32)


@functools.cache
def _linear_table(maximum: int) -> Float:
    return linearize(np.arange(maximum + 1) / maximum).astype(np.float32)


@functools.cache
def _lightness_table(maximum: int) -> Float:
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
    with Y = 1 for white, to linear RGB.
    """

    grey_lightness: Float
    curves: Float
    from_xyz: Float


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
        return _look_up(grey, _lightness_table(maximum))
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
source is (grey, toned, in color) `kinds` decides."""


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


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Rows (start, stop) of strips of about STRIP_PIXELS."""
    rows = max(1, STRIP_PIXELS // max(1, width))
    for start in range(0, height, rows):
        yield start, min(start + rows, height)


def resize_area(picture: Codes, size: tuple[int, int]) -> Codes:
    """A picture (H, W[, C]) at `size` = (H, W): area average down, bicubic up; dtype kept.

    An axis that shrinks is averaged first, so thin pictures (1 x 20000) work as well.
    """
    height, width = picture.shape[:2]
    down = (min(size[0], height), min(size[1], width))
    if down != (height, width):
        picture = cv2.resize(picture, (down[1], down[0]), interpolation=cv2.INTER_AREA)
    if down != size:
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture)


def network_view(luma: Codes, size: tuple[int, int], space: Space | None = None) -> Float:
    """L* (h, w) at the network's `size` of luma codes (H, W): what a model sees of a picture."""
    return lightness(resize_area(luma, size), space)


def enlarge_rows(ab: Float, size: tuple[int, int], start: int, stop: int) -> Float:
    """Rows `start` to `stop` of chroma (h, w, 2) enlarged to `size` = (H, W), bicubic.

    Bicubic with a = -0.75 (Keys 1981), pixel centers aligned, borders repeated, as
    `cv2.resize(..., INTER_CUBIC)` does; only the asked rows are ever made.
    """
    rows = np.empty((2, stop - start, size[1]), np.float32)
    _enlarge_height(np.moveaxis(widened(ab, size[1]), -1, 0), size[0], start, rows)
    return np.ascontiguousarray(np.moveaxis(rows, 0, -1))


def widened(ab: Float, width: int) -> Float:
    """The horizontal half of `enlarge_rows`: chroma (h, w, 2) to (h, W, 2), plane by plane in
    memory. What has the width already comes back as it is."""
    if ab.shape[1] == width:
        return ab
    planes = np.empty((2, ab.shape[0], width), np.float32)
    for index in range(2):
        plane = np.ascontiguousarray(ab[..., index], np.float32)
        cv2.resize(plane, planes.shape[:0:-1], planes[index], interpolation=cv2.INTER_CUBIC)
    return np.moveaxis(planes, 0, -1)


def _enlarge_height(planes: Float, height: int, start: int, out: Float) -> None:
    """The vertical half: planes (2, h, W) to rows of `height`, from `start` on, in `out`
    (2, rows, W)."""
    taps, kernel = _taps(planes.shape[1], height)
    rows = slice(start, start + out.shape[1])
    low, high = int(taps[rows.start, 0]), int(taps[rows.stop - 1, 3]) + 1
    weights = np.zeros((out.shape[1], high - low), np.float32)
    each = np.arange(out.shape[1])
    for tap in range(4):  # at the borders several taps fall on one row
        weights[each, taps[rows, tap] - low] += kernel[rows, tap]
    for plane, into in zip(planes, out, strict=True):
        np.matmul(weights, plane[low:high], out=into)


@functools.lru_cache(maxsize=16)
def _taps(have: int, height: int) -> tuple[npt.NDArray[np.int64], Float]:
    """For each of `height` rows the four of `have` rows that it is made of, and their weights:
    (height, 4) both."""
    position = (np.arange(height) + 0.5) * (have / height) - 0.5
    first = np.floor(position).astype(np.int64)
    t = (position - first)[:, None]
    a = -0.75
    distance = np.concatenate([t + 1, t, 1 - t, 2 - t], axis=1)
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    taps = np.clip(first[:, None] + np.arange(-1, 3), 0, have - 1)
    return taps, np.where(distance <= 1, near, far).astype(np.float32)


def chroma_at_luma(luma: Float, cb: Float, cr: Float, maximum: int) -> tuple[Float, Float]:
    """Scale (Cb, Cr) towards grey until RGB at this luma lies in [0, maximum].

    All (H, W) float32, in codes, chroma centered on 0 with JPEG's scaling (ITU-T T.871, section 7).
    The hue angle stays: both are multiplied by the same factor in [0, 1].
    """
    red = cr * np.float32(RED_OF_CR)
    blue = cb * np.float32(BLUE_OF_CB)
    green = red * np.float32(-KR / KG) + blue * np.float32(-KB / KG)
    scale, spare = np.empty_like(luma), np.empty((2, *luma.shape), np.float32)
    _fit_gamut(np.clip(luma, 0, maximum), (red, green, blue), maximum, scale, spare)
    return np.asarray(cb * scale, np.float32), np.asarray(cr * scale, np.float32)


# ITU-T T.871, section 7: what a code of Cr adds to R, and one of Cb to B
RED_OF_CR, BLUE_OF_CB = 2 - 2 * KR, 2 - 2 * KB


def _fit_gamut(
    luma: Float, offsets: Sequence[Float] | Float, maximum: int, scale: Float, spare: Float
) -> None:
    """Write to `scale` the largest factor in [0, 1] at which luma + factor * offset lies in
    [0, maximum] for the offsets of R, G and B from luma, itself in that range. All (H, W) float32
    but `spare`, which is (2, H, W) and is lost."""
    red, green, blue = offsets
    below, above = spare
    cv2.min(red, green, below)
    cv2.min(below, blue, below)
    cv2.min(below, -1e-6, below)  # type: ignore[call-overload]
    np.divide(luma, below, out=below)  # room below, as a negative factor
    cv2.max(red, green, above)
    cv2.max(above, blue, above)
    cv2.max(above, 1e-6, above)  # type: ignore[call-overload]
    np.subtract(np.float32(maximum), luma, out=scale)
    np.divide(scale, above, out=scale)
    np.negative(below, out=below)
    cv2.min(scale, below, scale)
    cv2.min(scale, 1.0, scale)  # type: ignore[call-overload]


KNEE = 6 / 29
"""Of CIELAB's f, where the cube begins (CIE 15:2004, section 8.2.1.1)."""


FULL_LIGHT = 65535.0**2
"""White in the units of light whose square root is looked up in a table of 65536 steps."""


@dataclass(frozen=True, eq=False)
class _Join:
    """What leads from grey codes and ab to RGB, as tables and matrices.

    f: (L* + 16) / 116 of each code. y: relative luminance of each code. to_light: (3, 3), X, Y, Z
    in units of the white to linear RGB in [0, FULL_LIGHT]. curves: (1 or 3, 65536), codes (not
    rounded) of R, G and B at the square root of light, in the middle between whole numbers.
    """

    f: Float
    y: Float
    to_light: Float
    curves: Float


@functools.lru_cache(maxsize=16)
def _join_of(maximum: int, space: Space | None) -> _Join:
    if space is None:
        light, matrix, curves = _lightness_table(maximum), XYZ_TO_SRGB, _encode_table()[None]
    else:
        light = space.grey_lightness[:: 65535 // maximum]
        matrix, curves = space.from_xyz, space.curves
    f = (light.astype(np.float64) + 16) / 116
    y = np.where(f > KNEE, f**3, (f - KNEE) * 3 * KNEE**2 + KNEE**3)
    matrix = matrix * WHITE_D65
    matrix = matrix / matrix.sum(axis=1, keepdims=True)  # white stays neutral to the last digit
    middles = (curves + np.concatenate([curves[:, 1:], curves[:, -1:]], axis=1)) * (maximum / 2)
    tables = (table.astype(np.float32) for table in (f, y, matrix * FULL_LIGHT, middles))
    return _Join(*tables)


def _offsets_of(grey: Codes, planes: Float, join: _Join) -> None:
    """What R, G and B of the color with the lightness of grey codes (H, W) are above its luma.

    planes: (6, H, W) float32; the first two come in as a and b, the last three go out as the
    offsets in codes, not yet fitted to the luma (see `chroma_at_luma`).
    """
    xyz, rgb = planes[:3], planes[3:]
    f, y, cube = rgb
    cv2.LUT(grey, join.f[None], f)
    np.multiply(xyz[1], np.float32(-1 / 200), out=xyz[2])
    np.multiply(xyz[0], np.float32(1 / 500), out=xyz[0])
    for plane in (xyz[0], xyz[2]):  # CIE 15:2004, section 8.2.1.1, solved for X and Z
        np.add(plane, f, out=plane)
        cv2.max(plane, KNEE, y)  # type: ignore[call-overload]
        np.subtract(plane, y, out=plane)  # what lies below the knee, on the cube's tangent
        np.multiply(plane, np.float32(3 * KNEE**2), out=plane)
        np.multiply(y, y, out=cube)
        np.multiply(cube, y, out=cube)
        np.add(plane, cube, out=plane)
    cv2.LUT(grey, join.y[None], xyz[1])
    for row, plane in zip(join.to_light, rgb, strict=True):
        cv2.addWeighted(xyz[0], float(row[0]), xyz[1], float(row[1]), 0, plane)
        cv2.scaleAdd(xyz[2], float(row[2]), plane, plane)
    _encode_planes(rgb, join.curves, xyz)
    luma = xyz[0]
    cv2.addWeighted(rgb[0], KR, rgb[1], KG, 0, luma)
    cv2.scaleAdd(rgb[2], KB, luma, luma)
    np.subtract(rgb, luma, out=rgb)


def _encode_planes(light: Float, curves: Float, spare: Float) -> None:
    """Light (3, H, W) to codes, in place; out of gamut is clipped. `spare`, of the same form, is
    lost."""
    flat = light.reshape(-1, light.shape[2])
    np.clip(flat, 0, FULL_LIGHT, out=flat)
    cv2.sqrt(flat, flat)
    position = spare.reshape(-1).view(np.uint16)[: flat.size].reshape(flat.shape)
    np.copyto(position, flat, casting="unsafe")
    each = flat.shape[0] // len(curves)
    for index, curve in enumerate(curves):
        part = slice(index * each, (index + 1) * each)
        cv2.LUT(position[part], curve[None], flat[part])


Output = Literal["rgb", "ycc"]


def colorize(
    grey: Codes,
    ab: Float,
    *,
    saturation: float = 1.0,
    exact_luma: npt.NDArray[np.floating[Any]] | None = None,
    output: Output = "rgb",
) -> Codes:
    """Join the source's luma with predicted chroma: the picture that users get.

    grey: luma codes (H, W), uint8 or uint16. ab: chroma (h, w, 2) in Lab units at any size,
    enlarged bicubically. exact_luma: unrounded luma in codes (H, W), kept instead of `grey`'s
    rounded one where a 16-bit source was not grey. saturation: factor on ab.

    Returns (H, W, 3) of grey's type. "rgb": luma of the result differs from the source's by at
    most 0.294 code, so that 8-bit grey is equal. "ycc": Y' is the source's own plane, with Cb and
    Cr around half of the range, for encoders that take it.
    """
    if not np.isfinite(saturation):
        raise ValueError(f"saturation is a number, not {saturation}")
    ab = ab if saturation == 1.0 else ab * np.float32(saturation)
    return colorize_rows(grey, ab, 0, grey.shape[0], exact_luma=exact_luma, output=output)


def colorize_rows(
    grey: Codes,
    ab: Float,
    start: int,
    height: int,
    *,
    exact_luma: npt.NDArray[np.floating[Any]] | None = None,
    output: Output = "rgb",
    space: Space | None = None,
    dtype: npt.DTypeLike | None = None,
    out: Codes | None = None,
) -> Codes:
    """`colorize` for the rows (h, W) of a picture that begin at `start` of its `height`: (h, W, 3).

    A few rows at a time is how pictures of any size are made in bounded memory; who asks for many
    parts of one picture gives `ab` as `widened` once. space: the RGB space of the codes, sRGB
    without one. dtype: of the result where it is not that of the codes; floating point, 1.0 for
    the highest code, keeps exact luma to its own precision. out: (h, W, 3), contiguous, to be
    written to and returned.
    """
    rows, width = grey.shape
    if out is None:
        out = np.empty((rows, width, 3), grey.dtype if dtype is None else dtype)
    join = _join_of(max_code(grey.dtype), space)
    chroma = np.moveaxis(widened(ab, width), -1, 0)
    grey = np.ascontiguousarray(grey)
    planes: Float | None = None
    for top, bottom in strips(rows, width):
        if planes is None or planes.shape[1] != bottom - top:
            planes = np.empty((7, bottom - top, width), np.float32)
        exact = None if exact_luma is None else exact_luma[top:bottom]
        _enlarge_height(chroma, height, start + top, planes[:2])
        _join_strip(out[top:bottom], grey[top:bottom], exact, planes, join, output)
    return out


def _join_strip(
    out: Codes,
    grey: Codes,
    exact: npt.NDArray[np.floating[Any]] | None,
    planes: Float,
    join: _Join,
    output: Output,
) -> None:
    """Rows of a result (h, W, 3) from grey codes (h, W) and planes (7, h, W) that begin with a and
    b, and are lost."""
    maximum = max_code(grey.dtype)
    _offsets_of(grey, planes[:6], join)
    red, green, blue = planes[3:6]
    y, scale = planes[6], planes[0]
    kept = grey if exact is None else exact
    np.copyto(y, kept, casting="same_kind")
    if exact is not None:  # of floating-point samples it may lie beyond black and white
        np.clip(y, 0, maximum, out=y)
    _fit_gamut(y, (red, green, blue), maximum, scale, planes[1:3])
    np.multiply(red, scale, out=red)
    np.multiply(blue, scale, out=blue)
    if output == "ycc":
        half = float((maximum + 1) // 2)
        cb = _rounded(blue, grey.dtype, 1 / BLUE_OF_CB, half)
        cr = _rounded(red, grey.dtype, 1 / RED_OF_CR, half)
        cv2.merge([grey, cb, cr], out)
    elif np.issubdtype(out.dtype, np.floating):
        _write_floats(out, kept.astype(np.float64), red, blue, maximum)
    else:
        _write_rgb(out, y, red, blue)


def _rounded(values: Float, dtype: npt.DTypeLike, factor: float = 1, shift: float = 0) -> Codes:
    """values * factor + shift (H, W), which is above -0.5, to the nearest codes of uint8 or uint16;
    `values` is lost.

    (Nearest code of the absolute value, which OpenCV gives at a fifth of the price, is the same.)
    """
    if np.dtype(dtype) == np.uint8:
        return np.asarray(cv2.convertScaleAbs(values, alpha=factor, beta=shift))
    if factor != 1:
        np.multiply(values, np.float32(factor), out=values)
    np.add(values, np.float32(shift + 0.5), out=values)  # what is cut off then was to be rounded
    return np.asarray(np.clip(values, 0, 65535, out=values).astype(np.uint16))


def _write_rgb(out: Codes, y: Float, red: Float, blue: Float) -> None:
    """Luma y and what R and B are above it, all (H, W) in codes and lost, to RGB.

    R and B are rounded, then G takes up their error: the luma error is at most 0.587 / 2 code,
    and at 16 bits a hundredth more, which is float32's.
    """
    channels = []
    for plane, weight in ((red, KR), (blue, KB)):
        np.add(plane, y, out=plane)
        channels.append(_rounded(plane, out.dtype))
        np.copyto(plane, channels[-1])
        np.multiply(plane, np.float32(weight), out=plane)
    np.subtract(y, red, out=y)
    np.subtract(y, blue, out=y)
    np.divide(y, np.float32(KG), out=y)
    cv2.merge([channels[0], _rounded(y, out.dtype), channels[1]], out)


def _write_floats(
    out: Codes, kept: npt.NDArray[np.float64], red: Float, blue: Float, maximum: int
) -> None:
    """The same without codes: G takes up the rounding of R and B to the type of `out`."""
    out[..., 0] = (kept + red) / maximum
    out[..., 2] = (kept + blue) / maximum
    rest = KR * out[..., 0].astype(np.float64) + KB * out[..., 2].astype(np.float64)
    out[..., 1] = (kept / maximum - rest) / KG


# --- differences -------------------------------------------------------------------------------


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
