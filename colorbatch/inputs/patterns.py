"""Patterns: which paths `--include`, `--exclude` and `scans/**/*.tif` mean.

The only file that knows wcmatch. It is taken because the standard library's `**` needs Python 3.13
or follows links, and because of gitignore's language (pathspec) `!`, `#` and blanks at the end mean
something, which they do not in names of files.
"""

from __future__ import annotations

import functools
import glob as shell
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wcmatch import glob

from colorbatch.errors import UsageError

FLAGS = glob.GLOBSTAR | glob.IGNORECASE | glob.DOTGLOB | glob.FORCEUNIX
MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class Patterns:
    """Which paths below a source folder are meant. Paths are given with `/`, in any letter case.

    `*`, `?` and `[...]` stay within a name, `**` goes over folders. A pattern without `/` means
    names at any depth, one with `/` the path from the source folder on. A pattern that matches a
    folder means all that it holds. What is excluded stays so, whatever is included.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(_from_top(pattern) for pattern in (*self.include, *self.exclude)):
            raise UsageError("--include and --exclude want a pattern; this one is empty")

    def take(self, path: str) -> bool:
        """Whether the file at this path is meant."""
        return (not self.include or _means(self.include, path)) and self.enter(path)

    def enter(self, path: str) -> bool:
        """Whether a folder may hold files that are meant."""
        return not (self.exclude and _means(self.exclude, path))

    def and_below(self, pattern: str) -> Patterns:
        """Those that are `pattern` as well, which is given from the folder on."""
        return _Both(self.include, self.exclude, f"/{pattern}")


EVERYTHING = Patterns()


@dataclass(frozen=True)
class _Both(Patterns):
    also: str = ""

    def take(self, path: str) -> bool:
        return super().take(path) and _means((self.also,), path)


def _from_top(pattern: str) -> str:
    """The pattern as one for the whole path, with `/`, in Unicode's NFC."""
    pattern = unicodedata.normalize("NFC", pattern.replace(os.sep, "/")).removesuffix("/")
    if pattern and "/" not in pattern:
        return f"**/{pattern}"
    return pattern.removeprefix("./").lstrip("/")


@functools.cache
def _matcher(patterns: tuple[str, ...]) -> glob.WcMatcher[str]:
    return glob.compile([_from_top(pattern) for pattern in patterns], flags=FLAGS)


def _means(patterns: tuple[str, ...], path: str) -> bool:
    path = unicodedata.normalize("NFC", path)
    return _matcher(patterns).match(path) or _means_folder(patterns, path.rpartition("/")[0])


@functools.lru_cache(maxsize=1024)
def _means_folder(patterns: tuple[str, ...], folder: str) -> bool:
    return bool(folder) and _means(patterns, folder)


def is_pattern(source: Path) -> bool:
    """Whether a name that is no file may be a pattern."""
    return not MAGIC.isdisjoint(str(source))


def split(source: Path) -> tuple[Path, str] | None:
    """The folder before the first wildcard, and the pattern below it, where `**` is part of it."""
    if "**" not in source.parts:
        return None
    first = next(index for index, part in enumerate(source.parts) if is_pattern(Path(part)))
    return Path(*source.parts[:first]), "/".join(source.parts[first:])


def expand(source: Path) -> Sequence[Path]:
    """Files and folders that a pattern without `**` means, as a shell would, sorted."""
    return sorted(map(Path, shell.glob(str(source))))  # noqa: PTH207 - as a shell
