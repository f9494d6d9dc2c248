"""ProRes (SMPTE RDD 36): the source's own profile, else the one that holds its samples."""

from __future__ import annotations

from colorbatch.ffmpeg.codecs.record import (
    TRIAL_SIZE,
    Codec,
    Encoder,
    Options,
    any_size,
    keeps_none,
)
from colorbatch.ffmpeg.film_facts import VideoInfo
from colorbatch.ffmpeg.pixel_formats import PixelFormat

FIELDS = "+ildct"
PROFILES = {
    "Proxy": "proxy",
    "LT": "lt",
    "Standard": "standard",
    "HQ": "hq",
    "4444": "4444",
    "XQ": "4444xq",
}
"""What libav calls a source's profile -> the encoder's option."""


def _options(video: VideoInfo) -> Options:
    pixels = video.pixels
    full = pixels.kind == "yuv" and pixels.subsampling == (1, 1)
    usual = "4444" if pixels.alpha or full else "hq"  # only 4444 has transparency
    own = PROFILES.get(video.profile) if video.codec == "prores" else None
    options = (("profile", own or usual), ("vendor", "apl0"))
    return (*options, ("flags", FIELDS)) if video.interlaced else options


def _formats_at(profile: str, formats: tuple[PixelFormat, ...]) -> tuple[PixelFormat, ...]:
    chroma = "444" if profile.startswith("4444") else "422"
    return tuple(each for each in formats if chroma in each.name)


PRORES = Codec(
    name="prores",
    title="ProRes",
    fields_told=True,
    levels_told=frozenset(),
    matrix="",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="prores_ks",
        native=frozenset({"gray", "yuv", "rgb"}),
        containers=("mov", "mkv"),
        lossless=False,
        intra=True,
        least=(1, 1),
        even_sizes=False,
        converts_rgb=False,
        unread=frozenset(),
        field_flags=FIELDS,
        options=_options,
        formats_at=_formats_at,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
