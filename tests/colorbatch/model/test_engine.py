"""The engine on tiny real models: the three contracts, broken models, memory that runs out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from colorbatch.errors import ModelError, OutOfMemoryError
from colorbatch.model import session
from colorbatch.model.engine import Engine
from colorbatch.model.providers import CPU


def views(count=3):
    """Smooth lightness pictures (N, 32, 32)."""
    ramp = np.linspace(5, 95, 32, dtype=np.float32)
    return np.stack([np.roll(np.outer(ramp, ramp) / 95, 3 * i, axis=1) for i in range(count)])


def box(pictures):
    """The 3x3 mean with zeros around, which the tiny models compute."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    return sum(padded[:, y : y + 32, x : x + 32] for y in range(3) for x in range(3)) / 9


def test_lab_models_get_scaled_lightness_and_give_scaled_chroma(tiny_model):
    """lab_l to lab_ab: L / 50 - 1 in, tanh times 110 out, channels last."""
    mean = box(views().astype(np.float64) / 50 - 1)
    truth = np.stack([np.tanh(0.25 * mean + 0.1), np.tanh(-0.3 * mean + 0.15)], -1) * 110
    found = Engine(tiny_model, "cpu").predict(views())
    assert found.shape == (3, 32, 32, 2) and found.dtype == np.float32
    assert np.abs(found - truth).max() < 1e-3  # float32 at values of up to 50


def grey_codes(lightness):
    """Encoded sRGB grey of L*, by scikit-image."""
    lab = np.stack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], -1)
    return lab2rgb(lab)[..., 0]


def test_grey_rgb_models_get_normalized_grey(make_model, contract_values, tmp_path):
    """gray_rgb to lab_ab, as DDColor exports: three channels, mean and std applied."""
    values = contract_values("gray_rgb")
    values["input"] |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    metadata = {"colorbatch.contract": json.dumps(values)}
    path = make_model(tmp_path / "dd.onnx", "gray_rgb", "lab_ab", metadata=metadata)
    grey = grey_codes(views().astype(np.float64))
    given = [(grey - m) / s for m, s in zip(*[values["input"][k] for k in ("mean", "std")],
                                            strict=True)]  # fmt: skip
    mean = box(np.mean(given, axis=0))
    truth = np.stack([np.tanh(0.25 * mean + 0.1), np.tanh(-0.3 * mean + 0.15)], -1) * 110
    assert np.abs(Engine(path, "cpu").predict(views()) - truth).max() < 0.02


def test_rgb_models_give_the_chroma_of_their_rgb(make_model, tmp_path):
    """gray_rgb to rgb, as DeOldify: only the ab of what the model paints is used."""
    path = make_model(tmp_path / "de.onnx", "gray_rgb", "rgb")
    mean = box(grey_codes(views().astype(np.float64)))
    painted = np.stack([np.tanh(gain * mean) for gain in (1, 0.8, 0.6)], -1)
    truth = rgb2lab(painted)[..., 1:]
    assert np.abs(Engine(path, "cpu").predict(views()) - truth).max() < 0.1  # float Lab


def test_batches_do_not_change_the_numbers(tiny_model):
    """One by one, all at once, in uneven parts, and none at all."""
    all_views = views(7)
    for together in (False, True):
        results = [
            Engine(tiny_model, "cpu", batch_size=size).predict(all_views, together=together)
            for size in (1, 3, 64)
        ]
        for result in results[1:]:
            assert np.abs(result - results[0]).max() < 1e-4
    assert Engine(tiny_model, "cpu").predict(all_views[:0]).shape == (0, 32, 32, 2)


def test_many_may_ask_at_the_same_time(tiny_model):
    """Each gets its own, with more threads than runs, whatever the others ask for."""
    engine = Engine(tiny_model, "cpu", threads=3)
    assert engine.at_once == 3
    asked = [views(7)[number % 7 : number % 7 + 1 + number % 3] for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(engine.predict, asked))
    plain = Engine(tiny_model, "cpu", threads=1)
    assert all(
        np.array_equal(one, plain.predict(view)) for one, view in zip(found, asked, strict=True)
    )


def test_heavy_models_and_small_batches_run_less_at_once(tiny_model, monkeypatch):
    """Memory is what a small batch is asked for, and what a heavy model has too little of."""
    assert Engine(tiny_model, "cpu", threads=4).at_once == 4
    assert Engine(tiny_model, "cpu", threads=4, batch_size=3).at_once == 3
    assert Engine(tiny_model, "cpu", threads=4, batch_size=16).at_once == 4
    monkeypatch.setattr(session, "HEAVY_BYTES", tiny_model.stat().st_size - 1)
    assert Engine(tiny_model, "cpu", threads=4).at_once == 1


def test_other_sizes_than_the_models_are_refused(tiny_model):
    """A wrong view is a defect of the caller, named by its shape."""
    with pytest.raises(ValueError, match=r"not \(N, 32, 32\)"):
        Engine(tiny_model, "cpu").predict(np.zeros((1, 16, 32), np.float32))


def test_the_engine_says_what_it_runs_on(tiny_model):
    """Device, provider, size and card are the real ones."""
    engine = Engine(str(tiny_model), "cpu")
    assert (engine.device, engine.provider) == ("cpu", "CPUExecutionProvider")
    assert engine.size == (32, 32)
    assert engine.card.name == "tiny"
    assert engine.time_one() > 0


def test_a_sidecar_makes_foreign_models_run(make_model, contract_values, tmp_path):
    """A model without metadata runs by NAME.onnx.json, and is refused without it."""
    path = make_model(tmp_path / "foreign.onnx", metadata={})
    with pytest.raises(ModelError, match=r"foreign\.onnx\.json"):
        Engine(path, "cpu")
    sidecar = {"colorbatch.contract": contract_values()}
    (tmp_path / "foreign.onnx.json").write_text(json.dumps(sidecar))
    assert Engine(path, "cpu").card.name == "foreign"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": {"name": "l", "kind": "lab_l", "range": [-1, 1]}}, "names 'l', it has x"),
        ({"output": {"name": "ab", "kind": "lab_ab", "scale": 1}}, "names 'ab', it has y"),
        ({"input": {"name": "x", "kind": "gray_rgb", "range": [0, 1]}}, "'x' has 1 channels"),
        ({"output": {"name": "y", "kind": "rgb", "scale": 1}}, "'y' has 2 channels, not 3"),
    ],
)
def test_a_contract_that_does_not_fit_its_model_is_refused(
    make_model, contract_values, tmp_path, change, words
):
    """Names and channels are compared before the first pixel."""
    metadata = {"colorbatch.contract": json.dumps(contract_values() | change)}
    with pytest.raises(ModelError, match=words):
        Engine(make_model(tmp_path / "m.onnx", metadata=metadata), "cpu")


def test_broken_model_files_are_refused(tiny_model, tmp_path):
    """Empty, cut off, or something else."""
    data = tiny_model.read_bytes()
    for name, content in {"e": b"", "c": data[: len(data) // 2], "t": b"Dear Sir"}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}\.onnx"):
            Engine(path, "cpu")


def test_a_model_that_fails_at_run_time_raises(make_model, tmp_path):
    """The runtime's own error comes through; the engine returns no numbers."""
    engine = Engine(make_model(tmp_path / "fails.onnx", body="fails"), "cpu")
    with pytest.raises(Exception, match=r"(?i)reshape"):
        engine.predict(views())


@pytest.mark.parametrize("at_once", [True, False])
def test_one_picture_that_does_not_fit_into_memory_is_named(
    make_model, tmp_path, monkeypatch, at_once
):
    """A model that asks for 4 TiB a picture ends in OutOfMemoryError, never in grey."""
    row = replace(CPU, at_once=at_once)
    monkeypatch.setattr(session, "PROVIDERS", (row,))
    monkeypatch.setattr(session, "CPU", row)
    engine = Engine(make_model(tmp_path / "huge.onnx", body="insatiable"), "cpu", batch_size=4)
    with pytest.raises(OutOfMemoryError, match="one picture of 32x32 on cpu"):
        engine.predict(views(4))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on address space")
@pytest.mark.parametrize("at_once", [True, False])
def test_less_is_done_at_once_when_memory_runs_out(
    make_model, tiny_model, clean_env, tmp_path, at_once
):
    """With room for one picture only, eight are done in smaller batches, or fewer at the same
    time, rightly; and then there is room for others, who need memory as well."""
    model = make_model(tmp_path / "hungry.onnx", body="hungry")
    code = (
        "import sys, resource, dataclasses, pathlib, threading, numpy as np\n"
        "from colorbatch.model import session\n"
        "from colorbatch.model.engine import Engine\n"
        f"session.CPU = dataclasses.replace(session.CPU, at_once={at_once})\n"
        "session.PROVIDERS = (session.CPU,)\n"
        f"threads = {8 if at_once else 1}\n"
        "engine = Engine(sys.argv[1], 'cpu', batch_size=8, threads=threads)\n"
        "plain = Engine(sys.argv[2], 'cpu', threads=1)\n"
        "threading.stack_size(2**20)\n"  # of eight threads; 128 MiB a picture
        "pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0])\n"
        "room = pages * resource.getpagesize() + 220 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (room, room))\n"
        "views = np.random.default_rng(1).uniform(0, 100, (8, 32, 32)).astype(np.float32)\n"
        "made = engine.predict(views)\n"
        "of_others = bytearray(150 * 2**20)\n"
        "print(float(np.abs(made - plain.predict(views)).max()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, model, tiny_model], capture_output=True, encoding="utf-8",
        env=clean_env | {"MALLOC_ARENA_MAX": "1"}, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    told = "[124] at a time" if at_once else "batches of [124]"
    assert re.search(f"out of memory: going on with {told}$", result.stderr, re.M), result.stderr
    assert float(result.stdout) < 1e-4


def test_the_fastest_batch_is_one_of_those_tried(tiny_model, monkeypatch):
    """Where nothing is asked for; what is asked for stays, and so does one size alone."""
    assert Engine(tiny_model, "cpu", batch_size=None).batch_size == 8
    row = replace(CPU, batches=(1, 2, 4))
    monkeypatch.setattr(session, "PROVIDERS", (row,))
    monkeypatch.setattr(session, "CPU", row)
    assert Engine(tiny_model, "cpu", batch_size=None).batch_size in (1, 2, 4)
    assert Engine(tiny_model, "cpu", batch_size=3).batch_size == 3


def test_memory_ends_the_search_for_a_batch(make_model, tmp_path, monkeypatch):
    """It is no failure yet: the smallest is taken, and whether it fits is seen at work."""
    path = make_model(tmp_path / "huge.onnx", body="insatiable")
    row = replace(CPU, batches=(2, 4))
    monkeypatch.setattr(session, "PROVIDERS", (row,))
    monkeypatch.setattr(session, "CPU", row)
    assert Engine(path, "cpu", batch_size=None).batch_size == 2


@pytest.mark.parametrize("batch", [1, 2])
def test_a_model_of_a_fixed_batch_runs(make_model, tmp_path, batch):
    """Exports of DDColor take one picture at a time; what is asked for in other numbers comes out
    as of a model that takes any."""
    onnx = pytest.importorskip("onnx")
    path = make_model(tmp_path / "any.onnx")
    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = batch
    onnx.save(model, tmp_path / "fixed.onnx")
    engine = Engine(tmp_path / "fixed.onnx", "cpu", batch_size=8)
    found = engine.predict(views(5))
    assert np.array_equal(found, Engine(path, "cpu", batch_size=1).predict(views(5)))
    assert engine.time_one() > 0
