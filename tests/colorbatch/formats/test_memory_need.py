"""What pictures are expected to take in memory, held against what they take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.formats import memory_need
from colorbatch.stills.one_still import VIEWS

MEASURED = """
import json, re, sys
from pathlib import Path
from colorbatch.cli import cli
try:
    cli(sys.argv[1:])
except SystemExit as end:
    code = end.code
# of this program alone; ru_maxrss begins with what its parent had
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps([code, int(peak[1]) * 1024]))
"""
SIDE = 5500
"""30 megapixels."""


@pytest.fixture(scope="module")
def picture():
    """30 megapixels of RGB, uint16: soft, with grain, of one tone."""
    chance = np.random.default_rng(0)
    soft = np.linspace(8000, 50000, SIDE, dtype=np.float32)[:, None] * np.ones(SIDE, np.float32)
    soft += chance.standard_normal(soft.shape, np.float32) * 300
    return (soft[..., None] * np.array([1, 0.93, 0.8], np.float32)).astype(np.uint16)


def write(path, rgb):
    if path.name == "grey.tif":
        tifffile.imwrite(path, rgb[..., 0], rowsperstrip=64)
    elif path.name == "rgb.tif":
        tifffile.imwrite(path, rgb, photometric="rgb", rowsperstrip=64)
    else:
        Image.fromarray((rgb >> 8).astype(np.uint8)).save(path, quality=90)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(("name", "million"), [("grey.tif", 400), ("rgb.tif", 640), ("c.jpg", 760)])
def test_a_large_picture_stays_within_its_estimate(
    name, million, picture, tiny_model, clean_env, tmp_path
):
    """The peak of a whole process, libraries and all, coloring 30 megapixels.

    Bound: 1.6 GB at 100 megapixels is 280 MB of program and 13 bytes a pixel, here 670 MB; the
    grey of 16 bits needs but 2 bytes a pixel, the RGB 8, and the JPEG up to 12 in its encoder.
    """
    source = write(tmp_path / name, picture)
    command = [sys.executable, "-c", MEASURED, "images", source, "-o", tmp_path / "out"]
    command += ["-m", tiny_model, "--device", "cpu"]
    done = subprocess.run(command, env=clean_env, capture_output=True, text=True, check=True)
    code, peak = json.loads(done.stdout)
    assert code == 0 and (tmp_path / "out" / name).stat().st_size > 1e6
    decoded = SIDE**2 * (2 if name == "grey.tif" else 8 if name == "rgb.tif" else 4)
    assert decoded < peak < million * 1e6  # below, nothing was measured
    assert peak < memory_need.BASE_BYTES + memory_need.of_coloring(source, tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("name", "new"),
    [("a.png", "png"), ("a.bmp", "bmp"), ("a.webp", "webp"), ("a.jpg", "webp"), ("a.png", "jp2"),
     ("a.png", "avif"), ("rgb.tif", "jpg"), ("a.heic", "jpg")],
)  # fmt: skip
def test_no_format_takes_more_than_is_told(name, new, picture, tiny_model, clean_env, tmp_path):
    """8 megapixels of RGB beside what the same process takes for a few: never more, and no less
    than a fourth (of PNG and BMP a half of it is the room of the process itself)."""
    if name == "a.heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    peaks = []
    for side in (16, 2820):  # so few that no compiled code is loaded, which is in BASE_BYTES
        source = write(tmp_path / name, picture[:side, :side])
        command = [sys.executable, "-c", MEASURED, "images", source, "-o", tmp_path / "out"]
        command += ["-m", tiny_model, "--device", "cpu", "--format", new, "--redo-all"]
        command += ["--on-color", "colorize"]
        done = subprocess.run(command, env=clean_env, capture_output=True, text=True, check=True)
        code, peak = json.loads(done.stdout)
        assert code == 0
        peaks.append(peak)
    told = memory_need.of_coloring(source, source.with_suffix(f".{new}"))
    assert told / 4 < peaks[1] - peaks[0] <= told


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_pages_do_not_add_up(clean_env, tmp_path):
    """A few bytes hold many pages: memory is that of those that wait for the model, and told."""
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for index in range(160):
            writer.write(np.full((2, 2), index, np.uint8), metadata=None, contiguous=False)
    command = [sys.executable, "-c", MEASURED, "images", source, "-o", tmp_path / "out"]
    command += ["--device", "cpu"]
    done = subprocess.run(command, env=clean_env, capture_output=True, text=True, check=True)
    code, peak = json.loads(done.stdout)
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as result:
        assert code == 0 and len(result.pages) == 160
    waiting = VIEWS * memory_need.VIEW_BYTES
    told = memory_need.of_coloring(source, source, views=VIEWS)
    assert told == pytest.approx(memory_need.PICTURE_BYTES + waiting, rel=0.1)
    assert peak < memory_need.BASE_BYTES + told
    assert peak > 256 * 256 * 4 * VIEWS  # what waits was there
    more = memory_need.of_coloring(source, source, views=10**6) - told
    assert more == (160 - VIEWS) * memory_need.VIEW_BYTES
    assert memory_need.of_reading(source) > memory_need.PICTURE_BYTES


def test_costs_follow_the_header(tmp_path, picture):
    """Twice the pixels, twice the cost; more channels, depth, or a dearer encoder cost more."""
    small = picture[:800, :1000]
    plain = tmp_path / "a.tif"
    tifffile.imwrite(plain, small[..., 0])
    cost = memory_need.of_coloring(plain, plain) - memory_need.PICTURE_BYTES
    assert cost == pytest.approx(800_000 * 2, rel=0.1)  # its samples are its luma

    def more(path: Path) -> float:
        return (memory_need.of_coloring(path, path) - memory_need.PICTURE_BYTES) / cost

    double = tmp_path / "b.tif"
    tifffile.imwrite(double, np.vstack([small[..., 0]] * 2))
    assert more(double) == pytest.approx(2)
    rgb = tmp_path / "c.tif"
    tifffile.imwrite(rgb, small, photometric="rgb")
    assert 2 <= more(rgb) <= 4
    pages = tmp_path / "d.tif"
    tifffile.imwrite(pages, np.stack([small[..., 0]] * 5))
    assert more(pages) == pytest.approx(1, rel=0.06)  # one page is in memory at a time
    eight = tmp_path / "e.tif"
    tifffile.imwrite(eight, (small[..., 0] >> 8).astype(np.uint8))
    assert more(eight) == pytest.approx(0.5)
    assert memory_need.of_coloring(plain, plain.with_suffix(".jpg")) > memory_need.of_coloring(
        plain, plain
    )
    assert memory_need.of_coloring(plain, plain, upright=True) > memory_need.of_coloring(
        plain, plain
    )
    assert memory_need.of_reading(rgb) <= memory_need.of_coloring(rgb, rgb)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "jp2", "heic"])
def test_every_format_has_a_cost(suffix, tmp_path):
    """Of each the pixels are found without decoding: a million cost a few million bytes."""
    path = tmp_path / f"a.{suffix}"
    if suffix == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(np.zeros((1000, 1000, 3), np.uint8)).save(path)
    assert 3e6 < memory_need.of_coloring(path, path) - memory_need.PICTURE_BYTES < 120e6


def test_what_cannot_be_read_costs_little(tmp_path):
    """Broken, missing, or no file at all: reading it will say so."""
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0\xff\xff\xff\x7f")
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    refused = tmp_path / "refused.tif"
    tifffile.imwrite(refused, np.zeros((1000, 1000), np.uint32))
    for path in (broken, empty, refused, tmp_path, tmp_path / "missing.png"):
        assert memory_need.of_coloring(path, path) == memory_need.PICTURE_BYTES
