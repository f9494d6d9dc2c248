"""A batch of stills: jobs in, outcomes out. One failed job never stops the next.

This is where one source's work (`one_still`), the model (`engine` through `pipeline`) and the
account of what is finished (`journal`) meet.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from colorbatch import color
from colorbatch.errors import ColorbatchError, OutputFullError, SourceError, reason_of
from colorbatch.formats import memory_need
from colorbatch.fs.atomic import digest, make_folder, replacing
from colorbatch.job import ImageSettings, Job, Outcome, Redo, in_clear, part_of_model
from colorbatch.journal.records import RESULT_CHANGED, Made, Record, source_stamp, verdict
from colorbatch.journal.results import Journals
from colorbatch.model.engine import Engine
from colorbatch.run import available_memory, pipeline
from colorbatch.stills import one_still
from colorbatch.stills.digest import still_digest

logger = logging.getLogger(__name__)

Stamp = tuple[int, int]
"""A source's size and time of change (see `records.source_stamp`)."""


def split_finished(
    jobs: Sequence[Job],
    journals: Journals,
    settings: ImageSettings,
    model: Callable[[], str],
    *,
    redo: Redo = "nothing",
) -> tuple[list[Job], list[Outcome]]:
    """Jobs still to do, and an outcome for each that is not: finished, or done in another way.

    model: gives the SHA-256 of the model, and is asked where it matters only. "outdated" results
    are those made with other settings, by another model, or from a source that has changed since;
    files that the journal does not know, or that somebody has edited, are done again with "all"
    alone. Outdated results are read whole before that.
    """
    if redo == "all":
        return list(jobs), []
    todo, skipped = [], []
    digests: dict[tuple[object, ...], str] = {}  # results are many, and alike
    for job in jobs:
        record, older = journals.find(job), None
        if record is not None and record.made.outcome == "skipped":
            older = journals.find_file(job)

        def now(made: Made, job: Job = job) -> str:
            alike = made.kind, made.outcome, job.named, job.target.suffix
            if alike not in digests:
                digests[alike] = still_digest(settings, job, made.kind, made.outcome)
            return digests[alike]

        again = redo == "outdated"
        reason, outdated = verdict(job, record, now, model, older=older, replace=again)
        if not reason or (outdated and again):
            todo.append(job)
        elif record is None:
            skipped.append(Outcome(job.source, job.target, "skipped", reason, outdated=outdated))
        else:
            kind = record.made.kind if record.made.outcome == "skipped" else ""
            found = record if older is None or reason == record.made.reason else older
            known = _as_known(job, reason, outdated, found, journals.made_by(found.made))
            skipped.append(replace(known, kind=kind) if kind else known)
    return todo, skipped


def _as_known(
    job: Job, reason: str, outdated: bool, record: Record, made_by: Mapping[str, object]
) -> Outcome:
    """The outcome of a source that was done before, with what its record tells."""
    made = record.made
    return Outcome(
        job.source,
        job.target,
        "skipped",
        reason,
        outdated=outdated,
        source_sha256=made.source_sha256,
        target_sha256="" if reason == RESULT_CHANGED else record.target_sha256,
        made_by=made_by if made.model else part_of_model(made_by, "kept"),
    )


@dataclass(frozen=True)
class _Room:
    """The memory that a run may take for its pictures, and what has to have it alone; asked from
    several threads."""

    bytes: int | None
    beside: int
    """Bytes that the run takes beside its pictures."""
    alone: dict[Job, int] = field(default_factory=dict)

    @classmethod
    def of(cls, memory: int | None, beside: int) -> _Room:
        """The room in `memory` bytes of the whole process, None for any."""
        return cls(None if memory is None else max(0, memory - beside), beside)

    def note(self, job: Job, cost: int) -> int:
        """The cost of a job, remembered where it is more than there is room for."""
        if self.bytes is not None and cost > self.bytes:
            self.alone[job] = cost
        return cost

    def check(self, job: Job) -> None:
        """Refuse what the whole machine has no memory for. Raises SourceError."""
        if job not in self.alone:
            return
        need, have = self.alone[job] + self.beside, available_memory.of_machine()
        if need > have:
            raise SourceError(
                f"{job.source}: it needs about {available_memory.text(need)} of memory, "
                f"and there is {available_memory.text(have)}"
            )

    def told(self, job: Job) -> tuple[str, ...]:
        """What there is to say of a job that is done."""
        if job not in self.alone:
            return ()
        need = available_memory.text(self.alone[job] + self.beside)
        return (f"it needs about {need} of memory, more than --memory: done alone",)


@dataclass(frozen=True)
class _Work:
    """What the steps of a run share; asked from several threads."""

    settings: ImageSettings
    size: tuple[int, int]
    """(H, W) that the model sees."""
    mark: str
    journals: Journals | None
    made_by: Mapping[str, object]
    """As of `Outcome`."""
    room: _Room
    predict: one_still.Predict
    begun: dict[Job, float] = field(default_factory=dict)
    """When work on a job began, by the monotonic clock."""

    def cost(self, job: Job) -> int:
        upright, views = self.settings.upright, one_still.VIEWS
        cost = memory_need.of_coloring(job.source, job.target, upright=upright, views=views)
        return self.room.note(job, cost)

    def read(self, job: Job) -> pipeline.Loaded[tuple[one_still.Held, Stamp, str]]:
        self.begun[job] = time.monotonic()
        self.room.check(job)
        stamp = source_stamp(job.source)  # before it is read, so that no later change is missed
        held, lightness = one_still.read(job, self.settings, self.size)
        sha256 = "" if held.fate == "skipped" else one_still.sha256(job)
        return pipeline.Loaded((held, stamp, sha256), lightness)

    def finish(
        self, job: Job, read: tuple[one_still.Held, Stamp, str], ab: color.Float | None
    ) -> Outcome:
        held, stamp, source_sha256 = read
        target_sha256 = ""

        def made(end: str, outcome: Outcome) -> Made:
            kinds = outcome.kind if end == "skipped" else held.all_kinds
            settings = still_digest(self.settings, job, kinds, end)
            model = str(self.made_by["model_sha256"]) if end == "colored" else ""
            return Made(
                *stamp,
                settings,
                model,
                end,
                kinds,
                outcome.reason,
                source_sha256,
                notes=outcome.notes,
                pages=outcome.pages,
                seconds=round(self.seconds(job), 3),
            )

        def told(sha256: str) -> None:
            nonlocal target_sha256
            target_sha256 = sha256

        def writing(end: str, notes: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
            modified_ns = stamp[1] if self.settings.times else None
            if self.journals is None:
                return replacing(job.target, modified_ns, before=lambda file: told(digest(file)[1]))

            def whole() -> Made:
                return made(end, held.outcome(job, (*notes, *self.room.told(job))))

            return self.journals.writing(job, whole, modified_ns, told)

        chroma: Iterable[color.Float] | None = ab
        if chroma is None and held.fate == "colored":
            chroma = one_still.late_chroma(job, held, self.settings, self.size, self.predict)
        outcome = one_still.finish(job, held, chroma, self.settings, self.mark, writing)
        if self.journals is not None and outcome.status == "skipped":
            self.journals.skip(job, made("skipped", outcome))
        return replace(
            outcome,
            notes=outcome.notes + self.room.told(job),
            source_sha256=source_sha256,
            target_sha256=target_sha256,
        )

    def seconds(self, job: Job) -> float:
        """Since work on a job began."""
        begun = self.begun.get(job)
        return 0.0 if begun is None else time.monotonic() - begun

    def ended(self, done: pipeline.Done[Job, Outcome]) -> Outcome:
        """A job's outcome, with what every one has; one that failed is recorded."""
        outcome, job = _outcome(done), done.item
        outcome = replace(
            outcome,
            seconds=self.seconds(job),
            made_by=part_of_model(self.made_by, outcome.status),
        )
        self.begun.pop(job, None)
        if self.journals is not None and outcome.status == "failed":
            self.journals.tell(job, outcome)
        return outcome


def colorize_images(
    jobs: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    *,
    journals: Journals | None = None,
    model_sha256: str = "",
    workers: int = 0,
    memory: int | None = None,
    fail_fast: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Outcome, None, None]:
    """Color every job; yields one outcome each, in order.

    journals: where results are recorded, locked. workers: threads for reading and writing, 0 for
    one per core. memory: bytes that the whole process is to stay within, None for any: as many
    pictures are at work at the same time as fit, by their headers; one that does not fit is at work
    alone, and refused where the machine has less than it needs. With `fail_fast` nothing new begins
    after the first failure. `stop` is asked between pictures. Raises OutputFullError, after the
    outcomes of what could be finished, where nothing can be written any more.
    """
    threads = workers or os.cpu_count() or 1
    in_flight = 2 * threads + engine.batch_size
    room = _Room.of(memory, memory_need.BASE_BYTES)
    one_at_a_time = threading.Lock()

    def predict(lightness: color.Float) -> color.Float:
        with one_at_a_time:  # files of many pages ask for it while they are written
            return engine.predict(lightness)

    made_by = engine.made_by(model_sha256, in_clear(settings))
    if journals is not None:
        journals.begins(made_by)
    work = _Work(settings, engine.size, engine.mark, journals, made_by, room, predict)
    failed = threading.Event()
    full: OutputFullError | None = None
    results = pipeline.run(
        jobs,
        work.read,
        predict,
        work.finish,
        pipeline.Limits(threads, in_flight, engine.batch_size, room.bytes),
        stop=lambda: stop() or failed.is_set(),
        cost=work.cost,
    )
    with color.single_threaded():
        for done in results:
            if isinstance(done.error, OutputFullError):  # not this picture's fault, and not done
                full = done.error
                failed.set()
                continue
            if done.error is not None and fail_fast:
                failed.set()
            yield work.ended(done)
    if full is not None:
        raise full


def foresee(
    jobs: Sequence[Job],
    settings: ImageSettings,
    *,
    workers: int = 0,
    memory: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Outcome, None, None]:
    """What `colorize_images` would yield, without a model and without writing; in order."""
    threads = workers or os.cpu_count() or 1
    room = _Room.of(memory, memory_need.BASE_BYTES)

    def read(job: Job) -> pipeline.Loaded[Outcome]:
        room.check(job)
        return pipeline.Loaded(one_still.foresee(job, settings), None)

    results = pipeline.run(
        jobs,
        read,
        lambda lightness: lightness,
        lambda job, outcome, ab: outcome,
        pipeline.Limits(threads, 2 * threads, 1, room.bytes),
        stop,
        cost=lambda job: room.note(job, memory_need.of_reading(job.source)),
    )
    yield from map(_outcome, results)


def _outcome(done: pipeline.Done[Job, Outcome]) -> Outcome:
    """A job's own outcome, or the one that its error is."""
    if done.result is not None:
        return done.result
    job, error = done.item, done.error or RuntimeError("no result")
    if not isinstance(error, ColorbatchError | MemoryError):
        logger.debug("%s", job.source, exc_info=error)
    return Outcome(job.source, job.target, "failed", reason_of(error, job.source, job.target))


def check_target_folder(jobs: Sequence[Job], output: Path | None) -> None:
    """Refuse before working: the output folder can be made and written to. Raises TargetError."""
    if output is not None and jobs:
        single_file = len(jobs) == 1 and jobs[0].target == output
        make_folder(output.parent if single_file else output)
