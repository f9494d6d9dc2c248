"""The U-Net of pix2pix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import TrainConfig
from training.generators.base import MAPS, Generator, smoothed
from training.generators.layers import final_of, last_block, up_block

WIDEST = 8
"""The widest layers have 8 times the channels of the first one (C64 ... C512)."""
SLOPE = 0.2
"""Of the encoder's LeakyReLU."""


def _down(inputs: int, outputs: int, *, first: bool, norm: bool) -> nn.Sequential:
    """LeakyReLU 0.2, 4x4 convolution of stride 2, batch norm; the first is a convolution alone."""
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(SLOPE)]
    layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
    if norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers)


class UNet(Generator):
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
        self.encoder = None
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
            up.append(up_block(joined, channels[level - 1], dropout=share, relu_limit=relu_limit))
        up.append(last_block(channels[0] * 2, outputs, relu_limit=relu_limit))
        self.up = nn.ModuleList(up)

    @classmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        return cls(config.width, config.levels, config.dropout, config.relu_limit, inputs, outputs)

    def forward(self, condition: Tensor) -> Tensor:
        height, width = condition.shape[-2:]
        whole = height % 2**self.levels == 0 and width % 2**self.levels == 0
        if not whole and (height % 2 ** (self.levels - 1) or width % 2 ** (self.levels - 1)):
            raise ValueError(f"{height}x{width} is no multiple of {2**self.levels}")
        skips = []
        x = smoothed(condition, self.smoothing)
        for down in self.down if whole else self.down[:-1]:
            x = down(x)
            skips.append(x)
        x = self.up[0](skips.pop()) if whole else torch.zeros_like(x)
        for up in self.up[1:]:
            x = up(torch.cat([x, skips.pop()], dim=1))
        return x

    def final(self) -> nn.ConvTranspose2d:
        return final_of(self.up[-1])

    def maps(self, condition: Tensor, count: int = MAPS) -> list[Tensor]:
        maps = []
        x = condition
        for down in self.down[:count]:
            x = down(x)
            maps.append(functional.leaky_relu(x, SLOPE))
        return maps

    def left_out(self, size: int) -> Sequence[str]:
        """The innermost level is passed by at half its size."""
        return () if size % 2**self.levels == 0 else (f"down.{self.levels - 1}.1", "up.0.1")
