"""Losses of the two players; tensors in, scalar tensors out, computed in float32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def adversarial(logits: Tensor, *, real: bool) -> Tensor:
    """Binary cross-entropy of logits against "all real" or "all fake" (Goodfellow et al. 2014)."""
    target = torch.full_like(logits, float(real), dtype=torch.float32)
    return functional.binary_cross_entropy_with_logits(logits.float(), target)


def chroma_l1(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of (a, b) in the network range (Isola et al. 2017, equation 3)."""
    return functional.l1_loss(predicted.float(), true.float())
