"""The PatchGAN discriminator: how real do patches of a picture look beside their grey?

In: condition and picture, (L, a, b) or (grey x 3, R, G, B), in the network range, (N, C, H, W).
Out: logits (N, 1, H/8 - 2, W/8 - 2), one per patch.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchGAN(nn.Module):
    """The 70x70 PatchGAN of pix2pix (Isola et al. 2017, section 6.1.2): C64-C128-C256-C512 + 1.

    4x4 convolutions with strides 2-2-2-1-1, LeakyReLU 0.2, batch norm except on the first and the
    last; or, for `norm` "spectral", none, and the spectral norm of Miyato et al. 2018 ("Spectral
    Normalization for Generative Adversarial Networks") on every convolution. `forward`:
    (N, channels, H, W) in [-1, 1] -> logits, 30x30 for 256x256; a positive logit means real. In
    eval mode each logit sees 70x70 pixels.
    """

    def __init__(self, width: int = 64, channels: int = 3, norm: str = "batch") -> None:
        super().__init__()
        spectral = norm == "spectral"
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for inputs, outputs, stride in (
            (width, width * 2, 2),
            (width * 2, width * 4, 2),
            (width * 4, width * 8, 1),
        ):
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=spectral))
            if not spectral:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(width * 8, 1, 4, stride=1, padding=1))
        self.layers = nn.Sequential(*layers)
        self.spectral = spectral

    def bounded(self) -> PatchGAN:
        """Put the spectral norm, where there is one, around the weights as they are now."""
        if self.spectral:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)
        return self

    def forward(self, picture: Tensor) -> Tensor:
        logits: Tensor = self.layers(picture)
        return logits
