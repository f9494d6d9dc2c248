"""Pixel formats: what a libav frame's planes hold, as numpy arrays in the source's own codes.

A frame goes in, `Planes` come out, and the other way round; no code is changed on the way. Packed
formats (yuyv422, nv12, rgb24) are taken apart, padding and line direction are seen to, and samples
that stand in the upper bits of 16 (p010) are brought down. One-bit and palette pictures, which have
no samples of their own, are looked up in their tables. Float, Bayer and XYZ formats are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from colorbatch.errors import SourceError

Array = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class PixelFormat:
    """A pixel format's facts. depth: bits of each sample, 1 to 16; subsampling: how many luma
    samples one chroma sample stands for, (down, across), (1, 1) without subsampling or chroma."""

    name: str
    kind: Literal["gray", "yuv", "rgb"]
    depth: int
    subsampling: tuple[int, int]
    alpha: bool


@dataclass(frozen=True, eq=False)
class Planes:
    """One picture's samples, uint8 at 8 bits and uint16 above, in native codes.

    luma: Y' (H, W), None in RGB; chroma: Cb and Cr, each (ceil(H / down), ceil(W / across)), None
    in gray and RGB; rgb: R, G and B, each (H, W), None but in RGB; alpha: (H, W) or None.
    """

    luma: Array | None = None
    chroma: tuple[Array, Array] | None = None
    rgb: tuple[Array, Array, Array] | None = None
    alpha: Array | None = None

    def digest(self) -> str:
        """SHA-256, hexadecimal, of what has to stay: Y', or R, G and B; row by row, 16-bit samples
        with their low byte first, without padding."""
        state = hashlib.sha256()
        for plane in (self.luma,) if self.luma is not None else self.rgb or ():
            state.update(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data)
        return state.hexdigest()


@dataclass(frozen=True)
class _Place:
    """Where a component's samples lie: the plane, the first item of a line, the step between
    items (a byte up to 8 bits, two above), and the bits below a sample."""

    plane: int
    first: int
    step: int
    shift: int = 0


_PACKED_RGB = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}
_PACKED = {
    **{f"{name}{bits}": (3, at) for name, at in _PACKED_RGB.items() for bits in ("24", "48")},
    **{f"{name}0": (4, at) for name, at in _PACKED_RGB.items()},
    **{f"0{name}": (4, tuple(i + 1 for i in at)) for name, at in _PACKED_RGB.items()},
    **{f"{name}a{bits}": (4, (*at, 3)) for name, at in _PACKED_RGB.items() for bits in ("", "64")},
    "argb": (4, (1, 2, 3, 0)),
    "abgr": (4, (3, 2, 1, 0)),
    "ya8": (2, (0, 1)),
    "ya16": (2, (0, 1)),
}
"""Formats with all components in one plane: items per pixel, and the place of each in a pixel."""

_YUV_PACKED = {"yuyv422": (0, 1, 3), "uyvy422": (1, 0, 2), "yvyu422": (0, 3, 1)}
_SEMIPLANAR = {"nv12": 0, "nv16": 0, "nv24": 0, "p010": 6, "p012": 4, "p016": 0} | {
    "p210": 6,
    "p212": 4,
    "p216": 0,
    "p410": 6,
    "p412": 4,
    "p416": 0,
}
LOOKED_UP = {"pal8": "rgb24", "monow": "gray", "monob": "gray"}
"""Formats that are tables of colors, and the format that holds the same colors exactly."""


def pixel_format(name: str) -> PixelFormat:
    """The facts of a pixel format by libav's name. Raises SourceError for one without integer Y' or
    RGB samples of at most 16 bits."""
    name = LOOKED_UP.get(name, name)
    try:
        found = av.VideoFormat(name, 64, 64)
    except ValueError:
        raise SourceError(f"pixel format {name} is unknown") from None
    parts = found.components
    places = _places(found)
    # float formats have f16 or f32 in their names; libav's descriptors do not say it otherwise
    if not places or found.is_bayer or any(part in name for part in ("f16", "f32", "xyz")):
        raise SourceError(f"pixel format {name} is not supported")
    alpha = len(parts) in (2, 4)
    color = len(parts) - alpha == 3
    chroma = parts[1] if color and not found.is_rgb else parts[0]
    return PixelFormat(
        name=name,
        kind="rgb" if found.is_rgb else "yuv" if color else "gray",
        depth=parts[0].bits,
        subsampling=(parts[0].height // chroma.height, parts[0].width // chroma.width),
        alpha=alpha,
    )


def _places(given: av.VideoFormat) -> tuple[_Place, ...]:
    """The place of each component, in libav's order (Y Cb Cr A, or R G B A); () if not known."""
    parts = given.components
    name = given.name.removesuffix("le").removesuffix("be")
    if name in _YUV_PACKED:
        return tuple(_Place(0, at, 4 if i else 2) for i, at in enumerate(_YUV_PACKED[name]))
    if name in _SEMIPLANAR:
        shift = _SEMIPLANAR[name]
        return _Place(0, 0, 1, shift), _Place(1, 0, 2, shift), _Place(1, 1, 2, shift)
    if name in ("nv21", "nv42"):
        return _Place(0, 0, 1), _Place(1, 1, 2), _Place(1, 0, 2)
    if name in _PACKED:
        step, at = _PACKED[name]
        return tuple(_Place(0, first, step) for first in at)
    own_planes = len({part.plane for part in parts}) == len(parts)
    if not own_planes or given.is_bit_stream or given.has_palette or name.endswith("msb"):
        return ()
    if not all(8 <= part.bits <= 16 for part in parts):
        return ()
    return tuple(_Place(part.plane, 0, 1) for part in parts)


def planes_of(frame: av.VideoFrame) -> Planes:
    """A decoded frame's samples, copied. Raises SourceError for a format that is not supported."""
    if frame.format.name in LOOKED_UP:
        frame = frame.reformat(format=LOOKED_UP[frame.format.name])
    facts = pixel_format(frame.format.name)
    native = np.uint8 if facts.depth <= 8 else np.uint16
    found: list[Any] = [
        (view >> place.shift).astype(native) if place.shift else np.array(view, native)
        for view, place in _views(frame)
    ]
    alpha = found.pop() if facts.alpha else None
    if facts.kind == "rgb":
        return Planes(rgb=(found[0], found[1], found[2]), alpha=alpha)
    chroma = (found[1], found[2]) if facts.kind == "yuv" else None
    return Planes(luma=found[0], chroma=chroma, alpha=alpha)


def frame_of(planes: Planes, name: str) -> av.VideoFrame:
    """A new frame of format `name` with these samples. Raises ValueError where their number, sizes
    or types are not those of the format, or a code is beyond its depth."""
    facts = pixel_format(name)
    height, width = (planes.luma if planes.luma is not None else planes.rgb[0]).shape  # type: ignore[index]
    parts = [*(planes.rgb or (planes.luma, *(planes.chroma or ())))]
    if facts.alpha:
        parts.append(planes.alpha)
    frame = av.VideoFrame(width, height, name)
    views = list(_views(frame))
    if len(views) != len(parts) or any(part is None for part in parts):
        raise ValueError(f"{name} has {len(views)} components, {len(parts)} are given")
    for (view, place), part in zip(views, parts, strict=True):
        assert part is not None
        wanted = np.uint8 if facts.depth <= 8 else np.uint16
        if part.shape != view.shape or part.dtype != wanted:
            raise ValueError(f"{name} needs {view.shape} {wanted.__name__}, not {part.shape}")
        if facts.depth not in (8, 16) and part.max(initial=0) >> facts.depth:
            raise ValueError(f"a code of {part.max()} is beyond {facts.depth} bits")
        view[...] = part << place.shift if place.shift else part
    return frame


def _views(frame: av.VideoFrame) -> Iterator[tuple[Any, _Place]]:
    """Each component's samples as a view of the frame's own memory, (H, W) of that component."""
    order = ">" if frame.format.is_big_endian else "<"
    for part, place in zip(frame.format.components, _places(frame.format), strict=True):
        item = np.dtype("u1") if part.bits <= 8 else np.dtype(f"{order}u2")
        plane = frame.planes[place.plane]
        lines = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
        lines = lines.reshape(-1, abs(plane.line_size))
        if plane.line_size < 0:  # stored from the bottom line up
            lines = lines[::-1]
        items = lines[: part.height, : lines.shape[1] // item.itemsize * item.itemsize].view(item)
        yield items[:, place.first :: place.step][:, : part.width], place


def widened(plane: Array, depth: int, wanted: int) -> Array:
    """Samples of `depth` bits as samples of `wanted` bits: an exact shift, never a rescaling.

    Raises ValueError where wanted is less than depth: that would lose codes.
    """
    if wanted < depth:
        raise ValueError(f"{depth} bits do not fit into {wanted}")
    if wanted <= 8:
        return (plane << (wanted - depth)).astype(np.uint8)
    return plane.astype(np.uint16) << np.uint16(wanted - depth)
