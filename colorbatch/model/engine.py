"""The engine: one ONNX model on one device. The only file that opens sessions of onnxruntime.

In: lightness pictures at the model's size. Out: chroma in Lab units. What lies between (batches,
the model's own input and output kinds, shrinking batches when memory runs out) stays here; what
there is to run on is told by `runtime`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from colorbatch import color
from colorbatch.errors import DeviceUnavailableError, ModelError, OutOfMemoryError
from colorbatch.model.contract import ModelCard, ModelContract, find_model, read_metadata
from colorbatch.model.runtime import (
    CPU,
    MEMORY_SIGNS,
    PROVIDERS,
    Device,
    Provider,
    import_runtime,
    installed_wheels,
    remedy,
    why_not,
)
from colorbatch.version import __version__

logger = logging.getLogger(__name__)


class Engine:
    """A loaded model, ready to predict. `device` and `provider` say what it really runs on.

    Raises ModelError for a missing, broken or contractless model, DeviceUnavailableError if
    the device that was asked for cannot be used, ColorbatchError if there is no onnxruntime.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str = "auto",
        *,
        batch_size: int = 8,
        threads: int = 0,
    ) -> None:
        self.path = find_model(model)
        self.batch_size = batch_size
        self._alone = threading.Lock()
        asked = Device.parse(device)
        self._session, provider = _open_session(self.path, asked, threads)
        self.provider, self.device = provider.name, provider.named(asked.index)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.contract: ModelContract
        self.card: ModelCard
        self.contract, self.card = read_metadata(self.path, metadata)
        self.size = self.contract.size.choose()
        _check_tensors(self._session, self.contract, self.path)
        self._fixed_batch = _fixed_batch(self._session, self.contract)
        if self._fixed_batch is not None:
            self.batch_size = self._fixed_batch

    @property
    def mark(self) -> str:
        """What made the color of a result, for the marks in files: the tool with its version, the
        model, and the first digits of the hash of its weights."""
        card = self.card
        return f"colorbatch {__version__}; model {card.name} {card.weights_sha256[:16]}".strip()

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
        return f"model {self.card.name} on {self.device} ({self.provider})"

    def predict(self, lightness: color.Float) -> color.Float:
        """L* (N, H, W) in [0, 100] at `size` to ab (N, H, W, 2) in Lab units; float32.

        Runs in batches of at most `batch_size`. When memory runs out the batch is halved, for good;
        raises OutOfMemoryError if not even one picture fits. May be asked from several threads: one
        after the other runs, with all cores of the device.
        """
        if lightness.ndim != 3 or lightness.shape[1:] != self.size:
            raise ValueError(
                f"lightness is {lightness.shape}, not (N, {self.size[0]}, {self.size[1]})"
            )
        with self._alone:
            return self._in_batches(lightness)

    def _in_batches(self, lightness: color.Float) -> color.Float:
        chroma = np.empty((*lightness.shape, 2), np.float32)
        done = 0
        while done < len(lightness):
            part = lightness[done : done + self.batch_size]
            try:
                chroma[done : done + len(part)] = self._run(part)
            except Exception as error:
                if not any(sign in str(error).lower() for sign in MEMORY_SIGNS):
                    raise
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

    def _run(self, lightness: color.Float) -> color.Float:
        """One batch; of a graph that takes so many pictures at once and no others it is filled up
        with the last one."""
        count = len(lightness)
        if self._fixed_batch is not None and count < self._fixed_batch:
            filling = np.repeat(lightness[-1:], self._fixed_batch - count, axis=0)
            lightness = np.concatenate([lightness, filling])
        feed = {self.contract.input.name: _model_input(lightness, self.contract)}
        [output] = self._session.run([self.contract.output.name], feed)
        return _chroma(output[:count], self.contract)


def _model_input(lightness: color.Float, contract: ModelContract) -> color.Float:
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


def _check_tensors(session: Any, contract: ModelContract, path: Path) -> None:
    channels = {"lab_l": 1, "gray_rgb": 3, "lab_ab": 2, "rgb": 3}
    for tensors, spec in (
        (session.get_inputs(), contract.input),
        (session.get_outputs(), contract.output),
    ):
        names = [tensor.name for tensor in tensors]
        if spec.name not in names:
            raise ModelError(f"{path}: its contract names {spec.name!r}, it has {', '.join(names)}")
        tensor = tensors[names.index(spec.name)]
        if tensor.type != "tensor(float)" or len(tensor.shape) != 4:
            raise ModelError(f"{path}: {spec.name!r} is not a 4-dimensional float32 tensor")
        made = tensor.shape[1]
        if isinstance(made, int) and made != channels[spec.kind]:
            raise ModelError(
                f"{path}: {spec.name!r} has {made} channels, not {channels[spec.kind]}"
            )
        for have, wanted in zip(tensor.shape[2:], contract.size.choose(), strict=True):
            if isinstance(have, int) and have != wanted:
                raise ModelError(f"{path}: its contract says {wanted} pixels, its graph {have}")


def _fixed_batch(session: Any, contract: ModelContract) -> int | None:
    """How many pictures the graph takes at once, where it says a number, as many exports of other
    origin do; None for any."""
    tensors = {tensor.name: tensor for tensor in session.get_inputs()}
    count = tensors[contract.input.name].shape[0]
    return count if isinstance(count, int) and count > 0 else None


def _open_session(path: Path, asked: Device, threads: int) -> tuple[Any, Provider]:
    """A session and the provider it really got."""
    runtime = import_runtime()
    offered = runtime.get_available_providers()
    wanted = next((one for one in PROVIDERS if one.device == asked.kind), None)
    tried = [one for one in PROVIDERS if one.name in offered and wanted in (None, one)]
    if CPU not in tried:  # what another provider cannot run is run by the CPU
        tried.append(CPU)
    for provider in tried:
        provider.prepare(runtime)
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    # idle threads sleep: while they spin, those that read and write have no core
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    rows = [(provider.name, provider.options(asked.index)) for provider in tried]
    try:
        session = runtime.InferenceSession(str(path), settings, providers=rows)
    except Exception as error:  # onnxruntime raises many kinds for broken files
        reason = " ".join(str(error).split())
        if wanted is not None and wanted is not CPU and wanted in tried:
            advice = remedy(wanted, installed_wheels())
            raise DeviceUnavailableError(f"{asked}: {reason[:300]}", advice) from error
        raise ModelError(f"{path}: not a model that onnxruntime can run: {reason[:300]}") from error
    first = session.get_providers()[0]
    got = next(provider for provider in PROVIDERS if provider.name == first)
    if wanted is not None and wanted is not got:
        wheels = installed_wheels()
        reason = why_not(wanted, wheels, offered)
        raise DeviceUnavailableError(f"{asked} cannot be used: {reason}", remedy(wanted, wheels))
    if got is CPU and wanted is None:
        _warn(offered)
    return session, got


def _warn(offered: Collection[str]) -> None:
    """Say that there is something faster than the CPU, and why it is not used."""
    for provider in PROVIDERS:
        if provider.hardware is not None and provider.is_here:
            reason = why_not(provider, installed_wheels(), offered)
            logger.warning("running on the CPU beside %s: %s", provider.hardware.one, reason)
            return
