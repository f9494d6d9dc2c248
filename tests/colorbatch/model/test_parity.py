"""The stored parity check: it passes on the recorded numbers and fails on any others."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from colorbatch import color
from colorbatch.errors import ModelError, ParityError
from colorbatch.model import parity
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine
from colorbatch.model.parity import Difference, Golden, ParityLimits, ParityRecord


@pytest.fixture
def recorded(make_model, tmp_path):
    """A model with an honest record: goldens in numpy, as the tiny model is defined."""
    path = make_model(tmp_path / "m.onnx")
    rng = np.random.default_rng(1)
    goldens = []
    for number in range(3):
        grey = rng.integers(0, 256, (32, 32), np.uint8)
        padded = np.pad(color.lightness(grey).astype(np.float64) / 50 - 1, 1)
        mean = sum(padded[y : y + 32, x : x + 32] for y in range(3) for x in range(3)) / 9
        ab = np.stack([np.tanh(0.25 * mean + 0.1), np.tanh(-0.3 * mean + 0.15)], -1) * 110
        goldens.append(Golden(f"random {number}", grey, ab[::3, ::3].astype(np.float32)))
    record = ParityRecord(sha256(path), parity.SAME_WEIGHTS, tuple(goldens), {"max_ab": 0.001})
    parity.record_path(path).write_text(record.to_json(), "utf-8")
    return path, record


def test_a_record_survives_its_file(recorded):
    """Goldens, limits and what was measured are read back to the bit."""
    path, record = recorded
    found = parity.load_record(path)
    assert parity.record_path(path).name == "m.parity.json"
    for one, other in zip(found.goldens, record.goldens, strict=True):
        assert one.name == other.name and one.stride == other.stride
        assert one.grey.dtype == np.uint8 and np.array_equal(one.grey, other.grey)
        assert one.ab.dtype == np.float32 and np.array_equal(one.ab, other.ab)
    assert dataclasses.replace(found, goldens=()) == dataclasses.replace(record, goldens=())


def test_the_recorded_model_passes(recorded):
    """The engine gives what the definition gives, within the limits, and says how close."""
    path, _ = recorded
    worst = parity.check(Engine(path, "cpu"), parity.load_record(path))
    assert 0 <= worst.max_ab <= 0.005 and worst.max_delta_e <= 0.02


def test_verify_passes_and_says_so(recorded, run_cli):
    """`colorbatch verify` on the same, without PyTorch: exit 0 and one line per device."""
    path, _ = recorded
    result = run_cli("verify", path, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert "m.onnx on model m on cpu" in result.stdout and "3 pictures" in result.stdout


@pytest.mark.parametrize("at", [(0, 0, 0), (5, 7, 1)])
def test_one_number_off_is_over_the_limit(recorded, at):
    """A single golden value changed by 0.01 fails the check, by name."""
    path, record = recorded
    ab = record.goldens[1].ab.copy()
    ab[at] += 0.01
    goldens = (record.goldens[0], dataclasses.replace(record.goldens[1], ab=ab))
    with pytest.raises(ParityError, match=r"max ab 0\.01 is over 0\.005"):
        parity.check(Engine(path, "cpu"), dataclasses.replace(record, goldens=goldens))


def test_not_a_number_is_over_every_limit(recorded):
    """NaN never passes a comparison by accident."""
    path, record = recorded
    ab = record.goldens[0].ab.copy()
    ab[3, 3, 0] = np.nan
    goldens = (dataclasses.replace(record.goldens[0], ab=ab), *record.goldens[1:])
    with pytest.raises(ParityError, match="nan is over"):
        parity.check(Engine(path, "cpu"), dataclasses.replace(record, goldens=goldens))


def test_another_file_is_not_the_recorded_one(recorded):
    """One byte more, and the file is not the one that was checked."""
    path, record = recorded
    changed = dataclasses.replace(record, model_sha256="0" * 64)
    with pytest.raises(ParityError, match="SHA-256"):
        parity.check(Engine(path, "cpu"), changed)


def test_goldens_of_another_size_are_refused(recorded):
    """A record of another model's size is no check of this one."""
    path, record = recorded
    golden = Golden("g", np.zeros((16, 16), np.uint8), np.zeros((6, 6, 2), np.float32))
    with pytest.raises(ParityError, match="another size"):
        parity.check(Engine(path, "cpu"), dataclasses.replace(record, goldens=(golden,)))


@pytest.mark.parametrize("change", ["", "{}", "[]", "goldens", "limits", "zlib", "shape"])
def test_a_broken_record_is_refused_in_words(recorded, change):
    """Not JSON, parts missing, damaged data."""
    path, _ = recorded
    file = parity.record_path(path)
    values = json.loads(file.read_text("utf-8"))
    if change in values:
        del values[change]
    elif change:
        values["goldens"][0]["grey"][change] = {"zlib": "AAAA", "shape": [5, 5]}.get(change)
    file.write_text(change if change in ("", "{}", "[]") else json.dumps(values))
    with pytest.raises(ModelError, match="not a parity record"):
        parity.load_record(path)


def test_a_missing_record_is_refused(tiny_model):
    """By the name that was looked for."""
    with pytest.raises(ModelError, match=r"no parity record tiny\.parity\.json"):
        parity.load_record(tiny_model)


def test_differences_are_those_of_scikit_image():
    """Largest and mean |d ab|, CIEDE2000 at the same lightness, and its 99.9th percentile."""
    rng = np.random.default_rng(2)
    lightness = rng.uniform(0, 100, (8, 8)).astype(np.float32)
    first, second = rng.uniform(-90, 90, (2, 8, 8, 2)).astype(np.float32)
    found = parity.compare(lightness, first, second)
    delta = deltaE_ciede2000(np.dstack([lightness, first]), np.dstack([lightness, second]))
    gap = np.abs(first.astype(np.float64) - second)
    high = np.percentile(delta, 99.9)
    truth = Difference(gap.max(), gap.mean(), delta.max(), delta.mean(), high)
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(truth), rel=1e-5)


def test_no_limit_is_no_limit():
    """None allows everything; a limit allows itself."""
    assert Difference(1e9, 1e9, 1e9, 1e9).over(ParityLimits()) == []
    assert Difference(0.5, 0.02, 9, 0.05).over(parity.ROUNDED_WEIGHTS) == []
    assert len(Difference(0.6, 0.03, 9, 0.06).over(parity.ROUNDED_WEIGHTS)) == 3
