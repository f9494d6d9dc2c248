"""A batch of stills: jobs in, outcomes out. One failed job never stops the next.

This is where files (`images`, `files`) and the model (`engine` through `pipeline`) meet.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from colorbatch import color, encoding, icc, images, pipeline
from colorbatch.engine import Engine
from colorbatch.errors import ColorbatchError, OutputFullError, one_line
from colorbatch.files import Job, make_folder, replacing
from colorbatch.journal import Journals
from colorbatch.provenance import is_marked
from colorbatch.records import Made, source_stamp, verdict
from colorbatch.report import Outcome
from colorbatch.still import FORMATS, MAX_PIXELS, Format, Still, stored, upright

logger = logging.getLogger(__name__)

OnColor = Literal["keep", "colorize", "skip"]

HELD_BYTES = 64_000_000
"""Pictures with more decoded bytes than this are not held in memory between reading and writing."""
OURS = "made by colorbatch"
QUALITY_SUFFIXES = (".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class ImageSettings:
    """What decides the look and the form of results."""

    saturation: float = 1.0
    quality: int | None = None
    on_color: OnColor = "keep"
    """What happens to pictures that are in color already (those named one by one are colored)."""
    upright: bool = False
    """Whether pixels are turned by the orientation tag, rather than kept in their order."""
    times: bool = True
    """Whether results have the modification time of their source."""
    max_pixels: int = MAX_PIXELS
    """Larger pictures are refused by their header."""


@dataclass(frozen=True)
class _Held:
    """What a picture's reading leaves for its writing. Large pictures are read again then, so that
    memory is bounded by the number of threads, not by what waits for the model."""

    still: Still | None
    kinds: tuple[color.Kind, ...]
    """One for each page."""
    kept: tuple[bool, ...] = (False,)
    """Which pages keep their own color."""
    format: Format = "TIFF"
    skip: str = ""

    @property
    def kind(self) -> color.Kind:
        """That of the first page that is colored; of the first one where none is."""
        return self.kinds[self.kept.index(False) if False in self.kept else 0]


Redo = Literal["nothing", "outdated", "all"]


def split_finished(
    jobs: Sequence[Job],
    journals: Journals,
    settings: ImageSettings,
    model: Callable[[], str],
    *,
    redo: Redo = "nothing",
) -> tuple[list[Job], list[Outcome]]:
    """Jobs still to do, and an outcome for each that is not: finished, or done in another way.

    model: gives the SHA-256 of the model, and is asked where it matters only. "outdated" results
    are those made with other settings, by another model, or from a source that has changed since;
    files that the journal does not know are done again with "all" alone.
    """
    if redo == "all":
        return list(jobs), []
    todo, skipped = [], []
    for job in jobs:
        record = journals.find(job)

        def digest(made: Made, job: Job = job) -> str:
            return settings_digest(settings, job, made.kind, made.outcome)

        reason, outdated = verdict(job, record, digest, model)
        if not reason or (outdated and redo == "outdated"):
            todo.append(job)
        else:
            kind = record.made.kind if record and record.made.outcome == "skipped" else ""
            outcome = Outcome(job.source, job.target, "skipped", reason, kind, outdated=outdated)
            skipped.append(outcome)
    return todo, skipped


def settings_digest(settings: ImageSettings, job: Job, kind: str, outcome: str) -> str:
    """A digest of those settings that had a part in a result of this kind.

    What to do with a kind of picture (`on_color`) concerns that kind alone, and not pictures named
    one by one; color is made for colored ones only, and not every format has a quality.
    """
    values = {
        name: "named" if job.named and name == "on_color" else value
        for name, value in dataclasses.asdict(settings).items()
        if not name.startswith("on_") or name == f"on_{kind}"
    }
    if outcome != "colored":
        del values["saturation"]
    if job.target.suffix.lower() not in QUALITY_SUFFIXES:
        del values["quality"]
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def colorize_images(
    jobs: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    *,
    journals: Journals | None = None,
    model_sha256: str = "",
    workers: int = 0,
    fail_fast: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Outcome, None, None]:
    """Color every job; yields one outcome each, in order.

    journals: where results are recorded, locked. workers: threads for reading and writing, 0 for
    one per core. With `fail_fast` nothing new begins after the first failure. `stop` is asked
    between pictures. Raises OutputFullError, after the outcomes of what could be finished, where
    nothing can be written any more.
    """
    threads = workers or os.cpu_count() or 1
    failed = threading.Event()
    full: OutputFullError | None = None
    mark = f"colorbatch; model {engine.card.name} {engine.card.weights_sha256[:16]}".strip()

    def read(job: Job) -> pipeline.Loaded[tuple[_Held, tuple[int, int]]]:
        stamp = source_stamp(job.source)  # before it is read, so that no later change is missed
        loaded = _read(job, settings, engine.size)
        return pipeline.Loaded((loaded.held, stamp), loaded.lightness)

    def finish(job: Job, read: tuple[_Held, tuple[int, int]], ab: color.Float | None) -> Outcome:
        held, stamp = read

        def made(status: str, kind: str, reason: str = "") -> Made:
            digest = settings_digest(settings, job, kind, status)
            model = model_sha256 if status == "colored" else ""
            return Made(*stamp, digest, model, status, kind, reason)

        def writing(status: str) -> AbstractContextManager[IO[bytes]]:
            modified_ns = stamp[1] if settings.times else None
            if journals is None:
                return replacing(job.target, modified_ns)
            return journals.writing(job, made(status, held.kind), modified_ns)

        outcome = _finish(job, held, ab, settings, mark, writing)
        if journals is not None and outcome.status == "skipped":
            journals.skip(job, made("skipped", outcome.kind, outcome.reason))
        return outcome

    results = pipeline.run(
        jobs,
        read,
        engine.predict,
        finish,
        pipeline.Limits(
            threads, in_flight=2 * threads + engine.batch_size, batch_size=engine.batch_size
        ),
        stop=lambda: stop() or failed.is_set(),
    )
    for done in results:
        outcome = done.result
        if outcome is None:
            assert done.error is not None
            if isinstance(done.error, OutputFullError):  # not this picture's fault, and not done
                full = done.error
                failed.set()
                continue
            outcome = _failure(done.item, done.error)
            if fail_fast:
                failed.set()
        yield outcome
    if full is not None:
        raise full


def _failure(job: Job, error: Exception) -> Outcome:
    if not isinstance(error, ColorbatchError | MemoryError):
        logger.debug("%s", job.source, exc_info=error)
    # readers name the source themselves; elsewhere it is in the outcome
    reason = one_line(error)
    for path in (job.source, job.target):
        reason = reason.removeprefix(" ".join(f"{path}: ".split()) + " ")
    return Outcome(job.source, job.target, "failed", reason)


def _read(job: Job, settings: ImageSettings, size: tuple[int, int]) -> pipeline.Loaded[_Held]:
    kinds: list[color.Kind] = []
    views: list[color.Float | None] = []
    still = None
    for still in images.pages(job.source, settings.max_pixels):
        if is_marked(still.xmp):
            return pipeline.Loaded(_Held(None, ("color",), skip=OURS), None)
        codes = still.rgb_codes()
        kind: color.Kind = "grey" if codes is None else color.kind_of(codes)
        kinds.append(kind)
        keep = kind == "color" and not job.named and settings.on_color != "colorize"
        views.append(None if keep else _view(still, size))
    assert still is not None  # a file without pages is a SourceError
    kept = tuple(view is None for view in views)
    skip = "in color" if all(kept) and settings.on_color == "skip" else ""
    held = None
    if len(kinds) == 1:  # of several only the last is in memory
        held = _if_small(still if kept[0] else still.for_coloring())
    seen = [view for view in views if view is not None]
    return pipeline.Loaded(
        _Held(held, tuple(kinds), kept, still.format, skip), np.stack(seen) if seen else None
    )


def _view(still: Still, size: tuple[int, int]) -> color.Float:
    """What the model sees of a page."""
    profile = icc.for_result(still.icc)
    space = icc.space_of(profile) if profile else None
    return color.network_view(upright(still.luma, still.orientation), size, space)


def _if_small(still: Still) -> Still | None:
    return still if still.nbytes <= HELD_BYTES else None


def _finish(
    job: Job,
    held: _Held,
    ab: color.Float | None,
    settings: ImageSettings,
    mark: str,
    writing: Callable[[str], AbstractContextManager[IO[bytes]]],
) -> Outcome:
    if held.skip:
        kind = "" if held.skip == OURS else held.kind
        return Outcome(job.source, job.target, "skipped", held.skip, kind)
    format_ = FORMATS.get(job.target.suffix.lower(), held.format)  # by its name
    notes: tuple[str, ...] = ()
    if FORMATS.get(job.source.suffix.lower(), held.format) != held.format:
        notes = (f"a {held.format} file named {job.source.suffix}; written as {format_}",)
    elif held.format == "HEIC":
        notes = (f"HEIC is only read; written as {format_}",)
    if ab is not None and any(held.kept):
        notes = (*notes, f"{sum(held.kept)} of {len(held.kept)} pages were in color and kept it")
    make_folder(job.target.parent)
    status: Literal["colored", "kept"] = "kept" if ab is None else "colored"
    with writing(status) as file:
        if ab is None and format_ == held.format:
            with job.source.open("rb") as source:
                shutil.copyfileobj(source, file)
        else:
            style = encoding.Style(mark, settings.saturation, settings.quality, settings.upright)
            told = encoding.write(file, _with_chroma(job, held, ab, settings), format_, style)
            notes = (*notes, *told)
    return Outcome(job.source, job.target, status, "", held.kind, notes)


def _with_chroma(
    job: Job, held: _Held, ab: color.Float | None, settings: ImageSettings
) -> Iterator[tuple[Still, color.Float | None]]:
    """Every page with its chroma in stored orientation, None where it keeps its own color."""
    chroma = iter(() if ab is None else ab)
    if held.still is not None:
        pages: Iterable[Still] = [held.still]
    else:
        pages = images.pages(job.source, settings.max_pixels)
    for still, keep in zip(pages, held.kept, strict=True):
        if keep:
            yield still, None
        else:
            yield still.for_coloring(), stored(next(chroma), still.orientation)


def check_target_folder(jobs: Sequence[Job], output: Path | None) -> None:
    """Refuse before working: the output folder can be made and written to. Raises TargetError."""
    if output is not None and jobs:
        single_file = len(jobs) == 1 and jobs[0].target == output
        make_folder(output.parent if single_file else output)
