"""Random numbers that are a function of (seed, epoch, index) alone, as tensor operations.

Nothing here has a state that another sample, thread or device could move: a number is a hash of
its sample's key and of a counter (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2,
3"). All arithmetic on the way is on integers and single IEEE operations, so the numbers are the
same bits on every device, in every batch and with any number of threads. They are good enough for
pictures and for nothing secret: 24 bits for a uniform, 16 for a pixel of a field.
"""

from __future__ import annotations

import functools
import statistics

import torch
from torch import Tensor

GAMMA = 0x9E3779B97F4A7C15
"""The step of splitmix64's counter: odd, near 2^64 over the golden ratio."""
BLOCK = 64
"""Streams that are computed at a time: one call for many draws of few numbers each."""


def keys(seed: int, epoch: int, indices: Tensor, view: int = 0) -> Tensor:
    """One key (B,), int64, for each sample of `indices` (B,), int64, on the same device.

    `view` tells several random looks at one sample in one epoch apart.
    """
    state = torch.zeros_like(indices)
    for part in (seed, epoch, indices, view):
        step = part if isinstance(part, Tensor) else _signed(part)
        state = _mixed(state + _signed(GAMMA) + step)
    return state


class Draws:
    """The draws of one batch. Every call takes the next stream: the order of calls decides."""

    def __init__(self, keys: Tensor) -> None:
        """`keys`: (B,) int64, see `keys`."""
        self._keys = keys
        self._next = 0
        self._block = torch.empty(0)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(B,) float32 in [low, high), low < high."""
        numbers = (self._stream() >> 40 & 0xFFFFFF).float() / 2**24
        if (low, high) == (0.0, 1.0):
            return numbers
        # rounding may reach the upper end, which is not part of the range
        last = torch.nextafter(torch.tensor(float(high)), torch.tensor(float(low))).item()
        return (numbers * (high - low) + low).clamp(max=last)

    def chance(self, probability: float) -> Tensor:
        """(B,) bool, True with this probability: never at 0, always at 1."""
        return self.uniform() < probability

    def normal_field(self, height: int, width: int) -> Tensor:
        """(B, height, width) float32, N(0, 1), pixels independent of each other.

        Each is one of 65536 quantiles, so none is beyond 4.33.
        """
        codes = self._codes(height, width)
        table = _quantiles(codes.device)
        return table.index_select(0, codes.flatten()).view(codes.shape)

    def uniform_field(self, height: int, width: int) -> Tensor:
        """(B, height, width) float32 in (0, 1), of 65536 equal steps, pixels independent."""
        return (self._codes(height, width).float() + 0.5) / 65536

    def _stream(self) -> Tensor:
        """(B,) int64, 64 random bits: the next output of splitmix64 that began at the key."""
        if self._next % BLOCK == 0:
            steps = [_signed((self._next + i + 1) * GAMMA) for i in range(BLOCK)]
            counters = torch.tensor(steps, device=self._keys.device)
            self._block = _mixed(counters[:, None] + self._keys)
        self._next += 1
        return self._block[(self._next - 1) % BLOCK]

    def _codes(self, height: int, width: int) -> Tensor:
        """(B, height, width) int32 in [0, 65535], of the next stream.

        Two pixels share a word of 32 bits: the hash "lowbias32" (Wellons 2018, "Prospecting for
        Hash Functions") of a counter, keyed with 64 bits, half before and half inside.
        """
        stream = self._stream()
        first, second = ((stream >> shift).to(torch.int32)[:, None] for shift in (0, 32))
        count = height * width
        words = torch.arange((count + 1) // 2, dtype=torch.int32, device=stream.device) + first
        words ^= (words >> 16).bitwise_and_(0xFFFF)
        words *= 0x7FEB352D
        words ^= second
        words ^= (words >> 15).bitwise_and_(0x1FFFF)
        words *= 0x846CA68B - 2**32
        words ^= (words >> 16).bitwise_and_(0xFFFF)
        codes = words.view(torch.int16).to(torch.int32).bitwise_and_(0xFFFF)
        return codes[:, :count].reshape(-1, height, width)


def _mixed(state: Tensor) -> Tensor:
    """int64, any shape, to int64 whose every bit depends on every bit of it: the finisher of
    splitmix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators")."""
    # torch's int64 wraps, and its right shift carries the sign along: the mask takes it away
    state = (state ^ (state >> 30 & 2**34 - 1)) * _signed(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> 27 & 2**37 - 1)) * _signed(0x94D049BB133111EB)
    return state ^ (state >> 31 & 2**33 - 1)


def _signed(number: int) -> int:
    """The int64 that has the low 64 bits of a number."""
    return (number + 2**63) % 2**64 - 2**63


@functools.cache
def _quantiles(device: torch.device) -> Tensor:
    """(65536,) float32: the normal distribution at the middle of 65536 equally likely steps, with
    variance 1. Python computes them, so that no device's own functions have a part in it."""
    normal = statistics.NormalDist()
    half = torch.tensor(
        [normal.inv_cdf((code + 0.5) / 65536) for code in range(32768)], dtype=torch.float64
    )
    table = torch.cat([half, -half.flip(0)])
    return (table / table.square().mean().sqrt()).float().to(device)
