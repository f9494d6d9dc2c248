"""The providers of onnxruntime that a model can be run by: a row for each, and all that differs
from one to another stands there.

Rows are plain values and functions: onnxruntime is not imported here.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorbatch.fs import atomic, cache

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
class Opening:
    """What a session is opened for: device N of several, the model's file, and whether products
    may be rounded to TF32."""

    index: int
    model: Path
    tf32: bool


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One way to run a model; no field has a default.

    name: onnxruntime's; a session really runs on the provider that it lists first. called: in
    messages. device: the word of --device; numbered: whether DEVICE:N is one of several of them.
    wheel: the one that has it; extra: of colorbatch, which installs that wheel. hardware: what it
    needs, None for nothing. by_itself: whether "auto" takes it. beside: names of providers that run
    what it cannot, before the CPU does. prepare: given onnxruntime, called before a session is
    opened; options: of the provider; session: attributes of onnxruntime's SessionOptions. memory:
    where its inputs and outputs are bound, in onnxruntime's words, None for not at all. fixed: the
    graph is given one size of batch before it is opened, and calls are filled up to it. batches:
    how many pictures at a time are tried where no number was asked for; the fastest is taken.
    at_once: whether several runs at the same time, each on one core, are faster than one on all.
    has_tf32: whether it can round products to TF32. memory_signs: what it says, in small letters,
    when memory ran out.
    """

    name: str
    called: str
    device: str
    numbered: bool
    wheel: str
    extra: str
    hardware: Hardware | None
    by_itself: bool
    beside: tuple[str, ...]
    prepare: Callable[[Any, Opening], None]
    options: Callable[[Opening], dict[str, object]]
    session: Mapping[str, object]
    memory: str | None
    fixed: bool
    batches: tuple[int, ...]
    at_once: bool
    has_tf32: bool
    memory_signs: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.wheel not in WHEELS:
            raise ValueError(f"{self.name}: {self.wheel!r} is none of WHEELS")
        if self.at_once and self.memory is not None:
            raise ValueError(f"{self.name}: several runs cannot share one bound input")

    @property
    def is_here(self) -> bool:
        """Whether what it needs was found."""
        return self.hardware is None or self.hardware.found()

    def named(self, index: int) -> str:
        """Its device N, as it is asked for."""
        return f"{self.device}:{index}" if self.numbered else self.device


def _kept_in(kind: str, opening: Opening) -> str | None:
    """A folder of the cache for what a provider makes of one model, None for no file. Providers
    know a model again by its name and its graph, not by its weights: so each has a folder."""
    rounded = "-tf32" if opening.tf32 else ""
    place = cache.subfolder(f"{kind}-{atomic.sha256(opening.model)[:16]}{rounded}")
    return None if place is None else os.fspath(place)


def _nothing(runtime: Any, opening: Opening) -> None:
    """Nothing needs to be done before."""


def has_nvidia_card() -> bool:
    """Whether an NVIDIA driver sees a card here, told without loading CUDA."""
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        return (system / "nvcuda.dll").exists()
    return Path("/dev/nvidia0").exists() or (
        Path("/dev/dxg").exists() and shutil.which("nvidia-smi") is not None  # WSL
    )


def _load_cuda(runtime: Any, opening: Opening) -> None:
    """CUDA's and cuDNN's libraries out of their own wheels."""
    if hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()


TENSORRT_LIBRARIES = (
    ("nvinfer_10.dll", "nvonnxparser_10.dll")
    if sys.platform == "win32"
    else ("libnvinfer.so.10", "libnvonnxparser.so.10")
)
"""What onnxruntime's provider is linked with (1.31.1: `readelf -d`), in the order of loading."""


def _tensorrt_folder() -> Path | None:
    """Where the wheel of TensorRT's libraries has them, None without it."""
    spec = importlib.util.find_spec("tensorrt_libs")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(folders[0]) if folders else None


def has_tensorrt() -> bool:
    """Whether there are an NVIDIA card and TensorRT 10, told without loading them: its wheel's, or
    the system's, which the loader finds."""
    if not has_nvidia_card():
        return False
    if (folder := _tensorrt_folder()) is not None:
        return all((folder / name).exists() for name in TENSORRT_LIBRARIES)
    name = "nvinfer_10" if sys.platform == "win32" else "nvinfer"
    return ctypes.util.find_library(name) is not None


def _load_tensorrt(runtime: Any, opening: Opening) -> None:
    """TensorRT out of its own wheel. It has no option for TF32 and rounds to it unless NVIDIA's
    variable says no, which is read once in a process."""
    if opening.tf32:
        os.environ.pop("NVIDIA_TF32_OVERRIDE", None)
    else:
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    _load_cuda(runtime, opening)
    folder = _tensorrt_folder()
    for name in TENSORRT_LIBRARIES if folder is not None else ():
        assert folder is not None
        with contextlib.suppress(OSError):  # then onnxruntime says what is missing
            ctypes.CDLL(os.fspath(folder / name), mode=ctypes.RTLD_GLOBAL)


def _tensorrt_options(opening: Opening) -> dict[str, object]:
    """Engines take minutes to build, and are kept: for the card, the libraries, and the batch."""
    folder = _kept_in("tensorrt", opening)
    kept: dict[str, object] = {} if folder is None else {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": folder,
    }  # fmt: skip
    return {"device_id": opening.index} | kept


def _coreml_options(opening: Opening) -> dict[str, object]:
    """Not the neural engine, which computes in float16 alone."""
    folder = _kept_in("coreml", opening)
    kept: dict[str, object] = {} if folder is None else {"ModelCacheDirectory": folder}
    return kept | {
        "ModelFormat": "MLProgram",
        "MLComputeUnits": "CPUAndGPU",
        "RequireStaticInputShapes": "1",
        "AllowLowPrecisionAccumulationOnGPU": "0",
    }


def _has_direct3d() -> bool:
    """Whether Windows has Direct3D 12; whether a card does, is seen when it is used."""
    system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
    return sys.platform == "win32" and (system / "d3d12.dll").exists()


BATCH_SIZE = 8
"""Pictures at a time where nothing is known of the device that would speak for another number."""
NVIDIA_MEMORY = ("out of memory", "outofmemory", "failed to allocate", "alloc_failed")

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
    by_itself=True,
    beside=(),
    prepare=_load_cuda,
    # one fixed size per run: a heuristic choice of algorithms starts at once and is good enough
    # TF32 keeps 10 bits of mantissa: too few for the parity limits, unless it is asked for
    options=lambda opening: {
        "device_id": opening.index,
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": int(opening.tf32),
    },
    session={},
    memory="cuda",
    fixed=False,
    batches=(BATCH_SIZE, 16, 32, 64),
    at_once=False,
    has_tf32=True,
    memory_signs=NVIDIA_MEMORY,
)
TENSORRT = Provider(
    name="TensorrtExecutionProvider",
    called="TensorRT",
    device="tensorrt",
    numbered=True,
    wheel="onnxruntime-gpu",
    extra="tensorrt",
    hardware=Hardware(
        name="TensorRT 10",
        one="an NVIDIA card",
        found=has_tensorrt,
        missing="no NVIDIA card, or no TensorRT 10, was found",
        broken="TensorRT's or CUDA's libraries could not be loaded, or their version does not fit",
    ),
    by_itself=False,  # the first run of a model takes minutes
    beside=("CUDAExecutionProvider",),
    prepare=_load_tensorrt,
    options=_tensorrt_options,
    session={},
    memory="cuda",
    fixed=True,  # it builds an engine for a shape, and another one for the next
    batches=(BATCH_SIZE,),
    at_once=False,
    has_tf32=True,
    memory_signs=NVIDIA_MEMORY,
)
OPENVINO = Provider(
    name="OpenVINOExecutionProvider",
    called="OpenVINO",
    device="openvino",
    numbered=False,
    wheel="onnxruntime-openvino",
    extra="openvino",
    hardware=None,
    by_itself=True,  # the wheel is there for it, and it keeps the parity limits
    beside=(),
    prepare=_nothing,
    # without this, processors with AMX compute in bfloat16
    options=lambda opening: {"device_type": "CPU", "precision": "FP32"},
    session={},
    memory=None,
    fixed=False,
    batches=(BATCH_SIZE,),
    at_once=False,
    has_tf32=False,
    memory_signs=("failed to allocate", "bad allocation", "bad_alloc"),
)
DIRECTML = Provider(
    name="DmlExecutionProvider",
    called="DirectML",
    device="directml",
    numbered=True,
    wheel="onnxruntime-directml",
    extra="directml",
    hardware=Hardware(
        name="Direct3D 12",
        one="a DirectX 12 card",
        found=_has_direct3d,
        missing="Direct3D 12 was not found; DirectML is for Windows",
        broken="there is no DirectX 12 card of this number, or its driver is too old",
    ),
    by_itself=False,  # nobody has seen yet whether it keeps the parity limits
    beside=(),
    prepare=_nothing,
    options=lambda opening: {"device_id": opening.index},
    session={"enable_mem_pattern": False},  # it has none; nodes run one by one, as they do anyhow
    memory=None,
    fixed=True,  # it makes its plan when the session is opened
    batches=(BATCH_SIZE,),
    at_once=False,
    has_tf32=False,
    memory_signs=("not enough memory", "out of memory", "8007000e", "failed to allocate"),
)
COREML = Provider(
    name="CoreMLExecutionProvider",
    called="Core ML",
    device="coreml",
    numbered=False,
    wheel="onnxruntime",
    extra="cpu",
    hardware=Hardware(
        name="Core ML",
        one="Core ML",
        found=lambda: sys.platform == "darwin",
        missing="Core ML is for macOS",
        broken="Core ML did not take the model",
    ),
    by_itself=False,  # nobody has seen yet whether it keeps the parity limits
    beside=(),
    prepare=_nothing,
    options=_coreml_options,
    session={},
    memory=None,
    fixed=True,  # of free sizes it takes next to nothing
    batches=(BATCH_SIZE,),
    at_once=False,
    has_tf32=False,
    memory_signs=("failed to allocate", "bad allocation", "out of memory"),
)
CPU = Provider(
    name="CPUExecutionProvider",
    called="the CPU",
    device="cpu",
    numbered=False,
    wheel="onnxruntime",
    extra="cpu",
    hardware=None,
    by_itself=True,
    beside=(),
    prepare=_nothing,
    options=lambda opening: {},
    session={},
    memory=None,  # bound or not, a picture takes the same time
    fixed=False,
    batches=(BATCH_SIZE,),
    at_once=True,  # a small network has too little work in each step to share it out
    has_tf32=False,
    memory_signs=("failed to allocate", "bad allocation"),
)
PROVIDERS = (TENSORRT, CUDA, DIRECTML, COREML, OPENVINO, CPU)
"""As "auto" prefers them, of those that it takes by itself; the last one is everywhere."""
MEMORY_SIGNS = {sign for provider in PROVIDERS for sign in provider.memory_signs}
"""Of all: beside another provider the CPU runs what that one cannot."""
