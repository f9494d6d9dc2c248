"""The proof that frames have the luma of their sources: both read again and compared.

Flows in: a sequence, its results and their journal. Flows out: a `FrameProof`. What is held at a
time is bounded by memory, as while frames are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from colorbatch.clips import numbered_frame, render_numbered
from colorbatch.clips.numbered_plan import FramePlan, ours
from colorbatch.color import Float
from colorbatch.errors import one_line
from colorbatch.formats import memory_need
from colorbatch.formats.registry import FORMATS
from colorbatch.fs.atomic import reachable
from colorbatch.job import Job
from colorbatch.journal.results import Journals
from colorbatch.run import pipeline

CODES, HALF, SINGLE = 0.31, 2.0**-10, 2.0**-23
"""What docs/film-sequences.md promises: 0.294 of a code, with float32's share at 16 bits; the last
bit of half and of float."""


@dataclass(frozen=True)
class FrameProof:
    """frames: compared; largest: difference (`numbered_frame.luma_difference`); failed: frames that
    are beyond the limit or cannot be compared, in words; others: results that were left out, as
    they are not ours or were changed since."""

    frames: int
    largest: float
    failed: tuple[str, ...]
    unit: str
    lossy: bool = False
    others: int = 0

    @property
    def holds(self) -> bool:
        """Whether luma is what was promised."""
        return self.frames > 0 and not self.failed

    @property
    def text(self) -> str:
        """In words."""
        return self._told + (f"; {self.others:,} are not as we made them" if self.others else "")

    @property
    def _told(self) -> str:
        if not self.frames:
            return "luma is not proved: there is no result to compare"
        if self.failed:
            more = f" and {len(self.failed) - 1:,} more" if self.failed[1:] else ""
            return f"luma is not proved: {self.failed[0]}{more} (of {self.frames:,} frames)"
        if self.lossy:
            return (
                f"JPEG is lossy: luma of {self.frames:,} frames is within {self.largest:.3g} "
                f"{self.unit}, as both are decoded to RGB"
            )
        return f"luma of {self.frames:,} frames is within {self.largest:.3g} {self.unit}"


def prove_frames(
    plan: FramePlan,
    journals: Journals,
    limits: pipeline.Limits,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda frames: None,
) -> FrameProof:
    """Compare every frame of which there is a result in the journal with it; one that has none is
    not counted. more: told how many frames are compared more."""
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
        lossy = FORMATS.get(job.target.suffix.lower()) == "JPEG"
        kinds.add("of the largest channel" if is_float else "codes")
        limit = (HALF if after.bits == 16 else SINGLE) if is_float else CODES
        found = numbered_frame.luma_difference(before, after)
        return pipeline.Loaded((found, limit, lossy), None)

    def finish(
        job: Job, held: tuple[float, float, bool], ab: Float | None
    ) -> tuple[float, float, bool]:
        return held

    largest, failed, compared, any_lossy = 0.0, [], 0, False
    cost = _cost(plan)
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
    unit = kinds.pop() if len(kinds) == 1 else "codes"
    others = len(there) - len(jobs)
    return FrameProof(compared, largest, tuple(failed), unit, any_lossy, others)


def _cost(plan: FramePlan) -> int:
    """Bytes that a frame and its result take while they are compared."""
    height, width = plan.traits.size
    each = render_numbered.PIXEL_BYTES * -(-plan.traits.bits // 8) + 6 * 8
    return height * width * each + memory_need.PICTURE_BYTES
