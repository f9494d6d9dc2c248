"""Encoding: `SegmentWriter` makes one piece of a film, complete under its name or absent.

Planes with the source's ticks go in; a `Segment` comes out, which `mux` needs. Times are kept
exactly: the piece is MP4 (MOV for ProRes and DNxHR) whose clocks count in the film's own time base.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av import logging as av_logging
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorbatch.errors import TargetError, UsageError
from colorbatch.ffmpeg.codecs import encoder_named, quieten
from colorbatch.ffmpeg.fields import FieldMarker
from colorbatch.ffmpeg.film_facts import FIELD_ORDERS
from colorbatch.ffmpeg.opening import told
from colorbatch.ffmpeg.output import Guarded, Nowhere, Sink
from colorbatch.ffmpeg.pixel_formats import Planes, frame_of
from colorbatch.ffmpeg.plan import EncoderSettings
from colorbatch.fs.atomic import replacing

BUFFER = 1 << 20
GIVEN_BY_FILM = frozenset({"time_base", "video_size", "pixel_format", "pkt_timebase"})
"""Options of libav's that would make the encoder's pictures or clock other than the film's."""
EARLIEST = 3600
"""Seconds by which a picture may be decoded before it is shown. x265 gives the packets of one or
two pictures, where it has not seen more, decoding times out of memory that it has not written."""
MAX_TIMESCALE = 2**31 - 1


@dataclass(frozen=True)
class Segment:
    """A finished piece. first and last: pts of its frames at either end; last_duration: of the last
    frame (0: not told); all in ticks of time_base. reorder: by how many places the encoder's order
    runs ahead of the shown one. header: SHA-256 of the codec's extradata, the same in all pieces
    that can be joined."""

    path: Path
    frames: int
    first: int
    last: int
    last_duration: int
    time_base: Fraction
    reorder: int
    header: str


class SegmentWriter:
    """Writes one segment; a context manager. Leaving it well without `close` closes it; leaving it
    with an exception leaves no file. `owner` marks the temporary (see `atomic.replacing`). file: to
    write into instead of `path`, which then is what errors name.

    Raises UsageError where the encoder refuses the encoding, TargetError for what the disk refuses
    or an encoder that fails, ValueError for planes or times that are not of the encoding.
    """

    def __init__(
        self, path: Path, encoding: EncoderSettings, *, owner: str = "", file: Sink | None = None
    ) -> None:
        if encoding.time_base.denominator > MAX_TIMESCALE:
            raise UsageError(f"a time base of {encoding.time_base} s cannot be kept in MP4")
        self._path, self._encoding = path, encoding
        self._durations: dict[int, int] = {}
        self._order: list[int] = []
        self._last: tuple[int, int] | None = None
        self._moved = 0
        self._marker = FieldMarker()
        self._segment: Segment | None = None
        self._stack = contextlib.ExitStack()
        into = file or self._stack.enter_context(replacing(path, owner=owner))
        try:
            self._container = av.open(
                Guarded(into),
                "w",
                format=encoding.segment_container,
                container_options=clock(encoding.time_base),
                buffer_size=BUFFER,
            )
            self._stream = _stream(self._container, encoding)
        except BaseException as error:
            self._abandon(error)
            raise

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if value is not None:
            self._abandon(value)
        elif self._segment is None:
            self.close()

    def write(self, planes: Planes, pts: int, duration: int = 0, fields: str = "") -> None:
        """Encode one frame: samples in the encoding's pixel format and depth, pts and duration in
        ticks of its time base, pts after the one before. fields: "tff" or "bff", the one that is
        shown first; an encoder that codes all pictures alike is told the film's."""
        if self._last is not None and pts <= self._last[0]:
            raise ValueError(f"pts {pts} does not come after {self._last[0]}")
        frame = frame_of(planes, self._encoding.pix_fmt)
        if (frame.height, frame.width) != self._encoding.size:
            raise ValueError(f"a frame of {frame.width} x {frame.height}")
        self._write(frame, pts, duration, self._encoding.alike or fields)

    def write_empty(self) -> None:
        """Encode a frame of zeros, for a trial."""
        height, width = self._encoding.size
        frame = av.VideoFrame(width, height, self._encoding.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        self._write(frame, 0, 0, self._encoding.alike)

    def options_left(self) -> tuple[str, ...]:
        """The names of the options that the encoder did not take: what it takes, it removes."""
        left = set(self._stream.codec_context.options) - {"chroma_sample_location"}
        return tuple(sorted(left))

    def _write(self, frame: VideoFrame, pts: int, duration: int, fields: str) -> None:
        frame.pts, frame.duration = pts, duration
        frame.time_base = self._encoding.time_base
        # ProRes has the tags in each picture, and players believe these
        color = self._encoding.color
        frame.color_primaries, frame.color_trc = color.primaries, color.transfer
        frame.colorspace = color.matrix
        self._durations[pts] = duration
        if self._last is None:
            self._moved = max(0, -pts)  # MP4 hides what stands before 0; `mux` reads it back
        self._last = pts, duration
        with self._translated():
            self._mux(self._stream.encode(self._marker(frame, fields)))

    def close(self) -> Segment:
        """Finish the file; it bears its name now. Raises ValueError where no frame was written."""
        if self._segment is not None:
            return self._segment
        if self._last is None:
            self._stack.__exit__(ValueError, ValueError(), None)
            raise ValueError("a segment needs a frame")
        with self._translated():
            self._mux(self._stream.encode(None))
            header = bytes(self._stream.codec_context.extradata or b"")
            self._container.close()
            self._stack.close()
        self._segment = Segment(
            path=self._path,
            frames=len(self._order),
            first=min(self._order),
            last=self._last[0],
            last_duration=self._last[1],
            time_base=self._encoding.time_base,
            reorder=reorder_depth(self._order),
            header=hashlib.sha256(header).hexdigest(),
        )
        return self._segment

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            self._order.append(packet.pts)
            early = -1 if packet.dts is None else packet.pts - packet.dts
            if not 0 <= early * self._encoding.time_base <= EARLIEST:
                packet.dts = packet.pts
            packet.duration = self._durations.pop(packet.pts, 0)
            packet.pts, packet.dts = packet.pts + self._moved, (packet.dts or 0) + self._moved
            self._container.mux(packet)

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except BaseException as error:
            self._abandon(error)
            raise

    def _abandon(self, error: BaseException) -> None:
        """Drop the file; then libav's error, if it is one, as one of ours."""
        opening = self._last is None
        # with the error inside, `replacing` removes the temporary and words what the disk said
        self._stack.__exit__(type(error), error, error.__traceback__)
        if isinstance(error, av.FFmpegError) or (opening and isinstance(error, ValueError)):
            encoding = self._encoding
            said = getattr(error, "strerror", None) or error
            words = f"{encoding.codec} with {encoding.pix_fmt}: {said}"
            raise (UsageError if opening else TargetError)(f"{self._path}: {words}") from error


def reorder_depth(order: list[int]) -> int:
    """By how many places any frame comes later in the coded order than in the shown one: the least
    d with which shown[k - d] is a valid decoding time for the k-th packet."""
    rank = {pts: place for place, pts in enumerate(sorted(order))}
    return max((place - rank[pts] for place, pts in enumerate(order)), default=0)


def clock(time_base: Fraction, *rates: int) -> dict[str, str]:
    """MP4's and MOV's two clocks, so that ticks of a time base come out whole: that of the pictures
    and that of starts and edits, which by itself counts milliseconds."""
    movie = time_base.denominator
    for rate in rates:
        common = math.lcm(movie, rate)
        movie = common if common <= MAX_TIMESCALE else movie
    return {"video_track_timescale": str(time_base.denominator), "movie_timescale": str(movie)}


def _stream(container: OutputContainer, encoding: EncoderSettings) -> VideoStream:
    """The encoder, set up and opened."""
    quieten(encoding.codec)
    options = dict(encoding.options)
    if encoding.chroma_location:
        options.setdefault("chroma_sample_location", encoding.chroma_location)
    stream = container.add_stream(encoding.codec, rate=encoding.rate or 25, options=options)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.height, context.width = encoding.size
    context.pix_fmt = encoding.pix_fmt
    context.time_base = encoding.time_base
    context.thread_count = encoding.threads
    describe(stream, encoding)
    context.open()
    return stream


def describe(stream: VideoStream, encoding: EncoderSettings) -> None:
    """Put the tags of an encoding on a stream that is to be written."""
    context = stream.codec_context
    color = encoding.color
    context.color_range, context.color_primaries = color.range, color.primaries
    context.color_trc, context.colorspace = color.transfer, color.matrix
    context.field_order = FIELD_ORDERS.index(encoding.field_order)
    if encoding.sample_aspect:
        context.sample_aspect_ratio = encoding.sample_aspect


def check(encoding: EncoderSettings, film: Path | None = None) -> None:
    """See that the encoder takes an encoding, before any work. Raises UsageError for values that it
    refuses and for options that it does not have. film: named in the error."""
    name = f"{film}: " if film else ""
    name += f"{encoding.codec} with {encoding.pix_fmt}"
    if not encoding.segment_container:
        raise UsageError(
            f"{encoding.codec} fits into neither MOV nor MP4, in which films are kept while they "
            "are made"
        )
    given = " ".join(f"{key}={value}" for key, value in encoding.options) or "its defaults"
    for key in GIVEN_BY_FILM & dict(encoding.options).keys():
        raise UsageError(f"{name} does not work with {key}: that is the film's own")
    with told(av_logging.ERROR) as said:
        try:
            unknown = _tried(encoding)
        except (UsageError, TargetError) as error:
            hardware = encoder_named(encoding.codec).hardware
            raise UsageError(
                f"{name} does not work with {given}: {_reason(said, error.__cause__ or error)}",
                "it needs a graphics card of its vendor, and its driver" if hardware else "",
            ) from error
    if unknown:
        raise UsageError(f"{name} has no option {', '.join(unknown)}")


@functools.lru_cache(maxsize=64)
def _tried(encoding: EncoderSettings) -> tuple[str, ...]:
    """Make a segment of one empty picture that goes nowhere; the options that the encoder does not
    have. Raises UsageError, TargetError."""
    with SegmentWriter(Path(encoding.codec), encoding, file=Nowhere()) as writer:
        writer.write_empty()
        return writer.options_left()


def _reason(said: list[Any], error: BaseException) -> str:
    """The first thing that libav said, else its error."""
    words = next((line.strip() for _, _, line in said if line.strip()), "")
    return words or str(getattr(error, "strerror", None) or error)
