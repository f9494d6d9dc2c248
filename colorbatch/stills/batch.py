"""A batch of stills: jobs in, outcomes out. One failed job never stops the next.

This is where one source's work (`one_still`), the model (`engine`), those who call the one with the
other (`executors`) and the account of what is finished (`journal`) meet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from colorbatch import color
from colorbatch.errors import (
    ColorbatchError,
    OutputFullError,
    SourceError,
    TargetError,
    reason_of,
)
from colorbatch.formats import memory_need
from colorbatch.fs.atomic import Unnamed, discard, give_name, make_folder, temporary_of
from colorbatch.job import ImageSettings, Job, Outcome, Redo, in_clear, part_of_model
from colorbatch.journal.records import RESULT_CHANGED, Made, Record, verdict
from colorbatch.journal.results import Journals
from colorbatch.model.engine import Engine
from colorbatch.run import available_memory, executors
from colorbatch.run.executors import Ended, Executor
from colorbatch.run.pipeline import Limits
from colorbatch.stills import one_still
from colorbatch.stills.digest import still_digest
from colorbatch.stills.request import AskedExecutor

logger = logging.getLogger(__name__)


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
        """The room in `memory` bytes of the whole run, None for any."""
        return cls(None if memory is None else max(0, memory - beside), beside)

    def check(self, job: Job, cost: int) -> int:
        """The cost of a job, remembered where it is more than there is room for. Raises SourceError
        for what the whole machine has no memory for."""
        if self.bytes is None or cost <= self.bytes:
            return cost
        self.alone[job] = cost
        need, have = cost + self.beside, available_memory.of_machine()
        if need > have:
            raise SourceError(
                f"{job.source}: it needs about {available_memory.text(need)} of memory, "
                f"and there is {available_memory.text(have)}"
            )
        return cost

    def told(self, job: Job) -> tuple[str, ...]:
        """What there is to say of a job that is done."""
        if job not in self.alone:
            return ()
        need = available_memory.text(self.alone[job] + self.beside)
        return (f"it needs about {need} of memory, more than --memory: done alone",)


@dataclass(frozen=True)
class _Publisher:
    """What becomes of what is made: names and records; and of what is not, nothing."""

    journals: Journals | None
    made_by: Mapping[str, object]
    """As of `Outcome`."""
    room: _Room
    open: set[Path] = field(default_factory=set)
    """Temporary names of tasks that have not ended."""

    def tasks(self, jobs: Iterable[Job]) -> Iterator[one_still.Task]:
        """Jobs as they are taken, each with a name for its result until it is published."""
        for job in jobs:
            if self.journals is not None:
                temporary = self.journals.temporary_of(job)
            else:
                temporary = temporary_of(job.target)
            self.open.add(temporary)
            yield one_still.Task(job, temporary)

    def publish(
        self, results: Sequence[tuple[one_still.Task, one_still.MadeStill]]
    ) -> list[Outcome | Exception]:
        """Give files that are whole their names, and record them; for each its outcome, or why it
        has no name."""
        ends: list[Outcome | Exception] = []
        files: list[tuple[Job, Made, Unnamed]] = []
        of: list[int] = []  # of each file the result that it belongs to
        for index, (task, still) in enumerate(results):
            notes = still.outcome.notes + self.room.told(task.job)
            made = replace(still.made, notes=notes)
            ends.append(replace(still.outcome, notes=notes))
            if still.file is not None:
                files.append((task.job, made, still.file))
                of.append(index)
            elif self.journals is not None:
                self.journals.skip(task.job, made)
        for index, error in zip(of, self._named(files), strict=True):
            ends[index] = error or ends[index]
        return ends

    def _named(self, files: Sequence[tuple[Job, Made, Unnamed]]) -> Sequence[Exception | None]:
        if self.journals is not None:
            return self.journals.publish(files)
        ends: list[Exception | None] = []
        for _, _, file in files:
            try:
                give_name(file)
            except TargetError as error:
                ends.append(error)
            else:
                ends.append(None)
        return ends

    def ended(self, done: Ended[one_still.Task, Outcome]) -> Outcome:
        """A job's outcome, with what every one has; one that failed is recorded."""
        job = done.item.job
        outcome = _outcome(job, done)
        made_by = part_of_model(self.made_by, outcome.status)
        outcome = replace(outcome, seconds=done.seconds, made_by=made_by)
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
    executor: AskedExecutor = "auto",
) -> Generator[Outcome, None, None]:
    """Color every job; yields one outcome each, in order.

    journals: where results are recorded, locked. workers: threads or processes for reading and
    writing, 0 for one per core. memory: bytes that the whole run is to stay within, None for any:
    as many pictures are at work at the same time as fit, by their headers; one that does not fit is
    at work alone, and refused where the machine has less than it needs. With `fail_fast` nothing
    new begins after the first failure. `stop` is asked between pictures. Results do not depend on
    the executor. Raises OutputFullError, after the outcomes of what could be finished, where
    nothing can be written any more.
    """
    workers = workers or os.cpu_count() or 1
    how: Executor = "threads" if executor == "auto" else executor
    beside = memory_need.BASE_BYTES
    if how == "processes":
        beside += min(workers, len(jobs)) * memory_need.PROCESS_BYTES
    made_by = engine.made_by(model_sha256, in_clear(settings))
    if journals is not None:
        journals.begins(made_by)
    room = _Room.of(memory, beside)
    publisher = _Publisher(journals, made_by, room)

    def cost(task: one_still.Task) -> int:
        source, target = task.job.source, task.job.target
        upright, views = settings.upright, one_still.VIEWS
        need = memory_need.of_coloring(source, target, upright=upright, views=views)
        return room.check(task.job, need)

    each = engine.batch_size if engine.at_once == 1 else 1
    failed = threading.Event()
    full: OutputFullError | None = None
    results = executors.run(
        publisher.tasks(jobs),
        one_still.work,
        one_still.Recipe(settings, engine.size, engine.mark, model_sha256),
        engine.predict,
        publisher.publish,
        Limits(workers, 2 * workers + engine.batch_size, each, room.bytes, engine.at_once),
        executor=how,
        stop=lambda: stop() or failed.is_set(),
        cost=cost,
    )
    try:
        with color.single_threaded(), contextlib.closing(results):
            for done in results:
                publisher.open.remove(done.item.temporary)
                if done.error is not None:
                    discard(done.item.temporary)  # which a process that died has left
                if isinstance(done.error, OutputFullError):  # not its fault, and not done
                    full = done.error
                    failed.set()
                    continue
                if done.error is not None and fail_fast:
                    failed.set()
                yield publisher.ended(done)
    finally:
        for temporary in publisher.open:  # of what was dropped
            discard(temporary)
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
    workers = workers or os.cpu_count() or 1
    room = _Room.of(memory, memory_need.BASE_BYTES)
    results = executors.run(
        jobs,
        lambda job, settings, model: one_still.foresee(job, settings),
        settings,
        lambda lightness: lightness,
        lambda foreseen: [outcome for _, outcome in foreseen],
        Limits(workers, 2 * workers, 1, room.bytes),
        stop=stop,
        cost=lambda job: room.check(job, memory_need.of_reading(job.source)),
    )
    with contextlib.closing(results):
        for done in results:
            yield _outcome(done.item, done)


def _outcome(job: Job, done: Ended[Any, Outcome]) -> Outcome:
    """A job's own outcome, or the one that its error is."""
    if done.result is not None:
        return done.result
    error = done.error or RuntimeError("no result")
    if not isinstance(error, ColorbatchError | MemoryError):
        logger.debug("%s", job.source, exc_info=error)
    return Outcome(job.source, job.target, "failed", reason_of(error, job.source, job.target))


def check_target_folder(jobs: Sequence[Job], output: Path | None) -> None:
    """Refuse before working: the output folder can be made and written to. Raises TargetError."""
    if output is not None and jobs:
        single_file = len(jobs) == 1 and jobs[0].target == output
        make_folder(output.parent if single_file else output)
