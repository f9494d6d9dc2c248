"""Blocks of metadata between formats: EXIF, IPTC in Photoshop's image resources, XMP.

Bytes in, bytes out. Whatever is not named here stays as it is, to the byte; what is dropped are
thumbnails, which would show the picture as it was before it had color. Pillow reads EXIF.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from typing import IO, Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

EXIF_START = b"Exif\0\0"
TAG_ORIENTATION, TAG_EXIF, TAG_GPS, TAG_INTEROP = 274, 34665, 34853, 0xA005
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
    33432: "Copyright",
}
IPTC = 0x0404
THUMBNAILS = frozenset({0x0409, 0x040C})
"""Photoshop image resources (Adobe Photoshop File Formats, "Image Resource IDs")."""
ASCII = 2

_LITTLE = b"II*\0\x08\0\0\0"


def directory_at(file: IO[bytes], header: bytes, offset: int) -> Directory:
    """The directory (IFD) of a TIFF structure that begins with `header`; its text as raw bytes.

    Raises what Pillow raises for one that is broken.
    """
    directory = Directory(header)
    file.seek(offset)
    directory.load(file)
    for tag, value in list(directory.items()):
        if directory.tagtype[tag] == ASCII and isinstance(value, str):
            directory[tag] = value.encode("latin-1")  # as it was: Pillow would write ASCII only
    return directory


def without_pointers(directory: Directory) -> Directory:
    """A directory without what would point to nowhere elsewhere."""
    for tag in (TAG_INTEROP, TAG_EXIF, TAG_GPS):
        if tag in directory:
            del directory[tag]
    return directory


def copied(directory: Directory, header: bytes, offset: int) -> bytes:
    """A directory's bytes for a file that begins with `header`, to stand at `offset` there."""
    made = Directory(header)
    for tag, value in directory.items():
        made.tagtype[tag] = directory.tagtype[tag]
        made[tag] = value
    return bytes(made.tobytes(offset))


def exif_block(tags: Mapping[int, Any], parts: Mapping[int, Directory]) -> bytes:
    """An EXIF block of main tags (number to text as bytes, or to a whole number) and of parts
    (`TAG_EXIF`, `TAG_GPS`)."""
    main = Directory(_LITTLE)
    for tag, value in tags.items():
        main.tagtype[tag] = ASCII if isinstance(value, bytes) else 3
        main[tag] = value
    for tag in parts:
        main.tagtype[tag], main[tag] = 4, 0
    offset = len(_LITTLE) + len(main.tobytes(len(_LITTLE)))
    tail = b""
    for tag, part in parts.items():
        main[tag] = offset + len(tail)
        tail += copied(part, _LITTLE, offset + len(tail))
    return EXIF_START + _LITTLE + main.tobytes(len(_LITTLE)) + tail


def parts_of_exif(block: bytes) -> tuple[Directory, dict[int, Directory]]:
    """The main directory of an EXIF block and those that it points to (`TAG_EXIF`, `TAG_GPS`).

    Raises what Pillow raises for a block that is broken.
    """
    data = block.removeprefix(EXIF_START)
    file = io.BytesIO(data)
    main = directory_at(file, data[:8], Directory(data[:8]).next)
    parts = {
        tag: without_pointers(directory_at(file, data[:8], int(main[tag])))
        for tag in (TAG_EXIF, TAG_GPS)
        if isinstance(main.get(tag), int)
    }
    return main, parts


def cleaned_exif(block: bytes, orientation: int) -> bytes:
    """An EXIF block without its thumbnail and with this orientation; maker's notes stay in place.

    A block that is broken comes back as it is.
    """
    if not block:
        return block
    data = bytearray(block.removeprefix(EXIF_START))
    order = "<" if data[:2] == b"II" else ">"
    try:
        [start] = struct.unpack_from(order + "L", data, 4)
        [count] = struct.unpack_from(order + "H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", data, entry)
            if tag == TAG_ORIENTATION and kind == 3:
                struct.pack_into(order + "H", data, entry + 8, orientation)
        pointer = start + 2 + 12 * count
        [second] = struct.unpack_from(order + "L", data, pointer)
        if second:
            thumbnail = directory_at(io.BytesIO(bytes(data)), bytes(data[:8]), second)
            begin, length = thumbnail.get(513), thumbnail.get(514)
            if isinstance(begin, int) and isinstance(length, int):
                end = min(begin + length, len(data))
                if end == len(data):
                    del data[begin:]
                else:
                    data[begin:end] = bytes(max(0, end - begin))
            struct.pack_into(order + "L", data, pointer, 0)
    except Exception:  # cameras write anything; it is kept as it was
        return block
    return EXIF_START + bytes(data)


def image_resources(data: bytes) -> dict[int, bytes]:
    """Photoshop's image resource blocks by number, each whole, without thumbnails.

    A block is "8BIM", its number, a name (length first, padded), the data (length first, padded).
    """
    found = {}
    position = 0
    while data[position : position + 4] == b"8BIM" and position + 12 <= len(data):
        start = _data_start(data, position)
        [size] = struct.unpack_from(">L", data, start - 4)
        end = start + size + size % 2
        if end > len(data) + 1:  # cut off
            break
        [number] = struct.unpack_from(">H", data, position + 4)
        if number not in THUMBNAILS:
            found[number] = data[position:end].ljust(end - position, b"\0")
        position = end
    return found


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


def _data_start(data: bytes, position: int) -> int:
    """Where a block's data begin, behind its name and the four bytes of their length.

    Raises IndexError where there are none.
    """
    name = 1 + data[position + 6]
    start = position + 6 + name + name % 2 + 4
    if start > len(data):
        raise IndexError("an image resource without data")
    return start


_XMP_THUMBNAILS = re.compile(rb"<(xmp|xap):Thumbnails>.*?</\1:Thumbnails>\s*", re.S)
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[1-8]""")


def cleaned_xmp(packet: bytes, orientation: int) -> bytes:
    """An XMP packet without thumbnails and with this orientation where it names one."""
    packet = _XMP_THUMBNAILS.sub(b"", packet)
    return _XMP_ORIENTATION.sub(rb"\g<1>%d" % orientation, packet)
