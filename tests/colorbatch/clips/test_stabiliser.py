"""Color is steadied within shots: flicker goes, motion and cuts stay, segments do not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorbatch.clips.ordered_step import LARGEST_STATE, MOST_AHEAD, OrderedStep
from colorbatch.clips.stabiliser import AHEAD, Stabiliser
from colorbatch.color import rgb_to_lab

SIDE = 128
Array = Any
Shot = tuple[Array, Array]
"""L* (N, SIDE, SIDE) and ab (N, SIDE, SIDE, 2), float32."""


@pytest.fixture(scope="session")
def pan(photograph: Callable[[str], Any]) -> Callable[..., Shot]:
    """A function that pans over a photograph in color: its name, frames, pixels a frame."""

    def make(name: str = "coffee", count: int = 48, step: float = 1.5) -> Shot:
        picture = cv2.resize(photograph(name), (320, 220), interpolation=cv2.INTER_AREA)
        lab = rgb_to_lab(picture)
        places = [
            np.array([[1, 0, 20 + step * number], [0, 1, 30 + step / 2 * number]])
            for number in range(count)
        ]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = np.stack([cv2.warpAffine(lab, place, (SIDE, SIDE), flags=flags) for place in places])
        return np.ascontiguousarray(seen[..., 0]), np.ascontiguousarray(seen[..., 1:])

    return make


def textured(seed: int, size: tuple[int, int], low: float, high: float) -> Array:
    """L* (h, w) with structure of a few pixels, from `low` to `high`, float32."""
    noise = np.random.default_rng(seed).random(size, np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return cv2.normalize(blurred, None, low, high, cv2.NORM_MINMAX)


def steadied(
    step: OrderedStep, light: Array, ab: Array, begins: Sequence[int] = (0,)
) -> list[Array]:
    """All frames through a step, and out of it."""
    found = []
    for number, (one, chroma) in enumerate(zip(light, ab, strict=True)):
        found += step.add(one, chroma, number in begins)
    return found + step.end()


def in_segments(light: Array, ab: Array, ends: Sequence[int]) -> list[Array]:
    """A shot made as the conductor makes it: segment by segment, each with a step of its own."""
    found: list[Array] = []
    state, begin = None, 0
    for end in (*ends, len(ab)):
        step = Stabiliser()
        if state is not None:
            step.restore(state)
        ready = []
        for number in range(begin, end):
            ready += step.add(light[number], ab[number], number == 0)
        step.mark()
        for number in range(end, min(end + step.ahead, len(ab))):
            ready += step.add(light[number], ab[number], False)
        ready += step.end()
        found += ready[: end - begin]
        state, begin = step.state(), end
    return found


def mean_steps(ab: Any) -> Array:
    """How far the whole picture's mean color goes from frame to frame, (N - 1,)."""
    change = np.diff(np.mean(ab, axis=(1, 2), dtype=np.float64), axis=0)
    return np.hypot(change[:, 0], change[:, 1])


# --- order, shots and segments -----------------------------------------------------------------


def test_at_no_stability_color_goes_through(pan: Callable[..., Shot]) -> None:
    """At once, and as it is."""
    light, ab = pan(count=5)
    step = Stabiliser(0.0)
    assert step.ahead == 0
    for one, chroma in zip(light, ab, strict=True):
        [found] = step.add(one, chroma, False)
        assert np.array_equal(found, chroma)
    assert step.end() == []


@pytest.mark.parametrize("stability", [-0.1, 1.1, float("nan")])
def test_stability_is_a_share(stability: float) -> None:
    """Of the change that is made; another number is refused."""
    with pytest.raises(ValueError, match="not 0 to 1"):
        Stabiliser(stability)


def test_stability_scales_the_change(pan: Callable[..., Shot]) -> None:
    """A half of it: half the way from the color that came to the steadied one. 1e-4: rounding."""
    light, ab = pan(count=30)
    ab = ab + np.random.default_rng(0).normal(0, 4, (30, 1, 1, 2)).astype(np.float32)
    whole, half = (np.stack(steadied(Stabiliser(share), light, ab)) for share in (1.0, 0.5))
    assert np.allclose(half, (ab + whole) / 2, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 24, 25, 61])
def test_no_frame_waits_for_more_than_it_says(count: int) -> None:
    """Each comes out once, in order, when at most `ahead` later ones are in; nothing is written
    to. Frames are told by a constant that stays, as their lightness is as of other things."""
    light = np.stack([textured(number, (32, 32), 0, 100) for number in range(count)])
    ab = np.repeat(np.arange(count, dtype=np.float32), 32 * 32 * 2).reshape(count, 32, 32, 2)
    for array in (light, ab):
        array.flags.writeable = False
    step, found = Stabiliser(), 0
    assert step.ahead == AHEAD <= MOST_AHEAD
    for number in range(count):
        found += len(step.add(light[number], ab[number], number == 0))
        assert number + 1 - found <= step.ahead
    assert found + len(step.end()) == count


def test_a_cut_lets_nothing_over(pan: Callable[..., Shot]) -> None:
    """Two shots at once are bit by bit what each is alone, and those before a cut come out with
    it."""
    one, other = pan("coffee", 17), pan("astronaut", 30)
    both = [np.concatenate(pair) for pair in zip(one, other, strict=True)]
    alone = steadied(Stabiliser(), *one) + steadied(Stabiliser(), *other)
    assert np.array_equal(steadied(Stabiliser(), *both, begins=(0, 17)), alone)


@pytest.mark.slow  # many flows
@settings(max_examples=8, deadline=None)
@given(ends=st.lists(st.integers(1, 59), min_size=1, max_size=4, unique=True).map(sorted))
def test_segments_do_not_show(pan: Callable[..., Shot], ends: list[int]) -> None:
    """A shot in several segments equals the same at once, bit by bit."""
    light, ab = (np.ascontiguousarray(each[:, ::3, ::3]) for each in pan(count=60, step=0.8))
    ab = ab + np.random.default_rng(1).normal(0, 4, (60, 1, 1, 2)).astype(np.float32)
    assert np.array_equal(in_segments(light, ab, ends), steadied(Stabiliser(), light, ab))


def test_segments_that_are_lent_nothing_differ(pan: Callable[..., Shot]) -> None:
    """What is ahead counts: without it the frames before a border are others."""
    light, ab = pan(count=40)
    ab = ab + np.random.default_rng(1).normal(0, 4, (40, 1, 1, 2)).astype(np.float32)
    step = Stabiliser()
    found = steadied(step, light[:20], ab[:20]) + steadied(step, light[20:], ab[20:], begins=())
    whole = steadied(Stabiliser(), light, ab)
    assert not np.array_equal(found[19], whole[19])


# --- state -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (256, 256), (512, 384)])
def test_the_state_is_bounded_and_the_same(size: tuple[int, int]) -> None:
    """However long the shot and however large the network, and for the same history."""
    states = []
    for _ in range(2):
        step = Stabiliser()
        for number in range(30):
            light = textured(number % 3, size, 10, 90)
            step.add(light, np.dstack([light / 5, light / 9]), number == 0)
        states.append(step.state())
    assert states[0] == states[1]
    assert 1000 < len(states[0]) <= LARGEST_STATE


def test_a_mark_holds_the_state(pan: Callable[..., Shot]) -> None:
    """What is added behind it does not count, until a state is restored."""
    light, ab = pan(count=9)
    step = Stabiliser()
    steadied(step, light[:6], ab[:6])
    before = step.state()
    step.mark()
    steadied(step, light[6:], ab[6:], begins=())
    assert step.state() == before
    step.restore(before)
    assert step.state() == before
    step.add(light[6], ab[6], False)
    assert step.state() != before


def test_a_state_of_nothing_is_one() -> None:
    """A step that saw no frame hands on that it did not."""
    step = Stabiliser()
    step.restore(Stabiliser().state())
    light = textured(0, (32, 32), 10, 90)
    ab = np.zeros((32, 32, 2), np.float32)
    assert step.add(light, ab, False) == [] and len(step.end()) == 1


def test_what_is_no_state_is_refused(pan: Callable[..., Shot]) -> None:
    """Nothing, a piece, more, other bytes, other numbers."""
    step = Stabiliser()
    steadied(step, *pan(count=2))
    state = step.state()
    nan = np.float32(np.nan).tobytes()
    for broken in (b"", state[:10], state[:-4], state + bytes(4), b"x" + state[1:]):
        with pytest.raises(ValueError, match="no state"):
            step.restore(broken)
    for head in (state[:16] + b"\xff\xff\xff\xff" + state[20:], state[:-4] + nan):
        with pytest.raises(ValueError, match="no state"):
            step.restore(head)
    assert step.state() == state


def test_another_networks_size_begins_afresh(pan: Callable[..., Shot]) -> None:
    """Nothing can be handed on, nor is it in the way."""
    light, ab = pan(count=4)
    step = Stabiliser()
    step.add(textured(0, (32, 40), 0, 100), np.ones((32, 40, 2), np.float32), True)
    found = [each for pair in zip(light, ab, strict=True) for each in step.add(*pair, False)]
    found += step.end()
    assert found[0].shape == (32, 40, 2)
    assert np.array_equal(found[1:], steadied(Stabiliser(), light, ab))


def test_threads_of_opencv_change_nothing(pan: Callable[..., Shot]) -> None:
    """Segments are made where there is room: bit by bit the same with one thread and with four."""
    light, ab = pan(count=14)
    before, found = cv2.getNumThreads(), []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found.append(np.stack(steadied(Stabiliser(), light, ab)))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*found)


# --- color -------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(a=st.floats(-80, 80), b=st.floats(-80, 80), seed=st.integers(0, 99))
def test_color_that_is_constant_stays(a: float, b: float, seed: int) -> None:
    """Whatever the lightness does. 1e-3 of Lab units: cubic weights add up to 1 in float32."""
    rng = np.random.default_rng(seed)
    light = rng.uniform(0, 100, (8, 40, 56)).astype(np.float32)
    ab = np.broadcast_to(np.float32([a, b]), (8, 40, 56, 2)).copy()
    assert np.abs(np.stack(steadied(Stabiliser(), light, ab)) - ab).max() < 1e-3


@pytest.mark.parametrize("grain", [0.0, 2.0])
def test_flicker_goes(pan: Callable[..., Shot], grain: float) -> None:
    """Waves over all of the picture, over a half of it, and noise from frame to frame: of what the
    mean steps are more than the truth's a fifth is left at most, and of the distance to the truth
    a half; with grain and lightness that flickers as well."""
    light, truth = pan(count=60, step=1.0)
    rng, number = np.random.default_rng(5), np.arange(60)
    waves = np.zeros_like(truth)
    waves[..., 1] += 4 * np.sin(2 * np.pi * number / 8)[:, None, None]
    waves[:, : SIDE // 2, :, 0] += 4 * np.sin(2 * np.pi * number / 11)[:, None, None]
    waves += rng.normal(0, 1.5, (60, 1, 1, 2))
    seen = light * (1 + rng.normal(0, grain / 100, (60, 1, 1))) + rng.normal(0, grain, light.shape)
    found = np.stack(steadied(Stabiliser(), seen.astype(np.float32), truth + waves))
    raw, steady, own = (mean_steps(ab).mean() for ab in (truth + waves, found, truth))
    assert raw > 5 * own
    assert steady - own < 0.2 * (raw - own)
    assert np.abs(found - truth).mean() < 0.5 * np.abs(waves).mean()


def test_the_truths_own_steps_stay(pan: Callable[..., Shot]) -> None:
    """A pan onto another color does not lag: of the way of the mean color there is all, and none
    of it comes late. 0.3 Lab units: a twentieth of the way."""
    light, truth = pan(count=60, step=2.0)
    found = np.stack(steadied(Stabiliser(), light, truth))
    means, own = (ab.mean(axis=(1, 2)) for ab in (found, truth))
    assert np.abs(own[-1] - own[0]).max() > 6
    assert np.abs(means - own).max() < 0.3
    assert mean_steps(found).sum() > 0.8 * mean_steps(truth).sum()


def test_a_figure_leaves_no_trail() -> None:
    """A red figure before a blue ground, of another lightness, three pixels a frame: where it has
    been and where it will be in the next frames, the ground is as blue as it was, and the figure
    red. 1 and 2 Lab units in the mean, of 100 between them; 8 at the worst pixel 3 pixels off."""
    count, width, step = 36, 24, 3
    ground, body = textured(1, (SIDE, SIDE), 10, 40), textured(2, (60, width), 60, 95)
    light = np.repeat(ground[None], count, axis=0)
    covered = np.zeros((count, SIDE, SIDE), bool)
    for number in range(count):
        left = step * number
        covered[number, 40:100, left : left + width] = True
        light[number, 40:100, left : left + width] = body[:, : SIDE - left]
    ab = np.where(covered[..., None], np.float32([50, 10]), np.float32([-10, -70]))
    wrong = np.abs(np.stack(steadied(Stabiliser(), light, ab)) - ab).max(axis=-1)
    for number in range(2, count - 2):
        left = step * number
        behind = wrong[number, 40:100, max(0, left - 24) : max(0, left - 3)]
        before = wrong[number, 40:100, left + width + 3 : left + width + 24]
        inside = wrong[number, 43:97, left + 3 : left + width - 3]
        for part, mean in ((behind, 1), (before, 1), (inside, 2)):
            if part.size:
                assert part.mean() < mean and np.percentile(part, 99) < 8, number
