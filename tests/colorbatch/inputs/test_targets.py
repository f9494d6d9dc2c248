"""What must not be written to: sources by any name, and what another source becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from colorbatch.inputs.numbered_files import FrameSequence
from colorbatch.inputs.targets import Taken, refuse_clashes
from colorbatch.job import Job


@pytest.fixture
def reel(tmp_path: Path) -> FrameSequence:
    """Two frames that are there."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a_001.dpx", "a_002.dpx"):
        (folder / name).write_bytes(b"x")
    return FrameSequence(folder, "a_", 3, ".dpx", (1, 2))


def frames(folder: Path, suffix: str, out: Path) -> tuple[Job, list[Job]]:
    """A sequence of three frames as one job, and as a job for each."""
    one = Job(folder / f"a_%03d{suffix}", out / f"a_%03d{suffix}")
    names = [f"a_{number:03d}{suffix}" for number in range(3)]
    return one, [Job(folder / name, out / name) for name in names]


@pytest.mark.parametrize("other", ["A.mkv", "a.mkv"])
def test_two_sources_for_one_target(tmp_path: Path, other: str) -> None:
    """Also where only letter case tells them apart; both are named."""
    jobs = [Job(tmp_path / "a.mov", tmp_path / other), Job(tmp_path / "a.avi", tmp_path / "a.mkv")]
    with pytest.raises(UsageError, match=r"a\.mov and .*a\.avi would both become"):
        refuse_clashes(jobs)
    refuse_clashes([jobs[0], jobs[0]])  # given twice


def test_a_target_is_no_source(tmp_path: Path) -> None:
    """Neither its own nor that of another job."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    for jobs in ([Job(one, one)], [Job(one, two), Job(two, tmp_path / "three.png")]):
        with pytest.raises(UsageError, match="the target is a source; sources are never written"):
            refuse_clashes(jobs)


def test_frames_and_sound_are_sources(reel: FrameSequence, tmp_path: Path) -> None:
    """A frame, there or not, the sound, and other names of both, are no targets."""
    source, sound = reel.folder / reel.pattern, tmp_path / "a.wav"
    taken = Taken.of([source, sound], [reel])
    (tmp_path / "linked.mkv").hardlink_to(reel.path(2))
    for target in (reel.path(1), reel.path(3), source, sound, tmp_path / "linked.mkv"):
        with pytest.raises(UsageError, match="the target is a source"):
            refuse_clashes([Job(source, target)], taken)
    refuse_clashes([Job(source, reel.folder / "a_1.mkv")], taken)


def test_frames_of_two_sequences_for_one_name(tmp_path: Path) -> None:
    """They are compared one by one where they share a folder, and without letter case; those of
    one sequence, and the same sequence twice, are one work."""
    out = tmp_path / "out"
    one, every = frames(tmp_path / "x", ".tif", out)
    two, others = frames(tmp_path / "y", ".TIF", out)
    with pytest.raises(UsageError, match="would both become"):
        refuse_clashes([one, two], frames={one: every, two: others})
    refuse_clashes([one, two], frames={one: every, two: others[3:]})
    refuse_clashes([one, one], frames={one: every})
    three, elsewhere = frames(tmp_path / "y", ".tif", tmp_path / "other")
    refuse_clashes([one, three], frames={one: every, three: elsewhere})
