"""Blocks of metadata between formats: EXIF, IPTC in Photoshop's image resources, XMP.

Bytes in, bytes out. Whatever is not named here stays as it is, to the byte; what is dropped are
thumbnails, which would show the picture as it was before it had color.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Mapping

from colorbatch.formats import tags
from colorbatch.formats.tags import Entry, Tree

EXIF_START = b"Exif\0\0"
TAG_ORIENTATION = 274
TAG_X_RESOLUTION, TAG_Y_RESOLUTION, TAG_UNIT = 282, 283, 296
TEXT_TAGS = {
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    285: "PageName",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    316: "HostComputer",
    18246: "Rating",
    18249: "RatingPercent",
    33432: "Copyright",
    40091: "XPTitle",
    40092: "XPComment",
    40093: "XPAuthor",
    40094: "XPKeywords",
    40095: "XPSubject",
}
"""What of a main directory is about the picture and stands on its own, in any file."""
IPTC = 0x0404
THUMBNAILS = frozenset({0x0409, 0x040C})
"""Photoshop image resources (Adobe Photoshop File Formats, "Image Resource IDs")."""
RESOURCE_STARTS = (b"8BIM", b"AgHg", b"DCSR", b"MeSa", b"PHUT")


def orientation_of(block: bytes) -> int:
    """What an EXIF block says how its picture lies, 1 to 8, in whatever type it says it; 1 where it
    does not."""
    try:
        found = tags.whole(
            tags.of_block(block.removeprefix(EXIF_START)).entries.get(TAG_ORIENTATION)
        )
    except (ValueError, struct.error):
        return 1
    return found if found is not None and 1 <= found <= 8 else 1


def dpi_of(block: bytes) -> tuple[float, float] | None:
    """The resolution in an EXIF block, across and down, in pixels per inch; None for none."""
    try:
        entries = tags.of_block(block.removeprefix(EXIF_START)).entries
    except (ValueError, struct.error):
        return None
    found = [tags.numbers(entries.get(tag))[:1] for tag in (TAG_X_RESOLUTION, TAG_Y_RESOLUTION)]
    unit = tags.whole(entries.get(TAG_UNIT)) if TAG_UNIT in entries else 2
    if not all(found) or unit not in (2, 3) or min(found)[0] <= 0:
        return None
    inch = 2.54 if unit == 3 else 1.0
    return found[0][0] * inch, found[1][0] * inch


def exif_block(entries: Iterable[Entry], parts: Mapping[int, Tree]) -> bytes:
    """An EXIF block of main tags and of directories below them."""
    return EXIF_START + tags.block_of(entries, parts)


def short(tag: int, value: int) -> Entry:
    """A tag with one whole number."""
    return Entry(tag, tags.SHORT, struct.pack("<H", value))


def cleaned_exif(block: bytes, orientation: int) -> bytes:
    """An EXIF block without its thumbnail and with this orientation; all else stays in place, as
    maker's notes must.

    A block that is broken comes back as it is.
    """
    data = bytearray(block.removeprefix(EXIF_START))
    try:
        main = tags.of_block(bytes(data))
        turned = orientation_of(block) != orientation
        for entry in (*main.entries.values(), *main.left):
            if turned and entry.tag == TAG_ORIENTATION:
                made = (TAG_ORIENTATION, tags.SHORT, 1, orientation, 0)
                struct.pack_into(entry.order + "HHLHH", data, entry.place, *made)
        if main.next:
            _without_thumbnail(data, main)
    except (ValueError, struct.error):  # cameras write anything; it is kept as it was
        return block
    return EXIF_START + bytes(data)


def _without_thumbnail(data: bytearray, main: Tree) -> None:
    """Take what the second directory points to (JPEG's begin and length, EXIF 2.32, section 4.6.4)
    and the way to it out of an EXIF block."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        second = tags.read(io.BytesIO(data), order, False, main.next).entries
    except ValueError:
        second = {}
    begin, length = tags.whole(second.get(513)), tags.whole(second.get(514))
    if begin is not None and length is not None and begin >= 8 and length > 0:
        end = min(begin + length, len(data))
        if end == len(data):
            del data[begin:]
        else:
            data[begin:end] = bytes(max(0, end - begin))
    [start] = struct.unpack_from(order + "L", data, 4)
    [count] = struct.unpack_from(order + "H", data, start)
    struct.pack_into(order + "L", data, start + 2 + 12 * count, 0)


# --- IPTC and Photoshop's image resources --------------------------------------------------------


def image_resources(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Photoshop's image resource blocks, each whole with its number, without thumbnails; and how
    many bytes behind them could not be read.

    A block is "8BIM", its number, a name (length first, padded), the data (length first, padded).
    Other signatures are those that ExifTool knows.
    """
    found = []
    position = 0
    while data[position : position + 4] in RESOURCE_STARTS:
        try:
            start = _data_start(data, position)
            [size] = struct.unpack_from(">L", data, start - 4)
            [number] = struct.unpack_from(">H", data, position + 4)
        except (IndexError, struct.error):
            break
        end = start + size + size % 2
        if end > len(data) + 1:  # cut off
            break
        if number not in THUMBNAILS:
            found.append((number, data[position:end].ljust(end - position, b"\0")))
        position = end
    return found, len(data[position:].strip(b"\0"))


def iptc_of(resources: Mapping[int, bytes]) -> bytes:
    """The IPTC record (IIM) among image resources."""
    block = resources.get(IPTC, b"")
    if not block:
        return b""
    start = _data_start(block, 0)
    [size] = struct.unpack_from(">L", block, start - 4)
    return block[start : start + size]


def iptc_block(record: bytes) -> bytes:
    """An image resource block that holds an IPTC record."""
    return struct.pack(">4sHHL", b"8BIM", IPTC, 0, len(record)) + record + b"\0" * (len(record) % 2)


def datasets(record: bytes) -> list[bytes]:
    """The datasets of an IPTC record as far as they are whole, each with its head (IPTC-NAA IIM
    4.2, section 1.5): a mark, record, number, length; an extended length where its bit is set."""
    found = []
    position = 0
    while record[position : position + 1] == b"\x1c" and position + 5 <= len(record):
        [length] = struct.unpack_from(">H", record, position + 3)
        start = position + 5
        if length & 0x8000:
            extent = length & 0x7FFF
            length = int.from_bytes(record[start : start + extent], "big")
            start += extent
        if start + length > len(record):
            break
        found.append(record[position : start + length])
        position = start + length
    return found


def _data_start(data: bytes, position: int) -> int:
    """Where a block's data begin, behind its name and the four bytes of their length.

    Raises IndexError where there are none.
    """
    name = 1 + data[position + 6]
    start = position + 6 + name + name % 2 + 4
    if start > len(data):
        raise IndexError("an image resource without data")
    return start


# --- XMP -----------------------------------------------------------------------------------------


_XMP_THUMBNAILS = re.compile(rb"<(xmp|xap):Thumbnails>.*?</\1:Thumbnails>\s*", re.S)
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[1-8]""")


def cleaned_xmp(packet: bytes, orientation: int) -> bytes:
    """An XMP packet without thumbnails and with this orientation where it names one."""
    packet = _XMP_THUMBNAILS.sub(b"", packet)
    return _XMP_ORIENTATION.sub(rb"\g<1>%d" % orientation, packet)


_BEHIND: Mapping[bytes, bytes] = {
    b"http://ns.google.com/photos/1.0/camera/": rb"(?:MicroVideo|MotionPhoto)\w*",
    b"http://ns.google.com/photos/1.0/container/": rb"Directory",
    b"http://ns.google.com/photos/dd/1.0/device/": rb"Container",
    b"http://ns.adobe.com/hdr-gain-map/1.0/": rb"\w+",
    b"http://ns.apple.com/HDRGainMap/1.0/": rb"\w+",
}
"""Namespaces and properties of XMP that say where in the file something lies behind the picture
(Android: Motion Photo format 1.0, Ultra HDR image format 1.1)."""
_EXTENSION = {b"http://ns.adobe.com/xmp/note/": rb"HasExtendedXMP"}


def without_what_lay_behind(packet: bytes) -> bytes:
    """An XMP packet without what points to data behind the picture, for a result without them."""
    return _without(packet, _BEHIND)


def without_extension(packet: bytes) -> bytes:
    """An XMP packet that names no extended part (XMP Specification Part 3, section 1.1.3.1)."""
    return _without(packet, _EXTENSION)


def _without(packet: bytes, properties: Mapping[bytes, bytes]) -> bytes:
    """XMP without properties by namespace and name, both as attributes and as elements."""
    for space, name in properties.items():
        bound = rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(space) + rb"[\"']"
        for prefix in set(re.findall(bound, packet)):
            full = re.escape(prefix) + b":" + name
            packet = re.sub(rb"\s" + full + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", packet)
            packet = re.sub(rb"<" + full + rb"(?:\s[^<>]*)?/>\s*", b"", packet)
            element = rb"<(" + full + rb")(?:\s[^<>]*)?>.*?</\1\s*>\s*"
            packet = re.sub(element, b"", packet, flags=re.S)
    return packet
