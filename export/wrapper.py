"""The modules whose `forward` is the ONNX signature; the generators stay free of export tricks."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorbatch.color import AB_SCALE
from colorbatch.model.contract import InputSpec, ModelContract, OutputSpec, SizeRule

Network = TypeVar("Network", bound=nn.Module)


class LabGenerator(nn.Module):
    """`lightness` (N, 1, H, W) float32 in [-1, 1] -> `chroma` (N, 2, H, W) float32 in [-1, 1]."""

    space = "lab"

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, lightness: Tensor) -> Tensor:
        chroma: Tensor = self.generator(lightness)
        return chroma


class RgbGenerator(nn.Module):
    """`grey` (N, 3, H, W) float32 in [-1, 1] -> `picture` (N, 3, H, W) float32 in [0, 1], sRGB."""

    space = "rgb"

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, grey: Tensor) -> Tensor:
        picture: Tensor = (self.generator(grey) + 1) / 2
        return picture


Exportable = LabGenerator | RgbGenerator
WRAPPERS: dict[str, type[Exportable]] = {"lab": LabGenerator, "rgb": RgbGenerator}
"""What exports a generator of each color space of training."""


def contract_for(space: str, size: int) -> ModelContract:
    """The contract of an exported generator of one color space and size; its batch axis is free."""
    rule = SizeRule(fixed=(size, size))
    if space == "rgb":
        grey = InputSpec("grey", "gray_rgb", (-1.0, 1.0))
        return ModelContract(grey, OutputSpec("picture", "rgb", 1.0), rule)
    lightness = InputSpec("lightness", "lab_l", (-1.0, 1.0))
    return ModelContract(lightness, OutputSpec("chroma", "lab_ab", AB_SCALE), rule)


def fold_batch_norm(network: Network) -> Network:
    """A copy in eval mode with every batch norm folded into the convolution before it.

    The same function to rounding; what the ONNX file stores, tensor by tensor. Inference is faster,
    since onnxruntime folds no batch norm behind a transposed convolution.
    """
    folded = copy.deepcopy(network).eval()
    for block in list(folded.modules()):
        # a batch norm follows its convolution in every Sequential, and as an attribute of ResNet's
        for (first_name, first), (name, norm) in pairwise(list(block.named_children())):
            if isinstance(norm, nn.BatchNorm2d):
                assert isinstance(first, nn.Conv2d | nn.ConvTranspose2d)
                transposed = isinstance(first, nn.ConvTranspose2d)
                block.set_submodule(first_name, fuse_conv_bn_eval(first, norm, transposed))
                block.set_submodule(name, nn.Identity())
    return folded
