"""Peak memory of `colorbatch images` on large pictures, file by file and as a folder.

`python benchmarks/memory.py [--megapixels 100] [--kinds tif16-grey,...] [--memory 4G]` makes one
file of each kind (a smooth picture with noise on it, as a scan of film has) and colors each in a
process of its own, then all of them as one folder with several workers, and prints peak resident
memory (of the whole process, model and libraries included), seconds, and pixels per second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

Samples = npt.NDArray[Any]
Maker = Callable[[Path, Samples], None]
"""A path without its suffix and 16-bit grey (H, W) to a file."""


def sheet(megapixels: float, seed: int = 0) -> Samples:
    """A 3:2 picture (H, W), uint16: soft shapes with grain, made strip by strip."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    width = round(height * 3 / 2)
    chance = np.random.default_rng(seed)
    shapes = chance.uniform(8000, 56000, (12, 18)).astype(np.float32)
    picture = np.empty((height, width), np.uint16)
    soft = cv2.resize(shapes, (width // 16, height // 16), interpolation=cv2.INTER_CUBIC)
    position = np.linspace(0, soft.shape[0] - 1, height)
    for start in range(0, height, 256):
        rows = soft[np.rint(position[start : start + 256]).astype(int)]
        rows = cv2.resize(rows, (width, rows.shape[0]), interpolation=cv2.INTER_LINEAR)
        rows += chance.standard_normal(rows.shape, np.float32) * 300
        picture[start : start + 256] = np.clip(rows, 0, 65535)
    return picture


def _in_color(grey: Samples) -> Samples:
    """RGB (H, W, 3) of one brownish tone, as scans of old prints have."""
    rgb = np.empty((*grey.shape, 3), grey.dtype)
    for channel, gain in enumerate((1.0, 0.93, 0.8)):
        for start in range(0, len(grey), 256):
            rgb[start : start + 256, :, channel] = grey[start : start + 256] * np.float32(gain)
    return rgb


def _tiff(compression: str | None = None, rgb: bool = False, **options: Any) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        tifffile.imwrite(
            path.with_suffix(".tif"),
            _in_color(grey) if rgb else grey,
            photometric="rgb" if rgb else "minisblack",
            compression=compression,
            predictor=compression is not None,
            **options,
        )

    return make


def _jpeg(rgb: bool, progressive: bool = False) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        codes = (grey >> 8).astype(np.uint8)
        image = Image.fromarray(_in_color(codes) if rgb else codes)
        image.save(path.with_suffix(".jpg"), quality=92, progressive=progressive)

    return make


def _png(rgb: bool) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        pixels = _in_color(grey)[..., ::-1] if rgb else grey
        path.with_suffix(".png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())

    return make


KINDS: dict[str, Maker] = {
    "tif16-grey": _tiff(rowsperstrip=64),
    "tif16-grey-one-strip": _tiff(rowsperstrip=1 << 20),
    "tif16-grey-lzw": _tiff("lzw", rowsperstrip=64),
    "tif16-grey-lzw-one-strip": _tiff("lzw", rowsperstrip=1 << 20),
    "tif16-rgb": _tiff(rgb=True, rowsperstrip=64),
    "tif16-rgb-lzw": _tiff("lzw", rgb=True, rowsperstrip=64),
    "tif16-rgb-tiles": _tiff("deflate", rgb=True, tile=(256, 256)),
    "tif16-rgb-lzw-one-strip": _tiff("lzw", rgb=True, rowsperstrip=1 << 20),
    "jpg-grey": _jpeg(rgb=False),
    "jpg-rgb": _jpeg(rgb=True),
    "jpg-rgb-progressive": _jpeg(rgb=True, progressive=True),
    "png16-grey": _png(rgb=False),
    "png16-rgb": _png(rgb=True),
}
FOLDER = ("tif16-grey", "tif16-rgb", "tif16-rgb-lzw", "jpg-rgb")
"""What the folder holds for the run with several workers, each twice."""


def make(kind: str, path: Path, megapixels: float, seed: int = 0) -> None:
    """Make a file in a process of its own: Linux counts what a process had before it became
    another program as that program's peak, so this one stays small."""
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_make, args=(kind, path, megapixels, seed))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{kind} could not be made")


def _make(kind: str, path: Path, megapixels: float, seed: int) -> None:
    KINDS[kind](path, sheet(megapixels, seed))


def measure(command: list[str | Path]) -> tuple[float, float]:
    """Wall-clock seconds and peak resident memory in MB (10**6 bytes) of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(map(str, command[1:]))} ended with {code}")
    scale = 1e6 if sys.platform == "darwin" else 1e6 / 1024  # bytes there, kibibytes elsewhere
    return time.perf_counter() - started, usage.ru_maxrss / scale


def colored(source: Path, scratch: Path, *options: str) -> tuple[float, float]:
    """Color a file or a folder in a process of its own; see `measure`."""
    with tempfile.TemporaryDirectory(dir=scratch) as target:
        command: list[str | Path] = [sys.executable, "-m", "colorbatch", "images", source]
        return measure([*command, "-o", Path(target, "out"), "-q", *options])


def results(asked: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, float, float, float]]:
    """A name, megapixels, seconds and peak MB of each run."""
    made = scratch / "made"
    made.mkdir()
    million = asked.megapixels
    limit = ["--memory", asked.memory] if asked.memory else []
    # a picture of a few pixels: what the program and its model need by themselves
    make("png16-grey", scratch / "small", 0.01)
    yield "0.01 megapixels", 0.0, *colored(scratch / "small.png", scratch, *limit)
    for kind in asked.kinds:
        make(kind, made / kind, million)
        [path] = made.glob(f"{kind}.*")
        yield kind, million, *colored(path, scratch, "--workers", "1", *limit)
        path.unlink()
    if not asked.folder:
        return
    for copy in range(2):
        for kind in asked.folder:
            make(kind, made / f"{copy}-{kind}", million, copy)
    files = len(list(made.iterdir()))
    for workers in asked.workers:
        row = colored(made, scratch, "--workers", str(workers), "--on-color", "colorize", *limit)
        yield f"folder of {files}, {workers} workers", files * million, *row


def main() -> None:
    """Make the files, run, print."""

    def listed(text: str) -> list[str]:
        return [part for part in text.split(",") if part]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--kinds", type=listed, default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--folder", type=listed, default=list(FOLDER), help="kinds; '' for none")
    parser.add_argument("--workers", type=listed, default=["1", "4"])
    parser.add_argument("--memory", help="handed on")
    parser.add_argument("--scratch", type=Path, help="folder for the files, some gigabytes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch:
        for name, million, seconds, peak in results(asked, Path(scratch)):
            rate = f"{million / seconds:6.1f} megapixels/s" if million else ""
            print(f"{name:32} {peak:6.0f} MB {seconds:7.1f} s {rate}", flush=True)


if __name__ == "__main__":
    main()
