"""A film whose source is numbered frames: `Reel`, the footage of a sequence.

Flows in: a sequence of names, a rate, what its codes mean, and a file with sound or none. Flows
out: facts as of a film file, and frames in order at ticks of 1 / rate, each at the place of its
number. Frames are turned upright, sample by sample. One of them is held.

In a film that is grey by its facts (`reelfacts`) a frame in color gives its luma (BT.601's weights,
rounded); in an RGB film a grey frame is R, G and B alike. A result of ours among the frames gives
its luma, which is its source's. A frame that cannot be read, or is unlike the first (size, depth,
orientation, transfer), repeats the one before and counts as damaged.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from colorbatch import avio, color, filmbook, frames
from colorbatch.avio import Ending, Film, PixelFormat, Planes
from colorbatch.color import Codes
from colorbatch.errors import ColorbatchError, SourceError, StoppedError
from colorbatch.files import reachable
from colorbatch.records import source_stamp
from colorbatch.reelfacts import Wish, facts_of
from colorbatch.sequences import FrameSequence
from colorbatch.still import upright
from colorbatch.ycbcr import Encoding

UNREADABLE = "cannot be read: the one before is repeated"
UNLIKE = "unlike the first: the one before is repeated"
IN_COLOR = "in color: their luma is taken"
OURS_AMONG = "made by colorbatch: their luma is taken"
"""What frames' notes say, after the number of frames."""


@dataclass(frozen=True)
class Reel:
    """The footage of a sequence; see `footage.Footage`. asked: `--transfer`; traits: what the
    others share with its first frame; marked: whether they are results of ours."""

    film: Film
    codes: Encoding
    sequence: FrameSequence
    asked: frames.Asked
    traits: frames.Traits
    marked: bool
    notes: tuple[str, ...]
    losses: tuple[str, ...]

    def frames(self, start: int | None = None, *, near: bool = False) -> ReelFrames:
        """Its frames from a tick on, or all; see `ReelFrames`."""
        return ReelFrames(self, start)

    def exists(self) -> bool:
        """Whether its first and last frame are there."""
        ends = (self.sequence.first, self.sequence.last)
        return all(reachable(self.sequence.path(number)).is_file() for number in ends)

    def identity(self) -> tuple[int, int, str]:
        """Bytes of all frames, the latest time of change, and a SHA-256 of all names, sizes and
        times and of the samples (`filmbook.sample_of`) of the first, middle and last frame."""
        state, total, latest = hashlib.sha256(), 0, 0
        numbers = self.sequence.numbers
        for number in numbers:
            size, mtime_ns = source_stamp(self.sequence.path(number))
            total, latest = total + size, max(latest, mtime_ns)
            # shares show times more or less finely
            line = f"{self.sequence.name(number)} {size} {mtime_ns // 1000}\n"
            state.update(line.encode("utf-8", "surrogateescape"))
        for number in sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}):
            state.update(filmbook.sample_of(self.sequence.path(number))[2].encode())
        return total, latest, state.hexdigest()

    def sound_identity(self) -> str:
        """SHA-256 of the sound's samples, "" without sound."""
        return filmbook.sample_of(self.film.sound)[2] if self.film.sound else ""

    def sha256(self, stop: Callable[[], bool]) -> str:
        """SHA-256 over the bytes of all frames in order, as of one file."""
        state = hashlib.sha256()
        for path in self.sequence.paths():
            if stop():
                raise StoppedError
            try:
                with reachable(path).open("rb") as file:
                    while data := file.read(1 << 20):
                        state.update(data)
            except OSError as error:
                raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
        return state.hexdigest()

    def name(self, pts: int) -> str:
        """The file name of the frame at a tick."""
        return self.sequence.name(self.sequence.first + pts)

    def frame(self, number: int) -> tuple[Planes | None, str]:
        """The picture of a frame, and what is to be said of it; None where there is none to use.
        Raises SourceError for a frame that is no longer there."""
        path = self.sequence.path(number)
        try:
            frame = frames.read(path, self.asked)
        except ColorbatchError as error:
            if not reachable(path).exists():
                raise SourceError(f"{path}: has gone while it was read") from error
            return None, UNREADABLE
        if frame.unlike(self.traits):
            return None, UNLIKE
        return planes_of(frame, self.film.video.pixels)


class ReelFrames(Iterator[avio.Frame]):
    """The frames of a reel from the tick `start` on, as `avio.Frames`; a context manager. A damaged
    frame repeats the last good one before it, wherever reading begins."""

    def __init__(self, reel: Reel, start: int | None = None) -> None:
        self.ending: Ending | None = None
        numbers, first = reel.sequence.numbers, reel.sequence.first
        begin = bisect.bisect_left(numbers, first + (start or 0))
        self._source = self._read(reel, begin)
        self._given = self._corrupt = 0

    def __enter__(self) -> ReelFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Reading ends."""
        self._source = iter(())

    def __next__(self) -> avio.Frame:
        for frame in self._source:
            self._given += 1
            self._corrupt += frame.corrupt
            return frame
        if self.ending is None:
            self.ending = Ending(self._given, self._corrupt, 0, 0, "")
        raise StopIteration

    @staticmethod
    def _read(reel: Reel, begin: int) -> Iterator[avio.Frame]:
        numbers, first = reel.sequence.numbers, reel.sequence.first
        good: Planes | None = None
        for at in range(begin, len(numbers)):
            planes, note = reel.frame(numbers[at])
            before = at
            while planes is None and good is None and before > 0:
                before -= 1
                good = reel.frame(numbers[before])[0]
            if planes is None and good is None:
                raise SourceError(f"{reel.sequence.path(first)}: cannot be read any more")
            shown = planes or good
            assert shown is not None
            good = shown
            pts = numbers[at] - first
            until = numbers[at + 1] - first if at + 1 < len(numbers) else pts + 1
            bad = planes is None
            yield avio.Frame(pts, until - pts, shown, True, bad, False, repeated=bad, note=note)


# --- one frame ---------------------------------------------------------------------------------


def planes_of(frame: frames.Frame, pixels: PixelFormat) -> tuple[Planes, str]:
    """The picture of a frame for a film of these pixels, upright, and what is to be said of it."""
    found = frames.code_planes(frame)
    assert found is not None
    note = ""
    if (pixels.kind == "gray" or frame.marked) and len(found) == 3:
        green, blue, red = found
        grey = np.rint(color.luma(np.dstack([red, green, blue]))).astype(red.dtype)
        found, note = (grey,), OURS_AMONG if frame.marked else IN_COLOR
    turned = [upright(plane, frame.orientation) for plane in found]
    alpha = alpha_of(frame) if pixels.alpha else None
    alpha = None if alpha is None else upright(alpha, frame.orientation)
    if pixels.kind == "gray":
        return Planes(luma=turned[0], alpha=alpha), note
    green, blue, red = turned if len(turned) == 3 else turned * 3
    return Planes(rgb=(red, green, blue), alpha=alpha), note


def alpha_of(frame: frames.Frame) -> Codes | None:
    """The transparency of a frame (H, W) in its own codes, or None."""
    alpha = frame.scan.alpha if frame.scan else frame.still.alpha if frame.still else None
    codes = frames.encoding_of(frame)
    return alpha if alpha is not None and alpha.dtype == codes.dtype else None


def open_reel(sequence: FrameSequence, wish: Wish) -> Reel:
    """The footage of a sequence. Raises what `reelfacts.facts_of` does."""
    facts = facts_of(sequence, wish)
    made = facts.film, facts.codes, sequence, wish.transfer
    return Reel(*made, facts.traits, facts.marked, facts.notes, facts.losses)
