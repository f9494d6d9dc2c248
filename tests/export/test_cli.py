"""`python -m export`: what stands on the disk after it succeeds, and after it fails."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import onnx
import pytest

from colorbatch import parity
from colorbatch.contract import parse_card
from colorbatch.engine import Engine
from export import cli
from training import checkpoint


def _main(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The command line with these words: its exit code."""
    monkeypatch.setattr("sys.argv", ["export", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_model_and_record_are_written(exported: dict[str, Path], kind: str) -> None:
    """The model and its record stand there, and nothing else does."""
    folder = exported[kind].parent
    assert {path.name for path in folder.iterdir()} == {"tiny.onnx", "tiny.parity.json"}
    record = json.loads((folder / "tiny.parity.json").read_text("utf-8"))
    assert record["model_sha256"] == hashlib.sha256(exported[kind].read_bytes()).hexdigest()


def test_card_tells_the_runs_story(exported: dict[str, Path], run: Path) -> None:
    """The card has the run's own figures, its history, and the texts that were given."""
    metadata = {prop.key: prop.value for prop in onnx.load(exported["fp32"]).metadata_props}
    card = parse_card(metadata["colorbatch.card"], "tiny")
    assert (card.name, card.recipe) == ("tiny", "unet")
    assert (card.training_data, card.licences) == ("three photographs", "CC0")
    assert card.images == 40
    assert card.epochs == 4.5  # 100 pictures of an earlier run and 20 steps of 4, over 40
    [(name, measured)] = card.metrics.items()
    assert name.startswith("photographs")  # of the folder that was given to --check
    assert measured["photographs"] >= 1
    assert measured["ab_error_relative"] > 0.9  # random weights know no better than grey
    assert len(card.history) == 2
    assert card.history[0] == "25 steps of 4 (100 pictures): width=8"
    assert "20 steps of 4 (80 pictures)" in card.history[1]
    weights = hashlib.sha256()
    for name, tensor in sorted(checkpoint.load(run)["ema"].items()):
        weights.update(f"generator.{name}".encode() + tensor.contiguous().numpy().tobytes())
    assert card.weights_sha256 == weights.hexdigest()


def test_failed_gate_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    steep_run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
) -> None:
    """A model that fails the gate: exit 1, one line, no model, no record, no temporary file."""
    output = tmp_path / "out" / "bad.onnx"
    assert _main(monkeypatch, steep_run, "-o", output, "--precision", "fp16") == 1
    captured = capfd.readouterr()
    [line] = captured.err.splitlines()
    assert line.startswith("error: the ONNX model differs from PyTorch: ")
    assert captured.out == ""
    assert list(output.parent.iterdir()) == []


def test_failed_gate_keeps_the_old_model(
    monkeypatch: pytest.MonkeyPatch, steep_run: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    """A good model of the same name, and its record, survive an export that fails."""
    output = tmp_path / "tiny.onnx"
    for suffix in (".onnx", ".parity.json"):
        shutil.copy(exported["fp32"].with_suffix(suffix), output.with_suffix(suffix))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert _main(monkeypatch, steep_run, "-o", output, "--precision", "fp16") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    parity.check(Engine(output, "cpu"), parity.load_record(output))


@pytest.mark.parametrize("kind", ["name", "run", "card", "card key", "option", "not a run"])
def test_usage_errors(
    monkeypatch: pytest.MonkeyPatch,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    kind: str,
) -> None:
    """Wrong words are refused before any work, in one line where they are ours."""
    card, text, output = tmp_path / "card.toml", tmp_path / "x.pt", tmp_path / "m.onnx"
    card.write_text('licence = "typo"\n', "utf-8")
    text.write_text("hello", "utf-8")
    words, code, said = {
        "name": ([run, "-o", tmp_path / "m.pt"], 2, "ends in .onnx"),
        "run": ([tmp_path / "nowhere", "-o", output], 2, "no such checkpoint"),
        "card": ([run, "-o", output, "--card", tmp_path / "none.toml"], 2, "none.toml"),
        "card key": ([run, "-o", output, "--card", card], 2, "unknown licence"),
        "option": ([run, "-o", output, "--precision", "int8"], 2, "int8"),
        "not a run": ([text, "-o", output], 1, "not a checkpoint"),
    }[kind]
    before = set(tmp_path.iterdir())
    assert _main(monkeypatch, *words) == code
    error = capsys.readouterr().err
    assert said in error
    assert kind == "option" or len(error.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before
