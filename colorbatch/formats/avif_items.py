"""What AVIF files hold beside the picture: items, their properties, boxes.

AVIF is pictures in AV1 as items of an ISO base media file (ISO/IEC 14496-12, section 8.11; ISO/IEC
23008-12, section 6; ISO/IEC 23000-22; AV1 Image File Format 1.1). libavif decodes and encodes; here
its items are read, and metadata are added to a file that it made.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from colorbatch.formats import metadata
from colorbatch.formats.boxes import Box, boxes_of
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import EXIF_START

PICTURES = frozenset({b"av01", b"grid"})
BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip"})
DESCRIBED = frozenset(
    {b"ispe", b"pixi", b"av1C", b"colr", b"auxC", b"irot", b"imir", b"a1op", b"lsel"}
)
"""Properties that say how a picture is decoded, or are read here."""
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
XMP_TYPE = b"application/rdf+xml"
Turn = tuple[int, int | None]
"""Quarter turns to the left (irot), then the axis of a mirror (imir): 0 top to bottom, 1 left to
right, None for no mirror."""
ORIENTATIONS: Mapping[Turn, int] = {
    (0, None): 1, (0, 1): 2, (2, None): 3, (0, 0): 4, (1, 0): 5, (3, None): 6, (1, 1): 7,
    (1, None): 8, (2, 0): 2, (2, 1): 4, (3, 1): 5, (3, 0): 7,
}  # fmt: skip
"""What EXIF calls it, 1 to 8."""
TURNS = {orientation: turn for turn, orientation in [*ORIENTATIONS.items()][::-1]}
"""The simplest one of each."""


Parts = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Item:
    """kind: "av01", "Exif", "mime" and others. content_type: of "mime". parts: where its bytes lie,
    (place, length). properties: kind and content, in order."""

    kind: bytes
    content_type: bytes
    parts: Parts
    properties: Sequence[tuple[bytes, bytes]]

    def first(self, kind: bytes) -> bytes:
        """The content of its first property of a kind, b"" without."""
        return next((content for name, content in self.properties if name == kind), b"")


@dataclass(frozen=True)
class Items:
    """Of a file. references: (kind, from, to)."""

    primary: int
    items: Mapping[int, Item]
    references: Sequence[tuple[bytes, int, int]]

    @property
    def bits(self) -> int:
        """8, 10 or 12 of a sample (av1C: high_bitdepth, twelve_bit); of a grid those of a part."""
        item = self.items[self.primary]
        if item.kind == b"grid":
            grid = (b"dimg", self.primary)
            parts = (to for kind, of, to in self.references if (kind, of) == grid)
            item = self.items.get(next(parts, 0), item)
        flags = item.first(b"av1C")[2:3] or b"\0"
        return {2: 10, 3: 12}.get(flags[0] >> 5 & 3, 8)

    @property
    def nclx(self) -> tuple[int, int, int]:
        """Numbers of primaries, transfer and matrix (ITU-T H.273); 2 for what is not said."""
        main = self.items[self.primary]
        for kind, content in main.properties:
            if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 10:
                primaries, transfer, matrix = struct.unpack_from(">HHH", content, 4)
                return primaries, transfer, matrix
        return 2, 2, 2

    @property
    def turn(self) -> int:
        """How the picture lies, as EXIF's orientation 1 to 8; its own EXIF has no say in it."""
        main = self.items[self.primary]
        angle, mirror = main.first(b"irot"), main.first(b"imir")
        pair: Turn = (angle[0] & 3 if angle else 0, mirror[0] & 1 if mirror else None)
        return ORIENTATIONS[pair]


def items_of(data: bytes) -> Items:
    """The items of a file. Raises ValueError, IndexError or struct.error where they are broken."""
    meta = next((box for box in boxes_of(data) if box.kind == b"meta"), None)
    if meta is None:
        raise ValueError("no items")
    inside = {box.kind: box for box in boxes_of(data, meta.content + 4, meta.end)}
    kinds = dict(_listed(data, inside[b"iinf"])) if b"iinf" in inside else {}
    places = dict(_places(data, inside)) if b"iloc" in inside else {}
    owned = _owned(data, inside[b"iprp"]) if b"iprp" in inside else {}
    items = {
        number: Item(kind, content_type, places.get(number, ()), owned.get(number, ()))
        for number, (kind, content_type) in kinds.items()
    }
    references = tuple(_references(data, inside[b"iref"])) if b"iref" in inside else ()
    primary = _number(data, inside[b"pitm"]) if b"pitm" in inside else 0
    if primary not in items:
        raise ValueError("no primary item")
    return Items(primary, items, references)


def _number(data: bytes, box: Box) -> int:
    width = 2 if data[box.content] == 0 else 4
    return int.from_bytes(data[box.content + 4 : box.content + 4 + width], "big")


def _listed(data: bytes, box: Box) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Number, kind and content type of each item (ISO/IEC 14496-12, section 8.11.6)."""
    start = box.content + (6 if data[box.content] == 0 else 8)
    for entry in boxes_of(data, start, box.end):
        width = 2 if data[entry.content] < 3 else 4
        at = entry.content + 4
        number = int.from_bytes(data[at : at + width], "big")
        kind = data[at + width + 2 : at + width + 6]
        _, _, rest = data[at + width + 6 : entry.end].partition(b"\0")  # behind the item's name
        yield number, (kind, rest.partition(b"\0")[0] if kind == b"mime" else b"")


def _places(
    data: bytes, inside: Mapping[bytes, Box]
) -> Iterator[tuple[int, Sequence[tuple[int, int]]]]:
    """Where each item lies (section 8.11.3): in the file, or in the box idat."""
    box = inside[b"iloc"]
    version, at = data[box.content], box.content + 4
    sizes = (data[at] >> 4, data[at] & 15, data[at + 1] >> 4, data[at + 1] & 15 if version else 0)
    at += 2

    def take(width: int) -> int:
        nonlocal at
        if at + width > box.end:
            raise ValueError("iloc is cut off")
        at += width
        return int.from_bytes(data[at - width : at], "big")

    offset_size, length_size, base_size, index_size = sizes
    for _ in range(take(2 if version < 2 else 4)):
        number = take(2 if version < 2 else 4)
        method = take(2) & 15 if version else 0
        take(2)  # which file: this one
        base = take(base_size)
        if method == 1 and b"idat" in inside:
            base += inside[b"idat"].content
        parts = []
        for _ in range(take(2)):
            take(index_size)
            parts.append((base + take(offset_size), take(length_size)))
        yield number, tuple(parts)


def _owned(data: bytes, box: Box) -> dict[int, tuple[tuple[bytes, bytes], ...]]:
    """The properties of each item (ISO/IEC 23008-12, section 9.3)."""
    parts = list(boxes_of(data, box.content, box.end))
    properties = [
        (inner.kind, data[inner.content : inner.end])
        for part in parts
        if part.kind == b"ipco"
        for inner in boxes_of(data, part.content, part.end)
    ]
    found = {}
    for part in parts:
        if part.kind == b"ipma":
            for number, indices in _associations(data[part.content : part.end]):
                chosen = (index & 0x7FFF for index in indices)
                found[number] = tuple(properties[n - 1] for n in chosen if 0 < n <= len(properties))
    return found


def _associations(ipma: bytes) -> Iterator[tuple[int, list[int]]]:
    """Item and its properties, each 0x8000 for an essential one plus its number."""
    wide, long = ipma[0] >= 1, ipma[3] & 1
    [count] = struct.unpack_from(">L", ipma, 4)
    at = 8
    for _ in range(min(count, len(ipma))):
        [number] = struct.unpack_from(">L" if wide else ">H", ipma, at)
        at += 4 if wide else 2
        many, at = ipma[at], at + 1
        indices = []
        for _ in range(many):
            [raw] = struct.unpack_from(">H" if long else ">B", ipma, at)
            at += 2 if long else 1
            indices.append(raw if long else (raw & 0x80) << 8 | raw & 0x7F)
        yield number, indices


def _references(data: bytes, box: Box) -> Iterator[tuple[bytes, int, int]]:
    """Section 8.11.12."""
    width = 2 if data[box.content] == 0 else 4
    for entry in boxes_of(data, box.content + 4, box.end):
        numbers = data[entry.content : entry.end]
        of = int.from_bytes(numbers[:width], "big")
        for at in range(width + 2, len(numbers) - width + 1, width):
            yield entry.kind, of, int.from_bytes(numbers[at : at + width], "big")


# --- reading -------------------------------------------------------------------------------------


def found_in(data: bytes, found_items: Items) -> Found:
    """Everything but the picture. `encoding`: "bits"; "lossless", for the matrix that only lossless
    files have; "cicp", primaries and transfer, where they are said."""
    items, primary = found_items.items, found_items.primary
    primaries, transfer, matrix = found_items.nclx
    found = Found(encoding={"bits": found_items.bits, "lossless": matrix == 0})
    for kind, content in items[primary].properties:
        if kind == b"colr" and content[:4] in (b"prof", b"rICC"):
            found.take("icc", content[4:], "properties", "colr")
        elif kind not in DESCRIBED:
            found.lose("properties", kind.decode("latin-1"))
    if (primaries, transfer) != (2, 2):
        found.encoding["cicp"] = (primaries, transfer)
        usual = primaries in (1, 2) and transfer in (1, 2, 6, 13)
        found.blocks.append(Block("properties", "colr", "pixels" if usual else "cicp"))
    of_it = {of for kind, of, to in found_items.references if to == primary and kind != b"dimg"}
    tiles = {to for kind, of, to in found_items.references if (kind, of) == (b"dimg", primary)}
    for number, item in items.items():
        name = item.kind.decode("latin-1")
        if item.kind == b"Exif" and number in of_it:
            found.take("exif", _exif(_content(data, item)), "items", name)
        elif item.kind == b"mime" and item.content_type == XMP_TYPE and number in of_it:
            found.take("xmp", _content(data, item), "items", "mime (XMP)")
        elif item.kind in PICTURES and (number == primary or number in tiles):
            found.blocks.append(Block("items", name, "pixels"))
        elif _is_alpha(item, number, found_items):
            found.blocks.append(Block("items", "alpha", "pixels"))
        elif any(kind == b"thmb" and of == number for kind, of, _ in found_items.references):
            found.blocks.append(Block("items", name, "thumbnail"))
        else:
            found.lose("items", f"{name} {item.content_type.decode('latin-1')}".strip())
    for box in boxes_of(data):
        if box.kind not in BOXES:
            found.lose("boxes", box.kind.decode("latin-1"))
    found.dpi = metadata.dpi_of(found.exif)
    return found


def _is_alpha(item: Item, number: int, items: Items) -> bool:
    """Whether it is the alpha of the picture, or of a part of a grid."""
    over = [
        items.items.get(of) for kind, of, to in items.references if (kind, to) == (b"dimg", number)
    ]
    return any(one and one.first(b"auxC")[4:].partition(b"\0")[0] in ALPHA for one in (item, *over))


def _content(data: bytes, item: Item) -> bytes:
    return b"".join(data[place : place + length] for place, length in item.parts)


def _exif(content: bytes) -> bytes:
    """Behind the place of the TIFF structure (ISO/IEC 23008-12, annex A.2.1)."""
    start = 4 + int.from_bytes(content[:4], "big")
    return content[start:].removeprefix(EXIF_START)


# --- writing -------------------------------------------------------------------------------------


def with_metadata(data: bytes, exif: bytes, xmp: bytes, icc: bytes, orientation: int) -> bytes:
    """A file of libavif's with blocks beside its picture, b"" for none, and turned by its own
    properties. exif: bare. Raises ValueError for a file of another form."""
    boxes = {box.kind: box for box in boxes_of(data)}
    if [*boxes] != [b"ftyp", b"meta", b"mdat"]:
        raise ValueError("libavif wrote a file of an unknown form")
    meta, mdat = boxes[b"meta"], boxes[b"mdat"]
    old = items_of(data)
    inside = {box.kind: box for box in boxes_of(data, meta.content + 4, meta.end)}
    added = [(b"Exif", b"", bytes(4) + exif)] if exif else []
    added += [(b"mime", XMP_TYPE + b"\0", xmp)] if xmp else []
    first = max(old.items) + 1
    numbered = [(first + count, *one) for count, one in enumerate(added)]
    listed = [data[entry.begin : entry.end] for entry in _entries(data, inside[b"iinf"])]
    listed += [_infe(number, kind, more) for number, kind, more, _ in numbered]
    iref = data[inside[b"iref"].content + 4 : inside[b"iref"].end] if b"iref" in inside else b""
    for number, *_ in numbered:
        iref += _box(b"cdsc", struct.pack(">HHH", number, 1, old.primary))
    parts = [
        data[inside[b"hdlr"].begin : inside[b"hdlr"].end],
        data[inside[b"pitm"].begin : inside[b"pitm"].end],
        _box(b"iinf", struct.pack(">LH", 0, len(listed)) + b"".join(listed)),
        _box(b"iref", bytes(4) + iref) if iref else b"",
        _iprp(data, inside[b"iprp"], old, icc, orientation),
    ]
    content = data[mdat.content : mdat.end]
    places = [(number, *item.parts[0]) for number, item in old.items.items()]
    for number, _, _, block in numbered:
        places.append((number, mdat.content + len(content), len(block)))
        content += block
    head = data[: meta.begin]
    size = len(head) + 12 + sum(map(len, parts)) + 16 + 14 * len(places)
    moved = size + 8 - mdat.content
    iloc = b"".join(
        struct.pack(">HHHLL", number, 0, 1, place + moved, length)
        for number, place, length in places
    )
    parts.insert(2, _box(b"iloc", struct.pack(">LBBH", 0, 0x44, 0, len(places)) + iloc))
    return head + _box(b"meta", bytes(4) + b"".join(parts)) + _box(b"mdat", content)


def _entries(data: bytes, iinf: Box) -> Iterator[Box]:
    yield from boxes_of(data, iinf.content + (6 if data[iinf.content] == 0 else 8), iinf.end)


def _infe(number: int, kind: bytes, more: bytes) -> bytes:
    """An entry of the list of items, without a name (section 8.11.6.2, version 2)."""
    return _box(b"infe", struct.pack(">LHH4s", 2 << 24, number, 0, kind) + b"\0" + more)


def _iprp(data: bytes, box: Box, items: Items, icc: bytes, orientation: int) -> bytes:
    """The properties with a profile of the picture, and with turns of it and of its alpha: of both
    alike, as ISO/IEC 23000-22 wants it (section 7.3.6.7)."""
    ipco, ipma = (part for part in boxes_of(data, box.content, box.end))
    properties = data[ipco.content : ipco.end]
    count = sum(1 for _ in boxes_of(data, ipco.content, ipco.end))
    angle, mirror = TURNS[orientation]
    turns = []
    if angle:
        turns.append(_box(b"irot", bytes([angle])))
    if mirror is not None:
        turns.append(_box(b"imir", bytes([mirror])))
    profile = [_box(b"colr", b"prof" + icc)] if icc else []
    entries = b""
    owned = dict(_associations(data[ipma.content : ipma.end]))
    for number, indices in owned.items():
        more = [count + 1] if profile and number == items.primary else []
        first = count + len(profile) + 1
        more += [0x8000 | index for index in range(first, first + len(turns))]
        indices = [*indices, *more]
        entries += struct.pack(f">HB{len(indices)}H", number, len(indices), *indices)
    content = struct.pack(">LL", 1, len(owned)) + entries
    return _box(
        b"iprp",
        _box(b"ipco", properties + b"".join(profile + turns)) + _box(b"ipma", content),
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(content), kind) + content
