"""A trained generator to the bytes of an ONNX model. The same run gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Container

import onnx
import torch
from torch import nn

from colorbatch.model.contract import CARD_KEY, CONTRACT_KEY, ModelCard, ModelContract
from export.precision import store_as_float16

OPSET = 20
IR_VERSION = 10
"""onnxruntime 1.18 and later read it."""


def to_onnx(
    module: nn.Module, contract: ModelContract, card: ModelCard, *, half_weights: bool
) -> bytes:
    """Export a module in eval mode: one input and output, named by the contract, free batch axis.

    The file says nothing about the machine it was made on: names of files, doc strings and node
    metadata are cleared. `half_weights` stores large weights as float16.
    """
    channels = 1 if contract.input.kind == "lab_l" else 3
    example = torch.zeros(2, channels, *contract.size.choose())
    for library in ("torch.onnx", "onnx_ir"):  # the latter misses the weights that are hidden
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[contract.input.name],
            output_names=[contract.output.name],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # see below
            verbose=False,
        )
    assert program is not None
    _optimize(program, module.state_dict())
    model: onnx.ModelProto = program.model_proto
    _clear(model)
    if half_weights:
        store_as_float16(model)
    model.ir_version = min(model.ir_version, IR_VERSION)
    model.producer_name, model.producer_version = "colorbatch", ""
    for key, value in ((CONTRACT_KEY, contract.to_json()), (CARD_KEY, card.to_json())):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _optimize(program: torch.onnx.ONNXProgram, weights: Container[str]) -> None:
    """What the exporter does by itself, with the weights hidden from it, or it would merge equal
    ones and store what it makes of some. So each stays under its name, as it was trained; what is
    made of them (casts, kernels of another shape) onnxruntime makes once, as it loads the model.
    """
    values = [v for name, v in program.model.graph.initializers.items() if name in weights]
    tensors = [value.const_value for value in values]
    for value in values:
        value.const_value = None
    program.optimize()
    for value, tensor in zip(values, tensors, strict=True):
        value.const_value = tensor


def _clear(model: onnx.ModelProto) -> None:
    """Remove everything that the exporter wrote beside the network itself."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    graph.name = "generator"
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    del model.functions[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
