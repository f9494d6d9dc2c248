"""The one conductor of everything that moves: source, view, prediction, ordered step, finish, sink.

Flows in: a `Way`, which is how the frames of a segment or of a sequence are taken through, and a
model. Every part of it overlaps: the source is read on a thread of its own, results go to the sink
on another, views and results are made on workers, and the model runs on the caller's thread.
Knows no files and no formats.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from colorbatch.color import Float
from colorbatch.run import pipeline
from colorbatch.run.pipeline import Done, Limits, Loaded, Ordered

AHEAD = 2
"""Items that are read before they are asked for, and results that wait for the sink."""

Item = TypeVar("Item")
Held = TypeVar("Held")
Result = TypeVar("Result")


class Model(Protocol):
    """What predicts color. size: (H, W) that it sees; batch_size: pictures at a time, at most."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def batch_size(self) -> int: ...

    def predict(self, lightness: Float) -> Float:
        """ab (N, H, W, 2) of L* (N, H, W), in Lab units; asked from several threads."""


@dataclass(frozen=True)
class Way(Generic[Item, Held, Result]):
    """How items, frames or batches of them, are taken through. items: in order, the source's;
    view: reads one and gives what the model sees of it; finish: makes its result of the chroma;
    sink: takes what came of each, in order; cost: bytes that an item takes while it is at work."""

    items: Iterator[Item]
    view: Callable[[Item], Loaded[Held]]
    finish: Callable[[Item, Held, Float | None], Result]
    sink: Callable[[Done[Item, Result]], None]
    cost: Callable[[Item], int] = lambda item: 0


def render(
    way: Way[Item, Held, Result],
    model: Model,
    limits: Limits,
    stop: Callable[[], bool] = lambda: False,
    ordered: Ordered[Item] | None = None,
) -> None:
    """Take all items through. stop: asked often; nothing new begins then. An exception of the
    source or the sink ends it at once; one of another part is the sink's to judge."""
    with contextlib.closing(_ahead(way.items)) as items:
        results = pipeline.run(
            items, way.view, model.predict, way.finish, limits, stop, way.cost, ordered
        )
        with (
            contextlib.closing(results),  # type: ignore[type-var]
            ThreadPoolExecutor(1, "colorbatch-sink") as pool,
        ):
            waiting: deque[Future[None]] = deque()
            try:
                for done in results:
                    waiting.append(pool.submit(way.sink, done))
                    del done
                    while len(waiting) > AHEAD:
                        waiting.popleft().result()
                for future in waiting:
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _ahead(source: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, made on a thread of their own before they are asked for."""
    end: Any = object()
    with ThreadPoolExecutor(1, "colorbatch-source") as pool:
        waiting = deque(pool.submit(next, source, end) for _ in range(AHEAD))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, source, end))
                yield item
                del item
        finally:
            for future in waiting:
                future.cancel()
