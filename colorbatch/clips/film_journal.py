"""The account of one film: what is being made of which source and how, and its finished segments.

A film's folder (`.colorbatch/films/NAME` below the output) holds its segments and `journal.jsonl`,
to which lines are only added: `film` (source, settings, model), `shot` for the begin of each shot
and segment, `shown` for what is known of a shot at its end, and `shots` when all of them are known,
`looks` for what is done with them, `segment` for each that is on the disk under its name, in any
order, `read` when all are, `joined` with the hash of the whole film, `finished` with that of its
source as well, when it is about to bear the target's name. `sheet` is a list of its shots that is
written beside it; `again` when some shots of a finished film are to be made otherwise, and the rest
is taken back (`film_again`). `outcome`, when a run's work on it has ended, well or not, is for who
looks back, and plays no part in what is left to do. A kill at any instant leaves a prefix of that,
and a torn last line is ignored. Knows no pixels.

Numbered frames that stay frames have such an account of their shots (`numbered_shots`), with
`broken` and `mended` for frames that could not be seen, and can be again; their results are in the
output's journal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from colorbatch.clips import shot_records
from colorbatch.clips.shot_list import Mark, Passed, Shown
from colorbatch.errors import ColorbatchError, LockedError, OutputFullError, SourceError
from colorbatch.ffmpeg import Segment
from colorbatch.fs import atomic
from colorbatch.fs.locks import FolderLock
from colorbatch.job import Job, Outcome
from colorbatch.journal.append_log import FOLDER
from colorbatch.journal.records import line_of, outcome_line, source_stamp

VERSION = 3
"""The first version found the borders of segments while it went, the second one did not know what
kind each shot is; what they have begun cannot be gone on with, what they have finished is as good
as ever."""
JOURNAL, LOCK = "journal.jsonl", "film"
SAMPLE = 4 << 20
"""Bytes at the begin, middle and end of a source by which it is known again."""


@dataclass(frozen=True)
class Head:
    """What a film is made from, and with what. sample: SHA-256 of the source's SAMPLEs; settings:
    `FilmPlan.digest`; model: SHA-256 of its file; library: what encodes."""

    source: str
    size: int
    mtime_ns: int
    sample: str
    settings: str
    model: str
    library: str

    @property
    def identity(self) -> tuple[int, int, str]:
        """The source's. Times count in microseconds, because shares show them more or less
        finely."""
        return self.size, self.mtime_ns // 1000, self.sample

    def is_as(self, other: Head) -> bool:
        """Whether segments of one go into the film of the other; names have no part in that."""
        with_what = self.settings, self.model, self.library
        return with_what == (other.settings, other.model, other.library) and (
            self.identity == other.identity
        )


@dataclass(frozen=True)
class Part:
    """A finished segment. number: its place among all; size, sha256: of its file; corrupt: damaged
    frames; lost: undecodable pictures before the first one; cut_off: why the source ends in it, ""
    if it does not; told: what frames' notes say -> the ticks of these frames; seen: what frames
    carry (`Frame.beside`, and `Frame.fields`) -> how many of them; handed_on: SHA-256 of the file
    with what the next segment of the same shot goes on from, "" without; recipe: `Span.recipe`."""

    number: int
    segment: Segment
    size: int
    sha256: str
    corrupt: int = 0
    lost: int = 0
    cut_off: str = ""
    told: Mapping[str, Sequence[int]] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    handed_on: str = ""
    recipe: str = ""


@dataclass(frozen=True)
class Joined:
    """A complete film beside its segments, before its source is hashed. notes: on how it was
    joined."""

    size: int
    sha256: str
    frames: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finish:
    """What has, or is about to have, the target's name. notes: on how it was joined; looks: what
    was done with its shots (`shot_looks.digest_of_looks`), "" of earlier versions."""

    size: int
    sha256: str
    source_sha256: str
    frames: int
    corrupt: int
    notes: tuple[str, ...] = ()
    looks: str = ""


@dataclass(frozen=True)
class Former:
    """A finished film of which some shots are made again, and its segments, from first to last."""

    finish: Finish
    parts: tuple[Part, ...]


@dataclass
class Account:
    """What a journal tells. version: of who began it; replaces: whether there was a file of the
    target's name when the film was begun; dense: whether all its pictures have to be decoded for
    the list of shots; marks: that list, as far as it is known; shown: what is known of shots, by
    the place of their first mark; passed: how it ended, None before it is complete; looks: what is
    done with the shots (`shot_looks.digest_of_looks`), "" before that is known; parts: segments by
    their number; ending: notes on how reading the source ended, None before all segments are there;
    made_by: with what the run made it that finished it (`Outcome.made_by`); former: what is made
    again in part, None where all is made; sheets: SHA-256 of the lists of shots that were written
    beside it; broken: numbers of frames that could not be seen (of numbered frames)."""

    head: Head | None = None
    version: int = VERSION
    owners: tuple[str, ...] = ()
    replaces: bool = False
    dense: bool = False
    marks: tuple[Mark, ...] = ()
    shown: dict[int, Shown] = field(default_factory=dict)
    passed: Passed | None = None
    looks: str = ""
    parts: dict[int, Part] = field(default_factory=dict)
    ending: tuple[str, ...] | None = None
    joined: Joined | None = None
    finish: Finish | None = None
    made_by: Mapping[str, object] = field(default_factory=dict)
    former: Former | None = None
    sheets: frozenset[str] = frozenset()
    broken: frozenset[int] = frozenset()

    @property
    def shots(self) -> list[Shown]:
        """What is known of the shots, from first to last."""
        return [self.shown[number] for number in sorted(self.shown)]

    @property
    def in_order(self) -> list[Part]:
        """The segments from first to last."""
        return [self.parts[number] for number in sorted(self.parts)]


def sample_of(path: Path) -> tuple[int, int, str]:
    """Size, time of change in ns and SHA-256 of the first, middle and last SAMPLE bytes of a file.
    Raises SourceError."""
    stamp = source_stamp(path)
    try:
        with atomic.reachable(path).open("rb") as file:
            state = hashlib.sha256()
            for start in (0, (stamp[0] - SAMPLE) // 2, stamp[0] - SAMPLE):
                file.seek(max(0, start))
                state.update(file.read(SAMPLE))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    return *stamp, state.hexdigest()


def folder_of(job: Job) -> Path:
    """The folder of a film's segments and journal."""
    return home_of(job) / FOLDER / "films" / job.place


def home_of(job: Job) -> Path:
    """The folder that keeps the account of a film."""
    return job.home or job.target.parent


def made_here(target: Path) -> bool:
    """Whether there is an account of a result, in its folder or above it."""
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve follows links
    homes = (Job(target, target, home=folder) for folder in target.parents)
    return any(atomic.reachable(folder_of(job) / JOURNAL).is_file() for job in homes)


def read(folder: Path) -> Account:
    """What is known of a film; empty without a journal. Raises ColorbatchError for a journal of a
    later version."""
    account = Account()
    try:
        lines = atomic.reachable(folder / JOURNAL).read_bytes().split(b"\n")[:-1]
    except OSError:
        return account
    for line in lines:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        # a line of other values than ours tells nothing
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, ArithmeticError):
            if values["state"] == "film":
                account = _begun(account, values, folder)
            else:
                _tell(account, values, folder)
    return account


def _begun(before: Account, values: dict[str, Any], folder: Path) -> Account:
    """The account of a film that is begun, anew where there was one before."""
    version = values.pop("version")
    if not 1 <= version <= VERSION:
        raise ColorbatchError(f"{folder}: of a version that this colorbatch does not know")
    owner, replaces = values.pop("owner"), values.pop("replaces")
    del values["state"]
    head, owners = Head(**values), (*before.owners, owner)
    return _beside(Account(head, version, owners, replaces), before)


def _beside(account: Account, before: Account) -> Account:
    """With what outlives a new begin."""
    account.sheets, account.broken = before.sheets, before.broken
    return account


def _tell(account: Account, values: dict[str, Any], folder: Path) -> None:
    """Add what one line says."""
    state = values.pop("state")
    if state == "dense":
        account.dense, account.marks, account.shown, account.passed = True, (), {}, None
    elif state == "shot":
        number = values.pop("number")
        if 0 <= number <= len(account.marks):  # of what was told twice the later word holds
            account.marks = (*account.marks[:number], Mark(**values))
            account.shown = {at: one for at, one in account.shown.items() if at < number}
            account.passed = None
    elif state == "shown":
        account.shown[values["number"]] = shot_records.shown_of(values)
    elif state == "looks":
        account.looks = values["digest"]
    elif state == "again":
        _open_again(account)
    elif state == "sheet":
        account.sheets |= {values["sha256"]}
    elif state == "broken":
        account.broken |= {int(values["number"])}
    elif state == "mended":
        account.broken -= {int(values["number"])}
    elif state == "shots" and values.pop("count") == len(account.marks):
        account.passed = Passed(**values)
    elif state == "segment":
        part = _part_of(values, folder)
        account.parts[part.number] = part
        account.joined = account.ending = None
    elif state == "read":
        account.ending = tuple(values["notes"])
    elif state == "joined":
        account.joined = Joined(**values | {"notes": tuple(values.get("notes", ()))})
    elif state == "outcome" and values["status"] == "colored":
        account.made_by = values["made_by"]
    elif state == "finished":
        account.finish = Finish(**values | {"notes": tuple(values.get("notes", ()))})


def _open_again(account: Account) -> None:
    """A finished film is about to be made again in part."""
    if account.finish is not None:
        account.former = Former(account.finish, tuple(account.in_order))
    account.parts, account.replaces = {}, True
    account.finish = account.joined = account.ending = None


def _part_of(values: dict[str, Any], folder: Path) -> Part:
    """The segment that a line tells of."""
    name = values.pop("name")
    segment = Segment(
        path=folder / name,
        time_base=Fraction(*values.pop("time_base")),
        **{each: values.pop(each) for each in _SEGMENT},
    )
    if segment.time_base <= 0:
        raise ValueError
    kept = {each: values[each] for each in _PART if each in values}
    return Part(int(Path(name).stem), segment, values["size"], values.get("sha256", ""), **kept)


_PART = ("corrupt", "lost", "cut_off", "told", "seen", "handed_on", "recipe")
_SEGMENT = ("frames", "first", "last", "last_duration", "reorder", "header")


def refuse_if_held(folder: Path, target: Path) -> None:
    """See that no other run is at work on a film. Raises LockedError."""
    place = atomic.reachable(folder, room=40)
    if not place.is_dir():
        return
    try:
        FolderLock(place, LOCK).refuse_if_held()
    except LockedError as error:
        raise _locked(target, error) from error


def tell(job: Job, outcome: Outcome) -> None:
    """Record how a run's work on a film ended, if that can be: as it failed because nothing can be
    written, or because another run is at work on it, that is not written either."""
    with contextlib.suppress(ColorbatchError), FilmBook(folder_of(job), job.target) as book:
        book.tell(outcome, job)


def _locked(target: Path, error: LockedError) -> LockedError:
    who = str(error).rpartition("here: ")[2]
    return LockedError(f"{target}: another run is at work on it: {who}")


class FilmBook:
    """One film's account, open for writing under its lock; a context manager. Raises LockedError,
    TargetError."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder, self._target = folder, target
        self._place = atomic.reachable(folder, room=40)
        self._path = self._place / JOURNAL
        self._lock = FolderLock(self._place, LOCK)
        self.owner = ""

    def __enter__(self) -> FilmBook:
        atomic.make_folder(self.folder)
        try:
            self._lock.acquire()
        except LockedError as error:
            raise _locked(self._target, error) from error
        try:
            self.account = read(self.folder)
            data = self._path.read_bytes() if self._path.exists() else b""
            if data and not data.endswith(b"\n"):
                self._append(b"\n")
            self.owner = (self.account.owners or (secrets.token_hex(4),))[-1]
            atomic.remove_temporaries(self.folder, self.account.owners)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def begin(self, head: Head, *, listed: bool = False) -> None:
        """Begin the film anew; segments of before go. listed: whether the list of its shots, which
        is complete, stays."""
        self.clear()
        replaces = atomic.reachable(self._target).exists()
        values = {"state": "film", "version": VERSION, "owner": self.owner, "replaces": replaces}
        lines, old = line_of(values | dataclasses.asdict(head)), self.account
        if listed and old.passed:
            lines += shot_records.of_list(old.dense, old.marks, old.shown, old.passed)
        self._append(lines)
        for folder in (self.folder, *list(self.folder.parents)[:3]):
            atomic.sync_folder(folder)
        new = _beside(Account(head, VERSION, (*old.owners, self.owner), replaces), old)
        if listed:
            new.dense, new.marks = old.dense, old.marks
            new.shown, new.passed = old.shown, old.passed
        self.account = new

    def again(self) -> None:
        """Record that of the finished film some shots are made again; it stays until then."""
        self.clear()
        self._append(line_of({"state": "again"}))
        _open_again(self.account)

    def sheet(self, sha256: str) -> None:
        """Record a list of shots that is about to be written beside the film."""
        if sha256 not in self.account.sheets:
            self._append(line_of({"state": "sheet", "sha256": sha256}))
            self.account.sheets |= {sha256}

    def broken(self, number: int, *, mended: bool = False) -> None:
        """Record that a numbered frame cannot be seen, or can be again."""
        if (number in self.account.broken) == mended:
            self._append(line_of({"state": "mended" if mended else "broken", "number": number}))
            self.account.broken ^= {number}

    def dense(self) -> None:
        """Record that the list of shots needs all pictures, and is begun anew."""
        self._append(shot_records.DENSE)
        account = self.account
        account.dense, account.marks, account.shown, account.passed = True, (), {}, None

    def mark(self, number: int, mark: Mark) -> None:
        """Record the begin of a shot or segment."""
        self._append(shot_records.of_mark(number, mark))
        self.account.marks = (*self.account.marks[:number], mark)
        known = self.account.shown.items()
        self.account.shown = {at: one for at, one in known if at < number}

    def show(self, number: int, shown: Shown) -> None:
        """Record what is known of a shot. number: the place of its first mark."""
        self._append(shot_records.of_shown(number, shown))
        self.account.shown[number] = shown

    def look(self, digest: str) -> None:
        """Record what is done with the shots, if it is not what was recorded last."""
        if digest != self.account.looks:
            self._append(line_of({"state": "looks", "digest": digest}))
            self.account.looks = digest

    def marked(self, passed: Passed) -> None:
        """Record that the list of shots is complete."""
        self._append(shot_records.of_passed(len(self.account.marks), passed))
        self.account.passed = passed

    def add(self, part: Part) -> None:
        """Record a segment that bears its name."""
        atomic.sync_folder(self.folder)
        segment = part.segment
        own = {name: getattr(segment, name) for name in _SEGMENT}
        base = segment.time_base.as_integer_ratio()
        more = {name: value for name in _PART if (value := getattr(part, name))}
        first = {"state": "segment", "name": segment.path.name, "time_base": base}
        sums = {"size": part.size, "sha256": part.sha256}
        self._append(line_of({**first, **own, **sums, **more}))
        self.account.parts[part.number] = part
        self.account.joined = self.account.ending = None

    def end(self, notes: tuple[str, ...]) -> None:
        """Record that the source has no more frames."""
        self._append(line_of({"state": "read", "notes": list(notes)}))
        self.account.ending = notes

    def join(self, joined: Joined) -> None:
        """Record a complete film that has not its target's name yet."""
        self._append(line_of({"state": "joined", **dataclasses.asdict(joined)}))
        self.account.joined = joined

    def finish(self, made: Path, finish: Finish) -> None:
        """Record a complete film, give it the target's name, and remove its segments."""
        self._append(line_of({"state": "finished", **dataclasses.asdict(finish)}))
        self.account.finish = finish
        self.publish(made)

    def publish(self, made: Path) -> None:
        """Give the recorded film its name, and remove its segments: before that, as nobody comes
        back for them once it has its name. Raises TargetError."""
        atomic.make_folder(self._target.parent)
        self.clear(but=made.name)
        atomic.rename(made, self._target)
        atomic.sync_folder(self._target.parent)

    def tell(self, outcome: Outcome, job: Job) -> None:
        """Record how a run's work on the film ended; for who looks back, not for resuming. Raises
        OutputFullError."""
        self._append(outcome_line(outcome, job))

    def clear(self, but: str = "") -> None:
        """Remove everything but the journal, the lock and a file of this name."""
        for path in self._place.iterdir():
            if path.name not in (JOURNAL, but) and not path.name.startswith("film."):
                with contextlib.suppress(OSError):
                    path.unlink()

    def whole_parts(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Part]:
        """The recorded segments whose files are as they were left: by their SHA-256, for which all
        of them are read. stop: asked often; then raises StoppedError."""
        for part in self.account.in_order:
            with contextlib.suppress(OSError):
                place = atomic.reachable(part.segment.path)
                if place.stat().st_size != part.size:
                    continue
                if atomic.sha256(part.segment.path, stop) == part.sha256 and part.sha256:
                    yield part

    def _append(self, line: bytes) -> None:
        """Add a line and bring it to the disk. Raises OutputFullError."""
        try:
            with atomic.patiently(lambda: self._path.open("ab", buffering=0)) as file:
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
        except OSError as error:
            message = f"{self._path}: cannot write the journal: {error.strerror or error}"
            raise OutputFullError(message, "the same command goes on from there") from error
