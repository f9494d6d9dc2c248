"""The backbones against torchvision's published names, numbers and arithmetic, and their files."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import math
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from colorbatch.errors import ColorbatchError, UsageError
from training.backbones import (
    BACKBONES,
    ResNet18,
    VGG19Features,
    digest,
    load_weights,
    read_weights,
)
from training.backbones.weights import Download, Package

Weights = dict[str, Tensor]
Shapes = Callable[..., dict[str, tuple[int, ...]]]
POOLS = (4, 9, 18, 27, 36)
"""Places of the max-pools in torchvision's `vgg19().features`."""
PHI = {
    "1_1": 0,
    "1_2": 2,
    "2_1": 5,
    "2_2": 7,
    "3_1": 10,
    "3_4": 16,
    "4_4": 25,
    "5_1": 28,
    "5_4": 34,
}
"""phi_ij to the place of its convolution in torchvision's `vgg19().features`."""


def _learnt(shapes: dict[str, tuple[int, ...]]) -> int:
    """Parameters in a table of names and shapes: all but batch norm's statistics."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return sum(math.prod(s) for name, s in shapes.items() if not name.endswith(statistics))


def _saved(path: Path, weights: object) -> Path:
    torch.save(weights, path)
    return path


# --- names and shapes --------------------------------------------------------------------------


def test_tables_are_torchvisions(torchvision_shapes: Shapes) -> None:
    """The tables of these tests have the numbers that torchvision's documentation gives."""
    resnet18, vgg19 = torchvision_shapes("resnet18"), torchvision_shapes("vgg19")
    assert (_learnt(resnet18), len(resnet18)) == (11_689_512, 122)
    assert (_learnt(vgg19), len(vgg19)) == (143_667_240, 2 * 19)


@pytest.mark.parametrize("width", [16, 64])
def test_names_of_resnet18(torchvision_shapes: Shapes, width: int) -> None:
    """Every layer but the linear one, under torchvision's name; the layers are scaled by width."""
    network = ResNet18(width)
    expected = torchvision_shapes("resnet18", width)
    expected = {name: shape for name, shape in expected.items() if not name.startswith("fc.")}
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == expected
    if width == 64:
        # 11,689,512 less the linear layer's 512 x 1000 + 1000
        assert sum(parameter.numel() for parameter in network.parameters()) == 11_176_512


@pytest.mark.parametrize("layer", ["1_1", "2_2", "5_4"])
def test_names_of_vgg19(torchvision_shapes: Shapes, layer: str) -> None:
    """Every convolution up to phi_ij under torchvision's name, and nothing behind it."""
    with torch.device("meta"):
        network = VGG19Features(int(layer[0]), int(layer[2]))
    expected = {
        name: shape
        for name, shape in torchvision_shapes("vgg19").items()
        if name.startswith("features.") and int(name.split(".")[1]) <= PHI[layer]
    }
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == expected
    if layer == "5_4":
        # 143,667,240 less the three linear layers' 123,642,856
        assert sum(parameter.numel() for parameter in network.parameters()) == 20_024_384


# --- arithmetic --------------------------------------------------------------------------------


def _norm(x: Tensor, weights: Weights, name: str) -> Tensor:
    """Batch norm in eval mode: (x - mean) / sqrt(var + 1e-5) * gain + shift."""
    mean, var, gain, shift = (
        weights[f"{name}.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(var + 1e-5) * gain + shift


def _resnet18(x: Tensor, weights: Weights) -> list[Tensor]:
    """ResNet-18 up to its average pool, from torchvision's names: He et al. 2016, table 1."""
    maps = [_norm(functional.conv2d(x, weights["conv1.weight"], None, 2, 3), weights, "bn1").relu()]
    x = functional.max_pool2d(maps[0], 3, 2, 1)
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = functional.conv2d(x, weights[f"{name}.conv1.weight"], None, stride, 1)
            y = _norm(y, weights, f"{name}.bn1").relu()
            y = functional.conv2d(y, weights[f"{name}.conv2.weight"], None, 1, 1)
            y = _norm(y, weights, f"{name}.bn2")
            if stride == 2:
                x = functional.conv2d(x, weights[f"{name}.downsample.0.weight"], None, 2)
                x = _norm(x, weights, f"{name}.downsample.1")
            x = (x + y).relu()
        maps.append(x)
    return maps


def _vgg19(rgb: Tensor, weights: Weights, last: int) -> Tensor:
    """`vgg19().features` of a picture in [0, 1] up to the convolution at place `last` and its
    ReLU, with the normalisation that torchvision documents for its weights."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (rgb - mean[:, None, None]) / std[:, None, None]
    for place in range(last + 1):
        if place in POOLS:
            x = functional.max_pool2d(x, 2)
        elif f"features.{place}.weight" in weights:
            kernel, bias = weights[f"features.{place}.weight"], weights[f"features.{place}.bias"]
            x = functional.conv2d(x, kernel, bias, 1, 1).relu()
    return x


@torch.no_grad()
def test_resnet18_computes_torchvisions(resnet18_weights: Callable[..., Weights]) -> None:
    """Five maps, 1/2 to 1/32 of the size, equal to the network written out with its weights."""
    weights = resnet18_weights()
    network = ResNet18(16)
    load_weights(network, weights, "x.pth")
    picture = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    maps = network.eval()(picture)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (16, 32, 48),
        (16, 16, 24),
        (32, 8, 12),
        (64, 4, 6),
        (128, 2, 3),
    ]
    for found, expected in zip(maps, _resnet18(picture, weights), strict=True):
        assert expected.std() > 0.1
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)  # float32, values around 1


@pytest.fixture(scope="module")
def vgg19(vgg19_weights: Callable[..., Weights]) -> Weights:
    """VGG-19 with random weights, the linear layers aside."""
    return vgg19_weights()


@torch.no_grad()
@pytest.mark.parametrize("layer", ["1_1", "1_2", "2_2", "3_4", "5_1", "5_4"])
def test_phi_is_the_right_layer(vgg19: Weights, layer: str) -> None:
    """phi_ij is the j-th convolution before the i-th max-pool, behind its ReLU (Ledig et al.)."""
    i, j = int(layer[0]), int(layer[2])
    network = VGG19Features(i, j)
    load_weights(network, vgg19, "x.pth")
    rgb = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    found, expected = network.eval()(rgb), _vgg19(rgb, vgg19, PHI[layer])
    assert found.shape == (2, min(64 * 2 ** (i - 1), 512), 32 // 2 ** (i - 1), 48 // 2 ** (i - 1))
    assert found.min() == 0 < expected.std()  # behind the ReLU
    # float32, other order of sums, through up to 16 layers
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_files_load_unchanged(
    resnet18_weights: Callable[..., Weights],
    vgg19_weights: Callable[..., Weights],
    tmp_path: Path,
    zipped: bool,
) -> None:
    """Files with torchvision's names, linear layers included, load in the form of today and in that
    before PyTorch 1.6, in which torchvision's own VGG-19 is."""
    save = functools.partial(torch.save, _use_new_zipfile_serialization=zipped)
    resnet18, vgg19 = resnet18_weights(), vgg19_weights(drawn=2)
    save(resnet18, tmp_path / "resnet18-x.pth")
    save(vgg19, tmp_path / "vgg19-x.pth")
    sources = [str(tmp_path / "vgg19-x.pth"), "encoder:nowhere", str(tmp_path / "resnet18-x.pth")]
    for name, network, weights in (
        ("resnet18", ResNet18(16), resnet18),
        ("vgg19", VGG19Features(1, 2), vgg19),
    ):
        found = read_weights(sources, name)  # each takes its own of both
        assert found is not None and found[1] == f"{name}-x.pth"
        mark = load_weights(network, *found)
        for key, value in network.state_dict().items():
            assert torch.equal(value, weights[key]), key
        assert mark == digest(network) and len(mark) == 16


def test_no_source_has_them(vgg19_weights: Callable[..., Weights], tmp_path: Path) -> None:
    """No source, or those of other networks only: nothing is found, which is no error here."""
    path = _saved(tmp_path / "vgg19.pth", vgg19_weights(drawn=0))
    for sources in ([], ["encoder:nowhere"], [str(path)]):
        assert read_weights(sources, "resnet18") is None


@torch.no_grad()
def test_one_channel_takes_the_sum(resnet18_weights: Callable[..., Weights]) -> None:
    """On grey, one channel gives what three equal ones give with the whole first convolution."""
    weights = resnet18_weights()
    network = ResNet18(16, inputs=1)
    load_weights(network, weights, "x.pth")
    assert torch.equal(network.conv1.weight[:, 0], weights["conv1.weight"].sum(dim=1))
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = _resnet18(grey.expand(-1, 3, -1, -1), weights)
    for found, wanted in zip(network.eval()(grey), expected, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)  # float32, values around 1


def test_old_files_count_no_batches(resnet18_weights: Callable[..., Weights]) -> None:
    """Files from before 2018 lack `num_batches_tracked`; all the rest is taken from them."""
    weights = resnet18_weights()
    old = {name: v for name, v in weights.items() if not name.endswith("num_batches_tracked")}
    network = ResNet18(16)
    load_weights(network, old, "x.pth")
    for name, value in network.state_dict().items():
        assert torch.equal(value, old.get(name, torch.tensor(0))), name


def test_half_precision_is_widened(resnet18_weights: Callable[..., Weights]) -> None:
    """Weights stored in half precision are computed with in float32."""
    half = {n: v.half() if v.is_floating_point() else v for n, v in resnet18_weights().items()}
    network = ResNet18(16)
    load_weights(network, half, "x.pth")
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert torch.equal(network.conv1.weight, half["conv1.weight"].float())


def test_digest_is_of_the_values(resnet18_weights: Callable[..., Weights]) -> None:
    """Equal weights have one digest, whatever file they came in; other weights another."""
    marks = []
    for seed, channels in ((0, 3), (0, 3), (1, 3), (0, 1)):
        network = ResNet18(16, channels)
        marks.append(load_weights(network, resnet18_weights(seed=seed), f"{seed}.pth"))
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


NO_WEIGHTS = (
    "no weights of resnet18, vgg19, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2"
)


class _Pickle:
    """A pickle that would make a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.mkdir, (self.folder,))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no such weight file"),
        ("empty", "not a weight file of PyTorch"),
        ("text", "not a weight file of PyTorch"),
        ("cut", "not a weight file of PyTorch"),
        ("code", "not a weight file of PyTorch"),
        ("plain pickle of code", "not a weight file of PyTorch"),
        ("folder", "not a weight file of PyTorch"),
        ("tensor", "not a file of tensors by name"),
        ("checkpoint", "not a file of tensors by name"),
        ("numbers for names", "not a file of tensors by name"),
        ("other network", NO_WEIGHTS),
        ("nothing in it", NO_WEIGHTS),
    ],
)
def test_broken_files(
    resnet18_weights: Callable[..., Weights], tmp_path: Path, kind: str, said: str
) -> None:
    """A file that is none of these networks' gives one line with its name, and runs no code."""
    path = tmp_path / "x.pth"
    ran = tmp_path / "ran"
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("<html>404 Not Found</html>", "utf-8")
    elif kind == "cut":
        _saved(path, resnet18_weights())
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "code":
        _saved(path, {"conv1.weight": _Pickle(ran)})
    elif kind == "plain pickle of code":
        path.write_bytes(pickle.dumps(_Pickle(ran)))
    elif kind == "tensor":
        _saved(path, torch.zeros(3))
    elif kind == "checkpoint":
        _saved(path, {"epoch": 3, "state_dict": resnet18_weights()})
    elif kind == "numbers for names":
        _saved(path, {1: torch.zeros(3)})
    elif kind == "other network":
        _saved(path, {"stem.0.weight": torch.zeros(3), "fc.weight": torch.zeros(3)})
    elif kind == "nothing in it":
        _saved(path, {})
    with pytest.raises(UsageError) as caught:
        read_weights([str(path)], "resnet18")
    assert str(caught.value) == f"{path}: {said}"
    assert not ran.exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "width",
            "x.pth: 'conv1.weight' has the shape (32, 3, 7, 7), not (16, 3, 7, 7); torchvision's "
            "weights fit a width of 64",
        ),
        ("missing", "x.pth: no 'layer2.0.downsample.0.weight' in these weights"),
        ("missing statistics", "x.pth: no 'layer4.1.bn2.running_var' in these weights"),
        ("resnet34", "x.pth: 'layer1.2.conv1.weight' is no part of this backbone"),
        ("flat", "x.pth: 'conv1.weight' has the shape (2352,), not (16, 3, 7, 7); "),
    ],
)
def test_wrong_weights_of_resnet18(
    resnet18_weights: Callable[..., Weights], kind: str, said: str
) -> None:
    """Another width, a missing layer and a deeper network are told by the layer, in one line."""
    weights = resnet18_weights(32 if kind == "width" else 16)
    if kind == "missing":
        del weights["layer2.0.downsample.0.weight"]
    elif kind == "missing statistics":
        del weights["layer4.1.bn2.running_var"]
    elif kind == "resnet34":
        weights["layer1.2.conv1.weight"] = torch.zeros(16, 16, 3, 3)
    elif kind == "flat":
        weights["conv1.weight"] = weights["conv1.weight"].flatten()
    network = ResNet18(16)
    before = digest(network)
    with pytest.raises(UsageError) as caught:
        load_weights(network, weights, "x.pth")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert digest(network) == before


# the places of the convolutions in torchvision's `features` of the networks that begin like VGG-19
VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG19_BN = (0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49)


@pytest.mark.parametrize("layer", ["1_1", "2_2", "3_4"])
@pytest.mark.parametrize("places", [VGG16, VGG19_BN], ids=["vgg16", "vgg19_bn"])
def test_other_vggs_are_refused(
    vgg19_weights: Callable[..., Weights], layer: str, places: tuple[int, ...]
) -> None:
    """VGG-16 and VGG-19 with batch norm begin like VGG-19, and are not taken for it."""
    mine = vgg19_weights(drawn=0)
    channels = [64] * 2 + [128] * 2 + [256] * (3 if places == VGG16 else 4) + [512] * 8
    weights = {name: value for name, value in mine.items() if name.startswith("classifier.")}
    inputs = 3
    for place, outputs in zip(places, channels, strict=False):
        weights[f"features.{place}.weight"] = torch.zeros(1).expand(outputs, inputs, 3, 3)
        weights[f"features.{place}.bias"] = torch.zeros(outputs)
        inputs = outputs
    network = VGG19Features(int(layer[0]), int(layer[2]))
    with pytest.raises(UsageError, match=r"^x\.pth: no 'features\.\d+\.weight' in these weights$"):
        load_weights(network, weights, "x.pth")


# --- torchvision's own files -------------------------------------------------------------------


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torch.hub folder of its own, and no proxy on the way to this machine."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "torch"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder, the address under which a web server on this machine gives it, and its requests."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_addresses() -> None:
    """The files of torchvision's `IMAGENET1K_V1` weights, as its source names them."""
    found = {name: row.imagenet for name, row in BACKBONES.items()}
    assert {n: row.address for n, row in found.items() if not isinstance(row, Package)} == {
        "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        "vgg19": "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    }


def _download_from(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = dataclasses.replace(BACKBONES["resnet18"], imagenet=Download(address))
    monkeypatch.setitem(BACKBONES, "resnet18", row)


def test_no_network(empty_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`imagenet` without a network is one line that tells the way around it."""
    address = "http://127.0.0.1:9/resnet18-f37072fd.pth"  # the discard port: nothing listens there
    _download_from(address, monkeypatch)
    with pytest.raises(ColorbatchError) as caught:
        read_weights(["imagenet"], "resnet18")
    line = str(caught.value)
    assert line.startswith(f"cannot download {address}: ")
    assert line.endswith("bring the file by other means and give --backbone-weights FILE")
    assert "\n" not in line
    assert caught.value.exit_code == 1


def test_download(
    empty_hub: Path,
    served: tuple[Path, str, list[str]],
    resnet18_weights: Callable[..., Weights],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`imagenet` brings the file whose hash is in its name, once."""
    folder, address, asked = served
    weights = resnet18_weights()
    path = _saved(folder / "made.pth", weights)
    name = f"resnet18-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(folder / name)
    _download_from(f"{address}/{name}", monkeypatch)
    for _ in range(2):
        found = read_weights(["imagenet"], "resnet18")
        assert found is not None and found[1] == "imagenet"
        assert found[0].keys() == weights.keys()
        assert all(torch.equal(value, weights[key]) for key, value in found[0].items())
    assert asked == [f"/{name}"]
    assert [p.name for p in empty_hub.rglob("*.pth")] == [name]


def test_wrong_download(
    empty_hub: Path,
    served: tuple[Path, str, list[str]],
    resnet18_weights: Callable[..., Weights],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file with another hash than its name says, or none at all, is refused and not kept."""
    folder, address, _ = served
    _saved(folder / "resnet18-00000000.pth", resnet18_weights())
    for name, said in (("resnet18-00000000.pth", "invalid hash"), ("none.pth", "File not found")):
        _download_from(f"{address}/{name}", monkeypatch)
        with pytest.raises(ColorbatchError, match=said) as caught:
            read_weights(["imagenet"], "resnet18")
        assert "\n" not in str(caught.value)
        assert not [path for path in empty_hub.rglob("*") if path.is_file()]
        if isinstance(caught.value.__cause__, HTTPError):
            caught.value.__cause__.close()  # it holds its connection
