"""Settings of a training run: a frozen record, read from a recipe and overridden by name."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from colorbatch.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"
NOT_NEGATIVE = (
    *("seed", "learning_rate", "discriminator_learning_rate", "steps", "time_budget"),
    *("relu_limit", "rotation", "noise", "gan_weight", "real_weight"),
    *("fake_weight", "pixel_weight", "chroma_weight", "gan_share", "projected_weight"),
    *("projected_share", "feature_share", "consistency_weight", "consistency_share"),
    *("distribution_weight", "distribution_share"),
    *("encoder_rate", "weight_decay", "warm_up", "gradient_clip"),
)
UP_TO_ONE = ("pretrain", "gamma", "final_rate", "square", "degradation")
BELOW_ONE = ("dropout", "ema_decay", "beta1", "beta2")
NO_LAYER = ("1_3", "1_4", "2_3", "2_4")
"""VGG-19 has two convolutions before each of its first two max-pools."""
NARROWEST = {"unet": 8, "resnet18": 16}
"""Channels. oneDNN 3.12, in torch 2.13, rounds them up to 8 with AVX2, to 16 with AVX-512, and
writes past its memory where they are fewer: in the weights' gradient of 1x1 convolutions of stride
2, the shortcuts of a `resnet18`, channels last (github.com/uxlfoundation/oneDNN/issues/6035)."""


@dataclass(frozen=True)
class TrainConfig:
    """Every setting that decides a run's result. Defaults are those of the sources' `unet`."""

    recipe: str = "unet"
    # generator and discriminator
    color_space: Literal["lab", "rgb"] = "lab"
    """What the generator sees and makes: L to (a, b), or grey in three channels to RGB."""
    generator: str = "unet"
    """By its encoder: pix2pix's (`unet`), a ResNet-18 without its average pool and linear layer
    (`resnet18`), or EfficientNet-Lite2 (`lite-unet`); a row of `training.generators`."""
    width: int = 64
    """Channels of the first layer; the widest has 8 times as many. Of a `lite-unet`, whose encoder
    is what it is, a quarter of the decoder's widest."""
    levels: int = 8
    """How often a `unet` halves its input; the others always do so 5 times."""
    init: Literal["normal", "xavier", "kaiming"] = "normal"
    """First weights: N(0, 0.02), or Glorot's or He's normal distribution."""
    dropout: float = 0.5
    relu_limit: float = 0.0
    """Upper bound of the decoder's ReLUs; 6 is ReLU6, 0 is none. Behind batch norm on maps of 2x2
    and 4x4, single cells grow to 60 standard deviations: a spot at one place of many pictures."""
    smoothing: float = 0.0
    """Share of each neighbor in a filter of three taps, along rows and columns, through which the
    generator sees its input; 0 is none, 0.25 is binomial. Grain is what it takes away."""
    discriminator_width: int = 64
    discriminator_norm: Literal["batch", "spectral"] = "batch"
    """Of the PatchGAN: batch norm, or the spectral norm of Miyato et al. 2018."""
    freeze_encoder: bool = False
    """Whether a pretrained encoder's first parts stay as they came: those that see edges and
    textures, up to 1/4 of the size. Their backward pass is the dearest."""
    # data
    size: int = 256
    """Height and width of what the generator sees, in pixels."""
    batch_size: int = 16
    flip: bool = True
    rotation: float = 0.0
    """Random rotation by up to this many degrees either way."""
    crop: float = 1.0
    """Random crop: each side is at least this share of the photograph's; 1 is none."""
    square: float = 0.0
    """Share of the pictures that are windows with about the photograph's own proportions (15 %),
    at least `crop` of its shorter side; the others are windows squeezed to the square, as the tool
    squeezes whole pictures."""
    pairs: float = 0.0
    """Share of a batch that shows a photograph of the batch a second time, otherwise (see
    `training.views`): what the consistency term compares."""
    degradation: float = 0.0
    """Share of the photographs that the generator sees as an old scan shows them (see
    `training.degradation`)."""
    noise: float = 0.0
    """Gaussian noise on what the generator sees while it is trained, for scans have grain: its
    standard deviation in percent of the range from black to white. The sources' own noise is
    `dropout`."""
    # optimisation
    epochs: int = 45
    steps: int = 0
    """Number of steps; 0 means `epochs` whole epochs."""
    time_budget: float = 0.0
    """Minutes; where it is not 0, it ends the run, and the schedule follows the clock."""
    learning_rate: float = 2e-4
    discriminator_learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    schedule: Literal["constant", "cosine"] = "constant"
    """Rate over the run: constant, or a cosine from the full rate to `final_rate` of it."""
    final_rate: float = 0.0
    warm_up: int = 0
    """Steps over which the rates rise to the full ones."""
    encoder_rate: float = 1.0
    """Factor on the generator's rate for a pretrained encoder."""
    weight_decay: float = 0.0
    """Of the generator, decoupled (Loshchilov and Hutter 2019)."""
    gradient_clip: float = 0.0
    """Largest norm of the generator's gradient; 0 is no limit."""
    # losses
    pretrain: float = 0.0
    """Stage 1: share of the steps, at the start, in which the pixel loss alone trains."""
    gan_mode: Literal["vanilla", "lsgan", "hinge"] = "vanilla"
    """Cross-entropy, the least squares of Mao et al. 2017, or the hinge of Lim and Ye 2017."""
    gan_weight: float = 1.0
    """Weight of the PatchGAN's term; 0 trains without a PatchGAN."""
    gan_share: float = 0.0
    """Instead of a weight, if it is not 0: the norm of this term's gradient on the prediction, as a
    share of that of the pixel loss. Likewise the other shares below."""
    projected_weight: float = 0.0
    """Weight of the term of a projected discriminator (Sauer et al. 2021) on the maps of
    `features`, which is one of EfficientNet-Lite."""
    projected_share: float = 0.0
    real_weight: float = 0.5
    """Weight of the real pictures in the discriminator's loss."""
    fake_weight: float = 0.5
    """Weight of the made pictures in the discriminator's loss."""
    pixel_loss: Literal["l1", "mse"] = "l1"
    pixel_weight: float = 100.0
    chroma_weight: float = 0.0
    """How much more a colorful pixel weighs in the pixel loss: 1 + this x min(chroma / 40, 1.5)."""
    consistency_weight: float = 0.0
    """Weight of how far the colors of two views of one photograph are apart."""
    consistency_share: float = 0.0
    distribution_weight: float = 0.0
    """Weight of how far the colors of a whole batch are from being as common as in the truth."""
    distribution_share: float = 0.0
    gamma: float = 1.0
    """Share of GAN and pixel loss; 1 - gamma is that of the distance of features, L_X."""
    feature_share: float = 0.0
    """Share of the distance of features, in the place of gamma's (which then is 1)."""
    features: str = "vgg19"
    """Whose features those are: `vgg19`, or `efficientnet-lite0` to `2`, all its maps but the first
    (or those of an encoder trained here: `--backbone-weights encoder:RUN`)."""
    feature_layer: str = "5_4"
    """phi_ij of L_X as "i_j": the j-th convolution before the i-th max-pool of VGG-19, after its
    activation. Of an encoder trained here, i counts its resolutions, and j is passed over."""
    ema_decay: float = 0.999
    seed: int = 0
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    # what is kept and shown
    checkpoint_every: int = 500
    """Steps between checkpoints; one is also written at the end."""
    validate_every: int = 1
    """Epochs between sample pictures and validation metrics."""
    validation_images: int = 200
    """How many validation photographs are measured while training (all of them at the end)."""

    def __post_init__(self) -> None:
        counts = ("batch_size", "epochs", "checkpoint_every", "validate_every")
        for name in (*counts, "validation_images"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name, network in (("width", self.generator), ("discriminator_width", "unet")):
            narrowest = NARROWEST.get(network, 1)  # names of other networks are refused below
            if getattr(self, name) < narrowest:
                raise UsageError(
                    f"{name} must be at least {narrowest}, not {getattr(self, name)}: "
                    "with fewer channels PyTorch's oneDNN may damage memory"
                )
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} cannot be {getattr(self, name)}")
        for name in BELOW_ONE:
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 0 and below 1")
        for name in UP_TO_ONE:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be at least 0 and at most 1")
        if not 0 <= self.pairs <= 0.5:
            raise UsageError("pairs must be at least 0 and at most 0.5")
        if (self.consistency_weight or self.consistency_share) and not self.second_views:
            raise UsageError("a consistency term needs pairs: at least one of a batch")
        if self.chroma_weight and self.color_space != "lab":
            raise UsageError("chroma_weight weighs (a, b): the color space is lab")
        if not 0 <= self.smoothing <= 1 / 3:
            raise UsageError(f"smoothing must be at least 0 and at most 1/3, not {self.smoothing}")
        if self.levels < 5:
            raise UsageError(f"levels must be at least 5, not {self.levels}")
        if not 0 < self.crop <= 1:
            raise UsageError(f"crop must be above 0 and at most 1, not {self.crop}")
        from training import generators  # torch takes seconds to import, and --help needs none

        generators.check(self)
        if not re.fullmatch(r"[1-5]_[1-4]", self.feature_layer) or self.feature_layer in NO_LAYER:
            raise UsageError(f"feature_layer is 1_1 to 5_4, not {self.feature_layer!r}")
        for name, hint in get_type_hints(TrainConfig).items():
            allowed = get_args(hint)  # empty but for a Literal
            if allowed and getattr(self, name) not in allowed:
                raise UsageError(f"{name} is one of {', '.join(allowed)}")

    @property
    def second_views(self) -> int:
        """How many of a batch's pictures are second views of others."""
        return int(self.batch_size * self.pairs)

    @property
    def photographs(self) -> int:
        """How many photographs a batch shows."""
        return self.batch_size - self.second_views


def load_recipe(name: str) -> TrainConfig:
    """A recipe of this repository by its name, or a TOML file. Raises UsageError."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise UsageError(f"no recipe {name!r}; there are {known}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    return override(TrainConfig(recipe=path.stem), values)


def override(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The settings with some replaced; text is converted to the setting's type."""
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    converted = {}
    for name, value in values.items():
        if name not in fields:
            raise UsageError(f"no setting {name!r}; there are {', '.join(fields)}")
        converted[name] = _convert(name, value, type(fields[name].default))
    return dataclasses.replace(config, **converted)


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """`name=value` words to a mapping. Raises UsageError."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is not name=value")
        pairs[name.strip().replace("-", "_")] = value.strip()
    return pairs


def _convert(name: str, value: Any, kind: type) -> Any:
    if isinstance(value, str) and kind is bool:
        if value.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise UsageError(f"{name} is true or false, not {value!r}")
        return value.lower() in ("true", "1", "yes")
    try:
        converted = kind(value)
    except (OverflowError, TypeError, ValueError):
        raise UsageError(f"{name} is a {kind.__name__}, not {value!r}") from None
    if not isinstance(value, str) and converted != value:  # 3.5 is no integer, 3 is no truth value
        raise UsageError(f"{name} is a {kind.__name__}, not {value!r}")
    return converted


def differences(old: TrainConfig, new: TrainConfig) -> list[str]:
    """What differs between two settings, as `name: old -> new`."""
    return [
        f"{field.name}: {getattr(old, field.name)} -> {getattr(new, field.name)}"
        for field in dataclasses.fields(TrainConfig)
        if getattr(old, field.name) != getattr(new, field.name)
    ]
