"""What a model eats, returns and is: read from the model file, checked before the first pixel.

Pure data; knows no onnxruntime. The two JSON strings `colorbatch.contract` and `colorbatch.card`
live in an ONNX model's `metadata_props`, or in a sidecar NAME.onnx.json for models of other origin.
"""

from __future__ import annotations

import codecs
import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from colorbatch.errors import ModelError
from colorbatch.fs import atomic

CONTRACT_KEY = "colorbatch.contract"
CARD_KEY = "colorbatch.card"
VERSION = 1

InputKind = Literal["lab_l", "gray_rgb"]
OutputKind = Literal["lab_ab", "rgb"]

MODELS = Path(__file__).parent / "embedded"
DEFAULT_MODEL = "lite-unet"


@dataclass(frozen=True)
class InputSpec:
    """The model's input, float32 NCHW.

    lab_l: one channel, L* scaled to `range`. gray_rgb: three equal channels, the grey of that L*
    as encoded sRGB scaled to `range`, then (value - mean) / std per channel.
    """

    name: str
    kind: InputKind
    range: tuple[float, float]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class OutputSpec:
    """The model's output, float32 NCHW.

    lab_ab: two channels; times `scale` they are a*, b*. rgb: three channels; times `scale` they are
    encoded sRGB in [0, 1].
    """

    name: str
    kind: OutputKind
    scale: float


@dataclass(frozen=True)
class SizeRule:
    """At which sizes a model runs: a fixed one, or multiples between bounds. Sizes are (H, W)."""

    fixed: tuple[int, int] | None = None
    multiple_of: int = 1
    min: int = 1
    max: int = 4096
    preferred: int = 256

    def choose(self) -> tuple[int, int]:
        """The size to run at, guaranteed to satisfy the rule; one per run keeps engines fast."""
        if self.fixed is not None:
            return self.fixed
        side = max(self.min, min(self.max, self.preferred))
        side = -(-side // self.multiple_of) * self.multiple_of
        if side > self.max:
            side -= self.multiple_of
        return (side, side)


SIZE_KEYS = ("multiple_of", "min", "max", "preferred")


@dataclass(frozen=True)
class ModelContract:
    """The whole contract, version 1."""

    input: InputSpec
    output: OutputSpec
    size: SizeRule
    dtype: Literal["float32"] = "float32"
    version: int = VERSION

    def to_json(self) -> str:
        """The string that goes into the model file."""
        values = dataclasses.asdict(self)
        size = values["size"]
        values["size"] = (
            {"fixed": size["fixed"]}
            if self.size.fixed is not None
            else {key: size[key] for key in SIZE_KEYS}
        )
        return json.dumps(values)


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it comes from."""

    name: str
    recipe: str = ""
    training_data: str = ""
    licences: str = ""
    images: int = 0
    epochs: float = 0.0
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Set name -> metric name -> value."""
    history: tuple[str, ...] = ()
    """The training runs behind it, first to last."""
    source_commit: str = ""
    weights_sha256: str = ""

    def to_json(self) -> str:
        """The string that goes into the model file."""
        return json.dumps(dataclasses.asdict(self))


def parse_contract(text: str, model: str) -> ModelContract:
    """Read and check a contract. Raises ModelError, one line that says what is missing."""
    values = _object(text, f"{model}: {CONTRACT_KEY}")
    if values.get("version") != VERSION:
        raise ModelError(
            f"{model}: contract version {values.get('version')!r}, this program knows {VERSION}"
        )
    for part in ("input", "output", "size"):
        if not isinstance(values.get(part), dict):
            raise ModelError(f"{model}: its contract has no {part!r}")
    given, made, size = values["input"], values["output"], values["size"]
    try:
        contract = ModelContract(
            input=InputSpec(
                name=str(given["name"]),
                kind=given["kind"],
                range=_numbers(given["range"], 2),
                mean=_numbers(given.get("mean", (0, 0, 0)), 3),
                std=_numbers(given.get("std", (1, 1, 1)), 3),
            ),
            output=OutputSpec(str(made["name"]), made["kind"], float(made["scale"])),
            size=SizeRule(fixed=_numbers(size["fixed"], 2, int))
            if "fixed" in size
            else SizeRule(None, *(int(size[key]) for key in SIZE_KEYS)),
            dtype=values.get("dtype", "float32"),
        )
    except KeyError as error:
        raise ModelError(f"{model}: its contract lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{model}: its contract is not valid: {error}") from error
    _check(contract, model)
    return contract


def _check(contract: ModelContract, model: str) -> None:
    """Refuse what no model can mean. Raises ModelError."""
    for value, allowed in (
        (contract.input.kind, get_args(InputKind)),
        (contract.output.kind, get_args(OutputKind)),
        (contract.dtype, ("float32",)),
    ):
        if value not in allowed:
            raise ModelError(f"{model}: its contract says {value!r}, not {' or '.join(allowed)}")
    numbers = (*contract.input.range, contract.output.scale, *contract.input.std)
    if not all(map(math.isfinite, numbers)) or contract.input.range[0] == contract.input.range[1]:
        raise ModelError(f"{model}: its contract has a range or scale that is no scale")
    rule = contract.size
    if min(*(rule.fixed or (1, 1)), rule.multiple_of, rule.min) < 1 or 0 in contract.input.std:
        raise ModelError(f"{model}: its contract has a size or std that is not positive")
    if rule.fixed is None and not rule.min <= rule.choose()[0] <= rule.max:
        raise ModelError(
            f"{model}: its contract allows no size: no multiple of {rule.multiple_of} "
            f"near {rule.preferred} lies between {rule.min} and {rule.max}"
        )


def parse_card(text: str, model: str) -> ModelCard:
    """Read a card; unknown keys of later versions are passed over. Raises ModelError."""
    values = _object(text, f"{model}: {CARD_KEY}")
    known = {item.name for item in dataclasses.fields(ModelCard)}
    if "name" not in values:
        raise ModelError(f"{model}: its card has no 'name'")
    history = values.get("history", [])
    if not isinstance(history, list):
        raise ModelError(f"{model}: its card's 'history' is no list")
    values["history"] = tuple(history)
    return ModelCard(**{key: value for key, value in values.items() if key in known})


def read_metadata(model: Path, embedded: Mapping[str, str]) -> tuple[ModelContract, ModelCard]:
    """Contract and card of a model file: from its own metadata, else from its sidecar."""
    metadata = dict(embedded)
    sidecar = model.with_name(model.name + ".json")
    if CONTRACT_KEY not in metadata and sidecar.exists():
        try:
            found = _object(_text_of(sidecar.read_bytes()), str(sidecar))
        except OSError as error:
            raise ModelError(f"{sidecar}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ModelError(f"{sidecar} is neither UTF-8 nor UTF-16") from error
        # in a sidecar the two may stand as objects rather than as strings
        metadata |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in found.items()}
    if CONTRACT_KEY not in metadata:
        raise ModelError(f"{model}: no {CONTRACT_KEY!r} in its metadata and no {sidecar.name}")
    contract = parse_contract(metadata[CONTRACT_KEY], str(model))
    card = metadata.get(CARD_KEY)
    return contract, parse_card(card, str(model)) if card else ModelCard(name=model.stem)


def _text_of(data: bytes) -> str:
    """JSON as editors and PowerShell save it: UTF-8 with or without a byte order mark, or UTF-16,
    where of the first two bytes one is zero (RFC 4627, section 3)."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16")
    if len(data) > 1 and 0 in data[:2]:
        return data.decode("utf-16-le" if data[1] == 0 else "utf-16-be")
    return data.decode("utf-8-sig")


def find_model(name: str | Path | None) -> Path:
    """A model file by path, or an embedded model by name (the default without one)."""
    if name is None:
        name = DEFAULT_MODEL
    path = Path(name)
    if path.is_file():
        return path
    embedded = MODELS / f"{name}.onnx"
    if path.name == str(name) and embedded.is_file():
        return embedded
    known = ", ".join(model.stem for model in embedded_models())
    raise ModelError(f"{name}: no such model file; embedded models: {known or 'none'}")


def embedded_models() -> list[Path]:
    """The model files that come with the program, the default first."""
    return sorted(MODELS.glob("*.onnx"), key=lambda path: (not is_default(path), path.name))


def is_default(path: Path) -> bool:
    """Whether a model file is the one that is used where none is named."""
    return path == MODELS / f"{DEFAULT_MODEL}.onnx"


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises ModelError if it cannot be read."""
    try:
        return atomic.sha256(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror}") from error


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{what} is not JSON") from error
    if not isinstance(values, dict):
        raise ModelError(f"{what} is not a JSON object")
    return values


def _numbers(values: Any, count: int, kind: type = float) -> Any:
    numbers = tuple(kind(value) for value in values)
    if len(numbers) != count:
        raise ValueError(f"{list(values)} should be {count} numbers")
    return numbers
