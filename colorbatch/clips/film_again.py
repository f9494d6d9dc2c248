"""A finished film of which some shots are made again: what stays is taken back out of it.

Flows in: the account of a finished film, and the segments that are wanted now. Flows out: those of
its segments that would be made as they were, complete and recorded. They are copied, not encoded
again, and only out of a film whose SHA-256 is what it was: so nothing has to be kept beside it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from colorbatch import ffmpeg
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook, Part
from colorbatch.clips.film_source import sha256_of
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_list import Span
from colorbatch.clips.shot_looks import serves
from colorbatch.errors import SourceError, TargetError
from colorbatch.fs import atomic

logger = logging.getLogger(__name__)


def take_back(
    one: FilmJob, maker: Maker, book: FilmBook, spans: Sequence[Span], there: Collection[int]
) -> None:
    """Take back what is to stay of the finished film that is made again; nothing where none is.
    there: the numbers of segments that are there already. What cannot be taken back is made, with a
    warning. Raises StoppedError."""
    former = book.account.former
    if former is None:
        return
    wanted = _wanted(spans, {part.number: part for part in former.parts}, there)
    if not wanted:
        return
    target = one.job.target
    try:
        size = atomic.reachable(target).stat().st_size
        told = maker.stage("the finished film is read", size, "B")
        is_same = size == former.finish.size
        if not is_same or sha256_of(target, maker.stop, told) != former.finish.sha256:
            logger.warning("%s: is not as it was left; all of it is made again", target)
            return
        ticks = _ticks(book, spans, wanted)
        taken = 0
        for part in _taken(one, maker, book, former.parts, ticks):
            book.add(part)
            taken += 1
    except (SourceError, TargetError, OSError) as error:
        logger.warning("%s: is made again, as it cannot be read: %s", target, error)
        return
    if taken < len(wanted):
        logger.warning(
            "%s: of %d segments %d cannot be taken back, and are made again",
            *(target, len(wanted), len(wanted) - taken),
        )


def _wanted(
    spans: Sequence[Span], former: dict[int, Part], there: Collection[int]
) -> frozenset[int]:
    """The numbers of the segments that stay as they are. One whose last shot goes on in a segment
    that is made again has to be made again as well: what it hands on is gone."""
    stay = set(there)
    for span in reversed(spans):
        part = former.get(span.number)
        if span.number in stay or part is None or not serves(part.recipe, span.recipe):
            continue
        if not (span.goes_on and part.handed_on) or span.number + 1 in stay:
            stay.add(span.number)
    return frozenset(stay - set(there))


def _ticks(
    book: FilmBook, spans: Sequence[Span], wanted: Collection[int]
) -> dict[int, tuple[int, ...]]:
    """The ticks of the frames of segments, as the pass has seen them."""
    every = [tick for shot in book.account.shots for tick in shot.ticks()]
    found = {}
    for place, span in enumerate(spans):
        if span.number in wanted:
            own = (
                tick
                for tick in every
                if (tick >= span.begin or place == 0) and (span.end is None or tick < span.end)
            )
            found[span.number] = tuple(own)
    return found


def _taken(
    one: FilmJob,
    maker: Maker,
    book: FilmBook,
    parts: Sequence[Part],
    ticks: dict[int, tuple[int, ...]],
) -> Iterator[Part]:
    """The segments that are taken back, with their files."""
    segments = [part.segment for part in parts]
    frames = maker.stage("what stays is copied", sum(map(len, ticks.values())), "frame")
    found = ffmpeg.take_back(
        one.job.target,
        segments,
        {place: ticks[part.number] for place, part in enumerate(parts) if part.number in ticks},
        one.plan.encoding,
        owner=book.owner,
        stop=maker.stop,
    )
    with contextlib.closing(found):  # type: ignore[type-var]
        for place in found:
            part = parts[place]
            path = part.segment.path
            size = atomic.reachable(path).stat().st_size
            frames(part.segment.frames)
            yield replace(part, size=size, sha256=atomic.sha256(path))
