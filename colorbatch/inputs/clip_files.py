"""Finding films, files and numbered frames, and naming what they become.

Flows in: the files, folders and patterns that a user gave, and an output. Flows out: sources in a
fixed order, and for each, once its container is known, a job. Names only: nothing is read or
written.
"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorbatch.errors import UsageError
from colorbatch.fs import real_paths
from colorbatch.fs.real_paths import exists, real
from colorbatch.inputs import lists, numbered_files, picture_files, targets
from colorbatch.inputs.numbered_files import FRAME_SUFFIXES, FrameSequence
from colorbatch.inputs.patterns import EVERYTHING, Patterns
from colorbatch.inputs.targets import Taken
from colorbatch.job import Job

FILM_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3g2", "3gp", "asf", "avi", "dif", "divx", "dv", "evo", "f4v", "flv", "gxf", "ivf"),
        *("m1v", "m2p", "m2t", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mk3d", "mkv", "mod", "mov"),
        *("mp2v", "mp4", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nut", "obu", "ogm", "ogv"),
        *("qt", "rm", "rmvb", "tod", "tp", "trp", "ts", "vc1", "vob", "vro", "webm", "wmv", "wtv"),
        # pictures alone, without a container
        *("264", "265", "avc", "h261", "h263", "h264", "h265", "hevc", "xvid", "y4m"),
    )
)
"""What folders are searched for; a film that is named may have any suffix."""
SOUND_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        "aac",
        "ac3",
        "aif",
        "aiff",
        "flac",
        "m4a",
        "mka",
        "mp3",
        "ogg",
        "opus",
        "wav",
        "w64",
    )
)
"""What files with sound alone are named; what `--audio` is given may have any suffix."""


@dataclass(frozen=True)
class FoundClips:
    """A film to make: a file, or the frames of a sequence.

    source: the file, or the frames' folder with their pattern as a name. below: where the file is
    below the output; of frames, where their folder is. place: the folder that keeps the account of
    results beside their sources. named: one by one (a file, a pattern, the frames' own folder), or
    found in a folder.
    """

    source: Path
    below: Path
    place: Path
    named: bool
    sequence: FrameSequence | None = None

    @property
    def shared_by(self) -> str:
        """What --shard chooses by, the same on every system: the place below the sources, of a
        sequence with its pattern, in Unicode's NFC."""
        place = self.below / self.sequence.pattern if self.sequence else self.below
        return unicodedata.normalize("NFC", place.as_posix())


def find_films(
    sources: Sequence[Path],
    output: Path | None,
    containers: Mapping[str, str],
    patterns: Patterns = EVERYTHING,
    listed: Sequence[str] | None = None,
    sound: Path | None = None,
) -> list[FoundClips]:
    """Films among files, patterns and folders (recursive), each once, without results of earlier
    runs.

    containers: suffix, in lower case with its dot, of what can be written -> the container that it
    asks for. patterns: for what folders and lists hold; listed: paths below the one folder in
    `sources`, or else below the working directory, which are not asked for
    (`picture_files.plan_jobs`). sound: a file that is no film where a folder holds it.

    Raises UsageError for a source that is not there or holds no film, and for an output that is a
    source.
    """
    real_paths.forget()
    single = output if output is not None and names_a_film(output, containers) else None
    if output is not None:
        _refuse_place(output.parent if single is not None else output)
    if listed is not None:
        return _listed(listed, sources, output, patterns, single)
    many = len({real(folder) for folder in map(_folder_of, sources) if folder is not None}) > 1
    found: dict[Path, FoundClips] = {}
    for source in sources:
        if exists(source) and not source.is_dir():
            _refuse_frame(source)
            here = [FoundClips(source, Path(source.name), source.parent, True)]
        elif not exists(source):
            if not numbered_files.is_pattern(str(source)):
                raise UsageError(f"{source}: no such file or folder")
            here = [_of_pattern(source, many)]
        else:
            none = {real(path) for path in (single, sound) if path is not None}
            here = _of_folder(source, output, patterns, single is not None, many, none)
        for one in here:
            found.setdefault(_key(one), one)
    if single is not None and len(found) > 1:
        raise UsageError(f"{output} names one film, but there are {len(found)}")
    return _some(list(found.values()), patterns)


def _refuse_place(folder: Path) -> None:
    """Raises UsageError for a folder of results that is no folder, and cannot become one."""
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if exists(there) and not there.is_dir():
        advice = "-o is a folder, or the name of a film, .mkv, .mov or .mp4"
        raise UsageError(f"{folder}: {there} is a file", advice)
    if there != folder and not os.access(there, os.W_OK):
        raise UsageError(f"{folder}: cannot be made: {there} is not writable")


def _listed(
    listed: Sequence[str],
    sources: Sequence[Path],
    output: Path | None,
    patterns: Patterns,
    single: Path | None,
) -> list[FoundClips]:
    """The films of a list. Raises UsageError."""
    if single is not None:
        raise UsageError(f"{single} names one film, but there may be several")
    skip = real(output) if output is not None else None
    root, films = lists.pictures_of(listed, sources, patterns, skip)
    found: dict[Path, FoundClips] = {}
    for path, below in films:
        for one in _of_listed(path, below, root):
            found.setdefault(_key(one) if one.sequence else path, one)
    return _some(list(found.values()), patterns)


def _of_listed(path: Path, below: Path, root: Path) -> list[FoundClips]:
    """What a line of a list means: a film, a pattern of frames, or a folder of frames. What is not
    there, or holds none, fails when it is read. Raises UsageError for a single frame."""
    several: tuple[FrameSequence, ...] = ()
    with contextlib.suppress(UsageError):
        if path.is_dir():
            several = numbered_files.of_folder(path).sequences
        elif not exists(path) and numbered_files.is_pattern(str(path)):
            several, below = (numbered_files.of_pattern(str(path)),), below.parent
    if several:
        return [FoundClips(one.folder / one.pattern, below, root, False, one) for one in several]
    if not numbered_files.is_pattern(str(path)):
        _refuse_frame(path)
    return [FoundClips(path, below, root, False)]


def _refuse_frame(path: Path) -> None:
    """Raises UsageError for a file that has the name of a frame."""
    if path.suffix.lower() in FRAME_SUFFIXES:
        advice = "give their folder, or a pattern such as name_%06d" + path.suffix
        raise UsageError(f"{path}: is a picture; a film is all of its frames", advice)


def _some(found: list[FoundClips], patterns: Patterns) -> list[FoundClips]:
    """The same. Raises UsageError where there are none."""
    if not found and patterns != EVERYTHING:
        raise UsageError("--include and --exclude leave no films")
    if not found:
        raise UsageError("no films found", "name a film, or a folder that has some")
    return found


def _key(one: FoundClips) -> Path:
    """What a film is, however it is named: its file, or its first frame."""
    return real(one.sequence.path(one.sequence.first) if one.sequence else one.source)


def _folder_of(source: Path) -> Path | None:
    """The folder that a source names, itself or by a pattern; None for a file."""
    if not exists(source):
        return source.parent
    return source if source.is_dir() else None


def _of_pattern(source: Path, many: bool) -> FoundClips:
    sequence = numbered_files.of_pattern(str(source))
    below = Path(real(source.parent).name) if many else Path()
    return FoundClips(source, below, source.parent, True, sequence)


def _of_folder(
    source: Path,
    output: Path | None,
    patterns: Patterns,
    single: bool,
    many: bool,
    none: Collection[Path] = (),
) -> list[FoundClips]:
    """The films of a folder; `single`: one that is made of frames; `none`: real paths of what is
    no film of it. Raises UsageError."""
    targets.refuse_output(None if single else output, source)
    start = Path(real(source).name) if many else Path()
    skip = real(output) if output is not None else None
    films = [
        FoundClips(path, start / path.relative_to(source), source, False)
        for path in picture_files.walk(source, FILM_SUFFIXES, skip, patterns)
        if not none or real(path) not in none
        # without an output a result of an earlier run lies beside its source
        if output is not None or not path.stem.endswith(picture_files.DEFAULT_SUFFIX)
    ]
    reels = [
        FoundClips(one.folder / one.pattern, start / one.folder.relative_to(source), source,
              one.folder == source, one)
        for one in _sequences_below(source, skip)
        if output is not None or not _is_result(one.folder, source)
    ]  # fmt: skip
    if not films and not reels and patterns == EVERYTHING:
        numbered_files.of_folder(source)  # says why
    if single and reels:  # what an earlier run made of its films is none of its sources
        films = [one for one in films if not one.source.stem.endswith(picture_files.DEFAULT_SUFFIX)]
    if single and films:
        raise UsageError(f"{output} names one film, but there may be several")
    # a sequence is all of its frames: its first one speaks for it
    return films + [one for one in reels if patterns.take(_first_below(one, source))]


def _first_below(one: FoundClips, source: Path) -> str:
    assert one.sequence is not None
    return one.sequence.path(one.sequence.first).relative_to(source).as_posix()


def _sequences_below(folder: Path, skip: Path | None) -> Iterator[FrameSequence]:
    # a folder that cannot be listed is met, and reported, as a film
    for held in numbered_files.below(folder, skip, unlisted=lambda error: None):
        yield from held.sequences


def _is_result(folder: Path, top: Path) -> bool:
    """Whether frames below a source folder are those of an earlier run, beside their sources."""
    for place in (folder, *folder.parents):
        if place == top:
            return False
        own = place.name.removesuffix(picture_files.DEFAULT_SUFFIX)
        if own not in ("", place.name) and place.with_name(own).is_dir():
            return True
    return False


def folder_of_frames(found: FoundClips, output: Path | None) -> Path:
    """The folder of a sequence's results, where they are frames again: below the output, or beside
    the folder of the sources."""
    if output is not None:
        return output / found.below
    assert found.sequence is not None
    own = found.sequence.folder
    return _beside(own) / f"{real(own).name}{picture_files.DEFAULT_SUFFIX}"


def _beside(folder: Path) -> Path:
    """The folder that holds a folder."""
    return folder.parent if folder.name not in ("", "..") else real(folder).parent


def names_a_film(output: Path, containers: Mapping[str, str]) -> bool:
    """Whether an output is the name of one film rather than a folder. containers: as of
    `find_films`. Raises UsageError for one that is not written."""
    if output.is_dir() or not output.suffix:
        return False
    if output.suffix.lower() in containers:
        return True
    if output.suffix.lower() in FILM_SUFFIXES:
        raise UsageError(f"{output}: films are written as .mkv, .mov or .mp4")
    return False


def job_of(
    found: FoundClips, output: Path | None, container: str, containers: Mapping[str, str]
) -> Job:
    """The job of a film that becomes a file of `container`; the source's own suffix stays where it
    means that container. Of frames it has their name without the number, or their folder's; without
    an output both, beside their folder. containers: as of `find_films`."""
    if output is not None and names_a_film(output, containers):
        return Job(found.source, output, named=True)
    if found.sequence is not None:
        frames = real(found.sequence.folder).name
        name = found.sequence.prefix.rstrip(" ._-") or frames
        if output is not None:
            target = output / found.below / f"{name}.{container}"
            return Job(found.source, target, found.named, output)
        name = frames if name == frames else f"{frames}_{name}"
        beside = _beside(found.sequence.folder)
        home = beside if found.place == found.sequence.folder else found.place
        target = beside / f"{name}{picture_files.DEFAULT_SUFFIX}.{container}"
        return Job(found.source, target, found.named, home)
    own = containers.get(found.below.suffix.lower()) == container
    name = found.below.stem + ("" if output is not None else picture_files.DEFAULT_SUFFIX)
    name += found.below.suffix if own else f".{container}"
    folder = output / found.below.parent if output is not None else found.source.parent
    return Job(found.source, folder / name, found.named, output or found.place)


def taken_by(found: Sequence[FoundClips], sound: Path | None) -> Taken:
    """The sources: files, frames, and the sound."""
    sequences = [one.sequence for one in found if one.sequence is not None]
    files = [one.source for one in found if one.sequence is None]
    files += [one.folder / one.pattern for one in sequences]  # as jobs name them
    return Taken.of([*files, sound] if sound is not None else files, sequences)


def refuse_log(log: Path, jobs: Sequence[Job], sound: Path | None) -> None:
    """Raises UsageError for a log that is the sound, or has the name of a frame, of a source or of
    a result, there or not. What else a log must not be, `log.refuse_log` knows."""
    patterns = [path for job in jobs for path in (job.source, job.target)]
    frames = [one for path in patterns if (one := numbered_files.of_name(path)) is not None]
    if Taken.of([sound] if sound is not None else [], frames).source(log):
        raise UsageError(f"--log {log}: this is the name of a source or of a result")
