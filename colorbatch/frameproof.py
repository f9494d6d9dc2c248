"""The proof that frames have the luma of their sources: both read again and compared.

Flows in: a sequence and its results. Flows out: a `FrameProof`. A few frames are held at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from colorbatch import frames, pipeline
from colorbatch.color import Float
from colorbatch.errors import one_line
from colorbatch.files import Job, reachable
from colorbatch.formats import FORMATS
from colorbatch.framejobs import FramePlan

CODES, HALF, SINGLE = 0.31, 2.0**-10, 2.0**-23
"""What docs/film-sequences.md promises: 0.294 of a code, with float32's share at 16 bits; the last
bit of half and of float."""


@dataclass(frozen=True)
class FrameProof:
    """frames: compared; largest: difference (`frames.luma_difference`); failed: frames that are
    beyond the limit or cannot be compared, in words."""

    frames: int
    largest: float
    failed: tuple[str, ...]
    unit: str
    lossy: bool = False

    @property
    def holds(self) -> bool:
        """Whether luma is what was promised."""
        return not self.failed

    @property
    def text(self) -> str:
        """In words."""
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
    limits: pipeline.Limits,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda frames: None,
) -> FrameProof:
    """Compare every frame of which there is a result with it; one that has none is not counted.
    more: told how many frames are compared more."""
    asked = plan.traits.shown.asked
    jobs = [job for job in plan.jobs() if reachable(job.target).exists()]
    kinds: set[str] = set()

    def read(job: Job) -> pipeline.Loaded[tuple[float, float, bool]]:
        before, after = frames.read(job.source, asked), frames.read(job.target, asked)
        is_float = after.scan is not None and after.scan.header.is_float
        lossy = FORMATS.get(job.target.suffix.lower()) == "JPEG"
        kinds.add("of the largest channel" if is_float else "codes")
        limit = (HALF if after.bits == 16 else SINGLE) if is_float else CODES
        found = frames.luma_difference(before, after)
        return pipeline.Loaded((found, limit, lossy), None)

    def finish(
        job: Job, held: tuple[float, float, bool], ab: Float | None
    ) -> tuple[float, float, bool]:
        return held

    largest, failed, compared, any_lossy = 0.0, [], 0, False
    for done in pipeline.run(jobs, read, lambda lightness: lightness, finish, limits, stop):
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
    return FrameProof(compared, largest, tuple(failed), unit, any_lossy)
