"""Numbered frames in their order: which are gone through, steered and steadied, and what is handed
on to a later run.

Flows in: what is wanted of each frame, which of them are to do. Flows out: the frames to go
through, and their ab, averaged within stretches (`numbered_recipe`). The state of the averaging is
kept at every border of a stretch, so that a run that goes on, or makes a frame in the midst of a
shot again, goes through the frames from the last border on, or from the stretch's begin, without
writing those that are there.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from colorbatch.clips import segment
from colorbatch.clips.numbered_plan import FramePlan
from colorbatch.clips.numbered_recipe import BORDER, Recipes, Stamp, Stretch, Together, alone
from colorbatch.clips.ordered_step import OrderedStep
from colorbatch.clips.shot_looks import Take, digest_of
from colorbatch.clips.steering import Steered
from colorbatch.color import Float
from colorbatch.errors import TargetError
from colorbatch.fs import atomic
from colorbatch.job import Job

KEPT = 2
"""Borders whose states are kept: between two of them lie more frames than are at work at a time, so
that one of them is before the first frame that a killed run had not written."""


@dataclass(frozen=True)
class Border:
    """What is known behind a frame of a stretch. begin: its first frame; count: of its frames up to
    here; files: `Together.files`; state: of the step."""

    begin: int
    count: int
    files: str
    state: bytes


@dataclass(frozen=True)
class FrameItem:
    """A frame to go through. take: its shot; writes: whether its result is to be made, and not only
    its color seen by the frames around it; begins: whether its shot begins with it; behind: the
    border that it follows, where it is not gone on with from the frame before; sources: of
    `Recipes.steered_by`, "" where no still steers its shot."""

    job: Job
    number: int
    take: Take
    writes: bool = True
    begins: bool = False
    behind: Border | None = None
    sources: str = ""


def items_of(
    plan: FramePlan, recipes: Recipes, todo: Collection[Job], states: States
) -> Iterator[FrameItem]:
    """The frames to go through, in order: those that are to do, and of a stretch with such frames
    all from its last border, or its begin, up to the last that one of them is averaged with."""
    wanted, jobs = set(todo), dict(zip(plan.numbers, plan.jobs(), strict=True))
    begins = {take.begin for take in recipes.takes}
    stretches = deque(recipes.stretches)
    through, behind = range(0), dict[int, Border]()
    for number, job in jobs.items():
        if stretches and number == stretches[0].numbers[0]:
            through, border = _through(stretches.popleft(), jobs, wanted, recipes, states)
            if border is not None:
                behind[through[0]] = border
        if job in wanted or number in through:
            take, start = recipes.take(number), behind.pop(number, None)
            sources = recipes.steered_by.get(take.begin, "")
            first = number in begins
            yield FrameItem(job, number, take, job in wanted, first, start, sources)


def _through(
    stretch: Stretch,
    jobs: Mapping[int, Job],
    wanted: Collection[Job],
    recipes: Recipes,
    states: States,
) -> tuple[range, Border | None]:
    """The frames of a stretch to go through, none where nothing of it is to do, and the border that
    they follow."""
    todo = [number for number in stretch.numbers if jobs[number] in wanted]
    if not todo:
        return range(0), None
    last = stretch.until(todo[-1])
    take = recipes.take(stretch.numbers[0])
    for number in reversed(list(stretch.borders)):
        if number < todo[0] and (border := states.read(number, stretch, take)) is not None:
            return range(number + 1, last + 1), border
    return range(stretch.numbers[0], last + 1), None


# --- handed on ---------------------------------------------------------------------------------


@dataclass
class States:
    """The files with what was known at the last borders. folder: where they are; owner: marks their
    temporaries; settings: a digest (`FramePlan.digest`); model: SHA-256 of the run's."""

    folder: Path
    owner: str
    settings: str
    model: str
    _written: deque[int] = field(default_factory=deque)

    def read(self, number: int, stretch: Stretch, take: Take) -> Border | None:
        """What was known behind a border, if it is there and what was before it is the same, and
        colored by the same model."""
        with contextlib.suppress(TargetError, ValueError, KeyError):
            head, _, state = segment.read_state(self.folder, number).partition(b"\n")
            told = json.loads(head)
            first = stretch.numbers[0]
            wanted = self._head(first, number - first + 1, stretch.borders[number], take)
            if told == wanted:
                return Border(told["begin"], told["count"], told["files"], state)
        return None

    def write(self, number: int, border: Border, take: Take) -> None:
        """Keep what is known behind a frame; older states go. Raises TargetError."""
        head = json.dumps(self._head(border.begin, border.count, border.files, take)).encode()
        segment.write_state(self.folder, number, head + b"\n" + border.state, self.owner)
        self._written.append(number)
        while len(self._written) > KEPT:
            self._remove(segment.state_of(self.folder, self._written.popleft()))

    def remove(self) -> None:
        """Remove all of them."""
        for path in atomic.reachable(self.folder).glob("*.state"):
            self._remove(path)

    @staticmethod
    def _remove(path: Path) -> None:
        with contextlib.suppress(OSError):
            atomic.reachable(path).unlink()

    def _head(self, begin: int, count: int, files: str, take: Take) -> dict[str, object]:
        """What a state is of. The saturation of a shot has no part in it."""
        look = take.look
        key = digest_of([self.settings, look.model or self.model, look.reference])
        return {"key": key, "begin": begin, "count": count, "files": files}


# --- in order ----------------------------------------------------------------------------------


@dataclass(eq=False)
class FramesInOrder:
    """An ordered step, as the conductor takes frames through it. See `ordered_step`.

    averages: whether the step does; stamps: of the files that were read, by number; told: gets
    `FrameRecipe.frames` of each frame that is ready; steered: what gives frames the color of a
    still, before the step. A number that does not follow the one before begins a stretch: the frame
    between them is missing, or could not be seen."""

    step: OrderedStep
    averages: bool
    stamps: MutableMapping[int, Stamp]
    told: MutableMapping[int, str]
    states: States
    steered: Steered | None = None
    _together: Together = field(default_factory=Together)
    _waiting: deque[int] = field(default_factory=deque)
    _begin: int = 0
    _last: int | None = None

    def add(self, item: FrameItem, lightness: Float, ab: Float) -> list[Float]:
        number = item.number
        own = ab if self.steered is None else self.steered(number, lightness, ab)
        begins = item.begins or self._last is None or number != self._last + 1
        ready: list[Float] = []
        if item.behind is not None:
            ready, begins = self.end(), False
            self._restore(item.behind)
        elif begins:
            self._begin = number
        self._last = number
        ready += self.step.add(lightness, own, begins)
        stamp, together = self.stamps.pop(number), self._together
        if self.averages:
            self._waiting.append(number)
            self._tell(together.add(number, stamp, begins, item.sources))
            if together.count % BORDER == 0:
                known = Border(self._begin, together.count, together.files, self.step.state())
                self.states.write(number, known, item.take)
        else:
            self.told[number] = alone(number, item.sources)
        return ready

    def _restore(self, border: Border) -> None:
        self._begin = border.begin
        self.step.restore(border.state)
        self._together.restore(border.begin, border.count, border.files)

    def past(self, item: FrameItem) -> list[Float]:
        """A frame without the network's color: what was before it is complete."""
        self._last = None
        self.stamps.pop(item.number, None)
        return self.end()

    def end(self) -> list[Float]:
        self._tell(self._together.end())
        return self.step.end()

    def _tell(self, frames: list[str]) -> None:
        for text in frames:
            self.told[self._waiting.popleft()] = text
