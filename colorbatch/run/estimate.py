"""The one estimate of space and time, for pictures and for clips, told before the work.

Flows in: what each piece of work needs. Flows out: bytes per file system at its fullest moment,
with the range that they are expected in, beside what is free, and seconds. Where the amounts come
from is the caller's: headers, a sample, a few frames.
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.errors import SpaceError
from colorbatch.fs.atomic import reachable
from colorbatch.run.report import duration

BLOCK, JOURNAL_BYTES = 4096, 900
"""File systems give room in units of the one; the other is what a result's two lines take."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Bytes: what is to be expected, and the range around it."""

    low: float
    middle: float
    high: float

    def each(self, what: Callable[[float], float]) -> Amount:
        """The same done to all three."""
        return Amount(what(self.low), what(self.middle), what(self.high))

    def __add__(self, other: Amount) -> Amount:
        # what is common to all pictures of a collection does not even out: ranges add up
        return Amount(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, factor: float) -> Amount:
        return self.each(lambda size: size * factor)

    def __str__(self) -> str:
        """`210 GB (180 GB to 250 GB)`, or without a range where it is narrow."""
        if 0 == self.low < self.middle == self.high:
            return f"{in_words(self.high)} at most"
        if self.high <= 1.03 * self.middle and self.low >= 0.97 * self.middle:
            return in_words(self.middle)
        return f"{in_words(self.middle)} ({in_words(self.low)} to {in_words(self.high)})"

    def to_json(self) -> dict[str, int]:
        """Whole bytes."""
        return {name: round(getattr(self, name)) for name in ("low", "middle", "high")}


NO_BYTES = Amount(0, 0, 0)


def exactly(size: float) -> Amount:
    """An amount that is known."""
    return Amount(size, size, size)


def in_words(count: float) -> str:
    """Bytes in decimal units with two or three digits: `2.1 GB`, `412 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            few = count < 9.95 and unit != "bytes"
            return f"{count:.1f} {unit}" if few else f"{count:,.0f} {unit}"
        count /= 1000
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Need:
    """What a piece of work needs. folder: where; pictures: how many, about; result: bytes of it;
    stays: bytes by which the disk is fuller behind it; beside: how many more than that it has while
    the work goes on; sure: whether so much is needed, and not at most; seconds: None where nothing
    was timed."""

    folder: Path
    pictures: int
    result: Amount
    stays: Amount
    beside: Amount
    sure: bool = True
    seconds: float | None = None


def of_file(target: Path, result: Amount, seconds: float | None = None) -> Need:
    """What a file needs: where it replaces another, that one's room too, until it is whole."""
    place = reachable(target)
    old, new = (
        size.each(lambda one: math.ceil(one / BLOCK) * BLOCK + JOURNAL_BYTES * bool(one))
        for size in (exactly(place.stat().st_size if place.is_file() else 0), result)
    )
    beside = new.each(lambda size: min(size, old.middle))
    return Need(target.parent, 1, result, new + old * -1, beside, seconds=seconds)


@dataclass(frozen=True)
class Place:
    """One file system. needed: bytes by which it gets fuller, at the fullest moment; free: None
    where the system does not say."""

    folder: Path
    needed: Amount
    free: int | None


@dataclass(frozen=True)
class Estimate:
    """What a number of pictures or frames will take: bytes of all results together, the room for
    them, and seconds, None where nothing was timed."""

    count: int
    results: Amount
    places: tuple[Place, ...]
    seconds: float | None = None

    @property
    def text(self) -> str:
        """For people: `about 210 GB (180 GB to 250 GB); 412 GB free`."""
        time = f"{duration(self.seconds)} and " if self.seconds is not None else ""
        text = f"about {time}{self.results}"
        for place in self.places:
            where = f" at {place.folder}" if len(self.places) > 1 else ""
            if place.free is None:
                continue
            text += f"; {in_words(place.free)} free{where}"
            if place.needed.middle > place.free:
                text += ", which is too little"
            elif place.needed.high > place.free:
                text += ", which may be too little"
        return text

    def to_json(self) -> dict[str, object]:
        """Plain values: bytes, seconds."""
        return {
            "pictures": self.count,
            "bytes": self.results.to_json(),
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "places": [
                {"folder": str(one.folder), "needed": one.needed.to_json(), "free": one.free}
                for one in self.places
            ],
        }

    def refuse_if_too_large(self) -> None:
        """Raises SpaceError for a file system with less room than is to be expected needed."""
        for place in self.places:
            if place.free is not None and place.needed.middle > place.free:
                raise SpaceError(
                    f"{place.folder}: too little space: about {place.needed} needed, "
                    f"{in_words(place.free)} free",
                    "make room, or go on with --ignore-space",
                )


def of(needs: Sequence[Need], at_once: int = 1) -> Estimate:
    """The estimate for work of which so many pieces are done at a time."""
    groups: dict[int, list[Need]] = defaultdict(list)
    disks = {folder: disk_of(folder) for folder in {need.folder for need in needs}}
    for need in needs:
        groups[disks[need.folder][0]].append(need)
    places = []
    for members in groups.values():
        there = {disks[need.folder][1] for need in members}
        folder = min(there, key=lambda path: (len(path.parts), path))
        places.append(Place(folder, fullest(members, at_once), free_on(folder)))
    timed = [need.seconds for need in needs if need.seconds is not None]
    return Estimate(
        sum(need.pictures for need in needs),
        sum((need.result for need in needs), NO_BYTES),
        tuple(places),
        sum(timed) if timed and len(timed) == len(needs) else None,
    )


def fullest(needs: Sequence[Need], at_once: int) -> Amount:
    """Bytes by which a disk gets fuller at the fullest moment, at most."""
    beside = max(needs, key=lambda need: need.beside.high).beside * min(at_once, len(needs))
    stays = sum((need.stays for need in needs), NO_BYTES)
    return stays.each(lambda size: max(0, size)) + beside


def disk_of(folder: Path) -> tuple[int, Path]:
    """The file system of a folder that may not be there yet, and its nearest folder that is."""
    for place in (folder, *folder.absolute().parents):
        try:
            return reachable(place).stat().st_dev, place
        except OSError:
            continue
    return 0, Path(folder.anchor)


def free_on(folder: Path) -> int | None:
    """Bytes that a user may still write; some network file systems tell nothing, or zeros."""
    try:
        usage = shutil.disk_usage(reachable(folder))
    except OSError:
        return None
    return usage.free if usage.total else None
