"""A model open on one provider of onnxruntime: arrays of its own kind in and out.

The only file that opens sessions. What the numbers mean is the engine's matter; what there is to
run on is told by `runtime`, what differs between providers by their rows.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from colorbatch.color import Float
from colorbatch.errors import DeviceUnavailableError, ModelError
from colorbatch.model.providers import CPU, PROVIDERS, Opening, Provider
from colorbatch.model.runtime import (
    Device,
    import_runtime,
    installed_wheels,
    preferred,
    remedy,
    why_not,
)

logger = logging.getLogger(__name__)


HEAVY_BYTES = 1 << 26
"""Of a model's file. Such models have work for all cores in every step, and what they hold for a
picture is too much to be held for several."""


class Session:
    """A model on the provider that it really got, which is `provider`. at_once: so many runs of one
    picture at the same time are the fastest, None for one run of several pictures."""

    def __init__(
        self,
        runtime: Any,
        opened: Any,
        provider: Provider,
        index: int,
        at_once: int | None = None,
    ) -> None:
        self.provider, self.at_once = provider, at_once
        self.metadata: Mapping[str, str] = opened.get_modelmeta().custom_metadata_map
        self.inputs = {tensor.name: tensor for tensor in opened.get_inputs()}
        self.outputs = {tensor.name: tensor for tensor in opened.get_outputs()}
        self._opened = opened
        self._of_each_run: Any = None
        self._runtime, self._index = runtime, index
        self._bound: _Bound | None = None

    def run(self, feed: str, given: Float, wanted: str, shape: tuple[int, ...]) -> Float:
        """The output `wanted` for the input `feed`, NCHW float32. shape: what it will have."""
        memory = self.provider.memory
        if memory is None:
            [output] = self._opened.run([wanted], {feed: given}, self._of_each_run)
            return np.asarray(output, np.float32)
        names = (feed, given.shape, wanted, shape)
        if self._bound is None or self._bound.names != names:
            self._bound = None  # what it holds goes before there is more
            self._bound = _Bound(self._opened, self._runtime.OrtValue, names, memory, self._index)
        return self._bound.run(given)

    def spare_memory(self) -> None:
        """From now on what a run has taken of the machine's memory is given back after it. Without
        that onnxruntime keeps it, and, where memory ran out, the last bytes of all with it."""
        if self.provider is CPU:
            self._of_each_run = self._runtime.RunOptions()
            self._of_each_run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")


class _Bound:
    """An input and an output of one shape that stay where they are, in the provider's memory, from
    one run to the next: nothing is allocated between, and the graph copies nothing."""

    def __init__(
        self,
        opened: Any,
        values: Any,
        names: tuple[str, tuple[int, ...], str, tuple[int, ...]],
        memory: str,
        index: int,
    ) -> None:
        self.names = names
        feed, given, wanted, made = names
        self._opened, self._binding = opened, opened.io_binding()
        self._given, self._made = (
            values.ortvalue_from_shape_and_type(list(shape), np.float32, memory, index)
            for shape in (given, made)
        )
        self._binding.bind_ortvalue_input(feed, self._given)
        self._binding.bind_ortvalue_output(wanted, self._made)

    def run(self, given: Float) -> Float:
        self._given.update_inplace(np.ascontiguousarray(given, np.float32))
        self._opened.run_with_iobinding(self._binding)
        return np.array(self._made.numpy(), np.float32)  # the next run writes over it


def open_session(
    path: Path, asked: Device, *, batch: int | None = None, threads: int = 0, tf32: bool = False
) -> Session:
    """A session on the device that was asked for, or the one that "auto" prefers of those here.

    batch: the size that a graph is given where its provider wants one, None for the row's; threads:
    0 for one per core, spent on one run, or each on a run of its own; tf32: products rounded to it.
    Raises ModelError, DeviceUnavailableError.
    """
    runtime = import_runtime()
    offered = runtime.get_available_providers()
    wanted = next((one for one in PROVIDERS if one.device == asked.kind), None)
    tried = _tried(wanted, offered)
    opening = Opening(index=asked.index, model=path, tf32=tf32)
    for provider in tried:
        provider.prepare(runtime, opening)
    is_heavy = path.stat().st_size > HEAVY_BYTES
    at_once = (threads or os.cpu_count()) if tried[0].at_once and not is_heavy else None
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads if at_once is None else 1
    settings.enable_mem_pattern = at_once is None  # each run would hold a block of its own beside
    settings.log_severity_level = 3
    # idle threads sleep: while they spin, those that read and write have no core
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for provider in tried:
        for name, value in provider.session.items():
            setattr(settings, name, value)
    try:
        if tried[0].fixed:
            for free in _free_batch(runtime, path):
                settings.add_free_dimension_override_by_name(free, batch or tried[0].batches[0])
        rows = [(provider.name, provider.options(opening)) for provider in tried]
        opened = runtime.InferenceSession(str(path), settings, providers=rows)
    except Exception as error:  # onnxruntime raises many kinds for broken files
        reason = " ".join(str(error).split())
        if wanted is not None and wanted is not CPU and wanted in tried:
            advice = remedy(wanted, installed_wheels())
            raise DeviceUnavailableError(f"{asked}: {reason[:300]}", advice) from error
        raise ModelError(f"{path}: not a model that onnxruntime can run: {reason[:300]}") from error
    first = opened.get_providers()[0]
    got = next(provider for provider in PROVIDERS if provider.name == first)
    if wanted is not None and wanted is not got:
        wheels = installed_wheels()
        reason = why_not(wanted, wheels, offered)
        raise DeviceUnavailableError(f"{asked} cannot be used: {reason}", remedy(wanted, wheels))
    if tf32 and not got.has_tf32:
        raise DeviceUnavailableError(
            f"{got.named(asked.index)} has no TF32", "it is for NVIDIA cards: leave --tf32 out"
        )
    if wanted is None:
        _warn(got, offered)
    return Session(runtime, opened, got, asked.index, at_once)


def _tried(wanted: Provider | None, offered: Collection[str]) -> list[Provider]:
    """The providers of a session: the wanted one, or those that "auto" takes; then those beside it,
    and the CPU, for what it cannot run."""
    mains = [one for one in PROVIDERS if (one is wanted if wanted else one.by_itself)]
    mains = [one for one in mains if one.name in offered]
    beside = {name for one in mains for name in one.beside if name in offered}
    others = [one for one in PROVIDERS if one.name in beside and one not in mains]
    return mains + others + ([] if CPU in mains else [CPU])


def _free_batch(runtime: Any, path: Path) -> list[str]:
    """The names that a graph has for a size of batch that it leaves open."""
    settings = runtime.SessionOptions()
    settings.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 3
    plain = runtime.InferenceSession(str(path), settings, providers=[CPU.name])
    sizes = {tensor.shape[0] for tensor in plain.get_inputs() if tensor.shape}
    return [size for size in sizes if isinstance(size, str)]


def _warn(got: Provider, offered: Collection[str]) -> None:
    """Say that there is something faster than a processor, and why it is not used."""
    if got.hardware is not None:
        return
    for provider in preferred():
        if provider.is_here and provider.hardware is not None:
            reason = why_not(provider, installed_wheels(), offered)
            logger.warning("running on %s beside %s: %s", got.called, provider.hardware.one, reason)
            return
