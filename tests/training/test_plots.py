"""Sheets and loss curves as pictures that can be opened: what stands where in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorbatch.errors import ColorbatchError, UsageError
from training.models import Model, open_model
from training.photographs import Photographs
from training.plots import (
    HEADING,
    compare_losses,
    labelled_sheet,
    loss_curves,
    old_pictures,
    over_epochs,
    plot,
    sample_sheet,
    triptychs,
)
from training.step import LOSS_NAMES

COLORS = [(31, 119, 180), (255, 127, 14), (44, 160, 44)]
"""The first three of matplotlib's color cycle."""
FIGHTING = tuple(name for name in LOSS_NAMES if name != "loss_G_features")
ALONE = ("loss_G_pixel", "loss_G")


def opened(path: Path) -> np.ndarray:
    """A picture file as RGB codes (H, W, 3), uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


# --- sheets ------------------------------------------------------------------------------------


def test_sample_sheet() -> None:
    """Columns stand side by side and their pictures below each other, in order."""
    pictures = [np.full((4, 5, 3), value, np.uint8) for value in range(6)]
    sheet = sample_sheet([pictures[:2], pictures[2:4], pictures[4:]])
    assert sheet.shape == (8, 15, 3)
    found = sheet[::4, ::5, 0]
    assert found.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_labelled_sheet() -> None:
    """Above each column there is a heading; the pictures below are untouched."""
    columns = {name: [np.full((40, 60, 3), 9 * i, np.uint8)] * 2 for i, name in enumerate("abc")}
    sheet = labelled_sheet(columns)
    assert sheet.shape == (HEADING + 80, 180, 3)
    assert np.array_equal(sheet[HEADING:], sample_sheet(list(columns.values())))
    headings = [sheet[:HEADING, 60 * i : 60 * i + 60] for i in range(3)]
    assert all(heading.min() < 100 and np.median(heading) == 255 for heading in headings)
    assert not np.array_equal(headings[0], headings[1])


def columns_of(sheet: np.ndarray, count: int, height: int) -> list[list[np.ndarray]]:
    """The pictures of a labelled sheet, column by column."""
    return [
        np.split(column, len(column) // height)
        for column in np.split(sheet[HEADING:], count, axis=1)
    ]


@pytest.fixture
def models(finished_run: Path, tiny_model: Path) -> list[Model]:
    """A run of 64 pixels and an ONNX model of 32."""
    return [open_model(finished_run, "run"), open_model(tiny_model, "tiny")]


def test_triptychs(models: list[Model], tmp_path: Path) -> None:
    """Grey, each model, truth: the photographs in color, in their own order, and no others."""
    pixels = {f"a-{i}.png": skimage.data.coffee()[90 * i :, 90 * i :][:48, :48] for i in range(3)}
    for name, picture in pixels.items():
        Image.fromarray(picture).save(tmp_path / name)
    Image.fromarray(skimage.data.camera()[:48, :48]).save(tmp_path / "grey.png")
    photographs = Photographs(tmp_path)
    grey, run, tiny, truth = columns_of(triptychs(models, photographs, 48), 4, 48)
    assert len(truth) == 3
    for i, (name, picture) in enumerate(photographs):
        assert np.array_equal(truth[i], pixels[name])
        luma = pixels[name] @ np.array([0.299, 0.587, 0.114])
        # rounded, and its halves may go either way
        assert np.abs(grey[i] - luma[..., None]).max() < 0.5 + 1e-9
        assert np.array_equal(run[i], models[0].colored(picture))
        assert np.array_equal(tiny[i], models[1].colored(picture))
        assert not np.array_equal(tiny[i], run[i])


def test_triptychs_need_color(models: list[Model], tmp_path: Path) -> None:
    """Grey photographs alone make no sheet."""
    Image.fromarray(skimage.data.camera()[:48, :48]).save(tmp_path / "grey.png")
    with pytest.raises(UsageError, match="no color photographs in"):
        triptychs(models, Photographs(tmp_path), 48)


def test_old_pictures_keep_their_luma(models: list[Model], tmp_path: Path) -> None:
    """Beside each picture stand its colorings, which are grey to the same code without their color;
    pictures of other shapes are centered on white, and broken ones passed over."""
    camera = skimage.data.camera()
    sources = [camera[100:150, 200:280], camera[300:350, 100:150], skimage.data.coins()[:50, :31]]
    for i, source in enumerate(sources):
        Image.fromarray(source).save(tmp_path / f"{i}.png")
    (tmp_path / "1b.png").write_bytes(b"no picture")
    columns = columns_of(old_pictures(models, tmp_path, 9, 50), 3, 50)
    assert all(picture.shape == (50, 80, 3) for column in columns for picture in column)
    for i, source in enumerate(sources):
        left = (80 - source.shape[1]) // 2
        inner = [column[i][:, left : left + source.shape[1]] for column in columns]
        assert np.array_equal(inner[0], np.dstack([source] * 3))
        for made in inner[1:]:
            luma = made @ np.array([0.299, 0.587, 0.114])
            # green takes up the rounding of red and blue, in steps of 0.587
            assert np.abs(luma - source).max() < 0.294
        assert np.ptp(inner[2].astype(int), axis=2).mean() > 10
        for column in columns:
            outside = np.delete(column[i], np.s_[left : left + source.shape[1]], axis=1)
            assert (outside == 255).all()
    assert len(columns_of(old_pictures(models[:1], tmp_path, 2, 50), 2, 50)[0]) == 2


def test_old_pictures_of_odd_shapes(models: list[Model], tmp_path: Path) -> None:
    """Color counts as its luma, and a picture of one column stays one when it is scaled down."""
    Image.fromarray(skimage.data.coffee()[:60, :60]).save(tmp_path / "color.png")
    Image.fromarray(skimage.data.camera()[:300, :1]).save(tmp_path / "thin.png")
    source, made = columns_of(old_pictures(models[1:], tmp_path, 9, 30), 2, 30)
    assert len(source) == len(made) == 2
    assert all(np.ptp(picture.astype(int), axis=2).max() == 0 for picture in source)


def test_old_pictures_need_one(models: list[Model], tmp_path: Path) -> None:
    """A folder with nothing to read makes no sheet."""
    (tmp_path / "broken.png").touch()
    with pytest.raises(UsageError, match="no pictures in"):
        old_pictures(models, tmp_path, 8, 50)


# --- over epochs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        ((1, 2, 3), (4, 8, 12)),  # four steps an epoch
        ((5, 15, 30, 45), (12,)),  # the run ended before
        ((0, 2, 2), (4, 8)),
        ((3, 1), (4, 12)),  # in the order of time
    ],
)
def test_over_epochs(finished_run: Path, wanted: Sequence[int], steps: tuple[int, ...]) -> None:
    """The kept pictures nearest to the wanted epochs, just as they are in samples/*.png."""
    kept = [opened(finished_run / "samples" / f"{step:07d}.png") for step in steps]
    split = [np.split(sheet, 3, axis=1) for sheet in kept]
    expected = [split[0][0], *(made for _, made, _ in split), split[-1][2]]
    sheet = over_epochs(finished_run, wanted)
    assert np.array_equal(sheet[HEADING:], np.concatenate(expected, axis=1))


@pytest.fixture
def copied(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(finished_run, tmp_path / "copied")


def test_over_epochs_passes_over(copied: Path) -> None:
    """What else lies among the samples, and samples of steps that the log no longer has, do not
    count."""
    before = over_epochs(copied, (1, 3))
    (copied / "samples" / "note.png").write_bytes(b"mine")
    shutil.copy(copied / "samples" / "0000004.png", copied / "samples" / "0000400.png")
    assert np.array_equal(over_epochs(copied, (1, 3)), before)


def test_over_epochs_refuses(copied: Path, tmp_path: Path) -> None:
    """No run, no samples, a broken sample: a line each."""
    (copied / "samples" / "0000012.png").write_bytes(b"broken")
    with pytest.raises(ColorbatchError, match=r"0000012\.png: not a "):
        over_epochs(copied, (3,))
    shutil.rmtree(copied / "samples")
    with pytest.raises(UsageError, match="copied has kept no sample pictures yet"):
        over_epochs(copied, (3,))
    with pytest.raises(UsageError, match=r"is not a run: it has no log\.jsonl"):
        over_epochs(tmp_path, (3,))


# --- curves ------------------------------------------------------------------------------------


def _log(path: Path, steps: int, names: tuple[str, ...], late: int = 0) -> Path:
    """A log of losses that fall; `late`: the adversarial ones begin after so many steps."""
    rows = []
    for step in range(1, steps + 1):
        known = names if step > late else ALONE
        rows.append({"step": step, "epoch": step // 100})
        rows[-1] |= {name: (1 + i) / step if name in known else None
                     for i, name in enumerate(LOSS_NAMES)}  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def inked(path: Path, panels: int) -> list[list[int]]:
    """For each panel, from top to bottom: how many of its columns have each of COLORS, pure or
    mixed with white."""
    found = []
    picture = 255.0 - opened(path)[:-45]  # the numbers of the steps stand below the last panel
    for panel in np.array_split(picture, panels):
        widths = []
        for ink in 255.0 - np.array(COLORS):
            share = panel @ ink / (ink @ ink)
            other = np.abs(panel - share[..., None] * ink).max(axis=-1)
            widths.append(int(((share > 0.3) & (other < 12)).any(axis=0).sum()))
        found.append(widths)
    return found


@pytest.mark.parametrize(
    ("steps", "names", "curves"),
    [
        (900, FIGHTING, (3, 2, 2)),
        (900, LOSS_NAMES, (3, 3, 2)),  # with features
        (50, ALONE, (0, 2, 1)),  # without a discriminator
        (1, FIGHTING, (3, 2, 2)),
        (0, FIGHTING, (0, 0, 0)),  # a run that has just begun
    ],
)
def test_loss_curves(
    tmp_path: Path, steps: int, names: tuple[str, ...], curves: tuple[int, ...]
) -> None:
    """Each panel has a curve, or at least its legend, for each loss that plays a part."""
    target = tmp_path / "losses.png"
    loss_curves(_log(tmp_path / "log.jsonl", steps, names), target)
    assert min(opened(target).shape[:2]) > 300
    found = inked(target, 3)
    assert [sum(width > 0 for width in panel) for panel in found] == list(curves)


def test_curves_of_two_stages(tmp_path: Path) -> None:
    """Losses that begin in the second half are drawn in the second half, the others throughout."""
    target = tmp_path / "losses.png"
    loss_curves(_log(tmp_path / "log.jsonl", 900, FIGHTING, late=450), target)
    generator, discriminator, _ = inked(target, 3)[2]
    # of about 800 columns; the legend adds 28
    assert generator > 600
    assert 250 < discriminator < generator * 0.6


def test_a_torn_last_line(tmp_path: Path) -> None:
    """The log of a run that goes on may end within a line, which is not drawn yet."""
    log, target = _log(tmp_path / "log.jsonl", 60, FIGHTING), tmp_path / "losses.png"
    loss_curves(log, target)
    before = opened(target)
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 61, "epoch": 0, "loss_G": 9')
    loss_curves(log, target)
    assert np.array_equal(opened(target), before)


@pytest.mark.parametrize("text", ["broken\n", '{"step": 1\n{"step": 2}\n', b"\xff\xfe\n"])
def test_a_broken_log(tmp_path: Path, text: str | bytes) -> None:
    """A log that is none is named, in a line, and nothing is drawn."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=r"log\.jsonl: broken: ") as caught:
        loss_curves(log, tmp_path / "losses.png")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == [log]


@pytest.fixture
def two_runs(tmp_path: Path) -> Callable[[], dict[str, Path]]:
    """Two runs of different lengths, of which the first alone was validated."""
    long = _log(tmp_path / "long" / "log.jsonl", 700, FIGHTING, late=300).parent
    short = _log(tmp_path / "short" / "log.jsonl", 300, ALONE).parent
    rows = [{"step": step, "ab_error": 10 - step / 100} for step in range(100, 800, 100)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (long / "validation.jsonl").write_text(lines, "utf-8")
    return lambda: {"long": long, "short": short}


def test_compare_losses(two_runs: Callable[[], dict[str, Path]], tmp_path: Path) -> None:
    """Both runs' losses above, as long as they are; below the errors of the one that has some, in
    the run's own color."""
    runs, target = two_runs(), tmp_path / "compare.png"
    compare_losses(runs, target)
    (long, short, _), (errors, none, _) = inked(target, 2)
    assert long > short * 1.5 > 0
    assert errors > 0 and none == 0
    compare_losses(dict(reversed(runs.items())), target)
    (short, long, _), (none, errors, _) = inked(target, 2)
    assert long > short * 1.5 > 0
    assert errors > 0 and none == 0


def test_compare_losses_of_a_new_run(
    two_runs: Callable[[], dict[str, Path]], tmp_path: Path
) -> None:
    """A run whose log is still empty has no curve; one without a log is no run."""
    runs, target = two_runs(), tmp_path / "compare.png"
    (runs["short"] / "log.jsonl").write_text("", "utf-8")
    compare_losses(runs, target)
    assert inked(target, 2)[0][1] == 0
    (runs["short"] / "log.jsonl").unlink()
    with pytest.raises(UsageError, match="short is not a run"):
        compare_losses(runs, target)


# --- the command -------------------------------------------------------------------------------


def test_folders_are_looked_at_first(
    finished_run: Path, models: list[Model], tmp_path: Path
) -> None:
    """Without photographs or old pictures where they were promised, nothing is drawn."""
    (tmp_path / "empty").mkdir()
    for photographs, old in ((tmp_path / "empty", None), (None, tmp_path / "empty")):
        with pytest.raises(UsageError, match=r"no (photographs|pictures) in"):
            plot(
                {"run": finished_run},
                models,
                tmp_path / "out",
                epochs=(1,),
                photographs=photographs,
                old=old,
                count=2,
                side=32,
            )
        assert list((tmp_path / "out").iterdir()) == []
