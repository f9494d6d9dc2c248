"""Peak memory of `colorbatch images` on large pictures, file by file and as a folder.

`python benchmarks/memory.py [--megapixels 100] [--kinds tif16-grey,...] [--memory 4G]` makes one
file of each kind (a smooth picture with noise on it, as a scan of film has), colors each in a
process of its own, then some as one folder with several workers, and prints the peak of resident
memory (of the whole process, model and libraries included), what the tool expected from the header,
and the time. A kind may name another format for the result: tif16-rgb:jpg. The first line, of small
pictures, is what the program and its model need by themselves: the default one, or that which
COLORBATCH_MODEL names.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pillow_heif
import tifffile
from PIL import Image

from colorbatch.formats import memory_need

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


def _tiff(
    compression: str | None = None, rgb: bool = False, alpha: bool = False, **options: Any
) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        samples = _in_color(grey) if rgb else grey
        if alpha:
            samples = np.dstack([samples, grey])
        if options.get("planarconfig") == "separate":
            samples = np.moveaxis(samples, -1, 0).copy()
        tifffile.imwrite(
            path.with_suffix(".tif"),
            samples,
            photometric="rgb" if rgb else "minisblack",
            compression=compression,
            predictor=compression is not None,
            extrasamples=["unassalpha"] if alpha else None,
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


def _eight(suffix: str, **options: Any) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        Image.fromarray(_in_color((grey >> 8).astype(np.uint8))).save(
            path.with_suffix(suffix), **options
        )

    return make


def _jp2(path: Path, grey: Samples) -> None:
    data = imagecodecs.jpeg2k_encode(_in_color(grey), level=0, reversible=True, codecformat="JP2")
    path.with_suffix(".jp2").write_bytes(data)


def _heic(path: Path, grey: Samples) -> None:
    pillow_heif.register_heif_opener()
    _eight(".heic", quality=80)(path, grey)


def _floats(rgb: bool) -> Maker:
    def make(path: Path, grey: Samples) -> None:
        samples = (_in_color(grey) if rgb else grey) / np.float32(65535)
        kind = "rgb" if rgb else "minisblack"
        tifffile.imwrite(path.with_suffix(".tif"), samples, photometric=kind, rowsperstrip=64)

    return make


def _palette(path: Path, grey: Samples) -> None:
    codes = Image.fromarray((grey >> 8).astype(np.uint8))
    codes.convert("P").save(path.with_suffix(".tif"), compression="tiff_lzw")


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
    "png8-rgb": _eight(".png"),
    "tif16-rgba": _tiff(rgb=True, alpha=True, rowsperstrip=64),
    "tif16-rgb-planes": _tiff(rgb=True, rowsperstrip=64, planarconfig="separate"),
    "tif32-float-grey": _floats(rgb=False),
    "tif32-float-rgb": _floats(rgb=True),
    "tif16-rgb-lzw-two-strips": _tiff("lzw", rgb=True, rowsperstrip=3000),
    "tif8-palette": _palette,
    "tif8-rgb-lzw": _eight(".tif", compression="tiff_lzw"),
    "tif8-rgb-jpeg": _eight(".tif", compression="jpeg"),
    "webp-rgb": _eight(".webp", quality=90),
    "webp-rgb-lossless": _eight(".webp", lossless=True, method=1),
    "bmp-rgb": _eight(".bmp"),
    "jp2-16-rgb": _jp2,
    "heic-rgb": _heic,
}
MAIN = tuple(KINDS)[:13]
"""What is measured unless something else is asked for."""
FOLDER = ("tif16-grey", "tif16-rgb", "tif16-rgb-lzw", "jpg-rgb")
"""What the folder holds for the run with several workers, each twice."""


@dataclass(frozen=True)
class Row:
    """What a run took: wall-clock seconds, peak resident memory in MB, and the tool's own estimate
    of it, where it makes one."""

    name: str
    seconds: float
    peak: float
    megapixels: float = 0
    estimate: float = 0


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


def results(asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """A row for each run."""
    made = scratch / "made"
    made.mkdir()
    million = asked.megapixels
    limit = ["--memory", asked.memory] if asked.memory else []
    # what the program and its model need by themselves, with batches of 8
    small = scratch / "small"
    small.mkdir()
    make("png16-grey", small / "0", 0.01)
    for copy in range(1, 32):
        shutil.copy(small / "0.png", small / f"{copy}.png")
    yield Row("32 of 0.01 megapixels", *colored(small, scratch, *limit))
    for kind in asked.kinds:
        name, _, new = kind.partition(":")
        make(name, made / name, million)
        [path] = made.iterdir()
        said = memory_need.BASE_BYTES + memory_need.of_coloring(
            path, path.with_suffix(f".{new}" * bool(new))
        )
        options = ["--workers", "1", *limit, *(["--format", new] if new else [])]
        yield Row(kind, *colored(path, scratch, *options), million, said / 1e6)
        path.unlink()
    if not asked.folder:
        return
    for copy in range(2):
        for kind in asked.folder:
            make(kind, made / f"{copy}-{kind}", million, copy)
    files = len(list(made.iterdir()))
    for workers in asked.workers:
        run = colored(made, scratch, "--workers", workers, *limit)
        yield Row(f"folder of {files}, {workers} workers", *run, files * million)


def main() -> None:
    """Make the files, run, print."""

    def listed(text: str) -> list[str]:
        return [part for part in text.split(",") if part]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--kinds", type=listed, default=list(MAIN), help=", ".join(KINDS))
    parser.add_argument("--folder", type=listed, default=list(FOLDER), help="kinds; '' for none")
    parser.add_argument("--workers", type=listed, default=["1", "4"])
    parser.add_argument("--memory", help="handed on")
    parser.add_argument("--scratch", type=Path, help="folder for the files, some gigabytes")
    asked = parser.parse_args()
    print(f"{'':32} {'peak':>9} {'estimate':>9} {'time':>9}")
    with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch:
        for row in results(asked, Path(scratch)):
            said = f"{row.estimate:6.0f} MB" if row.estimate else ""
            rate = f"{row.megapixels / row.seconds:6.1f} megapixels/s" if row.megapixels else ""
            line = f"{row.name:32} {row.peak:6.0f} MB {said:>9} {row.seconds:7.1f} s {rate}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
