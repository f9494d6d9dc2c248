"""Films with corrected stills."""

from __future__ import annotations

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
    resume,
    sampling,
    shot_list,
    shot_sheet,
)
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_looks import Still
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.clips.stabiliser import step_of
from colorbatch.clips.steering import FilmPictures
from colorbatch.clips.still_chain import STEP
from colorbatch.color import Codes
from colorbatch.errors import SourceError, StoppedError
from colorbatch.ffmpeg import Planes
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine


@pytest.fixture
def maker(tiny_model: Path) -> Maker:
    engine = Engine(tiny_model, "cpu", batch_size=4)
    return Maker(engine, "model", FilmSettings(), step=step_of(FilmSettings()))


@pytest.fixture
def one(mixed_film: Path) -> FilmJob:
    plan = film_plan.plan_film(ffmpeg.probe(mixed_film), FilmSettings())
    return FilmJob(Job(mixed_film, mixed_film.with_name("r.mkv"), named=True), plan, "grey")


@pytest.fixture
def stills(one: FilmJob, tmp_path: Path) -> Path:
    """A folder with a still of frame 30, which is in the last shot: all of it blue."""
    folder = tmp_path / "stills"
    folder.mkdir()
    write(folder / "frame_30.png", blue(planes(one.job.source)[30], one))
    return folder


def blue(picture: Planes, one: FilmJob) -> Codes:
    tint = np.array([0.5, 0.9, 1.3])
    return np.clip(seen(picture, one) * tint, 0, 255).astype(np.uint8)


def write(path: Path, rgb: Codes) -> None:
    path.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())


def planes(path: Path) -> list[Planes]:
    with ffmpeg.frames(ffmpeg.probe(path)) as reading:
        return [frame.planes for frame in reading]


def seen(picture: Planes, one: FilmJob) -> Codes:
    return sampling.srgb(picture, one.plan.codes, one.plan.film.video.size)


def blueness(path: Path, frames: range) -> float:
    chroma = [picture.chroma for picture in planes(path)[frames.start : frames.stop]]
    return float(np.mean([each[0].astype(float) - each[1] for each in chroma if each]))


def with_stills(one: FilmJob, stills: Path, name: str = "") -> FilmJob:
    job = replace(one.job, target=one.job.target.with_name(name or one.job.target.name))
    return replace(one, job=job, sheet=Sheet(stills, stills=shot_sheet.read_folder(stills)))


@pytest.mark.parametrize("stability", [1.0, 0.0])
def test_a_shot_gets_the_color_of_its_still_in_all_its_segments(
    one: FilmJob, maker: Maker, stills: Path, decoded: Any, stability: float
) -> None:
    """And no other does. Done at once, on a finished film, or after a stop: it is the same."""
    settings = FilmSettings(stability=stability)
    maker = replace(maker, settings=settings, step=step_of(settings))
    film_clip.color_film(one, maker)
    plain = decoded(one.job.target)
    ranges = range(28, 39), range(39, 48)
    before = [blueness(one.job.target, frames) for frames in ranges]
    film_clip.color_film(with_stills(one, stills), maker)
    steered = decoded(one.job.target)
    for frames, was in zip(ranges, before, strict=True):
        assert blueness(one.job.target, frames) > was + 20
    assert [a.planes == b.planes for a, b in zip(plain, steered, strict=True)][:24] == [True] * 24
    other = with_stills(one, stills, "other.mkv")
    folder = film_journal.folder_of(other.job)
    with pytest.raises(StoppedError):
        stop = replace(maker, stop=lambda: len(film_journal.read(folder).parts) >= 4)
        film_clip.color_film(other, stop)
    film_clip.color_film(other, maker)
    assert decoded(other.job.target) == steered


@pytest.mark.parametrize("number", [30, 46])
def test_segments_of_a_shot_are_as_the_shot_at_once(
    one: FilmJob,
    maker: Maker,
    stills: Path,
    decoded: Any,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a still of its begin or its end, over the frames between, which a segment goes over that
    does not have them."""
    write(stills / f"frame_{number}.png", blue(planes(one.job.source)[number], one))
    for path in stills.glob("*.png"):
        if path.stem != f"frame_{number}":
            path.unlink()
    film_clip.color_film(with_stills(one, stills), maker)
    whole = with_stills(one, stills, "whole.mkv")
    monkeypatch.setattr(shot_list, "LONGEST", 100)
    film_clip.color_film(whole, maker)
    assert decoded(one.job.target) == decoded(whole.job.target)
    parts = [film_journal.read(film_journal.folder_of(each.job)) for each in (one, whole)]
    counts = [len(each.marks) for each in parts]
    assert counts[0] > counts[1] > 0


@pytest.mark.parametrize("sought", [True, False])
def test_frames_between_are_the_nearest_of_each_step(
    make_clip: Callable[..., Path], sought: bool
) -> None:
    """Whichever frame is the first that is asked for; with a hole of a second in the film."""
    times = [1001 * at for at in range(60) if not 20 <= at < 44]
    path = make_clip("a.mkv", time_base=Fraction(1, 24000), times=times)
    plan = film_plan.plan_film(ffmpeg.probe(path), FilmSettings())
    ticks = [frame.pts for frame in FilmPictures(plan, sought=sought).frames(0)]
    step = FilmPictures(plan).step
    assert len(ticks) == 36 and step == STEP / plan.film.video.time_base
    at = ticks[17]
    still = Still(path, "", at)
    between = FilmPictures(plan, sought=sought).between(still, (16, 16))
    for first in (0, 3, 9, 16):
        found = [pts for pts, _ in between.before(ticks[first])]
        assert found == [ticks[n] for n in (11, 5) if n >= first]
    assert [ticks.index(pts) for pts, _ in between.behind()] == [20, 23, 29, 35]
    with pytest.raises(StoppedError):
        list(FilmPictures(plan, lambda: True, sought).between(still, (16, 16)).before(0))


def test_color_does_not_go_over_damaged_frames(make_clip: Callable[..., Path]) -> None:
    """The next one of their step is in their place."""
    times = [1001 * at for at in range(36)]
    options = {"slicecrc": "1", "g": "1"}
    path = make_clip("a.mkv", "ffv1", options=options, time_base=Fraction(1, 24000), times=times)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in (11, 23):
        at, size = data.index(packets[number]), len(packets[number])
        data[at + size // 2 : at + size // 2 + 8] = b"\xa5" * 8
    path.write_bytes(data)
    pictures = FilmPictures(film_plan.plan_film(ffmpeg.probe(path), FilmSettings()))
    frames = list(pictures.frames(0))
    assert [number for number, frame in enumerate(frames) if frame.corrupt] == [11, 23]
    ticks = [frame.pts for frame in frames]
    between = pictures.between(Still(path, "", ticks[17]), (16, 16))
    assert [ticks.index(pts) for pts, _ in between.before(0)] == [10, 5]
    assert [ticks.index(pts) for pts, _ in between.behind()] == [24, 29, 35]


def test_another_still_makes_its_shot_again(one: FilmJob, maker: Maker, stills: Path) -> None:
    film_clip.color_film(with_stills(one, stills), maker)

    def verdict() -> tuple[str, bool]:
        given = with_stills(one, stills)
        return resume.verdict(given, maker.settings, lambda: "model")[:2]

    assert verdict() == ("finished", False)
    path = stills / "frame_30.png"
    write(path, seen(planes(one.job.source)[30], one))
    assert verdict() == ("", False)
    assert resume.verdict(one, maker.settings, lambda: "model")[0] == "made with other settings"


def test_a_still_of_another_frame_fails_the_film_with_one_line(
    one: FilmJob, maker: Maker, stills: Path
) -> None:
    """Nothing is lost: without it the film is made as ever."""
    (stills / "frame_30.png").rename(stills / "frame_2.png")
    with pytest.raises(SourceError, match=r"frame_2\.png: is not a picture of that frame"):
        film_clip.color_film(with_stills(one, stills), maker)
    assert film_clip.color_film(one, maker).status == "colored"


def test_a_region_of_a_still(
    one: FilmJob, maker: Maker, stills: Path, make_clip: Callable[..., Path]
) -> None:
    settings = FilmSettings(region=film_plan.Region(64, 96, 32, 0))
    plan = film_plan.plan_film(one.plan.film, settings)
    part = replace(with_stills(one, stills), plan=plan)
    film_clip.color_film(part, replace(maker, settings=settings))
    assert blueness(one.job.target, range(28, 48)) > 10
    for picture in planes(one.job.target)[28:]:
        assert picture.chroma and (picture.chroma[0][:, :32] == 128).all()
