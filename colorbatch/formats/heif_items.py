"""What HEIC files hold beside the picture: the items and boxes of an ISO base media file.

pillow-heif reads EXIF, XMP and the profile; the list of all items is read here (ISO/IEC 14496-12,
section 8.11; ISO/IEC 23008-12, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

from colorbatch.formats import metadata
from colorbatch.formats.boxes import Box, boxes_of
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import EXIF_START

ITEMS = frozenset({b"hvc1", b"grid", b"iden", b"iovl", b"Exif", b"mime"})
"""Pictures, which pillow-heif counts, and metadata, which it lists."""
BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip", b"idat"})
LIGHT = (
    "content_light_level",
    "mastering_display_colour_volume",
    "ambient_viewing_environment",
    "nominal_diffuse_white_luminance",
    "pixel_aspect_ratio",
)
"""Properties of the picture, as pillow-heif names them."""
XMP_TYPE = "application/rdf+xml"


def found_in(file: IO[bytes], info: Mapping[Any, Any]) -> Found:
    """Everything but the picture. info: of Pillow's picture, which pillow-heif has opened and
    turned upright by the file's own property; what EXIF says of its orientation is over."""
    found = Found()
    if exif := info.get("exif") or b"":
        found.take("exif", metadata.cleaned_exif(EXIF_START + exif.removeprefix(EXIF_START), 1),
                   "items", "Exif")  # fmt: skip
    xmp = info.get("xmp") or b""
    if b"<rdf:RDF" in xmp:  # pillow-heif takes the first item of any MIME type for XMP
        found.take("xmp", metadata.without_what_lay_behind(xmp), "items", "mime (XMP)")
    found.icc = info.get("icc_profile") or b""
    found.dpi = metadata.dpi_of(found.exif)
    for item in info.get("metadata") or ():  # neither EXIF nor of a MIME type
        found.lose("items", item.get("type") or "")
    for kind, ids in (info.get("aux") or {}).items():
        found.lose("items", f"{len(ids)} of {kind}")
    nclx = info.get("nclx_profile") or {}
    space = (nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2))
    if not found.icc and not (space[0] in (1, 2, 5, 6) and space[1] in (1, 2, 6, 13)):
        found.lose("properties", "colr (primaries {}, transfer {})".format(*map(int, space)))
    found.blocks += [
        Block("properties", name.replace("_", " ")) for name in LIGHT if info.get(name) is not None
    ]
    if depths := info.get("depth_images"):
        found.lose("items", f"{len(depths)} depth maps")
    file.seek(0)
    for noun, name in _others(file.read()):
        found.lose(noun, name)
    return found


def _others(data: bytes) -> Iterator[tuple[str, str]]:
    """Items and boxes of kinds that are none of a still picture: film, sound, signatures."""
    for box in boxes_of(data):
        if box.kind not in BOXES:
            yield "boxes", box.kind.decode("latin-1")
        if box.kind != b"meta":
            continue
        for inner in boxes_of(data, box.content + 4, box.end):
            if inner.kind == b"iinf":
                yield from _others_listed(data, inner)


def _others_listed(data: bytes, listing: Box) -> Iterator[tuple[str, str]]:
    """Items of other kinds, and second ones of EXIF and of a MIME type."""
    start = listing.content + (6 if data[listing.content] == 0 else 8)
    seen: set[bytes] = set()
    for entry in boxes_of(data, start, listing.end):
        place = entry.content + (10 if data[entry.content] >= 3 else 8)  # numbers of 4 bytes
        kind = data[place : place + 4]
        _, _, rest = data[place + 4 : entry.end].partition(b"\0")  # behind the item's name
        content_type = rest.partition(b"\0")[0].decode("latin-1") if kind == b"mime" else ""
        known = kind in ITEMS and content_type in ("", XMP_TYPE)
        if not known or (kind in (b"Exif", b"mime") and kind in seen):
            yield "items", f"{kind.decode('latin-1')} {content_type}".strip()
        seen.add(kind)
