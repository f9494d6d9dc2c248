"""Metrics against scikit-image, SciPy, and formulas written out from the papers."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
import scipy.signal
import skimage.color
import skimage.data
import skimage.metrics

from colorbatch import color
from training.metrics import (
    Totals,
    Validation,
    ab_histogram,
    colored_picture,
    colorfulness,
    colorfulness_of_absolutes,
    measure,
)

Picture = tuple[np.ndarray, np.ndarray, np.ndarray]
"""True L*a*b* (H, W, 3), predicted ab (H, W, 2), true sRGB codes (H, W, 3)."""


def predicted(name: str, noise: float, seed: int = 0) -> Picture:
    """A window of a photograph, and its chroma with normally distributed errors."""
    truth = getattr(skimage.data, name)()[50:114, 150:214]
    lab = color.rgb_to_lab(truth)
    errors = np.random.default_rng(seed).normal(0, noise, (64, 64, 2)).astype(np.float32)
    return lab, lab[..., 1:] + errors, truth


def total(*pictures: Picture) -> tuple[Totals, Totals]:
    """The totals of the predictions, and those of the truth."""
    made, true = Totals(), Totals()
    for lab, ab, truth in pictures:
        made.add(measure(lab, ab, truth))
        true.add(measure(lab, lab[..., 1:], truth))
    return made, true


def summary(*pictures: Picture) -> dict[str, float]:
    """The row of a table for these pictures."""
    made, true = total(*pictures)
    return made.summary(true.histogram)


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


# --- measure, and the sums over pictures -------------------------------------------------------


def test_errors_of_ab() -> None:
    """Mean absolute and root mean square error over pixels and both channels, in Lab units."""
    lab, ab, truth = predicted("astronaut", 8)
    row = summary((lab, ab, truth))
    error = ab.astype(np.float64) - lab[..., 1:]
    # the difference of two float32 has 24 bits
    assert row["ab_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    assert row["ab_rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)


def test_beside_grey() -> None:
    """One picture right and one wrong by more than its own color: half are worse than grey, and
    the error relative to grey's is that of the sums, not the mean of ratios."""
    right, wrong = predicted("astronaut", 0), predicted("coffee", 0)
    lab, _, truth = wrong
    inverse = -0.5 * lab[..., 1:]  # errors of 1.5 times the color itself
    row = summary(right, (lab, inverse, truth))
    of_grey = [np.abs(picture[0][..., 1:].astype(np.float64)).mean() for picture in (right, wrong)]
    assert row["worse"] == 0.5
    # the errors are differences of float32
    assert row["ab_relative"] == pytest.approx(1.5 * of_grey[1] / sum(of_grey), rel=1e-6)


@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_as_far_off_as_grey_is_not_worse(factor: float) -> None:
    """Grey itself, and twice the true color, have grey's error exactly."""
    lab, _, truth = predicted("chelsea", 0)
    row = summary((lab, np.float32(factor) * lab[..., 1:], truth))
    assert (row["ab_relative"], row["worse"]) == (1, 0)


def test_psnr_per_picture_and_pooled() -> None:
    """`psnr` is the mean of scikit-image's over pictures; `psnr_pooled` that of all their pixels,
    which a bad picture pulls down further."""
    pictures = [predicted("astronaut", 2), predicted("coffee", 20)]
    colored = [colored_picture(lab, ab) for lab, ab, _ in pictures]
    truths = [truth for _, _, truth in pictures]
    row = summary(*pictures)
    single = [
        skimage.metrics.peak_signal_noise_ratio(true, made)
        for true, made in zip(truths, colored, strict=True)
    ]
    pooled = skimage.metrics.peak_signal_noise_ratio(np.stack(truths), np.stack(colored))
    assert row["psnr"] == pytest.approx(np.mean(single), abs=1e-9)  # float64 everywhere
    assert row["psnr_pooled"] == pytest.approx(pooled, abs=1e-9)
    assert row["psnr_pooled"] < row["psnr"] - 1


def wang(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of two planes, 8-bit codes: Wang et al. 2004, "Image Quality Assessment: From Error
    Visibility to Structural Similarity", equations 13 to 17 with the window of section III.C."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(plane: np.ndarray) -> np.ndarray:
        return scipy.signal.convolve2d(plane, window, mode="valid")

    x, y = x.astype(np.float64), y.astype(np.float64)
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2
    covariance = mean(x * y) - mu_x * mu_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return float(((2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1) * structure).mean())


def test_ssim_is_wangs() -> None:
    """The mean over R, G and B of the paper's formula, and 1 for a picture beside itself."""
    lab, ab, truth = predicted("chelsea", 15)
    made = colored_picture(lab, ab)
    expected = np.mean([wang(truth[..., i], made[..., i]) for i in range(3)])
    assert expected < 0.95  # the errors show
    # the same sums in another order, float64
    assert summary((lab, ab, truth))["ssim"] == pytest.approx(expected, abs=1e-9)
    assert summary((lab, lab[..., 1:], truth))["ssim"] > 0.999  # one code off here and there


def test_delta_e_is_of_the_codes() -> None:
    """CIEDE2000 between the 8-bit pictures, by scikit-image."""
    lab, ab, truth = predicted("coffee", 10)
    made = colored_picture(lab, ab)
    first, second = skimage.color.rgb2lab(made), skimage.color.rgb2lab(truth)
    expected = skimage.color.deltaE_ciede2000(first, second).mean()
    # scikit-image's matrix and white point differ in the fourth digit
    assert summary((lab, ab, truth))["delta_e"] == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize("noise", [0.0, 5.0, 60.0])
def test_share_within_thresholds(noise: float) -> None:
    """Zhang et al. 2016, section 3.1: the share of pixels within an L2 distance in ab, and the area
    under it over thresholds 0 to 150, threshold by threshold."""
    pictures = [predicted("astronaut", noise), predicted("chelsea", noise / 2)]
    row = summary(*pictures)
    shares = []
    for threshold in range(151):
        of_each = []
        for lab, ab, _ in pictures:
            distance = np.sqrt(((ab.astype(np.float64) - lab[..., 1:]) ** 2).sum(axis=-1))
            of_each.append((distance <= threshold).mean())
        shares.append(np.mean(of_each))
    area = sum((a + b) / 2 for a, b in itertools.pairwise(shares)) / 150
    # counts of pixels: no distance lies so near to a threshold that roots of two kinds matter
    assert row["within"] == pytest.approx(shares[20], abs=1e-12)
    assert row["auc"] == pytest.approx(area, abs=1e-12)


def test_distances_beyond_the_last_threshold() -> None:
    """Pixels further off than 150 never count as right."""
    lab, _, truth = predicted("coffee", 0)
    ab = lab[..., 1:].copy()
    ab[:32] += 200
    row = summary((lab, ab, truth))
    assert row["auc"] == pytest.approx(0.5, abs=1e-12)
    assert row["within"] == 0.5


def test_histogram_of_ab() -> None:
    """Cells of 10 Lab units from -120 to 120; what lies beyond falls into the outermost."""
    ab = np.random.default_rng(0).normal(0, 60, (40, 50, 2)).astype(np.float32)
    inside = np.clip(ab.reshape(-1, 2), -120, 120)
    assert (inside != ab.reshape(-1, 2)).any()
    edges = np.arange(-120, 121, 10)
    expected, _, _ = np.histogram2d(inside[:, 0], inside[:, 1], bins=(edges, edges))
    assert np.array_equal(ab_histogram(ab).reshape(24, 24), expected)


def test_distance_of_histograms() -> None:
    """Jensen-Shannon: the root of the mean Kullback-Leibler divergence, in bits, from the mean of
    both (Endres and Schindelin 2003); of all pictures together, not of each."""
    pictures = [predicted("astronaut", 12), predicted("coffee", 25)]
    made = np.concatenate([ab.reshape(-1, 2) for _, ab, _ in pictures])
    true = np.concatenate([lab[..., 1:].reshape(-1, 2) for lab, _, _ in pictures])
    edges = np.arange(-120, 121, 10)
    both = []
    for colors in (made, true):
        counts, _, _ = np.histogram2d(*np.clip(colors, -120, 120).T, bins=(edges, edges))
        both.append(counts / counts.sum())
    middle = (both[0] + both[1]) / 2
    divergence = 0.0
    for share in both:
        there = share > 0
        divergence += (share[there] * np.log2(share[there] / middle[there])).sum() / 2
    found = summary(*pictures)["histogram"]
    assert 0.1 < found < 0.9
    assert found == pytest.approx(math.sqrt(divergence), abs=1e-9)  # float64


def hasler(rgb: np.ndarray, absolute: bool) -> float:
    """M3 of Hasler and Suesstrunk 2003, equations 2, 3 and 8, pixel by pixel; `absolute` takes the
    magnitudes of both opponents first, as newer code does."""
    pixels = [tuple(map(int, pixel)) for pixel in rgb.reshape(-1, 3)]
    rg = [r - g for r, g, _ in pixels]
    yb = [0.5 * (r + g) - b for r, g, b in pixels]
    if absolute:
        rg, yb = [abs(value) for value in rg], [abs(value) for value in yb]
    spread = math.sqrt(statistics.pvariance(rg) + statistics.pvariance(yb))
    return spread + 0.3 * math.sqrt(statistics.mean(rg) ** 2 + statistics.mean(yb) ** 2)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_both_colorfulnesses(name: str) -> None:
    """The paper's, and the variant of its absolute values, which is another number."""
    picture = getattr(skimage.data, name)()[::12, ::12]
    signed, absolute = hasler(picture, absolute=False), hasler(picture, absolute=True)
    assert colorfulness(picture) == pytest.approx(signed, abs=1e-9)  # float64
    assert colorfulness_of_absolutes(picture) == pytest.approx(absolute, abs=1e-9)
    assert signed != pytest.approx(absolute, abs=0.01)


def test_totals_are_of_all_pictures() -> None:
    """Sums over pictures of one size give what one tall picture of them all gives; but PSNR, SSIM
    and colorfulness are means over pictures."""
    pictures = [predicted(name, 9, seed) for seed, name in enumerate(["astronaut", "coffee"])]
    together = tuple(np.concatenate(parts) for parts in zip(*pictures, strict=True))
    apart, joined = summary(*pictures), summary(together)
    whole = ("ab_mae", "ab_relative", "ab_rmse", "within", "auc", "delta_e", "histogram")
    for name in (*whole, "psnr_pooled"):
        assert apart[name] == pytest.approx(joined[name], rel=1e-9), name
    first, second = summary(pictures[0]), summary(pictures[1])
    for name in ("psnr", "ssim", "worse", "colorfulness", "colorfulness_of_absolutes"):
        assert apart[name] == pytest.approx((first[name] + second[name]) / 2, rel=1e-9), name
    made, _ = total(*pictures)
    assert made.count == 2


def test_the_truth_is_perfect() -> None:
    """The true chroma has no error, every pixel within every threshold, and its own histogram."""
    pictures = [predicted(name, 0) for name in ("astronaut", "coffee", "chelsea")]
    row = summary(*pictures)
    assert (row["ab_mae"], row["ab_rmse"], row["histogram"]) == (0, 0, 0)
    assert (row["ab_relative"], row["worse"]) == (0, 0)
    assert (row["within"], row["auc"]) == (1, 1)
    # L*a*b* and back is float32: a code here and there
    assert row["delta_e"] < 0.1
    assert row["psnr"] > 50


def test_grey_against_a_photograph() -> None:
    """Without chroma the errors are those of the photograph's own chroma, and its histogram is one
    cell."""
    lab, _, truth = predicted("coffee", 0)
    grey = np.zeros_like(lab[..., 1:])
    row = summary((lab, grey, truth))
    assert row["ab_mae"] == pytest.approx(np.abs(lab[..., 1:]).mean(), rel=1e-6)  # float32 means
    assert row["colorfulness"] < 0.5  # neutral to one code
    histogram = ab_histogram(grey)
    assert histogram.max() == histogram.sum() == 64 * 64
    assert 0 < row["histogram"] <= 1


def test_the_smallest_picture() -> None:
    """11 pixels a side is one window of SSIM, and enough; 10 are not."""
    lab, ab, truth = predicted("chelsea", 5)
    assert 0 < measure(lab[:11, :11], ab[:11, :11], truth[:11, :11]).numbers["ssim"] < 1
    with pytest.raises(ValueError, match="win_size"):
        measure(lab[:10, :10], ab[:10, :10], truth[:10, :10])
