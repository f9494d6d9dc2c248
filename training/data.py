"""Photographs of folders, decoded once into a cache; which of them a step sees.

Flows in: folders of photographs. Flows out: pixels, uint8 sRGB in one memory-mapped file a folder,
which the operating system keeps in memory as far as there is room, and the order in which epochs
visit them, a function of (seed, epoch) alone. `training.views` makes batches of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from colorbatch import color
from colorbatch.errors import ColorbatchError, SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from colorbatch.fs.atomic import replacing, write_bytes
from training import spaces
from training.config import TrainConfig
from training.folders import find_photographs

VALIDATION_SHARE = 0.2
DECODED_AHEAD = 64
"""Photographs that are held in memory at once while decoding."""


@dataclass(frozen=True)
class PhotoCache:
    """Decoded photographs: `names` below their folder, and picture i at `photo(i)`."""

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    """Where each picture begins in its folder's pixels."""
    parts: tuple[int, ...]
    """Which folder's pixels each picture lies in."""
    pixels: tuple[np.ndarray, ...]
    """One memory-mapped file a folder, uint8."""
    grey: int
    unreadable: int
    lengths: tuple[int, ...]
    """How many photographs each folder has."""
    seen: tuple[int, ...]
    """How many of them an epoch sees."""

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> color.Codes:
        """Photograph `index`: sRGB codes (H, W, 3), uint8, a view into the cache."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        flat = self.pixels[self.parts[index]][start : start + height * width * 3]
        return flat.reshape(height, width, 3)

    @property
    def digest(self) -> str:
        """Names and sizes of what is in it: two caches of the same photographs have the same."""
        content: list[object] = [self.names, self.sizes]
        if self.seen != self.lengths:
            content.append(self.seen)
        text = json.dumps(content)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Folder:
    """A folder of photographs, and how much of it an epoch sees: 1 is every photograph once."""

    path: Path
    weight: float = 1.0

    @classmethod
    def of(cls, text: str) -> Folder:
        """`DIR`, or `DIR:WEIGHT`. Raises UsageError for a weight that is none."""
        path, colon, weight = text.rpartition(":")
        if not colon or Path(text).is_dir() or not re.fullmatch(r"[0-9.]+", weight):
            return cls(Path(text))
        try:
            share = float(weight)
        except ValueError:
            raise UsageError(f"{weight} is no weight for {path}") from None
        if not 0 < share <= 100:
            raise UsageError(f"the weight of {path} is above 0 and at most 100, not {weight}")
        return cls(Path(path), share)


def is_validation(name: str) -> bool:
    """Whether a photograph of this file name belongs to the fifth that is not trained on.

    A stable hash of the name decides, so a growing folder never moves a photograph.
    """
    number = int.from_bytes(hashlib.sha256(Path(name).name.encode()).digest()[:8], "big")
    return number / 2**64 < VALIDATION_SHARE


def open_caches(
    data: Path | Sequence[Folder],
    validation: Path | None,
    folder: Path,
    config: TrainConfig,
    skip: Path | None = None,
) -> tuple[PhotoCache, PhotoCache]:
    """The training and the validation photographs, decoded into `folder` where they are not yet.

    Without a validation folder, photographs are told apart by `is_validation`. What lies
    below `skip` (the run's own pictures) is left out. Raises UsageError if a set is empty.
    """
    folders = [Folder(data)] if isinstance(data, Path) else list(data)
    short_side = _short_side(config)
    training, validating = [], []
    for each in folders:
        found = find_photographs(each.path, skip)
        if validation is None:
            held_out = [path for path in found if is_validation(path.name)]
            found = [path for path in found if not is_validation(path.name)]
            validating.append(_open_cache(each.path, held_out, folder / "val", short_side))
        training.append(_open_training(each, found, folder, short_side))
    if validation is not None:
        held_out = find_photographs(validation, skip)
        validating = [_open_cache(validation, held_out, folder / "val", short_side)]
    if not any(len(cache) for cache in validating):
        where = validation or ", ".join(str(each.path) for each in folders)
        raise UsageError(f"no color photographs for validation in {where}")
    return _joined(training, [each.weight for each in folders]), _joined(validating)


def training_photographs(
    folders: Sequence[Folder], folder: Path, config: TrainConfig, skip: Path | None = None
) -> PhotoCache:
    """The training photographs of `open_caches` alone. They are all in `folders` if these are
    decoded in `folder` already, by a run with validation photographs of its own; otherwise those
    that `is_validation` leaves."""
    short_side = _short_side(config)
    found = [find_photographs(each.path, skip) for each in folders]
    if not all(
        _index_path(each.path, paths, folder / "train", short_side).exists()
        for each, paths in zip(folders, found, strict=True)
    ):
        found = [[path for path in paths if not is_validation(path.name)] for paths in found]
    caches = [
        _open_training(each, paths, folder, short_side)
        for each, paths in zip(folders, found, strict=True)
    ]
    return _joined(caches, [each.weight for each in folders])


def decoded_photographs(folder: Path) -> PhotoCache | None:
    """The training photographs that runs have decoded into `folder`, each with the weight 1; None
    if there are none."""
    paths = sorted(folder.glob("train-*.json"))
    caches = [_read_cache(path) for path in paths if path.with_suffix(".rgb").exists()]
    caches = [cache for cache in caches if len(cache)]
    return _joined(caches) if caches else None


def _short_side(config: TrainConfig) -> int:
    """Pixels that photographs keep on their shorter side, for the smallest windows."""
    return round(config.size / config.crop)


def _open_training(
    source: Folder, paths: Sequence[Path], folder: Path, short_side: int
) -> PhotoCache:
    cache = _open_cache(source.path, paths, folder / "train", short_side)
    if not len(cache):
        raise UsageError(f"no color photographs for training in {source.path}")
    return cache


def _joined(caches: Sequence[PhotoCache], weights: Sequence[float] | None = None) -> PhotoCache:
    """Several folders as one, each with its weight; names of equal files in different folders are
    told apart by the folder's number."""
    weights = weights or [1.0] * len(caches)
    several = len(caches) > 1
    return PhotoCache(
        names=tuple(
            f"{part}:{name}" if several else name
            for part, cache in enumerate(caches)
            for name in cache.names
        ),
        sizes=tuple(size for cache in caches for size in cache.sizes),
        offsets=tuple(offset for cache in caches for offset in cache.offsets),
        parts=tuple(part for part, cache in enumerate(caches) for _ in cache.names),
        pixels=tuple(pixels for cache in caches for pixels in cache.pixels),
        grey=sum(cache.grey for cache in caches),
        unreadable=sum(cache.unreadable for cache in caches),
        lengths=tuple(len(cache) for cache in caches),
        seen=tuple(
            max(1, round(weight * len(cache))) if len(cache) else 0
            for cache, weight in zip(caches, weights, strict=True)
        ),
    )


def _index_path(root: Path, paths: Sequence[Path], stem: Path, short_side: int) -> Path:
    """Where the index of decoded photographs lies; their pixels lie beside it."""
    stamps = [[path.relative_to(root).as_posix(), *_stamp(path)] for path in paths]
    content = [short_side, color.GREY_CHROMA, *stamps]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    # the key is in the names, so that runs with other photographs or sizes can share the folder
    return stem.with_name(f"{stem.name}-{key}.json")


def _open_cache(root: Path, paths: Sequence[Path], stem: Path, short_side: int) -> PhotoCache:
    index_path = _index_path(root, paths, stem, short_side)
    pixel_path = index_path.with_suffix(".rgb")
    if not (index_path.exists() and pixel_path.exists()):
        stem.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(index_path, json.dumps(_decode(root, paths, pixel_path, short_side)).encode())
    return _read_cache(index_path)


def _read_cache(index_path: Path) -> PhotoCache:
    pixel_path = index_path.with_suffix(".rgb")
    try:
        index = json.loads(index_path.read_text("utf-8"))
        sizes = tuple((height, width) for height, width in index["sizes"])
        lengths = [height * width * 3 for height, width in sizes]
        pixels = np.zeros(0, np.uint8)
        if lengths:  # an empty file cannot be mapped
            # copied on write, which nobody does: PyTorch warns of memory that it must not write
            pixels = np.memmap(pixel_path, np.uint8, "c", shape=sum(lengths))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ColorbatchError(f"{pixel_path}: broken cache", "delete it and start again") from error
    return PhotoCache(
        names=tuple(index["names"]),
        sizes=sizes,
        offsets=tuple(int(n) for n in np.cumsum([0, *lengths])[:-1]),
        parts=(0,) * len(sizes),
        pixels=(pixels,),
        grey=index["grey"],
        unreadable=index["unreadable"],
        lengths=(len(sizes),),
        seen=(len(sizes),),
    )


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros for a link to nothing, which counts as unreadable later."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_size, stat.st_mtime_ns)


def _decode(root: Path, paths: Sequence[Path], pixel_path: Path, short_side: int) -> dict[str, Any]:
    """Decode photographs into one file, in the order of `paths`; returns its index."""

    def load(path: Path) -> tuple[color.Codes | None, bool]:
        try:
            rgb = _shrink(load_rgb(path), short_side)
        except SourceError:
            return None, False
        return rgb, color.mean_chroma(color.rgb_to_lab(rgb)) < color.GREY_CHROMA

    names, sizes, grey, unreadable = [], [], 0, 0
    with (
        replacing(pixel_path) as file,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(desc="decode", total=len(paths), leave=False) as bar,
    ):
        for start in range(0, len(paths), DECODED_AHEAD):
            part = paths[start : start + DECODED_AHEAD]
            for path, (rgb, is_grey) in zip(part, pool.map(load, part), strict=True):
                bar.update()
                unreadable += rgb is None
                grey += is_grey
                if rgb is not None and not is_grey:
                    names.append(path.relative_to(root).as_posix())
                    sizes.append(rgb.shape[:2])
                    file.write(np.ascontiguousarray(rgb).data)
    return {"names": names, "sizes": sizes, "grey": grey, "unreadable": unreadable}


def _shrink(rgb: color.Codes, short_side: int) -> color.Codes:
    """Down to `short_side` pixels on the shorter side; smaller ones stay as they are."""
    height, width = rgb.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return rgb
    return color.resize_area(rgb, (max(1, round(height * scale)), max(1, round(width * scale))))


def epoch_order(cache: PhotoCache, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits its photographs: of each folder as many as its weight
    says, from where the epoch before stopped; none again before all of the folder were seen."""
    visits, first = [], 0
    for part, (length, seen) in enumerate(zip(cache.lengths, cache.seen, strict=True)):
        if seen:
            begun, skipped = divmod(epoch * seen, length)
            rounds = range(begun, begun - (-(skipped + seen) // length))
            drawn = [np.random.default_rng((seed, n, part)).permutation(length) for n in rounds]
            visits.append(first + np.concatenate(drawn)[skipped : skipped + seen])
        first += length
    order = np.concatenate(visits)
    if len(visits) == 1:
        return order
    return np.random.default_rng((seed, epoch, len(cache.lengths))).permutation(order)


def lab_of(pictures: Sequence[color.Codes]) -> color.Float:
    """Pictures (S, S, 3), uint8, of equal size to L*a*b* (N, S, S, 3)."""
    stack = np.stack(pictures)
    count, height, width, _ = stack.shape
    lab = color.rgb_to_lab(stack.reshape(count * height, width, 3))
    return lab.reshape(count, height, width, 3)


def to_tensors(pictures: Sequence[color.Codes], space: str = "lab") -> tuple[Tensor, Tensor]:
    """Pictures (S, S, 3), uint8, to condition and target as in `training.spaces`."""
    lab = lab_of(pictures)
    return spaces.condition(lab[..., 0], space), spaces.target(lab, np.stack(pictures), space)


def step_photographs(cache: PhotoCache, config: TrainConfig, step: int) -> tuple[int, list[int]]:
    """The epoch of one step (counted from 0), and the indices of the photographs it sees."""
    epoch, batch = divmod(step, steps_per_epoch(cache, config))
    order = epoch_order(cache, config.seed, epoch)
    count = config.photographs
    return epoch, [int(index) for index in order[batch * count : (batch + 1) * count]]


def steps_per_epoch(cache: PhotoCache, config: TrainConfig) -> int:
    """Whole batches in an epoch, at least one."""
    return max(1, sum(cache.seen) // config.photographs)


def whole_picture(rgb: color.Codes, size: int) -> color.Codes:
    """A photograph squeezed to the network's square, as the tool does it."""
    return color.resize_area(rgb, (size, size))


def validation_batches(
    cache: PhotoCache, config: TrainConfig, count: int
) -> Iterator[tuple[list[color.Codes], color.Float]]:
    """The first `count` validation photographs in batches of 16: pictures and their L*a*b*.

    Names are sorted by hash, so that the first few are a mixture of all sources.
    """
    order = sorted(
        range(len(cache)), key=lambda i: hashlib.sha256(cache.names[i].encode()).digest()
    )[:count]
    for start in range(0, len(order), 16):
        pictures = [whole_picture(cache.photo(i), config.size) for i in order[start : start + 16]]
        yield pictures, lab_of(pictures)
