"""Whole runs, small: what they write, and that killing them changes nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

import training.train
from colorbatch.errors import UsageError
from training.config import TrainConfig, load_recipe, override
from training.data import PhotoCache
from training.step import Players, train_step
from training.train import (
    Stopwatch,
    choose_precision,
    cut_log,
    planned_steps,
    scheduled,
    train,
)

pytestmark = pytest.mark.slow

Photos = tuple[Path, Path]
Start = Callable[[Path], subprocess.Popen[str]]
LOSSES = ("loss_D_real", "loss_D_fake", "loss_D", "loss_G_GAN", "loss_G_pixel", "loss_G")


def _quiet(_: str) -> None:
    pass


def _rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _state(run: Path) -> dict[str, object]:
    return torch.load(run / "checkpoint.pt", weights_only=True)


def _wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    limit = time.monotonic() + 600  # against hanging only
    while not (run / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.001)


# --- what a run writes -------------------------------------------------------------------------


def test_log(finished_run: Path) -> None:
    """Every step has its line with all losses that play a part, and they add up."""
    rows = _rows(finished_run / "log.jsonl")
    assert [set(row) - set(LOSSES) for row in rows] == [
        {"step", "epoch", "rate", "loss_G_features"}
    ] * 12
    assert {row["loss_G_features"] for row in rows} == {None}
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
        "run.json",
        "samples",
        "validation.jsonl",
    }


def test_record(finished_run: Path, photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """`run.json` has what it takes to make the run again: its settings do, as a recipe of their
    own, with the steps that a time budget came to; and it names every photograph."""
    record = json.loads((finished_run / "run.json").read_text("utf-8"))
    assert set(record) == {"commit", "settings", "init", "backbone", "training", "validation"}
    assert override(TrainConfig(), record["settings"]) == tiny
    assert (record["init"], record["backbone"]) == ("", "")
    for folder, name in zip(photos, ("training", "validation"), strict=True):
        assert sorted(record[name]) == sorted(path.name for path in folder.iterdir())
    budget = dataclasses.replace(tiny, steps=0, time_budget=1e-6, validate_every=99)
    assert train(budget, *photos, tmp_path / "run", say=_quiet)
    settings = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["settings"]
    assert (settings["steps"], settings["time_budget"]) == (1, 0)  # used up by the first step


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


class _KilledError(Exception):
    """Ends a run between two checkpoints, as a power cut does: nothing is saved."""


EMBEDDED = dataclasses.replace(
    load_recipe("embedded"),
    **{"width": 16, "discriminator_width": 8, "size": 64, "batch_size": 4, "precision": "fp32"},
    **{"rotation": 5.0, "noise": 1.0, "dropout": 0.2, "pretrain": 0.25, "warm_up": 2},
    **{"steps": 4, "checkpoint_every": 2, "validate_every": 99},
)
"""What the sources do not have, all at once and small, with what the recipe itself leaves out."""
TERMS = ("GAN", "projected", "features", "consistency", "distribution")


def test_killed_and_resumed_with_newer_settings(
    assert_same_result: Callable[[Path, Path], None],
    photos: Photos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Second views, old scans, shares of gradients, spectral norm, frozen parts, two
    discriminators: all that they keep between steps is in the checkpoint, so a killed run ends
    bit-identical here as well."""
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    options: dict[str, Any] = {"cache": tmp_path / "cache", "say": _quiet}
    options["backbones"] = ("imagenet",)  # of packages that are installed: no network
    monkeypatch.setattr(training.train, "CALIBRATION_BATCHES", 2)  # they are forward passes alone
    assert train(EMBEDDED, *photos, whole, **options)
    rows = _rows(whole / "log.jsonl")
    assert all(row["loss_G_consistency"] > 0 for row in rows)
    assert all(math.isfinite(row[f"loss_G_{name}"]) for row in rows[1:] for name in TERMS)
    assert [row["loss_D"] is None for row in rows] == [True, False, False, False]
    steps = []

    def step(*args: Any, **named: Any) -> dict[str, float | None]:
        steps.append(named["progress"])
        if len(steps) == 4:
            raise _KilledError
        return train_step(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(training.train, "train_step", step)
        with pytest.raises(_KilledError):
            train(EMBEDDED, *photos, parted, **options)
    assert _state(parted)["progress"]["step"] == 2
    assert set(_state(parted)["balance"]["norms"]) == set(TERMS)
    assert train(EMBEDDED, *photos, parted, **options)
    assert_same_result(parted, whole)


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


class _Clock:
    """A clock that each step moves by a second, in place of waiting for real ones."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[float] = []
        self.interrupted_at = 0

    def monotonic(self) -> float:
        return self.now

    def step(self, *args: Any, progress: float, **named: Any) -> dict[str, float | None]:
        self.told.append(progress)
        self.now += 1
        if len(self.told) == self.interrupted_at:
            signal.raise_signal(signal.SIGINT)
        return train_step(*args, progress=progress, **named)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The clock that the trainer reads."""
    clock = _Clock()
    monkeypatch.setattr(training.train, "time", clock)
    monkeypatch.setattr(training.train, "train_step", clock.step)
    monkeypatch.setattr(training.train, "CALIBRATION_BATCHES", 1)  # the weights play no part
    return clock


# 3.75 seconds; exact in binary, as are the clock's
BUDGET: dict[str, Any] = {
    **{"steps": 0, "time_budget": 0.0625, "validate_every": 99, "checkpoint_every": 99},
    **{"schedule": "cosine", "final_rate": 0.1},
}
SHARES = [0.0, 1 / 3.75, 2 / 3.75, 3 / 3.75]


def _rate(share: float) -> float:
    """From 1 to 0.1 along half a cosine."""
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share))


def test_time_budget(photos: Photos, tiny: TrainConfig, tmp_path: Path, clock: _Clock) -> None:
    """The step in which the time is over is the last; stages and rates follow the clock."""
    run = tmp_path / "run"
    config = dataclasses.replace(tiny, **BUDGET, pretrain=0.5)
    assert train(config, *photos, run, say=_quiet)
    assert clock.told == pytest.approx(SHARES)
    rows = _rows(run / "log.jsonl")
    assert [row["rate"] for row in rows] == pytest.approx([_rate(share) for share in SHARES])
    assert [row["loss_D"] is None for row in rows] == [True, True, False, False]
    progress = _state(run)["progress"]
    assert (progress["step"], progress["steps"], progress["seconds"]) == (4, 0, 4.0)
    # the same command again adds nothing
    assert train(config, *photos, run, say=_quiet)
    assert len(clock.told) == 4
    assert _state(run)["progress"] == progress


def test_time_budget_over_two_sittings(
    photos: Photos, tiny: TrainConfig, tmp_path: Path, clock: _Clock
) -> None:
    """What an earlier sitting trained counts, the time between them does not."""
    run = tmp_path / "run"
    config = dataclasses.replace(tiny, **BUDGET)
    clock.interrupted_at = 2
    assert not train(config, *photos, run, say=_quiet)
    assert _state(run)["progress"]["seconds"] == 2.0
    settings = json.loads((run / "run.json").read_text("utf-8"))["settings"]
    assert (settings["steps"], settings["time_budget"]) == (0, 0.0625)  # not known yet
    clock.now += 5000
    said: list[str] = []
    assert train(config, *photos, run, say=said.append)
    assert "going on from step 2, 0 minutes" in said
    assert clock.told == pytest.approx(SHARES)
    progress = _state(run)["progress"]
    assert (progress["step"], progress["seconds"]) == (4, 4.0)
    rates = [row["rate"] for row in _rows(run / "log.jsonl")]
    assert rates == pytest.approx([_rate(share) for share in SHARES])
    settings = json.loads((run / "run.json").read_text("utf-8"))["settings"]
    assert (settings["steps"], settings["time_budget"]) == (4, 0)


def test_older_run_with_a_time_budget(
    finished_run: Path, photos: Photos, tiny: TrainConfig, tmp_path: Path, clock: _Clock
) -> None:
    """A run whose time budget once became a number of steps has ended with them."""
    run = tmp_path / "run"
    run.mkdir()
    state = _state(finished_run)
    state["config"] |= {"steps": 0, "time_budget": 1.0}
    del state["progress"]["seconds"]
    torch.save(state, run / "checkpoint.pt")
    config = dataclasses.replace(tiny, steps=0, time_budget=1.0)
    assert train(config, *photos, run, say=_quiet)
    assert clock.told == []
    settings = json.loads((run / "run.json").read_text("utf-8"))["settings"]
    assert (settings["steps"], settings["time_budget"]) == (12, 0)


def test_stopwatch(clock: _Clock, tiny: TrainConfig) -> None:
    """Every tenth step is timed, and tells how much of the time is the networks'."""
    watch = Stopwatch(torch.device("cpu"))
    assert watch.words(tiny) == "no step was timed"
    for step in range(5, 25):
        for name, seconds in (("batches", 1), ("networks", 4)):
            with watch.part(name, step):
                clock.now += seconds if step % 10 == 0 else 100
    assert (watch.batches, watch.networks, watch.timed) == (2, 8, 2)
    # two steps of four pictures in ten seconds
    assert watch.words(tiny) == "0.8 pictures a second, 80% of it in the networks"


def test_share_of_the_networks_is_said(photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """A run ends with its speed, and with the share of time that its networks had."""
    said: list[str] = []
    train(dataclasses.replace(tiny, steps=1), *photos, tmp_path / "run", say=said.append)
    pattern = (
        r"done: 1 steps in [0-9.]+ minutes; [0-9.]+ pictures a second, (\d+)% of it in the net"
    )
    found = re.match(pattern, said[-1])
    assert found and 0 < int(found[1]) <= 100
    # a run that has ended has timed nothing
    train(dataclasses.replace(tiny, steps=1), *photos, tmp_path / "run", say=said.append)
    assert said[-1].endswith("no step was timed")


def test_rate_decays(photos: Photos, tiny: TrainConfig, tmp_path: Path) -> None:
    """A cosine schedule reaches the optimizers of both players, from the first step to the last."""
    run = tmp_path / "run"
    config = dataclasses.replace(
        tiny, steps=5, schedule="cosine", checkpoint_every=99, validate_every=99
    )
    assert train(config, *photos, run, say=_quiet)
    rates = [row["rate"] for row in _rows(run / "log.jsonl")]
    assert rates == pytest.approx([0.5 * (1 + math.cos(math.pi * i / 5)) for i in range(5)])
    for name in ("optimizer_g", "optimizer_d"):
        [group] = _state(run)[name]["param_groups"]
        assert group["lr"] == pytest.approx(2e-4 * rates[-1])


def test_planned_steps(
    tiny: TrainConfig, cache_of: Callable[[Sequence[np.ndarray]], PhotoCache]
) -> None:
    """Steps as given, else whole epochs of whole batches of what an epoch sees."""
    cache = cache_of([np.zeros((8, 8, 3), np.uint8)] * 18)
    assert planned_steps(tiny, cache) == 12
    epochs = dataclasses.replace(tiny, steps=0, epochs=3)
    assert planned_steps(epochs, cache) == 12
    assert planned_steps(epochs, dataclasses.replace(cache, seen=(9,))) == 6
    assert planned_steps(dataclasses.replace(epochs, pairs=0.5), cache) == 27


@pytest.mark.parametrize(
    ("ema_decay", "expected"),
    [
        (0.999, [1 / 10, 2 / 11, 3 / 12, 4 / 13]),
        (0.2, [1 / 10, 2 / 11, 0.2, 0.2]),
        (0.0, [0.0] * 4),
    ],
)
def test_average_warms_up(
    photos: Photos,
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ema_decay: float,
    expected: list[float],
) -> None:
    """The first steps' average follows faster: (1 + n) / (10 + n), up to the settings' decay."""
    config = dataclasses.replace(
        tiny, steps=4, ema_decay=ema_decay, checkpoint_every=99, validate_every=99
    )
    decays, values = [], []

    def spy(players: Players, *args: object, **options: float) -> dict[str, float | None]:
        losses = train_step(players, *args, **options)
        decays.append(options["ema_decay"])
        values.append([next(n.parameters()).clone() for n in (players.generator, players.average)])
        return losses

    monkeypatch.setattr(training.train, "train_step", spy)
    assert train(config, *photos, tmp_path / "run", say=_quiet)
    assert decays == pytest.approx(expected)
    for (_, before), (own, average), decay in zip(values, values[1:], expected[1:], strict=False):
        # float32 rounding of weights around 0.02
        assert torch.allclose(average, decay * before + (1 - decay) * own, atol=1e-7)


def test_schedule(finished_run: Path, tiny: TrainConfig) -> None:
    """Constant is 1 throughout; a cosine starts at 1, is half way down in the middle, and ends at
    `final_rate`."""
    for final in (0.0, 0.2):
        cosine = dataclasses.replace(tiny, schedule="cosine", final_rate=final)
        at = [scheduled(cosine, 7, share) for share in (0, 0.25, 0.5, 1)]
        down = [0, 0.5 - 0.5 * math.sqrt(0.5), 0.5, 1]
        assert at == pytest.approx([1 - (1 - final) * part for part in down])
    assert scheduled(tiny, 99, 0.99) == 1
    assert {row["rate"] for row in _rows(finished_run / "log.jsonl")} == {1.0}


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up(tiny: TrainConfig, schedule: str) -> None:
    """The rates rise in equal steps to what the schedule says, which is reached at the last one."""
    config = dataclasses.replace(tiny, warm_up=4, schedule=schedule)
    plain = dataclasses.replace(config, warm_up=0)
    shares = [step / 10 for step in range(10)]
    found = [scheduled(config, step, share) for step, share in enumerate(shares)]
    wanted = [scheduled(plain, step, share) for step, share in enumerate(shares)]
    factors = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]
    assert found == pytest.approx([a * b for a, b in zip(factors, wanted, strict=True)])


def test_precision() -> None:
    """A named precision is taken as it is."""
    cpu = torch.device("cpu")
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)):
        assert choose_precision(name, cpu) == dtype
    automatic = choose_precision("auto", cpu)
    assert automatic in (torch.bfloat16, torch.float32)
