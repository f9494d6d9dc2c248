"""The command line: click options to frozen settings, then the work, the report, the exit code.

The only file that knows click, and the one boundary where errors become a line and an exit code.
numpy, OpenCV and onnxruntime are imported inside the commands, so that `--help` is immediate.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import signal
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorbatch import __version__
from colorbatch.errors import ColorbatchError, ExitCode, UsageError, one_line

if TYPE_CHECKING:
    from colorbatch.engine import Engine
    from colorbatch.files import Job
    from colorbatch.report import Outcome, Report

FORMAT_SUFFIXES = {"jpg": ".jpg", "png": ".png", "tif": ".tif", "webp": ".webp"}
NO_TERMINAL_INTERVAL = 60.0
"""Seconds between progress lines where stderr is not a terminal."""

ANY_PATH = click.Path(path_type=Path)


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="colorbatch")
def cli() -> None:
    """Give black-and-white photographs their color back, in bulk, on your own machine."""


@cli.command()
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
@option("-y", "--overwrite", is_flag=True, help="Do finished pictures again.")
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
    overwrite: bool,
    dry_run: bool,
    fail_fast: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    from colorbatch import batch
    from colorbatch.files import plan_jobs
    from colorbatch.images import FORMATS
    from colorbatch.report import Report

    _set_up_logging(verbose)
    new_suffix = FORMAT_SUFFIXES[new_format] if new_format else None
    jobs = plan_jobs(sources, output, suffix=suffix, new_suffix=new_suffix)
    if not jobs:
        raise UsageError("no pictures found", "JPEG, PNG, TIFF and WebP files are looked for")
    todo, skipped = batch.split_finished(jobs, overwrite=overwrite)
    report = Report(len(jobs))
    show = _Shower(report, as_json=as_json, quiet=quiet, verbose=verbose)
    if dry_run:
        return _dry_run(todo, skipped, show)
    batch.check_target_folder(jobs, output)
    for outcome in skipped:
        show.outcome(outcome)
    if todo:
        engine = _make_engine(model, device, gpu_id, batch_size)
        if not quiet:
            click.echo(f"{len(todo)} pictures to do; {_engine_line(engine)}", err=True)
        settings = batch.ImageSettings(
            saturation, FORMATS[new_suffix] if new_suffix else None, quality, on_color
        )
        with _interrupt_flag() as interrupted, show.progress():
            for outcome in batch.colorize_images(
                todo, engine, settings, workers=workers, fail_fast=fail_fast, stop=interrupted
            ):
                show.outcome(outcome)
            report.interrupted = interrupted()
        show.end(_engine_line(engine))
    else:
        show.end("no model was needed")
    return report.exit_code


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
    click.echo(f"dry run: {len(todo)} to do, {len(skipped)} finished already", err=True)
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
        if self.quiet or not sys.stderr.isatty():
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


@cli.command()
@click.argument("model", required=False)
@model_options
def verify(model: str | None, device: str, gpu_id: int | None) -> None:
    """Run MODEL's stored parity check on this machine, without PyTorch.

    Without a device it is run on every provider that works here.
    """
    from colorbatch import parity
    from colorbatch.contract import find_model
    from colorbatch.engine import usable_devices

    path = find_model(model)
    record = parity.load_record(path)
    asked = _device(device, gpu_id)
    for name in usable_devices() if asked == "auto" else [asked]:
        engine = _make_engine(str(path), name, None, 8)
        worst = parity.check(engine, record)
        click.echo(
            f"{path.name} on {_engine_line(engine)}: as PyTorch; largest differences over "
            f"{len(record.goldens)} pictures: |d ab| {worst.max_ab:.2g}, "
            f"deltaE2000 {worst.max_delta_e:.2g} (limits {record.limits.max_ab:g}, "
            f"{record.limits.max_delta_e:g})"
        )


@cli.command()
@click.argument("model", required=False)
@option("--json", "as_json", is_flag=True, help="The whole cards as JSON.")
def models(model: str | None, as_json: bool) -> None:
    """List the embedded models, or MODEL, with its card."""
    from colorbatch.contract import embedded_models, find_model
    from colorbatch.engine import Engine

    paths = [find_model(model)] if model else embedded_models()
    for path in paths:
        engine = Engine(path, "cpu")
        card = engine.card
        if as_json:
            click.echo(
                json.dumps(
                    {
                        "file": str(path),
                        "contract": json.loads(engine.contract.to_json()),
                        "card": json.loads(card.to_json()),
                    }
                )
            )
            continue
        click.echo(f"{card.name}: {path} ({path.stat().st_size / 1e6:.1f} MB)")
        rows = {
            "recipe": card.recipe,
            "size": f"{engine.size[0]} x {engine.size[1]}",
            "training data": card.training_data,
            "licences": card.licences,
            "trained on": f"{card.images} photographs, {card.epochs} epochs" if card.images else "",
            **{
                f"metrics on {name}": ", ".join(f"{k} {v:g}" for k, v in values.items())
                for name, values in card.metrics.items()
            },
            "source commit": card.source_commit,
            "weights": card.weights_sha256,
        }
        for name, text in rows.items():
            if text:
                click.echo(f"  {name}: {text}")


@cli.command()
@model_options
def doctor(device: str, gpu_id: int | None) -> None:
    """Say what is installed and really in use here, and time one inference."""
    import importlib.metadata
    import platform

    from colorbatch import engine as engines
    from colorbatch.contract import embedded_models

    click.echo(
        f"colorbatch {__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    for name in ("numpy", "opencv-python-headless", "pillow", "tifffile", "imagecodecs"):
        try:
            click.echo(f"  {name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            click.echo(f"  {name}: not installed as a wheel")
    wheels = engines.installed_runtimes()
    for name, version in wheels.items():
        click.echo(f"  {name} {version}")
    if len(wheels) > 1:
        click.echo(f"  trouble: {' and '.join(wheels)} overwrite each other; uninstall all but one")
    runtime = engines.import_runtime()
    click.echo(f"providers offered: {', '.join(runtime.get_available_providers())}")
    click.echo(f"NVIDIA card: {'yes' if engines.has_nvidia_card() else 'none found'}")
    click.echo(f"embedded models: {', '.join(path.stem for path in embedded_models()) or 'none'}")
    engine = _make_engine(None, device, gpu_id, 1)
    click.echo(f"in use: {_engine_line(engine)}")
    click.echo(f"one inference: {engine.time_one() * 1000:.0f} ms")


def _device(device: str, gpu_id: int | None) -> str:
    if gpu_id is None:
        return device
    if device not in ("auto", f"cuda:{gpu_id}"):
        raise UsageError(f"--gpu-id {gpu_id} and --device {device} contradict each other")
    return f"cuda:{gpu_id}"


def _make_engine(model: str | None, device: str, gpu_id: int | None, batch_size: int) -> Engine:
    from colorbatch.engine import Engine

    return Engine(model, _device(device, gpu_id), batch_size=batch_size)


def _engine_line(engine: Engine) -> str:
    return f"model {engine.card.name} on {engine.device} ({engine.provider})"


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


def main() -> None:
    """Run the command line; the one place where errors become a line and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # names that a stream cannot hold are shown escaped
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        sys.exit(ExitCode.COULD_NOT_RUN)
    except ColorbatchError as error:
        click.echo(f"error: {one_line(error)}", err=True)
        sys.exit(error.exit_code)
