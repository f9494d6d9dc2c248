"""What several commands share: options, the device asked for, the engine and its description."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from colorbatch.errors import UsageError

if TYPE_CHECKING:
    from colorbatch.engine import Engine


def option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """A click option that can be given as COLORBATCH_NAME as well."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "COLORBATCH_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **attributes)


def model_options(command: Any) -> Any:
    """The options of every command that loads a model."""
    for decorate in (
        option(
            "--device",
            default="auto",
            show_default=True,
            metavar="auto|cpu|cuda|cuda:N",
            help="Where the model runs.",
        ),
        option("-g", "--gpu-id", type=click.IntRange(0), help="The same as --device cuda:N."),
    ):
        command = decorate(command)
    return command


def chosen_device(device: str, gpu_id: int | None) -> str:
    if gpu_id is None:
        return device
    if device not in ("auto", f"cuda:{gpu_id}"):
        raise UsageError(f"--gpu-id {gpu_id} and --device {device} contradict each other")
    return f"cuda:{gpu_id}"


def make_engine(model: str | None, device: str, gpu_id: int | None, batch_size: int) -> Engine:
    from colorbatch.engine import Engine

    return Engine(model, chosen_device(device, gpu_id), batch_size=batch_size)


def engine_line(engine: Engine) -> str:
    return f"model {engine.card.name} on {engine.device} ({engine.provider})"
