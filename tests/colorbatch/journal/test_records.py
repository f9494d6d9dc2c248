"""What a journal's line says about a target, and when it no longer holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os

import pytest

from colorbatch.job import Job
from colorbatch.journal import records
from colorbatch.journal.records import Made, Record, is_file, record_of, source_stamp, verdict


@pytest.fixture
def job(tmp_path):
    """A source of four bytes, and the place of its result."""
    source, home = tmp_path / "a.png", tmp_path / "out"
    source.write_bytes(b"grey")
    home.mkdir()
    return Job(source, home / "a.png", home=home)


def record(job, data=b"colored", **values):
    made = Made(*source_stamp(job.source), "settings", "model", "colored", "grey")
    made = dataclasses.replace(made, **values)
    return record_of(job, made, len(data), hashlib.sha256(data).hexdigest())


def judged(job, line, settings="settings", model="model", **words):
    return verdict(job, line, lambda made: settings, lambda: model, **words)


def test_a_line_is_read_as_it_was_written(job):
    """Through JSON and back, names that are not text included."""
    odd = dataclasses.replace(job, target=job.home / "caf\udce9\n.png")
    written = record(odd)
    line = written.to_line("named")
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert Record.from_line(json.loads(line)) == written


@pytest.mark.parametrize("name", ["target", "target_size", "settings", "at", "source_mtime_ns"])
def test_a_line_that_lacks_something_is_none(job, name):
    """Missing fields, and fields of another type."""
    values = json.loads(record(job).to_line("named"))
    assert Record.from_line(values) is not None
    assert Record.from_line({**values, name: None}) is None
    assert Record.from_line({**values, name: True}) is None
    del values[name]
    assert Record.from_line(values) is None


def test_what_is_not_there_is_to_do(job):
    """Without a file there is nothing finished, whatever the journal says."""
    assert judged(job, None) == ("", False)
    assert judged(job, record(job)) == ("", False)
    job.target.write_bytes(b"")  # nobody's result
    assert judged(job, record(job)) == ("", False)


def test_each_difference_has_its_name(job):
    """The source comes before the model, the model before the settings."""
    job.target.write_bytes(b"colored")
    line = record(job)
    assert judged(job, line) == (records.FINISHED, False)
    assert judged(job, line, settings="x") == (records.OTHER_SETTINGS, True)
    assert judged(job, line, settings="x", model="x") == (records.OTHER_MODEL, True)
    assert judged(job, record(job, model=""), model="x") == (records.FINISHED, False)
    status = job.source.stat()
    os.utime(job.source, ns=(status.st_atime_ns, status.st_mtime_ns + 5_000))
    assert judged(job, line, settings="x", model="x") == (records.SOURCE_CHANGED, True)
    assert judged(job, None) == (records.NOT_OURS, False)
    job.target.write_bytes(b"retouched")
    assert judged(job, line) == (records.RESULT_CHANGED, False)


def test_another_size_at_the_same_time_is_another_source(job):
    """Size counts where a clock does not tell."""
    job.target.write_bytes(b"colored")
    line = record(job)
    status = job.source.stat()
    job.source.write_bytes(b"longer")
    os.utime(job.source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert judged(job, line) == (records.SOURCE_CHANGED, True)


def test_a_source_that_has_gone_leaves_its_result_finished(job):
    """An archive that is not mounted does not make results outdated."""
    job.target.write_bytes(b"colored")
    line = record(job)
    job.source.unlink()
    assert judged(job, line) == (records.FINISHED, False)


def test_a_skipped_source_is_skipped_until_something_changes(job):
    """What has no result is to do again with other settings."""
    line = record(job, b"", outcome="skipped", reason="in color")
    assert judged(job, line) == ("in color", False)
    assert judged(job, line, settings="x") == ("", False)


def test_a_retouched_result_of_the_same_size_is_not_written_over(job):
    """Uncompressed pictures keep their size when they are retouched: the content decides, and is
    read only where a result would be replaced."""
    line = record(job)
    for data, reason, outdated in (
        (b"colored", records.OTHER_SETTINGS, True),
        (b"COLORED", records.RESULT_CHANGED, False),
    ):
        job.target.write_bytes(data)
        assert judged(job, line, settings="x", replace=True) == (reason, outdated)
        assert judged(job, line, settings="x") == (records.OTHER_SETTINGS, True)
        assert judged(job, line, replace=True) == (records.FINISHED, False)


def test_a_file_older_than_the_skip_of_its_source_is_still_ours(job):
    """With settings that skip no more, the file is judged by what it was made with."""
    job.target.write_bytes(b"colored")
    skip, older = (
        record(job, b"", outcome="skipped", reason="in color", settings="skip"),
        record(job),
    )
    assert judged(job, skip, settings="skip", older=older) == ("in color", False)
    assert judged(job, skip, older=older) == (records.FINISHED, False)
    assert judged(job, skip, settings="x", older=older) == (records.OTHER_SETTINGS, True)
    assert judged(job, skip) == (records.NOT_OURS, False)
    job.target.write_bytes(b"COLORED")
    changed = judged(job, skip, settings="x", older=older, replace=True)
    assert changed == (records.RESULT_CHANGED, False)
    job.target.unlink()
    assert judged(job, skip, older=older) == ("", False)


def test_a_file_is_known_by_its_content(job):
    """Size and SHA-256; a file that cannot be read is not that file."""
    line = record(job)
    assert not is_file(job.target, line)
    job.target.write_bytes(b"colored")
    assert is_file(job.target, line)
    job.target.write_bytes(b"COLORED")
    assert not is_file(job.target, line)
