"""The list of a clip's shots, and the segments that follow from it: made before any color, by a
pass that looks at few pictures.

Flows in: a clip at a glance. Flows out: a `Mark` for the first frame of each shot and segment, in
order; `segments_of` makes of them what is to do. A segment ends at the first cut from its
`SHORTEST`th second on; a shot that is `LONGEST` long goes on in another segment.

Of a clip whose pictures stand alone every `STRIDE`th is decoded; where two that follow each other
so are unlike, those between and beside them are decoded as well, and `shots` decides as if it had
seen all. What is found behind a cut does not depend on what was before it, so that a pass that was
ended anywhere goes on from the last cut that it has told of. Behind each shot it tells what kind
that is and when its frames are shown (`Shown`).
"""

from __future__ import annotations

import base64
import itertools
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from colorbatch.clips import shots
from colorbatch.clips.shot_kinds import SAMPLES, ShotKind, kind_of_shot
from colorbatch.clips.shot_looks import Look, Take, digest_of_looks, take_at
from colorbatch.color import Codes
from colorbatch.ffmpeg import Glance, Planes

SHORTEST, LONGEST = 5, 15
"""Seconds of a segment: from the one on it ends at the next cut, at the other it ends anyway."""
STRIDE = 4
"""Of pictures that stand alone so many are passed over at a time, less one. A shot shorter than
that, between two that are alike, is not seen."""


@dataclass(frozen=True)
class Mark:
    """The first frame of a shot, or of a segment, or of both; of the first of all, the first one
    that is not damaged. digest: `Planes.digest` of it, "" where all of a clip is damaged."""

    pts: int
    digest: str
    cut: bool
    border: bool


@dataclass(frozen=True)
class Shown:
    """What is known of a shot behind its end. kind; frame: the number of its first frame, the
    clip's first is 0; count: of its frames; begin: the tick of the first; steps: see `packed`."""

    kind: ShotKind
    frame: int
    count: int
    begin: int
    steps: str

    @property
    def last(self) -> int:
        """The number of its last frame."""
        return self.frame + self.count - 1

    def ticks(self) -> list[int]:
        """Of its frames. Raises ValueError where they are not as they were left."""
        data = zlib.decompress(base64.b64decode(self.steps, validate=True))
        steps = np.frombuffer(data, "<i8")
        if len(steps) != self.count - 1:
            raise ValueError("not as many ticks as frames")
        return [int(tick) for tick in self.begin + np.concatenate([[0], np.cumsum(steps)])]


def packed(ticks: Sequence[int]) -> str:
    """From each tick to the next, little-endian int64, compressed (zlib) and as text (base64)."""
    steps = np.diff(np.asarray(ticks, np.int64)).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")


@dataclass(frozen=True)
class Passed:
    """How the pass over a film ended that found its shots. retimed, jumps, corrupt: as
    `ffmpeg.Ending`, where all pictures were decoded; seen: `FilmPlan.seen`, "" of those that did
    not say."""

    retimed: int = 0
    jumps: int = 0
    corrupt: int = 0
    seen: str = ""

    @property
    def seekable(self) -> bool:
        """Whether what is read does not depend on where reading begins: a clock that jumps tells no
        place, and what is put in the place of damage depends on what was decoded before."""
        return not self.jumps and not self.corrupt


Judge = Callable[[Planes], ShotKind | None]
"""What says of a picture what it shows, None for nothing."""


def _no_kind(planes: Planes) -> ShotKind | None:
    return None


@dataclass(frozen=True)
class Span:
    """A segment: its frames from one tick to another; the first has all that come before, and end
    is None for the end of all. digest: of the frame at begin; cuts: ticks at which shots begin in
    it; shot_end: the tick of the next cut from its end on, None where there is none; takes: the
    shots that it has a part of, the one that it begins within included."""

    number: int
    begin: int
    end: int | None
    digest: str
    cuts: tuple[int, ...]
    shot_end: int | None
    takes: tuple[Take, ...] = (Take(0),)

    def take_at(self, pts: int) -> Take:
        """The shot of a frame of it."""
        return take_at(self.takes, pts)

    def look_at(self, pts: int) -> Look:
        """What is done with a frame of it."""
        return self.take_at(pts).look

    @property
    def recipe(self) -> str:
        """A digest of what is done in it: its shots, from where they begin, and where the last one
        ends, if that is behind it."""
        shot_end = self.shot_end if self.goes_on else self.end
        return digest_of_looks(self.takes, self.begin, self.end, shot_end)

    @property
    def continues(self) -> bool:
        """Whether it begins within a shot."""
        return self.begin not in self.cuts

    @property
    def goes_on(self) -> bool:
        """Whether its last shot goes on in the next one."""
        return self.end is not None and self.end != self.shot_end


def segments_of(
    marks: Sequence[Mark], end: int | None = None, takes: Sequence[Take] = ()
) -> tuple[Span, ...]:
    """The segments that all of a clip's marks make, in order. end: the tick behind the last frame,
    None for that of the clip; takes: what is done with its shots, in order; without, they are
    colored."""
    takes = takes or [Take(mark.pts) for mark in marks if mark.cut]
    borders = [at for at, mark in enumerate(marks) if mark.border]
    found = []
    for number, (at, behind) in enumerate(itertools.pairwise((*borders, len(marks)))):
        until = marks[behind].pts if behind < len(marks) else end
        begin = marks[at].pts
        cuts = tuple(t.begin for t in takes if t.begin >= begin and _is_before(t.begin, until))
        shot_end = next((t.begin for t in takes if not _is_before(t.begin, until)), end)
        own = tuple(
            take
            for take, after in itertools.zip_longest(takes, takes[1:])
            if (after is None or after.begin > begin) and _is_before(take.begin, until)
        )
        found.append(Span(number, begin, until, marks[at].digest, cuts, shot_end, own))
    return tuple(found)


def _is_before(pts: int, end: int | None) -> bool:
    return end is None or pts < end


def going_on(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """As much of an unfinished list as a pass goes on from: up to the last cut, which the pass then
    begins with and tells again."""
    cuts = [at for at, mark in enumerate(marks) if mark.cut]
    return tuple(marks[: cuts[-1] + 1]) if cuts else ()


def marks(
    glances: Iterable[Glance],
    view: Callable[[Planes], Codes],
    time_base: Fraction,
    *,
    sparse: bool,
    begun: Sequence[Mark] = (),
    seen: Callable[[int], None] = lambda frames: None,
    first: int = 0,
    judge: Judge = _no_kind,
    shown: Callable[[Shown], None] = lambda one: None,
) -> Iterator[Mark]:
    """Where shots and segments begin, in order.

    glances: from the last of `begun` on, which is a cut and is told once more; view: of a picture,
    as `shots.SEEN`; time_base: seconds of a tick; sparse: whether few of them are to be decoded;
    seen: told how many frames are behind it more; first: the number of the first of them; judge:
    asked for a few of each shot's pictures; shown: told of each shot behind its last mark.
    """
    walk = _Walk(glances, view, STRIDE if sparse else 1)
    begin = next((mark.pts for mark in reversed(begun[:-1]) if mark.border), None)
    damaged: int | None = None
    all_damaged: list[int] = []
    while True:
        told, sample = False, _Sample(judge)
        ticks: list[int] = []
        for look in walk.shot():
            ticks.append(look.pts)
            seen(1)
            sample.add(look)
            if not look.good:
                damaged = look.pts if damaged is None else damaged
                continue
            age = None if begin is None else (look.pts - begin) * time_base
            border = age is None or age >= (LONGEST if told else SHORTEST)
            if border or not told:
                begin = look.pts if border else begin
                yield Mark(look.pts, look.digest(), not told, border)
            told = True
        if not ticks:
            break
        if not told:
            all_damaged = ticks
        if told:
            shown(Shown(sample.kind(), first, len(ticks), ticks[0], packed(ticks)))
        first += len(ticks)
    if begin is None and damaged is not None:
        yield Mark(damaged, "", True, True)
        kind, count = ShotKind(plain=True), len(all_damaged)
        shown(Shown(kind, 0, count, damaged, packed(all_damaged)))


class _Sample:
    """The pictures of a shot that are judged, `SAMPLES` of it; of one that has none of these, the
    last."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._count, self._found = judge, 0, list[ShotKind | None]()
        self._last: _Look | None = None

    def add(self, look: _Look) -> None:
        """Take the next frame; it is decoded only if somebody else wants it."""
        wanted = len(self._found)
        if look.good:
            self._last = None if self._found else look
            if wanted < len(SAMPLES) and self._count >= SAMPLES[wanted]:
                self._found.append(look.judged(self._judge))
                self._last = None
        self._count += 1

    def kind(self) -> ShotKind:
        if self._last is not None and not self._found:
            self._found.append(self._last.judged(self._judge))
        return kind_of_shot(self._found)


class _Look:
    """A frame that was passed; its picture is decoded when its view is asked for."""

    def __init__(self, glance: Glance, view: Callable[[Planes], Codes]) -> None:
        self._glance, self._of = glance, view
        self.pts = glance.pts
        self._view: Codes | None = None
        self.decoded = False

    @property
    def view(self) -> Codes | None:
        """As `shots.SEEN`; None for a damaged frame."""
        if not self.decoded:
            planes = self._glance.picture()
            self._view = None if planes is None else self._of(planes)
            self.decoded = True
        return self._view

    @property
    def good(self) -> bool:
        """Whether it was decoded, and is not damaged."""
        return self.decoded and self._view is not None

    def judged(self, judge: Judge) -> ShotKind | None:
        planes = self._glance.picture()
        return None if planes is None else judge(planes)

    def digest(self) -> str:
        planes = self._glance.picture() if self.view is not None else None
        return "" if planes is None else planes.digest()


class _Walk:
    """Goes from shot to shot. What was read of the next one stays for it."""

    def __init__(
        self, glances: Iterable[Glance], view: Callable[[Planes], Codes], stride: int
    ) -> None:
        self._rest = (_Look(glance, view) for glance in glances)
        self._stride = stride
        self._read: deque[_Look] = deque()
        """Frames that no shot has yet."""
        self._at = 0
        """So many of them are in windows already."""

    def shot(self) -> Iterator[_Look]:
        """The frames of the next shot, in order; none where there is none."""
        cuts, self._at = shots.Cuts(), 0
        for shown in self._views():
            cut = cuts.add(shown)  # of the first frame that waits
            if cut:
                return
            if cut is not None:
                yield self._taken()
        for cut in cuts.end():
            if cut:
                return
            yield self._taken()

    def _taken(self) -> _Look:
        self._at -= 1
        return self._read.popleft()

    def _window(self, size: int) -> list[_Look]:
        """The next frames, at most `size`."""
        while len(self._read) < self._at + size and (look := next(self._rest, None)) is not None:
            self._read.append(look)
        found = [self._read[at] for at in range(self._at, min(len(self._read), self._at + size))]
        self._at += len(found)
        return found

    def _views(self) -> Iterator[Codes | None]:
        """What `shots` is to see of each frame from here on: its own view, or, where nothing
        happens, that of one before it."""
        before = self._window(1)
        if not before:
            return
        last = before[0].view
        yield last
        doubts, window = False, self._window(self._stride)
        doubt = self._is_doubtful(last, window)
        while window:
            behind = self._window(self._stride)
            more = self._is_doubtful(window[-1].view, behind) if behind else False
            for look in window:
                if doubts or doubt or more or look is window[-1]:
                    last = look.view
                yield last
            doubts, doubt, window = doubt, more, behind

    def _is_doubtful(self, before: Codes | None, window: Sequence[_Look]) -> bool:
        """Whether something may happen in a window behind a frame."""
        if self._stride == 1 or not window:
            return True
        after = window[-1].view
        if before is None or after is None:
            return True
        return shots.unlike(before, after) >= shots.RULE.share
