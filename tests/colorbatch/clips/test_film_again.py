"""A finished film of which a list of shots makes something again."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_clip, film_journal, film_plan, resume, shot_sheet
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_sheet import Own, Sheet, ShotRow
from colorbatch.clips.stabiliser import step_of
from colorbatch.errors import StoppedError
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine

STARTS = (0, 8, 16, 24, 28)
OWN = Own(frozenset({"tiny"}))
GREY_SECOND = ShotRow(2, 8, 15, "grey")
"""The second shot of the film, which is the second of five segments."""


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    engine = Engine(tiny_model, "cpu", batch_size=4)
    return Maker(engine, "model", FilmSettings(), step=step_of(FilmSettings()))


def job(mixed: Path, maker: Maker, name: str = "r.mkv") -> FilmJob:
    plan = film_plan.plan_film(ffmpeg.probe(mixed), maker.settings, Path(name).suffix[1:])
    return FilmJob(Job(mixed, mixed.with_name(name), named=True), plan, "grey")


def saying(one: FilmJob, *rows: ShotRow) -> FilmJob:
    return replace(one, sheet=Sheet(Path("x.csv"), rows))


def lines(one: FilmJob) -> list[dict[str, Any]]:
    path = film_journal.folder_of(one.job) / "journal.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def made(one: FilmJob, maker: Maker) -> list[int]:
    """Make a film, and tell which of its segments were colored, by what was told of them."""
    counts: list[int] = []

    def stage(what: str, total: int | None, unit: Any) -> Any:
        return (lambda more: None) if what else counts.append

    film_clip.color_film(one, replace(maker, stage=stage))
    return counts


def verdict(one: FilmJob, maker: Maker) -> tuple[str, bool]:
    return resume.verdict(one, maker.settings, lambda: "model")[:2]


CODECS = [
    ("r.mkv", "ffv1", ()),
    ("r.mkv", "libx264", (("preset", "fast"),)),
    ("r.mp4", "libx264", (("preset", "fast"),)),
    ("r.mkv", "libx265", (("preset", "fast"),)),
    ("r.mov", "prores_ks", ()),
    ("r.mkv", "prores_ks", ()),
    ("r.mkv", "libvpx-vp9", ()),
    ("r.mp4", "mpeg4", ()),
]


@pytest.mark.parametrize(("name", "codec", "options"), CODECS)
def test_only_what_a_list_changes_is_made_again(
    mixed_film: Path, maker: Maker, decoded: Any, name: str, codec: str, options: Any
) -> None:
    """What is taken back and what is made are together the film that the list makes at once, in
    whatever container, and nothing is kept beside it."""
    pixels = {"prores_ks": "yuv444p10le", "mpeg4": "yuv420p"}.get(codec, "")
    settings = FilmSettings(codec=codec, options=options, pix_fmt=pixels, allow_depth_loss=True)
    maker = replace(maker, settings=settings)
    one = job(mixed_film, maker, name)
    assert sum(made(one, maker)) == 48
    folder = film_journal.folder_of(one.job)
    assert sorted(path.name for path in folder.iterdir()) == ["film.lock", "journal.jsonl"]
    edited = saying(one, GREY_SECOND)
    assert verdict(edited, maker) == ("", False)
    assert sum(made(edited, maker)) == 8
    assert sorted(path.name for path in folder.iterdir()) == ["film.lock", "journal.jsonl"]
    whole = saying(job(mixed_film, maker, f"whole{Path(name).suffix}"), GREY_SECOND)
    film_clip.color_film(whole, maker)
    assert decoded(edited.job.target) == decoded(whole.job.target)
    assert verdict(edited, maker) == ("finished", False)


def test_a_second_time_nothing_is_made(mixed_film: Path, maker: Maker) -> None:
    """Nor by a list that says what is done anyway; the film is finished for both."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    path = shot_sheet.path_beside(one.job.target)
    unchanged = replace(one, sheet=shot_sheet.read(path, OWN))
    assert verdict(unchanged, maker) == ("finished", False)
    edited = saying(one, GREY_SECOND)
    film_clip.color_film(edited, maker)
    assert verdict(edited, maker) == ("finished", False)
    assert verdict(one, maker) == ("made with other settings", True)
    assert verdict(unchanged, maker) == ("", False)
    assert sum(made(unchanged, maker)) == 8


def test_what_is_to_be_redone_is_made_once(mixed_film: Path, maker: Maker) -> None:
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    again = saying(one, ShotRow(2, 8, 15, "redo"))
    assert verdict(again, maker) == ("", False)
    assert sum(made(again, maker)) == 8
    assert verdict(again, maker) == ("finished", False)
    assert verdict(one, maker) == ("finished", False)


def test_on_toned_makes_its_shots_alone_again(mixed_film: Path, maker: Maker) -> None:
    """Asked for by -y, without a list."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    other = replace(maker, settings=replace(maker.settings, on_toned="keep"))
    assert verdict(one, other) == ("made with other settings", True)
    assert sum(made(one, other)) == 8


@pytest.mark.parametrize("row", [ShotRow(2, 28, 47, "color", 0.5), ShotRow(2, 40, 47, "grey")])
def test_a_shot_in_several_segments(
    mixed_film: Path, maker: Maker, decoded: Any, row: ShotRow
) -> None:
    """All of it is made again, the title in its first segment as well."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    edited = saying(one, row)
    assert sum(made(edited, maker)) == 24
    whole = saying(job(mixed_film, maker, "whole.mkv"), row)
    film_clip.color_film(whole, maker)
    assert decoded(edited.job.target) == decoded(whole.job.target)


@pytest.mark.parametrize("parts", [1, 3, 5])
def test_a_run_that_was_stopped_goes_on(
    mixed_film: Path, maker: Maker, decoded: Any, parts: int
) -> None:
    """Wherever it was; the finished film stays until the new one is complete."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    before = one.job.target.read_bytes()
    folder = film_journal.folder_of(one.job)
    edited = saying(one, GREY_SECOND, ShotRow(3, 16, 23, "keep"))

    def stop() -> bool:
        account = film_journal.read(folder)
        return account.finish is None and len(account.parts) >= parts

    with pytest.raises(StoppedError):
        film_clip.color_film(edited, replace(maker, stop=stop))
    assert one.job.target.read_bytes() == before
    assert verdict(edited, maker) == ("", False)
    assert verdict(one, maker) == ("begun with other settings", True)
    left = 16 if parts < 4 else 0
    assert sum(made(edited, maker)) == left
    whole = replace(edited, job=replace(one.job, target=mixed_film.with_name("whole.mkv")))
    film_clip.color_film(whole, maker)
    assert decoded(edited.job.target) == decoded(whole.job.target)


def test_a_film_that_is_not_as_it_was_left_is_made_again_whole(
    mixed_film: Path, maker: Maker, decoded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the same size, and another byte; one of another size is somebody's, and is left."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    data = bytearray(one.job.target.read_bytes())
    data[-200] ^= 255
    one.job.target.write_bytes(data)
    edited = saying(one, GREY_SECOND)
    with caplog.at_level(logging.WARNING):
        assert sum(made(edited, maker)) == 48
    assert "is not as it was left; all of it is made again" in caplog.text
    one.job.target.write_bytes(data + b"!")
    assert verdict(one, maker) == ("result changed since", False)
    assert verdict(saying(one), maker) == ("result changed since", False)


def test_a_list_is_written_and_stays_where_it_was_edited(mixed_film: Path, maker: Maker) -> None:
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    path = shot_sheet.path_beside(one.job.target)
    rows = shot_sheet.read(path, OWN).rows
    assert [row.start for row in rows] == list(STARTS)
    assert [row.action for row in rows] == ["color", "keep", "color", "grey", "color"]
    text = path.read_bytes().replace(b"tinted,color", b"tinted,keep")
    path.write_bytes(text)
    other = replace(maker, settings=replace(maker.settings, on_color="colorize"))
    outcome = film_clip.color_film(one, replace(other, anew=True))
    assert path.read_bytes() == text
    second = path.with_name("r.mkv.shots-2.csv")
    assert any(second.name in note for note in outcome.notes)
    assert b"color,color" in second.read_bytes()


def test_a_film_of_an_earlier_version_is_outdated_by_a_list(mixed_film: Path, maker: Maker) -> None:
    """Its journal does not know its shots: -y makes all of it again."""
    one = job(mixed_film, maker)
    film_clip.color_film(one, maker)
    path = film_journal.folder_of(one.job) / "journal.jsonl"
    old = [line for line in lines(one) if line["state"] not in ("shown", "looks", "sheet")]
    old = [{name: line[name] for name in line if name not in ("looks", "recipe")} for line in old]
    old[0]["version"] = 2
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in old))
    assert verdict(one, maker) == ("finished", False)
    assert verdict(saying(one, GREY_SECOND), maker) == ("made with other settings", True)
    assert sum(made(saying(one, GREY_SECOND), maker)) == 48
