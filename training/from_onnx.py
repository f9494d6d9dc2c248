"""The weights of an exported generator, put back into a network that can be trained.

The export has folded every batch norm into its convolution. Here each gets one again that changes
nothing: it takes the statistics that the network's own activations have on training pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from colorbatch.errors import ModelError, UsageError
from colorbatch.model.engine import Engine
from training import spaces
from training.checkpoint import History
from training.config import TrainConfig
from training.generators import Generator

HALF = ".float16"
"""How the export marks weights that it stores in half precision."""
SAME = 0.5
"""Mean |d ab| in Lab units up to which the network still is the model that it was read from."""


@torch.no_grad()
def load_onnx(
    generator: Generator, path: Path, config: TrainConfig, conditions: Iterable[Tensor]
) -> History:
    """Give `generator` the weights of a model that `python -m export` wrote; returns its history.

    `conditions` are batches of training pictures as the generator sees them; over them batch-norm
    statistics are measured. Raises UsageError if the model is of other origin or the settings are
    not those that it was exported with, ModelError if it is broken. Leaves the generator in
    training mode.
    """
    engine = Engine(path, "cpu")
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf raises its own kinds
        raise ModelError(f"{path}: not an ONNX model") from error
    stored = {
        tensor.name.removesuffix(HALF).removeprefix("generator."): torch.from_numpy(
            numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in graph.initializer
    }
    pairs = _normalised(generator)
    left_out = generator.left_out(engine.size[0])
    for name, module in generator.named_modules():
        if isinstance(module, nn.BatchNorm2d):  # folded into its convolution
            continue
        if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            for own, parameter in module.named_parameters(name, recurse=False):
                if own not in stored or stored[own].shape != parameter.shape:
                    raise UsageError(f"{path}: not a generator of these settings (at {own})")
                parameter.copy_(stored[own])
            continue
        weight, bias = stored.get(f"{name}.weight"), stored.get(f"{name}.bias")
        if weight is None and name in left_out:  # the export has dropped what it does not use
            continue
        if weight is None or weight.shape != module.weight.shape:
            raise UsageError(f"{path}: not a generator of these settings (at {name})")
        module.weight.copy_(weight)
        if module in pairs:
            _make_neutral(pairs[module], bias)
        elif module.bias is not None:
            if bias is None or bias.shape != module.bias.shape:
                raise UsageError(f"{path}: not a generator of these settings (at {name})")
            module.bias.copy_(bias)
    _take_statistics(generator, list(pairs.values()), conditions)
    _compare(generator, engine, config, path)
    generator.train()  # as it was made
    return [
        {"images": _pictures(words), "commit": engine.card.source_commit, "summary": words}
        for words in engine.card.history
    ]


def _pictures(words: str) -> int:
    """Pictures that a run has seen, from the words that it put into the card."""
    match = re.search(r"\((\d+) pictures\)", words)
    return int(match[1]) if match else 0


def _normalised(generator: nn.Module) -> dict[nn.Module, nn.BatchNorm2d]:
    """Convolutions and the batch norms that follow them."""
    return {
        first: second
        for block in generator.modules()
        for first, second in pairwise(block.children())
        if isinstance(second, nn.BatchNorm2d)
    }


def _make_neutral(norm: nn.BatchNorm2d, bias: Tensor | None) -> None:
    """In eval mode, add `bias` and nothing else."""
    norm.running_mean.zero_()  # type: ignore[union-attr]
    norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
    norm.weight.fill_(1)
    norm.bias.copy_(torch.zeros_like(norm.bias) if bias is None else bias)


def _take_statistics(
    generator: nn.Module, norms: list[nn.BatchNorm2d], batches: Iterable[Tensor]
) -> None:
    """Give neutral batch norms the mean and variance of what they see, and the gain and bias that
    undo them, so that the function stays and training finds its usual statistics."""
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {norm: [] for norm in norms}

    def watch(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        values = inputs[0].transpose(0, 1).flatten(1)
        seen[norm].append((values.mean(1), values.square().mean(1)))

    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    generator.eval()
    for condition in batches:
        generator(condition.to(_device(generator)))
    for hook in hooks:
        hook.remove()
    for norm in norms:
        if not seen[norm]:  # of the innermost level, passed by at half its size
            continue
        mean, square = (torch.stack(values).mean(0) for values in zip(*seen[norm], strict=True))
        variance = (square - mean**2).clamp(min=0)
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _compare(generator: nn.Module, engine: Engine, config: TrainConfig, path: Path) -> None:
    rows, columns = np.mgrid[: engine.size[0], : engine.size[1]] / np.float32(engine.size[0])
    waves = 50 + 25 * np.sin(9 * rows + 5 * columns) + 20 * np.sin(40 * rows * columns)
    lightness = np.clip(waves, 0, 100).astype(np.float32)[None]
    condition = spaces.condition(lightness, config.color_space)
    made = spaces.chroma(generator(condition.to(_device(generator))), config.color_space)
    if not np.abs(made - engine.predict(lightness)).mean() < SAME:
        raise UsageError(
            f"{path} colors otherwise with these settings, perhaps because of relu_limit"
            f" (the end of its history: {'; '.join(engine.card.history[-1:]) or 'none'})"
        )
