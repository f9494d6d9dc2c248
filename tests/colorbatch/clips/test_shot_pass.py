"""What a pass over a film of many kinds finds, and what becomes of its shots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_clip, film_journal, film_plan, shot_list
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.stabiliser import step_of
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg import Planes
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine

STARTS = (0, 8, 16, 24, 28)
KINDS = [("grey", False), ("color", False), ("tinted", False), ("grey", True), ("grey", False)]


@pytest.fixture
def one(mixed_film: Path, tmp_path: Path) -> FilmJob:
    plan = film_plan.plan_film(ffmpeg.probe(mixed_film), FilmSettings())
    return FilmJob(Job(mixed_film, tmp_path / "r.mkv", named=True), plan, "grey")


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    engine = Engine(tiny_model, "cpu", batch_size=4)
    return Maker(engine, "model", FilmSettings(), step=step_of(FilmSettings()))


def asking(maker: Maker, **settings: Any) -> Maker:
    return replace(maker, settings=replace(maker.settings, **settings))


def named(one: FilmJob, name: str, *, named: bool = True) -> FilmJob:
    return replace(one, job=Job(one.job.source, one.job.target.with_name(name), named=named))


def planes(path: Path) -> list[Planes]:
    with ffmpeg.frames(ffmpeg.probe(path)) as reading:
        return [frame.planes for frame in reading]


def what(before: Planes, after: Planes) -> str:
    """What was done with a frame."""
    assert before.chroma and after.chroma and (before.luma == after.luma).all()  # type: ignore[union-attr]
    if all((plane == 128).all() for plane in after.chroma):
        return "grey"
    same = all((a == b).all() for a, b in zip(before.chroma, after.chroma, strict=True))
    return "keep" if same else "color"


def test_shots_are_known_with_their_frames(one: FilmJob, maker: Maker) -> None:
    film_clip.color_film(one, maker)
    shown = film_journal.read(film_journal.folder_of(one.job)).shots
    assert [(each.kind.kind, each.kind.plain) for each in shown] == KINDS
    assert [each.frame for each in shown] == list(STARTS)
    assert [tick for each in shown for tick in each.ticks()] == [
        frame.pts for frame in ffmpeg.frames(one.plan.film)
    ]


@pytest.mark.parametrize(
    ("asked", "actions"),
    [
        ({}, ("color", "keep", "color", "grey", "color")),
        ({"on_toned": "keep"}, ("color", "keep", "keep", "grey", "color")),
        ({"on_color": "colorize"}, ("color", "color", "color", "grey", "color")),
    ],
)
def test_each_shot_gets_what_is_asked_for_its_kind(
    one: FilmJob, maker: Maker, asked: dict[str, Any], actions: tuple[str, ...]
) -> None:
    outcome = film_clip.color_film(one, asking(maker, **asked))
    done = list(map(what, planes(one.job.source), planes(one.job.target)))
    ends = (*STARTS[1:], 48)
    for start, end, action in zip(STARTS, ends, actions, strict=True):
        assert done[start:end] == [action] * (end - start)
    assert sum(n for each in outcome.shots.values() for n in each.values()) == 5


def test_a_film_of_which_nothing_is_to_be_colored_is_left(
    make_clip: Callable[..., Path], tmp_path: Path, maker: Maker
) -> None:
    """All in color: nothing is made of it, unless it was named."""
    source = make_clip("c.mkv", pix_fmt="yuv444p")
    plan = film_plan.plan_film(ffmpeg.probe(source), FilmSettings())
    one = FilmJob(Job(source, tmp_path / "r.mkv"), plan, "color")
    left = film_clip.color_film(one, asking(maker, on_color="keep"))
    assert (left.status, left.reason) == ("skipped", "in color already")
    assert not one.job.target.exists()
    assert film_clip.color_film(named(one, "n.mkv"), maker).status == "colored"


@pytest.mark.parametrize("parts", [1, 3])
def test_kept_shots_are_the_same_after_a_stop_and_in_other_segments(
    one: FilmJob, maker: Maker, monkeypatch: pytest.MonkeyPatch, decoded: Any, parts: int
) -> None:
    film_clip.color_film(one, maker)
    stopped = named(one, "stopped.mkv")
    folder = film_journal.folder_of(stopped.job)
    with pytest.raises(StoppedError):
        stop = replace(maker, stop=lambda: len(film_journal.read(folder).parts) >= parts)
        film_clip.color_film(stopped, stop)
    film_clip.color_film(stopped, maker)
    assert decoded(stopped.job.target) == decoded(one.job.target)
    monkeypatch.setattr(shot_list, "SHORTEST", 1000)
    monkeypatch.setattr(shot_list, "LONGEST", 1000)
    whole = named(one, "whole.mkv")
    film_clip.color_film(whole, maker)
    done = list(map(what, planes(one.job.source), planes(whole.job.target)))
    assert done == list(map(what, planes(one.job.source), planes(one.job.target)))


def test_a_pass_that_was_stopped_tells_the_same(one: FilmJob, maker: Maker) -> None:
    film_clip.color_film(one, maker)
    folder = film_journal.folder_of(one.job)
    again = named(one, "again.mkv")
    place = film_journal.folder_of(again.job)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 22

    with pytest.raises(StoppedError):
        film_clip.color_film(again, replace(maker, stop=stop))
    assert 0 < len(film_journal.read(place).shown) < 5
    film_clip.color_film(again, maker)
    whole, parted = film_journal.read(folder), film_journal.read(place)
    assert (whole.marks, whole.shots) == (parted.marks, parted.shots)


def test_what_an_earlier_version_has_begun_is_begun_anew(one: FilmJob, maker: Maker) -> None:
    """It does not know what its shots show."""
    folder = film_journal.folder_of(one.job)
    with pytest.raises(StoppedError):
        stop = replace(maker, stop=lambda: bool(film_journal.read(folder).parts))
        film_clip.color_film(one, stop)
    path = folder / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    old = [line | ({"version": 2} if line["state"] == "film" else {}) for line in lines]
    old = [line for line in old if line["state"] not in ("shown", "looks")]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in old))
    assert film_clip.color_film(one, maker).status == "colored"
    assert len(film_journal.read(folder).shown) == 5
