"""Where paths really lead, through links and from folders on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from colorbatch.fs import real_paths


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A link to a folder that holds a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    link = tmp_path / "link"
    try:
        link.symlink_to(tmp_path / "real", target_is_directory=True)
    except OSError:
        pytest.skip("this system gives no links")
    return link


def test_links_are_followed(linked: Path) -> None:
    """Of a file in a linked folder, of a linked file, and of what is not there."""
    real = Path(os.path.realpath(linked.parent)) / "real"
    assert real_paths.real_file(linked / "a.png") == real / "a.png"
    assert real_paths.real_file(linked / "missing.png") == real / "missing.png"
    (linked.parent / "b.png").symlink_to(real / "a.png")
    assert real_paths.real_file(linked.parent / "b.png") == real / "a.png"


def test_below_a_folder_through_a_link(linked: Path) -> None:
    """Either of the two may be given through it; what lies elsewhere is not below."""
    real = linked.parent / "real"
    assert real_paths.name_below(linked / "a.png", real) == Path("a.png")
    assert real_paths.name_below(real / "deep" / "a.png", linked) == Path("deep/a.png")
    assert real_paths.name_below(real.parent / "a.png", real) is None


def test_what_is_remembered_is_forgotten(linked: Path) -> None:
    """A link that leads elsewhere meanwhile."""
    before = real_paths.real_folder(linked)
    (linked.parent / "other").mkdir()
    linked.unlink()
    linked.symlink_to(linked.parent / "other", target_is_directory=True)
    assert real_paths.real_folder(linked) == before
    real_paths.forget()
    assert real_paths.real_folder(linked).name == "other"


def test_the_folder_of_all(tmp_path: Path) -> None:
    """The deepest one, and none over two drives."""
    paths = [tmp_path / "a" / "b" / "1.png", tmp_path / "a" / "2.png"]
    assert real_paths.common_folder(paths) == tmp_path / "a"
    if sys.platform == "win32":
        with pytest.raises(UsageError, match="several drives"):
            real_paths.common_folder([Path("C:/a/1.png"), Path("D:/a/1.png")])


def test_names_that_no_system_takes_do_not_exist(tmp_path: Path) -> None:
    """Rather than an error of the system."""
    assert real_paths.exists(tmp_path)
    assert not real_paths.exists(tmp_path / ("x" * 5000))
