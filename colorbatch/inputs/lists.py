"""Lists of files that somebody else made: text, or CSV from a catalogue. Bytes in, paths out.

Nothing is asked of the listed files; whether they are there is found out when they are read.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from colorbatch.errors import UsageError
from colorbatch.fs import real_paths
from colorbatch.fs.atomic import reachable
from colorbatch.inputs.patterns import Patterns

COLUMNS = ("path", "file", "filename", "source", "sourcefile")
"""Headers of the column that holds paths, where there are others; the last is exiftool's."""
TABLES = {".csv": ",;\t", ".tsv": "\t"}
"""Suffix of a table -> what may stand between its columns."""


def read_list_file(name: str, column: str | None = None) -> list[str]:
    """The paths of a list in a file, or of standard input, "-". Raises UsageError."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            data = reachable(Path(name)).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot read this list: {error.strerror or error}") from error
    return read_list(data, name, column)


def read_list(data: bytes, name: str, column: str | None = None) -> list[str]:
    """The paths of a list, in order, each once. name: of the list, for its suffix and for errors.

    Tables are told by their suffix, .csv or .tsv, or by a `column` that is asked for; the first
    line is their header. Other lists hold a path in each line, or are separated by NUL where there
    is one. UTF-8 or UTF-16 with a byte order mark, or UTF-8 without. Raises UsageError.
    """
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    is_table = suffix in TABLES or column is not None
    text = _decoded(data, name, strict=is_table or sys.platform == "win32")
    if is_table:
        paths = _column(text, name, TABLES.get(suffix, TABLES[".csv"]), column)
    elif "\0" in text:
        paths = text.split("\0")
    else:
        paths = [line.removesuffix("\r") for line in text.split("\n")]
    return list(dict.fromkeys(path for path in paths if path.strip()))


def _decoded(data: bytes, name: str, *, strict: bool) -> str:
    """The text. Without `strict`, bytes that are no UTF-8 are kept as in names of files."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows PowerShell's `>`
        encoding, errors = "utf-16", "strict"
    else:
        encoding, errors = "utf-8-sig", "strict" if strict else "surrogateescape"
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: this list is not UTF-8", "save it as UTF-8") from error


def _column(text: str, name: str, separators: str, wanted: str | None) -> list[str]:
    """One column of a table. Raises UsageError where it is not there, or not clear which it is."""
    if "\0" in text:
        raise UsageError(f"{name}: this is no table of text")
    head = text[: text.find("\n")] if "\n" in text else text
    separator = max(separators, key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise UsageError(f"{name}: this is no table: {error}") from error
    header = [title.strip() for title in rows[0]] if rows else []
    there = ", ".join(header) or "none"
    titles = [title.casefold() for title in header]
    if len(titles) == 1 and not {".", "/", "\\"}.isdisjoint(titles[0]):  # it would be lost
        raise UsageError(f"{name}: a table begins with a line that names its columns, not {there}")
    if wanted is not None:
        found = [index for index, title in enumerate(titles) if title == wanted.strip().casefold()]
        if len(found) != 1:
            raise UsageError(f"{name}: there is no one column {wanted}; there are: {there}")
    else:
        known = [index for index, title in enumerate(titles) if title in COLUMNS]
        found = [0] if len(titles) == 1 else known
        if len(found) != 1:
            advice = "--column NAME says which one holds the paths"
            raise UsageError(f"{name}: the columns are {there}", advice)
    [index] = found
    return [row[index] for row in rows[1:] if len(row) > index]


def pictures_of(
    listed: Sequence[str], sources: Sequence[Path], patterns: Patterns, skip: Path | None
) -> tuple[Path, list[tuple[Path, Path]]]:
    """The folder of a list, and its pictures, each with its path below that folder.

    The folder is the one of `sources`, or else the deepest that holds all. What the patterns leave
    out or what lies below `skip` is passed over. Raises UsageError.
    """
    if len(sources) > 1 or not all(source.is_dir() for source in sources):
        raise UsageError("beside --files-from there is at most one SOURCE, the folder of its paths")
    root = sources[0] if sources else Path()
    paths = [path for text in listed if (path := _as_listed(root, text)) != root]
    names = [real_paths.name_below(path, root) for path in paths]
    if None in names:
        if sources:
            raise UsageError(f"{paths[names.index(None)]}: listed, but not below {root}")
        root = real_paths.common_folder(paths)
        names = [real_paths.name_below(path, root) for path in paths]
    if skip is not None and not skip.is_relative_to(real_paths.real(root)):
        skip = None
    pictures = [
        (root / name, name)
        for name in names
        if name is not None
        and patterns.take(name.as_posix())
        and not (skip and real_paths.real_folder((root / name).parent).is_relative_to(skip))
    ]
    return root, pictures


def _as_listed(root: Path, text: str) -> Path:
    """A listed path; with `/` for `\\` where the list is from Windows and we are not there."""
    path = root / text
    if os.sep == "/" and "\\" in text and not real_paths.exists(path):
        other = root / text.replace("\\", "/")
        path = other if real_paths.exists(other) else path
    if path.name == "..":
        return real_paths.real(path)
    return real_paths.real_folder(path.parent) / path.name if ".." in path.parts else path
