"""A run of clips: planned, made one after the other, proved. `ClipRun` is one.

Flows in: a request and who watches. Flows out: an outcome for each clip as it ends, and when all
have, the report.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from colorbatch.clips import (
    batch_plan,
    film_journal,
    numbered_batch,
    preview,
    render_numbered,
    space,
)
from colorbatch.clips.batch_plan import Planned, Work
from colorbatch.clips.luma_proof import prove_frames, prove_luma
from colorbatch.clips.numbered_plan import FrameJob
from colorbatch.clips.render_film import Maker, color_film
from colorbatch.clips.request import ClipRequest
from colorbatch.errors import ColorbatchError, OutputFullError, SpaceError, StoppedError
from colorbatch.formats.registry import FORMATS
from colorbatch.fs import atomic
from colorbatch.inputs import clip_files, numbered_files, picture_files
from colorbatch.job import FilmOutcome, FramesOutcome, Job, Outcome, PreviewOutcome, in_clear
from colorbatch.journal.append_log import FOLDER
from colorbatch.journal.records import FINISHED, NOT_OURS, RESULT_CHANGED
from colorbatch.journal.results import Journals
from colorbatch.model.contract import find_model, sha256
from colorbatch.model.engine import Engine
from colorbatch.run import estimate
from colorbatch.run.estimate import Need
from colorbatch.run.log import Log, open_log
from colorbatch.run.report import GOES_ON, Report
from colorbatch.run.runs import Run
from colorbatch.run.watch import Watch

logger = logging.getLogger(__name__)

UNPROVED = "its luma is not proved: the run ended before"


class ClipRun(Run):
    """The clips of a request. A dry run gives what would become of each, a preview its stills."""

    def __init__(self, request: ClipRequest, watch: Watch) -> None:
        super().__init__(watch)
        self.request = request

    def _planned(self) -> tuple[Iterator[Outcome], Log | None]:
        model = functools.cache(lambda: sha256(find_model(self.request.model)))
        planned = batch_plan.plan_clips(self.request, model, self.watch)
        self.report.total = len(planned.todo) + len(planned.outcomes)
        return self._outcomes(planned, model), _log(self.request, planned)

    def _outcomes(self, planned: Planned, model: Callable[[], str]) -> Iterator[Outcome]:
        request, watch, report = self.request, self.watch, self.report
        if request.dry_run:
            report.dry_run = True
            yield from _foreseen(planned, watch, request.workers)
            return
        for one in () if watch.quiet else planned.todo:
            watch.say(batch_plan.line_of(one, request.workers))
        engine = None
        if planned.todo:
            engine = Engine(request.model, request.device, batch_size=request.batch_size)
            self.where = engine.told
        if request.preview is not None:
            report.preview = True
            yield from _previewed(request, planned, engine, watch)
            return
        _refuse_locked(planned.todo)
        watch.begun(report.total, report.finished)
        maker, unfit = None, {}
        if engine is not None:
            anew = request.redo == "all"
            maker = Maker(engine, model(), request.settings, request.workers, anew, stop=watch.stop)
            report.made_by = engine.made_by(model(), in_clear(request.settings))
            unfit = _make_sure_of_room(planned.todo, maker, request, report, watch)
        with numbered_batch.journals_of(planned.todo, request) as journals:
            journals.lock()
            journals.begins(report.made_by)
            homes = frozenset(film_journal.home_of(one.job) for one in planned.todo)
            work = _Making(request, watch, journals, unfit, report.made_by, homes)
            yield from work.outcomes(planned, maker)
        report.interrupted = watch.stop() and (report.finished < report.total or work.unproved)
        report.stopped = work.full is not None
        self._full = work.full


def _log(request: ClipRequest, planned: Planned) -> Log | None:
    """The log, if there is to be one. Raises UsageError, TargetError."""
    if request.log is None or request.dry_run or request.preview is not None:
        return None
    jobs = [one.job for one in planned.todo]
    jobs += [Job(each.source, each.target) for each in planned.outcomes]
    clip_files.refuse_log(request.log, jobs, request.audio)
    patterns = [one.parent for one in request.sources if numbered_files.is_pattern(str(one))]
    others = {
        *numbered_files.FRAME_SUFFIXES,
        *clip_files.FILM_SUFFIXES,
        *clip_files.SOUND_SUFFIXES,
    }
    folders = [*picture_files.source_folders(request.sources), *patterns]
    names = dict.fromkeys(others, "frame, a film or a sound") | dict.fromkeys(FORMATS, "picture")
    return open_log(request, jobs, folders, names, "films")


# --- looked at before ----------------------------------------------------------------------------


def _foreseen(planned: Planned, watch: Watch, workers: int) -> Iterator[Outcome]:
    """Every plan, and nothing else."""
    for one in planned.todo:
        outcome = FilmOutcome(one.job.source, one.job.target, "colored", kind=one.kind)
        outcome = numbered_batch.foreseen(one) if isinstance(one, FrameJob) else outcome
        line = "" if watch.quiet else batch_plan.line_of(one, workers)
        yield replace(outcome, foreseen=True, plan=line)
    yield from planned.outcomes


def _previewed(
    request: ClipRequest, planned: Planned, engine: Engine | None, watch: Watch
) -> Iterator[Outcome]:
    """Stills of every clip, before and after."""
    yield from planned.outcomes
    if engine is None:
        return
    maker = Maker(engine, "", request.settings, request.workers)
    for one in planned.todo:
        try:
            written, each = preview.write_pairs(one, maker, request.preview or 1)
            expected = estimate.of([space.of_clip(one, maker, each)])
        except SpaceError:
            raise
        except ColorbatchError as error:
            yield batch_plan.failed_work(one, error)
            continue
        yield PreviewOutcome(
            one.job.source,
            one.job.target,
            "colored",
            kind=one.kind,
            plan=space.told(one, expected),
            stills=tuple(written),
            estimate=expected.to_json(),
        )


# --- room ----------------------------------------------------------------------------------------


def _make_sure_of_room(
    todo: Sequence[Work], maker: Maker, request: ClipRequest, report: Report, watch: Watch
) -> dict[Path, ColorbatchError]:
    """Estimate all that is to do, by a few frames of each; target -> why one cannot be made, for
    its outcome. The report gets the estimate. Raises SpaceError."""
    failed: dict[Path, ColorbatchError] = {}
    needs: list[Need] = []
    for one in todo:
        if watch.stop():
            return failed
        try:
            needs.append(space.of_clip(one, maker))
            if not isinstance(one, FrameJob):  # whose line has it already
                watch.say(f"{one.job.source}: {space.told(one, estimate.of(needs[-1:]))}")
        except ColorbatchError as error:
            failed[one.job.target] = error
    whole = estimate.of(needs)
    report.estimate = whole.to_json()
    if len(todo) > 1:
        watch.say(f"all {len(todo):,}: {whole.text}")
    if not request.ignore_space:
        estimate.of([need for need in needs if need.sure]).refuse_if_too_large()
    return failed


# --- made ----------------------------------------------------------------------------------------


def _refuse_locked(todo: Sequence[Work]) -> None:
    """Before any work, as for pictures. Raises LockedError for a film that another run makes."""
    for one in todo:
        if not isinstance(one, FrameJob):
            film_journal.refuse_if_held(film_journal.folder_of(one.job), one.job.target)


@dataclass
class _Making:
    """The clips that are made. journals: of sequences that become frames; unfit: target -> why it
    cannot be made; made_by: as of `Outcome`; homes: the folders that keep the accounts of what is
    to do; full: why nothing more can be written, None as long as it can; unproved: whether the run
    ended before a proof did."""

    request: ClipRequest
    watch: Watch
    journals: Journals
    unfit: Mapping[Path, ColorbatchError]
    made_by: Mapping[str, object]
    homes: Collection[Path]
    full: OutputFullError | None = None
    unproved: bool = False
    _ended: bool = field(default=False, init=False)

    def outcomes(self, planned: Planned, maker: Maker | None) -> Iterator[FilmOutcome]:
        """First of the clips that are not to be made, then of those that are, one after the other;
        one that fails stops no other."""
        finished = {one.job.target: one for one in planned.finished}
        for known in planned.outcomes:
            again = functools.partial(self._proved_again, known, finished)
            one = finished.get(known.target)
            job = one.job if one else planned.failed.get(known.source)
            yield from self._ending(job or Job(known.source, known.target), again, one)
            if self._ended:
                return
        for one in planned.todo if maker is not None else ():
            assert maker is not None
            make = functools.partial(self._made, one, maker)
            cut = functools.partial(_unfinished, one, maker, self.request)
            yield from self._ending(one.job, make, one, cut)
            if self._ended:
                return

    def _ending(
        self,
        job: Job,
        make: Callable[[], FilmOutcome],
        one: Work | None,
        cut: Callable[[], FilmOutcome] | None = None,
    ) -> Iterator[FilmOutcome]:
        """What becomes of a clip, if anything; `_ended` says whether it is the last. one: None for
        what could not be planned; cut: its outcome where the run ends in the midst of it."""
        outcome: FilmOutcome | None
        begun = time.monotonic()
        failed = functools.partial(batch_plan.failed, job)
        if one is not None:
            failed = functools.partial(batch_plan.failed_work, one)
        try:
            outcome = make()
        except OutputFullError as error:
            self.full = error
            outcome = cut and cut()
        except (StoppedError, KeyboardInterrupt):
            outcome = cut and cut()
        except ColorbatchError as error:
            outcome = failed(error)
        except Exception as error:  # the one place where a clip's failure, of any kind, ends
            logger.debug("%s", job.source, exc_info=error)
            outcome = failed(error)
        if outcome is None:
            self._ended = True
            return
        self._ended = self.full is not None or outcome.status == "unfinished"
        self._ended |= outcome.status == "failed" and self.request.fail_fast
        kind = one.kind if one is not None else ""
        seconds = time.monotonic() - begun if cut or outcome.luma else 0.0
        outcome = replace(outcome, kind=kind or outcome.kind, seconds=seconds)
        if outcome.status != "skipped":
            outcome = replace(outcome, made_by=self.made_by)
            self._tell(job, outcome)
        yield outcome
        self._ended |= self.watch.stop()

    def _tell(self, job: Job, outcome: FilmOutcome) -> None:
        """Record how a clip ended; where no result is or is to be, no folder is made for that."""
        home = film_journal.home_of(job)
        if isinstance(outcome, FramesOutcome) and self.journals.is_open(job):
            self.journals.tell(job, outcome)
        elif home in self.homes or atomic.reachable(home / FOLDER, room=40).is_dir():
            film_journal.tell(job, outcome)

    def _made(self, one: Work, maker: Maker) -> FilmOutcome:
        if one.job.target in self.unfit:
            raise self.unfit[one.job.target]
        name = one.job.source.name
        maker = replace(
            maker,
            progress=self.watch.stage(name, one.plan.count),
            found=self.watch.found,
            read=lambda what, size: self.watch.stage(f"{name}: {what}", size, "B"),
        )
        if isinstance(one, FrameJob):
            outcome = numbered_batch.make(one, maker, self.request, self.journals, self.watch)
        else:
            outcome = color_film(one, maker)
        is_whole = outcome.status != "unfinished"
        return self._proved(one, outcome) if self.request.prove_luma and is_whole else outcome

    def _proved(self, one: Work, outcome: FilmOutcome) -> FilmOutcome:
        """The outcome with what a comparison of the luma says; a clip is made, whether or not there
        is time for that."""
        try:
            what = f"{one.job.source.name}: luma is compared"
            return self._compared(one, outcome, self.watch.stage(what, one.plan.count))
        except (StoppedError, KeyboardInterrupt):
            self.unproved = True
            return replace(outcome, notes=(*outcome.notes, UNPROVED))

    def _compared(
        self, one: Work, outcome: FilmOutcome, more: Callable[[int], None]
    ) -> FilmOutcome:
        if isinstance(one, FrameJob):
            place, request = one.plan.folder, self.request
            limits = render_numbered.limits_of(request.batch_size, request.workers)
            with numbered_batch.journals_of([one], request) as journals:
                proof = prove_frames(one.plan, journals, limits, self.watch.stop, more)
        else:
            place = one.job.target
            proof = prove_luma(one.plan, place, self.watch.stop, more)
        self.watch.say(f"{place}: {proof.text}")
        if proof.holds:
            return replace(outcome, luma=proof.text)
        reason = f"{outcome.reason}; {proof.text}" if outcome.status == "failed" else proof.text
        return replace(outcome, status="failed", reason=reason, luma=proof.text)

    def _proved_again(self, outcome: FilmOutcome, finished: dict[Path, Work]) -> FilmOutcome:
        """The outcome of a clip that was made before, proved if that is asked for. Frames that are
        there are compared whatever they were made with; a film that is not as this request would
        make it cannot be, and that is a failure: a proof was asked for."""
        one = finished.get(outcome.target)
        if not self.request.prove_luma or one is None:
            return outcome
        is_there = isinstance(one, FrameJob) and one.done > 0
        if outcome.reason == FINISHED or (is_there and not one.kind):
            return self._proved(one, outcome)
        if not (outcome.outdated or outcome.reason in (RESULT_CHANGED, NOT_OURS)):
            return outcome  # left alone: there is no result
        luma = f"luma is not proved: {outcome.reason}"
        return replace(outcome, status="failed", reason=luma, luma=luma)


def _unfinished(one: Work, maker: Maker, request: ClipRequest) -> FilmOutcome:
    """The outcome of a clip in the midst of which the run ends: how much of it is recorded."""
    try:
        if isinstance(one, FrameJob):
            return numbered_batch.so_far(one, maker, request)
        account = film_journal.read(film_journal.folder_of(one.job))
    except ColorbatchError as error:
        return batch_plan.failed_work(one, error)
    except KeyboardInterrupt:  # nobody waits for a count
        return FilmOutcome(one.job.source, one.job.target, "unfinished", GOES_ON)
    made = sum(part.segment.frames for part in account.parts)
    about = f" of about {one.plan.count:,}" if one.plan.count else ""
    reason = f"{made:,}{about} frames are made; {GOES_ON}"
    return FilmOutcome(one.job.source, one.job.target, "unfinished", reason, frames=made)
