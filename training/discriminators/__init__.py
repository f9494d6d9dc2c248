"""Discriminators: networks that tell true colors from made ones. Positive logits mean real."""

from training.discriminators.patch import PatchGAN
from training.discriminators.projected import Projected

__all__ = ["PatchGAN", "Projected"]
