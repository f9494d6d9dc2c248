"""H.264 and H.265 (ITU-T H.264 and H.265), written by x264 and x265 at a constant quality."""

from __future__ import annotations

from collections.abc import Mapping

from colorbatch.ffmpeg.codecs.record import (
    ANYWHERE,
    FIELDS,
    TRIAL_SIZE,
    Codec,
    Encoder,
    Options,
    all_formats,
    any_size,
    as_fields,
    keeps_none,
)
from colorbatch.ffmpeg.film_facts import VideoInfo
from colorbatch.ffmpeg.side_data import LIGHT, MASTERING

QUALITY: Options = (("crf", "16"), ("preset", "medium"))
MASTERED, BRIGHTEST = "master-display", "max-cll"
"""x265's names for what it can be told of how pictures were mastered."""


def _options_of_x264(video: VideoInfo) -> Options:
    fields = as_fields(video)
    # libx264 takes the order of the first frame too late, and would write top first
    order = (("x264-params", "bff=1"),) if fields and video.fields == "bff" else ()
    return (*QUALITY, *fields, *order)


def _options_of_x265(video: VideoInfo) -> Options:
    told = ((MASTERED, video.mastering), (BRIGHTEST, video.light))
    parts = ["log-level=error", *(f"{name}={text}" for name, text in told if text)]
    return (*QUALITY, ("x265-params", ":".join(parts)))


def _kept_by_x265(options: Mapping[str, str]) -> frozenset[str]:
    params = options.get("x265-params", "")
    told = {MASTERED: MASTERING, BRIGHTEST: LIGHT}
    return frozenset(words for name, words in told.items() if f"{name}=" in params)


H264 = Codec(
    name="h264",
    title="H.264",
    fields_told=True,
    levels_told=ANYWHERE,
    matrix="",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="libx264",
        native=frozenset({"gray", "yuv"}),
        containers=("mp4", "mov", "mkv"),
        lossless=False,
        intra=False,
        least=(1, 1),
        even_sizes=True,
        converts_rgb=False,
        unread=frozenset(),
        field_flags=FIELDS,
        options=_options_of_x264,
        formats_at=all_formats,
        sized=any_size,
        kept=keeps_none,
        mp4_tag="",
        trial=(),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
HEVC = Codec(
    name="hevc",
    title="H.265",
    fields_told=False,
    levels_told=ANYWHERE,
    matrix="",
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=Encoder(
        name="libx265",
        native=frozenset({"gray", "yuv"}),
        containers=("mp4", "mov", "mkv"),
        lossless=False,
        intra=False,
        least=(1, 1),
        even_sizes=True,
        converts_rgb=False,
        # layers of transparency, which PyAV's x265 is built without
        unread=frozenset({"yuva420p", "yuva420p10"}),
        field_flags="",
        options=_options_of_x265,
        formats_at=all_formats,
        sized=any_size,
        kept=_kept_by_x265,
        mp4_tag="hvc1",  # the name that Apple's players know
        trial=(("x265-params", "log-level=none"),),
        trial_size=TRIAL_SIZE,
        environment=(),
    ),
)
