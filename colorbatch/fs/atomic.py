"""Files: a job's two names, and writing so that nothing half-written bears a name.

Names and bytes only; no pixels. A target either does not exist or is complete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, TypeVar

from colorbatch.errors import OutputFullError, StoppedError, TargetError
from colorbatch.fs import windows

TEMPORARY_PREFIX = ".colorbatch-"


HELD_ON_WINDOWS = (5, 32, 33)
"""Access denied, sharing violation, lock violation: what viewers and virus scanners cause."""
WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0)
"""Seconds to wait for another program, time after time."""
NAME_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
PIECE = 4 << 20
"""Bytes that are read at a time of files of any size."""
Result = TypeVar("Result")


def reachable(path: Path, room: int = 0) -> Path:
    """The path as the system takes it at any length; to be opened, not to be shown.

    room: characters that names below it may take.
    """
    if os.name != "nt":
        return path
    absolute = PureWindowsPath(os.path.abspath(path))  # noqa: PTH100 - links stay
    return Path(windows.extended(absolute, windows.LONGEST_PLAIN - room))


def patiently(
    action: Callable[[], Result],
    *,
    held: Callable[[OSError], bool] | None = None,
    waits: Sequence[float] = WAITS,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Do what another program may keep from being done for a moment; again after each wait.

    held: whether an error is of that sort, `is_held` if not given. Raises what the action raises.
    """
    for wait in waits:
        try:
            return action()
        except OSError as error:
            if not (held or is_held)(error):
                raise
        sleep(wait)
    return action()


def is_held(error: OSError) -> bool:
    """Whether another program holds the file (or, on Windows, somebody has forbidden it)."""
    return error.errno == errno.EBUSY or getattr(error, "winerror", None) in HELD_ON_WINDOWS


def sha256(
    path: Path,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda size: None,
) -> str:
    """SHA-256 of a file, in hexadecimal. more: told how many bytes are read more. Raises OSError,
    and StoppedError where `stop`, asked for every piece, says so."""
    state = hashlib.sha256()
    with reachable(path).open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            if stop():
                raise StoppedError
            state.update(piece)
            more(len(piece))
    return state.hexdigest()


def digest(file: IO[bytes]) -> tuple[int, str]:
    """Size and SHA-256 of all of a file that was written, wherever in it its writer went: of what
    the system still holds of it. It is left at its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size, hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def check_target(path: Path) -> None:
    """Refuse before the work on it: a name that its system cannot hold. Raises TargetError."""
    if os.name == "nt" and (why := windows.refused_part(path)):  # some it would change silently
        raise TargetError(f"{path}: Windows refuses the name {why}")
    place = reachable(path)
    folder, asked = place.parent, [place]
    while not os.path.lexists(folder) and folder != folder.parent:
        folder, part = folder.parent, folder.name
        asked.append(folder / part)
    # where folders are missing, each name has to be asked of the disk that will hold it
    for one in (*asked, *(folder / one.name for one in asked)):
        try:
            one.lstat()
        except OSError as error:
            if error.errno in NAME_ERRORS:
                raise _refusal(f"{path}: cannot write", error, path) from error


def make_folder(folder: Path) -> None:
    """Make a target folder and see that it can be written to. Raises TargetError."""
    try:
        reachable(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        links = (at for at in (folder, *folder.parents) if at.is_symlink())
        if (link := next(links, None)) is not None and not link.exists():
            raise TargetError(f"{link}: a link that leads nowhere") from error
        raise _refusal(f"{folder}: cannot make this folder", error, folder) from error
    if not os.access(reachable(folder), os.W_OK):
        raise TargetError(f"{folder}: this folder is not writable")


def _refusal(what: str, error: OSError, path: Path) -> TargetError:
    """The error for what the system refused: a full disk concerns every target."""
    message = f"{what}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputFullError(message, "make room; the same command then goes on from there")
    if is_held(error):
        reason = "it is open in another program, or may not be replaced"
        return TargetError(f"{what}: {reason}", "close it; the same command then does it")
    if error.errno == errno.EINVAL and (why := windows.refused_by_windows(path.name)):
        return TargetError(f"{what}: this disk takes names as Windows does: {why}")
    return TargetError(message)


def _replace(temporary: Path, path: Path) -> None:
    """Give a file its name, also where a viewer holds the old one open for a few seconds."""

    def may_pass(error: OSError) -> bool:
        forbidden = path.is_dir() or (path.exists() and not os.access(path, os.W_OK))
        return is_held(error) and not forbidden

    patiently(lambda: temporary.replace(path), held=may_pass)


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A file that is whole and on the disk, and does not bear its target's name yet. modified_ns:
    its modification time, nanoseconds since 1970, None for when it was written."""

    temporary: Path
    target: Path
    size: int
    sha256: str
    modified_ns: int | None = None


def temporary_of(path: Path, owner: str = "") -> Path:
    """A new name in a target's folder, for what is to become the target. `owner` stands in it, so
    that `remove_temporaries` finds what a killed process left."""
    # a hash, because the name itself may be as long as names can be
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    start = _temporaries_of(owner) if owner else TEMPORARY_PREFIX
    return path.with_name(f"{start}{secrets.token_hex(4)}-{digest}")


def discard(temporary: Path) -> None:
    """Remove a temporary, where there is one; what stays goes with the next run."""
    with contextlib.suppress(OSError):
        patiently(lambda: reachable(temporary).unlink(missing_ok=True))


@contextlib.contextmanager
def _open(temporary: Path, path: Path) -> Iterator[IO[bytes]]:
    """A new file for a target, open for writing and reading; gone where the block fails. Raises
    TargetError for what the disk refuses."""
    try:
        with reachable(temporary).open("w+b") as file:
            yield file
    except BaseException as error:
        discard(temporary)
        if isinstance(error, OSError):
            raise _refusal(f"{path}: cannot write", error, path) from error
        raise


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def unnamed(
    path: Path,
    temporary: Path,
    told: Callable[[Unnamed], None],
    modified_ns: int | None = None,
) -> Iterator[IO[bytes]]:
    """A binary file, open for writing and reading, that is whole and on the disk under its
    temporary name when the block ends well, and vanishes when it does not. told: of it, for
    `give_name`. Raises TargetError for what the disk refuses."""
    with _open(temporary, path) as file:
        yield file
        _to_disk(file)
        size, sha256 = digest(file)
    told(Unnamed(temporary, path, size, sha256, modified_ns))


def give_name(file: Unnamed) -> None:
    """Let a whole file become its target, in the place of what has that name. Raises TargetError,
    and then the file is gone."""
    try:
        if file.modified_ns is not None:
            os.utime(reachable(file.temporary), ns=(time.time_ns(), file.modified_ns))
        rename(file.temporary, file.target)
    except BaseException as error:
        discard(file.temporary)
        if isinstance(error, OSError):
            raise _refusal(f"{file.target}: cannot write", error, file.target) from error
        raise


@contextlib.contextmanager
def replacing(path: Path, *, owner: str = "") -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and vanishes when it does not.

    It is open for writing and reading, in the target's own folder, flushed to the disk and then
    renamed, so that `path` is at all times absent, old, or complete. owner: as of `temporary_of`.
    Raises TargetError for what the disk refuses.
    """
    temporary = temporary_of(path, owner)
    with _open(temporary, path) as file:
        yield file
        _to_disk(file)
    try:
        rename(temporary, path)
    except BaseException:
        discard(temporary)
        raise


def rename(complete: Path, path: Path) -> None:
    """Give a complete file on the same disk its name, in the place of what has it. Raises
    TargetError."""
    try:
        _replace(reachable(complete), reachable(path))
    except OSError as error:
        raise _refusal(f"{path}: cannot write", error, path) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file through `replacing`."""
    with replacing(path) as file:
        file.write(data)


def _temporaries_of(owner: str) -> str:
    return f"{TEMPORARY_PREFIX}{owner}."


def remove_temporaries(folder: Path, owners: Sequence[str]) -> None:
    """Remove what killed processes of these owners left in a folder, if there is such a folder.

    Only for one who knows that none of the owners is at work.
    """
    starts = tuple(_temporaries_of(owner) for owner in owners)
    with contextlib.suppress(OSError), os.scandir(reachable(folder)) as entries:
        for entry in entries:
            if entry.name.startswith(starts):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can (Windows does so by itself)."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # not every file system takes it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
