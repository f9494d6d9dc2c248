"""Floating-point frames: luminance to the last bit that half and float hold, and what is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorbatch import color
from colorbatch.color import floating

RNG = np.random.default_rng(11)
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
"""ACES2065-1 (SMPTE ST 2065-1, table 1)."""
LINEAR = floating.space_of("linear")


def ab_of(height=6, width=8, strength=40):
    return RNG.normal(0, strength, (height, width, 2)).astype(np.float32)


def test_weights_are_luminance():
    """BT.709's, and those of ACES by its own standard: Y of SMPTE ST 2065-1's matrix."""
    assert LINEAR.weights == pytest.approx((0.2126, 0.7152, 0.0722), abs=1e-4)
    weights = floating.space_of("linear", AP0).weights
    assert weights == pytest.approx((0.3439664498, 0.7281660966, -0.0721325464), abs=1e-8)
    assert floating.space_of("linear", (0.0,) * 8).weights == LINEAR.weights  # no primaries


def test_white_stays_white_in_other_primaries():
    """Linear sRGB white is white under any primaries, though their white is another."""
    for given in (None, AP0):
        matrix = floating.space_of("linear", given).from_srgb
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("primaries", [None, AP0])
def test_luminance_is_kept(dtype, channels, primaries):
    """The largest error is half of G's last bit: 2 ** -11 of half's value, 2 ** -24 of float's."""
    light = floating.space_of("linear", primaries)
    samples = (RNG.random((50, 70, channels)) ** 3).astype(dtype)
    result = floating.colorize(samples, ab_of(), light)
    weights = np.array(light.weights)
    before = samples[..., 0].astype(float) if channels == 1 else samples.astype(float) @ weights
    after = result.astype(float) @ weights
    half_bit = 2.0 ** (-11 if dtype == np.float16 else -24)
    largest = np.abs(result.astype(float)).max(axis=2)
    assert (np.abs(after - before) <= half_bit * largest + 2.0**-25).all()
    assert floating.luma_difference(samples, result, light) < 1.5 * half_bit
    inside = (before > 0) & (before <= 1)  # random samples of ACES's primaries are no light
    assert result.dtype == dtype
    assert result[inside].min() >= 0 and result[inside].max() <= 1 + 2 * half_bit
    assert np.ptp(result.astype(float), axis=2).mean() > 0.02  # there is color


def test_no_chroma_changes_nothing():
    """Where ab is 0, R, G and B are the source's grey to the bit."""
    samples = RNG.random((9, 9, 1)).astype(np.float16)
    result = floating.colorize(samples, np.zeros((3, 3, 2), np.float32), LINEAR)
    np.testing.assert_array_equal(result, np.repeat(samples, 3, axis=2))


def test_beyond_white_and_black_is_neutral():
    """Highlights, negative samples, infinity and NaN come through as they are, without color."""
    odd = np.array([1.5, 60000, -0.25, np.inf, -np.inf, np.nan, 0, 1], np.float16)
    samples = odd.reshape(1, -1, 1)
    result = floating.colorize(samples, np.full((2, 2, 2), 30, np.float32), LINEAR)
    np.testing.assert_array_equal(result, np.repeat(samples, 3, axis=2))


def test_one_channel_that_is_no_number_leaves_the_others():
    """Such a pixel comes through as it is, the proof compares it, and nothing warns."""
    odd = [[np.nan, 0.5, 0.5], [np.inf, 0.5, 0.25], [0.1, -np.inf, np.inf], [0.3, 0.3, 0.3]]
    samples = np.array([odd], np.float16)
    result = floating.colorize(samples, np.full((2, 2, 2), 30, np.float32), LINEAR)
    np.testing.assert_array_equal(result[0, :3], samples[0, :3])
    assert np.ptp(result[0, 3]) > 0.05  # colored
    assert floating.luma_difference(samples, result, LINEAR) < 2.0**-10
    for spoiled in (np.nan, 0.5):
        wrong = result.copy()
        wrong[0, 1] = spoiled
        assert floating.luma_difference(samples, wrong, LINEAR) == np.inf
    wrong = result.copy()
    wrong[0, 3, 0] = np.nan
    assert floating.luma_difference(samples, wrong, LINEAR) == np.inf


def test_the_proof_of_infinite_grey_is_silent():
    """Infinite in the source and in the result is no difference."""
    samples = np.array([np.inf, -np.inf, np.nan, 0.4], np.float32).reshape(1, -1, 1)
    assert floating.luma_difference(samples, np.repeat(samples, 3, axis=2), LINEAR) == 0


@pytest.mark.parametrize("a, b", [(25, 10), (-20, 15), (5, -30)])
def test_the_color_is_the_one_asked_for(a, b):
    """A mid grey with ab that fits: OpenCV reads nearly the same hue back from linear light."""
    samples = np.full((8, 8, 1), 0.2, np.float32)
    ab = np.broadcast_to(np.array([a, b], np.float32), (2, 2, 2))
    lab = cv2.cvtColor(floating.colorize(samples, ab, LINEAR), cv2.COLOR_LRGB2Lab)[4, 4]
    # luminance is kept exactly in linear light, so that L, a and b come back whole
    np.testing.assert_allclose(lab[1:], (a, b), atol=0.2)


def test_seen_like_a_still(grey_photograph):
    """A linear frame looks to the network like the still that shows the same."""
    grey = grey_photograph("astronaut")
    linear = color.linearize(grey / 255).astype(np.float32)
    seen = floating.network_lightness(linear, LINEAR, grey.shape)
    np.testing.assert_allclose(seen, color.lightness(grey), atol=0.01)
    rgb = np.dstack([linear] * 3)
    shown = floating.rgb_view(rgb, LINEAR, grey.shape)
    assert np.abs(shown[..., 1].astype(int) - grey).max() <= 1
