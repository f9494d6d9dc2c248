"""The color path of floating-point frames (EXR): luminance, what is seen, and the join.

Arrays in, arrays out. Samples are (H, W, 1) or (H, W, 3), R, G, B, float16 or float32, 1.0 for
white; they may lie beyond 0 and 1. *Luma* here is the weighted sum of the samples as they are
stored: luminance of linear ones, by the file's own primaries.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    KB,
    KG,
    KR,
    Codes,
    Float,
    encode,
    lightness_of_y,
    resize_area,
    strips,
    to_codes,
)
from colorbatch.color.luma_join import enlarge_rows
from colorbatch.color.transfer import Transfer, display_light, from_chromaticities, value_table

Samples = npt.NDArray[Any]
Double = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Light:
    """What samples mean. weights: of R, G and B in luma. from_srgb: (3, 3), linear light with
    sRGB's primaries to that of the file."""

    transfer: Transfer
    weights: tuple[float, float, float]
    from_srgb: Double


@functools.lru_cache(maxsize=8)
def space_of(transfer: Transfer, chromaticities: tuple[float, ...] | None = None) -> Light:
    """chromaticities: x and y of R, G, B and white; None for those of BT.709. The luma of what is
    not linear is that of BT.601, as for codes."""
    matrix, (red, green, blue) = from_chromaticities(chromaticities)
    if transfer != "linear":
        red, green, blue = KR, KG, KB
    return Light(transfer, (float(red), float(green), float(blue)), matrix)


def luma(samples: Samples, light: Light) -> Double:
    """(H, W) float64; where R, G and B are equal, exactly their value."""
    if samples.shape[2] == 1:
        return samples[..., 0].astype(np.float64)
    red, green, blue = (samples[..., index].astype(np.float64) for index in range(3))
    kr, kg, kb = light.weights
    with np.errstate(invalid="ignore"):  # what is infinite in the source is so here
        sums = kr * red + kg * green + kb * blue
    return np.where((red == green) & (blue == green), green, sums)


def network_lightness(luma: Float, light: Light, size: tuple[int, int]) -> Float:
    """L* (h, w) in [0, 100] at the network's `size` of luma (H, W) float32: averaged as stored,
    as codes are."""
    shown = np.clip(np.nan_to_num(luma, nan=0, posinf=1, neginf=0), 0, 1)
    return lightness_of_y(display_light(resize_area(shown, size), light.transfer))


def rgb_view(samples: Samples, light: Light, size: tuple[int, int]) -> Codes:
    """sRGB codes (h, w, 3), uint8, of samples (H, W, 3), at a small size."""
    clean = np.clip(np.nan_to_num(samples.astype(np.float32), nan=0, posinf=1, neginf=0), 0, 1)
    linear = display_light(resize_area(clean, size), light.transfer)
    own = np.clip(linear @ np.linalg.inv(light.from_srgb).T, 0, 1)
    return to_codes(encode(own.astype(np.float32)))


def colorize(samples: Samples, ab: Float, light: Light) -> Samples:
    """Samples (H, W, 1 or 3) and chroma (h, w, 2) in Lab units to (H, W, 3) of the same type.

    Chroma is scaled towards grey until R, G and B lie in [0, 1]; luma outside of [0, 1], and what
    is no number, gets none; a pixel with such a channel stays as it is. The luma of the result
    differs by the rounding of G alone.
    """
    height, width = samples.shape[:2]
    ab = resize_area(ab, (min(ab.shape[0], height), min(ab.shape[1], width)))
    ab = np.asarray(ab, np.float32).reshape(*ab.shape[:2], 2)
    out = np.empty((height, width, 3), samples.dtype)
    for start, stop in strips(height, width):
        y = luma(samples[start:stop], light)
        rows = enlarge_rows(ab, (height, width), start, stop)
        with np.errstate(invalid="ignore", over="ignore"):
            _fill(out[start:stop], y, rows, light)
        # a channel that is no number does not spoil the other two
        odd = ~np.isfinite(samples[start:stop]).all(axis=2)
        out[start:stop][odd] = samples[start:stop][odd]
    return out


def _fill(out: Samples, y: Double, ab: Float, light: Light) -> None:
    """R, G, B (h, W, 3) for luma (h, W) and chroma (h, W, 2)."""
    a, b = (np.ascontiguousarray(ab[..., index]) for index in range(2))
    inside = (y > 0) & (y <= 1) & ((a != 0) | (b != 0))
    seen = np.where(inside, y, 0.5)
    lightness = lightness_of_y(display_light(seen, light.transfer))
    red, green, blue = _stored(cv2.merge([lightness, a, b]), light)
    kr, kg, kb = light.weights
    own = np.float32(kr) * red + np.float32(kg) * green + np.float32(kb) * blue
    above = np.maximum(np.maximum(red, green), blue) - own
    below = own - np.minimum(np.minimum(red, green), blue)
    near, tiny = seen.astype(np.float32), np.float32(1e-12)
    scale = np.minimum((1 - near) / np.maximum(above, tiny), near / np.maximum(below, tiny))
    np.clip(scale, 0, 1, out=scale)
    for index, primary in ((0, red), (2, blue)):
        out[..., index] = np.where(inside, np.maximum(near + (primary - own) * scale, 0), y)
    # G takes up the rounding of R and B, so it is what needs float64
    rest = y - kr * out[..., 0].astype(np.float64) - kb * out[..., 2].astype(np.float64)
    out[..., 1] = np.where(inside, np.maximum(rest / kg, 0), y)


def _stored(lab: npt.NDArray[Any], light: Light) -> list[Float]:
    """R, G and B (h, W) float32 in [0, 1], as they are stored, of L*a*b* (h, W, 3) float32."""
    linear = cv2.cvtColor(lab, cv2.COLOR_Lab2LRGB)
    linear = cv2.transform(linear, light.from_srgb.astype(np.float32))
    planes = [
        np.asarray(np.clip(plane, 0, 1), np.float32)
        for plane in cv2.split(linear.reshape(lab.shape))
    ]
    if light.transfer == "linear":
        return planes
    table = value_table(light.transfer)
    return [table[np.rint(np.sqrt(plane) * 65535).astype(np.uint16)] for plane in planes]


def luma_difference(source: Samples, result: Samples, light: Light) -> float:
    """The largest difference in luma, relative to the largest of R, G and B of the result. It is
    infinite where a pixel with a channel that is no finite number is not as it was, or where only
    the result has one."""
    odd = ~np.isfinite(source).all(axis=2)
    kept = np.broadcast_to(source, result.shape)[odd]
    if not np.array_equal(result[odd], kept, equal_nan=True) or not np.isfinite(result[~odd]).all():
        return float("inf")
    first, second = (luma(samples, light)[~odd] for samples in (source, result))
    size = np.abs(result[~odd].astype(np.float64)).max(axis=1, initial=0.0)
    tiny = float(np.finfo(result.dtype).tiny)
    return float((np.abs(first - second) / np.maximum(size, tiny)).max(initial=0.0))
