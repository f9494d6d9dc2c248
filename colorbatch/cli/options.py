"""Options that commands share, declared once and shown in groups, and what they say together.

Every option can be given in the environment as well: COLORBATCH_ and its long name in capitals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import cloup

from colorbatch.errors import UsageError

Decorator = Callable[[Any], Any]


def option(*names: str, **attributes: Any) -> Decorator:
    """A click option that can be given as COLORBATCH_NAME as well."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "COLORBATCH_" + long.removeprefix("--").replace("-", "_").upper()
    decorate: Decorator = cloup.option(*names, envvar=variable, **attributes)
    return decorate


class _AnyPath(click.Path):
    """A path; whether it can be read is found out, and reported, one by one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An empty one is a variable of the shell that was not set, not the working directory."""
        if value in ("", b""):
            self.fail("an empty name", param, ctx)
        return super().convert(value, param, ctx)


ANY_PATH = _AnyPath(path_type=Path, readable=False)

sources = cloup.argument("sources", nargs=-1, type=ANY_PATH, metavar="SOURCE...")

# --- groups --------------------------------------------------------------------------------------

device_options = cloup.option_group(
    "Device",
    option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|openvino|coreml|directml|directml:N|cuda|cuda:N|tensorrt|tensorrt:N",
        help="Where the model runs.",
    ),
    option("-g", "--gpu-id", type=click.IntRange(0), help="The same as --device cuda:N."),
    option(
        "--tf32",
        is_flag=True,
        help="Let an NVIDIA card round what the model multiplies to 10 bits, which is faster; "
        "refused where that changes colors more than a little.",
    ),
)


def which_options(*more: Decorator) -> Decorator:
    """Which of the sources are meant. more: options of one command alone."""
    return cloup.option_group(
        "Which sources",
        option(
            "--include",
            type=click.Path(),  # in the environment it is a list as PATH is
            multiple=True,
            metavar="PATTERN",
            help="Of what folders hold, take only what matches (*, ?, [..] in names, ** over "
            "folders; in any letter case); may be repeated.",
        ),
        option(
            "--exclude",
            type=click.Path(),
            multiple=True,
            metavar="PATTERN",
            help="Leave out what matches, below a source folder; may be repeated.",
        ),
        option(
            "--files-from",
            metavar="LIST",
            help="Files that a list names: text with one path a line (or NUL between), CSV with a "
            "header, or - for standard input. SOURCE, if given, is the folder of its paths.",
        ),
        option(
            "--column",
            metavar="NAME",
            help="Column of a CSV list that holds the paths; otherwise the one named path, file, "
            "filename or source, or the only one.",
        ),
        option(
            "--shard",
            metavar="K/N",
            help="Do the K-th of N parts of the work, so that several machines share a folder.",
        ),
        *more,
    )


def model_options(batch_size: Decorator, threads: str, *more: Decorator) -> Decorator:
    """The model, where and how it runs. `threads` is what the workers do; batch_size and more:
    options of one command alone."""

    def decorate(command: Any) -> Any:
        of_model = cloup.option_group(
            "Model and speed",
            option("-m", "--model", type=str, help="ONNX file or name of an embedded model."),
            batch_size,
            option(
                "--workers",
                type=click.IntRange(0, 256),
                default=0,
                show_default=True,
                help=f"Threads that {threads}; 0 is one per core.",
            ),
            option(
                "--memory",
                metavar="SIZE",
                help="Memory to stay within, such as 4G: less is worked on at the "
                "same time where pictures are large. Half of what there is without it.",
            ),
            *more,
        )
        return of_model(device_options(command))

    return decorate


saturation_option = option(
    "--saturation",
    type=click.FloatRange(0, 4),
    default=1.0,
    show_default=True,
    help="Factor on the color; 0 is grey.",
)


def kind_options(items: str, kept: str, *, in_color: str) -> tuple[Decorator, Decorator]:
    """What becomes of sources that are no grey ones. items: "pictures" or "films"; kept: what keep
    does with them; in_color: what happens to those in color if nothing is asked for."""

    def choice(name: str, which: str, default: str) -> Decorator:
        return option(
            name,
            type=click.Choice(["colorize", "keep", "skip"]),
            default=default,
            show_default=True,
            help=f"What to do with {which} that are found in folders: colorize, keep ({kept}) or "
            "skip (leave out). Those named one by one are always colorized.",
        )

    toned = f"toned {items} (sepia, tinted, yellowed, cyanotypes)"
    return (
        choice("--on-color", f"{items} in color", in_color),
        choice("--on-toned", toned, "colorize"),
    )


def again_options(items: str) -> Decorator:
    """What is made again. items: "pictures" or "films"."""
    return cloup.option_group(
        "Again",
        option(
            "-y",
            "--overwrite",
            is_flag=True,
            help=f"Make outdated {items} again: those made with other settings, by another model, "
            "or from a source changed since.",
        ),
        option("--redo-all", is_flag=True, help=f"Make all {items} again, whatever is there."),
    )


def before_options(*more: Decorator) -> Decorator:
    """What is looked at or made sure of before the work. more: options of one command alone."""
    return cloup.option_group(
        "Before and during the work",
        option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
        *more,
        option(
            "--ignore-space",
            is_flag=True,
            help="Begin even if the disk seems too full for all.",
        ),
        option("--fail-fast", is_flag=True, help="Begin nothing new after the first failure."),
    )


def telling_options(item: str) -> Decorator:
    """What is said, and where. item: "picture" or "film"."""
    return cloup.option_group(
        "What is told",
        option(
            "--json",
            "as_json",
            is_flag=True,
            help=f"One JSON object for each {item} and a last one for all, on standard output.",
        ),
        option(
            "--log",
            type=ANY_PATH,
            metavar="FILE",
            help="Add a line for every outcome to this file; JSON lines if it ends in .jsonl.",
        ),
        option(
            "-q",
            "--quiet",
            is_flag=True,
            help="No plan, progress or summary; failures are still named.",
        ),
        option(
            "-v",
            "--verbose",
            is_flag=True,
            help=f"Name every {item}, with what could not be kept.",
        ),
    )


# --- what options say together -------------------------------------------------------------------


def common_request(options: Mapping[str, Any]) -> dict[str, Any]:
    """What every request has (`colorbatch.job.Request`). Raises UsageError."""
    from colorbatch.run import available_memory

    memory = options["memory"]
    redo = "all" if options["redo_all"] else "outdated" if options["overwrite"] else "nothing"
    same = ("sources", "output", "include", "exclude", "dry_run", "log", "model", "batch_size")
    return {name: options[name] for name in (*same, "workers", "ignore_space", "fail_fast")} | {
        "listed": _listed(options["files_from"], options["column"], options["sources"]),
        "listed_as": options["files_from"] or "",
        "part": _part(options["shard"]),
        "redo": redo,
        "memory": None if memory is None else available_memory.parse(memory),
        "device": chosen_device(options["device"], options["gpu_id"]),
    }


def _part(shard: str | None) -> tuple[int, int] | None:
    """(2, 3) of "2/3". Raises UsageError."""
    if shard is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", shard)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--shard {shard}: K/N is wanted, with K from 1 to N")
    return int(found[1]), int(found[2])


def _listed(
    files_from: str | None, column: str | None, sources: Sequence[Path]
) -> tuple[str, ...] | None:
    """The paths of --files-from, None without it. Raises UsageError, also where there is no source
    at all."""
    if files_from is not None:
        from colorbatch.inputs.lists import read_list_file

        return tuple(read_list_file(files_from, column))
    if column is not None:
        raise UsageError("--column is for --files-from")
    if not sources:
        raise UsageError("no SOURCE", "give files, folders or patterns, or --files-from LIST")
    return None


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
