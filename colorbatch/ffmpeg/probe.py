"""A film file to its `Film`: everything that is known before the work starts.

Some pictures are decoded, of its begin and from further on, because some facts stand only there,
and the first one alone does not tell what the others are. The file is opened anew for that, and
once more for FFV1's check sums and the first packets' encryption.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorbatch.errors import SourceError
from colorbatch.ffmpeg import avi
from colorbatch.ffmpeg.codecs import codec_named
from colorbatch.ffmpeg.fields import OF_ORDER
from colorbatch.ffmpeg.film_facts import (
    CHROMA_LOCATIONS,
    FIELD_ORDERS,
    UNTAGGED,
    Chapter,
    Color,
    Film,
    Sound,
    StreamInfo,
    VideoInfo,
)
from colorbatch.ffmpeg.looks import Look, looked_at, rate_of
from colorbatch.ffmpeg.opening import (
    dumped,
    film_stream,
    opened,
    packets_of,
    programs_of,
)
from colorbatch.ffmpeg.pixel_formats import pixel_format
from colorbatch.ffmpeg.side_data import light_of, mastering_of
from colorbatch.ffmpeg.timeline import may_jump

CRC_PACKETS = 16
NEAR_END = 2
"""So many seconds before its end the sound of a file is looked at, for whether it is there."""


def probe(path: Path) -> Film:
    """What the file holds. Raises SourceError, one line, for a file that is missing, empty, no
    film, cut off before its index, encrypted, without pictures, or of pixels without integer codes
    of at most 16 bits."""
    with opened(path) as container:
        stream = film_stream(container, path)
        crcs = _first_packets(path, stream)
        texts = dumped(container)
        streams = tuple(
            _stream_info(path, each, texts.get(each.index, [""]), container.chapters())
            for each in container.streams
        )
        ticks = container.duration
        duration = Fraction(ticks, av.time_base) if ticks and ticks > 0 else None
        metadata = _clean(container.metadata)
        timecode = next(
            (each["timecode"] for each in _timecodes(stream, container) if "timecode" in each), ""
        )
        chapters = tuple(
            Chapter(
                item["id"],
                item["start"],
                item["end"],
                item["time_base"] or Fraction(1, 1000),
                _clean(item["metadata"]),
            )
            for item in container.chapters()
        )
        video = _video_info(stream, path, texts[stream.index][0], duration, timecode, crcs)
        name = container.format.name
        family = _family(name, metadata, path)
        programs = programs_of(container) if may_jump(container) else ()
        return Film(
            path,
            name,
            family,
            metadata,
            streams,
            chapters,
            video,
            duration,
            programs=programs,
        )


def sound_of(path: Path) -> Sound:
    """The sound of a file: all its audio streams. Raises SourceError where it cannot be read, or
    has none. It is as long as what is there, whatever a file that was cut off states."""
    with opened(path) as container:
        texts = dumped(container)
        streams = tuple(
            _stream_info(path, each, texts.get(each.index, [""]), ())
            for each in container.streams.audio
        )
        if not streams:
            raise SourceError(f"{path}: has no sound")
        if next(packets_of(container, *container.streams.audio), None) is None:
            raise SourceError(f"{path}: has no sound: the file is cut off before its data")
        own = [each.duration * each.time_base for each in streams if each.duration]
        ticks = container.duration
        whole = Fraction(ticks, av.time_base) if ticks and ticks > 0 else None
    stated = max(own) if len(own) == len(streams) else whole
    there = _last_heard(path, stated)
    known = [each for each in (stated, there) if each is not None]
    return Sound(path, streams, min(known, default=None))


def _last_heard(path: Path, stated: Fraction | None) -> Fraction | None:
    """When the last packet of a file's sound ends, read from near its stated end on, in seconds;
    None where the file cannot be read from there."""
    with opened(path) as container:
        begin = container.start_time or 0
        with contextlib.suppress(av.FFmpegError):  # what cannot seek is read from its begin
            container.seek(begin + max(0, int(((stated or 0) - NEAR_END) * av.time_base)))
        end = None
        try:
            for packet in packets_of(container, *container.streams.audio):
                if packet.pts is not None:
                    last = (packet.pts + (packet.duration or 0)) * packet.time_base
                    end = last if end is None else max(end, last)
        except av.FFmpegError:  # damaged near its end: as far as it goes
            return end
    return end


def _family(name: str, metadata: Mapping[str, str], path: Path) -> str:
    """The container as one that `join` writes, or "". QuickTime and MP4 have one demuxer."""
    if name.startswith("matroska"):
        return "mkv"
    if "mp4" in name.split(","):
        brand = metadata.get("major_brand", "").strip()
        return "mov" if brand == "qt" or (not brand and path.suffix.lower() == ".mov") else "mp4"
    return ""


def _first_packets(path: Path, stream: VideoStream) -> bool:
    """Whether its packets carry check sums. Raises SourceError if it is encrypted."""
    intact = codec_named(stream.codec_context.codec.canonical_name).intact
    with opened(path) as container:
        packets = packets_of(container, container.streams[stream.index])
        for packet in itertools.islice(packets, CRC_PACKETS if intact else 1):
            if packet.has_sidedata("encryption_info"):
                raise SourceError(f"{path}: is encrypted")
            if intact is not None and intact(bytes(packet)):
                return True
    return False


def _clean(metadata: Mapping[str, str]) -> dict[str, str]:
    """Tags for showing: what is no UTF-8 becomes a question mark."""
    return {
        key: value.encode("utf-8", "replace").decode("utf-8") for key, value in metadata.items()
    }


def _timecodes(stream: VideoStream, container: InputContainer) -> list[Mapping[str, str]]:
    """Where a time code may stand, the most particular place first."""
    data = [each.metadata for each in container.streams.data]
    lowered = [{k.lower(): v for k, v in m.items()} for m in (stream.metadata, *data)]
    return [*lowered, {key.lower(): value for key, value in container.metadata.items()}]


def _stream_info(
    path: Path, stream: Stream, lines: list[str], chapters: Sequence[Any]
) -> StreamInfo:
    """One stream's record; lines are libav's description of it."""
    _, _, rest = lines[0].partition(": ")
    word = re.match(r"[^\s,()]+", rest)
    tag = re.search(r"\((\S{4}) / 0x[0-9A-F]+\)", lines[0])
    context = stream.codec_context
    codec = context.codec.canonical_name if context else (word[0] if word else "unknown")
    tag_name = tag[1] if tag else ""
    generated = (stream.type == "data" and tag_name == "tmcd") or _is_chapters(
        path, stream, chapters
    )
    side = itertools.dropwhile(lambda line: "Side data:" not in line, lines[1:])
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec,
        tag=tag_name,
        profile=str(stream.profile or ""),
        time_base=stream.time_base or Fraction(1, av.time_base),
        start=stream.start_time,
        duration=stream.duration,
        frames=stream.frames,
        language=stream.metadata.get("language", ""),
        disposition=tuple(flag.name or "" for flag in Disposition if flag & stream.disposition),
        metadata=_clean(stream.metadata),
        side_data=tuple(line.strip() for line in itertools.islice(side, 1, None)),
        generated=generated,
    )


def _is_chapters(path: Path, stream: Stream, chapters: Sequence[Any]) -> bool:
    """Whether a stream is QuickTime's track of chapter titles, which libav tells as chapters.

    It sets such a stream aside, but not if the reference to it is missing, as in films with a time
    code and no sound that libav itself has written; there the titles give it away.
    """
    if not chapters or stream.type not in ("data", "subtitle"):
        return False
    if stream.type == "data":
        return stream.discard == Discard.all
    if stream.name != "mov_text" or stream.frames not in (len(chapters), len(chapters) + 1):
        return False
    with opened(path) as container:
        own = container.streams[stream.index]
        for other in container.streams:
            other.discard = Discard.default if other.index == own.index else Discard.all
        # two bytes of length, the text, and how to show it
        bodies = [bytes(packet) for packet in packets_of(container, own)]
    texts = [body[2 : 2 + int.from_bytes(body[:2], "big")] for body in bodies]
    titles = [chapter["metadata"].get("title", "").encode() for chapter in chapters]
    # an empty title fills the time before the first chapter
    return texts in (titles, [b"", *titles])


def _video_info(
    stream: VideoStream,
    path: Path,
    text: str,
    duration: Fraction | None,
    timecode: str,
    slice_crcs: bool,
) -> VideoInfo:
    """The pictures' record; text is libav's description of the stream."""
    context, time_base = stream.codec_context, stream.time_base
    assert time_base is not None
    look = looked_at(stream, path, duration)
    frame = look.first
    rate = rate_of(stream, look)
    own = stream.duration * time_base if stream.duration else _length(stream, duration)
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    order = FIELD_ORDERS[context.field_order] if context.field_order < 6 else "unknown"
    told = bool(look.fields) or codec_named(context.codec.canonical_name).fields_told
    if order == "unknown" and stream.container.format.name == "avi":
        order = avi.field_order(path, stream.index)
    words = re.search(r"\w+\(([^()]*)\), \d+x\d+", text)
    spoken = words[1].split(", ") if words else []
    located = getattr(context, "chroma_sample_location", None)  # PyAV 19 has it
    return VideoInfo(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=str(stream.profile or ""),
        size=(frame.height, frame.width),
        pixels=pixel_format(frame.format.name),
        time_base=time_base,
        start=_start(stream, look, path),
        average_rate=rate,
        real_rate=stream.base_rate or None,
        variable=_variable(stream, rate),
        sample_aspect=stream.sample_aspect_ratio or None,
        rotation=180 if frame.rotation == -180 else frame.rotation,
        matrix=tuple(np.frombuffer(matrix, np.int32).tolist()) if matrix else None,
        field_order=order,
        color=_color(context, frame),
        chroma_location=CHROMA_LOCATIONS[located]
        if located is not None
        else next((word for word in spoken if word in CHROMA_LOCATIONS[1:]), ""),
        timecode=timecode,
        duration=own,
        frames=_frame_count(stream, own, rate),
        slice_crcs=slice_crcs,
        fields=look.fields or ("" if told else OF_ORDER.get(order, "")),
        fields_told=told,
        in_coded_order=look.in_coded_order,
        beside=look.beside,
        mastering=mastering_of(frame),
        light=light_of(frame),
    )


def _color(context: av.VideoCodecContext, frame: VideoFrame) -> Color:
    """The container's tags, or where it has none, those of the picture."""
    full = frame.format.name.startswith("yuvj")
    values = [
        own if own not in (0, UNTAGGED) else given
        for own, given in (
            (context.color_primaries, frame.color_primaries),
            (context.color_trc, frame.color_trc),
        )
    ]
    # matrix 0 is RGB and a value of its own
    matrix = context.colorspace if context.colorspace != UNTAGGED else frame.colorspace
    color_range = 2 if full else context.color_range or frame.color_range
    return Color(color_range, values[0] or UNTAGGED, values[1] or UNTAGGED, matrix)


def _length(stream: VideoStream, whole: Fraction | None) -> Fraction | None:
    """Seconds from the first picture to the end, by a tag or by the container's duration. In
    Matroska and NUT libav counts both from 0, also where the first picture comes later; mkvmerge,
    which signs its statistics, counts the tag from the first picture."""
    tagged = _tagged_duration(stream)
    end = tagged if tagged is not None else whole
    from_zero = stream.container.format.name.startswith(("matroska", "nut"))
    if tagged is not None and any(key.startswith("_STATISTICS") for key in stream.metadata):
        from_zero = False
    if not from_zero or end is None or stream.start_time is None or stream.time_base is None:
        return end
    late = max(0, stream.start_time) * stream.time_base
    return end - late if end > late else end


def _tagged_duration(stream: VideoStream) -> Fraction | None:
    """Matroska keeps a stream's own duration as a tag: HH:MM:SS.nnnnnnnnn; seconds."""
    for key, value in stream.metadata.items():
        found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", value)
        if key.upper().startswith("DURATION") and found:
            return int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])
    return None


def _start(stream: VideoStream, look: Look, path: Path) -> int:
    """The tick of the first picture; without times of its own that at which it is decoded."""
    if look.in_coded_order:
        with opened(path) as container:
            packets = packets_of(container, container.streams[stream.index])
            return next((each.dts for each in packets if each.dts is not None), 0)
    return stream.start_time or 0


def _variable(stream: VideoStream, rate: Fraction | None) -> bool | None:
    """Whether the frames' distances differ: from the file's index if it has every frame. rate:
    `rate_of`."""
    times = [entry.timestamp for entry in stream.index_entries]
    if len(times) > 2 and stream.frames in (len(times), 0) and not _sparse(stream, len(times)):
        steps = {after - before for before, after in itertools.pairwise(times)}
        return max(steps) - min(steps) > 1  # one tick is rounding
    average, real = stream.average_rate, stream.base_rate
    if rate != average:
        return None
    if average and real and abs(average / real - 1) > Fraction(1, 100):
        return True
    return None


def _sparse(stream: VideoStream, entries: int) -> bool:
    """Whether an index holds key frames only, as Matroska's does."""
    return stream.frames == 0 or entries < stream.frames


def _frame_count(
    stream: VideoStream, duration: Fraction | None, rate: Fraction | None
) -> int | None:
    """An estimate: the index's count without what an edit list cuts off, a tag's, or duration times
    rate."""
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        return sum(not entry.is_discard for entry in entries)
    if stream.frames:
        return stream.frames
    for key, value in stream.metadata.items():
        if key.upper().startswith("NUMBER_OF_FRAMES") and value.isdigit():
            return int(value)
    rate = rate or stream.base_rate
    return round(duration * rate) if duration and rate else None
