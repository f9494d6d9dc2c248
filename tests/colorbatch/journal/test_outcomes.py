"""Journals hold what runs yield: every end of every source, with what made it, failures too."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import colorbatch
from colorbatch import __version__
from colorbatch.job import FilmSettings, ImageSettings, Outcome, outcome_of
from colorbatch.journal.outcomes import outcomes_in

EARLIER = Path(__file__).parent / "earlier"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def values(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Plain values by the source's name, without the time that it took."""
    return {one.source.name: {**one.values(), "seconds": None} for one in outcomes}


@pytest.fixture
def asked(tiny_model: Path) -> dict[str, Any]:
    return {"model": str(tiny_model), "workers": 1, "device": "cpu"}


@pytest.fixture
def scans(grey_photograph: Any, photograph: Any, tmp_path: Path) -> Path:
    """A grey picture, one in color, one in a folder below, and one that is none."""
    folder = tmp_path / "scans"
    (folder / "box").mkdir(parents=True)
    Image.fromarray(grey_photograph("coffee")[:60]).save(folder / "grey.png")
    Image.fromarray(grey_photograph("coffee")[:60]).save(folder / "box" / "deep.tif")
    Image.fromarray(photograph("coffee")[::4, ::4]).save(folder / "color.png")
    (folder / "broken.png").write_bytes(b"no picture, but as long as one")
    return folder


def test_a_journal_tells_of_pictures_as_their_run_did(
    scans: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    """Class, end, reason, settings in clear, model, device and both hashes, field by field."""
    run = colorbatch.color_pictures(
        scans, tmp_path / "out", settings=ImageSettings(saturation=0.8), **asked
    )
    outcomes = list(run)
    assert all(outcome.seconds > 0 for outcome in outcomes)
    found = values(outcomes_in(tmp_path / "out"))
    assert found == values(outcomes) and len(found) == 4
    grey, kept, broken = found["grey.png"], found["color.png"], found["broken.png"]
    assert (grey["class"], grey["status"], grey["kind"]) == ("still", "colored", "grey")
    assert grey["source_sha256"] == sha256(scans / "grey.png")
    assert grey["target_sha256"] == sha256(tmp_path / "out" / "grey.png")
    made_by = grey["made_by"]
    assert made_by == run.report.made_by
    assert made_by["settings"]["saturation"] == 0.8 and not made_by["settings"]["upright"]
    assert made_by["model_sha256"] == sha256(Path(asked["model"]))
    assert made_by["program"] == f"colorbatch {__version__}" and made_by["device"] == "cpu"
    assert (kept["status"], kept["target_sha256"]) == ("kept", kept["source_sha256"])
    assert "model" not in kept["made_by"]  # it had no part in it
    assert (broken["status"], broken["target_sha256"]) == ("failed", None)
    assert broken["reason"] and broken["made_by"] == made_by


def test_a_failure_is_told_and_tried_again(
    scans: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    """Each run tries it, also where size and time of the source stay; what it then becomes is the
    last word, and what it failed with is still in the journal."""

    def end() -> tuple[str, str]:
        [outcome] = [
            one
            for one in colorbatch.color_pictures(scans, tmp_path / "out", **asked)
            if one.source.name == "broken.png"
        ]
        [told] = [one for one in outcomes_in(tmp_path / "out") if one.source.name == "broken.png"]
        assert (told.status, told.reason) == (outcome.status, outcome.reason)
        return outcome.status, outcome.reason

    broken, good = scans / "broken.png", (scans / "grey.png").read_bytes()
    when = broken.stat().st_mtime_ns
    broken.write_bytes(good[:100] + b"\0" * (len(good) - 100))
    os.utime(broken, ns=(when, when))
    status, reason = end()
    assert status == "failed" and reason
    assert end() == ("failed", reason)
    broken.write_bytes(good)
    os.utime(broken, ns=(when, when))
    assert end() == ("colored", "")
    journal = tmp_path / "out" / ".colorbatch" / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    assert [one["reason"] for one in lines if one["state"] == "outcome"] == [reason] * 2
    [again] = [
        one
        for one in colorbatch.color_pictures(scans, tmp_path / "out", **asked)
        if one.source.name == "broken.png"
    ]
    assert (again.status, again.reason) == ("skipped", "finished")


def test_what_was_finished_before_is_told_with_what_it_was_made(
    scans: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    """A later run, with other settings, says how the results came to be that it leaves alone."""
    first = values(colorbatch.color_pictures(scans, tmp_path / "out", **asked))
    other = ImageSettings(saturation=0.3)
    second = values(colorbatch.color_pictures(scans, tmp_path / "out", settings=other, **asked))
    assert second["grey.png"]["outdated"]
    for name in ("grey.png", "color.png", "deep.tif"):
        for field in ("made_by", "source_sha256", "target_sha256"):
            assert second[name][field] == first[name][field] is not None


def test_a_run_is_told_of_once_before_its_first_result(
    scans: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    """And not where it makes nothing."""

    def states() -> list[str]:
        journal = tmp_path / "out" / ".colorbatch" / "journal.jsonl"
        return [json.loads(line)["state"] for line in journal.read_text("utf-8").splitlines()]

    (scans / "broken.png").unlink()
    list(colorbatch.color_pictures(scans, tmp_path / "out", **asked))
    assert states()[:3] == ["journal", "run", "named"] and states().count("run") == 1
    list(colorbatch.color_pictures(scans, tmp_path / "out", **asked))
    assert states().count("run") == 1
    paler = ImageSettings(saturation=0.3)
    again = {"settings": paler, "redo": "outdated", **asked}
    list(colorbatch.color_pictures(scans, tmp_path / "out", **again))
    assert states().count("run") == 2


def test_a_journal_tells_of_films(
    make_clip: Callable[..., Path], asked: dict[str, Any], tmp_path: Path
) -> None:
    """One that was made, and one that is no film, which a later run tries again."""
    folder = tmp_path / "reels"
    folder.mkdir()
    shutil.move(make_clip("good.mkv"), folder / "good.mkv")
    (folder / "bad.mkv").write_bytes(b"no film")
    settings = FilmSettings(saturation=0.9, on_color="colorize")
    run = colorbatch.color_clips(folder, tmp_path / "out", settings=settings, **asked)
    outcomes = values(run)
    found = values(outcomes_in(tmp_path / "out"))
    assert found["good.mkv"] == outcomes["good.mkv"]
    good, bad = found["good.mkv"], found["bad.mkv"]
    assert (good["class"], good["status"], good["frames"]) == ("film", "colored", 12)
    assert good["made_by"] == run.report.made_by
    assert good["made_by"]["settings"]["saturation"] == 0.9
    assert good["source_sha256"] == sha256(folder / "good.mkv")
    assert good["target_sha256"] == sha256(tmp_path / "out" / "good.mkv")
    assert (bad["status"], bad["reason"]) == ("failed", outcomes["bad.mkv"]["reason"])
    list(colorbatch.color_clips(folder / "bad.mkv", tmp_path / "none", **asked))
    assert not (tmp_path / "none").exists()  # nothing is made for a failure's sake
    shutil.copy(folder / "good.mkv", folder / "bad.mkv")
    again = values(colorbatch.color_clips(folder, tmp_path / "out", settings=settings, **asked))
    assert again["bad.mkv"]["status"] == "colored"
    assert (again["good.mkv"]["status"], again["good.mkv"]["reason"]) == ("skipped", "finished")
    for name in ("made_by", "source_sha256", "target_sha256"):
        assert again["good.mkv"][name] == good[name]
    assert values(outcomes_in(tmp_path / "out"))["bad.mkv"]["status"] == "colored"


def test_a_journal_tells_of_frames(asked: dict[str, Any], tmp_path: Path) -> None:
    """The whole sequence, each frame that was made and the one that was not; it is tried again."""
    reel, out = tmp_path / "reel", tmp_path / "out"
    reel.mkdir()
    for number in range(4):
        codes = np.add.outer(np.arange(30) * 4, np.arange(40) * 3) + number
        Image.fromarray(codes.astype(np.uint8)).save(reel / f"f_{number}.png")
    whole = (reel / "f_2.png").read_bytes()
    (reel / "f_2.png").write_bytes(whole[:50])
    [outcome] = colorbatch.color_clips(reel, out, **asked)
    assert outcome.status == "failed"
    told = {one.target.name: one for one in outcomes_in(out)}
    assert {name: (one.what, one.status) for name, one in told.items()} == {
        **{f"f_{number}.png": ("frame", "colored") for number in (0, 1, 3)},
        "f_2.png": ("frame", "failed"),
        outcome.target.name: ("frames", "failed"),
    }
    assert values([told[outcome.target.name]]) == values([outcome])
    assert told["f_2.png"].reason == outcome.values()["failed_frames"][0]["reason"]  # type: ignore[index]
    assert told["f_0.png"].source_sha256 == sha256(reel / "f_0.png")
    assert told["f_0.png"].target_sha256 == sha256(out / "f_0.png")
    assert told["f_0.png"].made_by == told["f_2.png"].made_by == outcome.made_by
    (reel / "f_2.png").write_bytes(whole)
    [again] = colorbatch.color_clips(reel, out, **asked)
    assert (again.status, again.values()["frames"]) == ("colored", 4)
    assert {one.status for one in outcomes_in(out)} == {"colored"}


def test_a_journal_tells_which_model_colored_a_frame(
    asked: dict[str, Any], make_model: Callable[..., Path], tmp_path: Path
) -> None:
    """Where shots have models of their own: the sequence with all of them, each frame with its
    own, and with all else that its run was made with."""
    reel, out = tmp_path / "reel", tmp_path / "out"
    reel.mkdir()
    for number in range(4):
        codes = np.add.outer(np.arange(30) * 4, np.arange(40) * 3) + number
        Image.fromarray(codes.astype(np.uint8)).save(reel / f"f_{number}.png")
    other = make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    edited = tmp_path / "edited.csv"
    edited.write_text("start,end,action,model\n0,1,color,other.onnx\n2,2,color,\n")
    run = colorbatch.color_clips(reel, out, shots=edited, **asked)
    [outcome] = run
    own = run.report.made_by
    told = {one.target.name: one for one in outcomes_in(out)}
    assert values([told[outcome.target.name]]) == values([outcome])
    assert [one["shots"] for one in outcome.made_by["models"]] == [2, 1]  # type: ignore[index, attr-defined]
    sepia = {**own, "model": "other", "model_sha256": sha256(other)}
    assert [told[f"f_{number}.png"].made_by for number in range(4)] == [sepia, sepia, own, own]


@pytest.mark.parametrize("home", ["stills", "stills-asked", "films-asked", "films-plain", "frames"])
def test_journals_of_before_are_told_as_far_as_they_go(home: str, tmp_path: Path) -> None:
    """Ends and hashes; with what, they do not say."""
    shutil.copytree(EARLIER / "0.1.0-62147da" / home, tmp_path / home)
    told = {one.target.name: one for one in outcomes_in(tmp_path / home)}
    made = {
        path.name: path
        for path in (tmp_path / home).rglob("*")
        if path.is_file() and ".colorbatch" not in path.parts
    }
    assert made.keys() <= told.keys()
    for name, path in made.items():
        assert told[name].status in ("colored", "kept")
        assert told[name].target_sha256 == sha256(path) and not told[name].made_by
    assert {one.status for name, one in told.items() if name not in made} <= {"skipped"}


def test_an_outcome_is_the_same_through_its_plain_values() -> None:
    """And other values are none."""
    outcome = Outcome(Path("a"), Path("b"), "failed", "why", "grey", ("one", "two"), seconds=1.5)
    assert outcome_of(json.loads(outcome.to_json())) == outcome
    for values in ({}, {"class": "other"}, {"class": "still", "source": "a"}):
        with pytest.raises((KeyError, TypeError)):
            outcome_of(values)
