"""Photographs to batches: the split, the cache, the randomness, and the colors."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image

from colorbatch import color
from colorbatch.errors import UsageError
from colorbatch.images import load_rgb
from training.config import TrainConfig
from training.data import (
    PhotoCache,
    is_validation,
    open_caches,
    sample,
    steps_per_epoch,
    to_tensors,
    training_batch,
    training_batches,
    validation_batches,
    whole_picture,
)

PLAIN = TrainConfig(width=8, levels=6, size=64, batch_size=4, flip=False)
PHOTO = skimage.data.astronaut()[:120, 180:330]


def _write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


# --- the split ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "held_out"),
    # the first hex digits of `sha256sum` of the name; a fifth of 2^64 is 0x3333...
    [
        ("DSC_0004.JPG", True),  # 0b501293
        ("DSC_0006.JPG", True),  # 2f8e4c29
        ("DSC_0007.JPG", True),  # 01fab743
        ("\u00c5.png", False),  # 348744ad, in UTF-8
        ("a.jpg", False),  # 509b0d46
        ("DSC_0001.JPG", False),  # f6fb7150
    ],
)
def test_split_by_hash_of_name(name: str, held_out: bool) -> None:
    """SHA-256 of the file's name decides, on every machine and in every version."""
    assert is_validation(name) is held_out
    assert is_validation(f"some/folder/{name}") is held_out


def test_split_share() -> None:
    """About a fifth of many names is held out."""
    share = np.mean([is_validation(f"photo{i}.jpg") for i in range(5000)])
    assert abs(share - 0.2) < 0.025  # over four standard errors of 5000 draws


def test_split_of_a_folder(tmp_path: Path) -> None:
    """Every photograph is in one of the two sets, and stays there when the folder grows."""
    for i in range(20):
        _write(tmp_path / "data" / f"sub{i % 3}" / f"p{i}.png", PHOTO[i : i + 70, :80])
    first = open_caches(tmp_path / "data", None, tmp_path / "cache", PLAIN)
    before = [{Path(name).name for name in part.names} for part in first]
    assert before[0] | before[1] == {f"p{i}.png" for i in range(20)}
    assert not before[0] & before[1]
    for i in range(20, 26):
        _write(tmp_path / "data" / f"p{i}.png", PHOTO[i : i + 70, :80])
    second = open_caches(tmp_path / "data", None, tmp_path / "cache", PLAIN)
    after = [{Path(name).name for name in part.names} for part in second]
    assert before[0] < after[0] and before[1] <= after[1]


# --- the cache ---------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of good and bad photographs, and one with a single photograph to validate on."""
    data, val = tmp_path / "data", tmp_path / "val"
    _write(data / "a.png", PHOTO)
    _write(data / "deep" / "er" / "b.jpg", PHOTO[:, ::-1])
    _write(data / "small.webp", PHOTO[:40, :50])
    _write(data / "grey.png", PHOTO[..., 0])
    _write(data / "grey as rgb.jpg", np.dstack([PHOTO[..., 1]] * 3))
    (data / "empty.jpg").touch()
    (data / "cut.png").write_bytes((data / "a.png").read_bytes()[:2000])
    (data / "text.jpg").write_text("no picture")
    (data / "gone.jpg").symlink_to(data / "nowhere.jpg")
    (data / "notes.txt").write_text("not even a picture's name")
    _write(val / "v.png", PHOTO[20:, 20:])
    return data, val


def _open(folders: tuple[Path, Path], config: TrainConfig = PLAIN) -> PhotoCache:
    return open_caches(*folders, folders[0].parent / "cache", config)[0]


def test_grey_and_unreadable_are_counted(folders: tuple[Path, Path]) -> None:
    """Grey photographs and broken files are left out and counted; everything else is in."""
    cache = _open(folders)
    assert cache.names == ("a.png", "small.webp", "deep/er/b.jpg")
    assert (cache.grey, cache.unreadable, len(cache)) == (2, 4, 3)


def test_photos_are_kept_and_shrunk(folders: tuple[Path, Path]) -> None:
    """The short side becomes the network's size; a smaller photograph keeps its pixels."""
    cache = _open(folders)
    assert cache.sizes == ((64, 80), (40, 50), (64, 80))  # 120 x 150 and 40 x 50
    expected = color.resize_area(PHOTO, (64, 80))
    assert np.array_equal(cache.photo(0), expected)
    assert np.array_equal(cache.photo(1), load_rgb(folders[0] / "small.webp"))


def test_short_side_leaves_room_for_crops(folders: tuple[Path, Path]) -> None:
    """With crops the cache is larger, so that a cropped picture is still sharp."""
    cache = _open(folders, dataclasses.replace(PLAIN, crop=0.64))
    assert cache.sizes[0] == (100, 125)


def test_cache_is_reused(folders: tuple[Path, Path]) -> None:
    """Photographs are decoded once: the second time the file of pixels is not touched."""
    first = _open(folders)
    [path] = (folders[0].parent / "cache").glob("train-*.rgb")
    before = path.stat()
    second = _open(folders)
    after = path.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert second.digest == first.digest
    assert np.array_equal(second.pixels, first.pixels)


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_cache_follows_the_folder(folders: tuple[Path, Path], change: str) -> None:
    """A photograph that is edited, added or removed is seen at the next start."""
    _open(folders)
    path = folders[0] / "a.png"
    if change == "edited":
        _write(path, PHOTO[::-1])
        os.utime(path, ns=(1, 1))  # whatever the clock's resolution
        assert np.array_equal(_open(folders).photo(0), color.resize_area(PHOTO[::-1], (64, 80)))
    elif change == "added":
        shutil.copy(path, folders[0] / "new.png")
        assert "new.png" in _open(folders).names
    else:
        path.unlink()
        assert _open(folders).names == ("small.webp", "deep/er/b.jpg")


def test_cache_in_use_survives_a_rebuild(folders: tuple[Path, Path]) -> None:
    """A run that shares its cache keeps its pixels when another run decodes at another size."""
    first = _open(folders)
    before = np.array(first.pixels)
    other = _open(folders, dataclasses.replace(PLAIN, size=32))
    assert other.sizes[0] == (32, 40)
    assert np.array_equal(first.pixels, before)


def test_empty_sets_are_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    """Without a single color photograph, for training or for validation, there is no run."""
    grey = tmp_path / "only grey"
    _write(grey / "g.png", PHOTO[..., 0])
    with pytest.raises(UsageError, match=r"for training in .*only grey"):
        open_caches(grey, folders[1], tmp_path / "c1", PLAIN)
    with pytest.raises(UsageError, match=r"for validation in .*only grey"):
        open_caches(folders[0], grey, tmp_path / "c2", PLAIN)
    with pytest.raises(UsageError, match="no such folder"):
        open_caches(tmp_path / "nowhere", None, tmp_path / "c3", PLAIN)


# --- samples -----------------------------------------------------------------------------------

RANDOM = dataclasses.replace(PLAIN, flip=True, rotation=8.0, crop=0.7)


def test_randomness_is_of_seed_epoch_and_index() -> None:
    """The same three numbers give the same sample, whatever was drawn before; others another."""
    reference = sample(PHOTO, RANDOM, 3, 5)
    np.random.seed(1)
    torch.manual_seed(1)
    sample(PHOTO, RANDOM, 0, 0)
    assert np.array_equal(sample(PHOTO, RANDOM, 3, 5), reference)
    reseeded = dataclasses.replace(RANDOM, seed=1)
    for other in ((RANDOM, 4, 5), (RANDOM, 3, 6), (reseeded, 3, 5)):
        assert not np.array_equal(sample(PHOTO, *other), reference)


def test_nothing_random_configured() -> None:
    """Without crop, rotation and flip a sample is the whole picture, squeezed as the tool does."""
    for index in range(8):
        picture = sample(PHOTO, PLAIN, 0, index)
        assert np.array_equal(picture, whole_picture(PHOTO, 64))


def test_flips() -> None:
    """About half of the samples are mirrored, exactly."""
    config = dataclasses.replace(PLAIN, flip=True)
    whole = whole_picture(PHOTO, 64)
    mirrored = 0
    for index in range(200):
        picture = sample(PHOTO, config, 0, index)
        flipped = np.array_equal(picture, whole[:, ::-1])
        assert flipped or np.array_equal(picture, whole)
        mirrored += flipped
    assert 70 < mirrored < 130  # over four standard deviations of 200 coins


def test_crops() -> None:
    """Windows have at least the configured share of each side and lie anywhere."""
    rows, columns = np.mgrid[:256, :256]
    place = np.dstack([rows, columns, np.zeros_like(rows)]).astype(np.uint8)
    config = dataclasses.replace(PLAIN, crop=0.5)
    extents, starts = [], []
    for index in range(60):
        window = sample(place, config, 0, index)[..., :2].astype(int)
        low, high = window.min(axis=(0, 1)), window.max(axis=(0, 1))
        extents.extend(high - low + 1)
        starts.extend(low)
        # rows grow downwards and columns to the right: nothing is turned or mirrored
        assert (np.diff(window[:, 0, 0]) >= 0).all() and (np.diff(window[0, :, 1]) >= 0).all()
    # area averages lie up to half a step of 256 / 64 inside of the window
    assert 128 - 4 <= min(extents) < 150 and 230 < max(extents) <= 256
    assert min(starts) < 10 and 90 < max(starts) <= 130


def test_rotation() -> None:
    """Pictures are turned about their center by up to the configured angle, both ways."""
    columns = np.tile(np.arange(64) * 3 + 20, (64, 1))
    ramp = np.dstack([columns] * 3).astype(np.uint8)
    config = dataclasses.replace(PLAIN, rotation=12.0)
    angles = []
    for index in range(80):
        turned = sample(ramp, config, 0, index)[20:44, 20:44, 0].astype(float)
        down, right = (slope.mean() for slope in np.gradient(turned))
        angles.append(np.degrees(np.arctan2(down, right)))
        assert turned.mean() == pytest.approx(20 + 3 * 31.5, abs=1)  # rounding to codes
    # rounding to codes over 24 pixels of slope 3 gives the angle to about half a degree
    assert np.abs(angles).max() < 12.5
    assert min(angles) < -8 and max(angles) > 8


# --- tensors and batches -----------------------------------------------------------------------


def test_tensors_are_the_tools_lab() -> None:
    """Each picture of a batch is what colorbatch.color makes of it, layout and range included."""
    pictures = [whole_picture(photo, 64) for photo in (PHOTO, skimage.data.coffee())]
    lightness, chroma = to_tensors(pictures)
    assert (lightness.shape, chroma.shape) == ((2, 1, 64, 64), (2, 2, 64, 64))
    assert (lightness.dtype, chroma.dtype) == (torch.float32, torch.float32)
    for i, picture in enumerate(pictures):
        lab = color.rgb_to_lab(picture)
        assert np.array_equal(lightness[i, 0], color.network_lightness(lab[..., 0]))
        assert np.array_equal(np.moveaxis(chroma[i].numpy(), 0, -1), lab[..., 1:] / np.float32(110))
        reference = skimage.color.rgb2lab(picture)
        # scikit-image's white point and matrix differ in the fourth digit
        assert np.abs((lightness[i, 0].numpy() + 1) * 50 - reference[..., 0]).max() < 0.05
        assert np.abs(chroma[i, 1].numpy() * 110 - reference[..., 2]).max() < 0.05


def test_tensors_in_rgb() -> None:
    """In `rgb` the condition is grey three times over and the target the picture itself."""
    pictures = [whole_picture(photo, 64) for photo in (PHOTO, skimage.data.coffee())]
    grey, colors = to_tensors(pictures, "rgb")
    assert (grey.shape, colors.shape) == ((2, 3, 64, 64), (2, 3, 64, 64))
    assert (grey.dtype, colors.dtype) == (torch.float32, torch.float32)
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    for i, picture in enumerate(pictures):
        codes = (colors[i].permute(1, 2, 0).numpy() + 1) * 127.5
        assert np.abs(codes - picture).max() < 1e-4  # float32 rounding of codes up to 255
        # the grey that has the picture's lightness
        shown = np.dstack([(grey[i, 0].numpy() + 1) / 2] * 3).astype(np.float64)
        found, true = skimage.color.rgb2lab(shown)[..., 0], skimage.color.rgb2lab(picture)[..., 0]
        # scikit-image's matrix differs in the fourth digit
        assert np.abs(found - true).max() < 0.05


def test_batches_are_in_the_settings_space(folders: tuple[Path, Path]) -> None:
    """A batch of a run in `rgb` is that of the same pictures as in `lab`, in the other space."""
    cache = _open(folders)
    _, (lightness, chroma) = training_batch(cache, RANDOM, 3)
    _, (grey, colors) = training_batch(cache, dataclasses.replace(RANDOM, color_space="rgb"), 3)
    assert (lightness.shape[1], chroma.shape[1], grey.shape[1], colors.shape[1]) == (1, 2, 3, 3)
    pictures = np.rint((colors.permute(0, 2, 3, 1).numpy() + 1) * 127.5).astype(np.uint8)
    again, _ = to_tensors(list(pictures))
    assert torch.equal(again, lightness)


def test_training_and_inference_see_the_same_lightness() -> None:
    """For a grey picture the data path and the tool's path give the network the same input."""
    grey = color.grey_of(PHOTO)
    lightness, chroma = to_tensors([sample(np.dstack([grey] * 3), PLAIN, 0, 0)])
    expected = color.network_lightness(color.network_view(grey, (64, 64)))
    # OpenCV's cube root is off by up to 0.004 in L near black, a hundredth of one code
    assert np.abs(lightness[0, 0].numpy() - expected).max() < 1e-4
    assert chroma.abs().max() < 1e-4  # neutral to 0.01 Lab


def test_batches_go_on_where_they_are_asked_to(folders: tuple[Path, Path]) -> None:
    """The stream from step k on is the tail of the stream from 0 on, across epochs."""
    cache = _open(folders)
    config = dataclasses.replace(RANDOM, batch_size=1)
    whole = training_batches(cache, config, 0)
    batches = [next(whole) for _ in range(7)]
    assert [epoch for epoch, _ in batches] == [0, 0, 0, 1, 1, 1, 2]
    later = training_batches(cache, config, 4)
    for epoch, (lightness, chroma) in batches[4:]:
        again_epoch, (again_lightness, again_chroma) = next(later)
        assert epoch == again_epoch
        assert torch.equal(lightness, again_lightness) and torch.equal(chroma, again_chroma)


def test_an_epoch_visits_every_photograph(folders: tuple[Path, Path]) -> None:
    """One epoch of single pictures is every photograph once, each epoch in its own order."""
    cache = _open(folders)
    config = dataclasses.replace(PLAIN, batch_size=1)
    views = [to_tensors([whole_picture(cache.photo(i), 64)])[0] for i in range(3)]
    orders = []
    for epoch in range(12):
        seen = [training_batch(cache, config, epoch * 3 + i)[1][0] for i in range(3)]
        orders.append([[torch.equal(x, view) for view in views].index(True) for x in seen])
    assert all(sorted(order) == [0, 1, 2] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (3, 1), (4, 1), (7, 1), (8, 2)])
def test_steps_per_epoch(count: int, steps: int) -> None:
    """Whole batches of 4, at least one."""
    assert steps_per_epoch(count, PLAIN) == steps


def test_validation_pictures_are_fixed(folders: tuple[Path, Path]) -> None:
    """The first few are the same at every call, whole and unturned."""
    cache = _open(folders)
    [(two, lab)] = validation_batches(cache, RANDOM, 2)
    [(three, _)] = validation_batches(cache, RANDOM, 100)
    assert (len(two), len(three), lab.shape) == (2, 3, (2, 64, 64, 3))
    assert all(np.array_equal(lab[i], color.rgb_to_lab(picture)) for i, picture in enumerate(two))
    assert all(np.array_equal(a, b) for a, b in zip(two, three, strict=False))
    whole = [whole_picture(cache.photo(i), 64) for i in range(3)]
    assert all(any(np.array_equal(picture, w) for w in whole) for picture in three)
