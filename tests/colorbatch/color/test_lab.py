"""Color against scikit-image, OpenCV, Pillow and published values."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from threadpoolctl import threadpool_info, threadpool_limits

from colorbatch import color
from colorbatch.color import arithmetic, luma_join

PHOTOGRAPHS = ["astronaut", "coffee", "chelsea", "rocket", "motorcycle_left"]

# Sharma, Wu, Dalal 2005, table 1: pairs of L*a*b* and their CIEDE2000
SHARMA = [
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615),
    (50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000),
    (50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000),
    (50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0012, 7.2195),
    (50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0010, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461),
    (50, 2.5, 0, 50, 0, -2.5, 4.3065),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (50, 2.5, 0, 61, -5, 29, 22.8977),
    (50, 2.5, 0, 56, -27, -3, 31.9030),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000),
    (50, 2.5, 0, 50, 3.2972, 0, 1.0000),
    (50, 2.5, 0, 50, 1.8634, 0.5757, 1.0000),
    (50, 2.5, 0, 50, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
]


def extreme_chroma(kind, size=(32, 32)):
    """Chroma far beyond any gamut, of several shapes."""
    if kind == "noise":
        return np.random.default_rng(1).uniform(-128, 128, (*size, 2)).astype(np.float32)
    a, b = {"red": (127, 100), "green": (-128, 127), "blue": (80, -128), "none": (0, 0)}[kind]
    return np.full((*size, 2), (a, b), np.float32)


# --- sRGB and CIELAB ---------------------------------------------------------------------------


def srgb_by_definition(linear):
    """IEC 61966-2-1 in plain float64."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_encode_is_within_a_code_of_16_bits_of_the_standard():
    """The sRGB table is good to less than a code of 16 bits, between its steps as well."""
    linear = np.concatenate([np.linspace(0, 1, 200_001), np.geomspace(1e-9, 1, 100_001)])
    linear = linear.astype(np.float32)
    error = np.abs(color.encode(linear) - srgb_by_definition(linear.astype(np.float64)))
    assert error.max() < 1.2e-5  # a 16-bit code is 1.5e-5


def test_srgb_of_the_join_is_within_a_quarter_of_a_code_of_16_bits():
    """The exact operations that stand for the standard's power: 0 of black, next to 1 of white, and
    never far from it between."""
    light = np.concatenate([np.linspace(0, 1, 200_001), np.geomspace(1e-9, 1, 100_001)])
    light = light.astype(np.float32)
    error = np.abs(arithmetic.srgb(light) - srgb_by_definition(light.astype(np.float64)))
    assert error.max() < 4.1e-6  # a 16-bit code is 1.5e-5
    assert arithmetic.srgb(np.float32(0)) == 0


def test_linearize_inverts_the_standard():
    """Decoding the standard's encoding gives the light back."""
    linear = np.linspace(0, 1, 10_001)
    # the standard's two thresholds are rounded, which costs up to 1e-7
    assert np.abs(color.linearize(srgb_by_definition(linear)) - linear).max() < 2e-7


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lab_agrees_with_scikit_image_on_the_whole_cube(dtype):
    """RGB to Lab is right over all of sRGB, at both depths."""
    maximum = np.iinfo(dtype).max
    axis = np.linspace(0, maximum, 40).astype(dtype)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(400, 160, 3)
    error = np.abs(color.rgb_to_lab(cube) - rgb2lab(cube)).max(axis=(0, 1))
    # design.md, section 3: what the linear route was measured at, and 0.01 for other white digits
    assert (error < np.array([0.01, 0.045, 0.03])).all()


def test_lab_of_a_photograph_agrees_with_scikit_image(photograph):
    """On a real photograph as well, as float and as codes."""
    rgb = photograph("astronaut")[:200, :200]
    truth = rgb2lab(rgb)
    assert np.abs(color.rgb_to_lab(rgb) - truth).max() < 0.05
    assert np.abs(color.encoded_to_lab((rgb / 255).astype(np.float32)) - truth).max() < 0.05


def test_grey_axis_has_no_chroma():
    """Neutral codes have neutral Lab, which OpenCV's own table misses by 0.125."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.abs(color.rgb_to_lab(grey)[..., 1:]).max() < 0.01


def test_lab_and_back_returns_every_code(photograph):
    """A round trip through Lab changes no 8-bit code of a photograph."""
    rgb = photograph("coffee")[::2, ::2]
    assert np.array_equal(color.to_codes(color.lab_to_rgb(color.rgb_to_lab(rgb))), rgb)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lightness_agrees_with_scikit_image_for_every_code(dtype):
    """The lightness table is L* of the grey with that code."""
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    truth = rgb2lab(np.repeat(codes[None, :, None], 3, axis=2))[0, :, 0]
    # scikit-image's luminance weights add up to 1 within 1e-6: 4e-5 in L*
    assert np.abs(color.lightness(codes) - truth).max() < 1e-4


def test_grey_of_lightness_inverts_lightness():
    """What gray_rgb models see is the source's own grey."""
    codes = np.arange(256, dtype=np.uint8)
    back = color.grey_of_lightness(color.lightness(codes)) * 255
    assert np.abs(back - codes).max() < 4e-3  # the encoding is good to 1.2e-5 of the range


def test_network_ranges_are_those_of_the_contract():
    """L / 50 - 1 and ab / 110, as design.md says."""
    assert color.network_lightness(np.float32([0, 50, 100])).tolist() == [-1, 0, 1]
    assert color.network_chroma(np.float32([-110, 0, 55])).tolist() == [-1, 0, 0.5]


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int16, bool])
def test_other_types_than_codes_are_refused(dtype):
    """Floats are not silently taken for codes."""
    with pytest.raises(TypeError, match="uint8 or uint16"):
        color.lightness(np.zeros((2, 2), dtype))


# --- enlarging ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("small", "large"),
    [((32, 32), (480, 640)), ((32, 32), (333, 77)), ((7, 5), (64, 3)), ((64, 64), (20, 20)),
     ((1, 1), (9, 9)), ((2, 3), (2, 3))],
)  # fmt: skip
def test_enlarging_strip_by_strip_equals_opencv_bicubic(small, large):
    """Strips put together are what cv2.resize makes of the whole, up, down and at odd ratios."""
    ab = np.random.default_rng(2).uniform(-100, 100, (*small, 2)).astype(np.float32)
    truth = cv2.resize(ab, (large[1], large[0]), interpolation=cv2.INTER_CUBIC).reshape(*large, 2)
    edges = sorted({0, min(7, large[0]), large[0] // 2, large[0]})
    strips = [luma_join.enlarge_rows(ab, large, *pair) for pair in itertools.pairwise(edges)]
    # float32 sums in another order, at values of up to 150
    assert np.abs(np.concatenate(strips) - truth).max() < 1e-3


def test_area_view_of_a_picture_is_opencv_area(grey_photograph):
    """What the network sees is the area average of the luma."""
    grey = grey_photograph("chelsea")
    truth = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    lab = rgb2lab(np.dstack([truth] * 3))
    assert np.abs(color.network_view(grey, (32, 32)) - lab[..., 0]).max() < 1e-3


@pytest.mark.parametrize("size", [(1, 20000), (20000, 1), (1, 1), (2, 3000), (31, 33)])
def test_thin_and_tiny_pictures_have_a_network_view(size):
    """No shape is too thin for a view; a flat picture stays flat."""
    view = color.network_view(np.full(size, 128, np.uint8), (32, 32))
    assert view.shape == (32, 32)
    assert np.ptp(view) == 0


# --- the join ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("chroma", ["none", "red", "green", "blue", "noise"])
def test_grey_of_an_8_bit_result_equals_the_grey_source(grey_photograph, name, chroma):
    """Luma is kept exactly, as Pillow and as OpenCV see it, even with chroma beyond the gamut."""
    grey = grey_photograph(name)
    result = luma_join.colorize(grey, extreme_chroma(chroma))
    assert np.array_equal(np.array(Image.fromarray(result).convert("L")), grey)
    assert np.array_equal(cv2.cvtColor(result, cv2.COLOR_RGB2GRAY), grey)


@pytest.mark.parametrize("name", PHOTOGRAPHS[:3])
@pytest.mark.parametrize("chroma", ["red", "green", "blue", "noise"])
def test_luma_of_a_16_bit_result_is_within_half_a_code(grey_photograph, name, chroma):
    """The same at 16 bits, in float64, with luma between the 8-bit codes."""
    grey = grey_photograph(name).astype(np.uint16) * 257
    noise = np.random.default_rng(3).integers(-128, 129, grey.shape)
    grey = np.clip(grey.astype(int) + noise, 0, 65535).astype(np.uint16)
    result = luma_join.colorize(grey, extreme_chroma(chroma)).astype(np.float64)
    luma = result @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - grey).max() <= 0.5


def test_luma_of_a_toned_16_bit_source_is_within_half_a_code(photograph):
    """Where the source was not grey its unrounded luma counts, not the rounded one."""
    rng = np.random.default_rng(4)
    rgb = photograph("coffee").astype(np.uint16) * 256 + rng.integers(0, 256, (400, 600, 3))
    rgb = rgb.astype(np.uint16)
    exact = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    result = luma_join.colorize(
        np.rint(exact).astype(np.uint16), extreme_chroma("noise"), exact_luma=exact
    )
    luma = result.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - exact).max() <= 0.5


def test_every_grey_code_keeps_its_luma_at_both_ends_of_the_range():
    """Black and white stay black and white, and all between keep their code."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 16, axis=0)
    for chroma in ("red", "green", "blue", "noise"):
        result = luma_join.colorize(ramp, extreme_chroma(chroma))
        assert np.array_equal(np.array(Image.fromarray(result).convert("L")), ramp)
        assert not result[:, 0].any()
        assert (result[:, 255] == 255).all()


@given(
    grey=npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)),
    ab=npst.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2)),
        elements=st.floats(-200, 200, width=32),
    ),
    saturation=st.floats(0, 4),
)
@settings(max_examples=60, deadline=None)
def test_luma_is_kept_for_any_grey_and_any_chroma(grey, ab, saturation):
    """No array of grey codes, chroma and saturation breaks the promise, at 8 and at 16 bits."""
    result = luma_join.colorize(grey, ab, saturation=saturation)
    assert np.array_equal(np.array(Image.fromarray(result).convert("L")), grey)
    deep = grey.astype(np.uint16) * 251
    luma = luma_join.colorize(deep, ab, saturation=saturation) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - deep).max() <= 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [3, 30, 300])
def test_a_picture_of_one_pixel_is_like_any_other(dtype, strength):
    """The same grey and chroma give the same color, whether one pixel has them or many."""
    ab = np.full((1, 1, 2), strength, np.float32)
    for code in (0, 40, 127, 255):
        many = luma_join.colorize(np.full((3, 5), code, dtype), ab)
        one = luma_join.colorize(np.full((1, 1), code, dtype), ab)
        assert np.abs(one.astype(int) - many[1, 1]).max() <= 1  # OpenCV's own last bit


def test_chroma_is_scaled_towards_grey_with_its_hue_kept():
    """Beyond the gamut R and B draw nearer to the luma by one factor, just until RGB fits."""
    rng = np.random.default_rng(5)
    red, green, blue, luma = rng.uniform(0, 1, (4, 1, 500)).astype(np.float32)
    weights = np.float32([0.299, 0.587, 0.114])
    own = red * weights[0] + green * weights[1] + blue * weights[2]
    room = luma * 255, (1 - luma) * 255
    factor = arithmetic.fitted(red, green, blue, own, room, np.float32(255))
    rgb = np.stack([luma * 255 + (one - own) * factor for one in (red, green, blue)], -1)
    assert rgb.min() > -1e-2 and rgb.max() < 255 + 1e-2
    assert factor.min() > 0 and factor.max() == 255
    shrunk = factor < 255
    at_edge = np.minimum(rgb.min(-1), 255 - rgb.max(-1)) < 1e-2
    assert shrunk.any() and (~shrunk).any()
    assert at_edge[shrunk].all()  # no more than needed


def test_ycc_planes_hold_the_source_as_luma_and_rounded_jpeg_chroma(grey_photograph):
    """For JPEG's encoder Y' is the very source and Cb, Cr decode to the RGB result."""
    grey = grey_photograph("astronaut")
    ab = extreme_chroma("noise")
    ycc = luma_join.colorize(grey, ab, output="ycc")
    assert np.array_equal(ycc[..., 0], grey)
    rgb = np.array(Image.fromarray(ycc, "YCbCr").convert("RGB")).astype(int)
    # rounding Cb and Cr moves RGB by up to 1.772 / 2, rounding G by up to 0.5, Pillow by 1
    assert np.abs(rgb - luma_join.colorize(grey, ab)).max() <= 3


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_joining_true_chroma_with_the_luma_costs_little(photograph, grey_photograph, name):
    """With a perfect model the kept luma costs under 1 deltaE2000 and under 5 % of the chroma."""
    rgb = photograph(name)[:400, :600]
    truth = rgb2lab(rgb)
    result = luma_join.colorize(
        grey_photograph(name)[:400, :600], truth[..., 1:].astype(np.float32)
    )
    lab = rgb2lab(result)
    chroma, kept = (np.hypot(x[..., 1], x[..., 2]).mean() for x in (truth, lab))
    assert kept >= 0.95 * chroma  # the limits
    assert deltaE_ciede2000(truth, lab).mean() < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_join_has_the_color_of_cielab_at_the_luma_of_the_source(grey_photograph, dtype):
    """What a result is above its luma is what scikit-image's RGB of the same Lab is above its."""
    maximum = np.iinfo(dtype).max
    grey = grey_photograph("chelsea")[:300, :450].astype(dtype) * (maximum // 255)
    y, x = np.mgrid[-1:1:300j, -1:1:450j]
    ab = np.dstack([20 * x, 15 * y - 5]).astype(np.float32)
    lightness = rgb2lab(np.dstack([grey] * 3))[..., 0]
    true = lab2rgb(np.dstack([lightness, ab]))
    weights = np.array([0.299, 0.587, 0.114])
    offset = true - (true @ weights)[..., None]
    fits = grey[..., None] / maximum + offset
    fits = ((np.minimum(true, fits) > 0.001) & (np.maximum(true, fits) < 0.999)).all(axis=2)
    result = luma_join.colorize(grey, ab) / maximum
    error = np.abs(result - grey[..., None] / maximum - offset)[fits]
    assert fits.mean() > 0.9
    # half a code of R and B, which G takes up at (0.299 + 0.114) / 0.587, and half of its own; the
    # tables add less than 2 codes of 16 bits, and scikit-image's other digits of the matrix 1e-4
    assert error.max() < 0.86 / maximum + 2e-4


def blas_threads() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_opencv_and_blas_have_one_thread_while_ours_work_and_their_own_afterwards():
    """What is switched off for a batch is on again for whoever calls them next."""
    outside = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        with threadpool_limits(2, "blas"):
            before = blas_threads()
            assert set(before) == {2}, "numpy's BLAS is known"
            with color.single_threaded():
                assert cv2.getNumThreads() == 1 and set(blas_threads()) == {1}
            assert (cv2.getNumThreads(), blas_threads()) == (3, before)
    finally:
        cv2.setNumThreads(outside)


def test_saturation_scales_the_color_and_zero_is_grey(grey_photograph):
    """Saturation 0 returns the source; 0.5 about half of the chroma."""
    grey = grey_photograph("astronaut")
    ab = np.full((8, 8, 2), (10, -14), np.float32)
    assert np.array_equal(luma_join.colorize(grey, ab, saturation=0), np.dstack([grey] * 3))
    middle = np.full((64, 64), 128, np.uint8)
    full, half = (
        np.hypot(
            *np.moveaxis(rgb2lab(luma_join.colorize(middle, ab, saturation=s)), -1, 0)[1:]
        ).mean()
        for s in (1, 0.5)
    )
    assert half == pytest.approx(full / 2, abs=0.6)  # rounding to codes: about 0.5 in ab


def test_strips_leave_no_seam(monkeypatch, grey_photograph):
    """The strip height, which bounds memory, changes no result."""
    grey = grey_photograph("coffee")
    ab = extreme_chroma("noise", (16, 16))
    whole = luma_join.colorize(grey, ab)
    monkeypatch.setattr(luma_join, "JOIN_PIXELS", 5000)
    assert np.array_equal(luma_join.colorize(grey, ab), whole)


# --- differences -------------------------------------------------------------------------------


def test_ciede2000_gives_the_published_values():
    """All 34 pairs of Sharma et al., which were made to catch wrong implementations."""
    table = np.array(SHARMA)
    found = color.delta_e_2000(table[:, :3], table[:, 3:6])
    assert np.abs(found - table[:, 6]).max() < 1e-4  # the table has four decimals


def test_ciede2000_agrees_with_scikit_image():
    """Random colors, grey ones among them, in both directions."""
    rng = np.random.default_rng(6)
    first, second = (
        np.stack([rng.uniform(0, 100, 20_000), *rng.uniform(-110, 110, (2, 20_000))], -1)
        for _ in range(2)
    )
    first[:50, 1:] = 0
    second[25:75, 1:] = 0
    assert np.abs(color.delta_e_2000(first, second) - deltaE_ciede2000(first, second)).max() < 1e-9
    assert (
        np.abs(color.delta_e_2000(second, first) - color.delta_e_2000(first, second)).max() < 1e-9
    )
