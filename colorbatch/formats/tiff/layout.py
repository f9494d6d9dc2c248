"""What reading and writing TIFF share: numbers of tags and of compressions."""

from __future__ import annotations

from colorbatch.formats.metadata import TEXT_TAGS

TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_SUBIFDS, TAG_MAX, TAG_XMP = 274, 297, 330, 341, 700
TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC = 33723, 34377, 34675
LAYOUT_TAGS = frozenset(
    {*range(254, 260), 262, 266, 273, *range(277, 280), *range(282, 285), 296, 317, 320}
    | {*range(322, 326), 330, 338, 339, 347, *range(512, 522), *range(529, 533)}
)
"""What says how the samples are stored (TIFF 6.0); the new file has its own."""
KEPT_TAGS = LAYOUT_TAGS | {*TEXT_TAGS, TAG_ORIENTATION, TAG_PAGE_NUMBER, TAG_XMP}
KEPT_TAGS |= {TAG_IPTC, TAG_PHOTOSHOP, TAG_ICC}
NONE, LZW, JPEG, DEFLATE = 1, 5, 7, 8
LOSSLESS = frozenset({NONE, LZW, DEFLATE, 32773, 32946, 50000})
"""Compressions that are kept as they are: these, PackBits, the older Deflate, Zstandard."""
BIG_BYTES = 3_900_000_000
"""Beyond it the offsets of classic TIFF end."""
