"""Programs of this Python that begin with their imports done.

Tests that start the tool want a process: an exit code, output, an environment, signals. Most of the
processor time of such a process goes into imports, the same each time. Here a process that has done
them is forked for each program, and all from the main module to the interpreter's end is the
program's own, as in `python -m NAME` and `python -c CODE`. What the interpreter and the imported
modules take from the environment at their start (`PYTHON...`, `LD_...`) is that of the process that
is forked: a program that is given others is one for `subprocess`.

Linux only: elsewhere what libraries hold may not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

POSSIBLE = sys.platform == "linux"
LONGEST = 1 << 17
"""Bytes of what is said of a program."""


class Forks:
    """A process that has done what all programs begin with, and those that are forked from it."""

    def __init__(self, begin: str, env: Mapping[str, str]) -> None:
        """begin: code that imports; env: the environment that it finds."""
        self._asked, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, __file__, str(there.fileno()), begin]
            # it goes on in a process of its own at once: no child of this one, whose children tests
            # count
            subprocess.run(command, env=env, pass_fds=[there.fileno()], check=True)

    def close(self) -> None:
        """Wait for the end of all programs, and end the process."""
        with self._asked:
            self._asked.shutdown(socket.SHUT_WR)
            self._asked.recv(1)

    def start(self, words: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Program:
        """Start a program, as Python with words "-m", NAME, ... or "-c", CODE, ..."""
        said = json.dumps({"words": [*words], "env": {**env}, "cwd": os.fspath(cwd)}).encode()
        with contextlib.ExitStack() as stack:
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.enter_context(here)
            first, second = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            with there:
                files = [first.fileno(), second.fileno(), there.fileno()]
                socket.send_fds(self._asked, [said], files)
            program = Program(here, (first, second))
            stack.pop_all()
        return program


class Program:
    """A program that was forked, with what tests need of `subprocess.Popen`."""

    def __init__(self, told: socket.socket, output: tuple[IO[bytes], IO[bytes]]) -> None:
        self._told, self._output = told, output
        self.pid = int(told.recv(100))
        self.returncode: int | None = None

    def __del__(self) -> None:
        for file in (self._told, *self._output):
            file.close()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal. Raises TimeoutError after so many seconds."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            self.returncode = int(self._told.recv(100))
            self._told.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code; None while it is at work."""
        try:
            return self.wait(0)
        except BlockingIOError:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it said on standard output and error: UTF-8, other bytes as
        surrogates. Raises TimeoutError, with the program killed."""
        try:
            self.wait(timeout)
        except TimeoutError:
            self.kill()
            raise
        texts = []
        for file in self._output:
            with file:
                file.seek(0)
                text = file.read().decode("utf-8", "surrogateescape")
                texts.append(text.replace("\r\n", "\n").replace("\r", "\n"))
        return texts[0], texts[1]


def _fork() -> int:
    with warnings.catch_warnings():  # of threads of numpy's and OpenCV's BLAS, which expects forks
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _serve(asked: socket.socket) -> list[str]:
    """Fork whenever a program is asked for, as long as there is who asks. Returns in each program,
    which then is alone with its files, with its words."""
    ctrl_c = signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    while True:
        said, files, _, _ = socket.recv_fds(asked, LONGEST, 3)
        with contextlib.suppress(ChildProcessError):  # those that have ended, or all
            while os.waitpid(-1, os.WNOHANG if said else 0)[0]:
                pass
        if not said:
            os._exit(0)
        if _fork() == 0:
            break
        for file in files:
            os.close(file)
    asked.close()
    *output, end = files
    told = socket.socket(fileno=end)
    if pid := _fork():  # who waits for the program
        told.send(b"%d" % pid)
        _, status = os.waitpid(pid, 0)
        told.send(b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    told.close()
    for number, file in enumerate(output, 1):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, ctrl_c)
    wanted = json.loads(said)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    words: list[str] = wanted["words"]
    return words


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    exec(sys.argv[2], {})
    _how, _what, *_words = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.path[0] = "" if _how == "-c" else str(Path.cwd())
    sys.argv = [_how, *_words]
    if _how == "-m":
        runpy.run_module(_what, run_name="__main__", alter_sys=True)
    else:
        sys.modules["__main__"] = _main = types.ModuleType("__main__")
        exec(compile(_what, "<string>", "exec"), vars(_main))
