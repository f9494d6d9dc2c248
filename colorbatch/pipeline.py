"""Reading, inference and writing at the same time, in order, with bounded memory.

Flows in: items, and three steps for each: `read` (item -> what was read and its lightness),
`predict` (a batch of lightness -> chroma), `finish` (item, what was read, chroma -> result).
Reading and finishing run on worker threads, prediction on the caller's. Flows out: one `Done` per
item, in the order of the items. At most `in_flight` items are held between being read and being
yielded, whatever their number. A step that fails ends its own item and no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from colorbatch.color import Float

Item = TypeVar("Item")
Held = TypeVar("Held")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Loaded(Generic[Held]):
    """What `read` returns: something to hand to `finish`, and L* (H, W) for the network, or
    (N, H, W) where the item is several pictures; `finish` gets chroma of the same form.

    Without lightness the item passes the network by, and `finish` gets no chroma.
    """

    held: Held
    lightness: Float | None


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """The end of one item: its result, or the exception that ended it."""

    item: Item
    result: Result | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Limits:
    """Worker threads, items held at once, and items per prediction."""

    workers: int
    in_flight: int
    batch_size: int


def run(
    items: Iterable[Item],
    read: Callable[[Item], Loaded[Held]],
    predict: Callable[[Float], Float],
    finish: Callable[[Item, Held, Float | None], Result],
    limits: Limits,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Done[Item, Result]]:
    """Take every item through the three steps; see the module's docstring.

    Once `stop()` is true nothing new begins: items already being finished are finished and yielded,
    the others are dropped without a trace.
    """
    pending = iter(items)
    reading: deque[tuple[Item, Future[Loaded[Held]]]] = deque()
    finishing: deque[tuple[Item, Future[Result]]] = deque()

    pool = ThreadPoolExecutor(limits.workers, "colorbatch")
    try:
        exhausted = False
        while True:
            while not (exhausted or stop()) and len(reading) + len(finishing) < limits.in_flight:
                try:
                    item = next(pending)
                except StopIteration:
                    exhausted = True
                else:
                    reading.append((item, pool.submit(read, item)))

            if stop():
                for _, unread in reading:
                    unread.cancel()
                reading.clear()
            if reading:
                batch = _ready_batch(reading, limits.batch_size)
                finishing.extend(_infer(batch, predict, finish, pool))
            while finishing and (
                not reading
                or finishing[0][1].done()
                or len(reading) + len(finishing) >= limits.in_flight
            ):
                item, future = finishing.popleft()
                yield _done(item, future)
            if not reading and not finishing and (exhausted or stop()):
                return
    finally:  # also when the caller gives up: what has not begun never does
        pool.shutdown(cancel_futures=True)


def _ready_batch(
    reading: deque[tuple[Item, Future[Loaded[Held]]]], size: int
) -> list[tuple[Item, Future[Loaded[Held]]]]:
    """The next item, waited for, and those behind it that are read already, up to `size`."""
    batch = [reading.popleft()]
    batch[0][1].exception()  # wait
    while reading and len(batch) < size and reading[0][1].done():
        batch.append(reading.popleft())
    return batch


def _infer(
    batch: list[tuple[Item, Future[Loaded[Held]]]],
    predict: Callable[[Float], Float],
    finish: Callable[[Item, Held, Float | None], Result],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[Item, Future[Result]]]:
    """Predict a batch and start finishing it."""
    seen = [
        loaded.lightness
        for _, future in batch
        if future.exception() is None and (loaded := future.result()).lightness is not None
    ]
    chroma: Float | None = None
    failure: Exception | None = None
    if seen:
        try:
            chroma = predict(np.concatenate([one[None] if one.ndim == 2 else one for one in seen]))
        except Exception as error:
            failure = error
    used = 0
    for item, future in batch:
        if (unread := future.exception()) is not None:
            yield item, _failed(unread)
            continue
        loaded = future.result()
        if loaded.lightness is None:
            yield item, pool.submit(finish, item, loaded.held, None)
        elif failure is not None or chroma is None:
            yield item, _failed(failure or RuntimeError("no chroma"))
        elif loaded.lightness.ndim == 2:
            yield item, pool.submit(finish, item, loaded.held, chroma[used])
            used += 1
        else:
            own = chroma[used : used + len(loaded.lightness)]
            yield item, pool.submit(finish, item, loaded.held, own)
            used += len(own)


def _failed(error: BaseException) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_exception(error)
    return future


def _done(item: Item, future: Future[Result]) -> Done[Item, Result]:
    """The one place where an item's failure, of any kind, is caught."""
    try:
        return Done(item, future.result())
    except Exception as error:
        return Done(item, error=error)
