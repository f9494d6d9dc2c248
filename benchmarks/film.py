"""Speed and memory on films: ours, the loop that people write by hand, and the limit.

`python benchmarks/film.py CLIP [--rounds N] [--sets NAME...] [--factor F]` makes grey films of the
pictures of CLIP (scaled, played to and fro until they are long enough, coded as the set says),
takes each through every way, each in a process of its own and in turns, and prints frames per
second, peak memory, the ratios of the rounds and the goals beside them. The ways:

- `ours`: the command, `python -m colorbatch video`, from its start to its end, with what it takes
  to look at the source and to estimate.
- `ours, warm`: the same work (segments, journal, join and hashes), timed in a process that has the
  model loaded.
- `loop`: OpenCV VideoCapture read, 8-bit Lab of the whole picture, one onnxruntime call per frame,
  RGB, and PyAV to encode, as OpenCV's own wheels have no x264; one Python thread, sound and all
  else left behind.
- `transcode`: decoding (on a thread of its own) and encoding with PyAV. What it reads is our own
  result, as there is chroma to encode in it; codec, settings and threads are ours everywhere.
- `inference`: the model alone, in batches.
- `shots`: the pass that finds where shots and segments begin, and judges shots, before any color.
  It is part of ours.
- `steadying`: the stabiliser alone, on what the model says of the frames. It is part of `ours`, and
  not of `ours, warm`.

The limit is 1 / (transcode time + inference time) per frame, without the start of the process. What
is compared with it is without the pass over the shots (by its CPU seconds) and without steadying.
Ratios are of whole processes to whole processes, and of work without start to work without start.
That of CPU seconds says what is to be expected of a machine that has nothing else to do. All ways
run the default model, or that which COLORBATCH_MODEL names.

`--memory MINUTES` instead makes films of one minute and of MINUTES, 320 x 180 at 8 frames per
second, and prints the peak of resident memory of the command on each.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from clocks import Clock, Work, model, run_python

if TYPE_CHECKING:
    from colorbatch.model.engine import Engine

Plane = npt.NDArray[np.uint8]
BATCH = 8
GOAL_LOOP, GOAL_LIMIT, GOAL_SHOTS, GOAL_STEADYING = 1.6, 0.9, 0.1, 0.2


@dataclass(frozen=True)
class Set:
    """Films of one kind. size: (H, W); codec: of source and result, in libav's encoders' terms."""

    name: str
    size: tuple[int, int]
    codec: str
    count: int

    @property
    def suffix(self) -> str:
        return {"ffv1": ".mkv", "prores_ks": ".mov"}.get(self.codec, ".mp4")

    @property
    def pix_fmt(self) -> str:
        return "yuv422p10le" if self.codec == "prores_ks" else "yuv420p"


SETS = (
    Set("540p x264", (540, 960), "libx264", 300),
    Set("540p FFV1", (540, 960), "ffv1", 300),
    Set("1080p x264", (1080, 1920), "libx264", 120),
    Set("1080p FFV1", (1080, 1920), "ffv1", 120),
    Set("1080p ProRes", (1080, 1920), "prores_ks", 120),
)
OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "16", "preset": "veryfast"},
    "ffv1": {"level": "3", "g": "1"},
    "prores_ks": {},
}
"""Those of the sources."""
LONG = Set("320x180", (180, 320), "libx264", 0)


# --- the films ---------------------------------------------------------------------------------


def lumas(clip: Path, size: tuple[int, int]) -> Iterator[Plane]:
    """The clip's full-range luma (H, W) at a size, to and fro without end."""
    import av

    with av.open(str(clip)) as container:
        frames = [
            frame.reformat(size[1], size[0], "gray").to_ndarray()
            for frame in container.decode(video=0)
        ]
    turn = [*frames, *frames[-2:0:-1]]
    return itertools.cycle([np.asarray(frame, np.uint8) for frame in turn])


def make(clip: Path, target: Path, chosen: Set, count: int, rate: int = 24) -> None:
    """Write a film of `count` frames with neutral chroma."""
    import av
    from av.video.reformatter import ColorRange, Colorspace

    height, width = chosen.size
    with av.open(str(target), "w") as container:
        stream: Any = container.add_stream(chosen.codec, rate=rate, options=OPTIONS[chosen.codec])
        stream.width, stream.height, stream.pix_fmt = width, height, chosen.pix_fmt
        stream.codec_context.color_range = ColorRange.JPEG
        stream.codec_context.colorspace = Colorspace.ITU601
        neutral = np.full((height // 2, width), 128, np.uint8)
        for index, luma in enumerate(itertools.islice(lumas(clip, chosen.size), count)):
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, neutral]), "yuv420p")
            if chosen.pix_fmt != "yuv420p":
                frame = frame.reformat(format=chosen.pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def made_apart(clip: Path, target: Path, chosen: Set, count: int, rate: int = 24) -> None:
    """`make` in a process of its own: what this one held would count as its children's peak."""
    numbers = [str(count), str(rate)]
    measure([Path(__file__), clip, "--task", "make", target, chosen.name, *numbers])


# --- the ways; each tells what its work took, without start ------------------------------------


class Encoder:
    """Encodes into one file with the codec, settings and threads that ours has for a source."""

    def __init__(self, source: Path, target: Path) -> None:
        import av

        from colorbatch import ffmpeg
        from colorbatch.clips import film_plan
        from colorbatch.job import FilmSettings

        wanted = film_plan.plan_film(ffmpeg.probe(source), FilmSettings()).encoding
        self.pix_fmt, self._time_base = wanted.pix_fmt, wanted.time_base
        self._container = av.open(str(target), "w")
        self._stream: Any = self._container.add_stream(
            wanted.codec, rate=wanted.rate, options=dict(wanted.options)
        )
        context: Any = self._stream.codec_context
        context.height, context.width = wanted.size
        context.pix_fmt, context.time_base = wanted.pix_fmt, wanted.time_base
        context.thread_count = wanted.threads
        context.color_range = wanted.color.range

    def write(self, frame: Any, pts: int) -> None:
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


def transcode(source: Path, target: Path) -> Work:
    """Decode and encode: nothing else, and both at once."""
    import av
    from av.video.frame import PictureType

    encoder = Encoder(source, target)
    clock = Clock()
    with av.open(str(source)) as container, ThreadPoolExecutor(1) as pool:
        container.streams.video[0].thread_type = "AUTO"
        decoded = container.decode(video=0)
        waiting = [pool.submit(next, decoded, None) for _ in range(BATCH)]
        while (frame := waiting.pop(0).result()) is not None:
            waiting.append(pool.submit(next, decoded, None))
            frame.pict_type = PictureType.NONE  # else the encoder follows the source's choice
            assert frame.pts is not None
            encoder.write(frame, frame.pts)
        for future in waiting:
            future.result()
    encoder.close()
    return clock.stop()


def loop(source: Path, target: Path) -> Work:
    """Color a film frame by frame, as a script of forty lines would."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import av
    import cv2
    import onnxruntime

    from colorbatch import ffmpeg

    session = onnxruntime.InferenceSession(str(model()))
    video = ffmpeg.probe(source).video
    step = round(1 / (video.average_rate or Fraction(24)) / video.time_base)
    encoder = Encoder(source, target)
    clock = Clock()
    capture = cv2.VideoCapture(str(source))
    for index in itertools.count():
        going, bgr = capture.read()
        if not going:
            break
        height, width = bgr.shape[:2]
        lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
        small = cv2.resize(lab[..., 0], (256, 256), interpolation=cv2.INTER_AREA)
        feed = (small.astype(np.float32) / 127.5 - 1)[None, None]
        [chroma] = session.run(None, {"lightness": feed})
        ab: Any = cv2.resize(chroma[0].transpose(1, 2, 0) * 110 + 128, (width, height))
        lab[..., 1:] = np.clip(ab, 0, 255)
        result: Any = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
        frame = av.VideoFrame.from_ndarray(result, "bgr24").reformat(format=encoder.pix_fmt)
        encoder.write(frame, index * step)
    encoder.close()
    return clock.stop()


def library(source: Path, target: Path, workers: int = 0) -> Work:
    """Our work with everything that belongs to it, but for the start of the process."""
    from colorbatch import ffmpeg
    from colorbatch.clips import clip, film_clip, film_plan
    from colorbatch.clips.resume import FilmJob
    from colorbatch.job import FilmSettings, Job
    from colorbatch.model.contract import sha256
    from colorbatch.model.engine import Engine

    engine = Engine(model(), "cpu")
    maker = clip.Maker(engine, sha256(engine.path), FilmSettings(), workers)
    engine.predict(np.full((1, *engine.size), 50, np.float32))
    clock = Clock()
    plan = film_plan.plan_film(
        ffmpeg.probe(source), maker.settings, ffmpeg.container_of(target.name)
    )
    outcome = film_clip.color_film(FilmJob(Job(source, target, True), plan), maker)
    if outcome.status != "colored":
        raise SystemExit(f"{source}: {outcome.status}")
    return clock.stop()


def _engine_and_views(source: Path) -> tuple[Engine, npt.NDArray[np.float32]]:
    """The model, and what it sees of a film's frames (n, h, w)."""
    from colorbatch import ffmpeg
    from colorbatch.clips import film_frames, film_plan
    from colorbatch.job import FilmSettings
    from colorbatch.model.engine import Engine

    engine = Engine(model(), "cpu", batch_size=BATCH)
    film = ffmpeg.probe(source)
    plan = film_plan.plan_film(film, FilmSettings())
    with ffmpeg.frames(film) as frames:
        views = [film_frames.lightness(one.planes, plan, engine.size) for one in frames]
    return engine, np.stack(views)


def inference(source: Path, target: Path) -> Work:
    """The model on a film's frames in batches: nothing else."""
    engine, views = _engine_and_views(source)
    engine.predict(views[:1])
    clock = Clock()
    engine.predict(views)
    return clock.stop()


def shots(source: Path, target: Path) -> Work:
    """Where shots and segments begin, and what shots show: the pass alone."""
    import cv2

    from colorbatch import ffmpeg
    from colorbatch.clips import film_plan, shot_list, shot_pass
    from colorbatch.job import FilmSettings

    cv2.setNumThreads(1)  # as in a run
    film = shot_pass.watched(film_plan.plan_film(ffmpeg.probe(source), FilmSettings()))
    clock = Clock()
    with film.glances(None, False) as glances:
        found = shot_list.marks(
            glances, film.view, film.time_base, sparse=glances.sparse, judge=film.judge
        )
        if not list(found):
            raise SystemExit(f"{source}: has no pictures")
    return clock.stop()


def steadying(source: Path, target: Path) -> Work:
    """The stabiliser alone."""
    import cv2

    from colorbatch.clips import stabiliser
    from colorbatch.job import FilmSettings

    engine, views = _engine_and_views(source)
    chroma = engine.predict(views)
    cv2.setNumThreads(1)  # as in a run
    make = stabiliser.step_of(FilmSettings())
    assert make is not None
    clock = Clock()
    step = make()
    for index, (light, ab) in enumerate(zip(views, chroma, strict=True)):
        step.add(light, ab, index == 0)
    step.end()
    return clock.stop()


WAYS: dict[str, Callable[[Path, Path], Work]] = {
    "ours, warm": library,
    "loop": loop,
    "transcode": transcode,
    "inference": inference,
    "shots": shots,
    "steadying": steadying,
}


# --- measuring ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One way taken once: seconds and CPU seconds of the process, those of its work alone, and peak
    memory in MB."""

    whole: float
    whole_cpu: float
    work: float
    cpu: float
    memory: float


def measure(command: Sequence[str | Path]) -> Run:
    """Run a command of Python's; what it prints in JSON tells of its work."""
    ended = run_python(command)
    whole, cpu, said = ended.whole, ended.cpu, ended.said
    return Run(whole, cpu, said.get("work", whole), said.get("cpu", cpu), ended.memory)


def ours(source: Path, target: Path) -> list[str | Path]:
    return ["-m", "colorbatch", "video", source, "-q", "--device", "cpu", "-o", target]


def rounds_of(chosen: Set, clip: Path, rounds: int, count: int) -> dict[str, list[Run]]:
    """Every way through a set, in turns."""
    runs: dict[str, list[Run]] = {way: [] for way in ("ours", *WAYS)}
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, f"source{chosen.suffix}")
        result = Path(scratch, f"result{chosen.suffix}")
        made_apart(clip, source, chosen, count)
        measure(ours(source, result))
        for _ in range(rounds):
            for way, found in runs.items():
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    target = Path(folder, result.name)
                    command = ours(source, target)
                    if way != "ours":
                        read = result if way == "transcode" else source
                        command = [Path(__file__), clip, "--task", way, read, target]
                    found.append(measure(command))
    return runs


def show(chosen: Set, count: int, runs: dict[str, list[Run]]) -> None:
    """Print the medians of each way and the ratios of the rounds."""
    print(f"\n{chosen.name}: {count} frames of {chosen.size[1]} x {chosen.size[0]}")
    for way, found in runs.items():
        whole, work, cpu = (
            statistics.median(getattr(run, part) for run in found) / count
            for part in ("whole", "work", "cpu")
        )
        memory = max(run.memory for run in found)
        alone = "" if way == "ours" else f"without start {1 / work:6.1f}, "
        print(
            f"  {way:<11}{1 / whole:6.1f} frames/s, {alone}{1000 * cpu:6.1f} CPU ms each"
            f"{'' if alone else ' with start'}, peak {memory:4.0f} MB"
        )
    for name, part, mine in (
        ("whole processes", "whole", "ours"),
        ("whole processes, CPU seconds", "whole_cpu", "ours"),
        ("without start", "work", "ours, warm"),
        ("without start, CPU seconds", "cpu", "ours, warm"),
    ):
        own = [getattr(run, part) for run in runs[mine]]
        theirs = [getattr(run, part) for run in runs["loop"]]
        _tell(f"ours / loop, {name}", ratios(theirs, own), f"goal {GOAL_LOOP}")
    _tell("ours / limit, CPU seconds", of_limit(runs), f"goal {GOAL_LIMIT}")
    own = [run.cpu for run in runs["ours, warm"]]
    for part, goal in (("shots", GOAL_SHOTS), ("steadying", GOAL_STEADYING)):
        shares = ratios([run.cpu for run in runs[part]], own)
        _tell(f"{part} / ours, CPU seconds", shares, f"goal at most {goal}")
    sys.stdout.flush()


def ratios(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Of each round."""
    return [one / other for one, other in zip(first, second, strict=True)]


def of_limit(runs: Mapping[str, Sequence[Run]]) -> list[float]:
    """The share of the limit, by CPU seconds, of ours without the pass, in each round."""
    cpu = {way: [run.cpu for run in found] for way, found in runs.items()}
    limit = map(sum, zip(cpu["transcode"], cpu["inference"], strict=True))
    bare = [own - part for own, part in zip(cpu["ours, warm"], cpu["shots"], strict=True)]
    return ratios(list(limit), bare)


def _tell(name: str, of_rounds: Sequence[float], goal: str) -> None:
    each = " ".join(f"{ratio:.2f}" for ratio in of_rounds)
    print(f"  {name}: {statistics.median(of_rounds):.2f}  ({goal}; rounds {each})")


def show_memory(clip: Path, minutes: float) -> None:
    """Print the peak memory of the command on a film of one minute and on a longer one."""
    rate = 8  # not the number of seconds, but that of frames and segments can cost memory
    for length in (1.0, minutes):
        with tempfile.TemporaryDirectory() as scratch:
            source, target = Path(scratch, "source.mp4"), Path(scratch, "result.mp4")
            count = round(60 * rate * length)
            made_apart(clip, source, LONG, count, rate)
            run = measure(ours(source, target))
            print(
                f"{length:g} min, {count} frames of {LONG.name}: peak {run.memory:.0f} MB, "
                f"{count / run.whole:.1f} frames/s, result {target.stat().st_size / 1e6:.1f} MB"
            )
            sys.stdout.flush()


def main() -> None:
    """Measure all sets, or do one task of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("clip", type=Path, help="a film; its luma is used")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=[], help="how names of sets begin")
    parser.add_argument("--factor", type=float, default=1, help="of the numbers of frames")
    parser.add_argument("--memory", type=float, metavar="MINUTES", help="measure memory instead")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        way, *rest = arguments.task
        if way == "make":
            target, name, count, rate = rest
            chosen = next(one for one in (*SETS, LONG) if one.name == name)
            make(arguments.clip, Path(target), chosen, int(count), int(rate))
            return
        source, target = rest
        print(json.dumps(dataclasses.asdict(WAYS[way](Path(source), Path(target)))))
        return
    if arguments.memory:
        show_memory(arguments.clip, arguments.memory)
        return
    for chosen in SETS:
        if not arguments.sets or any(map(chosen.name.startswith, arguments.sets)):
            count = max(1, round(chosen.count * arguments.factor))
            show(chosen, count, rounds_of(chosen, arguments.clip, arguments.rounds, count))


if __name__ == "__main__":
    main()
