"""The figures in a model's card, against scikit-image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image
from torch import Tensor, nn

from colorbatch.errors import UsageError
from export.card import measure, read_texts
from export.wrapper import LabGenerator
from training import checkpoint


class Grey(nn.Module):
    """Predicts no color at all."""

    def forward(self, lightness: Tensor) -> Tensor:
        return torch.zeros_like(lightness).expand(-1, 2, -1, -1)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two photographs in color and a grey one."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(skimage.data.astronaut()).save(folder / "a.png")
    Image.fromarray(skimage.data.coffee()[:384, :384]).save(folder / "b.png")
    Image.fromarray(skimage.data.camera()).save(folder / "grey.png")
    return folder


def test_grey_prediction_has_the_error_of_grey(photographs: Path) -> None:
    """Without color the error is the mean |ab| of the photographs, which scikit-image tells too."""
    figures = measure(LabGenerator(Grey()), photographs, (128, 128))
    assert figures["photographs"] == 2  # the grey one teaches nothing
    errors = []
    for name, factor in (("a.png", 4), ("b.png", 3)):
        with Image.open(photographs / name) as image:
            small = np.asarray(image.reduce(factor))
        errors.append(np.abs(skimage.color.rgb2lab(small)[..., 1:]).mean())
    # the box filters round to codes each in their own way
    assert figures["ab_error_grey"] == pytest.approx(np.mean(errors), rel=0.005)
    assert figures["ab_error_relative"] == pytest.approx(1)
    assert figures["colorfulness"] == pytest.approx(0, abs=0.5)  # grey to within a code


def test_a_folder_without_color_cannot_be_measured(tmp_path: Path) -> None:
    """Grey photographs alone give no figures, and that is said."""
    Image.fromarray(skimage.data.camera()).save(tmp_path / "grey.png")
    with pytest.raises(UsageError, match="no color photographs"):
        measure(LabGenerator(Grey()), tmp_path, (32, 32))


def test_relu_limit_bounds_the_exported_decoder(run: Path) -> None:
    """With a limit the same weights answer through bounded ReLUs, and only through those."""
    state = checkpoint.load(run)
    free, bounded = checkpoint.trained_generator(state), checkpoint.trained_generator(state, 0.5)
    generous = checkpoint.trained_generator(state, 1e6)
    lightness = torch.rand(1, 1, 32, 32) * 2 - 1
    assert torch.equal(free(lightness), generous(lightness))
    seen = []
    for block in bounded.up[1:]:
        block[0].register_forward_hook(lambda _, __, output: seen.append(output.max().item()))
    assert not torch.equal(free(lightness), bounded(lightness))
    assert max(seen) == 0.5


@pytest.mark.parametrize("text", ["training_data = ", "color = 'red'"])
def test_broken_card_texts_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is no TOML or has other keys ends in one line that names it."""
    path = tmp_path / "card.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="card"):
        read_texts(path)
