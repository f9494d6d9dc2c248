"""A part of a film: what of other streams and chapters lies in it, and by how much it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from colorbatch.ffmpeg.encode import Segment


@dataclass(frozen=True)
class Cut:
    """The part of a film that its pictures are, in seconds; None: as far as there is anything."""

    start: Fraction | None
    end: Fraction | None

    @classmethod
    def of(cls, segments: Sequence[Segment], cut: tuple[bool, bool]) -> Cut:
        first, last = segments[0], segments[-1]
        end = (last.last + last.last_duration) * last.time_base
        return cls(first.first * first.time_base if cut[0] else None, end if cut[1] else None)

    def has(self, time: Fraction) -> bool:
        """Whether what is shown at a time lies in it."""
        early = self.start is not None and time < self.start
        return not early and not (self.end is not None and time >= self.end)

    def shift(self, time_base: Fraction) -> int:
        """The ticks by which all times become earlier."""
        return round((self.start or 0) / time_base)

    def chapters(self, chapters: Sequence[Any]) -> list[Any]:
        """Those that reach into it, cut and moved."""
        if self.start is None and self.end is None:
            return list(chapters)
        found = []
        for chapter in chapters:
            base = chapter["time_base"] or Fraction(1, 1000)
            low = 0 if self.start is None else round(self.start / base)
            high = chapter["end"] if self.end is None else round(self.end / base)
            start, end = max(chapter["start"], low), min(chapter["end"], high)
            if end > start:
                moved = {"start": start - low, "end": end - low, "time_base": base}
                found.append({**chapter, **moved})
        return found
