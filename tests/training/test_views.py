"""Photographs to batches: windows, their randomness, second views, and what old scans show."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

import training.views
from colorbatch import color
from training import spaces
from training.config import TrainConfig
from training.data import PhotoCache, step_photographs, to_tensors, whole_picture
from training.draws import Draws, keys
from training.views import Batch, Photographs, draw_windows, make_batch

CacheOf = Callable[[Sequence[np.ndarray]], PhotoCache]
CPU = torch.device("cpu")
PLAIN = TrainConfig(width=8, levels=6, size=64, batch_size=4, flip=False)
RANDOM = dataclasses.replace(PLAIN, flip=True, rotation=8.0, crop=0.7)
PAIRS = dataclasses.replace(RANDOM, batch_size=8, pairs=0.5)
PHOTO = skimage.data.astronaut()[:120, 180:330]
PHOTOS = (
    skimage.data.coffee()[:90, :160],
    skimage.data.chelsea()[20:180, 100:200],
    PHOTO,
    skimage.data.chelsea()[50:150, 100:250],
)
"""Landscape and portrait, of different sizes."""


@pytest.fixture
def photographs(cache_of: CacheOf) -> Photographs:
    """PHOTOS."""
    return Photographs(cache_of(PHOTOS), CPU)


def _rgb(config: TrainConfig) -> TrainConfig:
    return dataclasses.replace(config, color_space="rgb")


def _codes(pictures: Tensor) -> np.ndarray:
    """(N, 3, S, S) in [-1, 1], a target in `rgb`, to codes (N, S, S, 3), float, not rounded."""
    return (pictures.permute(0, 2, 3, 1).double().numpy() + 1) * 127.5


def _places(height: int, width: int) -> np.ndarray:
    """A photograph whose red is the column and whose green the row, each at a pixel's center."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([columns, rows, np.zeros_like(rows)]).astype(np.uint8)


# --- randomness --------------------------------------------------------------------------------


def test_randomness_is_of_seed_epoch_and_index(photographs: Photographs) -> None:
    """The same three numbers give the same batch, whatever was drawn before; others another."""
    config = dataclasses.replace(PAIRS, degradation=0.5)
    reference = make_batch(photographs, config, 3, [0, 1])
    np.random.seed(1)
    torch.manual_seed(1)
    make_batch(photographs, config, 0, [3])
    again = make_batch(photographs, config, 3, [0, 1])
    for name in ("condition", "target", "seen"):
        assert torch.equal(getattr(again, name), getattr(reference, name))
    reseeded = dataclasses.replace(config, seed=1)
    for other in ((config, 4, [0, 1]), (reseeded, 3, [0, 1])):
        found = make_batch(photographs, *other)
        assert (found.target != reference.target).any(dim=3).any(dim=2).any(dim=1).all()


def test_windows_are_their_own_photographs_numbers(cache_of: CacheOf) -> None:
    """Equal photographs at different indices are seen differently."""
    batch = make_batch(Photographs(cache_of([PHOTO] * 4), CPU), RANDOM, 0, [0, 1, 2, 3])
    for one, other in itertools.combinations(batch.target, 2):
        assert not torch.allclose(one, other, atol=0.05)


def test_samples_are_the_same_in_any_batch(photographs: Photographs) -> None:
    """Alone, in another place, or beside larger photographs: a sample is the same."""
    config = dataclasses.replace(RANDOM, square=0.5)
    whole = make_batch(photographs, config, 3, [0, 1, 2, 3])
    for index in range(4):
        other = make_batch(photographs, config, 3, [index])
        # places in a larger frame are rounded otherwise: to 1e-5 of a pixel, in L and ab far below
        # the 0.4 of one code
        assert (other.condition[0] - whole.condition[index]).abs().max() * 50 < 0.01
        assert (other.target[0] - whole.target[index]).abs().max() * 110 < 0.01
    turned = make_batch(photographs, config, 3, [2, 0])
    assert (turned.target - whole.target[[2, 0]]).abs().max() * 110 < 0.01


def test_batches_go_on_where_they_are_asked_to(photographs: Photographs) -> None:
    """The batch of a step is to the bit what it is in a run that came there from step 0."""
    config = dataclasses.replace(PAIRS, batch_size=2, degradation=0.5)
    cache = photographs.cache
    batches = [make_batch(photographs, config, *step_photographs(cache, config, k)) for k in (0, 5)]
    [later] = [make_batch(photographs, config, *step_photographs(cache, config, 5))]
    for name in ("condition", "target", "seen"):
        assert torch.equal(getattr(batches[1], name), getattr(later, name))


# --- windows -----------------------------------------------------------------------------------


def _drawn(config: TrainConfig, size: tuple[int, int], count: int = 1000) -> dict[str, np.ndarray]:
    """Windows into `count` photographs of a size, as arrays by name."""
    draws = Draws(keys(0, 0, torch.arange(count)))
    windows = draw_windows(torch.tensor([size] * count, dtype=torch.float32), config, draws)
    return {name: value.double().numpy() for name, value in vars(windows).items()}


def test_nothing_random_configured(cache_of: CacheOf) -> None:
    """Without crop, rotation and flip a view is the whole picture, squeezed as the tool does."""
    even = skimage.data.astronaut()[:128, 180:308]
    for index in range(3):
        pictures = Photographs(cache_of([PHOTO, even, PHOTO, PHOTO[:, ::-1]]), CPU)
        found = _codes(make_batch(pictures, _rgb(PLAIN), index, [1, index]).target)
        # the mean of two by two pixels, which is four places as well; float32 rounding
        means = even.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
        assert np.abs(found[0] - means).max() < 1e-3
    gap = np.abs(_codes(make_batch(pictures, _rgb(PLAIN), 7, [0]).target)[0] - _whole(PHOTO))
    # 120 x 150 pixels: four places are no area mean, which shows at edges alone; a quarter of a
    # code is the tool's rounding
    assert gap.max() < 8 and gap.mean() < 0.5


def _whole(photo: np.ndarray) -> np.ndarray:
    return whole_picture(photo, 64).astype(float)


def test_flips(cache_of: CacheOf) -> None:
    """About half of the samples are mirrored, exactly."""
    config = dataclasses.replace(PLAIN, flip=True)
    mirrored = _drawn(config, (120, 150))["mirror"] < 0
    assert 440 < mirrored.sum() < 560  # nearly four standard deviations of 1000 coins
    assert (_drawn(PLAIN, (120, 150))["mirror"] == 1).all()
    pictures = Photographs(cache_of([PHOTO] * 8), CPU)
    whole = make_batch(pictures, _rgb(PLAIN), 0, [0]).target[0]
    for flipped, found in zip(
        mirrored, make_batch(pictures, _rgb(config), 0, range(8)).target, strict=False
    ):
        # float32 rounding of places: a hundredth of a code
        assert (found - (whole.flip(2) if flipped else whole)).abs().max() * 127.5 < 0.01
    assert 0 < mirrored[:8].sum() < 8


def test_crops(cache_of: CacheOf) -> None:
    """Windows have at least the configured share of each side and lie anywhere."""
    config = dataclasses.replace(PLAIN, crop=0.5)
    windows = _drawn(config, (100, 200))
    for place, side, length in (("y", "height", 100), ("x", "width", 200)):
        extent, center = windows[side], windows[place]
        # float32 rounding of numbers up to 200
        assert extent.min() > length / 2 - 1e-4 and extent.max() < length + 1e-4
        assert (center - extent / 2).min() > -1e-4 and (center + extent / 2).max() < length + 1e-4
        # the extremes of a thousand draws
        assert extent.min() < 0.51 * length and extent.max() > 0.99 * length
        assert (center - extent / 2).min() < 0.01 * length
        assert (center - extent / 2).max() > 0.4 * length
    assert abs(np.corrcoef(windows["height"], windows["width"])[0, 1]) < 0.15  # 1000 draws: 0.03
    # and what is seen is there: rows grow downwards and columns to the right
    pictures = Photographs(cache_of([_places(100, 200)] * 12), CPU)
    found = _codes(make_batch(pictures, _rgb(config), 0, range(12)).target)
    step = (np.arange(64) + 0.5) / 64 - 0.5
    for i, seen in enumerate(found):
        columns = windows["x"][i] + step * windows["width"][i]
        rows = windows["y"][i] + step * windows["height"][i]
        # bilinear on a ramp is exact, but for the half pixel at the border, where it stands still
        assert np.abs(seen[..., 0] - (columns[None] - 0.5)).max() < 0.3
        assert np.abs(seen[..., 1] - (rows[:, None] - 0.5)).max() < 0.3
        assert np.abs(seen[2:-2, 2:-2, 0] - (columns[None, 2:-2] - 0.5)).max() < 1e-3


def test_rotation(cache_of: CacheOf) -> None:
    """Pictures are turned about their center by up to the configured angle, both ways."""
    config = dataclasses.replace(PLAIN, rotation=12.0)
    angles = np.degrees(_drawn(config, (64, 64))["angle"])
    assert np.abs(angles).max() <= 12 + 1e-4 and np.ptp(angles) > 23.5  # float32 rounding
    columns = np.tile(np.arange(64) * 3 + 20, (64, 1))
    ramp = np.dstack([columns] * 3).astype(np.uint8)
    pictures = Photographs(cache_of([ramp] * 16), CPU)
    found = _codes(make_batch(pictures, _rgb(config), 0, range(16)).target)
    for angle, turned in zip(angles, found[:, 20:44, 20:44, 0], strict=False):
        down, right = (slope.mean() for slope in np.gradient(turned))
        # a ramp stays one, in float32
        assert np.degrees(np.arctan2(down, right)) == pytest.approx(angle, abs=0.01)
        assert turned.mean() == pytest.approx(20 + 3 * 31.5, abs=0.01)


def test_rotated_corners_are_reflected(cache_of: CacheOf) -> None:
    """Beyond a photograph's border it is seen again in reverse: no padding, nothing black."""
    config = dataclasses.replace(PLAIN, rotation=12.0)
    bright = np.full((50, 70, 3), 200, np.uint8)
    bright[:, 35:] = 180
    pictures = Photographs(cache_of([bright, np.full((90, 120, 3), 7, np.uint8)] * 4), CPU)
    found = _codes(make_batch(pictures, _rgb(config), 0, range(8)).target)
    # places are rounded to 1e-5 of a pixel, and by as much of 180 padding shines through
    assert found[::2].min() > 180 - 0.01 and found[::2].max() < 200 + 0.01
    assert np.abs(found[1::2] - 7).max() < 0.01


@pytest.mark.parametrize("size", [(100, 160), (160, 100)])
def test_square_windows(size: tuple[int, int]) -> None:
    """Nearly square windows have the photograph's own proportions within 15 %, and at least
    `crop` of its shorter side; the others are squeezed, as configured."""
    config = dataclasses.replace(PLAIN, crop=0.6, square=1.0)
    windows = _drawn(config, size)
    shape = windows["width"] / windows["height"]
    assert shape.min() > 0.9 - 1e-5 and shape.max() < 1.15 + 1e-5
    assert shape.min() < 0.91 and shape.max() > (1.14 if size[1] > size[0] else 1.09)
    height = windows["height"]
    assert height.min() > 60 - 1e-4 and height.max() < 100 + 1e-4  # float32 rounding
    assert height.min() < 61 and height.max() > 99
    for place, side, length in (("y", "height", size[0]), ("x", "width", size[1])):
        assert (windows[place] - windows[side] / 2).min() > -1e-4
        assert (windows[place] + windows[side] / 2).max() < length + 1e-4
    half = _drawn(dataclasses.replace(config, crop=1.0, square=0.5), size)
    whole = (half["height"] == size[0]) & (half["width"] == size[1])
    assert 440 < whole.sum() < 560  # nearly four standard deviations of 1000 coins


# --- colors ------------------------------------------------------------------------------------


def test_batches_are_in_the_settings_space(photographs: Photographs) -> None:
    """A batch of a run in `rgb` is that of the same pictures as in `lab`, in the other space."""
    lab = make_batch(photographs, RANDOM, 3, [0, 1, 2, 3])
    rgb = make_batch(photographs, _rgb(RANDOM), 3, [0, 1, 2, 3])
    shapes = [tuple(each.shape[:2]) for each in (lab.condition, lab.target)]
    shapes += [tuple(each.shape[:2]) for each in (rgb.condition, rgb.target)]
    assert shapes == [(4, 1), (4, 2), (4, 3), (4, 3)]
    for batch in (lab, rgb):
        assert {each.dtype for each in (batch.condition, batch.target)} == {torch.float32}
    condition, target = to_tensors(list(np.rint(_codes(rgb.target)).astype(np.uint8)))
    # rounding to codes: half of one is 0.25 in L near black, and less than 1 in ab
    assert (lab.condition - condition).abs().max() * 50 < 0.3
    assert (lab.target - target).abs().max() * 110 < 1
    grey = spaces.condition((lab.condition[:, 0].numpy() + 1) * 50, "rgb")
    assert (rgb.condition - grey).abs().max() * 127.5 < 0.02  # the tool's table, 16 bits


def test_training_and_inference_see_the_same_lightness(cache_of: CacheOf) -> None:
    """For a grey picture the data path and the tool's path give the network the same input."""
    # two by two equal pixels, so that means of places and of areas are the same codes
    grey = np.kron(color.grey_of(PHOTO)[:64, :64], np.ones((2, 2), np.uint8))
    batch = make_batch(Photographs(cache_of([np.dstack([grey] * 3)]), CPU), PLAIN, 0, [0])
    expected = color.network_lightness(color.network_view(grey, (64, 64)))
    # OpenCV's cube root is off by up to 0.004 in L near black, a hundredth of one code
    assert np.abs(batch.condition[0, 0].numpy() - expected).max() < 1e-4
    assert batch.target.abs().max() < 1e-4  # neutral to 0.01 Lab


# --- second views ------------------------------------------------------------------------------


def _error(batch: Batch, first: Tensor, scale: float) -> np.ndarray:
    """Mean distance of `first` from the second views where they show the same, of each pair."""
    assert batch.pair is not None
    known = batch.pair.known
    gap = (first - batch.target[-len(first) :]).abs() * scale * known
    return (gap.sum((1, 2, 3)) / known.sum((1, 2, 3)) / first.shape[1]).numpy()


@pytest.mark.parametrize("change", [{"flip": False, "rotation": 0.0}, {}, {"square": 0.5}])
def test_second_views_show_the_same(photographs: Photographs, change: dict[str, float]) -> None:
    """Carried along, the colors of the first view are those of the second, for photographs of any
    shape in one batch, turned and mirrored too; without carrying they are not."""
    config = dataclasses.replace(PAIRS, **change)
    carried, left, known = [], [], []
    for epoch in range(3):
        batch = make_batch(photographs, config, epoch, [0, 1, 2, 3])
        assert batch.pair is not None
        assert len(batch.target) == 8
        moved, second = batch.pair.carried(batch.target)
        assert torch.equal(second, batch.target[4:])
        carried.append(_error(batch, moved, 110))
        left.append(_error(batch, batch.target[:4], 110))
        known.append(batch.pair.known.mean((1, 2, 3)).numpy())
    # interpolation of pixels between pixels, in ab of photographs full of edges
    assert np.max(carried) < 0.7
    assert (np.array(carried) < np.array(left)).all()
    assert np.mean(left) > 3 * np.mean(carried)
    # zoomed by 7 % and moved by 4 % at most, next to all of a second view is in the first
    assert np.min(known) > 0.8


def test_places_of_second_views(cache_of: CacheOf) -> None:
    """Carried along, each pixel's place in the photograph is that of the second view's pixel, to a
    part of a pixel; `known` is where the first view has it."""
    pictures = Photographs(cache_of([_places(200, 130), _places(120, 240)]), CPU)
    config = _rgb(dataclasses.replace(PAIRS, batch_size=4))
    straight = dataclasses.replace(config, rotation=0.0, flip=False)
    inside = 0
    for epoch, settings in itertools.product(range(4), (config, straight)):
        batch = make_batch(pictures, settings, epoch, [0, 1])
        assert batch.pair is not None
        moved, second = (_codes(each)[..., :2] for each in batch.pair.carried(batch.target))
        known = batch.pair.known[:, 0].numpy() > 0
        gap = np.abs(moved - second).max(axis=-1)
        # a view's pixel is up to 240 / 64 = 3.75 of the photograph's; at the view's border half of
        # one is not interpolated, and so it is where the photograph is reflected
        assert gap[known].max() < 1.9
        # elsewhere a ramp's interpolation is exact in float32
        assert np.median(gap[known]) < 0.01
        if settings is straight:
            first = _codes(batch.target[:2])[..., :2]
            half = np.abs(np.diff(first, axis=2)).max(axis=(1, 2)) / 2  # of a view's pixel
            low, high = first.min(axis=(1, 2)) - half, first.max(axis=(1, 2)) + half
            within = (second > low[:, None, None]) & (second < high[:, None, None])
            # but for those on the very border, of 4096
            assert (within.all(axis=-1) != known).mean() < 0.02
            inside += int((~known).sum())
    assert inside > 0  # some pixels of second views are new


def test_the_last_photographs_are_seen_twice(photographs: Photographs) -> None:
    """A batch shows all its photographs, and then the last ones again; a small epoch's batch has no
    more second views than photographs."""
    config = dataclasses.replace(PAIRS, pairs=0.25)  # 2 of 8
    batch = make_batch(photographs, config, 0, [0, 1, 2, 3])
    assert batch.pair is not None
    assert len(batch.target) == 6 and len(batch.pair.places) == 2
    alone = make_batch(photographs, dataclasses.replace(config, pairs=0.0), 0, [0, 1, 2, 3])
    assert torch.equal(alone.target, batch.target[:4])
    moved, second = batch.pair.carried(batch.target)
    assert torch.equal(second, batch.target[4:])
    assert _error(batch, moved, 110).max() < 0.7  # as above
    small = make_batch(photographs, config, 0, [1])
    assert small.pair is not None
    assert len(small.target) == 2 and len(small.pair.known) == 1


# --- what the generator sees -------------------------------------------------------------------


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_seen_is_the_condition(photographs: Photographs, space: str) -> None:
    """Without degradation and pairs the generator sees the picture's own lightness; with pairs
    alone, the second views are another scan of it, and nothing else."""
    config = dataclasses.replace(RANDOM, color_space=space)
    batch = make_batch(photographs, config, 0, [0, 1, 2, 3])
    assert torch.equal(batch.seen, batch.condition)
    assert batch.pair is None
    paired = dataclasses.replace(PAIRS, color_space=space)
    batch = make_batch(photographs, paired, 0, [0, 1, 2, 3])
    assert torch.equal(batch.seen[:4], batch.condition[:4])
    assert batch.seen.shape == batch.condition.shape
    gap = (batch.seen[4:] - batch.condition[4:]).abs().mean((1, 2, 3)) * 127.5
    # brightness within 5 %, grain with a deviation of 3 % at most: a few codes
    assert gap.min() > 0.2 and gap.max() < 15


def test_degradation_is_seen_and_never_wanted(cache_of: CacheOf) -> None:
    """An old scan changes what the generator sees of its share of the photographs; condition and
    target stay those of the true picture."""
    photographs = Photographs(cache_of([PHOTO[:48, :40]] * 100), CPU)
    true, some, all_ = (
        make_batch(photographs, dataclasses.replace(RANDOM, degradation=share), 0, range(100))
        for share in (0.0, 0.5, 1.0)
    )
    for old in (some, all_):
        assert torch.equal(old.condition, true.condition) and torch.equal(old.target, true.target)
        assert old.seen.isfinite().all()
    # in L; a clean scan's is the condition's but for rounding
    changed, every = (
        (old.seen - true.seen).abs().amax((1, 2, 3)) * 50 > 0.05 for old in (some, all_)
    )
    # one in nine stays clean, and few others escape all effects: 0.44 and 0.89 of 100, within three
    # standard deviations of 5 and of 3
    assert 29 <= changed.sum() <= 59
    assert 80 <= every.sum() <= 98
    # the share chooses photographs; how one looks is its own
    assert torch.equal(some.seen[changed], all_.seen[changed])


def test_both_views_have_the_same_look(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of one film: where two views show the same window, an old scan of it is the same, but
    for what a second scan changes."""
    config = dataclasses.replace(PAIRS, degradation=0.5)
    for name in ("ZOOM", "ASPECT", "SHIFT"):
        monkeypatch.setattr(training.views, name, 0.0)
    monkeypatch.setattr(training.views, "slight_change", lambda lightness, draws: lightness)
    looks = 0
    for epoch in range(4):
        batch = make_batch(photographs, config, epoch, [0, 1, 2, 3])
        assert torch.equal(batch.target[:4], batch.target[4:])
        assert torch.equal(batch.seen[:4], batch.seen[4:])
        looks += int((batch.seen[:4] != batch.condition[:4]).any(3).any(2).any(1).sum())
    assert looks > 2
