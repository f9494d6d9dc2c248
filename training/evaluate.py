"""Measuring: models against the truth, side by side, beside what costs nothing.

Flows in: models and a folder of color photographs. Flows out: an `Evaluation`, as text, Markdown,
JSON and a picture sheet. Every photograph is squeezed to one square, each model sees it at its own
size, and its chroma is enlarged to that square. Memory does not grow with the photographs.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tabulate import tabulate
from tqdm import tqdm

from colorbatch import color
from colorbatch.errors import UsageError
from training.data import whole_picture
from training.metrics import (
    COLORFULNESS,
    Measured,
    Totals,
    colored_picture,
    measure,
    measure_truth,
)
from training.models import BATCH, Model, open_model, open_noisy_model
from training.photographs import Photographs, source_of

ALL = "all"
OTHER = "(other)"
"""The group of photographs whose source is not among the most common ones."""
MOST_SOURCES = 30
GREY, CONSTANT, TRUTH = "grey", "constant", "truth"
"""Rows beside the models: no color at all, the best constant color, the photographs themselves."""
HEADINGS = {
    "ab_mae": "|ab|",
    "ab_relative": "of grey",
    "worse": "worse",
    "ab_rmse": "RMSE ab",
    "psnr": "PSNR",
    "psnr_pooled": "PSNR pooled",
    "ssim": "SSIM",
    "within": "within 20",
    "auc": "AuC",
    "delta_e": "dE2000",
    "colorfulness": "colorful",
    "colorfulness_of_absolutes": "colorful abs",
    "histogram": "ab hist",
}
EXPLANATION = (
    "|ab|, RMSE ab: mean absolute and root mean square error of a* and b*, Lab units. of grey: "
    "|ab| in parts of that of the grey picture. worse: share of photographs whose |ab| is larger "
    "than that of the grey picture. PSNR: of 8-bit sRGB in dB, mean over pictures; pooled: of the "
    "mean squared error of all pictures. SSIM: of 8-bit sRGB. within 20: share of pixels whose ab "
    "is within 20 of the truth; AuC: area under that share over thresholds 0 to 150. dE2000: mean "
    "CIEDE2000. colorful: Hasler and Suesstrunk's M3, mean over pictures; abs: its variant with "
    "absolute values. ab hist: Jensen-Shannon distance of the ab histogram from the truth's."
)


@dataclass(frozen=True)
class Evaluation:
    """What was measured: `rows` by model, then by source of the photographs (`all` first), then by
    metric (see `metrics.Totals.summary`); `truth` and `counts` by source."""

    size: int
    names: tuple[str, ...]
    passed_over: int
    constant: tuple[float, float]
    rows: dict[str, dict[str, dict[str, float]]]
    truth: dict[str, dict[str, float]]
    counts: dict[str, int]
    models: dict[str, dict[str, object]]

    def table(self, style: str = "simple", source: str = ALL) -> str:
        """Models and baselines, one line each, and the truth's colorfulness below."""
        lines = [[name, *(row[source][key] for key in HEADINGS)] for name, row in self.rows.items()]
        lines.append([TRUTH, *(self.truth[source].get(key, "") for key in HEADINGS)])
        headings = ["", *HEADINGS.values()]
        formats = ("", ".2f", *[".3f"] * 2, *[".2f"] * 3, *[".3f"] * 3, *[".2f"] * 3, ".3f")
        return _tabulated(lines, headings, style, formats)

    def sources_table(self, style: str = "simple", metric: str = "ab_mae") -> str:
        """One metric per source of the photographs and model; the most common source first."""
        sources = sorted(self.counts, key=lambda source: -self.counts[source])
        lines = [
            [source, self.counts[source], *(row[source][metric] for row in self.rows.values())]
            for source in sources
        ]
        headings = ["source", "pictures", *self.rows]
        return _tabulated(lines, headings, style, ".2f")

    def text(self, style: str = "simple") -> str:
        """Everything for people: `simple` is plain text, `github` Markdown."""
        a, b = self.constant
        parts = [
            f"{len(self.names)} photographs at {self.size}x{self.size}"
            f" ({self.passed_over} grey or unreadable passed over);"
            f" best constant color: a* {a:.1f}, b* {b:.1f}",
            self.table(style),
            EXPLANATION,
        ]
        if len(self.counts) > 1:
            parts += [f"{HEADINGS['ab_mae']} per source:", self.sources_table(style)]
        return "\n\n".join(parts)

    def to_json(self) -> str:
        """Everything for programs."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def _tabulated(
    lines: list[list[object]], headings: list[str], style: str, formats: str | tuple[str, ...]
) -> str:
    if style == "github":  # a bar would end a cell
        headings = [heading.replace("|", r"\|") for heading in headings]
        lines = [[str(line[0]).replace("|", r"\|"), *line[1:]] for line in lines]
    return str(tabulate(lines, headings, tablefmt=style, floatfmt=formats))


Columns = dict[str, list[color.Codes]]
"""Pictures for a sheet, by heading: grey, each model, truth; (S, S, 3), uint8."""


def evaluate(
    models: Sequence[Model],
    data: Path,
    *,
    size: int = 0,
    gain: float = 1.5,
    limit: int = 0,
    shown: int = 8,
    skip: Path | None = None,
) -> tuple[Evaluation, Columns]:
    """Measure models on color photographs, beside grey, the best constant color, and each model's
    chroma times `gain` (1 leaves that out).

    `size` is the side of the square that is measured, in pixels; 0 is the largest size of a model.
    `limit` bounds the photographs (0: all), `shown` those on the sheet; what lies below `skip`
    (earlier sheets) is left out. Raises UsageError, and ModelError for a model that has diverged.
    """
    names = [model.name for model in models]
    stronger = {name: f"{name} x{gain:g}" for name in names} if gain != 1 else {}
    headings = [GREY, CONSTANT, TRUTH, *names, *stronger.values()]
    if taken := {heading for heading in headings if headings.count(heading) > 1}:
        raise UsageError(f"two columns called {', '.join(sorted(taken))}: say NAME=MODEL")
    size = size or max(max(model.size) for model in models)
    photographs = Photographs(data, limit, skip)
    median, sources = first_look(photographs, size)
    shown_sources = {source for source, _ in sources.most_common(MOST_SOURCES)} - {""}
    constant = np.full((size, size, 2), median, np.float32)

    def measured(square: color.Codes, predicted: dict[str, color.Float]) -> _Measurement:
        lab = color.rgb_to_lab(square)
        chroma = {GREY: np.zeros_like(constant), CONSTANT: constant}
        for model, ab in predicted.items():
            chroma[model] = ab
            if model in stronger:
                chroma[stronger[model]] = ab * np.float32(gain)
        rows = {column: measure(lab, ab, square) for column, ab in chroma.items()}
        rows[TRUTH] = measure_truth(lab, square)
        pictures = {column: colored_picture(lab, chroma[column]) for column in (GREY, *names)}
        return _Measurement(rows, pictures | {TRUTH: square})

    columns: Columns = {name: [] for name in (GREY, *names, TRUTH)}
    totals: dict[str, dict[str, Totals]] = defaultdict(lambda: defaultdict(Totals))
    names_seen: list[str] = []
    square = (size, size)
    sizes = {model.size for model in models}

    def reduced(rgb: color.Codes) -> tuple[color.Codes, dict[tuple[int, int], color.Codes]]:
        """The square that is measured, and what models see: a full-size picture is soon let go."""
        return whole_picture(rgb, size), {small: color.resize_area(rgb, small) for small in sizes}

    with ThreadPoolExecutor() as pool, tqdm(desc="measure", unit="picture", leave=False) as bar:
        pictures = photographs.map(reduced)
        while batch := list(islice(pictures, BATCH)):
            chroma = {
                model.name: model.chroma_for([seen[model.size] for _, (_, seen) in batch], square)
                for model in models
            }
            squares = [picture for _, (picture, _) in batch]
            predicted = [{name: ab[i] for name, ab in chroma.items()} for i in range(len(batch))]
            measurements = pool.map(measured, squares, predicted)
            for (name, _), measurement in zip(batch, measurements, strict=True):
                names_seen.append(name)
                source = source_of(name)
                groups = {ALL, source if source in shown_sources else OTHER}
                for group in groups if source else {ALL}:
                    for column, row in measurement.rows.items():
                        totals[group][column].add(row)
                if len(names_seen) <= shown:
                    for column, picture in measurement.pictures.items():
                        columns[column].append(picture)
                bar.update()

    rows: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    truth = {group: by_column.pop(TRUTH) for group, by_column in totals.items()}
    for group, by_column in totals.items():
        for column, total in by_column.items():
            rows[column][group] = total.summary(truth[group].histogram)
    evaluation = Evaluation(
        size=size,
        names=tuple(names_seen),
        passed_over=photographs.passed_over,
        constant=median,
        truth={
            group: {key: total.sums[key] / total.count for key in COLORFULNESS}
            for group, total in truth.items()
        },
        rows=dict(rows),
        counts={group: total.count for group, total in truth.items()},
        models={model.name: dict(model.about) for model in models},
    )
    return evaluation, columns


@dataclass(frozen=True)
class _Measurement:
    rows: dict[str, Measured]
    pictures: dict[str, color.Codes]


def first_look(photographs: Photographs, size: int) -> tuple[tuple[float, float], Counter[str]]:
    """The constant (a*, b*) with the least mean absolute error on all photographs (the median of
    each, to a tenth of a Lab unit), and how many photographs each source has.

    Raises UsageError if no photograph is in color.
    """

    def histograms(rgb: color.Codes) -> npt.NDArray[np.int64]:
        lab = color.rgb_to_lab(whole_picture(rgb, size))
        return np.stack([np.histogram(lab[..., i], 2560, (-128, 128))[0] for i in (1, 2)])

    counts = np.zeros((2, 2560), np.int64)
    sources: Counter[str] = Counter()
    looked_at = photographs.map(histograms)
    for name, counted in tqdm(looked_at, desc="first look", unit="picture", leave=False):
        counts += counted
        sources[source_of(name)] += 1
    if not counts.any():
        raise UsageError(f"no color photographs in {photographs.folder}")
    half = counts.sum(axis=1, keepdims=True) / 2
    a, b = (0.1 * i - 127.95 for i in np.argmax(np.cumsum(counts, axis=1) >= half, axis=1))
    return (round(float(a), 2), round(float(b), 2)), sources


@dataclass(frozen=True)
class Spread:
    """How far the colorings of one picture are apart that dropout makes at test time.

    deviation: standard deviation of ab over the samples, in Lab units, mean over pixels, channels
    and photographs; largest: that of the photograph where it is largest; delta_e: mean CIEDE2000
    between two samples; error: mean |ab| error of one sample; error_quiet: that without noise.
    """

    photographs: int
    samples: int
    deviation: float
    largest: float
    delta_e: float
    error: float
    error_quiet: float

    def text(self) -> str:
        """The numbers in a sentence or two."""
        return (
            f"{self.samples} colorings of each of {self.photographs} photographs with dropout on: "
            f"they deviate by {self.deviation:.2f} in ab (at most {self.largest:.2f} in one "
            f"photograph), dE2000 {self.delta_e:.2f} between two of them; |ab| error "
            f"{self.error:.2f}, and {self.error_quiet:.2f} without the noise"
        )


def spread(
    run: Path,
    data: Path,
    *,
    seed: int,
    samples: int,
    limit: int = 0,
    shown: int = 8,
    skip: Path | None = None,
) -> tuple[Spread, Columns]:
    """Color photographs several times with dropout on (Isola et al. 2017, section 3.2: the only
    noise there is, at training and test time). Raises UsageError if the run has no dropout."""
    if samples < 2:
        raise UsageError(f"a spread needs at least 2 samples, not {samples}")
    quiet, noisy = open_model(run, "no noise"), open_noisy_model(run, seed)
    columns: Columns = {GREY: [], "no noise": []}
    columns |= {f"sample {k + 1}": [] for k in range(samples)} | {TRUTH: []}
    deviations, distances, errors, errors_quiet = [], [], [], []
    photographs = Photographs(data, limit, skip)
    for _, rgb in tqdm(photographs, desc="spread", unit="picture", leave=False):
        square = whole_picture(rgb, quiet.size[0])
        lab = color.rgb_to_lab(square)
        [still] = quiet.predict(lab[None, ..., 0])
        made = noisy.predict(np.repeat(lab[None, ..., 0], samples, axis=0))
        deviations.append(float(made.std(axis=0).mean()))
        errors.append(float(np.abs(made - lab[..., 1:]).mean()))
        errors_quiet.append(float(np.abs(still - lab[..., 1:]).mean()))
        first, second = (np.concatenate([lab[..., :1], made[k]], axis=-1) for k in range(2))
        distances.append(float(color.delta_e_2000(first, second).mean()))
        if len(deviations) <= shown:
            pictures = [np.zeros_like(still), still, *made, lab[..., 1:]]
            for column, ab in zip(columns.values(), pictures, strict=True):
                column.append(colored_picture(lab, ab))
    if not deviations:
        raise UsageError(f"no color photographs in {data}")
    means = (float(np.mean(values)) for values in (distances, errors, errors_quiet))
    result = Spread(len(deviations), samples, float(np.mean(deviations)), max(deviations), *means)
    return result, columns
