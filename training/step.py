"""One training step of the players, and the state it changes."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training import spaces
from training.config import TrainConfig
from training.discriminators import PatchGAN, Projected
from training.generators import Generator, generator_for, initialize
from training.losses import adversarial, consistency, distribution, feature_distance, pixel
from training.views import Pair, memory_format

D_LOSSES = ("loss_D_real", "loss_D_fake", "loss_D")
G_LOSSES = ("loss_G_GAN", "loss_G_pixel", "loss_G_features")
LOSS_NAMES = (*D_LOSSES, *G_LOSSES, "loss_G")
MEASURED_AT_FIRST, MEASURED_EVERY = 8, 16
"""Steps at which a term's gradient is measured by itself, for its share."""
FOLLOWS = 0.3
"""How fast a measured norm takes the place of the earlier ones."""
CORNER = 7 / 8
"""Side of the part, anywhere in the picture, that a frozen network is shown while it judges."""


@dataclass
class Balance:
    """Norms of the terms' gradients on the prediction, as last measured, for terms whose weight is
    a share of the pixel loss's."""

    norms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def factor(self, name: str, share: float, loss: Tensor, at: Tensor, unit: float) -> float:
        """What to multiply `loss` with, so that its gradient at the prediction has `share` times
        the norm `unit`."""
        count = self.counts[name] = self.counts.get(name, 0) + 1
        if count <= MEASURED_AT_FIRST or count % MEASURED_EVERY == 0:
            [gradient] = torch.autograd.grad(loss, at, retain_graph=True)
            norm = gradient.float().norm().item()
            if norm > 0 and norm < float("inf"):
                known = self.norms.get(name, norm)
                self.norms[name] = known + FOLLOWS * (norm - known)
        return share * unit / self.norms[name] if name in self.norms else 0.0


@dataclass
class Players:
    """Everything a step changes: the networks, their optimizers, the averaged generator; and the
    frozen network whose features are compared or judged, where the settings ask for one."""

    generator: Generator
    discriminator: PatchGAN
    average: Generator
    optimizer_g: torch.optim.AdamW
    optimizer_d: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    features: nn.Module | None = None
    projected: Projected | None = None
    balance: Balance = field(default_factory=Balance)


def make_players(
    config: TrainConfig,
    device: torch.device,
    dtype: torch.dtype,
    features: nn.Module | None = None,
) -> Players:
    """Fresh networks, initialised from the settings' seed, beside a frozen one."""
    torch.manual_seed(config.seed)
    generator = generator_for(config)
    seen = spaces.INPUTS[config.color_space] + spaces.OUTPUTS[config.color_space]
    discriminator = PatchGAN(config.discriminator_width, seen, config.discriminator_norm)
    for network in (generator, discriminator):
        initialize(network, config.init)
    discriminator.bounded()
    projected = None
    if config.projected_weight or config.projected_share:
        projected = Projected(features.channels)  # type: ignore[union-attr, arg-type]
    everyone: list[nn.Module | None] = [generator, discriminator, projected, features]
    for player in everyone:
        if player is not None:
            player.to(device=device, memory_format=memory_format(device))  # type: ignore[call-overload]
    if config.freeze_encoder:
        for part in generator.frozen():
            part.requires_grad_(False)
    betas = (config.beta1, config.beta2)
    judging = [*discriminator.parameters(), *(projected.parameters() if projected else ())]
    return Players(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).eval().requires_grad_(False),
        optimizer_g=torch.optim.AdamW(
            _groups(generator, config), config.learning_rate, betas, weight_decay=0
        ),
        optimizer_d=torch.optim.AdamW(
            [value for value in judging if value.requires_grad],
            config.discriminator_learning_rate,
            betas,
            weight_decay=0,
        ),
        scaler=torch.amp.GradScaler(device.type, enabled=dtype == torch.float16),
        features=features,
        projected=projected,
    )


def _groups(generator: Generator, config: TrainConfig) -> list[dict[str, object]]:
    """The generator's parameters for its optimizer: the encoder's by themselves if its rate is
    another. `scale` is the factor on the rate."""
    learning = {n: value for n, value in generator.named_parameters() if value.requires_grad}
    apart = generator.encoder is not None and config.encoder_rate != 1
    encoder = [value for name, value in learning.items() if apart and name.startswith("encoder.")]
    rest = [
        value for name, value in learning.items() if not (apart and name.startswith("encoder."))
    ]
    groups = [(rest, 1.0), (encoder, config.encoder_rate)]
    return [
        {"params": values, "scale": scale, "weight_decay": config.weight_decay}
        for values, scale in groups
        if values
    ]


def set_rates(players: Players, config: TrainConfig, share: float) -> None:
    """Learning rates as a share of the full ones."""
    for group in players.optimizer_g.param_groups:
        group["lr"] = config.learning_rate * share * group["scale"]
    for group in players.optimizer_d.param_groups:
        group["lr"] = config.discriminator_learning_rate * share


def autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Mixed precision in `dtype`; float32 means none."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def train_step(
    players: Players,
    config: TrainConfig,
    condition: Tensor,
    target: Tensor,
    dtype: torch.dtype,
    *,
    seen: Tensor | None = None,
    pair: Pair | None = None,
    progress: float = 1.0,
    ema_decay: float | None = None,
) -> dict[str, float | None]:
    """One step of the discriminators, then one of the generator (Isola et al. 2017, section 3.3).

    condition (N, 1 or 3, S, S) and target (N, 2 or 3, S, S) as in `training.spaces`, on the
    players' device; `seen` is what the generator gets where that is not the condition, `pair` tells
    which pictures show the same. `progress` is the share of the run that is done: below
    `config.pretrain` the pixel loss alone trains, with the consistency of views. Returns the losses
    by name; None for those that play no part.
    """
    device = condition.device
    losses: dict[str, float | None] = dict.fromkeys(LOSS_NAMES)
    second_stage = progress >= config.pretrain
    seen = condition if seen is None else seen
    if config.noise:  # the network range spans 2; the channels of `rgb` stay equal
        seen = seen + config.noise / 50 * torch.randn_like(seen[:, :1])
    _train_mode(players.generator, config)
    with autocast(device, dtype):
        predicted = players.generator(seen)
    # every loss is a function of this; its gradient then goes through the generator once
    made = predicted.detach().float().requires_grad_(True)

    fighting = bool(config.gan_weight or config.gan_share) and second_stage
    comparing = second_stage and players.features is not None
    features_real: Maps = []
    features_made: Maps = []
    if comparing:
        features_real, features_made = _features(players, config, condition, target, made, dtype)
    fake = torch.cat([condition, made], dim=1)
    loss_d: list[Tensor] = []
    if fighting:
        with autocast(device, dtype):
            real_logits = players.discriminator(torch.cat([condition, target], dim=1))
            fake_logits = players.discriminator(fake.detach())
        loss_real = adversarial(real_logits, real=True, mode=config.gan_mode)
        loss_fake = adversarial(fake_logits, real=False, mode=config.gan_mode)
        loss_d.append(config.real_weight * loss_real + config.fake_weight * loss_fake)
        values = (loss_real.item(), loss_fake.item(), loss_d[0].item())
        losses |= dict(zip(D_LOSSES, values, strict=True))
    judging = second_stage and players.projected is not None
    if judging:
        assert players.projected is not None
        with autocast(device, dtype):
            real_maps = players.projected(features_real)
            fake_maps = players.projected([each.detach() for each in features_made])
        real_part = adversarial(real_maps, real=True, mode=config.gan_mode)
        fake_part = adversarial(fake_maps, real=False, mode=config.gan_mode)
        loss_d.append(config.real_weight * real_part + config.fake_weight * fake_part)
        losses["loss_P"] = loss_d[-1].item()
    if loss_d:
        players.optimizer_d.zero_grad(set_to_none=True)
        players.scaler.scale(sum(loss_d)).backward()  # type: ignore[arg-type, no-untyped-call]
        players.scaler.step(players.optimizer_d)

    terms: dict[str, tuple[float, float, Tensor]] = {}
    """By name: weight, share, loss."""
    with _resting(players):
        if fighting:
            with autocast(device, dtype):
                logits = players.discriminator(fake)
            loss = adversarial(logits, real=True, mode=config.gan_mode, fooling=True)
            terms["GAN"] = (config.gamma * config.gan_weight, config.gan_share, loss)
        if judging:
            assert players.projected is not None
            with autocast(device, dtype):
                maps = players.projected(features_made)
            loss = adversarial(maps, real=True, mode=config.gan_mode, fooling=True)
            terms["projected"] = (config.projected_weight, config.projected_share, loss)
        if comparing and (config.gamma < 1 or config.feature_share):
            loss = feature_distance(features_made, features_real)
            terms["features"] = (1 - config.gamma, config.feature_share, loss)
        if pair is not None and (config.consistency_weight or config.consistency_share):
            loss = consistency(*pair.carried(made), pair.known)
            terms["consistency"] = (config.consistency_weight, config.consistency_share, loss)
        if second_stage and (config.distribution_weight or config.distribution_share):
            loss = distribution(made, target)
            terms["distribution"] = (config.distribution_weight, config.distribution_share, loss)
        loss_pixel = pixel(made, target, config.pixel_loss, config.chroma_weight)
        weight = config.pixel_weight * (config.gamma if comparing else 1.0)
        total = weight * loss_pixel
        unit = None
        for name, (factor, share, loss) in terms.items():
            if share:
                if unit is None:
                    [gradient] = torch.autograd.grad(total, made, retain_graph=True)
                    unit = gradient.norm().item()
                factor = players.balance.factor(name, share, loss, made, unit)
            total = total + factor * loss
        players.optimizer_g.zero_grad(set_to_none=True)
        [gradient] = torch.autograd.grad(players.scaler.scale(total), made)
    predicted.backward(gradient.to(predicted.dtype))
    if config.gradient_clip:
        players.scaler.unscale_(players.optimizer_g)
        nn.utils.clip_grad_norm_(players.generator.parameters(), config.gradient_clip)
    players.scaler.step(players.optimizer_g)
    players.scaler.update()
    _follow(
        players.average, players.generator, config.ema_decay if ema_decay is None else ema_decay
    )
    losses["loss_G_pixel"] = loss_pixel.item()
    losses |= {f"loss_G_{name}": loss.item() for name, (_, _, loss) in terms.items()}
    return losses | {"loss_G": total.item()}


Maps = list[Tensor] | Tensor
"""Features of a frozen network: one map or several."""


def _features(
    players: Players,
    config: TrainConfig,
    condition: Tensor,
    target: Tensor,
    made: Tensor,
    dtype: torch.dtype,
) -> tuple[Maps, Maps]:
    """What the frozen network sees in the true and in the colored picture: in the whole of it
    where features are compared alone, in a random corner where a discriminator looks at them."""
    assert players.features is not None
    true = spaces.encoded(condition, target, config.color_space)
    colored = spaces.encoded(condition, made, config.color_space)
    if players.projected is not None:
        side = int(true.shape[-1] * CORNER)
        row, column = torch.randint(0, true.shape[-1] - side + 1, (2,)).tolist()
        true, colored = (
            each[..., row : row + side, column : column + side] for each in (true, colored)
        )
    with autocast(condition.device, dtype):
        with torch.no_grad():
            wanted = players.features(true)
        return wanted, players.features(colored)


def _train_mode(generator: Generator, config: TrainConfig) -> None:
    """Training mode, but for the parts that are frozen: their statistics stay as well."""
    generator.train()
    if config.freeze_encoder:
        for part in generator.frozen():
            part.eval()


@contextlib.contextmanager
def _resting(players: Players) -> Iterator[None]:
    """Discriminators through which gradients pass and which learn nothing from them."""
    networks = [each for each in (players.discriminator, players.projected) if each is not None]
    learning = [
        value
        for value in itertools.chain(*(network.parameters() for network in networks))
        if value.requires_grad
    ]
    for value in learning:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in learning:
            value.requires_grad_(True)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights.

    Batch-norm statistics are taken over as they are: those of averaged weights are neither their
    average nor the network's own, so `calibrate_batch_norm` measures them before they are used.
    """
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for statistic, current in zip(average.buffers(), network.buffers(), strict=True):
        statistic.copy_(current)


@torch.no_grad()
def calibrate_batch_norm(
    network: nn.Module,
    batches: Iterable[Tensor],
    device: torch.device,
    dtype: torch.dtype,
    frozen: Iterable[nn.Module] = (),
) -> None:
    """Set batch-norm statistics to their mean over batches of conditions; dropout off; parts that
    are `frozen` keep theirs.

    Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section 3.2. Averaging the
    statistics instead cost 0.055 of grey's error and left colors too weak.
    """
    kept = {id(module) for part in frozen for module in part.modules()}
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d) and id(module) not in kept
    ]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for condition in batches:
        with autocast(device, dtype):
            network(condition.to(device, memory_format=memory_format(device)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
