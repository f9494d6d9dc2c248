"""What README says and what the program does are the same."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import click
import pytest

import colorbatch
from colorbatch.cli import cli
from colorbatch.ffmpeg.codecs import CODECS
from colorbatch.model.contract import DEFAULT_MODEL, embedded_models
from colorbatch.model.engine import Engine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def options() -> set[str]:
    """Every long option and command of the tool; hidden ones are for benchmarks."""
    names = set(cli.commands)
    for command in cli.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                names |= {name for name in parameter.opts if name.startswith("--")}
    return names


def test_readme_names_every_command_and_option() -> None:
    """A command or option that README does not mention is not finished."""
    missing = {name for name in options() if f"`{name}" not in README and f" {name}" not in README}
    assert not missing


def test_readme_promises_no_option_that_does_not_exist() -> None:
    """Options in README's `colorbatch images` table exist."""
    table = README.split("### Options", 1)[1].split("\n## ", 1)[0]
    promised = set(re.findall(r"`(--[a-z0-9-]+)", table))
    assert promised
    assert promised <= options()


def test_every_option_has_an_environment_variable() -> None:
    """Each option can be given as COLORBATCH_NAME, its long name in capitals."""
    for command in cli.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and "--help" not in parameter.opts:
                long = next(name for name in parameter.opts if name.startswith("--"))
                variable = "COLORBATCH_" + long.removeprefix("--").replace("-", "_").upper()
                assert parameter.envvar == variable


def test_changelog_has_the_current_version() -> None:
    """CHANGELOG has a section for the version that the package names."""
    assert f"## {colorbatch.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_constraints_pin_every_direct_dependency() -> None:
    """Everything in pyproject, but the wheels for cards, has an exact pin in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert "test" in extras
    cards = ("cuda13", "cuda12", "gpu", "tensorrt", "directml")
    lists = [extras[name] for name in extras if name not in cards]
    wanted = itertools.chain(project["dependencies"], *lists)
    names = {re.split(r"[\[<>=]", line)[0].lower() for line in wanted} - {"colorbatch"}
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert names <= {name.lower().replace("_", "-") for name in pins}


def test_the_quick_checks_need_no_torch() -> None:
    """The extra of `make check` leads to nothing of training or export."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted, names = ["colorbatch[test]"], set()
    while wanted:
        name, _, own = wanted.pop().partition("[")
        names.add(re.split(r"[<>=]", name)[0])
        if name == "colorbatch":
            wanted += itertools.chain(*(extras[each] for each in own.rstrip("]").split(",")))
    assert names >= {"pytest", "pytest-xdist", "onnxruntime", "colorbatch"}
    assert not names & {"torch", "onnx", "onnxscript", "matplotlib", "safetensors"}


def test_no_file_names_the_machine_it_was_made_on() -> None:
    """No committed text holds an absolute home, work or temporary path."""
    pattern = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|tmp)/")
    guilty = [
        path
        for folder in ("colorbatch", "training", "export", "docs", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".toml", ".json", "")
        and path.is_file()
        and pattern.search(path.read_text("utf-8"))
    ]
    assert not guilty


def test_no_placeholder_is_left_in_the_docs() -> None:
    """Every figure that was to be filled in has been: those of `lite-unet` once it is here."""
    marks = r"@[A-Z0-9]+@|TODO|TBD"
    if "lite-unet" in {path.stem for path in embedded_models()}:
        marks += r"|\bFIGURE\b"
    code = (ROOT / "colorbatch" / name for name in ("model/contract.py", "formats/memory_need.py"))
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *code):
        assert not re.search(marks, path.read_text("utf-8")), path


def test_relative_links_lead_somewhere() -> None:
    """Every file that a page links to or shows is there."""
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_what_is_to_be_touched_is_there() -> None:
    """Every file and every name that CONTRIBUTING tells of is in the code."""
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## Adding something", 1)[1]
    words = set(re.findall(r"`([^`\s]+)`", page))
    sources = [
        path
        for folder in ("colorbatch", "training", "export", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    paths = [f"/{path.relative_to(ROOT).as_posix()}" for path in sources]
    files = {word for word in words if word.endswith(".py")}
    assert len(files) > 20
    assert not {file for file in files if not any(path.endswith(f"/{file}") for path in paths)}
    text = "\n".join(path.read_text("utf-8") for path in sources)
    names = {part for word in words - files for part in word.split(".") if part.isidentifier()}
    assert len(names) > 40
    assert not {name for name in names if not re.search(rf"\b{name}\b", text)}


def test_the_table_of_codecs_is_that_of_their_rows() -> None:
    """docs/film.md says of every encoder that has a row what the row says."""
    page = (ROOT / "docs" / "film.md").read_text("utf-8")
    told = page.split("| codec | `--codec` |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert told == [
        f"| {codec.title} | `{encoder.name}` | {', '.join(encoder.containers)} "
        f"| {'yes' if encoder.native else 'no'} | {'yes' if encoder.lossless else 'no'} |"
        for codec in CODECS
        if (encoder := codec.encoder) is not None
    ]


LARGEST = {"unet32": 30e6, "lite-unet": 17e6}
"""Bytes that an embedded model may have."""


@pytest.mark.parametrize("model", embedded_models(), ids=lambda path: path.stem)
def test_docs_tell_the_embedded_models_own_story(model: Path) -> None:
    """The steps, the limit and the figures in docs/model.md are those of the model's card."""
    card = Engine(model, "cpu").card
    page = (ROOT / "docs" / "model.md").read_text("utf-8").replace(",", "")
    text = page.split(f"\n## `{model.stem}`\n", 1)[1].split("\n## ", 1)[0]
    # a run that came in by two ways, as one end of an average and before the other, is told twice
    steps = {line.split(" steps")[0] for line in card.history if " steps of " in line}
    assert 0 < len(steps) <= len(re.findall(r"^python -m training train", text, re.M))
    assert all(number in text for number in steps)
    assert ("exported with relu_limit=6" in card.history) == ("--relu-limit 6" in text)
    [figures] = card.metrics.values()
    assert f"| {figures['ab_error_relative']:.3f} | 1 |" in text
    assert f"| {figures['colorfulness']:.1f} | 0 |" in text
    texts = tomllib.loads((ROOT / "docs" / f"{model.stem}-card.toml").read_text("utf-8"))
    assert (card.training_data, card.licences) == (texts["training_data"], texts["licences"])
    assert f"`{model.stem}`" in (ROOT / "LICENSE-MODEL.md").read_text("utf-8")
    # what a model has to reach to be embedded
    assert figures["ab_error_relative"] <= 0.88
    assert figures["colorfulness"] >= 20
    assert model.stat().st_size <= LARGEST[model.stem]


def test_the_default_model_is_the_better_one() -> None:
    """No embedded model is nearer to the true colors, and none is more colorful."""
    figures = {path.stem: Engine(path, "cpu").card.metrics for path in embedded_models()}
    [mine] = figures[DEFAULT_MODEL].values()
    for [theirs] in (metrics.values() for metrics in figures.values()):
        assert mine["photographs"] == theirs["photographs"]
        assert mine["ab_error_relative"] <= theirs["ab_error_relative"]
        assert mine["colorfulness"] >= theirs["colorfulness"]
