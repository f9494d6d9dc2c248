"""A run, a checkpoint or an ONNX file as one thing that colors: what `evaluate`, `plot` and
`human-test` work with. Lightness in, chroma out; photographs are read elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from colorbatch import color
from colorbatch.color import luma_join
from colorbatch.errors import ModelError, UsageError
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine
from training import checkpoint, spaces
from training.config import TrainConfig
from training.generators import Generator
from training.metrics import colored_picture

BATCH = 16


@dataclass(frozen=True)
class Model:
    """Something that colors. `predict`: L* (N, *size) in [0, 100] to ab (N, *size, 2), float32."""

    name: str
    size: tuple[int, int]
    predict: Callable[[color.Float], color.Float]
    about: Mapping[str, object] = field(default_factory=dict)
    """Where it comes from: its recipe, history and source commit."""

    def chroma_of(self, lightness: color.Float) -> color.Float:
        """`predict`, which raises ModelError if the model has diverged."""
        chroma = self.predict(lightness)
        if not np.isfinite(chroma).all():
            raise ModelError(f"{self.name}: its colors are no numbers")
        return chroma

    def colored(self, rgb: color.Codes) -> color.Codes:
        """A photograph (H, W, 3), uint8, colored anew from its own lightness: (H, W, 3), uint8."""
        [ab] = self.chroma_for([rgb], (rgb.shape[0], rgb.shape[1]))
        return colored_picture(color.rgb_to_lab(rgb), ab)

    def chroma_for(
        self, pictures: list[color.Codes], size: tuple[int, int] | None = None
    ) -> list[color.Float]:
        """ab (*size, 2) for photographs (H, W, 3), uint8, each seen whole at the model's own size,
        as the tool does it; enlarged bicubically to `size` (the model's own without it).

        Raises ModelError if the model has diverged.
        """
        small = [color.resize_area(rgb, self.size) for rgb in pictures]
        chroma = self.chroma_of(np.stack([color.rgb_to_lab(rgb)[..., 0] for rgb in small]))
        if size is None or size == self.size:
            return list(chroma)
        if size[0] < self.size[0] or size[1] < self.size[1]:
            return [color.resize_area(ab, size) for ab in chroma]
        return [luma_join.enlarge_rows(ab, size, 0, size[0]) for ab in chroma]


def open_model(path: Path, name: str | None = None) -> Model:
    """A model from an ONNX file, a run's folder or a checkpoint file.

    A run's is its averaged generator in float32, dropout off. Raises UsageError, ModelError.
    """
    if path.suffix == ".onnx":
        engine = Engine(path, "auto", batch_size=BATCH)
        card = engine.card
        about: dict[str, object] = {"recipe": card.recipe, "history": list(card.history)}
        about |= {"commit": card.source_commit, "sha256": sha256(path)}
        return Model(name or path.stem, engine.size, engine.predict, about)
    state = checkpoint.load(path)
    config = checkpoint.config_of(state)
    generator = checkpoint.trained_generator(state)
    history = state.get("history", [])
    about = {
        "recipe": config.recipe,
        "history": [chapter["summary"] for chapter in history],
        "commit": history[-1]["commit"] if history else "",
    }
    label = name or (path.name if path.is_dir() else path.parent.name or path.stem)
    return Model(label, (config.size, config.size), predictor(generator, config), about)


def open_noisy_model(path: Path, seed: int) -> Model:
    """A run with its dropout on, which colors a picture anew each time, from a seed.

    Raises UsageError for an ONNX file, which has no dropout, and for a run without any.
    """
    if path.suffix == ".onnx":
        raise UsageError(f"{path}: an exported model has no dropout; noise needs the run")
    state = checkpoint.load(path)
    config = checkpoint.config_of(state)
    if not config.dropout:
        raise UsageError(f"{path} was trained without dropout: there is no noise")
    generator = checkpoint.trained_generator(state)
    for module in generator.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    torch.manual_seed(seed)
    return Model("noise", (config.size, config.size), predictor(generator, config))


def predictor(generator: Generator, config: TrainConfig) -> Callable[[color.Float], color.Float]:
    """A generator as a function from L* (N, S, S) to ab (N, S, S, 2), on the best device here; it
    draws dropout anew at each call if the generator's dropout layers are in training mode."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator.to(device)

    @torch.no_grad()
    def predict(lightness: color.Float) -> color.Float:
        parts = []
        for start in range(0, len(lightness), BATCH):
            condition = spaces.condition(lightness[start : start + BATCH], config.color_space)
            output = generator(condition.to(device, memory_format=torch.channels_last))
            parts.append(spaces.chroma(output, config.color_space))
        return np.concatenate(parts)

    return predict
