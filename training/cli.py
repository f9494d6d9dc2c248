"""`python -m training`: click options to settings, then the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from colorbatch.boundary import run
from colorbatch.errors import ExitCode, UsageError
from colorbatch.fs.atomic import make_folder, write_bytes
from training.config import load_recipe, override, parse_settings

FOLDER = click.Path(path_type=Path, file_okay=False)
ANY_PATH = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Train generators for colorbatch, measure them and show them."""


@cli.command()
@click.argument("recipe")
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="DIR[:WEIGHT]",
    help="Photographs, searched recursively; may be repeated, with a weight each: what part of "
    "its photographs an epoch sees.",
)
@click.option("--val", type=FOLDER, help="Validation photographs; otherwise a fifth of --data.")
@click.option("--out", type=FOLDER, required=True, help="The run's folder; an old one goes on.")
@click.option(
    "--init", type=ANY_PATH, help="Run, checkpoint, exported model or weights to start from."
)
@click.option("--cache", type=FOLDER, help="Folder for decoded photographs (default: OUT/cache).")
@click.option(
    "--backbone-weights",
    "backbones",
    multiple=True,
    metavar="imagenet|FILE|encoder:RUN",
    help="ImageNet weights of the backbones that take part, a file of them, or a run's encoder.",
)
@click.option("--time-budget", type=float, metavar="MINUTES", help="Train about this long.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
def train(
    recipe: str,
    data: tuple[str, ...],
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
        # the end is known, so the rate can decay towards it
        decayed = {} if any(s.startswith("schedule=") for s in settings) else {"schedule": "cosine"}
        config = override(config, {"time_budget": time_budget, **decayed})
    from training.data import Folder  # torch takes seconds to import
    from training.train import train as run_training

    folders = [Folder.of(text) for text in data]
    finished = run_training(
        config, folders, val, out, init=init, cache=cache, backbones=backbones, say=click.echo
    )
    if not finished:
        sys.exit(ExitCode.INTERRUPTED)


def named(words: tuple[str, ...]) -> dict[str, Path]:
    """`PATH` or `NAME=PATH` words to paths by name; without a name it is the file's or folder's."""
    found: dict[str, Path] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        path = Path(rest if equals and not Path(word).exists() else word)
        if not equals or Path(word).exists():
            name = path.stem if path.suffix == ".onnx" else path.resolve().name
            if path.is_file() and path.suffix != ".onnx":  # a checkpoint is called by its run
                name = path.resolve().parent.name
        if not name or {"/", "\\"} & set(name):
            raise UsageError(f"{name!r} is no name for a file")
        if name in found:
            raise UsageError(f"two called {name!r}: say NAME=PATH")
        if not path.exists():
            raise UsageError(f"{path}: no such run or model")
        found[name] = path
    return found


@cli.command()
@click.argument("models", nargs=-1, required=True, metavar="RUN|MODEL.onnx...")
@click.option("--data", type=FOLDER, required=True, help="Color photographs, searched recursively.")
@click.option("--out", type=FOLDER, help="Write evaluation.md, evaluation.json and sheet.png here.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="What is printed.",
)
@click.option(
    "--size",
    type=click.IntRange(16, 4096),
    default=None,
    help="Side of the square that is measured, in pixels (default: the largest of the models).",
)
@click.option(
    "--gain",
    type=click.FloatRange(0),
    default=1.5,
    show_default=True,
    help="Measure every model's chroma times this as well; 1 leaves it out.",
)
@click.option("--limit", type=click.IntRange(0), default=0, help="Photographs at most; 0 is all.")
@click.option(
    "--shown", type=click.IntRange(1), default=8, show_default=True, help="Pictures on the sheet."
)
@click.option(
    "--noise-seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Instead: color with dropout on, from this seed, and measure how far results spread.",
)
@click.option(
    "--samples",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Colorings of one picture with --noise-seed.",
)
def evaluate(
    models: tuple[str, ...],
    data: Path,
    out: Path | None,
    style: str,
    size: int | None,
    gain: float,
    limit: int,
    shown: int,
    noise_seed: int | None,
    samples: int,
) -> None:
    """Measure runs and ONNX models (PATH or NAME=PATH) on color photographs.

    Beside them: the grey picture, the best constant color, and each model with its chroma times
    --gain.
    """
    found = named(models)
    from training import evaluate as measuring  # torch takes seconds to import
    from training.models import open_model
    from training.plots import labelled_sheet, write_png

    if out is not None:
        make_folder(out)
    if noise_seed is not None:
        spreads = {}
        for name, path in found.items():
            result, columns = measuring.spread(
                path, data, seed=noise_seed, samples=samples, limit=limit, shown=shown, skip=out
            )
            spreads[name] = vars(result)
            if style != "json":
                click.echo(f"{name}: {result.text()}")
            if out is not None:
                write_png(labelled_sheet(columns), out / f"{name}-noise.png")
        if style == "json":
            click.echo(json.dumps(spreads, indent=1))
        if out is not None:
            write_bytes(out / "noise.json", json.dumps(spreads, indent=1).encode())
        return
    opened = [open_model(path, name) for name, path in found.items()]
    evaluation, columns = measuring.evaluate(
        opened, data, size=size or 0, gain=gain, limit=limit, shown=shown, skip=out
    )
    written = {"text": evaluation.text, "json": evaluation.to_json}
    written["markdown"] = lambda: evaluation.text("github")
    click.echo(written[style]())
    if out is not None:
        markdown = evaluation.text("github") + "\n"
        write_bytes(out / "evaluation.md", markdown.encode(errors="backslashreplace"))
        write_bytes(out / "evaluation.json", (evaluation.to_json() + "\n").encode())
        write_png(labelled_sheet(columns), out / "sheet.png")


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", type=FOLDER, required=True, help="Folder for the pictures.")
@click.option(
    "--epochs",
    default="5,15,30,45",
    show_default=True,
    help="Epochs whose validation pictures are shown; the nearest that were kept.",
)
@click.option("--photographs", type=FOLDER, help="Color photographs to show as triptychs.")
@click.option("--old", type=FOLDER, help="Black-and-white pictures to show colored.")
@click.option("--count", type=click.IntRange(1), default=8, show_default=True, help="Of each.")
@click.option(
    "--side",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Height of those pictures, in pixels.",
)
def plot(
    runs: tuple[str, ...],
    out: Path,
    epochs: str,
    photographs: Path | None,
    old: Path | None,
    count: int,
    side: int,
) -> None:
    """Draw runs (PATH or NAME=PATH): losses, the same pictures over epochs, and new pictures."""
    found = named(runs)
    for path in found.values():
        if not path.is_dir():
            raise UsageError(f"{path} is not a run's folder")
    try:
        wanted = [int(epoch) for epoch in epochs.split(",")]
    except ValueError:
        raise UsageError(f"--epochs is a list of numbers like 5,15,30, not {epochs!r}") from None
    from training.models import open_model
    from training.plots import plot as draw

    models = [open_model(path, name) for name, path in found.items()]
    written = draw(
        found,
        models,
        out,
        epochs=wanted,
        photographs=photographs,
        old=old,
        count=count,
        side=side,
    )
    for path in written:
        click.echo(path)


@cli.command("human-test")
@click.argument("sources", nargs=-1, required=True, metavar="RUN|ANSWERS.json...")
@click.option("--data", type=FOLDER, help="Color photographs, searched recursively.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The page: a name in .html."
)
@click.option("--pictures", type=click.IntRange(2), help="How many, half of them true; 40.")
@click.option("--seed", type=click.IntRange(0), help="Chooses photographs and their kind; 0.")
@click.option("--size", type=click.IntRange(32), help="Longest side in pixels at most; 512.")
@click.option("--score", is_flag=True, help="Score answers files, joined for each model.")
@click.option("--json", "as_json", is_flag=True, help="With --score: JSON on standard output.")
def human_test(
    sources: tuple[str, ...],
    data: Path | None,
    out: Path | None,
    pictures: int | None,
    seed: int | None,
    size: int | None,
    score: bool,
    as_json: bool,
) -> None:
    """Make a page that asks people which pictures RUN (a run's folder, a checkpoint or an ONNX
    file) has colored; or, with --score, tell what they answered."""
    from training.human_test import PageSettings, join, make_page, report  # scipy takes a while

    paths = [Path(source) for source in sources]
    numbers = {"pictures": pictures, "seed": seed, "size": size}
    given = {name: number for name, number in numbers.items() if number is not None}
    if score:
        for name, value in {"data": data, "out": out, **given}.items():
            if value is not None:
                raise UsageError(f"--score takes answers files; --{name} is for making a page")
        click.echo(report(join(paths), as_json))
        return
    if as_json:
        raise UsageError("--json goes with --score")
    if len(paths) != 1:
        raise UsageError(f"a page is of one model, not {len(paths)}", "--score takes answers files")
    if data is None or out is None:
        raise UsageError("a page takes RUN --data DIR --out PAGE.html", "--score takes answers")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out}: a page's name ends in .html")
    make_folder(out.resolve().parent)
    page = make_page(paths[0], data, PageSettings(**given))
    write_bytes(out, page.html.encode())
    colored = sum(trial.colored for trial in page.trials)
    click.echo(
        f"{out}: page {page.id}, {len(page.html) / 1e6:.1f} MB, {len(page.trials)} photographs,"
        f" {colored} of them colored ({page.grey} grey, {page.unreadable} unreadable and"
        f" {page.repeated} repeated passed over)"
    )


@cli.command()
@click.argument("first", type=ANY_PATH)
@click.argument("second", type=ANY_PATH)
@click.option("--share", type=float, required=True, help="0 is FIRST, 1 is SECOND.")
@click.option(
    "--gain",
    default="1",
    show_default=True,
    metavar="GAIN[,GAIN]",
    help="Makes colors stronger: all of them, or a and b by their own numbers.",
)
@click.option("--out", type=FOLDER, required=True, help="The new run's folder.")
@click.option(
    "--data",
    multiple=True,
    metavar="DIR[:WEIGHT]",
    help="Training photographs, as for `train` (default: what SECOND has decoded).",
)
@click.option("--cache", type=FOLDER, help="Folder for decoded photographs (default: SECOND's).")
def average(
    first: Path,
    second: Path,
    share: float,
    gain: str,
    out: Path,
    data: tuple[str, ...],
    cache: Path | None,
) -> None:
    """Make a run whose generator lies between those of two runs of one network; FIRST may be a file
    of weights alone."""
    from training.average import average as make  # torch takes seconds to import
    from training.data import Folder

    folders = [Folder.of(text) for text in data]
    try:
        gains = tuple(float(number) for number in gain.split(","))
    except ValueError:
        raise UsageError(f"a gain is a number, or two with a comma between, not {gain}") from None
    make(first, second, share, out, gain=gains, data=folders, cache=cache, say=click.echo)


@cli.command()
@click.argument("run", type=ANY_PATH)
@click.option("-o", "--out", type=ANY_PATH, required=True, metavar="FILE.safetensors")
def weights(run: Path, out: Path) -> None:
    """Write RUN's generator and discriminators as a file of weights, which --init takes."""
    from training.average import write_weights  # torch takes seconds to import

    write_weights(run, out)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Run the command line; errors become a line and an exit code."""
    run(cli)
