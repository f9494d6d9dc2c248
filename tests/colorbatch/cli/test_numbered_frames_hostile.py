"""`colorbatch video` on numbered frames where something is wrong with what it is given."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RATE_24 = (1724, struct.pack(">f", 24.0))


def write_frames(
    folder: Path, dpx_file: Any, names: Sequence[str], shape: Any = (16, 24, 1)
) -> Path:
    """DPX frames of 10 bits, grey, logarithmic, 24 frames/s."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        codes = np.random.default_rng(seed).integers(100, 900, (*shape[:2], 1)).astype(np.uint16)
        codes = np.repeat(codes, shape[2], axis=2)
        dpx_file(codes, transfer=1, fields=(RATE_24,)).write(folder / name)
    return folder


@pytest.fixture
def reel(dpx_file: Any, tmp_path: Path) -> Path:
    """Five frames r_000001.dpx and on."""
    return write_frames(tmp_path / "reel", dpx_file, [f"r_{n:06d}.dpx" for n in range(1, 6)])


def sound(path: Path, count: int = 10000) -> Path:
    """Noise at 48 kHz, of 16 bits; by default a fifth of a second, as five frames take."""
    samples = np.random.default_rng(0).integers(-9000, 9000, (1, count), np.int16)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000, layout="mono")
        for at in range(0, count, 1000):
            part = samples[:, at : at + 1000]
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def told(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


# --- nothing that is read is written to --------------------------------------------------------


@pytest.mark.parametrize("redo", ["-y", "--redo-all"])
def test_the_sound_is_never_the_target(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path, redo: str
) -> None:
    """By the name of the output, by a name in a folder, and through a hard link."""
    (tmp_path / "films").mkdir()
    sound(tmp_path / "films" / "r.mkv")
    (tmp_path / "same.mkv").hardlink_to(tmp_path / "films" / "r.mkv")
    before = contents(tmp_path)
    for output in (
        ["-o", "films/r.mkv"],
        ["-o", "films", "--container", "mkv"],
        ["-o", "same.mkv"],
    ):
        run = run_cli("video", reel, *output, "--audio", "films/r.mkv", "-m", tiny_model, redo)
        assert run.returncode == 2 and "the target is a source" in run.stderr, run.stderr
    assert contents(tmp_path) == before


def test_a_log_is_no_frame_and_no_sound(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Neither one of the source, by folder or pattern, nor of the result, there or not."""
    sound(tmp_path / "snd.wav")
    base = ["-o", "out", "-m", tiny_model, "-q"]
    assert run_cli("video", reel, *base).returncode == 0
    shutil.copytree(tmp_path / "out", tmp_path / "elsewhere")
    before = contents(tmp_path)
    for source, log in (
        (reel / "r_%06d.dpx", "reel/r_000002.dpx"),
        (reel / "r_%06d.dpx", "reel/new.txt"),
        (reel, "out/r_000001.dpx"),
        (reel, "out/r_000009.dpx"),
        (reel, "elsewhere/r_000001.dpx"),
        (reel, "snd.wav"),
    ):
        run = run_cli("video", source, *base, "--log", log)
        assert run.returncode == 2 and f"--log {log}: " in run.stderr, (log, run.stderr)
    run = run_cli("video", reel, "-o", "r.mkv", "--audio", "snd.wav", "--log", "snd.wav")
    assert run.returncode == 2 and "the name of a source" in run.stderr
    assert contents(tmp_path) == before
    assert run_cli("video", reel, *base, "--log", "out/run.txt").returncode == 0


# --- what is no film, and what is ---------------------------------------------------------------


def test_a_list_of_single_frames_is_refused(run_cli: Run, reel: Path, tmp_path: Path) -> None:
    """A film is all of its frames; nor is a photograph one."""
    (tmp_path / "IMG_0001.jpg").write_bytes(b"x")
    for name in ("reel/r_000001.dpx", "IMG_0001.jpg"):
        (tmp_path / "list.txt").write_text(f"{name}\n")
        run = run_cli("video", "--files-from", "list.txt", "-o", "out")
        assert run.returncode == 2 and "is a picture; a film is all of its frames" in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_list_names_sequences(
    run_cli: Run, tiny_model: Path, dpx_file: Any, reel: Path, tmp_path: Path
) -> None:
    """By their pattern and by their folder, each once; what is not there fails alone."""
    write_frames(tmp_path / "b", dpx_file, ["s1.dpx", "s2.dpx"])
    lines = ["reel", "reel/r_%06d.dpx", "b/s#.dpx", "none/s_%04d.dpx"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    run = run_cli("video", "--files-from", "list.txt", "-o", "out", "-m", tiny_model, "--json")
    assert run.returncode == 3, run.stderr
    assert told(run)[-1]["summary"] | {"colored": 2, "failed": 1} == told(run)[-1]["summary"]
    made = [name for name in contents(tmp_path / "out") if name.lower().endswith(".dpx")]
    assert sorted(made) == sorted(
        ["b/s1.dpx", "b/s2.dpx", *(f"reel/r_{n:06d}.dpx" for n in range(1, 6))]
    )


# --- sound that is cut off ---------------------------------------------------------------------


def test_sound_without_data_is_refused(run_cli: Run, reel: Path, tmp_path: Path) -> None:
    """Its header alone is no sound."""
    whole = sound(tmp_path / "snd.mkv").read_bytes()
    begin = whole.index(bytes.fromhex("1f43b675"))  # Matroska's Cluster
    (tmp_path / "cut.mkv").write_bytes(whole[: begin + 100])
    run = run_cli("video", reel, "-o", "r.mkv", "--audio", "cut.mkv")
    assert run.returncode == 2 and "cut.mkv: has no sound" in run.stderr, run.stderr
    assert not (tmp_path / "r.mkv").exists()


def test_sound_that_is_cut_off_is_told_in_the_report(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """By what is there: half of it states the whole length."""
    whole = sound(tmp_path / "snd.mkv", 96000).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    base = ["video", reel, "-m", tiny_model, "--json", "-q", "--fps", "5/2"]
    for name, words in (("snd.mkv", ""), ("cut.mkv", "shorter than the pictures")):
        run = run_cli(*base, "-o", f"of-{name}", "--audio", name)
        assert run.returncode == 0, run.stderr
        notes = [note for note in told(run)[0]["notes"] if "the sound is" in note]
        assert len(notes) == bool(words) and all(words in note for note in notes)


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 33), (21, 32), (21, 33)])
def test_odd_sizes_become_a_film(
    run_cli: Run, tiny_model: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Of 8 bits, by default and by name; what cannot be is told by its size."""
    (tmp_path / "odd").mkdir()
    for index in range(2):
        codes = np.random.default_rng(index).integers(0, 256, size).astype(np.uint8)
        Image.fromarray(codes).save(tmp_path / "odd" / f"f_{index}.png")
    base = ["video", "odd", "--fps", "24", "-m", tiny_model]
    for output in ("r.mp4", "r.mov"):
        run = run_cli(*base, "-o", output)
        assert run.returncode == 0, run.stderr
        with av.open(str(tmp_path / output)) as container:
            found = [(one.height, one.width) for one in container.decode(video=0)]
        assert found == [size, size]
    run = run_cli(*base, "-o", "s.mkv", "--codec", "libx264", "--pix-fmt", "yuv420p")
    assert run.returncode == 2 and f"odd size, and it is {size[1]}x{size[0]}" in run.stderr
    assert "--pix-fmt yuv444p and --codec ffv1" in run.stderr


# --- proof -------------------------------------------------------------------------------------


def test_outdated_frames_are_proved_as_well(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Some of other settings, some finished: all are compared, one that is off is found, and what
    there is of each is told."""
    base = ["video", reel, "-o", "out", "-m", tiny_model, "--json"]
    assert run_cli(*base, "--saturation", "0.5").returncode == 0
    (tmp_path / "out" / "r_000002.dpx").unlink()
    assert run_cli(*base).returncode == 0
    run = run_cli(*base, "--prove-luma")
    [outcome] = told(run)[:-1]
    assert (run.returncode, outcome["reason"]) == (0, "made with other settings"), run.stderr
    assert outcome["luma"].startswith("luma of 5 frames is within 0.2")
    assert outcome["notes"] == ["0 to do, 4 made with other settings, 1 finished (-y redoes 4)"]
    path = tmp_path / "out" / "r_000004.dpx"
    data = bytearray(path.read_bytes())
    data[2500] ^= 255
    path.write_bytes(data)
    run = run_cli(*base, "--prove-luma")
    assert run.returncode == 3 and "r_000004.dpx is off by" in told(run)[0]["luma"]


def test_a_film_that_cannot_be_proved_is_a_failure(
    run_cli: Run, tiny_model: Path, reel: Path
) -> None:
    """Made with other settings, it is not what this command would compare."""
    base = ["video", reel, "-o", "r.mkv", "-m", tiny_model, "--json"]
    assert run_cli(*base).returncode == 0
    assert run_cli(*base, "--prove-luma").returncode == 0
    run = run_cli(*base, "--prove-luma", "--saturation", "0.5")
    outcome = told(run)[0]
    assert (run.returncode, outcome["status"]) == (3, "failed")
    assert outcome["luma"] == "luma is not proved: made with other settings"
    assert run_cli(*base, "--saturation", "0.5").returncode == 0


# --- names and places --------------------------------------------------------------------------


def test_suffixes_of_two_cases_in_one_folder(
    run_cli: Run, tiny_model: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """Two sequences of which no two names are alike."""
    names = ["c_0001.DPX", "c_0002.DPX", "c_0003.dpx", "c_0004.dpx"]
    write_frames(tmp_path / "both", dpx_file, names)
    run = run_cli("video", "both", "-o", "out", "-m", tiny_model)
    assert run.returncode == 0, run.stderr
    made = [name for name in contents(tmp_path / "out") if name.lower().endswith(".dpx")]
    assert sorted(made) == names


@pytest.mark.parametrize(
    "output", ["reel/r_000001.dpx", "note.txt", "note.txt/deep/out", "note.txt/r.mkv"]
)
def test_an_output_below_a_file_is_refused_before_work(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path, output: str
) -> None:
    """One line that names the file, and nothing is written."""
    (tmp_path / "note.txt").write_text("x")
    before = contents(tmp_path)
    run = run_cli("video", reel, "-o", output, "-m", tiny_model)
    assert run.returncode == 2 and " is a file" in run.stderr and run.stderr.count("\n") <= 2
    assert contents(tmp_path) == before


# --- our own results ---------------------------------------------------------------------------


def test_a_gap_in_our_own_results_stops_nothing(
    run_cli: Run, tiny_model: Path, reel: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """They are skipped, whatever is missing; a gap in a source stops the run."""
    (reel / "r_000003.dpx").write_bytes(b"")
    assert run_cli("video", reel, "-o", "tree/done", "-m", tiny_model).returncode == 3
    write_frames(tmp_path / "tree" / "new", dpx_file, ["s_1.dpx", "s_2.dpx", "s_4.dpx"])
    base = ["video", "tree", "-o", "to", "-m", tiny_model, "--json"]
    run = run_cli(*base)
    assert run.returncode == 2 and "frame 3 is missing" in run.stderr
    assert "done" not in run.stderr
    (tmp_path / "tree" / "new" / "s_4.dpx").unlink()
    run = run_cli(*base)
    assert run.returncode == 0, run.stderr
    summary = told(run)[-1]["summary"]
    assert (summary["colored"], summary["skipped_because"]) == (1, {"made by colorbatch": 1})


def test_a_gap_of_another_machine_stops_it_alone(
    run_cli: Run, tiny_model: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """Of two machines one reports the gap, and the other makes its part."""
    for name in "abcdef":
        write_frames(tmp_path / "all" / name, dpx_file, ["s_1.dpx", "s_2.dpx"])
    (tmp_path / "all" / "c" / "s_2.dpx").rename(tmp_path / "all" / "c" / "s_3.dpx")
    base = ["video", "all", "-o", "to", "-m", tiny_model, "--shard"]
    assert sorted(run_cli(*base, part).returncode for part in ("1/2", "2/2")) == [0, 2]


def test_output_and_sound_among_the_frames_are_no_films(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """The same command finds its film finished, and the sound is no film of its own."""
    sound(reel / "scan.mov")
    for output in (["-o", "reel/x.mkv"], ["-o", "films", "--container", "mkv"]):
        base = ["video", "reel", *output, "--audio", "reel/scan.mov", "-m", tiny_model, "--json"]
        reasons = []
        for _ in range(2):
            run = run_cli(*base)
            assert run.returncode == 0, run.stderr
            [outcome] = told(run)[:-1]
            reasons.append(outcome["reason"])
        assert reasons == [None, "finished"]
        (tmp_path / "reel" / "x.mkv").unlink(missing_ok=True)
