"""The engine: one ONNX model on one device. The only file that knows onnxruntime.

In: lightness pictures at the model's size. Out: chroma in Lab units. What lies between (providers,
batches, the model's own input and output kinds, shrinking batches when memory runs out) stays here.
onnxruntime is imported when the first engine is made, never before: start-up stays fast.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from colorbatch import __version__, color
from colorbatch.errors import (
    ColorbatchError,
    DeviceUnavailableError,
    ModelError,
    OutOfMemoryError,
    UsageError,
)
from colorbatch.model.contract import ModelCard, ModelContract, find_model, read_metadata

logger = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
RUNTIME_WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
OUT_OF_MEMORY_SIGNS = ("out of memory", "failed to allocate", "alloc_failed", "bad allocation")


@dataclass(frozen=True)
class Device:
    """A device as asked for: kind is "auto", "cpu" or "cuda"."""

    kind: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """auto, cpu, cuda or cuda:N. Raises UsageError."""
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text, re.ASCII):
            raise UsageError(f"device is auto, cpu, cuda or cuda:N, not {text!r}")
        kind, _, index = text.partition(":")
        return cls(kind, int(index or 0))

    def __str__(self) -> str:
        return f"cuda:{self.index}" if self.kind == "cuda" else self.kind


class Engine:
    """A loaded model, ready to predict. `device` and `provider` say what it really runs on.

    Raises ModelError for a missing, broken or contractless model, DeviceUnavailableError if CUDA
    was asked for and cannot be used, ColorbatchError if there is no onnxruntime.
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
        asked = Device.parse(device)
        runtime = import_runtime()
        self._session, self.provider = _open_session(runtime, self.path, asked, threads)
        self.device = f"cuda:{asked.index}" if self.provider == CUDA else "cpu"
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
        raises OutOfMemoryError if not even one picture fits.
        """
        if lightness.ndim != 3 or lightness.shape[1:] != self.size:
            raise ValueError(
                f"lightness is {lightness.shape}, not (N, {self.size[0]}, {self.size[1]})"
            )
        chroma = np.empty((*lightness.shape, 2), np.float32)
        done = 0
        while done < len(lightness):
            part = lightness[done : done + self.batch_size]
            try:
                chroma[done : done + len(part)] = self._run(part)
            except Exception as error:
                if not any(sign in str(error).lower() for sign in OUT_OF_MEMORY_SIGNS):
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


def import_runtime() -> Any:
    """onnxruntime with telemetry off and CUDA's libraries preloaded. Raises ColorbatchError."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on its official builds report usage
    try:
        import onnxruntime
    except ImportError as error:
        if importlib.util.find_spec("onnxruntime") is not None:
            raise ColorbatchError(f"onnxruntime is installed but broken: {error}") from error
        extra = "cuda13" if has_nvidia_card() else "cpu"
        raise ColorbatchError(
            "onnxruntime is not installed", f'run: pip install "colorbatch[{extra}]"'
        ) from error
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(3)
    return onnxruntime


def _open_session(runtime: Any, path: Path, asked: Device, threads: int) -> tuple[Any, str]:
    """A session and the provider it really got."""
    providers: list[Any] = [CPU]
    if asked.kind != "cpu" and CUDA in runtime.get_available_providers():
        if hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()
        # one fixed size per run: a heuristic choice of algorithms starts at once and is good enough
        # TF32 keeps 10 bits of mantissa: too few for the parity limits
        options = {"device_id": asked.index, "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 0}
        providers = [(CUDA, options), CPU]
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    # idle threads sleep: while they spin, those that read and write have no core
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = runtime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime raises many kinds for broken files
        reason = " ".join(str(error).split())
        if len(providers) > 1 and asked.kind == "cuda":
            raise DeviceUnavailableError(f"{asked}: {reason[:300]}", _cuda_advice()) from error
        raise ModelError(f"{path}: not a model that onnxruntime can run: {reason[:300]}") from error
    provider = str(session.get_providers()[0])
    if provider != CUDA and asked.kind == "cuda":
        raise DeviceUnavailableError(
            f"{asked} cannot be used: {why_no_cuda(runtime)}", _cuda_advice()
        )
    if provider != CUDA and asked.kind == "auto" and has_nvidia_card():
        logger.warning("running on the CPU beside an NVIDIA card: %s", why_no_cuda(runtime))
    return session, provider


def usable_devices() -> list[str]:
    """The devices that can be asked for here: cpu, and cuda where its provider is offered."""
    offered = import_runtime().get_available_providers()
    return ["cpu", "cuda"] if CUDA in offered and has_nvidia_card() else ["cpu"]


def why_no_cuda(runtime: Any) -> str:
    """One clause that says why CUDA is not used here."""
    wheels = installed_runtimes()
    if "onnxruntime-gpu" not in wheels:
        return f"the installed runtime is {_listed(wheels)}, which has no CUDA"
    if len(wheels) > 1:
        return f"{_listed(wheels)} are both installed and overwrite each other"
    if CUDA not in runtime.get_available_providers():
        return f"{_listed(wheels)} does not offer it on this machine"
    if not has_nvidia_card():
        return "no NVIDIA card or driver was found"
    return "CUDA's or cuDNN's libraries could not be loaded, or their version does not fit"


def _cuda_advice() -> str:
    wheels = installed_runtimes()
    if "onnxruntime-gpu" in wheels and len(wheels) == 1:
        return "see `colorbatch doctor`, or use --device cpu"
    others = " ".join(name for name in wheels if name != "onnxruntime-gpu")
    return (
        f'run: pip uninstall -y {others} && pip install "colorbatch[cuda13]", or use --device cpu'
    )


def _listed(wheels: dict[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in wheels.items()) or "unknown"


def installed_runtimes() -> dict[str, str]:
    """The onnxruntime wheels installed here and their versions; more than one is trouble."""
    found = {}
    for name in RUNTIME_WHEELS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def has_nvidia_card() -> bool:
    """Whether an NVIDIA driver sees a card here, told without loading CUDA."""
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        return (system / "nvcuda.dll").exists()
    return Path("/dev/nvidia0").exists() or (
        Path("/dev/dxg").exists() and shutil.which("nvidia-smi") is not None  # WSL
    )
