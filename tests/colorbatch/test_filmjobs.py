"""Which films are found, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorbatch import filmjobs
from colorbatch.errors import UsageError
from colorbatch.files import Job


@pytest.fixture
def reels(tmp_path: Path) -> Path:
    folder = tmp_path / "reels"
    for name in ("b.mov", "A.MP4", "deep/c.avi", "deep/notes.txt", ".hidden.mkv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_folders_are_searched_and_mirrored(reels: Path, tmp_path: Path) -> None:
    """By suffix in any case, sorted; two folders keep their names; each film once."""
    found = filmjobs.find_films([reels, reels / "b.mov"], tmp_path / "out")
    assert [each.below.as_posix() for each in found] == ["A.MP4", "b.mov", "deep/c.avi"]
    assert not any(each.named for each in found)
    two = filmjobs.find_films([reels / "deep", reels], tmp_path / "out")
    assert [each.below.as_posix() for each in two] == ["deep/c.avi", "reels/A.MP4", "reels/b.mov"]


@pytest.mark.parametrize(
    ("source", "output", "container", "wanted"),
    [
        ("b.mov", "out", "mov", "out/b.mov"),
        ("b.mov", "out", "mkv", "out/b.mkv"),
        ("A.MP4", "out", "mp4", "out/A.MP4"),
        ("deep/c.avi", None, "mp4", "reels/deep/c_colorized.mp4"),
        ("b.mov", "out/new.mkv", "mkv", "out/new.mkv"),
    ],
)
def test_results_are_named_after_their_source(
    reels: Path, tmp_path: Path, source: str, output: str | None, container: str, wanted: str
) -> None:
    """With the suffix of their container, the source's own where it means that."""
    place = tmp_path / output if output else None
    [found] = filmjobs.find_films([reels / source], place)
    assert filmjobs.job_of(found, place, container).target == tmp_path / wanted


def test_what_is_refused(reels: Path, tmp_path: Path) -> None:
    """One name for several films, an output that is a source, nothing to do, two for one name."""
    for sources, output, words in (
        ([reels], tmp_path / "one.mkv", "names one film"),
        ([reels / "b.mov", reels / "A.MP4"], tmp_path / "one.mkv", "names one film"),
        ([reels], reels, "is a source"),
        ([tmp_path / "none"], None, "no such file"),
        ([reels / "b.mov"], tmp_path / "b.avi", "written as"),
    ):
        with pytest.raises(UsageError, match=words):
            filmjobs.find_films(sources, output)
    jobs = [Job(reels / "a.mov", tmp_path / "A.mkv"), Job(reels / "a.avi", tmp_path / "a.mkv")]
    with pytest.raises(UsageError, match="would both become"):
        filmjobs.refuse_clashes(jobs)
    with pytest.raises(UsageError, match="the target is a source"):
        filmjobs.refuse_clashes([Job(reels / "b.mov", reels / "b.mov")])


def test_results_beside_their_sources_are_no_sources(reels: Path) -> None:
    """Without an output, what an earlier run made is passed over."""
    (reels / "b_colorized.mov").write_bytes(b"x")
    found = filmjobs.find_films([reels], None)
    assert "b_colorized.mov" not in [each.source.name for each in found]
