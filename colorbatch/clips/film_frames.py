"""Frames of a planned film between files and models: batches in order, what a network sees of them,
and the planes that result.

Flows in: frames, a plan, predicted ab. Flows out: batches of one segment, views, planes to encode.
No models, nothing is written. One batch is held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from colorbatch.clips import sampling, shot_kinds, shots
from colorbatch.clips.film_plan import SHOT_SAMPLES, FilmPlan
from colorbatch.clips.render import Model
from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_looks import Look
from colorbatch.color import Codes, Float, resize_area
from colorbatch.color.chroma import chroma_planes, coded_luma_of_rgb, luma_of_rgb, rgb_planes
from colorbatch.color.ycbcr import Encoding, network_lightness, resample_depth
from colorbatch.ffmpeg import Frame, Planes

BATCH_BYTES = 8 << 20
"""Samples of one batch; films with larger pictures get fewer than --batch-size at a time. 64 MiB
made a film of 1080 lines no faster on two cores, and its peak of memory half as large again. How
many batches are held at once: `segment.limits_of`."""


# --- frames ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Batch:
    """Frames of a segment, in order. seen: for each the planes whose color it gets: its own, but
    those of the last good frame where it is damaged. begins: whether a shot begins with it; beyond:
    whether they lie behind the segment's end, and only those in it need their color; passes:
    whether none of them needs the network's color; model: what colors them, None for the run's."""

    frames: tuple[Frame, ...]
    seen: tuple[Planes, ...]
    begins: tuple[bool, ...]
    beyond: bool = False
    passes: bool = False
    model: Model | None = None


def batches(
    frames: Iterable[Frame],
    most: int,
    cuts: Collection[int],
    end: int | None = None,
    passes: Callable[[int], bool] = lambda pts: False,
    model: Callable[[int], Model | None] = lambda pts: None,
) -> Iterator[Batch]:
    """The frames of a segment in batches of at most `most`, so that what a frame shares a batch
    with does not depend on where a run began. cuts: ticks at which shots begin; end: the tick from
    which on frames are beyond; passes: whether a frame at a tick needs no color of the network;
    model: what gives it that, None for the run's; asked in order."""
    waiting: list[Frame] = []
    seen: list[Planes] = []
    good: Planes | None = None

    def batch() -> Batch:
        begins = tuple(frame.pts in cuts for frame in waiting)
        made = Batch(tuple(waiting), tuple(seen), begins, *sort)
        waiting.clear()
        seen.clear()
        return made

    def sort_of(pts: int) -> tuple[bool, bool, Model | None]:
        return end is not None and pts >= end, passes(pts), model(pts)

    sort: tuple[bool, bool, Model | None] = (False, False, None)
    for frame in frames:
        own = sort_of(frame.pts)
        if waiting and (len(waiting) == most or own != sort):
            yield batch()
        sort = own
        good = frame.planes if not frame.corrupt else good
        waiting.append(frame)
        seen.append(frame.planes if good is None else good)
    if waiting:
        yield batch()


def frames_at_once(plan: FilmPlan, most: int) -> int:
    """How many frames a batch has: at most `most`, and at least one, however large."""
    return max(1, min(most, BATCH_BYTES // frame_bytes(plan)))


def frame_bytes(plan: FilmPlan) -> int:
    """Bytes of the samples of one picture of the source."""
    pixels, (height, width) = plan.film.video.pixels, plan.film.video.size
    down, across = pixels.subsampling
    more = {"gray": 0.0, "yuv": 2 / (down * across), "rgb": 2.0}[pixels.kind] + pixels.alpha
    return round(height * width * (1 + more) * (1 if pixels.depth <= 8 else 2))


# --- pictures ----------------------------------------------------------------------------------


def lightness(planes: Planes, plan: FilmPlan, size: tuple[int, int]) -> Float:
    """L* (h, w) in [0, 100], float32, of a picture of the source at the network's `size`."""
    luma = _luma(planes, replace(plan.codes, matrix=plan.made.matrix))
    return network_lightness(plan.region.of(luma) if plan.region else luma, plan.codes, size)


def shot_view(planes: Planes, plan: FilmPlan) -> Codes:
    """A picture of the source as `shots` looks at it: L* of 0 to 255 (shots.SEEN), uint8, of the
    region that is colored. Of larger pictures `SHOT_SAMPLES` per sample and axis are read."""

    def small(plane: Codes) -> Codes:
        part = plan.region.of(plane) if plan.region else plane
        down, across = (
            max(1, n // (SHOT_SAMPLES * m)) for n, m in zip(part.shape, size, strict=True)
        )
        return resize_area(np.ascontiguousarray(part[::down, ::across]), size)

    size = shots.SEEN
    if planes.luma is not None:
        luma = small(planes.luma)
    else:
        assert planes.rgb is not None
        red, green, blue = map(small, planes.rgb)
        luma = luma_of_rgb(green, blue, red, plan.codes)
    light = network_lightness(luma, plan.codes, size)
    return np.asarray(np.rint(light * np.float32(2.55)), np.uint8)


def kind_of(planes: Planes, plan: FilmPlan) -> ShotKind | None:
    """What a picture of the source shows, of the region that is colored; None for nothing."""
    part = planes if plan.region is None else _part(planes, plan)
    height, width = part.luma.shape if part.luma is not None else part.rgb[0].shape  # type: ignore[index]
    scale = min(1.0, shot_kinds.VIEW / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return shot_kinds.kind_of_picture(sampling.srgb(part, plan.codes, size))


def _part(planes: Planes, plan: FilmPlan) -> Planes:
    """The region of a picture of the source."""
    region, step = plan.region, plan.film.video.pixels.subsampling
    assert region is not None
    if planes.rgb is not None:
        red, green, blue = (region.of(plane) for plane in planes.rgb)
        return Planes(rgb=(red, green, blue))
    assert planes.luma is not None
    if planes.chroma is None:
        return Planes(luma=region.of(planes.luma))
    cb, cr = (region.of(plane, step) for plane in planes.chroma)
    return Planes(luma=region.of(planes.luma), chroma=(cb, cr))


def _luma(planes: Planes, codes: Encoding) -> Codes:
    if planes.luma is not None:
        return planes.luma
    assert planes.rgb is not None
    red, green, blue = planes.rgb
    return luma_of_rgb(green, blue, red, codes)


def colored(
    planes: Planes, ab: Float, plan: FilmPlan, saturation: float, fields: str | None = None
) -> Planes:
    """The planes of the result: Y' of the source, widened by an exact shift at most, and chroma of
    ab (h, w, 2), in Lab units. RGB gets R, G and B with the source's luma. fields: of this picture
    (`Frame.fields`), whose chroma they decide; None for the film's."""
    made = plan.made if fields is None else plan.made_as(fields)
    alpha = _alpha(planes, plan)
    if made.matrix == "rgb":
        assert planes.rgb is not None
        red, green, blue = (fitted(plane, plan) for plane in planes.rgb)
        exact = luma_of_rgb(green, blue, red, made)
        green, blue, red = rgb_planes(exact, ab, made, saturation=saturation, region=plan.region)
        return Planes(rgb=(red, green, blue), alpha=alpha)
    luma = kept_luma(planes, plan)
    chroma = chroma_planes(luma, ab, made, saturation=saturation, region=plan.region)
    return Planes(luma=luma, chroma=chroma, alpha=alpha)


def made_by(
    look: Look, frame: Frame, seen: Planes, ab: Float | None, plan: FilmPlan, saturation: float
) -> Planes:
    """The planes of the result as is said of its shot. seen: as of `kept`; ab: as of `colored`,
    where it is to be colored; saturation: of the run."""
    if look.action == "keep":
        return kept(frame.planes, seen, plan, frame.fields)
    if ab is None:
        return colored(frame.planes, NO_AB, plan, 1.0, frame.fields)
    return colored(frame.planes, ab, plan, saturation * look.saturation, frame.fields)


def kept(planes: Planes, seen: Planes, plan: FilmPlan, fields: str | None = None) -> Planes:
    """The planes of the result with the source's own chroma, in the result's form. seen: the
    picture whose chroma it is, another than `planes` for damaged ones. fields: as of `colored`."""
    if planes.luma is not None and seen.chroma is None:
        return colored(planes, NO_AB, plan, 1.0, fields)
    alpha = _alpha(planes, plan)
    if plan.made.matrix == "rgb":
        assert planes.rgb is not None
        red, green, blue = (fitted(plane, plan) for plane in planes.rgb)
        return Planes(rgb=(red, green, blue), alpha=alpha)
    luma, made = kept_luma(planes, plan), plan.made
    same = made.subsampling == plan.codes.subsampling and made.matrix == plan.codes.matrix
    if same and seen.chroma is not None:
        cb, cr = (fitted(plane, plan) for plane in seen.chroma)
        return Planes(luma=luma, chroma=(cb, cr), alpha=alpha)
    cb, cr = own_chroma(seen, plan.codes, made, plan.film.video.size)
    return Planes(luma=luma, chroma=(cb, cr), alpha=alpha)


NO_AB = np.zeros((1, 1, 2), np.float32)
"""Chroma of a grey picture."""


def own_chroma(
    planes: Planes, codes: Encoding, made: Encoding, size: tuple[int, int]
) -> tuple[Codes, Codes]:
    """Cb and Cr of a picture of `size` in another form, by what B' and R' are above Y'
    (ITU-T H.273, equations 38 to 40), averaged over the samples that share them."""
    small = made.chroma_size(size)
    span = codes.white - codes.black
    if planes.rgb is not None:
        weights = made.weights
        parts = [resize_area(np.asarray(plane, np.float32), small) / span for plane in planes.rgb]
        luma = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        above = [parts[2] - luma, parts[0] - luma]
    else:
        assert planes.chroma is not None
        kr, _, kb = codes.weights
        above = [
            2 * (1 - k) * (_resized(plane, small) - codes.neutral) / codes.chroma_span
            for plane, k in zip(planes.chroma, (kb, kr), strict=True)
        ]
    red, _, blue = made.weights
    cb, cr = (
        np.clip(np.rint(part / (2 * (1 - k)) * made.chroma_span + made.neutral), 0, made.maximum)
        for part, k in zip(above, (blue, red), strict=True)
    )
    return cb.astype(made.dtype), cr.astype(made.dtype)


def _resized(plane: Codes, size: tuple[int, int]) -> Float:
    """A plane (H, W) averaged to fewer samples or enlarged to more."""
    less = resize_area(
        np.asarray(plane, np.float32), (min(plane.shape[0], size[0]), min(plane.shape[1], size[1]))
    )
    return np.asarray(cv2.resize(less, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _alpha(planes: Planes, plan: FilmPlan) -> Codes | None:
    """What transparency the result has: the source's, all of it without one, None for no plane."""
    if not plan.fit.pixels.alpha:
        return None
    if planes.alpha is not None:
        return fitted(planes.alpha, plan)
    return np.full(plan.film.video.size, plan.made.maximum, plan.made.dtype)


def kept_luma(planes: Planes, plan: FilmPlan) -> Codes:
    """The Y' plane (H, W) that the result has to have, in its codes, for a picture of the source:
    its own, widened by an exact shift, or rounded where depth may be lost. Of RGB it is computed by
    the result's matrix, and of an RGB result rounded to codes."""
    if planes.luma is not None:
        return fitted(planes.luma, plan)
    assert planes.rgb is not None
    red, green, blue = (fitted(plane, plan) for plane in planes.rgb)
    return coded_luma_of_rgb(green, blue, red, plan.made)


def fitted(plane: Codes, plan: FilmPlan) -> Codes:
    """A plane of the source in the result's depth."""
    loss = bool(plan.fit.bits_lost)
    return resample_depth(plane, plan.codes.bits, plan.made.bits, allow_loss=loss)
