"""How large results are, per byte of their source: the factors that estimates of space rest on.

`python benchmarks/sizes.py FOLDER [--count N] [--seed S]` takes N photographs spread over the tree
of FOLDER, stores each in black and white in every way that a scan may be stored (and, as "rgb", as
the scan of a toned print is), colors them with the default model and writes them in every format.
It prints, for each pair, the source's and the result's bytes per pixel and result bytes per source
byte (geometric means), the range that holds 8 of 10 pictures, what `colorbatch.formats.sizes` says
from the header, and how many of 10 results are within the range that it gives; then how far a
folder of all of them would be off, format by format.

16-bit scans are made by adding a scanner's noise (0.1 % to 0.4 % of white). Uncompressed TIFF and
BMP need no factor: their size follows from the header.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from colorbatch import color
from colorbatch.api import Colorizer
from colorbatch.formats import headers, reader, sizes, writer
from colorbatch.formats.record import MARK_BYTES
from colorbatch.formats.registry import WRITTEN, Format
from colorbatch.model.contract import DEFAULT_MODEL
from training.folders import find_photographs

Codes = npt.NDArray[Any]
Store = Callable[[Codes, np.random.Generator], bytes]


def scans(rgb: Codes, rng: np.random.Generator) -> dict[str, Codes]:
    """A photograph as scans of its black-and-white print: grey and toned, 8 and 16 bits."""
    grey = color.luma(rgb) / 255
    noise = rng.uniform(0.001, 0.004)
    gains = 1 + rng.uniform(-0.06, 0.06, 3)
    fine = grey + rng.normal(0, noise, grey.shape)
    toned = grey[..., None] * gains + rng.normal(0, noise, (*grey.shape, 3))
    return {
        "grey8": color.grey_of(rgb),
        "grey16": color.to_codes(fine, np.uint16),
        "rgb8": color.to_codes(toned, np.uint8),
        "rgb16": color.to_codes(toned, np.uint16),
    }


def with_pillow(format_: str, mode: str | None = None, **options: Any) -> Store:
    """Through Pillow, lossy formats in a quality that is drawn from 70 to 95."""

    def store(pixels: Codes, rng: np.random.Generator) -> bytes:
        buffer = io.BytesIO()
        lossy = format_ == "JPEG" or options.get("lossless") is False
        drawn = {"quality": int(rng.integers(70, 96))} if lossy else {}
        image = Image.fromarray(pixels)
        image = image if mode is None else image.convert(mode)
        image.save(buffer, format_, **(drawn | options))
        return buffer.getvalue()

    return store


def with_tifffile(compression: str | None, predictor: bool) -> Store:
    def store(pixels: Codes, _: np.random.Generator) -> bytes:
        buffer = io.BytesIO()
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        tifffile.imwrite(
            buffer, pixels, compression=compression, predictor=predictor, photometric=photometric
        )
        return buffer.getvalue()

    return store


def with_imagecodecs(encode: Callable[..., Any], **options: Any) -> Store:
    return lambda pixels, _: bytes(encode(pixels, **options))


EIGHT, ALL = ("grey8", "rgb8"), ("grey8", "rgb8", "grey16", "rgb16")
STORES: dict[str, tuple[str, tuple[str, ...], Store]] = {
    "jpeg": (".jpg", EIGHT, with_pillow("JPEG")),
    "png": (".png", ALL, with_imagecodecs(imagecodecs.png_encode, level=6)),
    "webp": (".webp", ("rgb8",), with_pillow("WEBP", lossless=False)),
    "webp lossless": (".webp", ("rgb8",), with_pillow("WEBP", lossless=True)),
    "jp2": (".jp2", ALL, with_imagecodecs(imagecodecs.jpeg2k_encode, reversible=True)),
    "jp2 lossy": (".jp2", EIGHT, with_imagecodecs(imagecodecs.jpeg2k_encode, level=38)),
    "none": (".tif", ALL, with_tifffile(None, False)),
    "lzw": (".tif", ALL, with_tifffile("lzw", False)),
    "lzw predicted": (".tif", ALL, with_tifffile("lzw", True)),
    "deflate": (".tif", ALL, with_tifffile("deflate", False)),
    "deflate predicted": (".tif", ALL, with_tifffile("deflate", True)),
    "palette": (".png", ("grey8",), with_pillow("PNG", "P")),
    "one bit": (".png", ("grey8",), with_pillow("PNG", "1")),
}
"""How a scan may be stored -> suffix, kinds of samples, the function that does it."""

RESULTS: tuple[Format, ...] = tuple(one for one in WRITTEN if one != "BMP")
Row = tuple[float, float, float, tuple[float, float, float]]
"""Pixels, bytes of the source, bytes of the result, and what was expected of it."""


def measure(paths: list[Path], rng: np.random.Generator) -> dict[tuple[str, str, str], list[Row]]:
    """Every photograph in every way of storing, colored into every format."""
    colorizer = Colorizer()
    style = writer.StillStyle(f"colorbatch; model {DEFAULT_MODEL} 0123456789abcdef")
    rows: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for photograph in paths:
            made = scans(reader.load_rgb(photograph), rng)
            ab = colorizer.chroma(made["grey8"])
            for name, (suffix, kinds, store) in STORES.items():
                for kind in kinds:
                    path = Path(scratch, f"scan{suffix}")
                    path.write_bytes(data := store(made[kind], rng))
                    still, pictures = reader.read(path), headers.pictures_of(path)
                    for result in RESULTS:
                        writer.write(buffer := io.BytesIO(), [(still, ab)], result, style)
                        expected = sizes.of_result(pictures, result)
                        size = len(buffer.getvalue())
                        pixels = made[kind].shape[0] * made[kind].shape[1]
                        rows[name, kind, result].append((pixels, len(data), size, expected))
    return rows


def middle(values: npt.NDArray[np.float64]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def show(rows: dict[tuple[str, str, str], list[Row]]) -> None:
    """The table, and below it the sums."""
    print(
        "source              samples  result   source/px result/px   ratio [8 of 10]   expected  in"
    )
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (name, kind, result), found in rows.items():
        pixels, source, made = np.array([row[:3] for row in found]).T
        expected = np.array([row[3][1] for row in found])
        within = [row[3][0] <= row[2] <= row[3][2] for row in found]
        low, high = np.percentile(made / source, (10, 90))
        print(
            f"{name:19} {kind:8} {result:9} {middle(source / pixels):8.2f} "
            f"{middle((made - MARK_BYTES) / pixels):9.2f} {middle(made / source):8.2f} "
            f"[{low:5.2f} {high:5.2f}] {middle(expected / source):8.2f} {10 * np.mean(within):5.0f}"
        )
        sums[result][0] += made.sum()
        sums[result][1] += expected.sum()
    for result, (made_sum, expected_sum) in sums.items():
        print(f"all to {result}: expected {expected_sum / made_sum - 1:+.1%}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = find_photographs(arguments.folder)
    step = max(1, len(paths) // arguments.count)
    show(
        measure(paths[step // 2 :: step][: arguments.count], np.random.default_rng(arguments.seed))
    )


if __name__ == "__main__":
    main()
