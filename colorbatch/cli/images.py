"""`colorbatch images`: options to settings, the batch, and how its outcomes are shown."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
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
from colorbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from colorbatch.batch import ImageSettings
    from colorbatch.engine import Engine
    from colorbatch.report import Outcome, Report

FORMAT_SUFFIXES = {"jpg": ".jpg", "png": ".png", "tif": ".tif", "webp": ".webp"}
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
@option(
    "--on-toned",
    type=click.Choice(["colorize", "keep"]),
    default="colorize",
    show_default=True,
    help="What to do with toned pictures (sepia, yellowed, cyanotypes): color them without their "
    "tone, or copy. Files named one by one are always colorized.",
)
@option("-y", "--overwrite", is_flag=True, help="Do finished pictures again.")
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
    """Color stills: files and folders (recursive) of JPEG, PNG, TIFF and WebP.

    Finished pictures are skipped, so the same command again goes on where it stopped. Sources are
    never written to.
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
    on_toned: Any,
    overwrite: bool,
    dry_run: bool,
    fail_fast: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    from colorbatch import batch
    from colorbatch.files import plan_jobs
    from colorbatch.report import Report

    _set_up_logging(verbose)
    if math.isnan(saturation):
        raise UsageError("--saturation is a number")
    new_suffix = FORMAT_SUFFIXES[new_format] if new_format else None
    jobs = plan_jobs(sources, output, suffix=suffix, new_suffix=new_suffix)
    if not jobs:
        raise UsageError("no pictures found", "JPEG, PNG, TIFF and WebP files are looked for")
    todo, skipped = batch.split_finished(jobs, overwrite=overwrite)
    report = Report(len(jobs))
    show = _Shower(report, as_json=as_json, quiet=quiet, verbose=verbose)
    settings = batch.ImageSettings(saturation, quality, on_color, on_toned)
    if dry_run:
        with _interrupt_flag() as interrupted:
            return _dry_run(
                batch.foresee(todo, settings, workers=workers, stop=interrupted), skipped, show
            )
    engine = make_engine(model, device, gpu_id, batch_size) if todo else None
    batch.check_target_folder(jobs, output)
    for outcome in skipped:
        show.outcome(outcome)
    if engine is not None:
        if not quiet:
            click.echo(f"{len(todo)} pictures to do; {engine_line(engine)}", err=True)
        if as_json:  # nothing else shows it, and hashing a model takes time
            report.made_by = _made_by(engine, settings)
        with _interrupt_flag() as interrupted, show.progress():
            # a second Ctrl-C ends the work at once, but not the account of it
            with contextlib.suppress(KeyboardInterrupt):
                for outcome in batch.colorize_images(
                    todo, engine, settings, workers=workers, fail_fast=fail_fast, stop=interrupted
                ):
                    show.outcome(outcome)
            report.interrupted = interrupted() and report.finished < report.total
        show.end(engine_line(engine))
    else:
        show.end("no model was needed")
    return report.exit_code


def _made_by(engine: Engine, settings: ImageSettings) -> dict[str, object]:
    """What made the color, for the report."""
    from colorbatch.contract import sha256

    return {
        "program": f"colorbatch {__version__}",
        "model": engine.card.name,
        "model_sha256": sha256(engine.path),
        "device": engine.device,
        "provider": engine.provider,
        "settings": dataclasses.asdict(settings),
    }


def _dry_run(planned: Iterator[Outcome], skipped: list[Outcome], show: _Shower) -> ExitCode:
    """What a run would do: every source is read for its kind, and nothing is written."""
    report = show.report
    for outcome in planned:
        if outcome.status == "failed":
            show.outcome(outcome)
            continue
        report.add(outcome)
        if show.as_json:
            values = json.loads(outcome.to_json())
            click.echo(json.dumps(values | {"status": "planned", "would_be": outcome.status}))
        elif not show.quiet and outcome.status != "skipped":
            what = outcome.kind + (", kept" if outcome.status == "kept" else "")
            click.echo(_escaped(f"{outcome.source} -> {outcome.target} ({what})"))
    for outcome in skipped:
        show.outcome(outcome)
    report.interrupted = report.finished < report.total
    to_do = report.statuses["colored"] + report.statuses["kept"]
    parts = [f"{to_do:,} to do", f"{len(skipped):,} finished already"]
    if others := report.statuses["skipped"] - len(skipped):
        parts.append(f"{others:,} to be skipped")
    if report.statuses["failed"]:
        parts.append(f"{report.statuses['failed']:,} cannot be read")
    kinds = f"; {report.kinds_line()}" if report.kinds else ""
    click.echo(f"dry run: {', '.join(parts)}{kinds}", err=True)
    return report.exit_code


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
