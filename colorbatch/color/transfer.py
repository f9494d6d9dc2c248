"""Transfer functions and primaries of film: what a code shows on a display, and the way back.

A code value is Y' or R'G'B' in [0, 1], after its levels are taken off. *Display light* is linear
light in [0, 1], 1 for the white of an ordinary display under sRGB's curve. Arrays in, arrays out.

Everything that was made for a display with a power-like curve (BT.709, BT.601, sRGB, gamma 2.2) is
read as sRGB, as a still taken from the film would be: it is what networks were trained on. PQ, HLG,
logarithmic and linear codes are turned to display light; the results stay in the film's own codes.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import numpy.typing as npt

from colorbatch.color import Float, linearize

Double = npt.NDArray[np.float64]
Transfer = Literal["display", "linear", "cineon", "log100", "log316", "pq", "hlg"]
Primaries = Literal[
    "bt709", "bt470m", "bt601-625", "bt601-525", "film", "bt2020", "dci-p3", "display-p3", "ebu3213"
]

WHITE_NITS = 203.0
"""Luminance of HDR reference white in cd/m2 (ITU-R BT.2408-7, table 1): the display's white."""
PEAK_NITS = 1000.0
"""Luminance in cd/m2 to which HDR pictures are taken to be mastered; above it is white."""
CINEON_BLACK, CINEON_WHITE = 95, 685
"""Codes of 10 bits of black and of a white object in Cineon's printing density; a code is 0.002 of
density, and the negative's gamma is 0.6 (Kodak 1995, "Conversion of 10-bit log film data to 8-bit
linear or video data for the Cineon digital film system")."""


def display_light(value: npt.ArrayLike, transfer: Transfer) -> Double:
    """Display light in [0, 1] of code values in [0, 1], any shape, float64; never falling."""
    v = np.clip(np.asarray(value, np.float64), 0, 1)
    if transfer == "display":
        light = linearize(v)
    elif transfer == "linear":
        light = v
    elif transfer == "cineon":
        light = _cineon(v)
    elif transfer in ("log100", "log316"):  # ITU-T H.273, table 3, values 9 and 10
        decades = 2.0 if transfer == "log100" else 2.5
        light = np.where(v > 0, 10 ** (decades * (v - 1)), 0)
    else:
        light = _shown_on_sdr(pq_nits(v) if transfer == "pq" else hlg_nits(v))
    return np.asarray(np.clip(light, 0, 1), np.float64)


def _cineon(value: Double) -> Double:
    def exposure(code: Double | float) -> Double:
        return np.asarray(10 ** ((code - CINEON_WHITE) * (0.002 / 0.6)), np.float64)

    black = exposure(CINEON_BLACK)
    return np.asarray((exposure(value * 1023) - black) / (1 - black), np.float64)


# ITU-R BT.2100-2, table 4
M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pq_nits(value: Double) -> Double:
    """Luminance in cd/m2 of PQ code values in [0, 1] (ITU-R BT.2100-2, table 4)."""
    power = value ** (1 / M2)
    return np.asarray(10000 * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1))


def pq_value(nits: npt.ArrayLike) -> Double:
    """PQ code values in [0, 1] of a luminance in cd/m2 (ITU-R BT.2100-2, table 4)."""
    power = (np.asarray(nits, np.float64) / 10000) ** M1
    return np.asarray(((C1 + C2 * power) / (1 + C3 * power)) ** M2)


def hlg_nits(value: Double) -> Double:
    """Luminance in cd/m2 of grey HLG code values in [0, 1] on a display of 1000 cd/m2 (ITU-R
    BT.2100-2, table 5: inverse OETF, then the OOTF with a system gamma of 1.2)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
    return np.asarray(1000 * scene**1.2)


def _shown_on_sdr(nits: Double) -> Double:
    """Display light of an HDR luminance: the EETF of ITU-R BT.2390-10, section 5.4.1, from
    PEAK_NITS to WHITE_NITS, black at 0."""
    peak = pq_value(PEAK_NITS)
    value = np.minimum(pq_value(nits) / peak, 1)
    most = pq_value(WHITE_NITS) / peak
    knee = 1.5 * most - 0.5
    t = (value - knee) / (1 - knee)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    return pq_nits(np.where(value < knee, value, bent) * peak) / WHITE_NITS


@functools.cache
def value_table(transfer: Transfer) -> Float:
    """Code values in [0, 1] over the square root of display light: (65536,) float32.

    The inverse of `display_light`. Where several codes show the same (above the white of a
    logarithmic scan), the smallest is meant.
    """
    target = (np.arange(65536) / 65535) ** 2
    if transfer == "display":  # IEC 61966-2-1, section 5.2
        values = np.where(target <= 0.0031308, target * 12.92, 1.055 * target ** (1 / 2.4) - 0.055)
    else:
        grid = np.linspace(0, 1, (1 << 18) + 1)
        light, first = np.unique(display_light(grid, transfer), return_index=True)
        values = np.interp(target, light, grid[first])
    return values.astype(np.float32)


_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
# ITU-T H.273, table 2: R, G, B and white in CIE 1931 x, y
_CHROMATICITIES: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    "bt470m": ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    "bt601-625": ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    "bt601-525": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    "film": ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "dci-p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    "display-p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "ebu3213": ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
# Bradford's cone responses (ICC.1:2022, annex E)
_BRADFORD = np.array([
    [0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296],
])  # fmt: skip


Corners = tuple[tuple[float, float], ...]


@functools.cache
def from_linear_srgb(primaries: Primaries) -> Double:
    """(3, 3): linear light with sRGB's primaries to linear light with these. White stays white:
    whites other than D65 are adapted by Bradford's method."""
    return _from_srgb(_CHROMATICITIES[primaries])


def from_chromaticities(values: tuple[float, ...] | None) -> tuple[Double, Double]:
    """`from_linear_srgb` for x and y of R, G, B and white, 8 numbers (OpenEXR's attribute), and
    (3,): the weights of R, G and B in luminance. BT.709's for None, and for numbers that are no
    primaries."""
    corners: Corners = _CHROMATICITIES["bt709"]
    if values is not None and len(values) == 8 and np.isfinite(values).all():
        given = tuple(zip(values[::2], values[1::2], strict=True))
        if all(y != 0 for _, y in given) and abs(np.linalg.det(_columns(given)[0])) > 1e-6:
            corners = given
    return _from_srgb(corners), np.asarray(_own_xyz(corners)[1], np.float64)


def _from_srgb(corners: Corners) -> Double:
    back = np.linalg.inv(_to_xyz(corners))
    return np.asarray(back @ _to_xyz(_CHROMATICITIES["bt709"]), np.float64)


def _columns(corners: Corners) -> tuple[Double, Double]:
    """XYZ of R, G and B as columns (3, 3), and of white, each with Y = 1."""
    *primaries, white = [np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in corners]
    return np.stack(primaries, axis=1), white


def _own_xyz(corners: Corners) -> Double:
    """(3, 3): linear RGB to XYZ under its own white (SMPTE RP 177, section 3.3)."""
    columns, white = _columns(corners)
    return np.asarray(columns * np.linalg.solve(columns, white), np.float64)


def _to_xyz(corners: Corners) -> Double:
    """(3, 3): linear RGB to XYZ under D65."""
    own, white = _own_xyz(corners), _columns(corners)[1]
    d65 = np.array([_D65[0] / _D65[1], 1.0, (1 - sum(_D65)) / _D65[1]])
    gain = (_BRADFORD @ d65) / (_BRADFORD @ white)
    return np.asarray(np.linalg.inv(_BRADFORD) @ (gain[:, None] * (_BRADFORD @ own)))
