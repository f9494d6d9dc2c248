"""The codecs: one row each, and the one place that is asked which codec something is.

A codec or an encoder of this PyAV without a row is as usable, by what libav tells of it
(`generic`). What containers hold is asked of libav's muxers.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Mapping

import av
from av.codec import Codec as AvCodec

from colorbatch.errors import SourceError, UsageError
from colorbatch.ffmpeg.codecs.av1 import AV1
from colorbatch.ffmpeg.codecs.dnx import DNXHR
from colorbatch.ffmpeg.codecs.ffv1 import FFV1
from colorbatch.ffmpeg.codecs.generic import generic_codec, generic_encoder
from colorbatch.ffmpeg.codecs.h26x import H264, HEVC
from colorbatch.ffmpeg.codecs.jpeg2000 import JPEG2000
from colorbatch.ffmpeg.codecs.mpeg import DV, MPEG2, MPEG4
from colorbatch.ffmpeg.codecs.prores import PRORES
from colorbatch.ffmpeg.codecs.read_only import ALPHA_BESIDE, MJPEG, TELLING_FIELDS
from colorbatch.ffmpeg.codecs.record import Codec, Encoder, Options
from colorbatch.ffmpeg.film_facts import MUXERS
from colorbatch.ffmpeg.pixel_formats import LOOKED_UP, PixelFormat, pixel_format

__all__ = [
    "CODECS",
    "SHALLOW",
    "Codec",
    "Encoder",
    "Options",
    "codec_named",
    "codec_of",
    "deep",
    "encoder_named",
    "encoders",
    "formats_of",
    "held_by",
    "quieten",
]

CODECS: tuple[Codec, ...] = (
    FFV1,
    PRORES,
    DNXHR,
    H264,
    HEVC,
    AV1,
    JPEG2000,
    MPEG2,
    MPEG4,
    DV,
    MJPEG,
    *TELLING_FIELDS,
    *ALPHA_BESIDE,
)

_BY_NAME: Mapping[str, Codec] = {codec.name: codec for codec in CODECS}
_BY_ENCODER: Mapping[str, Codec] = {
    codec.encoder.name: codec for codec in CODECS if codec.encoder is not None
}

SHALLOW, _DEEP, _DEEP_IN_QUICKTIME = H264, FFV1, PRORES
"""What a film becomes that cannot stay what it is: Y'CbCr and gray at 8 bits; all others; and in
MOV, which holds no FFV1."""


def deep(container: str) -> Codec:
    """What RGB and all above 8 bits become that cannot stay what they are, in "mkv", "mov", "mp4"
    or any ("")."""
    return _DEEP_IN_QUICKTIME if container == "mov" else _DEEP


@functools.cache
def encoders() -> tuple[str, ...]:
    """Every video encoder of this PyAV by name, sorted."""
    found = []
    for name in sorted(av.codecs_available):
        try:
            codec = AvCodec(name, "w")
        except ValueError:  # a decoder only
            continue
        # the set has names of codecs too, which lead to some encoder of another name
        if codec.type == "video" and codec.name == name:
            found.append(name)
    return tuple(found)


def codec_named(name: str) -> Codec:
    """The codec of a source, by libav's name for it."""
    return _BY_NAME.get(name) or generic_codec(name)


@functools.cache
def codec_of(encoder: str) -> Codec:
    """The codec that an encoder writes. Raises UsageError for an encoder that is not here."""
    _refuse_unknown(encoder)
    return codec_named(AvCodec(encoder, "w").canonical_name)


@functools.cache
def encoder_named(name: str) -> Encoder:
    """An encoder, by libav's name. Raises UsageError for one that is not here."""
    _refuse_unknown(name)
    row = _BY_ENCODER.get(name)
    return row.encoder if row is not None and row.encoder is not None else generic_encoder(name)


def _refuse_unknown(encoder: str) -> None:
    if encoder not in encoders():
        same = [name for name in encoders() if AvCodec(name, "w").canonical_name == encoder]
        advice = f"encoders of {encoder} are {', '.join(same)}" if same else ""
        raise UsageError(f"there is no video encoder {encoder} here", advice)


@functools.cache
def held_by(container: str) -> frozenset[str]:
    """The encoders whose packets libav's muxer of a container ("mkv", "mov", "mp4") takes."""
    file = io.BytesIO()
    try:
        return frozenset(av.open(file, "w", format=MUXERS[container]).supported_codecs)
    finally:
        file.close()


def quieten(encoder: str) -> None:
    """Set what an encoder obeys beside its options, unless it is set."""
    for name, value in encoder_named(encoder).environment:
        os.environ.setdefault(name, value)


@functools.cache
def formats_of(encoder: str) -> tuple[PixelFormat, ...]:
    """The integer pixel formats that an encoder takes, in its own order of preference; empty where
    it does not tell. Raises UsageError for an encoder that is not here."""
    row, codec = encoder_named(encoder), codec_of(encoder)
    found = []
    for given in AvCodec(encoder, "w").video_formats or ():
        # yuvj formats are the same samples; the range stands in the color tags
        if given.name in LOOKED_UP or given.name.startswith("yuvj"):
            continue
        try:
            facts = pixel_format(given.name)
        except SourceError:
            continue
        # what goes beside the packets has no room in MP4, in which segments are
        if facts.alpha and codec.alpha_decoder:
            continue
        if not (row.converts_rgb and facts.kind == "rgb" and facts.name[:3] != "gbr"):
            found.append(facts)
    return tuple(found)
