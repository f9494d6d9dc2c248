"""What becomes of shots, by what they show and what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.clips.shot_looks import (
    Look,
    Take,
    counted,
    digest_of,
    digest_of_looks,
    looks_of,
    serves,
    take_at,
)
from colorbatch.job import FilmSettings

GREY, TONED, TINTED, COLOR = (ShotKind(k) for k in ("grey", "toned", "tinted", "color"))  # type: ignore[arg-type]
TITLE, TINTED_TITLE = ShotKind("grey", plain=True), ShotKind("tinted", plain=True)
ALL = (GREY, TONED, TINTED, COLOR, TITLE, TINTED_TITLE)


@pytest.mark.parametrize(
    ("asked", "actions"),
    [
        ({}, "color color color keep grey grey"),
        ({"on_toned": "keep"}, "color keep keep keep grey keep"),
        ({"on_toned": "skip"}, "color color color keep grey grey"),
        ({"on_color": "colorize"}, "color color color color grey grey"),
        ({"on_color": "keep"}, "color color color keep grey grey"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_actions(asked: dict[str, Any], actions: str, named: bool) -> None:
    looks = looks_of(ALL, FilmSettings(**asked), named=named)
    assert [look.action for look in looks] == actions.split()


@pytest.mark.parametrize(
    ("named", "asked", "action"),
    [(True, {}, "color"), (False, {}, "keep"), (True, {"on_color": "keep"}, "keep")],
)
def test_a_film_all_in_color(named: bool, asked: dict[str, Any], action: str) -> None:
    """One that is named is colored, as ever, whatever leader it has."""
    looks = looks_of([TITLE, COLOR, COLOR], FilmSettings(**asked), named=named)
    assert [look.action for look in looks] == ["grey", action, action]


def test_the_look_of_a_frame_is_that_of_its_shot() -> None:
    takes = [Take(10, Look("keep")), Take(20, Look("grey")), Take(30)]
    found = [take_at(takes, pts).look.action for pts in (0, 10, 19, 20, 29, 30, 99)]
    assert found == ["keep", "keep", "keep", "grey", "grey", "color", "color"]


def test_shots_are_counted_by_kind_and_action() -> None:
    takes = [Take(0, kind=GREY), Take(1, Look("grey"), TITLE), Take(2, Look("keep"), COLOR)]
    assert counted([*takes, Take(3, kind=GREY)]) == {
        "grey": {"color": 2},
        "title": {"grey": 1},
        "color": {"keep": 1},
    }


def test_a_digest_tells_of_cuts_and_looks_alone() -> None:
    same = digest_of_looks([Take(0, kind=GREY), Take(5)])
    assert digest_of_looks([Take(0, kind=COLOR), Take(5, kind=GREY)]) == same
    others = [Take(6)], [Take(5, Look("keep"))], [Take(5, Look("color", 0.5))]
    assert len({same, *(digest_of_looks([Take(0), *more]) for more in others)}) == 4


def test_a_digest_leaves_out_what_is_as_ever() -> None:
    """A new field of looks outdates no film."""
    assert digest_of(Look()) == digest_of({})
    assert digest_of(Look("keep")) == digest_of({"action": "keep"})


def test_what_was_made_again_serves_whoever_does_not_ask_for_that() -> None:
    plain, again = digest_of_looks([Take(0)]), digest_of_looks([Take(0, redo=True)])
    assert serves(plain, plain) and serves(again, again) and serves(again, plain)
    assert not serves(plain, again) and not serves("other", plain) and not serves(plain, "")
