"""Shots that have a model of their own."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
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
    numbered_sink,
    resume,
    segment,
    shot_models,
    shot_sheet,
)
from colorbatch.clips.clip import Maker
from colorbatch.clips.render import render
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.segment import SegmentJob
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import Look, ShotModel, Take
from colorbatch.clips.shot_models import ShotModels
from colorbatch.clips.shot_sheet import Own, Sheet, ShotRow
from colorbatch.clips.stabiliser import step_of
from colorbatch.errors import SourceError, StoppedError, UsageError
from colorbatch.formats import memory_need
from colorbatch.job import FilmOutcome, FilmSettings, Job
from colorbatch.model.contract import ModelCard, embedded_models, sha256
from colorbatch.model.engine import Engine
from colorbatch.run.pipeline import Limits
from tests.colorbatch.clips.sequences import (
    bytes_of,
    changed,
    clip_of,
    picture,
    remove,
    sheet_of,
    written,
)

OWN = "own"
SECOND, LAST = (8, 15), (28, 47)
"""A shot that is a segment, and one in parts of two: the film's begin at 0, 8, 16, 24, 39."""


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    engine = Engine(tiny_model, "cpu", batch_size=4)
    settings = FilmSettings(on_color="colorize")
    return Maker(
        engine, OWN, settings, step=step_of(settings), models=ShotModels("cpu", batch_size=4)
    )


@pytest.fixture
def other(make_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A model of another kind: grey to sepia."""
    (tmp_path / "models").mkdir()
    return make_model(tmp_path / "models" / "other.onnx", "gray_rgb", "rgb")


@pytest.fixture
def one(mixed_film: Path, maker: Maker) -> FilmJob:
    return job(mixed_film, maker.settings)


def job(film: Path, settings: FilmSettings, name: str = "r.mkv") -> FilmJob:
    plan = film_plan.plan_film(ffmpeg.probe(film), settings)
    return FilmJob(Job(film, film.with_name(name), named=True), plan, "grey")


def by(one: FilmJob, shot: tuple[int, int], model: Path, name: str = "") -> FilmJob:
    """A film of which a shot is colored by a model."""
    row = ShotRow(2, *shot, "color", model=ShotModel(model, sha256(model)))
    target = one.job.target.with_name(name or one.job.target.name)
    return replace(one, job=replace(one.job, target=target), sheet=Sheet(Path("x.csv"), (row,)))


def made(one: FilmJob, maker: Maker) -> int:
    """Make a film, and tell how many frames of it were colored."""
    counts: list[int] = []

    def stage(what: str, total: int | None, unit: Any) -> Any:
        return (lambda more: None) if what else counts.append

    film_clip.color_film(one, replace(maker, stage=stage))
    return sum(counts)


def verdict(one: FilmJob, maker: Maker) -> str:
    return resume.verdict(one, maker.settings, lambda: OWN)[0]


@pytest.mark.parametrize(("shot", "again"), [(SECOND, 8), (LAST, 24)])
def test_a_shot_is_as_the_film_that_its_model_makes(
    one: FilmJob, maker: Maker, other: Path, decoded: Any, shot: tuple[int, int], again: int
) -> None:
    """And all others are as the run's model makes them; nothing else is made again, neither for
    another model nor for another file of its name."""
    film_clip.color_film(one, maker)
    plain = decoded(one.job.target)
    alone = job(one.job.source, maker.settings, "alone.mkv")
    film_clip.color_film(alone, replace(maker, engine=Engine(other, "cpu", batch_size=4)))
    sepia = decoded(alone.job.target)
    asked = by(one, shot, other)
    assert made(asked, maker) == again
    first, last = shot
    mixed = decoded(one.job.target)
    assert mixed == [*plain[:first], *sepia[first : last + 1], *plain[last + 1 :]]
    assert verdict(asked, maker) == "finished"
    other.write_bytes(other.read_bytes() + b"\x7a\x00")  # a field that is passed over
    asked = by(one, shot, other)
    assert verdict(asked, maker) == "" and made(asked, maker) == again
    assert decoded(one.job.target) == mixed


def test_a_run_that_was_stopped_goes_on(
    one: FilmJob, maker: Maker, other: Path, decoded: Any
) -> None:
    """Between two segments of the shot that another model colors."""
    asked = by(one, LAST, other)
    folder = film_journal.folder_of(one.job)
    stop = replace(maker, stop=lambda: len(film_journal.read(folder).parts) >= 4)
    with pytest.raises(StoppedError):
        film_clip.color_film(asked, stop)
    film_clip.color_film(asked, maker)
    whole = by(one, LAST, other, "whole.mkv")
    film_clip.color_film(whole, maker)
    assert decoded(asked.job.target) == decoded(whole.job.target)


def test_a_model_of_another_size(one: FilmJob, maker: Maker) -> None:
    """An embedded one, which sees 256 x 256 where the run's sees 32 x 32; the list names it."""
    [model] = [each for each in embedded_models() if each.stem == "unet32"]
    assert made(by(one, SECOND, model), maker) == 48
    path = shot_sheet.path_beside(one.job.target)
    cells = [line.split(",") for line in path.read_text("utf-8-sig").splitlines()]
    assert [row[6] for row in cells] == ["model", "tiny", "unet32", "tiny", "tiny", "tiny"]


def test_a_job_with_models_is_a_value(
    one: FilmJob, maker: Maker, other: Path, tmp_path: Path
) -> None:
    """Sent elsewhere, it opens them there, and makes the same file."""
    model = ShotModel(other, sha256(other))
    take = Take(6000, Look(model=model.sha256), model=model)
    span = Span(1, 6000, 22000, "", (6000, 14000), 47000, (take, Take(14000)))
    parts = []
    for name, models in (("here", maker.models), ("there", None)):
        (tmp_path / name).mkdir()
        limits = segment.limits_of(one.plan, 4, 2)
        made_of = SegmentJob(one.plan, span, tmp_path / name, "me", limits)
        sent = pickle.loads(pickle.dumps(made_of))
        parts.append(segment.work(sent, maker.settings, maker.engine, models=models))
    assert parts[0].sha256 == parts[1].sha256


def test_results_tell_which_models_colored_them(one: FilmJob, maker: Maker, other: Path) -> None:
    """The film's tag, the outcome, which the journal holds, and a note; of the shots that are
    colored."""
    outcome = film_clip.color_film(by(one, SECOND, other), maker)
    own, sepia = (
        {"model": name, "model_sha256": digest, "shots": shots}
        for name, digest, shots in (("tiny", OWN, 3), ("other", sha256(other), 1))
    )
    assert outcome.made_by == {"models": [own, sepia]}
    assert "shots were colored by several models: 3 by tiny, 1 by other.onnx" in outcome.notes
    with av.open(str(one.job.target)) as file:
        tag = next(text for key, text in file.metadata.items() if key.lower() == "comment")
    assert "; model tiny" in tag and "; model other" in tag
    plain = film_clip.color_film(job(one.job.source, maker.settings, "p.mkv"), maker)
    assert not plain.made_by and not any("models" in note for note in plain.notes)


def test_what_is_not_colored_needs_no_model(one: FilmJob, maker: Maker, other: Path) -> None:
    """A model in the row of a shot that stays as it is makes nothing again."""
    keep = by(one, SECOND, other)
    assert keep.sheet is not None
    rows = tuple(replace(row, action="keep") for row in keep.sheet.rows)
    keep = replace(keep, sheet=Sheet(Path("x.csv"), rows))
    film_clip.color_film(keep, maker)
    bare = replace(keep, sheet=Sheet(Path("x.csv"), (replace(rows[0], model=None),)))
    assert verdict(bare, maker) == "finished"


def test_no_more_models_are_held_than_segments_are_made(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    """Of those that nobody uses; what is in use is opened once."""
    paths = [make_model(tmp_path / f"{name}.onnx") for name in "abc"]
    for number, path in enumerate(paths):
        path.write_bytes(path.read_bytes() + b"\x7a\x00" * number)
    first, second, third = (ShotModel(path, sha256(path)) for path in paths)
    models = ShotModels("cpu", 4)

    def opened(one: ShotModel) -> weakref.ref[Engine]:
        found = weakref.ref(models(one))
        gc.collect()
        return found

    assert opened(first)() is None
    with models.holding(2):
        used = models(first)
        again, two, three = opened(first), opened(second), opened(third)
        assert again() is used and models(first) is used
        assert two() is None and three() is not None
        del used
        again, three = opened(first), opened(third)
        assert again() is not None and three() is not None
    gc.collect()
    assert again() is None and three() is None


def test_a_file_that_is_no_model_is_refused_with_its_cell(tmp_path: Path, other: Path) -> None:
    """Before any work; one that changes in the midst of it fails its film."""
    (tmp_path / "notes.txt").write_text("no model")
    path = tmp_path / "x.csv"
    path.write_text("start,end,model\n0,5,models/other.onnx\n6,9,notes.txt\n")
    sheet = shot_sheet.read(path, Own())
    with pytest.raises(UsageError, match=r"x\.csv: row 3, column model: .*notes\.txt: not a model"):
        ShotModels("cpu").check([sheet])
    known = sheet.rows[0].model
    assert known is not None
    other.write_bytes(other.read_bytes() + b"\x7a\x00")
    with pytest.raises(SourceError, match="was changed while it was used"):
        ShotModels("cpu")(known)


def test_memory_of_the_largest_is_set_aside(one: FilmJob, other: Path) -> None:
    """So that with less than there is room for, fewer frames are at work, and fewer segments."""
    digest = sha256(other)
    look, model = Look(model=digest), ShotModel(other, digest)
    takes = [Take(0), Take(8, look, model=model), Take(9, Look("keep"), model=model)]
    size = shot_models.bytes_of(takes)
    assert size == shot_models.WORKING_BYTES + 2 * other.stat().st_size
    assert shot_models.bytes_of(takes[::2]) == 0
    memory = memory_need.BASE_BYTES + 2 * size
    asked: Any = (one.plan, 4, 64, memory)
    assert segment.lanes_of(*asked) == 16 and segment.lanes_of(*asked, beside=size) == 1
    without, beside = segment.limits_of(*asked), segment.limits_of(*asked, beside=2 * size)
    assert without.in_flight > beside.in_flight == 2


def test_models_are_counted_with_the_runs_first() -> None:
    one, two = ShotModel(Path("b.onnx"), "2"), ShotModel(Path("a.onnx"), "1")
    takes = [Take(0, model=one), Take(1), Take(2, model=two), Take(3, Look("grey"), model=two)]
    counts = shot_models.counted(takes)
    assert list(counts.items()) == [(None, 1), (one, 1), (two, 1)]
    assert not shot_models.counted(takes[1:2]) and not shot_models.counted(takes[3:])
    values, _ = shot_models.told(
        counts, ModelCard("own"), "0", lambda each: ModelCard(each.path.stem)
    )
    assert [each["model"] for each in values["models"]] == ["own", "b", "a"]  # type: ignore[attr-defined]


# --- frames that stay frames -------------------------------------------------------------------

GREY = range(1040, 1066)
"""The last shot of `mixed_frames`."""
Make = Callable[..., FilmOutcome]


def listed(folder: Path, *models: str, begin: int = GREY[0]) -> Sheet:
    """A list that has a model for each of as many parts of the shot, of equal length."""
    each = len(GREY) // len(models)
    rows = [
        f"{begin + each * at},{begin + each * (at + 1) - 1},{model}"
        for at, model in enumerate(models)
    ]
    return sheet_of(folder, "\n".join(["start,end,model", *rows]))


def another_file(model: Path) -> None:
    """Change a model's bytes, and nothing of what it does."""
    model.write_bytes(model.read_bytes() + b"\x7a\x00")  # a field that is passed over


@pytest.fixture
def models() -> ShotModels:
    return ShotModels("cpu", 4)


def some(folder: Path, numbers: Iterable[int] = GREY) -> dict[str, bytes]:
    return {f"f_{number}.tif": (folder / f"f_{number}.tif").read_bytes() for number in numbers}


def test_frames_of_a_shot_are_as_its_model_makes_them(
    mixed_frames: Path, tmp_path: Path, other: Path, make_frames: Make
) -> None:
    """To the byte, our mark too; no others are made again, neither for another model nor for
    another file of its name, and nothing is with the same list again."""
    out, sepia = tmp_path / "out", tmp_path / "sepia"
    make_frames(clip_of(mixed_frames, out))
    plain, before = bytes_of(out), written(out)
    make_frames(clip_of(mixed_frames, sepia), engine=Engine(other, "cpu", batch_size=4))
    sheet = listed(tmp_path, "models/other.onnx")
    assert make_frames(clip_of(mixed_frames, out, sheet)).status == "colored"
    assert changed(before, out) == list(GREY)
    assert bytes_of(out) == plain | some(sepia)
    assert b"model other" in some(out)["f_1050.tif"]
    assert make_frames(clip_of(mixed_frames, out, sheet)).reason == "finished"
    another_file(other)
    sheet, before = listed(tmp_path, "models/other.onnx"), written(out)
    make_frames(clip_of(mixed_frames, out, sheet))
    assert changed(before, out) == list(GREY)
    assert bytes_of(out) == plain | some(sepia)
    rows = [line.split(",") for line in (out / "f.tif.shots.csv").read_text("utf-8-sig").split()]
    assert [row[6] for row in rows[1:]] == ["tiny"] * 4  # as it was before there was another


def test_without_the_list_its_frames_are_outdated(
    mixed_frames: Path, tmp_path: Path, other: Path, make_frames: Make
) -> None:
    """And -y makes them, and no others; a list whose cell is empty makes them at once."""
    out = tmp_path / "out"
    make_frames(clip_of(mixed_frames, out))
    plain, sheet = bytes_of(out), listed(tmp_path, "models/other.onnx")
    empty = sheet_of(tmp_path, f"start,end,model\n{GREY[0]},{GREY[-1]},\n")
    for again, redo in ((None, "outdated"), (empty, "nothing")):
        make_frames(clip_of(mixed_frames, out, sheet))
        before = written(out)
        outcome = make_frames(clip_of(mixed_frames, out))
        assert (outcome.reason, outcome.outdated) == ("made with other settings", True)
        assert outcome.notes == (
            "0 to do, 39 finished, 26 made with other settings (-y redoes 26)",
        )
        make_frames(clip_of(mixed_frames, out, again), redo=redo)
        assert changed(before, out) == list(GREY) and bytes_of(out) == plain


def test_a_model_of_a_shot_holds_whatever_the_runs_is(
    mixed_frames: Path, tmp_path: Path, other: Path, make_frames: Make
) -> None:
    """With another one for the run its frames are finished, the others made by another model; where
    the list names the run's, it is the same as naming none."""
    out, sheet = tmp_path / "out", listed(tmp_path, "models/other.onnx")
    make_frames(clip_of(mixed_frames, out, sheet))
    before, sepia = written(out), Engine(other, "cpu", batch_size=4)
    own = Own(frozenset(), lambda: sha256(other))
    same = shot_sheet.read(tmp_path / "edited.csv", own)
    assert same.rows[0].model is None
    for given in (sheet, same):
        outcome = make_frames(clip_of(mixed_frames, out, given), engine=sepia)
        [note] = outcome.notes
        assert note == "0 to do, 34 made by another model, 31 finished (-y redoes 34)"
        assert not changed(before, out)
    make_frames(clip_of(mixed_frames, out, same), engine=sepia, redo="outdated")
    assert changed(before, out) == [*range(1001, 1031), *range(1036, 1040)]
    before = written(out)
    make_frames(clip_of(mixed_frames, out, sheet), redo="outdated")
    assert changed(before, out) == [*range(1001, 1031), *range(1036, 1040)]


@pytest.mark.usefixtures("near_borders")
@pytest.mark.parametrize("after", [1, 14, 22])
def test_a_sequence_that_was_stopped_goes_on_to_the_same_bytes(
    one_shot: Path, tmp_path: Path, other: Path, make_frames: Make, after: int
) -> None:
    """In a shot of the run's model, and in one of another; no frame is made twice."""
    sheet = sheet_of(tmp_path, "start,end,model\n10,47,models/other.onnx\n")
    make_frames(clip_of(one_shot, tmp_path / "whole", sheet))
    out = tmp_path / "out"
    stopped = make_frames(clip_of(one_shot, out, sheet), stop=lambda: len(bytes_of(out)) >= after)
    assert stopped.status == "unfinished" and after <= len(bytes_of(out)) < 48
    before = written(out)
    make_frames(clip_of(one_shot, out, sheet))
    assert len(changed(before, out)) == 48 - len(before)
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    by_other = [b"model other" in data for data in bytes_of(out).values()]
    assert by_other == [False] * 10 + [True] * 38


@pytest.mark.usefixtures("near_borders")
def test_steadying_does_not_go_on_from_the_color_of_another_model(
    one_shot: Path, tmp_path: Path, other: Path, make_frames: Make
) -> None:
    """Frames that a killed run with a list has left are made without it as if all of their shot
    were, though its state is there, and has color of the list's model."""
    make_frames(clip_of(one_shot, tmp_path / "plain"))
    out, sheet = tmp_path / "out", sheet_of(tmp_path, "start,end,model\n0,47,models/other.onnx\n")
    make_frames(clip_of(one_shot, out, sheet), stop=lambda: len(bytes_of(out)) >= 20)
    before = written(out)
    assert 20 <= len(before) < 48 and list((out / ".colorbatch").rglob("*.state"))
    make_frames(clip_of(one_shot, out))
    plain, made = bytes_of(tmp_path / "plain"), bytes_of(out)
    assert {name: made[name] for name in plain if name not in before} == {
        name: plain[name] for name in plain if name not in before
    }


def test_frames_of_a_model_of_another_size_and_a_still(
    mixed_frames: Path, tmp_path: Path, make_frames: Make
) -> None:
    """An embedded one, which sees 256 x 256 where the run's sees 32 x 32, named; the still is
    joined with what that model makes of its frame."""
    [model] = [each for each in embedded_models() if each.stem == "unet32"]
    remove(mixed_frames, [*range(1001, 1028), *range(1052, 1066)])
    rgb = np.clip(picture("grey", 4, 10) * np.array([1.2, 0.9, 0.6]), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "s_1050.png"), rgb)
    shot = range(GREY[0], 1052)
    for name, more in (("out", ""), ("steered", "s_1050.png")):
        text = f"start,end,model,reference\n{GREY[0]},1051,unet32,{more}\n"
        given = sheet_of(tmp_path, text)
        make_frames(clip_of(mixed_frames, tmp_path / name, given))
        whole = Engine(model, "cpu")
        bare = replace(given, rows=(replace(given.rows[0], model=None),))
        make_frames(clip_of(mixed_frames, tmp_path / f"{name}-whole", bare), engine=whole)
        assert some(tmp_path / name, shot) == some(tmp_path / f"{name}-whole", shot)
        rows = (tmp_path / name / "f.tif.shots.csv").read_text("utf-8-sig").splitlines()[1:]
        assert [row.split(",")[6] for row in rows] == ["tiny"] * 3 + ["unet32"]
    assert some(tmp_path / "out", shot) != some(tmp_path / "steered", shot)


def test_a_sequence_tells_which_models_colored_it(
    mixed_frames: Path, tmp_path: Path, other: Path, make_frames: Make, tiny_model: Path
) -> None:
    """The outcome, as a film's; of shots that are not colored no model is told."""
    sheet = listed(tmp_path, "models/other.onnx")
    outcome = make_frames(clip_of(mixed_frames, tmp_path / "out", sheet))
    own, sepia = (
        {"model": name, "model_sha256": sha256(path), "shots": 1}
        for name, path in (("tiny", tiny_model), ("other", other))
    )
    assert outcome.made_by == {"models": [own, sepia]}
    assert "shots were colored by several models: 1 by tiny, 1 by other.onnx" in outcome.notes
    grey = sheet_of(tmp_path, f"start,end,action,model\n1040,1065,grey,{other}\n")
    outcome = make_frames(clip_of(mixed_frames, tmp_path / "grey", grey))
    assert not outcome.made_by and not any("models" in note for note in outcome.notes)
    assert b"model tiny" in some(tmp_path / "grey")["f_1050.tif"]


def test_one_model_of_a_sequence_is_open_beside_the_runs(
    mixed_frames: Path,
    tmp_path: Path,
    make_model: Callable[..., Path],
    make_frames: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many shots are at work at the same time; and each is opened once for its shot."""
    for number, name in enumerate("abcd"):
        path = make_model(tmp_path / f"{name}.onnx", "gray_rgb", "rgb")
        path.write_bytes(path.read_bytes() + b"\x7a\x00" * number)
    sheet = listed(tmp_path, *(f"{name}.onnx" for name in "abcd"))
    models, opened = ShotModels("cpu", 4), list[tuple[str, weakref.ref[Engine]]]()
    alive: list[int] = []
    models.check([sheet])
    plain = models._open

    def watched(one: ShotModel) -> Engine:
        gc.collect()
        alive.append(sum(ref() is not None for _, ref in opened))
        engine = plain(one)
        opened.append((one.path.stem, weakref.ref(engine)))
        return engine

    monkeypatch.setattr(models, "_open", watched)
    make_frames(clip_of(mixed_frames, tmp_path / "out", sheet), models=models)
    assert [name for name, _ in opened] == list("abcd") and alive == [0] * 4
    gc.collect()
    assert all(ref() is None for _, ref in opened)


def test_memory_of_the_largest_is_set_aside_of_frames(
    mixed_frames: Path,
    tmp_path: Path,
    other: Path,
    make_frames: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of those shots that have frames to do."""
    limits: list[Limits] = []

    def spied(way: Any, engine: Any, at_most: Limits, *more: Any) -> None:
        limits.append(at_most)
        render(way, engine, at_most, *more)

    monkeypatch.setattr(numbered_sink, "render", spied)
    out, memory = tmp_path / "out", memory_need.BASE_BYTES + (1 << 30)
    asked: dict[str, Any] = {"memory": memory}
    make_frames(clip_of(mixed_frames, out), **asked)
    sheet = listed(tmp_path, "models/other.onnx")
    make_frames(clip_of(mixed_frames, out, sheet), **asked)
    remove(out, [1001])
    make_frames(clip_of(mixed_frames, out, sheet), **asked)
    size = shot_models.WORKING_BYTES + 2 * other.stat().st_size
    assert [each.memory for each in limits] == [1 << 30, (1 << 30) - size, 1 << 30]


def test_a_model_that_goes_away_is_one_line(
    mixed_frames: Path, tmp_path: Path, other: Path, make_frames: Make, models: ShotModels
) -> None:
    """And no frame's failure; what is finished stays, and the same call goes on from there."""
    sheet, out, told = listed(tmp_path, "models/other.onnx"), tmp_path / "out", list[str]()
    models.check([sheet])
    data = other.read_bytes()
    another_file(other)
    with pytest.raises(SourceError, match=r"other\.onnx: was changed while it was used"):
        make_frames(clip_of(mixed_frames, out, sheet), models=models, failed=told.append)
    assert not told and bytes_of(out).keys() == bytes_of(mixed_frames).keys() - some(mixed_frames)
    before = written(out)
    other.write_bytes(data)
    make_frames(clip_of(mixed_frames, out, sheet))
    assert changed(before, out) == list(GREY)
