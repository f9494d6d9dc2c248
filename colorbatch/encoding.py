"""Stills, the way out: stills and their new chroma to a file.

A page's rows are colored when they are written: `write` holds one page of the source, and of TIFF
one strip of the result. What a format cannot hold comes back as notes, in words.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo, iTXt

from colorbatch import color, icc, jpeg2000, metadata, tiff
from colorbatch.color import Codes
from colorbatch.errors import TargetError
from colorbatch.metadata import EXIF_START, TAG_ORIENTATION
from colorbatch.provenance import is_extensible, with_mark
from colorbatch.still import Format, Still, to_codes, upright

DEFAULT_QUALITY = 95
JPEG_XMP_BYTES, JPEG_EXIF_BYTES, SEGMENT_BYTES = 65502, 65533, 65533
"""What one APP1 segment holds beside its length and its own name; what any segment holds."""
LARGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
NAMES = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}


@dataclass(frozen=True)
class Style:
    """How results are written. quality: of JPEG and WebP, None for the source's own. upright:
    whether pixels are turned by the orientation tag. mark: what made the color, for XMP."""

    mark: str
    saturation: float = 1.0
    quality: int | None = None
    upright: bool = False


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
    """`write` for one still, into memory."""
    buffer = io.BytesIO()
    notes = write(buffer, [(still, ab)], format_, Style(mark, saturation, quality))
    return Encoded(buffer.getvalue(), notes)


def write(
    file: IO[bytes],
    pages: Iterable[tuple[Still, color.Float | None]],
    format_: Format,
    style: Style,
) -> tuple[str, ...]:
    """Color pages and write them to an empty file that is open for reading and writing.

    Each page comes with its chroma (h, w, 2) in Lab units, in its stored orientation; without it
    the page keeps its own color (and gets no mark). Depth, alpha, resolution, EXIF, XMP, IPTC and
    profile are kept where the format holds them. JPEG without quality uses the source's own tables;
    other sources get 95. Returns what could not be kept. Raises TargetError if the format cannot
    hold the picture, or more pictures than one.
    """
    notes: dict[str, list[int]] = defaultdict(list)
    count = 0

    def prepared() -> Generator[_Page, None, None]:
        nonlocal count
        for still, ab in pages:
            count += 1
            page = _prepare(still, ab, format_, style)
            for note in page.notes:
                notes[note].append(count)
            yield page

    if format_ == "TIFF":
        tiff.write(file, (_sheet(page) for page in prepared()))
    else:
        with contextlib.closing(prepared()) as found:
            page = next(found)
            said: list[str] = []
            data = _ENCODERS[format_](page, said)
            if next(found, None) is not None:
                name = NAMES.get(format_, format_)
                raise TargetError(f"it has several pages, and {name} holds one", "--format tif")
            file.write(data)
            notes.update({note: [1] for note in said})
    return tuple(
        f"{note} (page{'s' * (len(on) > 1)} {', '.join(map(str, on))})" if count > 1 else note
        for note, on in notes.items()
    )


@dataclass(frozen=True)
class _Page:
    """A page made ready for a format. ab: chroma in Lab units, None for a page that keeps its own
    color."""

    still: Still
    ab: color.Float | None
    icc: bytes
    xmp: bytes
    exif: bytes
    quality: int | None
    notes: tuple[str, ...]

    @property
    def channels(self) -> int:
        return 3 if self.still.alpha is None else 4

    @property
    def output(self) -> color.Output:
        """What an encoder of Y' is given."""
        return "rgb" if self.ab is None else "ycc"

    def rows(self, start: int, stop: int, output: color.Output = "rgb") -> Codes:
        """Samples (stop - start, W, 3 or 4) of `still.dtype`; "ycc" is for pages without alpha."""
        still = self.still
        height, width = still.size
        made = np.empty((stop - start, width, self.channels), still.dtype)
        if still.alpha is not None:
            made[..., 3] = still.alpha[start:stop]
        if self.ab is None:
            made[..., :3] = still.own_rgb(start, stop)
            return made
        space = icc.space_of(self.icc) if self.icc else None
        for top, bottom in color.strips(stop - start, width):
            first, last = start + top, start + bottom
            part = color.colorize_rows(
                still.luma[first:last],
                self.ab,
                first,
                height,
                exact_luma=still.exact_luma(first, last),
                output=output,
                space=space,
                dtype=still.dtype,
            )
            made[top:bottom, :, :3] = (
                part * still.dtype.type(still.white) if still.is_float else part
            )
        return made


def _prepare(still: Still, ab: color.Float | None, format_: Format, style: Style) -> _Page:
    """Fit a page to a format, and say what it cannot hold."""
    name = NAMES.get(format_, format_)
    notes = list(still.notes)
    most = LARGEST_SIDE.get(format_)
    if most and max(still.size) > most:
        raise TargetError(f"{name} holds at most {most} pixels a side")
    deepest = {"JPEG": 1, "WEBP": 1, "BMP": 1, "TIFF": 8}.get(format_, 2)
    if still.dtype.itemsize > deepest or (still.is_float and deepest < 8):
        had = "floating point" if still.is_float else f"{still.dtype.itemsize * 8} bits"
        notes.append(f"{had} became {deepest * 8}{' bits' * still.is_float} for {name}")
        still = to_codes(still, np.uint8 if deepest == 1 else np.uint16)
    if still.alpha is not None and format_ == "JPEG":
        notes.append("JPEG holds no transparency: alpha was dropped")
        still = replace(still, alpha=None)
    orientation = still.orientation
    if style.upright and orientation != 1:
        ab = None if ab is None else upright(ab, orientation)
        still, orientation = _turned(still), 1
    if ab is not None and style.saturation != 1:
        ab = ab * np.float32(style.saturation)
    profile = icc.for_result(still.icc)
    if still.icc and not profile:
        notes.append("the color profile does not fit an RGB picture and was dropped")
    xmp, exif = still.xmp, still.exif
    if ab is not None or style.upright:
        xmp, exif = metadata.cleaned_xmp(xmp, orientation), metadata.cleaned_exif(exif, orientation)
    if ab is not None:
        if not is_extensible(xmp):
            notes.append("the XMP packet is of an unusual form and was replaced")
        xmp = with_mark(xmp, style.mark)
    if format_ == "JPEG" and len(xmp) > JPEG_XMP_BYTES:
        notes.append("JPEG holds 64 kB of XMP at most: the source's was dropped")
        xmp = b"" if ab is None else with_mark(b"", style.mark)
    if format_ == "JPEG" and len(exif) > JPEG_EXIF_BYTES:
        notes.append("JPEG holds 64 kB of EXIF at most: it was dropped")
        exif = b""
    if not exif and orientation != 1:
        exif = metadata.exif_block({TAG_ORIENTATION: orientation}, {})
    notes += _lost(still, format_, exif, xmp, profile, orientation)
    return _Page(still, ab, profile, xmp, exif, style.quality, tuple(notes))


def _turned(still: Still) -> Still:
    """A still with its pixels turned upright."""

    def turned(samples: Codes | None) -> Codes | None:
        return None if samples is None else upright(samples, still.orientation)

    encoding = dict(still.encoding)
    dpi = still.dpi
    if still.orientation >= 5:
        dpi = None if dpi is None else (dpi[1], dpi[0])
        if "resolution" in encoding:
            x, y, unit = encoding["resolution"]
            encoding["resolution"] = (y, x, unit)
    return replace(
        still,
        luma=upright(still.luma, still.orientation),
        rgb=turned(still.rgb),
        float_grey=turned(still.float_grey),
        alpha=turned(still.alpha),
        orientation=1,
        dpi=dpi,
        encoding=encoding,
    )


def _lost(
    still: Still, format_: Format, exif: bytes, xmp: bytes, profile: bytes, orientation: int
) -> Iterator[str]:
    """What the source has and the format cannot hold."""
    name = NAMES.get(format_, format_)
    bare = format_ == "BMP" or (format_ == "JPEG2000" and still.encoding.get("codestream"))
    if bare:
        held = {"EXIF": exif, "XMP": xmp, "a color profile": profile}
        if any(held.values()):
            what = " or ".join(text for text, block in held.items() if block)
            name = name if format_ == "BMP" else "a JPEG 2000 codestream"
            yield f"{name} holds no {what}: not kept"
        if orientation != 1:
            yield f"{name} holds no orientation: the picture lies as it was stored"
    iptc = metadata.iptc_of(still.photoshop)
    if iptc and (bare or format_ in ("PNG", "WEBP")):
        yield f"{name} holds no IPTC block: not kept"
    if (
        still.photoshop
        and format_ not in ("JPEG", "TIFF")
        and set(still.photoshop) != {metadata.IPTC}
    ):
        yield f"{name} holds no Photoshop resources: not kept"
    if still.encoding.get("comment") and format_ != "JPEG":
        yield "the JPEG comment was not kept"
    if still.encoding.get("extended_xmp") and format_ != "JPEG":
        yield "the extended part of the XMP was not kept"
    if still.encoding.get("texts") and format_ != "PNG":
        yield "the text chunks of the PNG were not kept"
    if still.dpi and (format_ == "WEBP" or (bare and format_ != "BMP")):
        yield f"{name} holds no resolution (DPI)"


def _sheet(page: _Page) -> tiff.Sheet:
    """A page for `tiff.write`."""
    output: color.Output = page.output if tiff.keeps_jpeg(page.still) else "rgb"
    return tiff.Sheet(
        page.still,
        lambda start, stop: page.rows(start, stop, output),
        page.channels,
        ycc=output == "ycc",
        icc=page.icc,
        xmp=page.xmp,
        exif=page.exif,
    )


# --- one encoder for each format but TIFF ------------------------------------------------------


def _all_rows(page: _Page, output: color.Output = "rgb") -> Codes:
    return page.rows(0, page.still.size[0], output)


def _pillow_options(page: _Page) -> dict[str, Any]:
    options = {"icc_profile": page.icc, "exif": page.exif, "dpi": page.still.dpi}
    return {key: value for key, value in options.items() if value}


def _encode_jpeg(page: _Page, notes: list[str]) -> bytes:
    still, encoding = page.still, page.still.encoding
    pixels = _all_rows(page, page.output)
    mode = "YCbCr" if page.output == "ycc" else "RGB"
    size = (pixels.shape[1], pixels.shape[0])
    image = Image.frombuffer(mode, size, pixels.tobytes(), "raw", mode, 0, 1)
    options = _pillow_options(page)
    tables = encoding.get("qtables") if still.format == "JPEG" else None
    if page.quality is None and tables:
        options["qtables"] = tiff.tables_for_color([tables[key] for key in sorted(tables)])
    else:
        options["quality"] = DEFAULT_QUALITY if page.quality is None else page.quality
    segments = [
        _segment(0xED, part) for part in _photoshop_segments(still.photoshop.values(), notes)
    ]
    segments += [_segment(0xE1, part) for part in encoding.get("extended_xmp", ())]
    buffer = io.BytesIO()
    image.save(
        buffer,
        "JPEG",
        subsampling=0,
        optimize=True,
        progressive=encoding.get("progressive", False),
        comment=encoding.get("comment", b""),
        xmp=page.xmp,
        extra=b"".join(segments),
        **options,
    )
    return buffer.getvalue()


def _segment(marker: int, content: bytes) -> bytes:
    """A marker segment of JPEG (ITU-T T.81, section B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _photoshop_segments(blocks: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """Image resource blocks in APP13 segments of at most 64 kB."""
    start = b"Photoshop 3.0\0"
    segment = start
    for block in blocks:
        if len(start) + len(block) > SEGMENT_BYTES:
            notes.append("JPEG holds 64 kB of a Photoshop resource at most: one was dropped")
            continue
        if len(segment) + len(block) > SEGMENT_BYTES:
            yield segment
            segment = start
        segment += block
    if segment != start:
        yield segment


def _encode_webp(page: _Page, notes: list[str]) -> bytes:
    still = page.still
    pixels = _all_rows(page)
    lossy_sources = ("JPEG", "HEIC")
    lossless = page.quality is None and still.encoding.get(
        "lossless", still.format not in lossy_sources
    )
    quality = (75 if lossless else DEFAULT_QUALITY) if page.quality is None else page.quality
    options = _pillow_options(page)
    options.pop("dpi", None)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        "WEBP",
        lossless=lossless,
        exact=True,
        method=4,
        xmp=page.xmp,
        quality=quality,
        **options,
    )
    if not lossless:
        with Image.open(buffer) as result:
            decoded = np.asarray(result.convert("RGB"))
        error = np.abs(color.luma(decoded) - color.luma(pixels)).mean()
        notes.append(f"lossy WebP: luma differs by {error:.2f} codes on average")
    return buffer.getvalue()


def _encode_bmp(page: _Page, _: list[str]) -> bytes:
    pixels = _all_rows(page)
    if page.channels == 3:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "BMP", dpi=page.still.dpi or (96, 96))
        return buffer.getvalue()
    # Pillow writes alpha that readers, its own among them, do not look for
    done, data = cv2.imencode(".bmp", np.ascontiguousarray(pixels[..., [2, 1, 0, 3]]))
    if not done:
        raise TargetError("OpenCV could not encode this BMP")
    bmp = bytearray(bytes(data))
    if page.still.dpi:  # biXPelsPerMeter and biYPelsPerMeter of BITMAPINFOHEADER
        struct.pack_into("<ii", bmp, 38, *(round(dots / 0.0254) for dots in page.still.dpi))
    return bytes(bmp)


def _encode_jpeg2000(page: _Page, _: list[str]) -> bytes:
    blocks = {
        "icc": page.icc,
        "xmp": page.xmp,
        "exif": page.exif.removeprefix(EXIF_START),
        "iptc": metadata.iptc_of(page.still.photoshop),
    }
    bare = page.still.format == "JPEG2000" and bool(page.still.encoding.get("codestream"))
    return jpeg2000.encode(_all_rows(page), blocks, page.still.dpi, codestream=bare)


def _encode_png(page: _Page, _: list[str]) -> bytes:
    pixels = _all_rows(page)
    info = _png_info(page)
    if pixels.dtype == np.uint8:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(
            buffer, "PNG", pnginfo=info, compress_level=4, **_pillow_options(page)
        )
        return buffer.getvalue()
    order = [2, 1, 0, 3][: page.channels]
    kinds, blocks = [], []
    for kind, block in (
        (cv2.IMAGE_METADATA_EXIF, page.exif.removeprefix(EXIF_START)),
        (cv2.IMAGE_METADATA_ICCP, page.icc),
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
    # OpenCV knows no resolution and no texts: these chunks are added behind IHDR
    chunks = b"".join(_png_chunk(chunk[0], chunk[1]) for chunk in info.chunks)
    if page.still.dpi:
        per_meter = [round(dots / 0.0254) for dots in page.still.dpi]
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


def _png_info(page: _Page) -> PngInfo:
    """Texts, XMP, and what says how the codes are to be shown."""
    info = PngInfo()
    if page.xmp:
        info.add_itxt("XML:com.adobe.xmp", page.xmp.decode("utf-8", "replace"))
    display: Mapping[str, Any] = page.still.encoding.get("display", {})
    if "gamma" in display:
        info.add(b"gAMA", struct.pack(">I", round(display["gamma"] * 100000)))
    if "chromaticity" in display:
        points = [round(value * 100000) for value in display["chromaticity"]]
        info.add(b"cHRM", struct.pack(">8I", *points))
    if "srgb" in display:
        info.add(b"sRGB", struct.pack(">B", display["srgb"]))
    for key, text in page.still.encoding.get("texts", {}).items():
        if isinstance(text, iTXt):
            info.add_itxt(key, text, text.lang or "", text.tkey or "", zip=len(text) > LONG_TEXT)
        else:
            info.add_text(key, text, zip=len(text) > LONG_TEXT)
    return info


LONG_TEXT = 1024
"""Texts of more characters than this are compressed."""

_ENCODERS: Mapping[Format, Callable[[_Page, list[str]], bytes]] = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "WEBP": _encode_webp,
    "BMP": _encode_bmp,
    "JPEG2000": _encode_jpeg2000,
}
