"""The pieces of a film and all else that the source holds, into the final container: `join`.

Nothing is encoded or decoded here, packets are copied. The result is written under a temporary name
and renamed when it is complete, so a kill at any time leaves the pieces as they were. Therefore the
pieces stay until the caller removes them afterwards: the peak on disk is two films.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from colorbatch.errors import StoppedError, TargetError
from colorbatch.ffmpeg.codecs import encoder_named
from colorbatch.ffmpeg.containers import (
    add_copy,
    container_of,
    cover_packets,
    odd_tags,
    own_tag,
    spoken_for,
)
from colorbatch.ffmpeg.copied_streams import Copies, delay_of, earliest, later
from colorbatch.ffmpeg.encode import BUFFER, Segment, clock, describe
from colorbatch.ffmpeg.excerpt import Cut
from colorbatch.ffmpeg.film_facts import MUXERS, NUMBERED, UNTAGGED, Film
from colorbatch.ffmpeg.kept import STATISTICS, missing_at
from colorbatch.ffmpeg.matroska import complete, padded
from colorbatch.ffmpeg.opening import opened, packets_of
from colorbatch.ffmpeg.output import Guarded
from colorbatch.ffmpeg.plan import EncoderSettings
from colorbatch.fs.atomic import replacing


@dataclass(frozen=True)
class Muxed:
    """The finished film: path, number of frames, copied packets by the source's stream index, and
    notes on what was not as it ought to be."""

    path: Path
    frames: int
    copied: Mapping[int, int]
    notes: tuple[str, ...] = ()


def join(
    segments: Sequence[Segment],
    film: Film,
    target: Path,
    encoding: EncoderSettings,
    *,
    container: str = "",
    drop: frozenset[int] = frozenset(),
    tags: Mapping[str, str] | None = None,
    timecode: str | None = None,
    cut: tuple[bool, bool] = (False, False),
    owner: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Muxed:
    """Write the final film: the segments' pictures in order, and every other stream of the source.

    container: "mkv", "mov" or "mp4", by the target's suffix if empty; drop: the source's streams
    that are left out (what `refused` named); tags: added to the container's own; timecode: instead
    of the source's. cut: whether the segments begin after the film's begin, and end before its end;
    then the other streams' packets outside of them are left out, chapters are cut, and the first
    picture's time becomes 0. Else the pictures keep their ticks, unless the film begins before 0
    (`Cut`); in Matroska, which counts milliseconds, they are rounded. Raises TargetError where the
    segments do not belong together or the disk or the muxer refuses, SourceError where the source
    cannot be read, StoppedError where `stop`, asked for every packet, says so.
    """
    kind = container or container_of(target.name)
    if kind not in MUXERS:
        raise TargetError(f"{target}: films are written as mkv, mov or mp4")
    _check(segments, target)
    with replacing(target, owner=owner) as file, _carrier(film) as source:
        audio = source.streams.audio if source else ()
        rates = [s.codec_context.sample_rate for s in audio if s.codec_context]
        rates = [rate for rate in rates if rate]  # a cut off source may not tell one
        odd = odd_tags({**film.metadata, **(tags or {})})
        try:
            output = av.open(
                Guarded(file),
                "w",
                format=MUXERS[kind],
                container_options=_muxer_options(kind, segments[0].time_base, rates, odd, encoding),
                metadata_errors="surrogateescape",
                buffer_size=BUFFER,
            )
            kept = {each.index for each in film.others} - drop
            whole = Cut.of(segments, cut, earliest(film, kept))
            work = _Mux(film, source, output, encoding, segments, whole)
            begin = film.video.timecode if timecode is None else timecode
            work.add_streams(drop, begin)
            work.add_tags(tags or {})
            work.copy(stop)
            output.close()
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):  # the disk's word, which `replacing` translates
                raise
            words = getattr(error, "strerror", None) or error
            raise TargetError(f"{target}: cannot write as {kind}: {words}") from error
        if kind == "mkv":
            work.complete_header(file)
    partly = any(cut)  # chapters may end before a part
    whole_film = replace(film, chapters=()) if partly else film
    notes = (*work.notes, *missing_at(whole_film, target, encoding, drop, begin))
    return Muxed(target, work.frames, work.copied, notes)


def _carrier(film: Film) -> AbstractContextManager[InputContainer | None]:
    """The file whose streams are copied, opened; None without one."""
    return contextlib.nullcontext() if film.carrier is None else opened(film.carrier)


def _check(segments: Sequence[Segment], target: Path) -> None:
    """Raises TargetError where pieces overlap or differ in what a decoder needs to know."""
    if not segments:
        raise TargetError(f"{target}: there is nothing to join")
    for before, after in itertools.pairwise(segments):
        if after.header != before.header or after.time_base != before.time_base:
            raise TargetError(f"{after.path}: is encoded otherwise than {before.path.name}")
        if after.first <= before.last:
            raise TargetError(f"{after.path}: begins before {before.path.name} ends")


def _muxer_options(
    kind: str, time_base: Fraction, rates: list[int], odd: list[str], encoding: EncoderSettings
) -> dict[str, str]:
    if kind == "mkv":
        # what moves is up to us: priming that begins a little before 0 does not move the pictures
        return {"avoid_negative_ts": "disabled"}
    # MP4's players read its own list of tags, and libav writes one of the two lists
    flags = ["use_metadata_tags"] if kind == "mov" or odd else []
    # without this flag none of the tags of color is written where one of them is not specified
    color = encoding.color
    if {color.primaries, color.transfer, color.matrix} != {UNTAGGED}:
        flags.append("write_colr")
    given = {"movflags": "+".join(flags)} if flags else {}
    return clock(time_base, *rates) | {"write_tmcd": "1"} | given


class _Mux:
    """One joining: the source, the output and the streams that lead from one to the other."""

    def __init__(
        self,
        film: Film,
        source: InputContainer | None,
        output: OutputContainer,
        encoding: EncoderSettings,
        segments: Sequence[Segment],
        cut: Cut,
    ) -> None:
        self._film, self._source, self._output, self._cut = film, source, output, cut
        self._encoding, self._segments = encoding, segments
        self._copies: dict[int, Stream] = {}
        self.notes: tuple[str, ...] = ()
        self.position = 0
        self.frames = 0
        self.copied: dict[int, int] = {}

    def add_streams(self, drop: frozenset[int], timecode: str) -> None:
        """All streams in the source's order; before those of a sound its pictures."""
        film = self._film
        if film.container == NUMBERED:
            self._add_video(None, timecode)
        if self._source is None or film.carrier is None:
            return
        with opened(film.carrier) as again:
            covers = cover_packets(again, film)
        kept = {each.index: each for each in film.others if each.index not in drop}
        for stream in self._source.streams:
            if stream.index == film.video.index:
                self._add_video(stream, timecode)
            elif stream.index in kept:
                info = kept[stream.index]
                copy = add_copy(self._output, stream, info, covers.get(info.index))
                if copy is not None:
                    self._copies[info.index] = copy
                self.copied[info.index] = 0

    def _add_video(self, stream: Stream | None, timecode: str) -> None:
        """The pictures' stream, after the first segment's, with the source's tags."""
        with opened(self._segments[0].path) as first:
            template = first.streams.video[0]
            video = self._output.add_stream_from_template(template, opaque=True)
            video.time_base = template.time_base
        describe(video, self._encoding)
        tag = encoder_named(self._encoding.codec).mp4_tag
        if tag and self._output.format.name != "matroska":
            video.codec_context.codec_tag = tag
        if self._encoding.rate:
            video.codec_context.framerate = self._encoding.rate
        video.set_display_matrix(self._film.video.matrix)
        video.disposition = Disposition(stream.disposition if stream else Disposition.default)
        kept = {
            key: value
            for key, value in (stream.metadata if stream else {}).items()
            if not own_tag(key) and not key.startswith(STATISTICS) and key.lower() != "timecode"
        }
        video.metadata.update(kept)
        spoken_for(video, self._output)
        if timecode:
            video.metadata["timecode"] = timecode
        if self._output.format.name == "matroska":
            video.metadata["title"] = padded(kept.get("title", ""))
        self._video = video
        # Matroska numbers its tracks, and an attachment is none
        tracks = [each for each in self._output.streams if each.type != "attachment"]
        self.position = len(tracks)

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Chapters and the container's tags."""
        if self._source is not None and self._film.container != NUMBERED:
            self._output.set_chapters(self._cut.chapters(self._source.chapters()))
            for key, value in self._source.metadata.items():
                # the film's record may have been given fewer; the file has them to the byte
                if key in self._film.metadata and not own_tag(key) and key.lower() != "timecode":
                    self._output.metadata[key] = value
        self._output.metadata.update(tags)

    def copy(self, stop: Callable[[], bool]) -> None:
        """All packets, the streams interleaved by their decoding times."""

        def mux(packet: Packet[Any]) -> None:
            if stop():
                raise StoppedError
            self._output.mux_one(packet)

        self._output.start_encoding()
        kind = next(kind for kind, name in MUXERS.items() if name == self._output.format.name)
        copies = Copies(self._film, self._source, self._copies, kind)
        others = self._others(copies)
        waiting = next(others, None)
        for packet, time in self._pictures():
            while waiting is not None and waiting[1] <= time:
                copies.put(waiting[0], mux)
                waiting = next(others, None)
            mux(packet)
            self.frames += 1
        while waiting is not None:
            copies.put(waiting[0], mux)
            waiting = next(others, None)
        self.copied |= copies.copied
        self.notes = (*self._cut.notes, *copies.notes())

    def complete_header(self, file: IO[bytes]) -> None:
        """Put into a finished Matroska file what its muxer could not be told."""
        index, title = self._film.video.index, ""
        if self._film.container != NUMBERED:
            title = self._film.streams[index].metadata.get("title", "")
        given = self._encoding
        complete(file, self.position, title, given.size, given.sample_aspect, given.chroma_location)

    def _others(self, copies: Copies) -> Iterator[tuple[Packet[Any], Fraction]]:
        """The packets to copy that belong to the part, with their times in seconds."""
        delay = delay_of(self._film, set(self._copies))
        for packet, time, shown in copies.packets():
            later(packet, -round(delay / packet.time_base))
            if not self._cut.has(shown - delay):
                continue
            shift = self._cut.shift(packet.time_base)
            later(packet, -shift)
            if packet.is_discard and not copies.hides(packet):
                copies.cut_off[packet.stream_index] += 1
                continue
            yield packet, time - delay - shift * packet.time_base

    def _pictures(self) -> Iterator[tuple[Packet[Any], Fraction]]:
        """The segments' packets with the source's presentation times, and decoding times made anew
        over the whole film: the k-th packet's is the (k - d)-th presentation time, with d the
        reorder depth. Those of the first d are counted back from the first."""
        depth = max(segment.reorder for segment in self._segments)
        time_base = self._segments[0].time_base
        step = self._first_step()
        first = self._segments[0].first
        shift = self._cut.shift(time_base)
        past = deque(first - (depth - k) * step for k in range(depth))
        for number, segment in enumerate(self._segments):
            later = self._segments[number + 1 : number + 2]
            end = later[0].first if later else self._end()
            order = _order(segment)
            shown = [*sorted(order), end]
            until = dict(itertools.pairwise(shown))
            past.extend(shown[:-1])
            for packet, pts in zip(_packets(segment), order, strict=True):
                dts = past.popleft()
                packet.pts, packet.dts = pts - shift, dts - shift
                packet.duration = until[pts] - pts
                packet.time_base = time_base
                packet.stream = self._video
                yield packet, (dts - shift) * time_base

    def _end(self) -> int:
        """The tick at which the last frame has been shown. Its duration in a clock that does not
        divide the rate, as Matroska's milliseconds, is cut to whole ticks; the film's is not."""
        last = self._segments[-1]
        end, rate = last.last + last.last_duration, self._encoding.rate
        if not rate or not last.last_duration:
            return end
        frames = sum(segment.frames for segment in self._segments)
        exact = self._segments[0].first + frames / (rate * last.time_base)
        return round(exact) if abs(exact - end) <= 1 else end

    def _first_step(self) -> int:
        """Ticks between the first two frames, at least 1."""
        segment = self._segments[0]
        shown = sorted(_order(segment))
        return shown[1] - shown[0] if len(shown) > 1 else max(1, segment.last_duration)


def _packets(segment: Segment) -> Iterator[Packet[Any]]:
    """A segment's packets in coded order. Raises TargetError for one that is not as it was left."""
    with opened(segment.path) as container:
        stream = container.streams.video[0]
        yield from packets_of(container, stream)


def _order(segment: Segment) -> list[int]:
    """The presentation times of a segment's packets in coded order, in ticks of its time base."""
    scale = segment.time_base.numerator
    found = []
    for packet in _packets(segment):
        assert packet.pts is not None
        found.append(packet.pts)
    # the difference is 0, but for a segment that begins before 0, which `encode` moves
    moved = segment.first * scale - min(found, default=0)
    order = [(pts + moved) // scale for pts in found]
    if len(order) != segment.frames or max(order, default=segment.last) != segment.last:
        raise TargetError(f"{segment.path}: is not as it was left")
    return order
