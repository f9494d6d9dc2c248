"""A look at numbered frames before the work: stills of a few.

Flows in: what is left of a sequence, and a maker. Flows out: stills (`preview`). Where somebody
says what is to become of shots, these are found first, and stills are made as their shots will be,
but not steadied; what the pass finds is kept in the journal, and the run has it, unless another run
holds that. Otherwise each frame is colored, whatever it shows.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from colorbatch.clips import (
    film_journal,
    numbered_frame,
    numbered_shots,
    numbered_sink,
    preview,
    steering,
)
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.numbered_frame import NumberedFrame
from colorbatch.clips.numbered_plan import FrameJob, FramePlan
from colorbatch.clips.numbered_stills import FramePictures
from colorbatch.clips.preview import Pair, Preview
from colorbatch.clips.shot_looks import Take, take_at
from colorbatch.clips.still_chain import StillChain
from colorbatch.errors import LockedError, SourceError, UsageError
from colorbatch.inputs.numbered_files import spread


def write(one: FrameJob, maker: Maker, count: int) -> Preview:
    """Write stills of a sequence, `count` at most. Raises SourceError, TargetError, UsageError for
    a list that does not fit it."""
    takes = [] if one.sheet is None else _takes(one, replace(maker, anew=False))
    return Preview(*preview.write_pairs(one.job, _pairs(one.plan, takes, maker, count), count))


def _takes(one: FrameJob, maker: Maker) -> list[Take]:
    """What is to be done with the shots."""
    stamps = numbered_shots.stamps_of(one.plan)
    with contextlib.ExitStack() as stack:
        try:
            book = stack.enter_context(FilmBook(film_journal.folder_of(one.job), one.job.target))
        except LockedError:
            beside = stack.enter_context(tempfile.TemporaryDirectory(prefix="colorbatch-"))
            book = stack.enter_context(FilmBook(Path(beside), one.job.target))
        return numbered_shots.found(one.plan, one.sheet, maker, book, stamps)


def _pairs(plan: FramePlan, takes: Sequence[Take], maker: Maker, count: int) -> Iterator[Pair]:
    """The name is the frame's; those that cannot be read are passed over."""
    pictures, warm = FramePictures(plan, maker.settings.transfer), set[str]()
    steered: tuple[Take, StillChain | None] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for number in spread(plan.numbers, count):
            take = take_at(takes, number) if takes else Take(number)
            if steered is None or steered[0] != take:
                steered = take, steering.of_take(take, pictures, maker.color)
            if take.look.action == "color":
                maker.color(take)  # which is opened before it is timed
            try:
                if take.look.model not in warm:  # the first run of a model takes longer
                    _made(number, Path(folder), plan, take, steered[1], maker)
                warm.add(take.look.model)
                started = time.perf_counter()
                frame, target = _made(number, Path(folder), plan, take, steered[1], maker)
            except (SourceError, UsageError):
                continue
            took = time.perf_counter() - started
            after = numbered_frame.read(target, plan.traits.shown.asked)
            shown = preview.srgb(frame), preview.srgb(after)
            yield Pair(plan.sequence.name(number), *shown, took)


def _made(
    number: int, folder: Path, plan: FramePlan, take: Take, steer: StillChain | None, maker: Maker
) -> tuple[NumberedFrame, Path]:
    """A frame, and where its result is, made as is said of its shot."""
    path = plan.sequence.path(number)
    frame, ab = numbered_frame.read(path, maker.settings.transfer), None
    if unlike := frame.unlike(plan.traits):
        raise SourceError(f"{path}: {unlike}")
    if take.look.action == "color":
        own = maker.color(take)
        view = numbered_frame.view(frame, own.size, plan.region)
        [ab] = own.predict(view[None])
        ab = ab if steer is None else steer(number, view, ab)
    target = folder / path.name
    numbered_sink.write(frame, take, ab, target, plan, maker)
    return frame, target
