"""A U-Net around EfficientNet-Lite2, with attention over its coarsest map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.backbones.efficientnet_lite import EfficientNetLite
from training.config import TrainConfig
from training.generators.base import MAPS, Generator, check_size, smoothed
from training.generators.layers import relu

VERSION = 2
"""Of EfficientNet-Lite."""
SHARES = (4, 3, 2, 1.5, 0.75, 0.25)
"""Channels of the decoder's maps from 1/32 of the size to the whole, as shares of `width`."""
TWICE = (True, True, True, False)
"""Which of the decoder's joins are followed by a second convolution, from 1/16 to 1/2."""
BLOCKS, HEADS = 2, 8
"""Of attention."""
FROZEN_MAPS = 2
"""The first maps of the encoder, 1/2 and 1/4, show edges and textures: these it need not learn."""


class LiteUNet(Generator):
    """A U-Net whose encoder is EfficientNet-Lite2 (see `training.backbones.efficientnet_lite`).

    Two blocks of attention see the whole picture at 1/32 of the size. Then each map is enlarged by
    2, joined with the encoder's of that size and convolved 3x3, so that all pixels are made in the
    same way: no checkerboards. `width` is that of the decoder (64 gives 256 channels at
    1/32, 16 at the whole size), `dropout` stands behind its first three joins.

    `forward`: (N, inputs, H, W) -> (N, outputs, H, W), both multiples of 32; float32 (or the
    autocast type) in [-1, 1]. Raises ValueError for all other sizes.
    """

    encoder: EfficientNetLite

    def __init__(
        self,
        width: int = 64,
        dropout: float = 0.0,
        relu_limit: float = 6.0,
        inputs: int = 1,
        outputs: int = 2,
    ) -> None:
        super().__init__()
        self.encoder = EfficientNetLite(VERSION, inputs)
        made = [max(8, round(width * share / 8) * 8) for share in SHARES]
        joined = [*self.encoder.channels[3::-1], inputs]
        self.bottom = _normalised(
            nn.Conv2d(self.encoder.channels[-1], made[0], 1, bias=False), relu_limit
        )
        self.context = nn.Sequential(*(Attention(made[0], HEADS) for _ in range(BLOCKS)))
        up = []
        for i, twice in enumerate(TWICE):
            join = EnlargeJoinConvolve(made[i], joined[i], made[i + 1])
            layers: list[nn.Module] = [_normalised(join, relu_limit)]
            if twice:
                again = nn.Conv2d(made[i + 1], made[i + 1], 3, padding=1, bias=False)
                layers.append(_normalised(again, relu_limit))
            if dropout > 0 and i < 3:
                layers.append(nn.Dropout(dropout))
            up.append(nn.Sequential(*layers))
        self.up = nn.ModuleList(up)
        self.last = nn.Sequential(
            _normalised(EnlargeJoinConvolve(made[4], joined[4], made[5]), relu_limit),
            nn.Conv2d(made[5], outputs, 3, padding=1),
        )

    @classmethod
    def of(cls, config: TrainConfig, inputs: int, outputs: int) -> Self:
        return cls(config.width, config.dropout, config.relu_limit, inputs, outputs)

    def forward(self, condition: Tensor) -> Tensor:
        check_size(condition, 32)
        condition = smoothed(condition, self.smoothing)
        maps = [condition, *self.maps(condition)]
        x: Tensor = self.context(self.bottom(maps.pop()))
        for up in (*self.up, self.last):
            x = up((x, maps.pop()))
        return torch.tanh(x)

    def maps(self, condition: Tensor, count: int = MAPS) -> list[Tensor]:
        maps: list[Tensor] = self.encoder(condition)
        return maps[:count]

    def final(self) -> nn.Conv2d:
        convolution = self.last[-1]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def frozen(self) -> Sequence[nn.Module]:
        return self.encoder.first_parts(FROZEN_MAPS)


def _normalised(convolution: nn.Conv2d, relu_limit: float) -> nn.Sequential:
    """A convolution, batch norm and ReLU."""
    norm = nn.BatchNorm2d(convolution.out_channels)
    return nn.Sequential(convolution, norm, relu(relu_limit, inplace=True))


class Attention(nn.Module):
    """Self-attention over all places of a map, and two linear layers (Vaswani et al. 2017,
    "Attention Is All You Need", sections 3.2 and 3.3), each behind its layer norm.

    A depthwise 3x3 convolution, which sees the border, tells places apart. `forward`: (N, C, H, W)
    to the same.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.pos = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.n1, self.n2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 3 * channels), nn.GELU(), nn.Linear(3 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos(x)
        _, channels, height, width = x.shape
        places = x.flatten(2).transpose(1, 2)  # (N, H * W, C)
        parts = self.qkv(self.n1(places)).unflatten(2, (3, self.heads, channels // self.heads))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (N, heads, H * W, C / heads)
        seen = functional.scaled_dot_product_attention(query, key, value)
        places = places + self.out(seen.transpose(1, 2).flatten(2))
        places = places + self.mlp(self.n2(places))
        made: Tensor = places.transpose(1, 2).unflatten(2, (height, width))
        return made


_ROW_PHASES = torch.tensor([[[1.0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
_PHASES = torch.einsum("pax,qby->xypqab", _ROW_PHASES, _ROW_PHASES).reshape(9, 16)
"""Which of the 3x3 taps are summed up for which of the four phases' 2x2 taps: see below."""


class EnlargeJoinConvolve(nn.Conv2d):
    """A map enlarged by 2 (nearest), joined with a finer one, and convolved 3x3 with padding 1.

    `forward`: a pair of (N, coarse, H, W) and (N, fine, 2 H, 2 W) -> (N, outputs, 2 H, 2 W). The
    weight is that of the plain convolution of coarse + fine channels.

    An enlarged map repeats itself, so that each output is a sum of 2x2 coarse values, with one of
    four kernels by where it lies: 4/9 of the products, and no enlarged map to keep. It is computed
    in the way that is fastest: in training mode as one transposed convolution; in eval mode, as it
    is exported, as four convolutions in one, whose maps are woven together.
    """

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__(coarse + fine, outputs, 3, padding=1, bias=False)
        self.coarse = coarse

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:  # type: ignore[override]
        coarse, fine = pair
        weight = self.weight[:, : self.coarse]
        if self.training:
            kernels = enlarging_kernels(weight)
            enlarged = functional.conv_transpose2d(coarse, kernels, None, stride=2, padding=1)
        else:
            phases = functional.conv2d(coarse, phase_kernels(weight), padding=1)
            # of the places before and behind the map, one phase each has no output
            enlarged = woven(phases)[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
        joined = functional.conv2d(fine, self.weight[:, self.coarse :], self.bias, padding=1)
        return enlarged + joined


def enlarging_kernels(weight: Tensor) -> Tensor:
    """3x3 kernels (O, C, 3, 3) of a convolution behind an enlargement by 2 as the 4x4 kernels
    (C, O, 4, 4) of one transposed convolution: turned about, and smeared over 2x2."""
    turned = weight.flip(2, 3).transpose(0, 1)
    wide = functional.pad(turned, (0, 1)) + functional.pad(turned, (1, 0))
    return functional.pad(wide, (0, 0, 0, 1)) + functional.pad(wide, (0, 0, 1, 0))


def phase_kernels(weight: Tensor) -> Tensor:
    """The same as 2x2 kernels (4 O, C, 2, 2) of a convolution with padding 1: those of all output
    channels for one phase, then for the next, as `woven` takes them.

    An output in an even row sees the rows before and at its place, the first through the first tap
    and the second through the sum of the others; one in an odd row those at its place and behind
    it, through the sum of the first two taps and through the third. With padding 1 the odd one is
    the first to see a coarse row, and the even one the second. So it is with columns.
    """
    outputs, inputs = weight.shape[:2]
    kernels = weight.flatten(2) @ _PHASES.to(weight)
    phases = kernels.reshape(outputs, inputs, 4, 4).permute(2, 0, 1, 3)
    return phases.reshape(4 * outputs, inputs, 2, 2)


def woven(phases: Tensor) -> Tensor:
    """(N, 4 C, H, W), of which the channels are those of the four phases one after the other, to
    (N, 2 H, 2 W, C): what `pixel_shuffle` does. With the channels last two phases of a row lie
    beside each other, so that whole blocks are copied; onnxruntime's own operator for it moves
    number by number, which took a tenth of the network's time.
    """
    count, channels, height, width = phases.shape
    places = phases.permute(0, 2, 3, 1).reshape(count, height, width, 2, channels // 2)
    return places.transpose(2, 3).reshape(count, 2 * height, 2 * width, channels // 4)
