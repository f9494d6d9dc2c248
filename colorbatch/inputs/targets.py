"""The one check of targets against sources and each other: pictures, films and numbered frames.

Flows in: paths, sequences, jobs. Flows out: whether a path must not be written to, or an error that
names both that clash. The system is asked what paths lead to; nothing is opened.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorbatch.errors import UsageError
from colorbatch.fs.real_paths import Identity, identity, real, real_file
from colorbatch.job import Job

if TYPE_CHECKING:
    from colorbatch.inputs.numbered_files import FrameSequence


@dataclass(frozen=True)
class Taken:
    """What a run reads: files as they were given, by their real paths, and sequences, by the real
    path of their folder."""

    files: Mapping[Path, Path]
    frames: Mapping[Path, Sequence[FrameSequence]]

    @classmethod
    def of(cls, files: Iterable[Path], sequences: Iterable[FrameSequence] = ()) -> Taken:
        """Those of a run."""
        frames: dict[Path, list[FrameSequence]] = defaultdict(list)
        for one in sequences:
            frames[real(one.folder)].append(one)
        return cls({real_file(file): file for file in files}, frames)

    def source(self, path: Path) -> Path | None:
        """The file, or the name of a frame, there or not, that a path leads to; also by another
        name: a link, another letter case on a disk that takes no notice of it. None for others."""
        place = real_file(path)
        if (file := self.files.get(place)) is not None:
            return file
        here = self.frames.get(place.parent, ()) if self.frames else ()
        if any(one.means(place.name) for one in here):
            return place
        found = identity(path)
        return None if found is None else self._same(found, identity(path.parent))

    def _same(self, found: Identity, folder: Identity | None) -> Path | None:
        """The source that a file in a folder is. The usual run asks nothing of its sources here."""
        if found.links == 1 and folder not in self._folders:
            return None
        if (file := self._identities.get(found)) is not None:
            return file
        for place, sequences in self.frames.items():
            # frames are many: they are asked only where one of them can be meant
            if found.links > 1 or identity(place) == folder:
                for frame in (frame for one in sequences for frame in one.paths()):
                    if identity(frame) == found:
                        return frame
        return None

    @functools.cached_property
    def _folders(self) -> set[Identity | None]:
        folders = {file.parent for file in self.files.values()}
        return {identity(folder) for folder in (*folders, *self.frames)} - {None}

    @functools.cached_property
    def _identities(self) -> dict[Identity | None, Path]:
        found = {identity(file): file for file in self.files.values()}
        found.pop(None, None)
        return found


def refuse_clashes(
    jobs: Sequence[Job],
    taken: Taken | None = None,
    frames: Mapping[Job, Sequence[Job]] | None = None,
    left_out: Sequence[str] = (),
) -> None:
    """Raises UsageError where a target is a source, or two sources have one target, also when their
    names differ only in case or Unicode form. taken: all sources, where there are more than those
    of the jobs. frames: of a job that stands for numbered frames, a job for each of them. left_out:
    which suffixes to leave out, as a way out of two sources for one target."""
    taken, frames = taken or Taken.of(job.source for job in jobs), frames or {}
    sequences = Counter(_key(job.target.parent) for job in jobs if job in frames)
    targets: dict[str, Job] = {}
    twins: list[tuple[Job, Job]] = []
    for job in jobs:
        if (source := taken.source(job.target)) is not None:
            name = "" if source == job.target else f", {source} by another name"
            raise UsageError(
                f"{job.target}: the target is a source{name}; sources are never written to"
            )
        each = [job]
        if job in frames:  # those of one sequence differ
            each = list(frames[job]) if sequences[_key(job.target.parent)] > 1 else []
        for one in each:
            other = targets.setdefault(_key(one.target), one)
            if other.source != one.source:
                twins.append((other, one))
    if twins:
        raise _two_for_one(twins, left_out)


def _two_for_one(twins: Sequence[tuple[Job, Job]], left_out: Sequence[str]) -> UsageError:
    """The error for pairs of sources that have one target, and where there is one, a way out."""
    one, other = twins[0]
    more = f", and so in {len(twins) - 1:,} more pairs" if len(twins) > 1 else ""
    more = more.removesuffix("s") if len(twins) == 2 else more
    message = f"{one.source} and {other.source} would both become {one.target}{more}"
    suffixes = {job.source.suffix.lower() for pair in twins for job in pair}
    if len(suffixes) < 2 or not left_out:
        return UsageError(message)
    without = next((suffix for suffix in left_out if suffix in suffixes), max(suffixes))
    if any(job.named for pair in twins for job in pair):
        return UsageError(message, f"name no {without} beside the others")
    return UsageError(message, f'--exclude "*{without}" leaves one of each out')


def _key(target: Path) -> str:
    """The same for names that some disk takes for the same."""
    return unicodedata.normalize("NFC", str(target)).casefold()


def refuse_output(output: Path | None, source: Path) -> None:
    """Raises UsageError for an output folder that is a source folder."""
    if output is not None and real(output) == real(source):
        raise UsageError(f"{output}: the output folder is a source; sources are never written to")
