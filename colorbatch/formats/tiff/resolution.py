"""How many pixels of a TIFF page go to an inch, as its tags say it. Numbers only."""

from __future__ import annotations

from typing import Any

from colorbatch.formats.tiff.layout import TAG_UNIT, TAG_X_RESOLUTION, TAG_Y_RESOLUTION

Resolution = tuple[tuple[int, int], tuple[int, int], int]
"""Pixels per unit as fractions, across and down; the unit is 1 (none), 2 (inch) or 3 (cm)."""


def of_page(page: Any) -> Resolution:
    """As it is stored (TIFF 6.0, section 8). Raises TypeError or ValueError for what says nothing,
    such as 0/0 or another unit."""
    (x, across), (y, down) = page.tags[TAG_X_RESOLUTION].value, page.tags[TAG_Y_RESOLUTION].value
    unit = int(page.tags[TAG_UNIT].value) if TAG_UNIT in page.tags else 2
    numbers = (int(x), int(across), int(y), int(down))
    if min(numbers) < 1 or unit not in (1, 2, 3):
        raise ValueError("no resolution")
    return numbers[:2], numbers[2:], unit


def in_dpi(resolution: Resolution | None) -> tuple[float, float] | None:
    """Pixels per inch; None where there is no unit, or a single pixel, which nobody means."""
    if resolution is None or resolution[2] == 1:
        return None
    x, y, unit = resolution
    inch = 2.54 if unit == 3 else 1.0
    dpi = (x[0] / x[1] * inch, y[0] / y[1] * inch)
    return dpi if min(dpi) > 1 else None
