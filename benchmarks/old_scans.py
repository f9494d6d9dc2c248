"""How models do on photographs as old scans show them, beside the same photographs clean.

`python benchmarks/old_scans.py MODEL... --photographs DIR [--limit N] [--seed S]` measures runs and
ONNX files (PATH or NAME=PATH): the mean absolute error of a and b, in parts of the grey picture's,
when the model sees the photograph's own lightness (`clean`), and when it sees what
`training.degradation.old_scan` makes of it (`old`: other spectral sensitivity, tones, fading, blur,
grain, scratches, JPEG; drawn from the seed). Each photograph is squeezed to the model's square.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

from colorbatch import color
from training import spaces
from training.cli import named
from training.degradation import old_scan
from training.draws import Draws, keys
from training.models import BATCH, Model, open_model
from training.photographs import Photographs


def errors(model: Model, folder: Path, limit: int, seed: int) -> tuple[float, float]:
    """Errors of grey's on clean photographs and on old scans of them."""
    sums = np.zeros(3)
    photographs = Photographs(folder, limit).map(lambda rgb: color.resize_area(rgb, model.size))
    number = 0
    while batch := [rgb for _, rgb in islice(photographs, BATCH)]:
        rgb = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255
        light = spaces.linear(rgb)
        lightness, true = spaces.lab_of_linear(light)
        indices = torch.arange(number, number + len(batch))
        number += len(batch)
        old = old_scan(light, Draws(keys(seed, 0, indices)))
        truth = true.permute(0, 2, 3, 1).numpy()
        found = [model.predict(seen[:, 0].numpy()) for seen in (lightness, old)]
        sums += [np.abs(each - truth).mean((1, 2, 3)).sum() for each in (*found, 0 * truth)]
    return sums[0] / sums[2], sums[1] / sums[2]


def main() -> None:
    """Print one line a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="+", metavar="RUN|MODEL.onnx")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for name, path in named(tuple(given.models)).items():
        rows.append(
            [name, *errors(open_model(path, name), given.photographs, given.limit, given.seed)]
        )
    print(tabulate(rows, ["", "clean", "old"], floatfmt=".3f"))


if __name__ == "__main__":
    main()
