"""JPEG: its adapter. libjpeg decodes and encodes, through Pillow.

The luma that is stored is taken as it is, never rounded through RGB. `jpeg_segments` finds what
lies beside the picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image

from colorbatch.color import Codes, strips
from colorbatch.errors import SourceError
from colorbatch.formats import jpeg_segments, pillow_files
from colorbatch.formats.jpeg_segments import tables_for_color
from colorbatch.formats.page import Page
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.record import (
    BLOCKS,
    MARK_BYTES,
    Kept,
    Memory,
    ResultSize,
    StillFormat,
    Writing,
    by_libjpeg,
    nothing_lost,
    one_picture,
)
from colorbatch.formats.registry import ROWS
from colorbatch.formats.still import Still, Stored, from_samples

NAME = "JPEG"
SEGMENT_BYTES = 65533
"""What a segment of JPEG holds beside its length."""
MOST_XMP, MOST_EXIF = 65502, 65533
"""What one APP1 segment holds beside its length and its own name."""
PROCESSES = {
    0xC3: "lossless JPEG", 0xC5: "hierarchical JPEG", 0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG", 0xC9: "JPEG in arithmetic coding",
    0xCA: "JPEG in arithmetic coding", 0xCB: "lossless JPEG in arithmetic coding",
    0xCD: "hierarchical JPEG", 0xCE: "hierarchical JPEG", 0xCF: "hierarchical JPEG",
    0xF7: "JPEG-LS",
}  # fmt: skip
"""Markers that begin a frame, but those of the usual processes (ITU-T T.81, table B.1; of JPEG-LS
ITU-T T.87, section C.1.1)."""
USUAL = frozenset({0xC0, 0xC1, 0xC2})


# --- reading -------------------------------------------------------------------------------------


def _decode(file: IO[bytes], max_pixels: int, at_least: int) -> Still:
    opened = pillow_files.opened(file, NAME, max_pixels, not_read=_not_read, several=True)
    with opened as image:
        try:
            return _decoded(image, file, (at_least, at_least) if at_least else image.size)
        except OSError as error:
            if why := _not_read(file):
                raise SourceError(why) from error
            raise


def _decoded(image: Image.Image, file: IO[bytes], at_least: tuple[int, int]) -> Still:
    place = file.tell()
    file.seek(0)
    found = jpeg_segments.found_in(file)
    file.seek(place)
    encoding: dict[str, Any] = {
        "qtables": getattr(image, "quantization", None),
        "progressive": bool(image.info.get("progressive")),
        **found.encoding,
    }
    if image.format == "MPO":
        found.notes.append("only the first of several pictures in the file was colored")
    shared = found.fields()
    if image.mode == "RGB" and not _holds_rgb(image):
        image.draft("YCbCr", at_least)  # the stored Y' itself, not one rounded through RGB
        luma, samples = _luma_and_rgb(image)
        return Still(NAME, luma, samples, encoding=encoding, **shared)
    samples, shared["icc"], told = samples_of(image, shared["icc"])
    notes = (*told, *shared.pop("notes"))
    return from_samples(NAME, samples, encoding=encoding, notes=notes, **shared)


def _holds_rgb(image: Image.Image) -> bool:
    """Whether the three components of a JPEG are R, G and B, as libjpeg tells it (jdapimin.c,
    default_decompress_parms): by JFIF's marker, then Adobe's, then the components' names."""
    if "jfif" in image.info:
        return False
    if "adobe" in image.info:
        return image.info.get("adobe_transform") == 0
    return [layer[0] for layer in getattr(image, "layer", [])] == list(b"RGB")


def _luma_and_rgb(image: Image.Image) -> tuple[Codes, Codes]:
    """The stored Y' (H, W) and RGB (H, W, 3) of an opened JPEG, uint8; strip by strip, as Pillow
    holds the whole already."""
    image.load()
    if image.mode != "YCbCr":
        raise SourceError(f"JPEG of an unexpected kind ({image.mode})")
    width, height = image.size
    luma = np.empty((height, width), np.uint8)
    rgb = np.empty((height, width, 3), np.uint8)
    for start, stop in strips(height, width):
        planes = np.asarray(image.crop((0, start, width, stop)))
        luma[start:stop] = planes[..., 0]
        rgb[start:stop] = cv2.cvtColor(planes[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)
    return luma, rgb


def _not_read(file: IO[bytes]) -> str:
    """Why it is not read, by the header of its frame: a marker, a length, bits, lines, columns,
    components."""
    file.seek(2)
    while (marker := _next_marker(file)) not in (None, 0xD9, 0xDA):
        raw = file.read(2)
        if len(raw) < 2:
            return ""
        content = file.read(max(0, int.from_bytes(raw, "big") - 2))
        if marker in PROCESSES:
            return f"{PROCESSES[marker]} is not supported"
        if marker in USUAL and len(content) >= 6:
            if content[0] != 8:
                return f"JPEG of {content[0]} bits is not supported"
            many = content[5] not in (1, 3, 4)
            return f"JPEG of {content[5]} components is not supported" if many else ""
    return ""


def _next_marker(file: IO[bytes]) -> int | None:
    while byte := file.read(1):
        if byte == b"\xff":
            while (byte := file.read(1)) == b"\xff":
                pass
            return byte[0] if byte else None
    return None


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=[NAME]) as image:
        yield pillow_files.stored(image, NAME, "lossy", pillow_files.size_of(file))


# --- writing -------------------------------------------------------------------------------------


def _write(file: IO[bytes], pages: Iterator[Page], notes: list[str]) -> None:
    """In 4:4:4, with the source's own tables where it was JPEG and no quality is asked for."""
    [page] = pages
    still, encoding = page.still, page.still.encoding
    image = pillow_files.picture_of(page, page.output)
    options = pillow_files.options_of(page)
    tables = encoding.get("qtables") if still.format == NAME else None
    if page.quality is None and tables:
        options["qtables"] = tables_for_color([tables[key] for key in sorted(tables)])
    else:
        options["quality"] = ROWS[NAME].quality if page.quality is None else page.quality
    segments = [
        _segment(0xED, part) for part in _photoshop_segments(still.photoshop.values(), notes)
    ]
    for name in ("more_xmp", "extended_xmp"):
        segments += [_segment(0xE1, part) for part in encoding.get(name, ())]
    segments += [_segment(0xFE, part) for part in encoding.get("comments", ())]
    encoded = pillow_files.encoded(
        image,
        NAME,
        subsampling=0,
        progressive=encoding.get("progressive", False),
        xmp=page.xmp,
        extra=b"".join(segments),
        **options,
    )
    with encoded as content:
        file.write(content)


def _segment(marker: int, content: bytes) -> bytes:
    """A marker segment of JPEG (ITU-T T.81, section B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _photoshop_segments(blocks: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """Image resource blocks in APP13 segments of at most 64 kB."""
    start = b"Photoshop 3.0\0"
    segment = start
    for block in blocks:
        if len(start) + len(block) > SEGMENT_BYTES:
            notes.append("JPEG holds 64 kB of a Photoshop resource at most: one was dropped")
            continue
        if len(segment) + len(block) > SEGMENT_BYTES:
            yield segment
            segment = start
        segment += block
    if segment != start:
        yield segment


FORMAT = StillFormat(
    name=NAME,
    begins=lambda start: start.startswith(b"\xff\xd8\xff"),
    pages=one_picture(_decode),
    stored=_stored,
    needs=None,
    lossy=True,
    own_blocks={
        "comment": "the JPEG comment was not kept",
        "extended_xmp": "the extended part of the XMP was not kept",
        "more_xmp": "the second XMP packet was not kept",
    },
    memory=Memory(of_8_bits=12, of_more=12),
    density=1.0,
    writing=Writing(
        write=_write,
        several_pages=False,
        sample_bytes=1,
        largest_side=65535,
        most_dpi=65535.0,
        most_xmp=MOST_XMP,
        most_exif=MOST_EXIF,
        alpha="none",
        resolution_as_read=False,
        kept=lambda _: Kept(name=NAME, blocks=BLOCKS),
        exif_lost=nothing_lost,
        size=ResultSize(
            compressed=True,
            lossy=lambda _, __: True,
            bytes_lossy=by_libjpeg(0.43),
            own_tables=True,
            beside=MARK_BYTES,
        ),
    ),
)
