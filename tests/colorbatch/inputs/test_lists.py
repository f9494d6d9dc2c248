"""Lists as people and programs make them."""

from __future__ import annotations

import csv
import io
import sys

import pytest

from colorbatch.errors import UsageError
from colorbatch.inputs.lists import read_list

NAMES = ["a.tif", "box 1/b ä 日.jpg", "#c.png", " d.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize("ends", [True, False])
def test_text_in_every_form(encoding, separator, ends):
    """Linux, Windows, `find -print0` and PowerShell; with and without a break at the end."""
    if (encoding, separator) == ("utf-16", "\0"):
        pytest.skip("nothing writes that")
    text = separator.join(NAMES) + (separator if ends else "")
    assert read_list(text.encode(encoding), "list.txt") == NAMES


def test_empty_lines_and_repetitions_are_left_out():
    """Each path once, in the order of its first line."""
    assert read_list(b"b\n\n  \na\nb\n\r\n", "-") == ["b", "a"]
    assert read_list(b"", "list") == []


def test_with_nul_line_breaks_are_part_of_names():
    """That is what NUL is for."""
    assert read_list(b"two\nlines.png\0b.png\0", "-") == ["two\nlines.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode on this system")
def test_bytes_that_are_no_text_are_names():
    """As `find` prints those of old disks; the same text as os.fsdecode gives."""
    assert read_list(b"caf\xe9.png\n", "list.txt") == ["caf\udce9.png"]


def table(rows, delimiter=","):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("title", ["path", "File", "FILENAME", " source ", "SourceFile"])
def test_the_column_is_known_by_its_usual_names(delimiter, title):
    """In any letter case, between other columns; separators as of several countries."""
    rows = [["id", title, "note"], ["1", "a, b; c.tif", 'said "no"'], ["2", "x\ny.tif", ""]]
    assert read_list(table(rows, delimiter), "list.csv") == ["a, b; c.tif", "x\ny.tif"]


def test_a_column_may_be_asked_for_or_be_the_only_one():
    """Cells that are empty and rows that are short are left out; BOM and CRLF as Excel's."""
    rows = [["Signatur", "Scan"], ["1", "a.tif"], ["2", ""], ["3"], ["4", "b.tif"]]
    assert read_list(b"\xef\xbb\xbf" + table(rows), "x.CSV", "scan") == ["a.tif", "b.tif"]
    assert read_list(table(rows), "-", "Scan") == ["a.tif", "b.tif"]  # then it is a table
    assert read_list(table([["Scan"], ["a.tif"]]), "x.csv") == ["a.tif"]
    assert read_list(b"id\tpath\n1\ta,b.tif\n", "x.tsv") == ["a,b.tif"]


@pytest.mark.parametrize(
    ("data", "column", "reason"),
    [
        (b"id,scan\n1,a.tif\n", None, "the columns are id, scan; --column NAME"),
        (b"path,filename\na,b\n", None, "the columns are path, filename; --column NAME"),
        (b"id,scan\n1,a.tif\n", "path", "no one column path; there are: id, scan"),
        (b"scan,scan\na,b\n", "scan", "no one column scan"),
        (b"box/a.tif\nbox/b.tif\n", None, "begins with a line that names its columns"),
        (b"", None, "the columns are none"),
        (b"path\ncaf\xe9.tif\n", None, "not UTF-8; save it as UTF-8"),
        (b"path\0\n", None, "no table"),
        (b'path\n"' + b"x" * 200_000, None, "this is no table: "),
    ],
)
def test_what_is_not_clear_is_refused(data, column, reason):
    """One line that says what to do; a first path is never taken for a header."""
    with pytest.raises(UsageError) as caught:
        read_list(data, "list.csv", column)
    assert reason in str(caught.value) and str(caught.value).startswith("list.csv: ")
