"""How speed grows with workers and cores, on slow disks too, and where the time goes.

`python benchmarks/scaling.py FOLDER [--clip CLIP] [--workers 1,2,4] [--delays 0,5,20] ...` makes
grey pictures of the photographs in color of FOLDER (of 2 megapixels; `--set` names another of
`photographs.py`) and a grey film of CLIP, and prints tables in Markdown:

- pictures and frames per second over numbers of workers, with threads and with processes, where
  each fsync and each rename takes some milliseconds longer (`--delays`);
- the same over cores, with one worker for each, where the system can limit a process to some;
- for the most workers, of all threads and processes together and per picture: seconds by stage, the
  process's own figures, waits by the line that waits, fsyncs and renames by who calls; and what
  `strace -c -f` counts, where there is strace, in a run of its own.

Each run is a process of its own with `measured.py` in it, and its rate is that of the work without
the start; what a worker process takes to start is work. `--command` measures the command
`python -m colorbatch` from its start to its end instead. Rates are medians of `--rounds`, of runs
without an account, which costs time itself. The model is the default or that which COLORBATCH_MODEL
names. Workers are those of `colorbatch images --executor`; a film's are threads.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import film
import photographs
from clocks import Ended, run_python
from measured import FIELDS, STAGES

HERE = Path(__file__).parent
USED = {
    "ru_utime": ("CPU ms, Python's and libraries'", 1e3),
    "ru_stime": ("CPU ms, the system's", 1e3),
    "ru_minflt": ("pages mapped anew", 1),
    "ru_nvcsw": ("times that a thread waited", 1),
    "ru_nivcsw": ("times that a thread lost its core", 1),
}
MOST_ROWS = 12


@dataclass(frozen=True)
class Case:
    """A run. kind: threads or processes, of pictures, or film; delay: milliseconds that fsync and
    rename take longer; cores: 0 for all."""

    kind: str
    workers: int
    delay: float = 0
    cores: int = 0

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.delay:g} ms"


@dataclass(frozen=True)
class Source:
    """A folder of pictures or a film, and how many there are in it."""

    path: Path
    count: int


@dataclass(frozen=True)
class Bench:
    """What all runs have in common. source: by kind."""

    scratch: Path
    source: dict[str, Source]
    command: bool

    def run(self, case: Case, account: str = "", below: Sequence[str | Path] = ()) -> Ended:
        """Take a case once."""
        asked = {"cores": case.cores, "delay": case.delay / 1000, "account": account}
        paths = (str(self.scratch), str(HERE), os.environ.get("PYTHONPATH", ""))
        env = os.environ | {
            "SCALING": json.dumps(asked),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        source, workers = self.source[case.kind].path, str(case.workers)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            target = Path(folder, "film.mp4") if case.kind == "film" else Path(folder)
            command: list[str | Path] = [__file__, source, "--task", case.kind, workers, target]
            if self.command:
                name = "video" if case.kind == "film" else "images"
                command = ["-m", "colorbatch", name, source, "-q", "--device", "cpu", "-o", target]
                command += ["--workers", workers]
                command += [] if case.kind == "film" else ["--executor", case.kind]
            return run_python(command, env, below)

    def rate(self, case: Case) -> float:
        """Pictures or frames per second."""
        ended = self.run(case)
        return self.source[case.kind].count / ended.said.get("work", ended.whole)

    def account(self, case: Case) -> dict[str, dict[str, list[float]]]:
        """Where the time of a run goes: as of `measured.Account`, of all processes, a picture."""
        total: dict[str, dict[str, list[float]]] = defaultdict(dict)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            self.run(case, folder)
            for path in Path(folder).glob("*.json"):
                for sort, entries in json.loads(path.read_text(encoding="utf-8")).items():
                    for name, entry in entries.items():
                        before = total[sort].get(name, [0.0] * len(entry))
                        both = zip(before, entry, strict=True)
                        total[sort][name] = [one + other for one, other in both]
        count = self.source[case.kind].count
        return {
            sort: {name: [value / count for value in entry] for name, entry in entries.items()}
            for sort, entries in total.items()
        }

    def strace(self, case: Case) -> list[str]:
        """The system calls that take the most of the system's time, as strace prints them."""
        told = self.scratch / "strace"
        self.run(case, below=["strace", "-c", "-f", "-S", "time", "-o", told])
        return told.read_text().splitlines()[: MOST_ROWS + 2]


# --- tables ------------------------------------------------------------------------------------


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def show_rates(bench: Bench, cases: Sequence[Case], over: str, rounds: int) -> None:
    """Rates of cases; a row for each number of workers or cores (`over`)."""
    rates: dict[Case, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for case in cases:
            rates[case].append(bench.rate(case))
    rows: dict[int, list[str]] = defaultdict(list)
    for case in cases:
        rows[getattr(case, over)].append(f"{statistics.median(rates[case]):.1f}")
    titles = list(dict.fromkeys(case.title for case in cases))
    table(
        f"Pictures or frames a second over {over} (median of {rounds})",
        [over, *titles],
        [[str(number), *found] for number, found in rows.items()],
    )


def show_account(bench: Bench, case: Case) -> None:
    """Where the time of one case goes."""
    told = bench.account(case)
    stages, unit = told["stages"], "frame" if case.kind == "film" else "picture"
    order = list(dict.fromkeys(name for names in STAGES.values() for name in names.values()))
    rows = [
        [name, f"{times:.2f}", f"{cpu * 1e3:.2f}", f"{seconds * 1e3:.2f}"]
        for name, (times, seconds, cpu) in sorted(
            stages.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99
        )
    ]
    used = told["usage"]
    cpu = used["ru_utime"][0] + used["ru_stime"][0]
    beside = cpu - sum(entry[2] for entry in stages.values())
    rows.append(["all else: libraries' threads, workers' start", "", f"{beside * 1e3:.2f}", ""])
    heading = f"{case.title}, {case.workers} workers"
    each = f"ms a {unit}"
    table(f"{heading}: stages", ["stage", "times", f"CPU {each}", each], rows)
    late = told.get("gil", {}).get("late", [1.0, 0.0])
    of_processes = [[USED[name][0], f"{used[name][0] * USED[name][1]:.1f}"] for name in FIELDS]
    until = f"{late[1] / late[0] * 1e3:.2f}"
    of_processes.append(["ms until a thread that is due has Python's lock", until])
    table(f"{heading}: the processes", ["what", f"a {unit}"], of_processes)
    for sort, what in (("waits", "locks and waits"), ("calls", "fsyncs and renames")):
        found = sorted(told.get(sort, {}).items(), key=lambda item: -item[1][1])[:MOST_ROWS]
        table(
            f"{heading}: {what}",
            [what, f"times a {unit}", each],
            [[name, f"{e[0]:.2f}", f"{e[1] * 1e3:.2f}"] for name, e in found],
        )


# --- the task of a process, and the whole ------------------------------------------------------


def task(kind: Any, source: Path, workers: int, target: Path) -> None:
    """Take a source once, and say what it took."""
    if kind == "film":
        work = film.library(source, target, workers)
    else:
        work = photographs.library(source, target, workers, kind)
    print(json.dumps(dataclasses.asdict(work)))


def made(scratch: Path, asked: argparse.Namespace) -> dict[str, Source]:
    """Write pictures and film."""
    (pictures := scratch / "pictures").mkdir()
    words = ["--task", "make", pictures, "-", asked.set, str(asked.count)]
    run_python([HERE / "photographs.py", asked.folder, *words])
    found = {kind: Source(pictures, asked.count) for kind in asked.executors}
    if asked.clip:
        clip = scratch / "source.mp4"
        words = ["--task", "make", clip, asked.film, str(asked.frames), "24"]
        run_python([HERE / "film.py", asked.clip, *words])
        found["film"] = Source(clip, asked.frames)
    return found


def powers(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    return sorted({most, *(1 << n for n in range(most.bit_length()))})


def of(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [kind(part) for part in text.split(",") if part]


def main() -> None:
    """Print all tables, or do the task of one process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="photographs in color")
    parser.add_argument("--clip", type=Path, help="a film; its luma is used")
    parser.add_argument("--set", default="2 MP JPEG", choices=[s.name for s in photographs.SETS])
    parser.add_argument("--count", type=int, default=64, help="pictures")
    films = [one.name for one in (film.LONG, *film.SETS) if one.suffix == ".mp4"]
    parser.add_argument("--film", default="540p x264", choices=films)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--workers", type=of(int), default=powers(cores or os.cpu_count() or 1))
    parser.add_argument("--cores", type=of(int), default=powers(cores) if cores else [])
    parser.add_argument("--delays", type=of(float), default=[0.0, 5.0, 20.0], help="ms")
    parser.add_argument("--executors", type=of(str), default=["threads", "processes"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", action="store_true", help="measure the command, with start")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        kind, workers, target = asked.task
        task(kind, asked.folder, int(workers), Path(target))
        return
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "sitecustomize.py").write_text(
            "import os\nif 'SCALING' in os.environ:\n    import measured\n    measured.install()\n"
        )
        bench = Bench(scratch, made(scratch, asked), asked.command)
        print(f"{asked.count} pictures ({asked.set}), {cores or os.cpu_count()} cores", end="")
        print(f", {asked.frames} frames ({asked.film})" if asked.clip else "")
        kinds = [Case(kind, max(asked.workers), d) for kind in bench.source for d in asked.delays]
        over_workers = [replace(one, workers=n) for n in asked.workers for one in kinds]
        show_rates(bench, over_workers, "workers", asked.rounds)
        fast = [Case(kind, n, asked.delays[0], n) for n in asked.cores for kind in bench.source]
        if fast and cores:
            show_rates(bench, fast, "cores", asked.rounds)
        for case in kinds:
            show_account(bench, case)
        for case in kinds if shutil.which("strace") else ():
            if case.delay == asked.delays[0]:
                lines = "\n".join(bench.strace(case))
                print(f"\n{case.title}: strace -c -f, start included\n\n```\n{lines}\n```")


if __name__ == "__main__":
    main()
