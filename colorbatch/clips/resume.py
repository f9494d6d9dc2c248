"""Why a film need not be made: its journal and its target against what is asked for now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips import film_journal, shot_edits, shot_looks
from colorbatch.clips.film_journal import Account, FilmBook, Head
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.fs import atomic
from colorbatch.job import FilmSettings, Job
from colorbatch.journal.records import (
    NOT_OURS,
    OTHER_MODEL,
    OTHER_SETTINGS,
    SOURCE_CHANGED,
    judged,
    stale,
)

logger = logging.getLogger(__name__)

BEGUN = {
    SOURCE_CHANGED: "source changed since it was begun",
    OTHER_MODEL: "begun with another model",
    OTHER_SETTINGS: "begun with other settings",
}
OTHER_LIBRARY = "begun with another encoder library"
"""Why an unfinished film is not gone on with."""


@dataclass(frozen=True)
class FilmJob:
    """One film to make, and what it becomes. sheet: what somebody says of its shots; takes: what is
    done with them, where that is known before the work."""

    job: Job
    plan: FilmPlan
    kind: str = ""
    sheet: Sheet | None = None
    takes: tuple[Take, ...] = ()


def joined(folder: Path, plan: FilmPlan) -> Path:
    """Where a film is complete before it gets its name."""
    return folder / f"joined.{plan.container}"


def head_of(one: FilmJob, settings: FilmSettings, model_sha256: str) -> Head:
    """What a film would be made from now, and with what. Raises SourceError."""
    size, mtime_ns, sample = one.plan.footage.identity()
    digest = one.plan.digest(settings)
    name = one.job.source.name
    return Head(name, size, mtime_ns, sample, digest, model_sha256, ffmpeg.LIBRARY)


def begin(plan: FilmPlan, book: FilmBook, head: Head, *, anew: bool = False) -> None:
    """Begin a film, unless what there is of it can be gone on with; the list of its shots stays
    where it holds. anew: whatever there is."""
    account, old = book.account, book.account.head
    same = old is not None and old.is_as(head)
    if same and not anew and can_be_parted(account):
        book.again()
    same = same and account.finish is None
    if same and account.version < film_journal.VERSION and account.parts and not anew:
        logger.warning(
            "%s: begun by an earlier version, which cut it elsewhere; begun anew", head.source
        )
    if anew or not same or account.version < film_journal.VERSION:
        book.begin(head, listed=not anew and is_listed(plan, head, account))


def verdict(
    one: FilmJob, settings: FilmSettings, model: Callable[[], str]
) -> tuple[str, bool, Account]:
    """Why a film need not be made, and whether what there is of it is outdated; ('', False) if it
    is to do, and what is known of it. Raises SourceError."""
    account = film_journal.read(film_journal.folder_of(one.job))
    target = atomic.reachable(one.job.target)
    size = target.stat().st_size if target.is_file() else None
    # a file that was there before an unfinished film was begun is to be replaced by it
    if size is not None and account.finish is None and not account.replaces:
        return NOT_OURS, one.job.named, account
    if _is_under_way(one, account):
        reason = _begun_otherwise(one, settings, model, account)
        return reason, bool(reason), account
    if account.finish is None:
        return "", False, account
    is_asked = False

    def changed() -> str:
        nonlocal is_asked
        assert account.head is not None and account.finish is not None
        if reason := _changed(account.head, head_of(one, settings, model())):
            return reason
        if is_as_asked(one, settings, account, account.finish.looks):
            return ""
        is_asked = one.sheet is not None and can_be_parted(account)
        return OTHER_SETTINGS

    reason, outdated = judged(size, account.finish.size, changed)
    return ("", False, account) if is_asked else (reason, outdated, account)


def can_be_parted(account: Account) -> bool:
    """Whether some shots of a finished film can be made again without the others."""
    return bool(account.passed and account.shown and account.finish and account.finish.looks)


def is_listed(plan: FilmPlan, head: Head, account: Account) -> bool:
    """Whether what is known of a film's shots holds for what is to be made of it now."""
    old, passed = account.head, account.passed
    if old is None or passed is None or account.version < film_journal.VERSION:
        return False
    is_same = old.identity == head.identity and old.library == head.library
    return is_same and passed.seen == plan.seen


def takes_of(one: FilmJob, settings: FilmSettings, account: Account) -> list[Take]:
    """What is done with the shots of a film whose list is complete. Raises UsageError for a list of
    somebody's that does not fit it."""
    takes = shot_looks.takes_of(account.marks, account.shown, settings, named=one.job.named)
    if one.sheet is None:
        return takes
    video = one.plan.film.video
    return shot_edits.edited(
        *(takes, account.shots, one.sheet, account.marks),
        lambda pts: (pts - video.start) * video.time_base,
    )


def is_as_asked(one: FilmJob, settings: FilmSettings, account: Account, looks: str) -> bool:
    """Whether what was done with the shots of a film is what is to be done with them; of films of
    earlier versions it is, unless somebody says otherwise."""
    if not looks or not (account.passed and account.shown):
        return one.sheet is None
    digest = shot_looks.digest_of_looks(takes_of(one, settings, account))
    return shot_looks.serves(looks, digest)


def _is_under_way(one: FilmJob, account: Account) -> bool:
    """Whether there is work of an earlier run that can be gone on with."""
    if account.finish is None:
        return any(part.sha256 for part in account.in_order)
    # recorded, and not named before a kill
    return atomic.reachable(joined(film_journal.folder_of(one.job), one.plan)).exists()


def _begun_otherwise(
    one: FilmJob, settings: FilmSettings, model: Callable[[], str], account: Account
) -> str:
    """Why an unfinished film cannot be gone on with, "" if it can."""
    assert account.head is not None
    now = head_of(one, settings, model())
    if reason := _changed(account.head, now):
        return BEGUN[reason]
    is_asked = one.sheet is not None or not account.looks
    if not (is_asked or is_as_asked(one, settings, account, account.looks)):
        return BEGUN[OTHER_SETTINGS]
    return OTHER_LIBRARY if account.head.library != now.library else ""


def _changed(old: Head, now: Head) -> str:
    """What a film was made of or with that is another now, "" for nothing. What encodes has no part
    in it: a finished film stays as good as it was."""
    return stale(
        old.identity == now.identity,
        lambda: old.model == now.model,
        lambda: old.settings == now.settings,
    )
