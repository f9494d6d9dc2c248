"""Segments of a finished film, taken out of it again: packets are copied, nothing is decoded.

A finished film goes in, whose bytes are those that `mux.join` made (the caller has seen to that),
with what its segments were; out come the files of some of them, which `join` takes as if they had
never gone. A container may count time less finely than the film does, so the ticks of the frames
are given.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from colorbatch.errors import SourceError, StoppedError, TargetError
from colorbatch.ffmpeg.codecs import encoder_named
from colorbatch.ffmpeg.encode import BUFFER, Segment, clock, describe
from colorbatch.ffmpeg.opening import film_stream, opened, packets_of
from colorbatch.ffmpeg.output import Guarded
from colorbatch.ffmpeg.plan import EncoderSettings
from colorbatch.fs.atomic import replacing


def take_back(
    film: Path,
    segments: Sequence[Segment],
    ticks: Mapping[int, Sequence[int]],
    encoding: EncoderSettings,
    *,
    owner: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Write segments of a film to their `path`, and tell the number of each behind it.

    segments: all that the film was joined of, in order; ticks: number of those that are wanted ->
    the ticks of its frames, in order. One whose pictures do not stand at these ticks is passed
    over. owner: as of `SegmentWriter`; stop: asked often. Raises SourceError where the film cannot
    be read, TargetError, StoppedError.
    """
    with opened(film) as container:
        stream = film_stream(container, film)
        packets = packets_of(container, stream)
        for number, segment in enumerate(segments):
            own = _some(packets, segment.frames, stop)
            if number not in ticks:
                for _ in own:
                    pass
            elif _is_written(own, stream, segment, ticks[number], encoding, owner):
                yield number


def _some(
    packets: Iterator[Packet[Any]], count: int, stop: Callable[[], bool]
) -> Iterator[Packet[Any]]:
    """The next packets, so many. Raises StoppedError, SourceError where there are fewer."""
    for _ in range(count):
        if stop():
            raise StoppedError
        packet = next(packets, None)
        if packet is None:
            raise SourceError("has fewer pictures than it was made of")
        yield packet


def _is_written(
    packets: Iterator[Packet[Any]],
    template: VideoStream,
    segment: Segment,
    ticks: Sequence[int],
    encoding: EncoderSettings,
    owner: str,
) -> bool:
    """Write one; whether it is there. All of its packets are taken."""
    try:
        with replacing(segment.path, owner=owner) as file:
            try:
                _write(file, packets, template, segment, ticks, encoding)
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, OSError):  # the disk's word, which `replacing` translates
                    raise
                raise _UnlikeError(str(error)) from error
    except _UnlikeError:
        for _ in packets:
            pass
        return False
    return True


class _UnlikeError(TargetError):
    """What a film holds is not what the segment held."""


def _write(
    file: Any,
    packets: Iterator[Packet[Any]],
    template: VideoStream,
    segment: Segment,
    ticks: Sequence[int],
    encoding: EncoderSettings,
) -> None:
    """Raises _UnlikeError where pictures do not stand at the ticks."""
    if len(ticks) != segment.frames or (ticks[0], ticks[-1]) != (segment.first, segment.last):
        raise _UnlikeError("other frames")
    output = av.open(
        Guarded(file),
        "w",
        format=encoding.segment_container,
        container_options=clock(encoding.time_base),
        buffer_size=BUFFER,
    )
    stream = output.add_stream_from_template(template, opaque=True)
    stream.time_base = encoding.time_base
    describe(stream, encoding)
    if tag := encoder_named(encoding.codec).mp4_tag:
        stream.codec_context.codec_tag = tag
    # decoding times as `mux` makes them, all moved so that none is before 0
    depth = segment.reorder
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    early = [ticks[0] - (depth - place) * step for place in range(depth)]
    decoded = [*early, *ticks][: len(ticks)]
    moved = -min(0, decoded[0])
    seconds = [tick * segment.time_base for tick in ticks]
    offset: Fraction | None = None
    free = set(range(len(ticks)))
    for packet, dts in zip(packets, decoded, strict=True):
        if packet.pts is None or packet.time_base is None:
            raise _UnlikeError("a picture without a time")
        shown = packet.pts * packet.time_base
        offset = shown - seconds[0] if offset is None else offset
        place = _nearest(seconds, shown - offset)
        # what is counted less finely is rounded, here and at the first picture
        if place not in free or abs(shown - offset - seconds[place]) > packet.time_base:
            raise _UnlikeError("other times")
        free.remove(place)
        after = ticks[place + 1] - ticks[place] if place + 1 < len(ticks) else segment.last_duration
        packet.pts, packet.dts, packet.duration = ticks[place] + moved, dts + moved, after
        packet.time_base, packet.stream = segment.time_base, stream
        output.mux(packet)
    output.close()


def _nearest(times: Sequence[Fraction], time: Fraction) -> int:
    """The place of the nearest of times that rise."""
    behind = bisect.bisect_left(times, time)
    near = range(max(0, behind - 1), min(len(times), behind + 1))
    return min(near, key=lambda place: abs(times[place] - time))
