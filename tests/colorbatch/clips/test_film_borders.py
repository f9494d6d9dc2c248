"""Segments of a film that is stopped anywhere are those of one that nobody disturbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from colorbatch.clips import render_film
from colorbatch.clips.film_journal import FilmBook, Part, folder_of
from colorbatch.clips.film_plan import plan_film
from colorbatch.clips.render_film import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg import probe
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
                render_film.color_film(one, replace(maker, stop=lambda: next(asked) >= stop_at))
            except StoppedError:
                stopped = True
        told: list[Part] = []
        add = FilmBook.finish

        def finish(book: FilmBook, *values: Any) -> None:
            told.extend(book.account.parts)
            add(book, *values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FilmBook, "finish", finish)
            if stopped or stop_at is None:
                render_film.color_film(one, maker)
        parts = [(part.segment.path.name, part.segment.first, part.good) for part in told]
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
