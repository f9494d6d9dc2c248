"""The proof that a film's luma is the source's: every Y' plane of both, decoded and compared.

Flows in: a plan and a finished film. Flows out: a `Proof`, and two lists of MD5 sums in the form of
`ffmpeg -f framemd5`, so that anyone can make and compare the same without us. One frame of each
film is held.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from colorbatch import avio, files, video
from colorbatch.avio import Film
from colorbatch.color import Codes
from colorbatch.errors import SourceError, UsageError
from colorbatch.video import FilmPlan

SOURCE_LIST, RESULT_LIST = ".source.framemd5", ".framemd5"
"""Added to the result's name."""


@dataclass(frozen=True)
class Proof:
    """How many frames each film has, how many of the pairs have the same Y' (after an exact shift
    by `shift` bits where the result is deeper), and the largest difference in the result's
    codes."""

    source_frames: int
    frames: int
    equal: int
    largest: int
    shift: int = 0

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
                f"{self.largest} codes"
            )
        how = f" after a shift by {self.shift} bits" if self.shift else ""
        return f"luma is equal in all {self.frames:,} frames{how}"


def refuse(plan: FilmPlan) -> None:
    """Raises UsageError, before any work, for a film that has no Y' plane to compare."""
    if plan.codes.matrix == "rgb":
        raise UsageError(f"{plan.film.path}: is RGB: there is no luma plane for --prove-luma")


def prove_luma(
    plan: FilmPlan, target: Path, progress: Callable[[int], None] = lambda frames: None
) -> Proof:
    """Compare every Y' plane of source and result, and write their lists beside the result. Raises
    SourceError, TargetError."""
    result = avio.probe(target)
    shift = plan.made.bits - plan.codes.bits
    source_frames = frames = equal = largest = 0
    with (
        files.replacing(target.with_name(target.name + SOURCE_LIST)) as source_list,
        files.replacing(target.with_name(target.name + RESULT_LIST)) as result_list,
        plan.footage.frames(plan.span[0]) as source_reading,
        avio.frames(result) as result_reading,
    ):
        _head(source_list, plan.film)
        _head(result_list, result)
        wanted = video.within(source_reading, plan.span)
        for before, after in itertools.zip_longest(wanted, result_reading):
            if before is not None:
                source_frames += 1
                _line(source_list, before)
            if after is not None:
                frames += 1
                _line(result_list, after)
            if before is not None and after is not None:
                difference = _difference(_luma(before), _luma(after), shift)
                equal += difference == 0
                largest = max(largest, difference)
            progress(1)
    return Proof(source_frames, frames, equal, largest, max(0, shift))


def _luma(frame: avio.Frame) -> Codes:
    if frame.planes.luma is None:
        raise SourceError("a film without a luma plane")
    return frame.planes.luma


def _difference(before: Codes, after: Codes, shift: int) -> int:
    """The largest difference of two planes, in the codes of the second."""
    wide = before.astype(np.int32)
    wide = wide << shift if shift >= 0 else wide >> -shift
    return int(np.abs(wide - after).max())


def _head(file: IO[bytes], film: Film) -> None:
    height, width = film.video.size
    base = film.video.time_base
    lines = (
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        f"#tb 0: {base.numerator}/{base.denominator}",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        f"#dimensions 0: {width}x{height}",
        "#stream#, dts,        pts, duration,     size, hash",
    )
    file.write("".join(f"{line}\n" for line in lines).encode())


def _line(file: IO[bytes], frame: avio.Frame) -> None:
    """A frame's line: its Y' row by row without padding, 16-bit codes with their low byte first."""
    luma = _luma(frame)
    data = np.ascontiguousarray(luma, luma.dtype.newbyteorder("<")).data
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    pts, size = frame.pts, luma.nbytes
    file.write(f"0, {pts:>10}, {pts:>10}, {frame.duration:>8}, {size:>8}, {digest}\n".encode())
