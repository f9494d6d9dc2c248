"""Whole runs, small: what they write, and that killing them changes nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from colorbatch.errors import UsageError
from training.checkpoint import Progress
from training.config import TrainConfig
from training.train import choose_precision, cut_log, planned_steps, scheduled, train

Photos = tuple[Path, Path]
Start = Callable[[Path], subprocess.Popen[str]]
LOSSES = ("loss_D_real", "loss_D_fake", "loss_D", "loss_G_GAN", "loss_G_pixel", "loss_G")


def _quiet(_: str) -> None:
    pass


def _rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _state(run: Path) -> dict[str, object]:
    return torch.load(run / "checkpoint.pt", weights_only=True)


@pytest.fixture
def assert_same_result(flat: Callable[[object], dict[str, object]]) -> Callable[[Path, Path], None]:
    """Two runs have the same state, tensors to the bit, and the same logs."""
    return lambda run, reference: _compare(flat, run, reference)


def _compare(flat: Callable[[object], dict[str, object]], run: Path, reference: Path) -> None:
    found, expected = flat(_state(run)), flat(_state(reference))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name.endswith(".commit"):
            continue  # of the source; somebody may commit while the tests run
        if isinstance(value, torch.Tensor):
            assert torch.equal(found[name], value), name
        else:
            assert found[name] == value, name
    assert _rows(run / "log.jsonl") == _rows(reference / "log.jsonl")
    assert _rows(run / "validation.jsonl") == _rows(reference / "validation.jsonl")


def _wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    limit = time.monotonic() + 600  # against hanging only
    while not (run / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.001)


# --- what a run writes -------------------------------------------------------------------------


def test_log(finished_run: Path) -> None:
    """Every step has its line with all six losses, and they add up."""
    rows = _rows(finished_run / "log.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert [row["epoch"] for row in rows] == [0] * 4 + [1] * 4 + [2] * 4  # 16 photographs by 4
    for row in rows:
        assert all(math.isfinite(row[name]) for name in LOSSES)
        mean = (row["loss_D_real"] + row["loss_D_fake"]) / 2
        total = row["loss_G_GAN"] + 100 * row["loss_G_pixel"]
        assert row["loss_D"] == pytest.approx(mean, rel=1e-6)  # float32 rounding
        assert row["loss_G"] == pytest.approx(total, rel=1e-6)


def test_validation_log(finished_run: Path) -> None:
    """After every epoch the averaged generator is measured, beside grey and the truth."""
    rows = _rows(finished_run / "validation.jsonl")
    assert [row["step"] for row in rows] == [4, 8, 12]
    for row in rows:
        assert set(row) == {
            "step",
            "ab_error",
            "ab_error_grey",
            "ab_error_relative",
            "psnr",
            "colorfulness",
            "colorfulness_truth",
        }
        relative = row["ab_error"] / row["ab_error_grey"]
        assert row["ab_error_relative"] == pytest.approx(relative)
    # 12 steps teach next to nothing: still about as far from the truth as grey
    assert rows[-1]["ab_error_relative"] == pytest.approx(1, abs=0.1)
    assert rows[-1]["colorfulness_truth"] > 10


def test_pictures(finished_run: Path, photos: Photos) -> None:
    """Sample sheets show grey, colored and truth side by side; the curves are a picture."""
    sheets = sorted((finished_run / "samples").iterdir())
    assert [sheet.name for sheet in sheets] == ["0000004.png", "0000008.png", "0000012.png"]
    with Image.open(sheets[-1]) as image:
        sheet = np.asarray(image).astype(int)
    assert sheet.shape == (4 * 64, 3 * 64, 3)
    grey, colored, truth = np.split(sheet, 3, axis=1)
    assert np.ptp(grey, axis=2).max() <= 1  # neutral to one code, from float32 Lab
    # all three show the same picture
    for other in (grey, colored):
        assert np.corrcoef(other.mean(axis=2).ravel(), truth.mean(axis=2).ravel())[0, 1] > 0.95
    found = []
    for path in sorted(photos[1].iterdir()):
        with Image.open(path) as image:
            # Pillow's box filter is an area average like ours, up to rounding of both
            found.append(np.asarray(image.resize((64, 64), Image.Resampling.BOX)).astype(int))
    for rows in np.split(truth, 4):
        assert min(np.abs(rows - photo).mean() for photo in found) < 4
    with Image.open(finished_run / "losses.png") as image:
        assert min(image.size) > 300
        image.load()


def test_nothing_else_is_left(finished_run: Path) -> None:
    """No temporary file stays in a run's folder."""
    names = {path.name for path in finished_run.iterdir()} - {"lock"}
    assert names == {
        "cache",
        "checkpoint.pt",
        "log.jsonl",
        "losses.png",
        "samples",
        "validation.jsonl",
    }


def test_device_is_said_first(photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """The first line of a run says what it runs on, the next ones how many photographs it has."""
    said: list[str] = []
    train(dataclasses.replace(tiny, steps=1), *photos, tmp_path / "run", say=said.append)
    assert said[0].startswith("device cpu") or said[0].startswith("device cuda")
    assert "training: 16 photographs (0 grey and 0 unreadable skipped)" in said
    assert "validation: 4 photographs (0 grey and 0 unreadable skipped)" in said


def test_learns_a_color(tiny: TrainConfig, tmp_path: Path) -> None:
    """Fifty steps on one flat orange picture bring the error far down."""
    (tmp_path / "data").mkdir()
    Image.new("RGB", (64, 64), (220, 110, 30)).save(tmp_path / "data" / "orange.png")
    config = dataclasses.replace(
        tiny, steps=50, gan_weight=0.0, learning_rate=2e-3, dropout=0.0, checkpoint_every=50
    )
    config = dataclasses.replace(config, validate_every=50, ema_decay=0.9)
    assert train(config, tmp_path / "data", tmp_path / "data", tmp_path / "run", say=_quiet)
    rows = _rows(tmp_path / "run" / "log.jsonl")
    assert rows[-1]["loss_G_pixel"] < 0.3 * rows[0]["loss_G_pixel"]
    assert all(row["loss_D"] is None and row["loss_G_GAN"] is None for row in rows)
    assert _rows(tmp_path / "run" / "validation.jsonl")[-1]["ab_error_relative"] < 0.6


# --- going on ----------------------------------------------------------------------------------


def test_killed_and_resumed(
    assert_same_result: Callable[[Path, Path], None],
    start_training: Start,
    finished_run: Path,
    tmp_path: Path,
) -> None:
    """A run that is killed and started again ends bit-identical to one that was left alone."""
    run = tmp_path / "run"
    process = start_training(run)
    _wait_for_checkpoint(process, run)
    process.kill()  # SIGKILL where there are signals
    assert process.wait(600) != 0
    step = _state(run)["progress"]["step"]
    assert 3 <= step < 12
    # what a later kill would have left: steps after the checkpoint, and half a line
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"step": step + 1, "loss_G": 1.0}) + '\n{"step": ')
    resumed = start_training(run)
    output, errors = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, errors
    assert f"going on from step {step} of 12" in output
    assert_same_result(run, finished_run)


@pytest.mark.skipif(os.name == "nt", reason="one process cannot send Ctrl-C to another there")
def test_interrupted_and_resumed(
    assert_same_result: Callable[[Path, Path], None],
    start_training: Start,
    finished_run: Path,
    photos: Photos,
    tiny: TrainConfig,
    tmp_path: Path,
) -> None:
    """Ctrl-C saves, says so and exits with 130; the next start ends as if nothing had been."""
    run = tmp_path / "run"
    process = start_training(run)
    _wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in errors
    step = _state(run)["progress"]["step"]
    assert 3 <= step < 12
    assert f"interrupted; saved at step {step}" in output
    assert [row["step"] for row in _rows(run / "log.jsonl")] == list(range(1, step + 1))
    assert train(tiny, *photos, run, say=_quiet)
    assert_same_result(run, finished_run)


def test_finished_run_stays(finished_run: Path, photos: Photos, tiny: TrainConfig) -> None:
    """The same command on a finished run does no step."""
    before = (finished_run / "log.jsonl").read_bytes()
    said: list[str] = []
    assert train(tiny, *photos, finished_run, say=said.append)
    assert "going on from step 12 of 12" in said
    assert (finished_run / "log.jsonl").read_bytes() == before


def test_other_settings_are_refused(finished_run: Path, photos: Photos, tiny: TrainConfig) -> None:
    """A run does not go on with other settings; each difference is named."""
    before = (finished_run / "checkpoint.pt").read_bytes()
    config = dataclasses.replace(tiny, learning_rate=1e-3, steps=20)
    with pytest.raises(UsageError) as caught:
        train(config, *photos, finished_run, say=_quiet)
    assert "learning_rate: 0.0002 -> 0.001" in str(caught.value)
    assert "steps: 12 -> 20" in str(caught.value)
    assert caught.value.exit_code == 2
    assert (finished_run / "checkpoint.pt").read_bytes() == before


def test_other_photographs_are_refused(
    finished_run: Path, photos: Photos, tiny: TrainConfig, tmp_path: Path
) -> None:
    """A run does not go on with other photographs: its epochs would be mixed up."""
    with pytest.raises(UsageError, match="other photographs"):
        train(tiny, photos[1], photos[1], finished_run, cache=tmp_path, say=_quiet)


def test_run_in_use(photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """Two runs never write to one folder; when the first is gone, the second may."""
    run = tmp_path / "run"
    run.mkdir()
    config = dataclasses.replace(tiny, steps=1)
    with FileLock(run / "lock"), pytest.raises(UsageError, match="in use") as caught:
        train(config, *photos, run, say=_quiet)
    assert caught.value.exit_code == 2
    assert not (run / "checkpoint.pt").exists()
    assert train(config, *photos, run, say=_quiet)
    with FileLock(run / "lock", timeout=0):  # given back, and not only at the process's end
        pass


def test_init(finished_run: Path, photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """`init` starts from the averaged weights of another run, and its history is kept."""
    run = tmp_path / "run"
    config = dataclasses.replace(tiny, steps=1, learning_rate=0.0)  # so that the weights stay
    assert train(config, *photos, run, init=finished_run, say=_quiet)
    first, second = _state(finished_run), _state(run)
    for name, value in first["ema"].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(second["generator"][name], value), name
    assert second["history"][:-1] == first["history"]
    assert [part["images"] for part in second["history"]] == [48, 4]  # 12 and 1 steps of 4
    # going on does not write the chapter twice
    assert train(config, *photos, run, init=finished_run, say=_quiet)
    assert _state(run)["history"] == second["history"]


@pytest.mark.parametrize(
    ("kept", "torn"), [(0, ""), (2, ""), (2, '{"step": 3, "lo'), (5, ""), (9, "\0\0\0")]
)
def test_cut_log(tmp_path: Path, kept: int, torn: str) -> None:
    """Lines after the step and a torn last line go; everything before stays as it was."""
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"step": step, "x": step / 3}) + "\n" for step in (1, 2, 4, 5)]
    path.write_text("".join(lines) + torn, "utf-8")
    cut_log(path, kept)
    expected = [line for line in lines if json.loads(line)["step"] <= kept]
    assert path.read_text("utf-8") == "".join(expected)
    cut_log(tmp_path / "none.jsonl", 3)
    assert not (tmp_path / "none.jsonl").exists()


# --- plans -------------------------------------------------------------------------------------


def test_time_budget(photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """A budget becomes a number of steps that is stored, and the rate decays over it."""
    run = tmp_path / "run"
    config = dataclasses.replace(
        tiny, steps=0, time_budget=0.02, schedule="cosine", checkpoint_every=5, validate_every=99
    )
    assert train(config, *photos, run, say=_quiet)
    progress = _state(run)["progress"]
    assert progress["step"] == progress["steps"] > 16  # 4 to warm up, 12 to count
    rows = _rows(run / "log.jsonl")
    assert [row["step"] for row in rows] == list(range(1, progress["steps"] + 1))
    rates = [row["rate"] for row in rows]
    assert rates[:16] == [1.0] * 16
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[16:]))
    steps = progress["steps"]
    last = 0.5 * (1 + math.cos(math.pi * (steps - 1) / steps))
    assert rates[-1] == pytest.approx(last)
    assert train(config, *photos, run, say=_quiet)  # the number stands: nothing is added
    assert _state(run)["progress"] == progress


def test_planned_steps(tiny: TrainConfig) -> None:
    """Steps as given, else whole epochs of whole batches, else open."""
    assert planned_steps(tiny, 16) == 12
    assert planned_steps(dataclasses.replace(tiny, steps=0, epochs=3), 18) == 12
    assert planned_steps(dataclasses.replace(tiny, time_budget=1.0), 16) == 0


def test_schedule(finished_run: Path, tiny: TrainConfig) -> None:
    """Constant is 1 throughout; a cosine starts at 1, is half way down in the middle, ends at 0."""
    cosine = dataclasses.replace(tiny, schedule="cosine")
    at = [scheduled(cosine, Progress(step, 100, "", 1)) for step in (0, 25, 50, 100)]
    assert at == pytest.approx([1, 0.5 + 0.5 * math.sqrt(0.5), 0.5, 0])
    assert scheduled(tiny, Progress(99, 100, "", 1)) == 1
    assert {row["rate"] for row in _rows(finished_run / "log.jsonl")} == {1.0}


def test_precision(tiny: TrainConfig) -> None:
    """A named precision is taken as it is."""
    cpu = torch.device("cpu")
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)):
        assert choose_precision(dataclasses.replace(tiny, precision=name), cpu) == dtype
    automatic = choose_precision(dataclasses.replace(tiny, precision="auto"), cpu)
    assert automatic in (torch.bfloat16, torch.float32)
