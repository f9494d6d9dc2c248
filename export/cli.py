"""`python -m export`: a training run to an ONNX model that has passed the parity gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from colorbatch.boundary import run
from colorbatch.errors import UsageError
from colorbatch.fs.atomic import make_folder, write_bytes
from colorbatch.model.parity import record_path


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
    type=click.Choice(["fp32", "fp16", "half", "int8"]),
    default="fp32",
    show_default=True,
    help="fp16: weights are stored so, and computed with in float32. half: all is computed in "
    "float16, for cards. int8: most of it in 8 bits, for processors with VNNI or AMX; with "
    "--photographs.",
)
@click.option(
    "--photographs",
    type=click.Path(path_type=Path, file_okay=False),
    help="For int8: photographs that show which values occur, and others that judge the result.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, file_okay=False),
    help="Photographs for the parity gate, beside generated pictures, and for the card's metrics.",
)
@click.option(
    "--relu-limit",
    type=click.FloatRange(0),
    help="Bound the decoder's ReLUs from above; otherwise as in training.",
)
@click.option(
    "--size",
    type=click.IntRange(32),
    help="Side of the square that the model sees, in pixels; otherwise as in training.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with `training_data` and `licences` for the model's card.",
)
def cli(
    run: Path,
    output: Path,
    precision: str,
    photographs: Path | None,
    check: Path | None,
    relu_limit: float | None,
    size: int | None,
    card: Path | None,
) -> None:
    """Turn RUN (a run's folder or a checkpoint file) into an ONNX model.

    A model whose numbers differ from PyTorch's is not written.
    """
    if output.suffix != ".onnx":
        raise UsageError(f"{output}: a model's name ends in .onnx")
    if (precision == "int8") != (photographs is not None):
        raise UsageError("--precision int8 and --photographs belong together")
    # torch takes seconds to import
    from colorbatch.model.parity import ROUNDED_PRODUCTS, SAME_WEIGHTS
    from export import int8
    from export.card import make_card, read_texts
    from export.parity import pass_gate
    from export.precision import compute_in_half
    from export.to_onnx import to_onnx
    from export.wrapper import WRAPPERS, contract_for, fold_batch_norm
    from training.checkpoint import config_of, load, trained_generator

    texts = read_texts(card)
    state = load(run)
    config = config_of(state)
    if size is not None:
        config = replace(config, size=size)  # refused where the generator cannot halve it
    module = WRAPPERS[config.color_space](trained_generator(state, relu_limit)).eval()
    contract = contract_for(config.color_space, config.size)
    changes: tuple[str, ...] = ()
    if relu_limit is not None:
        changes += (f"exported with relu_limit={relu_limit:g}",)
    if size is not None:
        changes += (f"exported at {size}x{size}",)
    model_card = make_card(
        output.stem,
        state,
        module,
        contract.size.choose(),
        check=check,
        texts=texts,
        changes=changes,
    )
    half = precision == "fp16"
    data = to_onnx(fold_batch_norm(module), contract, model_card, half_weights=half)
    if precision == "half":
        data = compute_in_half(data)

    make_folder(output.resolve().parent)
    candidate = output.with_name(f".colorbatch-candidate-{output.name}")
    try:
        if photographs is not None:
            data, record = int8.pass_gate(module, data, candidate, photographs)
        else:
            write_bytes(candidate, data)
            limits = ROUNDED_PRODUCTS if precision == "half" else SAME_WEIGHTS
            record = pass_gate(module, candidate, half_weights=half, check=check, limits=limits)
        record_path(output).unlink(missing_ok=True)  # never an old record beside a new model
        candidate.replace(output)
        write_bytes(record_path(output), record.to_json().encode())
    finally:
        candidate.unlink(missing_ok=True)
    click.echo(f"{output}: {len(data) / 1e6:.1f} MB, opset 20, {precision}")
    if "in_float" in record.measured:
        first, last, products = record.measured["in_float"]
        click.echo(f"in float: the first {first} and the last {last} of {products} products")
    for name in ("same_weights", "float32_weights"):
        if name in record.measured:
            figures = ", ".join(f"{k} {v:.2g}" for k, v in record.measured[name].items())
            click.echo(f"parity with PyTorch, {name.replace('_', ' ')}: {figures}")


def main() -> None:
    """Run the command line; errors become a line and an exit code."""
    run(cli)
