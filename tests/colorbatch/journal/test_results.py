"""The journal's promises: what is known after any end, who may work, and how fast it is read."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
import time

import pytest

from colorbatch.errors import ColorbatchError, LockedError, OutputFullError, TargetError
from colorbatch.fs import atomic
from colorbatch.fs.locks import FolderLock
from colorbatch.inputs import picture_files
from colorbatch.job import Job
from colorbatch.journal.append_log import FOLDER
from colorbatch.journal.records import Made, source_stamp
from colorbatch.journal.results import Journals
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)


@pytest.fixture
def jobs(tmp_path):
    """Three sources of different content, two of them in a folder below, and their jobs."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png", "deep/c.png"):
        (source / name).write_bytes(name.encode())
    return plan_jobs([source], tmp_path / "out")


def made(job, settings="s", model="m", outcome="colored", kind="grey", reason=""):
    return Made(*source_stamp(job.source), settings, model, outcome, kind, reason)


def write(journals, job, data=b"result", **values):
    job.target.parent.mkdir(parents=True, exist_ok=True)
    with journals.writing(job, lambda: made(job, **values)) as file:
        file.write(data)


def lines(folder, name="journal"):
    text = (folder / FOLDER / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_result_is_known_by_source_settings_and_model(jobs, tmp_path):
    """What was written is read again by another run, field by field."""
    with Journals(jobs) as one:
        one.lock()
        assert one.find(jobs[0]) is None
        write(one, jobs[0], b"colored")
        one.skip(
            jobs[1], made(jobs[1], model="", outcome="skipped", kind="color", reason="in color")
        )
    other = Journals(jobs)
    record = other.find(jobs[0])
    assert record.made == made(jobs[0])
    assert (record.target, record.source) == ("a.png", "../source/a.png")
    assert record.target_size == len(b"colored")
    assert record.target_sha256 == hashlib.sha256(b"colored").hexdigest()
    assert other.find(jobs[1]).made.reason == "in color"
    assert other.find(jobs[2]) is None


def test_a_skipped_source_does_not_make_its_file_unknown(jobs, tmp_path):
    """The last word and the file are both known, in one journal and in those of two shards."""
    for first, second in ((None, None), ((1, 2), (2, 2))):
        with Journals(jobs, first) as journals:
            journals.lock()
            write(journals, jobs[0], settings="keep")
        with Journals(jobs, second) as journals:
            journals.lock()
            journals.skip(jobs[0], made(jobs[0], outcome="skipped", reason="in color"))
        again = Journals(jobs)
        assert again.find(jobs[0]).made.outcome == "skipped"
        assert again.find_file(jobs[0]).made == made(jobs[0], settings="keep")
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[0], settings="later")
    assert Journals(jobs).find(jobs[0]).made.settings == "later"


def test_no_line_says_finished_before_file_and_folder_are_on_the_disk(jobs, tmp_path, monkeypatch):
    """In order: file, `named` line, name, folder, `finished` line; each flushed before the next."""
    events = []
    real_fsync, real_replace = os.fsync, os.replace
    descriptors = "/proc/self/fd" if os.path.exists("/proc/self/fd") else None  # noqa: PTH110
    if descriptors is None:
        pytest.skip("this system does not tell which file is flushed")

    def fsync(descriptor):
        name = os.readlink(f"{descriptors}/{descriptor}").rsplit("/", 1)[1]  # noqa: PTH115
        states = [line["state"] for line in lines(tmp_path / "out")] if "jsonl" in name else []
        events.append((name if "jsonl" not in name else "journal", tuple(states[-1:])))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr("pathlib.os.replace", lambda *a: (events.append("named"), real_replace(*a)))
    with Journals(jobs) as journals:
        journals.lock()
        events.clear()
        write(journals, jobs[1])
    temporary, *rest = events
    assert temporary[0].startswith(atomic.TEMPORARY_PREFIX)
    assert rest == [
        ("journal", ("named",)), "named", ("deep", ()), ("out", ()), ("journal", ("finished",)),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 20, 200, 10**6])
def test_a_torn_last_line_is_ignored_and_written_over_by_nothing(jobs, tmp_path, cut):
    """A journal cut anywhere in its last line keeps the others, and takes new lines behind it."""
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[0])
        write(journals, jobs[1])
    path = tmp_path / "out" / FOLDER / "journal.jsonl"
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    path.write_bytes(whole[: max(start + 1, len(whole) - cut)])
    with Journals(jobs) as journals:
        journals.lock()
        assert journals.find(jobs[0]) is not None
        write(journals, jobs[2])
    again = Journals(jobs)
    assert all(again.find(job) for job in jobs)  # b is known by its content


def test_noise_in_a_journal_is_no_crash(jobs, tmp_path):
    """Zeros, other JSON and wrong types, as power cuts leave them, are passed over."""
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[0])
    path = tmp_path / "out" / FOLDER / "journal.jsonl"
    full = lines(tmp_path / "out")[1]
    noise = [b"\0" * 50, b"[]", b"7", b'{"state": "finished"}', b"\xff\xfe"]
    noise += [json.dumps({**full, "target": "deep/b.png", "target_size": "x"}).encode()]
    noise += [json.dumps({**full, "target": "deep/c.png", "at": None}).encode()]
    path.write_bytes(path.read_bytes() + b"\n".join(noise) + b"\n")
    with Journals(jobs) as journals:
        journals.lock()
        assert journals.find(jobs[0]) is not None
        assert journals.find(jobs[1]) is None and journals.find(jobs[2]) is None


@pytest.mark.parametrize("cut", range(1, 62, 6))
def test_a_torn_first_line_does_not_end_the_folder(jobs, tmp_path, cut):
    """A head cut anywhere, by a full disk or a power cut: every later run works and knows."""
    with Journals(jobs) as journals:
        journals.lock()
    path = tmp_path / "out" / FOLDER / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:cut])
    for index in range(3):
        with Journals(jobs) as journals:
            journals.lock()
            write(journals, jobs[index])
    again = Journals(jobs)
    assert all(again.find(job) for job in jobs)


def test_a_journal_that_cannot_be_read_is_one_line(jobs, run_cli, tiny_model, tmp_path):
    """A folder by its name: exit 1 with the name, no trace of the code, and the lock is free."""
    place = tmp_path / "out" / FOLDER
    (place / "journal.jsonl").mkdir(parents=True)
    with pytest.raises(TargetError, match="cannot read this journal"):
        Journals(jobs).lock()
    result = run_cli("images", tmp_path / "source", "-o", tmp_path / "out", "-m", tiny_model)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert f"{place / 'journal.jsonl'}: cannot read this journal: " in line


def test_a_journal_of_a_later_version_is_refused(jobs, tmp_path):
    """What a later colorbatch means is not guessed."""
    folder = tmp_path / "out" / FOLDER
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"state": "journal", "version": 2, "owner": "x"}\n')
    with pytest.raises(ColorbatchError, match="version"):
        Journals(jobs).find(jobs[0])


def announce_only(journals, job, data=b"result"):
    """End as a kill does between the `named` line and the `finished` line; returns the file."""
    job.target.parent.mkdir(parents=True, exist_ok=True)
    book = journals._books[job.home]
    confirm, book.confirm = book.confirm, lambda *_: None
    write(journals, job, data)
    book.confirm = confirm


def test_a_result_that_was_named_and_not_confirmed_is_known_by_its_content(jobs, tmp_path):
    """After a kill in between: ours if it is that very file, and nobody else's work is taken."""
    with Journals(jobs) as journals:
        journals.lock()
        for job in jobs:
            announce_only(journals, job)
    jobs[1].target.write_bytes(b"resulT")  # somebody's own, of the same size
    jobs[2].target.unlink()
    dry = Journals(jobs)
    assert dry.find(jobs[0]) is not None
    assert dry.find(jobs[1]) is None and dry.find(jobs[2]) is None
    with Journals(jobs) as journals:
        journals.lock()
        assert journals.find(jobs[0]).made == made(jobs[0])
    jobs[0].target.write_bytes(b"resulT")  # it is confirmed now, and not hashed again
    assert Journals(jobs).find(jobs[0]) is not None


def test_the_journal_is_found_from_above_and_below(tmp_path):
    """Beside the sources: a folder done alone is known to a run over all of it, and back."""
    (tmp_path / "all" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        (tmp_path / "all" / name).write_bytes(b"x")
    everything = plan_jobs([tmp_path / "all"], None)
    below = plan_jobs([tmp_path / "all" / "deep"], None)
    with Journals(below) as journals:
        journals.lock()
        write(journals, below[0])
    [deep] = [job for job in everything if job.target == below[0].target]
    assert Journals(everything).find(deep) is not None
    [top] = [job for job in everything if job is not deep]
    with Journals(everything) as journals:
        journals.lock()
        write(journals, top)
        write(journals, deep, settings="later")
    assert Journals(below).find(below[0]).made.settings == "later"
    [alone] = plan_jobs([tmp_path / "all" / "a.png"], None)
    assert Journals([alone]).find(alone) is not None


def test_the_journal_moves_with_its_results(jobs, tmp_path):
    """A renamed output folder keeps its account."""
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[1])
    (tmp_path / "out").rename(tmp_path / "archive")
    moved = plan_jobs([tmp_path / "source"], tmp_path / "archive")
    assert Journals(moved).find(moved[1]) is not None


def test_one_named_file_keeps_no_journal(tmp_path):
    """-o NAME.ext leaves nothing but that file, and takes its lock once it is to be made."""
    (tmp_path / "a.png").write_bytes(b"x")
    [job] = plan_jobs([tmp_path / "a.png"], tmp_path / "b.png")
    with Journals([job]) as journals:
        assert not journals.lock(make=False)
        assert journals.lock() and not journals.lock()
        write(journals, job)
        assert journals.find(job) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


# --- locks and temporaries ---------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from colorbatch.job import Job
from colorbatch.journal.results import Journals
home = Path(sys.argv[1])
shard = tuple(map(int, sys.argv[2].split("/"))) if len(sys.argv) > 2 else None
journals = Journals([Job(home / "a", home / "a.png", home=home)], shard)
journals.lock()
owner = journals._books[home].owner
(home / f".colorbatch-{owner}.0123-4567").write_bytes(b"half")
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def hold(clean_env):
    """Start a process that holds a folder's lock and has a temporary there."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *map(str, arguments)],
            env=clean_env, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_run_says_who_is_at_work(jobs, hold, tmp_path):
    """The lock names host and process; a killed process leaves no lock, and no temporary stays."""
    out = tmp_path / "out"
    process = hold(out)
    with pytest.raises(LockedError) as caught:
        Journals(jobs).lock()
    assert f"process {process.pid} on {platform.node()}" in str(caught.value)
    [temporary] = out.glob(f"{atomic.TEMPORARY_PREFIX}*")  # a running process keeps its own
    process.kill()
    process.wait()
    with Journals(jobs) as journals:
        journals.lock()
        assert not temporary.exists()
    assert sorted(path.name for path in (out / FOLDER).iterdir()) == [
        "journal.jsonl", "journal.lock",
    ]  # fmt: skip


def test_shards_work_beside_each_other_and_beside_nothing_else(jobs, hold, tmp_path):
    """1/3 and 2/3 do not see each other; the whole, and another division, are refused."""
    out = tmp_path / "out"
    process = hold(out, "1/3")
    with Journals(jobs, (2, 3)) as journals:
        journals.lock()
        assert len(list(out.glob(f"{atomic.TEMPORARY_PREFIX}*"))) == 1
    for shard in (None, (1, 2), (2, 2), (1, 3)):
        with pytest.raises(LockedError, match=f"process {process.pid} on"):
            Journals(jobs, shard).lock()
    process.kill()
    process.wait()
    with Journals(jobs) as journals:  # it sees that nobody writes there any more
        journals.lock()
    assert not list(out.glob(f"{atomic.TEMPORARY_PREFIX}*"))


@pytest.mark.parametrize(("first", "second"), [("out", "out/deep"), ("out/deep", "out")])
def test_runs_over_folders_in_each_other_are_refused(jobs, hold, tmp_path, first, second):
    """Whoever comes second: above, below, or between a home and its targets' folders."""
    process = hold(tmp_path / first)
    home = tmp_path / second
    target = tmp_path / "out" / "deep" / "er" / "b.png"
    mine = [Job(jobs[1].source, target, home=home)]
    for _ in range(2):
        with Journals(mine) as journals, pytest.raises(LockedError, match=f"{process.pid} on"):
            journals.lock()
    assert not (home / FOLDER).exists()
    process.kill()
    process.wait()
    with Journals(mine) as journals:
        journals.lock()


def test_a_run_that_begins_between_look_and_lock_is_seen(jobs, hold, tmp_path, monkeypatch):
    """Two at the same moment: whoever looks again after its lock is taken sees the other."""
    home = tmp_path / "out" / "deep"
    real, started = FolderLock.acquire, []

    def acquire(self):
        if not started:
            started.append(hold(tmp_path / "out"))
        real(self)

    monkeypatch.setattr(FolderLock, "acquire", acquire)
    mine = [Job(jobs[1].source, home / "b.png", home=home)]
    with Journals(mine) as journals, pytest.raises(LockedError) as caught:
        journals.lock()
    assert f"process {started[0].pid} on" in str(caught.value)


def test_folders_beside_each_other_are_worked_on_at_once(jobs, hold, tmp_path):
    """A run in one box does not keep another from the next."""
    hold(tmp_path / "out" / "one")
    home = tmp_path / "out" / "two"
    with Journals([Job(jobs[0].source, home / "a.png", home=home)]) as journals:
        assert journals.lock()


def test_temporaries_of_others_are_left_alone(jobs, tmp_path):
    """Whatever does not bear this journal's sign may be somebody's work: another host's, too."""
    out = tmp_path / "out"
    foreign = [out / ".colorbatch-01234567-89ab", out / ".colorbatch-01234567.89ab-cdef"]
    (out / FOLDER).mkdir(parents=True)
    for path in foreign:
        path.write_bytes(b"x")
    head = {"state": "journal", "version": 1, "owner": "01234567"}
    (out / FOLDER / "journal-1-of-2.jsonl").write_text(json.dumps(head) + "\n")
    (out / FOLDER / "journal-1-of-2.lock").touch()
    holder = out / FOLDER / "journal-1-of-2.holder"
    holder.write_text(json.dumps({"host": "another-machine", "pid": 1}))
    for owners in (foreign, foreign[:1]):
        with Journals(jobs) as journals:
            journals.lock()
        assert [path for path in foreign if path.exists()] == owners
        holder.write_text(json.dumps({"host": platform.node(), "pid": 1}))


# --- many, at once, full -----------------------------------------------------------------------


@pytest.mark.slow
def test_many_threads_write_whole_lines(jobs, tmp_path, monkeypatch):
    """Results of eight threads: every line parses, every result is confirmed once, in groups."""
    source = jobs[0].source
    home = tmp_path / "out"
    many = [Job(source, home / f"{index}.png", home=home) for index in range(200)]
    flushes = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (flushes.append(1), real(descriptor)))
    with Journals(many) as journals:
        journals.lock()
        threads = [
            threading.Thread(
                target=lambda part=part: [write(journals, job) for job in many[part::8]]
            )
            for part in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    states = [(line["state"], line.get("target")) for line in lines(home)]
    assert len(states) == len(set(states)) == 401
    assert all(Journals(many).find(job) for job in many)
    assert len(flushes) < 2.5 * len(many)  # one per file, and the journal's shared


def whole_files(journals, jobs):
    """Results that are on the disk and have no name yet."""
    told = []
    for job in jobs:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        temporary = journals.temporary_of(job)
        with atomic.unnamed(job.target, temporary, told.append) as file:
            file.write(job.target.name.encode())
    return [(job, made(job), file) for job, file in zip(jobs, told, strict=True)]


def test_a_group_of_results_shares_one_flush(jobs, tmp_path, monkeypatch):
    """One line for each, one flush of the journal before the first name; folders and `finished`
    lines later, each folder once."""
    source, home = jobs[0].source, tmp_path / "out"
    many = [Job(source, home / f"{index % 3}/{index}.png", home=home) for index in range(30)]
    events, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("flush"), real(descriptor)))
    real_replace = os.replace
    monkeypatch.setattr("pathlib.os.replace", lambda *a: (events.append("name"), real_replace(*a)))
    with Journals(many) as journals:
        journals.lock()
        results = whole_files(journals, many)
        events.clear()
        assert journals.publish(results) == [None] * 30
        assert events[:32] == ["flush", *["name"] * 30, *events[31:32]]
        assert {line["state"] for line in lines(home)[1:31]} == {"named"}
    assert events.count("flush") == 1 + 3 + 1 + 1  # `named`, folders, the one above, `finished`
    assert all(Journals(many).find(job).target_size == len(job.target.name) for job in many)
    assert [job.target.read_bytes() for job in many] == [job.target.name.encode() for job in many]


def test_a_group_loses_only_what_is_refused(jobs, tmp_path):
    """A folder has one's name: its own error, nothing of it is left, and the others are done."""
    with Journals(jobs) as journals:
        journals.lock()
        results = whole_files(journals, jobs)
        jobs[1].target.mkdir()
        first, refused, last = journals.publish(results)
    assert first is None and last is None
    assert isinstance(refused, TargetError) and "cannot write" in str(refused)
    assert [Journals(jobs).find(job) is not None for job in jobs] == [True, False, True]
    assert not list(tmp_path.rglob(f"{atomic.TEMPORARY_PREFIX}*"))


def test_a_group_whose_journal_is_full_has_no_names(jobs, tmp_path, monkeypatch):
    """Nothing is named that no line tells of; those of another journal are not concerned."""
    other = [Job(jobs[0].source, tmp_path / "other" / "a.png", home=tmp_path / "other")]
    with Journals([*jobs, *other]) as journals:
        journals.lock()
        results = whole_files(journals, [*jobs, *other])

        def full(data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(journals._books[tmp_path / "out"], "_write", full)
        ends = journals.publish(results)
        monkeypatch.undo()
    assert [type(end) for end in ends] == [OutputFullError] * 3 + [type(None)]
    assert not any(job.target.exists() for job in jobs) and other[0].target.exists()
    assert not list(tmp_path.rglob(f"{atomic.TEMPORARY_PREFIX}*"))


@pytest.mark.slow
def test_fifty_thousand_lines_are_read_quickly(jobs, tmp_path):
    """A museum's journal is read in the time of a few pictures."""
    home = tmp_path / "out"
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[0])
    path = home / FOLDER / "journal.jsonl"
    head, named, done = lines(home)
    with path.open("w", encoding="utf-8") as file:
        print(json.dumps(head), file=file)
        for index in range(50_000):
            target = f"box {index // 100:03}/{index:05}.tif"
            print(json.dumps({**named, "target": target}), file=file)
            print(json.dumps({**done, "target": target}), file=file)
    [job] = [Job(jobs[0].source, home / "box 499/49999.tif", home=home)]
    started = time.process_time()
    assert Journals([job]).find(job).target == "box 499/49999.tif"
    # half a second on an idle core
    assert time.process_time() - started < 5


def test_a_journal_that_cannot_be_written_stops_the_run_and_loses_nothing(
    jobs, tmp_path, monkeypatch
):
    """No space for a line: no file gets its name; with space again the same journal goes on."""
    with Journals(jobs) as journals:
        journals.lock()
        write(journals, jobs[0])
        book = journals._books[tmp_path / "out"]
        real = book._write

        def half(data):
            with book._path.open("ab") as file:
                file.write(data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(book, "_write", half)
        with pytest.raises(OutputFullError, match="cannot write the journal: No space left"):
            write(journals, jobs[1])
        assert not list(jobs[1].target.parent.iterdir())
        monkeypatch.setattr(book, "_write", real)
        write(journals, jobs[2])
    known = [Journals(jobs).find(job) is not None for job in jobs]
    assert known == [True, False, True]


def test_a_source_folder_that_cannot_be_listed_has_no_record(tmp_path):
    """It stands for itself as a job, whose target is the output folder; reading finds it out."""
    job = Job(tmp_path / "locked", tmp_path / "out", home=tmp_path / "out")
    with Journals([job]) as journals:
        assert journals.find(job) is None
