"""Whole files of known formats that are not read: what they are, by their headers.

Libraries call them broken, and an archive would scan them again.
"""

from __future__ import annotations

import struct
from typing import IO

from colorbatch.formats import jpeg2000
from colorbatch.formats.boxes import CODESTREAM

PROCESSES = {
    0xC3: "lossless JPEG", 0xC5: "hierarchical JPEG", 0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG", 0xC9: "JPEG in arithmetic coding",
    0xCA: "JPEG in arithmetic coding", 0xCB: "lossless JPEG in arithmetic coding",
    0xCD: "hierarchical JPEG", 0xCE: "hierarchical JPEG", 0xCF: "hierarchical JPEG",
    0xF7: "JPEG-LS",
}  # fmt: skip
"""Markers that begin a frame, but those of the usual processes (ITU-T T.81, table B.1; of JPEG-LS
ITU-T T.87, section C.1.1)."""
USUAL = frozenset({0xC0, 0xC1, 0xC2})
BMP_COMPRESSIONS = {0: "none", 1: "RLE8", 2: "RLE4", 3: "bit fields", 4: "JPEG", 5: "PNG"}
"""Of BITMAPINFOHEADER, biCompression."""


def reason(file: IO[bytes]) -> str:
    """Why a file is not read, "" where its header does not tell: it is broken then."""
    file.seek(0)
    start = file.read(64)
    if start.startswith(b"\xff\xd8\xff"):
        return _of_jpeg(file)
    if start.startswith(b"\x89PNG\r\n\x1a\n") and start[12:16] == b"CgBI":
        return "PNG in the form of iOS programs (CgBI) is not supported"
    if start.startswith(b"RIFF") and len(start) >= 12 and start[8:12] != b"WEBP":
        return "it is RIFF, but not WebP"
    if start.startswith(b"BM") and len(start) >= 34:
        [bits] = struct.unpack_from("<H", start, 28)
        [packing] = struct.unpack_from("<I", start, 30)
        how = BMP_COMPRESSIONS.get(packing, str(packing))
        known = packing in BMP_COMPRESSIONS and bits in (1, 2, 4, 8, 16, 24, 32, 0)
        return f"BMP of {bits} bits, compression {how}, is not supported" if known else ""
    if start.startswith((b"\0\0\0\x0cjP  ", CODESTREAM)):
        file.seek(0)
        count = len(jpeg2000.depths_of(file.read()))
        return f"JPEG 2000 of {count} components is not supported" if count > 4 else ""
    return ""


def _of_jpeg(file: IO[bytes]) -> str:
    """By the header of its frame: a marker, a length, bits, lines, columns, components."""
    file.seek(2)
    while (marker := _next_marker(file)) not in (None, 0xD9, 0xDA):
        raw = file.read(2)
        if len(raw) < 2:
            return ""
        content = file.read(max(0, int.from_bytes(raw, "big") - 2))
        if marker in PROCESSES:
            return f"{PROCESSES[marker]} is not supported"
        if marker in USUAL and len(content) >= 6:
            if content[0] != 8:
                return f"JPEG of {content[0]} bits is not supported"
            many = content[5] not in (1, 3, 4)
            return f"JPEG of {content[5]} components is not supported" if many else ""
    return ""


def _next_marker(file: IO[bytes]) -> int | None:
    while byte := file.read(1):
        if byte == b"\xff":
            while (byte := file.read(1)) == b"\xff":
                pass
            return byte[0] if byte else None
    return None
