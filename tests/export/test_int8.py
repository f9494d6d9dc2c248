"""A model in 8 bits: products between both ends are quantised, others are not; the gate judges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage.data
from onnx import TensorProto
from PIL import Image

from colorbatch.errors import ParityError, UsageError
from colorbatch.model import parity
from colorbatch.model.engine import Engine
from export import int8
from export.wrapper import LabGenerator
from training import checkpoint


@pytest.fixture(scope="module")
def many_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen parts of real photographs."""
    folder = tmp_path_factory.mktemp("many")
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = getattr(skimage.data, name)()
        for part in range(4):
            cut = picture[40 + 30 * part :][:120, 50 + 40 * part :][:, :150]
            Image.fromarray(cut).save(folder / f"{name}{part}.jpg")
    return folder


@pytest.fixture
def module(run: Path) -> LabGenerator:
    """The trained module that the files were made from."""
    return LabGenerator(checkpoint.trained_generator(checkpoint.load(run))).eval()


def test_both_ends_stay_in_float(exported: dict[str, Path], many_photographs: Path) -> None:
    """Of the ten products the wanted first and last ones read float32 weights, those between 8 bits
    through a DequantizeLinear."""
    model = onnx.load(exported["fp32"])
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    contract, _ = int8.read_metadata(exported["fp32"], metadata)
    shown, _ = int8._views(many_photographs, (32, 32))
    with int8._quiet():
        ranges = int8._ranges(model, contract, shown)
        data, (first, last, count) = int8._quantised(model, ranges, (1 / 4, 1 / 16))
    graph = onnx.load_from_string(data).graph
    made = {node.output[0]: node for node in graph.node}
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type in int8.PRODUCTS]
    assert (first, last, count) == (2, 2, 10) and len(products) == count
    for index, node in enumerate(products):
        behind = made.get(node.input[1])
        if first <= index < count - last:
            assert behind is not None and behind.op_type == "DequantizeLinear"
            assert kinds[behind.input[0]] == TensorProto.INT8
        else:
            assert kinds[node.input[1]] == TensorProto.FLOAT


def test_the_gate_judges_by_photographs(
    exported: dict[str, Path], module: LabGenerator, many_photographs: Path, tmp_path: Path
) -> None:
    """What passes keeps the limits, is what was written, and its record holds again."""
    candidate, data = tmp_path / "small.onnx", exported["fp32"].read_bytes()
    made, record = int8.pass_gate(module, data, candidate, many_photographs)
    assert candidate.read_bytes() == made
    measured = record.measured["float32_weights"]
    assert 0 < measured["mean_delta_e"] <= 0.3 and measured["high_delta_e"] <= 3
    parity.check(Engine(candidate, "cpu"), record)
    assert json.loads(record.to_json())["measured"]["in_float"] == list(record.measured["in_float"])


def test_the_gate_refuses_what_is_another_model(
    exported: dict[str, Path], module: LabGenerator, many_photographs: Path, tmp_path: Path
) -> None:
    """Colors three times as strong in the file as in PyTorch, in float as well: no share of
    products in float helps."""
    model = onnx.load(exported["fp32"])
    last = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) >= 100][-1]
    values = onnx.numpy_helper.to_array(last) * np.float32(3)
    last.CopyFrom(onnx.numpy_helper.from_array(values, last.name))
    data = model.SerializeToString()
    with pytest.raises(ParityError, match=r"mean delta e .* is over 0\.3"):
        int8.pass_gate(module, data, tmp_path / "other.onnx", many_photographs)


def test_too_few_photographs(photographs: Path) -> None:
    """Three show no range of values, and judge nothing."""
    with pytest.raises(UsageError, match="int8 needs 16 photographs, it has 3"):
        int8._views(photographs, (32, 32))
