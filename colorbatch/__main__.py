"""Where the program begins: Ctrl-C is seen to before anything that takes time is imported, and
OpenBLAS told, which obeys only before, that it needs no threads."""

from __future__ import annotations

import os

from colorbatch.interrupts import end_while_loading


def main() -> None:
    """Run the command line."""
    end_while_loading()
    # at work it has one anyhow (`color.single_threaded`), but numpy's and OpenCV's each start one
    # for every core, and these spin for a while
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from colorbatch.cli import main as run

    run()


if __name__ == "__main__":
    main()
