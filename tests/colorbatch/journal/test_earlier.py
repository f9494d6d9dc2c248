"""Folders that an earlier version began: everything in them is known, and nothing is made again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import colorbatch
from colorbatch import ffmpeg
from colorbatch.clips.film_journal import VERSION
from colorbatch.job import FilmSettings, ImageSettings

EARLIER = Path(__file__).parent / "earlier"
_spec = importlib.util.spec_from_file_location("make_earlier", EARLIER / "make.py")
assert _spec and _spec.loader
earlier = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(earlier)
VERSIONS = sorted(path.name for path in EARLIER.iterdir() if (path / "tiny.onnx").exists())


@pytest.fixture(params=VERSIONS)
def place(request: Any, tmp_path: Path) -> Path:
    """What that version left, with the times that its sources had."""
    place = tmp_path / "place"
    shutil.copytree(EARLIER / request.param, place)
    for folder in ("scans", "films", "reel"):
        for path in (place / folder).rglob("*"):
            os.utime(path, (earlier.WHEN, earlier.WHEN))
    return place


def files_of(folder: Path) -> dict[str, bytes]:
    """Every result, with its bytes and the file that it is."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() + b"%d" % path.stat().st_ino
        for path in folder.rglob("*")
        if path.is_file() and ".colorbatch" not in path.parts
    }


def ends(run: Any) -> dict[str, tuple[str, str]]:
    """Name of each source -> how it ended, and why."""
    return {one.source.name: (one.status, one.reason) for one in run}


@pytest.mark.parametrize(
    ("home", "more"),
    [("stills", {}), ("stills-asked", {"settings": earlier.ASKED, "new_suffix": ".jpg"})],
)
def test_stills_go_on(place: Path, home: str, more: dict[str, Any]) -> None:
    """Finished ones, one that was named and not confirmed, one that was skipped; one is to do."""
    asked = {"model": str(place / "tiny.onnx"), "workers": 1, **more}
    before = files_of(place / home)
    found = ends(colorbatch.color_pictures(place / "scans", place / home, **asked))
    why = "finished" if home == "stills" else "in color"
    assert found.pop("color.png") == ("skipped", why)
    assert found.pop("last.jpg") == ("colored", "")
    assert set(found) == {"grey.png", "deep.tif", "named.png", "toned.png"}
    assert set(found.values()) == {("skipped", "finished")}
    after = files_of(place / home)
    [new] = after.keys() - before.keys()
    assert new == "last.jpg" and before == {name: after[name] for name in before}
    other = {**asked, "settings": ImageSettings(saturation=0.5)}
    again = colorbatch.color_pictures(place / "scans", place / home, dry_run=True, **other)
    assert Counter(reason for _, reason in ends(again).values())["made with other settings"] >= 4


@pytest.mark.parametrize(
    ("home", "name", "settings"),
    [
        ("films-asked", "whole.mkv", earlier.FILM),
        ("films-asked", "half.mkv", earlier.FILM),
        ("films-plain", "plain.mkv", FilmSettings()),
    ],
)
def test_films_go_on(
    place: Path,
    home: str,
    name: str,
    settings: FilmSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A film that is whole is known; one that was begun, and cut elsewhere than now, begins again,
    if what encodes is what it was."""
    asked: dict[str, Any] = {"model": str(place / "tiny.onnx"), "workers": 1, "settings": settings}
    journal = place / home / ".colorbatch" / "films" / name / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    before = files_of(place / home)
    same = lines[0]["library"] == ffmpeg.LIBRARY
    [(status, reason)] = ends(
        colorbatch.color_clips(place / "films" / name, place / home, **asked)
    ).values()
    after = files_of(place / home)
    assert before == {name: after[name] for name in before}
    if name != "half.mkv":
        assert (status, reason, before) == ("skipped", "finished", after)
        return
    if not same:
        assert (status, reason) == ("skipped", "begun with another encoder library")
        return
    assert (status, reason) == ("colored", "") and after.keys() - before.keys() == {
        *(name, f"{name}.shots.csv"),
    }
    added = [json.loads(line) for line in journal.read_text("utf-8").splitlines()][len(lines) :]
    assert [one["name"] for one in added if one["state"] == "segment"]
    assert [one["version"] for one in added if one["state"] == "film"] == [VERSION]
    [line] = [each.message for each in caplog.records if "begun by an earlier" in each.message]
    assert line == "half.mkv: begun by an earlier version, which cut it elsewhere; begun anew"


@pytest.mark.parametrize(
    ("home", "settings"), [("frames", FilmSettings()), ("frames-asked", earlier.FRAMES)]
)
def test_frames_go_on(place: Path, home: str, settings: FilmSettings) -> None:
    """Finished ones and one that was named and not confirmed stay; one is to do."""
    asked: dict[str, Any] = {"model": str(place / "tiny.onnx"), "workers": 1}
    before = files_of(place / home)
    run = colorbatch.color_clips(place / "reel", place / home, settings=settings, **asked)
    [outcome] = run
    assert (outcome.status, outcome.frames) == ("colored", 6)
    assert outcome.source_sha256 and outcome.target_sha256
    after = files_of(place / home)
    assert after.keys() - before.keys() == {"f_005.png", "f.png.shots.csv"}
    assert before == {name: after[name] for name in before}
    [again] = colorbatch.color_clips(place / "reel", place / home, settings=settings, **asked)
    assert (again.status, again.reason) == ("skipped", "finished")
    paler = FilmSettings(saturation=0.1)
    [other] = colorbatch.color_clips(place / "reel", place / home, settings=paler, **asked)
    assert (other.status, other.reason) == ("skipped", "made with other settings")
