"""Files written by hand, tag by tag and block by block, as no library would write them."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorbatch.formats import reader, writer

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
GREY = (np.arange(24 * 16) % 200).astype(np.uint8).reshape(16, 24)
AB = np.zeros((8, 8, 2), np.float32)
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
CODES = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d", 13: "L", 16: "Q"}
Tag = tuple[int, int, bytes]
"""Number, type, values."""


def value(kind: int, number: int, order: str = "<") -> bytes:
    """A number in a type of TIFF 6.0, section 2; text and undefined bytes too."""
    if kind in (2, 7):
        return str(number).encode() + b"\0" if kind == 2 else bytes([number])
    if kind in (5, 10):
        return struct.pack(order + ("LL" if kind == 5 else "ll"), number, 1)
    return struct.pack(order + CODES[kind], number)


def directory(tags: Sequence[Tag], at: int, order: str = "<") -> bytes:
    """A directory that stands at `at`; tags are not sorted."""
    table, values = struct.pack(order + "H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, kind, data in tags:
        table += struct.pack(order + "HHL", tag, kind, len(data) // SIZES.get(kind, 1))
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack(order + "L", behind + len(values))
            values += data + b"\0" * (len(data) % 2)
    return table + bytes(4) + values


def exif(tags: Sequence[Tag], order: str = "<") -> bytes:
    """An EXIF block with its name."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + start + struct.pack(order + "L", 8) + directory(tags, 8, order)


def tiff(tags: Sequence[Tag], order: str = "<", grey: np.ndarray[Any, Any] = GREY) -> bytes:
    """A grey page of 8 bits, its samples ahead of its tags; those given stand for the usual."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    samples = grey.tobytes()
    numbers = {256: grey.shape[1], 257: grey.shape[0], 258: 8, 259: 1, 262: 1, 273: 8, 277: 1}
    numbers |= {278: grey.shape[0], 279: len(samples)}
    given = {tag for tag, _, _ in tags}
    usual = [(tag, 4, value(4, number, order)) for tag, number in numbers.items()]
    entries = sorted(
        [*(one for one in usual if one[0] not in given), *tags], key=lambda one: one[0]
    )
    at = 8 + len(samples)
    return start + struct.pack(order + "L", at) + samples + directory(entries, at, order)


def segment(marker: int, content: bytes) -> bytes:
    """A marker segment of JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(*segments: bytes, behind: bytes = b"") -> bytes:
    """A grey JPEG with segments behind its first marker."""
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    return data[:2] + b"".join(segments) + data[2:] + behind


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of PNG."""
    return (
        struct.pack(">L", len(content))
        + name
        + content
        + struct.pack(">L", zlib.crc32(name + content))
    )


def png(*ahead: bytes, behind: Sequence[bytes] = (), deep: bool = False) -> bytes:
    """A grey PNG of 8 or 16 bits with chunks ahead of its pixels and behind them."""
    buffer = io.BytesIO()
    Image.fromarray(GREY.astype(np.uint16) * 257 if deep else GREY).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(ahead) + data[33:-12] + b"".join(behind) + data[-12:]


def webp(*chunks: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    """A lossless WebP with more chunks in its file (RFC 9649, section 2.3)."""
    buffer = io.BytesIO()
    Image.fromarray(GREY).convert("RGB").save(
        buffer, "WEBP", lossless=True, xmp=b"<rdf:RDF></rdf:RDF>"
    )
    data = buffer.getvalue()
    for name, content in chunks:
        data += name + struct.pack("<L", len(content)) + content + b"\0" * (len(content) % 2)
    return data[:4] + struct.pack("<L", len(data) - 8) + data[8:] + behind


def colored(path: Path, data: bytes, format_: Any = None, **style: Any) -> tuple[bytes, str]:
    """A file as it is written, colored; with all notes as one text."""
    path.write_bytes(data)
    still = reader.read(path)
    buffer = io.BytesIO()
    style_of = writer.StillStyle("test", **style)
    notes = writer.write(buffer, [(still, AB)], format_ or still.format, style_of)
    return buffer.getvalue(), "; ".join(notes)


def by_exiftool(path: Path, data: bytes, *options: str) -> dict[str, Any]:
    """What exiftool says of a file, tag by tag, with numbers as they are."""
    assert EXIFTOOL
    path.write_bytes(data)
    said = subprocess.run(
        [EXIFTOOL, "-j", "-n", "-G1", "-a", *options, str(path)],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    found: list[dict[str, Any]] = json.loads(said)
    return found[0]
