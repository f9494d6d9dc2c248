"""`colorbatch verify`, `models` and `doctor`: what is here, and does it answer as it should?"""

from __future__ import annotations

import json

import click
import cloup

from colorbatch import __version__
from colorbatch.cli.options import chosen_device, device_options, option


@cloup.command()
@click.argument("model", required=False)
@device_options
def verify(model: str | None, device: str, gpu_id: int | None) -> None:
    """Run MODEL's stored parity check on this machine, without PyTorch; without MODEL, that of
    every embedded one.

    Without a device it is run on every provider that works here.
    """
    from colorbatch.model import parity
    from colorbatch.model.contract import embedded_models, find_model
    from colorbatch.model.engine import Engine
    from colorbatch.model.runtime import import_runtime, usable_devices

    devices = [chosen_device(device, gpu_id)]
    if devices == ["auto"]:
        devices = usable_devices(import_runtime().get_available_providers())
    for path in (embedded_models() if model is None else []) or [find_model(model)]:
        record = parity.load_record(path)
        for name in devices:
            engine = Engine(path, name)
            worst = parity.check(engine, record)
            click.echo(
                f"{path.name} on {engine.told}: as PyTorch; largest differences over "
                f"{len(record.goldens)} pictures: |d ab| {worst.max_ab:.2g}, "
                f"deltaE2000 {worst.max_delta_e:.2g} (limits {record.limits.max_ab:g}, "
                f"{record.limits.max_delta_e:g})"
            )


@cloup.command()
@click.argument("model", required=False)
@option("--json", "as_json", is_flag=True, help="The whole cards as JSON.")
def models(model: str | None, as_json: bool) -> None:
    """List the embedded models, the default first, or MODEL alone, with their cards."""
    from colorbatch.model.contract import embedded_models, find_model, is_default
    from colorbatch.model.engine import Engine

    paths = [find_model(model)] if model else embedded_models()
    for path in paths:
        engine = Engine(path, "cpu")
        card = engine.card
        if as_json:
            click.echo(
                json.dumps(
                    {
                        "file": str(path),
                        "contract": json.loads(engine.contract.to_json()),
                        "card": json.loads(card.to_json()),
                    }
                )
            )
            continue
        name = f"{card.name}, the default" if is_default(path) else card.name
        click.echo(f"{name}: {path} ({path.stat().st_size / 1e6:.1f} MB)")
        rows = {
            "recipe": card.recipe,
            "size": f"{engine.size[0]} x {engine.size[1]}",
            "training data": card.training_data,
            "licences": card.licences,
            "trained on": f"{card.images} photographs, {card.epochs} epochs" if card.images else "",
            **{
                f"metrics on {name}": ", ".join(f"{k} {v:g}" for k, v in values.items())
                for name, values in card.metrics.items()
            },
            **{f"history {i}": text for i, text in enumerate(card.history, 1)},
            "source commit": card.source_commit,
            "weights": card.weights_sha256,
        }
        for name, text in rows.items():
            if text:
                click.echo(f"  {name}: {text}")


@cloup.command()
@device_options
def doctor(device: str, gpu_id: int | None) -> None:
    """Say what is installed and really in use here, and time one inference."""
    import importlib.metadata
    import platform

    from colorbatch.color import compiled
    from colorbatch.model.contract import embedded_models, is_default
    from colorbatch.model.engine import Engine
    from colorbatch.model.runtime import PROVIDERS, import_runtime, installed_wheels

    click.echo(
        f"colorbatch {__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    for name in ("numpy", "opencv-python-headless", "pillow", "tifffile", "imagecodecs"):
        try:
            click.echo(f"  {name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            click.echo(f"  {name}: not installed as a wheel")
    wheels = installed_wheels()
    for name, version in wheels.items():
        click.echo(f"  {name} {version}")
    if len(wheels) > 1:
        click.echo(f"  trouble: {' and '.join(wheels)} overwrite each other; uninstall all but one")
    click.echo(compiled.told())
    click.echo(f"providers offered: {', '.join(import_runtime().get_available_providers())}")
    for provider in PROVIDERS:
        if provider.hardware is not None:
            found = "yes" if provider.is_here else "none found"
            click.echo(f"{provider.hardware.name}: {found}")
    names = [f"{path.stem}{' (the default)' * is_default(path)}" for path in embedded_models()]
    click.echo(f"embedded models: {', '.join(names) or 'none'}")
    engine = Engine(None, chosen_device(device, gpu_id), batch_size=1)
    click.echo(f"in use: {engine.told}")
    click.echo(f"one inference: {engine.time_one() * 1000:.0f} ms")
