"""The journal: what is finished, made from which source, with which settings and model.

A folder of results has `.colorbatch/journal.jsonl`, or one file per shard where several machines
share the work (`journal-1-of-3.jsonl`). Lines are only ever added. For a result, in this order: the
file is on the disk under a temporary name; a full line says what is about to bear the target's
name (`named`); it gets its name; its folder is brought to the disk; a short line says `finished`.
A kill at any instant so leaves a target either without a file or known with its SHA-256: nothing is
lost, and nothing is taken for ours that is not. A torn last line is ignored.

Flows in: jobs, and results as they are written. Flows out: a `Record` per known target. Knows no
pixels.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from colorbatch import files
from colorbatch.errors import ColorbatchError, OutputFullError
from colorbatch.files import Job
from colorbatch.locks import FolderLock
from colorbatch.records import Made, Record, is_file, line_of, record_of

FOLDER = ".colorbatch"
VERSION = 1
CONFIRM_SECONDS, CONFIRM_COUNT = 1.0, 64
"""Names are brought to the disk, and `finished` lines written, in groups: with the first result
after so many seconds or results, and at the end."""


class Journals:
    """The journals of one run: read at once, written to after `lock`.

    A job's `home` has its journal; most runs have one. What the journals of all shards tell, and
    those of folders above and below a home, is known as well. `writing` and `skip` may be called
    from any thread.
    """

    def __init__(self, jobs: Sequence[Job], shard: tuple[int, int] | None = None) -> None:
        """shard: part and number of parts, from 1."""
        self._folders: dict[Path, set[Path]] = {}  # home -> folders of its targets
        for job in jobs:
            if job.home is not None:  # which is the target itself of a folder that cannot be listed
                folder = job.home if job.target == job.home else job.target.parent
                self._folders.setdefault(job.home, set()).add(folder)
        self._real = {home: Path(os.path.realpath(home)) for home in self._folders}
        self._books = {home: _Book(home, shard) for home in self._folders}
        self._known: _Known | None = None

    def lock(self, *, make: bool = True) -> None:
        """Take the locks and remove what killed runs left; with `make` false only where there is a
        journal, so that nothing is made. Raises LockedError, TargetError."""
        for home, book in sorted(self._books.items()):
            if book.owner or not (make or book.folder.is_dir()):
                continue
            self._known = None  # what was read before may be out of date
            owners = book.open()
            for folder in self._folders[home]:
                files.remove_temporaries(folder, owners)

    def find(self, job: Job) -> Record | None:
        """What is known of a job's target. A file that was named and not confirmed before a kill is
        known by its content."""
        if job.home is None:
            return None
        if self._known is None:
            self._known = self._read()
        key = f"{self._real[job.home].as_posix()}/{job.place}"
        done, named = self._known.done.get(key), self._known.named.get(key)
        later = named is not None and (done is None or named.at > done.at)
        if named is None or not later or not is_file(job.target, named):
            return done
        book = self._books[job.home]
        if book.owner:
            book.confirm(named.to_line("finished"), job.target.parent)
        return named

    @contextlib.contextmanager
    def writing(self, job: Job, made: Made, modified_ns: int | None = None) -> Iterator[IO[bytes]]:
        """A file that becomes the job's target, as `files.replacing`, and is recorded when the
        block ends well. Raises TargetError."""
        if job.home is None:
            with files.replacing(job.target, modified_ns) as file:
                yield file
            files.sync_folder(job.target.parent)
            return
        book = self._books[job.home]

        def announce(file: IO[bytes]) -> None:
            size = file.seek(0, 2)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            book.append(record_of(job, made, size, sha256).to_line("named"))

        with files.replacing(job.target, modified_ns, owner=book.owner, before=announce) as file:
            yield file
        book.confirm(line_of({"state": "finished", "target": job.place}), job.target.parent)

    def skip(self, job: Job, made: Made) -> None:
        """Record that a source has no result, and why, so that it is not read again."""
        if job.home is not None:
            self._books[job.home].confirm(record_of(job, made, 0, "").to_line("finished"), None)

    def close(self) -> None:
        """Confirm what is left and give the locks back; may be called twice."""
        for book in self._books.values():
            book.close()

    def __enter__(self) -> Journals:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> _Known:
        known = _Known()
        seen: set[Path] = set()
        for home, folders in self._folders.items():
            for folder in {self._real[home] / path.relative_to(home) for path in folders}:
                for place in (folder, *folder.parents):
                    if place in seen:
                        break
                    seen.add(place)
                    known.read(place)
        return known


class _Known:
    """What journals tell: the last word on each target, by its absolute name."""

    def __init__(self) -> None:
        self.done: dict[str, Record] = {}
        self.named: dict[str, Record] = {}
        """Announced, and not confirmed."""

    def read(self, home: Path) -> None:
        """Add the journals of a home, if it has any; of several words the latest holds."""
        start = f"{home.as_posix().rstrip('/')}/"
        try:
            paths = sorted(files.reachable(home / FOLDER, room=40).glob("journal*.jsonl"))
        except OSError:
            return
        for path in paths:
            done: dict[str, Record] = {}
            named: dict[str, Record] = {}
            for values in _values(path):
                target = f"{start}{values.get('target')}"
                if values.get("state") == "named" and (record := Record.from_line(values)):
                    named[target] = record
                elif values.get("state") == "finished":
                    record = (
                        named.pop(target, None) if len(values) == 2 else Record.from_line(values)
                    )
                    if record is not None:
                        done[target] = record
            for mine, theirs in ((self.done, done), (self.named, named)):
                for target, record in theirs.items():
                    if target not in mine or mine[target].at <= record.at:
                        mine[target] = record


def _values(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal that are whole. Raises ColorbatchError for one of a later version."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # behind the last line break it is torn
    except OSError:
        return
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict):
            if values.get("state") == "journal" and values.get("version") != VERSION:
                raise ColorbatchError(f"{path}: of a version that this colorbatch does not know")
            yield values


def _owners(path: Path) -> list[str]:
    """The names that a journal's runs give their temporaries; one, unless its head was lost."""
    data = path.read_bytes() if path.exists() else b""
    heads = [json.loads(line) for line in data.split(b"\n")[:-1] if b'"owner": "' in line]
    return [str(values["owner"]) for values in heads]


class _Book:
    """The journal of one home that this run writes, under its lock."""

    def __init__(self, home: Path, shard: tuple[int, int] | None) -> None:
        self.folder = home / FOLDER
        self.owner = ""
        """Stands in the names of this journal's temporaries; empty while it is not open."""
        part, parts = shard or (1, 1)
        self._name = f"journal-{part}-of-{parts}" if shard else "journal"
        self._at_work_beside = re.compile(rf"journal-\d+-of-{parts}" if shard else "journal")
        self._place = files.reachable(self.folder, room=40)
        self._path = self._place / f"{self._name}.jsonl"
        self._lock = FolderLock(self._place, self._name)
        self._torn = False
        self._queue: list[bytes] = []
        self._queued = self._written = 0
        self._mutex, self._writing = threading.Lock(), threading.Lock()
        self._to_confirm: list[bytes] = []
        self._folders: set[Path] = set()
        self._seen: set[Path] = set()
        self._confirmed_at = time.monotonic()

    def open(self) -> list[str]:
        """Take the lock, and begin or continue the journal; returns the owners of temporaries that
        nobody is writing. Raises LockedError, TargetError."""
        files.make_folder(self.folder)
        self._lock.acquire()
        try:
            dead = self._dead_owners()
            mine = _owners(self._path)
            data = self._path.read_bytes() if self._path.exists() else b""
            self._torn = not data.endswith(b"\n") and data != b""
            self.owner = mine[-1] if mine else secrets.token_hex(4)
            if not mine:
                self.append(line_of({"state": "journal", "version": VERSION, "owner": self.owner}))
                for folder in (self.folder, *list(self.folder.parents)[:2]):
                    files.sync_folder(folder)
        except BaseException:
            self.close()
            raise
        return [*mine, *dead] if self._lock.held else []

    def append(self, line: bytes = b"") -> None:
        """Add a line and bring it to the disk, together with those of other threads that wait.

        Raises OutputFullError: without its journal a run cannot go on.
        """
        with self._mutex:
            self._queue.append(line)
            self._queued += 1
            mine = self._queued
        with self._writing:
            if self._written >= mine:
                return  # another thread took it along
            with self._mutex:
                lines, upto = len(self._queue), self._queued
                data = b"".join(self._queue[:lines])
            try:
                self._write(b"\n" + data if self._torn else data)
            except OSError as error:
                self._torn = True
                message = f"{self._path}: cannot write the journal: {error.strerror or error}"
                raise OutputFullError(message) from error
            self._torn = False
            self._written = upto
            with self._mutex:
                del self._queue[:lines]

    def _write(self, data: bytes) -> None:
        with files.patiently(lambda: self._path.open("ab", buffering=0)) as file:
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())

    def confirm(self, line: bytes, folder: Path | None) -> None:
        """Add a line that says `finished` some time after its folder is on the disk.

        What cannot be written is not lost: a file that was announced is known by its content.
        """
        with self._mutex:
            self._to_confirm.append(line)
            if folder is not None:
                self._folders.add(folder)
            late = time.monotonic() - self._confirmed_at >= CONFIRM_SECONDS
            due = late or len(self._to_confirm) >= CONFIRM_COUNT
        if due:
            self._flush()

    def _flush(self) -> None:
        with self._mutex:
            lines, self._to_confirm = self._to_confirm, []
            folders, self._folders = self._folders, set()
            self._confirmed_at = time.monotonic()
        for folder in folders:
            files.sync_folder(folder)
            above = folder if folder not in self._seen else self.folder.parent
            self._seen.add(folder)
            while above != self.folder.parent:  # it may have been made in this run
                above = above.parent
                files.sync_folder(above)
        if lines:
            with contextlib.suppress(OutputFullError):
                self.append(b"".join(lines))

    def close(self) -> None:
        """Confirm what is left and give the lock back."""
        if self.owner:
            self._flush()
            self.owner = ""
        self._lock.release()

    def _dead_owners(self) -> list[str]:
        """Refuse where a run of another division of the work is going on; returns whose
        temporaries are left by runs that died on this host. (Of another host this is not asked:
        not every share tells one of the other's locks.)"""
        owners = []
        for path in sorted(self._place.glob("journal*.lock")):
            if path.stem == self._name or self._at_work_beside.fullmatch(path.stem):
                continue
            other = FolderLock(self._place, path.stem)
            other.refuse_if_held()
            if other.died_here:
                owners += _owners(self._place / f"{path.stem}.jsonl")
        return owners
