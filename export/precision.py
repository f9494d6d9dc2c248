"""Half precision: weights stored as float16 with a cast to float32 in front, which is half the file
and the same arithmetic; or everything computed in it."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

SMALLEST = 4096
"""Tensors with fewer values stay float32: first layers lose most and weigh nothing. Of a lite-unet
(15 MB, 0.1 of them for this) 1024 cost 3 times the error on photographs, 15 times on waves."""


def store_as_float16(model: onnx.ModelProto) -> None:
    """Replace every large float32 initializer by a float16 one and a Cast node, in place."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def compute_in_half(data: bytes) -> bytes:
    """A model that computes in float16, by onnxruntime's own converter; input and output stay
    float32, with a cast behind and before them. data: that of a float32 model, as `to_onnx` gives
    it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")  # values that round to zero, which the gate judges
        model = convert_float_to_float16(onnx.load_from_string(data), keep_io_types=True)
    OnnxModel(model).topological_sort()  # it leaves its first cast at the end
    onnx.checker.check_model(model)
    half: bytes = model.SerializeToString(deterministic=True)
    return half


def round_weights(network: nn.Module) -> None:
    """Round a network's large tensors to float16 values, in place, as the file stores them."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point() and tensor.numel() >= SMALLEST:
            tensor.copy_(tensor.half().float())
