"""Patterns, lists and logs on the command line, and what Windows does otherwise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from datetime import datetime
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from colorbatch import boundary
from colorbatch.cli import cli

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="names and paths of POSIX")


def save(path, seed=0, color=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (24, 32, 3) if color else (24, 32)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, np.uint8)).save(path)
    return path


@pytest.fixture
def scans(tmp_path):
    """Six pictures of several kinds and folders; one is in color."""
    folder = tmp_path / "scans"
    for index, name in enumerate(["a.png", "b.tif", "box 1/c.tif", "box 1/x/d.TIF", "box 2/e.jpg"]):
        save(folder / name, index)
    save(folder / "box 2" / "color.tif", 9, color=True)
    return folder


@pytest.fixture
def color_of(run_cli, tiny_model, tmp_path):
    """Run `images ... -o out --json`; returns exit code, targets below out by status, and the
    process."""

    def run(*words, out=tmp_path / "out", **how):
        process = run_cli("images", "-m", tiny_model, "--json", "-o", out, *words, **how)
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        found: dict[str, list[str]] = {}
        for line in lines:
            if "summary" not in line:
                place = Path(line["target"]).relative_to(out).as_posix()
                found.setdefault(line["status"], []).append(place)
        return process.returncode, found, process

    return run


def one_line_of(process, code):
    assert (process.returncode, process.stdout) == (code, "")
    [line] = process.stderr.splitlines()
    return line


# --- patterns ----------------------------------------------------------------------------------


def test_a_quoted_pattern_means_what_the_shell_would_make_of_it(color_of, scans):
    """Files by name: flat, and colored even if they are in color."""
    code, found, _ = color_of(scans / "*" / "*.tif")
    assert (code, found) == (0, {"colored": ["c.tif", "color.tif"]})


def test_a_pattern_with_folders_is_a_folder(color_of, scans, tmp_path):
    """The tree is mirrored, what is in color is kept; a second run finds all finished."""
    code, found, _ = color_of(scans / "**" / "*.tif")
    expected = {"colored": ["b.tif", "box 1/c.tif", "box 1/x/d.TIF"], "kept": ["box 2/color.tif"]}
    assert (code, found) == (0, expected)
    code, found, _ = color_of(scans, "--include", "*.TIF")  # the same in other words
    assert list(found) == ["skipped"] and len(found["skipped"]) == 4


def test_a_pattern_for_nothing_is_one_line(run_cli, tiny_model, scans, tmp_path):
    """Exit 2, and nothing is made."""
    process = run_cli("images", scans / "*.bmp", "-o", tmp_path / "out", "-m", tiny_model)
    assert "no name matches the pattern" in one_line_of(process, 2)
    assert not (tmp_path / "out").exists()


def test_include_and_exclude_work_with_everything_else(color_of, scans, tmp_path):
    """Dry run, parts, journal: what is left out is no source at all."""
    words = (scans, "--include", "*.tif", "--include", "*.png", "--exclude", "box 1/x")
    code, found, process = color_of(*words, "--dry-run")
    assert code == 0 and "4 to do" in process.stderr
    parts = [color_of(*words, "--shard", f"{part}/2")[1] for part in (1, 2)]
    done = sorted(name for found in parts for names in found.values() for name in names)
    assert done == ["a.png", "b.tif", "box 1/c.tif", "box 2/color.tif"]
    code, found, _ = color_of(scans)  # the journal knows these, and no others
    assert sorted(found["skipped"]) == done
    assert found["colored"] == ["box 1/x/d.TIF", "box 2/e.jpg"]


def test_include_and_exclude_from_the_environment(color_of, scans):
    """Several are separated as in PATH, so that blanks may be part of one."""
    patterns = os.pathsep.join(["box 2", "*.png"])
    code, found, _ = color_of(scans, env={"COLORBATCH_EXCLUDE": patterns})
    assert (code, found["colored"]) == (0, ["b.tif", "box 1/c.tif", "box 1/x/d.TIF"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--include", "*.bmp"], "--include and --exclude leave no pictures"),
        (["--exclude", "*"], "--include and --exclude leave no pictures"),
        (["--include", ""], "want a pattern; this one is empty"),
        (["--column", "path"], "--column is for --files-from"),
        (["--files-from", "gone.txt"], "gone.txt: cannot read this list: No such file"),
    ],
)
def test_what_leaves_nothing_is_said(run_cli, tiny_model, scans, tmp_path, words, reason):
    """Exit 2 in one line, and nothing is made."""
    process = run_cli("images", scans, "-o", tmp_path / "out", "-m", tiny_model, *words)
    assert reason in one_line_of(process, 2)
    assert not (tmp_path / "out").exists()


def test_without_any_source_the_line_says_what_to_give(run_cli, tmp_path):
    """No list either."""
    assert "give files, folders or patterns" in one_line_of(run_cli("images", "-o", tmp_path), 2)


def test_on_windows_too_patterns_of_options_stay_patterns(scans, tmp_path, monkeypatch, capsys):
    """click expands arguments on Windows, those of --exclude too; here it must not."""
    monkeypatch.setattr(click.core, "os", types.SimpleNamespace(**vars(os) | {"name": "nt"}))
    monkeypatch.chdir(scans)
    words = ["images", ".", "--exclude", "*.png", "--dry-run", "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["colorbatch", *words])
    with pytest.raises(SystemExit) as ended:
        boundary.run(cli)
    assert ended.value.code == 0
    assert "5 to do" in capsys.readouterr().err


# --- lists -------------------------------------------------------------------------------------


def test_a_list_from_a_catalogue(color_of, scans, tmp_path):
    """CSV with a column, below SOURCE: missing files are outcomes, what is in color is kept."""
    listed = tmp_path / "lists" / "catalogue.csv"
    listed.parent.mkdir()
    listed.write_text(
        "Signatur;Scan\r\nA 1;box 1/c.tif\r\nA 2;gone.tif\r\nA 3;box 2/color.tif\r\n"
        "A 4;box 1/c.tif\r\nA 5;box 1\r\n",
        "utf-8-sig",
    )
    code, found, process = color_of(scans, "--files-from", listed, "--column", "scan")
    assert code == 3
    assert found == {
        "colored": ["box 1/c.tif"], "kept": ["box 2/color.tif"], "failed": ["gone.tif", "box 1"],
    }  # fmt: skip
    assert f"failed: {scans / 'gone.tif'}: cannot read: No such file" in process.stderr
    assert f"failed: {scans / 'box 1'}: cannot read: it is a folder" in process.stderr
    code, found, _ = color_of(scans, "--files-from", listed, "--column", "scan")
    assert (code, found["skipped"]) == (3, ["box 1/c.tif", "box 2/color.tif"])


def test_a_list_from_standard_input(clean_env, tiny_model, scans, tmp_path):
    """As of `find`, relative to where one stands, with NUL between."""
    command = ["images", "--files-from", "-", "-o", "out", "-m", str(tiny_model), "-q"]
    process = subprocess.run(
        [sys.executable, "-m", "colorbatch", *command],
        input=b"scans/box 1/c.tif\0./scans/a.png\0", cwd=tmp_path, env=clean_env,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, b"")
    made = {
        path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/scans/**/*")
    }
    assert {"scans/box 1/c.tif", "scans/a.png"} <= made


def test_a_list_that_is_empty_is_refused(run_cli, tiny_model, tmp_path):
    """Exit 2 in one line."""
    (tmp_path / "list.txt").write_text("\n\n")
    process = run_cli("images", "--files-from", "list.txt", "-o", tmp_path / "out")
    assert "no pictures found" in one_line_of(process, 2)


def test_a_list_of_files_that_are_all_gone_is_an_account_of_them(color_of, tmp_path):
    """Each is an outcome; a later run with the files there does them."""
    (tmp_path / "list.txt").write_text("x/a.png\nx/b.png\n")
    assert color_of("--files-from", "list.txt")[:2] == (3, {"failed": ["x/a.png", "x/b.png"]})
    save(tmp_path / "x" / "a.png")
    expected = {"colored": ["x/a.png"], "failed": ["x/b.png"]}
    assert color_of("--files-from", "list.txt")[:2] == (3, expected)


# --- the log -----------------------------------------------------------------------------------


def test_the_log_has_a_line_for_every_outcome(color_of, scans, tmp_path):
    """Text: time, status, source, target, kind, reason, notes; runs are added one after another."""
    (scans / "broken.png").write_bytes(b"no picture")
    log = tmp_path / "logs" / "run.log"
    code, found, _ = color_of(scans, "--log", log)
    assert code == 3
    lines = [line.split("\t") for line in log.read_text("utf-8").splitlines()]
    for line in lines:
        assert datetime.fromisoformat(line[0]).tzinfo is not None
    assert lines[0][1] == "start" and "7 pictures" in lines[0][2] and str(scans) in lines[0][2]
    assert lines[-1][1] == "end" and "1 failed" in lines[-1][2]
    logged = {(line[1], Path(line[3]).relative_to(tmp_path / "out").as_posix(), line[4])
              for line in lines[1:-1]}  # fmt: skip
    assert {(status, name) for status, name, _ in logged} == {
        (status, name) for status, names in found.items() for name in names
    }
    assert {kind for status, _, kind in logged if status == "kept"} == {"color"}
    [failed] = [line for line in lines if line[1] == "failed"]
    assert failed[2] == str(scans / "broken.png") and "not a JPEG" in failed[5]
    before = log.read_bytes()
    color_of(scans, env={"COLORBATCH_LOG": str(log)})
    assert log.read_bytes().startswith(before)
    again = log.read_text("utf-8")[len(before.decode()) :].splitlines()
    assert len(again) == 9 and sum("\tskipped\t" in line for line in again) == 6


def test_the_log_as_json_lines(color_of, scans, tmp_path):
    """The same objects as --json, with the time."""
    log = tmp_path / "run.jsonl"
    code, _, process = color_of(scans, "--log", log)
    first, *lines, last = map(json.loads, log.read_text().splitlines())
    shown = [json.loads(line) for line in process.stdout.splitlines()]
    for line in (first, *lines, last):
        assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert first["start"]["pictures"] == 6 and first["start"]["sources"] == [str(scans)]
    assert [*lines, last["summary"]["colored"]] == [*shown[:-1], shown[-1]["summary"]["colored"]]
    assert code == last["summary"]["exit_code"] == 0


@posix_only
def test_a_name_is_one_line_in_the_log(color_of, tmp_path):
    """Line breaks and tabs are escaped, and bytes that are no text do no harm."""
    name = os.fsdecode(b"two\nlines\tcaf\xe9.png")
    try:
        save(tmp_path / "in" / name)
    except OSError:
        pytest.skip("this file system takes text only")
    log = tmp_path / "run.log"
    assert color_of(tmp_path / "in", "--log", log)[0] == 0
    _, line, _ = log.read_text("utf-8").splitlines()
    assert line.split("\t")[2].endswith(r"two\nlines\tcaf\udce9.png")


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("scans/run.log", "sources are never written to"),
        ("scans/box 1/deep/run.log", "sources are never written to"),
        ("scans/a.png", "sources are never written to"),
        ("out/a.png", "this is the name of a source or of a result"),
    ],
)
def test_a_log_in_the_wrong_place_is_refused(run_cli, tiny_model, scans, tmp_path, log, reason):
    """Exit 2 before work, with the sources as they were."""
    before = {path: path.read_bytes() for path in scans.rglob("*.*")}
    process = run_cli(
        "images", scans, "-o", tmp_path / "out", "-m", tiny_model, "--log", tmp_path / log
    )
    assert reason in one_line_of(process, 2)
    assert {path: path.read_bytes() for path in scans.rglob("*.*")} == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("list.txt", "this is the list of the sources"),
        ("scans/run.log", "sources are never written to"),
        ("scans/box 1/deep/run.log", "sources are never written to"),
        ("portrait.png", "has the name of a picture, and is there already"),
    ],
)
def test_a_log_beside_a_list_is_refused_like_any_other(
    run_cli, tiny_model, scans, tmp_path, log, reason
):
    """The list itself, the folders of what it names, and a picture that it does not name."""
    listed = [path for path in scans.rglob("*.*") if path.is_file()]
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in listed))
    save(tmp_path / "portrait.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    command = ["images", "--files-from", "list.txt", "-o", "out", "-m", tiny_model]
    process = run_cli(*command, "--log", log)
    assert reason in one_line_of(process, 2)
    found = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert found == before
    assert run_cli(*command, "--log", "run.log").returncode == 0


def test_a_log_may_lie_with_the_results(color_of, scans):
    """Also where these are below the source folder; it is no source of the next run."""
    out = scans / "out"
    assert color_of(scans, "--log", out / "run.log", out=out)[0] == 0
    assert len(color_of(scans, "--log", out / "run.log", out=out)[1]["skipped"]) == 6


def test_a_log_that_cannot_be_written_stops_before_work(run_cli, tiny_model, scans, tmp_path):
    """Exit 1: a folder, a file where a folder should be."""
    (tmp_path / "file").touch()
    for log in (tmp_path, tmp_path / "file" / "run.log"):
        process = run_cli("images", scans, "-o", tmp_path / "out", "-m", tiny_model, "--log", log)
        assert str(log) in one_line_of(process, 1) or "cannot make" in process.stderr
        assert not (tmp_path / "out").exists()


@posix_only
def test_a_pipe_is_no_log(run_cli, tiny_model, scans, tmp_path):
    """It would wait for a reader for ever."""
    os.mkfifo(tmp_path / "pipe")
    process = run_cli(
        "images", scans, "-o", tmp_path / "out", "-m", tiny_model, "--log", tmp_path / "pipe"
    )
    assert "a log cannot be a pipe" in one_line_of(process, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_under_the_log_stops_nothing_and_is_no_secret(color_of, scans, tmp_path):
    """All pictures are done; a warning at once, a count at the end, exit 1."""
    code, found, process = color_of(scans, "--log", "/dev/full")
    assert code == 1
    assert len(found["colored"]) == 5
    warning, *_, last = process.stderr.splitlines()
    assert "WARNING: /dev/full: cannot write the log: No space left" in warning
    assert process.stderr.count("WARNING") == 1
    assert "the log lacks 8 lines" in last
    summary = json.loads(process.stdout.splitlines()[-1])["summary"]
    assert (summary["unlogged"], summary["exit_code"]) == (8, 1)


def test_a_dry_run_writes_no_log(color_of, scans, tmp_path):
    """It writes nothing."""
    assert color_of(scans, "--dry-run", "--log", tmp_path / "run.log")[0] == 0
    assert not (tmp_path / "run.log").exists()


def test_a_torn_line_in_the_log_is_ended(color_of, scans, tmp_path):
    """What a full disk or a kill cut off does not swallow the next run's first line."""
    log = tmp_path / "run.jsonl"
    log.write_bytes(b'{"whole": 1}\n{"torn": ')
    color_of(scans, "--log", log)
    whole, torn, start, *_ = log.read_text("utf-8").splitlines()
    assert (whole, torn) == ('{"whole": 1}', '{"torn": ') and "start" in json.loads(start)


def test_a_run_that_cannot_begin_says_so_in_the_log(color_of, scans, tmp_path):
    """The last line tells how it ended."""
    log = tmp_path / "run.log"
    assert color_of(scans, "-m", tmp_path / "gone.onnx", "--log", log)[0] == 1
    first, last = log.read_text("utf-8").splitlines()
    assert "\tstart\t" in first and "\tend\tcould not run: " in last and "gone.onnx" in last


# --- what Windows does otherwise ---------------------------------------------------------------


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there they are one file")
@pytest.mark.parametrize("names", [("a.tif", "A.tif"), ("box/a.tif", "Box/a.tif")])
def test_case_twins_are_refused_before_work(run_cli, tiny_model, tmp_path, names):
    """Of one folder: on a disk of Windows or macOS one result would replace the other."""
    for seed, name in enumerate(names):
        save(tmp_path / "in" / name, seed)
    process = run_cli("images", tmp_path / "in", "-o", tmp_path / "out", "-m", tiny_model)
    line = one_line_of(process, 2)
    assert all(str(tmp_path / "in" / name) in line for name in names)
    assert not (tmp_path / "out").exists()
    without = ["--exclude", Path(names[0]).parts[0].lower()]  # it matches both: case is no matter
    process = run_cli("images", tmp_path / "in", "-o", tmp_path / "out", *without)
    assert "leave no pictures" in one_line_of(process, 2)


@posix_only
def test_a_name_that_is_too_long_is_an_outcome_before_its_work(color_of, tmp_path):
    """255 bytes and a suffix: it fails alone, in a dry run too, and others are done."""
    source = tmp_path / "in"
    save(source / "a.png")
    save(source / ("x" * 251 + ".png"))
    code, found, process = color_of(source, "--suffix", "-c", "--dry-run")
    assert code == 3 and "File name too long" in process.stderr
    code, found, process = color_of(source, "--suffix", "-c")
    assert (code, found["colored"]) == (3, ["a-c.png"])
    assert "File name too long" in process.stderr


BUSY = """
set -e
touch "$OUT/a.png" "$SAFE/held"
mount --bind "$SAFE/held" "$OUT/a.png"
set +e
if [ "$LET_GO" = yes ]; then
    ( until ls "$OUT"/.colorbatch-* 2> /dev/null; do sleep 0.01; done  # it is about to be replaced
      sleep 0.5; umount "$OUT/a.png" ) > /dev/null &
fi
"$@" > "$SAFE/out" 2> "$SAFE/err"; echo $? > "$SAFE/code"
cp "$OUT/a.png" "$SAFE/result"
ls -A "$OUT" > "$SAFE/names"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs mounts of its own")
@pytest.mark.parametrize("let_go", ["yes", "no"])
def test_a_target_that_is_held_is_waited_for_a_few_seconds(clean_env, tiny_model, tmp_path, let_go):
    """A file on which something is mounted cannot be replaced (EBUSY), as one that a viewer holds
    on Windows: done when it is let go, a failed outcome otherwise; others are done, nothing hangs.
    """
    may = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if may.returncode != 0:
        pytest.skip("this machine lets nobody mount anything")
    source, out, safe = (tmp_path / name for name in ("in", "out", "safe"))
    out.mkdir()
    safe.mkdir()
    save(source / "a.png", 1)
    save(source / "b.png", 2)
    tool = [sys.executable, "-m", "colorbatch", "images", source, "-o", out, "-m", tiny_model]
    subprocess.run(
        ["unshare", "-rm", "sh", "-c", BUSY, "sh", *tool,
         "--redo-all", "--json", "--workers", "1"],
        env=clean_env | {"OUT": str(out), "SAFE": str(safe), "LET_GO": let_go},
        check=False, timeout=120,
    )  # fmt: skip
    code, error = (safe / "code").read_text().strip(), (safe / "err").read_text()
    lines = [json.loads(line) for line in (safe / "out").read_text().splitlines()[:-1]]
    assert lines[1]["status"] == "colored"
    if let_go == "yes":
        assert (code, lines[0]["status"]) == ("0", "colored"), error
        assert (safe / "result").read_bytes().startswith(b"\x89PNG")
    else:
        assert (code, lines[0]["status"]) == ("3", "failed")
        assert "it is open in another program, or may not be replaced; close it" in error
        assert (safe / "result").read_bytes() == b""
    assert set((safe / "names").read_text().split()) == {".colorbatch", "a.png", "b.png"}
