"""Frame rates of image sequences: a header's number or an option as an exact fraction."""

from __future__ import annotations

from fractions import Fraction

from colorbatch.errors import UsageError

_NTSC = (24, 30, 48, 60, 120)
"""Rates that are often divided by 1.001."""
_NEAR = 0.005
"""Headers say 23.976, 23.98 and 29.97 for 24000/1001 and 30000/1001."""
MOST_FPS = 1000


def nominal_rate(fps: float | tuple[int, int] | None) -> Fraction | None:
    """The exact rate that a header's number or fraction means: 23.976 is 24000/1001, 18 is 18.
    None for what is no rate: not finite, below 1 or above 1000."""
    if isinstance(fps, tuple):
        exact = Fraction(*fps) if fps[1] else Fraction(0)
        if exact.denominator in (1, 1001):
            return exact if 1 <= exact <= MOST_FPS else None
        fps = float(exact)  # 23976/1000 is meant as 23.976 is
    if fps is None or not 1 <= fps <= MOST_FPS:
        return None
    if abs(fps - round(fps)) < 1e-4:
        return Fraction(round(fps))
    for whole in _NTSC:
        if abs(fps - whole / 1.001) < _NEAR:
            return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1001)


def parse_rate(text: str) -> Fraction:
    """`--fps`: "24", "23.976", "24000/1001". Raises UsageError."""
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    within = 1 <= rate <= MOST_FPS
    exact = rate if "/" in text else nominal_rate(float(rate)) if within else None
    if exact is None or not within:
        raise UsageError(f"a rate is 1 to {MOST_FPS}, such as 24, 23.976 or 24000/1001: {text!r}")
    return exact


def film_rate(asked: Fraction | None, header: Fraction | None, what: str) -> Fraction:
    """The rate of a film from frames: what was asked for, else the header's. Never a guess: raises
    UsageError, that begins with `what`, without either."""
    rate = asked or header
    if rate is None:
        raise UsageError(f"{what}: its frames do not say their rate", "give it, such as --fps 24")
    return rate
