"""Numbered frames that become numbered frames, as a clip: judged, told of, made, proved.

First the list of shots is made (`shot_pass`) and recorded, which says what becomes of each frame
and which of them are averaged with each other; then the frames that are missing are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from colorbatch import color
from colorbatch.clips import (
    film_clip,
    film_journal,
    luma_proof,
    numbered_plan,
    numbered_preview,
    numbered_recipe,
    numbered_shots,
    numbered_sink,
    shot_looks,
    shots_beside,
    space,
)
from colorbatch.clips.clip import IN_COLOR, TONED, Maker, Told, Wrong, left_alone
from colorbatch.clips.film_journal import Account, FilmBook
from colorbatch.clips.luma_proof import Proof
from colorbatch.clips.numbered_plan import FrameJob, Wanted
from colorbatch.clips.numbered_recipe import Stamp
from colorbatch.clips.preview import Preview
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.errors import UsageError
from colorbatch.fs.atomic import check_target
from colorbatch.inputs import clip_files
from colorbatch.inputs.clip_files import FoundClips
from colorbatch.job import FilmOutcome, FilmSettings, FramesOutcome, Job, Redo
from colorbatch.journal.records import FINISHED, NOT_OURS, RESULT_CHANGED
from colorbatch.journal.results import Journals
from colorbatch.run import estimate
from colorbatch.run.estimate import Estimate, Need
from colorbatch.run.report import escaped


@dataclass(frozen=True)
class FramesClip(FrameJob):
    """A sequence that becomes frames; see `clip.Clip`."""

    of: ClassVar[type[FilmOutcome]] = FramesOutcome

    @property
    def count(self) -> int | None:
        return self.plan.count

    @property
    def marked(self) -> bool:
        return self.plan.marked

    @property
    def files(self) -> Sequence[Job]:
        return self.plan.jobs()

    def judged(
        self, request: ClipRequest, journals: Journals, model: Callable[[], str]
    ) -> tuple[FramesClip, FilmOutcome | None]:
        wanted = self._wanted(request.settings)
        one = self._what_is_left(wanted, journals, model, request.redo)
        is_asked = self.sheet is not None and wanted.recipes is None
        if not one.todo and not is_asked:
            other = [why for why, _ in one.left if why != FINISHED]
            ended = replace(one._skipped(other[0] if other else FINISHED), frames=one.done)
            mixed = tuple(one._left()) if len(one.left) > 1 else ()
            return one, replace(ended, outdated=one.outdated > 0, notes=mixed)
        one = replace(one, kind=numbered_plan.kind_of_frames(one.plan, request.settings))
        if request.settings.fate(one.kind, one.plan.named) == "skip":
            return one, replace(one._skipped(left_alone(one.kind)), kind=one.kind)
        return one, None

    def _what_is_left(
        self, wanted: Wanted, journals: Journals, model: Callable[[], str], redo: Redo = "nothing"
    ) -> FramesClip:
        found = numbered_plan.what_is_left(self.plan, wanted, journals, model, redo=redo)
        return replace(self, todo=found.todo, left=found.left, outdated=found.outdated)

    def _wanted(self, settings: FilmSettings) -> Wanted:
        """What results are to be, as far as an earlier run has found the shots. Raises UsageError
        for a list of somebody's that does not fit the frames."""
        if self.sheet is not None:
            numbered_shots.by_place(self.sheet, self.plan.numbers)
        stamps = numbered_shots.stamps_of(self.plan)
        account = film_journal.read(film_journal.folder_of(self.job))
        if not numbered_shots.is_of(account, numbered_shots.head_of(self.plan, stamps)):
            return Wanted(self.plan.digest(settings))
        takes = numbered_shots.takes_of(self.plan, settings, account, self.sheet)
        return self._wanted_of(takes, settings, stamps, account)

    def _wanted_of(
        self,
        takes: Sequence[Take],
        settings: FilmSettings,
        stamps: Mapping[int, Stamp],
        account: Account,
    ) -> Wanted:
        digest = self.plan.digest(settings)
        recipes = numbered_recipe.recipes_of(
            self.plan.numbers,
            takes,
            digest,
            stamps.__getitem__,
            broken=account.broken,
            averaged=settings.stability > 0,
        )
        given = self.sheet is not None
        return Wanted(digest, recipes, given, numbered_shots.listed(account))

    def _skipped(self, reason: str) -> FramesOutcome:
        shown = self.plan.traits.shown.why
        return FramesOutcome(self.job.source, self.job.target, "skipped", reason, transfer=shown)

    def wrong(self, request: ClipRequest) -> Sequence[Wrong]:
        return ()

    def foreseen(self) -> FilmOutcome:
        return FramesOutcome(
            self.job.source,
            self.job.target,
            "colored",
            kind=self.kind,
            notes=(*self._told(), *self._left()),
            frames=len(self.plan.numbers),
            transfer=self.plan.traits.shown.why,
        )

    def line(self, workers: int) -> str:
        kind = f" ({self.kind})" if self.kind else ""
        needs = estimate.of([space.of_sequence(self, workers)]).text
        parts = [*self._told(), *self._left(), needs]
        return escaped(f"{self.job.source} -> {self.job.target}{kind}: {'; '.join(parts)}")

    def _told(self) -> list[str]:
        gaps = self.plan.gaps.removeprefix(f"{self.job.source}: ")
        return [str(self.plan), *([gaps] if gaps else [])]

    def _left(self) -> list[str]:
        """What is there already."""
        found = [f"{count:,} {why}" for why, count in self.left]
        again = f" (-y redoes {self.outdated:,})" if self.outdated else ""
        return [f"{len(self.todo):,} to do, {', '.join(found)}{again}"] if found else []

    def refuse_if_held(self) -> None:
        """The journals' lock is one for all of an output folder."""

    def need(self, maker: Maker, each: float | None = None) -> Need:
        return space.of_sequence(self, maker.workers, each)

    def expected(self, expected: Estimate, *, seen: bool = False) -> str:
        return space.told_of_sequence(self, expected) if seen else ""

    def preview(self, maker: Maker, count: int) -> Preview:
        return numbered_preview.write(self, maker, count)

    def make(self, maker: Maker, journals: Journals, request: ClipRequest) -> FilmOutcome:
        folder = film_journal.folder_of(self.job)
        with FilmBook(folder, self.job.target) as book, color.single_threaded():
            stamps = numbered_shots.stamps_of(self.plan)
            takes = numbered_shots.found(self.plan, self.sheet, maker, book, stamps)
            if self.sheet is None and (why := _nothing_to_color(takes)):
                return replace(self._skipped(why), kind=self.kind)
            asked = maker.settings.transfer
            for number in sorted(book.account.broken):
                is_well = numbered_shots.seen(self.plan, number, asked) is not None
                book.broken(number, mended=is_well)
            wanted = self._wanted_of(takes, maker.settings, stamps, book.account)
            assert wanted.recipes is not None
            # until the lock was taken, another run may have made some
            one = self._what_is_left(wanted, journals, lambda: maker.model_sha256, request.redo)
            if self.sheet is not None:
                book.look(shot_looks.digest_of_looks(takes))
            elif not one.outdated:  # nothing stays as a list of before had it
                book.look("")
            notes = self._list_shots(takes, maker, book)
            outcome = numbered_sink.color_frames(one, maker, journals, wanted.recipes, book)
            outcome = maker.with_shots(outcome, takes)
            return replace(outcome, notes=(*outcome.notes, *notes))

    def _list_shots(self, takes: Sequence[Take], maker: Maker, book: FilmBook) -> tuple[str, ...]:
        """Write the list of shots, before any frame: once all are there, nobody comes back for it;
        see `shots_beside`."""
        lines = numbered_shots.lines_of(self.plan, takes, book.account)
        name, model = numbered_shots.list_name(self.plan), maker.engine.path.stem
        return shots_beside.write(name, lines, model, book, given=self.sheet is not None)

    def unfinished(self, maker: Maker, request: ClipRequest) -> FilmOutcome:
        wanted = self._wanted(maker.settings)
        with journals_of([self], request) as journals:
            found = numbered_plan.what_is_left(
                self.plan, wanted, journals, lambda: maker.model_sha256
            )
        return numbered_sink.unfinished(self, numbered_sink.outcome_of(self, found.done, []))

    def tell(self, outcome: FilmOutcome, journals: Journals, homes: frozenset[Path]) -> None:
        tell(self.job, outcome, journals, homes)

    def proof(self, request: ClipRequest, stop: Callable[[], bool], more: Told) -> Proof:
        limits = numbered_sink.limits_of(request.batch_size, request.workers, request.memory)
        with journals_of([self], request) as journals:
            return luma_proof.prove_frames(self.plan, journals, limits, stop, more)

    def can_be_proved(self, outcome: FilmOutcome) -> bool | None:
        """Frames that are there are compared whatever they were made with."""
        if outcome.reason == FINISHED or (self.done > 0 and not self.kind):
            return True
        is_there = outcome.outdated or outcome.reason in (RESULT_CHANGED, NOT_OURS)
        return False if is_there else None


def _nothing_to_color(takes: Sequence[Take]) -> str:
    """Why frames are left alone whose shots are all to stay as they are, "" if they are not. Titles
    and leader alone become neutral: a reel of them is part of a film."""
    if not takes or any(take.look.action != "keep" for take in takes):
        return ""
    return IN_COLOR if "color" in shot_looks.counted(takes) else TONED


def tell(job: Job, outcome: FilmOutcome, journals: Journals, homes: frozenset[Path]) -> None:
    """Record how the work on a sequence ended; see `film_clip.tell`."""
    if journals.is_open(job):
        journals.tell(job, outcome)
    else:
        film_clip.tell(job, outcome, homes)


def journals_of(clips: Iterable[object], request: ClipRequest) -> Journals:
    """The journals of the sequences that become frames: one for all of an output folder, which the
    machines of --shard have each a part of."""
    return Journals([one.job for one in clips if isinstance(one, FrameJob)], request.part)


def planned(
    found: FoundClips, request: ClipRequest, sheet: Callable[[Path], Sheet | None]
) -> FramesClip:
    """A sequence with what it becomes. sheet: what somebody says of the shots of a source. Raises
    UsageError, SourceError, TargetError."""
    _refuse_options_of_films(request)
    assert found.sequence is not None
    folder = clip_files.folder_of_frames(found, request.output)
    check_target(folder)
    plan = numbered_plan.plan_frames(
        found.sequence,
        folder,
        request.settings,
        home=request.output,
        named=found.named,
        allow_gaps=request.allow_gaps,
    )
    return FramesClip(plan, sheet=sheet(plan.job.source))


def _refuse_options_of_films(request: ClipRequest) -> None:
    advice = "name a film, -o NAME.mov, or leave it out"
    if request.audio is not None:
        raise UsageError("--audio is for a film made of frames; frames have no sound", advice)
    asked = request.settings
    if asked.fps is not None and asked.start is None and asked.end is None:
        raise UsageError("--fps is for a film made of frames, and for --start and --end", advice)
