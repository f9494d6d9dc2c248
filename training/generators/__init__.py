"""Generators: networks that see grey and predict color.

In: L of CIELAB in the network range, float32 of shape (N, 1, H, W), values in [-1, 1].
Out: (a, b) in the network range, float32 of shape (N, 2, H, W), values in (-1, 1) after tanh.
In the color space `rgb`: three equal channels of grey in, RGB out (see `training.spaces`).
No export tricks and no color conversion here: see `export.wrapper` and `colorbatch.color`.

A generator is a file of this package and a row of `GENERATORS`; nothing else knows its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from colorbatch.errors import UsageError
from training import spaces
from training.backbones import BACKBONES
from training.config import TrainConfig
from training.generators.base import Generator
from training.generators.initial import initialize
from training.generators.lite_unet import LiteUNet
from training.generators.resnet18 import ResNetUNet
from training.generators.unet import UNet

__all__ = ["GENERATORS", "Generator", "check", "generator_for", "initialize"]


@dataclass(frozen=True)
class Row:
    """All that the project needs to know of a generator beside the network itself."""

    network: type[Generator]
    multiple: Callable[[TrainConfig], int]
    """What height and width must be a multiple of."""
    halving: Callable[[TrainConfig], str]
    """Why, in words."""
    backbone: str | None
    """Whose weights its encoder may start with: a name of `training.backbones`."""

    def __post_init__(self) -> None:
        if inspect.isabstract(self.network):
            missing = ", ".join(sorted(self.network.__abstractmethods__))
            raise TypeError(f"{self.network.__name__} has no {missing}")
        if self.backbone is not None and self.backbone not in BACKBONES:
            raise TypeError(f"{self.network.__name__}: no backbone {self.backbone!r}")


GENERATORS = {
    "unet": Row(
        network=UNet,
        # one level less is fine: the U-Net leaves its innermost level out
        multiple=lambda config: 2 ** (config.levels - 1),
        halving=lambda config: f"{config.levels} levels",
        backbone=None,
    ),
    "resnet18": Row(
        network=ResNetUNet,
        multiple=lambda config: 32,
        halving=lambda config: "a resnet18",
        backbone="resnet18",
    ),
    "lite-unet": Row(
        network=LiteUNet,
        multiple=lambda config: 32,
        halving=lambda config: "a lite-unet",
        backbone="efficientnet-lite2",
    ),
}


def generator_for(config: TrainConfig) -> Generator:
    """The generator that the settings describe, with PyTorch's own weights."""
    channels = spaces.INPUTS[config.color_space], spaces.OUTPUTS[config.color_space]
    network = GENERATORS[config.generator].network.of(config, *channels)
    network.smoothing = config.smoothing
    return network


def check(config: TrainConfig) -> None:
    """Raise UsageError if there is no such generator, or it cannot halve pictures of this size."""
    if config.generator not in GENERATORS:
        raise UsageError(f"generator is one of {', '.join(GENERATORS)}")
    row = GENERATORS[config.generator]
    multiple = row.multiple(config)
    if config.size < 32 or config.size % multiple:
        raise UsageError(f"size must be a multiple of {multiple} for {row.halving(config)}")
