"""`colorbatch video` that makes films of numbered frames, as its users run it."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch.ffmpeg import probe
from tests.forks import Program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "Program | subprocess.Popen[str]"]
TIMECODE = (1920, bytes.fromhex("01020304"))


def head(rate: float) -> dict[str, Any]:
    return {"transfer": 1, "fields": ((1724, struct.pack(">f", rate)), TIMECODE)}


def picture(number: int) -> np.ndarray[Any, Any]:
    """10-bit codes (36, 50, 1) of frame `number`."""
    return np.random.default_rng(number).integers(0, 1024, (36, 50, 1)).astype(np.uint16)


@pytest.fixture
def reel(dpx_file: Any, tmp_path: Path) -> Path:
    """24 DPX frames of 10 bits, logarithmic, 23.976 frames/s, time code 01:02:03:04."""
    (tmp_path / "reel").mkdir()
    for number in range(24):
        path = tmp_path / "reel" / f"r_{1001 + number:06d}.dpx"
        dpx_file(picture(number), **head(23.976)).write(path)
    return tmp_path / "reel"


@pytest.fixture
def slow(dpx_file: Any, tmp_path: Path) -> Path:
    """32 frames, one a second: a segment of ten seconds has ten."""
    (tmp_path / "slow").mkdir()
    for number in range(32):
        path = tmp_path / "slow" / f"s{number:04d}.dpx"
        dpx_file(picture(number), **head(1.0)).write(path)
    return tmp_path / "slow"


def sound(path: Path, seconds: Fraction, codec: str = "pcm_s24le", late: int = 0) -> Path:
    """Two streams, German and English, of a stereo noise each; of WAV one. late: samples."""
    rng = np.random.default_rng(1)
    languages = ("ger", "eng") if path.suffix != ".wav" else ("",)
    with av.open(str(path), "w") as output:
        streams = [output.add_stream(codec, rate=48000, layout="stereo") for _ in languages]
        for stream, language in zip(streams, languages, strict=True):
            stream.metadata["language"] = language
        for stream in streams:
            samples = rng.integers(-(2**30), 2**30, (1, 2 * round(48000 * seconds)), np.int32)
            frame = av.AudioFrame.from_ndarray(samples, format="s32", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, late, Fraction(1, 48000)
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


def heard(path: Path) -> list[tuple[str, str, Fraction]]:
    """Of each sound: its language, the SHA-256 of its packets, and when it starts."""
    found = []
    with av.open(str(path)) as container:
        indices = [stream.index for stream in container.streams.audio]
    for index in indices:
        state, start = hashlib.sha256(), None
        with av.open(str(path)) as container:
            stream = container.streams[index]
            for packet in container.demux(stream):
                if packet.size:
                    assert packet.pts is not None
                    start = packet.pts * packet.time_base if start is None else start
                    state.update(bytes(packet))
            assert start is not None
            found.append((stream.metadata.get("language", ""), state.hexdigest(), start))
    return found


def luma(path: Path) -> list[np.ndarray[Any, Any]]:
    """Each frame's Y' as libav decodes it, without our reader."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            lines = np.frombuffer(frame.planes[0], np.uint16)
            lines = lines.reshape(frame.height, -1)
            found.append(lines[:, : frame.width].copy())
    return found


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def first_json(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(run.stdout.splitlines()[0])


def test_a_film_of_frames_with_sound(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """FFV1 holds the frames' codes as Y', at exact times, with the first header's time code; both
    sounds are there, packet by packet, with their languages, from the first frame on."""
    added = sound(tmp_path / "sound.mov", 24 * Fraction(1001, 24000))
    run = run_cli("video", reel, "-o", "r.mp4", "--codec", "ffv1", "--audio", added, "-m",
                  tiny_model, "--prove-luma", "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    result = tmp_path / "r.mp4"
    for number, plane in enumerate(luma(result)):
        np.testing.assert_array_equal(plane, picture(number)[..., 0])
    assert times(result) == [number * Fraction(1001, 24000) for number in range(24)]
    film = probe(result)
    assert (film.video.timecode, film.video.average_rate) == ("01:02:03:04", Fraction(24000, 1001))
    assert (film.video.color.range, film.video.color.transfer) == (2, 2)
    assert heard(result) == heard(added) and len(heard(added)) == 2
    told = first_json(run)
    frames = b"".join(path.read_bytes() for path in sorted(reel.iterdir()))
    assert told["source_sha256"] == hashlib.sha256(frames).hexdigest()
    assert told["luma"] == "luma is equal in all 24 frames"
    with av.open(str(result)) as container:
        shown = next(container.decode(video=0))
        assert len(np.unique(np.frombuffer(shown.planes[1], np.uint16))) > 1
    again = run_cli("video", reel, "-o", "r.mp4", "--codec", "ffv1", "--audio", added, "-m",
                    tiny_model, "--json")  # fmt: skip
    assert first_json(again)["reason"] == "finished"


def test_quicktime_of_frames_is_prores(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Also by --container into a folder, under the frames' own name."""
    run = run_cli("video", reel, "-o", "out", "--container", "mov", "-m", tiny_model)
    assert run.returncode == 0, run.stderr
    film = probe(tmp_path / "out" / "r.mov")
    assert (film.video.codec, film.video.profile, film.video.frames) == ("prores", "HQ", 24)
    assert film.video.color.primaries == 1
    assert "stays logarithmic" in run.stderr and "full" in run.stderr


def test_killed_again_and_again(
    run_cli: Run, tiny_model: Path, start_python: Start, slow: Path, tmp_path: Path
) -> None:
    """`kill -9` behind each segment: the film is the one of an undisturbed run, with the damaged
    frame of a segment that was made before a kill in the report."""
    (slow / "s0003.dpx").write_bytes((slow / "s0003.dpx").read_bytes()[:2500])
    added = sound(tmp_path / "sound.wav", Fraction(32))
    options = ["--audio", str(added), "-m", str(tiny_model), "--json", "-y"]
    command = ["video", "slow/s%04d.dpx", "-o", "a.mkv", *options]
    journal = tmp_path / ".colorbatch" / "films" / "a.mkv" / "journal.jsonl"

    def segments() -> int:
        return journal.read_bytes().count(b'"state": "segment"') if journal.exists() else 0

    for wanted in (1, 2):
        process = start_python("-m", "colorbatch", *command)
        while segments() < wanted and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.communicate()
    run = run_cli(*command)
    assert run.returncode == 0, run.stderr
    whole = run_cli("video", "slow", "-o", "b.mkv", *options)
    assert whole.returncode == 0, whole.stderr
    assert times(tmp_path / "a.mkv") == times(tmp_path / "b.mkv") == list(range(32))
    for one, other in zip(luma(tmp_path / "a.mkv"), luma(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert heard(tmp_path / "a.mkv") == heard(tmp_path / "b.mkv") == heard(added)
    for told in (first_json(run), first_json(whole)):
        assert told["corrupt"] == 1
        assert "1 frame cannot be read: the one before is repeated (s0003.dpx)" in told["notes"]


def test_a_damaged_frame_repeats_the_one_before(
    run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path
) -> None:
    """The film has as many frames as before."""
    (slow / "s0005.dpx").write_bytes(b"SDPX, and nothing more")
    run = run_cli("video", slow, "-o", "r.mkv", "-m", tiny_model, "--end", "8")
    assert run.returncode == 0, run.stderr
    found = luma(tmp_path / "r.mkv")
    assert len(found) == 8
    np.testing.assert_array_equal(found[5], picture(4)[..., 0])
    np.testing.assert_array_equal(found[6], picture(6)[..., 0])


BAD_SECTOR = """
import errno, pathlib, sys
bad = sys.argv.pop(1).split(",")
real = pathlib.Path.open
def opened(self, *arguments, **options):
    if self.name in bad:
        raise OSError(errno.EIO, "Input/output error")
    return real(self, *arguments, **options)
pathlib.Path.open = opened
from colorbatch.cli import main
main()
"""
"""The program, on a disk that does not give some frames."""


@pytest.mark.parametrize("number", [5, 15, 16, 31])
def test_a_frame_that_the_disk_does_not_give(
    tiny_model: Path, run_python: Run, slow: Path, tmp_path: Path, number: int
) -> None:
    """It repeats the one before, is named, and counts without its bytes, also where the source is
    known again by it; the film is finished, and stays so."""
    bad = f"s{number:04d}.dpx"
    command = ["-c", BAD_SECTOR, bad, "video", slow, "-o", "r.mkv", "-m", tiny_model, "--json"]

    def run() -> dict[str, Any]:
        done = run_python(*command)
        assert done.returncode == 0, done.stderr
        return first_json(done)

    told = run()
    assert (told["frames"], told["corrupt"]) == (32, 1)
    assert any("not given by the disk" in note and bad in note for note in told["notes"])
    given = [b"colorbatch: no bytes" if path.name == bad else path.read_bytes()
             for path in sorted(slow.iterdir())]  # fmt: skip
    assert told["source_sha256"] == hashlib.sha256(b"".join(given)).hexdigest()
    np.testing.assert_array_equal(luma(tmp_path / "r.mkv")[number], picture(number - 1)[..., 0])
    assert run()["reason"] == "finished"


def test_gaps_stay_in_time(run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path) -> None:
    """Without --allow-gaps nothing is made; with it the frames behind a gap keep their times."""
    (slow / "s0002.dpx").unlink()
    refused = run_cli("video", slow, "-o", "r.mkv", "-m", tiny_model, "--end", "6")
    assert refused.returncode == 2 and "frame 2 is missing" in refused.stderr
    run = run_cli("video", slow, "-o", "r.mkv", "-m", tiny_model, "--end", "6", "--allow-gaps",
                  "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert times(tmp_path / "r.mkv") == [0, 1, 3, 4, 5]
    assert any("frame 2 is missing" in note for note in first_json(run)["notes"])


@pytest.mark.parametrize(
    ("part", "ticks", "length"),
    [(["--end", "15"], [*range(11)], 15), (["--start", "15"], [0, *range(6, 17)], 17),
     (["--start", "13", "--end", "18"], [0], 5)],
)  # fmt: skip
def test_a_part_that_begins_or_ends_in_a_gap(
    run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path, part: list[str],
    ticks: list[int], length: int,
) -> None:  # fmt: skip
    """It is as long as was asked, and shows there what the whole film does: frame 10, as 11 to 20
    are missing; so does its sound last."""
    for number in range(11, 21):
        (slow / f"s{number:04d}.dpx").unlink()
    added = sound(tmp_path / "sound.mov", Fraction(32))
    run = run_cli("video", slow, "-o", "r.mp4", "-m", tiny_model, "--allow-gaps", "--audio", added,
                  "--codec", "ffv1", "--prove-luma", *part)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert times(tmp_path / "r.mp4") == ticks
    film = probe(tmp_path / "r.mp4")
    assert film.video.duration == length
    for stream in film.others:
        assert abs(stream.duration * stream.time_base - length) < Fraction(1, 20)


def test_a_part_has_its_time_code_and_sound(
    run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path
) -> None:
    """Both begin where the part does."""
    added = sound(tmp_path / "sound.mov", Fraction(32))
    run = run_cli("video", slow, "-o", "r.mov", "--fps", "4", "--audio", added, "-m", tiny_model,
                  "--start", "2", "--end", "4", "--transfer", "bt709")  # fmt: skip
    assert run.returncode == 0, run.stderr
    film = probe(tmp_path / "r.mov")
    assert (film.video.frames, film.video.duration) == (8, 2)
    assert film.video.timecode == ""  # frame 4 of a second there is none of at 4 frames/s
    assert "does not fit its rate" in run.stderr
    lengths = [stream.duration * stream.time_base for stream in film.others]
    assert len(lengths) == 2 and all(abs(length - 2) < Fraction(1, 20) for length in lengths)
    assert film.video.color.transfer == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.wav", "none.wav"), ("r_001001.dpx", "has no sound"), ("silent.mkv", "has no sound")],
)
def test_sound_that_is_none(
    run_cli: Run,
    tiny_model: Path,
    make_clip: Callable[..., Path],
    reel: Path,
    tmp_path: Path,
    name: str,
    words: str,
) -> None:
    """A file that is missing, or without sound, is named before any work."""
    make_clip("silent.mkv", "ffv1")
    shutil.copy(reel / "r_001001.dpx", tmp_path)
    run = run_cli("video", reel, "-o", "r.mkv", "--audio", name, "-m", tiny_model)
    assert (run.returncode, words in run.stderr) == (2, True), run.stderr
    assert not (tmp_path / "r.mkv").exists()


def test_sound_is_of_one_film(
    run_cli: Run, tiny_model: Path, make_clip: Callable[..., Path], reel: Path, slow: Path
) -> None:
    """With two sequences, or a film beside the frames, it is refused; and so are options of frames
    where there are none."""
    film, added = make_clip("f.mkv", "ffv1"), sound(reel.with_name("sound.wav"), Fraction(1))
    base = ["-o", "out", "--container", "mkv", "-m", tiny_model]
    for sources in ([reel, slow], [reel, film]):
        run = run_cli("video", *sources, *base, "--audio", added)
        assert run.returncode == 2 and "one film, but there are 2" in run.stderr, run.stderr
    run = run_cli("video", film, *base, "--allow-gaps")
    assert run.returncode == 2 and "--allow-gaps is for numbered frames" in run.stderr
    assert not reel.with_name("out").exists()


def test_sound_that_the_container_does_not_hold(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """It is named, and what holds it."""
    added = sound(tmp_path / "sound.mkv", Fraction(1), "wavpack")
    run = run_cli("video", reel, "-o", "r.mov", "--audio", added, "-m", tiny_model)
    assert run.returncode == 2
    assert "mov cannot hold its audio (wavpack)" in run.stderr and ".mkv" in run.stderr


def test_another_sound_is_another_film(
    run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path
) -> None:
    """A finished film is outdated, and -y makes it again; the length is warned of."""
    command = ["video", slow, "-o", "r.mkv", "-m", tiny_model, "--end", "3", "--json"]
    assert run_cli(*command).returncode == 0
    added = sound(tmp_path / "sound.wav", Fraction(1))
    run = run_cli(*command, "--audio", added, "-y")
    assert "2.00 s shorter" in run.stderr
    added = sound(tmp_path / "sound.wav", Fraction(3))
    run = run_cli(*command, "--audio", added)
    assert first_json(run)["reason"] == "made with other settings"
    run = run_cli(*command, "--audio", added, "-y")
    assert "shorter" not in run.stderr and "longer" not in run.stderr
    assert [each[1:] for each in heard(tmp_path / "r.mkv")] == [each[1:] for each in heard(added)]
    (slow / "s0007.dpx").touch()
    assert first_json(run_cli(*command, "--audio", added))["reason"] == "source changed since"


def test_sound_starts_with_the_first_frame(
    run_cli: Run, tiny_model: Path, slow: Path, tmp_path: Path
) -> None:
    """Half a second that its own file has before it is no part of it."""
    added = sound(tmp_path / "late.mkv", Fraction(32), late=24000)
    assert [start for _, _, start in heard(added)] == [Fraction(1, 2)] * 2
    run = run_cli("video", slow, "-o", "r.mkv", "--audio", added, "-m", tiny_model)
    assert run.returncode == 0, run.stderr
    told = heard(tmp_path / "r.mkv")
    assert [start for _, _, start in told] == [0, 0]
    assert [each[:2] for each in told] == [each[:2] for each in heard(added)]


def test_stills_of_frames(run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path) -> None:
    """--preview shows them as a display does, and makes no film."""
    run = run_cli("video", reel, "-o", "look/r.mkv", "-m", tiny_model, "--preview", "2")
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / "look").glob("r.mkv-*.png"))) == 4
    assert not (tmp_path / "look" / "r.mkv").exists()


def test_floating_point_frames_are_refused(run_cli: Run, tiny_model: Path, tmp_path: Path) -> None:
    """Exit code 2, with what to do."""
    oiio = pytest.importorskip("OpenImageIO")
    (tmp_path / "exr").mkdir()
    for index in range(2):
        output = oiio.ImageOutput.create("exr")
        spec = oiio.ImageSpec(8, 4, 3, "half")
        assert output.open(str(tmp_path / "exr" / f"f{index:03d}.exr"), spec)
        output.write_image(np.zeros((4, 8, 3), np.float32))
        output.close()
    run = run_cli("video", "exr", "-o", "r.mkv", "-m", tiny_model, "--fps", "24")
    assert run.returncode == 2 and "floating point" in run.stderr and "-o FOLDER" in run.stderr
