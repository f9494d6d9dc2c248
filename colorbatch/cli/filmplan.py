"""What is to be made of which films: planned, judged, and said before any work."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from colorbatch.cli import frameplan
from colorbatch.errors import ColorbatchError, SourceError, TargetError, UsageError, one_line
from colorbatch.job import FilmOutcome
from colorbatch.run.report import escaped

if TYPE_CHECKING:
    from colorbatch.cli.video import ClipOptions
    from colorbatch.clips.film_plan import FilmPlan
    from colorbatch.clips.numbered_plan import FrameJob
    from colorbatch.clips.resume import FilmJob
    from colorbatch.clips.source import Footage
    from colorbatch.ffmpeg import Film
    from colorbatch.inputs.clip_files import FoundClips
    from colorbatch.job import FilmSettings
    from colorbatch.journal.results import Journals

    Work = FilmJob | FrameJob
"""A film, or a sequence that becomes frames."""

logger = logging.getLogger(__name__)

IN_COLOR, TONED, OURS_ALREADY = "in color already", "toned", "made by colorbatch"


@dataclass(frozen=True)
class Planned:
    """What there is to do, what is finished already, and what ended before it began."""

    todo: Sequence[Work]
    finished: Sequence[Work]
    outcomes: Sequence[FilmOutcome]


def plan_films(asked: ClipOptions, settings: FilmSettings, model: Callable[[], str]) -> Planned:
    """Every film of the sources. Raises UsageError when all that is wrong has been named."""
    from colorbatch.clips import numbered_plan
    from colorbatch.inputs import clip_files
    from colorbatch.inputs.patterns import Patterns

    patterns, part = Patterns(asked.include, asked.exclude), asked.part()
    found = clip_files.find_films(
        asked.sources, asked.output, patterns, asked.listed(), asked.audio
    )
    _refuse_options_of_frames(found, asked)
    _refuse_options_of_films(found, asked)
    everything: list[Work] = []  # also what other machines make, by --shard
    planned: list[Work] = []
    outcomes: list[FilmOutcome] = []
    wrong: list[_Wrong] = []
    for one in found:
        try:
            made = _planned(one, asked, settings)
        except UsageError as error:
            ours = one.sequence is not None and numbered_plan.are_ours(one.sequence)
            if not is_mine(one, part):
                continue  # whose it is says so
            if ours:
                outcomes.append(FilmOutcome(one.source, one.source, "skipped", OURS_ALREADY))
            else:
                wrong.append(_Wrong(one_line(error)))
        except Exception as error:
            refuse_for_all(error)
            if is_mine(one, part):
                outcomes.append(failed(one.source, one.source, error))
        else:
            mine = is_mine(one, part)
            if not _is_marked(made):
                everything.append(made)
                planned += [made] if mine else []
            elif mine:
                outcomes.append(_skipped(made, OURS_ALREADY))
    taken = clip_files.taken_by(found, asked.audio)
    clip_files.refuse_clashes([one.job for one in everything], taken)
    sequences = [one for one in everything if isinstance(one, numbered_plan.FrameJob)]
    numbered_plan.refuse_clashes([one.plan for one in sequences])
    todo, finished = [], []
    journals = frameplan.journals_of(planned, asked)
    for film in planned:
        try:
            film, ended = _judged(film, asked, settings, journals, model)
        except Exception as error:
            refuse_for_all(error)
            outcomes.append(failed(film.job.source, film.job.target, error))
            continue
        if ended is None:
            todo.append(film)
            if not isinstance(film, numbered_plan.FrameJob):
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


def is_mine(found: FoundClips, part: tuple[int, int] | None) -> bool:
    """Whether a film is one of this machine's, by --shard."""
    from colorbatch.inputs.picture_files import part_of

    return part is None or part_of(found.shared_by, part[1]) == part[0]


def _is_marked(one: Work) -> bool:
    from colorbatch.clips import numbered_plan

    return one.plan.marked if isinstance(one, numbered_plan.FrameJob) else one.plan.footage.marked


def wants_a_film(asked: ClipOptions) -> bool:
    """Whether numbered frames are to become a film: its name is the output, or its container is
    given. Otherwise they become frames. Raises UsageError for a name that is not written."""
    from colorbatch.inputs.clip_files import names_a_film

    return bool(asked.container) or (asked.output is not None and names_a_film(asked.output))


def film_of_frames(found: FoundClips, asked: ClipOptions, settings: FilmSettings) -> FilmJob:
    """Plan a film whose source is a sequence. Raises UsageError, SourceError."""
    from colorbatch.clips.numbered_facts import Wish
    from colorbatch.clips.numbered_source import open_reel

    assert found.sequence is not None
    wish = Wish(settings.transfer, settings.fps, asked.allow_gaps, asked.audio, settings.end)
    return _film(found, open_reel(found.sequence, wish), asked, settings)


def _refuse_options_of_frames(found: Sequence[FoundClips], asked: ClipOptions) -> None:
    """Raises UsageError for options that say something about frames where there are none, and for
    the sound of one film where there are several."""
    names = ("transfer", "fps", "audio", "allow_gaps")
    given = [name for name in names if getattr(asked, name) not in (None, "auto", False)]
    if given and not any(one.sequence for one in found):
        option = given[0].replace("_", "-")
        raise UsageError(f"--{option} is for numbered frames, and there are none")
    if "audio" in given and len(found) > 1:
        raise UsageError(f"--audio is the sound of one film, but there are {len(found)}")


def _refuse_options_of_films(found: Sequence[FoundClips], asked: ClipOptions) -> None:
    """Raises UsageError for an encoder's options on the command line where all there is are frames
    that stay frames. In the environment they are for the films that there may be."""
    if any(one.sequence is None for one in found) or wants_a_film(asked):
        return
    context = click.get_current_context()
    for name in ("codec", "crf", "preset", "pix_fmt", "encoder_options"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "-x" if name == "encoder_options" else f"--{name.replace('_', '-')}"
            advice = "-o NAME.mkv or --container mkv makes a film of them"
            raise UsageError(f"{option} is for films, and these frames become frames", advice)


def _planned(found: FoundClips, asked: ClipOptions, settings: FilmSettings) -> Work:
    from colorbatch import ffmpeg

    if found.sequence is not None:
        make = film_of_frames if wants_a_film(asked) else frameplan.plan
        return make(found, asked, settings)
    return _film(found, ffmpeg.probe(found.source), asked, settings)


def _film(
    found: FoundClips, source: Film | Footage, asked: ClipOptions, settings: FilmSettings
) -> FilmJob:
    """The film that a source becomes. Raises UsageError, SourceError, TargetError."""
    from colorbatch import ffmpeg
    from colorbatch.clips.film_plan import plan_film
    from colorbatch.clips.luma_proof import check_lists
    from colorbatch.clips.resume import FilmJob
    from colorbatch.fs.atomic import check_target
    from colorbatch.inputs import clip_files

    container = asked.container or ""
    if asked.output is not None and clip_files.names_a_film(asked.output):
        own = ffmpeg.container_of(asked.output.name)
        if container not in ("", own):
            raise UsageError(f"{asked.output} and --container {container} contradict each other")
        container = own
    plan = plan_film(source, settings, container)
    job = clip_files.job_of(found, asked.output, plan.container)
    check_target(job.target)
    if asked.prove_luma:
        check_lists(job.target)
    return FilmJob(job, plan)


def _judged(
    film: Work,
    asked: ClipOptions,
    settings: FilmSettings,
    journals: Journals,
    model: Callable[[], str],
) -> tuple[Work, FilmOutcome | None]:
    """A film with its kind, and its outcome where it is not to be made. Raises SourceError."""
    from colorbatch.clips import numbered_plan, resume
    from colorbatch.clips.sampling import kind_of_film

    if isinstance(film, numbered_plan.FrameJob):
        return frameplan.judge(film, asked, settings, journals, model, _left_alone)
    reason, outdated, _ = resume.verdict(film, settings, model)
    anyway = asked.redo_all or (outdated and (asked.overwrite or asked.preview is not None))
    if reason and not anyway:
        return film, replace(_skipped(film, reason), outdated=outdated)
    film = replace(film, kind=kind_of_film(film.plan.footage))
    if settings.fate(film.kind, film.job.named) == "skip":
        return film, replace(_skipped(film, _left_alone(film.kind)), kind=film.kind)
    return film, None


def _left_alone(kind: str) -> str:
    """Why a film of a kind is not colored."""
    return IN_COLOR if kind == "color" else TONED


@dataclass(frozen=True)
class _Wrong:
    """Why nothing is begun. kind: of the stream that a container does not hold, such as "audio", ""
    where it is no stream."""

    line: str
    kind: str = ""
    container: str = ""


def _refused(plan: FilmPlan, settings: FilmSettings) -> list[_Wrong]:
    """What the container cannot hold."""
    kinds = {stream.index: stream.kind for stream in plan.film.others}
    return [
        _Wrong(
            f"{plan.film.path}: {plan.container} cannot hold its {each.what}: {each.reason}",
            "" if each.index is None else kinds[each.index],
            plan.container,
        )
        for each in plan.refusals
        if each.index is None or not settings.drop_unsupported
    ]


def _refuse(wrong: Sequence[_Wrong]) -> None:
    if not wrong:
        return
    for one in wrong[:-1]:
        click.echo(escaped(f"error: {one.line}"), err=True)
    streams = any(one.kind for one in wrong)
    advice = "--drop-unsupported goes on without them" if streams else ""
    if any(one.kind == "audio" and one.container != "mkv" for one in wrong):
        advice = f"-o NAME.mkv holds more kinds of sound; {advice}"
    raise UsageError(wrong[-1].line, advice)


def _skipped(film: Work, reason: str) -> FilmOutcome:
    return FilmOutcome(film.job.source, film.job.target, "skipped", reason)


def failed(source: object, target: object, error: Exception) -> FilmOutcome:
    """The outcome of a film that could not be made."""
    from pathlib import Path

    reason = one_line(error)
    for path in (source, target):
        reason = reason.removeprefix(" ".join(f"{path}: ".split()) + " ")
    return FilmOutcome(Path(str(source)), Path(str(target)), "failed", reason)


def line_of(film: Work, workers: int = 0) -> str:
    """A plan in one line."""
    from colorbatch.clips.numbered_plan import FrameJob

    if isinstance(film, FrameJob):
        return frameplan.line_of(film, workers)
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
    if plan.film.sound is not None:
        parts.append(f"sound of {plan.film.sound}: {streams or 'nothing'}")
    else:
        parts.append(f"copied: {streams or 'no other streams'}")
    parts += [*plan.footage.losses, *plan.footage.notes]
    parts += _warnings(plan)
    kind = f" ({film.kind})" if film.kind else ""
    return escaped(f"{film.job.source} -> {film.job.target}{kind}: {'; '.join(parts)}")


def _warnings(plan: FilmPlan) -> list[str]:
    from colorbatch.ffmpeg import tick

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
    from colorbatch.model.contract import find_model, sha256

    return functools.cache(lambda: sha256(find_model(name)))
