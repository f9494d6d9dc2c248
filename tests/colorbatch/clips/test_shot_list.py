"""Where shots and segments begin, however many pictures are looked at, and wherever a run ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch.clips import film_clip, film_frames, shot_list
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook, Part, folder_of
from colorbatch.clips.film_plan import FilmPlan, plan_film
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_list import Mark
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg import Frame, Glance, Planes, probe
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine

LOOKS = {6: 1, 9: 2, 10: 1, 16: 3, 18: 4, 34: 5, 38: 6}
BORDERS = [0, 6, 16, 31, 38]
"""In seconds: cuts at 6 and 16 (the one at 18 is too early), 15 s behind that, and at 38."""


def test_stopped_at_every_batch(
    make_clip: Callable[..., Path], decoded: Any, tiny_model: Path, tmp_path: Path
) -> None:
    """Borders, pictures and times are the same wherever the first run ended, a damaged frame beside
    a cut and a flash included."""
    ticks = {"time_base": Fraction(1, 24), "rate": Fraction(1), "times": range(0, 24 * 42, 24)}
    options = {"slicecrc": "1", "g": "1"}
    source = make_clip("s.mkv", "ffv1", options=options, looks=LOOKS, **ticks)
    maker = Maker(Engine(tiny_model, "cpu", batch_size=3), "model", FilmSettings(), workers=1)
    plan = plan_film(probe(source), maker.settings)

    def made(name: str, stop_at: int | None) -> tuple[bool, list[tuple[Any, ...]], Any]:
        """Whether the first run was stopped, the segments, and the film."""
        one = FilmJob(Job(source, tmp_path / name, Path(name)), plan)
        asked = iter(range(10000))
        stopped = False
        if stop_at is not None:
            try:
                film_clip.color_film(one, replace(maker, stop=lambda: next(asked) >= stop_at))
            except StoppedError:
                stopped = True
        told: list[Part] = []
        add = FilmBook.finish

        def finish(book: FilmBook, *values: Any) -> None:
            told.extend(book.account.in_order)
            add(book, *values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FilmBook, "finish", finish)
            if stopped or stop_at is None:
                film_clip.color_film(one, maker)
        parts = [(part.segment.path.name, part.segment.first, part.sha256) for part in told]
        assert not list(folder_of(one.job).glob("*.mkv"))
        return stopped, parts, decoded(tmp_path / name)

    _, whole, film = made("whole.mkv", None)
    assert [first // 1000 for _, first, _ in whole] == BORDERS
    for stop_at in range(1, 400, 3):  # it is asked two or three times for each batch
        stopped, parts, pictures = made(f"{stop_at}.mkv", stop_at)
        assert pictures == film
        if not stopped:
            assert stop_at > len(range(0, 42, 3))
            return
        assert parts == whole
    raise AssertionError("was stopped every time")


def frame(pts: int, value: int) -> Frame:
    planes = Planes(luma=np.full((96, 128), value, np.uint8))
    return Frame(pts, 24, planes, True, False, "")


def looking(looks: str, damaged: str = "") -> list[Frame]:
    """A frame a second for each letter, patches of other lightness for each other letter; damaged:
    the numbers of damaged frames, as letters from a on."""
    made = []
    for number, look in enumerate(looks):
        patches = np.random.default_rng(ord(look)).integers(16, 220, (6, 8), np.uint8)
        luma = patches.repeat(16, 0).repeat(16, 1)
        corrupt = chr(ord("a") + number) in damaged
        made.append(Frame(number * 1000, 1000, Planes(luma=luma), True, corrupt, ""))
    return made


@pytest.fixture
def plan(make_clip: Callable[..., Path]) -> FilmPlan:
    """Of a film whose ticks are milliseconds."""
    ticks = {"time_base": Fraction(1, 24), "rate": Fraction(1), "times": range(0, 48, 24)}
    return plan_film(probe(make_clip("s.mkv", size=(96, 128), **ticks)), FilmSettings())


class Passed:
    """The marks that a pass over frames makes, and the frames whose pictures it asked for."""

    def __init__(
        self, frames: Sequence[Frame], plan: FilmPlan, *, sparse: bool, begun: Sequence[Mark] = ()
    ) -> None:
        self.decoded: set[int] = set()
        start = begun[-1].pts if begun else 0
        self.marks = tuple(
            shot_list.marks(
                (self._glance(each) for each in frames if each.pts >= start),
                lambda planes: film_frames.shot_view(planes, plan),
                plan.film.video.time_base,
                sparse=sparse,
                begun=begun,
            )
        )

    def _glance(self, frame: Frame) -> Glance:
        def picture() -> Planes | None:
            self.decoded.add(frame.pts)
            return None if frame.corrupt else frame.planes

        return Glance(frame.pts, picture)


@pytest.mark.parametrize(
    ("frames", "borders"),
    [
        (looking("a" * 40), [0, 15, 30]),  # no cut
        (looking("a" * 7 + "b" * 9 + "c" * 9), [0, 7, 16]),
        (looking("a" * 4 + "b" * 9 + "c" * 9), [0, 13]),  # too early
        (looking("a" * 14 + "b" * 9), [0, 14]),
        (looking("a" * 17 + "b" * 9), [0, 15]),  # too late, and early in the next
        (looking("a" * 8 + "x" + "a" * 8), [0, 15]),  # flashes
        (looking("a" * 8 + "xy" + "a" * 8), [0, 15]),
        (looking("a" * 8 + "b" * 8, damaged="i"), [0, 9]),  # the new shot's first frame
        (looking("a" * 8 + "b" * 8, damaged="gh"), [0, 8]),  # the old one's last
        (looking("a" * 8 + "x" + "a" * 8, damaged="i"), [0, 15]),
        (looking("a" * 8 + "b" * 2), [0, 8]),
        (looking("a" * 8 + "b"), [0]),  # nothing behind it tells a cut from a flash
        (looking("abcdefghijklmnop"), [0, 15]),  # nothing holds still
        ([frame(tick, 9) for tick in (0, 14999, 15000, 61000, 61001)], [0, 2, 3]),
        ([], []),
    ],
)
def test_segments_end_at_cuts(plan: FilmPlan, frames: list[Frame], borders: list[int]) -> None:
    """From 5 s on at the first cut, else at 15 s; a pass that goes on from any cut finds the
    same."""
    marks = Passed(frames, plan, sparse=False).marks
    spans = shot_list.segments_of(marks)
    ticks = [each.pts for each in frames]
    assert [ticks.index(span.begin) for span in spans] == borders
    assert [span.end for span in spans] == [*(span.begin for span in spans[1:]), None][: len(spans)]
    for at, mark in enumerate(marks):
        if mark.cut:
            begun = shot_list.going_on(marks[: at + 1])
            assert begun == marks[: at + 1]
            assert Passed(frames, plan, sparse=False, begun=begun).marks == marks[at:]


@pytest.mark.parametrize("looks", ["a" * 8 + "b" * 9 + "c" * 30, "aaaaabbbbcccccdddd" + "e" * 40])
def test_few_pictures_are_decoded_and_the_same_cuts_found(plan: FilmPlan, looks: str) -> None:
    """Where they stand alone; going on from any cut decodes the same ones."""
    frames = looking(looks)
    all_of, few = (Passed(frames, plan, sparse=sparse) for sparse in (False, True))
    cuts = [mark for mark in all_of.marks if mark.cut]
    assert [mark for mark in few.marks if mark.cut] == [
        replace(mark, border=own.border)
        for mark, own in zip(cuts, (one for one in few.marks if one.cut), strict=True)
    ]
    assert len(all_of.decoded) == len(frames) and len(few.decoded) < 0.75 * len(frames)
    for at, mark in enumerate(few.marks):
        if mark.cut:
            again = Passed(frames, plan, sparse=True, begun=few.marks[: at + 1])
            assert again.marks == few.marks[at:]


def test_a_film_without_a_good_picture_is_one_segment(plan: FilmPlan) -> None:
    """And one whose first pictures are damaged begins with them all the same."""
    bad = Passed(looking("aaaa", damaged="abcd"), plan, sparse=False).marks
    assert bad == (Mark(0, "", True, True),)
    late = Passed(looking("aaaa", damaged="ab"), plan, sparse=False).marks
    assert [(mark.pts, mark.cut, mark.border) for mark in late] == [(2000, True, True)]


def test_what_a_segment_knows_of_its_shots() -> None:
    """Cuts in it, whether it begins within a shot, and where that shot ends."""
    marks = [
        Mark(0, "a", True, True),
        Mark(40, "b", True, False),
        Mark(90, "c", False, True),
        Mark(120, "d", True, False),
    ]
    first, second = shot_list.segments_of(marks, 150)
    assert (first.begin, first.end, first.cuts, first.shot_end) == (0, 90, (0, 40), 120)
    assert (second.begin, second.end, second.cuts, second.shot_end) == (90, 150, (120,), 150)
    assert not first.continues and second.continues
