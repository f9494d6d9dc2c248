"""TIFF, in and out: every page with its layout, its tags and its samples.

`pages` reads one page at a time; `write` asks for a page's rows only when their strip or tile is
encoded. So memory is bounded by one page of the source, whatever the number of pages and the size
of the result. tifffile and imagecodecs do the work; Pillow reads the kinds of pixels that tifffile
leaves as they are stored (palettes, CMYK, few bits).
"""

import logging

from colorbatch.formats.tiff.page_reader import STARTS, pages, stored_pages
from colorbatch.formats.tiff.page_writer import (
    Sheet,
    keeps_jpeg,
    not_written,
    write,
)

__all__ = [
    "STARTS",
    "Sheet",
    "keeps_jpeg",
    "not_written",
    "pages",
    "stored_pages",
    "write",
]

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it logs, the error says as well
