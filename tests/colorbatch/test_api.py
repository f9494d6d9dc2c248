"""Colorizer: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import colorbatch
from colorbatch.errors import DeviceUnavailableError, ModelError

WEIGHTS = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def colorizer(tiny_model):
    """A Colorizer on the tiny model."""
    return colorbatch.Colorizer(tiny_model, device="cpu")


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_grey_arrays_keep_their_grey(colorizer, grey_photograph, name):
    """(H, W) and (H, W, 1) uint8 become RGB with the same grey, as Pillow sees it."""
    grey = grey_photograph(name)
    result = colorizer.colorize(grey)
    assert result.shape == (*grey.shape, 3) and result.dtype == np.uint8
    assert np.array_equal(np.array(Image.fromarray(result).convert("L")), grey)
    assert np.ptp(result.astype(int), axis=2).mean() > 20
    assert np.array_equal(colorizer.colorize(grey[..., None]), result)
    assert np.array_equal(colorizer.colorize(np.dstack([grey] * 3)), result)


def test_16_bit_arrays_keep_their_luma(colorizer, photograph):
    """uint16 stays uint16; of RGB the unrounded luma is kept within half a code."""
    rng = np.random.default_rng(1)
    rgb = photograph("coffee")[:90, :120].astype(np.uint16) * 256
    rgb += rng.integers(0, 256, rgb.shape, np.uint16)
    for picture, luma in ((rgb, rgb @ WEIGHTS), (rgb[..., 0], rgb[..., 0])):
        result = colorizer.colorize(picture)
        assert result.dtype == np.uint16
        assert np.abs(result @ WEIGHTS - luma).max() <= 0.5


def test_saturation_and_the_bare_chroma(colorizer, grey_photograph):
    """Saturation 0 is grey; `chroma` is the prediction at the model's size."""
    grey = grey_photograph("coffee")
    assert np.array_equal(colorizer.colorize(grey, saturation=0), np.dstack([grey] * 3))
    ab = colorizer.chroma(grey)
    assert ab.shape == (32, 32, 2) and ab.dtype == np.float32
    assert 5 < np.abs(ab).max() < 110


def test_views_and_foreign_orders_of_memory_work(colorizer, grey_photograph):
    """Slices, transposed and reversed arrays are read as they look; nothing is written to them."""
    grey = grey_photograph("coffee")
    for view in (grey[::2, ::3], grey.T, grey[::-1, ::-1], np.asfortranarray(grey)):
        before = view.copy()
        assert np.array_equal(colorizer.colorize(view), colorizer.colorize(view.copy()))
        assert np.array_equal(view, before)


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (np.zeros((4, 4), np.float32), TypeError),
        (np.zeros((4, 4), np.int64), TypeError),
        (np.zeros((4, 4), bool), TypeError),
        (np.zeros((0, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 0), np.uint8), ValueError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 2), np.uint8), ValueError),
        (np.zeros(4, np.uint8), ValueError),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError),
    ],
)
def test_other_arrays_are_refused(colorizer, picture, error):
    """Other types and shapes are not guessed at."""
    with pytest.raises(error):
        colorizer.colorize(picture)


def test_models_and_devices_are_checked_at_once(tiny_model):
    """What cannot be loaded raises when the Colorizer is made."""
    with pytest.raises(ModelError):
        colorbatch.Colorizer("no-such-model", device="cpu")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(DeviceUnavailableError):
            colorbatch.Colorizer(tiny_model, device="cuda")


def test_the_package_offers_no_more_than_it_says():
    """Lazy attributes fail as attributes do."""
    with pytest.raises(AttributeError, match="nonsense"):
        _ = colorbatch.nonsense
    assert set(colorbatch.__all__) == {"Colorizer", "__version__"}
