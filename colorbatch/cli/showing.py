"""How a batch is shown: progress, outcomes as they come, JSON lines, the last line."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from colorbatch.run.report import escaped

if TYPE_CHECKING:
    from colorbatch.job import Outcome, PreviewOutcome
    from colorbatch.run.log import Log
    from colorbatch.run.report import Report

NO_TERMINAL_INTERVAL = 60.0
"""Seconds between progress lines where stderr is not a terminal."""


class Shower:
    """Shows outcomes as they come: progress, failures, JSON lines, the log, and the summary."""

    def __init__(
        self,
        report: Report,
        *,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        log: Log | None = None,
        unit: str = "pictures",
    ) -> None:
        """unit: what is counted; films are of no one length, so that they have no rate."""
        self.report, self.log, self._unit = report, log, unit
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
        if self.log is not None:
            self.log.outcome(outcome)
        if self.as_json:
            click.echo(outcome.to_json())
        if outcome.status == "failed":
            self._line(f"failed: {outcome.source}: {outcome.reason}")
        elif outcome.status == "unfinished" and not self.quiet:
            self._line(f"unfinished: {outcome.source}: {outcome.reason}")
        elif self.verbose and not self.as_json:
            notes = "; ".join((*([outcome.reason] if outcome.reason else []), *outcome.notes))
            self._line(f"{outcome.status}: {outcome.source}" + (f" ({notes})" if notes else ""))
        if self._bar is not None:
            self._bar.update()
        elif not self.quiet and time.monotonic() - self._last_line >= NO_TERMINAL_INTERVAL:
            self._last_line = time.monotonic()
            self._line(self._how_far())

    def _how_far(self) -> str:
        report = self.report
        if self._unit != "pictures":
            return f"{report.finished} of {report.total} {self._unit}"
        rate = report.finished / max(report.seconds, 1e-9)
        left = (report.total - report.finished) / max(rate, 1e-9) / 60
        return f"{report.finished} of {report.total}, {rate:.2f} pictures/s, {left:.0f} min left"

    def planned(self, outcome: Outcome) -> None:
        """Count and show what a run would do to a source."""
        if outcome.status == "failed":
            self.outcome(outcome)
            return
        self.report.add(outcome)
        if self.as_json:
            values = json.loads(outcome.to_json())
            click.echo(json.dumps(values | {"status": "planned", "would_be": outcome.status}))
        elif not self.quiet and outcome.status != "skipped":
            what = outcome.kind + (", kept" if outcome.status == "kept" else "")
            click.echo(escaped(f"{outcome.source} -> {outcome.target} ({what})"))

    def previewed(self, outcome: PreviewOutcome, text: str) -> None:
        """Count and show the stills of a film; text: what all of it takes."""
        self.report.add(outcome)
        if self.as_json:
            click.echo(outcome.to_json())
        elif not self.quiet:
            for path in outcome.stills:
                click.echo(escaped(str(path)))
        if not self.quiet:
            self._line(f"{outcome.source}: {text}")

    def end_of_preview(self) -> None:
        """The last line of a preview."""
        report = self.report
        if self.as_json:
            click.echo(report.to_json())
        if not self.quiet:
            parts = [f"{report.statuses['colored']:,} shown"]
            parts += [report.skipped()] if report.statuses["skipped"] else []
            failed = report.statuses["failed"]
            parts += [f"{failed:,} failed"] if failed else []
            click.echo(f"preview: {', '.join(parts)}", err=True)

    def end_of_plan(self, estimate: str) -> None:
        """The last line of a dry run, with what all of it will take."""
        report = self.report
        if self.as_json:
            click.echo(report.to_json())
        to_do = report.statuses["colored"] + report.statuses["kept"]
        parts = [f"{to_do:,} to do", report.skipped()]
        if report.statuses["failed"]:
            parts.append(f"{report.statuses['failed']:,} cannot be read")
        text = "; ".join(
            [", ".join(parts), *filter(None, [report.kinds_line(), report.pages_line(), estimate])]
        )
        start = "interrupted: " if report.interrupted else ""
        click.echo(f"dry run: {start}{text}", err=True)

    def end(self, where: str) -> None:
        """The last line."""
        if self.log is not None:
            self.log.end(self.report, where)
            self.report.unlogged = self.log.missing
        if self.as_json:
            click.echo(self.report.to_json())
        if not self.quiet:
            start = "interrupted: " if self.report.interrupted else ""
            start = start or ("stopped: " if self.report.stopped else "")
            click.echo(f"{start}{self.report.summary()}; {where}", err=True)

    def last(self, text: str) -> None:
        """A line behind the last, if there is anything to say."""
        if text and not self.quiet:
            click.echo(text, err=True)

    def _line(self, text: str) -> None:
        text = escaped(text)
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            click.echo(text, err=True)


def set_up_logging(verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("colorbatch").setLevel(level)


@contextlib.contextmanager
def interrupt_flag() -> Iterator[Callable[[], bool]]:
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
