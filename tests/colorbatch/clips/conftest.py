"""A film of shots of every kind."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from colorbatch.color import Codes

SHOTS = (("grey", 8), ("color", 8), ("tinted", 8), ("title", 4), ("grey", 20))
"""Of the film: what they show, and how many frames each has, at one frame a second."""


def _scene(seed: int, shift: int) -> Codes:
    """Patches that move, (96, 128), uint8."""
    small = np.random.default_rng(seed).integers(20, 240, (6, 10)).astype(np.uint8)
    wide = cv2.GaussianBlur(small.repeat(16, 0).repeat(16, 1), (0, 0), 1.0)
    return np.asarray(wide[:, shift : shift + 128], np.uint8)


def _picture(kind: str, number: int, at: int) -> Codes:
    """A frame of a shot, sRGB codes (96, 128, 3)."""
    if kind == "title":
        plain = np.full((96, 128, 3), 110, np.uint8)
        for row, text in enumerate(("The", "end")):
            place = (30, 40 + 34 * row)
            cv2.putText(plain, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (245,) * 3, 2)
        return plain
    light = _scene(10 * number, at)
    if kind == "grey":
        return np.repeat(light[..., None], 3, axis=2)
    if kind == "tinted":
        return (light[..., None] * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    return np.dstack([light, _scene(10 * number + 1, at), _scene(10 * number + 2, at)])


@pytest.fixture
def mixed_film(tmp_path: Path) -> Path:
    """FFV1 in Matroska, yuv444p: the `SHOTS`, one after the other."""
    path = tmp_path / "mixed.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(1), options={"g": "1"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv444p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 24)
        tick = 0
        for number, (kind, count) in enumerate(SHOTS):
            for at in range(count):
                frame = av.VideoFrame.from_ndarray(_picture(kind, number, at), "rgb24")
                frame = frame.reformat(format="yuv444p")
                frame.pts, frame.time_base = tick, Fraction(1, 24)
                file.mux(stream.encode(frame))
                tick += 24
        file.mux(stream.encode(None))
    return path
