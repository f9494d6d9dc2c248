"""Pixels of DPX files: OpenImageIO's, but for 10 bits in filled words, which are taken apart here.

OpenImageIO 3.2.2 misreads the last words of rows of 10-bit luma and RGBA whose number of samples is
no multiple of 3 (a scan of 2048 columns), and fits no scanner that fills words over rows. What is
written is RGB or RGBA in OpenImageIO's packing, the source's header before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from colorbatch.errors import SourceError, TargetError
from colorbatch.scans import dpx
from colorbatch.scans.library import openimageio

Codes = npt.NDArray[Any]


def read(path: Path, layout: dpx.Layout) -> Codes:
    """A DPX file's samples (H, W, C) in its own codes, alpha last. Raises SourceError."""
    layout.check_whole()
    if layout.bits == 10 and layout.packing and not layout.encoding:
        return _filled10(path, layout)
    oiio = openimageio()
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise SourceError(f"cannot decode: {oiio.geterror()}")
    try:
        if file.format_name() != "dpx":
            raise SourceError("is no DPX file")
        samples = file.read_image("uint8" if layout.bits == 8 else "uint16")
        if samples is None:
            raise SourceError(f"cannot decode: {file.geterror()}")
    finally:
        file.close()
    samples = samples.reshape(*layout.size, layout.channels)
    # at 10 and 12 bits it repeats the upper bits below: what is cut off is no code's own
    return np.asarray(samples >> (16 - layout.bits) if layout.bits in (10, 12) else samples)


def _filled10(path: Path, layout: dpx.Layout) -> Codes:
    """Three samples in a word of 32 bits, two bits unused below (method A) or above (method B).
    The first sample is the highest, of luma the lowest (ST 268-1, annex C)."""
    height, width = layout.size
    samples = width * layout.channels
    with path.open("rb") as file:
        file.seek(len(layout.head))
        data = np.frombuffer(file.read(layout.payload), np.uint8)
    if layout.unpadded:
        rows = data[: -(-height * samples // 3) * 4].reshape(1, -1)
        samples *= height
    else:
        step = layout.row_bytes + layout.line_padding
        data = np.pad(data, (0, max(0, step * height - len(data))))[: step * height]
        rows = np.ascontiguousarray(data.reshape(height, step)[:, : layout.row_bytes])
    words = rows.view(f"{layout.order}u4")
    low = 2 if layout.packing == 1 else 0
    shifts = (low, low + 10, low + 20)
    codes = np.empty((*words.shape, 3), np.uint16)
    for index, shift in enumerate(shifts if layout.channels == 1 else shifts[::-1]):
        codes[..., index] = words >> shift & 0x3FF
    codes = codes.reshape(len(words), -1)[:, :samples].reshape(height, width, layout.channels)
    return codes[..., ::-1] if layout.descriptor == dpx.ABGR else codes


def write(file: IO[bytes], layout: dpx.Layout, samples: Codes) -> None:
    """RGB or RGBA samples (H, W, 3 or 4), in the source's codes, with the source's header, to an
    empty file that has a name and is open for reading and writing. Raises TargetError."""
    oiio = openimageio()
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, "uint8" if layout.bits == 8 else "uint16")
    spec.attribute("oiio:BitsPerSample", layout.bits)
    spec.attribute("dpx:Packing", layout.method)
    spec.attribute("oiio:Endian", "big" if layout.order == ">" else "little")
    output = oiio.ImageOutput.create("dpx")
    if layout.bits in (10, 12):
        wide = samples.astype(np.uint32) << (16 - layout.bits)
        samples = (wide | wide >> layout.bits).astype(np.uint16)
    done = output.open(str(file.name), spec) and output.write_image(samples)
    reason = output.geterror()
    if not (output.close() and done):
        raise TargetError(f"cannot encode: {reason or output.geterror()}")
    file.seek(0)
    made = file.read(dpx.WHOLE_BYTES)
    offset, packing = (
        int.from_bytes(made[start:stop], "big" if layout.order == ">" else "little")
        for start, stop in ((4, 8), (dpx.PACKING, dpx.PACKING + 2))
    )
    file.seek(offset)
    pixels = file.read()
    method = ("Packed", "Filled, method A", "Filled, method B")[packing]
    head = dpx.carried(layout, channels, method, len(pixels))
    file.seek(0)
    file.write(head)
    file.write(pixels)
    file.truncate()
