"""The list of a film's shots as a file beside it, of a run and of a look before it.

Flows in: what is known of a film's shots, and what is done with them. Flows out: a file that people
edit (`shot_sheet`), or none where it is there. One that was edited is never written over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
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
    one: FilmJob,
    target: Path,
    takes: Sequence[Take],
    account: Account,
    model: str,
    about_to: Callable[[str], None],
) -> Path | None:
    """Write the list of a film's shots; None where it is there, or where somebody has given a list
    and there is one. target: whose name the list has; model: the run's name; about_to: told its
    SHA-256 before. Raises TargetError."""
    if one.sheet is not None and atomic.reachable(shot_sheet.path_beside(target)).exists():
        return None
    data = shot_sheet.to_bytes(lines_of(one, takes, account), model)
    path, sha256 = shot_sheet.place_of(target, data, account.sheets)
    if path is not None:
        about_to(sha256)
        atomic.make_folder(path.parent)
        atomic.write_bytes(path, data)
    return path


def write_for_preview(
    one: FilmJob, takes: Sequence[Take], account: Account, model: str
) -> Path | None:
    """The same of a look before the run, under a name of its own; the one that is there where none
    is written. What is written is recorded where no other run is at work on the film, so that a
    later look may write over it."""
    target = one.job.target
    named = target.with_name(target.name + OF_PREVIEW)
    path = None
    with contextlib.ExitStack() as stack:
        try:
            book = stack.enter_context(FilmBook(film_journal.folder_of(one.job), target))
        except LockedError:
            path = write(one, named, takes, account, model, lambda sha256: None)
        else:
            path = write(one, named, takes, account, model, book.sheet)
    beside = shot_sheet.path_beside(named)
    return path or (beside if atomic.reachable(beside).exists() else None)
