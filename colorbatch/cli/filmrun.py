"""The films of a command: planned, made one after the other, proved, and told of."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.cli import filmplan, frameplan, framerun
from colorbatch.cli.options import engine_line, make_engine
from colorbatch.cli.showing import NO_TERMINAL_INTERVAL, Shower, interrupt_flag
from colorbatch.errors import (
    ColorbatchError,
    ExitCode,
    OutputFullError,
    SpaceError,
    StoppedError,
)
from colorbatch.report import FilmOutcome, PreviewOutcome, Report, duration, escaped

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import Asked
    from colorbatch.filming import FilmJob, Maker
    from colorbatch.filmsample import Estimate
    from colorbatch.log import Log
    from colorbatch.video import FilmSettings

logger = logging.getLogger(__name__)


def work(asked: Asked, settings: FilmSettings) -> ExitCode:
    """The whole command. Raises ColorbatchError for what keeps it from beginning."""
    model = filmplan.cached_model(asked.model)
    planned = filmplan.plan_films(asked, settings, model)
    with _log(asked, planned) or contextlib.nullcontext() as log:
        report = Report(len(planned.todo) + len(planned.outcomes))
        words = {"as_json": asked.as_json, "quiet": asked.quiet, "verbose": asked.verbose}
        return _work(asked, settings, model, planned, Shower(report, log=log, **words))


def _log(asked: Asked, planned: filmplan.Planned) -> Log | None:
    """The log, if there is to be one. Raises UsageError, TargetError."""
    if asked.preview is not None:
        return None
    from colorbatch import filmjobs, sequences
    from colorbatch.files import Job
    from colorbatch.formats import FORMATS

    jobs = [film.job for film in planned.todo]
    jobs += [Job(each.source, each.target) for each in planned.outcomes]
    if asked.log is not None:
        filmjobs.refuse_log(asked.log, jobs, asked.audio)
    patterns = [one.parent for one in asked.sources if sequences.is_pattern(str(one))]
    named = {*FORMATS, *sequences.FRAME_SUFFIXES, *filmjobs.FILM_SUFFIXES, *filmjobs.SOUND_SUFFIXES}
    return asked.open_log(jobs, "films", named, patterns)


def _work(
    asked: Asked,
    settings: FilmSettings,
    model: Callable[[], str],
    planned: filmplan.Planned,
    show: Shower,
) -> ExitCode:
    report = show.report
    if asked.dry_run:
        return _dry_run(planned, show, asked.workers)
    for film in planned.todo if not asked.quiet else ():
        click.echo(filmplan.line_of(film, asked.workers), err=True)
    engine = None
    if planned.todo:
        engine = make_engine(asked.model, asked.device, asked.gpu_id, asked.batch_size)
    if asked.preview is not None:
        return _preview(asked, settings, planned, engine, show)
    _refuse_locked(planned.todo)
    with interrupt_flag() as interrupted:
        run = _Run(asked, show, interrupted)
        if run.ended_before(planned) and engine is not None:
            from colorbatch.filming import Maker

            maker = Maker(
                engine, model(), settings, asked.workers, asked.redo_all, stop=interrupted
            )
            report.made_by = _made_by(maker)
            run.films(planned.todo, maker)
        report.interrupted = interrupted() and report.finished < report.total
    report.stopped = run.full is not None
    show.end(engine_line(engine) if engine else "no model was needed")
    if run.full is not None:
        raise run.full
    return report.exit_code


def _refuse_locked(todo: Sequence[Work]) -> None:
    """Before any work, as for pictures. Raises LockedError for a film that another run makes."""
    from colorbatch import filmbook
    from colorbatch.books import refuse_if_at_work
    from colorbatch.framejobs import FrameJob

    for film in todo:
        if isinstance(film, FrameJob):
            refuse_if_at_work(film.plan.folder)
            continue
        filmbook.refuse_if_held(filmbook.folder_of(film.job), film.job.target)


@dataclass
class _Run:
    """The films that are made. stop: asked often; full: why nothing more can be written, None as
    long as it can."""

    asked: Asked
    show: Shower
    stop: Callable[[], bool]
    full: OutputFullError | None = None

    def ended_before(self, planned: filmplan.Planned) -> bool:
        """Tell of the films that are not to be made; whether to go on with the others."""
        finished = {film.job.target: film for film in planned.finished}
        return all(
            self._told(
                outcome.source,
                outcome.target,
                functools.partial(self._proved_again, outcome, finished),
            )
            for outcome in planned.outcomes
        )

    def films(self, todo: Sequence[Work], maker: Maker) -> None:
        """One after the other; one that fails stops no other."""
        for film in todo:
            make = functools.partial(self._film, film, maker)
            if not self._told(film.job.source, film.job.target, make, film.kind):
                return

    def _told(
        self, source: Path, target: Path, make: Callable[[], FilmOutcome], kind: str = ""
    ) -> bool:
        """Tell what becomes of a film; whether to go on with the next."""
        try:
            outcome = make()
        except OutputFullError as error:
            self.full = error
            return False
        except (StoppedError, KeyboardInterrupt):
            return False
        except ColorbatchError as error:
            outcome = filmplan.failed(source, target, error)
        except Exception as error:  # the one place where a film's failure, of any kind, ends
            logger.debug("%s", source, exc_info=error)
            outcome = filmplan.failed(source, target, error)
        self.show.outcome(replace(outcome, kind=kind or outcome.kind))
        failed = outcome.status == "failed"
        return not (self.stop() or (failed and self.asked.fail_fast))

    def _film(self, film: Work, maker: Maker) -> FilmOutcome:
        from colorbatch.filming import color_film
        from colorbatch.framejobs import FrameJob

        if not isinstance(film, FrameJob):
            self._check_space(film, maker)
        with _progress(film, self.asked.quiet) as progress:
            maker = replace(maker, progress=progress)
            if isinstance(film, FrameJob):
                outcome = framerun.make(film, maker, self.asked)
            else:
                outcome = color_film(film, maker)
        return self._proved(film, outcome) if self.asked.prove_luma else outcome

    def _check_space(self, film: FilmJob, maker: Maker) -> None:
        from colorbatch import filmbook, filmsample
        from colorbatch.files import make_folder, reachable

        expected = filmsample.estimate(film, maker)
        if not self.asked.quiet:
            click.echo(escaped(f"{film.job.source}: {in_words(expected)}"), err=True)
        make_folder(film.job.target.parent)
        free = shutil.disk_usage(reachable(film.job.target.parent)).free
        account = filmbook.read(filmbook.folder_of(film.job))
        done = sum(part.size for part in account.parts)
        if not self.asked.ignore_space:
            filmsample.refuse_without_space(film, expected, free, done)

    def _proved(self, film: Work, outcome: FilmOutcome) -> FilmOutcome:
        """The outcome with what a comparison of the luma says."""
        from colorbatch.framejobs import FrameJob
        from colorbatch.proof import prove_luma

        if isinstance(film, FrameJob):
            return framerun.proved(film, outcome, self.asked, self.stop)
        proof = prove_luma(film.plan, film.job.target, self.stop)
        if not self.asked.quiet:
            click.echo(escaped(f"{film.job.target}: {proof.text}"), err=True)
        if not proof.holds:
            return replace(outcome, status="failed", reason=proof.text, luma=proof.text)
        return replace(outcome, luma=proof.text)

    def _proved_again(self, outcome: FilmOutcome, finished: dict[Any, Work]) -> FilmOutcome:
        """The outcome of a film that was made before, proved if that is asked for. Frames that are
        there are compared whatever they were made with; a film that is not as this command would
        make it cannot be, and that is a failure: a proof was asked for."""
        from colorbatch.framejobs import FrameJob
        from colorbatch.records import FINISHED, NOT_OURS, RESULT_CHANGED

        film = finished.get(outcome.target)
        if not self.asked.prove_luma or film is None:
            return outcome
        is_there = isinstance(film, FrameJob) and film.done > 0
        if outcome.reason == FINISHED or (is_there and not film.kind):
            return self._proved(film, outcome)
        if not (outcome.outdated or outcome.reason in (RESULT_CHANGED, NOT_OURS)):
            return outcome  # left alone: there is no result
        luma = f"luma is not proved: {outcome.reason}"
        return replace(outcome, status="failed", reason=luma, luma=luma)


def _made_by(maker: Maker) -> dict[str, object]:
    engine = maker.engine
    settings = dataclasses.asdict(maker.settings)
    return {
        "program": f"colorbatch {__version__}",
        "model": engine.card.name,
        "model_sha256": maker.model_sha256,
        "device": engine.device,
        "provider": engine.provider,
        "settings": {
            name: str(value) if name in ("start", "end", "fps") and value is not None else value
            for name, value in settings.items()
        },
    }


@contextlib.contextmanager
def _progress(film: Work, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Told how many frames are done more: a bar on a terminal, a line a minute elsewhere."""
    total, name = film.plan.count, film.job.source.name
    if quiet or sys.stderr is None:
        yield lambda frames: None
        return
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, unit="frame", desc=escaped(name)) as bar:

            def more(frames: int) -> None:
                bar.update(frames)

            yield more
        return
    started = said = time.monotonic()
    done = 0

    def line(frames: int) -> None:
        nonlocal done, said
        done += frames
        now = time.monotonic()
        if now - said >= NO_TERMINAL_INTERVAL:
            said, rate = now, done / max(now - started, 1e-9)
            left = f", {(total - done) / rate / 60:.0f} min left" if total and rate else ""
            click.echo(escaped(f"{name}: {done:,} frames, {rate:.1f} frames/s{left}"), err=True)

    yield line


def in_words(expected: Estimate) -> str:
    """What a film will take."""
    if not expected.frames:
        return "how long it is, it does not tell: space and time are unknown"
    most = "about" if expected.exact else "at most about"
    return (
        f"about {expected.frames:,} frames; {most} {expected.result / 1e9:.2f} GB, twice that "
        f"while it is joined; about {duration(expected.seconds)} on one core, without decoding"
    )


def _dry_run(planned: filmplan.Planned, show: Shower, workers: int) -> ExitCode:
    """Every plan, and nothing else."""
    from colorbatch.framejobs import FrameJob

    show.report.dry_run = True
    for film in planned.todo:
        outcome = FilmOutcome(film.job.source, film.job.target, "colored", kind=film.kind)
        outcome = frameplan.foreseen(film) if isinstance(film, FrameJob) else outcome
        if show.as_json or show.quiet:
            show.planned(outcome)
            continue
        show.report.add(outcome)
        click.echo(filmplan.line_of(film, workers))
    for outcome in planned.outcomes:
        show.outcome(outcome)
    show.end_of_plan("")
    return show.report.exit_code


def _preview(
    asked: Asked, settings: FilmSettings, planned: filmplan.Planned, engine: Any, show: Shower
) -> ExitCode:
    """Stills of every film, before and after."""
    from colorbatch.filming import Maker

    show.report.preview = True
    for outcome in planned.outcomes:
        show.outcome(outcome)
    maker = Maker(engine, "", settings, asked.workers)
    for film in planned.todo:
        try:
            written, values, text = _stills(film, maker, asked.preview or 1)
        except SpaceError:
            raise
        except ColorbatchError as error:
            show.outcome(filmplan.failed(film.job.source, film.job.target, error))
            continue
        shown = PreviewOutcome(
            film.job.source,
            film.job.target,
            "colored",
            kind=film.kind,
            stills=tuple(written),
            estimate=values,
        )
        show.previewed(shown, text)
    show.end_of_preview()
    return show.report.exit_code


def _stills(film: Work, maker: Maker, count: int) -> tuple[list[Path], dict[str, object], str]:
    """Stills of one film, and what all of it takes, in plain values and in words."""
    from colorbatch import filmsample
    from colorbatch.framejobs import FrameJob

    if isinstance(film, FrameJob):
        return framerun.preview(film, maker, count)
    written = filmsample.write_pairs(film, maker, count, film.job.target.parent)
    expected = filmsample.estimate(film, maker)
    return written, expected.to_json(), in_words(expected)
