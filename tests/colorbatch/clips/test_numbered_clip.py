"""Numbered frames that stay frames, shot by shot: judged, steadied, gone on with, edited."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from colorbatch.clips import (
    numbered_frame,
    numbered_shots,
    numbered_sink,
    numbered_steady,
    shot_sheet,
)
from colorbatch.clips.film_journal import Account
from colorbatch.clips.numbered_clip import FramesClip
from colorbatch.clips.numbered_frame import FrameStyle
from colorbatch.clips.numbered_plan import plan_frames
from colorbatch.clips.numbered_stills import FramePictures
from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_list import Mark, Shown, packed
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.clips.stabiliser import Stabiliser
from colorbatch.color import Float, luma
from colorbatch.errors import SourceError, UsageError
from colorbatch.inputs.numbered_files import of_pattern
from colorbatch.job import FilmOutcome, FilmSettings
from colorbatch.model.engine import Engine
from tests.colorbatch.clips.sequences import (
    Counting,
    bytes_of,
    changed,
    clip_of,
    picture,
    remove,
    rows_of,
    scene,
    sheet_of,
    write,
    written,
)

# --- judged ------------------------------------------------------------------------------------


def test_each_shot_gets_what_its_kind_is_for(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Color stays, byte by byte; titles become neutral; grey is colored. Luma is the source's, and
    the list has the frames' own numbers."""
    outcome = make_frames(clip_of(mixed_frames, tmp_path / "out"))
    assert (outcome.status, outcome.frames) == ("colored", 65)
    assert outcome.shots == {"grey": {"color": 2}, "color": {"keep": 1}, "title": {"grey": 1}}
    assert rows_of(tmp_path / "out" / "f.tif.shots.csv") == [
        ["1001", "1030", "", "grey", "color"],
        ["1031", "1035", "", "color", "keep"],
        ["1036", "1039", "", "grey", "grey"],
        ["1040", "1065", "", "grey", "color"],
    ]
    for name, data in bytes_of(mixed_frames).items():
        number = int(name[2:6])
        result = (tmp_path / "out" / name).read_bytes()
        before = tifffile.imread(mixed_frames / name)
        after = tifffile.imread(tmp_path / "out" / name)
        assert after.dtype == np.uint16
        assert np.abs(luma(after) - luma(before)).max() <= 0.5
        spread = np.ptp(after.astype(int), axis=2)
        if 1031 <= number <= 1035:
            assert result == data
        elif 1036 <= number <= 1039:
            assert spread.max() == 0
        else:
            assert spread.mean() > 2000


def test_results_are_no_sources_whatever_their_shots_are(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Frames that kept their color have no mark; the account beside them tells. A result that got
    among other frames is still none of these."""
    remove(mixed_frames, [*range(1001, 1026), *range(1036, 1066)])
    make_frames(clip_of(mixed_frames, tmp_path / "out"))
    for first in (1026, 1031):
        remove(tmp_path / "out", range(1026, first))
        assert clip_of(tmp_path / "out", tmp_path / "again").marked == (first == 1026)
    shutil.copy(mixed_frames / "f_1026.tif", tmp_path / "out")
    assert not clip_of(tmp_path / "out", tmp_path / "again").marked


def test_what_is_all_in_color_or_all_titles(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Frames in color are left alone, titles become neutral frames: a part of a film is no less one
    for that."""
    for name, numbers in (("color", range(1031, 1036)), ("title", range(1036, 1040))):
        (tmp_path / name).mkdir()
        for number in numbers:
            shutil.copy(mixed_frames / f"f_{number}.tif", tmp_path / name)
    found = clip_of(tmp_path / "color", tmp_path / "a")
    keeps = FilmSettings(on_color="keep")
    found = replace(found, plan=replace(found.plan, named=False))
    assert make_frames(found, settings=keeps).reason == "in color already"
    assert not bytes_of(tmp_path / "a")
    assert make_frames(clip_of(tmp_path / "title", tmp_path / "b")).frames == 4


# --- steadied ----------------------------------------------------------------------------------


def by_hand(
    one: FramesClip, engine: Engine, stretches: Sequence[Sequence[int]], folder: Path
) -> dict[str, bytes]:
    """Frames of stretches, each colored by a Stabiliser of its own."""
    folder.mkdir()
    for numbers in stretches:
        frames = [numbered_frame.read(one.plan.sequence.path(number)) for number in numbers]
        views = [numbered_frame.view(frame, engine.size) for frame in frames]
        step, found = Stabiliser(), []
        for place, view in enumerate(views):
            found += step.add(view, engine.predict(view[None])[0], place == 0)
        for frame, ab in zip(frames, [*found, *step.end()], strict=True):
            target = folder / frame.path.name
            numbered_frame.write(frame, ab, target, FrameStyle(engine.mark))
    return bytes_of(folder)


def test_frames_are_steadied_within_shots_and_not_over_holes(
    mixed_frames: Path, tmp_path: Path, counting: Counting, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Cuts, a gap in the numbers and a broken frame end averaging; nothing else does."""
    (mixed_frames / "f_1012.tif").unlink()
    (mixed_frames / "f_1020.tif").write_bytes(b"no picture")
    one = clip_of(mixed_frames, tmp_path / "out")
    outcome = make_frames(one)
    assert (outcome.status, outcome.corrupt, outcome.frames) == ("failed", 1, 63)
    stretches = [range(1001, 1012), range(1013, 1020), range(1021, 1031), range(1040, 1066)]
    made = bytes_of(tmp_path / "out")
    expected = by_hand(one, counting, stretches, tmp_path / "hand")
    assert {name: made[name] for name in expected} == expected
    alone = tmp_path / "alone"
    make_frames(clip_of(mixed_frames, alone), settings=FilmSettings(stability=0))
    assert bytes_of(alone)["f_1005.tif"] != made["f_1005.tif"]


def test_a_mended_frame_is_averaged_with_the_others_of_its_shot(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """It ends as if it had never been broken, and other shots are not made again; nor is anything
    as long as it is broken. So for one that was missing."""
    remove(mixed_frames, range(1034, 1066))
    whole = tmp_path / "whole"
    make_frames(clip_of(mixed_frames, whole))
    for name, hurt in (("f_1012.tif", b"no picture"), ("f_1008.tif", None)):
        good = (mixed_frames / name).read_bytes()
        (mixed_frames / name).write_bytes(hurt) if hurt else (mixed_frames / name).unlink()
        out = tmp_path / f"out-{name}"
        make_frames(clip_of(mixed_frames, out))
        before = written(out)
        make_frames(clip_of(mixed_frames, out))
        assert not changed(before, out)
        (mixed_frames / name).write_bytes(good)
        outcome = make_frames(clip_of(mixed_frames, out))
        assert outcome.status == "colored"
        assert changed(before, out) == list(range(1001, 1031))
        assert bytes_of(out) == bytes_of(whole)


def test_a_changed_source_makes_those_outdated_that_it_is_averaged_with(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    remove(mixed_frames, range(1001, 1036))
    out = tmp_path / "out"
    make_frames(clip_of(mixed_frames, out))
    write(mixed_frames / "f_1060.tif", picture("grey", 4, 21))
    before = written(out)
    outcome = make_frames(clip_of(mixed_frames, out))
    assert (outcome.status, outcome.reason) == ("skipped", "source changed since")
    assert outcome.outdated and not changed(before, out)
    make_frames(clip_of(mixed_frames, out), redo="outdated")
    assert changed(before, out) == list(range(1040, 1066))
    make_frames(clip_of(mixed_frames, tmp_path / "new"))
    assert bytes_of(out) == bytes_of(tmp_path / "new")


def test_a_frame_of_another_transfer_ends_averaging_every_time(
    dpx_file: Any, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Nothing around it is made again as long as it stays so."""
    (tmp_path / "dpx").mkdir()
    for at in range(6):
        codes = scene(3, at)[..., None].astype(np.uint16) * 3 + 100
        header = {"transfer": 6 if at == 3 else 1}  # ITU-R 709 among printing density
        dpx_file(codes, **header).write(tmp_path / "dpx" / f"f_{at:04d}.dpx")
    sequence = of_pattern(str(tmp_path / "dpx" / "f_%04d.dpx"))
    one = FramesClip(plan_frames(sequence, tmp_path / "out", FilmSettings()))
    first = make_frames(one)
    assert (first.frames, first.corrupt) == (5, 1)
    before = sorted(path.stat().st_ino for path in (tmp_path / "out").glob("*.dpx"))
    assert make_frames(one).corrupt == 1
    assert sorted(path.stat().st_ino for path in (tmp_path / "out").glob("*.dpx")) == before


@pytest.mark.parametrize("asked", [{"stability": 0.0}, {"stability": 0.5}, {"saturation": 0.5}])
def test_other_settings_make_frames_outdated(
    mixed_frames: Path,
    tmp_path: Path,
    make_frames: Callable[..., FilmOutcome],
    asked: dict[str, float],
) -> None:
    """As of films; and of -y the whole is as if made so at once."""
    out, settings = tmp_path / "out", FilmSettings(**asked)  # type: ignore[arg-type]
    remove(mixed_frames, range(1008, 1066))
    make_frames(clip_of(mixed_frames, out))
    outcome = make_frames(clip_of(mixed_frames, out), settings=settings)
    assert (outcome.reason, outcome.outdated) == ("made with other settings", True)
    make_frames(clip_of(mixed_frames, out), settings=settings, redo="outdated")
    make_frames(clip_of(mixed_frames, tmp_path / "new"), settings=settings)
    assert bytes_of(out) == bytes_of(tmp_path / "new")


# --- gone on with ------------------------------------------------------------------------------


@pytest.mark.usefixtures("near_borders")
@pytest.mark.parametrize("after", [1, 20])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    one_shot: Path,
    tmp_path: Path,
    counting: Counting,
    make_frames: Callable[..., FilmOutcome],
    after: int,
) -> None:
    """No frame is written twice, the list is not made again, and color is gone through from the
    last border only."""
    make_frames(clip_of(one_shot, tmp_path / "whole"))
    out = tmp_path / "out"
    stopped = make_frames(clip_of(one_shot, out), stop=lambda: len(bytes_of(out)) >= after)
    assert stopped.status == "unfinished" and after <= len(bytes_of(out)) < 48
    before, counting.seen = written(out), 0
    looked: list[str] = []

    def stage(what: str, total: int | None, unit: str) -> Callable[[int], None]:
        looked.append(what)
        return lambda more: None

    assert make_frames(clip_of(one_shot, out), stage=stage).frames == 48
    assert looked == [""]
    assert len(changed(before, out)) == 48 - len(before)
    assert counting.seen <= 48 - len(before) + 24
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    assert not list((out / ".colorbatch").rglob("*.state"))


@pytest.mark.usefixtures("near_borders")
def test_states_that_are_not_as_they_were_left_are_not_used(
    one_shot: Path, tmp_path: Path, counting: Counting, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Damaged, or of other sources: the shot is gone through from its begin."""
    make_frames(clip_of(one_shot, tmp_path / "whole"))
    out = tmp_path / "out"
    make_frames(clip_of(one_shot, out), stop=lambda: len(bytes_of(out)) >= 20)
    states = sorted((out / ".colorbatch").rglob("*.state"))
    assert len(states) == numbered_steady.KEPT
    for path in states:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    counting.seen = 0
    make_frames(clip_of(one_shot, out))
    assert counting.seen == 48
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_frames_that_do_not_fit_into_memory_are_read_again(
    one_shot: Path,
    tmp_path: Path,
    make_frames: Callable[..., FilmOutcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the same bytes."""
    make_frames(clip_of(one_shot, tmp_path / "whole"))
    monkeypatch.setattr(numbered_sink, "_holds", lambda plan, limits: False)
    make_frames(clip_of(one_shot, tmp_path / "out"), memory=1)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_frames_are_a_shot(
    one_shot: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome], count: int
) -> None:
    remove(one_shot, range(count, 48))
    assert make_frames(clip_of(one_shot, tmp_path / "out")).frames == count
    assert rows_of(tmp_path / "out" / "f.tif.shots.csv")[0][:2] == ["0", str(count - 1)]
    assert make_frames(clip_of(one_shot, tmp_path / "out")).reason == "finished"


# --- edited ------------------------------------------------------------------------------------


def test_an_edited_list_makes_its_shots_again_alone(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """Another cut, a saturation, an action; with the same list again nothing, and without it frames
    are outdated until -y makes them as they were."""
    out = tmp_path / "out"
    make_frames(clip_of(mixed_frames, out))
    plain, before = bytes_of(out), written(out)
    sheet = sheet_of(
        tmp_path, "start,end,action,saturation\n1031,1035,color,1\n1036,1039,,\n1040,1054,,0\n"
    )
    assert make_frames(clip_of(mixed_frames, out, sheet)).status == "colored"
    made = changed(before, out)
    assert made == [*range(1031, 1036), *range(1040, 1066)]
    neutral = tifffile.imread(out / "f_1045.tif").astype(int)
    assert np.ptp(neutral, axis=2).max() == 0
    assert np.ptp(tifffile.imread(out / "f_1055.tif").astype(int), axis=2).mean() > 2000
    assert bytes_of(out)["f_1033.tif"] != plain["f_1033.tif"]
    before = written(out)
    assert make_frames(clip_of(mixed_frames, out, sheet)).reason == "finished"
    outdated = make_frames(clip_of(mixed_frames, out))
    assert (outdated.reason, outdated.frames) == ("made with other settings", 65)
    assert not changed(before, out)
    remove(out, [1001])
    for _ in range(2):  # a frame that is missing is made, and what the list asked for stays
        make_frames(clip_of(mixed_frames, out))
        assert changed(before, out) in ([], [1001])  # a new file may have the inode of the old one
    make_frames(clip_of(mixed_frames, out), redo="outdated")
    assert set(made) <= set(changed(before, out)) and bytes_of(out) == plain


def test_redo_makes_a_shot_again_once(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    out = tmp_path / "out"
    make_frames(clip_of(mixed_frames, out))
    plain, before = bytes_of(out), written(out)
    sheet = sheet_of(tmp_path, "start;end;action\n1001;1030;redo\n")
    make_frames(clip_of(mixed_frames, out, sheet))
    assert changed(before, out) == list(range(1001, 1031)) and bytes_of(out) == plain
    assert make_frames(clip_of(mixed_frames, out, sheet)).reason == "finished"
    assert make_frames(clip_of(mixed_frames, out)).reason == "finished"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0,9", "column start: 0 is not from 1001 to 1065"),
        ("1040,1066", "column end: 1066 is not from 1001 to 1065"),
    ],
)
def test_a_list_of_other_numbers_is_refused_before_any_work(
    mixed_frames: Path,
    tmp_path: Path,
    make_frames: Callable[..., FilmOutcome],
    row: str,
    words: str,
) -> None:
    sheet = sheet_of(tmp_path, f"start,end\n{row}\n")
    with pytest.raises(UsageError, match=words):
        make_frames(clip_of(mixed_frames, tmp_path / "out", sheet))
    assert not (tmp_path / "out" / ".colorbatch" / "films").exists()


def test_a_still_gives_its_shot_its_color(
    mixed_frames: Path, tmp_path: Path, make_frames: Callable[..., FilmOutcome]
) -> None:
    """It is known by the number of its frame, as stills of previews are named; one of another
    picture is refused by name, and what is there stays."""
    out, stills = tmp_path / "out", tmp_path / "stills"
    stills.mkdir()
    make_frames(clip_of(mixed_frames, out))
    before = written(out)
    rgb = picture("grey", 4, 10) * np.array([0.6, 0.9, 1.2])
    still = np.clip(rgb, 0, 255).astype(np.uint8)[..., ::-1]
    cv2.imwrite(str(stills / "f_1050.tif-after.png"), still)
    given = Sheet(stills, stills=shot_sheet.read_folder(stills))
    make_frames(clip_of(mixed_frames, out, given))
    assert changed(before, out) == list(range(1040, 1066))
    red, _, blue = tifffile.imread(out / "f_1055.tif").reshape(-1, 3).mean(axis=0)
    assert blue > 1.2 * red
    (stills / "f_1050.tif-after.png").rename(stills / "f_1010.png")
    given = Sheet(stills, stills=shot_sheet.read_folder(stills))
    with pytest.raises(SourceError, match=r"f_1010\.png: is not a picture of that frame"):
        make_frames(clip_of(mixed_frames, tmp_path / "other", given))


@pytest.mark.usefixtures("near_borders")
@pytest.mark.parametrize("stability", [1.0, 0.0])
def test_a_still_goes_over_frames_that_a_later_run_goes_on_with(
    one_shot: Path,
    tmp_path: Path,
    make_frames: Callable[..., FilmOutcome],
    stability: float,
) -> None:
    """Stopped, or one frame made again alone: it is the same, also with a frame that cannot be read
    among those that it goes over. One of these that changes makes its shot outdated."""
    stills, settings = tmp_path / "stills", FilmSettings(stability=stability)
    stills.mkdir()
    (one_shot / "f_0018.tif").write_bytes(b"no picture")
    rgb = tifffile.imread(one_shot / "f_0030.tif") / 257 * np.array([0.6, 0.9, 1.2])
    still = np.clip(rgb, 0, 255).astype(np.uint8)[..., ::-1]
    cv2.imwrite(str(stills / "f_0030.png"), still)
    given = Sheet(stills, stills=shot_sheet.read_folder(stills))
    make_frames(clip_of(one_shot, tmp_path / "whole", given), settings=settings)
    out = tmp_path / "out"
    stop = {"stop": lambda: len(bytes_of(out)) >= 20}
    assert (
        make_frames(clip_of(one_shot, out, given), settings=settings, **stop).status == "unfinished"
    )
    make_frames(clip_of(one_shot, out, given), settings=settings)
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    (out / "f_0044.tif").unlink()
    make_frames(clip_of(one_shot, out, given), settings=settings)
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    before = written(out)
    write(one_shot / "f_0036.tif", picture("grey", 4, 40))
    make_frames(clip_of(one_shot, out, given), settings=settings)
    assert not changed(before, out)
    make_frames(clip_of(one_shot, out, given), settings=settings, redo="outdated")
    assert changed(before, out) == [n for n in range(48) if n != 18]
    make_frames(clip_of(one_shot, tmp_path / "new", given), settings=settings)
    assert bytes_of(out) == bytes_of(tmp_path / "new")


def test_stopped_while_the_frames_that_a_still_goes_over_are_read(
    one_shot: Path,
    tmp_path: Path,
    make_frames: Callable[..., FilmOutcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is as stopped anywhere else: what is made is kept, and the same command goes on."""
    stills, out = tmp_path / "stills", tmp_path / "out"
    stills.mkdir()
    rgb = tifffile.imread(one_shot / "f_0047.tif") / 257 * np.array([0.6, 0.9, 1.2])
    still = np.clip(rgb, 0, 255).astype(np.uint8)[..., ::-1]
    cv2.imwrite(str(stills / "f_0047.png"), still)
    given = Sheet(stills, stills=shot_sheet.read_folder(stills))
    make_frames(clip_of(one_shot, tmp_path / "whole", given))
    read: list[int] = []
    seen = FramePictures.seen

    def counted(self: FramePictures, number: int, size: tuple[int, int]) -> Float:
        read.append(number)
        return seen(self, number, size)

    monkeypatch.setattr(FramePictures, "seen", counted)
    stop = {"stop": lambda: len(read) >= 4}
    assert make_frames(clip_of(one_shot, out, given), **stop).status == "unfinished"
    assert len(read) == 4
    make_frames(clip_of(one_shot, out, given))
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_numbers_are_places_where_frames_are_missing() -> None:
    sheet = Sheet(Path("a.csv"), (shot_sheet.ShotRow(2, 12, 20), shot_sheet.ShotRow(3, 30, 31)))
    numbers = [10, 11, 13, 20, 30, 31]
    found = numbered_shots.by_place(sheet, numbers)
    assert [(row.start, row.end) for row in found.rows] == [(2, 3), (4, 5)]
    nothing = replace(sheet, rows=(shot_sheet.ShotRow(2, 14, 19),))
    with pytest.raises(UsageError, match="row 2, column start: none of its frames is there"):
        numbered_shots.by_place(nothing, numbers)


def test_time_codes_are_counted_on_over_missing_frames(mixed_frames: Path, tmp_path: Path) -> None:
    """From that of the header; else time from the first frame, where there is a rate."""
    remove(mixed_frames, range(1003, 1060))
    plan = replace(clip_of(mixed_frames, tmp_path / "out").plan, rate=Fraction(24))
    marks = [Mark(number, "", True, True) for number in (1001, 1060)]
    shown = [
        Shown(ShotKind("grey"), 0, 2, 1001, packed([1001, 1002])),
        Shown(ShotKind("grey"), 2, 6, 1060, packed(range(1060, 1066))),
    ]
    account = Account(marks=tuple(marks), shown=dict(enumerate(shown)))
    takes = numbered_shots.takes_of(plan, FilmSettings(), account, None)

    def told(timecode: str) -> list[tuple[int, int, str]]:
        lines = numbered_shots.lines_of(replace(plan, timecode=timecode), takes, account)
        return [(line.start, line.end, line.timecode) for line in lines]

    assert told("") == [(1001, 1002, "00:00:00.000"), (1060, 1065, "00:00:02.458")]
    assert [code for *_, code in told("01:00:00:20")] == ["01:00:00:20", "01:00:03:07"]
