"""HEIC: its adapter. libheif decodes it, through pillow-heif, which turns it upright; it is read
only. `heif_items` finds what lies beside the picture (ISO/IEC 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from PIL import Image

from colorbatch.formats import heif_items, pillow_files
from colorbatch.formats.boxes import brands_of
from colorbatch.formats.pillow_modes import samples_of
from colorbatch.formats.record import Memory, Needs, StillFormat, one_picture
from colorbatch.formats.still import Still, Stored, from_samples

NAME = "HEIC"
BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")


def _begins(start: bytes) -> bool:
    """Whether its first box names a HEIF brand (ISO/IEC 23008-12, section 10), and not pictures in
    AV1, which the container may hold as well (AV1 Image File Format, section 6)."""
    major, *others = brands_of(start) or (b"",)
    return major in BRANDS and b"avif" not in others


def _load() -> bool:
    """Teach Pillow to open HEIC, where pillow-heif is installed: whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _decode(file: IO[bytes], max_pixels: int, _: int) -> Still:
    with pillow_files.opened(file, "HEIF", max_pixels, several=True) as image:
        notes = []
        if image.info.get("bit_depth", 8) > 8:
            notes.append(f"{image.info['bit_depth']} bits became 8")
        if getattr(image, "n_frames", 1) > 1:
            notes.append("only the main one of several pictures in the file was colored")
        place = file.tell()
        shared = heif_items.found_in(file, image.info).fields()
        file.seek(place)
        samples, shared["icc"], told = samples_of(image, shared["icc"])
    return from_samples(NAME, samples, notes=(*notes, *told, *shared.pop("notes")), **shared)


def _stored(file: IO[bytes]) -> Iterator[Stored]:
    with Image.open(file, formats=["HEIF"]) as image:
        yield pillow_files.stored(image, NAME, "lossy", pillow_files.size_of(file))


FORMAT = StillFormat(
    name=NAME,
    begins=_begins,
    pages=one_picture(_decode),
    stored=_stored,
    needs=Needs(library="pillow-heif", extra="heic", load=_load),
    lossy=True,
    own_blocks={},
    memory=Memory(of_8_bits=15, of_more=15),
    density=1.0,
    writing=None,
)
