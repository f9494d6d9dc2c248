"""One time line for a film whose source's clock jumps, as in recordings that were joined.

Packets go in, in the file's order, and come out with their times moved. The pictures lead (`Steady`
gives each stretch between two jumps the smallest shift that lets it begin where the one before has
ended), and every other stream follows them (`Followers`), so that what was shown and heard together
still is. Only formats whose times may begin anew within a file have this: MPEG-TS, VOB and the
like. A gap of less than `AHEAD` is no jump: the times of both streams leave it out alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from colorbatch.ffmpeg.film_facts import NUMBERED, Film
from colorbatch.ffmpeg.opening import opened, packets_of

BACK, AHEAD = Fraction(1, 10), Fraction(60)
"""Seconds by which a stream's times may go back, or leap ahead, before that counts as a jump. 0.1 s
is ffmpeg's measure, too (fftools/ffmpeg_demux.c); it closes gaps of 10 s, which may be pauses."""
LATE = 2
"""Seconds of sound from before a jump that may stand behind it in the file."""


def may_jump(container: InputContainer) -> bool:
    """Whether times may begin anew within files of this format."""
    flag: Any = Flags.ts_discont
    return bool(container.format.flags & flag.value)


class Steady:
    """Moves the packets of the pictures. shifts: of each stretch, and begins: the first moved time
    in it, both in ticks; the first shift is 0."""

    def __init__(self, film: Film) -> None:
        video = film.video
        rate = video.average_rate or video.real_rate
        self._step = max(1, round(1 / rate / video.time_base)) if rate else 1
        self._back, self._ahead = -(BACK / video.time_base), AHEAD / video.time_base
        self._last: int | None = None
        self._end = 0
        self.shifts, self.begins = [0], [0]

    def move(self, packet: Packet[Any]) -> None:
        """Give a packet, the next one in the file, its time on the line."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        shown = packet.pts if packet.pts is not None else time
        if self._last is not None and not self._back <= time - self._last <= self._ahead:
            self.shifts.append(self._shift_at(shown))
            self.begins.append(shown + self.shifts[-1])
        begins_all = self._last is None
        self._last = time
        shift = self.shifts[-1]
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        end = shown + shift + (packet.duration or self._step)
        self._end = end if begins_all else max(self._end, end)

    def _shift_at(self, shown: int) -> int:
        """The shift of a new stretch: one that there was, where a damaged time is left behind."""
        for shift in dict.fromkeys(self.shifts):
            if -self._step <= shown + shift - self._end <= self._ahead:
                return shift
        return self._end - shown


@dataclass(frozen=True)
class Stretch:
    """What lies between two jumps. shift: what is added to its times; begin: the moved time of its
    first picture; in seconds."""

    shift: Fraction
    begin: Fraction


def stretches(film: Film) -> tuple[Stretch, ...]:
    """The stretches of a film, one if its clock does not jump; the file's packets are read for it
    where they may. Raises SourceError."""
    if film.container == NUMBERED:  # their clock is their number
        return (Stretch(Fraction(0), Fraction(0)),)
    with opened(film.path) as container:
        stream = container.streams[film.video.index]
        assert isinstance(stream, VideoStream)
        steady = Steady(film)
        if may_jump(container):
            for packet in packets_of(container, stream):
                steady.move(packet)
    base = film.video.time_base
    pairs = zip(steady.shifts, steady.begins, strict=True)
    return tuple(Stretch(shift * base, begin * base) for shift, begin in pairs)


class Followers:
    """Finds the shift of every other packet of a file, in the file's order. now: the number of the
    pictures' stretch at that place of the file, told by the caller.

    A stream with gaps, such as subtitles, moves with the pictures beside which it stands. Sound may
    stand somewhat before or behind them in the file: where it jumps by itself it goes over to the
    next stretch, and what fits to the sound before stays with it, for `LATE` seconds at most.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._at: dict[int, int] = {}
        self._end: dict[int, Fraction] = {}

    def shift(self, packet: Packet[Any], time: Fraction, now: int, *, gapless: bool) -> Fraction:
        """The seconds to be added to the times of a packet; time: its own, in seconds."""
        index = packet.stream_index
        at = self._stretch(index, time, now) if gapless else now
        moved = time + self._stretches[at].shift
        self._at[index] = at
        self._end[index] = moved + (packet.duration or 0) * packet.time_base
        return self._stretches[at].shift

    def _stretch(self, index: int, time: Fraction, now: int) -> int:
        at, end = self._at.get(index, now), self._end.get(index)
        if end is None:
            return now

        def gap(number: int) -> Fraction:
            return time + self._stretches[number].shift - (end or 0)

        if at >= now and -BACK <= gap(at) <= AHEAD:
            return at
        allowed = list(range(at, min(max(at, now) + 1, len(self._stretches) - 1) + 1))
        over = self._stretches[at + 1].begin + LATE if at < now else None
        if over is not None and time + self._stretches[at].shift > over:
            allowed.remove(at)
        return min(allowed, key=lambda number: abs(gap(number)))
