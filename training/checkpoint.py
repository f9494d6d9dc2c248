"""Checkpoints: the whole state of a run in one file, written atomically, loaded without pickles.

`RUN/checkpoint.pt` is a `torch.save` dictionary of tensors, numbers and text only, so that it loads
with `weights_only=True`.
"""

from __future__ import annotations

import dataclasses
import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.fs.atomic import replacing
from colorbatch.model.contract import sha256
from training.config import TrainConfig, override
from training.generators import Generator, generator_for
from training.step import Balance, Players

NAME = "checkpoint.pt"
FORMER_NAMES = {"l1_weight": "pixel_weight"}
"""Settings that had another name in version 0.1.0."""

History = list[dict[str, Any]]
"""Per run: `images` seen, source `commit`, and a `summary` in words; first to last."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands: steps done and planned, and which photographs it sees."""

    step: int
    steps: int
    data_digest: str
    photographs: int
    validation_digest: str = ""
    backbone: str = ""
    """Which weights of other origin play a part, in words, with their hash."""
    init: str = ""
    """Name and hash of the file that the first weights came from."""
    precision: str = ""
    """What `auto` came to, so that a run goes on in it."""
    seconds: float = 0.0
    """How long it has trained: what a time budget is counted by."""


def save(
    run: Path, config: TrainConfig, progress: Progress, players: Players, history: History
) -> None:
    """Write RUN/checkpoint.pt; the previous one stays until the new one is complete.

    `history` tells of the runs whose weights this one started from.
    """
    state = {
        "history": [*history, _chapter(config, progress)],
        "config": dataclasses.asdict(config),
        "progress": dataclasses.asdict(progress),
        "generator": players.generator.state_dict(),
        "discriminator": players.discriminator.state_dict(),
        "projected": players.projected.state_dict() if players.projected else {},
        "balance": dataclasses.asdict(players.balance),
        "ema": players.average.state_dict(),
        "optimizer_g": players.optimizer_g.state_dict(),
        "optimizer_d": players.optimizer_d.state_dict(),
        "scaler": players.scaler.state_dict(),
        "rng": torch.get_rng_state(),
        "rng_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with replacing(run / NAME) as file:
        torch.save(state, file)


def _chapter(config: TrainConfig, progress: Progress) -> dict[str, Any]:
    """What this run adds to its generator's history."""
    changed = ", ".join(
        f"{field.name}={getattr(config, field.name)}"
        for field in dataclasses.fields(TrainConfig)
        if getattr(config, field.name) != field.default
    )
    if progress.backbone:
        changed += f"; {progress.backbone}"
    if progress.init:
        changed += f"; from {progress.init}"
    images = progress.step * config.batch_size
    return {
        "images": images,
        "commit": source_commit(),
        "summary": f"{progress.step} steps of {config.batch_size} ({images} pictures): {changed}",
    }


def digest_of(path: Path) -> str:
    """The first 16 digits of the SHA-256 of a run's checkpoint, or of another file of weights."""
    return sha256(path / NAME if path.is_dir() else path)[:16]


@functools.cache
def source_commit() -> str:
    """The commit of the repository that this code stands in, or nothing."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def load(path: Path) -> dict[str, Any]:
    """A checkpoint file (or a run's folder) on the CPU. Raises UsageError, ColorbatchError."""
    path = path / NAME if path.is_dir() else path
    try:
        state: dict[str, Any] = torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such checkpoint") from None
    except Exception as error:  # torch raises many kinds for broken files
        raise ColorbatchError(f"{path}: not a checkpoint of this project") from error
    if not isinstance(state, dict) or not {"config", "progress", "ema"} <= state.keys():
        raise ColorbatchError(f"{path}: not a checkpoint of this project")
    return state


def restore(state: dict[str, Any], players: Players) -> Progress:
    """Put a loaded checkpoint back into the players and the random generators."""
    players.generator.load_state_dict(state["generator"])
    players.discriminator.load_state_dict(state["discriminator"])
    if players.projected is not None:
        players.projected.load_state_dict(state["projected"])
        players.balance = Balance(**state["balance"])
    elif "balance" in state:
        players.balance = Balance(**state["balance"])
    players.average.load_state_dict(state["ema"])
    players.optimizer_g.load_state_dict(state["optimizer_g"])
    for group in players.optimizer_g.param_groups:
        group.setdefault("scale", 1.0)  # checkpoints from before the encoder had a rate of its own
    players.optimizer_d.load_state_dict(state["optimizer_d"])
    if state["scaler"]:  # empty without float16
        players.scaler.load_state_dict(state["scaler"])
    torch.set_rng_state(state["rng"])
    if state["rng_cuda"]:
        torch.cuda.set_rng_state_all(state["rng_cuda"])
    return Progress(**state["progress"])


def config_of(state: dict[str, Any]) -> TrainConfig:
    """The settings that a checkpoint was trained with."""
    values = {FORMER_NAMES.get(name, name): value for name, value in state["config"].items()}
    return override(TrainConfig(), values)


DISCRIMINATOR, PROJECTED = "discriminator.", "projected."
"""How the names of the discriminators' parameters begin in a file of weights."""


def start_from(path: Path, players: Players) -> History:
    """Begin with the weights of a run or checkpoint file (`--init`): its averaged generator, and
    its discriminators where they were trained and the shapes agree; or with a file of weights
    alone. Returns its history."""
    weights = None if path.is_dir() else read_weights(path)
    if weights is not None:
        return _start_from_weights(path, weights, players)
    state = load(path)
    try:
        players.generator.load_state_dict(state["ema"])
        players.average.load_state_dict(state["ema"])
    except (KeyError, RuntimeError) as error:
        raise UsageError(f"{path}: its generator has another shape") from error
    judges = (players.discriminator, players.projected)
    for mine, theirs in zip(judges, trained_discriminators(state), strict=True):
        if mine is not None and _shapes(mine.state_dict()) == _shapes(theirs):
            mine.load_state_dict(theirs)
    history: History = state.get("history", [])
    return history


def trained_discriminators(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights of a checkpoint's PatchGAN and of its projected discriminator; none of one that
    has not learnt anything yet, for it is worth nothing."""
    patch, projected = state.get("discriminator", {}), state.get("projected", {})
    if not state["optimizer_d"]:  # of a run between two others: it has those that have learnt
        return patch, projected
    # one optimizer has the parameters of both, the PatchGAN's first; it knows those that it moved
    moved = state["optimizer_d"]["state"]
    count = sum(len(group["params"]) for group in state["optimizer_d"]["param_groups"])
    return patch if 0 in moved else {}, projected if count - 1 in moved else {}


def _shapes(weights: dict[str, Any]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in weights.items()}


def _start_from_weights(path: Path, weights: dict[str, Tensor], players: Players) -> History:
    parts: dict[str, dict[str, Tensor]] = {DISCRIMINATOR: {}, PROJECTED: {}, "": {}}
    for name, value in weights.items():
        start = next(part for part in parts if name.startswith(part))
        parts[start][name.removeprefix(start)] = value
    _take(players.generator, parts[""], path, "a generator")
    players.average.load_state_dict(players.generator.state_dict())
    if parts[DISCRIMINATOR]:
        _take(players.discriminator, parts[DISCRIMINATOR], path, "a discriminator")
    if parts[PROJECTED] and players.projected is not None:
        _take(players.projected, parts[PROJECTED], path, "a projected discriminator")
    return []


def read_weights(path: Path) -> dict[str, Tensor] | None:
    """Networks' weights by name, of float32, from a file that holds nothing else (.safetensors,
    or what `torch.save` made of a state dict; float16 is widened); None if it holds other things,
    as a checkpoint does. Raises UsageError for a file that is missing or broken.
    """
    try:
        if path.suffix == ".safetensors":
            weights: Any = load_file(path)
        else:
            weights = torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file of weights") from None
    except Exception as error:  # torch and safetensors raise many kinds for broken files
        raise UsageError(f"{path}: not a file of weights") from error
    if not isinstance(weights, dict) or not weights:
        return None
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()):
        return None
    return {
        str(name): value.float() if value.is_floating_point() else value
        for name, value in weights.items()
    }


def _take(network: nn.Module, weights: Mapping[str, Tensor], path: Path, kind: str) -> None:
    """Give a network weights by name. Raises UsageError, in one line, if they are of another."""
    mine = network.state_dict()
    for name in sorted(mine.keys() | weights.keys()):
        if name not in weights:
            raise UsageError(f"{path}: no {name!r}, which {kind} of these settings has")
        if name not in mine:
            raise UsageError(f"{path}: {name!r} is no part of {kind} of these settings")
        if weights[name].shape != mine[name].shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(mine[name].shape)}"
            raise UsageError(f"{path}: {name!r} has the shape {shapes}, as these settings ask for")
    network.load_state_dict(weights)


def trained_generator(state: dict[str, Any], relu_limit: float | None = None) -> Generator:
    """The averaged generator of a checkpoint, in eval mode, float32, on the CPU.

    `relu_limit` replaces the one it was trained with.
    """
    config = config_of(state)
    if relu_limit is not None:
        config = dataclasses.replace(config, relu_limit=relu_limit)
    generator = generator_for(config)
    generator.load_state_dict(state["ema"])
    return generator.eval().requires_grad_(False)
