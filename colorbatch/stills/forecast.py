"""What a run is told about space and time: before it, and of the rest after a sample."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.job import ImageSettings, Job, Outcome
from colorbatch.stills import estimate
from colorbatch.stills.estimate import Estimate, Guess

HOW_TO_TIME = "--sample 50 measures the time"


def take_sample(
    jobs: Sequence[Job], todo: Sequence[Job], skipped: Sequence[Outcome], count: int | None
) -> tuple[list[Job], list[Job], list[Outcome]]:
    """Of what is to do and of what is skipped, that which belongs to a sample of all jobs, and
    between them the rest that is to do; without a count all is sample."""
    if count is None:
        return list(todo), [], list(skipped)
    chosen = {job.target for job in estimate.choose(jobs, count)}
    return (
        [job for job in todo if job.target in chosen],
        [job for job in todo if job.target not in chosen],
        [outcome for outcome in skipped if outcome.target in chosen],
    )


@dataclass(frozen=True)
class Forecast:
    """Guesses for the jobs of a run and for those that a sample leaves out, target by target."""

    todo: Sequence[Job]
    rest: Sequence[Job]
    finished: Sequence[Outcome]
    """Those of a sample that were finished before."""
    settings: ImageSettings
    workers: int
    guesses: Mapping[Path, Guess]

    @classmethod
    def of(
        cls,
        todo: Sequence[Job],
        rest: Sequence[Job],
        finished: Sequence[Outcome],
        settings: ImageSettings,
        workers: int,
    ) -> Forecast:
        jobs = [*todo, *rest]
        found = zip(jobs, estimate.guess(jobs, settings), strict=True)
        guesses = {job.target: one for job, one in found}
        return cls(todo, rest, finished, settings, workers, guesses)

    @functools.cached_property
    def before(self) -> Estimate:
        """For the jobs of the run, or of the sample."""
        guesses = [self.guesses[job.target] for job in self.todo]
        return estimate.of(self.todo, guesses, self.workers)

    def after_sample(self, outcomes: Sequence[Outcome], took: float) -> Estimate:
        """For what a sample leaves to do. outcomes: of the sample's jobs, which took so many
        seconds together."""
        made = estimate.bytes_made([*outcomes, *self.finished])
        ended = {outcome.target for outcome in outcomes}
        left = [job for job in (*self.todo, *self.rest) if job.target not in ended]
        done = [job for job in self.todo if job.target in ended]
        old = estimate.jobs_of(self.finished)
        known = [*done, *old]
        guesses = [self.guesses[job.target] for job in left]
        seen = [
            *(self.guesses[job.target] for job in done),
            *estimate.guess(old, self.settings),
        ]
        better = estimate.corrected(left, guesses, list(zip(known, seen, strict=True)), made)
        result = estimate.of(left, better, self.workers)
        if done:
            timed = [self.guesses[job.target] for job in done]
            result = result.timed(estimate.seconds(took, timed, guesses))
        return result

    def of_plan(self, outcomes: Sequence[Outcome]) -> Estimate:
        """For all that a dry run looked at (and left out, if that was a sample)."""
        fates = {outcome.target: outcome.status for outcome in outcomes}
        judged = [job for job in self.todo if job.target in fates]
        known = estimate.guess(judged, self.settings, fates)
        if not self.rest and len(judged) == len(self.todo):
            return estimate.of(judged, known, self.workers)
        left = [job for job in (*self.todo, *self.rest) if job.target not in fates]
        truth = {job.target: one.result.middle for job, one in zip(judged, known, strict=True)}
        sample = [(job, self.guesses[job.target]) for job in judged]
        guesses = [self.guesses[job.target] for job in left]
        better = estimate.corrected(left, guesses, sample, truth, measured=False)
        return estimate.of([*judged, *left], [*known, *better], self.workers)
