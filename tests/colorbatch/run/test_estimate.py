"""Amounts in words, and the room that work needs at its fullest moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from colorbatch.run import estimate
from colorbatch.run.estimate import Amount, Need, exactly


def test_words_for_bytes() -> None:
    """Decimal units, two or three digits, a range where it matters."""
    words = [estimate.in_words(n) for n in (12, 999, 1500, 99_960, 2.14e9, 412e9, 999.6e9, 3.2e15)]
    assert words == ["12 bytes", "999 bytes", "1.5 kB", "100 kB", "2.1 GB", "412 GB", "1.0 TB",
                     "3,200 TB"]  # fmt: skip
    assert str(Amount(9e9, 10e9, 12e9)) == "10 GB (9.0 GB to 12 GB)"
    assert str(Amount(10e9, 10e9, 10.1e9)) == "10 GB"
    assert str(Amount(0, 10e9, 10e9)) == "10 GB at most"


def test_films_are_made_one_after_the_other(tmp_path: Path) -> None:
    """Each takes twice its size until it is joined; then half of that is given back. Time is told
    where all of it is known."""
    one = Need(tmp_path, 240, exactly(100), exactly(100), exactly(100), seconds=2)
    whole = estimate.of([one, one])
    assert (whole.count, whole.results, whole.seconds) == (480, exactly(200), 4)
    assert whole.places[0].needed == exactly(300)
    assert estimate.of([one, replace(one, seconds=None)]).seconds is None
    assert estimate.of([]).places == ()
