"""JPEG 2000 as archives keep it; its pictures by OpenJPEG, not by what wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import imagecodecs
import numpy as np
import pytest

from colorbatch.ffmpeg import Planes, SegmentWriter, encoder_named, frames, plan, probe

CODESTREAM = bytes.fromhex("ff4fff51")
"""The markers with which one begins (ISO/IEC 15444-1, A.4.1 and A.5.1)."""
STEPS = tuple(range(0, 3003, 1001))


def test_it_becomes_nothing_by_itself(make_clip: Callable[..., Path]) -> None:
    """A film of it is written in FFV1, or in H.264 at 8 bits, unless it is asked for."""
    film = probe(make_clip("s.mov", "jpeg2000", "yuv422p10le", times=STEPS))
    assert film.video.codec == "jpeg2000"
    assert plan(film).encoding.codec == "ffv1"
    asked = plan(film, codec="jpeg2000")
    assert (asked.encoding.pix_fmt, asked.container) == ("yuv422p10le", "mov")
    assert asked.fit.bits_lost == 0
    assert encoder_named("jpeg2000").intra


def test_rgb_keeps_its_depth_in_more_bits(make_clip: Callable[..., Path]) -> None:
    """Planes of 10 bits would be read as 16 that are not these samples: 16 from the start."""
    film = probe(make_clip("s.mkv", "ffv1", "gbrp10le", times=STEPS))
    fit = plan(film, codec="jpeg2000").fit
    assert (fit.pixels.name, fit.bits_lost) == ("rgb48le", 0)


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "yuv444p12le", "yuv444p16le"])
def test_openjpeg_reads_every_sample(
    make_clip: Callable[..., Path], tmp_path: Path, pix_fmt: str
) -> None:
    """Another decoder of the standard finds what went in, at odd sizes as well."""
    film = probe(make_clip("s.mkv", "ffv1", pix_fmt, size=(51, 67), times=STEPS))
    encoding = plan(film, codec="jpeg2000").encoding
    assert dict(encoding.options) == {"pred": "dwt53"}
    given: list[Planes] = []
    with frames(film) as read, SegmentWriter(tmp_path / "s.mp4", encoding) as writer:
        for frame in read:
            given.append(frame.planes)
            writer.write(frame.planes, frame.pts, frame.duration)
    with av.open(str(tmp_path / "s.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        for packet, planes in zip(packets, given, strict=True):
            data = bytes(packet)
            # without the box that says Y'CbCr, which OpenJPEG would turn into RGB
            found = imagecodecs.jpeg2k_decode(data[data.index(CODESTREAM) :])
            assert planes.luma is not None and planes.chroma is not None
            np.testing.assert_array_equal(found, np.dstack([planes.luma, *planes.chroma]))
