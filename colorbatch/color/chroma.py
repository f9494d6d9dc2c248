"""The chroma of films: from a luma plane and predicted ab to the planes that are written.

Arrays in, arrays out; no files, no models. The luma plane is only read. Chroma is computed at the
chroma planes' own size, a quarter of the picture in 4:2:0, in strips of bounded memory:

1. ab is enlarged bicubically to where the chroma samples lie (siting).
2. A sample's L* is that of the mean of the luma samples that share it. L*a*b* becomes linear RGB,
   the film's own R'G'B', and from it Cb and Cr of the full color.
3. Both are scaled towards grey until R'G'B' fits into [0, 1] at every luma sample that shares them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    XYZ_TO_SRGB,
    Codes,
    Float,
    arithmetic,
    bicubic,
    compiled,
    kernels,
    resize_area,
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
from colorbatch.color.transfer import CINEON_BLACK, from_linear_srgb, value_table
from colorbatch.color.ycbcr import Encoding, Region, lightness_table


def chroma_planes(
    y: Codes,
    ab: Float,
    encoding: Encoding,
    *,
    saturation: float = 1.0,
    region: Region | None = None,
) -> tuple[Codes, Codes]:
    """Cb and Cr, in codes of the film at `encoding.chroma_size`, for a luma plane (H, W).

    ab: chroma (h, w, 2) in Lab units at any size, of the region's part of the picture where there
    is a `region` (from `Region.within`); outside of it chroma is neutral. saturation: factor on ab.

    Where ab is 0, chroma is exactly neutral. No R'G'B' that is decoded with chroma repeated leaves
    [0, 1] by more than the rounding of Cb and Cr does; luma outside of [0, 1] gets neutral chroma.
    Raises ValueError for RGB, for 4:0:0 and for a saturation that is no number.
    """
    if not np.isfinite(saturation):
        raise ValueError(f"saturation is a number, not {saturation}")
    if encoding.matrix == "rgb" or encoding.subsampling is None:
        raise ValueError("a film without chroma planes")
    size = encoding.chroma_size((y.shape[0], y.shape[1]))
    planes = tuple(np.full(size, encoding.neutral, encoding.dtype) for _ in range(2))
    ab = np.asarray(ab, np.float32) * np.float32(saturation)
    step = encoding.subsampling
    parts = planes if region is None else tuple(region.of(plane, step) for plane in planes)
    y = y if region is None else region.of(y)
    if encoding.interlaced and step[0] > 1:  # each field has its own chroma rows
        for field in range(min(2, size[0])):
            _fill(parts[0][field::2], parts[1][field::2], y[field::2], ab, encoding)
    else:
        _fill(parts[0], parts[1], y, ab, encoding)
    return planes[0], planes[1]


def _fill(cb: Codes, cr: Codes, y: Codes, ab: Float, encoding: Encoding) -> None:
    """Write the chroma of a luma plane (H, W) into two planes of the chroma's size."""
    assert encoding.subsampling is not None
    rows, columns = encoding.subsampling
    meaning = _meaning_of(encoding)
    size = (cb.shape[0], cb.shape[1])
    wide, taps = _enlarged_across(ab, (y.shape[0], y.shape[1]), size, encoding)
    y = _padded(y, cb.shape[0] * rows, cb.shape[1] * columns)
    to_cb, to_cr = _chroma_factors(encoding)
    neutral, maximum = np.float32(encoding.neutral), meaning.maximum
    shift = (rows * columns).bit_length() - 1
    kernel = compiled.KERNELS.find(f"film{8 * y.itemsize}", cb.size)
    if kernel is not None and rows * columns == 1 << shift:
        numbers = numbers_of(meaning, to_cb, to_cr, neutral)
        curves, number = curves_of(meaning)
        sizes = np.array((*size, wide.shape[1], number, rows, columns, shift), np.int64)
        made = np.empty((2, *size), y.dtype)
        kernel(
            *(np.ascontiguousarray(y), wide, taps.rows, taps.weights, meaning.f, curves, numbers),
            *(sizes, compiled.scratch(), made[0], made[1]),
        )
        cb[...], cr[...] = made
        return
    for start, stop in strips(*size, JOIN_PIXELS):
        both = np.empty((2, stop - start, size[1]), np.float32)
        bicubic.mix(wide, taps.part(start, stop), both)
        mean, low, high = _shared(y[start * rows : stop * rows], rows, columns)
        room = (low.astype(np.float32) - meaning.floor, meaning.white - high.astype(np.float32))
        red, blue = above = distances(looked_up(mean, meaning.f), both, room, meaning)
        above[:, (both == 0).all(axis=0)] = 0  # to the last digit
        cb[start:stop] = arithmetic.code(blue * to_cb + neutral, maximum)
        cr[start:stop] = arithmetic.code(red * to_cr + neutral, maximum)


@functools.lru_cache(maxsize=16)
def _meaning_of(encoding: Encoding) -> Meaning:
    """What a film's codes mean. R', G' and B' of logarithmic scans stay above their black, which is
    no code 0: black frames would glow."""
    matrix = XYZ_TO_SRGB.astype(np.float64)
    if encoding.primaries != "bt709":
        matrix = from_linear_srgb(encoding.primaries) @ matrix
    display = encoding.transfer == "display"
    cineon = encoding.transfer == "cineon"
    red, green, blue = encoding.weights
    return Meaning(
        f_of(lightness_table(encoding)),
        neutral_matrix(matrix),
        None if display else value_table(encoding.transfer)[None],
        (np.float32(red), np.float32(green), np.float32(blue)),
        floor=np.float32(encoding.maximum * CINEON_BLACK / 1023 if cineon else encoding.black),
        white=np.float32(encoding.white),
        span=np.float32(encoding.white - encoding.black),
        maximum=np.float32(encoding.maximum),
    )


def _chroma_factors(encoding: Encoding) -> tuple[np.float32, np.float32]:
    """Codes of Cb and of Cr for a code that B and R are above the luma."""
    red, _, blue = encoding.weights
    step = encoding.chroma_span / (encoding.white - encoding.black)
    return np.float32(step / (2 * (1 - blue))), np.float32(step / (2 * (1 - red)))


def luma_of_rgb(green: Codes, blue: Codes, red: Codes, encoding: Encoding) -> npt.NDArray[Any]:
    """The luma of an RGB film's planes (H, W), in codes: one of them where all three are equal,
    else their weighted sum as float32."""
    if np.array_equal(green, blue) and np.array_equal(green, red):
        return green
    kr, kg, kb = encoding.weights
    both = cv2.addWeighted(red, kr, green, kg, 0, dtype=cv2.CV_32F)
    return np.asarray(cv2.addWeighted(both, 1, blue, kb, 0, dtype=cv2.CV_32F), np.float32)


def coded_luma_of_rgb(green: Codes, blue: Codes, red: Codes, encoding: Encoding) -> Codes:
    """The luma plane (H, W) of an RGB film's planes by an encoding's matrix, in whole codes: the
    nearest to KR R + KG G + KB B, halves up; where all three are equal, exactly theirs.

    The weights of H.273 have four decimals: whole numbers, so that it is the same everywhere.
    """
    weights = [round(10000 * weight) for weight in encoding.weights]
    total = np.full(green.shape, 5000, np.uint32)
    for plane, weight in zip((red, green, blue), weights, strict=True):
        total += plane.astype(np.uint32) * np.uint32(weight)
    total //= np.uint32(10000)
    return total.astype(encoding.dtype)


def rgb_planes(
    y: npt.NDArray[Any],
    ab: Float,
    encoding: Encoding,
    *,
    saturation: float = 1.0,
    region: Region | None = None,
) -> tuple[Codes, Codes, Codes]:
    """G, B and R of an RGB film, in its codes, for its luma (H, W) from `luma_of_rgb`.

    ab, saturation and region as in `chroma_planes`. The result's luma differs from `y` by at most
    0.294 code (G takes up the rounding of R and B), which for 8 bits and equal R, G and B is none.
    """
    if not np.isfinite(saturation):
        raise ValueError(f"saturation is a number, not {saturation}")
    grey = y
    if np.issubdtype(y.dtype, np.floating):
        grey = np.clip(np.rint(y), 0, encoding.maximum).astype(encoding.dtype)
    planes = grey.copy(), grey.copy(), grey.copy()
    ab = np.asarray(ab, np.float32) * np.float32(saturation)
    parts = planes if region is None else tuple(region.of(plane) for plane in planes)
    y = y if region is None else region.of(y)
    grey = grey if region is None else region.of(grey)
    size = (grey.shape[0], grey.shape[1])
    wide, taps = _enlarged_across(ab, size, size, encoding)
    meaning = _meaning_of(encoding)
    kernel = compiled.KERNELS.find(f"still{8 * grey.itemsize}", grey.size)
    if kernel is not None:
        numbers = numbers_of(meaning, *[np.float32(0)] * 3)
        curves, number = curves_of(meaning)
        given = np.issubdtype(y.dtype, np.floating)
        luma = np.ascontiguousarray(y, np.float32) if given else np.empty(0, np.float32)
        sizes = (*size, wide.shape[1], number, given, kernels.RGB)
        made = np.empty((3, *size), grey.dtype)
        kernel(
            *(np.ascontiguousarray(grey), luma, wide, taps.rows, taps.weights, meaning.f, curves),
            *(numbers, np.array(sizes, np.int64), compiled.scratch(), made, luma),
        )
        parts[0][...], parts[1][...], parts[2][...] = made[1], made[2], made[0]
        return planes
    for start, stop in strips(*size, JOIN_PIXELS):
        exact = arithmetic.within(y[start:stop].astype(np.float32), meaning.maximum)
        both = np.empty((2, stop - start, size[1]), np.float32)
        bicubic.mix(wide, taps.part(start, stop), both)
        room = (exact - meaning.floor, meaning.white - exact)
        f = looked_up(grey[start:stop], meaning.f)
        red, blue = (
            arithmetic.code(exact + above, meaning.maximum)
            for above in distances(f, both, room, meaning)
        )
        shares = meaning.weights[::2]
        green = arithmetic.taken_up(exact, red, blue, shares, meaning.green_inverse)
        green = arithmetic.code(green, meaning.maximum)
        for part, primary in zip(parts, (green, blue, red), strict=True):
            part[start:stop] = primary
    return planes


# --- where samples lie -------------------------------------------------------------------------


def _padded(y: Codes, height: int, width: int) -> Codes:
    """A plane cut to a size, or with its last row and column repeated up to it."""
    y = y[:height, :width]
    down, right = height - y.shape[0], width - y.shape[1]
    if not down and not right:
        return y
    return np.asarray(cv2.copyMakeBorder(y, 0, down, 0, right, cv2.BORDER_REPLICATE))


def _shared(y: Codes, rows: int, columns: int) -> tuple[Codes, Codes, Codes]:
    """Mean (rounded, halves up), least and greatest of each block of rows x columns of a luma
    plane."""
    if rows == columns == 1:
        return y, y, y
    parts = [line[:, i::columns] for line in _lines(y, rows) for i in range(columns)]
    total = np.add(parts[0], parts[1], dtype=np.int32)
    for part in parts[2:]:
        total += part
    mean = ((total + len(parts) // 2) // len(parts)).astype(y.dtype)
    return mean, functools.reduce(np.minimum, parts), functools.reduce(np.maximum, parts)


def _lines(y: Codes, rows: int) -> Iterator[Codes]:
    return (y[i::rows] for i in range(rows))


def _enlarged_across(
    ab: Float, luma: tuple[int, int], size: tuple[int, int], encoding: Encoding
) -> tuple[Float, bicubic.Taps]:
    """Chroma (h, w, 2) as planes (2, h, W) of a chroma plane's width, and what its rows are made
    of, where the samples of a plane of `size` lie.

    An axis of more samples than the plane has is averaged first.
    """
    ab = resize_area(ab, (min(ab.shape[0], size[0]), min(ab.shape[1], size[1])))
    have = (ab.shape[0], ab.shape[1])
    step = encoding.subsampling or (1, 1)
    down, across = _taps(have, luma, size, step, _first_sample(encoding, *step))
    columns = np.ascontiguousarray(np.moveaxis(ab.reshape(*have, 2), (0, 1, 2), (2, 1, 0)))
    made = np.empty((2, size[1], have[0]), np.float32)
    bicubic.mix(columns, across, made)
    wide = np.empty((2, have[0], size[1]), np.float32)
    for plane, into in zip(made, wide, strict=True):
        cv2.transpose(plane, into)
    return wide, down


@functools.lru_cache(maxsize=16)
def _taps(
    have: tuple[int, int],
    luma: tuple[int, int],
    size: tuple[int, int],
    step: tuple[int, int],
    first: tuple[float, float],
) -> tuple[bicubic.Taps, bicubic.Taps]:
    """Of the rows and of the columns of a chroma plane."""
    down, across = (
        bicubic.taps_at((np.arange(n) * s + f) * (h / y) - 0.5, h)
        for n, s, f, h, y in zip(size, step, first, have, luma, strict=True)
    )
    return down, across


def _first_sample(encoding: Encoding, rows: int, columns: int) -> tuple[float, float]:
    """Where the first chroma sample lies, in luma rows and columns from the picture's corner, in
    which the first luma sample lies at (0.5, 0.5) (ITU-T H.273, figure 1)."""
    siting = encoding.siting
    top = 0.5 if "top" in siting else rows - 0.5 if "bottom" in siting else rows / 2
    left = 0.5 if "left" in siting else columns / 2
    return top, left
