"""Shots that get the color of a still, on pictures whose true color is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorbatch.clips.reference import Grid, Steering, likeness, read
from colorbatch.clips.shot_looks import Still
from colorbatch.color import Codes, Float
from colorbatch.errors import SourceError

SIDE = 128


def ground(seed: int = 3) -> Float:
    """L* of a textured ground, (SIDE, 2 * SIDE)."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(35, 65, (SIDE // 4, SIDE // 2)).astype(np.float32)
    return np.asarray(cv2.resize(small, (2 * SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def rgb_of(light: Float, ab: Float) -> Codes:
    """sRGB codes of L*a*b*."""
    lab = np.dstack([light, ab]).astype(np.float32)
    linear = np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2LRGB)), 0, 1)
    codes = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(codes * 255), np.uint8)


def thing(left: int) -> tuple[Float, Float]:
    """A bright disc on the ground, which stands still, and where it is (SIDE, SIDE)."""
    light = ground()[:, :SIDE].copy()
    disc = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(disc, (left, 64), 24, (1,), cv2.FILLED)
    texture = ground(8)[:, SIDE - left : 2 * SIDE - left] - 50
    return np.where(disc, 75 + texture / 3, light).astype(np.float32), disc.astype(np.float32)


def steering(blue: float = -20.0) -> tuple[Steering, Float]:
    """By a still in which the disc is blue, and all else as the network gave it; and what that
    is."""
    light, disc = thing(40)
    ab = np.full((SIDE, SIDE, 2), 6.0, np.float32)
    corrected = ab.copy()
    corrected[disc > 0] = (0.0, blue)
    return Steering(rgb_of(light, corrected), light, ab), ab


def test_the_frame_of_the_still_becomes_as_the_still() -> None:
    steer, ab = steering()
    light, disc = thing(40)
    made = steer(light, ab)
    core = cv2.erode(disc, np.ones((7, 7))) > 0
    far = cv2.dilate(disc, np.ones((15, 15))) == 0
    assert np.abs(made[core] - (0, -20)).mean() < 2
    assert np.abs(made[far] - 6).mean() < 0.7


@pytest.mark.parametrize(("left", "most"), [(42, -15), (52, -11), (64, -7), (90, -5)])
def test_color_goes_with_what_it_belongs_to(left: int, most: float) -> None:
    """Also where it is farther than flow finds, by lightness and color alone: less of it then."""
    steer, ab = steering()
    light, disc = thing(left)
    made = steer(light, ab)
    core = cv2.erode(disc, np.ones((7, 7))) > 0
    far = cv2.dilate(disc, np.ones((15, 15))) == 0
    far &= cv2.dilate(thing(40)[1], np.ones((15, 15))) == 0
    assert made[core][:, 1].mean() < most
    assert np.abs(made[far] - 6).mean() < 1.5


def test_a_still_that_changes_nothing_changes_nothing() -> None:
    light, _ = thing(40)
    ab = np.dstack([ground(1)[:, :SIDE] / 4, ground(2)[:, :SIDE] / 5]).astype(np.float32)
    steer = Steering(rgb_of(light, ab), light, ab)
    assert np.abs(steer(light, ab) - ab).mean() < 1.0


def test_what_the_still_has_nothing_like_stays() -> None:
    """Another place, of another lightness and another color."""
    steer, _ = steering()
    light = np.full((SIDE, SIDE), 8.0, np.float32)
    ab = np.full((SIDE, SIDE, 2), -40.0, np.float32)
    assert np.abs(steer(light, ab) - ab).max() < 0.5


def test_arrays_of_another_size_than_the_small_ones() -> None:
    light, disc = thing(40)
    wide = np.asarray(cv2.resize(light, (256, 256), interpolation=cv2.INTER_CUBIC))
    ab = np.full((256, 256, 2), 6.0, np.float32)
    corrected = np.full((SIDE, SIDE, 2), 6.0, np.float32)
    corrected[disc > 0] = (0, -20)
    large = cv2.resize(rgb_of(light, corrected), (512, 512))
    made = Steering(np.asarray(large), wide, ab)(wide, ab)
    assert made.shape == (256, 256, 2) and made.dtype == np.float32
    assert made[128, 80, 1] < -17


def test_a_still_of_another_picture_is_refused() -> None:
    light, ab = thing(40)[0], np.zeros((SIDE, SIDE, 2), np.float32)
    other = rgb_of(ground(11)[:, SIDE:], ab)
    with pytest.raises(ValueError, match="not a picture of that frame"):
        Steering(other, light, ab)
    assert likeness(light, light + 5) > 0.999
    assert likeness(np.full_like(light, 50), np.full_like(light, 60)) == 1.0


def test_a_grid_leaves_what_was_changed_in_part() -> None:
    """Of two things that are alike, one was changed."""
    grid = Grid((10, 10, 10), (0, 0, 0), (100, 100, 100))
    coordinates = np.full((10, 10, 3), 50.0, np.float32)
    change = np.zeros((10, 10, 2), np.float32)
    change[:2] = 20
    grid.add(coordinates, change, np.ones((10, 10), np.float32))
    mean, sure = grid.at(coordinates[:1, :1])
    assert 0.3 < mean[0, 0, 0] < 1.2 and sure[0, 0, 0] > 0.9
    change[:] = 20
    whole = Grid((10, 10, 10), (0, 0, 0), (100, 100, 100))
    whole.add(coordinates, change, np.ones((10, 10), np.float32))
    assert whole.at(coordinates[:1, :1])[0][0, 0, 0] > 19
    nothing, unsure = whole.at(np.zeros((1, 1, 3), np.float32))
    assert nothing.max() == 0 and unsure.max() == 0


def test_stills_are_known_by_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", np.full((4, 5, 3), (1, 2, 3), np.uint8))[1].tobytes())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (read(Still(path, sha256, 0)) == (3, 2, 1)).all()
    with pytest.raises(SourceError, match="was changed while it was used"):
        read(Still(path, "0" * 64, 0))
    path.write_bytes(b"text")
    with pytest.raises(SourceError, match="is no picture that can be read"):
        read(Still(path, hashlib.sha256(b"text").hexdigest(), 0))
    path.unlink()
    with pytest.raises(SourceError, match=r"a\.png: No such file"):
        read(Still(path, sha256, 0))
