"""What the package offers to Python: arrays in, arrays out (`Colorizer`), and what the commands run
(`color_pictures`, `color_clips`), an outcome for each source as it ends, and what their journals
tell of it later (`outcomes_in`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorbatch import color
from colorbatch.clips.frame_rates import parse_rate
from colorbatch.clips.request import ClipRequest
from colorbatch.color import Codes, luma_join
from colorbatch.color.ycbcr import Region
from colorbatch.job import FilmSettings, ImageSettings
from colorbatch.journal.outcomes import outcomes_in
from colorbatch.model import parity
from colorbatch.run.watch import Unwatched, Watch
from colorbatch.stills.request import PictureRequest

if TYPE_CHECKING:
    from colorbatch.clips.batch import ClipRun
    from colorbatch.stills.picture_run import PictureRun

__all__ = [
    "ClipRequest",
    "Colorizer",
    "FilmSettings",
    "ImageSettings",
    "PictureRequest",
    "Region",
    "color_clips",
    "color_pictures",
    "outcomes_in",
    "parse_rate",
]

Sources = str | Path | Iterable[str | Path]
"""A file, a folder, a pattern, or several of them."""


def color_pictures(
    sources: Sources | PictureRequest,
    output: str | Path | None = None,
    *,
    watch: Watch | None = None,
    **asked: Any,
) -> PictureRun:
    """What `colorbatch images` does: pictures of files and folders, an `Outcome` for each as it
    ends.

        for outcome in color_pictures("scans", "colored", model="unet32"):
            print(outcome.status, outcome.source, outcome.reason)

    Nothing is done before the first outcome is asked for. asked: fields of `PictureRequest`, among
    them settings=ImageSettings(...); or a whole request as `sources`. watch: is told what is found,
    and can end the run. Raises TypeError for what no request has; while it is iterated
    ColorbatchError for what keeps it from beginning.
    """
    from colorbatch.stills.picture_run import PictureRun  # neither needs what the other does

    if isinstance(sources, PictureRequest):
        return PictureRun(sources, watch or Unwatched())
    return PictureRun(PictureRequest(**_places(sources, output), **asked), watch or Unwatched())


def color_clips(
    sources: Sources | ClipRequest,
    output: str | Path | None = None,
    *,
    watch: Watch | None = None,
    **asked: Any,
) -> ClipRun:
    """What `colorbatch video` does: films and numbered frames, an `Outcome` for each as it ends.

        for outcome in color_clips("reel.mov", "colored.mov", prove_luma=True):
            print(outcome.status, outcome.frames, outcome.luma)

    As `color_pictures`; asked: fields of `ClipRequest`, among them settings=FilmSettings(...).
    """
    from colorbatch.clips.batch import ClipRun

    if isinstance(sources, ClipRequest):
        return ClipRun(sources, watch or Unwatched())
    return ClipRun(ClipRequest(**_places(sources, output), **asked), watch or Unwatched())


def _places(sources: Sources, output: str | Path | None) -> dict[str, Any]:
    several = [sources] if isinstance(sources, str | Path) else list(sources)
    return {
        "sources": tuple(Path(one) for one in several),
        "output": None if output is None else Path(output),
    }


class Colorizer:
    """Colors grey arrays with a model: `Colorizer().colorize(array)`.

    model: an ONNX file or an embedded model's name. device: auto, cpu, cuda, cuda:N and so on, as
    `--device`; tf32: as `--tf32`. Raises what `colorbatch.model.parity.opened` raises.
    """

    def __init__(
        self, model: str | Path | None = None, device: str = "auto", *, tf32: bool = False
    ) -> None:
        self.engine = parity.opened(model, device, tf32=tf32)

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
