"""What a file holds beside its pixels: an account of its blocks, whatever the format calls them.

A reader lists every block (segment, chunk, tag, box, item) with what became of it; a writer knows
what its format holds. The difference is what `not_kept` says: nothing goes without a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from colorbatch.formats import metadata

NAMED = 8
"""Blocks that a note names; of more it says so."""
REMADE = frozenset({"pixels", "thumbnail"})
"""What every result has of its own, or by intent does not have."""
ELSEWHERE = frozenset({"exif", "xmp", "icc", "photoshop", "dpi"})
"""What goes from format to format; `writer` says where it cannot."""


class Block(NamedTuple):
    """A part of a file. noun: what the format calls such parts, in the plural; name: which one;
    kind: what of a still it went into, "" for nothing."""

    noun: str
    name: str
    kind: str = ""


@dataclass
class Found:
    """What a reader found. exif: with its name, as JPEG has it; photoshop: resources by number;
    encoding, notes: as of `Still`."""

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    photoshop: dict[int, bytes] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None
    encoding: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, kind: str, content: bytes, noun: str, name: str) -> bool:
        """Take "exif" (bare or named), "xmp" or "icc", whether it is the first; another one that
        says something else is a block that goes."""
        if kind == "exif":
            content = metadata.EXIF_START + content.removeprefix(metadata.EXIF_START)
        if not getattr(self, kind):
            setattr(self, kind, content)
            self.blocks.append(Block(noun, name, kind))
            return True
        if getattr(self, kind) != content:
            self.blocks.append(Block(noun, f"{name} (another one)"))
        return False

    def take_photoshop(self, data: bytes) -> None:
        """Photoshop's image resources, one of each number, and IPTC among them."""
        found, left = metadata.image_resources(data)
        for number, block in found:
            if number == metadata.IPTC:
                self.take_iptc(metadata.iptc_of({number: block}))
            elif self.photoshop.setdefault(number, block) != block:
                self.lose("Photoshop resources", f"{number} (another one)")
        if left:
            self.lose("Photoshop resources", f"{left} bytes that are broken")

    def take_iptc(self, record: bytes) -> None:
        """An IPTC record. Of several the one counts that is whole for longest: programs cut it off
        in one place and write all of it in another."""
        held = metadata.iptc_of(self.photoshop)
        whole = {one: metadata.datasets(one) for one in (held, record)}
        best, other = (
            (held, record)
            if sum(map(len, whole[held])) >= sum(map(len, whole[record]))
            else (record, held)
        )
        if not held:
            best, other = record, held
        if best:
            self.photoshop[metadata.IPTC] = metadata.iptc_block(best)
        if set(whole[other]) - set(whole[best]):
            self.lose("IPTC records", "one that says something else")

    def lose(self, noun: str, name: str) -> None:
        """List a block that nothing here understands."""
        self.blocks.append(Block(noun, name))

    def fields(self) -> dict[str, Any]:
        """For `Still`."""
        orientation = metadata.orientation_of(self.exif)
        return {
            "orientation": orientation,
            "exif": self.exif,
            "xmp": self.xmp,
            "icc": self.icc,
            "photoshop": self.photoshop,
            "dpi": self.dpi,
            "blocks": tuple(self.blocks),
            "notes": tuple(self.notes),
        }


def not_kept(blocks: Iterable[Block], own: Mapping[str, str], *, same: bool) -> Iterator[str]:
    """What of a source's blocks a result does not hold, in words. own: of the source's format
    (`StillFormat.own_blocks`). same: whether the result has that format."""
    held = REMADE | ELSEWHERE | (own.keys() if same else frozenset())
    gone: dict[str, list[str]] = {}
    for block in blocks:
        if block.kind in held:
            continue
        if own.get(block.kind):
            gone.setdefault(own[block.kind], [])
        else:
            names = gone.setdefault(f"these {block.noun} were not kept: ", [])
            if block.name not in names:
                names.append(block.name)
    for note, names in gone.items():
        yield note + ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")
