"""What became of every source: `Outcome` for one, `Report` for all. Counts and owns the exit code.

Memory does not grow with the number of sources: outcomes are handed on as they come, and only
counted here.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from colorbatch.errors import ExitCode
from colorbatch.job import FilmOutcome, Outcome

GOES_ON = "the same command goes on from there"
TONES = ("toned", "tinted")
SHOT_KINDS = ("grey", *TONES, "color", "title")
UNCOLORED = {"keep": "kept", "grey": "neutral"}
"""What was done with a shot that was not colored -> in words."""


@dataclass
class Report:
    """Counts of a batch; a true account at any moment."""

    total: int
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    fates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of a kind ended in a status."""
    reasons: Counter[str] = field(default_factory=Counter)
    shots: dict[str, Counter[str]] = field(default_factory=dict)
    """Kind of the shots of films -> what was done -> with how many."""
    pages: int = 0
    """How many pictures the colored and kept files hold."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """How many pictures of other formats lay in the folders, by suffix."""
    noted: int = 0
    """How many outcomes say that something could not be kept."""
    outdated: int = 0
    """How many were skipped that `-y` would do again."""
    made_by: dict[str, object] = field(default_factory=dict)
    """What made the color: program, model and its hash, device, settings."""
    estimate: dict[str, object] = field(default_factory=dict)
    """Expected space and time, of what the batch is, or of what a sample leaves."""
    dry_run: bool = False
    preview: bool = False
    """Whether what would be colored was only shown."""
    interrupted: bool = False
    stopped: bool = False
    """Whether the batch ended because nothing could be written any more."""
    unlogged: int = 0
    """How many lines the log lacks that was asked for."""
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.kind:
            self.kinds[outcome.kind] += 1
            self.fates[outcome.kind, outcome.status] += 1
        if outcome.status in ("colored", "kept"):
            self.pages += outcome.pages
        for kind, done in outcome.shots.items() if isinstance(outcome, FilmOutcome) else ():
            self.shots.setdefault(kind, Counter()).update(done)
        self.noted += bool(outcome.notes)
        self.outdated += outcome.outdated
        if outcome.status == "skipped":
            self.reasons[outcome.reason] += 1

    @property
    def finished(self) -> int:
        """How many sources have ended."""
        return self.statuses.total() - self.statuses["unfinished"]

    @property
    def seconds(self) -> float:
        """Time since the batch began."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> ExitCode:
        """What the process should return."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.stopped or self.unlogged:
            return ExitCode.COULD_NOT_RUN
        return ExitCode.SOME_FAILED if self.statuses["failed"] else ExitCode.DONE

    def skipped(self) -> str:
        """How many were skipped and why: `12 skipped (8 finished, 4 source changed since; ...)`."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        these = "this" if self.outdated == 1 else f"these {self.outdated:,}"
        again = f"; -y redoes {these}" if self.outdated else ""
        return f"{self.statuses['skipped']:,} skipped" + (f" ({reasons}{again})" if reasons else "")

    def summary(self) -> str:
        """One line: what was done, to what, and how long it took."""
        parts = [f"{self.statuses['colored']:,} colored"]
        for status in ("kept", "skipped", "failed", "unfinished"):
            if self.statuses[status]:
                some = f"{self.statuses[status]:,} {status}"
                parts.append(self.skipped() if status == "skipped" else some)
        if left := self.total - self.statuses.total():
            parts.append(f"{left:,} not begun")
        text = ", ".join(parts)
        if self.kinds:
            text += f"; {self.kinds_line()}"
        if self.shots:
            text += f"; {self.shots_line()}"
        if self.pages_line():
            text += f"; {self.pages_line()}"
        if self.noted:
            text += f"; {self.noted} with notes (-v or --json shows them)"
        if self.passed_over:
            text += f"; {self.passed_over_line()}"
        if self.unlogged:
            text += f"; the log lacks {counted(self.unlogged, 'line')}"
        return f"{text}; {duration(self.seconds)}"

    def kinds_line(self) -> str:
        """How many are grey, toned and in color; of those not colored, the option that does it."""
        parts = []
        for kind in ("grey", "toned", "color"):
            if not (count := self.kinds[kind]):
                continue
            left = []
            for status in ("kept", "skipped"):
                if some := self.fates[kind, status]:
                    left.append(status if some == count else f"{some:,} {status}")
            remark = f" ({', '.join(left)}; --on-{kind} colorize)" if left else ""
            parts.append(f"{count:,} {kind}{remark}")
        return ", ".join(parts)

    def shots_line(self) -> str:
        """How many shots there are of each kind, what was done with those that were not colored,
        and the option that does otherwise."""
        parts = []
        for kind in SHOT_KINDS:
            if not (count := self.shots.get(kind, Counter()).total()):
                continue
            remarks = [
                word if some == count else f"{some:,} {word}"
                for action, word in UNCOLORED.items()
                if (some := self.shots[kind][action])
            ]
            option = "color" if kind == "color" else "toned" if kind in TONES else ""
            if option and self.shots[kind]["keep"]:
                remarks.append(f"--on-{option} colorize")
            elif kind in TONES and self.shots[kind]["color"]:
                remarks.append("--on-toned keep leaves them")
            remark = f" ({'; '.join(remarks)})" if remarks else ""
            parts.append(f"{count:,} {kind}{remark}")
        return f"shots: {', '.join(parts)}"

    def pages_line(self) -> str:
        """How many pages there are in how many files; nothing where each file has one."""
        written = self.statuses["colored"] + self.statuses["kept"]
        if self.pages <= written:
            return ""
        return f"{counted(self.pages, 'page')} in {counted(written, 'file')}"

    def passed_over_line(self) -> str:
        """How many pictures were passed over, since their formats are not read."""
        each = ", ".join(f"{count:,} {name}" for name, count in self.passed_over.most_common(6))
        more = " and others" if len(self.passed_over) > 6 else ""
        return f"{self.passed_over.total():,} passed over ({each}{more}: not read)"

    def to_json(self) -> str:
        """The summary as one line of JSON."""
        return json.dumps(
            {
                "summary": {
                    "total": self.total,
                    **{
                        name: self.statuses[name]
                        for name in ("colored", "kept", "skipped", "failed", "unfinished")
                    },
                    "skipped_because": dict(self.reasons),
                    "outdated": self.outdated,
                    "kinds": dict(self.kinds),
                    "shots": {kind: dict(done) for kind, done in self.shots.items()} or None,
                    "pages": self.pages,
                    "noted": self.noted,
                    "passed_over": dict(self.passed_over),
                    "made_by": self.made_by or None,
                    "estimate": self.estimate or None,
                    "dry_run": self.dry_run,
                    "preview": self.preview,
                    "interrupted": self.interrupted,
                    "stopped": self.stopped,
                    "unlogged": self.unlogged,
                    "seconds": round(self.seconds, 3),
                    "exit_code": int(self.exit_code),
                }
            }
        )


def counted(count: int, noun: str) -> str:
    """`1 page`, `1,200 pages`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def escaped(text: str) -> str:
    """The text on one line: names may hold line breaks and what a terminal obeys."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def duration(seconds: float) -> str:
    """In words: `12.3 s`, `4 min 05 s`, `3 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
