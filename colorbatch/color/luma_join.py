"""The luma-keeping join: predicted chroma enlarged and joined with the source's own luma.

Arrays in, arrays out; no files, no models. Chroma is scaled towards grey until it fits the gamut at
the source's luma (BT.601, of the encoded values), which so stays what it was. Terms as in `color`.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    KB,
    KG,
    KR,
    XYZ_TO_SRGB,
    Codes,
    Float,
    Space,
    arithmetic,
    bicubic,
    compiled,
    kernels,
    lightness_table,
    max_code,
    strips,
)
from colorbatch.color.join import (
    JOIN_PIXELS,
    Meaning,
    curves_of,
    distances,
    f_of,
    looked_up,
    neutral_matrix,
    numbers_of,
)


def enlarge_rows(ab: Float, size: tuple[int, int], start: int, stop: int) -> Float:
    """Rows `start` to `stop` of chroma (h, w, 2) enlarged to `size` = (H, W), bicubic.

    Bicubic with a = -0.75 (Keys 1981), pixel centers aligned, borders repeated, as
    `cv2.resize(..., INTER_CUBIC)` does; only the asked rows are ever made.
    """
    planes = np.empty((2, stop - start, size[1]), np.float32)
    wide = _planes_of(enlarged_across(ab, size[1]))
    bicubic.mix(wide, bicubic.aligned_taps(wide.shape[1], size[0]).part(start, stop), planes)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


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


def _planes_of(ab: Float) -> Float:
    """Chroma (h, w, 2) as contiguous planes (2, h, w)."""
    return np.ascontiguousarray(np.moveaxis(ab, -1, 0), np.float32)


# ITU-T T.871, section 7: what a code of Cr adds to R, and one of Cb to B
RED_OF_CR, BLUE_OF_CB = 2 - 2 * KR, 2 - 2 * KB
TO_CR, TO_CB = np.float32(1 / RED_OF_CR), np.float32(1 / BLUE_OF_CB)


@functools.lru_cache(maxsize=16)
def _meaning_of(maximum: int, space: Space | None) -> Meaning:
    """Of stills' codes, in sRGB without a space."""
    if space is None:
        light, matrix, curves = lightness_table(maximum), XYZ_TO_SRGB, None
    else:
        light = space.grey_lightness[:: 65535 // maximum]
        matrix, curves = space.from_xyz, np.ascontiguousarray(space.curves, np.float32)
    highest = np.float32(maximum)
    return Meaning(
        f_of(light),
        neutral_matrix(matrix),
        curves,
        (np.float32(KR), np.float32(KG), np.float32(KB)),
        floor=np.float32(space.black * maximum if space else 0),
        white=highest,
        span=highest,
        maximum=highest,
    )


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
    meaning = _meaning_of(max_code(grey.dtype), space)
    wide = _planes_of(enlarged_across(ab, width))
    taps = bicubic.aligned_taps(wide.shape[1], height).part(start, start + rows)
    numbers = numbers_of(meaning, TO_CB, TO_CR, np.float32((int(meaning.maximum) + 1) // 2))
    kernel, bottom = None, 0
    while (top := bottom) < rows:
        if alpha is None:  # what little there is with it is numpy's
            pixels = min(JOIN_PIXELS, (rows - top) * width)
            kernel = compiled.KERNELS.find(f"still{8 * grey.itemsize}", pixels)
        at_once = JOIN_PIXELS if kernel is None else KERNEL_PIXELS
        bottom = min(rows, top + max(1, at_once // width))
        codes, made = grey[top:bottom], out[top:bottom]
        exact = None if exact_luma is None else exact_luma[top:bottom]
        part = taps.part(top, bottom)
        if kernel is not None:
            _join_compiled(kernel, made, codes, exact, wide, part, meaning, numbers, output)
        else:
            share = None if alpha is None else alpha[top:bottom].astype(np.float32)
            _join_strip(made, codes, exact, share, wide, part, meaning, output)
    return out


KERNEL_PIXELS = 1 << 19
"""A kernel makes about so many at a time: more cost memory, fewer cost calls."""


def _join_compiled(
    kernel: compiled.Kernel,
    out: Codes,
    grey: Codes,
    exact: npt.NDArray[np.floating[Any]] | None,
    wide: Float,
    taps: bicubic.Taps,
    meaning: Meaning,
    numbers: Float,
    output: Output,
) -> None:
    """What `_join_strip` does, by a kernel. numbers: as `join.numbers_of`."""
    floats = np.issubdtype(out.dtype, np.floating) and output == "rgb"
    form = kernels.DISTANCES if floats else kernels.YCC if output == "ycc" else kernels.RGB
    count = {kernels.DISTANCES: 0, kernels.YCC: 2, kernels.RGB: 3}[form]
    curves, number = curves_of(meaning)
    codes, none = np.ascontiguousarray(grey), np.empty(0, np.float32)
    luma = none if exact is None else np.ascontiguousarray(exact, np.float32)
    made = np.empty((count, *codes.shape), grey.dtype)
    above = np.empty((2, *codes.shape), np.float32) if floats else none
    sizes = (*codes.shape, wide.shape[1], number, exact is not None, form)
    kernel(
        *(codes, luma, wide, taps.rows, taps.weights, meaning.f, curves, numbers),
        *(np.array(sizes, np.int64), compiled.scratch(), made, above),
    )
    if floats:
        kept = codes if exact is None else exact
        _write_floats(out, kept, above[0], above[1], int(meaning.maximum))
    else:
        planes = (*(codes,) * (count == 2), *made)  # Y' is the source's
        cv2.merge([plane.astype(out.dtype, copy=False) for plane in planes], out)


def _join_strip(
    out: Codes,
    grey: Codes,
    exact: npt.NDArray[np.floating[Any]] | None,
    alpha: Float | None,
    wide: Float,
    taps: bicubic.Taps,
    meaning: Meaning,
    output: Output,
) -> None:
    """Rows of a result (h, W, 3) from grey codes (h, W) and chroma planes (2, n, W) by their taps;
    alpha: as of `colorize_rows`."""
    maximum = meaning.maximum
    ab = np.empty((2, *grey.shape), np.float32)
    bicubic.mix(wide, taps, ab)
    seen = grey if alpha is None else divided(grey, alpha)
    y = (
        grey.astype(np.float32)
        if exact is None
        else arithmetic.within(exact.astype(np.float32), maximum)
    )
    room: tuple[Float, Float]
    if alpha is None:
        room = (y - meaning.floor, meaning.white - y)
        red, blue = distances(looked_up(seen, meaning.f), ab, room, meaning)
    else:  # what is left of the room is shared out before the color is, so the color fits into it
        share: Float = (np.maximum(alpha, np.float32(1e-3)) / maximum).astype(np.float32)
        room = (
            np.asarray((y - meaning.floor) / share, np.float32),
            np.asarray((alpha - y) / share, np.float32),
        )
        red, blue = distances(looked_up(seen, meaning.f), ab, room, meaning) * share
    if output == "ycc":
        neutral = np.float32((int(maximum) + 1) // 2)
        cb = arithmetic.code(blue * TO_CB + neutral, maximum).astype(grey.dtype)
        cr = arithmetic.code(red * TO_CR + neutral, maximum).astype(grey.dtype)
        cv2.merge([grey, cb, cr], out)
    elif np.issubdtype(out.dtype, np.floating):
        _write_floats(out, grey if exact is None else exact, red, blue, int(maximum))
    else:
        red, blue = (arithmetic.code(y + above, maximum) for above in (red, blue))
        shares = meaning.weights[::2]
        green = arithmetic.taken_up(y, red, blue, shares, meaning.green_inverse)
        green = arithmetic.code(green, maximum)
        cv2.merge([plane.astype(out.dtype) for plane in (red, green, blue)], out)


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


def _write_floats(
    out: Codes, kept: npt.NDArray[Any], red: Float, blue: Float, maximum: int
) -> None:
    """Luma and what R and B are above it, (h, W) in codes, to RGB without codes, 1.0 for the
    highest: G takes up the rounding of R and B to the type of `out`."""
    kept = kept.astype(np.float64)
    with np.errstate(invalid="ignore"):  # what is infinite in the source is so in the result
        out[..., 0] = (kept + red) / maximum
        out[..., 2] = (kept + blue) / maximum
        rest = KR * out[..., 0].astype(np.float64) + KB * out[..., 2].astype(np.float64)
        out[..., 1] = (kept / maximum - rest) / KG
