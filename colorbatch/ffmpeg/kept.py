"""What a source holds and its result does not: the difference of their records, in words.

Nothing is lost without a word because nobody thought of it: both files are read, and whatever the
source's record has and the result's has not is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from colorbatch.errors import SourceError
from colorbatch.ffmpeg.containers import own_tag
from colorbatch.ffmpeg.fields import OF_ORDER
from colorbatch.ffmpeg.film_facts import UNTAGGED, Film, StreamInfo
from colorbatch.ffmpeg.plan import EncoderSettings
from colorbatch.ffmpeg.probe import probe

STATISTICS = ("BPS", "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES", "_STATISTICS")
"""Begins of Matroska's tags about a stream's packets, untrue of pictures encoded anew."""
TOLD_OTHERWISE = frozenset(
    {
        # names of muxers and of their parts, and what has a place of its own in a record
        *("encoder", "encoded_by", "handler_name", "vendor_id", "language", "timecode"),
        *("filename", "mimetype", "stereo_mode", "alpha_mode", "rotate", "variant_bitrate"),
    }
)
"""Tags that are not missed."""


def missing(
    film: Film, result: Film, encoding: EncoderSettings, drop: Collection[int], timecode: str
) -> tuple[str, ...]:
    """What of a film is not in its result, in words. drop: streams that were to be left out, and
    have been told of; timecode: what the result is to begin with."""
    return tuple(
        [
            *_of_streams(film, result, drop),
            *_of_pictures(film, result, encoding, timecode),
            *_of_chapters(film, result),
            *_tags("tags", film.metadata, result.metadata),
            *(f"the program's {each}" for each in film.programs if each not in result.programs),
        ]
    )


def missing_at(
    film: Film, made: Path, encoding: EncoderSettings, drop: Collection[int], timecode: str
) -> tuple[str, ...]:
    """`missing` of a result that is read for it, as notes."""
    try:
        result = probe(made)
    except SourceError as error:
        return (f"whether all is kept is not known: {error}",)
    found = missing(film, result, encoding, drop, timecode)
    return (f"not kept: {', '.join(found)}",) if found else ()


def _of_streams(film: Film, result: Film, drop: Collection[int]) -> Iterator[str]:
    """Streams, and what belongs to each; they are in the source's order, attachments last."""
    for kind in dict.fromkeys(stream.kind for stream in film.others):
        before = [s for s in film.others if s.kind == kind and s.index not in drop]
        after = [s for s in result.others if s.kind == kind]
        if len(after) < len(before):
            yield f"{len(before) - len(after)} of {len(before)} streams of {kind}"
            continue
        for was, now in zip(before, after, strict=False):
            yield from _of_stream(was, now)


def _of_stream(was: StreamInfo, now: StreamInfo) -> Iterator[str]:
    name = f"{was.kind} ({was.codec})"
    yield from _tags(f"tags of {name}", was.metadata, now.metadata)
    if was.language not in ("", "und") and now.language in ("", "und"):
        yield f"the language of {name}, {was.language}"
    yield from _marks(name, was, now)
    if lines := _side_data(was) - _side_data(now):
        yield f"side data of {name}: {', '.join(sorted(lines))}"


def _marks(what: str, was: StreamInfo, now: StreamInfo) -> Iterator[str]:
    """Dispositions that are not there any more, but for "default", which is chosen anew."""
    if flags := [each for each in was.disposition if each not in ("default", *now.disposition)]:
        yield f"the marks of {what}: {', '.join(flags)}"


def _side_data(stream: StreamInfo) -> set[str]:
    """Kinds of side data, as libav words them; the encoder's own buffer is none."""
    return {line.partition(":")[0].strip() for line in stream.side_data} - {"cpb", "CPB properties"}


def _of_pictures(
    film: Film, result: Film, encoding: EncoderSettings, timecode: str
) -> Iterator[str]:
    video = result.video
    if timecode and video.timecode != timecode:
        yield f"the time code {timecode}"
    if video.rotation != film.video.rotation:
        yield f"the rotation of {film.video.rotation} degrees"
    if encoding.sample_aspect and (video.sample_aspect or 1) != encoding.sample_aspect:
        yield f"the shape of samples, {encoding.sample_aspect}"
    for what in ("primaries", "transfer", "matrix"):
        told = getattr(encoding.color, what)
        if told != UNTAGGED and getattr(video.color, what) != told:
            yield f"the tag of color {what}"
    if OF_ORDER.get(encoding.field_order, "") not in ("", video.fields):
        yield "the field order"
    if film.video.index >= 0:
        was, now = film.streams[film.video.index], result.streams[video.index]
        yield from _tags("tags of the pictures", was.metadata, now.metadata)
        yield from _marks("the pictures", was, now)


def _of_chapters(film: Film, result: Film) -> Iterator[str]:
    if len(result.chapters) < len(film.chapters):
        yield f"{len(film.chapters) - len(result.chapters)} of {len(film.chapters)} chapters"
        return
    for was, now in zip(film.chapters, result.chapters, strict=False):
        yield from _tags("tags of chapters", was.metadata, now.metadata)


def _tags(what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """The names of tags that are not there any more; case does not count."""
    there = {key.lower() for key in now} | TOLD_OTHERWISE
    gone = [
        key
        for key, value in was.items()
        if value and key.lower() not in there and not own_tag(key)
        if not key.upper().startswith(STATISTICS)
    ]
    if gone:
        yield f"{what}: {', '.join(sorted(gone))}"
