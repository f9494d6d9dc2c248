"""A film of shots of every kind, and numbered frames of such shots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from colorbatch.clips import numbered_clip, numbered_recipe, numbered_steady
from colorbatch.clips.clip import Maker
from colorbatch.clips.numbered_clip import FramesClip
from colorbatch.clips.request import ClipRequest
from colorbatch.clips.stabiliser import step_of
from colorbatch.color import Codes
from colorbatch.job import FilmOutcome, FilmSettings
from colorbatch.model.contract import sha256
from tests.colorbatch.clips import sequences
from tests.colorbatch.clips.sequences import FIRST, Counting, picture, write

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


# --- numbered frames ------------------------------------------------------------------------


@pytest.fixture
def counting(tiny_model: Path) -> Counting:
    return Counting(str(tiny_model), "cpu", batch_size=4)


@pytest.fixture
def make_frames(counting: Counting) -> Callable[..., FilmOutcome]:
    """Makes a sequence as a run does, by `counting` or another engine; what a run says of one that
    is finished as well."""

    def made(one: FramesClip, *, redo: Any = "nothing", **more: Any) -> FilmOutcome:
        settings = more.pop("settings", FilmSettings())
        engine = more.pop("engine", counting)
        maker = Maker(engine, sha256(engine.path), settings, 2, step=step_of(settings), **more)
        request = replace(ClipRequest(sources=()), settings=settings, redo=redo)
        with numbered_clip.journals_of([one], request) as journals:
            journals.lock()
            judged, ended = one.judged(request, journals, lambda: maker.model_sha256)
            return ended or judged.make(maker, journals, request)

    return made


@pytest.fixture
def mixed_frames(tmp_path: Path) -> Path:
    """RGB TIFF of 16 bits: `sequences.SHOTS`, numbered from FIRST on."""
    (tmp_path / "mixed").mkdir()
    number = FIRST
    for seed, (kind, count) in enumerate(sequences.SHOTS, 1):
        for at in range(count):
            write(tmp_path / "mixed" / f"f_{number:04d}.tif", picture(kind, seed, at))
            number += 1
    return tmp_path / "mixed"


@pytest.fixture
def one_shot(tmp_path: Path) -> Path:
    """One shot of 48 frames."""
    (tmp_path / "shot").mkdir()
    for at in range(48):
        write(tmp_path / "shot" / f"f_{at:04d}.tif", picture("grey", 3, at))
    return tmp_path / "shot"


@pytest.fixture
def near_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (numbered_recipe, numbered_steady):
        monkeypatch.setattr(module, "BORDER", 12)
