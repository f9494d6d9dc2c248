"""A run of pictures: found, foreseen, made in a batch. `PictureRun` is one.

Flows in: a request and who watches. Flows out: an outcome for each picture as it ends, and when all
have, the report.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from colorbatch.errors import OutputFullError, UsageError
from colorbatch.formats.registry import FORMATS, READ, in_words
from colorbatch.inputs import picture_files
from colorbatch.inputs.patterns import Patterns
from colorbatch.job import Job, Outcome, in_clear
from colorbatch.journal.results import Journals
from colorbatch.model import parity
from colorbatch.model.contract import find_model, sha256
from colorbatch.model.engine import Engine
from colorbatch.run import available_memory
from colorbatch.run.log import Log, open_log
from colorbatch.run.report import counted
from colorbatch.run.runs import Run
from colorbatch.run.watch import Watch
from colorbatch.stills import batch
from colorbatch.stills.forecast import HOW_TO_TIME, Forecast, choose
from colorbatch.stills.names import PICTURES
from colorbatch.stills.request import PictureRequest


class PictureRun(Run):
    """The pictures of a request. A dry run reads each for its kind, and writes nothing."""

    def __init__(self, request: PictureRequest, watch: Watch) -> None:
        super().__init__(watch)
        self.request = request

    def _planned(self) -> tuple[Iterator[Outcome], Log | None]:
        jobs = jobs_of(self.request, self.report.passed_over)
        self.report.total = len(jobs)
        log = None
        if self.request.log is not None and not self.request.dry_run:
            folders = picture_files.source_folders(self.request.sources)
            log = open_log(self.request, jobs, folders, dict.fromkeys(FORMATS, "picture"))
        return self._outcomes(jobs), log

    def _outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        request, watch, report = self.request, self.watch, self.report
        settings = request.settings
        model_sha256 = functools.cache(lambda: sha256(find_model(request.model)))

        def plan() -> tuple[list[Job], list[Job], list[Outcome]]:
            """What is to do, what of it a sample leaves out, and what is not to do."""
            todo, skipped = batch.split_finished(
                jobs, journals, settings, model_sha256, redo=request.redo
            )
            if request.sample is None:
                return todo, [], skipped
            chosen = {job.target for job in choose(jobs, request.sample)}
            return (
                [job for job in todo if job.target in chosen],
                [job for job in todo if job.target not in chosen],
                [outcome for outcome in skipped if outcome.target in chosen],
            )

        with Journals(jobs, request.part) as journals:
            if not request.dry_run:
                journals.lock(make=False)
            todo, rest, skipped = plan()
            report.total = len(todo) + len(skipped)
            forecast = Forecast(todo, rest, skipped, settings, request.workers)
            if request.dry_run:
                yield from self._foreseen(todo, skipped, forecast)
                return
            self._check_space(forecast)
            engine = None
            if todo:
                engine = parity.opened(
                    request.model,
                    request.device,
                    batch_size=request.batch_size,
                    tf32=settings.tf32,
                )
                self.where = engine.told
            batch.check_target_folder(jobs, request.output)
            # until its lock is taken, another run may make what a place did not have
            if todo and journals.lock() and (todo, rest, skipped) != (now := plan()):
                todo, rest, skipped = now
                forecast = Forecast(todo, rest, skipped, settings, request.workers)
                self._check_space(forecast)
            yield from skipped
            ended: list[Outcome] = []
            started = time.monotonic()
            if todo and engine is not None:
                watch.say(
                    f"{counted(len(todo), 'picture')} to do; {forecast.before.text}; {engine.told}"
                )
                report.made_by = engine.made_by(model_sha256(), in_clear(settings))
                watch.begun(report.total, report.finished)
                for outcome in self._made(todo, engine, journals, model_sha256()):
                    if request.sample:
                        ended.append(outcome)
                    yield outcome
                journals.close()
                report.interrupted = watch.stop() and report.finished < report.total
                report.stopped = self._full is not None
            self.rest = self._of_the_rest(forecast, ended, time.monotonic() - started)

    def _made(
        self, todo: Sequence[Job], engine: Engine, journals: Journals, model_sha256: str
    ) -> Iterator[Outcome]:
        outcomes = batch.colorize_images(
            todo,
            engine,
            self.request.settings,
            journals=journals,
            model_sha256=model_sha256,
            workers=self.request.workers,
            memory=self._memory,
            fail_fast=self.request.fail_fast,
            stop=self.watch.stop,
            executor=self.request.executor,
        )
        try:
            with contextlib.closing(outcomes):
                yield from outcomes
        except KeyboardInterrupt:  # a second Ctrl-C ends the work at once, not the account of it
            pass
        except OutputFullError as error:
            self._full = error

    @property
    def _memory(self) -> int:
        asked = self.request.memory
        return available_memory.default() if asked is None else asked

    def _check_space(self, forecast: Forecast) -> None:
        """Note the estimate. Raises SpaceError where there is too little room, unless told to go
        on."""
        expected = forecast.before
        self.report.estimate = expected.to_json() if expected.count else {}
        if not self.request.ignore_space:
            expected.refuse_if_too_large()

    def _of_the_rest(self, forecast: Forecast, ended: Sequence[Outcome], took: float) -> str:
        """What a sample leaves to do will take: for the report, and in words. Without a sample
        nothing."""
        if not self.request.sample:
            return ""
        left = forecast.after_sample(ended, took)
        self.report.estimate = left.to_json()
        if not left.count:
            return "nothing is left to do"
        untimed = "" if ended else "; the sample was finished before, so it has no time"
        return f"the rest, {counted(left.count, 'picture')}: {left.text}{untimed}"

    def _foreseen(
        self, todo: Sequence[Job], skipped: Sequence[Outcome], forecast: Forecast
    ) -> Iterator[Outcome]:
        """What a run would do: every source is read for its kind, and nothing is written."""
        request, watch, report = self.request, self.watch, self.report
        report.dry_run = True
        watch.begun(report.total, report.finished)
        judged: list[Outcome] = []
        planned = batch.foresee(
            todo,
            request.settings,
            workers=request.workers,
            memory=self._memory,
            stop=watch.stop,
        )
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(planned):
            for outcome in planned:
                judged.append(outcome)
                yield outcome if outcome.status == "failed" else foreseen(outcome)
        yield from skipped
        report.interrupted = report.finished < report.total
        whole = forecast.of_plan(judged)
        report.estimate = whole.to_json()
        which = f"all {whole.count:,}: " if request.sample else ""
        self.rest = f"{which}{whole.text} ({HOW_TO_TIME})" if whole.count else ""


def foreseen(outcome: Outcome) -> Outcome:
    """The outcome that a source would have, said as a plan."""
    what = outcome.kind + (", kept" if outcome.status == "kept" else "")
    line = f"{outcome.source} -> {outcome.target} ({what})"
    plan = "" if outcome.status == "skipped" else line
    return dataclasses.replace(outcome, foreseen=True, plan=plan)


def jobs_of(request: PictureRequest, passed_over: Counter[str] | None = None) -> list[Job]:
    """What there is to make, of this part; passed_over: as of `plan_jobs`. Raises UsageError."""
    passed_over = Counter() if passed_over is None else passed_over
    jobs = picture_files.plan_jobs(
        request.sources,
        request.output,
        PICTURES,
        suffix=request.suffix,
        new_suffix=request.new_suffix,
        patterns=Patterns(request.include, request.exclude),
        listed=None if request.listed is None else list(request.listed),
        passed_over=passed_over,
    )
    if not jobs and (request.include or request.exclude):
        raise UsageError("--include and --exclude leave no pictures")
    if not jobs:
        left = ", ".join(f"{count:,} {suffix}" for suffix, count in passed_over.most_common(6))
        found = f"no pictures found but {left}" if left else "no pictures found"
        raise UsageError(found, f"{in_words(READ, 'and')} files are looked for")
    return picture_files.shard(jobs, *request.part) if request.part else jobs
