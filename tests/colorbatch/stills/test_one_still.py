"""One source from its file to its outcome: pages of several kinds, and what becomes of each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from colorbatch.errors import SourceError
from colorbatch.fs.atomic import replacing
from colorbatch.inputs import picture_files
from colorbatch.job import ImageSettings, Job
from colorbatch.journal.results import Journals
from colorbatch.model.engine import Engine
from colorbatch.stills import one_still
from colorbatch.stills.batch import colorize_images, foresee, split_finished
from colorbatch.stills.names import PICTURES

plan_jobs = functools.partial(picture_files.plan_jobs, names=PICTURES)


@pytest.fixture
def pages(photograph: Callable[[str], Any]) -> dict[str, Any]:
    """One small photograph of each kind, as RGB."""
    rgb = photograph("coffee")[::4, ::4]
    grey = np.dstack([rgb[..., 1]] * 3)
    toned = np.rint(grey * np.array([1, 0.86, 0.62])).astype(np.uint8)
    return {"grey": grey, "toned": toned, "color": np.ascontiguousarray(rgb)}


@pytest.fixture
def source(tmp_path: Path, pages: dict[str, Any]) -> Callable[[str], Path]:
    """A folder with one TIFF of the named kinds of pages."""

    def make(kinds: str) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        with tifffile.TiffWriter(folder / "a.tif") as writer:
            for kind in kinds.split():
                writer.write(pages[kind], photometric="rgb", metadata=None)
        return folder

    return make


KEEP = ImageSettings(on_toned="keep")
SKIP = ImageSettings(on_toned="keep", on_color="skip")
BOTH = ImageSettings(on_color="colorize")


@pytest.mark.parametrize(
    ("kinds", "settings", "status", "kind", "own"),
    [
        ("color toned grey", ImageSettings(), "colored", "toned", [0]),
        ("color toned grey", KEEP, "colored", "grey", [0, 1]),
        ("color toned grey", BOTH, "colored", "color", []),
        ("color toned", KEEP, "kept", "color", [0, 1]),
        ("color toned", SKIP, "kept", "toned", [0, 1]),
        ("color color", SKIP, "skipped", "color", [0, 1]),
    ],
)
def test_each_page_has_its_own_kind_and_fate(
    source: Any, pages: Any, tmp_path: Path, tiny_model: Path,
    kinds: str, settings: ImageSettings, status: str, kind: str, own: list[int],
) -> None:  # fmt: skip
    """The file is colored where a page is, kept where one is to stay; the dry run says the same."""
    [job] = plan_jobs([source(kinds)], tmp_path / "out")
    [planned] = foresee([job], settings)
    [done] = colorize_images([job], Engine(tiny_model, "cpu"), settings)
    assert (done.status, done.kind, done.pages) == (status, kind, len(kinds.split())), done.reason
    assert (planned.status, planned.kind, planned.pages) == (status, kind, done.pages)
    assert planned.reason == done.reason == ("in color" if status == "skipped" else "")
    if status == "skipped":
        assert not job.target.exists()
        return
    if status == "kept":
        assert job.target.read_bytes() == job.source.read_bytes()
    elif own:
        assert f"{len(own)} of {done.pages} pages kept their own color" in done.notes
    with tifffile.TiffFile(job.target) as tiff:
        same = [np.array_equal(page.asarray(), pages[name])
                for page, name in zip(tiff.pages, kinds.split(), strict=True)]  # fmt: skip
    assert [index for index, is_same in enumerate(same) if is_same] == own


@pytest.mark.parametrize(
    ("kinds", "outdated_by"),
    [
        ("color grey", [BOTH, ImageSettings(saturation=0.5), ImageSettings(upright=True)]),
        ("grey toned", [KEEP, ImageSettings(saturation=0.5), ImageSettings(upright=True)]),
        ("color", [BOTH, SKIP]),
        ("grey", [ImageSettings(saturation=0.5), ImageSettings(upright=True)]),
    ],
)
def test_the_journal_knows_what_every_page_was(
    source: Any, tmp_path: Path, tiny_model: Path, kinds: str, outdated_by: list[ImageSettings]
) -> None:
    """A choice for a kind makes results outdated that have a page of it; and no others."""
    jobs = plan_jobs([source(kinds)], tmp_path / "out")
    with Journals(jobs) as journals:
        journals.lock()
        list(colorize_images(jobs, Engine(tiny_model, "cpu"), ImageSettings(), journals=journals))
    every = [KEEP, BOTH, ImageSettings(saturation=0.5), ImageSettings(upright=True)]
    for settings in {*every, *outdated_by}:
        _, [skipped] = split_finished(jobs, Journals(jobs), settings, lambda: "")
        assert skipped.outdated == (settings in outdated_by), settings
    _, [skipped] = split_finished(jobs, Journals(jobs), ImageSettings(max_pixels=1), lambda: "")
    assert skipped.reason == "finished"


def test_a_source_that_grew_pages_between_reading_and_writing_is_refused(
    source: Any, tmp_path: Path
) -> None:
    """What was judged is what is written, or nothing is."""
    folder = source("grey grey")
    job = Job(folder / "a.tif", tmp_path / "out" / "a.tif")
    held, lightness = one_still.read(job, ImageSettings(), (32, 32))
    assert lightness is not None and lightness.shape == (2, 32, 32)
    with tifffile.TiffWriter(job.source, append=True) as writer:
        writer.write(np.zeros((4, 5), np.uint8), metadata=None)
    pages = one_still._with_chroma(job, held, np.zeros((2, 32, 32, 2), np.float32), ImageSettings())
    with pytest.raises(SourceError, match="changed while"):
        list(pages)


@pytest.mark.parametrize("views", [1, 2, 4])
def test_files_of_many_pages_are_colored_like_those_of_few(
    source: Any, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, views: int
) -> None:
    """Pages that the model sees while the file is written, so many at a time, become the same."""
    jobs = plan_jobs([source("grey color toned grey toned")], tmp_path / "out")
    made = []
    for most in (one_still.VIEWS, views):
        monkeypatch.setattr(one_still, "VIEWS", most)
        [outcome] = colorize_images(jobs, Engine(tiny_model, "cpu"), ImageSettings())
        assert (outcome.status, outcome.pages) == ("colored", 5), outcome
        with tifffile.TiffFile(jobs[0].target) as result:
            made.append(np.stack([page.asarray() for page in result.pages]).astype(int))
    few, many = made
    # sums of a convolution may differ in the last bit between batches of another size
    assert np.abs(few - many).max() <= 1
    assert (many.std(-1) > 0).any(axis=(1, 2)).all()
    held, lightness = one_still.read(jobs[0], ImageSettings(), (32, 32))
    assert held.fates.count("colored") == 4 and (lightness is not None) == (views == 4)


def test_a_file_of_many_pages_that_lost_one_is_refused(
    source: Any, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any other file that changed between reading and writing."""
    monkeypatch.setattr(one_still, "VIEWS", 1)
    folder = source("grey grey")
    job = Job(folder / "a.tif", tmp_path / "a.tif")
    held, lightness = one_still.read(job, ImageSettings(), (32, 32))
    assert lightness is None
    tifffile.imwrite(job.source, np.zeros((4, 5), np.uint8))
    predict = Engine(tiny_model, "cpu").predict
    with pytest.raises(SourceError, match="changed while"):
        list(one_still.late_chroma(job, held, ImageSettings(), (32, 32), predict))


def test_a_source_that_cannot_be_copied_is_named(source: Any, tmp_path: Path) -> None:
    """It vanished, or its disk fails, after it was judged: its fault, not the target's, of which
    nothing stays. /proc/self/mem is a file whose first byte Linux refuses with EIO."""
    job = Job(source("color") / "a.tif", tmp_path / "out" / "a.tif")
    held, _ = one_still.read(job, ImageSettings(), (32, 32))
    job.source.unlink()

    def finish() -> None:
        one_still.finish(job, held, None, ImageSettings(), "", lambda: replacing(job.target))

    with pytest.raises(SourceError, match=r"a\.tif: cannot read: No such file"):
        finish()
    if Path("/proc/self/mem").exists():
        job.source.symlink_to("/proc/self/mem")
        with pytest.raises(SourceError, match=r"source/a\.tif: cannot read: Input/output error"):
            finish()
    assert list(job.target.parent.iterdir()) == []


def test_an_album_page_with_a_photograph_in_color_is_kept_and_said(
    photograph: Any, tmp_path: Path, tiny_model: Path
) -> None:
    """One of four in color: byte for byte the source, with a note; without it, colored."""
    names = ("coffee", "chelsea", "astronaut", "rocket")
    page = np.full((440, 600, 3), 12, np.uint8)
    for index, name in enumerate(names):
        view = photograph(name)[:360:2, :480:2][:180, :240]
        top, left = 20 + 220 * (index // 2), 30 + 300 * (index % 2)
        grey = np.dstack([view[..., 1]] * 3)
        room = page[top : top + view.shape[0], left : left + view.shape[1]]
        room[...] = view if index == 1 else grey
    folder = tmp_path / "source"
    folder.mkdir()
    tifffile.imwrite(folder / "mixed.tif", page, photometric="rgb")
    only_grey = np.dstack([page[..., 1]] * 3)
    tifffile.imwrite(folder / "other.tif", only_grey, photometric="rgb")
    jobs = plan_jobs([folder], tmp_path / "out")
    mixed, other = colorize_images(jobs, Engine(tiny_model, "cpu"), ImageSettings())
    assert (mixed.status, mixed.kind, other.status) == ("kept", "color", "colored")
    assert mixed.notes == ("it holds photographs in color beside others: kept whole",)
    assert mixed.target.read_bytes() == mixed.source.read_bytes()
    planned, _ = foresee(jobs, ImageSettings())
    assert planned.notes == mixed.notes
