"""How much space and time a batch of stills will take, told before it begins.

Flows in: jobs, and where there is a sample what became of it. Flows out: bytes per file system with
the range that they are to be expected in, and seconds. Every source is asked for its size, and a
few of each kind of file are opened for their headers; no picture is decoded.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from colorbatch.errors import SpaceError
from colorbatch.formats import headers, registry, sizes
from colorbatch.formats.sizes import Amount
from colorbatch.fs.atomic import reachable
from colorbatch.job import ImageSettings, Job, Outcome
from colorbatch.journal import records
from colorbatch.journal.records import source_stamp
from colorbatch.run.report import duration

LARGEST, DRAWN = 50, 150
"""Of each kind of file the headers of so many are read: of the largest, and of others by lot."""
OWN_PIXELS = 1e6
"""What a picture takes whatever its size (the model, opening, naming) in pixels that are read and
written meanwhile."""
BLOCK = 4096
"""File systems give room in units of this."""
ENOUGH = 3
"""From so many pictures of a kind on, a sample tells how far its estimate may be off."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What is expected of one job: bytes of its result, and pixels that are to be worked on."""

    result: Amount
    pixels: float


def guess(
    jobs: Sequence[Job], settings: ImageSettings, fates: Mapping[Path, str] | None = None
) -> list[Guess]:
    """One for each job. fates: target -> how it ends (as `Outcome.status`), where that is known.

    What stands in the headers of some is taken for the others of their kind (suffix, target's
    suffix, fate) byte for byte, and the range made wider by what the choice of the some may matter.
    """
    fates = fates or {}
    kinds: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, job in enumerate(jobs):
        kinds[(*_kind(job), fates.get(job.target, ""))].append(index)
    bytes_of = [max(0, source_stamp(job.source)[0]) for job in jobs]
    found: dict[int, Guess] = {}
    for (*_, fate), members in kinds.items():
        members.sort(key=lambda index: -bytes_of[index])
        drawn = sorted(members[LARGEST:], key=lambda index: _lot(jobs[index]))[:DRAWN]
        for index in (*members[:LARGEST], *drawn):
            found[index] = _by_header(jobs[index], bytes_of[index], settings, fate)
        rest = set(members) - found.keys()
        if rest:
            rate, pixels = _rate([(bytes_of[index], found[index]) for index in drawn])
            for index in rest:
                found[index] = Guess(rate * bytes_of[index], pixels * bytes_of[index])
    return [found[index] for index in range(len(jobs))]


def _kind(job: Job) -> tuple[str, str]:
    return job.source.suffix.lower(), job.target.suffix.lower()


def _lot(job: Job) -> bytes:
    return hashlib.sha256(job.place.encode("utf-8", "surrogatepass")).digest()


def _by_header(job: Job, size: int, settings: ImageSettings, fate: str) -> Guess:
    """The guess for a file that is opened."""
    pictures = headers.pictures_of(job.source)
    pixels = float(sum(one.height * one.width for one in pictures))
    refused = any(one.height * one.width > settings.max_pixels for one in pictures)
    if fate in ("skipped", "failed") or not pictures or refused:
        return Guess(Amount(0, 0, 0), 0.0)
    own = pictures[0].format
    format_ = registry.of_result(job.target.suffix, own)
    if fate == "kept" and format_ == own:
        return Guess(Amount(size, size, size), pixels)
    result = sizes.of_result(pictures, format_, settings.quality)
    in_color = max(one.samples for one in pictures) >= 3 and not fate and not job.named
    if in_color and settings.on_color != "colorize":  # it may be copied, or left out
        least = size if settings.on_color == "keep" else 0
        result = Amount(min(result.low, least), result.middle, max(result.high, least))
    return Guess(result, pixels)


def _rate(drawn: Sequence[tuple[int, Guess]]) -> tuple[Amount, float]:
    """Result bytes and pixels per source byte: the ratio of the sums, and twice its standard error
    (Cochran, Sampling Techniques, 3rd edition, section 6.4) on both sides of its range."""
    total = max(1, sum(size for size, _ in drawn))
    amount = sum((one.result for _, one in drawn), Amount(0, 0, 0)) * (1 / total)
    off = sum((one.result.middle - amount.middle * size) ** 2 for size, one in drawn)
    error = 2 * math.sqrt(off * len(drawn) / max(1, len(drawn) - 1)) / total
    pixels = sum(one.pixels for _, one in drawn) / total
    return Amount(max(0, amount.low - error), amount.middle, amount.high + error), pixels


# --- what a sample tells ----------------------------------------------------------------------


def choose(jobs: Sequence[Job], count: int) -> list[Job]:
    """So many of the jobs, spread over the tree: one of each of `count` equal stretches of their
    order, by a hash of its name. The same of the same jobs."""
    count = min(count, len(jobs))
    ends = [len(jobs) * part // count for part in range(count + 1)] if count else []
    return [min(jobs[a:b], key=_lot) for a, b in itertools.pairwise(ends)]


def bytes_made(outcomes: Sequence[Outcome]) -> dict[Path, float]:
    """Target -> bytes of the result that is there; 0 where none is needed."""
    made = {}
    for outcome in outcomes:
        there = outcome.status in ("colored", "kept") or outcome.reason == records.FINISHED
        size = source_stamp(outcome.target)[0]  # negative where there is none
        if there or outcome.status == "failed" or size < 0:
            made[outcome.target] = float(max(0, size)) if there else 0.0
    return made


def corrected(
    jobs: Sequence[Job],
    guesses: Sequence[Guess],
    sample: Sequence[tuple[Job, Guess]],
    truth: Mapping[Path, float],
    *,
    measured: bool = True,
) -> list[Guess]:
    """Guesses with what a sample taught: for each kind of file the ratio of what its pictures took
    (`truth`, by target) to what was guessed. The range is what the sample's own spread leaves if
    the truth is measured; if it is but a better guess, the range of the guesses stays as well."""
    known: dict[tuple[str, str], list[tuple[float, Guess]]] = defaultdict(list)
    for job, one in sample:
        if job.target in truth:
            known[_kind(job)].append((truth[job.target], one))
    learned = {kind: _lesson(pairs) for kind, pairs in known.items()}
    made = []
    for job, one in zip(jobs, guesses, strict=True):
        if (lesson := learned.get(_kind(job))) is None:
            made.append(one)
            continue
        ratio, error = lesson
        middle = one.result.middle * ratio
        low, high = one.result.low * ratio, one.result.high * ratio
        if error is not None and measured:
            low, high = middle * max(0, 1 - error), middle * (1 + error)
        made.append(Guess(Amount(low, middle, high), one.pixels))
    return made


def _lesson(pairs: Sequence[tuple[float, Guess]]) -> tuple[float, float | None]:
    """Ratio of truth to guess, and twice its relative standard error; None for a few."""
    guessed = sum(one.result.middle for _, one in pairs)
    if not guessed:
        return 1.0, None
    ratio = sum(size for size, _ in pairs) / guessed
    count = len(pairs)
    if count < ENOUGH or not ratio:
        return ratio, None
    off = sum((size - ratio * one.result.middle) ** 2 for size, one in pairs)
    return ratio, 2 * math.sqrt(off * count / (count - 1)) / (guessed * ratio)


def jobs_of(outcomes: Sequence[Outcome]) -> list[Job]:
    """The jobs of outcomes, as far as a guess needs them."""
    return [Job(outcome.source, outcome.target, home=outcome.target.parent) for outcome in outcomes]


def seconds(took: float, sample: Sequence[Guess], rest: Sequence[Guess]) -> float:
    """How long the rest will take, if the sample took so long: by pixels, and by pictures."""
    done = sum(one.pixels + OWN_PIXELS for one in sample)
    return took * sum(one.pixels + OWN_PIXELS for one in rest) / max(1.0, done)


# --- where it goes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """One file system. needed: bytes by which it gets fuller, at the fullest moment."""

    folder: Path
    needed: Amount
    free: int | None
    """None where the system does not say."""


@dataclass(frozen=True)
class Estimate:
    """What a number of pictures will take. seconds: None where nothing was timed."""

    count: int
    results: Amount
    """Bytes of all results together."""
    places: tuple[Place, ...]
    seconds: float | None = None

    @property
    def text(self) -> str:
        """For people: `about 210 GB (180 to 250 GB); 412 GB free`."""
        time = f"{duration(self.seconds)} and " if self.seconds is not None else ""
        text = f"about {time}{self.results}"
        for place in self.places:
            where = f" at {place.folder}" if len(self.places) > 1 else ""
            if place.free is None:
                continue
            text += f"; {sizes.in_words(place.free)} free{where}"
            if place.needed.middle > place.free:
                text += ", which is too little"
            elif place.needed.high > place.free:
                text += ", which may be too little"
        return text

    def timed(self, seconds: float) -> Estimate:
        """The same with a time."""
        return replace(self, seconds=seconds)

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
                    f"{sizes.in_words(place.free)} free",
                    "make room, or go on with --ignore-space",
                )


def of(jobs: Sequence[Job], guesses: Sequence[Guess], workers: int = 0) -> Estimate:
    """The estimate for jobs with their guesses. workers: how many results are written at a time, 0
    for one per core; those that replace others give their room back only when they are whole."""
    at_once = workers or os.cpu_count() or 1
    groups: dict[int, list[int]] = defaultdict(list)
    folders: dict[Path, tuple[int, Path]] = {}
    for index, job in enumerate(jobs):
        parent = job.target.parent
        if parent not in folders:
            folders[parent] = disk_of(parent)
        groups[folders[parent][0]].append(index)
    places = []
    for members in groups.values():
        there = {folders[jobs[index].target.parent][1] for index in members}
        folder = min(there, key=lambda path: (len(path.parts), path))
        old = [_old(jobs[index]) for index in members]
        new = [guesses[index].result for index in members]
        needed = [
            _fullest([_room(getattr(one, bound)) for one in new], old, at_once)
            for bound in ("low", "middle", "high")
        ]
        places.append(Place(folder, Amount(*needed), free_on(folder)))
    total = sum((one.result for one in guesses), Amount(0, 0, 0))
    return Estimate(len(jobs), total, tuple(places))


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


def _old(job: Job) -> int:
    """Bytes of the result that is to be replaced."""
    size = source_stamp(job.target)[0]
    return _room(size) if size > 0 else 0


def _room(size: float) -> int:
    """What a file of a size takes, with its lines in the journal."""
    return math.ceil(size / BLOCK) * BLOCK + sizes.JOURNAL_BYTES if size else 0


def _fullest(new: Sequence[int], old: Sequence[int], at_once: int) -> int:
    """Bytes by which a disk gets fuller, at most, if results are made in order, `at_once` of them
    at a time, and each then takes an old one's place."""
    most = held = 0
    window = sum(new[: at_once - 1])
    for index, (one, gone) in enumerate(zip(new, old, strict=True)):
        if index + at_once - 1 < len(new):
            window += new[index + at_once - 1]
        most = max(most, held + window)
        held += one - gone
        window -= one
    return most
