"""Sequences that become frames: made under the lock of their journal, proved, and shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorbatch.cli import frameplan
from colorbatch.errors import StoppedError
from colorbatch.job import FilmOutcome
from colorbatch.run.report import escaped

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.numbered_plan import FrameJob
    from colorbatch.clips.render_film import Maker
    from colorbatch.journal.results import Journals


def locked(todo: Iterable[Work], asked: ClipOptions) -> Journals:
    """The journals of the sequences that are to be made, until the command ends. Raises LockedError
    where another run is at work, but for one of --shard's other machines, and TargetError."""
    journals = click.get_current_context().with_resource(frameplan.journals_of(todo, asked))
    journals.lock()
    return journals


def make(one: FrameJob, maker: Maker, asked: ClipOptions, journals: Journals) -> FilmOutcome:
    """Color what is left of a sequence; unfinished where it is stopped. journals: locked. Raises
    ColorbatchError."""
    from colorbatch.clips import numbered_plan, render_numbered

    # until the lock was taken, another run may have made some
    now = numbered_plan.what_is_left(
        one.plan, maker.settings, journals, lambda: maker.model_sha256, redo=asked.redo()
    )
    one = replace(now, kind=one.kind)
    maker.found(one.done)
    return render_numbered.color_frames(
        one, maker, journals, fail_fast=asked.fail_fast, told=_failed_frame
    )


def _failed_frame(line: str) -> None:
    text = escaped(f"failed: {line}")
    if sys.stderr is not None and sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        click.echo(text, err=True)


def proved(
    one: FrameJob,
    outcome: FilmOutcome,
    asked: ClipOptions,
    stop: Callable[[], bool],
    more: Callable[[int], None],
) -> FilmOutcome:
    """The outcome with what a comparison of the luma says. Raises StoppedError."""
    from colorbatch.clips import numbered_luma_proof, render_numbered

    limits = render_numbered.limits_of(asked.batch_size, asked.workers)
    with frameplan.journals_of([one], asked) as journals:
        proof = numbered_luma_proof.prove_frames(one.plan, journals, limits, stop, more)
    if stop():
        raise StoppedError
    if not asked.quiet:
        click.echo(escaped(f"{one.plan.folder}: {proof.text}"), err=True)
    if proof.holds:
        return replace(outcome, luma=proof.text)
    reason = f"{outcome.reason}; {proof.text}" if outcome.status == "failed" else proof.text
    return replace(outcome, status="failed", reason=reason, luma=proof.text)


def so_far(one: FrameJob, maker: Maker, asked: ClipOptions) -> FilmOutcome:
    """The outcome of a sequence that ended in the midst of the work: its journal is read once more.
    Raises ColorbatchError."""
    from colorbatch.clips import numbered_plan, render_numbered

    with frameplan.journals_of([one], asked) as journals:
        found = numbered_plan.what_is_left(
            one.plan, maker.settings, journals, lambda: maker.model_sha256
        )
    return render_numbered.unfinished(one, render_numbered.outcome_of(one, found.done, []))


def preview(one: FrameJob, maker: Maker, count: int) -> tuple[list[Path], dict[str, object], str]:
    """Stills of a sequence, and what all of it takes, in plain values and in words. Raises
    SourceError, TargetError."""
    from colorbatch.clips import numbered_preview

    written, seconds = numbered_preview.write_pairs(one, maker, count)
    whole = numbered_preview.space(one, maker.workers).timed(seconds * len(one.todo))
    text = f"{len(one.todo):,} frames to do, one after the other: {whole.text}"
    return written, whole.to_json(), text
