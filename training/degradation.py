"""What an old photograph, and a scan of it, shows of a scene: true linear RGB to lightness.

It makes the condition that a generator sees, never its target. Each effect is a small function of
its own, for a whole batch, with its strengths (B,) given for each picture; `old_scan` draws them.
Nothing here has a state, a matrix product or a loop over pictures: a picture comes out the same,
but for the last bit of a float, in any batch and under any precision of products. *Tone* is
L* / 100 of CIE 1976 L*a*b*, (B, 1, H, W) float32, nominally in [0, 1]; *light* is relative
luminance, linear, of the same shape.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from training import spaces
from training.draws import Draws

LUMINANCE = (0.212671, 0.715160, 0.072169)
"""Y of linear R, G and B: ITU-R BT.709 under the D65 white that `colorbatch.color` uses."""


@dataclass(frozen=True)
class Chances:
    """How often each effect is seen. A picture that stays `clean` has none of the others."""

    clean: float = 0.11
    panchromatic: float = 0.20
    orthochromatic: float = 0.17
    blue_sensitive: float = 0.08
    halation: float = 0.15
    vignette: float = 0.25
    uneven: float = 0.25
    gamma: float = 0.5
    contrast: float = 0.3
    fading: float = 0.4
    blur: float = 0.35
    grain: float = 0.45
    scratches: float = 0.12
    dust: float = 0.2
    jpeg: float = 0.4


OLD = Chances()
"""Of photographs as archives have them; about one in eight is as good as new."""
NONE = Chances(1.0, **{field.name: 0.0 for field in dataclasses.fields(Chances)[1:]})
"""The picture as it is."""


@torch.no_grad()
def old_scan(linear: Tensor, draws: Draws, chances: Chances = OLD) -> Tensor:
    """True linear RGB (B, 3, H, W) float32 in [0, 1] to the L* (B, 1, H, W) float32 in [0, 100]
    of an old photograph of it. Without effects it is the L* of `colorbatch.color`."""
    size = (linear.shape[2], linear.shape[3])
    old = ~draws.chance(chances.clean)

    def strength(chance: float, low: float, high: float, off: float = 0.0) -> Tensor:
        """(B,) uniform in [low, high) where the effect is seen, elsewhere `off`."""
        seen, amount = draws.chance(chance) & old, draws.uniform(low, high)
        return torch.where(seen, amount, torch.full_like(amount, off))

    # in the camera, in linear light
    light = exposed(linear, sensitivity(draws, chances, old))
    light = halation(light, strength(chances.halation, 0.1, 0.5), draws.uniform(0.015, 0.05))
    center = torch.stack([draws.uniform(-0.25, 0.25), draws.uniform(-0.25, 0.25)], dim=1)
    light = vignette(light, strength(chances.vignette, 0.3, 0.8), center)
    light = uneven(light, strength(chances.uneven, 0.04, 0.2), draws.normal_field(4, 4))
    # on paper, and after its years
    tone = tone_of(light.clamp(0, 1))
    tone = gamma(tone, strength(chances.gamma, -0.35, 0.35).double().exp().float())
    tone = contrast(tone, strength(chances.contrast, -0.4, 0.7))
    faded = draws.chance(chances.fading) & old
    tone = fading(tone, draws.uniform(0, 0.12) * faded, draws.uniform(0, 0.15) * faded)
    tone = blur(tone, strength(chances.blur, 0.4, 1.3))
    coarse = draws.chance(0.5)
    fine = draws.chance(0.5)
    softness = torch.where(coarse, draws.uniform(0.5, 1.2), draws.uniform(0.3, 0.5) * ~fine)
    tone = grain(tone, strength(chances.grain, 0.004, 0.04), softness, draws.normal_field(*size))
    # what touched it
    marks = scratches(size, draws.uniform_field(3, 8), draws.uniform_field(3, 12))
    opacity = strength(chances.scratches, 0.25, 0.8)
    tone = covered(tone, marks, opacity, draws.chance(0.65).float())
    marks = dust(size, draws.uniform_field(16, 6), draws.uniform_field(2, 8))
    tone = covered(tone, marks, strength(chances.dust, 0.3, 0.9), draws.chance(0.65).float())
    # and the scan's file
    tone = compressed(tone.clamp(0, 1), strength(chances.jpeg, 25, 90, off=math.inf))
    return tone * 100


@torch.no_grad()
def slight_change(lightness: Tensor, draws: Draws) -> Tensor:
    """L* (B, 1, H, W) in [0, 100] to what another scan of the same print shows, the same way:
    brightness within 5 %, a blur below half a pixel, fine grain up to 3 L*, JPEG of high quality;
    each in every second picture, so that no effect hides what another does.
    """

    def sometimes(low: float, high: float, off: float) -> Tensor:
        changed, amount = draws.chance(0.5), draws.uniform(low, high)
        return torch.where(changed, amount, torch.full_like(amount, off))

    tone = blur(lightness / 100, sometimes(0, 0.45, 0.0))
    tone = tone * _each(sometimes(0.95, 1.05, 1.0))
    noise = draws.normal_field(lightness.shape[2], lightness.shape[3])
    tone = grain(tone, sometimes(0, 0.03, 0.0), torch.zeros_like(draws.uniform()), noise)
    return compressed(tone.clamp(0, 1), sometimes(80, 96, math.inf)) * 100


# --- in the camera: linear light ----------------------------------------------------------------


def sensitivity(draws: Draws, chances: Chances, old: Tensor) -> Tensor:
    """Weights (B, 3) of linear R, G and B, with sum 1, for what kind of film the draws choose.

    Silver halide by itself sees blue and ultraviolet (plates to about 1885); Vogel's dyes added
    green and yellow, up to about 590 nm (orthochromatic, to the 1930s: red is black), later ones
    red (panchromatic, on sale since 1906), with a balance that is seldom the eye's. Mees 1942,
    "The Theory of the Photographic Process". The numbers are our estimates. Where `old` (B,)
    is False, or by luck, the weights are those of luminance.
    """
    pan = (draws.uniform(0.02, 0.4), draws.uniform(0.3, 0.7), draws.uniform(0.07, 0.5))
    ortho = (draws.uniform(0, 0.06), draws.uniform(0.35, 0.7), draws.uniform(0.2, 0.55))
    blue = (draws.uniform(0, 0.02), draws.uniform(0.05, 0.25), draws.uniform(0.7, 1))
    luck = draws.uniform()
    weights = luck.new_tensor(LUMINANCE).expand(len(luck), 3)
    end = 0.0
    kinds = ((pan, chances.panchromatic), (ortho, chances.orthochromatic))
    for drawn, chance in (*kinds, (blue, chances.blue_sensitive)):
        chosen = old & (luck >= end) & (luck < end + chance)
        weights = torch.where(chosen[:, None], torch.stack(drawn, dim=1), weights)
        end += chance
    return weights / weights.sum(1, keepdim=True)


def exposed(linear: Tensor, weights: Tensor) -> Tensor:
    """Linear RGB (B, 3, H, W) by weights (B, 3) to the light (B, 1, H, W) that exposes."""
    red, green, blue = ((linear[:, i] * weights[:, i, None, None]) for i in range(3))
    return (red + green + blue)[:, None]


def halation(light: Tensor, amount: Tensor, radius: Tensor) -> Tensor:
    """A glow around highlights: their light, spread with a standard deviation of `radius` (B,) of
    the picture's width, in [0, 0.06], added again `amount` (B,) times, about [0, 0.5].

    Light that passes the emulsion, and is thrown back by the glass or film behind it, exposes it
    once more from there (Mees 1942). `light` may become more than 1.
    """
    height, width = light.shape[2:]
    # a glow is smooth: it is computed at a 48th of the side
    small = (min(height, 48), min(width, 48))
    highlights = F.interpolate((light - 0.5).clamp(min=0), small, mode="area")
    glow = blur(highlights, radius * small[1], reach=7)
    glow = F.interpolate(glow, (height, width), mode="bilinear", align_corners=False)
    return light + glow * _each(amount)


def vignette(light: Tensor, tangent: Tensor, center: Tensor) -> Tensor:
    """Light that falls off from a center by the law of cos^4 (Reiss 1945, "The Cos4 Law of
    Illumination"). `tangent` (B,): of the angle from the center to a corner, 0 for no fall-off,
    0.8 for a corner with 37 % of the light. `center` (B, 2): x, y in [-1, 1]."""
    across, down = _axes(light)
    across = (across - center[:, :1]) ** 2 / 2
    down = (down - center[:, 1:]) ** 2 / 2
    squared = (across[:, None, None, :] + down[:, None, :, None]) * _each(tangent) ** 2
    return light / (1 + squared) ** 2


def uneven(light: Tensor, amount: Tensor, field: Tensor) -> Tensor:
    """Slow changes over the picture, as of uneven development and stains: light by the exponential
    of `field` (B, h, w), N(0, 1), a few pixels drawn large, times `amount` (B,), [0, 0.3]."""
    slow = F.interpolate(field[:, None] * _each(amount), light.shape[2:], mode="bicubic")
    return light * slow.exp()


# --- on paper: tone -----------------------------------------------------------------------------


def gamma(tone: Tensor, exponent: Tensor) -> Tensor:
    """Tone to a power (B,), [0.7, 1.42] for [-0.35, 0.35] of its logarithm; black and white stay.
    The lowest thousandth is one black."""
    return torch.where(_each(exponent) == 1, tone, tone.clamp(1e-3, 1) ** _each(exponent))


def contrast(tone: Tensor, amount: Tensor) -> Tensor:
    """An S-curve, as film has with its toe and shoulder: `amount` (B,) in (-1, 1) of 3t^2 - 2t^3 in
    the place of t. Below 0 mid tones are flattened. Monotonic; black, middle and white stay."""
    smooth = tone * tone * (3 - 2 * tone)
    return tone + (smooth - tone) * _each(amount)


def fading(tone: Tensor, black: Tensor, white: Tensor) -> Tensor:
    """Blacks lifted by `black` (B,), [0, 0.12], and whites lowered by `white` (B,), [0, 0.15]."""
    return tone * _each(1 - white - black) + _each(black)


def blur(picture: Tensor, sigma: Tensor, reach: int = 3) -> Tensor:
    """(B, 1, H, W) under a Gaussian of standard deviation `sigma` (B,) pixels, 0 for none, cut off
    at `reach` pixels; edges repeat."""
    taps = _taps(sigma, reach)
    for axis in (2, 3):
        around = [0, 0, reach, reach] if axis == 2 else [reach, reach, 0, 0]
        padded, length = F.pad(picture, around, mode="replicate"), picture.shape[axis]
        picture = padded.narrow(axis, reach, length) * _each(taps[0])
        for step in range(1, reach + 1):
            before = padded.narrow(axis, reach - step, length)
            after = padded.narrow(axis, reach + step, length)
            picture += (before + after) * _each(taps[step])
    return picture


def grain(tone: Tensor, amount: Tensor, softness: Tensor, noise: Tensor) -> Tensor:
    """Grain from `noise` (B, H, W), N(0, 1): `amount` (B,), [0, 0.04], is its standard deviation
    in mid tones; black and white have half of it. `softness` (B,), [0, 1.2]: the standard deviation
    in pixels of what blurs it, 0 for fine grain; soft grain is weaker, by a third at most."""
    taps = _taps(softness, 3)
    power = taps[0] ** 2 + 2 * sum(tap**2 for tap in taps[1:])  # of one axis, so of both its square
    soft = blur(noise[:, None], softness) * _each(amount / (power.double() ** (2 / 3)).float())
    return tone + soft * (0.5 + 2 * tone * (1 - tone))


# --- what touched it ----------------------------------------------------------------------------


def scratches(size: tuple[int, int], lines: Tensor, breaks: Tensor) -> Tensor:
    """Thin straight scratches as coverage (B, 1, H, W) in [0, 1] of a picture of `size`.

    lines: (B, N, 8) in (0, 1), where and how each runs; about two in three are seen, two in three
    are nearly vertical, one in four of the others nearly horizontal. breaks: (B, N, K) in (0, 1),
    how deep it is along its way. Widths are 1 to 2 pixels.
    """
    height, width = size
    start, slope, oblique, half, seen, depth, turned, _ = lines.unbind(2)
    along = torch.arange(max(size), device=lines.device, dtype=torch.float32)
    slope = torch.where(oblique < 0.65, (slope - 0.5) * 0.1, (slope - 0.5) * 1.6)
    turned = (turned < 0.25) & (oblique >= 0.65)
    side = torch.where(turned, height, width)
    across = (start * 1.2 - 0.1)[..., None] * side[..., None] + slope[..., None] * along
    deep = F.interpolate(breaks, len(along), mode="linear", align_corners=True)
    deep = (deep * 2 - 0.5).clamp(0, 1) * ((seen < 0.65) * (0.5 + 0.5 * depth))[..., None]
    steps = torch.arange(-2, 3, device=lines.device)
    place = across.floor()[..., None] + steps
    distance = (place - across[..., None]).abs() / (1 + slope[..., None, None] ** 2).sqrt()
    value = (0.4 + 0.5 * half[..., None, None] - distance + 0.5).clamp(0, 1) * deep[..., None]
    position = along[:, None].expand_as(place)
    turned = turned[..., None, None]
    x, y = torch.where(turned, position, place), torch.where(turned, place, position)
    return _stamped(size, x.flatten(1), y.flatten(1), value.flatten(1))


def dust(size: tuple[int, int], specks: Tensor, hairs: Tensor) -> Tensor:
    """Specks of half to 5 pixels, and curved hairs, as coverage (B, 1, H, W) in [0, 1].

    specks: (B, N, 6) in (0, 1), place, size, form and whether it is there; pictures have from none
    to all of them. hairs: (B, M, 8) in (0, 1), as much; one in three is there.
    """
    height, width = size
    x, y, radius, form, seen, crowd = specks.unbind(2)
    x, y, radius = (x * width)[..., None], (y * height)[..., None], 0.3 + 2.2 * radius**4
    here = (seen < crowd[:, :1])[..., None]  # the first speck's last number is for all of them
    steps = torch.arange(-3, 4, device=specks.device)
    offsets = torch.cartesian_prod(steps, steps)
    column, row = x.floor() + offsets[:, 0], y.floor() + offsets[:, 1]
    stretch = (form - 0.5).exp2()[..., None]
    distance = torch.hypot((column + 0.5 - x) * stretch, (row + 0.5 - y) / stretch)
    value = (radius[..., None] + 0.5 - distance).clamp(0, 1) * here
    parts = [(column.flatten(1), row.flatten(1), value.flatten(1))]

    x, y, angle, length, bend, thick, seen, _ = (part[..., None] for part in hairs.unbind(2))
    count = max(16, max(size) // 3)
    way = torch.linspace(0, 1, count, device=hairs.device)
    length, bend = (0.04 + 0.16 * length) * max(size) * way, (bend - 0.5) * 1.6 * way
    cosine, sine = (angle * (2 * math.pi)).cos(), (angle * (2 * math.pi)).sin()
    x = x * width + (cosine - sine * bend) * length
    y = y * height + (sine + cosine * bend) * length
    offsets = torch.cartesian_prod(steps[2:5], steps[2:5])
    column, row = x.floor()[..., None] + offsets[:, 0], y.floor()[..., None] + offsets[:, 1]
    distance = torch.hypot(column + 0.5 - x[..., None], row + 0.5 - y[..., None])
    value = (0.1 + 0.4 * thick[..., None] + 0.5 - distance).clamp(0, 1) * (seen < 0.35)[..., None]
    parts.append((column.flatten(1), row.flatten(1), value.flatten(1)))
    return _stamped(size, *(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))


def covered(tone: Tensor, coverage: Tensor, opacity: Tensor, other: Tensor) -> Tensor:
    """Tone, and where `coverage` (B, 1, H, W) is 1, with `opacity` (B,), the tone `other` (B,):
    1 for what lay on the negative, 0 for what lies on the print."""
    return tone + (_each(other) - tone) * (coverage * _each(opacity))


def _stamped(size: tuple[int, int], x: Tensor, y: Tensor, value: Tensor) -> Tensor:
    """(B, 1, H, W) with the largest value (B, N) at each pixel x, y (B, N); others are 0."""
    height, width = size
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = torch.where(inside, y * width + x, torch.zeros_like(x)).long()
    flat = value.new_zeros(len(value), height * width)
    flat = flat.scatter_reduce(1, place, value * inside, "amax")
    return flat.view(-1, 1, height, width)


# --- the scan's file ----------------------------------------------------------------------------

# ITU-T T.81, table K.1: quantization of luma; rows are vertical frequencies
_QUANTIZATION = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
# ITU-T T.81, section A.3.3: the orthonormal DCT; row u is frequency u
_COSINES = [
    [
        math.sqrt((1 if u == 0 else 2) / 8) * math.cos((2 * i + 1) * u * math.pi / 16)
        for i in range(8)
    ]
    for u in range(8)
]


def compressed(tone: Tensor, quality: Tensor) -> Tensor:
    """Tone in [0, 1] after a JPEG file of `quality` (B,), see `jpeg`; infinite for none."""
    none = quality.isinf()
    codes = spaces.encode(light_of(tone)) * 255
    decoded = tone_of(spaces.linear(jpeg(codes, torch.where(none, 90, quality)) / 255))
    return torch.where(_each(none), tone, decoded)


def jpeg(codes: Tensor, quality: Tensor) -> Tensor:
    """Grey codes (B, 1, H, W) in [0, 255], rounded, through JPEG (ITU-T T.81, annexes A and K) of
    `quality` (B,) in [1, 100], as libjpeg scales the table by it, to whole codes."""
    height, width = codes.shape[2:]
    across, down = -width % 8, -height % 8
    rows = F.pad(codes.round() - 128, (0, across, 0, down), mode="replicate")
    rows = rows.view(-1, (height + down) // 8, 8, width + across)
    blocks = torch.stack(_dct(rows.unbind(2)), dim=1)  # (B, 8, H / 8, W)
    columns = torch.stack(_dct(blocks.view(*blocks.shape[:3], -1, 8).unbind(4)), dim=2)
    # (B, 8, 8, H / 8, W / 8): vertical frequency, horizontal frequency, block
    table = _quantization(quality)[..., None, None]
    columns = (columns / table).round() * table
    blocks = torch.stack(_inverse_dct(columns.unbind(2)), dim=4).flatten(3)
    rows = torch.stack(_inverse_dct(blocks.unbind(1)), dim=2)
    decoded = (rows.round() + 128).clamp(0, 255)
    return decoded.reshape(-1, 1, height + down, width + across)[:, :, :height, :width]


def _quantization(quality: Tensor) -> Tensor:
    """(B, 8, 8) of quality (B,): libjpeg's `jpeg_quality_scaling`, for fractions as well."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((quality.new_tensor(_QUANTIZATION) * scale + 50) / 100).floor().clamp(1, 255)


def _dct(samples: Sequence[Tensor]) -> list[Tensor]:
    """Eight neighbors, each in a tensor of one shape, to their eight frequencies.

    Elementwise: products of matrices may be rounded otherwise in another batch or precision, and
    quantization would make a visible step of it.
    """
    sums = [samples[i] + samples[7 - i] for i in range(4)]
    differences = [samples[i] - samples[7 - i] for i in range(4)]
    return [
        _weighted(differences if u % 2 else sums, [_COSINES[u][i] for i in range(4)])
        for u in range(8)
    ]


def _inverse_dct(frequencies: Sequence[Tensor]) -> list[Tensor]:
    """Eight frequencies to the eight neighbors."""
    even = [_weighted(frequencies[::2], [row[i] for row in _COSINES[::2]]) for i in range(4)]
    odd = [_weighted(frequencies[1::2], [row[i] for row in _COSINES[1::2]]) for i in range(4)]
    first = [even[i] + odd[i] for i in range(4)]
    return [*first, *(even[i] - odd[i] for i in (3, 2, 1, 0))]


def _weighted(parts: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total += part * weight
    return total


# --- light, tone, codes -------------------------------------------------------------------------


def tone_of(light: Tensor) -> Tensor:
    """Relative luminance in [0, 1] to L* / 100 (CIE 15:2004, section 8.2.1.1)."""
    root = light.clamp(min=(6 / 29) ** 3) ** (1 / 3)
    return torch.where(light > (6 / 29) ** 3, root * 1.16 - 0.16, light * (1.16 * 841 / 108))


def light_of(tone: Tensor) -> Tensor:
    """L* / 100 in [0, 1] to relative luminance."""
    f = (tone + 0.16) / 1.16
    return torch.where(f > 6 / 29, f * f * f, tone * (108 / 841 / 1.16))


def _each(amount: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1)."""
    return amount[:, None, None, None]


def _axes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Centers of a picture's columns (1, W) and rows (1, H) in (-1, 1)."""
    height, width = picture.shape[2:]
    across = torch.arange(width, device=picture.device) * 2 + 1
    down = torch.arange(height, device=picture.device) * 2 + 1
    return (across / width - 1)[None], (down / height - 1)[None]


def _taps(sigma: Tensor, reach: int) -> list[Tensor]:
    """Weights (B,) of a Gaussian at 0, 1, ... `reach` pixels, of which the sum over both sides is
    1; at a `sigma` (B,) of 0 all of it is at 0."""
    # in float64, so that a vector's tail, with its other exponential, rounds to the same float32
    squared = 2 * sigma.double().clamp(min=0.01) ** 2
    sides = [torch.exp(-(step**2) / squared).float() for step in range(reach + 1)]
    total = sides[0] + 2 * sum(sides[1:])
    return [side / total for side in sides]
