"""`colorbatch video`: options to a request, which is run and shown."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
import cloup
from click.core import ParameterSource

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
    from colorbatch.api import ClipRequest


@cloup.command()
@sources
@cloup.option_group(
    "Results",
    option(
        "-o",
        "--output",
        type=ANY_PATH,
        help="Folder for results (the source's tree is mirrored below it), or a file name for one "
        "film: .mkv, .mov or .mp4. Without it results stand beside their sources, named "
        "*_colorized; frames in a folder of that name.",
    ),
    saturation_option,
    option(
        "--stability",
        type=click.FloatRange(0, 1),
        default=1.0,
        show_default=True,
        help="How far color is steadied within shots; 0 is each frame by itself.",
    ),
    option("--no-stabilize", is_flag=True, help="The same as --stability 0."),
    *kind_options("films", "of its shots as well: as they are", in_color="skip"),
    option(
        "--region", metavar="WxH+X+Y", help="Color this part only, and show the network no other."
    ),
    option(
        "--shots",
        type=ANY_PATH,
        metavar="FILE",
        help="What is to be done with the shots of one film, or of numbered frames: the list that "
        "a run or a preview writes beside its result (NAME.shots.csv), edited. Of what is finished "
        "only what it changes is made again.",
    ),
    option(
        "--references",
        type=ANY_PATH,
        metavar="DIR",
        help="Stills of one film that were corrected by hand, with the number of their frame in "
        "the name: the shots that they are of get their color.",
    ),
    option(
        "--look",
        type=ANY_PATH,
        metavar="FILE",
        help="Keep several films alike: saves model, saturation, stability, kinds, lists of shots "
        "and references there as they are asked for, and takes from there what is not.",
    ),
    option("--start", metavar="TIME", help="Begin here: seconds or HH:MM:SS.mmm from the begin."),
    option("--end", metavar="TIME", help="End here, without this frame."),
)
@cloup.option_group(
    "Codec and container",
    option("--codec", default="", help="Encoder: ffv1, prores_ks, libx264; else the source's."),
    option("--crf", type=click.FloatRange(0, 63), help="Quality of x264, x265 and the like; 16."),
    option("--preset", default="", help="Speed of x264, x265 and the like; medium."),
    option("--pix-fmt", default="", help="Pixel format of the result, such as yuv422p10le."),
    option(
        "-x",
        "--encoder-option",
        "encoder_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of the encoder; may be repeated.",
    ),
    option(
        "--container",
        type=click.Choice(["mkv", "mov", "mp4"]),
        help="Container of results in a folder; else the source's where it holds the codec. "
        "Numbered frames become a film by it.",
    ),
    option("--drop-unsupported", is_flag=True, help="Leave out what the container cannot hold."),
    option(
        "--allow-depth-loss", is_flag=True, help="Take a codec with fewer bits than the source."
    ),
)
@cloup.option_group(
    "Numbered frames",
    option(
        "--transfer",
        type=click.Choice(["auto", "log", "linear", "bt709", "srgb"]),
        default="auto",
        show_default=True,
        help="What the codes of numbered frames are; otherwise what their header says.",
    ),
    option("--fps", metavar="RATE", help="Rate of numbered frames: 24, 23.976, 24000/1001."),
    option("--allow-gaps", is_flag=True, help="Go on where numbered frames are missing."),
    option(
        "--audio", type=ANY_PATH, metavar="FILE", help="Sound for a film made of numbered frames."
    ),
)
@which_options()
@model_options(
    option(
        "--batch-size",
        type=click.IntRange(1, 1024),
        default=8,
        show_default=True,
        help="Frames per run of the model.",
    ),
    "make chroma",
)
@again_options("films")
@before_options(
    option(
        "--preview",
        type=click.IntRange(1, 1000),
        metavar="N",
        help="Write N spread frames as stills, before and after, and the list of a film's shots, "
        "tell time and space, and stop.",
    ),
    option("--prove-luma", is_flag=True, help="Compare every Y' plane of source and result."),
)
@telling_options("film")
def video(**options: Any) -> None:
    """Color films: files, numbered frames, and folders of both (recursive).

    SOURCE may be the pattern of frames, 'reel_%06d.dpx' or 'reel_######.dpx'. Frames become frames,
    or one film with -o NAME.mov or --container.

    The luma planes go to the encoder as they are; sound, subtitles and all else are copied. The
    same command again goes on where it stopped, also after a kill. Sources are never written to.
    """
    from colorbatch.api import color_clips

    set_up_logging(options["verbose"])
    show = Shower(
        as_json=options["as_json"],
        quiet=options["quiet"],
        verbose=options["verbose"],
        films=True,
    )
    sys.exit(show.all_of(color_clips(_request(options), watch=show)))


def _request(options: Mapping[str, Any]) -> ClipRequest:
    """The options as a request. Raises UsageError."""
    from colorbatch.api import ClipRequest, FilmSettings, Region, parse_rate

    region, fps = options["region"], options["fps"]
    settings = FilmSettings(
        saturation=saturation_of(options["saturation"]),
        codec=options["codec"],
        pix_fmt=options["pix_fmt"],
        options=tuple(_encoder_options(options)),
        drop_unsupported=options["drop_unsupported"],
        allow_depth_loss=options["allow_depth_loss"],
        on_color=options["on_color"],
        on_toned=options["on_toned"],
        region=Region.parse(region) if region else None,
        start=_time("--start", options["start"]),
        end=_time("--end", options["end"]),
        transfer=options["transfer"],
        tf32=options["tf32"],
        fps=parse_rate(fps) if fps is not None else None,
        stability=_stability(options),
    )
    same = ("container", "allow_gaps", "audio", "preview", "shots", "references", "look")
    return ClipRequest(
        **common_request(options),
        settings=settings,
        **{name: options[name] for name in same},
        prove_luma=options["prove_luma"],
        named=_named(),
        encoder_asked=_encoder_asked(),
    )


def _stability(options: Mapping[str, Any]) -> float:
    """Raises UsageError for a number that is none."""
    if not math.isfinite(options["stability"]):
        raise UsageError("--stability is a number from 0 to 1")
    return 0.0 if options["no_stabilize"] else float(options["stability"])


def _named() -> frozenset[str]:
    """What of a look stands on the command line."""
    source = click.get_current_context().get_parameter_source
    names = {name: name for name in ("model", "saturation", "stability", "on_color", "on_toned")}
    names["no_stabilize"] = "stability"
    typed = (each for name, each in names.items() if source(name) is ParameterSource.COMMANDLINE)
    return frozenset(typed)


def _encoder_asked() -> str:
    """An encoder's option that stands on the command line, "" for none: in the environment they are
    for the films that there may be."""
    context = click.get_current_context()
    for name in ("codec", "crf", "preset", "pix_fmt", "encoder_options"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return "-x" if name == "encoder_options" else f"--{name.replace('_', '-')}"
    return ""


def _encoder_options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("crf", f"{options['crf']:g}")] if options["crf"] is not None else []
    found += [("preset", options["preset"])] if options["preset"] else []
    for text in options["encoder_options"]:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"-x {text}: KEY=VALUE is wanted")
        found.append((key, value))
    return found


def _time(name: str, text: str | None) -> Fraction | None:
    """Seconds of "90", "1:30" or "00:01:30.5". Raises UsageError."""
    if text is None:
        return None
    # as many digits as any film needs: ticks of it are numbers of 64 bits
    found = re.fullmatch(r"(?:(?:(\d{1,5}):)?(\d{1,7}):)?(\d{1,9}(?:\.\d{1,12})?)", text, re.ASCII)
    if found is None:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise UsageError(f"{name} {shown}: seconds or HH:MM:SS.mmm are wanted")
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
