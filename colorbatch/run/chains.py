"""Jobs that follow each other in chains, and chains side by side.

The jobs of a chain are done in order, one when the one before is finished; of chains several are at
work at a time, each in a lane. A lane goes from a chain to the next one as long as it has any, so
that what it keeps open at the end of a job is where the next job begins; one that has no more takes
half of those of the lane that has most.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

Job = TypeVar("Job")
Kept = TypeVar("Kept")
Made = TypeVar("Made")


class _Lanes(Generic[Job]):
    """Which chains each lane has still to do; asked from all of them."""

    def __init__(self, chains: Sequence[Sequence[Job]], lanes: int) -> None:
        self._chains, self._lock = chains, threading.Lock()
        count = len(chains)
        ends = [count * lane // lanes for lane in range(lanes + 1)]
        self._own = [list(range(*pair)) for pair in itertools.pairwise(ends)]

    def next(self, lane: int) -> Sequence[Job] | None:
        """The next chain of a lane, None if there is none any more."""
        with self._lock:
            own = self._own[lane]
            if not own:
                most = max(self._own, key=len)
                own[:] = most[len(most) // 2 :]
                del most[len(most) // 2 :]
            return self._chains[own.pop(0)] if own else None


def run(
    chains: Sequence[Sequence[Job]],
    work: Callable[[Job, Kept, Callable[[], bool]], Made],
    kept: Callable[[], AbstractContextManager[Kept]],
    lanes: int,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Job, Made], None, None]:
    """Do every job; yields each with what it made, as they end.

    work: from a job, what its lane keeps, and who is to be asked often whether to end early, by an
    exception; kept: makes what a lane keeps. The first exception ends all lanes, and is raised when
    they have ended; so does closing the generator. Nothing begins once `stop()` is true.
    """
    lanes = max(1, min(lanes, len(chains)))
    todo, ended = _Lanes(chains, lanes), threading.Event()
    errors: list[BaseException] = []
    made: queue.SimpleQueue[tuple[Job, Made] | None] = queue.SimpleQueue()

    def ends() -> bool:
        return ended.is_set() or stop()

    def lane(number: int) -> None:
        try:
            with kept() as own:
                while not ends() and (chain := todo.next(number)) is not None:
                    for job in chain:
                        if ends():
                            return
                        made.put((job, work(job, own, ends)))
        except BaseException as error:  # raised again below; the others end because of it
            errors.append(error)
            ended.set()
        finally:
            made.put(None)

    with ThreadPoolExecutor(lanes, "colorbatch-lane") as pool:
        left = len([pool.submit(lane, number) for number in range(lanes)])
        try:
            while left:
                if (found := made.get()) is None:
                    left -= 1
                else:
                    yield found
        finally:
            ended.set()
    if errors:
        raise errors[0]
