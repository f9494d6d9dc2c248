"""The U-Net around EfficientNet-Lite2: its join in both its forms, its shapes, its parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import TrainConfig
from training.generators import generator_for, initialize
from training.generators.lite_unet import Attention, EnlargeJoinConvolve, LiteUNet, woven


@pytest.fixture(scope="module")
def network() -> LiteUNet:
    """A thin decoder in double precision, in which even faint paths stand far above rounding."""
    torch.manual_seed(0)
    network = LiteUNet(16).double().eval()
    initialize(network, "kaiming")
    return network


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_weaving_is_a_pixel_shuffle(size: tuple[int, int]) -> None:
    """Of the same channels in the order of `pixel_shuffle`, to the number."""
    phases = torch.randn(2, 4 * 6, *size)
    in_its_order = phases.unflatten(1, (4, 6)).transpose(1, 2).flatten(1, 2)
    shuffled = functional.pixel_shuffle(in_its_order, 2)
    assert torch.equal(woven(phases).permute(0, 3, 1, 2), shuffled)


def _plain(coarse: Tensor, fine: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The join as it is described: enlarge, concatenate, convolve."""
    enlarged = functional.interpolate(coarse, scale_factor=2, mode="nearest")
    return functional.conv2d(torch.cat([enlarged, fine], dim=1), weight, bias, padding=1)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (8, 6)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_join_is_the_plain_one(
    size: tuple[int, int], layout: torch.memory_format, biased: bool, training: bool
) -> None:
    """In both its forms, values and all gradients are those of the plain convolution."""
    torch.manual_seed(1)
    height, width = size
    join = EnlargeJoinConvolve(16, 8, 24).double().to(memory_format=layout).train(training)
    if biased:  # as the export leaves it, with its batch norm folded
        join.bias = nn.Parameter(torch.randn(24, dtype=torch.float64))
    coarse = torch.randn(3, 16, height, width, dtype=torch.float64).to(memory_format=layout)
    fine = torch.randn(3, 8, 2 * height, 2 * width, dtype=torch.float64).to(memory_format=layout)
    towards = torch.randn(3, 24, 2 * height, 2 * width, dtype=torch.float64)
    inputs = [coarse.requires_grad_(), fine.requires_grad_(), *join.parameters()]
    made = join((coarse, fine))
    wanted = _plain(coarse, fine, join.weight, join.bias)
    assert wanted.std() > 0.1
    # double precision, sums of 216 values around 1
    assert (made - wanted).abs().max() < 1e-12
    gradients = torch.autograd.grad(made, inputs, towards)
    for found, expected in zip(
        gradients, torch.autograd.grad(wanted, inputs, towards), strict=True
    ):
        # the weight's are sums over up to 576 places of products around 1
        assert (found - expected).abs().max() < 1e-12 * max(1, float(expected.abs().max()))


@torch.no_grad()
def test_network_is_the_plain_one(network: LiteUNet) -> None:
    """The whole network answers as with plain joins in their places."""
    condition = torch.randn(2, 1, 64, 96, dtype=torch.float64)
    made = network(condition)

    def plainly(
        join: EnlargeJoinConvolve, inputs: tuple[tuple[Tensor, Tensor]], _: Tensor
    ) -> Tensor:
        return _plain(*inputs[0], join.weight, join.bias)

    joins = [m for m in network.modules() if isinstance(m, EnlargeJoinConvolve)]
    hooks = [join.register_forward_hook(plainly) for join in joins]
    wanted = network(condition)
    for hook in hooks:
        hook.remove()
    assert len(joins) == 5
    assert (made - wanted).abs().max() < 1e-12


@torch.no_grad()
def test_attention() -> None:
    """Each place is a sum over all, weighted by softmax(q k / sqrt(d)), head by head; both parts
    stand beside their input (Vaswani et al. 2017, equation 1)."""
    torch.manual_seed(0)
    block = Attention(32, 4).double()
    x = torch.randn(2, 32, 3, 5, dtype=torch.float64)
    places = (x + block.pos(x)).flatten(2).transpose(1, 2)
    query, key, value = block.qkv(block.n1(places)).split(32, dim=2)
    seen = []
    for head in range(4):
        part = slice(8 * head, 8 * head + 8)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 8**0.5
        seen.append(scores.softmax(dim=2) @ value[..., part])
    places = places + block.out(torch.cat(seen, dim=2))
    places = places + block.mlp(block.n2(places))
    assert (block(x) - places.transpose(1, 2).reshape(2, 32, 3, 5)).abs().max() < 1e-12


@torch.no_grad()
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 2), (3, 3)])
def test_shapes_and_range(inputs: int, outputs: int) -> None:
    """Any multiple of 32 each way goes in, and bounded planes of that size come out."""
    torch.manual_seed(0)
    network = LiteUNet(16, inputs=inputs, outputs=outputs).eval()
    for size in ((32, 32), (64, 96)):
        made = network(torch.randn(2, inputs, *size))
        assert made.shape == (2, outputs, *size)
        assert made.abs().max() < 1


@pytest.mark.parametrize("size", [(64, 48), (100, 96)])
def test_wrong_sizes(network: LiteUNet, size: tuple[int, int]) -> None:
    """Sizes that do not halve five times are refused, not cropped or padded."""
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} is no multiple of 32"):
        network(torch.zeros(1, 1, *size, dtype=torch.float64))


def test_layers() -> None:
    """At width 64 the decoder has 256, 192, 128, 96, 48 and 16 channels; the encoder is
    EfficientNet-Lite2 less its classifier and its first kernel's two channels."""
    with torch.device("meta"):
        network = LiteUNet()
    encoder = sum(parameter.numel() for parameter in network.encoder.parameters())
    # 6,092,072 less the head's 352 x 1280 and 2 x 1280, and the linear layer's 1280 x 1000 + 1000
    assert encoder == 6_092_072 - 352 * 1280 - 2 * 1280 - 1_281_000 - 2 * 32 * 9
    joins = [m for m in network.modules() if isinstance(m, EnlargeJoinConvolve)]
    # what was made beside the encoder's map of that size, or what the network sees
    assert [(join.coarse, join.in_channels - join.coarse) for join in joins] == [
        (256, 120),
        (192, 48),
        (128, 24),
        (96, 16),
        (48, 1),
    ]
    assert [join.out_channels for join in joins] == [192, 128, 96, 48, 16]
    assert network.last[1].out_channels == 2
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in network.modules())


def test_settings_make_the_generator() -> None:
    """Width, dropout and bound of the ReLUs are the settings' own."""
    config = TrainConfig(generator="lite-unet", width=32, size=64, dropout=0.25, relu_limit=5.0)
    network = generator_for(config)
    assert isinstance(network, LiteUNet)
    assert network.bottom[0].out_channels == 128
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == 3 * [0.25]
    assert [m.max_val for m in network.modules() if isinstance(m, nn.Hardtanh)] == 9 * [5.0]
    plain = LiteUNet(16, dropout=0.0, relu_limit=0.0)
    assert not any(isinstance(m, nn.Dropout | nn.Hardtanh) for m in plain.modules())


@torch.no_grad()
@pytest.mark.parametrize("block", range(5))
def test_every_join_matters(network: LiteUNet, block: int) -> None:
    """Blanking either side of any join changes the picture: no concatenation is decoration."""
    condition = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    whole = network(condition)
    for side in (0, 1):

        def blank(
            _: nn.Module, inputs: tuple[tuple[Tensor, Tensor]], side: int = side
        ) -> tuple[tuple[Tensor, ...]]:
            return (tuple(x * 0 if i == side else x for i, x in enumerate(inputs[0])),)

        hook = (*network.up, network.last)[block].register_forward_pre_hook(blank)
        without = network(condition)
        hook.remove()
        # far above double rounding (1e-16) of values below 1
        assert (whole - without).abs().max() > 1e-8


def test_every_parameter_learns() -> None:
    """A gradient reaches every parameter, the encoder's first to last."""
    torch.manual_seed(0)
    network = LiteUNet(16).double()
    network(torch.randn(2, 1, 64, 64, dtype=torch.float64)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@torch.no_grad()
def test_frozen_parts_make_the_first_maps(network: LiteUNet) -> None:
    """What stays frozen is what the maps at 1/2 and 1/4 are made by, whole and alone."""
    frozen = {id(p) for part in network.frozen() for p in part.parameters()}
    learning = LiteUNet(16).double().train()
    learning.load_state_dict(network.state_dict())
    names = [n for n, p in network.named_parameters() if id(p) in frozen]
    assert {name.rsplit(".", 2)[0] for name in names if "_blocks" not in name} == {"encoder"}
    # one block before the map at 1/2, three more before that at 1/4
    blocks = {int(name.split(".")[2]) for name in names if "_blocks" in name}
    assert blocks == {0, 1, 2, 3}
    condition = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    before = network.maps(condition)
    changed = LiteUNet(16).double().eval()
    changed.load_state_dict(
        {
            name: value
            if any(name.startswith(n.rsplit(".", 1)[0] + ".") for n in names)
            else value * 2
            for name, value in network.state_dict().items()
        }
    )
    after = changed.maps(condition)
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == 2 * [True] + 3 * [
        False
    ]
