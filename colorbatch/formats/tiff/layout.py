"""What reading and writing TIFF share: numbers of tags and compressions, a file's header."""

from __future__ import annotations

import struct

from colorbatch.formats.metadata import TAG_EXIF, TAG_GPS, TEXT_TAGS

TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_MAX, TAG_XMP = 274, 297, 341, 700
TAG_X_RESOLUTION, TAG_Y_RESOLUTION, TAG_UNIT = 282, 283, 296
TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC = 33723, 34377, 34675
LAYOUT_TAGS = frozenset(
    {*range(254, 260), 262, 266, 273, *range(277, 285), 296, 317, 320, *range(322, 326), 330}
    | {338, 339, 340, 347, *range(512, 522), *range(529, 533)}
)
"""What says how the samples are stored (TIFF 6.0); the new file has its own."""
KEPT_TAGS = LAYOUT_TAGS | {*TEXT_TAGS, TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_MAX, TAG_XMP}
KEPT_TAGS |= {TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC, TAG_EXIF, TAG_GPS}
NONE, LZW, JPEG, DEFLATE = 1, 5, 7, 8
LOSSLESS = frozenset({NONE, LZW, DEFLATE, 32773, 32946, 50000})
"""Compressions that are kept as they are: these, PackBits, the older Deflate, Zstandard."""
BIG_BYTES = 3_900_000_000
"""Beyond it the offsets of classic TIFF end."""


def header_of(order: str, big: bool) -> bytes:
    """How a file begins, "<" or ">", classic or BigTIFF."""
    start = b"II" if order == "<" else b"MM"
    return start + struct.pack(
        order + ("HHHQ" if big else "HL"), *((43, 8, 0, 16) if big else (42, 8))
    )
