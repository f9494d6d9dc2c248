"""What is to be made of which clips: found, planned, judged, and said before any work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips import numbered_batch, numbered_plan, resume
from colorbatch.clips.film_plan import FilmPlan, plan_film
from colorbatch.clips.luma_proof import check_lists
from colorbatch.clips.numbered_facts import Wish
from colorbatch.clips.numbered_plan import FrameJob
from colorbatch.clips.numbered_source import open_reel
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.sampling import kind_of_film
from colorbatch.clips.source import Footage
from colorbatch.errors import (
    ColorbatchError,
    SourceError,
    TargetError,
    UsageError,
    one_line,
    reason_of,
)
from colorbatch.ffmpeg import CONTAINERS, Film, codec_of, tick
from colorbatch.fs.atomic import check_target
from colorbatch.inputs import clip_files, targets
from colorbatch.inputs.clip_files import FoundClips
from colorbatch.inputs.patterns import Patterns
from colorbatch.inputs.picture_files import part_of
from colorbatch.job import FilmOutcome, FramesOutcome, Job
from colorbatch.journal.records import RESULT_CHANGED
from colorbatch.journal.results import Journals
from colorbatch.run.report import escaped
from colorbatch.run.watch import Watch

Work = FilmJob | FrameJob
"""A film, or a sequence that becomes frames."""

logger = logging.getLogger(__name__)

IN_COLOR, TONED, OURS_ALREADY = "in color already", "toned", "made by colorbatch"


@dataclass(frozen=True)
class Planned:
    """What there is to do, what is finished already, and what ended before it began. failed: source
    -> the job of each of these that failed."""

    todo: Sequence[Work]
    finished: Sequence[Work]
    outcomes: Sequence[FilmOutcome]
    failed: Mapping[Path, Job]


def plan_clips(request: ClipRequest, model: Callable[[], str], watch: Watch) -> Planned:
    """Every clip of the sources. model: the SHA-256 of its file, asked for where it matters. Raises
    UsageError when all that is wrong has been told."""
    patterns, part = Patterns(request.include, request.exclude), request.part
    listed = None if request.listed is None else list(request.listed)
    found = clip_files.find_films(
        request.sources, request.output, CONTAINERS, patterns, listed, request.audio
    )
    _refuse_options_of_frames(found, request)
    _refuse_options_of_films(found, request)
    everything: list[Work] = []  # also what other machines make, by --shard
    planned: list[Work] = []
    outcomes: list[FilmOutcome] = []
    unmade: dict[Path, Job] = {}
    wrong: list[_Wrong] = []
    for one in found:
        try:
            made = _planned(one, request)
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
                unmade[one.source] = unplanned_job(one, request)
                what = FilmOutcome if one.sequence is None else FramesOutcome
                outcomes.append(failed(Job(one.source, one.source), error, what))
        else:
            mine = is_mine(one, part)
            if not _is_marked(made):
                everything.append(made)
                planned += [made] if mine else []
            elif mine:
                outcomes.append(_skipped(made, OURS_ALREADY))
    taken = clip_files.taken_by(found, request.audio)
    frames = {one.job: one.plan.jobs() for one in everything if isinstance(one, FrameJob)}
    targets.refuse_clashes([one.job for one in everything], taken, frames)
    todo, finished = [], []
    journals = numbered_batch.journals_of(planned, request)
    for film in planned:
        try:
            film, ended = _judged(film, request, journals, model)
        except Exception as error:
            refuse_for_all(error)
            unmade[film.job.source] = film.job
            outcomes.append(failed_work(film, error))
            continue
        if ended is None:
            todo.append(film)
            if not isinstance(film, FrameJob):
                wrong += _refused(film.plan, request)
        else:
            finished.append(film)
            outcomes.append(ended)
    _refuse(wrong, watch)
    return Planned(todo, finished, outcomes, unmade)


def refuse_for_all(error: Exception) -> None:
    """Raises the error again unless it is that of one film: its source, its target, or one that
    nobody foresaw."""
    if isinstance(error, ColorbatchError) and not isinstance(error, SourceError | TargetError):
        raise error
    if not isinstance(error, ColorbatchError):  # a defect; what is only unreadable has its reason
        logger.debug("a film cannot be planned", exc_info=error)


def is_mine(found: FoundClips, part: tuple[int, int] | None) -> bool:
    """Whether a film is one of this machine's, by --shard."""
    return part is None or part_of(found.shared_by, part[1]) == part[0]


def _is_marked(one: Work) -> bool:
    return one.plan.marked if isinstance(one, FrameJob) else one.plan.footage.marked


def wants_a_film(request: ClipRequest) -> bool:
    """Whether numbered frames are to become a film: its name is the output, or its container is
    given. Otherwise they become frames. Raises UsageError for a name that is not written."""
    return bool(request.container) or (
        request.output is not None and clip_files.names_a_film(request.output, CONTAINERS)
    )


def film_of_frames(found: FoundClips, request: ClipRequest) -> FilmJob:
    """Plan a film whose source is a sequence. Raises UsageError, SourceError."""
    assert found.sequence is not None
    asked = request.settings
    wish = Wish(asked.transfer, asked.fps, request.allow_gaps, request.audio, asked.end)
    return _film(found, open_reel(found.sequence, wish), request)


def _refuse_options_of_frames(found: Sequence[FoundClips], request: ClipRequest) -> None:
    """Raises UsageError for options that say something about frames where there are none, and for
    the sound of one film where there are several."""
    asked = {
        "transfer": request.settings.transfer != "auto",
        "fps": request.settings.fps is not None,
        "audio": request.audio is not None,
        "allow-gaps": request.allow_gaps,
    }
    given = [name for name, is_given in asked.items() if is_given]
    if given and not any(one.sequence for one in found):
        raise UsageError(f"--{given[0]} is for numbered frames, and there are none")
    if "audio" in given and len(found) > 1:
        raise UsageError(f"--audio is the sound of one film, but there are {len(found)}")


def _refuse_options_of_films(found: Sequence[FoundClips], request: ClipRequest) -> None:
    """Raises UsageError for an encoder's options where all there is are frames that stay frames."""
    if any(one.sequence is None for one in found) or wants_a_film(request):
        return
    if request.encoder_asked:
        advice = "-o NAME.mkv or --container mkv makes a film of them"
        raise UsageError(
            f"{request.encoder_asked} is for films, and these frames become frames", advice
        )


def _planned(found: FoundClips, request: ClipRequest) -> Work:
    if found.sequence is not None:
        make = film_of_frames if wants_a_film(request) else numbered_batch.plan
        return make(found, request)
    return _film(found, ffmpeg.probe(found.source), request)


def _film(found: FoundClips, source: Film | Footage, request: ClipRequest) -> FilmJob:
    """The film that a source becomes. Raises UsageError, SourceError, TargetError."""
    container = request.container or ""
    if request.output is not None and clip_files.names_a_film(request.output, CONTAINERS):
        own = ffmpeg.container_of(request.output.name)
        if container not in ("", own):
            raise UsageError(f"{request.output} and --container {container} contradict each other")
        container = own
    plan = plan_film(source, request.settings, container)
    job = clip_files.job_of(found, request.output, plan.container, CONTAINERS)
    check_target(job.target)
    if request.prove_luma:
        check_lists(job.target)
    return FilmJob(job, plan)


def _judged(
    film: Work, request: ClipRequest, journals: Journals, model: Callable[[], str]
) -> tuple[Work, FilmOutcome | None]:
    """A film with its kind, and its outcome where it is not to be made. Raises SourceError."""
    if isinstance(film, FrameJob):
        return numbered_batch.judge(film, request, journals, model, _left_alone)
    reason, outdated, account = resume.verdict(film, request.settings, model)
    again = request.redo == "outdated" or request.preview is not None
    anyway = request.redo == "all" or (outdated and again)
    if reason and not anyway:
        skipped = replace(_skipped(film, reason), outdated=outdated)
        if (made := account.finish) is not None and reason != RESULT_CHANGED:
            skipped = replace(
                skipped,
                source_sha256=made.source_sha256,
                target_sha256=made.sha256,
                made_by=account.made_by,
            )
        return film, skipped
    film = replace(film, kind=kind_of_film(film.plan.footage))
    if request.settings.fate(film.kind, film.job.named) == "skip":
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


def _refused(plan: FilmPlan, request: ClipRequest) -> list[_Wrong]:
    """What the container cannot hold."""
    kinds = {stream.index: stream.kind for stream in plan.film.others}
    return [
        _Wrong(
            f"{plan.film.path}: {plan.container} cannot hold its {each.what}: {each.reason}",
            "" if each.index is None else kinds[each.index],
            plan.container,
        )
        for each in plan.refusals
        if each.index is None or not request.settings.drop_unsupported
    ]


def _refuse(wrong: Sequence[_Wrong], watch: Watch) -> None:
    if not wrong:
        return
    for one in wrong[:-1]:
        watch.error(f"error: {one.line}")
    streams = any(one.kind for one in wrong)
    advice = "--drop-unsupported goes on without them" if streams else ""
    if any(one.container and not one.kind for one in wrong):
        advice = "without --codec one is chosen that the container holds"
    if any(one.kind == "audio" and one.container != "mkv" for one in wrong):
        advice = f"-o NAME.mkv holds more kinds of sound; {advice}"
    raise UsageError(wrong[-1].line, advice)


def _skipped(film: Work, reason: str) -> FilmOutcome:
    return _class_of(film)(film.job.source, film.job.target, "skipped", reason)


def failed(job: Job, error: Exception, what: type[FilmOutcome] = FilmOutcome) -> FilmOutcome:
    """The outcome of a clip that could not be made. what: that of its class."""
    reason = reason_of(error, job.source, job.target)
    return what(job.source, job.target, "failed", reason)


def failed_work(one: Work, error: Exception) -> FilmOutcome:
    """The same of one that was planned."""
    return failed(one.job, error, _class_of(one))


def _class_of(one: Work) -> type[FilmOutcome]:
    return FramesOutcome if isinstance(one, FrameJob) else FilmOutcome


def unplanned_job(found: FoundClips, request: ClipRequest) -> Job:
    """The job of a clip of which it is not known what it would become: it keeps its name."""
    if found.sequence is not None and not wants_a_film(request):
        folder = clip_files.folder_of_frames(found, request.output)
        target = folder / found.sequence.pattern
        return Job(found.source, target, found.named, request.output or folder)
    container = Path(found.below.name).suffix.lstrip(".") or "mkv"
    return clip_files.job_of(found, request.output, container, CONTAINERS)


def line_of(film: Work, workers: int = 0) -> str:
    """A plan in one line."""
    if isinstance(film, FrameJob):
        return numbered_batch.line_of(film, workers)
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
    found = [f"left out: {each.what}: {each.reason}" for each in plan.refusals]
    if plan.not_kept:
        found.append(f"not kept: {', '.join(plan.not_kept)}")
    fit, base = plan.fit, plan.encoding.time_base
    step = tick(plan.container, base)
    if (base / step).denominator != 1:
        found.append(f"times are rounded to {float(step * 1000):g} ms, as {plan.container} counts")
    codec = codec_of(plan.encoding.codec)
    full = plan.made.levels == "full" and fit.pixels.kind == "yuv"
    if full and plan.container not in codec.levels_told:
        found.append(
            f"its levels are full, which {codec.title} cannot tell: players show it otherwise"
        )
    if fit.bits_lost:
        found.append(f"{fit.bits_lost} bits of depth are lost")
    if fit.chroma_lost:
        found.append("chroma is coarser than the source's")
    if fit.alpha_lost:
        found.append("transparency is lost")
    return found
