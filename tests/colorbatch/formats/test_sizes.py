"""Sizes of results that are expected, against the sizes that they have."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.formats import headers, reader, sizes, writer
from colorbatch.formats.registry import WITH_QUALITY, WRITTEN, Format

Photograph = Any
NAMES = ("astronaut", "chelsea", "coffee")


def made(path: Path, format_: Format, quality: int | None = None) -> int:
    """Bytes of a file's result, colored with smooth chroma."""
    ab = np.random.default_rng(0).uniform(-30, 30, (8, 8, 2)).astype(np.float32)
    file = io.BytesIO()
    pages = ((still, ab) for still in reader.pages(path))
    writer.write(file, pages, format_, writer.StillStyle("colorbatch; model x", quality=quality))
    return len(file.getvalue())


@pytest.mark.parametrize(
    ("options", "dtype"),
    [({}, np.uint8), ({}, np.uint16), ({}, np.float32), ({"tile": (64, 48)}, np.uint16)],
)
def test_uncompressed_tiff_is_known_to_the_kilobyte(
    tmp_path: Path, grey_photograph: Photograph, options: dict[str, Any], dtype: Any
) -> None:
    """Three times its samples, of every page and whatever its depth; only tags are left to guess
    (a page's own are about 400 bytes)."""
    grey = grey_photograph("coffee").astype(dtype)
    if dtype == np.float32:
        grey /= 255
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in (grey, grey[:100, :150], np.dstack([grey] * 3)):
            rgb = {"photometric": "rgb" if page.ndim == 3 else "minisblack"}
            writer.write(page, metadata=None, contiguous=False, **rgb, **options)
    low, middle, high = sizes.of_result(headers.pictures_of(path), "TIFF")
    assert abs(made(path, "TIFF") - middle) < 3000
    assert high - low < 8000


@pytest.mark.slow
@pytest.mark.parametrize("result", WRITTEN)
@pytest.mark.parametrize(
    "source", ["grey.jpg", "rgb.jpg", "a.png", "1.png", "16.png", "none.tif", "z.tif"]
)
def test_sums_over_photographs_are_in_the_range(
    tmp_path: Path, grey_photograph: Photograph, source: str, result: Format
) -> None:
    """Results of three photographs together, of every format in every format."""
    total, low, high = 0, 0.0, 0.0
    for name in NAMES:
        grey, path = grey_photograph(name), tmp_path / f"{name}-{source}"
        if source == "16.png":
            fine = grey * 257.0 + np.random.default_rng(0).normal(0, 150, grey.shape)
            Image.fromarray(np.clip(fine, 0, 65535).astype(np.uint16)).save(path)
        elif source == "z.tif":
            tifffile.imwrite(path, grey, compression="zlib", predictor=True)
        else:
            mode = {"rgb.jpg": "RGB", "1.png": "1"}.get(source, "L")
            Image.fromarray(grey).convert(mode).save(path)
        total += made(path, result)
        least, _, most = sizes.of_result(headers.pictures_of(path), result)
        low, high = low + least, high + most
    assert low <= total <= high


@pytest.mark.parametrize("result", WITH_QUALITY)
@pytest.mark.parametrize("quality", [40, 85, 100])
def test_quality_counts(
    tmp_path: Path, grey_photograph: Photograph, quality: int, result: Format
) -> None:
    """A lower quality is expected to take less, as it does."""
    path = tmp_path / "a.png"
    Image.fromarray(grey_photograph("coffee")).save(path)
    low, _, high = sizes.of_result(headers.pictures_of(path), result, quality)
    assert low <= made(path, result, quality) <= high
