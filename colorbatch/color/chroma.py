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

from colorbatch.color import Codes, Float, resize_area, strips
from colorbatch.color.transfer import CINEON_BLACK, from_linear_srgb, value_table
from colorbatch.color.ycbcr import Encoding, Region, lightness_table

Positions = npt.NDArray[np.float64]
_TINY = np.float32(1e-9)


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
    enlarged = _Enlarged(ab, (y.shape[0], y.shape[1]), cb.shape, encoding)
    y = _padded(y, cb.shape[0] * rows, cb.shape[1] * columns)
    kr, _, kb = encoding.weights
    for start, stop in strips(*cb.shape):
        part = y[start * rows : stop * rows]
        mean, low, high = _shared(part, rows, columns)
        a, b = enlarged.rows(start, stop)
        red, green, blue = _encoded_rgb(mean, a, b, encoding)
        luma = _luma(red, green, blue, encoding)
        scale = _fitting(red, green, blue, luma, low, high, encoding)
        scale[(a == 0) & (b == 0)] = 0
        for plane, primary, weight in ((cb, blue, kb), (cr, red, kr)):
            primary -= luma
            primary *= scale
            primary *= np.float32(encoding.chroma_span / (2 * (1 - weight)))
            primary += np.float32(encoding.neutral)
            np.clip(np.rint(primary, out=primary), 0, encoding.maximum, out=primary)
            plane[start:stop] = primary


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
    enlarged = _Enlarged(ab, grey.shape, grey.shape, encoding)
    kr, kg, kb = encoding.weights
    span = np.float32(encoding.white - encoding.black)
    for start, stop in strips(*grey.shape):
        exact = y[start:stop].astype(np.float32)
        a, b = enlarged.rows(start, stop)
        red, green, blue = _encoded_rgb(grey[start:stop], a, b, encoding)
        luma = _luma(red, green, blue, encoding)
        scale = _fitting(red, green, blue, luma, exact, exact, encoding)
        scale[(a == 0) & (b == 0)] = 0
        scale *= span
        for primary in (red, blue):
            primary -= luma
            primary *= scale
            primary += exact
            np.clip(np.rint(primary, out=primary), 0, encoding.maximum, out=primary)
        cv2.addWeighted(red, -kr / kg, blue, -kb / kg, 0, dst=green)
        cv2.scaleAdd(exact, 1 / kg, green, dst=green)
        np.clip(np.rint(green, out=green), 0, encoding.maximum, out=green)
        for part, primary in zip(parts, (green, blue, red), strict=True):
            part[start:stop] = primary
    return planes


# --- color -------------------------------------------------------------------------------------


def _encoded_rgb(grey: Codes, a: Float, b: Float, encoding: Encoding) -> list[Float]:
    """R', G' and B' in [0, 1] of the colors that have the L* of grey codes and chroma a and b,
    planes (h, w) float32; out of gamut is clipped."""
    lightness = cv2.LUT(grey, lightness_table(encoding))
    linear = cv2.cvtColor(cv2.merge([lightness, a, b]), cv2.COLOR_Lab2LRGB)
    if encoding.primaries != "bt709":
        matrix = from_linear_srgb(encoding.primaries).astype(np.float32)
        linear = cv2.transform(linear, matrix)
    linear = linear.reshape(linear.shape[0], -1)
    np.maximum(linear, 0, out=linear)
    cv2.sqrt(linear, dst=linear)
    position = cv2.multiply(linear, 65535.0, dtype=cv2.CV_16U)  # type: ignore[call-overload]
    encoded = cv2.LUT(position, value_table(encoding.transfer))
    planes = cv2.split(encoded.reshape(*grey.shape, 3))
    return [np.asarray(plane, np.float32) for plane in planes]


def _luma(red: Float, green: Float, blue: Float, encoding: Encoding) -> Float:
    """Y' in [0, 1] of R', G' and B'."""
    kr, kg, kb = encoding.weights
    luma = cv2.addWeighted(red, kr, green, kg, 0)
    return np.asarray(cv2.scaleAdd(blue, kb, luma, dst=luma), np.float32)


def _fitting(
    red: Float, green: Float, blue: Float, luma: Float, low: Codes, high: Codes, encoding: Encoding
) -> Float:
    """The factor in [0, 1] by which a color's distances from its own luma are multiplied, so that
    it stays in [0, 1] at lumas from `low` to `high`, which are in codes. Of logarithmic scans it
    does not go below their black either, which is no code 0: black frames would glow."""
    span = np.float32(1 / (encoding.white - encoding.black))
    above = np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)
    above -= luma
    above += _TINY
    below = np.asarray(cv2.min(cv2.min(red, green), blue), np.float32)
    np.subtract(luma, below, out=below)
    below += _TINY
    room = np.float32(encoding.white) - high.astype(np.float32, copy=False)
    room *= span
    np.divide(room, above, out=above)
    cineon = encoding.transfer == "cineon"
    floor = encoding.maximum * CINEON_BLACK / 1023 if cineon else encoding.black
    room = low.astype(np.float32, copy=False) - np.float32(floor)
    room *= span
    np.divide(room, below, out=below)
    return np.clip(cv2.min(above, below), 0, 1)


# --- where samples lie -------------------------------------------------------------------------


def _padded(y: Codes, height: int, width: int) -> Codes:
    """A plane cut to a size, or with its last row and column repeated up to it."""
    y = y[:height, :width]
    down, right = height - y.shape[0], width - y.shape[1]
    if not down and not right:
        return y
    return np.asarray(cv2.copyMakeBorder(y, 0, down, 0, right, cv2.BORDER_REPLICATE))


def _shared(y: Codes, rows: int, columns: int) -> tuple[Codes, Codes, Codes]:
    """Mean, least and greatest of each block of rows x columns of a luma plane."""
    if rows == columns == 1:
        return y, y, y
    size = (y.shape[1] // columns, y.shape[0] // rows)
    mean = cv2.resize(y, size, interpolation=cv2.INTER_AREA)
    low = functools.reduce(np.minimum, _lines(y, rows))
    high = functools.reduce(np.maximum, _lines(y, rows))
    low = functools.reduce(np.minimum, (low[:, i::columns] for i in range(columns)))
    high = functools.reduce(np.maximum, (high[:, i::columns] for i in range(columns)))
    return np.asarray(mean).reshape(size[1], size[0]), low, high


def _lines(y: Codes, rows: int) -> Iterator[Codes]:
    return (y[i::rows] for i in range(rows))


class _Enlarged:
    """Chroma (h, w, 2) enlarged to a chroma plane's size, row by row, where its samples lie.

    Bicubic with a = -0.75 and borders repeated, as `luma_join.enlarge_rows`; an axis of more
    samples than the plane has is averaged first.
    """

    def __init__(
        self, ab: Float, luma: tuple[int, int], size: tuple[int, ...], encoding: Encoding
    ) -> None:
        self.width = size[1]
        ab = resize_area(ab, (min(ab.shape[0], size[0]), min(ab.shape[1], size[1])))
        ab = ab.reshape(*ab.shape[:2], 2)
        rows, columns = encoding.subsampling or (1, 1)
        top, left = _first_sample(encoding, rows, columns)
        across = (np.arange(size[1]) * columns + left) * (ab.shape[1] / luma[1]) - 0.5
        self.down = (np.arange(size[0]) * rows + top) * (ab.shape[0] / luma[0]) - 0.5
        columns_of = [_resampled(np.ascontiguousarray(ab[..., i].T), across) for i in (0, 1)]
        wide = cv2.transpose(np.concatenate(columns_of))
        self.wide = np.asarray(wide, np.float32).reshape(len(ab), -1)

    def rows(self, start: int, stop: int) -> tuple[Float, Float]:
        """a and b (stop - start, W) of the plane's rows from `start` to `stop`."""
        both = _resampled(self.wide, self.down[start:stop])
        return both[:, : self.width], both[:, self.width :]


def _first_sample(encoding: Encoding, rows: int, columns: int) -> tuple[float, float]:
    """Where the first chroma sample lies, in luma rows and columns from the picture's corner, in
    which the first luma sample lies at (0.5, 0.5) (ITU-T H.273, figure 1)."""
    siting = encoding.siting
    top = 0.5 if "top" in siting else rows - 0.5 if "bottom" in siting else rows / 2
    left = 0.5 if "left" in siting else columns / 2
    return top, left


def _resampled(array: Float, positions: Positions) -> Float:
    """Rows of an array (n, m) at fractional positions: (len(positions), m), bicubic.

    Keys 1981, equation 4, with a = -0.75.
    """
    array = array.reshape(len(array), -1)
    first = np.floor(positions).astype(np.int64)
    t = positions - first
    a = -0.75
    distance = np.stack([t + 1, t, 1 - t, 2 - t])
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = np.where(distance <= 1, near, far).astype(np.float32)[:, :, None]
    result = np.zeros((len(positions), array.shape[1]), np.float32)
    tap = np.empty_like(result)
    for offset, weight in enumerate(weights):
        np.take(array, first + (offset - 1), axis=0, out=tap, mode="clip")
        tap *= weight
        result += tap
    return result
