"""The names of pictures, of the table of formats."""

from __future__ import annotations

from pathlib import Path

from colorbatch.stills.names import PICTURES


def test_names_of_pictures() -> None:
    """What is read, written, only read, and only counted; a folder may be called new.raw."""
    assert PICTURES.plain(Path("A.JPEG")) == ".jpg" and PICTURES.plain(Path("a.xyz")) == ".xyz"
    assert PICTURES.results[".heic"] == ".jpg"
    assert ".heic" in PICTURES.sources - PICTURES.written and ".png" in PICTURES.written
    assert not PICTURES.not_read & PICTURES.sources
    assert {".heic", ".gif"} <= PICTURES.no_folders and ".raw" not in PICTURES.no_folders
    assert PICTURES.written_in_words.startswith("JPEG, PNG, TIFF")
