"""What a container can hold, found by asking libav's muxer for each stream, before any work.

A trial writes a header into memory: the muxer's own answer, not a table that ages.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from av.video.stream import VideoStream

from colorbatch.ffmpeg.codecs import encoder_named, formats_of, quieten
from colorbatch.ffmpeg.film_facts import MUXERS, Film, StreamInfo
from colorbatch.ffmpeg.opening import dumped, opened, packets_of

MILLISECOND = Fraction(1, 1000)
EARLY = 2000
"""So many packets of the source are looked at for the first one of each stream."""

MOV_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER")
"""Tags that the muxer writes for itself."""

QUICKTIME_LANGUAGES = {"deu": "ger", "fre": "fra", "nld": "dut", "zho": "chi", "ell": "gre"}
"""Codes that libav's QuickTime table lacks, and its own for the same language."""

USUAL_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}
"""Matroska and AVI tell how many channels there are; MP4's muxer wants to know which."""

MP4_TAGS = frozenset(
    {
        *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre"),
        *("copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id"),
        *("network", "keywords", "episode_sort", "season_number", "media_type", "hd_video"),
        *("gapless_playback", "compilation", "track", "disc", "creation_time", "location"),
        "timecode",
    }
)
"""Tags that libav's MP4 muxer writes in the usual place (movenc.c, mov_write_ilst_tag)."""

PICTURE_NAMES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


@dataclass(frozen=True)
class Refusal:
    """Something that the container cannot hold. index: the source's stream, None for the result's
    own codec; what: the stream in words; reason: the muxer's or ours."""

    index: int | None
    what: str
    reason: str


CONTAINERS = {f".{name}": name for name in MUXERS} | {".m4v": "mp4"}
"""Suffix of what can be written -> the container that it asks for: "mkv", "mov" or "mp4"."""


def container_of(name: str) -> str:
    """The container that a file name's suffix asks for, or ""."""
    return CONTAINERS.get(f".{name.lower().rpartition('.')[2]}", "")


def tick(container: str, time_base: Fraction) -> Fraction:
    """The finest step, in seconds, in which a container tells the pictures' times: MP4 and MOV keep
    the source's; Matroska, as libav writes it, counts milliseconds."""
    return MILLISECOND if container == "mkv" else Fraction(1, time_base.denominator)


def refused(
    film: Film, container: str, codec: str, tags: Mapping[str, str] | None = None
) -> tuple[Refusal, ...]:
    """Everything of the film that the container ("mkv", "mov", "mp4") cannot hold: streams to copy,
    and the result's own codec (an encoder's name). Empty if all arrives. Raises SourceError where
    the source cannot be opened. tags: those that `join` will be given."""
    found = []
    try:
        _trial(container, lambda output: _add_encoder(output, codec), None)
    except (av.FFmpegError, ValueError) as error:
        found.append(Refusal(None, f"video ({codec})", _words(error)))
    if film.carrier is None:
        return tuple(found)
    with opened(film.carrier) as source:
        first = _first_packets(source, film)
        for info in film.others:
            stream = source.streams[info.index]
            packet = first.get(info.index)
            cover = packet if "attached_pic" in info.disposition else None
            adding = functools.partial(add_copy, stream=stream, info=info, cover=cover)
            try:
                if cover is not None:
                    _check_cover(container, odd_tags({**film.metadata, **(tags or {})}))
                _check_kept(info, _trial(container, adding, None if cover else packet))
            except (av.FFmpegError, ValueError) as error:
                context = stream.codec_context
                silent = isinstance(context, av.AudioCodecContext) and not context.sample_rate
                reason = "it is not told how it is coded" if silent else _words(error)
                found.append(Refusal(info.index, _named(info), reason))
    return tuple(found)


def _named(info: StreamInfo) -> str:
    name = info.metadata.get("filename", "") if info.kind == "attachment" else ""
    return f"{info.kind} ({name or info.codec})"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _trial(
    container: str, add: Callable[[OutputContainer], Stream | None], packet: Packet[Any] | None
) -> bytes:
    """A file of one stream, and one packet if there is one. Raises what the muxer raises."""
    file = io.BytesIO()
    try:
        output = av.open(file, "w", format=MUXERS[container])
        stream = add(output)
        output.start_encoding()
        if packet is not None and stream is not None:
            packet.stream = stream
            packet.dts = packet.dts if packet.dts is not None else packet.pts
            output.mux(packet)
            output.close()
            return file.getvalue()
        return b""
    finally:
        # a closed file keeps PyAV from writing a trailer to a header that failed
        file.close()


def odd_tags(tags: Mapping[str, str]) -> list[str]:
    """The tags that MP4's own list has no place for; a second list takes them, as in QuickTime."""
    return [key for key in tags if key.lower() not in MP4_TAGS and not own_tag(key)]


def _check_cover(container: str, odd: list[str]) -> None:
    """Raises ValueError where a cover picture would be lost without a word."""
    if container == "mov":
        raise ValueError("libav writes no cover pictures into QuickTime")
    if container == "mp4" and odd:
        raise ValueError(f"libav writes either a cover picture or the tags {', '.join(odd)}")


def _check_kept(info: StreamInfo, written: bytes) -> None:
    """Raises ValueError where the muxer took a data stream and wrote something else: libav's MOV
    muxer takes every one that its demuxer gives, and leaves the description out that it does not
    know."""
    if not written or info.kind != "data":
        return
    with av.open(io.BytesIO(written), "r") as back:
        tags = [re.findall(r"\((\S{4}) / 0x", lines[0]) for lines in dumped(back).values()]
    if info.tag and [info.tag] not in tags:
        raise ValueError(f"the description of its {info.tag} data would be lost")


def _add_encoder(output: OutputContainer, codec: str) -> Stream:
    quieten(codec)
    stream = output.add_stream(codec, rate=25)
    assert isinstance(stream, VideoStream)
    row = encoder_named(codec)
    stream.height, stream.width = row.trial_size
    stream.pix_fmt = formats_of(codec)[0].name if formats_of(codec) else "yuv420p"
    stream.codec_context.color_range = 2  # JPEG knows no other
    stream.options = dict(row.trial)
    return stream


def _first_packets(source: InputContainer, film: Film) -> dict[int, Packet[Any]]:
    """The first packet of each stream to copy, as far as they come early in the file."""
    wanted = {info.index for info in film.others if info.kind != "attachment"}
    found: dict[int, Packet[Any]] = {}
    streams = [source.streams[index] for index in sorted(wanted)]
    for packet in itertools.islice(packets_of(source, *streams), EARLY) if streams else ():
        found.setdefault(packet.stream_index, packet)
        if len(found) == len(wanted):
            break
    return found


def cover_packets(source: InputContainer, film: Film) -> dict[int, Packet[Any]]:
    """The one packet of each cover picture, by its stream's index. It moves the source's position:
    to be called with a source opened for it."""
    wanted = {i.index for i in film.others if "attached_pic" in i.disposition}
    found: dict[int, Packet[Any]] = {}
    if not wanted:
        return found
    for packet in packets_of(source, *(source.streams[index] for index in sorted(wanted))):
        found.setdefault(packet.stream_index, packet)
        if len(found) == len(wanted):
            break
    return found


def add_copy(
    output: OutputContainer, stream: Stream, info: StreamInfo, cover: Packet[Any] | None
) -> Stream | None:
    """Add a stream of the source to the result, to be filled packet by packet; None where it is
    complete already, as attachments are. Raises ValueError or libav's errors if it is refused."""
    matroska = output.format.name == "matroska"
    if isinstance(stream, AttachmentStream) or (matroska and cover is not None):
        if not matroska:
            raise ValueError(f"{output.format.name} holds no attachments")
        name, mime = PICTURE_NAMES.get(info.codec, ("attachment", "application/octet-stream"))
        data = bytes(cover) if cover is not None else stream.data  # type: ignore[attr-defined]
        attached = output.add_attachment(
            stream.metadata.get("filename", name), stream.metadata.get("mimetype", mime), data
        )
        attached.metadata.update(stream.metadata)
        return None
    if matroska and stream.type == "data":
        raise ValueError("matroska holds no data streams")
    copy: Stream = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update({key: value for key, value in stream.metadata.items() if not own_tag(key)})
    copy.disposition = Disposition(stream.disposition)
    spoken_for(copy, output)
    context = copy.codec_context
    if isinstance(context, av.AudioCodecContext) and context.layout.name in USUAL_LAYOUTS:
        context.layout = USUAL_LAYOUTS[context.layout.name]
    return copy


def spoken_for(stream: Stream, output: OutputContainer) -> None:
    """Name the stream's language as the container's muxer knows it: QuickTime has a table with one
    of ISO 639-2's two codes for a language, and libav writes none where it finds the other."""
    if output.format.name != "mov" or "language" not in stream.metadata:
        return
    language = stream.metadata["language"]
    stream.metadata["language"] = QUICKTIME_LANGUAGES.get(language, language)


def own_tag(key: str) -> bool:
    """Whether a tag tells what the muxer finds out by itself."""
    return key in MOV_TAGS or key.upper() in ("DURATION", "ALPHA_MODE")
