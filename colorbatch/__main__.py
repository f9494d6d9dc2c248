"""Where the program begins: Ctrl-C is seen to before anything that takes time is imported, and
OpenBLAS told, which obeys only before, that the cores have work without its threads."""

from __future__ import annotations

import os

from colorbatch.interrupts import end_while_loading


def main() -> None:
    """Run the command line."""
    end_while_loading()
    # ours are small matrices, of which its threads cost more than they bring: on each core two
    # of them, of numpy's and of OpenCV's, spin; and sums of theirs depend on how many cores
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from colorbatch.cli import main as run

    run()


if __name__ == "__main__":
    main()
