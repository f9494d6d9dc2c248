"""Shared by the training tests: real photographs made small, tiny settings, and one whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from training.config import TrainConfig
from training.data import PhotoCache
from training.train import train

REPOSITORY = Path(__file__).parents[2]
TINY = TrainConfig(
    width=8,
    discriminator_width=8,
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


def _rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def assert_same_result() -> Callable[[Path, Path], None]:
    """Two runs have the same state, tensors to the bit, and the same logs."""

    def compare(run: Path, reference: Path) -> None:
        found, expected = (
            _flat(torch.load(folder / "checkpoint.pt", weights_only=True))
            for folder in (run, reference)
        )
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if name.endswith(".commit"):
                continue  # of the source; somebody may commit while the tests run
            if isinstance(value, torch.Tensor):
                assert torch.equal(found[name], value), name
            else:
                assert found[name] == value, name
        for log in ("log.jsonl", "validation.jsonl"):
            assert _rows(run / log) == _rows(reference / log)

    return compare


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def _resnet18_shapes(width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (width, 3, 7, 7), **_norm("bn1", width)}
    inputs = width
    for stage in (1, 2, 3, 4):
        outputs = width * 2 ** (stage - 1)
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (outputs, inputs, 3, 3)
            shapes |= _norm(f"{name}.bn1", outputs)
            shapes[f"{name}.conv2.weight"] = (outputs, outputs, 3, 3)
            shapes |= _norm(f"{name}.bn2", outputs)
            if inputs != outputs:
                shapes[f"{name}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    return shapes | {"fc.weight": (1000, inputs), "fc.bias": (1000,)}


# the places of the convolutions in torchvision's `vgg19().features`, with their channels
VGG19_CONVOLUTIONS = {
    **{0: (3, 64), 2: (64, 64)},
    **{5: (64, 128), 7: (128, 128)},
    **{10: (128, 256), 12: (256, 256), 14: (256, 256), 16: (256, 256)},
    **{19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512)},
    **{28: (512, 512), 30: (512, 512), 32: (512, 512), 34: (512, 512)},
}


def _vgg19_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for place, (inputs, outputs) in VGG19_CONVOLUTIONS.items():
        shapes[f"features.{place}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{place}.bias"] = (outputs,)
    for place, inputs, outputs in ((0, 512 * 7 * 7, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        shapes[f"classifier.{place}.weight"] = (outputs, inputs)
        shapes[f"classifier.{place}.bias"] = (outputs,)
    return shapes


@pytest.fixture(scope="session")
def torchvision_shapes() -> Callable[..., dict[str, tuple[int, ...]]]:
    """Names and shapes in torchvision's weight files of `resnet18` (or a thinner one of `width`)
    and `vgg19`, written down from torchvision's source, resnet.py and vgg.py."""
    return lambda network, width=64: (
        _resnet18_shapes(width) if network == "resnet18" else _vgg19_shapes()
    )


@pytest.fixture(scope="session")
def resnet18_weights() -> Callable[..., dict[str, torch.Tensor]]:
    """Random weights of ResNet-18 under torchvision's names, thin, scaled as by He et al."""

    def make(width: int = 16, seed: int = 0) -> dict[str, torch.Tensor]:
        rng = torch.Generator().manual_seed(seed)
        weights = {}
        for name, shape in _resnet18_shapes(width).items():
            value = torch.randn(shape, generator=rng)
            if name.endswith("num_batches_tracked"):
                value = torch.tensor(7)
            elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
                value = 0.5 + torch.rand(shape, generator=rng)
            elif len(shape) == 4:
                value = value * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
            weights[name] = value
        return weights

    return make


@pytest.fixture(scope="session")
def vgg19_weights() -> Callable[..., dict[str, torch.Tensor]]:
    """Weights of VGG-19 under torchvision's names, of which the first `drawn` convolutions are
    random; the others are one number in many places, which takes no room in memory or a file."""

    def make(drawn: int = 16, seed: int = 0) -> dict[str, torch.Tensor]:
        rng = torch.Generator().manual_seed(seed)
        real = [f"features.{place}." for place in list(VGG19_CONVOLUTIONS)[:drawn]]
        weights = {}
        for name, shape in _vgg19_shapes().items():
            if name.startswith(tuple(real)):
                scale = (2 / (shape[1] * 9)) ** 0.5 if len(shape) == 4 else 0.1
                weights[name] = torch.randn(shape, generator=rng) * scale
            else:
                weights[name] = torch.zeros(1).expand(shape)
        return weights

    return make


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


def _cache_of(pictures: Sequence[np.ndarray]) -> PhotoCache:
    ends = np.cumsum([0, *(picture.size for picture in pictures)])
    return PhotoCache(
        names=tuple(f"photo{i:02d}.png" for i in range(len(pictures))),
        sizes=tuple(picture.shape[:2] for picture in pictures),
        offsets=tuple(int(end) for end in ends[:-1]),
        parts=(0,) * len(pictures),
        pixels=(np.concatenate([picture.ravel() for picture in pictures]),),
        grey=0,
        unreadable=0,
        lengths=(len(pictures),),
        seen=(len(pictures),),
    )


@pytest.fixture(scope="session")
def cache_of() -> Callable[[Sequence[np.ndarray]], PhotoCache]:
    """Pictures (H, W, 3), uint8, of any sizes as the cache of one folder, without files."""
    return _cache_of


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
