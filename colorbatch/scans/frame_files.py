"""Scans as files: which reader a name means, and errors that name the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from colorbatch.errors import SourceError
from colorbatch.formats.still import check_size
from colorbatch.fs.atomic import reachable
from colorbatch.job import MAX_PIXELS
from colorbatch.scans import dpx, dpx_pixels, exr
from colorbatch.scans.record import Header, Scan

SCANS = (".dpx", ".exr")


def is_scan(path: Path) -> bool:
    """Whether the name is that of a DPX or EXR file."""
    return path.suffix.lower() in SCANS


def header(path: Path) -> Header:
    """What a DPX or EXR file is, without decoding it. Raises SourceError."""
    with _translated(path):
        place = _regular(path)
        if path.suffix.lower() == ".dpx":
            return dpx.parse(place)[0]
        file = exr.open_file(place)
        try:
            return exr.header_of(file.spec())
        finally:
            file.close()


def result_bytes(path: Path) -> tuple[int, bool]:
    """Bytes of a file's colored result, and whether that is exact; EXR is compressed. Raises
    SourceError."""
    with _translated(path):
        place = _regular(path)
        if path.suffix.lower() == ".dpx":
            return dpx.parse(place)[1].result_bytes, True
    facts = header(path)
    raw = facts.size[0] * facts.size[1] * facts.bits // 8
    channels = facts.channels + facts.alpha
    # what is packed stays so, but channels that differ by little take a third more than the grey
    share = min(1.0, 4 / 3 * place.stat().st_size / (raw * channels))
    return round(raw * (3 + facts.alpha) * share), False


def read(path: Path, max_pixels: int = MAX_PIXELS) -> Scan:
    """A DPX or EXR file, decoded. Raises SourceError, for more pixels before it is decoded."""
    size = header(path).size
    with _translated(path):
        check_size(*size, max_pixels)
        place = _regular(path)
        raw: Any
        if path.suffix.lower() == ".dpx":
            facts, raw = dpx.parse(place)
            samples = dpx_pixels.read(place, raw)
        else:
            facts, samples, raw = exr.read(place)
        alpha = np.ascontiguousarray(samples[..., -1]) if facts.alpha else None
        return Scan(facts, np.ascontiguousarray(samples[..., : facts.channels]), alpha, raw)


def write(file: IO[bytes], source: Scan, rgb: npt.NDArray[Any], mark: str = "") -> tuple[str, ...]:
    """A frame with the source's header, depth and alpha around new R, G, B samples (H, W, 3) of the
    source's type, into an empty file from `atomic.replacing`. mark: tool and model, named in EXR.

    For EXR, OpenImageIO opens the file a second time, by its name. Returns what could not be kept,
    in words. Raises ValueError for other samples, TargetError for what cannot be written.
    """
    if rgb.shape != (*source.header.size, 3) or rgb.dtype != source.samples.dtype:
        raise ValueError(f"{rgb.shape} {rgb.dtype} do not fit the source {source.samples.shape}")
    samples = rgb if source.alpha is None else np.dstack([rgb, source.alpha])
    if source.header.kind == "EXR":
        return exr.write(file, source.raw, samples, mark)
    dpx_pixels.write(file, source.raw, samples)
    return ()


def _regular(path: Path) -> Path:
    place = reachable(path)
    if not place.is_file():
        raise SourceError("is no file")
    if not place.stat().st_size:
        raise SourceError("is empty")
    return place


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Errors as SourceError that name the file."""
    try:
        yield
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except MemoryError as error:
        raise SourceError(f"{path}: not enough memory to decode it") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror or error}") from error
