"""What other programs see of a picture file, and TIFF files of any tags."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Tags = Mapping[int, tuple[int, Sequence[int]]]


@pytest.fixture
def seen_by_vips(tmp_path: Path) -> Callable[[Path], Any]:
    """A path to the samples (H, W[, C]) that libvips sees in it, uint8; of TIFF through libtiff."""
    if shutil.which("vips") is None:
        pytest.skip("needs vips (Debian: libvips-tools)")

    def seen(path: Path) -> Any:
        copy = tmp_path / "seen.png"
        subprocess.run(["vips", "copy", path, copy], check=True, capture_output=True, timeout=60)
        with Image.open(copy) as image:
            return np.array(image)

    return seen


@pytest.fixture
def seen_by_libtiff(tmp_path: Path) -> Callable[[Path], Any]:
    """A path to what libtiff shows of a TIFF file, RGB (H, W, 3), uint8."""
    if shutil.which("tiff2rgba") is None:
        pytest.skip("needs tiff2rgba (Debian: libtiff-tools)")

    def seen(path: Path) -> Any:
        copy = tmp_path / "seen.tif"
        command = ["tiff2rgba", "-c", "none", path, copy]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        with Image.open(copy) as image:
            return np.array(image.convert("RGB"))

    return seen


@pytest.fixture
def seen_by_magick() -> Callable[[Path], Any]:
    """A path to the samples (H, W, 4) that ImageMagick sees in it, RGBA, uint8."""
    program = next(filter(shutil.which, ("convert-im6.q16", "magick")), None)
    if program is None:
        pytest.skip("needs ImageMagick (Debian: imagemagick)")

    def seen(path: Path) -> Any:
        with Image.open(path) as image:
            width, height = image.size
        command = [program, path, "-colorspace", "sRGB", "-depth", "8", "rgba:-"]
        made = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return np.frombuffer(made.stdout, np.uint8).reshape(height, width, 4)

    return seen


@pytest.fixture
def tiff_of_tags(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a classic TIFF of one page, of exactly these tags (TIFF 6.0, section
    2) and the offset of its data, 273, where they do not have it.

    tags: number to type (3 SHORT, 4 LONG) and values. strips: the data, one after the other.
    below: tags and strips of a page in its SubIFDs.
    """

    def make(
        name: str,
        tags: Tags,
        strips: Sequence[bytes],
        below: tuple[Tags, Sequence[bytes]] | None = None,
    ) -> Path:
        data = bytearray(b"II*\0\0\0\0\0")
        inner = {} if below is None else {330: (4, [_directory(data, *below)])}
        struct.pack_into("<I", data, 4, _directory(data, {**tags, **inner}, strips))
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return make


def _directory(data: bytearray, tags: Tags, strips: Sequence[bytes]) -> int:
    """Add strips and a directory to a file: where it begins."""
    offsets = []
    for strip in strips:
        offsets.append(len(data))
        data += strip
    entries = b""
    for number, (kind, values) in sorted({273: (4, offsets), **tags}.items()):
        raw = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(raw) > 4:
            data += b"\0" * (len(data) % 2)
            offset = len(data)
            data += raw
            raw = struct.pack("<I", offset)
        entries += struct.pack("<HHI4s", number, kind, len(values), raw)
    data += b"\0" * (len(data) % 2)
    begin = len(data)
    data += struct.pack("<H", len(entries) // 12) + entries + b"\0\0\0\0"
    return begin
