"""What goes from room to room: a job, the settings that decide its result, the outcome of it.

Plain values that can be pickled; no pixels, and no files are read.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from colorbatch.color.classify import Kind
    from colorbatch.color.ycbcr import Region

MAX_PIXELS = 1_000_000_000
"""Larger pictures are refused before they are decoded, if nothing else is asked for."""


@dataclass(frozen=True)
class Job:
    """One picture to make: where it comes from and where it goes. Nothing else decides it."""

    source: Path
    target: Path
    named: bool = False
    """Whether the user named this very file, rather than a folder that holds it."""
    home: Path | None = None
    """The folder whose journal keeps the account of the target; none for `-o NAME.ext`."""

    @property
    def place(self) -> str:
        """The target below its home, the same on every system: `deep/a.png`, in Unicode's NFC."""
        below = self.target.relative_to(self.home) if self.home else Path(self.target.name)
        return unicodedata.normalize("NFC", below.as_posix())


# --- settings ----------------------------------------------------------------------------------

OnColor = Literal["keep", "colorize", "skip"]
OnToned = Literal["colorize", "keep", "skip"]
Fate = Literal["colored", "kept", "skipped"]
FATES: Mapping[str, Fate] = {"colorize": "colored", "keep": "kept", "skip": "skipped"}
"""Choice of the user -> how a source then ends."""
AskedTransfer = Literal["auto", "log", "linear", "bt709", "srgb"]
"""How the codes of scanned frames are meant, as `--transfer` names it."""


@dataclass(frozen=True)
class Scope:
    """To which results a setting matters; to all if it says nothing. See `matters_to`."""

    to: frozenset[str] | None = None
    only: str = ""
    always: bool = False

    def is_in(self, result: Collection[str]) -> bool:
        """Whether the setting decides a result that is described by these words."""
        meant = self.to is None or not self.to.isdisjoint(result)
        return meant and (not self.only or self.only in result)


def matters_to(*to: str, only: str = "", always: bool = False) -> dict[str, Scope]:
    """A setting's metadata: these results are outdated when it changes.

    to: how the source of a picture ended ("colored"; "kept", its own color in another format;
    "copied", byte for byte; "skipped"), or what a clip became ("film", "frames"); nothing for a
    setting that decides no result. only: what else these have to be: of a kind ("toned", "color"),
    or of a format that has a "quality". always: the first version had it, and told it in its
    digests at any value (`journal.settings_digest`). A setting without this matters to all.
    """
    return {"scope": Scope(frozenset(to), only, always)}


def _first(*to: str, only: str = "") -> dict[str, Scope]:
    return matters_to(*to, only=only, always=True)


STILLS = ("colored", "kept", "copied", "skipped")


@dataclass(frozen=True)
class ImageSettings:
    """What decides the look and the form of results, and of which (`matters_to`)."""

    saturation: float = field(default=1.0, metadata=_first("colored"))
    quality: int | None = field(default=None, metadata=_first("colored", "kept", only="quality"))
    on_color: OnColor = field(default="keep", metadata=_first(*STILLS, only="color"))
    """What happens to pictures that are in color already (those named one by one are colored)."""
    on_toned: OnToned = field(default="colorize", metadata=_first(*STILLS, only="toned"))
    """What happens to toned ones: colored without their tone, kept, or left out (named ones are
    colored)."""
    upright: bool = field(default=False, metadata=_first("colored", "kept"))
    """Whether pixels are turned by the orientation tag, rather than kept in their order."""
    times: bool = field(default=True, metadata=_first("colored", "kept", "copied"))
    """Whether results have the modification time of their source."""
    max_pixels: int = field(default=MAX_PIXELS, metadata=matters_to())
    """Larger pictures are refused by their header."""
    tf32: bool = field(default=False, metadata=matters_to("colored"))
    """Whether a card may round what the model multiplies to TF32."""

    def fate(self, kind: Kind, named: bool) -> Fate:
        """What becomes of a page of a kind; `named` one by one, or found in a folder."""
        choice = {"grey": "colorize", "toned": self.on_toned, "color": self.on_color}[kind]
        return "colored" if named else FATES[choice]


@dataclass(frozen=True)
class FilmSettings:
    """What decides the look and the form of colored films and numbered frames, and of which
    (`matters_to`). start, end: seconds from the film's begin, None for all; options: the encoder's
    own. Of numbered frames: transfer, `--transfer`; fps, the rate that was asked for, None for the
    header's."""

    saturation: float = field(default=1.0, metadata=_first("film", "frames"))
    codec: str = field(default="", metadata=_first("film"))
    pix_fmt: str = field(default="", metadata=_first("film"))
    options: tuple[tuple[str, str], ...] = field(default=(), metadata=_first("film"))
    drop_unsupported: bool = field(default=False, metadata=matters_to())
    """What it decides is in the plan, and so is depth that may be lost."""
    allow_depth_loss: bool = field(default=False, metadata=matters_to())
    on_color: OnColor = field(default="skip", metadata=matters_to())
    on_toned: OnToned = field(default="colorize", metadata=matters_to())
    """What happens to clips of a kind, and to the shots of one; which of these are colored, its
    account tells (`shot_looks`)."""
    region: Region | None = field(default=None, metadata=_first("film", "frames"))
    start: Fraction | None = field(default=None, metadata=_first("film"))
    end: Fraction | None = field(default=None, metadata=_first("film"))
    transfer: AskedTransfer = field(default="auto", metadata=matters_to("film", "frames"))
    fps: Fraction | None = field(default=None, metadata=matters_to("film"))
    stability: float = field(default=1.0, metadata=matters_to("film", "frames"))
    """How much of what flickers is steadied within shots, 0 for nothing to 1."""
    tf32: bool = field(default=False, metadata=matters_to("film", "frames"))
    """Whether a card may round what the model multiplies to TF32."""

    def fate(self, kind: str, named: bool) -> OnColor:
        """What becomes of a film of a kind; `named` one by one, or found in a folder."""
        if named or kind == "grey":
            return "colorize"
        return self.on_color if kind == "color" else self.on_toned


# --- requests ----------------------------------------------------------------------------------

Redo = Literal["nothing", "outdated", "all"]
"""Which results are made again: of those that are there none, those that another result would be
made of now, or all."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked for, whatever it colors.

    output: a folder, the name of one result, or None for beside the sources. include, exclude:
    patterns for what folders hold. listed: paths that a list names, `listed_as` (a file, or "-");
    None without one. part: (2, 3) for the second of three machines that share the work. log: a file
    to which a line for every outcome is added. model: an ONNX file or an embedded model's name.
    batch_size: pictures at a time; None for as many as a card is fastest with. workers: threads, 0
    for one per core. memory: bytes to stay within, None for half of what there
    is.
    """

    sources: tuple[Path, ...]
    output: Path | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    listed: tuple[str, ...] | None = None
    listed_as: str = ""
    part: tuple[int, int] | None = None
    dry_run: bool = False
    log: Path | None = None
    redo: Redo = "nothing"
    model: str | None = None
    device: str = "auto"
    batch_size: int | None = None
    workers: int = 0
    memory: int | None = None
    ignore_space: bool = False
    fail_fast: bool = False


# --- outcomes ----------------------------------------------------------------------------------

Status = Literal["colored", "kept", "skipped", "failed", "unfinished"]


@dataclass(frozen=True)
class Outcome:
    """The end of one source: what a run yields, `--json` and `--log` print, and journals hold.

    colored: the target was written; kept: it was in color already, or toned and to stay so, and
    copied; skipped: nothing was to be done, `reason` says why; failed: `reason` says why;
    unfinished: the work ended in the midst of it, and goes on from there. `kind` is grey, toned or
    color.
    """

    what: ClassVar[str] = "still"
    """Its class, of sources: still, film or frames; a journal also has single ones of these, frame.
    """
    source: Path
    target: Path
    status: Status
    reason: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()
    pages: int = 1
    """How many pictures the file holds; of those that were read."""
    outdated: bool = False
    """Whether it was skipped though another result would be made now; `-y` does."""
    foreseen: bool = False
    """Whether a dry run says so, and nothing was done."""
    plan: str = ""
    """What would be made, in words, where nothing was: of dry runs and previews."""
    seconds: float = field(default=0.0, kw_only=True)
    """From the begin of the work on it to its end, others beside it included; 0 where none was."""
    source_sha256: str = field(default="", kw_only=True)
    target_sha256: str = field(default="", kw_only=True)
    """SHA-256 of both files, hexadecimal, where they are known."""
    made_by: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    """With what: see `made_by`."""

    def to_json(self) -> str:
        """One line of JSON."""
        values = self.values()
        if self.foreseen:
            values |= {"status": "planned", "would_be": self.status}
        return json.dumps(values, ensure_ascii=True)

    def values(self) -> dict[str, object]:
        """All of it, in plain values; None for what there is not."""
        values: dict[str, object] = {
            "class": self.what,
            "source": str(self.source),
            "target": str(self.target),
            "status": self.status,
            "kind": self.kind or None,
            "reason": self.reason or None,
            "notes": list(self.notes),
            "pages": self.pages,
            "outdated": self.outdated,
            "seconds": round(self.seconds, 3),
            "source_sha256": self.source_sha256 or None,
            "target_sha256": self.target_sha256 or None,
            "made_by": dict(self.made_by) or None,
        }
        return values | self._more()

    def _more(self) -> dict[str, object]:
        """What only sources of its class have."""
        return {}


WITH_MODEL = ("model", "model_sha256", "models", "device", "provider")


def part_of_model(made_by: Mapping[str, object], status: str) -> Mapping[str, object]:
    """What a run makes results with, as far as it concerns one that ended so: no model has a part
    in those that keep their color, or that nothing is made of."""
    if status not in ("kept", "skipped"):
        return made_by
    return {name: value for name, value in made_by.items() if name not in WITH_MODEL}


def in_clear(settings: ImageSettings | FilmSettings) -> dict[str, object]:
    """Settings as the plain values that JSON has; fractions as text."""
    plain: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(settings), default=str))
    return plain


@dataclass(frozen=True)
class FilmOutcome(Outcome):
    """The end of one film. frames: of the result; corrupt: of these, damaged in the source; luma:
    what a proof of its luma said, "" without one; shots: kind of its shots ("title" for titles and
    leader) -> what was done (color, keep, grey) -> with how many."""

    what: ClassVar[str] = "film"
    frames: int = 0
    corrupt: int = 0
    luma: str = ""
    shots: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def _more(self) -> dict[str, object]:
        names = ("frames", "corrupt", "luma", "shots")
        return {name: getattr(self, name) or None for name in names}


@dataclass(frozen=True)
class FramesOutcome(FilmOutcome):
    """The end of a sequence that became frames. frames: how many results there are; corrupt: how
    many could not be made; the SHA-256 are those of lists, as `sha256sum` gives them, of sources
    and of results, of the frames that have a result; transfer: how the codes were seen, and why;
    failures: name of each frame that could not be made, and the reason."""

    what: ClassVar[str] = "frames"
    transfer: str = ""
    failures: tuple[tuple[str, str], ...] = ()

    def _more(self) -> dict[str, object]:
        failed = [{"frame": name, "reason": reason} for name, reason in self.failures]
        return super()._more() | {"transfer": self.transfer or None, "failed_frames": failed}


@dataclass(frozen=True)
class FrameOutcome(Outcome):
    """The end of one frame of a sequence, as its journal holds it."""

    what: ClassVar[str] = "frame"


OUTCOMES: Mapping[str, type[Outcome]] = {
    one.what: one for one in (Outcome, FilmOutcome, FramesOutcome, FrameOutcome)
}
"""Class -> what has its ends."""


def outcome_of(values: Mapping[str, Any]) -> Outcome:
    """An outcome from its plain values (`Outcome.values`), as journals hold them. Raises KeyError,
    TypeError, ValueError for others."""
    kind = OUTCOMES[values["class"]]
    names = {one.name for one in dataclasses.fields(kind)} & values.keys()
    told = {name: values[name] for name in names if values[name] is not None}
    told |= {name: Path(told[name]) for name in ("source", "target")}
    told["notes"] = tuple(told.get("notes", ()))
    if values.get("failed_frames"):
        failed = values["failed_frames"]
        told["failures"] = tuple((one["frame"], one["reason"]) for one in failed)
    return kind(**told)


@dataclass(frozen=True)
class PreviewOutcome(Outcome):
    """Stills of a clip that would be colored. stills: their files; shot_list: the list of its
    shots; estimate: what all of the film takes, in plain values."""

    what: ClassVar[str] = "preview"
    stills: tuple[Path, ...] = ()
    shot_list: Path | None = None
    estimate: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON."""
        values = json.loads(super().to_json()) | {"status": "previewed"}
        more = {
            "stills": [str(path) for path in self.stills],
            "shot_list": None if self.shot_list is None else str(self.shot_list),
            "estimate": self.estimate,
        }
        return json.dumps(values | more, ensure_ascii=True)
