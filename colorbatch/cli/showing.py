"""How a batch is shown: progress, outcomes as they come, JSON lines, the last line."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from colorbatch.cli.progress import NO_TERMINAL_INTERVAL, Progress
from colorbatch.errors import ExitCode, OutputFullError
from colorbatch.job import Outcome, PreviewOutcome
from colorbatch.run.report import Report, escaped

if TYPE_CHECKING:
    from colorbatch.run.runs import Run


class Shower:
    """Shows a run on the terminal: it watches it (`colorbatch.run.watch.Watch`), and is given its
    outcomes as they come: progress, failures, JSON lines, the summary. The first Ctrl-C behind
    `begun` asks the work to end cleanly, a second one ends it at once."""

    def __init__(
        self, *, as_json: bool, quiet: bool, verbose: bool, unit: str = "pictures"
    ) -> None:
        """unit: what is counted; films are of no one length, so that they have no rate."""
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self._unit = unit
        self._bar: Any = None
        self._last_line = time.monotonic()
        self._caught = 0
        self._held = contextlib.ExitStack()
        self._report: Report | None = None

    def all_of(self, run: Run) -> ExitCode:
        """Make and show all. Raises ColorbatchError, if something was made when all is told."""
        report, full = run.report, None
        self._report = report
        with self._held:
            try:
                for outcome in run:
                    try:
                        self._outcome(outcome, report)
                    except KeyboardInterrupt:  # a second one: the work ends, and is told of
                        if not self._caught:
                            raise
            except OutputFullError as error:
                if not report.stopped:
                    raise
                full = error
        if report.preview:
            self._end_of_preview(report)
        elif report.dry_run:
            self._end_of_plan(report, run.rest)
        else:
            self._end(report, run.where)
            self._say_last(run.rest)
        if full is not None:
            raise full
        return report.exit_code

    # --- as a watch ---

    def stop(self) -> bool:
        return self._caught > 0

    def say(self, text: str) -> None:
        if not self.quiet:
            self._line(text)

    def error(self, text: str) -> None:
        self._line(text)

    def begun(self, total: int, finished: int) -> None:
        def catch(signum: int, _: Any) -> None:
            if self._caught:
                raise KeyboardInterrupt
            self._caught += 1

        previous = signal.signal(signal.SIGINT, catch)
        self._held.callback(signal.signal, signal.SIGINT, previous)
        foreseen = self._report is not None and self._report.dry_run  # that prints a line for each
        if self.shows_bar and self._unit == "pictures" and not foreseen:
            from tqdm import tqdm

            self._bar = self._held.enter_context(
                tqdm(total=total, initial=finished, unit="picture")
            )
            self._held.callback(self._forget_bar)

    def progress(self, name: str) -> Progress:
        return Progress(name, quiet=self.quiet)

    @property
    def shows_bar(self) -> bool:
        """Whether there is a terminal for a bar."""
        return not self.quiet and sys.stderr is not None and sys.stderr.isatty()

    def _forget_bar(self) -> None:
        self._bar = None

    # --- outcomes ---

    def _outcome(self, outcome: Outcome, report: Report) -> None:
        if self.as_json:
            click.echo(outcome.to_json())
        if outcome.status == "failed":
            self._line(f"failed: {outcome.source}: {outcome.reason}")
        elif isinstance(outcome, PreviewOutcome):
            self._previewed(outcome)
        elif outcome.foreseen:
            if outcome.plan and not (self.as_json or self.quiet):
                click.echo(escaped(outcome.plan))
        elif outcome.status == "unfinished" and not self.quiet:
            self._line(f"unfinished: {outcome.source}: {outcome.reason}")
        elif self.verbose and not self.as_json:
            notes = "; ".join((*([outcome.reason] if outcome.reason else []), *outcome.notes))
            self._line(f"{outcome.status}: {outcome.source}" + (f" ({notes})" if notes else ""))
        if self._bar is not None:
            self._bar.update()
        elif not self.quiet and time.monotonic() - self._last_line >= NO_TERMINAL_INTERVAL:
            self._last_line = time.monotonic()
            self._line(self._how_far(report))

    def _previewed(self, outcome: PreviewOutcome) -> None:
        for path in () if self.as_json or self.quiet else outcome.stills:
            click.echo(escaped(str(path)))
        self.say(f"{outcome.source}: {outcome.plan}")

    def _how_far(self, report: Report) -> str:
        if self._unit != "pictures":
            return f"{report.finished} of {report.total} {self._unit}"
        rate = report.finished / max(report.seconds, 1e-9)
        left = (report.total - report.finished) / max(rate, 1e-9) / 60
        return f"{report.finished} of {report.total}, {rate:.2f} pictures/s, {left:.0f} min left"

    def _end_of_preview(self, report: Report) -> None:
        """The last line of a preview."""
        if self.as_json:
            click.echo(report.to_json())
        if not self.quiet:
            parts = [f"{report.statuses['colored']:,} shown"]
            parts += [report.skipped()] if report.statuses["skipped"] else []
            failed = report.statuses["failed"]
            parts += [f"{failed:,} failed"] if failed else []
            click.echo(f"preview: {', '.join(parts)}", err=True)

    def _end_of_plan(self, report: Report, estimate: str) -> None:
        """The last line of a dry run, with what all of it will take."""
        if self.as_json:
            click.echo(report.to_json())
        to_do = report.statuses["colored"] + report.statuses["kept"]
        parts = [f"{to_do:,} to do", report.skipped()]
        if report.statuses["failed"]:
            parts.append(f"{report.statuses['failed']:,} cannot be read")
        passed = report.passed_over_line() if report.passed_over else ""
        text = "; ".join(
            filter(
                None, [", ".join(parts), report.kinds_line(), report.pages_line(), passed, estimate]
            )
        )
        start = "interrupted: " if report.interrupted else ""
        click.echo(f"dry run: {start}{text}", err=True)

    def _end(self, report: Report, where: str) -> None:
        """The last line."""
        if self.as_json:
            click.echo(report.to_json())
        if not self.quiet:
            start = "interrupted: " if report.interrupted else ""
            start = start or ("stopped: " if report.stopped else "")
            click.echo(f"{start}{report.summary()}; {where}", err=True)

    def _say_last(self, text: str) -> None:
        """A line behind the last, if there is anything to say."""
        if text and not self.quiet:
            click.echo(text, err=True)

    def _line(self, text: str) -> None:
        text = escaped(text)
        if sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)  # above a bar, where there is one
        else:
            click.echo(text, err=True)


def set_up_logging(verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("colorbatch").setLevel(level)
