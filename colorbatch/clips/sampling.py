"""A film at a glance: frames spread over it, as sRGB pictures, and what kind of film they show.

Flows in: footage. Flows out: a few frames, small pictures, a kind. One frame is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from colorbatch.clips.source import Footage
from colorbatch.color import Codes
from colorbatch.color.classify import Kind, kind_of
from colorbatch.color.ycbcr import Encoding, rgb_view
from colorbatch.ffmpeg import Frame, Planes

JUDGED_FRAMES = 7
JUDGED_SIDE = 192
HALVINGS = 24
"""So often the end of a film that is shorter than it says is looked for."""


def spread(footage: Footage, count: int, span: tuple[int | None, int | None]) -> Iterator[Frame]:
    """About `count` frames at even distances, where there are any; where that gives fewer, the
    first ones behind them, not in order. One where the film does not tell how long it is."""
    first, last = reach(footage, span)
    ticks = [first + (last - first) * (2 * i + 1) // (2 * count) for i in range(count)]
    wanted = count if last > first else 1
    seen: set[int] = set()
    for tick in ticks if last > first else [first]:
        frame = frame_at(footage, tick, span[1])
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame
    if len(seen) == wanted:
        return
    with footage.frames(span[0]) as reading:
        for frame in reading:
            if len(seen) == wanted or (span[1] is not None and frame.pts >= span[1]):
                return
            if frame.pts not in seen and (span[0] is None or frame.pts >= span[0]):
                seen.add(frame.pts)
                yield frame


def stated(footage: Footage, span: tuple[int | None, int | None]) -> tuple[int, int]:
    """The first tick of a part and the one behind it, by the film's own word; the same one twice
    where it does not tell how long it is."""
    video = footage.film.video
    first = video.start if span[0] is None else span[0]
    whole = round(video.duration / video.time_base) if video.duration else 0
    last = video.start + whole
    return first, max(first, last if span[1] is None else min(last, span[1]))


def reach(footage: Footage, span: tuple[int | None, int | None]) -> tuple[int, int]:
    """The same, but where frames end long before (a copy that was cut off, a sound that goes on)
    the second is a tick that has none, less than twice as far as they go."""
    video = footage.film.video
    first, last = stated(footage, span)
    rate = video.average_rate or video.real_rate
    step = round(1 / rate / video.time_base) if rate else 0
    tick = last - (last - first) // 6 - step
    for _ in range(HALVINGS):
        if tick <= first or frame_at(footage, tick, span[1]) is not None:
            break
        tick, last = first + (tick - first) // 2, tick
    return first, last


def frame_at(footage: Footage, tick: int, end: int | None) -> Frame | None:
    """The first frame from a tick on, None if there is none before `end`."""
    with footage.frames(tick, near=True) as reading:
        frame = next(reading, None)
    return frame if frame is None or end is None or frame.pts < end else None


def srgb(planes: Planes, codes: Encoding, size: tuple[int, int]) -> Codes:
    """A picture of a film as sRGB codes (h, w, 3), uint8, at `size`."""
    if planes.rgb is not None:
        red, green, blue = planes.rgb
        return rgb_view(green, blue, red, codes, size)
    assert planes.luma is not None
    if planes.chroma is None:
        grey = np.full((1, 1), codes.neutral, codes.dtype)
        return rgb_view(planes.luma, grey, grey, codes, size)
    return rgb_view(planes.luma, *planes.chroma, codes, size)


def kind_of_film(footage: Footage) -> Kind:
    """Whether a film is grey, toned or in color, by frames spread over it: that of most of those
    that show anything."""
    film = footage.film
    if film.video.pixels.kind == "gray":
        return "grey"
    codes, (height, width) = footage.codes, film.video.size
    scale = min(1.0, JUDGED_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    kinds: Counter[Kind] = Counter()
    for frame in spread(footage, JUDGED_FRAMES, (None, None)):
        view = srgb(frame.planes, codes, size)
        if view.max() >= 32:  # a black frame says nothing
            kinds[kind_of(view)] += 1
    return kinds.most_common(1)[0][0] if kinds else "grey"
