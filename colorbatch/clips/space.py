"""What clips take in space and time, told before any work.

Flows in: a film, of which a few frames are decoded, colored and encoded as all of it will be; or a
sequence, of which headers are read. Flows out: what they need, for `run.estimate`. Nothing is
written.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from colorbatch import ffmpeg, scans
from colorbatch.clips import film_journal, preview, sampling
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.numbered_plan import FrameJob
from colorbatch.clips.resume import FilmJob
from colorbatch.errors import SourceError
from colorbatch.ffmpeg import SegmentWriter
from colorbatch.formats import headers, registry, sizes
from colorbatch.inputs.numbered_files import spread
from colorbatch.job import FilmSettings
from colorbatch.model.engine import Engine
from colorbatch.run import estimate
from colorbatch.run.estimate import Amount, Need, exactly

FRAMES, HEADERS = 3, 50
"""So many frames of a film are made, and so many of a sequence are asked for their size."""


def of_film(one: FilmJob, model: Engine, settings: FilmSettings) -> Need:
    """What a film takes, by a few frames of it, beside its segments that are there already: the
    disk has two films on it while segments are joined. Where pictures depend on each other, that is
    any number of bytes up to those of single ones. seconds: of frames that are made here one after
    the other, without decoding. Nothing of a film that does not tell how long it is. Raises
    UsageError where the encoder refuses its settings, SourceError."""
    each, seconds = _of_frame(one.plan, model, settings)
    count = _count(one.plan)
    size, exact = round(each * count), ffmpeg.encoder_named(one.plan.encoding.codec).intra
    account = film_journal.read(film_journal.folder_of(one.job))
    done = sum(part.size for part in account.parts.values())
    old = estimate.size_of(one.job.target)
    stays = size - done - old
    return Need(
        one.job.target.parent,
        count,
        Amount(size * exact, size, size),
        Amount(stays * exact, stays, stays),
        Amount((size + old) * exact, size + old, size + old),
        sure=exact,
        seconds=seconds * count if count else None,
    )


def _of_frame(plan: FilmPlan, model: Engine, settings: FilmSettings) -> tuple[float, float]:
    """Bytes and seconds of a frame."""
    frames = sorted(sampling.spread(plan.footage, FRAMES, plan.span), key=lambda frame: frame.pts)
    if not frames:
        raise SourceError(f"{plan.film.path}: has no pictures in this part")
    preview.colored(frames[0], plan, model, settings)  # the first run of a model takes longer
    started = time.perf_counter()
    sample = ffmpeg.Nowhere()  # only its size is asked for: nothing is kept, in memory or on a disk
    with SegmentWriter(plan.film.path, plan.encoding, file=sample) as writer:
        # as if one followed the other: what lies between them may be more than a segment can tell
        step = max(1, frames[0].duration)
        for number, frame in enumerate(frames):
            made = preview.colored(frame, plan, model, settings)
            writer.write(made, number * step, step, frame.fields)
    return sample.size / len(frames), (time.perf_counter() - started) / len(frames)


def _count(plan: FilmPlan) -> int:
    """`FilmPlan.count`, of a film that is shorter than it says about as many as there are; 0 where
    nothing tells."""
    if not plan.count:
        return 0
    first, last = sampling.stated(plan.footage, plan.span)
    _, reached = sampling.reach(plan.footage, plan.span)
    share = (reached - first) / (last - first) if last > first else 1.0
    return max(1, round(plan.count * share))


def of_sequence(one: FrameJob, workers: int = 0, each: float | None = None) -> Need:
    """What the frames that are to do take, one for each worker at a time. each: seconds of one."""
    asked = [one.todo[index] for index in spread(range(len(one.todo)), HEADERS)]
    total = sum((_result(job.source) for job in asked), estimate.NO_BYTES)
    result = total * (1 / max(1, len(asked)))
    needs = [estimate.of_file(job.target, result) for job in one.todo]
    whole = estimate.fullest(needs, workers or os.cpu_count() or 1) if needs else total
    count = len(needs)
    seconds = None if each is None else each * count
    folder = one.plan.folder
    return Need(folder, count, result * count, whole, estimate.NO_BYTES, seconds=seconds)


def _result(path: Path) -> Amount:
    """What the result of a frame takes; nothing for one that cannot be read."""
    if not scans.is_scan(path):
        if not (pictures := headers.pictures_of(path)):
            return estimate.NO_BYTES
        format_ = registry.of_result(path.suffix, pictures[0].format)
        return Amount(*sizes.of_result(pictures, format_))
    try:
        size, exact = scans.result_bytes(path)
    except SourceError:
        return estimate.NO_BYTES
    return exactly(size) if exact else Amount(size / 1.5, size, size * 1.5)


def told_of_sequence(one: FrameJob, expected: estimate.Estimate) -> str:
    """What a sequence takes, in words."""
    return f"{len(one.todo):,} frames to do, one after the other: {expected.text}"


def told_of_film(expected: estimate.Estimate) -> str:
    """What a film takes, in words."""
    if not expected.count:
        return "how long it is, it does not tell: space and time are unknown"
    return (
        f"about {expected.count:,} frames; {expected.text}; twice that while it is joined; one "
        "frame after the other, without decoding"
    )
