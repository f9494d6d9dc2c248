"""What the conductor of clips asks of a step that sees a shot's small chroma in order.

A step may look ahead, and it knows nothing of files, segments or journals. How it is called:

- All frames of a clip go in by `add`, in order; ab comes out of `add` and `end` in the same order,
  one for each frame that went in, `ahead` frames later at most. A frame that begins a shot lets out
  all that wait, and is as the first of all.
- A shot that is longer than a segment is made as several, in order. A segment's step is given the
  `state` that the segment before left (`restore`), unless it begins a shot. Then: `add` for its own
  frames, `mark`, `add` for up to `ahead` frames that follow in the same shot (*lent* frames: the
  next segment gets them as its own), `end`. As many ab as it has own frames are taken, the others
  are left; `state` is that of the mark. Segments made so equal the shot made at once, bit by bit,
  if each is lent `ahead` frames, or as many as there are left in the shot.
"""

from __future__ import annotations

from typing import Protocol

from colorbatch.color import Float

MOST_AHEAD = 24
"""The largest `ahead`, in frames."""
LARGEST_STATE = 1 << 20
"""The largest `state`, in bytes."""


class OrderedStep(Protocol):
    """What sees the small chroma of a shot's frames in order, and may look ahead."""

    @property
    def ahead(self) -> int:
        """How many later frames of its shot there have to be before the ab of a frame is ready:
        never more than this many, and `MOST_AHEAD` at most."""

    def add(self, lightness: Float, ab: Float, begins: bool) -> list[Float]:
        """Take the next frame: L* (h, w) in [0, 100] at the network's size, predicted ab (h, w, 2)
        in Lab units, whether it begins a shot. Returns the ab (h, w, 2), float32, of the frames
        that are ready now, oldest first: none, one or several. Neither array is written to, and
        both may be held until the frame is ready."""

    def mark(self) -> None:
        """The segment's own frames end here: `state` stays what it is now, until `restore`,
        whatever is added behind it."""

    def end(self) -> list[Float]:
        """The ab of the frames that still wait, as if their shot ended here. Afterwards nothing
        waits."""

    def state(self) -> bytes:
        """All that the next segment of the same shot needs, as of `mark`, or of the last frame
        without one. At most `LARGEST_STATE`; the same bytes for the same history on the same
        machine."""

    def restore(self, state: bytes) -> None:
        """Go on behind the frames that `state` tells of; nothing waits, and no mark is set. Raises
        ValueError for what is no state of such a step."""
