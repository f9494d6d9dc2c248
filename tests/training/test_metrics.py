"""Validation figures against hand-computed values and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import skimage.metrics

from colorbatch import color
from training.metrics import Validation, colorfulness


def test_grey_has_no_colorfulness() -> None:
    """Whatever its texture, grey is 0."""
    grey = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    assert colorfulness(np.dstack([grey] * 3)) == 0


def test_colorfulness_of_a_checker() -> None:
    """A checker of pure red and green, worked out by hand from the paper's equation 8."""
    checker = np.indices((8, 8)).sum(axis=0) % 2 == 0
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[checker] = (255, 0, 0)
    picture[~checker] = (0, 255, 0)
    # rg = +-255: deviation 255, mean 0; yb = 127.5: deviation 0, mean 127.5
    assert colorfulness(picture) == pytest.approx(255 + 0.3 * 127.5, abs=1e-9)  # float64


def test_colorfulness_of_one_color() -> None:
    """A flat picture has only the means: rg = 100, yb = -25 for (150, 50, 125)."""
    picture = np.full((4, 4, 3), (150, 50, 125), np.uint8)
    assert colorfulness(picture) == pytest.approx(0.3 * math.hypot(100, -25), abs=1e-9)  # float64


def test_grey_prediction() -> None:
    """Predicting no color has the error of grey, by definition 1 relative to it."""
    truth = skimage.data.astronaut()[:64, 200:264]
    validation = Validation()
    lab = color.rgb_to_lab(truth)
    colored = validation.add(lab, np.zeros((64, 64, 2), np.float32), truth)
    summary = validation.summary()
    assert summary["ab_error_relative"] == 1
    expected = np.abs(skimage.color.rgb2lab(truth)[..., 1:]).mean()
    # scikit-image's white point and matrix differ in the fourth digit
    assert summary["ab_error_grey"] == pytest.approx(expected, abs=0.02)
    # neutral to one code: Lab to sRGB goes through float32
    assert np.ptp(colored.astype(int), axis=2).max() <= 1


def test_perfect_prediction() -> None:
    """The true chroma gives no error, and the truth back."""
    truth = skimage.data.coffee()[100:164, 200:264]
    validation = Validation()
    lab = color.rgb_to_lab(truth)
    colored = validation.add(lab, lab[..., 1:], truth)
    summary = validation.summary()
    assert summary["ab_error"] == 0
    assert np.abs(colored.astype(int) - truth).max() <= 1  # float32 there and back
    assert summary["colorfulness"] == pytest.approx(summary["colorfulness_truth"], abs=0.1)


def test_psnr_and_means() -> None:
    """PSNR is scikit-image's, and a summary is the mean over pictures."""
    rng = np.random.default_rng(0)
    validation = Validation()
    psnr, errors = [], []
    for photo in (skimage.data.astronaut(), skimage.data.chelsea()):
        truth = photo[50:114, 150:214]
        lab = color.rgb_to_lab(truth)
        ab = lab[..., 1:] + rng.normal(0, 6, (64, 64, 2)).astype(np.float32)
        colored = validation.add(lab, ab, truth)
        psnr.append(skimage.metrics.peak_signal_noise_ratio(truth, colored))
        errors.append(np.abs(ab - lab[..., 1:]).mean())
    summary = validation.summary()
    assert summary["psnr"] == pytest.approx(np.mean(psnr), abs=1e-9)  # both in float64
    assert summary["ab_error"] == pytest.approx(np.mean(errors), rel=1e-6)  # float32 means
