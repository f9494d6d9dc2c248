"""Weights stored as float16: half the file, and the values that PyTorch rounds to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export.precision import round_weights, store_as_float16


def test_file_is_half_as_large(exported: dict[str, Path]) -> None:
    """Nearly all of a model is weights, so its file halves."""
    sizes = {kind: exported[kind].stat().st_size for kind in ("fp32", "fp16")}
    # the graph itself is a few per cent of a network as small as this one
    assert 0.5 < sizes["fp16"] / sizes["fp32"] < 0.55


def test_only_storage_changes(exported: dict[str, Path]) -> None:
    """Large tensors are float16 with a cast in front, small ones stay, and nothing computes so."""
    graph = onnx.load(exported["fp16"]).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for tensor in graph.initializer:
        large = np.prod(tensor.dims) >= 4096
        assert (tensor.data_type == TensorProto.FLOAT16) == large, tensor.name
    casts = [node for node in graph.node if node.op_type == "Cast"]
    halves = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT16}
    assert {node.input[0] for node in casts} == halves
    assert {node.attribute[0].i for node in casts} == {TensorProto.FLOAT}
    others = [node for node in graph.node if node.op_type != "Cast"]
    assert not any(name in halves for node in others for name in node.input)


def test_stored_values_are_rounded_to_nearest() -> None:
    """One weight matrix: the file holds IEEE's nearest half-precision values, and the same name
    is computed with."""
    values = np.random.default_rng(0).normal(0, 1, (64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
        [numpy_helper.from_array(values, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    store_as_float16(model)
    [tensor] = model.graph.initializer
    stored = numpy_helper.to_array(tensor)
    assert stored.dtype == np.float16
    # half precision keeps 11 bits: nearest is within 2^-12 of the value, relatively, where normal
    assert (np.abs(stored.astype(np.float64) - values) <= np.abs(values) * 2**-11 + 2**-25).all()
    onnx.checker.check_model(model, full_check=True)
    reference = onnx.reference.ReferenceEvaluator(model)
    [answer] = reference.run(None, {"x": np.eye(64, dtype=np.float32)[:1]})
    assert np.array_equal(answer[0], stored[0].astype(np.float32))


def test_half_computes_in_float16(exported: dict[str, Path]) -> None:
    """Every product has float16 on both sides; the contract's border is float32 still."""
    model = onnx.load(exported["half"])
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert products
    assert {kinds[node.input[1]] for node in products} == {TensorProto.FLOAT16}
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    casts = [node.attribute[0].i for node in model.graph.node if node.op_type == "Cast"]
    assert casts == [TensorProto.FLOAT16, TensorProto.FLOAT]
    assert {prop.key for prop in model.metadata_props} == {"colorbatch.contract", "colorbatch.card"}
    sizes = {kind: exported[kind].stat().st_size for kind in ("fp32", "half")}
    assert 0.5 < sizes["half"] / sizes["fp32"] < 0.55


def test_rounding_in_pytorch() -> None:
    """The reference network gets the same values: large tensors rounded, small ones untouched."""
    torch.manual_seed(0)
    network = nn.Linear(64, 64)
    weight, bias = network.weight.detach().clone(), network.bias.detach().clone()
    round_weights(network)
    expected = weight.numpy().astype(np.float16).astype(np.float32)
    assert np.array_equal(network.weight.detach().numpy(), expected)
    assert torch.equal(network.bias, bias)
    assert not torch.equal(network.weight, weight)
