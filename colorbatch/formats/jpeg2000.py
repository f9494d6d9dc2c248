"""JPEG 2000: its adapter. OpenJPEG decodes and encodes, through Pillow and imagecodecs.

The boxes of metadata, which it neither reads nor writes, are walked through here (ISO/IEC
15444-1:2019, annex I) and added to a finished file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image

from colorbatch.color import Codes, widened
from colorbatch.errors import SourceError, TargetError
from colorbatch.formats import metadata, pillow_files
from colorbatch.formats.boxes import CODESTREAM, boxes_of
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import EXIF_START
from colorbatch.formats.page import Page
from colorbatch.formats.pillow_modes import samples_of as samples_of_pillow
from colorbatch.formats.record import (
    BLOCKS,
    MARK_BYTES,
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    never,
    no_bytes,
    nothing_lost,
    one_picture,
)
from colorbatch.formats.still import Packing, Still, Stored, from_samples

NAME = "JPEG2000"
STARTS = (b"\0\0\0\x0cjP  ", CODESTREAM)
LOSSY = 0.2
"""Files of fewer bytes per byte of samples are taken for lossy: lossless photographs have more
(`python benchmarks/sizes.py FOLDER`)."""
ENCODERS = (b"Kakadu", b"Created by OpenJPEG", b"Creator: JasPer", b"Kdu-")
"""How the comments begin in which encoders name themselves."""
SSIZ = 42
"""Where in a codestream the first component's depth stands, less 1; the sign is the highest bit.
Three bytes on the next one's does; their number stands ahead of the first (ISO/IEC 15444-1:2019,
section A.5.1)."""
UUIDS = {
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
}
"""Of boxes of metadata: XMP's by ISO 16684-1:2019 (XMP Specification Part 3, section 1.2.2), the
others as Exiv2 and ExifTool read and write them."""
ALSO = {
    bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"): "exif",
    bytes.fromhex("09a14e97c0b442e0bebf36df6f0ce36f"): "iptc",
    bytes.fromhex("2c4c0100850440b9a03e562148d6dfeb"): "photoshop",
}
"""Those of Photoshop 7, as ExifTool reads them; results have the others."""


def samples_of(data: bytes) -> tuple[Codes, int]:
    """Samples (H, W[, C]) of grey or RGB, uint8 or uint16 with white as the highest code, and how
    many bits they had in the file; neither library scales them. Raises SourceError where components
    have different depths."""
    samples = np.asarray(imagecodecs.jpeg2k_decode(data))
    if samples.dtype not in (np.uint8, np.uint16):
        return samples, samples.dtype.itemsize * 8
    depths = depths_of(data)
    if len(set(depths)) > 1:
        told = ", ".join(map(str, depths))
        raise SourceError(f"JPEG 2000 of components of different depths ({told} bits)")
    bits = depths[0] if depths else samples.dtype.itemsize * 8
    if bits < 8:
        most = 2**bits - 1
        scaled = np.rint(np.minimum(samples, most) * (255 / most))
        return np.asarray(scaled, np.uint8), bits
    return (widened(samples, bits) if samples.dtype == np.uint16 else samples), bits


def depths_of(data: bytes) -> tuple[int, ...]:
    """The bits of each component of a file or a bare codestream; none where they are not told."""
    codestream = next((box.content for box in boxes_of(data) if box.kind == b"jp2c"), 0)
    count = int.from_bytes(data[codestream + SSIZ - 2 : codestream + SSIZ], "big")
    first = codestream + SSIZ
    return tuple((byte & 0x7F) + 1 for byte in data[first : first + 3 * count : 3])


def found_in(data: bytes) -> Found:
    """Everything but the picture, of a file or a bare codestream. `encoding["xml"]`: boxes of XML,
    which results have as they are."""
    found = Found(encoding={"codestream": data.startswith(CODESTREAM), "xml": ()})
    streams = 0
    for box in boxes_of(data):
        content = data[box.content : box.end]
        if box.kind == b"uuid":
            _take_uuid(found, content[:16], content[16:])
        elif box.kind == b"jp2h":
            for inner in boxes_of(data, box.content, box.end):
                _take_inner(found, inner.kind, data[inner.content : inner.end])
        elif box.kind == b"xml ":
            found.encoding["xml"] += (content,)
            found.blocks.append(Block("boxes", "xml", "xml"))
        elif box.kind == b"jp2c" and not streams:
            streams += 1
            _list_comments(found, content)
        elif box.kind not in (b"jP  ", b"ftyp", b"free"):
            found.lose("boxes", box.kind.decode("latin-1").strip())
    if found.encoding["codestream"]:
        _list_comments(found, data)
    resolutions = found.encoding.get("resolutions", {})
    found.dpi = resolutions.get("resc") or resolutions.get("resd")
    return found


def _take_uuid(found: Found, uuid: bytes, content: bytes) -> None:
    name = UUIDS.get(uuid) or ALSO.get(uuid)
    if name == "iptc":
        found.take_iptc(content)
    elif name == "photoshop":
        found.take_photoshop(content)
    elif name is not None:
        found.take(name, content, "boxes", f"uuid ({name})")
    else:
        found.lose("boxes", f"uuid ({uuid.hex()})")


def _take_inner(found: Found, kind: bytes, content: bytes) -> None:
    """A box of the header (annex I.5.3)."""
    if kind == b"colr" and content[:1] in (b"\x02", b"\x03"):  # an ICC profile, restricted or any
        profile = content[3:]  # behind method, precedence, approximation
        if profile[36:40] == b"acsp":
            found.take("icc", profile, "boxes", "colr")
        else:
            found.notes.append("the color profile could not be read and was dropped")
    elif kind == b"res ":
        for box in boxes_of(content):
            name, dpi = box.kind.decode("latin-1"), _dpi(content[box.content : box.end])
            if name in ("resc", "resd") and dpi:
                found.encoding.setdefault("resolutions", {}).setdefault(name, dpi)
                found.blocks.append(Block("boxes", name, "dpi"))
            else:
                found.lose("boxes", name)
    elif kind not in (b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"):
        found.lose("boxes", kind.decode("latin-1").strip())


def _list_comments(found: Found, codestream: bytes) -> None:
    """Comments of the main header (section A.9.2) that are not an encoder's name."""
    place = 2
    while place + 4 <= len(codestream):
        marker, length = struct.unpack_from(">HH", codestream, place)
        text = codestream[place + 6 : place + 2 + length]
        if marker == 0xFF64 and not text.startswith(ENCODERS):
            found.lose("comments", text[:40].decode("latin-1").strip("\0"))
        if marker == 0xFF90 or length < 2:  # SOT: the first tile
            return
        place += 2 + length


def _dpi(content: bytes) -> tuple[float, float] | None:
    """Across and down, of samples a meter as `_resolution` writes them."""
    if len(content) < 10:
        return None
    v, v_parts, h, h_parts, v_power, h_power = struct.unpack_from(">HHHHbb", content)
    if 0 in (v, v_parts, h, h_parts):
        return None
    return h / h_parts * 10.0**h_power * 0.0254, v / v_parts * 10.0**v_power * 0.0254


def encode(
    pixels: Codes,
    blocks: dict[str, bytes],
    resolutions: Mapping[str, tuple[float, float]],
    *,
    xml: Sequence[bytes] = (),
    codestream: bool = False,
) -> bytes:
    """Lossless JPEG 2000 of RGB or RGBA codes (H, W, 3 or 4), uint8 or uint16.

    blocks: "exif" (bare), "iptc", "xmp", "icc". resolutions: by the box that they stand in, "resc"
    (of the scan) or "resd" (to be shown at). A bare codestream holds none of them.
    """
    data = bytes(
        imagecodecs.jpeg2k_encode(
            pixels, level=0, reversible=True, codecformat="J2K" if codestream else "JP2"
        )
    )
    if codestream:
        return data
    head = next((box for box in boxes_of(data) if box.kind == b"jp2h"), None)
    boxes = boxes_of(data, head.content, head.end) if head else ()
    colr = next((box for box in boxes if box.kind == b"colr"), None)
    if head is None or colr is None:
        raise TargetError("OpenJPEG wrote a file of an unknown form")
    header, end = data[head.content : head.end], data[head.end :]
    if blocks.get("icc"):
        profile = _box(b"colr", b"\x02\0\0" + blocks["icc"])
        header = data[head.content : colr.begin] + profile + data[colr.end : head.end]
    if resolutions:
        inside = (_box(name.encode(), _resolution(dpi)) for name, dpi in resolutions.items())
        header += _box(b"res ", b"".join(inside))
    end += b"".join(_box(b"xml ", content) for content in xml)
    for uuid, name in UUIDS.items():
        if blocks.get(name):
            end += _box(b"uuid", uuid + blocks[name])
    return data[: head.begin] + _box(b"jp2h", header) + end


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


# --- the adapter -------------------------------------------------------------------------------


def _decode(file: IO[bytes], max_pixels: int, _: int) -> Still:
    with pillow_files.opened(file, NAME, max_pixels, not_read=_not_read) as image:
        file.seek(0)
        return _decoded(image, file.read())


def _decoded(image: Image.Image, data: bytes) -> Still:
    found = found_in(data)
    shared = found.fields()
    notes: tuple[str, ...] = ()
    if image.mode in ("P", "PA", "CMYK"):
        samples, shared["icc"], notes = samples_of_pillow(image, shared["icc"])
    else:
        samples, bits = samples_of(data)
        if 8 < bits < 16:
            notes = (f"{bits} bits became 16",)
        elif bits < 8:
            notes = (f"{bits}-bit picture became 8-bit RGB",)
    notes += shared.pop("notes")
    return from_samples(NAME, samples, encoding=found.encoding, notes=notes, **shared)


def _not_read(file: IO[bytes]) -> str:
    """Why it is not read, by its header."""
    file.seek(0)
    count = len(depths_of(file.read()))
    return f"JPEG 2000 of {count} components is not supported" if count > 4 else ""


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=[NAME]) as image:
        found = pillow_files.stored(image, NAME, "lossless", pillow_files.size_of(file))
        least = LOSSY * image.width * image.height * found.samples * found.bits / 8
        packing: Packing = "lossy" if found.nbytes < least else "lossless"
        yield replace(found, packing=packing)


def _write(file: IO[bytes], pages: Iterator[Page], _: list[str]) -> None:
    """Lossless; a bare codestream stays one."""
    [page] = pages
    blocks = {
        "icc": page.icc,
        "xmp": page.xmp,
        "exif": page.exif.removeprefix(EXIF_START),
        "iptc": metadata.iptc_of(page.still.photoshop),
    }
    own = page.still.encoding if page.still.format == NAME else {}
    resolutions = own.get("resolutions") or ({"resc": page.still.dpi} if page.still.dpi else {})
    pixels, bare = page.all_rows(), bool(own.get("codestream"))
    file.write(encode(pixels, blocks, resolutions, xml=own.get("xml", ()), codestream=bare))


def _kept(still: Still) -> Kept:
    if still.encoding.get("codestream"):
        return Kept(name="a JPEG 2000 codestream", blocks=frozenset())
    return Kept(name="JPEG 2000", blocks=BLOCKS - {"photoshop"})


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start.startswith(STARTS),
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=False,
    own_blocks={"xml": ""},
    memory=Memory(of_8_bits=51, of_more=51),  # as if it had 16 bits, which Pillow does not tell
    density=0.65,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=2,
        largest_side=None,
        most_dpi=None,
        most_xmp=None,
        most_exif=None,
        alpha="straight",
        resolution_as_read=False,
        kept=_kept,
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=True, lossy=never, bytes_lossy=no_bytes, own_tables=False, beside=MARK_BYTES
        ),
    ),
)
