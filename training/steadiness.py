"""How steady a model's color is: when next to nothing changes in a picture, how much does its
color? In films what does not hold still flickers.

Flows in: models, and photographs or sequences of pictures in color. Flows out: numbers in Lab
units. Models see lightness alone, each at its own size, as `evaluate` shows it to them. Two things
are measured: how far ab *moves* from pixel to pixel, and the *step* of the whole picture's mean
color, which is what an eye sees pulsing. Both are to be read beside the mean chroma that the model
predicts, as a model that colors faintly has little to move. Files of films are read elsewhere;
sequences are taken in a few frames at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch import color
from colorbatch.errors import UsageError
from training.models import BATCH, Model
from training.photographs import Photographs

Means = npt.NDArray[np.float64]
"""Mean a* and b* of whole pictures: (N, 2)."""
Rng = np.random.Generator

CHANGES = ("shift", "brightness", "grain")
"""What is done to a photograph: one pixel down and to the right, `BRIGHTER`, `GRAIN`."""
BRIGHTER = 1.05
"""Factor on encoded grey."""
GRAIN = 0.02
"""Standard deviation of the grain, in parts of the range of encoded grey."""
FLICKER = 0.02
"""Standard deviation of a frame's brightness in a pan over an old film, as a factor."""
MARGIN = 8
"""Pixels by which the square is larger that two shifted views are cut from."""
PAN_FRAMES = 24
PAN_WINDOW = 0.8
"""Side of the window that moves over a photograph, in parts of the photograph's."""
PAN_ZOOM = 0.05
"""By which part the window becomes smaller or larger from the first frame to the last."""
TRUTH = "truth"


# --- arrays in, numbers out --------------------------------------------------------------------


def moved(first: color.Float, second: color.Float) -> float:
    """Mean |d ab| from one prediction (H, W, 2) to another, over both channels, in Lab units."""
    return float(np.abs(first.astype(np.float64) - second).mean())


def mean_colors(ab: color.Float) -> Means:
    """Mean a* and b* (N, 2) of each of N whole pictures (N, H, W, 2)."""
    return np.asarray(ab.mean(axis=(1, 2), dtype=np.float64))


def steps(means: Means) -> npt.NDArray[np.float64]:
    """How far the mean color (N, 2) goes from each picture to the next, in Lab units: (N - 1,)."""
    difference = np.diff(means, axis=0)
    return np.hypot(difference[:, 0], difference[:, 1])


def chroma(ab: color.Float) -> npt.NDArray[np.float64]:
    """Mean C*ab of each of N predictions (N, H, W, 2), in Lab units: (N,)."""
    wide = ab.astype(np.float64)
    return np.asarray(np.hypot(wide[..., 0], wide[..., 1]).mean(axis=(1, 2)))


def relit(lightness: color.Float, factor: float, grain: Means | float = 0.0) -> color.Float:
    """L* in [0, 100] of a grey picture whose encoded values are multiplied, then have grain (of the
    same shape, in parts of the range) added, and are clipped; any shape, float32."""
    encoded = color.grey_of_lightness(lightness) * factor + grain
    return color.lightness(color.to_codes(np.clip(encoded, 0, 1), np.uint16))


def with_grain(lightness: color.Float, rng: Rng, factor: float = 1.0) -> color.Float:
    """`relit` with Gaussian grain of `GRAIN`."""
    return relit(lightness, factor, rng.normal(0, GRAIN, lightness.shape))


# --- photographs, changed a little -------------------------------------------------------------


@dataclass(frozen=True)
class Reduced:
    """A photograph as a model of one size sees it, uint8: squeezed to the square (S, S, 3), and to
    one that is larger by `MARGIN`, from which shifted views are cut."""

    whole: color.Codes
    larger: color.Codes


def reduced(rgb: color.Codes, size: tuple[int, int]) -> Reduced:
    """A photograph (H, W, 3), uint8, for a model of `size`."""
    larger = (size[0] + MARGIN, size[1] + MARGIN)
    return Reduced(color.resize_area(rgb, size), color.resize_area(rgb, larger))


def changed(picture: Reduced, rng: Rng) -> color.Float:
    """L* (5, S, S) in [0, 100]: the picture as it is, brighter, with grain; then two views of the
    larger one, the second a pixel further down and to the right."""
    lightness = color.rgb_to_lab(picture.whole)[..., 0]
    height, width = lightness.shape
    wide = color.rgb_to_lab(picture.larger)[..., 0]
    views = [lightness, relit(lightness, BRIGHTER), with_grain(lightness, rng)]
    return np.stack([*views, wide[:height, :width], wide[1 : height + 1, 1 : width + 1]])


@dataclass(frozen=True)
class Movement:
    """What one change did to the color, in Lab units. ab: `moved`; step: that of the mean color."""

    ab: float
    step: float


def movement(first: color.Float, second: color.Float) -> Movement:
    """From one prediction (H, W, 2) to another of the same pixels."""
    [step] = steps(mean_colors(np.stack([first, second])))
    return Movement(moved(first, second), float(step))


def movements(ab: color.Float) -> dict[str, Movement]:
    """What each of `CHANGES` did, from the predictions (5, S, S, 2) for `changed`. The shift is
    undone: what both views show is compared."""
    plain, brighter, grained, here, there = ab
    pairs = ((here[1:, 1:], there[:-1, :-1]), (plain, brighter), (plain, grained))
    return {name: movement(*pair) for name, pair in zip(CHANGES, pairs, strict=True)}


@dataclass(frozen=True)
class Sway:
    """A model on photographs, means over them: `changes` by name; `chroma`: of the unchanged."""

    chroma: float
    changes: Mapping[str, Movement]

    @property
    def mean(self) -> Movement:
        """Over all changes."""
        return mean_movement(list(self.changes.values()))


def mean_movement(found: Sequence[Movement]) -> Movement:
    """The mean of both numbers."""
    return Movement(
        float(np.mean([one.ab for one in found])), float(np.mean([one.step for one in found]))
    )


def on_photographs(models: Sequence[Model], photographs: Photographs, seed: int) -> dict[str, Sway]:
    """Every model by name. Raises UsageError if no photograph is in color."""
    sizes = {model.size for model in models}
    chromas: dict[str, list[float]] = {model.name: [] for model in models}
    found: dict[str, list[dict[str, Movement]]] = {model.name: [] for model in models}
    seen = photographs.map(lambda rgb: {size: reduced(rgb, size) for size in sizes})
    for number, (_, pictures) in enumerate(seen):
        views = {
            size: changed(picture, np.random.default_rng((seed, number)))
            for size, picture in pictures.items()
        }
        for model in models:
            ab = model.chroma_of(views[model.size])
            chromas[model.name].append(float(chroma(ab[:1])[0]))
            found[model.name].append(movements(ab))
    if not all(found.values()):
        raise UsageError(f"no color photographs in {photographs.folder}")
    return {
        name: Sway(
            float(np.mean(chromas[name])),
            {change: mean_movement([one[change] for one in rows]) for change in CHANGES},
        )
        for name, rows in found.items()
    }


# --- sequences ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """A sequence's color, frame by frame, in Lab units: `step`: mean over frames of the step of the
    whole picture's mean color; `worst`: the largest; `chroma`: mean over frames."""

    step: float
    worst: float
    chroma: float


def course(means: Means, chromas: Sequence[float]) -> Course:
    """Of the mean colors (N, 2) and the mean chroma of N >= 2 frames."""
    found = steps(means)
    return Course(float(found.mean()), float(found.max()), float(np.mean(chromas)))


def mean_course(courses: Sequence[Course]) -> Course:
    """Mean step and mean chroma over sequences, each counting the same; the worst step of all."""
    return Course(
        float(np.mean([one.step for one in courses])),
        max(one.worst for one in courses),
        float(np.mean([one.chroma for one in courses])),
    )


Disturb = Callable[[color.Float, int], color.Float]
"""L* (S, S) of a frame and its number to the L* that models see instead."""


def courses(
    models: Sequence[Model], frames: Iterable[color.Codes], disturb: Disturb | None = None
) -> dict[str, Course]:
    """Every model by name, and TRUTH, on frames (H, W, 3), uint8, in color, of which models see the
    lightness; the truth is never disturbed. Raises UsageError for fewer than two frames."""
    sizes = {model.size for model in models}
    largest = max(sizes)
    means: dict[str, list[Means]] = {name: [] for name in (TRUTH, *(m.name for m in models))}
    chromas: dict[str, list[float]] = {name: [] for name in means}

    def add(name: str, ab: color.Float) -> None:
        means[name].append(mean_colors(ab))
        chromas[name].extend(chroma(ab).tolist())

    count, stream = 0, iter(frames)
    while batch := list(itertools.islice(stream, BATCH)):
        seen: dict[tuple[int, int], color.Float] = {}
        for size in sizes:
            lab = np.stack([color.rgb_to_lab(color.resize_area(rgb, size)) for rgb in batch])
            if size == largest:
                add(TRUTH, lab[..., 1:])
            seen[size] = lab[..., 0]
            if disturb is not None:
                numbered = enumerate(lab[..., 0], count)
                seen[size] = np.stack([disturb(view, number) for number, view in numbered])
        for model in models:
            add(model.name, model.chroma_of(seen[model.size]))
        count += len(batch)
    if count < 2:
        raise UsageError("steps need a sequence of at least two frames")
    return {name: course(np.concatenate(means[name]), chromas[name]) for name in means}


def pan(rgb: color.Codes, side: int, rng: Rng) -> Iterator[color.Codes]:
    """A camera's pan and slow zoom over a photograph (H, W, 3), uint8: PAN_FRAMES frames
    (2 side, 2 side, 3), to be halved by area, so that places between pixels blur them all alike.

    The window goes through the middle, in a drawn direction, from where it touches an edge to the
    opposite one: at 256 pixels two to four pixels a frame.
    """
    whole = round(2 * side / PAN_WINDOW)
    picture = color.resize_area(rgb, (whole, whole))
    angle = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    narrowing = 1 - PAN_ZOOM * np.linspace(0, 1, PAN_FRAMES)
    if rng.random() < 0.5:
        narrowing = narrowing[::-1]
    reach = (1 - PAN_WINDOW) / 2 * whole
    for position, narrow in zip(np.linspace(-1, 1, PAN_FRAMES), narrowing, strict=True):
        center = (whole - 1) / 2 + position * reach * direction
        corner = center - narrow * (2 * side - 1) / 2
        matrix = np.array([[narrow, 0, corner[0]], [0, narrow, corner[1]]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frame = cv2.warpAffine(
            picture, matrix, (2 * side, 2 * side), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        yield np.asarray(frame, np.uint8)


def aged(seed: int, sequence: int) -> Disturb:
    """What an old film does to frames: grain, and brightness that flickers by `FLICKER`."""

    def disturb(lightness: color.Float, number: int) -> color.Float:
        rng = np.random.default_rng((seed, sequence, number))
        return with_grain(lightness, rng, 1 + rng.normal(0, FLICKER))

    return disturb


def on_pans(
    models: Sequence[Model], photographs: Photographs, seed: int, *, old: bool = False
) -> dict[str, list[Course]]:
    """Every model by name, and TRUTH, on a pan over each photograph; `old`: with `aged` lightness.
    Raises UsageError if no photograph is in color."""
    side = max(max(model.size) for model in models)
    found: dict[str, list[Course]] = {}
    for number, (_, rgb) in enumerate(photographs):
        frames = pan(rgb, side, np.random.default_rng((seed, number)))
        for name, one in courses(models, frames, aged(seed, number) if old else None).items():
            found.setdefault(name, []).append(one)
    if not found:
        raise UsageError(f"no color photographs in {photographs.folder}")
    return found
