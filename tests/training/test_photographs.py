"""Photographs of a folder: which ones, in which order, and where they come from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorbatch.errors import UsageError
from training.photographs import Photographs, is_grey, source_of

COLORS = [getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea")]


def picture(index: int) -> np.ndarray:
    """A window of one of three photographs in color: (20, 24, 3), uint8."""
    return COLORS[index % 3][60 + index : 80 + index, 150:174]


def write(folder: Path, *names: str) -> Path:
    """Color photographs of these names below a folder."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i)).save(path)
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Four photographs in color among grey, broken and foreign files."""
    folder = write(tmp_path / "photos", "a-1.png", "a-2.jpg", "deep/b-1.png", "deep/er/b-2.tif")
    grey = skimage.data.camera()[:40, :40]
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(np.dstack([grey] * 3)).save(folder / "deep" / "grey.jpg")
    whole = (folder / "a-1.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").touch()
    (folder / "no picture.png").write_text("hello", "utf-8")
    for junk in ("._a-1.png", ".colorbatch-0123-a.png", "Thumbs.db", "notes.txt"):
        (folder / junk).write_bytes(whole)
    return folder


def test_grey_and_unreadable_are_counted(mixed: Path) -> None:
    """Photographs in color come as their pixels; grey and broken ones are counted each time anew,
    and junk of file managers is nothing at all."""
    photographs = Photographs(mixed)
    for _ in range(2):
        found = dict(photographs)
        assert set(found) == {"a-1.png", "a-2.jpg", "deep/b-1.png", "deep/er/b-2.tif"}
        assert photographs.passed_over == 5  # two grey, cut, empty, text
    assert np.array_equal(found["a-1.png"], picture(0))  # PNG and TIFF lose nothing
    assert np.array_equal(found["deep/er/b-2.tif"], picture(3))


def test_order_is_of_names_alone(tmp_path: Path) -> None:
    """The same names in another folder, made in another order, come in the same order: that of
    their SHA-256, whichever the file system's."""
    names = [f"{source}-{i}.png" for source in ("coast", "people", "streets") for i in range(8)]
    first = Photographs(write(tmp_path / "first", *names))
    second = Photographs(write(tmp_path / "second" / "deeper", *reversed(names)))
    order = [name for name, _ in first]
    assert order == [name for name, _ in second]
    assert order == sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def test_the_first_few_are_of_all_sources(tmp_path: Path) -> None:
    """A third of the photographs is enough to meet every source, though names sort by source."""
    names = [f"{source}/{i}.png" for source in ("cats", "coast", "harbor") for i in range(8)]
    few = [name for name, _ in Photographs(write(tmp_path, *names), limit=8)]
    assert {source_of(name) for name in few} == {"cats", "coast", "harbor"}


def test_limit(mixed: Path) -> None:
    """`limit` bounds what is yielded, not what is passed over; 0 and more than there are is all."""
    everything = [name for name, _ in Photographs(mixed)]
    for limit in (1, 3):
        assert [name for name, _ in Photographs(mixed, limit)] == everything[:limit]
    for limit in (0, 99):
        assert [name for name, _ in Photographs(mixed, limit)] == everything


def test_skip(mixed: Path) -> None:
    """What lies below the folder `skip` is left out, however the folder is written."""
    photographs = Photographs(mixed, skip=mixed / "a" / ".." / "deep")
    assert {name for name, _ in photographs} == {"a-1.png", "a-2.jpg"}
    assert photographs.passed_over == 4


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """File names that are no UTF-8 are names like others."""
    write(tmp_path, "a-1.png")
    try:
        (tmp_path / "a-1.png").rename(tmp_path / os.fsdecode(b"\xff\xfe-1.png"))
    except (OSError, UnicodeDecodeError):
        pytest.skip("this file system takes UTF-8 names only")
    [(name, pixels)] = Photographs(tmp_path)
    assert np.array_equal(pixels, picture(0))
    assert os.fsencode(name) == b"\xff\xfe-1.png"


@pytest.mark.parametrize(("name", "said"), [("none", "no such folder"), ("empty", "no photograph")])
def test_folders_without_pictures(tmp_path: Path, name: str, said: str) -> None:
    """A folder that is missing, a file, or empty is refused at once."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=said):
        Photographs(tmp_path / name)
    (tmp_path / "none").write_text("a file", "utf-8")
    with pytest.raises(UsageError, match=said):
        Photographs(tmp_path / name)


def test_grey() -> None:
    """Grey stays grey under JPEG's noise of a code or two; photographs in color never are."""
    noise = np.random.default_rng(0).integers(-1, 2, (60, 60, 3))
    grey = np.dstack([skimage.data.camera()[100:160, 100:160]] * 3)
    assert is_grey(grey)
    assert is_grey(np.clip(grey + noise, 0, 255).astype(np.uint8))
    assert not any(is_grey(photograph) for photograph in COLORS)
    assert is_grey(np.full((1, 1, 3), 77, np.uint8))
    assert not is_grey(np.full((1, 2000, 3), (200, 30, 30), np.uint8))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("coco-000123.jpg", "coco"),
        ("coco_000123.jpg", "coco"),
        ("deep/coco-7.png", "coco"),
        ("open-images-0001.jpg", "open-images"),
        ("IMG_2031.JPG", "IMG"),
        ("museum/portrait.jpg", "museum"),
        ("museum/1900/portrait.jpg", "museum/1900"),
        ("museum/000123.jpg", "museum"),  # a number alone names no source
        ("museum/1912-04-15.jpg", "museum"),  # nor does a date
        ("portrait.jpg", ""),
        ("000123.jpg", ""),
        ("grün-12.jpg", "grün"),
        ("v1.2-3.tar.png", ""),  # the suffix is the last one alone
        ("with space 4-5.png", ""),  # ends in a digit before the number
        ("with space-5.png", "with space"),
    ],
)
def test_source_of(name: str, source: str) -> None:
    """`<source>-<number>` or `<source>_<number>`, else the folder, else nothing."""
    assert source_of(name) == source
