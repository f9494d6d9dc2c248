"""What onnxruntime can run on here: its wheels, the devices that people ask for, reasons.

What differs from one provider to another stands in their rows (`providers`). This is the only file
that imports onnxruntime; it does so when it is asked to, never before: start-up stays fast.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from colorbatch.errors import ColorbatchError, UsageError
from colorbatch.model.providers import CPU, PROVIDERS, WHEELS, Provider

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
    """What can be asked for by --device: auto, cpu, openvino, ..., cuda, cuda:N and so on."""
    words = ["auto"]
    for provider in reversed(PROVIDERS):
        words.append(provider.device)
        if provider.numbered:
            words.append(f"{provider.device}:N")
    return words


def preferred() -> list[Provider]:
    """Those on hardware of their own that "auto" takes where it is here."""
    return [one for one in PROVIDERS if one.by_itself and one.hardware is not None]


def usable_devices(offered: Collection[str]) -> list[str]:
    """The devices that "auto" may take here, cpu first; offered: onnxruntime's names."""
    usable = (one for one in reversed(PROVIDERS) if one.by_itself and one.name in offered)
    return [one.device for one in usable if one.is_here]


# --- wheels --------------------------------------------------------------------------------------


def import_runtime() -> Any:
    """onnxruntime with telemetry off. Raises ColorbatchError."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on its official builds report usage
    try:
        import onnxruntime
    except ImportError as error:
        if importlib.util.find_spec("onnxruntime") is not None:
            raise ColorbatchError(f"onnxruntime is installed but broken: {error}") from error
        extra = next((one.extra for one in preferred() if one.is_here), CPU.extra)
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
    listed = " and ".join(f"{name} {version}" for name, version in wheels.items()) or "unknown"
    if provider.wheel not in wheels:
        return f"the installed runtime is {listed}, which has no {provider.called}"
    if len(wheels) > 1:
        return f"{listed} are both installed and overwrite each other"
    if provider.name not in offered:
        return f"{listed} does not offer it on this machine"
    if provider.hardware is None:
        return f"{provider.called} did not take the model"
    return provider.hardware.broken if provider.is_here else provider.hardware.missing


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
