"""The losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from colorbatch.errors import UsageError
from training.config import TrainConfig
from training.losses import adversarial, consistency, distribution, feature_distance, pixel


@pytest.mark.parametrize(
    ("logits", "real", "expected"),
    [
        ([0.0], True, math.log(2)),
        ([0.0], False, math.log(2)),
        ([2.0], True, math.log(1 + math.exp(-2))),
        ([2.0], False, math.log(1 + math.exp(2))),
        ([2.0, -1.0], True, (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2),
        ([200.0], False, 200.0),
        ([200.0], True, 0.0),
    ],
)
def test_adversarial(logits: list[float], real: bool, expected: float) -> None:
    """Cross-entropy of a logit x is log(1 + exp(-x)) for real and log(1 + exp(x)) for fake."""
    # float32 rounding
    assert adversarial(torch.tensor(logits), real=real).item() == pytest.approx(expected, rel=1e-6)


def test_half_precision_inputs() -> None:
    """Autocast's types are widened before anything is summed."""
    logits = torch.full((1, 1, 300, 300), 0.5, dtype=torch.float16)
    loss = adversarial(logits, real=False)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0.5)), rel=1e-5)  # float32 mean
    quarter = torch.full((2, 2, 300, 300), 0.25, dtype=torch.bfloat16)
    gap = pixel(quarter, torch.zeros(2, 2, 300, 300))
    assert (gap.dtype, gap.item()) == (torch.float32, 0.25)


@pytest.mark.parametrize(
    ("logits", "real", "expected"),
    [
        ([1.0], True, 0.0),
        ([1.0], False, 1.0),
        ([0.0], False, 0.0),
        ([3.0], True, 4.0),
        ([-2.0], False, 4.0),
        ([0.5, -1.0], True, (0.25 + 4) / 2),
    ],
)
def test_least_squares(logits: list[float], real: bool, expected: float) -> None:
    """`lsgan` is the mean squared distance of the raw output to 1 for real and 0 for fake."""
    loss = adversarial(torch.tensor(logits), real=real, mode="lsgan")
    assert loss.item() == expected  # exact in binary


def test_modes_pull_the_same_way() -> None:
    """In both modes a higher output is more real: gradients point down for real, up for fake."""
    for mode in ("vanilla", "lsgan"):
        for real, sign in ((True, -1), (False, 1)):
            logits = torch.tensor([0.4, 0.6], requires_grad=True)
            adversarial(logits, real=real, mode=mode).backward()
            assert (torch.sign(logits.grad) == sign).all()


@pytest.mark.parametrize(
    ("kind", "expected"),
    # differences 0.5, -1, 0, 0.5; exact in binary
    [("l1", (0.5 + 1 + 0 + 0.5) / 4), ("mse", (0.25 + 1 + 0 + 0.25) / 4)],
)
def test_pixel(kind: str, expected: float) -> None:
    """The mean of absolute or squared differences, over everything."""
    predicted = torch.tensor([[0.5, -0.5], [0.0, 1.0]])
    true = torch.tensor([[0.0, 0.5], [0.0, 0.5]])
    assert pixel(predicted, true, kind).item() == expected


@pytest.mark.parametrize(
    ("real", "fooling", "expected"),
    [
        # logits 2, -0.5, 0.25: max(0, 1 - x), max(0, 1 + x), -x
        (True, False, (0 + 1.5 + 0.75) / 3),
        (False, False, (3 + 0.5 + 1.25) / 3),
        (True, True, -(2 - 0.5 + 0.25) / 3),
    ],
)
def test_hinge(real: bool, fooling: bool, expected: float) -> None:
    """The discriminator asks for at least 1 or at most -1, the generator for ever more."""
    logits = torch.tensor([2.0, -0.5, 0.25])
    loss = adversarial(logits, real=real, mode="hinge", fooling=fooling)
    assert loss.item() == pytest.approx(expected, rel=1e-6)  # float32 rounding


def test_hinge_lets_go() -> None:
    """What is told well enough has no gradient for the discriminator, but for the generator."""
    for real, sign in ((True, 1), (False, -1)):
        logits = torch.tensor([1.5 * sign], requires_grad=True)
        adversarial(logits, real=real, mode="hinge").backward()
        assert logits.grad == 0
    logits = torch.tensor([1.5], requires_grad=True)
    adversarial(logits, real=True, mode="hinge", fooling=True).backward()
    assert logits.grad == -1


@pytest.mark.parametrize(
    ("mode", "expected"), [("hinge", (0.5 + 3) / 2), ("lsgan", (0.25 + 9) / 2)]
)
def test_logits_of_several_maps(mode: str, expected: float) -> None:
    """Each map has the same say, however many logits it has."""
    maps = [torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 1, 2), -2.0)]
    assert adversarial(maps, real=True, mode=mode).item() == expected  # exact in binary


@pytest.mark.parametrize("kind", ["l1", "mse"])
def test_chroma_weight(kind: str) -> None:
    """Pixels of the chromas 0, 40 and 100 weigh 1, 1.8 and 2.2 (from 60 on no more), over the
    mean of that, 5/3."""
    true = torch.tensor([[0, 0], [24, 32], [-60, 80]]).T[None, :, None] / 110
    off = torch.tensor([[0.5, 0.25], [-0.25, 0.5], [0.0, 0.125]]).T[None, :, None]
    power = 1 if kind == "l1" else 2
    parts = [0.5**power + 0.25**power, 0.25**power + 0.5**power, 0.125**power]
    expected = (1 * parts[0] + 1.8 * parts[1] + 2.2 * parts[2]) / (5 / 3) / 6
    # float32 rounding
    assert pixel(true + off, true, kind, 0.8).item() == pytest.approx(expected, rel=1e-5)


def test_chroma_weight_has_the_mean_one() -> None:
    """A difference that is the same everywhere costs the same under every weight."""
    rng = torch.Generator().manual_seed(2)
    true = torch.rand(2, 2, 8, 8, generator=rng) * 1.6 - 0.8
    for weight in (0.0, 0.8, 30.0):
        loss = pixel(true + 0.25, true, "l1", weight)
        assert loss.item() == pytest.approx(0.25, rel=1e-5)  # float32 rounding


def test_chroma_weight_is_of_lab() -> None:
    """RGB has no (a, b) that could be weighed: one line says so."""
    with pytest.raises(UsageError, match="the color space is lab"):
        TrainConfig(color_space="rgb", chroma_weight=0.5)


def test_distance_of_one_map() -> None:
    """The mean squared difference."""
    made, true = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])
    assert feature_distance(made, true).item() == (0.25 + 4) / 2


def test_distance_of_several_maps() -> None:
    """Absolute differences in parts of each true map's standard deviation, the mean over maps."""
    true = [torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0, 4.0, 4.0])]
    made = [torch.tensor([2.0, 3.0]), torch.tensor([1.0, 1.0, 3.0, 3.0])]
    # of n - 1: the roots of 2 and of 16 / 3
    expected = (0.5 / math.sqrt(2) + 1 / math.sqrt(16 / 3)) / 2
    # float32, and what keeps an even map from dividing by 0
    assert feature_distance(made, true).item() == pytest.approx(expected, rel=1e-5)
    larger = [[10 * each for each in maps] for maps in (made, true)]
    assert feature_distance(*larger).item() == pytest.approx(expected, rel=1e-5)
    even = [torch.zeros(3)]
    assert feature_distance(even, even).item() == 0


def test_consistency() -> None:
    """The mean difference where both views show the same, and that of their means, in parts of the
    mean size of the colors there and 0.01."""
    first = torch.zeros(2, 2, 1, 2)
    second = torch.tensor([[[[0.25, -0.25]], [[0.5, 0.5]]], [[[1.0, 99.0]], [[0.0, 99.0]]]])
    known = torch.tensor([[[[1.0, 1.0]]], [[[1.0, 0.0]]]])
    pixels = (0.25 + 0.25 + 0.5 + 0.5 + 1.0) / 6  # three known places of two channels
    whole = (0.0 + 0.5 + 1.0 + 0.0) / 4  # two pictures of two channels
    size = (0 + 2.5) / 12  # of both views
    expected = (pixels + whole) / (size + 0.01)
    for one, other in ((first, second), (second, first)):
        # float32 rounding
        assert consistency(one, other, known).item() == pytest.approx(expected, rel=1e-6)


def test_consistency_is_relative() -> None:
    """Fading the colors of both views makes them agree hardly better: 0.01 keeps a little gain."""
    rng = torch.Generator().manual_seed(2)
    first, second = torch.rand(2, 2, 2, 8, 8, generator=rng) - 0.5
    known = torch.ones(2, 1, 8, 8)
    whole, faded = (consistency(s * first, s * second, known).item() for s in (1.0, 0.25))
    # colors of 0.25 on average: 0.25 / 0.26 and 0.0625 / 0.0725
    assert faded / whole == pytest.approx((0.0625 / 0.0725) / (0.25 / 0.26), rel=0.02)


def test_consistency_of_unknown_places() -> None:
    """They cost nothing and get no gradient; nor does a pair that shares no place at all."""
    second = torch.ones(2, 2, 4, 4, requires_grad=True)
    known = torch.ones(2, 1, 4, 4)
    known[0, :, 1:] = 0
    known[1] = 0
    consistency(torch.zeros(2, 2, 4, 4), second, known).backward()
    assert second.grad is not None
    touched = second.grad != 0
    assert touched[0, :, 0].all() and not touched[0, :, 1:].any() and not touched[1].any()
    loss = consistency(torch.zeros(2, 2, 4, 4), second.detach(), torch.zeros(2, 1, 4, 4))
    assert loss.item() == 0


def test_distribution() -> None:
    """A cloud that is moved as a whole is as far away as it was moved, seen from all directions:
    2 / pi of its way in the mean over a circle."""
    torch.manual_seed(3)
    true = torch.randn(4, 2, 64, 64)
    moved = true + torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    mean = torch.stack([distribution(moved, true) for _ in range(300)]).mean().item()
    assert mean == pytest.approx(5 * 2 / math.pi, rel=0.05)  # 2,400 directions drawn
    # and scipy's distance along an axis is the same where there is but one channel
    one, other = torch.randn(2, 1, 32, 32), 2 + torch.rand(2, 1, 32, 32)
    whole = (
        each[..., ::8, ::8].repeat_interleave(8, 2).repeat_interleave(8, 3) for each in (one, other)
    )
    expected = wasserstein_distance(one[..., ::8, ::8].flatten(), other[..., ::8, ::8].flatten())
    assert distribution(*whole).item() == pytest.approx(expected, rel=1e-5)


def test_distribution_asks_no_one_for_places() -> None:
    """Where colors are does not count, nor in which picture: only how common they are."""
    torch.manual_seed(3)
    cells = torch.randn(3, 2, 5, 7)

    def drawn_large(values: Tensor) -> Tensor:
        return values.repeat_interleave(8, 2).repeat_interleave(8, 3)

    order = torch.randperm(3 * 5 * 7)
    mixed = cells.transpose(0, 1).flatten(1)[:, order].view(2, 3, 5, 7).transpose(0, 1)
    assert distribution(drawn_large(mixed), drawn_large(cells)).item() == pytest.approx(0, abs=1e-6)


def test_distribution_asks_the_nearest_for_a_rare_color() -> None:
    """Of pale pixels those that are the least pale are drawn to the one strong color that is
    missing; those that are as they should be are left alone."""
    made = torch.tensor([0.0, 0.0, 0.3, 0.1]).view(4, 1, 1, 1).expand(4, 1, 8, 8).clone()
    true = torch.tensor([0.9, 0.0, 0.0, 0.1]).view(4, 1, 1, 1).expand(4, 1, 8, 8)
    made.requires_grad_(True)
    distribution(made, true).backward()
    assert made.grad is not None
    pull = -made.grad.sum(dim=(1, 2, 3))
    assert pull[2] > 0 and pull[[0, 1, 3]].abs().max() == 0
