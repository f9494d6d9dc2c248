"""The photographs of a folder: files of the formats that are read and written."""

from __future__ import annotations

from pathlib import Path

from colorbatch.formats.registry import SUFFIXES, WRITTEN
from colorbatch.inputs import picture_files

PHOTOGRAPHS = frozenset(suffix for format_ in WRITTEN for suffix in SUFFIXES[format_])


def find_photographs(folder: Path, skip: Path | None = None) -> list[Path]:
    """All below a folder but those below `skip`, recursive and sorted. Raises UsageError if it is
    no folder."""
    return picture_files.find_pictures(folder, PHOTOGRAPHS, skip)
