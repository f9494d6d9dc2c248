"""What a film becomes, which frames share a batch, and what the network sees of damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_frames, film_plan, shots
from colorbatch.clips.film_plan import FilmPlan, plan_film
from colorbatch.clips.timecodes import timecode_at
from colorbatch.color.ycbcr import Region
from colorbatch.errors import UsageError
from colorbatch.ffmpeg import Frame, Planes, probe
from colorbatch.job import FilmSettings

TICKS = {"time_base": Fraction(1, 24), "rate": Fraction(1), "times": range(0, 24 * 30, 24)}


def frame(pts: int, value: int, corrupt: bool = False) -> Frame:
    planes = Planes(luma=np.full((4, 4), value, np.uint8))
    return Frame(pts, 24, planes, True, corrupt, "")


@pytest.fixture
def plan(make_clip: Callable[..., Path]) -> FilmPlan:
    """Of a film whose ticks are milliseconds."""
    return plan_film(probe(make_clip("s.mkv", **TICKS)), FilmSettings())


def test_a_view_of_a_shot_shows_the_lightness_that_is_seen(make_clip: Callable[..., Path]) -> None:
    """L* of 0 to 255 whatever the depth, the levels and the order of samples; and of the region
    alone."""
    grey = np.linspace(0, 255, 66).round()[None].repeat(50, 0)
    views = []
    for name, scale, low in (
        ("gray", 1, 0),
        ("yuv422p10le", 4 * 219 / 255, 64),
        ("gbrp10le", 1023 / 255, 0),
    ):
        plan = plan_film(probe(make_clip(f"{name}.mkv", "ffv1", name)), FilmSettings())
        codes = np.rint(grey * scale + low).astype(plan.codes.dtype)
        planes = Planes(rgb=(codes,) * 3) if "gbrp" in name else Planes(luma=codes)
        views.append(film_frames.shot_view(planes, plan).astype(int))
        assert views[-1].shape == shots.SEEN
    # CIE 1976 L* of sRGB code 119 is 50.03; BT.1886's display is a little darker there
    middle = int(np.abs(grey[0] - 119).argmin() * 64 / 66)
    assert abs(views[0][10, middle] - 127) <= 4
    assert np.abs(views[0] - views[2]).max() <= 1 and np.abs(views[0] - views[1]).max() <= 6
    part = replace(plan, region=Region(20, 40, 0, 0))
    assert film_frames.shot_view(planes, part).max() < 90


def test_damaged_frames_are_seen_as_the_good_one_before() -> None:
    """Over batches; with none before it a damaged frame is its own. Batches end where the segment
    does, and know where shots begin."""
    frames = [
        frame(1000, 1, corrupt=True),
        frame(2000, 2),
        frame(3000, 3, corrupt=True),
        frame(4000, 4, corrupt=True),
        frame(5000, 5),
        frame(6000, 6),
    ]
    found = list(film_frames.batches(frames, 2, {1000, 4000}, 5000))
    assert [int(seen.luma[0, 0]) for batch in found for seen in batch.seen] == [1, 2, 2, 2, 5, 6]
    assert [batch.begins for batch in found] == [(True, False), (False, True), (False, False)]
    assert [batch.beyond for batch in found] == [False, False, True]
    parts = film_frames.batches(frames, 4, (), 3000)
    assert [len(batch.frames) for batch in parts] == [2, 4]


def test_a_batch_has_one_model() -> None:
    """Which is asked for in order, once for each frame, so that none is opened again."""
    frames = [frame(1000 * at, at) for at in range(6)]
    asked: list[int] = []

    def model(pts: int) -> Any:
        asked.append(pts)
        return ["a", "a", None, None, "b", "b"][pts // 1000]

    found = list(film_frames.batches(frames, 3, (), None, lambda pts: pts == 3000, model))
    assert [len(batch.frames) for batch in found] == [2, 1, 1, 2]
    assert [batch.model for batch in found] == ["a", None, None, "b"]
    assert [batch.passes for batch in found] == [False, False, True, False]
    assert asked == [one.pts for one in frames]


def test_what_a_list_of_shots_depends_on(make_clip: Callable[..., Path]) -> None:
    """The part of the film and of the picture that is looked at, and not what is made of it."""
    film = probe(make_clip("s.mkv", "ffv1", "gray"))
    plain = plan_film(film, FilmSettings()).seen
    same = (FilmSettings(saturation=0.5, codec="libx264"), FilmSettings(on_toned="keep"))
    other = (FilmSettings(start=Fraction(1, 4)), FilmSettings(region=Region(16, 16, 0, 0)))
    assert {plan_film(film, each).seen for each in same} == {plain}
    assert plain not in {plan_film(film, each).seen for each in other}


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
    with ffmpeg.frames(film) as reading:
        planes = next(reading).planes
    ab = np.full((8, 8, 2), 30, np.float32)
    result = film_frames.colored(planes, ab, plan, 1.0)
    assert np.array_equal(result.luma, planes.luma.astype(np.int64) << shift)
    assert result.chroma is not None and result.luma.dtype == result.chroma[0].dtype


def test_depth_is_lost_only_when_allowed(make_clip: Callable[..., Path]) -> None:
    """10 bits into an encoder of 8 are refused; allowed, codes are rounded."""
    film = probe(make_clip("s.mkv", "ffv1", "yuv420p10le"))
    settings = FilmSettings(codec="mpeg4")
    with pytest.raises(UsageError, match="10 bits do not fit into mpeg4's 8"):
        plan_film(film, settings)
    plan = plan_film(film, replace(settings, allow_depth_loss=True))
    with ffmpeg.frames(film) as reading:
        planes = next(reading).planes
    result = film_frames.colored(planes, np.zeros((8, 8, 2), np.float32), plan, 1.0)
    assert np.abs(result.luma.astype(int) * 4 - planes.luma).max() <= 3  # white is clipped


def test_a_grey_film_is_tagged_as_what_its_chroma_means(make_clip: Callable[..., Path]) -> None:
    """Full levels and the matrix that was used, BT.601 at this size."""
    plan = plan_film(probe(make_clip("s.mkv", "ffv1", "gray")), FilmSettings())
    assert (plan.encoding.color.range, plan.encoding.color.matrix) == (2, 6)
    assert (plan.made.levels, plan.made.matrix, plan.made.siting) == ("full", "bt601", "left")
    untagged = plan_film(probe(make_clip("u.mkv", "ffv1", "yuv420p")), FilmSettings())
    assert untagged.encoding.color == untagged.film.video.color


def test_the_digest_holds_where_segments_end(
    make_clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film begun with other borders is begun anew."""
    plan, settings = plan_film(probe(make_clip("s.mkv")), FilmSettings()), FilmSettings()
    digests = [plan.digest(settings)]
    for module, name, value in (
        (film_plan, "LONGEST", 20),
        (shots, "RULE", replace(shots.RULE, share=0.5)),
        (shots, "FLASH", 3),
    ):
        monkeypatch.setattr(module, name, value)
        digests.append(plan.digest(settings))
    assert len(set(digests)) == 4


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


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "size", "matrix"),
    [
        ("mjpeg", "gray", (720, 1280), "bt601"),
        ("mjpeg", "gbrp", (720, 1280), "bt601"),
        ("dnxhd", "gray", (240, 320), "bt709"),
        ("dnxhd", "yuv422p", (240, 320), "bt709"),
        ("ffv1", "gray", (240, 320), "bt601"),
        ("libx264", "gbrp", (240, 320), "bt709"),
        ("ffv1", "gbrp", (240, 320), "rgb"),
    ],
)
def test_chroma_is_made_with_the_matrix_that_the_codec_can_tell(
    make_clip: Callable[..., Path], codec: str, pix_fmt: str, size: tuple[int, int], matrix: str
) -> None:
    """JPEG's decoders know BT.601 only, DNxHR's BT.709; the tags say the same."""
    name = "bgr0" if pix_fmt == "gbrp" else pix_fmt
    film = probe(make_clip("s.mkv", "ffv1", name, size=size, times=(0, 1001)))
    plan = plan_film(film, FilmSettings(codec=codec))
    assert plan.made.matrix == matrix
    if matrix != "rgb":
        assert plan.encoding.color.matrix in (2, {"bt709": 1, "bt601": 6}[matrix])
    if pix_fmt != "yuv422p":
        assert plan.made.levels == "full"


@pytest.mark.parametrize(
    ("start", "span", "count"),
    [
        (0, (None, None), 30),
        (-240, (0, None), 20),  # tick 0 is the eleventh frame
        (-240, (None, 0), 10),
        (240, (480, 600), 5),
    ],
)
def test_how_many_frames_a_part_has(
    make_clip: Callable[..., Path],
    start: int,
    span: tuple[int | None, int | None],
    count: int,
) -> None:
    """30 frames, one a second, whose first tick is `start`, 24 ticks a second."""
    film = probe(make_clip("s.mov", "mjpeg", "yuvj420p", **TICKS))
    assert (film.video.time_base, film.video.frames) == (Fraction(1, 24), 30)
    film = replace(film, video=replace(film.video, start=start, duration=Fraction(30)))
    assert replace(plan_film(film, FilmSettings()), span=span).count == count
