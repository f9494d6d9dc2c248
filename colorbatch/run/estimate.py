"""The one estimate of space and time, for pictures and for clips, told before the work.

Flows in: what each piece of work takes, in the order in which they are made. Flows out: bytes per
file system at its fullest moment with the range that they are expected in, beside what is free, and
seconds. Where the amounts come from is the caller's: headers, a sample, a few frames.
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from colorbatch.errors import SpaceError
from colorbatch.fs.atomic import reachable
from colorbatch.run.report import duration

BLOCK = 4096
"""File systems give room in units of this."""
JOURNAL_BYTES = 900
"""What the journal's two lines for a result take."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Bytes: what is to be expected, and the range around it."""

    low: float
    middle: float
    high: float

    def __add__(self, other: Amount) -> Amount:
        # what is common to all pictures of a collection does not even out: ranges add up
        return Amount(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, factor: float) -> Amount:
        return Amount(self.low * factor, self.middle * factor, self.high * factor)

    def on_disk(self) -> Amount:
        """What a file of this size takes, with its lines in the journal; nothing if it is empty."""
        low, middle, high = (
            math.ceil(size / BLOCK) * BLOCK + JOURNAL_BYTES if size else 0
            for size in (self.low, self.middle, self.high)
        )
        return Amount(low, middle, high)

    def __str__(self) -> str:
        """`210 GB (180 GB to 250 GB)`, or without a range where it is narrow."""
        if not self.low and self.middle == self.high:
            return f"{in_words(self.high)} at most" if self.high else in_words(0)
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
    """What a piece of work takes. folder: where; pictures: how many, about; result: bytes of it;
    room: bytes by which the disk is fuller at the fullest moment of the work; old: bytes of that
    room that are given back behind it; sure: whether so much is needed, and not at most."""

    folder: Path
    pictures: int
    result: Amount
    room: Amount
    old: float = 0
    sure: bool = True
    seconds: float | None = None


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
    def as_needs(self) -> list[Need]:
        """The same as work among other work, one for each file system."""
        needs = [Need(one.folder, 0, NO_BYTES, one.needed) for one in self.places]
        first = [replace(one, pictures=self.count, result=self.results) for one in needs[:1]]
        return first + needs[1:]

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
    """The estimate for work that is done in order, so many pieces of it at a time."""
    groups: dict[int, list[Need]] = defaultdict(list)
    disks: dict[Path, tuple[int, Path]] = {}
    for need in needs:
        if need.folder not in disks:
            disks[need.folder] = disk_of(need.folder)
        groups[disks[need.folder][0]].append(need)
    places = []
    for members in groups.values():
        there = {disks[need.folder][1] for need in members}
        folder = min(there, key=lambda path: (len(path.parts), path))
        needed = Amount(*(_fullest(members, bound, at_once) for bound in ("low", "middle", "high")))
        places.append(Place(folder, needed, free_on(folder)))
    total = sum((need.result for need in needs), NO_BYTES)
    timed = [need.seconds for need in needs if need.seconds is not None]
    seconds = sum(timed) if timed and len(timed) == len(needs) else None
    return Estimate(sum(need.pictures for need in needs), total, tuple(places), seconds)


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


def _fullest(needs: Sequence[Need], bound: str, at_once: int) -> float:
    """Bytes by which a disk gets fuller, at most, with `at_once` pieces of work at a time."""
    rooms = [getattr(need.room, bound) for need in needs]
    most = held = 0.0
    window = sum(rooms[: at_once - 1])
    for index, need in enumerate(needs):
        window += sum(rooms[index + at_once - 1 : index + at_once])
        most = max(most, held + window)
        held += rooms[index] - need.old
        window -= rooms[index]
    return most
