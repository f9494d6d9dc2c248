"""Every recipe, made small: it trains, goes on as if it had never stopped, and colors."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch

import training.train
from colorbatch.errors import UsageError
from training.config import TrainConfig, load_recipe
from training.models import open_model
from training.step import make_players, train_step

pytestmark = pytest.mark.slow

Photos = tuple[Path, Path]
SMALL: dict[str, Any] = {
    **{"width": 8, "discriminator_width": 8, "size": 32, "batch_size": 4, "steps": 6},
    **{"crop": 0.8, "checkpoint_every": 99, "validate_every": 99, "precision": "fp32"},
}
CASES = {
    "unet": load_recipe("unet"),
    "resnet18": load_recipe("resnet18"),
    "perceptual": load_recipe("perceptual"),
    "perceptual-vgg19": load_recipe("perceptual"),
    "lab-mse": load_recipe("lab-mse"),
    "rgb": load_recipe("rgb"),
}
ELSEWHERE = {"embedded"}
"""Needs weights of EfficientNet; `test_train` kills it and goes on, tests of documented commands
train, join and color with it."""
D_LOSSES = ("loss_D_real", "loss_D_fake", "loss_D", "loss_G_GAN")


def _small(case: str) -> TrainConfig:
    levels = CASES[case].levels if CASES[case].generator == "resnet18" else 6
    layer = "1_1" if case.endswith("vgg19") else CASES[case].feature_layer
    width = 16 if CASES[case].generator == "resnet18" else SMALL["width"]
    settings = {**SMALL, "levels": levels, "feature_layer": layer, "width": width}
    return dataclasses.replace(CASES[case], **settings)


def _quiet(_: str) -> None:
    pass


def _rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def _state(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoint.pt", weights_only=True)


@pytest.fixture(scope="session")
def weight_files(
    tmp_path_factory: pytest.TempPathFactory,
    resnet18_weights: Callable[..., dict[str, torch.Tensor]],
    vgg19_weights: Callable[..., dict[str, torch.Tensor]],
) -> dict[str, str]:
    """Weight files under torchvision's names: ResNet-18 of width 16, and VGG-19."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(resnet18_weights(), folder / "resnet18.pth")
    torch.save(vgg19_weights(drawn=1), folder / "vgg19.pth")
    return {name: str(folder / f"{name}.pth") for name in ("resnet18", "vgg19")}


@pytest.fixture(scope="session")
def finished(
    photos: Photos, tmp_path_factory: pytest.TempPathFactory, weight_files: dict[str, str]
) -> Callable[[str], tuple[Path, tuple[str, ...]]]:
    """The folder of a case's uninterrupted run and the sources of its weights, made when asked."""
    root = tmp_path_factory.mktemp("recipes")

    @functools.cache
    def make(case: str) -> tuple[Path, tuple[str, ...]]:
        sources: tuple[str, ...] = ()
        if case == "perceptual":
            sources = (f"encoder:{make('unet')[0]}",)
        elif case in ("perceptual-vgg19", "resnet18"):
            sources = (weight_files["resnet18" if case == "resnet18" else "vgg19"],)
        run = root / case
        options: dict[str, Any] = {"backbones": sources, "cache": root / "cache", "say": _quiet}
        assert training.train.train(_small(case), *photos, run, **options)
        return run, sources

    return make


Finished = Callable[[str], tuple[Path, tuple[str, ...]]]


def _interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Ctrl-C during the step that is the `after`-th from now."""
    number = itertools.count(1)

    def step(*args: Any, **options: Any) -> dict[str, float | None]:
        losses = train_step(*args, **options)
        if next(number) == after:
            signal.raise_signal(signal.SIGINT)
        return losses

    monkeypatch.setattr(training.train, "train_step", step)


def test_all_recipes_are_here() -> None:
    """No recipe of the repository is left out of these tests."""
    folder = Path(training.train.__file__).parent / "recipes"
    here = {config.recipe for config in CASES.values()}
    assert here | ELSEWHERE == {path.stem for path in folder.glob("*.toml")}


@pytest.mark.parametrize("case", CASES)
def test_recipe_trains_and_colors(finished: Finished, case: str) -> None:
    """The losses that the recipe names are logged and add up; the run colors a photograph."""
    run, _ = finished(case)
    config = _small(case)
    rows = _rows(run)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for row in rows:
        known = {key: value for key, value in row.items() if value is not None}
        assert all(math.isfinite(value) for value in known.values())
        total = config.pixel_weight * known["loss_G_pixel"] + known.get("loss_G_GAN", 0.0)
        if "loss_G_features" in known:
            total = config.gamma * total + (1 - config.gamma) * known["loss_G_features"]
        assert known["loss_G"] == pytest.approx(total, rel=1e-5)  # float32 rounding
        assert ("loss_G_features" in known) == case.startswith("perceptual")
    [measured] = (run / "validation.jsonl").read_text("utf-8").splitlines()
    assert all(math.isfinite(value) for value in json.loads(measured).values())
    photo = skimage.data.chelsea()[100:160, 100:180]
    colored = open_model(run).colored(photo)
    assert (colored.dtype, colored.shape) == (np.uint8, photo.shape)
    # the photograph's own lightness, up to colors that are out of gamut
    assert np.corrcoef(colored.mean(axis=2).ravel(), photo.mean(axis=2).ravel())[0, 1] > 0.95
    assert np.ptp(colored.astype(int), axis=2).max() > 2  # grey would have 1 code of rounding


@pytest.mark.parametrize("case", CASES)
def test_recipe_goes_on(
    finished: Finished,
    photos: Photos,
    assert_same_result: Callable[[Path, Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    """A run that was stopped by Ctrl-C ends bit-identical to one that was left alone.

    Also where it stops in stage 1 and goes on into stage 2, and with the same words for the
    weights of other origin, which are not loaded a second time.
    """
    reference, sources = finished(case)
    run = tmp_path / "run"
    options: dict[str, Any] = {"backbones": sources, "cache": tmp_path / "cache", "say": _quiet}
    with monkeypatch.context() as patch:
        _interrupt(patch, after=2)
        assert not training.train.train(_small(case), *photos, run, **options)
    assert _state(run)["progress"]["step"] == 2
    assert training.train.train(_small(case), *photos, run, **options)
    assert_same_result(run, reference)


def test_second_stage(
    finished: Finished, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage 1 of `resnet18` has no adversary: its losses are not logged and it does not move."""
    run, sources = finished("resnet18")
    config = _small("resnet18")
    for row in _rows(run):
        assert all((row[name] is None) == (row["step"] <= 3) for name in D_LOSSES)
    fresh = make_players(config, torch.device("cpu"), torch.float32).discriminator.state_dict()
    moved = _state(run)["discriminator"]
    assert all(not torch.equal(moved[key], value) for key, value in fresh.items())
    for steps, stays in ((3, True), (4, False)):
        short = tmp_path / f"{steps}"
        options: dict[str, Any] = {"backbones": sources, "cache": tmp_path / "c", "say": _quiet}
        with monkeypatch.context() as patch:
            _interrupt(patch, after=steps)
            assert not training.train.train(config, *photos, short, **options)
        state = _state(short)
        same = all(torch.equal(state["discriminator"][key], v) for key, v in fresh.items())
        assert same == stays
        assert bool(state["optimizer_d"]["state"]) != stays


def test_encoder_starts_from_a_file(
    finished: Finished,
    photos: Photos,
    weight_files: dict[str, str],
    resnet18_weights: Callable[..., dict[str, torch.Tensor]],
    tmp_path: Path,
) -> None:
    """`--backbone-weights FILE` are the encoder's first weights, and the checkpoint says so."""
    run, _ = finished("resnet18")
    marked = re.fullmatch(
        r"encoder from resnet18\.pth \(sha256 [0-9a-f]{16}\)", _state(run)["progress"]["backbone"]
    )
    assert marked
    assert marked.group() in _state(run)["history"][-1]["summary"]
    config = dataclasses.replace(_small("resnet18"), steps=1, learning_rate=0.0)
    said: list[str] = []
    sources = (weight_files["resnet18"],)
    again = tmp_path / "run"
    assert training.train.train(config, *photos, again, backbones=sources, say=said.append)
    assert marked.group() in said
    first, state = resnet18_weights(), _state(again)
    for part in ("generator", "ema"):
        kernel = state[part]["encoder.conv1.weight"]
        assert torch.equal(kernel, first["conv1.weight"].sum(dim=1, keepdim=True))
        for name in ("layer1.0.conv1.weight", "layer4.1.bn2.bias"):
            assert torch.equal(state[part][f"encoder.{name}"], first[name])


def test_resnet18_from_scratch(photos: Photos, tmp_path: Path) -> None:
    """Without weights of other origin `resnet18` trains from scratch, and none are claimed."""
    config = dataclasses.replace(_small("resnet18"), steps=1)
    assert training.train.train(config, *photos, tmp_path / "run", say=_quiet)
    assert _state(tmp_path / "run")["progress"]["backbone"] == ""


def test_other_features_are_refused(
    finished: Finished, photos: Photos, weight_files: dict[str, str]
) -> None:
    """A `perceptual` run does not go on with other features than it began with, or with none."""
    run, _ = finished("perceptual")
    other, _ = finished("lab-mse")
    before = (run / "checkpoint.pt").read_bytes()
    cache = run.parent / "cache"
    for sources, said in (
        ((f"encoder:{other}",), "was trained with level 2 of an encoder trained here by unet"),
        ((weight_files["vgg19"],), r"was trained with level 2 .*, not VGG-19 2_2 of vgg19\.pth"),
        ((), "needs features"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            training.train.train(
                _small("perceptual"), *photos, run, cache=cache, backbones=sources, say=_quiet
            )
        assert "\n" not in str(caught.value)
    assert (run / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("case", "network"), [("unet", "resnet18"), ("rgb", "vgg19"), ("resnet18", "vgg19")]
)
def test_weights_without_a_part(
    photos: Photos, tmp_path: Path, weight_files: dict[str, str], case: str, network: str
) -> None:
    """Weights that the settings have no use for are refused, not passed over in silence."""
    with pytest.raises(UsageError, match="plays no part"):
        training.train.train(
            _small(case),
            *photos,
            tmp_path / "run",
            backbones=(weight_files[network],),
            say=_quiet,
        )
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_missing_features_before_work(photos: Photos, tmp_path: Path) -> None:
    """`perceptual` without features is refused before a photograph is decoded."""
    with pytest.raises(UsageError, match="needs features"):
        training.train.train(_small("perceptual"), *photos, tmp_path / "run", say=_quiet)
    assert not (tmp_path / "run" / "cache").exists()
