"""Films that begin before 0 and films with an edit list: nothing is lost, and all stays in step."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch import ffmpeg
from colorbatch.ffmpeg import Muxed, Planes, SegmentWriter

pytestmark = pytest.mark.slow

BEGIN = -6
"""Pictures that stand before 0, of 12 at 24 in a second."""


def sound(begin: Fraction) -> Callable[[Any], list[Any]]:
    """Adds half a second of sound, a packet for each 1024 samples, and a chapter."""

    def more(container: Any) -> list[Any]:
        stream = container.add_stream(
            "pcm_s16le" if "mat" in container.format.name else "mp2", 48000
        )
        each = 1024 if "mat" in container.format.name else 1152
        packets = []
        for number in range(20):
            wave = (np.sin(np.arange(2 * each) * 0.05) * 9000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, "s16", "stereo")
            frame.rate, frame.time_base = 48000, Fraction(1, 48000)
            frame.pts = round(begin * 48000) + number * each
            packets += stream.encode(frame)
        return [*packets, *stream.encode(None)]

    return more


@pytest.fixture
def joined(tmp_path: Path) -> Callable[..., Muxed]:
    """A function that joins a film of one segment, with flat color."""

    def make(path: Path, name: str, codec: str) -> Muxed:
        film = ffmpeg.probe(path)
        encoding = ffmpeg.plan(film, codec=codec).encoding
        segment = tmp_path / f"{name}.segment.{encoding.segment_container}"
        with ffmpeg.frames(film) as reading, SegmentWriter(segment, encoding) as writer:
            for frame in reading:
                luma = frame.planes.luma
                assert luma is not None
                flat = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 110, np.uint8)
                writer.write(Planes(luma=luma, chroma=(flat, flat)), frame.pts, frame.duration)
            made = writer.close()
        return ffmpeg.join([made], film, tmp_path / name, encoding)

    return make


def times(path: Path, kind: str) -> list[float]:
    """When packets are shown, by ffprobe, which is not the libav of this package."""
    command = ["ffprobe", "-v", "error", "-select_streams", kind, "-show_entries"]
    command += ["packet=pts_time,flags", "-of", "csv=p=0", str(path)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    rows = [line.strip(",").split(",") for line in run.stdout.split()]
    return sorted(float(row[0]) for row in rows if "D" not in row[1])  # D: cut off


@pytest.mark.parametrize("name", ["r.mp4", "r.mkv", "r.mov"])
@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("source", ["negative.mkv", "wraps.ts"])
def test_a_film_that_begins_before_0_keeps_every_picture(
    make_clip: Callable[..., Path],
    joined: Callable[..., Muxed],
    need: Callable[[str], None],
    source: str,
    codec: str,
    name: str,
) -> None:
    """Matroska may have such times (RFC 9559, 10.2); a transport stream's clock of 33 bits at
    90 kHz (ISO/IEC 13818-1, 2.4.2.1) runs over after 95443.7 s, and libav counts back from there.
    All moves alike: the earliest to 0, and the sound stays as far from the pictures."""
    need("ffprobe")
    if (codec, name) == ("ffv1", "r.mov"):
        pytest.skip("QuickTime holds no FFV1")
    wraps = source.endswith(".ts")
    options = {"output_ts_offset": f"{2**33 / 90000 - 0.3:.6f}"} if wraps else {}
    begin = 0 if wraps else BEGIN
    path = make_clip(
        source,
        "libx264" if wraps else "ffv1",
        size=(48, 64),
        rate=Fraction(24),
        time_base=Fraction(1, 24),
        times=range(begin, begin + 12),
        more=sound(Fraction(begin, 24) + Fraction(1, 20)),
        container_options=options | ({} if wraps else {"avoid_negative_ts": "disabled"}),
    )
    with av.open(str(path)) as container:
        starts = [each.start_time * each.time_base for each in container.streams]  # type: ignore[operator]
    assert max(starts) < 0
    result = joined(path, name, codec)
    pictures, heard = times(result.path, "v"), times(result.path, "a")
    assert len(pictures) == result.frames == 12 and len(heard) == 20
    assert 0 <= min(pictures[0], heard[0]) <= 0.001
    assert np.diff(pictures) == pytest.approx(1 / 24, abs=0.0011)
    assert heard[0] - pictures[0] == pytest.approx(float(starts[1] - starts[0]), abs=0.0011)
    assert any("later: the source begins before 0" in note for note in result.notes)


def test_sound_that_an_edit_list_cuts_off_stays_cut_off(
    make_clip: Callable[..., Path],
    joined: Callable[..., Muxed],
    need: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """A part of an MP4 that ffmpeg takes without encoding: its edit list (ISO/IEC 14496-12, 8.6.6)
    hides what stands between the key frame and the part's begin."""
    need("ffmpeg")
    need("ffprobe")
    whole = make_clip("whole.mp4", "libx264", more=aac, options={"g": "100"})
    cut = tmp_path / "cut.mp4"
    command = ["ffmpeg", "-v", "error", "-ss", "0.25", "-i", str(whole), "-c", "copy", str(cut)]
    subprocess.run(command, check=True)
    shown = times(cut, "v")
    film = ffmpeg.probe(cut)
    assert film.video.frames == len(shown) < 12
    for name in ("r.mkv", "r.mp4"):
        result = joined(cut, name, "ffv1")
        assert len(times(result.path, "v")) == len(shown)
        heard = times(result.path, "a")
        assert heard == pytest.approx(times(cut, "a"), abs=0.0006), name
        told = any("which the source cuts off" in note for note in result.notes)
        assert told == (name == "r.mkv")


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(18), Fraction(24000, 1001), Fraction(60)])
def test_the_last_picture_is_shown_to_its_end(
    make_clip: Callable[..., Path],
    joined: Callable[..., Muxed],
    need: Callable[[str], None],
    rate: Fraction,
) -> None:
    """Matroska's milliseconds cut the duration of each picture to whole ones; the film is as long
    as its pictures, to the nearest millisecond."""
    need("ffprobe")
    base = Fraction(1, 1000)
    shown = [round(number / rate / base) for number in range(50)]
    path = make_clip("s.mkv", "libx264", rate=rate, time_base=base, times=shown, size=(48, 64))
    result = joined(path, "r.mp4", "libx264")
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries"]
    command += ["stream=duration", "-of", "csv=p=0", str(result.path)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    assert float(run.stdout.strip().strip(",")) == pytest.approx(50 / rate, abs=0.00051)


def aac(container: Any) -> list[Any]:
    """Adds half a second of AAC."""
    stream = container.add_stream("aac", rate=48000)
    packets = []
    for number in range(24):
        wave = np.sin(np.arange(1024) * 0.05 + number)[None].repeat(2, 0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "stereo")
        frame.rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), number * 1024
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]
