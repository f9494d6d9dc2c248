"""What is to be made of which films: planned, judged, and said before any work."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from colorbatch.errors import ColorbatchError, SourceError, TargetError, UsageError, one_line
from colorbatch.report import FilmOutcome, escaped

if TYPE_CHECKING:
    from colorbatch.cli.video import Asked
    from colorbatch.filming import FilmJob
    from colorbatch.filmjobs import Found
    from colorbatch.video import FilmPlan, FilmSettings

logger = logging.getLogger(__name__)

IN_COLOR, TONED = "in color already", "toned"


@dataclass(frozen=True)
class Planned:
    """What there is to do, what is finished already, and what ended before it began."""

    todo: Sequence[FilmJob]
    finished: Sequence[FilmJob]
    outcomes: Sequence[FilmOutcome]


def plan_films(asked: Asked, settings: FilmSettings, model: Callable[[], str]) -> Planned:
    """Every film of the sources. Raises UsageError when all that is wrong has been named."""
    from colorbatch import filming, filmjobs
    from colorbatch.patterns import Patterns

    patterns, part = Patterns(asked.include, asked.exclude), asked.part()
    found = filmjobs.find_films(asked.sources, asked.output, patterns, asked.listed())
    planned: list[FilmJob] = []
    outcomes: list[FilmOutcome] = []
    wrong: list[str] = []
    for one in found:
        try:
            made = _planned(one, asked, settings)
        except UsageError as error:
            wrong.append(one_line(error))
        except Exception as error:
            refuse_for_all(error)
            if is_mine(one.below.as_posix(), part):
                outcomes.append(failed(one.source, one.source, error))
        else:
            planned.append(made)
            if filming.is_marked(made.plan.film):
                planned.pop()
                if is_mine(made.job.place, part):
                    outcomes.append(_skipped(made, "made by colorbatch"))
    filmjobs.refuse_clashes([one.job for one in planned])
    planned = [one for one in planned if is_mine(one.job.place, part)]
    todo, finished = [], []
    for film in planned:
        try:
            film, ended = _judged(film, asked, settings, model)
        except Exception as error:
            refuse_for_all(error)
            outcomes.append(failed(film.job.source, film.job.target, error))
            continue
        if ended is None:
            todo.append(film)
            wrong += _refused(film.plan, settings)
        else:
            finished.append(film)
            outcomes.append(ended)
    _refuse(wrong)
    return Planned(todo, finished, outcomes)


def refuse_for_all(error: Exception) -> None:
    """Raises the error again unless it is that of one film: its source, its target, or one that
    nobody foresaw."""
    if isinstance(error, ColorbatchError) and not isinstance(error, SourceError | TargetError):
        raise error
    logger.debug("a film cannot be planned", exc_info=error)


def is_mine(place: str, part: tuple[int, int] | None) -> bool:
    """Whether a film is one of this machine's, by --shard."""
    from colorbatch.finding import part_of

    return part is None or part_of(place, part[1]) == part[0]


def _planned(found: Found, asked: Asked, settings: FilmSettings) -> FilmJob:
    from colorbatch import avio, filmjobs
    from colorbatch.files import check_target
    from colorbatch.filming import FilmJob
    from colorbatch.video import plan_film

    container = asked.container or ""
    if asked.output is not None and filmjobs.names_a_film(asked.output):
        own = avio.container_of(asked.output.name)
        if container not in ("", own):
            raise UsageError(f"{asked.output} and --container {container} contradict each other")
        container = own
    plan = plan_film(avio.probe(found.source), settings, container)
    job = filmjobs.job_of(found, asked.output, plan.container)
    check_target(job.target)
    return FilmJob(job, plan)


def _judged(
    film: FilmJob, asked: Asked, settings: FilmSettings, model: Callable[[], str]
) -> tuple[FilmJob, FilmOutcome | None]:
    """A film with its kind, and its outcome where it is not to be made. Raises SourceError."""
    from colorbatch import filming
    from colorbatch.video import kind_of_film

    reason, outdated, _ = filming.verdict(film, settings, model)
    if reason and not (asked.redo_all or (outdated and asked.overwrite)):
        return film, replace(_skipped(film, reason), outdated=outdated)
    film = replace(film, kind=kind_of_film(film.plan.film))
    if settings.fate(film.kind, film.job.named) == "skip":
        reason = IN_COLOR if film.kind == "color" else TONED
        return film, replace(_skipped(film, reason), kind=film.kind)
    return film, None


def _refused(plan: FilmPlan, settings: FilmSettings) -> list[str]:
    """What the container cannot hold, a line for each."""
    return [
        f"{plan.film.path}: {plan.container} cannot hold its {each.what}: {each.reason}"
        for each in plan.refusals
        if each.index is None or not settings.drop_unsupported
    ]


def _refuse(wrong: Sequence[str]) -> None:
    if not wrong:
        return
    for line in wrong[:-1]:
        click.echo(escaped(f"error: {line}"), err=True)
    streams = any("cannot hold its" in line and "video (" not in line for line in wrong)
    raise UsageError(wrong[-1], "--drop-unsupported goes on without them" if streams else "")


def _skipped(film: FilmJob, reason: str) -> FilmOutcome:
    return FilmOutcome(film.job.source, film.job.target, "skipped", reason)


def failed(source: object, target: object, error: Exception) -> FilmOutcome:
    """The outcome of a film that could not be made."""
    from pathlib import Path

    reason = one_line(error)
    for path in (source, target):
        reason = reason.removeprefix(" ".join(f"{path}: ".split()) + " ")
    return FilmOutcome(Path(str(source)), Path(str(target)), "failed", reason)


def line_of(film: FilmJob) -> str:
    """A plan in one line."""
    plan, video = film.plan, film.plan.film.video
    encoding = plan.encoding
    rate = encoding.rate
    told = f"{rate} frames/s" if rate else "variable rate"
    if rate and rate.denominator == 1:
        told = f"{rate.numerator} frames/s"
    parts = [
        f"{video.codec} {video.pixels.name} -> {encoding.codec} {encoding.pix_fmt} in "
        f"{plan.container}",
        f"{video.size[1]}x{video.size[0]} at {told}"
        + (f", about {plan.count:,} frames" if plan.count else ""),
    ]
    copied = [each for each in plan.film.others if each.index not in plan.drop]
    streams = ", ".join(f"{each.kind} ({each.codec})" for each in copied)
    parts.append(f"copied: {streams or 'no other streams'}")
    parts += _warnings(plan)
    kind = f" ({film.kind})" if film.kind else ""
    return escaped(f"{film.job.source} -> {film.job.target}{kind}: {'; '.join(parts)}")


def _warnings(plan: FilmPlan) -> list[str]:
    from colorbatch.avio import tick

    found = [f"left out: {each.what}: {each.reason}" for each in plan.refusals]
    if plan.not_kept:
        found.append(f"not kept: {', '.join(plan.not_kept)}")
    fit, base = plan.fit, plan.encoding.time_base
    step = tick(plan.container, base)
    if (base / step).denominator != 1:
        found.append(f"times are rounded to {float(step * 1000):g} ms, as {plan.container} counts")
    if plan.made.levels == "full" and plan.encoding.codec.startswith("prores"):
        found.append("its levels are full, which ProRes cannot tell: players show it otherwise")
    if fit.bits_lost:
        found.append(f"{fit.bits_lost} bits of depth are lost")
    if fit.chroma_lost:
        found.append("chroma is coarser than the source's")
    if fit.alpha_lost:
        found.append("transparency is lost")
    return found


def cached_model(name: str | None) -> Callable[[], str]:
    """The SHA-256 of the model's file, asked for at most once."""
    from colorbatch.contract import find_model, sha256

    return functools.cache(lambda: sha256(find_model(name)))
