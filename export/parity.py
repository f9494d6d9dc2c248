"""The parity gate: does the ONNX file answer as PyTorch does, through the engine that users run?"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import torch

from colorbatch import color
from colorbatch.errors import ParityError, SourceError
from colorbatch.formats.reader import load_rgb
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine
from colorbatch.model.parity import (
    ROUNDED_WEIGHTS,
    SAME_WEIGHTS,
    Difference,
    Golden,
    ParityLimits,
    ParityRecord,
    compare,
)
from export.precision import round_weights
from export.wrapper import Exportable, fold_batch_norm
from training import spaces
from training.folders import find_photographs

BATCHES = (1, 2, 7)
CHECKED_PICTURES = 14
GOLDEN_STRIDE = 3


def pass_gate(
    module: Exportable,
    model: Path,
    *,
    half_weights: bool,
    check: Path | None,
    limits: ParityLimits = SAME_WEIGHTS,
) -> ParityRecord:
    """Compare a module (eval mode, float32) with its exported file, and record the result.

    With float32 weights the reference is the module as it was trained. With float16 weights it is
    the module with the stored, rounded weights, and against the trained one the wider limits hold.
    limits: those with the stored weights, wider for a file that computes in float16.
    Inputs: random lightness, smooth generated pictures, and photographs from `check`. Raises
    ParityError naming every limit that is exceeded.
    """
    engine = Engine(model, "cpu", batch_size=max(BATCHES))
    pictures = test_pictures(engine.size, check)
    stored = module
    if half_weights:
        stored = fold_batch_norm(module)
        round_weights(stored)
    measured = {"same_weights": measure(stored, engine, pictures)}
    excess = measured["same_weights"].over(limits)
    if half_weights:
        measured["float32_weights"] = measure(module, engine, pictures)
        excess += measured["float32_weights"].over(ROUNDED_WEIGHTS)
    if excess:
        raise ParityError(f"the ONNX model differs from PyTorch: {', '.join(excess)}")
    return ParityRecord(
        model_sha256=sha256(model),
        limits=limits,
        goldens=tuple(_golden(stored, name, pictures[name]) for name in pictures if name in KEPT),
        measured={
            "pictures": len(pictures),
            "batches": list(BATCHES),
            "torch": torch.__version__,
            **{name: vars(difference) for name, difference in measured.items()},
        },
    )


KEPT = ("noise", "waves", "photograph 0", "photograph 1")
"""The pictures whose answers go into the parity record."""


def test_pictures(size: tuple[int, int], check: Path | None) -> dict[str, color.Codes]:
    """Grey pictures (H, W), uint8, by name: noise, waves, black, white, and photographs."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]] / np.float64(size[0])
    waves = 127.5 + 80 * np.sin(9 * rows + 5 * columns) + 40 * np.sin(40 * columns * rows)
    pictures = {
        "noise": rng.integers(0, 256, size).astype(np.uint8),
        "waves": np.clip(waves, 0, 255).astype(np.uint8),
        "black": np.zeros(size, np.uint8),
        "white": np.full(size, 255, np.uint8),
    }
    if check is not None:
        found = find_photographs(check)
        spread = found[:: max(1, len(found) // CHECKED_PICTURES)][:CHECKED_PICTURES]
        for i, path in enumerate(spread):
            with contextlib.suppress(SourceError):  # one that cannot be read checks nothing
                luma = color.grey_of(load_rgb(path))
                pictures[f"photograph {i}"] = color.resize_area(luma, size)
    return pictures


def measure(module: Exportable, engine: Engine, pictures: dict[str, color.Codes]) -> Difference:
    """The largest differences over all pictures and over batches of 1, 2 and 7."""
    lightness = np.stack([color.lightness(grey) for grey in pictures.values()])
    rng = np.random.default_rng(1)
    continuous = rng.uniform(0, 100, (3, *engine.size)).astype(np.float32)
    lightness = np.concatenate([lightness, continuous])
    worst = Difference()
    for size in BATCHES:
        for start in range(0, len(lightness), size):
            part = lightness[start : start + size]
            found = engine.predict(part, together=True)  # as on devices that do so
            worst = worst.worst(compare(part, reference(module, part), found))
    return worst


@torch.no_grad()
def reference(module: Exportable, lightness: color.Float) -> color.Float:
    """PyTorch's ab (N, H, W, 2) in Lab units for L* (N, H, W), as training sees it: the generator
    itself, without the signature and the contract that are put around it for the export."""
    condition = spaces.condition(lightness, module.space)
    return spaces.chroma(module.generator(condition), module.space)


def _golden(module: Exportable, name: str, grey: color.Codes) -> Golden:
    ab = reference(module, color.lightness(grey)[None])[0]
    return Golden(name, grey, ab[::GOLDEN_STRIDE, ::GOLDEN_STRIDE], GOLDEN_STRIDE)
