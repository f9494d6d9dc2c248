"""What the result of a numbered frame depends on beside its source: settings, its shot, the frames
over which a still steers that, and those that its color is averaged with. Plain values; no files.

Flows in: numbers of frames, shots, when files were changed. Flows out: for each frame a
`FrameRecipe`, which its record holds. So a run knows which results would be others now, and which
of them to make: an edited list makes the frames of changed shots alone, a mended frame those that
are averaged with it. The run's model has no part in a recipe: the record names the one that colored
a frame.

Frames are averaged in *stretches*: of one shot, colored, with rising numbers. A number that is
missing ends one, and so does a frame that cannot be seen: nothing is averaged over a hole in time.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from colorbatch.clips.shot_looks import Look, Take, digest_of, take_at
from colorbatch.clips.stabiliser import AHEAD, STRIDE
from colorbatch.clips.still_chain import of_numbers

BORDER = 20 * STRIDE
"""Frames of a stretch after which the state of the averaging is kept, in a file: ten seconds. A
multiple of STRIDE, so that frames are made ready in the same groups from there on."""
Stamp = tuple[int, int]
"""Size in bytes and time of change in ns."""
Change = Literal["", "settings", "source", "shot"]


@dataclass(frozen=True)
class FrameRecipe:
    """What a result depends on. settings: a digest (`FramePlan.digest`); look: what is done with
    its shot, "" for color as ever; frames: which ones it is averaged with, and over which a still
    steers it, "" for none; model: SHA-256 of the one that its shot has instead of the run's, "" for
    none."""

    settings: str
    look: str = ""
    frames: str = ""
    model: str = ""

    def __str__(self) -> str:
        """As records hold it."""
        return ":".join((self.settings, self.look, self.frames, self.model)).rstrip(":")

    @classmethod
    def of(cls, text: str) -> FrameRecipe:
        return cls(*[*text.split(":"), "", "", ""][:4])


AGAIN = "!"
"""Behind the look of a shot that was made again because a list asked for it."""


def look_of(take: Take) -> str:
    """What is done with a shot, as a recipe has it: its model stands by itself."""
    plain = replace(take.look, model="")
    look = "" if plain == Look() else digest_of(plain)
    return look + AGAIN if take.redo else look


def change(old: FrameRecipe, wanted: FrameRecipe, *, given: bool, listed: bool) -> Change:
    """What of a result is not as it is wanted now, "" for nothing: settings or source, its own or
    that of a frame that it is averaged with, which are for -y; or its shot, which is made again at
    once: because a list says so, or because a frame has come that was missing or broken. given:
    whether there is a list of somebody's; listed: whether there was one before."""
    if old.settings != wanted.settings:
        return "settings"
    same_look = wanted.look in (old.look, old.look.removesuffix(AGAIN))
    if not same_look or old.model != wanted.model:
        return "shot" if given else "settings"
    if old.frames in ("", wanted.frames):  # an earlier version averaged none: as good as it was
        return ""
    if old.frames.rpartition("-")[0] == wanted.frames.rpartition("-")[0]:
        return "source"
    return "shot" if given or not listed else "settings"


class Together:
    """Tells of frames in order which others each is averaged with, as a `Stabiliser` averages them:
    from the stretch's begin up to a later frame. `add` and `end` tell of as many frames as those of
    a Stabiliser let out."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._begin = self._last = 0
        self.count = 0
        """Of the frames of the stretch so far."""
        self.files = ""
        """A digest of their stamps, and of `sources`."""

    def add(self, number: int, stamp: Stamp, begins: bool, sources: str = "") -> list[str]:
        """Take the next frame; of those that are ready `FrameRecipe.frames`. sources: of
        `Recipes.steered_by`."""
        told = self.end() if begins else []
        if begins:
            self._begin, self.count, self.files = number, 0, sources
        size, time = _told(stamp)
        line = f"{self.files} {number} {size} {time}"
        self.files = hashlib.sha256(line.encode()).hexdigest()[:16]
        self._last, self.count = number, self.count + 1
        self._waiting.append(number)
        return told + self._told(STRIDE) if len(self._waiting) == AHEAD + 1 else told

    def end(self) -> list[str]:
        """Of those that still wait."""
        return self._told(len(self._waiting))

    def _told(self, count: int) -> list[str]:
        for _ in range(count):
            self._waiting.popleft()
        return [f"{self._begin}-{self._last}-{self.files}"] * count

    def restore(self, begin: int, count: int, files: str) -> None:
        """Go on behind a frame after which this was known."""
        self._waiting.clear()
        self._begin, self.count, self.files = begin, count, files


def alone(number: int, sources: str) -> str:
    """`FrameRecipe.frames` of a frame that is averaged with none. sources: as of `Together.add`."""
    return f"{number}-{number}-{sources}" if sources else ""


@dataclass(frozen=True)
class Stretch:
    """Frames that are averaged with each other, from first to last. borders: the last frame before
    each border -> `Together.files` there."""

    numbers: range
    borders: Mapping[int, str] = field(default_factory=dict)

    def until(self, number: int) -> int:
        """The last frame that one of them is averaged with."""
        place = number - self.numbers[0]
        ahead = place - place % STRIDE + AHEAD
        return self.numbers[min(ahead, len(self.numbers) - 1)]


@dataclass(frozen=True)
class Recipes:
    """What is wanted of each frame. takes: the shots, by numbers of frames; of: for each number;
    stretches: in order; steered_by: of shots with a still, by the number that each begins with, a
    digest of the frames over which it steers them."""

    takes: Sequence[Take]
    of: Mapping[int, FrameRecipe]
    stretches: Sequence[Stretch]
    steered_by: Mapping[int, str] = field(default_factory=dict)

    def take(self, number: int) -> Take:
        """The shot of a frame."""
        return take_at(self.takes, number)


def recipes_of(
    numbers: Sequence[int],
    takes: Sequence[Take],
    settings: str,
    stamp: Callable[[int], Stamp],
    *,
    broken: Collection[int] = (),
    averaged: bool = True,
) -> Recipes:
    """What is wanted of frames. numbers: of those that there are; settings: their digest; stamp: of
    a frame's source; broken: frames that cannot be seen; averaged: whether any are averaged."""
    found: dict[int, FrameRecipe] = {}
    stretches: list[Stretch] = []
    steered_by = {
        take.begin: _sources(take, take.still.pts, following, numbers, stamp)
        for take, following in itertools.zip_longest(takes, takes[1:])
        if take.still is not None and take.look.action == "color"
    }
    begins = {take.begin for take in takes}
    plain = {
        take.begin: FrameRecipe(settings, look_of(take), model=take.look.model) for take in takes
    }
    together, own, borders = Together(), list[int](), dict[int, str]()
    waiting = deque[int]()  # of the stretch, those of which nothing is told

    def tell(frames: Sequence[str]) -> None:
        for text in frames:
            number = waiting.popleft()
            found[number] = replace(plain[take_at(takes, number).begin], frames=text)

    def close() -> None:
        tell(together.end())
        if own:
            stretches.append(Stretch(range(own[0], own[-1] + 1), dict(borders)))
        own.clear()
        borders.clear()

    for number in numbers:
        take = take_at(takes, number)
        if not averaged or take.look.action != "color" or number in broken:
            close()
            sources = "" if averaged else alone(number, steered_by.get(take.begin, ""))
            found[number] = replace(plain[take.begin], frames=sources)
            continue
        starts = not own or number in begins or number != own[-1] + 1
        if starts:
            close()
        own.append(number)
        waiting.append(number)
        sources = steered_by.get(take.begin, "")
        tell(together.add(number, stamp(number), starts, sources))
        if together.count % BORDER == 0:
            borders[number] = together.files
    close()
    return Recipes(takes, found, stretches, steered_by)


def _sources(
    take: Take,
    at: int,
    following: Take | None,
    numbers: Sequence[int],
    stamp: Callable[[int], Stamp],
) -> str:
    """A digest of the frames over which a still of the frame `at` steers a shot. following: the
    next one."""
    end = len(numbers) if following is None else bisect.bisect_left(numbers, following.begin)
    before, behind = of_numbers(numbers[bisect.bisect_left(numbers, take.begin) : end], at)
    return digest_of([(number, *_told(stamp(number))) for number in (*before, at, *behind)])


def _told(stamp: Stamp) -> Stamp:
    """Shares show times more or less finely."""
    size, mtime_ns = stamp
    return size, mtime_ns // 1000
