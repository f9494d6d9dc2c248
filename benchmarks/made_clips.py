"""Clips in color that are made from photographs: what moves, and how it looks on old film.

Flows in: photographs (H, W, 3), sRGB, uint8, and a seed. Flows out: `Clip`: lightness as a network
sees it, and the truth that it does not see. Nothing is read or written here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch import color
from training.steadiness import FLICKER, with_grain

Rng = np.random.Generator
Frames = Iterator[tuple[color.Codes, bool]]
"""Frames (S, S, 3) of sRGB codes, uint8, each with whether it begins a shot."""

FRAMES = 60
WINDOW = 0.75
"""Side of what a camera sees of a photograph, in parts of the photograph's."""
PER_PIXEL = 2
"""Samples made for one of a frame, along each axis, and averaged: places between pixels blur all
alike."""
SHOT = 20
"""Frames of each shot of a clip with cuts."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip at the network's size. lightness: L* (N, h, w) that the network sees; truth: L*a*b*
    (N, h, w, 3) of the undisturbed frames; begins: (N,), which frames begin a shot."""

    name: str
    lightness: color.Float
    truth: color.Float
    begins: npt.NDArray[np.bool_]


# --- cameras -----------------------------------------------------------------------------------


def seen(
    photograph: color.Codes, side: int, places: Iterable[tuple[float, float, float]]
) -> Frames:
    """What a camera sees of a photograph, squeezed to a square, whose window has its middle x, y
    (from -1 to 1, where it touches the edges) and a side of `WINDOW` times the third number."""
    large = PER_PIXEL * side
    whole = round(large / WINDOW)
    picture = color.resize_area(photograph, (whole, whole))
    if photograph.shape[0] < whole or photograph.shape[1] < whole:
        picture = np.asarray(
            cv2.resize(photograph, (whole, whole), interpolation=cv2.INTER_CUBIC), np.uint8
        )
    for number, (x, y, zoom) in enumerate(places):
        slack = (whole - zoom * large) / 2
        left, top = ((whole - 1) / 2 + at * slack - zoom * (large - 1) / 2 for at in (x, y))
        matrix = np.array([[zoom, 0, left], [0, zoom, top]])
        frame = cv2.warpAffine(
            picture,
            matrix,
            (large, large),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        yield color.resize_area(np.asarray(frame, np.uint8), (side, side)), number == 0


def pan_places(count: int, rng: Rng) -> Iterator[tuple[float, float, float]]:
    """Once through the middle in a drawn direction, from edge to edge, slowest at both ends."""
    angle = rng.uniform(0, 2 * np.pi)
    for at in np.linspace(0, np.pi, count):
        yield -np.cos(at) * np.cos(angle), -np.cos(at) * np.sin(angle), 1.0


def zoom_places(count: int, rng: Rng) -> Iterator[tuple[float, float, float]]:
    """In by a third of the window, or out."""
    zooms = np.linspace(1, 0.67, count)
    for zoom in zooms if rng.random() < 0.5 else zooms[::-1]:
        yield 0.0, 0.0, float(zoom)


def still_places(count: int) -> Iterator[tuple[float, float, float]]:
    """A camera that stands."""
    return itertools.repeat((0.0, 0.0, 1.0), count)


# --- what is filmed ----------------------------------------------------------------------------


def pan(photographs: Sequence[color.Codes], side: int, rng: Rng) -> Frames:
    """A pan over one photograph."""
    return seen(photographs[0], side, pan_places(FRAMES, rng))


def zoom(photographs: Sequence[color.Codes], side: int, rng: Rng) -> Frames:
    """A zoom into or out of one photograph."""
    return seen(photographs[0], side, zoom_places(FRAMES, rng))


def cuts(photographs: Sequence[color.Codes], side: int, rng: Rng) -> Frames:
    """Pans over three photographs, cut hard."""
    for photograph in photographs[:3]:
        yield from itertools.islice(seen(photograph, side, pan_places(FRAMES, rng)), SHOT)


def passing(photographs: Sequence[color.Codes], side: int, rng: Rng) -> Frames:
    """A pan behind an upright strip of another photograph, a quarter as wide as the picture, that
    passes through it."""
    behind = seen(photographs[0], side, pan_places(FRAMES, rng))
    [(front, _)] = seen(photographs[1], side, still_places(1))
    strip = front[:, : side // 4]
    for (frame, begins), x in zip(behind, np.linspace(-side / 4, side, FRAMES), strict=True):
        mask = np.ones(strip.shape[:2], np.float32)
        yield laid(frame, strip, mask, x, 0), begins


def figure(photographs: Sequence[color.Codes], side: int, rng: Rng) -> Frames:
    """A figure, an ellipse of another photograph, that walks through a picture that stands still,
    and back."""
    [(frame, _)] = seen(photographs[0], side, still_places(1))
    [(front, _)] = seen(photographs[1], side, still_places(1))
    high, wide = side // 2, side // 4
    body = front[(side - high) // 2 :, (side - wide) // 2 :][:high, :wide]
    mask: color.Float = np.zeros((high, wide), np.float32)
    cv2.ellipse(mask, ((wide / 2, high / 2), (wide - 4, high - 4), 0), 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.float32)
    for number, at in enumerate(np.linspace(0, 2 * np.pi, FRAMES)):
        x, y = (1 - np.cos(at)) / 2 * (side - wide), side / 3 + 3 * np.sin(8 * at)
        yield laid(frame, body, mask, x, y), number == 0


def laid(
    frame: color.Codes, front: color.Codes, mask: color.Float, x: float, y: float
) -> color.Codes:
    """A picture (h, w, 3) laid over a frame with its upper left corner at x, y, between pixels;
    mask (h, w): how much of it covers, 0 to 1."""
    matrix = np.array([[1, 0, x], [0, 1, y]])
    size = frame.shape[1::-1]
    covered = cv2.warpAffine(mask, matrix, size)[..., None]
    moved = cv2.warpAffine(front, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.rint(frame + covered * (moved.astype(np.float32) - frame)), np.uint8)


Maker = Callable[[Sequence[color.Codes], int, Rng], Frames]
KINDS: dict[str, tuple[Maker, bool]] = {
    "pan": (pan, False),
    "zoom": (zoom, False),
    "old pan": (pan, True),
    "old zoom": (zoom, True),
    "cuts": (cuts, False),
    "passing": (passing, False),
    "figure": (figure, False),
    "old figure": (figure, True),
}
"""What is filmed, and whether as old film shows it: with grain of 2 % and brightness that flickers
by 2 %, which is in what the network sees and not in the truth."""
PHOTOGRAPHS = 3
"""How many photographs a clip is made of, at most."""


def made(kind: str, number: int, photographs: Sequence[color.Codes], side: int, seed: int) -> Clip:
    """The clip of one of `KINDS` from `PHOTOGRAPHS` photographs; number and seed decide paths and
    grain."""
    maker, old = KINDS[kind]
    rng = np.random.default_rng((seed, number, list(KINDS).index(kind)))
    frames, begins = zip(*maker(photographs, side, rng), strict=True)
    truth = np.stack([color.rgb_to_lab(rgb) for rgb in frames])
    lightness = truth[..., 0]
    if old:
        lightness = np.stack(
            [with_grain(one, rng, 1 + rng.normal(0, FLICKER)) for one in lightness]
        )
    return Clip(f"{kind} {number + 1}", lightness, truth, np.array(begins))
