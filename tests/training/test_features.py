"""Features that compare pictures: frozen, about color, and with a gradient to the generator."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor, nn
from torch.nn import functional

from colorbatch import color
from colorbatch.errors import ColorbatchError, UsageError
from training import checkpoint, spaces
from training.backbones import EfficientNetLite, VGG19Features
from training.checkpoint import Progress
from training.config import TrainConfig
from training.data import to_tensors
from training.features import LiteFeatures, make_features
from training.step import make_players, train_step

CPU = torch.device("cpu")
PHOTOS = [skimage.data.astronaut()[:64, 200:264], skimage.data.coffee()[200:264, 200:264]]
PERCEPTUAL = TrainConfig(width=8, discriminator_width=8, levels=6, size=64, gamma=0.5)
SOURCES = {
    "unet": TrainConfig(width=8, discriminator_width=8, levels=6, size=64),
    "resnet18": TrainConfig(recipe="resnet18", generator="resnet18", width=16, size=64),
    "rgb": TrainConfig(recipe="rgb", color_space="rgb", width=8, levels=6, size=64),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of three kinds of generators, whose batch norm has seen something."""
    folders = {}
    for name, config in SOURCES.items():
        folders[name] = tmp_path_factory.mktemp(name)
        config = dataclasses.replace(config, discriminator_width=8, ema_decay=0.0, init="kaiming")
        players = make_players(config, CPU, torch.float32)
        for _ in range(2):
            batch = to_tensors(PHOTOS, config.color_space)
            train_step(players, config, *batch, torch.float32)
        checkpoint.save(folders[name], config, Progress(2, 2, "", 2), players, [])
    return folders


def _features(run: Path, layer: str = "2_1") -> tuple[nn.Module, str]:
    config = dataclasses.replace(PERCEPTUAL, feature_layer=layer)
    made = make_features(config, [f"encoder:{run}"])
    assert made is not None
    return made


def _pictures(lab: np.ndarray) -> Tensor:
    """L*a*b* (N, H, W, 3) as `features` see it: sRGB (N, 3, H, W) in [0, 1]."""
    condition = spaces.condition(lab[..., 0], "lab")
    return spaces.encoded(condition, spaces.target(lab, lab, "lab"), "lab")


LAB = np.stack([color.rgb_to_lab(photo) for photo in PHOTOS])


@torch.no_grad()
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("level", [1, 2, 4])
def test_encoder_features_by_hand(runs: dict[str, Path], name: str, level: int) -> None:
    """Red, green and blue, each shown to the encoder as a grey photograph, side by side."""
    features, _ = _features(runs[name], f"{level}_1")
    found = features(torch.from_numpy(np.stack(PHOTOS)).permute(0, 3, 1, 2).float() / 255)
    assert found.shape[0] == 2 and found.shape[2:] == (64 // 2**level, 64 // 2**level)
    generator = checkpoint.trained_generator(checkpoint.load(runs[name]))
    third = found.shape[1] // 3
    for channel in range(3):
        grey = np.stack(PHOTOS)[..., channel]
        x = spaces.condition(color.lightness(grey), "rgb" if name == "rgb" else "lab")
        if name == "resnet18":
            x = generator.encoder(x)[level - 1]
        else:
            for block in generator.down[:level]:
                x = block(x)
            x = torch.maximum(x, 0.2 * x)  # LeakyReLU 0.2
        part = found[:, third * channel : third * (channel + 1)]
        assert x.std() > 1e-3
        # float32, and `color`'s table of sRGB is within a code of 16 bits
        assert torch.allclose(part, x, rtol=1e-3, atol=2e-4 * float(x.abs().max()))


@torch.no_grad()
@pytest.mark.parametrize("name", SOURCES)
def test_features_tell_colors_apart(runs: dict[str, Path], name: str) -> None:
    """Equal pictures have equal features; the same lightness in other colors has others."""
    features, _ = _features(runs[name])
    true = features(_pictures(LAB))
    assert torch.equal(features(_pictures(LAB)), true)  # no dropout, no statistics of the batch
    grey = features(_pictures(LAB * np.array([1, 0, 0], np.float32)))
    half = features(_pictures(LAB * np.array([1, 0.5, 0.5], np.float32)))
    far, near = functional.mse_loss(grey, true), functional.mse_loss(half, true)
    assert far > near > 0


@pytest.mark.parametrize("name", SOURCES)
def test_features_are_frozen(runs: dict[str, Path], name: str) -> None:
    """Training with features changes neither their weights nor their statistics."""
    features, _ = _features(runs[name])
    assert not any(module.training for module in features.modules())
    assert not any(parameter.requires_grad for parameter in features.parameters())
    before = copy.deepcopy(features.state_dict())
    players = make_players(PERCEPTUAL, CPU, torch.float32)
    players.features = features
    losses = train_step(players, PERCEPTUAL, *to_tensors(PHOTOS), torch.float32)
    assert losses["loss_G_features"] is not None and losses["loss_G_features"] > 0
    assert all(torch.equal(value, before[key]) for key, value in features.state_dict().items())


@pytest.mark.parametrize("space", ["lab", "rgb"])
@pytest.mark.parametrize("name", SOURCES)
def test_gradient_reaches_the_generator(runs: dict[str, Path], name: str, space: str) -> None:
    """With gamma 0 the features alone teach the generator, in every layer, and bring L_X down."""
    config = dataclasses.replace(
        PERCEPTUAL, gamma=0.0, color_space=space, dropout=0.0, learning_rate=1e-3, gan_weight=0.0
    )
    players = make_players(config, CPU, torch.float32)
    players.features, _ = _features(runs[name], "1_1")
    before = copy.deepcopy(players.generator)
    batch = to_tensors(PHOTOS, space)
    losses = [train_step(players, config, *batch, torch.float32) for _ in range(8)]
    assert losses[0]["loss_G"] == losses[0]["loss_G_features"]
    for (key, value), old in zip(
        players.generator.named_parameters(), before.parameters(), strict=True
    ):
        assert not torch.equal(value, old), key
    assert losses[-1]["loss_G_features"] < losses[0]["loss_G_features"]


def test_vgg19_features(vgg19_weights: Callable[..., dict[str, Tensor]], tmp_path: Path) -> None:
    """A file gives phi_ij of VGG-19; the words name the layer and the file."""
    path = tmp_path / "vgg19-made.pth"
    torch.save(vgg19_weights(drawn=4), path)
    config = dataclasses.replace(PERCEPTUAL, feature_layer="2_2")
    made = make_features(config, [str(path)])
    assert made is not None
    features, words = made
    assert isinstance(features, VGG19Features)
    assert words.startswith("VGG-19 2_2 of vgg19-made.pth (sha256 ")
    assert not any(parameter.requires_grad for parameter in features.parameters())
    assert features(torch.rand(2, 3, 64, 64)).shape == (2, 128, 32, 32)


def test_words(runs: dict[str, Path]) -> None:
    """Encoders are named by level, recipe and hash: equal weights have equal words."""
    words = {name: _features(run)[1] for name, run in runs.items()}
    for name in SOURCES:
        assert words[name].startswith(f"level 2 of an encoder trained here by {name} (sha256 ")
    assert len({text.partition("sha256")[2] for text in words.values()}) == 3
    assert _features(runs["unet"])[1] == words["unet"]
    assert _features(runs["unet"], "3_1")[1] != words["unet"]


def test_no_features_asked(runs: dict[str, Path]) -> None:
    """With gamma 1 there are none, whatever sources are given."""
    config = dataclasses.replace(PERCEPTUAL, gamma=1.0)
    assert make_features(config, []) is None
    assert make_features(config, [f"encoder:{runs['unet']}", "nowhere.pth"]) is None


def test_missing_sources(
    resnet18_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    """Without a source that has features, one line tells which there are."""
    path = tmp_path / "resnet18.pth"
    torch.save(resnet18_weights(), path)
    for sources in ([], [str(path)]):
        with pytest.raises(UsageError, match="needs features: --backbone-weights imagenet, FILE"):
            make_features(PERCEPTUAL, sources)
    with pytest.raises(UsageError, match="nowhere"):
        make_features(PERCEPTUAL, [f"encoder:{tmp_path / 'nowhere'}"])
    with pytest.raises(UsageError, match="nowhere"):
        make_features(PERCEPTUAL, [str(tmp_path / "nowhere.pth")])
    with pytest.raises(ColorbatchError, match="not a checkpoint"):
        make_features(PERCEPTUAL, [f"encoder:{path}"])


# --- EfficientNet-Lite -------------------------------------------------------------------------

JUDGED = dataclasses.replace(
    PERCEPTUAL, gamma=1.0, features="efficientnet-lite0", projected_share=0.5, gan_mode="hinge"
)


@pytest.fixture(scope="module")
def lite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights of EfficientNet-Lite0, with its classifier, as packages have it."""
    torch.manual_seed(3)
    network = EfficientNetLite(0, classifier=True)
    path = tmp_path_factory.mktemp("weights") / "lite0-made.pth"
    torch.save(network.state_dict(), path)
    return path


def _lite(config: TrainConfig, *sources: Path) -> tuple[LiteFeatures, str]:
    made = make_features(config, [str(source) for source in sources])
    assert made is not None and isinstance(made[0], LiteFeatures)
    return made[0], made[1]


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"projected_share": 0.0, "feature_share": 0.3}, {"gamma": 0.5}]
)
def test_lite_features(lite_file: Path, changes: dict[str, float]) -> None:
    """All maps but the first, of codes as the network was trained to see them, whichever term
    asks for them."""
    features, words = _lite(dataclasses.replace(JUDGED, **changes), lite_file)
    assert words.startswith("features of efficientnet-lite0 from lite0-made.pth (sha256 ")
    # table 1 of the paper: the channels before each halving, and at the end
    assert list(features.channels) == [24, 40, 112, 320]
    codes = torch.from_numpy(np.stack(PHOTOS)).permute(0, 3, 1, 2).float()
    found = features(codes / 255)
    assert [each.shape for each in found] == [
        (2, channels, 64 // 2**i, 64 // 2**i)
        for channels, i in zip(features.channels, (2, 3, 4, 5), strict=True)
    ]
    plain = EfficientNetLite(0, classifier=True)
    plain.load_state_dict(torch.load(lite_file, weights_only=True))
    for mine, theirs in zip(found, plain.eval()((codes - 127) / 128)[1:], strict=True):
        # float32 rounding of what is seen
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_lite_features_are_frozen(lite_file: Path) -> None:
    """A step with the projected discriminator and the distance of features changes none of it, and
    both terms reach the generator."""
    config = dataclasses.replace(JUDGED, feature_share=0.3, gan_weight=0.0, pixel_weight=0.0)
    features, _ = _lite(config, lite_file)
    assert not any(module.training for module in features.modules())
    assert not any(parameter.requires_grad for parameter in features.parameters())
    before = copy.deepcopy(features.state_dict())
    # weights, for without a pixel loss there is nothing to have a share of
    config = dataclasses.replace(config, projected_share=0.0, projected_weight=1.0, gamma=0.5)
    config = dataclasses.replace(config, feature_share=0.0)
    players = make_players(config, CPU, torch.float32, features)
    first = copy.deepcopy(players.generator)
    losses = train_step(players, config, *to_tensors(PHOTOS), torch.float32)
    assert losses["loss_G_features"] is not None and losses["loss_G_projected"] is not None
    assert all(torch.equal(value, before[key]) for key, value in features.state_dict().items())
    moved = zip(players.generator.parameters(), first.parameters(), strict=True)
    assert all(not torch.equal(mine, theirs) for mine, theirs in moved)


def test_lite_sources(lite_file: Path, tmp_path: Path) -> None:
    """Files of other backbones are passed over; without one of its own, a line tells what is
    needed."""
    other = tmp_path / "lite1.pth"
    torch.save(EfficientNetLite(1).state_dict(), other)
    assert _lite(JUDGED, other, lite_file)[1] == _lite(JUDGED, lite_file)[1]
    for sources in ([], [str(other)], ["encoder:nowhere"]):
        with pytest.raises(UsageError, match="efficientnet-lite0 need --backbone-weights imagenet"):
            make_features(JUDGED, sources)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": "vgg19"}, "a projected discriminator needs features of efficientnet-lite0, "),
        ({"features": "resnet18"}, "a projected discriminator needs features of efficientnet"),
        (
            {"features": "resnet18", "projected_share": 0.0, "feature_share": 0.3},
            "features are of vgg19, efficientnet-lite0, .*, not 'resnet18'",
        ),
    ],
)
def test_features_of_other_kinds(lite_file: Path, changes: dict[str, Any], said: str) -> None:
    """`features` that no term can work with are refused, with those that there are."""
    with pytest.raises(UsageError, match=said):
        make_features(dataclasses.replace(JUDGED, **changes), [str(lite_file)])
