"""`colorbatch images`: options to settings, then the batch."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from colorbatch.cli.forecast import Forecast, take_sample
from colorbatch.cli.options import coloring_options, make_engine, option, saturation_of
from colorbatch.cli.running import check_space, dry_run, run, tell_rest
from colorbatch.cli.showing import Shower, set_up_logging
from colorbatch.cli.sources import (
    ANY_PATH,
    FORMAT_SUFFIXES,
    Sources,
    finding_options,
    log_option,
    shard_option,
)
from colorbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from colorbatch.job import ImageSettings, Job, Outcome


@click.command()
@click.argument("sources", nargs=-1, type=ANY_PATH, metavar="SOURCE...")
@option(
    "-o",
    "--output",
    type=ANY_PATH,
    help="Folder for results (the source's tree is mirrored below it), or a file name for one "
    "picture. Without it results stand beside their sources, named *_colorized.",
)
@finding_options
@coloring_options("Pictures", "read and write")
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
    type=click.Choice(["colorize", "keep", "skip"]),
    default="colorize",
    show_default=True,
    help="What to do with toned pictures (sepia, yellowed, cyanotypes): color them without their "
    "tone, copy or leave out. Files named one by one are always colorized.",
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
@shard_option
@option(
    "--memory",
    metavar="SIZE",
    help="Memory to stay within, such as 4G: fewer pictures are worked on at the same time where "
    "they are large. Half of what there is without it.",
)
@option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Do only N pictures, spread over the folders and always the same, then say what time and "
    "space the others will take.",
)
@option("--ignore-space", is_flag=True, help="Begin even if the disk seems too full for all.")
@option("--fail-fast", is_flag=True, help="Begin nothing new after the first failure.")
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object per picture and a last one for all, on standard output.",
)
@log_option
@option("-q", "--quiet", is_flag=True, help="No progress and no summary; failures are still named.")
@option("-v", "--verbose", is_flag=True, help="Name every picture, with what could not be kept.")
def images(**options: Any) -> None:
    """Color stills: files and folders (recursive) of JPEG, PNG, TIFF, WebP, BMP, JPEG 2000, HEIC.

    SOURCE may be a pattern, "scans/**/*.tif": of the folder scans those at any depth.

    Finished pictures are skipped, so the same command again goes on where it stopped; a journal in
    the folder .colorbatch of the output knows them. Sources are never written to.
    """
    sys.exit(_images(StillOptions(**options)))


@dataclass(frozen=True)
class StillOptions(Sources):
    """The options as they were given."""

    quality: int | None
    on_color: Any
    on_toned: Any
    upright: bool
    no_times: bool
    max_pixels: float
    memory: str | None
    sample: int | None

    def settings(self) -> ImageSettings:
        """Those that decide the look and the form of results. Raises UsageError."""
        from colorbatch.job import ImageSettings

        if not math.isfinite(self.max_pixels):
            raise UsageError("--max-pixels is a number of megapixels")
        return ImageSettings(
            saturation=saturation_of(self.saturation),
            quality=self.quality,
            on_color=self._beside(self.on_color),
            on_toned=self._beside(self.on_toned),
            upright=self.upright,
            times=not self.no_times,
            max_pixels=round(self.max_pixels * 1e6),
        )

    def _beside(self, choice: Any) -> Any:
        """What is kept needs no copy where its original lies in the same folder."""
        return "skip" if choice == "keep" and self.output is None else choice

    def budget(self) -> int:
        """The memory to stay within. Raises UsageError."""
        from colorbatch.run import available_memory

        return (
            available_memory.default()
            if self.memory is None
            else available_memory.parse(self.memory)
        )


def _images(asked: StillOptions) -> ExitCode:
    from colorbatch.run.report import Report

    set_up_logging(asked.verbose)
    settings, memory, jobs = asked.settings(), asked.budget(), asked.jobs()
    with asked.open_log(jobs) or contextlib.nullcontext() as log:
        show = Shower(
            Report(len(jobs)),
            as_json=asked.as_json,
            quiet=asked.quiet,
            verbose=asked.verbose,
            log=log,
        )
        return _work(asked, jobs, settings, memory, show)


def _work(
    asked: StillOptions, jobs: Sequence[Job], settings: ImageSettings, memory: int, show: Shower
) -> ExitCode:
    from colorbatch.journal.results import Journals
    from colorbatch.model.contract import find_model, sha256
    from colorbatch.stills import batch

    def plan() -> tuple[list[Job], list[Job], list[Outcome]]:
        todo, skipped = batch.split_finished(
            jobs, journals, settings, model_sha256, redo=asked.redo()
        )
        return take_sample(jobs, todo, skipped, asked.sample)

    journals = click.get_current_context().with_resource(Journals(jobs, asked.part()))
    if not asked.dry_run:
        journals.lock(make=False)
    model_sha256 = functools.cache(lambda: sha256(find_model(asked.model)))
    todo, rest, skipped = plan()
    show.report.total = len(todo) + len(skipped)
    forecast = Forecast.of(todo, rest, skipped, settings, asked.workers)
    if asked.dry_run:
        return dry_run(asked, todo, skipped, settings, memory, forecast, show)
    check_space(asked, forecast, show.report)
    engine = None
    if todo:
        engine = make_engine(asked.model, asked.device, asked.gpu_id, asked.batch_size)
    batch.check_target_folder(jobs, asked.output)
    # until its lock is taken, another run may make what a place did not have
    if todo and journals.lock() and (todo, rest, skipped) != (now := plan()):
        todo, rest, skipped = now
        forecast = Forecast.of(todo, rest, skipped, settings, asked.workers)
        check_space(asked, forecast, show.report)
    for outcome in skipped:
        show.outcome(outcome)
    if todo and engine is not None:
        run(asked, todo, engine, settings, memory, journals, model_sha256, forecast, show)
    else:
        left = tell_rest(asked, forecast, [], 0, show)
        show.end("no model was needed")
        show.last(left)
    return show.report.exit_code
