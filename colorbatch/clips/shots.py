"""Where shots begin: small views of frames in, decisions out. No files, no models.

A frame begins a shot if hardly any part of it can be told from the frames before. How much cannot,
`unlike` says, as encoders do it to find the frames that are better coded afresh (x264,
`encoder/slicetype.c`: `scenecut_internal` compares the cost of a frame predicted from another, with
motion, to its cost predicted from itself) and as Hanjalic did it for cuts (2002, "Shot-Boundary
Detection: Unraveled and Resolved?", IEEE Transactions on Circuits and Systems for Video Technology
12(2), motion-compensated blocks). Blocks vote, so that dirt and what moves count as their area,
not as their contrast; the light of the whole picture is matched first, for the flicker of old film.

A flash, a splice or a torn frame is unlike its neighbors as well, but what comes behind it is like
what was before. So `FLASH` frames are looked at on both sides, as x264's `scenecut` does to leave
out flashes; damaged frames tell nothing. Fades and dissolves are no cuts. The limits were chosen on
one set of films and are reported on another by `benchmarks/cuts.py` (docs/film.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from colorbatch.color import Codes, Float

SEEN = (48, 64)
"""(H, W) of the views, whatever the picture's shape: so small that grain is averaged away."""
FLASH = 2
"""Longest flash, in frames, that is no cut; so many frames behind one are needed to judge it."""


@dataclass(frozen=True)
class Rule:
    """What counts as unlike; codes are those of the views.

    block: side of the blocks that vote, in samples; reach: how far each is looked for, in samples
    to each side; gain, offset: by how much the light of the whole may change; noise: mean
    difference in codes that says nothing; static: blocks flatter than this that did not change by
    as much tell nothing (pillars, masks, black); fewest: how many blocks have to tell something;
    share: of the blocks, how many make a frame unlike another.
    """

    block: int = 8
    reach: int = 4
    gain: float = 1.6
    offset: float = 50.0
    noise: float = 2.0
    static: float = 2.0
    fewest: int = 4
    share: float = 0.35


RULE = Rule()


def unlike(before: Codes, after: Codes, rule: Rule = RULE) -> float:
    """Share of a view that another does not explain, 0 (all does) to 1; views (h, w), uint8.

    Of the blocks that tell anything, those whose mean difference to the best place in `before` is
    larger than to their own mean. Where the blocks at their own places already settle that the two
    are alike, none is looked for elsewhere.
    """
    old, new = before.astype(np.float32), after.astype(np.float32)
    own = np.asarray(cv2.absdiff(new, _spread(_blocks(new, rule), rule)), np.float32)
    limit = _blocks(own, rule) + rule.noise
    changed = _blocks(cv2.absdiff(old, new), rule) >= rule.static
    telling = changed | (limit >= rule.static + rule.noise)
    if telling.sum() < rule.fewest:
        return 0.0
    old = _relit(old, new, rule)
    cost = _blocks(cv2.absdiff(old, new), rule)
    share = float((cost > limit)[telling].mean())
    if share < rule.share:
        return share
    return float((np.minimum(cost, _best(old, new, rule)) > limit)[telling].mean())


def _blocks(picture: Float | cv2.typing.MatLike, rule: Rule) -> Float:
    """Means of the blocks of a picture (h, w): (h / block, w / block)."""
    height, width = picture.shape
    size = (width // rule.block, height // rule.block)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _spread(means: Float, rule: Rule) -> Float:
    """A picture of blocks that have these means."""
    return np.asarray(means.repeat(rule.block, 0).repeat(rule.block, 1))


def _relit(old: Float, new: Float, rule: Rule) -> Float:
    """A picture in the light of another, as far as `rule` lets it: multiplied, as a lamp or a
    shutter that flickers does it, or with its mean and contrast, as a fade does it; whichever is
    nearer."""
    (mean, spread), (wanted, wide) = ((each.mean(), each.std()) for each in (old, new))
    lowest, step = 1 / rule.gain, np.clip(wanted - mean, -rule.offset, rule.offset)
    gain = np.clip((wanted + rule.noise) / (mean + rule.noise), lowest, rule.gain)
    contrast = np.clip((wide + rule.noise) / (spread + rule.noise), lowest, rule.gain)
    lit = np.minimum(old * gain, 255), (old - mean) * contrast + mean + step
    near = min(lit, key=lambda each: float(np.abs(each - new).mean()))
    return np.asarray(near, np.float32)


def _best(old: Float, new: Float, rule: Rule) -> Float:
    """Each block's least mean difference to `old`, over all places in reach."""
    reach, (height, width) = rule.reach, new.shape
    wide = cv2.copyMakeBorder(old, *(reach,) * 4, cv2.BORDER_REPLICATE)
    steps = range(2 * reach + 1)
    found = [
        _blocks(cv2.absdiff(wide[y : y + height, x : x + width], new), rule)
        for y in steps
        for x in steps
    ]
    return np.asarray(np.min(found, axis=0), np.float32)


def is_cut(
    before: Sequence[Codes | None], after: Sequence[Codes | None], rule: Rule = RULE
) -> bool:
    """Whether the first frame of `after` begins a shot.

    before, after: views in order, None for damaged frames; the last of `before` and the first of
    `after` are neighbors. Of more than `FLASH` + 1 each, the nearest count. Without a good frame
    before it and another behind it, a frame begins none; nor does one where nothing behind it holds
    still enough to be a shot (a camera that is swung round).
    """
    olds = [view for view in before[-FLASH - 1 :] if view is not None][::-1]
    first, *more = after[: FLASH + 1]
    news = [view for view in more if view is not None]
    if first is None or not olds or not news:
        return False

    def alike(one: Codes, other: Codes) -> bool:
        return unlike(one, other, rule) < rule.share

    if any(alike(old, new) for new in (first, *news) for old in olds):
        return False
    return any(alike(first, new) for new in news) or (len(news) > 1 and alike(*news[:2]))


class Cuts:
    """Finds cuts while frames come: is told one after the other, and says of each, `FLASH` frames
    later, whether it begins a shot. Within `FLASH` frames of a cut, and of the first frame, there
    is no other. It holds a few views, and knows nothing of what was before the first."""

    def __init__(self, rule: Rule = RULE) -> None:
        self._rule = rule
        self._before: deque[Codes | None] = deque(maxlen=FLASH + 1)
        self._after: deque[Codes | None] = deque()

    def add(self, view: Codes | None) -> bool | None:
        """Take the next frame's view (`SEEN`, uint8, lightness or luma of display codes), None if
        it is damaged; tell of the frame `FLASH` before, None as long as there is none."""
        self._after.append(view)
        return self._decide() if len(self._after) > FLASH else None

    def end(self) -> Iterator[bool]:
        """What is still to be told when there are no more frames."""
        while self._after:
            yield self._decide()

    def begin(self) -> None:
        """Forget what was before the frame that was told of last, as if it had been the first."""
        while len(self._before) > 1:
            self._before.popleft()

    def _decide(self) -> bool:
        ready = len(self._before) > FLASH
        cut = ready and is_cut(tuple(self._before), tuple(self._after), self._rule)
        self._before.append(self._after.popleft())
        if cut:
            self.begin()
        return cut
