"""Picture files by their headers: how the pictures are stored, and what decoding makes of them.

Flows in: a path. Flows out: one `Stored` per picture. Nothing is decoded, so it is cheap; what a
header promises may still turn out to be broken.
"""

from __future__ import annotations

import stat
import warnings
from pathlib import Path

from colorbatch.formats import registry
from colorbatch.formats.record import START_BYTES
from colorbatch.formats.still import Stored
from colorbatch.fs.atomic import reachable


def pictures_of(path: Path) -> list[Stored]:
    """The pictures of a file that are to be colored: of TIFF its pages, of other formats one.

    Empty for what has no header that is understood, whatever the reason: a run finds it out.
    """
    try:
        if not stat.S_ISREG(reachable(path).stat().st_mode):  # a named pipe would wait for ever
            return []
        with reachable(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = file.read(START_BYTES)
            file.seek(0)
            for format_ in registry.adapters():
                if format_.begins(start) and (format_.needs is None or format_.needs.load()):
                    return list(format_.stored(file))
    except Exception:  # libraries raise anything for broken files
        pass
    return []
