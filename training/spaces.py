"""The two color spaces of training: what a generator sees, what it makes, and what that means.

`lab`: condition L (N, 1, H, W), target (a, b) (N, 2, H, W). `rgb`: condition grey in three equal
channels (N, 3, H, W), target encoded sRGB (N, 3, H, W). All float32 in [-1, 1]. The engine of
`colorbatch` makes the same of an exported model's contract.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from colorbatch import color

INPUTS = {"lab": 1, "rgb": 3}
"""Channels that the generator sees."""
OUTPUTS = {"lab": 2, "rgb": 3}
"""Channels that the generator makes."""


def condition(lightness: color.Float, space: str) -> Tensor:
    """L* (N, H, W) in [0, 100] to what the generator sees."""
    if space == "lab":
        return torch.from_numpy(color.network_lightness(lightness)[:, None])
    grey = color.grey_of_lightness(lightness) * np.float32(2) - np.float32(1)
    return torch.from_numpy(np.repeat(grey[:, None], 3, axis=1))


def target(lab: color.Float, pictures: color.Codes, space: str) -> Tensor:
    """L*a*b* (N, H, W, 3) and the sRGB codes (N, H, W, 3), uint8, to what it should make."""
    if space == "lab":
        return torch.from_numpy(color.network_chroma(lab[..., 1:])).permute(0, 3, 1, 2)
    scaled = pictures.astype(np.float32) * np.float32(2 / 255) - np.float32(1)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def chroma(output: Tensor, space: str) -> color.Float:
    """What a generator made to ab (N, H, W, 2) in Lab units."""
    made = output.detach().float().cpu().permute(0, 2, 3, 1).numpy()
    if space == "lab":
        return np.asarray(made * np.float32(color.AB_SCALE), np.float32)
    encoded = np.clip((made + np.float32(1)) / np.float32(2), 0, 1)
    count, height, width, _ = encoded.shape
    rows = encoded.reshape(count * height, width, 3)
    return color.encoded_to_lab(rows).reshape(count, height, width, 3)[..., 1:]


def lab_of(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Encoded sRGB (N, 3, H, W) in [0, 1] to L* (N, 1, H, W) and ab (N, 2, H, W), in Lab units, as
    `colorbatch.color` makes them (within rounding), on any device."""
    return lab_of_linear(linear(rgb))


def linear(rgb: Tensor) -> Tensor:
    """Encoded sRGB in [0, 1] to linear light (IEC 61966-2-1, section 5.2)."""
    power = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb <= 0.04045, rgb / 12.92, power)


def lab_of_linear(light: Tensor) -> tuple[Tensor, Tensor]:
    """Linear sRGB (N, 3, H, W) in [0, 1] to L* (N, 1, H, W) and ab (N, 2, H, W), in Lab units (CIE
    15:2004, section 8.2.1)."""
    xyz = torch.einsum("ij,njhw->nihw", _RGB_TO_XYZ.to(light), light)
    x, y, z = cube_root(xyz).unbind(1)
    return (116 * y - 16)[:, None], torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def cube_root(t: Tensor) -> Tensor:
    """The f of CIE 15:2004, equations 8.6 to 8.11: a cube root, linear near black."""
    edge = (6 / 29) ** 3
    return torch.where(t > edge, t.clamp(min=edge) ** (1 / 3), t * (841 / 108) + 4 / 29)


def condition_of(lightness: Tensor, space: str) -> Tensor:
    """L* (N, 1, H, W) in [0, 100] to what the generator sees, as `condition`, on any device."""
    if space == "lab":
        return lightness / color.L_CENTER - 1
    f = (lightness + 16) / 116
    light = torch.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841)).clamp(0, 1)
    return (encode(light) * 2 - 1).expand(-1, 3, -1, -1)


def encoded(condition: Tensor, output: Tensor, space: str) -> Tensor:
    """Condition and output to encoded sRGB (N, 3, H, W) in [0, 1]; gradients flow to the output.

    CIE 15:2004, section 8.2.1, and IEC 61966-2-1, section 5.2; colors out of gamut are clipped, and
    get no gradient.
    """
    if space == "rgb":
        return (output.float() + 1) / 2
    f_y = ((condition[:, 0].float() + 1) * color.L_CENTER + 16) / 116
    ab = output.float() * color.AB_SCALE
    f = torch.stack([f_y + ab[:, 0] / 500, f_y, f_y - ab[:, 1] / 200], dim=1)
    xyz = torch.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841))
    light = torch.einsum("ij,njhw->nihw", _XYZ_TO_RGB.to(xyz), xyz).clamp(0, 1)
    return encode(light)


def encode(light: Tensor) -> Tensor:
    """Linear light in [0, 1] to encoded sRGB (IEC 61966-2-1, section 5.2)."""
    # the curve's slope is infinite at 0 for the power alone, and its branch is not taken there
    power = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, power)


# of XYZ relative to the D65 white that OpenCV uses, (0.950456, 1, 1.088754)
_XYZ_TO_RGB = torch.tensor(
    [
        [3.240479 * 0.950456, -1.53715, -0.498535 * 1.088754],
        [-0.969256 * 0.950456, 1.875991, 0.041556 * 1.088754],
        [0.055648 * 0.950456, -0.204043, 1.057311 * 1.088754],
    ]
)
_RGB_TO_XYZ = torch.tensor(
    [
        [0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
    ]
)
