"""Sample sheets and loss curves as pictures that can be opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.plots import loss_curves, sample_sheet
from training.step import LOSS_NAMES


def test_sample_sheet() -> None:
    """Columns stand side by side and their pictures below each other, in order."""
    pictures = [np.full((4, 5, 3), value, np.uint8) for value in range(6)]
    sheet = sample_sheet([pictures[:2], pictures[2:4], pictures[4:]])
    assert sheet.shape == (8, 15, 3)
    found = sheet[::4, ::5, 0]
    assert found.tolist() == [[0, 2, 4], [1, 3, 5]]


def _log(path: Path, steps: int, names: tuple[str, ...]) -> Path:
    rows = [
        {"step": step + 1}
        | {name: 1 / (step + 1) if name in names else None for name in LOSS_NAMES}
        for step in range(steps)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_loss_curves(tmp_path: Path) -> None:
    """Long logs, short logs, and logs without a discriminator all become a picture with curves."""
    inked = {}
    for name, steps, known in (
        ("long", 900, LOSS_NAMES),
        ("one", 1, LOSS_NAMES),
        ("alone", 50, ("loss_G_pixel", "loss_G")),
    ):
        target = tmp_path / f"{name}.png"
        loss_curves(_log(tmp_path / f"{name}.jsonl", steps, known), target)
        with Image.open(target) as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        assert min(pixels.shape[:2]) > 300
        inked[name] = (np.ptp(pixels, axis=2) > 60).sum()  # colored pixels: curves and legend
    assert inked["long"] > inked["one"] > 0
    assert inked["long"] > inked["alone"]
