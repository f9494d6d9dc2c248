"""Benchmarks run and tell what they promise. Times are not judged: machines differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.skipif(sys.platform == "win32", reason="nothing tells it there")
def test_memory_is_told_in_megabytes() -> None:
    """A process that holds 300 * 10**6 bytes more than another has a peak that is 300 MB higher;
    1 % for pages that come and go."""
    code = "from clocks import run_python as run\n"
    code += "peaks = [run(['-c', f'held = bytes([1]) * {n}']).memory for n in (10**8, 4 * 10**8)]\n"
    code += "print(peaks[1] - peaks[0])"
    # measured from a small process: a child's peak is never less than its parent's
    told = subprocess.check_output([sys.executable, "-c", code], cwd=BENCHMARKS, text=True)
    assert float(told) == pytest.approx(300, rel=0.01)
