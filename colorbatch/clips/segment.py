"""One segment of a film as a job: a value, and the work on it.

Flows in: a `SegmentJob`, settings, a model. Flows out: a `Part`, whose file is complete under its
name; who asked for it writes the journal. What a segment holds depends on the job alone, whatever
else is at work and wherever a run began.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

import numpy as np

from colorbatch import ffmpeg
from colorbatch.clips import film_frames, film_plan, steering
from colorbatch.clips.film_frames import Batch
from colorbatch.clips.film_journal import Part
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.ordered_step import OrderedStep
from colorbatch.clips.render import Model, Way, render
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import ShotModel, Take
from colorbatch.clips.shot_models import ShotModels
from colorbatch.clips.stabiliser import Stabiliser
from colorbatch.clips.steering import FilmPictures, Steered
from colorbatch.color import Float
from colorbatch.errors import SourceError, StoppedError, TargetError
from colorbatch.ffmpeg import Frame, Planes, SegmentWriter
from colorbatch.formats import memory_need
from colorbatch.fs import atomic
from colorbatch.job import FilmSettings
from colorbatch.run import available_memory
from colorbatch.run.pipeline import Done, Limits, Loaded

BATCH_COST = 4
"""Bytes that a batch takes for each byte of its source's samples: these, the result's, and floating
point while chroma is made. (Two cores show 2; more of them make more at the same time.)"""
BESIDE = 8
"""Batches beside those that are at work: decoded ahead, waiting for the encoder, and the encoder's
own frames. Of RGB with 16 bits at 2160 lines these are 1.5 GB."""


class OtherPicturesError(SourceError):
    """A source gives other pictures than it did when its list of shots was made."""


@dataclass(frozen=True)
class SegmentJob:
    """A segment to make. folder: where its file goes; owner: marks its temporary; sought: whether
    reading may begin at the segment, and not at the source's start (`Passed.seekable`)."""

    plan: FilmPlan
    span: Span
    folder: Path
    owner: str
    limits: Limits
    sought: bool = True


def work(
    job: SegmentJob,
    settings: FilmSettings,
    model: Model,
    *,
    source: Open | None = None,
    step: Callable[[], OrderedStep] | None = None,
    models: Callable[[ShotModel], Model] | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Part:
    """Make a segment. source: what the one before left open; step: makes what sees the color of a
    shot's frames in order; a shot that began before goes on from the file that the segment before
    has left (`state_of`). models: opens those that shots name instead of `model`, whose batch size
    holds for all. progress: told how many frames are done more, on another thread. Raises
    SourceError, TargetError, StoppedError; there is no file then."""
    plan, span = job.plan, job.span
    in_order = None if step is None else InOrder(step())
    continues, goes_on = (step is not None and each for each in (span.continues, span.goes_on))
    with contextlib.ExitStack() as stack:
        if models is None:
            models = ShotModels(batch_size=model.batch_size)
            stack.enter_context(models.holding(1))

        def own(take: Take) -> Model | None:
            return None if take.colored_by is None else models(take.colored_by)

        pictures = FilmPictures(plan, stop, job.sought)
        steered = steering.of_shots(span.takes, pictures, lambda take: own(take) or model)
        if steered is not None:
            stack.callback(steered.close)
            in_order = in_order or InOrder(Stabiliser(0.0))
            in_order.steered = steered
        if in_order is not None and continues:
            in_order.step.restore(read_state(job.folder, span.number - 1))
        lent = in_order.step.ahead if in_order is not None and goes_on else 0
        opened = source or stack.enter_context(Open())
        sink = _Sink(job, progress)
        stack.push(sink.abandon)
        frames = opened.frames(job, lent, stop)
        items = film_frames.batches(
            frames,
            film_frames.frames_at_once(plan, model.batch_size),
            span.cuts,
            span.end,
            lambda pts: span.look_at(pts).action != "color",
            lambda pts: own(span.take_at(pts)),
        )
        way = Way(items, _viewing(plan, model.size), _finishing(job, settings), sink.add)
        render(way, model, job.limits, stop, in_order)
        if stop():
            raise StoppedError
        handed_on = ""
        if in_order is not None and goes_on:
            handed_on = write_state(job.folder, span.number, in_order.step.state(), job.owner)
        return replace(sink.close(opened), handed_on=handed_on, recipe=span.recipe)


def _viewing(plan: FilmPlan, size: tuple[int, int]) -> Callable[[Batch], Loaded[None]]:
    def view(batch: Batch) -> Loaded[None]:
        if batch.passes:
            return Loaded(None, None)
        own = batch.model
        seen = size if own is None else own.size
        views = [film_frames.lightness(planes, plan, seen) for planes in batch.seen]
        return Loaded(None, np.stack(views), None if own is None else own.predict)

    return view


@dataclass(frozen=True, eq=False)
class Colored:
    """A batch's planes to encode."""

    batch: Batch
    planes: tuple[Planes, ...]


def _finishing(
    job: SegmentJob, settings: FilmSettings
) -> Callable[[Batch, None, Float | None], Colored]:
    plan, span = job.plan, job.span

    def made(frame: Frame, seen: Planes, ab: Float | None) -> Planes:
        look = span.look_at(frame.pts)
        return film_frames.made_by(look, frame, seen, ab, plan, settings.saturation)

    def finish(batch: Batch, held: None, ab: Float | None) -> Colored:
        if batch.beyond:
            return Colored(batch, ())
        assert (ab is None) == batch.passes
        each = [None] * len(batch.frames) if ab is None else list(ab)
        return Colored(batch, tuple(map(made, batch.frames, batch.seen, each)))

    return finish


# --- from segment to segment -------------------------------------------------------------------


@dataclass(eq=False)
class InOrder:
    """An ordered step, as the conductor takes batches through it. See `ordered_step`. steered: what
    gives frames the color of a still, before the step."""

    step: OrderedStep
    steered: Steered | None = None
    _sizes: deque[int] = field(default_factory=deque)
    _ready: list[Float] = field(default_factory=list)
    _marked: bool = False

    def add(self, item: Batch, lightness: Float, ab: Float) -> list[Float]:
        if item.beyond and not self._marked:
            self.step.mark()
            self._marked = True
        self._sizes.append(len(ab))
        given = zip(item.frames, lightness, ab, item.begins, strict=True)
        for frame, light, one, begins in given:
            own = one if self.steered is None else self.steered(frame.pts, light, one)
            self._ready += self.step.add(light, own, begins)
        return self._whole()

    def past(self, item: Batch) -> list[Float]:
        """A shot without the network's color: what was before it is complete."""
        if item.beyond and not self._marked:
            self.step.mark()
            self._marked = True
        self._ready += self.step.end()
        return self._whole()

    def end(self) -> list[Float]:
        if not self._marked:
            self.step.mark()
        self._ready += self.step.end()
        return self._whole()

    def _whole(self) -> list[Float]:
        """The batches all of whose frames are ready."""
        found = []
        while self._sizes and self._sizes[0] <= len(self._ready):
            size = self._sizes.popleft()
            found.append(np.stack(self._ready[:size]))
            del self._ready[:size]
        return found


def state_of(folder: Path, number: int) -> Path:
    """The file with what a segment hands on to the next one of its shot: a line with the SHA-256 of
    what is behind it."""
    return folder / f"{number:06d}.state"


def write_state(folder: Path, number: int, state: bytes, owner: str) -> str:
    """Write that file; the SHA-256. owner: marks its temporary. Raises TargetError."""
    sha256 = hashlib.sha256(state).hexdigest()
    with atomic.replacing(state_of(folder, number), owner=owner) as file:
        file.write(f"{sha256}\n".encode() + state)
    return sha256


def read_state(folder: Path, number: int) -> bytes:
    """What a segment has handed on. Raises TargetError where it is not as it was left."""
    path = state_of(folder, number)
    try:
        told, _, state = atomic.reachable(path).read_bytes().partition(b"\n")
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror or error}") from error
    if hashlib.sha256(state).hexdigest().encode() != told:
        raise TargetError(f"{path}: is not as it was left", "the same command makes it again")
    return state


# --- how many at a time ------------------------------------------------------------------------


def limits_of(
    plan: FilmPlan,
    batch_size: int,
    workers: int = 0,
    memory: int | None = None,
    *,
    ahead: int = 0,
    lanes: int = 1,
    beside: int = 0,
) -> Limits:
    """Threads that make chroma, and batches between decoding and encoding, of each of so many
    segments at a time: one batch for each thread and one more, but no more than fit into memory,
    bytes of the whole process, or half of the machine's. ahead: frames that wait for others
    (`OrderedStep.ahead`); beside: bytes that each segment takes beside frames."""
    threads = workers or os.cpu_count() or 1
    room = _room(memory) // lanes - _waiting_bytes(plan, ahead) - beside
    held = max(2, min(-(-threads // lanes) + 1, room // _batch_bytes(plan, batch_size) - BESIDE))
    return Limits(held - 1, held, 1)


def lanes_of(
    plan: FilmPlan,
    batch_size: int,
    workers: int = 0,
    memory: int | None = None,
    *,
    ahead: int = 0,
    beside: int = 0,
) -> int:
    """How many segments are made side by side: one for every `LANE_CORES` cores, but no more than
    there is memory for. ahead, beside: as of `limits_of`."""
    threads = workers or os.cpu_count() or 1
    least = (BESIDE + 2) * _batch_bytes(plan, batch_size) + _waiting_bytes(plan, ahead) + beside
    return max(1, min(-(-threads // LANE_CORES), _room(memory) // least))


LANE_CORES = 4
"""Cores that one segment keeps busy: decoding and encoding, which do not go beyond a few, and what
is done beside them."""


def _waiting_bytes(plan: FilmPlan, ahead: int) -> int:
    """Of frames that wait for others, and as many that are lent by the next segment."""
    return 2 * ahead * film_frames.frame_bytes(plan)


def _room(memory: int | None) -> int:
    return available_memory.room(memory, memory_need.BASE_BYTES)


def _batch_bytes(plan: FilmPlan, batch_size: int) -> int:
    at_once = film_frames.frames_at_once(plan, batch_size)
    return BATCH_COST * at_once * film_frames.frame_bytes(plan)


# --- the source --------------------------------------------------------------------------------


class Open:
    """A source that stays open from one segment to the next; a context manager."""

    def __init__(self) -> None:
        self._reading: ffmpeg.Reading | None = None
        self._waiting: deque[Frame] = deque()
        """Frames that were read, and belong to the segments that follow."""

    def __enter__(self) -> Open:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._waiting.clear()

    @property
    def ending(self) -> ffmpeg.Ending | None:
        """How the reading ended; None where it did not."""
        return self._reading.ending if self._reading else None

    @property
    def lost(self) -> int:
        """Undecodable pictures before the first one of the reading."""
        return self._reading.lost if self._reading else 0

    def frames(self, job: SegmentJob, lent: int, stop: Callable[[], bool]) -> Iterator[Frame]:
        """The frames of a segment, the last as long as the plan's span lets it; behind them so many
        that are lent, as far as its shot goes on. Raises SourceError, and StoppedError while they
        are sought."""
        span = job.span
        if not self._is_at(job):
            self._seek(job, stop)
        assert self._reading is not None
        known, self._waiting = self._waiting, deque()
        read_again = (known.popleft() for _ in range(len(known)))
        frames = itertools.chain(read_again, self._reading)
        for frame in film_plan.within(frames, job.plan.span, job.plan.step):
            if span.end is not None and frame.pts >= span.end:
                self._waiting.append(frame)
                is_of_shot = span.shot_end is None or frame.pts < span.shot_end
                if len(self._waiting) > lent or not is_of_shot:
                    break
            yield frame
            if lent and len(self._waiting) == lent:
                break
        self._waiting.extend(known)

    def _is_at(self, job: SegmentJob) -> bool:
        """Whether the frame that comes next is the segment's first."""
        return job.span.number > 0 and bool(self._waiting) and _is_first(self._waiting[0], job.span)

    def _seek(self, job: SegmentJob, stop: Callable[[], bool]) -> None:
        """Open the source before the segment. It is sought; where another frame is there, it is
        read from the start. Raises OtherPicturesError where that does not help."""
        plan, span = job.plan, job.span
        self._close()
        if span.number == 0:
            self._reading = plan.footage.frames(plan.span[0])
            return
        for sought in (True, False) if job.sought else (False,):
            start = span.begin if sought else plan.span[0]
            self._reading = plan.footage.frames(start, near=sought)
            for frame in self._reading:
                if stop():
                    raise StoppedError
                if frame.pts >= span.begin:
                    self._waiting.append(frame)
                    break
            if self._waiting and _is_first(self._waiting[0], span):
                return
            self._close()
        raise OtherPicturesError(f"{plan.film.path}: gives other pictures than before")


def _is_first(frame: Frame, span: Span) -> bool:
    if frame.pts != span.begin:
        return False
    return not span.digest or frame.planes.digest() == span.digest


# --- the result --------------------------------------------------------------------------------


@dataclass(eq=False)
class _Sink:
    """The file of a segment that is being written; used by one thread at a time."""

    job: SegmentJob
    progress: Callable[[int], None]
    writer: SegmentWriter | None = None
    corrupt: int = 0
    told: dict[str, list[int]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, done: Done[Batch, Colored]) -> None:
        """Encode a batch. Raises what failed of it."""
        if done.error is not None:
            raise done.error
        assert done.result is not None
        if done.item.beyond:
            return
        if self.writer is None:
            encoding = self.job.plan.encoding
            name = f"{self.job.span.number:06d}.{encoding.segment_container}"
            self.writer = SegmentWriter(self.job.folder / name, encoding, owner=self.job.owner)
        for frame, planes in zip(done.item.frames, done.result.planes, strict=True):
            self.writer.write(planes, frame.pts, frame.duration, frame.fields)
            self.seen.update((*frame.beside, *([frame.fields] if frame.fields else ())))
            self.corrupt += frame.corrupt
            if frame.note:
                self.told.setdefault(frame.note, []).append(frame.pts)
        self.progress(len(done.item.frames))

    def close(self, source: Open) -> Part:
        """Complete the file, and tell what it is. Raises SourceError where there were no frames."""
        if self.writer is None:
            raise SourceError(f"{self.job.plan.film.path}: has no pictures in this part")
        segment = self.writer.close()
        self.writer = None
        try:
            size = atomic.reachable(segment.path).stat().st_size
            sha256 = atomic.sha256(segment.path)
        except OSError as error:
            raise TargetError(f"{segment.path}: {error.strerror or error}") from error
        ending = source.ending
        return Part(
            self.job.span.number,
            segment,
            size,
            sha256,
            self.corrupt,
            source.lost if self.job.span.number == 0 else 0,
            ending.cut_off if ending else "",
            self.told,
            self.seen,
        )

    def abandon(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is not complete."""
        if self.writer is not None and error is not None:
            with contextlib.suppress(Exception):
                self.writer.__exit__(kind, error, trace)
