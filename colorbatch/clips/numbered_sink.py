"""Numbered frames to numbered frames, as the conductor takes them: read, seen, written, recorded.

Flows in: what is left of a sequence, and what is wanted of each frame, a model, journals. Flows
out: frames on the disk, each complete and recorded before the next is told of, and one
`FramesOutcome`. What is held at once is bounded by memory, whatever the number of frames. A frame
that cannot be made is named and stops no other; the same call later tries it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from colorbatch.clips import (
    numbered_frame,
    numbered_plan,
    numbered_steady,
    shot_models,
    steering,
)
from colorbatch.clips.clip import Maker, Told
from colorbatch.clips.film_frames import NO_AB
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.numbered_frame import FrameStyle, NumberedFrame, Writing, unrecorded
from colorbatch.clips.numbered_plan import FrameJob, FramePlan, ours
from colorbatch.clips.numbered_recipe import Recipes, Stamp
from colorbatch.clips.numbered_steady import FrameItem, FramesInOrder, States
from colorbatch.clips.numbered_stills import FramePictures
from colorbatch.clips.render import Way, render
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_models import UnusableModelError
from colorbatch.clips.stabiliser import AHEAD, Stabiliser
from colorbatch.color import Float
from colorbatch.errors import OutputFullError, SourceError, StoppedError, reason_of
from colorbatch.formats import memory_need
from colorbatch.fs import atomic
from colorbatch.fs.atomic import check_target, make_folder
from colorbatch.fs.real_paths import exists
from colorbatch.job import FrameOutcome, FramesOutcome, Job
from colorbatch.journal.records import Made, source_stamp
from colorbatch.journal.results import Journals
from colorbatch.run import available_memory, pipeline
from colorbatch.run.report import GOES_ON


def color_frames(
    one: FrameJob, maker: Maker, journals: Journals, recipes: Recipes, book: FilmBook
) -> FramesOutcome:
    """Make the frames of a sequence that are left. recipes: what is wanted of each; journals, book:
    locked.

    A stop ends it with the status unfinished. Raises OutputFullError where nothing can be written
    any more, and SourceError where all sources have gone, or a still or a model of a shot cannot be
    used; what is finished is kept and recorded, and the same call goes on from there.
    """
    make_folder(one.plan.folder)
    tally = _Tally(one.plan, maker.failed, maker.stage("", one.plan.count, "frame"))
    maker.found(one.done)
    takes = _takes_to_do(one, recipes)
    limits = limits_of(
        *(maker.engine.batch_size, maker.workers, maker.memory),
        beside=shot_models.bytes_of(takes),
    )
    settings = one.plan.digest(maker.settings)
    states = States(book.folder, book.owner, settings, maker.model_sha256)
    runs = {
        own.sha256: journals.with_model(maker.models.card(own).name, own.sha256)
        for own in dict.fromkeys(take.colored_by for take in takes)
        if own is not None
    }
    work = _SequenceWork(one, maker, journals, recipes, book, runs, _holds(one.plan, limits))

    def take(done: pipeline.Done[FrameItem, tuple[str, ...]]) -> None:
        if done.item.writes:
            work.ended(done.item.job, tally.take(done))

    def ends() -> bool:
        return maker.stop() or tally.ends or bool(maker.fail_fast and tally.failures)

    items = numbered_steady.items_of(one.plan, recipes, one.todo, states)
    bytes_each = numbered_plan.cost(one.plan)
    way = Way(items, work.read, work.finish, take, lambda item: bytes_each)
    with maker.models.holding(1), contextlib.suppress(StoppedError):
        render(way, maker.engine, limits, ends, work.in_order(takes, states))
    there = one.done + tally.made
    if tally.ended is not None:
        raise tally.ended
    if tally.gone:
        message = f"{one.job.source}: has gone while it was read; {there:,} frames are made"
        raise SourceError(message, "the same command goes on from there")
    outcome = outcome_of(one, there, tally.failures, tally.notes)
    if maker.stop() and tally.made + len(tally.failures) < len(one.todo):
        return unfinished(one, outcome)
    if not tally.failures:
        states.remove()
    source, target = _list_hashes(one.plan, work.hashes, journals)
    return replace(outcome, source_sha256=source, target_sha256=target)


def _takes_to_do(one: FrameJob, recipes: Recipes) -> list[Take]:
    """The shots with frames that are to do."""
    todo, jobs = set(one.todo), zip(one.plan.numbers, one.plan.jobs(), strict=True)
    begins = {recipes.take(number).begin for number, job in jobs if job in todo}
    return [take for take in recipes.takes if take.begin in begins]


def _holds(plan: FramePlan, limits: pipeline.Limits) -> bool:
    """Whether there is memory to hold frames while they wait for others; else they are read again
    to be written."""
    return limits.memory is None or AHEAD * numbered_plan.frame_bytes(plan) <= limits.memory // 2


def _list_hashes(
    plan: FramePlan, made: Mapping[str, tuple[str, str]], journals: Journals
) -> tuple[str, str]:
    """SHA-256 of the lists that `sha256sum` gives of sources and results, of all frames that have
    one; "" where the journal does not know a frame's. made: name -> both, of what this run made."""
    lists = hashlib.sha256(), hashlib.sha256()
    known = [True, True]
    for job in plan.jobs():
        both = made.get(job.target.name)
        if both is None and (record := ours(job, journals)) is not None:
            both = record.made.source_sha256, record.target_sha256
        for index, digest in enumerate(both or ()):
            known[index] &= bool(digest)
            line = f"{digest}  {job.target.name}\n"
            lists[index].update(line.encode("utf-8", "surrogateescape"))
    source, target = (
        state.hexdigest() if whole else "" for state, whole in zip(lists, known, strict=True)
    )
    return source, target


@dataclass
class _Tally:
    """What became of the frames so far. ended: why nothing more can be made, though no frame is at
    fault: nothing can be written any more, or a model cannot be used; gone: whether the sources are
    not there any more."""

    plan: FramePlan
    told: Callable[[str], None]
    progress: Told
    made: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    ended: OutputFullError | UnusableModelError | None = None
    gone: bool = False

    @property
    def ends(self) -> bool:
        """Whether nothing more can be made."""
        return self.ended is not None or self.gone

    def take(self, done: pipeline.Done[FrameItem, tuple[str, ...]]) -> str:
        """Count the end of a frame, and tell of one that failed; why, if it is its own failure."""
        self.progress(1)
        if isinstance(done.error, OutputFullError | UnusableModelError):  # and it is not done
            self.ended = done.error
        elif done.error is None:
            self.made += 1
            for note in done.result or ():
                self.notes[note] = self.notes.get(note, 0) + 1
        elif self.gone or self._have_gone(done.item.job):
            self.gone = True
        else:
            job = done.item.job
            reason = reason_of(done.error, job.source, job.target)
            self.failures.append((job.source.name, reason))
            self.told(f"{job.source}: {reason}")
            return reason
        return ""

    def _have_gone(self, job: Job) -> bool:
        """Whether not this frame alone is missing, but its folder, or the disk that it was on."""
        own = self.plan.sequence
        return not any(map(exists, (job.source, own.path(own.first), own.path(own.last))))


def outcome_of(
    one: FrameJob,
    made: int,
    failures: list[tuple[str, str]],
    notes: dict[str, int] | None = None,
) -> FramesOutcome:
    """The end of a sequence of which `made` frames are there."""
    told = [f"{note} ({count:,} frames)" for note, count in (notes or {}).items()]
    told += [f"{count:,} frames {why}" for why, count in one.left if why != "finished"]
    told += [one.plan.gaps] if one.plan.gaps else []
    outcome = FramesOutcome(
        one.job.source,
        one.job.target,
        "colored",
        kind=one.kind,
        notes=tuple(told),
        frames=made,
        corrupt=len(failures),
        transfer=one.plan.traits.shown.why,
        failures=tuple(failures),
    )
    if not failures:
        return outcome
    name, reason = failures[0]
    several = "the first is " if failures[1:] else ""
    count = f"{len(failures):,} of {len(one.plan.numbers):,} frames failed"
    if rest := len(one.plan.numbers) - made - len(failures):
        count += f", {rest:,} were not begun"
    return replace(outcome, status="failed", reason=f"{count}: {several}{name}: {reason}")


def unfinished(one: FrameJob, outcome: FramesOutcome) -> FramesOutcome:
    """The same as the end of a run that was stopped in the midst of it."""
    made = f"{outcome.frames:,} of {len(one.plan.numbers):,} frames are made"
    failed = f"; {outcome.reason}" if outcome.reason else ""
    return replace(outcome, status="unfinished", reason=f"{made}; {GOES_ON}{failed}")


def limits_of(
    batch_size: int, workers: int = 0, memory: int | None = None, *, beside: int = 0
) -> pipeline.Limits:
    """Threads and memory. memory: bytes of the whole process, None for half of the machine's;
    beside: bytes that are taken beside frames."""
    threads = workers or os.cpu_count() or 1
    room = available_memory.room(memory, memory_need.BASE_BYTES + beside)
    return pipeline.Limits(threads, 2 * threads + batch_size, batch_size, room)


def is_copied(frame: NumberedFrame, take: Take) -> bool:
    """Whether a frame of a shot keeps its own color, byte by byte."""
    return take.look.action == "keep" and not frame.is_single


def write(
    frame: NumberedFrame,
    take: Take,
    ab: Float | None,
    target: Path,
    plan: FramePlan,
    maker: Maker,
    writing: Writing = unrecorded,
) -> tuple[str, ...]:
    """Write a frame as is said of its shot. ab: (h, w, 2) of what is colored, None without it.
    Returns and raises as `numbered_frame.write`."""
    if ab is not None:
        ab = numbered_frame.placed(ab, frame.traits.upright, plan.region)
    style = FrameStyle(maker.mark([take]), maker.settings.saturation * take.look.saturation)
    own = None if is_copied(frame, take) else NO_AB if ab is None else ab
    return numbered_frame.write(frame, own, target, style, writing)


@dataclass(frozen=True)
class _Read:
    """A frame that was read. frame: None where it is to be read again; stamp, sha256: of its
    file."""

    frame: NumberedFrame | None
    stamp: Stamp
    sha256: str


@dataclass(frozen=True)
class _SequenceWork:
    """The steps of one frame, for the pipeline's threads. runs: SHA-256 of a model of shots ->
    `Made.run` of what it colors; holds: whether frames stay in memory while they wait for
    others."""

    one: FrameJob
    maker: Maker
    journals: Journals
    recipes: Recipes
    book: FilmBook
    runs: Mapping[str, str]
    holds: bool
    hashes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A frame's name -> SHA-256 of its source and of its result."""
    begun: dict[Job, float] = field(default_factory=dict)
    """When work on a frame began, by the monotonic clock."""
    stamps: dict[int, Stamp] = field(default_factory=dict)
    frames: dict[int, str] = field(default_factory=dict)
    """Of `FrameRecipe.frames`, of frames that are ready."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def in_order(self, takes: Sequence[Take], states: States) -> FramesInOrder | None:
        """The step that sees the frames in order, None where each is by itself. takes: the shots
        that they are of. Raises SourceError for a still that cannot be used."""
        plan = self.one.plan
        pictures = FramePictures(plan, self.maker.settings.transfer, self.maker.stop)
        steered = steering.of_shots(takes, pictures, self.maker.color)
        step = None if self.maker.step is None else self.maker.step()
        if step is None and steered is None:
            return None
        averages = step is not None
        return FramesInOrder(
            step or Stabiliser(0.0), averages, self.stamps, self.frames, states, steered
        )

    def _frame(self, path: Path) -> NumberedFrame:
        return numbered_plan.frame_at(self.one.plan, path, self.maker.settings.transfer)

    def read(self, item: FrameItem) -> pipeline.Loaded[_Read]:
        job = item.job
        self.begun[job] = time.monotonic()
        stamp = source_stamp(job.source)  # before it is read, so that no later change is missed
        view, predict, plan = None, None, self.one.plan
        try:
            frame = self._frame(job.source)
            if item.take.look.action == "color":
                size, predict = self._model(item.take)
                view = numbered_frame.view(frame, size, plan.region)
            digest = self._sha256(job.source) if item.writes else ""
        except Exception:
            with self.lock:  # before any frame is recorded that would be averaged with it
                self.book.broken(item.number)
            raise
        self.stamps[item.number] = stamp
        holds = item.writes and (self.holds or view is None)
        kept = numbered_plan.frame_bytes(plan) if holds else 0
        kept += 0 if view is None else 4 * view.nbytes
        read = _Read(frame if holds else None, stamp, digest)
        return pipeline.Loaded(read, view, predict, kept)

    def _model(self, take: Take) -> tuple[tuple[int, int], Callable[[Float], Float] | None]:
        """(H, W) that the model of a shot sees, and what predicts by it, None for the run's. It is
        opened when it is needed, so that frames that are read and wait hold none."""
        own, models = take.colored_by, self.maker.models
        if own is None:
            return self.maker.engine.size, None
        return models.size(own), models.predicting(own)

    @staticmethod
    def _sha256(path: Path) -> str:
        """Of what the system still holds of a file. Raises SourceError."""
        try:
            return atomic.sha256(path)
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(f"{path}: cannot be read: {reason}") from error

    def finish(self, item: FrameItem, read: _Read, ab: Float | None) -> tuple[str, ...]:
        frames = self.frames.pop(item.number, "")
        if not item.writes:
            self.begun.pop(item.job, None)
            return ()
        plan, job, frame = self.one.plan, item.job, read.frame
        check_target(job.target)
        if frame is None:
            frame = self._frame(job.source)
            if source_stamp(job.source) != read.stamp:
                raise SourceError(f"{job.source}: was changed while it was read")
        take, own = item.take, item.take.colored_by
        keeps = is_copied(frame, take)
        model = self.maker.model_sha256 if own is None else own.sha256
        recipe = replace(self.recipes.of[item.number], frames=frames)

        def told(target_sha256: str) -> None:
            self.hashes[job.target.name] = read.sha256, target_sha256

        def writing(target: Path, notes: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
            def made() -> Made:
                return Made(
                    *read.stamp,
                    str(recipe),
                    "" if keeps else model,
                    "kept" if keeps else "colored",
                    self.one.kind,
                    source_sha256=read.sha256,
                    what=FrameOutcome.what,
                    notes=tuple(notes),
                    seconds=round(self.seconds(job), 3),
                    run="" if own is None else self.runs[own.sha256],
                )

            return self.journals.writing(job, made, told=told)

        return write(frame, take, ab, job.target, plan, self.maker, writing)

    def seconds(self, job: Job) -> float:
        """Since work on a frame began."""
        begun = self.begun.get(job)
        return 0.0 if begun is None else time.monotonic() - begun

    def ended(self, job: Job, reason: str) -> None:
        """Record a frame that failed, where there is a reason."""
        if reason:
            ended = FrameOutcome(
                job.source, job.target, "failed", reason, self.one.kind, seconds=self.seconds(job)
            )
            self.journals.tell(job, ended)
        self.begun.pop(job, None)
