"""The comparison of luma by itself: what it finds, and what it leaves when it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_plan, luma_proof
from colorbatch.errors import StoppedError
from colorbatch.job import FilmSettings


def test_a_stop_leaves_no_lists(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """Asked for every frame; lists are whole or not there."""
    source = make_clip("s.mkv")
    plan = film_plan.plan_film(ffmpeg.probe(source), FilmSettings())
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 5

    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoppedError):
        luma_proof.prove_luma(plan, source, stop)
    assert sorted(tmp_path.iterdir()) == before and len(asked) == 6
    assert luma_proof.prove_luma(plan, source).holds


def test_a_film_that_lost_depth_is_proved_after_rounding(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Of a source of 10 bits and a result of 8 that is its rounding, made here; one code off in one
    sample is found."""
    import av
    import numpy as np

    source = make_clip("s.mkv", "ffv1", "yuv420p10le")
    settings = FilmSettings(codec="ffv1", pix_fmt="yuv420p", allow_depth_loss=True)
    plan = film_plan.plan_film(ffmpeg.probe(source), settings)

    def make(name: str, wrong: int) -> Path:
        path = tmp_path / name
        with av.open(str(source)) as container, av.open(str(path), "w") as result:
            stream = result.add_stream("ffv1", rate=24)
            stream.height, stream.width, stream.pix_fmt = 50, 66, "yuv420p"
            for number, given in enumerate(container.decode(video=0)):
                lines = np.frombuffer(given.planes[0], np.uint16).reshape(50, -1)[:, :66]
                codes = np.minimum((lines.astype(int) + 2) // 4, 255)
                codes[7, 7] ^= wrong
                frame = av.VideoFrame(66, 50, "yuv420p")
                view = np.frombuffer(frame.planes[0], np.uint8).reshape(50, -1)
                view[:, :66] = codes
                frame.pts = number
                result.mux(stream.encode(frame))
            result.mux(stream.encode(None))
        return path

    right = luma_proof.prove_luma(plan, make("r.mkv", 0))
    assert right.holds and "after rounding to 2 bits less" in right.text
    wrong = luma_proof.prove_luma(plan, make("w.mkv", 1))
    assert (wrong.holds, wrong.equal, wrong.largest) == (False, 0, 1)
