"""How much color flickers, as the model makes it and stabilised, beside the truth.

`python benchmarks/flicker.py CLIPS... [--photographs DIR] [--count N] [--skip N]
[--model MODEL] [--stability S] [--seed S] [--kept DIR] [--strips DIR] [--json]` turns clips in
color grey, has the model color them, steadies that with `colorbatch.clips.stabiliser`, and prints
for each clip, and in the mean over all, three lines: raw, steady, truth. CLIPS are files, or
folders of them; up to 120 frames of each count, and cuts are found as in a run; those in grey are
left out. From N times three photographs of DIR, those behind the first --skip times three, it makes
clips of every kind of `made_clips.KINDS`.

- warp: mean |ab - ab of the frame before, moved by the flow of the true lightness|, where flow
  there and back agree, in Lab units; not over cuts (Lai et al. 2018, "Learning Blind Video Temporal
  Consistency", section 4.1, but with mean absolute differences of ab). waves: the same of ab that
  is averaged over squares of 16 pixels, where the truth's fine detail and noise do not hide what
  large areas do.
- step: how far the whole picture's mean a*, b* goes from frame to frame, in Lab units, mean and
  worst; not over cuts.
- JSD: mean Jensen-Shannon divergence (bits, of 64 classes of a channel of sRGB) of frames 1, 2 and
  4 apart (Liu et al. 2021, "Temporally Consistent Video Colorization", the metric CDC); not over
  cuts.
- error: mean |ab - true ab|, Lab units. colorfulness: of Hasler and Suesstrunk.
- ms: processor time of the stabiliser for a frame.

The last table tells by how much the excess over the truth's own went down, and what is to be
watched: the share of the truth's steps that the steadied clip still has; which share is left where
the truth's own color is steadied (less than 0.8 is lag, but where the truth itself flickers); by
what the error and the colorfulness changed.

--kept keeps what the model predicts in a folder, so that only the first run takes long. --strips
writes PNGs of eight frames a clip, four rows: truth, raw, steady, and 8 times the difference of
steady from raw. `--json` prints every figure, unrounded.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from made_clips import KINDS, PHOTOGRAPHS, Clip, made
from tabulate import tabulate

from colorbatch import color
from colorbatch.clips import shots
from colorbatch.clips.stabiliser import Stabiliser, warped
from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.model.engine import Engine
from training.metrics import colored_picture, colorfulness
from training.photographs import Photographs
from training.steadiness import mean_colors, steps

FRAMES = 120
SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm")
DISTANCES = (1, 2, 4)
CLASSES = 64
"""Of a channel's 256 codes, for the divergence of distributions."""
AGREE = 1.0
"""How far flow there and back may end from where it began, in pixels, to be believed."""
SQUARE = 16
"""Side of what `waves` is averaged over, in pixels."""
STRIP_FRAMES = 8
Float64 = npt.NDArray[np.float64]
Places = npt.NDArray[np.float32]


# --- clips -------------------------------------------------------------------------------------


def read_clip(path: Path, size: tuple[int, int]) -> Clip | None:
    """The first frames of a file, with cuts where a run would find them; None for one in grey."""
    labs, views = [], []
    with av.open(str(path)) as container:
        for frame in itertools.islice(container.decode(video=0), FRAMES):
            rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            labs.append(color.rgb_to_lab(color.resize_area(rgb, size)))
            light = color.rgb_to_lab(color.resize_area(rgb, shots.SEEN))[..., 0]
            views.append(np.asarray(np.rint(light * 2.55), np.uint8))
    if len(labs) < 2 or np.mean([color.mean_chroma(lab) for lab in labs]) < color.GREY_CHROMA:
        return None
    cuts = shots.Cuts()
    told = [one for view in views if (one := cuts.add(view)) is not None] + list(cuts.end())
    truth = np.stack(labs)
    return Clip(path.stem, truth[..., 0], truth, np.array([True, *told[1:]]))


def found_clips(paths: Sequence[Path], size: tuple[int, int]) -> Iterator[Clip]:
    """The clips in color among files and those of folders."""
    for path in paths:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if file.suffix.lower() in SUFFIXES and (clip := read_clip(file, size)) is not None:
                yield clip


def made_of(folder: Path, count: int, skip: int, side: int, seed: int) -> Iterator[Clip]:
    """`count` clips of every kind from the photographs below a folder, behind those for `skip`."""
    photographs = iter(Photographs(folder, (skip + count) * PHOTOGRAPHS))
    for _ in itertools.islice(photographs, skip * PHOTOGRAPHS):
        pass
    for number in range(skip, skip + count):
        chosen = [rgb for _, rgb in itertools.islice(photographs, PHOTOGRAPHS)]
        for kind in KINDS:
            yield made(kind, number, chosen, side, seed)


def predicted(clip: Clip, engine: Engine, kept: Path | None) -> color.Float:
    """ab (N, h, w, 2) that the model predicts, from `kept` if it is there."""
    if kept is None:
        return engine.predict(clip.lightness)
    digest = hashlib.sha256(clip.lightness.tobytes() + engine.mark.encode()).hexdigest()
    path = kept / f"{digest[:32]}.npy"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        np.save(path, engine.predict(clip.lightness))
    return np.asarray(np.load(path), np.float32)


def steadied(clip: Clip, ab: color.Float, stability: float) -> tuple[color.Float, float]:
    """The steady ab (N, h, w, 2), and the milliseconds of processor time for a frame."""
    step, found = Stabiliser(stability), []
    started = time.process_time()
    for light, one, begins in zip(clip.lightness, ab, clip.begins, strict=True):
        found += step.add(light, one, bool(begins))
    found += step.end()
    return np.stack(found), 1000 * (time.process_time() - started) / len(ab)


# --- figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """One clip's color; see the top of this file."""

    warp: float
    waves: float
    step: float
    worst: float
    divergence: tuple[float, ...]
    error: float
    colorfulness: float


def flow_places(before: color.Codes, after: color.Codes) -> tuple[Places, npt.NDArray[np.bool_]]:
    """Where each pixel of `after` was in `before`, x and y (h, w, 2), and whether that is to be
    believed (h, w); both L* of 0 to 255, uint8."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    back, there = (
        np.asarray(dis.calc(*pair, None), np.float32)  # type: ignore[call-overload]
        for pair in ((after, before), (before, after))
    )
    height, width = before.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    places = grid + back
    returned = back + warped(there, places)
    inside = ((places >= 0) & (places <= np.array([width - 1, height - 1]))).all(-1)
    return places, inside & (np.hypot(returned[..., 0], returned[..., 1]) < AGREE)


def warp_errors(
    clip: Clip, abs_: Mapping[str, color.Float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Of each of the colors of one clip, mean over pairs of frames of one shot: of ab as it is, and
    of what squares of it have in the mean."""
    codes = np.asarray(np.rint(clip.truth[..., 0] * 2.55), np.uint8)
    fine: dict[str, list[float]] = {name: [] for name in abs_}
    coarse: dict[str, list[float]] = {name: [] for name in abs_}
    for number in np.flatnonzero(~clip.begins):
        places, valid = flow_places(codes[number - 1], codes[number])
        known = np.maximum(blurred(valid), 1e-6)[..., None]
        for name, ab in abs_.items():
            change = np.where(valid[..., None], ab[number] - warped(ab[number - 1], places), 0)
            fine[name].append(float(np.abs(change)[valid].mean()))
            coarse[name].append(float(np.abs(blurred(change) / known)[valid].mean()))
    fine_means, coarse_means = (
        {name: float(np.mean(sums[name])) for name in abs_} for sums in (fine, coarse)
    )
    return fine_means, coarse_means


def blurred(picture: npt.NDArray[Any]) -> color.Float:
    """(h, w) or (h, w, 2), each pixel the mean of the square around it."""
    return np.asarray(cv2.blur(picture.astype(np.float32), (SQUARE, SQUARE)), np.float32)


def divergences(pictures: Sequence[color.Codes], shot: npt.NDArray[Any]) -> tuple[float, ...]:
    """Of sRGB pictures, at each of DISTANCES, mean over channels and pairs within one shot."""
    counts = np.stack(
        [
            [
                np.bincount(one[..., c].ravel() // (256 // CLASSES), minlength=CLASSES)
                for c in range(3)
            ]
            for one in pictures
        ]
    )
    shares = counts / counts.sum(-1, keepdims=True)
    found = []
    for distance in DISTANCES:
        same = shot[distance:] == shot[:-distance]
        one, other = shares[distance:][same], shares[:-distance][same]
        middle = entropy((one + other) / 2)
        found.append(float((middle - (entropy(one) + entropy(other)) / 2).mean()))
    return tuple(found)


def entropy(shares: Float64) -> Float64:
    """In bits, of distributions on the last axis."""
    return np.asarray(-(shares * np.log2(np.where(shares > 0, shares, 1))).sum(-1))


def measured(clip: Clip, abs_: Mapping[str, color.Float]) -> dict[str, Figures]:
    """The figures of each of the colors (N, h, w, 2) of one clip."""
    (fine, coarse), shot = warp_errors(clip, abs_), np.cumsum(clip.begins)
    truth, found = clip.truth[..., 1:], {}
    for name, ab in abs_.items():
        stepped = steps(mean_colors(ab))[~clip.begins[1:]]
        pictures = [colored_picture(*pair) for pair in zip(clip.truth, ab, strict=True)]
        found[name] = Figures(
            fine[name],
            coarse[name],
            float(stepped.mean()),
            float(stepped.max()),
            divergences(pictures, shot),
            float(np.abs(ab - truth).mean()),
            float(np.mean([colorfulness(one) for one in pictures])),
        )
    return found


def steps_kept(clip: Clip, truth: color.Float, stability: float) -> float:
    """Which share of the steps of its mean color the truth (N, h, w, 2) has when it is steadied."""
    within = ~clip.begins[1:]
    own, found = (
        steps(mean_colors(ab))[within].mean() for ab in (truth, steadied(clip, truth, stability)[0])
    )
    return float(found / max(own, 1e-9))


# --- output ------------------------------------------------------------------------------------


Rows = Mapping[str, Mapping[str, Figures]]
"""Clip to raw, steady, truth to figures."""


def mean_of(rows: Rows) -> dict[str, Figures]:
    """Raw, steady and truth, over all clips; the worst step of all."""
    found = {}
    for name in next(iter(rows.values())):
        every = [row[name] for row in rows.values()]
        means = {
            field.name: np.mean([getattr(one, field.name) for one in every], axis=0).tolist()
            for field in dataclasses.fields(Figures)
        }
        means |= {"worst": max(one.worst for one in every)}
        means |= {"divergence": tuple(means["divergence"])}
        found[name] = Figures(**means)
    return found


def figures_table(rows: Rows) -> str:
    """Three lines a clip."""
    lines = []
    for clip, row in rows.items():
        for name, one in row.items():
            cells = [f"{value:.3f}" for value in (one.warp, one.waves, one.step)]
            cells += [f"{one.worst:.2f}", *(f"{1000 * bits:.2f}" for bits in one.divergence)]
            lines.append([clip, name, *cells, f"{one.error:.3f}", f"{one.colorfulness:.2f}"])
            clip = ""
    far = [f"JSD {distance}, mbit" for distance in DISTANCES]
    headings = ["clip", "", "warp", "waves", "step", "worst", *far, "error", "colorfulness"]
    return str(tabulate(lines, headings, tablefmt="github", disable_numparse=True))


def excess_down(raw: float, steady: float, truth: float) -> str:
    """By what share the excess over the truth is less than it was; a dash without excess."""
    if raw <= truth:
        return "-"
    return f"{1 - (steady - truth) / (raw - truth):.0%}"


def goals_table(rows: Rows, kept: Mapping[str, float], times: Mapping[str, float]) -> str:
    """One line a clip: what came of it. kept: the share of its steps that steadied truth has."""
    lines = []
    for clip, row in rows.items():
        raw, steady, truth = row["raw"], row["steady"], row["truth"]
        lines.append(
            [
                clip,
                excess_down(raw.warp, steady.warp, truth.warp),
                excess_down(raw.waves, steady.waves, truth.waves),
                excess_down(raw.step, steady.step, truth.step),
                f"{steady.step / max(truth.step, 1e-9):.2f}",
                f"{kept[clip]:.2f}",
                f"{steady.error / raw.error - 1:+.1%}",
                f"{steady.colorfulness / raw.colorfulness - 1:+.1%}",
                f"{times[clip]:.1f}",
            ]
        )
    headings = ["clip", "warp down", "waves down", "steps down", "steps / truth's"]
    headings += ["truth's own", "error", "colorfulness", "ms"]
    return str(tabulate(lines, headings, tablefmt="github", disable_numparse=True))


def write_strip(path: Path, clip: Clip, raw: color.Float, steady: color.Float) -> None:
    """Eight frames that follow each other, from where the whole picture's raw color moves most."""
    moved = steps(mean_colors(raw))
    window = np.convolve(moved, np.ones(STRIP_FRAMES - 1), "valid")
    first = int(window.argmax())
    numbers = range(first, min(first + STRIP_FRAMES, len(raw)))
    changed = np.clip(8 * (steady - raw), -100, 100)
    grey = np.full_like(clip.truth[0], 50)
    rows = [
        np.hstack([colored_picture(clip.truth[n], ab[n]) for n in numbers])
        for ab in (clip.truth[..., 1:], raw, steady)
    ]
    rows.append(np.hstack([colored_picture(grey, changed[n]) for n in numbers]))
    written = np.ascontiguousarray(np.vstack(rows)[..., ::-1])
    path.write_bytes(cv2.imencode(".png", written)[1].tobytes())


def main() -> None:
    """Measure, and print the tables or the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIPS")
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--count", type=int, default=2, help="made clips of each kind")
    parser.add_argument("--skip", type=int, default=0, help="so many of each kind are passed over")
    parser.add_argument("--model")
    parser.add_argument("--stability", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, help="a folder for what the model predicts")
    parser.add_argument("--strips", type=Path, help="a folder for strips of eight frames")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Figures]] = {}
    times: dict[str, float] = {}
    kept: dict[str, float] = {}
    try:
        engine = Engine(arguments.model)
        clips: Iterator[Clip] = found_clips(arguments.clips, engine.size)
        if arguments.photographs:
            numbers = (arguments.count, arguments.skip, engine.size[0], arguments.seed)
            clips = itertools.chain(clips, made_of(arguments.photographs, *numbers))
        for clip in clips:
            raw = predicted(clip, engine, arguments.kept)
            with color.single_threaded():
                steady, times[clip.name] = steadied(clip, raw, arguments.stability)
                truth = np.ascontiguousarray(clip.truth[..., 1:])
                kept[clip.name] = steps_kept(clip, truth, arguments.stability)
            abs_ = {"raw": raw, "steady": steady, "truth": truth}
            rows[clip.name] = measured(clip, abs_)
            if arguments.strips:
                arguments.strips.mkdir(parents=True, exist_ok=True)
                name = clip.name.replace(" ", "-")
                write_strip(arguments.strips / f"{name}.png", clip, raw, steady)
        if not rows:
            raise UsageError("no clips in color")
    except (ColorbatchError, OSError) as error:
        parser.error(str(error))
    if arguments.json:
        told = {
            name: {key: dataclasses.asdict(one) for key, one in row.items()}
            for name, row in rows.items()
        }
        print(json.dumps({"clips": told, "kept": kept, "milliseconds": times}, indent=1))
        return
    times["all"] = float(np.mean(list(times.values())))
    kept["all"] = float(np.mean(list(kept.values())))
    rows["all"] = mean_of(rows)
    print(figures_table(rows) + "\n\n" + goals_table(rows, kept, times))


if __name__ == "__main__":
    main()
