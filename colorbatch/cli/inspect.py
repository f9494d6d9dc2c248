"""`colorbatch verify`, `models` and `doctor`: what is here, and does it answer as it should?"""

from __future__ import annotations

import click
import cloup

from colorbatch.cli.options import chosen_device, device_options, option
from colorbatch.version import __version__


@cloup.command()
@click.argument("model", required=False)
@device_options
def verify(model: str | None, device: str, gpu_id: int | None, tf32: bool) -> None:
    """Run MODEL's stored parity check on this machine, without PyTorch; without MODEL, that of
    every embedded one.

    Without a device it is run on every provider that --device auto may take here.
    """
    from colorbatch.api import inspection

    for found in inspection.verify(model, chosen_device(device, gpu_id), tf32=tf32):
        worst, limits = found.worst, found.limits
        click.echo(
            f"{found.path.name} on {found.told}: as PyTorch; largest differences over "
            f"{found.pictures} pictures: |d ab| {worst.max_ab:.2g}, "
            f"deltaE2000 {worst.max_delta_e:.2g} (limits {_limit(limits.max_ab)}, "
            f"{_limit(limits.max_delta_e)})"
        )


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


@cloup.command()
@click.argument("model", required=False)
@option("--json", "as_json", is_flag=True, help="The whole cards as JSON.")
def models(model: str | None, as_json: bool) -> None:
    """List the embedded models, the default first, or MODEL alone, with their cards."""
    from colorbatch.api import inspection

    for found in inspection.models(model):
        if as_json:
            click.echo(found.to_json())
            continue
        card = found.card
        name = f"{card.name}, the default" if found.is_default else card.name
        click.echo(f"{name}: {found.path} ({found.bytes / 1e6:.1f} MB)")
        rows = {
            "recipe": card.recipe,
            "size": f"{found.size[0]} x {found.size[1]}",
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
def doctor(device: str, gpu_id: int | None, tf32: bool) -> None:
    """Say what is installed and really in use here, and time one inference."""
    import platform

    from colorbatch.api import inspection

    click.echo(
        f"colorbatch {__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    here = inspection.installation()
    for name, version in here.libraries.items():
        click.echo(f"  {name} {version}" if version else f"  {name}: not installed as a wheel")
    for name, version in here.runtimes.items():
        click.echo(f"  {name} {version}")
    if len(here.runtimes) > 1:
        both = " and ".join(here.runtimes)
        click.echo(f"  trouble: {both} overwrite each other; uninstall all but one")
    click.echo(inspection.join_told())
    click.echo(f"providers offered: {', '.join(inspection.offered())}")
    for name, found in inspection.hardware().items():
        click.echo(f"{name}: {'yes' if found else 'none found'}")
    names = [name + " (the default)" * default for name, default in here.embedded.items()]
    click.echo(f"embedded models: {', '.join(names) or 'none'}")
    timed = inspection.timed(chosen_device(device, gpu_id), tf32=tf32)
    click.echo(f"in use: {timed.told}")
    click.echo(f"one inference: {timed.seconds * 1000:.0f} ms")
