"""Color photographs of a folder, for measuring and showing: read one by one, never all in memory.

Grey and unreadable ones are passed over, as in training, and counted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from colorbatch import color
from colorbatch.errors import SourceError, UsageError
from colorbatch.files import find_pictures
from colorbatch.images import load_rgb


@dataclass
class Photographs:
    """The color photographs below a folder, mixed by a hash of their names, so that the first few
    are of all sources. `passed_over` counts what a full iteration met beside them.

    Raises UsageError if the folder is missing or has no pictures.
    """

    folder: Path
    limit: int = 0
    """How many to yield at most; 0 is all."""
    skip: Path | None = None
    """A folder below it whose pictures are left out."""
    passed_over: int = 0

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder}: no such folder")
        found = find_pictures(self.folder, self.skip)
        if not found:
            raise UsageError(f"no photographs in {self.folder}")
        names = [(path.relative_to(self.folder).as_posix(), path) for path in found]
        self._paths = sorted(names, key=lambda item: hashlib.sha256(os.fsencode(item[0])).digest())

    def __iter__(self) -> Iterator[tuple[str, color.Codes]]:
        """Name below the folder, and sRGB codes (H, W, 3), uint8."""
        self.passed_over = count = 0
        for name, path in self._paths:
            try:
                rgb = load_rgb(path)
            except SourceError:
                self.passed_over += 1
                continue
            if is_grey(rgb):
                self.passed_over += 1
                continue
            yield name, rgb
            count += 1
            if count == self.limit:
                return


def is_grey(rgb: color.Codes) -> bool:
    """Whether a picture (H, W, 3) has so little color that it can neither teach nor test."""
    height, width = rgb.shape[:2]
    small = color.resize_area(rgb, (min(height, 256), min(width, 256)))
    return color.mean_chroma(color.rgb_to_lab(small)) < color.GREY_CHROMA


def source_of(name: str) -> str:
    """Where a photograph comes from, as far as its name tells: `<source>-<number>`, else its
    folder, else nothing."""
    path = Path(name)
    match = re.fullmatch(r"(.*\D)[-_]\d+", path.stem)
    return match[1] if match else path.parent.as_posix().strip(".")
