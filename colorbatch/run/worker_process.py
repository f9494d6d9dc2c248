"""What runs in a worker process: one item after another, until its input ends.

It is started with `BEGIN`; says and hears pickled pairs of a word and a value on what were its
standard output and input. It hears `item`, then for each question `answer` or `refused`; it says
`ready`, `begins`, `asks`, `made`, `failed`, `log` and `warning`. When its input ends, it ends at
once, whatever it does: who started it has ended, or wants it to. The model is not here, nor is
onnxruntime.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from colorbatch import color
from colorbatch.color import Float
from colorbatch.errors import ColorbatchError, one_line

Model = Callable[[Float], Float]
"""What work asks: L* (N, H, W) to ab (N, H, W, 2), float32."""
Told = tuple[str, Any]
BEGIN = (
    "import sys, pickle; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from colorbatch.run.worker_process import main; main()"
)
"""Not a module that is run: the main module of the user's program is of no concern here, nor are
modules in the folder in which it was started."""


class Dropped(BaseException):
    """An item is not wanted any more. No Exception: nobody is to take it for an item's failure."""


@dataclass(frozen=True)
class Begin:
    """What a process is told first. level: of messages that are of use."""

    work: Callable[[Any, Any, Model], Any]
    settings: object
    level: int


class _Wire(logging.Handler):
    """The way to the process that started this one."""

    def __init__(self, sink: IO[bytes]) -> None:
        super().__init__()
        self._sink = sink
        self._mutex = threading.Lock()

    def say(self, what: str, value: object = None) -> None:
        data = pickle.dumps((what, value), pickle.HIGHEST_PROTOCOL)
        with self._mutex:
            try:
                self._sink.write(data)
                self._sink.flush()
            except OSError:  # nobody hears
                os._exit(1)

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = self.format(record), None
        record.exc_info = record.exc_text = record.stack_info = None
        self.say("log", record)

    def warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        self.say("warning", (str(message), category, filename, lineno))


def main() -> None:
    """Work on what comes."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, wire = sys.stdin.buffer, _Wire(os.fdopen(os.dup(1), "wb"))
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # what a library prints is no word of ours
    begin: Begin = pickle.load(source)
    logging.basicConfig(format="%(message)s", handlers=[wire])
    logging.getLogger("colorbatch").setLevel(begin.level)
    warnings.showwarning = wire.warn
    heard: queue.SimpleQueue[Told] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(source, heard), daemon=True).start()

    def model(lightness: Float) -> Float:
        wire.say("asks", lightness)
        what, answer = heard.get()
        if what == "answer":
            return answer  # type: ignore[no-any-return]
        raise answer

    with color.single_threaded():
        wire.say("ready")
        while True:
            _, item = heard.get()
            wire.say("begins")
            try:
                wire.say("made", begin.work(item, begin.settings, model))
            except (Exception, Dropped) as error:
                wire.say("failed", portable(error))


def _hear(source: IO[bytes], heard: queue.SimpleQueue[Told]) -> None:
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            heard.put(pickle.load(source))
    os._exit(0)


def portable(error: BaseException) -> BaseException:
    """An exception that can be pickled, with its traceback as a note where it is a defect."""
    if not isinstance(error, ColorbatchError | Dropped) and not hasattr(error, "__notes__"):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        logging.getLogger(__name__).debug("an error that cannot be passed on", exc_info=error)
        return ColorbatchError(one_line(error))
    return error
