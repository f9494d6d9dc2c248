"""The stills that steer shots: read, and joined with the frames that they show.

Flows in: shots, what gives the frame that a still shows, a model. Flows out: for each shot with a
still, what gives its frames the color of it (`reference`). One frame is held at a time.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from colorbatch.clips import film_frames, reference
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.reference import Steering
from colorbatch.clips.render import Model
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import Still, Take
from colorbatch.color import Codes, Float
from colorbatch.color.ycbcr import Region
from colorbatch.errors import SourceError, StoppedError

Steered = Mapping[int, Steering | None]
"""Tick at which a shot begins -> what steers it, None for nothing; in order."""


def of_segment(
    plan: FilmPlan, span: Span, model: Model, stop: Callable[[], bool] = lambda: False
) -> Steered:
    """What steers the shots of a segment; empty where nothing does. Raises SourceError for a still
    that cannot be used, StoppedError."""

    def light(still: Still) -> Float:
        with plan.footage.frames(still.pts) as reading:
            frame = next(iter(reading), None)
            if stop():
                raise StoppedError
        if frame is None or frame.pts != still.pts:
            raise SourceError(f"{still.path}: the film does not show its frame any more")
        return film_frames.lightness(frame.planes, plan, model.size)

    return of_shots(span.takes, light, plan.film.video.size, plan.region, model)


def of_shots(
    takes: Sequence[Take],
    light: Callable[[Still], Float],
    size: tuple[int, int],
    region: Region | None,
    model: Model,
) -> Steered:
    """What steers shots; empty where nothing does. light: L* (h, w) at the network's size of the
    frame that a still shows; size: (H, W) of the clip's pictures, of which `region` is colored.
    Raises SourceError for a still that cannot be used."""
    if not any(take.still is not None and take.look.action == "color" for take in takes):
        return {}

    def steering(still: Still | None) -> Steering | None:
        if still is None:
            return None
        seen = light(still)
        [ab] = model.predict(seen[None])
        rgb = _cropped(reference.read(still), size, region)
        try:
            return Steering(rgb, seen, ab)
        except ValueError as error:
            raise SourceError(f"{still.path}: {error}") from error

    return {take.begin: steering(take.still) for take in takes}


def at(steered: Steered, pts: int) -> Steering | None:
    """What steers the frame at a tick."""
    if not steered:
        return None
    begins = list(steered)
    return steered[begins[max(0, bisect.bisect_right(begins, pts) - 1)]]


def _cropped(rgb: Codes, size: tuple[int, int], region: Region | None) -> Codes:
    """The region of a still of the whole picture, of whatever size."""
    if region is None:
        return rgb
    whole = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(region.of(np.asarray(whole)))
