"""The files that libav writes into: `Guarded`, and `Nowhere` for trials and samples.

PyAV calls write and seek from within libav, which goes on after an error and calls again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import IO, Protocol


class Sink(Protocol):
    """What PyAV needs of a file that is written."""

    @property
    def closed(self) -> bool: ...
    def write(self, data: bytes, /) -> int: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class Guarded:
    """A file whose first error is the last, also when it is closed: PyAV keeps one error for the
    next call of its own, whichever that is, and prints the traceback of another to stderr. What is
    written after it goes nowhere; such a file is given up."""

    def __init__(self, file: IO[bytes] | Sink) -> None:
        self._file: IO[bytes] | Sink = file

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written: PyAV asks before it completes a file by itself."""
        return self._file.closed

    def write(self, data: bytes, /) -> int:
        """Write all of it. Raises OSError, once."""
        with self._once() as file:
            return file.write(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place. Raises OSError, once: a file with a buffer writes it first."""
        with self._once() as file:
            return file.seek(offset, whence)

    def tell(self) -> int:
        """The place at which is written next."""
        with self._once() as file:
            return file.tell()

    @contextlib.contextmanager
    def _once(self) -> Iterator[IO[bytes] | Sink]:
        try:
            yield Nowhere() if self._file.closed else self._file
        except OSError:
            self._file = Nowhere()
            raise


class Nowhere:
    """A file that keeps nothing but its size in bytes."""

    closed = False

    def __init__(self) -> None:
        self.size = self._place = 0

    def write(self, data: bytes, /) -> int:
        """Count it."""
        self._place += len(data)
        self.size = max(self.size, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """The place at which is written next."""
        return self._place
