"""The U-Net: its published size and shape, and that every part of it takes part."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from training.generators import UNet, initialize


@pytest.fixture(scope="module")
def full() -> UNet:
    """The generator of the paper."""
    torch.manual_seed(0)
    return UNet(64, 8).eval()


@pytest.fixture
def small() -> UNet:
    """Six levels in double precision, in which even faint paths stand far above rounding."""
    torch.manual_seed(0)
    return UNet(4, 6).double().eval()


def test_parameter_count(full: UNet) -> None:
    """Width 64 with 8 levels is the network of the issue, to the last parameter."""
    assert sum(parameter.numel() for parameter in full.parameters()) == 54_409_858


@torch.no_grad()
def test_shapes_and_range(full: UNet) -> None:
    """256x256 goes through one single pixel in the middle and comes out as two bounded planes."""
    seen = []
    hook = full.down[-1].register_forward_hook(lambda *call: seen.append(call[-1].shape))
    chroma = full(torch.randn(2, 1, 256, 256))
    hook.remove()
    assert seen == [(2, 512, 1, 1)]
    assert chroma.shape == (2, 2, 256, 256)
    assert chroma.abs().max() < 1


@torch.no_grad()
def test_one_halving_less(full: UNet) -> None:
    """128x128 works at 8 levels; the innermost level is not asked then."""
    seen = []
    hook = full.down[-1].register_forward_hook(lambda *call: seen.append(True))
    chroma = full(torch.randn(1, 1, 128, 128))
    hook.remove()
    assert chroma.shape == (1, 2, 128, 128)
    assert not seen


@pytest.mark.parametrize("size", [(64, 64), (200, 200), (256, 192), (250, 256)])
def test_wrong_sizes(full: UNet, size: tuple[int, int]) -> None:
    """Sizes that do not halve often enough are refused, not cropped or padded."""
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
        full(torch.zeros(1, 1, *size))


def test_too_few_levels() -> None:
    """The widths of the paper need five levels."""
    with pytest.raises(ValueError, match="5 levels"):
        UNet(4, 4)


def test_channels(full: UNet) -> None:
    """Encoder C64...C512 and decoder CD512-CD1024-...-C128, counted with the skips."""
    down = [next(m for m in block if isinstance(m, nn.Conv2d)) for block in full.down]
    up = [next(m for m in block if isinstance(m, nn.ConvTranspose2d)) for block in full.up]
    assert [conv.out_channels for conv in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    # what enters a block is the concatenation of the block before and its skip
    assert [conv.in_channels for conv in up] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    for conv in (*down, *up):
        assert (conv.kernel_size, conv.stride, conv.padding) == ((4, 4), (2, 2), (1, 1))


def test_dropout_places(full: UNet) -> None:
    """Dropout 0.5 stands in up-blocks 2 to 4, counted from the innermost, and nowhere else."""
    rates = [[m.p for m in block.modules() if isinstance(m, nn.Dropout)] for block in full.up]
    assert rates == [[], [0.5], [0.5], [0.5], [], [], [], []]
    assert not any(isinstance(m, nn.Dropout) for m in full.down.modules())


def test_norm_places(full: UNet) -> None:
    """No batch norm on the first layer, at the bottleneck, and on the output layer."""

    def normed(block: nn.Module) -> bool:
        return any(isinstance(m, nn.BatchNorm2d) for m in block.modules())

    assert [normed(block) for block in full.down] == [False] + 6 * [True] + [False]
    assert [normed(block) for block in full.up] == 7 * [True] + [False]


def test_activations(full: UNet) -> None:
    """LeakyReLU 0.2 on the way down, ReLU on the way up."""
    slopes = [m.negative_slope for m in full.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == 7 * [0.2]
    assert sum(isinstance(m, nn.ReLU) for m in full.modules()) == 8
    assert sum(isinstance(m, nn.Tanh) for m in full.modules()) == 1


@torch.no_grad()
@pytest.mark.parametrize("block", range(1, 6))
def test_every_skip_matters(small: UNet, block: int) -> None:
    """Blanking the skip into any up-block changes the picture: no concatenation is decoration."""
    lightness = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    whole = small(lightness)

    def blank(_: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        x = inputs[0].clone()
        x[:, x.shape[1] // 2 :] = 0
        return x

    hook = small.up[block].register_forward_pre_hook(blank)
    without = small(lightness)
    hook.remove()
    # far above double rounding (1e-16) of values below 1
    assert (whole - without).abs().max() > 1e-8


def test_every_parameter_learns(small: UNet) -> None:
    """A gradient reaches every parameter."""
    small(torch.randn(2, 1, 64, 64, dtype=torch.float64)).square().sum().backward()
    for name, parameter in small.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_initial_weights() -> None:
    """Weights from N(0, 0.02), gains from N(1, 0.02), biases 0."""
    torch.manual_seed(3)
    network = UNet(16, 6)
    initialize(network)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for values, mean in (
        (torch.cat([m.weight.detach().flatten() for m in convolutions]), 0.0),
        (torch.cat([m.weight.detach() for m in norms]), 1.0),
    ):
        # five standard errors of a mean and of a standard deviation of n normal samples
        assert abs(values.mean() - mean) < 5 * 0.02 / math.sqrt(len(values))
        assert abs(values.std() - 0.02) < 5 * 0.02 / math.sqrt(2 * len(values))
    for module in (*convolutions, *norms):
        assert module.bias is None or not module.bias.any()
