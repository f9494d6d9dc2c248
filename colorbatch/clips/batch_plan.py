"""What is to be made of which clips: found, planned, judged, and said before any work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips import look_file, numbered_clip, numbered_plan, shot_sheet
from colorbatch.clips.clip import Clip, Wrong
from colorbatch.clips.film_clip import FilmClip
from colorbatch.clips.film_plan import plan_film
from colorbatch.clips.luma_proof import check_lists
from colorbatch.clips.numbered_facts import Wish
from colorbatch.clips.numbered_source import open_reel
from colorbatch.clips.request import ClipRequest, ShotFiles
from colorbatch.clips.shot_sheet import Own, Sheet
from colorbatch.clips.source import Footage
from colorbatch.errors import (
    ColorbatchError,
    SourceError,
    TargetError,
    UsageError,
    one_line,
    reason_of,
)
from colorbatch.ffmpeg import CONTAINERS, Film
from colorbatch.fs.atomic import check_target
from colorbatch.inputs import clip_files, targets
from colorbatch.inputs.clip_files import FoundClips
from colorbatch.inputs.patterns import Patterns
from colorbatch.inputs.picture_files import part_of
from colorbatch.job import FilmOutcome, FramesOutcome, Job
from colorbatch.model.contract import find_model
from colorbatch.run.watch import Watch

logger = logging.getLogger(__name__)

OURS_ALREADY = "made by colorbatch"


@dataclass(frozen=True)
class Planned:
    """What there is to do, what is finished already, and what ended before it began. failed: source
    -> the job of each of these that failed."""

    todo: Sequence[Clip]
    finished: Sequence[Clip]
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
    _refuse_shots(found, request)
    everything: list[Clip] = []  # also what other machines make, by --shard
    planned: list[Clip] = []
    outcomes: list[FilmOutcome] = []
    unmade: dict[Path, Job] = {}
    wrong: list[Wrong] = []
    for one in found:
        try:
            made = _planned(one, request, model)
        except UsageError as error:
            ours = one.sequence is not None and numbered_plan.are_ours(one.sequence)
            if not is_mine(one, part):
                continue  # whose it is says so
            if ours:
                outcomes.append(FilmOutcome(one.source, one.source, "skipped", OURS_ALREADY))
            else:
                wrong.append(Wrong(one_line(error)))
        except Exception as error:
            refuse_for_all(error)
            if is_mine(one, part):
                unmade[one.source] = unplanned_job(one, request)
                what = FilmOutcome if one.sequence is None else FramesOutcome
                outcomes.append(failed(Job(one.source, one.source), error, what))
        else:
            mine = is_mine(one, part)
            if not made.marked:
                everything.append(made)
                planned += [made] if mine else []
            elif mine:
                outcomes.append(made.of(made.job.source, made.job.target, "skipped", OURS_ALREADY))
    taken = clip_files.taken_by(found, request.audio)
    frames = {one.job: one.files for one in everything if one.files}
    targets.refuse_clashes([one.job for one in everything], taken, frames)
    todo, finished = [], []
    journals = numbered_clip.journals_of(planned, request)
    for clip in planned:
        try:
            judged, ended = clip.judged(request, journals, model)
        except Exception as error:
            refuse_for_all(error)
            unmade[clip.job.source] = clip.job
            outcomes.append(failed_clip(clip, error))
            continue
        if ended is None:
            todo.append(judged)
            wrong += judged.wrong(request)
        else:
            finished.append(judged)
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


def wants_a_film(request: ClipRequest) -> bool:
    """Whether numbered frames are to become a film: its name is the output, or its container is
    given. Otherwise they become frames. Raises UsageError for a name that is not written."""
    return bool(request.container) or (
        request.output is not None and clip_files.names_a_film(request.output, CONTAINERS)
    )


def film_of_frames(found: FoundClips, request: ClipRequest, model: Callable[[], str]) -> FilmClip:
    """Plan a film whose source is a sequence. Raises UsageError, SourceError."""
    assert found.sequence is not None
    asked = request.settings
    wish = Wish(asked.transfer, asked.fps, request.allow_gaps, request.audio, asked.end)
    return _film(found, open_reel(found.sequence, wish), request, model)


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


def _refuse_shots(found: Sequence[FoundClips], request: ClipRequest) -> None:
    """Raises UsageError for a list of shots, or stills of them, where there is not one film."""
    if request.shots is None and request.references is None:
        return
    name = "references" if request.shots is None else "shots"
    if len(found) > 1:
        raise UsageError(f"--{name} is of one film, but there are {len(found)}")


def _planned(found: FoundClips, request: ClipRequest, model: Callable[[], str]) -> Clip:
    if found.sequence is not None:
        if wants_a_film(request):
            return film_of_frames(found, request, model)
        return numbered_clip.planned(found, request, lambda source: _sheet(request, source, model))
    return _film(found, ffmpeg.probe(found.source), request, model)


def _film(
    found: FoundClips, source: Film | Footage, request: ClipRequest, model: Callable[[], str]
) -> FilmClip:
    """The film that a source becomes. model: as of `plan_clips`. Raises UsageError,
    SourceError, TargetError."""
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
    return FilmClip(job, plan, sheet=_sheet(request, job.source, model))


def _sheet(request: ClipRequest, source: Path, model: Callable[[], str]) -> Sheet | None:
    """What is said of a film's shots, None for nothing. Raises UsageError."""
    given = ShotFiles(request.shots, request.references)
    files = given.over(request.films.get(look_file.absolute(source), ShotFiles()))
    sheet = None
    if files.shots is not None:
        asked = request.model
        names = {find_model(asked).stem, *([asked, Path(asked).name] if asked else [])}
        sheet = shot_sheet.read(files.shots, Own(frozenset(names), model))
        look_file.refuse_other_models(request.look, files, sheet)
    if files.references is not None:
        stills = shot_sheet.read_folder(files.references)
        return replace(sheet or Sheet(files.references), stills=stills)
    return sheet


def _refuse(wrong: Sequence[Wrong], watch: Watch) -> None:
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


def failed(job: Job, error: Exception, what: type[FilmOutcome] = FilmOutcome) -> FilmOutcome:
    """The outcome of a clip that could not be made. what: that of its class."""
    reason = reason_of(error, job.source, job.target)
    return what(job.source, job.target, "failed", reason)


def failed_clip(one: Clip, error: Exception) -> FilmOutcome:
    """The same of one that was planned."""
    return failed(one.job, error, one.of)


def unplanned_job(found: FoundClips, request: ClipRequest) -> Job:
    """The job of a clip of which it is not known what it would become: it keeps its name."""
    if found.sequence is not None and not wants_a_film(request):
        folder = clip_files.folder_of_frames(found, request.output)
        target = folder / found.sequence.pattern
        return Job(found.source, target, found.named, request.output or folder)
    container = Path(found.below.name).suffix.lstrip(".") or "mkv"
    return clip_files.job_of(found, request.output, container, CONTAINERS)
