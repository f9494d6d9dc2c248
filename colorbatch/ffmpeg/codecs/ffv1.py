"""FFV1 (RFC 9043), as archives want it: version 3, every picture for itself, a check sum in every
slice, and as many slices as libav's encoder takes, which takes some numbers only.

A number is a grid, and in version 3 each slice begins and ends at whole chroma samples (RFC 9043,
4.7 and 4.8): at odd sizes few grids are left.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from fractions import Fraction

import av

from colorbatch.ffmpeg.codecs.record import (
    ANYWHERE,
    TRIAL_SIZE,
    Codec,
    Encoder,
    Options,
    all_formats,
    keeps_none,
)
from colorbatch.ffmpeg.film_facts import VideoInfo

FOOTER = 8
"""Bytes at the end of a slice with check sum: size (3), status (1), CRC-32 (4)."""
_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


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


def intact(packet: bytes) -> bool:
    """Whether the packet is a chain of FFV1 slices whose check sums are all right (RFC 9043, 4.9).

    libav's decoder finds the same damage, but only tells its log. The check sum runs from the
    highest bit down, zlib's from the lowest up: bytes mirrored bit by bit give the one from the
    other, and the check sum of a slice with its own is 0.
    """
    end = len(packet)
    while end >= FOOTER:
        footer = end - FOOTER
        start = footer - int.from_bytes(packet[footer : footer + 3], "big")
        if start < 0:
            return False
        # zlib inverts before and after; these two inversions undo it
        if zlib.crc32(packet[start:end].translate(_MIRRORED), 0xFFFFFFFF) != 0xFFFFFFFF:
            return False
        end = start
    return end == 0


def _options(video: VideoInfo) -> Options:
    return (("level", "3"), ("g", "1"), ("slicecrc", "1"))


def _sized(size: tuple[int, int], pix_fmt: str, asked: Mapping[str, str]) -> Options:
    return () if "slices" in asked else slices(size, pix_fmt, tuple(asked.items()))


FFV1 = Codec(
    name="ffv1",
    title="FFV1",
    fields_told=False,
    levels_told=ANYWHERE,
    matrix="",
    alpha_decoder="",
    intact=intact,
    keys_alone=True,
    encoder=Encoder(
        name="ffv1",
        native=frozenset({"gray", "yuv", "rgb"}),
        containers=("mkv",),
        lossless=True,
        intra=True,
        least=(1, 1),
        even_sizes=False,
        converts_rgb=False,
        # only FFmpeg 7.1 and later read them; a film has to play in what is in use, and 16 bits
        # hold the same samples (`ffmpeg -h encoder=ffv1` of 5.1.9 and 8.1)
        unread=frozenset({"yuva422p12", "yuva444p12", "gray14", "gbrap14"}),
        field_flags="",
        options=_options,
        formats_at=all_formats,
        sized=_sized,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
