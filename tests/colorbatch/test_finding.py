"""Sources found, and targets named."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from colorbatch import finding
from colorbatch.errors import UsageError
from colorbatch.files import Job
from colorbatch.finding import plan_jobs

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
needs_bytes_names = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="names are Unicode on this system"
)


@pytest.fixture
def tree(tmp_path):
    """Make empty files below a fresh folder, by relative name; returns the folder."""

    def make(*names, root="source"):
        folder = tmp_path / root
        folder.mkdir(exist_ok=True)
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return folder

    return make


def targets(jobs, root):
    return [job.target.relative_to(root).as_posix() for job in jobs]


# --- finding -----------------------------------------------------------------------------------


def test_the_tree_is_mirrored_in_order(tree, tmp_path):
    """Results have the source's names in the source's folders, sorted, in any letter case."""
    source = tree("b.JPG", "a.png", "deep/er/c.tiff", "deep/d.webp", "notes.txt", "e.tif", "f.jpeg")
    jobs = plan_jobs([source], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == [
        "a.png", "b.JPG", "e.tif", "f.jpeg", "deep/d.webp", "deep/er/c.tiff",
    ]  # fmt: skip
    assert all(job.source == source / job.target.relative_to(tmp_path / "out") for job in jobs)
    assert not any(job.named for job in jobs)


def test_junk_is_passed_over(tree, tmp_path):
    """Hidden files and folders, thumbnails and our own temporaries are no pictures."""
    source = tree(
        "a.png", "._a.png", ".hidden.png", ".git/x.png", "Thumbs.db", "thumbs.DB", "desktop.ini",
        ".colorbatch-99-abc.png", "sub/.DS_Store",
    )  # fmt: skip
    assert targets(plan_jobs([source], tmp_path / "out"), tmp_path / "out") == ["a.png"]


def test_several_folders_keep_their_own_names(tree, tmp_path):
    """Two folders do not mix below the output."""
    first, second = tree("a.png", root="one"), tree("a.png", "s/b.png", root="two")
    jobs = plan_jobs([first, second], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == ["one/a.png", "two/a.png", "two/s/b.png"]


def test_the_current_folder_has_a_name_too(tree, tmp_path, monkeypatch):
    """`colorbatch images . ../two` puts the first below its real name."""
    monkeypatch.chdir(tree("a.png", root="one"))
    tree("a.png", root="two")
    jobs = plan_jobs([Path(), Path("../two")], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == ["one/a.png", "two/a.png"]


def test_a_file_named_twice_is_done_once(tree, tmp_path):
    """A file and the folder that holds it make one job."""
    source = tree("a.png", "b.png")
    jobs = plan_jobs([source / "a.png", source, source / "." / "b.png"], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == ["a.png", "b.png"]
    assert jobs[0].named


def test_one_file_may_be_given_its_target_name(tree, tmp_path):
    """-o NAME.ext writes that file, in a folder that need not exist."""
    source = tree("a.png")
    [job] = plan_jobs([source / "a.png"], tmp_path / "new" / "x.jpg")
    assert job.target == tmp_path / "new" / "x.jpg"
    (tmp_path / "dir.png").mkdir()  # a folder, whatever its name
    [job] = plan_jobs([source / "a.png"], tmp_path / "dir.png")
    assert job.target == tmp_path / "dir.png" / "a.png"


def test_suffix_and_format_change_the_name(tree, tmp_path):
    """The suffix stands before the new ending; dots inside of names stay."""
    source = tree("a.b.tif")
    [job] = plan_jobs([source], tmp_path / "out", suffix="-c", new_suffix=".png")
    assert job.target.name == "a.b-c.png"


def test_without_output_results_stand_beside_and_are_no_sources(tree):
    """A second run finds the same jobs, with the results of the first beside them."""
    source = tree("a.png", "sub/b.jpg")
    first = plan_jobs([source], None)
    assert targets(first, source) == ["a_colorized.png", "sub/b_colorized.jpg"]
    for job in first:
        job.target.write_bytes(b"")
    assert plan_jobs([source], None) == first


def test_results_in_another_format_are_no_sources_either(tree):
    """`a_colorized.png` beside `a.jpg` is an earlier result with --format png."""
    source = tree("a.jpg", "b.TIF", "c.Tiff", "d.e.png")
    first = plan_jobs([source], None, new_suffix=".png")
    for job in first:
        job.target.write_bytes(b"")
    assert plan_jobs([source], None, new_suffix=".png") == first


def test_the_same_command_with_named_files_goes_on(tree):
    """`colorbatch images *.png` a second time finds results among the names, and leaves them."""
    source = tree("a.png", "b.png")
    first = plan_jobs(sorted(source.glob("*.png")), None)
    for job in first:
        job.target.write_bytes(b"")
    assert plan_jobs(sorted(source.glob("*.png")), None) == first


def test_a_source_that_only_looks_like_a_result_is_done(tree):
    """Without its original, `x_colorized.png` is a picture like any other."""
    source = tree("x_colorized.png", "_colorized.png")
    assert targets(plan_jobs([source], None), source) == [
        "_colorized_colorized.png", "x_colorized_colorized.png",
    ]  # fmt: skip


def test_the_output_folder_inside_the_source_is_no_source(tree):
    """Results below the source folder are not found again."""
    source = tree("a.png", "out/a.png", "out/sub/b.png", "sub/out/c.png")
    jobs = plan_jobs([source], source / "out")
    assert targets(jobs, source / "out") == ["a.png", "sub/out/c.png"]


@needs_links
def test_the_output_folder_is_known_through_links(tree, tmp_path):
    """A link to the output inside of the source changes nothing."""
    source = tree("a.png", "out/a.png")
    (tmp_path / "link").symlink_to(source / "out")
    assert len(plan_jobs([source], tmp_path / "link")) == 1


@needs_links
def test_links_in_a_circle_end(tree, tmp_path):
    """Folders that link to themselves, and files that do, do not hang or stop the search."""
    source = tree("a.png", "sub/b.png")
    (source / "sub" / "again").symlink_to(source)
    (source / "loop.png").symlink_to(source / "loop.png")
    (source / "gone.png").symlink_to(source / "missing.png")
    jobs = plan_jobs([source], tmp_path / "out")
    assert {"a.png", "sub/b.png"} < set(targets(jobs, tmp_path / "out"))
    assert len(jobs) <= 4


@pytest.mark.parametrize(
    "name",
    ["with space.png", "Fotö 日本 \N{GRINNING FACE}.png", "-o.png", "a'b\"c.png"],
)
def test_odd_names_are_names(tree, tmp_path, name):
    """Spaces, quotes, dashes and emoji."""
    if sys.platform == "win32" and '"' in name:
        pytest.skip("Windows allows no quotes in names")
    assert targets(plan_jobs([tree(name)], tmp_path / "out"), tmp_path / "out") == [name]


@needs_bytes_names
def test_names_that_are_not_text(tree, tmp_path):
    """Names that are not UTF-8, and names with line breaks, from old disks."""
    source = tree()
    for name in (b"caf\xe9.png", b"two\nlines.png"):
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(b"")
    jobs = plan_jobs([source], tmp_path / "out")
    assert [os.fsencode(job.target.name) for job in jobs] == [b"caf\xe9.png", b"two\nlines.png"]


# --- refusing ----------------------------------------------------------------------------------


def test_what_is_not_there_is_refused(tree, tmp_path):
    """A missing source is found before any work."""
    with pytest.raises(UsageError, match="no such file or folder"):
        plan_jobs([tree("a.png"), tmp_path / "missing"], tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "new_suffix"),
    [(["a.tif", "a.jpg"], ".png"), (["x/a.tif", "x/a.tiff"], ".tif")],
)
def test_two_sources_for_one_target_are_both_named(tree, tmp_path, names, new_suffix):
    """A change of format may bring two pictures to one name."""
    source = tree(*names)
    with pytest.raises(UsageError) as caught:
        plan_jobs([source], tmp_path / "out", new_suffix=new_suffix)
    for name in names:
        assert str(source / name) in str(caught.value)


@pytest.mark.parametrize(
    ("one", "two"), [("a.png", "A.png"), ("Straße.png", "STRASSE.png"), ("\xe9.png", "e\u0301.png")]
)
def test_names_that_other_systems_take_for_one_are_refused(tree, tmp_path, one, two):
    """Twins in case or Unicode form would overwrite each other on Windows and macOS."""
    source = tree(one, two)
    if len(list(source.iterdir())) < 2:
        pytest.skip("this file system takes them for one itself")
    with pytest.raises(UsageError, match="both become"):
        plan_jobs([source], tmp_path / "out")


def test_files_of_one_name_from_two_places_are_refused(tree, tmp_path):
    """Named files all go to the output's top."""
    one, two = tree("a.png", root="one"), tree("a.png", root="two")
    with pytest.raises(UsageError, match="both become"):
        plan_jobs([one / "a.png", two / "a.png"], tmp_path / "out")


def test_sources_are_never_targets(tree, tmp_path):
    """Output equal to the source, as folder, as file, or by way of an empty suffix."""
    source = tree("a.png", "sub/a.png")
    for sources, output in (
        ([source], source),
        ([source], source / "sub" / ".."),
        ([source / "a.png"], source),
        ([source / "a.png"], source / "a.png"),
        ([source / "sub", source / "a.png"], source),
    ):
        with pytest.raises(UsageError, match=r"never written to|both become"):
            plan_jobs(sources, output)
    with pytest.raises(UsageError, match="never written to"):
        plan_jobs([source], None, suffix="")


@needs_links
def test_a_link_to_the_source_is_the_source(tree, tmp_path):
    """The output is compared by what it is, not by its name."""
    source = tree("a.png")
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(UsageError, match="never written to"):
        plan_jobs([source], tmp_path / "link")


# --- parts of the work -------------------------------------------------------------------------


def test_parts_are_chosen_by_the_results_place_alone(tree, tmp_path):
    """Every job is in one part; order, other files, the output's name and the system's way to write
    a name change nothing."""
    names = [f"box {index % 5}/{index}.png" for index in range(90)] + ["\xe9.png"]
    jobs = plan_jobs([tree(*names)], tmp_path / "out")
    for parts in (1, 2, 3, 7):
        shares = [finding.shard(jobs, part, parts) for part in range(1, parts + 1)]
        assert sorted(job.place for share in shares for job in share) == sorted(
            job.place for job in jobs
        )
        assert min(map(len, shares)) > len(jobs) / parts / 3
    third = {job.place for job in finding.shard(jobs, 3, 3)}
    fewer = plan_jobs([tmp_path / "source" / "box 1"], tmp_path / "elsewhere" / "box 1")
    moved = [Job(job.source, job.target, home=tmp_path / "elsewhere") for job in fewer]
    assert {job.place for job in finding.shard(moved[::-1], 3, 3)} == {
        place for place in third if place.startswith("box 1/")
    }
    one, two = (
        Job(Path(name), tmp_path / name, home=tmp_path) for name in ("\xe9.png", "e\u0301.png")
    )
    assert one.place == two.place


def test_part_numbers_are_for_ever():
    """Machines of different versions must agree: SHA-256 of the place, as written down here."""
    home = Path("out")
    jobs = [Job(Path("x"), home / name, home=home) for name in ("a.png", "b/c.tif", "d.jpg")]
    for job in jobs:
        number = int(hashlib.sha256(job.place.encode()).hexdigest()[:16], 16)
        assert finding.shard([job], number % 4 + 1, 4) == [job]
