"""Stills of every kind that archives hold, read and written; judged by Pillow, OpenCV, tifffile."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from colorbatch.color import classify
from colorbatch.errors import ColorbatchError, SourceError, TargetError
from colorbatch.formats import reader, writer
from colorbatch.formats import still as stills
from colorbatch.formats.provenance import is_marked

XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="box 7"/>'
    b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KODAK = ["astronaut", "coffee", "chelsea", "rocket"]
WEIGHTS = np.array([0.299, 0.587, 0.114])


def chroma(size=(16, 16)):
    """Chroma of every hue, much of it beyond the gamut."""
    return np.random.default_rng(1).uniform(-120, 120, (*size, 2)).astype(np.float32)


def png_info(xmp):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def save(path, pixels, **options):
    """Write codes with Pillow."""
    Image.fromarray(pixels).save(path, **options)
    return path


def colored(path, format_=None, ab=None, **options):
    """Read a file, color it, and return the new file's bytes and notes."""
    still = reader.read(path)
    ab = stills.stored(chroma() if ab is None else ab, still.orientation)
    return writer.encode(still, ab, format_ or still.format, mark="test", **options)


def opened(data):
    """The bytes of a picture in Pillow."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pillow_grey(data):
    """What Pillow calls grey."""
    return np.array(opened(data).convert("RGB").convert("L"))


def stored_y(data):
    """The Y' plane of a JPEG file as libjpeg decodes it."""
    image = Image.open(io.BytesIO(data))
    if image.mode == "L":
        return np.array(image).astype(int)
    image.draft("YCbCr", image.size)
    assert image.mode == "YCbCr"
    return np.array(image)[..., 0].astype(int)


def sepia(grey):
    """A toned picture: the usual sepia factors on grey."""
    rgb = grey[..., None] * np.array([1.351, 1.203, 0.937])
    return np.clip(np.rint(rgb), 0, np.iinfo(grey.dtype).max).astype(grey.dtype)


def deep(grey):
    """16-bit codes that lie between the 8-bit ones."""
    noise = np.random.default_rng(2).integers(-128, 129, grey.shape)
    return np.clip(grey.astype(int) * 257 + noise, 0, 65535).astype(np.uint16)


# --- luma --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KODAK)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_grey_of_a_lossless_8_bit_result_equals_the_source(grey_photograph, tmp_path, name, suffix):
    """Through a real file, luma is kept exactly as Pillow and OpenCV see it."""
    grey = grey_photograph(name)
    options = {"lossless": True} if suffix == "webp" else {}
    data = colored(save(tmp_path / f"a.{suffix}", grey, **options)).data
    assert np.array_equal(pillow_grey(data), grey)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), grey)
    assert np.ptp(bgr.astype(int), axis=2).max() > 50  # it is in color


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("name", KODAK[:2])
def test_luma_of_a_toned_lossless_result_equals_the_source(grey_photograph, tmp_path, name, suffix):
    """Of a toned source its luma is kept, rounded to codes."""
    rgb = sepia(grey_photograph(name))
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    data = colored(save(tmp_path / f"a.{suffix}", rgb, **options)).data
    assert np.array_equal(pillow_grey(data), np.rint(rgb @ WEIGHTS))
    # against Pillow's grey of the source: fixed point may round a tie the other way
    gap = pillow_grey(data).astype(int) - np.array(Image.fromarray(rgb).convert("L"))
    assert np.abs(gap).max() <= 1
    assert (gap != 0).mean() < 0.01


@pytest.mark.parametrize("tone", ["grey", "toned"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("name", KODAK[:2])
def test_luma_of_a_16_bit_result_is_within_half_a_code(
    grey_photograph, tmp_path, name, suffix, tone
):
    """At 16 bits luma is kept within half of a 16-bit code, in float64."""
    grey = deep(grey_photograph(name))
    pixels = grey if tone == "grey" else sepia(grey)
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels)
    result = cv2.imdecode(np.frombuffer(colored(path).data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert result.dtype == np.uint16
    source = grey if tone == "grey" else pixels.astype(np.float64) @ WEIGHTS
    assert np.abs(result[..., ::-1].astype(np.float64) @ WEIGHTS - source).max() <= 0.5


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("kind", ["grey", "toned", "color"])
@pytest.mark.parametrize("name", KODAK)
def test_jpeg_keeps_the_decoded_luma(photograph, grey_photograph, tmp_path, name, kind, quality):
    """JPEG to JPEG: Y' differs in under 5 % of the pixels and by 0.05 code on average."""
    pixels = {
        "grey": lambda: grey_photograph(name),
        "toned": lambda: sepia(grey_photograph(name)),
        "color": lambda: photograph(name),
    }[kind]()
    path = save(tmp_path / "a.jpg", pixels, quality=quality)
    data = colored(path).data
    gap = np.abs(stored_y(data) - stored_y(path.read_bytes()))
    assert (gap != 0).mean() < 0.05  # the limits
    assert gap.mean() <= 0.05
    assert opened(data).mode == "RGB"


def test_jpeg_keeps_tables_progression_and_full_chroma(grey_photograph, tmp_path):
    """The result has the source's own luma table, its scan order, and 4:4:4 chroma."""
    path = save(tmp_path / "a.jpg", grey_photograph("astronaut"), quality=37, progressive=True)
    with Image.open(path) as source:
        table = source.quantization[0]
    result = Image.open(io.BytesIO(colored(path).data))
    assert result.quantization[0] == table
    assert result.info["progressive"]
    assert [layer[1:3] for layer in result.layer] == [(1, 1)] * 3
    plain = Image.open(io.BytesIO(colored(save(tmp_path / "b.jpg", sepia(np.eye(64, dtype="u1"))))
                                  .data))  # fmt: skip
    assert "progressive" not in plain.info


def test_quality_overrides_the_sources_tables(grey_photograph, tmp_path):
    """--quality wins over the source's own tables."""
    path = save(tmp_path / "a.jpg", grey_photograph("coffee"), quality=95)
    low = opened(colored(path, quality=20).data)
    expected = io.BytesIO()
    Image.new("RGB", (8, 8)).save(expected, "JPEG", quality=20)
    assert low.quantization == Image.open(expected).quantization


def test_lossy_webp_states_its_error_and_stays_lossy(grey_photograph, tmp_path):
    """Other lossy formats cannot keep luma; the note says by how much, and it is true."""
    grey = grey_photograph("chelsea")
    path = save(tmp_path / "a.webp", grey, quality=80)
    with Image.open(path) as image:
        luma = np.array(image.convert("L")).astype(float)
    encoded = colored(path, ab=np.full((2, 2, 2), 10, np.float32))
    [note] = encoded.notes
    stated = float(note.split("by ")[1].split()[0])
    found = np.abs(np.array(opened(encoded.data).convert("RGB")) @ WEIGHTS - luma).mean()
    assert found == pytest.approx(stated, abs=0.3)  # source and result are rounded to codes
    assert b"VP8L" not in encoded.data[:4000]


# --- alpha -------------------------------------------------------------------------------------


def alpha_plane(dtype=np.uint8):
    """Every code once, opaque and clear among them."""
    high = np.iinfo(dtype).max
    return np.linspace(0, high, 64 * 48).astype(dtype).reshape(48, 64)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_alpha_is_kept_to_the_bit(grey_photograph, tmp_path, suffix, dtype, channels):
    """Alpha beside grey and beside RGB, at 8 and 16 bits."""
    grey = grey_photograph("coffee")[:48, :64].astype(dtype)
    alpha = alpha_plane(dtype)
    pixels = np.dstack([*([grey] * (channels - 1)), alpha])
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        photometric = "rgb" if channels == 4 else "minisblack"
        tifffile.imwrite(path, pixels, photometric=photometric, extrasamples=[2])
    data = colored(path).data
    if suffix == "png":
        result = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    else:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            result = tiff.asarray()
            assert [int(kind) for kind in tiff.pages[0].extrasamples] == [2]
    assert result.dtype == dtype
    assert np.array_equal(result[..., 3], alpha)
    luma = result[..., 2::-1] if suffix == "png" else result[..., :3]
    assert np.abs(luma @ WEIGHTS - grey).max() <= 0.5  # under clear pixels as well


@pytest.mark.parametrize("transparency", [0, b"\x00\x80\xff"])
def test_transparent_palette_keeps_its_alpha(tmp_path, transparency):
    """A palette with transparency becomes RGBA with the same alpha."""
    picture = Image.fromarray((np.arange(64 * 48) % 4).astype(np.uint8).reshape(48, 64), "P")
    picture.putpalette([0, 0, 0, 80, 80, 80, 160, 160, 160, 255, 255, 255])
    picture.save(tmp_path / "a.png", transparency=transparency)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.array(image.convert("RGBA"))
    encoded = colored(tmp_path / "a.png")
    result = np.array(opened(encoded.data))
    assert np.array_equal(result[..., 3], expected[..., 3])
    assert np.array_equal(pillow_grey(encoded.data), expected[..., 0])
    assert "palette" in " ".join(encoded.notes)


def test_webp_alpha_is_kept(grey_photograph, tmp_path):
    """Lossless WebP keeps alpha, and color under clear pixels."""
    grey = grey_photograph("coffee")[:48, :64]
    rgba = np.dstack([grey, grey, grey, alpha_plane()])
    data = colored(save(tmp_path / "a.webp", rgba, lossless=True, exact=True)).data
    assert np.array_equal(np.array(opened(data))[..., 3], alpha_plane())
    assert np.array_equal(pillow_grey(data), grey)


def test_alpha_dropped_for_jpeg_is_named(tmp_path):
    """What a format cannot hold is said."""
    path = save(tmp_path / "a.png", np.dstack([np.full((9, 9), 99, np.uint8)] * 4))
    encoded = colored(path, "JPEG")
    assert opened(encoded.data).mode == "RGB"
    assert any("alpha" in note for note in encoded.notes)


# --- metadata ----------------------------------------------------------------------------------


def some_exif():
    exif = Image.Exif()
    exif[0x010F] = "Leica"
    exif[0x0132] = "1953:06:02 11:00:00"
    exif.get_ifd(0x8769)[0x9286] = "Coronation"
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_xmp_profile_and_resolution_are_kept(grey_photograph, tmp_path, suffix):
    """What Pillow finds in the source it finds in the result, beside our mark."""
    rgb = np.dstack([grey_photograph("astronaut")] * 3)
    options = {"exif": some_exif(), "icc_profile": RGB_PROFILE, "dpi": (300, 600)}
    if suffix == "png":
        options["pnginfo"] = png_info(XMP)
    else:
        options["xmp"] = XMP
    path = save(tmp_path / f"a.{suffix}", rgb, **options)
    result = opened(colored(path).data)
    assert dict(result.getexif()).items() >= dict(some_exif()).items()
    assert result.getexif().get_ifd(0x8769)[0x9286] == "Coronation"
    assert result.info["icc_profile"] == RGB_PROFILE
    xmp = result.info.get("xmp") or result.info["XML:com.adobe.xmp"].encode()
    assert b'dc:source="box 7"' in xmp
    assert is_marked(xmp)
    if suffix != "webp":  # WebP has no field for it
        assert result.info["dpi"] == pytest.approx((300, 600), abs=0.1)  # PNG counts per meter


def test_metadata_of_a_16_bit_png_is_kept(grey_photograph, tmp_path):
    """EXIF, XMP and profile at 16 bits, where another encoder writes."""
    info = png_info(XMP)
    pixels = deep(grey_photograph("coffee")[:64, :64])
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(
        path, pnginfo=info, exif=some_exif(), icc_profile=RGB_PROFILE, dpi=(300, 300)
    )
    encoded = colored(path)
    result = opened(encoded.data)
    assert dict(result.getexif()).items() >= dict(some_exif()).items()
    assert result.info["icc_profile"] == RGB_PROFILE
    xmp = result.info["XML:com.adobe.xmp"]
    assert 'dc:source="box 7"' in xmp and is_marked(xmp.encode())
    assert any("DPI" in note for note in encoded.notes) or "dpi" in result.info


def test_tiff_tags_are_kept(grey_photograph, tmp_path):
    """Text tags (not only ASCII), XMP, profile, resolution, compression and predictor of a TIFF."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.dstack([grey_photograph("coffee")[:64, :64]] * 3),
        photometric="rgb",
        compression="lzw",
        predictor=True,
        description="Zürich, Fraumünster".encode(),
        metadata=None,
        software=False,
        iccprofile=RGB_PROFILE,
        resolution=(1200, 1200),
        resolutionunit="INCH",
        extratags=[(700, 1, len(XMP), XMP, True), (315, 2, 0, "A. Krenn", True)],
    )
    with tifffile.TiffFile(io.BytesIO(colored(path).data)) as tiff:
        page = tiff.pages[0]
        assert page.description == "Zürich, Fraumünster"
        assert page.tags[315].value == "A. Krenn"
        assert page.compression == tifffile.COMPRESSION.LZW
        assert page.predictor == tifffile.PREDICTOR.HORIZONTAL
        assert page.tags[34675].value == RGB_PROFILE
        assert page.get_resolution("INCH") == (1200, 1200)
        assert b'dc:source="box 7"' in page.tags[700].value
        assert is_marked(page.tags[700].value)


def test_grey_profile_is_not_put_on_a_color_picture(tmp_path):
    """A grey profile does not fit a color picture; it goes, and that is said."""
    profile = bytearray(RGB_PROFILE)
    profile[16:20] = b"GRAY"
    path = save(tmp_path / "a.png", np.full((9, 9), 70, np.uint8), icc_profile=bytes(profile))
    encoded = colored(path)
    assert opened(encoded.data).info.get("icc_profile") != bytes(profile)
    assert any("profile" in note for note in encoded.notes)


def test_xmp_too_long_for_jpeg_does_not_stop_the_picture(tmp_path):
    """JPEG holds 64 kB of XMP; where our mark does not fit beside it the mark wins, with a note."""
    padding = XMP.replace(b"box 7", b"x" * (65502 - len(XMP)))
    encoded = colored(save(tmp_path / "a.jpg", np.full((9, 9), 70, np.uint8), xmp=padding))
    assert is_marked(opened(encoded.data).info["xmp"])
    assert any("XMP" in note for note in encoded.notes)


def test_exif_too_long_for_jpeg_does_not_stop_the_picture(tmp_path):
    """PNG holds EXIF of any length, JPEG 64 kB; orientation survives."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 70_000
    path = save(tmp_path / "a.png", np.full((9, 20), 70, np.uint8), exif=exif)
    encoded = colored(path, "JPEG")
    assert opened(encoded.data).getexif()[0x0112] == 6
    assert any("EXIF" in note for note in encoded.notes)


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0garbage that is no TIFF", b"Exif\0\0II*\0\xff\xff\xff\x7f",
     b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40, b"\0" * 30],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_broken_exif_does_not_stop_the_picture(grey_photograph, tmp_path, suffix, exif):
    """Broken EXIF is no reason to leave a photograph grey, and is kept as it is."""
    path = save(tmp_path / f"a.{suffix}", grey_photograph("coffee")[:64, :64], exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what it cannot read
        assert opened(colored(path).data).size == (64, 64)
    kept = exif.removeprefix(b"Exif\0\0") in colored(path).data
    assert kept or any("APP1" in note for note in colored(path).notes)
    if len(exif) > 6:
        assert colored(path, "TIFF").notes


# --- orientation -------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_transposes_to(photograph, orientation):
    """The eight orientations are Pillow's, and `stored` is the way back."""
    pixels = photograph("coffee")[:30, :50]
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    truth = np.array(ImageOps.exif_transpose(image))
    assert np.array_equal(stills.upright(pixels, orientation), truth)
    assert np.array_equal(stills.stored(truth, orientation), pixels)


def left_red_right_green():
    ab = np.zeros((32, 32, 2), np.float32)
    ab[:, :16], ab[:, 16:] = (60, 30), (-60, 30)
    return ab


def assert_left_red_right_green(rgb):
    rgb = rgb.astype(int)
    width = rgb.shape[1]
    left, right = rgb[:, : width // 4], rgb[:, -width // 4 :]
    assert (left[..., 0] > left[..., 1] + 20).all()
    assert (right[..., 1] > right[..., 0] + 20).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "16.png", "palette.tif"])
@pytest.mark.parametrize("format_", [None, "PNG", "TIFF", "JPEG"])
def test_color_lies_where_the_picture_shows_it(tmp_path, suffix, orientation, format_):
    """Chroma predicted for the upright picture lands upright, in the same and in other formats."""
    grey = np.tile(np.linspace(90, 150, 60).astype(np.uint8), (40, 1))
    path = tmp_path / f"a.{suffix}"
    if suffix == "16.png":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(grey)
    if suffix == "palette.tif":
        picture.convert("P").save(path, tiffinfo={0x0112: orientation}, compression="tiff_lzw")
    elif suffix == "tif":
        tifffile.imwrite(path, grey, extratags=[(0x0112, 3, 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    # from bytes: of files by name Pillow maps plain TIFF into memory and does not turn them
    shown = ImageOps.exif_transpose(opened(path.read_bytes())).size
    encoded = colored(path, format_, left_red_right_green())
    result = ImageOps.exif_transpose(opened(encoded.data))
    assert result.size == shown
    if (format_ or reader.read(path).format) == "PNG" and suffix == "16.png":
        raw = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert raw.shape[1::-1] == shown  # OpenCV turns by EXIF as well
        assert_left_red_right_green(raw)
    else:
        assert_left_red_right_green(np.array(result.convert("RGB")))


# --- kinds of files ----------------------------------------------------------------------------


def test_cmyk_jpeg_is_colored_from_its_rgb(photograph, tmp_path):
    """A CMYK scan is read as Pillow reads it, and written as JPEG in RGB, with a note."""
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph("coffee")[:64, :64]).convert("CMYK").save(path)
    truth = np.array(opened(path.read_bytes()).convert("RGB")) @ WEIGHTS
    still = reader.read(path)
    assert np.abs(still.luma - truth).max() <= 0.5
    encoded = colored(path)
    assert opened(encoded.data).mode == "RGB"
    assert any("CMYK" in note for note in encoded.notes)


def test_rgb_jpeg_without_ycc_is_read(photograph, tmp_path):
    """A JPEG that stores RGB itself (Adobe transform 0) is not taken for Y'CbCr."""
    rgb = photograph("coffee")[:64, :64]
    path = save(tmp_path / "a.jpg", rgb, keep_rgb=True, quality=98)
    still = reader.read(path)
    assert np.abs(still.rgb.astype(int) - rgb).mean() < 3
    assert opened(colored(path).data).mode == "RGB"


@pytest.mark.parametrize(
    ("name", "mode"), [("a.png", "P"), ("a.png", "1"), ("a.tif", "1"), ("a.tif", "P")]
)
def test_palette_and_1_bit_pictures_become_rgb(grey_photograph, tmp_path, name, mode):
    """Their luma is kept, and a note says what happened to the palette."""
    picture = Image.fromarray(grey_photograph("chelsea")[:90, :90]).convert(mode)
    picture.save(tmp_path / name)
    encoded = colored(tmp_path / name)
    assert np.array_equal(pillow_grey(encoded.data), np.array(picture.convert("L")))
    assert encoded.notes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_tiff_is_not_turned_negative(grey_photograph, tmp_path, dtype):
    """Fax and microfilm TIFF store white as 0."""
    grey = grey_photograph("coffee")[:64, :64].astype(dtype)
    stored = np.iinfo(dtype).max - grey
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    assert np.array_equal(reader.read(tmp_path / "a.tif").luma, grey)
    result = tifffile.imread(io.BytesIO(colored(tmp_path / "a.tif").data))
    assert np.abs(result @ WEIGHTS - grey).max() <= 0.5


@pytest.mark.parametrize(
    "options",
    [{"compression": "zlib"}, {"compression": "lzw", "predictor": True}, {"compression": "zstd"},
     {"compression": "packbits"}, {"tile": (32, 32)}, {"byteorder": ">"}, {"bigtiff": True},
     {"rowsperstrip": 7}, {"planarconfig": "separate"}, {"compression": "jpegxl"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_of_many_layouts_keeps_its_luma(grey_photograph, tmp_path, options, dtype):
    """Compressed, tiled, big-endian, BigTIFF, planar: the same pixels come out."""
    grey = grey_photograph("rocket")[:70, :90].astype(dtype)
    pixels = np.stack([grey] * 3, 0 if "planarconfig" in options else -1)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    if options.get("compression") == "jpegxl":
        grey = np.rint(tifffile.imread(tmp_path / "a.tif") @ WEIGHTS)
    result = tifffile.imread(io.BytesIO(colored(tmp_path / "a.tif").data))
    assert result.dtype == dtype
    assert np.abs(result @ WEIGHTS - grey).max() <= 0.5


def test_jpeg_in_tiff_is_read(photograph, tmp_path):
    """Scanners write Y'CbCr JPEG inside of TIFF."""
    path = tmp_path / "a.tif"
    Image.fromarray(photograph("coffee")[:64, :64]).save(path, compression="jpeg", quality=95)
    luma = np.array(opened(path.read_bytes()).convert("RGB")) @ WEIGHTS
    assert np.abs(reader.read(path).luma - luma).max() <= 0.5
    assert reader.read(path).format == "TIFF"


def test_first_picture_of_an_mpo_is_colored(grey_photograph, tmp_path):
    """Stereo cameras and phones write several JPEG in one .jpg file."""
    first = Image.fromarray(grey_photograph("motorcycle_left")[:64, :64])
    second = Image.fromarray(grey_photograph("motorcycle_right")[:64, :64])
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    encoded = colored(tmp_path / "a.jpg")
    assert opened(encoded.data).format == "JPEG"
    truth = stored_y((tmp_path / "a.jpg").read_bytes())
    assert (stored_y(encoded.data) != truth).mean() < 0.05
    assert any("first" in note for note in encoded.notes)


def test_content_tells_the_format_not_the_name(tmp_path):
    """A PNG named .jpg is a PNG."""
    save(tmp_path / "a.jpg", np.full((5, 5), 9, np.uint8), format="PNG")
    assert reader.read(tmp_path / "a.jpg").format == "PNG"


def test_16_bits_become_8_for_jpeg_and_webp_with_a_note(grey_photograph, tmp_path):
    """Where a format holds 8 bits only, codes are rounded to the nearest."""
    pixels = deep(grey_photograph("coffee")[:64, :64])
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    encoded = colored(tmp_path / "a.tif", "WEBP")
    assert np.array_equal(pillow_grey(encoded.data), np.rint(pixels / 257))
    assert any("16 bits" in note for note in encoded.notes)
    assert any("16 bits" in note for note in colored(tmp_path / "a.tif", "JPEG").notes)


def test_too_long_for_webp_is_refused_in_words(tmp_path):
    """WebP ends at 16383 pixels a side."""
    path = save(tmp_path / "a.png", np.zeros((1, 16384), np.uint8))
    with pytest.raises(TargetError, match="16383"):
        colored(path, "WEBP")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
def test_tiny_and_thin_pictures_pass(tmp_path, suffix, size):
    """No picture is too small."""
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", np.full(size, 100, np.uint8), **options)
    result = pillow_grey(colored(path, ab=np.full((4, 4, 2), 20, np.float32)).data)
    assert result.shape == size
    assert np.abs(result.astype(int) - 100).max() <= (1 if suffix == "jpg" else 0)


def test_a_picture_in_color_changes_format_without_a_mark(photograph, tmp_path):
    """Without chroma to add only the format changes: pixels stay, and nothing claims otherwise."""
    rgb = photograph("astronaut")[:64, :64]
    still = reader.read(save(tmp_path / "a.png", rgb))
    result = opened(writer.encode(still, None, "TIFF", mark="test").data)
    assert np.array_equal(np.array(result), rgb)
    assert not is_marked(result.tag_v2.get(700, b""))


def test_load_rgb_is_upright_8_bit_rgb(photograph, tmp_path):
    """What training and evaluation read is what a viewer shows."""
    rgb = photograph("coffee")[:30, :50]
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.png", rgb, exif=exif)
    assert np.array_equal(reader.load_rgb(path), np.rot90(rgb, -1))
    tifffile.imwrite(tmp_path / "b.tif", rgb.astype(np.uint16) * 257, photometric="rgb")
    assert np.array_equal(reader.load_rgb(tmp_path / "b.tif"), rgb)
    save(tmp_path / "c.png", rgb[..., 0])
    assert np.array_equal(reader.load_rgb(tmp_path / "c.png"), np.dstack([rgb[..., 0]] * 3))


# --- what cannot be read -----------------------------------------------------------------------


def valid_files():
    """Small valid files of each format, as bytes."""
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 256, (48, 64), np.uint8)
    files = {}
    for suffix in ("jpg", "png", "webp", "tif"):
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix))
        files[suffix] = buffer.getvalue()
    files["16.png"] = imagecodecs.png_encode(grey.astype(np.uint16) * 200)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, grey, compression="lzw")
    files["lzw.tif"] = buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(grey).convert("P").save(buffer, "TIFF")
    files["palette.tif"] = buffer.getvalue()
    return files


VALID = valid_files()


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", VALID)
def test_truncated_files_are_refused_by_name(tmp_path, kind, part):
    """A file cut off by a broken copy is an error, never half of a picture."""
    path = tmp_path / f"a.{kind}"
    path.write_bytes(VALID[kind][: int(len(VALID[kind]) * part)])
    with pytest.raises(SourceError, match="a." + kind):
        reader.read(path)


def animated(suffix):
    frames = [Image.new("L", (8, 8), value) for value in (0, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, suffix, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def tiff_of(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def bomb():
    """A PNG header that promises 60000 x 60000 pixels."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")):
        crc = struct.pack(">I", zlib.crc32(name + body))
        data += struct.pack(">I", len(body)) + name + body + crc
    return data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"Dear Sir,\nenclosed please find", "not a JPEG, PNG, TIFF, WebP"),
        (b"GIF89a" + b"\0" * 30, "not a JPEG, PNG, TIFF, WebP"),
        (b"\xff\xd8\xff", "truncated or broken"),
        (b"RIFF\x40\0\0\0WEBPVP8 ", "truncated or broken"),
        (b"II*\0", "."),
        (animated("PNG"), "animated"),
        (animated("WEBP"), "animated"),
        (tiff_of(np.full((8, 8), 200, np.float32)), "SMaxSampleValue"),
        (tiff_of(np.zeros((8, 8), np.uint32)), "32 bits"),
        (tiff_of(np.zeros((8, 8), np.int16)), "int16"),
        (bomb(), "million"),
    ],
    ids=str,
)
def test_what_cannot_be_colored_is_refused_with_its_reason(tmp_path, data, reason):
    """Empty, not a picture, animated, samples of an unknown range, too large."""
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=reason) as caught:
        reader.read(path)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_source_errors(tmp_path):
    """The system's own refusals are translated as well."""
    for path in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(SourceError, match="cannot read"):
            reader.read(path)


def read_or_refuse(path, data):
    path.write_bytes(data)
    try:
        still = reader.read(path)
    except SourceError:
        return
    assert still.luma.dtype in (np.uint8, np.uint16)
    try:  # whatever can be read can be colored and written again
        writer.encode(still, chroma((4, 4)), still.format, mark="test")
    except ColorbatchError:
        return


@given(kind=st.sampled_from(sorted(VALID)), data=st.data())
@settings(max_examples=150, deadline=None)
def test_flipped_bits_never_raise_anything_else(tmp_path_factory, kind, data):
    """A damaged file is a SourceError or a picture, for every format."""
    damaged = bytearray(VALID[kind])
    flips = data.draw(
        st.lists(
            st.tuples(st.integers(0, min(400, len(damaged) - 1)), st.integers(1, 255)),
            min_size=1,
            max_size=8,
        )
    )
    for position, bits in flips:
        damaged[position] ^= bits
    read_or_refuse(tmp_path_factory.getbasetemp() / "flipped", bytes(damaged))


@given(
    head=st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0",
                          b"MM\0*\0\0\0\x08", b"RIFF\x40\0\0\0WEBPVP8 "]),
    tail=st.binary(max_size=200),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_random_bytes_never_raise_anything_else(tmp_path_factory, head, tail):
    """Neither do random bytes behind a right beginning."""
    read_or_refuse(tmp_path_factory.getbasetemp() / "random", head + tail)


def test_kind_of_matches_what_a_still_holds(grey_photograph, tmp_path):
    """Grey stored as RGB is read with its codes as luma, unrounded."""
    grey = grey_photograph("coffee")[:64, :64]
    still = reader.read(save(tmp_path / "a.png", np.dstack([grey] * 3)))
    assert np.array_equal(still.luma, grey)
    assert still.exact_luma(0, 64) is None
    assert classify.kind_of(still.rgb) == "grey"
