"""Colorizing from Python: arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from colorbatch import color
from colorbatch.color import Codes, luma_join
from colorbatch.model.engine import Engine


class Colorizer:
    """Colors grey arrays with a model: `Colorizer().colorize(array)`.

    model: an ONNX file or an embedded model's name. device: auto, cpu, cuda or cuda:N. Raises what
    `colorbatch.model.engine.Engine` raises.
    """

    def __init__(self, model: str | Path | None = None, device: str = "auto") -> None:
        self.engine = Engine(model, device)

    def colorize(self, picture: Codes, *, saturation: float = 1.0) -> Codes:
        """Color one picture and keep its luma.

        picture: (H, W), (H, W, 1) or (H, W, 3) in RGB order, uint8 or uint16 codes; of three
        channels only their luma (BT.601) is used. saturation: factor on the predicted ab.
        Returns (H, W, 3), RGB, of the same type. Raises TypeError and ValueError for other arrays.
        """
        luma, exact = _luma_of(picture)
        ab = self._predict(luma)
        return luma_join.colorize(luma, ab, saturation=saturation, exact_luma=exact)

    def chroma(self, picture: Codes) -> color.Float:
        """The model's own prediction for a picture: ab (h, w, 2) in Lab units at its size."""
        return self._predict(_luma_of(picture)[0])

    def _predict(self, luma: Codes) -> color.Float:
        view = color.network_view(luma, self.engine.size)
        return np.asarray(self.engine.predict(view[None])[0], np.float32)


def _luma_of(picture: Codes) -> tuple[Codes, color.Float | None]:
    picture = np.asarray(picture)
    color.max_code(picture.dtype)  # raises TypeError
    if picture.size == 0:
        raise ValueError("the picture is empty")
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if picture.ndim == 2:
        return np.ascontiguousarray(picture), None
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is (H, W) or (H, W, 3), not {picture.shape}")
    return color.grey_of(picture), color.exact_luma_of(picture)
