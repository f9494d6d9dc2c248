"""The account of one film: what a journal says after any end of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from colorbatch.clips import film_journal
from colorbatch.clips.film_journal import FilmBook, Finish, Head, Part
from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_list import Mark, Passed, Shown, packed
from colorbatch.errors import ColorbatchError, LockedError, SourceError
from colorbatch.ffmpeg import Segment
from colorbatch.job import Job

HEAD = Head("s.mkv", 10, 123456789, "a" * 64, "settings", "model", "library")


MARKS = [Mark(number * 10, str(number) * 64, True, True) for number in range(3)]


def part(folder: Path, number: int, **more: Any) -> Part:
    """A segment whose file is there."""
    path = folder / f"{number:06d}.mp4"
    path.write_bytes(b"x" * (number + 1))
    made = Segment(path, 10, number * 10, number * 10 + 9, 1, Fraction(1, 24), 2, "header")
    return Part(number, made, number + 1, hashlib.sha256(b"x" * (number + 1)).hexdigest(), **more)


def listed(book: FilmBook, marks: Sequence[Mark] = MARKS) -> None:
    """Record a list of shots."""
    for number, mark in enumerate(marks):
        book.mark(number, mark)
    book.marked(Passed(retimed=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".colorbatch" / "films" / "r.mkv"


def test_what_is_written_is_read(folder: Path, tmp_path: Path) -> None:
    """Head, shots, segments in any order, end and finish come back as they were."""
    finish = Finish(7, "b" * 64, "c" * 64, 20, 1)
    told = {"told": {"repeated": [3]}, "seen": {"tff": 10}, "handed_on": "s" * 64}
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        listed(book)
        book.add(part(folder, 1, corrupt=3, lost=1, cut_off="ends", **told))
        book.add(part(folder, 0))
        book.end(("cut off",))
        account = film_journal.read(folder)
        assert account.head == HEAD and account.ending == ("cut off",)
        assert list(account.marks) == MARKS and account.passed == Passed(retimed=1)
        assert account.in_order == book.account.in_order == list(book.whole_parts())
        assert [each.number for each in account.in_order] == [0, 1]
        (folder / "joined.mkv").write_bytes(b"film")
        book.finish(folder / "joined.mkv", finish)
    assert film_journal.read(folder).finish == finish
    assert (tmp_path / "r.mkv").read_bytes() == b"film"
    assert not list(folder.glob("*.mp4"))


def test_a_torn_line_is_ignored_and_ended(folder: Path, tmp_path: Path) -> None:
    """Cut anywhere, a journal tells a prefix of what it told; the next line stands by itself."""
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        listed(book)
        book.add(part(folder, 0))
        second = part(folder, 1)
        book.add(second)
    path = folder / film_journal.JOURNAL
    whole = path.read_bytes()
    ends = [at for at in range(len(whole)) if whole[at : at + 1] == b"\n"]
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        account = film_journal.read(folder)
        lines = sum(end < cut for end in ends)
        assert (account.head is not None) == (lines > 0)
        assert len(account.marks) == min(3, max(0, lines - 1))
        assert (account.passed is not None, len(account.parts)) == (lines > 4, max(0, lines - 5))
    path.write_bytes(b'[1]\n{"state": "segment"}\n"x"\n' + whole)
    assert len(film_journal.read(folder).parts) == 2
    path.write_bytes(whole[: ends[5] + 20])
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.add(second)
    assert sorted(film_journal.read(folder).parts) == [0, 1]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    ("word", "other"),
    [
        ('"time_base": [1, 24]', '"time_base": [1, 0]'),
        ('"time_base": [1, 24]', '"time_base": [0, 1]'),
        ('"state": "segment"', '"state": "segm'),
    ],
)
def test_a_line_of_a_segment_that_tells_nothing(
    folder: Path, tmp_path: Path, number: int, word: str, other: str
) -> None:
    """That segment is not known, the others are."""
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        for each in range(3):
            book.add(part(folder, each))
    path = folder / film_journal.JOURNAL
    lines = path.read_text("utf-8").split("\n")
    assert word in lines[1 + number]
    lines[1 + number] = lines[1 + number].replace(word, other)
    path.write_text("\n".join(lines), "utf-8")
    assert sorted(film_journal.read(folder).parts) == sorted({0, 1, 2} - {number})


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_list_of_shots_with_a_hole_is_not_complete(
    folder: Path, tmp_path: Path, number: int
) -> None:
    """It is known up to the hole, and what is told again behind it replaces it."""
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        listed(book)
    path = folder / film_journal.JOURNAL
    lines = path.read_text("utf-8").split("\n")
    lines[1 + number] = lines[1 + number][:20]
    path.write_text("\n".join(lines), "utf-8")
    account = film_journal.read(folder)
    assert list(account.marks) == MARKS[:number] and account.passed is None
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        for each in range(number, 3):
            book.mark(each, MARKS[each])
        book.marked(Passed())
    account = film_journal.read(folder)
    assert list(account.marks) == MARKS and account.passed == Passed()
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.dense()
    account = film_journal.read(folder)
    assert (account.dense, account.marks, account.passed) == (True, (), None)


@pytest.mark.parametrize("dense", [False, True])
def test_a_list_of_shots_outlives_a_new_begin(folder: Path, tmp_path: Path, dense: bool) -> None:
    """Where that is asked for, and the list is complete."""
    shown = Shown(ShotKind("toned"), 0, 3, 0, packed([0, 1, 2]))
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        if dense:
            book.dense()
        for number, mark in enumerate(MARKS):
            book.mark(number, mark)
        book.show(2, shown)
        book.marked(Passed(jumps=1, seen="all"))
        book.begin(replace(HEAD, settings="others"), listed=True)
        book.add(part(folder, 0))
        account = film_journal.read(folder)
        assert account == book.account and account.head == replace(HEAD, settings="others")
    assert (list(account.marks), account.shown) == (MARKS, {2: shown})
    assert (account.passed, account.dense) == (Passed(jumps=1, seen="all"), dense)
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        book.mark(0, MARKS[0])
        book.begin(HEAD, listed=True)
    account = film_journal.read(folder)
    assert not account.passed and not account.shown


def test_a_segment_is_known_by_its_content(folder: Path, tmp_path: Path) -> None:
    """One of another byte at the same size, an empty one, and one whose line has no SHA-256 are not
    whole; the others are, and one that is made again is."""
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        for number in range(4):
            book.add(part(folder, number))
        book.end(())
        (folder / "000001.mp4").write_bytes(b"xy")
        (folder / "000002.mp4").write_bytes(b"")
        assert [each.number for each in book.whole_parts()] == [0, 3]
        book.add(part(folder, 1))
        assert [each.number for each in book.whole_parts()] == [0, 1, 3]
        assert film_journal.read(folder).ending is None
    path = folder / film_journal.JOURNAL
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("sha256", None)
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        assert len(book.account.parts) == 4 and not list(book.whole_parts())


@pytest.mark.slow
def test_one_run_at_a_time_and_no_later_version(folder: Path, tmp_path: Path) -> None:
    """The second is refused by the film's name; an unknown version is no empty journal."""
    with FilmBook(folder, tmp_path / "r.mkv") as book:
        book.begin(HEAD)
        with pytest.raises(LockedError, match=r"r\.mkv: another run is at work on it: process"):
            FilmBook(folder, tmp_path / "r.mkv").__enter__()
    path = folder / film_journal.JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"version": 3', b'"version": 4'))
    with pytest.raises(ColorbatchError, match="does not know"):
        film_journal.read(folder)


def test_a_source_is_known_by_its_ends_and_its_middle(tmp_path: Path) -> None:
    """A changed byte in the first, middle or last 4 MiB is another source, without the time."""
    path = tmp_path / "big"
    size = 40 << 20
    path.write_bytes(bytes(size))
    was = film_journal.sample_of(path)
    for place, differs in ((5, True), (size // 2, True), (size - 1, True), (size // 4, False)):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        assert (film_journal.sample_of(path)[2] != was[2]) == differs
        path.write_bytes(bytes(size))
    with pytest.raises(SourceError, match="cannot be read"):
        film_journal.sample_of(tmp_path / "none")
    assert HEAD.identity == replace(HEAD, mtime_ns=HEAD.mtime_ns + 100).identity


def test_each_film_has_its_folder(tmp_path: Path) -> None:
    """Below the output, by the target's place; beside a film that is named."""
    deep = Job(tmp_path / "s.mov", tmp_path / "out" / "a" / "r.mkv", home=tmp_path / "out")
    assert (
        film_journal.folder_of(deep) == tmp_path / "out" / ".colorbatch" / "films" / "a" / "r.mkv"
    )
    named = Job(tmp_path / "s.mov", tmp_path / "r.mkv", named=True)
    assert film_journal.folder_of(named) == tmp_path / ".colorbatch" / "films" / "r.mkv"
