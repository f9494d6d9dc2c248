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
from training.step import (
    LOSS_NAMES,
    Balance,
    Players,
    calibrate_batch_norm,
    make_players,
    set_rates,
    train_step,
)
from training.views import Pair

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


# --- terms by their share ----------------------------------------------------------------------

ALONE = dataclasses.replace(CONFIG, gan_weight=0.0, batch_size=4, pairs=0.25)
SHARE = 0.4


class _Maps(nn.Module):
    """A frozen network with two maps, as a projected discriminator sees pictures."""

    channels = (8, 16)

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(4)
        shapes = ((8, 3, 4, 4), (16, 8, 2, 2))
        self.kernels = [torch.randn(shape, generator=rng) / 7 for shape in shapes]

    def forward(self, rgb: Tensor) -> list[Tensor]:
        fine = functional.conv2d(rgb, self.kernels[0], stride=4)
        return [fine, functional.conv2d(fine, self.kernels[1], stride=2)]


def _judged(config: TrainConfig) -> Players:
    """Players beside the frozen network with two maps."""
    return make_players(config, CPU, torch.float32, _Maps())


def _gradients(players: Players) -> list[Tensor]:
    """Where each step's gradient at the prediction will be found."""
    found: list[Tensor] = []

    def record(_: nn.Module, __: object, output: Tensor) -> None:
        output.register_hook(lambda gradient: found.append(gradient.clone()))

    players.generator.register_forward_hook(record)
    return found


def _pair() -> Pair:
    """The last picture of a batch shows what the one before it shows, at the same places."""
    whole = torch.eye(2, 3)[None]
    grid = functional.affine_grid(whole, [1, 1, 64, 64], align_corners=False)
    return Pair(grid, torch.ones(1, 1, 64, 64))


@pytest.mark.parametrize(
    "changes",
    [
        {"gan_share": SHARE},
        {"gan_share": SHARE, "discriminator_norm": "spectral", "gan_mode": "hinge"},
        {"projected_share": SHARE, "gan_mode": "hinge"},
        {"feature_share": SHARE},
        {"consistency_share": SHARE},
        {"distribution_share": SHARE},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_share(batch: tuple[Tensor, Tensor], changes: dict[str, Any]) -> None:
    """What a term adds to the gradient at the prediction is as long as its share says, held against
    the pixel loss's own, which is 30 / n times a sign at each of n numbers."""
    config = dataclasses.replace(ALONE, **changes)
    players = _judged(config)
    if "projected_share" not in changes and "feature_share" not in changes:
        players.features = None
    condition, target = batch
    with torch.no_grad():
        predicted = copy.deepcopy(players.generator)(condition)
    found = _gradients(players)
    train_step(players, config, condition, target, torch.float32, pair=_pair())
    of_pixels = 30 / target.numel() * torch.sign(predicted - target)
    added = found[0] - of_pixels
    # float32: the difference of two gradients of about the same length
    assert float(added.norm() / of_pixels.norm()) == pytest.approx(SHARE, rel=1e-4)


def test_shares_add_up(batch: tuple[Tensor, Tensor]) -> None:
    """All terms at once: each has its own share of the pixel loss's gradient, none of another's."""
    shares = {"gan": 0.3, "projected": 0.6, "feature": 0.2}
    shares |= {"consistency": 1.1, "distribution": 0.4}
    config = dataclasses.replace(
        ALONE, gan_mode="hinge", **{f"{name}_share": share for name, share in shares.items()}
    )
    players = _judged(config)
    losses = train_step(players, config, *batch, torch.float32, pair=_pair())
    assert set(players.balance.norms) == {"GAN", "projected", "features", *list(shares)[3:]}
    unit = 30 / batch[1].numel() ** 0.5  # of the pixel loss's gradient
    names = {"gan": "GAN", "feature": "features"}
    expected = 30 * losses["loss_G_pixel"]
    for name, share in shares.items():
        name = names.get(name, name)
        expected += share * unit / players.balance.norms[name] * losses[f"loss_G_{name}"]
    # float32, other order of sums
    assert losses["loss_G"] == pytest.approx(expected, rel=1e-4)
    newer = ("loss_P", "loss_G_projected", "loss_G_consistency", "loss_G_distribution")
    assert set(losses) == {*LOSS_NAMES, *newer} and None not in losses.values()


@pytest.mark.parametrize("term", ["gan", "consistency", "projected", "distribution"])
def test_a_share_is_a_factor(batch: tuple[Tensor, Tensor], term: str) -> None:
    """A run with the weight that the share came to takes the same step."""
    by_share = dataclasses.replace(ALONE, **{f"{term}_share": SHARE})
    first = _judged(by_share)
    shared = _gradients(first)
    torch.manual_seed(5)  # of the corner that a projected discriminator is shown
    train_step(first, by_share, *batch, torch.float32, pair=_pair())
    [norm] = first.balance.norms.values()
    factor = SHARE * 30 / batch[1].numel() ** 0.5 / norm
    by_weight = dataclasses.replace(ALONE, **{f"{term}_weight": factor})
    second = _judged(by_weight)
    weighed = _gradients(second)
    torch.manual_seed(5)
    train_step(second, by_weight, *batch, torch.float32, pair=_pair())
    assert not second.balance.norms
    # float32: the pixel loss's norm is summed here, and there written down
    assert torch.allclose(shared[0], weighed[0], rtol=1e-4, atol=1e-9)
    for mine, theirs in zip(
        first.generator.parameters(), second.generator.parameters(), strict=True
    ):
        # Adam's first step is 2e-4 times the gradient's sign, but for those around 0
        assert (mine - theirs).abs().mean() < 4e-6


def test_balance_follows() -> None:
    """The first 8 norms are measured, then every 16th call's; each moves what is known by 0.3."""
    balance = Balance()
    at = torch.zeros(4, requires_grad=True)

    def factor(size: float) -> float:
        return balance.factor("x", 0.5, size * at.sum(), at, 10.0)  # its gradient has 2 x size

    assert factor(1.0) == pytest.approx(0.5 * 10 / 2)
    assert factor(3.0) == pytest.approx(0.5 * 10 / (2 + 0.3 * (6 - 2)))
    for _ in range(6):
        factor(3.0)
    known = balance.norms["x"]
    for _ in range(7):  # the 9th to the 15th call
        assert factor(1000.0) == pytest.approx(5 / known)
    assert factor(1000.0) == pytest.approx(5 / (known + 0.3 * (2000 - known)))
    assert balance.counts == {"x": 16}
    # a term without a gradient, or with one that is no number, is left out until it has one
    for size in (0.0, float("inf"), float("nan")):
        assert balance.factor("y", 0.5, size * at.sum(), at, 10.0) == 0
    assert balance.factor("y", 0.5, at.sum(), at, 10.0) == pytest.approx(0.5 * 10 / 2)


# --- projected discriminator, second views -----------------------------------------------------


def test_projected_moves_in_its_own_step(batch: tuple[Tensor, Tensor]) -> None:
    """It learns while the generator's rate is 0, stays while its own is, and its mixtures and the
    frozen network always stay."""
    config = dataclasses.replace(ALONE, projected_share=SHARE, gan_mode="hinge")
    for still in ("generator", "discriminator"):
        players = _judged(config)
        assert players.projected is not None
        name = "learning_rate" if still == "generator" else "discriminator_learning_rate"
        set_rates(players, dataclasses.replace(config, **{name: 0.0}), 1.0)
        before = {each: _values(getattr(players, each)) for each in ("generator", "projected")}
        losses = train_step(players, config, *batch, torch.float32)
        assert _same(before["generator"], _values(players.generator)) == (still == "generator")
        for key, value in _values(players.projected).items():
            learns = key.startswith("heads.") and still != "discriminator"
            gap = (value - before["projected"][key]).abs().max()
            if key.endswith(".4.bias") and learns:
                continue  # the hinge pulls it up as far as down, while logits are small
            # Adam's first step is the rate: a second one, the generator's, would add to it
            assert 0 < gap <= 2.01e-4 if learns else gap == 0, key
        assert all(value.requires_grad for value in players.projected.heads.parameters())
        assert losses["loss_P"] is not None and losses["loss_D"] is None


def test_projected_sees_true_and_made(batch: tuple[Tensor, Tensor]) -> None:
    """Its loss is the hinge over the maps of the true and of the made picture, in one corner."""
    config = dataclasses.replace(ALONE, projected_weight=1.0, gan_mode="hinge")
    players = _judged(config)
    assert players.projected is not None
    judge, g = copy.deepcopy(players.projected), copy.deepcopy(players.generator)
    condition, target = batch
    torch.manual_seed(6)
    losses = train_step(players, config, condition, target, torch.float32)
    torch.manual_seed(6)
    row, column = torch.randint(0, 64 - 56 + 1, (2,)).tolist()  # 7/8 of 64
    with torch.no_grad():
        parts = []
        for output, sign in ((target, 1), (g(condition), -1)):
            rgb = spaces.encoded(condition, output, "lab")
            maps = _Maps()(rgb[..., row : row + 56, column : column + 56])
            parts.append(sum(functional.relu(1 - sign * each).mean() for each in judge(maps)) / 2)
    expected = 0.5 * parts[0] + 0.5 * parts[1]  # real_weight, fake_weight
    # float32, other order of sums
    assert losses["loss_P"] == pytest.approx(float(expected), rel=1e-4)


def test_consistency_pulls_views_together(batch: tuple[Tensor, Tensor]) -> None:
    """Two views that differ in what is seen come to have nearer colors than without the term."""
    condition, target = batch
    apart = {}
    for weight in (0.0, 300.0):
        config = dataclasses.replace(ALONE, consistency_weight=weight, learning_rate=1e-3)
        players = _players(config)
        for _ in range(6):
            train_step(players, config, condition, target, torch.float32, pair=_pair())
        with torch.no_grad():
            made = players.generator(condition)
        apart[weight] = float((made[1] - made[2]).abs().mean())
    assert apart[300.0] < 0.8 * apart[0.0]


def test_seen_is_for_the_generator_alone(batch: tuple[Tensor, Tensor]) -> None:
    """The generator gets what is `seen`, the discriminator the true condition."""
    condition, target = batch
    players = _players()
    inputs: dict[str, list[Tensor]] = {"generator": [], "discriminator": []}
    for name, given in inputs.items():
        network = getattr(players, name)
        network.register_forward_pre_hook(lambda _, x, given=given: given.append(x[0]))
    train_step(players, CONFIG, condition, target, torch.float32, seen=condition / 2)
    assert torch.equal(inputs["generator"][0], condition / 2)
    assert all(torch.equal(each[:, :1], condition) for each in inputs["discriminator"])


# --- the generator's optimizer -----------------------------------------------------------------

LITE = dataclasses.replace(
    CONFIG, generator="lite-unet", width=16, gan_weight=0.0, freeze_encoder=True, weight_decay=0.1
)


def test_frozen_encoder(batch: tuple[Tensor, Tensor]) -> None:
    """Its first parts stay to the bit, weights and statistics, in training and in calibration; all
    else learns."""
    players = _players(LITE)
    frozen = [f"encoder.{name}." for name in ("_conv_stem", "_bn0", "_blocks.0", "_blocks.1")]
    before = {k: v.clone() for k, v in players.generator.state_dict().items()}
    kept = {k for k in before if k.startswith(tuple(frozen))}
    # the stem, the first stage and the second: 1/2 and 1/4 of the size
    kept |= {k for k in before if k.startswith(("encoder._blocks.2.", "encoder._blocks.3."))}
    set_rates(players, dataclasses.replace(LITE, learning_rate=0.01), 1.0)
    train_step(players, LITE, *batch, torch.float32)
    after = players.generator.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert not changed & kept
    assert {k for k in before if "running" in k and k not in kept} <= changed
    learning = {k for k, _ in players.generator.named_parameters()} - kept
    # biases that start at 0 behind a batch norm or a softmax may have no gradient at all
    assert learning - changed <= {k for k in learning if k.endswith("bias")}
    asked = {id(value) for group in players.optimizer_g.param_groups for value in group["params"]}
    assert asked == {id(v) for k, v in players.generator.named_parameters() if k not in kept}

    average = players.average
    parts = average.frozen()
    for name, value in average.named_buffers():
        if name.endswith("running_mean"):
            value.fill_(7)
    calibrate_batch_norm(average, [batch[0]], CPU, torch.float32, parts)
    for name, value in average.named_buffers():
        if name.endswith("running_mean"):
            assert bool((value == 7).all()) == (name in kept), name
    assert not any(module.training for module in average.modules())
    calibrate_batch_norm(average, [batch[0]], CPU, torch.float32)
    assert not any(bool((v == 7).all()) for k, v in average.named_buffers() if "mean" in k)


def test_encoder_rate(batch: tuple[Tensor, Tensor]) -> None:
    """The encoder learns at its part of the rate, whatever the schedule has left of it."""
    config = dataclasses.replace(
        CONFIG, generator="resnet18", width=16, encoder_rate=0.25, learning_rate=1e-3
    )
    players = _players(config)
    set_rates(players, config, 0.5)
    before = _values(players.generator)
    train_step(players, config, *batch, torch.float32)
    moved: dict[bool, list[Tensor]] = {True: [], False: []}
    for name, value in _values(players.generator).items():
        moved[name.startswith("encoder.")].append((value - before[name]).abs().flatten())
    # Adam's first step is the rate, but for gradients as small as its epsilon
    assert float(torch.cat(moved[False]).median()) == pytest.approx(5e-4, rel=0.01)
    assert float(torch.cat(moved[True]).median()) == pytest.approx(1.25e-4, rel=0.01)
    assert {group["lr"] for group in players.optimizer_d.param_groups} == {1e-4}


def test_gradient_clip(batch: tuple[Tensor, Tensor]) -> None:
    """A longer gradient of the generator is shortened to the limit, a shorter one is left."""
    gradients = {}
    for limit in (0.0, 1e-2, 1e6):
        config = dataclasses.replace(CONFIG, gradient_clip=limit)
        players = _players(config)
        train_step(players, config, *batch, torch.float32)
        found = [p.grad.flatten() for p in players.generator.parameters() if p.grad is not None]
        gradients[limit] = torch.cat(found)
    whole = gradients[0.0]
    assert whole.norm() > 0.1
    assert torch.equal(gradients[1e6], whole)
    # float32, and the 1e-6 that PyTorch adds to the norm
    assert float(gradients[1e-2].norm()) == pytest.approx(1e-2, rel=1e-3)
    assert torch.allclose(gradients[1e-2], whole * (1e-2 / whole.norm()), rtol=1e-3)


def test_weight_decay(batch: tuple[Tensor, Tensor]) -> None:
    """The generator's weights shrink by rate x decay beside Adam's step, the discriminator's do
    not (Loshchilov and Hutter 2019, algorithm 2)."""
    made = {}
    for decay in (0.0, 0.5):
        config = dataclasses.replace(CONFIG, weight_decay=decay, learning_rate=1e-3)
        players = _players(config)
        before = _values(players.generator)
        train_step(players, config, *batch, torch.float32)
        made[decay] = players
    with_decay, without = (_values(made[decay].generator) for decay in (0.5, 0.0))
    for name, first in before.items():
        # float32 rounding of weights around 0.02 and 1
        gap = with_decay[name] - without[name] + 1e-3 * 0.5 * first
        assert gap.abs().max() < 2e-7, name
    assert _same(_values(made[0.0].discriminator), _values(made[0.5].discriminator))
