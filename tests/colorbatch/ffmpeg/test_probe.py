"""What is told of a film file, and the one line for a file that is none."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from colorbatch.errors import SourceError
from colorbatch.ffmpeg import Color, frames, probe

QUARTER_TURN = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
"""libav's display matrix for 90 degrees counterclockwise (16.16 and 2.30 fixed point)."""


def tags(stream: Any) -> None:
    """PAL 16:9 from a tape: every tag set to something that is no default."""
    context = stream.codec_context
    context.color_range, context.colorspace = 1, 5
    context.color_primaries, context.color_trc = 5, 6
    context.sample_aspect_ratio = Fraction(64, 45)
    context.field_order = 2


def test_video_facts(make_clip: Callable[..., Path]) -> None:
    """What was set when the clip was made is what is told."""

    def setup(stream: Any) -> None:
        tags(stream)
        stream.set_display_rotation(90)

    options = {"flags": "+ildct+ilme", "chroma_sample_location": "topleft"}
    path = make_clip(
        "f.mp4", "libx264", size=(64, 66), options=options, setup=setup, field_mode="tff"
    )
    video = probe(path).video
    assert (video.codec, video.profile, video.size) == ("h264", "High", (64, 66))
    assert (video.pixels.name, video.pixels.depth, video.pixels.subsampling) == (
        "yuv420p",
        8,
        (2, 2),
    )
    assert (video.time_base, video.average_rate) == (Fraction(1, 24000), Fraction(24000, 1001))
    assert (video.sample_aspect, video.rotation, video.matrix) == (
        Fraction(64, 45),
        90,
        QUARTER_TURN,
    )
    assert (video.field_order, video.interlaced, video.variable) == ("tt", True, False)
    assert video.color == Color(1, 5, 6, 5)
    assert (video.chroma_location, video.frames) == ("topleft", 12)
    assert video.duration == Fraction(12012, 24000)


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
def test_ffprobe_tells_the_same(make_clip: Callable[..., Path]) -> None:
    """A second opinion: the command that archives use."""
    options = {"flags": "+ildct+ilme", "chroma_sample_location": "topleft"}
    path = make_clip(
        "f.mkv", "libx264", size=(64, 66), options=options, setup=tags, field_mode="tff"
    )
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    stream = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    video = probe(path).video
    assert stream[0]["sample_aspect_ratio"] == "64:45" and video.sample_aspect == Fraction(64, 45)
    assert stream[0]["field_order"] == video.field_order == "tt"
    assert stream[0]["chroma_location"] == video.chroma_location == "topleft"
    assert stream[0]["color_range"] == "tv" and video.color.range == 1
    assert stream[0]["color_space"] == "bt470bg" and video.color.matrix == 5
    assert stream[0]["color_primaries"] == "bt470bg" and video.color.primaries == 5
    assert stream[0]["color_transfer"] == "smpte170m" and video.color.transfer == 6


def test_time_code_chapters_and_tags(make_clip: Callable[..., Path]) -> None:
    """MOV's tracks of time code and chapters are told as such, not as streams to copy."""

    def setup(stream: Any) -> None:
        stream.metadata["timecode"] = "10:00:00;02"
        stream.metadata["language"] = "ger"

    def more(container: Any) -> list[Any]:
        container.metadata["title"] = "Überfahrt"
        base = Fraction(1, 1000)
        chapter = {
            "id": 1,
            "start": 100,
            "end": 300,
            "time_base": base,
            "metadata": {"title": "Reel"},
        }
        container.set_chapters([chapter])
        return []

    path = make_clip(
        "t.mov",
        "prores_ks",
        "yuv422p10le",
        setup=setup,
        more=more,
        rate=Fraction(30000, 1001),
        times=range(0, 9009, 1001),
        time_base=Fraction(1, 30000),
    )
    film = probe(path)
    assert (film.family, film.video.timecode, film.metadata["title"]) == (
        "mov",
        "10:00:00;02",
        "Überfahrt",
    )
    assert film.streams[0].language == "ger"
    assert [each.codec for each in film.streams if each.generated] != []
    assert film.others == ()
    [chapter] = film.chapters
    assert (chapter.start * chapter.time_base, chapter.end * chapter.time_base) == (
        Fraction(1, 10),
        Fraction(9009, 30000),
    )
    assert chapter.metadata["title"] == "Reel"


def test_ffv1_with_and_without_check_sums(make_clip: Callable[..., Path]) -> None:
    """Version 3 has them unless told otherwise."""
    with_sums = make_clip("w.mkv", options={"level": "3", "slicecrc": "1"})
    without = make_clip("o.mkv", options={"level": "3", "slicecrc": "0"})
    assert probe(with_sums).video.slice_crcs and not probe(without).video.slice_crcs


def test_broken_files_are_one_line(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """Missing, empty, a folder, text, a playlist, a film without its index, sound alone."""
    whole = make_clip("w.mp4", "libx264")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-600])
    (tmp_path / "empty.mkv").touch()
    (tmp_path / "text.mkv").write_text("no film\n" * 100, "utf-8")
    list_ = f"ffconcat version 1.0\nfile '{whole}'\n"
    (tmp_path / "list.ffconcat").write_text(list_, "utf-8")
    sound = tmp_path / "sound.mka"
    with av.open(str(sound), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame("s16", "stereo", 800)
        frame.rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    names = ["missing.mkv", "empty.mkv", "text.mkv", "cut.mp4", "sound.mka", "list.ffconcat", "."]
    for name in names:
        with pytest.raises(SourceError) as found:
            probe(tmp_path / name)
        assert str(tmp_path / name) in str(found.value)
        assert "\n" not in str(found.value) and len(str(found.value)) < 300


def test_a_name_that_is_a_protocol_elsewhere(make_clip: Callable[..., Path]) -> None:
    """A colon and a percent sign in a name are part of the name."""
    path = make_clip("plain.mkv")
    odd = path.rename(path.with_name("concat-50%03d.mkv"))
    assert probe(odd).video.codec == "ffv1"


def test_variable_rate_is_told_where_the_index_has_it(make_clip: Callable[..., Path]) -> None:
    """MP4's index has every frame; Matroska's has not, and that is said."""
    times = (0, 1001, 3000, 3500)
    assert probe(make_clip("v.mp4", "libx264", times=times)).video.variable is True
    assert probe(make_clip("c.mp4", "libx264")).video.variable is False
    assert probe(make_clip("c.mkv", "libx264")).video.variable is None


def test_side_data_that_pyav_does_not_know(make_clip: Callable[..., Path]) -> None:
    """Decoded TIFF carries EXIF; what stands beside it, such as the rotation, is told all the
    same."""
    path = make_clip(
        "t.mov", "tiff", "gray16le", setup=lambda stream: stream.set_display_rotation(90)
    )
    with av.open(str(path)) as container:
        # libav's number for EXIF in FFmpeg 8.1
        assert [data.type.value for data in next(container.decode(video=0)).side_data][-1] == 31
    video = probe(path).video
    assert (video.rotation, video.matrix, video.beside) == (90, QUARTER_TURN, ("EXIF",))


@pytest.mark.parametrize("name", ["late.mkv", "late.mp4", "late.nut"])
def test_a_film_that_begins_late_is_as_long_as_its_pictures(
    make_clip: Callable[..., Path], name: str
) -> None:
    """Matroska's DURATION counts from 0; a whole film does not end before its time."""
    late = tuple(range(3 * 24000, 3 * 24000 + 24024, 1001))
    film = probe(make_clip(name, "ffv1", times=late))
    assert film.video.start * film.video.time_base == 3
    assert film.video.duration is not None and film.video.frames is not None
    assert abs(film.video.duration - Fraction(24024, 24000)) <= Fraction(1001, 24000)
    assert abs(film.video.frames - 24) <= 1
    with frames(film) as read:
        assert len(list(read)) == 24
    assert read.ending is not None and read.ending.cut_off == ""


def test_a_late_film_that_is_cut_off_is_told(make_clip: Callable[..., Path]) -> None:
    """The tag of its length stands at the begin, and half of the pictures are gone."""
    late = tuple(range(3 * 24000, 3 * 24000 + 24024, 1001))
    path = make_clip("late.mkv", "ffv1", times=late)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    film = probe(path)
    with frames(film) as read:
        count = len(list(read))
    assert 5 < count < 20
    assert read.ending is not None and read.ending.cut_off
