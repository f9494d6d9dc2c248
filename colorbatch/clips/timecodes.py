"""Time codes of films, counted on (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from fractions import Fraction

from colorbatch.ffmpeg import Film

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d{1,3})", re.ASCII)


def timecode_at(film: Film, pts: int) -> str:
    """The time code of the frame at a tick: HH:MM:SS:FF, with ; before the frames where it drops
    numbers (SMPTE ST 12-1, section 8.2); the source's own text where it cannot be counted on."""
    rate = film.video.average_rate or film.video.real_rate
    passed = 0 if rate is None else round((pts - film.video.start) * film.video.time_base * rate)
    return counted_on(film.video.timecode, rate, passed)


def counted_on(text: str, rate: Fraction | None, passed: int) -> str:
    """A time code, so many frames later."""
    found = _TIMECODE.fullmatch(text)
    if found is None or rate is None or passed <= 0:
        return text
    per_second = round(rate)
    hours, minutes, seconds, frames = (int(found[i]) for i in (1, 2, 3, 5))
    count = ((hours * 60 + minutes) * 60 + seconds) * per_second + frames
    # of each minute but every tenth the first numbers are left out: 2 at 30, 4 at 60
    left_out = per_second // 15 if found[4] != ":" else 0
    if left_out:
        whole = hours * 60 + minutes
        count -= left_out * (whole - whole // 10)
    count += passed
    if left_out:
        minute = per_second * 60 - left_out
        tens, rest = divmod(count, minute * 10 + left_out)
        more = 0 if rest < per_second * 60 else 1 + (rest - per_second * 60) // minute
        count += left_out * (9 * tens + more)
    seconds, frames = divmod(count, per_second)
    clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{found[4]}{frames:0{len(found[5])}}"


def fits(text: str, rate: Fraction) -> bool:
    """Whether a time code can be one of a film of this rate: no frame number beyond the rate, and
    numbers left out only at multiples of 30000/1001, as libav's muxers take them. "" fits."""
    found = _TIMECODE.fullmatch(text)
    if found is None:
        return not text
    drops = found[4] != ":" and not (rate.denominator == 1001 and round(rate) % 30 == 0)
    return int(found[5]) < round(rate) and not drops
