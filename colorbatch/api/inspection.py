"""What is here, and does it answer as it should: models and their parity, libraries, devices."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from colorbatch.color import compiled
from colorbatch.model import parity
from colorbatch.model.contract import ModelCard, ModelContract, embedded_models, find_model
from colorbatch.model.contract import is_default as is_default_model
from colorbatch.model.engine import Engine
from colorbatch.model.parity import Difference, ParityLimits
from colorbatch.model.providers import PROVIDERS
from colorbatch.model.runtime import (
    import_runtime,
    installed_wheels,
    usable_devices,
)

LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "tifffile", "imagecodecs")
"""Wheels whose versions are told, beside onnxruntime's."""


@dataclass(frozen=True)
class Verified:
    """A model that answers here as PyTorch did. told: model, device and provider, in words;
    pictures: how many were compared; worst: the largest differences, within limits."""

    path: Path
    told: str
    pictures: int
    worst: Difference
    limits: ParityLimits


def verify(
    model: str | Path | None = None, device: str = "auto", *, tf32: bool = False
) -> Iterator[Verified]:
    """Run a model's stored parity check, or that of every embedded one, on one device; "auto" is
    each that it may take here. Raises ColorbatchError where there is none, where one differs."""
    devices = [device]
    if devices == ["auto"]:
        devices = usable_devices(import_runtime().get_available_providers())
    for path in (embedded_models() if model is None else []) or [find_model(model)]:
        record = parity.load_record(path)
        for name in devices:
            engine = Engine(path, name, tf32=tf32)
            worst = parity.check(engine, record)
            limits = parity.limits_of(engine, record)
            yield Verified(path, engine.told, len(record.goldens), worst, limits)


@dataclass(frozen=True)
class ModelFile:
    """A model that can be used. size: (H, W) of what it sees; bytes: of its file."""

    path: Path
    is_default: bool
    contract: ModelContract
    card: ModelCard
    size: tuple[int, int]
    bytes: int

    def to_json(self) -> str:
        """File, contract and card."""
        contract, card = self.contract.to_json(), self.card.to_json()
        values = {"contract": json.loads(contract), "card": json.loads(card)}
        return json.dumps({"file": str(self.path)} | values)


def models(model: str | Path | None = None) -> Iterator[ModelFile]:
    """The embedded models, the default first, or `model` alone. Raises ModelError."""
    for path in [find_model(model)] if model else embedded_models():
        engine = Engine(path, "cpu")
        default, count = is_default_model(path), path.stat().st_size
        yield ModelFile(path, default, engine.contract, engine.card, engine.size, count)


@dataclass(frozen=True)
class Installation:
    """libraries: wheel -> version, None where it is installed otherwise; runtimes: the wheels of
    onnxruntime that are here, which overwrite each other where they are several; embedded: the
    names of the models -> whether it is the default."""

    libraries: Mapping[str, str | None]
    runtimes: Mapping[str, str]
    embedded: Mapping[str, bool]


def installation() -> Installation:
    """What is installed here, also where nothing of it works."""
    return Installation(
        {name: _version_of(name) for name in LIBRARIES},
        installed_wheels(),
        {path.stem: is_default_model(path) for path in embedded_models()},
    )


def join_told() -> str:
    """Whether the join of luma and color is in use as compiled code, in words."""
    return compiled.told()


def offered() -> tuple[str, ...]:
    """The providers that onnxruntime has. Raises ColorbatchError where there is none."""
    return tuple(import_runtime().get_available_providers())


def hardware() -> Mapping[str, bool]:
    """What providers need -> whether it was found."""
    return {each.hardware.name: each.is_here for each in PROVIDERS if each.hardware is not None}


def _version_of(wheel: str) -> str | None:
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Timed:
    """The default model in use. told: model, device and provider, in words; seconds: of one
    inference."""

    told: str
    seconds: float


def timed(device: str = "auto", *, tf32: bool = False) -> Timed:
    """Run the default model once on a device. Raises ColorbatchError."""
    engine = parity.opened(None, device, batch_size=1, tf32=tf32)
    return Timed(engine.told, engine.time_one())
