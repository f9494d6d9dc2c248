"""What validation measures. Arrays in, numbers out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from colorbatch import color


def colorfulness(rgb: color.Codes) -> float:
    """M3 of Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", equation 8:
    of sRGB codes (H, W, 3), uint8; 0 for grey."""
    red, green, blue = (rgb[..., i].astype(np.float64) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


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
        colored = color.to_codes(color.lab_to_rgb(np.concatenate([lab[..., :1], ab], axis=-1)))
        squared = np.mean((colored.astype(np.float64) - truth) ** 2)
        values = {
            "ab_error": float(np.abs(ab - lab[..., 1:]).mean()),
            "ab_error_grey": float(np.abs(lab[..., 1:]).mean()),
            "psnr": 10 * math.log10(255**2 / max(float(squared), 1e-10)),
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
