"""Checkpoints: complete, loadable without pickles, and refused where they do not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from colorbatch.errors import ColorbatchError, UsageError
from training import checkpoint
from training.checkpoint import Progress
from training.config import TrainConfig
from training.step import Balance, Players, make_players, set_rates, train_step

CONFIG = TrainConfig(width=8, discriminator_width=8, levels=6, size=64, batch_size=2)
PROGRESS = Progress(step=5, steps=9, data_digest="abc", photographs=7)


JUDGED = dataclasses.replace(
    CONFIG, projected_share=0.5, gan_share=0.2, gan_mode="hinge", discriminator_norm="spectral"
)


class _Maps(nn.Module):
    """A frozen network of two maps, as a projected discriminator sees pictures."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, rgb: Tensor) -> list[Tensor]:
        wide = [rgb.repeat(1, -(-count // 3), 1, 1)[:, :count] for count in self.channels]
        return [nn.functional.avg_pool2d(x, 4 * 2**i) for i, x in enumerate(wide)]


def _players(
    config: TrainConfig = CONFIG, steps: int = 0, channels: tuple[int, int] = (8, 16)
) -> Players:
    features = _Maps(channels) if config.projected_share else None
    players = make_players(config, torch.device("cpu"), torch.float32, features)
    rng = torch.Generator().manual_seed(3)
    for _ in range(steps):
        lightness, chroma = torch.rand(2, 3, 64, 64, generator=rng).split((1, 2), dim=1)
        train_step(players, config, lightness, chroma, torch.float32)
    return players


@pytest.fixture
def same(flat: Callable[[object], dict[str, object]]) -> Callable[[object, object], bool]:
    """Whether two nested states are equal, tensors to the bit."""

    def equal(first: object, second: object) -> bool:
        a, b = flat(first), flat(second)
        return a.keys() == b.keys() and all(
            torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key]
            for key in a
        )

    return equal


def test_round_trip(same: Callable[[object, object], bool], tmp_path: Path) -> None:
    """What comes back is everything: networks, optimizers, random numbers, place, settings."""
    players = _players(steps=2)
    checkpoint.save(tmp_path, CONFIG, PROGRESS, players, [])
    upcoming = torch.rand(4)
    state = checkpoint.load(tmp_path)
    fresh = _players(dataclasses.replace(CONFIG, seed=9))
    assert checkpoint.restore(state, fresh) == PROGRESS
    assert torch.equal(torch.rand(4), upcoming)
    assert checkpoint.config_of(state) == CONFIG
    for name in ("generator", "discriminator", "average", "optimizer_g", "optimizer_d"):
        expected, found = getattr(players, name).state_dict(), getattr(fresh, name).state_dict()
        assert same(expected, found), name


def test_loads_without_pickles(tmp_path: Path) -> None:
    """PyTorch's safe loader takes the file, so it can hold no code."""
    checkpoint.save(tmp_path, CONFIG, PROGRESS, _players(steps=1), [])
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == 5
    assert state["config"]["width"] == 8
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_no_checkpoint(tmp_path: Path) -> None:
    """A folder or a file that is not there is a usage error that names it."""
    with pytest.raises(UsageError, match=r"checkpoint\.pt: no such checkpoint"):
        checkpoint.load(tmp_path)
    with pytest.raises(UsageError, match="nowhere"):
        checkpoint.load(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "tensor", "other dictionary"])
def test_broken_checkpoint(tmp_path: Path, kind: str) -> None:
    """A file that is no checkpoint of ours is refused in one line, whatever is in it."""
    path = tmp_path / "x.pt"
    if kind == "cut":
        checkpoint.save(tmp_path, CONFIG, PROGRESS, _players(), [])
        path.write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:5000])
    elif kind == "tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "other dictionary":
        torch.save({"state_dict": {"weight": torch.zeros(3)}}, path)
    else:
        path.write_bytes(b"" if kind == "empty" else b"hello")
    with pytest.raises(ColorbatchError, match=r"x\.pt: not a checkpoint of this project"):
        checkpoint.load(path)


def test_start_from_average(same: Callable[[object, object], bool], tmp_path: Path) -> None:
    """`--init` takes the averaged generator for both copies, and a trained discriminator."""
    theirs = _players(steps=3)
    checkpoint.save(tmp_path, CONFIG, PROGRESS, theirs, [])
    mine = _players(dataclasses.replace(CONFIG, seed=9))
    history = checkpoint.start_from(tmp_path, mine)
    average = theirs.average.state_dict()
    assert not same(average, theirs.generator.state_dict())
    assert same(mine.generator.state_dict(), average)
    assert same(mine.average.state_dict(), average)
    assert same(mine.discriminator.state_dict(), theirs.discriminator.state_dict())
    assert [part["images"] for part in history] == [10]  # 5 steps of 2
    assert "width=8" in history[0]["summary"]


def test_untrained_discriminator_is_not_taken(
    same: Callable[[object, object], bool], tmp_path: Path
) -> None:
    """A run without adversarial term, still in stage 1, or with another width, leaves the fresh
    discriminator."""
    for change, steps in (
        ({"gan_weight": 0.0}, 2),
        ({"pretrain": 1.0}, 0),
        ({"discriminator_width": 16}, 2),
    ):
        config = dataclasses.replace(CONFIG, seed=2, **change)
        checkpoint.save(tmp_path, config, PROGRESS, _players(config, steps), [])
        mine = _players()
        before = {k: v.clone() for k, v in mine.discriminator.state_dict().items()}
        checkpoint.start_from(tmp_path, mine)
        assert same(mine.discriminator.state_dict(), before)


def test_start_from_another_shape(tmp_path: Path) -> None:
    """Weights of another width are refused by the file's name."""
    checkpoint.save(tmp_path, CONFIG, PROGRESS, _players(), [])
    with pytest.raises(UsageError, match="another shape"):
        checkpoint.start_from(tmp_path, _players(dataclasses.replace(CONFIG, width=16)))


@pytest.mark.parametrize("change", [{"generator": "resnet18", "width": 16}, {"color_space": "rgb"}])
def test_start_from_another_kind(tmp_path: Path, change: dict[str, Any]) -> None:
    """Weights of another encoder or color space are refused as well."""
    checkpoint.save(tmp_path, CONFIG, PROGRESS, _players(), [])
    with pytest.raises(UsageError, match="another shape"):
        checkpoint.start_from(tmp_path, _players(dataclasses.replace(CONFIG, **change)))


def test_settings_of_version_0_1_0(tmp_path: Path) -> None:
    """A checkpoint with that version's settings opens: `l1_weight` is `pixel_weight` today, and
    what it did not know stands as it was then."""
    checkpoint.save(tmp_path, CONFIG, PROGRESS, _players(), [])
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    # settings of that version, the others left at their defaults
    names = ("recipe", "width", "levels", "dropout", "relu_limit", "discriminator_width", "size")
    state["config"] = {name: state["config"][name] for name in names} | {"l1_weight": 40.0}
    del state["progress"]["backbone"]
    torch.save(state, tmp_path / "checkpoint.pt")
    state = checkpoint.load(tmp_path)
    config = checkpoint.config_of(state)
    assert config.pixel_weight == 40.0
    assert (config.color_space, config.generator, config.gan_mode) == ("lab", "unet", "vanilla")
    assert (config.init, config.pixel_loss, config.pretrain, config.gamma) == ("normal", "l1", 0, 1)
    assert (config.noise, config.real_weight, config.fake_weight) == (0, 0.5, 0.5)
    assert checkpoint.restore(state, _players()) == PROGRESS
    assert not checkpoint.trained_generator(state).training


@pytest.mark.parametrize("change", [{"generator": "resnet18", "width": 16}, {"color_space": "rgb"}])
def test_trained_generator_of_other_kinds(
    same: Callable[[object, object], bool], tmp_path: Path, change: dict[str, Any]
) -> None:
    """A checkpoint's settings say which generator its weights belong to."""
    config = dataclasses.replace(CONFIG, **change)
    players = _players(config)
    checkpoint.save(tmp_path, config, PROGRESS, players, [])
    generator = checkpoint.trained_generator(checkpoint.load(tmp_path))
    assert type(generator) is type(players.generator)
    assert same(generator.state_dict(), players.average.state_dict())


def test_trained_generator(same: Callable[[object, object], bool], tmp_path: Path) -> None:
    """What is exported is the average, in eval mode, without gradients."""
    players = _players(steps=2)
    checkpoint.save(tmp_path, CONFIG, PROGRESS, players, [])
    generator = checkpoint.trained_generator(checkpoint.load(tmp_path))
    assert same(generator.state_dict(), players.average.state_dict())
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
@pytest.mark.parametrize("half", [False, True])
def test_start_from_weights_alone(tmp_path: Path, kind: str, half: bool) -> None:
    """A file of a generator's tensors by name starts both the generator and its average; float16
    is widened, and there is no history."""
    given = _players(steps=2).generator.state_dict()
    if half:
        given = {n: v.half() if v.is_floating_point() else v for n, v in given.items()}
    path = tmp_path / f"weights.{kind}"
    if kind == "pt":
        torch.save(given, path)
    else:
        save_file({name: value.contiguous() for name, value in given.items()}, path)
    mine = _players(dataclasses.replace(CONFIG, seed=9))
    before = {n: v.clone() for n, v in mine.discriminator.state_dict().items()}
    assert checkpoint.start_from(path, mine) == []
    for network in (mine.generator, mine.average):
        for name, value in network.state_dict().items():
            assert value.dtype in (torch.float32, torch.int64)
            assert torch.equal(value, given[name].to(value.dtype)), name
    assert all(torch.equal(before[n], v) for n, v in mine.discriminator.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no 'up.1.1.weight', which a generator of these settings has"),
        ("unknown", "'up.9.1.weight' is no part of a generator of these settings"),
        ("shape", "'up.1.1.weight' has the shape (1, 2), not "),
        ("broken", "not a file of weights"),
        ("absent", "no such file of weights"),
    ],
)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_start_from_weights_that_do_not_fit(
    tmp_path: Path, suffix: str, kind: str, said: str
) -> None:
    """What does not fit is told in one line, by its name, and nothing is taken."""
    given = {n: v.contiguous() for n, v in _players().generator.state_dict().items()}
    if kind == "missing":
        del given["up.1.1.weight"]
    elif kind == "unknown":
        given["up.9.1.weight"] = torch.zeros(1)
    elif kind == "shape":
        given["up.1.1.weight"] = torch.zeros(1, 2)
    path = tmp_path / f"weights.{suffix}"
    if kind == "broken":
        path.write_bytes(b"<html>404 Not Found</html>")
    elif kind != "absent":
        torch.save(given, path) if suffix == "pt" else save_file(given, path)
    mine = _players(dataclasses.replace(CONFIG, seed=9))
    before = {n: v.clone() for n, v in mine.generator.state_dict().items()}
    with pytest.raises(UsageError) as caught:
        checkpoint.start_from(path, mine)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[n], v) for n, v in mine.generator.state_dict().items())


# --- projected discriminator, shares, weights alone --------------------------------------------


def test_round_trip_of_all_players(same: Callable[[object, object], bool], tmp_path: Path) -> None:
    """The projected discriminator and the measured norms come back too: the next step of the run
    that goes on is that of the run that was never stopped, to the bit."""
    players = _players(JUDGED, steps=3)
    checkpoint.save(tmp_path, JUDGED, PROGRESS, players, [])
    fresh = _players(dataclasses.replace(JUDGED, seed=9))
    assert checkpoint.restore(checkpoint.load(tmp_path), fresh) == PROGRESS
    assert players.projected is not None and fresh.projected is not None
    assert same(players.projected.state_dict(), fresh.projected.state_dict())
    assert players.balance == fresh.balance
    assert set(fresh.balance.norms) == {"GAN", "projected"}
    assert fresh.balance.counts == {"GAN": 3, "projected": 3}
    batch = torch.rand(2, 3, 64, 64).split((1, 2), dim=1)
    losses = []
    for each in (players, fresh):
        torch.manual_seed(4)
        losses.append(train_step(each, JUDGED, *batch, torch.float32))
    assert losses[0] == losses[1]
    assert same(players.generator.state_dict(), fresh.generator.state_dict())
    assert same(players.projected.state_dict(), fresh.projected.state_dict())


def test_older_checkpoints_go_on(same: Callable[[object, object], bool], tmp_path: Path) -> None:
    """One from before there were shares, a second discriminator and rates of the encoder."""
    players = _players(steps=2)
    checkpoint.save(tmp_path, CONFIG, PROGRESS, players, [])
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["projected"], state["balance"]
    for group in state["optimizer_g"]["param_groups"]:
        del group["scale"], group["decoupled_weight_decay"]
    newer = ("freeze_encoder", "pairs", "square", "projected_share", "encoder_rate", "features")
    for name in newer:
        del state["config"][name]
    torch.save(state, tmp_path / "checkpoint.pt")
    state = checkpoint.load(tmp_path)
    assert checkpoint.config_of(state) == CONFIG
    fresh = _players(dataclasses.replace(CONFIG, seed=9))
    assert checkpoint.restore(state, fresh) == PROGRESS
    assert fresh.balance == Balance()
    batch = torch.rand(2, 3, 64, 64).split((1, 2), dim=1)
    for each in (players, fresh):
        set_rates(each, CONFIG, 0.5)
        torch.manual_seed(4)
        train_step(each, CONFIG, *batch, torch.float32)
    assert same(players.generator.state_dict(), fresh.generator.state_dict())
    checkpoint.start_from(tmp_path, _players(JUDGED))


def _weights(players: Players, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """The players' weights as a file of weights alone has them."""
    assert players.projected is not None
    parts = {
        "": players.average,
        "discriminator.": players.discriminator,
        "projected.": players.projected,
    }
    return {
        start + name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for start, network in parts.items()
        for name, value in network.state_dict().items()
    }


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_start_from_weights(
    same: Callable[[object, object], bool], tmp_path: Path, suffix: str, dtype: torch.dtype
) -> None:
    """A file of weights alone, of either library, starts all the players that are in it."""
    theirs = _weights(_players(JUDGED, steps=2), dtype)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(theirs, path)
    else:
        safetensors.torch.save_file(theirs, path)
    mine = _players(dataclasses.replace(JUDGED, seed=9))
    assert checkpoint.start_from(path, mine) == []
    wanted = {k: v.float() if v.is_floating_point() else v for k, v in theirs.items()}
    found = _weights(mine)
    assert same(found, wanted)
    assert {v.dtype for v in found.values()} == {torch.float32, torch.int64}
    assert same(mine.generator.state_dict(), mine.average.state_dict())


def test_start_from_a_generators_weights(
    same: Callable[[object, object], bool], tmp_path: Path
) -> None:
    """Discriminators that are not in the file stay fresh, and one that is not asked for is passed
    over."""
    theirs = _weights(_players(JUDGED, steps=1))
    path = tmp_path / "weights.pt"
    torch.save({k: v for k, v in theirs.items() if not k.startswith("discriminator.")}, path)
    mine = _players(dataclasses.replace(CONFIG, discriminator_width=16))
    before = {k: v.clone() for k, v in mine.discriminator.state_dict().items()}
    checkpoint.start_from(path, mine)
    assert same(mine.discriminator.state_dict(), before)
    generator = {k: v for k, v in theirs.items() if not k.startswith(("disc", "proj"))}
    assert same(mine.generator.state_dict(), generator)


@pytest.mark.parametrize(
    "settings",
    [
        dataclasses.replace(JUDGED, width=16),
        dataclasses.replace(JUDGED, discriminator_width=16),
        dataclasses.replace(JUDGED, discriminator_norm="batch"),
        dataclasses.replace(JUDGED, color_space="rgb"),
    ],
)
def test_weights_of_other_shapes(tmp_path: Path, settings: TrainConfig) -> None:
    """One line names the file, and what is the first of it that does not fit."""
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(_weights(_players(JUDGED)), path)
    with pytest.raises(UsageError) as caught:
        checkpoint.start_from(path, _players(settings))
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and said.endswith((" settings", "settings ask for", " has"))
    assert "\n" not in said


@pytest.mark.parametrize("kind", ["empty", "text", "numbers", "lists"])
def test_no_weights(tmp_path: Path, kind: str) -> None:
    """What is neither a checkpoint nor a file of weights is refused in one line."""
    path = tmp_path / ("x.safetensors" if kind == "text" else "x.pt")
    if kind == "text":
        path.write_text("hello", "utf-8")
    else:
        content = {"empty": {}, "numbers": {0: torch.zeros(2)}, "lists": {"a": [torch.zeros(2)]}}
        torch.save(content[kind], path)
    with pytest.raises(ColorbatchError, match=r"x\.\w+: (not a file of weights|not a checkpoint)"):
        checkpoint.start_from(path, _players())


def test_start_of_a_projected_discriminator(
    same: Callable[[object, object], bool], tmp_path: Path
) -> None:
    """`--init` takes each discriminator that has learnt something and has the same shapes; each by
    itself."""

    def taken(settings: TrainConfig, channels: tuple[int, int] = (8, 16)) -> list[bool]:
        mine = _players(settings, channels=channels)
        checkpoint.start_from(tmp_path, mine)
        state = checkpoint.load(tmp_path)
        found = {"discriminator": mine.discriminator, "projected": mine.projected}
        return [network is not None and same(network.state_dict(), state[name])
                for name, network in found.items()]  # fmt: skip

    fresh = dataclasses.replace(JUDGED, seed=9)
    checkpoint.save(tmp_path, JUDGED, PROGRESS, _players(JUDGED, steps=1), [])
    assert taken(fresh) == [True, True]
    assert taken(fresh, (8, 24)) == [True, False]  # features of another network
    assert taken(dataclasses.replace(fresh, discriminator_width=16)) == [False, True]
    assert taken(dataclasses.replace(fresh, projected_share=0.0)) == [True, False]
    alone = dataclasses.replace(JUDGED, gan_share=0.0, gan_weight=0.0)
    checkpoint.save(tmp_path, alone, PROGRESS, _players(alone, steps=1), [])
    assert taken(fresh) == [False, True]
    checkpoint.save(tmp_path, JUDGED, PROGRESS, _players(JUDGED), [])
    assert taken(fresh) == [False, False]
