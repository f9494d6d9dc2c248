"""A batch of stills, run or only foreseen, and shown as it goes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from colorbatch import __version__
from colorbatch.cli.options import engine_line
from colorbatch.cli.showing import Shower, interrupt_flag
from colorbatch.errors import ExitCode, OutputFullError

if TYPE_CHECKING:
    from colorbatch.cli.images import Asked
    from colorbatch.engine import Engine
    from colorbatch.files import Job
    from colorbatch.journal import Journals
    from colorbatch.report import Outcome
    from colorbatch.settings import ImageSettings


def run(
    asked: Asked,
    todo: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    journals: Journals,
    model_sha256: Callable[[], str],
    show: Shower,
) -> None:
    """The batch itself, shown. Raises OutputFullError when all is told."""
    from colorbatch import batch

    report = show.report
    if not asked.quiet:
        click.echo(f"{len(todo)} pictures to do; {engine_line(engine)}", err=True)
    report.made_by = _made_by(engine, settings, model_sha256())
    full: OutputFullError | None = None
    with interrupt_flag() as interrupted, show.progress():
        outcomes = batch.colorize_images(
            todo,
            engine,
            settings,
            journals=journals,
            model_sha256=model_sha256(),
            workers=asked.workers,
            fail_fast=asked.fail_fast,
            stop=interrupted,
        )
        try:
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    show.outcome(outcome)
        except KeyboardInterrupt:  # a second Ctrl-C ends the work at once, not the account of it
            pass
        except OutputFullError as error:
            full = error
        report.interrupted = interrupted() and report.finished < report.total
        report.stopped = full is not None
        journals.close()
    show.end(engine_line(engine))
    if full is not None:
        raise full


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
    asked: Asked,
    todo: Sequence[Job],
    skipped: Sequence[Outcome],
    settings: ImageSettings,
    show: Shower,
) -> ExitCode:
    """What a run would do: every source is read for its kind, and nothing is written."""
    from colorbatch import batch

    report = show.report
    with interrupt_flag() as interrupted:
        planned = batch.foresee(todo, settings, workers=asked.workers, stop=interrupted)
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(planned):
            for outcome in planned:
                show.planned(outcome)
    for outcome in skipped:
        show.outcome(outcome)
    report.interrupted = report.finished < report.total
    show.end_of_plan()
    return report.exit_code
