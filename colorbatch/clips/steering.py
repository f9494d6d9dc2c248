"""The stills that steer shots: read, and joined with the frames that they show.

Flows in: shots, what gives the frame that a still shows, a model. Flows out: for each shot with a
still, what gives its frames the color of it (`reference`). One frame is held at a time.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from colorbatch.clips import film_frames, numbered_frame, numbered_plan, reference
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.numbered_plan import FramePlan
from colorbatch.clips.reference import Steering
from colorbatch.clips.render import Model
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import Still, Take
from colorbatch.color import Codes, Float
from colorbatch.color.ycbcr import Region
from colorbatch.errors import SourceError, StoppedError
from colorbatch.job import AskedTransfer

Steered = Mapping[int, Steering | None]
"""Tick at which a shot begins -> what steers it, None for nothing; in order."""
Light = Callable[[Still, tuple[int, int]], Float]
"""L* (h, w), at a network's size, of the frame that a still shows."""


def of_segment(
    plan: FilmPlan,
    span: Span,
    model: Callable[[Take], Model],
    stop: Callable[[], bool] = lambda: False,
) -> Steered:
    """What steers the shots of a segment; empty where nothing does. model: what colors a shot.
    Raises SourceError for a still that cannot be used, StoppedError."""
    return of_shots(span.takes, light_of(plan, stop), plan.film.video.size, plan.region, model)


def of_shots(
    takes: Sequence[Take],
    light: Light,
    size: tuple[int, int],
    region: Region | None,
    model: Callable[[Take], Model],
) -> Steered:
    """What steers shots; empty where nothing does. size: (H, W) of the clip's pictures, of which
    `region` is colored; model: what colors a shot. Raises SourceError for a still that cannot be
    used."""
    if not any(take.still is not None and take.look.action == "color" for take in takes):
        return {}
    return {take.begin: of_take(take, light, size, region, model) for take in takes}


def of_take(
    take: Take,
    light: Light,
    size: tuple[int, int],
    region: Region | None,
    model: Callable[[Take], Model],
) -> Steering | None:
    """What steers a shot, None for nothing. Raises what `of_shots` does."""
    still = take.still
    if still is None or take.look.action != "color":
        return None
    own = model(take)
    seen = light(still, own.size)
    [ab] = own.predict(seen[None])
    rgb = _cropped(reference.read(still), size, region)
    try:
        return Steering(rgb, seen, ab)
    except ValueError as error:
        raise SourceError(f"{still.path}: {error}") from error


def light_of(plan: FilmPlan, stop: Callable[[], bool] = lambda: False) -> Light:
    """That of a film's frames. Raises StoppedError."""

    def light(still: Still, size: tuple[int, int]) -> Float:
        with plan.footage.frames(still.pts) as reading:
            frame = next(iter(reading), None)
            if stop():
                raise StoppedError
        if frame is None or frame.pts != still.pts:
            raise SourceError(f"{still.path}: the film does not show its frame any more")
        return film_frames.lightness(frame.planes, plan, size)

    return light


def light_of_frames(plan: FramePlan, asked: AskedTransfer) -> Light:
    """That of numbered frames, whose ticks are their numbers. asked: `--transfer`."""

    def light(still: Still, size: tuple[int, int]) -> Float:
        frame = numbered_plan.frame_at(plan, plan.sequence.path(still.pts), asked)
        return numbered_frame.view(frame, size, plan.region)

    return light


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
