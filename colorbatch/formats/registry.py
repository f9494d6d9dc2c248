"""The still formats: one table, a row each. No libraries, no files: it is read for `--help` too.

A row is what names alone tell; everything else is told by the format's adapter, the file that the
row names, which is loaded when somebody asks for it. `record` says what an adapter must have.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorbatch.formats.record import StillFormat, Writing

Format = str
"""A format's name, as in `TABLE`."""


@dataclass(frozen=True)
class FormatRow:
    """A format. shown: what people write. suffixes: of the files that are read; results have their
    source's, and the first where they have another format. results: the format of results, another
    one for what is read only. quality: that of results where nothing says otherwise, None where
    `--quality` is not for it. adapter: the file in this package."""

    name: Format
    shown: str
    suffixes: tuple[str, ...]
    results: Format
    quality: int | None
    adapter: str


TABLE = (
    FormatRow(
        "JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), "JPEG", 95, "jpeg"
    ),
    FormatRow("PNG", "PNG", (".png",), "PNG", None, "png"),
    FormatRow("TIFF", "TIFF", (".tif", ".tiff"), "TIFF", None, "tiff.adapter"),
    FormatRow("WEBP", "WebP", (".webp",), "WEBP", 95, "webp"),
    FormatRow("BMP", "BMP", (".bmp", ".dib"), "BMP", None, "bmp"),
    FormatRow(
        "JPEG2000", "JPEG 2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), "JPEG2000",
        None, "jpeg2000",
    ),
    FormatRow("AVIF", "AVIF", (".avif",), "AVIF", 95, "avif"),
    FormatRow("HEIC", "HEIC", (".heic", ".heif", ".hif"), "JPEG", None, "heif"),
)  # fmt: skip
ROWS: Mapping[Format, FormatRow] = {row.name: row for row in TABLE}

NOT_READ = frozenset(
    {
        *(".3fr", ".ai", ".apng", ".arw", ".bpg", ".cr2", ".cr3", ".dcm", ".djvu", ".dng"),
        *(".dpx", ".emf", ".eps", ".erf", ".exr", ".fff", ".fits", ".gif", ".hdr", ".ico", ".iiq"),
        *(".jls", ".jng", ".jxl", ".jxr", ".mef", ".mng", ".mos", ".mrw", ".nef", ".nrw", ".orf"),
        *(".pbm", ".pcd", ".pct", ".pcx", ".pdf", ".pef", ".pgm", ".pict", ".pnm", ".ppm", ".psb"),
        *(".psd", ".qoi", ".raf", ".raw", ".rw2", ".sgi", ".sr2", ".srw", ".svg", ".tga", ".wdp"),
        *(".wmf", ".x3f", ".xbm", ".xcf", ".xpm"),
    }
)
"""Suffixes of pictures that are not read; they are counted, so that nobody takes them for done."""
SUFFIXES: Mapping[Format, tuple[str, ...]] = {row.name: row.suffixes for row in TABLE}
FORMATS: Mapping[str, Format] = {suffix: row.name for row in TABLE for suffix in row.suffixes}
"""Suffix -> format."""
READ_ONLY: Mapping[Format, Format] = {
    row.name: row.results for row in TABLE if row.results != row.name
}
"""What is not written, and what its results are."""
WITH_QUALITY: tuple[Format, ...] = tuple(row.name for row in TABLE if row.quality is not None)
"""What `--quality` is for."""
READ = tuple(SUFFIXES)
WRITTEN = tuple(name for name in READ if name not in READ_ONLY)


def of_result(suffix: str, own: Format) -> Format:
    """What is written to a name with this suffix, of a source of format `own`: what the name says,
    and where it says nothing the source's own, or what stands for it."""
    format_ = FORMATS.get(suffix.lower(), own)
    return READ_ONLY.get(format_, format_)


def in_words(formats: Iterable[Format], last: str) -> str:
    """`JPEG, PNG or TIFF`; last: the word before the last one."""
    *names, end = (ROWS[format_].shown for format_ in formats)
    return f"{', '.join(names)} {last} {end}"


@functools.cache
def adapter(format_: Format) -> StillFormat:
    """What its adapter tells of a format. Raises KeyError for what is none."""
    row = ROWS[format_]
    found: StillFormat = importlib.import_module(f"{__package__}.{row.adapter}").FORMAT
    assert found.name == format_, row.adapter
    return found


def adapters() -> Iterator[StillFormat]:
    """Of every format, in the table's order."""
    return map(adapter, ROWS)


def writing(format_: Format) -> Writing:
    """How results in a format that is written are made. Raises KeyError for what is none."""
    found = adapter(format_).writing
    if found is None:
        raise KeyError(f"{format_} is read only")
    return found
