"""The list of a clip's shots, written beside its result.

Flows in: lines, the account of the clip. Flows out: a file that people edit (`shot_sheet`), which
the account knows, so that it can be replaced as long as nobody has edited it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from colorbatch.clips import shot_sheet
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.shot_sheet import Line
from colorbatch.fs import atomic


def write(
    target: Path, lines: Sequence[Line], model: str, book: FilmBook, *, given: bool
) -> tuple[str, ...]:
    """Write the list beside a result; a note where it has another name than usual. given: whether
    somebody has given a list: then none is written over it, or beside it. Raises TargetError."""
    beside = shot_sheet.path_beside(target)
    atomic.remove_temporaries(beside.parent, book.account.owners)  # of a killed run
    if given and atomic.reachable(beside).exists():
        return ()
    data = shot_sheet.to_bytes(lines, model)
    path, sha256 = shot_sheet.place_of(target, data, book.account.sheets)
    if path is None:
        return ()
    book.sheet(sha256)
    atomic.make_folder(path.parent)
    with atomic.replacing(path, owner=book.owner) as file:
        file.write(data)
    edited = f"{beside.name} was edited and stays; the list of shots is in {path.name}"
    return (edited,) if path != beside else ()
