"""The shots of a film before the work on it: found for a preview, and kept for the run.

Flows in: a planned film. Flows out: its account with a complete list of shots. The list is kept in
the film's journal where nothing is made yet; of a film that is finished, is under way, or is made
by another run, nothing is touched, and the list is gone when the preview ends.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from colorbatch.clips import film_journal, resume
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import Account, FilmBook, Head
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.segment import OtherPicturesError
from colorbatch.clips.shot_pass import find_shots
from colorbatch.errors import LockedError
from colorbatch.fs import atomic


def found(one: FilmJob, maker: Maker) -> Account:
    """What is known of a film, its shots found. Raises SourceError, TargetError, StoppedError."""
    head = resume.head_of(one, maker.settings, maker.model_sha256)
    folder, target = film_journal.folder_of(one.job), one.job.target
    account = film_journal.read(folder)
    if resume.is_listed(one.plan, head, account):
        return account
    if _is_untouched(one, account):
        try:
            with FilmBook(folder, target) as book:
                if _is_untouched(one, book.account):
                    return _passed(one, maker, book, head)
        except LockedError:
            pass
    with (
        tempfile.TemporaryDirectory(prefix="colorbatch-") as beside,
        FilmBook(Path(beside), target) as book,
    ):
        made = _passed(one, maker, book, head)
    made.sheets = account.sheets
    return made


def _is_untouched(one: FilmJob, account: Account) -> bool:
    """Whether there is nothing of a film yet, but for a list of its shots."""
    made = account.parts or account.finish or account.former or account.replaces
    return not made and not atomic.reachable(one.job.target).exists()


def _passed(one: FilmJob, maker: Maker, book: FilmBook, head: Head) -> Account:
    """The account of a film of which nothing is made, with the list of its shots."""
    resume.begin(one.plan, book, head)
    try:
        find_shots(one.plan, maker, book)
    except OtherPicturesError:
        book.begin(head)
        find_shots(one.plan, maker, book)
    return book.account
