"""Sources found, and targets named."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from pathlib import Path

import pytest

from colorbatch.errors import UsageError
from colorbatch.inputs import picture_files
from colorbatch.inputs.patterns import Patterns
from colorbatch.job import Job
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)

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


def test_what_looks_like_a_result_is_a_source_where_results_go_elsewhere(tree, tmp_path):
    """With -o and --suffix a_v2.png beside a.png is a picture of its own; where the output is
    the very folder of named files, it is what they become."""
    source = tree("a.png", "a_v2.png", "x/b.jpg", "x/b_v2.jpg")
    out = tmp_path / "out"
    jobs = plan_jobs([source], out, suffix="_v2")
    assert targets(jobs, out) == ["a_v2.png", "a_v2_v2.png", "x/b_v2.jpg", "x/b_v2_v2.jpg"]
    jobs = plan_jobs([source], out, suffix="_v2", listed=["a.png", "a_v2.png"])
    assert targets(jobs, out) == ["a_v2.png", "a_v2_v2.png"]
    named = [source / "a.png", source / "a_v2.png"]
    assert targets(plan_jobs(named, out, suffix="_v2"), out) == ["a_v2.png", "a_v2_v2.png"]
    assert targets(plan_jobs(named, source, suffix="_v2"), source) == ["a_v2.png"]


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


# --- patterns ----------------------------------------------------------------------------------


def test_a_pattern_without_folders_is_what_a_shell_makes_of_it(tree, tmp_path):
    """Named files, flat below the output, sorted; no hidden ones, no junk."""
    source = tree("b.png", "a.png", "c.jpg", "x/d.png", "y/d2.png", ".h.png", "Thumbs.db")
    out = tmp_path / "out"
    jobs = plan_jobs([source / "*.png"], out)
    assert jobs == plan_jobs([source / "a.png", source / "b.png"], out)
    assert all(job.named for job in jobs)
    assert targets(plan_jobs([source / "?" / "*.png"], out), out) == ["d.png", "d2.png"]
    # folders that match are folders
    jobs = plan_jobs([source / "[xy]"], out)
    assert targets(jobs, out) == ["x/d.png", "y/d2.png"] and not any(job.named for job in jobs)
    assert targets(plan_jobs([source / "*"], source / "x"), source / "x") == [
        "a.png", "b.png", "c.jpg", "d2.png",
    ]  # fmt: skip


def test_a_pattern_with_folders_is_a_part_of_a_folder(tree, tmp_path):
    """`**`: the tree is mirrored, links to folders and junk passed over, nothing is named."""
    source = tree("a.tif", "b.PNG", "x/c.TIF", "x/y/d.tif", "x/.h.tif", ".git/e.tif")
    out = tmp_path / "out"
    jobs = plan_jobs([source / "**" / "*.tif"], out)
    assert targets(jobs, out) == ["a.tif", "x/c.TIF", "x/y/d.tif"]
    assert not any(job.named for job in jobs)
    assert targets(plan_jobs([source / "x*" / "**"], out), out) == ["x/c.TIF", "x/y/d.tif"]
    two = plan_jobs([source / "**" / "*.png", source / "**" / "c.*"], out)
    assert targets(two, out) == ["b.PNG", "x/c.TIF"]  # of one folder, which is not named then
    beside = plan_jobs([source / "**" / "d.tif"], None)
    assert [job.home for job in beside] == [source]


def test_a_pattern_is_expanded_from_here(tree, monkeypatch):
    """Relative patterns, with nothing before the wildcard."""
    monkeypatch.chdir(tree("a.png", "x/b.png"))
    assert [job.source for job in plan_jobs([Path("*.png")], Path("out"))] == [Path("a.png")]
    assert targets(plan_jobs([Path("**/*.png")], Path("out")), Path("out")) == ["a.png", "x/b.png"]


def test_a_file_is_taken_literally_first(tree, tmp_path):
    """A name with brackets is that name, whatever it would match."""
    source = tree("a[1].png", "a1.png", "[x]/**/b.png" if sys.platform != "win32" else "b.png")
    out = tmp_path / "out"
    assert targets(plan_jobs([source / "a[1].png"], out), out) == ["a[1].png"]
    if sys.platform != "win32":
        assert targets(plan_jobs([source / "[x]" / "**"], out), out) == ["b.png"]


@pytest.mark.parametrize("pattern", ["*.bmp", "**/*.bmp", "no/**/*.png", "[z].png", "**/*.txt"])
def test_a_pattern_that_matches_nothing_is_refused(tree, tmp_path, pattern):
    """In one line that names it; also beside one that does match."""
    source = tree("a.png", "notes.txt")
    with pytest.raises(UsageError, match=r"pattern|no such folder") as caught:
        plan_jobs([source / "*.png", source / pattern], tmp_path / "out")
    assert str(source / pattern) in str(caught.value)


def test_sources_of_every_sort_go_together(tree, tmp_path):
    """Files, folders, both sorts of patterns; each picture once."""
    one, two = tree("a.png", "s/b.png", root="one"), tree("c.png", "d.jpg", root="two")
    jobs = plan_jobs([one / "a.png", one, two / "*.png", two / "**" / "*.jpg"], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == ["a.png", "one/s/b.png", "c.png", "two/d.jpg"]


def test_include_and_exclude_choose_from_folders(tree, tmp_path):
    """Not from files that are named; the tree keeps its form."""
    source = tree("a.tif", "b.jpg", "x/c.tif", "x/thumbs/d.tif", "y/e.tif")
    out = tmp_path / "out"
    patterns = Patterns(("*.tif",), ("thumbs", "/y/"))
    assert targets(plan_jobs([source], out, patterns=patterns), out) == ["a.tif", "x/c.tif"]
    jobs = plan_jobs([source / "b.jpg", source], out, patterns=patterns)
    assert targets(jobs, out) == ["b.jpg", "a.tif", "x/c.tif"]
    jobs = plan_jobs([source / "**" / "c.*"], out, patterns=patterns)
    assert targets(jobs, out) == ["x/c.tif"]
    assert plan_jobs([source], out, patterns=Patterns(("*.png",))) == []


def test_an_excluded_folder_is_not_entered(tree, tmp_path, monkeypatch):
    """The system is not asked for what it holds: it may be slow, huge, or forbidden."""
    source = tree("a.png", "skip/b.png", "skip/deep/c.png")
    asked = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: asked.append(Path(path)) or scandir(path))
    assert len(plan_jobs([source], tmp_path / "out", patterns=Patterns(exclude=("skip",)))) == 1
    assert asked == [source]


# --- lists -------------------------------------------------------------------------------------


def test_a_list_keeps_its_folders(tree, tmp_path, monkeypatch):
    """Relative to SOURCE, else to the working directory; not named, in its order, each once."""
    source = tree("a.png", "x/b.png", "x/y/c.png")
    out = tmp_path / "out"
    listed = ["x/y/c.png", "a.png", "./x/../a.png", "gone/d.png"]
    jobs = plan_jobs([source], out, listed=listed)
    assert targets(jobs, out) == ["x/y/c.png", "a.png", "gone/d.png"]
    assert not any(job.named for job in jobs)
    monkeypatch.chdir(tmp_path)
    jobs = plan_jobs([], Path("out"), listed=["source/x/b.png", str(source / "a.png")])
    assert [job.source for job in jobs] == [Path("source/x/b.png"), Path("source/a.png")]
    assert targets(jobs, Path("out")) == ["source/x/b.png", "source/a.png"]
    beside = plan_jobs([Path("source")], None, listed=["x/b.png"])
    assert [(job.home, job.place) for job in beside] == [(Path("source"), "x/b_colorized.png")]


def test_absolute_paths_share_a_folder(tree, tmp_path, monkeypatch):
    """Elsewhere than here the tree begins where the listed files part."""
    source = tree("box/a.png", "box/x/b.png")
    monkeypatch.chdir(tree(root="here"))
    listed = [str(source / "box" / "a.png"), str(source / "box" / "x" / "b.png")]
    out = tmp_path / "out"
    assert targets(plan_jobs([], out, listed=listed), out) == ["a.png", "x/b.png"]
    assert targets(plan_jobs([source], out, listed=listed), out) == ["box/a.png", "box/x/b.png"]
    assert targets(plan_jobs([], out, listed=["../source/box/a.png"]), out) == ["a.png"]


@needs_links
def test_a_list_may_know_the_folder_by_another_name(tree, tmp_path):
    """A link to SOURCE, or SOURCE given as a link."""
    source = tree("x/a.png")
    (tmp_path / "link").symlink_to(source)
    out = tmp_path / "out"
    for one, other in ((source, tmp_path / "link"), (tmp_path / "link", source)):
        jobs = plan_jobs([one], out, listed=[str(other / "x" / "a.png")])
        assert targets(jobs, out) == ["x/a.png"] and jobs[0].source == one / "x" / "a.png"


def test_what_is_listed_outside_of_its_folder_is_refused(tree, tmp_path):
    """It has no place below the output; so have several folders, and files, as SOURCE."""
    source = tree("a.png", "x/b.png")
    for outside in ("../a.png", "x/../../a.png", str(tmp_path / "a.png"), ".."):
        with pytest.raises(UsageError, match="not below"):
            plan_jobs([source], tmp_path / "out", listed=["a.png", outside])
    for sources in ([source, source / "x"], [source / "a.png"]):
        with pytest.raises(UsageError, match="at most one SOURCE"):
            plan_jobs(sources, tmp_path / "out", listed=["a.png"])
    with pytest.raises(UsageError, match="there may be several"):
        plan_jobs([source], tmp_path / "out.png", listed=["a.png"])
    with pytest.raises(UsageError, match="never written to"):
        plan_jobs([source], source, listed=["x/b.png"])
    assert plan_jobs([source / "x"], source, listed=["b.png"])[0].target == source / "b.png"


def test_patterns_and_the_output_folder_hold_for_lists(tree, tmp_path):
    """Results of earlier runs, and what is left out, are no sources."""
    source = tree("a.png", "b.jpg", "out/a.png", "a_colorized.png")
    listed = ["a.png", "b.jpg", "out/a.png", ".", "a_colorized.png"]
    jobs = plan_jobs([source], source / "out", listed=listed, patterns=Patterns(exclude=("*.jpg",)))
    assert targets(jobs, source / "out") == ["a.png", "a_colorized.png"]
    assert targets(plan_jobs([source], None, listed=listed[:2] + listed[-1:]), source) == [
        "a_colorized.png", "b_colorized.jpg",
    ]  # fmt: skip
    assert plan_jobs([source], source / "out", listed=[]) == []


@pytest.mark.skipif(os.sep == "\\", reason="these are usual names there")
def test_a_list_from_windows_is_understood(tree, tmp_path):
    """Backslashes are folders, unless there is a file of that name."""
    source = tree("x/a.png", "x/b.png", "x\\b.png")
    out = tmp_path / "out"
    jobs = plan_jobs([source], out, listed=["x\\a.png", "x\\b.png", "x\\gone.png"])
    assert targets(jobs, out) == ["x/a.png", "x\\b.png", "x\\gone.png"]


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits whole paths")
def test_a_name_too_long_for_its_result_is_planned(tree, tmp_path):
    """It is an outcome of its own, not the end of the planning; beside its source, or listed."""
    source = tree("x" * 248 + ".png", "a.png")
    assert len(plan_jobs([source], None)) == 2
    assert len(plan_jobs([source], tmp_path, listed=["y" * 300, "a.png"], suffix="-c")) == 2


# --- parts of the work -------------------------------------------------------------------------


def test_parts_are_chosen_by_the_results_place_alone(tree, tmp_path):
    """Every job is in one part; order, other files, the output's name and the system's way to write
    a name change nothing."""
    names = [f"box {index % 5}/{index}.png" for index in range(90)] + ["\xe9.png"]
    jobs = plan_jobs([tree(*names)], tmp_path / "out")
    for parts in (1, 2, 3, 7):
        shares = [picture_files.shard(jobs, part, parts) for part in range(1, parts + 1)]
        assert sorted(job.place for share in shares for job in share) == sorted(
            job.place for job in jobs
        )
        assert min(map(len, shares)) > len(jobs) / parts / 3
    third = {job.place for job in picture_files.shard(jobs, 3, 3)}
    fewer = plan_jobs([tmp_path / "source" / "box 1"], tmp_path / "elsewhere" / "box 1")
    moved = [Job(job.source, job.target, home=tmp_path / "elsewhere") for job in fewer]
    assert {job.place for job in picture_files.shard(moved[::-1], 3, 3)} == {
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
        assert picture_files.shard([job], number % 4 + 1, 4) == [job]


def test_a_source_by_another_name_is_never_a_target(tree, tmp_path):
    """As a disk that takes no notice of letter case has it: IMG.JPG is there as img.jpg as well;
    and hard links in other folders. What no one else is called is replaced."""
    source = tree("IMG.JPG", "b.png")
    out = tree("other.png", root="out")
    try:
        os.link(source / "IMG.JPG", source / "img.jpg")
        os.link(source / "b.png", out / "b.png")
    except FileExistsError:  # such a disk
        os.link(source / "b.png", out / "b.png")
    with pytest.raises(UsageError, match=r"img\.jpg.*never written to"):
        plan_jobs([source / "IMG.JPG"], source / "img.jpg")
    with pytest.raises(UsageError, match=r"b\.png by another name.*never written to"):
        plan_jobs([source / "IMG.JPG", source / "b.png"], out)
    [job] = plan_jobs([source / "b.png"], out / "other.png")
    assert job.target == out / "other.png"


# --- what is passed over, and what cannot be ------------------------------------------------------


def test_every_usual_suffix_of_a_read_format_is_taken(tree, tmp_path):
    """What cameras, phones and browsers call JPEG, HEIC, JPEG 2000 and BMP."""
    names = ["a.jfif", "b.jpe", "c.jif", "d.mpo", "e.jpf", "f.j2c", "g.jpc", "h.dib", "i.JFIF"]
    jobs = plan_jobs([tree(*names, "j.hif")], tmp_path / "out")
    assert targets(jobs, tmp_path / "out") == sorted([*names, "j.jpg"])


def test_pictures_that_are_not_read_are_counted(tree, tmp_path):
    """By their suffix, as far as patterns take them; what is no picture is not."""
    source = tree("a.png", "b.psd", "deep/c.PSD", "deep/d.jxl", "notes.txt", ".e.gif", "f.dng")
    found = picture_files.Counter()
    plan_jobs([source], None, patterns=Patterns((), ("*.dng",)), passed_over=found)
    assert found == {".psd": 2, ".jxl": 1}


def test_pairs_for_one_target_are_counted_with_a_way_out(tree, tmp_path):
    """Phones export a picture as HEIC and as JPEG; all is refused, and how to go on is said."""
    source = tree("I_1.HEIC", "I_1.JPG", "I_2.HEIC", "I_2.JPG", "I_3.heic", "I_3.jpg")
    with pytest.raises(UsageError) as caught:
        plan_jobs([source], tmp_path / "out")
    assert "I_1.HEIC and" in str(caught.value)
    assert 'so in 2 more pairs; --exclude "*.heic" leaves' in str(caught.value)
    jobs = plan_jobs([source], tmp_path / "out", patterns=Patterns((), ("*.heic",)))
    assert targets(jobs, tmp_path / "out") == ["I_1.JPG", "I_2.JPG", "I_3.jpg"]
    with pytest.raises(UsageError, match=r"1 more pair; name no \.heic beside"):
        plan_jobs(sorted(source.iterdir())[:4], tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_leads_nowhere_is_named_so(tree, tmp_path):
    """Given as a source it is there, and yet no file."""
    link = tree("a.png") / "b.png"
    link.symlink_to("gone.png")
    with pytest.raises(UsageError, match=r"b\.png: a link that leads nowhere"):
        plan_jobs([link], tmp_path / "out")
