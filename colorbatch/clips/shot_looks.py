"""What is done with each shot: kinds and settings to a `Look` each, and what a segment depends on.

Plain values; no pixels, and no files are read.
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from colorbatch.clips.shot_kinds import ShotKind
from colorbatch.job import FilmSettings

if TYPE_CHECKING:
    from colorbatch.clips.shot_list import Mark, Shown

Action = Literal["color", "keep", "grey"]
ACTIONS: tuple[Action, ...] = get_args(Action)


@dataclass(frozen=True)
class Look:
    """What is done with a shot. action: color it, keep its own chroma, or make it neutral;
    saturation: factor on its color; reference: SHA-256 of the still whose color it is to have, and
    the tick of the frame that this shows; "" without one; model: SHA-256 of the model that colors
    it, "" for the run's."""

    action: Action = "color"
    saturation: float = 1.0
    reference: str = ""
    model: str = ""


@dataclass(frozen=True)
class ShotModel:
    """A model that colors shots instead of the run's. sha256: of its file."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Still:
    """A corrected picture of the frame at a tick. sha256: of its file."""

    path: Path
    sha256: str
    pts: int

    @property
    def identity(self) -> str:
        """As `Look.reference`."""
        return f"{self.sha256}@{self.pts}"


@dataclass(frozen=True)
class Take:
    """A shot, or what a segment has of it. begin: the tick of its first frame; kind: what it shows,
    None where nobody has judged it; redo: whether it is to be made again, even if nothing else is
    to be done with it; still: whose color it is to have, None without one; model: that it is to be
    colored by, None for the run's."""

    begin: int
    look: Look = Look()
    kind: ShotKind | None = None
    redo: bool = False
    still: Still | None = None
    model: ShotModel | None = None

    @property
    def colored_by(self) -> ShotModel | None:
        """The model that colors it, None where none does, or the run's."""
        return self.model if self.look.action == "color" else None


def looks_of(kinds: Sequence[ShotKind], settings: FilmSettings, *, named: bool) -> list[Look]:
    """What is done with the shots of a film if nobody says otherwise.

    Grey is colored; toned and tinted as `on_toned` says; color keeps its own, unless `on_color`
    says colorize or all of a film that was named is in color; titles and leader become neutral,
    but for a tint that is to be kept.
    """
    pictures = {one.kind for one in kinds if not one.plain}
    only_color = pictures == {"color"} and settings.on_color == "skip"
    recolor = settings.on_color == "colorize" or (named and only_color)

    def action(one: ShotKind) -> Action:
        if one.kind == "color" and not recolor:
            return "keep"
        if one.kind in ("toned", "tinted") and settings.on_toned == "keep":
            return "keep"
        return "grey" if one.plain else "color"

    return [Look(action(one)) for one in kinds]


def takes_of(
    marks: Sequence[Mark], shown: Mapping[int, Shown], settings: FilmSettings, *, named: bool
) -> list[Take]:
    """The shots of a complete list. shown: what is known of them, by the place of their first
    mark."""
    cuts = [at for at, mark in enumerate(marks) if mark.cut]
    kinds = [shown[at].kind for at in cuts]
    looks = looks_of(kinds, settings, named=named)
    return [
        Take(marks[at].pts, look, kind) for at, look, kind in zip(cuts, looks, kinds, strict=True)
    ]


def take_at(takes: Sequence[Take], pts: int) -> Take:
    """The shot of the frame at a tick; takes: in order, at least one."""
    at = bisect.bisect_right(takes, pts, key=lambda take: take.begin)
    return takes[max(0, at - 1)]


def counted(takes: Sequence[Take]) -> dict[str, dict[str, int]]:
    """How many shots of each kind ("title" for titles and leader) have which action."""
    found: dict[str, Counter[str]] = {}
    for take in takes:
        if take.kind is not None:
            name = "title" if take.kind.plain else take.kind.kind
            found.setdefault(name, Counter())[take.look.action] += 1
    return {kind: dict(actions) for kind, actions in found.items()}


def digest_of(values: object) -> str:
    """A digest of plain values and looks; what of a look is as ever is left out, so that what was
    made before there was a choice stays as good as it was."""
    text = json.dumps(values, default=_told, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _told(look: Look) -> dict[str, object]:
    return {
        field.name: value
        for field in dataclasses.fields(look)
        if (value := getattr(look, field.name)) != field.default
    }


def digest_of_looks(takes: Sequence[Take], *beside: object) -> str:
    """A digest of what is done with shots, and of what else is to be in it; behind a colon one of
    those that are to be made again, if there are any."""
    digest = digest_of([(take.begin, take.look) for take in takes] + list(beside))
    again = [take.begin for take in takes if take.redo]
    return f"{digest}:{digest_of(again)}" if again else digest


def serves(made: str, wanted: str) -> bool:
    """Whether what was made by one of these digests is what another asks for: that it was made
    again makes no difference, but to the list that asks for it."""
    return wanted in (made, made.partition(":")[0])
