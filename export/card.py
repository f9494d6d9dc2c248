"""The card of an exported model: what its run knows about itself, and metrics measured here."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from colorbatch import color
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from colorbatch.model.contract import ModelCard
from export.parity import reference
from export.wrapper import Exportable
from training.folders import find_photographs
from training.metrics import Validation


def make_card(
    name: str,
    state: dict[str, Any],
    module: Exportable,
    size: tuple[int, int],
    *,
    check: Path | None,
    texts: dict[str, str],
    changes: tuple[str, ...] = (),
) -> ModelCard:
    """The card of a checkpoint's generator, exported as `module` under `name`.

    Metrics are those of `module` on the color photographs of `check`. `changes` says what the
    export changed; `texts` has `training_data` and `licences`.
    """
    history = state.get("history", [])
    photographs = state["progress"]["photographs"]
    images = sum(part["images"] for part in history)
    weights = hashlib.sha256()
    for tensor_name, tensor in sorted(module.state_dict().items()):
        weights.update(tensor_name.encode() + tensor.numpy().tobytes())
    return ModelCard(
        name=name,
        recipe=state["config"]["recipe"],
        images=photographs,
        epochs=round(images / max(1, photographs), 2),
        metrics={check.resolve().name: measure(module, check, size)} if check else {},
        history=(*(part["summary"] for part in history), *changes),
        source_commit=history[-1]["commit"] if history else "",
        weights_sha256=weights.hexdigest(),
        **texts,
    )


def measure(module: Exportable, folder: Path, size: tuple[int, int]) -> dict[str, float]:
    """Validation metrics of a module on the color photographs of a folder, each seen whole.

    Raises UsageError if there are none.
    """
    validation = Validation()
    for path in find_photographs(folder):
        try:
            rgb = color.resize_area(load_rgb(path), size)
        except SourceError:
            continue
        lab = color.rgb_to_lab(rgb)
        if color.mean_chroma(lab) >= color.GREY_CHROMA:
            validation.add(lab, reference(module, lab[None, ..., 0])[0], rgb)
    if not validation.count:
        raise UsageError(f"no color photographs in {folder}")
    figures = {name: round(float(value), 4) for name, value in validation.summary().items()}
    return {"photographs": validation.count, **figures}


def read_texts(path: Path | None) -> dict[str, str]:
    """`training_data` and `licences` from a TOML file. Raises UsageError."""
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    if unknown := set(values) - {"training_data", "licences"}:
        raise UsageError(f"{path}: unknown {', '.join(sorted(unknown))}")
    return {key: str(value) for key, value in values.items()}
