"""The two color spaces against `colorbatch.color` and, from outside, scikit-image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch

from colorbatch import color
from training import spaces

PHOTOS = np.stack([skimage.data.astronaut()[:64, 180:260], skimage.data.coffee()[200:264, 200:280]])
LAB = np.stack([color.rgb_to_lab(photo) for photo in PHOTOS])
CUBE = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3, indexing="ij"), axis=-1)
CODES = CUBE.reshape(1, 18, 324, 3).astype(np.uint8)
"""Colors from all over sRGB, its corners included, as one picture."""


def _planes(values: np.ndarray) -> np.ndarray:
    """(N, H, W, C) to (N, C, H, W)."""
    return np.moveaxis(values, -1, 1)


def test_condition_in_lab() -> None:
    """L* / 50 - 1 in one channel: black is -1, white 1."""
    lightness = np.array([[[0, 25], [50, 100]]], np.float32)
    condition = spaces.condition(lightness, "lab")
    assert condition.dtype == torch.float32
    assert condition.tolist() == [[[[-1, -0.5], [0, 1]]]]  # exact in binary
    reference = skimage.color.rgb2lab(PHOTOS)[..., 0] / 50 - 1
    found = spaces.condition(LAB[..., 0], "lab").numpy()
    # scikit-image's matrix differs in the fourth digit
    assert np.abs(found[:, 0] - reference).max() < 0.001


def test_condition_in_rgb() -> None:
    """The sRGB grey of that lightness, three times: scikit-image gets the lightness back."""
    condition = spaces.condition(np.array([[[0, 100]]], np.float32), "rgb")
    assert condition.shape == (1, 3, 1, 2)
    assert condition[0, :, 0].tolist() == [[-1, 1]] * 3
    found = spaces.condition(LAB[..., 0], "rgb")
    assert (found.dtype, found.shape) == (torch.float32, (2, 3, 64, 80))
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])
    shown = (np.moveaxis(found.numpy(), 1, -1).astype(np.float64) + 1) / 2
    # the table of `color.encode` is within a code of 16 bits, 0.004 in L at its steepest
    assert np.abs(skimage.color.rgb2lab(shown)[..., 0] - LAB[..., 0]).max() < 0.02


def test_targets() -> None:
    """ab / 110 in `lab`; the codes from -1 to 1 in `rgb`; both within the range of tanh."""
    found = spaces.target(LAB, PHOTOS, "lab")
    assert (found.dtype, found.shape) == (torch.float32, (2, 2, 64, 80))
    reference = _planes(skimage.color.rgb2lab(PHOTOS)[..., 1:]) / 110
    assert np.abs(found.numpy() - reference).max() < 0.001  # scikit-image's matrix
    found = spaces.target(LAB, PHOTOS, "rgb")
    assert (found.dtype, found.shape) == (torch.float32, (2, 3, 64, 80))
    # float32 rounding
    assert np.abs(found.numpy() - (_planes(PHOTOS) / 127.5 - 1)).max() < 1e-6
    lab = color.rgb_to_lab(CODES[0])[None]
    for space in ("lab", "rgb"):
        assert spaces.target(lab, CODES, space).abs().max() <= 1


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_true_target_has_the_true_chroma(space: str) -> None:
    """A generator that makes the target exactly is given the picture's own ab."""
    for lab, codes in ((LAB, PHOTOS), (color.rgb_to_lab(CODES[0])[None], CODES)):
        found = spaces.chroma(spaces.target(lab, codes, space), space)
        assert (found.dtype, found.shape) == (np.float32, (*lab.shape[:3], 2))
        # float32 there and back; slopes of up to 500 times the cube root's around black in `rgb`
        assert np.abs(found - lab[..., 1:]).max() < (0.02 if space == "rgb" else 1e-4)
        # scikit-image's white point and matrix differ in the fourth digit
        assert np.abs(found - skimage.color.rgb2lab(codes)[..., 1:]).max() < 0.05


def test_chroma_takes_any_output() -> None:
    """Half precision with gradients is fine, and RGB beyond the range is clipped to it."""
    output = torch.full((1, 2, 2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)
    assert np.array_equal(spaces.chroma(output, "lab"), np.full((1, 2, 2, 2), 55, np.float32))
    beyond = torch.tensor([3.0, -3.0, -3.0])[None, :, None, None]
    [[[red]]] = spaces.chroma(beyond, "rgb")
    # a, b of sRGB's red; scikit-image's matrix differs in the fourth digit
    assert red == pytest.approx(skimage.color.rgb2lab([1.0, 0.0, 0.0])[1:], abs=0.05)


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_encoded_true_target_is_the_picture(space: str) -> None:
    """Condition and true target together are the photograph in [0, 1]."""
    for lab, codes in ((LAB, PHOTOS), (color.rgb_to_lab(CODES[0])[None], CODES)):
        condition, target = spaces.condition(lab[..., 0], space), spaces.target(lab, codes, space)
        found = spaces.encoded(condition, target, space)
        assert (found.dtype, found.shape) == (
            torch.float32,
            target.shape[:1] + _planes(codes).shape[1:],
        )
        # half a code is 0.002; OpenCV's float Lab, there and back, is within a tenth of that
        assert np.abs(found.numpy() - _planes(codes) / 255).max() < 0.001


def test_encoded_is_the_tools_join() -> None:
    """For any L and ab, in gamut or far out, `encoded` is `color.lab_to_rgb`."""
    rng = np.random.default_rng(2)
    lab = rng.uniform((0, -110, -110), (100, 110, 110), (1, 60, 60, 3)).astype(np.float32)
    lab[0, 0] = np.linspace(0, 1, 60)[:, None] * np.array([100, 0, 0], np.float32)
    found = spaces.encoded(
        spaces.condition(lab[..., 0], "lab"), spaces.target(lab, lab, "lab"), "lab"
    )
    # the curve near black turns the last digits of float32 XYZ (3e-7 of 1) into 12.92 times as
    # much, and OpenCV's cube and ours differ there; a code of 8 bits is 0.0039
    assert np.abs(found.numpy() - _planes(color.lab_to_rgb(lab[0])[None])).max() < 2e-4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image warns where Z is negative
        reference = skimage.color.lab2rgb(lab[0])
    inside = (np.abs(skimage.color.rgb2lab(reference) - lab[0]) < 0.01).all(axis=-1)
    assert inside.sum() > 200
    # scikit-image's matrix differs in the fourth digit, half of an 8-bit code at most
    gap = np.abs(np.moveaxis(found.numpy()[0], 0, -1) - reference)[inside]
    assert gap.max() < 0.002


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_gradients_are_finite_everywhere(space: str) -> None:
    """Black, white, neutral and colors out of gamut: a gradient is a number, never inf or nan."""
    lightness = np.array([0, 1e-6, 0.01, 7.9996, 8, 50, 99.99, 100], np.float32)
    ab = np.array([-1, -0.5, -1e-7, 0, 1e-7, 0.5, 1], np.float32)
    channels = spaces.OUTPUTS[space]
    grid = np.stack(np.meshgrid(*[ab] * channels, indexing="ij"), axis=0).reshape(channels, -1)
    output = torch.tensor(np.broadcast_to(grid[None, :, None], (1, channels, 8, grid.shape[1])))
    output = output.clone().requires_grad_()
    shown = np.broadcast_to(lightness[None, :, None], (1, 8, grid.shape[1])).copy()
    encoded = spaces.encoded(spaces.condition(shown, space), output, space)
    assert encoded.isfinite().all()
    assert encoded.min() >= 0 and encoded.max() <= 1 + 1e-6  # 1.055 - 0.055 in float32
    encoded.sum().backward()
    assert output.grad is not None and output.grad.isfinite().all()


def test_gradient_is_the_slope() -> None:
    """In gamut the gradient of `encoded` is what two nearby colors tell, in double precision."""
    condition = torch.tensor([-0.6, -0.1, 0.3], dtype=torch.float64)[None, None, None]
    output = torch.tensor([[0.05, 0.1, -0.1], [0.1, -0.1, -0.05]], dtype=torch.float64)
    output = output[None, :, None]
    assert torch.all((spaces.encoded(condition, output, "lab") % 1) > 0)  # none is clipped
    shown = output.float().requires_grad_()
    spaces.encoded(condition, shown, "lab").sum().backward()
    for channel in (0, 1):
        step = torch.zeros_like(output)
        step[:, channel] = 1e-2
        high, low = (spaces.encoded(condition, output + s, "lab").sum(1) for s in (step, -step))
        slope = (high - low)[0, 0] / 2e-2
        # a difference over 2e-2 of a smooth curve; float32
        assert torch.allclose(shown.grad[0, channel, 0], slope, rtol=0.02, atol=0.01)


def test_lab_of_is_the_tools_lab() -> None:
    """Tensors to L*a*b* as `colorbatch.color` makes it, everywhere in sRGB."""
    for lab, codes in ((LAB, PHOTOS), (color.rgb_to_lab(CODES[0])[None], CODES)):
        lightness, ab = spaces.lab_of(torch.from_numpy(_planes(codes).astype(np.float32)) / 255)
        assert (lightness.dtype, ab.dtype) == (torch.float32, torch.float32)
        assert (lightness.shape[1], ab.shape[1]) == (1, 2)
        # OpenCV's cube root is off by up to 0.004 in L near black, and ab are 500 and 200 times
        # differences of such roots, of which L is 116 times one
        assert np.abs(lightness[:, 0].numpy() - lab[..., 0]).max() < 0.005
        assert np.abs(ab.numpy() - _planes(lab[..., 1:])).max() < 0.04
        reference = skimage.color.rgb2lab(codes)
        # scikit-image's white point and matrix differ in the fourth digit
        assert np.abs(lightness[:, 0].numpy() - reference[..., 0]).max() < 0.05
        assert np.abs(ab.numpy() - _planes(reference[..., 1:])).max() < 0.05


def test_linear_light() -> None:
    """The curve of IEC 61966-2-1: its ends, its knee, and the luminance of some greys."""
    codes = np.array([0, 5, 10.31475, 11, 64, 119, 188, 255])
    found = spaces.linear(torch.from_numpy(codes / 255).float()).numpy()
    # the Y of scikit-image's own curve; its matrix's row for Y adds up to 1 in seven digits
    expected = skimage.color.rgb2xyz(np.repeat(codes[:, None] / 255, 3, axis=1))[:, 1]
    assert np.abs(found - expected).max() < 1e-6
    assert found[2] == pytest.approx(0.0031308, abs=1e-7)  # the standard's number, rounded


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_condition_of_is_the_condition(space: str) -> None:
    """Any lightness as a tensor becomes what an array of it becomes."""
    lightness = torch.linspace(0, 100, 10001)[None, None, None]
    found = spaces.condition_of(lightness, space)
    expected = spaces.condition(lightness[:, 0].numpy(), space)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    # float32 in `lab`; the table of `color.encode` is within a code of 16 bits, 2 / 65535
    assert (found - expected).abs().max() < (1e-6 if space == "lab" else 3.1e-5)
