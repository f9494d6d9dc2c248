"""The human test: can people tell a model's colors from a camera's?

Flows in: a model and a folder of color photographs; later the answers that people saved. Flows out:
one HTML page with the pictures in it, which needs no server and no network; later the share of
colored pictures that were taken for real ones. In memory are the pictures of one page, encoded.
How the page behaves is in human_test.html beside this file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.stats import binomtest
from tabulate import tabulate
from tqdm import tqdm

from colorbatch import color
from colorbatch.errors import ColorbatchError, SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from colorbatch.model.contract import sha256
from training.folders import find_photographs
from training.photographs import is_grey

TEMPLATE = Path(__file__).with_suffix(".html")
PLACE = "{{test}}"
FORMAT = "colorbatch human test answers"
VERSION = 1
JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    92,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)
"""Full chroma: halving it would hide the blur of chroma that networks make small."""
CONFIDENCE = 0.95
SHOWN_DIGITS = 16
"""Of hashes, where people see them and in a page's id."""


# --- the page ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PageSettings:
    """How a page is made: at most `pictures` trials, of photographs that `seed` chooses, at most
    `size` pixels on the long side."""

    pictures: int = 40
    seed: int = 0
    size: int = 512


@dataclass(frozen=True)
class Trial:
    """One picture of a page: JPEG bytes, and whether a model made its colors."""

    photograph: str
    """Its name below the folder of photographs."""
    colored: bool
    jpeg: bytes
    size: tuple[int, int]
    """(H, W)."""


@dataclass(frozen=True)
class Page:
    """A page and how it came about. The trials stand in it in this order, which tells nothing."""

    html: str
    id: str
    trials: tuple[Trial, ...]
    unreadable: int
    grey: int
    repeated: int
    """Photographs that were passed over because another file holds the same picture."""


def make_page(source: Path, data: Path, settings: PageSettings = PageSettings()) -> Page:
    """The page of a model (a run's folder, a checkpoint or an ONNX file) on photographs of `data`.

    Each photograph stands in it once: every second one as it is, the others as the model colors
    them from their lightness. Both ways end in the same size and encoding. The same seed, model and
    photographs make the same page. Raises UsageError, ModelError, ColorbatchError.
    """
    paths = find_photographs(data)
    from training import checkpoint  # torch takes seconds to import
    from training.models import open_model

    model = open_model(source)
    weights = sha256(source / checkpoint.NAME if source.is_dir() else source)
    trials: list[Trial] = []
    skipped = {"unreadable": 0, "grey": 0, "repeated": 0}
    seen: set[bytes] = set()
    # the hash mixes the sources of a folder, and a photograph more or less moves no other one
    names = sorted(
        (path.relative_to(data).as_posix() for path in paths),
        key=lambda name: _hash(f"{settings.seed}/{name}".encode("utf-8", "surrogateescape")),
    )
    with tqdm(desc="pictures", total=settings.pictures, unit="picture", leave=False) as bar:
        for name in names:
            try:
                rgb = shrink(load_rgb(data / name), settings.size)
            except SourceError:
                skipped["unreadable"] += 1
                continue
            if is_grey(rgb):
                skipped["grey"] += 1
                continue
            if (mark := _hash(str(rgb.shape).encode() + rgb.tobytes())) in seen:
                skipped["repeated"] += 1
                continue
            seen.add(mark)
            colored = len(trials) % 2 == 1
            jpeg = encode(model.colored(rgb) if colored else rgb)
            trials.append(Trial(name, colored, jpeg, (rgb.shape[0], rgb.shape[1])))
            bar.update()
            if len(trials) == settings.pictures:
                break
    if len(trials) < 2:
        raise UsageError(f"a human test takes at least 2 color photographs; {data} has fewer")

    order = np.random.default_rng(settings.seed).permutation(len(trials))
    mixed = tuple(trials[i] for i in order)
    html, page_id = _fill_in(mixed, {"name": model.name, "sha256": weights})
    return Page(html, page_id, mixed, **skipped)


def shrink(rgb: color.Codes, long_side: int) -> color.Codes:
    """A picture (H, W, 3) with at most `long_side` pixels on its longer side; small ones stay."""
    height, width = rgb.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return np.ascontiguousarray(color.resize_area(rgb, size))


def encode(rgb: color.Codes) -> bytes:
    """sRGB codes (H, W, 3), uint8, as a JPEG without metadata."""
    return bytes(cv2.imencode(".jpg", rgb[..., ::-1], JPEG)[1])


def _fill_in(trials: Sequence[Trial], model: dict[str, str]) -> tuple[str, str]:
    """The page's text and its id, a hash of everything that is put in."""
    key = {
        "model": model,
        "colored": [trial.colored for trial in trials],
        "photographs": [trial.photograph for trial in trials],
    }
    # in base64, so that nobody reads the answers by accident; who wants to cheat can
    test: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "sealed": base64.b64encode(json.dumps(key).encode()).decode(),
        "pictures": [
            {
                "width": trial.size[1],
                "height": trial.size[0],
                "jpeg": base64.b64encode(trial.jpeg).decode(),
            }
            for trial in trials
        ],
    }
    page_id = _hash(json.dumps(test).encode()).hex()[:SHOWN_DIGITS]
    text = TEMPLATE.read_text("utf-8")
    return text.replace(PLACE, json.dumps({"id": page_id, **test})), page_id


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- the answers -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """To one picture: whether it was colored, whether it was taken for real, after how long."""

    colored: bool
    real: bool
    milliseconds: float


@dataclass(frozen=True)
class Sitting:
    """One person's answers to one page."""

    file: Path
    id: str
    page: str
    model: str
    weights: str
    person: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Rate:
    """A share that was counted: `count` of `trials`, at least one."""

    count: int
    trials: int

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.count / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson 1927, without continuity correction)."""
        found = binomtest(self.count, self.trials).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high)

    def values(self) -> dict[str, float]:
        """For JSON."""
        low, high = self.interval
        return {
            "count": self.count,
            "trials": self.trials,
            "share": self.share,
            "low": low,
            "high": high,
        }

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Score:
    """What answers come to. fooling: colored pictures taken for real; trusting: true pictures
    taken for real, which is what fooling is to be held against."""

    trials: int
    fooling: Rate
    trusting: Rate
    median_seconds: float

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Score:
        """Score answers, to at least one colored and one true picture."""
        colored = [answer.real for answer in answers if answer.colored]
        true = [answer.real for answer in answers if not answer.colored]
        return cls(
            trials=len(answers),
            fooling=Rate(sum(colored), len(colored)),
            trusting=Rate(sum(true), len(true)),
            median_seconds=statistics.median(a.milliseconds for a in answers) / 1000,
        )

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "trials": self.trials,
            "fooling": self.fooling.values(),
            "trusting": self.trusting.values(),
            "median_seconds": self.median_seconds,
        }


@dataclass(frozen=True)
class ModelScore:
    """All sittings on one model."""

    model: str
    weights: str
    pages: tuple[str, ...]
    people: tuple[tuple[str, Score], ...]
    joined: Score

    def text(self) -> str:
        """A table: one line per person, the last for all."""
        people = self.people + ((("all", self.joined),) if len(self.people) > 1 else ())
        lines = [
            [name, score.trials, score.fooling, score.trusting, f"{score.median_seconds:.2f} s"]
            for name, score in people
        ]
        headings = ["", "trials", "fooling rate", "true taken for real", "median time"]
        table = tabulate(lines, headings, colalign=("left", *["right"] * 4), disable_numparse=True)
        pages = "1 page" if len(self.pages) == 1 else f"{len(self.pages)} pages"
        return f"{_shown(self.model)} (sha256 {self.weights[:SHOWN_DIGITS]}), {pages}\n\n{table}"

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.model,
            "sha256": self.weights,
            "pages": list(self.pages),
            "people": [{"person": name, **score.values()} for name, score in self.people],
            "joined": self.joined.values(),
        }


def join(files: Sequence[Path]) -> list[ModelScore]:
    """The scores in answers files, joined for each model by itself, in the order of the files.

    Models are told apart by their weights. Raises UsageError if a file is missing or two hold the
    same sitting, ColorbatchError for one that holds no answers.
    """
    sittings: dict[str, Sitting] = {}
    for file in files:
        sitting = read_answers(file)
        if (other := sittings.setdefault(sitting.id, sitting)) is not sitting:
            raise UsageError(f"{other.file} and {file} are the same person's answers")
    models: dict[str, list[Sitting]] = {}
    for sitting in sittings.values():
        models.setdefault(sitting.weights, []).append(sitting)
    return [
        ModelScore(
            model=group[0].model,
            weights=weights,
            pages=tuple(sorted({sitting.page for sitting in group})),
            people=tuple((sitting.person, Score.of(sitting.answers)) for sitting in group),
            joined=Score.of([answer for sitting in group for answer in sitting.answers]),
        )
        for weights, group in models.items()
    ]


def report(scores: Sequence[ModelScore], as_json: bool) -> str:
    """Scores for people or as JSON for programs."""
    if as_json:
        return json.dumps({"models": [score.values() for score in scores]}, indent=1)
    note = (
        "fooling rate: colored pictures taken for real. In brackets: 95 % intervals (Wilson);"
        " joined ones take every answer as independent, and are too narrow where they are not"
    )
    return "\n\n".join([*(score.text() for score in scores), note])


def read_answers(file: Path) -> Sitting:
    """An answers file. Raises UsageError if there is none, ColorbatchError if it is no such."""
    try:
        values = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file}: cannot read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ColorbatchError(f"{file}: not answers to a human test: no JSON") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ColorbatchError(f"{file}: not answers to a human test")
    if values.get("version") != VERSION:
        raise ColorbatchError(f"{file}: answers of another version of the human test")
    try:
        return _sitting(file, values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ColorbatchError(f"{file}: broken answers to a human test ({error})") from error


def _sitting(file: Path, values: dict[str, Any]) -> Sitting:
    """Raises KeyError, TypeError, ValueError or OverflowError for what a page never saves."""
    texts = [values["id"], values["page"], *(values["model"][key] for key in ("name", "sha256"))]
    texts.append(values["person"])
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name or hash is no text")
    identity, page, model, weights, person = texts
    answers = tuple(_answer(item) for item in values["answers"])
    if len({item["picture"] for item in values["answers"]}) < len(answers):
        raise ValueError("one picture answered twice")
    if len({answer.colored for answer in answers}) < 2:
        raise ValueError("no answers to both kinds of pictures")
    shown = _shown(person) or f"anonymous {_shown(identity)[:4]}"
    return Sitting(file, identity, page, model, weights, shown, answers)


def _answer(item: dict[str, Any]) -> Answer:
    colored, given, time = item["colored"], item["answer"], item["ms"]
    if not isinstance(colored, bool) or given not in ("real", "machine"):
        raise ValueError("an answer is neither real nor machine")
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise TypeError("a time is no number")
    if not (math.isfinite(time) and time >= 0):
        raise ValueError("a time is no number of milliseconds")
    return Answer(colored, given == "real", float(time))


def _shown(text: str) -> str:
    """Text of other people on one line, without what steers a terminal."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())
