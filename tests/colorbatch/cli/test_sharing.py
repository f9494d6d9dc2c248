"""Sequences of frames that several machines share by `colorbatch video --shard`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch.job import Job
from colorbatch.journal.results import Journals

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def reels(dpx_file: Any, tmp_path: Path) -> Path:
    """Six sequences of three DPX frames, all of one name, one above the others."""
    for name in ("", *(f"r{number}" for number in range(1, 6))):
        (tmp_path / "reels" / name).mkdir()
        for number in range(3):
            codes = np.full((8, 8, 1), 300 + number, np.uint16)
            path = tmp_path / "reels" / name / f"scan_{number:06d}.dpx"
            dpx_file(codes, transfer=1).write(path)
    return tmp_path / "reels"


def made(folder: Path) -> set[str]:
    """The frames below a folder."""
    found = folder.rglob("*.dpx")
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


def test_sequences_of_one_name_are_spread(
    run_cli: Run, tiny_model: Path, reels: Path, tmp_path: Path
) -> None:
    """Reels r1 to r5, each scan_%06d.dpx: every machine makes some, together they make all."""
    parts = []
    for part in ("1/2", "2/2"):
        output = tmp_path / f"o{part[0]}"
        run = run_cli("video", reels, "-o", output, "-m", tiny_model, "--shard", part)
        assert run.returncode == 0, run.stderr
        parts.append(made(output))
    assert parts[0] and parts[1] and not parts[0] & parts[1]
    assert parts[0] | parts[1] == made(reels)


def test_machines_do_not_lock_each_other_out(
    run_cli: Run, tiny_model: Path, reels: Path, tmp_path: Path
) -> None:
    """While one works on the folder above, the other makes its part of those below, and all that
    are in one folder; only the same part twice is refused, before any work."""
    for number in range(6):
        shutil.copy(reels / "scan_000001.dpx", reels / f"other{number}x_1.dpx")
    out = tmp_path / "out"
    with Journals([Job(reels / "a", out / "a", home=out)], (1, 2)) as journals:
        journals.lock()
        run = run_cli("video", reels, "-o", out, "-m", tiny_model, "--shard", "2/2")
        assert run.returncode == 0, run.stderr
        again = run_cli("video", reels, "-o", out, "-m", tiny_model, "--shard", "1/2")
        assert again.returncode == 1 and "another run is at work here" in again.stderr
    part = made(out)
    assert 0 < len(part) < len(made(reels))
    rest = run_cli("video", reels, "-o", out, "-m", tiny_model, "--shard", "1/2", "--json")
    assert rest.returncode == 0 and made(out) == made(reels), rest.stderr
    whole = run_cli("video", reels, "-o", out, "-m", tiny_model, "--json")
    assert json.loads(whole.stdout.splitlines()[-1])["summary"]["skipped_because"] == {
        "finished": 12
    }
