"""What a clip's pictures come from: the one view that the work has of a source.

`Footage` is a film file (`film_source.FilmFile`) or numbered frames (`numbered_source.Reel`). It
tells its facts as an `ffmpeg.Film`, gives its frames in order from any tick on, and can be known
again. What each of them keeps to is tested by `tests/colorbatch/clips/test_source.py`, one suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from colorbatch import ffmpeg
from colorbatch.color.ycbcr import Encoding
from colorbatch.ffmpeg import Film, Glances


def nothing(count: int) -> None:
    """Who is told is not interested."""


class Footage(Protocol):
    """Where pictures come from. `film`: its facts."""

    @property
    def film(self) -> Film: ...

    @property
    def codes(self) -> Encoding:
        """What its codes mean. Raises SourceError for a matrix that cannot be colored."""

    @property
    def marked(self) -> bool:
        """Whether it is a result of ours, which is never a source."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the plan has to say of it, in words."""

    @property
    def losses(self) -> tuple[str, ...]:
        """What of it is missing or left out, in words: for the plan and the report."""

    def frames(self, start: int | None = None, *, near: bool = False) -> ffmpeg.Reading:
        """Its frames from a tick on, or all, as a reading of all gives them; none from a tick on
        that is behind the last. Of a picture that is shown at that tick and began before it, a
        film leaves out the rest, and numbered frames, which are one tick long but before a gap,
        show it. near: about there will do. See `ffmpeg.Frames`. Raises SourceError, here or with
        the first frame."""

    def glances(self, start: int | None = None, *, dense: bool = False) -> Glances:
        """The same frames, each decoded only if it is asked for, where that can be; see
        `ffmpeg.glances`. A damaged frame has no picture."""

    def exists(self) -> bool:
        """Whether it is still there, a file or files."""

    def identity(self) -> tuple[int, int, str]:
        """Size in bytes, time of change in ns and a SHA-256 by which it is known again. Raises
        SourceError."""

    def sound_identity(self) -> str:
        """A SHA-256 of the sound that is added to it from another file, "" without. Raises
        SourceError."""

    def sha256(self, stop: Callable[[], bool], more: Callable[[int], None] = nothing) -> str:
        """Of all its bytes; stop: asked often; more: told how many bytes are read more. Raises
        SourceError, StoppedError."""

    def name(self, pts: int) -> str:
        """What the frame at a tick is called, "" where frames have no names."""
