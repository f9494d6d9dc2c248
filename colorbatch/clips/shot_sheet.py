"""The list of a film's shots as a table that people edit: CSV in, rows out, and back.

Flows in: a file of any spreadsheet, or the shots of a film. Flows out: `ShotRow`s, or bytes. What
they do to a film is said in `shot_edits`. Nothing is colored, no film is read.

Columns: `start` and `end` (numbers of the first and the last frame, the film's first is 0),
`timecode` and `class` (told, never read), `action`, `saturation`, `model`, `reference`, `note`
(never read). Read are commas, semicolons and tabs between cells, any line ends, UTF-8 and UTF-16
with a byte order mark, UTF-8 without, decimal commas, and Excel's `sep=` line.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from colorbatch.clips.shot_looks import ACTIONS, ShotModel
from colorbatch.errors import ModelError, UsageError
from colorbatch.fs import atomic
from colorbatch.model.contract import embedded_models, sha256

COLUMNS = (
    *("start", "end", "timecode", "class", "action", "saturation", "model", "reference", "note"),
)
REDO = "redo"
MOST_SATURATION = 4.0
MOST_BYTES = 64 << 20
"""Of a list of shots; a larger file is none."""
ENDING = ".shots.csv"
"""Added to the name of a film for that of its list."""


@dataclass(frozen=True)
class Correction:
    """A still that was corrected by hand. sha256: of its file; frame: the number of the frame that
    it shows, or seconds: when that is shown, from the film's begin (as stills of previews are
    named)."""

    path: Path
    sha256: str
    frame: int | None = None
    seconds: Fraction | None = None


@dataclass(frozen=True)
class ShotRow:
    """What a row says of frames start to end, the last included. number: of the row, the table's
    first is 1; action: "" for what is done anyway, and `REDO`; reference: a still, None without
    one; model: that colors it, None for the run's."""

    number: int
    start: int
    end: int
    action: str = ""
    saturation: float = 1.0
    reference: Correction | None = None
    model: ShotModel | None = None


@dataclass(frozen=True)
class Own:
    """The model of a run, as a list may name it. names: its words; sha256: of its file, asked for
    where a list names another."""

    names: frozenset[str] = frozenset()
    sha256: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Sheet:
    """What somebody says of a film's shots. path: of the list, or the folder of references where
    there is no list; stills: those of such a folder."""

    path: Path
    rows: tuple[ShotRow, ...] = ()
    stills: tuple[Correction, ...] = ()

    def wrong(self, row: ShotRow, column: str, what: str) -> UsageError:
        """An error that names the cell."""
        return UsageError(f"{self.path}: row {row.number}, column {column}: {what}")


def path_beside(target: Path) -> Path:
    """Where a film's list is written."""
    return target.with_name(target.name + ENDING)


def read(path: Path, own: Own = Own()) -> Sheet:
    """A list of shots. own: the run's model. Raises UsageError, which names file, row and
    column."""
    try:
        place = atomic.reachable(path)
        if place.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: is too large for a list of shots")
        data = place.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parsed(data, path, own)


def parsed(data: bytes, path: Path, own: Own = Own()) -> Sheet:
    """The same, of its bytes. path: for errors, and what models and references are seen from."""
    table = _table(data, path)
    while table and not any(cell.strip() for cell in table[0][1]):
        table = table[1:]
    if not table:
        raise UsageError(f"{path}: is empty", "a list of shots begins with a line of column names")
    header = [cell.strip().casefold() for cell in table[0][1]]
    named = [name for name in header if name]
    for name in named:
        if name not in COLUMNS or named.count(name) > 1:
            twice = "is there twice" if name in COLUMNS else "is no column of it"
            raise UsageError(f"{path}: row {table[0][0]}: {name!r} {twice}", _known())
    if missing := [name for name in ("start", "end") if name not in named]:
        raise UsageError(f"{path}: row {table[0][0]}: no column {missing[0]}", _known())
    rows = []
    models = _Models(path.parent, own)
    for number, cells in table[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            raise UsageError(f"{path}: row {number}: has more cells than there are columns")
        found = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
        rows.append(_row(number, found, path, models))
    rows.sort(key=lambda row: row.start)
    sheet = Sheet(path, tuple(rows))
    for before, after in itertools.pairwise(rows):
        if after.start <= before.end:
            shared = f"frame {after.start} is in row {before.number} as well"
            raise sheet.wrong(after, "start", shared)
    return sheet


def _known() -> str:
    return f"columns are {', '.join(COLUMNS)}"


def _table(data: bytes, path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each row, with its number. Raises UsageError."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8", "save it as CSV UTF-8") from error
    if "\0" in text:
        raise UsageError(f"{path}: is no table of text", "save it as CSV UTF-8")
    first, skipped = text.partition("\n")[0].strip("\r"), 0
    if first.casefold().startswith("sep=") and len(first) == 5:
        separator, skipped, text = first[4], 1, text.partition("\n")[2]
    else:
        separator = max(",;\t", key=first.count)
    try:
        cells = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return list(enumerate(cells, 1 + skipped))
    except csv.Error as error:
        raise UsageError(f"{path}: is no table: {error}") from error


def _row(number: int, cells: Mapping[str, str], path: Path, models: _Models) -> ShotRow:
    def wrong(column: str, what: str) -> UsageError:
        return UsageError(f"{path}: row {number}, column {column}: {what}")

    def frame(column: str) -> int:
        text = cells.get(column, "")
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise wrong(column, f"{_shown(text)} is no number of a frame")
        return int(text)

    start, end = frame("start"), frame("end")
    if end < start:
        raise wrong("end", f"{end} is before the start, {start}")
    action = cells.get("action", "").casefold()
    if action not in ("", *ACTIONS, REDO):
        raise wrong("action", f"{_shown(action)} is none of {', '.join((*ACTIONS, REDO))}")
    text = cells.get("saturation", "") or "1"
    try:
        saturation = float(text.replace(",", "."))
    except ValueError:
        saturation = math.nan
    if not 0 <= saturation <= MOST_SATURATION:
        raise wrong("saturation", f"{_shown(text)} is no number from 0 to {MOST_SATURATION:g}")
    try:
        model = models.named(cells.get("model", ""))
    except ValueError as error:
        raise wrong("model", f"{_shown(cells['model'])}: {error}") from error
    reference = cells.get("reference", "")
    still = None
    if reference:
        try:
            still = correction(path.parent / reference.replace("\\", "/"))
        except ValueError as error:
            raise wrong("reference", f"{_shown(reference)}: {error}") from error
    return ShotRow(number, start, end, action, saturation, still, model)


class _Models:
    """The models that a list names: each is read once, however many rows name it."""

    def __init__(self, folder: Path, own: Own) -> None:
        self._folder, self._own = folder, own
        self._known: dict[str, ShotModel | None] = {}

    def named(self, text: str) -> ShotModel | None:
        """The model that a cell names, None for the run's. Raises ValueError."""
        if not text or text in self._own.names:
            return None
        if text not in self._known:
            found = self._found(text)
            self._known[text] = None if found.sha256 == self._own.sha256() else found
        return self._known[text]

    def _found(self, text: str) -> ShotModel:
        embedded = {path.stem: path for path in embedded_models()}
        path = self._folder / text.replace("\\", "/")
        if not atomic.reachable(path).is_file():
            if text not in embedded:
                names = ", ".join(embedded)
                raise ValueError(f"there is no such file, and no model of this name ({names})")
            path = embedded[text]
        try:
            return ShotModel(path, sha256(path))
        except ModelError as error:
            raise ValueError(str(error)) from error


# --- stills ------------------------------------------------------------------------------------


def correction(path: Path) -> Correction:
    """A still. Raises ValueError for one that cannot be read, or whose name has no number."""
    try:
        sha256 = atomic.sha256(path)
    except FileNotFoundError as error:
        raise ValueError("there is no such file") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    if found := OF_PREVIEW.search(path.stem):
        return Correction(path, sha256, seconds=Fraction(found[1]))
    numbers = re.findall(r"\d{1,9}", path.stem, re.ASCII)
    if not numbers:
        raise ValueError("its name has no number of a frame")
    return Correction(path, sha256, int(numbers[-1]))


OF_PREVIEW = re.compile(r"-(\d{5,}\.\d{3})-(?:before|after)", re.ASCII)
"""In the names of a preview's stills: seconds from the film's begin."""
STILLS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")


def read_folder(folder: Path) -> tuple[Correction, ...]:
    """The stills of a folder, known by the numbers of frames in their names. Raises UsageError."""
    try:
        names = sorted(path.name for path in atomic.reachable(folder).iterdir())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror or error}") from error
    found = []
    for name in names:
        if not name.startswith(".") and Path(name).suffix.lower() in STILLS:
            try:
                found.append(correction(folder / name))
            except ValueError as error:
                raise UsageError(f"{folder / name}: {error}") from error
    if not found:
        raise UsageError(f"{folder}: has no stills", f"these are read: {', '.join(STILLS)}")
    return tuple(found)


def _shown(text: str) -> str:
    """A cell in an error."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


# --- written -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A shot as it is written."""

    start: int
    end: int
    timecode: str
    kind: str
    action: str
    saturation: float = 1.0
    reference: str = ""
    model: str = ""


def to_bytes(lines: Sequence[Line], model: str) -> bytes:
    """The table: UTF-8 with a byte order mark, by which Excel knows it, commas and CRLF (RFC
    4180). model: the run's, of shots that name no other."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        told = (line.start, line.end, line.timecode, line.kind, line.action)
        writer.writerow([*told, f"{line.saturation:g}", line.model or model, line.reference, ""])
    return text.getvalue().encode("utf-8-sig")


def place_of(target: Path, data: bytes, ours: Collection[str]) -> tuple[Path | None, str]:
    """Where a film's list is to be written beside it, and its SHA-256. ours: SHA-256 of lists that
    were written before and may be replaced; a file that is none of these was edited, and stays:
    then the list has a number in its name. None where the same list is there."""
    sha256 = hashlib.sha256(data).hexdigest()
    number = 1
    while True:
        path = path_beside(target)
        if number > 1:
            path = path.with_name(f"{target.name}.shots-{number}.csv")
        place = atomic.reachable(path)
        if not os.path.lexists(place):
            break
        there = hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""
        if there == sha256:
            return None, sha256
        if there in ours:
            break
        number += 1
    return path, sha256
