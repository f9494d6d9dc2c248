"""Segments out of a finished film: the packets that were in, at the ticks that they had."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorbatch import ffmpeg
from colorbatch.errors import SourceError, StoppedError
from colorbatch.ffmpeg import EncoderSettings, Film, Planes, Segment, SegmentWriter

TICKS = [*range(0, 24), *range(24, 90, 3)]
"""Two segments of 24 and 22 frames, the second with longer ones; in 1/24 s, which milliseconds
round."""


@pytest.fixture
def joined(make_clip, tmp_path: Path) -> tuple[Film, EncoderSettings, list[Segment]]:
    """A film, and the segments that it was joined of."""
    base = Fraction(1, 24)
    source = ffmpeg.probe(make_clip("s.mov", "mpeg4", time_base=base, rate=24, times=TICKS))
    settings = ffmpeg.plan(source, codec="libx264", container="mkv").encoding
    settings = replace(settings, options=(*settings.options, ("bf", "2")))
    rng = np.random.default_rng(1)
    height, width = settings.size
    segments = []
    for number, ticks in enumerate((TICKS[:24], TICKS[24:])):
        path = tmp_path / f"{number}.{settings.segment_container}"
        with SegmentWriter(path, settings) as writer:
            for tick in ticks:
                luma = rng.integers(16, 235, (height, width), np.uint8)
                half = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
                writer.write(Planes(luma=luma, chroma=(half, half)), tick, 1 if tick < 24 else 3)
            segments.append(writer.close())
    target = tmp_path / "joined.mkv"
    ffmpeg.join(segments, source, target, settings)
    return ffmpeg.probe(target), settings, segments


def packets(path: Path) -> list[tuple[int | None, bool, bytes]]:
    with av.open(str(path)) as file:
        found = [each for each in file.demux(video=0) if each.size]
        first = min(each.pts or 0 for each in found)
        return [((each.pts or 0) - first, each.is_keyframe, bytes(each)) for each in found]


@pytest.mark.parametrize("wanted", [(0, 1), (1,), (0,)])
def test_segments_are_as_they_were(joined, wanted: tuple[int, ...]) -> None:
    film, settings, segments = joined
    before = {number: packets(segments[number].path) for number in wanted}
    for segment in segments:
        segment.path.unlink()
    ticks = {0: TICKS[:24], 1: TICKS[24:]}
    given = {number: ticks[number] for number in wanted}
    assert tuple(ffmpeg.take_back(film.path, segments, given, settings)) == wanted
    assert [segment.path.exists() for segment in segments] == [n in wanted for n in (0, 1)]
    for number in wanted:
        assert packets(segments[number].path) == before[number]


def test_segments_at_other_ticks_are_passed_over(joined) -> None:
    """Fewer, others, or in other distances: no file is left of them."""
    film, settings, segments = joined
    for segment in segments:
        segment.path.unlink()
    for ticks in (TICKS[24:-1], [each + 1 for each in TICKS[24:]], [24, 25, *TICKS[26:]]):
        assert list(ffmpeg.take_back(film.path, segments, {1: ticks}, settings)) == []
        assert not segments[1].path.exists()
    squeezed = [*range(24, 24 + 21), TICKS[-1]]
    assert list(ffmpeg.take_back(film.path, segments, {1: squeezed}, settings)) == []


def test_a_shorter_film_and_a_stop(joined) -> None:
    film, settings, segments = joined
    more = replace(segments[1], frames=30)
    with pytest.raises(SourceError, match="fewer pictures"):
        list(ffmpeg.take_back(film.path, [segments[0], more], {0: TICKS[:24]}, settings))
    with pytest.raises(StoppedError):
        given = {0: TICKS[:24]}
        list(ffmpeg.take_back(film.path, segments, given, settings, stop=lambda: True))
