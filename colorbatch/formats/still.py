"""One still in memory: its samples and everything that goes with them, whatever the file format.

`reader` and `tiff` make it, `writer` turns it into a file again. Arrays and bytes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from colorbatch import color
from colorbatch.color import Codes, Float
from colorbatch.color.luma_join import divided
from colorbatch.errors import SourceError
from colorbatch.formats.found import Block
from colorbatch.formats.registry import Format

LIMIT_OPTION = " (--max-pixels)"
"""What the error for these ends with; frames, which have no such option, leave it out."""


@dataclass(frozen=True)
class Still:
    """One picture as the tool sees it.

    luma: Y' codes (H, W), uint8 or uint16, in the file's own pixel order; of floating-point
    samples, clipped and rounded to 16 bits. rgb: the source's samples (H, W, 3) where it was not
    stored as grey. float_grey: samples (H, W) of a grey floating-point source. alpha: samples
    (H, W) or None.
    """

    format: Format
    luma: Codes
    rgb: Codes | None = None
    float_grey: Codes | None = None
    alpha: Codes | None = None
    own_region: Codes | None = None
    """Where (h, w) of booleans, at any size, its own color stays though the rest is colored; None
    for nowhere. Such a picture has `rgb`."""
    white: float = 1.0
    """The floating-point sample that is white; of other sources nothing."""
    orientation: int = 1
    """EXIF orientation, 1 to 8: how the stored pixels have to be turned to stand upright."""
    exif: bytes = b""
    """The block as JPEG holds it: "Exif", two zeros, a TIFF structure."""
    xmp: bytes = b""
    icc: bytes = b""
    photoshop: Mapping[int, bytes] = field(default_factory=dict)
    """Image resource blocks by number, whole; IPTC is number 0x0404 (see `metadata`)."""
    dpi: tuple[float, float] | None = None
    """Horizontal and vertical."""
    encoding: Mapping[str, Any] = field(default_factory=dict)
    """How the file was stored, in the terms of the library that writes its format."""
    blocks: tuple[Block, ...] = ()
    """Everything that its file holds beside pixels, with what became of it."""
    notes: tuple[str, ...] = ()
    """What could not be kept, in words."""

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        arrays = (self.luma, self.rgb, self.float_grey, self.alpha)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) as stored."""
        return (self.luma.shape[0], self.luma.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its samples: uint8, uint16, or floating point."""
        if self.float_grey is not None:
            return self.float_grey.dtype
        return self.luma.dtype if self.rgb is None else self.rgb.dtype

    @property
    def is_float(self) -> bool:
        """Whether its samples are floating point."""
        return self.dtype.kind == "f"

    @property
    def beside_is_unnamed(self) -> bool:
        """Whether `alpha` is no transparency, but a sample of TIFF that no tag gives a meaning."""
        return self.alpha is not None and self.encoding.get("extrasamples") == [0]

    @property
    def is_premultiplied(self) -> bool:
        """Whether color was multiplied by alpha (TIFF 6.0, section 18: associated alpha)."""
        return self.alpha is not None and self.encoding.get("extrasamples") == [1]

    def alpha_codes(self, start: int = 0, stop: int | None = None) -> Codes | Float | None:
        """Of rows (stop - start, W), in the codes of `luma`, what its color was multiplied by; None
        where it was not."""
        if self.alpha is None or not self.is_premultiplied:
            return None
        alpha = self.alpha[start:stop]
        return alpha * np.float32(65535) if alpha.dtype.kind == "f" else alpha

    def shown_luma(self) -> Codes:
        """`luma` as it would be without alpha: what is to be seen in it."""
        alpha = self.alpha_codes()
        return self.luma if alpha is None else divided(self.luma, alpha)

    def straightened(self) -> Still:
        """The same, of 8 or 16 bits, for formats whose color is not multiplied by alpha."""
        alpha = self.alpha_codes()
        if alpha is None:
            return self
        encoding = {**self.encoding, "extrasamples": [2]}
        rgb = None if self.rgb is None else divided(self.rgb, alpha)
        luma = divided(self.luma, alpha) if rgb is None else color.grey_of(rgb)
        return replace(self, luma=luma, rgb=rgb, encoding=encoding)

    def exact_luma(self, start: int, stop: int) -> npt.NDArray[np.float64] | None:
        """Unrounded Y' of rows (stop - start, W), float64, in codes; None where `luma` is exact.

        Codes of floating-point samples are those of 16 bits, neither rounded nor clipped.
        """
        if self.float_grey is not None:
            grey = self.float_grey[start:stop].astype(np.float64)
            return np.asarray(grey * (65535 / self.white), np.float64)
        if self.rgb is None or self.rgb.dtype == np.uint8:
            return None
        luma = color.luma(self.rgb[start:stop])
        return luma * (65535 / self.white) if self.is_float else luma

    def for_coloring(self) -> Still:
        """The same without what only its own color needs."""
        spare = self.dtype == np.uint8 and self.own_region is None
        return replace(self, rgb=None) if spare else self

    def rgb_codes(self) -> Codes | None:
        """Codes (h, w, 3), uint8 or uint16, for telling what kind of picture it is; None for grey.

        Of floating-point samples a grid, of others all.
        """
        if self.rgb is None or not self.is_float:
            return self.rgb
        step = max(1, max(self.size) // 1024)
        grid = np.nan_to_num(self.rgb[::step, ::step].astype(np.float64) / self.white)
        return color.to_codes(grid, np.uint16)

    def own_rgb(self, start: int = 0, stop: int | None = None) -> Codes:
        """Its own samples, of rows `start` to `stop`, as (h, W, 3)."""
        if self.rgb is not None:
            return self.rgb[start:stop]
        grey = self.luma if self.float_grey is None else self.float_grey
        return np.dstack([grey[start:stop]] * 3)


def from_samples(format_: Format, samples: Codes, **rest: Any) -> Still:
    """Samples (H, W) or (H, W, 1 to 4) to a still; the last of 2 or 4 channels is alpha.

    Raises SourceError for other numbers of channels and for types that are not supported.
    """
    if samples.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float16, "f4", "f8"):
        raise SourceError(f"{samples.dtype} samples are not supported, only 8, 16 bits and float")
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    if channels not in (1, 2, 3, 4):
        raise SourceError(f"pictures of {channels} channels are not supported")
    alpha = samples[..., -1].copy() if channels in (2, 4) else None
    if samples.dtype.kind == "f":
        return _from_floats(format_, samples, alpha, rest)
    if channels <= 2:
        return Still(format_, np.ascontiguousarray(samples[..., 0]), alpha=alpha, **rest)
    rgb = samples[..., :3]  # beside alpha it stays as it is: copied it would be there twice
    return Still(format_, color.grey_of(rgb), rgb, alpha=alpha, **rest)


def _from_floats(
    format_: Format, samples: Codes, alpha: Codes | None, rest: dict[str, Any]
) -> Still:
    white = float(rest.get("white", 1.0))
    grey = samples.shape[2] <= 2
    plane = np.ascontiguousarray(samples[..., 0] if grey else samples[..., :3])
    if float(np.median(plane[:: max(1, plane.shape[0] // 256)])) > white:
        raise SourceError(
            f"most of its floating-point samples are beyond {white:g}, which is white unless the "
            "tag SMaxSampleValue names another"
        )
    luma = np.empty(samples.shape[:2], np.uint16)
    for start, stop in color.strips(samples.shape[0], samples.shape[1]):
        y = plane[start:stop].astype(np.float64) if grey else color.luma(plane[start:stop])
        luma[start:stop] = np.rint(np.clip(np.nan_to_num(y / white), 0, 1) * 65535)
    if grey:
        return Still(format_, luma, float_grey=plane, alpha=alpha, **rest)
    return Still(format_, luma, plane, alpha=alpha, **rest)


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Refuse a picture by its header. Raises SourceError."""
    if height * width > max_pixels:
        raise SourceError(
            f"{width} x {height} pixels are more than {max_pixels / 1e6:g} million{LIMIT_OPTION}"
        )


def to_codes(still: Still, dtype: npt.DTypeLike) -> Still:
    """A still with fewer bits: floating point to uint16, 16 bits to uint8, rounded."""
    if still.dtype == np.dtype(dtype):
        return still
    white = still.white if still.is_float else 65535.0

    def rounded(samples: Codes, white: float = white) -> Codes:
        codes = np.empty(samples.shape, dtype)
        for start, stop in color.strips(samples.shape[0], samples.shape[1]):
            part = samples[start:stop].astype(np.float64) / white
            codes[start:stop] = color.to_codes(np.nan_to_num(part), dtype)
        return codes

    alpha = still.alpha
    if alpha is not None:
        alpha = rounded(alpha, 65535.0 if alpha.dtype.kind == "u" else 1.0)
    return replace(
        still,
        luma=still.luma if still.luma.dtype == np.dtype(dtype) else rounded(still.luma, 65535.0),
        rgb=None if still.rgb is None else rounded(still.rgb),
        float_grey=None,
        alpha=alpha,
        white=1.0,
    )


# --- orientation -------------------------------------------------------------------------------


def upright(pixels: Codes, orientation: int) -> Codes:
    """Stored pixels (H, W, ...) turned upright (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def stored(pixels: Codes, orientation: int) -> Codes:
    """The inverse of `upright`."""
    # only the two quarter turns are not their own inverse
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


Packing = Literal["none", "lossless", "lossy", "few"]
"""How samples are compressed; few: palettes and less than 8 bits."""


@dataclass(frozen=True)
class Stored:
    """How a picture lies in its file, as headers tell without decoding.

    samples: per pixel, of palettes those of RGB; bits: per sample; nbytes: what all of them take in
    the file; beside: bytes that are in memory beside the samples while they are decoded, negative
    where the header says already that they cannot be.
    """

    format: Format
    packing: Packing
    height: int
    width: int
    samples: int
    bits: int
    nbytes: int
    beside: float = -1
