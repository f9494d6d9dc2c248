"""`python -m export`: a training run to an ONNX model that has passed the parity gate."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import click

from colorbatch.boundary import run
from colorbatch.contract import ModelCard
from colorbatch.errors import UsageError
from colorbatch.files import make_folder, write_bytes
from colorbatch.parity import record_path


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The ONNX file; NAME.parity.json is written beside it.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="How weights are stored; they are computed with in float32 either way.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, file_okay=False),
    help="Photographs for the parity gate, beside generated pictures.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with `training_data` and `licences` for the model's card.",
)
def cli(run: Path, output: Path, precision: str, check: Path | None, card: Path | None) -> None:
    """Turn RUN (a run's folder or a checkpoint file) into an ONNX model.

    A model whose numbers differ from PyTorch's is not written.
    """
    if output.suffix != ".onnx":
        raise UsageError(f"{output}: a model's name ends in .onnx")
    texts = _card_texts(card)
    from export.parity import pass_gate  # torch takes seconds to import
    from export.to_onnx import to_onnx
    from export.wrapper import LabGenerator, contract_for, fold_batch_norm
    from training.checkpoint import config_of, load, trained_generator

    state = load(run)
    config = config_of(state)
    generator = trained_generator(state)
    weights = hashlib.sha256()
    for name, tensor in sorted(generator.state_dict().items()):
        weights.update(name.encode() + tensor.numpy().tobytes())
    model_card = _card(output.stem, run, state, weights.hexdigest(), texts)
    module = LabGenerator(generator).eval()
    contract = contract_for(max(config.size, 2**config.levels))
    half = precision == "fp16"
    data = to_onnx(fold_batch_norm(module), contract, model_card, half_weights=half)

    make_folder(output.resolve().parent)
    candidate = output.with_name(f".colorbatch-candidate-{output.name}")
    try:
        write_bytes(candidate, data)
        record = pass_gate(module, candidate, half_weights=half, check=check)
        record_path(output).unlink(missing_ok=True)  # never an old record beside a new model
        candidate.replace(output)
        write_bytes(record_path(output), record.to_json().encode())
    finally:
        candidate.unlink(missing_ok=True)
    click.echo(f"{output}: {len(data) / 1e6:.1f} MB, opset 20, weights {precision}")
    for name in ("same_weights", "float32_weights"):
        if name in record.measured:
            figures = ", ".join(f"{k} {v:.2g}" for k, v in record.measured[name].items())
            click.echo(f"parity with PyTorch, {name.replace('_', ' ')}: {figures}")


def _card(
    name: str, run: Path, state: dict[str, Any], weights: str, texts: dict[str, str]
) -> ModelCard:
    """Everything true that the run knows about itself."""
    progress = state["progress"]
    history = state.get("history", [])
    metrics = {}
    log = (run if run.is_dir() else run.parent) / "validation.jsonl"
    if log.exists() and (lines := log.read_text("utf-8").splitlines()):
        last = json.loads(lines[-1])
        if last.pop("step") == progress["step"]:
            metrics["validation"] = {key: round(value, 4) for key, value in last.items()}
    images = sum(part["images"] for part in history)
    return ModelCard(
        name=name,
        recipe=state["config"]["recipe"],
        images=progress["photographs"],
        epochs=round(images / max(1, progress["photographs"]), 2),
        metrics=metrics,
        history=tuple(part["summary"] for part in history),
        source_commit=history[-1]["commit"] if history else "",
        weights_sha256=weights,
        **texts,
    )


def _card_texts(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    if unknown := set(values) - {"training_data", "licences"}:
        raise UsageError(f"{path}: unknown {', '.join(sorted(unknown))}")
    return {key: str(value) for key, value in values.items()}


def main() -> None:
    """Run the command line; errors become a line and an exit code."""
    run(cli)
