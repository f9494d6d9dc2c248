"""The random numbers of training: their distribution, their independence, their constancy."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.draws import BLOCK, Draws, keys

MANY = torch.arange(20_000)
KEYS = [2717444788805323266, -7497615018410180721, 7959310754289892967]
UNIFORMS = [0.7977041006088257, 0.6504477262496948, 0.9519293308258057]
NORMALS = [0.4742, 0.845544, -0.046048, -1.053073]
UNIFORM_FIELD = [0.9112014770507812, 0.6841049194335938, 0.5688400268554688]


def moments(values: Tensor) -> tuple[float, float, float]:
    """Mean, variance and kurtosis of all values."""
    values = values.double().flatten()
    centered = values - values.mean()
    variance = centered.square().mean()
    return float(values.mean()), float(variance), float((centered**4).mean() / variance**2)


def correlation(first: Tensor, second: Tensor) -> float:
    """Pearson's coefficient of two tensors of one shape."""
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]).double())[0, 1])


def test_numbers_never_change() -> None:
    """A few numbers of every kind, written down: runs that go on after an update go on the same.

    The first is splitmix64's own first output for the state 0, as published with its reference
    implementation (Vigna 2015): 0xE220A8397B1DCDAF.
    """
    bits = Draws(torch.zeros(1, dtype=torch.int64))._stream()
    assert int(bits) % 2**64 == 0xE220A8397B1DCDAF
    made = keys(7, 3, torch.tensor([0, 1, 2**40]), view=1)
    assert made.tolist() == KEYS
    draws = Draws(made)
    assert draws.uniform(-1, 1).tolist() == UNIFORMS
    assert draws.normal_field(1, 4)[1].flatten().tolist() == pytest.approx(NORMALS, abs=1e-6)
    assert draws.uniform_field(1, 3)[2].flatten().tolist() == UNIFORM_FIELD


def test_uniform_numbers() -> None:
    """Of (0, 1): mean 1/2, variance 1/12, kurtosis 9/5, over samples and over streams."""
    draws = Draws(keys(0, 0, MANY))
    over_samples = draws.uniform()
    draws = Draws(keys(0, 0, torch.tensor([5])))
    over_streams = torch.cat([draws.uniform() for _ in range(20_000)])
    for numbers in (over_samples, over_streams):
        assert numbers.dtype == torch.float32 and numbers.min() >= 0 and numbers.max() < 1
        mean, variance, kurtosis = moments(numbers)
        # four standard errors of 20,000 numbers
        assert abs(mean - 1 / 2) < 0.0082
        assert abs(variance - 1 / 12) < 0.0022
        assert abs(kurtosis - 9 / 5) < 0.03
        share = torch.histc(numbers, 20, 0, 1) / len(numbers)
        assert (share - 0.05).abs().max() < 0.0062


def test_upper_end_is_never_reached() -> None:
    """Also where rounding would: in (1, 1 + 2^-22) there are two numbers of float32."""
    numbers = Draws(keys(0, 0, MANY)).uniform(1, 1 + 2**-22)
    assert set(numbers.tolist()) == {1, 1 + 2**-23}
    numbers = Draws(keys(0, 0, MANY)).uniform(-3, 5)
    assert -3 <= numbers.min() < -2.9 and 4.9 < numbers.max() < 5


def test_chances() -> None:
    """Never, always, and as often as asked."""
    draws = Draws(keys(0, 0, MANY))
    assert not draws.chance(0).any() and draws.chance(1).all()
    assert abs(float(draws.chance(0.3).double().mean()) - 0.3) < 0.013  # four standard errors


def test_streams_and_keys_are_independent() -> None:
    """Each stream, seed, epoch, view and neighboring index has numbers of its own."""
    draws = Draws(keys(0, 0, MANY))
    first = draws.uniform()
    others = {f"stream {i}": draws.uniform() for i in (1, 2)}
    others["seed"] = Draws(keys(1, 0, MANY)).uniform()
    others["epoch"] = Draws(keys(0, 1, MANY)).uniform()
    others["view"] = Draws(keys(0, 0, MANY, view=1)).uniform()
    others["next index"] = Draws(keys(0, 0, MANY + 1)).uniform()
    others["negative seed"] = Draws(keys(-1, 0, MANY)).uniform()
    for name, numbers in others.items():
        assert abs(correlation(first, numbers)) < 0.028, name  # four standard errors
    parts = [keys(s, e, torch.arange(50), v) for s in range(8) for e in range(8) for v in range(2)]
    assert len(torch.cat(parts).unique()) == 8 * 8 * 2 * 50


def test_normal_fields() -> None:
    """N(0, 1), and no pixel knows its neighbor, another sample's pixel or the next field's."""
    draws = Draws(keys(0, 0, torch.arange(64)))
    field, following = draws.normal_field(128, 128), draws.normal_field(128, 128)
    assert field.shape == (64, 128, 128) and field.dtype == torch.float32
    mean, variance, kurtosis = moments(field)
    count = field.numel()  # four standard errors of a million numbers
    assert abs(mean) < 4 / count**0.5
    assert abs(variance - 1) < 4 * (2 / count) ** 0.5
    assert abs(kurtosis - 3) < 4 * (24 / count) ** 0.5
    pairs = {
        "across": (field[:, :, 1:], field[:, :, :-1]),
        "down": (field[:, 1:], field[:, :-1]),
        "two across": (field[:, :, 2:], field[:, :, :-2]),
        "samples": (field[1:], field[:-1]),
        "fields": (field, following),
        "same word": (field[:, :, ::2], field[:, :, 1::2]),
        "squares across": (field[:, :, 1:] ** 2, field[:, :, :-1] ** 2),
        "squares of a word": (field[:, :, ::2] ** 2, field[:, :, 1::2] ** 2),
    }
    for name, (first, second) in pairs.items():
        assert abs(correlation(first, second)) < 5 / first.numel() ** 0.5, name


def test_spectrum_is_flat() -> None:
    """No period in a field: the mean power of every row and column of frequencies is 1."""
    field = Draws(keys(4, 4, torch.arange(64))).normal_field(128, 128).double()
    power = torch.fft.fft2(field).abs().square().mean(0) / 128**2
    for axis in (0, 1):
        # 64 x 128 values, half of them the same: five standard errors
        assert (power.mean(axis) - 1).abs().max() < 5 / (64 * 64) ** 0.5


def test_uniform_fields() -> None:
    """Inside (0, 1), with the moments of the uniform distribution."""
    field = Draws(keys(0, 0, torch.arange(16))).uniform_field(128, 128)
    assert field.min() > 0 and field.max() < 1
    mean, variance, kurtosis = moments(field)
    assert abs(mean - 1 / 2) < 0.0023 and abs(variance - 1 / 12) < 0.0006  # four standard errors
    assert abs(kurtosis - 9 / 5) < 0.01


@pytest.mark.parametrize("threads", [1, 2])
def test_a_sample_is_the_same_in_every_batch(threads: int) -> None:
    """To the bit: alone, in any place of any batch, at an odd size, with any thread count."""

    def everything(indices: Tensor) -> list[Tensor]:
        draws = Draws(keys(3, 1, indices))
        fields = [draws.normal_field(33, 31), draws.uniform_field(33, 31)]
        return [*fields, *[draws.uniform(2, 3) for _ in range(BLOCK + 3)], draws.chance(0.5)]

    alone = everything(torch.tensor([11]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = everything(torch.tensor([900, 3, 11, 4]))
    finally:
        torch.set_num_threads(before)
    for one, batch in zip(alone, together, strict=True):
        assert torch.equal(one[0], batch[2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same() -> None:
    """To the bit."""
    here, there = (Draws(keys(3, 1, MANY[:9].to(device))) for device in ("cpu", "cuda"))
    assert torch.equal(here.uniform(2, 3), there.uniform(2, 3).cpu())
    assert torch.equal(here.normal_field(32, 32), there.normal_field(32, 32).cpu())
    assert torch.equal(here.uniform_field(32, 32), there.uniform_field(32, 32).cpu())
