"""A film's pictures, one after the other: `Frames`.

A path goes in; frames come out in presentation order with the source's own ticks and codes. Damage
never ends a film: it is flagged in the frame or told in the `Ending`. One frame is held besides the
decoder's own few; nothing grows with the film's length.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorbatch.errors import SourceError
from colorbatch.ffmpeg.codecs import codec_named
from colorbatch.ffmpeg.fields import FieldReader
from colorbatch.ffmpeg.film_facts import Film
from colorbatch.ffmpeg.opening import decoder_of, opened
from colorbatch.ffmpeg.pixel_formats import Planes, planes_of
from colorbatch.ffmpeg.side_data import names_of
from colorbatch.ffmpeg.timeline import Steady, may_jump


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture. pts and duration in ticks of the source's time base (duration 0: not told; where
    the rate varies and pictures are coded in another order, a container may tell that of another).
    corrupt: damaged, the decoder patched it; repeated: the decoder had nothing for this time, the
    picture before stands in (then corrupt as well); key: a key frame; fields: which one is shown
    first, "tff" or "bff", "" where it has none; note: a word on what was done to get it, "" for
    nothing; beside: what it carries beside its samples, in words (`side_data`)."""

    pts: int
    duration: int
    planes: Planes
    key: bool
    corrupt: bool
    fields: str
    repeated: bool = False
    note: str = ""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a reading went. frames: given out; corrupt: of these, damaged or repeated; lost: packets
    that gave no picture and stood at the very start, so that there was none to repeat; retimed:
    frames whose time was missing or not after the one before, moved by the least that helps;
    cut_off: why the source ends before its time, "" if it does not; jumps: of the source's clock,
    behind each of which all is moved by the same (`timeline`)."""

    frames: int
    corrupt: int
    lost: int
    retimed: int
    cut_off: str
    jumps: int = 0


class Reading(Iterator[Frame], ABC):
    """Frames in order; a context manager, whose end is `close`, behind which there are none.
    `ending` is known when it was found that no frame is left, None before, and for good where
    reading was closed earlier; `lost` as of `Ending`, when the first frame is there."""

    ending: Ending | None = None
    lost = 0
    _closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Reading ends."""


class Frames(Reading):
    """The frames of a film, from the tick `start` on, or all.

    With `start`, reading begins at least one group of pictures before it and what comes earlier is
    decoded and dropped, so that the frames are those of a reading from the start, wherever the
    format can seek; the caller checks that with `Planes.digest` of a frame that it knows, and reads
    from the start if it is another. Where the source's clock may jump, a tick does not tell a place
    in the file, and reading is from the start; near: seek all the same, and take what comes there,
    with the times that it has by itself. threads: of the decoder, within a picture; 0: as many as
    there are cores. Raises SourceError where a film cannot be opened or changes size or pixel
    format in its midst.
    """

    def __init__(
        self, film: Film, start: int | None = None, *, near: bool = False, threads: int = 0
    ) -> None:
        self._film = film
        self._opened = opened(film.path)
        self._container = self._opened.__enter__()
        try:
            stream = self._container.streams[film.video.index]
            assert isinstance(stream, VideoStream)
            for other in self._container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            sought = start if near or not may_jump(self._container) else None
            point = None if sought is None else _seek_point(film, sought)
            if point is not None:
                self._container.seek(point, stream=stream)
            context = decoder_of(stream)
            # pictures that were not whole are given out and flagged. Threads within a picture only:
            # with frames decoded side by side PyAV loses pictures behind a damaged one
            context.flags |= Flags.output_corrupt
            context.thread_type, context.thread_count = "SLICE", threads
            self._decoder = _Decoder(film, self._container, stream, context)
        except BaseException:
            self.close()
            raise
        self._source = self._decoder.frames()
        self._start = start
        self._given = self._corrupt = 0

    def close(self) -> None:
        """Close the file; reading ends."""
        self._closed = True
        self._source = iter(())
        self._opened.__exit__(None, None, None)

    def __next__(self) -> Frame:
        for frame in self._source:
            if self._start is None or frame.pts >= self._start:
                self._given += 1
                self._corrupt += frame.corrupt
                self.lost = self._decoder.lost
                return frame
        if self.ending is None and not self._closed:
            decoder = self._decoder
            self.ending = Ending(
                self._given,
                self._corrupt,
                decoder.lost,
                decoder.retimed,
                decoder.cut_off(),
                decoder.jumps,
            )
        raise StopIteration


def frames(film: Film, start: int | None = None, *, near: bool = False, threads: int = 0) -> Frames:
    """The film's frames in presentation order; see `Frames`."""
    return Frames(film, start, near=near, threads=threads)


def _seek_point(film: Film, start: int) -> int | None:
    """The tick to seek to, so that reading begins at least one group of pictures before `start`;
    None: at the film's begin.

    Tried with the file opened for it, because formats without an index (MPEG-TS) land elsewhere
    than asked, later even; then it is tried ever further ahead.
    """
    video = film.video
    ahead = max(1, round(1 / video.time_base))
    target, nearest = start, None
    with opened(film.path) as container:
        stream = container.streams[video.index]
        assert isinstance(stream, VideoStream)
        while target > video.start:
            try:
                container.seek(target, stream=stream)
                packets = container.demux(stream)
                key = next((p.pts for p in packets if p.is_keyframe and p.pts is not None), None)
            except av.FFmpegError:
                return None
            if key is not None and nearest is not None and key < nearest:
                return target
            if key is not None and nearest is None and key <= start:
                target, nearest = key - 1, key
            else:
                target, ahead = target - ahead, ahead * 2
    return None


class _Decoder:
    """Packets to frames, with damage kept in view. Times of packets that have been sent and have
    given no picture yet stand in a heap: if the decoder refused packets, what is overdue there
    when a later picture comes was lost."""

    def __init__(
        self,
        film: Film,
        container: InputContainer,
        stream: VideoStream,
        context: VideoCodecContext,
    ) -> None:
        self._film, self._container, self._stream = film, container, stream
        self._context = context
        self._steady = Steady(film) if may_jump(container) else None
        self.lost = self.retimed = 0
        self._refused = 0
        checked = film.video.slice_crcs
        self._intact = codec_named(film.video.codec).intact if checked else None
        self._tainted = False
        self._pending: list[int] = []
        self._damaged: set[int] = set()
        self._last: Frame | None = None
        self._reader = FieldReader()
        self._depth: int | None = None
        self._end = 0
        self._why = self._format = ""

    def frames(self) -> Iterator[Frame]:
        """Every frame, in order."""
        packets: Iterator[Packet[Any]] = self._container.demux(self._stream)
        while True:
            try:
                packet: Packet[Any] | None = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self._why = f"cannot be read on: {error}"
                packet = Packet()
                packets = iter(())
            if packet is None:
                break
            yield from self._decode(packet)
        yield from self._overdue(None)

    @property
    def jumps(self) -> int:
        """Of the source's clock, so far."""
        return len(self._steady.shifts) - 1 if self._steady else 0

    def _decode(self, packet: Packet[Any]) -> Iterator[Frame]:
        if self._steady is not None and packet.size:
            self._steady.move(packet)
        coded = packet.pts is None or self._film.video.in_coded_order
        time = packet.dts if coded and packet.dts is not None else packet.pts
        if packet.size and time is not None and not packet.is_discard:
            heapq.heappush(self._pending, time)
            if packet.is_corrupt or self._tainted_by(packet):
                self._damaged.add(time)
            self._why = "its last packet is not whole" if packet.is_corrupt else ""
        try:
            pictures = self._context.decode(packet if packet.size else None)
        except av.EOFError:
            return
        except av.FFmpegError:
            self._refused += 1
            return
        for picture in pictures:
            yield from self._frame(picture)

    def _tainted_by(self, packet: Packet[Any]) -> bool:
        """Whether an FFV1 picture is damaged: by its own check sums, or because one before it, on
        whose statistics its coding builds up to the next key frame, was."""
        if self._intact is None:
            return False
        carried = self._tainted and not packet.is_keyframe
        self._tainted = carried or not self._intact(bytes(packet))
        return self._tainted

    def _frame(self, picture: VideoFrame) -> Iterator[Frame]:
        """The frames that were lost before this picture, and the picture."""
        self._check(picture)
        found = picture.pts if picture.pts is not None else picture.dts
        if self._film.video.in_coded_order:
            found = self._next_time()
        yield from self._overdue(found)
        pts = self._after(found)
        damaged = found in self._damaged or picture.is_corrupt
        self._damaged.discard(found if found is not None else pts)
        yield self._keep(
            Frame(
                pts,
                picture.duration or 0,
                planes_of(picture),
                picture.key_frame,
                damaged,
                self._fields_of(picture),
                beside=names_of(picture),
            )
        )

    def _next_time(self) -> int | None:
        """The time of the next picture where the source has times in coded order only: the earliest
        of those that have been decoded. What waits longer than the decoder reorders was lost."""
        waiting = len(self._pending) - 1
        if waiting < 0:
            return None
        if self._depth is None:
            self._depth = waiting
        return heapq.nsmallest(max(0, waiting - self._depth) + 1, self._pending)[-1]

    def _fields_of(self, picture: VideoFrame) -> str:
        video = self._film.video
        return self._reader(picture) or ("" if video.fields_told else video.fields)

    def _after(self, found: int | None) -> int:
        """The picture's time, or the least one after the picture before."""
        last = self._last
        if found is not None and (last is None or found > last.pts):
            return found
        self.retimed += 1
        if last is None:
            return self._film.video.start
        return last.pts + (last.duration or 1 if found is None else 1)

    def _overdue(self, until: int | None) -> Iterator[Frame]:
        """Repeats of the last picture for packets that were refused, up to a time."""
        while self._pending and (until is None or self._pending[0] <= until):
            time = heapq.heappop(self._pending)
            if time == until or not self._refused:
                continue
            self._refused -= 1
            self._damaged.discard(time)
            if self._last is None:
                self.lost += 1
            elif time > self._last.pts:
                old = self._last
                yield self._keep(
                    Frame(time, old.duration, old.planes, False, True, old.fields, True)
                )

    def _keep(self, frame: Frame) -> Frame:
        self._last = frame
        self._end = max(self._end, frame.pts + frame.duration)
        return frame

    def _check(self, picture: VideoFrame) -> None:
        video = self._film.video
        if (picture.height, picture.width) != video.size:
            found = f"{picture.width} x {picture.height}"
        elif picture.format.name != (self._format or picture.format.name):
            found = picture.format.name
        else:
            self._format = picture.format.name
            return
        raise SourceError(f"{self._film.path}: changes to {found} at tick {picture.pts}")

    def cut_off(self) -> str:
        """Why the film ends before its time, or ""."""
        video = self._film.video
        if self._why or video.duration is None:
            return self._why
        # the first frame's time may lie after 0, and durations are counted from either
        missing = video.duration - (self._end - video.start) * video.time_base
        step = 1 / video.average_rate if video.average_rate else 0
        declared = self._stream.duration is not None or "matroska" in self._film.container
        if declared and missing > max(3 * step, video.duration / 1000):
            return f"ends {float(missing):.2f} s before its time"
        return ""
