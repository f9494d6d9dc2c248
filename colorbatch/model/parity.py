"""The stored parity check of a model: what it must answer, and how far off it may be.

`NAME.parity.json` beside NAME.onnx holds the model's SHA-256, golden pictures with PyTorch's
answers, the limits, and what was measured at export. `check` asks an engine again, without PyTorch.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from colorbatch import color
from colorbatch.errors import ModelError, ParityError
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine
from colorbatch.model.providers import BATCH_SIZE


@dataclass(frozen=True)
class Difference:
    """How far two chroma predictions are apart: |d ab| in Lab units, deltaE2000 before rounding;
    high: its 99.9th percentile."""

    max_ab: float = 0.0
    mean_ab: float = 0.0
    max_delta_e: float = 0.0
    mean_delta_e: float = 0.0
    high_delta_e: float = 0.0

    def worst(self, other: Difference) -> Difference:
        """The larger of each; NaN stays NaN."""
        larger = np.maximum(dataclasses.astuple(self), dataclasses.astuple(other))
        return Difference(*(float(value) for value in larger))

    def over(self, limits: ParityLimits) -> list[str]:
        """What exceeds the limits, in words; NaN exceeds them all."""
        return [
            f"{name.replace('_', ' ')} {getattr(self, name):.3g} is over {limit:g}"
            for name, limit in dataclasses.asdict(limits).items()
            if limit is not None and not getattr(self, name) <= limit
        ]


@dataclass(frozen=True)
class ParityLimits:
    """Largest allowed differences; None is no limit."""

    max_ab: float | None = None
    mean_ab: float | None = None
    max_delta_e: float | None = None
    mean_delta_e: float | None = None
    high_delta_e: float | None = None


SAME_WEIGHTS = ParityLimits(max_ab=0.005, max_delta_e=0.02)
"""Against PyTorch with the very weights that the file stores."""
ROUNDED_WEIGHTS = ParityLimits(max_ab=0.5, mean_ab=0.02, mean_delta_e=0.05)
"""Against PyTorch's float32 weights, where the file stores them as float16."""


ROUNDED_PRODUCTS = ParityLimits(max_ab=3, mean_ab=0.3, max_delta_e=1.5, mean_delta_e=0.15)
"""Against PyTorch in float32, where what is multiplied has 10 bits of mantissa: float16, or TF32 on
a card. Half of what int8 is allowed: a difference of 1 is what one just sees, side by side."""

INT8 = ParityLimits(mean_delta_e=0.3, high_delta_e=3)
"""Against the float32 model, over all pixels of the photographs that an export of int8 is given."""
INT8_OF_ONE = ParityLimits(mean_delta_e=0.6, high_delta_e=6)
"""The same of a single picture, which may be one of the worse ones."""


@dataclass(frozen=True)
class Golden:
    """A grey picture (H, W), uint8, and PyTorch's ab for it at every `stride`-th row and column:
    (h, w, 2) float32, Lab units. A stride of 3 meets every phase of the stride-2 layers."""

    name: str
    grey: color.Codes
    ab: color.Float
    stride: int = 3


@dataclass(frozen=True)
class ParityRecord:
    """The content of NAME.parity.json."""

    model_sha256: str
    limits: ParityLimits
    goldens: tuple[Golden, ...]
    measured: dict[str, Any]

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(
            {
                "version": 1,
                "model_sha256": self.model_sha256,
                "limits": dataclasses.asdict(self.limits),
                "measured": self.measured,
                "goldens": [
                    {
                        "name": golden.name,
                        "stride": golden.stride,
                        "grey": _pack(golden.grey),
                        "ab": _pack(golden.ab),
                    }
                    for golden in self.goldens
                ],
            },
            indent=1,
        )


def record_path(model: Path) -> Path:
    """Where a model's parity record lies."""
    return model.with_suffix(".parity.json")


def load_record(model: Path) -> ParityRecord:
    """Read the parity record beside a model. Raises ModelError."""
    path = record_path(model)
    try:
        values = json.loads(path.read_text("utf-8"))
        return ParityRecord(
            model_sha256=values["model_sha256"],
            limits=ParityLimits(**values["limits"]),
            goldens=tuple(
                Golden(
                    item["name"],
                    _unpack(item["grey"], np.uint8),
                    _unpack(item["ab"], np.float32),
                    int(item["stride"]),
                )
                for item in values["goldens"]
            ),
            measured=values["measured"],
        )
    except FileNotFoundError as error:
        raise ModelError(f"{model}: no parity record {path.name} beside it") from error
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise ModelError(f"{path}: not a parity record: {error}") from error


def opened(
    model: str | Path | None,
    device: str,
    *,
    batch_size: int | None = BATCH_SIZE,
    tf32: bool = False,
) -> Engine:
    """An engine to color with. One that rounds to TF32 has been seen to keep the limits here, on
    this device. Raises what `Engine` raises, ParityError, ModelError."""
    engine = Engine(model, device, batch_size=batch_size, tf32=tf32)
    if tf32:
        check(engine, load_record(engine.path))
    return engine


def limits_of(engine: Engine, record: ParityRecord) -> ParityLimits:
    """What an engine may differ by: what was recorded at export, or what TF32 is allowed."""
    return ROUNDED_PRODUCTS if engine.tf32 else record.limits


def check(engine: Engine, record: ParityRecord) -> Difference:
    """Run the golden pictures through an engine.

    Returns the largest differences. Raises ParityError if the file is not the recorded one or if a
    limit is exceeded.
    """
    if sha256(engine.path) != record.model_sha256:
        raise ParityError(
            f"{engine.path}: not the file whose parity was recorded (SHA-256 differs)"
        )
    worst = Difference()
    for golden in record.goldens:
        if golden.grey.shape != engine.size:
            raise ParityError(f"{engine.path}: golden {golden.name!r} has another size")
        lightness = color.lightness(golden.grey)
        ab = engine.predict(lightness[None])[0]
        step = golden.stride
        worst = worst.worst(compare(lightness[::step, ::step], ab[::step, ::step], golden.ab))
    if excess := worst.over(limits_of(engine, record)):
        raise ParityError(f"{engine.path} on {engine.device}: {', '.join(excess)}")
    return worst


def compare(lightness: color.Float, first: color.Float, second: color.Float) -> Difference:
    """Differences of two chroma predictions (..., 2) in Lab units at the same lightness (...)."""
    gap = np.abs(first.astype(np.float64) - second)
    delta_e = color.delta_e_2000(
        np.concatenate([lightness[..., None], first], axis=-1),
        np.concatenate([lightness[..., None], second], axis=-1),
    )
    return Difference(
        float(gap.max()),
        float(gap.mean()),
        float(delta_e.max()),
        float(delta_e.mean()),
        float(np.percentile(delta_e, 99.9)),
    )


def _pack(array: Any) -> dict[str, Any]:
    data = np.ascontiguousarray(array)
    little = data.astype(data.dtype.newbyteorder("<")).tobytes()
    text = base64.b64encode(zlib.compress(little, 9)).decode()
    return {"shape": list(data.shape), "zlib": text}


def _unpack(value: dict[str, Any], dtype: type) -> Any:
    data = zlib.decompress(base64.b64decode(value["zlib"]))
    return (
        np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(value["shape"]).astype(dtype)
    )
