"""Contracts and cards: what is read back is what was written, and what is wrong is named."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorbatch.errors import ModelError
from colorbatch.model.contract import (
    CARD_KEY,
    CONTRACT_KEY,
    InputSpec,
    ModelCard,
    ModelContract,
    OutputSpec,
    SizeRule,
    find_model,
    parse_card,
    parse_contract,
    read_metadata,
    sha256,
)

numbers = st.floats(-1e6, 1e6)
triples = st.tuples(numbers, numbers, numbers)
sides = st.integers(1, 4096)


@st.composite
def free_sizes(draw):
    multiple = draw(st.integers(1, 64))
    low = multiple * draw(st.integers(1, 8))
    return SizeRule(None, multiple, low, low + draw(st.integers(0, 2048)), draw(sides))


contracts = st.builds(
    ModelContract,
    input=st.builds(
        InputSpec,
        name=st.text(),
        kind=st.sampled_from(["lab_l", "gray_rgb"]),
        range=st.tuples(numbers, numbers).filter(lambda ends: ends[0] != ends[1]),
        mean=triples,
        std=triples.filter(lambda std: 0 not in std),
    ),
    output=st.builds(OutputSpec, st.text(), st.sampled_from(["lab_ab", "rgb"]), numbers),
    size=st.one_of(st.builds(SizeRule, fixed=st.tuples(sides, sides)), free_sizes()),
)


@given(contracts)
@settings(deadline=None)
def test_a_contract_survives_json(contract):
    """What is written into a model file is what is read from it."""
    assert parse_contract(contract.to_json(), "m") == contract


@given(free_sizes())
@settings(deadline=None)
def test_the_chosen_size_obeys_the_rule(rule):
    """A multiple within the bounds, square."""
    height, width = rule.choose()
    assert height == width
    assert height % rule.multiple_of == 0
    assert rule.min <= height <= rule.max


def test_a_fixed_size_is_height_then_width(contract_values):
    """[H, W] stays in that order."""
    text = json.dumps(contract_values(size={"fixed": [32, 64]}))
    assert parse_contract(text, "m").size.choose() == (32, 64)


def changed(values, path, value):
    values = copy.deepcopy(values)
    *parents, last = path.split(".")
    inner = values
    for name in parents:
        inner = inner[name]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(values)


FREE = {"multiple_of": 64, "min": 100, "max": 120, "preferred": 110}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("version", 2, "version 2"),
        ("version", KeyError, "version None"),
        ("input", KeyError, "'input'"),
        ("output", [1], "'output'"),
        ("size", None, "'size'"),
        ("input.name", KeyError, "lacks 'name'"),
        ("input.kind", "luma", "'luma', not lab_l or gray_rgb"),
        ("output.kind", ["rgb"], "not lab_ab or rgb"),
        ("output.scale", "big", "not valid"),
        ("output.scale", KeyError, "lacks 'scale'"),
        ("input.range", [0], "2 numbers"),
        ("input.range", 5, "not valid"),
        ("input.std", [1, 0, 1], "not positive"),
        ("input.mean", [1, 2], "3 numbers"),
        ("dtype", "float16", "float16"),
        ("size", {"fixed": [0, 32]}, "not positive"),
        ("size", {"fixed": [32]}, "2 numbers"),
        ("size", {"min": 1}, "lacks 'multiple_of'"),
        ("size", FREE, "allows no size"),
        ("size", FREE | {"min": 1, "max": 32}, "allows no size"),
        ("size", FREE | {"max": float("inf")}, "not valid"),
        ("size", FREE | {"multiple_of": -8}, "not positive"),
    ],
)
def test_an_invalid_contract_is_refused_by_what_is_wrong(contract_values, path, value, words):
    """One line that names the model and the trouble."""
    with pytest.raises(ModelError) as caught:
        parse_contract(changed(contract_values(), path, value), "some.onnx")
    assert words in str(caught.value)
    assert str(caught.value).startswith("some.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"'])
def test_what_is_no_json_object_is_refused(text):
    """For contract and card alike."""
    for parse in (parse_contract, parse_card):
        with pytest.raises(ModelError, match="not JSON|not a JSON object"):  # noqa: RUF043
            parse(text, "m")


def test_a_card_survives_json_and_later_versions():
    """Cards are read back; keys of later versions are passed over; a name is needed."""
    card = ModelCard("n", metrics={"val": {"ab": 1.5}}, images=3, epochs=0.5, source_commit="abc")
    assert parse_card(card.to_json(), "m") == card
    later = json.loads(card.to_json()) | {"smell": "good"}
    assert parse_card(json.dumps(later), "m") == card
    with pytest.raises(ModelError, match="no 'name'"):
        parse_card("{}", "m")


def test_the_sidecar_speaks_where_the_model_does_not(contract_values, tmp_path):
    """Contract and card as strings or as objects; the model's own metadata wins."""
    model = tmp_path / "other.onnx"
    sidecar = tmp_path / "other.onnx.json"
    for contract in (contract_values("gray_rgb"), json.dumps(contract_values("gray_rgb"))):
        sidecar.write_text(json.dumps({CONTRACT_KEY: contract, CARD_KEY: {"name": "Other"}}))
        found, card = read_metadata(model, {})
        assert (found.input.kind, card.name) == ("gray_rgb", "Other")
    found, card = read_metadata(model, {CONTRACT_KEY: json.dumps(contract_values("lab_l"))})
    assert (found.input.kind, card.name) == ("lab_l", "other")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_sidecar_may_be_saved_as_editors_do(contract_values, tmp_path, encoding):
    """With a byte order mark, and in UTF-16, as PowerShell writes it."""
    sidecar = json.dumps({CONTRACT_KEY: contract_values(), CARD_KEY: {"name": "Café"}},
                         ensure_ascii=False)  # fmt: skip
    (tmp_path / "m.onnx.json").write_bytes(sidecar.encode(encoding))
    _, card = read_metadata(tmp_path / "m.onnx", {})
    assert card.name == "Café"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b"{}", b"{\xff}"])
def test_a_broken_sidecar_is_refused(tmp_path, data):
    """Not JSON, no object, not UTF-8, nothing in it."""
    (tmp_path / "m.onnx.json").write_bytes(data)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        read_metadata(tmp_path / "m.onnx", {})


def test_a_model_without_any_contract_says_where_it_was_looked_for(tmp_path):
    """The key and the sidecar's name."""
    with pytest.raises(ModelError, match=r"colorbatch\.contract.*m\.onnx\.json"):
        read_metadata(tmp_path / "m.onnx", {})


def test_a_missing_model_is_refused(tmp_path):
    """By path and by name; folders are no models."""
    for name in (tmp_path / "m.onnx", tmp_path, "no-such-model", "../contract"):
        with pytest.raises(ModelError, match="no such model file"):
            find_model(name)


def test_sha256_is_the_standards(tmp_path):
    """FIPS 180-2, appendix B.1: the digest of "abc"."""
    (tmp_path / "m").write_bytes(b"abc")
    assert sha256(tmp_path / "m").startswith("ba7816bf8f01cfea414140de5dae2223")
    with pytest.raises(ModelError, match="cannot read"):
        sha256(tmp_path / "missing")
