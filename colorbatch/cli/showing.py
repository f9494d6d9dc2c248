"""How a batch is shown: progress, outcomes as they come, JSON lines, the last line."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from colorbatch.errors import ExitCode, OutputFullError
from colorbatch.job import Outcome, PreviewOutcome
from colorbatch.run.report import Report, escaped
from colorbatch.run.watch import Unit

if TYPE_CHECKING:
    from colorbatch.run.runs import Run

NO_TERMINAL_INTERVAL = 60.0
"""Seconds between progress lines where stderr is not a terminal."""


class Shower:
    """Shows a run on the terminal: it watches it (`colorbatch.run.watch.Watch`), and is given its
    outcomes as they come: progress, failures, JSON lines, the summary. Progress is a bar on a
    terminal, a line a minute elsewhere. The first Ctrl-C behind `begun` asks the work to end
    cleanly, a second one ends it at once; neither keeps the account from being told."""

    def __init__(
        self,
        *,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        films: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """films: whether sources are of no one length, so that each has its own progress. now:
        seconds of a clock."""
        self.as_json, self.quiet, self.verbose, self._films = as_json, quiet, verbose, films
        self._now = now
        self._said = {"stage": now(), "sources": now()}
        self._bar: Any = None
        self._caught, self._over = 0, False
        self._held = contextlib.ExitStack()
        self._report: Report | None = None
        self._more: Callable[[int], None] = lambda count: None  # of pictures, once they are begun

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
            except KeyboardInterrupt:  # the same, between the work and here
                if not self._caught:
                    raise
                report.interrupted = True
            except OutputFullError as error:
                if not report.stopped:
                    raise
                full = error
            self._close()
            self._over = True
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
            if self._caught and not self._over:
                raise KeyboardInterrupt
            self._caught += 1

        def give_back() -> None:  # after Ctrl-C nothing is left to do but to end with its exit code
            signal.signal(signal.SIGINT, signal.SIG_IGN if self._caught else previous)

        previous = signal.signal(signal.SIGINT, catch)
        self._held.callback(give_back)
        if not self._films:
            foreseen = self._report is not None and self._report.dry_run  # prints a line for each
            self._more = self._begin("", total, "picture", bar=not foreseen)
            self.found(finished)

    def stage(self, what: str, total: int | None, unit: Unit = "frame") -> Callable[[int], None]:
        return self._begin(what, total, unit)

    def found(self, count: int) -> None:
        self._there += count
        self._started = self._now()
        if self._bar is not None:
            self._bar.initial += count  # tqdm leaves it out of the rate
            self._bar.n += count
            self._bar.refresh()

    # --- how far it is ---

    def _begin(
        self, what: str, total: int | None, unit: Unit, *, bar: bool = True
    ) -> Callable[[int], None]:
        """Show the next stage; returns who is to be told how many are done more."""
        self._close()
        self._what, self._total, self._unit = f"{what}: " if what else "", total, unit
        self._there, self._done = 0, 0
        self._started = self._said["stage"] = self._now()
        if bar and not self.quiet and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            desc = escaped(what) or None
            self._bar = tqdm(total=total, unit=unit, unit_scale=unit == "B", desc=desc)
            self._held.callback(self._close)
        return self._count

    def _count(self, more: int) -> None:
        self._done += more
        if self._bar is not None:
            self._bar.update(more)
        else:
            self._each_minute("stage", self._how_far)

    def _each_minute(self, what: str, text: Callable[[], str]) -> None:
        if not self.quiet and self._now() - self._said[what] >= NO_TERMINAL_INTERVAL:
            self._said[what] = self._now()
            self._line(text())

    def _how_far(self) -> str:
        """`reel: 100,060 of 130,000 frames, 1.0 frames/s, 499 min left`; what was found has no part
        in the rate."""
        rate = self._done / max(self._now() - self._started, 1e-9)
        of = f" of {self._amount(self._total)}" if self._total else ""
        each = self._amount(rate) if self._unit == "B" else f"{rate:.2f} {self._unit}s"
        unit = "" if self._unit == "B" else f" {self._unit}s"
        text = f"{self._what}{self._amount(self._there + self._done)}{of}{unit}, {each}/s"
        if self._total and rate:
            left = max(0, self._total - self._there - self._done) / rate
            text += f", {left / 60:.0f} min left"
        return text

    def _amount(self, count: int | float) -> str:
        if self._unit != "B":
            return f"{count:,}"
        from colorbatch.run.estimate import in_words

        return in_words(count)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    # --- outcomes ---

    def _outcome(self, outcome: Outcome, report: Report) -> None:
        if self._films:  # its stages are over
            self._close()
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
        self._more(1)
        if self._films:
            self._each_minute("sources", lambda: f"{report.finished} of {report.total} films")

    def _previewed(self, outcome: PreviewOutcome) -> None:
        listed = () if outcome.shot_list is None else (outcome.shot_list,)
        for path in () if self.as_json or self.quiet else (*outcome.stills, *listed):
            click.echo(escaped(str(path)))
        self.say(f"{outcome.source}: {outcome.plan}")

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
