"""A film file as the source of a clip: `FilmFile`. Nothing is written; one frame is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips import film_journal
from colorbatch.clips.source import nothing
from colorbatch.color.ycbcr import Encoding, encoding_of
from colorbatch.errors import SourceError
from colorbatch.ffmpeg import Film
from colorbatch.fs import atomic

MARKED_AS = "Color made by a machine: "
"""How the tag of a film that says so begins; what made it (`Engine.mark`) follows."""
MARK = f"{MARKED_AS}colorbatch"
MARK_TAGS = ("comment", "description", "synopsis", "colorbatch")
"""Tags that every container keeps; the first that the source does not use gets our mark."""


@dataclass(frozen=True)
class FilmFile:
    """A film in one file."""

    film: Film

    @property
    def codes(self) -> Encoding:
        return codes_of(self.film)

    @property
    def marked(self) -> bool:
        tags = {key.lower(): value for key, value in self.film.metadata.items()}
        return any(tags.get(key, "").startswith(MARK) for key in MARK_TAGS)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    @property
    def losses(self) -> tuple[str, ...]:
        return ()

    def frames(self, start: int | None = None, *, near: bool = False) -> ffmpeg.Reading:
        return ffmpeg.frames(self.film, start, near=near)

    def glances(self, start: int | None = None, *, dense: bool = False) -> ffmpeg.Glances:
        return ffmpeg.glances(self.film, start, dense=dense)

    def exists(self) -> bool:
        return atomic.reachable(self.film.path).is_file()

    def identity(self) -> tuple[int, int, str]:
        return film_journal.sample_of(self.film.path)

    def sound_identity(self) -> str:
        return ""

    def sha256(self, stop: Callable[[], bool], more: Callable[[int], None] = nothing) -> str:
        return sha256_of(self.film.path, stop, more)

    def name(self, pts: int) -> str:
        return ""


def sha256_of(path: Path, stop: Callable[[], bool], more: Callable[[int], None] = nothing) -> str:
    """SHA-256 of a file, hexadecimal; stop: asked often; more: told how many bytes are read more.
    Raises SourceError, StoppedError."""
    try:
        return atomic.sha256(path, stop, more)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def codes_of(film: Film) -> Encoding:
    """What the codes of a film's samples mean. Raises SourceError."""
    video, color = film.video, film.video.color
    locations = ("", "left", "center", "topleft", "top", "bottomleft", "bottom")
    try:
        return encoding_of(
            video.size,
            video.pixels.depth,
            video.pixels.subsampling if video.pixels.kind == "yuv" else None,
            rgb=video.pixels.kind == "rgb",
            matrix=color.matrix,
            levels=color.range,
            transfer=color.transfer,
            primaries=color.primaries,
            siting=locations.index(video.chroma_location),
            interlaced=video.interlaced,
        )
    except SourceError as error:
        raise SourceError(f"{film.path}: {error}") from error
