"""The table of generators: a row is all it takes, and a row that lacks something is refused."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import Tensor, nn

from colorbatch.errors import UsageError
from training.config import TrainConfig
from training.generators import GENERATORS, Generator, Row, generator_for, initialize

PARTS = [field.name for field in dataclasses.fields(Row)]


class Tinter(Generator):
    """The smallest generator: one convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.encoder = None
        self.mix = nn.Conv2d(inputs, outputs, 1)

    @classmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        return cls(inputs, outputs)

    def forward(self, condition: Tensor) -> Tensor:
        return torch.tanh(self.mix(condition))

    def maps(self, condition: Tensor, count: int = 5) -> list[Tensor]:
        return []

    def final(self) -> nn.Conv2d:
        return self.mix


class Mapless(Generator):
    """One that cannot show its maps."""

    @classmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        return cls()

    def forward(self, condition: Tensor) -> Tensor:
        return condition

    def final(self) -> nn.Conv2d:
        return nn.Conv2d(1, 2, 1)


def _parts(**changed: Any) -> dict[str, Any]:
    whole = {"network": Tinter, "multiple": lambda _: 8, "halving": lambda _: "a tinter"}
    return whole | {"backbone": None} | changed


def test_a_row_is_all_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings, their check and the making of the network know a new generator by its row."""
    with pytest.raises(UsageError, match="generator is one of unet, resnet18, lite-unet"):
        TrainConfig(generator="tinter")
    monkeypatch.setitem(GENERATORS, "tinter", Row(**_parts()))
    with pytest.raises(UsageError, match="size must be a multiple of 8 for a tinter"):
        TrainConfig(generator="tinter", size=44)
    generator = generator_for(TrainConfig(generator="tinter", size=40, color_space="rgb"))
    assert isinstance(generator, Tinter)
    assert generator(torch.zeros(1, 3, 40, 40)).shape == (1, 3, 40, 40)
    assert (*generator.frozen(), *generator.left_out(40)) == ()


@pytest.mark.parametrize("missing", PARTS)
def test_a_row_without_a_part(missing: str) -> None:
    """A row that lacks a part fails where it is written, at import."""
    parts = _parts()
    del parts[missing]
    with pytest.raises(TypeError, match=missing):
        Row(**parts)


def test_a_row_of_nothing_known() -> None:
    """Neither a network that lacks a method nor a backbone without a row of its own passes."""
    with pytest.raises(TypeError, match="Mapless has no maps"):
        Row(**_parts(network=Mapless))
    with pytest.raises(TypeError, match="no backbone 'resnet1'"):
        Row(**_parts(backbone="resnet1"))


@torch.no_grad()
@pytest.mark.parametrize("name", GENERATORS)
def test_common_surface(name: str) -> None:
    """Every generator shows its maps from 1/2 to 1/32, as many as asked for, and those that begin
    with a backbone's weights have an encoder to put them in."""
    generator = generator_for(TrainConfig(generator=name, width=16, levels=6, size=64)).eval()
    condition = torch.randn(2, 1, 64, 96 if name != "unet" else 64)
    maps = generator.maps(condition)
    sizes = [tuple(m.shape[2:]) for m in maps]
    height, width = condition.shape[2:]
    assert sizes == [(height // 2**i, width // 2**i) for i in range(1, 6)]
    for count in range(1, 6):
        shown = generator.maps(condition, count)
        assert len(shown) == count
        assert torch.equal(shown[-1], maps[count - 1])
    assert (generator.encoder is None) == (GENERATORS[name].backbone is None)


@pytest.mark.parametrize("name", GENERATORS)
@torch.no_grad()
def test_smoothing(name: str) -> None:
    """Every generator sees its input as SciPy's filter of three taps leaves it, and nothing else of
    it; 3/8 of white noise's standard deviation with 0.25."""
    torch.manual_seed(0)
    plain = generator_for(TrainConfig(generator=name, width=16, levels=5, size=64)).eval()
    initialize(plain, "kaiming")
    seen = torch.randn(2, 1, 64, 96)
    taps, filtered = np.array([0.25, 0.5, 0.25]), seen.double().numpy()
    for axis in (2, 3):
        filtered = correlate1d(filtered, taps, axis=axis, mode="nearest")
    assert filtered.std() == pytest.approx(3 / 8, rel=0.06)  # less at the border
    expected = plain(torch.from_numpy(filtered).float())
    assert (plain(seen) - expected).abs().max() > 0.1
    config = TrainConfig(generator=name, width=16, levels=5, size=64, smoothing=0.25)
    smoothing = generator_for(config).eval()
    smoothing.load_state_dict(plain.state_dict())
    assert torch.allclose(smoothing(seen), expected, atol=1e-3)  # float32, through a network
