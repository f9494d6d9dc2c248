"""What is here, asked from Python: values, which the commands put into words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorbatch.api import inspection
from colorbatch.errors import ModelError
from colorbatch.model.contract import DEFAULT_MODEL


def test_embedded_models_answer_as_their_record_says() -> None:
    """One result for each, within its limits, on the device that is asked for."""
    found = list(inspection.verify(device="cpu"))
    assert [each.path.stem for each in found] == list(inspection.installation().embedded)
    for each in found:
        assert each.pictures > 0 and "on cpu (CPUExecutionProvider)" in each.told
        assert each.limits.max_ab is not None and each.worst.max_ab <= each.limits.max_ab


def test_a_model_is_told_by_its_own_card(tiny_model: Path) -> None:
    """File, contract and card, as values and as JSON."""
    [found] = inspection.models(tiny_model)
    assert (found.path, found.size, found.is_default) == (tiny_model, (32, 32), False)
    assert found.bytes == tiny_model.stat().st_size
    values = json.loads(found.to_json())
    assert values["file"] == str(tiny_model) and values["card"]["name"] == found.card.name == "tiny"
    with pytest.raises(ModelError, match="no such model file"):
        list(inspection.models("gone"))


def test_what_is_installed() -> None:
    """Versions of wheels, one onnxruntime, the default model and what it runs on."""
    here = inspection.installation()
    assert here.libraries["numpy"] and len(here.runtimes) == 1
    assert [name for name, default in here.embedded.items() if default] == [DEFAULT_MODEL]
    assert "CPUExecutionProvider" in inspection.offered()
    assert all(isinstance(found, bool) for found in inspection.hardware().values())
    timed = inspection.timed("cpu")
    assert f"model {DEFAULT_MODEL} on cpu" in timed.told and timed.seconds > 0
