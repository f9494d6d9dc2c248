"""The compiled join gives the bytes of numpy's, whatever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colorbatch.color import chroma, icc, luma_join
from colorbatch.color.ycbcr import Encoding, Region

pytestmark = pytest.mark.slow  # compiles

SIZES = st.tuples(
    st.integers(1, 40), st.sampled_from([1, 2, 3, 7, 8, 9, 63, 1023, 1024, 1025, 1100])
)
MAPS = st.tuples(st.integers(1, 12), st.integers(1, 12))
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def same(both, make):
    """Make it both ways; compare bytes, and types; return it."""
    both(False)
    expected = make()
    both(True)
    found = make()
    for one, other in zip(expected, found, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    return found


def grey_of(chance, size, dtype, bits=None):
    """Codes over the whole range, flat ones and black and white among them."""
    highest = (1 << (bits or 8 * np.dtype(dtype).itemsize)) - 1
    grey = chance.integers(0, highest, size, dtype, endpoint=True)
    grey[chance.random(size) < 0.2] = chance.choice([0, highest, highest // 2])
    return grey


def map_of(chance, size):
    """Chroma, some of it beyond any gamut, some none at all."""
    ab = chance.normal(0, chance.choice([5, 40, 120]), (*size, 2)).astype(np.float32)
    ab[chance.random(size) < 0.2] = 0
    return ab


@given(
    seed=st.integers(0, 10**6), size=SIZES, small=MAPS,
    dtype=st.sampled_from([np.uint8, np.uint16]),
    saturation=st.sampled_from([0.0, 0.5, 1.0, 2.0]), output=st.sampled_from(["rgb", "ycc"]),
    exact=st.booleans(),
)  # fmt: skip
@MANY
def test_stills_of_any_kind(both, seed, size, small, dtype, saturation, output, exact):
    """Depths, sizes, saturation, RGB and Y'CbCr, with and without unrounded luma."""
    chance = np.random.default_rng(seed)
    grey, ab = grey_of(chance, size, dtype), map_of(chance, small)
    unrounded = grey + chance.uniform(-0.5, 0.5, size) if exact else None
    same(both, lambda: [luma_join.colorize(
        grey, ab, saturation=saturation, exact_luma=unrounded, output=output
    )])  # fmt: skip


@given(
    seed=st.integers(0, 10**6), size=SIZES, small=MAPS, bits=st.integers(8, 16),
    step=st.sampled_from([(2, 2), (1, 2), (1, 1), (1, 4), (2, 1), (4, 4)]),
    matrix=st.sampled_from(["bt601", "bt709", "bt2020"]),
    levels=st.sampled_from(["limited", "full"]),
    siting=st.sampled_from(["left", "center", "topleft", "bottom"]), interlaced=st.booleans(),
    transfer=st.sampled_from(["display", "display", "linear", "cineon", "pq", "hlg"]),
    primaries=st.sampled_from(["bt709", "bt2020"]), saturation=st.sampled_from([0.0, 1.0, 2.0]),
)  # fmt: skip
@MANY
def test_films_of_any_kind(both, seed, size, small, saturation, **encoding):
    """Layouts, depths, matrices, levels, fields, transfers."""
    chance = np.random.default_rng(seed)
    one = Encoding(subsampling=encoding.pop("step"), **encoding)
    y, ab = grey_of(chance, size, one.dtype, one.bits), map_of(chance, small)
    same(both, lambda: chroma.chroma_planes(y, ab, one, saturation=saturation))


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("floating", [False, True])
def test_rgb_films(both, bits, floating):
    """R, G and B of luma in codes, and of unrounded luma, also beyond white."""
    chance = np.random.default_rng(bits)
    one = Encoding(bits, None, "rgb", "limited")
    y = grey_of(chance, (37, 1101), one.dtype, bits)
    if floating:
        y = (y + chance.uniform(-0.5, 0.5, y.shape)).astype(np.float32)
    same(both, lambda: chroma.rgb_planes(y, map_of(np.random.default_rng(1), (9, 8)), one))


def test_regions_and_padded_rows(both):
    """Views of planes, going in and coming out."""
    chance = np.random.default_rng(3)
    ab = map_of(chance, (9, 8))
    for one in (Encoding(), Encoding(10, (1, 2)), Encoding(8, None, "rgb", "full")):
        y = grey_of(chance, (121, 256), one.dtype, one.bits)[:, :163]
        region = Region(99, 80, 13, 21).within(y.shape, one)
        make = chroma.rgb_planes if one.matrix == "rgb" else chroma.chroma_planes
        same(both, lambda make=make, y=y, one=one, region=region: make(y, ab, one, region=region))
    grey = grey_of(chance, (60, 80), np.uint8)[::2, ::2]
    same(both, lambda: [luma_join.colorize_rows(grey, ab, 5, 50)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_samples(both, dtype):
    """With luma beyond black and white, and with what is no number."""
    chance = np.random.default_rng(4)
    exact = chance.uniform(-2000, 70000, (40, 1500)).astype(np.float32)
    exact[3, 5:8] = np.nan, np.inf, -np.inf
    grey = np.clip(np.nan_to_num(exact), 0, 65535).astype(np.uint16)
    ab = map_of(chance, (9, 8))
    same(both, lambda: [luma_join.colorize_rows(grey, ab, 0, 40, exact_luma=exact, dtype=dtype)])


def test_chroma_that_is_no_number(both):
    """A model's slip looks the same both ways."""
    ab = map_of(np.random.default_rng(5), (6, 6))
    ab[2, 3] = np.nan, np.inf
    grey = grey_of(np.random.default_rng(6), (50, 60), np.uint8)
    with np.errstate(invalid="ignore"):
        same(both, lambda: [luma_join.colorize(grey, ab)])
        same(both, lambda: chroma.chroma_planes(grey, ab, Encoding()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_photographs_in_srgb_and_in_a_profiles_space(both, grey_photograph, dtype):
    """Real pictures; luma stays exact."""
    import imagecodecs

    adobe = imagecodecs.cms_profile(
        "rgb", whitepoint=(0.3127, 0.3290, 1.0),
        primaries=(0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0), gamma=563 / 256,
    )  # fmt: skip
    ab = map_of(np.random.default_rng(7), (24, 32))
    for name in ("astronaut", "coffee"):
        grey = grey_photograph(name).astype(dtype) * dtype(np.iinfo(dtype).max // 255)
        for space in (None, icc.space_of(adobe)):
            for output in ("rgb", "ycc"):
                [made] = same(both, lambda grey=grey, space=space, output=output: [
                    luma_join.colorize_rows(grey, ab, 0, len(grey), space=space, output=output)
                ])  # fmt: skip
            assert np.array_equal(made[..., 0], grey)
            rgb = luma_join.colorize_rows(grey, ab, 0, len(grey), space=space)
            luma = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
            assert np.abs(luma - grey).max() <= 0.5
        if dtype == np.uint8:
            same(both, lambda grey=grey: chroma.chroma_planes(grey, ab, Encoding()))
