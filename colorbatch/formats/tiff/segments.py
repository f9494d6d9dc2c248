"""Where the strips and tiles of a TIFF page lie, and how many bytes they have: what its tags say,
mended where that cannot be."""

from __future__ import annotations

from typing import Any

import tifffile

from colorbatch.errors import SourceError
from colorbatch.formats.tiff.layout import JPEG, NONE

END_OF_JPEG = b"\xff\xd9"
PLAIN_YCBCR = 6


def mend_counts(page: Any, size: int) -> None:
    """Make the byte counts of a page those that its segments have, in a file of `size` bytes.

    Without compression they follow from the rows, whatever the tag says, as libtiff takes them.
    Compressed ones that end behind the file's end are taken as far as it goes, if the whole segment
    is there. Raises SourceError where rows are missing: some decoders would fill them up.
    """
    counts = list(page.databytecounts)
    if page.compression == NONE and (sizes := _plain_sizes(page)) is not None:
        counts = sizes
    for index, (offset, count) in enumerate(zip(page.dataoffsets, counts, strict=False)):
        if offset + count > size:
            counts[index] = max(0, size - offset)
            if page.compression == NONE or not _is_whole(page, index, offset, counts[index]):
                raise SourceError("the file is truncated")
    page.databytecounts = tuple(counts)


def _plain_sizes(page: Any) -> list[int] | None:
    """Bytes of each segment of a page without compression; None where the page lists another number
    of them, or they are not told by rows alone."""
    if page.photometric == PLAIN_YCBCR or page.imagedepth != 1:
        return None
    separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    planes = page.samplesperpixel if separate else 1
    width = page.tilewidth if page.is_tiled else page.imagewidth
    row = -(-width * page.bitspersample * (page.samplesperpixel // planes) // 8)
    if page.is_tiled:
        across = -(-page.imagewidth // page.tilewidth)
        down = -(-page.imagelength // page.tilelength)
        sizes = [page.tilelength * row] * (across * down)
    else:
        each = min(page.rowsperstrip or page.imagelength, page.imagelength)
        tops = range(0, page.imagelength, each)
        sizes = [min(each, page.imagelength - top) * row for top in tops]
    sizes *= planes
    return sizes if len(sizes) == len(page.dataoffsets) else None


def _is_whole(page: Any, index: int, offset: int, count: int) -> bool:
    """Whether a compressed segment that the tag says is longer is all there."""
    file = page.parent.filehandle
    file.seek(offset)
    data = file.read(count)
    if page.compression == JPEG:
        return bool(data.rstrip(b"\0").endswith(END_OF_JPEG))
    try:
        decoded, _, shape = page.decode(data, index)
    except Exception:  # decoders raise anything for what is cut off
        return False
    return decoded is not None and decoded.shape == shape
