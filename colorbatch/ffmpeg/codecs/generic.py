"""Codecs and encoders of this PyAV that have no row: the one place that says what is taken for
granted of them.

libav tells their pixel formats, whether the codec keeps every sample and codes each picture by
itself, and what containers hold them. All else is as of a codec that needs nothing but its name.
"""

from __future__ import annotations

from av.codec import Codec as AvCodec

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

CONVERTING = ("_nvenc", "_qsv", "_amf")
"""Ends of the names of encoders for hardware that turns packed RGB into Y'CbCr by its own rule."""


def generic_codec(name: str) -> Codec:
    """A codec that is only read: its pictures do not tell how their fields are, its decoders
    believe the container's color tags, its packets have no check sums."""
    return Codec(
        name=name,
        title=name,
        fields_told=False,
        levels_told=ANYWHERE,
        matrix="",
        alpha_decoder="",
        intact=None,
        keys_alone=False,
        encoder=None,
    )


def generic_encoder(name: str) -> Encoder:
    """An encoder by libav's name: chosen only by who asks for it, into Matroska, with libav's own
    options, for all sizes, and with no side data. Where libav itself cannot write it so, the trial
    before any work says it (`encode.check`, `containers.refused`)."""
    told = AvCodec(name, "w")
    return Encoder(
        name=name,
        native=frozenset(),
        containers=("mkv",),
        lossless=told.lossless and not told.lossy,
        intra=told.intra_only,
        least=(1, 1),
        even_sizes=False,
        converts_rgb=name.endswith(CONVERTING),
        unread=frozenset(),
        field_flags="",
        options=no_options,
        formats_at=all_formats,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        environment=(),
    )
