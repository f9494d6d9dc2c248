"""The error family of the project and its exit codes.

Every error that a user can cause or meet is a `ColorbatchError`: one line, a class that carries the
exit code, and where there is one, an advice. Everything else is a defect and keeps its traceback.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What the process returns; scripts may rely on these numbers."""

    DONE = 0
    COULD_NOT_RUN = 1
    USAGE = 2
    SOME_FAILED = 3
    DEVICE_UNAVAILABLE = 4
    INTERRUPTED = 130


class ColorbatchError(Exception):
    """One line for the user. `advice` says what to do about it and may be empty."""

    exit_code = ExitCode.COULD_NOT_RUN

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}; {self.advice}" if self.advice else message


class UsageError(ColorbatchError):
    """The command itself is wrong: found before any work."""

    exit_code = ExitCode.USAGE


class DeviceUnavailableError(ColorbatchError):
    """The asked device cannot be used here."""

    exit_code = ExitCode.DEVICE_UNAVAILABLE


class ModelError(ColorbatchError):
    """A model file is missing, broken, or has no valid contract."""


class ParityError(ColorbatchError):
    """A model's numbers differ from its reference by more than the limits."""


class OutOfMemoryError(ColorbatchError):
    """The device has no memory for even one picture."""


class SourceError(ColorbatchError):
    """One source cannot be read. A batch turns it into an outcome and goes on."""


class TargetError(ColorbatchError):
    """One target cannot be written. A batch turns it into an outcome and goes on."""


class OutputFullError(TargetError):
    """No target can be written any more: the disk is full, or the journal cannot be kept. A batch
    ends; what is finished is kept."""


class SpaceError(ColorbatchError):
    """There is less room than the results are expected to need; nothing was begun."""


class LockedError(ColorbatchError):
    """Another run is at work in the same folder."""


class StoppedError(Exception):
    """The user asked the work to end, and it did at the next good place; nothing is half written,
    and the same command goes on from there. No failure: commands catch it and tell the account."""


def one_line(error: BaseException) -> str:
    """The error's text on one line, with its type where it is not one of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, ColorbatchError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason_of(error: BaseException, *paths: object) -> str:
    """Why something failed, on one line; one of the paths at its begin is left out, since it stands
    beside the reason wherever that is shown."""
    reason = one_line(error)
    for path in paths:
        reason = reason.removeprefix(" ".join(f"{path}: ".split()) + " ")
    return reason
