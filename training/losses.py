"""Losses of the players; tensors in, scalar tensors out, computed in float32."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

COLORFUL = 40 / 110
"""Chroma at which a pixel gets the whole of `chroma_weight`, in the network range."""


def adversarial(
    logits: Tensor | Sequence[Tensor], *, real: bool, mode: str = "vanilla", fooling: bool = False
) -> Tensor:
    """How far logits are from "all real" or "all fake"; the mean over those of several maps.

    `vanilla`: binary cross-entropy (Goodfellow et al. 2014). `lsgan`: mean squared distance to 1 or
    0 (Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9, without its
    factor of 1/2, as in pix2pix). `hinge`: mean distance to at least 1, or at most -1 (Lim and Ye
    2017, "Geometric GAN", equation 12); for the generator, which is `fooling`, the mean of the
    negative logits (equation 13).
    """
    if not isinstance(logits, Tensor):
        parts = [adversarial(each, real=real, mode=mode, fooling=fooling) for each in logits]
        return torch.stack(parts).mean()
    if mode == "hinge":
        toward = logits.float() if real else -logits.float()
        return -toward.mean() if fooling else functional.relu(1 - toward).mean()
    wanted = torch.full_like(logits, float(real), dtype=torch.float32)
    if mode == "lsgan":
        return functional.mse_loss(logits.float(), wanted)
    return functional.binary_cross_entropy_with_logits(logits.float(), wanted)


def pixel(predicted: Tensor, true: Tensor, kind: str = "l1", chroma_weight: float = 0.0) -> Tensor:
    """Mean absolute (`l1`; Isola et al. 2017, equation 3) or mean squared (`mse`) difference of
    what the generator should make, in the network range.

    With a `chroma_weight`, for (a, b) (N, 2, H, W) alone, a pixel weighs 1 + chroma_weight x
    min(its true chroma / 40, 1.5) Lab units, divided by the mean of that.
    """
    distance = (predicted.float() - true.float()).abs()
    if kind == "mse":
        distance = distance.square()
    if not chroma_weight:
        return distance.mean()
    chroma = torch.hypot(true[:, :1].float(), true[:, 1:].float())
    weight = 1 + chroma_weight * (chroma / COLORFUL).clamp(max=1.5)
    return (distance * weight / weight.mean()).mean()


def feature_distance(made: Tensor | Sequence[Tensor], true: Tensor | Sequence[Tensor]) -> Tensor:
    """How far the features of the colored picture are from those of the true one.

    Of one map: the mean squared difference (Ledig et al. 2017, equation 5). Of several: the mean
    absolute difference in parts of the true map's standard deviation, mean over the maps, so that
    each has the same say.
    """
    if isinstance(made, Tensor) and isinstance(true, Tensor):
        return functional.mse_loss(made.float(), true.float())
    parts = [
        (mine.float() - theirs.float()).abs().mean() / (theirs.float().std() + 1e-6)
        for mine, theirs in zip(made, true, strict=True)
    ]
    return torch.stack(parts).mean()


FAINT = 0.01
"""About one unit of Lab: what keeps a division from nothing where there is hardly any color."""
WHOLE = 1.0
"""How much a difference of the whole picture's mean color weighs beside that of its pixels."""


def consistency(first: Tensor, second: Tensor, known: Tensor) -> Tensor:
    """How far the colors of two views are apart: `first` (N, C, H, W), carried over to the second
    view, and `second`; `known` (N, 1, H, W) is 1 where both show the same and 0 elsewhere.

    Eilertsen, Mantiuk and Unger 2019, "Single-Frame Regularization for Temporally Stable CNNs",
    section 3.3, with the absolute difference; and with WHOLE times that of the mean over the
    picture, for a network that sees the whole picture also changes its mind about the whole.
    Both in parts of the mean size of the colors themselves, all pictures together: otherwise the
    cheapest way to agree is to be grey.
    """
    first, second = first.float() * known, second.float() * known
    difference = second - first
    seen = known.sum(dim=(2, 3)).clamp(min=1)
    pixels = difference.abs().sum() / (seen.sum() * difference.shape[1])
    whole = (difference.sum(dim=(2, 3)) / seen).abs().mean()
    size = (first.abs() + second.abs()).sum() / (2 * seen.sum() * difference.shape[1])
    return (pixels + WHOLE * whole) / (size + FAINT)


DIRECTIONS = 8
"""Along which two clouds of colors are compared, drawn anew each time."""
SPARSE = 8
"""Every how many rows and columns a pixel counts, from a random one on."""


def distribution(made: Tensor, true: Tensor) -> Tensor:
    """How far the colors of a whole batch, (N, C, H, W) each, are from being as common as in the
    truth, wherever they are: the sliced Wasserstein-1 distance of two clouds of N x H x W points
    (Bonneel et al. 2015, "Sliced and Radon Wasserstein Barycenters of Measures", section 3).

    Along a direction, the k-th smallest of the made values should be the k-th smallest true one. So
    a rare color is asked of those pixels that are nearest to having it: color returns where the
    network believes in it most, and what it has no idea of may stay grey.
    """
    row, column = torch.randint(0, SPARSE, (2,)).tolist()
    directions = functional.normalize(torch.randn(DIRECTIONS, made.shape[1])).to(made.device)
    first, second = (
        (directions @ each.float()[..., row::SPARSE, column::SPARSE].transpose(0, 1).flatten(1))
        .sort()
        .values
        for each in (made, true)
    )
    return (first - second).abs().mean()
