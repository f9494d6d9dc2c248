"""Pictures of a run: sample sheets and loss curves. Files in, PNG out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

from colorbatch import color
from colorbatch.files import replacing
from training.step import LOSS_NAMES


def sample_sheet(columns: Sequence[Sequence[color.Codes]]) -> color.Codes:
    """Pictures of equal size side by side: one column per sequence; (H, W, 3), uint8."""
    return np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)


def loss_curves(log: Path, target: Path) -> None:
    """The losses in a run's log.jsonl over its steps, smoothed, as a PNG."""
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    steps = np.array([row["step"] for row in rows])
    figure = matplotlib.figure.Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name in LOSS_NAMES:
        values = np.array([np.nan if row[name] is None else row[name] for row in rows], float)
        if np.isnan(values).all():
            continue
        window = max(1, len(values) // 200)
        smooth = np.convolve(values, np.ones(window) / window, "valid")
        axes = lower if name == "loss_G" else upper
        if name == "loss_G_pixel":
            smooth, name = smooth * 100, "loss_G_pixel x 100"
            axes = lower
        axes.plot(steps[window - 1 :], smooth, label=name, linewidth=1)
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(loc="upper right")
    lower.set_xlabel("step")
    with replacing(target) as file:
        figure.savefig(file, format="png", dpi=100)
