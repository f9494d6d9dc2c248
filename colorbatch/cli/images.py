"""`colorbatch images`: options to a request, which is run and shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import cloup

from colorbatch.api.choices import FORMAT_SUFFIXES
from colorbatch.cli.options import (
    ANY_PATH,
    again_options,
    before_options,
    common_request,
    kind_options,
    model_options,
    option,
    saturation_of,
    saturation_option,
    sources,
    telling_options,
    which_options,
)
from colorbatch.cli.showing import Shower, set_up_logging
from colorbatch.errors import UsageError

if TYPE_CHECKING:
    from colorbatch.api import PictureRequest


@cloup.command()
@sources
@cloup.option_group(
    "Results",
    option(
        "-o",
        "--output",
        type=ANY_PATH,
        help="Folder for results (the source's tree is mirrored below it), or a file name for one "
        "picture. Without it results stand beside their sources, named *_colorized.",
    ),
    saturation_option,
    *kind_options("pictures", "copy", in_color="keep"),
    option("--suffix", type=str, help="Text added to each result's name."),
    option(
        "--format",
        "new_format",
        type=click.Choice([*FORMAT_SUFFIXES]),
        help="Format of results; otherwise each source's own.",
    ),
    option(
        "--quality",
        type=click.IntRange(1, 100),
        help="JPEG, WebP and AVIF quality; otherwise the source's own tables (JPEG) or 95.",
    ),
    option("--upright", is_flag=True, help="Turn pixels by the orientation tag."),
    option(
        "--no-times", is_flag=True, help="Do not give results their source's modification time."
    ),
)
@which_options(
    option(
        "--max-pixels",
        type=click.FloatRange(0, min_open=True),
        default=1000,
        show_default=True,
        metavar="MEGAPIXELS",
        help="Refuse larger pictures, by their header.",
    ),
)
@model_options(
    option(
        "--batch-size",
        type=click.IntRange(1, 1024),
        help="Pictures per run of the model. Without it 8; on a card, as many as it is fastest "
        "with, up to 64, which is measured.",
    ),
    "read and write",
    option(
        "--executor",
        type=click.Choice(["auto", "threads", "processes"]),
        default="auto",
        hidden=True,  # for benchmarks
        help="What the workers are.",
    ),
)
@again_options("pictures")
@before_options(
    option(
        "--sample",
        type=click.IntRange(1),
        metavar="N",
        help="Do only N pictures, spread over the folders and always the same, then say what time "
        "and space the others will take.",
    ),
)
@telling_options("picture")
def images(**options: Any) -> None:
    """Color stills: files and folders (recursive).

    They may be JPEG, PNG, TIFF, WebP, BMP, JPEG 2000, AVIF and HEIC.

    SOURCE may be a pattern, "scans/**/*.tif": of the folder scans those at any depth.

    Finished pictures are skipped, so the same command again goes on where it stopped; a journal in
    the folder .colorbatch of the output knows them. Sources are never written to.
    """
    from colorbatch.api import color_pictures

    set_up_logging(options["verbose"])
    show = Shower(as_json=options["as_json"], quiet=options["quiet"], verbose=options["verbose"])
    sys.exit(show.all_of(color_pictures(_request(options), watch=show)))


def _request(options: Mapping[str, Any]) -> PictureRequest:
    """The options as a request. Raises UsageError."""
    from colorbatch.api import ImageSettings, PictureRequest

    if not math.isfinite(options["max_pixels"]):
        raise UsageError("--max-pixels is a number of megapixels")
    # what is kept needs no copy where its original lies in the same folder
    choice = {"keep": "skip"} if options["output"] is None else {}
    settings = ImageSettings(
        saturation=saturation_of(options["saturation"]),
        quality=options["quality"],
        on_color=choice.get(options["on_color"], options["on_color"]),
        on_toned=choice.get(options["on_toned"], options["on_toned"]),
        upright=options["upright"],
        times=not options["no_times"],
        max_pixels=round(options["max_pixels"] * 1e6),
        tf32=options["tf32"],
    )
    new_format = options["new_format"]
    return PictureRequest(
        **common_request(options),
        settings=settings,
        suffix=options["suffix"],
        new_suffix=FORMAT_SUFFIXES[new_format] if new_format else None,
        sample=options["sample"],
        executor=options["executor"],
    )
