"""The export of a lite-unet: through the gate, with the trained weights in it, and back again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from colorbatch.model.engine import Engine
from export.cli import cli
from export.wrapper import fold_batch_norm
from training import checkpoint, spaces
from training.checkpoint import Progress
from training.config import TrainConfig
from training.from_onnx import load_onnx
from training.generators import generator_for
from training.step import make_players

CONFIG = TrainConfig(
    generator="lite-unet",
    width=16,
    discriminator_width=8,
    size=64,
    batch_size=4,
    relu_limit=6.0,
    dropout=0.0,
    smoothing=0.25,
)
PARTS = ("weight", "bias")


@torch.no_grad()
def _randomize(network: nn.Module) -> None:
    """Weights that keep activations near 1, and batch norms that matter."""
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, math.sqrt(1.5 / fan_in), generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5, generator=rng)
            module.bias.normal_(0, 0.3, generator=rng)
            module.running_mean.normal_(0, 0.3, generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
        elif isinstance(module, nn.LayerNorm):
            module.weight.uniform_(0.5, 1.5, generator=rng)
            module.bias.normal_(0, 0.1, generator=rng)
    last = network.last[1]
    last.weight.mul_(0.3)  # chroma of tens, as photographs have
    last.bias.normal_(0, 0.05, generator=rng)


@pytest.fixture(scope="module")
def lite_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a lite-unet of random weights."""
    folder = tmp_path_factory.mktemp("lite")
    players = make_players(CONFIG, torch.device("cpu"), torch.float32)
    _randomize(players.average)
    progress = Progress(step=20, steps=20, data_digest="abc", photographs=40)
    checkpoint.save(folder, CONFIG, progress, players, [])
    return folder


@pytest.fixture(scope="module")
def models(lite_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Its model files: "fp16", and "again", the same command in another folder."""
    files = {}
    for name in ("fp16", "again"):
        files[name] = tmp_path_factory.mktemp(name) / "lite.onnx"
        words = [lite_run, "-o", files[name], "--precision", "fp16"]
        cli.main([*map(str, words)], standalone_mode=False)
    return files


def _stored(path: Path) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


@torch.no_grad()
def test_folding_keeps_the_function(lite_run: Path) -> None:
    """Every batch norm, EfficientNet's by attribute and the decoder's, folds into the convolution
    before it: depthwise ones of stride 2 and joins, which had no bias, too."""
    network = checkpoint.trained_generator(checkpoint.load(lite_run))
    folded = fold_batch_norm(network)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 72
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    condition = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected, found = network(condition), folded(condition)
    assert expected.std() > 0.02  # more than 2 in Lab units: there is color to get wrong
    # float32 through eighty layers: 110 times this is 0.003 in Lab units
    assert (expected - found).abs().max() < 3e-5


def test_gate_and_bytes(models: dict[str, Path]) -> None:
    """It passes the gate at batches of 1, 2 and 7, and the same command gives the same bytes."""
    record = json.loads(models["fp16"].with_suffix(".parity.json").read_text("utf-8"))
    assert record["measured"]["batches"] == [1, 2, 7]
    assert models["fp16"].read_bytes() == models["again"].read_bytes()


def test_weights_are_those_that_were_trained(lite_run: Path, models: dict[str, Path]) -> None:
    """Each layer's weights stand in the file under their own name and in their own shape, once:
    3x3 kernels of the joins, and linear layers that are not turned about."""
    network = checkpoint.trained_generator(checkpoint.load(lite_run))
    folded = fold_batch_norm(network)
    stored = _stored(models["fp16"])
    for name, value in folded.state_dict().items():
        found = stored.get(f"generator.{name}.float16", stored.get(f"generator.{name}"))
        assert found is not None, name
        assert found.shape == tuple(value.shape), name
        assert np.array_equal(found, value.numpy().astype(found.dtype)), name
    others = sum(
        v.size for n, v in stored.items() if not n.removesuffix(".float16").endswith(PARTS)
    )
    assert others < 300  # sizes, and which taps make which phase


def test_onnxruntime_folds_what_is_made_of_weights(models: dict[str, Path], tmp_path: Path) -> None:
    """When the model is loaded, kernels are made once: what is left to run for each picture has
    the joins' convolutions with 2x2 kernels, and no sum or turn of weights."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(models["fp16"], options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "loaded.onnx").graph
    constants = {tensor.name: tensor.dims for tensor in graph.initializer}
    assert not [n.op_type for n in graph.node if all(given in constants for given in n.input)]
    kernels = [constants[n.input[1]] for n in graph.node if n.op_type == "Conv"]
    assert sum(list(kernel[2:]) == [2, 2] for kernel in kernels) == 5
    assert not [n for n in graph.node if n.op_type in ("Cast", "ConvTranspose", "Resize")]


@torch.no_grad()
def test_taken_back_for_training(models: dict[str, Path]) -> None:
    """`--init MODEL.onnx`: the network is the model again at step 0, with batch norms that have
    the statistics of what they see; other settings are refused by the engine's own answer."""
    generator = generator_for(CONFIG)
    rng = torch.Generator().manual_seed(1)
    # smooth grey with something at every scale
    seen = [
        sum(
            nn.functional.interpolate(
                torch.rand(4, 1, size, size, generator=rng) * 2 - 1, 64, mode="bilinear"
            )
            for size in (2, 4, 16, 64)
        ).clamp(-1, 1)
        for _ in range(3)
    ]
    history = load_onnx(generator, models["fp16"], CONFIG, seen)
    assert history[-1]["images"] == 80  # 20 steps of 4
    assert generator.training
    lightness = (seen[0][:, 0].numpy() + 1) * np.float32(50)
    made = spaces.chroma(generator.eval()(seen[0]), "lab")
    wanted = Engine(models["fp16"], "cpu").predict(lightness)
    assert wanted.std() > 0.5  # there is color to get wrong
    assert np.abs(made - wanted).max() < 0.01  # as the export's own gate, through batch norms
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(bool((norm.running_mean.abs() > 1e-3).any()) for norm in norms)
