"""Settings: what is refused, what is converted, and what a recipe file gives."""

from __future__ import annotations

import dataclasses
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
    ],
)
def test_impossible_value(name: str, value: object) -> None:
    """Values that no run could work with are refused before any work, by name."""
    with pytest.raises(UsageError, match=name):
        override(TrainConfig(), {name: value})


def test_half_size_is_allowed() -> None:
    """The generator takes one halving less, so the settings do as well."""
    assert override(TrainConfig(), {"size": 128}).size == 128
    assert override(TrainConfig(), {"size": 32, "levels": 5}).size == 32


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


def test_unet_is_the_papers() -> None:
    """The recipe `unet` has the settings that the issue names."""
    config = load_recipe("unet")
    assert (config.width, config.levels, config.size) == (64, 8, 256)
    assert (config.learning_rate, config.discriminator_learning_rate) == (2e-4, 2e-4)
    assert (config.beta1, config.beta2) == (0.5, 0.999)
    assert (config.gan_weight, config.pixel_weight, config.dropout) == (1.0, 100.0, 0.5)


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
