"""The engine: one ONNX model on one device.

In: lightness pictures at the model's size. Out: chroma in Lab units. What lies between (batches,
the model's own input and output kinds, shrinking batches when memory runs out) stays here; how a
model is opened and run is a matter of `session`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from colorbatch import color
from colorbatch.errors import ModelError, OutOfMemoryError
from colorbatch.model.contract import ModelCard, ModelContract, find_model, read_metadata
from colorbatch.model.providers import BATCH_SIZE, MEMORY_SIGNS
from colorbatch.model.runtime import Device
from colorbatch.model.session import Session, open_session
from colorbatch.version import __version__

logger = logging.getLogger(__name__)


class Engine:
    """A loaded model, ready to predict. `device` and `provider` say what it really runs on.

    batch_size: pictures at a time, at most; None to find out, on a card, with how many it is
    fastest, which takes at most a second or two. tf32: products are rounded to 10 bits of mantissa,
    which NVIDIA cards do several times as fast; `parity.opened` makes sure that it does no harm.

    Raises ModelError for a missing, broken or contractless model, DeviceUnavailableError if
    the device that was asked for cannot be used, ColorbatchError if there is no onnxruntime.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str = "auto",
        *,
        batch_size: int | None = BATCH_SIZE,
        threads: int = 0,
        tf32: bool = False,
    ) -> None:
        self.path = find_model(model)
        self.tf32 = tf32
        self._turn = threading.Lock()
        asked = Device.parse(device)
        self._session = open_session(self.path, asked, batch=batch_size, threads=threads, tf32=tf32)
        provider = self._session.provider
        self.provider, self.device = provider.name, provider.named(asked.index)
        self.contract: ModelContract
        self.card: ModelCard
        self.contract, self.card = read_metadata(self.path, self._session.metadata)
        self.size = self.contract.size.choose()
        _check_tensors(self._session, self.contract, self.path)
        self._fixed_batch = _fixed_batch(self._session, self.contract)
        self.batch_size = batch_size or provider.batches[0]
        self._side_by_side = _SideBySide.of(self._session.at_once, batch_size)
        if self._fixed_batch is not None:
            self.batch_size = self._fixed_batch
        elif batch_size is None and len(provider.batches) > 1:
            self.batch_size = self._fastest(provider.batches)

    @property
    def at_once(self) -> int:
        """From so many threads it is asked best, for `batch_size` pictures each from one alone, for
        one picture each from several."""
        return 1 if self._side_by_side is None else self._side_by_side.at_once

    @property
    def mark(self) -> str:
        """What made the color of a result, for the marks in files: the tool with its version, the
        model, and the first digits of the hash of its weights."""
        return mark_of([self.card])

    def made_by(self, model_sha256: str, settings: Mapping[str, object]) -> dict[str, object]:
        """Program, model, device and settings, for outcomes and reports; model_sha256: of the
        model's file; settings: in clear."""
        return {
            "program": f"colorbatch {__version__}",
            "model": self.card.name,
            "model_sha256": model_sha256,
            "device": self.device,
            "provider": self.provider,
            "settings": dict(settings),
        }

    @property
    def told(self) -> str:
        """Model, device and provider, in words."""
        rounded = ", TF32" if self.tf32 else ""
        return f"model {self.card.name} on {self.device} ({self.provider}{rounded})"

    def predict(self, lightness: color.Float, *, together: bool = False) -> color.Float:
        """L* (N, H, W) in [0, 100] at `size` to ab (N, H, W, 2) in Lab units; float32.

        Runs in batches of at most `batch_size`, one after the other, or picture by picture with as
        many at the same time, as the provider does it faster; so do several threads that ask. When
        memory runs out the batch is halved, for good; raises OutOfMemoryError if not even one
        picture fits. together: in batches, whatever is faster.
        """
        if lightness.ndim != 3 or lightness.shape[1:] != self.size:
            raise ValueError(
                f"lightness is {lightness.shape}, not (N, {self.size[0]}, {self.size[1]})"
            )
        if self._side_by_side is not None and not together:
            return self._side_by_side.predict(self._in_batches, lightness, self._fixed_batch or 1)
        with self._turn:
            return self._in_batches(lightness)

    def _in_batches(self, lightness: color.Float) -> color.Float:
        chroma = np.empty((*lightness.shape, 2), np.float32)
        done = 0
        while done < len(lightness):
            part = lightness[done : done + self.batch_size]
            try:
                chroma[done : done + len(part)] = self._run(part)
            except Exception as error:
                if not _out_of_memory(error):
                    raise
                self._session.spare_memory()
                if len(part) == 1 or self._fixed_batch is not None:
                    raise OutOfMemoryError(
                        f"no memory for one picture of {self.size[0]}x{self.size[1]} "
                        f"on {self.device}"
                    ) from error
                self.batch_size = len(part) // 2
                logger.warning("out of memory: going on with batches of %d", self.batch_size)
                continue
            done += len(part)
        return chroma

    def time_one(self) -> float:
        """Seconds of one inference, the best of three after a first one that warms up."""
        lightness = np.full((1, *self.size), 50, np.float32)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            self._run(lightness)
            times.append(time.perf_counter() - started)
        return min(times[1:])

    def _fastest(self, sizes: tuple[int, ...]) -> int:
        """Of batch sizes, from small to large, the one with the least time for a picture: the next
        is taken as long as it saves a twentieth, and as there are memory and time to try it."""
        best, least, began = sizes[0], math.inf, time.perf_counter()
        for size in sizes:
            lightness = np.full((size, *self.size), 50, np.float32)
            try:
                self._run(lightness)  # the first of a shape chooses how it is computed
                started = time.perf_counter()
                self._run(lightness)
            except Exception as error:
                if not _out_of_memory(error):
                    raise
                break
            now = time.perf_counter()
            each = (now - started) / size
            if each > 0.95 * least:
                break
            best, least = size, each
            if now - began > SEARCH_SECONDS:
                break
        return best

    def _run(self, lightness: color.Float) -> color.Float:
        """One batch; of a graph that takes so many pictures at once and no others it is filled up
        with the last one."""
        count = len(lightness)
        if self._fixed_batch is not None and count < self._fixed_batch:
            filling = np.repeat(lightness[-1:], self._fixed_batch - count, axis=0)
            lightness = np.concatenate([lightness, filling])
        given, made = self.contract.input, self.contract.output
        shape = (len(lightness), CHANNELS[made.kind], *self.size)
        view = model_input(lightness, self.contract)
        output = self._session.run(given.name, view, made.name, shape)
        return _chroma(output[:count], self.contract)


class _SideBySide:
    """Runs of one picture each, so many at the same time, for all who ask."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._pool = ThreadPoolExecutor(at_once, "engine")
        together = threading.Barrier(at_once)
        for started in [self._pool.submit(together.wait) for _ in range(at_once)]:
            started.result()  # later there may be no memory to start one
        self._allowed = threading.Semaphore(at_once)
        self._turn = threading.Lock()

    @classmethod
    def of(cls, at_once: int | None, batch_size: int | None) -> _SideBySide | None:
        """None where a session is faster with one run of several. A smaller size of batch than the
        usual one is asked for to save memory."""
        if at_once is None:
            return None
        if batch_size is not None and batch_size < BATCH_SIZE:
            at_once = min(at_once, batch_size)
        return cls(at_once)

    def predict(
        self, run: Callable[[color.Float], color.Float], lightness: color.Float, each: int
    ) -> color.Float:
        """`Engine.predict`, by runs of `each` pictures. Raises what they raise; where memory runs
        out, half as many go on at the same time, for good."""
        chroma = np.empty((*lightness.shape, 2), np.float32)
        parts = [slice(start, start + each) for start in range(0, len(lightness), each)]

        def allowed(part: slice) -> color.Float:
            with self._allowed:
                return run(lightness[part])

        while parts:
            at_once = self.at_once
            asked = [(part, self._pool.submit(allowed, part)) for part in parts]
            parts = []
            for part, answer in asked:
                try:
                    chroma[part] = answer.result()
                except OutOfMemoryError:
                    if at_once == 1:
                        raise
                    parts.append(part)
            if parts:
                self._halve(at_once)
        return chroma

    def _halve(self, at_once: int) -> None:
        """If nobody has done so since there were so many."""
        with self._turn:
            if self.at_once == at_once:
                self.at_once = at_once // 2
                self._allowed = threading.Semaphore(self.at_once)
                logger.warning("out of memory: going on with %d at a time", self.at_once)


def mark_of(cards: Iterable[ModelCard]) -> str:
    """The mark of a result whose color several models have made."""
    models = (f"model {card.name} {card.weights_sha256[:16]}".strip() for card in cards)
    return "; ".join((f"colorbatch {__version__}", *models))


CHANNELS = {"lab_l": 1, "gray_rgb": 3, "lab_ab": 2, "rgb": 3}
"""Of each kind of input and output."""
SEARCH_SECONDS = 0.5
"""Spent on finding a size of batch; the one that is at work then is finished."""


def _out_of_memory(error: Exception) -> bool:
    return any(sign in str(error).lower() for sign in MEMORY_SIGNS)


def model_input(lightness: color.Float, contract: ModelContract) -> color.Float:
    """L* (N, H, W) to the model's own input, NCHW float32."""
    spec = contract.input
    low, high = spec.range
    if spec.kind == "lab_l":
        scaled = lightness * np.float32((high - low) / 100) + np.float32(low)
        return np.ascontiguousarray(scaled[:, None], np.float32)
    grey = color.grey_of_lightness(lightness)
    scaled = grey * np.float32(high - low) + np.float32(low)
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    three = (scaled[:, None] - mean[:, None, None]) / std[:, None, None]
    return np.ascontiguousarray(three, np.float32)


def _chroma(output: Any, contract: ModelContract) -> color.Float:
    """The model's own output, NCHW, to ab (N, H, W, 2) in Lab units."""
    spec = contract.output
    channels_last = np.moveaxis(np.asarray(output, np.float32), 1, -1) * np.float32(spec.scale)
    if spec.kind == "lab_ab":
        return channels_last
    count, height, width, _ = channels_last.shape
    rows = np.clip(channels_last, 0, 1).reshape(count * height, width, 3)
    return color.encoded_to_lab(rows).reshape(count, height, width, 3)[..., 1:]


def _check_tensors(session: Session, contract: ModelContract, path: Path) -> None:
    for tensors, spec in (
        (session.inputs, contract.input),
        (session.outputs, contract.output),
    ):
        if spec.name not in tensors:
            names = ", ".join(tensors)
            raise ModelError(f"{path}: its contract names {spec.name!r}, it has {names}")
        tensor = tensors[spec.name]
        if tensor.type != "tensor(float)" or len(tensor.shape) != 4:
            raise ModelError(f"{path}: {spec.name!r} is not a 4-dimensional float32 tensor")
        made = tensor.shape[1]
        if isinstance(made, int) and made != CHANNELS[spec.kind]:
            raise ModelError(
                f"{path}: {spec.name!r} has {made} channels, not {CHANNELS[spec.kind]}"
            )
        for have, wanted in zip(tensor.shape[2:], contract.size.choose(), strict=True):
            if isinstance(have, int) and have != wanted:
                raise ModelError(f"{path}: its contract says {wanted} pixels, its graph {have}")


def _fixed_batch(session: Session, contract: ModelContract) -> int | None:
    """How many pictures the graph takes at once, where it says a number, as many exports of other
    origin do, or was given one; None for any."""
    count = session.inputs[contract.input.name].shape[0]
    return count if isinstance(count, int) and count > 0 else None
