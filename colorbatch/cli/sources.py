"""Which pictures or films a command is for: sources, lists, patterns, parts and the log."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.cli.options import option
from colorbatch.errors import UsageError
from colorbatch.formats.registry import FORMATS, READ, SUFFIXES, WRITTEN, in_words

if TYPE_CHECKING:
    from colorbatch.job import Job
    from colorbatch.journal.records import Redo
    from colorbatch.run.log import Log

FORMAT_SUFFIXES = {SUFFIXES[format_][0][1:]: SUFFIXES[format_][0] for format_ in WRITTEN}


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


def read_files_from(name: str, column: str | None) -> list[str]:
    """The paths of --files-from. Raises UsageError."""
    from colorbatch.fs.atomic import reachable
    from colorbatch.inputs.lists import read_list

    try:
        if name == "-":
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            data = reachable(Path(name)).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot read this list: {error.strerror or error}") from error
    return read_list(data, name, column)


@dataclass(frozen=True)
class Given:
    """What every command that colors is told, as it was given."""

    sources: tuple[Path, ...]
    output: Path | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    files_from: str | None
    column: str | None
    shard: str | None
    dry_run: bool
    log: Path | None
    overwrite: bool
    redo_all: bool
    model: str | None
    device: str
    gpu_id: int | None
    batch_size: int
    workers: int
    saturation: float
    ignore_space: bool
    fail_fast: bool
    as_json: bool
    quiet: bool
    verbose: bool

    def redo(self) -> Redo:
        """Which results are made again."""
        return "all" if self.redo_all else "outdated" if self.overwrite else "nothing"

    def part(self) -> tuple[int, int] | None:
        """(2, 3) of "2/3". Raises UsageError."""
        if self.shard is None:
            return None
        found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", self.shard)
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard {self.shard}: K/N is wanted, with K from 1 to N")
        return int(found[1]), int(found[2])

    def listed(self) -> list[str] | None:
        """The paths of --files-from, None without it. Raises UsageError, also where there is no
        source at all."""
        if self.files_from is not None:
            return read_files_from(self.files_from, self.column)
        if self.column is not None:
            raise UsageError("--column is for --files-from")
        if not self.sources:
            raise UsageError("no SOURCE", "give files, folders or patterns, or --files-from LIST")
        return None

    def open_log(
        self,
        jobs: Sequence[Job],
        items: str = "pictures",
        suffixes: Collection[str] = FORMATS,
        more_folders: Sequence[Path] = (),
    ) -> Log | None:
        """The log with its first line; none for a dry run. items: what there is a line for each of;
        suffixes: of files that no log may replace; more_folders: of sources, beside those that are
        named. Raises UsageError, TargetError."""
        from colorbatch.inputs.picture_files import source_folders
        from colorbatch.run.log import Log, refuse_log

        if self.log is None or self.dry_run:
            return None
        folders, listed_in = [*source_folders(self.sources), *more_folders], None
        if self.files_from is not None and not folders:
            folders = sorted({job.source.parent for job in jobs})
        if self.files_from not in (None, "-"):
            listed_in = Path(str(self.files_from))
        refuse_log(self.log, jobs, folders, self.output, listed_in, suffixes)
        log = Log(self.log)
        sources = [str(source) for source in self.sources]
        sources += [self.files_from] if self.files_from else []
        log.start(f"colorbatch {__version__}", len(jobs), sources, str(self.output or ""), items)
        return log


@dataclass(frozen=True)
class Sources(Given):
    """What is to be made of which pictures."""

    suffix: str | None
    new_format: str | None

    def jobs(self) -> list[Job]:
        """What there is to make, of this part. Raises UsageError."""
        from colorbatch.inputs import picture_files
        from colorbatch.inputs.patterns import Patterns

        part, listed = self.part(), self.listed()
        new_suffix = FORMAT_SUFFIXES[self.new_format] if self.new_format else None
        jobs = picture_files.plan_jobs(
            self.sources,
            self.output,
            suffix=self.suffix,
            new_suffix=new_suffix,
            patterns=Patterns(self.include, self.exclude),
            listed=listed,
        )
        if not jobs and (self.include or self.exclude):
            raise UsageError("--include and --exclude leave no pictures")
        if not jobs:
            raise UsageError(
                "no pictures found",
                f"{in_words(READ, 'and')} files are looked for",
            )
        return picture_files.shard(jobs, *part) if part else jobs
