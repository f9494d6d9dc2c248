"""Rates of frames: what a header's number means, and that none is made up."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from colorbatch.clips.frame_rates import film_rate, nominal_rate, parse_rate
from colorbatch.errors import UsageError


@pytest.mark.parametrize(
    ("said", "exact"),
    [
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (23.976024627685547, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (float(np.float32(119.88)), Fraction(120000, 1001)),
        (24.0, Fraction(24)),
        (25.0, Fraction(25)),
        (18.0, Fraction(18)),
        (16.0, Fraction(16)),
        (float(np.float32(16 + 2 / 3)), Fraction(50, 3)),
        (12.5, Fraction(25, 2)),
        ((24000, 1001), Fraction(24000, 1001)),
        ((23976, 1000), Fraction(24000, 1001)),
        ((50, 2), Fraction(25)),
    ],
)
def test_headers_mean_exact_rates(said, exact):
    """Rounded ones of the NTSC family are what they are rounded from; silent film's are kept."""
    assert nominal_rate(said) == exact


@pytest.mark.parametrize("said", [None, 0.0, -1.0, math.nan, math.inf, 4.29e9, (24, 0), (0, 1)])
def test_what_is_no_rate(said):
    """Undefined fields of headers are no rates."""
    assert nominal_rate(said) is None


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        (" 24000/1001 ", Fraction(24000, 1001)),
        ("50/3", Fraction(50, 3)),
        ("16.6", Fraction(83, 5)),
    ],
)
def test_options_are_exact(text, exact):
    """Fractions stand as they are given."""
    assert parse_rate(text) == exact


@pytest.mark.parametrize("text", ["", "fast", "0", "24/0", "-24", "2000", "nan", "1/3", "1e400"])
def test_other_options_are_refused(text):
    """One line, and nothing is guessed."""
    with pytest.raises(UsageError, match="24000/1001"):
        parse_rate(text)


def test_a_rate_is_never_guessed():
    """The option first, then the header, then an error that asks for it."""
    assert film_rate(Fraction(18), Fraction(24), "a") == 18
    assert film_rate(None, Fraction(24), "a") == 24
    with pytest.raises(UsageError, match=r"^reel_%04d\.dpx: .*--fps"):
        film_rate(None, None, "reel_%04d.dpx")
