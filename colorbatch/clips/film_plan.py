"""What a film becomes: settings and footage to a plan. Nothing is written, and no pixel is changed.

`film_frames` takes frames and pictures through a plan.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from colorbatch import ffmpeg
from colorbatch.clips import shots
from colorbatch.clips.film_source import FilmFile
from colorbatch.clips.shot_list import LONGEST, SHORTEST, STRIDE
from colorbatch.clips.source import Footage
from colorbatch.color.ycbcr import Encoding, Matrix, Region
from colorbatch.errors import UsageError
from colorbatch.ffmpeg import Film, Frame, Refusal
from colorbatch.job import FilmSettings
from colorbatch.journal.settings_digest import settings_digest

SHOT_SAMPLES = 4
"""Averaging 16 takes grain to a quarter; averaging all samples takes 24 times as long at 1080p."""
MATRIX_CODES = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}
"""H.273's code point for the matrix of a film that had no chroma before."""
MATRIX_OF_RGB: Matrix = "bt709"
"""The matrix of an RGB film whose result has none of RGB's formats."""


@dataclass(frozen=True)
class FilmPlan:
    """What a film becomes. codes, made: what the source's and the result's samples mean; region:
    shrunk to whole chroma samples; span: the first tick and the one behind the last, None for all;
    refusals: what the container cannot hold."""

    footage: Footage
    encoding: ffmpeg.EncoderSettings
    container: str
    fit: ffmpeg.Fit
    codes: Encoding
    made: Encoding
    region: Region | None
    span: tuple[int | None, int | None]
    refusals: tuple[Refusal, ...]

    @property
    def film(self) -> Film:
        """The source's facts."""
        return self.footage.film

    @property
    def drop(self) -> frozenset[int]:
        """The source's streams that are left out."""
        return frozenset(each.index for each in self.refusals if each.index is not None)

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What the pictures carry beside their samples and the result will not, in words."""
        return ffmpeg.not_kept(self.film, self.encoding, self.container)

    def made_as(self, fields: str) -> Encoding:
        """What the samples of a result's picture mean, by its own fields (`Frame.fields`): those of
        the film where its encoder codes all alike, or where a region is laid out for these."""
        if self.encoding.alike or self.region:
            return self.made
        return replace(self.made, interlaced=bool(fields))

    @property
    def count(self) -> int | None:
        """How many frames the result has, about; None if nothing tells."""
        video = self.film.video
        if video.frames is None or not video.duration or self.span == (None, None):
            return video.frames
        first, last = self.span
        begin = 0 if first is None else first - video.start
        seconds = (last - video.start) * video.time_base if last is not None else video.duration
        share = (min(seconds, video.duration) - begin * video.time_base) / video.duration
        return max(0, round(video.frames * share))

    @property
    def step(self) -> int:
        """Ticks of one frame at the film's constant rate, rounded up; 1 where it has none."""
        rate = self.encoding.rate
        return math.ceil(1 / (rate * self.film.video.time_base)) if rate else 1

    @property
    def seen(self) -> str:
        """A digest of all but the source that the list of its shots depends on."""
        video = self.film.video
        what = (self.span, self.region, self.codes, video.start, video.time_base)
        how = (SHORTEST, LONGEST, STRIDE, SHOT_SAMPLES, shots.SEEN, shots.FLASH, shots.RULE)
        return hashlib.sha256(repr((what, how)).encode()).hexdigest()[:16]

    def digest(self, settings: FilmSettings) -> str:
        """Of everything but source and model that decides the result's bytes. Raises SourceError
        for sound of another file that cannot be read."""
        beside: dict[str, object] = {
            "encoding": dataclasses.asdict(self.encoding),
            "container": self.container,
            "drop": sorted(self.drop),
            "segments": (SHORTEST, LONGEST),
            "cuts": (SHOT_SAMPLES, shots.SEEN, shots.FLASH, dataclasses.asdict(shots.RULE)),
        }
        if sound := self.footage.sound_identity():
            beside["sound"] = sound
        return settings_digest(settings, ("film",), beside=beside, in_order=True)


def plan_film(source: Film | Footage, settings: FilmSettings, container: str = "") -> FilmPlan:
    """Codec, container and pixel format of the result, and what it cannot hold.

    Raises UsageError for an encoder that is unknown or does not fit, for lost depth and for a part
    of the film that there is not; SourceError for a matrix that cannot be colored.
    """
    footage = FilmFile(source) if isinstance(source, Film) else source
    film = footage.film
    found = ffmpeg.plan(
        film,
        codec=settings.codec,
        container=container,
        pix_fmt=settings.pix_fmt,
        options=settings.options,
        allow_loss=settings.allow_depth_loss,
    )
    if found.fit.bits_lost and not settings.allow_depth_loss:
        raise UsageError(
            f"{film.path}: its {film.video.pixels.depth} bits do not fit into "
            f"{found.encoding.codec}'s {found.fit.pixels.depth}",
            "see --codec, --pix-fmt and --allow-depth-loss",
        )
    codes = footage.codes
    pixels = found.fit.pixels
    made = replace(
        codes,
        bits=pixels.depth,
        subsampling=None if pixels.kind == "rgb" else pixels.subsampling,
    )
    encoding = found.encoding
    if film.video.pixels.kind == "rgb" and pixels.kind == "yuv":
        made = replace(made, matrix=MATRIX_OF_RGB)
    if made.matrix != "rgb":
        made = replace(made, matrix=ffmpeg.codec_of(encoding.codec).matrix or made.matrix)
    if film.video.pixels.kind == "gray" or made.matrix != codes.matrix:
        encoding, made = _tagged(encoding, made)
    ffmpeg.check(encoding, film.path)
    region = settings.region.within(film.video.size, made) if settings.region else None
    refusals = ffmpeg.refused(film, found.container, encoding.codec)
    span = _span(film, settings)
    _refuse_empty(footage, span)
    return FilmPlan(
        footage,
        encoding,
        found.container,
        found.fit,
        codes,
        made,
        region,
        span,
        refusals,
    )


def _tagged(
    encoding: ffmpeg.EncoderSettings, made: Encoding
) -> tuple[ffmpeg.EncoderSettings, Encoding]:
    """Tags for the chroma of a film that had none, or another: players guess others."""
    color = replace(
        encoding.color,
        range=2 if made.levels == "full" else 1,
        matrix=MATRIX_CODES[made.matrix],
    )
    located = encoding.chroma_location or made.siting
    return replace(encoding, color=color), replace(made, siting=located)  # type: ignore[arg-type]


def refuse_no_part(settings: FilmSettings) -> None:
    """Raises UsageError for times between which there is nothing, whatever the film."""
    if settings.end is not None and settings.end <= (settings.start or 0):
        begin = "the begin" if settings.start is None else "--start"
        raise UsageError(f"--end is not after {begin}")


def _refuse_empty(footage: Footage, span: tuple[int | None, int | None]) -> None:
    """Raises UsageError for a part that has no frame."""
    if span == (None, None):
        return
    with footage.frames(span[0]) as reading:
        if next(within(reading, span), None) is None:
            raise UsageError(f"{footage.film.path}: has no frames in this part")


def _span(film: Film, settings: FilmSettings) -> tuple[int | None, int | None]:
    """The ticks of --start and --end. Raises UsageError for a part that is empty."""
    video = film.video
    refuse_no_part(settings)
    if settings.start is not None and video.duration and settings.start >= video.duration:
        raise UsageError(f"{film.path}: ends before --start, after {float(video.duration):.3f} s")

    def tick(seconds: Fraction | None) -> int | None:  # the first that is not before
        return None if seconds is None else video.start - int(-seconds // video.time_base)

    return tick(settings.start), tick(settings.end)


def within(
    frames: Iterable[Frame], span: tuple[int | None, int | None], least: int = 1
) -> Iterator[Frame]:
    """The frames of a part of the film; reading ends where it does. least: ticks that the last one
    keeps where it would be shown beyond the end (`FilmPlan.step`)."""
    first, end = span
    for frame in frames:
        if end is not None and frame.pts >= end:
            return
        if first is None or frame.pts >= first:
            if end is not None and frame.pts + frame.duration > max(end, frame.pts + least):
                frame = replace(frame, duration=max(end - frame.pts, least))
            yield frame
