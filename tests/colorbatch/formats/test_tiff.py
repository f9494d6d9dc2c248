"""TIFF as archives have it: pages, layouts, floating point, tags; judged by tifffile and Pillow."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from colorbatch.errors import SourceError, TargetError
from colorbatch.formats import reader, writer
from colorbatch.formats.provenance import is_marked
from colorbatch.formats.writer import StillStyle

WEIGHTS = np.array([0.299, 0.587, 0.114])
AB = np.random.default_rng(1).uniform(-90, 90, (16, 16, 2)).astype(np.float32)


def colored(path: Path, format_: writer.Format = "TIFF", **style: Any) -> tuple[io.BytesIO, Any]:
    """All pages of a file, colored: the new file and its notes."""
    file = io.BytesIO()
    pages = ((still, AB) for still in reader.pages(path))
    notes = writer.write(file, pages, format_, StillStyle("test", **style))
    file.seek(0)
    return file, notes


def test_every_page_is_colored_in_its_own_form(grey_photograph: Any, tmp_path: Path) -> None:
    """Pages of other sizes, depths and compressions keep them; order and number stay."""
    path = tmp_path / "a.tif"
    grey = grey_photograph("coffee")
    sources = [
        grey[:70, :90],
        grey[:33, :50].astype(np.uint16) * 257,
        (grey[:40, :40] / 255).astype(np.float32),
    ]
    kinds: list[dict[str, Any]] = [
        {"compression": "lzw", "predictor": True},
        {"tile": (32, 16)},
        {"compression": "zlib", "predictor": 3},
    ]
    with tifffile.TiffWriter(path) as writer:
        for pixels, options in zip(sources, kinds, strict=True):
            writer.write(pixels, metadata=None, contiguous=False, **options)
    file, _ = colored(path)
    with tifffile.TiffFile(path) as source, tifffile.TiffFile(file) as result:
        assert len(result.pages) == 3
        for was, now, grey in zip(source.pages, result.pages, sources, strict=True):
            assert now.dtype == was.dtype
            assert now.compression == was.compression and now.predictor == was.predictor
            assert now.tile == was.tile
            rgb = now.asarray()
            assert rgb.shape == (*grey.shape, 3)
            # half a code of integers; of floats half a step of G at 1.0, 2**-24 * 0.587
            limit = 4e-8 if grey.dtype == np.float32 else 0.5
            assert np.abs(rgb.astype(np.float64) @ WEIGHTS - grey).max() <= limit
            assert np.ptp(rgb.astype(np.float64), axis=2).max() > 0.1 * grey.max()
            assert is_marked(now.tags[700].value)


def test_bilevel_and_palette_pages_among_others(grey_photograph: Any, tmp_path: Path) -> None:
    """A scan with a text page in fax compression and a palette page: all are 8-bit RGB then."""
    path = tmp_path / "a.tif"
    grey = Image.fromarray(grey_photograph("coffee")[:64, :80])
    pages = [grey, grey.convert("1"), grey.convert("P")]
    pages[0].save(
        path, save_all=True, append_images=pages[1:], compression="tiff_lzw", dpi=(300, 300)
    )
    file, notes = colored(path)
    with Image.open(file) as result:
        assert result.n_frames == 3
        for index, page in enumerate(pages):
            result.seek(index)
            assert result.mode == "RGB"
            assert result.info["dpi"] == (300, 300)
            assert np.array_equal(np.array(result.convert("L")), np.array(page.convert("L")))
    assert any("1-bit" in note and "(page 2)" in note for note in notes)
    assert any("palette" in note and "(page 3)" in note for note in notes)


def test_fax_compression_becomes_deflate_and_is_said(tmp_path: Path) -> None:
    """Group 4 holds no color."""
    path = tmp_path / "a.tif"
    Image.fromarray(np.eye(64, dtype=bool)).save(path, compression="group4")
    file, notes = colored(path)
    with tifffile.TiffFile(file) as result:
        assert result.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert np.abs(result.pages[0].asarray() @ WEIGHTS - np.eye(64) * 255).max() <= 0.5
    assert any("CCITT" in note for note in notes)


@pytest.mark.parametrize("bits", [2, 4, 12])
def test_few_and_odd_bits_are_scaled_to_white(tmp_path: Path, bits: int) -> None:
    """The highest code is white, whatever the depth."""
    path = tmp_path / "a.tif"
    high = 2**bits - 1
    ramp = np.tile((np.arange(64) * high // 63), (16, 1))
    tifffile.imwrite(path, ramp.astype("u1" if bits <= 8 else "u2"), bitspersample=bits)
    [still] = reader.pages(path)
    assert np.abs(still.luma / np.iinfo(still.luma.dtype).max - ramp / high).max() <= 2 / 65535
    assert any(f"{bits}" in note for note in still.notes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["grey", "toned", "alpha"])
def test_floating_point_keeps_luma_alpha_and_type(
    grey_photograph: Any, tmp_path: Path, dtype: type, kind: str
) -> None:
    """Also beyond white and below black, where the result is grey; alpha to the bit."""
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (64, 64))
    grey = ((grey_photograph("coffee")[:64, :64] + noise) / 255).astype(dtype)
    grey[0, :2] = 3.5, -0.25
    pixels, options = grey, {}
    if kind == "toned":
        pixels = (grey[..., None] * np.array([1.1, 1, 0.8])).astype(dtype)
        options = {"photometric": "rgb"}
    elif kind == "alpha":
        pixels = np.dstack([grey, grey[::-1]])
        options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": [2]}
    tifffile.imwrite(path, pixels, **options)
    result = tifffile.imread(colored(path)[0])
    assert result.dtype == dtype
    truth = grey if kind != "toned" else pixels.astype(np.float64) @ WEIGHTS
    error = np.abs(result[..., :3].astype(np.float64) @ WEIGHTS - truth)
    step = np.finfo(dtype).eps * np.maximum(np.abs(truth), 1)
    assert (error <= step).all()
    assert np.ptp(result[10:, :, :3].astype(float), axis=2).max() > 0.1
    assert np.ptp(result[0, 0, :3].astype(float)) <= 3.5 * np.finfo(dtype).eps
    if kind == "alpha":
        assert np.array_equal(result[..., 3], grey[::-1])


def test_floating_point_with_its_own_white(tmp_path: Path) -> None:
    """SMaxSampleValue says what white is, and the result says so again; not-a-number stays."""
    path = tmp_path / "a.tif"
    grey = np.linspace(0, 4095, 64 * 64, dtype=np.float32).reshape(64, 64)
    grey[5, 5] = np.nan
    tifffile.imwrite(path, grey, extratags=[(341, 11, 1, 4095.0, True)])
    [still] = reader.pages(path)
    assert still.luma[-1, -1] == 65535 and still.luma[5, 5] == 0
    with tifffile.TiffFile(colored(path)[0]) as result:
        rgb = result.asarray().astype(np.float64)
        assert np.max(result.pages[0].tags[341].value) == 4095
    assert np.isnan(rgb[5, 5]).all()
    rgb[5, 5], grey[5, 5] = 0, 0
    assert np.abs(rgb @ WEIGHTS - grey).max() < 4095 * 2**-22
    assert np.ptp(rgb, axis=2).max() > 400


def test_floating_point_in_other_formats(tmp_path: Path) -> None:
    """PNG gets 16 bits, JPEG 8, and both are said."""
    path = tmp_path / "a.tif"
    grey = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    tifffile.imwrite(path, grey)
    file, notes = colored(path, "PNG")
    assert any("floating point became 16 bits" in note for note in notes)
    rgb = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), -1)[..., ::-1]
    assert (
        np.abs(rgb.astype(np.float64) @ WEIGHTS - np.rint(grey.astype(np.float64) * 65535)).max()
        <= 0.5
    )
    assert any("floating point became 8 bits" in note for note in colored(path, "JPEG")[1])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize(
    ("dtype", "compression"),
    [("u1", None), ("u2", "lzw"), ("f4", "zlib"), ("u2", "zstd"), ("u1", "packbits")],
)
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_layout_is_kept(
    grey_photograph: Any, tmp_path: Path, byteorder: Any, bigtiff: bool, dtype: str,
    compression: str | None, tile: Any,
) -> None:  # fmt: skip
    """Byte order, BigTIFF, compression, predictor, strips or tiles of source and result agree."""
    path = tmp_path / "a.tif"
    grey = grey_photograph("coffee")[:50, :70].astype(dtype)
    white = {"u1": 1, "u2": 257, "f4": 1 / 255}[dtype]
    grey = (grey * white).astype(dtype)
    predictor = compression in ("lzw", "zlib", "zstd")
    rows = None if tile else 11
    tifffile.imwrite(
        path, grey, byteorder=byteorder, bigtiff=bigtiff, compression=compression, tile=tile,
        predictor=predictor, rowsperstrip=rows,
    )  # fmt: skip
    file, notes = colored(path)
    assert notes == ()
    with tifffile.TiffFile(path) as source, tifffile.TiffFile(file) as result:
        was, now = source.pages[0], result.pages[0]
        assert result.byteorder == byteorder and result.is_bigtiff == bigtiff
        names = ("compression", "predictor", "tile", "rowsperstrip", "bitspersample")
        assert [getattr(now, name) for name in names] == [getattr(was, name) for name in names]
        limit = 4e-8 if dtype == "f4" else 0.5
        assert np.abs(now.asarray().astype(np.float64) @ WEIGHTS - grey).max() <= limit


@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize("color", [False, True])
def test_jpeg_compression_keeps_tables_and_luma(
    photograph: Any, tmp_path: Path, tile: Any, color: bool
) -> None:
    """Like JPEG files: the source's luma table, 4:4:4, Y' in the issue's limits."""
    path = tmp_path / "a.tif"
    rgb = photograph("coffee")[:200, :300]
    pixels = rgb if color else np.array(Image.fromarray(rgb).convert("L"))
    layout: dict[str, Any] = {"tile": tile} if tile else {"rowsperstrip": 48}
    tifffile.imwrite(
        path, pixels, compression="jpeg", compressionargs={"level": 80},
        photometric="ycbcr" if color else "minisblack", subsampling=(2, 2) if color else None,
        **layout,
    )  # fmt: skip
    file, notes = colored(path)
    with tifffile.TiffFile(path) as source, tifffile.TiffFile(file) as result:
        was, now = source.pages[0], result.pages[0]
        assert now.compression == tifffile.COMPRESSION.JPEG and now.tile == was.tile
        assert now.subsampling in (None, (1, 1))
        gap = np.abs(stored_y(now).astype(int) - stored_y(was))
        assert quantization(now)[0] == quantization(was)[0]
    assert (gap != 0).mean() < 0.05  # the limits
    assert gap.mean() <= 0.05
    assert notes == ()
    with Image.open(file) as image:  # libtiff reads it as well
        assert image.mode == "RGB"
        assert np.abs(np.array(image) @ WEIGHTS - stored_y(now_of(file))).mean() < 1


def now_of(file: io.BytesIO) -> Any:
    file.seek(0)
    return tifffile.TiffFile(file).pages[0]


def segments(page: Any) -> list[bytes]:
    """The JPEG streams of a page, each whole."""
    found = []
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        page.parent.filehandle.seek(offset)
        data = page.parent.filehandle.read(count)
        found.append(page.jpegtables[:-2] + data[2:] if page.jpegtables else data)
    return found


def quantization(page: Any) -> Any:
    with Image.open(io.BytesIO(segments(page)[0])) as image:
        return image.quantization


def stored_y(page: Any) -> np.ndarray:
    """The Y' plane as libjpeg decodes it, through Pillow."""
    high = page.tilelength if page.is_tiled else page.rowsperstrip
    wide = page.tilewidth if page.is_tiled else page.imagewidth
    across = -(-page.imagewidth // wide)
    parts = []
    for data in segments(page):
        image = Image.open(io.BytesIO(data))
        if image.mode != "L":
            image.draft("YCbCr", image.size)
            assert image.mode == "YCbCr"
        parts.append(np.array(image if image.mode == "L" else image.getchannel(0)))
    bands = [np.hstack(parts[i : i + across]) for i in range(0, len(parts), across)]
    del high
    return np.vstack(bands)[: page.imagelength, : page.imagewidth]


EXIF_IFD = {0x829A: IFDRational(1, 250), 0x9003: "1953:06:02 11:00:00", 0xA433: "Zeiss Ikon"}
IPTC = b"\x1c\x02\x00\x00\x02\x00\x04\x1c\x02\x19\x00\x0acoronation"
THUMBNAIL = b"8BIM\x04\x0c\0\0\0\0\0\x06JPEG!!"
PATHS = b"8BIM\x07\xd0\x05outer\0\0\0\x04abcd"


def tagged(path: Path) -> None:
    """A TIFF with EXIF and GPS directories, IPTC and Photoshop resources, as Pillow writes it."""
    exif = Image.Exif()
    exif[270], exif[305] = "On the steps", "ScanSoft"
    exif.get_ifd(0x8769).update(EXIF_IFD)
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 3.0)
    exif.load(exif.tobytes())  # Pillow writes the directories of a block that was read
    exif[33723], exif[34377] = IPTC, THUMBNAIL + PATHS
    Image.fromarray(np.full((32, 48), 90, np.uint8)).save(path, exif=exif, dpi=(1200, 1200))


@pytest.mark.parametrize("format_", ["TIFF", "JPEG", "PNG", "WEBP", "JPEG2000"])
def test_exif_gps_and_texts_go_along(tmp_path: Path, format_: writer.Format) -> None:
    """Pillow finds the directories of a TIFF in a result of every format that has EXIF."""
    tagged(tmp_path / "a.tif")
    file, _ = colored(tmp_path / "a.tif", format_)
    if format_ == "JPEG2000":  # Pillow reads no EXIF of it
        data = file.getvalue()
        block = data[data.index(b"JpgTiffExif->JP2") + 16 :]
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + block)
    else:
        exif = Image.open(file).getexif()
    assert exif[270] == "On the steps" and exif[305] == "ScanSoft"
    found = exif.get_ifd(0x8769)
    assert float(found[0x829A]) == 1 / 250 and found[0x9003] == EXIF_IFD[0x9003]
    assert found[0xA433] == "Zeiss Ikon"
    assert exif.get_ifd(0x8825)[2] == (51, 30, 3)


def test_iptc_and_photoshop_resources_are_kept_without_the_thumbnail(tmp_path: Path) -> None:
    """TIFF and JPEG hold them, each in its own place; a thumbnail would show the grey picture."""
    tagged(tmp_path / "a.tif")
    with tifffile.TiffFile(colored(tmp_path / "a.tif")[0]) as result:
        tags = result.pages[0].tags
        assert bytes(tags[33723].value).rstrip(b"\0") == IPTC
        assert PATHS in bytes(tags[34377].value) and b"JPEG!!" not in bytes(tags[34377].value)
    file, _ = colored(tmp_path / "a.tif", "JPEG")
    with Image.open(file) as image:
        assert image.info["photoshop"] == {0x0404: IPTC, 0x07D0: b"abcd"}
    notes = colored(tmp_path / "a.tif", "PNG")[1]
    assert any("IPTC" in note for note in notes)


def test_reduced_copies_are_dropped(tmp_path: Path) -> None:
    """A page that is a thumbnail of another is no page of its own."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.full((64, 64), 99, np.uint8), metadata=None)
        writer.write(np.full((8, 8), 99, np.uint8), subfiletype=1, metadata=None)
        writer.write(np.full((32, 32), 99, np.uint8), metadata=None)
    file, notes = colored(path)
    with tifffile.TiffFile(file) as result:
        assert [page.shape for page in result.pages] == [(64, 64, 3), (32, 32, 3)]
    assert any("reduced" in note for note in notes)


@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER", "NONE"])
def test_resolution_is_kept_as_it_was_written(tmp_path: Path, unit: str) -> None:
    """Fractions and units are not rounded through DPI; page numbers stay as well."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.full((16, 16), 99, np.uint8), resolution=((1000, 3), (400, 1)),
        resolutionunit=unit, extratags=[(297, 3, 2, (4, 9), True)],
    )  # fmt: skip
    with tifffile.TiffFile(colored(path)[0]) as result:
        tags = result.pages[0].tags
        assert tags[282].value == (1000, 3) and tags[283].value == (400, 1)
        assert tags[296].value == {"NONE": 1, "INCH": 2, "CENTIMETER": 3}[unit]
        assert tags[297].value == (4, 9)


def with_resolution(path: Path, x: Any, y: Any, unit: int) -> Path:
    """A page with these fractions in its tags, which tifffile would not write."""
    tifffile.imwrite(path, np.full((16, 16), 99, np.uint8), resolution=(300, 300))
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages[0].tags
        places = [tags[282].valueoffset, tags[283].valueoffset, tags[296].valueoffset]
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, places[0], *x)
    struct.pack_into("<II", data, places[1], *y)
    struct.pack_into("<H", data, places[2], unit)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("format_", ["TIFF", "JPEG", "PNG", "BMP", "JPEG2000", "WEBP"])
@pytest.mark.parametrize(
    ("x", "y", "unit"),
    [((0, 0), (0, 0), 2), ((300, 0), (300, 1), 2), ((0, 1), (0, 1), 2), ((300, 1), (300, 1), 7)],
)
def test_a_resolution_that_says_nothing_costs_no_picture(
    tmp_path: Path, x: Any, y: Any, unit: int, format_: writer.Format
) -> None:
    """Nothing over nothing, or an unknown unit: it is dropped, and said."""
    file, notes = colored(with_resolution(tmp_path / "a.tif", x, y, unit), format_)
    assert "unreadable resolution was dropped" in notes
    with Image.open(file) as image:
        image.load()
        assert image.info.get("dpi") in (None, (1, 1), (72, 72)) or format_ == "BMP"


@pytest.mark.parametrize("format_", ["TIFF", "JPEG", "PNG", "BMP", "JPEG2000", "WEBP"])
def test_a_resolution_beyond_what_a_header_holds(tmp_path: Path, format_: writer.Format) -> None:
    """All pixels of the world in one inch: TIFF and JPEG 2000 keep it, others say that they
    cannot."""
    many = (0xFFFFFFFF, 1)
    file, notes = colored(with_resolution(tmp_path / "a.tif", many, many, 2), format_)
    with Image.open(file) as image:
        image.load()
        if format_ in ("TIFF", "JPEG2000"):
            assert image.info["dpi"] == pytest.approx((0xFFFFFFFF, 0xFFFFFFFF), rel=1e-3)
            assert not notes
        else:
            assert any("resolution" in note for note in notes)


def test_a_private_tag_that_goes_is_named(tmp_path: Path) -> None:
    """What a program put into a tag of its own is not copied blindly, but said."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), extratags=[(50999, 1, 2, b"ab", True)])
    assert any("50999" in note for note in colored(path)[1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_turns_pixels_alpha_and_resolution(tmp_path: Path, orientation: int) -> None:
    """--upright: no orientation tag is left, and viewers show the same picture."""
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 50, 2), np.uint8)
    tifffile.imwrite(
        path, pixels, photometric="minisblack", planarconfig="contig", extrasamples=[2],
        resolution=(300, 600), extratags=[(274, 3, 1, orientation, True)],
    )  # fmt: skip
    as_it_is, turned = colored(path)[0], colored(path, upright=True)[0]
    with tifffile.TiffFile(as_it_is) as one, tifffile.TiffFile(turned) as other:
        assert orientation == 1 or one.pages[0].tags[274].value == orientation
        assert 274 not in other.pages[0].tags or other.pages[0].tags[274].value == 1
        shown = Image.fromarray(one.asarray())
        shown.getexif()[274] = orientation
        truth = np.array(ImageOps.exif_transpose(shown))
        result = other.asarray()
        assert np.array_equal(result[..., 3], truth[..., 3])
        # enlarging and rounding run along other axes
        assert np.abs(result.astype(int) - truth).max() <= 1
        dpi = (600, 300) if orientation >= 5 else (300, 600)
        assert other.pages[0].get_resolution("INCH") == dpi


def test_several_pages_do_not_fit_other_formats(tmp_path: Path) -> None:
    """A PNG of the first page alone would lose the others."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    with pytest.raises(TargetError, match="several pages, and PNG holds one"):
        colored(path, "PNG")


def test_one_broken_page_costs_the_file(tmp_path: Path) -> None:
    """Half of a document is no result."""
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    tifffile.imwrite(path, noise, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[2].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=re.escape("a.tif")):
        colored(path)


def test_a_page_in_color_among_grey_ones_keeps_its_pixels(photograph: Any, tmp_path: Path) -> None:
    """Without chroma a page is written as it was, unmarked."""
    path = tmp_path / "a.tif"
    rgb = photograph("coffee")[:60, :60]
    with tifffile.TiffWriter(path) as source:
        source.write(rgb[..., 0], metadata=None)
        source.write(rgb, photometric="rgb", metadata=None)
    file = io.BytesIO()
    first, second = reader.pages(path)
    writer.write(file, [(first, AB), (second, None)], "TIFF", StillStyle("test"))
    file.seek(0)
    with tifffile.TiffFile(file) as result:
        assert np.array_equal(result.pages[1].asarray(), rgb)
        assert not is_marked(bytes(result.pages[1].tags[700].value) if 700 in
                             result.pages[1].tags else b"")  # fmt: skip
        assert is_marked(result.pages[0].tags[700].value)


def test_too_many_pixels_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    """The second page is a bomb: a header that promises more than there is."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(np.zeros((8, 8), np.uint8), metadata=None)
        zeros = (b"x" for _ in range(1))
        writer.write(
            zeros, shape=(50000, 50000), dtype="u1", compression="zlib", rowsperstrip=50000,
            metadata=None,
        )  # fmt: skip
    with pytest.raises(SourceError, match="50000 x 50000 pixels are more than 1000 million"):
        next(reader.pages(path))
    with pytest.raises(SourceError, match="more than 6e-05 million"):
        next(reader.pages(path, 60))


@pytest.mark.parametrize(("count", "back_to"), [(1, 0), (3, 0), (3, 1), (3, 2), (150, 120)])
def test_pages_that_lead_in_a_circle_are_read_once(
    tmp_path: Path, count: int, back_to: int
) -> None:
    """The last page's link leads back to one: each is read once, and the first one says so."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for index in range(count):
            writer.write(np.full((4, 5), index, np.uint8), metadata=None)
    with tifffile.TiffFile(path) as tiff:
        offsets = [page.offset for page in tiff.pages]
    data = bytearray(path.read_bytes())
    [entries] = struct.unpack_from("<H", data, offsets[-1])
    struct.pack_into("<I", data, offsets[-1] + 2 + 12 * entries, offsets[back_to])
    path.write_bytes(data)
    found = list(reader.pages(path))
    assert [int(still.luma[0, 0]) for still in found] == list(range(count))
    assert [any("leads back" in note for note in still.notes) for still in found] == (
        [True] + [False] * (count - 1)
    )
