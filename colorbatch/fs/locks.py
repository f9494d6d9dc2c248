"""Locks on a folder that the operating system holds, and gives back when their process ends.

Beside `NAME.lock`, which stays and means nothing by itself, `NAME.holder` says which host and
process hold the lock; it is gone after a clean end. The only file that knows filelock.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import platform
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from colorbatch.errors import LockedError, TargetError

logger = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds to wait for a lock, because others look whether it is free by taking it for a moment."""
WINDOWS_LIMIT = 8192
"""Files that a program may have open there."""
BESIDE, AT_LEAST = 256, 64
"""Files that a run may open beside its locks: as many as wanted, and without which it is refused.
"""
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def make_room(count: int) -> None:
    """See that a run may hold so many locks, each an open file, before it takes the first: raises
    the limit of this process as far as the system lets it. Raises TargetError."""
    if sys.platform == "win32":
        limit = WINDOWS_LIMIT
    else:
        import resource

        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        want = count + BESIDE
        if most != resource.RLIM_INFINITY:
            want = min(want, most)
        if limit != resource.RLIM_INFINITY and limit < want:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (want, most))
                limit = want
        if limit == resource.RLIM_INFINITY:
            return
    if count > 1 and count + AT_LEAST > limit:
        raise TargetError(
            f"results in {count} places, each with a journal, but this system lets a program open "
            f"no more than {limit} files",
            "give the folder that holds all, or an output folder with -o",
        )


class FolderLock:
    """One lock in a folder that exists. Where the file system knows no locks there is a warning,
    and `held` stays false after `acquire`."""

    def __init__(self, folder: Path, name: str, *, of: Path | None = None) -> None:
        """of: the one file that the lock is for, beside which it lies; it then goes at the end."""
        self._folder = folder
        self._of = of
        self._path = folder / f"{name}.lock"
        self._holder = folder / f"{name}.holder"
        # no soft lock: a file that a dead run would leave behind
        self._lock = FileLock(self._path, thread_local=False, fallback_to_soft=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock.is_locked

    def acquire(self) -> None:
        """Take the lock. Raises LockedError, which names the holder, and TargetError."""
        try:
            self._lock.acquire(timeout=PATIENCE, poll_interval=0.05)
            note = {"host": platform.node(), "pid": os.getpid()}
            self._holder.write_text(json.dumps(note), "utf-8")
        except Timeout:
            raise self._locked() from None
        except OSError as error:
            if self.held or error.errno in NO_LOCKS:
                self._remove()
            self._lock.release()
            if error.errno not in NO_LOCKS:
                message = f"{self._folder}: cannot be locked: {error.strerror or error}"
                raise TargetError(message) from error
            logger.warning("%s: no locks here; only one run may work in it", self._place)

    def refuse_if_held(self) -> None:
        """See that nobody holds the lock, but for a moment. Raises LockedError."""
        try:
            with self._lock.acquire(timeout=PATIENCE, poll_interval=0.05):
                pass
        except Timeout:
            raise self._locked() from None
        except OSError:
            logger.debug("%s: cannot be asked for", self._holder.stem, exc_info=True)

    @property
    def died_here(self) -> bool:
        """Whether a process of this host held the lock and did not give it back; for free locks."""
        return self._note().get("host") == platform.node()

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self.held:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            self._remove()
            self._lock.release()

    def _remove(self) -> None:
        """Remove one file's lock while it is held: those who wait see that it has no name any more,
        and make another. (On Windows giving it back removes it.)"""
        if self._of is not None and os.name != "nt":
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    @property
    def _place(self) -> Path:
        return self._of or self._folder.parent

    def _locked(self) -> LockedError:
        note = self._note()
        who = f"process {note['pid']} on {note['host']}" if note else "a process that has no name"
        return LockedError(f"{self._place}: another run is at work here: {who}")

    def _note(self) -> dict[str, object]:
        try:
            note = json.loads(self._holder.read_text("utf-8"))
            return {"host": note["host"], "pid": note["pid"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
