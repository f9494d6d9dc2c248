"""`colorbatch images`: options to settings, the batch, and how its outcomes are shown."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import math
import re
import signal
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.cli.options import engine_line, make_engine, model_options, option
from colorbatch.errors import ExitCode, OutputFullError, UsageError

if TYPE_CHECKING:
    from colorbatch.batch import ImageSettings
    from colorbatch.engine import Engine
    from colorbatch.files import Job
    from colorbatch.report import Outcome, Report

FORMAT_SUFFIXES = {name: f".{name}" for name in ("jpg", "png", "tif", "webp", "bmp", "jp2")}
NO_TERMINAL_INTERVAL = 60.0
"""Seconds between progress lines where stderr is not a terminal."""

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
@option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
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
    sys.exit(_images(**options))


def _images(
    sources: tuple[Path, ...],
    output: Path | None,
    model: str | None,
    device: str,
    gpu_id: int | None,
    batch_size: int,
    workers: int,
    saturation: float,
    suffix: str | None,
    new_format: str | None,
    quality: int | None,
    on_color: Any,
    upright: bool,
    no_times: bool,
    max_pixels: float,
    overwrite: bool,
    redo_all: bool,
    shard: str | None,
    dry_run: bool,
    fail_fast: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    from colorbatch import batch, files
    from colorbatch.contract import find_model, sha256
    from colorbatch.journal import Journals
    from colorbatch.report import Report

    _set_up_logging(verbose)
    if math.isnan(saturation):
        raise UsageError("--saturation is a number")
    if not math.isfinite(max_pixels):
        raise UsageError("--max-pixels is a number of megapixels")
    new_suffix = FORMAT_SUFFIXES[new_format] if new_format else None
    part = _part(shard)
    settings = batch.ImageSettings(
        saturation, quality, on_color, upright, not no_times, round(max_pixels * 1e6)
    )
    jobs = files.plan_jobs(sources, output, suffix=suffix, new_suffix=new_suffix)
    if not jobs:
        raise UsageError(
            "no pictures found",
            "JPEG, PNG, TIFF, WebP, BMP, JPEG 2000 and HEIC files are looked for",
        )
    jobs = files.shard(jobs, *part) if part else jobs
    report = Report(len(jobs))
    show = _Shower(report, as_json=as_json, quiet=quiet, verbose=verbose)
    journals = click.get_current_context().with_resource(Journals(jobs, part))
    if not dry_run:
        journals.lock(make=False)
    redo: batch.Redo = "all" if redo_all else "outdated" if overwrite else "nothing"
    model_sha256 = functools.cache(lambda: sha256(find_model(model)))
    todo, skipped = batch.split_finished(jobs, journals, settings, model_sha256, redo=redo)
    if dry_run:
        return _dry_run(todo, skipped, show)
    engine = make_engine(model, device, gpu_id, batch_size) if todo else None
    batch.check_target_folder(jobs, output)
    if todo:
        journals.lock()
    for outcome in skipped:
        show.outcome(outcome)
    if engine is not None:
        if not quiet:
            click.echo(f"{len(todo)} pictures to do; {engine_line(engine)}", err=True)
        report.made_by = _made_by(engine, settings, model_sha256())
        full: OutputFullError | None = None
        with _interrupt_flag() as interrupted, show.progress():
            # a second Ctrl-C ends the work at once, but not the account of it
            outcomes = batch.colorize_images(
                todo,
                engine,
                settings,
                journals=journals,
                model_sha256=model_sha256(),
                workers=workers,
                fail_fast=fail_fast,
                stop=interrupted,
            )
            try:
                with contextlib.closing(outcomes):
                    for outcome in outcomes:
                        show.outcome(outcome)
            except KeyboardInterrupt:
                pass
            except OutputFullError as error:
                full = error
            report.interrupted = interrupted() and report.finished < report.total
            report.stopped = full is not None
            journals.close()
        show.end(engine_line(engine))
        if full is not None:
            raise full
    else:
        show.end("no model was needed")
    return report.exit_code


def _part(shard: str | None) -> tuple[int, int] | None:
    """(2, 3) of "2/3". Raises UsageError."""
    if shard is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", shard)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--shard {shard}: K/N is wanted, with K from 1 to N")
    return int(found[1]), int(found[2])


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


def _dry_run(todo: list[Job], skipped: list[Outcome], show: _Shower) -> ExitCode:
    """What a run would do, without reading a pixel."""
    for job in todo:
        if show.as_json:
            planned = {"source": str(job.source), "target": str(job.target), "status": "planned"}
            click.echo(json.dumps(planned))
        elif not show.quiet:
            click.echo(_escaped(f"{job.source} -> {job.target}"))
    for outcome in skipped:
        show.outcome(outcome)
    click.echo(f"dry run: {len(todo)} to do, {show.report.skipped()}", err=True)
    return ExitCode.DONE


class _Shower:
    """Shows outcomes as they come: progress, failures, JSON lines, and the summary."""

    def __init__(self, report: Report, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        self.report = report
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self._bar: Any = None
        self._last_line = time.monotonic()

    @contextlib.contextmanager
    def progress(self) -> Iterator[None]:
        """A bar on a terminal, a line a minute elsewhere."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield
            return
        from tqdm import tqdm

        with tqdm(total=self.report.total, initial=self.report.finished, unit="picture") as bar:
            self._bar = bar
            yield
            self._bar = None

    def outcome(self, outcome: Outcome) -> None:
        """Count and show one."""
        report = self.report
        report.add(outcome)
        if self.as_json:
            click.echo(outcome.to_json())
        if outcome.status == "failed":
            self._line(f"failed: {outcome.source}: {outcome.reason}")
        elif self.verbose and not self.as_json:
            notes = "; ".join((*([outcome.reason] if outcome.reason else []), *outcome.notes))
            self._line(f"{outcome.status}: {outcome.source}" + (f" ({notes})" if notes else ""))
        if self._bar is not None:
            self._bar.update()
        elif not self.quiet and time.monotonic() - self._last_line >= NO_TERMINAL_INTERVAL:
            self._last_line = time.monotonic()
            rate = report.finished / max(report.seconds, 1e-9)
            left = (report.total - report.finished) / max(rate, 1e-9) / 60
            self._line(
                f"{report.finished} of {report.total}, {rate:.2f} pictures/s, {left:.0f} min left"
            )

    def end(self, where: str) -> None:
        """The last line."""
        if self.as_json:
            click.echo(self.report.to_json())
        if not self.quiet:
            start = "interrupted: " if self.report.interrupted else ""
            start = start or ("stopped: " if self.report.stopped else "")
            click.echo(f"{start}{self.report.summary()}; {where}", err=True)

    def _line(self, text: str) -> None:
        text = _escaped(text)
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            click.echo(text, err=True)


def _escaped(text: str) -> str:
    """The text on one line: names may hold line breaks and what a terminal obeys."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def _set_up_logging(verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("colorbatch").setLevel(level)


@contextlib.contextmanager
def _interrupt_flag() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks the work to end cleanly; a second one ends it at once."""
    caught: list[int] = []

    def catch(signum: int, _: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(signum)

    previous = signal.signal(signal.SIGINT, catch)
    try:
        yield lambda: bool(caught)
    finally:
        signal.signal(signal.SIGINT, previous)
