"""What one line of a journal says, and whether it still holds: pure values, no journal files.

Flows in: a job, what is recorded of its target, what would make it now. Flows out: why it need not
be done, and whether its result is outdated.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from colorbatch.fs.atomic import reachable, sha256
from colorbatch.job import Job, Outcome

FINISHED = "finished"
OTHER_SETTINGS = "made with other settings"
OTHER_MODEL = "made by another model"
SOURCE_CHANGED = "source changed since"
RESULT_CHANGED = "result changed since"
NOT_OURS = "there already, not in the journal"
EXISTS = "there already"


@dataclass(frozen=True, slots=True)
class Made:
    """What a result is made from: its source as it was before it was read, and with what."""

    source_size: int
    source_mtime_ns: int
    settings: str
    """A digest of the settings that had a part in it."""
    model: str
    """SHA-256 of the model file; empty where the model had no part in it."""
    outcome: str
    kind: str = ""
    reason: str = ""
    source_sha256: str = ""
    what: str = "still"
    """Its class, `Outcome.what`."""
    notes: tuple[str, ...] = ()
    pages: int = 1
    seconds: float = 0.0
    run: str = ""
    """The journal's name for the run that made it, whose `run` line says with what."""


@dataclass(frozen=True, slots=True)
class Record:
    """A full line. `target` is `Job.place`; `source` is relative to the journal's home where that
    is possible. For skipped sources, which have no file, size and hash are 0 and ''."""

    target: str
    target_size: int
    target_sha256: str
    source: str
    at: str
    """Time in UTC, ISO 8601."""
    made: Made

    def to_line(self, state: str) -> bytes:
        """The line, as bytes that end with a line break."""
        own = {name: getattr(self, name) for name in _OWN}
        made = {name: getattr(self.made, name) for name in _MADE}
        what = made.pop("what")
        told = {name: made[name] for name in made if made[name] != _NEWER.get(name)}
        return line_of({"state": state, "class": what, **told, **own})

    @classmethod
    def from_line(cls, values: dict[str, Any]) -> Record | None:
        """The same from a line's values; None where one is missing or of another type."""
        values = {**_NEWER, **values}
        if type(values["notes"]) is not list and values["notes"]:
            return None
        values["what"] = values.get("class", "still")
        values["notes"] = tuple(values["notes"])
        if not all(type(values.get(name)) is kind for name, kind in _TYPES.items()):
            return None
        own, made = ({name: values[name] for name in names} for names in (_OWN, _MADE))
        return cls(**own, made=Made(**made))


_OWN, _MADE = (
    tuple(field.name for field in dataclasses.fields(kind) if field.name != "made")
    for kind in (Record, Made)
)
_NUMBERS = {"target_size", "source_size", "source_mtime_ns", "pages"}
_NEWER: dict[str, Any] = {
    "source_sha256": "", "notes": (), "pages": 1, "seconds": 0.0, "run": ""
}  # fmt: skip
"""What lines of before lack, and others where it is nothing."""
_TYPES = {
    **{name: int if name in _NUMBERS else str for name in (*_OWN, *_MADE)},
    "notes": tuple,
    "seconds": float,
}


def record_of(job: Job, made: Made, size: int, digest: str) -> Record:
    assert job.home is not None
    return Record(job.place, size, digest, source_of(job), now(), made)


def line_of(values: dict[str, object]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def outcome_line(
    outcome: Outcome, job: Job, run: str = "", made_by: Mapping[str, object] | None = None
) -> bytes:
    """The line of an end that leaves no result, or that of a whole clip: `Outcome.values`, with
    places as in a `Record`. run: as of `Made`; made_by: what its line says, which is not told once
    more."""
    values = outcome.values()
    values |= {"target": job.place, "source": source_of(job), "run": run, "at": now()}
    said = made_by or {}
    values["made_by"] = {
        name: value for name, value in outcome.made_by.items() if said.get(name) != value
    }
    told = {name: value for name, value in values.items() if value not in (None, "", [], {}, False)}
    return line_of({"state": "outcome", **told})


def made_by_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """With what a run made results (`Outcome.made_by`), from its line."""
    return {name: value for name, value in run.items() if name not in ("state", "run", "at")}


def source_of(job: Job) -> str:
    """A job's source, relative to its home where that is possible."""
    try:
        return Path(os.path.relpath(job.source, job.home or job.target.parent)).as_posix()
    except ValueError:  # another drive
        return job.source.as_posix()


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def source_stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; (-1, 0) for what cannot be asked."""
    try:
        status = reachable(path).stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def verdict(
    job: Job,
    record: Record | None,
    settings: Callable[[Made], str],
    model: Callable[[], str],
    *,
    older: Record | None = None,
    replace: bool = False,
) -> tuple[str, bool]:
    """Why a job need not be done, and whether its result is outdated; ('', False) if it is to do.

    `settings` says which digest a result of the record's kind would have now, `model` the SHA-256
    of the model. `older`: what is known of the target's file where the record says that its source
    was skipped later. With `replace` outdated results are about to be written over, and are read to
    see that they are the very files that the journal tells of; otherwise their size decides.
    """
    there = _size(job.target) or None
    if job.home is None:  # the one file that the user named
        return (EXISTS, True) if there else ("", False)
    if record is None:
        return judged(there, None, str)
    made = record.made

    def why() -> str:
        return stale(
            _same_source(made, job.source),
            lambda: not made.model or made.model == model(),
            lambda: made.settings == settings(made),
        )

    if made.outcome == "skipped":
        if why():
            return verdict(job, older, settings, model, replace=replace)
        return made.reason, False
    reason, outdated = judged(there, record.target_size, why)
    if outdated and replace and not is_file(job.target, record):
        return RESULT_CHANGED, False
    return reason, outdated


def judged(size: int | None, recorded: int | None, changed: Callable[[], str]) -> tuple[str, bool]:
    """Why a result need not be made, and whether it is outdated; ('', False) if it is to make. The
    one rule for pictures, films and frames.

    size: bytes of the file that has the target's name, None without one; recorded: of the one that
    the journal knows, None where it knows none; changed: see `stale`, asked where it matters.
    """
    if size is None:
        return "", False
    if recorded is None:
        return NOT_OURS, False
    if size != recorded:
        return RESULT_CHANGED, False
    why = changed()
    return why or FINISHED, bool(why)


def stale(
    same_source: bool, same_model: Callable[[], bool], same_settings: Callable[[], bool]
) -> str:
    """What of that which a result was made of, and with, is another now; "" for nothing. The source
    comes before the model, the model before the settings."""
    if not same_source:
        return SOURCE_CHANGED
    if not same_model():
        return OTHER_MODEL
    return "" if same_settings() else OTHER_SETTINGS


def _same_source(made: Made, path: Path) -> bool:
    """Whether a source is as it was. Times count in microseconds, because systems show those of a
    share more or less finely; a source that cannot be asked counts as unchanged."""
    size, mtime_ns = source_stamp(path)
    return size < 0 or (size, mtime_ns // 1000) == (made.source_size, made.source_mtime_ns // 1000)


def _size(path: Path) -> int:
    """A file's size; 0 where there is none. What cannot be asked fails when it is written."""
    path = reachable(path)
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def is_file(path: Path, record: Record) -> bool:
    """Whether a file is the one that a record tells of, by its content."""
    if not record.target_size or _size(path) != record.target_size:
        return False
    try:
        return sha256(path) == record.target_sha256
    except OSError:
        return False
