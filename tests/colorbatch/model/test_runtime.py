"""What there is to run on: rows of providers, words of devices, reasons and remedies, no
telemetry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import onnxruntime
import pytest

from colorbatch.cli.options import device_options
from colorbatch.errors import UsageError
from colorbatch.model.runtime import (
    CPU,
    CUDA,
    PROVIDERS,
    Device,
    Provider,
    device_words,
    installed_wheels,
    remedy,
    usable_devices,
    why_not,
)

ROOT = Path(__file__).parents[3]
GPU = {"onnxruntime-gpu": "1.31.1"}
BOTH = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}


@pytest.mark.parametrize(
    ("text", "kind", "index"),
    [("auto", "auto", 0), ("cpu", "cpu", 0), ("cuda", "cuda", 0), ("cuda:3", "cuda", 3)],
)
def test_devices_are_parsed(text, kind, index):
    """auto, cpu, cuda and cuda:N."""
    assert Device.parse(text) == Device(kind, index)


@pytest.mark.parametrize("text", ["", "gpu", "cuda:x", "cuda:-1", "cpu:0", "auto:1", "CUDA "])
def test_other_devices_are_usage_errors(text):
    """Refused before anything is loaded."""
    with pytest.raises(UsageError, match="cuda:N"):
        Device.parse(text)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.device)
def test_rows_are_known_everywhere(provider):
    """onnxruntime knows the name, an extra installs the wheel, README and --help have the word, and
    the word leads to the row's device."""
    assert provider.name in onnxruntime.get_all_providers()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = project["optional-dependencies"][provider.extra]
    assert provider.wheel in {re.split(r"[\[<>=]", need)[0] for need in needs}
    assert str(Device.parse(provider.device)) == provider.named(0)


def test_words_of_devices_are_those_of_the_command_line():
    """--help and README's row of --device name what can be asked for, in one order."""
    assert device_words() == ["auto", "cpu", "cuda", "cuda:N"]
    [option] = [one for one in device_options(lambda: None).__click_params__
                if one.name == "device"]  # fmt: skip
    assert option.metavar == "|".join(device_words())
    [row] = re.findall(r"^\| `--device` \|.*$", (ROOT / "README.md").read_text("utf-8"), re.M)
    *words, last = (f"`{word}`" for word in device_words())
    assert f"{', '.join(words)} or {last}" in row


@pytest.mark.parametrize("left_out", [field.name for field in fields(Provider)])
def test_a_row_that_lacks_a_part_is_none(left_out):
    """No part has a default that could be wrong."""
    values = {field.name: getattr(CUDA, field.name) for field in fields(Provider)}
    assert Provider(**values) == CUDA
    del values[left_out]
    with pytest.raises(TypeError, match=left_out):
        Provider(**values)


def test_a_row_names_a_wheel_that_is_looked_for():
    """Otherwise nothing would be said of two wheels that overwrite each other."""
    with pytest.raises(ValueError, match="'onnxruntime-rocm' is none of WHEELS"):
        replace(CUDA, wheel="onnxruntime-rocm")


def test_the_cpu_is_the_last_row_and_always_here():
    """It takes what others cannot do."""
    assert PROVIDERS[-1] is CPU and CPU.is_here
    assert usable_devices([CPU.name]) == ["cpu"]
    both = ["cpu", "cuda"] if CUDA.is_here else ["cpu"]
    assert usable_devices([CUDA.name, CPU.name]) == both


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


def test_the_wheel_of_this_machine_is_told():
    """Name and version, as the runtime itself says it."""
    assert onnxruntime.__version__ in installed_wheels().values()


def test_cuda_runs_with_what_parity_needs():
    """The card that was asked for, and no TF32."""
    assert CUDA.options(3) == {
        "device_id": 3, "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 0,
    }  # fmt: skip
    assert [CUDA.named(3), CPU.named(3)] == ["cuda:3", "cpu"]


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
