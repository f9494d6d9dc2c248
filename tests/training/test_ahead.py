"""Batches that are made ahead are those that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from colorbatch.errors import SourceError
from training.ahead import Batches, batches_of
from training.config import TrainConfig
from training.data import PhotoCache, step_photographs
from training.views import Photographs, make_batch

CacheOf = Callable[[Sequence[np.ndarray]], PhotoCache]

CONFIG = TrainConfig(size=32, levels=5, batch_size=4, pairs=0.25, crop=0.7, degradation=0.5)
CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
)
PHOTOS = [np.random.default_rng(i).integers(0, 256, (40, 48 + i, 3), np.uint8) for i in range(12)]


@pytest.mark.parametrize("name", ["cpu", CUDA])
def test_a_batch_made_ahead_is_the_batch(cache_of: CacheOf, name: str) -> None:
    photos = Photographs(cache_of(PHOTOS), torch.device(name))
    with ThreadPoolExecutor(1) as pool:
        ahead = Batches(photos, CONFIG, pool)
        # a run goes on at any step, and a step may be asked for again
        for step in (5, 6, 7, 2, 3, 3):
            epoch, batch = ahead.of(step)
            epoch_wanted, indices = step_photographs(photos.cache, CONFIG, step)
            wanted = make_batch(photos, CONFIG, epoch_wanted, indices)
            assert epoch == epoch_wanted
            assert torch.equal(batch.seen, wanted.seen)
            assert torch.equal(batch.target, wanted.target)
            assert batch.pair is not None and wanted.pair is not None
            assert torch.equal(batch.pair.places, wanted.pair.places)


def test_on_a_cpu_a_batch_is_made_when_it_is_asked_for(cache_of: CacheOf) -> None:
    photos = Photographs(cache_of(PHOTOS), torch.device("cpu"))
    with batches_of(photos, CONFIG) as batches:
        _, batch = batches.of(1)
    wanted = make_batch(photos, CONFIG, *step_photographs(photos.cache, CONFIG, 1))
    assert torch.equal(batch.condition, wanted.condition)


class Torn(Photographs):
    """Photographs that cannot be read."""

    def padded(self, indices: object) -> tuple[Tensor, Tensor]:
        raise SourceError("photo.jpg: torn")


def test_what_fails_in_the_thread_is_raised_where_the_batch_is_asked_for(cache_of: CacheOf) -> None:
    photos = Torn(cache_of(PHOTOS), torch.device("cpu"))
    with ThreadPoolExecutor(1) as pool, pytest.raises(SourceError, match="torn"):
        Batches(photos, CONFIG, pool).of(0)
