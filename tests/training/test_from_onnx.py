"""Training on from exported models: the same function, trainable again, and refusals in words."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from colorbatch.errors import ModelError, UsageError
from colorbatch.model.engine import Engine
from export.cli import cli
from training import checkpoint, spaces
from training.config import TrainConfig
from training.data import open_caches, step_photographs
from training.from_onnx import load_onnx
from training.generators import generator_for
from training.step import train_step
from training.train import train
from training.views import Photographs, make_batch


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The finished run's model: "whole", and "half" as of a run at half the size, whose innermost
    level the export leaves out."""
    folder = tmp_path_factory.mktemp("exported")
    state = torch.load(finished_run / "checkpoint.pt", weights_only=True)
    state["config"]["size"] //= 2
    torch.save(state, folder / "half.pt")
    files = {}
    for name, source in (("whole", finished_run), ("half", folder / "half.pt")):
        files[name] = folder / f"{name}.onnx"
        cli.main([str(source), "-o", str(files[name])], standalone_mode=False)
    return files


@pytest.fixture(scope="module")
def batches(
    photos: tuple[Path, Path], tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> list[torch.Tensor]:
    """What the generator sees of four batches of photographs."""
    cache, _ = open_caches(*photos, tmp_path_factory.mktemp("cache"), tiny)
    photographs = Photographs(cache, torch.device("cpu"))
    return [make_batch(photographs, tiny, *step_photographs(cache, tiny, i)).seen for i in range(4)]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["whole", "half"])
def test_same_function(
    exported: dict[str, Path], batches: list[torch.Tensor], tiny: TrainConfig, kind: str
) -> None:
    """Read back, the network colors as the engine does, and batch norms have real statistics."""
    config = tiny if kind == "whole" else dataclasses.replace(tiny, size=tiny.size // 2)
    seen = [batch[..., : config.size, : config.size] for batch in batches]
    generator = generator_for(config)
    history = load_onnx(generator, exported[kind], config, seen)
    assert generator.training
    assert history[-1]["images"] == 48  # 12 steps of 4
    lightness = (seen[0][:, 0].numpy() + 1) * np.float32(50)
    made = spaces.chroma(generator.eval()(seen[0]), "lab")
    wanted = Engine(exported[kind], "cpu").predict(lightness)
    assert wanted.std() > 0.5  # there is color to get wrong
    assert np.abs(made - wanted).max() < 0.005  # as the export's own gate
    norms = [m for m in generator.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert sum(bool((norm.running_mean.abs() > 1e-3).any()) for norm in norms) >= len(norms) - 1


@torch.no_grad()
def test_statistics_are_those_of_the_photographs(
    exported: dict[str, Path], batches: list[torch.Tensor], tiny: TrainConfig
) -> None:
    """With each batch's own statistics, as in training, the first norms answer as in eval mode."""
    generator = generator_for(tiny)
    load_onnx(generator, exported["whole"], tiny, [torch.cat(batches)])
    x = torch.cat(batches)
    first, second = generator.down[0](x), generator.down[1]
    quiet = second.eval()(first)
    moving = second.train()(first)
    # the same batch gave the statistics; variance is biased there and is not here
    assert (quiet - moving).abs().max() < 0.02 * quiet.std()


def test_resuming_is_bit_identical(
    exported: dict[str, Path],
    photos: tuple[Path, Path],
    tiny: TrainConfig,
    tmp_path: Path,
    assert_same_result: Callable[[Path, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run from an exported model that was stopped half-way ends as one that was not."""
    config = dataclasses.replace(tiny, steps=4)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    model = exported["whole"]
    assert train(config, *photos, whole, init=model, say=lambda _: None)
    steps = []

    def step(*args: Any, **named: Any) -> Any:
        steps.append(named["progress"])
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        return train_step(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr("training.train.train_step", step)
        assert not train(config, *photos, parted, init=model, say=lambda _: None)
    assert checkpoint.load(parted)["progress"]["step"] == 2
    assert train(config, *photos, parted, init=model, say=lambda _: None)
    assert_same_result(parted, whole)
    assert '"init": "whole.onnx (sha256 ' in (whole / "run.json").read_text("utf-8")


def test_wrong_settings_are_refused(
    exported: dict[str, Path], batches: list[torch.Tensor], tiny: TrainConfig, tmp_path: Path
) -> None:
    """Another width, another generator, another bound of the ReLUs, no model at all: one line."""
    resnet18 = {"generator": "resnet18", "width": 16}
    for change in ({"width": 16}, resnet18, {"color_space": "rgb"}):
        config = dataclasses.replace(tiny, **change)
        with pytest.raises(UsageError, match="not a generator of these settings"):
            load_onnx(generator_for(config), exported["whole"], config, batches[:1])
    config = dataclasses.replace(tiny, relu_limit=0.05)
    with pytest.raises(UsageError, match="relu_limit"):
        load_onnx(generator_for(config), exported["whole"], config, batches[:1])
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(exported["whole"].read_bytes()[:5000])
    with pytest.raises(ModelError):
        load_onnx(generator_for(tiny), broken, tiny, batches[:1])
