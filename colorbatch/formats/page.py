"""A page that is ready to be written: what `writer` hands to a format's adapter."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from colorbatch import color
from colorbatch.color import Codes, icc, luma_join
from colorbatch.formats import own_color
from colorbatch.formats.still import Still


@dataclass(frozen=True)
class Page:
    """A page made ready for a format. ab: chroma in Lab units, None for a page that keeps its own
    color."""

    still: Still
    ab: color.Float | None
    icc: bytes
    xmp: bytes
    exif: bytes
    quality: int | None
    """What was asked for, None for the source's own or the format's."""
    of_lossy: bool
    """Whether files of the source's format are lossy."""
    notes: tuple[str, ...]
    space: color.Space | None = None
    """Of the codes, where it is not the profile's."""

    @property
    def channels(self) -> int:
        return 3 if self.still.alpha is None else 4

    @property
    def output(self) -> luma_join.Output:
        """What an encoder of Y' is given."""
        return "rgb" if self.ab is None else "ycc"

    @functools.cached_property
    def _widened(self) -> color.Float:
        """`ab` at the picture's width: made once for all of its rows."""
        assert self.ab is not None
        return luma_join.enlarged_across(self.ab, self.still.size[1])

    def all_rows(self) -> Codes:
        """Samples (H, W, 3 or 4) of the whole page."""
        return self.rows(0, self.still.size[0])

    def rows(self, start: int, stop: int, output: luma_join.Output = "rgb") -> Codes:
        """Samples (stop - start, W, 3 or 4) of `still.dtype`; "ycc" is for pages without alpha."""
        made = self._colored_rows(start, stop, output)
        if self.ab is not None and self.still.own_region is not None:
            own_color.put_back(made, self.still, start, stop, output)
        return made

    def _colored_rows(self, start: int, stop: int, output: luma_join.Output) -> Codes:
        still = self.still
        height, width = still.size
        made = np.empty((stop - start, width, self.channels), still.dtype)
        if still.alpha is not None:
            made[..., 3] = still.alpha[start:stop]
        if self.ab is None:
            made[..., :3] = still.own_rgb(start, stop)
            return made
        space = self.space or (icc.space_of(self.icc) if self.icc else None)
        if self.channels == 3 and still.exact_luma(start, start) is None:  # straight into place
            luma = still.luma[start:stop]
            return luma_join.colorize_rows(
                luma, self._widened, start, height, output=output, space=space, out=made
            )
        for top, bottom in color.strips(stop - start, width):
            first, last = start + top, start + bottom
            part = luma_join.colorize_rows(
                still.luma[first:last],
                self._widened,
                first,
                height,
                exact_luma=still.exact_luma(first, last),
                output=output,
                space=space,
                dtype=still.dtype,
                alpha=still.alpha_codes(first, last),
            )
            made[top:bottom, :, :3] = (
                part * still.dtype.type(still.white) if still.is_float else part
            )
        return made
