"""`python -m export`: what stands on the disk after it succeeds, and after it fails."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage.data
from PIL import Image

from colorbatch.model import parity
from colorbatch.model.contract import parse_card
from colorbatch.model.engine import Engine
from export import cli
from training import checkpoint
from training.config import load_recipe
from training.generators import generator_for


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


def test_another_size(
    monkeypatch: pytest.MonkeyPatch, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """A model may see larger pictures than its training did; one that cannot halve is refused."""
    trained = checkpoint.config_of(checkpoint.load(run)).size
    output = tmp_path / "larger.onnx"
    assert _main(monkeypatch, run, "-o", output, "--size", 2 * trained) == 0
    engine = Engine(output, "cpu")
    assert engine.size == (2 * trained, 2 * trained)
    assert engine.card.history[-1] == f"exported at {2 * trained}x{2 * trained}"
    assert _main(monkeypatch, run, "-o", tmp_path / "odd.onnx", "--size", trained + 1) == 2
    assert "size must be a multiple of" in capfd.readouterr().err
    assert not (tmp_path / "odd.onnx").exists()


@pytest.mark.parametrize("precision", ["fp16", "half"])
def test_failed_gate_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    steep_run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
    precision: str,
) -> None:
    """A model that fails the gate: exit 1, one line, no model, no record, no temporary file."""
    output = tmp_path / "out" / "bad.onnx"
    assert _main(monkeypatch, steep_run, "-o", output, "--precision", precision) == 1
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


@pytest.mark.parametrize(
    "kind", ["name", "run", "card", "card key", "option", "not a run", "no photographs"]
)
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
        "option": ([run, "-o", output, "--precision", "int4"], 2, "int4"),
        "no photographs": ([run, "-o", output, "--precision", "int8"], 2, "belong together"),
        "not a run": ([text, "-o", output], 1, "not a checkpoint"),
    }[kind]
    before = set(tmp_path.iterdir())
    assert _main(monkeypatch, *words) == code
    error = capsys.readouterr().err
    assert said in error
    assert kind == "option" or len(error.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


# --- the recipes -------------------------------------------------------------------------------

RECIPES = [(name, kind) for name in ("unet", "resnet18", "rgb") for kind in ("fp32", "fp16")]


@pytest.mark.parametrize(("recipe", "kind"), RECIPES)
def test_every_network_passes_the_gate(
    exported_recipes: dict[tuple[str, str], Path], recipe: str, kind: str
) -> None:
    """Each has a model and a record that its own engine passes again, and a card with its recipe
    and what it was measured to do."""
    path = exported_recipes[recipe, kind]
    engine = Engine(path, "cpu")
    worst = parity.check(engine, parity.load_record(path))
    assert worst.max_ab <= 0.005 and worst.max_delta_e <= 0.02
    assert engine.card.recipe == recipe
    [measured] = engine.card.metrics.values()
    assert measured["photographs"] == 3
    sizes = {k: exported_recipes[recipe, k].stat().st_size for k in ("fp32", "fp16")}
    # the graph, and tensors that stay float32, weigh more in a network as narrow as this ResNet
    assert sizes["fp16"] < 0.75 * sizes["fp32"]


@pytest.mark.parametrize("recipe", ["perceptual", "lab-mse"])
def test_recipes_of_the_same_network(recipe: str) -> None:
    """These differ from `unet` in how they are trained alone: its exports speak for theirs."""
    same, unet = (
        dataclasses.replace(load_recipe(name), width=8, levels=5, size=32)
        for name in (recipe, "unet")
    )
    assert (same.color_space, same.size) == (unet.color_space, unet.size)
    assert repr(generator_for(same)) == repr(generator_for(unet))


@pytest.mark.parametrize("recipe", ["unet", "resnet18", "rgb"])
def test_users_color_with_it(
    exported_recipes: dict[tuple[str, str], Path],
    run_cli: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    recipe: str,
) -> None:
    """`colorbatch images -m MODEL` gives color and keeps the luma."""
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    camera = skimage.data.camera()
    pictures = {"a.png": camera[100:150, 200:280], "b.png": camera[300:370, 100:150]}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(source / name)
    result = run_cli("images", source, "-o", out, "-m", exported_recipes[recipe, "fp16"])
    assert result.returncode == 0, result.stderr
    for name, pixels in pictures.items():
        with Image.open(out / name) as image:
            made = np.asarray(image.convert("RGB"))
        # green takes up the rounding of red and blue, in steps of 0.587
        assert np.abs(made @ np.array([0.299, 0.587, 0.114]) - pixels).max() < 0.294
        assert np.ptp(made.astype(int), axis=2).mean() > 5
