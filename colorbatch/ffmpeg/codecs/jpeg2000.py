"""JPEG 2000 (ISO/IEC 15444-1), as archives keep it: with the reversible wavelet 5/3, every sample.

It takes about four times FFV1's time, and becomes nothing by itself.
"""

from __future__ import annotations

from colorbatch.ffmpeg.codecs.record import (
    TRIAL_SIZE,
    Codec,
    Encoder,
    Options,
    all_formats,
    any_size,
    keeps_none,
)
from colorbatch.ffmpeg.film_facts import VideoInfo


def _options(video: VideoInfo) -> Options:
    return (("pred", "dwt53"),)


JPEG2000 = Codec(
    name="jpeg2000",
    title="JPEG 2000",
    fields_told=False,
    levels_told=frozenset({"mkv", "mp4"}),
    matrix="",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="jpeg2000",
        native=frozenset(),
        containers=("mkv", "mov"),
        lossless=True,
        intra=True,
        least=(1, 1),
        even_sizes=False,
        converts_rgb=False,
        # libav's decoder knows RGB of 8 and 16 bits only, and no 4:4:0 above 8
        unread=frozenset(
            {
                *("gbrp9", "gbrp10", "gbrp12", "gbrp14", "gbrap10", "gbrap12"),
                *("yuv440p10", "yuv440p12"),
            }
        ),
        field_flags="",
        options=_options,
        formats_at=all_formats,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
