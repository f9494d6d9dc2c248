"""What some pictures of a film show: of its begin and from further on.

Some facts stand in pictures only, and the first one alone does not tell what the others are. Flows
in: a stream, and its file, which is opened anew. Flows out: a `Look`; no picture but the first is
held.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorbatch.errors import SourceError
from colorbatch.ffmpeg.fields import FieldReader
from colorbatch.ffmpeg.opening import decoder_of, opened
from colorbatch.ffmpeg.side_data import names_of

FIRST_PACKETS = 200
"""So many packets of pictures may be undecodable at the start before a film counts as unreadable;
a recording cut out of a broadcast begins between two key frames."""

ONE_TIME = ("avi", "asf")
RATE_ROUNDING = Fraction(2, 100)
RATE_DOUBT = Fraction(6, 5)
"""A rate fits to the pictures that were looked at, if they are so near; and an average that is so
far from them is none. In between the rate may vary."""
AT_BEGIN, PLACES, AT_PLACE = 12, 4, 3
"""So many pictures are looked at from the begin, and from other places, at even distances."""


@dataclass(frozen=True, eq=False)
class Look:
    """What some pictures show. first: the first one that can be decoded; fields: the field that is
    shown first in the first interlaced one, "" where none is; beside: what any of them carries;
    step: seconds from each to the next, None where that differs; timed: whether they have times;
    in_coded_order: whether these are in the order in which pictures are coded."""

    first: VideoFrame
    fields: str
    beside: tuple[str, ...]
    step: Fraction | None
    timed: bool
    in_coded_order: bool


def looked_at(stream: VideoStream, path: Path, duration: Fraction | None) -> Look:
    """Some pictures of the film, from the file opened anew."""
    places = list(_some_pictures(stream, path, duration))
    pictures = [each for place in places for each in place.pictures]
    if places[0].first is None:
        raise SourceError(f"{path}: its pictures ({stream.codec_context.name}) cannot be decoded")
    return Look(
        first=places[0].first,
        fields=next((each.fields for each in pictures if each.fields), ""),
        beside=tuple(dict.fromkeys(name for each in pictures for name in each.beside)),
        step=_step_of(places, stream.time_base or Fraction(1)),
        timed=all(each.pts is not None for each in pictures),
        in_coded_order=any(map(_is_in_coded_order, places)) or _may_be(stream, places),
    )


class _Seen(NamedTuple):
    """What one picture says; see `decode.Frame`. The picture itself is not held."""

    pts: int | None
    duration: int
    fields: str
    beside: tuple[str, ...]


@dataclass(eq=False)
class _Place:
    """Pictures that follow each other somewhere in the film, the first one of them, and the times
    of their packets."""

    pictures: list[_Seen] = field(default_factory=list)
    first: VideoFrame | None = None
    coded: list[int | None] = field(default_factory=list)

    @property
    def shown(self) -> list[int | None]:
        """The pictures' times."""
        return [picture.pts for picture in self.pictures]


def _some_pictures(stream: VideoStream, path: Path, duration: Fraction | None) -> Iterator[_Place]:
    """The first pictures, then some from places further on, where the file can be sought."""
    with opened(path) as container:
        own = container.streams[stream.index]
        assert isinstance(own, VideoStream) and own.time_base is not None
        context = decoder_of(own)
        yield _decodable(container, own, context, AT_BEGIN)
        for place in range(1, PLACES) if duration else ():
            ticks = int((duration or 0) * place / PLACES / own.time_base)
            try:
                container.seek((own.start_time or 0) + ticks, stream=own)
                context.flush_buffers()
                yield _decodable(container, own, context, AT_PLACE)
            except av.FFmpegError:
                return


def _decodable(
    container: InputContainer, stream: VideoStream, context: av.VideoCodecContext, count: int
) -> _Place:
    """The next pictures that can be decoded, as far as some come soon."""
    found, reader, refused = _Place(), FieldReader(), 0
    for packet in container.demux(stream):
        if packet.size:
            found.coded.append(packet.pts)
        try:
            frames = context.decode(packet if packet.size else None)
        except av.FFmpegError:
            frames = []
        refused = 0 if frames else refused + 1
        for frame in frames:
            found.first = found.first or frame
            seen = _Seen(frame.pts, frame.duration or 0, reader(frame), names_of(frame))
            found.pictures.append(seen)
        if refused == FIRST_PACKETS or len(found.pictures) >= count:
            break
    return found


def _rises(times: Sequence[int | None]) -> bool:
    known = [time for time in times if time is not None]
    return len(known) == len(times) and all(a < b for a, b in itertools.pairwise(known))


def _is_in_coded_order(place: _Place) -> bool:
    """Whether packets' times rise and those of the pictures, in the order in which they are shown,
    do not: then the container has no times of its own for that order, as AVI, ASF and some MXF, and
    libav has made them up."""
    known = None not in place.shown
    return known and _rises(place.coded) and not _rises(place.shown)


def _may_be(stream: VideoStream, places: Sequence[_Place]) -> bool:
    """Whether pictures further on may be coded in another order than they are shown in, in a format
    that has one time for each packet: the times in both orders are the same until then."""
    reorders = stream.codec_context.has_b_frames
    return (
        reorders
        and stream.container.format.name in ONE_TIME
        and all(_rises(place.coded) for place in places)
    )


def _step_of(places: Sequence[_Place], time_base: Fraction) -> Fraction | None:
    """The one distance between pictures that follow each other, in seconds, by their times, else by
    how long they are shown; None where there are several."""
    timed = all(_rises(place.shown) for place in places)
    steps = [
        after - before
        for place in places
        for before, after in itertools.pairwise(place.shown)
        if before is not None and after is not None
    ]
    if not timed:
        steps = [picture.duration for place in places for picture in place.pictures]
    if not steps or min(steps) <= 0 or max(steps) - min(steps) > 1:  # one tick is rounding
        return None
    return Fraction(sum(steps), len(steps)) * time_base


def rate_of(stream: VideoStream, look: Look) -> Fraction | None:
    """Frames per second. The average that libav tells is a default or a clock's where a format
    tells none (raw H.264, DV): the pictures decide whether another of its words is right."""
    average, step = stream.average_rate or None, look.step
    if step is None:
        return average
    near = [
        rate
        for rate in (stream.guessed_rate, stream.base_rate)
        if rate and abs(rate * step - 1) < RATE_ROUNDING
    ]
    is_so = average and look.timed and 1 / RATE_DOUBT < average * step < RATE_DOUBT
    return average if is_so or not near else near[0]
