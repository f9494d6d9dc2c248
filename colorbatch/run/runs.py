"""What a run is to those who ask for one: something that yields an outcome for each source."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

from colorbatch.errors import OutputFullError
from colorbatch.job import Outcome
from colorbatch.run.log import Log
from colorbatch.run.report import Report
from colorbatch.run.watch import Watch

IDLE = "no model was needed"


class Run(ABC):
    """A run, made while it is iterated, once: an outcome for each source as it ends.

    `report` counts them, `where` says what they were made on, `rest` what those will take that a
    sample leaves out. One source that fails stops no other. Raises ColorbatchError for what keeps
    it from beginning, and OutputFullError behind the last outcome where nothing more can be written
    (`report.stopped`). What is finished is kept: the same request goes on from there.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.report = Report(0)
        self.where, self.rest = IDLE, ""
        self._full: OutputFullError | None = None

    @abstractmethod
    def _planned(self) -> tuple[Iterator[Outcome], Log | None]:
        """What there is to do, and the log of it. Raises ColorbatchError."""

    def __iter__(self) -> Iterator[Outcome]:
        outcomes, log = self._planned()
        with log or contextlib.nullcontext():
            for outcome in outcomes:
                self.report.add(outcome)
                if log is not None:
                    log.outcome(outcome)
                yield outcome
            if log is not None:
                log.end(self.report, self.where)
                self.report.unlogged = log.missing
            if self._full is not None:
                raise self._full
