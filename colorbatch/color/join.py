"""From lightness and chroma to what R and B are above the luma: the middle of both joins, in numpy.

Arrays in, arrays out; no files, no models. Stills (`luma_join`) and films (`chroma`) differ in what
goes in and in what is made of it. `kernels` does the same in compiled code, with equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import arithmetic, kernels
from colorbatch.color.lab import WHITE_D65, Codes, Float

Triple = tuple[np.float32, np.float32, np.float32]

JOIN_PIXELS = 1 << 15
"""numpy's join takes about so many pixels at a time: fewer cost calls, more cost memory."""


@dataclass(frozen=True, eq=False)
class Meaning:
    """What codes mean, as the join needs it.

    f: of CIELAB, (L* + 16) / 116, of each code. matrix: (3, 3), X, Y, Z in units of the white to
    the light of R, G and B. curves: (1 or 3, 65536), values of R, G and B over the square root of
    light; None for sRGB's. weights: of R, G and B in luma. floor, white: the codes between which R,
    G and B stay. span: codes of a value of 1. maximum: the largest code.
    """

    f: Float
    matrix: Float
    curves: Float | None
    weights: Triple
    floor: np.float32
    white: np.float32
    span: np.float32
    maximum: np.float32

    @property
    def green_inverse(self) -> np.float32:
        """1 by the weight of G."""
        return np.float32(1 / (1 - float(self.weights[0]) - float(self.weights[2])))


def numbers_of(
    meaning: Meaning, to_cb: np.float32, to_cr: np.float32, neutral: np.float32
) -> Float:
    """The numbers that kernels work with: a meaning's, the codes of Cb and Cr for one that B and R
    are above the luma, and the chroma code of grey."""
    numbers = np.empty(kernels.NUMBERS, np.float32)
    numbers[kernels.MATRIX : kernels.WEIGHTS] = meaning.matrix.ravel()
    numbers[kernels.WEIGHTS : kernels.FLOOR] = meaning.weights
    numbers[kernels.FLOOR :] = (
        *(meaning.floor, meaning.white, meaning.span, meaning.maximum),
        *(meaning.green_inverse, to_cb, to_cr, neutral),
    )
    return numbers


def curves_of(meaning: Meaning) -> tuple[Float, int]:
    """The tables of values that kernels look into, and how many of them."""
    return (meaning.f, 0) if meaning.curves is None else (meaning.curves, len(meaning.curves))


def f_of(lightness: Float) -> Float:
    """f of L* in [0, 100], any shape, float32."""
    return np.asarray((lightness.astype(np.float64) + 16) / 116, np.float32)


def neutral_matrix(from_xyz: npt.NDArray[Any]) -> Float:
    """A matrix from X, Y, Z (1 for Y of the white) to light, as `Meaning` has it: white stays
    neutral to the last digit."""
    matrix = np.asarray(from_xyz, np.float64) * WHITE_D65.astype(np.float64)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), np.float32)


def distances(f: Float, ab: Float, room: tuple[Float, Float], meaning: Meaning) -> Float:
    """What R and B of the color are above its luma, in codes, drawn in until the color fits into
    the gamut at the luma that it gets: (2, h, W).

    f: (h, W). ab: (2, h, W). room: (h, W) each, the codes from that luma to `floor` and to `white`.
    """
    planes = np.empty((3, *f.shape), np.float32)
    planes[0] = f + ab[0] * arithmetic.OF_A
    planes[1] = f
    planes[2] = f + ab[1] * arithmetic.OF_B
    x, y, z = arithmetic.cubed(planes)
    for row, plane in zip(meaning.matrix, planes, strict=True):
        plane[...] = arithmetic.light(x, y, z, tuple(row))
    del x, y, z
    red, green, blue = _values(planes, meaning.curves)
    own = arithmetic.luma(red, green, blue, meaning.weights)
    factor = arithmetic.fitted(red, green, blue, own, room, meaning.span)
    planes[0] = (red - own) * factor
    planes[1] = (blue - own) * factor
    return planes[:2]


def _values(light: Float, curves: Float | None) -> Float:
    """Encoded values (3, h, W) of light in [0, 1]."""
    if curves is None:
        return np.asarray(arithmetic.srgb(light), np.float32)
    steps = arithmetic.position(light).astype(np.uint16)
    if len(curves) == 1:
        return looked_up(steps, curves[0])
    planes = zip(steps, curves, strict=True)
    return np.stack([looked_up(plane, curve) for plane, curve in planes])


def looked_up(codes: Codes, table: Float) -> Float:
    """Table values (256 or 65536,) at codes of uint8 or uint16, any shape."""
    row = np.ascontiguousarray(codes).reshape(1, -1)  # OpenCV is at it in half of numpy's time
    return np.asarray(cv2.LUT(row, table[None]), np.float32).reshape(codes.shape)
