"""DPX and EXR frames: read from hand-packed files and other writers', read back by libav."""

from __future__ import annotations

import itertools
import math
import struct
import sys

import av
import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own name for itself
import pytest

from colorbatch import scans
from colorbatch.errors import SourceError, UsageError
from colorbatch.fs.atomic import replacing
from colorbatch.scans import dpx
from colorbatch.scans.record import timecode_of

RNG = np.random.default_rng(5)


def random_codes(width=8, channels=1, bits=10):
    """Codes over the whole range, both ends included."""
    codes = RNG.integers(0, 1 << bits, (5, width, channels)).astype(np.uint16)
    codes[0, 0], codes[0, 1] = 0, (1 << bits) - 1
    return codes


def all_samples(scan):
    """Samples with alpha behind them."""
    return scan.samples if scan.alpha is None else np.dstack([scan.samples, scan.alpha])


# --- DPX, pixels -------------------------------------------------------------------------------

LAYOUTS = [
    (bits, packing, channels, order)
    for bits, packing, channels, order in itertools.product(
        (8, 10, 12, 16), (0, 1, 2), (1, 3, 4), "<>"
    )
]


@pytest.mark.parametrize(("bits", "packing", "channels", "order"), LAYOUTS)
@pytest.mark.parametrize("width", [8, 9])
def test_every_packing_is_read_to_the_code(
    dpx_file, tmp_path, bits, packing, channels, order, width
):
    """All depths, packings, byte orders and numbers of channels, also of rows that end within a
    word of 32 bits: the very codes that were packed by hand."""
    codes = random_codes(width, channels, bits)
    path = dpx_file(codes, bits, packing, order).write(tmp_path / "a.dpx")
    scan = scans.read(path)
    assert scan.header.bits == bits
    assert all_samples(scan).dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_array_equal(all_samples(scan), codes)


@pytest.mark.parametrize(("bits", "packing", "channels", "order"), LAYOUTS)
@pytest.mark.parametrize("width", [8, 9])
def test_results_are_read_by_libav_to_the_code(
    dpx_file, libav_picture, tmp_path, bits, packing, channels, order, width
):
    """What is written, libav reads: same depth, RGB, alpha as it was, codes unchanged."""
    source = scans.read(
        dpx_file(random_codes(width, channels, bits), bits, packing, order).write(
            tmp_path / "a.dpx"
        )
    )
    rgb = random_codes(width, 3, bits).astype(source.samples.dtype)
    with replacing(tmp_path / "b.dpx") as file:
        assert scans.write(file, source, rgb) == ()
    found = libav_picture(tmp_path / "b.dpx")
    np.testing.assert_array_equal(found[..., :3], rgb)
    if channels == 4:
        np.testing.assert_array_equal(found[..., 3], source.alpha)
    assert scans.header(tmp_path / "b.dpx").bits == bits
    np.testing.assert_array_equal(scans.read(tmp_path / "b.dpx").samples, rgb)


@pytest.mark.parametrize("bits", [8, 10])
def test_openimageio_alone_misreads_ends_of_rows(dpx_file, libav_picture, tmp_path, bits):
    """Why pixels are taken apart here: OpenImageIO gives wrong codes for rows that end within a
    word of 32 bits; libav and we do not. When this fails, the library is right, and our own code
    can go."""
    codes = random_codes(10, 1, bits)
    path = dpx_file(codes, bits).write(tmp_path / "a.dpx")
    found = oiio.ImageInput.open(str(path)).read_image("uint8" if bits == 8 else "uint16")
    assert not np.array_equal(found.reshape(codes.shape) >> (0 if bits == 8 else 6), codes)
    np.testing.assert_array_equal(libav_picture(path) if bits == 8 else codes, codes)
    np.testing.assert_array_equal(scans.read(path).samples, codes)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_that_end_where_their_bytes_do(dpx_file, tmp_path, bits, channels):
    """OpenImageIO's files, which do not fill rows of 9 columns up to words, are read as well."""
    codes = random_codes(9, channels, bits)
    spec = oiio.ImageSpec(9, 5, channels, f"uint{bits}")
    spec.channelnames = ("Y",) if channels == 1 else ("R", "G", "B")
    output = oiio.ImageOutput.create("dpx")
    assert output.open(str(tmp_path / "a.dpx"), spec)
    output.write_image(codes.astype(f"u{bits // 8}"))
    output.close()
    np.testing.assert_array_equal(scans.read(tmp_path / "a.dpx").samples, codes)


@pytest.mark.parametrize("by_name", [True, False])
def test_words_that_run_on_over_rows(dpx_file, tmp_path, by_name):
    """Some scanners do not pad rows of 10 bits: told by the file's length or the device's name."""
    codes = random_codes(8, 1)
    fields = ((1556, b"Scanity\0"),) if by_name else ()
    made = dpx_file(codes, unpadded=True, fields=fields)
    path = made.write(tmp_path / "a.dpx")
    if by_name:
        path.write_bytes(path.read_bytes() + bytes(64))  # the length does not tell it any more
    np.testing.assert_array_equal(scans.read(path).samples, codes)


@pytest.mark.parametrize("pix_fmt", ["gray", "rgb24", "rgba", "gbrp10be", "gbrp12be", "rgb48be"])
def test_libavs_files_are_read_as_libav_reads_them(libav_picture, tmp_path, pix_fmt):
    """libav writes headers of 1664 bytes, pixels right behind: they are no time code."""
    path = tmp_path / "a.dpx"
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("dpx", rate=24)
        stream.width, stream.height, stream.pix_fmt = 46, 38, pix_fmt
        frame = av.VideoFrame(46, 38, pix_fmt)
        for plane in frame.planes:
            plane.update(RNG.integers(0, 4, plane.buffer_size, np.uint8).tobytes())
        container.mux([*stream.encode(frame), *stream.encode()])
    scan = scans.read(path)
    np.testing.assert_array_equal(all_samples(scan), libav_picture(path))
    assert (scan.header.timecode, scan.header.rate) == ("", None)
    with replacing(tmp_path / "b.dpx") as file:
        scans.write(file, scan, np.dstack([scan.samples[..., 0]] * 3))
    assert len((tmp_path / "b.dpx").read_bytes()) == 1664 + dpx.parse(tmp_path / "b.dpx")[1].payload
    np.testing.assert_array_equal(libav_picture(tmp_path / "b.dpx")[..., 1], scan.samples[..., 0])


# --- DPX, header -------------------------------------------------------------------------------

FILM = (
    (160, b"Scanner 4\0"),
    (260, b"Restoration of a reel\0"),
    (768, struct.pack(">H", 2)),
    (1556, b"Arriscan\0"),
    (1628, struct.pack(">II", 2, 1)),
    (1664, b"0145121234560789"),
    (1680, b"Academy\0"),
    (1712, struct.pack(">I", 86399)),
    (1724, struct.pack(">f", 23.976)),
    (1732, b"frame 7\0"),
    (1764, b"slate\0"),
    (1920, bytes.fromhex("01020304")),
)


def test_header_fields_by_their_offsets(dpx_file, tmp_path):
    """Rate, time code, edge code, orientation, frame number, device, aspect: from where the
    standard puts them."""
    header = scans.header(dpx_file(random_codes(), fields=FILM).write(tmp_path / "a.dpx"))
    assert header.rate == pytest.approx(23.976, abs=1e-6)
    assert header.timecode == "01:02:03:04"
    assert header.orientation == 4  # bottom to top
    assert (header.frame, header.aspect, header.creator) == (86399, 2.0, "Scanner 4")
    assert header.fields["input device"] == "Arriscan"
    assert header.fields["film format"] == "Academy"
    assert (header.transfer, header.channels, header.marked) == ("logarithmic", 1, False)


@pytest.mark.parametrize(("code", "orientation"), list(enumerate((1, 2, 4, 3, 5, 6, 8, 7))))
def test_orientation_is_the_one_that_openimageio_sees(dpx_file, tmp_path, code, orientation):
    """All eight ways to scan lines, checked against OpenImageIO's table."""
    made = dpx_file(random_codes(9), fields=((768, struct.pack(">H", code)),))
    path = made.write(tmp_path / "a.dpx")
    assert scans.header(path).orientation == orientation
    assert oiio.ImageInput.open(str(path)).spec().getattribute("Orientation") == orientation


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("length", [1664, 2048, 8192, 10000])
def test_results_carry_the_header_byte_by_byte(dpx_file, tmp_path, order, length):
    """Every byte, user data and reserved ones too, is the source's, but for those that say how the
    new pixels lie."""
    fields = ((660, RNG.bytes(108)), (852, RNG.bytes(length - 852)))
    made = dpx_file(random_codes(), order=order, header=length, fields=fields)
    source = scans.read(made.write(tmp_path / "a.dpx"))
    with replacing(tmp_path / "b.dpx") as file:
        scans.write(file, source, np.dstack([source.samples] * 3))
    before, after = made.head(), (tmp_path / "b.dpx").read_bytes()
    changed = {i for i in range(length) if before[i] != after[i]}
    assert changed <= {i for start, stop in dpx.CHANGED for i in range(start, stop)}
    assert scans.header(tmp_path / "b.dpx").marked
    size = int.from_bytes(after[16:20], "big" if order == ">" else "little")
    assert size == len(after)


def test_openimageio_reads_the_header_of_a_result(dpx_file, tmp_path):
    """An independent reader finds the film's fields in the result."""
    source = scans.read(dpx_file(random_codes(), fields=FILM).write(tmp_path / "a.dpx"))
    with replacing(tmp_path / "b.dpx") as file:
        scans.write(file, source, np.dstack([source.samples] * 3))
    spec = oiio.ImageInput.open(str(tmp_path / "b.dpx")).spec()
    assert spec.getattribute("dpx:TimeCode") == "01:02:03:04"
    assert spec.getattribute("smpte:KeyCode")[:5] == (1, 45, 123456, 789, 12)
    assert spec.getattribute("dpx:FrameRate") == pytest.approx(23.976, abs=1e-6)
    assert spec.getattribute("dpx:Transfer") == "Logarithmic"
    assert spec.getattribute("dpx:FramePosition") == 86399
    assert spec.getattribute("dpx:InputDevice") == "Arriscan"
    assert spec.getattribute("DocumentName") == "Restoration of a reel"
    assert spec.getattribute("ImageDescription") == dpx.ELEMENT_MARK
    assert (spec.nchannels, spec.getattribute("oiio:BitsPerSample")) == (3, 10)


@pytest.mark.parametrize(
    ("low", "high", "levels"), [(64, 940, "limited"), (0, 1023, "full"), (95, 685, "full")]
)
def test_levels_by_the_reference_codes(dpx_file, tmp_path, low, high, levels):
    """Reference codes of video say limited levels."""
    fields = ((784, struct.pack(">I", low)), (792, struct.pack(">I", high)))
    path = dpx_file(random_codes(), transfer=6, fields=fields).write(tmp_path / "a.dpx")
    assert scans.header(path).levels == levels


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (0x01020304, "01:02:03:04"),
        (0x23595923, "23:59:59:23"),
        (0x10000042, "10:00:00;02"),  # bit 6: drop frame
        (0xFFFFFFFF, ""),
        (0x24000000, ""),
        (0x0A000000, ""),
        (0x00600000, ""),
    ],
)
def test_time_codes(packed, text):
    """Binary-coded decimals, and nothing for what is no time."""
    assert timecode_of(packed) == text


def test_rates_that_are_none(dpx_file, tmp_path):
    """Zero, not a number and infinity are no rate; the television header's counts second."""
    for number, expected in ((0.0, None), (math.nan, None), (math.inf, None), (25.0, 25.0)):
        fields = ((1724, struct.pack(">f", 0.0)), (1940, struct.pack(">f", number)))
        path = dpx_file(random_codes(), fields=fields).write(tmp_path / "a.dpx")
        assert scans.header(path).rate == expected


# --- broken files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (((0, b"RIFF"),), "no DPX file"),
        (((4, struct.pack(">I", 12)), (808, struct.pack(">I", 12))), "pixels begin at byte 12"),
        (((770, struct.pack(">H", 3)),), "3 image elements"),
        (((800, b"\x64"),), "neither luma nor RGB (descriptor 100)"),
        (((803, b"\x20"),), "32 bits per sample"),
        (((804, struct.pack(">H", 7)),), "packing 7"),
        (((780, struct.pack(">I", 1)),), "signed"),
        (((772, struct.pack(">I", 0)),), "no pixels"),
        (((776, struct.pack(">I", 4000)),), "is cut off"),
        (((772, struct.pack(">II", 1 << 20, 1 << 20)),), "pixels are more than"),
    ],
)
def test_broken_headers_are_one_line(dpx_file, tmp_path, fields, said):
    """What cannot be read is named with its reason, before anything of its size is allocated."""
    path = dpx_file(random_codes(), fields=fields).write(tmp_path / "a.dpx")
    with pytest.raises(SourceError) as caught:
        scans.read(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".dpx", ".exr"])
@pytest.mark.parametrize("content", [b"", b"SDPX", b"\x76\x2f\x31\x01", b"hello" * 600])
def test_what_is_no_scan_is_one_line(tmp_path, suffix, content):
    """Empty, cut off in the header, or something else."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        scans.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_file_that_ends_early_is_refused(dpx_file, tmp_path, bits):
    """A frame whose last row is missing is not completed with black."""
    path = dpx_file(random_codes(9, 3, bits), bits).write(tmp_path / "a.dpx")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SourceError, match="cut off"):
        scans.read(path)


def test_without_openimageio_there_is_one_line(monkeypatch, dpx_file, tmp_path):
    """The extra's pip line, and not a traceback."""
    monkeypatch.setitem(sys.modules, "OpenImageIO", None)
    path = dpx_file(random_codes(bits=12), 12, 0).write(tmp_path / "a.dpx")
    with pytest.raises(UsageError, match=r'pip install "colorbatch\[film\]"'):
        scans.read(path)


# --- EXR ---------------------------------------------------------------------------------------


def make_exr(path, samples, kind="half", **attributes):
    """An EXR file by OpenImageIO."""
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    spec.channelnames = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}[
        channels
    ]
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), *value if isinstance(value, tuple) else (value,))
    output = oiio.ImageOutput.create("openexr")
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(samples), output.geterror()
    output.close()
    return path


def light(channels, kind):
    """Linear samples, some above white and below black."""
    dtype = np.float16 if kind == "half" else np.float32
    return (RNG.random((6, 9, channels)) * 1.2 - 0.1).astype(dtype)


@pytest.mark.parametrize("kind", ["half", "float"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_exr_comes_and_goes_to_the_bit(libav_picture, tmp_path, kind, channels):
    """Half and float, grey and RGB, alpha: read as they are; libav reads the result to the bit."""
    samples = light(channels, kind)
    source = scans.read(make_exr(tmp_path / "a.exr", samples, kind))
    np.testing.assert_array_equal(all_samples(source), samples)
    assert source.header.bits == (16 if kind == "half" else 32)
    rgb = light(3, kind)
    with replacing(tmp_path / "b.exr") as file:
        assert scans.write(file, source, rgb, "colorbatch, a model") == ()
    back = scans.read(tmp_path / "b.exr")
    np.testing.assert_array_equal(back.samples, rgb)
    assert back.samples.dtype == samples.dtype and back.header.marked
    found = libav_picture(tmp_path / "b.exr")
    np.testing.assert_array_equal(found[..., :3], rgb.astype(np.float32))


def test_exr_attributes_are_carried_over(tmp_path):
    """Rate, time code, edge code, windows, own attributes, tiles and compression."""
    path = make_exr(
        tmp_path / "a.exr",
        light(1, "half"),
        framesPerSecond=("rational", (24000, 1001)),
        smpte__TimeCode=(oiio.TypeTimeCode, (0x10000042, 7)),
        smpte__KeyCode=(oiio.TypeKeyCode, (1, 2, 3, 4, 5, 6, 64)),
        compression="piz",
        scanner="a scanner",
        PixelAspectRatio=2.0,
        chromaticities=("float[8]", (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)),
    )
    source = scans.read(path)
    header = source.header
    assert (header.rate, header.timecode) == ((24000, 1001), "10:00:00;02")
    assert (header.transfer, header.aspect) == ("linear", 2.0)
    assert header.chromaticities == pytest.approx((0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329))
    with replacing(tmp_path / "b.exr") as file:
        scans.write(file, source, light(3, "half"), "mark")
    kept, made = (oiio.ImageInput.open(str(tmp_path / name)).spec() for name in ("a.exr", "b.exr"))
    values = {one.name: one.value for one in made.extra_attribs}
    for one in kept.extra_attribs:
        assert np.array_equal(values[one.name], one.value), one.name
    assert values["colorbatch:ColorMadeBy"] == "mark"


def test_exr_windows_and_tiles_are_kept(tmp_path):
    """Data and display window, and tiles."""
    spec = oiio.ImageSpec(32, 16, 1, "half")
    spec.channelnames, spec.x, spec.y = ("Y",), 4, -2
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, 40, 12
    spec.tile_width = spec.tile_height = 16
    output = oiio.ImageOutput.create("openexr")
    assert output.open(str(tmp_path / "a.exr"), spec)
    assert output.write_image(np.full((16, 32, 1), 0.25, np.float16))
    output.close()
    source = scans.read(tmp_path / "a.exr")
    with replacing(tmp_path / "b.exr") as file:
        scans.write(file, source, np.full((16, 32, 3), 0.5, np.float16))
    made = oiio.ImageInput.open(str(tmp_path / "b.exr")).spec()
    for name in ("x", "y", "full_x", "full_y", "full_width", "full_height", "tile_width"):
        assert getattr(made, name) == getattr(spec, name), name
    np.testing.assert_array_equal(scans.read(tmp_path / "b.exr").samples, np.float16(0.5))


def test_lossy_exr_becomes_lossless_and_says_so(tmp_path):
    """B44 would change luminance: zip instead, with a note."""
    source = scans.read(make_exr(tmp_path / "a.exr", light(1, "half"), compression="b44"))
    rgb = light(3, "half")
    with replacing(tmp_path / "b.exr") as file:
        [note] = scans.write(file, source, rgb)
    assert "b44" in note and "zip" in note
    np.testing.assert_array_equal(scans.read(tmp_path / "b.exr").samples, rgb)


def test_other_exr_is_refused(tmp_path):
    """Depth maps and the like are no pictures."""
    spec = oiio.ImageSpec(4, 4, 2, "half")
    spec.channelnames = ("Z", "U")
    output = oiio.ImageOutput.create("openexr")
    assert output.open(str(tmp_path / "a.exr"), spec)
    output.write_image(np.zeros((4, 4, 2), np.float16))
    output.close()
    with pytest.raises(SourceError, match="channels Z, U"):
        scans.read(tmp_path / "a.exr")


def test_exr_with_several_parts_is_refused(tmp_path):
    """A result would have the first one alone."""
    samples = light(3, "half")
    specs = []
    for name in ("left", "right"):
        spec = oiio.ImageSpec(9, 6, 3, "half")
        spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    output = oiio.ImageOutput.create("openexr")
    assert output.open(str(tmp_path / "a.exr"), specs)
    output.write_image(samples)
    assert output.open(str(tmp_path / "a.exr"), specs[1], "AppendSubimage")
    output.write_image(samples)
    output.close()
    with pytest.raises(SourceError, match="several parts"):
        scans.read(tmp_path / "a.exr")
    with pytest.raises(SourceError, match="several parts"):
        scans.header(tmp_path / "a.exr")


@pytest.mark.parametrize("suffix", [".dpx", ".exr"])
def test_a_failed_write_leaves_nothing(dpx_file, tmp_path, suffix):
    """Samples that do not fit are refused, and the folder is as it was."""
    if suffix == ".dpx":
        source = scans.read(dpx_file(random_codes()).write(tmp_path / "a.dpx"))
    else:
        source = scans.read(make_exr(tmp_path / "a.exr", light(1, "half")))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="do not fit"), replacing(tmp_path / f"b{suffix}") as file:
        scans.write(file, source, np.zeros((2, 2, 3), np.uint8))
    assert sorted(tmp_path.iterdir()) == before
