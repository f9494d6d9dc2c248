"""What onnxruntime can run on here: its wheels, its providers, the devices that people ask for.

A provider is a row of `PROVIDERS`; all that differs from one to another stands there. This is the
only file that imports onnxruntime; it does so when it is asked to, never before: start-up stays
fast.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorbatch.errors import ColorbatchError, UsageError

WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
"""All hold the same package, so that two of them overwrite each other."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a provider runs on beside any processor. name: in words; one: with its article; found:
    whether it and its driver are here, told without loading them; missing: the clause that says
    that they are not; broken: the one that says why it is not used though all seems to be there."""

    name: str
    one: str
    found: Callable[[], bool]
    missing: str
    broken: str


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One way to run a model; no field has a default.

    name: onnxruntime's; a session really runs on the provider that it lists first. called: in
    messages. device: the word of --device; numbered: whether DEVICE:N is one of several of them.
    wheel: the one that has it; extra: of colorbatch, which installs that wheel. hardware: what it
    needs, None for nothing. prepare: given onnxruntime, called before a session is opened; options:
    of the provider for device N; memory_signs: what it says, in small letters, when memory ran out.
    """

    name: str
    called: str
    device: str
    numbered: bool
    wheel: str
    extra: str
    hardware: Hardware | None
    prepare: Callable[[Any], None]
    options: Callable[[int], dict[str, object]]
    memory_signs: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.wheel not in WHEELS:
            raise ValueError(f"{self.name}: {self.wheel!r} is none of WHEELS")

    @property
    def is_here(self) -> bool:
        """Whether what it needs was found."""
        return self.hardware is None or self.hardware.found()

    def named(self, index: int) -> str:
        """Its device N, as it is asked for."""
        return f"{self.device}:{index}" if self.numbered else self.device


def has_nvidia_card() -> bool:
    """Whether an NVIDIA driver sees a card here, told without loading CUDA."""
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        return (system / "nvcuda.dll").exists()
    return Path("/dev/nvidia0").exists() or (
        Path("/dev/dxg").exists() and shutil.which("nvidia-smi") is not None  # WSL
    )


def _load_cuda(runtime: Any) -> None:
    """CUDA's and cuDNN's libraries out of their own wheels."""
    if hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()


CUDA = Provider(
    name="CUDAExecutionProvider",
    called="CUDA",
    device="cuda",
    numbered=True,
    wheel="onnxruntime-gpu",
    extra="cuda13",
    hardware=Hardware(
        name="NVIDIA card",
        one="an NVIDIA card",
        found=has_nvidia_card,
        missing="no NVIDIA card or driver was found",
        broken="CUDA's or cuDNN's libraries could not be loaded, or their version does not fit",
    ),
    prepare=_load_cuda,
    # one fixed size per run: a heuristic choice of algorithms starts at once and is good enough
    # TF32 keeps 10 bits of mantissa: too few for the parity limits
    options=lambda index: {
        "device_id": index,
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": 0,
    },
    memory_signs=("out of memory", "failed to allocate", "alloc_failed"),
)
CPU = Provider(
    name="CPUExecutionProvider",
    called="CPU",
    device="cpu",
    numbered=False,
    wheel="onnxruntime",
    extra="cpu",
    hardware=None,
    prepare=lambda runtime: None,
    options=lambda index: {},
    memory_signs=("failed to allocate", "bad allocation"),
)
PROVIDERS = (CUDA, CPU)
"""As "auto" prefers them; the last one is everywhere."""
MEMORY_SIGNS = {sign for provider in PROVIDERS for sign in provider.memory_signs}
"""Of all: beside another provider the CPU runs what that one cannot."""


# --- devices -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """A device as asked for: kind is "auto" or a provider's `device`."""

    kind: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """One of `device_words`. Raises UsageError."""
        kinds = (one.device + (r"(:\d+)?" if one.numbered else "") for one in PROVIDERS)
        if not re.fullmatch("|".join(["auto", *kinds]), text, re.ASCII):
            *words, last = device_words()
            raise UsageError(f"device is {', '.join(words)} or {last}, not {text!r}")
        kind, _, index = text.partition(":")
        return cls(kind, int(index or 0))

    def __str__(self) -> str:
        return next((one.named(self.index) for one in PROVIDERS if one.device == self.kind), "auto")


def device_words() -> list[str]:
    """What can be asked for by --device: auto, cpu, cuda, cuda:N."""
    words = ["auto"]
    for provider in reversed(PROVIDERS):
        words.append(provider.device)
        if provider.numbered:
            words.append(f"{provider.device}:N")
    return words


def usable_devices(offered: Collection[str]) -> list[str]:
    """The devices that can be asked for here, cpu first; offered: onnxruntime's names."""
    usable = (one for one in reversed(PROVIDERS) if one.name in offered and one.is_here)
    return [one.device for one in usable]


# --- wheels --------------------------------------------------------------------------------------


def import_runtime() -> Any:
    """onnxruntime with telemetry off. Raises ColorbatchError."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on its official builds report usage
    try:
        import onnxruntime
    except ImportError as error:
        if importlib.util.find_spec("onnxruntime") is not None:
            raise ColorbatchError(f"onnxruntime is installed but broken: {error}") from error
        extra = next(provider.extra for provider in PROVIDERS if provider.is_here)
        raise ColorbatchError(
            "onnxruntime is not installed", f'run: pip install "colorbatch[{extra}]"'
        ) from error
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(3)
    return onnxruntime


def installed_wheels() -> dict[str, str]:
    """The wheels of onnxruntime that are installed here and their versions; more than one is
    trouble."""
    found = {}
    for name in WHEELS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def why_not(provider: Provider, wheels: Mapping[str, str], offered: Collection[str]) -> str:
    """One clause that says why a provider that needs something is not used. wheels: as
    `installed_wheels`; offered: onnxruntime's names."""
    assert provider.hardware is not None
    listed = " and ".join(f"{name} {version}" for name, version in wheels.items()) or "unknown"
    if provider.wheel not in wheels:
        return f"the installed runtime is {listed}, which has no {provider.called}"
    if len(wheels) > 1:
        return f"{listed} are both installed and overwrite each other"
    if provider.name not in offered:
        return f"{listed} does not offer it on this machine"
    if not provider.is_here:
        return provider.hardware.missing
    return provider.hardware.broken


def remedy(provider: Provider, wheels: Mapping[str, str]) -> str:
    """What to do about it; wheels: as `installed_wheels`."""
    instead = f"use --device {CPU.device}"
    if provider.wheel in wheels and len(wheels) == 1:
        return f"see `colorbatch doctor`, or {instead}"
    others = " ".join(name for name in wheels if name != provider.wheel)
    return (
        f'run: pip uninstall -y {others} && pip install "colorbatch[{provider.extra}]", '
        f"or {instead}"
    )
