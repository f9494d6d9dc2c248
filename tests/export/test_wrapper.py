"""The module that is exported: its signature, its contract, and batch norm folded away."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn

from export.wrapper import LabGenerator, RgbGenerator, contract_for, fold_batch_norm
from training import checkpoint


def _module(run: Path) -> LabGenerator:
    return LabGenerator(checkpoint.trained_generator(checkpoint.load(run))).eval()


@torch.no_grad()
def test_forward_is_the_generator(run: Path) -> None:
    """The wrapper adds nothing to the generator's numbers."""
    module = _module(run)
    lightness = torch.rand(3, 1, 32, 32) * 2 - 1
    assert torch.equal(module(lightness), module.generator(lightness))


@torch.no_grad()
def test_folding_keeps_the_function(run: Path) -> None:
    """Without its batch norms the network answers the same to rounding, and they did matter."""
    module = _module(run)
    state = copy.deepcopy(module.state_dict())
    folded = fold_batch_norm(module)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in module.modules())
    rng = torch.Generator().manual_seed(2)
    lightness = torch.rand(4, 1, 32, 32, generator=rng) * 2 - 1
    expected, found = module(lightness), folded(lightness)
    assert expected.std() > 0.02  # more than 2 in Lab units: there is color to get wrong
    # float32 through ten layers: 110 times this is 0.001 in Lab units
    assert (expected - found).abs().max() < 1e-5
    # the network it was made from is untouched
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    blank = copy.deepcopy(module)
    for norm in blank.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
    assert (blank(lightness) - expected).abs().max() > 1e-2


def test_contract() -> None:
    """The contract says what the wrapper's tensors mean."""
    contract = contract_for("lab", 64)
    assert (contract.input.name, contract.input.kind) == ("lightness", "lab_l")
    assert contract.input.range == (-1.0, 1.0)
    assert (contract.output.name, contract.output.kind) == ("chroma", "lab_ab")
    assert contract.output.scale == 110.0
    assert contract.size.choose() == (64, 64)


@torch.no_grad()
def test_folding_a_resnet(recipe_runs: dict[str, Path]) -> None:
    """The batch norms of a ResNet's blocks, and of their shortcuts, are attributes beside their
    convolutions: they are folded too, all of them, and the function stays."""
    module = _module(recipe_runs["resnet18"])
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 1 + 8 * 2 + 3 + 4  # the first, eight blocks, three shortcuts, the decoder
    folded = fold_batch_norm(module)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    rng = torch.Generator().manual_seed(3)
    lightness = torch.rand(4, 1, 32, 32, generator=rng) * 2 - 1
    expected, found = module(lightness), folded(lightness)
    assert expected.std() > 0.02  # more than 2 in Lab units
    # float32 through twenty layers: 110 times this is 0.002 in Lab units
    assert (expected - found).abs().max() < 2e-5
    for name in ("encoder.bn1", "encoder.layer2.0.downsample.1", "encoder.layer4.1.bn2"):
        blank = copy.deepcopy(module)
        blank.generator.get_submodule(name).reset_running_stats()
        assert (blank(lightness) - expected).abs().max() > 1e-3, name  # each of them matters


@torch.no_grad()
def test_rgb_is_scaled_to_one(recipe_runs: dict[str, Path]) -> None:
    """The generator's picture in [-1, 1] becomes sRGB in [0, 1], channel by channel."""
    module = RgbGenerator(checkpoint.trained_generator(checkpoint.load(recipe_runs["rgb"]))).eval()
    grey = (torch.rand(2, 1, 32, 32) * 2 - 1).expand(-1, 3, -1, -1)
    picture = module(grey)
    assert picture.shape == (2, 3, 32, 32)
    assert picture.min() >= 0 and picture.max() <= 1
    assert torch.equal(picture, module.generator(grey) / 2 + 0.5)
    assert picture.std(dim=(0, 2, 3)).min() > 0.02


def test_contract_of_rgb() -> None:
    """Three channels of grey in [-1, 1] to sRGB in [0, 1], without mean and deviation."""
    contract = contract_for("rgb", 64)
    assert (contract.input.name, contract.input.kind) == ("grey", "gray_rgb")
    assert contract.input.range == (-1.0, 1.0)
    assert (contract.input.mean, contract.input.std) == ((0, 0, 0), (1, 1, 1))
    assert (contract.output.name, contract.output.kind) == ("picture", "rgb")
    assert contract.output.scale == 1.0
    assert contract.size.choose() == (64, 64)
