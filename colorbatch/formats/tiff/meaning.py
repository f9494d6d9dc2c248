"""What the samples of a TIFF page mean: told by its photometric interpretation and the kinds of its
extra samples (TIFF 6.0, sections 3 to 6 and 18), never by how many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import tifffile

from colorbatch.errors import SourceError
from colorbatch.formats.tiff.layout import JPEG

PHOTOMETRIC = tifffile.PHOTOMETRIC
TAG_PHOTOMETRIC, TAG_BITS, TAG_SAMPLES, TAG_INK_SET = 262, 258, 277, 332
UP_TO_16, ONLY_8 = range(1, 17), (8,)
READ: Mapping[tifffile.PHOTOMETRIC, tuple[str, int, Collection[int]]] = {
    PHOTOMETRIC.MINISWHITE: ("grey", 1, UP_TO_16),
    PHOTOMETRIC.MINISBLACK: ("grey", 1, UP_TO_16),
    PHOTOMETRIC.RGB: ("RGB", 3, UP_TO_16),
    PHOTOMETRIC.PALETTE: ("palette", 1, UP_TO_16),
    PHOTOMETRIC.SEPARATED: ("CMYK", 4, (8, 16)),
    PHOTOMETRIC.YCBCR: ("Y'CbCr", 3, ONLY_8),
    PHOTOMETRIC.CIELAB: ("CIELab", 3, ONLY_8),
}
"""What is read: its name, the samples that are the picture itself, the bits that they may have."""
FAX = frozenset({2, 3, 4})
"""Compressions of CCITT, in which zero is white."""
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
"""Kinds of extra samples (section 18): of the user's own meaning, alpha that the color was
multiplied by, alpha alone."""


@dataclass(frozen=True)
class Meaning:
    """photometric: what it means. colors: how many samples are the picture, the first ones. beside:
    the number of the one extra sample that goes with it, and its kind; None without. dropped: how
    many extra samples there are beside these."""

    photometric: tifffile.PHOTOMETRIC
    colors: int
    beside: int | None = None
    kind: int = UNSPECIFIED
    dropped: int = 0

    @property
    def channels(self) -> int:
        """Samples of a pixel that are kept."""
        return self.colors + (self.beside is not None)

    @property
    def is_grey(self) -> bool:
        """Whether it is one sample, of black to white or white to black."""
        return self.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)


def of_page(page: Any) -> Meaning:
    """What a page of tifffile's holds. Raises SourceError for what is not read, in words."""
    if not isinstance(page.bitspersample, int):
        bits = ", ".join(map(str, page.bitspersample))
        raise SourceError(f"TIFF samples of different depths ({bits} bits) are not supported")
    photometric = _photometric_of(page)
    if photometric not in READ:
        kind = getattr(photometric, "name", photometric)
        raise SourceError(f"TIFF of the kind {kind} is not supported")
    name, colors, depths = READ[photometric]
    if page.samplesperpixel < colors:
        raise SourceError(f"its tags name {name}, but {page.samplesperpixel} samples per pixel")
    if photometric == PHOTOMETRIC.SEPARATED and page.tags.valueof(TAG_INK_SET, 1) != 1:
        raise SourceError("TIFF in other inks than CMYK is not supported")
    _check_depth(page, photometric, name, depths)
    return _with_extra(photometric, colors, page)


def _check_depth(page: Any, photometric: Any, name: str, depths: Collection[int]) -> None:
    if page.dtype is not None and page.dtype.kind == "f":
        if photometric == PHOTOMETRIC.MINISWHITE:
            raise SourceError("floating-point samples with white as zero are not supported")
        if photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB):
            raise SourceError(f"{name} in floating point is not supported")
    elif page.bitspersample not in depths:
        raise SourceError(f"TIFF: {name} of {page.bitspersample} bits is not supported")


def _photometric_of(page: Any) -> Any:
    """Without the tag, which has no default, what libtiff takes it for (TIFFRGBAImageBegin): one
    sample is black at zero, white in the compressions of fax; three are RGB."""
    if TAG_PHOTOMETRIC in page.tags or page.compression == JPEG:
        return page.photometric
    colors = page.samplesperpixel - len(page.extrasamples)
    if colors == 1:
        fax = page.compression in FAX
        return PHOTOMETRIC.MINISWHITE if fax else PHOTOMETRIC.MINISBLACK
    if colors == 3:
        return PHOTOMETRIC.RGB
    raise SourceError(f"no tag says what its {page.samplesperpixel} samples per pixel mean")


def _with_extra(photometric: Any, colors: int, page: Any) -> Meaning:
    """The first alpha among the extra samples is what goes with the picture, or else the first of
    any kind. A fourth sample of RGB, or a second one of grey, that no tag names is alpha."""
    extra = page.samplesperpixel - colors
    if not extra:
        return Meaning(photometric, colors)
    kinds = [int(kind) for kind in page.extrasamples][:extra]
    if not kinds and extra == 1:
        kinds = [UNASSOCIATED]
    kinds += [UNSPECIFIED] * (extra - len(kinds))
    kinds = [kind if kind in (ASSOCIATED, UNASSOCIATED) else UNSPECIFIED for kind in kinds]
    first = next((index for index, kind in enumerate(kinds) if kind), 0)
    return Meaning(photometric, colors, colors + first, kinds[first], extra - 1)


def mend_samples(page: Any) -> None:
    """Without SamplesPerPixel it has as many samples as BitsPerSample has values, as libtiff takes
    it where its pixels are RGB; tifffile takes the tag's default, one."""
    bits = page.tags.get(TAG_BITS)
    if TAG_SAMPLES in page.tags or bits is None or bits.count < 3 or page.is_tiled:
        return
    if page.photometric != PHOTOMETRIC.RGB and TAG_PHOTOMETRIC in page.tags:
        return
    if page.planarconfig != tifffile.PLANARCONFIG.CONTIG or page.samplesperpixel != 1:
        return
    height, width = page.imagelength, page.imagewidth
    page.samplesperpixel = bits.count
    page.shape, page.axes = (height, width, bits.count), "YXS"
    page.shaped = (1, 1, height, width, bits.count)
