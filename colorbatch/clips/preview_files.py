"""Stills to look at: one frame before and after, as PNG files that are known again as ours.

Flows in: pictures of one frame, a folder and a name. Flows out: two files. A file of such a name
that is no earlier still of ours is never replaced.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from colorbatch.color import Codes
from colorbatch.errors import TargetError
from colorbatch.formats import png
from colorbatch.fs import atomic

STILL_TEXT = b"Software\0colorbatch preview"
"""A text of PNG (ISO/IEC 15948:2004, section 11.3.4.3), in which our stills say what they are."""
HEADER = len(png.SIGNATURE) + 25
"""Bytes up to the end of IHDR, which is always the first chunk."""
ENDINGS = ("-before.png", "-after.png")


def write_pair(folder: Path, name: str, before: Codes, after: Codes) -> list[Path]:
    """Write NAME-before.png and NAME-after.png: sRGB codes (H, W, 3), uint8. Raises TargetError,
    also for files of these names that are not ours."""
    paths = [folder / f"{name}{ending}" for ending in ENDINGS]
    for path in paths:
        if not _is_free(path):
            raise TargetError(f"{path}: is there already, and is no still of ours", "move it away")
    for path, picture in zip(paths, (before, after), strict=True):
        _, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
        data = encoded.tobytes()
        atomic.write_bytes(path, data[:HEADER] + png.chunk(b"tEXt", STILL_TEXT) + data[HEADER:])
    return paths


def _is_free(path: Path) -> bool:
    """Whether a still may be written: there is nothing, or a still of an earlier run."""
    place = atomic.reachable(path)
    if not os.path.lexists(place):
        return True
    try:
        with place.open("rb") as file:
            return STILL_TEXT in file.read(200)
    except OSError:
        return False
