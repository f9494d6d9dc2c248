"""`colorbatch video` on numbered frames as its users run it: frames in, the same frames out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch import __version__, scans
from colorbatch.clips.numbered_plan import plan_frames
from colorbatch.inputs.numbered_files import of_pattern
from colorbatch.job import FilmSettings
from colorbatch.journal.results import Journals
from tests.forks import Program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "Program | subprocess.Popen[str]"]
RATE_24 = (1724, struct.pack(">f", 24.0))
LUMA = np.array([0.299, 0.587, 0.114])
"""BT.601-7, section 2.5.1."""


@pytest.fixture
def reel(dpx_file: Any, grey_photograph: Any, tmp_path: Path) -> Path:
    """24 DPX frames of 10 bits, logarithmic, 24 frames/s, of a photograph that moves."""
    grey = grey_photograph("camera").astype(np.uint16) * 2 + 200
    (tmp_path / "reel").mkdir()
    for index in range(24):
        codes = grey[100:148, 100 + 4 * index : 164 + 4 * index, None]
        path = tmp_path / "reel" / f"r_{1001 + index:06d}.dpx"
        dpx_file(codes, transfer=1, fields=(RATE_24,)).write(path)
    return tmp_path / "reel"


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds below it, without the journal and the lists of shots."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if ".colorbatch" not in path.parts and not path.name.endswith(".shots.csv")
    }


def told(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def named(folder: Path) -> list[str]:
    """The targets that a journal has announced, in order."""
    path = folder / ".colorbatch" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [each["target"] for each in map(json.loads, lines) if each["state"] == "named"]


def test_frames_become_the_same_frames(
    run_cli: Run, tiny_model: Path, reel: Path, libav_picture: Any, tmp_path: Path
) -> None:
    """Same names; by libav each has the luma of its source and color; the header is the source's
    but for what says how pixels lie; sources stay; the journal is the output's."""
    before = files(reel)
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model, "--json")
    assert run.returncode == 0, run.stderr
    assert "transfer log, by its header (printing density); 24 frames/s" in run.stderr
    outcome, summary = told(run)
    assert (outcome["status"], outcome["frames"], outcome["kind"]) == ("colored", 24, "grey")
    assert outcome["transfer"] == "log, by its header (printing density)"
    assert summary["summary"]["colored"] == 1 and outcome["failed_frames"] == []
    assert files(reel) == before and not (reel / ".colorbatch").exists()
    assert files(tmp_path / "out").keys() == before.keys()
    for name, source in before.items():
        grey = libav_picture(reel / name)[..., 0]
        result = libav_picture(tmp_path / "out" / name)
        np.testing.assert_array_equal(np.rint(result @ LUMA), grey)
        assert np.ptp(result.astype(int), axis=2).mean() > 5
        made = (tmp_path / "out" / name).read_bytes()
        assert made[1556:2048] == source[1556:2048]  # orientation, film and television headers
        assert scans.header(tmp_path / "out" / name).marked


def test_a_pattern_and_no_output(run_cli: Run, tiny_model: Path, reel: Path) -> None:
    """Results are beside the folder of the sources; a second run finds them finished, and the
    folder above takes them for what they are."""
    for pattern in ("r_%06d.dpx", "r_######.dpx"):
        run = run_cli("video", reel / pattern, "-m", tiny_model, "--json")
        assert run.returncode == 0, run.stderr
    assert told(run)[-1]["summary"]["skipped_because"] == {"finished": 1}
    results = reel.with_name("reel_colorized")
    assert files(results).keys() == files(reel).keys()
    above = run_cli("video", reel.parent, "-m", tiny_model, "--json")
    assert told(above)[-1]["summary"]["skipped_because"] == {"finished": 1}
    ours = run_cli("video", results, "-o", "again", "-m", tiny_model, "--json")
    assert told(ours)[-1]["summary"]["skipped_because"] == {"made by colorbatch": 1}


def test_films_and_sequences_are_mirrored(
    run_cli: Run, tiny_model: Path, reel: Path, make_clip: Any, tmp_path: Path
) -> None:
    """Below one folder: a film, two sequences in one folder, EXR-less photographs passed over."""
    for name in ("all/deep", "all/photos"):
        (tmp_path / name).mkdir(parents=True)
    shutil.move(reel, tmp_path / "all" / "deep" / "reel")
    shutil.move(make_clip("s.mkv", "ffv1", "gray"), tmp_path / "all" / "film.mkv")
    for index in range(3):
        codes = np.full((20, 30), 900 * index, np.uint16)
        tifffile.imwrite(tmp_path / "all" / "deep" / "reel" / f"t{index}.tif", codes)
        Image.fromarray(codes.astype(np.uint8)).save(tmp_path / f"all/photos/IMG_000{index}.jpg")
    run = run_cli("video", "all", "-o", "out", "-m", tiny_model, "--json")
    assert run.returncode == 0, run.stderr
    assert [each["frames"] for each in told(run)[:-1]] == [12, 24, 3]
    made = files(tmp_path / "out")
    assert sorted(made) == [
        "deep/reel/" + name for name in sorted(files(tmp_path / "all/deep/reel"))
    ] + ["film.mkv"]


def test_jpeg_png_and_exr(
    run_cli: Run, tiny_model: Path, grey_photograph: Any, tmp_path: Path
) -> None:
    """Frames of any format; JPEG's proof says that it is lossy."""
    import OpenImageIO as oiio  # noqa: N813 - its own name for itself

    grey = grey_photograph("camera")[::4, ::4]
    for kind in ("jpg", "png", "exr"):
        (tmp_path / kind).mkdir()
        for index in range(3):
            path = tmp_path / kind / f"f.{index:04d}.{kind}"
            if kind == "exr":
                spec = oiio.ImageSpec(*grey.shape[::-1], 1, "half")
                spec.channelnames = ("Y",)
                output = oiio.ImageOutput.create("openexr")
                assert output.open(str(path), spec)
                output.write_image((grey / 255).astype(np.float16)[..., None])
                output.close()
            else:
                Image.fromarray(grey).save(path)
        run = run_cli("video", kind, "-o", f"{kind}-out", "-m", tiny_model, "--prove-luma")
        assert run.returncode == 0, run.stderr
        assert ("JPEG is lossy" in run.stderr) == (kind == "jpg")
        assert "luma of 3 frames is within" in run.stderr
        made = files(tmp_path / f"{kind}-out")
        assert made.keys() == files(tmp_path / kind).keys()
        assert all(
            f"colorbatch {__version__}; model tiny".encode() in each for each in made.values()
        )


# --- frames that cannot be made ----------------------------------------------------------------


def test_bad_frames_are_named_and_every_other_is_made(
    run_cli: Run, tiny_model: Path, reel: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """Cut off, of another size, no DPX, of another depth, a result of ours: a line each, exit 3;
    mended, the same command makes just these, as no other is averaged with them."""
    good, alone = files(reel), ("-m", tiny_model, "--no-stabilize")
    assert run_cli("video", reel, "-o", "whole", *alone).returncode == 0
    names = sorted(good)
    (reel / names[0]).write_bytes(good[names[0]][:3000])
    dpx_file(np.full((48, 60, 1), 400, np.uint16), transfer=1).write(reel / names[5])
    (reel / names[9]).write_bytes(b"no picture")
    dpx_file(np.full((48, 64, 1), 400, np.uint16), 12, transfer=1).write(reel / names[14])
    shutil.copy(tmp_path / "whole" / names[20], reel / names[20])
    run = run_cli("video", reel, "-o", "out", *alone, "--json")
    assert run.returncode == 3 and "Traceback" not in run.stderr
    outcome = told(run)[0]
    reasons = {each["frame"]: each["reason"] for each in outcome["failed_frames"]}
    wanted = {0: "is cut off", 5: "(48, 60), of the first frame (48, 64)", 9: "is no DPX file",
              14: "bits: 12", 20: "made by colorbatch"}  # fmt: skip
    assert sorted(reasons) == [names[index] for index in wanted]
    for index, words in wanted.items():
        assert words in reasons[names[index]]
        [line] = [line for line in run.stderr.splitlines() if line.startswith("failed: ")
                  and names[index] in line and "of 24 frames" not in line]  # fmt: skip
        assert words in line
    assert (outcome["status"], outcome["frames"], outcome["corrupt"]) == ("failed", 19, 5)
    assert "5 of 24 frames failed" in outcome["reason"]
    made = files(tmp_path / "out")
    whole = files(tmp_path / "whole")
    assert made == {name: whole[name] for name in whole if name not in reasons}
    for name, data in good.items():
        (reel / name).write_bytes(data) if name in reasons else None
    before = len(named(tmp_path / "out"))
    again = run_cli("video", reel, "-o", "out", *alone, "--json")
    assert again.returncode == 0 and told(again)[0]["frames"] == 24
    assert sorted(named(tmp_path / "out")[before:]) == sorted(reasons)
    assert files(tmp_path / "out") == whole


def test_no_frame_that_can_be_read(run_cli: Run, tiny_model: Path, tmp_path: Path) -> None:
    """One line, exit 3."""
    (tmp_path / "reel").mkdir()
    for index in range(3):
        (tmp_path / "reel" / f"a{index}.dpx").write_bytes(b"nothing")
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model)
    assert run.returncode == 3 and "no frame can be read" in run.stderr
    assert not (tmp_path / "out").exists()


def test_fail_fast_begins_no_more(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """After the first bad frame few others are finished, and the line says how many were not."""
    (reel / "r_001002.dpx").write_bytes(b"bad")
    more = ["--fail-fast", "--workers", "1", "--batch-size", "1"]
    run = run_cli("video", reel, "-o", "out", "-m", tiny_model, *more)
    assert run.returncode == 3 and "were not begun" in run.stderr
    assert len(files(tmp_path / "out")) < 10


def listed(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 of what `sha256sum` prints of these files, in order."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
             for name in sorted(names)]  # fmt: skip
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_hashes_of_sources_and_results_are_told(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Those of all frames that have a result, made now or before."""
    good = (reel / "r_001007.dpx").read_bytes()
    base = ["video", reel, "-o", "out", "-m", tiny_model, "--json"]
    for data, count in ((b"bad", 23), (good, 24)):
        (reel / "r_001007.dpx").write_bytes(data)
        outcome = told(run_cli(*base))[0]
        made = files(tmp_path / "out")
        assert len(made) == outcome["frames"] == count
        assert outcome["source_sha256"] == listed(reel, made)
        assert outcome["target_sha256"] == listed(tmp_path / "out", made)


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


def test_killed_again_and_again_it_ends_as_if_it_had_not_been(
    run_cli: Run, run_python: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """kill -9 at every sixth write or so: what bears a name is whole, runs go on behind it, and the
    end is that of a run that nobody disturbed."""
    arguments = ["video", str(reel), "-m", str(tiny_model), "-q", "-o"]
    assert run_cli(*arguments, "whole").returncode == 0
    whole = files(tmp_path / "whole")
    done: list[int] = []
    for step in (1, 2, 3, 7, 6, 9, 8, 12, 11, 14):
        run = run_python("-c", KILLED, step, *arguments, "out")
        made = {name: data for name, data in files(tmp_path / "out").items() if name[0] != "."}
        assert made == {name: whole[name] for name in made}
        done.append(len(made))
        if run.returncode == 0:
            break
        assert not run.stderr.strip(), run.stderr
    assert done == sorted(done) and 0 < done[4] < 24
    assert run_cli(*arguments, "out").returncode == 0
    assert files(tmp_path / "out") == whole  # and nothing temporary is left
    lists = [tmp_path / name / "r.dpx.shots.csv" for name in ("out", "whole")]
    assert lists[0].read_bytes() == lists[1].read_bytes()


def test_killed_while_a_list_changes_the_model_of_a_shot(
    run_cli: Run,
    run_python: Run,
    tiny_model: Path,
    make_model: Any,
    reel: Path,
    tmp_path: Path,
) -> None:
    """kill -9 while frames that were finished are made again by another model: the end is that of
    an undisturbed run with the list, and no frame of the other shot is made again."""
    make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    (tmp_path / "x.csv").write_text("start,end,action,model\n1009,1024,color,other.onnx\n")
    arguments = ["video", str(reel), "-m", str(tiny_model), "-q", "-o"]
    (tmp_path / "y.csv").write_text("start,end\n1009,1024\n")
    with_list = ["--shots", str(tmp_path / "x.csv")]
    for folder, more in (("whole", with_list), ("out", ["--shots", "y.csv"])):
        assert run_cli(*arguments, folder, *more).returncode == 0
    whole, there, done = files(tmp_path / "whole"), files(tmp_path / "out"), list[int]()
    first = len(named(tmp_path / "out"))
    for step in (4, 9, 7, 12):
        run = run_python("-c", KILLED, step, *arguments, "out", *with_list)
        assert run.returncode != 0 and not run.stderr.strip(), run.stderr
        made = files(tmp_path / "out")
        assert made.keys() >= there.keys()
        assert all(made[name] in (there[name], whole[name]) for name in there)
        done.append(sum(made[name] == whole[name] for name in there))
    assert done == sorted(done) and 8 < done[-1] < 24, done
    assert run_cli(*arguments, "out", *with_list).returncode == 0
    assert files(tmp_path / "out") == whole
    shot = {f"r_{number:06d}.dpx" for number in range(1009, 1025)}
    assert set(named(tmp_path / "out")[first:]) == shot
    assert {name for name in whole if whole[name] != there[name]} == shot


def start_and_wait(
    start_python: Start, arguments: Sequence[object], folder: Path, least: int
) -> Program | subprocess.Popen[str]:
    """The command in a process of its own, when some frames are done."""
    process = start_python("-m", "colorbatch", *arguments)
    while process.poll() is None and len(named(folder)) < least:
        time.sleep(0.002)
    return process


def test_killed_in_the_midst_of_the_work(
    run_cli: Run, start_python: Start, make_model: Any, reel: Path, tmp_path: Path
) -> None:
    """A real kill while frames are colored; no frame that was recorded is made twice."""
    model = make_model(tmp_path / "hungry.onnx", body="hungry")
    arguments = ["video", reel, "-m", model, "-q", "--batch-size", "1", "--workers", "1", "-o"]
    process = start_and_wait(start_python, [*arguments, "out"], tmp_path / "out", 4)
    process.kill()
    process.communicate()
    there = [name for name in files(tmp_path / "out") if name.endswith(".dpx")]
    assert 3 <= len(there) < 24
    assert run_cli(*arguments, "out").returncode == 0
    announced = named(tmp_path / "out")
    assert all(announced.count(name) == 1 for name in there)
    assert run_cli(*arguments, "whole").returncode == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_sources_that_go_away_are_one_line(
    run_cli: Run, start_python: Start, make_model: Any, reel: Path, tmp_path: Path
) -> None:
    """A share that is not there any more: no line for every frame that it held, exit 3, and the
    same command goes on when it is back."""
    model = make_model(tmp_path / "hungry.onnx", body="hungry")
    one_by_one = ["--batch-size", "1", "--workers", "1", "--no-stabilize"]
    arguments = ["video", reel, "-m", model, *one_by_one, "-o", "out"]
    process = start_and_wait(start_python, arguments, tmp_path / "out", 2)
    reel.rename(tmp_path / "away")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3, said
    [line] = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert "has gone while it was read" in line and "goes on from there" in line
    made = files(tmp_path / "out")
    assert 2 <= len(made) < 24
    (tmp_path / "away").rename(reel)
    assert run_cli(*arguments).returncode == 0
    now = files(tmp_path / "out")
    assert len(now) == 24 and {name: now[name] for name in made} == made


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
def test_ctrl_c_is_one_line_and_resumable(
    run_cli: Run, start_python: Start, make_model: Any, reel: Path, tmp_path: Path
) -> None:
    """Exit 130, finished frames stay, the same command ends the work."""
    model = make_model(tmp_path / "hungry.onnx", body="hungry")
    one_by_one = ["--batch-size", "1", "--workers", "1", "--no-stabilize"]
    arguments = ["video", reel, "-m", model, *one_by_one, "-o", "out"]
    process = start_and_wait(start_python, [*arguments, "--json"], tmp_path / "out", 2)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    made = len(files(tmp_path / "out"))
    assert 0 < made < 24 and "Traceback" not in said
    assert "interrupted: 0 colored, 1 unfinished" in said and "not begun" not in said
    assert f": {made} of 24 frames are made; the same command" in said
    outcome, summary = map(json.loads, out.splitlines())
    assert (outcome["status"], outcome["frames"]) == ("unfinished", made)
    assert summary["summary"]["unfinished"] == 1 and summary["summary"]["exit_code"] == 130
    assert run_cli(*arguments).returncode == 0
    assert len(files(tmp_path / "out")) == 24 == len(named(tmp_path / "out"))


def test_the_same_command_again(run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path) -> None:
    """Finished; made with other settings; a source changed since; -y redoes just these; what
    somebody retouched stays."""
    base = ["video", reel, "-o", "out", "-m", tiny_model, "--json"]
    assert run_cli(*base).returncode == 0
    first = files(tmp_path / "out")
    same = run_cli(*base)
    assert told(same)[-1]["summary"]["skipped_because"] == {"finished": 1}
    assert "no model was needed" in same.stderr
    paler = [*base, "--saturation", "0.5"]
    summary = told(run_cli(*paler))[-1]["summary"]
    assert summary["skipped_because"] == {"made with other settings": 1}
    assert summary["outdated"] == 1 and files(tmp_path / "out") == first
    os.utime(reel / "r_001003.dpx", ns=(1, 1))
    assert told(run_cli(*base))[-1]["summary"]["skipped_because"] == {"source changed since": 1}
    redone = run_cli(*base, "-y")
    assert "1 to do, 23 finished" in redone.stderr and told(redone)[0]["frames"] == 24
    assert files(tmp_path / "out") == first  # its pixels were the same
    (tmp_path / "out" / "r_001004.dpx").write_bytes(b"retouched")
    all_paler = run_cli(*paler, "-y")
    assert all_paler.returncode == 0, all_paler.stderr
    assert told(all_paler)[0]["notes"] == ["1 frames result changed since"]
    now = files(tmp_path / "out")
    assert now.pop("r_001004.dpx") == b"retouched"
    assert all(now[name] != first[name] for name in now)


def test_a_frame_that_is_somebodys_is_not_replaced(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """It is counted, named, and stays; the others are made."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "r_001005.dpx").write_bytes(b"somebody's")
    run = run_cli("video", reel, "-o", "out", "-m", tiny_model, "--json", "-y")
    assert run.returncode == 0, run.stderr
    assert "1 there already, not in the journal" in run.stderr
    assert (tmp_path / "out" / "r_001005.dpx").read_bytes() == b"somebody's"
    assert len(named(tmp_path / "out")) == 23


def test_a_second_run_in_the_same_folder_is_refused(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """The lock is the one of the folder of results."""
    plan = plan_frames(of_pattern(str(reel / "r_%06d.dpx")), tmp_path / "out", FilmSettings())
    with Journals(plan.jobs()) as journals:
        journals.lock()
        run = run_cli("video", reel, "-o", "out", "-m", tiny_model)
        assert run.returncode == 1 and "another run is at work here" in run.stderr
    assert not files(tmp_path / "out")


FULL = """
set -e
mount -t tmpfs -o size=200k none "$DISK"
mkdir "$DISK/out"
set +e
"$@" > "$SAFE/first.out" 2> "$SAFE/first.err"; echo $? > "$SAFE/first.code"
cp -a "$DISK/out" "$SAFE/first"
mount -o remount,size=100m "$DISK"
"$@" > "$SAFE/second.out" 2> "$SAFE/second.err"; echo $? > "$SAFE/second.code"
cp -a "$DISK/out" "$SAFE/second"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a small disk of its own")
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    run_cli: Run, clean_env: dict[str, str], tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Exit 1, what is finished is whole; with room again the same command does the rest."""
    may = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    if may.returncode != 0:
        pytest.skip("this machine lets nobody mount a disk")
    disk, safe = tmp_path / "disk", tmp_path / "safe"
    disk.mkdir()
    safe.mkdir()
    tool = [sys.executable, "-m", "colorbatch", "video", str(reel), "-o", str(disk / "out")]
    tool += ["-m", str(tiny_model), "--ignore-space"]
    subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", *tool],
        env=clean_env | {"DISK": str(disk), "SAFE": str(safe)}, check=True,
    )  # fmt: skip
    assert (safe / "first.code").read_text() == "1\n"
    said = (safe / "first.err").read_text()
    assert "stopped: " in said and "No space left on device" in said and "Traceback" not in said
    made = len(files(safe / "first"))
    assert "0 colored, 1 unfinished" in said and f": {made} of 24 frames are made" in said
    assert run_cli("video", reel, "-o", "whole", "-m", tiny_model).returncode == 0
    whole, done = files(tmp_path / "whole"), files(safe / "first")
    assert 3 < len(done) < 24 and done == {name: whole[name] for name in done}
    assert (safe / "second.code").read_text() == "0\n"
    assert files(safe / "second") == whole


def test_what_cannot_fit_is_refused_before_work(
    run_cli: Run, tiny_model: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """By its header one frame becomes 12 TB: nothing is begun; --ignore-space goes on, and it is
    the one that fails."""
    (tmp_path / "reel").mkdir()
    for index in range(3):
        dpx_file(np.full((8, 8, 1), 300, np.uint16), 16).write(tmp_path / f"reel/{index}.dpx")
    giant = bytearray((tmp_path / "reel" / "1.dpx").read_bytes())
    struct.pack_into(">II", giant, 772, 1_000_000, 2_000_000)
    (tmp_path / "reel" / "1.dpx").write_bytes(giant)
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model)
    assert run.returncode == 1 and "too little space: about 12 TB needed" in run.stderr
    assert "--ignore-space" in run.stderr and not files(tmp_path / "out")
    forced = run_cli("video", "reel", "-o", "out", "-m", tiny_model, "--ignore-space")
    assert forced.returncode == 3 and sorted(files(tmp_path / "out")) == ["0.dpx", "2.dpx"]


# --- what is asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "out", "--fps", "24"], "--fps is for a film"),
        (["-o", "out", "--audio", "a.wav"], "--audio is for a film"),
        (["-o", "out", "--fps", "zero"], "a rate is 1 to"),
        (["-o", "reel"], "is a source"),
        (["-o", "out", "--region", "99x9+0+0"], "beyond the picture"),
        (["-o", "out", "--start", "2", "--end", "1"], "--end is not after --start"),
        (["-o", "out", "--start", "99"], "has no frames in this part"),
        (["-o", "out.avi"], "written as .mkv, .mov or .mp4"),
        (["-o", "out", "--transfer", "pq"], "auto"),
    ],
)
def test_refused_before_work(
    run_cli: Run, reel: Path, tmp_path: Path, options: Sequence[str], words: str
) -> None:
    """Exit 2, a clear line, and nothing is written."""
    before = sorted(tmp_path.rglob("*"))
    run = run_cli("video", "reel", *options)
    assert run.returncode == 2, run.stderr
    assert words in run.stderr and "Traceback" not in run.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_options_of_frames_where_there_are_none(run_cli: Run, make_clip: Any) -> None:
    """A film has its own rate and its own curve."""
    clip = make_clip("s.mkv")
    for option, value in (("--transfer", "log"), ("--fps", "24"), ("--audio", "a.wav")):
        run = run_cli("video", clip, "-o", "r.mkv", option, value)
        assert run.returncode == 2 and f"{option} is for numbered frames" in run.stderr


def test_a_header_that_says_nothing(
    run_cli: Run, tiny_model: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """Exit 2 with the option; with it, frames are made."""
    (tmp_path / "reel").mkdir()
    for index in range(2):
        path = tmp_path / "reel" / f"{index}.dpx"
        dpx_file(np.full((8, 8, 1), 300, np.uint16), transfer=0, fields=((802, b"\0"),)).write(path)
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model)
    assert run.returncode == 2 and "--transfer log" in run.stderr
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model, "--transfer", "log", "--json")
    assert run.returncode == 0 and told(run)[0]["transfer"] == "log, as asked"


def test_gaps(run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path) -> None:
    """Refused with their numbers; with --allow-gaps the others are made, and it is noted."""
    for number in (1004, 1005, 1010):
        (reel / f"r_{number:06d}.dpx").unlink()
    run = run_cli("video", reel, "-o", "out", "-m", tiny_model)
    assert run.returncode == 2 and "frames 1004-1005, 1010 are missing (3 of 24)" in run.stderr
    run = run_cli("video", reel, "-o", "out", "-m", tiny_model, "--allow-gaps", "--json")
    assert run.returncode == 0 and told(run)[0]["frames"] == 21
    assert "1004-1005, 1010 are missing" in told(run)[0]["notes"][0]
    assert files(tmp_path / "out").keys() == files(reel).keys()


def test_a_part_by_the_headers_rate_or_the_asked_one(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Frame k is at k / rate: from 0.25 s on, six frames of 24; without a rate it is refused."""
    run = run_cli("video", reel, "-o", "a", "-m", tiny_model, "--start", "0.25", "--end", "0.5")
    assert run.returncode == 0, run.stderr
    assert sorted(files(tmp_path / "a")) == [f"r_{1007 + k:06d}.dpx" for k in range(6)]
    more = ["--start", "0.5", "--fps", "12"]
    assert run_cli("video", reel, "-o", "b", "-m", tiny_model, *more).returncode == 0
    assert sorted(files(tmp_path / "b")) == [f"r_{1007 + k:06d}.dpx" for k in range(18)]
    (tmp_path / "png").mkdir()
    for index in range(2):
        Image.new("L", (8, 8), 90).save(tmp_path / "png" / f"{index}.png")
    run = run_cli("video", "png", "-o", "c", "-m", tiny_model, "--end", "1")
    assert run.returncode == 2 and "--fps 24" in run.stderr


@pytest.mark.parametrize("orientation", [0, 2, 4])
def test_region_stays_neutral_outside(
    run_cli: Run,
    tiny_model: Path,
    dpx_file: Any,
    libav_picture: Any,
    tmp_path: Path,
    orientation: int,
) -> None:
    """Given in the picture as it is seen upright, whatever way its lines are stored."""
    codes = np.linspace(300, 600, 48 * 64).reshape(48, 64, 1).astype(np.uint16)
    (tmp_path / "reel").mkdir()
    for index in range(2):
        fields = ((768, struct.pack(">H", orientation)),)
        dpx_file(codes, fields=fields).write(tmp_path / "reel" / f"{index}.dpx")
    run = run_cli("video", "reel", "-o", "out", "-m", tiny_model, "--region", "32x20+8+4")
    assert run.returncode == 0, run.stderr
    inside = np.zeros((48, 64), bool)
    if orientation == 4:  # columns, so that upright it is 48 wide
        inside[8:40, 4:24] = True
    else:
        inside[4:24, 8:40] = True
        inside = inside[::-1] if orientation == 2 else inside  # lines from bottom to top
    spread = np.ptp(libav_picture(tmp_path / "out" / "1.dpx").astype(int), axis=2)
    assert (spread[~inside] == 0).all() and (spread[inside] > 0).mean() > 0.9


def test_options_of_films_leave_frames_as_they_are(
    run_cli: Run, tiny_model: Path, reel: Path, make_clip: Any, tmp_path: Path
) -> None:
    """In the environment, and beside a film, which alone they are for; on the command line without
    a film they are refused, with what makes one."""
    run = run_cli("video", reel, "-o", "out", "-m", tiny_model, env={"COLORBATCH_PRESET": "slow"})
    assert run.returncode == 0, run.stderr
    assert files(tmp_path / "out").keys() == files(reel).keys()
    clip = make_clip("film.mkv", "ffv1", "gray")
    both = ["video", reel, clip, "-o", "both", "-m", tiny_model, "--codec", "libx264"]
    run = run_cli(*both)
    assert run.returncode == 0, run.stderr
    assert files(tmp_path / "both").keys() == files(reel).keys() | {"film.mkv"}
    assert "-> libx264" in run.stderr
    for option in (["--codec", "ffv1"], ["--crf", "20"], ["-x", "g=1"], ["--pix-fmt", "gray"]):
        run = run_cli("video", reel, "-o", "none", "-m", tiny_model, *option)
        assert run.returncode == 2 and f"{option[0]} is for films" in run.stderr
        assert "--container" in run.stderr and not (tmp_path / "none").exists()


def test_color_found_in_a_folder_is_left_alone(
    run_cli: Run, tiny_model: Path, dpx_file: Any, photograph: Any, tmp_path: Path
) -> None:
    """Skipped and counted; colored when asked, or when its folder is named."""
    (tmp_path / "all" / "reel").mkdir(parents=True)
    codes = photograph("coffee")[:160, :240].astype(np.uint16) * 4
    for index in range(3):
        dpx_file(codes, transfer=6).write(tmp_path / "all" / "reel" / f"{index}.dpx")
    base = ["-m", tiny_model, "--json"]
    run = run_cli("video", "all", "-o", "out", *base)
    assert told(run)[-1]["summary"]["skipped_because"] == {"in color already": 1}
    asked = run_cli("video", "all", "-o", "out", *base, "--on-color", "colorize")
    assert told(asked)[0]["frames"] == 3
    assert told(run_cli("video", "all/reel", "-o", "named", *base))[0]["frames"] == 3


def test_two_sequences_for_one_name(run_cli: Run, dpx_file: Any, tmp_path: Path) -> None:
    """Found before work, both named."""
    for name in ("a/x/f_1.dpx", "b/x/f_1.dpx"):
        (tmp_path / name).parent.mkdir(parents=True)
        dpx_file(np.full((8, 8, 1), 300, np.uint16)).write(tmp_path / name)
    run = run_cli("video", "a/x", "b/x", "-o", "out")
    assert run.returncode == 2 and "would both become" in run.stderr


def test_a_model_of_a_shot_that_cannot_be_used_is_one_line(
    run_cli: Run, tiny_model: Path, reel: Path, make_model: Any, tmp_path: Path
) -> None:
    """With its cell, before any work: a file that is missing, one that is no model, and one that
    does not say what it takes and gives."""
    (tmp_path / "notes.txt").write_text("no model")
    make_model(tmp_path / "mute.onnx", metadata={})
    cells = {
        "gone.onnx": "there is no such file",
        "notes.txt": "not a model",
        "mute.onnx": "no 'colorbatch.contract' in its metadata",
    }
    for cell, words in cells.items():
        (tmp_path / "x.csv").write_text(f"start,end,model\n1001,1012,\n1013,1020,{cell}\n")
        before = sorted(tmp_path.rglob("*"))
        for more in (["--look", "project.json"], ["--preview", "2"]):
            run = run_cli(
                "video", reel, "-o", "r", "-m", tiny_model, "-q", "--shots", "x.csv", *more
            )
            assert run.returncode == 2, run.stderr
            [line] = run.stderr.splitlines()
            assert line.startswith("error: x.csv: row 3, column model: ")
            assert cell in line and words in line
        assert sorted(tmp_path.rglob("*")) == before


def test_a_look_keeps_the_models_of_the_shots_of_frames(
    run_cli: Run, tiny_model: Path, reel: Path, make_model: Any, tmp_path: Path
) -> None:
    """With their list, by their SHA-256; another file of the name is refused."""
    model = make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    (tmp_path / "x.csv").write_text("start,end,model\n1001,1024,other.onnx\n")
    base = ["video", reel, "-o", "out", "--look", "project.json"]
    run = run_cli(*base, "-m", tiny_model, "--shots", "x.csv", "--json")
    assert run.returncode == 0, run.stderr
    models = [one["model"] for one in told(run)[0]["made_by"]["models"]]
    assert models == ["other"] and "other.onnx" in (tmp_path / "project.json").read_text()
    made = files(tmp_path / "out")
    assert all(b"color by machine: colorbatch" in data for data in made.values())
    again = run_cli(*base, "--json")
    assert told(again)[-1]["summary"]["skipped_because"] == {"finished": 1}
    fresh = [*base, "-o", "fresh"]
    assert run_cli(*fresh).returncode == 0
    assert files(tmp_path / "fresh") == made
    model.write_bytes(model.read_bytes() + b"\x7a\x00")  # a field that is passed over
    refused = run_cli(*base)
    assert refused.returncode == 2 and "is not the one that it was made with" in refused.stderr
    assert files(tmp_path / "out") == made


# --- before the night, and after ---------------------------------------------------------------


def test_dry_run_writes_nothing(run_cli: Run, reel: Path, tmp_path: Path) -> None:
    """What there is, what it becomes, the space; as JSON as well."""
    before = sorted(tmp_path.rglob("*"))
    run = run_cli("video", "reel", "-o", "out", "--dry-run")
    assert run.returncode == 0, run.stderr
    for words in ("r_%06d.dpx -> ", "24 frames", "64x48, 10 bits", "24 frames/s", "printing",
                  "about 344 kB"):  # fmt: skip
        assert words in run.stdout, words  # 24 * (2048 + 48 * 64 * 4) bytes
    planned = told(run_cli("video", "reel", "-o", "out", "--dry-run", "--json"))[0]
    assert (planned["status"], planned["frames"]) == ("planned", 24)
    assert sorted(tmp_path.rglob("*")) == before


def test_preview_shows_before_and_after(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """Stills of spread frames: grey before, colored after, time and space, and no frame."""
    run = run_cli("video", reel, "-o", "stills", "-m", tiny_model, "--preview", "3")
    assert run.returncode == 0, run.stderr
    assert "24 frames to do, one after the other: about " in run.stderr and "344 kB" in run.stderr
    names = sorted(files(tmp_path / "stills"))
    expected = [f"r_{number:06d}.dpx-{which}.png" for number in (1005, 1013, 1021)
                for which in ("after", "before")]  # fmt: skip
    assert names == expected
    for name in names:
        with Image.open(tmp_path / "stills" / name) as image:
            picture = np.array(image).astype(int)
        assert picture.shape == (48, 64, 3)
        assert (np.ptp(picture, axis=2).max() > 20) == ("after" in name)


def test_preview_as_json_and_over_somebodys_picture(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """One object for the sequence and one for all; a stranger's picture stays, and fails it."""
    base = ["video", reel, "-o", "stills", "-m", tiny_model, "--preview", "1"]
    run = run_cli(*base, "--json", "-q")
    assert run.returncode == 0 and not run.stderr, run.stderr
    shown, last = map(json.loads, run.stdout.splitlines())
    assert shown["status"] == "previewed" and shown["estimate"]["pictures"] == 24
    [before, after] = [tmp_path / path for path in shown["stills"]]
    assert before.is_file() and after.is_file() and last["summary"]["preview"]
    after.write_bytes(b"somebody's")
    again = run_cli(*base, "-q")
    assert again.returncode == 3 and "is no still of ours" in again.stderr and not again.stdout
    assert after.read_bytes() == b"somebody's"


def test_prove_luma_tells_what_is_not_equal(
    run_cli: Run, tiny_model: Path, reel: Path, dpx_file: Any, tmp_path: Path
) -> None:
    """Proved after the work, and again later; a result that is off is exit code 3, and stays."""
    base = ["video", reel, "-o", "out", "-m", tiny_model, "--prove-luma"]
    run = run_cli(*base)
    assert run.returncode == 0 and "luma of 24 frames is within 0.2" in run.stderr, run.stderr
    path = tmp_path / "out" / "r_001009.dpx"
    data = bytearray(path.read_bytes())
    data[4000] ^= 255
    path.write_bytes(data)
    again = run_cli(*base)
    assert again.returncode == 3 and "r_001009.dpx is off by" in again.stderr
    assert path.read_bytes() == data


def test_only_our_results_are_proved(
    run_cli: Run, tiny_model: Path, reel: Path, tmp_path: Path
) -> None:
    """What is somebody's, or was retouched, is counted and fails no run; nothing to compare is no
    proof."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "r_001005.dpx").write_bytes(b"somebody's")
    base = ["video", reel, "-o", "out", "-m", tiny_model, "--prove-luma"]
    run = run_cli(*base)
    assert run.returncode == 0 and "luma of 23 frames is within 0.2" in run.stderr, run.stderr
    assert "1 are not as we made them" in run.stderr
    for path in reel.iterdir():
        (out / path.name).write_bytes(b"retouched")
    (out / "r_001004.dpx").unlink()
    (reel / "r_001004.dpx").write_bytes(b"no picture")
    none = run_cli(*base)
    assert none.returncode == 3 and "there is no result to compare" in none.stderr
