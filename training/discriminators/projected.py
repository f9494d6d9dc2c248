"""A discriminator on the features of a frozen network: do the colors fit what is to be seen?

In: maps of a frozen backbone, from fine to coarse, each (N, C, h, w), the coarser half as large.
Out: one list of logits (N, 1, h, w) for each map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

MIXED = 96
"""Channels of the random mixtures."""
HIDDEN = 128


class Projected(nn.Module):
    """Sauer et al. 2021, "Projected GANs Converge Faster", section 3.2: fixed random 1x1
    convolutions mix the channels of each map, fixed random 3x3 convolutions bring the coarser map
    into the finer one, and on each mixture stands a small discriminator, here of 3x3, 3x3 and 1x1
    convolutions under a spectral norm. Features that a discriminator would not look at are so in
    every map it sees, and it cannot rest on a few of them.

    `channels`: those of the maps that `forward` gets. Parameters of the mixtures never learn.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.mixes = nn.ModuleList(nn.Conv2d(count, MIXED, 1) for count in channels)
        self.joins = nn.ModuleList(nn.Conv2d(MIXED, MIXED, 3, padding=1) for _ in channels[:-1])
        for layer in (*self.mixes, *self.joins):
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)
            layer.requires_grad_(False)
        self.heads = nn.ModuleList(_head() for _ in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        # halves the variance of a sum of two, so that all mixtures keep that of the maps
        half = 1 / math.sqrt(2)
        mixed = [mix(each) * half for mix, each in zip(self.mixes, maps, strict=True)]
        for i in range(len(mixed) - 2, -1, -1):
            coarse = functional.interpolate(mixed[i + 1], mixed[i].shape[2:], mode="nearest")
            mixed[i] = (mixed[i] + self.joins[i](coarse)) * half
        return [head(each) for head, each in zip(self.heads, mixed, strict=True)]


def _head() -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(MIXED, HIDDEN, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(HIDDEN, 1, 1)),
    )
