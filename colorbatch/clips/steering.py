"""The stills that steer shots: read, and joined with the frames that they show.

Flows in: shots, what gives frames of the source, a model. Flows out: `Steered`, what gives frames
the color of their shot's still (`reference`, `still_chain`). One frame is held at a time.
"""

from __future__ import annotations

import bisect
import contextlib
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np

from colorbatch.clips import film_frames, reference
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.reference import Steering
from colorbatch.clips.render import Model
from colorbatch.clips.shot_looks import Still, Take
from colorbatch.clips.still_chain import REACH, STEP, Between, StillChain, steps_away
from colorbatch.color import Codes, Float
from colorbatch.color.ycbcr import Region
from colorbatch.errors import SourceError, StoppedError
from colorbatch.ffmpeg import Frame


class Pictures(Protocol):
    """What gives frames of a clip as a network sees them. size: of the pictures, (H, W), of which
    `region` is colored; step: `STEP` in ticks."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def region(self) -> Region | None: ...

    @property
    def step(self) -> Fraction: ...

    def light(self, still: Still, size: tuple[int, int]) -> Float:
        """L* (h, w), at a network's size, of the frame that a still shows. Raises SourceError,
        StoppedError."""

    def between(self, still: Still, size: tuple[int, int]) -> Between:
        """The frames before and behind it. They raise SourceError, StoppedError."""


class Steered:
    """Gives frames of shots, in order, the color of their stills. shots: tick at which each begins
    -> what steers it, None for nothing; in order."""

    def __init__(self, shots: Mapping[int, StillChain | None]) -> None:
        self._begins, self._chains = list(shots), list(shots.values())
        self._at = 0

    def __call__(self, pts: int, lightness: Float, ab: Float) -> Float:
        """The ab (h, w, 2) of the frame at a tick, for L* (h, w) and the network's ab."""
        at = max(0, bisect.bisect_right(self._begins, pts) - 1)
        if at != self._at:
            self.close()
            self._at = at
        chain = self._chains[at]
        return ab if chain is None else chain(pts, lightness, ab)

    def close(self) -> None:
        """Nothing of the source is held or open any more."""
        if (chain := self._chains[self._at]) is not None:
            chain.close()


def of_shots(
    takes: Sequence[Take], pictures: Pictures, model: Callable[[Take], Model]
) -> Steered | None:
    """What steers shots; None where nothing does. model: what colors a shot. Raises SourceError for
    a still that cannot be used, StoppedError."""
    if not any(take.still is not None and take.look.action == "color" for take in takes):
        return None
    return Steered({take.begin: of_take(take, pictures, model) for take in takes})


def of_take(take: Take, pictures: Pictures, model: Callable[[Take], Model]) -> StillChain | None:
    """What steers a shot, None for nothing. Raises what `of_shots` does."""
    still = take.still
    if still is None or take.look.action != "color":
        return None
    own = model(take)
    seen = pictures.light(still, own.size)
    [ab] = own.predict(seen[None])
    rgb = _cropped(reference.read(still), pictures.size, pictures.region)
    try:
        steering = Steering(rgb, seen, ab)
    except ValueError as error:
        raise SourceError(f"{still.path}: {error}") from error
    return StillChain(steering, pictures.between(still, own.size), still.pts, pictures.step)


# --- films -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FilmPictures:
    """Of a film. sought: whether what is read does not depend on where reading begins
    (`Passed.seekable`)."""

    plan: FilmPlan
    stop: Callable[[], bool] = lambda: False
    sought: bool = True

    @property
    def size(self) -> tuple[int, int]:
        return self.plan.film.video.size

    @property
    def region(self) -> Region | None:
        return self.plan.region

    @property
    def step(self) -> Fraction:
        return STEP / self.plan.film.video.time_base

    def light(self, still: Still, size: tuple[int, int]) -> Float:
        with contextlib.closing(self.frames(still.pts)) as frames:
            frame = next(frames, None)
        if frame is None or frame.pts != still.pts:
            raise SourceError(f"{still.path}: the film does not show its frame any more")
        return film_frames.lightness(frame.planes, self.plan, size)

    def between(self, still: Still, size: tuple[int, int]) -> Between:
        return _OfFilm(self, still.pts, size)

    def frames(self, start: int) -> Generator[Frame, None, None]:
        """Those from a tick on."""
        with self.plan.footage.frames(start if self.sought else None) as reading:
            for frame in reading:
                if self.stop():
                    raise StoppedError
                if frame.pts >= start:
                    yield frame


@dataclass(frozen=True)
class _OfFilm:
    """Frames before and behind one at a tick; those that are damaged are passed over."""

    pictures: FilmPictures
    at: int
    size: tuple[int, int]

    def before(self, first: int) -> Iterator[tuple[int, Float]]:
        found: list[tuple[int, Float]] = []
        held: Frame | None = None  # the last one of its step so far
        start = max(first, math.ceil(self.at - (REACH + 1) * self.pictures.step))
        with contextlib.closing(self.pictures.frames(start)) as frames:
            for frame in frames:
                if self._step(frame) == 0:
                    break
                if not frame.corrupt:
                    if held is not None and self._step(held) != self._step(frame):
                        found.append(self._seen(held))
                    held = frame
        return reversed(found if held is None else [*found, self._seen(held)])

    def behind(self) -> Generator[tuple[int, Float], None, None]:
        last = 0
        with contextlib.closing(self.pictures.frames(self.at)) as frames:
            for frame in frames:
                step = self._step(frame)
                if step > REACH:
                    break
                if step > last and not frame.corrupt:
                    last = step
                    yield self._seen(frame)

    def _step(self, frame: Frame) -> int:
        return steps_away(frame.pts, self.at, self.pictures.step)

    def _seen(self, frame: Frame) -> tuple[int, Float]:
        return frame.pts, film_frames.lightness(frame.planes, self.pictures.plan, self.size)


def _cropped(rgb: Codes, size: tuple[int, int], region: Region | None) -> Codes:
    """The region of a still of the whole picture, of whatever size."""
    if region is None:
        return rgb
    whole = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(region.of(np.asarray(whole)))
