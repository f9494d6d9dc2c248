"""Cuts of films built from photographs are found; flashes, flicker, dirt, pans, fades are none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from colorbatch.clips import shots
from colorbatch.clips.shots import Cuts, unlike

NAMES = ("camera", "coffee", "chelsea", "astronaut", "rocket")
View = Any
"""(48, 64), uint8."""
Shot = Callable[..., list[View]]


@pytest.fixture
def shot(grey_photograph: Callable[[str], Any]) -> Shot:
    """A function that films a photograph: its name, frames, the camera's step per frame as a share
    of the picture's width."""

    def make(name: str, count: int, step: float = 0.01) -> list[View]:
        picture = cv2.resize(grey_photograph(name), (360, 270), interpolation=cv2.INTER_AREA)
        at = [round(40 + 20 * np.sin(step * 192 / 20 * number)) for number in range(count)]
        return [picture[x : x + 144, x : x + 192] for x in at]

    return make


def filmed(pictures: Sequence[Any], grain: float = 4.0, light: float = 0.0) -> list[View]:
    """Views of pictures with grain, each lit otherwise by up to the share `light`."""
    rng = np.random.default_rng(3)
    views = []
    for picture in pictures:
        lit = picture * rng.uniform(1 - light, 1 + light) + rng.normal(0, grain, picture.shape)
        codes = np.clip(lit, 0, 255).astype(np.uint8)
        views.append(cv2.resize(codes, shots.SEEN[::-1], interpolation=cv2.INTER_AREA))
    return views


def cuts_of(views: Sequence[View | None]) -> list[int]:
    """The numbers of the frames that begin shots."""
    cuts = Cuts()
    told = [each for view in views if (each := cuts.add(view)) is not None] + list(cuts.end())
    assert len(told) == len(views)
    return [number for number, cut in enumerate(told) if cut]


@pytest.mark.parametrize(("grain", "light"), [(0, 0), (14, 0), (8, 0.2)])
def test_cuts_are_found_and_nothing_else(shot: Shot, grain: float, light: float) -> None:
    """To the frame, with grain and with light that flickers by a fifth."""
    pictures, wanted = [], []
    for count, name in enumerate((*NAMES, *NAMES[::2])):
        wanted.append(len(pictures))
        pictures += shot(name, 9 + count)
    assert cuts_of(filmed(pictures, grain, light)) == wanted[1:]


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("kind", ["white", "black", "bright", "another picture", "negative"])
def test_flashes_are_no_cuts(shot: Shot, kind: str, length: int) -> None:
    """Of one and of two frames, wherever in the shot; a cut beside them is found."""
    for name, other, third in zip(NAMES, NAMES[1:], (*NAMES[2:], NAMES[0]), strict=False):
        for at in (4, 9, 13):
            pictures = shot(name, 16)
            for number in range(at, at + length):
                pictures[number] = {
                    "white": np.full_like(pictures[0], 250),
                    "black": np.full_like(pictures[0], 4),
                    "bright": pictures[number] // 3 + 160,
                    "another picture": shot(third, 1)[0],
                    "negative": 255 - pictures[number],
                }[kind]
            assert cuts_of(filmed([*pictures, *shot(other, 9)])) == [16]


def test_dirt_is_no_cut(shot: Shot) -> None:
    """A blot over a third of one frame, scratches that stay, a torn frame."""
    for name in NAMES:
        pictures = [picture.copy() for picture in shot(name, 20)]
        for picture in pictures:
            picture[:, 60:62] = 230
        cv2.ellipse(pictures[6], (90, 70), (50, 60), 20, 0, 360, 3, -1)
        pictures[12] = np.roll(pictures[12], 70, axis=0)
        assert cuts_of(filmed(pictures)) == []


def test_moves_and_soft_changes_are_no_cuts(shot: Shot) -> None:
    """Pans of 5 % of the width per frame, and fades and dissolves over 16 frames."""
    for name, other in itertools.pairwise(NAMES):
        assert cuts_of(filmed(shot(name, 40, step=0.05))) == []
        first, second = shot(name, 30), shot(other, 30)
        faded = [(one * max(0, 22 - n) / 22).astype(np.uint8) for n, one in enumerate(first)]
        lit = [(one * min(n, 22) / 22).astype(np.uint8) for n, one in enumerate(second)]
        assert cuts_of(filmed([*faded, *lit])) == []
        shares = np.clip((np.arange(30) - 7) / 16, 0, 1)
        mixed = [a * (1 - s) + b * s for a, b, s in zip(first, second, shares, strict=True)]
        assert cuts_of(filmed(mixed)) == []


def test_black_bars_hide_no_cut(shot: Shot) -> None:
    """Of a picture of 4:3 in a frame of 16:9 only the picture counts."""
    pictures = [*shot("camera", 10), *shot("coffee", 10)]
    pillars = [np.pad(picture, ((0, 0), (32, 32)), constant_values=16) for picture in pictures]
    assert cuts_of(filmed(pillars)) == [10]


def test_damaged_frames_tell_nothing(shot: Shot) -> None:
    """They are no cuts, and a cut among them is where the first good frame is."""
    views = filmed([*shot("camera", 10), *shot("coffee", 10)])

    def without(*numbers: int) -> list[int]:
        return cuts_of([None if n in numbers else view for n, view in enumerate(views)])

    assert without() == without(9) == without(8, 9) == without(5, 11) == without(12) == [10]
    assert without(10) == without(9, 10) == [11]
    # with nothing good within reach on one side nobody can tell a cut from a flash
    assert without(7, 8, 9) == without(11, 12) == []
    assert cuts_of([None] * 9) == []


def test_a_beginning_forgets_what_was_before(shot: Shot) -> None:
    """From each frame on that was told of last, as if it had been the first."""
    pictures = [*shot("camera", 5), *shot("coffee", 2), *shot("chelsea", 7), *shot("rocket", 9)]
    views: list[View | None] = list(filmed(pictures))
    views[16] = None
    for at in range(len(views)):
        cuts, told = Cuts(), []
        for view in views:
            if (cut := cuts.add(view)) is not None:
                told.append(cut)
                if len(told) == at + 1:
                    cuts.begin()
        for cut in cuts.end():
            told.append(cut)
            if len(told) == at + 1:
                cuts.begin()
        fresh = [number + at for number in cuts_of(views[at:])]
        assert [number for number, cut in enumerate(told) if cut and number > at] == fresh


def test_unlike_is_a_share(shot: Shot) -> None:
    """None of a picture is unlike itself, in whatever light; half of it where half is another."""
    one, other = filmed([shot("camera", 1)[0], shot("coffee", 1)[0]], grain=0)
    assert unlike(one, one) == 0
    assert unlike(one, (one * 0.7).astype(np.uint8)) <= 0.05
    assert unlike(np.zeros_like(one), np.full_like(one, 1)) == 0
    assert unlike(one, other) > shots.RULE.share
    half = np.hstack([one[:, :32], np.full_like(one, 255)[:, 32:]])
    assert 0.3 < unlike(one, half) < 0.7
