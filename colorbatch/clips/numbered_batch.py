"""Sequences that become frames, as parts of a batch: planned, judged, made, told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from colorbatch.clips import numbered_plan, render_numbered, space
from colorbatch.clips.numbered_plan import FrameJob, FramePlan
from colorbatch.clips.render_film import Maker
from colorbatch.clips.request import ClipRequest
from colorbatch.errors import UsageError
from colorbatch.fs.atomic import check_target
from colorbatch.inputs import clip_files
from colorbatch.inputs.clip_files import FoundClips
from colorbatch.job import FilmOutcome, FramesOutcome
from colorbatch.journal.records import FINISHED
from colorbatch.journal.results import Journals
from colorbatch.run import estimate
from colorbatch.run.report import escaped
from colorbatch.run.watch import Watch


def plan(found: FoundClips, request: ClipRequest) -> FrameJob:
    """A sequence with what it becomes. Raises UsageError, SourceError, TargetError."""
    _refuse_options_of_films(request)
    assert found.sequence is not None
    folder = clip_files.folder_of_frames(found, request.output)
    check_target(folder)
    return numbered_plan.FrameJob(
        numbered_plan.plan_frames(
            found.sequence,
            folder,
            request.settings,
            home=request.output,
            named=found.named,
            allow_gaps=request.allow_gaps,
        )
    )


def _refuse_options_of_films(request: ClipRequest) -> None:
    advice = "name a film, -o NAME.mov, or leave it out"
    if request.audio is not None:
        raise UsageError("--audio is for a film made of frames; frames have no sound", advice)
    asked = request.settings
    if asked.fps is not None and asked.start is None and asked.end is None:
        raise UsageError("--fps is for a film made of frames, and for --start and --end", advice)


def journals_of(works: Iterable[object], request: ClipRequest) -> Journals:
    """The journals of the sequences that become frames: one for all of an output folder, which the
    machines of --shard have each a part of."""
    return Journals([one.job for one in works if isinstance(one, FrameJob)], request.part)


def judge(
    one: FrameJob,
    request: ClipRequest,
    journals: Journals,
    model: Callable[[], str],
    fate_reason: Callable[[str], str],
) -> tuple[FrameJob, FramesOutcome | None]:
    """A sequence with what is left of it and its kind, and its outcome where nothing is to be made.
    journals: see `journals_of`; fate_reason: why a sequence of a kind is not colored."""
    one = numbered_plan.what_is_left(one.plan, request.settings, journals, model, redo=request.redo)
    if not one.todo:
        other = [why for why, _ in one.left if why != FINISHED]
        ended = replace(_skipped(one, other[0] if other else FINISHED), frames=one.done)
        mixed = tuple(_left(one)) if len(one.left) > 1 else ()
        return one, replace(ended, outdated=one.outdated > 0, notes=mixed)
    one = replace(one, kind=numbered_plan.kind_of_frames(one.plan, request.settings))
    if request.settings.fate(one.kind, one.plan.named) == "skip":
        return one, replace(_skipped(one, fate_reason(one.kind)), kind=one.kind)
    return one, None


def _skipped(one: FrameJob, reason: str) -> FramesOutcome:
    shown = one.plan.traits.shown.why
    return FramesOutcome(one.job.source, one.job.target, "skipped", reason, transfer=shown)


def foreseen(one: FrameJob) -> FramesOutcome:
    """What a run would make of a sequence, for a dry run."""
    return FramesOutcome(
        one.job.source,
        one.job.target,
        "colored",
        kind=one.kind,
        notes=(*_told(one), *_left(one)),
        frames=len(one.plan.numbers),
        transfer=one.plan.traits.shown.why,
    )


def line_of(one: FrameJob, workers: int) -> str:
    """A plan in one line, with the space that it needs."""
    kind = f" ({one.kind})" if one.kind else ""
    parts = [*_told(one), *_left(one), estimate.of([space.of_sequence(one, workers)]).text]
    return escaped(f"{one.job.source} -> {one.job.target}{kind}: {'; '.join(parts)}")


def _told(one: FrameJob) -> list[str]:
    return [str(one.plan), *_warnings(one.plan)]


def _warnings(plan: FramePlan) -> list[str]:
    return [plan.gaps.removeprefix(f"{plan.job.source}: ")] if plan.gaps else []


def _left(one: FrameJob) -> list[str]:
    """What is there already."""
    found = [f"{count:,} {why}" for why, count in one.left]
    again = f" (-y redoes {one.outdated:,})" if one.outdated else ""
    return [f"{len(one.todo):,} to do, {', '.join(found)}{again}"] if found else []


def make(
    one: FrameJob, maker: Maker, request: ClipRequest, journals: Journals, watch: Watch
) -> FilmOutcome:
    """Color what is left of a sequence; unfinished where it is stopped. journals: locked. Raises
    ColorbatchError."""
    # until the lock was taken, another run may have made some
    now = numbered_plan.what_is_left(
        one.plan, maker.settings, journals, lambda: maker.model_sha256, redo=request.redo
    )
    one = replace(now, kind=one.kind)
    maker.found(one.done)
    return render_numbered.color_frames(
        one,
        maker,
        journals,
        fail_fast=request.fail_fast,
        told=lambda line: watch.error(f"failed: {line}"),
    )


def so_far(one: FrameJob, maker: Maker, request: ClipRequest) -> FilmOutcome:
    """The outcome of a sequence that ended in the midst of the work: its journal is read once more.
    Raises ColorbatchError."""
    with journals_of([one], request) as journals:
        found = numbered_plan.what_is_left(
            one.plan, maker.settings, journals, lambda: maker.model_sha256
        )
    return render_numbered.unfinished(one, render_numbered.outcome_of(one, found.done, []))
