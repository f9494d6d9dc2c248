"""The streams that are copied: their packets with times that the result's muxer takes.

Flows in: the source and the streams of the result that its streams go into. Flows out: packets in
the source's order. Nothing of a damaged source makes a finished film fail: a time that does not
rise is moved by the least that helps, and a packet that the muxer refuses is left out; both are
counted. So is what the source itself cuts off, by an edit list: MP4's own hides it in the result as
well, elsewhere it is left out.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from colorbatch.errors import TargetError
from colorbatch.ffmpeg.containers import EARLY
from colorbatch.ffmpeg.film_facts import NUMBERED, Film
from colorbatch.ffmpeg.opening import opened, packets_of
from colorbatch.ffmpeg.timeline import Followers, Steady, stretches

UNPRIMED = ("pcm_", "flac", "alac")
"""Begins of names of sound that needs nothing before its first sample."""
PRIMING = Fraction(1, 10)
"""Seconds that sound needs at most; AAC, MP3 and Opus take 7 to 50 ms."""

REFUSALS = (av.error.InvalidDataError, av.error.ArgumentError)
"""libav's errors for a packet that is not what its stream ought to hold."""


class Copies:
    """The packets to copy. streams: the result's stream by the index of the source's; copied,
    moved, left_out, cut_off: how many packets by that index."""

    def __init__(
        self,
        film: Film,
        source: InputContainer | None,
        streams: Mapping[int, Stream],
        container: str,
    ) -> None:
        self._film, self._source, self._streams = film, source, streams
        self._container = container
        self._infos = {each.index: each for each in film.streams}
        self._last: dict[int, int] = {}
        self.copied, self.moved, self.left_out = Counter[int](), Counter[int](), Counter[int]()
        self.cut_off = Counter[int]()

    def packets(self) -> Iterator[tuple[Packet[Any], Fraction, Fraction]]:
        """Each packet on the pictures' time line, with the times in seconds at which it is decoded
        and shown."""
        if not self._streams or self._source is None:
            return
        found = stretches(self._film)
        streams = [self._source.streams[index] for index in self._streams]
        pictures = self._film.video.index
        if len(found) > 1:
            streams.append(self._source.streams[pictures])
        steady, followers = Steady(self._film), Followers(found)
        time = Fraction(0)
        for packet in packets_of(self._source, *streams):
            if packet.stream_index == pictures:
                steady.move(packet)
                continue
            if self._is_no_sound(packet):
                self.left_out[packet.stream_index] += 1
                continue
            ticks = packet.dts if packet.dts is not None else packet.pts
            if ticks is not None:
                time = ticks * packet.time_base
                if len(found) > 1:
                    gapless = self._infos[packet.stream_index].kind == "audio"
                    now = len(steady.shifts) - 1
                    seconds = followers.shift(packet, time, now, gapless=gapless)
                    later(packet, round(seconds / packet.time_base))
                    time += seconds
            yield packet, time, time if packet.pts is None else packet.pts * packet.time_base

    def _is_no_sound(self, packet: Packet[Any]) -> bool:
        """Whether a packet is a piece of AAC without its header, which is damage in MPEG-TS; at the
        very begin it would keep libav from finding out how the sound is coded."""
        if self._film.container != "mpegts":
            return False
        if self._infos[packet.stream_index].codec != "aac":
            return False
        return int.from_bytes(bytes(packet)[:2], "big") & 0xFFF6 != 0xFFF0

    def hides(self, packet: Packet[Any]) -> bool:
        """Whether the result hides a packet as the source does: MP4 and QuickTime begin at 0, and
        their decoders need what stands before (ISO/IEC 14496-12, 8.6.6)."""
        end = (packet.pts or 0) + (packet.duration or 0)
        return self._container != "mkv" and packet.pts is not None and end <= 0

    def put(self, packet: Packet[Any], mux: Callable[[Packet[Any]], None]) -> None:
        """Write a packet of `packets` by `mux`. Raises what is not the packet's fault: OSError for
        the disk's, TargetError for the muxer's."""
        index = packet.stream_index
        stream = self._streams[index]
        self._raise(packet, index, stream)
        packet.stream = stream
        try:
            mux(packet)
        except REFUSALS:
            self.left_out[index] += 1
            return
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            info = self._infos[index]
            raise TargetError(
                f"{self._film.path}: its {info.kind} ({info.codec}) cannot be written as "
                f"{self._container}: {error.strerror}"
            ) from error
        self.copied[index] += 1

    def _raise(self, packet: Packet[Any], index: int, stream: Stream) -> None:
        """Give a packet times behind those of the one before, as the muxer wants them."""
        base, last = stream.time_base, self._last.get(index)
        assert base is not None
        # Matroska and all streams that are no pictures or sound may have two packets at a time
        repeats = self._container == "mkv" or stream.type not in ("audio", "video")
        least = None if last is None else last + (0 if repeats else 1)
        dts, pts = (_ticks(each, packet, base) for each in (packet.dts, packet.pts))
        time = dts if dts is not None else pts
        if time is None:
            if least is None:  # a cover picture, or for the muxer to refuse
                return
            time = least
        late = least is not None and time < least
        time = max(time, least) if least is not None else time
        if late or (dts is None and pts is None) or (pts is not None and pts < time):
            packet.duration = _ticks(packet.duration, packet, base) or 0
            packet.pts, packet.dts, packet.time_base = max(pts or time, time), time, base
            self.moved[index] += 1
        self._last[index] = time

    def notes(self) -> tuple[str, ...]:
        """What was moved and left out, in words."""
        counts = (
            (self.cut_off, "packet{} of {} left out, which the source cuts off"),
            (self.left_out, "unusable packet{} of {} left out"),
            (self.moved, "packet{} of {} without a usable time moved by the least that helps"),
        )
        streams = self._infos
        return tuple(
            f"{count:,} "
            + words.format("s" * (count != 1), f"{streams[index].kind} ({streams[index].codec})")
            for counter, words in counts
            for index, count in sorted(counter.items())
        )


def delay_of(film: Film, kept: Collection[int]) -> Fraction:
    """By how much the sound of another file comes after that file's begin, in seconds: it starts
    together with the first frame. kept: indexes of the streams that are copied."""
    if film.container != NUMBERED:
        return Fraction(0)
    starts = [
        each.start * each.time_base
        for each in film.others
        if each.index in kept and each.start is not None
    ]
    return max(Fraction(0), min(starts, default=Fraction(0)))


def earliest(film: Film, kept: Collection[int]) -> Fraction:
    """When the first of the copied streams begins, in seconds. What is cut off, and a packet that
    is cut in its midst (a decoder's priming), do not count."""
    covers = {each.index for each in film.others if "attached_pic" in each.disposition}
    wanted = {
        each.index
        for each in film.others
        if each.index in kept and each.kind != "attachment" and each.index not in covers
    }
    if film.carrier is None or not wanted:
        return Fraction(0)
    begins: dict[int, Fraction] = {}
    trimmed: set[int] = set()
    with opened(film.carrier) as source:
        streams = [source.streams[index] for index in sorted(wanted)]
        for packet in itertools.islice(packets_of(source, *streams), EARLY):
            index = packet.stream_index
            if packet.is_discard or packet.has_sidedata("skip_samples"):
                trimmed.add(index)
            if packet.is_discard or packet.pts is None or index in begins:
                continue
            cut = index in trimmed and packet.pts + (packet.duration or 0) > 0
            time = packet.pts * packet.time_base
            begins[index] = Fraction(0) if cut or _is_priming(film, index, time) else time
            if len(begins) == len(wanted):
                break
    return min(begins.values(), default=Fraction(0)) - delay_of(film, kept)


def _is_priming(film: Film, index: int, time: Fraction) -> bool:
    """Whether sound in Matroska begins before 0 by its CodecDelay (RFC 9559, 5.1.4.1.25), which the
    result has as well: libav counts that from the times, and PyAV does not show it."""
    info = next(each for each in film.streams if each.index == index)
    coded = info.kind == "audio" and not info.codec.startswith(UNPRIMED)
    return film.family == "mkv" and coded and time >= -PRIMING


def later(packet: Packet[Any], ticks: int) -> None:
    """Move a packet's times."""
    packet.pts = None if packet.pts is None else packet.pts + ticks
    packet.dts = None if packet.dts is None else packet.dts + ticks


def _ticks(value: int | None, packet: Packet[Any], base: Fraction) -> int | None:
    """A number of the packet's ticks in those of `base`, to the nearest as libav rounds."""
    if value is None:
        return None
    exact = value * packet.time_base / base
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return whole if exact >= 0 else -whole
