"""Ctrl-C while the program is still being loaded: one line and exit code 130, as later on.

Nothing is begun then, but an exception has nowhere to go: it would end as a traceback, or inside
of a library that takes it for a defect of its own. Imports nothing that takes time.
"""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

from colorbatch.errors import ExitCode

IMPORTING = "<frozen importlib"
"""Begin of the file name of Python's own code that imports."""


def end_while_loading() -> None:
    """From now on Ctrl-C ends the process at once where it meets an import, and is a
    KeyboardInterrupt elsewhere. Where Ctrl-C is ignored or somebody else's, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _ended)


def _ended(signum: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORTING):
            with contextlib.suppress(OSError):
                os.write(2, b"interrupted\n")
            os._exit(ExitCode.INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt
