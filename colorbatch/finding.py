"""Finding sources and naming their jobs.

Flows in: the files and folders that a user gave. Flows out: one `Job` per picture, in a fixed
order. Names only: nothing is read or written.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from colorbatch.errors import UsageError
from colorbatch.files import Job

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".j2k", ".jpx"}
)
"""What is read and written."""
READ_ONLY: Mapping[str, str] = {".heic": ".jpg", ".heif": ".jpg"}
"""What is read only, and the suffix of its results."""
SOURCE_SUFFIXES = PICTURE_SUFFIXES | {*READ_ONLY}
OTHER_PICTURE_SUFFIXES = frozenset({".avif", ".gif", ".dpx", ".exr", *READ_ONLY})
"""Names of pictures, not of folders: nobody means a folder new.jp2."""
JUNK_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
DEFAULT_SUFFIX = "_colorized"


def shard(jobs: Sequence[Job], part: int, parts: int) -> list[Job]:
    """The jobs of part 1 to `parts`: chosen by each target's place alone, so that machines that
    know nothing of each other share a folder's work, whatever the order or the other files."""

    def part_of(job: Job) -> int:
        digest = hashlib.sha256(job.place.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % parts + 1

    return [job for job in jobs if part_of(job) == part]


def is_junk(name: str) -> bool:
    """Hidden files, thumbnails of file managers, our own temporaries."""
    return name.startswith(".") or name.lower() in JUNK_NAMES


def walk(folder: Path, suffixes: frozenset[str], skip: Path | None = None) -> Iterator[Path]:
    """Files below `folder` with one of the suffixes, sorted by name, folder by folder.

    Junk, links to folders and the folder `skip` are passed over. A folder that cannot be listed is
    yielded itself: whoever reads it finds out, and reports it.
    """
    unlisted: list[Path] = []
    for parent, folders, names in os.walk(
        folder, onerror=lambda error: unlisted.append(Path(error.filename))
    ):
        yield from unlisted
        unlisted.clear()
        here = Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if not is_junk(name) and not (skip and _real(here / name) == skip)
        )
        for name in sorted(names):
            if not is_junk(name) and Path(name).suffix.lower() in suffixes:
                yield here / name
    yield from unlisted


def find_pictures(folder: Path, skip: Path | None = None) -> list[Path]:
    """All pictures below a folder but those below `skip`, recursive and sorted.

    Raises UsageError if it is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    return list(walk(folder, PICTURE_SUFFIXES, _real(skip) if skip is not None else None))


def plan_jobs(
    sources: Sequence[Path],
    output: Path | None,
    *,
    suffix: str | None = None,
    new_suffix: str | None = None,
) -> list[Job]:
    """Name a target for every picture of `sources` (files and folders, recursive).

    With a folder as `output` a source folder's tree is mirrored below it (several folders keep
    their own names); one file with `output` NAME.ext writes that file; without `output` results
    stand beside their sources with the suffix `_colorized`. `new_suffix` is a file suffix such as
    ".png". Results of earlier runs by name and the output folder itself are never sources.

    Raises UsageError: no such source, nothing to do, a target that is a source, or two sources for
    one target (also when their names differ only in case or Unicode form).
    """
    if suffix is not None and not {"/", "\\"}.isdisjoint(suffix):
        raise UsageError(f"a suffix is a part of a name, not a path: {suffix}")
    for source in sources:
        if not _exists(source):
            raise UsageError(f"{source}: no such file or folder")
    single_file = (
        output is not None
        and len(sources) == 1
        and not sources[0].is_dir()
        and not output.is_dir()
        and output.suffix.lower() in PICTURE_SUFFIXES
    )
    if output is not None and not single_file and not output.is_dir():
        if output.suffix.lower() in PICTURE_SUFFIXES:
            raise UsageError(f"{output} names one picture, but there may be several")
        if output.suffix.lower() in OTHER_PICTURE_SUFFIXES:
            raise UsageError(f"{output}: results are JPEG, PNG, TIFF, WebP, BMP or JPEG 2000")
    if single_file and output is not None and new_suffix not in (None, _plain_suffix(output)):
        raise UsageError(f"{output} and --format {str(new_suffix)[1:]} contradict each other")
    ending = suffix if suffix is not None else (DEFAULT_SUFFIX if output is None else "")
    folders = [source for source in sources if source.is_dir()]
    many = len(folders) > 1
    if output is not None:
        _refuse_equal_names(folders)
    skip = _real(output) if output is not None and not single_file else None
    named = [source.absolute() for source in sources if not source.is_dir()]
    left_out = set(_results(named, ending))  # of `colorbatch images *.jpg`, given once more

    jobs = []
    seen: set[Path] = set()
    for source in sources:
        if source.is_dir():
            _refuse_output_as_source(source, output)
            below = Path(_real(source).name) if many else Path()
            paths = list(walk(source, SOURCE_SUFFIXES, skip))
            results = set(_results(paths, ending))
            found = [(path, below / path.relative_to(source)) for path in paths]
            found = [(path, name) for path, name in found if path not in results]
        else:
            found = [(source, Path(source.name))] if source.absolute() not in left_out else []
        for path, name in found:
            # the same file given twice; a link and what it leads to are two names, both made
            if (key := path.absolute()) in seen:
                continue
            seen.add(key)
            if single_file and output is not None:
                target = output
            else:
                root = output / name.parent if output is not None else path.parent
                own_suffix = READ_ONLY.get(name.suffix.lower(), name.suffix)
                target = root / f"{name.stem}{ending}{new_suffix or own_suffix}"
            is_folder = source.is_dir()
            beside = source if is_folder else source.parent
            home = None if single_file else output or beside
            jobs.append(Job(path, target, named=not is_folder, home=home))
    _refuse_clashes(jobs)
    return jobs


def _plain_suffix(path: Path) -> str:
    """The suffix in lower case, with three letters where there are two spellings."""
    suffix = path.suffix.lower()
    return {".jpeg": ".jpg", ".tiff": ".tif"}.get(suffix, suffix)


def _refuse_equal_names(folders: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for folder in folders:
        if _real(other := names.setdefault(_real(folder).name.casefold(), folder)) != _real(folder):
            raise UsageError(f"{other} and {folder} would share one folder below the output")


def _refuse_output_as_source(source: Path, output: Path | None) -> None:
    if output is not None and _real(output) == _real(source):
        raise UsageError(f"{output}: the output folder is a source; sources are never written to")


def _exists(path: Path) -> bool:
    """Whether there is such a file; never for names that the system refuses."""
    try:
        return path.exists()
    except OSError:
        return False


def _real(path: Path) -> Path:
    """The path without links. Unlike `Path.resolve` it takes links that lead in a circle."""
    return Path(os.path.realpath(path))


def _results(paths: Sequence[Path], ending: str) -> Iterator[Path]:
    """Those of the paths that are earlier results of others of them: `a_colorized.png` beside
    `a.png`, or beside `a.jpg` where the format was changed."""
    originals = {path.with_suffix("") for path in paths}
    for path in paths:
        stem = path.stem.removesuffix(ending)
        if stem not in ("", path.stem) and path.with_name(stem) in originals:
            yield path


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    targets: dict[str, Job] = {}
    sources = {_real(job.source) for job in jobs}
    for job in jobs:
        if _real(job.target) in sources:
            raise UsageError(f"{job.target}: the target is a source; sources are never written to")
        key = unicodedata.normalize("NFC", str(job.target)).casefold()
        if (other := targets.setdefault(key, job)) is not job:
            raise UsageError(f"{other.source} and {job.source} would both become {job.target}")
