"""Steadiness against hand-made arrays, and models whose color is a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorbatch.errors import ModelError, UsageError
from training import steadiness
from training.models import Model
from training.photographs import Photographs
from training.steadiness import Course, Movement

SIZE = (32, 32)


def flat(*colors: tuple[float, float]) -> np.ndarray:
    """Predictions (N, 4, 5, 2) of one color each."""
    return np.stack([np.full((4, 5, 2), color, np.float32) for color in colors])


def grey_codes(lightness: np.ndarray) -> np.ndarray:
    """Encoded sRGB grey in [0, 1] of L*, by scikit-image."""
    lab = np.stack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], axis=-1)
    return skimage.color.lab2rgb(lab)[..., 1]


def constant(lightness: np.ndarray) -> np.ndarray:
    """The same color whatever is seen."""
    return np.full((*lightness.shape, 2), (6, -8), np.float32)


def following(lightness: np.ndarray) -> np.ndarray:
    """a* is L* itself, pixel by pixel; b* is 0."""
    return np.stack([lightness, np.zeros_like(lightness)], axis=-1)


MODELS = (Model("constant", SIZE, constant), Model("following", SIZE, following))


# --- arrays in, numbers out --------------------------------------------------------------------


def test_moved_is_over_pixels_and_channels() -> None:
    """One pixel of six by 3 in a* and by -9 in b*: 12 over 12 numbers."""
    first = np.zeros((2, 3, 2), np.float32)
    second = first.copy()
    second[1, 2] = (3, -9)
    assert steadiness.moved(first, second) == 1
    assert steadiness.moved(second, first) == 1


def test_steps_are_of_the_mean_color() -> None:
    """From (0, 0) to (3, 4) is 5, and standing still 0; what cancels within a picture is no
    step."""
    means = steadiness.mean_colors(flat((0, 0), (3, 4), (3, 4)))
    assert np.array_equal(means, [(0, 0), (3, 4), (3, 4)])
    assert np.array_equal(steadiness.steps(means), [5, 0])
    halves = np.zeros((2, 2, 2, 2), np.float32)
    halves[1] = [[(7, 1), (-7, -1)], [(7, 1), (-7, -1)]]
    assert np.array_equal(steadiness.steps(steadiness.mean_colors(halves)), [0])
    assert steadiness.movement(*halves) == Movement(ab=4, step=0)


def test_chroma_is_the_mean_of_lengths() -> None:
    """Opposite colors do not cancel."""
    ab = np.array([[[(3, 4), (-3, -4)]], [[(0, 0), (0, 1)]]], np.float32)
    assert np.array_equal(steadiness.chroma(ab), [5, 0.5])


def test_course_of_a_sequence() -> None:
    """Mean and largest step, and mean chroma."""
    found = steadiness.course(np.array([(0, 0), (3, 4), (3, 5), (3, 5.0)]), [1, 2, 3, 6])
    assert found == Course(step=2, worst=5, chroma=3)


def test_each_sequence_counts_the_same() -> None:
    """Means over sequences, and the worst step of any."""
    found = steadiness.mean_course([Course(1, 2, 10), Course(3, 8, 30)])
    assert found == Course(step=2, worst=8, chroma=20)


def test_light_is_changed_in_encoded_grey() -> None:
    """Codes times 1.05, and white stays white."""
    codes = np.array([0, 40, 100, 200, 250, 255])
    lightness = skimage.color.rgb2lab(np.repeat(codes[:, None] / 255, 3, axis=1))[:, 0]
    found = steadiness.relit(lightness.astype(np.float32), 1.05)
    expected = np.minimum(codes * 1.05, 255)
    # a code of 16 bits, a curve of float32, and scikit-image's white point
    assert 255 * grey_codes(found) == pytest.approx(expected, abs=0.05)


def test_grain_is_of_encoded_grey() -> None:
    """Normal, 2 % of the range about the same mean, and the seed's."""
    lightness = np.full((200, 200), 50, np.float32)
    found = steadiness.with_grain(lightness, np.random.default_rng(3))
    change = grey_codes(found) - grey_codes(lightness)
    # 40,000 draws: the mean is known to 0.0001, the deviation to 0.00007
    assert change.mean() == pytest.approx(0, abs=0.0005)
    assert change.std() == pytest.approx(0.02, abs=0.0005)
    again = steadiness.with_grain(lightness, np.random.default_rng(3))
    assert np.array_equal(found, again)


# --- photographs -------------------------------------------------------------------------------


def test_shift_is_undone() -> None:
    """What both views show is compared: where color follows the pixels nothing moves, and where it
    stays in its place it moves by what lies between neighbors."""
    ramp = np.add.outer(2 * np.arange(6.0), np.arange(6.0)).astype(np.float32)
    ab = np.zeros((5, 5, 5, 2), np.float32)
    ab[3, ..., 0], ab[4, ..., 0] = ramp[:5, :5], ramp[1:, 1:]
    assert steadiness.movements(ab)["shift"] == Movement(0, 0)
    ab[4] = ab[3]
    # a* by 2 + 1 everywhere, b* not at all
    assert steadiness.movements(ab)["shift"] == Movement(ab=1.5, step=3)


def test_brightness_and_grain_are_held_against_the_picture_as_it_is() -> None:
    """The order of the views, and the mean over the three changes."""
    ab = flat((1, 1), (1, 3), (7, 1), (0, 0), (0, 0))
    found = steadiness.movements(ab)
    assert found["brightness"] == Movement(ab=1, step=2)
    assert found["grain"] == Movement(ab=3, step=6)
    mean = steadiness.Sway(1, found).mean
    # thirds
    assert (mean.ab, mean.step) == (pytest.approx(4 / 3), pytest.approx(8 / 3))


def test_views_of_a_photograph() -> None:
    """As `evaluate` shows it; brighter; grainy; and two that differ by one pixel, which are a
    picture's own in which nothing else changes."""
    rgb = skimage.data.chelsea()[:200, :240]
    plain, brighter, grainy, here, there = steadiness.changed(
        steadiness.reduced(rgb, SIZE), np.random.default_rng(0)
    )
    [seen] = _lightness(rgb, SIZE)
    assert np.array_equal(plain, seen)
    ratio = grey_codes(brighter) / grey_codes(plain)
    assert ratio == pytest.approx(1.05, abs=0.001)  # nothing here is near to white
    assert (grey_codes(grainy) - grey_codes(plain)).std() == pytest.approx(0.02, abs=0.002)
    assert np.array_equal(here[1:, 1:], there[:-1, :-1])
    assert not np.array_equal(here, there)


def _lightness(rgb: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """What `Model.chroma_for` shows to a model."""
    seen = []

    def keep(lightness: np.ndarray) -> np.ndarray:
        seen.extend(lightness)
        return constant(lightness)

    Model("keeps", size, keep).chroma_for([rgb])
    return seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs in color and a grey one."""
    cat = skimage.data.chelsea()
    for i in range(3):
        Image.fromarray(cat[:150, 100 * i : 100 * i + 150]).save(tmp_path / f"cat-{i}.png")
    Image.fromarray(skimage.data.camera()[:50, :50]).save(tmp_path / "grey.png")
    return tmp_path


def test_on_photographs(folder: Path) -> None:
    """A constant color does not move, and has its own chroma; one that follows the light moves with
    brightness and grain, not with the shift; the same again for the same seed."""
    found = steadiness.on_photographs(MODELS, Photographs(folder), 0)
    still = found["constant"]
    assert still.chroma == 10
    assert still.mean == Movement(0, 0)
    sway = found["following"].changes
    assert sway["shift"] == Movement(0, 0)
    # all of L* moves one way, and b* does not: the mean goes as far as every pixel, and |d ab| is
    # half of that, but for float32
    assert sway["brightness"].ab == pytest.approx(sway["brightness"].step / 2, rel=1e-5)
    assert sway["brightness"].step > 1
    assert sway["grain"].step < 0.5 < sway["grain"].ab
    assert steadiness.on_photographs(MODELS, Photographs(folder), 0) == found
    assert steadiness.on_photographs(MODELS, Photographs(folder), 1) != found


# --- sequences ---------------------------------------------------------------------------------


def frames(codes: list[int]) -> list[np.ndarray]:
    """Flat grey frames (40, 48, 3), uint8."""
    return [np.full((40, 48, 3), code, np.uint8) for code in codes]


def test_courses_follow_the_frames() -> None:
    """Steps across batches, by scikit-image: a* follows L*; the truth stays grey."""
    codes = [100 + 3 * (i % 2) + i for i in range(37)]  # more than two batches
    found = steadiness.courses(MODELS, iter(frames(codes)))
    lightness = skimage.color.rgb2lab(np.repeat(np.array(codes)[:, None] / 255, 3, axis=1))[:, 0]
    expected = np.abs(np.diff(lightness))
    assert set(found) == {"truth", "constant", "following"}
    # float32 and scikit-image's white point
    assert found["following"].step == pytest.approx(expected.mean(), abs=1e-3)
    assert found["following"].worst == pytest.approx(expected.max(), abs=1e-3)
    assert found["following"].chroma == pytest.approx(lightness.mean(), abs=1e-2)
    assert found["constant"] == Course(step=0, worst=0, chroma=10)
    assert found["truth"].worst < 0.01


def test_truth_has_the_color_of_the_frames() -> None:
    """From one color to another, by scikit-image."""
    colors = np.array([(200, 100, 60), (60, 120, 180)], np.uint8)
    found = steadiness.courses(MODELS, [np.full((40, 48, 3), color, np.uint8) for color in colors])
    ab = skimage.color.rgb2lab(colors / 255)[:, 1:]
    # scikit-image's matrix and white point differ in the fourth digit
    assert found["truth"].step == pytest.approx(np.hypot(*(ab[1] - ab[0])), rel=0.002)
    assert found["truth"].chroma == pytest.approx(np.hypot(*ab.T).mean(), rel=0.002)


def test_models_of_two_sizes_see_the_same_frames() -> None:
    """Each at its own size; the truth is counted once."""
    small = Model("small", (16, 16), following)
    found = steadiness.courses([small, *MODELS], frames([90, 120, 90]))
    assert found["small"].step == pytest.approx(found["following"].step, rel=1e-6)


def test_disturbed_is_what_models_see() -> None:
    """Frames by their number, over batches too; the truth is left alone."""
    photograph = skimage.data.chelsea()[:64, 150:214]
    numbers = []

    def disturb(lightness: np.ndarray, number: int) -> np.ndarray:
        numbers.append(number)
        return lightness + np.float32(number % 2)

    found = steadiness.courses(MODELS, [photograph] * 20, disturb)
    assert numbers == list(range(20))
    assert found["following"].step == pytest.approx(1, abs=1e-4)  # float32
    assert found["truth"].worst == 0


def test_an_old_film_flickers() -> None:
    """Brightness differs from frame to frame by 2 %, and a frame is disturbed the same again."""
    lightness = np.full((40, 40), 60, np.float32)
    base = grey_codes(lightness).mean()
    disturb = steadiness.aged(0, 0)
    found = np.array([grey_codes(disturb(lightness, n)).mean() for n in range(300)]) / base
    # 300 draws: the mean is known to 0.0012, the deviation to 0.0008
    assert found.mean() == pytest.approx(1, abs=0.005)
    assert found.std() == pytest.approx(0.02, abs=0.003)
    assert np.array_equal(disturb(lightness, 5), steadiness.aged(0, 0)(lightness, 5))
    assert not np.array_equal(disturb(lightness, 5), steadiness.aged(0, 1)(lightness, 5))


@pytest.mark.parametrize("seed", range(4))
def test_a_pan_moves_evenly(seed: int) -> None:
    """Over a picture that is redder to the right and greener below, what a frame shows on average
    is where it is: from one end to the other a fifth of the picture, in equal steps."""
    ramp = np.linspace(20, 235, 600)
    # noise, as in a photograph: without it codes of a ramp would all be rounded alike
    picture = np.random.default_rng(9).normal(0, 4, (600, 600, 3))
    picture[..., 0] += ramp
    picture[..., 1] += ramp[:, None]
    rgb = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    found = list(steadiness.pan(rgb, 240, np.random.default_rng(seed)))
    assert len(found) == 24
    assert {frame.shape for frame in found} == {(480, 480, 3)}
    places = np.stack([frame[..., :2].mean(axis=(0, 1)) for frame in found])
    # the noise of what comes and goes at the edges, averaged over the picture
    assert places.mean(axis=0) == pytest.approx([127.5, 127.5], abs=0.1)
    lengths = np.hypot(*np.diff(places, axis=0).T)
    assert lengths == pytest.approx(0.2 * (235 - 20) / 23, abs=0.03)
    # the window is narrower by a twentieth at one end
    extents = [float(np.ptp(frame[..., 0].mean(axis=0))) for frame in (found[0], found[-1])]
    assert min(extents) / max(extents) == pytest.approx(0.95, abs=0.01)


def test_on_pans(folder: Path) -> None:
    """One course a photograph; a constant color stands still in old films, too, where what follows
    the light goes further than in clean ones."""
    clean = steadiness.on_pans(MODELS, Photographs(folder), 0)
    old = steadiness.on_pans(MODELS, Photographs(folder), 0, old=True)
    assert {len(found) for found in (*clean.values(), *old.values())} == {3}
    assert all(one.worst == 0 for one in clean["constant"] + old["constant"])
    assert old["truth"] == clean["truth"]
    for calm, flickering in zip(clean["following"], old["following"], strict=True):
        assert 0 < calm.step < flickering.step


# --- what is refused ---------------------------------------------------------------------------


def test_one_frame_has_no_steps() -> None:
    """Nor has none."""
    for few in ([], frames([100])):
        with pytest.raises(UsageError, match="at least two frames"):
            steadiness.courses(MODELS, few)


def test_no_color_is_refused(tmp_path: Path) -> None:
    """Grey photographs alone measure nothing."""
    Image.fromarray(skimage.data.camera()[:50, :50]).save(tmp_path / "grey.png")
    with pytest.raises(UsageError, match="no color photographs"):
        steadiness.on_photographs(MODELS, Photographs(tmp_path), 0)
    with pytest.raises(UsageError, match="no color photographs"):
        steadiness.on_pans(MODELS, Photographs(tmp_path), 0)


def test_a_diverged_model_is_refused(folder: Path) -> None:
    """Colors that are no numbers are an error, and no figure."""
    diverged = Model("diverged", SIZE, lambda lightness: constant(lightness) * np.float32(np.nan))
    with pytest.raises(ModelError, match="diverged: its colors are no numbers"):
        steadiness.on_photographs([diverged], Photographs(folder), 0)
