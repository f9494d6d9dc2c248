"""How far one film is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import click

from colorbatch.run.report import escaped
from colorbatch.run.watch import Unit

NO_TERMINAL_INTERVAL = 60.0
"""Seconds between progress lines where stderr is not a terminal."""


class Progress:
    """Told how far each stage of the work on a film is; a context manager. now: seconds of a
    clock."""

    def __init__(
        self,
        name: str,
        *,
        quiet: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._quiet, self._now = name, quiet or sys.stderr is None, now
        self._bar: Any = None

    def stage(self, what: str, total: int | None, unit: Unit = "frame") -> Callable[[int], None]:
        """The next stage of the work, and who is to be told how many frames or bytes are done more;
        what: in words, "" for the making itself."""
        self._close()
        self._what, self._unit = f"{what}: " if what else "", unit
        self._total, self._found, self._more = total, 0, 0
        self._started = self._said = self._now()
        if not self._quiet and sys.stderr.isatty():
            from tqdm import tqdm

            desc = escaped(f"{self._name}: {what}" if what else self._name)
            self._bar = tqdm(total=total, unit=unit, unit_scale=unit == "B", desc=desc)
        return self.more

    def found(self, count: int) -> None:
        """So many were done before this run, and have no part in its rate."""
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
        text = f"{self._what}{done:,} frames, {rate:.1f} frames/s"
        if self._unit == "B":
            from colorbatch.formats.sizes import in_words

            text = f"{self._what}{in_words(done)}, {in_words(rate)}/s"
        if self._total and rate:
            text += f", {max(0, self._total - done) / rate / 60:.0f} min left"
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
