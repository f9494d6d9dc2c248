"""The shots of numbered frames that stay frames: found, listed, and edited.

Flows in: a planned sequence, its account (`film_journal`), what somebody says of its shots. Flows
out: the list of shots, and lines of it. Ticks are the numbers of frames, and the numbers in the
list are those that frames bear in their names: the first frame is 1001 where it is named so.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorbatch import ffmpeg
from colorbatch.clips import (
    numbered_frame,
    shot_edits,
    shot_kinds,
    shot_looks,
    shot_pass,
    shots,
)
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import Account, FilmBook, Head
from colorbatch.clips.numbered_plan import FramePlan, frame_at
from colorbatch.clips.numbered_recipe import Stamp
from colorbatch.clips.segment import OtherPicturesError
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_pass import Watched
from colorbatch.clips.shot_sheet import Correction, Line, Sheet, ShotRow
from colorbatch.clips.timecodes import counted_on
from colorbatch.color import Codes
from colorbatch.color.chroma import luma_of_rgb
from colorbatch.color.ycbcr import Encoding, network_lightness
from colorbatch.errors import SourceError
from colorbatch.ffmpeg import Planes
from colorbatch.fs.real_paths import exists
from colorbatch.job import AskedTransfer, FilmSettings
from colorbatch.journal.records import source_stamp

NO_RATE = Fraction(24)
"""Frames a second of a sequence of which nothing tells; no result depends on it."""
SRGB = Encoding(8, None, "rgb", "full")


def stamps_of(plan: FramePlan) -> Mapping[int, Stamp]:
    """Of each frame's source."""
    return {number: source_stamp(plan.sequence.path(number)) for number in plan.numbers}


def head_of(plan: FramePlan, stamps: Mapping[int, Stamp]) -> Head:
    """What a list of shots is made of. stamps: of all frames."""
    state, total, latest = hashlib.sha256(), 0, 0
    for number in plan.numbers:
        size, mtime_ns = stamps[number]
        total, latest = total + size, max(latest, mtime_ns)
        line = f"{plan.sequence.name(number)} {size} {mtime_ns // 1000}\n"
        state.update(line.encode("utf-8", "surrogateescape"))
    seen = {
        "transfer": plan.traits.shown.transfer,
        "region": dataclasses.asdict(plan.region) if plan.region else None,
        "cuts": (shots.SEEN, shots.FLASH, dataclasses.asdict(shots.RULE)),
    }
    name, sample = plan.sequence.pattern, state.hexdigest()
    return Head(name, total, latest, sample, shot_looks.digest_of(seen), "", "")


# --- seen --------------------------------------------------------------------------------------


def watched(plan: FramePlan, asked: AskedTransfer) -> Watched:
    """A sequence as a pass looks at it: every picture stands alone. asked: `--transfer`."""
    numbers = plan.numbers

    def glances(start: int | None, dense: bool) -> ffmpeg.Glances:
        begin = 0 if start is None else bisect.bisect_left(numbers, start)
        found = (
            ffmpeg.Glance(number, functools.cache(functools.partial(picture, plan, number, asked)))
            for number in numbers[begin:]
        )
        return ffmpeg.Glances(found, sparse=not dense)

    rate = plan.rate or NO_RATE
    return Watched(plan.job.source, plan.count, (None, None), 1 / rate, glances, view, judge)


def picture(plan: FramePlan, number: int, asked: AskedTransfer) -> Planes | None:
    """A small picture of a frame, sRGB codes; None for one that cannot be seen. Raises SourceError
    where all of them have gone."""
    frame = seen(plan, number, asked)
    if frame is None:
        own = plan.sequence
        if not any(exists(own.path(each)) for each in (number, own.first, own.last)):
            raise SourceError(f"{plan.job.source}: has gone while it was read")
        return None
    rgb = numbered_frame.glimpse(frame, shot_kinds.VIEW, plan.region)
    red, green, blue = (np.ascontiguousarray(rgb[..., index]) for index in range(3))
    return Planes(rgb=(red, green, blue))


def seen(plan: FramePlan, number: int, asked: AskedTransfer) -> numbered_frame.NumberedFrame | None:
    """A frame that can be colored among the others; None for one that cannot, which is told of
    when it is to be made."""
    try:
        return frame_at(plan, plan.sequence.path(number), asked)
    except Exception:  # of any kind: it ends this frame alone
        return None


def view(planes: Planes) -> Codes:
    """As `shots` looks at it."""
    assert planes.rgb is not None
    red, green, blue = planes.rgb
    light = network_lightness(luma_of_rgb(green, blue, red, SRGB), SRGB, shots.SEEN)
    return np.asarray(np.rint(light * np.float32(2.55)), np.uint8)


def judge(planes: Planes) -> shot_kinds.ShotKind | None:
    """What it shows."""
    assert planes.rgb is not None
    return shot_kinds.kind_of_picture(np.dstack(planes.rgb))


def found(
    plan: FramePlan,
    sheet: Sheet | None,
    maker: Maker,
    book: FilmBook,
    stamps: Mapping[int, Stamp],
) -> list[Take]:
    """What is done with the shots, which are found where they are not known. sheet: what somebody
    says of them. Raises StoppedError, SourceError, and UsageError as `takes_of`."""
    head, seen_as = head_of(plan, stamps), watched(plan, maker.settings.transfer)
    begin(book, head, anew=maker.anew)
    try:
        shot_pass.find_shots(seen_as, maker, book)
    except OtherPicturesError:
        begin(book, head, anew=True)
        shot_pass.find_shots(seen_as, maker, book)
    return takes_of(plan, maker.settings, book.account, sheet)


# --- listed ------------------------------------------------------------------------------------


def takes_of(
    plan: FramePlan, settings: FilmSettings, account: Account, sheet: Sheet | None
) -> list[Take]:
    """What is done with the shots of a sequence whose list is complete. Raises UsageError for a
    list of somebody's that does not fit it."""
    named = plan.job.named
    takes = shot_looks.takes_of(account.marks, account.shown, settings, named=named)
    if sheet is None:
        return takes
    return shot_edits.edited(
        *(takes, account.shots, by_place(sheet, plan.numbers), account.marks),
        lambda number: (number - plan.numbers[0]) / (plan.rate or NO_RATE),
    )


def by_place(sheet: Sheet, numbers: Sequence[int]) -> Sheet:
    """A list with the places of frames instead of their numbers, the first is 0. Raises UsageError
    for numbers that there are not."""

    def row(one: ShotRow) -> ShotRow:
        for column, number in (("start", one.start), ("end", one.end)):
            if not numbers[0] <= number <= numbers[-1]:
                told = f"{number} is not from {numbers[0]} to {numbers[-1]}, the frames' numbers"
                raise sheet.wrong(one, column, told)
        start = bisect.bisect_left(numbers, one.start)
        end = bisect.bisect_right(numbers, one.end) - 1
        if end < start:
            raise sheet.wrong(one, "start", "none of its frames is there")
        still = None if one.reference is None else correction(one.reference)
        return replace(one, start=start, end=end, reference=still)

    def correction(one: Correction) -> Correction:
        if one.frame is None:
            return one
        place = bisect.bisect_left(numbers, one.frame)
        is_there = place < len(numbers) and numbers[place] == one.frame
        return replace(one, frame=place if is_there else len(numbers))

    rows, stills = tuple(map(row, sheet.rows)), tuple(map(correction, sheet.stills))
    return replace(sheet, rows=rows, stills=stills)


def lines_of(plan: FramePlan, takes: Sequence[Take], account: Account) -> list[Line]:
    """The shots of a sequence as they are listed."""
    lines = shot_edits.lines_of(
        *(takes, account.shots, account.marks), _timecode(plan), plan.folder
    )
    numbers = plan.numbers
    return [replace(line, start=numbers[line.start], end=numbers[line.end]) for line in lines]


def _timecode(plan: FramePlan) -> Callable[[int], str]:
    """The time code of a frame, "" where nothing tells."""

    def told(number: int) -> str:
        passed = number - plan.sequence.first
        if plan.timecode:
            return counted_on(plan.timecode, plan.rate, passed)
        return shot_edits.clock_time(passed / plan.rate) if plan.rate else ""

    return told


def list_name(plan: FramePlan) -> Path:
    """What the list is named after, in the folder of the results: frames' name without number."""
    own = plan.sequence
    return plan.folder / f"{own.prefix.rstrip('._- ') or plan.folder.name}{own.suffix}"


def is_of(account: Account, head: Head) -> bool:
    """Whether there is a complete list, of these very frames."""
    return account.passed is not None and account.head is not None and account.head.is_as(head)


def listed(account: Account) -> bool:
    """Whether the frames were made by a list of somebody's last."""
    return bool(account.looks)


def begin(book: FilmBook, head: Head, *, anew: bool) -> None:
    """Begin the list, unless it can be gone on with, or is there."""
    old = book.account.head
    if anew or old is None or not old.is_as(head):
        looks = book.account.looks
        book.begin(head)
        book.look(looks)
