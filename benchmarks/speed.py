"""README's tables of speed, by one command.

`python benchmarks/speed.py FOLDER CLIP [--rounds N] [--factor F] [--sets NAME...]` takes sets of
`photographs.py`, made of the photographs in color of FOLDER, and those of `film.py`, made of the
pictures of CLIP, through all their ways, and prints a table in Markdown of each, and on what
machine it was. Ratios are of CPU seconds without start, but for those of whole commands.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import film
import photographs
from clocks import model

LIBRARIES = ("onnxruntime", "opencv-python-headless", "numpy", "pillow", "av")


def machine() -> str:
    """The processor, how many cores of it, and the libraries that count, in a sentence."""
    name = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.exists():
        lines = told.read_text().splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        found = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_bf16") if flag in flags]
        name += f" ({', '.join(found)})" if found else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return (
        f"{cores} cores of {name}, {platform.system()}, Python {platform.python_version()}, "
        f"{versions}; model `{model().stem}`."
    )


def row(
    name: str, rate: str, memory: float, loop: Sequence[float], limit: Sequence[float], whole: float
) -> str:
    """A line of a table. loop, limit: ratios of CPU seconds of each round; whole: that of whole
    commands on the clock to the loop's."""
    middle, share = statistics.median(loop), statistics.median(limit)
    return f"| {name} | {rate} | {memory:.0f} MB | {middle:.2f} | {whole:.2f} | {share:.2f} |"


def of_photographs(chosen: photographs.Set, folder: Path, rounds: int, factor: float) -> str:
    """The row of a set."""
    count = max(2, round(chosen.count * factor))
    runs = photographs.rounds_of(chosen, folder, rounds, count)
    cpu = {way: [run.cpu for run in found] for way, found in runs.items()}
    own = cpu["ours, warm"]
    rate = count / statistics.median(run.work for run in runs["ours, warm"])
    return row(
        chosen.name,
        f"{rate:.1f} a second",
        max(run.memory for run in runs["ours"]),
        film.ratios(cpu["loop"], own),
        film.ratios(cpu["limit"], own),
        _whole(runs["loop"], runs["ours"]),
    )


def of_films(chosen: film.Set, clip: Path, rounds: int, factor: float) -> str:
    """The row of a set."""
    count = max(2, round(chosen.count * factor))
    runs = film.rounds_of(chosen, clip, rounds, count)
    loop = [run.cpu for run in runs["loop"]]
    rate = count / statistics.median(run.work for run in runs["ours, warm"])
    return row(
        chosen.name,
        f"{rate:.1f} frames/s",
        max(run.memory for run in runs["ours"]),
        film.ratios(loop, [run.cpu for run in runs["ours, warm"]]),
        film.of_limit(runs),
        _whole(runs["loop"], runs["ours"]),
    )


def _whole(
    loop: Sequence[photographs.Run | film.Run], ours: Sequence[photographs.Run | film.Run]
) -> float:
    return statistics.median(film.ratios([run.whole for run in loop], [run.whole for run in ours]))


def head(name: str) -> str:
    """The first lines of a table."""
    columns = (name, "colorbatch", "peak memory", "times the loop", "the same, whole commands")
    return f"\n| {' | '.join(columns)} | share of the limit |\n{'|---' * 6}|"


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="photographs in color")
    parser.add_argument("clip", type=Path, help="a film; its luma is used")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--factor", type=float, default=1, help="of the numbers of each")
    parser.add_argument("--sets", nargs="+", default=[], help="how names of sets begin")
    asked = parser.parse_args()

    def wanted(name: str) -> bool:
        return not asked.sets or name.startswith(tuple(asked.sets))

    print(machine())
    print(head("grey pictures"))
    for still in photographs.SETS:
        if wanted(still.name):
            print(of_photographs(still, asked.folder, asked.rounds, asked.factor), flush=True)
    print(head("grey films"))
    for clip in film.SETS:
        if wanted(clip.name):
            print(of_films(clip, asked.clip, asked.rounds, asked.factor), flush=True)


if __name__ == "__main__":
    main()
