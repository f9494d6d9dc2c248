"""PNG, the way out; of 16 bits: rows in, a file out, strip by strip.

The libraries that write PNG want the whole picture and return the whole file: four times the
picture's bytes. PNG itself is a list of chunks around one zlib stream, and is written as that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import IO

import numpy as np

from colorbatch.color import Codes, strips

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels -> color type (ISO/IEC 15948:2004, section 11.2.2)."""
SUB = 1
"""The filter that stores differences from the sample before (section 9.2)."""
LEVEL = 4


def write(
    file: IO[bytes],
    rows: Callable[[int, int], Codes],
    size: tuple[int, int],
    channels: int,
    chunks: Iterable[tuple[bytes, bytes]],
    behind: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Write a picture of `size` = (H, W) to a file, at its position.

    rows: (start, stop) to codes (stop - start, W, channels), uint16: 1 grey, 3 RGB, 2 and 4 with
    alpha. chunks, behind: (name, content) of what stands ahead of the pixels and behind them.
    """
    height, width = size
    header = struct.pack(">IIBBBBB", width, height, 16, COLOR_TYPES[channels], 0, 0, 0)
    file.write(SIGNATURE + chunk(b"IHDR", header))
    for name, content in chunks:
        file.write(chunk(name, content))
    packer = zlib.compressobj(LEVEL)
    for start, stop in strips(height, width):
        if packed := packer.compress(_filtered(rows(start, stop))):
            file.write(chunk(b"IDAT", packed))
    file.write(chunk(b"IDAT", packer.flush()))
    for name, content in behind:
        file.write(chunk(name, content))
    file.write(chunk(b"IEND", b""))


def write_with(
    file: IO[bytes],
    made: memoryview,
    chunks: Iterable[tuple[bytes, bytes]],
    behind: Iterable[tuple[bytes, bytes]],
) -> None:
    """Write a finished file of a library's with more chunks, ahead of the pixels and behind them.

    IHDR, of 25 bytes, always is the first chunk, and IEND, of 12, the last (section 5.6).
    """
    first = len(SIGNATURE) + 25
    file.write(made[:first])
    for name, content in chunks:
        file.write(chunk(name, content))
    file.write(made[first:-12])
    for name, content in behind:
        file.write(chunk(name, content))
    file.write(made[-12:])


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file (section 5.3)."""
    checksum = struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
    return b"".join((struct.pack(">I", len(content)), name, content, checksum))


def _filtered(codes: Codes) -> bytes:
    """Rows (h, W, C), uint16, each behind its filter's number."""
    height, width, channels = codes.shape
    stored = codes.astype(">u2").view(np.uint8).reshape(height, width * channels * 2)
    filtered = np.empty((height, 1 + stored.shape[1]), np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1:] = stored
    filtered[:, 1 + 2 * channels :] -= stored[:, : -2 * channels]
    return filtered.tobytes()
