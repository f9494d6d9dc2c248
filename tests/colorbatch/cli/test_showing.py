"""What people are told while a film is made, or pictures are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorbatch.cli.showing import Shower
from colorbatch.job import Outcome
from colorbatch.run.runs import Run


class Terminal:
    """Where a bar is drawn."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def shower(clock: list[float], *, films: bool = True) -> Shower:
    return Shower(as_json=False, quiet=False, verbose=False, films=films, now=lambda: clock[0])


def test_frames_of_earlier_runs_have_no_part_in_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """130,000 frames, 100,000 of them there: 60 in a minute are 1 frame/s, and 499 minutes left."""
    clock = [0.0]
    show = shower(clock)
    more = show.stage("reel", 130_000)
    clock[0] = 30.0  # the journal is read
    show.found(100_000)
    clock[0] = 90.0
    more(60)
    told = "reel: 100,060 of 130,000 frames, 1.00 frames/s, 499 min left\n"
    assert capsys.readouterr().err == told


def test_pictures_of_earlier_runs_have_no_part_in_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of 400 pictures 300 were finished; one that takes two minutes leaves 198."""
    clock = [0.0]

    class Slow(Run):
        def _planned(self) -> tuple[Iterator[Outcome], None]:
            return self._outcomes(), None

        def _outcomes(self) -> Iterator[Outcome]:
            self.watch.begun(400, 300)
            clock[0] = 120.0
            yield Outcome(Path("a"), Path("b"), "colored")

    show = shower(clock, films=False)
    show.all_of(Slow(show))
    told = "301 of 400 pictures, 0.01 pictures/s, 198 min left"
    assert capsys.readouterr().err.splitlines()[0] == told


def test_a_bar_begins_where_the_earlier_run_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its share is of all frames; its rate is not that of 100,000 frames in no time."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    show = shower([0.0])
    show.stage("reel", 130_000)
    show.found(100_000)
    last = terminal.text.rstrip().split("\r")[-1]
    assert "100000/130000" in last and "77%" in last
    assert "?frame/s" in last or "0.00frame/s" in last, last


def test_each_stage_is_told_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Hashing 1.6 TB at 160 MB/s is said in bytes, and is not counted from the frames' begin."""
    clock = [0.0]
    show = shower(clock)
    show.stage("reel", 10)(10)
    clock[0] = 1000.0
    more = show.stage("reel: the source is hashed", 1_600_000_000_000, "B")
    clock[0] = 1100.0
    more(16_000_000_000)
    text = "reel: the source is hashed: 16 GB of 1.6 TB, 160 MB/s, 165 min left\n"
    assert capsys.readouterr().err == text
