"""What old photographs show: each effect alone, against references from outside, and all of them.

Pictures are windows of scikit-image's photographs; codes are compared with Pillow's own JPEG.
"""

from __future__ import annotations

import io
from dataclasses import fields, replace

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from colorbatch import color
from training import degradation
from training.degradation import NONE, OLD, Chances, old_scan, slight_change
from training.draws import Draws, keys

PHOTOS = np.stack(
    [
        skimage.data.astronaut()[:96, 170:266],
        skimage.data.coffee()[150:246, 250:346],
        skimage.data.chelsea()[80:176, 120:216],
    ]
)
"""Three photographs (96, 96, 3), uint8."""
EFFECTS = [field.name for field in fields(Chances)[1:]]


def linear(photos: np.ndarray) -> Tensor:
    """sRGB codes (B, H, W, 3) to linear RGB (B, 3, H, W)."""
    light = np.moveaxis(color.linearize(photos / 255), -1, 1)
    return torch.from_numpy(light.astype(np.float32)).contiguous()


def flat(level: float, count: int = 1, side: int = 64) -> Tensor:
    """Pictures of one level."""
    return torch.full((count, 1, side, side), level)


def draws(count: int, epoch: int = 0) -> Draws:
    """The draws of the first samples of an epoch."""
    return Draws(keys(1, epoch, torch.arange(count)))


def of(*amounts: float) -> Tensor:
    """Strengths of pictures, (B,)."""
    return torch.tensor(amounts)


def test_without_effects_it_is_the_true_lightness() -> None:
    """The L* of `colorbatch.color`, and scikit-image's as far as its matrix is the same."""
    found = old_scan(linear(PHOTOS), draws(3), NONE)
    assert (found.dtype, found.shape) == (torch.float32, (3, 1, 96, 96))
    expected = np.stack([color.rgb_to_lab(photo)[..., 0] for photo in PHOTOS])
    assert np.abs(found[:, 0].numpy() - expected).max() < 0.01
    expected = skimage.color.rgb2lab(PHOTOS)[..., 0]
    assert np.abs(found[:, 0].numpy() - expected).max() < 0.05  # its matrix has other digits
    unchanged = replace(OLD, clean=1)
    assert torch.equal(old_scan(linear(PHOTOS), draws(3), unchanged), found)


@pytest.mark.parametrize("scene", ["photographs", "black", "white", "odd size", "small"])
def test_results_are_lightness(scene: str) -> None:
    """Finite and in [0, 100], with every effect at once, at sizes that no block divides."""
    pictures = {
        "photographs": linear(PHOTOS),
        "black": torch.zeros(3, 3, 32, 32),
        "white": torch.ones(3, 3, 32, 32),
        "odd size": linear(PHOTOS)[:, :, :53, :75],
        "small": linear(PHOTOS)[:, :, :8, :8],
    }[scene]
    everything = Chances(0.0, **dict.fromkeys(EFFECTS, 1.0))
    for chances in (OLD, everything):
        for epoch in range(4):
            found = old_scan(pictures, draws(3, epoch), chances)
            assert found.shape == (3, 1, *pictures.shape[2:])
            again = slight_change(found, draws(3, epoch))
            for result in (found, again):
                assert result.isfinite().all() and result.min() >= 0 and result.max() <= 100


@pytest.mark.parametrize("effect", ["all", *EFFECTS])
def test_a_picture_is_the_same_in_every_batch(effect: str) -> None:
    """Alone and in any place of a batch; another epoch or view shows it otherwise."""
    chances = OLD if effect == "all" else replace(NONE, clean=0, **{effect: 1.0})
    pictures = linear(PHOTOS)
    indices = torch.tensor([40, 7, 23])
    together = old_scan(pictures, Draws(keys(2, 5, indices)), chances)
    for i in range(3):
        alone = old_scan(pictures[i : i + 1], Draws(keys(2, 5, indices[i : i + 1])), chances)
        # powers of single numbers may differ in the last bit by their place in a vector
        assert (alone[0] - together[i]).abs().max() < 1e-4
    assert torch.equal(old_scan(pictures, Draws(keys(2, 5, indices)), chances), together)
    for other in (keys(2, 6, indices), keys(2, 5, indices, view=1)):
        assert not torch.equal(old_scan(pictures, Draws(other), chances), together)


def test_how_much_old_pictures_differ() -> None:
    """About one in eight is as good as new; the others differ, but none beyond recognition."""
    count = 1500
    pictures = linear(PHOTOS[:1, 20:52, 30:62]).expand(count, 3, 32, 32)
    true = old_scan(pictures[:1], draws(1), NONE)
    found = old_scan(pictures, draws(count))
    difference = (found - true).abs().mean((1, 2, 3))
    assert 0.09 < (difference < 0.5).float().mean() < 0.16
    assert 2 < difference.median() < 8
    alike = [np.corrcoef(true.flatten(), other.flatten())[0, 1] for other in found]
    # pixels of so small a picture: grain, blur and dust are large in it
    assert np.quantile(alike, 0.02) > 0.7


@pytest.mark.parametrize(
    ("kind", "brighter", "darker"),
    [("orthochromatic", 1, 0), ("blue_sensitive", 2, 0), ("blue_sensitive", 2, 1)],
)
def test_sensitivity(kind: str, brighter: int, darker: int) -> None:
    """Patches of one luminance: orthochromatic film sees less of red than of green, a plate without
    dyes less of both than of blue; white and grey stay what they are, but for rounding."""
    patches = torch.zeros(20, 3, 8, 8)
    for channel in range(3):
        level = 0.07 / degradation.LUMINANCE[channel]
        patches[:, channel, :, channel * 2 : channel * 2 + 2] = level
    patches[:, :, :, 6:] = 0.07
    chances = replace(NONE, clean=0, **{kind: 1.0})
    found = old_scan(patches, draws(20), chances)[:, 0, 0]
    true = old_scan(patches, draws(20), NONE)[:, 0, 0]
    assert (true - true[:, 7:]).abs().max() < 1e-3
    assert (found[:, 7] - true[:, 7]).abs().max() < 1e-3
    assert (found[:, darker * 2] < true[:, darker * 2]).all()
    assert (found[:, darker * 2] < found[:, brighter * 2]).all()


def test_panchromatic_film_sees_all_colors() -> None:
    """Weights within the ranges of the draws, of sum 1, different from picture to picture."""
    chances = replace(NONE, clean=0, panchromatic=1)
    weights = degradation.sensitivity(draws(500), chances, torch.ones(500, dtype=torch.bool))
    assert (weights.sum(1) - 1).abs().max() < 1e-6
    assert weights.min() > 0.01 and len(weights.unique(dim=0)) == 500
    luminance = torch.tensor(degradation.LUMINANCE).expand(500, 3)
    none = degradation.sensitivity(draws(500), chances, torch.zeros(500, dtype=torch.bool))
    assert (none - luminance).abs().max() < 1e-6


def test_halation() -> None:
    """A bright spot gets a glow that falls off; pictures without highlights stay as they are."""
    light = flat(0.1, 2)
    light[:, :, 30:34, 30:34] = 1
    found = degradation.halation(light, of(0.5, 0), of(0.04, 0.04))
    added = (found - light)[0, 0]
    assert torch.equal(found[1], light[1])
    assert added.min() >= 0 and added[32, 32] > added[32, 38] > added[32, 44] > 0
    assert added[:8].max() < 1e-6  # beyond 7 steps of a 48th of the side
    # half of what is above 0.5 comes back
    assert added.sum() == pytest.approx(0.5 * 16 * 0.5, rel=0.05)
    dark = flat(0.4)
    assert torch.equal(degradation.halation(dark, of(0.5), of(0.04)), dark)


def test_vignette() -> None:
    """cos^4 of the angle: full light in the center, and (1 + tan^2)^-2 in the corners."""
    light = flat(1.0, 2, side=401)
    center = torch.zeros(2, 2)
    found = degradation.vignette(light, of(0.8, 0), center)[:, 0]
    assert found[0, 200, 200] == 1
    for y in (0, 400):
        for x in (0, 400):
            # centers of pixels lie half a pixel inside
            assert float(found[0, y, x]) == pytest.approx((1 + 0.8**2) ** -2, rel=0.01)
    assert torch.equal(found[1], light[1, 0])
    aside = degradation.vignette(light[:1], of(0.8), torch.tensor([[0.25, 0.0]]))[0, 0]
    assert abs(int(aside[200].argmax()) - 250) <= 1 and abs(int(aside[:, 250].argmax()) - 200) <= 1


def test_uneven() -> None:
    """Slow: neighbors hardly differ, but parts of the picture do; none at an amount of 0."""
    light = flat(0.5, 2, side=128)
    found = degradation.uneven(light, of(0.2, 0), draws(2).normal_field(4, 4))
    assert torch.equal(found[1], light[1])
    assert 0.05 < found[0].std() / 0.5 < 0.4
    assert found[0].diff(dim=2).abs().max() < 0.02


def test_curves() -> None:
    """Gamma against numpy; an S-curve is monotonic and keeps black, middle and white."""
    tone = torch.linspace(0, 1, 101).view(1, 1, 1, 101)
    found = degradation.gamma(tone.expand(2, 1, 1, 101), of(1.4, 1))
    expected = np.clip(np.linspace(0, 1, 101), 1e-3, 1) ** 1.4
    assert np.abs(found[0].flatten().numpy() - expected).max() < 1e-6
    assert torch.equal(found[1], tone[0])
    for amount in (-0.4, 0.7):
        curve = degradation.contrast(tone, of(amount)).flatten()
        assert curve[[0, 50, 100]].tolist() == pytest.approx([0, 0.5, 1], abs=1e-6)
        assert curve.diff().min() > 0
        assert (curve[75] > 0.75) == (amount > 0)
    assert torch.equal(degradation.contrast(tone, of(0)), tone)


def test_fading() -> None:
    """Black and white become what is asked, and nothing lies outside."""
    tone = torch.linspace(0, 1, 11).view(1, 1, 1, 11)
    found = degradation.fading(tone, of(0.1), of(0.15)).flatten()
    assert (found.min(), found.max()) == (found[0], found[-1])
    assert found[[0, 5, 10]].tolist() == pytest.approx([0.1, 0.475, 0.85])


def test_blur() -> None:
    """Against scipy's Gaussian of the same reach; nothing at 0."""
    tone = old_scan(linear(PHOTOS), draws(3), NONE) / 100
    sigmas = (0.5, 1.2, 0)
    found = degradation.blur(tone, of(*sigmas))
    for picture, result, sigma in zip(tone[:2], found[:2], sigmas[:2], strict=True):
        expected = ndimage.gaussian_filter(picture[0].numpy(), sigma, mode="nearest", radius=3)
        assert np.abs(result[0].numpy() - expected).max() < 1e-5
    assert torch.equal(found[2], tone[2])


def test_grain() -> None:
    """As strong as asked in mid tones, half in black; soft grain knows its neighbors."""
    tone = torch.cat([flat(0.5), flat(0.0), flat(0.5), flat(0.5)])
    noise = draws(4).normal_field(64, 64)
    found = degradation.grain(tone, of(0.03, 0.03, 0.03, 0), of(0, 0, 1, 0), noise) - tone
    # four standard errors of 4096 numbers are 4.5 %
    assert float(found[0].std()) == pytest.approx(0.03, rel=0.045)
    assert float(found[1].std()) == pytest.approx(0.015, rel=0.045)
    assert 0.015 < found[2].std() < 0.03
    assert torch.equal(found[3], torch.zeros(1, 64, 64))

    def neighbors(picture: Tensor) -> float:
        return float(np.corrcoef(picture[0, :, 1:].flatten(), picture[0, :, :-1].flatten())[0, 1])

    assert abs(neighbors(found[0])) < 0.07 and neighbors(found[2]) > 0.6


@pytest.mark.parametrize(("effect", "largest"), [("scratches", 0.08), ("dust", 0.03)])
def test_marks_are_few(effect: str, largest: float) -> None:
    """Scratches and dust touch a small share of a picture, elsewhere it is as before."""
    count = 60
    pictures = linear(PHOTOS[:1]).expand(count, 3, 96, 96)
    true = old_scan(pictures[:1], draws(1), NONE)
    found = old_scan(pictures, draws(count), replace(NONE, clean=0, **{effect: 1.0}))
    touched = (found != true).float().mean((1, 2, 3))
    assert touched.max() < largest
    assert (touched > 0).float().mean() > 0.7
    changes = (found - true)[found != true]
    assert (changes > 5).any() and (changes < -5).any()


def test_scratches_are_thin() -> None:
    """Upright ones: no more than three pixels of a row belong to each of three."""
    lines = draws(40).uniform_field(3, 8)
    lines[:, :, 2] = 0.1  # none is oblique
    found = degradation.scratches((80, 120), lines, draws(40).uniform_field(3, 12))
    assert found.shape == (40, 1, 80, 120) and found.min() == 0 and 0.5 < found.max() <= 1
    assert (found > 0).sum(3).max() <= 9
    assert (found > 0).sum(2).max() > 40


def test_covering() -> None:
    """Where nothing lies the tone stays; where it lies fully it is the other's, by its opacity."""
    coverage = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(2, 1, 1, 3)
    tone = torch.full((2, 1, 1, 3), 0.4)
    found = degradation.covered(tone, coverage, of(1, 0.5), of(1, 0))
    assert found[0].flatten().tolist() == pytest.approx([0.4, 0.7, 1])
    assert found[1].flatten().tolist() == pytest.approx([0.4, 0.3, 0.2])


@pytest.mark.parametrize("quality", [25, 50, 75, 90])
def test_jpeg_is_pillows(quality: int) -> None:
    """Codes of grey pictures as libjpeg decodes its own file of the same quality."""
    greys = np.stack([color.grey_of(photo)[:90, :93] for photo in PHOTOS])
    codes = torch.from_numpy(greys.astype(np.float32))[:, None]
    found = degradation.jpeg(codes, torch.full((3,), float(quality)))[:, 0].numpy()
    for grey, result in zip(greys, found, strict=True):
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file)).astype(np.float32)
        # libjpeg's DCT is of integers: a coefficient here and there is rounded the other way
        assert np.abs(result - expected).mean() < 0.4
        assert np.abs(expected - grey).mean() > 2 * np.abs(result - expected).mean()


def test_compression_of_tone() -> None:
    """Better at higher quality, and at an infinite one the very tone."""
    tone = old_scan(linear(PHOTOS), draws(3), NONE) / 100
    errors = (degradation.compressed(tone, of(30, 90, torch.inf)) - tone).abs().mean((1, 2, 3))
    assert 0.05 > errors[0] > errors[1] > 0.001 and errors[2] == 0


def test_light_and_tone_are_inverse() -> None:
    """And lightness is that of `colorbatch.color`."""
    light = torch.linspace(0, 1, 1001)
    tone = degradation.tone_of(light)
    expected = color.lightness_of_y(light.double().numpy())
    assert np.abs(tone.numpy() * 100 - expected).max() < 1e-3
    assert (degradation.light_of(tone) - light).abs().max() < 1e-5


def test_slight_change_is_slight() -> None:
    """Of most pictures up to a few L*, and the same picture is seen; each of the four changes is in
    every second one, so that one in sixteen has none."""
    seen = old_scan(linear(PHOTOS), draws(3), OLD).repeat(10, 1, 1, 1)
    found = slight_change(seen, Draws(keys(1, 0, torch.arange(30), view=1)))
    difference = (found - seen).abs().mean((1, 2, 3))
    assert difference.max() < 6
    assert (difference == 0).sum() <= 7  # of 30, where 2 are expected: five standard deviations
    assert (difference > 0.1).sum() >= 20
    for one, other in zip(seen, found, strict=True):
        assert np.corrcoef(one.flatten(), other.flatten())[0, 1] > 0.97
