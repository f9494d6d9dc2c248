"""The luma-keeping join: predicted chroma enlarged and joined with the source's own luma.

Arrays in, arrays out; no files, no models. Chroma is scaled towards grey until it fits the gamut at
the source's luma (BT.601, of the encoded values), which so stays what it was. Terms as in `color`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    KB,
    KG,
    KR,
    WHITE_D65,
    XYZ_TO_SRGB,
    Codes,
    Float,
    Space,
    encode_table,
    lightness_table,
    max_code,
    strips,
)


def enlarge_rows(ab: Float, size: tuple[int, int], start: int, stop: int) -> Float:
    """Rows `start` to `stop` of chroma (h, w, 2) enlarged to `size` = (H, W), bicubic.

    Bicubic with a = -0.75 (Keys 1981), pixel centers aligned, borders repeated, as
    `cv2.resize(..., INTER_CUBIC)` does; only the asked rows are ever made.
    """
    rows = np.empty((2, stop - start, size[1]), np.float32)
    _enlarge_height(np.moveaxis(enlarged_across(ab, size[1]), -1, 0), size[0], start, rows)
    return np.ascontiguousarray(np.moveaxis(rows, 0, -1))


def enlarged_across(ab: Float, width: int) -> Float:
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


# ITU-T T.871, section 7: what a code of Cr adds to R, and one of Cb to B
RED_OF_CR, BLUE_OF_CB = 2 - 2 * KR, 2 - 2 * KB


def _fit_gamut(
    luma: Float,
    offsets: Sequence[Float] | Float,
    maximum: float | Float,
    scale: Float,
    spare: Float,
) -> None:
    """Write to `scale` the largest factor in [0, 1] at which luma + factor * offset lies in
    [0, maximum] for the offsets of R, G and B from luma, itself in that range: chroma shrinks
    towards grey, and its hue angle stays. All (H, W) float32 but `spare`, which is (2, H, W) and is
    lost; maximum may be one number."""
    red, green, blue = offsets
    below, above = spare
    cv2.min(red, green, below)
    cv2.min(below, blue, below)
    np.minimum(below, np.float32(-1e-6), out=below)  # OpenCV takes 1x1 for a scalar here
    np.divide(luma, below, out=below)  # room below, as a negative factor
    cv2.max(red, green, above)
    cv2.max(above, blue, above)
    np.maximum(above, np.float32(1e-6), out=above)
    np.subtract(maximum, luma, out=scale)
    np.divide(scale, above, out=scale)
    np.negative(below, out=below)
    cv2.min(scale, below, scale)
    np.minimum(scale, np.float32(1), out=scale)


KNEE = 6 / 29
"""Of CIELAB's f, where the cube begins (CIE 15:2004, section 8.2.1.1)."""


FULL_LIGHT = 65535.0**2
"""White in the units of light whose square root is looked up in a table of 65536 steps."""


@dataclass(frozen=True, eq=False)
class _Join:
    """What leads from grey codes and ab to RGB, as tables and matrices.

    f: (L* + 16) / 116 of each code. y: relative luminance of each code. to_light: (3, 3), X, Y, Z
    in units of the white to linear RGB in [0, FULL_LIGHT]. curves: (1 or 3, 65536), codes (not
    rounded) of R, G and B at the square root of light, in the middle between whole numbers. black:
    the code below which nothing is seen.
    """

    f: Float
    y: Float
    to_light: Float
    curves: Float
    black: float = 0.0


@functools.lru_cache(maxsize=16)
def _join_of(maximum: int, space: Space | None) -> _Join:
    if space is None:
        light, matrix, curves = lightness_table(maximum), XYZ_TO_SRGB, encode_table()[None]
    else:
        light = space.grey_lightness[:: 65535 // maximum]
        matrix, curves = space.from_xyz, space.curves
    f = (light.astype(np.float64) + 16) / 116
    y = np.where(f > KNEE, f**3, (f - KNEE) * 3 * KNEE**2 + KNEE**3)
    matrix = matrix * WHITE_D65
    matrix = matrix / matrix.sum(axis=1, keepdims=True)  # white stays neutral to the last digit
    middles = (curves + np.concatenate([curves[:, 1:], curves[:, -1:]], axis=1)) * (maximum / 2)
    tables = [table.astype(np.float32) for table in (f, y, matrix * FULL_LIGHT, middles)]
    lightness, luminance, to_light, codes = tables
    black = space.black * maximum if space else 0.0
    return _Join(lightness, luminance, to_light, codes, black)


def _offsets_of(grey: Codes, planes: Float, join: _Join) -> None:
    """What R, G and B of the color with the lightness of grey codes (H, W) are above its luma.

    planes: (6, H, W) float32; the first two come in as a and b, the last three go out as the
    offsets in codes, not yet fitted to the luma (see `_fit_gamut`).
    """
    xyz, rgb = planes[:3], planes[3:]
    f, y, cube = rgb
    cv2.LUT(grey, join.f[None], f)
    np.multiply(xyz[1], np.float32(-1 / 200), out=xyz[2])
    np.multiply(xyz[0], np.float32(1 / 500), out=xyz[0])
    for plane in (xyz[0], xyz[2]):  # CIE 15:2004, section 8.2.1.1, solved for X and Z
        np.add(plane, f, out=plane)
        np.maximum(plane, np.float32(KNEE), out=y)
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
    alpha: npt.NDArray[np.floating[Any]] | Codes | None = None,
    out: Codes | None = None,
) -> Codes:
    """`colorize` for the rows (h, W) of a picture that begin at `start` of its `height`: (h, W, 3).

    A few rows at a time is how pictures of any size are made in bounded memory; who asks for many
    parts of one picture gives `ab` as `enlarged_across` once. space: the RGB space of the codes,
    sRGB without one. dtype: of the result where it is not that of the codes; floating point, 1.0
    for the highest code, keeps exact luma to its own precision. alpha: (h, W), in codes of grey's
    type, that the samples were multiplied by; so is the result then, no sample above it. out:
    (h, W, 3), contiguous, to be written to and returned.
    """
    rows, width = grey.shape
    if out is None:
        out = np.empty((rows, width, 3), grey.dtype if dtype is None else dtype)
    join = _join_of(max_code(grey.dtype), space)
    chroma = np.moveaxis(enlarged_across(ab, width), -1, 0)
    grey = np.ascontiguousarray(grey)
    planes: Float | None = None
    for top, bottom in strips(rows, width):
        if planes is None or planes.shape[1] != bottom - top:
            planes = np.empty((7, bottom - top, width), np.float32)
        exact = None if exact_luma is None else exact_luma[top:bottom]
        _enlarge_height(chroma, height, start + top, planes[:2])
        share = None if alpha is None else alpha[top:bottom].astype(np.float32)
        _join_strip(out[top:bottom], grey[top:bottom], exact, share, planes, join, output)
    return out


def _join_strip(
    out: Codes,
    grey: Codes,
    exact: npt.NDArray[np.floating[Any]] | None,
    alpha: Float | None,
    planes: Float,
    join: _Join,
    output: Output,
) -> None:
    """Rows of a result (h, W, 3) from grey codes (h, W) and planes (7, h, W) that begin with a and
    b, and are lost; alpha: as of `colorize_rows`."""
    maximum = max_code(grey.dtype)
    _offsets_of(grey if alpha is None else divided(grey, alpha), planes[:6], join)
    red, green, blue = planes[3:6]
    limit: float | Float = float(maximum)
    if alpha is not None:
        np.multiply(planes[3:6], alpha / np.float32(maximum), out=planes[3:6])
        limit = alpha
    y, scale = planes[6], planes[0]
    kept = grey if exact is None else exact
    np.copyto(y, kept, casting="same_kind")
    if exact is not None:  # of floating-point samples it may lie beyond black and white
        np.clip(y, 0, maximum, out=y)
    if join.black:
        np.subtract(y, np.float32(join.black), out=y)
    _fit_gamut(y, (red, green, blue), limit - join.black, scale, planes[1:3])
    if alpha is not None:  # luma above it leaves no room at all
        np.maximum(scale, 0, out=scale)
    if join.black:
        np.maximum(scale, 0, out=scale)
        np.copyto(y, kept, casting="same_kind")
        np.clip(y, 0, maximum, out=y)
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


def divided(codes: Codes, alpha: Codes | Float) -> Codes:
    """Codes (H, W[, C]) of uint8 or uint16 that were multiplied by alpha (H, W), as they were
    before; of what cannot be seen black."""
    made = np.empty_like(codes)
    most = max_code(codes.dtype)
    for start, stop in strips(codes.shape[0], codes.shape[1]):
        part = codes[start:stop].astype(np.float32)
        share = (
            alpha[start:stop].astype(np.float32).reshape(*part.shape[:2], *[1] * (part.ndim - 2))
        )
        np.divide(part * np.float32(most), np.maximum(share, 1), out=part)
        made[start:stop] = np.rint(np.minimum(part, most)) * (share > 0)
    return made


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
    with np.errstate(invalid="ignore"):  # what is infinite in the source is so in the result
        _fill_floats(out, kept, red, blue, maximum)


def _fill_floats(
    out: Codes, kept: npt.NDArray[np.float64], red: Float, blue: Float, maximum: int
) -> None:
    out[..., 0] = (kept + red) / maximum
    out[..., 2] = (kept + blue) / maximum
    rest = KR * out[..., 0].astype(np.float64) + KB * out[..., 2].astype(np.float64)
    out[..., 1] = (kept / maximum - rest) / KG
