"""Finding films and naming what they become.

Flows in: the files and folders that a user gave, and an output. Flows out: sources in a fixed
order, and for each, once its container is known, a job. Names only: nothing is read or written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch import finding, lists
from colorbatch.avio import container_of
from colorbatch.errors import UsageError
from colorbatch.files import Job
from colorbatch.patterns import EVERYTHING, Patterns
from colorbatch.places import exists, real

FILM_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "avi", "dv", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg"),
        *("mts", "mxf", "nut", "ogv", "qt", "ts", "vob", "webm", "wmv"),
    )
)
"""What folders are searched for; a film that is named may have any suffix."""


@dataclass(frozen=True)
class Found:
    """A film to make: its source, where it is below the output, and the folder that keeps the
    account of results beside their sources. named: one by one, or found in a folder."""

    source: Path
    below: Path
    place: Path
    named: bool


def find_films(
    sources: Sequence[Path],
    output: Path | None,
    patterns: Patterns = EVERYTHING,
    listed: Sequence[str] | None = None,
) -> list[Found]:
    """Films among files and folders (recursive), each once, without results of earlier runs.

    patterns: for what folders and lists hold; listed: paths below the one folder in `sources`, or
    else below the working directory, which are not asked for (`finding.plan_jobs`).

    Raises UsageError for a source that is not there, and for an output that is a source.
    """
    single = output if output is not None and names_a_film(output) else None
    if listed is not None:
        return _listed(listed, sources, output, patterns, single)
    folders = [path for path in sources if path.is_dir()]
    many = len({real(folder) for folder in folders}) > 1
    found: dict[Path, Found] = {}
    for source in sources:
        if not exists(source):
            raise UsageError(f"{source}: no such file or folder")
        if not source.is_dir():
            found.setdefault(real(source), Found(source, Path(source.name), source.parent, True))
            continue
        if single is not None:
            raise UsageError(f"{output} names one film, but there may be several")
        if output is not None and real(output) == real(source):
            raise UsageError(f"{output}: the output folder is a source")
        start = Path(real(source).name) if many else Path()
        skip = real(output) if output is not None else None
        for path in finding.walk(source, FILM_SUFFIXES, skip, patterns):
            if output is None and path.stem.endswith(finding.DEFAULT_SUFFIX):
                continue  # a result of an earlier run
            below = start / path.relative_to(source)
            found.setdefault(real(path), Found(path, below, source, False))
    if single is not None and len(found) > 1:
        raise UsageError(f"{output} names one film, but there are {len(found)}")
    return _some(list(found.values()), patterns)


def _listed(
    listed: Sequence[str],
    sources: Sequence[Path],
    output: Path | None,
    patterns: Patterns,
    single: Path | None,
) -> list[Found]:
    """The films of a list. Raises UsageError."""
    if single is not None:
        raise UsageError(f"{single} names one film, but there may be several")
    skip = real(output) if output is not None else None
    root, films = lists.pictures_of(listed, sources, patterns, skip)
    return _some([Found(path, below, root, False) for path, below in films], patterns)


def _some(found: list[Found], patterns: Patterns) -> list[Found]:
    """The same. Raises UsageError where there are none."""
    if not found and patterns != EVERYTHING:
        raise UsageError("--include and --exclude leave no films")
    if not found:
        raise UsageError("no films found", "name a film, or a folder that has some")
    return found


def names_a_film(output: Path) -> bool:
    """Whether an output is the name of one film rather than a folder. Raises UsageError for one
    that is not written."""
    if output.is_dir() or not output.suffix:
        return False
    if container_of(output.name):
        return True
    if output.suffix.lower() in FILM_SUFFIXES:
        raise UsageError(f"{output}: films are written as .mkv, .mov or .mp4")
    return False


def job_of(found: Found, output: Path | None, container: str) -> Job:
    """The job of a film that becomes a file of `container`; the source's own suffix stays where it
    means that container."""
    if output is not None and names_a_film(output):
        return Job(found.source, output, named=True)
    own = container_of(found.below.name) == container
    name = found.below.stem + ("" if output is not None else finding.DEFAULT_SUFFIX)
    name += found.below.suffix if own else f".{container}"
    folder = output / found.below.parent if output is not None else found.source.parent
    return Job(found.source, folder / name, found.named, output or found.place)


def refuse_clashes(jobs: Sequence[Job]) -> None:
    """Raises UsageError where two sources have one target, or a target is a source."""
    sources = {real(job.source) for job in jobs}
    targets: dict[str, Job] = {}
    for job in jobs:
        if real(job.target) in sources:
            raise UsageError(f"{job.target}: the target is a source; sources are never written to")
        key = unicodedata.normalize("NFC", str(job.target)).casefold()
        if (other := targets.setdefault(key, job)) is not job:
            raise UsageError(f"{other.source} and {job.source} would both become {job.target}")
