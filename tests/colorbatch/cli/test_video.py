"""`colorbatch video` as its users run it: processes, exit codes, and films opened afterwards."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch.clips.film_journal import FilmBook, read
from colorbatch.ffmpeg import frames, probe
from tests.forks import Program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "Program | subprocess.Popen[str]"]
SLOW = {"time_base": Fraction(1, 24), "rate": Fraction(1)}
"""A frame a second: a segment has at most 15 frames."""
SHOTS = {8: 1, 11: 2, 18: 9, 19: 2, 25: 3, 30: 4, 36: 5}
"""Cuts, two of which come too early for a border, and a flash at 18."""
BORDERS = [0, 8, 23, 30, 36]
"""Of 41 such frames: at cuts 5 to 15 s behind the border before, or 15 s behind it."""


def seconds(count: int) -> dict[str, Any]:
    return {**SLOW, "times": range(0, 24 * count, 24)}


def luma(path: Path) -> list[bytes]:
    """Each frame's Y' samples as libav decodes them, without our reader."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            wide = 2 if frame.format.components[0].bits > 8 else 1
            lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            found.append(lines[: frame.height, : frame.width * wide].tobytes())
    return found


def last_json(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(run.stdout.splitlines()[-1])["summary"]


def first_json(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(run.stdout.splitlines()[0])


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "made"),
    [
        ("ffv1", "yuv420p", "yuv420p"),
        ("ffv1", "yuv422p10le", "yuv422p10le"),
        ("ffv1", "gray", "yuv420p"),
        ("ffv1", "gray10le", "yuv422p10le"),
        ("ffv1", "gray16le", "yuv422p16le"),
        ("mjpeg", "yuvj420p", "yuv420p"),
    ],
)
def test_luma_planes_are_those_of_the_source(
    run_cli: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    tmp_path: Path,
    codec: str,
    pix_fmt: str,
    made: str,
) -> None:
    """With FFV1 every Y' plane is equal by libav's own decoder; chroma is not neutral."""
    source = make_clip("s.mkv", codec, pix_fmt)
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--codec", "ffv1", "--json")
    assert run.returncode == 0, run.stderr
    assert luma(tmp_path / "r.mkv") == luma(source)
    assert first_json(run)["frames"] == 12
    with av.open(str(tmp_path / "r.mkv")) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == made
        grey = 1 << frame.format.components[0].bits - 1
        chroma = np.frombuffer(frame.planes[1], np.uint8 if grey == 128 else np.uint16)
        assert np.abs(chroma[:20].astype(int) - grey).max() > grey // 64
        # grey is full by nature, and what gets chroma is tagged so that players show it
        if pix_fmt.startswith("gray"):
            assert frame.color_range == 2 and frame.colorspace == 6
    assert source.exists() and not list(tmp_path.glob(".colorbatch/films/r.mkv/*.mp4"))


def test_rgb_stays_rgb(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """RGB comes out as RGB whose luma is the source's within the rounding of its codes."""
    source = make_clip("s.mkv", "ffv1", "gbrp10le")
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model)
    assert run.returncode == 0, run.stderr

    def grey(path: Path) -> list[Any]:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gbrp10le") for frame in container.decode(video=0)]
        return [frame @ np.array([0.299, 0.587, 0.114]) for frame in frames]

    before, after = grey(source), grey(tmp_path / "r.mkv")
    assert len(before) == len(after) == 12
    assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) <= 0.5


def rgb_clip(path: Path, pix_fmt: str, *, equal: bool) -> Path:
    """A film of RGB frames in FFV1, in which R, G and B are equal, or each something else."""
    rng = np.random.default_rng(5)
    wide = np.uint8 if pix_fmt == "gbrp" else np.uint16
    top = 255 if pix_fmt == "gbrp" else 1023
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.height, stream.width = 64, 96
        stream.pix_fmt = "bgr0" if pix_fmt == "gbrp" else pix_fmt
        for _ in range(3):
            planes = rng.integers(0, top + 1, (64, 96, 3))
            planes = planes[..., :1].repeat(3, axis=2) if equal else planes
            frame = av.VideoFrame.from_ndarray(planes.astype(wide), format=pix_fmt)
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("pix_fmt", "target", "more", "made"),
    [
        ("gbrp", "r.mp4", ["--codec", "libx264", "-x", "qp=0"], "yuv420p"),
        ("gbrp10le", "r.mp4", ["--codec", "libx264", "-x", "qp=0"], "yuv422p10le"),
        ("gbrp", "r.mkv", ["--codec", "ffv1", "--pix-fmt", "yuv420p10le"], "yuv420p10le"),
        ("gbrp", "r.mkv", [], "bgr0"),
        ("gbrp10le", "r.mkv", [], "gbrp10le"),
    ],
)
@pytest.mark.parametrize("equal", [True, False], ids=["grey", "mixed"])
def test_rgb_and_its_luma(
    run_cli: Run,
    tiny_model: Path,
    tmp_path: Path,
    pix_fmt: str,
    target: str,
    more: Sequence[str],
    made: str,
    equal: bool,
) -> None:
    """RGB into an encoder without RGB: Y' is that of BT.709, full range and tagged so; for equal R,
    G and B it is exactly theirs. The proof holds for Y'CbCr and RGB results."""
    source = rgb_clip(tmp_path / "s.mkv", pix_fmt, equal=equal)
    run = run_cli("video", source, "-o", target, "-m", tiny_model, *more, "--prove-luma")
    assert run.returncode == 0, run.stderr
    assert "luma that R, G and B have is equal in all 3 frames" in run.stderr
    with av.open(str(source)) as container:
        before = [frame.to_ndarray(format=pix_fmt) for frame in container.decode(video=0)]
    with av.open(str(tmp_path / target)) as container:
        frames = list(container.decode(video=0))
    assert frames[0].format.name.replace("yuvj", "yuv") in (made, "gbrp")
    if made.startswith("yuv"):
        assert (frames[0].color_range, frames[0].colorspace) == (2, 1)
        weights = np.array([2126, 7152, 722])
        shift = 2 if made == "yuv420p10le" else 0
        wanted = [((each.astype(int) << shift) @ weights + 5000) // 10000 for each in before]
        if equal:
            codes = [each[..., 0].astype(int) << shift for each in before]
            assert all((a == b).all() for a, b in zip(wanted, codes, strict=True))
        kind = "<u2" if "10" in made else "u1"
        got = [np.frombuffer(each, kind).reshape(64, 96) for each in luma(tmp_path / target)]
        assert all((a == b).all() for a, b in zip(got, wanted, strict=True))
    lists = [tmp_path / f"{target}{end}" for end in (".source.framemd5", ".framemd5")]
    sums = [
        [line.split(",")[-1] for line in each.read_text("ascii").splitlines() if line[0] != "#"]
        for each in lists
    ]
    assert len(sums[0]) == 3
    if equal or made.startswith("yuv"):
        assert sums[0] == sums[1]


def test_a_changed_rgb_result_is_found_out(run_cli: Run, tiny_model: Path, tmp_path: Path) -> None:
    """RGB that lost something on the way is told, and by how much."""
    source = rgb_clip(tmp_path / "s.mkv", "gbrp", equal=True)
    more = ["--codec", "libx264rgb", "--crf", "30", "--prove-luma"]
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, *more)
    assert run.returncode == 3 and "luma differs in 3 of 3 frames, by up to" in run.stderr


def test_everything_else_arrives(
    run_cli: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    with_everything: Callable[[Any], list[Any]],
    packet_hashes: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Sound and subtitles packet by packet, chapters, tags, the attachment, and our mark."""
    source = make_clip("s.mkv", more=with_everything)
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "-v")
    assert run.returncode == 0, run.stderr
    assert "subtitle (subrip)" in run.stderr and "attachment" in run.stderr
    was, now = probe(source), probe(tmp_path / "r.mkv")
    assert [each.kind for each in was.streams] == [each.kind for each in now.streams]
    for stream in was.others:
        if stream.kind in ("audio", "subtitle"):
            same = packet_hashes(tmp_path / "r.mkv", stream.index)
            assert same == packet_hashes(source, stream.index) and same
    assert [each.metadata for each in was.chapters] == [each.metadata for each in now.chapters]
    assert now.metadata["title"] == "Die Überfahrt" and now.metadata["COMMENT"] == "Kopie 2"
    assert any("Color made by a machine" in text for text in now.metadata.values())


def test_variable_rate_and_late_start_are_kept(
    run_cli: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
) -> None:
    """Times are exact to the tick, over segment borders, gaps longer than a segment included."""
    times = [24000, 25001, 36000, 240000, 270001, 270002, 800000, 801001]
    source = make_clip("s.mp4", "libx264", times=times)
    run = run_cli("video", source, "-o", "r.mp4", "-m", tiny_model)
    assert run.returncode == 0, run.stderr
    got = [picture.time for picture in decoded(tmp_path / "r.mp4")]
    assert got == [Fraction(tick, 24000) for tick in times]


def test_interlaced_stays_interlaced(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Fields stay marked, with their order, and Y' is the source's."""

    def setup(stream: Any) -> None:
        stream.codec_context.field_order = 2

    source = make_clip("s.mkv", "ffv1", size=(64, 96), setup=setup, field_mode="tff")
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--codec", "ffv1")
    assert run.returncode == 0, run.stderr
    assert probe(source).video.interlaced and probe(tmp_path / "r.mkv").video.interlaced
    assert probe(tmp_path / "r.mkv").video.field_order == probe(source).video.field_order
    assert luma(tmp_path / "r.mkv") == luma(source)


def test_damaged_frames_are_concealed_counted_and_told(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A frame that cannot be decoded repeats the one before; the report says how many there are."""
    source = make_clip("z.avi", "mjpeg", "yuvj420p", **seconds(12))
    data = bytearray(source.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    data[starts[4] : starts[5] - 8] = bytes(starts[5] - 8 - starts[4])
    source.write_bytes(data)
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--codec", "ffv1", "--json")
    assert run.returncode == 0, run.stderr
    told = first_json(run)
    assert (told["frames"], told["corrupt"]) == (12, 1)
    assert "1 damaged frames" in told["notes"][0]
    got = luma(tmp_path / "r.mkv")
    assert got[4] == got[3] and len(set(got)) == 11


# --- no work lost ------------------------------------------------------------------------------

KILLED = """
import os, sys
left = int(sys.argv.pop(1))
real = os.fsync
def fsync(descriptor):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9) if os.name != "nt" else os._exit(9)
    real(descriptor)
os.fsync = fsync
from colorbatch.cli import main
main()
"""
"""The program, killed where it would bring something to the disk for the N-th time."""


def segments(folder: Path) -> list[dict[str, Any]]:
    """The segments that a journal tells of."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [each for each in map(json.loads, lines) if each["state"] == "segment"]


def at_first_segment(
    start_python: Start, arguments: list[str], folder: Path
) -> Program | subprocess.Popen[str]:
    """The command at work, as soon as its journal in `folder` tells of a segment."""
    process = start_python("-m", "colorbatch", *arguments)
    while process.poll() is None and not segments(folder):
        time.sleep(0.005)
    return process


@pytest.fixture
def long_clip(make_clip: Callable[..., Path], with_everything: Any) -> Path:
    """41 frames in five segments, H.264 with frames out of order, two sounds. (At some small sizes,
    such as 66 x 50, libx264's macroblock tree itself gives other pictures each time.)"""
    size, more = (96, 128), with_everything
    return make_clip("s.mp4", "libx264", size=size, more=more, looks=SHOTS, **seconds(41))


def pictures_and_packets(path: Path, decoded: Any, packet_hashes: Any) -> tuple[Any, ...]:
    streams = len(probe(path).streams)
    return decoded(path), *(packet_hashes(path, index) for index in range(streams))


def test_killed_at_every_step_and_gone_on_with(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    long_clip: Path,
    decoded: Any,
    packet_hashes: Any,
    tmp_path: Path,
) -> None:
    """kill -9 at one write after the other; each run goes on, and the film is that of a run that
    nobody disturbed: pictures, times, streams."""
    arguments = ["video", str(long_clip), "-m", str(tiny_model), "-q", "-o"]
    assert run_cli(*arguments, "whole.mp4").returncode == 0
    folder = tmp_path / ".colorbatch" / "films" / "r.mp4"
    seen = []
    for step in range(0, 28, 2):
        run = run_python("-c", KILLED, str(step), *arguments, "r.mp4")
        if run.returncode == 0:
            break
        assert not run.stderr.strip(), run.stderr
        assert not (tmp_path / "r.mp4").exists() or (tmp_path / "r.mp4").stat().st_size
        seen.append(len(segments(folder)))
    assert seen[0] == 0 and max(seen) >= 2 and seen == sorted(seen)
    last = run_cli(*arguments[:-2], "-o", "r.mp4")
    assert last.returncode == 0, last.stderr
    # no segment was made twice
    starts = [each["first"] for each in segments(folder)]
    assert len(set(starts)) == len(starts) == 5
    whole = pictures_and_packets(tmp_path / "whole.mp4", decoded, packet_hashes)
    assert pictures_and_packets(tmp_path / "r.mp4", decoded, packet_hashes) == whole
    assert not [path for path in folder.iterdir() if path.suffix == ".mp4" or "-" in path.name]


def test_killed_in_the_midst_of_the_work(
    run_cli: Run,
    start_python: Start,
    make_model: Callable[..., Path],
    long_clip: Path,
    decoded: Any,
    packet_hashes: Any,
    tmp_path: Path,
) -> None:
    """A real kill while frames are colored, as soon as there is a segment; the next goes on."""
    model = make_model(tmp_path / "hungry.onnx", body="hungry")
    arguments = ["video", str(long_clip), "-m", str(model), "-q", "--batch-size", "1", "-o"]
    folder = tmp_path / ".colorbatch" / "films" / "r.mp4"
    process = at_first_segment(start_python, [*arguments, "r.mp4"], folder)
    process.kill()
    process.communicate()
    made = segments(folder)
    assert 1 <= len(made) < 5 and not (tmp_path / "r.mp4").exists()
    assert run_cli(*arguments, "r.mp4").returncode == 0
    assert segments(folder)[: len(made)] == made and len(segments(folder)) == 5
    assert run_cli(*arguments, "whole.mp4").returncode == 0
    whole = pictures_and_packets(tmp_path / "whole.mp4", decoded, packet_hashes)
    assert pictures_and_packets(tmp_path / "r.mp4", decoded, packet_hashes) == whole


def test_a_second_run_at_the_same_film_is_refused(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The lock is the film's: another film in the same folder is made."""
    source = make_clip("s.mkv")
    with FilmBook(tmp_path / ".colorbatch" / "films" / "r.mkv", tmp_path / "r.mkv"):
        refused = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model)
        assert refused.returncode == 1, refused.stderr  # as for pictures, and before any work
        assert refused.stderr.splitlines()[-1].startswith(
            "error: r.mkv: another run is at work on it"
        )
        assert run_cli("video", source, "-o", "other.mkv", "-m", tiny_model).returncode == 0
    assert run_cli("video", source, "-o", "r.mkv", "-m", tiny_model).returncode == 0


def test_the_same_command_again(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A finished film is skipped; another setting, another source are named, and -y does it."""
    source = make_clip("s.mkv", **seconds(12))
    base = ["video", source, "-o", "r.mkv", "-m", tiny_model, "--json"]
    assert run_cli(*base).returncode == 0
    before = (tmp_path / "r.mkv").read_bytes()
    assert last_json(run_cli(*base))["skipped_because"] == {"finished": 1}
    other = run_cli(*base, "--saturation", "0.5")
    assert last_json(other)["skipped_because"] == {"made with other settings": 1}
    assert last_json(other)["outdated"] == 1 and (tmp_path / "r.mkv").read_bytes() == before
    assert last_json(run_cli(*base, "--saturation", "0.5", "-y"))["colored"] == 1
    assert (tmp_path / "r.mkv").read_bytes() != before
    data = bytearray(source.read_bytes())
    data[-3] ^= 1
    source.write_bytes(data)
    changed = last_json(run_cli(*base, "--saturation", "0.5"))
    assert changed["skipped_because"] == {"source changed since": 1}
    (tmp_path / "foreign.mkv").write_bytes(b"somebody's")
    foreign = last_json(run_cli(*base[:3], "foreign.mkv", "-m", tiny_model, "--json"))
    assert foreign["skipped_because"] == {"there already, not in the journal": 1}


FULL = """
import errno, os, sys
left = int(sys.argv.pop(1))
real = os.fsync
def fsync(descriptor):
    global left
    left -= 1
    if left < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    real(descriptor)
os.fsync = fsync
from colorbatch.cli import main
main()
"""
"""The program, on a disk that is full from the N-th time on that it brings something there."""


def test_a_full_disk_is_one_line_and_resumable(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    long_clip: Path,
    decoded: Any,
    tmp_path: Path,
) -> None:
    """Exit 1 with what the disk says; the same command goes on from there."""
    arguments = ["video", str(long_clip), "-m", str(tiny_model), "-q", "-o"]
    assert run_cli(*arguments, "whole.mp4").returncode == 0
    run = run_python("-c", FULL, "25", *arguments, "r.mp4")
    assert run.returncode == 1, run.stderr
    assert "No space left on device" in run.stderr and len(run.stderr.splitlines()) == 1
    made = segments(tmp_path / ".colorbatch" / "films" / "r.mp4")
    assert made and not (tmp_path / "r.mp4").exists()
    assert run_cli(*arguments, "r.mp4").returncode == 0
    assert segments(tmp_path / ".colorbatch" / "films" / "r.mp4")[: len(made)] == made
    assert decoded(tmp_path / "r.mp4") == decoded(tmp_path / "whole.mp4")


ROOM = """
import shutil, sys
left = int(sys.argv.pop(1))
real = shutil.disk_usage
shutil.disk_usage = lambda path: real(path)._replace(free=left)
from colorbatch.cli import main
main()
"""
"""The program, on a disk that has N bytes left."""


def test_films_that_do_not_fit_together_are_refused_before_work(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """Two films, of which each alone would fit: exit 1 with one line, and nothing is made; the
    report tells space and time. --ignore-space goes on."""
    (tmp_path / "films").mkdir()
    for name in ("a.mkv", "b.mkv"):
        make_clip(f"films/{name}", "ffv1", "gray10le")
    arguments = ["video", "films", "-m", str(tiny_model), "--json", "-o"]
    first = run_cli(*arguments, "first")
    assert first.returncode == 0, first.stderr
    told = last_json(first)["estimate"]
    both = told["bytes"]["middle"]
    sizes = [path.stat().st_size for path in (tmp_path / "first").glob("*.mkv")]
    assert sum(sizes) == pytest.approx(both, rel=0.2)
    assert told["places"][0]["needed"]["middle"] == pytest.approx(1.5 * both, rel=0.1)
    assert told["pictures"] == 24 and told["seconds"] is not None
    tool = ["-c", ROOM, round(1.3 * both), *arguments, "second"]
    run = run_python(*tool)
    assert run.returncode == 1 and run.stdout == "", run.stderr
    [error] = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert "too little space" in error and "--ignore-space" in error
    assert not (tmp_path / "second").exists()
    assert run_python(*tool, "--ignore-space").returncode == 0


def test_a_source_that_vanishes_is_one_line_and_resumable(
    run_cli: Run, start_python: Start, make_model: Callable[..., Path], long_clip: Path
) -> None:
    """As a share that goes away: exit 3; with the source back, work goes on."""
    if sys.platform == "win32":
        pytest.skip("an open file cannot be moved away there")
    model = make_model(long_clip.with_name("hungry.onnx"), body="hungry")
    more = ["-m", str(model), "--batch-size", "1", "-q", "-o", "r.mp4"]
    arguments = ["video", str(long_clip), *more]
    folder = long_clip.parent / ".colorbatch" / "films" / "r.mp4"
    process = at_first_segment(start_python, arguments, folder)
    away = long_clip.rename(long_clip.with_name("away.mp4"))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3 and len(said.splitlines()) == 1, said
    assert "has gone" in said or "not a file" in said or "cannot be read" in said
    made = segments(folder)
    away.rename(long_clip)
    assert run_cli(*arguments).returncode == 0
    assert segments(folder)[: len(made)] == made and len(segments(folder)) == 5


def test_going_on_behind_a_damaged_frame(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    decoded: Any,
    tmp_path: Path,
) -> None:
    """Damaged frames beside a segment's border: it is behind the last of them, and they have the
    color of the good one before."""
    source = make_clip("s.mkv", "ffv1", options={"slicecrc": "1", "g": "1"}, **seconds(25))
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for number in (14, 15, 16):  # on both sides of a segment's border
        at = data.find(packets[number])
        data[at + 40] ^= 255
    source.write_bytes(data)
    arguments = ["video", str(source), "-m", str(tiny_model), "-q", "-o"]
    assert run_cli(*arguments, "whole.mkv").returncode == 0
    folder = tmp_path / ".colorbatch" / "films" / "r.mkv"
    for step in range(20):
        run_python("-c", KILLED, str(step), *arguments, "r.mkv")
        if segments(folder):
            break
    assert [(part["last"], part["corrupt"]) for part in segments(folder)][:1] == [(16000, 3)]
    assert run_cli(*arguments, "r.mkv").returncode == 0
    assert sum(part.get("corrupt", 0) for part in segments(folder)) == 3
    assert decoded(tmp_path / "r.mkv") == decoded(tmp_path / "whole.mkv")


def test_a_film_that_was_not_named_before_a_kill(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Complete and recorded, with an older film still under its name: it is named."""
    source = make_clip("s.mkv", **seconds(12))
    base = ["video", source, "-o", "r.mkv", "-m", tiny_model, "--json"]
    assert run_cli(*base).returncode == 0
    film = (tmp_path / "r.mkv").read_bytes()
    (tmp_path / ".colorbatch" / "films" / "r.mkv" / "joined.mkv").write_bytes(film)
    (tmp_path / "r.mkv").write_bytes(b"the older one")
    assert last_json(run_cli(*base))["colored"] == 1
    assert (tmp_path / "r.mkv").read_bytes() == film
    assert last_json(run_cli(*base))["skipped_because"] == {"finished": 1}


@pytest.fixture
def unfinished(
    run_python: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> tuple[list[str], list[dict[str, Any]]]:
    """The command of a film that was killed, and its segments."""
    source = make_clip("s.mkv", **seconds(35))
    arguments = ["video", str(source), "-o", "r.mkv", "-m", str(tiny_model), "--json"]
    for step in range(4, 20):
        run_python("-c", KILLED, str(step), *arguments)
        made = segments(tmp_path / ".colorbatch" / "films" / "r.mkv")
        if made:
            assert len(made) < 3 and not (tmp_path / "r.mkv").exists()
            return arguments, made
    raise AssertionError("no run was killed behind a segment")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("settings", "begun with other settings"),
        ("model", "begun with another model"),
        ("source", "source changed since it was begun"),
        ("library", "begun with another encoder library"),
    ],
)
def test_an_unfinished_film_is_not_thrown_away(
    run_cli: Run,
    unfinished: tuple[list[str], list[dict[str, Any]]],
    make_model: Callable[..., Path],
    tmp_path: Path,
    change: str,
    reason: str,
) -> None:
    """What it was begun with is another now: it is named, its segments stay; -y begins it anew."""
    arguments, made = unfinished
    folder = tmp_path / ".colorbatch" / "films" / "r.mkv"
    more: list[str] = []
    if change == "settings":
        more = ["--saturation", "0.5"]
    elif change == "model":
        more = ["-m", str(make_model(tmp_path / "other.onnx", body="hungry"))]
    elif change == "source":
        data = bytearray((tmp_path / "s.mkv").read_bytes())
        data[-3] ^= 1
        (tmp_path / "s.mkv").write_bytes(data)
    else:
        lines = [json.loads(each) for each in (folder / "journal.jsonl").read_text().splitlines()]
        lines[0]["library"] = "another"
        text = "".join(f"{json.dumps(each)}\n" for each in lines)
        (folder / "journal.jsonl").write_text(text, "ascii")
    run = run_cli(*arguments, *more)
    assert run.returncode == 0, run.stderr
    assert last_json(run)["skipped_because"] == {reason: 1} and last_json(run)["outdated"] == 1
    assert segments(folder) == made and len(list(folder.glob("0*.mp4"))) >= len(made)
    assert not (tmp_path / "r.mkv").exists()
    again = run_cli(*arguments, *more, "-y")
    assert last_json(again)["colored"] == 1, again.stderr
    assert len(segments(folder)) == len(made) + 3 and len(luma(tmp_path / "r.mkv")) == 35


def test_an_unfinished_film_of_a_renamed_source_is_gone_on_with(
    run_cli: Run, unfinished: tuple[list[str], list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Neither another name nor a share that tells times less finely makes another source of it."""
    arguments, made = unfinished
    folder, source = tmp_path / ".colorbatch" / "films" / "r.mkv", tmp_path / "s.mkv"
    time_ns = source.stat().st_mtime_ns
    os.utime(source, ns=(time_ns, time_ns // 1000 * 1000))
    source.rename(tmp_path / "renamed.mkv")
    run = run_cli(*["renamed.mkv" if each == str(source) else each for each in arguments])
    assert run.returncode == 0 and last_json(run)["colored"] == 1, run.stderr
    assert segments(folder)[: len(made)] == made and len(segments(folder)) == 3


def test_a_file_that_came_while_a_film_was_unfinished_is_not_replaced(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """It is somebody's; it is named, and stays."""
    arguments = ["video", str(make_clip("s.mkv", **seconds(12))), "-m", str(tiny_model), "-o"]
    run = run_python("-c", KILLED, "8", *arguments, "r.mkv")
    assert run.returncode != 0 and not (tmp_path / "r.mkv").exists()
    (tmp_path / "r.mkv").write_bytes(b"somebody's")
    again = last_json(run_cli(*arguments, "r.mkv", "--json"))
    assert again["skipped_because"] == {"there already, not in the journal": 1}
    assert (tmp_path / "r.mkv").read_bytes() == b"somebody's"


# --- films that are not as they say ------------------------------------------------------------


def sounding_on(container: Any) -> list[Any]:
    """A sound of 20 seconds."""
    stream = container.add_stream("mp2", rate=48000)
    packets = []
    for number in range(20 * 48000 // 1152):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), "s16", "stereo")
        frame.rate, frame.pts, frame.time_base = 48000, number * 1152, Fraction(1, 48000)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


@pytest.mark.parametrize("what", ["one frame", "one frame in MP4", "cut off", "sound goes on"])
def test_a_film_is_made_of_what_is_there(
    run_cli: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    tmp_path: Path,
    what: str,
) -> None:
    """Where frames end long before the stated time, the film, the stills and the estimate are of
    those that there are."""
    if what == "one frame":
        source, frames = make_clip("s.mkv", times=[0]), 1
    elif what == "one frame in MP4":
        source, frames = make_clip("s.mp4", "libx264", times=[0]), 1
    elif what == "cut off":
        source, frames = make_clip("s.mkv", times=range(0, 60 * 1001, 1001)), 0
        source.write_bytes(source.read_bytes()[: source.stat().st_size // 10])
        frames = len(luma(source))
    else:
        ticks: dict[str, Any] = {"time_base": Fraction(1, 24), "rate": 24, "times": range(12)}
        source, frames = make_clip("s.mpg", "mpeg2video", more=sounding_on, **ticks), 12
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--json")
    assert run.returncode == 0, run.stderr
    assert first_json(run)["frames"] == frames == len(luma(tmp_path / "r.mkv"))
    told = re.search(r": about (\d+) frames; .* GB", run.stderr)
    assert told is not None and frames <= int(told[1]) <= 2 * frames + 1
    stills = run_cli("video", source, "-o", "stills/r.mkv", "-m", tiny_model, "--preview", "3")
    assert stills.returncode == 0, stills.stderr
    assert len(list((tmp_path / "stills").glob("*.png"))) == 2 * min(3, frames)


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "r.mp4", "--codec", "prores_ks"], "mp4 cannot hold its video (prores_ks)"),
        (["-o", "r.mkv", "--codec", "nothing"], "there is no video encoder nothing"),
        (["-o", "r.mkv", "--codec", "mpeg4"], "bits do not fit into mpeg4"),
        (["-o", "r.mkv", "-x", "nonsense=1"], "no option nonsense"),
        (["-o", "r.mkv", "-x", "level"], "KEY=VALUE"),
        (["-o", "r.mkv", "--pix-fmt", "rgb999"], "takes no rgb999"),
        (["-o", "r.mkv", "--region", "9x9+99+0"], "beyond the picture"),
        (["-o", "r.mkv", "--start", "2", "--end", "1"], "--end is not after --start"),
        (["-o", "r.mkv", "--start", "99"], "ends before --start"),
        (["-o", "r.mkv", "--start", "9" * 5000], "9...: seconds or HH:MM:SS.mmm are wanted"),
        (["-o", "r.mkv", "--end", "99999999999999999999"], "seconds or HH:MM:SS.mmm are wanted"),
        (["-o", "r.mkv", "--start", "1." + "0" * 5000], "0...: seconds or HH:MM:SS.mmm are wanted"),
        (["-o", "r.mkv", "--region", "9" * 5000 + "x9+0+0"], "a region is WxH+X+Y"),
        (["-o", "r.mkv", "--end", "0"], "--end is not after the begin"),
        (["-o", "r.mkv", "--start", "0.1", "--end", "0.101"], "has no frames in this part"),
        (["-o", "r.mkv", "--container", "mov"], "contradict each other"),
        (["-o", "r.avi"], "written as .mkv, .mov or .mp4"),
        (["-o", "r.mp4", "--codec", "ffv1"], "cannot hold its subtitle (subrip)"),
        (["-o", "r.mkv", "--codec", "ffvhuff"], "ffvhuff fits into neither MOV nor MP4"),
    ],
)
def test_refused_before_work(
    run_cli: Run,
    make_clip: Callable[..., Path],
    with_everything: Any,
    tmp_path: Path,
    options: Sequence[str],
    words: str,
) -> None:
    """Exit 2, one clear line, and nothing is written."""
    source = make_clip("s.mkv", "ffv1", "yuv422p10le", more=with_everything)
    before = sorted(tmp_path.rglob("*"))
    run = run_cli("video", source, *options)
    assert run.returncode == 2, run.stderr
    assert words in run.stderr and "Traceback" not in run.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_start_far_behind_the_end_of_a_film_without_a_length(
    run_cli: Run, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The latest time that can be given is a usage error there too."""
    make_clip("s.h264", "libx264", **seconds(3))
    run = run_cli("video", "s.h264", "-o", "r.mkv", "--start", "99999:9999999:999999999.999999")
    assert run.returncode == 2 and "has no frames in this part" in run.stderr, run.stderr


def test_advice_is_not_taken_from_a_name(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path]
) -> None:
    """A film that is called as a message about streams reads is refused with its own reason."""
    source = make_clip("b cannot hold its audio (pcm).mkv", "ffv1", "gray10le")
    more = ["--codec", "libx264", "--pix-fmt", "yuv420p"]
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, *more)
    assert run.returncode == 2 and "10 bits do not fit" in run.stderr
    assert "--drop-unsupported" not in run.stderr and "kinds of sound" not in run.stderr


def test_streams_are_left_out_when_told(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], with_everything: Any
) -> None:
    """--drop-unsupported goes on, and says what is missing."""
    source = make_clip("s.mkv", more=with_everything)
    target = source.with_name("r.mp4")
    more = ["--drop-unsupported", "--codec", "libx264", "--json"]
    run = run_cli("video", source, "-o", target, "-m", tiny_model, *more)
    assert run.returncode == 0, run.stderr
    assert "subtitle (subrip)" in first_json(run)["notes"][0]
    assert [each.kind for each in probe(target).others] == ["audio", "audio"]


def test_a_folder_is_mirrored_and_one_bad_film_stops_no_other(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Trees are kept; what cannot be read is one line and exit code 3."""
    (tmp_path / "reels" / "deep").mkdir(parents=True)
    clip = make_clip("s.mkv", "ffv1", "gray")
    shutil.copy(clip, tmp_path / "reels" / "one.mkv")
    shutil.copy(clip, tmp_path / "reels" / "deep" / "two.mkv")
    (tmp_path / "reels" / "broken.mkv").write_bytes(clip.read_bytes()[:200])
    (tmp_path / "reels" / "notes.txt").write_text("no film", "utf-8")
    run = run_cli("video", "reels", "-o", "out", "-m", tiny_model)
    assert run.returncode == 3, run.stderr
    assert "failed: reels/broken.mkv" in run.stderr.replace("\\", "/")
    made = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.mkv")}
    results = {path for path in made if ".colorbatch" not in path.parts}
    assert results == {Path("one.mkv"), Path("deep/two.mkv")}
    assert luma(tmp_path / "out" / "deep" / "two.mkv") == luma(clip)


def color_film(path: Path, photo: Any) -> None:
    """A film that shows a part of a photograph in color."""
    path.parent.mkdir()
    picture = np.ascontiguousarray(photo[:160, :240])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=4)
        stream.width, stream.height, stream.pix_fmt = 240, 160, "yuv444p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def test_films_in_color_found_in_a_folder_are_left_alone(
    run_cli: Run,
    tiny_model: Path,
    photograph: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    """Skipped and counted; colored when asked; results of ours are never sources."""
    color_film(tmp_path / "reels" / "c.mkv", photograph("coffee"))
    base = ["video", "reels", "-o", "out", "-m", tiny_model, "--json"]
    assert last_json(run_cli(*base))["skipped_because"] == {"in color already": 1}
    assert last_json(run_cli(*base, "--on-color", "colorize"))["colored"] == 1
    ours = run_cli("video", "out", "-o", "again", "-m", tiny_model, "--json")
    assert last_json(ours)["skipped_because"] == {"made by colorbatch": 1}


def test_mastering_and_light_level_go_into_hevc_and_are_named_elsewhere(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """HDR10's static values, as a fresh libav finds them in the result's pictures."""
    display = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
    params = f"log-level=error:master-display={display}:max-cll=1000,400"
    options = {"x265-params": params, "preset": "ultrafast"}
    source = make_clip("s.mkv", "libx265", "yuv420p10le", size=(64, 96), options=options)

    def beside(path: Path) -> dict[str, bytes]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            data = {each.type.name: bytes(each) for each in frame.side_data}
        names = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
        return {name: data[name] for name in names if name in data}

    more = ["-m", tiny_model, "--preset", "ultrafast", "-v"]
    run = run_cli("video", source, "-o", "r.mp4", *more)
    assert run.returncode == 0 and "not kept" not in run.stderr, run.stderr
    assert beside(tmp_path / "r.mp4") == beside(source) and len(beside(source)) == 2
    run = run_cli("video", source, "-o", "r.mkv", *more[:2], "--codec", "ffv1", "-v")
    told = [line for line in run.stderr.splitlines() if "not kept: mastering display, cont" in line]
    assert len(told) == 2 and not beside(tmp_path / "r.mkv")


@pytest.fixture
def reels(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with four grey films and one that cannot be read."""
    clip = make_clip("s.mkv", "ffv1", "gray", size=(34, 46))
    for name in ("one.mkv", "two.mkv", "deep/three.mkv", "deep/four.mkv"):
        (tmp_path / "reels" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, tmp_path / "reels" / name)
    (tmp_path / "reels" / "broken.mkv").write_bytes(clip.read_bytes()[:200])
    return tmp_path / "reels"


def results(folder: Path) -> set[str]:
    found = {path.relative_to(folder) for path in folder.rglob("*.mkv")}
    return {path.as_posix() for path in found if ".colorbatch" not in path.parts}


def test_which_films_are_meant(run_cli: Run, tiny_model: Path, reels: Path, tmp_path: Path) -> None:
    """--include, --exclude and --files-from choose; trees are kept, and the log tells of each."""
    base = ["video", "reels", "-m", tiny_model, "-o"]
    run = run_cli(*base, "a", "--include", "deep", "--exclude", "four.*", "--log", "a.jsonl")
    assert run.returncode == 0, run.stderr
    assert results(tmp_path / "a") == {"deep/three.mkv"}
    log = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert log[0]["start"]["films"] == 1 and log[1]["status"] == "colored" and "summary" in log[-1]
    nothing = run_cli(*base, "b", "--include", "*.mov")
    assert nothing.returncode == 2 and "leave no films" in nothing.stderr
    rows = "title,path\nOne,one.mkv\nGone,gone.mkv\n"
    (tmp_path / "list.csv").write_text(rows, "utf-8")
    listed = run_cli(*base, "c", "--files-from", "list.csv")
    assert listed.returncode == 3 and "gone.mkv: is not a file" in listed.stderr
    assert results(tmp_path / "c") == {"one.mkv"}
    for wrong in (["--column", "path"], ["--shard", "3/2"], ["--log", "reels/one.mkv"]):
        assert run_cli(*base, "d", *wrong).returncode == 2
    assert run_cli("video", "-o", "d").returncode == 2
    assert not (tmp_path / "d").exists()


def test_shards_are_whole_films_and_all_of_them(
    run_cli: Run, tiny_model: Path, reels: Path, tmp_path: Path
) -> None:
    """Each film is made, or told of, by one machine."""
    parts, failed = [], 0
    for part in ("1/2", "2/2"):
        run = run_cli("video", reels, "-o", f"o{part[0]}", "-m", tiny_model, "--shard", part)
        parts.append(results(tmp_path / f"o{part[0]}"))
        failed += run.stderr.count("failed: ")
    assert parts[0] and parts[1] and not parts[0] & parts[1] and failed == 1
    assert parts[0] | parts[1] == {"one.mkv", "two.mkv", "deep/three.mkv", "deep/four.mkv"}


def test_redo_all_begins_anew(
    run_cli: Run, tiny_model: Path, long_clip: Path, run_python: Run, tmp_path: Path
) -> None:
    """What is finished is made again, and what is half done from its begin."""
    base = ["video", str(long_clip), "-m", str(tiny_model), "-o", "r.mp4"]
    folder = tmp_path / ".colorbatch" / "films" / "r.mp4"
    run_python("-c", KILLED, "23", *base)
    half = len(segments(folder))
    assert 0 < half < 5
    run = run_cli(*base, "--redo-all", "--json")
    assert last_json(run)["colored"] == 1 and len(segments(folder)) == half + 5
    assert last_json(run_cli(*base, "--json"))["skipped_because"] == {"finished": 1}
    assert last_json(run_cli(*base, "--json", "--redo-all"))["colored"] == 1
    assert len(segments(folder)) == half + 10


@pytest.mark.parametrize("choice", ["keep", "skip"])
def test_one_variable_serves_films_and_pictures(
    run_cli: Run,
    tiny_model: Path,
    photograph: Callable[[str], Any],
    tmp_path: Path,
    choice: str,
) -> None:
    """COLORBATCH_ON_COLOR and COLORBATCH_ON_TONED mean something to both commands."""
    import cv2

    env = {"COLORBATCH_ON_COLOR": choice, "COLORBATCH_ON_TONED": choice}
    color_film(tmp_path / "in" / "c.mkv", photograph("coffee"))
    cv2.imwrite(str(tmp_path / "in" / "c.png"), photograph("coffee")[..., ::-1])
    base = ["in", "-o", "out", "-m", tiny_model, "--json"]
    film = last_json(run_cli("video", *base, env=env))
    assert film["skipped_because"] == {"in color already": 1}
    picture = last_json(run_cli("images", *base, env=env))
    assert picture["kept" if choice == "keep" else "skipped"] == 1


# --- before the night, and after ---------------------------------------------------------------


def test_dry_run_writes_nothing(
    run_cli: Run, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The plan on standard output: codec, container, size, rate, streams."""
    source = make_clip("s.mkv", "ffv1", "gray10le")
    before = sorted(tmp_path.rglob("*"))
    run = run_cli("video", source, "-o", "r.mkv", "--dry-run")
    assert run.returncode == 0, run.stderr
    for words in ("ffv1 gray10le -> ffv1 yuv422p10le in mkv", "66x50", "24000/1001"):
        assert words in run.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_preview_shows_before_and_after(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Stills of spread frames: grey before, colored after, and no film."""
    source = make_clip("s.mkv", "ffv1", "gray", **seconds(30))
    run = run_cli("video", source, "-o", "stills", "-m", tiny_model, "--preview", "3")
    assert run.returncode == 0, run.stderr
    assert "about 30 frames" in run.stderr and "GB" in run.stderr
    names = sorted(path.name for path in (tmp_path / "stills").glob("*.png"))
    assert run.stdout.splitlines()[-1] == str(Path("stills", "s.mkv-preview.shots.csv"))
    listed = (tmp_path / "stills" / "s.mkv-preview.shots.csv").read_text("utf-8-sig")
    assert listed.splitlines()[1:] == ["0,29,00:00:00.000,grey,color,1,tiny,,"]
    assert [name.rpartition("-")[0] for name in names[::2]] == [
        "s.mkv-00005.000",
        "s.mkv-00015.000",
        "s.mkv-00025.000",
    ]
    import cv2

    def spread(name: str) -> int:
        picture = cv2.imread(str(tmp_path / "stills" / name)).astype(int)
        return int((picture.max(axis=2) - picture.min(axis=2)).max())

    assert [spread(name) for name in names if "before" in name] == [0, 0, 0]
    assert min(spread(name) for name in names if "after" in name) > 20
    assert not list((tmp_path / "stills").glob("*.mkv"))


def test_previews_of_two_films_and_of_somebodys_pictures(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Films that differ in their suffix have stills of their own; a stranger's picture of a still's
    name fails that film and stays, earlier stills are replaced. An object for each, and one for
    all; -q says nothing."""
    (tmp_path / "reels").mkdir()
    make_clip("s.mkv", **seconds(4)).rename(tmp_path / "reels" / "a.mkv")
    make_clip("s.mp4", "libx264", **seconds(4)).rename(tmp_path / "reels" / "a.mp4")
    base = ["video", "reels", "-o", "out", "-m", tiny_model, "--on-color", "colorize"]
    base += ["--preview", "1"]
    run = run_cli(*base, "--json")
    assert run.returncode == 0, run.stderr
    *told, last = [json.loads(line) for line in run.stdout.splitlines()]
    assert [each["status"] for each in told] == ["previewed"] * 2
    paths = [Path(path) for each in told for path in each["stills"]]
    assert len(set(paths)) == 4 and all((tmp_path / path).is_file() for path in paths)
    assert all((tmp_path / each["shot_list"]).is_file() for each in told)
    assert all(
        each["estimate"]["pictures"] == 4 and each["estimate"]["bytes"]["high"] for each in told
    )
    assert last["summary"]["preview"] and last["summary"]["colored"] == 2
    import cv2

    theirs = tmp_path / paths[0]
    cv2.imwrite(str(theirs), np.zeros((4, 4, 3), np.uint8))
    before = theirs.read_bytes()
    (tmp_path / paths[3]).write_bytes((tmp_path / paths[3]).read_bytes()[:200])
    again = run_cli(*base, "-q")
    assert again.returncode == 3 and not again.stdout, again.stdout
    [line] = again.stderr.splitlines()
    assert line.startswith("failed: ") and "is no still of ours" in line
    assert theirs.read_bytes() == before
    assert cv2.imread(str(tmp_path / paths[3])) is not None
    theirs.unlink()
    quiet = run_cli(*base, "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_part_of_a_film(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """--start and --end: those frames from time 0 on, the sound's packets of that time, time code
    counted on."""

    def more(container: Any) -> list[Any]:
        stream = container.add_stream("pcm_s16le", rate=8000)
        packets = []
        for number in range(30):
            wave = np.full((1, 16000), number, np.int16)
            frame = av.AudioFrame.from_ndarray(wave, "s16", "stereo")
            frame.rate, frame.pts, frame.time_base = 8000, number * 8000, Fraction(1, 8000)
            packets += stream.encode(frame)
        return packets

    def setup(stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00:00"

    source = make_clip("s.mov", "prores_ks", "yuv422p10le", more=more, setup=setup, **seconds(30))
    base = ["video", source, "-m", tiny_model, "--codec", "prores_ks"]
    run = run_cli(*base, "-o", "r.mov", "--start", "00:00:05", "--end", "18")
    assert run.returncode == 0, run.stderr
    with av.open(str(tmp_path / "r.mov")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    with av.open(str(tmp_path / "r.mov")) as container:
        sound = [(frame.time, frame.to_ndarray()) for frame in container.decode(audio=0)]
    assert times == list(range(13))
    # a packet that begins before the cut is left out whole
    assert 0 <= sound[0][0] < 0.2 and int(sound[0][1].flat[0]) == 5
    assert sound[-1][0] < 13 and int(sound[-1][1].flat[0]) == 17
    assert probe(tmp_path / "r.mov").video.timecode == "01:00:05:0"


def test_region_stays_neutral_outside(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Perforations and pillars have neutral chroma; inside there is color."""
    source = make_clip("s.mkv", "ffv1", "gray")
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--region", "32x24+16+8")
    assert run.returncode == 0, run.stderr
    with av.open(str(tmp_path / "r.mkv")) as container:
        frame = next(container.decode(video=0))
    cb = np.frombuffer(frame.planes[1], np.uint8).reshape(-1, frame.planes[1].line_size)[:25, :33]
    inside = np.zeros(cb.shape, bool)
    inside[4:16, 8:24] = True
    assert (cb[~inside] == 128).all() and (cb[inside] != 128).mean() > 0.5


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_prove_luma_agrees_with_ffmpeg(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The lists hold the sums that ffmpeg makes of both films."""
    source = make_clip("s.mkv", "ffv1", "yuv422p10le")
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--prove-luma")
    assert run.returncode == 0, run.stderr
    assert "luma is equal in all 12 frames" in run.stderr
    grey = rgb_clip(tmp_path / "g.mkv", "gbrp10le", equal=True)
    more = ["--codec", "libx264", "-x", "qp=0", "--prove-luma"]
    run = run_cli("video", grey, "-o", "x.mkv", "-m", tiny_model, *more)
    assert run.returncode == 0, run.stderr
    names = {
        (source, "y"): "r.mkv.source.framemd5",
        (tmp_path / "r.mkv", "y"): "r.mkv.framemd5",
        (grey, "g"): "x.mkv.source.framemd5",
        (tmp_path / "x.mkv", "y"): "x.mkv.framemd5",
    }
    for (path, plane), name in names.items():
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode"]
        command += ["passthrough", "-vf", f"extractplanes={plane}", "-f", "framemd5", "-"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        theirs = [line for line in told.splitlines() if not line.startswith("#")]
        ours = (tmp_path / name).read_text("ascii").splitlines()
        ours = [line for line in ours if not line.startswith("#")]
        assert [line.split(",")[-2:] for line in ours] == [line.split(",")[-2:] for line in theirs]


def test_prove_luma_tells_what_is_not_equal(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A lossy result is exit code 3 with how far it is off; the film stays."""
    source = make_clip("s.mkv", "ffv1", "yuv420p")
    more = ["--codec", "libx264", "--prove-luma"]
    run = run_cli("video", source, "-o", "r.mp4", "-m", tiny_model, *more)
    assert run.returncode == 3, run.stderr
    assert "luma differs in 12 of 12 frames" in run.stderr and (tmp_path / "r.mp4").exists()


def test_prove_luma_writes_over_nothing_but_its_own_lists(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A stranger's file of a list's name, ffmpeg's own lists too, and a name that is too long for
    a list fail the film before it is made; lists of an earlier run are replaced."""
    base = ["video", make_clip("s.mkv"), "-m", tiny_model, "--prove-luma"]
    foreign = tmp_path / "r.mkv.framemd5"
    foreign.write_text("#format: frame checksums\n#software: Lavf61.7.100\n", "ascii")
    for name, words in (("r.mkv", "is no list of ours"), ("n" * 240 + ".mkv", "cannot write")):
        run = run_cli(*base, "-o", name)
        assert run.returncode == 3 and words in run.stderr, run.stderr
        assert not (tmp_path / name).exists() and not (tmp_path / ".colorbatch").exists()
    assert "Lavf61" in foreign.read_text("ascii")
    foreign.unlink()
    run = run_cli(*base, "-o", "r.mkv")
    assert run.returncode == 0, run.stderr
    first = foreign.read_bytes()
    run = run_cli(*base, "-o", "r.mkv", "--start", "0.2", "-y")
    assert run.returncode == 0, run.stderr
    assert foreign.read_bytes() != first


def test_ctrl_c_is_one_line_and_resumable(
    run_cli: Run, start_python: Start, make_model: Callable[..., Path], long_clip: Path
) -> None:
    """Exit 130, the finished segments stay, the same command ends the work."""
    if sys.platform == "win32":
        pytest.skip("Ctrl-C goes to the whole console there")
    import signal

    model = make_model(long_clip.with_name("hungry.onnx"), body="hungry")
    arguments = ["video", str(long_clip), "-m", str(model), "--batch-size", "1", "-o", "r.mp4"]
    folder = long_clip.parent / ".colorbatch" / "films" / "r.mp4"
    process = at_first_segment(start_python, arguments, folder)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "interrupted: 0 colored, 1 unfinished" in said and "Traceback" not in said
    made = segments(folder)
    frames = sum(part.segment.frames for part in read(folder).in_order)
    assert frames > 0 and f": {frames} of about " in said
    again = run_cli(*arguments)
    assert again.returncode == 0, again.stderr
    assert segments(folder)[: len(made)] == made


STOPPED = """
import signal
from colorbatch.clips import luma_proof
real = luma_proof.prove_luma
def prove_luma(*arguments):
    signal.raise_signal(signal.SIGINT)
    return real(*arguments)
luma_proof.prove_luma = prove_luma
from colorbatch.cli import main
main()
"""
"""The program, with a Ctrl-C when a film is complete and its proof begins."""


def test_ctrl_c_while_luma_is_proved(
    run_python: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The film is told of as made, and not as proved; exit 130, as that was asked for."""
    make_clip("s.mkv")
    arguments = ["video", "s.mkv", "-o", "r.mkv", "-m", tiny_model, "--prove-luma", "--json"]
    run = run_python("-c", STOPPED, *arguments)
    assert run.returncode == 130 and "interrupted: 1 colored" in run.stderr, run.stderr
    outcome = first_json(run)
    assert (outcome["status"], outcome["frames"], outcome["luma"]) == ("colored", 12, None)
    assert "its luma is not proved" in outcome["notes"][-1]


def test_a_second_ctrl_c_ends_at_once_with_an_account(
    run_cli: Run, start_python: Start, make_model: Callable[..., Path], long_clip: Path
) -> None:
    """As for pictures: exit 130, nothing half written, and the same command ends the work."""
    if sys.platform == "win32":
        pytest.skip("Ctrl-C goes to the whole console there")
    import signal

    model = make_model(long_clip.with_name("hungry.onnx"), body="hungry")
    arguments = ["video", str(long_clip), "-m", str(model), "--batch-size", "1", "-o", "r.mp4"]
    folder = long_clip.parent / ".colorbatch" / "films" / "r.mp4"
    process = at_first_segment(start_python, arguments, folder)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in said, said
    assert "interrupted: 0 colored" in said and not long_clip.with_name("r.mp4").exists()
    assert run_cli(*arguments).returncode == 0


def test_borders_are_the_sources_own(
    run_cli: Run, tiny_model: Path, long_clip: Path, tmp_path: Path
) -> None:
    """Segments end at cuts, or at their longest, whatever the batch size."""
    for size in (1, 7):
        name = f"r{size}.mp4"
        more = ["-m", tiny_model, "--batch-size", str(size), "-q"]
        assert run_cli("video", long_clip, "-o", name, *more).returncode == 0
        told = segments(tmp_path / ".colorbatch" / "films" / name)
        assert [each["first"] // 24 for each in told] == BORDERS
        assert [each["frames"] for each in told] == [*np.diff(BORDERS), 41 - BORDERS[-1]]
        assert all(a["last"] < b["first"] for a, b in itertools.pairwise(told))


def test_color_is_steadied_unless_it_is_not_asked_for(
    run_cli: Run, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """The color of a shot in which grain alone changes moves less from frame to frame; luma is the
    same. What was made otherwise is named so."""
    source = make_clip("s.mkv", "ffv1", size=(96, 128))

    def made(name: str, *options: str) -> tuple[list[bytes], float]:
        """The luma, and the mean change of chroma."""
        run = run_cli("video", str(source), "-q", "-o", name, *options)
        assert run.returncode == 0, run.stderr
        with frames(probe(tmp_path / name)) as reading:
            planes = [frame.planes for frame in reading]
        chroma = np.array([each.chroma for each in planes], float)
        return [each.luma.tobytes() for each in planes], float(
            np.abs(np.diff(chroma, axis=0)).mean()
        )

    by_itself, steady = made("a.mkv", "--no-stabilize"), made("b.mkv")
    assert by_itself[0] == steady[0]
    assert 0 < steady[1] < 0.7 * by_itself[1]
    assert by_itself[1] == made("c.mkv", "--stability", "0")[1]
    again = run_cli("video", str(source), "-o", "b.mkv", "--stability", "0.5", "--json")
    assert last_json(again)["skipped_because"] == {"made with other settings": 1}
    refused = run_cli("video", str(source), "-o", "d.mkv", "--stability", "nan")
    assert refused.returncode == 2 and "--stability" in refused.stderr


def test_films_of_one_project_keep_one_look(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """What the first run is told is what the second does; the list of shots stays with its film,
    and only what is asked for by name changes the look."""
    first = make_clip("one.mkv", "ffv1", "gray")
    shutil.copy(first, tmp_path / "two.mkv")
    (tmp_path / "grey.csv").write_text("start,end,action\n0,11,grey\n")
    look = ["--look", "project.json"]
    plain = run_cli("video", "two.mkv", "-o", "plain.mkv", "-m", tiny_model, "--saturation", "0.5")
    assert plain.returncode == 0, plain.stderr
    told = ["-m", tiny_model, "--saturation", "0.5", "--shots", "grey.csv"]
    assert run_cli("video", "one.mkv", "-o", "a.mkv", *look, *told).returncode == 0
    saved = (tmp_path / "project.json").read_bytes()
    again = run_cli("video", "one.mkv", "-o", "a.mkv", *look, "--json")
    assert last_json(again)["skipped_because"] == {"finished": 1}
    for words in (["--dry-run"], []):
        run = run_cli("video", "two.mkv", "-o", "b.mkv", *look, *words)
        assert run.returncode == 0, run.stderr
    assert (tmp_path / "project.json").read_bytes() == saved
    by_look, by_words = pictures(tmp_path / "b.mkv"), pictures(tmp_path / "plain.mkv")
    assert len(by_look) == 12 and np.array_equal(by_look, by_words)
    assert np.ptp(by_look[:, 50:]) > 0 == np.ptp(pictures(tmp_path / "a.mkv")[:, 50:])
    (tmp_path / "project.json").write_text('{"colorbatch_look": 1, "settings": {"hue": 3}}')
    run = run_cli("video", "two.mkv", "-o", "c.mkv", *look)
    assert run.returncode == 2 and "project.json: 'hue' is no setting of a look" in run.stderr
    assert not (tmp_path / "c.mkv").exists()


def test_a_list_with_a_file_that_is_no_model_is_refused(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """One line with its cell, before any work."""
    source = make_clip("s.mkv", "ffv1", "gray")
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "x.csv").write_text("start,end,model\n0,11,notes.txt\n")
    before = sorted(tmp_path.rglob("*"))
    run = run_cli("video", source, "-o", "r.mkv", "-m", tiny_model, "--shots", "x.csv", "-q")
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert line.startswith("error: x.csv: row 2, column model: notes.txt: not a model")
    assert sorted(tmp_path.rglob("*")) == before


def pictures(path: Path) -> Any:
    """The frames of a film of 8 bits in 4:2:0, Y' above Cb and Cr."""
    with av.open(str(path)) as container:
        return np.stack([one.to_ndarray(format="yuv420p") for one in container.decode(video=0)])
