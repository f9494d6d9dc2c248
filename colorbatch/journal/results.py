"""The journal: what is finished, made from which source, with which settings and model.

A folder of results has `.colorbatch/journal.jsonl`, or one file per shard where several machines
share the work (`journal-1-of-3.jsonl`). Lines are only ever added. For a result, in this order: the
file is on the disk under a temporary name; a full line says what is about to bear the target's
name (`named`); it gets its name; its folder is brought to the disk; a short line says `finished`.
A kill at any instant so leaves a target either without a file or known with its SHA-256: nothing is
lost, and nothing is taken for ours that is not. A torn last line is ignored. Results that are whole
at the same time share each of these steps (`Journals.publish`).

A full line holds what an `Outcome` does; with what its run made it (program, model, device and
settings in clear) a `run` line before it says. What failed, and how a whole sequence ended, is an
`outcome` line: told, and never taken for finished.

Flows in: jobs, and results as they are written. Flows out: a `Record` per known target. Knows no
pixels.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from colorbatch.errors import OutputFullError, TargetError
from colorbatch.fs import atomic
from colorbatch.fs.locks import make_room
from colorbatch.job import Job, Outcome
from colorbatch.journal.append_log import FOLDER, Book, Lone, refuse_if_at_work, values_of
from colorbatch.journal.records import (
    Made,
    Record,
    is_file,
    line_of,
    made_by_of,
    now,
    outcome_line,
    record_of,
)


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
        self._books = {home: Book(home, shard) for home in self._folders}
        self._lone = {job.target: Lone(job.target) for job in jobs if job.home is None}
        self._known: _Known | None = None
        self._run, self._made_by = "", dict[str, object]()

    def lock(self, *, make: bool = True) -> bool:
        """Take the locks and remove what killed runs left; with `make` false only where there is a
        journal, so that nothing is made. Whether there was a lock to take: what was found before
        may be out of date. Raises LockedError, also where a run is at work in a folder above or
        below whose results may be the same, and TargetError."""
        taken = False
        make_room(len(self._books))
        self._refuse_runs_beside()
        for home, book in sorted(self._books.items()):
            if book.owner or not (make or book.folder.is_dir()):
                continue
            self._known, taken = None, True
            owners = book.open()
            for folder in self._folders[home]:
                atomic.remove_temporaries(folder, owners)
        if taken:  # of two that began at the same time, one sees the other now
            self._refuse_runs_beside()
        for lone in self._lone.values() if make else ():
            if not lone.owner:
                lone.open()
                taken = True
        return taken

    def _refuse_runs_beside(self) -> None:
        own = set(self._real.values())
        for place in self._places():
            if place not in own:
                refuse_if_at_work(place)

    def begins(self, made_by: Mapping[str, object]) -> None:
        """With what this run makes results, as of `Outcome.made_by`; when locked. A journal tells
        it before the first line that it gets."""
        self._run, self._made_by = secrets.token_hex(4), dict(made_by)
        self._put_before(self._run, made_by)

    def with_model(self, model: str, model_sha256: str) -> str:
        """The name (`Made.run`) of what this run makes with another model than its own; "" where
        the run has none. A journal tells it as it does the run."""
        if not self._run:
            return ""
        name = f"{self._run}-{model_sha256[:16]}"
        self._put_before(name, self._made_by | {"model": model, "model_sha256": model_sha256})
        return name

    def _put_before(self, run: str, made_by: Mapping[str, object]) -> None:
        line = line_of({"state": "run", "run": run, "at": now(), **made_by})
        for book in self._books.values():
            if book.owner:
                book.put_before(line)

    def made_by(self, made: Made) -> Mapping[str, object]:
        """With what a result was made, as far as its journal tells."""
        return self._read().runs.get(made.run, {})

    def find(self, job: Job) -> Record | None:
        """The last word on a job's target: a file, or that its source was skipped."""
        file = self.find_file(job)
        skipped = self._read().skipped.get(self._key(job)) if job.home is not None else None
        later = skipped is not None and (file is None or file.at <= skipped.at)
        return skipped if later else file

    def find_file(self, job: Job) -> Record | None:
        """What is known of a job's result, also where its source was skipped later. A file that was
        named and not confirmed before a kill is known by its content."""
        if job.home is None:
            return None
        key, known = self._key(job), self._read()
        done, named = known.done.get(key), known.named.get(key)
        later = named is not None and (done is None or named.at > done.at)
        if named is None or not later or not is_file(job.target, named):
            return done
        book = self._books[job.home]
        if book.owner:
            book.confirm([named.to_line("finished")], [job.target.parent])
            known.done[key] = known.named.pop(key)
        return named

    def temporary_of(self, job: Job) -> Path:
        """A name for a job's result until it is published; the next run removes what a killed one
        left under such a name."""
        owner = self._lone[job.target].owner if job.home is None else self._books[job.home].owner
        return atomic.temporary_of(job.target, owner)

    def publish(
        self, results: Sequence[tuple[Job, Made, atomic.Unnamed]]
    ) -> list[TargetError | None]:
        """Give whole files their names and record them: a group with one flush of each journal.

        In this order: a line for every file, `named`, brought to the disk at once; their names;
        then, for many results together, their folders and the `finished` lines. For each result
        None, or why it has no name: that its own was refused, or OutputFullError where a journal
        cannot be written, whose files then all are gone.
        """
        ends: list[TargetError | None] = [None] * len(results)
        groups: dict[Path | None, list[int]] = {}
        for index, (job, _, _) in enumerate(results):
            groups.setdefault(job.home, []).append(index)
        for home, group in groups.items():
            if home is None:
                continue
            lines = b"".join(self._line_of(*results[index]) for index in group)
            try:
                self._books[home].append(lines)
            except OutputFullError as error:
                for index in group:
                    ends[index] = error
                    atomic.discard(results[index][2].temporary)
        for index, (_, _, file) in enumerate(results):
            if ends[index] is None:
                try:
                    atomic.give_name(file)
                except TargetError as error:
                    ends[index] = error
        for home, group in groups.items():
            jobs = [results[index][0] for index in group if ends[index] is None]
            folders = {job.target.parent for job in jobs}
            if home is None:
                for folder in folders:
                    atomic.sync_folder(folder)
            elif jobs:
                finished = [line_of({"state": "finished", "target": job.place}) for job in jobs]
                self._books[home].confirm(finished, folders)
        return ends

    def _line_of(self, job: Job, made: Made, file: atomic.Unnamed) -> bytes:
        return record_of(job, self._of_run(made), file.size, file.sha256).to_line("named")

    @contextlib.contextmanager
    def writing(
        self,
        job: Job,
        made: Callable[[], Made],
        modified_ns: int | None = None,
        told: Callable[[str], None] = lambda sha256: None,
    ) -> Iterator[IO[bytes]]:
        """A file that becomes the job's target, as `atomic.replacing`, and is recorded when the
        block ends well. made: asked then; told: of the file's SHA-256. Raises TargetError."""
        whole: list[atomic.Unnamed] = []
        temporary = self.temporary_of(job)
        with atomic.unnamed(job.target, temporary, whole.append, modified_ns) as file:
            yield file
        try:
            told(whole[0].sha256)
            [refused] = self.publish([(job, made(), whole[0])])
        except BaseException:
            atomic.discard(temporary)
            raise
        if refused is not None:
            raise refused

    def skip(self, job: Job, made: Made) -> None:
        """Record that a source has no result, and why, so that it is not read again."""
        if job.home is not None:
            record = record_of(job, self._of_run(made), 0, "")
            self._books[job.home].confirm([record.to_line("finished")])

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Record how a source ended without a record of its own: that it failed, and why, or what
        became of a whole clip. It is tried again all the same."""
        if job.home is not None and self.is_open(job):
            line = outcome_line(outcome, job, self._run, self._made_by)
            self._books[job.home].confirm([line])

    def is_open(self, job: Job) -> bool:
        """Whether there is a journal for a job, and this run writes it."""
        return job.home in self._books and bool(self._books[job.home].owner)

    def _of_run(self, made: Made) -> Made:
        return made if made.run else dataclasses.replace(made, run=self._run)

    def close(self) -> None:
        """Confirm what is left and give the locks back; may be called twice."""
        for book in self._books.values():
            book.close()
        for lone in self._lone.values():
            lone.close()

    def __enter__(self) -> Journals:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _key(self, job: Job) -> str:
        assert job.home is not None
        return f"{self._real[job.home].as_posix()}/{job.place}"

    def _read(self) -> _Known:
        """What the journals tell; read once."""
        if self._known is not None:
            return self._known
        known = self._known = _Known()
        for place in self._places():
            known.read(place)
        return known

    def _places(self) -> Iterator[Path]:
        """The folders of all targets and those above them, which may be or have been homes."""
        seen: set[Path] = set()
        for home, folders in self._folders.items():
            for folder in {self._real[home] / path.relative_to(home) for path in folders}:
                for place in (folder, *folder.parents):
                    if place in seen:
                        break
                    seen.add(place)
                    yield place


class _Known:
    """What journals tell: the last word of each sort on each target, by its absolute name."""

    def __init__(self) -> None:
        self.done: dict[str, Record] = {}
        self.skipped: dict[str, Record] = {}
        """Sources without a result; what an earlier run made of them may still be there."""
        self.named: dict[str, Record] = {}
        """Announced, and not confirmed."""
        self.runs: dict[str, Mapping[str, object]] = {}
        """A run's name -> with what it made results."""

    def read(self, home: Path) -> None:
        """Add the journals of a home, if it has any; of several words the latest holds."""
        start = f"{home.as_posix().rstrip('/')}/"
        try:
            paths = sorted(atomic.reachable(home / FOLDER, room=40).glob("journal*.jsonl"))
        except OSError:
            return
        for path in paths:
            done: dict[str, Record] = {}
            skipped: dict[str, Record] = {}
            named: dict[str, Record] = {}
            for values in values_of(path):
                target = f"{start}{values.get('target')}"
                if values.get("state") == "named" and (record := Record.from_line(values)):
                    named[target] = record
                elif values.get("state") == "run":
                    self.runs[str(values.get("run"))] = made_by_of(values)
                elif values.get("state") == "finished":
                    record = (
                        named.pop(target, None) if len(values) == 2 else Record.from_line(values)
                    )
                    if record is not None and record.made.outcome == "skipped":
                        skipped[target] = record
                    elif record is not None:
                        done[target] = record
                        skipped.pop(target, None)
            for mine, theirs in (
                (self.done, done),
                (self.skipped, skipped),
                (self.named, named),
            ):
                for target, record in theirs.items():
                    if target not in mine or mine[target].at <= record.at:
                        mine[target] = record
