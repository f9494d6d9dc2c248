"""Evaluations against what NumPy and scikit-image tell of the same colorings."""

from __future__ import annotations

import dataclasses
import json
import re
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
from PIL import Image

from colorbatch.color import rgb_to_lab
from colorbatch.errors import UsageError
from export.cli import cli as export_cli
from training.evaluate import HEADINGS, Columns, Evaluation, evaluate, first_look, spread
from training.metrics import colored_picture
from training.models import Model, open_model, open_noisy_model
from training.photographs import Photographs

SIDE = 64
"""Of the photographs as well as of the run: nothing is scaled, and truth is the file."""


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Five photographs of two sources by name: (64, 64, 3), uint8."""
    cup, cat = skimage.data.coffee(), skimage.data.chelsea()
    found = {f"cup-{i}.png": cup[90 * i : 90 * i + SIDE, 120 * i + 40 :][:, :SIDE] for i in (1, 2)}
    return found | {
        f"cats/cat-{i}.png": cat[60 * i : 60 * i + SIDE, 90 * i :][:, :SIDE] for i in (1, 2, 3)
    }


@pytest.fixture(scope="session")
def folder(photographs: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """These photographs as PNG files, beside a grey one and one that cannot be read."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "cats").mkdir()
    for name, pixels in photographs.items():
        Image.fromarray(pixels).save(folder / name)
    Image.fromarray(skimage.data.camera()[:SIDE, :SIDE]).save(folder / "cup-3.png")
    (folder / "cup-4.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def models(
    finished_run: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Model]:
    """A run, what `export` makes of it, and a model of half the size that colors strongly."""
    onnx = tmp_path_factory.mktemp("export") / "run.onnx"
    export_cli.main([str(finished_run), "-o", str(onnx)], standalone_mode=False)
    paths = {"run": finished_run, "onnx": onnx, "tiny": tiny_model}
    return {name: open_model(path, name) for name, path in paths.items()}


Measured = tuple[Evaluation, Columns]


@pytest.fixture(scope="session")
def measured(models: dict[str, Model], folder: Path) -> Measured:
    """All three models on all photographs."""
    return evaluate(list(models.values()), folder, shown=3)


def chroma(models: dict[str, Model], photographs: dict[str, np.ndarray], name: str) -> np.ndarray:
    """A model's ab for all photographs at full size: (N, 64, 64, 2), float64."""
    made = models[name].chroma_for(list(photographs.values()), (SIDE, SIDE))
    return np.stack(made).astype(np.float64)


def true_ab(photographs: dict[str, np.ndarray]) -> np.ndarray:
    """scikit-image's ab of the photographs: (N, 64, 64, 2), float64."""
    return skimage.color.rgb2lab(np.stack(list(photographs.values())))[..., 1:]


# --- the numbers -------------------------------------------------------------------------------


def test_what_was_measured(measured: Measured, photographs: dict[str, np.ndarray]) -> None:
    """All photographs in color at the largest model's size, and models, baselines and gains."""
    evaluation, _ = measured
    assert set(evaluation.names) == set(photographs)
    assert (evaluation.size, evaluation.passed_over) == (SIDE, 2)
    assert evaluation.counts == {"all": 5, "cup": 2, "cat": 3}
    assert list(evaluation.rows) == [
        *("grey", "constant", "run", "run x1.5", "onnx", "onnx x1.5", "tiny", "tiny x1.5")
    ]
    assert all(set(row) == {"all", "cup", "cat"} for row in evaluation.rows.values())
    assert all(set(row["all"]) == set(HEADINGS) for row in evaluation.rows.values())
    assert evaluation.models["run"]["recipe"] == "unet"


def test_a_run_and_its_export_measure_the_same(measured: Measured) -> None:
    """The ONNX file of a run has the run's numbers, within what the parity gate lets pass."""
    rows = measured[0].rows
    for suffix in ("", " x1.5"):
        for name, value in rows[f"run{suffix}"]["all"].items():
            # 0.005 in ab at most; few pixels lie so near to a cell's edge or a rounding of sRGB
            assert rows[f"onnx{suffix}"]["all"][name] == pytest.approx(value, abs=0.01), name
    assert rows["run"]["all"] != rows["tiny"]["all"]


@pytest.mark.parametrize(("row", "gain"), [("", 1.0), (" x1.5", 1.5)])
def test_rows_by_hand(
    measured: Measured,
    models: dict[str, Model],
    photographs: dict[str, np.ndarray],
    row: str,
    gain: float,
) -> None:
    """A model's row, and the one with its chroma times 1.5, from its chroma and scikit-image."""
    found = measured[0].rows[f"tiny{row}"]["all"]
    ab = gain * chroma(models, photographs, "tiny")
    error = ab - true_ab(photographs)
    # scikit-image's white point and matrix differ in the fourth digit
    assert found["ab_mae"] == pytest.approx(np.abs(error).mean(), rel=0.002)
    true = np.abs(true_ab(photographs))
    assert found["ab_relative"] == pytest.approx(np.abs(error).mean() / true.mean(), rel=0.004)
    worse = np.abs(error).mean(axis=(1, 2, 3)) > true.mean(axis=(1, 2, 3))
    assert found["worse"] == pytest.approx(worse.mean(), abs=1e-12)
    assert found["ab_rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=0.002)
    assert found["within"] == pytest.approx((np.hypot(*error.T) <= 20).mean(), abs=0.005)
    ratios = []
    for truth, colors in zip(photographs.values(), ab, strict=True):
        made = colored_picture(rgb_to_lab(truth), colors.astype(np.float32))
        ratios.append(skimage.metrics.peak_signal_noise_ratio(truth, made))
    # chroma times the gain is rounded to float32 before it becomes codes
    assert found["psnr"] == pytest.approx(np.mean(ratios), abs=0.001)


def test_grey_row(measured: Measured, photographs: dict[str, np.ndarray]) -> None:
    """Without color the error is the photographs' own chroma."""
    grey = measured[0].rows["grey"]["all"]
    assert grey["ab_mae"] == pytest.approx(np.abs(true_ab(photographs)).mean(), rel=0.002)
    assert grey["colorfulness"] < 0.5  # neutral to one code
    assert (grey["ab_relative"], grey["worse"]) == (1, 0)
    truth = measured[0].truth["all"]["colorfulness"]
    assert truth > 10


def test_best_constant(folder: Path, photographs: dict[str, np.ndarray]) -> None:
    """The constant color is the median of each channel, and no neighbour has a smaller error."""
    (a, b), _ = first_look(Photographs(folder), SIDE)
    true = np.stack([rgb_to_lab(rgb) for rgb in photographs.values()])[..., 1:].reshape(-1, 2)
    median = np.median(true.astype(np.float64), axis=0)
    # the middle of a cell of a tenth
    assert (a, b) == pytest.approx(tuple(median), abs=0.051)

    def error(constant: tuple[float, float]) -> float:
        return float(np.abs(true - np.array(constant)).mean())

    for step in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        assert error((a, b)) < error((a + step[0], b + step[1]))


def test_constant_row(measured: Measured, photographs: dict[str, np.ndarray]) -> None:
    """The best constant's row is that of one color everywhere, and better than grey's."""
    evaluation, _ = measured
    found = evaluation.rows["constant"]["all"]
    error = np.abs(np.array(evaluation.constant) - true_ab(photographs)).mean()
    assert found["ab_mae"] == pytest.approx(error, rel=0.002)  # scikit-image's white point
    assert found["ab_mae"] < evaluation.rows["grey"]["all"]["ab_mae"]


def test_sources_average_to_all(measured: Measured) -> None:
    """The rows per source, weighted by their photographs, give the row of all."""
    evaluation, _ = measured
    counts = {source: n for source, n in evaluation.counts.items() if source != "all"}
    means = ("ab_mae", "worse", "psnr", "ssim", "within", "auc", "delta_e")
    for row in evaluation.rows.values():
        for name in (*means, "colorfulness", "colorfulness_of_absolutes"):
            weighted = sum(n * row[source][name] for source, n in counts.items()) / 5
            assert row["all"][name] == pytest.approx(weighted, rel=1e-9), name
        squares = sum(n * row[source]["ab_rmse"] ** 2 for source, n in counts.items()) / 5
        assert row["all"]["ab_rmse"] ** 2 == pytest.approx(squares, rel=1e-9)
        noise = sum(n * 10 ** (-row[source]["psnr_pooled"] / 10) for source, n in counts.items())
        assert 10 ** (-row["all"]["psnr_pooled"] / 10) == pytest.approx(noise / 5, rel=1e-9)


def test_a_gain_of_one_and_a_limit(models: dict[str, Model], folder: Path) -> None:
    """A gain of 1 leaves its rows out; a limit takes the first photographs of the same order."""
    evaluation, columns = evaluate([models["tiny"]], folder, gain=1, limit=2, size=40)
    assert list(evaluation.rows) == ["grey", "constant", "tiny"]
    assert evaluation.names == tuple(name for name, _ in Photographs(folder, 2))
    assert evaluation.size == 40
    assert all(len(column) == 2 for column in columns.values())
    assert all(picture.shape == (40, 40, 3) for column in columns.values() for picture in column)


def test_size_is_the_largest_models(
    models: dict[str, Model], folder: Path, photographs: dict[str, np.ndarray]
) -> None:
    """Alone, a model of 32 pixels is measured at 32, and sees there what it sees at 64."""
    evaluation, _ = evaluate([models["tiny"]], folder, limit=1)
    assert evaluation.size == 32
    [name] = evaluation.names
    small = photographs[name].reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))  # areas of 2 x 2
    small = np.rint(small).astype(np.uint8)
    [ab] = models["tiny"].predict(rgb_to_lab(small)[None, ..., 0])
    expected = np.abs(ab - skimage.color.rgb2lab(small)[..., 1:]).mean()
    # halves may be rounded the other way
    assert evaluation.rows["tiny"]["all"]["ab_mae"] == pytest.approx(expected, rel=0.01)


# --- what is shown -----------------------------------------------------------------------------


def cells(line: str, style: str) -> list[str]:
    """One line of a table as its cells; a bar within a cell of Markdown is escaped."""
    if style == "simple":
        return re.split(r"\s{2,}", line.strip())
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("style", ["simple", "github"])
def test_text_agrees_with_json(measured: Measured, style: str) -> None:
    """Every number of the plain text and the Markdown is the one of the JSON, rounded."""
    evaluation, _ = measured
    values = json.loads(evaluation.to_json())
    assert values["counts"] == evaluation.counts
    assert values["names"] == list(evaluation.names)
    assert values["rows"] == evaluation.rows
    text = evaluation.text(style)
    assert text.startswith("5 photographs at 64x64 (2 grey or unreadable passed over)")
    split = [found for line in text.splitlines() if (found := cells(line, style))]
    assert any([cell for cell in line if cell] == list(HEADINGS.values()) for line in split)
    lines = {line[0]: line[1:] for line in split}
    for name, row in values["rows"].items():
        found = dict(zip(HEADINGS, lines[name], strict=True))
        for key, value in row["all"].items():
            shares = ("ab_relative", "worse", "ssim", "within", "auc", "histogram")
            digits = 3 if key in shares else 2
            assert found[key] == f"{value:.{digits}f}", (name, key)
    for source in ("cup", "cat"):
        count, *errors = lines[source]
        assert int(count) == values["counts"][source]
        assert errors == [f"{row[source]['ab_mae']:.2f}" for row in values["rows"].values()]
    true = values["truth"]["all"]
    assert [cell for cell in lines["truth"] if cell] == [f"{true[name]:.2f}" for name in true]


def test_markdown_tables_are_whole(measured: Measured) -> None:
    """All lines of a Markdown table have the same number of cells, whatever a model is called."""
    evaluation, _ = measured
    rows = {name.replace("tiny", "a|b"): row for name, row in evaluation.rows.items()}
    barred = dataclasses.replace(evaluation, rows=rows)
    for table in (barred.table("github"), barred.sources_table("github")):
        widths = {len(cells(line, "github")) for line in table.splitlines()}
        assert len(widths) == 1
        assert "a|b" in [cell for line in table.splitlines() for cell in cells(line, "github")]


def test_one_source_has_no_table_of_its_own(models: dict[str, Model], folder: Path) -> None:
    """Photographs without sources in their names give one table."""
    evaluation, _ = evaluate([models["tiny"]], folder, limit=1)
    one = dataclasses.replace(evaluation, counts={"all": 1})
    assert "per source" in evaluation.text() and "per source" not in one.text()


def test_sheet(
    measured: Measured, models: dict[str, Model], photographs: dict[str, np.ndarray]
) -> None:
    """Each column has its own pictures, in the photographs' order, as many as were asked for."""
    evaluation, columns = measured
    assert list(columns) == ["grey", "run", "onnx", "tiny", "truth"]
    assert all(len(column) == 3 for column in columns.values())
    for i, name in enumerate(evaluation.names[:3]):
        truth = photographs[name]
        assert np.array_equal(columns["truth"][i], truth)
        lightness = skimage.color.rgb2lab(truth)[..., 0]
        for column in ("grey", "run", "onnx", "tiny"):
            ab = np.zeros((SIDE, SIDE, 2))
            if column != "grey":
                [ab] = models[column].chroma_for([truth], (SIDE, SIDE))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of colors out of gamut
                expected = 255 * skimage.color.lab2rgb(np.dstack([lightness, ab]))
            # rounding, and scikit-image's white point and matrix; out of gamut both cut
            assert np.abs(columns[column][i] - expected).mean() < 0.5, column
    assert not np.array_equal(columns["tiny"][0], columns["run"][0])


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b", "a"), "two columns called a: say NAME=MODEL"),
        (("grey",), "two columns called grey"),
        (("truth", "constant"), "two columns called constant, truth"),
        (("a", "a x1.5"), "two columns called a x1.5"),
    ],
)
def test_equal_names_are_refused(
    models: dict[str, Model], folder: Path, names: tuple[str, ...], said: str
) -> None:
    """No two columns share a name, not even a model's with a baseline's or a gain's."""
    named = [dataclasses.replace(models["tiny"], name=name) for name in names]
    with pytest.raises(UsageError, match=re.escape(said)):
        evaluate(named, folder)


def test_no_color_is_refused(models: dict[str, Model], tmp_path: Path) -> None:
    """Grey and broken photographs alone measure nothing."""
    Image.fromarray(skimage.data.camera()[:50, :50]).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").touch()
    with pytest.raises(UsageError, match="no color photographs in"):
        evaluate([models["tiny"]], tmp_path)


def test_earlier_sheets_are_no_photographs(models: dict[str, Model], folder: Path) -> None:
    """Pictures below `skip`, where results are written to, are not measured."""
    evaluation, _ = evaluate([models["tiny"]], folder, skip=folder / "cats")
    assert set(evaluation.names) == {"cup-1.png", "cup-2.png"}


def test_memory_does_not_grow(models: dict[str, Model], tmp_path: Path) -> None:
    """Two batches of photographs need no more than one at any time."""
    photograph = skimage.data.coffee()
    for i in range(32):
        window = photograph[5 * i : 5 * i + 32, 8 * i : 8 * i + 32]
        Image.fromarray(window).save(tmp_path / f"{i}.png")
    peaks = []
    for limit in (1, 16, 32):  # the first fills tables that stay
        tracemalloc.start()
        evaluate([models["tiny"]], tmp_path, limit=limit, shown=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # a photograph's share is 300 kB: its L*a*b*, its colorings and its maps of SSIM
    assert peaks[2] < 1.5 * peaks[1]


# --- noise -------------------------------------------------------------------------------------


def test_spread_by_hand(
    finished_run: Path, folder: Path, models: dict[str, Model], photographs: dict[str, np.ndarray]
) -> None:
    """How far three colorings with dropout are apart, from the same seed and NumPy."""
    found, columns = spread(finished_run, folder, seed=7, samples=3, shown=2)
    assert (found.photographs, found.samples) == (5, 3)
    noisy = open_noisy_model(finished_run, 7)
    deviations, distances, errors, quiet = [], [], [], []
    for _, rgb in Photographs(folder):
        lab = rgb_to_lab(rgb)
        made = noisy.predict(np.stack([lab[..., 0]] * 3)).astype(np.float64)
        mean = made.sum(axis=0) / 3
        deviations.append(np.sqrt(((made - mean) ** 2).sum(axis=0) / 3).mean())
        first, second = (np.dstack([lab[..., 0], ab]) for ab in made[:2])
        distances.append(skimage.color.deltaE_ciede2000(first, second).mean())
        errors.append(np.abs(made - lab[..., 1:]).mean())
        [still] = models["run"].predict(lab[None, ..., 0])
        quiet.append(np.abs(still - lab[..., 1:]).mean())
    assert np.mean(deviations) > 0
    # float32 sums; scikit-image's CIEDE2000 is in float64 as ours
    assert found.deviation == pytest.approx(np.mean(deviations), rel=1e-4)
    assert found.largest == pytest.approx(max(deviations), rel=1e-4)
    assert found.delta_e == pytest.approx(np.mean(distances), rel=1e-4)
    assert found.error == pytest.approx(np.mean(errors), rel=1e-5)
    assert found.error_quiet == pytest.approx(np.mean(quiet), rel=1e-5)
    assert "3 colorings of each of 5 photographs" in found.text()
    assert f"{found.deviation:.2f} in ab" in found.text()

    assert list(columns) == ["grey", "no noise", "sample 1", "sample 2", "sample 3", "truth"]
    assert all(len(column) == 2 for column in columns.values())
    [first_name, _] = [name for name, _ in Photographs(folder, 2)]
    # through L*a*b* and back: a code here and there
    gap = columns["truth"][0].astype(int) - photographs[first_name]
    assert np.abs(gap).max() <= 1


def test_spread_is_of_the_seed(finished_run: Path, folder: Path) -> None:
    """The same seed gives the same numbers, another one others."""
    numbers = [spread(finished_run, folder, seed=seed, samples=2, limit=1)[0] for seed in (1, 1, 2)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_spread_refuses(finished_run: Path, folder: Path, tmp_path: Path) -> None:
    """One sample has no spread, and grey photographs have no color to spread."""
    with pytest.raises(UsageError, match="at least 2 samples, not 1"):
        spread(finished_run, folder, seed=0, samples=1)
    Image.fromarray(skimage.data.camera()[:50, :50]).save(tmp_path / "grey.png")
    with pytest.raises(UsageError, match="no color photographs in"):
        spread(finished_run, tmp_path, seed=0, samples=2)
