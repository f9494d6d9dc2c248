"""A lock on a folder: who holds it, and what happens where there are none."""

from __future__ import annotations

import errno
import os
import platform
import re

import pytest

from colorbatch.errors import LockedError, TargetError
from colorbatch.fs.locks import FolderLock


@pytest.mark.slow
def test_a_lock_is_held_by_one_and_names_it(tmp_path):
    """The second one is told host and process; given back, it is free, and the note is gone."""
    one, other = FolderLock(tmp_path, "a"), FolderLock(tmp_path, "a")
    one.acquire()
    assert one.held
    for attempt in (other.acquire, other.refuse_if_held):
        with pytest.raises(LockedError, match=f"process {os.getpid()} on {platform.node()}"):
            attempt()
    assert not other.held
    one.release()
    other.refuse_if_held()
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]
    other.acquire()
    other.release()
    other.release()


def test_names_lock_apart(tmp_path):
    """Two shards do not wait for each other."""
    one, other = FolderLock(tmp_path, "a"), FolderLock(tmp_path, "b")
    one.acquire()
    other.acquire()
    assert one.held and other.held
    one.release()
    other.release()


@pytest.mark.slow
def test_a_torn_note_is_no_crash(tmp_path):
    """A holder that cannot be read is one without a name."""
    one = FolderLock(tmp_path, "a")
    one.acquire()
    (tmp_path / "a.holder").write_text('{"host": ')
    with pytest.raises(LockedError, match="another run is at work here"):
        FolderLock(tmp_path, "a").refuse_if_held()
    one.release()


@pytest.mark.parametrize(("code", "fails"), [(errno.ENOSYS, False), (errno.EACCES, True)])
def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog, code, fails):
    """Work goes on there, and says so; any other refusal is one line."""
    lock = FolderLock(tmp_path, "a")

    def refuse(**_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(lock._lock, "acquire", refuse)
    if fails:
        with pytest.raises(TargetError, match="cannot be locked"):
            lock.acquire()
    else:
        lock.acquire()
        assert "no locks here" in caplog.text
    assert not lock.held
    lock.release()


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOSPC])
def test_the_lock_of_one_file_leaves_nothing(tmp_path, monkeypatch, code):
    """After a clean end, where there are no locks, and where its note finds no room."""
    target = tmp_path / "a.png"
    lock = FolderLock(tmp_path, "a", of=target)
    lock.acquire()
    with pytest.raises(LockedError, match=re.escape(f"{target}: another run is at work here")):
        FolderLock(tmp_path, "a", of=target).refuse_if_held()
    lock.release()
    assert not list(tmp_path.iterdir())

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    (tmp_path / "a.lock").touch()
    if code == errno.ENOSYS:
        monkeypatch.setattr(lock._lock, "acquire", refuse)
        lock.acquire()
    else:
        monkeypatch.setattr("pathlib.Path.write_text", refuse)
        with pytest.raises(TargetError, match="No space left"):
            lock.acquire()
    assert not lock.held
    assert not list(tmp_path.iterdir())
