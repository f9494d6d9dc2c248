"""The losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import adversarial, chroma_l1


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
    gap = chroma_l1(quarter, torch.zeros(2, 2, 300, 300))
    assert (gap.dtype, gap.item()) == (torch.float32, 0.25)


def test_chroma_l1() -> None:
    """The mean of absolute differences, over everything."""
    predicted = torch.tensor([[0.5, -0.5], [0.0, 1.0]])
    true = torch.tensor([[0.0, 0.5], [0.0, 0.5]])
    assert chroma_l1(predicted, true).item() == 0.5  # (0.5 + 1 + 0 + 0.5) / 4, exact in binary
