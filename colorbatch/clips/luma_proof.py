"""The proof that a film's luma is the source's: every Y' plane of both, decoded and compared.

Flows in: a plan and a finished film. Flows out: a `Proof`, and two lists of MD5 sums in the form of
`ffmpeg -f framemd5`, so that anyone can make and compare the same without us. RGB has no Y' plane:
there it is computed, of the source by the matrix of the result. One frame of each film is held.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from colorbatch import ffmpeg
from colorbatch.clips import film_frames, film_plan
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.color import Codes
from colorbatch.color.chroma import coded_luma_of_rgb
from colorbatch.errors import SourceError, StoppedError, TargetError
from colorbatch.ffmpeg import Film, Planes
from colorbatch.fs import atomic

SOURCE_LIST, RESULT_LIST = ".source.framemd5", ".framemd5"
"""Added to the result's name."""
LIST_LINE = b"#software: colorbatch"
"""A line at the head of our lists; ffmpeg's have its own name there."""
ROUNDING = 0.3
"""Codes by which the luma of an RGB result may differ, because R, G and B are whole codes: half of
G's weight, 0.294 (`chroma.rgb_planes`), and float32's share at 16 bits."""


@dataclass(frozen=True)
class Proof:
    """How many frames each film has, how many of the pairs have the same Y' (after an exact shift
    by `shift` bits where the result is deeper, rounded where it is less deep), and the largest
    difference in the result's codes. tolerance: codes by which RGB results may differ; computed:
    whether the source is RGB, whose Y' is computed."""

    source_frames: int
    frames: int
    equal: int
    largest: float
    shift: int = 0
    tolerance: float = 0.0
    computed: bool = False

    @property
    def holds(self) -> bool:
        """Whether all of them are equal."""
        return self.source_frames == self.frames == self.equal > 0

    @property
    def text(self) -> str:
        """In words."""
        if self.source_frames != self.frames:
            return f"luma differs: {self.source_frames:,} frames became {self.frames:,}"
        if not self.holds:
            differing = self.frames - self.equal
            return (
                f"luma differs in {differing:,} of {self.frames:,} frames, by up to "
                f"{self.largest:.4g} codes"
            )
        how = f" after a shift by {self.shift} bits" if self.shift > 0 else ""
        how += f" after rounding to {-self.shift} bits less" if self.shift < 0 else ""
        of_rgb = " that R, G and B have" if self.computed else ""
        within = f", within {self.tolerance:g} code" if self.tolerance else ""
        return f"luma{of_rgb} is equal in all {self.frames:,} frames{how}{within}"


def check_lists(target: Path) -> None:
    """See that the lists of a film can be written, before any work. Raises TargetError for names
    that are too long, and for files of these names that are not lists of ours."""
    for ending in (SOURCE_LIST, RESULT_LIST):
        path = target.with_name(target.name + ending)
        atomic.check_target(path)
        if not os.path.lexists(atomic.reachable(path)):
            continue
        try:
            with atomic.reachable(path).open("rb") as file:
                ours = LIST_LINE in file.read(200).splitlines()
        except OSError:
            ours = False
        if not ours:
            raise TargetError(f"{path}: is there already, and is no list of ours", "move it away")


def prove_luma(
    plan: FilmPlan,
    target: Path,
    stop: Callable[[], bool] = lambda: False,
    more: Callable[[int], None] = lambda frames: None,
) -> Proof:
    """Compare every Y' plane of source and result, and write their lists beside the result. more:
    told how many frames are compared more. Raises SourceError, TargetError, and StoppedError,
    without lists, where `stop` says so."""
    check_lists(target)
    result = ffmpeg.probe(target)
    rgb = plan.made.matrix == "rgb"
    source_frames = frames = equal = 0
    largest, tolerance = 0.0, ROUNDING if rgb else 0.0
    with (
        atomic.replacing(target.with_name(target.name + SOURCE_LIST)) as source_list,
        atomic.replacing(target.with_name(target.name + RESULT_LIST)) as result_list,
        plan.footage.frames(plan.span[0]) as source_reading,
        ffmpeg.frames(result) as result_reading,
    ):
        _head(source_list, plan.film)
        _head(result_list, result)
        wanted = film_plan.within(source_reading, plan.span, plan.step)
        for before, after in itertools.zip_longest(wanted, result_reading):
            if stop():
                raise StoppedError
            more(1)
            if before is not None:
                source_frames += 1
                _line(source_list, before, _source_luma(before.planes, plan))
            if after is not None:
                frames += 1
                _line(result_list, after, _result_luma(after.planes, plan))
            if before is not None and after is not None:
                difference = _difference(before.planes, after.planes, plan)
                equal += difference <= tolerance
                largest = max(largest, difference)
    return Proof(
        source_frames,
        frames,
        equal,
        largest,
        plan.made.bits - plan.codes.bits,
        tolerance,
        plan.codes.matrix == "rgb",
    )


def _source_luma(planes: Planes, plan: FilmPlan) -> Codes:
    """The Y' that is listed of the source: as it was decoded; of RGB in the result's codes."""
    return planes.luma if planes.luma is not None else film_frames.kept_luma(planes, plan)


def _result_luma(planes: Planes, plan: FilmPlan) -> Codes:
    """The Y' that is listed of the result. Raises SourceError for one of another kind."""
    if (planes.rgb is not None) != (plan.made.matrix == "rgb"):
        raise SourceError("the result is not of the planned pixel format")
    if planes.rgb is None:
        assert planes.luma is not None
        return planes.luma
    red, green, blue = planes.rgb
    return coded_luma_of_rgb(green, blue, red, plan.made)


def _difference(before: Planes, after: Planes, plan: FilmPlan) -> float:
    """The largest difference in luma of two pictures, in the codes of the result."""
    if plan.made.matrix != "rgb":
        wide = film_frames.kept_luma(before, plan).astype(np.int32)
        return float(np.abs(wide - _result_luma(after, plan)).max())
    if before.rgb is None or after.rgb is None:
        raise SourceError("the result is not of the planned pixel format")
    apart = [
        weight * (new.astype(np.float64) - film_frames.fitted(old, plan))
        for weight, old, new in zip(plan.made.weights, before.rgb, after.rgb, strict=True)
    ]
    return float(np.abs(sum(apart)).max())


def _head(file: IO[bytes], film: Film) -> None:
    height, width = film.video.size
    base = film.video.time_base
    lines = (
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        LIST_LINE.decode(),
        f"#tb 0: {base.numerator}/{base.denominator}",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        f"#dimensions 0: {width}x{height}",
        "#stream#, dts,        pts, duration,     size, hash",
    )
    file.write("".join(f"{line}\n" for line in lines).encode())


def _line(file: IO[bytes], frame: ffmpeg.Frame, luma: Codes) -> None:
    """A frame's line: its Y' row by row without padding, 16-bit codes with their low byte first."""
    data = np.ascontiguousarray(luma, luma.dtype.newbyteorder("<")).data
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    pts, size = frame.pts, luma.nbytes
    file.write(f"0, {pts:>10}, {pts:>10}, {frame.duration:>8}, {size:>8}, {digest}\n".encode())
