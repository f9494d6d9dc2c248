"""What pictures carry beside their samples: how they were mastered, stereo, captions.

A decoded frame goes in, plain values come out. PyAV can read such side data and has no way to write
it to a stream; what an encoder can be told by its own options reaches the result, all else is named
to the user.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame


def _nameless(kind: type[Type], value: int) -> Type:
    """A kind of side data that libav has and PyAV's list lacks, such as EXIF and the views of
    spatial films: PyAV makes no list of a frame's side data if one is of such a kind."""
    found = object.__new__(kind)
    found._name_ = f"KIND_{value}"
    found._value_ = value  # type: ignore[assignment]
    return found


Type._missing_ = classmethod(_nameless)  # type: ignore[assignment]

SIDE_DATA = {
    "MASTERING_DISPLAY_METADATA": "mastering display",
    "CONTENT_LIGHT_LEVEL": "content light level",
    "AMBIENT_VIEWING_ENVIRONMENT": "ambient viewing environment",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "STEREO3D": "stereo 3D",
    "SPHERICAL": "spherical projection",
    "A53_CC": "closed captions in the pictures",
    "AFD": "active format description",
    "PANSCAN": "pan and scan",
    "ICC_PROFILE": "ICC profile",
    "S12M_TIMECODE": "time codes in the pictures",
    "SEI_UNREGISTERED": "user data in the pictures",
    "DETECTION_BBOXES": "marked regions",
    # kinds that PyAV 18 has no names for, by libav 8's numbers
    "KIND_28": "LCEVC",
    "KIND_29": "views of a spatial film",
    "KIND_30": "reference displays",
    "KIND_31": "EXIF",
}
"""libav's kinds of side data, in words; those that are in neither table are named as libav does."""
NO_LOSS = frozenset(
    {
        # kept in another way; MPEG-2's is a counter of its own that few set
        *("DISPLAYMATRIX", "GOP_TIMECODE"),
        # about how pictures were coded, which is done anew
        *("MOTION_VECTORS", "VIDEO_ENC_PARAMS", "REGIONS_OF_INTEREST", "VIDEO_HINT"),
        "FILM_GRAIN_PARAMS",  # the decoder has put the grain into the pictures
    }
)
"""Kinds that say nothing of a film whose pictures are coded anew."""
ENCODERS_OWN = (
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"),
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"),
)
"""UUIDs before the settings that x264 and x265 write as user data."""
TRANSPARENCY = "transparency of the palette"
OPAQUE = 0xFF

MASTERING, LIGHT, STEREO, TIMECODES = (
    SIDE_DATA[kind]
    for kind in (
        *("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "STEREO3D", "S12M_TIMECODE"),
    )
)


def names_of(frame: VideoFrame) -> tuple[str, ...]:
    """What a frame carries, in words, each once."""
    found = [_name(data) for data in _carried(frame)]
    if frame.format.name == "pal8" and _is_transparent(frame):
        found.append(TRANSPARENCY)
    return tuple(dict.fromkeys(name for name in found if name))


def _carried(frame: VideoFrame) -> Any:
    """Its side data. PyAV's `frame.side_data` and the frame hold each other, so that pictures pile
    up until Python looks for such circles: 190 MB of 60 pictures of 1080 lines."""
    return SideDataContainer(frame)  # type: ignore[call-arg]


def _name(data: Any) -> str:
    kind = data.type.name
    if kind in NO_LOSS or (kind == "SEI_UNREGISTERED" and bytes(data)[:16] in ENCODERS_OWN):
        return ""
    return SIDE_DATA.get(kind) or kind.lower().replace("_", " ")


def _is_transparent(frame: VideoFrame) -> bool:
    """Whether a picture uses a color of its palette that is not opaque; the palette is the second
    plane, B, G, R and alpha of each (on machines whose low byte is first)."""
    codes = np.frombuffer(frame.planes[0], np.uint8)  # type: ignore[call-overload]
    palette = np.frombuffer(frame.planes[1], np.uint8)[: 4 * 256]  # type: ignore[call-overload]
    lines = codes.reshape(-1, abs(frame.planes[0].line_size))[: frame.height, : frame.width]
    return bool((palette[3::4][np.unique(lines)] != OPAQUE).any())


def mastering_of(frame: VideoFrame) -> str:
    """The mastering display (SMPTE ST 2086) as x264 and x265 take it: G(x,y)B(x,y)R(x,y)WP(x,y)
    in steps of 0.00002 and L(max,min) in 0.0001 cd/m2; "" if it is not there or not whole."""
    data = _bytes(frame, "MASTERING_DISPLAY_METADATA")
    # libav's AVMasteringDisplayMetadata: R, G, B and white, each x and y, least and greatest
    # luminance, all as two integers; then whether there are primaries, and luminances
    if len(data) < 88:
        return ""
    *parts, primaries, luminances = struct.unpack("=22i", data[:88])
    if not (primaries and luminances and all(parts[1::2])):
        return ""
    values = [Fraction(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    red, green, blue, white = (
        tuple(round(each * 50000) for each in values[at : at + 2]) for at in (0, 2, 4, 6)
    )
    points = zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    least, greatest = (round(each * 10000) for each in values[8:])
    return "".join(f"{name}({x},{y})" for name, (x, y) in points) + f"L({greatest},{least})"


def light_of(frame: VideoFrame) -> str:
    """The content light level (CTA-861.3) as "MaxCLL,MaxFALL" in cd/m2; "" if it is not there."""
    data = _bytes(frame, "CONTENT_LIGHT_LEVEL")
    if len(data) < 8:
        return ""
    most, average = struct.unpack("=2I", data[:8])
    return f"{most},{average}"


def _bytes(frame: VideoFrame, kind: str) -> bytes:
    found: Any = _carried(frame).get(kind)
    return b"" if found is None else bytes(found)
