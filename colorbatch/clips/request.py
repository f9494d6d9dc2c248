"""What a run of clips is asked for: plain values, as any caller gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from colorbatch.job import FilmSettings, Request


@dataclass(frozen=True)
class ShotFiles:
    """What somebody says of a film's shots. shots: an edited list of them; references: a folder of
    stills of it that were corrected, with numbers of frames in their names; models: those that the
    list is known to name, by their absolute paths, embedded ones by their names -> SHA-256."""

    shots: Path | None = None
    references: Path | None = None
    models: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: ShotFiles) -> ShotFiles:
        """These, and the other's where these say nothing."""
        listed = self if self.shots else other
        return ShotFiles(listed.shots, self.references or other.references, listed.models)


@dataclass(frozen=True, kw_only=True)
class ClipRequest(Request):
    """What is to be made of which clips.

    settings: what decides the results. container: of results in a folder, by which numbered frames
    become a film; None for the source's. allow_gaps: whether numbered frames may be missing. audio:
    the sound of a film made of numbered frames. preview: write so many stills of each clip instead,
    before and after. shots, references: `ShotFiles` of the one film that there is; films: those of
    several, by their absolute paths, where these say nothing. look: a file that keeps the color of
    several films alike (`look_file`); named: settings of it that were asked for by name, which are
    saved there; it has the others. prove_luma: compare every luma plane of source and result.
    encoder_asked: an option of encoders that was asked for by name (`--codec`), which frames that
    stay frames have no use for; "" for none.
    """

    batch_size: int = 8
    """The same from one run to the next: frames that share a batch may color each other's last
    digits on a card, and a film that goes on is to be what it would have been."""
    settings: FilmSettings = field(default_factory=FilmSettings)
    container: str | None = None
    allow_gaps: bool = False
    audio: Path | None = None
    preview: int | None = None
    shots: Path | None = None
    references: Path | None = None
    films: Mapping[Path, ShotFiles] = field(default_factory=dict)
    look: Path | None = None
    named: frozenset[str] = frozenset()
    prove_luma: bool = False
    encoder_asked: str = ""
