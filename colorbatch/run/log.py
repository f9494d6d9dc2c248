"""The log of a run: one line per outcome, added to a file as it comes, for people or programs.

Flows in: outcomes. It is no account that a run needs (the journal is); so a log that cannot be
written any more is said and counted, and tried again with each line, but does not stop the work.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from colorbatch.errors import TargetError, UsageError, one_line
from colorbatch.fs.atomic import make_folder, patiently, reachable
from colorbatch.job import Job, Outcome, Request
from colorbatch.run.report import Report, escaped
from colorbatch.version import __version__

logger = logging.getLogger(__name__)

MOST_WAITING = 1_000_000
"""Bytes that wait for a full disk to have room again; later lines are left out, and counted."""


class Log:
    """A log that is open. JSON lines where the name ends in .jsonl, else text with tabs between:
    time, status, source, target, kind, reason, notes. It ends with what ended the run."""

    def __init__(self, path: Path) -> None:
        """Raises TargetError where it cannot be written."""
        self.path = path
        self._as_json = path.suffix.lower() == ".jsonl"
        self._place = reachable(path)
        self._waiting: list[bytes] = []
        self._left_out = 0
        self._ended = False
        make_folder(path.parent)
        try:
            if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
                raise TargetError(f"{path}: a log cannot be a pipe")  # it would wait for a reader
            patiently(self._end_torn_line)
        except OSError as error:
            message = f"{path}: cannot write this log: {error.strerror or error}"
            raise TargetError(message) from error

    def _end_torn_line(self) -> None:
        """Open the file as lines are; one that a full disk or a kill tore ends here."""
        with self._place.open("ab+", buffering=0) as file:
            if file.seek(0, 2) and (file.seek(-1, 2), file.read(1))[1] != b"\n":
                file.write(b"\n")

    @property
    def missing(self) -> int:
        """How many lines could not be written so far."""
        return self._left_out + len(self._waiting)

    def start(
        self, program: str, count: int, sources: Sequence[str], output: str, items: str = "pictures"
    ) -> None:
        """The first line of a run. items: what the count is of."""
        start = {"program": program, items: count, "sources": sources, "output": output}
        what = f"{program}, {count:,} {items} from {', '.join(sources)}"
        self._add({"start": start}, "start", what + (f" to {output}" if output else ""))

    def outcome(self, outcome: Outcome) -> None:
        """The line of one source."""
        self._add(
            json.loads(outcome.to_json()),
            outcome.status,
            str(outcome.source),
            str(outcome.target),
            outcome.kind,
            outcome.reason,
            "; ".join(outcome.notes),
        )

    def end(self, report: Report, where: str) -> None:
        """The last line of a run that came to its end, or was interrupted."""
        start = "interrupted: " if report.interrupted else "stopped: " if report.stopped else ""
        self._add(json.loads(report.to_json()), "end", f"{start}{report.summary()}; {where}")
        self._ended = True

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error is not None and not self._ended:
            self._add({"end": one_line(error)}, "end", f"could not run: {one_line(error)}")

    def _add(self, values: dict[str, object], *cells: str) -> None:
        time = datetime.now().astimezone().isoformat(timespec="milliseconds")
        if self._as_json:
            line = json.dumps({"time": time} | values)
        else:
            line = "\t".join([time, *map(escaped, cells)])
        if sum(map(len, self._waiting)) > MOST_WAITING:
            self._left_out += 1
        else:
            self._waiting.append(f"{line}\n".encode())
        self._write()

    def _write(self) -> None:
        """Bring what waits to the file; a line of which a part was written waits with the rest."""
        troubled = self.missing > 1
        try:
            with self._place.open("ab", buffering=0) as file:
                while self._waiting:
                    rest = self._waiting[0][file.write(self._waiting[0]) :]
                    self._waiting[:1] = [rest] if rest else []
        except OSError as error:
            if not troubled:
                reason = error.strerror or error
                logger.warning("%s: cannot write the log: %s; work goes on", self.path, reason)


def open_log(
    request: Request,
    jobs: Sequence[Job],
    folders: Sequence[Path],
    names: Mapping[str, str],
    items: str = "pictures",
) -> Log:
    """The log that a request asks for, with its first line. folders: of sources; names: suffixes of
    files that no log may replace -> what these are called; items: what there is a line for each of.
    Raises UsageError, TargetError."""
    assert request.log is not None
    if request.listed_as and not folders:
        folders = sorted({job.source.parent for job in jobs})
    listed_in = Path(request.listed_as) if request.listed_as not in ("", "-") else None
    refuse_log(request.log, jobs, folders, request.output, names, listed_in)
    log = Log(request.log)
    sources = [str(source) for source in request.sources]
    sources += [request.listed_as] if request.listed_as else []
    output = str(request.output or "")
    log.start(f"colorbatch {__version__}", len(jobs), sources, output, items)
    return log


def refuse_log(
    path: Path,
    jobs: Sequence[Job],
    folders: Sequence[Path],
    output: Path | None,
    names: Mapping[str, str],
    listed_in: Path | None = None,
) -> None:
    """Raise UsageError for a log that is a source, a result, a picture of any sort or the list of
    the sources, or that lies in a source folder. names: as of `open_log`; listed_in: that list,
    where there is one."""
    real = Path(os.path.realpath(path))
    if output is None or not real.is_relative_to(os.path.realpath(output)):
        for folder in folders:
            if real.is_relative_to(os.path.realpath(folder)):
                raise UsageError(f"--log {path}: it lies in {folder}; sources are never written to")
    if listed_in is not None and os.path.realpath(listed_in) == str(real):
        raise UsageError(f"--log {path}: this is the list of the sources")
    for job in jobs:
        for other in (job.source, job.target):
            if other.name == real.name and os.path.realpath(other) == str(real):
                raise UsageError(f"--log {path}: this is the name of a source or of a result")
    what = names.get(path.suffix.lower())
    if what is not None and os.path.lexists(reachable(path)):
        raise UsageError(f"--log {path}: this file has the name of a {what}, and is there already")
