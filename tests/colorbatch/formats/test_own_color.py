"""A region of a picture that keeps its own color: a stamp and a chart, in every depth and form."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.color import classify
from colorbatch.formats import reader, writer
from colorbatch.formats.writer import StillStyle

AB = np.random.default_rng(1).uniform(-60, 60, (16, 16, 2)).astype(np.float32)
WEIGHTS = np.array([0.299, 0.587, 0.114])
PATCHES = ((200, 40, 40), (40, 150, 60), (40, 60, 190), (230, 200, 40), (190, 60, 160))


@pytest.fixture
def charted(grey_photograph: Any) -> Any:
    """A grey photograph above a chart of five colors: RGB codes (240, 300, 3)."""
    grey = grey_photograph("coffee")[:200, :300]
    picture = np.full((240, 300, 3), 128, np.uint8)
    picture[:200] = grey[..., None]
    for index, patch in enumerate(PATCHES):
        picture[210:230, 20 + 50 * index : 50 + 50 * index] = patch
    return picture


def still_of(picture: Any, path: Any) -> Any:
    """The still with the region that judging finds in it."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, picture, photometric="rgb", metadata=None)
    else:
        Image.fromarray(picture).save(path, quality=95)
    still = reader.read(path)
    codes = still.rgb_codes()
    assert codes is not None
    found = classify.evidence_of(codes)
    assert found.kind == "grey" and found.region is not None
    return replace(still, own_region=found.region).for_coloring()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_chart_keeps_its_codes_and_the_print_is_colored(
    charted: Any, tmp_path: Any, dtype: Any
) -> None:
    """Inside of the patches every code is the source's; luma is kept at the border as well."""
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[dtype]
    source = (charted * np.asarray(scale, np.float64)).astype(dtype)
    file = io.BytesIO()
    still = still_of(source, tmp_path / "a.tif")
    notes = writer.write(file, [(still, AB)], "TIFF", StillStyle("test"))
    file.seek(0)
    made = tifffile.imread(file)
    for index in range(len(PATCHES)):
        patch = np.s_[212:228, 22 + 50 * index : 48 + 50 * index]
        assert np.array_equal(made[patch], source[patch])
    assert np.ptp(made[:195].astype(np.float64), axis=2).mean() > 10 * scale
    difference = np.abs(made.astype(np.float64) @ WEIGHTS - source.astype(np.float64) @ WEIGHTS)
    assert difference.max() <= (1e-6 if dtype == np.float32 else 0.51)
    assert any("region in color" in note and "own color" in note for note in notes)


@pytest.mark.parametrize("orientation", [1, 6])
def test_it_is_kept_in_jpeg_and_turned_upright(
    charted: Any, tmp_path: Any, orientation: int
) -> None:
    """The chroma that the encoder is given is the source's there; the region turns along."""
    still = replace(still_of(charted, tmp_path / "a.jpg"), orientation=orientation)
    file = io.BytesIO()
    writer.write(file, [(still, AB)], "JPEG", StillStyle("test", upright=True))
    with Image.open(file) as image:
        made = np.asarray(image.convert("RGB"), np.float64)
    made = np.rot90(made) if orientation == 6 else made
    for index, patch in enumerate(PATCHES):
        inside = made[214:226, 25 + 50 * index : 45 + 50 * index]
        # JPEG of the source at quality 95 in 4:2:0, and of the result with its tables
        assert np.abs(inside.mean(axis=(0, 1)) - patch).max() < 6
    assert np.ptp(made[:190], axis=2).mean() > 10


def test_more_or_less_of_a_tone_is_no_region(grey_photograph: Any) -> None:
    """A stain of deeper blue on a cyanotype is the cyanotype's; a red stamp is not."""
    grey = grey_photograph("coffee")[:200, :300] / 255.0
    blue = 1 - (1 - grey[..., None]) * np.array([0.9, 0.6, 0.3])
    picture = np.rint(blue * 255).astype(np.uint8)
    stained = picture.copy()
    stained[80:110, 100:140] = np.rint(picture[80:110, 100:140] * [0.8, 0.92, 1.0])
    assert classify.evidence_of(stained).region is None
    stained[20:50, 20:70] = (190, 40, 40)
    region = classify.evidence_of(stained).region
    assert region is not None
    # the stamp, and of 192 x 128 pixels three more on each side
    share = 30 * 50 / (200 * 300)
    assert share < region.mean() < share + 2 * 3 * (32 + 19 + 6) / (192 * 128) + 0.01
