"""One training step against the same step written out with plain PyTorch."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import spaces
from training.config import TrainConfig
from training.step import LOSS_NAMES, Players, calibrate_batch_norm, make_players, train_step

CPU = torch.device("cpu")
# without dropout, so that a forward pass can be repeated
CONFIG = TrainConfig(
    width=8,
    discriminator_width=8,
    levels=6,
    size=64,
    dropout=0.0,
    gan_weight=0.7,
    pixel_weight=30.0,
)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Random lightness and chroma."""
    rng = torch.Generator().manual_seed(7)
    uniform = torch.rand(3, 3, 64, 64, generator=rng) * 2 - 1
    return uniform[:, :1], uniform[:, 1:] * 0.5


def _players(config: TrainConfig = CONFIG) -> Players:
    return make_players(config, CPU, torch.float32)


def _values(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def _known(losses: dict[str, float | None]) -> dict[str, float]:
    """The losses that play a part."""
    return {name: value for name, value in losses.items() if value is not None}


class _Features(nn.Module):
    """A frozen network that compares pictures: mean colors of 4x4 pixels, mixed at random."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(4)
        self.weight = nn.Parameter(torch.randn(5, 3, 4, 4, generator=rng), requires_grad=False)

    def forward(self, rgb: Tensor) -> Tensor:
        return functional.conv2d(rgb, self.weight, stride=4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gan_mode": "lsgan"},
        {"pixel_loss": "mse"},
        {"real_weight": 0.3, "fake_weight": 0.9},
        {"color_space": "rgb"},
        {"generator": "resnet18", "width": 16},
        {"gamma": 0.25},
        {"gamma": 0.25, "color_space": "rgb", "gan_mode": "lsgan"},
    ],
    ids=lambda changes: "-".join(changes) or "unet",
)
def test_same_step_in_plain_pytorch(batch: tuple[Tensor, Tensor], changes: dict[str, Any]) -> None:
    """Losses and both networks' new weights equal those of a step that shares no code with it.

    So D learns from the weighted sum of both halves and never from G's step, and G from its own
    terms through the already improved D, and never from D's step.
    """
    condition, target = batch
    if changes.get("color_space") == "rgb":
        condition, target = condition.expand(-1, 3, -1, -1), torch.cat([target, target[:, :1]], 1)
    config = dataclasses.replace(CONFIG, **changes)
    players = _players(config)
    gamma = changes.get("gamma", 1)
    players.features = _Features() if gamma < 1 else None
    g, d = copy.deepcopy(players.generator), copy.deepcopy(players.discriminator)
    losses = train_step(players, config, condition, target, torch.float32)

    def far_from_real(logits: Tensor) -> Tensor:
        # cross-entropy of logits x: softplus(-x) for real, softplus(x) for fake
        lsgan = changes.get("gan_mode") == "lsgan"
        return (logits - 1).square().mean() if lsgan else functional.softplus(-logits).mean()

    def far_from_fake(logits: Tensor) -> Tensor:
        lsgan = changes.get("gan_mode") == "lsgan"
        return logits.square().mean() if lsgan else functional.softplus(logits).mean()

    optimizer_g = torch.optim.Adam(g.parameters(), 2e-4, (0.5, 0.999))
    optimizer_d = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    predicted = g(condition)
    real = far_from_real(d(torch.cat([condition, target], 1)))
    fake = far_from_fake(d(torch.cat([condition, predicted.detach()], 1)))
    loss_d = changes.get("real_weight", 0.5) * real + changes.get("fake_weight", 0.5) * fake
    loss_d.backward()
    optimizer_d.step()
    gan = far_from_real(d(torch.cat([condition, predicted], 1)))
    distance = predicted - target
    pixel = distance.square().mean() if "pixel_loss" in changes else distance.abs().mean()
    loss_g = 0.7 * gan + 30.0 * pixel
    expected = {}
    if gamma < 1:
        space = changes.get("color_space", "lab")
        made, true = (spaces.encoded(condition, each, space) for each in (predicted, target))
        kernel = _Features().weight
        apart = functional.conv2d(made, kernel, stride=4) - functional.conv2d(
            true, kernel, stride=4
        )
        loss_x = apart.square().mean()
        loss_g = 0.25 * loss_g + 0.75 * loss_x
        expected["loss_G_features"] = loss_x.item()
    loss_g.backward()
    optimizer_g.step()

    expected |= {
        "loss_D_real": real.item(),
        "loss_D_fake": fake.item(),
        "loss_D": loss_d.item(),
        "loss_G_GAN": gan.item(),
        "loss_G_pixel": pixel.item(),
        "loss_G": loss_g.item(),
    }
    assert tuple(losses) == LOSS_NAMES
    assert _known(losses) == pytest.approx(expected, rel=1e-4)  # float32, other order of sums
    for mine, theirs in ((players.generator, g), (players.discriminator, d)):
        for name, value in _values(mine).items():
            other = theirs.get_parameter(name)
            # Adam's first step is 2e-4 times the gradient's sign: a wrong gradient is off by up to
            # 4e-4, and only gradients around 0 (rounding) may lie anywhere between
            gap = (value - other).abs()
            assert gap.mean() < 4e-6, name


def test_each_step_moves_one_player(batch: tuple[Tensor, Tensor]) -> None:
    """With one player's rate at zero its weights stay, to the bit, while the other learns."""
    for still in ("generator", "discriminator"):
        rates = {
            "learning_rate": 0.0 if still == "generator" else 2e-4,
            "discriminator_learning_rate": 0.0 if still == "discriminator" else 2e-4,
        }
        players = _players(dataclasses.replace(CONFIG, **rates))
        before = {name: _values(getattr(players, name)) for name in ("generator", "discriminator")}
        train_step(players, CONFIG, *batch, torch.float32)
        for name, values in before.items():
            assert _same(values, _values(getattr(players, name))) == (name == still)


def test_generator_alone(batch: tuple[Tensor, Tensor]) -> None:
    """Without adversarial term the discriminator stays to the bit and its losses are None."""
    config = dataclasses.replace(CONFIG, gan_weight=0.0)
    players = _players(config)
    before = copy.deepcopy(players.discriminator.state_dict())
    generator = _values(players.generator)
    losses = train_step(players, config, *batch, torch.float32)
    assert tuple(losses) == LOSS_NAMES
    absent = ["loss_D_real", "loss_D_fake", "loss_D", "loss_G_GAN", "loss_G_features"]
    assert [name for name, value in losses.items() if value is None] == absent
    assert losses["loss_G"] == pytest.approx(30 * losses["loss_G_pixel"], rel=1e-6)  # float32
    assert _same(before, players.discriminator.state_dict())
    assert not players.optimizer_d.state_dict()["state"]
    assert not _same(generator, _values(players.generator))


def test_two_stages(batch: tuple[Tensor, Tensor]) -> None:
    """Below `pretrain` the step is that of a run with the pixel loss alone; from it on, whole."""
    config = dataclasses.replace(CONFIG, pretrain=0.5, gamma=0.5)
    alone = dataclasses.replace(CONFIG, gan_weight=0.0)
    absent = {"loss_D_real", "loss_D_fake", "loss_D", "loss_G_GAN", "loss_G_features"}
    for progress in (0.0, 0.49):
        players, reference = _players(config), _players(alone)
        players.features = _Features()
        losses = train_step(players, config, *batch, torch.float32, progress=progress)
        assert {name for name, value in losses.items() if value is None} == absent
        assert losses == train_step(reference, alone, *batch, torch.float32)
        assert _same(_values(players.generator), _values(reference.generator))
        assert _same(players.discriminator.state_dict(), reference.discriminator.state_dict())
        assert not players.optimizer_d.state_dict()["state"]
    whole = dataclasses.replace(config, pretrain=0.0)
    for progress in (0.5, 1.0):
        players, reference = _players(config), _players(whole)
        players.features = reference.features = _Features()
        losses = train_step(players, config, *batch, torch.float32, progress=progress)
        assert losses == train_step(reference, whole, *batch, torch.float32)
        assert None not in losses.values()
        assert _same(_values(players.discriminator), _values(reference.discriminator))


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_noise(batch: tuple[Tensor, Tensor], space: str) -> None:
    """The generator sees grain of the configured size, the discriminator the clean condition."""
    condition, target = batch
    if space == "rgb":
        condition, target = condition.expand(-1, 3, -1, -1), torch.cat([target, target[:, :1]], 1)
    config = dataclasses.replace(CONFIG, color_space=space, noise=3.0)
    players = _players(config)
    seen: dict[str, list[Tensor]] = {"generator": [], "discriminator": []}
    for name, inputs in seen.items():
        network = getattr(players, name)
        network.register_forward_pre_hook(lambda _, given, inputs=inputs: inputs.append(given[0]))
    train_step(players, config, condition, target, torch.float32)
    channels = condition.shape[1]
    assert len(seen["discriminator"]) == 3  # real, made, and made again for the generator's step
    assert all(torch.equal(given[:, :channels], condition) for given in seen["discriminator"])
    [noisy] = seen["generator"]
    grain = noisy - condition
    assert all(torch.equal(noisy[:, 0], noisy[:, i]) for i in range(channels))
    # 3 % of the range from -1 to 1; five standard errors of 3 * 64 * 64 normal samples
    deviation, count = 0.06, 3 * 64 * 64
    assert abs(grain[:, 0].mean()) < 5 * deviation / count**0.5
    assert abs(grain[:, 0].std() - deviation) < 5 * deviation / (2 * count) ** 0.5
    # anew at each step, and none where none is configured
    train_step(players, config, condition, target, torch.float32)
    assert not torch.equal(seen["generator"][1], noisy)
    train_step(players, dataclasses.replace(config, noise=0.0), condition, target, torch.float32)
    assert torch.equal(seen["generator"][2], condition)


def test_moving_average(batch: tuple[Tensor, Tensor]) -> None:
    """The average is 0.9 of itself and 0.1 of the generator after each step."""
    config = dataclasses.replace(CONFIG, ema_decay=0.9, learning_rate=0.01)
    players = _players(config)
    expected = {k: v.double() for k, v in _values(players.generator).items()}
    for _ in range(3):
        train_step(players, config, *batch, torch.float32)
        for name, value in _values(players.generator).items():
            expected[name] = 0.9 * expected[name] + 0.1 * value.double()
    for name, value in _values(players.average).items():
        # float32 rounding of weights around 0.02 and 1
        assert torch.allclose(value.double(), expected[name], rtol=1e-5, atol=1e-7), name
    # statistics are no weights: they are taken over, until they are measured
    for mine, theirs in zip(players.average.buffers(), players.generator.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    assert not players.average.training
    assert not any(parameter.requires_grad for parameter in players.average.parameters())


def test_calibration_of_batch_norm() -> None:
    """Statistics become the means over the given batches, and nothing else changes."""
    players = _players(dataclasses.replace(CONFIG, dropout=0.5))
    network = players.average
    weights = _values(network)
    rng = torch.Generator().manual_seed(5)
    batches = [torch.rand(3, 1, 64, 64, generator=rng) * 2 - 1 for _ in range(4)]
    results = []
    for seed in (1, 2):  # dropout would make the two differ
        torch.manual_seed(seed)
        calibrate_batch_norm(network, batches, CPU, torch.float32)
        results.append({name: value.clone() for name, value in network.named_buffers()})
    assert _same(*results)
    assert _same(weights, _values(network))
    assert not any(module.training for module in network.modules())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    # the first norm's input, by hand: LeakyReLU between the first two convolutions
    first, second = (
        next(m for m in network.down[i] if isinstance(m, nn.Conv2d)).weight for i in (0, 1)
    )
    means, variances = [], []
    with torch.no_grad():
        for x in batches:
            hidden = functional.leaky_relu(functional.conv2d(x, first, None, 2, 1), 0.2)
            values = functional.conv2d(hidden, second, None, 2, 1).transpose(0, 1).flatten(1)
            means.append(values.mean(dim=1))
            variances.append(values.var(dim=1))
    mean, variance = torch.stack(means).mean(dim=0), torch.stack(variances).mean(dim=0)
    # float32, other order of sums
    assert torch.allclose(norms[0].running_mean, mean, rtol=1e-4, atol=1e-7)
    assert torch.allclose(norms[0].running_var, variance, rtol=1e-4)


@pytest.mark.parametrize(("space", "seen", "made"), [("lab", 1, 2), ("rgb", 3, 3)])
@pytest.mark.parametrize("generator", ["unet", "resnet18"])
def test_channels_of_the_spaces(space: str, seen: int, made: int, generator: str) -> None:
    """Generators see L or grey and make ab or RGB; the discriminator sees both together."""
    players = _players(
        dataclasses.replace(CONFIG, color_space=space, generator=generator, width=16)
    )
    with torch.no_grad():
        output = players.generator(torch.zeros(2, seen, 64, 64))
        assert output.shape == (2, made, 64, 64)
        assert players.discriminator(torch.zeros(2, seen + made, 64, 64)).shape == (2, 1, 6, 6)


def test_players_come_from_the_seed() -> None:
    """The same seed gives the same networks, another seed others; the average starts equal."""
    first, again = _players(), _players()
    other = _players(dataclasses.replace(CONFIG, seed=1))
    assert _same(_values(first.generator), _values(again.generator))
    assert _same(_values(first.discriminator), _values(again.discriminator))
    assert not _same(_values(first.generator), _values(other.generator))
    assert _same(first.generator.state_dict(), first.average.state_dict())


def test_bf16(batch: tuple[Tensor, Tensor]) -> None:
    """Mixed precision gives about the same losses, and leaves float32 weights."""
    exact = train_step(_players(), CONFIG, *batch, torch.float32)
    players = _players()
    mixed = train_step(players, CONFIG, *batch, torch.bfloat16)
    assert _known(mixed) == pytest.approx(_known(exact), rel=0.02)  # bfloat16 has 8 bits
    assert mixed != exact
    assert {value.dtype for value in _values(players.generator).values()} == {torch.float32}
