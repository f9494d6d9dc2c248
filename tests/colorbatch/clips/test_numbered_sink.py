"""Sequences that become frames: what is planned, where chroma lies, what space they need."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from colorbatch import scans
from colorbatch.clips import numbered_frame, space
from colorbatch.clips.numbered_plan import FrameJob, FramePlan, plan_frames
from colorbatch.color.ycbcr import Region
from colorbatch.inputs.numbered_files import of_pattern
from colorbatch.job import FilmSettings

SETTINGS = FilmSettings(fps=Fraction(24))


@pytest.fixture
def plan(tmp_path: Path) -> FramePlan:
    """48 TIFF frames of 8 bits."""
    for index in range(48):
        tifffile.imwrite(tmp_path / f"a{index:03d}.tif", np.full((12, 16), 5 * index, np.uint8))
    return plan_frames(of_pattern(str(tmp_path / "a%03d.tif")), tmp_path / "out", SETTINGS)


def test_every_frame_has_a_job_with_its_own_name(plan: FramePlan, tmp_path: Path) -> None:
    """And the journal is in the folder of the results."""
    jobs = plan.jobs()
    assert [job.target.name for job in jobs] == [job.source.name for job in jobs]
    assert {job.home for job in jobs} == {tmp_path / "out"} and len(jobs) == 48
    assert plan.job.target == tmp_path / "out" / "a%03d.tif"
    assert "48 frames; 16x12, 8 bits; transfer srgb" in str(plan)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("1", None, 24, 47),
        (None, "1", 0, 23),
        ("1/24", "2/24", 1, 1),
        ("1/25", "0.99", 1, 23),
        ("1.95", "9", 47, 47),
    ],
)
def test_parts_are_exact(
    plan: FramePlan, start: str | None, end: str | None, first: int, last: int
) -> None:
    """The first frame that is not before the start, and none from the end on."""
    asked = dataclasses.replace(
        SETTINGS,
        start=Fraction(start) if start else None,
        end=Fraction(end) if end else None,
    )
    numbers = plan_frames(plan.sequence, plan.folder, asked).numbers
    assert (numbers[0], numbers[-1]) == (first, last)


def test_what_decides_a_result_is_in_its_digest(plan: FramePlan) -> None:
    """Saturation, region and meaning of the codes; not the rate, nor a word that means the same."""
    same = dataclasses.replace(SETTINGS, fps=Fraction(25), on_color="colorize", codec="x")
    assert plan.digest(same) == plan.digest(SETTINGS)
    others = {plan.digest(dataclasses.replace(SETTINGS, saturation=0.5))}
    for more in ({"region": Region(8, 8, 0, 0)}, {"transfer": "log"}):
        asked = dataclasses.replace(SETTINGS, **more)
        others.add(plan_frames(plan.sequence, plan.folder, asked).digest(asked))
    assert len(others | {plan.digest(SETTINGS)}) == 4
    display = dataclasses.replace(SETTINGS, transfer="srgb")
    again = plan_frames(plan.sequence, plan.folder, display)
    assert again.digest(display) == plan.digest(SETTINGS)


@pytest.mark.parametrize("size", [(4, 4), (32, 32)])
def test_chroma_of_a_region_is_placed(size: tuple[int, int]) -> None:
    """Constant chroma fills the region, whether it is larger or smaller than what the model gives,
    and nothing else."""
    ab = np.broadcast_to(np.array([20, -7], np.float32), (*size, 2))
    whole = numbered_frame.placed(ab, (30, 40), Region(17, 9, 3, 5))
    inside = np.zeros((30, 40), bool)
    inside[5:14, 3:20] = True
    np.testing.assert_allclose(whole[inside], [[20, -7]] * inside.sum(), rtol=1e-5)
    assert (whole[~inside] == 0).all()
    assert numbered_frame.placed(ab, (30, 40), None) is ab


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("packing", [0, 1])
def test_the_size_of_dpx_results_is_known(
    dpx_file: Any, tmp_path: Path, bits: int, channels: int, packing: int
) -> None:
    """What is told before work is what is written, to the byte."""
    codes = np.full((5, 7, channels), 100, np.uint16)
    path = dpx_file(codes, bits, packing).write(tmp_path / "a.dpx")
    told, exact = scans.result_bytes(path)
    source = scans.read(path)
    with (tmp_path / "b.dpx").open("w+b") as file:
        scans.write(file, source, np.ascontiguousarray(source.samples.repeat(3, 2)[..., :3]))
    assert exact and told == (tmp_path / "b.dpx").stat().st_size


def test_space_of_a_sequence(plan: FramePlan) -> None:
    """Uncompressed TIFF: three bytes for one, for every frame."""
    one = FrameJob(plan, tuple(plan.jobs()))
    expected = space.of_sequence(one)
    assert expected.pictures == 48
    assert expected.result.middle == pytest.approx(48 * (12 * 16 * 3 + 1200), rel=0.01)
    assert space.of_sequence(FrameJob(plan)).result.middle == 0
