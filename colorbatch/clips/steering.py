"""The stills that steer the shots of a segment: read, and joined with the frames that they show.

Flows in: a plan, a segment, a model. Flows out: for each shot with a still, what gives its frames
the color of it (`reference`). One frame is held at a time.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from colorbatch.clips import film_frames, reference
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.reference import Steering
from colorbatch.clips.render import Model
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import Still, Take
from colorbatch.color import Codes
from colorbatch.errors import SourceError, StoppedError

Steered = Mapping[int, Steering | None]
"""Tick at which a shot begins -> what steers it, None for nothing; in order."""


def of_segment(
    plan: FilmPlan,
    span: Span,
    model: Callable[[Take], Model],
    stop: Callable[[], bool] = lambda: False,
) -> Steered:
    """What steers the shots of a segment; empty where nothing does. model: what colors a shot.
    Raises SourceError for a still that cannot be used, StoppedError."""
    if not any(take.still is not None and take.look.action == "color" for take in span.takes):
        return {}
    return {take.begin: of_take(plan, take, model, stop) for take in span.takes}


def of_take(
    plan: FilmPlan,
    take: Take,
    model: Callable[[Take], Model],
    stop: Callable[[], bool] = lambda: False,
) -> Steering | None:
    """What steers a shot, None for nothing. Raises what `of_segment` does."""
    if take.still is None or take.look.action != "color":
        return None
    return _of_still(plan, take.still, model(take), stop)


def at(steered: Steered, pts: int) -> Steering | None:
    """What steers the frame at a tick."""
    if not steered:
        return None
    begins = list(steered)
    return steered[begins[max(0, bisect.bisect_right(begins, pts) - 1)]]


def _of_still(plan: FilmPlan, still: Still, model: Model, stop: Callable[[], bool]) -> Steering:
    with plan.footage.frames(still.pts) as reading:
        frame = next(iter(reading), None)
        if stop():
            raise StoppedError
    if frame is None or frame.pts != still.pts:
        raise SourceError(f"{still.path}: the film does not show its frame any more")
    light = film_frames.lightness(frame.planes, plan, model.size)
    [ab] = model.predict(light[None])
    rgb = _cropped(reference.read(still), plan)
    try:
        return Steering(rgb, light, ab)
    except ValueError as error:
        raise SourceError(f"{still.path}: {error}") from error


def _cropped(rgb: Codes, plan: FilmPlan) -> Codes:
    """The region of a still of the whole picture, of whatever size."""
    if plan.region is None:
        return rgb
    height, width = plan.film.video.size
    whole = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(plan.region.of(np.asarray(whole)))
