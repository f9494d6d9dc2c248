"""What a run of pictures is told about space and time: before it, and of the rest after a sample.

Flows in: jobs, and where there is a sample what became of it. Flows out: a `run.estimate.Estimate`.
Every source is asked for its size. How many bytes a result has for each of its source's is learned
for each kind of file: from headers of some, and better from results that are there. No picture is
decoded.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.formats import headers, registry, sizes
from colorbatch.job import ImageSettings, Job, Outcome
from colorbatch.journal import records
from colorbatch.journal.records import source_stamp
from colorbatch.run import estimate
from colorbatch.run.estimate import Amount, Estimate, exactly

HOW_TO_TIME = "--sample 50 measures the time"
HEADERS = 200
"""Of each kind of file the headers of about so many are read, of large and small ones."""
UNSURE = 0.5
"""How far off what a sample of one or two pictures tells may be."""

Kind = tuple[str, str, str]
"""Suffixes of source and target, and how it ends (as `Outcome.status`), "" where nobody knows."""


def guess(
    jobs: Sequence[Job],
    settings: ImageSettings,
    fates: Mapping[Path, str] | None = None,
    learned: Mapping[Kind, Amount] | None = None,
) -> dict[Path, Amount]:
    """Target -> bytes of the result. fates: how targets end, where that is known; learned: result
    bytes per source byte, of those kinds that need no headers."""
    kinds: dict[Kind, list[tuple[int, Job]]] = defaultdict(list)
    for job in jobs:
        kind = _kind(job, (fates or {}).get(job.target, ""))
        kinds[kind].append((_size(job.source), job))
    found: dict[Path, Amount] = {}
    for kind, members in kinds.items():
        rate = (learned or {}).get(kind)
        if rate is None:
            members.sort(key=lambda one: -one[0])
            read = members[:: -(-len(members) // HEADERS)]
            opened = {job.target: _by_header(job, settings, kind[2]) for _, job in read}
            rate = _rate([job for _, job in read], opened)
        found |= {job.target: rate * size for size, job in members}
    return found


def _kind(job: Job, fate: str = "") -> Kind:
    return job.source.suffix.lower(), job.target.suffix.lower(), fate


def _rate(jobs: Sequence[Job], amounts: Mapping[Path, Amount]) -> Amount:
    """Result bytes per source byte."""
    total = sum((amounts[job.target] for job in jobs), estimate.NO_BYTES)
    return total * (1 / max(1, sum(_size(job.source) for job in jobs)))


def _size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return max(0, source_stamp(path)[0])


def _by_header(job: Job, settings: ImageSettings, fate: str) -> Amount:
    """The guess for a file that is opened."""
    pictures, size = headers.pictures_of(job.source), _size(job.source)
    refused = any(one.height * one.width > settings.max_pixels for one in pictures)
    if fate in ("skipped", "failed") or not pictures or refused:
        return estimate.NO_BYTES
    own = pictures[0].format
    format_ = registry.of_result(job.target.suffix, own)
    if fate == "kept" and format_ == own:
        return exactly(size)
    low, middle, high = sizes.of_result(pictures, format_, settings.quality)
    in_color = max(one.samples for one in pictures) >= 3 and not fate and not job.named
    if in_color and settings.on_color != "colorize":  # it may be copied, or left out
        least = size if settings.on_color == "keep" else 0
        low, high = min(low, least), max(high, least)
    return Amount(low, middle, high)


def choose(jobs: Sequence[Job], count: int) -> list[Job]:
    """So many of the jobs, spread over the tree: one of each of `count` equal stretches of their
    order, by a hash of its name. The same of the same jobs."""

    def lot(job: Job) -> bytes:
        return hashlib.sha256(job.place.encode("utf-8", "surrogatepass")).digest()

    count = min(count, len(jobs))
    ends = [len(jobs) * part // count for part in range(count + 1)] if count else []
    return [min(jobs[a:b], key=lot) for a, b in itertools.pairwise(ends)]


def _measured(outcomes: Sequence[Outcome]) -> dict[Kind, Amount]:
    """Result bytes per source byte of each kind, by results that are there. The range is twice the
    standard error of a ratio of sums (Cochran, Sampling Techniques, 3rd edition, section 6.4)."""
    pairs: dict[Kind, list[tuple[int, int]]] = defaultdict(list)
    for one in outcomes:
        there = one.status in ("colored", "kept") or one.reason == records.FINISHED
        size = _size(one.target)
        if there or one.status == "failed" or not size:  # of others nobody knows
            pairs[_kind(Job(one.source, one.target))].append((_size(one.source), size * there))
    rates = {}
    for kind, found in pairs.items():
        sources, results = (sum(sizes) for sizes in zip(*found, strict=True))
        rate, count, error = results / max(1, sources), len(found), UNSURE
        if count > 2 and results:
            off = sum((result - rate * source) ** 2 for source, result in found)
            error = 2 * math.sqrt(off * count / (count - 1)) / results
        rates[kind] = Amount(rate * max(0, 1 - error), rate, rate * (1 + error))
    return rates


@dataclass(frozen=True)
class Forecast:
    """Estimates for the jobs of a run and for those that a sample leaves out. finished: those of a
    sample that were finished before."""

    todo: Sequence[Job]
    rest: Sequence[Job]
    finished: Sequence[Outcome]
    settings: ImageSettings
    workers: int

    @functools.cached_property
    def before(self) -> Estimate:
        """For the jobs of the run, or of the sample."""
        return of(self.todo, guess(self.todo, self.settings), self.workers)

    def after_sample(self, outcomes: Sequence[Outcome], took: float) -> Estimate:
        """For what a sample leaves to do. outcomes: of the sample's jobs, which took so many
        seconds together."""
        ended = {outcome.target for outcome in outcomes}
        left = [job for job in (*self.todo, *self.rest) if job.target not in ended]
        amounts = guess(left, self.settings, learned=_measured([*outcomes, *self.finished]))
        each = took / len(outcomes) if outcomes else None
        return of(left, amounts, self.workers, each)

    def of_plan(self, outcomes: Sequence[Outcome]) -> Estimate:
        """For all that a dry run looked at (and left out, if that was a sample)."""
        fates = {outcome.target: outcome.status for outcome in outcomes}
        judged = [job for job in self.todo if job.target in fates]
        left = [job for job in (*self.todo, *self.rest) if job.target not in fates]
        amounts = guess(judged, self.settings, fates)
        kinds: dict[Kind, list[Job]] = defaultdict(list)
        for job in judged:
            kinds[_kind(job)].append(job)
        learned = {kind: _rate(members, amounts) for kind, members in kinds.items()}
        return of(
            [*judged, *left], amounts | guess(left, self.settings, None, learned), self.workers
        )


def of(
    jobs: Sequence[Job],
    amounts: Mapping[Path, Amount],
    workers: int = 0,
    each: float | None = None,
) -> Estimate:
    """The estimate for jobs with their results. workers: how many are written at a time, 0 for one
    per core; those that replace others give their room back only when they are whole. each: seconds
    that a job takes."""
    needs = [estimate.of_file(job.target, amounts[job.target], each) for job in jobs]
    return estimate.of(needs, workers or os.cpu_count() or 1)
