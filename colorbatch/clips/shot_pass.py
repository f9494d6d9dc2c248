"""The pass over a film that finds its shots, before any color; recorded as it goes.

Flows in: a clip as it is looked at, and its account. Flows out: the list of shots, complete in the
account. A pass that was killed goes on from the last cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from colorbatch.clips import film_frames, shot_list
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.segment import OtherPicturesError
from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_list import Mark, Passed, Shown
from colorbatch.color import Codes
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg import Glance, Glances, IrregularError, Planes


@dataclass(frozen=True)
class Watched:
    """A clip as a pass looks at it. count: its frames, about; span: the first tick and the one
    behind the last, None for all; time_base: seconds of a tick; glances: its frames from a tick on,
    and whether each of them is wanted (`source.Footage.glances`); view, judge: of a picture, as
    `shot_list.marks` asks for them; seen: as `Passed.seen`."""

    path: Path
    count: int | None
    span: tuple[int | None, int | None]
    time_base: Fraction
    glances: Callable[[int | None, bool], Glances]
    view: Callable[[Planes], Codes]
    judge: Callable[[Planes], ShotKind | None]
    seen: str = ""


def watched(plan: FilmPlan) -> Watched:
    """A film."""
    return Watched(
        plan.film.path,
        plan.count,
        plan.span,
        plan.film.video.time_base,
        lambda start, dense: plan.footage.glances(start, dense=dense),
        lambda planes: film_frames.shot_view(planes, plan),
        lambda planes: film_frames.kind_of(planes, plan),
        plan.seen,
    )


def find_shots(clip: Watched, maker: Maker, book: FilmBook) -> tuple[Sequence[Mark], Passed]:
    """The list of shots, as it is recorded, or made as far as it is not. Raises StoppedError, and
    OtherPicturesError where the source is not what it was."""
    account = book.account
    while (passed := account.passed) is None:
        known = shot_list.going_on(account.marks)
        told = maker.stage("shots are found", clip.count, "frame")
        start = known[-1].pts if known else clip.span[0]
        try:
            with clip.glances(start, account.dense) as glances:
                shots = _Shots(book, known)
                found = shot_list.marks(
                    _until(glances, clip.span[1], maker.stop),
                    clip.view,
                    clip.time_base,
                    sparse=glances.sparse,
                    begun=known,
                    seen=told,
                    first=shots.frames_before,
                    judge=clip.judge,
                    shown=shots.show,
                )
                for mark in found:
                    if not shots.mark(mark):
                        raise OtherPicturesError(f"{clip.path}: gives other pictures")
                ending = glances.ending
        except IrregularError:
            book.dense()
            continue
        told_of = (ending.retimed, ending.jumps, ending.corrupt) if ending else (0, 0, 0)
        book.marked(Passed(*told_of, clip.seen))
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
