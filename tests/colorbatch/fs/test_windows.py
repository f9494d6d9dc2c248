"""Names as Windows takes them, on any system."""

from __future__ import annotations

import ntpath
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from colorbatch.fs.windows import extended, refused_by_windows, refused_part

REFUSED = [
    "CON", "nul", "NUL.png", "com1.tar.gz", "LPT9.tif", "COM\xb2.png", "CONIN$", "aux .png",
    "a.", "a ", "a.png.", "...", "a<b", "a>b", "a:b.png", 'a"b', "a|b", "a?.png", "a*", "a\nb",
    "a\x00", "a\\b",
]  # fmt: skip
TAKEN = [
    "a.png", "CONSOLE.png", "NULL", "COM.png", "COM10.png", "LPT", " a", ".a", "a..b", "a b.png",
    "(1) [2] {3}.png", "日本.png", "a'b.png", "\N{GRINNING FACE}.png", "a.con",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_windows_refuses(name):
    """Devices, what ends in dot or space, what has a meaning in paths; the reason says which."""
    assert refused_by_windows(name)


@pytest.mark.parametrize("name", TAKEN)
def test_names_that_windows_takes(name):
    """Also those that only look like devices."""
    assert refused_by_windows(name) == ""


@pytest.mark.skipif(not hasattr(ntpath, "isreserved"), reason="Python 3.13 brought it")
def test_python_says_the_same():
    """The standard library's own rule, where it is there."""
    names = [name for name in REFUSED + TAKEN if "\\" not in name]  # there it parts paths
    assert [name for name in names if ntpath.isreserved(name)] == [
        name for name in names if refused_by_windows(name)
    ]


def test_reasons_say_what_is_wrong():
    """For people who have to give a file another name."""
    assert refused_by_windows("a?b*.png") == "it has * ? in it"
    assert refused_by_windows("a.") == "it ends with a dot"
    assert refused_by_windows("a ") == "it ends with a space"
    assert refused_by_windows("nul.png") == "NUL is a device"


def test_the_whole_path_is_looked_at():
    """Drives, shares, `.` and `..` are no names; folders are."""
    assert refused_part(PureWindowsPath(r"C:\a\..\b.png")) == ""
    assert refused_part(PureWindowsPath(r"\\server\share\a.png")) == ""
    assert refused_part(PureWindowsPath(r"C:\aux\a.png")) == "aux: AUX is a device"
    assert refused_part(PurePosixPath("out/12:30/a.png")) == "12:30: it has : in it"


LONG = "\\".join(["folder of scans"] * 20)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (rf"C:\{LONG}\a.png", rf"\\?\C:\{LONG}\a.png"),
        (rf"\\server\share\{LONG}", rf"\\?\UNC\server\share\{LONG}"),
        (rf"C:\{LONG}\x\..\.\a.png", rf"\\?\C:\{LONG}\a.png"),  # nothing is resolved behind \\?\
        (rf"C:/{LONG}/a.png", rf"\\?\C:\{LONG}\a.png"),
        (rf"\\?\C:\{LONG}", rf"\\?\C:\{LONG}"),
        (r"C:\short\a.png", r"C:\short\a.png"),
    ],
)
def test_long_paths_get_the_prefix(path, expected):
    """Expected values are those of Microsoft's page on the maximum path length."""
    assert str(extended(PureWindowsPath(path))) == expected


def test_the_limit_is_that_of_folders():
    """A folder ends before 248 characters, and every file in it may need the room."""
    path = PureWindowsPath("C:\\" + "x" * 244)
    assert len(str(path)) == 247
    assert extended(path) == path
    assert str(extended(path.with_name("x" * 245))).startswith("\\\\?\\C:\\xxx")
    assert str(extended(PureWindowsPath("C:\\a"), 0)) == r"\\?\C:\a"


def test_a_prefixed_path_can_be_worked_with():
    """Parent, name and children of a prefixed path are prefixed paths."""
    path = extended(PureWindowsPath(rf"C:\{LONG}\a.png"))
    assert path.name == "a.png"
    assert str(path.with_name("b")) == rf"\\?\C:\{LONG}\b"
    assert str(path.parent / "c" / "d") == rf"\\?\C:\{LONG}\c\d"
