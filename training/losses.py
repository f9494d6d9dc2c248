"""Losses of the two players; tensors in, scalar tensors out, computed in float32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def adversarial(logits: Tensor, *, real: bool, mode: str = "vanilla") -> Tensor:
    """How far logits are from "all real" or "all fake".

    `vanilla`: binary cross-entropy (Goodfellow et al. 2014). `lsgan`: mean squared distance to 1 or
    0 (Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9, without its
    factor of 1/2, as in pix2pix).
    """
    wanted = torch.full_like(logits, float(real), dtype=torch.float32)
    if mode == "lsgan":
        return functional.mse_loss(logits.float(), wanted)
    return functional.binary_cross_entropy_with_logits(logits.float(), wanted)


def pixel(predicted: Tensor, true: Tensor, kind: str = "l1") -> Tensor:
    """Mean absolute (`l1`; Isola et al. 2017, equation 3) or mean squared (`mse`) difference of
    what the generator should make, in the network range."""
    distance = functional.l1_loss if kind == "l1" else functional.mse_loss
    return distance(predicted.float(), true.float())
