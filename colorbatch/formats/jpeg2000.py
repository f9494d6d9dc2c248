"""What JPEG 2000 files hold beside the picture: the boxes that OpenJPEG neither reads nor writes.

The picture itself is decoded and encoded by OpenJPEG, through Pillow and imagecodecs. Boxes of
metadata are found by their names (ISO/IEC 15444-1:2019, annex I) and added to a finished file.
"""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from colorbatch.color import Codes, widened
from colorbatch.errors import TargetError

CODESTREAM = b"\xff\x4f\xff\x51"
"""SOC, and SIZ at once behind it."""
SSIZ = 42
"""Where in a codestream the first component's depth stands, less 1; the sign is the highest bit."""
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""ISO 16684-1:2019 and XMP Specification Part 3, section 1.2.2."""
IPTC_UUID = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
EXIF_UUID = b"JpgTiffExif->JP2"
"""As Exiv2 and ExifTool read and write them."""


def samples_of(data: bytes) -> tuple[Codes, int]:
    """Samples (H, W[, C]) of grey or RGB, uint8 or uint16 with white as the highest code, and how
    many bits they had in the file."""
    samples = np.asarray(imagecodecs.jpeg2k_decode(data))
    if samples.dtype == np.uint8:
        return samples, 8
    if samples.dtype != np.uint16:
        return samples, samples.dtype.itemsize * 8
    # neither library tells the depth: it is the first component's in the SIZ marker segment
    # (ISO/IEC 15444-1:2019, section A.5.1)
    bits = (data[data.find(CODESTREAM) + SSIZ] & 0x7F) + 1
    return widened(samples, bits), bits


def blocks_of(data: bytes) -> dict[str, bytes]:
    """Its "exif" (bare), "iptc", "xmp" and "icc", where it has them."""
    found = {}
    for name, uuid in (("exif", EXIF_UUID), ("iptc", IPTC_UUID), ("xmp", XMP_UUID)):
        if (place := data.find(b"uuid" + uuid)) >= 4:
            [length] = struct.unpack_from(">L", data, place - 4)
            end = place - 4 + length if length else len(data)
            found[name] = data[place + 20 : end]
    place = data.find(b"colr\x02")  # a profile, not a number; three bytes before it
    if place >= 0 and data[place + 7 + 36 : place + 7 + 40] == b"acsp":
        [length] = struct.unpack_from(">L", data, place + 7)
        found["icc"] = data[place + 7 : place + 7 + length]
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
    place = data.find(b"jp2h") - 4
    colr = data.find(b"colr") - 4
    if not 0 < place < colr:
        raise TargetError("OpenJPEG wrote a file of an unknown form")
    [length] = struct.unpack_from(">L", data, place)
    [colr_length] = struct.unpack_from(">L", data, colr)
    header, end = data[place + 8 : place + length], data[place + length :]
    if blocks.get("icc"):
        inside = colr - place - 8
        profile = _box(b"colr", b"\x02\0\0" + blocks["icc"])
        header = header[:inside] + profile + header[inside + colr_length :]
    if dpi:
        header += _box(b"res ", _box(b"resc", _resolution(dpi)))
    for name, uuid in (("exif", EXIF_UUID), ("iptc", IPTC_UUID), ("xmp", XMP_UUID)):
        if blocks.get(name):
            end += _box(b"uuid", uuid + blocks[name])
    return data[:place] + _box(b"jp2h", header) + end


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
