"""What the films of a run will take, told before any work, and refused where there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorbatch.errors import ColorbatchError
from colorbatch.run.report import Report, duration, escaped

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.film_preview import ClipEstimate
    from colorbatch.clips.render_film import Maker
    from colorbatch.clips.space import Need


def make_sure_of_room(
    todo: Sequence[Work], maker: Maker, asked: ClipOptions, report: Report
) -> dict[Path, ColorbatchError]:
    """Estimate all that is to do, by a few frames of each; target -> why one cannot be made, for
    its outcome. The report gets the estimate. Raises SpaceError."""
    from colorbatch.clips import space

    failed: dict[Path, ColorbatchError] = {}
    needs: list[Need] = []
    for film in todo:
        if maker.stop():
            return failed
        try:
            needs += _needs(film, maker, quiet=asked.quiet)
        except ColorbatchError as error:
            failed[film.job.target] = error
    whole = space.together(needs)
    report.estimate = whole.to_json()
    if len(todo) > 1 and not asked.quiet:
        click.echo(escaped(f"all {len(todo):,}: {whole.text}"), err=True)
    if not asked.ignore_space:
        space.refuse_if_too_large(needs)
    return failed


def _needs(film: Work, maker: Maker, *, quiet: bool) -> list[Need]:
    from colorbatch.clips import film_preview, numbered_preview, space
    from colorbatch.clips.numbered_plan import FrameJob

    if isinstance(film, FrameJob):
        return space.of_frames(numbered_preview.space(film, maker.workers))
    expected = film_preview.estimate(film, maker)
    if not quiet:
        click.echo(escaped(f"{film.job.source}: {in_words(expected)}"), err=True)
    return [space.of_film(film, expected)]


def in_words(expected: ClipEstimate) -> str:
    """What a film will take."""
    if not expected.frames:
        return "how long it is, it does not tell: space and time are unknown"
    most = "about" if expected.exact else "at most about"
    return (
        f"about {expected.frames:,} frames; {most} {expected.result / 1e9:.2f} GB, twice that "
        f"while it is joined; about {duration(expected.seconds)} here, one frame after the other, "
        "without decoding"
    )
