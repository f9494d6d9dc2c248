"""A still's color far along its shot, on pictures whose true color is known."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
import pytest

from colorbatch.clips.reference import Steering
from colorbatch.clips.still_chain import FRAMES, REACH, StillChain, of_numbers, steps_away
from colorbatch.color import Codes, Float, rgb_to_lab

SIDE, COUNT = 128, 90
BLUE = (0.0, -20.0)


@functools.cache
def lightness(at: int) -> tuple[Float, Float]:
    """L* of a frame in which a disc goes from left to right over a ground of the same lightness,
    and turns; and where it is."""
    ground = texture(3)
    disc: Float = np.zeros((SIDE, SIDE), np.float32)
    left = 30 + 0.75 * at
    cv2.circle(disc, (round(8 * left), 8 * 64), 8 * 24, (1,), cv2.FILLED, shift=3)
    turn = cv2.getRotationMatrix2D((64, 64), 0.5 * at, 1)
    turn[0, 2] += left - 64
    own = cv2.warpAffine(texture(8), turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(ground + disc * (own - ground), np.float32), disc


def texture(seed: int) -> Float:
    small = np.random.default_rng(seed).uniform(35, 65, (SIDE // 4, SIDE // 4))
    wide = cv2.resize(small.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.float32)


def ab_of(at: int) -> Float:
    """What the network gave a frame: disc and ground are one to it."""
    return np.full((SIDE, SIDE, 2), 6.0, np.float32)


def rgb_of(light: Float, ab: Float) -> Codes:
    lab = np.dstack([light, ab]).astype(np.float32)
    linear = np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2LRGB)), 0, 1)
    codes = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(codes * 255), np.uint8)


@dataclass
class Pictures:
    """The frames between, and which of them were read."""

    at: int
    read: list[int] = field(default_factory=list)

    def before(self, first: int) -> Iterator[tuple[int, Float]]:
        return self._seen([n for n in of_numbers(range(COUNT), self.at)[0] if n >= first])

    def behind(self) -> Generator[tuple[int, Float], None, None]:
        return self._seen(of_numbers(range(COUNT), self.at)[1])

    def _seen(self, numbers: list[int]) -> Generator[tuple[int, Float], None, None]:
        for number in numbers:
            self.read.append(number)
            yield number, lightness(number)[0]


def steering(at: int) -> Steering:
    """By a still of a frame in which the disc is blue."""
    light, disc = lightness(at)
    corrected = ab_of(at)
    corrected[disc > 0] = BLUE
    steer = Steering(rgb_of(light, corrected), light, ab_of(at))
    assert rgb_to_lab(rgb_of(light, corrected))[..., 1:][disc > 0].mean(axis=0)[1] < -17
    return steer


def chain(at: int, pictures: Pictures | None = None) -> StillChain:
    return StillChain(steering(at), pictures or Pictures(at), at, FRAMES)


@pytest.mark.parametrize(("at", "far"), [(0, 60), (80, 20)])
def test_color_goes_along_where_flow_from_the_still_finds_nothing(at: int, far: int) -> None:
    """Forward and backward: more than half of it arrives on what has gone a third of the picture
    and has turned, and little beside; straight from the still next to nothing does."""
    light, disc = lightness(far)
    made = chain(at)(far, light, ab_of(far))
    core = cv2.erode(disc, np.ones((9, 9))) > 0
    beside = cv2.dilate(disc, np.ones((15, 15))) == 0
    blue = 6 - made[core][:, 1].mean()
    straight = 6 - steering(at)(light, ab_of(far))[core][:, 1].mean()
    assert blue > (6 - BLUE[1]) / 2 and straight < 3
    assert np.abs(made[beside] - 6).mean() < 2


def test_a_frame_has_the_same_color_wherever_its_segment_begins() -> None:
    whole = chain(40)
    asked = [0, 3, 21, 22, 23, 34, 35, 39, 40, 41, 46, 62, 63, 85]
    frames = {n: whole(n, lightness(n)[0], ab_of(n)) for n in asked}
    for begin in (1, 4, 7, 9, 12):
        part = chain(40)
        for number in asked[begin : begin + 2]:
            made = part(number, lightness(number)[0], ab_of(number))
            assert (made == frames[number]).all()


def test_what_is_asked_for_again_is_made_anew() -> None:
    one = chain(40)
    first = [one(n, lightness(n)[0], ab_of(n)) for n in (3, 70)]
    again = [one(n, lightness(n)[0], ab_of(n)) for n in (3, 70)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def test_no_more_is_read_than_is_asked_for() -> None:
    """And of what is before the still's frame as much as the first frame needs."""
    pictures = Pictures(40)
    one = chain(40, pictures)
    one(25, lightness(25)[0], ab_of(25))
    assert pictures.read == [34, 28]
    one(41, lightness(41)[0], ab_of(41))
    one(53, lightness(53)[0], ab_of(53))
    assert pictures.read == [34, 28, 46, 52, 58]
    one.close()
    one(54, lightness(54)[0], ab_of(54))
    assert pictures.read[5:] == [46, 52, 58]


def test_beyond_its_reach_a_frame_is_found_straight() -> None:
    pictures = Pictures(0)
    one, number = chain(0, pictures), int((REACH + 1) * FRAMES)
    light, _ = lightness(20)
    made = one(number, light, ab_of(20))
    assert (made == steering(0)(light, ab_of(20))).all() and not pictures.read


def test_the_grid_of_numbers() -> None:
    """It has gaps where frames are missing, and no number of one side decides of the other."""
    numbers = [n for n in range(1000, 1040) if n not in (1014, 1026, 1027)]
    before, behind = of_numbers(numbers, 1020)
    assert before == [1013, 1008, 1002] and behind == [1028, 1032, 1038]
    assert of_numbers(range(-2000, 3000), 0)[1][-1] == REACH * FRAMES
    assert [steps_away(n, 1020, Fraction(6)) for n in (1014, 1015, 1025, 1026)] == [1, 0, 0, 1]
