"""What BMP files hold beside the picture: a profile or a color space (BITMAPV4HEADER and
BITMAPV5HEADER of Windows), and the resolution."""

from __future__ import annotations

import struct
from typing import IO

from colorbatch.formats.found import Block, Found

CALIBRATED, EMBEDDED, LINKED = 0, 0x4D424544, 0x4C494E4B
"""LCS_CALIBRATED_RGB, PROFILE_EMBEDDED, PROFILE_LINKED; others name sRGB or Windows' own."""


def found_in(file: IO[bytes]) -> Found:
    """Everything but the picture."""
    found = Found()
    file.seek(0)
    head = file.read(14 + 124)
    if len(head) < 14 + 40:
        return found
    [size] = struct.unpack_from("<L", head, 14)
    if size >= 40:
        x, y = struct.unpack_from("<ii", head, 38)
        if min(x, y) > 0:
            found.dpi = (x * 0.0254, y * 0.0254)
            found.blocks.append(Block("fields", "resolution", "dpi"))
    if size >= 108 and len(head) >= 14 + 108:
        [space] = struct.unpack_from("<L", head, 14 + 56)
        if space in (EMBEDDED, LINKED):
            found.notes.append("the color profile of the BMP was not read: it was dropped")
        elif space == CALIBRATED and any(head[14 + 60 : 14 + 108]):
            found.lose("fields", "primaries and gamma")
    [whole] = struct.unpack_from("<L", head, 2)
    file.seek(0)
    length = file.seek(0, 2)
    if 54 < whole < length:
        file.seek(whole)
        if file.read().strip(b"\0"):
            found.lose("data behind the picture", f"{length - whole} bytes")
    return found
