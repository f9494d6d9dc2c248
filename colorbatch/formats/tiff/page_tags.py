"""What a page of a TIFF file holds beside its pixels: every tag, in whatever type it is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, Any

from colorbatch.formats import metadata, tags
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import TAG_UNIT, TAG_X_RESOLUTION, TAG_Y_RESOLUTION, TEXT_TAGS
from colorbatch.formats.tags import Entry, Tree
from colorbatch.formats.tiff import resolution
from colorbatch.formats.tiff.layout import (
    KEPT_TAGS,
    LAYOUT_TAGS,
    TAG_ICC,
    TAG_IPTC,
    TAG_MAX,
    TAG_ORIENTATION,
    TAG_PAGE_NUMBER,
    TAG_PHOTOSHOP,
    TAG_SUBIFDS,
    TAG_XMP,
)

READ = frozenset({TAG_SUBIFDS, TAG_X_RESOLUTION, TAG_Y_RESOLUTION, TAG_UNIT})
"""Tags of the layout whose values are read here as well."""
EMPTY = {(280, 0.0), (340, 0.0)}
"""MinSampleValue and SMinSampleValue where they say what there is without them."""


@dataclass(frozen=True)
class PageTags:
    """Of a page. white: the floating-point sample that is white."""

    found: Found
    orientation: int
    white: float


def read(file: IO[bytes], page: Any) -> PageTags:
    """Of a page of tifffile's. What cannot be read is a block that goes, and never an error."""
    order, big = page.parent.byteorder, page.parent.is_bigtiff
    found = Found()
    try:
        tree = tags.read(file, order, big, page.offset, wanted=_is_read)
    except ValueError:
        return PageTags(found, 1, 1.0)
    entries = tree.entries
    found.icc, found.xmp = _bytes(entries.get(TAG_ICC)), _bytes(entries.get(TAG_XMP))
    if TAG_PHOTOSHOP in entries:
        found.take_photoshop(entries[TAG_PHOTOSHOP].data)
    if TAG_IPTC in entries:
        found.take_iptc(_iptc(entries[TAG_IPTC]))
    orientation = tags.whole(entries.get(TAG_ORIENTATION)) or 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    found.exif = _exif(tree, orientation)
    _take_numbers(found, tree)
    white = _white(entries.get(TAG_MAX), page)
    _list(found, tree, page, kept={TAG_MAX} if white != 1 else set())
    return PageTags(found, orientation, white)


def with_those_of(page: PageTags, over: PageTags) -> PageTags:
    """A page in a SubIFD with what stands in the directory over it, where it has none of its own:
    there it is what the file is about (TIFF/EP, section 5.2)."""
    found, its = page.found, over.found
    for name in ("exif", "xmp", "icc", "photoshop"):
        if not getattr(found, name):
            setattr(found, name, getattr(its, name))
    found.blocks += its.blocks
    return PageTags(
        found, over.orientation if page.orientation == 1 else page.orientation, page.white
    )


def _is_read(tag: int) -> bool:
    return tag not in LAYOUT_TAGS or tag in READ


def _bytes(entry: Entry | None) -> bytes:
    """A block in a tag, whatever its type; text ends in a zero that is no part of it."""
    if entry is None:
        return b""
    return entry.data.rstrip(b"\0") if entry.kind == tags.ASCII else entry.data


def _iptc(entry: Entry) -> bytes:
    """The record; of type LONG its bytes may be in the order of numbers, as ExifTool knows."""
    swapped = entry.data_in(">" if entry.order == "<" else "<")
    return swapped if entry.data[:1] != b"\x1c" and swapped[:1] == b"\x1c" else entry.data


def _exif(tree: Tree, orientation: int) -> bytes:
    """The page's text tags, bytes and types as they are, and its directories as one block."""
    main = [entry for tag, entry in tree.entries.items() if tag in TEXT_TAGS]
    if orientation != 1:
        main.append(metadata.short(TAG_ORIENTATION, orientation))
    return metadata.exif_block(main, tree.parts) if main or tree.parts else b""


def _take_numbers(found: Found, tree: Tree) -> None:
    """Resolution, page number, pictures below this one."""
    entries = tree.entries
    number = tuple(map(float, tags.numbers(entries.get(TAG_PAGE_NUMBER))))
    if number and all(0 <= value <= 65535 and value.is_integer() for value in number):
        found.encoding["page_number"] = tuple(map(int, number))
    if TAG_X_RESOLUTION in entries or TAG_Y_RESOLUTION in entries:
        if stored := resolution.of_entries(entries):
            found.encoding["resolution"] = stored
        elif not (TAG_X_RESOLUTION in entries and TAG_Y_RESOLUTION in entries):
            found.notes.append("a resolution in one direction alone was dropped")
        else:
            found.notes.append("unreadable resolution was dropped")
    if TAG_SUBIFDS in entries:
        count = len(tags.pairs(entries[TAG_SUBIFDS])) or 1
        found.notes.append(f"{count} reduced copies or masks in SubIFDs were dropped")


def _white(entry: Entry | None, page: Any) -> float:
    """SMaxSampleValue of floating-point samples; 1 where it says nothing."""
    if page.dtype is None or page.dtype.kind != "f":
        return 1.0
    white = max(map(float, tags.numbers(entry)), default=1.0)
    return white if 0 < white < math.inf else 1.0


def _list(found: Found, tree: Tree, page: Any, kept: set[int]) -> None:
    """The account: what no result has is listed, entries that could not be read among it."""
    most = float(2 ** min(64, int(page.bitspersample or 1)) - 1)
    usual = EMPTY | {(281, most), (TAG_MAX, most), (TAG_MAX, 1.0)}
    for tag, entry in tree.entries.items():
        says = set(tags.numbers(entry))
        if tag in KEPT_TAGS | kept:
            odd = tag == TAG_PAGE_NUMBER and "page_number" not in found.encoding
            found.blocks.append(Block("tags", tags.name_of(tag), "" if odd else "pixels"))
        elif len(says) != 1 or (tag, *says) not in usual:
            found.lose("tags", tags.name_of(tag))
    for entry in tree.left:
        if entry.tag in tags.POINTERS:
            found.notes.append("unreadable EXIF was dropped")
        else:
            again = entry.known and entry.tag in tree.entries
            found.lose("tags", tags.name_of(entry.tag) + (" (another one)" if again else ""))
    for part in tree.parts.values():
        _list_left(found, part)


def _list_left(found: Found, tree: Tree) -> None:
    """What of EXIF's directories could not be read."""
    for entry in tree.left:
        found.lose("tags", tags.name_of(entry.tag))
    for part in tree.parts.values():
        _list_left(found, part)
