"""Photographs to what a step sees of them: windows, second looks, Lab, old scans, all in tensors.

Flows in: photographs as uint8 on the training device and the (seed, epoch, index) of each sample.
Flows out: a `Batch`. All randomness is a function of those three numbers (see `training.draws`),
so a sample is the same whatever batch, thread or session it is drawn in.

A place in a photograph is (x, y) in pixels from its upper left corner; a place in a view is (u, v)
in [-1, 1], to the right and down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorbatch import color
from training import spaces
from training.config import TrainConfig
from training.data import PhotoCache
from training.degradation import old_scan, slight_change
from training.draws import Draws, keys

SQUARE_SIDES = (0.9, 1.15)
"""Widths of nearly square windows, in parts of their height."""
ZOOM = 0.07
"""How much larger or smaller a second view's window is, at most."""
ASPECT = 0.02
SHIFT = 0.04
"""How far a second view's window moves, at most, in parts of its own sides."""
SHARE_OF_MEMORY = 0.5
"""Of a CUDA device's free memory, for photographs; where they need more, they stay outside."""


@dataclass(frozen=True)
class Windows:
    """Which part of each photograph is seen; all (B,), float32, in pixels of the photograph."""

    x: Tensor
    """Of the center."""
    y: Tensor
    width: Tensor
    height: Tensor
    mirror: Tensor
    """-1 where left and right are exchanged, else 1."""
    angle: Tensor
    """How far the view is turned about its center, in radians."""

    def last(self, count: int) -> Windows:
        """The windows of the last samples."""
        return Windows(*(value[len(value) - count :] for value in vars(self).values()))

    def __add__(self, other: Windows) -> Windows:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Windows(*(torch.cat(pair) for pair in pairs))


@dataclass(frozen=True)
class Pair:
    """How the last M pictures of a batch show what the M before them show: `places` (M, S, S, 2),
    the (u, v) in the earlier view of each pixel of the later; `known` (M, 1, S, S), 1 where it
    lies within, else 0."""

    places: Tensor
    known: Tensor

    def carried(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Of a prediction (N, C, S, S) for the batch: the earlier views' colors where the later
        ones see them, and those of the later ones; each (M, C, S, S)."""
        count = len(self.places)
        earlier = prediction[len(prediction) - 2 * count : len(prediction) - count]
        moved = functional.grid_sample(
            earlier, self.places, padding_mode="border", align_corners=False
        )
        return moved, prediction[len(prediction) - count :]


@dataclass(frozen=True)
class Batch:
    """One step's pictures, in the network range (see `training.spaces`): `condition` and `target`
    are true, `seen` is what the generator gets; the last ones may be second views (`pair`)."""

    condition: Tensor
    target: Tensor
    seen: Tensor
    pair: Pair | None = None


class Photographs:
    """The pixels of a cache on a device, as they are: uint8, ragged, one after the other."""

    def __init__(self, cache: PhotoCache, device: torch.device) -> None:
        self.cache = cache
        self.device = device
        parts = [torch.from_numpy(np.asarray(part)) for part in cache.pixels]
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if sum(len(part) for part in parts) < SHARE_OF_MEMORY * free:
                parts = [part.to(device) for part in parts]
        self._parts = parts

    def __len__(self) -> int:
        return len(self.cache)

    def padded(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Photographs side by side: (B, 3, H, W), uint8, each in the upper left corner, and their
        sizes (B, 2), float32, as (height, width)."""
        sizes = [self.cache.sizes[i] for i in indices]
        rows, columns = (max(size[k] for size in sizes) for k in range(2))
        made = torch.zeros((len(sizes), 3, rows, columns), dtype=torch.uint8, device=self.device)
        for place, index, (height, width) in zip(made, indices, sizes, strict=True):
            start = self.cache.offsets[index]
            flat = self._parts[self.cache.parts[index]][start : start + height * width * 3]
            photo = flat.view(height, width, 3).to(self.device, non_blocking=True)
            place[:, :height, :width] = photo.permute(2, 0, 1)
        return made, torch.tensor(sizes, dtype=torch.float32, device=self.device)


def draw_windows(sizes: Tensor, config: TrainConfig, draws: Draws) -> Windows:
    """Windows into photographs of `sizes` (B, 2), float32 (height, width), as configured."""
    height, width = sizes.unbind(1)
    one = torch.ones_like(height)
    # numbers are drawn for what is configured alone
    rows, columns = (draws.uniform(config.crop, 1) if config.crop < 1 else one for _ in range(2))
    high, wide = height * rows, width * columns
    if config.square:
        square = draws.chance(config.square)
        side = torch.minimum(height, width) * rows
        high = torch.where(square, side, high)
        wide = torch.where(square, torch.minimum(side * draws.uniform(*SQUARE_SIDES), width), wide)
    y = high / 2 + (height - high) * draws.uniform()
    x = wide / 2 + (width - wide) * draws.uniform()
    mirror = torch.where(draws.chance(0.5), -one, one) if config.flip else one
    angle = torch.zeros_like(x)
    if config.rotation:
        largest = float(np.radians(config.rotation))
        angle = draws.uniform(-largest, largest)
    return Windows(x, y, wide, high, mirror, angle)


def second_windows(first: Windows, sizes: Tensor, draws: Draws) -> Windows:
    """The same windows, every second zoomed by up to ZOOM, all moved by up to SHIFT, as the next
    frames of a film might show them; never beyond the photograph. (Few are moved far: how far at
    most is drawn itself.)"""
    height, width = sizes.unbind(1)
    zoomed = draws.chance(0.5)
    zoom = torch.where(zoomed, draws.uniform(1 - ZOOM, 1 + ZOOM), torch.ones_like(height))
    aspect = torch.where(zoomed, draws.uniform(1 - ASPECT, 1 + ASPECT), torch.ones_like(height))
    wide = torch.minimum(first.width * zoom * aspect, width)
    high = torch.minimum(first.height * zoom, height)
    shift = draws.uniform(0, SHIFT)
    x = first.x + draws.uniform(-1, 1) * shift * wide
    y = first.y + draws.uniform(-1, 1) * shift * high
    x = torch.minimum(torch.maximum(x, wide / 2), width - wide / 2)
    y = torch.minimum(torch.maximum(y, high / 2), height - high / 2)
    return Windows(x, y, wide, high, first.mirror, first.angle)


def places(windows: Windows, side: int) -> tuple[Tensor, Tensor]:
    """Where a view's pixels lie in the photograph: x and y, each (B, side, side)."""
    u = (torch.arange(side, device=windows.x.device) + 0.5) * (2 / side) - 1
    v, u = u[:, None].expand(side, side), u[None].expand(side, side)
    cos, sin = (part(windows.angle)[:, None, None] for part in (torch.cos, torch.sin))
    # turned first, in the view's own square, as a picture that is turned after it was squeezed
    along, down = cos * u + sin * v, cos * v - sin * u
    each = [value[:, None, None] for value in vars(windows).values()]
    x, y, width, height, mirror, _ = each
    return x + along * mirror * width / 2, y + down * height / 2


def view(photographs: Tensor, sizes: Tensor, windows: Windows, side: int) -> Tensor:
    """What windows show: encoded sRGB (B, 3, side, side), float32 in [0, 1], of photographs as
    `Photographs.padded` gives them. Each pixel is the mean of four places, as many as a reduction
    to a third needs; beyond a photograph's border it is reflected."""
    x, y = places(windows, 2 * side)
    height, width = (size[:, None, None] for size in sizes.unbind(1))
    x, y = _reflected(x, width), _reflected(y, height)
    rows, columns = photographs.shape[2:]
    # no nearer to the border than half a pixel: behind it is padding
    x = torch.minimum(x.clamp(min=0.5), width - 0.5) * (2 / columns) - 1
    y = torch.minimum(y.clamp(min=0.5), height - 0.5) * (2 / rows) - 1
    grid = torch.stack([x, y], dim=-1)
    fine = functional.grid_sample(photographs.float() / 255, grid, align_corners=False)
    return functional.avg_pool2d(fine, 2)


def _reflected(place: Tensor, size: Tensor) -> Tensor:
    """Places beyond [0, size] thrown back at the border."""
    return size - (size - place.remainder(2 * size)).abs()


def pair_of(first: Windows, second: Windows, side: int) -> Pair:
    """Where the pixels of second views lie in the first ones. Both turn alike, if at all."""
    x, y = places(second, side)
    x, y, width, height, mirror, angle = (
        value if value.ndim == 3 else value[:, None, None]
        for value in (
            x - first.x[:, None, None],
            y - first.y[:, None, None],
            *(first.width, first.height, first.mirror, first.angle),
        )
    )
    along, down = x * 2 / width * mirror, y * 2 / height
    u = torch.cos(angle) * along - torch.sin(angle) * down
    v = torch.cos(angle) * down + torch.sin(angle) * along
    where = torch.stack([u, v], dim=-1)
    return Pair(where, (where.abs().amax(dim=-1) < 1)[:, None].float())


@torch.no_grad()
def make_batch(
    photographs: Photographs, config: TrainConfig, epoch: int, indices: Sequence[int]
) -> Batch:
    """The batch that shows the photographs of `indices`, the last of them twice where the settings
    ask for second views."""
    device = photographs.device
    seconds = min(config.second_views, len(indices))
    numbers = torch.tensor(indices, dtype=torch.int64, device=device)
    padded, sizes = photographs.padded(indices)
    windows = draw_windows(sizes, config, Draws(keys(config.seed, epoch, numbers)))
    pair = None
    if seconds:
        twice = slice(len(indices) - seconds, None)
        again = Draws(keys(config.seed, epoch, numbers[twice], view=1))
        first, sizes_again = windows.last(seconds), sizes[twice]
        second = second_windows(first, sizes_again, again)
        pair = pair_of(first, second, config.size)
        windows = windows + second
        padded, sizes = torch.cat([padded, padded[twice]]), torch.cat([sizes, sizes_again])
        numbers = torch.cat([numbers, numbers[twice]])
    pictures = view(padded, sizes, windows, config.size)
    light = spaces.linear(pictures)
    lightness, ab = spaces.lab_of_linear(light)
    shown = lightness
    if config.degradation:
        # the same look for both views of a photograph: frames of one film, not two films
        old = Draws(keys(config.seed, epoch, numbers, view=2)).chance(config.degradation)
        if old.any():
            shown = lightness.clone()
            shown[old] = old_scan(light[old], Draws(keys(config.seed, epoch, numbers[old], view=3)))
    if seconds:
        shown = torch.cat([shown[:-seconds], slight_change(shown[-seconds:], again)])
    target = ab / color.AB_SCALE if config.color_space == "lab" else pictures * 2 - 1
    condition = spaces.condition_of(lightness, config.color_space)
    seen = condition if shown is lightness else spaces.condition_of(shown, config.color_space)
    layout = memory_format(device)
    return Batch(
        condition.contiguous(memory_format=layout),
        target.contiguous(memory_format=layout),
        seen.contiguous(memory_format=layout),
        pair,
    )


def memory_format(device: torch.device) -> torch.memory_format:
    """The layout that networks are fastest in: channels last on the CPU; on CUDA, where depthwise
    convolutions in bfloat16 have no kernels for it, channels first."""
    return torch.contiguous_format if device.type == "cuda" else torch.channels_last
