"""How far one film is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import click

from colorbatch.cli.showing import NO_TERMINAL_INTERVAL
from colorbatch.report import escaped


class Progress:
    """Told how many frames are done more, and how many were there before; a context manager. The
    rate and the time left are this run's own. now: seconds of a clock."""

    def __init__(
        self,
        name: str,
        total: int | None,
        *,
        quiet: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._quiet, self._now = name, quiet or sys.stderr is None, now
        self._bar: Any = None
        self._begin(total)

    def _begin(self, total: int | None) -> None:
        self._total, self._found, self._more = total, 0, 0
        self._started = self._said = self._now()
        if not self._quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="frame", desc=escaped(self._name))

    def found(self, count: int) -> None:
        """So many were done before this run."""
        self._found += count
        self._started = self._now()
        if self._bar is not None:
            self._bar.initial += count  # tqdm leaves it out of the rate
            self._bar.n += count
            self._bar.refresh()

    def more(self, count: int) -> None:
        """So many are done more."""
        self._more += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = self._now()
        if not self._quiet and now - self._said >= NO_TERMINAL_INTERVAL:
            self._said = now
            click.echo(escaped(f"{self._name}: {self._line(now)}"), err=True)

    def _line(self, now: float) -> str:
        done, rate = self._found + self._more, self._more / max(now - self._started, 1e-9)
        text = f"{done:,} frames, {rate:.1f} frames/s"
        if self._total and rate:
            text += f", {max(0, self._total - done) / rate / 60:.0f} min left"
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
