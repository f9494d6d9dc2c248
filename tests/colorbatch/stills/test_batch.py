"""A batch from files to files, in this process: outcomes, kinds, bounds, stops."""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import re
import sys
import threading
from types import SimpleNamespace

import cv2
import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image

from colorbatch import __version__
from colorbatch.errors import OutputFullError, TargetError
from colorbatch.formats import memory_need
from colorbatch.fs.atomic import TEMPORARY_PREFIX
from colorbatch.inputs import picture_files
from colorbatch.job import ImageSettings, Job
from colorbatch.journal.records import NOT_OURS
from colorbatch.journal.results import Journals
from colorbatch.model.engine import Engine
from colorbatch.stills import one_still
from colorbatch.stills.batch import check_target_folder, colorize_images, foresee, split_finished
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def engine(tiny_model):
    """The tiny model on the CPU, in batches of three."""
    return Engine(tiny_model, "cpu", batch_size=3)


@pytest.fixture
def source(tmp_path):
    """A folder with ten small grey pictures."""
    folder = tmp_path / "source"
    folder.mkdir()
    for index in range(10):
        pixels = np.random.default_rng(index).integers(30, 220, (20, 30), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def test_every_job_has_one_outcome_in_order(engine, source, tmp_path):
    """Ten sources, two of them broken: ten outcomes, two failures, eight files."""
    (source / "3.png").write_bytes(b"")
    (source / "7.png").write_bytes((source / "6.png").read_bytes()[:100])
    jobs = plan_jobs([source], tmp_path / "out")
    outcomes = list(colorize_images(jobs, engine, ImageSettings(), workers=3))
    assert [outcome.source for outcome in outcomes] == [job.source for job in jobs]
    assert [i for i, one in enumerate(outcomes) if one.status == "failed"] == [3, 7]
    assert outcomes[3].reason == "the file is empty"
    assert str(source) not in outcomes[7].reason  # the outcome names the source itself
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_a_target_that_cannot_be_written_fails_alone(engine, source, tmp_path):
    """A folder in the way of one result costs that result."""
    (tmp_path / "out" / "4.png").mkdir(parents=True)
    jobs = plan_jobs([source], tmp_path / "out")
    outcomes = list(colorize_images(jobs, engine, ImageSettings()))
    assert [i for i, one in enumerate(outcomes) if one.status == "failed"] == [4]
    assert outcomes[4].reason.startswith("cannot write")
    assert not list((tmp_path / "out").glob(".*"))


def test_finished_targets_are_split_off(source, tmp_path):
    """What is there and nobody knows of is skipped and named, unless all is to be done again."""
    jobs = plan_jobs([source], tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2.png").write_bytes(b"a result")
    (tmp_path / "out" / "3.png").write_bytes(b"")  # not ours: we write whole files only
    (tmp_path / "out" / "4.png").mkdir()
    for redo in ("nothing", "outdated"):
        todo, skipped = split_finished(
            jobs, Journals(jobs), ImageSettings(), lambda: "model", redo=redo
        )
        assert [(one.source.name, one.reason) for one in skipped] == [("2.png", NOT_OURS)]
        assert len(todo) == 9 and jobs[2] not in todo
    everything = split_finished(jobs, Journals(jobs), ImageSettings(), lambda: "model", redo="all")
    assert everything == (jobs, [])


def test_a_full_disk_ends_the_batch_and_is_no_picture_s_fault(
    engine, source, tmp_path, monkeypatch
):
    """Nothing more can succeed: what was finished is yielded first, then the one error."""
    jobs = plan_jobs([source], tmp_path / "out")
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    done = []
    with Journals(jobs) as journals:
        journals.lock()
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputFullError, match=r"cannot write.*No space left"):
            for outcome in colorize_images(
                jobs, engine, ImageSettings(), journals=journals, workers=1
            ):
                done.append(outcome)
        monkeypatch.undo()
    assert 1 <= len(done) < 10 and set(statuses(done)) == {"colored"}
    written = {path for path in (tmp_path / "out").iterdir() if path.name != ".colorbatch"}
    assert {outcome.target for outcome in done} == written
    assert [Journals(jobs).find(job) is not None for job in jobs] == [
        job.target in written for job in jobs
    ]


def test_stop_keeps_what_was_finished(engine, source, tmp_path):
    """After stop every yielded outcome is a file, and no other file is there."""
    jobs = plan_jobs([source], tmp_path / "out")
    done = []
    for outcome in colorize_images(
        jobs, Engine(engine.path, "cpu", batch_size=1), ImageSettings(), workers=1,
        stop=lambda: len(done) >= 2,
    ):  # fmt: skip
        done.append(outcome.target)
    assert 2 <= len(done) < 10
    assert sorted((tmp_path / "out").iterdir()) == done


def test_fail_fast_ends_early(engine, source, tmp_path):
    """The first failure is the last thing begun."""
    (source / "0.png").write_bytes(b"")
    jobs = plan_jobs([source], tmp_path / "out")
    one = Engine(engine.path, "cpu", batch_size=1)
    outcomes = list(colorize_images(jobs, one, ImageSettings(), workers=1, fail_fast=True))
    assert outcomes[0].status == "failed"
    assert len(outcomes) < 10


@pytest.mark.parametrize("on_color", ["keep", "skip", "colorize"])
def test_what_happens_to_color_is_the_users_choice(engine, photograph, tmp_path, on_color):
    """Kept as the very file, left out, or colored from its luma."""
    source = tmp_path / "a.jpg"
    Image.fromarray(photograph("coffee")).save(source, quality=90)
    job = Job(source, tmp_path / "out" / "a.jpg")
    [one] = colorize_images([job], engine, ImageSettings(on_color=on_color))
    assert one.kind == "color"
    assert one.status == {"keep": "kept", "skip": "skipped", "colorize": "colored"}[on_color]
    if on_color == "keep":
        assert job.target.read_bytes() == source.read_bytes()
    assert job.target.exists() == (on_color != "skip")
    named = dataclasses.replace(job, target=tmp_path / "named.jpg", named=True)
    assert statuses(colorize_images([named], engine, ImageSettings(on_color=on_color))) == [
        "colored"
    ]


@pytest.mark.parametrize("tone", [(1, 0.86, 0.62), (0.75, 0.9, 1)])
def test_no_tone_is_left_over(engine, grey_photograph, tmp_path, tone):
    """A toned source gets the very result of its own grey: nothing of the tone comes through."""
    rgb = (grey_photograph("coffee")[:160, :240, None] * np.array(tone)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "toned.png")
    Image.fromarray(rgb).convert("L").save(tmp_path / "grey.png")  # BT.601, rounded as ours
    jobs = plan_jobs([tmp_path / "toned.png", tmp_path / "grey.png"], tmp_path / "out")
    outcomes = list(colorize_images(jobs, engine, ImageSettings(saturation=0.0)))
    assert [one.kind for one in outcomes] == ["toned", "grey"]
    without_color = np.asarray(Image.open(jobs[0].target)).astype(int)
    assert np.ptp(without_color, axis=2).max() <= 1  # rounding; the tone had up to 97
    list(colorize_images(jobs, engine, ImageSettings()))
    first, second = (np.asarray(Image.open(job.target)).astype(int) for job in jobs)
    assert np.abs(first - second).max() <= 4  # Pillow truncates some luma codes one lower


@pytest.mark.parametrize("quality", [60, 95])
def test_foreseen_kinds_are_those_of_the_run(
    engine, photograph, grey_photograph, tmp_path, quality
):
    """Reading JPEG at a reduced size decides as reading it whole does."""
    (tmp_path / "src").mkdir()
    for name in ("astronaut", "coffee", "chelsea", "motorcycle_left"):
        large = cv2.resize(photograph(name), None, fx=3, fy=3)
        plain = cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)[..., None]
        for kind, rgb in (
            ("c", large), ("g", np.repeat(plain, 3, axis=2)), ("t", plain * np.array([1, 0.9, 0.7]))
        ):  # fmt: skip
            picture = Image.fromarray(rgb.astype(np.uint8))
            picture.save(tmp_path / "src" / f"{kind}-{name}.jpg", quality=quality)
    jobs = plan_jobs([tmp_path / "src"], tmp_path / "out")
    foreseen = list(foresee(jobs, ImageSettings(), workers=2))
    assert [one.kind for one in foreseen] == ["color"] * 4 + ["grey"] * 4 + ["toned"] * 4
    assert not (tmp_path / "out").exists()
    done = list(colorize_images(jobs, engine, ImageSettings()))
    assert [(one.status, one.kind) for one in done] == [(one.status, one.kind) for one in foreseen]


def test_color_kept_in_another_format_keeps_its_pixels(engine, photograph, tmp_path):
    """--format applies to pictures in color as well; they get no mark and can be colored later."""
    rgb = photograph("astronaut")[:90, :90]
    Image.fromarray(rgb).save(tmp_path / "a.png")
    settings = ImageSettings()
    job = Job(tmp_path / "a.png", tmp_path / "a.tif")
    assert statuses(colorize_images([job], engine, settings)) == ["kept"]
    assert np.array_equal(tifffile.imread(job.target), rgb)


def test_a_wrong_suffix_is_corrected_and_said(engine, tmp_path):
    """A PNG named .jpg becomes what its name says, so that the name is true."""
    pixels = np.random.default_rng(1).integers(0, 255, (16, 16), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", "PNG")
    job = Job(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg")
    [one] = colorize_images([job], engine, ImageSettings())
    assert "a PNG file named .jpg" in one.notes[0]
    with Image.open(job.target) as image:
        assert image.format == "JPEG"


def test_results_are_never_colored_again(engine, source, tmp_path):
    """Files that carry our mark are skipped, also when named one by one."""
    jobs = plan_jobs([source], tmp_path / "out")
    list(colorize_images(jobs, engine, ImageSettings()))
    again = [Job(job.target, tmp_path / "twice" / job.target.name, named=True) for job in jobs]
    outcomes = list(colorize_images(again, engine, ImageSettings()))
    assert {(one.status, one.reason) for one in outcomes} == {("skipped", "made by colorbatch")}
    assert not (tmp_path / "twice").exists()


def test_the_mark_names_the_model(engine, source, tmp_path):
    """Who looks into the file learns which model made its color."""
    jobs = plan_jobs([source], tmp_path / "out")[:1]
    list(colorize_images(jobs, engine, ImageSettings()))
    with Image.open(jobs[0].target) as image:
        xmp = image.info["XML:com.adobe.xmp"]
    assert f"colorbatch {__version__}; model tiny 0000000000000000" in xmp


def test_a_rotated_photograph_is_predicted_upright(engine, tmp_path):
    """The network sees a rotated source as people see it: same color as the upright file."""
    pixels = np.add.outer(np.arange(60), np.arange(90)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "turned.png", exif=exif)
    jobs = plan_jobs([tmp_path / "upright.png", tmp_path / "turned.png"], tmp_path / "out")
    assert statuses(colorize_images(jobs, engine, ImageSettings())) == ["colored"] * 2
    upright, turned = (
        cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_COLOR_RGB).astype(int)
        for name in ("upright.png", "turned.png")
    )
    # OpenCV turns by EXIF; enlarging and rounding run along other axes
    assert np.abs(upright - turned).max() <= 1


def test_the_target_folder_is_checked_before_work(source, tmp_path):
    """An output that cannot be a folder is found before the first pixel."""
    (tmp_path / "file").write_bytes(b"")
    jobs = plan_jobs([source], tmp_path / "file" / "out")
    with pytest.raises(TargetError):
        check_target_folder(jobs, tmp_path / "file" / "out")
    [job] = plan_jobs([source / "0.png"], tmp_path / "new" / "x.png")
    check_target_folder([job], tmp_path / "new" / "x.png")
    assert (tmp_path / "new").is_dir()


def test_large_pictures_are_read_again_rather_than_held(engine, source, tmp_path, monkeypatch):
    """What is too large to wait in memory gives the same results, file by file."""
    held, again = (plan_jobs([source], tmp_path / name) for name in ("held", "again"))
    list(colorize_images(held, engine, ImageSettings()))
    monkeypatch.setattr("colorbatch.stills.one_still.HELD_BYTES", 0)
    assert statuses(colorize_images(again, engine, ImageSettings())) == ["colored"] * len(again)
    for one, other in zip(held, again, strict=True):
        assert one.target.read_bytes() == other.target.read_bytes()


# --- executors ---------------------------------------------------------------------------------


@pytest.fixture
def mixture(source, photograph):
    """What takes every way there is: JPEG, TIFF of few and of many pages, color that is kept, what
    is broken, what is there twice."""
    rgb = photograph("coffee")[::3, ::3]
    grey = Image.fromarray(rgb).convert("L")
    grey.save(source / "a.jpg", quality=85)
    Image.fromarray(rgb).save(source / "b.jpg", quality=85)
    (source / "3.png").write_bytes((source / "6.png").read_bytes()[:100])
    pages = [np.asarray(grey)[index : index + 20, :30] for index in range(one_still.VIEWS + 3)]
    for name, count in (("few", 3), ("many", len(pages))):
        with tifffile.TiffWriter(source / f"{name}.tif") as writer:
            for page in pages[:count]:
                writer.write(page, metadata=None)
    return source


def as_told(outcomes, folder):
    """Outcomes without what differs between two runs."""
    return [
        dataclasses.replace(one, seconds=0, target=one.target.relative_to(folder))
        for one in outcomes
    ]


@pytest.mark.slow
def test_results_do_not_depend_on_who_works(tiny_model, mixture, tmp_path):
    """Threads or processes, and however many: the same bytes, outcomes and records."""
    engine = Engine(tiny_model, "cpu", batch_size=3)
    found = []
    for executor, workers in (("threads", 1), ("threads", 5), ("processes", 1), ("processes", 3)):
        out = tmp_path / f"{executor}{workers}"
        jobs = plan_jobs([mixture], out)
        with Journals(jobs) as journals:
            journals.lock()
            settings = ImageSettings()
            outcomes = list(
                colorize_images(
                    jobs, engine, settings, journals=journals, workers=workers, executor=executor
                )
            )
        assert all(one.seconds > 0 for one in outcomes)
        known = Journals(jobs)
        records = [
            record and dataclasses.replace(record.made, seconds=0, run="")
            for record in map(known.find, jobs)
        ]
        files = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
        found.append((as_told(outcomes, out), records, files))
    outcomes, records, files = found[0]
    assert [one.status for one in outcomes].count("colored") == 12
    assert [one.status for one in outcomes if one.status != "colored"] == ["failed", "kept"]
    assert records.count(None) == 1 and len(files) == 13
    assert {one.pages for one in outcomes} == {1, 3, one_still.VIEWS + 3}
    assert all(other == found[0] for other in found[1:])


@pytest.mark.slow
@posix_only
def test_a_process_that_is_killed_costs_what_it_worked_on(engine, mixture, tmp_path):
    """One line for its picture, nothing temporary of it, all others done; then the same command
    does that one."""
    jobs = plan_jobs([mixture], tmp_path / "out")

    def color_all(killing):
        with Journals(jobs) as journals:
            journals.lock()
            todo, _ = split_finished(jobs, journals, ImageSettings(), lambda: "")
            outcomes = colorize_images(
                todo, engine, ImageSettings(), journals=journals, workers=2, executor="processes"
            )
            for count, outcome in enumerate(outcomes):
                yield outcome
                if killing and count in (0, 4):
                    psutil.Process().children()[-1].kill()  # no earlier one, dead
        assert not list((tmp_path / "out").glob(f"{TEMPORARY_PREFIX}*"))

    first = list(color_all(killing=True))
    assert [one.source for one in first] == [job.source for job in jobs]
    lost = [one for one in first if one.reason.startswith("the process that worked on it was kill")]
    failed = [one for one in first if one.status == "failed"]
    assert len(failed) == len(lost) + 1 <= 3
    second = list(color_all(killing=False))
    assert statuses(second) == ["failed" if one.source.name == "3.png" else "colored"
                                for one in second]  # fmt: skip
    assert len(second) == len(failed)
    assert not psutil.Process().children()


def test_a_consumer_that_leaves_leaves_nothing_temporary(engine, source, tmp_path):
    """What was made and had no name yet is removed with the rest."""
    jobs = plan_jobs([source], tmp_path / "out")
    with Journals(jobs) as journals:
        journals.lock()
        outcomes = colorize_images(jobs, engine, ImageSettings(), journals=journals)
        first = next(outcomes)
        outcomes.close()
        assert first.target.exists()
        assert not list((tmp_path / "out").glob(f"{TEMPORARY_PREFIX}*"))


# --- memory ------------------------------------------------------------------------------------


@pytest.fixture
def scans(tmp_path):
    """Six 16-bit scans of half a megapixel and more, each of another size."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for index in range(6):
        pixels = np.random.default_rng(index).integers(0, 65535, (500 + 100 * index, 1000, 3))
        tifffile.imwrite(folder / f"{index}.tif", pixels.astype(np.uint16), photometric="rgb")
    return folder


def cost_of(job):
    return memory_need.of_coloring(job.source, job.target)


def test_pictures_at_work_stay_within_the_memory(engine, scans, tmp_path, monkeypatch):
    """From reading to the end of writing, whatever the number of threads; results are the same."""
    jobs = plan_jobs([scans], tmp_path / "out")
    room = cost_of(jobs[0]) + cost_of(jobs[5])
    assert 4 * cost_of(jobs[0]) > room  # some two at a time, never four
    lock, now, crowds = threading.Lock(), set(), []
    read, finish = one_still.read, one_still.finish

    def noting_read(job, *rest):
        with lock:
            now.add(job)
            crowds.append(set(now))
        return read(job, *rest)

    def noting_finish(job, *rest):
        outcome = finish(job, *rest)
        with lock:
            now.remove(job)
        return outcome

    monkeypatch.setattr(one_still, "read", noting_read)
    monkeypatch.setattr(one_still, "finish", noting_finish)
    settings = ImageSettings(on_color="colorize")
    bounded = colorize_images(
        jobs, engine, settings, workers=6, memory=memory_need.BASE_BYTES + room
    )
    outcomes = list(bounded)
    assert statuses(outcomes) == ["colored"] * 6 and not any(one.notes for one in outcomes)
    assert max(sum(map(cost_of, crowd)) for crowd in crowds) <= room
    monkeypatch.undo()
    free = plan_jobs([scans], tmp_path / "free")
    list(colorize_images(free, engine, settings, workers=6))
    for one, other in zip(jobs, free, strict=True):
        assert one.target.read_bytes() == other.target.read_bytes()


def test_a_picture_beyond_the_memory_is_done_alone_and_says_so(engine, scans, tmp_path):
    """It is what the user wants more than the bound; the report tells."""
    jobs = plan_jobs([scans], tmp_path / "out")
    memory = memory_need.BASE_BYTES + cost_of(jobs[3])
    settings = ImageSettings(on_color="colorize")
    outcomes = list(colorize_images(jobs, engine, settings, workers=3, memory=memory))
    assert statuses(outcomes) == ["colored"] * 6
    assert [bool(one.notes) for one in outcomes] == [False] * 4 + [True] * 2
    assert all("more than --memory: done alone" in one.notes[0] for one in outcomes[4:])


@pytest.mark.parametrize("work", ["color", "foresee"])
def test_a_picture_beyond_the_machine_is_refused(work, engine, source, tmp_path, monkeypatch):
    """In one line that says how much it needs and how much there is; the others are done."""
    huge = source / "5.tif"
    tifffile.imwrite(huge, np.zeros((16, 16, 3), np.uint16), photometric="rgb", compression="lzw")
    with tifffile.TiffFile(huge, mode="r+b") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[tag].overwrite(30000)
    machine = SimpleNamespace(total=4 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    jobs = plan_jobs([source], tmp_path / "out")
    if work == "color":
        outcomes = list(colorize_images(jobs, engine, ImageSettings(), memory=2**30))
    else:
        outcomes = list(foresee(jobs, ImageSettings(), memory=2**30))
    [failed] = [one for one in outcomes if one.status == "failed"]
    assert failed.source == huge and len(outcomes) == 11
    need = float(re.fullmatch(r"it needs about ([\d.]+)G of memory, and there is 4.0G",
                              failed.reason)[1])  # fmt: skip
    assert need * 2**30 >= 30000**2 * 8  # its samples, and its luma
