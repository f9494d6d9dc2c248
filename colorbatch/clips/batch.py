"""A run of clips: planned, made one after the other, proved. `ClipRun` is one.

Flows in: a request and who watches. Flows out: an outcome for each clip as it ends, and when all
have, the report.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from colorbatch.clips import (
    batch_plan,
    film_clip,
    film_journal,
    look_file,
    numbered_clip,
)
from colorbatch.clips.batch_plan import Planned
from colorbatch.clips.clip import Clip, Maker, Stage, Told
from colorbatch.clips.look_file import LookFile
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.shot_models import ShotModels
from colorbatch.clips.stabiliser import step_of
from colorbatch.errors import ColorbatchError, OutputFullError, SpaceError, StoppedError
from colorbatch.formats.registry import FORMATS
from colorbatch.inputs import clip_files, numbered_files, picture_files
from colorbatch.job import FilmOutcome, FramesOutcome, Job, Outcome, PreviewOutcome, in_clear
from colorbatch.journal.results import Journals
from colorbatch.model import parity
from colorbatch.model.contract import find_model, sha256
from colorbatch.model.engine import Engine
from colorbatch.run import estimate
from colorbatch.run.estimate import Need
from colorbatch.run.log import Log, open_log
from colorbatch.run.report import GOES_ON, Report
from colorbatch.run.runs import Run
from colorbatch.run.watch import Unit, Watch

logger = logging.getLogger(__name__)

UNPROVED = "its luma is not proved: the run ended before"


class ClipRun(Run):
    """The clips of a request. A dry run gives what would become of each, a preview its stills."""

    def __init__(self, request: ClipRequest, watch: Watch) -> None:
        super().__init__(watch)
        self.request = request

    def _planned(self) -> tuple[Iterator[Outcome], Log | None]:
        look = None if self.request.look is None else look_file.read(self.request.look)
        if look is not None:
            self.request = look_file.applied(self.request, look)
        model = functools.cache(lambda: sha256(find_model(self.request.model)))
        planned = batch_plan.plan_clips(self.request, model, self.watch)
        self.report.total = len(planned.todo) + len(planned.outcomes)
        return self._outcomes(planned, model, look), _log(self.request, planned)

    def _outcomes(
        self, planned: Planned, model: Callable[[], str], look: LookFile | None
    ) -> Iterator[Outcome]:
        request, watch, report = self.request, self.watch, self.report
        if request.dry_run:
            report.dry_run = True
            yield from _foreseen(planned, watch, request.workers)
            return
        for one in () if watch.quiet else planned.todo:
            watch.say(one.line(request.workers))
        maker, unfit = None, {}
        if planned.todo:
            engine = parity.opened(
                request.model,
                request.device,
                batch_size=request.batch_size,
                tf32=request.settings.tf32,
            )
            self.where = engine.told
            maker = _maker(engine, model(), request, watch)
            maker.models.check([one.sheet for one in planned.todo if one.sheet is not None])
        if request.preview is not None:
            report.preview = True
            yield from _previewed(request, planned, maker, watch)
            return
        if request.look is not None:
            _save_look(request, look, planned)
        for one in planned.todo:  # before any work, as for pictures
            one.refuse_if_held()
        watch.begun(report.total, report.finished)
        if maker is not None:
            report.made_by = maker.engine.made_by(model(), in_clear(request.settings))
            unfit = _make_sure_of_room(planned.todo, maker, request, report, watch)
        with numbered_clip.journals_of(planned.todo, request) as journals:
            journals.lock()
            journals.begins(report.made_by)
            homes = frozenset(film_journal.home_of(one.job) for one in planned.todo)
            work = _Making(request, watch, journals, unfit, report.made_by, homes)
            yield from work.outcomes(planned, maker)
        report.interrupted = watch.stop() and (report.finished < report.total or work.unproved)
        report.stopped = work.full is not None
        self._full = work.full


def _save_look(request: ClipRequest, look: LookFile | None, planned: Planned) -> None:
    """Keep the look, as soon as all that it holds is known to be right."""
    clips = [*planned.todo, *planned.finished]
    one = clips[0] if len(clips) == 1 else None
    source, sheet = (None, None) if one is None else (one.job.source, one.sheet)
    look_file.save(request, look, source, sheet)


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
        line = "" if watch.quiet else one.line(workers)
        yield replace(one.foreseen(), foreseen=True, plan=line)
    yield from planned.outcomes


def _maker(engine: Engine, model_sha256: str, request: ClipRequest, watch: Watch) -> Maker:
    return Maker(
        engine,
        model_sha256,
        request.settings,
        request.workers,
        request.memory,
        anew=request.redo == "all",
        fail_fast=request.fail_fast,
        found=watch.found,
        failed=lambda line: watch.error(f"failed: {line}"),
        say=watch.say,
        stop=watch.stop,
        step=step_of(request.settings),
        models=ShotModels(request.device, request.batch_size, tf32=request.settings.tf32),
    )


def _previewed(
    request: ClipRequest, planned: Planned, maker: Maker | None, watch: Watch
) -> Iterator[Outcome]:
    """Stills of every clip, before and after, and lists of shots."""
    yield from planned.outcomes
    if maker is None:
        return
    count = request.preview or 1
    for one in planned.todo:
        try:
            with maker.models.holding(1):
                shown = one.preview(replace(maker, stage=_stage(one, watch)), count)
            expected = estimate.of([one.need(maker, shown.seconds)])
        except SpaceError:
            raise
        except ColorbatchError as error:
            yield batch_plan.failed_clip(one, error)
            continue
        yield PreviewOutcome(
            one.job.source,
            one.job.target,
            "colored",
            kind=one.kind,
            plan=one.expected(expected, seen=True),
            stills=tuple(shown.stills),
            shot_list=shown.shot_list,
            estimate=expected.to_json(),
        )


# --- room ----------------------------------------------------------------------------------------


def _make_sure_of_room(
    todo: Sequence[Clip], maker: Maker, request: ClipRequest, report: Report, watch: Watch
) -> dict[Path, ColorbatchError]:
    """Estimate all that is to do, by a few frames of each; target -> why one cannot be made, for
    its outcome. The report gets the estimate. Raises SpaceError."""
    failed: dict[Path, ColorbatchError] = {}
    needs: list[Need] = []
    for one in todo:
        if watch.stop():
            return failed
        try:
            needs.append(one.need(maker))
            if told := one.expected(estimate.of(needs[-1:])):
                watch.say(f"{one.job.source}: {told}")
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
    homes: frozenset[Path]
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
        one: Clip | None,
        cut: Callable[[], FilmOutcome] | None = None,
    ) -> Iterator[FilmOutcome]:
        """What becomes of a clip, if anything; `_ended` says whether it is the last. one: None for
        what could not be planned; cut: its outcome where the run ends in the midst of it."""
        outcome: FilmOutcome | None
        begun = time.monotonic()
        failed = functools.partial(batch_plan.failed, job)
        if one is not None:
            failed = functools.partial(batch_plan.failed_clip, one)
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
            outcome = replace(outcome, made_by={**self.made_by, **outcome.made_by})
            tell = one.tell if one is not None else functools.partial(_tell_unplanned, job)
            tell(outcome, self.journals, self.homes)
        yield outcome
        self._ended |= self.watch.stop()

    def _made(self, one: Clip, maker: Maker) -> FilmOutcome:
        if one.job.target in self.unfit:
            raise self.unfit[one.job.target]
        maker = replace(maker, stage=_stage(one, self.watch))
        outcome = one.make(maker, self.journals, self.request)
        is_whole = outcome.status != "unfinished"
        return self._proved(one, outcome) if self.request.prove_luma and is_whole else outcome

    def _proved(self, one: Clip, outcome: FilmOutcome) -> FilmOutcome:
        """The outcome with what a comparison of the luma says; a clip is made, whether or not there
        is time for that."""
        try:
            what = f"{one.job.source.name}: luma is compared"
            return self._compared(one, outcome, self.watch.stage(what, one.count))
        except (StoppedError, KeyboardInterrupt):
            self.unproved = True
            return replace(outcome, notes=(*outcome.notes, UNPROVED))

    def _compared(
        self, one: Clip, outcome: FilmOutcome, more: Callable[[int], None]
    ) -> FilmOutcome:
        proof = one.proof(self.request, self.watch.stop, more)
        place = one.job.target.parent if one.files else one.job.target
        self.watch.say(f"{place}: {proof.text}")
        if proof.holds:
            return replace(outcome, luma=proof.text)
        reason = f"{outcome.reason}; {proof.text}" if outcome.status == "failed" else proof.text
        return replace(outcome, status="failed", reason=reason, luma=proof.text)

    def _proved_again(self, outcome: FilmOutcome, finished: dict[Path, Clip]) -> FilmOutcome:
        """The outcome of a clip that was made before, proved if that is asked for. One that cannot
        be, because it is not as this request would make it, is a failure: a proof was asked for."""
        one = finished.get(outcome.target)
        if not self.request.prove_luma or one is None:
            return outcome
        if (can_be := one.can_be_proved(outcome)) is None:
            return outcome  # left alone: there is no result
        if can_be:
            return self._proved(one, outcome)
        luma = f"luma is not proved: {outcome.reason}"
        return replace(outcome, status="failed", reason=luma, luma=luma)


def _tell_unplanned(
    job: Job, outcome: FilmOutcome, journals: Journals, homes: frozenset[Path]
) -> None:
    """Record how the work on a clip ended of which it is not known what it would become."""
    if isinstance(outcome, FramesOutcome):
        numbered_clip.tell(job, outcome, journals, homes)
    else:
        film_clip.tell(job, outcome, homes)


def _stage(one: Clip, watch: Watch) -> Stage:
    """Who is told of a clip's stages: they have its name."""
    name = one.job.source.name

    def stage(what: str, total: int | None, unit: Unit) -> Told:
        return watch.stage(f"{name}: {what}" if what else name, total, unit)

    return stage


def _unfinished(one: Clip, maker: Maker, request: ClipRequest) -> FilmOutcome:
    """The outcome of a clip in the midst of which the run ends: how much of it is recorded."""
    try:
        return one.unfinished(maker, request)
    except ColorbatchError as error:
        return batch_plan.failed_clip(one, error)
    except KeyboardInterrupt:  # nobody waits for a count
        return FilmOutcome(one.job.source, one.job.target, "unfinished", GOES_ON)
