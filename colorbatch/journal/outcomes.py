"""What the journals of a folder of results tell: the last `Outcome` of everything in it.

Flows in: a folder. Flows out: outcomes as runs yielded them, of pictures, films, sequences and
single frames, failures among them; what versions before the first `outcome` line wrote is told as
far as it goes. Nothing is locked, and no result is read but one that a kill left unconfirmed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from colorbatch.fs import atomic
from colorbatch.job import OUTCOMES, FilmOutcome, Outcome, Status, outcome_of, part_of_model
from colorbatch.journal.append_log import FOLDER, values_of
from colorbatch.journal.records import Record, is_file, made_by_of

STATUS: Mapping[str, Status] = {
    "colored": "colored", "kept": "kept", "copied": "kept", "skipped": "skipped"
}  # fmt: skip
"""How a record says that a source ended -> as outcomes do."""


def outcomes_in(folder: str | Path) -> Iterator[Outcome]:
    """The last outcome of each source whose results this folder keeps the account of, sorted by
    their targets: what a page of results, or of failures, is made from.

        for outcome in outcomes_in("colored"):
            if outcome.status == "failed":
                print(outcome.source, outcome.reason)

    Raises ColorbatchError for a journal of a later version."""
    folder = Path(folder)
    place = atomic.reachable(folder / FOLDER, room=40)
    told: dict[str, tuple[str, Outcome]] = {}
    for path in sorted(place.glob("journal*.jsonl")):
        for at, outcome in _of_results(path, folder):
            _keep(told, at, outcome)
    for path in sorted((place / "films").rglob("journal.jsonl")):
        below = path.parent.relative_to(place / "films")
        for at, outcome in _of_clip(path, folder, folder / below):
            _keep(told, at, outcome)
    for target in sorted(told):
        yield told[target][1]


def _keep(told: dict[str, tuple[str, Outcome]], at: str, outcome: Outcome) -> None:
    before = told.get(str(outcome.target))
    if before is None or before[0] <= at:
        told[str(outcome.target)] = at, outcome


def _of_results(path: Path, home: Path) -> Iterator[tuple[str, Outcome]]:
    """Time and outcome of what one journal of pictures or frames tells."""
    runs: dict[str, Mapping[str, Any]] = {}
    named: dict[str, Record] = {}
    for values in values_of(path):
        state = values.get("state")
        if state == "run":
            runs[str(values.get("run"))] = made_by_of(values)
        elif state == "named" and (record := Record.from_line(values)):
            named[record.target] = record
        elif state == "finished":
            target = str(values.get("target"))
            found = named.pop(target, None) if len(values) == 2 else Record.from_line(values)
            if found is not None:
                yield found.at, _of_record(found, home, runs)
        elif state == "outcome":
            yield from _of_line(values, home, runs)
    for record in named.values():
        if is_file(home / record.target, record):
            yield record.at, _of_record(record, home, runs)


def _of_clip(path: Path, home: Path, target: Path) -> Iterator[tuple[str, Outcome]]:
    """The same of one film's journal; of what has no `outcome` line, its `finished` line."""
    source = target
    for values in values_of(path):
        state = values.get("state")
        # a line of other values than ours tells nothing
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if state == "film":
                source = Path(values["source"])
            elif state == "finished":
                yield "", _of_finish(values, source, target)
        if state == "outcome":
            yield from _of_line(values, home, {})


def _of_record(record: Record, home: Path, runs: Mapping[str, Mapping[str, Any]]) -> Outcome:
    made = record.made
    status = STATUS.get(made.outcome, "skipped")
    return OUTCOMES.get(made.what, Outcome)(
        _path(home, record.source),
        home / record.target,
        status,
        made.reason,
        made.kind,
        made.notes,
        made.pages,
        seconds=made.seconds,
        source_sha256=made.source_sha256,
        target_sha256=record.target_sha256,
        made_by=part_of_model(runs.get(made.run, {}), status),
    )


def _of_finish(values: dict[str, Any], source: Path, target: Path) -> Outcome:
    return FilmOutcome(
        source,
        target,
        "colored",
        notes=tuple(values.get("notes", ())),
        frames=int(values["frames"]),
        corrupt=int(values["corrupt"]),
        source_sha256=str(values["source_sha256"]),
        target_sha256=str(values["sha256"]),
    )


def _of_line(
    values: dict[str, Any], home: Path, runs: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Outcome]]:
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        made_by = {**runs.get(values.get("run", ""), {}), **values.get("made_by", {})}
        outcome = outcome_of({**values, "made_by": made_by})
        source = _path(home, str(outcome.source))
        placed = dataclasses.replace(outcome, source=source, target=home / outcome.target)
        yield str(values["at"]), placed


def _path(home: Path, place: str) -> Path:
    """A source, which is named relative to its home where that is possible."""
    return Path(os.path.normpath(home / place))
