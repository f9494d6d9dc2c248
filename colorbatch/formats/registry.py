"""The picture formats: their names, and the suffixes of their files. No libraries, no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

Format = Literal["JPEG", "PNG", "TIFF", "WEBP", "BMP", "JPEG2000", "HEIC"]
SUFFIXES: Mapping[Format, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
    "HEIC": (".heic", ".heif", ".hif"),
}
"""What is read; results have their source's, and the first where they have another format."""
NOT_READ = frozenset(
    {
        *(".3fr", ".ai", ".apng", ".arw", ".avif", ".bpg", ".cr2", ".cr3", ".dcm", ".djvu", ".dng"),
        *(".dpx", ".emf", ".eps", ".erf", ".exr", ".fff", ".fits", ".gif", ".hdr", ".ico", ".iiq"),
        *(".jls", ".jng", ".jxl", ".jxr", ".mef", ".mng", ".mos", ".mrw", ".nef", ".nrw", ".orf"),
        *(".pbm", ".pcd", ".pct", ".pcx", ".pdf", ".pef", ".pgm", ".pict", ".pnm", ".ppm", ".psb"),
        *(".psd", ".qoi", ".raf", ".raw", ".rw2", ".sgi", ".sr2", ".srw", ".svg", ".tga", ".wdp"),
        *(".wmf", ".x3f", ".xbm", ".xcf", ".xpm"),
    }
)
"""Suffixes of pictures that are not read; they are counted, so that nobody takes them for done."""
READ_ONLY: Mapping[Format, Format] = {"HEIC": "JPEG"}
"""What is not written, and what its results are."""
WITH_QUALITY: tuple[Format, ...] = ("JPEG", "WEBP")
"""What `--quality` is for."""
SAMPLE_BYTES: Mapping[Format, int] = {
    "JPEG": 1, "PNG": 2, "TIFF": 8, "WEBP": 1, "BMP": 1, "JPEG2000": 2
}  # fmt: skip
"""Bytes of the deepest sample that a result can have; only TIFF holds floating point."""
NAMES: Mapping[str, str] = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}
"""What people write, where it is not the same."""

READ = tuple(SUFFIXES)
WRITTEN = tuple(format_ for format_ in READ if format_ not in READ_ONLY)
FORMATS: Mapping[str, Format] = {
    suffix: format_ for format_, suffixes in SUFFIXES.items() for suffix in suffixes
}
"""Suffix -> format."""


def of_result(suffix: str, own: Format) -> Format:
    """What is written to a name with this suffix, of a source of format `own`: what the name says,
    and where it says nothing the source's own, or what stands for it."""
    format_ = FORMATS.get(suffix.lower(), own)
    return READ_ONLY.get(format_, format_)


def in_words(formats: Iterable[Format], last: str) -> str:
    """`JPEG, PNG or TIFF`; last: the word before the last one."""
    *names, end = (NAMES.get(format_, format_) for format_ in formats)
    return f"{', '.join(names)} {last} {end}"
