"""A look at a film before the work: stills as its shots will be, and their list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from colorbatch import ffmpeg
from colorbatch.clips import (
    film_clip,
    film_journal,
    film_plan,
    film_preview,
    resume,
    sampling,
    shot_sheet,
)
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_looks import ShotModel
from colorbatch.clips.shot_sheet import Sheet, ShotRow
from colorbatch.color import Codes
from colorbatch.color.ycbcr import Region
from colorbatch.errors import StoppedError, UsageError
from colorbatch.job import FilmSettings, Job
from colorbatch.journal.records import NOT_OURS
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine

COUNT = 12
"""Stills of the mixed film, at 2, 6, 10 and so on: of each of its shots at least one."""


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    return Maker(Engine(tiny_model, "cpu", batch_size=4), "model", FilmSettings(stability=0))


@pytest.fixture
def one(mixed_film: Path, maker: Maker) -> FilmJob:
    return job(mixed_film, maker)


def job(film: Path, maker: Maker) -> FilmJob:
    plan = film_plan.plan_film(ffmpeg.probe(film), maker.settings)
    return FilmJob(Job(film, film.parent / "out" / "r.mkv", named=True), plan, "grey")


def stills(one: FilmJob) -> dict[int, tuple[Codes, Codes]]:
    """Of each second before and after, sRGB codes."""
    found = {}
    for path in one.job.target.parent.glob("*-before.png"):
        seconds = int(path.name.removeprefix("r.mkv-").partition(".")[0])
        pair = path, path.with_name(path.name.replace("before", "after"))
        before, after = (np.asarray(cv2.imread(str(each)), np.uint8) for each in pair)
        found[seconds] = before, after
    return found


def is_neutral(picture: Codes) -> bool:
    return bool(np.ptp(picture.astype(int), axis=2).max() <= 1)


def passes(maker: Maker) -> tuple[Maker, list[str]]:
    """Who makes, and the stages that it tells of."""
    told: list[str] = []

    def stage(what: str, total: int | None, unit: Any) -> Callable[[int], None]:
        told.append(what)
        return lambda more: None

    return replace(maker, stage=stage), told


def test_stills_are_as_their_shots_will_be(one: FilmJob, maker: Maker) -> None:
    """As the frames of the film, which is not steadied here; the list is the one that the run
    writes, under another name, and the run does not look for shots again."""
    shown = film_preview.write(one, maker, COUNT)
    assert len(shown.stills) == 2 * COUNT and not one.job.target.exists()
    found = stills(one)
    assert np.array_equal(*found[10]) and not is_neutral(found[10][1])  # in color
    assert is_neutral(found[26][1])  # a title
    assert not is_neutral(found[2][1]) and not is_neutral(found[46][1])
    run, told = passes(maker)
    film_clip.color_film(one, run)
    assert "shots are found" not in told
    listed = shot_sheet.path_beside(one.job.target)
    assert shown.shot_list == listed.with_name("r.mkv-preview.shots.csv")
    assert shown.shot_list.read_bytes() == listed.read_bytes()
    with ffmpeg.frames(ffmpeg.probe(one.job.target)) as reading:
        made = {frame.pts: frame.planes for frame in reading}
    size, base = one.plan.film.video.size, ffmpeg.probe(one.job.target).video.time_base
    for second, (_, after) in found.items():
        planes = made[round(second / base)]
        srgb = sampling.srgb(planes, one.plan.made, size)
        assert np.array_equal(after[..., ::-1], srgb)


def test_what_a_list_says_is_shown(
    one: FilmJob, maker: Maker, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    """At once, with its shots; an edited list stays, and one that does not fit is one line."""
    model = make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    film_preview.write(one, maker, COUNT)
    before, path = stills(one), one.job.target.with_name("r.mkv-preview.shots.csv")
    path.write_bytes(edited := path.read_bytes().replace(b"color,1,", b"color,0,", 1))
    rows = (
        ShotRow(2, 0, 7, "color", 0.0),
        ShotRow(3, 8, 15, "color", model=ShotModel(model, sha256(model))),
        ShotRow(4, 16, 23, "keep"),
    )
    asked = replace(one, sheet=Sheet(path, rows))
    again, told = passes(maker)
    assert film_preview.write(asked, again, COUNT).shot_list == path
    assert not told and path.read_bytes() == edited
    after = stills(one)
    assert is_neutral(after[2][1]) and np.array_equal(*after[18])
    assert not np.array_equal(after[10][1], after[10][0])
    red, blue = (float(after[10][1][..., at].mean()) for at in (2, 0))
    assert red > blue + 5  # sepia, as that model makes all
    assert np.array_equal(after[46][1], before[46][1])
    film_preview.write(one, maker, 1)
    assert path.read_bytes() == edited and path.with_name("r.mkv-preview.shots-2.csv").exists()
    with pytest.raises(UsageError, match="row 2, column end: the film's last frame is 47"):
        film_preview.write(replace(one, sheet=Sheet(path, (ShotRow(2, 0, 48),))), maker, 1)


def test_a_still_is_made_again_where_its_shot_is_another(tmp_path: Path, maker: Maker) -> None:
    """Frame 6 of a shot in color is grey: by itself it would be colored."""
    rng = np.random.default_rng(1)
    patches = rng.integers(30, 220, (6, 8, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    grey = np.dstack([cv2.cvtColor(patches, cv2.COLOR_RGB2GRAY)] * 3)
    path = tmp_path / "s.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(1), options={"g": "1"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv444p"
        for number in range(12):
            seen = np.asarray(grey if number == 6 else patches, np.uint8)
            frame = av.VideoFrame.from_ndarray(seen, "rgb24")
            file.mux(stream.encode(frame.reformat(format="yuv444p")))
        file.mux(stream.encode(None))
    one, said = job(path, maker), list[str]()
    one = replace(one, job=replace(one.job, named=False))  # a named one in color is colored
    film_preview.write(one, replace(maker, say=said.append), 12)
    pairs = stills(one)
    assert sorted(pairs) == list(range(12)) and is_neutral(pairs[6][0])
    assert all(np.array_equal(*pair) for pair in pairs.values())
    [line] = said
    assert "24 stills are written; now its shots are found" in line


def test_another_look_and_the_run_after_it_have_the_list(one: FilmJob, maker: Maker) -> None:
    """Whatever else is asked for, as long as the same part of the same pictures is; also a film
    that is made again with other settings."""
    film_preview.write(one, maker, 1)
    other = replace(maker, settings=replace(maker.settings, saturation=0.5, on_toned="keep"))
    again, told = passes(other)
    film_preview.write(one, again, 1)
    film_clip.color_film(one, again)
    film_clip.color_film(one, replace(again, settings=maker.settings))
    assert "shots are found" not in told
    settings = replace(maker.settings, region=Region(64, 96, 32, 0))
    plan = film_plan.plan_film(one.plan.film, settings)
    film_preview.write(replace(one, plan=plan), replace(again, settings=settings), 1)
    assert told.count("shots are found") == 1


def test_a_pass_that_was_ended_goes_on(one: FilmJob, maker: Maker) -> None:
    """The stills are there by then; the run goes on from the last cut."""
    folder = film_journal.folder_of(one.job)
    stop = replace(maker, stop=lambda: len(film_journal.read(folder).marks) >= 3)
    with pytest.raises(StoppedError):
        film_preview.write(one, stop, 2)
    assert len(stills(one)) == 2
    marks = film_journal.read(folder).marks
    film_clip.color_film(one, maker)
    account = film_journal.read(folder)
    assert account.marks[:3] == marks[:3] and account.owners == account.owners[:1]


def test_nothing_is_touched_of_what_is_there(one: FilmJob, maker: Maker) -> None:
    """A film that is under way keeps its segments, and a stranger's film of that name stays one."""
    folder = film_journal.folder_of(one.job)
    begun = replace(maker, stop=lambda: len(film_journal.read(folder).parts) >= 2)
    with pytest.raises(StoppedError):
        film_clip.color_film(one, begun)
    parts = film_journal.read(folder).parts
    other = replace(maker, settings=replace(maker.settings, saturation=0.5))
    assert film_preview.write(one, other, 1).shot_list is not None
    assert film_journal.read(folder).parts == parts
    theirs = replace(one, job=replace(one.job, target=one.job.target.with_name("theirs.mkv")))
    theirs.job.target.write_bytes(b"a film")
    assert film_preview.write(theirs, maker, 1).shot_list is not None
    assert resume.verdict(theirs, maker.settings, lambda: "model")[0] == NOT_OURS
    lines = (film_journal.folder_of(theirs.job) / "journal.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["sheet"]


def test_another_run_at_work_is_left_alone(one: FilmJob, maker: Maker) -> None:
    """Nothing is recorded; beside a list that was edited, and is given, there is no other."""
    folder = film_journal.folder_of(one.job)
    with film_journal.FilmBook(folder, one.job.target):
        shown = film_preview.write(one, maker, 1)
        path = one.job.target.with_name("r.mkv-preview.shots.csv")
        assert shown.shot_list == path
        path.write_bytes(edited := path.read_bytes().replace(b"color,1,", b"color,0,", 1))
        rows = (ShotRow(2, 0, 7, "color", 0.0), ShotRow(3, 8, 15), ShotRow(4, 16, 23, "keep"))
        shown = film_preview.write(replace(one, sheet=Sheet(path, rows)), maker, 1)
        assert shown.shot_list == path and path.read_bytes() == edited
        assert list(path.parent.glob("*.csv")) == [path]
    assert not (folder / "journal.jsonl").exists()
