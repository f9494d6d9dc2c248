"""Lists of shots as spreadsheets leave them, and what is said of bad ones."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from colorbatch.clips import shot_sheet
from colorbatch.clips.shot_looks import ShotModel
from colorbatch.clips.shot_sheet import COLUMNS, Correction, Line, Own, ShotRow
from colorbatch.errors import UsageError
from colorbatch.model.contract import embedded_models

PATH = Path("folder/film.shots.csv")
GIVEN = "start,end,action,saturation\n0,9,keep,1\n10,19,color,0.5\n"
ROWS = (ShotRow(2, 0, 9, "keep"), ShotRow(3, 10, 19, "color", 0.5))


def parsed(text: str) -> tuple[ShotRow, ...]:
    return shot_sheet.parsed(text.encode(), PATH, Own(frozenset({"lite"}))).rows


@pytest.mark.parametrize(
    "data",
    [
        GIVEN.encode(),
        GIVEN.encode("utf-8-sig"),
        GIVEN.encode("utf-16"),
        GIVEN.replace("\n", "\r\n").encode(),
        GIVEN.replace(",", ";").replace("0.5", "0,5").encode("utf-8-sig"),
        GIVEN.replace(",", "\t").encode(),
        GIVEN.replace("start", " START ").replace("keep", "Keep").encode(),
        GIVEN.replace("\n", ",,\n").encode(),
    ],
)
def test_what_spreadsheets_write_is_read(data: bytes) -> None:
    assert shot_sheet.parsed(data, PATH).rows == ROWS


def test_rows_are_numbered_as_the_spreadsheet_shows_them() -> None:
    """Whatever Excel's first line or empty rows do; rows may come in any order."""
    assert parsed("sep=;\nstart;end\n5;6\n") == (ShotRow(3, 5, 6),)
    assert parsed("start,end\n\n,,\n5,6\n0,4\n") == (ShotRow(5, 0, 4), ShotRow(4, 5, 6))


def test_empty_cells_leave_what_is_done_anyway() -> None:
    assert parsed("start,end,action,saturation,model,reference,note\n0,9,,,lite,,new\n") == (
        ShotRow(2, 0, 9),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("start,action\n", "row 1: no column end"),
        ("start,end,satuartion\n", "row 1: 'satuartion' is no column of it"),
        ("start,end,end\n", "row 1: 'end' is there twice"),
        ("start,end\n0,x\n", "row 2, column end: 'x' is no number of a frame"),
        ("start,end\n-1,5\n", "row 2, column start: '-1' is no number"),
        ("start,end\n0\n", "row 2, column end: '' is no number"),
        ("start,end\n7,5\n", "row 2, column end: 5 is before the start, 7"),
        ("start,end\n0,5\n6,9\n5,5\n", "row 4, column start: frame 5 is in row 2 as well"),
        ("start,end,action\n0,5,paint\n", "row 2, column action: 'paint' is none of color, keep"),
        ("start,end,saturation\n0,5,nan\n", "row 2, column saturation: 'nan' is no number"),
        ("start,end,saturation\n0,5,5\n", "row 2, column saturation: '5' is no number from 0 to 4"),
        (
            "start,end,model\n0,5,other\n",
            "row 2, column model: 'other': there is no such file, and no",
        ),
        ("start,end,reference\n0,5,3.png\n", "row 2, column reference: '3.png': there is no"),
        ("start,end\n0,5,more\n", "row 2: has more cells than there are columns"),
        ('start,end\n0,"5\n', "is no table"),
        ("start,end\n0,5\0\n", "is no table"),
    ],
)
def test_a_bad_list_is_one_line_with_its_cell(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(text)
    assert words in str(error.value) and str(PATH) in str(error.value)
    assert "\n" not in str(error.value)


def test_other_encodings_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not UTF-8; save it"):
        shot_sheet.parsed("start,end,note\n0,5,é\n".encode("latin-1"), PATH)
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read"):
        shot_sheet.read(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        shot_sheet.read(tmp_path)


def test_references_stand_beside_the_list(tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    still = tmp_path / "stills" / "frame 007.png"
    still.write_bytes(b"png")
    sheet = tmp_path / "x.csv"
    sheet.write_text("start,end,reference\n0,9,stills\\frame 007.png\n", encoding="utf-8")
    found = shot_sheet.read(sheet).rows[0].reference
    assert found == Correction(still, hashlib.sha256(b"png").hexdigest(), frame=7)


def test_a_model_is_a_file_beside_the_list_or_a_name(tmp_path: Path) -> None:
    """That of the run is none of its own, whatever names it; a file comes before a name."""
    (tmp_path / "models").mkdir()
    for name in ("models/a.onnx", "own.onnx", "unet32"):
        (tmp_path / name).write_bytes(name.encode())
    own = Own(frozenset({"lite"}), lambda: hashlib.sha256(b"own.onnx").hexdigest())
    sheet = tmp_path / "x.csv"
    cells = ("models\\a.onnx", "lite", "own.onnx", "unet32", "lite-unet", str(tmp_path / "unet32"))
    rows = "".join(f"{at},{at},{cell}\n" for at, cell in enumerate(cells))
    sheet.write_text(f"start,end,model\n{rows}", encoding="utf-8")
    found = [row.model for row in shot_sheet.read(sheet, own).rows]
    assert found[0] == ShotModel(
        tmp_path / "models/a.onnx", hashlib.sha256(b"models/a.onnx").hexdigest()
    )
    assert found[1:3] == [None, None] and found[3] and found[3].path == tmp_path / "unet32"
    assert found[4] and found[4].path in embedded_models() and found[5] == found[3]
    with pytest.raises(UsageError, match=r"column model: 'models': there is no such file"):
        shot_sheet.parsed(b"start,end,model\n0,5,models\n", sheet)


def test_the_name_of_a_still_tells_its_frame(tmp_path: Path) -> None:
    """The last number in it, or the seconds of a preview's still; others are errors."""
    names = ["shot2_0480.png", "colored.mov-00012.345-after.png", "A 3.TIF", "notes 4.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    found = {each.path.name: each for each in shot_sheet.read_folder(tmp_path)}
    assert set(found) == set(names[:3])
    assert (found[names[0]].frame, found[names[2]].frame) == (480, 3)
    assert found[names[1]].seconds == Fraction("12.345") and found[names[1]].frame is None
    (tmp_path / "cover.png").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"cover\.png: its name has no number of a frame"):
        shot_sheet.read_folder(tmp_path)
    (tmp_path / "none").mkdir()
    for folder, words in ((tmp_path / "none", "has no stills"), (tmp_path / "x", "cannot be read")):
        with pytest.raises(UsageError, match=words):
            shot_sheet.read_folder(folder)


def test_what_is_written_is_read_again() -> None:
    data = shot_sheet.to_bytes(
        [Line(0, 9, "00:00:00:00", "tinted", "keep"), Line(10, 19, "", "grey", "color", 0.5)],
        "lite",
    )
    other = shot_sheet.to_bytes([Line(0, 9, "", "grey", "color", model="a.onnx")], "lite")
    assert other.endswith(b",grey,color,1,a.onnx,,\r\n")
    assert data.startswith(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
    rows = shot_sheet.parsed(data, PATH, Own(frozenset({"lite"}))).rows
    assert rows == (ShotRow(2, 0, 9, "keep"), ShotRow(3, 10, 19, "color", 0.5))


def test_a_list_that_was_edited_is_never_written_over(tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    old, new = b"old", b"new"
    ours = {hashlib.sha256(old).hexdigest()}
    first = tmp_path / "film.mkv.shots.csv"
    assert shot_sheet.place_of(target, new, ours)[0] == first
    first.write_bytes(old)
    assert shot_sheet.place_of(target, new, ours)[0] == first
    first.write_bytes(b"edited")
    second = tmp_path / "film.mkv.shots-2.csv"
    assert shot_sheet.place_of(target, new, ours)[0] == second
    second.write_bytes(new)
    assert shot_sheet.place_of(target, new, ours)[0] is None
