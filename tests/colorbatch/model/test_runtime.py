"""What there is to run on: words of devices, reasons and remedies, no telemetry."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from colorbatch.model.providers import CUDA
from colorbatch.model.runtime import (
    Device,
    remedy,
    why_not,
)

ROOT = Path(__file__).parents[3]
GPU = {"onnxruntime-gpu": "1.31.1"}
BOTH = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}


@pytest.mark.parametrize(
    ("text", "kind", "index"),
    [("auto", "auto", 0), ("cpu", "cpu", 0), ("cuda", "cuda", 0), ("cuda:3", "cuda", 3),
     ("openvino", "openvino", 0), ("tensorrt:1", "tensorrt", 1), ("directml:2", "directml", 2)],
)  # fmt: skip
def test_devices_are_parsed(text, kind, index):
    """auto, cpu, cuda and cuda:N."""
    assert Device.parse(text) == Device(kind, index)


@pytest.mark.parametrize(
    ("wheels", "offered", "here", "reason", "advice"),
    [
        ({"onnxruntime": "1.31.1"}, [], True,
         "the installed runtime is onnxruntime 1.31.1, which has no CUDA",
         'run: pip uninstall -y onnxruntime && pip install "colorbatch[cuda13]", '
         "or use --device cpu"),
        (BOTH, [CUDA.name], True,
         "onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 are both installed and overwrite each "
         "other",
         'run: pip uninstall -y onnxruntime && pip install "colorbatch[cuda13]", '
         "or use --device cpu"),
        (GPU, [], True, "onnxruntime-gpu 1.31.1 does not offer it on this machine",
         "see `colorbatch doctor`, or use --device cpu"),
        (GPU, [CUDA.name], False, "no NVIDIA card or driver was found",
         "see `colorbatch doctor`, or use --device cpu"),
        (GPU, [CUDA.name], True,
         "CUDA's or cuDNN's libraries could not be loaded, or their version does not fit",
         "see `colorbatch doctor`, or use --device cpu"),
    ],
)  # fmt: skip
def test_reason_and_remedy(wheels, offered, here, reason, advice):
    """The first thing that is wrong is what is said, and what to type against it."""
    hardware = replace(CUDA.hardware, found=lambda: here)
    provider = replace(CUDA, hardware=hardware)
    assert why_not(provider, wheels, offered) == reason
    assert remedy(provider, wheels) == advice


def test_telemetry_is_off_before_the_runtime_is_imported(clean_env):
    """Even where the user's environment asks for it."""
    code = (
        "import os, sys\n"
        "class Spy:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Spy())\n"
        "from colorbatch.model.runtime import import_runtime\n"
        "import_runtime()\n"
    )
    for given in ({}, {"ORT_DISABLE_TELEMETRY": "0"}):
        result = subprocess.run(
            [sys.executable, "-c", code], env=clean_env | given, capture_output=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        assert result.stdout.splitlines() == ["1"], result.stderr


def test_without_a_runtime_the_pip_line_is_given(clean_env, tiny_model):
    """No onnxruntime at all: exit 1 with the line to type."""
    code = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Hide(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        hidden = name == 'onnxruntime'\n"
        "        return None if hidden else PathFinder.find_spec(name, path, target)\n"
        "sys.meta_path[sys.meta_path.index(PathFinder)] = Hide\n"
        "from colorbatch.cli import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "models", os.fspath(tiny_model)], env=clean_env,
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert 'pip install "colorbatch[c' in result.stderr
    assert "Traceback" not in result.stderr
