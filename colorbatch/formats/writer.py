"""Stills, the way out: stills and their new chroma to a file.

A page's rows are colored when they are written: `write` holds one page of the source, and of TIFF
one strip of the result. What a format cannot hold comes back as notes, in words.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from colorbatch.color import Codes, Float, Space, icc
from colorbatch.errors import TargetError
from colorbatch.formats import metadata, registry
from colorbatch.formats.found import not_kept
from colorbatch.formats.metadata import TAG_ORIENTATION
from colorbatch.formats.page import Page
from colorbatch.formats.provenance import is_extensible, with_mark
from colorbatch.formats.record import Writing
from colorbatch.formats.registry import Format
from colorbatch.formats.still import Still, to_codes, upright


@dataclass(frozen=True)
class StillStyle:
    """How results are written. quality: of JPEG and WebP, None for the source's own. upright:
    whether pixels are turned by the orientation tag. mark: what made the color, for XMP. space: of
    the codes, where it is not that of the profile."""

    mark: str
    saturation: float = 1.0
    quality: int | None = None
    upright: bool = False
    space: Space | None = None


@dataclass(frozen=True)
class Encoded:
    """A finished file's bytes, and what the format could not hold, in words."""

    data: bytes
    notes: tuple[str, ...] = ()


def encode(
    still: Still,
    ab: Float | None,
    format_: Format,
    *,
    mark: str,
    saturation: float = 1.0,
    quality: int | None = None,
) -> Encoded:
    """`write` for one still, into memory."""
    buffer = io.BytesIO()
    notes = write(buffer, [(still, ab)], format_, StillStyle(mark, saturation, quality))
    return Encoded(buffer.getvalue(), notes)


def write(
    file: IO[bytes],
    pages: Iterable[tuple[Still, Float | None]],
    format_: Format,
    style: StillStyle,
) -> tuple[str, ...]:
    """Color pages and write them to an empty file that is open for reading and writing.

    Each page comes with its chroma (h, w, 2) in Lab units, in its stored orientation; without it
    the page keeps its own color (and gets no mark). Depth, alpha, resolution, EXIF, XMP, IPTC and
    profile are kept where the format holds them. JPEG without quality uses the source's own tables;
    other sources get 95. Returns what could not be kept. Raises TargetError if the format cannot
    hold the picture, or more pictures than one.
    """
    notes: dict[str, list[int]] = defaultdict(list)
    count = 0

    def prepared() -> Generator[Page, None, None]:
        nonlocal count
        for still, ab in pages:
            count += 1
            page = _prepare(still, ab, format_, style)
            del still, ab
            for note in page.notes:
                notes[note].append(count)
            ready = [page]
            del page
            yield ready.pop()  # not held here while it is written, nor while the next is read

    result = registry.writing(format_)
    said: list[str] = []
    with contextlib.closing(prepared()) as found:
        result.write(file, found if result.several_pages else itertools.islice(found, 1), said)
        if next(found, None) is not None:
            name = registry.ROWS[format_].shown
            raise TargetError(f"it has several pages, and {name} holds one", "--format tif")
    notes.update({note: [1] for note in said})
    return tuple(
        f"{note} (page{'s' * (len(on) > 1)} {', '.join(map(str, on))})" if count > 1 else note
        for note, on in notes.items()
    )


def _prepare(still: Still, ab: Float | None, format_: Format, style: StillStyle) -> Page:
    """Fit a page to a format, and say what it cannot hold."""
    notes = list(still.notes)
    result, same = registry.writing(format_), format_ == still.format
    still = _fitted(still, registry.ROWS[format_].shown, result, same, notes)
    orientation = still.orientation
    if style.upright and orientation != 1:
        ab = None if ab is None else upright(ab, orientation)
        still, orientation = _turned(still), 1
    if ab is not None and still.own_region is not None:
        share = max(0.01, float(still.own_region.mean()))
        notes.append(f"a region in color, {share:.0%} of the picture, kept its own color")
    if ab is not None and style.saturation != 1:
        ab = ab * np.float32(style.saturation)
    profile = icc.for_result(still.icc)
    if still.icc and not profile:
        notes.append("the color profile does not fit an RGB picture and was dropped")
    elif profile and not icc.is_readable(profile):
        notes.append("the color profile could not be read: it is kept, colors are taken for sRGB")
    xmp, exif = still.xmp, still.exif
    source = registry.adapter(still.format)
    if not (same and "extended_xmp" in source.own_blocks) and still.encoding.get("extended_xmp"):
        xmp = metadata.without_extension(xmp)
    if ab is not None or style.upright:
        still = _cleaned_more(still, orientation)
        xmp, exif = metadata.cleaned_xmp(xmp, orientation), metadata.cleaned_exif(exif, orientation)
    if ab is not None:
        if not is_extensible(xmp):
            notes.append("the XMP packet is of an unusual form and was replaced")
        xmp = with_mark(xmp, style.mark)
    name = registry.ROWS[format_].shown
    if result.most_xmp is not None and len(xmp) > result.most_xmp:
        notes.append(
            f"{name} holds {_kb(result.most_xmp)} of XMP at most: the source's was dropped"
        )
        xmp = b"" if ab is None else with_mark(b"", style.mark)
    if result.most_exif is not None and len(exif) > result.most_exif:
        notes.append(f"{name} holds {_kb(result.most_exif)} of EXIF at most: it was dropped")
        exif = b""
    if not exif and orientation != 1:
        exif = metadata.exif_block([metadata.short(TAG_ORIENTATION, orientation)], {})
    notes += not_kept(still.blocks, source.own_blocks, same=same)
    notes += _lost(still, result, exif, xmp, profile, orientation)
    return Page(
        still, ab, profile, xmp, exif, style.quality, source.lossy, tuple(notes), style.space
    )


def _kb(count: int) -> str:
    return f"{count / 1024:.0f} kB"


def _fitted(still: Still, name: str, result: Writing, same: bool, notes: list[str]) -> Still:
    """A still without what its result cannot hold of samples and resolution; said in the notes.
    same: whether its source has the result's format. Raises TargetError for one that is too large.
    """
    most = result.largest_side
    if most is not None and max(still.size) > most:
        raise TargetError(f"{name} holds at most {most} pixels a side")
    deepest = result.sample_bytes
    if still.dtype.itemsize > deepest or (still.is_float and deepest < 8):
        had = "floating point" if still.is_float else f"{still.dtype.itemsize * 8} bits"
        notes.append(f"{had} became {deepest * 8}{' bits' * still.is_float} for {name}")
        still = to_codes(still, np.uint8 if deepest == 1 else np.uint16)
    if still.beside_is_unnamed and result.alpha != "any":
        notes.append(
            f"{name} holds no sample beside color that is not transparency: it was dropped"
        )
        still = replace(still, alpha=None)
    if still.is_premultiplied and result.alpha == "straight":
        notes.append(f"{name} holds color apart from alpha: it was divided by it")
        still = still.straightened()
    if still.alpha is not None and result.alpha == "none":
        notes.append(f"{name} holds no transparency: alpha was dropped")
        still = replace(still, alpha=None)
    if still.dpi and not (same and result.resolution_as_read):
        highest = 1e30 if result.most_dpi is None else result.most_dpi
        if not all(0.5 < dots < highest for dots in still.dpi):
            notes.append(f"{name} does not hold its resolution: it was dropped")
            still = replace(still, dpi=None)
    return still


def _cleaned_more(still: Still, orientation: int) -> Still:
    """A still whose further XMP packets are cleaned as the first is."""
    packets = still.encoding.get("more_xmp")
    if not packets:
        return still
    cleaned = tuple(metadata.cleaned_xmp(packet, orientation) for packet in packets)
    return replace(still, encoding={**still.encoding, "more_xmp": cleaned})


def _turned(still: Still) -> Still:
    """A still with its pixels turned upright."""

    def turned(samples: Codes | None) -> Codes | None:
        return None if samples is None else upright(samples, still.orientation)

    encoding = dict(still.encoding)
    dpi = still.dpi
    if still.orientation >= 5:
        dpi = None if dpi is None else (dpi[1], dpi[0])
        if "resolution" in encoding:
            x, y, unit = encoding["resolution"]
            encoding["resolution"] = (y, x, unit)
        if "resolutions" in encoding:
            found = encoding["resolutions"].items()
            encoding["resolutions"] = {name: (y, x) for name, (x, y) in found}
        if "chunks" in encoding:  # of PNG pHYs, which holds a ratio: across, down, unit
            encoding["chunks"] = [
                (name, content[4:8] + content[:4] + content[8:] if name == b"pHYs" else content, at)
                for name, content, at in encoding["chunks"]
            ]
    return replace(
        still,
        luma=upright(still.luma, still.orientation),
        rgb=turned(still.rgb),
        float_grey=turned(still.float_grey),
        alpha=turned(still.alpha),
        own_region=turned(still.own_region),
        orientation=1,
        dpi=dpi,
        encoding=encoding,
    )


def _lost(
    still: Still, result: Writing, exif: bytes, xmp: bytes, profile: bytes, orientation: int
) -> Iterator[str]:
    """What the source has and the format cannot hold."""
    yield from result.exif_lost(exif)
    kept = result.kept(still)
    held = {"exif": ("EXIF", exif), "xmp": ("XMP", xmp), "icc": ("a color profile", profile)}
    lost = [what for kind, (what, block) in held.items() if block and kind not in kept.blocks]
    if lost:
        yield f"{kept.name} holds no {' or '.join(lost)}: not kept"
    if orientation != 1 and "orientation" not in kept.blocks:
        yield f"{kept.name} holds no orientation: the picture lies as it was stored"
    if "iptc" not in kept.blocks and metadata.iptc_of(still.photoshop):
        yield f"{kept.name} holds no IPTC block: not kept"
    if "photoshop" not in kept.blocks and set(still.photoshop) - {metadata.IPTC}:
        yield f"{kept.name} holds no Photoshop resources: not kept"
    if "dpi" not in kept.blocks and still.dpi:
        yield f"{kept.name} holds no resolution (DPI)"
