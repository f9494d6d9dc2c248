"""A film, from its source to its result: where frames, the model and the account of segments meet.

Flows in: a planned job and an engine. Flows out: one `FilmOutcome`. Decoding, inference, chroma and
encoding overlap: one thread decodes, one encodes, some make chroma, and the model runs on the
caller's. A few batches for each core are held, within half of the memory, whatever the film's
length. Work goes segment by segment;
each is complete on the disk, then recorded, and a run that ended anywhere is gone on with behind
the last one. What a segment holds does not depend on where a run began.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from colorbatch import color, ffmpeg
from colorbatch.clips import film_frames, film_journal, film_plan, film_sink
from colorbatch.clips.film_frames import Batch
from colorbatch.clips.film_journal import FilmBook, Finish, Head, Part
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.film_source import MARKED_AS, sha256_of
from colorbatch.clips.resume import FilmJob, head_of, joined
from colorbatch.color import Float
from colorbatch.errors import SourceError, StoppedError
from colorbatch.ffmpeg import Frame, Planes, SegmentWriter
from colorbatch.formats import memory_need
from colorbatch.fs import atomic
from colorbatch.job import FilmOutcome, FilmSettings
from colorbatch.model.engine import Engine
from colorbatch.run import available_memory, pipeline

logger = logging.getLogger(__name__)

AHEAD = 2
"""Batches decoded before they are asked for, and made before they are encoded."""
BATCH_COST = 4
"""Bytes that a batch takes for each byte of its source's samples: these, the result's, and floating
point while chroma is made. (Two cores show 2; more of them make more at the same time.)"""
BESIDE = 8
"""Batches beside those that are at work: read for cuts, decoded ahead, waiting for the encoder, and
the encoder's own frames. Of RGB with 16 bits at 2160 lines these are 1.5 GB."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Maker:
    """What colors the films of a run. workers: threads that make chroma; progress: told how many
    frames are done more; found: how many an earlier run had made; read: what is read once more and
    how many bytes it has -> who is told how many of them are read more; stop: asked often. anew: do
    not go on with segments of before."""

    engine: Engine
    model_sha256: str
    settings: FilmSettings
    workers: int = 0
    anew: bool = False
    progress: Callable[[int], None] = lambda frames: None
    found: Callable[[int], None] = lambda frames: None
    read: Callable[[str, int], Callable[[int], None]] = lambda what, size: lambda more: None
    stop: Callable[[], bool] = lambda: False

    @property
    def mark(self) -> str:
        """The tag that says where the color comes from."""
        return f"{MARKED_AS}{self.engine.mark}"


def color_film(one: FilmJob, maker: Maker) -> FilmOutcome:
    """Make one film, or go on with it. Raises ColorbatchError and StoppedError; what is finished is
    kept, and the same call goes on from there."""
    head = head_of(one, maker.settings, maker.model_sha256)
    with FilmBook(film_journal.folder_of(one.job), one.job.target) as book, color.single_threaded():
        made = joined(book.folder, one.plan)
        published = None if maker.anew else _published(book, head, made, maker.stop)
        if published is not None:
            return film_sink.outcome(one, published, book.account)
        old = book.account.head
        if maker.anew or old is None or not old.is_as(head) or book.account.finish is not None:
            book.begin(head)
        parts = list(book.whole_parts(maker.stop))
        if book.account.ending is None or len(parts) < len(book.account.parts):
            _make_segments(one, maker, book, parts)
        else:
            maker.found(sum(part.segment.frames for part in parts))
        _unchanged(one, maker.settings, head)
        finish = film_sink.join(one, maker.mark, book, made, maker.stop, maker.read)
        book.finish(made, finish)
        return film_sink.outcome(one, finish, book.account)


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


# --- segments ----------------------------------------------------------------------------------


def _make_segments(one: FilmJob, maker: Maker, book: FilmBook, parts: list[Part]) -> None:
    """Make the segments that are missing behind `parts`, and record how the source ended."""
    plan = one.plan
    if damaged := book.account.parts[len(parts) :]:
        path = damaged[0].segment.path
        logger.warning("%s: not as it was left; it and those behind it are made again", path)
    found = _opened(plan, parts, maker.stop)
    if found is None:
        logger.warning("%s: gives other pictures than before; it is begun anew", plan.film.path)
        assert book.account.head is not None
        book.begin(book.account.head)
        parts = []
    reading, good = found or (plan.footage.frames(plan.span[0]), None)
    maker.found(sum(part.segment.frames for part in parts))
    with reading:
        behind = parts[-1].segment.last if parts else None
        frames = film_plan.within(_after(reading, behind), plan.span, plan.step)
        source = film_frames.batches(frames, plan, maker.engine.batch_size, good, len(parts))
        with contextlib.closing(_colored(source, plan, maker)) as results:
            _encode(results, one, maker, book)
        # a part of the film that --end cuts off is not read to its end
        ending = reading.ending
    if not book.account.parts:
        raise SourceError(f"{one.job.source}: has no pictures in this part")
    if not plan.footage.exists():
        raise SourceError(f"{one.job.source}: has gone while it was read")
    book.end(_notes(ending))


def _notes(ending: ffmpeg.Ending | None) -> tuple[str, ...]:
    if ending is None:
        return ()
    told = (
        (ending.cut_off, f"the source {ending.cut_off}"),
        (ending.lost, f"{ending.lost} undecodable pictures at the start"),
        (ending.retimed, f"{ending.retimed} frames without a time of their own"),
        (ending.jumps, f"{ending.jumps} jumps of the source's clock are closed"),
    )
    return tuple(words for is_so, words in told if is_so)


def _opened(
    plan: FilmPlan, parts: Sequence[Part], stop: Callable[[], bool]
) -> tuple[ffmpeg.Reading, tuple[int, Planes] | None] | None:
    """The source, read up to the last frame of these segments, and the last good frame until then.

    It is sought; where the frame there is another than it was, it is read from the start. None
    where that does not help.
    """
    if not parts:
        return plan.footage.frames(plan.span[0]), None
    last = parts[-1]
    start = last.segment.last if last.good is None else last.good
    for begin in (start, plan.span[0]):
        reading = plan.footage.frames(begin)
        good: tuple[int, Planes] | None = None
        try:
            for frame in reading:
                if stop():
                    raise StoppedError
                if frame.pts == last.good:
                    good = frame.pts, frame.planes
                if frame.pts == last.segment.last and frame.planes.digest() == last.digest:
                    return reading, good
                if frame.pts >= last.segment.last:
                    break
        except BaseException:
            reading.close()
            raise
        reading.close()
        logger.debug("%s: sought another picture than before", plan.film.path)
    return None


def _after(frames: Iterable[Frame], tick: int | None) -> Iterator[Frame]:
    return (frame for frame in frames if tick is None or frame.pts > tick)


@dataclass(frozen=True, eq=False)
class _Made:
    """A batch's result: planes to encode, and the digest of its last frame's source."""

    batch: Batch
    planes: tuple[Planes, ...]
    digest: str


def _colored(source: Iterator[Batch], plan: FilmPlan, maker: Maker) -> Generator[_Made, None, None]:
    """Batches through the model, in order."""
    engine, saturation = maker.engine, maker.settings.saturation

    def view(batch: Batch) -> pipeline.Loaded[None]:
        views = [film_frames.lightness(planes, plan, engine.size) for planes in batch.seen]
        return pipeline.Loaded(None, np.stack(views))

    def finish(batch: Batch, held: None, ab: Float | None) -> _Made:
        assert ab is not None
        planes = tuple(
            film_frames.colored(frame.planes, one, plan, saturation, frame.fields)
            for frame, one in zip(batch.frames, ab, strict=True)
        )
        return _Made(batch, planes, batch.frames[-1].planes.digest())

    limits = limits_of(plan, maker.engine.batch_size, maker.workers)
    with contextlib.closing(_ahead(source)) as items:
        results = pipeline.run(items, view, engine.predict, finish, limits, maker.stop)
        for done in results:
            if done.error is not None:
                raise done.error
            assert done.result is not None
            yield done.result
    if maker.stop():
        raise StoppedError


def limits_of(plan: FilmPlan, batch_size: int, workers: int = 0) -> pipeline.Limits:
    """Threads that make chroma, and batches between decoding and encoding: one for each and one
    more, but no more than half of the machine's memory holds."""
    threads = workers or os.cpu_count() or 1
    room = max(0, available_memory.default() - memory_need.BASE_BYTES)
    batch = (
        BATCH_COST * film_frames.frames_at_once(plan, batch_size) * film_frames.frame_bytes(plan)
    )
    held = max(2, min(threads + 1, room // batch - BESIDE))
    return pipeline.Limits(held - 1, held, 1)


def _ahead(source: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, made on a thread of their own before they are asked for."""
    end: Any = object()
    with ThreadPoolExecutor(1, "colorbatch-decode") as pool:
        waiting = deque(pool.submit(next, source, end) for _ in range(AHEAD))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, source, end))
                yield item
        finally:
            for future in waiting:
                future.cancel()


def _encode(results: Iterator[_Made], one: FilmJob, maker: Maker, book: FilmBook) -> None:
    """Write what comes, on a thread of its own, and record each segment that is complete."""
    work = _Segments(one.plan, book)
    with ThreadPoolExecutor(1, "colorbatch-encode") as pool:
        waiting: deque[tuple[Future[None], int]] = deque()

        def finished(left: int) -> None:
            while len(waiting) > left:
                future, count = waiting.popleft()
                future.result()
                maker.progress(count)

        try:
            for made in results:
                waiting.append((pool.submit(work.add, made), len(made.planes)))
                finished(AHEAD)
            finished(0)
            pool.submit(work.close).result()
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            work.abandon(error)
            raise


@dataclass
class _Segments:
    """The segment that is being written; used by one thread at a time."""

    plan: FilmPlan
    book: FilmBook
    number: int = -1
    writer: SegmentWriter | None = None
    last: _Made | None = None
    corrupt: int = 0
    told: dict[str, list[int]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, made: _Made) -> None:
        """Encode a batch, in a segment of its own where it is the first of one."""
        if made.batch.segment != self.number or self.writer is None:
            self.close()
            self.number, self.corrupt, self.told = made.batch.segment, 0, {}
            self.seen = Counter()
            suffix = self.plan.encoding.segment_container
            path = self.book.folder / f"{self.number:06d}.{suffix}"
            self.writer = SegmentWriter(path, self.plan.encoding, owner=self.book.owner)
        for frame, planes in zip(made.batch.frames, made.planes, strict=True):
            self.writer.write(planes, frame.pts, frame.duration, frame.fields)
            self.seen.update((*frame.beside, *([frame.fields] if frame.fields else ())))
            self.corrupt += frame.corrupt
            if frame.note:
                self.told.setdefault(frame.note, []).append(frame.pts)
        self.last = made

    def close(self) -> None:
        """Complete the segment and record it."""
        if self.writer is None or self.last is None:
            return
        segment = self.writer.close()
        self.writer = None
        good = self.last.batch.good
        self.book.add(segment, self.last.digest, good, self.corrupt, self.told, self.seen)

    def abandon(self, error: BaseException) -> None:
        """Drop what is not complete."""
        if self.writer is not None:
            with contextlib.suppress(Exception):
                self.writer.__exit__(type(error), error, error.__traceback__)
