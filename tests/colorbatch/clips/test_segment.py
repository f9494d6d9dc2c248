"""Segments as jobs: values, side by side, and in order where a step hands on what it has seen."""

from __future__ import annotations

import pickle
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch.clips import film_clip, film_journal, segment, shot_list
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_plan import plan_film
from colorbatch.clips.film_source import FilmFile
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.segment import Open, SegmentJob
from colorbatch.clips.shot_list import Passed, Span
from colorbatch.clips.stabiliser import step_of
from colorbatch.color import Float
from colorbatch.errors import StoppedError, TargetError
from colorbatch.ffmpeg import Reading, probe
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine

LOOKS = {6: 1, 47: 2}
"""A frame a second: a shot of 6 s, one of 41, which is three segments, and a last one."""
TICKS = {"time_base": Fraction(1, 24), "rate": Fraction(1), "times": range(0, 24 * 52, 24)}


class Sums:
    """A step whose results tell all that it has seen: a frame's ab is moved by the sum of those of
    its shot so far, and of `ahead` behind it, each by its place."""

    ahead = 3

    def __init__(self) -> None:
        self.so_far: Any = np.zeros(2)
        self.marked: Any = None
        self.waiting: deque[tuple[Float, Any]] = deque()

    def add(self, lightness: Float, ab: Float, begins: bool) -> list[Float]:
        ready = self.end() if begins else []
        self.so_far = (0 if begins else self.so_far * 0.9) + ab.mean((0, 1), float)
        self.waiting.append((ab, self.so_far))
        return ready + ([self.made()] if len(self.waiting) > self.ahead else [])

    def made(self) -> Float:
        own, so_far = self.waiting.popleft()
        behind = [one.mean((0, 1)) / at for at, (one, _) in enumerate(self.waiting, 2)]
        return np.asarray(own + 20 * np.sin(so_far + np.sum([[0, 0], *behind], 0)), np.float32)

    def mark(self) -> None:
        self.marked = self.so_far

    def end(self) -> list[Float]:
        return [self.made() for _ in range(len(self.waiting))]

    def state(self) -> bytes:
        return struct.pack("2d", *(self.so_far if self.marked is None else self.marked))

    def restore(self, state: bytes) -> None:
        self.so_far = np.array(struct.unpack("2d", state))


@pytest.fixture
def one(make_clip: Callable[..., Path], tmp_path: Path) -> FilmJob:
    source = make_clip("s.mkv", "ffv1", options={"g": "1"}, looks=LOOKS, size=(48, 64), **TICKS)
    plan = plan_film(probe(source), FilmSettings())
    return FilmJob(Job(source, tmp_path / "r.mkv", named=True), plan, "grey")


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    return Maker(Engine(tiny_model, "cpu", batch_size=4), "model", FilmSettings(), step=Sums)


def named(one: FilmJob, name: str) -> FilmJob:
    return replace(one, job=replace(one.job, target=one.job.target.with_name(name)))


def test_a_shot_in_segments_is_as_one_that_is_made_at_once(
    one: FilmJob, maker: Maker, decoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step has seen goes from one segment to the next, and what lies behind a border is seen
    before it; not so behind a cut. A film without the step is another."""
    film_clip.color_film(one, maker)
    parted = decoded(one.job.target)
    lines = (film_journal.folder_of(one.job) / "journal.jsonl").read_text("utf-8").splitlines()
    assert sum('"handed_on"' in line for line in lines) == 2
    plain = named(one, "plain.mkv")
    film_clip.color_film(plain, replace(maker, step=None))
    assert decoded(plain.job.target) != parted
    monkeypatch.setattr(shot_list, "LONGEST", 1000)
    whole = named(one, "whole.mkv")
    film_clip.color_film(whole, maker)
    assert decoded(whole.job.target) == parted
    lines = (film_journal.folder_of(whole.job) / "journal.jsonl").read_text("utf-8").splitlines()
    assert not any('"handed_on"' in line for line in lines)


def test_so_is_one_that_is_steadied(
    one: FilmJob, maker: Maker, decoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the step that films have; at stability 0 a film is as without it."""
    steady = replace(maker, step=step_of(FilmSettings()))
    film_clip.color_film(one, steady)
    folder = film_journal.folder_of(one.job)
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines()
    assert sum('"handed_on"' in line for line in lines) == 2
    monkeypatch.setattr(shot_list, "LONGEST", 1000)
    whole = named(one, "whole.mkv")
    film_clip.color_film(whole, steady)
    assert decoded(whole.job.target) == decoded(one.job.target)
    assert step_of(FilmSettings(stability=0)) is None


@pytest.mark.parametrize("spoil", ["nothing", "state", "segment"])
def test_a_shot_that_was_stopped_between_its_segments(
    one: FilmJob, maker: Maker, decoded: Any, spoil: str
) -> None:
    """What was handed on is gone on from; where it is not as it was left, its segment is made
    again."""
    whole = named(one, "whole.mkv")
    film_clip.color_film(whole, maker)
    folder = film_journal.folder_of(one.job)
    with pytest.raises(StoppedError):
        stop = replace(maker, stop=lambda: len(film_journal.read(folder).parts) >= 2)
        film_clip.color_film(one, stop)
    made = film_journal.read(folder).parts
    assert 2 <= len(made) < 5
    last = max(number for number, part in made.items() if part.handed_on)
    if spoil != "nothing":
        path = folder / f"{last:06d}.{'state' if spoil == 'state' else 'mkv'}"
        path = path if path.exists() else made[last].segment.path
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    film_clip.color_film(one, maker)
    assert decoded(one.job.target) == decoded(whole.job.target)


def test_a_damaged_film_is_the_same_wherever_it_was_stopped(
    make_clip: Callable[..., Path], maker: Maker, decoded: Any, tmp_path: Path
) -> None:
    """What a decoder puts in the place of damage depends on what it has decoded before, so that
    such a film is read from its start."""
    between = {"g": "8", "bf": "2", "x264-params": "open-gop=1:scenecut=0", "crf": "20"}
    source = make_clip("s.mp4", "libx264", options=between, size=(96, 128), **TICKS)
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for number in range(3, 50, 4):
        at, size = data.index(packets[number]), len(packets[number])
        if number == 3:  # of the others libav does not tell
            data[at + 4 : at + size] = bytes(size - 4)
        data[at + size // 2 : at + size] = bytes(size - size // 2)
    source.write_bytes(data)
    plan = plan_film(probe(source), FilmSettings(codec="ffv1"), "mkv")
    made = FilmJob(Job(source, tmp_path / "r.mkv", named=True), plan, "grey")
    whole = named(made, "whole.mkv")
    film_clip.color_film(whole, maker)
    folder = film_journal.folder_of(made.job)
    for parts in (1, 2, 3):
        with pytest.raises(StoppedError):
            stop = replace(maker, stop=lambda n=parts: len(film_journal.read(folder).parts) >= n)
            film_clip.color_film(made, stop)
    film_clip.color_film(made, maker)
    assert film_journal.read(folder).passed.corrupt > 0
    assert decoded(made.job.target) == decoded(whole.job.target)


@pytest.mark.parametrize("step", [None, Sums])
def test_a_film_does_not_depend_on_how_many_segments_are_made_at_once(
    one: FilmJob, maker: Maker, decoded: Any, monkeypatch: pytest.MonkeyPatch, step: Any
) -> None:
    """Pictures and times are the same."""
    films = []
    for lanes in (1, 2, 5):
        monkeypatch.setattr(segment, "lanes_of", lambda *_, lanes=lanes, **more: lanes)
        made = named(one, f"{lanes}.mkv")
        film_clip.color_film(made, replace(maker, step=step))
        films.append(decoded(made.job.target))
    assert films[0] == films[1] == films[2]


def test_a_job_is_a_value(one: FilmJob, maker: Maker, tmp_path: Path) -> None:
    """Sent elsewhere, it makes the same file there, from a source that nobody has open."""
    span = Span(1, 6000, 22000, "", (6000,), 47000)
    jobs = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        limits = segment.limits_of(one.plan, 4, 2)
        jobs.append(SegmentJob(one.plan, span, tmp_path / name, "me", limits))
    jobs[1] = pickle.loads(pickle.dumps(jobs[1]))
    parts = [segment.work(job, maker.settings, maker.engine) for job in jobs]
    assert parts[0].sha256 == parts[1].sha256 and parts[0].segment.frames == 16
    assert pickle.loads(pickle.dumps(parts[0])) == parts[0]
    assert [path.name for path in (tmp_path / "there").iterdir()] == [parts[1].segment.path.name]


def test_a_source_that_stays_open_gives_the_next_segment(one: FilmJob) -> None:
    """What was read for one segment and is of the next is not read again, and is all there."""
    spans = [Span(0, 0, 10000, "", (0,), None), Span(1, 10000, 30000, "", (), None)]
    limits = segment.limits_of(one.plan, 4, 2)
    with Open() as source:
        first, second = (
            [
                frame.pts // 1000
                for frame in source.frames(
                    SegmentJob(one.plan, span, Path(), "", limits), 4, lambda: False
                )
            ]
            for span in spans
        )
    assert first == list(range(14)) and second == list(range(10, 34))


class Recorded(FilmFile):
    """A film file that knows from where it was read."""

    def frames(self, start: int | None = None, *, near: bool = False) -> Reading:
        self.__dict__.setdefault("starts", []).append(start)
        return super().frames(start, near=near)


@pytest.mark.parametrize(
    ("passed", "start"), [(Passed(), 10000), (Passed(jumps=1), None), (Passed(corrupt=1), None)]
)
def test_reading_begins_where_that_makes_no_difference(
    one: FilmJob, passed: Passed, start: int | None
) -> None:
    """At the segment, but at the film's start where the clock jumps or pictures are damaged."""
    film = Recorded(one.plan.film)
    plan = replace(one.plan, footage=film)
    limits = segment.limits_of(plan, 4, 2)
    span = Span(1, 10000, 30000, "", (), None)
    job = SegmentJob(plan, span, Path(), "", limits, sought=passed.seekable)
    with Open() as source:
        assert next(source.frames(job, 0, lambda: False)).pts == 10000
    assert film.__dict__["starts"] == [start]


def test_what_is_handed_on_is_known_by_its_hash(tmp_path: Path) -> None:
    """A file that is cut, changed or gone is refused by name."""
    segment.write_state(tmp_path, 3, b"all that was seen", "me")
    assert segment.read_state(tmp_path, 3) == b"all that was seen"
    path = segment.state_of(tmp_path, 3)
    for data in (path.read_bytes()[:-1], path.read_bytes() + b"x", b""):
        path.write_bytes(data)
        with pytest.raises(TargetError, match=r"000003\.state: is not as it was left"):
            segment.read_state(tmp_path, 3)
    path.unlink()
    with pytest.raises(TargetError, match="000003"):
        segment.read_state(tmp_path, 3)


def test_memory_bounds_what_is_at_work(one: FilmJob) -> None:
    """Fewer segments and batches where there is less of it, also with frames that wait; one segment
    of two batches however little there is."""
    video = replace(one.plan.film.video, size=(2160, 3840))
    plan = replace(one.plan, footage=FilmFile(replace(one.plan.film, video=video)))
    found = []
    for memory in (64 << 30, 8 << 30, 1 << 30):
        for ahead in (0, 24):
            lanes = segment.lanes_of(plan, 8, 64, memory, ahead=ahead)
            limits = segment.limits_of(plan, 8, 64, memory, ahead=ahead, lanes=lanes)
            found.append((lanes, limits.in_flight))
    assert found[0] == (16, 5) and found[-1] == (1, 2)
    assert [lanes for lanes, _ in found] == sorted((lanes for lanes, _ in found), reverse=True)
    assert found[2][0] > found[3][0] > 1
