"""Sessions: what they are opened with, memory that is bound, graphs of one batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from colorbatch.color import Float
from colorbatch.errors import DeviceUnavailableError
from colorbatch.model import session
from colorbatch.model.engine import Engine
from colorbatch.model.providers import CPU, CUDA, OPENVINO, PROVIDERS, TENSORRT, Provider
from colorbatch.model.runtime import Device, import_runtime
from colorbatch.model.session import Session, open_session


def views(count: int, seed: int = 0) -> Float:
    """Random lightness (count, 32, 32)."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 100, (count, 32, 32)).astype(np.float32)


def as_cpu(monkeypatch: pytest.MonkeyPatch, **changed: object) -> Provider:
    """A row of its own in the place of the CPU's, with other properties."""
    row = replace(CPU, **changed)
    monkeypatch.setattr(session, "PROVIDERS", (*PROVIDERS[:-1], row))
    monkeypatch.setattr(session, "CPU", row)
    return row


def test_bound_memory_changes_no_number(tiny_model: Path) -> None:
    """An input and output that stay where they are give the same as those made for each run, also
    when shapes change in between; and what was given out stays as it is."""
    plain = open_session(tiny_model, Device("cpu"))
    opened = onnxruntime.InferenceSession(str(tiny_model), providers=[CPU.name])
    bound = Session(import_runtime(), opened, replace(CPU, memory="cpu", at_once=False), 0)
    kept = []
    for seed, count in enumerate((3, 3, 1, 5, 3)):
        given = views(count, seed)[:, None] / 50 - 1
        shape = (count, 2, 32, 32)
        kept.append([one.run("x", given, "y", shape) for one in (plain, bound)])
    for expected, found in kept:
        assert found.dtype == np.float32 and np.array_equal(expected, found)
    assert len({pair[1].tobytes() for pair in kept}) == 5


def test_an_engine_on_bound_memory(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way, in uneven batches."""
    expected = Engine(tiny_model, "cpu").predict(views(7))
    as_cpu(monkeypatch, memory="cpu", at_once=False)
    engine = Engine(tiny_model, "cpu", batch_size=3)
    assert np.array_equal(engine.predict(views(7)), expected)
    assert engine.time_one() > 0


def test_runs_at_the_same_time_share_no_bound_memory() -> None:
    """They would write over each other's pictures."""
    with pytest.raises(ValueError, match="cannot share"):
        replace(CPU, memory="cpu")


@pytest.mark.parametrize("asked", [None, 3])
def test_a_graph_that_is_made_for_one_batch(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    """Providers that build for a shape get one shape, whatever comes, and give the same."""
    expected = Engine(tiny_model, "cpu").predict(views(7))
    as_cpu(monkeypatch, fixed=True, batches=(4,))
    engine = Engine(tiny_model, "cpu", batch_size=asked)
    opened = open_session(tiny_model, Device("cpu"), batch=asked)
    assert opened.inputs["x"].shape[0] == engine.batch_size == (asked or 4)
    assert np.array_equal(engine.predict(views(7)), expected)


def test_tf32_is_refused_where_there_is_none(tiny_model: Path) -> None:
    """Rather than being passed over."""
    with pytest.raises(DeviceUnavailableError, match="cpu has no TF32"):
        Engine(tiny_model, "cpu", tf32=True)


def test_what_runs_beside_a_provider() -> None:
    """What TensorRT cannot run CUDA does, and the CPU what neither can; "auto" asks for none that
    is to be asked for."""
    offered = [one.name for one in PROVIDERS]
    assert session._tried(TENSORRT, offered) == [TENSORRT, CUDA, CPU]
    assert session._tried(CUDA, offered) == [CUDA, CPU]
    assert session._tried(None, offered) == [CUDA, OPENVINO, CPU]
    assert session._tried(OPENVINO, [CPU.name]) == [CPU]
    assert session._tried(CPU, offered) == [CPU]


@pytest.mark.parametrize("provider", PROVIDERS[:-1], ids=lambda provider: provider.device)
def test_no_device_is_replaced_by_another(tiny_model: Path, provider: Provider) -> None:
    """Where it is not offered the engine refuses, with the wheel that has it."""
    if provider.name in import_runtime().get_available_providers():
        pytest.skip(f"this runtime offers {provider.called}")
    with pytest.raises(DeviceUnavailableError, match="cannot be used") as caught:
        Engine(tiny_model, provider.device)
    assert "--device cpu" in caught.value.advice
