"""Pixels of DPX files (SMPTE ST 268-1, table 3 and annex C): words of 32 bits to codes and back.

What most scans are (8, 12 and 16 bits in bytes, 10 bits in filled words) is taken apart here, and
results are packed here, because OpenImageIO 3.2.2 misreads the ends of rows of 10-bit luma and RGBA
whose samples are no multiple of 3 (a scan of 2048 columns), and neither reads nor writes rows of
bytes that are filled up to 32 bits, as the standard has them and libav writes them. It does read
streams of bits (packing 0 at 10 and 12 bits) and run lengths, and is asked for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from colorbatch.errors import SourceError
from colorbatch.scans import dpx
from colorbatch.scans.library import openimageio

Codes = npt.NDArray[Any]


def read(path: Path, layout: dpx.Layout) -> Codes:
    """A DPX file's samples (H, W, C) in its own codes, R, G, B, A. Raises SourceError."""
    layout.check_whole()
    if layout.encoding or (layout.bits in (10, 12) and not layout.packing):
        return _by_library(path, layout)
    samples = layout.size[1] * layout.channels
    rows = _rows(path, layout)
    if layout.bits == 10:
        codes = _filled10(rows, layout)
    elif layout.bits == 8:
        codes = rows[:, :samples]
    else:
        wide = np.ascontiguousarray(rows[:, : 2 * samples]).view(f"{layout.order}u2")
        codes = wide >> (4 if layout.bits == 12 and layout.packing == 1 else 0)
        codes = codes.astype(np.uint16)
    codes = codes.reshape(*layout.size, layout.channels)
    return codes[..., ::-1] if layout.descriptor == dpx.ABGR else codes


def _rows(path: Path, layout: dpx.Layout) -> npt.NDArray[np.uint8]:
    """The bytes of each row (H, N); of words that run on over rows (1, N)."""
    with path.open("rb") as file:
        file.seek(len(layout.head))
        data = np.frombuffer(file.read(layout.payload), np.uint8)
    height, width = layout.size
    if layout.unpadded:
        return data[: -(-height * width * layout.channels // 3) * 4].reshape(1, -1)
    step = layout.row_bytes + layout.line_padding
    if len(data) < step * height:  # nothing pads the last row
        data = np.pad(data, (0, step * height - len(data)))
    return data[: step * height].reshape(height, step)[:, : layout.row_bytes]


def _filled10(rows: npt.NDArray[np.uint8], layout: dpx.Layout) -> Codes:
    """Three samples in a word, two bits unused below (method A) or above (method B). The first
    sample is the highest, of luma the lowest."""
    words = np.ascontiguousarray(rows).view(f"{layout.order}u4")
    low = 2 if layout.packing == 1 else 0
    shifts = (low, low + 10, low + 20)
    codes = np.empty((*words.shape, 3), np.uint16)
    for index, shift in enumerate(shifts if layout.channels == 1 else shifts[::-1]):
        codes[..., index] = words >> shift & 0x3FF
    samples = layout.size[0] * layout.size[1] * layout.channels // len(words)
    return codes.reshape(len(words), -1)[:, :samples]


def _by_library(path: Path, layout: dpx.Layout) -> Codes:
    oiio = openimageio()
    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise SourceError(f"cannot decode: {' '.join(oiio.geterror().split())}")
    try:
        samples = file.read_image("uint8" if layout.bits == 8 else "uint16")
        if file.format_name() != "dpx" or samples is None:
            raise SourceError(f"cannot decode: {' '.join(file.geterror().split())}")
    finally:
        file.close()
    samples = samples.reshape(*layout.size, layout.channels)
    # at 10 and 12 bits it repeats the upper bits below: what is cut off is no code's own
    return np.asarray(samples >> (16 - layout.bits) if layout.bits in (10, 12) else samples)


def write(file: IO[bytes], layout: dpx.Layout, samples: Codes) -> None:
    """RGB or RGBA samples (H, W, 3 or 4), in the source's codes, behind the source's header."""
    pixels = _packed(samples.reshape(len(samples), -1), layout)
    file.write(dpx.carried(layout, samples.shape[2], pixels.nbytes))
    file.write(np.ascontiguousarray(pixels).data)


def _packed(rows: Codes, layout: dpx.Layout) -> Codes:
    """Rows of samples (H, N) as rows of whole words of 32 bits in the file's byte order."""
    packing = layout.result_packing
    if layout.bits == 10:
        words = _padded(rows, 3).astype(np.uint32).reshape(len(rows), -1, 3)
        low = 2 if packing == 1 else 0
        packed = words[..., 0] << (20 + low) | words[..., 1] << (10 + low) | words[..., 2] << low
        return packed.astype(f"{layout.order}u4")
    if layout.bits == 12 and not packing:
        return _stream12(rows).astype(f"{layout.order}u4")
    if layout.bits == 8:
        return _padded(rows, 4)
    shift = 4 if layout.bits == 12 and packing == 1 else 0
    return (_padded(rows, 2) << shift).astype(f"{layout.order}u2")


def _stream12(rows: Codes) -> Codes:
    """Eight samples of 12 bits in three words, the first sample lowest, bits behind bits."""
    s = np.moveaxis(_padded(rows, 8).astype(np.uint32).reshape(len(rows), -1, 8), -1, 0)
    words = np.stack(
        [
            s[0] | s[1] << 12 | s[2] << 24,
            s[2] >> 8 | s[3] << 4 | s[4] << 16 | s[5] << 28,
            s[5] >> 4 | s[6] << 8 | s[7] << 20,
        ],
        axis=-1,
    )
    return words.reshape(len(rows), -1)[:, : -(-rows.shape[1] * 12 // 32)]


def _padded(rows: Codes, multiple: int) -> Codes:
    """Rows (H, N) with zeros up to a multiple of samples."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % multiple)))
