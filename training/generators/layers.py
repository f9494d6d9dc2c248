"""Layers that several generators are made of."""

from __future__ import annotations

from torch import nn


def relu(limit: float, *, inplace: bool = False) -> nn.Module:
    """ReLU, bounded from above unless `limit` is 0 (6 is ReLU6, Krizhevsky 2010)."""
    return nn.Hardtanh(0.0, limit, inplace=inplace) if limit else nn.ReLU(inplace=inplace)


def up_block(inputs: int, outputs: int, *, dropout: float, relu_limit: float) -> nn.Sequential:
    """ReLU, 4x4 transposed convolution of stride 2, batch norm, dropout where it is not 0."""
    layers: list[nn.Module] = [
        relu(relu_limit),
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def last_block(inputs: int, outputs: int, *, relu_limit: float) -> nn.Sequential:
    """ReLU, 4x4 transposed convolution of stride 2, tanh."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    return nn.Sequential(relu(relu_limit), convolution, nn.Tanh())


def final_of(block: nn.Module) -> nn.ConvTranspose2d:
    """The convolution of a `last_block`."""
    convolution = block.get_submodule("1")
    assert isinstance(convolution, nn.ConvTranspose2d)
    return convolution
