"""Files that libav writes into: a disk that is full is told once."""

from __future__ import annotations

import errno
import gc
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch.errors import TargetError
from colorbatch.ffmpeg import EncoderSettings, Planes, SegmentWriter
from colorbatch.ffmpeg.output import Guarded, Nowhere


class Full(io.BytesIO):
    """A disk with room for some bytes. With a file's buffer before it, whose rest cannot be written
    either, it also refuses to go to another place."""

    full = False

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any, /) -> int:
        self.full |= self.tell() + len(data) > self.room
        self.refuse()
        return super().write(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.refuse()
        return super().seek(offset, whence)

    def refuse(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def write(writer: SegmentWriter, frames: int = 5, close: bool = True) -> None:
    rng = np.random.default_rng(1)
    for pts in range(frames):
        luma = rng.integers(0, 256, (48, 64), np.uint8)
        chroma = np.full((24, 32), 128, np.uint8)
        writer.write(Planes(luma, (chroma, chroma)), pts, 1)
    if close:
        writer.close()


ENCODING = EncoderSettings("ffv1", "yuv420p", (48, 64), Fraction(1, 24), Fraction(24))


@pytest.mark.parametrize("room", [0, 5000, 1_100_000])
def test_a_full_disk_is_told_once(capfd: pytest.CaptureFixture[str], room: int) -> None:
    """libav goes on writing after the first error; no traceback of PyAV's appears."""
    with pytest.raises((OSError, TargetError), match="No space left"):
        write(SegmentWriter(Path("s.mp4"), ENCODING, file=Full(room)), 400)
    told = capfd.readouterr()
    assert told.err == told.out == ""


def test_what_is_given_up_leaves_no_error_behind(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """libav empties its buffer into the closed file; the next segment on this thread is whole."""
    for number in range(2):
        with (
            pytest.raises(KeyboardInterrupt),
            SegmentWriter(tmp_path / f"{number}.mp4", ENCODING) as writer,
        ):
            write(writer, close=False)
            raise KeyboardInterrupt
        del writer
        gc.collect()
    write(SegmentWriter(tmp_path / "s.mp4", ENCODING))
    assert [path.name for path in tmp_path.iterdir()] == ["s.mp4"]
    told = capfd.readouterr()
    assert told.err == told.out == ""


def test_nowhere_counts_what_a_file_would_take(tmp_path: Path) -> None:
    """The muxer goes back to complete what it wrote; the size is the file's."""
    write(SegmentWriter(tmp_path / "s.mp4", ENCODING))
    nowhere = Nowhere()
    write(SegmentWriter(Path("s.mp4"), ENCODING, file=nowhere))
    assert nowhere.size == (tmp_path / "s.mp4").stat().st_size > 0


def test_only_the_first_error_is_told() -> None:
    """PyAV prints the traceback of a second one; libav seeks and writes on after a failed write."""
    file = Guarded(Full(3))
    assert file.write(b"abc") == 3
    with pytest.raises(OSError, match="No space left"):
        file.write(b"d")
    assert file.seek(0) == 0 and file.write(b"de") == 2 and file.tell() == 2
    closed = io.BytesIO()
    closed.close()
    assert Guarded(closed).write(b"abc") == 3 and Guarded(closed).closed


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_pictures_of_x265(frames: int, tmp_path: Path) -> None:
    """Its decoding times of so few are not always set; again and again they make a segment."""
    for number, base in enumerate((24, 1000, 24000, 90000) * 4):
        encoding = EncoderSettings("libx265", "yuv420p", (48, 64), Fraction(1, base), Fraction(24))
        with SegmentWriter(tmp_path / f"{number}.mp4", encoding) as writer:
            write(writer, frames, close=False)
        assert writer.close().frames == frames
