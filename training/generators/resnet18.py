"""A U-Net around a ResNet-18."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from training.backbones.resnet18 import ResNet18
from training.config import TrainConfig
from training.generators.base import MAPS, Generator, check_size, smoothed
from training.generators.layers import final_of, last_block, up_block


class ResNetUNet(Generator):
    """A U-Net whose encoder is a ResNet-18 without its average pool and linear layer.

    The better generator of "Image Colorization using Conditional GANs" (Roshana et al.), there made
    by fastai's DynamicUnet. Here the decoder is that of `UNet`: one up-block per halving, joined
    with the encoder's maps at 1/16, 1/8, 1/4 and 1/2 of the size; dropout in the first three.

    `forward`: (N, inputs, H, W) -> (N, outputs, H, W), both multiples of 32; float32 (or the
    autocast type) in [-1, 1]. Raises ValueError for all other sizes.
    """

    encoder: ResNet18

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
            up_block(joined[i], made[i], dropout=dropout if i < 3 else 0.0, relu_limit=relu_limit)
            for i in range(4)
        ]
        up.append(last_block(2 * width, outputs, relu_limit=relu_limit))
        self.up = nn.ModuleList(up)

    @classmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        return cls(config.width, config.dropout, config.relu_limit, inputs, outputs)

    def forward(self, condition: Tensor) -> Tensor:
        check_size(condition, 32)
        skips = self.maps(smoothed(condition, self.smoothing))
        x: Tensor = self.up[0](skips.pop())
        for up in self.up[1:]:
            x = up(torch.cat([x, skips.pop()], dim=1))
        return x

    def final(self) -> nn.ConvTranspose2d:
        return final_of(self.up[-1])

    def maps(self, condition: Tensor, count: int = MAPS) -> list[Tensor]:
        maps: list[Tensor] = self.encoder(condition)
        return maps[:count]
