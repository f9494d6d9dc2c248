"""A look at films before they are made: every plan, or stills before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch.cli import filmplan, filmroom, frameplan, framerun
from colorbatch.cli.showing import Shower
from colorbatch.errors import ColorbatchError, ExitCode, SpaceError
from colorbatch.job import FilmOutcome, PreviewOutcome

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.render_film import Maker
    from colorbatch.job import FilmSettings


def dry_run(planned: filmplan.Planned, show: Shower, workers: int) -> ExitCode:
    """Every plan, and nothing else."""
    from colorbatch.clips.numbered_plan import FrameJob

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


def preview(
    asked: ClipOptions, settings: FilmSettings, planned: filmplan.Planned, engine: Any, show: Shower
) -> ExitCode:
    """Stills of every film, before and after."""
    from colorbatch.clips.render_film import Maker

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
    from colorbatch.clips import film_preview
    from colorbatch.clips.numbered_plan import FrameJob

    if isinstance(film, FrameJob):
        return framerun.preview(film, maker, count)
    written = film_preview.write_pairs(film, maker, count, film.job.target.parent)
    expected = film_preview.estimate(film, maker)
    return written, expected.to_json(), filmroom.in_words(expected)
