"""Films at a glance: which pictures stand alone, and what does not keep to that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from colorbatch.ffmpeg import IrregularError, frames, glances, probe


@pytest.mark.parametrize(
    ("name", "codec", "options", "sparse"),
    [
        ("a.mkv", "ffv1", {"g": "1"}, True),
        ("a.mov", "prores_ks", {}, True),
        ("a.avi", "mjpeg", {}, True),
        ("a.mp4", "libx264", {"g": "1"}, False),  # its decoder may hold pictures back
        ("a.ts", "libx264", {"g": "1"}, False),  # its clock may jump
    ],
)
def test_what_stands_alone(
    make_clip: Callable[..., Path], name: str, codec: str, options: dict[str, str], sparse: bool
) -> None:
    """Pictures are those of a reading, whatever is asked for of them."""
    pixels = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    film = probe(make_clip(name, codec, pixels, options=options, size=(48, 64)))
    with frames(film) as reading:
        whole = [(frame.pts, frame.planes.digest()) for frame in reading]
    with glances(film) as found:
        assert found.sparse == sparse
        seen = []
        for one in found:
            picture = one.picture()
            seen.append((one.pts, picture.digest() if picture else ""))
    assert seen == whole
    assert (found.ending is None) == sparse


def test_pictures_that_build_upon_others_are_found_out(make_clip: Callable[..., Path]) -> None:
    """FFV1 may, and only its packets say so; read densely they are all there."""
    film = probe(make_clip("s.mkv", "ffv1", options={"g": "5"}))
    with glances(film) as found, pytest.raises(IrregularError):
        list(found)
    with glances(film, dense=True) as found, frames(film) as reading:
        assert [one.pts for one in found] == [frame.pts for frame in reading]
