"""A batch of stills: jobs in, outcomes out. One failed job never stops the next.

This is where files (`images`, `files`) and the model (`engine` through `pipeline`) meet.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from colorbatch import color, encoding, images, kinds, pipeline
from colorbatch.engine import Engine
from colorbatch.errors import ColorbatchError, one_line
from colorbatch.files import Job, make_folder, write_bytes
from colorbatch.provenance import is_marked
from colorbatch.report import Outcome

logger = logging.getLogger(__name__)

OnColor = Literal["keep", "colorize", "skip"]
OnToned = Literal["colorize", "keep"]

HELD_BYTES = 64_000_000
"""Pictures with more decoded bytes than this are not held in memory between reading and writing."""
OURS = "made by colorbatch"


@dataclass(frozen=True)
class ImageSettings:
    """What decides the look and the form of results."""

    saturation: float = 1.0
    quality: int | None = None
    on_color: OnColor = "keep"
    """What happens to pictures that are in color already (those named one by one are colored)."""
    on_toned: OnToned = "colorize"
    """What happens to toned ones: colored without their tone, or kept (named ones are colored)."""

    def fate(self, kind: kinds.Kind, named: bool) -> Literal["colored", "kept", "skipped"]:
        """What becomes of a source of a kind, `named` one by one or found in a folder."""
        if named:
            return "colored"
        choice = {"grey": "colorize", "toned": self.on_toned, "color": self.on_color}[kind]
        fates: dict[str, Literal["colored", "kept", "skipped"]]
        fates = {"colorize": "colored", "keep": "kept", "skip": "skipped"}
        return fates[choice]


@dataclass(frozen=True)
class _Held:
    """What a picture's reading leaves for its writing. Large pictures are read again then, so that
    memory is bounded by the number of threads, not by what waits for the model."""

    still: images.Still | None
    kind: kinds.Kind
    skip: str = ""


def split_finished(jobs: Sequence[Job], *, overwrite: bool) -> tuple[list[Job], list[Outcome]]:
    """Jobs still to do, and an outcome for each whose target exists.

    A target that exists is complete (see `files.replacing`), so it is never done twice.
    """
    if overwrite:
        return list(jobs), []
    todo, skipped = [], []
    for job in jobs:
        if _is_finished(job.target):
            skipped.append(Outcome(job.source, job.target, "skipped", "finished already"))
        else:
            todo.append(job)
    return todo, skipped


def _is_finished(target: Path) -> bool:
    """Whether a target is there; one that cannot even be asked for will fail when it is written."""
    try:
        return target.is_file() and target.stat().st_size > 0
    except OSError:
        return False


def colorize_images(
    jobs: Sequence[Job],
    engine: Engine,
    settings: ImageSettings,
    *,
    workers: int = 0,
    fail_fast: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Color every job; yields one outcome each, in order.

    workers: threads for reading and writing, 0 for one per core. With `fail_fast` nothing new
    begins after the first failure. `stop` is asked between pictures.
    """
    threads = workers or os.cpu_count() or 1
    failed = threading.Event()
    mark = f"colorbatch; model {engine.card.name} {engine.card.weights_sha256[:16]}".strip()

    def read(job: Job) -> pipeline.Loaded[_Held]:
        return _read(job, settings, engine.size)

    def finish(job: Job, held: _Held, ab: color.Float | None) -> Outcome:
        return _finish(job, held, ab, settings, mark)

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
            outcome = _failure(done.item, done.error)
            if fail_fast:
                failed.set()
        yield outcome


def _failure(job: Job, error: Exception) -> Outcome:
    if not isinstance(error, ColorbatchError | MemoryError):
        logger.debug("%s", job.source, exc_info=error)
    # readers name the source themselves; elsewhere it is in the outcome
    reason = one_line(error)
    for path in (job.source, job.target):
        reason = reason.removeprefix(" ".join(f"{path}: ".split()) + " ")
    return Outcome(job.source, job.target, "failed", reason)


def _read(job: Job, settings: ImageSettings, size: tuple[int, int]) -> pipeline.Loaded[_Held]:
    still = images.read(job.source)
    if is_marked(still.xmp):
        return pipeline.Loaded(_Held(None, "color", OURS), None)
    kind = _kind_of(still)
    if (fate := settings.fate(kind, job.named)) != "colored":
        skip = "in color" if fate == "skipped" else ""
        return pipeline.Loaded(_Held(_if_small(still), kind, skip), None)
    # Of toned sources too the network sees luma: taking the tone out is leaving ab out, and the
    # model's prediction takes its place (docs/photographs.md has what other greys would change).
    upright = images.upright(still.luma, still.orientation)
    view = color.network_view(upright, size)
    return pipeline.Loaded(_Held(_if_small(replace(still, rgb=None)), kind), view)


def _kind_of(still: images.Still) -> kinds.Kind:
    return "grey" if still.rgb is None else kinds.kind_of(still.rgb)


def foresee(
    jobs: Sequence[Job],
    settings: ImageSettings,
    *,
    workers: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """What `colorize_images` would yield, without a model and without writing; in order.

    Every source is read, JPEG at a reduced size, as `kinds` needs no more.
    """

    def read(job: Job) -> pipeline.Loaded[Outcome]:
        still = images.read(job.source, at_least=2 * kinds.VIEW)
        if is_marked(still.xmp):
            return pipeline.Loaded(Outcome(job.source, job.target, "skipped", OURS), None)
        kind = _kind_of(still)
        fate = settings.fate(kind, job.named)
        reason = "in color" if fate == "skipped" else ""
        return pipeline.Loaded(Outcome(job.source, job.target, fate, reason, kind), None)

    threads = workers or os.cpu_count() or 1
    limits = pipeline.Limits(threads, in_flight=2 * threads, batch_size=1)
    results = pipeline.run(
        jobs, read, lambda view: view, lambda job, outcome, ab: outcome, limits, stop
    )
    for done in results:
        yield done.result or _failure(done.item, done.error or RuntimeError("no result"))


def _if_small(still: images.Still) -> images.Still | None:
    return still if still.nbytes <= HELD_BYTES else None


def _finish(
    job: Job, held: _Held, ab: color.Float | None, settings: ImageSettings, mark: str
) -> Outcome:
    if held.skip:
        kind = "" if held.skip == OURS else held.kind
        return Outcome(job.source, job.target, "skipped", held.skip, kind)
    still = held.still or images.read(job.source)
    format_ = images.FORMATS.get(job.target.suffix.lower(), still.format)  # by its name
    notes: tuple[str, ...] = ()
    if images.FORMATS.get(job.source.suffix.lower(), still.format) != still.format:
        notes = (f"a {still.format} file named {job.source.suffix}; written as {format_}",)
    make_folder(job.target.parent)
    if ab is None and format_ == still.format:
        write_bytes(job.target, job.source.read_bytes())
        return Outcome(job.source, job.target, "kept", "", held.kind, notes)
    if ab is not None:
        ab = images.stored(ab, still.orientation)
        still = replace(still, rgb=None)  # only luma is needed from here on
    encoded = encoding.encode(
        still, ab, format_, mark=mark, saturation=settings.saturation, quality=settings.quality
    )
    write_bytes(job.target, encoded.data)
    status: Literal["colored", "kept"] = "kept" if ab is None else "colored"
    return Outcome(job.source, job.target, status, "", held.kind, (*notes, *encoded.notes))


def check_target_folder(jobs: Sequence[Job], output: Path | None) -> None:
    """Refuse before working: the output folder can be made and written to. Raises TargetError."""
    if output is not None and jobs:
        single_file = len(jobs) == 1 and jobs[0].target == output
        make_folder(output.parent if single_file else output)
