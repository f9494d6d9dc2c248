"""Films in and out: the only room that knows PyAV. No models, no color decisions, no command line.

`probe` tells what a file holds, `frames` gives its pictures with exact ticks and native codes,
`plan` chooses codec and pixel format, `refused` names what a container cannot hold, `SegmentWriter`
encodes a piece, `join` makes the final film of pieces and everything else that the source holds.
"""

import av

from colorbatch.ffmpeg.codecs import codec_of, encoder_named, encoders, formats_of
from colorbatch.ffmpeg.containers import CONTAINERS, Refusal, container_of, refused, tick
from colorbatch.ffmpeg.decode import Ending, Frame, Frames, Reading, frames
from colorbatch.ffmpeg.encode import Segment, SegmentWriter, check
from colorbatch.ffmpeg.film_facts import (
    NUMBERED,
    Chapter,
    Color,
    Film,
    Reeled,
    Sound,
    StreamInfo,
    VideoInfo,
    of_frames,
)
from colorbatch.ffmpeg.glances import Glance, Glances, IrregularError, glances
from colorbatch.ffmpeg.mux import Muxed, join
from colorbatch.ffmpeg.output import Nowhere
from colorbatch.ffmpeg.pixel_formats import PixelFormat, Planes, pixel_format, widened
from colorbatch.ffmpeg.plan import EncoderSettings, Fit, Plan, not_kept, plan, result_format
from colorbatch.ffmpeg.probe import probe, sound_of
from colorbatch.ffmpeg.taken_back import take_back

LIBRARY = f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
"""What encodes; a film is gone on with by the same only."""

__all__ = [
    "CONTAINERS",
    "LIBRARY",
    "NUMBERED",
    "Chapter",
    "Color",
    "EncoderSettings",
    "Ending",
    "Film",
    "Fit",
    "Frame",
    "Frames",
    "Glance",
    "Glances",
    "IrregularError",
    "Muxed",
    "Nowhere",
    "PixelFormat",
    "Plan",
    "Planes",
    "Reading",
    "Reeled",
    "Refusal",
    "Segment",
    "SegmentWriter",
    "Sound",
    "StreamInfo",
    "VideoInfo",
    "check",
    "codec_of",
    "container_of",
    "encoder_named",
    "encoders",
    "formats_of",
    "frames",
    "glances",
    "join",
    "not_kept",
    "of_frames",
    "pixel_format",
    "plan",
    "probe",
    "refused",
    "result_format",
    "sound_of",
    "take_back",
    "tick",
    "widened",
]
