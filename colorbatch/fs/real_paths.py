"""Where paths really lead: without links, and from which folder on. Nothing is read or written."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from colorbatch.errors import UsageError
from colorbatch.fs.atomic import reachable


def forget() -> None:
    """Forget what is remembered of folders: the working directory or links may be others now."""
    for memory in (real_folder, _folder_below):
        memory.cache_clear()


def exists(path: Path) -> bool:
    """Whether there is such a file; never for names that the system refuses."""
    try:
        return path.exists()
    except OSError:
        return False


def leads_nowhere(path: Path) -> bool:
    """Whether it is a link to what is not there."""
    return path.is_symlink() and not exists(path)


def real(path: Path) -> Path:
    """The path without links. Unlike `Path.resolve` it takes links that lead in a circle."""
    return Path(os.path.realpath(path))


@functools.lru_cache(maxsize=4096)
def real_folder(folder: Path) -> Path:
    """`real` of a folder, remembered: many files have few."""
    return real(folder)


def real_file(path: Path) -> Path:
    """`real` of a file, quickly where it is no link; names that are too long are none."""
    is_link = os.path.islink(path)  # noqa: PTH114 - which never fails
    return real(path) if is_link else real_folder(path.parent) / path.name


@dataclass(frozen=True)
class Identity:
    """What a file or folder is, whatever it is called. links: how many names it has."""

    device: int
    number: int
    links: int = field(compare=False)


def identity(path: Path) -> Identity | None:
    """What a path leads to; None for nothing, or where the file system does not say."""
    try:
        found = reachable(path).stat()
    except (OSError, ValueError):  # the latter for names that no system takes
        return None
    return Identity(found.st_dev, found.st_ino, found.st_nlink) if found.st_ino else None


def name_below(path: Path, root: Path) -> Path | None:
    """The path from a folder on; None for what is not below it."""
    folder = _folder_below(path.parent, root)
    return folder / path.name if folder is not None else None


@functools.lru_cache(maxsize=4096)
def _folder_below(folder: Path, root: Path) -> Path | None:
    """A folder from another on, also where one of the two is given through a link."""
    for place, top in ((folder.absolute(), root.absolute()), (real(folder), real(root))):
        if place.is_relative_to(top):
            return place.relative_to(top)
    return None


def common_folder(paths: Sequence[Path]) -> Path:
    """The deepest folder that all paths are below. Raises UsageError for several drives."""
    try:
        return Path(os.path.commonpath([path.absolute().parent for path in paths]))
    except ValueError as error:
        raise UsageError("the listed files are on several drives; one list for each") from error
