"""What JPEG 2000 files hold beside the picture: the boxes that OpenJPEG neither reads nor writes.

The picture itself is decoded and encoded by OpenJPEG, through Pillow and imagecodecs. Boxes of
metadata are walked through (ISO/IEC 15444-1:2019, annex I) and added to a finished file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from colorbatch.color import Codes, widened
from colorbatch.errors import SourceError, TargetError

CODESTREAM = b"\xff\x4f\xff\x51"
"""SOC, and SIZ at once behind it."""
SSIZ = 42
"""Where in a codestream the first component's depth stands, less 1; the sign is the highest bit.
Three bytes on the next one's does; their number stands ahead of the first (ISO/IEC 15444-1:2019,
section A.5.1)."""
UUIDS = {
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
}
"""Of boxes of metadata: XMP's by ISO 16684-1:2019 (XMP Specification Part 3, section 1.2.2), the
others as Exiv2 and ExifTool read and write them."""


def samples_of(data: bytes) -> tuple[Codes, int]:
    """Samples (H, W[, C]) of grey or RGB, uint8 or uint16 with white as the highest code, and how
    many bits they had in the file; neither library scales them. Raises SourceError where components
    have different depths."""
    samples = np.asarray(imagecodecs.jpeg2k_decode(data))
    if samples.dtype not in (np.uint8, np.uint16):
        return samples, samples.dtype.itemsize * 8
    depths = depths_of(data)
    if len(set(depths)) > 1:
        told = ", ".join(map(str, depths))
        raise SourceError(f"JPEG 2000 of components of different depths ({told} bits)")
    bits = depths[0] if depths else samples.dtype.itemsize * 8
    if bits < 8:
        most = 2**bits - 1
        scaled = np.rint(np.minimum(samples, most) * (255 / most))
        return np.asarray(scaled, np.uint8), bits
    return (widened(samples, bits) if samples.dtype == np.uint16 else samples), bits


def depths_of(data: bytes) -> tuple[int, ...]:
    """The bits of each component of a file or a bare codestream; none where they are not told."""
    codestream = next((box.content for box in boxes_of(data) if box.kind == b"jp2c"), 0)
    count = int.from_bytes(data[codestream + SSIZ - 2 : codestream + SSIZ], "big")
    first = codestream + SSIZ
    return tuple((byte & 0x7F) + 1 for byte in data[first : first + 3 * count : 3])


@dataclass(frozen=True)
class Box:
    """A box of a file (annex I.4): where it begins, where its content does, and where both end."""

    kind: bytes
    begin: int
    content: int
    end: int


def boxes_of(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes in a part of a file, one after the other, those inside of them not; a bare
    codestream has none. What is cut off ends where the data do, what is no box ends them."""
    end = len(data) if end is None else end
    while begin + 8 <= end and not data.startswith(CODESTREAM, begin):
        length, kind = struct.unpack_from(">L4s", data, begin)
        content = begin + 8
        if length == 1:  # its length stands behind its name
            if content + 8 > end:
                return
            [length] = struct.unpack_from(">Q", data, content)
            content += 8
        stop = end if length == 0 else min(begin + length, end)
        if stop < content:
            return
        yield Box(kind, begin, content, stop)
        begin = stop


def blocks_of(data: bytes) -> dict[str, bytes]:
    """Its "exif" (bare), "iptc", "xmp" and "icc", where it has them; the first of each."""
    found: dict[str, bytes] = {}
    for box in boxes_of(data):
        if box.kind == b"uuid":
            name = UUIDS.get(data[box.content : box.content + 16])
            if name is not None:
                found.setdefault(name, data[box.content + 16 : box.end])
        elif box.kind == b"jp2h":
            for inner in boxes_of(data, box.content, box.end):
                profile = data[inner.content + 3 : inner.end]  # behind method, precedence, approx
                if (
                    inner.kind == b"colr"
                    and data[inner.content : inner.content + 1] == b"\x02"
                    and profile[36:40] == b"acsp"
                ):
                    found.setdefault("icc", profile)
    return found


def encode(
    pixels: Codes,
    blocks: dict[str, bytes],
    dpi: tuple[float, float] | None,
    *,
    codestream: bool = False,
) -> bytes:
    """Lossless JPEG 2000 of RGB or RGBA codes (H, W, 3 or 4), uint8 or uint16.

    blocks: as `blocks_of` returns them. A bare codestream holds none, and no resolution.
    """
    data = bytes(
        imagecodecs.jpeg2k_encode(
            pixels, level=0, reversible=True, codecformat="J2K" if codestream else "JP2"
        )
    )
    if codestream:
        return data
    head = next((box for box in boxes_of(data) if box.kind == b"jp2h"), None)
    inside = boxes_of(data, head.content, head.end) if head else ()
    colr = next((box for box in inside if box.kind == b"colr"), None)
    if head is None or colr is None:
        raise TargetError("OpenJPEG wrote a file of an unknown form")
    header, end = data[head.content : head.end], data[head.end :]
    if blocks.get("icc"):
        profile = _box(b"colr", b"\x02\0\0" + blocks["icc"])
        header = data[head.content : colr.begin] + profile + data[colr.end : head.end]
    if dpi:
        header += _box(b"res ", _box(b"resc", _resolution(dpi)))
    for uuid, name in UUIDS.items():
        if blocks.get(name):
            end += _box(b"uuid", uuid + blocks[name])
    return data[: head.begin] + _box(b"jp2h", header) + end


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(content), kind) + content


def _resolution(dpi: tuple[float, float]) -> bytes:
    """Vertical, then horizontal, samples a meter as n / d * 10 ** e (section I.5.3.7.1)."""
    (v, v_parts, v_power), (h, h_parts, h_power) = (_scaled(dots / 0.0254) for dots in dpi[::-1])
    return struct.pack(">HHHHbb", v, v_parts, h, h_parts, v_power, h_power)


def _scaled(value: float) -> tuple[int, int, int]:
    """n, d and e, with n of 16 bits and as many digits as it holds; e is never negative, because
    Pillow takes it for unsigned."""
    for parts in (10_000, 1000, 100):
        if (numerator := round(value * parts)) <= 65535:
            return numerator, parts, 0
    power = 0
    while (numerator := round(value * 10 / 10.0**power)) > 65535:
        power += 1
    return numerator, 10, power
