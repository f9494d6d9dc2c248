"""AV1, written by SVT-AV1."""

from __future__ import annotations

from colorbatch.ffmpeg.codecs.record import (
    ANYWHERE,
    TRIAL_SIZE,
    Codec,
    Encoder,
    all_formats,
    any_size,
    keeps_none,
    no_options,
)

AV1 = Codec(
    name="av1",
    title="AV1",
    fields_told=False,
    levels_told=ANYWHERE,
    matrix="",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="libsvtav1",
        native=frozenset(),
        containers=("mkv",),
        lossless=False,
        intra=False,
        least=(64, 64),
        even_sizes=False,
        converts_rgb=False,
        unread=frozenset(),
        field_flags="",
        options=no_options,
        formats_at=all_formats,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        # it writes pages to stderr, past libav's log
        environment=(("SVT_LOG", "1"),),
    ),
)
