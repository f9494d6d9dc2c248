"""Generators between two runs, and a run's weights as a file."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from colorbatch.errors import UsageError
from export.card import make_card
from training import checkpoint, cli, train
from training.average import average, joined, write_weights
from training.checkpoint import Progress
from training.config import TrainConfig
from training.data import Folder, decoded_photographs, is_validation
from training.models import open_model
from training.step import Players, make_players, train_step

Photos = tuple[Path, Path]
CPU = torch.device("cpu")
PROGRESS = Progress(step=5, steps=9, data_digest="abc", photographs=7)


@pytest.fixture(autouse=True)
def few_batches(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Statistics from two batches are enough, but where they are compared with a run's own."""
    if "itself" not in request.node.name:
        monkeypatch.setattr(train, "CALIBRATION_BATCHES", 2)


def _main(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["training", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _players(config: TrainConfig, steps: int = 0) -> Players:
    players = make_players(config, CPU, torch.float32)
    rng = torch.Generator().manual_seed(3)
    for _ in range(steps):
        lightness, chroma = torch.rand(2, 3, 64, 64, generator=rng).split((1, 2), dim=1)
        train_step(players, config, lightness, chroma, torch.float32)
    return players


def _run(
    folder: Path, config: TrainConfig, steps: int = 0, history: checkpoint.History | None = None
) -> Players:
    folder.mkdir(parents=True)
    players = _players(config, steps)
    checkpoint.save(folder, config, PROGRESS, players, history or [])
    return players


@pytest.fixture
def two(tmp_path: Path, tiny: TrainConfig) -> tuple[Path, Path]:
    """Two runs of one network from different seeds, the second with a trained discriminator."""
    _run(tmp_path / "a", tiny)
    _run(tmp_path / "b", dataclasses.replace(tiny, seed=1), steps=2)
    return tmp_path / "a", tmp_path / "b"


def _parameters(run: Path) -> dict[str, Tensor]:
    return dict(checkpoint.trained_generator(checkpoint.load(run)).named_parameters())


def _silent(_: str) -> None:
    """Says nothing."""


def test_weights_between(two: tuple[Path, Path], photos: Photos, tmp_path: Path) -> None:
    """A + share x (B - A); at the ends exactly A's and B's. All else is B's."""
    first, second = (_parameters(run) for run in two)
    for share in (0.0, 0.35, 1.0):
        out = tmp_path / f"c{share}"
        average(*two, share, out, data=[Folder(photos[0])], cache=tmp_path / "cache", say=_silent)
        for name, value in _parameters(out).items():
            wanted = first[name].double() + share * (second[name].double() - first[name].double())
            # float32 rounding of weights around 0.02 and 1
            allowed = 0 if share in (0, 1) else 2e-7
            assert (value.double() - wanted).abs().max() <= allowed, name
        if share in (0, 1):  # and so are the statistics of batch norm
            end = checkpoint.load(two[round(share)])["ema"]
            made = checkpoint.load(out)["ema"]
            assert all(torch.equal(made[name], value) for name, value in end.items())
        state, theirs = checkpoint.load(out), checkpoint.load(two[1])
        assert state["config"] == theirs["config"]
        assert all(torch.equal(state["ema"][k], state["generator"][k]) for k in state["ema"])
        mine = state["discriminator"]
        assert all(torch.equal(v, mine[k]) for k, v in theirs["discriminator"].items())
        assert not (state["optimizer_g"] or state["optimizer_d"] or state["scaler"])
        assert state["history"][-1]["summary"] == f"between a and b, share {share:g}"
        record = json.loads((out / "run.json").read_text("utf-8"))
        assert record["share"] == share
        assert [text.split()[0] for text in record["between"]] == ["a", "b"]
        assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pt", "run.json"]


@pytest.mark.parametrize("generator", ["unet", "resnet18", "lite-unet"])
def test_gain(generator: str, tiny: TrainConfig, photos: Photos, tmp_path: Path) -> None:
    """What tanh makes colors of is multiplied: where they are pale, the colors are."""
    config = dataclasses.replace(tiny, generator=generator, width=16, crop=1.0)
    _run(tmp_path / "a", config)
    made = {}
    for gain in ((1.0,), (1.25,), (0.8, 1.5)):
        out = tmp_path / f"gain{gain[0]}"
        folders, cache = [Folder(photos[0])], tmp_path / "cache"
        run = tmp_path / "a"
        average(run, run, 0.5, out, gain=gain, data=folders, cache=cache, say=_silent)
        state = checkpoint.load(out)
        network = checkpoint.trained_generator(state)
        condition = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64)
        made[gain] = network(condition).double()
    # float32 sums before tanh; float64 behind it
    plain = made[(1.0,)].atanh()
    assert (made[(1.25,)].atanh() - 1.25 * plain).abs().max() < 1e-5
    wanted = torch.stack([0.8 * plain[:, 0], 1.5 * plain[:, 1]], dim=1)
    assert (made[(0.8, 1.5)].atanh() - wanted).abs().max() < 1e-5
    assert made[(1.0,)].abs().amax(dim=(0, 2, 3)).min() > 1e-3
    assert state["history"][-1]["summary"] == "between a and a, share 0.5, gain 0.8, 1.5"


def test_from_weights_alone(two: tuple[Path, Path], photos: Photos, tmp_path: Path) -> None:
    """A file of weights stands for a run; one of another network is refused in one line."""
    file = tmp_path / "start.safetensors"
    write_weights(two[0], file)
    out = tmp_path / "c"
    folders, cache = [Folder(photos[0])], tmp_path / "cache"
    average(file, two[1], 0.25, out, data=folders, cache=cache, say=_silent)
    first, second = (_parameters(run) for run in two)
    for name, value in _parameters(out).items():
        wanted = first[name] + 0.25 * (second[name] - first[name])
        # float16 in the file: half a step of weights up to 0.125 is 2^-15
        assert torch.allclose(value, wanted, rtol=0, atol=2**-15), name
    words = "between start.safetensors and b, share 0.25"
    assert checkpoint.load(out)["history"][-1]["summary"] == words
    broken = {k: v for k, v in safetensors.torch.load_file(file).items() if k != "up.0.1.weight"}
    safetensors.torch.save_file(broken, file)
    with pytest.raises(UsageError, match="of another network"):
        average(file, two[1], 0.5, tmp_path / "d", data=folders, cache=cache, say=_silent)


def test_between_a_run_and_itself(finished_run: Path, tmp_path: Path) -> None:
    """It is that run, to the bit, measured statistics too: what it has decoded is seen as it saw
    it."""
    out = tmp_path / "c"
    average(finished_run, finished_run, 0.35, out, say=_silent)
    state, theirs = checkpoint.load(out), checkpoint.load(finished_run)
    assert state["ema"].keys() == theirs["ema"].keys()
    for name, value in theirs["ema"].items():
        assert torch.equal(state["ema"][name], value), name
    assert len(state["history"]) == len(theirs["history"]) + 1


def test_what_takes_it(
    monkeypatch: pytest.MonkeyPatch,
    two: tuple[Path, Path],
    finished_run: Path,
    photos: Photos,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """`evaluate`, `plot`, the export's card and `--init` take it; it does not go on itself."""
    out = tmp_path / "c"
    cache = ["--cache", tmp_path / "cache"]
    data = ["--data", f"{photos[0]}:0.5"]
    assert _main(monkeypatch, "average", *two, "--share", 0.35, "--out", out, *data, *cache) == 0
    said = capsys.readouterr().out.splitlines()
    # four fifths of 16, and what the others hold is not looked at
    training = [path for path in photos[0].iterdir() if not is_validation(path.name)]
    assert said[0] == f"statistics of batch norm from {len(training)} photographs"
    assert said[1] == f"{out}: between a and b, share 0.35"

    model = open_model(out)
    history = model.about["history"]
    assert isinstance(history, list) and history[-1] == "between a and b, share 0.35"
    assert _main(monkeypatch, "evaluate", out, "--data", photos[1]) == 0
    assert "c" in capsys.readouterr().out
    state = checkpoint.load(out)
    texts = {"training_data": "", "licences": ""}
    generator = checkpoint.trained_generator(state)
    card = make_card("c", state, generator, (64, 64), check=None, texts=texts)
    assert card.history[-1] == "between a and b, share 0.35"

    shown = ["--photographs", photos[1], "--count", 1, "--side", 64, "--epochs", 1]
    assert _main(monkeypatch, "plot", out, finished_run, "--out", tmp_path / "p", *shown) == 0
    names = {path.name for path in (tmp_path / "p").iterdir()}
    assert names == {"run-losses.png", "run-epochs.png", "triptychs.png"}
    assert _main(monkeypatch, "plot", out, "--out", tmp_path / "q") == 2
    assert "between two others has no curves" in capsys.readouterr().err

    tiny = checkpoint.config_of(state)
    mine = make_players(dataclasses.replace(tiny, seed=7), CPU, torch.float32)
    assert len(checkpoint.start_from(out, mine)) == 3
    for mine_too, key in ((mine.generator, "ema"), (mine.discriminator, "discriminator")):
        found = mine_too.state_dict()
        assert all(torch.equal(found[name], value) for name, value in state[key].items())
    with pytest.raises(UsageError, match=r"c lies between two others; begin a new run"):
        train.train(tiny, *photos, out, cache=tmp_path / "cache", say=_silent)


def test_photographs(two: tuple[Path, Path], photos: Photos, tmp_path: Path) -> None:
    """Decoded photographs are used as they are, whole or without the fifth that is held out; only
    where there are none is something decoded."""
    cache = two[1] / "cache"
    training = {path.name for path in photos[0].iterdir() if not is_validation(path.name)}
    everything = {path.name for path in photos[0].iterdir()}
    assert training < everything
    folders = [Folder(photos[0])]
    for i, expected in enumerate((training, training, everything)):
        if i == 2:  # as a run with --val has it
            shutil.rmtree(cache)
            config = checkpoint.config_of(checkpoint.load(two[1]))
            train.open_caches(folders, photos[1], cache, config)
        before = set(cache.glob("*"))
        average(*two, 0.5, tmp_path / f"c{i}", data=folders, say=_silent)
        record = json.loads((tmp_path / f"c{i}" / "run.json").read_text("utf-8"))
        assert set(record["training"]) == expected
        assert len(set(cache.glob("*")) - before) == (2 if i == 0 else 0)
    found = decoded_photographs(cache)
    assert found is not None and set(found.names) == everything
    # without --data, those
    average(two[0], two[1] / "checkpoint.pt", 0.5, tmp_path / "d", say=_silent)
    record = json.loads((tmp_path / "d" / "run.json").read_text("utf-8"))
    assert set(record["training"]) == everything


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        ({"width": 16}, [], "a and {b} are different networks (width: 8 -> 16)"),
        ({"relu_limit": 6.0}, [], "different networks (relu_limit: 0.0 -> 6.0)"),
        ({"color_space": "rgb"}, [], "different networks (color_space: lab -> rgb)"),
        ({}, ["--share", "1.01"], "the share is at least 0 and at most 1, not 1.01"),
        ({}, ["--share", "-0.1"], "the share is at least 0 and at most 1, not -0.1"),
        ({}, ["--share", "nan"], "the share is at least 0 and at most 1, not nan"),
        ({}, ["--out", "{b}"], "b is there already"),
        ({}, [], "b/cache has no photographs: name some with --data"),
        ({}, ["--data", "{b}/nowhere"], "nowhere: no such folder"),
        ({}, ["--data", "{b}"], "no color photographs for training in {b}"),
    ],
)
def test_refusals(
    monkeypatch: pytest.MonkeyPatch,
    tiny: TrainConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    change: dict[str, Any],
    words: list[str],
    said: str,
) -> None:
    """One line and exit code 2, and nothing is made."""
    _run(tmp_path / "a", tiny)
    _run(tmp_path / "b", dataclasses.replace(tiny, **change))
    b, out = str(tmp_path / "b"), tmp_path / "c"
    words = ["--share", "0.5", "--out", str(out), *(word.format(b=b) for word in words)]
    assert _main(monkeypatch, "average", tmp_path / "a", b, *words) == 2
    # where a bar of decoding was drawn and cleared, its line is empty again
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith("decode:")]
    assert len(lines) == 1 and lines[0].startswith("error: ") and said.format(b=b) in lines[0]
    assert not out.exists()
    assert _main(monkeypatch, "average", tmp_path / "a", tmp_path / "x", *words) == 2


def test_frozen_parts_stay(tiny: TrainConfig, photos: Photos, tmp_path: Path) -> None:
    """A frozen encoder's statistics are kept where both runs have the same, and measured where they
    do not."""
    config = dataclasses.replace(tiny, generator="lite-unet", width=16, freeze_encoder=True)
    players = _run(tmp_path / "a", config)
    frozen = [
        norm
        for part in players.average.frozen()
        for norm in part.modules()
        if isinstance(norm, nn.BatchNorm2d)
    ]
    learning = next(m for m in players.average.up.modules() if isinstance(m, nn.BatchNorm2d))
    for norm in (*frozen, learning):
        norm.running_mean.fill_(7)
    for name in ("a", "b"):  # "c" has another frozen encoder
        (tmp_path / name).mkdir(exist_ok=True)
        checkpoint.save(tmp_path / name, config, PROGRESS, players, [])
    _run(tmp_path / "c", dataclasses.replace(config, seed=1))
    for other, kept in (("b", True), ("c", False)):
        out = tmp_path / f"between-{other}"
        pair = tmp_path / other, tmp_path / "a"
        average(*pair, 0.5, out, data=[Folder(photos[0])], cache=tmp_path / "x", say=_silent)
        made = checkpoint.trained_generator(checkpoint.load(out))
        means = [
            norm.running_mean
            for part in made.frozen()
            for norm in part.modules()
            if isinstance(norm, nn.BatchNorm2d)
        ]
        assert means and all(bool((mean == 7).all()) == kept for mean in means)
        measured = next(m for m in made.up.modules() if isinstance(m, nn.BatchNorm2d))
        assert not (measured.running_mean == 7).any()


def test_joined_history() -> None:
    """What both runs begin with is told once, the first run's own part before the second's."""
    parts = [{"images": i, "commit": "", "summary": str(i)} for i in range(5)]
    assert joined(parts[:3], [*parts[:2], parts[4]]) == [*parts[:3], parts[4]]
    assert joined(parts[:2], parts[:3]) == parts[:3]
    assert joined([], parts[:1]) == parts[:1]


# --- weights alone -----------------------------------------------------------------------------


def test_weights(
    monkeypatch: pytest.MonkeyPatch,
    two: tuple[Path, Path],
    tiny: TrainConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """Kernels in float16, vectors in float32, counters as they are; `--init` starts the same
    generator, to float16's rounding, and the discriminator."""
    file = tmp_path / "new" / "b.safetensors"
    assert _main(monkeypatch, "weights", two[1], "-o", file) == 0
    assert capsys.readouterr().out.startswith(f"{file}: ")
    assert [path.name for path in file.parent.iterdir()] == ["b.safetensors"]
    weights = safetensors.torch.load_file(file)
    state = checkpoint.load(two[1])
    wanted = dict(state["ema"])
    wanted |= {f"discriminator.{name}": value for name, value in state["discriminator"].items()}
    assert weights.keys() == wanted.keys()
    for name, value in weights.items():
        kind = torch.float16 if value.ndim > 1 else torch.float32
        assert value.dtype == (kind if wanted[name].is_floating_point() else torch.int64), name

    mine = make_players(dataclasses.replace(tiny, seed=7), CPU, torch.float32)
    checkpoint.start_from(file, mine)
    found = mine.generator.state_dict()
    found |= {f"discriminator.{k}": v for k, v in mine.discriminator.state_dict().items()}
    for name, value in wanted.items():
        # float16 has 11 bits, and below 2^-14 steps of 2^-24
        allowed = value.abs() * 2**-11 + 2**-25 if value.ndim > 1 else 0
        assert ((found[name] - value).abs() <= allowed).all(), name


def test_weights_of_both_discriminators(tiny: TrainConfig, tmp_path: Path) -> None:
    """A projected one has its own names; one that has learnt nothing is left out."""

    class Maps(nn.Module):
        channels = (8, 16)

        def forward(self, rgb: Tensor) -> list[Tensor]:
            wide = rgb.repeat(1, 6, 1, 1)
            sizes = zip(self.channels, (4, 8), strict=True)
            return [nn.functional.avg_pool2d(wide[:, :count], side) for count, side in sizes]

    config = dataclasses.replace(
        tiny, projected_share=0.5, gan_weight=0.0, discriminator_norm="spectral"
    )
    players = make_players(config, CPU, torch.float32, Maps())
    assert players.projected is not None

    def starts(file: Path) -> set[str]:
        names = safetensors.torch.load_file(file)
        found = ("discriminator.", "projected.")
        return {start for start in found if any(name.startswith(start) for name in names)}

    file = tmp_path / "x.safetensors"
    checkpoint.save(tmp_path, config, PROGRESS, players, [])
    write_weights(tmp_path, file)
    assert starts(file) == set()
    batch = torch.rand(2, 3, 64, 64).split((1, 2), dim=1)
    train_step(players, config, *batch, torch.float32)
    checkpoint.save(tmp_path, config, PROGRESS, players, [])
    write_weights(tmp_path / "checkpoint.pt", file)
    assert starts(file) == {"projected."}
    mine = make_players(dataclasses.replace(config, seed=7), CPU, torch.float32, Maps())
    checkpoint.start_from(file, mine)
    assert mine.projected is not None
    for mine_too, theirs in zip(
        mine.projected.parameters(), players.projected.parameters(), strict=True
    ):
        # float16 has 11 bits, and below 2^-14 steps of 2^-24
        assert ((mine_too - theirs).abs() <= theirs.abs() * 2**-11 + 2**-25).all()


def test_weights_refused(
    monkeypatch: pytest.MonkeyPatch,
    two: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """Other names of files, and what is no run: one line, and no file."""
    for run, name, said in (
        (two[1], "b.pt", "b.pt: a file of weights is called NAME.safetensors"),
        (tmp_path / "x", "b.safetensors", "no such checkpoint"),
    ):
        assert _main(monkeypatch, "weights", run, "-o", tmp_path / name) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert said in line
        assert not (tmp_path / name).exists()
