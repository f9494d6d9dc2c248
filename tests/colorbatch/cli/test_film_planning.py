"""What one film does to the others while films are planned."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from click.testing import CliRunner

from colorbatch.cli.video import video
from colorbatch.clips import space
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_clip import color_film
from colorbatch.clips.film_plan import plan_film
from colorbatch.clips.resume import FilmJob
from colorbatch.ffmpeg import probe
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine


def test_an_error_that_nobody_foresaw_is_one_failed_film(
    make_clip: Callable[..., Path],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libav's binding breaks at one film as it never should: that one is named, the other made."""
    good, bad = make_clip("good.mkv"), make_clip("bad.mkv")
    really = av.open

    def broken(file: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(file, str) and file.endswith("bad.mkv"):
            raise RuntimeError("broken within")
        return really(file, *arguments, **options)

    monkeypatch.setattr(av, "open", broken)
    command = [good, bad, "-o", tmp_path / "out", "-m", tiny_model, "--json", "-q"]
    run = CliRunner().invoke(video, list(map(str, command)))
    assert run.exit_code == 3, run.output
    *films, summary = map(json.loads, run.stdout.splitlines())
    told = {Path(film["source"]).name: film for film in films}
    assert told["bad.mkv"]["status"] == "failed"
    assert told["bad.mkv"]["reason"] == "RuntimeError: broken within"
    assert told["good.mkv"]["status"] == "colored"
    assert (tmp_path / "out" / "good.mkv").is_file() and summary["summary"]["failed"] == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--codec", "libx264", "-x", "time_base=1/7"], "time_base: that is the film's own"),
        (["--codec", "vc2"], "vc2 with yuv420p does not work with its defaults: "),
        (["--codec", "mpeg4"], "timebase 1/90000 not supported by MPEG 4 standard"),
        (["--codec", "libx264", "-x", "nonsense=1"], "has no option nonsense"),
    ],
)
def test_what_an_encoder_refuses_is_told_while_planning(
    run_cli: Any,
    make_clip: Callable[..., Path],
    tiny_model: Path,
    tmp_path: Path,
    more: list[str],
    words: str,
) -> None:
    """Also what it refuses only when it is given a picture; with the film and the reason."""
    source = make_clip("s.mkv", time_base=Fraction(1, 90000), times=range(0, 37500, 3750))
    source = remade(source, tmp_path / "s.mp4")
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--dry-run", *more)
    assert run.returncode == 2
    assert f"error: {source}: {more[1]} with " in run.stderr and words in run.stderr
    assert not (tmp_path / ".colorbatch").exists()


def remade(path: Path, target: Path) -> Path:
    """The same packets in a container that counts in 1/90000 s."""
    clock = {"video_track_timescale": "90000"}
    with av.open(str(path)) as given, av.open(str(target), "w", container_options=clock) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    return target


def test_the_estimate_needs_no_disk(
    make_clip: Callable[..., Path],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a temporary folder nor one beside the result, and it is the size of real segments."""
    source = make_clip("s.mkv")
    plan = plan_film(probe(source), FilmSettings())
    one = FilmJob(Job(source, tmp_path / "r.mkv", named=True), plan, "grey")
    maker = Maker(Engine(str(tiny_model), "cpu"), "", FilmSettings())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    before = set(tmp_path.iterdir())
    expected = space.of_film(one, maker.engine, maker.settings)
    assert set(tmp_path.iterdir()) == before
    color_film(one, maker)
    made = (tmp_path / "r.mkv").stat().st_size
    assert expected.sure and abs(expected.result.middle / made - 1) < 0.15


def test_a_clock_as_fine_as_it_gets(
    run_cli: Any, make_clip: Callable[..., Path], tiny_model: Path, tmp_path: Path
) -> None:
    """The frames of the estimate lie further apart than a segment can tell; the film has none
    that do."""
    fine = 2**31 - 1
    times = range(0, 24 * fine // 12, fine // 12)
    source = make_clip("s.mp4", time_base=Fraction(1, fine), times=times, rate=Fraction(12))
    run = run_cli("video", source, "-o", "r.mp4", "-m", tiny_model, "--codec", "libx264")
    assert run.returncode == 0, run.stderr
