"""A folder with hundreds of broken and odd files, made by code, goes through the tool as one batch.

Each maker writes real files and says by their names what they are for. Nothing random: the same
files every time.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

Grey = npt.NDArray[np.uint8]

WHOLE = "whole"
"""Prefix of the names of files that are well and must be colored."""
LOST = "lost"
"""Prefix of the names of files in which no picture is left: they must fail."""
ODD = "odd"
"""Prefix of the names of files that may be colored or may fail, with a reason."""


def encodings(grey: Grey) -> dict[str, bytes]:
    """One small photograph (H, W) as a healthy file of each kind, by suffix."""
    image = Image.fromarray(grey)
    rgb = image.convert("RGB")
    files: dict[str, bytes] = {}
    for name, picture, format_, options in (
        ("grey.jpg", image, "JPEG", {}),
        ("progressive.jpg", rgb, "JPEG", {"progressive": True}),
        ("grey.png", image, "PNG", {}),
        ("rgb.png", rgb, "PNG", {}),
        ("lossy.webp", rgb, "WEBP", {}),
        ("lossless.webp", rgb, "WEBP", {"lossless": True}),
        ("lzw.tif", image, "TIFF", {"compression": "tiff_lzw"}),
        ("raw.tif", image, "TIFF", {}),
        ("jpeg.tif", rgb, "TIFF", {"compression": "jpeg"}),
        ("palette.tif", image.convert("P"), "TIFF", {"compression": "packbits"}),
        ("cmyk.jpg", rgb.convert("CMYK"), "JPEG", {}),
        ("rgb.bmp", rgb, "BMP", {}),
        ("rgb.jp2", rgb, "JPEG2000", {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, format_, **options)
        files[name] = buffer.getvalue()
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, grey.astype(np.uint16) * 257, compression="deflate")
    files["16-bit.tif"] = buffer.getvalue()
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in (grey, np.float32(grey / 255), np.dstack([grey] * 3)):
            writer.write(page, compression="zstd", tile=(32, 32), metadata=None)
    files["pages.tif"] = buffer.getvalue()
    return files


def write_all(folder: Path, grey: Grey) -> None:
    """Everything below, each kind in a folder of its own."""
    healthy = encodings(grey)
    for maker in (truncated, flipped, renamed, filled, bombs, shapes, contradictions):
        place = folder / maker.__name__
        place.mkdir(parents=True)
        for name, data in maker(healthy):
            (place / name).write_bytes(data)
    odd_names(folder / "names", healthy["grey.jpg"])
    links(folder / "links", healthy["grey.jpg"])


def truncated(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Cut off at every tenth; without its first half nothing is left of a picture."""
    for name, data in healthy.items():
        for tenth in range(1, 10):
            yield f"{ODD}-{tenth}0-percent-{name}", data[: len(data) * tenth // 10]
        yield f"{LOST}-second-half-{name}", data[len(data) // 2 :]


def flipped(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """One bit flipped, at twelve places from the header to the end."""
    for name, data in healthy.items():
        for i in range(12):
            position = min(len(data) - 1, 2 * i if i < 6 else len(data) * (i - 5) // 6)
            broken = bytearray(data)
            broken[position] ^= 1 << i % 8
            yield f"{ODD}-bit-{position}-{name}", bytes(broken)


def renamed(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Right content under a wrong suffix: the content tells; but several pages need a TIFF."""
    for name, data in healthy.items():
        state = ODD if name == "pages.tif" else WHOLE
        for suffix in (".jpg", ".png", ".tif", ".webp", ".bmp", ".jp2"):
            if not name.endswith(suffix):
                yield f"{state}-{Path(name).stem}-{name.rpartition('.')[2]}-named{suffix}", data


def filled(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Nothing, zeros, ones, text, a page of a web server, another kind of file."""
    contents = {
        "empty": b"",
        "one-byte": b"\xff",
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "text": b"Sehr geehrte Damen und Herren,\n" * 40,
        "page": b"<!doctype html><title>404 Not Found</title>",
        "zip": b"PK\x03\x04" + bytes(100),
        "program": b"\x7fELF" + bytes(200),
    }
    for kind, data in contents.items():
        for suffix in ("jpg", "png", "tif", "webp", "bmp", "jp2", "heic"):
            yield f"{LOST}-{kind}-as-{suffix}.{suffix}", data
    heads = {
        "jpg": b"\xff\xd8\xff",
        "png": b"\x89PNG\r\n\x1a\n",
        "tif": b"II*\0",
        "webp": b"RIFF",
        "bmp": b"BM",
        "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
        "heic": b"\0\0\0\x18ftypheic",
    }
    for suffix, head in heads.items():
        yield f"{LOST}-head-alone-{suffix}.{suffix}", head
        yield f"{LOST}-head-and-zeros-{suffix}.{suffix}", head + bytes(1000)


def bombs(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """A few bytes that claim to be, or decode to, more pixels than any machine has room for."""

    def png(width: int, height: int, rows: bytes) -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            crc = zlib.crc32(kind + data)
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

        head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        )

    yield f"{LOST}-2-gigapixels.png", png(50_000, 40_000, zlib.compress(bytes(5_000_000), 9))
    yield f"{LOST}-widest.png", png(2**31 - 1, 2**31 - 1, zlib.compress(bytes(1000)))
    jpeg = bytearray(healthy["grey.jpg"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    yield f"{LOST}-4-gigapixels.jpg", bytes(jpeg)
    tiff = bytearray(healthy["raw.tif"])
    for tag in (256, 257):  # ImageWidth, ImageLength: two bytes tag, two type, four count, value
        at = tiff.index(struct.pack("<H", tag) + b"\x04\0\x01\0\0\0")
        tiff[at + 8 : at + 12] = struct.pack("<I", 200_000)
    yield f"{LOST}-40-gigapixels.tif", bytes(tiff)


def shapes(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The smallest and the thinnest pictures."""
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 2), (2, 1), (1, 20_000), (20_000, 1), (3, 3), (7, 5)):
        picture = Image.fromarray(rng.integers(0, 256, (height, width), np.uint8))
        for suffix, format_ in (("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF")):
            buffer = io.BytesIO()
            picture.save(buffer, format_)
            yield f"{WHOLE}-{height}x{width}.{suffix}", buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(buffer, "WEBP", lossless=True)
    yield f"{WHOLE}-9x9.webp", buffer.getvalue()


def contradictions(healthy: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Files whose parts do not agree with each other, and what hides behind a whole picture."""
    jpeg, png, tiff = (healthy[name] for name in ("grey.jpg", "grey.png", "raw.tif"))
    yield f"{WHOLE}-jpeg-then-a-page.jpg", jpeg + b"<script>alert(1)</script>" * 20
    yield f"{WHOLE}-jpeg-then-itself.jpg", jpeg * 3
    yield f"{WHOLE}-png-then-zeros.png", png + bytes(5000)
    yield f"{ODD}-jpeg-after-zeros.jpg", bytes(512) + jpeg
    yield f"{LOST}-jpeg-without-frame.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xee", 1)
    yield f"{LOST}-png-without-head.png", png[:8] + png[33:]
    yield f"{ODD}-tiff-loop-of-pages.tif", _looped(tiff)
    yield f"{LOST}-tiff-pages-nowhere.tif", tiff[:4] + struct.pack("<I", 2**31) + tiff[8:]
    yield f"{ODD}-tiff-big-endian-head.tif", b"MM\0*" + tiff[4:]
    for name in ("grey.jpg", "grey.png", "lossy.webp", "lzw.tif"):
        data = healthy[name]
        middle = len(data) // 2
        yield f"{ODD}-zeros-in-the-middle-{name}", data[:middle] + bytes(64) + data[middle + 64 :]


def _looped(tiff: bytes) -> bytes:
    """A TIFF whose list of pages points to its own beginning."""
    [first] = struct.unpack("<I", tiff[4:8])
    [entries] = struct.unpack("<H", tiff[first : first + 2])
    at = first + 2 + 12 * entries
    return tiff[:at] + struct.pack("<I", first) + tiff[at + 4 :]


def odd_names(folder: Path, jpeg: bytes) -> None:
    """Names that break scripts; all hold a healthy picture."""
    folder.mkdir()
    for name in (
        b"with space.jpg",
        b" leading space.jpg",
        b"new\nline.jpg",
        b"tab\tand\rreturn.jpg",
        b'quote\'s "double".jpg',
        b"-starts-with-dash.jpg",
        b"--overwrite.jpg",
        b"percent%d%s%n.jpg",
        b"$HOME `ls` $(id).jpg",
        b"back\\slash.jpg",
        b"caf\xc3\xa9.jpg",
        b"caf\xe9-latin-1.jpg",
        b"\xff\xfe\xfd.jpg",
        "日本の写真.jpg".encode(),
        "👩‍🚀 emoji.jpg".encode(),
        "עברית.jpg".encode(),
        b"red\x1b[31m.jpg",
        b"bell\x07.jpg",
        b"UPPER.JPG",
        b"two.dots.in.it.jpg",
        b"x" * 240 + b".jpg",
        b"CON.jpg",
        b"trailing dot..jpg",
        b"colon:star*question?.jpg",
    ):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(jpeg)


def links(folder: Path, jpeg: bytes) -> None:
    """Loops, links to nothing, a pipe that nobody writes to, a folder with a picture's name."""
    folder.mkdir()
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / f"{LOST}-self.jpg").symlink_to(folder / f"{LOST}-self.jpg")
    (folder / f"{LOST}-nowhere.jpg").symlink_to(folder / "nowhere-at-all.jpg")
    (folder / f"{WHOLE}-target.jpg").write_bytes(jpeg)
    (folder / f"{WHOLE}-link.jpg").symlink_to(folder / f"{WHOLE}-target.jpg")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / f"{LOST}-pipe.jpg")
    (folder / f"{LOST}-device.png").symlink_to("/dev/zero")


def all_files(folder: Path) -> list[Any]:
    """Paths of every file and link below, as bytes-safe paths."""
    return [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]


# --- the tests ---

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes names that Windows refuses")

MEMORY = 2_500_000_000
"""Address space of the process, in bytes; onnxruntime and OpenCV alone take half of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, grey_photograph: Callable[[str], Any]) -> Path:
    """All hostile files."""
    root = tmp_path_factory.mktemp("hostile")
    write_all(root, grey_photograph("chelsea")[60:124, 100:180])
    return root


def test_every_file_ends_as_an_outcome(
    folder: Path, tiny_model: Path, clean_env: dict[str, str], tmp_path: Path
) -> None:
    """At least 300 files: each has one outcome, failures have a reason on one line, what is well is
    colored, nothing hangs, and memory stays bounded."""
    files = all_files(folder)
    assert len(files) >= 300
    out = tmp_path / "out"
    command = [sys.executable, "-m", "colorbatch", "images", folder, "-o", out, "-m", tiny_model]
    result = subprocess.run(
        [*command, "--json", "--workers", "2"],
        env=clean_env,
        capture_output=True,
        timeout=240,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        check=False,
    )
    assert b"Traceback" not in result.stderr
    assert result.returncode == 3, result.stderr[-2000:]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    outcomes = [line for line in lines if "source" in line]
    by_name = {os.path.basename(item["source"]): item for item in outcomes}  # noqa: PTH119
    assert len(outcomes) == len(files)
    for item in outcomes:
        name = os.path.basename(item["source"])  # noqa: PTH119
        if item["status"] == "failed":
            assert item["reason"].strip() and "\n" not in item["reason"], name
            assert not name.startswith(WHOLE), item
        else:
            # broken pixels may look like color
            assert item["status"] in ("colored", "kept")[: 1 + name.startswith(ODD)], item
            assert not name.startswith(LOST), item
            with Image.open(item["target"]) as image:
                image.load()
    assert by_name["odd-tiff-loop-of-pages.tif"]
    assert not [path for path in all_files(out) if path.name.startswith(".colorbatch-")]


def test_unreadable_folder_is_named(
    tiny_model: Path, run_cli: Callable[..., Any], tmp_path: Path, grey_photograph: Any
) -> None:
    """A folder that may not be listed is a failure of its own; its neighbours are colored."""
    if os.geteuid() == 0:
        pytest.skip("root may list every folder")
    good, closed = tmp_path / "in" / "good", tmp_path / "in" / "closed"
    for place in (good, closed):
        place.mkdir(parents=True)
        Image.fromarray(grey_photograph("chelsea")).save(place / "a.jpg")
    closed.chmod(0)
    try:
        result = run_cli("images", tmp_path / "in", "-o", tmp_path / "out", "-m", tiny_model)
    finally:
        closed.chmod(0o700)
    assert result.returncode == 3
    assert "closed" in result.stderr
    assert (tmp_path / "out" / "good" / "a.jpg").exists()
