"""Files that Pillow reads or writes: opened with our limits, told by their headers, and a page as
Pillow's picture. The pixels of one are handed over where they lie, by Arrow's C data interface."""

from __future__ import annotations

import contextlib
import io
import logging
import mmap
import os
from collections.abc import Callable, Iterator
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image

from colorbatch import color
from colorbatch.color import luma_join
from colorbatch.errors import SourceError
from colorbatch.formats.page import Page
from colorbatch.formats.still import Packing, Stored, check_size

logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it logs, the error says as well
Image.MAX_IMAGE_PIXELS = None  # `check_size` is asked instead, for every library alike


@contextlib.contextmanager
def opened(
    file: IO[bytes],
    kind: str,
    max_pixels: int,
    *,
    not_read: Callable[[IO[bytes]], str] | None = None,
    several: bool = False,
) -> Iterator[Image.Image]:
    """The picture of a file; nothing is decoded yet. kind: Pillow's name of the format. not_read:
    why a file is not read that Pillow cannot open, "" where it is broken. several: whether more
    than one picture is no animation. Raises SourceError, or what Pillow raises."""
    try:
        image = Image.open(file, formats=[kind])
    except OSError as error:
        why = not_read(file) if not_read else ""
        raise SourceError(why or "the file is truncated or broken") from error
    with image:
        check_size(image.height, image.width, max_pixels)
        if not several and getattr(image, "n_frames", 1) > 1:
            raise SourceError("it is animated; only single pictures are supported")
        yield image


def size_of(file: IO[bytes]) -> int:
    """Bytes of an opened file."""
    return os.fstat(file.fileno()).st_size


def stored(image: Image.Image, format_: str, packing: Packing, size: int, bits: int = 8) -> Stored:
    """How a picture lies in a file of `size` bytes; bits: where they are not Pillow's own."""
    bits = 16 if image.mode.startswith("I") else 1 if image.mode == "1" else bits
    samples = 3 if image.mode == "P" else len(image.getbands())  # palettes become RGB
    # all of the file is in memory while it is decoded
    return Stored(format_, packing, image.height, image.width, samples, bits, size, size)


def picture_of(page: Page, output: luma_join.Output = "rgb") -> Image.Image:
    """A page of 8 bits as Pillow's picture, read-only, made band by band: no array of it beside."""
    import nanoarrow  # 30 ms that no other file needs

    height, width = page.still.size
    mode = "YCbCr" if output == "ycc" else "RGBA"[: page.channels]
    pixels = np.empty((height, width, 4), np.uint8)  # as Pillow has them
    for start, stop in color.strips(height, width, color.BAND_PIXELS):
        rows = page.rows(start, stop, output)
        if page.channels == 3:
            cv2.cvtColor(rows, cv2.COLOR_RGB2RGBA, pixels[start:stop])
        else:
            pixels[start:stop] = rows
    samples = nanoarrow.c_array_from_buffers(
        nanoarrow.uint8(), pixels.size, [None, pixels.reshape(-1)]
    )
    shared = nanoarrow.c_array_from_buffers(
        nanoarrow.fixed_size_list(nanoarrow.uint8(), 4), height * width, [None], children=[samples]
    )
    return Image.fromarrow(shared, mode, (width, height))


@contextlib.contextmanager
def encoded(image: Image.Image, kind: str, **options: Any) -> Iterator[bytes | mmap.mmap]:
    """A picture as a file in memory. kind: Pillow's name of the format; options: of its `save`.

    JPEG's encoder keeps Python's lock, as long as it is at work, unless it writes to a file that
    the system knows; such a one in memory is what Linux has. To a file on a disk it must not write:
    Pillow takes no notice of how much the system took.
    """
    with _in_memory() as file:
        image.save(file, kind, **options)
        if isinstance(file, io.BytesIO):
            yield file.getvalue()
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _in_memory() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):  # not everywhere is it allowed
            return os.fdopen(os.memfd_create("picture"), "w+b")
    return io.BytesIO()


def options_of(page: Page) -> dict[str, Any]:
    """What Pillow's encoders are told beside pixels; "dpi" not by all of them."""
    options = {"icc_profile": page.icc, "exif": page.exif, "dpi": page.still.dpi}
    return {key: value for key, value in options.items() if value}
