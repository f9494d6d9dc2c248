"""The features in which `perceptual` compares pictures: VGG-19's, or those of an encoder from here.

Frozen networks: sRGB (N, 3, H, W) in [0, 1] in, features (N, C, h, w) out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from colorbatch import color
from colorbatch.errors import UsageError
from training import checkpoint, spaces
from training.backbones import (
    EfficientNetLite,
    VGG19Features,
    digest,
    load_weights,
    read_weights,
)
from training.backbones.efficientnet_lite import SCALES, seen
from training.config import TrainConfig
from training.generators import Generator


class EncoderFeatures(nn.Module):
    """The encoder of a generator trained here, after its i-th halving (1 to 5).

    It was trained on grey, so that red, green and blue are shown to it as three grey pictures;
    their features stand side by side in the channels.
    """

    def __init__(self, generator: Generator, inputs: int, level: int) -> None:
        super().__init__()
        self.generator = generator
        self.inputs = inputs
        self.level = level

    def forward(self, rgb: Tensor) -> Tensor:
        count, _, height, width = rgb.shape
        grey = rgb.reshape(count * 3, 1, height, width)
        x = (_lightness(grey) if self.inputs == 1 else grey * 2 - 1).expand(-1, self.inputs, -1, -1)
        x = self.generator.maps(x, self.level)[-1]
        return x.reshape(count, -1, *x.shape[2:])


def _lightness(grey: Tensor) -> Tensor:
    """Encoded grey in [0, 1] to L in the network range, as `colorbatch.color` makes it."""
    return (116 * spaces.cube_root(spaces.linear(grey)) - 16) / color.L_CENTER - 1


class LiteFeatures(nn.Module):
    """EfficientNet-Lite as it sees pictures: sRGB (N, 3, H, W) in [0, 1] to its maps at 1/4, 1/8,
    1/16 and 1/32 of the size, with `channels` channels."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.network = EfficientNetLite(version)
        self.channels = self.network.channels[1:]

    def forward(self, rgb: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.network(seen(rgb))
        return maps[1:]


LITE = {f"efficientnet-lite{version}": version for version in SCALES}


def make_features(config: TrainConfig, sources: Sequence[str]) -> tuple[nn.Module, str] | None:
    """The frozen feature network that the settings ask for, and what it is in words; None where
    no term needs one. Raises UsageError if no source has weights for it."""
    judged = bool(config.projected_weight or config.projected_share)
    if config.gamma == 1 and not config.feature_share and not judged:
        return None
    if config.features in LITE:
        found = read_weights(sources, config.features)
        if found is None:
            raise UsageError(
                f"features of {config.features} need --backbone-weights imagenet or FILE"
            )
        lite = LiteFeatures(LITE[config.features])
        mark = load_weights(lite.network, *found)
        name = f"features of {config.features} from {found[1]} (sha256 {mark})"
        return lite.eval().requires_grad_(False), name
    if judged or config.features != "vgg19":
        kinds = ", ".join(LITE)
        raise UsageError(
            f"a projected discriminator needs features of {kinds}"
            if judged
            else f"features are of vgg19, {kinds}, not {config.features!r}"
        )
    i, j = (int(number) for number in config.feature_layer.split("_"))
    runs = [source.removeprefix("encoder:") for source in sources if source.startswith("encoder:")]
    features: nn.Module
    if runs:
        state = checkpoint.load(Path(runs[0]))
        trained = checkpoint.config_of(state)
        generator = checkpoint.trained_generator(state)
        inputs = 3 if trained.color_space == "rgb" else 1
        features = EncoderFeatures(generator, inputs, i)
        name = f"level {i} of an encoder trained here by {trained.recipe}"
        mark = digest(generator)
    elif (found := read_weights(sources, "vgg19")) is not None:
        features = VGG19Features(i, j)
        mark = load_weights(features, *found)
        name = f"VGG-19 {i}_{j} of {found[1]}"
    else:
        raise UsageError(
            "gamma below 1 needs features: --backbone-weights imagenet, FILE or encoder:RUN"
        )
    return features.eval().requires_grad_(False), f"{name} (sha256 {mark})"
