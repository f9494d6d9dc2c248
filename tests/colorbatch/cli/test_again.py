"""The same command again: after kills, with other settings, on several machines, on a full disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorbatch.fs.atomic import TEMPORARY_PREFIX

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def source(tmp_path):
    """Forty small grey pictures, PNG and uncompressed TIFF, in nested folders."""
    folder = tmp_path / "source"
    for index in range(40):
        below = folder / ("." if index % 3 else f"box {index % 4}/deep")
        below.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(30, 220, (50, 70), np.uint8)
        Image.fromarray(pixels).save(below / f"{index:02}.{'tif' if index % 2 else 'png'}")
    return folder


def tree(folder):
    """Every result below a folder with its bytes; whatever is temporary counts as one."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != ".colorbatch"
    }


def stamps(folder):
    """When and as which file each result was made."""
    return {
        path: (path.stat().st_ino, path.stat().st_ctime_ns)
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(TEMPORARY_PREFIX)
        and path.parent.name != ".colorbatch"
    }


def journal_lines(folder):
    return [
        json.loads(line)
        for path in sorted((folder / ".colorbatch").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
        if line.endswith("}")
    ]


def summary(result):
    return json.loads(result.stdout.splitlines()[-1])["summary"]


# --- killed ------------------------------------------------------------------------------------

FORKS = """
import os, sys, time
from colorbatch import cli
from colorbatch.journal import results
from colorbatch.model import engine
from colorbatch.stills import batch
sys.argv = ["colorbatch", *sys.argv[1:]]
for line in sys.stdin:  # one run for each line, killed after so many seconds
    child = os.fork()
    if child == 0:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        cli.main()
        os._exit(0)
    deadline = time.monotonic() + float(line)
    ended = 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.001)
    if not ended:
        os.kill(child, 9)
        _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
"""Runs the tool again and again from one process that has everything imported already."""


@posix_only
@pytest.mark.parametrize(("executor", "least"), [("threads", 24), ("processes", 12)])
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(
    run_cli, clean_env, tiny_model, source, tmp_path, executor, least
):
    """SIGKILL at random instants, so many times at least: first in fresh folders, then in `-y` over
    all results. The tree is that of uninterrupted runs, nothing temporary is left, nothing that
    once had its name is made again, and the journal tells of no double work but what was in flight.
    """
    rng = np.random.default_rng()
    common = ["images", source, "-m", tiny_model, "--workers", "2", "-q"]
    whole, paler = tmp_path / "whole", tmp_path / "paler"
    assert run_cli(*common, "-o", whole).returncode == 0
    assert run_cli(*common, "-o", paler, "--saturation", "0.5").returncode == 0
    common += ["--executor", executor]
    kills = rounds = 0
    while kills < least:
        out = tmp_path / f"out{rounds}"
        rounds += 1
        for words, wanted in (([], whole), (["--saturation", "0.5", "-y"], paler)):
            before = len(journal_lines(out))
            command = [sys.executable, "-c", FORKS, *map(str, [*common, "-o", out, *words])]
            forks = subprocess.Popen(
                command, env=clean_env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                encoding="utf-8",
            )  # fmt: skip
            killed, code, made, progress, longest = 0, -9, {}, before, 0.15
            while code != 0:
                forks.stdin.write(f"{rng.uniform(0, longest)}\n")
                forks.stdin.flush()
                code = int(forks.stdout.readline())
                assert code in (0, -9)
                killed += code == -9
                now = stamps(out)
                if not words:
                    assert {path: now[path] for path in made} == made
                made = now
                if progress == (progress := len(journal_lines(out))):
                    longest *= 1.5  # in vain: this machine is slow
            forks.communicate()
            kills += killed
            assert tree(out) == tree(wanted)
            named = [line["target"] for line in journal_lines(out)[before:]
                     if line.get("state") == "named"]  # fmt: skip
            assert set(named) == set(tree(wanted))
            assert len(named) <= 40 + 4 * killed  # two workers write, and a group waits
        again = run_cli(*common, "-o", out, "--json")  # the first settings: all are outdated now
        assert summary(again)["skipped_because"] == {"made with other settings": 40}


@posix_only
def test_a_second_run_is_refused_while_one_is_at_work(
    run_cli, clean_env, tiny_model, source, tmp_path
):
    """Exit 1 and one line with host and process; after kill -9 nothing stands in the way."""
    command = ["images", source, "-o", tmp_path / "out", "-m", tiny_model, "--batch-size", "1"]
    first = subprocess.Popen(
        [sys.executable, "-m", "colorbatch", *map(str, command)], env=clean_env,
        stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    assert "40 pictures to do" in first.stderr.readline()
    first.send_signal(signal.SIGSTOP)
    second = run_cli(*command)
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    assert f"another run is at work here: process {first.pid} on " in second.stderr
    assert run_cli(*command, "--dry-run").returncode == 0
    first.kill()
    first.communicate()
    assert run_cli(*command).returncode == 0
    assert len(tree(tmp_path / "out")) == 40


MEANWHILE = """
import subprocess, sys
import onnxruntime
from colorbatch import cli
real = onnxruntime.InferenceSession
def session(*arguments, **options):
    onnxruntime.InferenceSession = real
    subprocess.run([sys.executable, "-m", "colorbatch", *other], check=True)
    return real(*arguments, **options)
onnxruntime.InferenceSession = session
own, other = (words.split("\\n") for words in sys.argv[1:3])
sys.argv = ["colorbatch", *own]
cli.main()
"""
"""Runs the tool, and a whole other run at the moment when the first loads its model."""


@pytest.mark.parametrize("form", ["folder", "file"])
def test_two_runs_begun_in_a_fresh_place_at_once_do_not_undo_each_other(
    run_cli, run_python, tiny_model, source, tmp_path, form
):
    """The second one finds what the first made while it was preparing, names it, and leaves it."""
    sources = source if form == "folder" else source / "01.tif"
    out = tmp_path / ("out" if form == "folder" else "out.tif")
    command = ["images", sources, "-o", out, "-m", tiny_model]
    texts = ["\n".join(map(str, [*command, *words]))
             for words in (["--json"], ["-q", "--saturation", "0.5"])]  # fmt: skip
    late = run_python("-c", MEANWHILE, *texts)
    assert late.returncode == 0, late.stderr
    told = {"made with other settings": 40} if form == "folder" else {"there already": 1}
    assert summary(late)["skipped_because"] == told
    expected = tmp_path / f"alone{out.suffix}"
    assert run_cli("images", sources, "-o", expected, *command[4:],
                   "--saturation", "0.5").returncode == 0  # fmt: skip
    if form == "file":
        assert out.read_bytes() == expected.read_bytes()
    else:
        assert tree(out) == tree(expected)


# --- with other settings -----------------------------------------------------------------------


def test_outdated_results_are_named_and_y_redoes_just_those(
    run_cli, make_model, tiny_model, source, tmp_path
):
    """Other settings, another model, changed sources, foreign and edited results: each by name."""
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--json"]
    (out).mkdir()
    (out / "01.tif").write_bytes(b"my own")
    assert summary(run_cli(*command))["skipped_because"] == {"there already, not in the journal": 1}
    assert summary(run_cli(*command, "-y"))["colored"] == 0  # nobody's own work is destroyed
    (out / "02.png").write_bytes(b"retouched")

    changed = source / "04.png"
    Image.open(changed).transpose(Image.Transpose.ROTATE_180).save(changed)
    touched = source / "05.tif"
    os.utime(touched, ns=(1, 10**18))
    kept = {"there already, not in the journal": 1, "result changed since": 1}
    result = run_cli(*command)
    assert summary(result)["skipped_because"] == kept | {"finished": 36, "source changed since": 2}
    assert summary(result)["outdated"] == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("0 colored, 40 skipped (36 finished, 2 source changed since, ")
    assert "; -y redoes these 2); " in last

    paler = run_cli(*command, "--saturation", "0.5")
    expected = kept | {"made with other settings": 36, "source changed since": 2}
    assert summary(paler)["skipped_because"] == expected
    other = make_model(tmp_path / "other.onnx", "gray_rgb", "rgb")
    changed_model = run_cli(*[other if word == tiny_model else word for word in command])
    expected = kept | {"made by another model": 36, "source changed since": 2}
    assert summary(changed_model)["skipped_because"] == expected

    before = stamps(out)
    dry = run_cli(*command, "-y", "--dry-run")
    assert "dry run: 2 to do, 38 skipped (36 finished, " in dry.stderr
    redone = run_cli(*command, "-y")
    assert (summary(redone)["colored"], summary(redone)["skipped"]) == (2, 38)
    after = stamps(out)
    moved = {path.name for path in before if before[path] != after[path]}
    assert moved == {"04.png", "05.tif"}
    assert summary(run_cli(*command, "--redo-all"))["colored"] == 40
    assert summary(run_cli(*command))["skipped_because"] == {"finished": 40}


def test_settings_that_had_no_part_in_a_result_do_not_matter(
    run_cli, tiny_model, photograph, source, tmp_path
):
    """What happens to pictures in color concerns those alone; PNG has no quality; named or found
    is the same for grey ones. Skipped ones are not read again."""
    folder = tmp_path / "few"
    folder.mkdir()
    shutil.copy(source / "01.tif", folder / "grey.tif")
    Image.fromarray(photograph("astronaut")[:60, :60]).save(folder / "color.png")
    command = ["images", folder, "-o", tmp_path / "out", "-m", tiny_model, "--json"]
    assert summary(run_cli(*command))["kept"] == 1
    same = [["--quality", "50"], ["--saturation", "1"], []]
    for words in same:
        assert summary(run_cli(*command, *words))["skipped_because"] == {"finished": 2}
    half = summary(run_cli(*command, "--saturation", "0.5"))["skipped_because"]
    assert half == {"finished": 1, "made with other settings": 1}
    skip = summary(run_cli(*command, "--on-color", "skip"))["skipped_because"]
    assert skip == {"finished": 1, "made with other settings": 1}
    named = ["images", *folder.iterdir(), *command[2:]]
    found = summary(run_cli(*named))["skipped_because"]
    assert found == {"finished": 1, "made with other settings": 1}
    (folder / "color.png").rename(folder / "later.png")
    words = [*command, "--on-color", "skip"]
    assert summary(run_cli(*words))["skipped_because"] == {"finished": 1, "in color": 1}
    again = run_cli(*words)
    assert summary(again)["skipped_because"] == {"finished": 1, "in color": 1}
    assert summary(again)["kinds"] == {"color": 1}
    assert "no model was needed" in again.stderr


def test_retouched_results_of_the_same_size_are_kept(run_cli, tiny_model, source, tmp_path):
    """-y replaces what we made, and not an uncompressed TIFF in which somebody painted."""
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--json"]
    assert summary(run_cli(*command))["colored"] == 40
    data = bytearray((out / "01.tif").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    (out / "01.tif").write_bytes(data)
    paler = run_cli(*command, "--saturation", "0.5", "-y")
    assert summary(paler)["colored"] == 39
    assert summary(paler)["skipped_because"] == {"result changed since": 1}
    assert (out / "01.tif").read_bytes() == data
    assert summary(run_cli(*command, "--redo-all"))["colored"] == 40


def test_a_kept_picture_that_was_skipped_later_is_still_known(
    run_cli, tiny_model, photograph, tmp_path
):
    """keep, then skip, then colorize: each -y does what it says, and no result is a stranger."""
    folder, out = tmp_path / "few", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(photograph("astronaut")[:60, :60]).save(folder / "color.png")
    command = ["images", folder, "-o", out, "-m", tiny_model, "--json"]
    assert summary(run_cli(*command))["kept"] == 1
    skip = [*command, "--on-color", "skip"]
    assert summary(run_cli(*skip, "-y"))["skipped_because"] == {"in color": 1}
    assert summary(run_cli(*skip, "-y"))["skipped_because"] == {"in color": 1}
    assert summary(run_cli(*command))["skipped_because"] == {"finished": 1}
    color = [*command, "--on-color", "colorize"]
    assert summary(run_cli(*color))["skipped_because"] == {"made with other settings": 1}
    before = (out / "color.png").read_bytes()
    assert summary(run_cli(*color, "-y"))["colored"] == 1
    assert (out / "color.png").read_bytes() != before


def test_one_named_result_is_made_again_with_y(run_cli, tiny_model, source, tmp_path):
    """-o NAME.ext has no journal: what is there stays without -y, and is replaced with it."""
    target = tmp_path / "one.png"
    target.write_bytes(b"there")
    command = ["images", source / "01.tif", "-o", target, "-m", tiny_model]
    result = run_cli(*command)
    assert "1 skipped (1 there already; -y redoes this)" in result.stderr
    assert target.read_bytes() == b"there"
    assert run_cli(*command, "-y").returncode == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / ".colorbatch").exists()


KILLED = """
import sys
from colorbatch import cli
from colorbatch.fs import atomic
atomic._replace = lambda *_: (print("ready", flush=True), sys.stdin.readline())
cli.main()
"""
"""Runs the tool up to the moment when its file is whole and has no name, and stops there."""


def test_one_named_result_leaves_nothing_after_a_kill(
    run_cli, clean_env, tiny_model, source, tmp_path
):
    """While one run makes it, a second is refused with its process; after a kill the same command
    removes what was half done, and leaves only its result."""
    folder = tmp_path / "results"
    folder.mkdir()
    command = ["images", source / "01.tif", "-o", folder / "one.tif", "-m", tiny_model]
    (folder / ".colorbatch-0123456789abcdef.0123-4567").write_bytes(b"of another target")
    first = subprocess.Popen(
        [sys.executable, "-c", KILLED, *map(str, command)], env=clean_env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    assert first.stdout.readline() == "ready\n"
    second = run_cli(*command)
    assert second.returncode == 1
    assert f"{folder / 'one.tif'}: another run is at work here: process {first.pid} on " in (
        second.stderr
    )
    first.kill()
    first.communicate()
    assert len(list(folder.iterdir())) > 1
    assert run_cli(*command).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        ".colorbatch-0123456789abcdef.0123-4567", "one.tif",
    ]  # fmt: skip


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv.pop(1))))
from colorbatch import cli
cli.main()
"""


@posix_only
@pytest.mark.parametrize("most", [4096, 64])
def test_files_of_many_folders_have_a_lock_each(run_python, tiny_model, source, tmp_path, most):
    """What a shell makes of */*.tif, where a program may open 64 files: where it may ask for more
    all are done; otherwise there is one line, and nothing is made in anybody's folders."""
    folders = [tmp_path / "boxes" / str(index) for index in range(80)]
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(source / "01.tif", folder / "a.tif")
    files = [folder / "a.tif" for folder in folders]
    result = run_python("-c", LIMITED, most, "images", *files, "-m", tiny_model, "--json")
    made = {path.name for folder in folders for path in folder.iterdir()}
    if most > 64:
        assert summary(result)["colored"] == 80
        assert made == {"a.tif", "a_colorized.tif", ".colorbatch"}
    else:
        assert result.returncode == 1 and made == {"a.tif"}
        [line] = result.stderr.splitlines()
        assert "results in 80 places" in line and "no more than 64 files; give the folder" in line


def test_beside_the_sources_it_is_the_same(run_cli, tiny_model, source):
    """Without -o the journal lies in the source's folder, and is never a source."""
    command = ["images", source, "-m", tiny_model, "--json"]
    assert summary(run_cli(*command))["colored"] == 40
    assert (source / ".colorbatch" / "journal.jsonl").is_file()
    assert not (source / "box 0" / ".colorbatch").exists()
    assert summary(run_cli(*command))["skipped_because"] == {"finished": 40}
    below = run_cli("images", source / "box 0", "-m", tiny_model, "--json")
    assert summary(below)["skipped_because"] == {"finished": 4}


# --- several machines --------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_shards_together_make_what_one_run_makes(
    run_cli, start_python, tiny_model, source, tmp_path, parts
):
    """All parts at the same time: each picture once, every part some, the same bytes; a later run
    over all accepts every part's journal."""
    out = tmp_path / "out"
    common = ["images", source, "-m", tiny_model, "--json", "--workers", "1"]
    assert run_cli(*common, "-o", tmp_path / "whole").returncode == 0
    running = [
        start_python("-m", "colorbatch", *common, "-o", out, "--shard", f"{part}/{parts}")
        for part in range(1, parts + 1)
    ]
    colored = [json.loads(process.communicate()[0].splitlines()[-1])["summary"]["colored"]
               for process in running]  # fmt: skip
    assert [process.returncode for process in running] == [0] * parts
    assert sum(colored) == 40 and min(colored) > 40 / parts / 3
    assert tree(out) == tree(tmp_path / "whole")
    journals = {path.name for path in (out / ".colorbatch").glob("*.jsonl")}
    assert journals == {f"journal-{part}-of-{parts}.jsonl" for part in range(1, parts + 1)}
    before = stamps(out)
    later = run_cli(*common, "-o", out)
    assert summary(later)["skipped_because"] == {"finished": 40}
    other = run_cli(*common, "-o", out, "--shard", "2/5")
    assert set(summary(other)["skipped_because"]) == {"finished"}
    assert stamps(out) == before


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_shard_that_makes_no_sense_is_refused(run_cli, tiny_model, source, tmp_path, shard):
    """Exit 2 in one line, and nothing is made."""
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, f"--shard={shard}")
    assert result.returncode == 2
    assert "K/N is wanted" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


# --- full --------------------------------------------------------------------------------------

FULL = """
set -e
mount -t tmpfs -o size=300k none "$DISK"
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
    run_cli, clean_env, tiny_model, source, tmp_path
):
    """Exit 1, what is finished is whole and counted, nothing temporary is left; with room again the
    same command does the rest, and no picture twice."""
    may = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    if may.returncode != 0:
        pytest.skip("this machine lets nobody mount a disk")
    disk, safe = tmp_path / "disk", tmp_path / "safe"
    disk.mkdir()
    safe.mkdir()
    tool = [sys.executable, "-m", "colorbatch", "images", source, "-o", disk / "out"]
    tool += ["--ignore-space"]  # without it such a run would not begin
    subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", *tool, "-m", tiny_model, "--json"],
        env=clean_env | {"DISK": str(disk), "SAFE": str(safe)}, check=True,
    )  # fmt: skip
    assert (safe / "first.code").read_text() == "1\n"
    *_, stopped, error = (safe / "first.err").read_text().splitlines()
    assert stopped.startswith("stopped: ")
    assert error.startswith("error: ") and "No space left on device; make room" in error
    first = json.loads((safe / "first.out").read_text().splitlines()[-1])["summary"]
    assert (first["exit_code"], first["stopped"], first["failed"]) == (1, True, 0)
    done = tree(safe / "first")
    assert 3 < first["colored"] == len(done) < 40
    assert run_cli("images", source, "-o", tmp_path / "whole", "-m", tiny_model).returncode == 0
    whole = tree(tmp_path / "whole")
    assert done == {name: whole[name] for name in done}
    second = json.loads((safe / "second.out").read_text().splitlines()[-1])["summary"]
    assert (second["exit_code"], second["colored"]) == (0, 40 - first["colored"])
    assert second["skipped_because"] == {"finished": first["colored"]}
    assert tree(safe / "second") == whole


@posix_only
def test_an_output_that_cannot_be_written_to_is_one_line(run_cli, tiny_model, source, tmp_path):
    """A read-only file system, as the kernel says it: exit 1 before any work."""
    if not Path("/proc").is_dir():
        pytest.skip("this system has no /proc")
    result = run_cli("images", source, "-o", "/proc/colored", "-m", tiny_model)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


@posix_only
def test_a_second_ctrl_c_ends_at_once_and_the_journal_is_true(
    run_cli, start_python, tiny_model, source, tmp_path
):
    """Exit 130 and an account; the next run finds everything that bears a name finished."""
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--json", "--workers", "1"]
    process = start_python("-m", "colorbatch", *command)
    while len(stamps(out)) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert json.loads(stdout.splitlines()[-1])["summary"]["interrupted"] is True
    assert not list(out.rglob(f"{TEMPORARY_PREFIX}*"))
    count = len(stamps(out))
    assert summary(run_cli(*command))["skipped_because"] == {"finished": count}
