"""Stills, the way in, format by format: the bytes of an opened file that is not TIFF to a `Still`.

The format is told by the content. Pillow reads them, but for the 16 bits of PNG and JPEG 2000 that
it does not hold; errors are those of the libraries, which `reader` translates.
"""

from __future__ import annotations

import logging
from typing import IO, Any

import cv2
import imagecodecs
import numpy as np
from PIL import Image

from colorbatch.color import Codes, strips
from colorbatch.errors import SourceError
from colorbatch.formats import (
    bmp_header,
    heif_items,
    jpeg2000,
    jpeg_segments,
    png_chunks,
    unsupported,
    webp,
)
from colorbatch.formats.boxes import CODESTREAM
from colorbatch.formats.found import Found
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.png import SIGNATURE as PNG_SIGNATURE
from colorbatch.formats.registry import READ, Format, in_words
from colorbatch.formats.still import Still, check_size, from_samples

PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "JPEG2000")
STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"RIFF",
    b"BM",
    b"\0\0\0\x0cjP  ",
    CODESTREAM,
)
"""How files of those formats begin."""

logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it logs, the error says as well
Image.MAX_IMAGE_PIXELS = None  # `check_size` is asked instead, for every library alike


def decode(file: IO[bytes], max_pixels: int, at_least: int) -> Still:
    """The content of a picture file that is not TIFF; at_least: as of `reader.pages`. Raises
    SourceError, or what the libraries raise."""
    start = file.read(16)
    file.seek(0)
    if is_heif(start):
        return _decode_heif(file, max_pixels)
    found = Found()
    if start.startswith(PNG_SIGNATURE):
        if why := unsupported.reason(file):
            raise SourceError(why)
        whole = file
        file, chunks = png_chunks.opened(whole)
        found = png_chunks.found_in(whole, chunks)
        file.seek(0)
    try:
        image = Image.open(file, formats=PILLOW_FORMATS)
    except OSError as error:
        if start.startswith(STARTS):
            why = unsupported.reason(file)
            raise SourceError(why or "the file is truncated or broken") from error
        raise SourceError(f"not a {in_words(READ, 'or')} picture") from error
    with image:
        check_size(image.height, image.width, max_pixels)
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise SourceError("it is animated; only single pictures are supported")
        if image.format in ("JPEG", "MPO"):
            try:
                return _decode_jpeg(image, file, (at_least, at_least) if at_least else image.size)
            except OSError as error:
                if why := unsupported.reason(file):
                    raise SourceError(why) from error
                raise
        if image.format == "JPEG2000":
            return _decode_jpeg2000(image, _whole(file))
        if image.format != "PNG":
            found = _found_beside(image, file)
        return _decode_with_pillow(image, file, found)


def _found_beside(image: Image.Image, file: IO[bytes]) -> Found:
    """What WebP and BMP hold beside the picture; the file stays where it is for Pillow."""
    place = file.tell()
    found = webp.found_in(file) if image.format == "WEBP" else bmp_header.found_in(file)
    file.seek(place)
    return found


def _decode_jpeg(image: Image.Image, file: IO[bytes], at_least: tuple[int, int]) -> Still:
    place = file.tell()
    file.seek(0)
    found = jpeg_segments.found_in(file)
    file.seek(place)
    encoding: dict[str, Any] = {
        "qtables": getattr(image, "quantization", None),
        "progressive": bool(image.info.get("progressive")),
        **found.encoding,
    }
    if image.format == "MPO":
        found.notes.append("only the first of several pictures in the file was colored")
    shared = found.fields()
    if image.mode == "RGB" and not _holds_rgb(image):
        image.draft("YCbCr", at_least)  # the stored Y' itself, not one rounded through RGB
        luma, samples = _luma_and_rgb(image)
        return Still("JPEG", luma, samples, encoding=encoding, **shared)
    samples, shared["icc"], told = samples_of(image, shared["icc"])
    notes = (*told, *shared.pop("notes"))
    return from_samples("JPEG", samples, encoding=encoding, notes=notes, **shared)


def _holds_rgb(image: Image.Image) -> bool:
    """Whether the three components of a JPEG are R, G and B, as libjpeg tells it (jdapimin.c,
    default_decompress_parms): by JFIF's marker, then Adobe's, then the components' names."""
    if "jfif" in image.info:
        return False
    if "adobe" in image.info:
        return image.info.get("adobe_transform") == 0
    return [layer[0] for layer in getattr(image, "layer", [])] == list(b"RGB")


def _luma_and_rgb(image: Image.Image) -> tuple[Codes, Codes]:
    """The stored Y' (H, W) and RGB (H, W, 3) of an opened JPEG, uint8; strip by strip, as Pillow
    holds the whole already."""
    image.load()
    if image.mode != "YCbCr":
        raise SourceError(f"JPEG of an unexpected kind ({image.mode})")
    width, height = image.size
    luma = np.empty((height, width), np.uint8)
    rgb = np.empty((height, width, 3), np.uint8)
    for start, stop in strips(height, width):
        planes = np.asarray(image.crop((0, start, width, stop)))
        luma[start:stop] = planes[..., 0]
        rgb[start:stop] = cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)
    return luma, rgb


def _decode_with_pillow(image: Image.Image, file: IO[bytes], found: Found) -> Still:
    """PNG, WebP and BMP."""
    tiles = getattr(image, "tile", None)  # of PNG: what is stored, before Pillow makes it 8 bits
    raw_mode = str(tiles[0][3]) if tiles else ""
    shared = found.fields()
    notes: tuple[str, ...] = ()
    format_: Format = "PNG"
    encoding = found.encoding
    if image.format == "WEBP":
        format_, encoding = "WEBP", {"lossless": webp.is_lossless(file)}
    elif image.format == "BMP":
        format_ = "BMP"
    if format_ == "PNG" and "16" in raw_mode:
        Image.Image.close(image)  # frees its eight bits of the sixteen, and leaves the file open
        samples: Codes = imagecodecs.png_decode(_whole(file))
    else:
        few = {"L;2": 2, "L;4": 4}.get(raw_mode, 0) if format_ == "PNG" else 0
        if few and "transparency" in image.info:  # Pillow scales the samples alone
            image.info["transparency"] *= 255 // (2**few - 1)
        samples, shared["icc"], notes = samples_of(image, shared["icc"])
        if few:
            notes = (f"{few}-bit picture became 8-bit RGB",)
    return from_samples(
        format_, samples, encoding=encoding, notes=(*notes, *shared.pop("notes")), **shared
    )


def _decode_jpeg2000(image: Image.Image, data: bytes) -> Still:
    found = jpeg2000.found_in(data)
    shared = found.fields()
    notes: tuple[str, ...] = ()
    if image.mode in ("P", "PA", "CMYK"):
        samples, shared["icc"], notes = samples_of(image, shared["icc"])
    else:
        samples, bits = jpeg2000.samples_of(data)
        if 8 < bits < 16:
            notes = (f"{bits} bits became 16",)
        elif bits < 8:
            notes = (f"{bits}-bit picture became 8-bit RGB",)
    notes += shared.pop("notes")
    return from_samples("JPEG2000", samples, encoding=found.encoding, notes=notes, **shared)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def is_heif(data: bytes) -> bool:
    """Whether its first box names a HEIF brand (ISO/IEC 23008-12, section 10)."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heim", b"heis", b"mif1")


def know_heif() -> bool:
    """Teach Pillow to open HEIC, where pillow-heif is installed: whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _decode_heif(file: IO[bytes], max_pixels: int) -> Still:
    """HEIC, through pillow-heif, which turns it upright."""
    if not know_heif():
        raise SourceError("HEIC needs pillow-heif", 'pip install "colorbatch[heic]"')
    with Image.open(file, formats=["HEIF"]) as image:
        check_size(image.height, image.width, max_pixels)
        notes = []
        if image.info.get("bit_depth", 8) > 8:
            notes.append(f"{image.info['bit_depth']} bits became 8")
        if getattr(image, "n_frames", 1) > 1:
            notes.append("only the main one of several pictures in the file was colored")
        place = file.tell()
        shared = heif_items.found_in(file, image.info).fields()
        file.seek(place)
        samples, shared["icc"], told = samples_of(image, shared["icc"])
        return from_samples("HEIC", samples, notes=(*notes, *told, *shared.pop("notes")), **shared)
