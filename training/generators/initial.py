"""First weights of networks."""

from __future__ import annotations

import math

from torch import nn


def initialize(network: nn.Module, init: str = "normal") -> None:
    """First weights; batch norm gains from N(1, 0.02), biases 0 (Isola et al. 2017, 6.2).

    `normal`: N(0, 0.02), as there; `xavier`: Glorot and Bengio 2010, equation 12, of their normal
    distribution; `kaiming`: He et al. 2015, equation 10, whose n is the number of values that one
    output is a sum of (PyTorch takes it wrong for transposed convolutions: the last layer of a
    U-Net would start with tanh of 4 times what it should be). Linear layers keep PyTorch's own.
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
    count = convolution.in_channels * math.prod(convolution.kernel_size) / convolution.groups
    if isinstance(convolution, nn.ConvTranspose2d):  # each input meets a part of the outputs
        count /= math.prod(convolution.stride)
    return count
