"""The pictures of films as they are coded: what their codes mean, and what is seen of them.

Planes in, planes out; no files, no models. A plane is (H, W), uint8 at 8 bits and uint16 above, in
codes of the film's own depth; rows may be padded (views). Code points are those of ITU-T H.273,
which containers and libav use as well. `chroma` makes the planes that a film gets.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    Codes,
    Float,
    encode,
    lightness_of_y,
    resize_area,
    to_codes,
)
from colorbatch.color.transfer import Primaries, Transfer, display_light, from_linear_srgb
from colorbatch.errors import SourceError, UsageError

Matrix = Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc", "rgb"]
Levels = Literal["limited", "full"]
Siting = Literal["left", "center", "topleft", "top", "bottomleft", "bottom"]

WEIGHTS: Mapping[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "rgb": (0.299, 0.114),  # what stills call grey: frames and films of them get the same color
}
"""KR and KB (ITU-T H.273, table 4). Those of "rgb" say what counts as luma where none is stored."""


@dataclass(frozen=True)
class Encoding:
    """What the codes of a film mean."""

    bits: int = 8
    """Depth, 8 to 16."""
    subsampling: tuple[int, int] | None = (2, 2)
    """Rows and columns of luma that share one chroma sample: (2, 2) is 4:2:0, (1, 2) 4:2:2, (1, 1)
    4:4:4, (1, 4) 4:1:1. None without chroma (4:0:0), and for RGB."""
    matrix: Matrix = "bt709"
    levels: Levels = "limited"
    siting: Siting = "left"
    """Where a chroma sample lies among the luma samples that share it."""
    transfer: Transfer = "display"
    primaries: Primaries = "bt709"
    interlaced: bool = False
    """Whether rows of subsampled chroma belong to fields (ITU-T H.262, section 6.1.1.8)."""

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 16:
            raise ValueError(f"films have 8 to 16 bits, not {self.bits}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a plane."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def maximum(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    @property
    def black(self) -> int:
        """The code of Y' = 0 (ITU-T H.273, equations 20 to 31)."""
        return 0 if self.levels == "full" else 16 << (self.bits - 8)

    @property
    def white(self) -> int:
        """The code of Y' = 1."""
        return self.maximum if self.levels == "full" else 235 << (self.bits - 8)

    @property
    def neutral(self) -> int:
        """The chroma code of grey."""
        return 1 << (self.bits - 1)

    @property
    def chroma_span(self) -> int:
        """Codes between the chroma values -0.5 and 0.5."""
        return self.maximum if self.levels == "full" else 224 << (self.bits - 8)

    @property
    def weights(self) -> tuple[float, float, float]:
        """KR, KG and KB."""
        red, blue = WEIGHTS[self.matrix]
        return red, 1 - red - blue, blue

    def chroma_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of the chroma planes of a picture of `size`. Raises ValueError without chroma."""
        if self.subsampling is None:
            raise ValueError("a film without chroma planes")
        return -(-size[0] // self.subsampling[0]), -(-size[1] // self.subsampling[1])

    def colored(self, size: tuple[int, int]) -> Encoding:
        """What the film of `size` = (H, W) becomes if it has no chroma planes: 4:2:0 at 8 bits,
        4:2:2 above, its luma codes as they are. RGB becomes full-range Y'CbCr: right where R, G and
        B are equal, and one of them is taken as Y'."""
        if self.subsampling is not None:
            return self
        matrix = guessed_matrix(size) if self.matrix == "rgb" else self.matrix
        return replace(self, subsampling=(2, 2) if self.bits == 8 else (1, 2), matrix=matrix)


# --- what a container says, and what it does not -----------------------------------------------

_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
_REFUSED = {
    8: "YCgCo", 10: "BT.2020 with constant luminance", 11: "Y'D'zD'x", 13: "of constant luminance",
    14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro",
}  # fmt: skip
_TRANSFERS: dict[int, Transfer] = {8: "linear", 9: "log100", 10: "log316", 16: "pq", 18: "hlg"}
_PRIMARIES: dict[int, Primaries] = {
    1: "bt709", 4: "bt470m", 5: "bt601-625", 6: "bt601-525", 7: "bt601-525", 8: "film", 9: "bt2020",
    11: "dci-p3", 12: "display-p3", 22: "ebu3213",
}  # fmt: skip
# libav's AVChromaLocation: H.273's Chroma420SampleLocType + 1
_SITINGS: dict[int, Siting] = {
    1: "left", 2: "center", 3: "topleft", 4: "top", 5: "bottomleft", 6: "bottom",
}  # fmt: skip
UNSPECIFIED = 2
"""H.273's code point for what is not said."""


def guessed_matrix(size: tuple[int, int]) -> Matrix:
    """The matrix of an untagged film of `size` = (H, W): BT.709 from 1280 columns or beyond 576
    rows, BT.601 below. It is what mpv shows (video/csputils.c, mp_csp_guess_colorspace), and for
    height what Windows does (DXVA2_VideoTransferMatrix_Unknown)."""
    return "bt709" if size[1] >= 1280 or size[0] > 576 else "bt601"


def encoding_of(
    size: tuple[int, int],
    bits: int,
    subsampling: tuple[int, int] | None,
    *,
    rgb: bool = False,
    matrix: int = UNSPECIFIED,
    levels: int = 0,
    transfer: int = UNSPECIFIED,
    primaries: int = UNSPECIFIED,
    siting: int = 0,
    interlaced: bool = False,
) -> Encoding:
    """The encoding of a film of `size` = (H, W) from its pixel format and its tags.

    matrix, transfer, primaries: H.273 code points. levels: libav's AVColorRange (1 limited, 2
    full). siting: libav's AVChromaLocation. What is not said is guessed as players do: the matrix
    by size; limited levels, but full ones for RGB and grey formats (libswscale, handle_jpeg);
    siting left under limited levels and center under full ones (mpv, mp_image_params_guess_csp);
    the transfer a display's, the primaries BT.709's. Raises SourceError for a matrix whose luma is
    no weighted sum of R', G' and B'.
    """
    if not rgb and matrix in _REFUSED:
        raise SourceError(f"its color matrix is {_REFUSED[matrix]}, which cannot be colored")
    full = levels == 2 or (levels != 1 and (rgb or subsampling is None))
    return Encoding(
        bits=bits,
        subsampling=None if rgb else subsampling,
        matrix="rgb" if rgb else _MATRICES.get(matrix) or guessed_matrix(size),
        levels="full" if full else "limited",
        siting=_SITINGS.get(siting, "center" if full else "left"),
        transfer=_TRANSFERS.get(transfer, "display"),
        primaries=_PRIMARIES.get(primaries, "bt709"),
        interlaced=interlaced,
    )


def resample_depth(plane: Codes, bits: int, to_bits: int, *, allow_loss: bool = False) -> Codes:
    """A plane of `bits` in codes of `to_bits`: widening is an exact shift, and the plane itself
    comes back where nothing changes. Raises UsageError for less depth unless `allow_loss`, which
    rounds to the nearest code."""
    if bits == to_bits:
        return plane
    dtype = Encoding(to_bits).dtype
    if to_bits > bits:
        return np.asarray(plane.astype(dtype) << (to_bits - bits))
    if not allow_loss:
        raise UsageError(f"{bits} bits do not fit into {to_bits}", "see --allow-depth-loss")
    down = bits - to_bits
    rounded = (plane.astype(np.uint32) + (1 << (down - 1))) >> down
    return np.asarray(np.minimum(rounded, (1 << to_bits) - 1), dtype)


# --- a part of the picture ---------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """The part of the picture that is colored, in luma samples."""

    width: int
    height: int
    x: int
    y: int

    @classmethod
    def parse(cls, text: str) -> Region:
        """From "WxH+X+Y". Raises UsageError."""
        found = re.fullmatch(r"(\d{1,9})x(\d{1,9})\+(\d{1,9})\+(\d{1,9})", text.strip())
        if not found or not int(found[1]) or not int(found[2]):
            raise UsageError(f"a region is WxH+X+Y, such as 640x480+40+0, not {text!r}")
        return cls(*(int(part) for part in found.groups()))

    def within(self, size: tuple[int, int], encoding: Encoding) -> Region:
        """The region in a picture of `size` = (H, W), shrunk to whole chroma samples. Raises
        UsageError where it reaches beyond the picture or nothing is left."""
        down, right = self.y + self.height, self.x + self.width
        if down > size[0] or right > size[1]:
            raise UsageError(f"the region reaches beyond the picture of {size[1]}x{size[0]}")
        rows, columns = encoding.subsampling or (1, 1)
        rows *= 2 if encoding.interlaced and rows > 1 else 1
        top, left = -(-self.y // rows) * rows, -(-self.x // columns) * columns
        down = down if down == size[0] else down // rows * rows
        right = right if right == size[1] else right // columns * columns
        if down <= top or right <= left:
            raise UsageError("the region is smaller than a chroma sample")
        return Region(right - left, down - top, left, top)

    def of(self, plane: npt.NDArray[Any], step: tuple[int, int] = (1, 1)) -> npt.NDArray[Any]:
        """Its part of a plane (H, W) that has a sample for every `step` rows and columns."""
        top, left = self.y // step[0], self.x // step[1]
        bottom = -(-(self.y + self.height) // step[0])
        right = -(-(self.x + self.width) // step[1])
        return plane[top:bottom, left:right]


# --- what is seen ------------------------------------------------------------------------------


@functools.cache
def lightness_table(encoding: Encoding) -> Float:
    """L* in [0, 100] of grey at every code of the plane's type: (256,) or (65536,) float32."""
    codes = np.arange(256 if encoding.bits == 8 else 65536)
    value = (codes - encoding.black) / (encoding.white - encoding.black)
    return lightness_of_y(display_light(value, encoding.transfer))


def network_lightness(y: npt.NDArray[Any], encoding: Encoding, size: tuple[int, int]) -> Float:
    """L* (h, w) in [0, 100] at the network's `size`, float32, of a luma plane (H, W).

    It is what `color.network_view` gives for a still of the same picture: equal for 8 bits of full
    range; for others within the 0.7 L* that rounding to codes costs, 0.05 in the mean. `y` is in
    codes; floating point (`chroma.luma_of_rgb`) is rounded.
    """
    small = resize_area(y, size)
    if np.issubdtype(small.dtype, np.floating):
        small = np.clip(np.rint(small), 0, encoding.maximum).astype(encoding.dtype)
    return lightness_table(encoding)[small]


def rgb_view(y: Codes, cb: Codes, cr: Codes, encoding: Encoding, size: tuple[int, int]) -> Codes:
    """A film's frame as sRGB codes (h, w, 3), uint8, at a small `size`: what `classify` judges.

    The planes are averaged before they are joined. Of RGB they are G, B and R, in libav's order.
    """
    span = encoding.white - encoding.black
    planes = [resize_area(np.asarray(plane, np.float32), size) for plane in (y, cb, cr)]
    if encoding.matrix == "rgb":
        green, blue, red = ((plane - encoding.black) / span for plane in planes)
    else:
        kr, kg, kb = encoding.weights
        luma = (planes[0] - encoding.black) / span
        blue, red = ((plane - encoding.neutral) / encoding.chroma_span for plane in planes[1:])
        red, blue = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
        green = (luma - kr * red - kb * blue) / kg
    linear = display_light(np.dstack([red, green, blue]), encoding.transfer).astype(np.float32)
    if encoding.primaries != "bt709":
        back = np.linalg.inv(from_linear_srgb(encoding.primaries)).astype(np.float32)
        linear = np.clip(np.asarray(cv2.transform(linear, back), np.float32), 0, 1)
    return to_codes(encode(linear))
