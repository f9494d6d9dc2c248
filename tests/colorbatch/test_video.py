"""What a film becomes, which frames share a batch, and what the network sees of damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch import avio, video
from colorbatch.avio import Frame, Planes, probe
from colorbatch.errors import UsageError
from colorbatch.timecodes import timecode_at
from colorbatch.video import FilmSettings, plan_film
from colorbatch.ycbcr import Region

TICKS = {"time_base": Fraction(1, 24), "rate": Fraction(1), "times": range(0, 24 * 30, 24)}


def frame(pts: int, value: int, corrupt: bool = False) -> Frame:
    planes = Planes(luma=np.full((4, 4), value, np.uint8))
    return Frame(pts, 24, planes, True, corrupt, False)


def test_batches_end_where_segments_do(make_clip: Callable[..., Path]) -> None:
    """Whatever their size, and wherever reading began: ten frames a second apart are a segment."""
    plan = plan_film(probe(make_clip("s.mkv", **TICKS)), FilmSettings())
    ticks = [number * 1000 for number in range(25)]  # Matroska's
    for start in (0, 10, 20):
        frames = [frame(tick, 9) for tick in ticks[start:]]
        made = list(video.batches(frames, plan, 4))
        of = {batch.segment: [] for batch in made}
        for batch in made:
            of[batch.segment].append([each.pts for each in batch.frames])
        for segment, groups in of.items():
            own = [tick for tick in ticks if tick // 10000 == segment]
            assert groups == [own[at : at + 4] for at in range(0, len(own), 4)]


def test_damaged_frames_are_seen_as_the_good_one_before(make_clip: Callable[..., Path]) -> None:
    """Over batches and from before the begin; with none before it a damaged frame is its own."""
    plan = plan_film(probe(make_clip("s.mkv", **TICKS)), FilmSettings())
    frames = [
        frame(1000, 1, corrupt=True),
        frame(2000, 2),
        frame(3000, 3, corrupt=True),
        frame(4000, 4, corrupt=True),
        frame(5000, 5),
    ]

    def values(good: Any) -> list[int]:
        found = video.batches(frames, plan, 2, good)
        return [int(planes.luma[0, 0]) for batch in found for planes in batch.seen]

    assert values(None) == [1, 2, 2, 2, 5]
    assert values((0, frame(0, 77).planes)) == [77, 2, 2, 2, 5]
    assert [batch.good for batch in video.batches(frames, plan, 2)] == [2000, 2000, 5000]


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "made", "shift"),
    [("gray10le", "ffv1", 10, 0), ("yuv420p", "prores_ks", 10, 2), ("gray16le", "ffv1", 16, 0)],
)
def test_luma_is_shifted_at_most(
    make_clip: Callable[..., Path], pix_fmt: str, codec: str, made: int, shift: int
) -> None:
    """Codes of the result are the source's, or those times a power of two."""
    film = probe(make_clip("s.mkv", "ffv1", pix_fmt))
    plan = plan_film(film, FilmSettings(codec=codec))
    assert plan.made.bits == made
    with avio.frames(film) as reading:
        planes = next(reading).planes
    ab = np.full((8, 8, 2), 30, np.float32)
    result = video.colored(planes, ab, plan, 1.0)
    assert np.array_equal(result.luma, planes.luma.astype(np.int64) << shift)
    assert result.chroma is not None and result.luma.dtype == result.chroma[0].dtype


def test_depth_is_lost_only_when_allowed(make_clip: Callable[..., Path]) -> None:
    """10 bits into an encoder of 8 are refused; allowed, codes are rounded."""
    film = probe(make_clip("s.mkv", "ffv1", "yuv420p10le"))
    settings = FilmSettings(codec="mpeg4")
    with pytest.raises(UsageError, match="10 bits do not fit into mpeg4's 8"):
        plan_film(film, settings)
    plan = plan_film(film, replace(settings, allow_depth_loss=True))
    with avio.frames(film) as reading:
        planes = next(reading).planes
    result = video.colored(planes, np.zeros((8, 8, 2), np.float32), plan, 1.0)
    assert np.abs(result.luma.astype(int) * 4 - planes.luma).max() <= 3  # white is clipped


def test_a_grey_film_is_tagged_as_what_its_chroma_means(make_clip: Callable[..., Path]) -> None:
    """Full levels and the matrix that was used, BT.601 at this size."""
    plan = plan_film(probe(make_clip("s.mkv", "ffv1", "gray")), FilmSettings())
    assert (plan.encoding.color.range, plan.encoding.color.matrix) == (2, 6)
    assert (plan.made.levels, plan.made.matrix, plan.made.siting) == ("full", "bt601", "left")
    untagged = plan_film(probe(make_clip("u.mkv", "ffv1", "yuv420p")), FilmSettings())
    assert untagged.encoding.color == untagged.film.video.color


def test_the_digest_holds_what_decides_the_result(make_clip: Callable[..., Path]) -> None:
    """Another look is another film; what to do with films in color, or with losses, is not."""
    film = probe(make_clip("s.mkv", "ffv1", "yuv420p"))

    def digest(**values: Any) -> str:
        settings = FilmSettings(**values)
        return plan_film(film, settings).digest(settings)

    same = [digest(), digest(on_color="colorize"), digest(allow_depth_loss=True)]
    others = [
        digest(saturation=0.5),
        digest(codec="libx264"),
        digest(options=(("slices", "9"),)),
        digest(region=Region(16, 16, 0, 0)),
        digest(start=Fraction(1, 4)),
        digest(pix_fmt="yuv444p"),
    ]
    assert len(set(same)) == 1 and len({*same, *others}) == 1 + len(others)


@pytest.mark.parametrize(
    ("text", "rate", "frames", "wanted"),
    [
        ("01:00:00:00", Fraction(24), 24 * 61 + 5, "01:01:01:05"),
        ("23:59:59:24", Fraction(25), 1, "00:00:00:00"),
        # SMPTE ST 12-1: 00 and 01 are left out of each minute but every tenth
        ("00:00:59;29", Fraction(30000, 1001), 1, "00:01:00;02"),
        ("00:09:59;29", Fraction(30000, 1001), 1, "00:10:00;00"),
        ("00:00:00;00", Fraction(30000, 1001), 107892, "01:00:00;00"),
        ("00:00:00;00", Fraction(30000, 1001), 17982, "00:10:00;00"),
        ("00:00:59;59", Fraction(60000, 1001), 1, "00:01:00;04"),
        ("00:01:00;02", Fraction(30000, 1001), 0, "00:01:00;02"),
        ("", Fraction(24), 100, ""),
    ],
)
def test_time_code_is_counted_on(
    make_clip: Callable[..., Path], text: str, rate: Fraction, frames: int, wanted: str
) -> None:
    """By frames, without the numbers that drop-frame time code leaves out."""
    film = probe(make_clip("s.mp4", "libx264", times=range(0, 24, 2)))
    facts = replace(film.video, timecode=text, average_rate=rate, time_base=1 / rate, start=7)
    assert timecode_at(replace(film, video=facts), 7 + frames) == wanted
