"""The one folder beside the results: whole or not there, and nothing fails for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from colorbatch.fs import cache


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that is not there yet."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "a/b"))
    return tmp_path / "a/b"


def test_what_is_kept_is_read(place: Path) -> None:
    """The bytes, under their name alone; the folder is made, for its owner."""
    assert cache.read("one") is None
    assert cache.keep("one", b"bytes") and cache.keep("one", b"other bytes")
    assert cache.read("one") == b"other bytes"
    assert cache.read("two") is None
    assert [path.name for path in place.iterdir()] == ["one"] == cache.names("o")
    if os.name == "posix":
        assert place.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_what_is_damaged_is_not_there(place: Path, damage: bytes | None) -> None:
    """Cut short, of another kind, or with one bit turned over."""
    cache.keep("one", bytes(1000))
    whole = bytearray((place / "one").read_bytes())
    whole[500] ^= 1
    (place / "one").write_bytes(whole if damage is None else damage)
    assert cache.read("one") is None
    assert cache.keep("one", b"again") and cache.read("one") == b"again"


def test_none_is_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked, in whatever letters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.VARIABLE, "None")
    assert cache.folder() is None
    assert not cache.keep("one", b"bytes")
    assert cache.read("one") is None and cache.names("") == []
    assert not list(tmp_path.iterdir())


def test_a_folder_for_what_libraries_keep(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made, for its owner; none without a cache, and none where it cannot be."""
    assert cache.subfolder("engines") == place / "engines" == cache.subfolder("engines")
    if os.name == "posix":
        assert place.stat().st_mode & 0o077 == 0
        assert (place / "engines").stat().st_mode & 0o077 == 0
    (place / "file").write_bytes(b"")
    assert cache.subfolder("file/engines") is None
    monkeypatch.setenv(cache.VARIABLE, "none")
    assert cache.subfolder("engines") is None


def test_without_a_word_it_is_the_systems_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Linux below XDG_CACHE_HOME."""
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache.folder() == tmp_path / "colorbatch"


def test_a_place_that_cannot_be_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the folder should be, and a folder where the file should be."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    assert not cache.keep("one", b"bytes")
    assert cache.read("one") is None and cache.names("one") == []
    (tmp_path / "one/full").mkdir(parents=True)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert not cache.keep("one", b"bytes")
    assert cache.read("one") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "one"]


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="gives a file away")
def test_code_of_another_user_is_not_run(place: Path) -> None:
    """A folder that several may write to does not make one run what another one put there."""
    cache.keep("one", b"bytes")
    os.chown(place / "one", 12345, 12345)
    assert cache.read("one") is None
