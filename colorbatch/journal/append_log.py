"""The file that a run writes for one home, under its lock: lines that are added and confirmed.

Flows in: lines, and the folders of files that got their names. Flows out: lines on the disk, each
`finished` one after its folder. What the lines mean is not known here.
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
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from colorbatch.errors import ColorbatchError, OutputFullError, TargetError
from colorbatch.fs import atomic
from colorbatch.fs.locks import FolderLock
from colorbatch.journal.records import line_of

FOLDER = ".colorbatch"
VERSION = 1
CONFIRM_SECONDS, CONFIRM_COUNT = 1.0, 64
"""Names are brought to the disk, and `finished` lines written, in groups: with the first result
after so many seconds or results, and at the end."""


def values_of(path: Path, having: bytes = b"") -> Iterator[dict[str, Any]]:
    """The lines of a journal that are whole, and hold what they should be `having`. Raises
    ColorbatchError for one of a later version."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # behind the last line break it is torn
    except OSError:
        return
    for line in lines:
        if having not in line:
            continue
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
    heads = (line for line in values_of(path, b'"owner"') if line.get("state") == "journal")
    owners = (line.get("owner") for line in heads)
    return [owner for owner in owners if isinstance(owner, str) and owner.isalnum()]


class Book:
    """The journal of one home that this run writes, under its lock."""

    def __init__(self, home: Path, shard: tuple[int, int] | None) -> None:
        self.folder = home / FOLDER
        self.owner = ""
        """Stands in the names of this journal's temporaries; empty while it is not open."""
        part, parts = shard or (1, 1)
        self._name = f"journal-{part}-of-{parts}" if shard else "journal"
        self._at_work_beside = re.compile(rf"journal-\d+-of-{parts}" if shard else "journal")
        self._place = atomic.reachable(self.folder, room=40)
        self._path = self._place / f"{self._name}.jsonl"
        self._lock = FolderLock(self._place, self._name)
        self._torn = False
        self._before = b""
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
        atomic.make_folder(self.folder)
        self._lock.acquire()
        try:
            dead = self._dead_owners()
            self._torn = self._is_torn()
            mine = _owners(self._path)
            self.owner = mine[-1] if mine else secrets.token_hex(4)
            if not mine:
                self.append(line_of({"state": "journal", "version": VERSION, "owner": self.owner}))
                for folder in (self.folder, *list(self.folder.parents)[:2]):
                    atomic.sync_folder(folder)
        except BaseException:
            self.close()
            raise
        return [*mine, *dead] if self._lock.held else []

    def _is_torn(self) -> bool:
        """Whether the last line has no end. Raises TargetError for what cannot be read."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) == 0:
                    return False
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except FileNotFoundError:
            return False
        except OSError as error:
            message = f"{self._path}: cannot read this journal: {error.strerror or error}"
            raise TargetError(message) from error

    def put_before(self, line: bytes) -> None:
        """Have a line stand before the next one, behind others that are to stand there, if there is
        to be another."""
        with self._mutex:
            self._before += line

    def append(self, line: bytes = b"") -> None:
        """Add a line and bring it to the disk, together with those of other threads that wait.

        Raises OutputFullError: without its journal a run cannot go on.
        """
        with self._mutex:
            self._queue.append(self._before + line)
            self._before = b""
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
        with atomic.patiently(lambda: self._path.open("ab", buffering=0)) as file:
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())

    def confirm(self, lines: Sequence[bytes], folders: Collection[Path] = ()) -> None:
        """Add lines that say `finished` some time after their folders are on the disk.

        What cannot be written is not lost: a file that was announced is known by its content.
        """
        with self._mutex:
            self._to_confirm += lines
            self._folders.update(folders)
            late = time.monotonic() - self._confirmed_at >= CONFIRM_SECONDS
            due = late or len(self._to_confirm) >= CONFIRM_COUNT
        if due:
            self._flush()

    def _flush(self) -> None:
        with self._mutex:
            lines, self._to_confirm = self._to_confirm, []
            folders, self._folders = self._folders, set()
            new = folders - self._seen  # which may have been made in this run, and those above too
            self._seen |= folders
            self._confirmed_at = time.monotonic()
        home = self.folder.parent
        above = {one for folder in new for one in folder.parents if one.is_relative_to(home)}
        for folder in sorted(folders | above, key=lambda one: (-len(one.parts), one)):
            atomic.sync_folder(folder)
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


class Lone:
    """The one file of `-o NAME.ext`: it has no journal, but a lock while it is made."""

    def __init__(self, target: Path) -> None:
        self.owner = ""
        """Stands in the names of this file's temporaries, the same in every run; empty while the
        lock is not held."""
        place = os.path.join(os.path.realpath(target.parent), target.name)  # noqa: PTH118
        self._owner = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
        self._folder = target.parent
        folder, name = atomic.reachable(target.parent, room=60), f"lock-{self._owner}"
        self._lock = FolderLock(folder, f"{atomic.TEMPORARY_PREFIX}{name}", of=target)

    def open(self) -> None:
        """Take the lock, and remove what killed runs left of this file. Raises LockedError,
        TargetError."""
        atomic.make_folder(self._folder)
        self._lock.acquire()
        if self._lock.held:
            self.owner = self._owner
            atomic.remove_temporaries(self._folder, [self.owner])

    def close(self) -> None:
        """Give the lock back; may be called twice."""
        self.owner = ""
        self._lock.release()


def refuse_if_at_work(home: Path) -> None:
    """See that nobody writes a journal of a home. Raises LockedError."""
    place = atomic.reachable(home / FOLDER, room=40)
    for path in sorted(place.glob("journal*.lock")):
        FolderLock(place, path.stem).refuse_if_held()
