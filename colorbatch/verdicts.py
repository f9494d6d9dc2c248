"""Why a film need not be made: its journal and its target against what is asked for now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colorbatch import avio, files, filmbook
from colorbatch.files import Job
from colorbatch.filmbook import Account, Head
from colorbatch.records import (
    FINISHED,
    NOT_OURS,
    OTHER_MODEL,
    OTHER_SETTINGS,
    RESULT_CHANGED,
    SOURCE_CHANGED,
)
from colorbatch.video import FilmPlan, FilmSettings


@dataclass(frozen=True)
class FilmJob:
    """One film to make, and what it becomes."""

    job: Job
    plan: FilmPlan
    kind: str = ""


def joined(folder: Path, plan: FilmPlan) -> Path:
    """Where a film is complete before it gets its name."""
    return folder / f"joined.{plan.container}"


def head_of(one: FilmJob, settings: FilmSettings, model_sha256: str) -> Head:
    """What a film would be made from now, and with what. Raises SourceError."""
    size, mtime_ns, sample = one.plan.footage.identity()
    digest = one.plan.digest(settings)
    name = one.job.source.name
    return Head(name, size, mtime_ns, sample, digest, model_sha256, avio.LIBRARY)


def verdict(
    one: FilmJob, settings: FilmSettings, model: Callable[[], str]
) -> tuple[str, bool, Account]:
    """Why a film need not be made, and whether its result is outdated; ('', False) if it is to do,
    and what is known of it. Raises SourceError."""
    account = filmbook.read(filmbook.folder_of(one.job))
    target = files.reachable(one.job.target)
    size = target.stat().st_size if target.is_file() else None
    if size is None:
        return "", False, account
    if account.head is None or account.finish is None:
        # a file that was there before an unfinished film was begun is to be replaced by it
        going_on = account.replaces
        return ("" if going_on else NOT_OURS), one.job.named and not going_on, account
    if files.reachable(joined(filmbook.folder_of(one.job), one.plan)).exists():
        return "", False, account  # recorded, and not named before a kill
    if size != account.finish.size:
        return RESULT_CHANGED, False, account
    now, old = head_of(one, settings, model()), account.head
    if old.identity != now.identity:
        return SOURCE_CHANGED, True, account
    if old.model != now.model:
        return OTHER_MODEL, True, account
    if old.settings != now.settings:
        return OTHER_SETTINGS, True, account
    return FINISHED, False, account
