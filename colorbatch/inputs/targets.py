"""What must never be written to: the files that a run reads, single ones and numbered frames.

Flows in: paths and sequences. Flows out: whether a path is one of them. Nothing is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from colorbatch.fs.real_paths import identity, real
from colorbatch.inputs.numbered_files import FrameSequence


@dataclass(frozen=True)
class Taken:
    """Files, by their real paths, and sequences, by the real path of their folder."""

    files: frozenset[Path]
    frames: Mapping[Path, tuple[FrameSequence, ...]]

    @classmethod
    def of(cls, files: Iterable[Path], sequences: Iterable[FrameSequence]) -> Taken:
        """Those of a run."""
        by_folder: dict[Path, list[FrameSequence]] = defaultdict(list)
        for one in sequences:
            by_folder[real(one.folder)].append(one)
        frames = {folder: tuple(several) for folder, several in by_folder.items()}
        return cls(frozenset(map(real, files)), frames)

    def holds(self, path: Path) -> bool:
        """Whether a path is one of the files, or has the name of a frame, there or not; also by
        another name: a link, another letter case on a disk that takes no notice of it."""
        place = real(path)
        here = self.frames.get(place.parent, ())
        if place in self.files or any(one.means(place.name) for one in here):
            return True
        return self._is_same(path)

    def _is_same(self, path: Path) -> bool:
        found = identity(path)
        if found is None:
            return False
        if any(identity(file) == found for file in self.files):
            return True
        folder = identity(path.parent)
        # frames are many: they are asked only where one of them can be meant
        several = [
            one
            for place, sequences in self.frames.items()
            if found.links > 1 or identity(place) == folder
            for one in sequences
        ]
        return any(identity(frame) == found for one in several for frame in one.paths())
