"""`python -m training`: options to settings, errors to one line and their exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training import cli

Photos = tuple[Path, Path]
SETTINGS = ["width=4", "discriminator_width=4", "levels=6", "size=64", "batch_size=4"]


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
    assert (config["recipe"], config["width"], config["steps"]) == ("unet", 4, 2)
    assert list((tmp_path / "cache").glob("train-*.rgb")) and not (first / "cache").exists()
    assert _main(monkeypatch, *_train(photos, second, "steps=1"), *cache, "--init", first) == 0
    assert f"starting with the weights of {first}" in capsys.readouterr().out


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
