"""How many pixels of a TIFF page go to an inch, as its tags say it. Numbers only."""

from __future__ import annotations

from collections.abc import Mapping

from colorbatch.formats import tags
from colorbatch.formats.metadata import TAG_UNIT, TAG_X_RESOLUTION, TAG_Y_RESOLUTION
from colorbatch.formats.tags import Entry

Resolution = tuple[tuple[int, int], tuple[int, int], int]
"""Pixels per unit as fractions, across and down; the unit is 1 (none), 2 (inch) or 3 (cm)."""


def of_entries(entries: Mapping[int, Entry]) -> Resolution | None:
    """As it is stored (TIFF 6.0, section 8), in whatever type; None for what says nothing, such as
    0/0, another unit, or one direction alone."""
    across = tags.pairs(entries.get(TAG_X_RESOLUTION))[:1]
    down = tags.pairs(entries.get(TAG_Y_RESOLUTION))[:1]
    unit = tags.whole(entries[TAG_UNIT]) if TAG_UNIT in entries else 2
    if not across or not down or min(*across[0], *down[0]) < 1 or unit not in (1, 2, 3):
        return None
    if max(*across[0], *down[0]) > 0xFFFFFFFF:  # which a fraction of TIFF does not hold
        return None
    return across[0], down[0], unit


def in_dpi(resolution: Resolution | None) -> tuple[float, float] | None:
    """Pixels per inch; None where there is no unit, or a single pixel, which nobody means."""
    if resolution is None or resolution[2] == 1:
        return None
    x, y, unit = resolution
    inch = 2.54 if unit == 3 else 1.0
    dpi = (x[0] / x[1] * inch, y[0] / y[1] * inch)
    return dpi if min(dpi) > 1 else None
