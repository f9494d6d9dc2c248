"""Settings: what is refused, what is converted, and what a recipe file gives."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from training.config import (
    RECIPES,
    TrainConfig,
    differences,
    load_recipe,
    override,
    parse_settings,
)


def test_unknown_setting() -> None:
    """A misspelt name is refused, and the answer lists the right ones."""
    with pytest.raises(UsageError, match=r"no setting 'widht'.*width"):
        override(TrainConfig(), {"widht": "3"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", "wide"),
        ("width", "3.5"),
        ("width", 3.5),
        ("width", [3]),
        ("width", float("inf")),
        ("learning_rate", "fast"),
        ("learning_rate", {"a": 1}),
        ("flip", "perhaps"),
        ("flip", 3),
    ],
)
def test_wrong_type(name: str, value: object) -> None:
    """A value of another type is refused by the setting's name, as text or from TOML."""
    with pytest.raises(UsageError, match=name):
        override(TrainConfig(), {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule", "linear"),
        ("precision", "fp8"),
        ("levels", 4),
        ("crop", 0.0),
        ("crop", 1.5),
        ("width", 0),
        ("batch_size", 0),
        ("checkpoint_every", 0),
        ("validation_images", 0),
        ("discriminator_width", 0),
        ("size", 200),
        ("size", 64),
        ("size", 0),
        ("color_space", "hsv"),
        ("generator", "resnet50"),
        ("init", "orthogonal"),
        ("gan_mode", "wgan"),
        ("pixel_loss", "huber"),
        ("pretrain", 1.1),
        ("pretrain", -0.1),
        ("gamma", 2.0),
        ("gamma", float("nan")),
        ("noise", -1.0),
        ("rotation", -5.0),
        ("gan_weight", -1.0),
        ("pixel_weight", float("nan")),
        ("real_weight", -0.5),
        ("fake_weight", -0.5),
        ("feature_layer", "6_1"),
        ("feature_layer", "1_3"),  # the first two stages of VGG-19 have two convolutions
        ("feature_layer", "2_4"),
        ("feature_layer", "3_5"),
        ("feature_layer", "22"),
        ("ema_decay", 1.0),
        ("pairs", -0.1),
        ("pairs", 0.6),
        ("pairs", float("nan")),
        ("square", 1.1),
        ("square", -0.1),
        ("degradation", 1.1),
        ("degradation", -0.1),
        ("final_rate", 1.1),
        ("final_rate", -0.1),
        ("warm_up", -1),
        ("encoder_rate", -1.0),
        ("weight_decay", -0.1),
        ("gradient_clip", -1.0),
        ("chroma_weight", -1.0),
        ("relu_limit", -1.0),
        ("smoothing", -0.1),
        ("smoothing", 0.5),
        ("gan_share", -0.1),
        ("projected_share", -0.1),
        ("feature_share", -0.1),
        ("distribution_share", -0.1),
        ("consistency_weight", -1.0),
        ("consistency_share", float("inf")),
        ("discriminator_norm", "instance"),
    ],
)
def test_impossible_value(name: str, value: object) -> None:
    """Values that no run could work with are refused before any work, by name."""
    with pytest.raises(UsageError, match=name):
        override(TrainConfig(), {name: value})


@pytest.mark.parametrize(
    ("generator", "name", "least"),
    [
        ("unet", "width", 8),
        ("resnet18", "width", 16),
        ("unet", "discriminator_width", 8),
        ("resnet18", "discriminator_width", 8),
    ],
)
def test_narrow_layers(generator: str, name: str, least: int) -> None:
    """Layers in which oneDNN damages memory are refused in one line that says so."""
    config = override(TrainConfig(), {"generator": generator})
    with pytest.raises(UsageError) as caught:
        override(config, {name: str(least - 1)})
    said = f"{name} must be at least {least}, not {least - 1}: "
    assert str(caught.value) == f"{said}with fewer channels PyTorch's oneDNN may damage memory"
    assert getattr(override(config, {name: str(least)}), name) == least


@pytest.mark.parametrize("term", ["consistency_weight", "consistency_share"])
def test_consistency_needs_pairs(term: str) -> None:
    """There is nothing to compare in a batch without second views, which a small share may be."""
    for values in ({}, {"pairs": 0.2, "batch_size": 4}):
        with pytest.raises(UsageError, match="a consistency term needs pairs"):
            override(TrainConfig(), values | {term: 0.5})
    config = override(TrainConfig(), {term: 0.5, "pairs": 0.25, "batch_size": 4})
    assert (config.second_views, config.photographs) == (1, 3)


@pytest.mark.parametrize(
    ("pairs", "batch_size", "second_views"),
    [(0.0, 16, 0), (0.25, 16, 4), (0.5, 16, 8), (0.5, 5, 2), (0.3, 10, 3), (0.5, 1, 0)],
)
def test_places_in_a_batch(pairs: float, batch_size: int, second_views: int) -> None:
    """Whole second views and photographs, which fill a batch; no more views than photographs."""
    config = TrainConfig(pairs=pairs, batch_size=batch_size)
    assert (config.second_views, config.photographs) == (second_views, batch_size - second_views)


@pytest.mark.parametrize("name", ["square", "degradation", "final_rate"])
def test_shares_may_be_whole(name: str) -> None:
    """None and all are both allowed."""
    for share in (0.0, 1.0):
        assert getattr(override(TrainConfig(), {name: share}), name) == share


def test_half_size_is_allowed() -> None:
    """The generator takes one halving less, so the settings do as well."""
    assert override(TrainConfig(), {"size": 128}).size == 128
    assert override(TrainConfig(), {"size": 32, "levels": 5}).size == 32


def test_sizes_of_resnet18() -> None:
    """A `resnet18` halves five times, whatever `levels` says; all five must come out even."""
    for size in (32, 96, 224):
        assert override(TrainConfig(), {"generator": "resnet18", "size": size}).size == size
    with pytest.raises(UsageError, match="size must be a multiple of 32 for a resnet18"):
        override(TrainConfig(), {"generator": "resnet18", "size": 48})


def test_layers_of_vgg19() -> None:
    """phi_ij exists for the 16 convolutions of VGG-19, and for no other pair."""
    found = []
    for i, j in itertools.product(range(7), range(7)):
        with contextlib.suppress(UsageError):
            found.append(override(TrainConfig(), {"feature_layer": f"{i}_{j}"}).feature_layer)
    counts = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}  # Simonyan and Zisserman 2015, table 1, column E
    assert found == [f"{i}_{j}" for i, count in counts.items() for j in range(1, count + 1)]


def test_text_becomes_the_settings_type() -> None:
    """`--set` words become integers, numbers, truth values and text."""
    words = ["width=32", "learning-rate=1e-3", "flip=no", "schedule = cosine"]
    config = override(TrainConfig(), parse_settings(words))
    found = (config.width, config.learning_rate, config.flip, config.schedule)
    assert found == (32, 0.001, False, "cosine")
    assert override(TrainConfig(flip=False), {"flip": "TRUE"}).flip is True


def test_word_without_equals() -> None:
    """A `--set` word that is no pair is shown to the user."""
    with pytest.raises(UsageError, match="'width'"):
        parse_settings(["width"])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_load(path: Path) -> None:
    """Every recipe of the repository loads, under its own name."""
    assert load_recipe(path.stem).recipe == path.stem


SHARED = {
    **{"width": 64, "size": 256, "batch_size": 16, "learning_rate": 2e-4, "gan_weight": 1.0},
    **{"discriminator_learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "dropout": 0.5},
    **{"real_weight": 0.5, "fake_weight": 0.5, "init": "normal", "flip": True},
}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (
            "unet",
            {"color_space": "lab", "generator": "unet", "levels": 8, "gan_mode": "vanilla"}
            | {"pixel_loss": "l1", "pixel_weight": 100.0, "pretrain": 0.0, "gamma": 1.0},
        ),
        (
            "resnet18",  # 20 epochs of L1 alone, then 20 of GAN + L1
            {"color_space": "lab", "generator": "resnet18", "gan_mode": "vanilla", "epochs": 40}
            | {"pixel_loss": "l1", "pixel_weight": 100.0, "pretrain": 0.5, "gamma": 1.0},
        ),
        (
            "perceptual",
            {"color_space": "lab", "generator": "unet", "levels": 8, "gan_mode": "vanilla"}
            | {"pixel_loss": "l1", "pixel_weight": 100.0, "pretrain": 0.0, "gamma": 0.5},
        ),
        (
            "lab-mse",
            {"color_space": "lab", "generator": "unet", "levels": 8, "gan_mode": "vanilla"}
            | {"pixel_loss": "mse", "pretrain": 0.0, "gamma": 1.0},
        ),
        (
            "rgb",
            {"color_space": "rgb", "generator": "unet", "levels": 8, "gan_mode": "lsgan"}
            | {"pixel_loss": "l1", "pixel_weight": 100.0, "pretrain": 0.0, "gamma": 1.0},
        ),
    ],
)
def test_recipes_are_the_papers(recipe: str, expected: dict[str, object]) -> None:
    """Every recipe has the settings that its source names."""
    values = dataclasses.asdict(load_recipe(recipe))
    expected = SHARED | expected
    assert {name: values[name] for name in expected} == expected


def test_recipe_file(tmp_path: Path) -> None:
    """A TOML file anywhere is a recipe, named after the file."""
    path = tmp_path / "mine.toml"
    path.write_text("width = 8\nlearning_rate = 1\n", "utf-8")
    config = load_recipe(str(path))
    assert (config.recipe, config.width, config.learning_rate) == ("mine", 8, 1.0)


@pytest.mark.parametrize("text", ["width = ", "wide = 8", "width = 'x'"])
def test_broken_recipe_file(tmp_path: Path, text: str) -> None:
    """A recipe that is no TOML or names no setting is refused."""
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError):
        load_recipe(str(path))


def test_unknown_recipe() -> None:
    """The answer to an unknown recipe lists the known ones."""
    with pytest.raises(UsageError, match=r"no recipe 'nonesuch'; there are .*unet"):
        load_recipe("nonesuch")


def test_differences() -> None:
    """Differences are told by name, old and new; equal settings have none."""
    old = TrainConfig()
    new = dataclasses.replace(old, width=32, flip=False)
    assert differences(old, new) == ["width: 64 -> 32", "flip: True -> False"]
    assert differences(new, dataclasses.replace(new)) == []
