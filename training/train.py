"""The training loop, to be read from top to bottom.

Flows in: settings and two folders of photographs. Flows out, below RUN: `run.json` (settings and
names of photographs), `checkpoint.pt`, `log.jsonl` (losses per step), `validation.jsonl`,
`samples/*.png`, `losses.png`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from tqdm import tqdm

from colorbatch import color
from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.fs.atomic import write_bytes
from training import checkpoint, plots, spaces
from training.ahead import batches_of
from training.backbones import load_weights, read_weights
from training.checkpoint import Progress
from training.config import TrainConfig, differences
from training.data import (
    Folder,
    PhotoCache,
    open_caches,
    step_photographs,
    steps_per_epoch,
    validation_batches,
)
from training.features import make_features
from training.from_onnx import load_onnx
from training.generators import GENERATORS
from training.metrics import Validation
from training.step import (
    Players,
    autocast,
    calibrate_batch_norm,
    make_players,
    set_rates,
    train_step,
)
from training.views import Photographs, make_batch, memory_format

TIMED_EVERY = 10
"""Steps between two whose parts are timed: on a GPU, a timed one waits for its batch."""
EMA_WARM_UP = 10
"""Early in a run the average follows faster, or it would be made of the first random weights."""
SHEET_PICTURES = 8
CALIBRATION_BATCHES = 32


def train(
    config: TrainConfig,
    data: Path | Sequence[Folder],
    validation: Path | None,
    run: Path,
    *,
    init: Path | None = None,
    cache: Path | None = None,
    backbones: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> bool:
    """Train until the planned steps are done, or the time is over; goes on where an earlier call on
    `run` stopped. `data` is a folder of photographs, or several with their weights.

    `init` is a run, checkpoint or exported model to take the first weights from; `cache` a folder
    for decoded photographs, shared between runs (RUN/cache without it); `backbones` says where the
    weights of backbones come from (`imagenet`, a file, `encoder:RUN`). Returns False if a
    Ctrl-C ended it early; the state is saved either way. Raises UsageError if `run` was made with
    other settings or other photographs, or is in use.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folders = [Folder(data)] if isinstance(data, Path) else list(data)
    for folder in (*(each.path for each in folders), validation):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    if init is not None and not init.exists():
        raise UsageError(f"{init}: no such run or model")
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / "lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"{run} is in use by another training run") from None
    with held:
        state = checkpoint.load(run) if (run / checkpoint.NAME).exists() else None
        if state is not None and (changed := differences(checkpoint.config_of(state), config)):
            raise UsageError(f"{run} was trained with other settings ({'; '.join(changed)})")
        if state is not None and not state["optimizer_g"]:
            raise UsageError(f"{run} lies between two others", "begin a new run with --init")
        precision = state["progress"].get("precision", "") if state else ""
        dtype = choose_precision(precision or config.precision, device)
        name = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} cores"
        say(f"device {device.type} ({name}), precision {dtype}, {torch.get_num_threads()} threads")
        features = make_features(config, backbones)
        encoder = None
        backbone = GENERATORS[config.generator].backbone
        if backbone is not None and state is None and init is None:
            encoder = read_weights(backbones, backbone)
        if backbones and state is None and features is None and encoder is None:
            raise UsageError(
                "--backbone-weights plays no part "
                + ("beside --init" if init is not None and backbone else "in these settings")
            )
        photos, held_out = open_caches(folders, validation, cache or run / "cache", config, run)
        for label, found in (("training", photos), ("validation", held_out)):
            say(
                f"{label}: {len(found)} photographs"
                f" ({found.grey} grey and {found.unreadable} unreadable skipped)"
            )

        players = make_players(config, device, dtype, features[0] if features else None)
        history: checkpoint.History = []
        if state is not None:
            history = state["history"][:-1]
            progress = checkpoint.restore(state, players)
            if progress.data_digest != photos.digest:
                where = ", ".join(str(each.path) for each in folders)
                raise UsageError(f"{run} was trained on other photographs than those in {where}")
            if progress.validation_digest not in ("", held_out.digest):
                raise UsageError(f"{run} was validated on other photographs")
            # the hash decides: files may be renamed
            if features and features[1].rpartition("(")[2] not in progress.backbone:
                raise UsageError(f"{run} was trained with {progress.backbone}, not {features[1]}")
            if init is not None:
                say(f"{run} has begun already: --init is passed over")
            if backbones and features is None:
                say(f"{run} has begun already: --backbone-weights is passed over")
            say(f"going on from step {progress.step}{_of(progress)}")
        else:
            described = [features[1]] if features else []
            if init is not None:
                history = _start(init, players, config, Photographs(photos, device))
                say(f"starting with the weights of {init}")
            if encoder is not None:
                described.append(_load_encoder(players, *encoder))
            for words in described:
                say(words)
            progress = Progress(
                step=0,
                steps=0 if config.time_budget else planned_steps(config, photos),
                data_digest=photos.digest,
                photographs=len(photos),
                validation_digest=held_out.digest,
                backbone="; ".join(described),
                init=_named_file(init),
                precision=PRECISIONS[dtype],
            )
        write_bytes(run / "run.json", record_of(config, progress, photos, held_out))
        photographs = Photographs(photos, device)
        return _loop(config, run, players, progress, history, photographs, held_out, dtype, say)


def _start(
    init: Path, players: Players, config: TrainConfig, photos: Photographs
) -> checkpoint.History:
    """Take the first weights from a run, a checkpoint or an exported model; returns its history."""
    if init.suffix != ".onnx":
        return checkpoint.start_from(init, players)
    history = load_onnx(players.generator, init, config, calibration(photos, config))
    players.average.load_state_dict(players.generator.state_dict())
    return history


def calibration(photos: Photographs, config: TrainConfig) -> Iterator[Tensor]:
    """The batches over which batch-norm statistics are measured: what the generator sees."""
    for step in range(CALIBRATION_BATCHES):
        yield make_batch(photos, config, *step_photographs(photos.cache, config, step)).seen


def _load_encoder(players: Players, weights: dict[str, Tensor], name: str) -> str:
    """Start an encoder from weights of other origin; what they are, in words."""
    assert players.generator.encoder is not None
    mark = load_weights(players.generator.encoder, weights, name)
    players.average.load_state_dict(players.generator.state_dict())
    return f"encoder from {name} (sha256 {mark})"


def _named_file(init: Path | None) -> str:
    """Name and hash of the file behind `--init`."""
    if init is None:
        return ""
    return f"{init.resolve().name} (sha256 {checkpoint.digest_of(init)})"


@dataclasses.dataclass
class Stopwatch:
    """Where the time of steps goes: `networks` and `batches`, in seconds of the timed steps."""

    device: torch.device
    networks: float = 0.0
    batches: float = 0.0
    timed: int = 0

    @contextmanager
    def part(self, name: str, step: int) -> Iterator[None]:
        """Time a part of a step, where its turn is. A GPU works on its own: it is waited for."""
        if step % TIMED_EVERY:
            yield
            return
        self._wait()
        started = time.monotonic()
        yield
        self._wait()
        setattr(self, name, getattr(self, name) + time.monotonic() - started)
        self.timed += name == "networks"

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def words(self, config: TrainConfig) -> str:
        """Photographs a second, views of them, and the share of time in the networks."""
        seconds = self.networks + self.batches
        if not seconds:  # or a clock is too coarse for them
            return "no step was timed"
        rate = self.timed * config.batch_size / seconds
        return f"{rate:.1f} pictures a second, {self.networks / seconds:.0%} of it in the networks"


def _loop(
    config: TrainConfig,
    run: Path,
    players: Players,
    progress: Progress,
    history: checkpoint.History,
    photos: Photographs,
    held_out: PhotoCache,
    dtype: torch.dtype,
    say: Callable[[str], None],
) -> bool:
    device = photos.device
    epoch_steps = steps_per_epoch(photos.cache, config)
    log_path = run / "log.jsonl"
    cut_log(log_path, progress.step)
    cut_log(run / "validation.jsonl", progress.step)
    watch = Stopwatch(device)
    started, before = time.monotonic(), progress.seconds
    done = _share(config, progress)
    bar = tqdm(total=progress.steps or None, initial=progress.step, unit="step", mininterval=1)

    with (
        log_path.open("a", encoding="utf-8") as log,
        bar,
        batches_of(photos, config) as batches,
        _interrupt_flag() as interrupted,
    ):
        while done < 1:
            step = progress.step
            with watch.part("batches", step):
                epoch, batch = batches.of(step)
            rate = scheduled(config, step, done)
            set_rates(players, config, rate)
            with watch.part("networks", step):
                losses = train_step(
                    players,
                    config,
                    batch.condition,
                    batch.target,
                    dtype,
                    seen=batch.seen,
                    pair=batch.pair,
                    progress=done,
                    ema_decay=min(config.ema_decay, (1 + step) / (EMA_WARM_UP + step)),
                )
            if not all(math.isfinite(loss) for loss in losses.values() if loss is not None):
                raise ColorbatchError(
                    f"step {step + 1}: a loss is no number",
                    "start anew with a lower learning_rate",
                )
            seconds = before + time.monotonic() - started if config.time_budget else 0.0
            progress = dataclasses.replace(progress, step=step + 1, seconds=seconds)
            done = _share(config, progress)

            row = {"step": progress.step, "epoch": epoch, "rate": rate, **losses}
            log.write(json.dumps(row) + "\n")
            bar.update()
            bar.set_postfix({k: f"{v:.3g}" for k, v in losses.items() if v is not None})

            last = done >= 1
            measuring = last or progress.step % (epoch_steps * config.validate_every) == 0
            saving = last or interrupted() or progress.step % config.checkpoint_every == 0
            if measuring or saving:
                frozen = players.average.frozen() if config.freeze_encoder else ()
                conditions = calibration(photos, config)
                calibrate_batch_norm(players.average, conditions, device, dtype, frozen)
            if measuring:
                count = len(held_out) if last else config.validation_images
                measured = validate(players, config, held_out, count, run, progress.step, dtype)
                with (run / "validation.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"step": progress.step, **measured}) + "\n")
                log.flush()
                plots.loss_curves(log_path, run / "losses.png")
                bar.write(
                    f"step {progress.step}: |ab| error {measured['ab_error_relative']:.3f} of "
                    f"grey's, "
                    f"PSNR {measured['psnr']:.2f} dB, colorfulness {measured['colorfulness']:.1f} "
                    f"(true {measured['colorfulness_truth']:.1f}); {watch.words(config)}"
                )
            if saving:
                log.flush()
                os.fsync(log.fileno())
                checkpoint.save(run, config, progress, players, history)
            if saving and not last and interrupted():
                say(f"interrupted; saved at step {progress.step}, the same command goes on")
                return False
    if not progress.steps:
        write_bytes(run / "run.json", record_of(config, progress, photos.cache, held_out))
    minutes = (time.monotonic() - started) / 60
    say(f"done: {progress.step} steps in {minutes:.1f} minutes; {watch.words(config)}")
    return True


def _of(progress: Progress) -> str:
    return f" of {progress.steps}" if progress.steps else f", {progress.seconds / 60:.0f} minutes"


def _share(config: TrainConfig, progress: Progress) -> float:
    """How much of the run is done, 1 at its end: of its steps where they are planned (as an older
    run's are, whatever its time budget), or of its time."""
    if progress.steps:
        return progress.step / progress.steps
    return min(1.0, progress.seconds / (config.time_budget * 60))


def record_of(
    config: TrainConfig, progress: Progress, photos: PhotoCache, held_out: PhotoCache
) -> bytes:
    """What it takes to make the run again, as JSON: settings, seed, source commit, weights of other
    origin, and the names of all photographs. A time budget stands there until its end tells how
    many steps it was."""
    ended = _share(config, progress) >= 1
    record = {
        "commit": checkpoint.source_commit(),
        "settings": dataclasses.asdict(config)
        | {
            "steps": progress.step if ended else progress.steps,
            "time_budget": 0.0 if ended or progress.steps else config.time_budget,
            "precision": progress.precision or config.precision,
        },
        "backbone": progress.backbone,
        "init": progress.init,
        "training": photos.names,
        "validation": held_out.names,
    }
    return json.dumps(record, indent=1).encode()


def planned_steps(config: TrainConfig, photographs: PhotoCache) -> int:
    """Steps of a run that has no time budget."""
    return config.steps or config.epochs * steps_per_epoch(photographs, config)


def scheduled(config: TrainConfig, step: int, done: float) -> float:
    """Factor on the learning rates at a step (from 0), where `done` (0 to 1) is behind it."""
    rising = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    if config.schedule == "constant":
        return rising
    falling = 0.5 * (1 + math.cos(math.pi * done))
    return rising * (config.final_rate + (1 - config.final_rate) * falling)


PRECISIONS = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The autocast type by name; `auto` is bf16 where the device computes in it, else fp16 on CUDA,
    else float32."""
    for dtype, its_name in PRECISIONS.items():
        if name == its_name:
            return dtype
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float16
    has_bf16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if has_bf16 else torch.float32


@torch.no_grad()
def validate(
    players: Players,
    config: TrainConfig,
    held_out: PhotoCache,
    count: int,
    run: Path,
    step: int,
    dtype: torch.dtype,
) -> dict[str, float]:
    """Color the first `count` validation photographs with the averaged generator, and measure."""
    device = next(players.average.parameters()).device
    validation = Validation()
    columns: tuple[list[color.Codes], ...] = ([], [], [])
    for pictures, lab in validation_batches(held_out, config, count):
        condition = spaces.condition(lab[..., 0], config.color_space)
        with autocast(device, dtype):
            output = players.average(condition.to(device, memory_format=memory_format(device)))
        ab = spaces.chroma(output, config.color_space)
        for i, truth in enumerate(pictures):
            colored = validation.add(lab[i], ab[i], truth)
            if len(columns[0]) < SHEET_PICTURES:
                grey = color.to_codes(color.lab_to_rgb(lab[i] * np.array([1, 0, 0], np.float32)))
                for column, picture in zip(columns, (grey, colored, truth), strict=True):
                    column.append(picture)
    (run / "samples").mkdir(exist_ok=True)
    plots.write_png(plots.sample_sheet(columns), run / "samples" / f"{step:07d}.png")
    return validation.summary()


def cut_log(path: Path, step: int) -> None:
    """Drop what a killed run logged after its last checkpoint, and a torn last line."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:
            break
        kept.append(line + "\n")
    write_bytes(path, "".join(kept).encode())


@contextmanager
def _interrupt_flag() -> Iterator[Callable[[], bool]]:
    """Ctrl-C sets a flag that the loop reads between steps, so that no step is torn."""
    caught = []
    previous = signal.signal(signal.SIGINT, lambda *_: caught.append(True))
    try:
        yield lambda: bool(caught)
    finally:
        signal.signal(signal.SIGINT, previous)
