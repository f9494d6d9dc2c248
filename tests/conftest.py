"""Fixtures shared by all tests: real photographs, tiny real models, the command line."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorbatch import color
from tests.forks import POSSIBLE, Forks, Program

ROOT = Path(__file__).resolve().parents[1]
os.environ["COLORBATCH_CACHE"] = "none"  # tests leave nothing in the folder of who runs them
BEGIN = """
import numpy
import numpy.ma
import PIL.PngImagePlugin
import colorbatch.api.coloring
import colorbatch.cli
import colorbatch.clips.batch
import colorbatch.color.lab
import colorbatch.formats.jpeg
import colorbatch.stills.picture_run
colorbatch.color.lab.rgb_to_lab(numpy.zeros((1, 1, 3), numpy.uint8))  # OpenCV makes tables
"""
"""What nearly every run of the tool takes time for before its work. Without onnxruntime: that has a
thread as soon as it is imported."""
SLOW_FIXTURES = frozenset(
    {
        *("clean_env", "exported", "exported_recipes", "finished", "finished_run"),
        *("make_model", "start_training"),
    }
)
"""What is used by tests that start processes, train, or need a model file made by onnx."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use a slow fixture, themselves or through another one, as slow."""
    for item in items:
        if isinstance(item, pytest.Function) and SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def as_the_tool_works() -> Iterator[None]:
    """OpenCV and BLAS without threads of their own, as while the tool works: on small matrices
    these take ten times the processor time."""
    with color.single_threaded():
        yield


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """A function that skips a test where a program is missing that says what is right."""

    def look(program: str) -> None:
        if shutil.which(program) is None:
            if os.environ.get("REQUIRE_PROGRAMS"):
                pytest.fail(f"{program} is not installed")
            pytest.skip(f"{program} is not installed")

    return look


@pytest.fixture(scope="session")
def photograph() -> Callable[[str], Any]:
    """Real photographs that scikit-image's wheel carries: a name to RGB codes (H, W, 3), uint8."""
    skimage = pytest.importorskip("skimage")
    folder = Path(skimage.__file__).parent / "data"

    @functools.cache
    def load(name: str) -> Any:
        path = next(folder.glob(f"{name}.*"))
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        pixels.flags.writeable = False
        return pixels

    return load


@pytest.fixture(scope="session")
def grey_photograph(photograph: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same photographs as Pillow's grey: (H, W), uint8."""
    return lambda name: np.array(Image.fromarray(photograph(name)).convert("L"))


@pytest.fixture(scope="session")
def contract_values() -> Callable[..., dict[str, Any]]:
    """A valid contract as plain JSON values, of the given input and output kinds."""

    def make(given: str = "lab_l", made: str = "lab_ab", size: Any = None) -> dict[str, Any]:
        return {
            "version": 1,
            "dtype": "float32",
            "input": {"name": "x", "kind": given, "range": [-1, 1] if given == "lab_l" else [0, 1]},
            "output": {"name": "y", "kind": made, "scale": 110.0 if made == "lab_ab" else 1.0},
            "size": size or {"fixed": [32, 32]},
        }

    return make


@pytest.fixture(scope="session")
def make_model(
    contract_values: Callable[..., dict[str, Any]],
) -> Callable[..., Path]:
    """A function that writes a tiny but real ONNX model of 32 x 32 pixels, with contract and card.

    body: "conv" (a 3x3 convolution and tanh, colors by lightness), "fails" (loads, but every run
    ends in an error), "hungry" (conv, through a buffer of 128 MiB per picture), "insatiable" (the
    same with 4 TiB).
    """
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    channels = {"lab_l": 1, "gray_rgb": 3, "lab_ab": 2, "rgb": 3}

    def make(
        path: Path,
        given: str = "lab_l",
        made: str = "lab_ab",
        *,
        body: str = "conv",
        metadata: dict[str, str] | None = None,
        opset: int = 20,
    ) -> Path:
        ins, outs = channels[given], channels[made]
        weights = np.zeros((outs, ins, 3, 3), np.float32)
        # ab between about -40 and 50 for lab_ab; sepia tones for rgb
        gains, bias = ((0.25, -0.3), (0.1, 0.15)) if made == "lab_ab" else ((1, 0.8, 0.6), (0,) * 3)
        for index, gain in enumerate(gains):
            weights[index] = gain / (9 * ins)
        constants = {"w": weights, "b": np.array(bias, np.float32)}
        conv = helper.make_node("Conv", ["x", "w", "b"], ["mixed"], pads=[1, 1, 1, 1])
        last = [helper.make_node("Tanh", ["mixed"], ["y"])]
        if body == "fails":
            constants["shape"] = np.array([1000, outs, 32, 32], np.int64)
            last = [helper.make_node("Reshape", ["mixed", "shape"], ["y"])]
        elif body in ("hungry", "insatiable"):
            constants["axis"] = np.array([4], np.int64)
            times = 2**14 if body == "hungry" else 2**29
            constants["many"] = np.array([1, 1, 1, 1, times], np.int64)
            last = [
                helper.make_node("Unsqueeze", ["mixed", "axis"], ["five"]),
                helper.make_node("Expand", ["five", "many"], ["much"]),
                helper.make_node("ReduceMax", ["much", "axis"], ["most"], keepdims=0),
                helper.make_node("Tanh", ["most"], ["y"]),
            ]
        graph = helper.make_graph(
            [conv, *last],
            "tiny",
            [helper.make_tensor_value_info("x", 1, ["n", ins, 32, 32])],
            [helper.make_tensor_value_info("y", 1, ["n", outs, 32, 32])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 10
        if metadata is None:
            metadata = {
                "colorbatch.contract": json.dumps(contract_values(given, made)),
                "colorbatch.card": json.dumps({"name": path.stem, "weights_sha256": "0" * 64}),
            }
        helper.set_model_props(model, metadata)
        onnx.save(model, path)
        return path

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lab_l to lab_ab, 32 x 32: strong colors, a millisecond per picture."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture
def clean_env(tmp_path: Path) -> dict[str, str]:
    """The environment for a subprocess: this interpreter's packages, a fresh HOME, no settings."""
    home = tmp_path / "fresh-home"
    home.mkdir()
    return environment(home)


def environment(home: Path) -> dict[str, str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COLORBATCH_", "XDG_", "ORT_", "PYTHON"))
    }
    return env | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Programs that have done what the tool begins with."""
    env = environment(tmp_path_factory.mktemp("home"))
    with contextlib.closing(Forks(BEGIN, env)) as made:
        yield made


@pytest.fixture
def start_python(
    clean_env: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., subprocess.Popen[str] | Program]:
    """Start this Python in a process of its own, as with words "-m", NAME, ... or "-c", CODE, ...;
    what the tool needs is imported already, but where the environment has a part in that."""

    def start(
        *words: object, env: dict[str, str] | None = None, cwd: Path = tmp_path
    ) -> subprocess.Popen[str] | Program:
        texts = [*map(os.fsdecode, map(_text, words))]
        if POSSIBLE and all(name.startswith("COLORBATCH_") for name in env or {}):
            forks: Forks = request.getfixturevalue("forks")
            return forks.start(texts, env=clean_env | (env or {}), cwd=cwd)
        return subprocess.Popen(
            [sys.executable, *texts],
            env=clean_env | (env or {}),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )

    return start


@pytest.fixture
def run_python(
    start_python: Callable[..., subprocess.Popen[str] | Program],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same, to its end."""

    def run(*words: object, **more: Any) -> subprocess.CompletedProcess[str]:
        program = start_python(*words, **more)
        output = program.communicate(timeout=300)
        assert program.returncode is not None
        return subprocess.CompletedProcess(words, program.returncode, *output)

    return run


@pytest.fixture
def run_cli(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line as its users do: a process of its own."""
    return functools.partial(run_python, "-m", "colorbatch")


def _text(argument: object) -> str | bytes:
    return argument if isinstance(argument, str | bytes) else str(argument)
