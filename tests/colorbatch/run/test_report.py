"""Counts, exit codes and JSON of a batch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from colorbatch.errors import ExitCode
from colorbatch.job import FilmOutcome, Outcome
from colorbatch.run.report import Report


def outcome(status, kind="", reason=""):
    return Outcome(Path("a"), Path("b"), status, reason, kind)


def filled():
    report = Report(10)
    for one in (
        outcome("colored", "grey"),
        outcome("colored", "toned"),
        outcome("kept", "color"),
        outcome("skipped", reason="finished already"),
        outcome("skipped", reason="finished already"),
        outcome("skipped", "color", "in color"),
        outcome("failed", reason="the file is empty"),
    ):
        report.add(one)
    return report


def test_the_summary_adds_up():
    """Every count and every reason, and what was not begun."""
    text = filled().summary()
    assert text.startswith("2 colored, 1 kept, 3 skipped (")
    assert "1 failed, 3 not begun" in text
    assert "1 grey, 1 toned, 2 color (1 kept, 1 skipped; --on-color colorize)" in text
    assert "3 skipped (2 finished already, 1 in color), 1 failed" in text
    assert " pages" not in text


def test_pages_are_counted_where_files_have_several():
    """Files and pages are told apart, in the last line and for programs."""
    report = Report(3)
    report.add(dataclasses.replace(outcome("colored", "grey"), pages=3))
    report.add(outcome("kept", "color"))
    report.add(outcome("failed"))
    assert "1 colored, 1 kept, 1 failed; " in report.summary()
    assert "; 4 pages in 2 files; " in report.summary()
    assert json.loads(report.to_json())["summary"]["pages"] == 4


def test_the_summary_says_what_y_would_do():
    """Outdated results are counted apart, with the option that does them again."""
    report = Report(12)
    for count, reason in ((8, "finished"), (3, "made with other settings"), (1, "source changed")):
        for _ in range(count):
            outdated = reason != "finished"
            report.add(dataclasses.replace(outcome("skipped", "", reason), outdated=outdated))
    expected = "12 skipped (8 finished, 3 made with other settings, 1 source changed; "
    assert f"0 colored, {expected}-y redoes these 4); " in report.summary()
    values = json.loads(report.to_json())["summary"]
    assert values["skipped_because"]["made with other settings"] == 3
    assert values["outdated"] == 4


def test_kinds_are_counted_with_what_became_of_them():
    """Thousands are set apart; of what was not colored the option is named that would do it."""
    report = Report(50_000)
    report.kinds.update(grey=41_200, toned=8_100, color=700)
    report.fates.update({("grey", "colored"): 41_200, ("toned", "colored"): 8_100})
    report.fates["color", "kept"] = 700
    line = "41,200 grey, 8,100 toned, 700 color (kept; --on-color colorize)"
    assert report.kinds_line() == line
    report.fates["toned", "kept"] = 8_000
    assert "8,100 toned (8,000 kept; --on-toned colorize)" in report.kinds_line()


def test_shots_are_counted_by_kind_with_the_option_that_does_otherwise():
    """Of several films together; nothing where there are none."""
    report = Report(2)
    assert "shots" not in report.summary()
    for shots in (
        {"grey": {"color": 38}, "color": {"keep": 2}, "tinted": {"color": 3}},
        {"grey": {"color": 2}, "title": {"grey": 4, "keep": 1}, "toned": {"keep": 1}},
    ):
        report.add(FilmOutcome(Path("a"), Path("b"), "colored", shots=shots))
    line = (
        "shots: 40 grey, 1 toned (kept; --on-toned colorize), "
        "3 tinted (--on-toned keep leaves them), 2 color (kept; --on-color colorize), "
        "5 title (1 kept; 4 neutral)"
    )
    assert report.shots_line() == line and line in report.summary()
    assert json.loads(report.to_json())["summary"]["shots"]["title"] == {"grey": 4, "keep": 1}


def test_the_summary_as_json_adds_up():
    """The same for programs."""
    values = json.loads(filled().to_json())["summary"]
    assert [values[name] for name in ("total", "colored", "kept", "skipped", "failed")] == [
        10, 2, 1, 3, 1,
    ]  # fmt: skip
    assert values["kinds"] == {"grey": 1, "toned": 1, "color": 2}


@pytest.mark.parametrize(
    ("statuses", "interrupted", "code"),
    [
        ([], False, 0),
        (["colored", "kept", "skipped"], False, 0),
        (["colored", "failed"], False, 3),
        (["failed"], True, 130),
        (["colored"], True, 130),
    ],
)
def test_the_exit_code_follows_the_counts(statuses, interrupted, code):
    """0 done, 3 some failed, 130 interrupted whatever else."""
    report = Report(5, interrupted=interrupted)
    for status in statuses:
        report.add(outcome(status))
    assert report.exit_code == code
    assert json.loads(report.to_json())["summary"]["exit_code"] == code


def test_the_exit_codes_are_the_documented_ones():
    """Scripts rely on the numbers of design.md, section 5."""
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 130]


def test_any_name_is_one_line_of_json():
    """Line breaks, quotes and names that are not text."""
    name = 'a"\n\udce9\N{GRINNING FACE}.png'
    line = Outcome(Path(name), Path("b"), "failed", "x\ny").to_json()
    assert line.isascii() and "\n" not in line
    assert json.loads(line)["source"] == name


def test_what_was_passed_over_stands_in_the_last_line() -> None:
    """Pictures of formats that are not read, by suffix; counts are in the singular where they
    are one."""
    report = Report(1)
    report.passed_over.update({".psd": 1200, ".jxl": 1})
    report.add(Outcome(Path("a.tif"), Path("b.tif"), "colored", kind="grey", pages=2))
    report.unlogged = 1
    assert "1,201 passed over (1,200 .psd, 1 .jxl: not read)" in report.summary()
    assert "2 pages in 1 file;" in report.summary()
    assert "the log lacks 1 line;" in report.summary()
    assert json.loads(report.to_json())["summary"]["passed_over"] == {".psd": 1200, ".jxl": 1}
