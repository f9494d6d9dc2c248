"""What PNG files hold beside the picture: every chunk, wherever it stands.

Decoders are shown the chunks of the picture alone, so that no text or profile, however long or
broken, keeps a picture from being read. ISO/IEC 15948:2004; PNG 3 (W3C, 2025) for cICP and eXIf.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import IO, NamedTuple

from colorbatch.errors import SourceError
from colorbatch.formats.found import Block, Found
from colorbatch.formats.metadata import EXIF_START

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
DISPLAY = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"})
"""What says how the codes are to be shown; results keep it, as they keep the codes."""
USUAL = {
    b"gAMA": [struct.pack(">I", 45455)],
    b"cHRM": [struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)],
    b"sRGB": [bytes([intent]) for intent in range(4)],
}
"""What says sRGB (section 11.3.3.5), as a file of another format does that says nothing."""
TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
XMP_KEY = b"XML:com.adobe.xmp"
RAW = b"Raw profile type "
"""How ImageMagick names texts that hold a block in hexadecimal digits."""
XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
LARGEST_BLOCK = 1 << 26
"""Of an unpacked block (XMP, EXIF, profile): a packed one of a few bytes may unpack to any size."""
READ_BYTES = 1 << 20


class PngChunk(NamedTuple):
    """A chunk: its name, where its content begins, how long that is, whether its checksum is."""

    name: bytes
    start: int
    length: int
    sound: bool = True


def opened(file: IO[bytes], *, checked: bool = True) -> tuple[IO[bytes], list[PngChunk]]:
    """The picture's own chunks as a file for decoders, and all chunks. checked: whether checksums
    are compared, which decoders do not; it takes reading the whole file. Raises SourceError."""
    chunks = chunks_of(file, checked=checked)
    animated = any(chunk.name == b"acTL" and _frames(file, chunk) > 1 for chunk in chunks)
    names = CRITICAL | {b"tRNS"} | (ANIMATION if animated else frozenset())
    places = [(0, len(SIGNATURE))]
    places += [(chunk.start - 8, chunk.length + 12) for chunk in chunks if chunk.name in names]
    return io.BufferedReader(_Parts(file, places)), chunks


def chunks_of(file: IO[bytes], *, checked: bool = True) -> list[PngChunk]:
    """Every chunk of a file, in order (section 5.3). Raises SourceError where it is cut off, and
    for a chunk of the picture whose checksum differs."""
    end = file.seek(0, 2)
    place = len(SIGNATURE)
    found: list[PngChunk] = []
    while not found or found[-1].name != b"IEND":
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or place + 12 + length > end:
            raise SourceError("the file is truncated or broken")
        name = head[4:]
        sound = not checked or _checksum(file, name, length) == int.from_bytes(file.read(4), "big")
        if not sound and (name in CRITICAL or name == b"tRNS" or not name.isalpha()):
            raise SourceError("the file is truncated or broken: a checksum differs")
        found.append(PngChunk(name, place + 8, length, sound))
        place += 12 + length
    return found


def _checksum(file: IO[bytes], name: bytes, length: int) -> int:
    crc = zlib.crc32(name)
    while length > 0 and (part := file.read(min(length, READ_BYTES))):
        crc = zlib.crc32(part, crc)
        length -= len(part)
    return crc


def _frames(file: IO[bytes], chunk: PngChunk) -> int:
    return int.from_bytes(_content(file, chunk)[:4], "big")


def _content(file: IO[bytes], chunk: PngChunk) -> bytes:
    file.seek(chunk.start)
    return file.read(chunk.length)


class _Parts(io.RawIOBase):
    """Parts of a file, (place, length), one behind the other, as a file to read."""

    def __init__(self, file: IO[bytes], places: Sequence[tuple[int, int]]) -> None:
        self._file, self._places = file, places
        self._size = sum(length for _, length in places)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self._size}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        begin = 0
        for place, length in self._places:
            if self._at < begin + length:
                inside = self._at - begin
                self._file.seek(place + inside)
                part = self._file.read(min(len(buffer), length - inside))
                buffer[: len(part)] = part
                self._at += len(part)
                return len(part)
            begin += length
        return 0


# --- metadata ----------------------------------------------------------------------------------


def found_in(file: IO[bytes], chunks: Sequence[PngChunk]) -> Found:
    """Everything but the picture. `encoding["chunks"]`: name, content and whether it stands behind
    the picture, of those that results have as they are."""
    found = Found()
    kept: list[tuple[bytes, bytes, bool]] = []
    behind = False
    for chunk in chunks:
        behind |= chunk.name == b"IDAT"
        kind = _take(found, file, chunk)
        if kind in ("text", "display", "chunk"):
            content = _content(file, chunk)
            kept.append((chunk.name, content, behind))
            kind = "pixels" if content in USUAL.get(chunk.name, ()) else kind
            found.blocks.append(Block("chunks", chunk.name.decode(), kind))
    _take_raw_profiles(found, file, chunks)
    found.encoding["chunks"] = tuple(kept)
    last = chunks[-1].start + chunks[-1].length + 4
    if size := file.seek(0, 2) - last:
        found.lose("data behind the picture", f"{size} bytes")
    return found


def _take(found: Found, file: IO[bytes], chunk: PngChunk) -> str:
    """What becomes of a chunk: "text", "display" or "chunk" of one that is kept as it is."""
    name = chunk.name
    shown = name.decode("latin-1")
    if not chunk.sound:
        found.lose("chunks", f"{shown} (its checksum differs)")
    elif name in CRITICAL or name == b"tRNS":
        found.blocks.append(Block("chunks", shown, "pixels"))
    elif name == b"iCCP":
        _take_iccp(found, _content(file, chunk))
    elif name == b"eXIf":
        found.take("exif", _content(file, chunk), "chunks", "eXIf")
    elif name == b"pHYs":
        return _take_density(found, _content(file, chunk))
    elif name in TEXTS:
        return _take_text(found, file, chunk)
    elif name in DISPLAY:
        return "display"
    elif name[3:].islower() and name not in ANIMATION:  # safe to copy, whoever changes the pixels
        return "chunk"  # (section 5.4)
    else:
        found.lose("chunks", shown)
    return ""


def _take_density(found: Found, content: bytes) -> str:
    """Pixels per meter, or only their ratio, which is kept as it is (section 11.3.5.3)."""
    if len(content) < 9:
        found.lose("chunks", "pHYs")
        return ""
    x, y, unit = struct.unpack_from(">IIB", content)
    if unit != 1:
        return "chunk"
    if min(x, y) > 0 and found.dpi is None:
        found.dpi = (x * 0.0254, y * 0.0254)
        found.blocks.append(Block("chunks", "pHYs", "dpi"))
    else:
        found.lose("chunks", "pHYs")
    return ""


def _take_iccp(found: Found, content: bytes) -> None:
    """A profile behind its name (section 11.3.3.3)."""
    profile = _unpacked(content.partition(b"\0")[2][1:])
    if not profile:
        found.notes.append("the color profile could not be unpacked and was dropped")
    elif found.take("icc", profile, "chunks", "iCCP"):
        found.encoding["iccp"] = content


def _take_text(found: Found, file: IO[bytes], chunk: PngChunk) -> str:
    """XMP out of its text; blocks in digits wait for `_take_raw_profiles`; others are kept."""
    file.seek(chunk.start)
    key = file.read(min(chunk.length, 80)).partition(b"\0")[0]
    if key == XMP_KEY:
        packet = text_of(chunk.name, _content(file, chunk))
        if packet:
            found.take("xmp", packet, "chunks", f"{chunk.name.decode()} (XMP)")
        else:
            found.lose("chunks", f"{chunk.name.decode()} (XMP that could not be unpacked)")
        return ""
    return "" if _raw_kind(key) in ("exif", "xmp", "app1", "icc", "icm") else "text"


def _raw_kind(key: bytes) -> str:
    return key[len(RAW) :].decode("latin-1").lower() if key.startswith(RAW) else ""


def text_of(name: bytes, content: bytes) -> bytes:
    """The text of a tEXt, zTXt or iTXt chunk as bytes; b"" for one that is broken or unpacks to
    more than `LARGEST_BLOCK`."""
    rest = content.partition(b"\0")[2]
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return _unpacked(rest[1:])
    packed, text = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _unpacked(text) if packed else text


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, LARGEST_BLOCK)
    except zlib.error:
        return b""
    return data if unpacker.eof else b""


def _take_raw_profiles(found: Found, file: IO[bytes], chunks: Sequence[PngChunk]) -> None:
    """Blocks in hexadecimal digits, as ImageMagick writes them, behind those in their own place."""
    for chunk in chunks:
        if chunk.name not in TEXTS or not chunk.sound:
            continue
        file.seek(chunk.start)
        key = file.read(min(chunk.length, 80)).partition(b"\0")[0]
        kind = _raw_kind(key)
        if kind not in ("exif", "xmp", "app1", "icc", "icm", "iptc", "8bim"):
            continue
        block = _from_digits(text_of(chunk.name, _content(file, chunk)))
        shown = f"{chunk.name.decode()} ({key.decode('latin-1')})"
        if not block:
            found.lose("chunks", f"{shown}, which could not be read")
        elif kind in ("iptc", "8bim"):  # beside its text, which stays, for what holds IPTC
            if block.startswith(b"8BIM"):
                found.take_photoshop(block)
            else:
                found.take_iptc(block)
        elif kind in ("icc", "icm"):
            found.take("icc", block, "chunks", shown)
        elif block.startswith(XMP_START) or kind == "xmp":
            found.take("xmp", block.removeprefix(XMP_START), "chunks", shown)
        elif block.startswith(EXIF_START) or kind == "exif":
            found.take("exif", block, "chunks", shown)
        else:
            found.lose("chunks", shown)


def _from_digits(text: bytes) -> bytes:
    """A block from its name, its length and its digits, each on lines of their own."""
    try:
        return bytes.fromhex("".join(part.decode("ascii") for part in text.split()[2:]))
    except ValueError:
        return b""
