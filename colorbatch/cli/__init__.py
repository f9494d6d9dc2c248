"""The command line: options to a frozen request, one call of `colorbatch.api`, text, exit code.

One file per command or group of commands. Only this package and `colorbatch.boundary` know click.
numpy, OpenCV and onnxruntime are imported inside the commands, so that `--help` is immediate.
"""

from __future__ import annotations

import click
import cloup

from colorbatch.boundary import run
from colorbatch.cli.images import images
from colorbatch.cli.inspect import doctor, models, verify
from colorbatch.cli.video import video
from colorbatch.version import __version__


@cloup.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="colorbatch")
def cli() -> None:
    """Give black-and-white photographs and films their color back, in bulk, on your own machine."""


for command in (images, video, verify, models, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line; errors become a line and an exit code."""
    run(cli)
