"""What patterns mean. Expected values follow gitignore's and rsync's well-known behaviour."""

from __future__ import annotations

import pytest

from colorbatch.errors import UsageError
from colorbatch.inputs.patterns import Patterns, expand, is_pattern, split


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("*.tif", "a.tif", True),
        ("*.tif", "box/deep/A.TIF", True),  # no slash: at any depth, in any letter case
        ("*.tif", "a.tiff", False),
        ("box/*.tif", "box/a.tif", True),
        ("box/*.tif", "box/deep/a.tif", False),  # a star stays within a name
        ("box/*.tif", "other/box/a.tif", False),  # with a slash: from the top on
        ("/a.tif", "a.tif", True),
        ("/a.tif", "box/a.tif", False),
        ("./a.tif", "box/a.tif", False),
        ("**/b/*.tif", "b/x.tif", True),
        ("**/b/*.tif", "a/c/b/x.tif", True),
        ("a/**/x.tif", "a/x.tif", True),
        ("a/**/x.tif", "a/b/c/x.tif", True),
        ("a/**", "a/b/c.tif", True),
        ("a/**", "ab/c.tif", False),
        ("box", "deep/Box/er/x.tif", True),  # a folder is all that it holds
        ("box/", "box/x.tif", True),
        ("box", "box.tif", False),
        ("scan ?.tif", "scan 1.tif", True),
        ("scan ?.tif", "scan 10.tif", False),
        ("[ab]*.tif", "bild.tif", True),
        ("[!ab]*.tif", "bild.tif", False),
        ("!a.tif", "!a.tif", True),  # nothing is negated, nothing a comment
        ("#1*", "#1 a.tif", True),
        ("{a,b}.tif", "a.tif", False),  # braces are letters, as Windows writes GUIDs
        ("{a,b}.tif", "{a,b}.tif", True),
        (".hidden*", ".hidden.tif", True),
        ("Fot\xf6*", "foto\u0308 1.tif", True),  # NFC and NFD are one name
        ("caf?.tif", "caf\udce9.tif", True),  # names that are no text
    ],
)
def test_what_a_pattern_means(pattern, path, meant):
    """The same for include and exclude."""
    assert Patterns(include=(pattern,)).take(path) is meant
    assert Patterns(exclude=(pattern,)).take(path) is not meant
    assert Patterns(exclude=(pattern,)).enter(path) is not meant


def test_exclude_wins_and_nothing_given_means_everything():
    """Several includes are alternatives; what is excluded stays so."""
    assert Patterns().take("a/b.tif")
    both = Patterns(("*.tif", "*.jpg"), ("thumbs", "a/x.tif"))
    meant = {
        "b.tif": True, "b.jpg": True, "b.png": False, "a/x.tif": False,
        "a/thumbs/b.tif": False, "Thumbs/b.jpg": False,
    }  # fmt: skip
    assert {path: both.take(path) for path in meant} == meant
    assert both.enter("a") and not both.enter("a/thumbs")


def test_a_pattern_may_be_narrowed():
    """As `scans/**/*.tif` with --include and --exclude."""
    taken = Patterns(("box*/",), ("*_old.*",)).and_below("**/*.tif")
    assert taken.take("box 1/a.tif")
    assert not taken.take("box 1/a.jpg")
    assert not taken.take("other/a.tif")
    assert not taken.take("box 1/a_old.tif")


@pytest.mark.parametrize("empty", ["", "/"])
def test_an_empty_pattern_is_refused(empty):
    """It would mean nothing, or everything."""
    for patterns in ({"include": (empty,)}, {"exclude": ("*.tif", empty)}):
        with pytest.raises(UsageError, match="empty"):
            Patterns(**patterns)


def test_a_pattern_is_split_before_its_first_wildcard(tmp_path):
    """Only those with `**` as a whole part; others are expanded as a shell does."""
    assert split(tmp_path / "a" / "b*" / "**" / "*.tif") == (tmp_path / "a", "b*/**/*.tif")
    assert split(tmp_path / "a**" / "*.tif") is None
    assert is_pattern(tmp_path / "[a].tif") and not is_pattern(tmp_path / "a.tif")
    for name in ("b.tif", "a.tif", ".hidden.tif", "sub/c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert expand(tmp_path / "*.tif") == [tmp_path / "a.tif", tmp_path / "b.tif"]
    assert expand(tmp_path / "*") == [tmp_path / name for name in ("a.tif", "b.tif", "sub")]
