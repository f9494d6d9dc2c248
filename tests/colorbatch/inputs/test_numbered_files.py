"""Which frames are a sequence: real folders, and what is refused in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorbatch.errors import UsageError
from colorbatch.inputs import numbered_files
from colorbatch.inputs.numbered_files import FrameSequence


def fill(folder, *names):
    """Empty files: sequences are told by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def shape(sequence):
    """What tests compare: pattern and numbers."""
    return sequence.pattern, sequence.numbers


def numbered(pattern, *numbers):
    return [pattern % number for number in numbers]


# --- folders -----------------------------------------------------------------------------------


def test_a_folder_of_numbered_frames(tmp_path):
    """One sequence, in the order of numbers, with its common name and digits."""
    fill(tmp_path, *numbered("reel1_%06d.dpx", 86400, 86402, 86401), "notes.txt", ".hidden_1.dpx")
    found = numbered_files.of_folder(tmp_path)
    [sequence] = found.sequences
    assert shape(sequence) == ("reel1_%06d.dpx", (86400, 86401, 86402))
    assert (sequence.first, sequence.last, sequence.digits) == (86400, 86402, 6)
    assert list(sequence.paths()) == [tmp_path / f"reel1_0{n}.dpx" for n in range(86400, 86403)]
    assert sequence.path(86401) == sequence.folder / "reel1_086401.dpx"
    assert found.others == ()


def test_numbers_sort_as_numbers(tmp_path):
    """Without zeros before them too: 10 comes after 9."""
    fill(tmp_path, *numbered("f%d.exr", 8, 9, 10, 100))
    [sequence] = numbered_files.of_folder(tmp_path).sequences
    assert shape(sequence) == ("f%d.exr", (8, 9, 10, 100))


def test_numbers_that_outgrow_their_digits(tmp_path):
    """9999 is followed by 10000."""
    fill(tmp_path, *numbered("f%04d.dpx", 9998, 9999, 10000))
    [sequence] = numbered_files.of_folder(tmp_path).sequences
    assert shape(sequence) == ("f%04d.dpx", (9998, 9999, 10000))
    assert sequence.gaps == ()


def test_several_sequences_in_one_folder(tmp_path):
    """By name, by suffix, and by how the number is written; none loses a frame."""
    fill(
        tmp_path,
        *numbered("a_%04d.dpx", 1, 2, 3),
        *numbered("b_%04d.dpx", 7, 8),
        *numbered("a_%04d.exr", 1, 2),
        *numbered("a_%02d.dpx", 1, 2),
        "title.dpx",
    )
    found = numbered_files.of_folder(tmp_path)
    assert [shape(one) for one in found.sequences] == [
        ("a_%02d.dpx", (1, 2)),
        ("a_%04d.dpx", (1, 2, 3)),
        ("a_%04d.exr", (1, 2)),
        ("b_%04d.dpx", (7, 8)),
    ]
    assert found.others == (tmp_path / "title.dpx",)


def test_the_number_is_the_last_one(tmp_path):
    """Names hold other numbers: years, takes."""
    fill(tmp_path, *numbered("1923 reel 2 (take 3)_%05d.tif", 1, 2))
    [sequence] = numbered_files.of_folder(tmp_path).sequences
    assert shape(sequence) == ("1923 reel 2 (take 3)_%05d.tif", (1, 2))


@pytest.mark.parametrize("name", ["IMG_%04d.jpg", "DSC_%04d.JPG", "_MG_%04d.tif", "P101%04d.jpeg"])
def test_photographs_of_a_camera_are_no_film(tmp_path, name):
    """What cameras number is told apart, and the error says how to mean it."""
    fill(tmp_path, *numbered(name, 1, 2, 3))
    with pytest.raises(UsageError, match="photographs") as caught:
        numbered_files.of_folder(tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert shape(numbered_files.of_pattern(str(tmp_path / name))) == (name, (1, 2, 3))


def test_a_scan_named_like_a_photograph_is_film(tmp_path):
    """No camera writes DPX."""
    fill(tmp_path, *numbered("IMG_%04d.dpx", 1, 2))
    assert len(numbered_files.of_folder(tmp_path).sequences) == 1


@pytest.mark.parametrize(
    "names",
    [
        ["portrait.jpg", "scan_1.jpg", "scan_2.jpg"],
        ["a_1.tif", "a_2.tif", "b_1.tif"],
        ["only_0001.png"],
        ["mother.jpg", "father.jpg"],
        ["a_1.tif", "a_2.tif", "a_1.jpg"],
    ],
)
def test_mixed_stills_are_no_sequence(tmp_path, names):
    """TIFF, PNG and JPEG only where all of a folder's pictures are one sequence of two or more."""
    fill(tmp_path, *names)
    with pytest.raises(UsageError, match="not one sequence"):
        numbered_files.of_folder(tmp_path)
    assert list(numbered_files.below(tmp_path)) == []


def test_folders_without_frames(tmp_path):
    """One line each for a folder without pictures and for none."""
    with pytest.raises(UsageError, match="no numbered frames"):
        numbered_files.of_folder(fill(tmp_path, "film.mkv"))
    with pytest.raises(UsageError, match="cannot list"):
        numbered_files.of_folder(tmp_path / "missing")


def test_films_are_found_below_a_folder(tmp_path):
    """In the order of names, folder by folder; photographs, hidden folders, links and the output
    are passed over."""
    fill(tmp_path / "b" / "deep", *numbered("x_%03d.dpx", 1, 2))
    fill(tmp_path / "a", *numbered("f%04d.png", 1, 2))
    fill(tmp_path / "photos", *numbered("IMG_%04d.jpg", 1, 2))
    fill(tmp_path / ".cache", *numbered("f%04d.dpx", 1, 2))
    fill(tmp_path / "out", *numbered("f%04d.dpx", 1, 2))
    (tmp_path / "zz").symlink_to(tmp_path / "a", target_is_directory=True)
    found = list(numbered_files.below(tmp_path, skip=tmp_path / "out"))
    assert [one.folder for each in found for one in each.sequences] == [
        tmp_path / "a",
        tmp_path / "b" / "deep",
    ]


# --- patterns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("f_%04d.dpx", (1, 2, 12345)),
        ("f_####.dpx", (1, 2, 12345)),
        ("f_%4d.dpx", (1, 2, 12345)),
        ("f_%d.dpx", (7, 12345)),
        ("f_%06d.dpx", (3,)),
    ],
)
def test_patterns(tmp_path, pattern, numbers):
    """%06d, ####, %d: names that printf would write, and no others."""
    names = ["f_0001.dpx", "f_0002.dpx", "f_12345.dpx", "f_7.dpx", "f_000003.dpx"]
    fill(tmp_path, *names, "f_x.dpx", "f_0001.exr", "ff_0009.dpx", "f_0001_.dpx")
    text = str(tmp_path / pattern)
    assert numbered_files.is_pattern(text)
    assert numbered_files.of_pattern(text).numbers == numbers


def test_a_pattern_in_the_working_folder(tmp_path, monkeypatch):
    """Without a folder before it; what is special to shells and regular expressions is not."""
    monkeypatch.chdir(fill(tmp_path, "a[1]+(x) 0001.tif", "a[1]+(x) 0002.tif"))
    assert numbered_files.of_pattern("a[1]+(x) %04d.tif").numbers == (1, 2)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("f_0001.dpx", "one number"),
        ("%d_%04d.dpx", "one number"),
        ("f_%04d.mkv", "DPX, EXR"),
        ("f_%04d.dpx", "no frame"),
        ("missing/f_%04d.dpx", "cannot list"),
        ("f_%099d.dpx", "1 to 20 digits"),
    ],
)
def test_patterns_that_mean_nothing(tmp_path, pattern, said):
    """Each with its reason, before any work."""
    with pytest.raises(UsageError, match=said):
        numbered_files.of_pattern(str(tmp_path / pattern))


def test_names_that_are_no_patterns():
    """A folder with a number sign, a per cent sign: not in the file's name, not a field."""
    assert not numbered_files.is_pattern("reel #3/film.mkv".replace("/", os.sep))
    assert not numbered_files.is_pattern("100% grey.tif")


@given(st.sets(st.integers(0, 10**9), min_size=1, max_size=50), st.integers(1, 8))
def test_names_and_numbers_are_one_to_one(numbers, digits):
    """What is found of written names is what was written."""
    made = FrameSequence(Path("x"), "a_1.", digits, ".dpx", tuple(sorted(numbers)))
    names = [made.name(number) for number in made.numbers]
    found = [shape(one) for one in numbered_files._found(Path("x"), names).sequences]
    assert sorted(n for _, each in found for n in each) == sorted(numbers)
    smallest = len(names[0]) - len("a_1..dpx")
    assert found == [(made.pattern, made.numbers)] or smallest > digits


# --- gaps --------------------------------------------------------------------------------------


def test_gaps_stop_unless_allowed():
    """Each gap is named, with how much is missing."""
    made = FrameSequence(Path("r"), "f", 3, ".dpx", (1, 2, 5, 6, 8))
    assert (made.gaps, made.missing) == (((3, 4), (7, 7)), 3)
    with pytest.raises(UsageError, match=r"frames 3-4, 7 are missing \(3 of 8\).*--allow-gaps"):
        numbered_files.check_gaps(made)
    assert "3-4, 7" in numbered_files.check_gaps(made, allowed=True)


def test_many_gaps_stay_one_line():
    """Every other frame of a reel: five gaps and a count."""
    made = FrameSequence(Path("r"), "f", 1, ".dpx", tuple(range(0, 2000, 2)))
    line = numbered_files.check_gaps(made, allowed=True)
    assert "1, 3, 5, 7, 9 and 994 more gaps" in line and len(line) < 120


def test_no_gaps_no_line():
    """A whole reel has nothing to say."""
    made = FrameSequence(Path("r"), "f", 1, ".dpx", (4, 5, 6))
    assert numbered_files.check_gaps(made) == ""
    assert "frames 4 to 6" in str(made)


def test_stills_are_chosen_evenly() -> None:
    """And each once where there are fewer than asked for."""
    assert numbered_files.spread(range(100, 160), 3) == [110, 130, 150]
    assert numbered_files.spread((4, 9), 7) == [4, 9]
