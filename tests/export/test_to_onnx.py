"""The ONNX file: versions, shapes, metadata, and no trace of the machine that made it."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from colorbatch.model.contract import CARD_KEY, CONTRACT_KEY, parse_card, parse_contract

KINDS = ("fp32", "fp16")


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {prop.key: prop.value for prop in model.metadata_props}


@pytest.mark.parametrize("kind", KINDS)
def test_versions(exported: dict[str, Path], kind: str) -> None:
    """Opset 20 and nothing else, IR at most 10, and valid by ONNX's own full check."""
    model = onnx.load(exported[kind])
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 20)]
    assert model.ir_version <= 10
    assert not model.functions
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_signature(exported: dict[str, Path], kind: str) -> None:
    """One input and one output, float32, with a free batch axis and fixed height and width."""
    session = onnxruntime.InferenceSession(exported[kind], providers=["CPUExecutionProvider"])
    [given], [made] = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("lightness", "tensor(float)", [1, 32, 32])
    assert (made.name, made.type, made.shape[1:]) == ("chroma", "tensor(float)", [2, 32, 32])
    assert isinstance(given.shape[0], str) and given.shape[0] == made.shape[0]
    for batch in (1, 2, 7):
        [chroma] = session.run(None, {"lightness": np.zeros((batch, 1, 32, 32), np.float32)})
        assert chroma.shape == (batch, 2, 32, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_contract_and_card(exported: dict[str, Path], kind: str) -> None:
    """The file carries its contract and its card, and the tool reads both."""
    metadata = _metadata(onnx.load(exported[kind]))
    assert set(metadata) == {CONTRACT_KEY, CARD_KEY}
    assert (CONTRACT_KEY, CARD_KEY) == ("colorbatch.contract", "colorbatch.card")
    contract = parse_contract(metadata[CONTRACT_KEY], "tiny")
    assert (contract.input.name, contract.output.name) == ("lightness", "chroma")
    assert contract.size.fixed == (32, 32)
    assert (contract.input.range, contract.output.scale) == ((-1, 1), 110)
    assert parse_card(metadata[CARD_KEY], "tiny").name == "tiny"
    assert json.loads(metadata[CONTRACT_KEY])["version"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_beside_the_network(exported: dict[str, Path], kind: str) -> None:
    """No node, tensor or graph has metadata or a doc string."""
    model = onnx.load(exported[kind])
    graph = model.graph
    parts = (*graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info)
    assert not [part.name for part in parts if part.metadata_props or part.doc_string]
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    assert not any(attribute.doc_string for attribute in attributes)
    assert not (model.doc_string or graph.doc_string or graph.metadata_props)
    assert (model.producer_name, model.producer_version) == ("colorbatch", "")


@pytest.mark.parametrize("kind", KINDS)
def test_no_trace_of_the_machine(exported: dict[str, Path], run: Path, kind: str) -> None:
    """No path of the repository, the interpreter, the home or the run, no user and no source file
    can be found in the file's bytes."""
    data = exported[kind].read_bytes()
    repository = Path(__file__).parents[2]
    places = [repository, sys.prefix, sys.base_prefix, Path.home(), run, exported[kind].parent]
    # a place such as "/usr" or "/root" is short but no chance find when a slash follows
    words = [str(place).rstrip("/") + "/" for place in places if str(place) != "/"]
    words += [".py", "site-packages", "Traceback", "forward("]
    user = getpass.getuser()
    if len(user) > 3 and user != "runner":  # short names occur by chance
        words.append(f"/{user}")
    for word in words:
        assert word.encode() not in data, word


def test_same_run_same_bytes(exported: dict[str, Path]) -> None:
    """A second export, in a process of its own and elsewhere, gives the same file to the byte."""
    assert exported["fp32"].parent != exported["again"].parent
    assert exported["fp32"].read_bytes() == exported["again"].read_bytes()
