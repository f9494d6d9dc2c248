"""Stills, the way in: a picture file to its pages, each with luma, alpha and metadata.

Paths are opened by Python, never by a codec library, so that every name works. What a still is
(depth, alpha, compression, profile, EXIF, orientation) travels in `Still`, and `writer` puts it
back. Each format is read by its adapter (`registry`). No models here, and no decision about which
files are done.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import UnidentifiedImageError

from colorbatch.color import Codes
from colorbatch.errors import SourceError
from colorbatch.formats import registry
from colorbatch.formats.record import START_BYTES
from colorbatch.formats.still import Still, to_codes, upright
from colorbatch.fs.atomic import reachable
from colorbatch.fs.real_paths import leads_nowhere
from colorbatch.job import MAX_PIXELS


def read(path: Path, max_pixels: int = MAX_PIXELS) -> Still:
    """Read the (first) picture of a file. Raises SourceError, for anything that is wrong with it.

    The format is told by the content, not by the name.
    """
    with contextlib.closing(pages(path, max_pixels)) as found:
        return next(found)


def pages(
    path: Path, max_pixels: int = MAX_PIXELS, *, at_least: int = 0
) -> Generator[Still, None, None]:
    """Every picture of a file, in order: of TIFF its pages, of other formats one.

    One is decoded when it is asked for. at_least: pixels per side that are enough, 0 for all; JPEG
    is then decoded at an eighth, a quarter or half of its size where that leaves as many. Raises
    SourceError with the reason, for anything that is wrong with the file, and for more than
    `max_pixels` before anything is decoded.
    """
    with contextlib.ExitStack() as stack:
        with _translated(path):
            if leads_nowhere(path):
                raise SourceError("cannot read: a link that leads nowhere")
            mode = reachable(path).stat().st_mode
            if stat.S_ISDIR(mode):
                os.scandir(reachable(path)).close()  # of one that cannot be listed: why
                raise SourceError("cannot read: it is a folder")
            if not stat.S_ISREG(mode):  # opening a named pipe would wait for ever
                raise SourceError("cannot read: not a regular file")
            file = stack.enter_context(reachable(path).open("rb"))
            found = _pages(file, max_pixels, at_least)
        while True:
            with _translated(path):
                ready = list(itertools.islice(found, 1))
            if not ready:
                return
            yield ready.pop()  # so that it is the caller's alone, and gone when the caller is done


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Whatever goes wrong as a SourceError that names the file and the reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn about harmless oddities of metadata
            yield
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    except MemoryError as error:
        raise SourceError(f"{path}: not enough memory to decode it") from error
    except UnidentifiedImageError as error:  # its text names an address in memory
        raise SourceError(f"{path}: cannot decode: not a picture, or one that is broken") from error
    except OSError as error:
        if error.strerror:
            raise SourceError(f"{path}: cannot read: {error.strerror}") from error
        raise SourceError(f"{path}: cannot decode: {_reason(error)}") from error
    except Exception as error:  # decoders raise anything for broken files
        raise SourceError(f"{path}: cannot decode: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def load_rgb(path: Path) -> Codes:
    """A photograph as upright codes (H, W, 3), uint8. Raises SourceError."""
    still = to_codes(read(path), np.uint8)
    return upright(still.own_rgb(), still.orientation)


def _pages(file: IO[bytes], max_pixels: int, at_least: int) -> Iterator[Still]:
    start = file.read(START_BYTES)
    file.seek(0)
    if not start:
        raise SourceError("the file is empty")
    for format_ in registry.adapters():
        if format_.begins(start):
            needs = format_.needs
            if needs and not needs.load():
                raise SourceError(
                    f"{registry.ROWS[format_.name].shown} needs {needs.library}",
                    f'pip install "colorbatch[{needs.extra}]"',
                )
            yield from format_.pages(file, max_pixels, at_least)
            return
    raise SourceError(f"not a {registry.in_words(registry.READ, 'or')} picture")
