"""Where a result begins: what of other streams and chapters lies in it, and by how much all moves.

Everything of a film moves by the same time, so that what was seen and heard together still is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from colorbatch.ffmpeg.encode import Segment


@dataclass(frozen=True)
class Cut:
    """The part of a film that its pictures are, in seconds; None: as far as there is anything.
    origin: the time that becomes 0."""

    start: Fraction | None
    end: Fraction | None
    origin: Fraction = Fraction(0)

    @classmethod
    def of(
        cls, segments: Sequence[Segment], cut: tuple[bool, bool], earliest: Fraction = Fraction(0)
    ) -> Cut:
        """cut: whether the pictures begin after the film's begin, and end before its end; earliest:
        when the first of the other streams begins, in seconds.

        A part begins at its first picture. A whole film keeps its times, but what stands before 0,
        where no container of ours has times that players know, moves all of it up to there."""
        first, last = segments[0], segments[-1]
        begin = first.first * first.time_base
        end = (last.last + last.last_duration) * last.time_base
        if cut[0]:
            return cls(begin, end if cut[1] else None, begin)
        return cls(None, end if cut[1] else None, min(begin, earliest, Fraction(0)))

    def has(self, time: Fraction) -> bool:
        """Whether what is shown at a time lies in it."""
        early = self.start is not None and time < self.start
        return not early and not (self.end is not None and time >= self.end)

    def shift(self, time_base: Fraction) -> int:
        """The ticks by which all times become earlier."""
        return round(self.origin / time_base)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it."""
        if self.origin >= 0:
            return ()
        return (f"all times are {float(-self.origin):.3f} s later: the source begins before 0",)

    def chapters(self, chapters: Sequence[Any]) -> list[Any]:
        """Those that reach into it, cut and moved."""
        if self.start is None and self.end is None and not self.origin:
            return list(chapters)
        found = []
        for chapter in chapters:
            base = chapter["time_base"] or Fraction(1, 1000)
            low = chapter["start"] if self.start is None else round(self.start / base)
            high = chapter["end"] if self.end is None else round(self.end / base)
            start, end = max(chapter["start"], low), min(chapter["end"], high)
            if end > start:
                zero = self.shift(base)
                moved = {"start": start - zero, "end": end - zero, "time_base": base}
                found.append({**chapter, **moved})
        return found
