"""Stills, the way in: a picture file to luma, alpha and metadata.

Paths are opened by Python, never by a codec library, so that every name works. What a still is
(depth, alpha, compression, profile, EXIF, orientation) travels in `Still`, and `encoding` puts it
back. No models here, and no decision about which files are done.
"""

from __future__ import annotations

import io
import logging
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from colorbatch import color
from colorbatch.color import Codes
from colorbatch.errors import SourceError

Format = Literal["JPEG", "PNG", "TIFF", "WEBP"]

FORMATS: Mapping[str, Format] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
MAX_PIXELS = 1_000_000_000
"""Larger pictures are refused before they are decoded."""
EXIF_START = b"Exif\0\0"
LOSSLESS_TIFF = ("NONE", "LZW", "DEFLATE", "ADOBE_DEFLATE", "PACKBITS", "ZSTD")
TEXT_TAGS = {
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    285: "PageName",
    306: "DateTime",
    315: "Artist",
    33432: "Copyright",
}
TAG_ORIENTATION, TAG_XMP, TAG_ICC, TAG_EXIF, TAG_IPTC = 274, 700, 34675, 34665, 33723

for library in ("tifffile", "PIL"):  # what they log of broken files, the error says as well
    logging.getLogger(library).setLevel(logging.CRITICAL)
Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked instead, for every library alike


@dataclass(frozen=True)
class Still:
    """One picture as the tool sees it.

    luma: Y' codes (H, W), uint8 or uint16, in the file's own pixel order. exact_luma: unrounded Y'
    in codes, float32, where a 16-bit source was not grey. rgb: the source's codes (H, W, 3) where
    it was not stored as grey. alpha: codes (H, W) or None.
    """

    format: Format
    luma: Codes
    rgb: Codes | None = None
    exact_luma: color.Float | None = None
    alpha: Codes | None = None
    orientation: int = 1
    """EXIF orientation, 1 to 8: how the stored pixels have to be turned to stand upright."""
    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)
    """How the file was stored, in the terms of the library that writes its format."""
    notes: tuple[str, ...] = ()
    """What could not be kept, in words."""

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        arrays = (self.luma, self.rgb, self.exact_luma, self.alpha)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) as stored."""
        return (self.luma.shape[0], self.luma.shape[1])


def read(path: Path, *, at_least: int = 0) -> Still:
    """Read a picture file. Raises SourceError with the reason, for anything that is wrong with it.

    The format is told by the content, not by the name. at_least: pixels per side that are enough;
    JPEG is then decoded at an eighth, a quarter or half of its size where that leaves as many.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{path}: cannot read: a folder that cannot be listed")
        if not stat.S_ISREG(mode):  # opening a named pipe would wait for ever
            raise SourceError(f"{path}: cannot read: not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror}") from error
    if not data:
        raise SourceError(f"{path}: the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn about harmless oddities of metadata
            return decode(data, at_least=at_least)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except MemoryError as error:
        raise SourceError(f"{path}: not enough memory to decode it") from error
    except UnidentifiedImageError as error:  # its text names an address in memory
        raise SourceError(f"{path}: cannot decode: not a picture, or one that is broken") from error
    except Exception as error:  # decoders raise anything for broken files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"{path}: cannot decode: {reason}") from error


def decode(data: bytes, *, at_least: int = 0) -> Still:
    """The content of a picture file, reduced as in `read`.

    Raises SourceError, or what the decoders raise.
    """
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _decode_tiff(data)
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"])
    except OSError as error:
        if data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF")):
            raise SourceError("the file is truncated or broken") from error
        raise SourceError("not a JPEG, PNG, TIFF or WebP picture") from error
    with image:
        _check_size(image.height, image.width)
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise SourceError("it is animated; only single pictures are supported")
        if image.format in ("JPEG", "MPO"):
            return _decode_jpeg(image, (at_least, at_least) if at_least else image.size)
        return _decode_with_pillow(image, data)


def load_rgb(path: Path) -> Codes:
    """A photograph as upright codes (H, W, 3), uint8. Raises SourceError."""
    still = read(path)
    if still.luma.dtype == np.uint16:
        still = to_8_bits(still)
    rgb = still.rgb if still.rgb is not None else np.dstack([still.luma] * 3)
    return upright(rgb, still.orientation)


# --- decoding ----------------------------------------------------------------------------------


def _decode_jpeg(image: Image.Image, at_least: tuple[int, int]) -> Still:
    encoding: dict[str, Any] = {
        "qtables": getattr(image, "quantization", None),
        "progressive": bool(image.info.get("progressive")),
    }
    notes = [
        f"the {what} was not kept"
        for key, what in (("comment", "JPEG comment"), ("photoshop", "IPTC/Photoshop block"))
        if image.info.get(key)
    ]
    if image.format == "MPO":
        notes.append("only the first of several pictures in the file was colored")
    shared = _pillow_metadata(image)
    if image.mode == "L":
        luma, rgb = np.asarray(image), None
    elif image.mode == "RGB" and image.info.get("adobe_transform") != 0:
        image.draft("YCbCr", at_least)  # the stored Y' itself, not one rounded through RGB
        planes = np.asarray(image)
        if image.mode != "YCbCr":
            raise SourceError(f"JPEG of an unexpected kind ({image.mode})")
        luma = np.ascontiguousarray(planes[..., 0])
        rgb = cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)
    else:
        if image.mode == "CMYK":
            notes.append("CMYK was converted to RGB")
            shared["icc"] = b""
        rgb = np.asarray(image.convert("RGB"))
        luma = color.grey_of(rgb)
    return Still(
        "JPEG", luma, rgb, encoding=encoding, notes=(*notes, *shared.pop("notes")), **shared
    )


def _decode_with_pillow(image: Image.Image, data: bytes) -> Still:
    """PNG and WebP, and the TIFF kinds that are neither plain grey nor plain RGB."""
    notes = []
    tiles = getattr(image, "tile", None)  # of PNG: what is stored, before Pillow makes it 8 bits
    raw_mode = str(tiles[0][3]) if tiles else ""
    shared = _pillow_metadata(image)  # may load the picture, which empties `tile`
    if image.format == "PNG" and set(getattr(image, "text", {})) - {"XML:com.adobe.xmp"}:
        notes.append("text chunks were not kept")
    if image.format == "PNG" and "16" in raw_mode:
        pixels = imagecodecs.png_decode(data)
    else:
        has_alpha = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
        grey = image.mode in ("1", "L", "LA", "La")
        if image.mode in ("P", "PA", "1"):
            notes.append(f"{'1-bit' if image.mode == '1' else 'palette'} picture became 8-bit RGB")
        pixels = np.asarray(image.convert(("L" if grey else "RGB") + ("A" if has_alpha else "")))
    encoding: dict[str, Any] = {}
    format_: Format = "PNG"
    if image.format == "WEBP":
        format_, encoding = "WEBP", {"lossless": _webp_is_lossless(data)}
    elif image.format == "TIFF":
        format_, encoding = "TIFF", {"compression": "adobe_deflate"}
        shared["orientation"] = 1  # Pillow turns TIFF pixels upright itself
    return _from_pixels(
        format_, pixels, encoding=encoding, notes=(*notes, *shared.pop("notes")), **shared
    )


def _from_pixels(format_: Format, pixels: Codes, **rest: Any) -> Still:
    """Samples (H, W), (H, W, 1 to 4) to a still; the last of 2 or 4 channels is alpha."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{pixels.dtype} samples are not supported, only 8 and 16 bits")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    channels = pixels.shape[2]
    if channels not in (1, 2, 3, 4):
        raise SourceError(f"pictures of {channels} channels are not supported")
    alpha = np.ascontiguousarray(pixels[..., -1]) if channels in (2, 4) else None
    if channels <= 2:
        return Still(format_, np.ascontiguousarray(pixels[..., 0]), alpha=alpha, **rest)
    rgb = np.ascontiguousarray(pixels[..., :3])
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all():
        return Still(format_, np.ascontiguousarray(rgb[..., 0]), rgb, alpha=alpha, **rest)
    return Still(format_, color.grey_of(rgb), rgb, color.exact_luma_of(rgb), alpha, **rest)


def _decode_tiff(data: bytes) -> Still:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        # reduced ones are thumbnails
        pages = [page for page in tiff.pages if not getattr(page, "is_reduced", False)]
        if not pages:
            raise SourceError("the file is truncated or broken")
        if len(pages) != 1 or pages[0] is not tiff.pages.first:
            raise SourceError(f"it has {len(pages)} pages; only single pictures are supported")
        page = tiff.pages.first
        _check_whole(page, len(data))
        _check_size(page.imagelength, page.imagewidth)
        plain = page.photometric in (
            tifffile.PHOTOMETRIC.MINISBLACK,
            tifffile.PHOTOMETRIC.MINISWHITE,
            tifffile.PHOTOMETRIC.RGB,
        )
        if not plain or page.bitspersample not in (8, 16):
            if page.bitspersample not in (1, 2, 4, 8):
                raise SourceError(f"TIFF samples of {page.bitspersample} bits are not supported")
            with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
                still = _decode_with_pillow(image, data)
            if lost := [name for tag, name in TEXT_TAGS.items() if tag in page.tags]:
                still = replace(still, notes=(*still.notes, f"{', '.join(lost)} not kept"))
            return still
        pixels = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
            pixels = np.moveaxis(pixels, 0, -1)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            grey = pixels[..., :1] if page.samplesperpixel > 1 else pixels  # alpha stays
            grey[...] = np.iinfo(pixels.dtype).max - grey
        tags = page.tags
        notes = []
        if TAG_EXIF in tags:
            notes.append("the camera's EXIF block was not kept")
        if TAG_IPTC in tags:
            notes.append("the IPTC block was not kept")
        name = tifffile.COMPRESSION(page.compression).name
        if name not in LOSSLESS_TIFF:
            notes.append(f"{name} compression became lossless Deflate")
            name = "ADOBE_DEFLATE"
        resolution = page.get_resolution(tifffile.RESUNIT.INCH)
        encoding = {
            "compression": None if name == "NONE" else name.lower(),
            "predictor": page.predictor != 1 or None,
            "extrasamples": [int(kind) for kind in page.extrasamples],
            # as UTF-8 bytes: tifffile writes strings in ASCII only
            "tags": [
                (tag, 2, 0, str(tags[tag].value).encode(), True) for tag in TEXT_TAGS if tag in tags
            ],
        }
        orientation = int(tags[TAG_ORIENTATION].value) if TAG_ORIENTATION in tags else 1
        return _from_pixels(
            "TIFF",
            pixels,
            encoding=encoding,
            notes=tuple(notes),
            orientation=orientation if 1 <= orientation <= 8 else 1,
            xmp=bytes(tags[TAG_XMP].value) if TAG_XMP in tags else b"",
            icc=bytes(tags[TAG_ICC].value) if TAG_ICC in tags else b"",
            dpi=resolution if all(value > 1 for value in resolution) else None,
        )


def _check_whole(page: Any, size: int) -> None:
    """Some decoders fill up what is missing of a truncated picture: refuse it before they do."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if offset + count > size:
            raise SourceError("the file is truncated")


def _pillow_metadata(image: Image.Image) -> dict[str, Any]:
    """EXIF, XMP, ICC, resolution and orientation of an opened, not yet decoded picture."""
    notes = []
    try:
        orientation = int(image.getexif().get(TAG_ORIENTATION, 1))
        exif = image.info.get("exif") or b""
        if exif and not exif.startswith(EXIF_START):  # of WebP Pillow gives the bare block
            exif = EXIF_START + exif
    except Exception:  # broken EXIF is no reason to refuse the picture
        orientation, exif = 1, b""
        notes.append("unreadable EXIF was dropped")
    dpi = image.info.get("dpi")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return {
        "orientation": orientation if 1 <= orientation <= 8 else 1,
        "exif": exif,
        "xmp": xmp.encode() if isinstance(xmp, str) else bytes(xmp),
        "icc": image.info.get("icc_profile") or b"",
        "dpi": (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
        "notes": tuple(notes),
    }


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise SourceError(f"{width} x {height} pixels are more than {MAX_PIXELS / 1e6:.0f} million")


def _webp_is_lossless(data: bytes) -> bool:
    """Whether the picture's chunk is VP8L (RFC 9649, section 2): chunks of a RIFF file in turn."""
    position = 12
    while position + 8 <= len(data):
        name, length = data[position : position + 4], data[position + 4 : position + 8]
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        position += 8 + int.from_bytes(length, "little") + int.from_bytes(length, "little") % 2
    return False


def to_8_bits(still: Still) -> Still:
    """A 16-bit still rounded to 8 bits."""

    def rounded(codes: Codes | None) -> Codes | None:
        return None if codes is None else color.to_codes(codes / np.float32(65535))

    luma = color.to_codes(still.luma / np.float32(65535))
    return replace(
        still, luma=luma, exact_luma=None, rgb=rounded(still.rgb), alpha=rounded(still.alpha)
    )


# --- orientation -------------------------------------------------------------------------------


def upright(pixels: Codes, orientation: int) -> Codes:
    """Stored pixels (H, W, ...) turned upright (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def stored(pixels: Codes, orientation: int) -> Codes:
    """The inverse of `upright`."""
    # only the two quarter turns are not their own inverse
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))
