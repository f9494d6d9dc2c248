"""The rows of providers: whole, known everywhere, and with options by their documentation."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import onnxruntime
import pytest

from colorbatch.fs import cache
from colorbatch.model.providers import (
    COREML,
    CPU,
    CUDA,
    DIRECTML,
    OPENVINO,
    PROVIDERS,
    TENSORRT,
    Opening,
    Provider,
)
from colorbatch.model.runtime import Device

ROOT = Path(__file__).parents[3]


@pytest.fixture
def opening(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opening:
    """The tiny model on the card with number 3, and a cache folder that is not there yet."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return Opening(index=3, model=tiny_model, tf32=False)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.device)
def test_rows_are_known_everywhere(provider: Provider) -> None:
    """onnxruntime knows the name, an extra installs the wheel, README and --help have the word, and
    the word leads to the row's device."""
    assert provider.name in onnxruntime.get_all_providers()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = project["optional-dependencies"][provider.extra]
    assert provider.wheel in {re.split(r"[\[<>=;]", need)[0] for need in needs}
    assert str(Device.parse(provider.device)) == provider.named(0)
    table = (ROOT / "docs/devices.md").read_text("utf-8")
    [row] = re.findall(rf"^\| `{provider.device}`[ ,].*$", table, re.M)
    assert ("by itself" in row) == provider.by_itself
    assert f"[{provider.extra}]" in row


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.device)
def test_rows_speak_onnxruntimes_language(provider: Provider) -> None:
    """Attributes of sessions are there, memory can be had of the name, others are rows."""
    for name in provider.session:
        assert hasattr(onnxruntime.SessionOptions(), name)
    if provider.memory is not None:
        onnxruntime.OrtDevice.make(provider.memory, 0)
    assert set(provider.beside) <= {one.name for one in PROVIDERS}
    assert list(provider.batches) == sorted(set(provider.batches))
    assert not provider.fixed or len(provider.batches) == 1


@pytest.mark.parametrize("left_out", [field.name for field in fields(Provider)])
def test_a_row_that_lacks_a_part_is_none(left_out: str) -> None:
    """No part has a default that could be wrong."""
    values = {field.name: getattr(CUDA, field.name) for field in fields(Provider)}
    assert Provider(**values) == CUDA
    del values[left_out]
    with pytest.raises(TypeError, match=left_out):
        Provider(**values)


def test_a_row_names_a_wheel_that_is_looked_for() -> None:
    """Otherwise nothing would be said of two wheels that overwrite each other."""
    with pytest.raises(ValueError, match="'onnxruntime-rocm' is none of WHEELS"):
        replace(CUDA, wheel="onnxruntime-rocm")


def test_the_cpu_is_the_last_row_and_always_here() -> None:
    """It takes what others cannot do."""
    assert PROVIDERS[-1] is CPU and CPU.is_here
    assert [CUDA.named(3), CPU.named(3)] == ["cuda:3", "cpu"]


def test_auto_takes_what_keeps_parity_and_starts_at_once() -> None:
    """TensorRT builds for minutes; what nobody has run has not been seen to keep the limits."""
    assert [one for one in PROVIDERS if one.by_itself] == [CUDA, OPENVINO, CPU]


def test_cuda_runs_with_what_parity_needs(opening: Opening) -> None:
    """The card that was asked for, and no TF32 but where it is."""
    assert CUDA.options(opening) == {
        "device_id": 3, "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 0,
    }  # fmt: skip
    assert CUDA.options(replace(opening, tf32=True))["use_tf32"] == 1


def test_tensorrt_keeps_its_engines_in_the_cache(opening: Opening, tmp_path: Path) -> None:
    """In a folder for the model's own bytes, of which TensorRT's names know nothing, and another
    for TF32."""
    digest = hashlib.sha256(opening.model.read_bytes()).hexdigest()[:16]
    folder = tmp_path / "cache" / f"tensorrt-{digest}"
    assert TENSORRT.options(opening) == {
        "device_id": 3,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": os.fspath(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": os.fspath(folder),
    }
    assert folder.is_dir()
    rounded = TENSORRT.options(replace(opening, tf32=True))
    assert rounded["trt_engine_cache_path"] == os.fspath(folder) + "-tf32"


def test_without_a_cache_providers_keep_nothing(
    opening: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`COLORBATCH_CACHE=none`: no folder, and no option that names one."""
    monkeypatch.setenv(cache.VARIABLE, "none")
    assert TENSORRT.options(opening) == {"device_id": 3}
    assert "ModelCacheDirectory" not in COREML.options(opening)
    assert list(tmp_path.iterdir()) == []


def test_tensorrt_rounds_to_tf32_where_asked_alone(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its provider has no option for it; NVIDIA's variable stands before anything is loaded."""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    TENSORRT.prepare(object(), opening)
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
    TENSORRT.prepare(object(), replace(opening, tf32=True))
    assert "NVIDIA_TF32_OVERRIDE" not in os.environ


def test_the_others_compute_in_float32(opening: Opening) -> None:
    """OpenVINO would take bfloat16 where there is AMX, Core ML's neural engine knows float16
    alone."""
    assert OPENVINO.options(opening) == {"device_type": "CPU", "precision": "FP32"}
    units = COREML.options(opening)
    assert units["MLComputeUnits"] == "CPUAndGPU" and units["ModelFormat"] == "MLProgram"
    assert units["AllowLowPrecisionAccumulationOnGPU"] == "0"
    assert Path(str(units["ModelCacheDirectory"])).name.startswith("coreml-")
    assert DIRECTML.options(opening) == {"device_id": 3}


def test_hardware_of_other_systems_is_not_here() -> None:
    """What is of one system is found on no other."""
    assert DIRECTML.is_here <= (sys.platform == "win32")
    assert COREML.is_here == (sys.platform == "darwin")
    assert TENSORRT.is_here <= CUDA.is_here
