"""What samples of TIFF mean: missing tags, extra samples, palettes, inks; judged by libvips,
ImageMagick and the standard."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.errors import SourceError
from colorbatch.formats import reader, writer
from colorbatch.formats.writer import StillStyle

AB = np.random.default_rng(1).uniform(-60, 60, (16, 16, 2)).astype(np.float32)


@pytest.fixture
def grey(grey_photograph):
    """A photograph (60, 90), uint8."""
    return np.ascontiguousarray(grey_photograph("coffee")[100:160, 100:190])


@pytest.fixture
def rgb(photograph):
    """The same in color (60, 90, 3)."""
    return np.ascontiguousarray(photograph("coffee")[100:160, 100:190])


def tags_of(pixels: Any, photometric: int | None = None, **more: tuple[int, list[int]]) -> Any:
    """The tags of a page in one strip without compression; more: their number, prefixed with t."""
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    height, width = pixels.shape[:2]
    tags: dict[int, Any] = {
        256: (3, [width]), 257: (3, [height]), 258: (3, [pixels.dtype.itemsize * 8] * samples),
        259: (3, [1]), 277: (3, [samples]), 278: (3, [height]), 279: (4, [pixels.nbytes]),
    }  # fmt: skip
    if photometric is not None:
        tags[262] = (3, [photometric])
    return tags | {int(name[1:]): value for name, value in more.items()}


def test_without_photometric_one_sample_is_black_at_zero(tiff_of_tags, seen_by_libtiff, grey):
    """There is no default in the standard; libtiff shows the positive, and so do we."""
    path = tiff_of_tags("a.tif", tags_of(grey), [grey.tobytes()])
    still = reader.read(path)
    assert np.array_equal(still.luma, grey) and still.rgb is None
    assert np.array_equal(seen_by_libtiff(path)[..., 0], grey)


def test_without_photometric_fax_is_white_at_zero(tiff_of_tags, seen_by_libtiff, grey, tmp_path):
    """In CCITT compressions, as libtiff takes it; 16 bits without compression are black at zero."""
    with_tag = tmp_path / "fax.tif"
    Image.fromarray(grey).convert("1").save(with_tag, compression="group4")  # black at zero
    with tifffile.TiffFile(with_tag) as file:
        page = file.pages[0]
        strip = with_tag.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
    tags = tags_of(grey) | {258: (3, [1]), 259: (3, [4]), 279: (4, [len(strip)])}
    path = tiff_of_tags("a.tif", tags, [strip])
    assert np.array_equal(255 - reader.read(path).luma, reader.read(with_tag).luma)
    assert np.array_equal(reader.read(path).luma, seen_by_libtiff(path)[..., 0])
    deep = grey.astype(np.uint16) * 257
    path = tiff_of_tags("b.tif", tags_of(deep), [deep.tobytes()])
    assert np.array_equal(reader.read(path).luma, deep)


@pytest.mark.parametrize("missing", [262, 277], ids=["photometric", "samples per pixel"])
def test_three_samples_without_a_tag_are_rgb(tiff_of_tags, rgb, missing):
    """Told by the samples that there are, or by the depths of three."""
    tags = tags_of(rgb, 2)
    del tags[missing]
    path = tiff_of_tags("a.tif", tags, [rgb.tobytes()])
    assert np.array_equal(reader.read(path).own_rgb(), rgb)


def test_four_samples_that_nothing_names_are_refused(tiff_of_tags, rgb):
    """Nobody can tell RGB with alpha from CMYK then."""
    four = np.dstack([rgb, rgb[..., 0]])
    path = tiff_of_tags("a.tif", tags_of(four), [four.tobytes()])
    with pytest.raises(SourceError, match="no tag says what its 4 samples"):
        reader.read(path)


@pytest.mark.parametrize("planar", [1, 2], ids=["together", "in planes"])
@pytest.mark.parametrize("photometric", [0, 1], ids=["white", "black"])
@pytest.mark.parametrize("kinds", [None, [0, 0], [0, 2], [2, 0, 0], [0, 0, 0]], ids=str)
def test_grey_with_extra_samples_is_grey(tiff_of_tags, grey, kinds, photometric, planar):
    """The first sample is the picture (TIFF 6.0, section 18). What is alpha stays alpha, one other
    sample stays as it is, and the rest is told to be dropped."""
    count = 2 if kinds is None else len(kinds)
    rng = np.random.default_rng(2)
    extra = rng.integers(0, 256, (count, *grey.shape), np.uint8)
    planes = np.concatenate([grey[None] if photometric else 255 - grey[None], extra])
    pixels = np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    more: dict[str, Any] = {} if kinds is None else {"t338": (3, kinds)}
    strips = [pixels.tobytes()]
    if planar == 2:
        more |= {"t284": (3, [2]), "t279": (4, [grey.nbytes] * (count + 1))}
        strips = [plane.tobytes() for plane in planes]
    path = tiff_of_tags("a.tif", tags_of(pixels, photometric, **more), strips)
    still = reader.read(path)
    assert still.rgb is None and np.array_equal(still.luma, grey)
    kept = kinds.index(2) if kinds and 2 in kinds else 0
    assert still.alpha is not None and np.array_equal(still.alpha, extra[kept])
    assert still.encoding["extrasamples"] == [2 if kinds and 2 in kinds else 0]
    told = f"{count - 1} more sample"
    assert any(told in note for note in still.notes)


def test_rgb_and_inks_with_extra_samples(tiff_of_tags, seen_by_magick, rgb):
    """RGB with saved selections keeps the first; CMYK with alpha becomes RGB with that alpha. What
    CMYK is without a profile is ImageMagick's."""
    rng = np.random.default_rng(3)
    more = rng.integers(0, 256, (*rgb.shape[:2], 2), np.uint8)
    five = np.dstack([rgb, more])
    path = tiff_of_tags("a.tif", tags_of(five, 2, t338=(3, [2, 0])), [five.tobytes()])
    still = reader.read(path)
    assert np.array_equal(still.own_rgb(), rgb) and np.array_equal(still.alpha, more[..., 0])
    inks = np.dstack([255 - rgb, np.full(rgb.shape[:2], 20, np.uint8), more[..., :1]])
    path = tiff_of_tags("b.tif", tags_of(inks, 5, t338=(3, [2])), [inks.tobytes()])
    still = reader.read(path)
    assert np.array_equal(still.alpha, more[..., 0])
    assert any("CMYK was converted" in note for note in still.notes)
    # both round once; ImageMagick in 16 bits
    seen = seen_by_magick(tiff_of_tags("c.tif", tags_of(inks[..., :4].copy(), 5),
                                       [inks[..., :4].tobytes()]))  # fmt: skip
    assert np.abs(still.own_rgb().astype(int) - seen[..., :3]).max() <= 1
    deep = inks[..., :4].astype(np.uint16) * 257
    wide = reader.read(tiff_of_tags("d.tif", tags_of(deep, 5), [deep.tobytes()]))
    assert np.array_equal(wide.own_rgb(), still.own_rgb())
    assert any("16 bits became 8" in note for note in wide.notes)


@pytest.mark.parametrize(
    ("photometric", "dtype", "more", "reason"),
    [
        (8, np.uint16, {}, "CIELab of 16 bits is not supported"),
        (9, np.uint8, {}, "ICCLAB is not supported"),
        (10, np.uint8, {}, "ITULAB is not supported"),
        (32803, np.uint16, {}, "CFA is not supported"),
        (6, np.uint8, {"t530": (3, [2, 2])}, "subsampled chroma"),
        (5, np.uint8, {}, "name CMYK, but 3 samples"),
        (1, np.uint32, {}, "grey of 32 bits is not supported"),
    ],
)
def test_what_is_not_read_is_named(tiff_of_tags, photometric, dtype, more, reason):
    """Whole files of kinds that are not read are not called broken."""
    pixels = np.zeros((20, 30, 1 if dtype == np.uint32 else 3), dtype)
    path = tiff_of_tags("a.tif", tags_of(pixels, photometric, **more), [pixels.tobytes()])
    with pytest.raises(SourceError) as caught:
        reader.read(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize("most", [255, 65535])
@pytest.mark.parametrize("bits", [4, 8])
def test_palettes_of_8_and_16_bits(tiff_of_tags, seen_by_vips, grey, bits, most):
    """Colors have 16 bits, and some writers gave them 8; libvips sees both alike."""
    codes = 2**bits
    index = grey >> (8 - bits)
    ramp = np.arange(codes) * (255 // (codes - 1)) * (most // 255)
    colors = np.concatenate([ramp, ramp // 2, ramp[::-1]])
    data = index if bits == 8 else index[:, ::2] << 4 | index[:, 1::2]
    tags = tags_of(grey, 3, t320=(3, colors.tolist()))
    tags |= {258: (3, [bits]), 279: (4, [data.nbytes])}
    path = tiff_of_tags("a.tif", tags, [np.ascontiguousarray(data).tobytes()])
    assert np.array_equal(reader.read(path).own_rgb(), seen_by_vips(path)[..., :3])


def test_a_palette_that_is_missing_is_told(tiff_of_tags, grey):
    """Without colors, or with too few, indices mean nothing."""
    for more in ({}, {"t320": (3, [0, 65535] * 3)}):
        path = tiff_of_tags("a.tif", tags_of(grey, 3, **more), [grey.tobytes()])
        with pytest.raises(SourceError, match="palette is missing or has another number"):
            reader.read(path)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1])
def test_few_bits_are_scaled_to_8(tiff_of_tags, seen_by_vips, grey, bits, photometric):
    """White is white and black is black, as libvips sees them."""
    index = grey[:, :88] >> (8 - bits)
    each = 8 // bits
    data = np.zeros((index.shape[0], index.shape[1] // each), np.uint8)
    for place in range(each):
        data |= index[:, place::each] << (8 - bits * (place + 1))
    tags = tags_of(index, photometric) | {258: (3, [bits]), 279: (4, [data.nbytes])}
    path = tiff_of_tags("a.tif", tags, [data.tobytes()])
    still = reader.read(path)
    assert np.array_equal(still.luma, seen_by_vips(path).reshape(index.shape))
    assert any(f"{bits}-bit picture" in note for note in still.notes)


def test_a_sample_of_no_named_meaning_is_no_transparency(tiff_of_tags, rgb, tmp_path):
    """Infrared beside RGB stays in TIFF, with its kind; PNG would show it as alpha."""
    four = np.dstack([rgb, rgb[..., 1]])
    path = tiff_of_tags("a.tif", tags_of(four, 2, t338=(3, [0])), [four.tobytes()])
    tif, png = io.BytesIO(), io.BytesIO()
    style = StillStyle("test")
    writer.write(tif, [(reader.read(path), AB)], "TIFF", style)
    notes = writer.write(png, [(reader.read(path), AB)], "PNG", style)
    tif.seek(0)
    with tifffile.TiffFile(tif) as file:
        assert [int(kind) for kind in file.pages[0].extrasamples] == [0]
        assert np.array_equal(file.pages[0].asarray()[..., 3], rgb[..., 1])
    with Image.open(png) as image:
        assert image.mode == "RGB"
    assert any("no sample beside color" in note for note in notes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_premultiplied_color_stays_below_its_alpha(tmp_path, grey, dtype, channels):
    """Associated alpha (TIFF 6.0, section 18): no sample is above it, luma and alpha are kept, and
    hue is what an opaque picture gets."""
    most = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    alpha = np.broadcast_to(np.linspace(0, 1, grey.shape[1]), grey.shape)
    plane = grey / 255 * alpha
    pixels = np.dstack([plane] * channels + [alpha]) * most
    pixels = (pixels if dtype == np.float32 else np.rint(pixels)).astype(dtype)
    path = tmp_path / "a.tif"
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=photometric, extrasamples=["assocalpha"])
    file = io.BytesIO()
    writer.write(file, [(reader.read(path), AB)], "TIFF", StillStyle("test"))
    file.seek(0)
    made = tifffile.imread(file).astype(np.float64)
    assert np.array_equal(made[..., 3], pixels[..., -1])
    step = 1e-6 if dtype == np.float32 else 1e-9
    assert (made[..., :3] <= made[..., 3:] + step).all() and made.min() >= -step
    luma = made[..., :3] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - pixels[..., 0]).max() <= (1e-6 if dtype == np.float32 else 0.5)
    right = made[:, grey.shape[1] // 2 :] / most  # where rounding does not decide the hue
    opaque = io.BytesIO()
    path.unlink()
    tifffile.imwrite(path, (grey / 255 * most).astype(dtype))
    writer.write(opaque, [(reader.read(path), AB)], "TIFF", StillStyle("test"))
    opaque.seek(0)
    wanted = tifffile.imread(opaque)[:, grey.shape[1] // 2 :] / most
    # of 8 bits, at half of the alpha: a code of luma, and 0.85 of G beside it, each twice
    assert np.abs(right[..., :3] / right[..., 3:] - wanted).max() <= 6 / 255


def test_premultiplied_color_becomes_straight_in_png(tmp_path, grey, seen_by_magick):
    """PNG's color is not multiplied by alpha (ISO/IEC 15948:2004, section 4.3.2); ImageMagick sees
    the same in both files."""
    alpha = np.broadcast_to(np.linspace(80, 255, grey.shape[1]).astype(np.uint8), grey.shape)
    rgba = np.dstack([np.rint(grey / 255.0 * alpha).astype(np.uint8)] * 3 + [alpha])
    path, png, tif = tmp_path / "a.tif", tmp_path / "a.png", tmp_path / "b.tif"
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["assocalpha"])
    for target, format_ in ((png, "PNG"), (tif, "TIFF")):
        with target.open("w+b") as file:
            writer.write(file, [(reader.read(path), AB)], format_, StillStyle("test"))
    straight = seen_by_magick(png).astype(int)
    assert np.array_equal(straight[..., 3], alpha)
    # division at alpha 80 makes three codes of one
    assert np.abs(straight[..., :3] - seen_by_magick(tif)[..., :3]).max() <= 4
