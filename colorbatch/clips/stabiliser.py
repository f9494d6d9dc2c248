"""Steady color: the small chroma of a shot's frames, averaged along what moves.

Flows in: L* and predicted ab of frames in order. Flows out: ab that flickers and pumps less. It is
an `OrderedStep`; no files, no models. Held are the frames that wait, 24 at most, and a state of
some 260 kB.

A network colors each frame afresh, so that the color of large areas comes and goes in slow waves
while the scene stands still. Each pixel's ab is averaged along its path through the shot: over all
frames before it recursively (the weight of a frame falls by `Trust.memory` with each that follows),
and over the next ones, as far as `AHEAD`. Paths are those of dense optical flow of the lightness
(Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search", as in OpenCV) at `Trust.side`
pixels. A path ends where it is not to be believed: where the lightness that it brings is not that
of the pixel (an occlusion, a moving figure), where flow there and back do not agree, at the
picture's edges. As in video denoisers and in Lai et al. 2018 ("Learning Blind Video Temporal
Consistency"), trust falls with the square of the residual.

What is averaged is small; the *change* that averaging makes is enlarged and added to the ab that
came in, so that its detail stays.
"""

from __future__ import annotations

import functools
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.clips.ordered_step import MOST_AHEAD, OrderedStep
from colorbatch.color import Codes, Float
from colorbatch.job import FilmSettings

STRIDE = 12
"""Frames that are made ready at once: the later frames are averaged backward from the same last one
for all of them, which costs as many steps for each as there are frames ahead of one in the mean,
by STRIDE."""
AHEAD = MOST_AHEAD - 1
"""How many later frames the first of STRIDE frames needs; the last of them needs fewer."""


@dataclass(frozen=True)
class Trust:
    """How paths are found and believed, at the size of the small pictures.

    side: the longer side of the small pictures, in pixels; memory: by which factor the weight of
    the frames before falls with each frame; tolerance: residual of L* at which trust has fallen to
    1 / e; window: side of the square over which squared residuals are averaged; agree: how far
    flow there and back may end from where it began, in pixels, for a trust of 1 / e.
    """

    side: int = 128
    memory: float = 0.97
    tolerance: float = 6.0
    window: int = 5
    agree: float = 1.5


TRUST = Trust()


# --- one step from a frame to its neighbor -----------------------------------------------------


@dataclass(frozen=True, eq=False)
class Small:
    """A frame at `Trust.side`. light: L* (h, w), float32; codes: the same, 0 to 255, uint8, which
    flow is found in."""

    light: Float
    codes: Codes


@dataclass(frozen=True, eq=False)
class Path:
    """From a frame's pixels to those of a neighbor. places: x, y (h, w, 2) there, float32; trust:
    (h, w), 0 (another thing) to 1."""

    places: Float
    trust: Float


@dataclass(frozen=True, eq=False)
class Average:
    """ab (h, w, 2) averaged along paths that end in a frame, and of how many frames' weight (h, w),
    1 or more; float32."""

    ab: Float
    weight: Float


def small_size(size: tuple[int, int], rule: Trust = TRUST) -> tuple[int, int]:
    """The size of small pictures for a network of `size`, (h, w): never larger."""
    scale = min(1.0, rule.side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def small(lightness: Float, size: tuple[int, int]) -> Small:
    """L* (H, W) in [0, 100] at `size`."""
    light = reduced(lightness, size)
    return Small(light, np.asarray(cv2.convertScaleAbs(light, alpha=2.55), np.uint8))


def reduced(picture: Float, size: tuple[int, int]) -> Float:
    """(H, W) or (H, W, 2) to `size`, averaged by area."""
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def paths(before: Small, after: Small, rule: Trust = TRUST) -> tuple[Path, Path]:
    """From the later frame's pixels back to the earlier one's, and from the earlier one's on."""
    back, on = _flow(after.codes, before.codes), _flow(before.codes, after.codes)
    return _path(after, before, back, on, rule), _path(before, after, on, back, rule)


def _flow(start: Codes, end: Codes) -> Float:
    """How far each pixel of `start` has gone in `end`, x and y (h, w, 2), in pixels."""
    if min(start.shape) < SMALLEST:
        return np.zeros((*start.shape, 2), np.float32)
    flow = _search().calc(start, end, None)  # type: ignore[call-overload]
    return np.asarray(flow, np.float32)


SMALLEST = 16
"""Pictures with a shorter side than this have no room for the search's blocks: no motion then."""


def _search() -> cv2.DISOpticalFlow:
    """The quickest preset stops at a quarter of the size, which mixes what moves with what is
    behind it."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(1)
    search.setGradientDescentIterations(6)
    search.setVariationalRefinementIterations(3)
    return search


@functools.lru_cache(maxsize=4)
def _grid(size: tuple[int, int]) -> Float:
    """Each pixel's own x and y, (h, w, 2)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def _path(start: Small, end: Small, flow: Float, returning: Float, rule: Trust) -> Path:
    """One path and its trust.

    The median of the residuals is the change of the whole picture's light, and the median of their
    squares is grain: neither says that something is another thing.
    """
    height, width = start.light.shape
    places = _grid((height, width)) + flow
    residual = start.light - warped(end.light, places)
    residual -= np.median(residual[::SPARSE, ::SPARSE])
    window = (rule.window, rule.window)
    doubt = np.asarray(cv2.sqrBoxFilter(residual, cv2.CV_32F, window), np.float32)
    grain = np.median(doubt[::SPARSE, ::SPARSE])
    np.maximum(doubt - np.float32(2 * grain), 0, out=doubt)
    doubt *= np.float32(1 / rule.tolerance**2)
    astray = flow + warped(returning, places)
    astray *= np.float32(1 / rule.agree)
    doubt += np.einsum("ijk,ijk->ij", astray, astray)
    inside = cv2.inRange(places, (-0.5, -0.5), (width - 0.5, height - 0.5))
    trust = np.asarray(cv2.exp(-doubt), np.float32)
    trust *= inside != 0
    return Path(places, trust)


SPARSE = 3
"""Medians are of every third pixel of every third row."""


def warped(picture: Float, places: Float, how: int = cv2.INTER_LINEAR) -> Float:
    """(h, w) or (h, w, 2) fetched from x, y (h, w, 2); how: what is taken between pixels."""
    edge = cv2.BORDER_REPLICATE
    fetched = cv2.remap(picture, places, None, how, borderMode=edge)  # type: ignore[call-overload]
    return np.asarray(fetched, np.float32)


def averaged(ab: Float, along: Path, so_far: Average, rule: Trust = TRUST) -> Average:
    """ab (h, w, 2) of a frame with what was averaged up to its neighbor.

    The average is fetched cubically: linearly, each step would blur it a little more.
    """
    mean = warped(so_far.ab, along.places, cv2.INTER_CUBIC)
    weight = warped(so_far.weight, along.places)
    weight *= along.trust
    weight *= np.float32(rule.memory)
    total = 1 + weight
    weight /= total
    mean -= ab
    mean *= weight[..., None]
    mean += ab
    return Average(mean, total)


def alone(ab: Float) -> Average:
    """A frame's own ab (h, w, 2), as the first of a path."""
    return Average(ab, np.ones(ab.shape[:2], np.float32))


def change(ab: Float, before: Average, after: Average) -> Float:
    """What is to be added to a frame's small ab (h, w, 2) for the mean of both averages, which both
    have the frame itself in them."""
    past, coming = (one.weight[..., None] for one in (before, after))
    return np.asarray(
        (past * (before.ab - ab) + coming * (after.ab - ab)) / (past + coming - 1), np.float32
    )


# --- the step ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a shot up to a frame. frames: how many there were, modulo STRIDE; last: the
    last of them; average: up to it."""

    frames: int
    last: Small
    average: Average


@dataclass(eq=False)
class Waiting:
    """A frame that is not ready. own: its ab as it came; ab: the same, small; before: the average
    up to it; on: the path to the next frame, once there is one."""

    own: Float
    ab: Float
    before: Average
    on: Path | None = None


class Stabiliser:
    """An `OrderedStep` that steadies color within shots. stability: how much of the change is made,
    0 (none: ab goes through as it is) to 1 (all). Raises ValueError for another number."""

    def __init__(self, stability: float = 1.0, rule: Trust = TRUST) -> None:
        if not 0 <= stability <= 1:
            raise ValueError(f"stability is {stability}, not 0 to 1")
        self._stability, self._rule = np.float32(stability), rule
        self._known: Known | None = None
        self._marked: tuple[Known | None] | None = None
        self._waiting: deque[Waiting] = deque()

    @property
    def ahead(self) -> int:
        """AHEAD, or none if nothing is changed."""
        return AHEAD if self._stability else 0

    def add(self, lightness: Float, ab: Float, begins: bool) -> list[Float]:
        """See `OrderedStep`."""
        if not self._stability:
            return [ab]
        size = small_size((lightness.shape[0], lightness.shape[1]), self._rule)
        seen, small_ab = small(lightness, size), reduced(ab, size)
        known, ready = self._known, []
        if begins or known is None or known.last.light.shape != size:
            ready = self.end()
            self._known = Known(1 % STRIDE, seen, alone(small_ab))
        else:
            back, on = paths(known.last, seen, self._rule)
            average = averaged(small_ab, back, known.average, self._rule)
            if self._waiting:
                self._waiting[-1].on = on
            self._known = Known((known.frames + 1) % STRIDE, seen, average)
        self._waiting.append(Waiting(ab, small_ab, self._known.average))
        first = self._first()
        if len(self._waiting) == AHEAD + 1 - first:
            ready += self._made(STRIDE - first)
        return ready

    def mark(self) -> None:
        """See `OrderedStep`."""
        self._marked = (self._known,)

    def end(self) -> list[Float]:
        """See `OrderedStep`."""
        ready = []
        while self._waiting:
            ready += self._made(STRIDE - self._first())
        return ready

    def _first(self) -> int:
        """Which of its STRIDE the first frame that waits is: 0, but behind a restored state."""
        assert self._known is not None
        return (self._known.frames - len(self._waiting)) % STRIDE

    def _made(self, count: int) -> list[Float]:
        """The ab of the first frames that wait, averaged backward from the last one."""
        after: Average | None = None
        made: list[Float] = []
        for number, frame in reversed(list(enumerate(self._waiting))):
            if after is None:
                after = alone(frame.ab)
            else:
                assert frame.on is not None
                after = averaged(frame.ab, frame.on, after, self._rule)
            if number < count:
                made.append(self._changed(frame, after))
        for _ in made:
            self._waiting.popleft()
        return made[::-1]

    def _changed(self, frame: Waiting, after: Average) -> Float:
        """The ab of a frame, (h, w, 2)."""
        wanted = change(frame.ab, frame.before, after)
        height, width = frame.own.shape[:2]
        wanted *= self._stability
        full = cv2.resize(wanted, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.add(full, frame.own), np.float32)

    def state(self) -> bytes:
        """See `OrderedStep`."""
        return to_bytes(self._known if self._marked is None else self._marked[0])

    def restore(self, state: bytes) -> None:
        """See `OrderedStep`."""
        self._known, self._marked = from_bytes(state), None
        self._waiting.clear()


def step_of(settings: FilmSettings) -> Callable[[], OrderedStep] | None:
    """What makes the step of a film's shots, None where each frame is as the model gives it."""
    if not settings.stability:
        return None
    return functools.partial(Stabiliser, settings.stability)


# --- its state ---------------------------------------------------------------------------------

HEAD = struct.Struct("<16sIII")
"""What it is, frames, height and width; height 0: nothing is known. Behind it light, average and
weight, row by row, as little-endian float32."""
MAGIC = b"colorbatch st. 1"


def to_bytes(known: Known | None) -> bytes:
    """A state; `from_bytes` reads it."""
    if known is None:
        return HEAD.pack(MAGIC, 0, 0, 0)
    light, average = known.last.light, known.average
    head = HEAD.pack(MAGIC, known.frames, *light.shape)
    parts = (light, average.ab, average.weight)
    return head + b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)


def from_bytes(state: bytes) -> Known | None:
    """What `to_bytes` was given. Raises ValueError for bytes that it did not make."""
    if len(state) < HEAD.size:
        raise ValueError("no state of the stabiliser: too short")
    magic, frames, height, width = HEAD.unpack_from(state)
    if magic != MAGIC or frames >= STRIDE:
        raise ValueError("no state of the stabiliser")
    if len(state) != HEAD.size + 16 * height * width or (height == 0) != (width == 0):
        raise ValueError("no state of the stabiliser: not of its length")
    if height == 0:
        return None
    planes: npt.NDArray[np.float32] = np.frombuffer(state, "<f4", offset=HEAD.size)
    if not np.isfinite(planes).all():
        raise ValueError("no state of the stabiliser: not all of it is numbers")
    light, ab, weight = np.split(planes.astype(np.float32), [height * width, 3 * height * width])
    light = light.reshape(height, width)
    seen = Small(light, np.asarray(cv2.convertScaleAbs(light, alpha=2.55), np.uint8))
    size = (height, width)
    return Known(frames, seen, Average(ab.reshape(*size, 2), weight.reshape(size)))
