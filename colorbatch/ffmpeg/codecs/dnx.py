"""DNxHR (SMPTE ST 2019-1). DNxHD proper knows a few sizes and bit rates only; DNxHR is the same
codec for all."""

from __future__ import annotations

from colorbatch.ffmpeg.codecs.record import (
    ANYWHERE,
    TRIAL_SIZE,
    Codec,
    Encoder,
    Options,
    any_size,
    keeps_none,
)
from colorbatch.ffmpeg.film_facts import VideoInfo
from colorbatch.ffmpeg.pixel_formats import PixelFormat

PROFILES = {
    "DNXHR LB": "dnxhr_lb",
    "DNXHR SQ": "dnxhr_sq",
    "DNXHR HQ": "dnxhr_hq",
    "DNXHR HQX": "dnxhr_hqx",
    "DNXHR 444": "dnxhr_444",
}
"""What libav calls a source's profile -> the encoder's option."""
FORMATS = {"dnxhr_hqx": ("yuv422p10le",), "dnxhr_444": ("yuv444p10le", "gbrp10le")}
"""Pixel formats that libav's encoder takes at a profile; yuv422p at all others."""


def _options(video: VideoInfo) -> Options:
    pixels = video.pixels
    full = pixels.kind != "gray" and pixels.subsampling == (1, 1)
    usual = "dnxhr_444" if full else "dnxhr_hqx" if pixels.depth > 8 else "dnxhr_hq"
    return (("profile", PROFILES.get(video.profile, usual)),)


def _formats_at(profile: str, formats: tuple[PixelFormat, ...]) -> tuple[PixelFormat, ...]:
    names = FORMATS.get(profile, ("yuv422p",))
    return tuple(each for each in formats if each.name in names)


DNXHR = Codec(
    name="dnxhd",
    title="DNxHR",
    fields_told=True,
    levels_told=ANYWHERE,
    matrix="bt709",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="dnxhd",
        native=frozenset({"gray", "yuv", "rgb"}),
        containers=("mov",),
        lossless=False,
        intra=True,
        least=(120, 256),
        even_sizes=False,
        converts_rgb=False,
        unread=frozenset(),
        field_flags="",
        options=_options,
        formats_at=_formats_at,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(("profile", "dnxhr_sq"),),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
