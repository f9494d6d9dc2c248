"""The proof that a clip's luma is the source's: every frame of both, decoded and compared.

Flows in: a plan and finished results. Flows out: a `Proof`. Of a film Y' planes are compared, and
listed by MD5 in the form of `ffmpeg -f framemd5`, so that anyone can make and compare the same
without us. RGB has no Y' plane: there it is computed, of the source by the matrix of the result.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from colorbatch import ffmpeg
from colorbatch.clips import film_frames, film_plan, numbered_frame, numbered_plan
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.numbered_plan import FramePlan, ours
from colorbatch.color import Codes, Float
from colorbatch.color.chroma import coded_luma_of_rgb
from colorbatch.errors import SourceError, StoppedError, TargetError, one_line
from colorbatch.ffmpeg import Film, Planes
from colorbatch.formats.registry import FORMATS, adapter
from colorbatch.fs import atomic
from colorbatch.fs.atomic import reachable
from colorbatch.job import Job
from colorbatch.journal.results import Journals
from colorbatch.run import pipeline

SOURCE_LIST, RESULT_LIST = ".source.framemd5", ".framemd5"
"""Added to the result's name."""
LIST_LINE = b"#software: colorbatch"
"""A line at the head of our lists; ffmpeg's have its own name there."""
ROUNDING = 0.3
"""Codes by which the luma of an RGB result may differ, because R, G and B are whole codes: half of
G's weight, 0.294 (`chroma.rgb_planes`), and float32's share at 16 bits."""


CODES, HALF, SINGLE = 0.31, 2.0**-10, 2.0**-23
"""What docs/film-sequences.md promises of frames: 0.294 of a code, with float32's share at 16 bits;
the last bit of half and of float."""


@dataclass(frozen=True)
class Proof:
    """What a comparison says. holds: whether luma is what was promised; text: in words; equal: how
    many frames it is equal in, within the limit; largest: difference, in the result's codes."""

    holds: bool
    text: str
    equal: int
    largest: float


def check_lists(target: Path) -> None:
    """See that the lists of a film can be written, before any work. Raises TargetError for names
    that are too long, and for files of these names that are not lists of ours."""
    for ending in (SOURCE_LIST, RESULT_LIST):
        path = target.with_name(target.name + ending)
        atomic.check_target(path)
        if not os.path.lexists(atomic.reachable(path)):
            continue
        try:
            with atomic.reachable(path).open("rb") as file:
                ours = LIST_LINE in file.read(200).splitlines()
        except OSError:
            ours = False
        if not ours:
            raise TargetError(f"{path}: is there already, and is no list of ours", "move it away")


def prove_luma(
    plan: FilmPlan,
    target: Path,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda frames: None,
) -> Proof:
    """Compare every Y' plane of source and result, one at a time, and write their lists beside the
    result. more: told how many frames are compared more. Raises SourceError, TargetError, and
    StoppedError, without lists, where `stop` says so."""
    check_lists(target)
    result = ffmpeg.probe(target)
    rgb = plan.made.matrix == "rgb"
    source_frames = frames = equal = 0
    largest, tolerance = 0.0, ROUNDING if rgb else 0.0
    with (
        atomic.replacing(target.with_name(target.name + SOURCE_LIST)) as source_list,
        atomic.replacing(target.with_name(target.name + RESULT_LIST)) as result_list,
        plan.footage.frames(plan.span[0]) as source_reading,
        ffmpeg.frames(result) as result_reading,
    ):
        _head(source_list, plan.film)
        _head(result_list, result)
        wanted = film_plan.within(source_reading, plan.span, plan.step)
        for before, after in itertools.zip_longest(wanted, result_reading):
            if stop():
                raise StoppedError
            more(1)
            if before is not None:
                source_frames += 1
                _line(source_list, before, _source_luma(before.planes, plan))
            if after is not None:
                frames += 1
                _line(result_list, after, _result_luma(after.planes, plan))
            if before is not None and after is not None:
                difference = _difference(before.planes, after.planes, plan)
                equal += difference <= tolerance
                largest = max(largest, difference)
    holds = source_frames == frames == equal > 0
    told = f"luma differs in {frames - equal:,} of {frames:,} frames, by up to {largest:.4g} codes"
    if source_frames != frames:
        told = f"luma differs: {source_frames:,} frames became {frames:,}"
    elif holds:
        of_rgb = " that R, G and B have" if plan.codes.matrix == "rgb" else ""
        within = f", within {tolerance:g} code" if tolerance else ""
        told = f"luma{of_rgb} is equal in all {frames:,} frames{_shifted(plan)}{within}"
    return Proof(holds, told, equal, largest)


def _shifted(plan: FilmPlan) -> str:
    """By how many bits luma is compared, where the result is deeper or less deep."""
    shift = plan.made.bits - plan.codes.bits
    if shift < 0:
        return f" after rounding to {-shift} bits less"
    return f" after a shift by {shift} bits" if shift else ""


def _source_luma(planes: Planes, plan: FilmPlan) -> Codes:
    """The Y' that is listed of the source: as it was decoded; of RGB in the result's codes."""
    return planes.luma if planes.luma is not None else film_frames.kept_luma(planes, plan)


def _result_luma(planes: Planes, plan: FilmPlan) -> Codes:
    """The Y' that is listed of the result. Raises SourceError for one of another kind."""
    if (planes.rgb is not None) != (plan.made.matrix == "rgb"):
        raise SourceError("the result is not of the planned pixel format")
    if planes.rgb is None:
        assert planes.luma is not None
        return planes.luma
    red, green, blue = planes.rgb
    return coded_luma_of_rgb(green, blue, red, plan.made)


def _difference(before: Planes, after: Planes, plan: FilmPlan) -> float:
    """The largest difference in luma of two pictures, in the codes of the result."""
    if plan.made.matrix != "rgb":
        wide = film_frames.kept_luma(before, plan).astype(np.int32)
        return float(np.abs(wide - _result_luma(after, plan)).max())
    if before.rgb is None or after.rgb is None:
        raise SourceError("the result is not of the planned pixel format")
    apart = [
        weight * (new.astype(np.float64) - film_frames.fitted(old, plan))
        for weight, old, new in zip(plan.made.weights, before.rgb, after.rgb, strict=True)
    ]
    return float(np.abs(sum(apart)).max())


def _head(file: IO[bytes], film: Film) -> None:
    height, width = film.video.size
    base = film.video.time_base
    lines = (
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        LIST_LINE.decode(),
        f"#tb 0: {base.numerator}/{base.denominator}",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        f"#dimensions 0: {width}x{height}",
        "#stream#, dts,        pts, duration,     size, hash",
    )
    file.write("".join(f"{line}\n" for line in lines).encode())


def _line(file: IO[bytes], frame: ffmpeg.Frame, luma: Codes) -> None:
    """A frame's line: its Y' row by row without padding, 16-bit codes with their low byte first."""
    data = np.ascontiguousarray(luma, luma.dtype.newbyteorder("<")).data
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    pts, size = frame.pts, luma.nbytes
    file.write(f"0, {pts:>10}, {pts:>10}, {frame.duration:>8}, {size:>8}, {digest}\n".encode())


# --- numbered frames ---------------------------------------------------------------------------


def prove_frames(
    plan: FramePlan,
    journals: Journals,
    limits: pipeline.Limits,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda frames: None,
) -> Proof:
    """Compare every frame of which there is a result in the journal with it, both read again; one
    that has none is not counted. What is held at a time is bounded by memory, as while frames are
    made. more: told how many frames are compared more. Raises StoppedError."""
    asked = plan.traits.shown.asked
    there = [job for job in plan.jobs() if reachable(job.target).exists()]
    jobs = [job for job in there if ours(job, journals)]
    kinds: set[str] = set()

    def read(job: Job) -> pipeline.Loaded[tuple[float, float, bool]]:
        before, after = (
            numbered_frame.read(job.source, asked),
            numbered_frame.read(job.target, asked),
        )
        is_float = after.scan is not None and after.scan.header.is_float
        format_ = FORMATS.get(job.target.suffix.lower())  # None for scans, which lose nothing
        lossy = format_ is not None and adapter(format_).lossy
        kinds.add("of the largest channel" if is_float else "codes")
        limit = (HALF if after.bits == 16 else SINGLE) if is_float else CODES
        found = numbered_frame.luma_difference(before, after)
        return pipeline.Loaded((found, limit, lossy), None)

    def finish(
        job: Job, held: tuple[float, float, bool], ab: Float | None
    ) -> tuple[float, float, bool]:
        return held

    largest, failed, compared, any_lossy = 0.0, [], 0, False
    cost = numbered_plan.cost(plan, more_planes=3)
    for done in pipeline.run(
        jobs, read, lambda lightness: lightness, finish, limits, stop, cost=lambda job: cost
    ):
        compared += 1
        more(1)
        if done.result is None:
            failed.append(f"{done.item.target.name}: {one_line(done.error or ValueError())}")
            continue
        difference, limit, lossy = done.result
        largest, any_lossy = max(largest, difference), any_lossy or lossy
        if difference > limit and not lossy:
            failed.append(f"{done.item.target.name} is off by {difference:.3g}, not {limit:.2g}")
    if stop():
        raise StoppedError
    within = f"within {largest:.3g} {kinds.pop() if len(kinds) == 1 else 'codes'}"
    told = f"luma of {compared:,} frames is {within}"
    if not compared:
        told = "luma is not proved: there is no result to compare"
    elif failed:
        several = f" and {len(failed) - 1:,} more" if failed[1:] else ""
        told = f"luma is not proved: {failed[0]}{several} (of {compared:,} frames)"
    elif any_lossy:
        told = f"JPEG is lossy: {told}, as both are decoded to RGB"
    if others := len(there) - len(jobs):
        told += f"; {others:,} are not as we made them"
    return Proof(compared > 0 and not failed, told, compared - len(failed), largest)
