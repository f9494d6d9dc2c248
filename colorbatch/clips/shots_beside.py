"""The list of a clip's shots as a file beside its result, of a run and of a look before it.

Flows in: lines, the account of the clip. Flows out: a file that people edit (`shot_sheet`), or none
where it is there. One that was edited is never written over: the account knows what was written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from colorbatch.clips import film_journal, shot_edits, shot_sheet
from colorbatch.clips.film_journal import Account, FilmBook
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_sheet import Line
from colorbatch.clips.timecodes import timecode_at
from colorbatch.errors import LockedError
from colorbatch.fs import atomic

OF_PREVIEW = "-preview"
"""Behind the name of a film in that of a preview's list: the run writes one as well."""


def lines_of(one: FilmJob, takes: Sequence[Take], account: Account) -> list[Line]:
    """The shots of a film as they are listed."""
    video = one.plan.film.video

    def timecode(pts: int) -> str:
        if video.timecode:
            return timecode_at(one.plan.film, pts)
        return shot_edits.clock_time((pts - video.start) * video.time_base)

    return shot_edits.lines_of(takes, account.shots, account.marks, timecode, one.job.target.parent)


def write(
    target: Path, lines: Sequence[Line], model: str, book: FilmBook, *, given: bool
) -> tuple[str, ...]:
    """Write the list beside a result; a note where it has another name than usual. model: the run's
    name; given: whether somebody has given a list: then none is written over it, or beside it.
    Raises TargetError."""
    beside = shot_sheet.path_beside(target)
    path = _write(target, shot_sheet.to_bytes(lines, model), book.account, book, given=given)
    if path in (None, beside):
        return ()
    return (f"{beside.name} was edited and stays; the list of shots is in {path.name}",)


def write_for_preview(
    one: FilmJob, takes: Sequence[Take], account: Account, model: str
) -> Path | None:
    """The same of a look at a film before the run, under a name of its own; the one that is there
    where none is written. What is written is recorded where no other run is at work on the film, so
    that a later look may write over it."""
    target, given = one.job.target, one.sheet is not None
    named = target.with_name(target.name + OF_PREVIEW)
    data = shot_sheet.to_bytes(lines_of(one, takes, account), model)
    with contextlib.ExitStack() as stack:
        book = None
        with contextlib.suppress(LockedError):
            book = stack.enter_context(FilmBook(film_journal.folder_of(one.job), target))
        known = account if book is None else book.account
        path = _write(named, data, known, book, given=given)
    beside = shot_sheet.path_beside(named)
    return path or (beside if atomic.reachable(beside).exists() else None)


def _write(
    target: Path, data: bytes, account: Account, book: FilmBook | None, *, given: bool
) -> Path | None:
    """None where it is there, or another that was given. book: where it is recorded, None where
    another run holds it."""
    beside = shot_sheet.path_beside(target)
    if book is not None:
        atomic.remove_temporaries(beside.parent, account.owners)  # of a killed run
    if given and atomic.reachable(beside).exists():
        return None
    path, sha256 = shot_sheet.place_of(target, data, account.sheets)
    if path is not None:
        if book is not None:
            book.sheet(sha256)
        atomic.make_folder(path.parent)
        with atomic.replacing(path, owner="" if book is None else book.owner) as file:
            file.write(data)
    return path
