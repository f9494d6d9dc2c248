"""What is computed at a pixel of the join, in float32: one source for numpy and for compiled code.

Each function takes numbers or arrays of them. numpy runs them over the rows of a strip, `kernels`
compiles them for one pixel, and both give the same bytes: every operation here is one that IEEE 754
rounds exactly (+, -, *, /, the square root), they stand in the order in which they are done, and
nothing is fused. Powers and roots of other degrees are not exact, so there are none.

*Light* is linear, 1 for white; *values* are what is encoded, 1 for white; *codes* are values times
the span between black and white.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Numbers = Any
"""float32: a number, or an array of them."""

ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
TINY = np.float32(1e-9)

KNEE = np.float32(6 / 29)
"""Of CIELAB's f, where the cube begins (CIE 15:2004, section 8.2.1.1)."""
TANGENT = np.float32(3 * (6 / 29) ** 2)
"""The slope of the cube there, and so of the line below it."""
OF_A, OF_B = np.float32(1 / 500), np.float32(-1 / 200)
"""What a adds to f(X), and b to f(Z) (the same section, solved for them)."""

# IEC 61966-2-1, section 5.2: a line up to TOE, then a power of 1 / 2.4. The power less the line's
# end is here (t - ROOT) * (P2 t^2 + P1 t + P0) / (Q3 t^3 + Q2 t^2 + Q1 t + 1) in the square root t
# of light: the best of its kind (Lawson's algorithm), within 3.8e-6 of the standard, with the
# rounding of float32 within 4.1e-6, a quarter of a code of 16 bits.
TOE, SLOPE = np.float32(0.0031308), np.float32(12.92)
ROOT = np.float32(0.055953554809093475)
P0, P1, P2 = (np.float32(p) for p in (1.6005477905273438, 18.57866859436035, 18.849681854248047))
Q1, Q2, Q3 = (np.float32(q) for q in (14.872303009033203, 21.582796096801758, 0.9433522820472717))

STEPS = np.float32(65535)
"""Of tables of values over the square root of light."""


def least(first: Numbers, second: Numbers) -> Numbers:
    """The smaller one; the second where the first is no number. `lowering` has its own of it."""
    return np.fmin(first, _row_of(first, second))


def most(first: Numbers, second: Numbers) -> Numbers:
    """The greater one; the second where the first is no number."""
    return np.fmax(first, _row_of(first, second))


def _row_of(first: Numbers, second: Numbers) -> Numbers:
    """A number beside an array as a row of it: numpy takes three times as long with a number."""
    if np.ndim(second) or not np.ndim(first):
        return second
    return _row(second, first.shape[-1])


@functools.lru_cache(maxsize=64)
def _row(number: np.float32, width: int) -> Numbers:
    return np.full(width, number, np.float32)


def within(luma: Numbers, maximum: Numbers) -> Numbers:
    """Luma clipped to the codes that there are: of floating-point samples it may lie beyond."""
    return least(most(luma, ZERO), maximum)


def mixed(
    first: Numbers, second: Numbers, third: Numbers, fourth: Numbers, weights: tuple[Numbers, ...]
) -> Numbers:
    """A bicubic sample of four by their weights."""
    return first * weights[0] + second * weights[1] + third * weights[2] + fourth * weights[3]


def cubed(f: Numbers) -> Numbers:
    """X, Y or Z in units of the white of CIELAB's f (CIE 15:2004, section 8.2.1.1, solved)."""
    high = most(f, KNEE)
    return (f - high) * TANGENT + high * high * high


def light(x: Numbers, y: Numbers, z: Numbers, row: tuple[Numbers, ...]) -> Numbers:
    """A primary's light of X, Y and Z by its row of the matrix, clipped to [0, 1]."""
    return least(most(x * row[0] + y * row[1] + z * row[2], ZERO), ONE)


def srgb(light: Numbers) -> Numbers:
    """sRGB's value in [0, 1] of light in [0, 1]: 0 of 0, and within 4.1e-6 of the standard."""
    t = np.sqrt(most(light, TOE))
    power = ((P2 * t + P1) * t + P0) * (t - ROOT) / (((Q3 * t + Q2) * t + Q1) * t + ONE)
    return least(light, TOE) * SLOPE + power


def position(light: Numbers) -> Numbers:
    """Where a table over the square root of light has the value of light in [0, 1]: to be cut to a
    whole number."""
    return np.sqrt(light) * STEPS + HALF


def luma(red: Numbers, green: Numbers, blue: Numbers, weights: tuple[Numbers, ...]) -> Numbers:
    """The weighted sum of values."""
    return red * weights[0] + green * weights[1] + blue * weights[2]


def fitted(
    red: Numbers,
    green: Numbers,
    blue: Numbers,
    own: Numbers,
    room: tuple[Numbers, Numbers],
    span: Numbers,
) -> Numbers:
    """By how many codes a color's distance of 1 from its `own` luma is drawn: `span` where it fits
    into the gamut at the luma that it gets, less where it has to shrink towards grey, never
    less than 0. room: the codes from that luma down to black and up to white."""
    below = most(own - least(least(red, green), blue), TINY)
    above = most(most(most(red, green), blue) - own, TINY)
    fits = least(room[0] * above, room[1] * below) / (below * above)  # one division for two
    return most(least(fits, span), ZERO)


def code(value: Numbers, maximum: Numbers) -> Numbers:
    """The nearest whole number in [0, maximum], halves up."""
    return np.floor(least(most(value + HALF, ZERO), maximum))


def taken_up(
    luma: Numbers, red: Numbers, blue: Numbers, weights: tuple[Numbers, ...], inverse: Numbers
) -> Numbers:
    """The green that, with these codes of red and blue, has this luma: it takes up their rounding.
    weights: of red and of blue. inverse: 1 by that of green."""
    return (luma - red * weights[0] - blue * weights[1]) * inverse
