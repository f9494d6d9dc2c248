"""DPX headers (SMPTE ST 268-1, "File Format for Digital Moving-Picture Exchange"): bytes to facts,
and a source's header around new pixels.

Bytes only; no pixels, no library. Many headers are shorter than the standard's 2048 bytes (libav
writes 1664 and lets pixels follow): what lies behind the beginning of the pixels is no header.
A result has its source's header byte by byte, user data and what is unknown included, but for the
fields that say how the new pixels are stored (`carried`).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorbatch.errors import SourceError
from colorbatch.scans.record import Header, timecode_of

ORDERS = {b"SDPX": ">", b"XPDS": "<"}
"""Magic number -> byte order."""
GENERIC_BYTES, WHOLE_BYTES, MOST_BYTES = 1664, 2048, 64 << 20
ELEMENT = 780
"""Where the (first) image element is described; offsets below count from the file's start."""
DESCRIPTOR, TRANSFER, COLORIMETRIC, BITS = 800, 801, 802, 803
PACKING, ENCODING, DATA_OFFSET, LINE_PADDING = 804, 806, 808, 812
DESCRIPTION, DESCRIPTION_BYTES = 820, 32
FILE_SIZE = 16
UNDEFINED = 0xFFFFFFFF

LUMA, RGB, RGBA, ABGR = 6, 50, 51, 52
CHANNELS = {LUMA: 1, RGB: 3, RGBA: 4, ABGR: 4}
ELEMENT_MARK = "color by machine: colorbatch"
"""Of the result's image element, in its description; at most 31 letters and a zero."""

TRANSFERS = {
    1: "printing density", 2: "linear", 3: "logarithmic", 4: "unspecified video", 5: "SMPTE 274M",
    6: "ITU-R 709-4", 7: "ITU-R 601-5 B/G", 8: "ITU-R 601-5 M", 9: "NTSC", 10: "PAL",
    11: "Z linear", 12: "Z homogeneous", 13: "ADX",
}  # fmt: skip
"""ST 268-1, table 5A (and 13 from ST 268-1:2014); 0 is user-defined, 255 undefined."""
# lines run right to left 1, follow each other bottom to top 2, are columns 4 (where 1 and 2 change
# places with 2 and 1); ST 268-1, table 2, to EXIF's number
_ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 6, 6: 8, 7: 7}


@dataclass(frozen=True)
class Layout:
    """How a DPX file's pixels lie. order: struct's sign of the byte order; head: the file's bytes
    before the pixels."""

    order: str
    head: bytes
    size: tuple[int, int]
    descriptor: int
    bits: int
    packing: int
    encoding: int
    line_padding: int
    payload: int
    """Bytes from the first pixel to the file's end."""

    @property
    def channels(self) -> int:
        """Samples per pixel, with alpha."""
        return CHANNELS[self.descriptor]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row without compression and padding at its end: words of 32 bits, but where
        `loose`."""
        samples = self.size[1] * self.channels
        if self.bits == 10 and self.packing:
            return -(-samples // 3) * 4
        if self.bits in (10, 12) and not self.packing:
            return -(-samples * self.bits // 32) * 4
        exact = samples * (1 if self.bits == 8 else 2)
        return exact if self._loose(exact) else -(-exact // 4) * 4

    def _loose(self, exact: int) -> bool:
        """Whether rows of whole bytes are not filled up to words of 32 bits, against the standard
        (table 3C): OpenImageIO writes them so, and only the file's length tells."""
        return exact % 4 > 0 and self.payload == exact * self.size[0] and not self.line_padding

    @property
    def unpadded(self) -> bool:
        """Whether 10 bits are packed without regard to rows: some scanners fill the last word of a
        row with the next row's samples, and nothing but names and the file's length tells."""
        if self.bits != 10 or not self.packing or self.encoding:
            return False
        samples = self.size[0] * self.size[1] * self.channels
        short = self.payload == -(-samples // 3) * 4 < self.row_bytes * self.size[0]
        scanity = self.head[1556:1563] == b"Scanity"
        return short or scanity or self.head[160:178] == b"Lasergraphics Inc."

    def check_whole(self) -> None:
        """Raises SourceError for a file that ends before its last pixel."""
        need = (self.row_bytes + self.line_padding) * self.size[0] - self.line_padding
        if self.unpadded:
            need = -(-self.size[0] * self.size[1] * self.channels // 3) * 4
        if not self.encoding and self.payload < need:
            raise SourceError(f"is cut off: {self.payload} of {need} bytes of pixels are there")

    @property
    def result_bytes(self) -> int:
        """Bytes of a result's file (`carried`): RGB or RGBA in rows of whole words."""
        samples = self.size[1] * (4 if self.channels == 4 else 3)
        row = -(-samples // 3) * 4 if self.bits == 10 else -(-samples // 4) * 4
        if self.bits > 10:
            stream = self.bits == 12 and not self.packing
            row = -(-samples * 12 // 32) * 4 if stream else -(-samples // 2) * 4
        return len(self.head) + row * self.size[0]

    @property
    def result_packing(self) -> int:
        """The packing of a result: the same, but method A for 10 bits in one stream of bits, which
        few programs read."""
        return 1 if self.bits == 10 and not self.packing else self.packing


def parse(path: Path) -> tuple[Header, Layout]:
    """A DPX file's header. `path` is opened as it is. Raises SourceError with the reason."""
    with path.open("rb") as file:
        start = file.read(WHOLE_BYTES)
        order = ORDERS.get(start[:4])
        if order is None:
            raise SourceError("is no DPX file")
        if len(start) < GENERIC_BYTES:
            raise SourceError("its header is cut off")
        offset = min(_u32(start, order, 4), _u32(start, order, DATA_OFFSET) or UNDEFINED)
        if not GENERIC_BYTES <= offset <= MOST_BYTES:
            raise SourceError(f"its header says that pixels begin at byte {offset}")
        head = start[:offset] + file.read(max(0, offset - len(start)))
        if len(head) < offset:
            raise SourceError("its header is cut off")
        payload = file.seek(0, 2) - offset
    layout = _layout(head, order, payload)
    return _header(head, layout), layout


def _layout(head: bytes, order: str, payload: int) -> Layout:
    elements, width, height = struct.unpack_from(f"{order}HII", head, 770)
    packing, encoding = struct.unpack_from(f"{order}HH", head, PACKING)
    padding = _u32(head, order, LINE_PADDING)
    layout = Layout(
        order, head, (height, width), head[DESCRIPTOR], head[BITS], packing, encoding,
        0 if padding == UNDEFINED else padding, payload,
    )  # fmt: skip
    if elements != 1:
        raise SourceError(f"has {elements} image elements; one with all channels is read")
    if layout.descriptor not in CHANNELS:
        raise SourceError(f"holds neither luma nor RGB (descriptor {layout.descriptor})")
    if layout.bits not in (8, 10, 12, 16):
        raise SourceError(f"has {layout.bits} bits per sample; 8, 10, 12 and 16 are read")
    if packing > 2 or encoding > 1:
        raise SourceError(f"has packing {packing} and encoding {encoding}, which are unknown")
    if _u32(head, order, ELEMENT) == 1:
        raise SourceError("has signed samples")
    if not width or not height:
        raise SourceError("has no pixels")
    return layout


def _header(head: bytes, layout: Layout) -> Header:
    order = layout.order
    transfer = TRANSFERS.get(head[TRANSFER], "") or TRANSFERS.get(head[COLORIMETRIC], "")
    fields = {
        "project": _text(head, 260, 200),
        "copyright": _text(head, 460, 200),
        "input device": _text(head, 1556, 32),
        "input device serial number": _text(head, 1588, 32),
        "film format": _text(head, 1680, 32),
        "frame id": _text(head, 1732, 32),
        "slate": _text(head, 1764, 100),
    }
    aspect = struct.unpack_from(f"{order}II", head, 1628)
    told = 0 < aspect[0] < UNDEFINED and 0 < aspect[1] < UNDEFINED
    packed = _u32(head, order, 1920)
    # ST 268-1, 5.6: the film's own rate first, then that of the television header
    rates = (_f32(head, order, 1724), _f32(head, order, 1940))
    frame = _u32(head, order, 1712)
    return Header(
        "DPX",
        layout.size,
        channels=1 if layout.channels == 1 else 3,
        bits=layout.bits,
        alpha=layout.channels == 4,
        transfer=transfer,
        levels=_levels(head, layout),
        rate=next((rate for rate in rates if math.isfinite(rate) and 1 <= rate <= 1000), None),
        timecode=timecode_of(packed) if packed else "",
        frame=None if frame == UNDEFINED else frame,
        orientation=_ORIENTATIONS.get(struct.unpack_from(f"{order}H", head, 768)[0], 1),
        aspect=aspect[0] / aspect[1] if told else 1.0,
        creator=_text(head, 160, 100),
        marked=_text(head, DESCRIPTION, DESCRIPTION_BYTES) == ELEMENT_MARK,
        fields={name: text for name, text in fields.items() if text},
    )


def carried(layout: Layout, channels: int, nbytes: int) -> bytes:
    """The source's header for a result: RGB or RGBA in `result_packing`, without compression or
    padding behind rows, `nbytes` of pixels. Everything else is the source's, byte by byte, but the
    description of the image element, which says what made it."""
    head = bytearray(layout.head)
    order = layout.order
    head[DESCRIPTOR] = RGBA if channels == 4 else RGB
    struct.pack_into(f"{order}HHIII", head, PACKING, layout.result_packing, 0, len(head), 0, 0)
    struct.pack_into(f"{order}I", head, 4, len(head))
    struct.pack_into(f"{order}I", head, FILE_SIZE, min(len(head) + nbytes, UNDEFINED))
    mark = ELEMENT_MARK.encode().ljust(DESCRIPTION_BYTES, b"\0")
    head[DESCRIPTION : DESCRIPTION + DESCRIPTION_BYTES] = mark
    return bytes(head)


CHANGED = (
    (4, 8), (FILE_SIZE, 20), (DESCRIPTOR, 801), (PACKING, DESCRIPTION + DESCRIPTION_BYTES)
)  # fmt: skip
"""The bytes that `carried` may change, first and behind the last."""


def _levels(head: bytes, layout: Layout) -> Literal["full", "limited"]:
    """Limited where the reference codes are 16 and 235, or both of them at a higher depth."""
    low, high = _u32(head, layout.order, ELEMENT + 4), _u32(head, layout.order, ELEMENT + 12)
    shift = layout.bits - 8
    return "limited" if (low, high) == (16 << shift, 235 << shift) else "full"


def _text(head: bytes, start: int, length: int) -> str:
    raw = head[start : start + length].split(b"\0", 1)[0]
    return "" if raw[:1] == b"\xff" else raw.decode("ascii", "replace").strip()


def _u32(head: bytes, order: str, at: int) -> int:
    """An unsigned number; undefined where the header is shorter."""
    if len(head) < at + 4:
        return UNDEFINED
    return int(struct.unpack_from(f"{order}I", head, at)[0])


def _f32(head: bytes, order: str, at: int) -> float:
    """A floating-point number; undefined, which is not a number, where the header is shorter."""
    if len(head) < at + 4:
        return math.nan
    return float(struct.unpack_from(f"{order}f", head, at)[0])
