"""What became of every source: `Outcome` for one, `Report` for all. Counts and owns the exit code.

Memory does not grow with the number of sources: outcomes are handed on as they come, and only
counted here.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from colorbatch.errors import ExitCode

Status = Literal["colored", "kept", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """The end of one source.

    colored: the target was written; kept: it was in color already, and copied; skipped: nothing
    was to be done, `reason` says why; failed: `reason` says why. `kind` is grey, toned or color.
    """

    source: Path
    target: Path
    status: Status
    reason: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()
    outdated: bool = False
    """Whether it was skipped though another result would be made now; `-y` does."""

    def to_json(self) -> str:
        """One line of JSON."""
        values = {
            "source": str(self.source),
            "target": str(self.target),
            "status": self.status,
            "kind": self.kind or None,
            "reason": self.reason or None,
            "notes": list(self.notes),
        }
        return json.dumps(values, ensure_ascii=True)


@dataclass
class Report:
    """Counts of a batch; a true account at any moment."""

    total: int
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    noted: int = 0
    """How many outcomes say that something could not be kept."""
    outdated: int = 0
    """How many were skipped that `-y` would do again."""
    made_by: dict[str, object] = field(default_factory=dict)
    """What made the color: program, model and its hash, device, settings."""
    interrupted: bool = False
    stopped: bool = False
    """Whether the batch ended because nothing could be written any more."""
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.kind:
            self.kinds[outcome.kind] += 1
        self.noted += bool(outcome.notes)
        self.outdated += outcome.outdated
        if outcome.status == "skipped":
            self.reasons[outcome.reason] += 1

    @property
    def finished(self) -> int:
        """How many sources have ended."""
        return self.statuses.total()

    @property
    def seconds(self) -> float:
        """Time since the batch began."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> ExitCode:
        """What the process should return."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.stopped:
            return ExitCode.COULD_NOT_RUN
        return ExitCode.SOME_FAILED if self.statuses["failed"] else ExitCode.DONE

    def skipped(self) -> str:
        """How many were skipped and why: `12 skipped (8 finished, 4 source changed since; ...)`."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
        these = "this" if self.outdated == 1 else f"these {self.outdated}"
        again = f"; -y redoes {these}" if self.outdated else ""
        return f"{self.statuses['skipped']} skipped" + (f" ({reasons}{again})" if reasons else "")

    def summary(self) -> str:
        """One line: what was done, to what, and how long it took."""
        parts = [f"{self.statuses['colored']} colored"]
        for status in ("kept", "skipped", "failed"):
            if self.statuses[status]:
                parts.append(
                    self.skipped() if status == "skipped" else f"{self.statuses[status]} {status}"
                )
        if left := self.total - self.finished:
            parts.append(f"{left} not begun")
        text = ", ".join(parts)
        if self.kinds:
            text += "; " + ", ".join(
                f"{self.kinds[kind]} {kind}"
                for kind in ("grey", "toned", "color")
                if self.kinds[kind]
            )
            if self.statuses["kept"]:
                text += " (kept; --on-color colorize)"
        if self.noted:
            text += f"; {self.noted} with notes (-v or --json shows them)"
        return f"{text}; {_duration(self.seconds)}"

    def to_json(self) -> str:
        """The summary as one line of JSON."""
        return json.dumps(
            {
                "summary": {
                    "total": self.total,
                    **{
                        name: self.statuses[name]
                        for name in ("colored", "kept", "skipped", "failed")
                    },
                    "skipped_because": dict(self.reasons),
                    "outdated": self.outdated,
                    "kinds": dict(self.kinds),
                    "noted": self.noted,
                    "made_by": self.made_by or None,
                    "interrupted": self.interrupted,
                    "stopped": self.stopped,
                    "seconds": round(self.seconds, 3),
                    "exit_code": int(self.exit_code),
                }
            }
        )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
