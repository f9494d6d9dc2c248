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
from torch import Tensor, nn
from tqdm import tqdm

from colorbatch import color
from colorbatch.contract import sha256
from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.files import write_bytes
from training import checkpoint, plots, spaces
from training.backbones import load_weights, read_weights
from training.checkpoint import Progress
from training.config import TrainConfig, differences
from training.data import (
    PhotoCache,
    open_caches,
    steps_per_epoch,
    training_batch,
    training_batches,
    validation_batches,
)
from training.features import make_features
from training.from_onnx import load_onnx
from training.generators import GENERATORS
from training.metrics import Validation
from training.step import Players, autocast, calibrate_batch_norm, make_players, train_step

WARM_UP_STEPS = 4
TIMED_STEPS = 12
OVERHEAD = 0.92
"""Share of a time budget that is left for steps; the rest goes to validation and checkpoints."""
EMA_WARM_UP = 10
"""Early in a run the average follows faster, or it would be made of the first random weights."""
SHEET_PICTURES = 8
CALIBRATION_BATCHES = 32


def train(
    config: TrainConfig,
    data: Path,
    validation: Path | None,
    run: Path,
    *,
    init: Path | None = None,
    cache: Path | None = None,
    backbones: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> bool:
    """Train until the planned steps are done; goes on where an earlier call on `run` stopped.

    `init` is a run, checkpoint or exported model to take the first weights from; `cache` a folder
    for decoded photographs, shared between runs (RUN/cache without it); `backbones` says where the
    weights of backbones come from (`imagenet`, a file, `encoder:RUN`). Returns False if a
    Ctrl-C ended it early; the state is saved either way. Raises UsageError if `run` was made with
    other settings or other photographs, or is in use.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for folder in (data, validation):
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
        precision = state["progress"].get("precision", "") if state else ""
        dtype = choose_precision(precision or config.precision, device)
        name = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} cores"
        say(f"device {device.type} ({name}), precision {dtype}, {torch.get_num_threads()} threads")
        features = make_features(config, backbones)
        encoder = None
        backbone = GENERATORS[config.generator].backbone
        if backbone is not None and state is None:
            encoder = read_weights(backbones, backbone)
        if backbones and state is None and features is None and encoder is None:
            raise UsageError("--backbone-weights plays no part in these settings")
        if encoder and init is not None:
            raise UsageError("the encoder's weights come from --init or --backbone-weights")
        photos, held_out = open_caches(data, validation, cache or run / "cache", config, run)
        for label, photographs in (("training", photos), ("validation", held_out)):
            say(
                f"{label}: {len(photographs)} photographs"
                f" ({photographs.grey} grey and {photographs.unreadable} unreadable skipped)"
            )

        frozen = features[0].to(device) if features else None
        steps = 0
        if state is None:
            steps = planned_steps(config, len(photos))
            if config.time_budget:
                steps = steps_in_time(config, photos, frozen, device, dtype)
        players = make_players(config, device, dtype)
        players.features = frozen
        history: checkpoint.History = []
        if state is not None:
            history = state["history"][:-1]
            progress = checkpoint.restore(state, players)
            if progress.data_digest != photos.digest:
                raise UsageError(f"{run} was trained on other photographs than those in {data}")
            if progress.validation_digest not in ("", held_out.digest):
                raise UsageError(f"{run} was validated on other photographs")
            # the hash decides: files may be renamed
            if features and features[1].rpartition("(")[2] not in progress.backbone:
                raise UsageError(f"{run} was trained with {progress.backbone}, not {features[1]}")
            if init is not None:
                say(f"{run} has begun already: --init is passed over")
            if backbones and features is None:
                say(f"{run} has begun already: --backbone-weights is passed over")
            say(f"going on from step {progress.step} of {progress.steps}")
        else:
            described = [features[1]] if features else []
            if init is not None:
                history = _start(init, players, config, photos)
                say(f"starting with the weights of {init}")
            if encoder is not None:
                described.append(_load_encoder(players, *encoder))
            for words in described:
                say(words)
            progress = Progress(
                step=0,
                steps=steps,
                data_digest=photos.digest,
                photographs=len(photos),
                validation_digest=held_out.digest,
                backbone="; ".join(described),
                init=_named_file(init),
                precision=PRECISIONS[dtype],
            )
        write_bytes(run / "run.json", record_of(config, progress, photos, held_out))
        return _loop(config, run, players, progress, history, photos, held_out, device, dtype, say)


def _start(
    init: Path, players: Players, config: TrainConfig, photos: PhotoCache
) -> checkpoint.History:
    """Take the first weights from a run, a checkpoint or an exported model; returns its history."""
    if init.suffix != ".onnx":
        return checkpoint.start_from(init, players)
    history = load_onnx(players.generator, init, config, _calibration(photos, config))
    players.average.load_state_dict(players.generator.state_dict())
    return history


def _calibration(photos: PhotoCache, config: TrainConfig) -> Iterator[Tensor]:
    """The batches over which batch-norm statistics are measured."""
    return (training_batch(photos, config, i)[1][0] for i in range(CALIBRATION_BATCHES))


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
    file = init / checkpoint.NAME if init.is_dir() else init
    return f"{init.resolve().name} (sha256 {sha256(file)[:16]})"


def _loop(
    config: TrainConfig,
    run: Path,
    players: Players,
    progress: Progress,
    history: checkpoint.History,
    photos: PhotoCache,
    held_out: PhotoCache,
    device: torch.device,
    dtype: torch.dtype,
    say: Callable[[str], None],
) -> bool:
    epoch_steps = steps_per_epoch(len(photos), config)
    log_path = run / "log.jsonl"
    cut_log(log_path, progress.step)
    cut_log(run / "validation.jsonl", progress.step)
    batches = training_batches(photos, config, progress.step)
    started = time.monotonic()
    bar = tqdm(total=progress.steps, initial=progress.step, unit="step", mininterval=1)

    with log_path.open("a", encoding="utf-8") as log, bar, _interrupt_flag() as interrupted:
        while progress.step < progress.steps:
            epoch, (condition, target) = next(batches)
            rate = scheduled(config, progress)
            for optimizer, full in (
                (players.optimizer_g, config.learning_rate),
                (players.optimizer_d, config.discriminator_learning_rate),
            ):
                for group in optimizer.param_groups:
                    group["lr"] = full * rate
            losses = train_step(
                players,
                config,
                condition.to(device, memory_format=torch.channels_last),
                target.to(device, memory_format=torch.channels_last),
                dtype,
                progress=progress.step / progress.steps,
                ema_decay=min(
                    config.ema_decay, (1 + progress.step) / (EMA_WARM_UP + progress.step)
                ),
            )
            if not all(math.isfinite(loss) for loss in losses.values() if loss is not None):
                raise ColorbatchError(
                    f"step {progress.step + 1}: a loss is no number",
                    "start anew with a lower learning_rate",
                )
            progress = dataclasses.replace(progress, step=progress.step + 1)

            row = {"step": progress.step, "epoch": epoch, "rate": rate, **losses}
            log.write(json.dumps(row) + "\n")
            bar.update()
            bar.set_postfix({k: f"{v:.3g}" for k, v in losses.items() if v is not None})

            last = progress.step == progress.steps
            measuring = last or progress.step % (epoch_steps * config.validate_every) == 0
            saving = last or interrupted() or progress.step % config.checkpoint_every == 0
            if measuring or saving:
                calibrate_batch_norm(players.average, _calibration(photos, config), device, dtype)
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
                    f"(true {measured['colorfulness_truth']:.1f})"
                )
            if saving:
                log.flush()
                os.fsync(log.fileno())
                checkpoint.save(run, config, progress, players, history)
            if saving and not last and interrupted():
                say(f"interrupted; saved at step {progress.step}, the same command goes on")
                return False
    say(f"done: {progress.step} steps in {(time.monotonic() - started) / 60:.1f} minutes")
    return True


def record_of(
    config: TrainConfig, progress: Progress, photos: PhotoCache, held_out: PhotoCache
) -> bytes:
    """What it takes to make the run again, as JSON: settings, seed, source commit, weights of other
    origin, and the names of all photographs."""
    record = {
        "commit": checkpoint.source_commit(),
        "settings": dataclasses.asdict(config)
        | {
            "steps": progress.steps,
            "time_budget": 0.0,
            "precision": progress.precision or config.precision,
        },
        "backbone": progress.backbone,
        "init": progress.init,
        "training": photos.names,
        "validation": held_out.names,
    }
    return json.dumps(record, indent=1).encode()


def planned_steps(config: TrainConfig, photographs: int) -> int:
    """Steps of a run that has no time budget."""
    return config.steps or config.epochs * steps_per_epoch(photographs, config)


def steps_in_time(
    config: TrainConfig,
    photos: PhotoCache,
    features: nn.Module | None,
    device: torch.device,
    dtype: torch.dtype,
) -> int:
    """Steps that fit into the time budget, told by timing a few of each stage with networks that
    are thrown away; at least one."""
    started = time.monotonic()
    players = make_players(config, device, dtype)
    players.features = features
    seconds = 0.0
    for progress, share in ((0.0, config.pretrain), (1.0, 1 - config.pretrain)):
        if not share:
            continue
        for i in range(WARM_UP_STEPS + TIMED_STEPS):
            if i == WARM_UP_STEPS:
                timed = time.monotonic()
            condition, target = (
                tensor.to(device, memory_format=torch.channels_last)
                for tensor in training_batch(photos, config, i)[1]
            )
            train_step(players, config, condition, target, dtype, progress=progress)
        seconds += share * (time.monotonic() - timed) / TIMED_STEPS
    left = config.time_budget * 60 - (time.monotonic() - started)
    return max(1, int(left * OVERHEAD / seconds))


def scheduled(config: TrainConfig, progress: Progress) -> float:
    """Factor on the learning rates at this step."""
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * progress.step / progress.steps))


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
            output = players.average(condition.to(device, memory_format=torch.channels_last))
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
