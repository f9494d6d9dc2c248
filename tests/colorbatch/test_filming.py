"""Films made without the command line: where a stop is asked for, and what then stands there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from colorbatch import avio, filmbook, filming, video
from colorbatch.contract import sha256
from colorbatch.engine import Engine
from colorbatch.errors import StoppedError
from colorbatch.files import Job
from colorbatch.filming import FilmJob, Maker
from colorbatch.video import FilmSettings


@pytest.fixture
def one(make_clip: Callable[..., Path], tmp_path: Path) -> FilmJob:
    """A film of three segments."""
    source = make_clip("s.mkv", time_base=Fraction(1, 24), rate=1, times=range(0, 24 * 35, 24))
    plan = video.plan_film(avio.probe(source), FilmSettings())
    return FilmJob(Job(source, tmp_path / "r.mkv", named=True), plan, "grey")


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    return Maker(Engine(str(tiny_model), "cpu"), sha256(tiny_model), FilmSettings())


def is_joining(folder: Path) -> bool:
    """Whether all segments are there, and something that is not complete."""
    account = filmbook.read(folder)
    return account.ending is not None and any("-" in path.name for path in folder.iterdir())


def is_hashing(folder: Path) -> bool:
    return (folder / "joined.mkv").exists()


@pytest.mark.parametrize("when", [is_joining, is_hashing])
def test_a_stop_while_segments_are_joined_or_hashed(
    one: FilmJob,
    maker: Maker,
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
    when: Callable[[Path], bool],
) -> None:
    """Nothing half written stays, no name is given, and the next run makes no segment again."""
    folder = filmbook.folder_of(one.job)
    folder.mkdir(parents=True)
    with pytest.raises(StoppedError):
        filming.color_film(one, dataclasses.replace(maker, stop=lambda: when(folder)))
    assert not one.job.target.exists()
    assert not [path for path in folder.iterdir() if "-" in path.name]
    parts = filmbook.read(folder).parts
    assert len(parts) == 3
    assert filming.color_film(one, maker).status == "colored"
    assert len(decoded(one.job.target)) == 35
    assert filmbook.read(folder).parts == parts


@pytest.mark.parametrize(("at", "kept"), [(200, 1), (-20, 1), (None, 0)])
def test_a_damaged_segment_is_made_again(
    one: FilmJob,
    maker: Maker,
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
    at: int | None,
    kept: int,
) -> None:
    """Of the same size, damaged in its pictures or its index: the second segment and what is behind
    it are made once more, and the film is that of a run that nobody disturbed. Segments without a
    SHA-256 are all made again."""
    whole = dataclasses.replace(one, job=Job(one.job.source, tmp_path / "whole.mkv", named=True))
    filming.color_film(whole, maker)
    folder = filmbook.folder_of(one.job)
    folder.mkdir(parents=True)
    with pytest.raises(StoppedError):
        filming.color_film(one, dataclasses.replace(maker, stop=lambda: is_joining(folder)))
    path = folder / "journal.jsonl"
    before = path.read_bytes()
    if at is None:
        lines = map(json.loads, before.splitlines())
        lines = [{name: each[name] for name in each if name != "sha256"} for each in lines]
        path.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
    else:
        segment = filmbook.read(folder).parts[1].segment.path
        data = bytearray(segment.read_bytes())
        data[at] ^= 255
        segment.write_bytes(data)
    made = path.stat().st_size
    assert filming.color_film(one, maker).status == "colored"
    again = [json.loads(each) for each in path.read_bytes()[made:].splitlines()]
    assert sum(each["state"] == "segment" for each in again) == 3 - kept
    assert decoded(one.job.target) == decoded(tmp_path / "whole.mkv")
