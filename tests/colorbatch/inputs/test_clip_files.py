"""Which films are found, and what they are called."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from colorbatch.ffmpeg import CONTAINERS
from colorbatch.inputs import clip_files

find_films = functools.partial(clip_files.find_films, containers=CONTAINERS)
job_of = functools.partial(clip_files.job_of, containers=CONTAINERS)


@pytest.fixture
def reels(tmp_path: Path) -> Path:
    folder = tmp_path / "reels"
    for name in ("b.mov", "A.MP4", "deep/c.avi", "deep/notes.txt", ".hidden.mkv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_folders_are_searched_and_mirrored(reels: Path, tmp_path: Path) -> None:
    """By suffix in any case, sorted; two folders keep their names; each film once."""
    found = find_films([reels, reels / "b.mov"], tmp_path / "out")
    assert [each.below.as_posix() for each in found] == ["A.MP4", "b.mov", "deep/c.avi"]
    assert not any(each.named for each in found)
    two = find_films([reels / "deep", reels], tmp_path / "out")
    assert [each.below.as_posix() for each in two] == ["deep/c.avi", "reels/A.MP4", "reels/b.mov"]


def test_films_of_tapes_and_cameras_are_found(tmp_path: Path) -> None:
    """Suffixes that capture programs, camcorders and encoders give; and no other."""
    known = "m2t m2p mod tod vro asf m1v mpe mjpg mjpeg y4m h264 264 hevc 265 divx rm dv mts"
    names = known.split()
    for name in (*names, "moi", "txt", "wav", "srt"):
        (tmp_path / f"tape_{name}.{name.upper()}").write_bytes(b"x")
    found = find_films([tmp_path], tmp_path / "out")
    assert {each.source.suffix[1:].lower() for each in found} == set(names)


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
    [found] = find_films([reels / source], place)
    assert job_of(found, place, container).target == tmp_path / wanted


def test_what_is_refused(reels: Path, tmp_path: Path) -> None:
    """One name for several films, an output that is a source, nothing to do."""
    for sources, output, words in (
        ([reels], tmp_path / "one.mkv", "names one film"),
        ([reels / "b.mov", reels / "A.MP4"], tmp_path / "one.mkv", "names one film"),
        ([reels], reels, "is a source"),
        ([tmp_path / "none"], None, "no such file"),
        ([reels / "b.mov"], tmp_path / "b.avi", "written as"),
    ):
        with pytest.raises(UsageError, match=words):
            find_films(sources, output)


def test_results_beside_their_sources_are_no_sources(reels: Path) -> None:
    """Without an output, what an earlier run made is passed over."""
    (reels / "b_colorized.mov").write_bytes(b"x")
    found = find_films([reels], None)
    assert "b_colorized.mov" not in [each.source.name for each in found]


# --- numbered frames ---------------------------------------------------------------------------


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two sequences in a folder, one below it, beside a film and photographs."""
    folder = tmp_path / "scans"
    names = ["a_001.dpx", "a_002.dpx", "b_1.dpx", "c.mov", "photos/IMG_0001.jpg"]
    names += ["photos/IMG_0002.jpg", "deep/d_10.tif", "deep/d_11.tif"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_sequences_are_found_among_films(scans: Path, tmp_path: Path) -> None:
    """Frames are mirrored by their folder; those of the folder itself were named."""
    found = find_films([scans], tmp_path / "out")
    told = [(each.source.name, each.below.as_posix(), each.named) for each in found]
    assert told == [
        ("c.mov", "c.mov", False),
        ("a_%03d.dpx", ".", True),
        ("b_%d.dpx", ".", True),
        ("d_%02d.tif", "deep", False),
    ]
    places = [clip_files.folder_of_frames(each, tmp_path / "out") for each in found[1:]]
    assert places == [tmp_path / "out", tmp_path / "out", tmp_path / "out" / "deep"]


def test_a_pattern_is_a_film(scans: Path, tmp_path: Path) -> None:
    """Also with number signs; the same frames by pattern and by folder are one film."""
    [found] = find_films([scans / "a_###.dpx"], None)
    assert found.sequence is not None and found.sequence.numbers == (1, 2) and found.named
    assert clip_files.folder_of_frames(found, None) == tmp_path / "scans_colorized"
    deep = scans / "deep"
    both = find_films([deep, deep / "d_%d.tif"], None)
    assert len(both) == 1


def test_several_folders_of_frames_keep_their_names(scans: Path, tmp_path: Path) -> None:
    """Whether they are given as folders or as patterns."""
    found = find_films([scans / "a_%03d.dpx", scans / "deep"], tmp_path / "out")
    places = [clip_files.folder_of_frames(each, tmp_path / "out") for each in found]
    assert places == [tmp_path / "out" / "scans", tmp_path / "out" / "deep"]


def test_frames_that_became_one_film(scans: Path, tmp_path: Path) -> None:
    """A name of a film is for a folder with one sequence and nothing else."""
    [found] = find_films([scans / "deep"], tmp_path / "d.mov")
    assert found.sequence is not None
    with pytest.raises(UsageError, match="names one film"):
        find_films([scans], tmp_path / "d.mov")


def test_films_of_frames_are_beside_the_folder(scans: Path, tmp_path: Path) -> None:
    """Without an output: named by folder and frames, with their account there; none of that keeps
    the same frames from being named as one film later."""
    [found] = find_films([scans / "a_###.dpx"], None)
    job = job_of(found, None, "mkv")
    assert (job.target, job.home) == (tmp_path / "scans_a_colorized.mkv", tmp_path)
    below = find_films([scans], None)
    jobs = {job_of(each, None, "mov") for each in below if each.sequence}
    assert {(each.target, each.home) for each in jobs} == {
        (tmp_path / "scans_a_colorized.mov", tmp_path),
        (tmp_path / "scans_b_colorized.mov", tmp_path),
        (scans / "deep_d_colorized.mov", scans),
    }
    (scans / "deep" / "x_colorized.mov").write_bytes(b"x")
    assert find_films([scans / "deep"], tmp_path / "d.mov")[0].sequence is not None


def test_results_of_frames_beside_their_sources_are_no_sources(scans: Path) -> None:
    """Without an output, folders that an earlier run made are passed over."""
    (scans / "deep_colorized").mkdir()
    for name in ("d_10.tif", "d_11.tif"):
        (scans / "deep_colorized" / name).write_bytes(b"x")
    found = find_films([scans], None)
    assert {each.source.parent.name for each in found} == {"scans", "deep"}
    assert len(find_films([scans / "deep_colorized"], None)) == 1  # it was named


def test_folders_that_are_no_films_say_why(scans: Path, tmp_path: Path) -> None:
    """Photographs, nothing at all, a single frame."""
    (tmp_path / "empty").mkdir()
    for source, words in (
        (scans / "photos", "named as cameras name photographs"),
        (tmp_path / "empty", "no numbered frames"),
        (scans / "a_001.dpx", "a film is all of its frames"),
        (scans / "z_%d.dpx", "no frame has such a name"),
    ):
        with pytest.raises(UsageError, match=words):
            find_films([source], None)
