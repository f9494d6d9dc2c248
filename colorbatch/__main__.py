"""Where the program begins: Ctrl-C is seen to before anything that takes time is imported."""

from __future__ import annotations

from colorbatch.interrupts import end_while_loading


def main() -> None:
    """Run the command line."""
    end_while_loading()
    from colorbatch.cli import main as run

    run()


if __name__ == "__main__":
    main()
