"""Generators: networks that see grey and predict color.

In: L of CIELAB in the network range, float32 of shape (N, 1, H, W), values in [-1, 1].
Out: (a, b) in the network range, float32 of shape (N, 2, H, W), values in (-1, 1) after tanh.
In the color space `rgb`: three equal channels of grey in, RGB out (see `training.spaces`).
No export tricks and no color conversion here: see `export.wrapper` and `colorbatch.color`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training import spaces
from training.backbones import ResNet18
from training.config import TrainConfig

WIDEST = 8
"""The widest layers of a U-Net have 8 times the channels of its first one (C64 ... C512)."""


def _down(inputs: int, outputs: int, *, first: bool, norm: bool) -> nn.Sequential:
    """LeakyReLU 0.2, 4x4 convolution of stride 2, batch norm; the first is a convolution alone."""
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
    if norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers)


def _relu(limit: float) -> nn.Module:
    return nn.Hardtanh(0.0, limit) if limit else nn.ReLU()


def _up(inputs: int, outputs: int, *, dropout: float, relu_limit: float) -> nn.Sequential:
    """ReLU, 4x4 transposed convolution of stride 2, batch norm, dropout where it is not 0."""
    layers: list[nn.Module] = [
        _relu(relu_limit),
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def _last(inputs: int, outputs: int, *, relu_limit: float) -> nn.Sequential:
    """ReLU, 4x4 transposed convolution of stride 2, tanh."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    return nn.Sequential(_relu(relu_limit), convolution, nn.Tanh())


class UNet(nn.Module):
    """The U-Net of pix2pix (Isola et al. 2017, "Image-to-Image Translation with Conditional
    Adversarial Networks", section 6.1.1), for one channel in and two out unless said otherwise.

    Encoder C64-C128-C256-C512-...-C512 and its mirror with skip concatenations, `levels` halvings
    deep; dropout in up-blocks 2 to 4, counted from the innermost, as in the authors' code.
    `relu_limit` bounds the decoder's ReLUs from above (6 is ReLU6, Krizhevsky 2010; 0 is none).

    `forward`: (N, inputs, H, W) -> (N, outputs, H, W), both multiples of 2 ** levels; float32 (or
    the autocast type) in [-1, 1]. Pictures that halve once less (128x128 at 8 levels) are taken
    too, for cheap early training: the innermost level is left out and adds zeros to its
    concatenation. Raises ValueError for all other sizes.
    """

    def __init__(
        self,
        width: int = 64,
        levels: int = 8,
        dropout: float = 0.5,
        relu_limit: float = 0.0,
        inputs: int = 1,
        outputs: int = 2,
    ) -> None:
        super().__init__()
        if levels < 5:
            raise ValueError(f"a U-Net needs at least 5 levels, not {levels}")
        self.levels = levels
        channels = [width * min(2**level, WIDEST) for level in range(levels)]
        self.down = nn.ModuleList(
            _down(
                inputs if level == 0 else channels[level - 1],
                channels[level],
                first=level == 0,
                norm=0 < level < levels - 1,  # one pixel per channel leaves nothing to normalise
            )
            for level in range(levels)
        )
        up: list[nn.Module] = []
        for block in range(1, levels):  # block 1 is the innermost
            level = levels - block  # the resolution it starts from
            joined = channels[level] * (1 if block == 1 else 2)
            share = dropout if 2 <= block <= 4 else 0.0
            up.append(_up(joined, channels[level - 1], dropout=share, relu_limit=relu_limit))
        up.append(_last(channels[0] * 2, outputs, relu_limit=relu_limit))
        self.up = nn.ModuleList(up)

    def forward(self, lightness: Tensor) -> Tensor:
        height, width = lightness.shape[-2:]
        whole = height % 2**self.levels == 0 and width % 2**self.levels == 0
        if not whole and (height % 2 ** (self.levels - 1) or width % 2 ** (self.levels - 1)):
            raise ValueError(f"{height}x{width} is no multiple of {2**self.levels}")
        skips = []
        x = lightness
        for down in self.down if whole else self.down[:-1]:
            x = down(x)
            skips.append(x)
        x = self.up[0](skips.pop()) if whole else torch.zeros_like(x)
        for up in self.up[1:]:
            x = up(torch.cat([x, skips.pop()], dim=1))
        return x


class ResNetUNet(nn.Module):
    """A U-Net whose encoder is a ResNet-18 without its average pool and linear layer.

    The better generator of "Image Colorization using Conditional GANs" (Roshana et al.), there made
    by fastai's DynamicUnet. Here the decoder is that of `UNet`: one up-block per halving, joined
    with the encoder's maps at 1/16, 1/8, 1/4 and 1/2 of the size; dropout in the first three.

    `forward`: (N, inputs, H, W) -> (N, outputs, H, W), both multiples of 32; float32 (or the
    autocast type) in [-1, 1]. Raises ValueError for all other sizes.
    """

    def __init__(
        self,
        width: int = 64,
        dropout: float = 0.5,
        relu_limit: float = 0.0,
        inputs: int = 1,
        outputs: int = 2,
    ) -> None:
        super().__init__()
        self.encoder = ResNet18(width, inputs)
        made = (4 * width, 2 * width, width, width)
        joined = (8 * width, 8 * width, 4 * width, 2 * width)
        up: list[nn.Module] = [
            _up(joined[i], made[i], dropout=dropout if i < 3 else 0.0, relu_limit=relu_limit)
            for i in range(4)
        ]
        up.append(_last(2 * width, outputs, relu_limit=relu_limit))
        self.up = nn.ModuleList(up)

    def forward(self, condition: Tensor) -> Tensor:
        height, width = condition.shape[-2:]
        if height % 32 or width % 32:
            raise ValueError(f"{height}x{width} is no multiple of 32")
        skips: list[Tensor] = self.encoder(condition)
        x: Tensor = self.up[0](skips.pop())
        for up in self.up[1:]:
            x = up(torch.cat([x, skips.pop()], dim=1))
        return x


Generator = UNet | ResNetUNet


def generator_for(config: TrainConfig) -> Generator:
    """The generator that the settings describe, with PyTorch's own weights."""
    channels = spaces.INPUTS[config.color_space], spaces.OUTPUTS[config.color_space]
    if config.generator == "resnet18":
        return ResNetUNet(config.width, config.dropout, config.relu_limit, *channels)
    return UNet(config.width, config.levels, config.dropout, config.relu_limit, *channels)


def initialize(network: nn.Module, init: str = "normal") -> None:
    """First weights; batch norm gains from N(1, 0.02), biases 0 (Isola et al. 2017, 6.2).

    `normal`: N(0, 0.02), as there; `xavier`: Glorot and Bengio 2010, equation 12, of their normal
    distribution; `kaiming`: He et al. 2015, equation 10, whose n is the number of values that one
    output is a sum of (PyTorch takes it wrong for transposed convolutions: the last layer of a
    U-Net would start with tanh of 4 times what it should be).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if init == "xavier":
                nn.init.xavier_normal_(module.weight)
            elif init == "kaiming":
                nn.init.normal_(module.weight, 0.0, math.sqrt(2 / _summands(module)))
            else:
                nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


def _summands(convolution: nn.Conv2d | nn.ConvTranspose2d) -> float:
    """How many values one output value is a sum of."""
    count = float(convolution.in_channels * math.prod(convolution.kernel_size))
    if isinstance(convolution, nn.ConvTranspose2d):  # each input meets a part of the outputs
        count /= math.prod(convolution.stride)
    return count
