"""An option that nobody has told to the journal: it counts, for everything that moves or stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import colorbatch
from colorbatch.job import FilmSettings, ImageSettings, Outcome, matters_to
from colorbatch.journal.settings_digest import settings_digest

OTHER = "made with other settings"


@dataclass(frozen=True)
class Grainy(ImageSettings):
    """Pictures with one more option, which says nothing of itself."""

    grain: float = 0.0


@dataclass(frozen=True)
class GrainyFilm(FilmSettings):
    """The same of films and frames."""

    grain: float = 0.0


def reasons(outcomes: Iterable[Outcome]) -> set[tuple[str, str, bool]]:
    return {(one.status, one.reason, one.outdated) for one in outcomes}


@pytest.mark.parametrize("what", ["still", "film", "frames"])
def test_a_new_option_is_resumed_by(
    what: str,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    grey_photograph: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    """What was made before there was the option is finished, at its default; at another value it is
    outdated, `-y` makes it, and then it is outdated for who does not ask for it."""
    source, run = tmp_path / "source", colorbatch.color_clips
    settings: tuple[Any, Any] = FilmSettings(), GrainyFilm()
    if what == "film":
        source = make_clip("a.mkv")
    else:
        source.mkdir()
        for number in range(2):
            picture = Image.fromarray(grey_photograph("coffee")[: 40 + 40 * (what == "still")])
            picture.save(source / f"f_{number:03}.png")
    if what == "still":
        run, settings = colorbatch.color_pictures, (ImageSettings(), Grainy())  # type: ignore[assignment]
    old, new = settings

    def made(settings: Any, **more: Any) -> set[tuple[str, str, bool]]:
        asked = {"model": str(tiny_model), "settings": settings, **more}
        return reasons(run(source, tmp_path / "out", **asked))

    finished, outdated = {("skipped", "finished", False)}, {("skipped", OTHER, True)}
    assert made(old) == {("colored", "", False)}
    assert made(new) == finished
    grainy = replace(new, grain=0.5)
    assert made(grainy) == outdated
    assert made(new) == finished
    assert made(grainy, redo="outdated") == {("colored", "", False)}
    assert made(grainy) == finished
    assert made(old) == outdated and made(new) == outdated


@dataclass(frozen=True)
class Told(ImageSettings):
    """With options that say to which results they matter."""

    none: int = field(default=0, metadata=matters_to())
    kept: int = field(default=0, metadata=matters_to("kept"))
    toned: int = field(default=0, metadata=matters_to("colored", "kept", only="toned"))
    several: list[int] = field(default_factory=list)


@pytest.mark.parametrize(
    ("result", "matter"),
    [
        ({"colored"}, {"several"}),
        ({"colored", "toned"}, {"toned", "several"}),
        ({"kept"}, {"kept", "several"}),
        ({"film", "toned"}, {"several"}),
    ],
)
def test_an_option_matters_to_the_results_that_it_names(result: set[str], matter: set[str]) -> None:
    """And at its default to none."""
    others: dict[str, Any] = {"none": 1, "kept": 1, "toned": 1, "several": [1]}
    before = settings_digest(ImageSettings(), result)
    assert settings_digest(Told(), result) == before
    changed = {
        name: settings_digest(replace(Told(), **{name: value}), result)
        for name, value in others.items()
    }
    assert {name for name, digest in changed.items() if digest != before} == matter


def test_what_a_setting_came_to_counts_in_its_place() -> None:
    """At the default, too; and so does what else decides a result."""
    asked = FilmSettings()
    digests = {
        settings_digest(asked, ("film",)),
        settings_digest(asked, ("film",), meant={"transfer": "auto"}),
        settings_digest(asked, ("film",), meant={"transfer": "log"}),
        settings_digest(asked, ("film",), beside={"container": "mkv"}),
    }
    assert len(digests) == 4
    values = {name: asdict(asked)[name] for name in ("saturation", "region")}
    text = json.dumps(values | {"transfer": "display"}, sort_keys=True)
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert settings_digest(asked, ("frames",), meant={"transfer": "display"}) == expected
