"""Executors: `work(item, settings, model)` called for many items, on threads or in processes.

Flows in: items, a plain function with its settings, both picklable, and the model as a function
`predict` (a batch of lightness -> chroma) that stays in this process, on threads of its own, of
which there are `Limits.models`: whoever works calls `model`, and what waits at the same time is
predicted in one batch. Flows out: one `Ended` per item, in the order of the items. What is made
goes through `commit` before, in groups of those that are made at the same time, also on a thread of
its own; no worker waits for it.

At most `in_flight` items are held between being taken and being yielded, whatever their number; and
of a budget of memory each item has its cost from before it is begun until it is made, so that what
is at work at the same time never costs more. An item that costs more than the budget is at work
alone. An item that fails ends by itself, and so does one whose process dies.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from colorbatch.color import Float
from colorbatch.run.pipeline import Limits
from colorbatch.run.worker_process import Dropped, Model
from colorbatch.run.workers import Errand, Processes, Threads

Executor = Literal["threads", "processes"]
Item = TypeVar("Item")
Settings = TypeVar("Settings")
Made = TypeVar("Made")
Result = TypeVar("Result")
WAIT = 0.2
"""Seconds after which `stop` is asked again, while nothing ends."""


@dataclass(frozen=True)
class Ended(Generic[Item, Result]):
    """The end of one item: its result, or the exception that ended it; seconds: from when work on
    it began."""

    item: Item
    result: Result | None = None
    error: BaseException | None = None
    seconds: float = 0.0


def run(
    items: Iterable[Item],
    work: Callable[[Item, Settings, Model], Made],
    settings: Settings,
    predict: Callable[[Float], Float],
    commit: Callable[[Sequence[tuple[Item, Made]]], Sequence[Result | Exception]],
    limits: Limits,
    *,
    executor: Executor = "threads",
    stop: Callable[[], bool] = lambda: False,
    cost: Callable[[Item], int] = lambda item: 0,
) -> Generator[Ended[Item, Result], None, None]:
    """Have every item worked on; see the module's docstring.

    work: raises what is wrong with its item. model (N, H, W) to (N, H, W, 2), as often as it likes.
    commit: what is to be done with what is made; for each its result, or why it has none. cost:
    bytes that an item takes at most while it is worked on; asked on a thread of its own, ahead of
    its turn. Once `stop()` is true nothing new begins: items to which the model has answered, or
    that do not need it, are finished and yielded, the others are dropped without a trace. Closed
    early, it ends what is at work, of processes at once; what is made and not committed is the
    caller's to remove. Raises ColorbatchError where no process can be started.
    """
    conductor = _Conductor(predict, commit, limits, cost)
    if executor == "processes":
        conductor.team = Processes(limits.workers, work, settings, conductor)
    else:
        conductor.team = Threads(limits.workers, work, settings, conductor)
    try:
        yield from conductor.conducted(iter(items), stop)
    finally:
        conductor.close()


class _Conductor:
    """What is held, and who waits for whom. Its methods for a team may be called on any thread."""

    team: Threads | Processes

    def __init__(
        self,
        predict: Callable[[Float], Float],
        commit: Callable[[Sequence[tuple[Any, Any]]], Sequence[Any]],
        limits: Limits,
        cost: Callable[[Any], int],
    ) -> None:
        self._predict, self._commit, self._limits, self._cost = predict, commit, limits, cost
        self._changed = threading.Condition()  # guards all below
        self._held: deque[Errand] = deque()
        self._waiting: deque[Errand] = deque()
        self._taken = 0
        self._at_work = 0
        self._asked: list[tuple[Errand, Float, Future[Float]]] = []
        self._made: list[Errand] = []
        self._broken: Exception | None = None
        self._stopping = self._closing = self._over = False
        # of its own: no cost waits for an item that is worked on
        self._scales = ThreadPoolExecutor(1, "colorbatch-cost")
        self._threads = [
            *(
                threading.Thread(target=self._answering, name="colorbatch-model", daemon=True)
                for _ in range(limits.models)
            ),
            threading.Thread(target=self._committing, name="colorbatch-commit", daemon=True),
        ]

    # --- the caller's thread ---

    def conducted(self, items: Iterator[Any], stop: Callable[[], bool]) -> Iterator[Any]:
        """Take items as there is room, and yield their ends in order."""
        for thread in self._threads:
            thread.start()
        exhausted, count = False, 0
        while True:
            if not self._stopping and stop():
                self._stop()
            while not (exhausted or self._stopping) and len(self._held) < self._limits.in_flight:
                try:
                    errand = Errand(next(items), count)
                except StopIteration:
                    exhausted = True
                else:
                    count += 1
                    with self._changed:
                        self._held.append(errand)
                        self._waiting.append(errand)
                    self._scales.submit(self._weigh, errand)
            ended = None
            with self._changed:
                if self._broken is not None:
                    raise self._broken
                if not self._held:
                    if exhausted or self._stopping:
                        return
                elif self._held[0].ended:
                    ended = self._held.popleft()
                else:
                    self._changed.wait(WAIT)
            if ended is not None and not ended.dropped:
                yield Ended(ended.item, ended.result, ended.error, ended.seconds)

    def _stop(self) -> None:
        """Begin nothing new."""
        with self._changed:
            self._stopping = True
            for errand in self._waiting:
                errand.dropped = errand.ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """End everything, and wait for it; also where Ctrl-C comes in the midst of that."""
        try:
            self._close()
        except KeyboardInterrupt:
            self._close()
            raise

    def _close(self) -> None:
        with self._changed:
            self._stopping = self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        self._scales.shutdown(cancel_futures=True)
        self.team.close()
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    # --- what is at work ---

    def _weigh(self, errand: Errand) -> None:
        try:
            errand.cost = self._cost(errand.item)
        except Exception as error:
            errand.error = error
        with self._changed:
            errand.weighed = True
            self._advance()

    def _advance(self) -> None:
        """Begin what there is room for, in order."""
        while self._waiting and self._waiting[0].weighed:
            errand, memory = self._waiting[0], self._limits.memory
            if errand.error is not None:
                self._waiting.popleft()
                self._end(errand)
                continue
            full = memory is not None and self._taken + errand.cost > memory
            if (full and self._at_work) or not self.team.has_room:
                break
            self._waiting.popleft()
            self._taken += errand.cost
            self._at_work += 1
            self.team.begin(errand)

    def _end(self, errand: Errand) -> None:
        errand.ended = True
        if errand.begun_at is not None:
            errand.seconds = time.monotonic() - errand.begun_at
        self._changed.notify_all()

    def _leaves(self, errand: Errand) -> None:
        """An item is not at work any more, and gives its share back."""
        self._taken -= errand.cost
        self._at_work -= 1
        self._advance()

    # --- for a team ---

    def starts(self, errand: Errand) -> bool:
        """A worker comes to an item: whether it is still wanted."""
        errand.begun_at = time.monotonic()
        return not self._stopping

    def again(self, errand: Errand) -> None:
        """Work on an item has not begun, and cannot there: it is next."""
        with self._changed:
            self._waiting.appendleft(errand)
            if self._stopping:
                self._stop()
            self._leaves(errand)

    def made(self, errand: Errand, made: object) -> None:
        """Work on an item has ended well."""
        with self._changed:
            errand.result = made
            self._made.append(errand)
            self._changed.notify_all()
            self._leaves(errand)

    def failed(self, errand: Errand, error: BaseException) -> None:
        """Work on an item has ended with an exception; `Dropped` for one that is not wanted."""
        with self._changed:
            if isinstance(error, Dropped):
                errand.dropped = True
            errand.error = error
            self._end(errand)
            self._leaves(errand)

    def broken(self, error: Exception) -> None:
        """No work is possible any more."""
        with self._changed:
            self._broken = error
            self._changed.notify_all()

    def ask(self, errand: Errand, lightness: Float) -> Future[Float]:
        """What the model says to L* (N, H, W): ab (N, H, W, 2), or an exception."""
        answer: Future[Float] = Future()
        with self._changed:
            self._asked.append((errand, lightness, answer))
            self._changed.notify_all()
        return answer

    # --- threads of its own ---

    def _answering(self) -> None:
        while (batch := self._next_batch()) is not None:
            _answer(batch, self._predict)
            del batch  # its arrays

    def _next_batch(self) -> list[tuple[Float, Future[Float]]] | None:
        """What is asked, of the first items first, up to the batch's size; None at the end."""
        with self._changed:
            while True:
                if self._stopping:
                    unwanted = [one for one in self._asked if self._closing or not one[0].answered]
                    self._asked = [one for one in self._asked if one not in unwanted]
                    for _, _, answer in unwanted:
                        answer.set_exception(Dropped())
                if self._asked:
                    break
                if self._over:
                    return None
                self._changed.wait()
            self._asked.sort(key=lambda one: one[0].index)
            batch: list[tuple[Float, Future[Float]]] = []
            count = 0
            while self._asked and (not batch or count < self._limits.batch_size):
                errand, lightness, answer = self._asked.pop(0)
                errand.answered = True
                batch.append((lightness, answer))
                count += len(lightness)
        return batch

    def _committing(self) -> None:
        while True:
            with self._changed:
                while not (self._made or self._closing):
                    self._changed.wait()
                if self._closing:
                    return
                group, self._made = self._made, []
            try:
                results = list(self._commit([(errand.item, errand.result) for errand in group]))
            except Exception as error:
                results = [error] * len(group)
            with self._changed:
                for errand, result in zip(group, results, strict=True):
                    failed = isinstance(result, Exception)
                    errand.result, errand.error = (None, result) if failed else (result, None)
                    self._end(errand)


def _answer(batch: list[tuple[Float, Future[Float]]], predict: Callable[[Float], Float]) -> None:
    """Predict a batch, and tell each who asked."""
    try:
        seen = [lightness for lightness, _ in batch]
        chroma = predict(seen[0] if len(seen) == 1 else np.concatenate(seen))
    except Exception as error:
        for _, answer in batch:
            answer.set_exception(error)
        return
    used = 0
    for lightness, answer in batch:
        answer.set_result(chroma[used : used + len(lightness)])
        used += len(lightness)
