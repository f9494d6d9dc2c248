"""Runs, checkpoints and ONNX files as one thing that colors."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from torch import nn

from colorbatch.color import resize_area, rgb_to_lab
from colorbatch.errors import ColorbatchError, ModelError, UsageError
from colorbatch.model.engine import Engine
from training import checkpoint
from training.models import BATCH, Model, open_model, open_noisy_model


def windows(count: int) -> list[np.ndarray]:
    """Different windows of a photograph, higher than wide: (72, 60, 3), uint8."""
    photograph = skimage.data.coffee()
    return [photograph[10 * i : 10 * i + 72, 15 * i : 15 * i + 60] for i in range(count)]


@contextlib.contextmanager
def layers_seen() -> Iterator[list[nn.Module]]:
    """Every layer that works meanwhile, in order."""
    seen: list[nn.Module] = []
    handle = nn.modules.module.register_module_forward_hook(lambda layer, *_: seen.append(layer))
    yield seen
    handle.remove()


def test_a_run_and_its_checkpoint(finished_run: Path, tmp_path: Path) -> None:
    """A run's folder and its checkpoint file are the same model, named after the folder; it says
    how it was made."""
    model = open_model(finished_run)
    assert (model.name, model.size) == ("run", (64, 64))
    assert model.about["recipe"] == "unet"
    [summary] = model.about["history"]
    assert "12 steps of 4 (48 pictures)" in summary
    file = open_model(finished_run / "checkpoint.pt")
    assert file.name == "run"
    lightness = np.random.default_rng(0).uniform(0, 100, (2, 64, 64)).astype(np.float32)
    ab = model.predict(lightness)
    assert (ab.shape, ab.dtype) == ((2, 64, 64, 2), np.float32)
    assert np.array_equal(ab, file.predict(lightness))
    assert open_model(finished_run, "mine").name == "mine"


def test_a_run_is_its_averaged_generator(finished_run: Path) -> None:
    """What colors is the averaged generator, with no dropout, times 110 of L / 50 - 1."""
    lightness = np.random.default_rng(1).uniform(0, 100, (1, 64, 64)).astype(np.float32)
    generator = checkpoint.trained_generator(checkpoint.load(finished_run))
    generator.load_state_dict(checkpoint.load(finished_run)["ema"])
    with torch.no_grad():
        planes = generator.eval()(torch.from_numpy(lightness[:, None] / 50 - 1)).numpy()
    expected = 110 * np.moveaxis(planes, 1, -1)
    # channels last add up in another order; Lab units
    assert np.abs(open_model(finished_run).predict(lightness) - expected).max() < 1e-3


def test_an_onnx_file(tiny_model: Path) -> None:
    """An ONNX file is named after itself and colors as the engine does."""
    model = open_model(tiny_model)
    assert (model.name, model.size) == ("tiny", (32, 32))
    assert len(model.about["sha256"]) == 64
    lightness = np.random.default_rng(2).uniform(0, 100, (3, 32, 32)).astype(np.float32)
    assert np.array_equal(model.predict(lightness), Engine(tiny_model, "cpu").predict(lightness))


def test_more_than_a_batch(finished_run: Path) -> None:
    """Many photographs at once are colored as one by one."""
    pictures = windows(BATCH + 3)
    model = open_model(finished_run)
    together = model.chroma_for(pictures)
    assert len(together) == BATCH + 3
    for i in (0, BATCH - 1, BATCH, BATCH + 2):
        [alone] = model.chroma_for([pictures[i]])
        # convolutions of a batch add up in another order; Lab units
        assert np.abs(together[i] - alone).max() < 1e-3


def test_chroma_is_enlarged_bicubically(tiny_model: Path) -> None:
    """Each photograph is seen squeezed to the model's size, and its chroma is enlarged as OpenCV
    does it, to a size that is not square as well."""
    [picture] = windows(1)
    model = open_model(tiny_model)
    lightness = rgb_to_lab(cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA))[..., 0]
    [small] = Engine(tiny_model, "cpu").predict(lightness[None])
    assert np.array_equal(model.chroma_for([picture])[0], small)
    assert np.array_equal(model.chroma_for([picture], (32, 32))[0], small)
    for height, width in ((64, 64), (70, 45)):
        [made] = model.chroma_for([picture], (height, width))
        expected = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        assert made.shape == (height, width, 2)
        # the rows are ours, in another order of sums; ab of tens in float32
        assert np.abs(made - expected).max() < 1e-3


def test_colored(tiny_model: Path) -> None:
    """A photograph colored anew keeps its size and lightness, and has the model's chroma."""
    picture = skimage.data.chelsea()[100:172, 150:210]  # light enough to take strong colors
    model = open_model(tiny_model)
    made = model.colored(picture)
    assert (made.shape, made.dtype) == (picture.shape, np.uint8)
    [ab] = model.chroma_for([picture], picture.shape[:2])
    lab = np.dstack([skimage.color.rgb2lab(picture)[..., 0], ab])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of colors out of gamut
        expected = 255 * skimage.color.lab2rgb(lab)
    inside = ((expected > 1) & (expected < 254)).all(axis=-1)  # of the gamut
    assert inside.mean() > 0.5
    # rounding, and scikit-image's white point and matrix differ in the fourth digit
    assert np.abs(made - expected)[inside].max() < 1.6
    assert np.ptp(made.astype(int), axis=2).mean() > 10


def test_a_model_that_diverged(finished_run: Path, tmp_path: Path) -> None:
    """Colors that are no numbers are told by the model's name."""
    state = checkpoint.load(finished_run)
    for weights in state["ema"].values():
        if weights.is_floating_point():
            weights.fill_(np.nan)
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="gone: its colors are no numbers"):
        open_model(tmp_path, "gone").chroma_for(windows(1))


def test_what_is_no_model(tmp_path: Path, finished_run: Path) -> None:
    """A missing run, an empty folder, a file that is none, a broken ONNX file: an error each."""
    for name in ("text.pt", "text.onnx"):
        (tmp_path / name).write_text("hello", "utf-8")
    whole = (finished_run / "checkpoint.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    for name in ("nowhere", "", "nowhere.onnx", "text.pt", "cut.pt", "text.onnx"):
        with pytest.raises(ColorbatchError) as caught:
            open_model(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


# --- dropout as noise --------------------------------------------------------------------------


def noisy(run: Path, seed: int) -> np.ndarray:
    """Two calls for two photographs each: (2, 2, 64, 64, 2)."""
    pictures = [resize_area(picture, (64, 64)) for picture in windows(2)]
    lightness = np.stack([rgb_to_lab(picture)[..., 0] for picture in pictures])
    model = open_noisy_model(run, seed)
    return np.stack([model.predict(lightness), model.predict(lightness)])


def test_noise_is_of_the_seed(finished_run: Path) -> None:
    """The same seed gives the same colorings, another seed others, and so does the next call."""
    first = noisy(finished_run, 3)
    assert np.array_equal(first, noisy(finished_run, 3))
    assert not np.array_equal(first, noisy(finished_run, 4))
    assert not np.array_equal(first[0], first[1])


def test_only_dropout_is_on(finished_run: Path) -> None:
    """Dropout works and batch norm stays that of the trained run: its statistics do not move."""
    with layers_seen() as seen:
        noisy(finished_run, 0)
    norms = [layer for layer in seen if isinstance(layer, nn.BatchNorm2d)]
    dropouts = [layer for layer in seen if isinstance(layer, nn.Dropout)]
    assert norms and not any(norm.training for norm in norms)
    assert dropouts and all(dropout.training for dropout in dropouts)
    trained = checkpoint.load(finished_run)["ema"]
    for name, statistic in trained.items():
        if "running" in name:
            assert any(torch.equal(statistic, moved) for norm in norms for moved in norm.buffers())


def test_a_quiet_run_draws_nothing(finished_run: Path) -> None:
    """Opened without noise, a run colors the same each time."""
    model: Model = open_model(finished_run)
    lightness = np.full((1, 64, 64), 40, np.float32)
    assert np.array_equal(model.predict(lightness), model.predict(lightness))
    with layers_seen() as seen:
        model.predict(lightness)
    assert not any(layer.training for layer in seen)


def test_without_dropout_there_is_no_noise(
    finished_run: Path, tiny_model: Path, tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    """An ONNX file, and a run that was trained without dropout, are refused in a line."""
    with pytest.raises(UsageError, match="an exported model has no dropout"):
        open_noisy_model(tiny_model, 0)
    with pytest.raises(UsageError, match="was trained without dropout: there is no noise"):
        open_noisy_model(make_run(dropout=0.0), 0)


@pytest.fixture
def make_run(finished_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that copies the finished run and gives the copy other settings."""

    def make(**settings: object) -> Path:
        run = tmp_path / "copied"
        shutil.copytree(finished_run, run)
        state = checkpoint.load(run)
        config = dataclasses.replace(checkpoint.config_of(state), **settings)
        torch.save(state | {"config": dataclasses.asdict(config)}, run / "checkpoint.pt")
        return run

    return make
