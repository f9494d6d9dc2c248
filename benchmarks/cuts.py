"""How well cuts are found, on films built from photographs and clips.

`python benchmarks/cuts.py FOLDER [--clips CLIP...] [--films N] [--seed S]` builds N films of each
kind by code, 20 shots each: two thirds pan over or zoom into a photograph below FOLDER, the others
are pieces of the CLIPs, which have no cuts themselves. It prints for each kind how many cuts there
are, the shares of them that are found (to the frame) and of what is found that is one, and the
milliseconds per frame. Where PySceneDetect is installed, its AdaptiveDetector is asked as well, for
luma alone and shots of 5 frames and more.

A splice flash, 1 or 2 white frames between two shots, may be given to either. Fades and dissolves
are no cuts.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch import ffmpeg
from colorbatch.clips import shot_list, shots
from colorbatch.color import Codes, network_view, resize_area
from colorbatch.ffmpeg import Glance
from colorbatch.formats.reader import load_rgb
from training.folders import find_photographs

Picture = npt.NDArray[Any]
"""(H, W), luma codes as float32."""
Rng = np.random.Generator
Finder = Callable[[Sequence[Picture]], Sequence[int]]

SIZE = (144, 192)
"""So small that its 3 x 3 samples for one of a view average less than films' 4 x 4 at least."""
SHOTS = 20


@dataclass
class Film:
    """Frames, and the first and last number at which each cut may be found."""

    frames: list[Picture] = field(default_factory=list)
    cuts: list[tuple[int, int]] = field(default_factory=list)


# --- shots -------------------------------------------------------------------------------------


def filmed(picture: Picture, count: int, rng: Rng, steps: Sequence[float]) -> list[Picture]:
    """A photograph as a camera sees it that pans to and fro, by one of `steps`, as shares of the
    width per frame, and may zoom."""
    (height, width), (high, wide) = picture.shape, SIZE
    scale = min(height / high, width / wide) * rng.uniform(0.55, 0.8)
    step, angle = rng.choice(steps) * wide * scale, rng.uniform(0, 2 * np.pi)
    zoom, frames = rng.choice([0, 0, 0.003, -0.003]), []
    for number in range(count):
        at = step * number * np.array([np.cos(angle), np.sin(angle)])
        slack = np.maximum((np.array([width, height]) - scale * np.array([wide, high])) / 2, 1e-6)
        turned = (at + slack) % (4 * slack)
        center = np.minimum(turned, 4 * slack - turned) - slack + np.array([width, height]) / 2
        now = scale * (1 + zoom * number)
        left, top = center - now * np.array([wide, high]) / 2
        matrix = np.array([[now, 0, left], [0, now, top]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(picture, matrix, (wide, high), None, flags, cv2.BORDER_REFLECT)
        frames.append(np.asarray(seen, np.float32))
    return frames


@functools.cache
def clip(path: Path) -> list[Picture]:
    """The luma of a clip's frames."""
    with ffmpeg.frames(ffmpeg.probe(path)) as reading:
        planes = (frame.planes.luma for frame in reading)
        return [resize_area(luma, SIZE).astype(np.float32) for luma in planes if luma is not None]


def shot(paths: Sequence[Path], clips: Sequence[Path], rng: Rng, fast: bool) -> list[Picture]:
    """12 to 59 frames of a photograph or a clip."""
    count = int(rng.integers(12, 60))
    if clips and rng.random() < 1 / 3:
        frames = clip(clips[int(rng.integers(len(clips)))])
        start = int(rng.integers(max(1, len(frames) - count)))
        side = rng.choice([1, -1])
        return [frame[:, ::side] for frame in frames[start : start + count]]
    rgb = np.asarray(load_rgb(paths[int(rng.integers(len(paths)))]))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return filmed(grey, count, rng, (0.03, 0.04, 0.06) if fast else (0, 0.003, 0.01, 0.02))


# --- what happens to them ----------------------------------------------------------------------


def flashed(frames: list[Picture], rng: Rng) -> None:
    """One or two flashes of one or two frames: white, black, overexposed, negative."""
    starts = [int(rng.integers(5, 8))]
    if len(frames) > 26:
        starts.append(int(rng.integers(18, len(frames) - 6)))
    for start in starts if len(frames) > 14 else ():
        kind = rng.integers(4)
        for at in range(start, start + int(rng.integers(1, 3))):
            old = frames[at]
            blank = np.full_like(old, (240, 8)[kind % 2])
            frames[at] = (blank, blank, old * 0.4 + 150, 255 - old)[kind]


def softly(film: Film, frames: list[Picture], rng: Rng) -> list[Picture]:
    """What is left of a shot's frames after a fade through black or a dissolve to them."""
    old, many = film.frames, int(rng.integers(8, 25))
    if rng.random() < 0.5:
        for at in range(min(many, len(old))):
            old[-1 - at] = old[-1 - at] * (at / many)
        old += [np.zeros(SIZE, np.float32)] * int(rng.integers(0, 6))
        return [one * min(1, at / many) for at, one in enumerate(frames)]
    many = min(many, len(old), len(frames) - 2)
    for at in range(many):
        share = (at + 1) / (many + 1)
        old[at - many] = old[at - many] * (1 - share) + frames[at] * share
    return frames[many:]


def aged(frame: Picture, rng: Rng) -> Picture:
    """A frame of an old print: light that flickers by a fifth, an unsteady gate, dirt, scratches,
    and at times a large blot."""
    high, wide = SIZE
    matrix = np.array([[1, 0, rng.normal(0, 1)], [0, 1, rng.normal(0, 1)]], np.float32)
    lit = frame * rng.uniform(0.8, 1.2)
    seen = cv2.warpAffine(lit, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
    for _ in range(rng.poisson(3)):
        place = int(rng.integers(wide)), int(rng.integers(high))
        cv2.circle(seen, place, int(rng.choice([1, 2, 3, 5])), int(rng.choice([10, 245])), -1)
    if rng.random() < 0.02:
        place = int(rng.integers(wide)), int(rng.integers(high))
        axes = int(wide * rng.uniform(0.1, 0.3)), int(high * rng.uniform(0.1, 0.4))
        cv2.ellipse(seen, place, axes, 30, 0, 360, int(rng.choice([5, 250])), -1)
    if rng.random() < 0.3:
        x = int(rng.integers(wide))
        cv2.line(seen, (x, 0), (x + int(rng.integers(-2, 3)), high), int(rng.choice([20, 240])), 1)
    return np.asarray(seen)


GRAIN = {"clean": 2, "old": 14}
KINDS = ("clean", "old", "flashes", "fades", "fast pans", "pillars", "dark")


def finished(frame: Picture, kind: str, rng: Rng) -> Picture:
    """A frame as a film of this kind has it: codes, uint8."""
    made = aged(frame, rng) if kind == "old" else frame
    made = made + rng.normal(0, GRAIN.get(kind, 6), SIZE)
    if kind == "pillars":
        made[:, :24] = made[:, -24:] = 16
    elif kind == "dark":
        made = made * 0.25 + 5
    return np.clip(made, 0, 255).astype(np.uint8)


def film_of(paths: Sequence[Path], clips: Sequence[Path], kind: str, rng: Rng) -> Film:
    """A film of SHOTS shots."""
    film = Film()
    for number in range(SHOTS):
        frames = shot(paths, clips, rng, kind == "fast pans")
        if kind == "flashes":
            flashed(frames, rng)
        if number and kind == "fades" and rng.random() < 2 / 3:
            frames = softly(film, frames, rng)
        elif number:
            first, flash = len(film.frames), 0
            if kind == "flashes" and rng.random() < 0.3:
                flash = int(rng.integers(1, 3))
                film.frames += [np.full(SIZE, rng.uniform(180, 255), np.float32)] * flash
            film.cuts.append((first, first + flash))
        film.frames += frames
    film.frames = [finished(frame, kind, rng) for frame in film.frames]
    return film


# --- who finds them ----------------------------------------------------------------------------


def ours(frames: Sequence[Picture]) -> list[int]:
    """By `shots.Cuts`."""
    cuts = shots.Cuts()
    views = (np.rint(network_view(frame, shots.SEEN) * 2.55).astype(np.uint8) for frame in frames)
    told = [each for view in views if (each := cuts.add(view)) is not None]
    return [number for number, cut in enumerate((*told, *cuts.end())) if cut]


def sparsely(frames: Sequence[Picture]) -> list[int]:
    """By the pass over a film whose pictures stand alone, which looks at few of them."""
    looked: set[int] = set()

    def picture(number: int) -> ffmpeg.Planes:
        looked.add(number)
        return ffmpeg.Planes(luma=np.rint(frames[number]).astype(np.uint8))

    def view(planes: ffmpeg.Planes) -> Codes:
        assert planes.luma is not None
        return np.asarray(np.rint(network_view(planes.luma, shots.SEEN) * 2.55), np.uint8)

    passed = (Glance(number, functools.partial(picture, number)) for number in range(len(frames)))
    found = shot_list.marks(passed, view, Fraction(1, 24), sparse=True)
    cuts = [mark.pts for mark in found if mark.cut]
    LOOKED.append(len(looked) / len(frames))
    return cuts[1:]


LOOKED: list[float] = []
"""Of each film that `sparsely` was asked about: the share of its frames that were decoded."""


def pyscenedetect() -> Finder | None:
    """By PySceneDetect's AdaptiveDetector, if it is installed."""
    try:
        library: Any = importlib.import_module("scenedetect")
    except ImportError:
        return None

    def find(frames: Sequence[Picture]) -> list[int]:
        detector, found = library.AdaptiveDetector(luma_only=True, min_scene_len=5), []
        for number, frame in enumerate(frames):
            view = cv2.cvtColor(resize_area(frame, shots.SEEN), cv2.COLOR_GRAY2BGR)
            found += detector.process_frame(library.FrameTimecode(number, 24.0), view)
        return [each.frame_num for each in found]

    return find


def judge(name: str, find: Finder, films: dict[str, list[Film]]) -> None:
    """Print the table of one finder."""
    print(f"{name}\n\n| films | cuts | found | right |\n|---|---|---|---|")
    totals, started = np.zeros(4, int), time.perf_counter()
    for kind, group in (*films.items(), ("all", [])):
        counts = np.zeros(4, int)
        for film in group:
            found = find(film.frames)
            hits = [any(a <= each <= b for each in found) for a, b in film.cuts]
            right = sum(hits)  # a second one for the same cut is wrong
            counts += [len(film.cuts), right, right, len(found)]
        totals += counts
        cuts, hit, right, told = totals if kind == "all" else counts
        print(f"| {kind} | {cuts} | {hit / cuts:.1%} | {right / max(1, told):.1%} |", flush=True)
    frames = sum(len(film.frames) for group in films.values() for film in group)
    print(f"\n{1000 * (time.perf_counter() - started) / frames:.2f} ms per frame on one core\n")


def main() -> None:
    """Build the films, ask, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--films", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # as in a run, where every thread has its own frame
    paths = find_photographs(arguments.folder)
    films: dict[str, list[Film]] = {}
    for index, kind in enumerate(KINDS):
        rngs = [np.random.default_rng([arguments.seed, index, n]) for n in range(arguments.films)]
        films[kind] = [film_of(paths, arguments.clips, kind, rng) for rng in rngs]
    judge("colorbatch", ours, films)
    judge("colorbatch, pictures that stand alone", sparsely, films)
    print(f"decoded: {np.mean(LOOKED):.0%} of the frames\n")
    if (other := pyscenedetect()) is not None:
        judge("PySceneDetect, AdaptiveDetector", other, films)


if __name__ == "__main__":
    main()
