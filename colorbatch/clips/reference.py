"""A still that somebody has corrected, and a shot that is to have its color: `Steering`.

Flows in: a corrected still of a frame, that frame's L* and the ab that a network gave it; then L*
and ab of any frame of the shot. Flows out: ab as the still has it. No models.

Where a pixel of a frame is found in the still's frame, by dense flow that is believed as the
stabiliser believes it, it gets the still's color. Far from the still's frame flow goes over others
between them, its anchors (`still_chain`). What is believed is carried to pixels beside it
of the same lightness (a coarse grid of place and lightness, as bilateral grids are: Chen, Paris and
Durand 2007, "Real-time Edge-Aware Image Processing with the Bilateral Grid"). What is found neither
here nor there (what comes into the picture, a camera that goes on) is changed as the still changed
what the network had colored alike: a grid of lightness and ab. Of what the still has nothing like,
nothing is changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.clips.shot_looks import Still
from colorbatch.clips.stabiliser import Path, Small, paths, reduced, small, small_size, warped
from colorbatch.color import Codes, Float, rgb_to_lab
from colorbatch.errors import SourceError
from colorbatch.fs import atomic

PLACE, LIGHT, AB = 10.0, 9.0, 7.0
"""Sides of the cells of both grids: pixels of small pictures, L* and units of ab."""
FEW = 1.0
"""Weight, in pixels, that a cell needs to be believed by half."""
TOLERANCE = 8.0
"""L* by which a place may differ, over 5 x 5 pixels, for a trust of 1 / e: old film flickers."""
LIKENESS = 0.6
"""Correlation of the lightness of still and frame from which on they are taken for one picture."""
FADING = 0.98
"""By which factor the trust of what comes over anchors falls with each of them: places drift."""
STRAIGHT = 0.75
"""Share of the trust over an anchor from which on the straight way is taken: on ground that comes
out behind a thing, which has been taken for this since, it finds itself again."""


def read(still: Still) -> Codes:
    """Its sRGB codes (H, W, 3), uint8. Raises SourceError for what is no picture, or is not what it
    was when the run began."""
    try:
        data = atomic.reachable(still.path).read_bytes()
    except OSError as error:
        raise SourceError(f"{still.path}: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != still.sha256:
        raise SourceError(f"{still.path}: was changed while it was used")
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if found is None:
        raise SourceError(f"{still.path}: is no picture that can be read (PNG, JPEG, TIFF, WebP)")
    return np.asarray(found[..., ::-1], np.uint8)


@dataclass(frozen=True, eq=False)
class Anchor:
    """A frame whose pixels were found in the still's frame. shift: how far each lies from there, x
    and y (h, w, 2), in pixels; trust: (h, w), 0 to 1; float32."""

    frame: Small
    shift: Float
    trust: Float


class Steering:
    """Gives frames of a shot the color of a still.

    rgb: the still, sRGB codes (H, W, 3), of the part that is colored; lightness: L* (h, w) of its
    frame at the network's size; ab: (h, w, 2) that the network gave it. Raises ValueError where
    still and frame are not one picture.
    """

    def __init__(self, rgb: Codes, lightness: Float, ab: Float) -> None:
        size = small_size((lightness.shape[0], lightness.shape[1]))
        lab = rgb_to_lab(np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)))
        frame, self._size = small(lightness, size), size
        if likeness(lab[..., 0], frame.light) < LIKENESS:
            raise ValueError("is not a picture of that frame")
        self._ab = np.ascontiguousarray(lab[..., 1:])
        own = reduced(ab, size)
        self._colors = Grid((LIGHT, AB, AB), (0, -128, -128), (100, 128, 128))
        self._colors.add(_colors(frame, own), self._ab - own, np.ones(size, np.float32))
        self.start = Anchor(frame, np.zeros((*size, 2), np.float32), np.ones(size, np.float32))
        """The still's frame itself."""

    def anchor(self, lightness: Float, before: Anchor) -> Anchor:
        """A frame of L* (h, w), over the one next to it towards the still's frame."""
        frame = small(lightness, self._size)
        path = self._path(frame, before, FADING)
        return Anchor(frame, path.places - _places(frame)[..., 1::-1], path.trust)

    def _path(self, frame: Small, anchor: Anchor, share: float = 1.0) -> Path:
        """From a frame's pixels to those of the still's frame: each over an anchor, or straight
        where that is believed by `STRAIGHT` as much. share: of the trust over the anchor that
        counts."""
        straight = _found(frame, self.start)
        if anchor is self.start:
            return straight
        over = _found(frame, anchor)
        trust = over.trust * np.float32(share)
        better = straight.trust > trust * np.float32(STRAIGHT)
        places = np.where(better[..., None], straight.places, over.places)
        return Path(places, np.where(better, straight.trust, trust))

    def __call__(self, lightness: Float, ab: Float, anchor: Anchor | None = None) -> Float:
        """The ab (h, w, 2) of a frame of the shot, for L* (h, w) and the network's ab; anchor: over
        which it is sought in the still's frame as well, None for straight only."""
        frame, own = small(lightness, self._size), reduced(ab, self._size)
        path = self._path(frame, anchor or self.start)
        trust = path.trust
        found = warped(self._ab, path.places) - own
        height, width = self._size
        near = Grid((PLACE, PLACE, LIGHT), (0, 0, 0), (height, width, 100))
        places = _places(frame)
        near.add(places, found, trust)
        beside, sure = near.at(places)
        alike, _ = self._colors.at(_colors(frame, own))
        rest = sure * beside + (1 - sure) * alike
        change = trust[..., None] * found + (1 - trust[..., None]) * rest
        size = (ab.shape[1], ab.shape[0])
        full = cv2.resize(change, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(ab + full, np.float32)


def _found(frame: Small, anchor: Anchor) -> Path:
    """From a frame's pixels to those of the still's frame, over an anchor. It is believed as much
    as the weaker of both ways: the product would fall with each anchor, also where all stands
    still."""
    path, _ = paths(anchor.frame, frame)
    trust = path.trust * _same_light(frame, anchor.frame, path.places)
    places = path.places + warped(anchor.shift, path.places)
    return Path(places, np.minimum(trust, warped(anchor.trust, path.places)))


def _same_light(frame: Small, other: Small, places: Float) -> Float:
    """How far the lightness that paths bring is a frame's own (h, w), 0 to 1: frames far from
    each other may have nothing in common, which a trust that is relative to the picture's own
    changes, as between neighbors, does not tell."""
    off = frame.light - warped(other.light, places)
    off = np.asarray(cv2.blur(off, (5, 5)), np.float32)
    return np.asarray(np.exp(-((off / TOLERANCE) ** 2)), np.float32)


def likeness(one: Float, other: Float) -> float:
    """Correlation of two pictures (h, w), small things left out; 1 where both are flat."""
    a, b = (cv2.GaussianBlur(each, (0, 0), 2.0).ravel() for each in (one, other))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if scale < len(a):  # variances below 1 L*
        return 1.0
    return float((a * b).sum()) / scale


def _places(frame: Small) -> Float:
    """Row, column and L* of each pixel (h, w, 3)."""
    height, width = frame.light.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([rows, columns, frame.light])


def _colors(frame: Small, ab: Float) -> Float:
    """L*, a and b of each pixel (h, w, 3)."""
    return np.dstack([frame.light, ab])


class Grid:
    """Means of changes of ab over a space of three coordinates, in cells.

    cells: their sides; low, high: the coordinates that it spans; those beyond are of its borders.
    """

    def __init__(
        self,
        cells: tuple[float, float, float],
        low: tuple[float, float, float],
        high: tuple[float, float, float],
    ) -> None:
        self._cells, self._low = np.array(cells, np.float32), np.array(low, np.float32)
        spans = np.ceil((np.array(high) - self._low) / self._cells).astype(int)
        self._shape = tuple(int(n) + 1 for n in spans)
        self._sums = np.zeros((*self._shape, 5), np.float32)
        """Of changes, of weights, of squared changes, and of pixels."""

    def add(self, coordinates: Float, change: Float, weight: Float) -> None:
        """Take pixels: coordinates (h, w, 3), their change (h, w, 2) and weight (h, w)."""
        at = self._position(coordinates)
        cell = np.rint(at).astype(np.int64)
        flat = np.ravel_multi_index(tuple(cell.T), self._shape)
        shares = weight.ravel()
        flat_change = change.reshape(-1, 2)
        squares = (flat_change**2).sum(axis=1)
        pixels = np.ones_like(shares)
        values = (*(flat_change.T * shares), shares, squares * shares, pixels)
        for part, value in enumerate(values):
            counted = np.bincount(flat, value, int(np.prod(self._shape)))
            self._sums[..., part] += counted.reshape(self._shape)
        for axis in range(3):  # a tent over neighbors, as `at` takes it between them
            self._sums = _smoothed(self._sums, axis)

    def at(self, coordinates: Float) -> tuple[Float, Float]:
        """The mean change (h, w, 2) at coordinates (h, w, 3), and the weight of the pixels there
        (h, w, 1), their mean. The change is smaller the less there is, and where changes differ by
        much: things that are alike there, and were changed in part, are left."""
        at = self._position(coordinates)
        low = np.minimum(at.astype(np.int64), np.array(self._shape) - 2)
        share = at - low
        table = self._sums.reshape(-1, 5)
        strides = (self._shape[1] * self._shape[2], self._shape[2], 1)
        base = low @ np.array(strides)
        total: npt.NDArray[np.float32] = np.zeros((len(at), 5), np.float32)
        shares = np.asarray((1 - share.T, share.T), np.float32)  # of the lower and the upper cell
        for x, y, z in np.ndindex(2, 2, 2):
            step = x * strides[0] + y * strides[1] + z
            weight = shares[x, 0] * shares[y, 1] * shares[z, 2]
            total += table.take(base + step, axis=0) * weight[:, None]
        weight = total[:, 2:3] + FEW / 64
        change, sure = total[:, :2] / weight, total[:, 2:3] / (total[:, 4:] + FEW / 64)
        same = (change**2).sum(axis=1, keepdims=True)
        change *= same / np.maximum(total[:, 3:4] / weight, same + np.float32(1e-6))
        height, width = coordinates.shape[:2]
        return change.reshape(height, width, 2), sure.reshape(height, width, 1)

    def _position(self, coordinates: Float) -> Float:
        """Coordinates in cells (n, 3)."""
        at = (coordinates.reshape(-1, 3) - self._low) / self._cells
        return np.asarray(np.clip(at, 0, np.array(self._shape) - 1), np.float32)


def _smoothed(sums: Float, axis: int) -> Float:
    """1/4, 1/2, 1/4 along an axis."""
    padded = np.concatenate([sums.take([0], axis) * 0, sums, sums.take([0], axis) * 0], axis=axis)
    count = sums.shape[axis]
    before, own, after = (padded.take(range(at, at + count), axis) for at in range(3))
    return np.asarray((before + 2 * own + after) / 4, np.float32)
