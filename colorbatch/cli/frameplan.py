"""Numbered frames that become frames: planned, judged, and said before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from colorbatch.errors import UsageError
from colorbatch.job import FramesOutcome
from colorbatch.journal.records import FINISHED
from colorbatch.run.report import escaped

if TYPE_CHECKING:
    from colorbatch.cli.filmplan import Work
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.numbered_plan import FrameJob, FramePlan
    from colorbatch.inputs.clip_files import FoundClips
    from colorbatch.job import FilmSettings
    from colorbatch.journal.results import Journals


def plan(found: FoundClips, asked: ClipOptions, settings: FilmSettings) -> FrameJob:
    """A sequence with what it becomes. Raises UsageError, SourceError, TargetError."""
    from colorbatch.clips import numbered_plan
    from colorbatch.fs.atomic import check_target
    from colorbatch.inputs import clip_files

    _refuse_options_of_films(asked)
    assert found.sequence is not None
    folder = clip_files.folder_of_frames(found, asked.output)
    check_target(folder)
    return numbered_plan.FrameJob(
        numbered_plan.plan_frames(
            found.sequence,
            folder,
            settings,
            home=asked.output,
            named=found.named,
            allow_gaps=asked.allow_gaps,
        )
    )


def _refuse_options_of_films(asked: ClipOptions) -> None:
    advice = "name a film, -o NAME.mov, or leave it out"
    if asked.audio is not None:
        raise UsageError("--audio is for a film made of frames; frames have no sound", advice)
    if asked.fps is not None and asked.start is None and asked.end is None:
        raise UsageError("--fps is for a film made of frames, and for --start and --end", advice)


def journals_of(works: Iterable[Work], asked: ClipOptions) -> Journals:
    """The journals of the sequences that become frames: one for all of an output folder, which the
    machines of --shard have each a part of."""
    from colorbatch.clips.numbered_plan import FrameJob
    from colorbatch.journal.results import Journals

    return Journals([one.job for one in works if isinstance(one, FrameJob)], asked.part())


def judge(
    one: FrameJob,
    asked: ClipOptions,
    settings: FilmSettings,
    journals: Journals,
    model: Callable[[], str],
    fate_reason: Callable[[str], str],
) -> tuple[FrameJob, FramesOutcome | None]:
    """A sequence with what is left of it and its kind, and its outcome where nothing is to be made.
    journals: see `journals_of`; fate_reason: why a sequence of a kind is not colored."""
    from colorbatch.clips import numbered_plan

    one = numbered_plan.what_is_left(one.plan, settings, journals, model, redo=asked.redo())
    if not one.todo:
        other = [why for why, _ in one.left if why != FINISHED]
        ended = replace(_skipped(one, other[0] if other else FINISHED), frames=one.done)
        mixed = tuple(_left(one)) if len(one.left) > 1 else ()
        return one, replace(ended, outdated=one.outdated > 0, notes=mixed)
    one = replace(one, kind=numbered_plan.kind_of_frames(one.plan, settings))
    if settings.fate(one.kind, one.plan.named) == "skip":
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
    from colorbatch.clips import numbered_preview

    kind = f" ({one.kind})" if one.kind else ""
    parts = [*_told(one), *_left(one), numbered_preview.space(one, workers).text]
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
