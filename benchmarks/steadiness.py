"""How steady models' color is: on photographs changed a little, on films, on pans over photographs.

`python benchmarks/steadiness.py MODEL... --photographs DIR [--films DIR] [--limit N] [--pans N]
[--seed S] [--json]` measures runs and ONNX files (PATH or NAME=PATH) on the lightness of pictures
in color, each squeezed to the model's square, and prints one line a model in up to three tables.
All figures are in Lab units, and behind each is what it is of `chroma`, the mean C*ab that the
model predicts on the same pictures: a model that colors faintly has little to move.

- Photographs: one pixel further down and to the right (and back, for the comparison), encoded grey
  times 1.05, and Gaussian grain of 2 % of the range. `moved`: mean |d ab| over pixels and channels
  between the color before and after. `step`: how far the whole picture's mean color goes,
  hypot(d mean a, d mean b). Means over photographs, and over the three changes.
- Films, the clips in color of a folder, up to 120 frames of each: the step of the whole picture's
  mean color from frame to frame, mean over frames and then over clips; the worst of all; and each
  clip's. The last line is the truth's: its color has reasons to change. Clips in grey are left out.
- Pans: windows of 80 % of the first photographs that move and zoom slowly for 24 frames, and the
  same with grain of 2 % and brightness that flickers by 2 % (`old`). The mean step, and the worst.

Photographs come in an order that hashes of their names give, grain and paths from the seed.
`--json` prints every figure in Lab units, unrounded.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import numpy as np
from tabulate import tabulate

from colorbatch import color
from colorbatch.errors import ColorbatchError, UsageError
from training import steadiness
from training.cli import named
from training.models import Model, open_model
from training.photographs import Photographs
from training.steadiness import CHANGES, TRUTH, Course, Sway

FRAMES = 120
GREY = color.GREY_CHROMA
SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm")

Courses = Mapping[str, Sequence[Course]]
"""A model's name, or TRUTH, to its course on each sequence."""


def frames_of(path: Path) -> Iterator[color.Codes]:
    """The first frames of a clip, RGB (H, W, 3), uint8."""
    with av.open(str(path)) as container:
        for frame in itertools.islice(container.decode(video=0), FRAMES):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def on_films(models: Sequence[Model], folder: Path) -> dict[str, dict[str, Course]]:
    """Every clip in color by its name: every model by name, and TRUTH."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found = {}
    for path in paths:
        looked_at = itertools.islice(frames_of(path), 0, None, FRAMES // 10)
        if np.mean([color.mean_chroma(color.rgb_to_lab(rgb)) for rgb in looked_at]) < GREY:
            continue
        name = path.relative_to(folder).as_posix()
        found[name] = steadiness.courses(models, frames_of(path))
    if not found:
        raise UsageError(f"no clips in color in {folder}")
    return found


def cell(value: float, chroma: float) -> str:
    """A figure in Lab units, and what it is of the model's own chroma."""
    return f"{value:.3f} ({value / chroma:.1%})" if chroma else f"{value:.3f}"


def photographs_table(swaying: Mapping[str, Sway]) -> str:
    """One line a model."""
    headings = [f"{what} {change}" for what in ("moved:", "step:") for change in (*CHANGES, "mean")]
    lines = []
    for name, sway in swaying.items():
        every = [*sway.changes.values(), sway.mean]
        figures = [one.ab for one in every] + [one.step for one in every]
        lines.append([name, f"{sway.chroma:.2f}", *(cell(one, sway.chroma) for one in figures)])
    return str(tabulate(lines, ["", "chroma", *headings], disable_numparse=True))


def courses_table(columns: Mapping[str, Courses]) -> str:
    """One line a model, and the truth's: chroma, mean step and worst step for each column."""
    names = sorted(next(iter(columns.values())), key=lambda name: name == TRUTH)
    lines = []
    for name in names:
        means = [steadiness.mean_course(found[name]) for found in columns.values()]
        cells = [
            (f"{one.chroma:.2f}", cell(one.step, one.chroma), f"{one.worst:.2f}") for one in means
        ]
        lines.append([name, *itertools.chain.from_iterable(cells)])
    headings = ["", *itertools.chain.from_iterable(("chroma", one, "worst") for one in columns)]
    return str(tabulate(lines, headings, disable_numparse=True))


def to_json(swaying: Mapping[str, Sway], columns: Mapping[str, Courses]) -> str:
    """What the tables hold, in Lab units: model by model, and column by column."""
    photographs = {
        name: dataclasses.asdict(sway) | {"mean": dataclasses.asdict(sway.mean)}
        for name, sway in swaying.items()
    }
    sequences = {
        heading: {
            name: dataclasses.asdict(steadiness.mean_course(found)) for name, found in rows.items()
        }
        for heading, rows in columns.items()
    }
    return json.dumps({"photographs": photographs, "sequences": sequences}, indent=1)


def main() -> None:
    """Measure, and print the tables or the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--films", type=Path)
    parser.add_argument("--limit", type=int, default=100, help="photographs at most; 0 is all")
    parser.add_argument("--pans", type=int, default=8, help="photographs to pan over; 0 is none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        paths = named(tuple(arguments.models))
        models = [open_model(path, name) for name, path in paths.items()]
        photographs = Photographs(arguments.photographs, arguments.limit)
        swaying = steadiness.on_photographs(models, photographs, arguments.seed)
        films = on_films(models, arguments.films) if arguments.films else {}
        pans = {
            heading: steadiness.on_pans(
                models,
                Photographs(arguments.photographs, arguments.pans),
                arguments.seed,
                old=heading == "old",
            )
            for heading in ("clean", "old")
            if arguments.pans
        }
    except ColorbatchError as error:
        parser.error(str(error))
    columns: dict[str, Courses] = {}
    if films:
        names = next(iter(films.values()))
        columns["step on films"] = {name: [row[name] for row in films.values()] for name in names}
        columns |= {clip: {name: [one] for name, one in row.items()} for clip, row in films.items()}
    panned = {f"step on {name} pans": found for name, found in pans.items()}
    if arguments.json:
        print(to_json(swaying, columns | panned))
        return
    print(photographs_table(swaying))
    for part in (columns, panned):
        if part:
            print("\n" + courses_table(part))


if __name__ == "__main__":
    main()
