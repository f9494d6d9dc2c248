"""Stills, the way out: a still and its new chroma to the bytes of a file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from colorbatch import color
from colorbatch.color import Codes
from colorbatch.errors import TargetError
from colorbatch.images import EXIF_START, TAG_ORIENTATION, TAG_XMP, Format, Still, to_8_bits
from colorbatch.provenance import is_extensible, with_mark

DEFAULT_QUALITY = 95
PROFILE_STEPS = 1024
RELATIVE_COLORIMETRIC = 1
D65 = (0.3127, 0.3290, 1.0)
SRGB_PRIMARIES = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)
"""xyY of red, green and blue (ITU-R BT.709-6, section 1)."""
JPEG_XMP_BYTES, JPEG_EXIF_BYTES = 65502, 65533
"""What one APP1 segment holds beside its length and its own name."""


@dataclass(frozen=True)
class Encoded:
    """A finished file's bytes, and what the format could not hold, in words."""

    data: bytes
    notes: tuple[str, ...] = ()


def encode(
    still: Still,
    ab: color.Float | None,
    format_: Format,
    *,
    mark: str,
    saturation: float = 1.0,
    quality: int | None = None,
) -> Encoded:
    """Color a still with chroma (h, w, 2) in Lab units, in its stored orientation, and encode it.

    Without `ab` the still keeps its own color (and gets no mark): for changing the format alone.
    Depth, alpha, resolution, EXIF, XMP and an RGB profile are kept where the format holds them.
    `mark` names what made the color and goes into XMP. JPEG without `quality` uses the source's
    own tables; other sources get 95. Raises TargetError if the format cannot hold the picture.
    """
    notes = list(still.notes)
    if format_ in ("JPEG", "WEBP") and still.luma.dtype == np.uint16:
        notes.append(f"16 bits became 8 for {format_}")
        still = to_8_bits(still)
    limit = {"JPEG": 65535, "WEBP": 16383}.get(format_)
    if limit and max(still.size) > limit:
        raise TargetError(f"{format_} holds at most {limit} pixels a side")
    alpha = still.alpha
    if alpha is not None and format_ == "JPEG":
        notes.append("JPEG holds no transparency: alpha was dropped")
        alpha = None
    icc = still.icc
    if icc and icc[16:20] != b"RGB ":
        icc = rgb_profile_of_grey(icc) if icc[16:20] == b"GRAY" else b""
        if not icc:
            notes.append("the color profile does not fit an RGB picture and was dropped")
    xmp = still.xmp if ab is None else with_mark(still.xmp, mark)
    if ab is not None and not is_extensible(still.xmp):
        notes.append("the XMP packet is of an unusual form and was replaced")
    if format_ == "JPEG" and len(xmp) > JPEG_XMP_BYTES:
        notes.append("JPEG holds 64 kB of XMP at most: the source's was dropped")
        xmp = b"" if ab is None else with_mark(b"", mark)
    exif = still.exif
    if format_ == "JPEG" and len(exif) > JPEG_EXIF_BYTES:
        notes.append("JPEG holds 64 kB of EXIF at most: it was dropped")
        exif = b""
    if not exif and still.orientation != 1:  # of a TIFF it stood in a tag of its own
        exif = _exif_of_orientation(still.orientation)
    if still.encoding.get("tags") and format_ != "TIFF":
        notes.append("the text tags of the TIFF were not kept")
    if still.dpi and format_ == "WEBP":
        notes.append("WebP holds no resolution (DPI)")
    shared = {"icc": icc, "exif": exif, "xmp": xmp, "dpi": still.dpi}

    if ab is None:
        pixels = still.rgb if still.rgb is not None else np.dstack([still.luma] * 3)
    else:
        pixels = color.colorize(
            still.luma,
            ab,
            saturation=saturation,
            exact_luma=still.exact_luma,
            output="ycc" if format_ == "JPEG" else "rgb",
        )
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    if format_ == "JPEG":
        image = _pillow_image(pixels, "RGB" if ab is None else "YCbCr")
        return Encoded(_encode_jpeg(image, still, quality, shared), tuple(notes))
    if format_ == "WEBP":
        return _encode_webp(pixels, still, quality, shared, notes)
    if format_ == "TIFF":
        if still.exif:
            notes.append("the camera's EXIF block was not kept")
        return Encoded(_encode_tiff(pixels, still, shared), tuple(notes))
    return Encoded(_encode_png(pixels, shared), tuple(notes))


def rgb_profile_of_grey(profile: bytes) -> bytes:
    """An RGB profile (ICC.1:2022) with sRGB's primaries and the tone curve of a grey profile.

    Codes of grey keep their meaning in it. Returns b"" for a profile that cannot be used.
    """
    ramp = np.linspace(0, 1, PROFILE_STEPS, dtype=np.float32)[None]
    try:
        xyz = imagecodecs.cms_transform(
            ramp,
            profile,
            imagecodecs.cms_profile("xyz"),
            colorspace="gray",
            outcolorspace="xyz",
            outdtype="f4",
            intent=RELATIVE_COLORIMETRIC,
        )
        curve = np.clip(xyz[0, :, 1], 0, 1)
        made = imagecodecs.cms_profile(
            "rgb", whitepoint=D65, primaries=SRGB_PRIMARIES, transferfunction=curve
        )
        return bytes(made[:24] + bytes(12) + made[36:])  # no date: the same source, the same bytes
    except Exception:  # profiles come from anywhere; one that is broken is dropped with a note
        return b""


def _exif_of_orientation(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[TAG_ORIENTATION] = orientation
    return exif.tobytes()


def _pillow_image(pixels: Codes, mode: str) -> Image.Image:
    height, width = pixels.shape[:2]
    return Image.frombuffer(mode, (width, height), pixels.tobytes(), "raw", mode, 0, 1)


def _pillow_options(shared: Mapping[str, Any]) -> dict[str, Any]:
    options = {"icc_profile": shared["icc"], "exif": shared["exif"], "dpi": shared["dpi"]}
    return {key: value for key, value in options.items() if value}


def _encode_jpeg(
    image: Image.Image, still: Still, quality: int | None, shared: Mapping[str, Any]
) -> bytes:
    tables = still.encoding.get("qtables") if still.format == "JPEG" else None
    options = _pillow_options(shared)
    if quality is None and tables:
        ordered = [tables[key] for key in sorted(tables)]
        # the source's luma table; a grey source has none for chroma, so luma's serves both
        options["qtables"] = [ordered[0], ordered[1] if len(ordered) > 1 else ordered[0]]
    else:
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    buffer = io.BytesIO()
    image.save(
        buffer,
        "JPEG",
        subsampling=0,
        optimize=True,
        progressive=still.encoding.get("progressive", False),
        xmp=shared["xmp"],
        **options,
    )
    return buffer.getvalue()


def _encode_webp(
    pixels: Codes, still: Still, quality: int | None, shared: Mapping[str, Any], notes: list[str]
) -> Encoded:
    lossless = quality is None and still.encoding.get("lossless", still.format != "JPEG")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        "WEBP",
        lossless=lossless,
        exact=True,
        method=4,
        xmp=shared["xmp"],
        quality=(75 if lossless else DEFAULT_QUALITY) if quality is None else quality,
        **{key: value for key, value in _pillow_options(shared).items() if key != "dpi"},
    )
    if not lossless:
        with Image.open(buffer) as result:
            decoded = np.asarray(result.convert("RGB"))
        error = np.abs(color.luma(decoded) - color.luma(pixels)).mean()
        notes.append(f"lossy WebP: luma differs by {error:.2f} codes on average")
    return Encoded(buffer.getvalue(), tuple(notes))


def _encode_tiff(pixels: Codes, still: Still, shared: Mapping[str, Any]) -> bytes:
    encoding: Mapping[str, Any] = {"compression": "adobe_deflate", "predictor": True}
    if still.format == "TIFF":
        encoding = still.encoding
    tags = list(encoding.get("tags", ()))
    tags.append((TAG_XMP, 1, len(shared["xmp"]), shared["xmp"], True))
    if still.orientation != 1:
        tags.append((TAG_ORIENTATION, 3, 1, still.orientation, True))
    extra = encoding.get("extrasamples") or [2]  # 2: unassociated alpha
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb",
        compression=encoding.get("compression"),
        predictor=encoding.get("predictor"),
        extrasamples=extra[:1] if pixels.shape[2] == 4 else None,
        iccprofile=shared["icc"] or None,
        resolution=shared["dpi"],
        resolutionunit="INCH" if shared["dpi"] else None,
        extratags=tags,
        software=False,
        metadata=None,
        bigtiff=pixels.nbytes > 3_900_000_000,
    )
    return buffer.getvalue()


def _encode_png(pixels: Codes, shared: Mapping[str, Any]) -> bytes:
    if pixels.dtype == np.uint8:
        buffer = io.BytesIO()
        info = _png_text(shared["xmp"])
        Image.fromarray(pixels).save(
            buffer, "PNG", pnginfo=info, compress_level=4, **_pillow_options(shared)
        )
        return buffer.getvalue()
    order = [2, 1, 0, 3][: pixels.shape[2]]
    kinds, blocks = [], []
    for kind, block in (
        (cv2.IMAGE_METADATA_EXIF, shared["exif"].removeprefix(EXIF_START)),
        (cv2.IMAGE_METADATA_ICCP, shared["icc"]),
    ):
        if block:
            kinds.append(kind)
            blocks.append(np.frombuffer(block, np.uint8))
    done, data = cv2.imencodeWithMetadata(
        ".png",
        np.ascontiguousarray(pixels[..., order]),
        kinds,
        blocks,
        [cv2.IMWRITE_PNG_COMPRESSION, 4],
    )
    if not done:
        raise TargetError("OpenCV could not encode this PNG")
    png = bytes(data)
    # OpenCV knows no resolution, and writes XMP as Latin-1: these two chunks are added behind IHDR
    chunks = _png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + shared["xmp"])
    if shared["dpi"]:
        per_meter = [round(dots / 0.0254) for dots in shared["dpi"]]
        chunks += _png_chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1))
    return png[:PNG_START_BYTES] + chunks + png[PNG_START_BYTES:]


PNG_START_BYTES = 33
"""Signature and IHDR chunk (ISO/IEC 15948:2004, sections 5.2 and 11.2.2)."""


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file (ISO/IEC 15948:2004, section 5.3)."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png_text(xmp: bytes) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return info
