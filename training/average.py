"""A generator between two runs, and a run's weights alone.

Flows in: checkpoints, and photographs for the statistics of batch norm. Flows out: a folder with
`checkpoint.pt` (which `evaluate`, `plot`, `--init` and `python -m export` take) and `run.json`; or
a safetensors file that `--init` takes. Nothing is trained here.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from colorbatch.errors import UsageError
from colorbatch.fs.atomic import make_folder, replacing, write_bytes
from training import checkpoint, spaces
from training.checkpoint import History
from training.config import TrainConfig, differences
from training.data import Folder, PhotoCache, decoded_photographs, training_photographs
from training.generators import Generator
from training.step import calibrate_batch_norm
from training.train import calibration, choose_precision
from training.views import Photographs, memory_format

NETWORK = ("color_space", "generator", "width", "levels", "relu_limit")
"""Settings that two runs must share for their weights to be of one network."""


def average(
    first: Path,
    second: Path,
    share: float,
    out: Path,
    *,
    gain: Sequence[float] = (1.0,),
    data: Sequence[Folder] = (),
    cache: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Make the run `out`, whose generator lies between those of two others: `share` of the way from
    `first` to `second`, from which it has all but the generator. `first` may be a file of weights
    alone (see `checkpoint.read_weights`).

    Wang et al. 2018, "ESRGAN", section 3.4, "Network Interpolation". The statistics of batch norm
    are measured anew over training photographs, seen as `second` sees them: those in `data`, or
    those that `second` has decoded below its own folder (at shares of 0 and 1 they stay). `cache`
    is a folder for decoded photographs (that of `second` without it). `gain` makes colors stronger:
    what tanh makes them of is multiplied by it, so that pale ones gain most; one number for all
    channels, or one for each (a and b). Raises UsageError before any work.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"the share is at least 0 and at most 1, not {share:g}")
    if not all(0 < factor < 10 for factor in gain):
        raise UsageError(f"the gain is above 0 and below 10, not {_words(gain)}")
    if out.exists():
        raise UsageError(f"{out} is there already")
    state = checkpoint.load(second)
    config = checkpoint.config_of(state)
    states = [_opened(first, state), state]
    changed = [
        words
        for words in differences(checkpoint.config_of(states[0]), config)
        if words.partition(":")[0] in NETWORK
    ]
    if changed:
        raise UsageError(f"{first} and {second} are different networks ({'; '.join(changed)})")
    channels = spaces.OUTPUTS[config.color_space]
    if len(gain) not in (1, channels):
        raise UsageError(f"one gain, or one for each of {channels} channels, not {len(gain)}")
    photos = _photographs(second, config, data, cache) if 0 < share < 1 else None
    if photos is not None:
        say(f"statistics of batch norm from {len(photos)} photographs")

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        mine, theirs = (checkpoint.trained_generator(each) for each in states)
    except RuntimeError as error:
        raise UsageError(f"{first} is of another network than {second}") from error
    made = between(mine, theirs, share) if 0 < share < 1 else theirs if share else mine
    strengthen(made, gain)
    made.to(device=device, memory_format=memory_format(device))  # type: ignore[call-overload]
    if photos is not None:
        calibrate_batch_norm(
            made,
            calibration(Photographs(photos, device), config),
            device,
            choose_precision(config.precision, device),
            made.frozen() if config.freeze_encoder and _equally_frozen(mine, theirs) else (),
        )
    weights = {name: value.cpu().contiguous() for name, value in made.state_dict().items()}
    words = f"between {_name(first)} and {_name(second)}, share {share:g}"
    if set(gain) != {1}:
        words += f", gain {_words(gain)}"
    chapter = {"images": 0, "commit": checkpoint.source_commit(), "summary": words}
    patch, projected = checkpoint.trained_discriminators(state)
    state |= {
        "history": [*joined(*(each.get("history", []) for each in states)), chapter],
        "generator": weights,
        "ema": weights,
        "discriminator": patch,
        "projected": projected,
        "optimizer_g": {},
        "optimizer_d": {},
        "scaler": {},
    }
    make_folder(out)
    record = {
        "commit": checkpoint.source_commit(),
        "between": [
            f"{_name(path)} (sha256 {checkpoint.digest_of(path)})" for path in (first, second)
        ],
        "share": share,
        "gain": list(gain),
        "settings": dataclasses.asdict(config),
        "training": photos.names if photos else [],
    }
    write_bytes(out / "run.json", json.dumps(record, indent=1).encode())
    with replacing(out / checkpoint.NAME) as file:
        torch.save(state, file)
    say(f"{out}: {words}")


def _opened(path: Path, other: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint; of a file of weights alone, that of another run with them."""
    weights = None if path.is_dir() else checkpoint.read_weights(path)
    if weights is None:
        return checkpoint.load(path)
    others = (checkpoint.DISCRIMINATOR, checkpoint.PROJECTED)
    generator = {name: value for name, value in weights.items() if not name.startswith(others)}
    return other | {"ema": generator, "history": []}


def _photographs(
    run: Path, config: TrainConfig, data: Sequence[Folder], cache: Path | None
) -> PhotoCache:
    home = run if run.is_dir() else run.parent
    for folder in data:
        if not folder.path.is_dir():
            raise UsageError(f"{folder.path}: no such folder")
    if data:
        return training_photographs(data, cache or home / "cache", config, home)
    found = decoded_photographs(cache or home / "cache")
    if found is None:
        raise UsageError(f"{cache or home / 'cache'} has no photographs: name some with --data")
    return found


@torch.no_grad()
def between(first: Generator, second: Generator, share: float) -> Generator:
    """A copy of `second` with the weights first + share x (second - first)."""
    made = copy.deepcopy(second)
    values = (network.parameters() for network in (made, first, second))
    for value, a, b in zip(*values, strict=True):
        value.copy_(torch.lerp(a, b, share))
    return made


@torch.no_grad()
def strengthen(generator: Generator, gain: Sequence[float]) -> None:
    """Multiply what the tanh at the end makes colors of: by one number, or by one a channel."""
    final = generator.final()
    factors = torch.tensor(gain)
    outputs = 1 if isinstance(final, nn.ConvTranspose2d) else 0
    final.weight.movedim(outputs, -1).mul_(factors)
    if final.bias is not None:
        final.bias.mul_(factors)


def _words(gain: Sequence[float]) -> str:
    return ", ".join(f"{factor:g}" for factor in gain)


def _equally_frozen(first: Generator, second: Generator) -> bool:
    """Have the parts that settings may freeze never been trained apart?"""
    return all(
        torch.equal(mine, theirs)
        for part, other in zip(first.frozen(), second.frozen(), strict=True)
        for mine, theirs in zip(
            part.state_dict().values(), other.state_dict().values(), strict=True
        )
    )


def joined(first: History, second: History) -> History:
    """What two runs come from, with the chapters that both begin with once."""
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    return [*first, *second[shared:]]


def _name(run: Path) -> str:
    """What a run is called: by its folder; a file of weights alone by its own name."""
    path = run.resolve()
    return path.name if run.is_dir() or path.name != checkpoint.NAME else path.parent.name


def write_weights(run: Path, file: Path) -> None:
    """Write a run's averaged generator, and its discriminators where they were trained, as
    safetensors that `checkpoint.read_weights` reads: what has two dimensions or more in float16,
    other floating point in float32, integers as they are. Raises UsageError."""
    if file.suffix != ".safetensors":
        raise UsageError(f"{file}: a file of weights is called NAME.safetensors")
    state = checkpoint.load(run)
    patch, projected = checkpoint.trained_discriminators(state)
    parts = {"": state["ema"], checkpoint.DISCRIMINATOR: patch, checkpoint.PROJECTED: projected}
    weights = {
        start + name: _compact(value)
        for start, part in parts.items()
        for name, value in part.items()
    }
    make_folder(file.resolve().parent)
    write_bytes(file, safetensors.torch.save(weights))


def _compact(value: Tensor) -> Any:
    if value.is_floating_point():
        value = value.to(torch.float16 if value.ndim > 1 else torch.float32)
    return value.contiguous()
