"""ResNet-18 and VGG-19 features with torchvision's parameter names, and the loading of their files.

torchvision is not needed: both networks are small, and weight files that were made for
torchvision's `resnet18` and `vgg19` load unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorbatch.errors import ColorbatchError, UsageError

ADDRESSES = {
    "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "vgg19": "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
}
"""torchvision's `IMAGENET1K_V1` weights; the end of the name is the start of their SHA-256."""
FIRST_LAYER = {"resnet18": "conv1.weight", "vgg19": "features.0.weight"}
CLASSIFIER = ("fc.", "classifier.")
"""Parameters of the linear layers, which no backbone has."""


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


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2016, table 1) without its average pool and linear layer.

    `width` is 64 there. `forward`: (N, inputs, H, W) -> five maps, from 1/2 to 1/32 of the size,
    with 1, 1, 2, 4 and 8 times `width` channels.
    """

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


VGG19_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and number of the 3x3 convolutions before each max-pool (Simonyan and Zisserman 2015,
"Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1, column E)."""


class VGG19Features(nn.Module):
    """VGG-19 up to phi_ij: the j-th convolution, after its ReLU, before the i-th max-pool
    (Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution", section 2.2.1).

    `forward`: sRGB (N, 3, H, W) in [0, 1] -> features (N, C, H / 2 ** (i - 1), ...).
    """

    def __init__(self, i: int, j: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage, (channels, convolutions) in enumerate(VGG19_STAGES[:i], start=1):
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


def read_weights(sources: Sequence[str], network: str) -> tuple[dict[str, Tensor], str] | None:
    """The weights of `resnet18` or `vgg19` and the name they have for people, or None if no source
    has them.

    A source is `imagenet` (torchvision's own file, downloaded once into torch.hub's folder) or a
    file; files of the other network are passed over. Raises UsageError, and ColorbatchError where
    there is no network to download from.
    """
    for source in sources:
        if source == "imagenet":
            return _download(network), "imagenet"
        if source.startswith("encoder:"):
            continue
        weights = _read_file(Path(source))
        if FIRST_LAYER[network] in weights:
            return weights, Path(source).name
        if not any(name in weights for name in FIRST_LAYER.values()):
            raise UsageError(f"{source}: no weights of torchvision's resnet18 or vgg19")
    return None


def _download(network: str) -> dict[str, Tensor]:
    address = ADDRESSES[network]
    try:
        return dict(
            torch.hub.load_state_dict_from_url(
                address, map_location="cpu", check_hash=True, weights_only=True
            )
        )
    except Exception as error:  # of the network, of the disk, and torch's many for a broken file
        if isinstance(error, HTTPError):
            error.close()
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise ColorbatchError(
            f"cannot download {address}: {reason}",
            "bring the file by other means and give --backbone-weights FILE",
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        weights: Any = torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such weight file") from None
    except Exception as error:  # torch raises many kinds for broken files
        raise UsageError(f"{path}: not a weight file of PyTorch") from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise UsageError(f"{path}: not a weight file of torchvision")
    return dict(weights)


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> str:
    """Put torchvision's weights into a backbone; returns the first 16 digits of their SHA-256.

    A first convolution of one channel takes the sum of the three. Linear layers, and those of
    VGG-19 behind phi_ij, are passed over. Raises UsageError if the weights are of another network
    (VGG-16 begins like VGG-19) or of another width.
    """
    mine = network.state_dict()
    whole = mine
    if isinstance(network, VGG19Features):
        with torch.device("meta"):  # shapes without memory
            whole = VGG19Features(5, 4).state_dict()
    chosen = {}
    for key, own in whole.items():
        if key not in weights:
            if key.endswith("num_batches_tracked"):  # files from before 2018 have none
                continue
            raise UsageError(f"{name}: no {key!r} in these weights")
        value = weights[key].float() if own.is_floating_point() else weights[key]
        if key == "conv1.weight" and own.shape[1] == 1 and value.ndim == 4:
            value = value.sum(dim=1, keepdim=True)
        if value.shape != own.shape:
            raise UsageError(
                f"{name}: {key!r} has the shape {tuple(value.shape)}, not {tuple(own.shape)}; "
                "torchvision's weights fit a width of 64"
            )
        if key in mine:
            chosen[key] = value
    unknown = [key for key in weights if key not in whole and not key.startswith(CLASSIFIER)]
    if unknown:
        raise UsageError(f"{name}: {unknown[0]!r} is no part of this backbone")
    network.load_state_dict(chosen, strict=False)
    return digest(network)


def digest(network: nn.Module) -> str:
    """First 16 digits of the SHA-256 of a network's tensors, in the order of their names."""
    content = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        content.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]
