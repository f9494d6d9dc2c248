"""A few frames of a film, made before the rest: stills to look at, and what all of it will take.

Flows in: a planned film and a maker. Flows out: pictures before and after, and an `Estimate`. A few
frames are decoded, colored and encoded as the film will be; nothing of it is kept.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from colorbatch import files, judging, video
from colorbatch.avio import Frame, Planes, SegmentWriter
from colorbatch.color import Codes
from colorbatch.errors import SourceError
from colorbatch.filming import FilmJob, Maker
from colorbatch.video import FilmPlan

FRAMES = 3
INTRA = frozenset({"ffv1", "prores_ks", "dnxhd", "huffyuv", "ffvhuff", "utvideo", "mjpeg"})
"""Encoders that code each picture by itself: single frames tell the size of all."""


@dataclass(frozen=True)
class Estimate:
    """What a film will take. frames: about, None if nothing tells; result: bytes of the finished
    film's pictures, at most where they depend on each other (`exact` false); seconds: of
    frames that are made here one after the other, without decoding."""

    frames: int | None
    result: int
    seconds: float
    exact: bool

    @property
    def peak(self) -> int:
        """Bytes on the disk while segments are joined: two films."""
        return 2 * self.result


@dataclass(frozen=True, eq=False)
class Pair:
    """One frame before and after: sRGB codes (H, W, 3), uint8; seconds: from the film's begin."""

    seconds: Fraction
    before: Codes
    after: Codes


def pairs(one: FilmJob, maker: Maker, count: int) -> Iterator[Pair]:
    """`count` frames, spread over the film."""
    plan, size = one.plan, one.plan.film.video.size
    for frame in judging.spread(plan.footage, count, plan.span):
        after = _colored(frame, plan, maker)
        yield Pair(
            (frame.pts - plan.film.video.start) * plan.film.video.time_base,
            judging.srgb(frame.planes, plan.codes, size),
            judging.srgb(after, plan.made, size),
        )


def write_pairs(one: FilmJob, maker: Maker, count: int, folder: Path) -> list[Path]:
    """`pairs` as PNG files NAME-SECONDS-before.png and -after.png. Raises TargetError."""
    files.make_folder(folder)
    written = []
    for pair in pairs(one, maker, count):
        for which, picture in (("before", pair.before), ("after", pair.after)):
            path = folder / f"{one.job.target.stem}-{float(pair.seconds):09.3f}-{which}.png"
            _, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
            files.write_bytes(path, data.tobytes())
            written.append(path)
    return written


def estimate(one: FilmJob, maker: Maker) -> Estimate:
    """Space and time for the whole film, by a few frames of it. Raises UsageError where the encoder
    refuses its settings, SourceError."""
    plan = one.plan
    frames = list(judging.spread(plan.footage, FRAMES, plan.span))
    if not frames:
        raise SourceError(f"{plan.film.path}: has no pictures in this part")
    _colored(frames[0], plan, maker)  # the first run of a model takes longer
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sample.{plan.encoding.segment_container}"
        with SegmentWriter(path, plan.encoding) as writer:
            for frame in frames:
                writer.write(_colored(frame, plan, maker), frame.pts, frame.duration)
        size = path.stat().st_size
    each = (time.perf_counter() - started) / len(frames)
    count = plan.count
    times = count or 0
    result = size * times // len(frames)
    return Estimate(count, result, each * times, plan.encoding.codec in INTRA)


def _colored(frame: Frame, plan: FilmPlan, maker: Maker) -> Planes:
    view = video.lightness(frame.planes, plan, maker.engine.size)
    [ab] = maker.engine.predict(view[None])
    return video.colored(frame.planes, ab, plan, maker.settings.saturation)
