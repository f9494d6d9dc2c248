"""What headers tell, of files that Pillow, tifffile and OpenJPEG made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.formats.headers import pictures_of
from colorbatch.formats.registry import FORMATS
from colorbatch.formats.still import Stored

GREY = np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8)
RGB = np.dstack([GREY, GREY[::-1], GREY])


@pytest.mark.parametrize(
    ("name", "mode", "options", "expected"),
    [
        ("a.jpg", "L", {}, ("lossy", 1, 8)),
        ("a.jpg", "RGB", {}, ("lossy", 3, 8)),
        ("a.jpg", "CMYK", {}, ("lossy", 4, 8)),
        ("a.png", "L", {}, ("lossless", 1, 8)),
        ("a.png", "LA", {}, ("lossless", 2, 8)),
        ("a.png", "RGBA", {}, ("lossless", 4, 8)),
        ("a.png", "P", {}, ("few", 3, 8)),
        ("a.png", "1", {}, ("few", 1, 1)),
        ("a.webp", "RGB", {"quality": 80}, ("lossy", 3, 8)),
        ("a.webp", "RGB", {"lossless": True}, ("lossless", 3, 8)),
        ("a.bmp", "RGB", {}, ("none", 3, 8)),
        ("a.jp2", "RGB", {"irreversible": False}, ("lossless", 3, 8)),
    ],
)
def test_formats_of_pillow(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    """Format, packing, samples, bits, the size, and the bytes of the whole file."""
    path = tmp_path / name
    Image.fromarray(RGB).convert(mode).save(path, **options)
    packing, samples, bits = expected
    [found] = pictures_of(path)
    size = path.stat().st_size  # all of it is in memory while it is decoded
    assert found == Stored(FORMATS[path.suffix], packing, 40, 60, samples, bits, size, size)


def test_sixteen_bits_and_strong_compression(tmp_path: Path) -> None:
    """16-bit PNG, grey and RGB; JPEG 2000 of a twentieth of its samples counts as lossy."""
    for pixels in (GREY, RGB):
        path = tmp_path / "a.png"
        path.write_bytes(imagecodecs.png_encode(pixels.astype(np.uint16) * 257))
        [found] = pictures_of(path)
        assert (found.packing, found.samples, found.bits) == ("lossless", pixels.ndim * 2 - 3, 16)
    path = tmp_path / "a.jp2"
    Image.fromarray(np.tile(RGB, (4, 4, 1))).save(path, quality_layers=[20], irreversible=True)
    assert pictures_of(path)[0].packing == "lossy"


@pytest.mark.parametrize(
    ("options", "packing"),
    [
        ({}, "none"),
        ({"compression": "packbits"}, "none"),
        ({"compression": "lzw"}, "lossless"),
        ({"compression": "lzw", "predictor": True}, "lossless"),
        ({"compression": "zlib"}, "lossless"),
        ({"compression": "zstd", "predictor": True}, "lossless"),
        ({"compression": "jpeg"}, "lossy"),
        ({"tile": (32, 16), "bigtiff": True}, "none"),
    ],
)
def test_pages_of_tiff(tmp_path: Path, options: dict[str, Any], packing: str) -> None:
    """Every page but thumbnails, with the bytes that its samples take."""
    path = tmp_path / "a.tif"
    big = options.pop("bigtiff", False)
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        writer.write(GREY, metadata=None, contiguous=False, **options)
        writer.write(GREY[:20, :20], subfiletype=1, metadata=None, contiguous=False)
        writer.write(RGB, photometric="rgb", metadata=None, contiguous=False, **options)
    found = pictures_of(path)
    assert [(one.packing, one.height, one.width, one.samples) for one in found] == [
        (packing, 40, 60, 1), (packing, 40, 60, 3),
    ]  # fmt: skip
    with tifffile.TiffFile(path) as tiff:
        assert found[1].nbytes == sum(tiff.pages[2].databytecounts)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"II*\0", b"II*\0abcd"])
def test_broken_files_have_no_pictures(tmp_path: Path, data: bytes) -> None:
    """Whatever is wrong with a file, it is the run that says so."""
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert pictures_of(path) == []
    assert pictures_of(tmp_path) == []
    assert pictures_of(tmp_path / "missing") == []
