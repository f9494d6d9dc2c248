"""The U-Nets of pix2pix and around a ResNet-18: their published sizes and shapes, and that every
part of them takes part."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

from training.config import TrainConfig
from training.generators import ResNetUNet, UNet, generator_for, initialize


@pytest.fixture(scope="module")
def full() -> UNet:
    """The generator of the paper."""
    torch.manual_seed(0)
    return UNet(64, 8).eval()


@pytest.fixture
def small() -> UNet:
    """Six levels in double precision, in which even faint paths stand far above rounding."""
    torch.manual_seed(0)
    return UNet(8, 6).double().eval()


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
        UNet(8, 4)


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
def _assert_skip_matters(network: UNet | ResNetUNet, block: int) -> None:
    lightness = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    whole = network(lightness)

    def blank(_: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        x = inputs[0].clone()
        x[:, x.shape[1] // 2 :] = 0
        return x

    hook = network.up[block].register_forward_pre_hook(blank)
    without = network(lightness)
    hook.remove()
    # far above double rounding (1e-16) of values below 1
    assert (whole - without).abs().max() > 1e-8


def _assert_all_learn(network: UNet | ResNetUNet) -> None:
    network(torch.randn(2, 1, 64, 64, dtype=torch.float64)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("block", range(1, 6))
def test_every_skip_matters(small: UNet, block: int) -> None:
    """Blanking the skip into any up-block changes the picture: no concatenation is decoration."""
    _assert_skip_matters(small, block)


def test_every_parameter_learns(small: UNet) -> None:
    """A gradient reaches every parameter."""
    _assert_all_learn(small)


@pytest.mark.parametrize("init", ["normal", "xavier", "kaiming"])
@pytest.mark.parametrize("kind", [UNet, ResNetUNet])
def test_initial_weights(kind: type[UNet] | type[ResNetUNet], init: str) -> None:
    """Weights by the named rule, gains from N(1, 0.02), biases 0; in the U-Net as in the ResNet."""
    torch.manual_seed(3)
    network = kind(16)
    initialize(network, init)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    gains = torch.cat([m.weight.detach() for m in norms])
    samples = [(gains, 1.0, 0.02)]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for module in convolutions:
        taps = module.kernel_size[0] * module.kernel_size[1]
        inputs, outputs = module.in_channels * taps, module.out_channels * taps
        # of stride 2, an output meets every other tap each way
        met = inputs / 4 if isinstance(module, nn.ConvTranspose2d) else inputs
        expected = {
            "normal": 0.02,  # Isola et al. 2017, section 6.2
            "xavier": math.sqrt(2 / (inputs + outputs)),  # Glorot and Bengio 2010, equation 12
            "kaiming": math.sqrt(2 / met),  # He et al. 2015, equation 10
        }[init]
        samples.append((module.weight.detach().flatten(), 0.0, expected))
    for values, mean, deviation in samples:
        # five standard errors of a mean and of a standard deviation of n normal samples
        assert abs(values.mean() - mean) < 5 * deviation / math.sqrt(len(values))
        assert abs(values.std() - deviation) < 5 * deviation / math.sqrt(2 * len(values))
    for module in (*convolutions, *norms):
        assert module.bias is None or not module.bias.any()


@torch.no_grad()
def test_kaiming_keeps_the_variance() -> None:
    """What He's rule is for: behind a ReLU every layer, the transposed too, keeps the variance."""
    torch.manual_seed(0)
    x = torch.randn(4, 64, 32, 32)
    for layer in (nn.Conv2d(64, 96, 4, stride=2), nn.ConvTranspose2d(64, 8, 4, stride=2)):
        initialize(layer, "kaiming")
        inside = layer(x.relu())[..., 4:-4, 4:-4]
        # mean square of N(0, 1) behind a ReLU is 1/2, and the rule doubles it; few weights
        assert inside.square().mean() == pytest.approx(1, abs=0.25)


@torch.no_grad()
def test_kaiming_knows_groups() -> None:
    """A depthwise output is a sum over one channel; its variance is kept, too."""
    torch.manual_seed(0)
    layer = nn.Conv2d(512, 512, 3, groups=512)
    initialize(layer, "kaiming")
    inside = layer(torch.randn(4, 512, 16, 16).relu())
    # mean square of N(0, 1) behind a ReLU is 1/2, and the rule doubles it
    assert inside.square().mean() == pytest.approx(1, abs=0.25)


# --- the U-Net around a ResNet-18 --------------------------------------------------------------


@pytest.fixture
def resnet() -> ResNetUNet:
    """A thin one in double precision, in which even faint paths stand far above rounding."""
    torch.manual_seed(0)
    return ResNetUNet(16).double().eval()


@torch.no_grad()
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 2), (3, 3)])
def test_resnet_shapes_and_range(inputs: int, outputs: int) -> None:
    """Any multiple of 32 each way goes in, and bounded planes of that size come out."""
    torch.manual_seed(0)
    network = ResNetUNet(16, inputs=inputs, outputs=outputs).eval()
    for size in ((32, 32), (64, 96)):
        made = network(torch.randn(2, inputs, *size))
        assert made.shape == (2, outputs, *size)
        assert made.abs().max() < 1


@pytest.mark.parametrize("size", [(64, 48), (100, 96)])
def test_resnet_wrong_sizes(resnet: ResNetUNet, size: tuple[int, int]) -> None:
    """Sizes that do not halve five times are refused, not cropped or padded."""
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} is no multiple of 32"):
        resnet(torch.zeros(1, 1, *size, dtype=torch.float64))


def test_resnet_layers() -> None:
    """At width 64 the encoder is ResNet-18 less its first kernel's two channels; one up-block per
    halving, joined with the maps at 1/16 to 1/2; dropout in the first three."""
    with torch.device("meta"):
        network = ResNetUNet(64)
    encoder = sum(parameter.numel() for parameter in network.encoder.parameters())
    assert encoder == 11_176_512 - 2 * 64 * 7 * 7
    up = [next(m for m in block if isinstance(m, nn.ConvTranspose2d)) for block in network.up]
    # 512 from the encoder; then what was made beside 256, 128, 64 and 64 from the encoder
    assert [conv.in_channels for conv in up] == [512, 256 + 256, 128 + 128, 64 + 64, 64 + 64]
    assert up[-1].out_channels == 2
    rates = [[m.p for m in block.modules() if isinstance(m, nn.Dropout)] for block in network.up]
    assert rates == [[0.5], [0.5], [0.5], [], []]
    assert not any(isinstance(m, nn.Dropout | nn.Linear) for m in network.encoder.modules())


@pytest.mark.parametrize("block", range(1, 5))
def test_every_resnet_skip_matters(resnet: ResNetUNet, block: int) -> None:
    """Blanking the skip into any up-block changes the picture."""
    _assert_skip_matters(resnet, block)


def test_every_resnet_parameter_learns(resnet: ResNetUNet) -> None:
    """A gradient reaches every parameter, the encoder's first to last."""
    _assert_all_learn(resnet)


@torch.no_grad()
def test_settings_make_the_generator() -> None:
    """Color space, kind, width, depth, dropout and bound of a generator are the settings' own."""
    config = TrainConfig(width=16, levels=6, size=64, dropout=0.25, relu_limit=6.0)
    for kind, known in (("unet", UNet), ("resnet18", ResNetUNet)):
        for space, inputs, outputs in (("lab", 1, 2), ("rgb", 3, 3)):
            chosen = dataclasses.replace(config, generator=kind, color_space=space)
            network = generator_for(chosen)
            assert isinstance(network, known)
            assert network(torch.zeros(2, inputs, 64, 64)).shape == (2, outputs, 64, 64)
            assert {m.p for m in network.modules() if isinstance(m, nn.Dropout)} == {0.25}
            limits = {m.max_val for m in network.modules() if isinstance(m, nn.Hardtanh)}
            assert limits == {6.0}
