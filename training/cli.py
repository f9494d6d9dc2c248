"""`python -m training`: click options to settings, then the work."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from colorbatch.boundary import run
from colorbatch.errors import ExitCode
from training.config import load_recipe, override, parse_settings

FOLDER = click.Path(path_type=Path, file_okay=False)
ANY_PATH = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Train generators for colorbatch."""


@cli.command()
@click.argument("recipe")
@click.option("--data", type=FOLDER, required=True, help="Photographs, searched recursively.")
@click.option("--val", type=FOLDER, help="Validation photographs; otherwise a fifth of --data.")
@click.option("--out", type=FOLDER, required=True, help="The run's folder; an old one goes on.")
@click.option("--init", type=ANY_PATH, help="Run or checkpoint whose weights to start from.")
@click.option("--cache", type=FOLDER, help="Folder for decoded photographs (default: OUT/cache).")
@click.option(
    "--backbone-weights",
    "backbones",
    multiple=True,
    metavar="imagenet|FILE|encoder:RUN",
    help="Weights of ResNet-18 or VGG-19 in torchvision's form, or a run's encoder for features.",
)
@click.option("--time-budget", type=float, metavar="MINUTES", help="Train about this long.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
def train(
    recipe: str,
    data: Path,
    val: Path | None,
    out: Path,
    init: Path | None,
    cache: Path | None,
    backbones: tuple[str, ...],
    time_budget: float | None,
    settings: tuple[str, ...],
) -> None:
    """Train RECIPE (a name such as `unet`, or a TOML file)."""
    config = override(load_recipe(recipe), parse_settings(settings))
    if time_budget is not None:
        # the number of steps is fixed by the budget, so the rate can decay over them
        decayed = {} if any(s.startswith("schedule=") for s in settings) else {"schedule": "cosine"}
        config = override(config, {"time_budget": time_budget, **decayed})
    from training.train import train as run_training  # torch takes seconds to import

    finished = run_training(
        config, data, val, out, init=init, cache=cache, backbones=backbones, say=click.echo
    )
    if not finished:
        sys.exit(ExitCode.INTERRUPTED)


def main() -> None:
    """Run the command line; errors become a line and an exit code."""
    run(cli)
