"""The PatchGAN: its published size, and the 70x70 pixels that give it its name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.discriminators import PatchGAN


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
