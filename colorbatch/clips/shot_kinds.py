"""What a shot shows: grey, toned, tinted or in color, and whether it is a card or leader.

Flows in: a few small pictures of a shot. Flows out: a `ShotKind`. No files, no models.

Grey, toned and in color are told apart as for photographs (`color.classify`). A tint dyes the film
itself, so that its lights have the color; a tone dyes the silver, so that its lights stay white
(Read and Meyer 2000, "Restoration of Motion Picture Film", chapter 5). A network makes much of
little where there is nothing to see: a plain grey ground becomes blue. So titles and leader, thin
strokes on a plain ground or a plain ground alone, are known as `plain`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from colorbatch.color import Codes, Float, rgb_to_lab
from colorbatch.color.classify import STRONGEST_CAST, kind_of

Kind = Literal["grey", "toned", "tinted", "color"]
KINDS: tuple[str, ...] = get_args(Kind)

SAMPLES = (4, 48, 240)
"""Which frames of a shot are judged: behind a splice, and two later ones, so that a fade or a title
over a picture does not decide by itself. To judge one costs as much as to color one."""
DARKEST = 32
"""A picture without a code from here on, of 255, says nothing."""
GREY_SPREAD = 6.0
"""Codes between the largest and the smallest of R, G and B that 95 % of a grey picture's pixels
stay within; it is judged no further."""
TINTED = 0.75
"""Chroma of the lights, of that of the middle, from which a tone is a tint."""
GROUND, GROUND_SHARE = 5.0, 0.62
"""A plain ground: so much of the picture lies within so many L* of one lightness."""
STROKE, MOST_SOLID = 15, 0.03
"""Strokes are gone once a square of so many pixels (of `VIEW`) has closed and opened the picture;
what is left off the ground may cover this share of it."""
STROKES_IN_COLOR = 25.0
"""Chroma that letters in color have."""
VIEW = 192


@dataclass(frozen=True)
class ShotKind:
    """kind: of most of the pictures that show something; plain: whether it is a title or leader."""

    kind: Kind = "grey"
    plain: bool = False


def kind_of_shot(pictures: Sequence[ShotKind | None]) -> ShotKind:
    """Of a shot by what was found of its pictures, None for those that show nothing: plain where
    all are that show anything, or none shows anything."""
    found = [one for one in pictures if one is not None]
    if not found:
        return ShotKind("grey", plain=True)
    kinds = Counter(one.kind for one in found)
    return ShotKind(kinds.most_common(1)[0][0], all(one.plain for one in found))


def kind_of_picture(rgb: Codes) -> ShotKind | None:
    """Of one picture (h, w, 3), sRGB codes, uint8, about `VIEW` pixels long; None for black."""
    if rgb.max() < DARKEST:
        return None
    kind: Kind = "grey"
    lab = rgb_to_lab(rgb)
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    if np.quantile(spread, 0.95) > GREY_SPREAD:
        found = kind_of(rgb)
        kind = "tinted" if found == "toned" and is_tint(lab) else found
    plain = is_plain(lab[..., 0])
    if plain and kind in ("grey", "color"):  # thin strokes say nothing of photographs, but here
        kind = "grey" if is_faint(lab) else "color"
    return ShotKind(kind, plain)


def is_faint(lab: Float) -> bool:
    """Whether the color of a plain picture (h, w, 3) is noise: neither its ground nor any of its
    strokes has much."""
    smooth = cv2.GaussianBlur(lab[..., 1:], (0, 0), 1.2)
    chroma = np.hypot(smooth[..., 0], smooth[..., 1])
    ground = np.hypot(np.median(smooth[..., 0]), np.median(smooth[..., 1]))
    return bool(ground < STRONGEST_CAST and np.quantile(chroma, 0.98) < STROKES_IN_COLOR)


def is_tint(lab: Float) -> bool:
    """Whether the lights of a picture of one tone (h, w, 3) have its color."""
    light, chroma = lab[..., 0].ravel(), np.hypot(lab[..., 1], lab[..., 2]).ravel()
    low, high = np.quantile(light, [0.4, 0.9])
    middle = chroma[(light >= low) & (light < (low + high) / 2)]
    lights = chroma[light >= high]
    if not middle.size or not lights.size:
        return False
    return bool(np.median(lights) >= TINTED * np.median(middle))


def is_plain(lightness: Float) -> bool:
    """Whether a picture, L* (h, w), is a plain ground with thin strokes on it, or without."""
    light = cv2.GaussianBlur(lightness, (0, 0), 1.0)
    counts, edges = np.histogram(light, bins=100, range=(0, 100))
    near = np.convolve(counts, np.ones(int(GROUND)), "same")
    ground = float(edges[int(near.argmax())]) + 0.5
    off = (np.abs(light - ground) > GROUND).astype(np.uint8)
    if off.mean() > 1 - GROUND_SHARE:
        return False
    square = np.ones((STROKE, STROKE), np.uint8)
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, square)
    opened = cv2.morphologyEx(light, cv2.MORPH_OPEN, square)
    solid = (closed < ground - GROUND) | (opened > ground + GROUND)
    return bool(solid.mean() <= MOST_SOLID)
