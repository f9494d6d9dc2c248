"""Into how many slices FFV1 cuts a picture, asked of libav's encoder: it takes some numbers only.

A number is a grid, and in version 3 each slice begins and ends at whole chroma samples (RFC 9043,
4.7 and 4.8): at odd sizes few grids are left.
"""

from __future__ import annotations

import functools
from fractions import Fraction

import av

Options = tuple[tuple[str, str], ...]


def usual_slices(size: tuple[int, int]) -> int:
    """How many there ought to be at a size, (H, W): enough for threads and check sums, and a
    function of the size alone."""
    pixels = size[0] * size[1]
    return 4 if pixels < 640 * 480 else 16 if pixels < 3000 * 2000 else 24


@functools.cache
def slices(size: tuple[int, int], pix_fmt: str, asked: Options) -> Options:
    """The option for pictures of a size, (H, W): the usual number, else none, with which libav
    chooses, else one slice. asked: the encoder's other options."""
    choices: tuple[Options, ...] = ((("slices", str(usual_slices(size))),), ())
    for choice in choices:
        context = av.CodecContext.create("ffv1", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.height, context.width = size
        context.pix_fmt, context.time_base = pix_fmt, Fraction(1, 25)
        context.options = dict(asked) | dict(choice)
        try:
            context.open()
        except (av.FFmpegError, ValueError):
            continue
        return choice
    return (("slices", "1"),)
