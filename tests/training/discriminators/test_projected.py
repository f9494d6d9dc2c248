"""The projected discriminator: fixed random mixtures of a frozen network's maps, and what learns on
them (Sauer et al. 2021, section 3.2)."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from training.discriminators import Projected

CHANNELS = (24, 40, 112)


def _maps(side: int = 16, seed: int = 1) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [
        torch.randn(2, channels, side >> i, side >> i, generator=rng)
        for i, channels in enumerate(CHANNELS)
    ]


@pytest.fixture
def network() -> Projected:
    """One from a seed."""
    torch.manual_seed(0)
    return Projected(CHANNELS)


@torch.no_grad()
@pytest.mark.parametrize("side", [16, 14])
def test_logits(network: Projected, side: int) -> None:
    """One logit for each place of each map, also where a map is not twice as large as the next."""
    maps = _maps(side)
    logits = network(maps)
    assert [each.shape for each in logits] == [(2, 1, *each.shape[2:]) for each in maps]
    assert all(each.min() < 0 < each.max() for each in logits)


@torch.no_grad()
def test_mixtures_keep_the_scale(network: Projected) -> None:
    """What the small discriminators see has the same variance at every map: none is drowned."""
    seen: list[Tensor] = []
    for head in network.heads:
        head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(_maps(32))
    variances = torch.tensor([each.var() for each in seen])
    # random kernels of 216 to 1008 values, 96 of them: within a few percent of their expectation
    assert (variances / variances.mean() - 1).abs().max() < 0.15


def test_mixtures_never_learn(network: Projected) -> None:
    """Of all parameters those of the small discriminators alone learn, every one of them."""
    before = copy.deepcopy(network.state_dict())
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    assert learning == {name for name, _ in network.named_parameters() if "heads." in name}
    optimizer = torch.optim.SGD([v for v in network.parameters() if v.requires_grad], 0.1)
    torch.stack([each.square().mean() for each in network(_maps())]).sum().backward()
    optimizer.step()
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name]) == (name not in learning), name


def test_gradients_reach_the_maps(network: Projected) -> None:
    """Each map is judged, and coarse maps also through the finer ones that they are mixed into."""
    for i in range(len(CHANNELS)):
        maps = [each.requires_grad_() for each in _maps()]
        network(maps)[i].sum().backward()
        reached = [each.grad is not None and bool(each.grad.any()) for each in maps]
        assert reached == [j >= i for j in range(len(CHANNELS))]


@torch.no_grad()
def test_spectral_norm(network: Projected) -> None:
    """No convolution that learns stretches anything by more than about 1."""
    for _ in range(20):
        network(_maps(8))
    layers = [layer for layer in network.heads.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 9
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.flatten(1))[0]
        # power iteration finds it from below, so that what is divided by it lies a little above 1
        assert 1 - 1e-5 < largest < 1.02
