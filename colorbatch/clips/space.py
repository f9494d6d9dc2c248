"""The room that the films and sequences of a run need together, told before any work.

Flows in: what each of them takes, in the order in which they are made. Flows out: an
`estimate.Estimate`: bytes per file system at its fullest moment. Nothing is decoded or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.clips import film_journal
from colorbatch.clips.film_preview import ClipEstimate
from colorbatch.clips.resume import FilmJob
from colorbatch.formats.sizes import Amount
from colorbatch.fs import atomic
from colorbatch.stills import estimate
from colorbatch.stills.estimate import Place

NO_AMOUNT = Amount(0, 0, 0)


@dataclass(frozen=True)
class Need:
    """What a film or a sequence takes. folder: where; pictures: how many, about; result: bytes of
    it; peak, stays: bytes by which the disk is fuller at the fullest moment of the work, and behind
    it; sure: whether so much is needed, and not at most; seconds: None where nothing was timed."""

    folder: Path
    pictures: int
    result: Amount
    peak: Amount
    stays: Amount
    sure: bool
    seconds: float | None = None


def of_film(one: FilmJob, expected: ClipEstimate) -> Need:
    """What a film takes beside its segments that are there already. Where its codec leaves open how
    much, that is any number of bytes up to those that are expected."""
    account = film_journal.read(film_journal.folder_of(one.job))
    done = sum(part.size for part in account.parts)
    target = atomic.reachable(one.job.target)
    old = target.stat().st_size if target.is_file() else 0
    result, peak = expected.result, max(0, expected.peak - done)
    stays = expected.result - done - old
    low = 1 if expected.exact else 0
    return Need(
        one.job.target.parent,
        expected.frames or 0,
        Amount(low * result, result, result),
        Amount(low * peak, peak, peak),
        Amount(low * stays, stays, stays),
        expected.exact,
        expected.seconds if expected.frames else None,
    )


def of_frames(expected: estimate.Estimate) -> list[Need]:
    """What a sequence takes (`numbered_preview.space`), on each file system."""
    if not expected.places:
        return []
    first, *others = expected.places
    needs = [Need(first.folder, expected.count, expected.results, first.needed, first.needed, True)]
    return needs + [Need(one.folder, 0, NO_AMOUNT, one.needed, one.needed, True) for one in others]


def together(needs: Sequence[Need]) -> estimate.Estimate:
    """The estimate for all of them, made one after the other."""
    disks: dict[int, list[Need]] = {}
    folders: dict[int, set[Path]] = {}
    for need in needs:
        device, folder = estimate.disk_of(need.folder)
        disks.setdefault(device, []).append(need)
        folders.setdefault(device, set()).add(folder)
    places = []
    for device, members in disks.items():
        folder = min(folders[device], key=lambda path: (len(path.parts), path))
        places.append(Place(folder, _fullest(members), estimate.free_on(folder)))
    timed = [need.seconds for need in needs if need.seconds is not None]
    return estimate.Estimate(
        sum(need.pictures for need in needs),
        sum((need.result for need in needs), NO_AMOUNT),
        tuple(places),
        sum(timed) if len(timed) == len(needs) and needs else None,
    )


def _fullest(needs: Sequence[Need]) -> Amount:
    """Bytes by which a disk gets fuller at the fullest moment."""
    most, held = NO_AMOUNT, NO_AMOUNT
    for need in needs:
        now = held + need.peak
        pairs = zip(_values(most), _values(now), strict=True)
        most, held = Amount(*map(max, pairs)), held + need.stays
    return most


def _values(amount: Amount) -> tuple[float, float, float]:
    return amount.low, amount.middle, amount.high


def refuse_if_too_large(needs: Sequence[Need]) -> None:
    """Raises SpaceError for a disk with less room than all those need that surely need it."""
    together([need for need in needs if need.sure]).refuse_if_too_large()
