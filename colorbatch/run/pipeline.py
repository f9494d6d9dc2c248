"""Reading, inference and writing at the same time, in order, with bounded memory.

Flows in: items, and three steps for each: `read` (item -> what was read and its lightness),
`predict` (a batch of lightness -> chroma), `finish` (item, what was read, chroma -> result).
Reading and finishing run on worker threads, prediction on the caller's. Flows out: one `Done` per
item, in the order of the items. At most `in_flight` items are held between being read and being
yielded, whatever their number; and of a budget of memory each item has its cost from before it is
read until it is finished, so that what is at work at the same time never costs more. An item that
costs more than the budget is at work alone. A step that fails ends its own item and no other.

Between prediction and finishing there may be a step that sees the items in their order, one after
the other, and that may want to see some that follow before it gives one back: `Ordered`. What waits
for it counts to the budget, and not to what is in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from colorbatch.color import Float

Item = TypeVar("Item")
Held = TypeVar("Held")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)


@dataclass(frozen=True)
class Loaded(Generic[Held]):
    """What `read` returns: something to hand to `finish`, and L* (H, W) for the network, or
    (N, H, W) where the item is several pictures; `finish` gets chroma of the same form.

    Without lightness the item passes the network by, and `finish` gets no chroma. predict: what
    predicts it, None for what predicts all. kept: bytes that it takes while it waits for others
    (`Ordered`); None for as many as it costs.
    """

    held: Held
    lightness: Float | None
    predict: Callable[[Float], Float] | None = None
    kept: int | None = None


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """The end of one item: its result, or the exception that ended it."""

    item: Item
    result: Result | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Limits:
    """Worker threads, items held at once, items per prediction, the budget of memory in bytes, None
    for any, and predictions at the same time, where several threads may ask for them."""

    workers: int
    in_flight: int
    batch_size: int
    memory: int | None = None
    models: int = 1


class Ordered(Protocol[Item_contra]):
    """Sees every item that was predicted, in order, on the caller's thread."""

    def add(self, item: Item_contra, lightness: Float, ab: Float) -> list[Float]:
        """Take the next item; the chroma of those that are ready now, oldest first."""

    def past(self, item: Item_contra) -> list[Float]:
        """The next item passes the network by, and has no chroma; that of those that are ready
        now: all before it."""

    def end(self) -> list[Float]:
        """There are no more: the chroma of those that still wait."""


@dataclass(frozen=True)
class _Step(Generic[Item, Result]):
    """A step of an item that is asked for, and what the item costs, in bytes."""

    item: Item
    future: Future[Result]
    cost: int = 0


@dataclass(eq=False)
class _Seen(Generic[Item, Held]):
    """An item that was read and, where it has lightness, predicted. failure: why it is not; ready:
    whether its chroma is what it is to be finished with."""

    item: Item
    cost: int
    loaded: Loaded[Held] | None = None
    ab: Float | None = None
    failure: BaseException | None = None
    ready: bool = True

    @property
    def waits(self) -> int:
        """Bytes that it takes while it waits for others."""
        kept = None if self.loaded is None else self.loaded.kept
        return self.cost if kept is None else kept


def run(
    items: Iterable[Item],
    read: Callable[[Item], Loaded[Held]],
    predict: Callable[[Float], Float],
    finish: Callable[[Item, Held, Float | None], Result],
    limits: Limits,
    stop: Callable[[], bool] = lambda: False,
    cost: Callable[[Item], int] = lambda item: 0,
    ordered: Ordered[Item] | None = None,
) -> Iterator[Done[Item, Result]]:
    """Take every item through the three steps; see the module's docstring.

    cost: bytes that an item takes at most while it is read, waits and is finished; asked on a
    thread of its own, ahead of its turn. Once `stop()` is true nothing new begins: items already
    being finished are finished and yielded, the others are dropped without a trace.
    """
    pending = iter(items)
    weighing: deque[_Step[Item, int]] = deque()
    reading: deque[_Step[Item, Loaded[Held]]] = deque()
    ordering: deque[_Seen[Item, Held]] = deque()
    finishing: deque[_Step[Item, Result]] = deque()

    def held() -> int:
        return len(weighing) + len(reading) + len(finishing)

    def finish_ready() -> None:
        while ordering and ordering[0].ready:
            one, *others = ordering
            if not _fits(one.cost, reading, finishing, _waiting(others), limits.memory):
                break
            del one, others
            finishing.append(_finishing(ordering.popleft(), finish, pool))

    pool = ThreadPoolExecutor(limits.workers, "colorbatch")
    scales = ThreadPoolExecutor(1, "colorbatch-cost")  # of its own: no cost waits for a picture
    try:
        exhausted = False
        while True:
            while not (exhausted or stop()) and held() < limits.in_flight:
                try:
                    item = next(pending)
                except StopIteration:
                    exhausted = True
                else:
                    weighing.append(_Step(item, scales.submit(cost, item)))
            if stop():
                for step in reading:
                    step.future.cancel()
                reading.clear()
                weighing.clear()
                ordering.clear()
            finish_ready()
            waits = _waiting(ordering)
            while weighing and _has_room(weighing[0], reading, finishing, waits, limits.memory):
                reading.append(_begun(weighing.popleft(), read, pool))
            if reading:
                # no name for the batch here: it would hold its pictures until the next one
                for seen in _infer(_ready_batch(reading, limits.batch_size), predict):
                    _in_order(seen, ordering, ordered)
                    finish_ready()
                    del seen
            elif ordered is not None and exhausted and not weighing and ordering:
                _released(ordered.end(), ordering)
                finish_ready()
            wait = not weighing and (not reading or held() >= limits.in_flight)
            if weighing and not reading:  # for room, which any that is finished makes
                working = [step.future for step in finishing if not step.future.done()]
                futures.wait(working, return_when=futures.FIRST_COMPLETED)
            while finishing and (wait or finishing[0].future.done()):
                yield _done(finishing.popleft())
                wait = False
            if not held() and not ordering and (exhausted or stop()):
                return
    finally:  # also when the caller gives up: what has not begun never does
        scales.shutdown(cancel_futures=True)
        pool.shutdown(cancel_futures=True)


def _waiting(ordering: Iterable[_Seen[Item, Held]]) -> int:
    """The bytes of items that wait for others to follow."""
    return sum(one.waits for one in ordering)


def _has_room(
    step: _Step[Item, int],
    reading: Iterable[_Step[Item, Any]],
    finishing: Iterable[_Step[Item, Any]],
    waits: int,
    memory: int | None,
) -> bool:
    """Whether the budget has room for an item that is not begun; see `_fits`."""
    if step.future.exception() is not None:
        return True
    return _fits(step.future.result(), reading, finishing, waits, memory)


def _fits(
    cost: int,
    reading: Iterable[_Step[Item, Any]],
    finishing: Iterable[_Step[Item, Any]],
    waits: int,
    memory: int | None,
) -> bool:
    """Whether the budget has room for an item beside those that are begun and not finished. waits:
    the bytes of those that wait for others to follow."""
    if memory is None:
        return True
    taken = sum(one.cost for one in reading)
    taken += sum(one.cost for one in finishing if not one.future.done())
    return taken == 0 or taken + waits + cost <= memory


def _begun(
    step: _Step[Item, int], read: Callable[[Item], Loaded[Held]], pool: ThreadPoolExecutor
) -> _Step[Item, Loaded[Held]]:
    """The reading of an item whose cost is known; failed where asking for it failed."""
    if (error := step.future.exception()) is not None:
        return _Step(step.item, _failed(error))
    return _Step(step.item, pool.submit(read, step.item), step.future.result())


def _ready_batch(
    reading: deque[_Step[Item, Loaded[Held]]], size: int
) -> list[_Step[Item, Loaded[Held]]]:
    """The next item, waited for, and those behind it that are read already and predicted as it is,
    up to `size`."""
    batch = [reading.popleft()]
    batch[0].future.exception()  # wait
    while reading and len(batch) < size and reading[0].future.done():
        if _predicted_by(reading[0]) != _predicted_by(batch[0]):
            break
        batch.append(reading.popleft())
    return batch


def _predicted_by(step: _Step[Item, Loaded[Held]]) -> Callable[[Float], Float] | None:
    return None if step.future.exception() is not None else step.future.result().predict


def _infer(
    batch: list[_Step[Item, Loaded[Held]]], predict: Callable[[Float], Float]
) -> Iterator[_Seen[Item, Held]]:
    """Predict a batch, all of it by one. predict: unless it names its own."""
    seen = [
        loaded.lightness
        for step in batch
        if step.future.exception() is None
        and (loaded := step.future.result()).lightness is not None
    ]
    chroma: Float | None = None
    failure: Exception | None = None
    if seen:
        try:
            predict = _predicted_by(batch[0]) or predict
            chroma = predict(np.concatenate([one[None] if one.ndim == 2 else one for one in seen]))
        except Exception as error:
            failure = error
    used = 0
    for step in batch:
        if (unread := step.future.exception()) is not None:
            yield _Seen(step.item, step.cost, failure=unread)
            continue
        loaded = step.future.result()
        ab: Float | None = None
        if loaded.lightness is not None:
            if failure is not None or chroma is None:
                failed = failure or RuntimeError("no chroma")
                yield _Seen(step.item, step.cost, failure=failed)
                continue
            single = loaded.lightness.ndim == 2
            count = 1 if single else len(loaded.lightness)
            ab = chroma[used] if single else chroma[used : used + count]
            used += count
        yield _Seen(step.item, step.cost, loaded, ab)


def _in_order(
    seen: _Seen[Item, Held], ordering: deque[_Seen[Item, Held]], ordered: Ordered[Item] | None
) -> None:
    """Add an item to those that wait, and tell the step between of it."""
    ordering.append(seen)
    if ordered is None or seen.failure is not None:
        return
    if seen.ab is None:
        _released(ordered.past(seen.item), ordering)
        return
    assert seen.loaded is not None and seen.loaded.lightness is not None
    seen.ready = False
    _released(ordered.add(seen.item, seen.loaded.lightness, seen.ab), ordering)


def _released(ready: Iterable[Float], ordering: Iterable[_Seen[Item, Held]]) -> None:
    """Give the oldest items that wait the chroma that they are finished with."""
    waiting = (one for one in ordering if not one.ready)
    for ab, one in zip(ready, waiting, strict=False):
        one.ab, one.ready = ab, True


def _finishing(
    seen: _Seen[Item, Held],
    finish: Callable[[Item, Held, Float | None], Result],
    pool: ThreadPoolExecutor,
) -> _Step[Item, Result]:
    """Start finishing an item that was predicted."""
    if seen.failure is not None or seen.loaded is None:
        return _Step(seen.item, _failed(seen.failure or RuntimeError("was not read")))
    finished = pool.submit(finish, seen.item, seen.loaded.held, seen.ab)
    return _Step(seen.item, finished, seen.cost)


def _failed(error: BaseException) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_exception(error)
    return future


def _done(step: _Step[Item, Result]) -> Done[Item, Result]:
    """The one place where an item's failure, of any kind, is caught."""
    try:
        return Done(step.item, step.future.result())
    except Exception as error:
        return Done(step.item, error=error)
