"""What an edited list of shots does to a film: rows over the shots that were found.

Plain values; no pixels, and no files are read. A row is a shot. Cuts within it are none; where it
begins there is a cut, and behind it, if frames follow, another. Frames that no row has stay as they
were found.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from colorbatch.clips.shot_list import Mark, Shown
from colorbatch.clips.shot_looks import Look, ShotModel, Still, Take
from colorbatch.clips.shot_sheet import REDO, Correction, Line, Sheet, ShotRow
from colorbatch.errors import UsageError
from colorbatch.model.contract import embedded_models


def edited(
    takes: Sequence[Take],
    shown: Sequence[Shown],
    sheet: Sheet,
    marks: Sequence[Mark],
    time: Callable[[int], Fraction] = Fraction,
) -> list[Take]:
    """The shots of a film as a list says, in order.

    takes, shown: the shots that were found, and their frames; marks: the list of the pass;
    time: seconds from the film's begin of a tick. Raises UsageError, which names file, row and
    column.
    """
    frames = _Frames(shown, marks)
    for row in sheet.rows:
        if row.end > frames.last:
            column = "end" if row.start <= frames.last else "start"
            what = f"the film's last frame is {frames.last}"
            raise sheet.wrong(row, column, what)
    rows = {row.start: row for row in sheet.rows}
    inside = {row.start: row.end for row in sheet.rows}
    begins = {each.frame for each in shown if not _is_within(each.frame, sheet.rows)}
    begins |= {0, *inside, *(end + 1 for end in inside.values() if end < frames.last)}
    made = []
    for frame in sorted(begins):
        found = takes[frames.shot_of(frame)]
        said, begin = rows.get(frame), frames.tick(frame)
        take = replace(found, begin=begin) if said is None else _said(said, found, begin)
        if said is not None and said.reference is not None:
            pts = _tick_of(said.reference, frames, time)
            if pts is None or not begin <= pts <= frames.tick(said.end):
                name = said.reference.path.name
                raise sheet.wrong(said, "reference", f"{name!r} is of no frame of the shot")
            take = _steered(take, said.reference, pts)
        made.append(take)
    return _with_stills(made, sheet, frames, time)


def _with_stills(
    takes: list[Take], sheet: Sheet, frames: _Frames, time: Callable[[int], Fraction]
) -> list[Take]:
    """The shots with the stills of a folder; that of a row comes before these."""
    found: dict[int, Correction] = {}
    for still in sheet.stills:
        pts = _tick_of(still, frames, time)
        if pts is None:
            raise UsageError(f"{still.path}: the film has no such frame")
        at = max(0, bisect.bisect_right(takes, pts, key=lambda take: take.begin) - 1)
        if at in found:
            raise UsageError(
                f"{still.path}: is of the same shot as {found[at].path.name}",
                "a row of a list of shots (--shots) can begin another between them",
            )
        found[at] = still
        if takes[at].still is None:
            takes[at] = _steered(takes[at], still, pts)
    return takes


def _steered(take: Take, still: Correction, pts: int) -> Take:
    given = Still(still.path, still.sha256, pts)
    return replace(take, still=given, look=replace(take.look, reference=given.identity))


def _tick_of(still: Correction, frames: _Frames, time: Callable[[int], Fraction]) -> int | None:
    """The tick of the frame that a still shows, None where there is none."""
    if still.frame is not None:
        return frames.tick(still.frame) if still.frame <= frames.last else None
    assert still.seconds is not None
    wanted = still.seconds
    ticks = frames.ticks()
    at = bisect.bisect_left(ticks, wanted, key=time)
    near = ticks[max(0, at - 1) : at + 1]
    best = min(near, key=lambda tick: abs(time(tick) - wanted))
    return best if abs(time(best) - wanted) <= NAMED_TO else None


NAMED_TO = Fraction(1, 1000)
"""Seconds to which stills of previews are named."""


def _said(row: ShotRow, found: Take, begin: int) -> Take:
    """A shot as its row says. found: what it is anyway."""
    action = found.look.action if row.action in ("", REDO) else row.action
    look = Look(action, row.saturation)  # type: ignore[arg-type]
    take = replace(found, begin=begin, look=look, redo=row.action == REDO, model=row.model)
    if (model := take.colored_by) is not None:
        take = replace(take, look=replace(look, model=model.sha256))
    return take


def _is_within(frame: int, rows: Sequence[ShotRow]) -> bool:
    """Whether a row has the frame, and begins before it. rows: in order."""
    at = bisect.bisect_left(rows, frame, key=lambda row: row.start) - 1
    return at >= 0 and frame <= rows[at].end


class _Frames:
    """Numbers of frames and their ticks. A shot begins with its first frame that is not damaged."""

    def __init__(self, shown: Sequence[Shown], marks: Sequence[Mark]) -> None:
        self._shown = shown
        self._cuts = [mark.pts for mark in marks if mark.cut]
        self._known: dict[int, list[int]] = {}
        self.last = shown[-1].last if shown else -1

    def shot_of(self, frame: int) -> int:
        return bisect.bisect_right(self._shown, frame, key=lambda each: each.frame) - 1

    def tick(self, frame: int) -> int:
        at = self.shot_of(frame)
        place = frame - self._shown[at].frame
        if place == 0:
            return self._cuts[at]
        if at not in self._known:
            self._known[at] = self._shown[at].ticks()
        return max(self._known[at][place], self._cuts[at])

    def ticks(self) -> list[int]:
        """Of all frames."""
        return [tick for each in self._shown for tick in each.ticks()]

    def number(self, tick: int) -> int:
        """Of the first frame of a shot that begins at a tick."""
        at = max(0, bisect.bisect_right(self._cuts, tick) - 1)
        if tick == self._cuts[at]:
            return self._shown[at].frame
        return self._shown[at].frame + bisect.bisect_left(self._shown[at].ticks(), tick)


def lines_of(
    takes: Sequence[Take],
    shown: Sequence[Shown],
    marks: Sequence[Mark],
    timecode: Callable[[int], str],
    folder: Path | None = None,
) -> list[Line]:
    """The shots of a film as they are written. timecode: of the frame at a tick; folder: that they
    are written to."""
    frames = _Frames(shown, marks)
    starts = [frames.number(take.begin) for take in takes]
    ends = [*(start - 1 for start in starts[1:]), frames.last]
    return [
        Line(
            start,
            end,
            timecode(take.begin),
            "" if take.kind is None else take.kind.kind,
            take.look.action,
            take.look.saturation,
            "" if take.still is None else _relative(take.still.path, folder),
            _named(take.model, folder),
        )
        for take, start, end in zip(takes, starts, ends, strict=True)
    ]


def _named(model: ShotModel | None, folder: Path | None) -> str:
    """A model as a list in a folder names it, "" for the run's."""
    if model is None:
        return ""
    return model.path.stem if model.path in embedded_models() else _relative(model.path, folder)


def _relative(path: Path, folder: Path | None) -> str:
    """A file as a list in a folder names it."""
    try:
        found = Path(os.path.relpath(path.absolute(), (folder or Path()).absolute()))
    except ValueError:  # on another drive
        found = path.absolute()
    return found.as_posix()


def clock_time(seconds: Fraction) -> str:
    """HH:MM:SS.mmm, for films without a time code."""
    total = round(seconds * 1000)
    minutes, rest = divmod(total, 60000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
