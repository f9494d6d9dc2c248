"""A film's pictures at a glance: each is decoded only if somebody asks for it.

For who looks for something in a film and needs few of its pictures, as cuts do. Of formats whose
pictures stand by themselves the packets are read, and a picture is decoded when it is asked for; of
all others every picture is decoded, as `decode.Frames` does it. Ticks and codes are those of
`Frames`, either way. What was asked for is held by who holds the glance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.codec.codec import Properties
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from colorbatch.errors import SourceError
from colorbatch.ffmpeg.codecs import codec_named
from colorbatch.ffmpeg.decode import Ending, Frame, Frames, frames
from colorbatch.ffmpeg.film_facts import Film
from colorbatch.ffmpeg.opening import decoder_of, opened, packets_of
from colorbatch.ffmpeg.pixel_formats import Planes, planes_of
from colorbatch.ffmpeg.timeline import may_jump


@dataclass(frozen=True, eq=False)
class Glance:
    """A frame's place in the film. pts: its tick; picture: decodes it, None for a damaged one."""

    pts: int
    picture: Callable[[], Planes | None]


class Glances(Iterator[Glance]):
    """The frames of a source from a tick on, or all; a context manager.

    sparse: whether a picture that nobody asks for costs nothing; ending: how the reading went, when
    there are no more, where all pictures were decoded.
    """

    def __init__(
        self,
        found: Iterable[Glance],
        *,
        sparse: bool,
        close: Callable[[], None] = lambda: None,
        ending: Callable[[], Ending | None] = lambda: None,
    ) -> None:
        self._found = iter(found)
        self.sparse = sparse
        self._close, self._ending = close, ending

    def __next__(self) -> Glance:
        return next(self._found)

    @property
    def ending(self) -> Ending | None:
        return self._ending()

    def __enter__(self) -> Glances:
        return self

    def __exit__(self, *_: object) -> None:
        self._found = iter(())
        self._close()


class IrregularError(Exception):
    """Pictures that were taken to stand by themselves do not; they are to be read densely."""


def glances(film: Film, start: int | None = None, *, dense: bool = False) -> Glances:
    """The film's frames; see `Glances`. dense: decode all pictures, whatever the format; otherwise
    a picture that depends on another, or has no time of its own, raises IrregularError. Raises
    SourceError."""
    if dense or film.video.in_coded_order:
        return of_reading(frames(film, start))
    return _of_packets(film, start) or of_reading(frames(film, start))


def of_reading(reading: Frames) -> Glances:
    """Those of a reading in which every picture is decoded."""

    def glance(frame: Frame) -> Glance:
        return Glance(frame.pts, lambda: None if frame.corrupt else frame.planes)

    return Glances(
        map(glance, reading), sparse=False, close=reading.close, ending=lambda: reading.ending
    )


def _only(container: InputContainer, film: Film) -> VideoStream:
    """The film's stream, the only one that is read."""
    stream = container.streams[film.video.index]
    assert isinstance(stream, VideoStream)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return stream


def _of_packets(film: Film, start: int | None) -> Glances | None:
    """Those of a film whose pictures stand alone, None for another."""
    stack = contextlib.ExitStack()
    container = stack.enter_context(opened(film.path))
    try:
        stream = _only(container, film)
        context = decoder_of(stream)
        all_alone: Any = Properties.INTRA_ONLY
        alone = bool(context.codec.properties & all_alone.value)
        can_be = alone or codec_named(film.video.codec).keys_alone
        if not can_be or may_jump(container) or context is not stream.codec_context:
            stack.close()
            return None
        if start is not None and start > film.video.start:
            container.seek(start, stream=stream)
        context.flags |= Flags.output_corrupt
        context.thread_type, context.thread_count = "SLICE", 0
    except BaseException:
        stack.close()
        raise

    def found() -> Iterator[Glance]:
        last = None
        with contextlib.suppress(av.FFmpegError, OSError):  # who reads all of it tells of that
            for packet in packets_of(container, stream):
                rises = packet.pts is not None and (last is None or packet.pts > last)
                if not rises or packet.is_discard or not (alone or packet.is_keyframe):
                    raise IrregularError
                last = packet.pts
                if packet.pts is not None and (start is None or packet.pts >= start):
                    yield Glance(packet.pts, _decoded(film, context, packet))

    return Glances(found(), sparse=True, close=stack.close)


def _decoded(
    film: Film, context: VideoCodecContext, packet: Packet[Any]
) -> Callable[[], Planes | None]:
    intact = codec_named(film.video.codec).intact if film.video.slice_crcs else None

    def picture() -> Planes | None:
        if packet.is_corrupt or (intact is not None and not intact(bytes(packet))):
            return None
        try:
            found = context.decode(packet)
        except av.FFmpegError:
            return None
        if len(found) != 1 or found[0].is_corrupt:
            return None
        height, width = found[0].height, found[0].width
        if (height, width) != film.video.size:
            raise SourceError(f"{film.path}: changes to {width} x {height} at tick {packet.pts}")
        return planes_of(found[0])

    return picture
