"""What a still format is: one record, which the format's adapter fills in.

No part has a default: an adapter that leaves one out cannot be imported. What reads, writes and
foretells asks these records, never a format's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Literal

from colorbatch.formats.page import Page
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Still, Stored

MARK_BYTES = 1200
"""What a result has beside its samples: our mark in XMP, and the format's own order. (The source's
metadata go with it, but weigh little beside samples: they are not counted.)"""
START_BYTES = 64
"""Of a file, by which its format is told."""
BLOCKS = frozenset({"exif", "xmp", "icc", "orientation", "iptc", "photoshop", "dpi"})
"""What goes from format to format beside pixels."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes per pixel of RGB, beside its samples, while a picture is decoded or encoded as a whole;
    0 where that goes strip by strip. (`python benchmarks/memory.py`)"""

    of_8_bits: float
    of_more: float


@dataclass(frozen=True, kw_only=True)
class Needs:
    """A library that comes with an extra of the package. load: makes it ready, whether it could."""

    library: str
    extra: str
    load: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Which of `BLOCKS` a result holds. name: what notes call what it lacks them."""

    name: str
    blocks: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ResultSize:
    """What `sizes` needs to know of results.

    compressed: whether samples are. lossy: whether results are, of a source that is stored so, and
    in this quality. bytes_lossy: per pixel, then, in this quality; 0 where they never are.
    own_tables: whether a lossy result of the same format is packed as its source was. beside: bytes
    beside the samples. (`python benchmarks/sizes.py FOLDER`)
    """

    compressed: bool
    lossy: Callable[[Stored, int | None], bool]
    bytes_lossy: Callable[[int | None], float]
    own_tables: bool
    beside: int


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How results are written, and what they cannot hold.

    write: pages to an empty file that is open for reading and writing; what only encoding tells is
    added to the notes; it may raise TargetError. several_pages: whether a file holds more than one;
    `write` gets one otherwise. sample_bytes: of the deepest sample, 8 for floating point.
    largest_side, most_dpi, most_xmp, most_exif: None where the format has no such limit; the latter
    two are bytes. alpha: "none"; "straight", apart from the color; or "any", such that the color is
    multiplied by it and samples without a meaning too. resolution_as_read: whether that of a source
    in the same format is written in its own terms. kept: what goes with a page. exif_lost: what of
    an EXIF block is left out, in words.
    """

    write: Callable[[IO[bytes], Iterator[Page], list[str]], None]
    several_pages: bool
    sample_bytes: int
    largest_side: int | None
    most_dpi: float | None
    most_xmp: int | None
    most_exif: int | None
    alpha: Literal["none", "straight", "any"]
    resolution_as_read: bool
    kept: Callable[[Still], Kept]
    exif_lost: Callable[[bytes], Iterator[str]]
    size: ResultSize


@dataclass(frozen=True, kw_only=True)
class StillFormat:
    """A format: its row in `registry.TABLE` has its names.

    begins: whether a file that begins with these bytes is one. pages: its pictures (file,
    max_pixels, at_least), each decoded when it is asked for; raises SourceError, or what libraries
    raise. stored: the same pictures by their headers; raises anything for a broken file. needs: a
    library that is not always there. lossy: whether its files are, where nothing else is told.
    own_blocks: kinds of blocks that only results of this format hold, of sources in it, and what is
    said of a result in another, "" for naming the blocks. memory: as `Memory`. density: bytes of a
    lossless packing, 1 for Deflate's. writing: None for what is read only.
    """

    name: Format
    begins: Callable[[bytes], bool]
    pages: Callable[[IO[bytes], int, int], Iterator[Still]]
    stored: Callable[[IO[bytes]], Iterator[Stored]]
    needs: Needs | None
    lossy: bool
    own_blocks: Mapping[str, str]
    memory: Memory
    density: float
    writing: Writing | None


def one_picture(decode: Callable[[IO[bytes], int, int], Still]) -> Callable[..., Iterator[Still]]:
    """`StillFormat.pages` of formats that hold one: nothing of it is held here when it is given."""

    def pages(file: IO[bytes], max_pixels: int, at_least: int) -> Iterator[Still]:
        yield decode(file, max_pixels, at_least)

    return pages


def nothing_lost(_: bytes) -> Iterator[str]:
    """`Writing.exif_lost` of formats that keep an EXIF block as it is."""
    return iter(())


def by_libjpeg(at_95: float) -> Callable[[int | None], float]:
    """`ResultSize.bytes_lossy` from that in quality 95, which is the usual: by the root of the
    factor by which libjpeg scales its tables (jcparam.c, jpeg_quality_scaling)."""

    def bytes_lossy(quality: int | None) -> float:
        if quality is None:
            return at_95
        scale = 50 / quality if quality < 50 else max(2 - quality / 50, 0.03)
        return at_95 * float((0.1 / scale) ** 0.5)

    return bytes_lossy


def no_bytes(_: int | None) -> float:
    """`ResultSize.bytes_lossy` of formats that have no lossy packing."""
    return 0.0


def never(_: Stored, __: int | None) -> bool:
    """`ResultSize.lossy` of formats that have no lossy packing."""
    return False
