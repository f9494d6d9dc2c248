"""The PatchGAN: its published size, the 70x70 pixels that give it its name, its spectral norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.discriminators import PatchGAN
from training.generators import initialize


def test_parameter_count() -> None:
    """The discriminator of the issue, to the last parameter."""
    assert sum(parameter.numel() for parameter in PatchGAN().parameters()) == 2_765_633


@torch.no_grad()
def test_logits() -> None:
    """One logit per patch, 30x30 for 256x256, and not squeezed into [0, 1]."""
    torch.manual_seed(0)
    network = PatchGAN(8)
    logits = network(20 * torch.randn(2, 3, 256, 256))
    assert logits.shape == (2, 1, 30, 30)
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize("cell", [(12, 12), (13, 16)])
def test_receptive_field(cell: tuple[int, int]) -> None:
    """In eval mode an inner cell sees exactly 70x70 pixels, told by its gradients."""
    torch.manual_seed(0)
    network = PatchGAN(8).double().eval()  # double, so that small gradients do not vanish
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
    picture = torch.randn(1, 3, 256, 256, dtype=torch.float64, requires_grad=True)
    network(picture)[0, 0, cell[0], cell[1]].backward()
    assert picture.grad is not None
    seen = picture.grad.abs().sum(dim=(0, 1)) > 0
    rows, columns = seen.any(dim=1).nonzero().flatten(), seen.any(dim=0).nonzero().flatten()
    assert seen.sum() == 70 * 70
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (70, 70)


def test_layers() -> None:
    """Strides 2-2-2-1-1, LeakyReLU 0.2, batch norm except on the first and the last."""
    layers = list(PatchGAN().layers)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [conv.stride[0] for conv in convolutions] == [2, 2, 2, 1, 1]
    assert [conv.out_channels for conv in convolutions] == [64, 128, 256, 512, 1]
    kinds = [type(layer) for layer in layers]
    middle = 3 * [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    assert kinds == [nn.Conv2d, nn.LeakyReLU, *middle, nn.Conv2d]
    assert all(m.negative_slope == 0.2 for m in layers if isinstance(m, nn.LeakyReLU))


def _convolutions(network: PatchGAN) -> list[nn.Conv2d]:
    return [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]


def test_spectral_norm() -> None:
    """After some passes in training mode, no convolution stretches anything by more than about 1:
    the largest singular value of its kernel, as a matrix of outputs x everything else."""
    torch.manual_seed(0)
    network = PatchGAN(8, norm="spectral")
    initialize(network)
    network.bounded().train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(1, 3, 64, 64))
    for layer in _convolutions(network):
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        # power iteration finds it from below, so that what is divided by it lies a little above 1
        assert 1 - 1e-5 < largest < 1.02


@torch.no_grad()
def test_spectral_has_no_batch_norm() -> None:
    """The same logits without statistics of a batch: what else is in it does not matter."""
    torch.manual_seed(0)
    network = PatchGAN(8, norm="spectral")
    initialize(network)
    network.bounded()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert all(layer.bias is not None for layer in _convolutions(network))
    network.eval()
    pictures = torch.randn(2, 3, 256, 256)
    logits = network(pictures)
    assert logits.shape == (2, 1, 30, 30)
    assert logits.min() < 0 < logits.max()
    # float32, another batch size's order of sums
    assert torch.allclose(network(pictures[:1]), logits[:1], rtol=1e-4, atol=1e-6)


def test_bounded_keeps_directions() -> None:
    """The spectral norm stands around the first weights: each kernel is what it was, scaled."""
    torch.manual_seed(0)
    network = PatchGAN(8, norm="spectral")
    initialize(network)
    before = [layer.weight.detach().clone() for layer in _convolutions(network)]
    network.bounded()
    for layer, first in zip(_convolutions(network), before, strict=True):
        ratio = layer.weight.detach() / first
        # float32 rounding of one division
        assert torch.allclose(ratio, ratio.mean(), rtol=1e-5)
        assert ratio.mean() > 1  # N(0, 0.02) squeezes everything
    assert PatchGAN(8).bounded().layers[0].__class__ is nn.Conv2d  # no norm is asked, none is there
