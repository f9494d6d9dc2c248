"""Color photographs of a folder, for measuring and showing: read one by one, never all in memory.

Grey and unreadable ones are passed over, as in training, and counted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from colorbatch import color
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from training.folders import find_photographs

T = TypeVar("T")


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
        found = find_photographs(self.folder, self.skip)
        if not found:
            raise UsageError(f"no photographs in {self.folder}")
        names = [(path.relative_to(self.folder).as_posix(), path) for path in found]
        self._paths = sorted(names, key=lambda item: hashlib.sha256(os.fsencode(item[0])).digest())

    def __iter__(self) -> Iterator[tuple[str, color.Codes]]:
        """Name below the folder, and sRGB codes (H, W, 3), uint8."""
        return self.map(lambda rgb: rgb)

    def map(self, function: Callable[[color.Codes], T]) -> Iterator[tuple[str, T]]:
        """Name below the folder, and what `function` makes of the sRGB codes (H, W, 3), uint8.

        Decoding and `function` run in threads, one per core and a few photographs ahead.
        """

        def work(path: Path) -> T | None:
            try:
                rgb = load_rgb(path)
            except SourceError:
                return None
            return None if is_grey(rgb) else function(rgb)

        self.passed_over = count = 0
        threads = os.cpu_count() or 1
        paths = iter(self._paths)
        with ThreadPoolExecutor(threads) as pool:
            ahead = deque(
                (name, pool.submit(work, path)) for name, path in islice(paths, 2 * threads)
            )
            while ahead:
                name, future = ahead.popleft()
                made = future.result()
                if made is None:
                    self.passed_over += 1
                else:
                    yield name, made
                    count += 1
                    if count == self.limit:
                        return
                for next_name, path in islice(paths, 1):
                    ahead.append((next_name, pool.submit(work, path)))


def is_grey(rgb: color.Codes) -> bool:
    """Whether a picture (H, W, 3) has so little color that it can neither teach nor test."""
    height, width = rgb.shape[:2]
    small = color.resize_area(rgb, (min(height, 256), min(width, 256)))
    return color.mean_chroma(color.rgb_to_lab(small)) < color.GREY_CHROMA


def source_of(name: str) -> str:
    """Where a photograph comes from, as far as its name tells: `<source>-<number>`, else its
    folder, else nothing. Never `all`, which is the name of them all together."""
    path = Path(name)
    match = re.fullmatch(r"(.*\D)[-_]\d+", path.stem)
    source = match[1] if match else path.parent.as_posix().strip(".")
    return "all/" if source == "all" else source
