"""Teams of workers for `executors`: threads of this process, or processes of their own.

A team begins one item after another and says what became of it. `Threads` has more threads than
may work at the same time: those that wait for the model let others work. Of `Processes` each works
on one item; `worker_process` is what runs there.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Protocol

from colorbatch.color import Float
from colorbatch.errors import ColorbatchError
from colorbatch.run.worker_process import BEGIN, Begin, Dropped, Model, Told, portable

EACH = 2
"""Threads for each that may work: enough for the model to be asked for several at a time. More have
no more to do, and their allocators keep more memory: 600 MB at the peak with 12 threads for 2
workers, 370 MB with 4, and a tenth more of CPU time (2-megapixel JPEGs, glibc)."""
ATTEMPTS = 3
"""So many processes in a row that end before they are ready are no accident."""
PATIENCE = 10.0
"""Seconds in which a process whose work is over has to end."""


@dataclass(eq=False)
class Errand:
    """An item on its way. weighed: whether its cost is known; begun_at: by the monotonic clock;
    answered: whether the model has, or is about to; dropped: not wanted any more; result: what is
    made of it, and at the end what that became."""

    item: Any
    index: int
    cost: int = 0
    weighed: bool = False
    begun_at: float | None = None
    answered: bool = False
    dropped: bool = False
    ended: bool = False
    result: Any = None
    error: BaseException | None = None
    seconds: float = 0.0


class Hub(Protocol):
    """Whom a team tells; see `executors._Conductor`."""

    def starts(self, errand: Errand) -> bool: ...
    def again(self, errand: Errand) -> None: ...
    def made(self, errand: Errand, made: object) -> None: ...
    def failed(self, errand: Errand, error: BaseException) -> None: ...
    def broken(self, error: Exception) -> None: ...
    def ask(self, errand: Errand, lightness: Float) -> Future[Float]: ...


# --- threads -----------------------------------------------------------------------------------


class Threads:
    """Worker threads, of which so many work at the same time; of those that could, the one with the
    earliest item. The others wait, for their turn or for the model."""

    has_room = True

    def __init__(
        self,
        workers: int,
        work: Callable[[Any, Any, Model], Any],
        settings: object,
        hub: Hub,
    ) -> None:
        self._work, self._settings, self._hub = work, settings, hub
        self._turns = Turns(workers)
        self._pool = ThreadPoolExecutor(EACH * workers, "colorbatch")

    def begin(self, errand: Errand) -> None:
        self._pool.submit(self._whole, errand)

    def _whole(self, errand: Errand) -> None:
        def model(lightness: Float) -> Float:
            self._turns.leave()
            try:
                return self._hub.ask(errand, lightness).result()
            finally:
                self._turns.take(errand.index)

        self._turns.take(errand.index)
        try:
            if not self._hub.starts(errand):
                raise Dropped
            made = self._work(errand.item, self._settings, model)
        except BaseException as error:
            self._turns.leave()
            self._hub.failed(errand, error)
        else:
            self._turns.leave()
            self._hub.made(errand, made)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class Turns:
    """So many turns at the same time; who waits with the lowest number is next."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._arrivals = itertools.count()
        self._mutex = threading.Lock()

    def take(self, number: int) -> None:
        """Wait for a turn."""
        with self._mutex:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            heapq.heappush(self._waiting, (number, next(self._arrivals), mine))
        mine.wait()

    def leave(self) -> None:
        """Give a turn back."""
        with self._mutex:
            if self._waiting:
                heapq.heappop(self._waiting)[2].set()
            else:
                self._free += 1


# --- processes ---------------------------------------------------------------------------------


class Processes:
    """Worker processes, started as items come, each with a thread here that listens to it. One that
    dies fails its item, and another takes its place."""

    def __init__(
        self, workers: int, work: Callable[[Any, Any, Model], Any], settings: object, hub: Hub
    ) -> None:
        level = logging.getLogger("colorbatch").getEffectiveLevel()
        self._begin = pickle.dumps(Begin(work, settings, level), pickle.HIGHEST_PROTOCOL)
        self._most, self._hub = workers, hub
        self._mutex = threading.RLock()
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._listeners: list[threading.Thread] = []
        self._closing = False
        self._unready = 0

    @property
    def has_room(self) -> bool:
        with self._mutex:
            return bool(self._idle) or len(self._all) < self._most

    def begin(self, errand: Errand) -> None:
        with self._mutex:
            process = self._idle.pop() if self._idle else None
            if process is None:
                try:
                    process = _Process(self._begin)
                except OSError as error:
                    self._hub.broken(_cannot_start(str(error.strerror or error)))
                    return
                self._all.append(process)
                listener = threading.Thread(
                    target=self._listen, args=(process,), name="colorbatch-listener"
                )
                self._listeners.append(listener)
                listener.start()
            process.errand, process.begins = errand, False
        process.send(("item", errand.item))

    def _listen(self, process: _Process) -> None:
        """Hear what a process says until it ends."""
        for what, value in process.said():
            errand = process.errand
            if what == "ready":
                process.is_ready, self._unready = True, 0
            elif what == "log":
                logging.getLogger(value.name).handle(value)
            elif what == "warning":
                with contextlib.suppress(Warning):  # where warnings are errors it was raised there
                    warnings.warn_explicit(*value)
            elif errand is not None and what == "begins":
                process.begins = True
                self._hub.starts(errand)
            elif errand is not None and what == "asks":
                self._hub.ask(errand, value).add_done_callback(process.answer)
            elif errand is not None:
                with self._mutex:
                    process.errand = None
                    self._idle.append(process)
                if what == "made":
                    self._hub.made(errand, value)
                else:
                    self._hub.failed(errand, value)
        code = process.wait()
        with self._mutex:
            errand = process.errand
            self._all.remove(process)
            if process in self._idle:
                self._idle.remove(process)
            closing = self._closing
            self._unready += not process.is_ready
            hopeless = self._unready >= ATTEMPTS
        if errand is None:
            return
        if closing:
            self._hub.failed(errand, Dropped())
        elif process.begins:
            self._hub.failed(errand, ColorbatchError(f"the process that worked on it {_end(code)}"))
        elif process.is_ready or not hopeless:
            self._hub.again(errand)
        else:
            self._hub.broken(_cannot_start(f"it {_end(code)}"))
            self._hub.failed(errand, Dropped())

    def close(self) -> None:
        """End all of them at once."""
        with self._mutex:
            self._closing = True
            processes = list(self._all)
        for process in processes:
            process.close()
        for listener in self._listeners:
            listener.join()


class _Process:
    """A process that works: messages to it and from it."""

    def __init__(self, begin: bytes) -> None:
        """Raises OSError where it cannot be started."""
        if not sys.executable:
            raise OSError("this Python does not say where it is")
        flags = ["-P", *(f"-W{option}" for option in sys.warnoptions)]
        if sys.flags.utf8_mode:
            flags += ["-X", "utf8"]
        # not of the terminal's group, whose Ctrl-C is ours to see
        apart: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW}
        self._popen = subprocess.Popen(
            [sys.executable, *flags, "-c", BEGIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
            **apart,
        )
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._stdin: IO[bytes] = self._popen.stdin
        self._stdout: IO[bytes] = self._popen.stdout
        self._mutex = threading.Lock()
        self.errand: Errand | None = None
        self.is_ready = self.begins = False
        with self._mutex, contextlib.suppress(OSError):
            self._stdin.write(pickle.dumps(sys.path) + begin)
            self._stdin.flush()

    def send(self, message: Told) -> None:
        """Say something; one that is gone will be noticed by who listens."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._mutex, contextlib.suppress(OSError, ValueError):
            self._stdin.write(data)
            self._stdin.flush()

    def answer(self, answer: Future[Float]) -> None:
        """Pass the model's answer on."""
        error = answer.exception()
        told = ("answer", answer.result()) if error is None else ("refused", portable(error))
        self.send(told)

    def said(self) -> Any:
        """What it says, up to its end, be it in the midst of a word."""
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                yield pickle.load(self._stdout)

    def close(self) -> None:
        """Its input ends, and so does it."""
        with self._mutex, contextlib.suppress(OSError):
            self._stdin.close()

    def wait(self) -> int:
        """Its exit code, once it has closed its output."""
        self.close()
        try:
            return self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()
        finally:
            self._stdout.close()


def _cannot_start(why: str) -> ColorbatchError:
    return ColorbatchError(f"cannot start a process to work in: {why}")


def _end(code: int) -> str:
    """How a process ended that was not to end yet."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    want = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"was killed ({name}{want})"
