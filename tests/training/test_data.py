"""Photographs of folders: the split, the cache, the order of epochs, and the colors."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image

from colorbatch import color
from colorbatch.errors import UsageError
from colorbatch.formats.reader import load_rgb
from training.config import TrainConfig
from training.data import (
    Folder,
    PhotoCache,
    epoch_order,
    is_validation,
    open_caches,
    step_photographs,
    steps_per_epoch,
    to_tensors,
    validation_batches,
    whole_picture,
)

CacheOf = Callable[[Sequence[np.ndarray]], PhotoCache]
PLAIN = TrainConfig(width=8, levels=6, size=64, batch_size=4, flip=False)
RANDOM = dataclasses.replace(PLAIN, flip=True, rotation=8.0, crop=0.7)
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
    assert np.array_equal(second.pixels[0], first.pixels[0])


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
    before = np.array(first.pixels[0])
    other = _open(folders, dataclasses.replace(PLAIN, size=32))
    assert other.sizes[0] == (32, 40)
    assert np.array_equal(first.pixels[0], before)


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


# --- several folders ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("photos", Folder(Path("photos"), 1.0)),
        ("photos:0.3", Folder(Path("photos"), 0.3)),
        ("deep/er:2", Folder(Path("deep/er"), 2.0)),
        ("photos:100", Folder(Path("photos"), 100.0)),
        ("C:\\photos", Folder(Path("C:\\photos"), 1.0)),
        ("C:\\photos:0.5", Folder(Path("C:\\photos"), 0.5)),
        ("C:/photos/2019", Folder(Path("C:/photos/2019"), 1.0)),
        ("12:30 at noon", Folder(Path("12:30 at noon"), 1.0)),
        ("photos:-1", Folder(Path("photos:-1"), 1.0)),
    ],
)
def test_folder_of(text: str, folder: Folder) -> None:
    """A number behind the last colon is a weight; any other colon belongs to the path."""
    assert Folder.of(text) == folder


@pytest.mark.skipif(os.name == "nt", reason="no colon in names there")
def test_folder_with_a_number_in_its_name(tmp_path: Path) -> None:
    """A folder that is there is meant, whatever its name ends in; a weight can follow it."""
    named = tmp_path / "box:2"
    named.mkdir()
    assert Folder.of(str(named)) == Folder(named, 1.0)
    assert Folder.of(f"{named}:0.5") == Folder(named, 0.5)


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        ("0", "the weight of photos is above 0 and at most 100, not 0"),
        ("100.1", "the weight of photos is above 0 and at most 100, not 100.1"),
        ("1.2.3", "1.2.3 is no weight for photos"),
        (".", ". is no weight for photos"),
    ],
)
def test_weights_that_are_refused(weight: str, said: str) -> None:
    """What looks like a weight and cannot be one is refused in words."""
    with pytest.raises(UsageError) as caught:
        Folder.of(f"photos:{weight}")
    assert str(caught.value) == said


@pytest.fixture
def three(tmp_path: Path) -> tuple[Folder, ...]:
    """Folders of 10, 4 and 7 photographs with weights 0.3, 2 and 1, their files' names the same."""
    for name, count in (("a", 10), ("b", 4), ("c", 7)):
        for i in range(count):
            _write(tmp_path / name / f"p{i}.png", PHOTO[i : i + 40, ord(name) - 97 :][:, :50])
    weights = {"a": 0.3, "b": 2.0, "c": 1.0}
    return tuple(Folder(tmp_path / name, weight) for name, weight in weights.items())


def test_several_folders_are_one_cache(
    three: tuple[Folder, ...], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """The photographs of all folders, with their pixels; equal names are told apart."""
    cache, held_out = open_caches(three, folders[1], tmp_path / "cache", PLAIN)
    assert len(cache) == len(set(cache.names)) == 21
    assert (cache.lengths, cache.seen) == ((10, 4, 7), (3, 8, 7))
    assert held_out.names == ("v.png",)
    for index, name in enumerate(cache.names):
        part, path = name.split(":")
        assert np.array_equal(cache.photo(index), load_rgb(three[int(part)].path / path))


def test_several_folders_give_photographs_for_validation(
    three: tuple[Folder, ...], tmp_path: Path
) -> None:
    """Without a validation folder a fifth of each is held out, by the names' hash."""
    parts = open_caches(three, None, tmp_path / "cache", PLAIN)
    names = [{name for name in part.names} for part in parts]
    assert names[0] | names[1] == {
        f"{i}:p{k}.png" for i, count in enumerate((10, 4, 7)) for k in range(count)
    }
    for found, held_out in zip(names, (False, True), strict=True):
        assert {is_validation(name.partition(":")[2]) for name in found} == {held_out}


def test_a_folder_without_photographs_is_refused(
    three: tuple[Folder, ...], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """One of several folders that has no color photograph is named: a weight of nothing."""
    _write(tmp_path / "only grey" / "g.png", PHOTO[..., 0])
    several = (three[0], Folder(tmp_path / "only grey"))
    with pytest.raises(UsageError, match=r"for training in .*only grey"):
        open_caches(several, folders[1], tmp_path / "cache", PLAIN)


def test_epochs_of_weighted_folders(
    three: tuple[Folder, ...], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """An epoch sees round(weight x n) of each folder, mixed, the next one others: none again
    before all of its folder were seen."""
    cache, _ = open_caches(three, folders[1], tmp_path / "cache", PLAIN)
    epochs = [epoch_order(cache, 0, epoch) for epoch in range(10)]
    starts = (0, 10, 14, 21)
    for order in epochs:
        assert np.histogram(order, starts)[0].tolist() == [3, 8, 7]
        assert (np.diff(np.digitize(order, starts)) != 0).sum() > 2  # not one after the other
    for first, end in itertools.pairwise(starts):
        visits: Counter[int] = Counter()
        for order in epochs:
            seen = Counter(int(i) for i in order if first <= i < end)
            visits += seen
            counts = [visits[i] for i in range(first, end)]
            assert max(counts) - min(counts) <= 1
    assert len({tuple(sorted(order[order < 10])) for order in epochs[:3]}) == 3
    assert not np.array_equal(epochs[0], epoch_order(cache, 1, 0))
    assert np.array_equal(epochs[4], epoch_order(cache, 0, 4))


def test_digest_of_folders(
    three: tuple[Folder, ...], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Other weights, another order and fewer folders are other data; the same again is the same."""

    def digest(*several: Folder) -> str:
        return open_caches(several, folders[1], tmp_path / "cache", PLAIN)[0].digest

    a, b, c = three
    assert digest(a, b, c) == digest(a, b, c)
    others = [(b, a, c), (a, b), (a,), (dataclasses.replace(a, weight=0.4), b, c)]
    assert len({digest(*three), *(digest(*other) for other in others)}) == 5
    alone = open_caches(a.path, folders[1], tmp_path / "cache", PLAIN)[0]
    assert alone.digest == digest(Folder(a.path))


# --- tensors and epochs ------------------------------------------------------------------------


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


def test_epochs_follow_each_other(cache_of: CacheOf) -> None:
    """A step's epoch and photographs are a function of its number: whole batches, then the next
    epoch, in an order of its own."""
    cache = cache_of([PHOTO[:8, :8]] * 7)
    config = dataclasses.replace(PLAIN, batch_size=2)
    found = [step_photographs(cache, config, step) for step in range(9)]
    assert [epoch for epoch, _ in found] == [0] * 3 + [1] * 3 + [2] * 3
    orders = [[i for at, part in found if at == epoch for i in part] for epoch in range(3)]
    for epoch, order in enumerate(orders):
        assert order == epoch_order(cache, 0, epoch)[:6].tolist()
        assert len(set(order)) == 6
    assert len({tuple(order) for order in orders}) == 3
    assert step_photographs(cache, config, 4) == found[4]


def test_second_views_take_places_of_a_batch(cache_of: CacheOf) -> None:
    """With pairs a step sees fewer photographs, and an epoch has as many steps more."""
    cache = cache_of([PHOTO[:8, :8]] * 12)
    config = dataclasses.replace(PLAIN, pairs=0.25)  # 3 photographs of a batch of 4
    assert steps_per_epoch(cache, config) == 4
    seen = [index for step in range(4) for index in step_photographs(cache, config, step)[1]]
    assert sorted(seen) == list(range(12))


def test_an_epoch_visits_every_photograph(folders: tuple[Path, Path]) -> None:
    """One epoch of single pictures is every photograph once, each epoch in its own order."""
    cache = _open(folders)
    config = dataclasses.replace(PLAIN, batch_size=1)
    orders = [
        [step_photographs(cache, config, epoch * 3 + i)[1] for i in range(3)] for epoch in range(12)
    ]
    assert all(sorted(order) == [[0], [1], [2]] for order in orders)
    assert len({str(order) for order in orders}) > 1


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (3, 1), (4, 1), (7, 1), (8, 2)])
def test_steps_per_epoch(cache_of: CacheOf, count: int, steps: int) -> None:
    """Whole batches of 4, at least one."""
    assert steps_per_epoch(cache_of([PHOTO[:8, :8]] * count), PLAIN) == steps


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
