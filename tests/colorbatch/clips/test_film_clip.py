"""Films made without the command line: where a stop is asked for, and what then stands there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import psutil
import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_clip, film_journal, film_plan, segment
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.errors import StoppedError
from colorbatch.job import FilmSettings, Job
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine
from colorbatch.run.watch import Unit


@pytest.fixture
def one(make_clip: Callable[..., Path], tmp_path: Path) -> FilmJob:
    """A film of three segments."""
    source = make_clip("s.mkv", time_base=Fraction(1, 24), rate=1, times=range(0, 24 * 35, 24))
    plan = film_plan.plan_film(ffmpeg.probe(source), FilmSettings())
    return FilmJob(Job(source, tmp_path / "r.mkv", named=True), plan, "grey")


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    return Maker(Engine(str(tiny_model), "cpu"), sha256(tiny_model), FilmSettings())


def is_joining(folder: Path) -> bool:
    """Whether all segments are there, and something that is not complete."""
    account = film_journal.read(folder)
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
    folder = film_journal.folder_of(one.job)
    folder.mkdir(parents=True)
    with pytest.raises(StoppedError):
        film_clip.color_film(one, dataclasses.replace(maker, stop=lambda: when(folder)))
    assert not one.job.target.exists()
    assert not [path for path in folder.iterdir() if "-" in path.name]
    parts = film_journal.read(folder).parts
    assert len(parts) == 3
    assert film_clip.color_film(one, maker).status == "colored"
    assert len(decoded(one.job.target)) == 35
    assert film_journal.read(folder).parts == parts


@pytest.mark.parametrize(("at", "kept"), [(200, 2), (-20, 2), (None, 0)])
def test_a_damaged_segment_is_made_again(
    one: FilmJob,
    maker: Maker,
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
    at: int | None,
    kept: int,
) -> None:
    """Of the same size, damaged in its pictures or its index: the second segment alone is
    made once more, and the film is that of a run that nobody disturbed. Segments without a
    SHA-256 are all made again."""
    whole = dataclasses.replace(one, job=Job(one.job.source, tmp_path / "whole.mkv", named=True))
    film_clip.color_film(whole, maker)
    folder = film_journal.folder_of(one.job)
    folder.mkdir(parents=True)
    with pytest.raises(StoppedError):
        film_clip.color_film(one, dataclasses.replace(maker, stop=lambda: is_joining(folder)))
    path = folder / "journal.jsonl"
    before = path.read_bytes()
    if at is None:
        lines = map(json.loads, before.splitlines())
        lines = [{name: each[name] for name in each if name != "sha256"} for each in lines]
        path.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
    else:
        segment = film_journal.read(folder).parts[1].segment.path
        data = bytearray(segment.read_bytes())
        data[at] ^= 255
        segment.write_bytes(data)
    made = path.stat().st_size
    assert film_clip.color_film(one, maker).status == "colored"
    again = [json.loads(each) for each in path.read_bytes()[made:].splitlines()]
    assert sum(each["state"] == "segment" for each in again) == 3 - kept
    assert decoded(one.job.target) == decoded(tmp_path / "whole.mkv")


def test_what_an_earlier_run_made_is_told_as_such(
    one: FilmJob, maker: Maker, tiny_model: Path
) -> None:
    """Frames found and frames made are told apart, and are all frames together."""
    folder = film_journal.folder_of(one.job)
    with pytest.raises(StoppedError):
        single = Engine(str(tiny_model), "cpu", batch_size=1)
        stopped = dataclasses.replace(
            maker, engine=single, workers=1, stop=lambda: bool(film_journal.read(folder).parts)
        )
        film_clip.color_film(one, stopped)
    there = sum(part.segment.frames for part in film_journal.read(folder).in_order)
    found: list[int] = []
    made: list[int] = []

    def stage(what: str, total: int | None, unit: Unit) -> Callable[[int], None]:
        return made.append if not what else lambda more: None

    again = dataclasses.replace(maker, found=found.append, stage=stage)
    assert film_clip.color_film(one, again).status == "colored"
    assert 0 < sum(found) == there < 35 and sum(made) == 35 - there


def black_film(path: Path, size: tuple[int, int]) -> Path:
    """Two black frames (height, width) of RGB with 16 bits: 2160 lines of noise take long."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        (stream.height, stream.width), stream.pix_fmt = size, "gbrp16le"
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((*size, 3), np.uint16), "gbrp16le")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.slow  # encodes 2160 lines
@pytest.mark.parametrize(
    ("memory", "size", "held"),
    [(64, (50, 66), 65), (64, (2160, 3840), 65), (16, (2160, 3840), 32), (4, (2160, 3840), 2)],
)
def test_what_is_held_at_once_fits_into_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    memory: int,
    size: tuple[int, int],
    held: int,
) -> None:
    """64 cores are all at work on small pictures; of RGB with 16 bits at 2160 lines (49.8 MB a
    frame) as many frames are held as half of the memory has room for."""
    machine = SimpleNamespace(total=memory * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    source = black_film(tmp_path / "s.mkv", size)
    plan = film_plan.plan_film(ffmpeg.probe(source), FilmSettings())
    limits = segment.limits_of(plan, 8, 64)
    assert (limits.workers, limits.in_flight) == (held - 1, held)
    if held > 2 and size == (2160, 3840):
        assert (held + 8) * 4 * 2160 * 3840 * 6 <= memory * 2**29  # 8 beside, 4 bytes a byte


def test_a_stop_while_the_source_is_hashed(one: FilmJob, maker: Maker) -> None:
    """The joined film is recorded, stays as it is, and is the one that gets the name; what is
    hashed is told byte for byte."""
    folder = film_journal.folder_of(one.job)
    stop = dataclasses.replace(maker, stop=lambda: film_journal.read(folder).joined is not None)
    with pytest.raises(StoppedError):
        film_clip.color_film(one, stop)
    place = (folder / "joined.mkv").stat().st_ino
    told: dict[tuple[str, int | None, str], list[int]] = {}
    again = dataclasses.replace(
        maker, stage=lambda what, size, unit: told.setdefault((what, size, unit), []).append
    )
    outcome = film_clip.color_film(one, again)
    assert one.job.target.stat().st_ino == place
    assert outcome.target_sha256 == sha256(one.job.target)
    assert outcome.source_sha256 == sha256(one.job.source)
    assert outcome.frames == 35
    size = one.job.source.stat().st_size
    assert {key: sum(sizes) for key, sizes in told.items()} == {
        ("", 35, "frame"): 0,
        ("the source is hashed", size, "B"): size,
    }
