"""How many bytes a result will have, from how its source is stored: a first guess.

What is not compressed follows from the header. Of all else a source that takes more per pixel than
photographs commonly do (grain, noise, a higher quality) makes results that do so too. The few
figures here and in `record.ResultSize` are of photographs (`python benchmarks/sizes.py FOLDER`); a
sample tells better.
"""

from __future__ import annotations

from collections.abc import Sequence

from colorbatch.formats import registry
from colorbatch.formats.record import MARK_BYTES
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Stored

LOSSLESS = {False: 0.55, True: 0.9}
"""Whether there are more than 8 bits -> bytes per byte of samples in Deflate."""
LOSSY_SCAN = 0.2
"""Bytes per pixel of a scan in black and white that is packed with loss."""
OWN_TABLES = 1.2
"""Of JPEG with the source's tables (`ResultSize.own_tables`): result bytes per source byte."""
KEPT, OTHER, FEW = 1.25, 1.6, 4.0
"""How far off a guess may be, as a factor: the format is kept, another one, and where the source's
own bytes tell little (palettes, few bits)."""


def of_result(
    pictures: Sequence[Stored], format_: Format, quality: int | None = None
) -> tuple[float, float, float]:
    """Bytes of the result of a file that is colored: the least, the likely, the most. quality: as
    `ImageSettings.quality`."""
    low = middle = high = 0.0
    beside = registry.writing(format_).size.beside
    for one in pictures:
        likely, off = _of_picture(one, format_, quality)
        low += likely / off
        middle += likely + beside
        high += likely * off + 2 * MARK_BYTES
    return low, middle, high


def _of_picture(one: Stored, format_: Format, quality: int | None) -> tuple[float, float]:
    """Bytes of one picture's samples, and the factor by which they may be off."""
    kept, pixels = one.format == format_, one.height * one.width
    result = registry.writing(format_)
    size = result.size
    deep = one.bits > 8 and result.sample_bytes > 1
    alpha = result.alpha != "none" and one.samples in (2, 4)
    samples = pixels * (3 + alpha) * min(-(-one.bits // 8), result.sample_bytes)
    own = pixels * one.samples * one.bits / 8
    if not own:  # a broken header
        return 0.0, 1.0
    if not size.compressed:
        return samples, 1.0
    if kept and one.packing == "none":  # tiles reach beyond the picture
        return one.nbytes * samples / own, 1.0
    lossy = size.lossy(one, quality)
    if lossy and kept and quality is None and size.own_tables:
        return one.nbytes * OWN_TABLES, KEPT
    usual = samples * _lossless(deep, format_)
    if lossy:
        usual = pixels * size.bytes_lossy(quality)
    if one.bits == 1:  # black and white have no color, but sharp edges
        return usual * 2 if lossy else one.nbytes * 3, FEW
    if one.packing == "few":
        return usual, FEW
    if one.packing != "none":
        common = own * _lossless(one.bits > 8, one.format)
        usual *= one.nbytes / (pixels * LOSSY_SCAN if one.packing == "lossy" else common)
    return usual, KEPT if kept else OTHER


def _lossless(deep: bool, format_: Format) -> float:
    return LOSSLESS[deep] * registry.adapter(format_).density
