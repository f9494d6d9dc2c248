"""Whole files that are not read are named for what they are, and values have their full range."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorbatch.errors import SourceError
from colorbatch.formats import reader
from colorbatch.formats.png import SIGNATURE, chunk


@pytest.fixture
def rgb(photograph):
    """A photograph (60, 90, 3), uint8."""
    return np.ascontiguousarray(photograph("coffee")[100:160, 100:190])


def jpeg(rgb: Any, **options: Any) -> bytes:
    """A JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def files(rgb: Any) -> dict[str, tuple[bytes, str]]:
    """Files, and what is to be said of each."""
    deep = rgb[..., 0].astype(np.uint16) * 16
    plain = jpeg(rgb)
    frame = plain.index(b"\xff\xc0")
    two = bytearray(plain)
    two[frame + 9] = 2
    bmp = bytearray(b"BM" + bytes(64))
    struct.pack_into("<IIIIiiHHI", bmp, 2, 66, 0, 54, 40, 4, 4, 1, 24, 4)
    return {
        "12.jpg": (imagecodecs.jpeg_encode(deep, bitspersample=12), "JPEG of 12 bits"),
        "ls.jpg": (imagecodecs.jpegls_encode(rgb[..., 0].copy()), "JPEG-LS"),
        "two.jpg": (bytes(two), "JPEG of 2 components"),
        "iphone.png": (SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x02"), "CgBI"),
        "sound.webp": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(24), "not WebP"),
        "jpeg.bmp": (bytes(bmp), "BMP of 24 bits, compression JPEG"),
    }


@pytest.mark.parametrize("name", ["12.jpg", "ls.jpg", "two.jpg", "iphone.png",
                                  "sound.webp", "jpeg.bmp"])  # fmt: skip
def test_what_is_whole_is_not_called_broken(rgb: Any, tmp_path: Path, name: str) -> None:
    """By the frame's marker (ITU-T T.81, table B.1), chunk or header."""
    data, reason = files(rgb)[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError) as caught:
        reader.read(tmp_path / name)
    assert reason in str(caught.value)
    assert "broken" not in str(caught.value)


def test_jpeg_of_rgb_without_a_marker(rgb: Any, tmp_path: Path) -> None:
    """Components named R, G and B are so, as libjpeg takes them: what it shows is what we read."""
    data = jpeg(rgb, keep_rgb=True)
    adobe = data.index(b"\xff\xee")
    length = int.from_bytes(data[adobe + 2 : adobe + 4], "big")
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:adobe] + data[adobe + 2 + length :])
    with Image.open(path) as image:
        seen = np.array(image)
    assert np.array_equal(reader.read(path).own_rgb(), seen)
    assert np.abs(seen.astype(int) - rgb).mean() < 3


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_png_keeps_its_transparent_grey(
    rgb: Any, tmp_path: Path, seen_by_magick: Any, bits: int
) -> None:
    """tRNS is a sample of the picture's own depth (ISO/IEC 15948:2004, section 11.3.2.1)."""
    grey = rgb[:, :88, 0] >> (8 - bits)
    key = int(np.bincount(grey.ravel()).argmax())
    each = 8 // bits
    rows = np.zeros((len(grey), 1 + grey.shape[1] // each), np.uint8)
    for place in range(each):
        rows[:, 1:] |= grey[:, place::each] << (8 - bits * (place + 1))
    path = tmp_path / "a.png"
    header = struct.pack(">IIBBBBB", grey.shape[1], len(grey), bits, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", struct.pack(">H", key))]
    parts += [(b"IDAT", imagecodecs.zlib_encode(rows.tobytes())), (b"IEND", b"")]
    path.write_bytes(SIGNATURE + b"".join(chunk(*part) for part in parts))
    still = reader.read(path)
    seen = seen_by_magick(path)
    assert 0 < (seen[..., 3] == 0).mean() < 1
    assert still.alpha is not None and np.array_equal(still.alpha, seen[..., 3])
    opaque = seen[..., 3] > 0
    assert np.array_equal(still.luma[opaque], seen[..., 0][opaque])


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_jpeg2000_of_few_bits_has_black_and_white(rgb: Any, tmp_path: Path, bits: int) -> None:
    """Its samples are whole numbers of that many bits (ISO/IEC 15444-1:2019, section A.5.1)."""
    codes = rgb[..., 0] >> (8 - bits)
    codes[0, :2] = 0, 2**bits - 1
    path = tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(codes, level=0, reversible=True, bitspersample=bits))
    still = reader.read(path)
    assert np.array_equal(still.luma, np.rint(codes * (255 / (2**bits - 1))).astype(np.uint8))
    assert any(f"{bits}-bit picture" in note for note in still.notes)
