"""What several commands share: options, the device asked for, the engine and its description."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from colorbatch.errors import UsageError


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


def coloring_options(items: str, threads: str) -> Callable[[Any], Any]:
    """The options of every command that colors: the model, where and how it runs, how strong the
    color is. `items` are what a batch has, `threads` what the workers do."""

    def decorate(command: Any) -> Any:
        for one in (
            option(
                "--saturation",
                type=click.FloatRange(0, 4),
                default=1.0,
                show_default=True,
                help="Factor on the color; 0 is grey.",
            ),
            option(
                "--workers",
                type=click.IntRange(0, 256),
                default=0,
                show_default=True,
                help=f"Threads that {threads}; 0 is one per core.",
            ),
            option(
                "--batch-size",
                type=click.IntRange(1, 1024),
                default=8,
                show_default=True,
                help=f"{items} per run of the model.",
            ),
            model_options,
            option("-m", "--model", type=str, help="ONNX file or name of an embedded model."),
        ):
            command = one(command)
        return command

    return decorate


def saturation_of(value: float) -> float:
    """The value of --saturation. Raises UsageError: its range lets through what is no number."""
    if math.isnan(value):
        raise UsageError("--saturation is a number")
    return value


def chosen_device(device: str, gpu_id: int | None) -> str:
    """The device that --device and --gpu-id ask for together; the command line beats the
    environment. Raises UsageError where they contradict each other."""
    source = click.get_current_context().get_parameter_source
    typed = click.core.ParameterSource.COMMANDLINE
    if source("device") is typed and source("gpu_id") is not typed:
        gpu_id = None
    if gpu_id is None:
        return device
    if source("gpu_id") is typed and source("device") is not typed:
        device = "auto"
    if device not in ("auto", "cuda", f"cuda:{gpu_id}"):
        raise UsageError(f"--gpu-id {gpu_id} and --device {device} contradict each other")
    return f"cuda:{gpu_id}"
