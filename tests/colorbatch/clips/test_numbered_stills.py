"""Numbered frames over which a still goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from colorbatch.clips.numbered_plan import plan_frames
from colorbatch.clips.numbered_stills import FramePictures
from colorbatch.clips.shot_looks import Still
from colorbatch.inputs.numbered_files import of_pattern
from colorbatch.job import FilmSettings


def test_frames_between_are_every_sixth_that_can_be_seen(tmp_path: Path) -> None:
    """Away from the still's, each with its own lightness; a broken one is passed over, and what is
    missing has another in its place."""
    for number in range(30):
        grey = np.full((16, 24, 3), 40 + 6 * number, np.uint8)
        tifffile.imwrite(tmp_path / f"f_{number:03d}.tif", grey, photometric="rgb")
    (tmp_path / "f_008.tif").write_bytes(b"no picture")
    (tmp_path / "f_020.tif").unlink()
    sequence = of_pattern(str(tmp_path / "f_%03d.tif"))
    plan = plan_frames(sequence, tmp_path / "out", FilmSettings(), allow_gaps=True)
    pictures, still = FramePictures(plan, "auto"), Still(tmp_path / "a.png", "", 14)
    between = pictures.between(still, (8, 8))
    assert [number for number, _ in between.before(0)] == [2]
    assert [number for number, _ in between.before(3)] == []
    behind = list(between.behind())
    assert [number for number, _ in behind] == [21, 26]
    lights = [pictures.light(still, (8, 8)), *(light for _, light in behind)]
    assert [light.shape for light in lights] == [(8, 8)] * 3
    assert lights[0].mean() + 5 < lights[1].mean() < lights[2].mean() - 5
    assert (lights[2] == pictures.seen(26, (8, 8))).all()
