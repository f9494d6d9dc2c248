"""The join's speed and its temporaries, numpy's and compiled, by kind.

`python benchmarks/join.py [--megapixels 4] [--rounds 7] [--kinds rgb8,...]` joins a picture with a
chroma map of 256 x 256 on one core, both ways in turns, and prints for each kind nanoseconds a
pixel of the picture (the best and the middle of the rounds, processor time of the thread), and the
most memory that numpy's arrays took beside sources and results. A picture is soft shapes with
grain.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import chroma, compiled, luma_join, single_threaded
from colorbatch.color.ycbcr import Encoding

Codes = npt.NDArray[Any]
Job = Callable[[], object]
CHROMA = 256

KINDS = {
    "rgb8": ("RGB, 8 bits", 8, None),
    "jpeg8": ("Y'CbCr for JPEG, 8 bits", 8, None),
    "rgb16": ("RGB, 16 bits", 16, None),
    "film420p8": ("film 4:2:0, 8 bits", 8, (2, 2)),
    "film420p10": ("film 4:2:0, 10 bits", 10, (2, 2)),
    "film422p10": ("film 4:2:2, 10 bits", 10, (1, 2)),
    "film444p8": ("film 4:4:4, 8 bits", 8, (1, 1)),
}


def picture(megapixels: float, bits: int) -> Codes:
    """A 3:2 picture (H, W) in codes of so many bits."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5) // 2 * 2
    size = (height, height * 3 // 2 // 2 * 2)
    chance = np.random.default_rng(0)
    soft = chance.uniform(0.05, 0.95, (12, 18)).astype(np.float32)
    shapes = cv2.resize(soft, size[::-1], interpolation=cv2.INTER_CUBIC)
    shapes += chance.normal(0, 0.01, size).astype(np.float32)
    highest = (1 << bits) - 1
    codes = np.clip(np.rint(shapes * highest), 0, highest)
    return codes.astype(np.uint8 if bits == 8 else np.uint16)


def job(kind: str, megapixels: float) -> tuple[Job, int, tuple[str, ...]]:
    """One join of a kind, the bytes of what it returns, and the kernels that it is done by."""
    _, bits, step = KINDS[kind]
    grey = picture(megapixels, bits)
    chance = np.random.default_rng(1)
    coarse = chance.normal(0, 18, (24, 24, 2)).astype(np.float32)
    enlarged = cv2.resize(coarse, (CHROMA, CHROMA), interpolation=cv2.INTER_CUBIC)
    ab = np.asarray(enlarged, np.float32)
    wide = 8 if bits == 8 else 16
    if step is None:
        out = np.empty((*grey.shape, 3), grey.dtype)
        output: luma_join.Output = "ycc" if kind.startswith("jpeg") else "rgb"

        def still() -> object:
            return luma_join.colorize_rows(grey, ab, 0, len(grey), output=output, out=out)

        return still, 0, (f"still{wide}",)
    meaning = Encoding(bits, step)

    def film() -> object:
        return chroma.chroma_planes(grey, ab, meaning)

    result = 2 * grey.nbytes // (step[0] * step[1])
    return film, result, (f"film{wide}", "enlarge32")


def peak(work: Job) -> int:
    """The most bytes of numpy's arrays while it works."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def measured(kind: str, megapixels: float, rounds: int) -> str:
    """A row of the table."""
    work, result, names = job(kind, megapixels)
    pixels = picture(megapixels, 8).size
    kept = {name: kernel for name in names if (kernel := compiled.from_cache(name)) is not None}
    found = compiled.made([name for name in names if name not in kept]) | kept
    if len(found) < len(names):
        raise SystemExit(compiled.told())
    times: dict[bool, list[float]] = {False: [], True: []}
    peaks: dict[bool, int] = {}
    for turn in range(rounds + 1):  # the first to warm up
        for by_kernel in (False, True):
            for name, kernel in found.items():
                compiled.KERNELS.use(name, kernel if by_kernel else None)
            repeats = 3 if by_kernel else 1
            begin = time.thread_time()
            for _ in range(repeats):
                work()
            if turn:
                times[by_kernel].append((time.thread_time() - begin) / repeats / pixels * 1e9)
            peaks[by_kernel] = max(0, peak(work) - result) if turn == 1 else peaks.get(by_kernel, 0)
    cells = [KINDS[kind][0]]
    for by_kernel in (False, True):
        each = times[by_kernel]
        cells.append(f"{min(each):.1f} ({statistics.median(each):.1f})")
        cells.append(f"{peaks[by_kernel] / 1e6:.1f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kinds", default=",".join(KINDS), help=", ".join(KINDS))
    asked = parser.parse_args()
    print(compiled.told())
    compiled.LOADING = compiled.COMPILING = 1 << 60  # here kernels come and go by hand
    print(f"{asked.megapixels:g} megapixels, {asked.rounds} rounds, one core: best (middle)")
    print("| kind | numpy, ns a pixel | its MB | compiled, ns a pixel | its MB |")
    print("|---|---|---|---|---|")
    with single_threaded():
        for kind in asked.kinds.split(","):
            print(measured(kind, asked.megapixels, asked.rounds), flush=True)


if __name__ == "__main__":
    main()
