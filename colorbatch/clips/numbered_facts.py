"""What numbered frames are as a film: its facts, by the first frame and some more.

Flows in: a sequence of names and what was asked for. Flows out: an `ffmpeg.Film`, what its codes
mean, and words for the plan. Nothing is guessed: a rate or a meaning of codes that nothing tells is
an error. A film is grey if frames spread over it are: R, G and B equal, or a single channel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorbatch import ffmpeg
from colorbatch.clips import frame_rates, numbered_frame
from colorbatch.clips.numbered_plan import is_made_here
from colorbatch.clips.sampling import JUDGED_FRAMES
from colorbatch.clips.timecodes import fits
from colorbatch.color.ycbcr import Encoding, guessed_matrix
from colorbatch.errors import ColorbatchError, SourceError, UsageError
from colorbatch.ffmpeg import Film, PixelFormat
from colorbatch.formats.registry import FORMATS
from colorbatch.formats.still import Still
from colorbatch.inputs import numbered_files
from colorbatch.inputs.numbered_files import FrameSequence
from colorbatch.job import AskedTransfer

SOUND_OFF = Fraction(3, 2)
"""Sound and pictures may differ in length by so many frames before it is told."""
TRANSFER_TAGS = {"log": 2, "linear": 8, "bt709": 1, "srgb": 13}
"""What a film is tagged with (ITU-T H.273, table 3). Printing density has no code point: 2 is
unspecified."""
BT709 = 1
"""H.273's code point of the primaries that color is made with."""


@dataclass(frozen=True)
class Wish:
    """What was asked for: `--transfer`, `--fps`, `--allow-gaps`, `--audio`, and `--end` in seconds,
    behind which no sound is missed."""

    transfer: AskedTransfer = "auto"
    fps: Fraction | None = None
    allow_gaps: bool = False
    sound: Path | None = None
    end: Fraction | None = None


@dataclass(frozen=True)
class Facts:
    """What a sequence is as a film. traits: of its first frame that can be read, which the others
    have to share; marked: whether they are results of ours; notes, losses: in words, see
    `source.Footage`."""

    film: Film
    codes: Encoding
    traits: numbered_frame.Traits
    marked: bool
    notes: tuple[str, ...]
    losses: tuple[str, ...]


def facts_of(sequence: FrameSequence, wish: Wish) -> Facts:
    """What a sequence is as a film.

    Raises UsageError for gaps that are not allowed, a rate or a meaning of codes that nothing
    tells, floating-point frames, and sound that cannot be read or is none; SourceError where no
    frame can be read.
    """
    pattern = sequence.folder / sequence.pattern
    gaps = numbered_files.check_gaps(sequence, allowed=wish.allow_gaps)
    sound = _sound(wish.sound)
    first = numbered_frame.first_of(sequence.paths(), wish.transfer)
    if first.scan.header.is_float if first.scan else _still(first).is_float:
        raise UsageError(
            f"{pattern}: its samples are floating point, which films here do not hold",
            "-o FOLDER keeps them, in frames; a film needs frames of 16 bits made of them",
        )
    told = frame_rates.nominal_rate(first.scan.header.rate) if first.scan else None
    rate = frame_rates.film_rate(wish.fps, told, str(pattern))
    rgb = _has_color(sequence, wish.transfer, first)
    size = first.traits.upright
    codes = numbered_frame.encoding_of(first)
    if not rgb:
        codes = replace(codes, matrix=guessed_matrix(size))
    timecode = first.scan.header.timecode if first.scan else ""
    right = fits(timecode, rate)
    begins = first.path == sequence.path(sequence.first)
    facts = ffmpeg.Reeled(
        codec=FORMATS.get(first.path.suffix.lower(), first.path.suffix[1:]).lower(),
        size=size,
        pixels=_pixels(first, codes.bits, rgb),
        rate=rate,
        count=sequence.last - sequence.first + 1,
        there=len(sequence.numbers),
        color=ffmpeg.Color(
            range=2 if codes.levels == "full" else 1,
            primaries=BT709,
            transfer=TRANSFER_TAGS[first.shown.asked],
            matrix=0 if rgb else 2,
        ),
        sample_aspect=_aspect(first),
        timecode=timecode if right and begins else "",
    )
    film = ffmpeg.of_frames(pattern, facts, sound)
    notes, losses = _remarks(first, rgb), [gaps.removeprefix(f"{pattern}: ")] if gaps else []
    if unequal := _unequal(film, sound, wish.end):
        losses.append(unequal)
    if not right:
        losses.append(f"its time code {timecode} does not fit its rate and is left out")
    elif timecode and not begins:
        losses.append("its time code is left out, as the first frame cannot be read")
    if not first.scan and _still(first).icc and first.shown.asked == "srgb":
        losses.append("its color profile is left out, codes are taken as sRGB")
    ours = _is_ours(sequence, wish.transfer, first)
    return Facts(film, codes, first.traits, ours, tuple(notes), tuple(losses))


def _sound(path: Path | None) -> ffmpeg.Sound | None:
    """Raises UsageError for a file that is not there, cannot be read or has no sound."""
    if path is None:
        return None
    try:
        return ffmpeg.sound_of(path)
    except SourceError as error:
        raise UsageError(f"--audio {error}") from error


def _others(
    sequence: FrameSequence, asked: AskedTransfer, first: numbered_frame.NumberedFrame
) -> Iterator[numbered_frame.NumberedFrame]:
    """Some frames like the first, spread over the sequence."""
    for number in numbered_files.spread(sequence.numbers, JUDGED_FRAMES):
        try:
            frame = numbered_frame.read(sequence.path(number), asked)
        except ColorbatchError:
            continue  # it is met again, and counted, when the film is made
        if not frame.unlike(first.traits):
            yield frame


def _has_color(
    sequence: FrameSequence, asked: AskedTransfer, first: numbered_frame.NumberedFrame
) -> bool:
    """Whether the first frame, or any of some spread over the sequence, is not grey; results of
    ours that got among them say nothing."""
    seen = itertools.chain([first], _others(sequence, asked, first))
    return any(_in_color(frame) for frame in seen if not frame.marked)


def _is_ours(
    sequence: FrameSequence, asked: AskedTransfer, first: numbered_frame.NumberedFrame
) -> bool:
    """Whether all frames are results of ours, as far as some of them tell; those that kept their
    own color bear no mark."""
    if is_made_here(sequence):
        return any(frame.marked for frame in (first, *_others(sequence, asked, first)))
    return first.marked and all(frame.marked for frame in _others(sequence, asked, first))


def _in_color(frame: numbered_frame.NumberedFrame) -> bool:
    return len(numbered_frame.code_planes(frame) or ()) == 3


def _pixels(first: numbered_frame.NumberedFrame, bits: int, rgb: bool) -> PixelFormat:
    """A pixel format as libav would name it."""
    alpha = (first.scan.alpha if first.scan else _still(first).alpha) is not None
    name = ("gbra" if alpha else "gbr") + "p" if rgb else "ya" if alpha else "gray"
    name += "" if bits == 8 and not name.startswith("ya") else f"{bits}"
    name += "le" if bits > 8 else ""
    return PixelFormat(name, "rgb" if rgb else "gray", bits, (1, 1), alpha)


def _aspect(first: numbered_frame.NumberedFrame) -> Fraction | None:
    """Width to height of a sample, as shown; None for square ones and for what nothing tells."""
    aspect = first.scan.header.aspect if first.scan else 1.0
    if not np.isfinite(aspect) or not 0.1 <= aspect <= 10:
        return None
    exact = Fraction(aspect).limit_denominator(1000)
    if exact == 1:
        return None
    return exact if first.orientation < 5 else 1 / exact


def _remarks(first: numbered_frame.NumberedFrame, rgb: bool) -> list[str]:
    """What the plan says of the frames."""
    found = []
    if first.scan:
        found.append(f"codes are {first.shown.why}")
    if first.shown.asked in ("log", "linear"):
        word = "logarithmic" if first.shown.asked == "log" else "linear"
        found.append(f"the film stays {word}, as its frames are")
    three = first.scan.header.channels == 3 if first.scan else _still(first).rgb is not None
    if not rgb and three:
        found.append("R, G and B are equal and become Y'")
    if first.orientation != 1:
        found.append("turned upright")
    return found


def _unequal(film: Film, sound: ffmpeg.Sound | None, end: Fraction | None) -> str:
    """In words, sound and pictures that are not equally long, up to the end of what is made."""
    if sound is None or sound.duration is None or film.video.duration is None:
        return ""
    heard, seen = sound.duration, film.video.duration
    if end is not None:
        heard, seen = min(heard, end), min(seen, end)
    more = heard - seen
    if abs(more) <= SOUND_OFF * film.video.time_base:
        return ""
    which = "longer" if more > 0 else "shorter"
    return f"the sound is {float(abs(more)):.2f} s {which} than the pictures"


def _still(frame: numbered_frame.NumberedFrame) -> Still:
    assert frame.still is not None
    return frame.still
