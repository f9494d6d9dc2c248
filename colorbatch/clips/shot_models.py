"""The models that shots name, beside the run's: checked before any work, open where needed.

Flows in: lists of shots, and how the run's model was opened. Flows out: engines, and words on which
of them colored what. As many are held open as segments are made side by side, those that were asked
for last: in a segment shots follow each other, so that none is opened twice for one shot; so do
frames that stay frames, whose models are opened when they predict. (What allocators keep of those
that were closed is not counted.)
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from colorbatch.clips.shot_looks import ShotModel, Take
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.color import Float
from colorbatch.errors import ModelError, ParityError, SourceError, one_line
from colorbatch.fs import atomic
from colorbatch.model import parity
from colorbatch.model.contract import ModelCard, embedded_models, sha256
from colorbatch.model.engine import Engine
from colorbatch.run import available_memory

WORKING_BYTES = 200_000_000
"""What an open model takes beside its weights, which are there about twice: both embedded ones,
with batches of 8 pictures of 256 x 256 on a CPU, take 130 to 240 MB in all."""


class UnusableModelError(SourceError):
    """A model that a shot names cannot be used, or is not what it was when the list was read."""


class ShotModels:
    """Opens the models that shots name, as the run's was opened; asked from several threads. What
    is in use is held by who uses it, and shared; what else, says `holding`."""

    def __init__(
        self, device: str = "auto", batch_size: int | None = None, *, tf32: bool = False
    ) -> None:
        self._opening = (device, batch_size, tf32)
        self._lock = threading.Lock()
        self._most = 0
        self._held: dict[str, Engine] = {}
        """Those that were asked for last, the last one at the end."""
        self._used: weakref.WeakValueDictionary[str, Engine] = weakref.WeakValueDictionary()
        self._facts: dict[str, tuple[ModelCard, tuple[int, int]]] = {}
        """Of those that were open once: what they are, and the size that they see."""
        self._predicting: dict[str, Callable[[Float], Float]] = {}

    @contextlib.contextmanager
    def holding(self, most: int) -> Iterator[None]:
        """For a while hold so many of those that were asked for last."""
        self._most = most
        try:
            yield
        finally:
            self._most = 0
            self._held.clear()

    def __call__(self, one: ShotModel) -> Engine:
        """A model, open. Raises UnusableModelError."""
        with self._lock:
            engine = self._held.pop(one.sha256, None) or self._used.get(one.sha256)
            while self._held and len(self._held) >= self._most:  # before there is another
                del self._held[next(iter(self._held))]
            if engine is None:
                try:
                    engine = self._open(one)
                except (ModelError, ParityError) as error:
                    raise UnusableModelError(one_line(error)) from error
                self._used[one.sha256] = engine
            if self._most:
                self._held[one.sha256] = engine
        return engine

    def _open(self, one: ShotModel) -> Engine:
        available_memory.give_back()  # of those that were closed
        device, batch_size, tf32 = self._opening
        engine = parity.opened(one.path, device, batch_size=batch_size, tf32=tf32)
        if sha256(one.path) != one.sha256:
            raise ModelError(f"{one.path}: was changed while it was used")
        self._facts[one.sha256] = engine.card, engine.size
        return engine

    def check(self, sheets: Iterable[Sheet]) -> None:
        """Open each model of lists once. Raises UsageError, which names file, row and column."""
        for sheet in sheets:
            for row in sheet.rows:
                if row.model is None or row.model.sha256 in self._facts:
                    continue
                try:
                    self._open(row.model)
                except (ModelError, ParityError) as error:
                    raise sheet.wrong(row, "model", one_line(error)) from error

    def card(self, one: ShotModel) -> ModelCard:
        """What a model is. Raises UnusableModelError."""
        return self._known(one)[0]

    def size(self, one: ShotModel) -> tuple[int, int]:
        """(H, W) that a model sees. Raises UnusableModelError."""
        return self._known(one)[1]

    def _known(self, one: ShotModel) -> tuple[ModelCard, tuple[int, int]]:
        if one.sha256 not in self._facts:
            self(one)
        return self._facts[one.sha256]

    def predicting(self, one: ShotModel) -> Callable[[Float], Float]:
        """What predicts as `Engine.predict`, by a model that is opened not before; the same of the
        same model. It raises UnusableModelError."""

        def predict(lightness: Float) -> Float:
            return self(one).predict(lightness)

        return self._predicting.setdefault(one.sha256, predict)


def bytes_of(takes: Iterable[Take]) -> int:
    """Bytes of memory that the largest model that shots name takes while it is open, 0 without one.
    Raises SourceError."""
    paths = {take.colored_by.path for take in takes if take.colored_by is not None}
    return max((WORKING_BYTES + 2 * _size(path) for path in paths), default=0)


def _size(path: Path) -> int:
    try:
        return atomic.reachable(path).stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


# --- told of -----------------------------------------------------------------------------------


def counted(takes: Sequence[Take]) -> Counter[ShotModel | None]:
    """How many shots each model colors, None for the run's, which comes first; empty where it is
    the run's alone."""
    colored = [take.colored_by for take in takes if take.look.action == "color"]
    if not any(colored):
        return Counter()
    return Counter(sorted(colored, key=lambda one: one is not None))


def told(
    counts: Counter[ShotModel | None],
    own: ModelCard,
    own_sha256: str,
    card: Callable[[ShotModel], ModelCard],
) -> tuple[Mapping[str, object], tuple[str, ...]]:
    """Which models colored the shots of a clip, for `Outcome.made_by`, and for its notes. own: the
    run's, and the SHA-256 of its file."""
    if not counts:
        return {}, ()
    values, words = [], []
    for one, count in counts.items():
        name, digest = (own.name, own_sha256) if one is None else (card(one).name, one.sha256)
        values.append({"model": name, "model_sha256": digest, "shots": count})
        if one is not None and one.path not in embedded_models():
            name = one.path.name  # by which its list names it
        words.append(f"{count:,} by {name}")
    return {"models": values}, (f"shots were colored by several models: {', '.join(words)}",)
