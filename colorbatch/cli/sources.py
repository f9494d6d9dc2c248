"""Which pictures or films a command is for: sources, lists, patterns, parts and the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from colorbatch.cli.options import chosen_device, option
from colorbatch.errors import UsageError


class _AnyPath(click.Path):
    """A path; whether it can be read is found out, and reported, one by one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An empty one is a variable of the shell that was not set, not the working directory."""
        if value in ("", b""):
            self.fail("an empty name", param, ctx)
        return super().convert(value, param, ctx)


ANY_PATH = _AnyPath(path_type=Path, readable=False)


def finding_options(command: Any) -> Any:
    """The options that say which of the sources are meant."""
    options: tuple[Callable[[Any], Any], ...] = (
        option(
            "--column",
            metavar="NAME",
            help="Column of a CSV list that holds the paths; otherwise the one named path, file, "
            "filename or source, or the only one.",
        ),
        option(
            "--files-from",
            metavar="LIST",
            help="Files that a list names: text with one path a line (or NUL between), CSV with a "
            "header, or - for standard input. SOURCE, if given, is the folder of its paths.",
        ),
        option(
            "--exclude",
            type=click.Path(),  # in the environment it is a list as PATH is
            multiple=True,
            metavar="PATTERN",
            help="Leave out what matches, below a source folder; may be repeated.",
        ),
        option(
            "--include",
            type=click.Path(),
            multiple=True,
            metavar="PATTERN",
            help="Of what folders hold, take only what matches (*, ?, [..] in names, ** over "
            "folders; in any letter case); may be repeated.",
        ),
    )
    for decorate in options:
        command = decorate(command)
    return command


shard_option = option(
    "--shard",
    metavar="K/N",
    help="Do the K-th of N parts of the work, so that several machines share a folder.",
)
log_option = option(
    "--log",
    type=ANY_PATH,
    metavar="FILE",
    help="Add a line for every outcome to this file; JSON lines if it ends in .jsonl.",
)


def common_request(options: Mapping[str, Any]) -> dict[str, Any]:
    """What every request has (`colorbatch.job.Request`), from the options of a command. Raises
    UsageError."""
    redo = "all" if options["redo_all"] else "outdated" if options["overwrite"] else "nothing"
    same = ("sources", "output", "include", "exclude", "dry_run", "log", "model", "batch_size")
    return {name: options[name] for name in (*same, "workers", "ignore_space", "fail_fast")} | {
        "listed": _listed(options["files_from"], options["column"], options["sources"]),
        "listed_as": options["files_from"] or "",
        "part": _part(options["shard"]),
        "redo": redo,
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
