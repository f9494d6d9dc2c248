"""Opening a film file: the one place where libav's errors for sources become one line."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av import logging as av_logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from colorbatch.errors import SourceError
from colorbatch.ffmpeg.codecs import codec_named

_log_level = threading.Lock()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A film file, open for reading. Nothing but this file is read: no playlist leads to another
    file or to the network. Raises SourceError, also for what goes wrong inside the block."""
    try:
        if not path.is_file():
            raise SourceError(f"{path}: is not a file")
        if not path.stat().st_size:
            raise SourceError(f"{path}: is empty")
        with av.open(
            # a name such as concat:a is a file's name here, and libav knows it only with this
            "file:" + os.fspath(path),
            "r",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="surrogateescape",
        ) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: cannot read as a film: {_words(error)}") from error


def _words(error: Exception) -> str:
    """A libav error without its numbers and without the path, which stands before it."""
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".")


def film_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that is the film: the first one with pictures that is no cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails):
            if stream.codec_context is None:
                raise SourceError(f"{path}: there is no decoder for its pictures")
            return stream
    raise SourceError(f"{path}: has no moving pictures")


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """What decodes a stream's pictures, all of them."""
    own = stream.codec_context
    name = codec_named(own.codec.canonical_name).alpha_decoder
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") != "1" or name not in av.codecs_available:
        return own
    found = av.CodecContext.create(name, "r")
    assert isinstance(found, VideoCodecContext)
    return found


def packets_of(container: InputContainer, *streams: Any) -> Iterator[Packet[Any]]:
    """The packets of these streams in the file's order, without the empty ones at the end."""
    for packet in container.demux(*streams):
        if packet.size or packet.pts is not None:
            yield packet


@contextlib.contextmanager
def told(level: int) -> Iterator[list[Any]]:
    """What libav tells this thread within the block, at a level of its log: (level, who, words). It
    takes the process's log level for that time."""
    with _log_level:
        before = av_logging.get_level()
        av_logging.set_level(level)
        av_logging.set_libav_level(level)
        try:
            with av_logging.Capture() as lines:
                yield lines
        finally:
            av_logging.set_level(before)
            if before is not None:
                av_logging.set_libav_level(av_logging.adapt_level(before))


def dumped(container: InputContainer) -> dict[int, list[str]]:
    """libav's own description, by the stream's index: its line, then what stands below it.

    PyAV 18 shows neither the chroma location nor a stream's side data nor the codec of a stream
    without decoder; this text has them all. It takes the process's log level for a moment.
    """
    text = _dump(container)
    found: dict[int, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("  Stream #0:"):
            index = int("".join(_leading_digits(line.removeprefix("  Stream #0:"))))
            lines = found[index] = [line.split(": ", 1)[1]]
        elif line.startswith("    ") and lines:
            lines.append(line)
    return found


def _dump(container: InputContainer) -> str:
    with told(av_logging.VERBOSE):
        text: str = container.dumps_format()  # type: ignore[attr-defined]
    return text


def programs_of(container: InputContainer) -> tuple[str, ...]:
    """The tags of a transport stream's programs, such as the broadcaster, each as `name: value`;
    PyAV 18 shows them in the same text only."""
    before = _dump(container).partition("\n  Stream #0:")[0].partition("\n  Program ")[2]
    tags = re.findall(r"^      (\S+) *: (.+)$", before, re.MULTILINE)
    return tuple(f"{name}: {value}" for name, value in tags)


def _leading_digits(text: str) -> Iterator[str]:
    for letter in text:
        if not letter.isdigit():
            return
        yield letter
