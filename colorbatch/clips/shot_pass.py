"""The pass over a film that finds its shots, before any color; recorded as it goes.

Flows in: a planned film and its account. Flows out: the list of shots, complete in the account. A
pass that was killed goes on from the last cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from colorbatch.clips import film_frames, shot_list
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.segment import OtherPicturesError
from colorbatch.clips.shot_list import Mark, Passed, Shown
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg import Glance, IrregularError


def find_shots(plan: FilmPlan, maker: Maker, book: FilmBook) -> tuple[Sequence[Mark], Passed]:
    """The list of shots, as it is recorded, or made as far as it is not. Raises StoppedError, and
    OtherPicturesError where the source is not what it was."""
    account = book.account
    while (passed := account.passed) is None:
        known = shot_list.going_on(account.marks)
        told = maker.stage("shots are found", plan.count, "frame")
        start = known[-1].pts if known else plan.span[0]
        try:
            with plan.footage.glances(start, dense=account.dense) as glances:
                shots = _Shots(book, known)
                found = shot_list.marks(
                    _until(glances, plan.span[1], maker.stop),
                    lambda planes: film_frames.shot_view(planes, plan),
                    plan.film.video.time_base,
                    sparse=glances.sparse,
                    begun=known,
                    seen=told,
                    first=shots.frames_before,
                    judge=lambda planes: film_frames.kind_of(planes, plan),
                    shown=shots.show,
                )
                for mark in found:
                    if not shots.mark(mark):
                        raise OtherPicturesError(f"{plan.film.path}: gives other pictures")
                ending = glances.ending
        except IrregularError:
            book.dense()
            continue
        told_of = (ending.retimed, ending.jumps, ending.corrupt) if ending else (0, 0, 0)
        book.marked(Passed(*told_of, plan.seen))
    return account.marks, passed


class _Shots:
    """What a pass tells, on its way into the account."""

    def __init__(self, book: FilmBook, known: Sequence[Mark]) -> None:
        self._book, self._known = book, known
        self._number = max(0, len(known) - 1)
        self._cut = self._number
        """The place of the mark that the shot begins with."""

    @property
    def frames_before(self) -> int:
        """How many frames the shots have that are not passed again."""
        shown = self._book.account.shown
        before = [at for at in shown if at < self._number]
        if not before:
            return 0
        return shown[max(before)].last + 1

    def mark(self, mark: Mark) -> bool:
        """Record one; whether it is what was known of it."""
        if self._number < len(self._known) and mark.digest != self._known[self._number].digest:
            return False
        if mark.cut:
            self._cut = self._number
        self._book.mark(self._number, mark)
        self._number += 1
        return True

    def show(self, shown: Shown) -> None:
        self._book.show(self._cut, shown)


def _until(
    glances: Iterable[Glance], end: int | None, stop: Callable[[], bool]
) -> Iterator[Glance]:
    """Those before a tick. Raises StoppedError."""
    for glance in glances:
        if stop():
            raise StoppedError
        if end is not None and glance.pts >= end:
            return
        yield glance
