"""One source, from its file to a result without a name: read, judged, colored, written. `work`.

Flows in: a task, its recipe, and a model to ask. Flows out: a file that is whole and on the disk
under a temporary name, with what there is to record of it; who called gives it its name. Of a file
of several pages (TIFF) one is in memory at a time. No models, and no journal is written.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from colorbatch import color
from colorbatch.color import classify, icc
from colorbatch.errors import SourceError
from colorbatch.formats import reader, registry, writer
from colorbatch.formats.provenance import is_marked
from colorbatch.formats.registry import FORMATS, Format
from colorbatch.formats.still import Still, stored, upright
from colorbatch.fs import atomic
from colorbatch.fs.atomic import check_target, make_folder, reachable
from colorbatch.job import Fate, ImageSettings, Job, Outcome
from colorbatch.journal.records import Made, source_stamp
from colorbatch.stills.digest import still_digest

HELD_BYTES = 64_000_000
"""Pictures with more decoded bytes than this are not held in memory between reading and writing."""
VIEWS = 32
"""What the model is to see of so many pages at most waits in memory; files with more pages to color
show them, so many at a time, when they are written."""
COPY_BYTES = 1 << 20
OURS = "made by colorbatch"
Writing = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens the file of a result."""
Predict = Callable[[color.Float], color.Float]
"""L* (N, H, W) to ab (N, H, W, 2), as `Engine.predict`."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job, and the name that its result has until it is published."""

    job: Job
    temporary: Path


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all tasks of a run have in common. size: (H, W) that the model sees; mark: what made the
    color, for the results; model_sha256: of the model's file."""

    settings: ImageSettings
    size: tuple[int, int]
    mark: str
    model_sha256: str = ""


@dataclass(frozen=True, slots=True)
class MadeStill:
    """What became of a source: its outcome, what a journal records of it, and its file, which has
    no name yet; None where nothing was to be written."""

    outcome: Outcome
    made: Made
    file: atomic.Unnamed | None


@dataclass(frozen=True)
class Judged:
    """What a source is, page by page, and what is to become of it."""

    kinds: tuple[classify.Kind, ...]
    """None for a picture that bears our mark."""
    fates: tuple[Fate, ...]
    regions: tuple[classify.Mask | None, ...] = ()
    """Of each page where it keeps its own color though it is colored; None for nowhere."""
    mixed: int = 0
    """How many pages hold photographs in color beside others."""

    @property
    def fate(self) -> Fate:
        """That of the file: colored where any page is, kept where none is and any is kept."""
        return next((fate for fate in ("colored", "kept") if fate in self.fates), "skipped")

    @property
    def kind(self) -> str:
        """That of the first page which has the file's fate."""
        return self.kinds[self.fates.index(self.fate)] if self.kinds else ""

    @property
    def all_kinds(self) -> str:
        """Each kind that a page has, with spaces between."""
        return " ".join(sorted(set(self.kinds)))

    @property
    def told(self) -> tuple[str, ...]:
        """What there is to say of what it is."""
        if not self.mixed or "kept" not in self.fates:
            return ()
        which = "it holds" if len(self.fates) == 1 else f"{self.mixed} of its pages hold"
        return (f"{which} photographs in color beside others: kept whole",)

    def outcome(self, job: Job, notes: tuple[str, ...] = ()) -> Outcome:
        """The source's end, if all goes well."""
        reason = ""
        if self.fate == "skipped":
            reason = {"": OURS, "color": "in color"}.get(self.kind, self.kind)
        pages = max(1, len(self.kinds))
        notes = (*self.told, *notes)
        return Outcome(job.source, job.target, self.fate, reason, self.kind, notes, pages)


NOTHING = Judged((), ())
"""Of a file of which no page was judged, or that bears our mark."""


@dataclass(frozen=True)
class Held(Judged):
    """What a picture's reading leaves for its writing. Large pictures are read again then, so that
    memory is bounded by the number of threads, not by what waits for the model."""

    still: Still | None = None
    format: Format = "TIFF"

    def end(self, job: Job) -> str:
        """How the source ends: its fate, but "copied" where it is kept byte for byte."""
        same = registry.of_result(job.target.suffix, self.format) == self.format
        return "copied" if self.fate == "kept" and same else self.fate


def work(task: Task, recipe: Recipe, model: Predict) -> MadeStill:
    """Make what is to become of a source, but for its name. Raises SourceError, TargetError, and
    what the model raises; nothing is left then."""
    begun = time.monotonic()
    job, settings = task.job, recipe.settings
    stamp = source_stamp(job.source)  # before it is read, so that no later change is missed
    held, lightness = read(job, settings, recipe.size)
    source_sha256 = "" if held.fate == "skipped" else sha256(job)
    chroma: Iterable[color.Float] | None = None
    if lightness is not None:
        chroma = model(lightness)
    elif held.fate == "colored":
        chroma = late_chroma(job, held, settings, recipe.size, model)
    whole: list[atomic.Unnamed] = []
    modified_ns = stamp[1] if settings.times else None
    writing = functools.partial(
        atomic.unnamed, job.target, task.temporary, whole.append, modified_ns
    )
    outcome = finish(job, held, chroma, settings, recipe.mark, writing)
    file = whole[0] if whole else None
    outcome = replace(
        outcome, source_sha256=source_sha256, target_sha256=file.sha256 if file else ""
    )
    end = held.end(job)
    kinds = held.kind if end == "skipped" else held.all_kinds
    made = Made(
        *stamp,
        still_digest(settings, job, kinds, end),
        recipe.model_sha256 if end == "colored" else "",
        end,
        kinds,
        outcome.reason,
        source_sha256,
        notes=outcome.notes,
        pages=outcome.pages,
        seconds=round(time.monotonic() - begun, 3),
    )
    return MadeStill(outcome, made, file)


def foresee(job: Job, settings: ImageSettings) -> Outcome:
    """How a source would end, without a model. JPEG is read at a reduced size, as `classify` needs
    no more. Raises SourceError, and TargetError for a name that cannot be written."""
    check_target(job.target)
    judged = NOTHING
    for still, so_far in _judged(job, settings, at_least=2 * classify.VIEW):
        judged = so_far
        del still  # before the next page is read
    return judged.outcome(job)


def read(
    job: Job, settings: ImageSettings, size: tuple[int, int]
) -> tuple[Held, color.Float | None]:
    """Read and judge a source; with it comes L* (N, *size) of those pages that are to be colored,
    upright; None where there are none, or more than `VIEWS` (see `late_chroma`). Raises
    SourceError, and TargetError for a name that cannot be written."""
    check_target(job.target)
    judged, format_ = NOTHING, Held.format
    views: list[color.Float] = []
    held: Still | None = None
    for still, judged in _judged(job, settings):
        format_ = still.format
        if judged is NOTHING:
            return Held((), (), format=format_), None
        if judged.fates[-1] == "colored" and judged.fates.count("colored") <= VIEWS:
            views.append(_view(still, size))
        elif judged.fates[-1] == "colored":
            views.clear()
        held = still.for_coloring() if views else still
        held = held if held.nbytes <= HELD_BYTES and len(judged.kinds) == 1 else None
        del still  # before the next page is read
    lightness = np.stack(views) if views else None
    found = (judged.kinds, judged.fates, judged.regions, judged.mixed)
    return Held(*found, held, format_), lightness


def sha256(job: Job) -> str:
    """SHA-256 of a source, just after it was read: of what the system still holds of it. Raises
    SourceError."""
    with _reading(job):
        return atomic.sha256(job.source)


def _judged(job: Job, settings: ImageSettings, at_least: int = 0) -> Iterator[tuple[Still, Judged]]:
    """Every page with what the file is as far as it; NOTHING, and no more, where one bears our
    mark. at_least: as of `reader.pages`. Raises SourceError."""
    judged = NOTHING
    for still in reader.pages(job.source, settings.max_pixels, at_least=at_least):
        if is_marked(still.xmp):
            yield still, NOTHING
            return
        found = _evidence_of(still)
        kind = "grey" if found is None else found.kind
        fate = settings.fate(kind, job.named)
        region = None if found is None or kind == "color" else found.region
        mixed = judged.mixed + (found is not None and found.mixed)
        judged = Judged(
            (*judged.kinds, kind), (*judged.fates, fate), (*judged.regions, region), mixed
        )
        yield _keeping(still, region), judged
        del still  # here too


def _evidence_of(still: Still) -> classify.Evidence | None:
    """None for what is stored as grey."""
    codes = still.rgb_codes()
    return None if codes is None else classify.evidence_of(codes)


def _keeping(still: Still, region: classify.Mask | None) -> Still:
    return still if region is None else replace(still, own_region=region)


def _view(still: Still, size: tuple[int, int]) -> color.Float:
    """What the model sees of a page.

    Of toned ones too it is luma: taking the tone out is leaving ab out, and the model's prediction
    takes its place.
    """
    profile = icc.for_result(still.icc)
    space = icc.space_of(profile) if profile else None
    return color.network_view(upright(still.shown_luma(), still.orientation), size, space)


def late_chroma(
    job: Job, held: Held, settings: ImageSettings, size: tuple[int, int], predict: Predict
) -> Iterator[color.Float]:
    """Chroma for `finish` of a file with many pages: (h, w, 2) of each that is to be colored. The
    file is read once more, `VIEWS` pages ahead of who asks. Raises SourceError."""
    pages = reader.pages(job.source, settings.max_pixels)
    views: list[color.Float] = []
    for fate in held.fates:
        ready = list(itertools.islice(pages, 1))
        if not ready:
            raise _changed(job)
        if fate == "colored":
            views.append(_view(ready[0], size))
        del ready  # before the next page is read
        if len(views) == VIEWS:
            yield from predict(np.stack(views))
            views.clear()
    if views:
        yield from predict(np.stack(views))


def finish(
    job: Job,
    held: Held,
    ab: Iterable[color.Float] | None,
    settings: ImageSettings,
    mark: str,
    writing: Writing,
) -> Outcome:
    """Color what was read and write it. ab: chroma of the pages to be colored, each (h, w, 2) in
    Lab units, upright. Raises SourceError (it is read again) and TargetError."""
    if held.fate == "skipped":
        return held.outcome(job)
    format_ = registry.of_result(job.target.suffix, held.format)
    notes = list(_told(job, held, format_))
    make_folder(job.target.parent)
    if held.end(job) == "copied":
        _copy(job, writing)
    else:
        style = writer.StillStyle(mark, settings.saturation, settings.quality, settings.upright)
        pages = _with_chroma(job, held, ab, settings)
        with writing() as file:
            notes += writer.write(file, pages, format_, style)
    return held.outcome(job, tuple(notes))


def _copy(job: Job, writing: Writing) -> None:
    """The source byte for byte. Raises SourceError for what cannot be read, TargetError for what
    cannot be written."""
    with contextlib.ExitStack() as stack:
        with _reading(job):
            source = stack.enter_context(reachable(job.source).open("rb"))
        file = stack.enter_context(writing())
        while True:
            with _reading(job):
                part = source.read(COPY_BYTES)
            if not part:
                return
            file.write(part)


@contextlib.contextmanager
def _reading(job: Job) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"{job.source}: cannot read: {error.strerror or error}") from error


def _told(job: Job, held: Held, format_: Format) -> Iterator[str]:
    """What there is to say before a page is written."""
    if FORMATS.get(job.source.suffix.lower(), held.format) != held.format:
        yield f"a {held.format} file named {job.source.suffix}; written as {format_}"
    elif held.format == "HEIC":
        yield f"HEIC is only read; written as {format_}"
    own = len(held.fates) - held.fates.count("colored")
    if own and held.fate == "colored":
        yield f"{own} of {len(held.fates)} pages kept their own color"


def _with_chroma(
    job: Job, held: Held, ab: Iterable[color.Float] | None, settings: ImageSettings
) -> Iterator[tuple[Still, color.Float | None]]:
    """Every page with its chroma in stored orientation, None where it keeps its own color. Raises
    SourceError for a file that has other pages than it had."""
    chroma = iter(() if ab is None else ab)
    pages = iter([held.still] if held.still else reader.pages(job.source, settings.max_pixels))
    for fate, region in zip(held.fates, held.regions, strict=True):
        ready = list(itertools.islice(pages, 1))
        if ready and fate == "colored":
            ab_of = stored(next(chroma), ready[0].orientation)
            yield _keeping(ready.pop(), region).for_coloring(), ab_of
        elif ready:
            yield ready.pop(), None
        else:
            raise _changed(job)
    if next(pages, None) is not None:
        raise _changed(job)


def _changed(job: Job) -> SourceError:
    return SourceError(f"{job.source}: it changed while it was being colored")
