"""Which files of a folder are photographs."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from training.folders import find_photographs


def test_formats_that_are_read_and_written(tmp_path: Path) -> None:
    """Those that can be trained on with nothing but what the tool needs, at any depth."""
    for name in ("b.JPG", "deep/a.tif", "c.heic", "d.txt", "own/e.png", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_photographs(tmp_path, tmp_path / "own")
    assert found == [tmp_path / "b.JPG", tmp_path / "deep" / "a.tif"]
    with pytest.raises(UsageError, match="no such folder"):
        find_photographs(tmp_path / "gone")
