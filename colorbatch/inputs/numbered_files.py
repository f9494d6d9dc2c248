"""Image sequences: which numbered frames belong together, in which order, and what is missing.

Names only: folders are listed, no frame is opened. A sequence is told by its names alone:

- A *frame's name* ends in a number before its suffix: `reel1_000123.dpx`. Frames of one folder with
  the same text before the number, the same suffix and the same way to write the number are one
  sequence.
- DPX and EXR are frames of film, whatever stands beside them: a folder may hold several sequences.
- TIFF, PNG and JPEG are what photographs are as well. A folder of them is a sequence only if its
  pictures all belong to it and are at least two, and if they are not named as cameras name
  photographs (`IMG_0001.jpg`: four characters and four digits, JEITA CP-3461, "DCF", 3.2.2). Who
  means a film by these gives the pattern `IMG_%04d.jpg`.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from colorbatch.errors import SourceError, UsageError
from colorbatch.fs.atomic import reachable
from colorbatch.fs.real_paths import real
from colorbatch.inputs.picture_files import is_junk

SCAN_SUFFIXES = frozenset({".dpx", ".exr"})
STILL_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg"})
FRAME_SUFFIXES = SCAN_SUFFIXES | STILL_SUFFIXES

_NUMBERED = re.compile(r"(.*?)(\d+)(\.[^.]+)", re.DOTALL | re.ASCII)
_FIELD = re.compile(r"%0?(\d*)d|(#+)", re.ASCII)
_CAMERA = re.compile(r"[A-Z0-9_]{4}\d{4}\.(?:jpe?g|tiff?)", re.IGNORECASE | re.ASCII)
NAMED_GAPS = 5
"""How many gaps an error names one by one."""


@dataclass(frozen=True)
class FrameSequence:
    """Numbered frames of one folder, in order.

    prefix, suffix: what stands before and after the number (the suffix with its dot). digits: the
    least digits of a number, filled with zeros. numbers: rising, at least one.
    """

    folder: Path
    prefix: str
    digits: int
    suffix: str
    numbers: tuple[int, ...]

    @property
    def first(self) -> int:
        return self.numbers[0]

    @property
    def last(self) -> int:
        return self.numbers[-1]

    @property
    def pattern(self) -> str:
        """Its name with the number as `%06d`."""
        field = "%d" if self.digits == 1 else f"%0{self.digits}d"
        return f"{self.prefix}{field}{self.suffix}"

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """First and last number of each run of frames that are missing between first and last."""
        pairs = zip(self.numbers, self.numbers[1:], strict=False)
        return tuple((one + 1, next_ - 1) for one, next_ in pairs if next_ > one + 1)

    @property
    def missing(self) -> int:
        """How many frames are missing between first and last."""
        return self.last - self.first + 1 - len(self.numbers)

    def name(self, number: int) -> str:
        """The name of the frame with this number, whether there is one or not."""
        return f"{self.prefix}{number:0{self.digits}d}{self.suffix}"

    def means(self, name: str) -> bool:
        """Whether a name is that of one of its frames, whether there is one or not."""
        middle = name[len(self.prefix) : len(name) - len(self.suffix)]
        return name == f"{self.prefix}{middle}{self.suffix}" and _writes(middle, self.digits)

    def path(self, number: int) -> Path:
        """The frame's path."""
        return self.folder / self.name(number)

    def paths(self) -> Iterator[Path]:
        """The frames that there are, in order."""
        return (self.path(number) for number in self.numbers)

    def __str__(self) -> str:
        """`reels/a_%04d.dpx, frames 1 to 240`, for people."""
        frames = f"frames {self.first} to {self.last}" if self.numbers[1:] else "one frame"
        return f"{self.folder / self.pattern}, {frames}"


@dataclass(frozen=True)
class FoundSequences:
    """What a folder holds. others: pictures of frame formats that belong to no sequence."""

    sequences: tuple[FrameSequence, ...]
    others: tuple[Path, ...] = ()


# --- one source --------------------------------------------------------------------------------


def is_pattern(text: str) -> bool:
    """Whether a source's file name has a field for a number, as `a_%06d.dpx` or `a_####.dpx`."""
    return _FIELD.search(_name_of(text)) is not None


def of_pattern(text: str) -> FrameSequence:
    """The frames that a pattern means: `%06d` is a number of at least six digits, `%d` one without
    zeros before it, `####` one of at least four. A folder in the pattern stands as it is.

    Raises UsageError for a pattern without or with several numbers, and where no frame fits.
    """
    name = _name_of(text)
    if len(_FIELD.findall(name)) != 1:
        raise UsageError(f"{text}: a pattern has one number in the file's name, such as %06d")
    prefix, digits, suffix = _parts(name)
    if not 1 <= digits <= 20:
        raise UsageError(f"{text}: a frame's number has 1 to 20 digits")
    if suffix.lower() not in FRAME_SUFFIXES:
        raise UsageError(f"{text}: frames are {_formats_in_words()}")
    folder = Path(text[: len(text) - len(name)] or ".")
    meant = FrameSequence(folder, prefix, digits, suffix, ())
    names = filter(meant.means, _names(folder))
    numbers = sorted(int(entry[len(prefix) : len(entry) - len(suffix)]) for entry in names)
    if not numbers:
        raise UsageError(f"{text}: no frame has such a name")
    return replace(meant, numbers=tuple(numbers))


def of_name(pattern: Path) -> FrameSequence | None:
    """The sequence, empty, that a pattern names; None for what is none. No folder is listed."""
    if len(_FIELD.findall(pattern.name)) != 1:
        return None
    prefix, digits, suffix = _parts(pattern.name)
    if not 1 <= digits <= 20 or suffix.lower() not in FRAME_SUFFIXES:
        return None
    return FrameSequence(pattern.parent, prefix, digits, suffix, ())


def _parts(name: str) -> tuple[str, int, str]:
    """What stands before a pattern's one field, the field's digits, and what stands after it."""
    [field] = _FIELD.finditer(name)
    digits = len(field[2]) if field[2] else int(field[1] or 1)
    return name[: field.start()], digits, name[field.end() :]


def of_folder(folder: Path) -> FoundSequences:
    """The sequences of a folder that the user named as a film, by name.

    Raises UsageError where there is none, and says why for one with pictures.
    """
    names = _names(folder)
    found = _found(folder, names)
    if found.sequences:
        return found
    if not found.others:
        raise UsageError(f"{folder}: holds no film and no numbered frames ({_formats_in_words()})")
    example = found.others[0].name
    if all(_CAMERA.fullmatch(path.name) for path in found.others):
        stem, suffix = os.path.splitext(example)  # noqa: PTH122 - the name alone
        pattern = f"{stem[:-4]}%04d{suffix}"
        raise UsageError(
            f"{folder}: {example} is named as cameras name photographs",
            f"`colorbatch images` colors these; if it is a film, give {folder / pattern}",
        )
    raise UsageError(
        f"{folder}: its pictures, such as {example}, are not one sequence of numbered frames",
        "give a pattern, such as name_%06d.tif; photographs go to `colorbatch images`",
    )


def _failed(error: OSError) -> None:
    raise SourceError(f"{error.filename}: cannot list: {error.strerror}") from error


def below(
    folder: Path, skip: Path | None = None, unlisted: Callable[[OSError], None] = _failed
) -> Iterator[FoundSequences]:
    """What the folders below one hold, and itself, folder by folder in the order of names.

    Folders without sequences are passed over: photographs among films are no error. So are links
    to folders, hidden folders and the folder `skip`. `unlisted` is told what cannot be listed; if
    not given, it raises SourceError.
    """
    without = None if skip is None else real(skip)
    for parent, folders, names in os.walk(reachable(folder), onerror=unlisted):
        here = folder / Path(parent).relative_to(reachable(folder))
        folders[:] = sorted(
            name for name in folders if not is_junk(name) and real(here / name) != without
        )
        found = _found(here, [name for name in names if not is_junk(name)])
        if found.sequences:
            yield found


def check_gaps(sequence: FrameSequence, *, allowed: bool = False) -> str:
    """The gaps of a sequence in one line, "" without any. Raises UsageError unless allowed."""
    if not sequence.missing:
        return ""
    named = [f"{one}" if one == last else f"{one}-{last}" for one, last in sequence.gaps]
    more = f" and {len(named) - NAMED_GAPS} more gaps" if len(named) > NAMED_GAPS else ""
    several = sequence.missing > 1
    line = (
        f"{sequence.folder / sequence.pattern}: frame{'s' * several} "
        f"{', '.join(named[:NAMED_GAPS])}{more} {'are' if several else 'is'} missing "
        f"({sequence.missing} of {sequence.last - sequence.first + 1})"
    )
    if not allowed:
        raise UsageError(line, "find them, or go on without them with --allow-gaps")
    return line


def spread(numbers: Sequence[int], count: int) -> list[int]:
    """`count` of the numbers, at even distances; all where there are fewer."""
    chosen = {len(numbers) * (2 * i + 1) // (2 * count) for i in range(count) if numbers}
    return [numbers[index] for index in sorted(chosen)]


# --- names -------------------------------------------------------------------------------------


def _found(folder: Path, names: Sequence[str]) -> FoundSequences:
    taken = [name for name in names if _suffix(name) in FRAME_SUFFIXES]
    scans = [name for name in taken if _suffix(name) in SCAN_SUFFIXES]
    stills = [name for name in taken if _suffix(name) in STILL_SUFFIXES]
    sequences = _grouped(folder, scans)
    films = _grouped(folder, stills)
    if len(films) == 1 and 1 < len(films[0].numbers) == len(stills) and not _by_camera(stills):
        sequences += films
    kept = {name for one in sequences for name in map(one.name, one.numbers)}
    return FoundSequences(
        tuple(sorted(sequences, key=lambda one: one.pattern)),
        tuple(folder / name for name in sorted(taken) if name not in kept),
    )


def _grouped(folder: Path, names: Iterable[str]) -> list[FrameSequence]:
    """Names to sequences: by prefix and suffix, then by how the number is written."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        if parts := _NUMBERED.fullmatch(name):
            groups[parts[1], parts[3]].append(parts[2])
    sequences = []
    for (prefix, suffix), texts in groups.items():
        while texts:
            digits = min(map(len, texts))
            fitting = {text for text in texts if _writes(text, digits)}
            numbers = tuple(sorted(map(int, fitting)))
            sequences.append(FrameSequence(folder, prefix, digits, suffix, numbers))
            texts = [text for text in texts if text not in fitting]
    return sequences


def _writes(text: str, digits: int) -> bool:
    """Whether a number is written with at least `digits` digits, and no zero too many."""
    return text.isascii() and text.isdigit() and text == f"{int(text):0{digits}d}"


def _by_camera(names: Sequence[str]) -> bool:
    return all(_CAMERA.fullmatch(name) for name in names)


def _names(folder: Path) -> list[str]:
    """Names of the files of a folder that are no junk. Raises UsageError."""
    try:
        with os.scandir(reachable(folder)) as entries:
            return [entry.name for entry in entries if not is_junk(entry.name) and entry.is_file()]
    except OSError as error:
        raise UsageError(f"{folder}: cannot list: {error.strerror or error}") from error


def _name_of(text: str) -> str:
    """The part of a path after its last separator."""
    return re.split(r"[/\\]" if os.name == "nt" else "/", text)[-1]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - many names, no paths


def _formats_in_words() -> str:
    return "DPX, EXR, TIFF, PNG or JPEG"
