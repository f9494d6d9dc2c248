"""A film as a clip: judged, told of, made segment by segment, and joined.

Flows in: a planned film and a `Maker`. Flows out: one `FilmOutcome`. First the list of shots is
made (`shot_list`) and recorded, from which the segments follow; each is a job (`segment`), several
of them at work side by side, complete on the disk and then recorded here; a run that ended anywhere
is gone on with where segments are missing. What a segment holds does not depend on any of that.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from colorbatch import color
from colorbatch.clips import (
    film_again,
    film_journal,
    film_preview,
    film_sink,
    luma_proof,
    resume,
    segment,
    shot_list,
    shot_looks,
    shot_models,
    shots_beside,
    space,
)
from colorbatch.clips.clip import IN_COLOR, TONED, Maker, Told, Wrong, left_alone
from colorbatch.clips.film_journal import Account, FilmBook, Finish, Head, Part
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.film_source import MARKED_AS, sha256_of
from colorbatch.clips.luma_proof import Proof
from colorbatch.clips.preview import Preview
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.resume import FilmJob, head_of, joined
from colorbatch.clips.sampling import kind_of_film
from colorbatch.clips.segment import Open, OtherPicturesError, SegmentJob
from colorbatch.clips.shot_list import Passed, Span
from colorbatch.clips.shot_looks import serves
from colorbatch.clips.shot_pass import find_shots, watched
from colorbatch.errors import SourceError, StoppedError, TargetError
from colorbatch.ffmpeg import codec_of, tick
from colorbatch.fs import atomic
from colorbatch.job import FilmOutcome, FilmSettings, Job
from colorbatch.journal.append_log import FOLDER
from colorbatch.journal.records import FINISHED, NOT_OURS, RESULT_CHANGED
from colorbatch.journal.results import Journals
from colorbatch.run import chains
from colorbatch.run.estimate import Estimate, Need
from colorbatch.run.report import GOES_ON, escaped

logger = logging.getLogger(__name__)

NO_PICTURE = "titles or leader alone"


@dataclass(frozen=True)
class FilmClip(FilmJob):
    """A film in one file, whether its source is one or numbered frames; see `clip.Clip`."""

    of: ClassVar[type[FilmOutcome]] = FilmOutcome

    @property
    def count(self) -> int | None:
        return self.plan.count

    @property
    def marked(self) -> bool:
        return self.plan.footage.marked

    @property
    def files(self) -> Sequence[Job]:
        return ()

    def judged(
        self, request: ClipRequest, journals: Journals, model: Callable[[], str]
    ) -> tuple[FilmClip, FilmOutcome | None]:
        reason, outdated, account = resume.verdict(self, request.settings, model)
        again = request.redo == "outdated" or request.preview is not None
        anyway = request.redo == "all" or (outdated and again)
        if reason and not anyway:
            skipped = replace(self._skipped(reason), outdated=outdated)
            if (made := account.finish) is not None and reason != RESULT_CHANGED:
                skipped = replace(
                    skipped,
                    source_sha256=made.source_sha256,
                    target_sha256=made.sha256,
                    made_by=account.made_by,
                )
            return self, skipped
        film = replace(self, kind=kind_of_film(self.plan.footage))
        if request.settings.fate(film.kind, film.job.named) == "skip":
            return film, replace(self._skipped(left_alone(film.kind)), kind=film.kind)
        return film, None

    def _skipped(self, reason: str) -> FilmOutcome:
        return FilmOutcome(self.job.source, self.job.target, "skipped", reason)

    def wrong(self, request: ClipRequest) -> Sequence[Wrong]:
        """What the container cannot hold."""
        plan = self.plan
        kinds = {stream.index: stream.kind for stream in plan.film.others}
        return [
            Wrong(
                f"{plan.film.path}: {plan.container} cannot hold its {each.what}: {each.reason}",
                "" if each.index is None else kinds[each.index],
                plan.container,
            )
            for each in plan.refusals
            if each.index is None or not request.settings.drop_unsupported
        ]

    def foreseen(self) -> FilmOutcome:
        return FilmOutcome(self.job.source, self.job.target, "colored", kind=self.kind)

    def line(self, workers: int) -> str:
        kind = f" ({self.kind})" if self.kind else ""
        told = "; ".join(_told(self.plan))
        return escaped(f"{self.job.source} -> {self.job.target}{kind}: {told}")

    def refuse_if_held(self) -> None:
        film_journal.refuse_if_held(film_journal.folder_of(self.job), self.job.target)

    def need(self, maker: Maker, each: float | None = None) -> Need:
        return space.of_film(self, maker.engine, maker.settings)

    def expected(self, expected: Estimate, *, seen: bool = False) -> str:
        return space.told_of_film(expected)

    def preview(self, maker: Maker, count: int) -> Preview:
        return film_preview.write(self, maker, count)

    def make(self, maker: Maker, journals: Journals, request: ClipRequest) -> FilmOutcome:
        return color_film(self, maker)

    def unfinished(self, maker: Maker, request: ClipRequest) -> FilmOutcome:
        account = film_journal.read(film_journal.folder_of(self.job))
        made = sum(part.segment.frames for part in account.in_order)
        about = f" of about {self.count:,}" if self.count else ""
        reason = f"{made:,}{about} frames are made; {GOES_ON}"
        return FilmOutcome(self.job.source, self.job.target, "unfinished", reason, frames=made)

    def tell(self, outcome: FilmOutcome, journals: Journals, homes: frozenset[Path]) -> None:
        tell(self.job, outcome, homes)

    def proof(self, request: ClipRequest, stop: Callable[[], bool], more: Told) -> Proof:
        return luma_proof.prove_luma(self.plan, self.job.target, stop, more)

    def can_be_proved(self, outcome: FilmOutcome) -> bool | None:
        """A film that is not as this request would make it cannot be."""
        if outcome.reason == FINISHED:
            return True
        is_there = outcome.outdated or outcome.reason in (RESULT_CHANGED, NOT_OURS)
        return False if is_there else None


def tell(job: Job, outcome: FilmOutcome, homes: frozenset[Path]) -> None:
    """Record how the work on a clip ended; where no result is or is to be, no folder is made for
    that. homes: folders that keep an account already."""
    home = film_journal.home_of(job)
    if home in homes or atomic.reachable(home / FOLDER, room=40).is_dir():
        film_journal.tell(job, outcome)


# --- told of -----------------------------------------------------------------------------------


def _told(plan: FilmPlan) -> list[str]:
    """What a plan says, in parts."""
    video, encoding = plan.film.video, plan.encoding
    rate = encoding.rate
    told = f"{rate} frames/s" if rate else "variable rate"
    if rate and rate.denominator == 1:
        told = f"{rate.numerator} frames/s"
    parts = [
        f"{video.codec} {video.pixels.name} -> {encoding.codec} {encoding.pix_fmt} in "
        f"{plan.container}",
        f"{video.size[1]}x{video.size[0]} at {told}"
        + (f", about {plan.count:,} frames" if plan.count else ""),
    ]
    copied = [each for each in plan.film.others if each.index not in plan.drop]
    streams = ", ".join(f"{each.kind} ({each.codec})" for each in copied)
    if plan.film.sound is not None:
        parts.append(f"sound of {plan.film.sound}: {streams or 'nothing'}")
    else:
        parts.append(f"copied: {streams or 'no other streams'}")
    parts += [*plan.footage.losses, *plan.footage.notes]
    return parts + _warnings(plan)


def _warnings(plan: FilmPlan) -> list[str]:
    found = [f"left out: {each.what}: {each.reason}" for each in plan.refusals]
    if plan.not_kept:
        found.append(f"not kept: {', '.join(plan.not_kept)}")
    fit, base = plan.fit, plan.encoding.time_base
    step = tick(plan.container, base)
    if (base / step).denominator != 1:
        found.append(f"times are rounded to {float(step * 1000):g} ms, as {plan.container} counts")
    codec = codec_of(plan.encoding.codec)
    full = plan.made.levels == "full" and fit.pixels.kind == "yuv"
    if full and plan.container not in codec.levels_told:
        found.append(
            f"its levels are full, which {codec.title} cannot tell: players show it otherwise"
        )
    if fit.bits_lost:
        found.append(f"{fit.bits_lost} bits of depth are lost")
    if fit.chroma_lost:
        found.append("chroma is coarser than the source's")
    if fit.alpha_lost:
        found.append("transparency is lost")
    return found


# --- made --------------------------------------------------------------------------------------


def color_film(one: FilmJob, maker: Maker) -> FilmOutcome:
    """Make one film, or go on with it. Raises ColorbatchError and StoppedError; what is finished is
    kept, and the same call goes on from there."""
    head = head_of(one, maker.settings, maker.model_sha256)
    with FilmBook(film_journal.folder_of(one.job), one.job.target) as book, color.single_threaded():
        made = joined(book.folder, one.plan)
        published = None if maker.anew else _published(book, head, made, maker.stop)
        account = book.account
        if published and resume.is_as_asked(one, maker.settings, account, published.looks):
            return _outcome(one, maker, published, account)
        resume.begin(one.plan, book, head, anew=maker.anew)
        try:
            left = _make_segments(one, maker, book)
        except OtherPicturesError:
            logger.warning("%s: gives other pictures than before; begun anew", one.plan.film.path)
            book.begin(head)
            left = _make_segments(one, maker, book)
        if left:
            return FilmOutcome(one.job.source, one.job.target, "skipped", left)
        _unchanged(one, maker.settings, head)

        def read(what: str, size: int) -> Told:
            return maker.stage(what, size, "B")

        mark = f"{MARKED_AS}{maker.mark(resume.takes_of(one, maker.settings, book.account))}"
        finish = film_sink.join(one, mark, book, made, maker.stop, read)
        notes = _list_shots(one, maker, book)
        book.finish(made, finish)
        outcome = _outcome(one, maker, finish, book.account)
        return replace(outcome, notes=(*outcome.notes, *notes))


def _list_shots(one: FilmJob, maker: Maker, book: FilmBook) -> tuple[str, ...]:
    """Write the list of a film's shots beside where it will be; see `shots_beside`."""
    takes = resume.takes_of(one, maker.settings, book.account)
    lines, model = shots_beside.lines_of(one, takes, book.account), maker.engine.path.stem
    return shots_beside.write(one.job.target, lines, model, book, given=one.sheet is not None)


def _outcome(one: FilmJob, maker: Maker, finish: Finish, account: Account) -> FilmOutcome:
    """What a finished film is told with."""
    takes = resume.takes_of(one, maker.settings, account)
    return maker.with_shots(film_sink.outcome(one, finish, account), takes)


def _published(book: FilmBook, head: Head, made: Path, stop: Callable[[], bool]) -> Finish | None:
    """A film that a killed run had recorded and not named yet, named."""
    finish = book.account.finish
    place = atomic.reachable(made)
    old = book.account.head
    if finish is None or old is None or not old.is_as(head) or not place.is_file():
        return None
    if place.stat().st_size != finish.size or sha256_of(made, stop) != finish.sha256:
        return None
    book.publish(made)
    return finish


def _unchanged(one: FilmJob, settings: FilmSettings, head: Head) -> None:
    """Raises SourceError for a source that is not what it was when work began."""
    if not head_of(one, settings, head.model).is_as(head):
        raise SourceError(f"{one.job.source}: was changed while it was read")


def _make_segments(one: FilmJob, maker: Maker, book: FilmBook) -> str:
    """Make the segments that are missing, and record how the source ended; "", or why nothing is to
    be made."""
    plan = one.plan
    marks, passed = find_shots(watched(plan), maker, book)
    takes = resume.takes_of(one, maker.settings, book.account)
    spans = shot_list.segments_of(marks, plan.span[1], takes)
    if not spans:
        raise SourceError(f"{one.job.source}: has no pictures in this part")
    if one.sheet is None and not any(take.look.action == "color" for take in takes):
        kinds = shot_looks.counted(takes)
        return IN_COLOR if "color" in kinds else TONED if kinds.keys() != {"title"} else NO_PICTURE
    book.look(shot_looks.digest_of_looks(takes))
    whole = _whole(book, spans, maker.stop)
    film_again.take_back(one, maker, book, spans, whole.keys())
    whole = whole | book.account.parts
    told, lock = maker.stage("", plan.count, "frame"), threading.Lock()
    maker.found(sum(part.segment.frames for part in whole.values()))

    def progress(frames: int) -> None:  # told from several segments
        with lock:
            told(frames)

    def work(job: SegmentJob, source: Open, stop: Callable[[], bool]) -> Part:
        return segment.work(
            job,
            maker.settings,
            maker.engine,
            source=source,
            step=maker.step,
            models=maker.models,
            stop=stop,
            progress=progress,
        )

    batch_size, workers, memory = maker.engine.batch_size, maker.workers, maker.memory
    ahead = maker.step().ahead if maker.step is not None else 0
    beside = shot_models.bytes_of(takes)
    lanes = segment.lanes_of(plan, batch_size, workers, memory, ahead=ahead, beside=beside)
    lanes = lanes if passed.seekable else 1  # else all is read in order
    limits = segment.limits_of(
        *(plan, batch_size, workers, memory), ahead=ahead, lanes=lanes, beside=beside
    )

    def job(span: Span) -> SegmentJob:
        return SegmentJob(plan, span, book.folder, book.owner, limits, sought=passed.seekable)

    todo = [
        [job(span) for span in chain] for chain in _chains(spans, whole, maker.step is not None)
    ]
    results = chains.run(todo, work, Open, lanes, maker.stop)
    with maker.models.holding(lanes), contextlib.closing(results):
        for _, part in results:
            book.add(part)
    if maker.stop() and len(book.account.parts) < len(spans):
        raise StoppedError
    if not plan.footage.exists():
        raise SourceError(f"{one.job.source}: has gone while it was read")
    if book.account.ending is None:
        book.end(_notes(book.account.in_order, passed))
    return ""


def _whole(book: FilmBook, spans: Sequence[Span], stop: Callable[[], bool]) -> dict[int, Part]:
    """The segments that are there as they were left, with what the next one of their shot needs of
    them; the others are forgotten."""
    recipes = {span.number: span.recipe for span in spans}
    whole = {
        part.number: part
        for part in book.whole_parts(stop)
        if serves(part.recipe, recipes.get(part.number, ""))
    }
    for span in reversed(spans):
        is_needed = span.goes_on and span.number + 1 not in whole
        if is_needed and span.number in whole and not _hands_on(book, whole[span.number]):
            del whole[span.number]
    for number, part in sorted(book.account.parts.items()):
        if number not in whole:
            logger.warning("%s: not as it was left; it is made again", part.segment.path)
            del book.account.parts[number]
            book.account.ending = None
    return whole


def _hands_on(book: FilmBook, part: Part) -> bool:
    """Whether what a segment has handed on, if anything, is as it was left."""
    if not part.handed_on:
        return True
    try:
        segment.read_state(book.folder, part.number)
    except TargetError:
        return False
    return True


def _chains(spans: Sequence[Span], whole: dict[int, Part], in_order: bool) -> list[list[Span]]:
    """What is to be made. in_order: whether segments of one shot follow each other."""
    found: list[list[Span]] = []
    for span in spans:
        if span.number in whole:
            continue
        if in_order and span.continues and found and found[-1][-1].number == span.number - 1:
            found[-1].append(span)
        else:
            found.append([span])
    return found


def _notes(parts: Sequence[Part], passed: Passed) -> tuple[str, ...]:
    """How reading the source ended, in words."""
    cut_off, lost = parts[-1].cut_off, parts[0].lost
    told = (
        (cut_off, f"the source {cut_off}"),
        (lost, f"{lost} undecodable pictures at the start"),
        (passed.retimed, f"{passed.retimed} frames without a time of their own"),
        (passed.jumps, f"{passed.jumps} jumps of the source's clock are closed"),
    )
    return tuple(words for is_so, words in told if is_so)
