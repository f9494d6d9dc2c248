"""A film whose source is numbered frames: `Reel`, the footage of a sequence.

Flows in: a sequence of names, a rate, what its codes mean, and a file with sound or none. Flows
out: facts as of a film file, and frames in order at ticks of 1 / rate, each at the place of its
number. Frames are turned upright, sample by sample. Some are read ahead, on threads of their own,
within AHEAD_BYTES.

In a film that is grey by its facts (`numbered_facts`) a frame in color gives its luma (BT.601's
weights, rounded); in an RGB film a grey frame is R, G and B alike. A result of ours among the
frames gives its luma, which is its source's. A frame that cannot be read, or is unlike the first
that can (size, depth, orientation, transfer), repeats the one before and counts as damaged; where
all before it are bad as well, it shows the first good one.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from colorbatch import color, ffmpeg
from colorbatch.clips import film_journal, numbered_frame
from colorbatch.clips.numbered_facts import Wish, facts_of
from colorbatch.color import Codes
from colorbatch.color.ycbcr import Encoding
from colorbatch.errors import ColorbatchError, SourceError, StoppedError
from colorbatch.ffmpeg import Ending, Film, PixelFormat, Planes
from colorbatch.formats.still import upright
from colorbatch.fs import atomic
from colorbatch.fs.atomic import reachable
from colorbatch.inputs.numbered_files import FrameSequence
from colorbatch.job import AskedTransfer
from colorbatch.journal.records import source_stamp

BEFORE, BEHIND = "the one before is repeated", "the first good one is shown"
UNREADABLE = f"cannot be read: {BEFORE}"
REFUSED = f"not given by the disk: {BEFORE}; the source's hash is without"
UNLIKE = f"unlike the first: {BEFORE}"
IN_COLOR = "in color: their luma is taken"
OURS_AMONG = "made by colorbatch: their luma is taken"
"""What frames' notes say, after the number of frames; at the begin BEHIND instead of BEFORE."""
AHEAD_BYTES = 256 << 20
"""Samples of the frames that are read before they are asked for: one for each core, or fewer."""
NO_BYTES = b"colorbatch: no bytes"
"""What counts as the bytes of a frame that is there and that the system does not give (a bad
sector, no permission)."""
GONE = (errno.ENOENT, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT)
"""What a share or a disk says that is not there any more."""
PASSING = (0.2, 0.5, 1.0)
"""Seconds to wait before such a frame is asked for again."""


@dataclass(frozen=True)
class Reel:
    """The footage of a sequence; see `source.Footage`. asked: `--transfer`; traits: what the
    others share with its first frame; marked: whether they are results of ours."""

    film: Film
    codes: Encoding
    sequence: FrameSequence
    asked: AskedTransfer
    traits: numbered_frame.Traits
    marked: bool
    notes: tuple[str, ...]
    losses: tuple[str, ...]

    def frames(self, start: int | None = None, *, near: bool = False) -> ReelFrames:
        """Its frames from a tick on, or all; see `ReelFrames`."""
        return ReelFrames(self, start)

    def glances(self, start: int | None = None, *, dense: bool = False) -> ffmpeg.Glances:
        """Its frames from a tick on, each read only if it is asked for."""
        numbers, first = self.sequence.numbers, self.sequence.first
        begin = max(0, bisect.bisect_right(numbers, first + (start or 0)) - 1)

        def glance(number: int) -> ffmpeg.Glance:
            pts = max(start or 0, number - first)
            return ffmpeg.Glance(pts, lambda: self.frame(number)[0])

        return ffmpeg.Glances(map(glance, numbers[begin:]), sparse=not dense)

    def exists(self) -> bool:
        """Whether its first and last frame are there."""
        ends = (self.sequence.first, self.sequence.last)
        return all(reachable(self.sequence.path(number)).is_file() for number in ends)

    def identity(self) -> tuple[int, int, str]:
        """Bytes of all frames, the latest time of change, and a SHA-256 of all names, sizes and
        times and of the samples (`film_journal.sample_of`) of the first, middle and last frame."""
        state, total, latest = hashlib.sha256(), 0, 0
        numbers = self.sequence.numbers
        for number in numbers:
            size, mtime_ns = source_stamp(self.sequence.path(number))
            total, latest = total + size, max(latest, mtime_ns)
            # shares show times more or less finely
            line = f"{self.sequence.name(number)} {size} {mtime_ns // 1000}\n"
            state.update(line.encode("utf-8", "surrogateescape"))
        for number in sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}):
            state.update(_sample_of(self.sequence.path(number)))
        return total, latest, state.hexdigest()

    def sound_identity(self) -> str:
        """SHA-256 of the sound's samples, "" without sound."""
        return film_journal.sample_of(self.film.sound)[2] if self.film.sound else ""

    def sha256(
        self, stop: Callable[[], bool], more: Callable[[int], None] = lambda size: None
    ) -> str:
        """SHA-256 over the bytes of all frames in order, as of one file; `NO_BYTES` stand for a
        frame that cannot be opened or read to its end."""
        state = hashlib.sha256()
        for path in self.sequence.paths():
            if stop():
                raise StoppedError
            before = state.copy()
            try:
                with reachable(path).open("rb") as file:
                    while data := file.read(1 << 20):
                        state.update(data)
                        more(len(data))
            except OSError as error:
                _refuse_if_gone(path, error)
                state = before
                state.update(NO_BYTES)
        return state.hexdigest()

    def name(self, pts: int) -> str:
        """The file name of the frame at a tick."""
        return self.sequence.name(self.sequence.first + pts)

    def frame(self, number: int) -> tuple[Planes | None, str]:
        """The picture of a frame, and what is to be said of it; None where there is none to use.
        Raises SourceError for a frame that is no longer there."""
        frame = _read(self.sequence.path(number), self.asked)
        if isinstance(frame, str):
            return None, frame
        if frame.unlike(self.traits):
            return None, UNLIKE
        return planes_of(frame, self.film.video.pixels)


def _read(path: Path, asked: AskedTransfer) -> numbered_frame.NumberedFrame | str:
    """A frame, or why there is none. What may have been a moment of a bad line is read again:
    a repeated picture stays in the film."""
    with contextlib.suppress(ColorbatchError, OSError):
        return numbered_frame.read(path, asked)
    try:
        atomic.patiently(lambda: atomic.sha256(path), held=_may_pass, waits=PASSING)
        return numbered_frame.read(path, asked)
    except OSError as error:
        _refuse_if_gone(path, error)
        return REFUSED
    except ColorbatchError:
        return UNREADABLE


def _may_pass(error: OSError) -> bool:
    return atomic.is_held(error) or error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)


def _refuse_if_gone(path: Path, error: OSError) -> None:
    """Raises SourceError where not this frame is bad: it has gone, or what it is on."""
    if error.errno in GONE or not reachable(path).exists():
        raise SourceError(f"{path}: has gone while it was read") from error


def _sample_of(path: Path) -> bytes:
    """SHA-256 of a frame's samples (`film_journal.sample_of`), or `NO_BYTES`. Raises SourceError
    for one that has gone."""
    try:
        return film_journal.sample_of(path)[2].encode()
    except SourceError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        _refuse_if_gone(path, error.__cause__)
        return NO_BYTES


class ReelFrames(ffmpeg.Reading):
    """The frames of a reel from the tick `start` on, as `ffmpeg.Frames`. Where
    `start` is in a gap, the frame before it is the first, for what is left of the gap. A damaged
    frame repeats the last good one before it, wherever reading begins."""

    def __init__(self, reel: Reel, start: int | None = None) -> None:
        numbers, first = reel.sequence.numbers, reel.sequence.first
        start = max(0, start or 0)
        begin = bisect.bisect_right(numbers, first + start) - 1
        behind = first + start > numbers[-1]
        self._source = iter(()) if behind else self._read(reel, begin, start)
        self._given = self._corrupt = 0

    def close(self) -> None:
        """Reading ends."""
        self._closed = True
        self._source = iter(())

    def __next__(self) -> ffmpeg.Frame:
        for frame in self._source:
            self._given += 1
            self._corrupt += frame.corrupt
            return frame
        if self.ending is None and not self._closed:
            self.ending = Ending(self._given, self._corrupt, 0, 0, "")
        raise StopIteration

    @staticmethod
    def _read(reel: Reel, begin: int, start: int) -> Iterator[ffmpeg.Frame]:
        numbers, first = reel.sequence.numbers, reel.sequence.first
        good: Planes | None = None
        ahead = False  # whether it is of a frame behind
        for at, (planes, note) in enumerate(_ahead(reel, numbers[begin:]), begin):
            if planes is None and good is None:
                good, ahead = _nearest(reel, at)
            ahead = ahead and planes is None
            note = note.replace(BEFORE, BEHIND) if ahead else note
            shown = planes or good
            assert shown is not None
            good = shown
            pts = max(start, numbers[at] - first)
            until = numbers[at + 1] - first if at + 1 < len(numbers) else pts + 1
            bad = planes is None
            yield ffmpeg.Frame(pts, until - pts, shown, True, bad, "", repeated=bad, note=note)


def _ahead(reel: Reel, numbers: Sequence[int]) -> Iterator[tuple[Planes | None, str]]:
    """`Reel.frame` of each, in order; read ahead once there was one, as some want no more."""
    yield reel.frame(numbers[0])
    video = reel.film.video
    each = video.size[0] * video.size[1] * (3 if video.pixels.kind == "rgb" else 1)
    each *= -(-video.pixels.depth // 8)
    count = max(1, min(os.cpu_count() or 1, AHEAD_BYTES // each))
    with ThreadPoolExecutor(count, "colorbatch-frames") as pool:
        rest = iter(numbers[1:])
        waiting = deque(pool.submit(reel.frame, number) for number in islice(rest, count))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(reel.frame, number) for number in islice(rest, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()


def _nearest(reel: Reel, at: int) -> tuple[Planes, bool]:
    """The good picture that is shown for the bad one at this place: that of the last good frame
    before it, or else of the first behind it, and which it is. Raises SourceError for none."""
    numbers = reel.sequence.numbers
    for number in (*reversed(numbers[:at]), *numbers[at + 1 :]):
        if (planes := reel.frame(number)[0]) is not None:
            return planes, number > numbers[at]
    raise SourceError(f"{reel.sequence.path(numbers[at])}: cannot be read any more")


# --- one frame ---------------------------------------------------------------------------------


def planes_of(frame: numbered_frame.NumberedFrame, pixels: PixelFormat) -> tuple[Planes, str]:
    """The picture of a frame for a film of these pixels, upright, and what is to be said of it."""
    found = numbered_frame.code_planes(frame)
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


def alpha_of(frame: numbered_frame.NumberedFrame) -> Codes | None:
    """The transparency of a frame (H, W) in its own codes, or None."""
    alpha = frame.scan.alpha if frame.scan else frame.still.alpha if frame.still else None
    codes = numbered_frame.encoding_of(frame)
    return alpha if alpha is not None and alpha.dtype == codes.dtype else None


def open_reel(sequence: FrameSequence, wish: Wish) -> Reel:
    """The footage of a sequence. Raises what `numbered_facts.facts_of` does."""
    facts = facts_of(sequence, wish)
    made = facts.film, facts.codes, sequence, wish.transfer
    return Reel(*made, facts.traits, facts.marked, facts.notes, facts.losses)
