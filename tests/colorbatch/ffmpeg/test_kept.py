"""What a result does not hold is named, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from colorbatch.ffmpeg import EncoderSettings, Film, plan, probe
from colorbatch.ffmpeg.kept import missing


def test_the_difference_of_two_records_is_named(
    with_everything: Callable[[Any], list[Any]], make_clip: Callable[..., Path]
) -> None:
    """A film is compared with itself, less one thing after the other."""
    whole = probe(make_clip("s.mkv", more=with_everything))
    encoding = plan(whole).encoding

    def told(less: Film, settings: EncoderSettings = encoding, timecode: str = "") -> str:
        return "; ".join(missing(whole, less, settings, (), timecode))

    assert told(whole) == ""
    video, sound = whole.streams[0], whole.streams[1]
    others = whole.streams[2:]
    assert "tags: COMMENT, REEL, title" in told(replace(whole, metadata={}))
    assert "2 of 2 chapters" in told(replace(whole, chapters=()))
    assert "1 of 2 streams of audio" in told(replace(whole, streams=(video, *others)))
    bare = replace(sound, metadata={}, language="", disposition=(), side_data=())
    assert told(replace(whole, streams=(video, bare, *others))) == (
        "the language of audio (pcm_s16le), ger"
    )
    named = replace(sound, metadata={**sound.metadata, "title": "Ton"}, side_data=("odd: 1",))
    named = replace(named, disposition=("comment",))
    source = replace(whole, streams=(video, named, *others))
    assert missing(source, whole, encoding, (), "") == (
        "tags of audio (pcm_s16le): title",
        "the marks of audio (pcm_s16le): comment",
        "side data of audio (pcm_s16le): odd",
    )
    assert "the time code 01:00:00:00" in told(whole, timecode="01:00:00:00")
    assert "the tag of color matrix" in told(
        whole, replace(encoding, color=replace(encoding.color, matrix=9))
    )
    assert "the field order" in told(whole, replace(encoding, field_order="tb"))
    turned = replace(whole, video=replace(whole.video, rotation=90))
    assert missing(turned, whole, encoding, (), "") == ("the rotation of 90 degrees",)


def test_what_a_broadcast_says_of_itself_is_named(make_clip: Callable[..., Path]) -> None:
    """The names in a transport stream's service description (ETSI EN 300 468, 6.2.33)."""

    def more(container: Any) -> list[Any]:
        container.metadata.update({"service_name": "Sender", "service_provider": "Anstalt"})
        return []

    clip = {"rate": Fraction(24), "time_base": Fraction(1, 24), "times": range(6)}
    film = probe(make_clip("s.ts", "mpeg2video", more=more, **clip))
    result = probe(make_clip("r.mkv", "ffv1"))
    assert missing(film, result, plan(film).encoding, (), "") == (
        "the program's service_name: Sender",
        "the program's service_provider: Anstalt",
    )


def test_streams_that_were_left_out_by_wish_are_told_elsewhere(
    with_everything: Callable[[Any], list[Any]], make_clip: Callable[..., Path]
) -> None:
    """A stream that is dropped is not named twice."""
    whole = probe(make_clip("s.mkv", more=with_everything))
    less = replace(whole, streams=(whole.streams[0], *whole.streams[2:]))
    assert missing(whole, less, plan(whole).encoding, {1}, "") == ()
