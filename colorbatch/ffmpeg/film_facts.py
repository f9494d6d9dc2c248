"""What a film file is: plain records, filled by `probe` and needed by everything after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from colorbatch.ffmpeg.pixel_formats import PixelFormat

UNTAGGED = 2
"""ITU-T H.273's code point for what is not said."""


@dataclass(frozen=True)
class Color:
    """Color tags as codes of ITU-T H.273 (primaries, transfer, matrix; 2 is unspecified), and the
    range: 0 unspecified, 1 limited ("tv", 16 to 235), 2 full ("pc", 0 to 255)."""

    range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2


@dataclass(frozen=True)
class Chapter:
    """start and end are ticks of time_base."""

    id: int
    start: int
    end: int
    time_base: Fraction
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class StreamInfo:
    """One stream. kind: video, audio, subtitle, data, attachment or unknown; start and duration in
    ticks of time_base, None where the file does not tell; frames: 0 where unknown; disposition:
    libav's names; side_data: as libav words it. generated: the container's own bookkeeping (a time
    code track, a chapter track), which the target writes anew."""

    index: int
    kind: str
    codec: str
    tag: str
    profile: str
    time_base: Fraction
    start: int | None
    duration: int | None
    frames: int
    language: str
    disposition: tuple[str, ...]
    metadata: Mapping[str, str]
    side_data: tuple[str, ...]
    generated: bool


@dataclass(frozen=True)
class VideoInfo:
    """The pictures. size: (H, W) as coded; rates in frames per second, None if unknown: average as
    the file says, unless its pictures show that it is another; variable: whether the frames'
    distances differ, None where only reading them all would tell; sample_aspect: width to height of
    a sample, None if not told; rotation: degrees counterclockwise for display; matrix: the display
    matrix, 9 integers in libav's layout, or None; field_order: unknown, progressive, tt, bb, tb or
    bt, by the container; fields: which field of the film's interlaced pictures is shown first,
    "tff" or "bff", by pictures from all over it, else by the container, "" where none is;
    fields_told: whether each picture tells it (`fields`); in_coded_order: whether the file has
    times of decoding only, which rise in the order in which pictures are coded; chroma_location:
    left, center, topleft, top, bottomleft, bottom or "" if not told; timecode: HH:MM:SS:FF (; for
    drop frame) or ""; duration in seconds or None; frames: an estimate, None if there is no ground
    for one; slice_crcs: FFV1 whose slices carry check sums, so that damage is found in each;
    beside: what pictures from all over the film carry beside their samples, in words; mastering,
    light: two of these as x265 takes them (`side_data`), "" without."""

    index: int
    codec: str
    profile: str
    size: tuple[int, int]
    pixels: PixelFormat
    time_base: Fraction
    start: int
    average_rate: Fraction | None
    real_rate: Fraction | None
    variable: bool | None
    sample_aspect: Fraction | None
    rotation: int
    matrix: tuple[int, ...] | None
    field_order: str
    color: Color
    chroma_location: str
    timecode: str
    duration: Fraction | None
    frames: int | None
    slice_crcs: bool
    fields: str = ""
    fields_told: bool = True
    in_coded_order: bool = False
    beside: tuple[str, ...] = ()
    mastering: str = ""
    light: str = ""

    @property
    def interlaced(self) -> bool:
        """Whether there are pictures of two fields."""
        return bool(self.fields)


MUXERS = {"mkv": "matroska", "mov": "mov", "mp4": "mp4"}
"""Container -> libav's muxer."""

NUMBERED = "frames"
"""The container of a film whose source is numbered frames, which are no container."""


@dataclass(frozen=True)
class Film:
    """A film file. container: libav's demuxer name, such as "matroska,webm"; family: "mkv", "mov",
    "mp4" or "" for all others; duration in seconds or None; programs: what a broadcast says of
    itself.

    Of numbered frames (`of_frames`) container is NUMBERED, path their pattern, sound the file whose
    sound is added, or None, and streams are those of this file.
    """

    path: Path
    container: str
    family: str
    metadata: Mapping[str, str]
    streams: tuple[StreamInfo, ...]
    chapters: tuple[Chapter, ...]
    video: VideoInfo
    duration: Fraction | None
    sound: Path | None = None
    programs: tuple[str, ...] = ()

    @property
    def carrier(self) -> Path | None:
        """The file whose streams are copied besides the pictures; None without one."""
        return self.sound if self.container == NUMBERED else self.path

    @property
    def others(self) -> tuple[StreamInfo, ...]:
        """The streams that have to reach the result besides the pictures."""
        return tuple(
            stream
            for stream in self.streams
            if stream.index != self.video.index and not stream.generated
        )


@dataclass(frozen=True)
class Sound:
    """The sound of a file. duration: of the longest of its streams, in seconds, None if unknown."""

    path: Path
    streams: tuple[StreamInfo, ...]
    duration: Fraction | None


@dataclass(frozen=True)
class Reeled:
    """What numbered frames have to say of themselves as a film. codec: their format; size: (H, W)
    as shown; count: places for frames from the first to the last; there: how many of these have
    one; the rest as in `VideoInfo`."""

    codec: str
    size: tuple[int, int]
    pixels: PixelFormat
    rate: Fraction
    count: int
    there: int
    color: Color
    sample_aspect: Fraction | None
    timecode: str


def of_frames(pattern: Path, facts: Reeled, sound: Sound | None = None) -> Film:
    """A film of numbered frames: a tick is a frame, the first one's is 0."""
    duration = facts.count / facts.rate
    video = VideoInfo(
        index=-1,
        codec=facts.codec,
        profile="",
        size=facts.size,
        pixels=facts.pixels,
        time_base=1 / facts.rate,
        start=0,
        average_rate=facts.rate,
        real_rate=facts.rate,
        variable=False,
        sample_aspect=facts.sample_aspect,
        rotation=0,
        matrix=None,
        field_order="progressive",
        color=facts.color,
        chroma_location="",
        timecode=facts.timecode,
        duration=duration,
        frames=facts.there,
        slice_crcs=False,
    )
    streams, path = (sound.streams, sound.path) if sound else ((), None)
    return Film(pattern, NUMBERED, "", {}, streams, (), video, duration, path)


FIELD_ORDERS = ("unknown", "progressive", "tt", "bb", "tb", "bt")
"""libav's AVFieldOrder by its number."""

CHROMA_LOCATIONS = ("", "left", "center", "topleft", "top", "bottomleft", "bottom")
"""libav's AVChromaLocation by its number."""
