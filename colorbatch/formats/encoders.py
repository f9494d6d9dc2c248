"""One encoder for each format of stills but TIFF: a page made ready to a file.

What a format cannot hold is known by then (`writer`); an encoder notes what only encoding tells.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image

from colorbatch import color
from colorbatch.color import Codes, icc, luma_join
from colorbatch.errors import TargetError
from colorbatch.formats import jpeg2000, metadata, own_color, png, tiff
from colorbatch.formats.metadata import EXIF_START
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Still

DEFAULT_QUALITY = 95
SEGMENT_BYTES = 65533
"""What a segment of JPEG holds beside its length."""


@dataclass(frozen=True)
class Page:
    """A page made ready for a format. ab: chroma in Lab units, None for a page that keeps its own
    color."""

    still: Still
    ab: color.Float | None
    icc: bytes
    xmp: bytes
    exif: bytes
    quality: int | None
    notes: tuple[str, ...]
    space: color.Space | None = None
    """Of the codes, where it is not the profile's."""

    @property
    def channels(self) -> int:
        return 3 if self.still.alpha is None else 4

    @property
    def output(self) -> luma_join.Output:
        """What an encoder of Y' is given."""
        return "rgb" if self.ab is None else "ycc"

    @functools.cached_property
    def _widened(self) -> color.Float:
        """`ab` at the picture's width: made once for all of its rows."""
        assert self.ab is not None
        return luma_join.enlarged_across(self.ab, self.still.size[1])

    def rows(self, start: int, stop: int, output: luma_join.Output = "rgb") -> Codes:
        """Samples (stop - start, W, 3 or 4) of `still.dtype`; "ycc" is for pages without alpha."""
        made = self._colored_rows(start, stop, output)
        if self.ab is not None and self.still.own_region is not None:
            own_color.put_back(made, self.still, start, stop, output)
        return made

    def _colored_rows(self, start: int, stop: int, output: luma_join.Output) -> Codes:
        still = self.still
        height, width = still.size
        made = np.empty((stop - start, width, self.channels), still.dtype)
        if still.alpha is not None:
            made[..., 3] = still.alpha[start:stop]
        if self.ab is None:
            made[..., :3] = still.own_rgb(start, stop)
            return made
        space = self.space or (icc.space_of(self.icc) if self.icc else None)
        if self.channels == 3 and still.exact_luma(start, start) is None:  # straight into place
            luma = still.luma[start:stop]
            return luma_join.colorize_rows(
                luma, self._widened, start, height, output=output, space=space, out=made
            )
        for top, bottom in color.strips(stop - start, width):
            first, last = start + top, start + bottom
            part = luma_join.colorize_rows(
                still.luma[first:last],
                self._widened,
                first,
                height,
                exact_luma=still.exact_luma(first, last),
                output=output,
                space=space,
                dtype=still.dtype,
                alpha=still.alpha_codes(first, last),
            )
            made[top:bottom, :, :3] = (
                part * still.dtype.type(still.white) if still.is_float else part
            )
        return made


def _all_rows(page: Page) -> Codes:
    return page.rows(0, page.still.size[0])


def _image(page: Page, output: luma_join.Output = "rgb") -> Image.Image:
    """A page of 8 bits as Pillow's picture, made strip by strip: no array of it beside."""
    height, width = page.still.size
    mode = "YCbCr" if output == "ycc" else "RGBA"[: page.channels]
    image = Image.new(mode, (width, height))
    for start, stop in color.strips(height, width):
        rows = page.rows(start, stop, output)
        size = (width, stop - start)
        image.paste(Image.frombuffer(mode, size, rows, "raw", mode, 0, 1), (0, start))
    return image


def _pillow_options(page: Page) -> dict[str, Any]:
    options = {"icc_profile": page.icc, "exif": page.exif, "dpi": page.still.dpi}
    return {key: value for key, value in options.items() if value}


def _encode_jpeg(file: IO[bytes], page: Page, notes: list[str]) -> None:
    still, encoding = page.still, page.still.encoding
    image = _image(page, page.output)
    options = _pillow_options(page)
    tables = encoding.get("qtables") if still.format == "JPEG" else None
    if page.quality is None and tables:
        options["qtables"] = tiff.tables_for_color([tables[key] for key in sorted(tables)])
    else:
        options["quality"] = DEFAULT_QUALITY if page.quality is None else page.quality
    segments = [
        _segment(0xED, part) for part in _photoshop_segments(still.photoshop.values(), notes)
    ]
    for name in ("more_xmp", "extended_xmp"):
        segments += [_segment(0xE1, part) for part in encoding.get(name, ())]
    segments += [_segment(0xFE, part) for part in encoding.get("comments", ())]
    buffer = io.BytesIO()
    image.save(
        buffer,
        "JPEG",
        subsampling=0,
        progressive=encoding.get("progressive", False),
        xmp=page.xmp,
        extra=b"".join(segments),
        **options,
    )
    file.write(buffer.getbuffer())


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


def _encode_webp(file: IO[bytes], page: Page, notes: list[str]) -> None:
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
    file.write(buffer.getbuffer())


def _encode_bmp(file: IO[bytes], page: Page, _: list[str]) -> None:
    if page.channels == 3:
        buffer = io.BytesIO()
        _image(page).save(buffer, "BMP")
        bmp = bytearray(buffer.getbuffer())
    else:
        pixels = _all_rows(page)
        # Pillow writes alpha that readers, its own among them, do not look for
        done, data = cv2.imencode(".bmp", np.ascontiguousarray(pixels[..., [2, 1, 0, 3]]))
        if not done:
            raise TargetError("OpenCV could not encode this BMP")
        bmp = bytearray(bytes(data))
    # biXPelsPerMeter and biYPelsPerMeter of BITMAPINFOHEADER; 0 says nothing, libraries say 96 dpi
    struct.pack_into("<ii", bmp, 38, *(round(dots / 0.0254) for dots in page.still.dpi or (0, 0)))
    file.write(bmp)


def _encode_jpeg2000(file: IO[bytes], page: Page, _: list[str]) -> None:
    blocks = {
        "icc": page.icc,
        "xmp": page.xmp,
        "exif": page.exif.removeprefix(EXIF_START),
        "iptc": metadata.iptc_of(page.still.photoshop),
    }
    own = page.still.encoding if page.still.format == "JPEG2000" else {}
    resolutions = own.get("resolutions") or ({"resc": page.still.dpi} if page.still.dpi else {})
    pixels, bare = _all_rows(page), bool(own.get("codestream"))
    file.write(
        jpeg2000.encode(pixels, blocks, resolutions, xml=own.get("xml", ()), codestream=bare)
    )


def _encode_png(file: IO[bytes], page: Page, _: list[str]) -> None:
    own = page.still.encoding.get("chunks", ()) if page.still.format == "PNG" else ()
    ahead = [*_png_metadata(page), *((name, content) for name, content, late in own if not late)]
    behind = [(name, content) for name, content, late in own if late]
    if page.still.dtype == np.uint16:
        png.write(file, page.rows, page.still.size, page.channels, ahead, behind)
        return
    buffer = io.BytesIO()
    _image(page).save(buffer, "PNG", compress_level=4)
    png.write_with(file, buffer.getbuffer(), ahead, behind)


def _png_metadata(page: Page) -> Iterator[tuple[bytes, bytes]]:
    """Profile, EXIF, resolution and XMP as chunks (ISO/IEC 15948:2004, section 11.3; PNG 1.5
    extensions for eXIf; XMP Specification Part 3, section 1.1.5)."""
    if page.icc:
        own = page.still.encoding.get("iccp") if page.icc == page.still.icc else None
        yield b"iCCP", own or b"ICC profile\0\0" + zlib.compress(page.icc)
    if page.exif:
        yield b"eXIf", page.exif.removeprefix(EXIF_START)
    if page.still.dpi:
        yield b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in page.still.dpi), 1)
    if page.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + page.xmp


ENCODERS: Mapping[Format, Callable[[IO[bytes], Page, list[str]], None]] = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "WEBP": _encode_webp,
    "BMP": _encode_bmp,
    "JPEG2000": _encode_jpeg2000,
}
