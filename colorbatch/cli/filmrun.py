"""The films of a command: planned, made one after the other, proved, and told of."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.cli import filmlook, filmplan, filmroom, framerun
from colorbatch.cli.options import engine_line, make_engine
from colorbatch.cli.progress import Progress
from colorbatch.cli.showing import Shower, interrupt_flag
from colorbatch.errors import (
    ColorbatchError,
    ExitCode,
    OutputFullError,
    StoppedError,
)
from colorbatch.job import FilmOutcome
from colorbatch.run.report import GOES_ON, Report, escaped

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.render_film import Maker
    from colorbatch.job import FilmSettings
    from colorbatch.journal.results import Journals
    from colorbatch.run.log import Log

logger = logging.getLogger(__name__)

UNPROVED = "its luma is not proved: the run ended before"


def work(asked: ClipOptions, settings: FilmSettings) -> ExitCode:
    """The whole command. Raises ColorbatchError for what keeps it from beginning."""
    model = filmplan.cached_model(asked.model)
    planned = filmplan.plan_films(asked, settings, model)
    with _log(asked, planned) or contextlib.nullcontext() as log:
        report = Report(len(planned.todo) + len(planned.outcomes))
        show = Shower(
            report,
            as_json=asked.as_json,
            quiet=asked.quiet,
            verbose=asked.verbose,
            log=log,
            unit="films",
        )
        return _work(asked, settings, model, planned, show)


def _log(asked: ClipOptions, planned: filmplan.Planned) -> Log | None:
    """The log, if there is to be one. Raises UsageError, TargetError."""
    if asked.preview is not None:
        return None
    from colorbatch.formats.registry import FORMATS
    from colorbatch.inputs import clip_files, numbered_files
    from colorbatch.job import Job

    jobs = [film.job for film in planned.todo]
    jobs += [Job(each.source, each.target) for each in planned.outcomes]
    if asked.log is not None:
        clip_files.refuse_log(asked.log, jobs, asked.audio)
    patterns = [one.parent for one in asked.sources if numbered_files.is_pattern(str(one))]
    named = {
        *FORMATS,
        *numbered_files.FRAME_SUFFIXES,
        *clip_files.FILM_SUFFIXES,
        *clip_files.SOUND_SUFFIXES,
    }
    return asked.open_log(jobs, "films", named, patterns)


def _work(
    asked: ClipOptions,
    settings: FilmSettings,
    model: Callable[[], str],
    planned: filmplan.Planned,
    show: Shower,
) -> ExitCode:
    report = show.report
    if asked.dry_run:
        return filmlook.dry_run(planned, show, asked.workers)
    for film in planned.todo if not asked.quiet else ():
        click.echo(filmplan.line_of(film, asked.workers), err=True)
    engine = None
    if planned.todo:
        engine = make_engine(asked.model, asked.device, asked.gpu_id, asked.batch_size)
    if asked.preview is not None:
        return filmlook.preview(asked, settings, planned, engine, show)
    _refuse_locked(planned.todo)
    with interrupt_flag() as interrupted:
        maker, unfit = None, {}
        if engine is not None:
            from colorbatch.clips.render_film import Maker

            maker = Maker(
                engine, model(), settings, asked.workers, asked.redo_all, stop=interrupted
            )
            report.made_by = _made_by(maker)
            unfit = filmroom.make_sure_of_room(planned.todo, maker, asked, report)
        journals = framerun.locked(planned.todo, asked)
        run = _Run(asked, show, journals, interrupted, unfit)
        if run.ended_before(planned) and maker is not None:
            run.films(planned.todo, maker)
        unproved = run.unproved
        report.interrupted = interrupted() and (report.finished < report.total or unproved)
    report.stopped = run.full is not None
    show.end(engine_line(engine) if engine else "no model was needed")
    if run.full is not None:
        raise run.full
    return report.exit_code


def _refuse_locked(todo: Sequence[Work]) -> None:
    """Before any work, as for pictures. Raises LockedError for a film that another run makes."""
    from colorbatch.clips import film_journal
    from colorbatch.clips.numbered_plan import FrameJob

    for film in todo:
        if isinstance(film, FrameJob):
            continue
        film_journal.refuse_if_held(film_journal.folder_of(film.job), film.job.target)


@dataclass
class _Run:
    """The films that are made. journals: of sequences that become frames; stop: asked often; unfit:
    target -> why it cannot be made; full: why nothing more can be written, None as long as it can;
    unproved: whether the run ended before a proof did."""

    asked: ClipOptions
    show: Shower
    journals: Journals
    stop: Callable[[], bool]
    unfit: Mapping[Path, ColorbatchError]
    full: OutputFullError | None = None
    unproved: bool = False

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
            cut = functools.partial(_unfinished, film, maker, self.asked)
            if not self._told(film.job.source, film.job.target, make, film.kind, cut):
                return

    def _told(
        self,
        source: Path,
        target: Path,
        make: Callable[[], FilmOutcome],
        kind: str = "",
        cut: Callable[[], FilmOutcome] | None = None,
    ) -> bool:
        """Tell what becomes of a film; whether to go on with the next. cut: its outcome where the
        run ends in the midst of it."""
        outcome: FilmOutcome | None
        try:
            outcome = make()
        except OutputFullError as error:
            self.full = error
            outcome = cut and cut()
        except (StoppedError, KeyboardInterrupt):
            outcome = cut and cut()
        except ColorbatchError as error:
            outcome = filmplan.failed(source, target, error)
        except Exception as error:  # the one place where a film's failure, of any kind, ends
            logger.debug("%s", source, exc_info=error)
            outcome = filmplan.failed(source, target, error)
        if outcome is None:
            return False
        self.show.outcome(replace(outcome, kind=kind or outcome.kind))
        failed = outcome.status == "failed"
        ended = self.full is not None or outcome.status == "unfinished" or self.stop()
        return not (ended or (failed and self.asked.fail_fast))

    def _film(self, film: Work, maker: Maker) -> FilmOutcome:
        from colorbatch.clips.numbered_plan import FrameJob
        from colorbatch.clips.render_film import color_film

        if film.job.target in self.unfit:
            raise self.unfit[film.job.target]
        name, quiet = film.job.source.name, self.asked.quiet
        with Progress(name, quiet=quiet) as progress:
            maker = replace(
                maker,
                progress=progress.stage("", film.plan.count),
                found=progress.found,
                read=functools.partial(progress.stage, unit="B"),
            )
            if isinstance(film, FrameJob):
                outcome = framerun.make(film, maker, self.asked, self.journals)
            else:
                outcome = color_film(film, maker)
        is_whole = outcome.status != "unfinished"
        return self._proved(film, outcome) if self.asked.prove_luma and is_whole else outcome

    def _proved(self, film: Work, outcome: FilmOutcome) -> FilmOutcome:
        """The outcome with what a comparison of the luma says; a film is made, whether or not there
        is time for that."""
        count, quiet = film.plan.count, self.asked.quiet
        try:
            with Progress(film.job.source.name, quiet=quiet) as progress:
                more = progress.stage("luma is compared", count)
                return self._compared(film, outcome, more)
        except (StoppedError, KeyboardInterrupt):
            self.unproved = True
            return replace(outcome, notes=(*outcome.notes, UNPROVED))

    def _compared(
        self, film: Work, outcome: FilmOutcome, more: Callable[[int], None]
    ) -> FilmOutcome:
        from colorbatch.clips.luma_proof import prove_luma
        from colorbatch.clips.numbered_plan import FrameJob

        if isinstance(film, FrameJob):
            return framerun.proved(film, outcome, self.asked, self.stop, more)
        proof = prove_luma(film.plan, film.job.target, self.stop, more)
        if not self.asked.quiet:
            click.echo(escaped(f"{film.job.target}: {proof.text}"), err=True)
        if not proof.holds:
            return replace(outcome, status="failed", reason=proof.text, luma=proof.text)
        return replace(outcome, luma=proof.text)

    def _proved_again(self, outcome: FilmOutcome, finished: dict[Any, Work]) -> FilmOutcome:
        """The outcome of a film that was made before, proved if that is asked for. Frames that are
        there are compared whatever they were made with; a film that is not as this command would
        make it cannot be, and that is a failure: a proof was asked for."""
        from colorbatch.clips.numbered_plan import FrameJob
        from colorbatch.journal.records import FINISHED, NOT_OURS, RESULT_CHANGED

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


def _unfinished(film: Work, maker: Maker, asked: ClipOptions) -> FilmOutcome:
    """The outcome of a film in the midst of which the run ends: how much of it is recorded."""
    from colorbatch.clips import film_journal
    from colorbatch.clips.numbered_plan import FrameJob

    try:
        if isinstance(film, FrameJob):
            return framerun.so_far(film, maker, asked)
        account = film_journal.read(film_journal.folder_of(film.job))
    except ColorbatchError as error:
        return filmplan.failed(film.job.source, film.job.target, error)
    except KeyboardInterrupt:  # nobody waits for a count
        return FilmOutcome(film.job.source, film.job.target, "unfinished", GOES_ON)
    made = sum(part.segment.frames for part in account.parts)
    about = f" of about {film.plan.count:,}" if film.plan.count else ""
    reason = f"{made:,}{about} frames are made; {GOES_ON}"
    return FilmOutcome(film.job.source, film.job.target, "unfinished", reason, frames=made)


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
