"""What a scanned frame is: plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Header:
    """A frame's header, as far as somebody needs to know it; results carry all of it.

    size: (H, W) as stored. channels: 1 (grey) or 3 (RGB), alpha apart. bits: of a sample; is_float:
    half (16) or float (32). transfer: the header's word, "" where it says nothing. levels: "full",
    or "limited" where the header's reference codes are those of video. rate: frames per second as
    the header has it, or None. timecode: HH:MM:SS:FF (; before FF for drop frame) or "". frame:
    the header's own frame number, or None. orientation: EXIF's 1 to 8. chromaticities: of EXR, x
    and y of R, G, B and white, or None. marked: whether a result of ours. fields: everything else
    that is said, for the report.
    """

    kind: Literal["DPX", "EXR"]
    size: tuple[int, int]
    channels: int
    bits: int
    is_float: bool = False
    alpha: bool = False
    transfer: str = ""
    levels: Literal["full", "limited"] = "full"
    rate: float | tuple[int, int] | None = None
    timecode: str = ""
    frame: int | None = None
    orientation: int = 1
    aspect: float = 1.0
    chromaticities: tuple[float, ...] | None = None
    creator: str = ""
    marked: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Scan:
    """A decoded frame. samples: (H, W, 1) or (H, W, 3), R, G, B, as stored: uint8 at 8 bits, uint16
    in codes of `header.bits` above, float16 or float32. alpha: (H, W) of the same type, or None.
    raw: what `write` needs of the file, opaque."""

    header: Header
    samples: npt.NDArray[Any]
    alpha: npt.NDArray[Any] | None
    raw: Any

    @property
    def grey(self) -> bool:
        """Whether there is nothing but grey: one channel, or three that are equal."""
        samples = self.samples
        if samples.shape[2] == 1:
            return True
        first = samples[..., 0]
        return bool(
            np.array_equal(first, samples[..., 1]) and np.array_equal(first, samples[..., 2])
        )


def timecode_of(packed: int) -> str:
    """SMPTE 12M time code from 32 bits, as DPX and EXR have it: binary-coded decimals, hours in the
    upper byte, frames in the lowest with drop frame as bit 6. "" where it is none."""
    parts = [packed >> 24 & 0x3F, packed >> 16 & 0x7F, packed >> 8 & 0x7F, packed & 0x3F]
    if packed == 0xFFFFFFFF or any(part & 0xF > 9 for part in parts):
        return ""
    hours, minutes, seconds, frames = ((part >> 4) * 10 + (part & 0xF) for part in parts)
    if hours > 23 or minutes > 59 or seconds > 59:
        return ""
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if packed & 0x40 else ':'}{frames:02d}"
