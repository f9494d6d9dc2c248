"""Shared by the export tests: a run with random weights, and the model files made from it.

Exports take seconds each, so they are made once. The weights are random but of a trained network's
size, and batch norms have statistics of their own: untrained ones would hide errors of folding.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image
from torch import nn

from export.cli import cli
from training import checkpoint
from training.checkpoint import Progress
from training.config import TrainConfig, load_recipe
from training.step import make_players

REPOSITORY = Path(__file__).parents[2]
CONFIG = TrainConfig(width=8, discriminator_width=8, levels=5, size=32, batch_size=4)
RECIPES = {
    "unet": CONFIG,
    "resnet18": dataclasses.replace(load_recipe("resnet18"), width=16, size=32),
    "rgb": dataclasses.replace(load_recipe("rgb"), width=8, levels=5, size=32),
}
"""The recipes whose exported networks differ, made small."""
HISTORY = [{"images": 100, "commit": "f" * 40, "summary": "25 steps of 4 (100 pictures): width=8"}]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are faster so."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def randomize(network: nn.Module, seed: int = 0) -> None:
    """Random weights that keep activations near 1, and random batch-norm gains and statistics."""
    rng = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            taps = math.prod(module.kernel_size)
            if isinstance(module, nn.ConvTranspose2d):  # of stride 2: it sums a quarter of them
                taps //= math.prod(module.stride)
            fan_in = module.in_channels * taps
            module.weight.normal_(0, math.sqrt(1.5 / fan_in), generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5, generator=rng)
            module.bias.normal_(0, 0.3, generator=rng)
            module.running_mean.normal_(0, 0.3, generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
    last = network.up[-1][1]
    last.weight.mul_(0.3)  # chroma of tens, as photographs have
    last.bias.normal_(0, 0.05, generator=rng)


def write_run(folder: Path, config: TrainConfig = CONFIG, *, steepness: float = 1.0) -> Path:
    """A finished run's folder; `steepness` is a factor on the weights before the last tanh."""
    folder.mkdir(parents=True)
    players = make_players(config, torch.device("cpu"), torch.float32)
    randomize(players.average)
    players.average.up[-1][1].weight.data.mul_(steepness)
    progress = Progress(step=20, steps=20, data_digest="abc", photographs=40)
    checkpoint.save(folder, config, progress, players, HISTORY)
    return folder


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of random weights, 32x32 with 5 levels of width 8."""
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def recipe_runs(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of random weights for each of RECIPES."""
    root = tmp_path_factory.mktemp("recipes")
    others = {name: write_run(root / name, RECIPES[name]) for name in ("resnet18", "rgb")}
    return {"unet": run, **others}


@pytest.fixture(scope="session")
def steep_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose last layer is so steep that float16 weights give visibly other colors."""
    return write_run(tmp_path_factory.mktemp("runs") / "steep", steepness=300.0)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three real photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("astronaut", "coffee", "chelsea"):
        picture = getattr(skimage.data, name)()[60:180, 100:260]
        Image.fromarray(picture).save(folder / f"{name}.jpg")
    return folder


def export(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python -m export` as its users run it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", "export", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="session")
def exported(
    run: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The model files of `run`: "fp32", made by a process, "fp16", "half", and "again", a second
    fp32 from another folder, made here."""
    files = {}
    for name in ("fp32", "again", "fp16", "half"):
        precision = "fp32" if name == "again" else name
        folder = tmp_path_factory.mktemp(name)
        card = folder / "card.toml"
        card.write_text('training_data = "three photographs"\nlicences = "CC0"\n', "utf-8")
        words = [run, "-o", "sub/tiny.onnx", "--precision", precision, "--card", card]
        words += ["--check", photographs]
        if name == "fp32":
            result = export(*words, cwd=folder)
            assert result.returncode == 0, result.stderr
        else:
            with contextlib.chdir(folder):
                cli.main([*map(str, words)], standalone_mode=False)
        files[name] = folder / "sub" / "tiny.onnx"
    return files


@pytest.fixture(scope="session")
def exported_recipes(
    exported: dict[str, Path],
    recipe_runs: dict[str, Path],
    photographs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, str], Path]:
    """The model files of `recipe_runs`, by recipe and precision."""
    files = {("unet", precision): exported[precision] for precision in ("fp32", "fp16")}
    root = tmp_path_factory.mktemp("models")
    for name in ("resnet18", "rgb"):
        for precision in ("fp32", "fp16"):
            path = root / f"{name}-{precision}.onnx"
            words = [recipe_runs[name], "-o", path, "--precision", precision]
            cli.main([*map(str, words), "--check", str(photographs)], standalone_mode=False)
            files[name, precision] = path
    return files
