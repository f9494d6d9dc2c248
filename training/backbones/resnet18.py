"""ResNet-18 with torchvision's parameter names."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.backbones.base import Backbone


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, "Deep Residual Learning for Image
    Recognition", figure 5, left)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(Backbone):
    """ResNet-18 (He et al. 2016, table 1) without its average pool and linear layer.

    `width` is 64 there. `forward`: (N, inputs, H, W) -> five maps, from 1/2 to 1/32 of the size,
    with 1, 1, 2, 4 and 8 times `width` channels.
    """

    stem = "conv1.weight"
    classifier = ("fc.",)
    advice = "torchvision's weights fit a width of 64"

    def __init__(self, width: int = 64, inputs: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(BasicBlock(width, width, 1), BasicBlock(width, width, 1))
        self.layer2 = _stage(width, 2 * width)
        self.layer3 = _stage(2 * width, 4 * width)
        self.layer4 = _stage(4 * width, 8 * width)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [functional.relu(self.bn1(self.conv1(x)))]
        x = functional.max_pool2d(maps[0], 3, stride=2, padding=1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(inputs, outputs, 2), BasicBlock(outputs, outputs, 1))
