"""The gate: it lets true exports through, and no other; what it records can be checked again."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage.color
import torch
from onnx import helper, numpy_helper

from colorbatch import color
from colorbatch.errors import ParityError
from colorbatch.formats.reader import load_rgb
from colorbatch.model import parity
from colorbatch.model.engine import Engine
from export import parity as gate
from export.precision import round_weights
from export.wrapper import LabGenerator, RgbGenerator, fold_batch_norm
from training import checkpoint

BATCHES = (1, 2, 7)


@pytest.fixture
def module(run: Path) -> LabGenerator:
    """The trained module that the files were made from."""
    return LabGenerator(checkpoint.trained_generator(checkpoint.load(run))).eval()


def _altered(source: Path, target: Path, change: float, which: int = 0) -> Path:
    """A copy of a model file in which one large weight tensor is scaled."""
    model = onnx.load(source)
    large = [t for t in model.graph.initializer if np.prod(t.dims) >= 1024]
    values = numpy_helper.to_array(large[which])
    scaled = (values * values.dtype.type(change)).astype(values.dtype)
    large[which].CopyFrom(numpy_helper.from_array(scaled, large[which].name))
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_engine_equals_pytorch(
    exported: dict[str, Path], module: LabGenerator, kind: str, batch: int
) -> None:
    """At batches of 1, 2 and 7 the engine's chroma is PyTorch's with the stored weights."""
    engine = Engine(exported[kind], "cpu", batch_size=batch)
    lightness = np.random.default_rng(batch).uniform(0, 100, (7, 32, 32)).astype(np.float32)
    network: torch.nn.Module = module
    if kind == "fp16":
        network = fold_batch_norm(module)
        round_weights(network)
    with torch.no_grad():
        planes = network(torch.from_numpy(lightness[:, None] / 50 - 1)).numpy() * 110
    expected = np.moveaxis(planes, 1, -1)
    assert expected.std() > 2  # colors, not a grey picture that anything equals
    found = engine.predict(lightness, together=True)
    assert np.abs(found - expected).max() < 0.005  # the issue's limit


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_gate_lets_true_exports_pass(
    exported: dict[str, Path], module: LabGenerator, photographs: Path, kind: str
) -> None:
    """A true export passes, and the record tells what was measured on which pictures."""
    half = kind == "fp16"
    record = gate.pass_gate(module, exported[kind], half_weights=half, check=photographs)
    assert record.measured["batches"] == [1, 2, 7]
    assert record.measured["pictures"] == 7  # four generated and three photographs
    assert record.measured["same_weights"]["max_ab"] <= 0.005
    assert record.measured["same_weights"]["max_delta_e"] <= 0.02
    assert ("float32_weights" in record.measured) == half
    if half:
        rounded = record.measured["float32_weights"]
        assert 0 < rounded["mean_ab"] <= 0.02
        assert rounded["max_ab"] <= 0.5 and rounded["mean_delta_e"] <= 0.05
        assert rounded["max_ab"] > record.measured["same_weights"]["max_ab"]
    assert [golden.name for golden in record.goldens] == list(gate.KEPT)


def test_limits_are_the_issues() -> None:
    """The limits stand as they were set; to change one is a decision, not an accident."""
    same = dataclasses.asdict(parity.SAME_WEIGHTS)
    none = dict.fromkeys(same)
    assert same == none | {"max_ab": 0.005, "max_delta_e": 0.02}
    rounded = dataclasses.asdict(parity.ROUNDED_WEIGHTS)
    assert rounded == none | {"max_ab": 0.5, "mean_ab": 0.02, "mean_delta_e": 0.05}
    products = dataclasses.asdict(parity.ROUNDED_PRODUCTS)
    assert products == none | {
        "max_ab": 3, "mean_ab": 0.3, "max_delta_e": 1.5, "mean_delta_e": 0.15,
    }  # fmt: skip
    assert dataclasses.asdict(parity.INT8) == none | {"mean_delta_e": 0.3, "high_delta_e": 3}


def test_what_computes_in_half_has_limits_of_its_own(exported: dict[str, Path]) -> None:
    """Beside PyTorch's float32: more than rounded weights cost, and no more than is recorded."""
    record = parity.load_record(exported["half"])
    assert record.limits == parity.ROUNDED_PRODUCTS
    worst = parity.check(Engine(exported["half"], "cpu"), record)
    assert 0.005 < worst.max_ab <= record.measured["same_weights"]["max_ab"] + 1e-3
    altered = parity.ParityLimits(max_ab=worst.max_ab / 2)
    with pytest.raises(ParityError, match="max ab"):
        parity.check(Engine(exported["half"], "cpu"), dataclasses.replace(record, limits=altered))


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
@pytest.mark.parametrize("which", [0, -1])
def test_gate_refuses_altered_weights(
    exported: dict[str, Path], module: LabGenerator, tmp_path: Path, kind: str, which: int
) -> None:
    """One weight tensor that is one per cent too large is found, wherever it stands."""
    path = _altered(exported[kind], tmp_path / "altered.onnx", 1.01, which)
    with pytest.raises(ParityError, match=r"differs from PyTorch: .*max ab .* is over 0.005"):
        gate.pass_gate(module, path, half_weights=kind == "fp16", check=None)


def test_gate_refuses_a_graph_whose_pictures_color_each_other(
    exported: dict[str, Path], module: LabGenerator, tmp_path: Path
) -> None:
    """Right one by one and wrong in a batch, as cards run it: processors do not."""
    model = onnx.load(exported["fp32"])
    graph, [output] = model.graph, model.graph.output
    [last] = [node for node in graph.node if output.name in node.output]
    last.output[list(last.output).index(output.name)] = "alone"
    graph.initializer.append(numpy_helper.from_array(np.array([0]), "over_pictures"))
    graph.node.append(helper.make_node("ReduceMean", ["alone", "over_pictures"], ["mean"]))
    graph.node.append(helper.make_node("Sub", ["alone", "mean"], ["apart"]))
    graph.node.append(helper.make_node("Add", ["alone", "apart"], [output.name]))
    onnx.save(model, tmp_path / "batch.onnx")
    engine = Engine(tmp_path / "batch.onnx", "cpu")
    lightness = np.random.default_rng(0).uniform(0, 100, (3, 32, 32)).astype(np.float32)
    assert np.allclose(engine.predict(lightness), Engine(exported["fp32"]).predict(lightness))
    with pytest.raises(ParityError, match="max ab"):
        gate.pass_gate(module, tmp_path / "batch.onnx", half_weights=False, check=None)


def test_gate_refuses_what_is_no_number(
    exported: dict[str, Path], module: LabGenerator, tmp_path: Path
) -> None:
    """A diverged network, whose answers are NaN in PyTorch and in the file, is no model."""
    trained = copy.deepcopy(module)
    with torch.no_grad():
        trained.generator.up[-1][1].weight.fill_(np.nan)
    path = _altered(exported["fp32"], tmp_path / "nan.onnx", np.nan, -1)
    with pytest.raises(ParityError, match="max ab nan is over"):
        gate.pass_gate(trained, path, half_weights=False, check=None)


def test_gate_refuses_weights_that_float16_cannot_hold(
    exported: dict[str, Path], module: LabGenerator
) -> None:
    """Files that equal their rounded weights still fail if those are too far from the trained."""
    trained = copy.deepcopy(module)
    with torch.no_grad():
        for block in trained.generator.up:  # a change that rounding to float16 cannot explain
            block[1].weight.mul_(1.02)
    with pytest.raises(ParityError, match="mean ab"):
        gate.pass_gate(trained, exported["fp16"], half_weights=True, check=None)


def test_pictures_of_the_gate(photographs: Path) -> None:
    """Noise, waves, black, white and the photographs' grey as the tool makes it, in one size."""
    pictures = gate.test_pictures((32, 32), photographs)
    assert list(pictures)[:4] == ["noise", "waves", "black", "white"]
    assert all(p.shape == (32, 32) and p.dtype == np.uint8 for p in pictures.values())
    assert not pictures["black"].any() and (pictures["white"] == 255).all()
    rgb = load_rgb(photographs / "astronaut.jpg")
    seen = color.network_view(color.grey_of(rgb), (32, 32))
    assert np.array_equal(color.lightness(pictures["photograph 0"]), seen)
    assert len(gate.test_pictures((32, 32), None)) == 4


def test_record_is_accepted_again(exported: dict[str, Path]) -> None:
    """The record beside a model holds for the model, without PyTorch."""
    for kind in ("fp32", "fp16"):
        record = parity.load_record(exported[kind])
        worst = parity.check(Engine(exported[kind], "cpu"), record)
        assert worst.max_ab <= 0.005 and worst.max_delta_e <= 0.02
        assert {golden.name for golden in record.goldens} >= {"noise", "photograph 0"}
        # a third of the rows and columns of 32, from the first on
        assert record.goldens[0].ab.shape == (11, 11, 2)


def test_changed_file_is_rejected(exported: dict[str, Path], tmp_path: Path) -> None:
    """A model file that is not the recorded one fails by its SHA-256, even if it works as well."""
    record = parity.load_record(exported["fp32"])
    path = shutil.copy(exported["again"], tmp_path / "tiny.onnx")
    parity.check(Engine(path, "cpu"), record)  # the same bytes under another name are fine
    _altered(path, path, 1.0)
    model = onnx.load(path)
    model.graph.name = "another"
    onnx.save(model, path)
    with pytest.raises(ParityError, match="SHA-256"):
        parity.check(Engine(path, "cpu"), record)


@pytest.mark.parametrize("value", [0.01, np.nan])
def test_changed_golden_is_rejected(exported: dict[str, Path], value: float) -> None:
    """An answer that differs by a hundredth in one place fails; so does one that is no number."""
    engine = Engine(exported["fp32"], "cpu")
    record = parity.load_record(exported["fp32"])
    goldens = list(record.goldens)
    ab = goldens[1].ab.copy()
    ab[5, 5, 0] += value
    goldens[1] = dataclasses.replace(goldens[1], ab=ab)
    changed = dataclasses.replace(record, goldens=tuple(goldens))
    with pytest.raises(ParityError, match="max ab"):
        parity.check(engine, changed)


# --- RGB: more can go wrong between the network and its ab -------------------------------------


@pytest.fixture
def rgb_module(recipe_runs: dict[str, Path]) -> RgbGenerator:
    """The trained module of the recipe `rgb`."""
    return RgbGenerator(checkpoint.trained_generator(checkpoint.load(recipe_runs["rgb"]))).eval()


@torch.no_grad()
def test_rgb_engine_equals_scikit_image(
    exported_recipes: dict[tuple[str, str], Path], rgb_module: RgbGenerator
) -> None:
    """The grey that has a lightness, the network, and its picture's ab: as scikit-image has it."""
    lightness = np.random.default_rng(0).uniform(0, 100, (2, 32, 32)).astype(np.float32)
    lab = np.stack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], axis=-1)
    grey = skimage.color.lab2rgb(lab).mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    seen = torch.from_numpy(np.moveaxis(2 * grey - 1, -1, 1).astype(np.float32))
    picture = np.moveaxis(rgb_module.generator(seen).numpy(), 1, -1) / 2 + 0.5
    expected = skimage.color.rgb2lab(picture)[..., 1:]
    found = Engine(exported_recipes["rgb", "fp32"], "cpu").predict(lightness)
    assert expected.std() > 5
    # scikit-image's white point and matrix differ in the fourth digit
    assert np.abs(found - expected).max() < 0.3
    assert np.abs(found - expected).mean() < 0.03


def _spoiled(source: Path, target: Path, how: str) -> Path:
    """A copy of an RGB model whose picture passes through one more node, or whose contract says
    something else."""
    model = onnx.load(source)
    [last] = [node for node in model.graph.node if "picture" in node.output]
    last.output[0] = "made"
    factor, order = np.array(0.99, np.float32), np.array([2, 1, 0], np.int64)
    constants = [numpy_helper.from_array(factor, "factor"), numpy_helper.from_array(order, "order")]
    model.graph.initializer.extend(constants)
    extra = {
        "darker": helper.make_node("Mul", ["made", "factor"], ["picture"]),
        "BGR": helper.make_node("Gather", ["made", "order"], ["picture"], axis=1),
    }.get(how, helper.make_node("Identity", ["made"], ["picture"]))
    model.graph.node.append(extra)
    [contract] = [prop for prop in model.metadata_props if prop.key == "colorbatch.contract"]
    values = json.loads(contract.value)
    if how == "scale":
        values["output"]["scale"] = 1.02
    if how == "range":
        values["input"]["range"] = [0, 1]
    contract.value = json.dumps(values)
    onnx.save(model, target)
    return target


def test_gate_lets_rgb_pass(
    exported_recipes: dict[tuple[str, str], Path], rgb_module: RgbGenerator, tmp_path: Path
) -> None:
    """A node that changes nothing changes nothing: the refusals below are for what it does."""
    path = _spoiled(exported_recipes["rgb", "fp32"], tmp_path / "same.onnx", "nothing")
    gate.pass_gate(rgb_module, path, half_weights=False, check=None)


@pytest.mark.parametrize("how", ["darker", "BGR", "scale", "range"])
def test_gate_refuses_spoiled_rgb(
    exported_recipes: dict[tuple[str, str], Path],
    rgb_module: RgbGenerator,
    tmp_path: Path,
    how: str,
) -> None:
    """Another order of channels, another brightness, another range in the contract are found."""
    path = _spoiled(exported_recipes["rgb", "fp32"], tmp_path / "spoiled.onnx", how)
    with pytest.raises(ParityError, match=r"differs from PyTorch: .*max ab .* is over 0.005"):
        gate.pass_gate(rgb_module, path, half_weights=False, check=None)
