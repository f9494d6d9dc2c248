"""The losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import adversarial, pixel


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
