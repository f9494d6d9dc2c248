"""A batch of stills, run or only foreseen, and shown as it goes."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from colorbatch import __version__
from colorbatch.cli.forecast import HOW_TO_TIME, Forecast
from colorbatch.cli.options import engine_line
from colorbatch.cli.showing import Shower, interrupt_flag
from colorbatch.errors import ExitCode, OutputFullError

if TYPE_CHECKING:
    from colorbatch.cli.images import StillOptions
    from colorbatch.job import ImageSettings, Job, Outcome
    from colorbatch.journal.results import Journals
    from colorbatch.model.engine import Engine
    from colorbatch.run.report import Report


def check_space(asked: StillOptions, forecast: Forecast, report: Report) -> None:
    """Note the estimate. Raises SpaceError where there is too little room, unless told to go on."""
    expected = forecast.before
    report.estimate = expected.to_json() if expected.count else {}
    if not asked.ignore_space:
        expected.refuse_if_too_large()


def run(
    asked: StillOptions,
    todo: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    memory: int,
    journals: Journals,
    model_sha256: Callable[[], str],
    forecast: Forecast,
    show: Shower,
) -> None:
    """The batch itself, shown. Raises OutputFullError when all is told."""
    from colorbatch.stills import batch

    report = show.report
    if not asked.quiet:
        space = forecast.before.text
        click.echo(f"{len(todo)} pictures to do; {space}; {engine_line(engine)}", err=True)
    report.made_by = _made_by(engine, settings, model_sha256())
    full: OutputFullError | None = None
    ended: list[Outcome] = []
    started = time.monotonic()
    with interrupt_flag() as interrupted, show.progress():
        outcomes = batch.colorize_images(
            todo,
            engine,
            settings,
            journals=journals,
            model_sha256=model_sha256(),
            workers=asked.workers,
            memory=memory,
            fail_fast=asked.fail_fast,
            stop=interrupted,
        )
        try:
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    show.outcome(outcome)
                    if asked.sample:
                        ended.append(outcome)
        except KeyboardInterrupt:  # a second Ctrl-C ends the work at once, not the account of it
            pass
        except OutputFullError as error:
            full = error
        report.interrupted = interrupted() and report.finished < report.total
        report.stopped = full is not None
        journals.close()
    rest = tell_rest(asked, forecast, ended, time.monotonic() - started, show)
    show.end(engine_line(engine))
    show.last(rest)
    if full is not None:
        raise full


def tell_rest(
    asked: StillOptions, forecast: Forecast, ended: Sequence[Outcome], took: float, show: Shower
) -> str:
    """What a sample leaves to do will take: for the report, and in words. Without a sample ''."""
    if not asked.sample:
        return ""
    left = forecast.after_sample(ended, took)
    show.report.estimate = left.to_json()
    if not left.count:
        return "nothing is left to do"
    untimed = "" if ended else "; the sample was finished before, so it has no time"
    pictures = "picture" if left.count == 1 else "pictures"
    return f"the rest, {left.count:,} {pictures}: {left.text}{untimed}"


def _made_by(engine: Engine, settings: ImageSettings, model_sha256: str) -> dict[str, object]:
    """What made the color, for the report."""
    return {
        "program": f"colorbatch {__version__}",
        "model": engine.card.name,
        "model_sha256": model_sha256,
        "device": engine.device,
        "provider": engine.provider,
        "settings": dataclasses.asdict(settings),
    }


def dry_run(
    asked: StillOptions,
    todo: Sequence[Job],
    skipped: Sequence[Outcome],
    settings: ImageSettings,
    memory: int,
    forecast: Forecast,
    show: Shower,
) -> ExitCode:
    """What a run would do: every source is read for its kind, and nothing is written."""
    from colorbatch.stills import batch

    report = show.report
    report.dry_run = True
    judged: list[Outcome] = []
    with interrupt_flag() as interrupted:
        planned = batch.foresee(
            todo, settings, workers=asked.workers, memory=memory, stop=interrupted
        )
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(planned):
            for outcome in planned:
                show.planned(outcome)
                judged.append(outcome)
    for outcome in skipped:
        show.outcome(outcome)
    report.interrupted = report.finished < report.total
    whole = forecast.of_plan(judged)
    report.estimate = whole.to_json()
    which = f"all {whole.count:,}: " if asked.sample else ""
    show.end_of_plan(f"{which}{whole.text} ({HOW_TO_TIME})" if whole.count else "")
    return report.exit_code
