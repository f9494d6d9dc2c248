"""What the codes of films mean, against the ITU's equations, OpenCV and the stills' path."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from skimage import data

from colorbatch import color
from colorbatch.color import ycbcr
from colorbatch.color.transfer import value_table
from colorbatch.color.ycbcr import Encoding, Region
from colorbatch.errors import SourceError, UsageError

GREY = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "levels", "expected"),
    [
        # ITU-R BT.709-6 and BT.2020-2, "quantization levels": black, white, neutral, chroma's span
        (8, "limited", (16, 235, 128, 240 - 16)),
        (10, "limited", (64, 940, 512, 960 - 64)),
        (12, "limited", (256, 3760, 2048, 3840 - 256)),
        # ITU-T H.273, equations 26 to 31
        (8, "full", (0, 255, 128, 255)),
        (10, "full", (0, 1023, 512, 1023)),
        (16, "full", (0, 65535, 32768, 65535)),
    ],
)
def test_levels_by_the_standards(bits, levels, expected):
    """Black, white and neutral stand at the standards' codes."""
    one = Encoding(bits, levels=levels)
    assert (one.black, one.white, one.neutral, one.chroma_span) == expected


@pytest.mark.parametrize("bits", [7, 17])
def test_other_depths_are_refused(bits):
    """Depths are those that films have."""
    with pytest.raises(ValueError, match="8 to 16 bits"):
        Encoding(bits)


@pytest.mark.parametrize(
    ("subsampling", "expected"),
    [((2, 2), (241, 360)), ((1, 2), (481, 360)), ((1, 1), (481, 719)), ((1, 4), (481, 180))],
)
def test_chroma_planes_of_odd_pictures_are_rounded_up(subsampling, expected):
    """719 x 481 has the chroma planes that libav allocates."""
    assert Encoding(8, subsampling).chroma_size((481, 719)) == expected


# --- tags and guesses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((480, 720), "bt601"),
        ((576, 720), "bt601"),
        ((576, 1024), "bt601"),
        ((720, 1280), "bt709"),
        ((534, 1280), "bt709"),  # wide pictures of 1280 columns
        ((1080, 1440), "bt709"),
        ((720, 960), "bt709"),  # 4:3 scans of 720 rows
    ],
)
def test_untagged_films_are_shown_as_players_show_them(size, matrix):
    """mpv: BT.709 from 1280 columns or above 576 rows."""
    assert ycbcr.encoding_of(size, 8, (2, 2)).matrix == matrix


def test_tags_win_over_guesses():
    """H.273's code points and libav's locations are what is used where they are there."""
    found = ycbcr.encoding_of(
        (480, 720), 10, (1, 2), matrix=9, levels=2, transfer=16, primaries=9, siting=3
    )
    wanted = Encoding(10, (1, 2), "bt2020", "full", "topleft", "pq", "bt2020")
    assert found == wanted


def test_what_is_not_said_is_guessed():
    """Limited and left for Y'CbCr, full for grey formats and RGB, center under full levels."""
    assert ycbcr.encoding_of((480, 720), 8, (2, 2)) == Encoding(matrix="bt601")
    full = ycbcr.encoding_of((480, 720), 8, (2, 2), levels=2)
    assert (full.levels, full.siting) == ("full", "center")
    assert ycbcr.encoding_of((480, 720), 8, None).levels == "full"
    assert ycbcr.encoding_of((480, 720), 8, None, levels=1).levels == "limited"
    rgb = ycbcr.encoding_of((1080, 1920), 12, None, rgb=True, matrix=8)
    assert (rgb.matrix, rgb.levels) == ("rgb", "full")


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_matrices_without_a_weighted_luma_are_refused(matrix):
    """YCgCo, constant luminance and ICtCp end in one line."""
    with pytest.raises(SourceError, match="color matrix"):
        ycbcr.encoding_of((1080, 1920), 10, (2, 2), matrix=matrix)


def test_grey_films_get_chroma_planes():
    """4:2:0 at 8 bits, 4:2:2 above, codes as they are; color films stay what they are."""
    eight = Encoding(8, None, "bt601", "full").colored((480, 720))
    assert (eight.subsampling, eight.levels, eight.matrix) == ((2, 2), "full", "bt601")
    assert Encoding(16, None).colored((480, 720)).subsampling == (1, 2)
    rgb = Encoding(10, None, "rgb", "full").colored((1080, 1920))
    assert (rgb.subsampling, rgb.matrix, rgb.levels) == ((1, 2), "bt709", "full")
    assert Encoding(8, (1, 1)).colored((480, 720)) == Encoding(8, (1, 1))


# --- depth -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "to"), [(8, 10), (8, 16), (10, 12), (12, 16)])
def test_widening_is_an_exact_shift(bits, to):
    """Every code comes back by the same shift."""
    codes = np.arange(1 << bits).astype(np.uint8 if bits == 8 else np.uint16)[None]
    wide = ycbcr.resample_depth(codes, bits, to)
    assert wide.dtype == np.uint16
    assert np.array_equal(wide, codes.astype(np.int64) * 2 ** (to - bits))
    assert np.array_equal(ycbcr.resample_depth(wide, to, bits, allow_loss=True), codes)


def test_depth_is_not_lost_unasked():
    """Less depth is a usage error that names the option; asked for, it rounds to the nearest."""
    codes = np.array([[0, 1, 2, 3, 1021, 1022, 1023]], np.uint16)
    with pytest.raises(UsageError, match="--allow-depth-loss"):
        ycbcr.resample_depth(codes, 10, 8)
    narrow = ycbcr.resample_depth(codes, 10, 8, allow_loss=True)
    assert narrow.dtype == np.uint8
    assert narrow.tolist() == [[0, 0, 1, 1, 255, 255, 255]]
    assert ycbcr.resample_depth(codes, 10, 10) is codes


# --- what the network sees ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [(256, 256), (100, 37), (512, 512), (600, 700)])
def test_full_range_films_are_seen_as_stills_are(size):
    """The same codes give the same L*, to the bit."""
    seen = ycbcr.network_lightness(GREY, Encoding(levels="full"), size)
    assert seen.dtype == np.float32
    assert np.array_equal(seen, color.network_view(GREY, size))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_limited_films_are_seen_as_the_stills_taken_from_them(bits):
    """A still has 8 bits of full range. Its codes are rounded, and so are both averages, which at
    half a code each is up to 0.3 L* for 8 bits."""
    one = Encoding(bits)
    y = np.rint(GREY / 255 * (one.white - one.black) + one.black).astype(one.dtype)
    still = np.rint((y.astype(float) - one.black) / (one.white - one.black) * 255).astype(np.uint8)
    seen = ycbcr.network_lightness(y, one, (256, 256))
    expected = color.network_view(still, (256, 256))
    assert np.abs(seen - expected).max() < (0.7 if bits == 8 else 0.4)
    assert abs(float((seen - expected).mean())) < 0.05  # and there is no bias


@pytest.mark.parametrize(
    "one",
    [Encoding(b, levels=v) for b in (8, 9, 10, 12, 14, 16) for v in ("limited", "full")],
    ids=lambda one: f"{one.bits}-{one.levels}",
)
def test_lightness_of_codes_is_by_the_cie(one):
    """L* of every code, by IEC 61966-2-1 and CIE 15 in float64; black and white are met exactly."""
    codes = np.arange(one.maximum + 1)
    value = np.clip((codes - one.black) / (one.white - one.black), 0, 1)
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    expected = np.where(
        light > 216 / 24389, 116 * np.cbrt(light) - 16, light * 24389 / 27
    )  # CIE 15:2004, 8.2.1.1
    found = ycbcr.network_lightness(codes.astype(one.dtype)[None], one, (1, codes.size))[0]
    assert np.abs(found - expected).max() < 1e-5  # float32 of 100
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("transfer", ["linear", "cineon", "log100", "pq", "hlg"])
def test_other_transfers_are_turned_to_display(transfer):
    """Grey of known light, coded by another transfer, is seen as the L* of that light."""
    one = Encoding(12, levels="full", transfer=transfer)
    light = np.linspace(0.02, 0.95, 200)
    position = np.rint(np.sqrt(light) * 65535).astype(int)
    codes = np.rint(value_table(transfer)[position] * 4095).astype(np.uint16)[None]
    found = ycbcr.network_lightness(codes, one, codes.shape)[0]
    expected = color.lightness_of_y(light)
    assert np.abs(found - expected).max() < 0.8  # a code of 12 bits of log316, the coarsest


# --- the view of a color frame -----------------------------------------------------------------


# 100 % bars in 8 bits: BT.601 as in its annexes and SMPTE EG 1, BT.709 as in SMPTE RP 219's ratios
BARS = {
    "bt601": {"r": (81, 90, 240), "g": (145, 54, 34), "b": (41, 240, 110), "y": (210, 16, 146)},
    "bt709": {"r": (63, 102, 240), "g": (173, 42, 26), "b": (32, 240, 118), "y": (219, 16, 138)},
}
RGB = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "y": (255, 255, 0)}


@pytest.mark.parametrize(("matrix", "bar"), list(itertools.product(BARS, RGB)))
def test_color_bars_are_seen_in_their_colors(matrix, bar):
    """The bars' published codes decode to pure colors, to the codes' own rounding."""
    planes = [np.full((8, 8), code, np.uint8) for code in BARS[matrix][bar]]
    seen = ycbcr.rgb_view(*planes, Encoding(matrix=matrix), (4, 4))
    assert seen.shape == (4, 4, 3)
    assert np.abs(seen.astype(int) - RGB[bar]).max() <= 2


def test_jpeg_like_frames_are_seen_as_opencv_decodes_them():
    """Full-range BT.601 is OpenCV's YCrCb; of the whole size and of subsampled chroma."""
    picture = data.astronaut()
    y, cr, cb = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    one = Encoding(8, (1, 1), "bt601", "full")
    seen = ycbcr.rgb_view(y, cb, cr, one, (512, 512))
    expected = cv2.cvtColor(cv2.merge([y, cr, cb]), cv2.COLOR_YCrCb2RGB)
    assert np.abs(seen.astype(int) - expected).max() <= 1
    half = [cv2.resize(plane, (256, 256), interpolation=cv2.INTER_AREA) for plane in (cb, cr)]
    small = ycbcr.rgb_view(y, *half, one, (128, 128))
    assert np.abs(small.astype(int) - color.resize_area(picture, (128, 128))).mean() < 2


def test_rgb_films_are_seen_from_their_planes():
    """G, B and R in libav's order, at 10 bits."""
    picture = data.astronaut()
    red, green, blue = (
        np.rint(plane * (1023 / 255)).astype(np.uint16) for plane in cv2.split(picture)
    )
    seen = ycbcr.rgb_view(green, blue, red, Encoding(10, None, "rgb", "full"), (512, 512))
    assert np.abs(seen.astype(int) - picture).max() <= 1


def test_wide_primaries_are_seen_in_srgb():
    """A BT.2020 film of sRGB's red (its coordinates in BT.2020 by BT.2087) is seen as that red."""
    linear = np.array([0.6274, 0.0691, 0.0164])
    r, g, b = (1.055 * linear ** (1 / 2.4) - 0.055) * 65535
    planes = [np.full((4, 4), code, np.uint16) for code in (g, b, r)]
    one = Encoding(16, None, "rgb", "full", primaries="bt2020")
    assert np.abs(ycbcr.rgb_view(*planes, one, (2, 2))[0, 0].astype(int) - (255, 0, 0)).max() <= 3


# --- regions -----------------------------------------------------------------------------------


def test_a_region_is_read_and_shrunk_to_whole_chroma_samples():
    """Inwards, but up to the picture's own odd edge."""
    region = Region.parse("101x60+3+5")
    assert region == Region(101, 60, 3, 5)
    assert region.within((200, 300), Encoding()) == Region(100, 58, 4, 6)
    assert region.within((200, 300), Encoding(8, (1, 1))) == region
    assert Region(299, 99, 0, 0).within((99, 299), Encoding()) == Region(299, 99, 0, 0)
    fields = region.within((200, 300), Encoding(interlaced=True))
    assert (fields.y, fields.height) == (8, 56)


@pytest.mark.parametrize("text", ["", "10x10", "0x10+0+0", "-1x2+0+0", "10x10+0", "10x10+0+0x"])
def test_other_regions_are_usage_errors(text):
    """One line that shows how a region is written."""
    with pytest.raises(UsageError, match="WxH"):
        Region.parse(text)


@pytest.mark.parametrize(
    "region", [Region(10, 10, 95, 0), Region(10, 10, 0, 95), Region(1, 1, 1, 1)]
)
def test_regions_outside_or_of_nothing_are_usage_errors(region):
    """They are found before any work."""
    with pytest.raises(UsageError, match="region"):
        region.within((100, 100), Encoding())
