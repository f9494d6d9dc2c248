"""Sequences that tests of clips make, and what they ask of their results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from colorbatch.clips import shot_sheet
from colorbatch.clips.numbered_clip import FramesClip
from colorbatch.clips.numbered_plan import plan_frames
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.color import Codes, Float
from colorbatch.inputs.numbered_files import of_pattern
from colorbatch.job import FilmSettings
from colorbatch.model.engine import Engine

FIRST = 1001
SHOTS = (("grey", 30), ("color", 5), ("title", 4), ("grey", 26))
"""What the frames of `mixed_frames` show, and how many there are of each."""


class Counting(Engine):
    """A model that counts the pictures that it sees."""

    seen = 0

    def predict(self, lightness: Float) -> Float:
        self.seen += len(lightness)
        return super().predict(lightness)


def clip_of(folder: Path, out: Path, sheet: Sheet | None = None, **more: Any) -> FramesClip:
    sequence = of_pattern(str(folder / "f_%04d.tif"))
    return FramesClip(plan_frames(sequence, out, FilmSettings(), allow_gaps=True), sheet=sheet)


def scene(seed: int, at: int) -> Codes:
    """Patches that move and flicker, (48, 64), uint8."""
    small = np.random.default_rng(seed).integers(30, 200, (6, 16)).astype(np.uint8)
    wide = cv2.GaussianBlur(small.repeat(8, 0).repeat(8, 1), (0, 0), 1.0)
    light = 1 + 0.12 * np.sin(1.7 * at)
    return np.asarray(np.rint(wide[:, at : at + 64] * light), np.uint8)


def picture(kind: str, seed: int, at: int) -> Codes:
    if kind == "title":
        plain = np.full((48, 64, 3), 110, np.uint8)
        cv2.putText(plain, "end", (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (245,) * 3, 1)
        return plain
    light = scene(seed, at)
    others = (scene(seed + 50, at), scene(seed + 90, at)) if kind == "color" else (light, light)
    return np.dstack([light, *others])


def write(path: Path, rgb: Codes) -> None:
    tifffile.imwrite(path, rgb.astype(np.uint16) * 257, photometric="rgb")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tif"))}


def written(folder: Path) -> dict[str, int]:
    """When each frame was written: its inode, which no other file has as long as it is there."""
    return {path.name: path.stat().st_ino for path in sorted(folder.glob("*.tif"))}


def changed(before: dict[str, int], folder: Path) -> list[int]:
    """The numbers of frames that are others than before."""
    after = written(folder)
    return [int(name[2:6]) for name in sorted(after) if after[name] != before.get(name)]


def remove(folder: Path, numbers: Iterable[int]) -> None:
    for number in numbers:
        (folder / f"f_{number:04d}.tif").unlink()


def rows_of(path: Path) -> list[list[str]]:
    lines = path.read_text("utf-8-sig").splitlines()
    return [line.split(",")[:5] for line in lines[1:]]


def sheet_of(folder: Path, text: str) -> Sheet:
    path = folder / "edited.csv"
    path.write_text(text)
    return shot_sheet.read(path)
