"""Shared by the training tests: real photographs made small, tiny settings, and one whole run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from training.config import TrainConfig
from training.train import train

REPOSITORY = Path(__file__).parents[2]
TINY = TrainConfig(
    width=4,
    discriminator_width=4,
    levels=6,
    size=64,
    batch_size=4,
    steps=12,
    checkpoint_every=3,
    crop=0.8,
    rotation=5.0,
    precision="fp32",
)
"""Twelve steps of a network that a test can afford, with all randomness of a real run in it."""


def _flat(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    else:
        return {name: value}
    return {k: v for key, part in items for k, v in _flat(part, f"{name}.{key}").items()}


@pytest.fixture(scope="session")
def flat() -> Callable[[object], dict[str, object]]:
    """A nested state as one mapping from dotted name to tensor or number."""
    return _flat


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    """TINY, for tests that vary it."""
    return TINY


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-identical results are promised for one thread count: the one of the child processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def crops(count: int, side: int = 90) -> list[np.ndarray]:
    """Different windows of real color photographs: (side, side + 10, 3), uint8."""
    rng = np.random.default_rng(1)
    sources = [skimage.data.coffee(), skimage.data.chelsea()]
    result = []
    for i in range(count):
        photo = sources[i % len(sources)]
        top = rng.integers(0, photo.shape[0] - side)
        left = rng.integers(0, photo.shape[1] - side - 10)
        result.append(photo[top : top + side, left : left + side + 10])
    return result


def write_photos(folder: Path, pictures: list[np.ndarray]) -> Path:
    """The pictures as PNG files photo00.png, photo01.png, ... in a new folder."""
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"photo{i:02d}.png")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of 16 training and 4 validation photographs."""
    root = tmp_path_factory.mktemp("photos")
    pictures = crops(20)
    return write_photos(root / "train", pictures[:16]), write_photos(root / "val", pictures[16:])


@pytest.fixture(scope="session")
def finished_run(photos: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of TINY."""
    run = tmp_path_factory.mktemp("finished") / "run"
    assert train(TINY, *photos, run, say=lambda _: None)
    return run


@pytest.fixture
def start_training(photos: tuple[Path, Path]) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts the command that makes TINY's run at a folder, as a process of its own."""
    started = []

    def start(run: Path) -> subprocess.Popen[str]:
        names = ("width", "discriminator_width", "levels", "size", "batch_size", "steps")
        names += ("checkpoint_every", "crop", "rotation", "precision")
        settings = [word for name in names for word in ("--set", f"{name}={getattr(TINY, name)}")]
        command = [sys.executable, "-m", "training", "train", "unet"]
        command += ["--data", str(photos[0]), "--val", str(photos[1]), "--out", str(run)]
        process = subprocess.Popen(
            [*command, *settings],
            cwd=REPOSITORY,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
