"""What rows do to the shots that were found."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from colorbatch.clips.shot_edits import clock_time, edited, lines_of
from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_list import Mark, Shown, packed, segments_of
from colorbatch.clips.shot_looks import Look, ShotModel, Still, Take
from colorbatch.clips.shot_sheet import Correction, Sheet, ShotRow
from colorbatch.errors import UsageError
from colorbatch.model.contract import MODELS

GREY, COLOR, TITLE = ShotKind("grey"), ShotKind("color"), ShotKind("grey", plain=True)
TICKS = [0, 42, 83, 125, 167, 208, 250, 292, 333, 375, 417, 458]
SHOWN = tuple(
    Shown(kind, start, 4, TICKS[start], packed(TICKS[start : start + 4]))
    for kind, start in ((GREY, 0), (COLOR, 4), (TITLE, 8))
)
MARKS = tuple(Mark(TICKS[at], "", True, at == 0) for at in (0, 4, 8))
FOUND = [Take(0, Look(), GREY), Take(167, Look("keep"), COLOR), Take(333, Look("grey"), TITLE)]


def made(*rows: tuple[object, ...]) -> list[Take]:
    given = [ShotRow(at, *row) for at, row in enumerate(rows, 2)]  # type: ignore[arg-type]
    sheet = Sheet(Path("x.csv"), tuple(sorted(given, key=lambda row: row.start)))
    return edited(FOUND, SHOWN, sheet, MARKS)


def test_no_rows_and_rows_that_say_what_is_done_anyway_change_nothing() -> None:
    assert made() == FOUND
    assert made((0, 3, "color"), (4, 7, "keep"), (8, 11, "")) == FOUND


def test_a_row_says_what_is_done_with_its_shot() -> None:
    [first, second, third] = made((4, 7, "color", 0.5))
    assert (first, third) == (FOUND[0], FOUND[2])
    assert (second.look, second.kind, second.redo) == (Look("color", 0.5), COLOR, False)


def test_redo_leaves_what_is_done() -> None:
    [_, second, _] = made((4, 7, "redo"))
    assert (second.look, second.redo) == (Look("keep"), True)


def test_a_row_within_a_shot_makes_cuts() -> None:
    takes = made((1, 2, "grey"))
    assert [(take.begin, take.look.action) for take in takes] == [
        (0, "color"),
        (42, "grey"),
        (125, "color"),
        (167, "keep"),
        (333, "grey"),
    ]


def test_a_row_over_cuts_removes_them() -> None:
    assert [(t.begin, t.look.action) for t in made((0, 11, "color"))] == [(0, "color")]
    takes = made((2, 5, "grey"))
    assert [(take.begin, take.look.action) for take in takes] == [
        (0, "color"),
        (83, "grey"),
        (250, "keep"),
        (333, "grey"),
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((8, 12), "x.csv: row 2, column end: the film's last frame is 11"),
        ((12, 13), "x.csv: row 2, column start: the film's last frame is 11"),
    ],
)
def test_frames_that_there_are_not(row: tuple[int, int], words: str) -> None:
    with pytest.raises(UsageError) as error:
        made(row)
    assert str(error.value) == words


def test_segments_keep_their_borders_and_know_their_shots() -> None:
    marks = (*MARKS[:2], Mark(TICKS[6], "", False, True), MARKS[2])
    first, second = segments_of(marks, None, made((0, 5, "color", 2.0)))
    assert (first.begin, first.end, second.begin) == (0, 250, 250)
    assert (first.cuts, second.cuts) == ((0, 250)[:1], (250, 333))
    assert not first.goes_on and not second.continues
    assert [take.look.action for take in second.takes] == ["keep", "grey"]
    merged = segments_of(marks, None, made((0, 11, "color")))
    assert merged[0].goes_on and merged[1].continues
    assert merged[1].takes == merged[0].takes
    assert merged[0].recipe != first.recipe


def test_shots_are_listed_with_their_last_frames() -> None:
    lines = lines_of(made((1, 2, "grey", 0.5)), SHOWN, MARKS, str)
    assert [(line.start, line.end, line.timecode, line.kind, line.action) for line in lines] == [
        (0, 0, "0", "grey", "color"),
        (1, 2, "42", "grey", "grey"),
        (3, 3, "125", "grey", "color"),
        (4, 7, "167", "color", "keep"),
        (8, 11, "333", "grey", "grey"),
    ]
    assert lines[1].saturation == 0.5


def test_a_shot_whose_first_frames_are_damaged_begins_at_a_good_one() -> None:
    marks = (Mark(TICKS[1], "", True, True), *MARKS[1:])
    found = [Take(TICKS[1], Look(), GREY), *FOUND[1:]]
    rows = Sheet(Path("x.csv"), (ShotRow(2, 0, 3, "grey"),))
    takes = edited(found, SHOWN, rows, marks)
    assert takes[0] == Take(TICKS[1], Look("grey"), GREY)
    assert lines_of(takes, SHOWN, marks, str)[0].start == 0


def still(frame: int | None = None, seconds: str | None = None) -> Correction:
    time = None if seconds is None else Fraction(seconds)
    return Correction(Path(f"{frame or seconds}.png"), "hash", frame, time)


def test_a_shot_has_the_still_of_its_row() -> None:
    row = ShotRow(2, 4, 7, reference=still(6))
    takes = edited(FOUND, SHOWN, Sheet(Path("x.csv"), (row,)), MARKS)
    assert takes[1].still == Still(Path("6.png"), "hash", TICKS[6])
    assert takes[1].look.reference == f"hash@{TICKS[6]}"
    assert [take.still is None for take in takes] == [True, False, True]
    lines = lines_of(takes, SHOWN, MARKS, str, Path("results"))
    assert [line.reference for line in lines] == ["", "../6.png", ""]


def test_a_shot_has_the_model_of_its_row() -> None:
    """Which counts where it is colored, and is listed anyway, as seen from the list."""
    model, embedded = ShotModel(Path("models/a.onnx"), "hash"), ShotModel(MODELS / "b.onnx", "two")
    rows = (
        ShotRow(2, 0, 3, model=model),
        ShotRow(3, 4, 7, model=model),
        ShotRow(4, 8, 11, "color", model=replace(embedded, path=MODELS / "unet32.onnx")),
    )
    takes = edited(FOUND, SHOWN, Sheet(Path("x.csv"), rows), MARKS)
    assert [take.look.model for take in takes] == ["hash", "", "two"]
    assert [take.colored_by and take.colored_by.sha256 for take in takes] == ["hash", None, "two"]
    lines = lines_of(takes, SHOWN, MARKS, str, Path("results"))
    assert [line.model for line in lines] == ["../models/a.onnx", "../models/a.onnx", "unet32"]


@pytest.mark.parametrize("frame", [3, 8, 12])
def test_a_still_of_another_shot_is_an_error_of_its_cell(frame: int) -> None:
    sheet = Sheet(Path("x.csv"), (ShotRow(2, 4, 7, reference=still(frame)),))
    with pytest.raises(UsageError, match=r"row 2, column reference: '.*' is of no frame"):
        edited(FOUND, SHOWN, sheet, MARKS)


def test_the_stills_of_a_folder_find_their_shots() -> None:
    """By numbers, and by seconds as previews name them; that of a row comes first."""

    def seconds(pts: int) -> Fraction:
        return Fraction(pts, 1000)

    row = ShotRow(2, 0, 3, reference=still(1))
    sheet = Sheet(Path("x"), (row,), (still(2), still(seconds="0.209"), still(11)))
    takes = edited(FOUND, SHOWN, sheet, MARKS, seconds)
    assert [take.still and take.still.pts for take in takes] == [TICKS[1], TICKS[5], TICKS[11]]
    for wrong, words in (
        ((still(12),), "12.png: the film has no such frame"),
        ((still(seconds="0.220"),), "the film has no such frame"),
        ((still(4), still(5)), "5.png: is of the same shot as 4.png"),
    ):
        with pytest.raises(UsageError, match=words):
            edited(FOUND, SHOWN, Sheet(Path("x"), (), wrong), MARKS, seconds)


def test_clock_times() -> None:
    assert clock_time(Fraction(3725123, 1000)) == "01:02:05.123"
