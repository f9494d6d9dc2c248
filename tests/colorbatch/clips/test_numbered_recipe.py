"""What results of numbered frames depend on, and what a change of it asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorbatch.clips.numbered_recipe import (
    BORDER,
    FrameRecipe,
    Together,
    change,
    look_of,
    recipes_of,
)
from colorbatch.clips.shot_looks import Look, ShotModel, Still, Take
from colorbatch.clips.stabiliser import AHEAD, STRIDE, Stabiliser
from colorbatch.color import Float

RNG = np.random.default_rng(5)
LIGHT = np.asarray(RNG.uniform(0, 100, (12, 16)), np.float32)


def ab_of(number: int, seed: int = 0) -> Float:
    rng = np.random.default_rng((number, seed))
    return np.asarray(rng.normal(0, 10, (12, 16, 2)), np.float32)


def spans(texts: list[str]) -> list[tuple[int, int]]:
    return [tuple(map(int, text.split("-")[:2])) for text in texts]  # type: ignore[misc]


@pytest.mark.parametrize("lengths", [(1,), (5, 40), (23, 24, 25), (60,), (36, 1, 1, 37)])
def test_frames_are_told_of_as_a_stabiliser_lets_them_out(lengths: tuple[int, ...]) -> None:
    """As many with each call, stretch after stretch."""
    step, together, number = Stabiliser(), Together(), 0
    for length in lengths:
        for place in range(length):
            begins = place == 0
            told = together.add(number, (1, number), begins)
            assert len(told) == len(step.add(LIGHT, ab_of(number), begins))
            number += 1
    assert len(together.end()) == len(step.end()) and not together.end()


def test_no_frame_depends_on_another_than_is_told() -> None:
    """One frame of 50 gets another color: what others get changes where they say that they are
    averaged with it, and nowhere else."""

    def made(changed: int | None) -> list[Float]:
        step, found = Stabiliser(), []
        for number in range(50):
            ab = ab_of(number, seed=int(number == changed))
            found += step.add(LIGHT, ab, number == 0)
        return found + step.end()

    recipes = recipes_of(range(50), [Take(0)], "s", lambda number: (1, number))
    reach = spans([recipes.of[number].frames for number in range(50)])
    whole = made(None)
    for changed in (0, 11, 12, 30, 49):
        same = [bool((a == b).all()) for a, b in zip(whole, made(changed), strict=True)]
        assert same == [not begin <= changed <= until for begin, until in reach]


def test_stretches_end_at_cuts_gaps_and_broken_frames() -> None:
    numbers = [*range(1000, 1010), *range(1012, 1040)]
    takes = [Take(1000), Take(1004), Take(1020, Look("keep")), Take(1025)]
    recipes = recipes_of(numbers, takes, "s", lambda number: (1, number), broken={1014})
    found = [(one.numbers[0], one.numbers[-1]) for one in recipes.stretches]
    assert found == [(1000, 1003), (1004, 1009), (1012, 1013), (1015, 1019), (1025, 1039)]
    alone = [number for number in numbers if not recipes.of[number].frames]
    assert alone == [1014, *range(1020, 1025)]
    assert recipes.of[1022].look and not recipes.of[1030].look
    assert spans([recipes.of[1005].frames]) == [(1004, 1009)]


def test_how_far_frames_are_averaged_and_borders_follow_from_a_stretch() -> None:
    numbers = range(7, 7 + 2 * BORDER + 5)
    recipes = recipes_of(numbers, [Take(7)], "s", lambda number: (1, number))
    [stretch] = recipes.stretches
    for number in (7, 18, 19, 250, numbers[-30], numbers[-1]):
        assert (7, stretch.until(number)) == spans([recipes.of[number].frames])[0]
    assert stretch.until(7) == 7 + AHEAD and stretch.until(7 + STRIDE) == 7 + STRIDE + AHEAD
    assert list(stretch.borders) == [6 + BORDER, 6 + 2 * BORDER]
    again = recipes_of(numbers, [Take(7)], "s", lambda number: (1 + (number == 300), number))
    assert [again.stretches[0].borders[n] == stretch.borders[n] for n in stretch.borders] == [
        True,
        False,
    ]


def test_nothing_is_averaged_without_a_stabiliser() -> None:
    recipes = recipes_of(range(5), [Take(0)], "s", lambda number: (1, 1), averaged=False)
    assert {str(one) for one in recipes.of.values()} == {"s"} and not recipes.stretches


@pytest.mark.parametrize("averaged", [True, False])
def test_a_shot_with_a_still_depends_on_the_frames_that_this_goes_over(averaged: bool) -> None:
    """Also in front of the still, and of those alone where nothing is averaged; its other shots do
    not."""
    still = Still(Path("a.png"), "0" * 64, 30)
    takes = [Take(0), Take(10, Look(reference=still.identity), still=still), Take(50)]

    def made(changed: int | None) -> dict[int, str]:
        recipes = recipes_of(
            *(range(60), takes, "s", lambda number: (1 + (number == changed), 10**9)),
            averaged=averaged,
        )
        return {number: str(one) for number, one in recipes.of.items()}

    before = made(None)

    def changes(number: int) -> list[int]:
        after = made(number)
        old = {n: FrameRecipe.of(text) for n, text in before.items()}
        new = {n: FrameRecipe.of(text) for n, text in after.items()}
        found = [n for n in before if before[n] != after[n]]
        for n in found:
            assert change(old[n], new[n], given=True, listed=True) == "source"
        return found

    for anchor in (12, 24, 30, 36, 48):
        assert changes(anchor) == list(range(10, 50))
    assert changes(47) == (list(range(34, 50)) if averaged else [])
    assert changes(6) == (list(range(10)) if averaged else [])


LOOK = look_of(Take(0, Look("grey")))


@pytest.mark.parametrize(
    ("made", "wanted", "plain", "given", "after_a_list"),
    [
        ("s::1-24-aa", "s::1-24-aa", "", "", ""),
        ("t::1-24-aa", "s::1-24-aa", "settings", "settings", "settings"),
        ("s", "s::1-24-aa", "", "", ""),  # of an earlier version
        ("s::1-24-aa", "s::1-24-ab", "source", "source", "source"),
        ("s::1-24-aa", "s::1-22-aa", "shot", "shot", "settings"),
        ("s::1-24-aa", f"s:{LOOK}", "settings", "shot", "settings"),
        (f"s:{LOOK}", f"s:{LOOK}!", "settings", "shot", "settings"),
        (f"s:{LOOK}!", f"s:{LOOK}", "", "", ""),
        ("s::1-24-aa:m", "s::1-24-aa:m", "", "", ""),
        ("s::1-24-aa", "s::1-24-aa:m", "settings", "shot", "settings"),
        ("s::1-24-aa:m", "s::1-24-aa:n", "settings", "shot", "settings"),
        ("s:::m", "s", "settings", "shot", "settings"),
    ],
)
def test_what_a_change_asks_for(
    made: str, wanted: str, plain: str, given: str, after_a_list: str
) -> None:
    """With nothing said of the shots, with a list, and without one where there was one before."""
    asked = FrameRecipe.of(wanted)
    assert str(asked) == wanted
    old = FrameRecipe.of(made)
    assert change(old, asked, given=False, listed=False) == plain
    assert change(old, asked, given=True, listed=False) == given
    assert change(old, asked, given=False, listed=True) == after_a_list


def test_a_shot_that_is_made_again_is_known() -> None:
    """By a word in its recipe, which says nothing to a list that does not ask for it."""
    assert look_of(Take(0)) == "" and look_of(Take(0, redo=True)) == "!"
    assert look_of(Take(0, Look("grey"), redo=True)) == f"{LOOK}!"


def test_the_model_of_a_shot_is_in_the_recipe_of_its_frames() -> None:
    """By itself: what else is done with a shot is told alike whatever colors it."""
    model = ShotModel(Path("a.onnx"), "5ha")
    colored = Take(4, Look(saturation=0.5, model="5ha"), model=model)
    takes = [Take(0), colored, Take(8, Look("grey"), model=model)]
    recipes = recipes_of(range(10), takes, "s", lambda number: (1, number))
    assert [recipes.of[number].model for number in range(10)] == [""] * 4 + ["5ha"] * 4 + [""] * 2
    assert look_of(colored) == look_of(Take(4, Look(saturation=0.5)))
    assert (
        str(recipes.of[5]).endswith(":5ha")
        and FrameRecipe.of(str(recipes.of[5])) == (recipes.of[5])
    )
