"""What the benchmarks of photographs and films share: clocks, and processes that are measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """Seconds on the clock, and CPU seconds of all threads."""

    work: float
    cpu: float


class Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._started, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> Work:
        return Work(time.perf_counter() - self._started, time.process_time() - self._cpu)


def model() -> Path:
    """The model of all ways that are compared: the default, or another by COLORBATCH_MODEL."""
    from colorbatch.model.contract import find_model

    return find_model(os.environ.get("COLORBATCH_MODEL"))


@dataclass(frozen=True)
class Ended:
    """A process that has ended. whole, cpu: its seconds on the clock and those of its threads;
    memory: its peak in MB (10**6 bytes); said: what it printed in JSON."""

    whole: float
    cpu: float
    memory: float
    said: Mapping[str, float]


def run_python(
    command: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
    below: Sequence[str | Path] = (),
) -> Ended:
    """Run a command of Python's, and measure it from outside. env: its environment, None for this
    one's; below: a program that runs it, with its options. CPU and memory are NaN on Windows."""
    started = time.perf_counter()
    process = subprocess.Popen([*below, sys.executable, *command], stdout=subprocess.PIPE, env=env)
    assert process.stdout is not None
    said: dict[str, float] = {}
    for line in process.stdout.read().splitlines():
        said |= json.loads(line)
    memory = cpu = float("nan")
    if hasattr(os, "wait4"):  # nothing like it on Windows
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
        memory = usage.ru_maxrss * unit / 1e6
        cpu = usage.ru_utime + usage.ru_stime
    if process.wait():
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Ended(time.perf_counter() - started, cpu, memory, said)
