"""How much of a still's correction arrives along its shot.

`python benchmarks/still_reach.py [CLIPS...] [--photographs DIR] [--model MODEL] [--kept DIR]
[--strips DIR]` prints for frames so many behind the still's what arrives when each is found
straight in the still's frame (`colorbatch.clips.reference`), and over the frames between
(`still_chain`), and the milliseconds of processor time that a frame takes, those between included.

- Of photographs, in the order of `training.photographs`, two a clip, it makes clips of 240 frames
  in which a thing, an ellipse of another photograph, goes through the picture (walk), comes nearer
  by 2.5 times (near), turns by 70 degrees (turn), walks while the camera pans the same way (pan
  walk), or comes nearer while the light falls by 45 % (near dark). The still is the model's own
  coloring of the first frame, with the thing moved by a* -25, b* -35. Told is which share of that
  the thing has, and behind the stroke the mean change of all else, as a share of the same.
- Of CLIPS in color the still is the true first frame; told is mean |ab - true ab|, Lab units, of
  the model as well.

--kept keeps what the model predicts in a folder, so that only the first run takes long. --strips
writes PNGs of eight frames a clip, rows: model, straight, over the frames between.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from flicker import found_clips, predicted
from made_clips import Clip
from tabulate import tabulate

from colorbatch import color
from colorbatch.clips.reference import Steering
from colorbatch.clips.still_chain import FRAMES, StillChain, of_numbers
from colorbatch.color import Codes, Float
from colorbatch.errors import ColorbatchError
from colorbatch.model.engine import Engine
from training.metrics import colored_picture
from training.photographs import Photographs

LENGTH = 240
KINDS = ("walk", "near", "turn", "pan walk", "near dark")
MOVED = np.array([-25, -35], np.float32)
BANDS = ((5, 15), (20, 30), (40, 60), (90, 110), (190, 210))
"""Frames behind the still's that a column is the mean of."""
EDGE = 0.02
"""What is nearer to the thing's edge, in parts of the picture's side, is counted neither as it nor
as all else."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """A clip and a still of its first frame. thing: how much of each pixel is of the corrected
    thing (N, h, w), None where the still is the truth; still: sRGB codes."""

    clip: Clip
    raw: Float
    still: Codes
    thing: Float | None


# --- clips -------------------------------------------------------------------------------------


def made(kind: str, ground: Codes, front: Codes, side: int) -> tuple[Clip, Float]:
    """A clip of one of KINDS, and where its thing is."""
    large = 2 * side
    wide = cv2.resize(ground, (large * 8 // 5, large), interpolation=cv2.INTER_CUBIC)
    body = cv2.resize(front, (side, side), interpolation=cv2.INTER_CUBIC)
    mask: Float = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, ((side / 2, side / 2), (side / 2, side * 0.77), 0), 1.0, -1)
    labs, things = [], []
    for at in np.linspace(0, 1, LENGTH):
        left = round(at * large / 2) if "pan" in kind else 0
        scale = 0.6 + 0.9 * at if "near" in kind else 0.9
        turn = 70 * at if "turn" in kind else 0
        x = large * (0.15 + 0.7 * at) if "walk" in kind else large * 0.3
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, scale)
        matrix[:, 2] += np.array([x - side / 2, large / 2 - side / 2])
        covered = cv2.warpAffine(mask, matrix, (large, large))
        moved = cv2.warpAffine(body, matrix, (large, large), borderMode=cv2.BORDER_REPLICATE)
        frame = wide[:, left : left + large].astype(np.float32)
        frame += covered[..., None] * (moved - frame)
        frame *= 1 - 0.45 * at if "dark" in kind else 1
        codes = np.asarray(np.rint(frame), np.uint8)
        labs.append(color.rgb_to_lab(color.resize_area(codes, (side, side))))
        things.append(cv2.resize(covered, (side, side), interpolation=cv2.INTER_AREA))
    truth = np.stack(labs)
    begins = np.arange(LENGTH) == 0
    lightness = np.ascontiguousarray(truth[..., 0])
    return Clip(kind, lightness, truth, begins), np.stack(things)


def corrected(
    clips: Sequence[Path], folder: Path | None, engine: Engine, kept: Path | None
) -> Iterator[Corrected]:
    """All of them, one at a time."""
    if folder is not None:
        pictures = (rgb for _, rgb in Photographs(folder, 2 * len(KINDS)))
        for kind in KINDS:
            ground, front = itertools.islice(pictures, 2)
            clip, thing = made(kind, ground, front, engine.size[0])
            raw = predicted(clip, engine, kept)
            ab = raw[0] + thing[0][..., None] * MOVED
            yield Corrected(clip, raw, colored_picture(clip.truth[0], ab), thing)
    for clip in found_clips(clips, engine.size):
        still = colored_picture(clip.truth[0], clip.truth[0, ..., 1:])
        yield Corrected(clip, predicted(clip, engine, kept), still, None)


# --- figures -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of a clip that lie between."""

    lightness: Float

    def before(self, first: int) -> Iterator[tuple[int, Float]]:
        return iter(())

    def behind(self) -> Generator[tuple[int, Float], None, None]:
        for number in of_numbers(range(len(self.lightness)), 0)[1]:
            yield number, self.lightness[number]


def steered(one: Corrected, *, over: bool) -> tuple[Float, float]:
    """ab (N, h, w, 2), and milliseconds a frame; over: over the frames between."""
    light = one.clip.lightness
    steering = Steering(one.still, light[0], one.raw[0])
    chain = StillChain(steering, Frames(light), 0, FRAMES)
    started = time.process_time()
    found = [
        chain(number, *pair) if over else steering(*pair)
        for number, pair in enumerate(zip(light, one.raw, strict=True))
    ]
    return np.stack(found), 1000 * (time.process_time() - started) / len(found)


def told(one: Corrected, ab: Float, numbers: Sequence[int]) -> str:
    """The figure of some frames."""
    if one.thing is None:
        return f"{np.abs(ab[numbers] - one.clip.truth[numbers][..., 1:]).mean():.2f}"
    arrived, beside = [], []
    edge = max(1, round(EDGE * ab.shape[1]))
    around = np.ones((2 * edge + 1, 2 * edge + 1))
    for number in numbers:
        change = ab[number] - one.raw[number]
        inside = cv2.erode(one.thing[number], around) > 0.9
        outside = cv2.dilate(one.thing[number], around) < 0.1
        arrived.append((change[inside] @ MOVED).mean() / (MOVED @ MOVED))
        beside.append(np.linalg.norm(change[outside], axis=-1).mean() / np.linalg.norm(MOVED))
    return f"{np.mean(arrived):.2f} / {np.mean(beside):.2f}"


def write_strip(path: Path, one: Corrected, rows: Sequence[Float]) -> None:
    """Eight frames, evenly spread."""
    numbers = np.linspace(0, len(one.raw) - 1, 8).astype(int)
    pictures = [[colored_picture(one.clip.truth[n], ab[n]) for n in numbers] for ab in rows]
    written = np.ascontiguousarray(np.vstack([np.hstack(row) for row in pictures])[..., ::-1])
    path.write_bytes(cv2.imencode(".png", written)[1].tobytes())


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIPS")
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--kept", type=Path, help="a folder for what the model predicts")
    parser.add_argument("--strips", type=Path, help="a folder for strips of eight frames")
    arguments = parser.parse_args()
    lines: list[list[str]] = []
    try:
        engine = Engine(arguments.model)
        given = (arguments.clips, arguments.photographs, engine, arguments.kept)
        for one in corrected(*given):
            with color.single_threaded():
                straight, over = steered(one, over=False), steered(one, over=True)
            rows = {"straight": straight, "over": over}
            if one.thing is None:
                rows = {"model": (one.raw, 0.0), **rows}
            name = one.clip.name
            for way, (ab, cost) in rows.items():
                cells = [told(one, ab, range(*band)) for band in BANDS if band[1] <= len(ab)]
                cells += [""] * (len(BANDS) - len(cells))
                lines.append([name, way, *cells, f"{cost:.0f}" if cost else ""])
                name = ""
            if arguments.strips:
                arguments.strips.mkdir(parents=True, exist_ok=True)
                path = arguments.strips / f"{one.clip.name.replace(' ', '-')}.png"
                write_strip(path, one, (one.raw, straight[0], over[0]))
    except (ColorbatchError, OSError) as error:
        parser.error(str(error))
    headings = ["clip", "", *(str((first + end) // 2) for first, end in BANDS), "ms"]
    print(tabulate(lines, headings, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
