"""Ctrl-C while the program is still being loaded: one line and exit code 130, as later on.

Nothing is begun then, but an exception has nowhere to go: it would end as a traceback, or inside
of a library that takes it for a defect of its own. Imports nothing that takes time: what is ahead
of it is Python's own start, which is out of reach.
"""

from __future__ import annotations

import os
from _signal import (  # type: ignore[import-not-found]  # what `signal` itself wraps
    SIGINT,
    default_int_handler,
    getsignal,
    signal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

IMPORTING = "<frozen importlib"
"""Begin of the file name of Python's own code that imports."""
EXIT_CODE = 130
"""`ExitCode.INTERRUPTED`, which takes an import."""


def end_while_loading() -> None:
    """From now on Ctrl-C ends the process at once where it meets an import, and is a
    KeyboardInterrupt elsewhere. Where Ctrl-C is ignored or somebody else's, it stays so."""
    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, _ended)


def _ended(signum: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORTING):
            try:
                os.write(2, b"interrupted\n")
            finally:
                os._exit(EXIT_CODE)
        frame = frame.f_back
    raise KeyboardInterrupt
