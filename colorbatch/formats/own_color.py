"""A region of a picture that keeps its own color (a chart, a stamp), in rows of the result."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from colorbatch.color import KB, KG, KR, Codes, Float
from colorbatch.color.luma_join import BLUE_OF_CB, RED_OF_CR, Output, enlarge_rows
from colorbatch.formats.still import Still


def put_back(made: Codes, still: Still, start: int, stop: int, output: Output) -> None:
    """Put a still's own color back into rows `start` to `stop` of its result, (stop - start, W, 3
    or 4), where its `own_region` says so, softly at the border. Luma stays the source's there."""
    weight = _weights(still, start, stop)
    if not weight.any():
        return
    own = still.own_rgb(start, stop)
    if output == "ycc":  # of 8 bits, with the source's own Y'
        luma = still.luma[start:stop].astype(np.float32)
        for channel, source, step in ((1, 2, BLUE_OF_CB), (2, 0, RED_OF_CR)):
            chroma = 128 + (own[..., source] - luma) / np.float32(step)
            made[..., channel] = np.rint(_between(made[..., channel], chroma, weight))
        return
    exact = still.exact_luma(start, stop)
    kept = still.luma[start:stop].astype(np.float64) if exact is None else exact
    if still.is_float:
        kept = kept * (still.white / 65535)
    red, blue = (_between(made[..., c], own[..., c], weight) for c in (0, 2))
    whole = made.dtype.kind == "u"
    if whole:
        red, blue = np.rint(red), np.rint(blue)
    green = (kept - KR * red - KB * blue) / KG  # takes up their rounding, as in `luma_join`
    if whole:
        green = np.clip(np.rint(green), 0, np.iinfo(made.dtype).max)
    for channel, plane in enumerate((red, green, blue)):
        mixed = np.where(weight < 1, plane, own[..., channel])
        made[..., channel] = np.where(weight > 0, mixed, made[..., channel])


def _weights(still: Still, start: int, stop: int) -> Float:
    """How much (stop - start, W) of its own color each pixel keeps, from 0 to 1."""
    assert still.own_region is not None
    region = still.own_region.astype(np.float32)
    weight = enlarge_rows(np.dstack([region, region]), still.size, start, stop)[..., 0]
    return np.asarray(np.clip(weight * 1.02 - 0.01, 0, 1), np.float32)


def _between(made: Codes, own: Codes, weight: Float) -> npt.NDArray[np.float64]:
    return made + weight.astype(np.float64) * (own.astype(np.float64) - made)
