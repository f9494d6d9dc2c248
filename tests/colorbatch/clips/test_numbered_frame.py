"""Frames of sequences: what is seen of them, and results in the source's own codes."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own name for itself
import pytest
import tifffile
from PIL import Image

from colorbatch import color, ffmpeg, scans
from colorbatch.clips import numbered_frame
from colorbatch.clips.numbered_frame import FrameStyle
from colorbatch.color import classify, ycbcr
from colorbatch.errors import SourceError, TargetError, UsageError
from colorbatch.formats import still

RNG = np.random.default_rng(3)
STYLE = FrameStyle("colorbatch test")


def ab_of(strength=30.0):
    return RNG.normal(0, strength, (6, 8, 2)).astype(np.float32)


def y_of(rgb):
    """Y' of BT.601-7, section 2.5.1."""
    return rgb[..., :3].astype(float) @ np.array([0.299, 0.587, 0.114])


def cineon_code(light, bits=10):
    """Codes of linear light, by Kodak's formula solved for the code: white at 685, black at 95 of
    1023, 0.002 density a code, gamma 0.6."""
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    code = 685 + 300 * np.log10(light * (1 - black) + black)
    return np.rint(code / 1023 * (2**bits - 1)).astype(np.uint16)


def write_exr(path, samples):
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, "half")
    spec.channelnames = ("Y",) if channels == 1 else ("R", "G", "B")
    output = oiio.ImageOutput.create("openexr")
    assert output.open(str(path), spec)
    output.write_image(samples.astype(np.float16))
    output.close()
    return path


# --- --transfer --------------------------------------------------------------------------------


def header(transfer="", creator="", kind="DPX"):
    return scans.Header(kind, (1, 1), 1, 10, transfer=transfer, creator=creator)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("printing density", "log"),
        ("logarithmic", "log"),
        ("linear", "linear"),
        ("ITU-R 709-4", "bt709"),
        ("unspecified video", "bt709"),
        ("SMPTE 274M", "bt709"),
    ],
)
def test_auto_is_the_headers_word(word, meaning):
    """And the report says which word it was."""
    shown = numbered_frame.shown_as("auto", header(word))
    assert shown.asked == meaning and word in shown.why


@pytest.mark.parametrize("word", ["", "ADX", "Z linear"])
def test_auto_does_not_guess(word):
    """A header that does not say it, or says what nobody can show, asks for the option."""
    with pytest.raises(UsageError, match="--transfer log"):
        numbered_frame.shown_as("auto", header(word))


def test_libavs_linear_is_not_believed():
    """libav wrote linear into each DPX header for years; libavcodec 62 says what it is told."""
    assert numbered_frame.shown_as("auto", header("linear", "Lavc59.37.100")).asked == "bt709"
    assert numbered_frame.shown_as("auto", header("linear", "Lavc62.28.102")).asked == "linear"
    assert numbered_frame.shown_as("auto", header("linear", "a scanner")).asked == "linear"


@pytest.mark.parametrize("asked", ["log", "linear", "bt709", "srgb"])
def test_what_is_asked_for_wins(asked):
    """Over any header, and for stills."""
    for one in (header("linear"), header(""), None):
        assert numbered_frame.shown_as(asked, one).asked == asked


def test_stills_and_exr_under_auto():
    """EXR is linear; stills are what their profile says."""
    assert numbered_frame.shown_as("auto", header("linear", kind="EXR")).asked == "linear"
    assert numbered_frame.shown_as("auto", None).asked == "srgb"


def test_an_undecided_header_names_its_file(dpx_file, tmp_path):
    """255 is "undefined" in transfer, and colorimetry is user-defined."""
    made = dpx_file(np.zeros((2, 2, 1), np.uint16), transfer=255, fields=((802, b"\0"),))
    path = made.write(tmp_path / "a.dpx")
    with pytest.raises(UsageError, match=r"a\.dpx: its header does not say"):
        numbered_frame.read(path)


# --- what is seen ------------------------------------------------------------------------------


def seen_as(grey):
    """What the network sees of the still."""
    return color.network_view(grey, (64, 64))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_logarithmic_scan_looks_like_the_photograph(dpx_file, tmp_path, grey_photograph, bits):
    """Codes by Kodak's formula: within the steps of 10 bits of the still; averaging logarithmic
    codes and sRGB codes differs at edges, so that the mean is what counts."""
    grey = grey_photograph("camera")
    codes = cineon_code(color.linearize(grey / 255), bits)[..., None]
    frame = numbered_frame.read(dpx_file(codes, bits, transfer=1).write(tmp_path / "a.dpx"))
    full = numbered_frame.view(frame, grey.shape)
    # a code of 10 bits is up to 0.9 L* in the shadows; without the curve it would be 30 and more
    np.testing.assert_allclose(full, color.lightness(grey), atol=1.0)
    assert np.abs(numbered_frame.view(frame, (64, 64)) - seen_as(grey)).mean() < 1.5


def test_the_same_codes_seen_otherwise(dpx_file, tmp_path, grey_photograph):
    """--transfer decides; the default is the header's."""
    grey = grey_photograph("camera")
    codes = (grey.astype(np.uint16) * 257)[..., None]
    path = dpx_file(codes, 16, transfer=3).write(tmp_path / "a.dpx")
    display = numbered_frame.view(numbered_frame.read(path, "srgb"), (64, 64))
    np.testing.assert_allclose(display, seen_as(grey), atol=0.7)
    assert (
        numbered_frame.view(numbered_frame.read(path, "linear"), (64, 64)).mean()
        > display.mean() + 10
    )
    assert numbered_frame.view(numbered_frame.read(path), (64, 64)).mean() > display.mean() + 5


def test_video_levels_are_taken_off(dpx_file, tmp_path, grey_photograph):
    """Reference codes 64 and 940: black is black to the network."""
    grey = grey_photograph("camera")
    codes = np.rint(64 + grey / 255 * 876).astype(np.uint16)[..., None]
    fields = ((784, struct.pack(">I", 64)), (792, struct.pack(">I", 940)))
    frame = numbered_frame.read(
        dpx_file(codes, transfer=6, fields=fields).write(tmp_path / "a.dpx")
    )
    np.testing.assert_allclose(
        numbered_frame.view(frame, grey.shape), color.lightness(grey), atol=0.25
    )


def test_a_linear_exr_looks_like_the_photograph(tmp_path, grey_photograph):
    """Half floats of linear light."""
    grey = grey_photograph("camera")
    path = write_exr(tmp_path / "a.exr", color.linearize(grey / 255)[..., None])
    frame = numbered_frame.read(path)
    np.testing.assert_allclose(
        numbered_frame.view(frame, grey.shape), color.lightness(grey), atol=0.05
    )


def test_a_logarithmic_tiff_looks_like_the_photograph(tmp_path, grey_photograph):
    """Stills hold logarithmic scans as well, and nothing in them says so."""
    grey = grey_photograph("camera")
    tifffile.imwrite(tmp_path / "a.tif", cineon_code(color.linearize(grey / 255), 16))
    frame = numbered_frame.read(tmp_path / "a.tif", "log")
    np.testing.assert_allclose(
        numbered_frame.view(frame, grey.shape), color.lightness(grey), atol=0.1
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_stills_are_seen_as_by_images(tmp_path, grey_photograph, name):
    """A frame that is a still looks as it does to `colorbatch images`."""
    grey = grey_photograph("camera")
    Image.fromarray(grey).save(tmp_path / name, quality=95)
    with Image.open(tmp_path / name) as image:
        expected = seen_as(np.array(image))
    np.testing.assert_array_equal(
        numbered_frame.view(numbered_frame.read(tmp_path / name), (64, 64)), expected
    )


def test_a_frame_is_seen_upright(dpx_file, tmp_path):
    """Lines from bottom to top: the network sees the picture upright, and the chroma of its upper
    half lands in the stored lower half."""
    codes = np.linspace(200, 600, 32)[:, None, None].repeat(32, 1).astype(np.uint16)
    fields = ((768, struct.pack(">H", 2)),)
    frame = numbered_frame.read(dpx_file(codes, fields=fields).write(tmp_path / "a.dpx"))
    seen = numbered_frame.view(frame, (32, 32))
    assert seen[0, 0] > seen[-1, 0]
    ab = np.zeros((32, 32, 2), np.float32)
    ab[:16, :, 0] = 40  # red, in the upright picture's upper half
    numbered_frame.write(frame, ab, tmp_path / "b.dpx", STYLE)
    result = numbered_frame.read(tmp_path / "b.dpx").scan.samples.astype(int)
    assert (result[20:, :, 0] > result[20:, :, 1]).all()
    np.testing.assert_array_equal(result[:12, :, 0], result[:12, :, 1])


def test_grey_and_toned_are_told(dpx_file, tmp_path, grey_photograph):
    """R = G = B is grey; a sepia scan is toned."""
    grey = grey_photograph("astronaut").astype(np.uint16)
    same = numbered_frame.read(
        dpx_file(np.dstack([grey * 4] * 3)).write(tmp_path / "a.dpx"), "srgb"
    )
    assert numbered_frame.rgb_codes(same) is None
    toned = np.dstack([grey * 4, grey * 3, grey * 2])
    sepia = numbered_frame.read(dpx_file(toned).write(tmp_path / "b.dpx"), "srgb")
    assert classify.kind_of(numbered_frame.rgb_codes(sepia)) == "toned"
    linear = color.linearize(toned / 1023)
    light = numbered_frame.read(write_exr(tmp_path / "c.exr", linear))
    assert classify.kind_of(numbered_frame.rgb_codes(light)) == "toned"


# --- results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transfer", ["log", "linear", "bt709", "srgb"])
def test_dpx_luma_is_kept(dpx_file, libav_picture, tmp_path, bits, channels, transfer):
    """Read by libav: Y' within half a code, which rounded is the source's grey, at any depth and
    whatever the codes mean; and there is color."""
    codes = RNG.integers(0, 1 << bits, (24, 31, channels)).astype(np.uint16)
    codes[0, :8] = 0
    codes[1, :8] = (1 << bits) - 1
    frame = numbered_frame.read(dpx_file(codes, bits).write(tmp_path / "a.dpx"), transfer)
    assert numbered_frame.write(frame, ab_of(), tmp_path / "b.dpx", STYLE) == ()
    result = libav_picture(tmp_path / "b.dpx")
    before = codes[..., 0].astype(float) if channels == 1 else y_of(codes)
    difference = np.abs(y_of(result) - before)
    # 0.587 / 2 of a code, and float32's share at 16 bits
    assert difference.max() < 0.31
    if channels == 1:
        np.testing.assert_array_equal(np.rint(y_of(result)), codes[..., 0])
    again = numbered_frame.read(tmp_path / "b.dpx", transfer)
    assert numbered_frame.luma_difference(frame, again) == pytest.approx(difference.max(), abs=1e-6)
    assert again.marked and not frame.marked
    assert np.ptp(result.astype(int), axis=2).mean() > 0.01 * (1 << bits)


@pytest.mark.parametrize(("a", "b"), [(20, 12), (-15, 10)])
def test_logarithmic_results_stay_logarithmic(dpx_file, tmp_path, a, b):
    """A grey patch in log codes: turned to light by Kodak's formula, the result has the hue and
    about the chroma that were asked for."""
    codes = np.full((16, 16, 1), cineon_code(np.array(0.2)), np.uint16)
    frame = numbered_frame.read(dpx_file(codes, transfer=3).write(tmp_path / "a.dpx"))
    ab = np.broadcast_to(np.array([a, b], np.float32), (4, 4, 2))
    numbered_frame.write(frame, ab, tmp_path / "b.dpx", STYLE)
    again = numbered_frame.read(tmp_path / "b.dpx")
    assert again.shown.asked == "log"
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    light = (10 ** ((again.scan.samples - 685.0) * 0.002 / 0.6) - black) / (1 - black)
    lab = cv2.cvtColor(light.astype(np.float32), cv2.COLOR_LRGB2Lab)[8, 8]
    hue = np.degrees(np.arctan2(lab[2], lab[1]) - np.arctan2(b, a))
    assert abs(hue) < 3
    # luma in log codes is kept, not lightness: L, and chroma with it, move a little
    assert np.hypot(lab[1], lab[2]) == pytest.approx(np.hypot(a, b), rel=0.15)
    assert lab[0] == pytest.approx(color.lightness_of_y(np.array(0.2)), abs=4)


@pytest.mark.parametrize("channels", [1, 3])
def test_exr_luminance_is_kept(libav_picture, tmp_path, channels):
    """Read by libav: luminance within half a bit of half floats, highlights as they were."""
    samples = (RNG.random((20, 30, channels)) * 1.3).astype(np.float16)
    frame = numbered_frame.read(write_exr(tmp_path / "a.exr", samples))
    numbered_frame.write(frame, ab_of(), tmp_path / "b.exr", STYLE)
    result = libav_picture(tmp_path / "b.exr").astype(float)
    weights = np.array([0.2126390, 0.7151687, 0.0721923])  # IEC 61966-2-1, more digits
    before = samples[..., 0].astype(float) if channels == 1 else samples.astype(float) @ weights
    error = np.abs(result @ weights - before) / np.maximum(result.max(axis=2), 2**-14)
    assert error.max() < 2**-11 + 1e-5
    bright = before > 1
    assert bright.any() and np.ptp(result[bright], axis=1).max() == 0
    assert np.ptp(result[~bright], axis=1).mean() > 0.03
    assert numbered_frame.luma_difference(frame, numbered_frame.read(tmp_path / "b.exr")) < 2**-10.5


@pytest.mark.parametrize("transfer", ["auto", "log"])
@pytest.mark.parametrize("bits", [8, 16])
def test_still_frames_keep_grey_depth_and_mark(tmp_path, transfer, bits):
    """TIFF frames: Y' rounds to the source's grey, also where codes are taken as logarithmic."""
    codes = RNG.integers(0, 1 << bits, (24, 31)).astype(f"u{bits // 8}")
    tifffile.imwrite(tmp_path / "a.tif", codes)
    frame = numbered_frame.read(tmp_path / "a.tif", transfer)
    numbered_frame.write(frame, ab_of(), tmp_path / "b.tif", STYLE)
    result = tifffile.imread(tmp_path / "b.tif")
    assert result.dtype == codes.dtype
    np.testing.assert_array_equal(np.rint(y_of(result)), codes)
    again = numbered_frame.read(tmp_path / "b.tif")
    assert again.marked
    assert numbered_frame.luma_difference(frame, again) < 0.31


def test_the_transfer_of_stills_changes_their_color(tmp_path):
    """The same TIFF, the same chroma: log codes need other differences of R, G and B."""
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 28000, np.uint16))
    ab = np.broadcast_to(np.array([30, 0], np.float32), (2, 2, 2))
    for asked in ("srgb", "log"):
        numbered_frame.write(
            numbered_frame.read(tmp_path / "a.tif", asked), ab, tmp_path / f"{asked}.tif", STYLE
        )
    srgb, log = (tifffile.imread(tmp_path / f"{asked}.tif")[4, 4] for asked in ("srgb", "log"))
    assert np.ptp(log.astype(int)) < 0.8 * np.ptp(srgb.astype(int))


def test_jpeg_frames_keep_their_luma_plane(tmp_path, grey_photograph):
    """As stills do: Y differs in few pixels, by a code."""
    Image.fromarray(grey_photograph("camera")).save(tmp_path / "a.jpg", quality=90)
    numbered_frame.write(
        numbered_frame.read(tmp_path / "a.jpg"), ab_of(), tmp_path / "b.jpg", STYLE
    )
    planes = []
    for name in ("a.jpg", "b.jpg"):
        with Image.open(tmp_path / name) as image:
            image.draft("YCbCr" if name == "b.jpg" else "L", None)
            planes.append(np.array(image.convert("YCbCr") if name == "b.jpg" else image))
    difference = np.abs(planes[1][..., 0].astype(int) - planes[0])
    assert (difference > 0).mean() < 0.05 and difference.mean() < 0.05


def test_without_chroma_a_frame_is_copied(dpx_file, tmp_path):
    """What keeps its own color is the source, byte by byte, without a mark."""
    path = dpx_file(np.zeros((4, 4, 3), np.uint16)).write(tmp_path / "a.dpx")
    numbered_frame.write(numbered_frame.read(path), None, tmp_path / "b.dpx", STYLE)
    assert (tmp_path / "b.dpx").read_bytes() == path.read_bytes()


def test_saturation(dpx_file, tmp_path):
    """Half of the chroma is half of the distance from grey, none is grey."""
    codes = np.full((8, 8, 1), 400, np.uint16)
    frame = numbered_frame.read(dpx_file(codes).write(tmp_path / "a.dpx"))
    ab = np.broadcast_to(np.array([20, 10], np.float32), (2, 2, 2))
    spans = {}
    for factor in (0.0, 0.5, 1.0):
        numbered_frame.write(frame, ab, tmp_path / "b.dpx", FrameStyle("m", saturation=factor))
        spans[factor] = np.ptp(
            numbered_frame.read(tmp_path / "b.dpx").scan.samples[4, 4].astype(int)
        )
    assert spans[0.0] == 0
    assert 0.4 < spans[0.5] / spans[1.0] < 0.6


def test_another_format_is_refused(dpx_file, tmp_path):
    """Frames keep their format, and nothing is left behind."""
    frame = numbered_frame.read(dpx_file(np.zeros((4, 4, 1), np.uint16)).write(tmp_path / "a.dpx"))
    with pytest.raises(UsageError, match="keep their format"):
        numbered_frame.write(frame, ab_of(), tmp_path / "b.exr", STYLE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dpx"]


@pytest.mark.parametrize("suffix", ["dpx", "exr"])
def test_a_target_that_cannot_be_written(dpx_file, tmp_path, suffix):
    """One line that names it; no temporary file stays."""
    if suffix == "dpx":
        path = dpx_file(np.zeros((4, 4, 1), np.uint16)).write(tmp_path / "a.dpx")
    else:
        path = write_exr(tmp_path / "a.exr", np.zeros((4, 4, 1)))
    target = tmp_path / "out" / f"b.{suffix}"
    target.mkdir(parents=True)
    with pytest.raises(TargetError, match=f"b.{suffix}"):
        numbered_frame.write(numbered_frame.read(path), ab_of(), target, STYLE)
    assert [one.name for one in target.parent.iterdir()] == [target.name]


def test_too_many_pixels_are_refused_by_the_header(dpx_file, tmp_path):
    """Before anything is decoded."""
    path = dpx_file(np.zeros((40, 40, 1), np.uint16)).write(tmp_path / "a.dpx")
    with pytest.raises(SourceError, match="pixels are more than"):
        numbered_frame.read(path, max_pixels=1000)


def test_frames_that_do_not_follow(dpx_file, tmp_path):
    """Another size, depth or transfer is named; grey and RGB may follow each other."""
    zeros = np.zeros((4, 6, 1), np.uint16)

    def frame(name, codes=zeros, bits=10, **rest):
        return numbered_frame.read(dpx_file(codes, bits, **rest).write(tmp_path / name))

    first = frame("a.dpx")
    assert frame("b.dpx", np.zeros((4, 6, 3), np.uint16)).unlike(first.traits) == ""
    assert "(4, 5), of the first frame (4, 6)" in frame("c.dpx", zeros[:, :5]).unlike(first.traits)
    assert "bits: 12" in frame("d.dpx", bits=12).unlike(first.traits)
    assert "transfer: linear" in frame("e.dpx", transfer=2).unlike(first.traits)


# --- for films ---------------------------------------------------------------------------------


def test_planes_for_a_film(dpx_file, tmp_path):
    """Grey is one plane of luma, in the depth that avio takes; color is G, B and R."""
    codes = RNG.integers(0, 1024, (6, 8, 3)).astype(np.uint16)
    color_frame = numbered_frame.read(dpx_file(codes).write(tmp_path / "a.dpx"))
    green, blue, red = numbered_frame.code_planes(color_frame)
    np.testing.assert_array_equal(np.dstack([red, green, blue]), codes)
    grey = numbered_frame.read(dpx_file(codes[..., :1].repeat(3, 2)).write(tmp_path / "b.dpx"))
    [luma] = numbered_frame.code_planes(grey)
    np.testing.assert_array_equal(luma, codes[..., 0])
    meaning = numbered_frame.encoding_of(grey)
    assert (meaning.bits, meaning.levels, meaning.transfer) == (10, "full", "cineon")
    assert ffmpeg.Planes(luma=luma).digest() == ffmpeg.Planes(luma=codes[..., 0]).digest()
    exr = numbered_frame.read(write_exr(tmp_path / "c.exr", np.zeros((4, 4, 1))))
    assert numbered_frame.code_planes(exr) is None
    with pytest.raises(ValueError, match="no codes"):
        numbered_frame.encoding_of(exr)


@pytest.mark.parametrize("suffix", ["dpx", "tif"])
def test_the_black_of_a_logarithmic_scan_has_no_color(dpx_file, tmp_path, suffix):
    """Code 95 is black and shows nothing: a red of any strength there would glow, as G and B can go
    below it, and R above is seen. Light grey gets the color."""
    codes = np.full((16, 32, 1), 95, np.uint16)
    codes[:, 16:] = 500
    codes[:4, :8] = 60  # below black
    path = tmp_path / f"a.{suffix}"
    if suffix == "dpx":
        dpx_file(codes, transfer=1).write(path)
    else:
        tifffile.imwrite(path, np.rint(codes[..., 0] / 1023 * 65535).astype(np.uint16))
    frame = numbered_frame.read(path, "log")
    ab = np.broadcast_to(np.array([25, 10], np.float32), (4, 4, 2))
    target = tmp_path / f"b.{suffix}"
    numbered_frame.write(frame, ab, target, STYLE)
    again = numbered_frame.read(target, "log")
    result = (again.scan.samples if again.scan else again.still.rgb).astype(int)
    white = 1023 if suffix == "dpx" else 65535
    # at 16 bits black is no whole code
    assert np.ptp(result[:, :16], axis=2).max() <= (0 if suffix == "dpx" else 2)
    assert np.ptp(result[:, 16:], axis=2).min() > 0.02 * white
    assert numbered_frame.luma_difference(frame, again) < 0.31


# --- a part of the picture ---------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_region_is_seen_upright(tmp_path, orientation):
    """The network sees the region of the upright picture, as it sees a file that holds only it."""
    upright = RNG.integers(0, 256, (40, 60)).astype(np.uint8)
    image = Image.fromarray(still.stored(upright, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    Image.fromarray(upright[5:35, 10:50]).save(tmp_path / "b.png")
    region = ycbcr.Region(40, 30, 10, 5)
    seen = numbered_frame.view(numbered_frame.read(tmp_path / "a.png"), (16, 16), region)
    np.testing.assert_array_equal(
        seen, numbered_frame.view(numbered_frame.read(tmp_path / "b.png"), (16, 16))
    )


def test_a_frame_has_one_page(tmp_path):
    """Other pages of a TIFF file would be lost; a thumbnail is no page."""
    codes = np.full((8, 12), 90, np.uint8)
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(codes, metadata=None)
        file.write(codes, metadata=None)
    with pytest.raises(SourceError, match="has several pages"):
        numbered_frame.read(tmp_path / "two.tif")
    with tifffile.TiffWriter(tmp_path / "one.tif") as file:
        file.write(codes, metadata=None)
        file.write(codes[::2, ::2], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(numbered_frame.read(tmp_path / "one.tif").still.luma, codes)


@pytest.mark.parametrize("suffix", [".tif", ".dpx"])
def test_a_frame_that_is_too_large_advises_no_option_of_pictures(dpx_file, tmp_path, suffix):
    """Its error ends with the limit; films have no --max-pixels."""
    path = tmp_path / f"a{suffix}"
    if suffix == ".dpx":
        dpx_file(np.zeros((40, 50, 1), np.uint16)).write(path)
    else:
        tifffile.imwrite(path, np.zeros((40, 50), np.uint8))
    with pytest.raises(SourceError, match=r"50 x 40 pixels are more than 0\.001 million$"):
        numbered_frame.read(path, "log", max_pixels=1000)
