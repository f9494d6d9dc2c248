"""Pictures of runs: sheets and loss curves. Runs, logs and photographs in, PNG out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from PIL import Image, ImageDraw, ImageFont

from colorbatch import color
from colorbatch.color import luma_join
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from colorbatch.fs.atomic import make_folder, replacing
from training import checkpoint
from training.folders import find_photographs
from training.metrics import colored_picture
from training.models import Model
from training.photographs import Photographs
from training.step import D_LOSSES, LOSS_NAMES

HEADING = 22
"""Height of a sheet's line of headings, in pixels."""
Numbers = npt.NDArray[np.float64]


# --- sheets ------------------------------------------------------------------------------------


def sample_sheet(columns: Sequence[Sequence[color.Codes]]) -> color.Codes:
    """Pictures of equal size side by side: one column per sequence; (H, W, 3), uint8."""
    return np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)


def labelled_sheet(columns: Mapping[str, Sequence[color.Codes]]) -> color.Codes:
    """A sheet with a heading above each column, as wide as its first picture."""
    sheet = sample_sheet(list(columns.values()))
    width = sheet.shape[1] // len(columns)
    heading = Image.new("RGB", (sheet.shape[1], HEADING), "white")
    draw, font = ImageDraw.Draw(heading), ImageFont.load_default(size=13)
    for i, name in enumerate(columns):
        draw.text((i * width + 4, 3), name, "black", font)
    return np.concatenate([np.asarray(heading), sheet])


def write_png(picture: color.Codes, target: Path) -> None:
    """Write (H, W, 3), uint8, as a PNG; whole or not at all."""
    with replacing(target) as file:
        Image.fromarray(picture).save(file, "PNG")


def triptychs(models: Sequence[Model], photographs: Photographs, side: int) -> color.Codes:
    """Grey, each model, truth: a sheet of color photographs, squeezed to squares of `side`.

    Raises UsageError if there is none.
    """
    columns: dict[str, list[color.Codes]] = {"grey": [], **{m.name: [] for m in models}}
    columns["truth"] = []
    for _, rgb in photographs:
        square = color.resize_area(rgb, (side, side))
        columns["grey"].append(np.dstack([color.grey_of(square)] * 3))
        lab = color.rgb_to_lab(square)
        for model in models:  # each sees the whole photograph, not the square
            [ab] = model.chroma_for([rgb], (side, side))
            columns[model.name].append(colored_picture(lab, ab))
        columns["truth"].append(square)
    if not columns["truth"]:
        raise UsageError(f"no color photographs in {photographs.folder}")
    return labelled_sheet(columns)


def old_pictures(
    models: Sequence[Model], folder: Path, count: int, height: int, skip: Path | None = None
) -> color.Codes:
    """Black-and-white pictures and their colorings, which keep their luma as the tool does; scaled
    to `height`, centered on white. Pictures that cannot be read, and what lies below `skip`, are
    passed over."""
    rows = []
    for path in find_photographs(folder, skip):
        try:
            grey = color.grey_of(load_rgb(path))
        except SourceError:
            continue
        scaled = max(1, round(grey.shape[1] * height / grey.shape[0]))
        grey = color.resize_area(grey, (height, scaled))
        three = np.dstack([grey] * 3)
        rows.append([three, *(luma_join.colorize(grey, m.chroma_for([three])[0]) for m in models)])
        if len(rows) == count:
            break
    if not rows:
        raise UsageError(f"no pictures in {folder}")
    width = max(row[0].shape[1] for row in rows)
    names = ["source", *(model.name for model in models)]
    return labelled_sheet(
        {name: [_centered(row[i], width) for row in rows] for i, name in enumerate(names)}
    )


def _centered(picture: color.Codes, width: int) -> color.Codes:
    left = (width - picture.shape[1]) // 2
    right = width - picture.shape[1] - left
    return np.pad(picture, ((0, 0), (left, right), (0, 0)), constant_values=255)


def over_epochs(run: Path, epochs: Sequence[int]) -> color.Codes:
    """The validation pictures of a run at the wanted epochs, or those that were kept nearest to
    them: grey, one column per epoch, truth. Raises UsageError if the run kept none."""
    found = (run / "samples").glob("*.png")
    kept = {int(path.stem): path for path in found if path.stem.isdecimal()}
    at = {step: epoch for step, epoch in _epochs_at(run).items() if step in kept}
    if not at:
        raise UsageError(f"{run} has kept no sample pictures yet")
    steps = sorted({min(at, key=lambda step: abs(at[step] - wanted)) for wanted in epochs})
    columns: dict[str, list[color.Codes]] = {}
    for step in steps:
        grey, made, truth = np.split(load_rgb(kept[step]), 3, axis=1)
        columns.setdefault("grey", [grey])
        columns[f"epoch {at[step]:.3g}"] = [made]
    return labelled_sheet({**columns, "truth": [truth]})


def _epochs_at(run: Path) -> dict[int, float]:
    """Epochs done after each step of a run's log."""
    rows = _read(run / "log.jsonl")
    per_epoch = max(1, sum(row["epoch"] == 0 for row in rows))
    return {int(row["step"] or 0): (row["step"] or 0) / per_epoch for row in rows}


# --- curves ------------------------------------------------------------------------------------


def _read(log: Path) -> list[dict[str, float | None]]:
    """The whole lines of a log; the last one of a run that goes on may be torn."""
    try:
        *lines, _ = log.read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines]
    except FileNotFoundError:
        raise UsageError(f"{log.parent} is not a run: it has no {log.name}") from None
    except ValueError as error:
        raise UsageError(f"{log}: broken: {error}") from error


def _curves(log: Path) -> tuple[Numbers, dict[str, Numbers]]:
    """Steps, and by name each loss that plays a part, NaN where it does not yet."""
    rows = _read(log)
    losses = {
        name: np.array([row.get(name) for row in rows], np.float64)  # None becomes NaN
        for name in LOSS_NAMES
    }
    steps = np.array([row["step"] for row in rows], np.float64)
    return steps, {name: loss for name, loss in losses.items() if not np.isnan(loss).all()}


def _draw(axes: Axes, steps: Numbers, values: Numbers, label: str, ink: str | None = None) -> None:
    """A curve, smoothed over a two-hundredth of its length."""
    there = ~np.isnan(values)
    window = max(1, there.sum() // 200)
    smooth = np.convolve(values[there], np.ones(window) / window, "valid")
    axes.plot(steps[there][window - 1 :], smooth, label=label, linewidth=1, color=ink)


def _finish(figure: matplotlib.figure.Figure, panels: Sequence[Axes], target: Path) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))  # beside, where it hides no curve
    panels[-1].set_xlabel("step")
    with replacing(target) as file:
        figure.savefig(file, format="png", dpi=100)


def loss_curves(log: Path, target: Path) -> None:
    """The losses in a run's log.jsonl over its steps, smoothed, as a PNG: D real, D fake and G_GAN;
    the generator's loss and its pixel term; G and D together."""
    steps, losses = _curves(log)
    figure = matplotlib.figure.Figure(figsize=(9, 9), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for axes, names in zip(
        panels,
        (
            ("loss_D_real", "loss_D_fake", "loss_G_GAN"),
            ("loss_G", "loss_G_pixel", "loss_G_features"),
            ("loss_G", D_LOSSES[-1]),
        ),
        strict=True,
    ):
        for name in (name for name in names if name in losses):
            _draw(axes, steps, losses[name], name)
    for axes in panels[1:]:
        axes.set_yscale("log")
    _finish(figure, panels, target)


def compare_losses(runs: Mapping[str, Path], target: Path) -> None:
    """Several runs on one axis: the generator's loss, and the error on validation photographs
    (mean |ab|, Lab units), which alone can be compared between different losses."""
    figure = matplotlib.figure.Figure(figsize=(9, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for i, (name, run) in enumerate(runs.items()):
        steps, losses = _curves(run / "log.jsonl")
        if "loss_G" in losses:  # not yet where nothing was logged
            _draw(upper, steps, losses["loss_G"], f"{name}: loss_G", f"C{i}")
        measured = run / "validation.jsonl"
        if measured.exists():
            rows = _read(measured)
            at, errors = ([row[key] for row in rows] for key in ("step", "ab_error"))
            label = f"{name}: |ab| error on validation"
            lower.plot(at, errors, "o-", label=label, linewidth=1, color=f"C{i}")
    upper.set_yscale("log")
    _finish(figure, (upper, lower), target)


# --- the command -------------------------------------------------------------------------------


def plot(
    runs: Mapping[str, Path],
    models: Sequence[Model],
    out: Path,
    *,
    epochs: Sequence[int],
    photographs: Path | None,
    old: Path | None,
    count: int,
    side: int,
) -> list[Path]:
    """Everything that the sources show of runs, as PNG files in `out`: their names.

    NAME-losses.png and NAME-epochs.png per run that was trained; compare.png of several;
    triptychs.png of `count` color photographs, and old.png of black-and-white pictures. Raises
    UsageError.
    """
    # a run between two others has a checkpoint, and was never trained
    trained = {
        name: run
        for name, run in runs.items()
        if (run / "log.jsonl").exists() or not (run / checkpoint.NAME).exists()
    }
    if not trained and photographs is None and old is None:
        raise UsageError("a run between two others has no curves", "--photographs or --old")
    make_folder(out)
    in_color = None if photographs is None else Photographs(photographs, count, out)
    if old is not None and not find_photographs(old, out):
        raise UsageError(f"no pictures in {old}")
    written = []

    def target(name: str) -> Path:
        written.append(out / name)
        return out / name

    for name, run in trained.items():
        loss_curves(run / "log.jsonl", target(f"{name}-losses.png"))
        write_png(over_epochs(run, epochs), target(f"{name}-epochs.png"))
    if len(trained) > 1:
        compare_losses(trained, target("compare.png"))
    if in_color is not None:
        write_png(triptychs(models, in_color, side), target("triptychs.png"))
    if old is not None:
        write_png(old_pictures(models, old, count, side, out), target("old.png"))
    return written
