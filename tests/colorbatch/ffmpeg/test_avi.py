"""The field order in an AVI's header, which mediainfo reads as well."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from colorbatch.ffmpeg import avi, frames, probe


@pytest.mark.parametrize("fields", ["tff", "bff", "prog"])
@pytest.mark.parametrize("codec", ["utvideo", "huffyuv", "rawvideo"])
def test_fields_of_codecs_that_do_not_tell_them(
    tmp_path: Path, need: Callable[[str], None], codec: str, fields: str
) -> None:
    """ffmpeg writes the header."""
    need("ffmpeg")
    need("mediainfo")
    path = tmp_path / "s.avi"
    form = "uyvy422" if codec == "rawvideo" else "yuv422p"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=r=25:d=0.12:s=720x576"]
    command += ["-vf", f"format={form},setfield={fields}", "-c:v", codec, str(path)]
    subprocess.run(command, check=True)
    command = ["mediainfo", "--Inform=Video;%ScanOrder%", str(path)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    wanted = "" if fields == "prog" else fields
    assert run.stdout.strip() == wanted.upper()
    film = probe(path)
    assert film.video.fields == wanted
    with frames(film) as reading:
        assert [frame.fields for frame in reading] == [wanted] * 3


def test_headers_that_are_cut_off_or_odd_tell_nothing(tmp_path: Path) -> None:
    """Whatever is in the file."""
    path = tmp_path / "s.avi"
    for data in (b"", b"RIFF", b"RIFF\x10\0\0\0AVI LIST\xff\xff\xff\xffhdrl", b"x" * 500):
        path.write_bytes(data)
        assert avi.field_order(path, 0) == "unknown"
