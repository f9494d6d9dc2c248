"""What colorings are measured by. Arrays in, numbers out.

Libraries where well-kept ones exist: scikit-image for SSIM, SciPy for the Jensen-Shannon distance.
deltaE2000 is `colorbatch.color`'s, which the tests hold against scikit-image's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid
from scipy.spatial.distance import jensenshannon
from skimage.metrics import structural_similarity

from colorbatch import color

THRESHOLD = 20.0
"""Distance in the ab plane, in Lab units, below which a pixel counts as right."""
LARGEST_DISTANCE = 150
"""Where the curve over thresholds ends (Zhang et al. 2016, section 3.1)."""
HISTOGRAM_BIN = 10
"""Side of the cells of the ab histogram, in Lab units (Zhang et al. 2016, section 2.2)."""
HISTOGRAM_CELLS = 240 // HISTOGRAM_BIN
"""Cells along one axis: from -120 to 120."""
COLORFULNESS = ("colorfulness", "colorfulness_of_absolutes")


def colorfulness(rgb: color.Codes) -> float:
    """M3 of Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", equation 8:
    of sRGB codes (H, W, 3), uint8; 0 for grey."""
    return _colorfulness(*_opponent(rgb))


def colorfulness_of_absolutes(rgb: color.Codes) -> float:
    """The variant that newer papers print: the same of |R - G| and |(R + G) / 2 - B|."""
    rg, yb = _opponent(rgb)
    return _colorfulness(np.abs(rg), np.abs(yb))


def _opponent(rgb: color.Codes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    red, green, blue = (rgb[..., i].astype(np.float64) for i in range(3))
    return red - green, (red + green) / 2 - blue


def _colorfulness(rg: npt.NDArray[np.float64], yb: npt.NDArray[np.float64]) -> float:
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error of 8-bit codes; at most 148.1."""
    return 10 * math.log10(255**2 / max(squared_error, 1e-10))


def colored_picture(lab: color.Float, ab: color.Float) -> color.Codes:
    """The lightness of `lab` (H, W, 3) with other chroma (H, W, 2): sRGB codes (H, W, 3), uint8."""
    return color.to_codes(color.lab_to_rgb(np.concatenate([lab[..., :1], ab], axis=-1)))


@dataclass
class Validation:
    """Running sums over validation pictures; `summary` gives the means.

    ab_error: mean |d ab| in Lab units over both channels and all pixels; ab_error_grey: that of the
    grey picture (ab = 0); psnr: of 8-bit sRGB, the mean over pictures; colorfulness: of result and
    truth.
    """

    count: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, lab: color.Float, ab: color.Float, truth: color.Codes) -> color.Codes:
        """Measure one picture: its true Lab (H, W, 3), predicted ab (H, W, 2), true RGB.

        Returns the colored picture (H, W, 3), uint8.
        """
        colored = colored_picture(lab, ab)
        squared = float(np.mean((colored.astype(np.float64) - truth) ** 2))
        values = {
            "ab_error": float(np.abs(ab - lab[..., 1:]).mean()),
            "ab_error_grey": float(np.abs(lab[..., 1:]).mean()),
            "psnr": psnr(squared),
            "colorfulness": colorfulness(colored),
            "colorfulness_truth": colorfulness(truth),
        }
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        return colored

    def summary(self) -> dict[str, float]:
        """Means over the pictures, and the error relative to grey's."""
        means = {name: total / self.count for name, total in self.sums.items()}
        return means | {"ab_error_relative": means["ab_error"] / means["ab_error_grey"]}


@dataclass(frozen=True)
class Measured:
    """Everything that is measured of one coloring of one picture.

    `numbers` by name, for means over pictures; `curve`: share of pixels whose ab lies within 0, 1,
    ..., LARGEST_DISTANCE of the truth; `histogram`: pixels of the coloring per cell of ab.
    """

    numbers: Mapping[str, float]
    curve: npt.NDArray[np.float64]
    histogram: npt.NDArray[np.int64]


def measure(lab: color.Float, ab: color.Float, truth: color.Codes) -> Measured:
    """Measure predicted ab (H, W, 2) on the true lightness against the truth: its L*a*b* (H, W, 3)
    and its sRGB codes (H, W, 3), uint8. The picture needs 11 pixels a side, for SSIM."""
    colored = colored_picture(lab, ab)
    difference = (ab - lab[..., 1:]).astype(np.float64)
    distance = np.hypot(difference[..., 0], difference[..., 1])
    steps = np.ceil(distance).astype(np.int64).ravel()
    counts = np.bincount(steps, minlength=LARGEST_DISTANCE + 1)
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        truth,
        colored,
        channel_axis=-1,
        data_range=255,
        # as Wang et al. 2004, section III.C
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    squared = float(np.mean((colored.astype(np.float64) - truth) ** 2))
    error = float(np.abs(difference).mean())
    error_grey = float(np.abs(lab[..., 1:].astype(np.float64)).mean())
    numbers = {
        "ab_error": error,
        "ab_error_grey": error_grey,
        "worse": float(error > error_grey),
        "ab_squared": float((difference**2).mean()),
        "rgb_squared": squared,
        "psnr": psnr(squared),
        "ssim": float(similarity),
        "within": float((distance <= THRESHOLD).mean()),
        "delta_e": float(color.delta_e_2000(color.rgb_to_lab(colored), lab).mean()),
        "colorfulness": colorfulness(colored),
        "colorfulness_of_absolutes": colorfulness_of_absolutes(colored),
    }
    curve = np.cumsum(counts)[: LARGEST_DISTANCE + 1] / distance.size
    return Measured(numbers, curve, ab_histogram(ab))


def measure_truth(lab: color.Float, truth: color.Codes) -> Measured:
    """What can be measured of a photograph itself: its colorfulness and its histogram."""
    numbers = {
        "colorfulness": colorfulness(truth),
        "colorfulness_of_absolutes": colorfulness_of_absolutes(truth),
    }
    return Measured(numbers, np.zeros(LARGEST_DISTANCE + 1), ab_histogram(lab[..., 1:]))


def ab_histogram(ab: color.Float) -> npt.NDArray[np.int64]:
    """Pixels of ab (H, W, 2) per square cell of HISTOGRAM_BIN, from -120 to 120 either way."""
    index = np.clip((ab + 120) // HISTOGRAM_BIN, 0, HISTOGRAM_CELLS - 1).astype(np.int64)
    flat = index[..., 0] * HISTOGRAM_CELLS + index[..., 1]
    return np.bincount(flat.ravel(), minlength=HISTOGRAM_CELLS**2).astype(np.int64)


@dataclass
class Totals:
    """Running sums over the colorings of a set; `summary` is one row of a table."""

    count: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    curve: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(LARGEST_DISTANCE + 1))
    histogram: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(HISTOGRAM_CELLS**2, np.int64)
    )

    def add(self, measured: Measured) -> None:
        """Take in one picture."""
        self.count += 1
        for name, value in measured.numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.curve += measured.curve
        self.histogram += measured.histogram

    def summary(self, truth: npt.NDArray[np.int64]) -> dict[str, float]:
        """The metrics, beside the histogram of the truth.

        ab_mae, ab_rmse: of a* and b* over all pixels and both channels, in Lab units. ab_relative:
        ab_mae in parts of that of grey (ab = 0). worse: share of pictures whose own ab_mae is
        larger than grey's. psnr: of 8-bit sRGB, the mean over pictures; psnr_pooled: of the mean
        squared error of all pictures. ssim: of 8-bit sRGB. within: share of pixels within THRESHOLD
        of the true ab; auc: area under the curve of that share over thresholds 0 to
        LARGEST_DISTANCE, 1 at best. delta_e: mean CIEDE2000 of the 8-bit picture. colorfulness and
        colorfulness_of_absolutes: means over pictures. histogram: Jensen-Shannon distance (base 2,
        0 to 1) of the ab histogram of all results from the truth's.
        """
        mean = {name: value / self.count for name, value in self.sums.items()}
        direct = ("psnr", "ssim", "within", "delta_e", *COLORFULNESS)
        return {
            "ab_mae": mean["ab_error"],
            "ab_relative": mean["ab_error"] / mean["ab_error_grey"],
            "worse": mean["worse"],
            "ab_rmse": math.sqrt(mean["ab_squared"]),
            **{name: mean[name] for name in direct},
            "psnr_pooled": psnr(mean["rgb_squared"]),
            "auc": float(trapezoid(self.curve)) / self.count / LARGEST_DISTANCE,
            # rounding may make the divergence of nearly equal histograms negative, its root NaN
            "histogram": float(np.nan_to_num(jensenshannon(self.histogram, truth, base=2))),
        }
