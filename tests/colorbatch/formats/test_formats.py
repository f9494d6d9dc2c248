"""The luma promise, walked over real files of every format and depth; and what formats keep.

Files are written and results are read by Pillow, OpenCV, tifffile and pillow-heif.
"""

from __future__ import annotations

import functools
import io
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from colorbatch.errors import SourceError
from colorbatch.formats import reader, registry, writer
from colorbatch.formats.provenance import is_marked
from colorbatch.formats.still import Still
from colorbatch.inputs import picture_files
from colorbatch.job import ImageSettings, Job
from colorbatch.model.engine import Engine
from colorbatch.stills.batch import colorize_images
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)

WEIGHTS = np.array([0.299, 0.587, 0.114])
AB = np.random.default_rng(1).uniform(-90, 90, (16, 16, 2)).astype(np.float32)
Maker = Callable[[Path, np.ndarray], None]


def pillow(mode: str = "L", **options: Any) -> Maker:
    def write(path: Path, grey: np.ndarray) -> None:
        Image.fromarray(grey).convert(mode).save(path, **options)

    return write


def alpha(**options: Any) -> Maker:
    def write(path: Path, grey: np.ndarray) -> None:
        Image.fromarray(np.dstack([grey, grey, grey, grey.T])).save(path, **options)

    return write


def deep(grey: np.ndarray, bits: int = 16) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, grey.shape)
    return ((grey.astype(np.uint32) * 256 + noise) >> (16 - bits)).astype(np.uint16)


def tiff(dtype: str = "u1", **options: Any) -> Maker:
    def write(path: Path, grey: np.ndarray) -> None:
        pixels = {"u1": grey, "u2": deep(grey), "f4": grey / np.float32(255)}[dtype]
        tifffile.imwrite(path, pixels, **options)

    return write


def jpeg2000(bits: int = 8, **options: Any) -> Maker:
    def write(path: Path, grey: np.ndarray) -> None:
        pixels = grey if bits == 8 else deep(grey, bits)
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, bitspersample=bits, **options))

    return write


def deep_png(channels: int) -> Maker:
    def write(path: Path, grey: np.ndarray) -> None:
        pixels = np.dstack([deep(grey)] * channels)
        path.write_bytes(imagecodecs.png_encode(pixels))

    return write


TABLE: dict[str, Maker] = {
    "grey.jpg": pillow(quality=85),
    "color.jpg": pillow("RGB", quality=85),
    "progressive.jpg": pillow(quality=60, progressive=True),
    "cmyk.jpg": pillow("CMYK", quality=85),
    "1.png": pillow("1"),
    "2.png": pillow("P", bits=2),
    "8.png": pillow(),
    "palette.png": pillow("P"),
    "alpha.png": alpha(),
    "16.png": deep_png(1),
    "16-rgb.png": deep_png(3),
    "16-alpha.png": deep_png(4),
    "8.tif": tiff(),
    "16.tif": tiff("u2", compression="zlib", predictor=True),
    "float.tif": tiff("f4"),
    "big.tif": tiff(bigtiff=True, compression="lzw", tile=(16, 16)),
    "jpeg.tif": tiff(compression="jpeg", compressionargs={"level": 85}),
    "1.tif": pillow("1", compression="group4"),
    "cmyk.tif": pillow("CMYK", compression="tiff_lzw"),
    "lossless.webp": pillow("RGB", lossless=True),
    "alpha.webp": alpha(lossless=True, exact=True),
    "lossy.webp": pillow("RGB", quality=80),
    "8.bmp": pillow(),
    "24.bmp": pillow("RGB"),
    "1.bmp": pillow("1"),
    "8.jp2": jpeg2000(level=0),
    "12.jp2": jpeg2000(12, level=0),
    "16.jp2": jpeg2000(16, level=0),
    "lossy.jp2": jpeg2000(level=40),
    "alpha.jp2": alpha(),
    "8.j2k": jpeg2000(level=0, codecformat="J2K"),
}


def decoded(data: bytes) -> np.ndarray:
    """Samples of a file as stored, RGB or RGBA or grey, by libraries other than those we ask."""
    if data[:2] in (b"II", b"MM"):
        return tifffile.imread(io.BytesIO(data))
    if data[:4] == b"\x89PNG" or data[:2] == b"BM":
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    if b"jP  " in data[:12] or data[:2] == b"\xff\x4f":
        return imagecodecs.jpeg2k_decode(data)
    return np.array(Image.open(io.BytesIO(data)))


def true_luma(name: str, path: Path) -> np.ndarray:
    """The luma of the source in codes of its result, float64, from Pillow's own conversion."""
    data = path.read_bytes()
    if name in ("1.png", "2.png", "palette.png", "cmyk.jpg", "cmyk.tif", "1.tif", "1.bmp"):
        return np.array(Image.open(path).convert("RGB")).astype(np.float64) @ WEIGHTS
    pixels = decoded(data)
    if name == "12.jp2":
        pixels = (pixels.astype(np.int64) * 65535 // 4095).astype(np.uint16)
    if pixels.ndim == 2:
        return pixels.astype(np.float64)
    return pixels[..., :3].astype(np.float64) @ WEIGHTS


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", ["JP2", "J2K"])
def test_deep_jpeg2000_is_read_at_its_depth(
    tmp_path: Path, bits: int, channels: int, form: str
) -> None:
    """Samples of any depth come as 16-bit codes with the highest as white, exactly."""
    shape = (40, 50, 3)[: 2 + channels // 3]
    samples = np.random.default_rng(bits).integers(0, 2**bits, shape, np.uint16)
    data = imagecodecs.jpeg2k_encode(
        samples, bitspersample=bits, level=0, reversible=True, codecformat=form
    )
    (tmp_path / "a.jp2").write_bytes(data)
    still = reader.read(tmp_path / "a.jp2")
    expected = samples.astype(np.int64) * 65535 // (2**bits - 1)
    assert np.array_equal(still.luma if channels == 1 else still.rgb, expected)


@pytest.mark.parametrize("name", TABLE)
def test_luma_is_kept_in_every_format_and_depth(
    grey_photograph: Any, tmp_path: Path, name: str
) -> None:
    """Lossless: grey equals, to half a code; JPEG: the issue's limits; lossy others say theirs."""
    path = tmp_path / name
    TABLE[name](path, np.ascontiguousarray(grey_photograph("coffee")[100:196, 200:296]))
    still = reader.read(path)
    encoded = writer.encode(still, AB, still.format, mark="test")
    if (name.endswith(".jpg") and name != "cmyk.jpg") or name == "jpeg.tif":
        if name == "jpeg.tif":
            with tifffile.TiffFile(io.BytesIO(encoded.data)) as result:
                assert result.pages[0].compression == tifffile.COMPRESSION.JPEG
        else:
            planes = []
            for data in (path.read_bytes(), encoded.data):
                image = Image.open(io.BytesIO(data))
                if image.mode != "L":
                    image.draft("YCbCr", image.size)
                planes.append(np.array(image.getchannel(0)).astype(int))
            gap = np.abs(planes[0] - planes[1])
            assert (gap != 0).mean() < 0.05
            assert gap.mean() <= 0.05
        return
    result = decoded(encoded.data)
    rgb = result[..., :3].astype(np.float64)
    error = np.abs(rgb @ WEIGHTS - true_luma(name, path))
    if not name.startswith("1."):  # black and white have no room for color
        assert np.ptp(rgb, axis=2).max() > 0.2 * rgb.max()
    if name in ("lossy.webp", "cmyk.jpg"):
        assert error.mean() < 3
        assert name == "cmyk.jpg" or any("luma differs" in note for note in encoded.notes)
        return
    assert result.dtype == still.dtype
    assert error.max() <= (1e-7 if name == "float.tif" else 0.5)
    if "alpha" in name:
        assert np.array_equal(result[..., 3], decoded(path.read_bytes())[..., 3])


@pytest.mark.parametrize("name", ["1.png", "2.png", "palette.png", "1.tif", "1.bmp", "12.jp2"])
def test_what_becomes_of_odd_depths_is_said(
    grey_photograph: Any, tmp_path: Path, name: str
) -> None:
    """A change of depth is in the report."""
    TABLE[name](tmp_path / name, np.ascontiguousarray(grey_photograph("coffee")[:32, :32]))
    assert reader.read(tmp_path / name).notes


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_png_of_few_bits_is_scaled_to_white(tmp_path: Path, bits: int) -> None:
    """Grey PNG of 2 and 4 bits, written by hand: libpng's scaling, and a note."""
    import zlib

    row = bytes([0, 0b00011011] if bits == 2 else [0, 0x0F, 0x37])
    width = 4
    header = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(row)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "a.png").write_bytes(data)
    still = reader.read(tmp_path / "a.png")
    assert still.luma.tolist() == [[0, 85, 170, 255] if bits == 2 else [0, 255, 51, 119]]
    assert any(f"{bits}-bit" in note for note in still.notes)


def test_png_texts_and_display_chunks_are_kept(tmp_path: Path) -> None:
    """tEXt, zTXt, iTXt, gAMA, cHRM: Pillow finds in the result what it found in the source."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "A. Krenn")
    info.add_text("Comment", "long " * 1000, zip=True)
    info.add_itxt("Title", "Fraumünster", "de", "Titel")
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    for depth in (np.uint8, np.uint16):
        path = tmp_path / "a.png"
        Image.fromarray(np.full((9, 9), 80, depth)).save(path, pnginfo=info, dpi=(300, 150))
        still = reader.read(path)
        result = Image.open(io.BytesIO(writer.encode(still, AB, "PNG", mark="t").data))
        result.load()
        with Image.open(path) as source:
            source.load()
            assert {**result.text, "XML:com.adobe.xmp": 0} == {**source.text,
                                                               "XML:com.adobe.xmp": 0}  # fmt: skip
            for key in ("gamma", "chromaticity", "dpi"):
                assert result.info[key] == source.info[key]
        assert result.text["Title"].lang == "de"
        notes = writer.encode(still, AB, "JPEG", mark="t").notes
        assert any("text chunks" in note for note in notes)


def test_jpeg_comment_iptc_and_extended_xmp_are_kept(tmp_path: Path) -> None:
    """APP13, COM and the second part of a long XMP packet; a thumbnail in APP13 goes."""
    iptc = b"\x1c\x02\x19\x00\x05steps"
    block = struct.pack(">4sHHL", b"8BIM", 0x0404, 0, len(iptc)) + iptc
    thumbnail = struct.pack(">4sHHL", b"8BIM", 0x040C, 0, 6) + b"JPEG!!"
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + b"\0" * 8 + b"<more/>"
    segments = b""
    for marker, body in ((0xED, b"Photoshop 3.0\0" + thumbnail + block), (0xE1, extended)):
        segments += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    path = tmp_path / "a.jpg"
    picture = Image.fromarray(np.full((16, 16), 90, np.uint8))
    picture.save(path, comment="from box 7", extra=segments, dpi=(300, 300))
    data = writer.encode(reader.read(path), AB, "JPEG", mark="t").data
    with Image.open(io.BytesIO(data)) as result:
        assert result.info["photoshop"] == {0x0404: iptc}
        assert result.info["comment"] == b"from box 7"
        assert result.info["dpi"] == (300, 300)
        assert ("APP1", extended) in result.applist


def test_jpeg2000_keeps_metadata_profile_and_resolution(tmp_path: Path) -> None:
    """In the boxes where Pillow (DPI), Exiv2 and ExifTool look; as a source they are found."""
    profile = imagecodecs.cms_profile("rgb", gamma=1.8)
    exif = Image.Exif()
    exif[270] = "On the steps"
    path = tmp_path / "a.png"
    Image.fromarray(np.full((20, 30), 90, np.uint8)).save(
        path, exif=exif, icc_profile=profile, dpi=(300, 600)
    )
    data = writer.encode(reader.read(path), AB, "JPEG2000", mark="test").data
    with Image.open(io.BytesIO(data)) as result:
        result.load()
        assert result.size == (30, 20) and result.mode == "RGB"
        # PNG counts whole dots a meter
        assert result.info["dpi"] == pytest.approx((300, 600), rel=1e-3)
    (tmp_path / "b.jp2").write_bytes(data)
    again = reader.read(tmp_path / "b.jp2")
    assert again.icc == profile and is_marked(again.xmp)
    loaded = Image.Exif()
    loaded.load(again.exif)
    assert loaded[270] == "On the steps"


def test_bmp_keeps_resolution_and_says_what_it_cannot_hold(tmp_path: Path) -> None:
    """No field for profile, EXIF or our mark; alpha beside DPI."""
    path = tmp_path / "a.tif"
    pixels = np.dstack([np.full((9, 9), 80, np.uint8), np.arange(81, dtype=np.uint8).reshape(9, 9)])
    tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig",
                     extrasamples=[2], resolution=(300, 300), resolutionunit="INCH",
                     description="x", metadata=None)  # fmt: skip
    encoded = writer.encode(reader.read(path), AB, "BMP", mark="t")
    assert any("EXIF or XMP" in note for note in encoded.notes)
    assert np.array_equal(decoded(encoded.data)[..., 3], pixels[..., 1])
    plain = writer.encode(Still("BMP", pixels[..., 0], dpi=(300, 300)), AB, "BMP",
                            mark="t").data  # fmt: skip
    for data in (encoded.data, plain):
        assert Image.open(io.BytesIO(data)).info["dpi"] == pytest.approx((300, 300), abs=0.02)


def test_heic_is_read_and_becomes_jpeg(
    grey_photograph: Any, tmp_path: Path, tiny_model: Path
) -> None:
    """A phone's picture of an album page; its result is JPEG and says so."""
    heif = pytest.importorskip("pillow_heif")
    grey = np.ascontiguousarray(grey_photograph("coffee")[:64, :96])
    heif.from_pillow(Image.fromarray(np.dstack([grey] * 3))).save(tmp_path / "a.HEIC", quality=-1)
    [job] = plan_jobs([tmp_path / "a.HEIC"], tmp_path / "out")
    assert job.target.name == "a.jpg"
    [one] = colorize_images([job], Engine(tiny_model, "cpu"), ImageSettings())
    assert one.status == "colored", one.reason
    assert any("HEIC" in note for note in one.notes)
    with Image.open(job.target) as result:
        assert result.format == "JPEG"
        # quality 95 of JPEG, after HEVC's lossless YCbCr
        assert np.abs(np.array(result.convert("L")).astype(int) - grey).mean() < 2


def test_heic_without_its_library_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extra that is not installed is one line, not a traceback."""
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(SourceError, match="colorbatch\\[heic\\]"):
        reader.read(tmp_path / "a.heic")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "jp2", "webp"])
def test_a_limit_on_pixels_is_kept_by_the_header(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decoded of a picture that is too large."""
    path = tmp_path / f"a.{suffix}"
    Image.new("L", (100, 100)).save(path)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", never)
    row = registry.ROWS[registry.FORMATS[path.suffix]]
    module = row.adapter.replace("tiff.adapter", "tiff.page_reader")
    monkeypatch.setattr(f"colorbatch.formats.{module}.from_samples", never)
    with pytest.raises(SourceError, match=re.escape("100 x 100 pixels are more than 0.0099")):
        reader.read(path, 9_900)


@pytest.mark.parametrize("times", [True, False])
def test_results_have_their_sources_modification_time(
    tmp_path: Path, tiny_model: Path, photograph: Any, times: bool
) -> None:
    """Colored and copied results alike; --no-times leaves them new."""
    grey, color = tmp_path / "grey.png", tmp_path / "color.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(grey)
    Image.fromarray(photograph("coffee")[::6, ::6]).save(color)
    jobs = [Job(path, tmp_path / "out" / path.name) for path in (grey, color)]
    for path in (grey, color):
        os.utime(path, (1, 500_000_000))
    outcomes = colorize_images(jobs, Engine(tiny_model, "cpu"), ImageSettings(times=times))
    assert [one.status for one in outcomes] == ["colored", "kept"]
    for job in jobs:
        assert (job.target.stat().st_mtime == 500_000_000) == times


def test_pages_of_a_tiff_go_through_the_batch(
    tmp_path: Path, tiny_model: Path, photograph: Any
) -> None:
    """Grey pages are colored, a page in color is kept: one file, one outcome, a note."""
    rgb = np.ascontiguousarray(photograph("coffee")[::6, ::6])
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(rgb[..., 1], metadata=None)
        writer.write(rgb, photometric="rgb", metadata=None)
        writer.write(rgb[::-1, ::-1, 0], metadata=None)
    other = tmp_path / "b.png"
    Image.fromarray(rgb[..., 1]).save(other)
    jobs = [Job(one, tmp_path / "out" / one.name) for one in (path, other)]
    first, second = colorize_images(jobs, Engine(tiny_model, "cpu"), ImageSettings())
    assert (first.status, first.kind) == ("colored", "grey"), first.reason
    assert any("1 of 3 pages" in note for note in first.notes)
    with tifffile.TiffFile(jobs[0].target) as tiff:
        result = [page.asarray() for page in tiff.pages]
    assert np.array_equal(result[1], rgb)
    assert np.abs(result[2] @ WEIGHTS - rgb[::-1, ::-1, 0]).max() <= 0.5
    # each page has the chroma that was predicted for it
    with Image.open(jobs[1].target) as image:
        assert np.array_equal(result[0], np.array(image))
    assert second.status == "colored"


def test_the_command_line_turns_limits_and_dates(run_cli: Any, tmp_path: Path,
                                                 tiny_model: Path) -> None:  # fmt: skip
    """--upright, --no-times, --max-pixels and --format bmp, as users give them."""
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.full((20, 40), 90, np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    os.utime(tmp_path / "a.jpg", (1, 500_000_000))
    common = ("images", tmp_path / "a.jpg", "-m", tiny_model, "--device", "cpu")
    done = run_cli(*common, "-o", tmp_path / "out", "--upright", "--format", "bmp")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "a.bmp") as result:
        assert result.size == (20, 40)
    assert (tmp_path / "out" / "a.bmp").stat().st_mtime == 500_000_000
    env = {"COLORBATCH_NO_TIMES": "1", "COLORBATCH_MAX_PIXELS": "0.0005"}
    refused = run_cli(*common, "-o", tmp_path / "new", env=env)
    assert refused.returncode == 3
    assert "40 x 20 pixels are more than 0.0005 million" in refused.stderr


def test_the_table_of_formats_is_whole():
    """Each suffix belongs to one format, and what is only read becomes what is written."""
    assert len(registry.FORMATS) == sum(map(len, registry.SUFFIXES.values()))
    assert set(registry.READ_ONLY.values()) <= set(registry.WRITTEN)
    assert registry.FORMATS[".jpeg"] == registry.FORMATS[".jpg"] == "JPEG"
    assert registry.in_words(["PNG", "WEBP", "JPEG2000"], "or") == "PNG, WebP or JPEG 2000"


@pytest.mark.parametrize("dpi", [0.6, 1, 72, 96, 167, 200, 240, 253, 300, 600, 1665, 2400, 2539])
def test_jpeg2000_holds_every_resolution(dpi: float) -> None:
    """Its fractions have 16 bits: four digits at least, as Pillow reads them."""
    still = Still("TIFF", np.full((9, 12), 80, np.uint8), dpi=(dpi, dpi * 2))
    data = writer.encode(still, AB, "JPEG2000", mark="test").data
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["dpi"] == pytest.approx((dpi, dpi * 2), rel=1e-4)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_damage_that_checksums_tell_is_refused(
    grey_photograph: Any, tmp_path: Path, depth: Any
) -> None:
    """Of twenty damaged PNG and Deflate TIFF none is colored, whatever decoders make of it."""
    grey = grey_photograph("coffee")[:200, :300].astype(depth)
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "a.tif", grey, compression="zlib")
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    for name in ("a.png", "a.tif"):
        whole = (tmp_path / name).read_bytes()
        assert np.array_equal(reader.read(tmp_path / name).luma, grey)
        for place in np.linspace(0.1, 0.9, 20):
            data, start = bytearray(whole), int(place * len(whole))
            data[start : start + 20] = rng.bytes(20)
            (tmp_path / name).write_bytes(data)
            with pytest.raises(SourceError, match=re.escape(name)):
                reader.read(tmp_path / name)
