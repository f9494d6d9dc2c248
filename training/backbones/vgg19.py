"""VGG-19's features with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.backbones.base import Backbone

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and number of the 3x3 convolutions before each max-pool (Simonyan and Zisserman 2015,
"Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1, column E)."""


class VGG19Features(Backbone):
    """VGG-19 up to phi_ij: the j-th convolution, after its ReLU, before the i-th max-pool
    (Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution", section 2.2.1).

    `forward`: sRGB (N, 3, H, W) in [0, 1] -> features (N, C, H / 2 ** (i - 1), ...).
    """

    stem = "features.0.weight"
    classifier = ("classifier.",)

    def __init__(self, i: int, j: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage, (channels, convolutions) in enumerate(STAGES[:i], start=1):
            if stage > 1:
                layers.append(nn.MaxPool2d(2))
            for _ in range(convolutions if stage < i else j):
                layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]
                inputs = channels
        self.features = nn.Sequential(*layers)
        self.mean: Tensor
        self.std: Tensor
        # of ImageNet, as torchvision's weights expect it
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.register_buffer("std", std[:, None, None], persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        features: Tensor = self.features((rgb - self.mean) / self.std)
        return features

    def whole(self) -> Mapping[str, Tensor]:
        """Those behind phi_ij too: VGG-16 begins like VGG-19."""
        with torch.device("meta"):  # shapes without memory
            return VGG19Features(5, 4).state_dict()
