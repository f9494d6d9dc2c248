"""The frames of a sequence that say how the still of a shot steers it: `FramePictures`.

Flows in: a planned sequence. Flows out: frames as a network sees them (`steering`). One is held.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction

from colorbatch.clips import numbered_frame, numbered_plan
from colorbatch.clips.numbered_plan import FramePlan
from colorbatch.clips.shot_looks import Still
from colorbatch.clips.still_chain import FRAMES, Between, of_numbers
from colorbatch.color import Float
from colorbatch.color.ycbcr import Region
from colorbatch.errors import StoppedError
from colorbatch.job import AskedTransfer


@dataclass(frozen=True)
class FramePictures:
    """Of a sequence; see `steering.Pictures`. transfer: `--transfer`."""

    plan: FramePlan
    transfer: AskedTransfer
    stop: Callable[[], bool] = lambda: False

    @property
    def size(self) -> tuple[int, int]:
        return self.plan.traits.upright

    @property
    def region(self) -> Region | None:
        return self.plan.region

    @property
    def step(self) -> Fraction:
        return FRAMES

    def light(self, still: Still, size: tuple[int, int]) -> Float:
        return self.seen(still.pts, size)

    def between(self, still: Still, size: tuple[int, int]) -> Between:
        return _OfFrames(self, still.pts, size)

    def seen(self, number: int, size: tuple[int, int]) -> Float:
        """L* (h, w) of a frame."""
        frame = numbered_plan.frame_at(self.plan, self.plan.sequence.path(number), self.transfer)
        return numbered_frame.view(frame, size, self.plan.region)


@dataclass(frozen=True)
class _OfFrames:
    """Frames before and behind one; those that cannot be seen are passed over."""

    pictures: FramePictures
    at: int
    size: tuple[int, int]

    def before(self, first: int) -> Iterator[tuple[int, Float]]:
        before, _ = of_numbers(self.pictures.plan.numbers, self.at)
        return self._seen(number for number in before if number >= first)

    def behind(self) -> Generator[tuple[int, Float], None, None]:
        return self._seen(iter(of_numbers(self.pictures.plan.numbers, self.at)[1]))

    def _seen(self, numbers: Iterator[int]) -> Generator[tuple[int, Float], None, None]:
        for number in numbers:
            if self.pictures.stop():
                raise StoppedError
            try:
                light = self.pictures.seen(number, self.size)
            except MemoryError:
                raise
            except Exception:  # of any other kind: who makes the frame tells of it
                continue
            yield number, light
