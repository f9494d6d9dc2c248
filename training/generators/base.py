"""What every generator has in common: what the rest of the project asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.backbones import Backbone
from training.config import TrainConfig

MAPS = 5
"""How many of its encoder's maps a generator can show, from 1/2 to 1/32 of the size."""


class Generator(nn.Module, ABC):
    """A network that sees grey and predicts color (see `training.generators`).

    `encoder` is the part that may start with a backbone's weights; None where there is none.
    """

    encoder: Backbone | None
    smoothing: float = 0.0
    """As in the settings; every `forward` begins with `smoothed`."""

    @classmethod
    @abstractmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        """The network that the settings describe, with PyTorch's own weights."""

    @abstractmethod
    def forward(self, condition: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), float32 (or the autocast type) in [-1, 1].

        Raises ValueError for sizes that do not halve often enough.
        """

    @abstractmethod
    def maps(self, condition: Tensor, count: int = MAPS) -> list[Tensor]:
        """The encoder's first `count` maps, behind their activations where they have any: at 1/2,
        1/4, ... of the size of `condition` (N, inputs, H, W)."""

    @abstractmethod
    def final(self) -> nn.Conv2d | nn.ConvTranspose2d:
        """The convolution whose outputs the tanh at the end makes colors of."""

    def left_out(self, size: int) -> Sequence[str]:
        """Names of layers that play no part at this height and width: an exported model has no
        weights for them."""
        return ()

    def frozen(self) -> Sequence[nn.Module]:
        """Parts that stay as they came where the settings freeze the encoder's first ones."""
        return ()


def smoothed(condition: Tensor, share: float) -> Tensor:
    """(N, C, H, W) through a filter of three taps (share, 1 - 2 x share, share) along rows and
    columns, the border repeated. It leaves (1 - 4 x share + 6 x share^2) of the standard deviation
    of white noise: 3/8 with 0.25."""
    if not share:
        return condition
    taps = condition.new_tensor([share, 1 - 2 * share, share])
    kernel = torch.outer(taps, taps).expand(condition.shape[1], 1, 3, 3)
    wide = functional.pad(condition, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(wide, kernel, groups=condition.shape[1])


def check_size(condition: Tensor, multiple: int) -> None:
    """Raise ValueError unless height and width are multiples of a number."""
    height, width = condition.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f"{height}x{width} is no multiple of {multiple}")
