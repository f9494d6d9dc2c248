"""Numbered frames that become numbered frames: what a sequence is, and what of it is left to do.

Flows in: a sequence, the folder of its results, settings, the journal there. Flows out: a plan, and
the frames that are missing. A few frames are decoded, one at a time; nothing is written.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorbatch.clips import film_journal, frame_rates, numbered_frame
from colorbatch.clips.film_plan import refuse_no_part
from colorbatch.clips.numbered_frame import NumberedFrame, Traits
from colorbatch.clips.numbered_recipe import FrameRecipe, Recipes, change
from colorbatch.clips.sampling import JUDGED_FRAMES
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.color import classify
from colorbatch.color.ycbcr import Encoding, Region
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats import memory_need
from colorbatch.inputs.numbered_files import FrameSequence, check_gaps, spread
from colorbatch.job import AskedTransfer, FilmSettings, Job, Redo
from colorbatch.journal.records import (
    FINISHED,
    OTHER_SETTINGS,
    RESULT_CHANGED,
    SOURCE_CHANGED,
    Made,
    Record,
    is_file,
    source_stamp,
    verdict,
)
from colorbatch.journal.results import Journals
from colorbatch.journal.settings_digest import settings_digest

PIXEL_BYTES = 8
"""Bytes that a pixel takes for each byte of a sample while a frame is read, waits and is written:
R, G and B of source and result, the file's words, luma, and strips of floating point."""


@dataclass(frozen=True)
class FramePlan:
    """What a sequence becomes: frames of the same names in `folder`. home: that folder, or one
    above it, that keeps the account.

    numbers: of the frames that are meant, all but for --start and --end. named: as `Job.named`.
    traits: of the first frame that can be read, and of all. rate: frames per second, None if
    nothing tells. timecode: of the first frame, or "". region: in the upright picture. gaps: what
    is missing, in words, or "". marked: whether its frames are results of ours.
    """

    sequence: FrameSequence
    numbers: tuple[int, ...]
    folder: Path
    home: Path
    named: bool
    traits: Traits
    rate: Fraction | None = None
    timecode: str = ""
    region: Region | None = None
    gaps: str = ""
    marked: bool = False

    @property
    def job(self) -> Job:
        """The whole sequence as one job, by its patterns."""
        pattern = self.sequence.pattern
        return Job(self.sequence.folder / pattern, self.folder / pattern, self.named, self.home)

    @property
    def count(self) -> int:
        """How many frames the result has."""
        return len(self.numbers)

    def jobs(self) -> Sequence[Job]:
        """One for each frame, in order; made once."""
        return self._jobs

    @functools.cached_property
    def _jobs(self) -> tuple[Job, ...]:
        own, names = self.sequence, map(self.sequence.name, self.numbers)
        jobs = (Job(own.folder / n, self.folder / n, self.named, self.home) for n in names)
        return tuple(jobs)

    def digest(self, settings: FilmSettings) -> str:
        """Of what decides the bytes of all results, but source and model; see `numbered_recipe`."""
        meant = {
            "transfer": self.traits.shown.transfer,
            "region": dataclasses.asdict(self.region) if self.region else None,
        }
        return settings_digest(settings, ("frames",), meant=meant)

    def __str__(self) -> str:
        """The sequence and what was found out about it, for people."""
        height, width = self.traits.size
        told = [f"{len(self.numbers):,} frames", f"{width}x{height}, {self.traits.bits} bits"]
        if self.traits.orientation != 1:
            told.append(f"turned (orientation {self.traits.orientation})")
        told.append(f"transfer {self.traits.shown.why}")
        told.append(f"{self.rate} frames/s" if self.rate else "no rate")
        told += [f"time code {self.timecode}"] if self.timecode else []
        return "; ".join(told)


def plan_frames(
    sequence: FrameSequence,
    folder: Path,
    settings: FilmSettings,
    *,
    home: Path | None = None,
    named: bool = True,
    allow_gaps: bool = False,
) -> FramePlan:
    """What a sequence becomes in `folder`. home: see `FramePlan`, the folder if not given.

    Raises UsageError for gaps, for codes of which nothing tells what they mean, for a part that
    there is not; SourceError where no frame can be read.
    """
    gaps = check_gaps(sequence, allowed=allow_gaps)
    first = numbered_frame.first_of(sequence.paths(), settings.transfer)
    made_here = is_made_here(sequence)
    marked = first.marked or (made_here and _any_marked(sequence, settings))
    if marked and not made_here:  # or is it one that got among others?
        other = next((one for one in _spread(sequence, settings) if not one.marked), None)
        first, marked = (first, True) if other is None else (other, False)
    header = first.scan.header if first.scan else None
    rate = settings.fps or frame_rates.nominal_rate(header.rate if header else None)
    region = None
    if settings.region is not None:
        whole = Encoding(16, subsampling=None, matrix="rgb")
        region = settings.region.within(first.traits.upright, whole)
    return FramePlan(
        sequence,
        _within(sequence, settings, rate),
        folder,
        home or folder,
        named,
        first.traits,
        rate,
        header.timecode if header else "",
        region,
        gaps,
        marked,
    )


def _spread(sequence: FrameSequence, settings: FilmSettings) -> Iterator[NumberedFrame]:
    """A few frames that can be read, at even distances."""
    for number in spread(sequence.numbers, JUDGED_FRAMES):
        try:
            yield numbered_frame.read(sequence.path(number), settings.transfer)
        except (SourceError, UsageError):
            continue  # who makes the frame reports it


def are_ours(sequence: FrameSequence) -> bool:
    """Whether frames are results of ours, as far as some of them tell; nothing else about them
    matters then: neither gaps nor codes of which nothing tells what they mean."""
    found = list(_spread(sequence, FilmSettings(transfer="srgb")))
    some = any if is_made_here(sequence) else all
    return bool(found) and some(frame.marked for frame in found)


def is_made_here(sequence: FrameSequence) -> bool:
    """Whether results of these names were made in their folder: then frames without our mark are
    those that kept their own color."""
    return film_journal.made_here(sequence.folder / sequence.pattern)


def _any_marked(sequence: FrameSequence, settings: FilmSettings) -> bool:
    return any(one.marked for one in _spread(sequence, settings))


def _within(
    sequence: FrameSequence, settings: FilmSettings, rate: Fraction | None
) -> tuple[int, ...]:
    """The numbers between --start and --end, counted from the first frame. Raises UsageError."""
    start, end = settings.start, settings.end
    if start is None and end is None:
        return sequence.numbers
    refuse_no_part(settings)
    name = sequence.folder / sequence.pattern
    per_second = frame_rates.film_rate(settings.fps, rate, str(name))

    def is_meant(number: int) -> bool:
        at = (number - sequence.first) / per_second
        return (start is None or at >= start) and (end is None or at < end)

    numbers = tuple(filter(is_meant, sequence.numbers))
    if not numbers:
        raise UsageError(f"{name}: has no frames in this part")
    return numbers


def kind_of_frames(plan: FramePlan, settings: FilmSettings) -> classify.Kind:
    """Whether a sequence is grey, toned or in color: as most of a few frames that show anything."""
    found: Counter[classify.Kind] = Counter()
    for frame in _spread(plan.sequence, settings):
        codes = numbered_frame.rgb_codes(frame)
        if codes is None:
            found["grey"] += 1
        elif codes.max() >= np.iinfo(codes.dtype).max // 8:  # a black frame says nothing
            found[classify.kind_of(codes)] += 1
    return found.most_common(1)[0][0] if found else "grey"


def frame_at(plan: FramePlan, path: Path, asked: AskedTransfer) -> NumberedFrame:
    """A frame that can be colored among the others. asked: `--transfer`. Raises SourceError,
    UsageError."""
    frame = numbered_frame.read(path, asked)
    if frame.marked:
        raise SourceError(f"{path}: made by colorbatch already")
    if unlike := frame.unlike(plan.traits):
        raise SourceError(f"{path}: {unlike}")
    return frame


def cost(plan: FramePlan, more_planes: int = 0) -> int:
    """Bytes that a frame takes while it is at work. more_planes: of float64, beside it."""
    height, width = plan.traits.size
    # chroma of the picture's size is made where a region is
    each = PIXEL_BYTES * -(-plan.traits.bits // 8) + (3 + more_planes + 2 * bool(plan.region)) * 8
    return height * width * each + memory_need.PICTURE_BYTES


def frame_bytes(plan: FramePlan) -> int:
    """Bytes of the samples of a frame, of R, G, B and alpha."""
    height, width = plan.traits.size
    return height * width * 4 * -(-plan.traits.bits // 8)


# --- what is left ------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameJob:
    """A sequence to make. todo: the frames that are missing; left: why others need not be made, and
    how many; outdated: how many of these -y would make again; sheet: what somebody says of its
    shots."""

    plan: FramePlan
    todo: tuple[Job, ...] = ()
    left: tuple[tuple[str, int], ...] = ()
    outdated: int = 0
    kind: str = ""
    sheet: Sheet | None = None

    @property
    def job(self) -> Job:
        """The whole sequence as one job."""
        return self.plan.job

    @property
    def done(self) -> int:
        """How many frames are there."""
        return sum(count for _, count in self.left)


@dataclass(frozen=True)
class Wanted:
    """What results are to be. settings: `FramePlan.digest`; recipes: of each frame, None where its
    shots are not known; given, listed: as of `numbered_recipe.change`."""

    settings: str
    recipes: Recipes | None = None
    given: bool = False
    listed: bool = False

    def digest(self, made: Made) -> str:
        """The `Made.settings` of a result that is as good, but for its shot."""
        same = FrameRecipe.of(made.settings).settings == self.settings
        return made.settings if same else self.settings

    def model(self, number: int, made: Made, own: Callable[[], str]) -> str:
        """The `Made.model` of a result that is as good, but for its shot. own: of the run's."""
        wanted = "" if self.recipes is None else self.recipes.of[number].model
        return made.model if wanted or FrameRecipe.of(made.settings).model else own()

    def of_shot(self, number: int, made: Made, own: Callable[[], str]) -> str:
        """Why a result with the right settings is not as it is wanted, a reason of `verdict`; "new"
        where it is to be made again at once, "" where it is. own: of the run's model."""
        if self.recipes is None:
            return ""
        wanted, old = self.recipes.of[number], FrameRecipe.of(made.settings)
        if old.model != wanted.model and made.model == (wanted.model or own()):
            old = dataclasses.replace(old, model=wanted.model)  # it was, or is now, the run's
        found = change(old, wanted, given=self.given, listed=self.listed)
        return {"": "", "shot": "new", "source": SOURCE_CHANGED, "settings": OTHER_SETTINGS}[found]


def what_is_left(
    plan: FramePlan,
    wanted: Wanted,
    journals: Journals,
    model: Callable[[], str],
    *,
    redo: Redo = "nothing",
) -> FrameJob:
    """The frames of a sequence that are to do; those whose results are outdated as well, or all, as
    `redo` says. model: gives the SHA-256 of the run's, and is asked where it matters only."""
    left: Counter[str] = Counter()
    todo, stale = [], 0
    if redo == "all":
        return FrameJob(plan, tuple(plan.jobs()))
    again = redo == "outdated"
    for number, job in zip(plan.numbers, plan.jobs(), strict=True):
        record = journals.find(job)
        by = (
            model if record is None else functools.partial(wanted.model, number, record.made, model)
        )
        reason, outdated = verdict(job, record, wanted.digest, by, replace=again)
        why = wanted.of_shot(number, record.made, model) if record and reason == FINISHED else ""
        if record is not None and why:
            reason, outdated = why, True
            if (again or why == "new") and not is_file(job.target, record):
                reason, outdated = RESULT_CHANGED, False
        if not reason or reason == "new" or (outdated and again):
            todo.append(job)
        else:
            left[reason] += 1
            stale += outdated
    return FrameJob(plan, tuple(todo), tuple(left.most_common()), stale)


def ours(job: Job, journals: Journals) -> Record | None:
    """The record of a frame's result, if there is one, and the result is of the size it had."""
    record = journals.find_file(job)
    size, _ = source_stamp(job.target)
    return record if record is not None and record.target_size == size else None
