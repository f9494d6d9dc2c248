"""Bicubic enlargement of small maps, a row at a time: which rows a row is made of, and the mixing.

Keys 1981, equation 4, with a = -0.75, borders repeated, as `cv2.resize(..., INTER_CUBIC)` does; but
at any positions, and with sums in one order wherever it runs. Arrays in, arrays out.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from colorbatch.color import arithmetic, compiled
from colorbatch.color.lab import Float, strips

MIX_NUMBERS = 1 << 16
"""Numbers that numpy mixes at a time."""
Positions = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Taps:
    """What each of n rows is made of: four rows of an array (n, 4) int64, and their weights (n, 4)
    float32. Both are contiguous and only read."""

    rows: npt.NDArray[np.int64]
    weights: Float

    def part(self, start: int, stop: int) -> Taps:
        """Those of the rows from `start` to `stop`."""
        return Taps(self.rows[start:stop], self.weights[start:stop])


def taps_at(positions: Positions, have: int) -> Taps:
    """Of rows at fractional positions (n,) among `have`, of which the first lies at 0."""
    first = np.floor(positions).astype(np.int64)
    t = (positions - first)[:, None]
    a = -0.75
    distance = np.concatenate([t + 1, t, 1 - t, 2 - t], axis=1)
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    rows = np.clip(first[:, None] + np.arange(-1, 3), 0, have - 1)
    weights = np.where(distance <= 1, near, far).astype(np.float32)
    for array in (rows, weights):
        array.flags.writeable = False
    return Taps(rows, weights)


@functools.lru_cache(maxsize=16)
def aligned_taps(have: int, size: int) -> Taps:
    """Of `size` rows from `have`, pixel centers aligned."""
    return taps_at((np.arange(size) + 0.5) * (have / size) - 0.5, have)


def mix(planes: Float, taps: Taps, out: Float) -> None:
    """Rows (c, n, W) of planes (c, h, W) by n taps, written to `out`; all contiguous."""
    kernel = compiled.KERNELS.find("enlarge32", out.size)
    if kernel is not None:
        sizes = np.array(out.shape[1:], np.int64)
        for plane, into in zip(planes, out, strict=True):
            kernel(plane, taps.rows, taps.weights, sizes, into)
        return
    for start, stop in strips(out.shape[1], len(out) * out.shape[2], MIX_NUMBERS):
        part = taps.part(start, stop)
        weights = tuple(np.ascontiguousarray(part.weights[:, k, None]) for k in range(4))
        first, second, third, fourth = (planes.take(part.rows[:, k], axis=1) for k in range(4))
        out[:, start:stop] = arithmetic.mixed(first, second, third, fourth, weights)
