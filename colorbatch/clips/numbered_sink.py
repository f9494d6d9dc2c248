"""Numbered frames to numbered frames, as the conductor takes them: read, seen, written, recorded.

Flows in: what is left of a sequence, a model, journals. Flows out: frames on the disk, each
complete and recorded before the next is told of, and one `FramesOutcome`. What is held at once is
bounded by memory, whatever the number of frames. A frame that cannot be made is named and stops no
other; the same call later tries it again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from colorbatch import color
from colorbatch.clips import numbered_frame, numbered_plan
from colorbatch.clips.clip import Maker, Told
from colorbatch.clips.numbered_frame import FrameStyle, NumberedFrame
from colorbatch.clips.numbered_plan import FrameJob, FramePlan, ours
from colorbatch.clips.render import Way, render
from colorbatch.color import Float
from colorbatch.errors import OutputFullError, SourceError, reason_of
from colorbatch.formats import memory_need
from colorbatch.fs import atomic
from colorbatch.fs.atomic import check_target, make_folder
from colorbatch.fs.real_paths import exists
from colorbatch.job import FrameOutcome, FramesOutcome, Job
from colorbatch.journal.records import Made, source_stamp
from colorbatch.journal.results import Journals
from colorbatch.run import available_memory, pipeline
from colorbatch.run.report import GOES_ON

Stamp = tuple[int, int]


def color_frames(one: FrameJob, maker: Maker, journals: Journals) -> FramesOutcome:
    """Make the frames of a sequence that are left. journals: locked.

    A stop ends it with the status unfinished. Raises OutputFullError where nothing can be written
    any more, and SourceError where all sources have gone; what is finished is kept and recorded,
    and the same call goes on from there.
    """
    make_folder(one.plan.folder)
    tally = _Tally(one.plan, maker.failed, maker.stage("", one.plan.count, "frame"))
    maker.found(one.done)
    work = _SequenceWork(
        one, maker, journals, FrameStyle(maker.engine.mark, maker.settings.saturation)
    )

    def take(done: pipeline.Done[Job, tuple[str, ...]]) -> None:
        work.ended(done.item, tally.take(done))

    def ends() -> bool:
        return maker.stop() or tally.ends or bool(maker.fail_fast and tally.failures)

    bytes_each = numbered_plan.cost(one.plan)
    way = Way(iter(one.todo), work.read, work.finish, take, lambda job: bytes_each)
    limits = limits_of(maker.engine.batch_size, maker.workers, maker.memory)
    with color.single_threaded():
        render(way, maker.engine, limits, ends)
    there = one.done + tally.made
    if tally.full is not None:
        raise tally.full
    if tally.gone:
        message = f"{one.job.source}: has gone while it was read; {there:,} frames are made"
        raise SourceError(message, "the same command goes on from there")
    if maker.stop() and tally.made + len(tally.failures) < len(one.todo):
        ended = outcome_of(one, there, tally.failures, tally.notes)
        return unfinished(one, ended)
    outcome = outcome_of(one, there, tally.failures, tally.notes)
    source, target = _list_hashes(one.plan, work.hashes, journals)
    return replace(outcome, source_sha256=source, target_sha256=target)


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
    """What became of the frames so far. full: why nothing can be written any more; gone: whether
    the sources are not there any more."""

    plan: FramePlan
    told: Callable[[str], None]
    progress: Told
    made: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    full: OutputFullError | None = None
    gone: bool = False

    @property
    def ends(self) -> bool:
        """Whether nothing more can be made."""
        return self.full is not None or self.gone

    def take(self, done: pipeline.Done[Job, tuple[str, ...]]) -> str:
        """Count the end of a frame, and tell of one that failed; why, if it is its own failure."""
        self.progress(1)
        if isinstance(done.error, OutputFullError):  # not this frame's fault, and not done
            self.full = done.error
        elif done.error is None:
            self.made += 1
            for note in done.result or ():
                self.notes[note] = self.notes.get(note, 0) + 1
        elif self.gone or self._have_gone(done.item):
            self.gone = True
        else:
            job = done.item
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


def limits_of(batch_size: int, workers: int = 0, memory: int | None = None) -> pipeline.Limits:
    """Threads and memory. memory: bytes of the whole process, None for half of the machine's."""
    threads = workers or os.cpu_count() or 1
    whole = available_memory.default() if memory is None else memory
    room = max(0, whole - memory_need.BASE_BYTES)
    return pipeline.Limits(threads, 2 * threads + batch_size, batch_size, room)


@dataclass(frozen=True)
class _SequenceWork:
    """The steps of one frame, for the pipeline's threads."""

    one: FrameJob
    maker: Maker
    journals: Journals
    style: FrameStyle
    hashes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A frame's name -> SHA-256 of its source and of its result."""
    begun: dict[Job, float] = field(default_factory=dict)
    """When work on a frame began, by the monotonic clock."""

    def read(self, job: Job) -> pipeline.Loaded[tuple[NumberedFrame, Stamp, str]]:
        self.begun[job] = time.monotonic()
        check_target(job.target)
        plan = self.one.plan
        stamp = source_stamp(job.source)  # before it is read, so that no later change is missed
        frame = numbered_frame.read(job.source, self.maker.settings.transfer)
        if frame.marked:
            raise SourceError(f"{job.source}: made by colorbatch already")
        if unlike := frame.unlike(plan.traits):
            raise SourceError(f"{job.source}: {unlike}")
        view = numbered_frame.view(frame, self.maker.engine.size, plan.region)
        try:  # of what the system still holds
            digest = atomic.sha256(job.source)
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(f"{job.source}: cannot be read: {reason}") from error
        return pipeline.Loaded((frame, stamp, digest), view)

    def finish(
        self, job: Job, read: tuple[NumberedFrame, Stamp, str], ab: Float | None
    ) -> tuple[str, ...]:
        frame, stamp, source = read
        plan = self.one.plan
        assert ab is not None
        digest = plan.digest(self.maker.settings)

        def told(target_sha256: str) -> None:
            self.hashes[job.target.name] = source, target_sha256

        def writing(target: Path, notes: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
            def made() -> Made:
                return Made(
                    *stamp,
                    digest,
                    self.maker.model_sha256,
                    "colored",
                    self.one.kind,
                    source_sha256=source,
                    what=FrameOutcome.what,
                    notes=tuple(notes),
                    seconds=round(self.seconds(job), 3),
                )

            return self.journals.writing(job, made, told=told)

        ab = numbered_frame.placed(ab, frame.traits.upright, plan.region)
        return numbered_frame.write(frame, ab, job.target, self.style, writing)

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
