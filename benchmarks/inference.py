"""Speed and memory of models by themselves: the engine alone, no files of pictures.

`python benchmarks/inference.py MODEL... [--rounds N] [--batch-sizes N,N,...] [--beside NAME]
[--device DEVICE] [--threads N] [--json]` opens ONNX files (PATH or NAME=PATH) with the tool's own
engine, as a run does, and prints one line for each batch size and model:

- `ms a picture`: milliseconds on the clock of `Engine.predict` on one full batch, divided by the
  pictures in it; median over rounds. In each round every model predicts one batch, in turn, after
  a batch each that does not count.
- `of NAME's`: that time in parts of the time of the model that --beside names, by default the last;
  median of the ratios of the rounds. What slows the machine for a while slows both.
- `peak`: peak resident memory, in MB of 10**6 bytes, of a fresh process that imports what a run
  imports, opens the model, makes 64 pictures (17 MB at 256x256) and predicts them batch by batch.
  `colorbatch.formats.memory_need.BASE_BYTES` rests on it.

Pictures are random lightness at the model's own size. Measured on a machine that has nothing else
to do: beside other jobs the milliseconds depend on those, and the ratios scatter. `--json` prints
all figures unrounded, and the milliseconds of each round.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clocks import Clock, run_python
from tabulate import tabulate

from colorbatch.color import Float
from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.model.engine import Engine
from training.cli import named

PICTURES = 64
"""So many are predicted where memory is measured."""
IMPORTED = ("colorbatch.cli", "colorbatch.stills.batch")
"""What a run of `colorbatch images` imports, and all that these import."""


@dataclass(frozen=True)
class Figures:
    """Of one model at one batch size. rounds: milliseconds of one picture, round by round, and
    milliseconds: their median; ratio: to the model beside it; memory: peak in MB."""

    model: str
    batch_size: int
    milliseconds: float
    ratio: float
    memory: float
    rounds: Sequence[float]


def random_lightness(count: int, size: tuple[int, int], rng: np.random.Generator) -> Float:
    """L* (N, H, W) in [0, 100], float32; size: (H, W)."""
    lightness = rng.random((count, *size), np.float32)
    lightness *= 100
    return lightness


def predict_alone(path: Path, device: str, batch_size: int, threads: int) -> None:
    """All that the process does whose memory is measured."""
    for name in IMPORTED:
        importlib.import_module(name)
    engine = Engine(path, device, batch_size=batch_size, threads=threads)
    lightness = random_lightness(PICTURES, engine.size, np.random.default_rng(0))
    for start in range(0, PICTURES, batch_size):
        engine.predict(lightness[start : start + batch_size])


def memory_of(path: Path, device: str, batch_size: int, threads: int) -> float:
    """Peak resident memory of `predict_alone` in a fresh process, in MB."""
    options = ["--device", device, "--batch-sizes", str(batch_size), "--threads", str(threads)]
    return run_python([Path(__file__), path, "--task", "predict", *options]).memory


def take_turns(
    engines: Mapping[str, Engine], batch_size: int, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of one picture, by model, round by round."""
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {name: [] for name in engines}
    batches = {
        name: random_lightness(batch_size, engine.size, rng) for name, engine in engines.items()
    }
    for name, engine in engines.items():
        engine.predict(batches[name])
    for _ in range(rounds):
        for name, engine in engines.items():
            clock = Clock()
            engine.predict(batches[name])
            taken[name].append(1000 * clock.stop().work / batch_size)
    return taken


def median_ratio(own: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of own times to theirs, round by round."""
    return statistics.median(one / other for one, other in zip(own, theirs, strict=True))


def measure(
    paths: Mapping[str, Path],
    device: str,
    batch_sizes: Sequence[int],
    rounds: int,
    beside: str,
    threads: int = 0,
) -> list[Figures]:
    """Every model at every batch size; beside: the name of the model that times are compared to;
    threads: as of `Engine`."""
    # first of all, while this process is small: Linux counts what a process had before it became
    # another program as that program's peak
    memory = {
        (size, name): memory_of(path, device, size, threads)
        for size in batch_sizes
        for name, path in paths.items()
    }
    engines = {
        name: Engine(path, device, batch_size=max(batch_sizes), threads=threads)
        for name, path in paths.items()
    }
    found = []
    for size in batch_sizes:
        taken = take_turns(engines, size, rounds)
        for name, times in taken.items():
            middle, ratio = statistics.median(times), median_ratio(times, taken[beside])
            found.append(Figures(name, size, middle, ratio, memory[size, name], times))
    return found


def table(figures: Sequence[Figures], beside: str) -> str:
    """One line for each batch size and model."""
    lines = [
        [one.model, one.batch_size, one.milliseconds, one.ratio, one.memory] for one in figures
    ]
    headings = ["", "batch of", "ms a picture", f"of {beside}'s", "peak, MB"]
    return str(tabulate(lines, headings, floatfmt=("", "", ".1f", ".2f", ".0f")))


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def positives(text: str) -> list[int]:
    """Some, with commas between."""
    return [positive(part) for part in text.split(",")]


def main() -> None:
    """Measure and print, or do the task of a process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--rounds", type=positive, default=60)
    parser.add_argument("--batch-sizes", type=positives, default=[1, 2, 4, 8, 16])
    parser.add_argument("--beside", metavar="NAME", help="whose time is 1 (default: the last's)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0: one per core")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--task", choices=["predict"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    try:
        if asked.task:
            predict_alone(Path(asked.models[0]), asked.device, asked.batch_sizes[0], asked.threads)
            return
        paths = named(tuple(asked.models))
        beside = asked.beside or list(paths)[-1]
        if beside not in paths:
            raise UsageError(f"--beside {beside}: no model of that name; {', '.join(paths)}")
        sizes, rounds = asked.batch_sizes, asked.rounds
        figures = measure(paths, asked.device, sizes, rounds, beside, asked.threads)
    except ColorbatchError as error:
        parser.error(str(error))
    if asked.json:
        rows = [dataclasses.asdict(one) for one in figures]
        print(json.dumps({"device": asked.device, "beside": beside, "figures": rows}, indent=1))
    else:
        print(table(figures, beside))


if __name__ == "__main__":
    main()
