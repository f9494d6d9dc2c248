"""How many bytes a result will have, from how its source is stored.

A result that is not compressed has the size that its header promises. Of others the size follows
from the source's own bytes: a source that takes more per pixel than photographs commonly do (grain,
noise, a higher quality) makes results that do so too. `USUAL` and `MADE` are what photographs
commonly take; measured with `python benchmarks/sizes.py FOLDER`, which also tells the ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from colorbatch.formats.registry import SAMPLE_BYTES, Format
from colorbatch.formats.still import Stored

MARK_BYTES = 1200
"""What a picture has beside its samples: our mark in XMP, and the format's own order. (The source's
metadata go with it, but weigh little beside samples: they are not counted.)"""
JOURNAL_BYTES = 900
"""What the journal's two lines for a result take."""

USUAL: Mapping[tuple[str, bool, bool], float] = {
    ("jpeg", False, False): 0.21, ("jpeg", True, False): 0.26,
    ("png", False, False): 0.54, ("png", True, False): 1.63,
    ("png", False, True): 1.76, ("png", True, True): 5.1,
    ("webp", True, False): 0.15, ("webp lossless", True, False): 1.11,
    ("jp2", False, False): 0.51, ("jp2", True, False): 1.16, ("jp2", False, True): 1.60,
    ("jp2 lossy", False, False): 0.13, ("jp2 lossy", True, False): 0.13,
    ("lzw", False, False): 0.85, ("lzw", True, False): 2.22,
    ("lzw", False, True): 2.61, ("lzw", True, True): 7.7,
    ("lzw predicted", False, False): 0.71, ("lzw predicted", True, False): 1.80,
    ("lzw predicted", False, True): 2.35, ("lzw predicted", True, True): 6.9,
    ("deflate", False, False): 0.66, ("deflate", True, False): 1.86,
    ("deflate", False, True): 1.92, ("deflate", True, True): 5.6,
    ("deflate predicted", False, False): 0.57, ("deflate predicted", True, False): 1.70,
    ("deflate predicted", False, True): 1.79, ("deflate predicted", True, True): 5.2,
    ("heic", True, False): 0.15,
}  # fmt: skip
"""Packing, whether it is RGB, whether it has more than 8 bits -> bytes per pixel of a scan."""
MADE: Mapping[tuple[str, bool], float] = {
    ("jpeg", False): 0.43, ("webp", False): 0.29, ("webp lossless", False): 0.98,
    ("png", False): 1.62, ("png", True): 5.2, ("jp2", False): 1.04, ("jp2", True): 3.9,
    ("lzw", False): 2.59, ("lzw", True): 7.8,
    ("lzw predicted", False): 1.68, ("lzw predicted", True): 7.0,
    ("deflate", False): 1.97, ("deflate", True): 5.7,
    ("deflate predicted", False): 1.57, ("deflate predicted", True): 5.3,
}  # fmt: skip
"""Packing, whether it has more than 8 bits -> bytes per pixel of a colored one; JPEG and lossy WebP
in quality 95."""
OF_ONE_BIT: Mapping[str, float] = {
    "jpeg": 0.87, "webp": 0.87, "webp lossless": 0.09, "png": 0.24, "jp2": 1.0,
    "deflate predicted": 0.19,
}  # fmt: skip
"""The same of pictures of one bit per pixel: black and white have no color."""
OWN_TABLES = {False: 1.23, True: 1.10}
"""Of JPEG with its own tables: whether the source is Y'CbCr -> result bytes per source byte."""
QUALITIES = (10, 30, 50, 70, 80, 90, 95, 98, 100)
BY_QUALITY: Mapping[str, tuple[float, ...]] = {
    "jpeg": (0.087, 0.20, 0.28, 0.41, 0.52, 0.72, 1.0, 1.4, 2.1),
    "webp": (0.17, 0.30, 0.47, 0.56, 0.63, 0.79, 1.0, 1.2, 1.3),
}
"""What takes 1 byte in quality 95 takes so much in `QUALITIES`."""
LOSSY = frozenset({"jpeg", "webp", "jp2 lossy", "heic"})
SAME, BOTH_LOSSLESS, OTHERWISE, FEW = 1.15, 1.35, 1.7, 2.5
"""How far off an estimate may be, as a factor: packing kept, lossless to lossless, any other change
of packing, and where the source's own bytes tell little (palettes, few bits, lossy JPEG 2000)."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Bytes: what is to be expected, and the range that holds it in 8 of 10 cases."""

    low: float
    middle: float
    high: float

    def __add__(self, other: Amount) -> Amount:
        # what is common to all pictures of a collection does not even out: ranges add up
        return Amount(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, factor: float) -> Amount:
        return Amount(self.low * factor, self.middle * factor, self.high * factor)

    def __str__(self) -> str:
        """`210 GB (180 to 250 GB)`, or without a range where it is narrow."""
        if self.high <= 1.03 * self.middle and self.low >= 0.97 * self.middle:
            return in_words(self.middle)
        return f"{in_words(self.middle)} ({in_words(self.low)} to {in_words(self.high)})"

    def to_json(self) -> dict[str, int]:
        """Whole bytes."""
        return {name: round(getattr(self, name)) for name in ("low", "middle", "high")}


def in_words(count: float) -> str:
    """Bytes in decimal units with two or three digits: `2.1 GB`, `412 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            few = count < 9.95 and unit != "bytes"
            return f"{count:.1f} {unit}" if few else f"{count:,.0f} {unit}"
        count /= 1000
    raise AssertionError


def of_result(pictures: Sequence[Stored], format_: Format, quality: int | None = None) -> Amount:
    """Bytes of the result of a file that is colored. quality: as `ImageSettings.quality`."""
    beside = Amount(0, 0 if format_ == "BMP" else MARK_BYTES, 2 * MARK_BYTES)
    total = Amount(0, 0, 0)
    for one in pictures:
        total += _of_picture(one, format_, quality) + beside
    return total


def _of_picture(one: Stored, format_: Format, quality: int | None) -> Amount:
    deep = one.bits > 8 and SAMPLE_BYTES[format_] > 1
    alpha = format_ != "JPEG" and one.samples in (2, 4)
    pixels, made = one.height * one.width, _packing_made(one, format_, quality)
    if made == "none":
        width = -(-one.bits // 8) if format_ == "TIFF" else 1
        exact = pixels * (3 + alpha) * width
        if one.packing == "none" and format_ == "TIFF":  # tiles may reach beyond the picture
            exact = round(one.nbytes * (3 + alpha) * width * 8 / (one.samples * one.bits))
        return Amount(exact, exact, exact)
    scale = OF_ONE_BIT[made] if one.bits == 1 else MADE[made, deep]
    if made in BY_QUALITY and quality is not None:
        scale *= float(np.interp(quality, QUALITIES, BY_QUALITY[made]))
    if one.packing == "few":
        return _about(pixels * scale, FEW)
    rgb = one.samples >= 3
    if made == one.packing == "jpeg" and quality is None:
        return _about(one.nbytes * OWN_TABLES[rgb], SAME)
    if one.packing == "none":
        raw = pixels * one.samples * (one.bits // 8)
        usual = float(raw and raw / pixels)
        off = BOTH_LOSSLESS if made not in LOSSY else OTHERWISE
    else:
        deepest = (one.packing, rgb, True) in USUAL
        usual = (
            USUAL.get((one.packing, rgb, one.bits > 8 and deepest))
            or USUAL[one.packing, True, False]
        )
        off = SAME if made == one.packing else BOTH_LOSSLESS
        off = off if LOSSY.isdisjoint({made, one.packing}) else OTHERWISE
        off = FEW if one.packing == "jp2 lossy" else off  # of any quality
    return _about(one.nbytes * scale / usual, off)


def _about(expected: float, off: float) -> Amount:
    return Amount(expected / off, expected, expected * off)


def _packing_made(one: Stored, format_: Format, quality: int | None) -> str:
    """How a result is stored."""
    if format_ == "BMP":
        return "none"
    if format_ == "WEBP":
        lossless = one.packing not in ("webp", "jpeg", "heic") and quality is None
        return "webp lossless" if lossless else "webp"
    if format_ == "TIFF":
        kept = one.packing in ("none", "jpeg") or one.packing.startswith(("lzw", "deflate"))
        return one.packing if kept and one.format == "TIFF" else "deflate predicted"
    return {"JPEG": "jpeg", "PNG": "png"}.get(format_, "jp2")
