"""A look at numbered frames before the work: stills, as a list has their shots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from colorbatch.clips import film_journal, numbered_frame, numbered_preview, preview
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import FilmBook
from colorbatch.clips.numbered_clip import FramesClip
from colorbatch.clips.shot_models import ShotModels
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.color import Codes
from colorbatch.errors import SourceError, UsageError
from colorbatch.job import FilmOutcome, FilmSettings
from colorbatch.model.engine import Engine
from tests.colorbatch.clips.sequences import Counting, clip_of, picture, sheet_of

COUNT = 13
"""Stills of `mixed_frames`: 1003, 1008, 1013 and so on, of each of its shots one at least."""
Make = Callable[..., FilmOutcome]
NOT_STEADIED = FilmSettings(stability=0)


@pytest.fixture
def maker(counting: Counting) -> Maker:
    return Maker(counting, "model", NOT_STEADIED, models=ShotModels("cpu", 4))


@pytest.fixture
def sheet(make_model: Callable[..., Path], tmp_path: Path) -> Sheet:
    """A list that has another model for some frames, and more."""
    make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    rgb = np.clip(picture("grey", 4, 10) * np.array([1.2, 0.9, 0.6]), 0, 255)
    cv2.imwrite(str(tmp_path / "s_1050.png"), rgb.astype(np.uint8))
    return sheet_of(
        tmp_path,
        "start,end,action,saturation,model,reference\n"
        "1001,1010,,,other.onnx,\n1011,1030,color,0.3,,\n1040,1065,color,,other.onnx,s_1050.png\n",
    )


def stills(one: FramesClip) -> dict[int, tuple[Codes, Codes]]:
    """Of each frame before and after, sRGB codes."""
    found = {}
    for path in one.plan.folder.glob("*-before.png"):
        pair = path, path.with_name(path.name.replace("before", "after"))
        before, after = (np.asarray(cv2.imread(str(each))[..., ::-1]) for each in pair)
        found[int(path.name[2:6])] = before, after
    return found


def frame(path: Path) -> Codes:
    return preview.srgb(numbered_frame.read(path))


def test_stills_are_as_a_list_has_their_shots(
    mixed_frames: Path, tmp_path: Path, maker: Maker, sheet: Sheet, make_frames: Make
) -> None:
    """As the frames that the run makes, which does not look for shots again."""
    one = clip_of(mixed_frames, tmp_path / "out", sheet)
    shown = numbered_preview.write(one, maker, COUNT)
    assert len(shown.stills) == 2 * COUNT and shown.shot_list is None
    found, looked = stills(one), list[str]()

    def stage(what: str, total: int | None, unit: str) -> Callable[[int], None]:
        looked.append(what)
        return lambda more: None

    make_frames(one, settings=NOT_STEADIED, stage=stage)
    assert looked == [""] and len(found) == COUNT
    for number, (before, after) in found.items():
        assert np.array_equal(before, frame(mixed_frames / f"f_{number}.tif"))
        assert np.array_equal(after, frame(tmp_path / "out" / f"f_{number}.tif"))
    kept = [number for number, pair in found.items() if np.array_equal(*pair)]
    assert sorted(kept) == [1033, 1038]  # in color, and a grey title


def test_without_a_list_each_frame_is_colored(
    mixed_frames: Path, tmp_path: Path, maker: Maker
) -> None:
    """Whatever it shows; nothing but stills is written."""
    one = clip_of(mixed_frames, tmp_path / "out")
    numbered_preview.write(one, maker, COUNT)
    found = stills(one)
    assert all(np.ptp(after.astype(int), axis=2).max() > 20 for _, after in found.values())
    assert len(list((tmp_path / "out").iterdir())) == 2 * COUNT


def test_a_preview_beside_a_run_leaves_its_account(
    mixed_frames: Path, tmp_path: Path, maker: Maker, sheet: Sheet
) -> None:
    """With the same stills."""
    alone = clip_of(mixed_frames, tmp_path / "alone", sheet)
    numbered_preview.write(alone, maker, COUNT)
    one = clip_of(mixed_frames, tmp_path / "out", sheet)
    folder = film_journal.folder_of(one.job)
    with FilmBook(folder, one.job.target):
        before = sorted(folder.rglob("*"))
        numbered_preview.write(one, maker, COUNT)
        assert sorted(folder.rglob("*")) == before
    first, second = stills(alone), stills(one)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[number][1], second[number][1]) for number in first)


def test_what_cannot_be_shown_as_the_list_says_is_one_line(
    mixed_frames: Path, tmp_path: Path, maker: Maker, sheet: Sheet
) -> None:
    """Numbers that there are not, a model that is another one by now, a still of another frame; a
    frame that cannot be read is passed over."""

    def shown(given: Sheet) -> None:
        numbered_preview.write(clip_of(mixed_frames, tmp_path / "out", given), maker, COUNT)

    with pytest.raises(UsageError, match="column end: 1066 is not from 1001 to 1065"):
        shown(sheet_of(tmp_path, "start,end\n1001,1066\n"))
    (mixed_frames / "f_1003.tif").write_bytes(b"no picture")
    shown(sheet)
    assert len(stills(clip_of(mixed_frames, tmp_path / "out"))) == COUNT - 1
    model = tmp_path / "other.onnx"
    model.write_bytes(model.read_bytes() + b"\x7a\x00")
    with pytest.raises(SourceError, match=r"other\.onnx: was changed while it was used"):
        shown(sheet)
    (tmp_path / "s_1050.png").rename(tmp_path / "s_1020.png")
    with pytest.raises(SourceError, match=r"s_1020\.png: is not a picture of that frame"):
        shown(sheet_of(tmp_path, "start,end,reference\n1001,1030,s_1020.png\n"))


def test_models_are_warm_before_they_are_timed(
    mixed_frames: Path, tmp_path: Path, maker: Maker, sheet: Sheet, monkeypatch: Any
) -> None:
    """Each of them, the run's too, sees one picture more than there are stills of it."""
    seen: dict[str, int] = {}
    plain = Engine.predict

    def counted(engine: Engine, lightness: Any, **more: Any) -> Any:
        seen[engine.path.stem] = seen.get(engine.path.stem, 0) + 1
        return plain(engine, lightness, **more)

    monkeypatch.setattr(Engine, "predict", counted)
    one = clip_of(mixed_frames, tmp_path / "out", sheet)
    numbered_preview.write(one, maker, COUNT)
    numbers = sorted(stills(one))
    own = sum(1011 <= number <= 1030 for number in numbers)
    others = sum(number <= 1010 or number >= 1040 for number in numbers)
    assert seen == {"tiny": own + 1, "other": others + 1 + 1}  # and the still's frame
