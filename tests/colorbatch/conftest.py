"""Film clips made by code, and the oracle that decodes them without the code under test."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph

NTSC_FILM = Fraction(24000, 1001)


@dataclass(frozen=True)
class Picture:
    """What a fresh libav says of one frame: seconds, and for each plane its samples' bytes."""

    time: Fraction
    planes: tuple[bytes, ...]


def _noise(frame: av.VideoFrame, depth: int, rng: np.random.Generator, look: int) -> None:
    """Fill a frame's planes with noise over a ramp (look 0) or over patches, others for each look,
    within the depth."""
    for plane in frame.planes:
        wide = depth > 8
        lines = np.frombuffer(plane, np.uint16 if wide else np.uint8)
        lines = lines.reshape(-1, plane.line_size // (2 if wide else 1))
        ramp = np.add.outer(np.arange(lines.shape[0]), np.arange(lines.shape[1])) * 3
        if look:
            patches = np.random.default_rng(look).integers(0, 200, (6, 8))
            ys, xs = (np.arange(n) * c // n for n, c in zip(lines.shape, (6, 8), strict=True))
            ramp = patches[np.ix_(ys, xs)]
        top = 2**depth - 1
        values = (ramp * 2 ** (depth - 8) + rng.integers(0, 16, lines.shape)) % (top + 1)
        lines[...] = values.astype(lines.dtype)


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a film of one video stream and returns its path.

    times: the frames' pts in ticks of time_base; setup: what else to set on the stream before it is
    opened; field_mode: "tff" or "bff" marks each frame as two fields; more: adds other streams, is
    given the container before its header is written, and returns packets; looks: the number of each
    frame from which on the pictures look otherwise, and how.
    """

    def make(
        name: str,
        codec: str = "ffv1",
        pix_fmt: str = "yuv420p",
        *,
        size: tuple[int, int] = (50, 66),
        time_base: Fraction = Fraction(1, 24000),
        times: Sequence[int] = tuple(range(0, 12012, 1001)),
        rate: Fraction = NTSC_FILM,
        options: dict[str, str] | None = None,
        setup: Callable[[Any], None] = lambda stream: None,
        field_mode: str = "",
        more: Callable[[Any], Iterable[Any]] = lambda container: (),
        container_options: dict[str, str] | None = None,
        looks: Mapping[int, int] = MappingProxyType({}),
    ) -> Path:
        path, look = tmp_path / name, 0
        clocks = (
            {}
            if path.suffix not in (".mp4", ".mov")
            else {
                "movie_timescale": str(time_base.denominator),
                "video_track_timescale": str(time_base.denominator),
            }
        )
        rng = np.random.default_rng(7)
        with av.open(
            str(path), "w", container_options=clocks | (container_options or {})
        ) as container:
            stream = container.add_stream(codec, rate=rate, options=options or {})
            stream.height, stream.width = size
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = time_base
            setup(stream)
            packets = list(more(container))
            depth = av.VideoFormat(pix_fmt).components[0].bits
            steps = [*np.diff(times), *np.diff(times)[-1:], 1]
            for number, (pts, step) in enumerate(zip(times, steps, strict=False)):
                frame = av.VideoFrame(size[1], size[0], pix_fmt)
                look = looks.get(number, look)
                _noise(frame, depth, rng, look)
                frame.pts, frame.time_base, frame.duration = pts, time_base, int(step)
                container.mux(stream.encode(_marked(frame, field_mode, time_base)))
            container.mux(stream.encode(None))
            for packet in packets:
                container.mux(packet)
        return path

    return make


def _marked(frame: Any, mode: str, time_base: Fraction) -> Any:
    if not mode:
        return frame
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=time_base
    )
    graph.link_nodes(source, graph.add("setfield", mode), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


@pytest.fixture
def with_everything(tmp_path: Path) -> Callable[[Any], list[Any]]:
    """Adds two sounds, subtitles, an attachment, a cover picture (Matroska), chapters and tags."""

    def more(container: Any) -> list[Any]:
        container.metadata.update({"title": "Die Überfahrt", "comment": "Kopie 2", "REEL": "7"})
        base = Fraction(1, 1000)
        container.set_chapters(
            [
                {"id": 1, "start": 0, "end": 200, "time_base": base, "metadata": {"title": "One"}},
                {
                    "id": 2,
                    "start": 200,
                    "end": 458,
                    "time_base": base,
                    "metadata": {"title": "Two"},
                },
            ]
        )
        packets = [*_sound(container, "pcm_s16le", "ger", "default")]
        packets += _sound(container, "aac", "eng", "comment")
        if container.format.name == "matroska":
            packets += _subtitles(container, tmp_path)
            font = container.add_attachment("font.ttf", "font/ttf", bytes(range(256)) * 3)
            assert font is not None
            container.add_attachment("cover.jpg", "image/jpeg", _jpeg())
        return packets

    return more


def _sound(container: Any, codec: str, language: str, disposition: str) -> list[Any]:
    stream = container.add_stream(codec, rate=48000)
    stream.metadata["language"] = language
    stream.disposition = av.stream.Disposition[disposition]
    packets = []
    for number in range(20):
        shape = (1, 1024 * 2) if codec == "pcm_s16le" else (2, 1024)
        kind = "s16" if codec == "pcm_s16le" else "fltp"
        wave = np.sin(np.arange(shape[1]) * 0.05 + number)[None].repeat(shape[0], 0)
        wave = (wave * 9000).astype(np.int16) if kind == "s16" else wave.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), kind, "stereo")
        frame.rate, frame.pts, frame.time_base = 48000, number * 1024, Fraction(1, 48000)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def _subtitles(container: Any, folder: Path) -> list[Any]:
    text = folder / "words.srt"
    lines = "1\n00:00:00,100 --> 00:00:00,200\nJa\n\n2\n00:00:00,300 --> 00:00:00,400\nNein\n"
    text.write_text(lines, "utf-8")
    with av.open(str(text)) as source:
        stream = container.add_stream_from_template(source.streams.subtitles[0])
        stream.metadata["language"] = "ger"
        packets = [packet for packet in source.demux() if packet.size]
    for packet in packets:
        packet.stream = stream
    return packets


def _jpeg() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuvj420p"
        frame = av.VideoFrame(16, 16, "yuvj420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def pictures(path: Path, stream: int = 0) -> list[Picture]:
    """Every frame of a film as libav decodes it, read with nothing of ours."""
    found = []
    with av.open(str(path)) as container:
        video = container.streams.video[stream]
        for frame in container.decode(video):
            planes = []
            for index, plane in enumerate(frame.planes):
                parts = [part for part in frame.format.components if part.plane == index]
                wide = max(part.bits for part in parts) > 8
                width = parts[0].width * len(parts) * (2 if wide else 1)
                raw = bytes(plane)
                lines = range(0, len(raw), plane.line_size)
                planes.append(b"".join(raw[at : at + width] for at in lines))
            assert frame.pts is not None and video.time_base is not None
            found.append(Picture(frame.pts * video.time_base, tuple(planes)))
    return found


@pytest.fixture(scope="session")
def decoded() -> Callable[[Path], list[Picture]]:
    """The oracle: path to `Picture`s."""
    return pictures


@pytest.fixture(scope="session")
def packet_hashes() -> Callable[[Path, int], list[tuple[Fraction | None, str]]]:
    """Path and stream index to (seconds, SHA-256) of each packet, read with a fresh libav."""

    def read(path: Path, index: int) -> list[tuple[Fraction | None, str]]:
        with av.open(str(path)) as container:
            return [
                (
                    None if packet.pts is None else packet.pts * packet.time_base,
                    hashlib.sha256(bytes(packet)).hexdigest(),
                )
                for packet in container.demux(container.streams[index])
                if packet.size
            ]

    return read


# --- scans -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DpxFile:
    """A DPX file packed by hand after SMPTE ST 268-1, without the code under test and without any
    library. order: struct's; packing: 0 packed, 1 and 2 filled, methods A and B; unpadded: words
    run on over rows, as some scanners write them; fields: offset in the header -> bytes."""

    codes: np.ndarray[Any, Any]
    bits: int = 10
    packing: int = 1
    order: str = ">"
    transfer: int = 3
    header: int = 2048
    unpadded: bool = False
    fields: tuple[tuple[int, bytes], ...] = ()

    def head(self) -> bytes:
        """The header, with everything undefined that is not given."""
        height, width, channels = self.codes.shape
        head = bytearray(b"\xff" * 2048 + bytes(max(0, self.header - 2048)))
        head[:4] = b"SDPX" if self.order == ">" else b"XPDS"
        struct.pack_into(f"{self.order}I8sIIIII", head, 4, self.header, b"V2.0", 0, 1, 1664, 384, 0)
        head[36:768] = bytes(732)
        struct.pack_into(f"{self.order}HHII", head, 768, 0, 1, width, height)
        descriptor = {1: 6, 3: 50, 4: 51}[channels]
        struct.pack_into(
            f"{self.order}IIfIfBBBBHHIII", head, 780, 0, 0, 0.0, 2**self.bits - 1, 2.0, descriptor,
            self.transfer, 1, self.bits, self.packing, 0, self.header, 0, 0,
        )  # fmt: skip
        head[820:852] = bytes(32)
        for offset, raw in self.fields:
            head[offset : offset + len(raw)] = raw
        return bytes(head[: self.header])

    def pixels(self) -> bytes:
        """The pixels: rows of whole 32-bit words."""
        rows = self.codes.reshape(len(self.codes), -1)
        if self.unpadded:
            rows = rows.reshape(1, -1)
        if self.bits == 8:
            return self._whole(rows.astype(np.uint8), 4)
        if self.bits == 16 or (self.bits == 12 and self.packing):
            shift = 4 if self.bits == 12 and self.packing == 1 else 0
            return self._whole((rows.astype(np.uint16) << shift).astype(f"{self.order}u2"), 2)
        if self.packing == 0:
            return b"".join(self._stream(row) for row in rows)
        rows = np.pad(rows.astype(np.uint32), ((0, 0), (0, -rows.shape[1] % 3)))
        words = rows.reshape(len(rows), -1, 3)
        if self.codes.shape[2] == 1:  # luma: the first sample is the lowest
            words = words[..., ::-1]
        low = 2 if self.packing == 1 else 0
        packed = words[..., 0] << (20 + low) | words[..., 1] << (10 + low) | words[..., 2] << low
        return packed.astype(f"{self.order}u4").tobytes()

    def _whole(self, rows: np.ndarray[Any, Any], multiple: int) -> bytes:
        """Rows filled up to words, but where they are not."""
        if not self.unpadded:
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % multiple)))
        return rows.tobytes()

    def _stream(self, row: np.ndarray[Any, Any]) -> bytes:
        """A row as one stream of bits, the first sample lowest in its word."""
        number = sum(int(code) << (self.bits * place) for place, code in enumerate(row))
        count = -(-len(row) * self.bits // 32)
        words = np.frombuffer(number.to_bytes(4 * count, "little"), "<u4")
        return words.astype(f"{self.order}u4").tobytes()

    def write(self, path: Path) -> Path:
        """The file."""
        path.write_bytes(self.head() + self.pixels())
        return path


@pytest.fixture
def dpx_file() -> type[DpxFile]:
    """The class of DPX files packed by hand."""
    return DpxFile


@pytest.fixture
def libav_picture() -> Callable[[Path], np.ndarray[Any, Any]]:
    """A function that decodes a DPX or EXR file with libav: samples (H, W, C), R, G, B, A."""

    def decode(path: Path) -> np.ndarray[Any, Any]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
        if "f16" in frame.format.name:  # planes G, B, R, A of halves, which PyAV does not convert
            planes = [np.frombuffer(plane, np.uint8) for plane in frame.planes]
            lines = [part.reshape(frame.height, -1).view("<f2") for part in planes]
            order = (2, 0, 1, 3)[: len(lines)] if len(lines) > 2 else (0,)
            return np.dstack([lines[index][:, : frame.width] for index in order])
        pixels = frame.to_ndarray()
        return pixels if pixels.ndim == 3 else pixels[..., None]

    return decode
