"""The chroma of films against an independent decoder in float64, and against photographs.

The decoder here is the ITU's own equations (BT.601-7, BT.709-6, BT.2020-2; H.273, section 8.3),
written out in float64; chroma is upsampled by repetition.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from colorbatch import color
from colorbatch.color import bicubic, chroma, luma_join, ycbcr
from colorbatch.color.ycbcr import Encoding, Region

KR_KB = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
SUBSAMPLINGS = {"420": (2, 2), "422": (1, 2), "444": (1, 1), "411": (1, 4), "440": (2, 1)}


def levels_of(one):
    """Black, span of luma, neutral and span of chroma in codes (BT.709-6 and H.273)."""
    if one.levels == "full":
        top = 2**one.bits - 1
        return 0, top, 2 ** (one.bits - 1), top
    unit = 2 ** (one.bits - 8)
    return 16 * unit, 219 * unit, 128 * unit, 224 * unit


def decoded(y, cb, cr, one):
    """R'G'B' (H, W, 3) in float64, not clipped, chroma repeated."""
    black, span, neutral, chroma_span = levels_of(one)
    rows, columns = one.subsampling
    cb, cr = (
        np.repeat(np.repeat(p.astype(np.float64), rows, 0), columns, 1)[: y.shape[0], : y.shape[1]]
        for p in (cb, cr)
    )
    luma = (y.astype(np.float64) - black) / span
    cb, cr = (cb - neutral) / chroma_span, (cr - neutral) / chroma_span
    kr, kb = KR_KB[one.matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.dstack([red, green, blue])


def rounding(one):
    """By how much half a code of Cb and Cr moves R', G' or B' at most."""
    kr, kb = KR_KB[one.matrix]
    of_green = (kr * 2 * (1 - kr) + kb * 2 * (1 - kb)) / (1 - kr - kb)
    return 0.5 / levels_of(one)[3] * max(2 * (1 - kr), 2 * (1 - kb), of_green)


def picture_of(seed, size, one):
    """A luma plane with flat parts, edges and noise, beyond black and white as well."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, one.maximum + 1, (-(-size[0] // 5), -(-size[1] // 5)))
    y = np.kron(steps, np.ones((5, 5)))[: size[0], : size[1]]
    y = y + rng.normal(0, rng.uniform(0, 0.1) * one.maximum, size)
    return np.clip(np.rint(y), 0, one.maximum).astype(one.dtype)


def wild_ab(seed, size=(8, 9)):
    """Chroma far beyond any gamut."""
    return np.random.default_rng(seed).uniform(-128, 128, (*size, 2)).astype(np.float32)


encodings = st.builds(
    Encoding,
    bits=st.integers(8, 16),
    subsampling=st.sampled_from(list(SUBSAMPLINGS.values())),
    matrix=st.sampled_from(list(KR_KB)),
    levels=st.sampled_from(["limited", "full"]),
    siting=st.sampled_from(["left", "center", "topleft", "top", "bottomleft", "bottom"]),
    transfer=st.sampled_from(["display", "linear", "cineon", "pq", "hlg"]),
    primaries=st.sampled_from(["bt709", "bt2020", "bt601-525", "film"]),
)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


# --- the gamut ---------------------------------------------------------------------------------


@given(one=encodings, size=sizes, seed=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_no_decoded_color_leaves_the_gamut(one, size, seed):
    """Whatever the codes and the prediction: R'G'B' stays in [0, 1] but for chroma's rounding, at
    every luma sample that lies in it itself, and the others' chroma is neutral."""
    y = picture_of(seed, size, one)
    cb, cr = chroma.chroma_planes(y, wild_ab(seed), one)
    assert cb.shape == cr.shape == one.chroma_size(size)
    assert cb.dtype == cr.dtype == one.dtype
    rgb = decoded(y, cb, cr, one)
    black, span, neutral, chroma_span = levels_of(one)
    legal = (y >= black) & (y <= black + span)
    slack = rounding(one) + 1e-6  # float32's own
    assert rgb[legal].min(initial=0) >= -slack
    assert rgb[legal].max(initial=1) <= 1 + slack
    own = np.abs(rgb - ((y.astype(float) - black) / span)[..., None])[~legal]
    assert own.max(initial=0) < 1e-9
    for plane in (cb, cr):  # codes that interfaces keep for themselves are never used
        assert plane.min() >= neutral - (chroma_span + 1) // 2
        assert plane.max() <= min(one.maximum, neutral + (chroma_span + 1) // 2)


@given(one=encodings, size=sizes, seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_without_color_chroma_is_exactly_neutral(one, size, seed):
    """ab of 0 is 128 << (bits - 8) everywhere; so is any ab at saturation 0."""
    y = picture_of(seed, size, one)
    nothing = np.zeros((4, 5, 2), np.float32)
    for planes in (
        chroma.chroma_planes(y, nothing, one),
        chroma.chroma_planes(y, wild_ab(seed), one, saturation=0.0),
    ):
        assert all((plane == 128 << (one.bits - 8)).all() for plane in planes)


def test_the_least_favourable_luma_sample_decides():
    """One luma sample at black among white ones: in 4:2:0 none of the four gets color, in 4:2:2 the
    other row does, in 4:4:4 the other three do."""
    one = Encoding(levels="full")
    y = np.full((2, 2), 200, np.uint8)
    y[0, 0] = 0
    ab = np.full((1, 1, 2), (0, 60), np.float32)
    colored = {}
    for name in ("420", "422", "444"):
        cb, _ = chroma.chroma_planes(y, ab, Encoding(8, SUBSAMPLINGS[name], levels=one.levels))
        colored[name] = (cb != 128).tolist()
    assert colored == {
        "420": [[False]], "422": [[False], [True]], "444": [[False, True], [True, True]],
    }  # fmt: skip


# --- the color ---------------------------------------------------------------------------------


XYZ_TO_SRGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)  # IEC 61966-2-1, section 5.2


def chroma_by_definition(code, ab, one):
    """Cb and Cr codes of a flat picture, in float64: CIE 15's Lab to XYZ, IEC 61966-2-1's XYZ to
    sRGB, clipped, the ITU's matrix, and towards grey until the color fits."""
    black, span, neutral, chroma_span = levels_of(one)
    luma = (code - black) / span
    linear = luma / 12.92 if luma <= 0.04045 else ((luma + 0.055) / 1.055) ** 2.4
    lightness = 116 * np.cbrt(linear) - 16 if linear > 216 / 24389 else linear * 24389 / 27
    f = (lightness + 16) / 116 + np.array([ab[0] / 500, 0, -ab[1] / 200])
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841) * (0.9505, 1, 1.089)
    light = np.clip(XYZ_TO_SRGB @ xyz, 0, 1)
    rgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    kr, kb = KR_KB[one.matrix]
    own = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    away = rgb - own
    room = [(1 - luma) / d if d > 0 else -luma / d if d < 0 else np.inf for d in away]
    away = away * min(1, *room)
    return neutral + np.array([away[2] / (2 - 2 * kb), away[0] / (2 - 2 * kr)]) * chroma_span


@given(
    one=st.builds(
        Encoding,
        bits=st.sampled_from([8, 10, 12, 16]),
        subsampling=st.sampled_from(list(SUBSAMPLINGS.values())),
        matrix=st.sampled_from(list(KR_KB)),
        levels=st.sampled_from(["limited", "full"]),
    ),
    grey=st.floats(0.05, 0.95),
    ab=st.tuples(st.floats(-60, 60), st.floats(-60, 60)),
)
@settings(max_examples=150, deadline=None)
def test_chroma_is_that_of_the_full_lab_color(one, grey, ab):
    """A flat picture's Cb and Cr are those of its Lab color, in every encoding."""
    black, span, _, chroma_span = levels_of(one)
    code = round(black + grey * span)
    y = np.full((6, 8), code, one.dtype)
    planes = chroma.chroma_planes(y, np.full((3, 3, 2), ab, np.float32), one)
    expected = chroma_by_definition(code, ab, one)
    # half a code, and 0.0008 of the span: the digits of white points and matrices (color's own
    # tests hold OpenCV's Lab to 0.03 in a)
    for plane, value in zip(planes, expected, strict=True):
        assert np.abs(plane - value).max() <= 0.5 + 0.0008 * chroma_span


@pytest.mark.parametrize("transfer", ["display", "linear", "cineon", "log100", "pq", "hlg"])
@pytest.mark.parametrize("primaries", ["bt709", "bt2020", "film", "dci-p3", "bt601-525"])
def test_color_is_that_of_the_display_in_every_film(transfer, primaries):
    """A muted color of middle grey has, shown on a display, the ab that was asked for, whatever the
    film's own codes and primaries are: in BT.2020's its chroma codes are smaller by a third."""
    one = Encoding(12, (1, 1), "bt2020", "limited", "left", transfer, primaries)
    codes = np.arange(one.black, one.white).astype(np.uint16)
    seen = ycbcr.lightness_table(one)[codes]
    y = np.full((8, 8), codes[np.abs(seen - 55).argmin()], np.uint16)
    planes = chroma.chroma_planes(y, np.full((2, 2, 2), (9, -7), np.float32), one)
    shown = rgb2lab(ycbcr.rgb_view(y, *planes, one, (4, 4)))[0, 0]
    # to a code of sRGB in 8 bits, 0.6 in ab, and to what keeping luma in place of L* changes
    assert np.abs(shown - (55, 9, -7)).max() < 1.5


@pytest.mark.parametrize("name", SUBSAMPLINGS)
def test_more_saturation_is_more_chroma(name):
    """The distance from neutral never falls with the factor, and the hue's side stays."""
    one = Encoding(10, SUBSAMPLINGS[name])
    y = np.full((12, 16), 500, np.uint16)
    ab = np.full((4, 4, 2), (12, -9), np.float32)
    last = np.zeros((2, *one.chroma_size(y.shape)))
    for factor in np.linspace(0, 2, 9):
        away = np.stack(chroma.chroma_planes(y, ab, one, saturation=float(factor))) - 512.0
        assert (away >= last).all()
        last = away
    assert (last > 20).all()


def test_saturation_is_a_number():
    """NaN and infinity are refused."""
    y, ab = np.zeros((4, 4), np.uint8), np.zeros((1, 1, 2), np.float32)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="saturation"):
            chroma.chroma_planes(y, ab, Encoding(), saturation=bad)
        with pytest.raises(ValueError, match="saturation"):
            chroma.rgb_planes(y, ab, Encoding(8, None, "rgb", "full"), saturation=bad)


@pytest.mark.parametrize("one", [Encoding(8, None), Encoding(8, None, "rgb")])
def test_films_without_chroma_planes_are_refused(one):
    """They are colored by another function, or get chroma planes first."""
    with pytest.raises(ValueError, match="without chroma planes"):
        chroma.chroma_planes(np.zeros((4, 4), np.uint8), np.zeros((1, 1, 2), np.float32), one)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("subsampling", ["420", "444"])
def test_photographs_keep_their_color(name, subsampling):
    """True ab of a photograph, its luma kept: near the photograph in deltaE2000, and with its
    chroma. The design's figures for 4:4:4 on the Kodak pictures are 0.48 and 99 %."""
    one = Encoding(8, SUBSAMPLINGS[subsampling], "bt601", "full", "center")
    picture = getattr(data, name)()
    lab = rgb2lab(picture)
    y = color.grey_of(picture)
    cb, cr = chroma.chroma_planes(y, lab[..., 1:].astype(np.float32), one)
    found = rgb2lab(np.clip(decoded(y, cb, cr, one), 0, 1))
    difference = deltaE_ciede2000(lab, found).mean()
    kept = np.hypot(*found[..., 1:].T).mean() / np.hypot(*lab[..., 1:].T).mean()
    assert difference < (0.7 if subsampling == "444" else 1.5)  # found: 0.55 and 1.25 at most
    assert kept > (0.985 if subsampling == "444" else 0.97)


# --- the luma ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(481, 719), (48, 64)])
def test_luma_is_only_read(size):
    """The plane that came from the decoder is the one that goes to the encoder."""
    y = picture_of(3, size, Encoding())
    before = y.copy()
    y.flags.writeable = False
    chroma.chroma_planes(y, wild_ab(3), Encoding(interlaced=True), region=Region(8, 8, 4, 4))
    chroma.chroma_planes(y, wild_ab(3), Encoding(8, (1, 1)))
    assert np.array_equal(y, before)


@pytest.mark.parametrize("one", [Encoding(), Encoding(10, (1, 2)), Encoding(8, (1, 4))])
def test_padded_planes_are_planes(one):
    """A decoder's rows are longer than the picture: a view of them gives the same chroma."""
    y = picture_of(5, (61, 83), one)
    wide = np.full((61, 128), one.maximum, one.dtype)
    wide[:, :83] = y
    expected = chroma.chroma_planes(y, wild_ab(5), one)
    assert np.array_equal(chroma.chroma_planes(wide[:, :83], wild_ab(5), one), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 200), (481, 719)])
@pytest.mark.parametrize("name", SUBSAMPLINGS)
def test_pictures_of_any_shape(size, name):
    """Thin and odd pictures, with chroma smaller and larger than they are, get their color."""
    one = Encoding(8, SUBSAMPLINGS[name])
    y = np.full(size, 120, np.uint8)
    for shape in ((5, 7), (300, 300), (1, 1)):
        cb, cr = chroma.chroma_planes(y, np.full((*shape, 2), (20, 20), np.float32), one)
        assert cb.shape == one.chroma_size(size)
        assert (cb < 125).all()
        assert (cr > 131).all()
        assert np.ptp(cb) == np.ptp(cr) == 0  # a flat picture stays flat


def test_depth_makes_chroma_finer_but_not_other():
    """The same picture at 8 and 12 bits: the same chroma to half a code of 8 bits."""
    y = picture_of(7, (48, 64), Encoding())
    coarse = chroma.chroma_planes(y, wild_ab(7) / 3, Encoding())
    fine = chroma.chroma_planes(y.astype(np.uint16) << 4, wild_ab(7) / 3, Encoding(12))
    for eight, twelve in zip(coarse, fine, strict=True):
        # the mean of the luma samples is rounded to codes, of 8 bits or of 12: one more code
        assert np.abs(eight - twelve / 16).max() <= 1.5
        assert np.abs(eight - twelve / 16).mean() <= 0.3  # of rounding alone it would be 0.25


# --- siting ------------------------------------------------------------------------------------


def centroid_of_blob(siting, subsampling, size=(120, 160)):
    """Row and column, in chroma samples, of the center of a round blob of color that lies at the
    luma position (row 66, column 74) of a flat picture, measured from the corner."""
    # 23 x 27 have no simple ratio to the planes: where a ratio is whole, every sample falls on the
    # same phase of the kernel, and Keys' with a = -0.75 is off by up to 0.05 sample there
    rows, columns = np.mgrid[:23, :27] + 0.5
    rows, columns = rows * (size[0] / 23), columns * (size[1] / 27)
    blob = np.exp(-((rows - 66) ** 2 + (columns - 74) ** 2) / (2 * 9.0**2))
    ab = np.dstack([0 * blob, 30 * blob]).astype(np.float32)
    one = Encoding(16, subsampling, levels="full", siting=siting)
    y = np.full(size, 30000, np.uint16)
    cb, _ = chroma.chroma_planes(y, ab, one)
    away = np.maximum(32768.0 - cb - 5, 0)
    grid = np.mgrid[: cb.shape[0], : cb.shape[1]]
    return tuple(float((axis * away).sum() / away.sum()) for axis in grid)


@pytest.mark.parametrize("subsampling", [(2, 2), (1, 2), (1, 4)])
@pytest.mark.parametrize(
    ("siting", "top", "left"),
    [
        ("left", None, 0.5), ("center", None, None), ("topleft", 0.5, 0.5),
        ("top", 0.5, None), ("bottomleft", -0.5, 0.5), ("bottom", -0.5, None),
    ],
)  # fmt: skip
def test_chroma_lies_where_the_siting_says(siting, top, left, subsampling):
    """A round blob of color is found where samples of this siting have it: sample k lies at
    k * step + first (H.273, figure 1), so the blob at x is found at (x - first) / step."""
    rows, columns = subsampling
    first_row = rows / 2 if top is None else top % rows
    first_column = columns / 2 if left is None else left
    row, column = centroid_of_blob(siting, subsampling)
    assert row == pytest.approx((66 - first_row) / rows, abs=0.01)
    assert column == pytest.approx((74 - first_column) / columns, abs=0.01)


def test_enlarging_is_the_stills_bicubic():
    """In 4:4:4 it is `luma_join.enlarge_rows`, which its own tests hold against OpenCV's."""
    ab = wild_ab(11, (24, 30)) / 4
    wide, taps = chroma._enlarged_across(ab, (131, 177), (131, 177), Encoding(8, (1, 1)))
    planes = np.empty((2, 131, 177), np.float32)
    bicubic.mix(wide, taps, planes)
    expected = luma_join.enlarge_rows(ab, (131, 177), 0, 131)
    assert np.abs(np.moveaxis(planes, 0, -1) - expected).max() < 2e-4  # OpenCV's order across


# --- fields and regions ------------------------------------------------------------------------


def test_fields_have_their_own_chroma():
    """Interlaced 4:2:0: rows 0 and 2 share chroma, and so do rows 1 and 3. A field at black leaves
    the other its color; of the same picture taken as frames neither has any."""
    y = np.full((16, 16), 120, np.uint8)
    y[1::2] = 16
    ab = np.full((2, 2, 2), (0, 40), np.float32)
    cb, _ = chroma.chroma_planes(y, ab, Encoding(interlaced=True))
    assert (cb[0::2] < 120).all()
    assert (cb[1::2] == 128).all()
    cb, _ = chroma.chroma_planes(y, ab, Encoding())
    assert (cb == 128).all()


@pytest.mark.parametrize("height", range(1, 9))
def test_fields_of_any_height(height):
    """Odd numbers of rows, in fields as well."""
    one = Encoding(interlaced=True)
    cb, cr = chroma.chroma_planes(np.full((height, 6), 120, np.uint8), wild_ab(1), one)
    assert cb.shape == cr.shape == (-(-height // 2), 3)


@pytest.mark.parametrize("name", SUBSAMPLINGS)
def test_outside_of_the_region_chroma_is_neutral(name):
    """And inside it is what the region has as a picture of its own."""
    one = Encoding(8, SUBSAMPLINGS[name])
    y = picture_of(13, (121, 163), one)
    region = Region(99, 80, 13, 21).within(y.shape, one)
    cb, cr = chroma.chroma_planes(y, wild_ab(13), one, region=region)
    expected = chroma.chroma_planes(region.of(y), wild_ab(13), one)
    for plane, alone in zip((cb, cr), expected, strict=True):
        part = region.of(plane, one.subsampling)
        assert np.array_equal(part, alone)
        assert (alone != 128).any()
        part[...] = 128
        assert (plane == 128).all()
    inside = np.zeros(y.shape, np.bool_)
    inside[21:101, 13:112] = True
    own = np.zeros(y.shape, np.bool_)
    region.of(own)[...] = True
    assert not (own & ~inside).any()  # shrunk, never grown


# --- RGB ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("matrix", [("bt709", 2126, 7152, 722), ("bt2020", 2627, 6780, 593)])
def test_luma_planes_made_of_rgb_are_the_nearest_codes(bits, matrix):
    """By the four decimals that H.273 gives, in whole numbers; equal R, G and B come back."""
    name, *weights = matrix
    one = Encoding(bits, (1, 2), name, "full")
    generator = np.random.default_rng(bits)
    red, green, blue = generator.integers(0, one.maximum + 1, (3, 40, 50)).astype(one.dtype)
    got = chroma.coded_luma_of_rgb(green, blue, red, one)
    for place in np.ndindex(*red.shape):
        codes = (int(plane[place]) for plane in (red, green, blue))
        total = Fraction(sum(w * code for w, code in zip(weights, codes, strict=True)), 10000)
        assert abs(total - int(got[place])) <= Fraction(1, 2)
    every = np.arange(one.maximum + 1, dtype=one.dtype).reshape(1, -1)
    assert np.array_equal(chroma.coded_luma_of_rgb(every, every, every, one), every)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("levels", ["full", "limited"])
def test_rgb_films_keep_their_luma(bits, levels):
    """The luma (BT.601, as of stills) of the result is within 0.294 code of the source's, so that
    equal R, G and B come back from rounding; and it is colored."""
    one = Encoding(bits, None, "rgb", levels)
    y = picture_of(17, (60, 80), one)
    green, blue, red = chroma.rgb_planes(y, wild_ab(17), one)
    luma = 0.299 * red.astype(float) + 0.587 * green.astype(float) + 0.114 * blue.astype(float)
    assert np.abs(luma - y).max() <= 0.294 + 0.01  # float32 at 16 bits
    assert np.array_equal(np.rint(luma), y)
    assert np.abs(red.astype(float) - blue).mean() > 0.05 * one.maximum
    assert max(plane.max() for plane in (red, green, blue)) <= one.maximum


def test_rgb_films_are_colored_as_stills_are():
    """At 8 bits of full range the codes are those of `luma_join.colorize`, but for rounding."""
    y = picture_of(19, (60, 80), Encoding(levels="full"))
    ab = wild_ab(19) / 4
    green, blue, red = chroma.rgb_planes(y, ab, Encoding(8, None, "rgb", "full"))
    still = luma_join.colorize(y, ab).astype(int)
    assert np.abs(np.dstack([red, green, blue]) - still).max() <= 2  # G takes up both roundings
    assert np.abs(np.dstack([red, blue]) - still[..., [0, 2]]).max() <= 1


def test_the_luma_of_equal_planes_is_the_plane_itself():
    """R=G=B: nothing is computed; else it is the weighted sum."""
    one = Encoding(10, None, "rgb", "full")
    grey = picture_of(23, (20, 20), one)
    assert chroma.luma_of_rgb(grey, grey.copy(), grey.copy(), one) is grey
    g, b, r = (picture_of(seed, (20, 20), one) for seed in (1, 2, 3))
    expected = 0.299 * r.astype(float) + 0.587 * g.astype(float) + 0.114 * b.astype(float)
    assert np.abs(chroma.luma_of_rgb(g, b, r, one) - expected).max() < 1e-3


def test_rgb_outside_of_the_region_is_grey():
    """Toned planes come back as their luma there, neutral."""
    one = Encoding(8, None, "rgb", "full")
    y = picture_of(29, (30, 40), one)
    region = Region(10, 12, 7, 9).within(y.shape, one)
    planes = chroma.rgb_planes(y, wild_ab(29), one, region=region)
    assert any((region.of(plane) != region.of(y)).any() for plane in planes)
    for plane in planes:
        region.of(plane)[...] = region.of(y)
        assert np.array_equal(plane, y)
