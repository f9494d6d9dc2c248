"""What a batch knows of a clip, a film or numbered frames: `Clip`, and who makes them: `Maker`.

`film_clip.FilmClip` and `numbered_clip.FramesClip` are the two there are. A planned clip is a
value; it is judged, told of, previewed, made and proved by its own methods, so that no batch has to
ask which of them it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Protocol, Self, TypeVar

from colorbatch.clips import shot_looks, shot_models
from colorbatch.clips.luma_proof import Proof
from colorbatch.clips.ordered_step import OrderedStep
from colorbatch.clips.preview import Preview
from colorbatch.clips.render import Model
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.shot_looks import Take
from colorbatch.clips.shot_models import ShotModels
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.job import FilmOutcome, FilmSettings, Job
from colorbatch.journal.results import Journals
from colorbatch.model.engine import Engine, mark_of
from colorbatch.run.estimate import Estimate, Need
from colorbatch.run.watch import Unit

IN_COLOR, TONED = "in color already", "toned"
Ended = TypeVar("Ended", bound=FilmOutcome)
Told = Callable[[int], None]
"""Who is told how many are done more."""
Stage = Callable[[str, int | None, Unit], Told]
"""The next stage of the work, in words, how much it has, and of what -> who is told of it."""


def _nobody(what: str, total: int | None, unit: Unit) -> Told:
    return lambda more: None


@dataclass(frozen=True)
class Maker:
    """What colors the clips of a run. workers: threads that make chroma; memory: bytes of the whole
    process, None for half of the machine's; anew: do not go on with segments of before; stage: the
    next stage of the work, in words ("" for color itself), how many frames or bytes it has ->
    who is told how many of them are done; found: how many frames an earlier run had made; failed:
    told of a frame that failed, in a line; say: told what happens, in a line; stop: asked often;
    step: makes what sees the color of a shot's frames in order, None for nothing; models: those
    that shots name instead of the engine."""

    engine: Engine
    model_sha256: str
    settings: FilmSettings
    workers: int = 0
    memory: int | None = None
    anew: bool = False
    fail_fast: bool = False
    stage: Stage = _nobody
    found: Told = lambda frames: None
    failed: Callable[[str], None] = lambda line: None
    say: Callable[[str], None] = lambda line: None
    stop: Callable[[], bool] = lambda: False
    step: Callable[[], OrderedStep] | None = None
    models: ShotModels = field(default_factory=ShotModels)

    def color(self, take: Take) -> Model:
        """What colors a shot."""
        return self.engine if take.colored_by is None else self.models(take.colored_by)

    def mark(self, takes: Sequence[Take]) -> str:
        """What made the color of shots; see `Engine.mark`."""
        counts = shot_models.counted(takes)
        cards = (self.engine.card if one is None else self.models.card(one) for one in counts)
        return mark_of(cards) if counts else self.engine.mark

    def with_shots(self, outcome: Ended, takes: Sequence[Take]) -> Ended:
        """The outcome of a clip with what was done with its shots, and by which models."""
        made_by, notes = shot_models.told(
            shot_models.counted(takes), self.engine.card, self.model_sha256, self.models.card
        )
        notes, shots = (*outcome.notes, *notes), shot_looks.counted(takes)
        return replace(outcome, shots=shots, made_by=made_by, notes=notes)


class Clip(Protocol):
    """A clip and what it becomes. kind: grey, toned or color, "" before it is judged; of: the class
    of its outcomes."""

    of: ClassVar[type[FilmOutcome]]

    @property
    def job(self) -> Job: ...

    @property
    def kind(self) -> str: ...

    @property
    def sheet(self) -> Sheet | None:
        """What somebody says of its shots."""

    @property
    def count(self) -> int | None:
        """How many frames the result has, about; None if nothing tells."""

    @property
    def marked(self) -> bool:
        """Whether it is a result of ours, which is never a source."""

    @property
    def files(self) -> Sequence[Job]:
        """One for each file that it becomes, where it becomes several."""

    # --- before the work ---

    def judged(
        self, request: ClipRequest, journals: Journals, model: Callable[[], str]
    ) -> tuple[Self, FilmOutcome | None]:
        """With its kind and what is left of it, and its outcome where it is not to be made. Raises
        SourceError."""

    def wrong(self, request: ClipRequest) -> Sequence[Wrong]:
        """Why nothing can be begun as it is asked for."""

    def foreseen(self) -> FilmOutcome:
        """What a run would make of it, without a line."""

    def line(self, workers: int) -> str:
        """The plan, in one line."""

    def refuse_if_held(self) -> None:
        """Raises LockedError where another run makes it, as far as it has a lock of its own."""

    def need(self, maker: Maker, each: float | None = None) -> Need:
        """What it takes in space and time. each: seconds of a frame, where that was measured.
        Raises SourceError, UsageError."""

    def expected(self, expected: Estimate, *, seen: bool = False) -> str:
        """That in words; "" where its line has it, unless it is asked for."""

    def preview(self, maker: Maker, count: int) -> Preview:
        """Write so many of its frames, before and after, where its results go. Raises SourceError,
        TargetError, UsageError."""

    # --- the work ---

    def make(self, maker: Maker, journals: Journals, request: ClipRequest) -> FilmOutcome:
        """Make it, or go on with it. journals: locked. Raises ColorbatchError and StoppedError;
        what is finished is kept, and the same call goes on from there."""

    def unfinished(self, maker: Maker, request: ClipRequest) -> FilmOutcome:
        """Its outcome where the run ends in the midst of it. Raises ColorbatchError."""

    def tell(self, outcome: FilmOutcome, journals: Journals, homes: frozenset[Path]) -> None:
        """Record how the work on it ended. homes: folders that keep an account already."""

    def proof(self, request: ClipRequest, stop: Callable[[], bool], more: Told) -> Proof:
        """A comparison of the luma of source and result. more: told how many frames are compared.
        Raises StoppedError, SourceError, TargetError."""

    def can_be_proved(self, outcome: FilmOutcome) -> bool | None:
        """Whether a proof has something to say of what was made before, as `outcome` says; None
        where nothing was."""


@dataclass(frozen=True)
class Wrong:
    """Why nothing is begun. kind: of the stream that a container does not hold, such as "audio", ""
    where it is no stream."""

    line: str
    kind: str = ""
    container: str = ""


def left_alone(kind: str) -> str:
    """Why a clip of a kind is not colored."""
    return IN_COLOR if kind == "color" else TONED
