"""Photographs to batches: decoded once into a cache, then cropped, turned, flipped, made Lab.

Flows in: a folder of photographs. Flows out: conditions and targets as in `training.spaces`,
float32 tensors in the network range. Pixels stay uint8 sRGB in one memory-mapped file, which the
operating system keeps in memory as far as there is room. The randomness of a sample is a function
of (seed, epoch, index) alone, so order, threads and resuming do not change it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor
from tqdm import tqdm

from colorbatch import color
from colorbatch.errors import ColorbatchError, SourceError, UsageError
from colorbatch.files import replacing, write_bytes
from colorbatch.finding import find_pictures
from colorbatch.images import load_rgb
from training import spaces
from training.config import TrainConfig

VALIDATION_SHARE = 0.2
DECODED_AHEAD = 64
"""Photographs that are held in memory at once while decoding."""


@dataclass(frozen=True)
class PhotoCache:
    """Decoded photographs: `names` below their folder, and picture i at `photo(i)`."""

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    pixels: np.ndarray
    grey: int
    unreadable: int

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> color.Codes:
        """Photograph `index`: sRGB codes (H, W, 3), uint8, a view into the cache."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    @property
    def digest(self) -> str:
        """Names and sizes of what is in it: two caches of the same photographs have the same."""
        text = json.dumps([self.names, self.sizes])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_validation(name: str) -> bool:
    """Whether a photograph of this file name belongs to the fifth that is not trained on.

    A stable hash of the name decides, so a growing folder never moves a photograph.
    """
    number = int.from_bytes(hashlib.sha256(Path(name).name.encode()).digest()[:8], "big")
    return number / 2**64 < VALIDATION_SHARE


def open_caches(
    data: Path,
    validation: Path | None,
    folder: Path,
    config: TrainConfig,
    skip: Path | None = None,
) -> tuple[PhotoCache, PhotoCache]:
    """The training and the validation photographs, decoded into `folder` where they are not yet.

    Without a validation folder, photographs are told apart by `is_validation`. What lies
    below `skip` (the run's own pictures) is left out. Raises UsageError if a set is empty.
    """
    short_side = round(config.size / config.crop)
    found = find_pictures(data, skip)
    if validation is None:
        held_out = [path for path in found if is_validation(path.name)]
        found = [path for path in found if not is_validation(path.name)]
        training = _open_cache(data, found, folder / "train", short_side)
        validating = _open_cache(data, held_out, folder / "val", short_side)
    else:
        training = _open_cache(data, found, folder / "train", short_side)
        held_out = find_pictures(validation, skip)
        validating = _open_cache(validation, held_out, folder / "val", short_side)
    for name, cache, root in (
        ("training", training, data),
        ("validation", validating, validation or data),
    ):
        if not len(cache):
            raise UsageError(f"no color photographs for {name} in {root}")
    return training, validating


def _open_cache(root: Path, paths: Sequence[Path], stem: Path, short_side: int) -> PhotoCache:
    stamps = [[path.relative_to(root).as_posix(), *_stamp(path)] for path in paths]
    content = [short_side, color.GREY_CHROMA, *stamps]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    # the key is in the names, so that runs with other photographs or sizes can share the folder
    index_path = stem.with_name(f"{stem.name}-{key}.json")
    pixel_path = index_path.with_suffix(".rgb")
    if not (index_path.exists() and pixel_path.exists()):
        stem.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(index_path, json.dumps(_decode(root, paths, pixel_path, short_side)).encode())
    try:
        index = json.loads(index_path.read_text("utf-8"))
        sizes = tuple((height, width) for height, width in index["sizes"])
        lengths = [height * width * 3 for height, width in sizes]
        pixels = np.zeros(0, np.uint8)
        if lengths:  # an empty file cannot be mapped
            pixels = np.memmap(pixel_path, np.uint8, "r", shape=sum(lengths))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ColorbatchError(f"{pixel_path}: broken cache", "delete it and start again") from error
    return PhotoCache(
        names=tuple(index["names"]),
        sizes=sizes,
        offsets=tuple(int(n) for n in np.cumsum([0, *lengths])[:-1]),
        pixels=pixels,
        grey=index["grey"],
        unreadable=index["unreadable"],
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


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits its photographs."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def sample(rgb: color.Codes, config: TrainConfig, epoch: int, index: int) -> color.Codes:
    """One training picture (S, S, 3), uint8: a random window, turned and flipped as configured."""
    rng = np.random.default_rng((config.seed, epoch, index))
    height, width = rgb.shape[:2]
    share_y, share_x = rng.uniform(config.crop, 1, 2)
    rows, columns = max(1, round(height * share_y)), max(1, round(width * share_x))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    picture = color.resize_area(
        rgb[top : top + rows, left : left + columns], (config.size, config.size)
    )
    if config.rotation:
        center = (config.size - 1) / 2
        angle = rng.uniform(-config.rotation, config.rotation)
        turn = cv2.getRotationMatrix2D((center, center), angle, 1.0)
        picture = cv2.warpAffine(
            picture, turn, (config.size, config.size), borderMode=cv2.BORDER_REFLECT_101
        )
    if config.flip and rng.random() < 0.5:
        picture = picture[:, ::-1]
    return picture


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


def training_batch(
    cache: PhotoCache, config: TrainConfig, step: int
) -> tuple[int, tuple[Tensor, Tensor]]:
    """The batch of one step (counted from 0) and its epoch."""
    epoch, batch = divmod(step, steps_per_epoch(len(cache), config))
    order = epoch_order(len(cache), config.seed, epoch)
    indices = order[batch * config.batch_size : (batch + 1) * config.batch_size]
    return epoch, to_tensors(
        [sample(cache.photo(int(index)), config, epoch, int(index)) for index in indices],
        config.color_space,
    )


def steps_per_epoch(count: int, config: TrainConfig) -> int:
    """Whole batches in an epoch, at least one."""
    return max(1, count // config.batch_size)


def training_batches(
    cache: PhotoCache, config: TrainConfig, start: int
) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """Endless batches from step `start` on, the next one made while the network works."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(training_batch, cache, config, start)
        step = start
        while True:
            current = ahead.result()
            step += 1
            ahead = pool.submit(training_batch, cache, config, step)
            yield current


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
