"""OpenEXR frames through OpenImageIO: samples as they are, and every attribute carried over."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from colorbatch.errors import SourceError, TargetError
from colorbatch.formats.provenance import SOURCE_TYPE as DIGITAL_SOURCE_TYPE
from colorbatch.scans.library import openimageio
from colorbatch.scans.record import Header, timecode_of

Samples = npt.NDArray[Any]
CHANNELS = (("Y",), ("Y", "A"), ("R", "G", "B"), ("R", "G", "B", "A"))
KEEPING_COMPRESSIONS = ("none", "rle", "zip", "zips", "piz")
MADE_BY_NAME = "colorbatch:ColorMadeBy"
SOURCE_TYPE_NAME = "Iptc4xmpExt:DigitalSourceType"
_OWN = frozenset({
    "framesPerSecond", "smpte:TimeCode", "smpte:KeyCode", "Orientation", "PixelAspectRatio",
    "chromaticities", "Software", "compression", "oiio:subimages", "screenWindowCenter",
    "screenWindowWidth", "openexr:lineOrder", "oiio:ColorSpace",
})  # fmt: skip


def open_file(path: Path) -> Any:
    """The file, open. Raises SourceError."""
    oiio = openimageio()
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise SourceError(f"cannot decode: {' '.join(oiio.geterror().split())}")
    if file.format_name() != "openexr":
        file.close()
        raise SourceError("is no EXR file")
    return file


def header_of(spec: Any) -> Header:
    """An EXR file's header from OpenImageIO's. Raises SourceError for what is not read."""
    names = tuple(spec.channelnames)
    kind = str(spec.format)
    if int(spec.get_int_attribute("oiio:subimages", 1)) > 1:
        raise SourceError("has several parts; one is read")
    if names not in CHANNELS or spec.deep:
        raise SourceError(f"has the channels {', '.join(names)}; Y or R, G, B, and A are read")
    if kind not in ("half", "float") or any(str(one) != kind for one in spec.channelformats):
        raise SourceError(f"has {kind} samples; half and float, the same in all, are read")
    rate = spec.getattribute("framesPerSecond")
    packed = spec.getattribute("smpte:TimeCode")
    white = spec.getattribute("chromaticities")
    return Header(
        "EXR",
        (spec.height, spec.width),
        channels=3 if len(names) >= 3 else 1,
        bits=16 if kind == "half" else 32,
        is_float=True,
        alpha="A" in names,
        transfer="linear",
        rate=_rate(rate),
        timecode=timecode_of(int(packed[0])) if packed else "",
        orientation=_within(int(spec.get_int_attribute("Orientation", 1))),
        aspect=float(spec.get_float_attribute("PixelAspectRatio", 1.0)),
        chromaticities=tuple(map(float, white)) if white else None,
        creator=str(spec.get_string_attribute("Software", "")),
        marked=bool(spec.get_string_attribute(MADE_BY_NAME, "")),
        fields={one.name: str(one.value) for one in spec.extra_attribs if one.name not in _OWN},
    )


def _rate(value: Any) -> float | tuple[int, int] | None:
    if isinstance(value, tuple) and len(value) == 2 and value[0] > 0 and value[1] > 0:
        return int(value[0]), int(value[1])
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _within(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def read(path: Path) -> tuple[Header, Samples, Any]:
    """Header, samples (H, W, C), float16 or float32, alpha last, and OpenImageIO's description."""
    file = open_file(path)
    try:
        spec = file.spec()
        header = header_of(spec)
        samples = file.read_image(str(spec.format))
        if samples is None:
            raise SourceError(f"cannot decode: {' '.join(file.geterror().split())}")
    finally:
        file.close()
    dtype = np.float16 if header.bits == 16 else np.float32
    return header, np.asarray(samples, dtype).reshape(*header.size, -1), spec


def write(file: IO[bytes], source: Any, samples: Samples, mark: str) -> tuple[str, ...]:
    """R, G, B (and A) samples (H, W, 3 or 4) of the source's type with the source's attributes,
    windows, tiles and compression. Lossy compression becomes ZIP: luminance would not be kept.
    Returns what was changed, in words. Raises TargetError."""
    oiio = openimageio()
    spec = oiio.ImageSpec(source)
    spec.nchannels = samples.shape[2]
    spec.channelnames = ("R", "G", "B", "A")[: spec.nchannels]
    spec.alpha_channel = 3 if spec.nchannels == 4 else -1
    notes = []
    compression = str(spec.get_string_attribute("compression", "zip"))
    if compression.split(":")[0] not in KEEPING_COMPRESSIONS:
        notes.append(f"{compression} compression loses luminance: the result has zip")
        spec.attribute("compression", "zip")
    spec.attribute(MADE_BY_NAME, mark)
    spec.attribute(SOURCE_TYPE_NAME, DIGITAL_SOURCE_TYPE)
    output = oiio.ImageOutput.create("openexr")
    done = output.open(str(file.name), spec) and output.write_image(np.ascontiguousarray(samples))
    reason = output.geterror()
    if not (output.close() and done):
        raise TargetError(f"cannot encode: {' '.join((reason or output.geterror()).split())}")
    return tuple(notes)
