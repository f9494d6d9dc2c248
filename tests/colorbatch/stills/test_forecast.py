"""Space and time told before work, against runs of the tool and against real file systems."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.inputs import picture_files
from colorbatch.job import ImageSettings, Job
from colorbatch.run.estimate import Amount
from colorbatch.stills import forecast
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)

GREY = np.random.default_rng(0).integers(30, 220, (50, 70), np.uint8)


@pytest.fixture
def source(tmp_path, grey_photograph, photograph):
    """Sixty photographs in nested folders: grey JPEG, TIFF and PNG, some JPEG in color."""
    folder = tmp_path / "source"
    names = ("astronaut", "chelsea", "coffee")
    for index in range(60):
        below = folder / f"box {index // 10}" / ("deep" if index % 4 else ".")
        below.mkdir(parents=True, exist_ok=True)
        place = slice(index, index + 120 + 5 * (index % 13))
        grey = Image.fromarray(np.ascontiguousarray(grey_photograph(names[index % 3])[place, :160]))
        if index % 6 == 5:
            Image.fromarray(photograph("coffee")[place, :200]).save(below / f"{index}.jpg")
        else:
            grey.save(below / f"{index}.{('jpg', 'tif', 'png')[index % 3]}")
    return folder


def bytes_in(folder):
    """Bytes of all results."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != ".colorbatch"
    )


def summary(result):
    return json.loads(result.stdout.splitlines()[-1])["summary"]


# --- the choice of a sample --------------------------------------------------------------------


def test_a_sample_is_spread_and_always_the_same(source, tmp_path):
    """One of each stretch of the tree; a larger sample holds the smaller, so nothing is in vain."""
    jobs = plan_jobs([source], tmp_path / "out")
    six = forecast.choose(jobs, 6)
    assert {job.source.relative_to(source).parts[0] for job in six} == {
        f"box {index}" for index in range(6)
    }
    assert six == forecast.choose(plan_jobs([source], tmp_path / "out"), 6)
    assert set(six) < set(forecast.choose(jobs, 12))
    assert forecast.choose(jobs, 1000) == jobs
    assert forecast.choose([], 5) == []


# --- space -------------------------------------------------------------------------------------


def test_headers_of_some_stand_for_all(tmp_path):
    """Of 400 uncompressed files, of which 200 are opened, the sum is that of all (their tags: 1 kB
    each, which are guessed); a few large ones are not missed."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    folder.mkdir()
    pixels = 0
    for index in range(400):
        height, width = rng.integers(20, 60, 2) * (10 if index % 100 == 7 else 1)
        tifffile.imwrite(folder / f"{index}.tif", np.zeros((height, width), np.uint8))
        pixels += height * width
    jobs = plan_jobs([folder], tmp_path / "out")
    found = forecast.of(jobs, forecast.guess(jobs, ImageSettings()))
    assert found.results.middle == pytest.approx(3 * pixels + 400 * 1200, rel=0.02)
    assert found.results.low <= 3 * pixels + 400 * 1200 <= found.results.high
    assert found.count == 400


def test_replaced_results_give_their_room_back_after(tmp_path):
    """At the fullest moment the old results that were not reached yet lie there, and the new ones
    beside those that they replace: two at a time, each of 40,000 bytes (10 blocks)."""
    out = tmp_path / "out"
    out.mkdir()
    jobs = [Job(tmp_path / f"{n}.png", out / f"{n}.png", home=out) for n in range(5)]
    new = {job.target: Amount(40_000, 40_000, 40_000) for job in jobs}
    journal = 5 * 900
    [place] = forecast.of(jobs, new, workers=2).places
    assert place.needed.middle == 5 * 40_960 + journal
    assert place.folder == out
    for job in jobs:
        job.target.write_bytes(b"\0" * 40_000)
    [place] = forecast.of(jobs, new, workers=2).places
    assert place.needed.middle == pytest.approx(2 * 40_960, abs=journal)
    for job in jobs:
        job.target.write_bytes(b"\0" * 400_000)  # much larger ones
    [place] = forecast.of(jobs, new, workers=2).places
    assert place.needed.middle == pytest.approx(2 * 40_960, abs=journal)


def test_a_dry_run_tells_the_space_that_a_run_takes(run_cli, tiny_model, source, tmp_path):
    """The sum of all results, of mixed formats, is within the range that is told; so is one that
    only a sample was looked at for."""
    command = ["images", source, "-o", tmp_path / "out", "-m", tiny_model, "--json"]
    dry = run_cli(*command, "--dry-run")
    some = run_cli(*command, "--dry-run", "--sample", 12)
    assert not (tmp_path / "out").exists()
    assert summary(dry)["dry_run"] is True and summary(dry)["total"] == 60
    assert "--sample 50 measures the time" in dry.stderr.splitlines()[-1]
    assert (summary(some)["total"], len(some.stdout.splitlines())) == (12, 13)
    assert "; all 60: about " in some.stderr.splitlines()[-1]
    begun = run_cli(*command)
    real = bytes_in(tmp_path / "out")
    for result in (dry, some, begun):
        told = summary(result)["estimate"]
        assert told["pictures"] == 60
        assert told["bytes"]["low"] <= real <= told["bytes"]["high"]
        assert told["bytes"]["middle"] == pytest.approx(real, rel=0.25)
        assert told["seconds"] is None
        [place] = told["places"]
        free = shutil.disk_usage(tmp_path).free
        assert place["free"] == pytest.approx(free, rel=0.05)
    kept = [
        line for line in map(json.loads, dry.stdout.splitlines()) if line.get("kind") == "color"
    ]
    assert len(kept) == 10  # what is copied is known to the byte


def test_pictures_of_any_name_are_estimated(run_cli, tiny_model, photograph, tmp_path):
    """Named one by one, with a suffix that says nothing or with none: by what they hold."""
    names = ["a.jfif", "scan", "b.JPG_original", "c.photo"]
    Image.fromarray(GREY).save(tmp_path / names[0], "JPEG")
    tifffile.imwrite(tmp_path / names[1], GREY)
    Image.fromarray(photograph("coffee")).save(tmp_path / names[2], "JPEG")
    Image.fromarray(GREY).save(tmp_path / names[3], "PNG")
    command = ["images", *names, "-o", "out", "-m", tiny_model, "--json"]
    for more in (["--dry-run"], []):
        result = run_cli(*command, *more)
        assert (result.returncode, summary(result)["total"]) == (0, 4), result.stderr
        told = summary(result)["estimate"]["bytes"]
    assert told["low"] <= bytes_in(tmp_path / "out") <= told["high"]
    formats = []
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            formats.append(image.format)
    assert formats == ["JPEG", "TIFF", "JPEG", "PNG"]


def test_heic_of_another_name_becomes_jpeg(run_cli, tiny_model, photograph, tmp_path):
    """What is only read is written as its results are, whatever the file is called."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(photograph("coffee")).save(tmp_path / "a.photo", "HEIF")
    result = run_cli("images", "a.photo", "-o", "out", "-m", tiny_model, "--json")
    assert (result.returncode, summary(result)["colored"]) == (0, 1), result.stdout
    with Image.open(tmp_path / "out" / "a.photo") as image:
        assert image.format == "JPEG"


# --- a sample ----------------------------------------------------------------------------------


def test_a_sample_is_made_and_tells_of_the_rest(run_cli, tiny_model, source, tmp_path):
    """Twelve results as any others; the rest's space and time; the full run skips them."""
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--json"]
    sample = run_cli(*command, "--sample", 12)
    assert sample.returncode == 0, sample.stderr
    assert summary(sample)["total"] == summary(sample)["colored"] + summary(sample)["kept"] == 12
    told = summary(sample)["estimate"]
    assert told["pictures"] == 48 and told["seconds"] > 0
    assert sample.stderr.splitlines()[-1].startswith("the rest, 48 pictures: about ")
    done = {path: path.stat().st_ctime_ns for path in out.rglob("*.*") if path.is_file()}
    before = bytes_in(out)
    again = run_cli(*command, "--sample", 12)
    assert summary(again)["skipped_because"] == {"finished": 12}
    assert summary(again)["estimate"]["seconds"] is None
    assert summary(again)["estimate"]["bytes"] == told["bytes"]  # what is there tells the same
    assert "the sample was finished before" in again.stderr.splitlines()[-1]
    full = run_cli(*command)
    assert summary(full)["skipped_because"] == {"finished": 12}
    results = [path for path in done if path.parent.name != ".colorbatch"]
    assert all(path.stat().st_ctime_ns == done[path] for path in results)
    rest = bytes_in(out) - before
    assert told["bytes"]["middle"] == pytest.approx(rest, rel=0.2)
    assert summary(run_cli(*command, "--sample", 99))["estimate"]["pictures"] == 0


def test_a_sample_learns_what_headers_do_not_tell(run_cli, tiny_model, photograph, tmp_path):
    """JPEG in color is expected to grow until a sample shows that it is copied: then to the byte
    (2 % for what pictures differ in)."""
    folder = tmp_path / "source"
    folder.mkdir()
    for index in range(20):
        picture = Image.fromarray(photograph("coffee")[index : index + 150, :200])
        picture.save(folder / f"{index}.jpg")
    command = ["images", folder, "-o", tmp_path / "out", "-m", tiny_model, "--json"]
    dry = summary(run_cli(*command, "--dry-run"))["estimate"]
    assert dry["bytes"]["middle"] == bytes_in(folder)
    told = summary(run_cli(*command, "--sample", 5))["estimate"]
    assert told["bytes"]["middle"] == pytest.approx(bytes_in(folder) * 15 / 20, rel=0.02)
    assert told["bytes"]["high"] < 1.05 * told["bytes"]["middle"]


def test_zero_pictures_are_no_sample(run_cli, tiny_model, source, tmp_path):
    """Exit 2 and nothing made."""
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--sample", 0)
    assert result.returncode == 2
    assert not (tmp_path / "out").exists()


# --- too little room ---------------------------------------------------------------------------


def sparse(path, side):
    """An uncompressed TIFF of side x side pixels, of which the disk holds but the header."""
    try:
        tifffile.imwrite(path, shape=(side, side), dtype=np.uint8, bigtiff=True)
    except OSError:
        pytest.skip("this file system holds no files of that size")
    if path.stat().st_blocks * 512 > 10_000_000:
        pytest.skip("this file system keeps holes as zeros")


@pytest.mark.skipif(sys.platform == "win32", reason="files with holes need to be asked for there")
def test_what_cannot_fit_is_refused_before_work(run_cli, tiny_model, tmp_path):
    """A scan of 4 TB becomes 12 TB: one line with both sizes and what to do, exit 1, and nothing is
    made; --ignore-space goes on."""
    (tmp_path / "source").mkdir()
    Image.fromarray(GREY).save(tmp_path / "source" / "a.png")
    sparse(tmp_path / "source" / "b.tif", 2_000_000)
    command = ["images", "source", "-o", tmp_path / "out" / "deep", "-m", tiny_model]
    refused = run_cli(*command, "--max-pixels", 1e7)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path}: too little space: about 12 TB needed, ")
    assert line.endswith(" free; make room, or go on with --ignore-space")
    assert not (tmp_path / "out").exists()
    allowed = run_cli(*command)  # by its header it is more than may be read, and needs no room
    assert allowed.returncode == 3 and "failed: source/b.tif" in allowed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="files with holes need to be asked for there")
def test_a_sample_fits_where_the_rest_does_not(run_cli, tiny_model, tmp_path):
    """The sample is made, and the last line says that there is too little room for the others."""
    folder = tmp_path / "source"
    folder.mkdir()
    Image.fromarray(GREY).save(folder / "a.png")
    for index in range(20):  # until the lot falls on the small one
        sparse(folder / f"{index}.tif", 2_000_000)
        if forecast.choose(plan_jobs([folder], tmp_path), 1)[0].source.name == "a.png":
            break
        (folder / f"{index}.tif").unlink()
    result = run_cli("images", folder, "-o", "out", "-m", tiny_model, "--sample", 1,
                     "--max-pixels", 1e7, "--json")  # fmt: skip
    assert (result.returncode, summary(result)["colored"]) == (0, 1)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("the rest, 1 picture: about ") and " and 12 TB; " in last
    assert last.endswith(" free, which is too little")
    assert summary(result)["estimate"]["bytes"]["middle"] == pytest.approx(12e12)


MOUNTED = """
mount -t tmpfs -o size=1m none "$DISK/small" && mount -t tmpfs -o size=64m none "$DISK/large"
ln -s "$DISK/large" "$DISK/small/link"
"$@"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a disk of its own")
def test_each_file_system_counts_for_itself(clean_env, tiny_model, source, tmp_path):
    """Results beside their sources on two disks: the full one is named, and with its space alone;
    room elsewhere does not help. Without it the same work is begun."""
    may = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    if may.returncode != 0:
        pytest.skip("this machine lets nobody mount a disk")
    for name in ("small", "large"):
        (tmp_path / name).mkdir()
    tool = [sys.executable, "-m", "colorbatch", "images", "-m", tiny_model]

    def run(fill, *words):
        script = MOUNTED.replace('"$@"', f'{fill}\n"$@"')
        return subprocess.run(
            ["unshare", "-rm", "sh", "-c", script, "sh", *map(str, [*tool, *words])],
            env=clean_env | {"DISK": str(tmp_path), "SOURCE": str(source)},
            capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    small, large = tmp_path / "small" / "s", tmp_path / "large" / "s"
    fill = 'cp -r "$SOURCE" "$DISK/small/s"; cp -r "$SOURCE" "$DISK/large/s"'
    refused = run(fill, small, large)
    [line] = refused.stderr.splitlines()
    assert refused.returncode == 1
    assert line.startswith(f"error: {small}") and "too little space" in line
    fine = run(fill, large)
    assert fine.returncode == 0, fine.stderr
    going = run(fill, small, large, "--ignore-space")
    assert going.returncode == 1  # it ends when the disk is full
    assert "No space left on device" in going.stderr
