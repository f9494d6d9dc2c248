"""Which settings had a part in a result, and so make it outdated when they change."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from colorbatch.job import ImageSettings, Job
from colorbatch.stills.digest import still_digest

OTHERS = {
    "saturation": 0.5,
    "quality": 50,
    "on_color": "skip",
    "on_toned": "keep",
    "upright": True,
    "times": False,
    "max_pixels": 1,
    "tf32": True,
}
"""Another value for each setting."""


def what_matters(outcome: str, kinds: str, name: str = "a.jpg", named: bool = False) -> set[str]:
    """The settings whose change makes such a result outdated."""
    job = Job(Path("in") / name, Path("out") / name, named)
    before = still_digest(ImageSettings(), job, kinds, outcome)
    changed = {
        setting: dataclasses.replace(ImageSettings(), **{setting: value})
        for setting, value in OTHERS.items()
    }
    return {
        setting
        for setting, settings in changed.items()
        if still_digest(settings, job, kinds, outcome) != before
    }


def test_another_value_is_tried_of_every_setting() -> None:
    """So that no new setting is forgotten here."""
    assert set(OTHERS) == {field.name for field in dataclasses.fields(ImageSettings)}
    defaults = dataclasses.asdict(ImageSettings())
    assert all(defaults[name] != value for name, value in OTHERS.items())


@pytest.mark.parametrize(
    ("outcome", "kinds", "matters"),
    [
        ("colored", "grey", {"saturation", "quality", "upright", "times", "tf32"}),
        ("colored", "toned", {"saturation", "quality", "upright", "times", "on_toned", "tf32"}),
        (
            "colored",
            "color grey",
            {"saturation", "quality", "upright", "times", "on_color", "tf32"},
        ),
        ("kept", "color", {"quality", "upright", "times", "on_color"}),
        ("copied", "color", {"times", "on_color"}),
        ("copied", "color toned", {"times", "on_color", "on_toned"}),
        ("skipped", "color", {"on_color"}),
        ("skipped", "", set()),
    ],
)
def test_a_setting_matters_to_what_it_had_a_part_in(
    outcome: str, kinds: str, matters: set[str]
) -> None:
    """Color is made for colored ones, a choice concerns its kind, a copy is the source's bytes."""
    assert what_matters(outcome, kinds) == matters
    assert what_matters(outcome, kinds, "a.tif") == matters - {"quality"}
    assert what_matters("colored", kinds, named=True) == {
        "saturation", "quality", "upright", "times", "tf32",
    }  # fmt: skip
