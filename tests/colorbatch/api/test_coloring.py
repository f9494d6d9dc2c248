"""Colorizer: arrays in, arrays out; and what the commands run, from Python."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import colorbatch
from colorbatch.errors import DeviceUnavailableError, ModelError, UsageError
from colorbatch.run.watch import Unwatched

WEIGHTS = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def colorizer(tiny_model):
    """A Colorizer on the tiny model."""
    return colorbatch.Colorizer(tiny_model, device="cpu")


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_grey_arrays_keep_their_grey(colorizer, grey_photograph, name):
    """(H, W) and (H, W, 1) uint8 become RGB with the same grey, as Pillow sees it."""
    grey = grey_photograph(name)
    result = colorizer.colorize(grey)
    assert result.shape == (*grey.shape, 3) and result.dtype == np.uint8
    assert np.array_equal(np.array(Image.fromarray(result).convert("L")), grey)
    assert np.ptp(result.astype(int), axis=2).mean() > 20
    assert np.array_equal(colorizer.colorize(grey[..., None]), result)
    assert np.array_equal(colorizer.colorize(np.dstack([grey] * 3)), result)


def test_16_bit_arrays_keep_their_luma(colorizer, photograph):
    """uint16 stays uint16; of RGB the unrounded luma is kept within half a code."""
    rng = np.random.default_rng(1)
    rgb = photograph("coffee")[:90, :120].astype(np.uint16) * 256
    rgb += rng.integers(0, 256, rgb.shape, np.uint16)
    for picture, luma in ((rgb, rgb @ WEIGHTS), (rgb[..., 0], rgb[..., 0])):
        result = colorizer.colorize(picture)
        assert result.dtype == np.uint16
        assert np.abs(result @ WEIGHTS - luma).max() <= 0.5


def test_saturation_and_the_bare_chroma(colorizer, grey_photograph):
    """Saturation 0 is grey; `chroma` is the prediction at the model's size."""
    grey = grey_photograph("coffee")
    assert np.array_equal(colorizer.colorize(grey, saturation=0), np.dstack([grey] * 3))
    ab = colorizer.chroma(grey)
    assert ab.shape == (32, 32, 2) and ab.dtype == np.float32
    assert 5 < np.abs(ab).max() < 110


def test_views_and_foreign_orders_of_memory_work(colorizer, grey_photograph):
    """Slices, transposed and reversed arrays are read as they look; nothing is written to them."""
    grey = grey_photograph("coffee")
    for view in (grey[::2, ::3], grey.T, grey[::-1, ::-1], np.asfortranarray(grey)):
        before = view.copy()
        assert np.array_equal(colorizer.colorize(view), colorizer.colorize(view.copy()))
        assert np.array_equal(view, before)


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (np.zeros((4, 4), np.float32), TypeError),
        (np.zeros((4, 4), np.int64), TypeError),
        (np.zeros((4, 4), bool), TypeError),
        (np.zeros((0, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 0), np.uint8), ValueError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 2), np.uint8), ValueError),
        (np.zeros(4, np.uint8), ValueError),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError),
    ],
)
def test_other_arrays_are_refused(colorizer, picture, error):
    """Other types and shapes are not guessed at."""
    with pytest.raises(error):
        colorizer.colorize(picture)


def test_models_and_devices_are_checked_at_once(tiny_model):
    """What cannot be loaded raises when the Colorizer is made."""
    with pytest.raises(ModelError):
        colorbatch.Colorizer("no-such-model", device="cpu")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(DeviceUnavailableError):
            colorbatch.Colorizer(tiny_model, device="cuda")


def test_the_package_offers_no_more_than_it_says():
    """Lazy attributes fail as attributes do."""
    with pytest.raises(AttributeError, match="nonsense"):
        _ = colorbatch.nonsense
    offered = {"Colorizer", "__version__", "color_clips", "color_pictures", "outcomes_in"}
    assert set(colorbatch.__all__) == offered


# --- what the commands run -----------------------------------------------------------------------


def told(lines: str) -> list[dict[str, object]]:
    """The outcomes of a command with --json, without the summary."""
    return [json.loads(line) for line in lines.splitlines()][:-1]


def decoded(film: Path) -> list[np.ndarray]:
    """Its frames; files of Matroska have numbers of their own."""
    with av.open(film) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


@pytest.mark.slow
def test_the_readmes_example(grey_photograph, make_clip, tmp_path, monkeypatch):
    """It runs as it stands, with the embedded model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    grey = grey_photograph("coffee")[:64, :96]
    Image.fromarray(grey).save(tmp_path / "scans" / "a.png")
    make_clip("reel.mkv")
    names: dict[str, object] = {"grey": grey}
    readme = Path(__file__).parents[3] / "README.md"
    examples = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.S)
    assert len(examples) == 2
    for example in examples:
        exec(example, names)
    assert np.array_equal(np.array(Image.fromarray(names["colored"]).convert("L")), grey)
    with Image.open(tmp_path / "colored" / "a.png") as made:
        assert made.mode == "RGB"
    assert names["outcome"].status == "colored" and "equal" in names["outcome"].luma


def test_pictures_as_the_command_makes_them(run_cli, tiny_model, grey_photograph, tmp_path):
    """The same outcomes and the same bytes, failures among them; nothing before it is asked for."""
    source = tmp_path / "scans"
    source.mkdir()
    for name in ("coffee", "chelsea"):
        Image.fromarray(grey_photograph(name)).save(source / f"{name}.png")
    (source / "torn.png").write_bytes(b"\x89PNG")
    there, here = tmp_path / "there", tmp_path / "here"
    command = run_cli("images", source, "-o", there, "-m", tiny_model, "--json")
    assert command.returncode == 3, command.stderr
    run = colorbatch.color_pictures(source, here, model=str(tiny_model))
    assert not here.exists()
    outcomes = [json.loads(outcome.to_json()) for outcome in run]
    expected = told(command.stdout)
    assert all(one.pop("seconds") >= 0 for one in (*outcomes, *expected))
    for one in outcomes:
        one["target"] = str(one["target"]).replace(str(here), str(there))
    assert sorted(outcomes, key=str) == sorted(expected, key=str)
    assert run.report.exit_code == 3 and run.report.statuses == {"colored": 2, "failed": 1}
    for name in ("coffee.png", "chelsea.png"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    again = colorbatch.color_pictures([source], here, model=str(tiny_model))
    assert {outcome.status for outcome in again} == {"skipped", "failed"}


def test_clips_as_the_command_makes_them(run_cli, tiny_model, make_clip, tmp_path):
    """The same outcomes and the same bytes; a dry run says what would be done, and does nothing."""
    film = make_clip("s.mkv")
    there, here = tmp_path / "there.mkv", tmp_path / "here.mkv"
    command = run_cli("video", film, "-o", there, "-m", tiny_model, "--json")
    assert command.returncode == 0, command.stderr
    asked = {"model": str(tiny_model)}
    [foreseen] = colorbatch.color_clips(film, here, dry_run=True, **asked)
    assert foreseen.foreseen and str(here) in foreseen.to_json() and not here.exists()
    [outcome] = colorbatch.color_clips(film, here, **asked)
    [expected] = told(command.stdout)
    assert expected.pop("seconds") > 0
    found = json.loads(outcome.to_json()) | {"target": str(there)}
    assert found.pop("seconds") > 0
    assert found == expected | {"target_sha256": found["target_sha256"]}
    assert outcome.target_sha256 == hashlib.sha256(here.read_bytes()).hexdigest()
    assert all(map(np.array_equal, decoded(here), decoded(there)))


def test_a_watch_is_told_and_can_end_a_run(tiny_model, grey_photograph, tmp_path):
    """Lines for people before the work; once it says stop nothing new begins, and what was finished
    is kept: the same call goes on."""
    source = tmp_path / "scans"
    source.mkdir()
    for number in range(40):
        Image.fromarray(grey_photograph("coffee")[: 40 + number]).save(source / f"{number:02}.png")

    class Impatient(Unwatched):
        quiet = False

        def __init__(self) -> None:
            super().__init__()
            self.lines: list[str] = []

        def say(self, text: str) -> None:
            self.lines.append(text)

    watch = Impatient()
    asked = {"model": str(tiny_model), "batch_size": 1, "workers": 1}
    run = colorbatch.color_pictures(source, tmp_path / "out", watch=watch, **asked)
    made = 0
    for outcome in run:
        made += outcome.status == "colored"
        watch.stopping = True
    assert 0 < made < 40 and run.report.interrupted and run.report.exit_code == 130
    assert any("40 pictures to do" in line for line in watch.lines)
    rest = [one.status for one in colorbatch.color_pictures(source, tmp_path / "out", **asked)]
    assert sorted(rest) == ["colored"] * (40 - made) + ["skipped"] * made


def test_what_no_run_can_be_asked_for(tmp_path):
    """What no request has is an error of Python, a source that is not there one of ours."""
    with pytest.raises(TypeError, match="colour"):
        colorbatch.color_pictures("scans", colour=True)
    for color in (colorbatch.color_pictures, colorbatch.color_clips):
        with pytest.raises(UsageError, match="missing"):
            list(color(tmp_path / "missing", tmp_path / "out"))
