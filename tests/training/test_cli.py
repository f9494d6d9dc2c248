"""`python -m training`: options to settings, errors to one line and their exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from training import cli

Photos = tuple[Path, Path]
SETTINGS = ["width=8", "discriminator_width=8", "levels=6", "size=64", "batch_size=4"]


def _main(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The command line with these words: its exit code."""
    monkeypatch.setattr("sys.argv", ["training", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _train(photos: Photos, out: Path, *settings: str) -> list[object]:
    words: list[object] = ["train", "unet", "--data", photos[0], "--val", photos[1], "--out", out]
    for setting in (*SETTINGS, *settings):
        words += ["--set", setting]
    return words


def test_options_become_settings(
    monkeypatch: pytest.MonkeyPatch, photos: Photos, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """`--set`, `--cache` and `--init` arrive in the run, which ends with 0 and says what it did."""
    first, second = tmp_path / "first", tmp_path / "second"
    cache = ["--cache", tmp_path / "cache"]
    assert _main(monkeypatch, *_train(photos, first, "steps=2", "precision=fp32"), *cache) == 0
    assert "done: 2 steps" in capsys.readouterr().out
    config = torch.load(first / "checkpoint.pt", weights_only=True)["config"]
    assert (config["recipe"], config["width"], config["steps"]) == ("unet", 8, 2)
    assert list((tmp_path / "cache").glob("train-*.rgb")) and not (first / "cache").exists()
    assert _main(monkeypatch, *_train(photos, second, "steps=1"), *cache, "--init", first) == 0
    assert f"starting with the weights of {first}" in capsys.readouterr().out


def test_several_folders_option(
    monkeypatch: pytest.MonkeyPatch, photos: Photos, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """`--data` may be given several times, with a weight each: half of 16 photographs and three
    times 4 are five batches of 4 an epoch."""
    words: list[object] = ["train", "unet", "--data", f"{photos[0]}:0.5", "--data"]
    words += [f"{photos[1]}:3", "--val", photos[1], "--out", tmp_path / "run"]
    for setting in (*SETTINGS, "epochs=1", "precision=fp32", "validate_every=99"):
        words += ["--set", setting]
    assert _main(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "training: 20 photographs" in said and "done: 5 steps" in said
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert {name.partition(":")[0] for name in record["training"]} == {"0", "1"}
    assert len(set(record["training"])) == 20


def test_backbone_weights_option(
    monkeypatch: pytest.MonkeyPatch,
    photos: Photos,
    finished_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """`--backbone-weights` may be given several times, and every one arrives in the run."""
    out = tmp_path / "run"
    words = _train(photos, out, "steps=1", "precision=fp32", "gamma=0.5", "feature_layer=2_2")
    absent = ["--backbone-weights", tmp_path / "no.pth"]
    source = ["--backbone-weights", f"encoder:{finished_run}"]
    assert _main(monkeypatch, *words, *source, *absent) == 0  # the features are found before it
    assert "level 2 of an encoder trained here by unet" in capsys.readouterr().out
    assert _main(monkeypatch, *words, *absent) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"error: {tmp_path / 'no.pth'}: no such weight file"


def test_time_budget_option(
    monkeypatch: pytest.MonkeyPatch, photos: Photos, tmp_path: Path
) -> None:
    """`--time-budget` is kept as a setting and decays the rate, unless a schedule is named."""
    for name, words, schedule in (
        ("a", [], "cosine"),
        ("b", ["--set", "schedule=constant"], "constant"),
    ):
        out = tmp_path / name
        budget = ["--time-budget", "0.001", *words]
        assert _main(monkeypatch, *_train(photos, out, "validate_every=99"), *budget) == 0
        config = torch.load(out / "checkpoint.pt", weights_only=True)["config"]
        assert (config["time_budget"], config["schedule"]) == (0.001, schedule)


def test_other_settings_on_a_run(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    photos: Photos,
    capsys: pytest.CaptureFixture,
) -> None:
    """Other settings on an existing run: exit 2 and one line that names them."""
    assert _main(monkeypatch, *_train(photos, finished_run, "seed=5")) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "seed: 0 -> 5" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nonesuch", "--data", ".", "--out", "x"], "no recipe 'nonesuch'"),
        (["train", "unet", "--data", ".", "--out", "x", "--set", "wdth=3"], "no setting 'wdth'"),
        (["train", "unet", "--data", ".", "--out", "x", "--set", "width"], "not name=value"),
        (["train", "unet", "--data", "nowhere", "--out", "x"], "no such folder"),
        (["train", "unet", "--data", ".", "--data", "nowhere:2", "--out", "x"], "nowhere: no such"),
        (["train", "unet", "--data", ".:0", "--out", "x"], "the weight of . is above 0"),
        (["train", "unet", "--out", "x"], "--data"),
        (["train", "unet", "--data", "."], "--out"),
        (["train", "unet", "--data", ".", "--out", "x", "--nonesuch"], "--nonesuch"),
        (["nonesuch"], "nonesuch"),
    ],
)
def test_usage_errors(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    words: list[str],
    said: str,
) -> None:
    """Wrong words end with 2 and a reason, without a traceback."""
    monkeypatch.chdir(tmp_path)
    assert _main(monkeypatch, *words) == 2
    assert said in capsys.readouterr().err


def test_empty_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A folder without photographs ends with 2 and says so."""
    (tmp_path / "empty").mkdir()
    words = ["train", "unet", "--data", tmp_path / "empty", "--out", tmp_path / "run"]
    assert _main(monkeypatch, *words) == 2
    assert "no color photographs for training" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Help lists every option and ends with 0."""
    assert _main(monkeypatch, "train", "--help") == 0
    text = capsys.readouterr().out
    for option in ("--data", "--val", "--out", "--init", "--cache", "--time-budget", "--set"):
        assert option in text
    assert "--backbone-weights" in text


# --- evaluate and plot -------------------------------------------------------------------------


@pytest.fixture
def colors(photos: Photos, tmp_path: Path) -> Path:
    """A folder of four photographs, one of them under a name that is no text where that can be."""
    folder = tmp_path / "colors"
    shutil.copytree(photos[1], folder)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        next(folder.iterdir()).rename(folder / os.fsdecode(b"\xff\xfe-7.png"))
    return folder


def test_evaluate(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    tiny_model: Path,
    colors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """A run and a model side by side: text on the screen, Markdown, JSON and a sheet in --out; the
    same again when --out lies among the photographs."""
    out = colors / "out"
    words = ["evaluate", finished_run, f"strong={tiny_model}", "--data", colors, "--out", out]
    assert _main(monkeypatch, *words, "--shown", 2) == 0
    text = capsys.readouterr().out
    assert text.startswith("4 photographs at 64x64")
    assert {path.name for path in out.iterdir()} == {
        *("evaluation.md", "evaluation.json", "sheet.png")
    }
    values = json.loads((out / "evaluation.json").read_text("utf-8"))
    names = ["grey", "constant", "run", "run x1.5", "strong", "strong x1.5"]
    assert list(values["rows"]) == names
    markdown = (out / "evaluation.md").read_text("utf-8")
    for name in names:
        cell = f"{values['rows'][name]['all']['ab_mae']:.2f}"
        assert re.search(rf"^{re.escape(name)} +{cell} ", text, re.MULTILINE)
        assert re.search(rf"^\| {re.escape(name)} +\| +{cell} ", markdown, re.MULTILINE)
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.size == (4 * 64, 22 + 2 * 64)  # grey, run, strong, truth; a line of headings
    assert _main(monkeypatch, *words, "--format", "json", "--gain", 1) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["names"] == values["names"]
    assert list(again["rows"]) == ["grey", "constant", "run", "strong"]


def test_evaluate_noise(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    colors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """With --noise-seed: a sentence, noise.json and a sheet of the samples."""
    out = tmp_path / "out"
    words = ["evaluate", finished_run, "--data", colors, "--noise-seed", 3, "--samples", 2]
    assert _main(monkeypatch, *words, "--limit", 2, "--out", out) == 0
    said = capsys.readouterr().out
    values = json.loads((out / "noise.json").read_text("utf-8"))["run"]
    assert (values["photographs"], values["samples"]) == (2, 2)
    assert said.startswith("run: 2 colorings of each of 2 photographs with dropout on")
    assert f"deviate by {values['deviation']:.2f} in ab" in said
    with Image.open(out / "run-noise.png") as sheet:
        assert sheet.size == (5 * 64, 22 + 2 * 64)  # grey, no noise, two samples, truth
    assert {path.name for path in out.iterdir()} == {"noise.json", "run-noise.png"}
    assert _main(monkeypatch, *words, "--limit", 2, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["run"] == values


def test_plot(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    colors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """Two runs: curves and epochs of each, both compared, photographs and old pictures; their
    names are printed."""
    out, old = tmp_path / "out", tmp_path / "old"
    shutil.copytree(finished_run, tmp_path / "second")
    old.mkdir()
    with Image.open(next(colors.glob("photo*.png"))) as photograph:
        photograph.convert("L").save(old / "old.jpg")
    words = ["plot", finished_run, f"other={tmp_path / 'second'}", "--out", out, "--epochs", "1,3"]
    words += ["--photographs", colors, "--old", old, "--count", 2, "--side", 40]
    assert _main(monkeypatch, *words) == 0
    sizes = {}
    for line in capsys.readouterr().out.splitlines():
        with Image.open(line) as picture:
            sizes[Path(line).relative_to(out).as_posix()] = picture.size
    assert {path.name for path in out.iterdir()} == set(sizes)
    curves = {name: sizes.pop(name) for name in ("run-losses.png", "other-losses.png")}
    curves["compare.png"] = sizes.pop("compare.png")
    assert min(min(size) for size in curves.values()) > 300
    assert sizes == {
        "run-epochs.png": (4 * 64, 22 + 4 * 64),  # grey, two epochs, truth; four photographs
        "other-epochs.png": (4 * 64, 22 + 4 * 64),
        "triptychs.png": (4 * 40, 22 + 2 * 40),  # grey, two runs, truth
        "old.png": (3 * 44, 22 + 40),  # 100 x 90 pixels; source and two runs
    }


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [
        ("empty folder", 2, "no photographs in"),
        ("missing folder", 2, "no such folder"),
        ("only grey", 2, "no color photographs in"),
        ("broken model", 1, "not a model"),
        ("broken run", 1, "not a checkpoint"),
        ("no run", 2, "no such run or model"),
        ("same name", 2, "two called 'run': say NAME=PATH"),
        ("baseline's name", 2, "two columns called grey"),
        ("noise of a model", 2, "no dropout"),
    ],
)
def test_evaluate_refuses(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    tiny_model: Path,
    colors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    case: str,
    code: int,
    said: str,
) -> None:
    """One line, its exit code, and nothing written."""
    empty, grey, broken = (tmp_path / name for name in ("empty", "grey", "broken"))
    for folder in (empty, grey, broken):
        folder.mkdir()
    Image.new("RGB", (50, 50), (90, 90, 90)).save(grey / "grey.png")
    for name in ("model.onnx", "checkpoint.pt"):
        (broken / name).write_bytes(b"broken")
    models: list[object] = [
        {
            "broken model": broken / "model.onnx",
            "broken run": broken,
            "no run": tmp_path / "nowhere",
            "same name": finished_run,
            "baseline's name": f"grey={finished_run}",
            "noise of a model": tiny_model,
        }.get(case, finished_run)
    ]
    models += [finished_run] * (case == "same name")
    data = {"empty folder": empty, "missing folder": tmp_path / "x", "only grey": grey}
    words = ["evaluate", *models, "--data", data.get(case, colors), "--out", tmp_path / "out"]
    words += ["--noise-seed", 1] * (case == "noise of a model")
    assert _main(monkeypatch, *words) == code
    captured = capsys.readouterr()
    [line] = captured.err.split("\r")[-1].splitlines()  # after bars that have wiped themselves
    assert line.startswith("error: ") and said in line
    assert captured.out == ""
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "5,x"], "--epochs is a list of numbers like 5,15,30, not '5,x'"),
        (["--photographs", "none"], "none: no such folder"),
        (["--old", "none"], "none: no such folder"),
    ],
)
def test_plot_refuses(
    monkeypatch: pytest.MonkeyPatch,
    finished_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    words: list[str],
    said: str,
) -> None:
    """One line, exit code 2, and nothing drawn."""
    monkeypatch.chdir(tmp_path)
    assert _main(monkeypatch, "plot", finished_run, "--out", "out", *words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
