"""The module whose `forward` is the ONNX signature; the generator stays free of export tricks."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorbatch.color import AB_SCALE
from colorbatch.contract import InputSpec, ModelContract, OutputSpec, SizeRule


class LabGenerator(nn.Module):
    """`lightness` (N, 1, H, W) float32 in [-1, 1] -> `chroma` (N, 2, H, W) float32 in [-1, 1]."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, lightness: Tensor) -> Tensor:
        chroma: Tensor = self.generator(lightness)
        return chroma


def contract_for(size: int) -> ModelContract:
    """The contract of a `LabGenerator` exported at one size; its batch axis is free."""
    return ModelContract(
        input=InputSpec("lightness", "lab_l", (-1.0, 1.0)),
        output=OutputSpec("chroma", "lab_ab", AB_SCALE),
        size=SizeRule(fixed=(size, size)),
    )


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """A copy in eval mode with every batch norm folded into the convolution before it.

    The same function to rounding; what the ONNX file stores, tensor by tensor. Inference is faster,
    since onnxruntime folds no batch norm behind a transposed convolution.
    """
    folded = copy.deepcopy(network).eval()
    for block in folded.modules():
        if not isinstance(block, nn.Sequential):
            continue
        for i in range(len(block) - 1):
            first, second = block[i], block[i + 1]
            if isinstance(second, nn.BatchNorm2d):
                assert isinstance(first, nn.Conv2d | nn.ConvTranspose2d)
                transposed = isinstance(first, nn.ConvTranspose2d)
                block[i] = fuse_conv_bn_eval(first, second, transposed)
                block[i + 1] = nn.Identity()
    return folded
