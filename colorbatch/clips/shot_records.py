"""The list of a film's shots as lines of its journal, and back: `shot`, `shown`, `shots`, `dense`.

What they mean is said in `film_journal`. Plain values; no files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_list import Mark, Passed, Shown
from colorbatch.journal.records import line_of

DENSE = line_of({"state": "dense"})


def of_mark(number: int, mark: Mark) -> bytes:
    """The begin of a shot or segment; number: its place in the list."""
    return line_of({"state": "shot", "number": number, **dataclasses.asdict(mark)})


def of_shown(number: int, shown: Shown) -> bytes:
    """What is known of a shot. number: the place of its first mark."""
    kind = dataclasses.asdict(shown.kind)
    more = {name: getattr(shown, name) for name in ("frame", "count", "begin", "steps")}
    return line_of({"state": "shown", "number": number, **kind, **more})


def of_passed(count: int, passed: Passed) -> bytes:
    """That the list, of so many marks, is complete."""
    return line_of({"state": "shots", "count": count, **dataclasses.asdict(passed)})


def of_list(
    dense: bool, marks: Sequence[Mark], shown: Mapping[int, Shown], passed: Passed
) -> bytes:
    """All lines of a list that is complete."""
    lines = [DENSE] if dense else []
    lines += [of_mark(*each) for each in enumerate(marks)]
    lines += [of_shown(*each) for each in sorted(shown.items())]
    return b"".join((*lines, of_passed(len(marks), passed)))


def shown_of(values: Mapping[str, Any]) -> Shown:
    """What a line tells of a shot. Raises KeyError, TypeError, ValueError for none of ours."""
    kind = ShotKind(values["kind"], values["plain"])
    frame, count, begin = (int(values[name]) for name in ("frame", "count", "begin"))
    return Shown(kind, frame, count, begin, str(values["steps"]))
