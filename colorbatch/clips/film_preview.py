"""A few frames of a film, made before the rest: stills to look at, and what all of it will take.

Flows in: a planned film and a maker. Flows out: pictures before and after, and a `ClipEstimate`. A
few frames are decoded, colored and encoded as the film will be; nothing of it is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips import film_frames, preview_files, sampling
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.render_film import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.color import Codes
from colorbatch.errors import SourceError
from colorbatch.ffmpeg import Frame, Planes, SegmentWriter
from colorbatch.fs import atomic

FRAMES = 3
INTRA = frozenset({"ffv1", "prores_ks", "dnxhd", "huffyuv", "ffvhuff", "utvideo", "mjpeg"})
"""Encoders that code each picture by itself: single frames tell the size of all."""


@dataclass(frozen=True)
class ClipEstimate:
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

    def to_json(self) -> dict[str, object]:
        """Plain values: bytes, seconds; None where the film does not tell how long it is."""
        known = bool(self.frames)
        return {
            "frames": self.frames,
            "bytes": self.result if known else None,
            "peak_bytes": self.peak if known else None,
            "exact": self.exact,
            "seconds": round(self.seconds, 1) if known else None,
        }


@dataclass(frozen=True, eq=False)
class FilmPair:
    """One frame before and after: sRGB codes (H, W, 3), uint8; seconds: from the film's begin."""

    seconds: Fraction
    before: Codes
    after: Codes


def pairs(one: FilmJob, maker: Maker, count: int) -> Iterator[FilmPair]:
    """`count` frames, spread over the film. Raises SourceError where there are none."""
    plan, size = one.plan, one.plan.film.video.size
    empty = True
    for frame in sampling.spread(plan.footage, count, plan.span):
        empty, after = False, _colored(frame, plan, maker)
        yield FilmPair(
            (frame.pts - plan.film.video.start) * plan.film.video.time_base,
            sampling.srgb(frame.planes, plan.codes, size),
            sampling.srgb(after, plan.made, size),
        )
    if empty:
        raise SourceError(f"{plan.film.path}: has no pictures in this part")


def write_pairs(one: FilmJob, maker: Maker, count: int, folder: Path) -> list[Path]:
    """`pairs` as PNG files TARGET-SECONDS-before.png and -after.png; targets are named with their
    suffix, so that no two films have the same stills. Raises SourceError, TargetError."""
    atomic.make_folder(folder)
    written = []
    for pair in pairs(one, maker, count):
        name = f"{one.job.target.name}-{float(pair.seconds):09.3f}"
        written += preview_files.write_pair(folder, name, pair.before, pair.after)
    return written


def estimate(one: FilmJob, maker: Maker) -> ClipEstimate:
    """Space and time for the whole film, by a few frames of it. Raises UsageError where the encoder
    refuses its settings, SourceError."""
    plan = one.plan
    frames = sorted(_spread(plan), key=lambda frame: frame.pts)
    _colored(frames[0], plan, maker)  # the first run of a model takes longer
    started = time.perf_counter()
    sample = ffmpeg.Nowhere()  # only its size is asked for: nothing is kept, in memory or on a disk
    with SegmentWriter(plan.film.path, plan.encoding, file=sample) as writer:
        # as if one followed the other: what lies between them may be more than a segment can tell
        step = max(1, frames[0].duration)
        for number, frame in enumerate(frames):
            writer.write(_colored(frame, plan, maker), number * step, step, frame.fields)
    size = sample.size
    each = (time.perf_counter() - started) / len(frames)
    count = _count(plan)
    times = count or 0
    result = size * times // len(frames)
    return ClipEstimate(count, result, each * times, plan.encoding.codec in INTRA)


def _spread(plan: FilmPlan) -> list[Frame]:
    """A few frames. Raises SourceError where there are none."""
    frames = list(sampling.spread(plan.footage, FRAMES, plan.span))
    if not frames:
        raise SourceError(f"{plan.film.path}: has no pictures in this part")
    return frames


def _count(plan: FilmPlan) -> int | None:
    """`FilmPlan.count`, of a film that is shorter than it says about as many as there are."""
    if not plan.count:
        return plan.count
    first, last = sampling.stated(plan.footage, plan.span)
    _, reached = sampling.reach(plan.footage, plan.span)
    share = (reached - first) / (last - first) if last > first else 1.0
    return max(1, round(plan.count * share))


def _colored(frame: Frame, plan: FilmPlan, maker: Maker) -> Planes:
    view = film_frames.lightness(frame.planes, plan, maker.engine.size)
    [ab] = maker.engine.predict(view[None])
    return film_frames.colored(frame.planes, ab, plan, maker.settings.saturation, frame.fields)
