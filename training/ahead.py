"""The batches of a run, step by step; on a GPU the next one is made while the networks work.

Making a batch is some 2,500 small operations: a GPU is done with them in a few milliseconds, but
Python needs 35 to ask for them. A thread and a CUDA stream of their own hide that.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from training.config import TrainConfig
from training.data import step_photographs
from training.views import Batch, Photographs, make_batch


class Batches:
    """What the steps of a run see. A batch is a function of its step, whoever makes it."""

    def __init__(self, photos: Photographs, config: TrainConfig, pool: ThreadPoolExecutor | None):
        """`pool`: one thread, in which the batch after the one that was asked for is made."""
        self._photos = photos
        self._config = config
        self._pool = pool
        self._stream: torch.cuda.Stream | None = None
        if photos.device.type == "cuda" and pool is not None:
            self._stream = torch.cuda.Stream(photos.device)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(photos.device))
        self._next: tuple[int, Future[tuple[int, Batch]]] | None = None

    def of(self, step: int) -> tuple[int, Batch]:
        """The epoch and the batch of a step, counted from 0."""
        if self._pool is None:
            return self._make(step)
        if self._next is not None and self._next[0] == step:
            epoch, batch = self._next[1].result()
        else:
            epoch, batch = self._pool.submit(self._make, step).result()
        self._next = (step + 1, self._pool.submit(self._make, step + 1))
        return epoch, batch if self._stream is None else self._handed_over(batch)

    def _make(self, step: int) -> tuple[int, Batch]:
        epoch, indices = step_photographs(self._photos.cache, self._config, step)
        with torch.cuda.stream(self._stream):  # none: nothing changes
            batch = make_batch(self._photos, self._config, epoch, indices)
            if self._stream is not None:
                self._stream.synchronize()
        return epoch, batch

    def _handed_over(self, batch: Batch) -> Batch:
        """The batch, whose memory is not used anew before the networks' stream is done with it."""
        here = torch.cuda.current_stream(self._photos.device)
        for value in _tensors(batch):
            value.record_stream(here)
        return batch


def _tensors(batch: Batch) -> Iterator[Tensor]:
    yield from (batch.condition, batch.target, batch.seen)
    if batch.pair is not None:
        yield from (batch.pair.places, batch.pair.known)


@contextmanager
def batches_of(photos: Photographs, config: TrainConfig) -> Iterator[Batches]:
    """The batches of a run. On a CPU, where networks and batches share the cores, each is made
    when it is asked for."""
    if photos.device.type == "cpu":
        yield Batches(photos, config, None)
        return
    with ThreadPoolExecutor(1, "batches") as pool:
        yield Batches(photos, config, pool)
