"""Speed and memory on photographs: ours, the loop that people write by hand, and the limit.

`python benchmarks/photographs.py FOLDER [--rounds N] [--sets NAME...] [--factor F]` makes sets of
grey pictures from the photographs in color of FOLDER (mosaics with grain, so that 12 megapixels
have detail everywhere), takes every set through each way, each in a process of its own and in
turns, and prints pictures per second, peak memory and the ratios of the rounds. The ways:

- `ours`: the command, `python -m colorbatch images`, from its start to its end.
- `ours, warm`: the same work, journal and all, timed in a process that has the model loaded.
- `loop`: OpenCV read, Lab, one onnxruntime call per picture, OpenCV write with its defaults, one
  process. 8-bit Lab, but of 16-bit pictures float Lab, as OpenCV has no other.
- `limit`: decoding, inference in batches and encoding alone, on all cores and overlapped, with our
  decoders, encoders and settings. What is encoded is our own results, held ready in memory (neither
  their size nor the time to load them counts): no color work, no metadata, no journal, no fsync.

Ratios are of whole processes to whole processes, and of work without start to work without start.
That of CPU seconds, of the work on all cores, says what is to be expected of a machine that has
nothing else to do: beside other jobs the seconds on the clock depend on what they do.

All ways run the default model, or that which COLORBATCH_MODEL names.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from clocks import Clock, Work, model, run_python

if TYPE_CHECKING:
    from colorbatch.stills.request import AskedExecutor

Pixels = npt.NDArray[Any]
SMALL, LARGE = (1224, 1632), (3000, 4000)
QUALITY = 90
BATCH = 8


@dataclass(frozen=True)
class Set:
    """Pictures of one kind. size: (H, W). compression: of TIFF, in tifffile's terms."""

    name: str
    size: tuple[int, int]
    count: int
    suffix: str = ".jpg"
    compression: str = ""


SETS = (
    Set("2 MP JPEG", SMALL, 64),
    Set("12 MP JPEG", LARGE, 16),
    Set("12 MP TIFF, 16 bits, LZW", LARGE, 12, ".tif", "lzw"),
    Set("12 MP TIFF, 16 bits, uncompressed", LARGE, 12, ".tif", "none"),
)


# --- the pictures ------------------------------------------------------------------------------


def make(folder: Path, target: Path, chosen: Set, count: int) -> None:
    """Write `count` grey pictures of a set, made from the photographs in color of a folder."""
    from PIL import Image

    from training.folders import find_photographs

    rng = np.random.default_rng(0)
    paths = find_photographs(folder)
    photographs = _endless([paths[index] for index in rng.permutation(len(paths))])
    for index in range(count):
        luma = mosaic(photographs, chosen.size) + rng.normal(0, 0.008, chosen.size)
        path = target / f"{index:03}{chosen.suffix}"
        if chosen.suffix == ".tif":
            import tifffile

            codes = np.rint(np.clip(luma, 0, 1) * 65535).astype(np.uint16)
            packed: dict[str, Any] = {"compression": chosen.compression, "predictor": True}
            packed = {} if chosen.compression == "none" else packed
            tifffile.imwrite(path, codes, photometric="minisblack", metadata=None, **packed)
        else:
            codes = np.rint(np.clip(luma, 0, 1) * 255).astype(np.uint8)
            Image.fromarray(codes).save(path, quality=QUALITY)


def _endless(paths: Sequence[Path]) -> Iterator[Pixels]:
    from colorbatch.formats.reader import load_rgb

    while True:
        for path in paths:
            yield load_rgb(path)


def mosaic(photographs: Iterator[Pixels], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Luma (H, W) in [0, 1] of photographs side by side, none enlarged by more than 2."""
    import cv2

    from colorbatch import color

    first = next(photographs)
    each = max(1, *(-(-side // (2 * have)) for side, have in zip(size, first.shape, strict=False)))
    height, width = (-(-side // each) for side in size)
    rows = []
    for _ in range(each):
        cells = []
        for _ in range(each):
            grey = color.luma(next(photographs)).astype(np.float32) / 255
            scale = max(height / grey.shape[0], width / grey.shape[1])
            to = (
                max(width, round(grey.shape[1] * scale)),
                max(height, round(grey.shape[0] * scale)),
            )
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            cells.append(cv2.resize(grey, to, interpolation=method)[:height, :width])
        rows.append(np.hstack(cells))
    return np.asarray(np.vstack(rows)[: size[0], : size[1]], np.float64)


# --- the ways; each tells what its work took, without start ------------------------------------


def loop(source: Path, target: Path) -> Work:
    """Color a folder picture by picture, as a script of thirty lines would."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import cv2
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model()))
    plain = [cv2.IMWRITE_TIFF_COMPRESSION, 1] if "uncompressed" in source.name else []
    clock = Clock()
    for path in sorted(source.iterdir()):
        bgr: Any = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        deep = bgr.dtype == np.uint16
        if deep:
            bgr = bgr.astype(np.float32) / 65535
        lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
        white, neutral = (100, 0) if deep else (255, 128)
        small = cv2.resize(lab[..., 0], (256, 256), interpolation=cv2.INTER_AREA)
        feed = (small / white * 2 - 1).astype(np.float32)[None, None]
        [chroma] = session.run(None, {"lightness": feed})
        height, width = lab.shape[:2]
        ab = cv2.resize(chroma[0].transpose(1, 2, 0) * 110 + neutral, (width, height))
        lab[..., 1:] = ab if deep else np.clip(ab, 0, 255)
        result = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
        if deep:
            result = (np.clip(result, 0, 1) * 65535 + 0.5).astype(np.uint16)
        cv2.imwrite(str(target / path.name), result, plain)
    return clock.stop()


def library(source: Path, target: Path, workers: int = 0, executor: AskedExecutor = "auto") -> Work:
    """Our work with everything that belongs to it, but for the start of the process."""
    from colorbatch.inputs import picture_files
    from colorbatch.job import ImageSettings
    from colorbatch.journal.results import Journals
    from colorbatch.model.contract import sha256
    from colorbatch.model.engine import Engine
    from colorbatch.stills import batch
    from colorbatch.stills.names import PICTURES

    engine = Engine(model(), "cpu")
    digest = sha256(engine.path)
    clock = Clock()
    jobs = picture_files.plan_jobs([source], target, PICTURES)
    with Journals(jobs) as journals:
        journals.lock()
        settings = ImageSettings()
        outcomes = batch.colorize_images(
            jobs,
            engine,
            settings,
            journals=journals,
            model_sha256=digest,
            workers=workers,
            executor=executor,
        )
        ended = [outcome.status for outcome in outcomes]
    if set(ended) != {"colored"}:
        raise SystemExit(f"not all were colored: {set(ended)}")
    return clock.stop()


def limit(source: Path, target: Path, results: Path) -> Work:
    """Decode, infer in batches, encode: nothing else, and all of it at once."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import cv2
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model()), options)
    began = time.perf_counter()
    ready = {path.name: _result(path) for path in sorted(results.iterdir()) if path.is_file()}
    preparing = time.perf_counter() - began
    paths = sorted(source.iterdir())
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(os.cpu_count())
    clock = Clock()

    def read(path: Path) -> tuple[Pixels, Any]:
        grey, how = _decode(path)
        small = cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32)[None] * (2 / np.iinfo(grey.dtype).max) - 1, how

    waiting = deque((path, pool.submit(read, path)) for path in paths[: 2 * BATCH])
    later = iter(paths[2 * BATCH :])
    writing: list[Future[None]] = []
    while waiting:
        batch = [waiting.popleft()]
        batch[0][1].result()
        while waiting and len(batch) < BATCH and waiting[0][1].done():
            batch.append(waiting.popleft())
        session.run(None, {"lightness": np.stack([read.result()[0] for _, read in batch])})
        for path, done in batch:
            how = done.result()[1]
            writing.append(pool.submit(_encode, target / path.name, ready[path.name], how))
            if (following := next(later, None)) is not None:
                waiting.append((following, pool.submit(read, following)))
    for future in writing:
        future.result()
    work = clock.stop()
    held = sum(pixels.nbytes for pixels in ready.values())
    print(json.dumps({"held": held, "preparing": preparing}))
    return work


def _decode(path: Path) -> tuple[Pixels, Any]:
    """Codes (H, W) and how they were stored."""
    if path.suffix == ".jpg":
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image), image.quantization  # type: ignore[attr-defined]
    import tifffile

    tiff: Any
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        return page.asarray(), (int(page.compression), page.predictor, page.rowsperstrip)


def _result(path: Path) -> Pixels:
    """What our encoders were given for a result: Y'CbCr of JPEG, RGB of TIFF, (H, W, 3)."""
    if path.suffix == ".tif":
        import tifffile

        return np.asarray(tifffile.imread(path))
    from PIL import Image

    with Image.open(path) as image:
        image.draft("YCbCr", image.size)
        return np.asarray(image)


def _encode(path: Path, pixels: Pixels, how: Any) -> None:
    if path.suffix == ".jpg":
        from PIL import Image

        image = Image.frombuffer("YCbCr", pixels.shape[1::-1], pixels, "raw", "YCbCr", 0, 1)
        image.save(path, qtables=[how[0], how[0]], subsampling=0)
        return
    import tifffile

    compression, predictor, rows = how
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression=None if compression == 1 else compression,
        predictor=predictor != 1,
        rowsperstrip=rows,
        maxworkers=1,
        metadata=None,
    )


# --- measuring ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One way taken once: seconds of the process and of its work alone, CPU seconds of all threads
    in that work, and peak memory in MB."""

    whole: float
    work: float
    cpu: float
    memory: float


def measure(command: Sequence[str | Path]) -> Run:
    """Run a command of Python's; what it prints in JSON tells of its work."""
    ended = run_python(command)
    said = ended.said
    whole = ended.whole - said.get("preparing", 0)
    work, cpu = said.get("work", whole), said.get("cpu", float("nan"))
    return Run(whole, work, cpu, ended.memory - said.get("held", 0) / 1e6)


def rounds_of(chosen: Set, folder: Path, rounds: int, count: int) -> dict[str, list[Run]]:
    """Every way through a set, in turns."""
    runs: dict[str, list[Run]] = {"ours": [], "ours, warm": [], "loop": [], "limit": []}
    with tempfile.TemporaryDirectory() as scratch:
        source, results = Path(scratch, chosen.name), Path(scratch, "results")
        source.mkdir()
        itself = Path(__file__)
        measure([itself, folder, "--task", "make", source, "-", chosen.name, str(count)])
        ours: list[str | Path] = ["-m", "colorbatch", "images", source, "-q", "-o"]
        measure([*ours, results])
        for _ in range(rounds):
            for way, found in runs.items():
                with tempfile.TemporaryDirectory(dir=scratch) as target:
                    command: list[str | Path] = [*ours, target]
                    if way != "ours":
                        task = {"ours, warm": "library"}.get(way, way)
                        command = [itself, folder, "--task", task, source, target, results]
                    found.append(measure(command))
    return runs


def show(chosen: Set, count: int, runs: dict[str, list[Run]]) -> None:
    """Print the medians of each way and the ratios of the rounds."""
    print(f"\n{chosen.name}: {count} pictures of {chosen.size[1]} x {chosen.size[0]}")
    for way, found in runs.items():
        whole, work, cpu = (
            statistics.median(getattr(run, part) for run in found) / count
            for part in ("whole", "work", "cpu")
        )
        memory = max(run.memory for run in found)
        alone = "" if way == "ours" else f", without start {1 / work:6.2f}, {cpu:5.3f} CPU s each"
        print(f"  {way:<11}{1 / whole:6.2f} pictures/s{alone:<40}  peak {memory:5.0f} MB")
    seconds: dict[str, Callable[[str], list[float]]] = {
        "whole": lambda way: [run.whole for run in runs[way]],
        "without start": lambda way: [run.work for run in runs[way]],
        "CPU seconds": lambda way: [run.cpu for run in runs[way]],
    }
    for part, of in seconds.items():
        ours = of("ours" if part == "whole" else "ours, warm")
        for other in ("loop", "limit"):
            ratios = [theirs / mine for theirs, mine in zip(of(other), ours, strict=True)]
            each = " ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"  ours / {other}, {part}: {statistics.median(ratios):.2f}  ({each})")
    sys.stdout.flush()


def main() -> None:
    """Measure all sets, or do one task of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="photographs in color")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=[], help="how names of sets begin")
    parser.add_argument("--factor", type=float, default=1, help="of the numbers of pictures")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        task, source, target, *rest = arguments.task
        if task == "make":
            chosen = next(one for one in SETS if one.name == rest[0])
            make(arguments.folder, Path(source), chosen, int(rest[1]))
            return
        ways = {"loop": loop, "library": library}
        folders = Path(source), Path(target)
        work = limit(*folders, Path(rest[0])) if task == "limit" else ways[task](*folders)
        print(json.dumps(dataclasses.asdict(work)))
        return
    for chosen in SETS:
        if not arguments.sets or any(map(chosen.name.startswith, arguments.sets)):
            count = max(1, round(chosen.count * arguments.factor))
            show(chosen, count, rounds_of(chosen, arguments.folder, arguments.rounds, count))


if __name__ == "__main__":
    main()
