"""How those who run a batch are told of it, and how they end it: `Watch`, and one that only works.

The command line shows what it is told; who uses the package from Python needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Unit = Literal["picture", "frame", "B"]


class Watch(Protocol):
    """Who watches a run. Every line is one for people."""

    quiet: bool
    """Whether lines are of no use, so that what they need must not be measured."""

    def stop(self) -> bool:
        """Asked often: whether the run is to end cleanly."""

    def say(self, text: str) -> None:
        """What was found before the work, or beside it."""

    def error(self, text: str) -> None:
        """Why something cannot be made; said to the quiet as well."""

    def begun(self, total: int, finished: int) -> None:
        """The sources are counted and judged, and now the work begins; how many there are, and how
        many of them have their outcome already."""

    def stage(self, what: str, total: int | None, unit: Unit = "frame") -> Callable[[int], None]:
        """The next stage of the work on one source, which ends the one before; returns who is to be
        told how many frames or bytes of it are done more. what: in words."""

    def found(self, count: int) -> None:
        """So many of this stage were done before this run."""


class Unwatched:
    """A watch that is told everything and says nothing; `stopping` ends the run."""

    quiet = True

    def __init__(self) -> None:
        self.stopping = False

    def stop(self) -> bool:
        return self.stopping

    def say(self, text: str) -> None:
        pass

    def error(self, text: str) -> None:
        pass

    def begun(self, total: int, finished: int) -> None:
        pass

    def stage(self, what: str, total: int | None, unit: Unit = "frame") -> Callable[[int], None]:
        return lambda more: None

    def found(self, count: int) -> None:
        pass
