"""`colorbatch images`: options to settings, then the batch."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.cli.options import engine_line, make_engine, model_options, option
from colorbatch.cli.showing import Shower, interrupt_flag, set_up_logging
from colorbatch.errors import ExitCode, OutputFullError, UsageError

if TYPE_CHECKING:
    from colorbatch.engine import Engine
    from colorbatch.files import Job
    from colorbatch.journal import Journals
    from colorbatch.report import Outcome
    from colorbatch.settings import ImageSettings

FORMAT_SUFFIXES = {name: f".{name}" for name in ("jpg", "png", "tif", "webp", "bmp", "jp2")}

# whether a path can be read is found out, and reported, one by one
ANY_PATH = click.Path(path_type=Path, readable=False)


@click.command()
@click.argument("sources", nargs=-1, required=True, type=ANY_PATH, metavar="SOURCE...")
@option(
    "-o",
    "--output",
    type=ANY_PATH,
    help="Folder for results (the source's tree is mirrored below it), or a file name for one "
    "picture. Without it results stand beside their sources, named *_colorized.",
)
@option("-m", "--model", type=str, help="ONNX file or name of an embedded model.")
@model_options
@option(
    "--batch-size",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Pictures per run of the model.",
)
@option(
    "--workers",
    type=click.IntRange(0, 256),
    default=0,
    show_default=True,
    help="Threads that read and write; 0 is one per core.",
)
@option(
    "--saturation",
    type=click.FloatRange(0, 4),
    default=1.0,
    show_default=True,
    help="Factor on the color; 0 is grey.",
)
@option("--suffix", type=str, help="Text added to each result's name.")
@option(
    "--format",
    "new_format",
    type=click.Choice([*FORMAT_SUFFIXES]),
    help="Format of results; otherwise each source's own.",
)
@option(
    "--quality",
    type=click.IntRange(1, 100),
    help="JPEG and WebP quality; otherwise the source's own tables (JPEG) or 95.",
)
@option(
    "--on-color",
    type=click.Choice(["keep", "colorize", "skip"]),
    default="keep",
    show_default=True,
    help="What to do with pictures in color: copy, colorize or leave out. "
    "Files named one by one are always colorized.",
)
@option(
    "--on-toned",
    type=click.Choice(["colorize", "keep"]),
    default="colorize",
    show_default=True,
    help="What to do with toned pictures (sepia, yellowed, cyanotypes): color them without their "
    "tone, or copy. Files named one by one are always colorized.",
)
@option("--upright", is_flag=True, help="Turn pixels by the orientation tag.")
@option("--no-times", is_flag=True, help="Do not give results their source's modification time.")
@option(
    "--max-pixels",
    type=click.FloatRange(0, min_open=True),
    default=1000,
    show_default=True,
    metavar="MEGAPIXELS",
    help="Refuse larger pictures, by their header.",
)
@option(
    "-y",
    "--overwrite",
    is_flag=True,
    help="Do outdated results again: made with other settings, by another model, or from a source "
    "changed since.",
)
@option("--redo-all", is_flag=True, help="Do every picture again, whatever is there.")
@option(
    "--shard",
    metavar="K/N",
    help="Do the K-th of N parts of the work, so that several machines share a folder.",
)
@option(
    "--memory",
    metavar="SIZE",
    help="Memory to stay within, such as 4G: fewer pictures are worked on at the same time where "
    "they are large. Half of what there is without it.",
)
@option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@option("--fail-fast", is_flag=True, help="Begin nothing new after the first failure.")
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object per picture and a last one for all, on standard output.",
)
@option("-q", "--quiet", is_flag=True, help="No progress and no summary; failures are still named.")
@option("-v", "--verbose", is_flag=True, help="Name every picture, with what could not be kept.")
def images(**options: Any) -> None:
    """Color stills: files and folders (recursive) of JPEG, PNG, TIFF, WebP, BMP, JPEG 2000, HEIC.

    Finished pictures are skipped, so the same command again goes on where it stopped; a journal in
    the folder .colorbatch of the output knows them. Sources are never written to.
    """
    sys.exit(_images(_Asked(**options)))


@dataclass(frozen=True)
class _Asked:
    """The options as they were given."""

    sources: tuple[Path, ...]
    output: Path | None
    model: str | None
    device: str
    gpu_id: int | None
    batch_size: int
    workers: int
    saturation: float
    suffix: str | None
    new_format: str | None
    quality: int | None
    on_color: Any
    on_toned: Any
    upright: bool
    no_times: bool
    max_pixels: float
    overwrite: bool
    redo_all: bool
    shard: str | None
    memory: str | None
    dry_run: bool
    fail_fast: bool
    as_json: bool
    quiet: bool
    verbose: bool

    def settings(self) -> ImageSettings:
        """Those that decide the look and the form of results. Raises UsageError."""
        from colorbatch.settings import ImageSettings

        if math.isnan(self.saturation):
            raise UsageError("--saturation is a number")
        if not math.isfinite(self.max_pixels):
            raise UsageError("--max-pixels is a number of megapixels")
        return ImageSettings(
            saturation=self.saturation,
            quality=self.quality,
            on_color=self.on_color,
            on_toned=self.on_toned,
            upright=self.upright,
            times=not self.no_times,
            max_pixels=round(self.max_pixels * 1e6),
        )

    def budget(self) -> int:
        """The memory to stay within. Raises UsageError."""
        from colorbatch import budget

        return budget.default() if self.memory is None else budget.parse(self.memory)

    def part(self) -> tuple[int, int] | None:
        """(2, 3) of "2/3". Raises UsageError."""
        if self.shard is None:
            return None
        found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", self.shard)
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard {self.shard}: K/N is wanted, with K from 1 to N")
        return int(found[1]), int(found[2])

    def jobs(self) -> list[Job]:
        """What there is to make, of this part. Raises UsageError."""
        from colorbatch import files

        part = self.part()
        new_suffix = FORMAT_SUFFIXES[self.new_format] if self.new_format else None
        jobs = files.plan_jobs(self.sources, self.output, suffix=self.suffix, new_suffix=new_suffix)
        if not jobs:
            raise UsageError(
                "no pictures found",
                "JPEG, PNG, TIFF, WebP, BMP, JPEG 2000 and HEIC files are looked for",
            )
        return files.shard(jobs, *part) if part else jobs


def _images(asked: _Asked) -> ExitCode:
    from colorbatch import batch
    from colorbatch.contract import find_model, sha256
    from colorbatch.journal import Journals
    from colorbatch.report import Report

    set_up_logging(asked.verbose)
    settings, memory, jobs = asked.settings(), asked.budget(), asked.jobs()
    report = Report(len(jobs))
    show = Shower(report, as_json=asked.as_json, quiet=asked.quiet, verbose=asked.verbose)
    journals = click.get_current_context().with_resource(Journals(jobs, asked.part()))
    if not asked.dry_run:
        journals.lock(make=False)
    redo: batch.Redo = "all" if asked.redo_all else "outdated" if asked.overwrite else "nothing"
    model_sha256 = functools.cache(lambda: sha256(find_model(asked.model)))
    todo, skipped = batch.split_finished(jobs, journals, settings, model_sha256, redo=redo)
    if asked.dry_run:
        return _dry_run(asked, todo, skipped, settings, memory, show)
    engine = None
    if todo:
        engine = make_engine(asked.model, asked.device, asked.gpu_id, asked.batch_size)
    batch.check_target_folder(jobs, asked.output)
    if todo:
        journals.lock()
    for outcome in skipped:
        show.outcome(outcome)
    if engine is not None:
        _run(asked, todo, engine, settings, memory, journals, model_sha256, show)
    else:
        show.end("no model was needed")
    return report.exit_code


def _run(
    asked: _Asked,
    todo: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    memory: int,
    journals: Journals,
    model_sha256: Callable[[], str],
    show: Shower,
) -> None:
    """The batch itself, shown. Raises OutputFullError when all is told."""
    from colorbatch import batch

    report = show.report
    if not asked.quiet:
        click.echo(f"{len(todo)} pictures to do; {engine_line(engine)}", err=True)
    report.made_by = _made_by(engine, settings, model_sha256())
    full: OutputFullError | None = None
    with interrupt_flag() as interrupted, show.progress():
        outcomes = batch.colorize_images(
            todo,
            engine,
            settings,
            journals=journals,
            model_sha256=model_sha256(),
            workers=asked.workers,
            memory=memory,
            fail_fast=asked.fail_fast,
            stop=interrupted,
        )
        try:
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    show.outcome(outcome)
        except KeyboardInterrupt:  # a second Ctrl-C ends the work at once, not the account of it
            pass
        except OutputFullError as error:
            full = error
        report.interrupted = interrupted() and report.finished < report.total
        report.stopped = full is not None
        journals.close()
    show.end(engine_line(engine))
    if full is not None:
        raise full


def _made_by(engine: Engine, settings: ImageSettings, model_sha256: str) -> dict[str, object]:
    """What made the color, for the report."""
    return {
        "program": f"colorbatch {__version__}",
        "model": engine.card.name,
        "model_sha256": model_sha256,
        "device": engine.device,
        "provider": engine.provider,
        "settings": dataclasses.asdict(settings),
    }


def _dry_run(
    asked: _Asked,
    todo: Sequence[Job],
    skipped: Sequence[Outcome],
    settings: ImageSettings,
    memory: int,
    show: Shower,
) -> ExitCode:
    """What a run would do: every source is read for its kind, and nothing is written."""
    from colorbatch import batch

    report = show.report
    with interrupt_flag() as interrupted:
        planned = batch.foresee(
            todo, settings, workers=asked.workers, memory=memory, stop=interrupted
        )
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(planned):
            for outcome in planned:
                show.planned(outcome)
    for outcome in skipped:
        show.outcome(outcome)
    report.interrupted = report.finished < report.total
    show.end_of_plan()
    return report.exit_code
