"""Finding sources and naming their jobs.

Flows in: the files and folders that a user gave. Flows out: one `Job` per picture, in a fixed
order. Names only: nothing is read or written.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.errors import UsageError
from colorbatch.fs import real_paths
from colorbatch.fs.atomic import reachable
from colorbatch.fs.real_paths import exists, real
from colorbatch.fs.windows import LONGEST_PLAIN
from colorbatch.inputs import lists, targets
from colorbatch.inputs.patterns import EVERYTHING, Patterns, expand, is_pattern, split
from colorbatch.job import Job

JUNK_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir"})
DEFAULT_SUFFIX = "_colorized"


@dataclass(frozen=True)
class PictureNames:
    """What picture files are called; all suffixes are in lower case, with their dot.

    usual: suffix of what is read -> the first one that its format has. results: suffix of what is
    read and not written -> that of its results. not_read: of pictures that are not read; they are
    counted, so that nobody takes them for done. written_in_words: the formats of results.
    """

    usual: Mapping[str, str]
    results: Mapping[str, str]
    not_read: frozenset[str]
    written_in_words: str

    @property
    def sources(self) -> frozenset[str]:
        """What is read."""
        return frozenset(self.usual)

    @property
    def written(self) -> frozenset[str]:
        """What is read and written."""
        return self.sources - self.results.keys()

    @property
    def no_folders(self) -> frozenset[str]:
        """Names of pictures, not of folders: nobody means a folder new.jxl."""
        return (self.not_read | self.results.keys()) - {".raw"}

    def plain(self, path: Path) -> str:
        """The suffix in lower case; of several that a format has the first."""
        suffix = path.suffix.lower()
        return self.usual.get(suffix, suffix)


def shard(jobs: Sequence[Job], part: int, parts: int) -> list[Job]:
    """The jobs of part 1 to `parts`: chosen by each target's place alone, so that machines that
    know nothing of each other share a folder's work, whatever the order or the other files."""
    return [job for job in jobs if part_of(job.place, parts) == part]


def part_of(place: str, parts: int) -> int:
    """Which of the parts, 1 to `parts`, what has this place belongs to."""
    digest = hashlib.sha256(place.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts + 1


def is_junk(name: str) -> bool:
    """Hidden files, thumbnails of file managers, our own temporaries."""
    return name.startswith(".") or name.lower() in JUNK_NAMES


def walk(
    folder: Path,
    suffixes: frozenset[str],
    skip: Path | None = None,
    patterns: Patterns = EVERYTHING,
    counted: frozenset[str] = frozenset(),
    passed_over: Counter[str] | None = None,
) -> Iterator[Path]:
    """Files below `folder` with one of the suffixes, sorted by name, folder by folder.

    passed_over: counts files with one of the suffixes `counted`, by that suffix. Junk,
    links to folders, the folder `skip` and what the patterns leave out are passed over. A folder
    that cannot be listed is yielded itself: whoever reads it finds out, and reports it.
    """
    unlisted: list[Path] = []
    top = reachable(folder, room=LONGEST_PLAIN)
    for parent, folders, names in os.walk(
        top, onerror=lambda error: unlisted.append(folder / Path(error.filename).relative_to(top))
    ):
        yield from unlisted
        unlisted.clear()
        below = Path(parent).relative_to(top)
        here = folder / below
        start = "" if below == Path() else f"{below.as_posix()}/"
        folders[:] = sorted(
            name
            for name in folders
            if not is_junk(name)
            and patterns.enter(start + name)
            and not (skip and real(here / name) == skip)
        )
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if is_junk(name) or suffix not in suffixes | counted or not patterns.take(start + name):
                continue
            if suffix in suffixes:
                yield here / name
            elif passed_over is not None:
                passed_over[suffix] += 1
    yield from unlisted


def find_pictures(folder: Path, suffixes: frozenset[str], skip: Path | None = None) -> list[Path]:
    """All files below a folder with one of the suffixes but those below `skip`, recursive and
    sorted.

    Raises UsageError if it is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    return list(walk(folder, suffixes, real(skip) if skip is not None else None))


@dataclass(frozen=True)
class _Group:
    """Pictures that belong together: one file, what a folder holds, or a list."""

    place: Path
    """The folder that has the journal of results beside their sources."""
    pictures: Sequence[tuple[Path, Path]]
    """Each with its path below the output."""
    named: bool = False


def plan_jobs(
    sources: Sequence[Path],
    output: Path | None,
    names: PictureNames,
    *,
    suffix: str | None = None,
    new_suffix: str | None = None,
    patterns: Patterns = EVERYTHING,
    listed: Sequence[str] | None = None,
    passed_over: Counter[str] | None = None,
) -> list[Job]:
    """Name a target for every picture of `sources`: files, folders (recursive) and patterns.

    With a folder as `output` a source folder's tree is mirrored below it (several folders keep
    their own names); one file with `output` NAME.ext writes that file; without `output` results
    stand beside their sources with the suffix `_colorized`. `new_suffix` is a file suffix such as
    ".png". The output folder is never a source; nor, where results stand beside sources, is what
    has the name of an earlier result: `a_colorized.png` beside `a.png` or `a.jpg`.

    A source that is no file may be a pattern. It stands for the files and folders that it means,
    as if they had been given; with `**` it is its folder, of which it takes a part. `patterns` are
    for what folders and lists hold. `listed`: paths below the one folder in `sources`, or else
    below the working directory; their folders are kept below the output. They are not asked for.
    `passed_over`: as of `walk`, of pictures that are not read.

    Raises UsageError: no such source, nothing to do, a target that is a source, or two sources for
    one target (also when their names differ only in case or Unicode form).
    """
    if suffix is not None and not {"/", "\\"}.isdisjoint(suffix):
        raise UsageError(f"a suffix is a part of a name, not a path: {suffix}")
    real_paths.forget()
    wanted = list(_expanded(sources, output, names, patterns))
    is_single = len(wanted) == 1 and listed is None and wanted[0][1] is None
    single_file = is_single and _names_a_picture(output, names, new_suffix)
    _refuse_picture_as_folder(output, names, single_file)
    ending = suffix if suffix is not None else (DEFAULT_SUFFIX if output is None else "")
    skip = real(output) if output is not None and not single_file else None
    if listed is not None:
        root, pictures = lists.pictures_of(listed, sources, patterns, skip)
        targets.refuse_output(skip, root)
        groups = [_Group(root, pictures)]
    else:
        groups = list(_groups(wanted, output, names, skip, passed_over))
    jobs = list(_jobs(groups, None if single_file else output, names, ending, new_suffix))
    if single_file and output is not None:
        jobs = [Job(job.source, output, named=True) for job in jobs]
    targets.refuse_clashes(jobs, left_out=tuple(names.results))
    return jobs


def source_folders(sources: Sequence[Path]) -> list[Path]:
    """Those sources that are folders, or patterns for what a folder holds."""
    found = []
    for source in sources:
        if exists(source):
            found += [source] if source.is_dir() else []
        elif (parts := split(source)) is not None:
            found.append(parts[0])
        else:
            found += [path for path in expand(source) if path.is_dir()]
    return found


def _expanded(
    sources: Sequence[Path], output: Path | None, names: PictureNames, patterns: Patterns
) -> Iterator[tuple[Path, Patterns | None]]:
    """Files, each with None, and folders, each with what to take of it. Raises UsageError."""
    for source in sources:
        if exists(source):
            yield source, patterns if source.is_dir() else None
            continue
        if real_paths.leads_nowhere(source):
            raise UsageError(f"{source}: a link that leads nowhere")
        if not is_pattern(source):
            raise UsageError(f"{source}: no such file or folder")
        if (parts := split(source)) is not None:
            folder, below = parts
            if not folder.is_dir():
                raise UsageError(f"{source}: no such folder: {folder}")
            taken = patterns.and_below(below)
            if next(walk(folder, names.sources, None, taken), None) is None:
                raise UsageError(f"{source}: this pattern matches no picture")
            yield folder, taken
            continue
        found = [path for path in expand(source) if not is_junk(path.name)]
        if not found:
            raise UsageError(f"{source}: no such file or folder, and no name matches the pattern")
        for path in found:
            if output is None or real(path) != real(output):
                yield path, patterns if path.is_dir() else None


def _names_a_picture(output: Path | None, names: PictureNames, new_suffix: str | None) -> bool:
    """Whether `output` is the name for one result. Raises UsageError where the format differs."""
    if output is None or output.is_dir() or output.suffix.lower() not in names.written:
        return False
    if new_suffix not in (None, names.plain(output)):
        raise UsageError(f"{output} and --format {str(new_suffix)[1:]} contradict each other")
    return True


def _refuse_picture_as_folder(output: Path | None, names: PictureNames, single_file: bool) -> None:
    if output is None or single_file or output.is_dir():
        return
    if output.suffix.lower() in names.written:
        raise UsageError(f"{output} names one picture, but there may be several")
    if output.suffix.lower() in names.no_folders:
        raise UsageError(f"{output}: results are {names.written_in_words}")


def _groups(
    wanted: Sequence[tuple[Path, Patterns | None]],
    output: Path | None,
    names: PictureNames,
    skip: Path | None,
    passed_over: Counter[str] | None,
) -> Iterator[_Group]:
    """The pictures of files and folders. Raises UsageError."""
    folders = [path for path, patterns in wanted if patterns is not None]
    many = len({real(folder) for folder in folders}) > 1
    if output is not None:
        _refuse_equal_names(folders)
    for source, patterns in wanted:
        if patterns is None:
            yield _Group(source.parent, [(source, Path(source.name))], named=True)
            continue
        targets.refuse_output(output, source)
        below = Path(real(source).name) if many else Path()
        paths = walk(source, names.sources, skip, patterns, names.not_read, passed_over)
        yield _Group(source, [(path, below / path.relative_to(source)) for path in paths])


def _jobs(
    groups: Sequence[_Group],
    output: Path | None,
    names: PictureNames,
    ending: str,
    new_suffix: str | None,
) -> Iterator[Job]:
    """A job for every picture, each once, but for results of earlier runs."""
    named = [path.absolute() for group in groups if group.named for path, _ in group.pictures]
    named_results = set(_results(named, ending))  # of `colorbatch images *.jpg`, given once more
    seen: set[Path] = set()
    for group in groups:
        keys = [path.absolute() for path, _ in group.pictures]
        results = named_results if group.named else set(_results(keys, ending))
        for key, (path, name) in zip(keys, group.pictures, strict=True):
            # the same file given twice; a link and what it leads to are two names, both made
            if key in seen or (key in results and _is_beside(path, output)):
                continue
            seen.add(key)
            folder = output / name.parent if output is not None else path.parent
            own_suffix = names.results.get(name.suffix.lower(), name.suffix)
            target = folder / f"{name.stem}{ending}{new_suffix or own_suffix}"
            yield Job(path, target, named=group.named, home=output or group.place)


def _is_beside(path: Path, output: Path | None) -> bool:
    """Whether results of earlier runs may lie where a source does."""
    return output is None or real_paths.real_folder(path.parent) == real_paths.real_folder(output)


def _refuse_equal_names(folders: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for folder in folders:
        if real(other := names.setdefault(real(folder).name.casefold(), folder)) != real(folder):
            raise UsageError(f"{other} and {folder} would share one folder below the output")


def _results(paths: Sequence[Path], ending: str) -> Iterator[Path]:
    """Those of the paths that are earlier results of others of them: `a_colorized.png` beside
    `a.png`, or beside `a.jpg` where the format was changed."""
    if not ending:
        return
    originals = {path.with_suffix("") for path in paths}
    for path in paths:
        stem = path.stem.removesuffix(ending)
        if stem not in ("", path.stem) and path.with_name(stem) in originals:
            yield path
