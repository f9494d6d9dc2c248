"""Frames of a planned film between files and models: batches in order, what a network sees of them,
and the planes that result.

Flows in: frames, a plan, predicted ab. Flows out: batches of one segment, views, planes to encode.
No models, nothing is written. One batch is held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from colorbatch.clips import shots
from colorbatch.clips.film_plan import SHOT_SAMPLES, FilmPlan
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
    whether they lie behind the segment's end, and only those in it need their color."""

    frames: tuple[Frame, ...]
    seen: tuple[Planes, ...]
    begins: tuple[bool, ...]
    beyond: bool = False


def batches(
    frames: Iterable[Frame], most: int, cuts: Collection[int], end: int | None = None
) -> Iterator[Batch]:
    """The frames of a segment in batches of at most `most`, so that what a frame shares a batch
    with does not depend on where a run began. cuts: ticks at which shots begin; end: the tick from
    which on frames are beyond."""
    waiting: list[Frame] = []
    seen: list[Planes] = []
    good: Planes | None = None

    def batch() -> Batch:
        begins = tuple(frame.pts in cuts for frame in waiting)
        made = Batch(tuple(waiting), tuple(seen), begins, is_beyond(waiting[0]))
        waiting.clear()
        seen.clear()
        return made

    def is_beyond(frame: Frame) -> bool:
        return end is not None and frame.pts >= end

    for frame in frames:
        if waiting and (len(waiting) == most or is_beyond(frame) != is_beyond(waiting[0])):
            yield batch()
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
    alpha = None
    if plan.fit.pixels.alpha:
        full = np.full(plan.film.video.size, made.maximum, made.dtype)
        alpha = fitted(planes.alpha, plan) if planes.alpha is not None else full
    if made.matrix == "rgb":
        assert planes.rgb is not None
        red, green, blue = (fitted(plane, plan) for plane in planes.rgb)
        exact = luma_of_rgb(green, blue, red, made)
        green, blue, red = rgb_planes(exact, ab, made, saturation=saturation, region=plan.region)
        return Planes(rgb=(red, green, blue), alpha=alpha)
    luma = kept_luma(planes, plan)
    chroma = chroma_planes(luma, ab, made, saturation=saturation, region=plan.region)
    return Planes(luma=luma, chroma=chroma, alpha=alpha)


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
