"""From frame to frame of a shot to the one that a corrected still shows: `StillChain`.

Flows in: a `Steering`, what gives frames between the still's and another, L* and ab of frames in
order. Flows out: their ab as the still has it. Held are one anchor behind the still's frame, and
before it those of the frames that are still to come, 22 MB at most.

Dense flow finds little over many frames: things have gone too far, or have turned. So it goes over
anchors, one in each step of a grid of time that begins at the still's frame: from each to the next
one, and straight from the still's frame, whichever is believed more there. They are frames of the
source and nothing else, at places that depend on nothing but the still's frame; so a frame's color
is the same in whichever segment it is made, after whichever kill.
"""

from __future__ import annotations

import bisect
from collections.abc import Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from colorbatch.clips.reference import Anchor, Steering
from colorbatch.color import Float

STEP = Fraction(1, 4)
"""Seconds from one anchor to the next."""
FRAMES = Fraction(6)
"""The same in numbered frames: no result depends on the rate of a sequence."""
REACH = 80
"""Steps from the still's frame on, behind which each frame is found straight again: what a segment
far from there decodes in addition has an end."""


class Between(Protocol):
    """Gives ticks and L* (h, w) of frames of the grid: of each step the one nearest to the still's
    frame, none where there is none that can be seen."""

    def before(self, first: int) -> Iterator[tuple[int, Float]]:
        """Those from the still's frame back to the tick `first`, which is theirs at the least."""

    def behind(self) -> Generator[tuple[int, Float], None, None]:
        """Those behind the still's frame, as far as `REACH`; read while they are asked for."""


class StillChain:
    """Gives frames of a shot the color of a still. at: the tick of its frame; step: `STEP` in
    ticks. Frames are asked for in order; what is asked for again is made anew."""

    def __init__(self, steering: Steering, between: Between, at: int, step: Fraction) -> None:
        self._steering, self._between = steering, between
        self._at, self._step = at, step
        self._behind: Generator[tuple[int, Float], None, None] | None = None
        self.close()

    def close(self) -> None:
        """Nothing is held or open any more."""
        if self._behind is not None:
            self._behind.close()
        self._last: int | None = None
        self._before: list[tuple[int, Anchor]] | None = None
        self._behind = None
        self._next: tuple[int, Float] | None = None
        self._anchor = self._steering.start

    def __call__(self, pts: int, lightness: Float, ab: Float) -> Float:
        """The ab (h, w, 2) of the frame at a tick, for L* (h, w) and the network's ab."""
        if self._last is not None and pts < self._last:
            self.close()
        self._last = pts
        anchor = self._steering.start
        if steps_away(pts, self._at, self._step) <= REACH:
            anchor = self._of_before(pts) if pts < self._at else self._of_behind(pts)
        return self._steering(lightness, ab, anchor)

    def _of_before(self, pts: int) -> Anchor:
        """The next one in time."""
        if self._before is None:
            self._before, anchor = [], self._steering.start
            for tick, lightness in self._between.before(pts):
                anchor = self._steering.anchor(lightness, anchor)
                self._before.append((tick, anchor))
        while self._before and self._before[-1][0] < pts:
            self._before.pop()
        return self._before[-1][1] if self._before else self._steering.start

    def _of_behind(self, pts: int) -> Anchor:
        """The last one in time."""
        if self._behind is None:
            self._behind = self._between.behind()
            self._next = next(self._behind, None)
        while self._next is not None and self._next[0] <= pts:
            self._anchor = self._steering.anchor(self._next[1], self._anchor)
            self._next = next(self._behind, None)
        return self._anchor


def steps_away(pts: int, at: int, step: Fraction) -> int:
    """In which step of the grid a tick is, counted from the still's frame, 0 or more."""
    return abs(pts - at) // step


def of_numbers(numbers: Sequence[int], at: int) -> tuple[list[int], list[int]]:
    """Of the numbers of frames, in order, those of the grid before and behind the still's, away
    from it."""
    place = bisect.bisect_left(numbers, at)
    return _of_grid(reversed(numbers[:place]), at), _of_grid(numbers[place:], at)


def _of_grid(numbers: Iterable[int], at: int) -> list[int]:
    found, last = [], 0
    for number in numbers:
        step = steps_away(number, at, FRAMES)
        if step > REACH:
            break
        if step > last:
            last = step
            found.append(number)
    return found
