"""What kinds of shots there are, on pictures of which it is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorbatch.clips.shot_kinds import (
    ShotKind,
    is_tint,
    kind_of_picture,
    kind_of_shot,
)
from colorbatch.color import Codes, rgb_to_lab


def scene() -> Codes:
    """Soft shapes of all lights, (144, 192), uint8."""
    rng = np.random.default_rng(5)
    small = rng.uniform(0, 255, (9, 12)).astype(np.float32)
    return np.clip(cv2.resize(small, (192, 144), interpolation=cv2.INTER_CUBIC), 0, 255).astype(
        np.uint8
    )


def title(ground: int, ink: int, noise: float = 0.0) -> Codes:
    picture = np.full((480, 640), ground, np.uint8)
    for line, text in enumerate(["It was a dark and", "stormy night when he", "came home."]):
        at = (60, 160 + 70 * line)
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_TRIPLEX, 1.4, (ink,), 3, cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, noise, picture.shape) if noise else 0.0
    noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(noisy, (192, 144), interpolation=cv2.INTER_AREA), np.uint8)


def dyed(grey: Codes, factors: tuple[float, float, float]) -> Codes:
    return np.clip(grey[..., None] * np.array(factors), 0, 255).astype(np.uint8)


def grey(picture: Codes) -> Codes:
    return np.repeat(picture[..., None], 3, axis=2)


def toned(picture: Codes) -> Codes:
    share = picture / 255
    return np.rint(255 * np.stack([share**0.8, share, share**1.25], -1)).astype(np.uint8)


@pytest.mark.parametrize("ground", [12, 90, 128, 235])
@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_titles_are_plain(ground: int, noise: float) -> None:
    assert kind_of_picture(grey(title(ground, 250 if ground < 200 else 15, noise))) == ShotKind(
        "grey", plain=True
    )


@pytest.mark.parametrize("code", [40, 128, 245])
def test_a_ground_without_anything_is_plain(code: int) -> None:
    assert kind_of_picture(np.full((144, 192, 3), code, np.uint8)) == ShotKind("grey", plain=True)


def test_black_says_nothing() -> None:
    assert kind_of_picture(np.full((144, 192, 3), 12, np.uint8)) is None


def test_noise_in_the_chroma_of_a_title_is_no_color() -> None:
    rng = np.random.default_rng(2)
    noisy = np.clip(grey(title(96, 250)) + rng.normal(0, 12, (144, 192, 3)), 0, 255)
    assert kind_of_picture(noisy.astype(np.uint8)) == ShotKind("grey", plain=True)
    red = grey(title(20, 20))
    red[title(20, 250) > 120] = (230, 30, 30)
    assert kind_of_picture(red) != ShotKind("grey", plain=True)


def test_a_picture_with_a_thing_before_a_plain_ground_is_no_title() -> None:
    picture = np.full((144, 192), 200, np.uint8)
    cv2.circle(picture, (96, 80), 30, (60,), cv2.FILLED)
    assert kind_of_picture(grey(picture)) == ShotKind("grey", plain=False)


def test_grey_toned_tinted_and_color() -> None:
    picture = scene()
    assert kind_of_picture(grey(picture)) == ShotKind("grey")
    assert kind_of_picture(toned(picture)) == ShotKind("toned")
    assert kind_of_picture(dyed(picture, (1.0, 0.8, 0.5))) == ShotKind("tinted")
    hues = np.dstack([picture, picture[::-1], picture[:, ::-1]])
    assert kind_of_picture(hues) == ShotKind("color")


def test_the_lights_tell_a_tint() -> None:
    picture = scene()
    assert is_tint(rgb_to_lab(dyed(picture, (0.6, 0.7, 1.0))))
    assert not is_tint(rgb_to_lab(toned(picture)))


def test_a_shot_is_as_most_of_it_and_plain_if_all_of_it_is() -> None:
    title_, scene_ = ShotKind("grey", plain=True), ShotKind("color")
    assert kind_of_shot([]) == kind_of_shot([None]) == ShotKind("grey", plain=True)
    assert kind_of_shot([None, title_, None]) == title_
    assert kind_of_shot([title_, scene_, scene_]) == scene_
    assert not kind_of_shot([title_, scene_]).plain
