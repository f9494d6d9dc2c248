"""What people are told while a film is made."""

from __future__ import annotations

import pytest

from colorbatch.cli.progress import Progress


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


def test_frames_of_earlier_runs_have_no_part_in_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """130,000 frames, 100,000 of them there: 60 in a minute are 1 frame/s, and 499 minutes left."""
    clock = [0.0]
    with Progress("reel", quiet=False, now=lambda: clock[0]) as progress:
        progress.stage("", 130_000)
        clock[0] = 30.0  # the journal is read
        progress.found(100_000)
        clock[0] = 90.0
        progress.more(60)
    assert capsys.readouterr().err == "reel: 100,060 frames, 1.0 frames/s, 499 min left\n"


def test_a_bar_begins_where_the_earlier_run_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its share is of all frames; its rate is not that of 100,000 frames in no time."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress("reel", quiet=False) as progress:
        progress.stage("", 130_000)
        progress.found(100_000)
    last = terminal.text.rstrip().split("\r")[-1]
    assert "100000/130000" in last and "77%" in last
    assert "?frame/s" in last or "0.00frame/s" in last, last


def test_each_stage_is_told_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Hashing 1.6 TB at 160 MB/s is said in bytes, and is not counted from the frames' begin."""
    clock = [0.0]
    with Progress("reel", quiet=False, now=lambda: clock[0]) as progress:
        progress.stage("", 10)(10)
        clock[0] = 1000.0
        more = progress.stage("the source is hashed", 1_600_000_000_000, "B")
        clock[0] = 1100.0
        more(16_000_000_000)
    text = "reel: the source is hashed: 16 GB, 160 MB/s, 165 min left\n"
    assert capsys.readouterr().err == text
